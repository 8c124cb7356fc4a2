//! The protocol, read as a play: enrol, set up, mask, lose clients at every step, unmask, open.

mod support;

use blindsum_engine::{
    cpu::Cpu,
    curve::fr_from_bytes,
    opening::{OpeningBounds, check_opening},
    quantize::Quantizer,
    roster::{Bitmap, CohortSize},
    schnorr::verify_commitment,
    tree,
};
use blindsum_protocol::{
    GroupConfig, Misuse, Mode, ProtocolError,
    aggregator::{Absorbed, Phase},
    outcome::{CohortOutcome, GroupFailure, GroupOutcome},
};
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{Rng, SeedableRng},
};
use support::{BITS, CLIP, Cohort, Shape, W_MAX};

const MODES: [Mode; 3] = [Mode::Chain, Mode::Strict, Mode::Curious];

/// Everything an outsider can check of an outcome, and that the sum is the clients' own.
fn check(cohort: &Cohort, outcome: &CohortOutcome) {
    let participants = outcome.participants();
    let opening = outcome.opening().expect("some group opened");
    assert_eq!(opening.sum, cohort.expected_sum(participants));

    let bounds = OpeningBounds {
        bits: BITS,
        w_min: 1,
        w_max: W_MAX,
        participants: participants.count() as u32,
        dp_bound: 0,
    };
    check_opening(&Cpu, &cohort.bases, &bounds, &outcome.commitment().unwrap(), opening).unwrap();

    assert_eq!(tree::root(outcome.leaves()), outcome.leaves_root());
    let zero = fr_from_bytes(&[0; 32]).unwrap();
    for (slot, leaf) in outcome.leaves().iter().enumerate() {
        assert_eq!(*leaf != zero, outcome.posted().get(slot as u8), "slot {slot}");
    }
    let signers: Bitmap = outcome.signed().iter().map(|(slot, _)| *slot).collect();
    assert_eq!(signers, participants);
    for (slot, signed) in outcome.signed() {
        let key = cohort.roster.key(*slot).unwrap();
        let leaf = verify_commitment(key, *slot, outcome.round_context(), signed).unwrap();
        assert_eq!(leaf, outcome.leaves()[usize::from(*slot)]);
    }
}

#[test]
fn the_sum_opens_in_every_mode() {
    for mode in MODES {
        let mut cohort = Shape::one_group(6, mode).build();
        let outcome = cohort.run();
        assert_eq!(outcome.participants(), Bitmap::range(0, 6), "{mode}");
        assert!(outcome.blames().is_empty() && outcome.complaints().is_empty());
        check(&cohort, &outcome);
    }
}

#[test]
fn a_round_step_by_step() {
    let mut cohort = Shape::one_group(7, Mode::Strict).build();
    // t = 5, F = 6, c = 1. Nobody can mask before setup is closed, nor finish before release.
    assert_eq!(cohort.aggregator.phase(), Phase::Setup);
    assert!(cohort.aggregator.mask_request(0, &mut cohort.rng).is_err());
    assert!(matches!(cohort.finish(), Err(ProtocolError::Misuse(Misuse::WrongPhase { .. }))));

    // 1. Setup: one message a client, in any order.
    for slot in [3, 0, 6, 1, 5, 2, 4] {
        let message = cohort.setup(slot);
        assert_eq!(cohort.aggregator.absorb(&message).unwrap(), Absorbed::Setup { slot });
    }
    cohort.aggregator.close_setup(cohort.model, cohort.round.clone()).unwrap();
    assert_eq!(cohort.aggregator.phase(), Phase::MaskedInput);

    // 2. Masked input: slot 6 never answers.
    cohort.run_masks(&[6]);
    assert_eq!(cohort.aggregator.dropped(), [6].into_iter().collect());
    let posting = cohort.aggregator.close_posting(&mut cohort.rng).unwrap();
    assert_eq!(posting.posted, Bitmap::range(0, 6));
    assert_eq!(cohort.aggregator.phase(), Phase::Agreement);

    // Strict: more than (7 + 1) / 2 clients sign the digest before anybody releases.
    assert!(cohort.aggregator.unmask_request(0, &mut cohort.rng).is_err());
    for slot in 0..5u8 {
        assert_eq!(cohort.aggregator.phase(), Phase::Agreement);
        let request = cohort.aggregator.digest_request(slot, &mut cohort.rng).unwrap();
        let member = cohort.members.get_mut(&slot).unwrap();
        let message = member.client.sign_digest(&request, &mut cohort.rng).unwrap();
        cohort.aggregator.absorb(&message).unwrap();
    }
    assert_eq!(cohort.aggregator.phase(), Phase::Release);

    // 3. Unmask: too early is an error that loses nothing; t + 1 releases open the group.
    for slot in 0..6u8 {
        assert!(matches!(
            cohort.finish(),
            Err(ProtocolError::Misuse(Misuse::TooEarly { group: 0, releases, needed: 6 })) if releases == usize::from(slot)
        ));
        let message = cohort.release(slot);
        assert_eq!(
            cohort.aggregator.absorb(&message).unwrap(),
            Absorbed::Release { slot, wrong: Bitmap::EMPTY }
        );
    }
    let outcome = cohort.finish().unwrap();
    check(&cohort, &outcome);
    let progress = cohort.aggregator.progress();
    assert_eq!((progress.clients, progress.setups, progress.posted), (7, 7, 6));
    assert_eq!((progress.digest_signatures, progress.digest_quorum, progress.releases), (5, 5, 6));
    // Opening again gives the same.
    assert_eq!(cohort.finish().unwrap().opening(), outcome.opening());
}

