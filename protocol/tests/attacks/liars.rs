//! Clients that say one thing and commit to another: they cost their own group, and no more.

use blindsum_engine::{curve::Fq, opening::OpeningError, roster::Bitmap};
use blindsum_protocol::{
    Misuse, Mode, ProtocolError,
    outcome::{CohortOutcome, GroupFailure},
};

use crate::support::{
    Shape, W_MAX,
    puppet::{Input, Puppet},
};

/// Two groups of 8; slot 2 is the liar. Everybody takes part.
fn run(lie: impl FnOnce(&mut Input, &Puppet)) -> CohortOutcome {
    let mut cohort = Shape { puppets: vec![2], ..Shape::two_groups(Mode::Chain) }.build();
    cohort.puppet_setup(2, |_| ());
    cohort.run_setup(&[]);
    cohort.run_masks(&[]);
    cohort.puppet_mask(2, |input, puppet, _| lie(input, puppet));
    cohort.agree();
    cohort.run_releases(&[]);
    let outcome = cohort.finish().unwrap();
    if let Some(opening) = outcome.opening() {
        assert_eq!(opening.sum, cohort.expected_sum(outcome.participants()));
    }
    outcome
}

fn first_group_failed(outcome: &CohortOutcome) -> &GroupFailure {
    assert_eq!(outcome.participants(), Bitmap::range(8, 8), "the other group stands");
    assert_eq!(outcome.posted(), Bitmap::range(0, 16));
    assert!(outcome.blames().is_empty(), "nobody is named");
    let failed = outcome.failed().next().unwrap();
    assert_eq!((failed.group, failed.suspects), (0, Bitmap::range(0, 8)));
    &failed.reason
}

#[test]
fn an_honest_puppet_opens() {
    assert_eq!(run(|_, _| ()).participants(), Bitmap::range(0, 16));
}

#[test]
fn a_vector_other_than_the_committed_one_costs_its_group() {
    let outcome = run(|input, _| input.words[5] += 1);
    assert!(matches!(first_group_failed(&outcome), GroupFailure::Opening(OpeningError::Commitment)));
}

#[test]
fn a_blinding_other_than_the_committed_one_costs_its_group() {
    let outcome = run(|input, _| input.blinding += Fq::from(1u8));
    assert!(matches!(first_group_failed(&outcome), GroupFailure::Opening(OpeningError::Commitment)));
}

/// In step with the commitment, but out of range: the exact range check refuses the sum.
#[test]
fn out_of_range_is_refused_even_when_it_opens() {
    type Words = fn(&mut Vec<i32>);
    let cases: [(&str, Words); 4] = [
        ("more than eight clients' coordinates", |words| words[0] = 8 * 32767 + 1),
        ("a negative weight", |words| *words.last_mut().unwrap() = -2000),
        ("a weight above w_max for all", |words| *words.last_mut().unwrap() = 8 * W_MAX as i32 + 1),
        ("more than the weight carries", |words| words[3] = 200_000),
    ];
    for (name, lie) in cases {
        let mut cohort = Shape { puppets: vec![2], ..Shape::two_groups(Mode::Chain) }.build();
        cohort.puppet_setup(2, |_| ());
        cohort.run_setup(&[]);
        cohort.run_masks(&[]);
        let (bases, mut rng) = (cohort.bases.clone(), cohort.rng.clone());
        cohort.puppet_mask(2, |input, puppet, context| {
            let mut words = input.words.clone();
            lie(&mut words);
            *input = puppet.vartime_input(&words, context, &bases, &mut rng);
        });
        cohort.agree();
        cohort.run_releases(&[]);
        let outcome = cohort.finish().unwrap();
        match first_group_failed(&outcome) {
            GroupFailure::Opening(
                OpeningError::Coordinate { .. } | OpeningError::Weight { .. } | OpeningError::Scale { .. },
            ) => {}
            other => panic!("{name}: {other}"),
        }
    }
}

/// The sums of all groups are checked in one call: the verdict on one is not laid on another.
#[test]
fn every_group_has_its_own_verdict() {
    for first_lies in [false, true] {
        let mut cohort = Shape { puppets: vec![2, 10], ..Shape::two_groups(Mode::Chain) }.build();
        cohort.puppet_setup(2, |_| ());
        cohort.puppet_setup(10, |_| ());
        cohort.run_setup(&[]);
        cohort.run_masks(&[]);
        let (bases, mut rng) = (cohort.bases.clone(), cohort.rng.clone());
        cohort.puppet_mask(2, |input, puppet, context| {
            if first_lies {
                let mut words = input.words.clone();
                *words.last_mut().unwrap() = -2000;
                *input = puppet.vartime_input(&words, context, &bases, &mut rng);
            }
        });
        cohort.puppet_mask(10, |input, _, _| input.words[5] += 1);
        cohort.agree();
        cohort.run_releases(&[]);
        let outcome = cohort.finish().unwrap();
        let failed: Vec<_> = outcome.failed().map(|failed| (failed.group, &failed.reason)).collect();
        let (last, others) = failed.split_last().unwrap();
        assert!(matches!(last, (1, GroupFailure::Opening(OpeningError::Commitment))), "{failed:?}");
        if first_lies {
            assert!(
                matches!(others, [(0, GroupFailure::Opening(OpeningError::Weight { .. }))]),
                "{failed:?}"
            );
            assert!(outcome.opening().is_none());
        } else {
            assert!(others.is_empty(), "{failed:?}");
            assert_eq!(outcome.participants(), Bitmap::range(0, 8), "the other group stands");
        }
    }
}

/// A client's own verbs refuse a weight out of range before anything leaves.
#[test]
fn a_client_refuses_its_own_wrong_weight() {
    let mut cohort = Shape::one_group(6, Mode::Curious).build();
    cohort.run_setup(&[]);
    let quantizer = blindsum_engine::quantize::Quantizer::new(16, 1.0, 1, 5000).unwrap();
    let update = vec![0.25f32; 39];
    let update = blindsum_engine::quantize::Update::new(&update);
    let (quantized, _) = quantizer.quantize(&update, 4000, &mut cohort.rng).unwrap();
    cohort.member(0).quantized = quantized;
    let request = cohort.aggregator.mask_request(0, &mut cohort.rng).unwrap();
    assert!(matches!(
        cohort.try_mask(0, &request),
        Err(ProtocolError::Misuse(Misuse::Weight { min: 1, max: 100 }))
    ));
}
