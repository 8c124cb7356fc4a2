//! Messages that are late, repeated, of another round, from nobody, cut short, or too long.

use blindsum_engine::schnorr::SecretKey;
use blindsum_protocol::{
    Aggregator, Fault, Limits, MessageKind, Misuse, Mode, ProtocolError, SetupParameters, WireError,
    aggregator::Phase,
    message::{MaskedInput, Setup, SignedSetup, masked_input::words_hash},
};

use crate::support::{Cohort, Shape};

fn fault(result: Result<impl std::fmt::Debug, ProtocolError>) -> (u8, Fault) {
    match result {
        Err(ProtocolError::BadContribution { slot, reason }) => (slot, reason),
        other => panic!("expected a bad contribution, got {other:?}"),
    }
}

/// Every prefix, one byte more, and every flipped bit of `step`-th bytes is refused and changes nothing.
fn mangled(cohort: &mut Cohort, message: &[u8], step: usize) {
    let before = cohort.aggregator.progress();
    for length in 0..message.len() {
        assert!(cohort.aggregator.absorb(&message[..length]).is_err(), "{length} bytes");
    }
    let mut longer = message.to_vec();
    longer.push(0);
    assert!(matches!(
        cohort.aggregator.absorb(&longer),
        Err(ProtocolError::Wire(WireError::Trailing { count: 1 }))
    ));
    let mut long = message.to_vec();
    long[7..15].copy_from_slice(&u64::MAX.to_be_bytes());
    assert!(matches!(
        cohort.aggregator.absorb(&long),
        Err(ProtocolError::Wire(WireError::TooLong { got: u64::MAX, .. }))
    ));
    let mut version = message.to_vec();
    version[5] = 2;
    assert!(matches!(
        cohort.aggregator.absorb(&version),
        Err(ProtocolError::Wire(WireError::Version { expected: 1, got: 2 }))
    ));
    for at in (0..message.len()).step_by(step) {
        let mut flipped = message.to_vec();
        flipped[at] ^= 1;
        assert!(cohort.aggregator.absorb(&flipped).is_err(), "byte {at}");
    }
    assert_eq!(cohort.aggregator.progress(), before);
    assert!(cohort.aggregator.blames().is_empty(), "unsigned bytes name nobody");
    cohort.aggregator.absorb(message).unwrap();
}

#[test]
fn truncated_oversized_and_flipped_messages_change_nothing() {
    let mut cohort = Shape::one_group(6, Mode::Strict).build();
    let message = cohort.setup(0);
    mangled(&mut cohort, &message, 11);
    cohort.collect_setups(&[0]);
    cohort.close_setup();

    let message = cohort.mask(0);
    mangled(&mut cohort, &message, 5);
    cohort.run_masks(&[0]);

    cohort.aggregator.close_posting(&mut cohort.rng).unwrap();
    for slot in 0..6u8 {
        let request = cohort.aggregator.digest_request(slot, &mut cohort.rng).unwrap();
        let member = cohort.members.get_mut(&slot).unwrap();
        let message = member.client.sign_digest(&request, &mut cohort.rng).unwrap();
        if slot == 0 {
            mangled(&mut cohort, &message, 1);
        } else {
            cohort.aggregator.absorb(&message).unwrap();
        }
    }
    let message = cohort.release(0);
    mangled(&mut cohort, &message, 3);
    cohort.run_releases(&[0]);
    let outcome = cohort.finish().unwrap();
    assert_eq!(outcome.opening().unwrap().sum, cohort.expected_sum(outcome.participants()));
}

#[test]
fn messages_of_another_phase_are_named_and_refused() {
    let mut cohort = Shape { group: Shape::loose(), ..Shape::one_group(8, Mode::Curious) }.build();
    let late_setup = cohort.setup(7);
    cohort.run_setup(&[7]);
    assert_eq!(
        fault(cohort.aggregator.absorb(&late_setup)),
        (7, Fault::WrongPhase { message: MessageKind::Setup, phase: Phase::MaskedInput })
    );
    // A masked input after the close: its mask keys may be out by then, `b` still covers it.
    let late_input = cohort.mask(6);
    cohort.run_masks(&[6]);
    cohort.agree();
    assert_eq!(
        fault(cohort.aggregator.absorb(&late_input)),
        (6, Fault::WrongPhase { message: MessageKind::MaskedInput, phase: Phase::Release })
    );
    cohort.run_releases(&[]);
    let outcome = cohort.finish().unwrap();
    assert_eq!(outcome.participants().count(), 6);
    assert_eq!(
        fault(cohort.aggregator.absorb(&late_input)),
        (6, Fault::WrongPhase { message: MessageKind::MaskedInput, phase: Phase::Release })
    );
    assert_eq!(outcome.opening().unwrap().sum, cohort.expected_sum(outcome.participants()));
}