#[test]
fn clients_lost_at_every_exchange() {
    for mode in MODES {
        // n = 12, t = 8, F = 9: one client never sets up, one never masks, the rest release but one.
        let mut cohort = Shape::one_group(12, mode).build();
        cohort.run_setup(&[2]);
        cohort.run_masks(&[9]);
        assert_eq!(cohort.aggregator.absent(), [2].into_iter().collect());
        cohort.agree();
        assert_eq!(cohort.aggregator.dropped(), [9].into_iter().collect());
        cohort.run_releases(&[0]);
        assert_eq!(cohort.aggregator.awaited_groups(), Vec::<usize>::new());
        let outcome = cohort.finish().unwrap();
        let expected: Bitmap = [0, 1, 3, 4, 5, 6, 7, 8, 10, 11].into_iter().collect();
        assert_eq!(outcome.participants(), expected, "{mode}");
        check(&cohort, &outcome);
    }
}

#[test]
fn t_plus_one_releases_open_a_group_and_t_do_not() {
    let mut cohort = Shape::one_group(9, Mode::Curious).build();
    cohort.run_setup(&[]);
    cohort.run_masks(&[8]);
    cohort.agree();
    // t = 6: the first six releasers leave each other one share short.
    for slot in 0..6 {
        let message = cohort.release(slot);
        cohort.aggregator.absorb(&message).unwrap();
    }
    assert!(matches!(
        cohort.finish(),
        Err(ProtocolError::Misuse(Misuse::TooEarly { releases: 6, needed: 7, .. }))
    ));
    let failed = cohort.aggregator.finish_at_deadline(&Cpu, &cohort.bases).unwrap();
    assert!(failed.opening().is_none() && failed.participants().is_empty());
    let group = failed.failed().next().unwrap();
    assert!(matches!(group.reason, GroupFailure::TooFewShares { slot: 0, shares: 5, needed: 6 }));
    assert_eq!(group.suspects, [6, 7].into_iter().collect());
    // More releases may still come, and nothing was lost.
    let message = cohort.release(7);
    cohort.aggregator.absorb(&message).unwrap();
    let outcome = cohort.finish().unwrap();
    assert_eq!(outcome.participants(), Bitmap::range(0, 8));
    check(&cohort, &outcome);
}

#[test]
fn groups_stand_and_fall_alone() {
    for mode in MODES {
        let mut cohort = Shape::two_groups(mode).build();
        cohort.run_setup(&[9]);
        // The second group falls below its floor of 6: it is left out, the first stands.
        cohort.run_masks(&[3, 12, 13]);
        cohort.agree();
        for slot in cohort.aggregator.posted().iter() {
            let request = cohort.aggregator.unmask_request(slot, &mut cohort.rng).unwrap();
            let answer = cohort.try_unmask(slot, &request);
            assert_eq!(answer.is_ok(), slot < 8, "slot {slot}");
            if let Ok(message) = answer {
                cohort.aggregator.absorb(&message).unwrap();
            }
        }
        let outcome = cohort.finish().unwrap();
        assert_eq!(outcome.participants(), [0, 1, 2, 4, 5, 6, 7].into_iter().collect());
        assert_eq!(outcome.posted().count(), 12);
        assert!(matches!(outcome.groups()[0], GroupOutcome::Opened(_)));
        assert!(matches!(
            &outcome.groups()[1],
            GroupOutcome::Failed(failed)
                if matches!(failed.reason, GroupFailure::TooFewPosted { posted: 5, needed: 6 })
        ));
        check(&cohort, &outcome);
    }
}

#[test]
fn two_groups_add_up() {
    let mut cohort = Shape::two_groups(Mode::Chain).build();
    cohort.run_setup(&[]);
    cohort.run_masks(&[1, 14]);
    cohort.agree();
    cohort.run_releases(&[0, 15]);
    let outcome = cohort.finish().unwrap();
    assert_eq!(outcome.participants().count(), 14);
    assert_eq!(outcome.opened().count(), 2);
    check(&cohort, &outcome);
    // The mean is the weighted mean of the clients' vectors, up to rounding.
    let quantizer = Quantizer::new(BITS, CLIP, 1, W_MAX).unwrap();
    let mean = quantizer.mean(&outcome.opening().unwrap().sum).unwrap();
    let members: Vec<_> = outcome.participants().iter().map(|slot| &cohort.members[&slot]).collect();
    let weight: f64 = members.iter().map(|member| f64::from(member.weight)).sum();
    for (j, value) in mean.iter().enumerate() {
        let exact: f64 =
            members.iter().map(|m| f64::from(m.weight) * f64::from(m.vector[j])).sum::<f64>() / weight;
        assert!((value - exact).abs() < 1e-3, "coordinate {j}: {value} and {exact}");
    }
}

