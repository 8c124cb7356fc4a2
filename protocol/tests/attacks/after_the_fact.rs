//! Commitments made once the others' are known: they open to fiction, and meet no stored leaf.

use blindsum_engine::{
    cpu::Cpu,
    curve::{Fq, Point, Projective, random_fq},
    pedersen::commit_words,
    schnorr::sign_commitment,
    secret::Blinding,
    tree,
};
use blindsum_protocol::{Mode, blame::Charge, outcome::GroupFailure};

use crate::support::{BITS, Shape};

/// `C_m = Com(x*, r*) - sum of the others`: the sum of all opens to whatever the colluder wants.
#[test]
fn a_rogue_commitment_opens_and_misses_the_stored_root() {
    let mut cohort = Shape::one_group(6, Mode::Strict).build();
    let outcome = cohort.run();
    let fiction: Vec<i32> = cohort.puppet_words();
    let blinding = random_fq(&mut cohort.rng);
    let target =
        commit_words(&Cpu, &cohort.bases, &fiction, BITS, &Blinding::from(blinding)).unwrap().point();
    let others = outcome.signed()[1..].iter().fold(Projective::default(), |sum, (_, s)| sum + s.commitment);
    let rogue = Point::from(Projective::from(target) - others);
    // The attack works as far as the commitments go.
    assert_eq!(Point::from(others + rogue), target);

    let key = &cohort.members[&0].key;
    let (signed, leaf) = sign_commitment(key, 0, outcome.round_context(), rogue, &mut cohort.rng);
    assert!(
        blindsum_engine::schnorr::verify_commitment(key.public(), 0, outcome.round_context(), &signed)
            .is_ok()
    );
    // But the leaf was fixed before any commitment was known.
    assert_ne!(leaf, outcome.leaves()[0]);
    let mut leaves = outcome.leaves().to_vec();
    leaves[0] = leaf;
    assert_ne!(tree::root(&leaves), outcome.leaves_root());
    assert_eq!(outcome.leaves_root(), cohort.aggregator.survivor_digest().unwrap().leaves_root);
}

/// The second form survives a proof of knowledge: unmask honestly, then sign `Com(x* - A_H, r* - R_H)`.
#[test]
fn a_second_signature_of_the_same_client_misses_the_root_too() {
    let mut cohort = Shape::one_group(6, Mode::Strict).build();
    let outcome = cohort.run();
    let words = cohort.puppet_words();
    let commitment = commit_words(&Cpu, &cohort.bases, &words, BITS, &Blinding::from(Fq::from(4u8))).unwrap();
    let key = &cohort.members[&3].key;
    let (_, leaf) = sign_commitment(key, 3, outcome.round_context(), commitment.point(), &mut cohort.rng);
    assert_ne!(leaf, outcome.leaves()[3]);
    // Even the same commitment signed again is another leaf: R is fresh.
    let (_, again) =
        sign_commitment(key, 3, outcome.round_context(), outcome.signed()[3].1.commitment, &mut cohort.rng);
    assert_ne!(again, outcome.leaves()[3]);
}

/// In the protocol itself: a leaf in the clear, and another commitment in the box.
#[test]
fn a_box_that_misses_its_leaf_names_its_owner() {
    let mut cohort =
        Shape { puppets: vec![2], group: Shape::loose(), ..Shape::one_group(8, Mode::Curious) }.build();
    cohort.puppet_setup(2, |_| ());
    cohort.run_setup(&[]);
    cohort.run_masks(&[]);
    let bases = cohort.bases.clone();
    let mut rng = cohort.rng.clone();
    cohort.puppet_mask(2, |input, puppet, context| {
        let other = puppet.honest_input(&[7; 40], context, &bases, &mut rng);
        input.signed = other.signed;
    });
    cohort.agree();
    cohort.run_releases(&[]);
    let message = cohort.puppet_release(2, |_| ());
    cohort.aggregator.absorb(&message.encode()).unwrap();
    let outcome = cohort.finish().unwrap();
    let failed = outcome.failed().next().unwrap();
    assert!(matches!(failed.reason, GroupFailure::BadCommitment { slot: 2 }));
    assert_eq!(failed.suspects.iter().collect::<Vec<_>>(), [2]);
    assert_eq!(outcome.blames().len(), 1);
    let verdict = cohort.verify_evidence(outcome.blames()[0].evidence()).unwrap();
    assert_eq!(verdict, (2, Charge::BadCommitment));
}

/// A box under another key than `b`'s, or a signature that no proof can show.
#[test]
fn a_box_that_does_not_open_names_its_owner() {
    let mut cohort =
        Shape { puppets: vec![2], group: Shape::loose(), ..Shape::one_group(8, Mode::Curious) }.build();
    cohort.puppet_setup(2, |_| ());
    cohort.run_setup(&[]);
    cohort.run_masks(&[]);
    cohort.puppet_mask(2, |input, _, _| input.b += Fq::from(1u8));
    cohort.agree();
    cohort.run_releases(&[]);
    let outcome = cohort.finish().unwrap();
    assert!(matches!(outcome.failed().next().unwrap().reason, GroupFailure::BadCommitment { slot: 2 }));
    let verdict = cohort.verify_evidence(outcome.blames()[0].evidence()).unwrap();
    assert_eq!(verdict, (2, Charge::BadCommitment));
}

/// Low entropy: an update that can be guessed must not be recognised by what leaves its client.
#[test]
fn one_vector_looks_different_in_every_round() {
    let mut cohort = Shape::one_group(6, Mode::Curious).build();
    let first = cohort.run();
    cohort.next_round();
    let second = cohort.run();
    assert_eq!(first.opening().unwrap().sum, second.opening().unwrap().sum);
    assert_ne!(first.opening().unwrap().blinding, second.opening().unwrap().blinding);
    for ((_, one), (_, other)) in first.signed().iter().zip(second.signed()) {
        assert_ne!(one.commitment, other.commitment);
    }
    assert!(first.leaves()[..6].iter().all(|leaf| !second.leaves().contains(leaf)));
}
