//! Records that do not open: complained of, never left out of the masks, and nobody's proven fault
//! until more than c members say the same.

use blindsum_engine::{
    curve::Fq,
    roster::{Bitmap, SetupContext},
};
use blindsum_protocol::{
    Mode, ProtocolError, Refusal, Standing,
    aggregator::Absorbed,
    blame::Charge,
    outcome::{Complaint, GroupFailure},
};

use crate::support::{Cohort, Shape, puppet::Deal};

/// 8 members (t = 5, F = 6, c = 1); what slot 2 deals goes through `tamper`.
fn dealt(tamper: impl FnMut(&mut Deal)) -> Cohort {
    let mut cohort =
        Shape { puppets: vec![2], group: Shape::loose(), ..Shape::one_group(8, Mode::Curious) }.build();
    cohort.puppet_setup(2, tamper);
    cohort.run_setup(&[]);
    cohort
}

/// Shares sealed to another receiver, in the other direction, in another context, with another key,
/// or that miss their hash: each is a complaint, and the round goes on.
#[test]
fn one_complaint_is_undecided_and_the_group_opens() {
    let cases: [fn(&mut Deal); 6] = [
        |deal| deal.binding.receiver = 4,
        |deal| std::mem::swap(&mut deal.binding.dealer, &mut deal.binding.receiver),
        |deal| deal.binding.context = SetupContext([1; 32]),
        |deal| deal.binding.receiver_key = deal.binding.dealer_key,
        |deal| deal.sealed.0 += Fq::from(1u8),
        |deal| deal.hashed.1 += Fq::from(1u8),
    ];
    for (case, tamper) in cases.into_iter().enumerate() {
        let mut cohort = dealt(|deal| {
            if deal.receiver == 3 {
                tamper(deal);
            }
        });
        let message = cohort.mask(3);
        let complaints: Bitmap = [2].into_iter().collect();
        let absorbed = cohort.aggregator.absorb(&message).unwrap();
        assert_eq!(absorbed, Absorbed::MaskedInput { slot: 3, complaints }, "case {case}");
        cohort.run_masks(&[3]);
        cohort.puppet_mask(2, |_, _, _| ());
        cohort.agree();
        cohort.run_releases(&[]);
        let outcome = cohort.finish().unwrap();
        assert_eq!(outcome.participants(), Bitmap::range(0, 8), "case {case}");
        assert_eq!(outcome.opening().unwrap().sum, cohort.expected_sum(outcome.participants()));
        assert!(outcome.blames().is_empty());
        assert_eq!(outcome.complaints(), [Complaint { receiver: 3, dealer: 2 }]);
        // It counts for benching, on both sides.
        assert_eq!(outcome.suspects(), [2, 3].into_iter().collect());
    }
}

#[test]
fn more_than_c_complaints_name_the_dealer() {
    // c = 1: two complaints.
    let mut cohort = dealt(|deal| {
        if deal.receiver == 3 || deal.receiver == 5 {
            deal.sealed.0 += Fq::from(1u8);
        }
    });
    cohort.run_masks(&[]);
    let blame = cohort.aggregator.blames()[0].clone();
    assert_eq!((blame.slot, blame.charge), (2, Charge::Complaints));
    assert_eq!(cohort.verify_evidence(blame.evidence()).unwrap(), (2, Charge::Complaints));
    cohort.puppet_mask(2, |_, _, _| ());
    cohort.agree();
    cohort.run_releases(&[]);
    let message = cohort.puppet_release(2, |_| ());
    cohort.aggregator.absorb(&message.encode()).unwrap();
    let outcome = cohort.finish().unwrap();
    assert_eq!(outcome.participants(), Bitmap::range(0, 8), "five good holders are left");
    assert!(outcome.complaints().is_empty(), "decided");
    assert_eq!(outcome.suspects(), [2].into_iter().collect());
}

/// With fewer than t holders left, the group fails before anybody releases.
#[test]
fn too_few_holders_stop_the_group_before_any_release() {
    let mut cohort = dealt(|deal| {
        if deal.receiver >= 5 {
            deal.sealed.1 += Fq::from(1u8);
        }
    });
    cohort.run_masks(&[]);
    cohort.puppet_mask(2, |_, _, _| ());
    cohort.agree();
    let request = cohort.aggregator.unmask_request(0, &mut cohort.rng).unwrap();
    assert!(matches!(
        cohort.try_unmask(0, &request),
        Err(ProtocolError::Refused(Refusal::TooFewHolders { slot: 2, holders: 4, threshold: 5 }))
    ));
    let outcome = cohort.finish().unwrap();
    assert!(matches!(
        outcome.failed().next().unwrap().reason,
        GroupFailure::TooFewHolders { slot: 2, holders: 4, needed: 5 }
    ));
    assert_eq!(outcome.suspects(), [2].into_iter().collect());
    // Nobody released: the same clients may run again on the same model.
    assert!(cohort.aggregator.released().is_empty());
}

/// A member cannot complain away a peer that dealt it nothing, or itself.
#[test]
fn complaints_about_nobody_are_refused() {
    for about in [2u8, 9, 15] {
        let mut cohort = dealt(|_| ());
        let request = cohort.aggregator.mask_request(2, &mut cohort.rng).unwrap();
        let puppet = cohort.puppets.get_mut(&2).unwrap();
        let request = puppet.read_mask_request(&request, &cohort.roster);
        let words = cohort.puppet_words();
        let puppet = &cohort.puppets[&2];
        let context = crate::support::puppet::Puppet::context(&request);
        let mut input = puppet.honest_input(&words, &context, &cohort.bases, &mut cohort.rng);
        input.complaints = [about].into_iter().collect();
        let message = puppet.mask(&request, &input, &mut cohort.rng);
        assert!(matches!(
            cohort.aggregator.absorb(&message.encode()),
            Err(ProtocolError::BadContribution {
                slot: 2,
                reason: blindsum_protocol::Fault::BadComplaint { .. }
            })
        ));
    }
}

/// Benched after three failed draws of three; an epoch counts once; nobody is slashed.
#[test]
fn benching_takes_three_draws() {
    let mut standing = Standing::default();
    let mut cohort = dealt(|deal| {
        if deal.receiver == 3 {
            deal.sealed.0 += Fq::from(1u8);
        }
    });
    cohort.run_masks(&[]);
    cohort.puppet_mask(2, |_, _, _| ());
    cohort.agree();
    cohort.run_releases(&[]);
    let outcome = cohort.finish().unwrap();
    let key = |slot| cohort.roster.key(slot).unwrap();
    for epoch in [1, 1, 1, 2, 2] {
        standing.record(epoch, &cohort.roster, &outcome);
    }
    assert_eq!((standing.failed_draws(key(2)), standing.failed_draws(key(0))), (2, 0));
    assert!(!standing.benched(key(2)));
    standing.record(3, &cohort.roster, &outcome);
    assert!(standing.benched(key(2)) && standing.benched(key(3)) && !standing.benched(key(4)));
    assert!(Standing::new(0, 3).is_err() && Standing::new(4, 3).is_err() && Standing::new(1, 65).is_err());
}