#[test]
fn the_next_setup_rides_on_the_share_keys_of_the_last() {
    let shape = Shape::one_group(6, Mode::Curious);
    let mut cohort = shape.build();
    cohort.run();
    for round in 8..11 {
        // One client misses a round; the keys it signed before still serve.
        cohort.next_round();
        assert_eq!(cohort.parameters.round, round);
        let missing: &[u8] = if round == 9 { &[4] } else { &[] };
        cohort.run_setup(missing);
        cohort.run_masks(&[]);
        cohort.agree();
        cohort.run_releases(&[]);
        let outcome = cohort.finish().unwrap();
        assert!(outcome.complaints().is_empty(), "round {round}");
        assert_eq!(outcome.participants().count(), 6 - missing.len());
        check(&cohort, &outcome);
    }
}

#[test]
fn an_empty_group_is_idle() {
    let mut cohort = Shape::two_groups(Mode::Curious).build();
    cohort.run_setup(&[8, 9, 10, 11, 12, 13, 14, 15]);
    cohort.run_masks(&[]);
    cohort.agree();
    cohort.run_releases(&[]);
    let outcome = cohort.finish().unwrap();
    assert!(matches!(outcome.groups()[1], GroupOutcome::Idle { group: 1 }));
    check(&cohort, &outcome);
}

/// Groups of unequal size in a larger cohort: empty slots everywhere, clients lost everywhere.
#[test]
fn a_cohort_of_64_slots_in_groups_of_16() {
    let occupied: Bitmap = (0..64u8).filter(|slot| slot % 16 < 10 - slot / 16).collect();
    let shape = Shape {
        size: CohortSize::N64,
        group: GroupConfig { threshold: 6, floor: 6, corrupt: 1 },
        occupied,
        ..Shape::one_group(16, Mode::Chain)
    };
    let mut cohort = shape.build();
    assert_eq!(cohort.parameters.config.groups().map(|group| group.n).collect::<Vec<_>>(), [10, 9, 8, 7]);
    cohort.run_setup(&[1, 17]);
    cohort.run_masks(&[0, 33]);
    cohort.agree();
    cohort.run_releases(&[4]);
    let outcome = cohort.finish().unwrap();
    assert_eq!(outcome.opened().count(), 4);
    assert_eq!(outcome.participants(), outcome.posted());
    assert_eq!(outcome.participants().count(), 34 - 4);
    check(&cohort, &outcome);
}

/// Whoever is lost, wherever: the sum is that of the participants, or the group says why it failed.
#[test]
fn random_losses_never_give_a_wrong_sum() {
    let mut opened = 0;
    for seed in 0..8u64 {
        let mut cohort = Shape { seed, ..Shape::two_groups(MODES[seed as usize % 3]) }.build();
        let mut coins = ChaCha20Rng::seed_from_u64(seed);
        let mut lost = |odds: u32| -> Vec<u8> { (0..16).filter(|_| coins.next_u32() % 100 < odds).collect() };
        cohort.run_setup(&lost(8));
        let silent = lost(8);
        for slot in cohort.aggregator.set_up().iter().filter(|slot| !silent.contains(slot)) {
            let request = cohort.aggregator.mask_request(slot, &mut cohort.rng).unwrap();
            // A client with too few peers refuses.
            if let Ok(message) = cohort.try_mask(slot, &request) {
                cohort.aggregator.absorb(&message).unwrap();
            }
        }
        cohort.agree();
        if cohort.aggregator.phase() != Phase::Release {
            continue;
        }
        let silent = lost(8);
        for slot in cohort.aggregator.posted().iter().filter(|slot| !silent.contains(slot)) {
            let request = cohort.aggregator.unmask_request(slot, &mut cohort.rng).unwrap();
            if let Ok(message) = cohort.try_unmask(slot, &request) {
                cohort.aggregator.absorb(&message).unwrap();
            }
        }
        let outcome = cohort.aggregator.finish_at_deadline(&Cpu, &cohort.bases).unwrap();
        assert!(outcome.blames().is_empty(), "seed {seed}");
        assert_eq!(outcome.groups().len(), 2);
        if outcome.opening().is_some() {
            check(&cohort, &outcome);
            opened += outcome.opened().count();
        }
    }
    assert!(opened >= 6, "{opened} groups opened in eight rounds: the losses prove nothing");
}
