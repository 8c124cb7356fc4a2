//! The same request twice, a different one, and a client restored from an old backup.

use blindsum_engine::quantize::{Quantizer, Update};
use blindsum_protocol::{
    Client, FileJournal, JournalError, Limits, MemoryJournal, Mode, ProtocolError, Refusal,
    message::MaskRequest,
};

use crate::support::{BITS, CLIP, DIMENSION, Shape, W_MAX};

#[test]
fn the_same_request_gets_the_same_bytes() {
    let mut cohort = Shape::one_group(6, Mode::Strict).build();
    let (first, second) = (cohort.setup(0), cohort.setup(0));
    assert_eq!(first, second);
    cohort.run_setup(&[]);

    let request = cohort.aggregator.mask_request(0, &mut cohort.rng).unwrap();
    assert_eq!(request, cohort.aggregator.mask_request(0, &mut cohort.rng).unwrap(), "the aggregator's too");
    let first = cohort.try_mask(0, &request).unwrap();
    // Rounded again, or trained again: the bytes of the first answer leave, whatever the vector is.
    let quantizer = Quantizer::new(BITS, CLIP, 1, W_MAX).unwrap();
    let other = vec![0.5; DIMENSION - 1];
    let (quantized, _) = quantizer.quantize(&Update::new(&other), 50, &mut cohort.rng).unwrap();
    cohort.member(0).quantized = quantized;
    assert_eq!(cohort.try_mask(0, &request).unwrap(), first);
    cohort.aggregator.absorb(&first).unwrap();
    cohort.run_masks(&[0]);

    cohort.agree();
    let request = cohort.aggregator.digest_request(0, &mut cohort.rng).unwrap();
    let member = cohort.members.get_mut(&0).unwrap();
    let first = member.client.sign_digest(&request, &mut cohort.rng).unwrap();
    assert_eq!(member.client.sign_digest(&request, &mut cohort.rng).unwrap(), first);

    let request = cohort.aggregator.unmask_request(0, &mut cohort.rng).unwrap();
    assert_eq!(request, cohort.aggregator.unmask_request(0, &mut cohort.rng).unwrap());
    assert_eq!(cohort.try_unmask(0, &request).unwrap(), cohort.try_unmask(0, &request).unwrap());
}

/// Asked twice over peers that differ by one, `y - y'` would be that peer's mask.
#[test]
fn changed_peers_burn_the_setup() {
    let mut cohort = Shape::one_group(8, Mode::Curious).build();
    cohort.run_setup(&[]);
    let bytes = cohort.aggregator.mask_request(0, &mut cohort.rng).unwrap();
    cohort.try_mask(0, &bytes).unwrap();
    let honest = MaskRequest::decode(&bytes, &Limits::new(cohort.roster.size(), DIMENSION as u64)).unwrap();
    let mut hashes = honest.setup_hashes.clone();
    hashes[7] = [0; 32];
    let peers = honest.peers.iter().filter(|peer| peer.signed.header.slot != 7).cloned().collect();
    let other = MaskRequest::sign(
        &cohort.aggregator_key,
        honest.setup_context,
        honest.model,
        honest.parameters,
        hashes,
        peers,
        &mut cohort.rng,
    );
    assert!(matches!(
        cohort.try_mask(0, &other.encode()),
        Err(ProtocolError::Refused(Refusal::DifferentRequest { verb: "mask" }))
    ));
    // Burnt is burnt: even the first request gets nothing any more.
    assert!(matches!(cohort.try_mask(0, &bytes), Err(ProtocolError::Refused(Refusal::Burnt))));
}

/// Clients are fresh processes: the state is the journal's, not the process's.
#[test]
fn a_new_process_answers_as_the_old_one() {
    let mut cohort = Shape::one_group(6, Mode::Curious).build();
    cohort.run_setup(&[]);
    let request = cohort.aggregator.mask_request(0, &mut cohort.rng).unwrap();
    let first = cohort.try_mask(0, &request).unwrap();
    let member = cohort.members.get_mut(&0).unwrap();
    let (policy, journal) = (*member.client.policy(), member.journal.clone());
    member.client =
        Client::open(member.key.clone(), cohort.roster.clone(), policy, Box::new(journal)).unwrap();
    assert_eq!(cohort.try_mask(0, &request).unwrap(), first);
    cohort.run_masks(&[]);
    cohort.agree();
    cohort.run_releases(&[]);
    assert!(cohort.finish().unwrap().opening().is_some());
}

/// Rolled back past its masked input, a client would mask twice; past its release, release twice.
#[test]
fn an_old_state_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (state, marker) = (folder.path().join("state"), folder.path().join("marker"));
    let journal = || Box::new(FileJournal::open(&state, &marker).unwrap());
    let mut cohort = Shape::one_group(6, Mode::Curious).build();
    let member = cohort.members.get_mut(&0).unwrap();
    let (key, policy) = (member.key.clone(), *member.client.policy());
    // The client moves to the disk with what it has.
    let held = member.journal.state().unwrap();
    blindsum_protocol::Journal::store(&mut *journal(), &held).unwrap();
    member.client = Client::open(key.clone(), cohort.roster.clone(), policy, journal()).unwrap();
    cohort.run_setup(&[]);
    let backup = std::fs::read(&state).unwrap();
    let old_marker = std::fs::read(&marker).unwrap();
    cohort.mask(0);

    std::fs::write(&state, &backup).unwrap();
    let reopened = FileJournal::open(&state, &marker);
    assert!(matches!(reopened, Err(JournalError::RolledBack { .. })), "{reopened:?}");
    std::fs::remove_file(&marker).unwrap();
    let reopened = FileJournal::open(&state, &marker);
    assert!(matches!(reopened, Err(JournalError::MarkerMissing)), "{reopened:?}");
    // Both restored together are beyond what a file can notice, and said to be.
    std::fs::write(&marker, &old_marker).unwrap();
    assert!(Client::open(key, cohort.roster.clone(), policy, journal()).is_ok());
}

#[test]
fn the_state_of_another_client_is_refused() {
    let cohort = Shape::one_group(6, Mode::Curious).build();
    let (zero, one) = (&cohort.members[&0], &cohort.members[&1]);
    let journal = MemoryJournal::with_state(&one.journal.state().unwrap());
    let opened =
        Client::open(zero.key.clone(), cohort.roster.clone(), *zero.client.policy(), Box::new(journal));
    assert!(matches!(opened, Err(ProtocolError::Misuse(blindsum_protocol::Misuse::ForeignState))));
}
