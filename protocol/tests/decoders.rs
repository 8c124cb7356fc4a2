//! Decoders take what encoders write, and nothing else; and contexts tell apart whatever differs.

mod cohort;

use std::collections::BTreeMap;

use blindsum_engine::{curve::Fr, schnorr::SecretKey};
use blindsum_protocol::{
    CohortConfig, Dp, Enrolment, GroupConfig, Limits, MessageKind, Mode, Registration, RoundParameters,
    SetupParameters, WireError, keys,
    message::{
        DigestSignature, MaskRequest, MaskedInput, Opened, Release, Setup, SetupRequest, SurvivorDigest,
        UnmaskRequest,
    },
    wire,
};
use cohort::{Cohort, limits};
use proptest::prelude::*;

/// Decodes a message of a kind and encodes it again.
fn round_trip(kind: MessageKind, bytes: &[u8]) -> Result<Vec<u8>, WireError> {
    let limits = &limits();
    Ok(match kind {
        MessageKind::Registration => Registration::decode(bytes, limits)?.encode(),
        MessageKind::Enrolment => Enrolment::decode(bytes, limits)?.encode(),
        MessageKind::Setup => Setup::decode(bytes, limits)?.encode(),
        MessageKind::MaskedInput => MaskedInput::decode(bytes, limits)?.encode(),
        MessageKind::SurvivorDigest => SurvivorDigest::decode(bytes, limits)?.encode(),
        MessageKind::DigestSignature => DigestSignature::decode(bytes, limits)?.encode(),
        MessageKind::Release => Release::decode(bytes, limits)?.encode(),
        MessageKind::Opened => Opened::decode(bytes, limits)?.encode(),
        MessageKind::SetupRequest => SetupRequest::decode(bytes, limits)?.encode(),
        MessageKind::MaskRequest => MaskRequest::decode(bytes, limits)?.encode(),
        MessageKind::UnmaskRequest => UnmaskRequest::decode(bytes, limits)?.encode(),
        // The engine's own encoding, in a frame.
        MessageKind::Opening => wire::frame(kind, wire::unframe(bytes, kind, limits)?.rest()),
    })
}

/// One good message of every kind, as one strict round makes them.
fn messages() -> BTreeMap<u8, Vec<u8>> {
    let mut cohort = Cohort::new(Mode::Strict);
    let all = [0, 1, 2, 3, 4, 5];
    let setup_request = cohort.setup_request();
    let setups = cohort.setups(&all);
    let mask_request = cohort.mask_request(&setups, 0).encode();
    let inputs = cohort.masked(&setups, &all);
    let mut survivors = cohort.survivors(&setups, &inputs);
    let request = cohort.sign_survivors(&survivors).encode();
    let mut signature = Vec::new();
    for i in 0..4 {
        signature = cohort.clients[i].sign_digest(&request, &mut cohort.rng).unwrap();
        let signed = DigestSignature::decode(&signature, &limits()).unwrap();
        survivors.signatures.push((signed.slot, signed.signature));
    }
    let request = cohort.sign_survivors(&survivors);
    let release = cohort.unmask(0, &survivors).unwrap();
    let registration = Registration::new(&cohort.keys[0], 5, [7; 20], &mut cohort.rng);
    registration.verify().unwrap();
    let opened = Opened::sign(&cohort.keys[0], survivors.context, 0, [1; 32], &mut cohort.rng);
    opened.verify(cohort.public(0)).unwrap();
    [
        (MessageKind::Registration, registration.encode()),
        (MessageKind::Enrolment, cohort.enrolments[0].encode()),
        (MessageKind::Setup, setups[0].encode()),
        (MessageKind::MaskedInput, inputs[0].encode()),
        (MessageKind::SurvivorDigest, request.digest.encode()),
        (MessageKind::DigestSignature, signature),
        (MessageKind::Release, release),
        (MessageKind::Opened, opened.encode()),
        (MessageKind::Opening, wire::frame(MessageKind::Opening, &[0; 40])),
        (MessageKind::SetupRequest, setup_request),
        (MessageKind::MaskRequest, mask_request),
        (MessageKind::UnmaskRequest, request.encode()),
    ]
    .into_iter()
    .map(|(kind, bytes)| (kind as u8, bytes))
    .collect()
}