#[test]
fn a_release_before_its_time_is_refused() {
    let mut cohort = Shape::one_group(6, Mode::Curious).build();
    let mut other = Shape::one_group(6, Mode::Curious).build();
    other.run_setup(&[]);
    other.run_masks(&[]);
    other.agree();
    let release = other.release(0);
    assert_eq!(
        fault(cohort.aggregator.absorb(&release)),
        (0, Fault::WrongPhase { message: MessageKind::Release, phase: Phase::Setup })
    );
}

#[test]
fn the_same_message_twice_counts_once() {
    let mut cohort = Shape::one_group(6, Mode::Curious).build();
    let message = cohort.setup(0);
    cohort.aggregator.absorb(&message).unwrap();
    assert_eq!(
        fault(cohort.aggregator.absorb(&message)),
        (0, Fault::Duplicate { message: MessageKind::Setup })
    );
    cohort.collect_setups(&[0]);
    cohort.close_setup();
    let message = cohort.mask(0);
    cohort.aggregator.absorb(&message).unwrap();
    assert_eq!(
        fault(cohort.aggregator.absorb(&message)),
        (0, Fault::Duplicate { message: MessageKind::MaskedInput })
    );
    cohort.run_masks(&[0]);
    cohort.agree();
    let message = cohort.release(0);
    cohort.aggregator.absorb(&message).unwrap();
    assert_eq!(
        fault(cohort.aggregator.absorb(&message)),
        (0, Fault::Duplicate { message: MessageKind::Release })
    );
    cohort.run_releases(&[0]);
    let outcome = cohort.finish().unwrap();
    assert_eq!(outcome.opening().unwrap().sum, cohort.expected_sum(outcome.participants()));
    assert!(outcome.blames().is_empty());
}

/// Two masked inputs of one client: the first counts, and both are evidence.
#[test]
fn two_masked_inputs_name_their_signer() {
    let mut cohort = Shape::one_group(6, Mode::Curious).build();
    cohort.run_setup(&[]);
    let bytes = cohort.mask(0);
    cohort.aggregator.absorb(&bytes).unwrap();
    let limits = Limits::new(cohort.roster.size(), cohort.round.dimension);
    let mut second = MaskedInput::decode(&bytes, &limits).unwrap();
    second.words[0] ^= 1;
    second.body.words_hash = words_hash(&second.words);
    let key = cohort.members[&0].key.clone();
    let second = MaskedInput::sign(&key, second.body, second.words, &mut cohort.rng);
    assert_eq!(
        fault(cohort.aggregator.absorb(&second.encode())),
        (0, Fault::TwoMessages { message: MessageKind::MaskedInput })
    );
    let blame = cohort.aggregator.blames()[0].clone();
    assert_eq!(cohort.verify_evidence(blame.evidence()).unwrap(), (0, blame.charge));
    cohort.run_masks(&[0]);
    cohort.agree();
    cohort.run_releases(&[]);
    let outcome = cohort.finish().unwrap();
    assert_eq!(outcome.opening().unwrap().sum, cohort.expected_sum(outcome.participants()));
}

#[test]
fn words_are_hashed_before_they_are_added() {
    let mut cohort = Shape::one_group(6, Mode::Curious).build();
    cohort.run_setup(&[]);
    let mut bytes = cohort.mask(0);
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    assert_eq!(fault(cohort.aggregator.absorb(&bytes)), (0, Fault::WrongWords));
    bytes[last] ^= 1;
    cohort.aggregator.absorb(&bytes).unwrap();
    cohort.run_masks(&[0]);
    cohort.agree();
    cohort.run_releases(&[]);
    let outcome = cohort.finish().unwrap();
    assert_eq!(outcome.opening().unwrap().sum, cohort.expected_sum(outcome.participants()));
}

