//! Running again: the difference of two runs on one model is a client's vector.

use blindsum_protocol::{Mode, ProtocolError, Refusal};

use crate::support::Shape;

#[test]
fn who_released_does_not_run_again_on_the_same_model() {
    let mut cohort = Shape::one_group(6, Mode::Curious).build();
    cohort.run();
    cohort.next_attempt();
    cohort.run_setup(&[]);
    let request = cohort.aggregator.mask_request(0, &mut cohort.rng).unwrap();
    assert!(matches!(cohort.try_mask(0, &request), Err(ProtocolError::Refused(Refusal::ModelReleased))));
}

#[test]
fn who_released_runs_on_with_another_model() {
    let mut cohort = Shape::one_group(6, Mode::Curious).build();
    cohort.run();
    cohort.next_attempt();
    cohort.model.0[31] ^= 1;
    assert_eq!(cohort.run().participants().count(), 6);
}

#[test]
fn who_released_nothing_may_run_again() {
    let mut cohort = Shape::one_group(6, Mode::Curious).build();
    cohort.run_setup(&[]);
    cohort.run_masks(&[3, 4, 5]);
    cohort.agree();
    // Three posted, F = 5: nobody releases.
    let request = cohort.aggregator.unmask_request(0, &mut cohort.rng).unwrap();
    assert!(cohort.try_unmask(0, &request).is_err());
    let before = *cohort.aggregator.round_context().unwrap();
    cohort.next_attempt();
    let outcome = cohort.run();
    assert_eq!(outcome.participants().count(), 6);
    assert_ne!(*outcome.round_context(), before);
}

/// The exception that an application can ask for: equal sets, or sets far apart; once.
#[test]
fn a_second_release_is_the_same_set_or_far_from_it() {
    let mut cohort =
        Shape { second_release: true, group: Shape::loose(), ..Shape::one_group(8, Mode::Curious) }.build();
    cohort.run();

    // One client fewer is too close: min_group is 3.
    cohort.next_attempt();
    cohort.run_setup(&[]);
    cohort.run_masks(&[7]);
    cohort.agree();
    let request = cohort.aggregator.unmask_request(0, &mut cohort.rng).unwrap();
    assert!(matches!(
        cohort.try_unmask(0, &request),
        Err(ProtocolError::Refused(Refusal::TooClose { got: 1, floor: 3 }))
    ));

    // The same set is fine, a third time is not.
    cohort.next_attempt();
    assert_eq!(cohort.run().participants().count(), 8);
    cohort.next_attempt();
    cohort.run_setup(&[]);
    let refused = cohort.aggregator.mask_request(0, &mut cohort.rng).unwrap();
    let refused = cohort.try_mask(0, &refused).and_then(|_| {
        for slot in 1..8 {
            let message = cohort.mask(slot);
            cohort.aggregator.absorb(&message)?;
        }
        let message = cohort.mask(0);
        cohort.aggregator.absorb(&message)?;
        cohort.agree();
        let request = cohort.aggregator.unmask_request(0, &mut cohort.rng)?;
        cohort.try_unmask(0, &request)
    });
    assert!(matches!(refused, Err(ProtocolError::Refused(Refusal::ModelReleased))), "{refused:?}");
}