fn kinds() -> impl Iterator<Item = (MessageKind, Vec<u8>)> {
    let mut messages = messages();
    MessageKind::ALL
        .into_iter()
        .map(move |kind| (kind, messages.remove(&(kind as u8)).expect("one of every kind")))
}

#[test]
fn every_message_round_trips_and_is_refused_cut_longer_or_as_another_kind() {
    for (kind, good) in kinds() {
        assert_eq!(MessageKind::of(&good), Ok(kind));
        assert_eq!(round_trip(kind, &good).as_ref(), Ok(&good), "{kind}");
        for cut in 0..good.len() {
            assert!(round_trip(kind, &good[..cut]).is_err(), "{kind} cut at {cut}");
        }
        assert_eq!(
            round_trip(kind, &[&good[..], &[0]].concat()),
            Err(WireError::Trailing { count: 1 }),
            "{kind}"
        );
        for other in MessageKind::ALL.into_iter().filter(|other| *other != kind) {
            let refused = round_trip(other, &good);
            assert_eq!(refused, Err(WireError::Kind { expected: other as u8, got: kind as u8 }));
        }
        // A payload that is one byte short or long, with a frame that says so.
        if kind != MessageKind::Opening {
            let payload = &good[wire::HEADER_BYTES..];
            assert!(round_trip(kind, &wire::frame(kind, &payload[..payload.len() - 1])).is_err(), "{kind}");
            assert!(round_trip(kind, &wire::frame(kind, &[payload, &[0]].concat())).is_err(), "{kind}");
        }
    }
}