#[test]
fn slots_without_a_client_and_foreign_keys_are_refused() {
    let mut cohort = Shape::one_group(6, Mode::Curious).build();
    let bytes = cohort.setup(0);
    let limits = Limits::new(cohort.roster.size(), 0);
    let honest = Setup::decode(&bytes, &limits).unwrap();
    let stranger = SecretKey::generate(&mut cohort.rng);
    for (slot, expected) in
        [(9u8, Fault::UnknownSlot), (0, Fault::BadSignature { message: MessageKind::Setup })]
    {
        let mut header = honest.signed.header;
        header.slot = slot;
        let signed = SignedSetup::sign(&stranger, header, &honest.records, &mut cohort.rng);
        let forged = Setup { signed, records: honest.records.clone() };
        assert_eq!(fault(cohort.aggregator.absorb(&forged.encode())), (slot, expected));
    }
    // An own key cannot deal to fewer, or with a mask key of small order, or records of another root.
    let key = cohort.members[&0].key.clone();
    let mut few = honest.records.clone();
    few.pop();
    let signed = SignedSetup::sign(&key, honest.signed.header, &few, &mut cohort.rng);
    let forged = Setup { signed, records: few };
    assert_eq!(fault(cohort.aggregator.absorb(&forged.encode())), (0, Fault::WrongReceivers));
    let mut low = honest.signed.header;
    low.mask_key = [0; 32];
    let signed = SignedSetup::sign(&key, low, &honest.records, &mut cohort.rng);
    let forged = Setup { signed, records: honest.records.clone() };
    assert_eq!(
        fault(cohort.aggregator.absorb(&forged.encode())),
        (0, Fault::LowOrderKey { what: "mask key" })
    );
    let mut swapped = honest.clone();
    swapped.records[1].sealed[0] ^= 1;
    assert_eq!(fault(cohort.aggregator.absorb(&swapped.encode())), (0, Fault::WrongRecordsRoot));
    cohort.aggregator.absorb(&bytes).unwrap();
}

/// A client without a listed setup has no peers, so its masks would cancel with nobody's.
#[test]
fn a_masked_input_without_a_setup_is_refused() {
    let mut cohort = Shape { group: Shape::loose(), ..Shape::one_group(8, Mode::Curious) }.build();
    cohort.run_setup(&[7]);
    let bytes = cohort.mask(0);
    let limits = Limits::new(cohort.roster.size(), cohort.round.dimension);
    let mut input = MaskedInput::decode(&bytes, &limits).unwrap();
    input.body.slot = 7;
    let key = cohort.members[&7].key.clone();
    let forged = MaskedInput::sign(&key, input.body, input.words, &mut cohort.rng);
    assert_eq!(fault(cohort.aggregator.absorb(&forged.encode())), (7, Fault::NotListed));
}

#[test]
fn messages_of_another_round_are_refused() {
    let mut cohort = Shape::one_group(6, Mode::Curious).build();
    let old = cohort.setup(0);
    cohort.run_setup(&[]);
    let old_input = cohort.mask(0);
    cohort.run_masks(&[]);
    cohort.agree();
    let old_release = cohort.release(0);
    cohort.run_releases(&[]);
    let old_sum = cohort.finish().unwrap();

    let parameters = SetupParameters { round: 8, ..cohort.parameters.clone() };
    cohort.parameters = parameters.clone();
    cohort.model.0[0] ^= 1;
    cohort.aggregator =
        Aggregator::new(parameters, cohort.roster.clone(), cohort.aggregator_key.clone()).unwrap();
    assert_eq!(
        fault(cohort.aggregator.absorb(&old)),
        (0, Fault::WrongContext { message: MessageKind::Setup })
    );
    cohort.run_setup(&[]);
    assert_eq!(
        fault(cohort.aggregator.absorb(&old_input)),
        (0, Fault::WrongContext { message: MessageKind::MaskedInput })
    );
    cohort.run_masks(&[]);
    cohort.agree();
    assert_eq!(
        fault(cohort.aggregator.absorb(&old_release)),
        (0, Fault::WrongContext { message: MessageKind::Release })
    );
    cohort.run_releases(&[]);
    let outcome = cohort.finish().unwrap();
    assert_ne!(outcome.digest(), old_sum.digest());
    assert_eq!(outcome.opening().unwrap().sum, cohort.expected_sum(outcome.participants()));
}

#[test]
fn requests_are_no_answers() {
    let mut cohort = Shape::one_group(6, Mode::Curious).build();
    let request = cohort.aggregator.setup_request(0, &cohort.share_keys, &mut cohort.rng).unwrap();
    assert!(matches!(
        cohort.aggregator.absorb(&request),
        Err(ProtocolError::Misuse(Misuse::UnexpectedMessage { message: MessageKind::SetupRequest }))
    ));
    assert!(matches!(cohort.aggregator.absorb(b""), Err(ProtocolError::Wire(_))));
    assert!(matches!(cohort.aggregator.absorb(b"BSUX"), Err(ProtocolError::Wire(WireError::Magic))));
}