#[test]
fn no_length_is_believed_before_it_is_compared_with_the_limit() {
    for (kind, good) in kinds() {
        let limit = limits().payload(kind);
        for length in [limit + 1, u64::MAX] {
            let mut bad = good.clone();
            bad[7..15].copy_from_slice(&length.to_be_bytes());
            assert_eq!(round_trip(kind, &bad), Err(WireError::TooLong { limit, got: length }), "{kind}");
        }
        let small = Limits::new(cohort::SIZE, 2);
        if kind == MessageKind::MaskedInput {
            assert!(matches!(MaskedInput::decode(&good, &small), Err(WireError::TooLong { .. })));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// What decodes encodes to the same bytes; what does not is an error, never a panic.
    #[test]
    fn arbitrary_payloads_never_panic(kind in 0usize..12, payload in proptest::collection::vec(any::<u8>(), 0..1200)) {
        let kind = MessageKind::ALL[kind];
        let bytes = wire::frame(kind, &payload);
        if let Ok(again) = round_trip(kind, &bytes) {
            prop_assert_eq!(again, bytes);
        }
        let _ = MessageKind::of(&payload);
        let _ = round_trip(kind, &payload);
    }
}

#[test]
fn a_flipped_byte_never_panics_and_what_still_decodes_is_canonical() {
    for (kind, good) in kinds() {
        let step = (good.len() / 400).max(1);
        for i in (0..good.len()).step_by(step) {
            let mut bad = good.clone();
            bad[i] ^= 1 << (i % 8);
            if let Ok(again) = round_trip(kind, &bad) {
                assert_eq!(again, bad, "{kind}, byte {i}");
            }
        }
    }
}

/// Every way in which two clients may have been told different things of a setup.
fn setup_changes() -> Vec<(&'static str, SetupParameters)> {
    let base = Cohort::new(Mode::Strict).parameters;
    let group = cohort::GROUP;
    let with =
        |group: GroupConfig| SetupParameters { config: cohort::config(Mode::Strict, group), ..base.clone() };
    let narrow = [GroupConfig { threshold: 3, floor: 3, corrupt: 0 }; 2];
    let occupied = (0..4).chain(8..12).collect();
    let two_groups = CohortConfig::new(cohort::SIZE, 8, Mode::Strict, occupied, narrow.to_vec()).unwrap();
    vec![
        ("t", with(GroupConfig { threshold: 5, ..group })),
        ("F", with(GroupConfig { floor: 5, ..group })),
        ("c", with(GroupConfig { corrupt: 0, ..group })),
        ("groups", SetupParameters { config: two_groups, ..base.clone() }),
        ("mode", SetupParameters { config: cohort::config(Mode::Curious, group), ..base.clone() }),
        ("chain", SetupParameters { chain_id: 1, ..base.clone() }),
        ("contract", SetupParameters { contract: [1; 20], ..base.clone() }),
        ("epoch", SetupParameters { epoch: 4, ..base.clone() }),
        ("round", SetupParameters { round: 13, ..base.clone() }),
        ("attempt", SetupParameters { attempt: 1, ..base.clone() }),
        ("cohort", SetupParameters { cohort: 2, ..base.clone() }),
        ("roster", SetupParameters { roster_root: base.roster_root + Fr::from(1u8), ..base.clone() }),
        ("base", base),
    ]
}

fn round_changes() -> Vec<(&'static str, RoundParameters)> {
    let mut cohort = Cohort::new(Mode::Strict);
    let base = cohort.round.clone();
    let aggregator = *SecretKey::generate(&mut cohort.rng).public();
    let deadlines = base.deadlines;
    vec![
        ("aggregator", RoundParameters { aggregator, ..base.clone() }),
        ("payee", RoundParameters { payee: [1; 20], ..base.clone() }),
        ("bits", RoundParameters { bits: 15, ..base.clone() }),
        ("clip", RoundParameters { clip: 1.5, ..base.clone() }),
        ("w_min", RoundParameters { w_min: 2, ..base.clone() }),
        ("w_max", RoundParameters { w_max: 99, ..base.clone() }),
        ("d", RoundParameters { dimension: base.dimension + 1, ..base.clone() }),
        ("bases", RoundParameters { bases: 2, ..base.clone() }),
        ("DP kind", RoundParameters { dp: Dp { kind: 1, ..Dp::NONE }, ..base.clone() }),
        ("DP parameter", RoundParameters { dp: Dp { parameter: 1.0, ..Dp::NONE }, ..base.clone() }),
        ("DP bound", RoundParameters { dp: Dp { bound: 1, ..Dp::NONE }, ..base.clone() }),
        (
            "masked input deadline",
            RoundParameters {
                deadlines: blindsum_protocol::Deadlines { masked_input: 1, ..deadlines },
                ..base.clone()
            },
        ),
        (
            "release deadline",
            RoundParameters {
                deadlines: blindsum_protocol::Deadlines { release: 1, ..deadlines },
                ..base.clone()
            },
        ),
        (
            "certificate deadline",
            RoundParameters {
                deadlines: blindsum_protocol::Deadlines { certificate: 1, ..deadlines },
                ..base.clone()
            },
        ),
        ("base", base),
    ]
}

/// The two ends of a pair that were told different things derive different masks, whatever differs.
#[test]
fn masks_of_clients_that_were_told_different_things_do_not_cancel() {
    let model = blindsum_protocol::ModelDigest([5; 32]);
    let (root, other_root) = ([6; 32], [7; 32]);
    let (_, base_setup) = setup_changes().pop().unwrap();
    let (_, base_round) = round_changes().pop().unwrap();
    let setup_context = base_setup.context();
    let mut contexts = Vec::new();
    for (name, setup) in setup_changes() {
        contexts.push((format!("setup {name}"), base_round.context(&setup.context(), &model, &root)));
    }
    for (name, round) in round_changes().into_iter().filter(|(name, _)| *name != "base") {
        contexts.push((format!("round {name}"), round.context(&setup_context, &model, &root)));
        assert!(base_round.first_difference(&round).is_some(), "{name}");
    }
    let other_model = blindsum_protocol::ModelDigest([8; 32]);
    contexts.push(("model".to_owned(), base_round.context(&setup_context, &other_model, &root)));
    contexts.push(("setup list".to_owned(), base_round.context(&setup_context, &model, &other_root)));
    assert_eq!(base_round.first_difference(&base_round.clone()), None);

    let shared = [9; 32];
    let (mut masks, mut blindings) = (BTreeMap::new(), BTreeMap::new());
    for (name, context) in contexts {
        let same = masks.insert(*keys::pair_mask_key(&shared, &context, 0, 1), name.clone());
        assert_eq!(same, None, "{name}: the same mask");
        let same = blindings.insert(keys::pair_blinding_mask(&shared, &context, 0, 1), name.clone());
        assert_eq!(same, None, "{name}: the same mask of the blinding");
    }
    assert_eq!(masks.len(), 13 + 14 + 2);
}
