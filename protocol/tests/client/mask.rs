//! What a client masks for.

use blindsum_engine::{curve::Fq, roster::Bitmap, schnorr::SecretKey};
use blindsum_protocol::{
    Deadlines, Fault, GroupConfig, Misuse, Mode, ModelDigest, ProtocolError, Refusal, RoundPhase,
    message::{MaskRequest, Release, Setup, ShareKind, SignedSetup},
};

use crate::cohort::{Cohort, SLOTS, config, limits};
use crate::{ALL, refusal};

#[test]
fn a_second_mask_request_with_fewer_peers_burns_the_setup() {
    let mut cohort = Cohort::new(Mode::Curious);
    let setups = cohort.setups(&ALL);
    let inputs = cohort.masked(&setups, &ALL);
    let fewer = cohort.mask_request(&setups[..5], 0);
    assert_eq!(refusal(cohort.mask(0, &fewer)), Refusal::DifferentRequest { verb: "mask" });
    let context = cohort.parameters.context();
    assert_eq!(cohort.clients[0].phase(&context), Some(RoundPhase::Burnt));
    cohort.reopen(0);
    let first = cohort.mask_request(&setups, 0);
    assert_eq!(refusal(cohort.mask(0, &first)), Refusal::Burnt);
    let survivors = cohort.survivors(&setups, &inputs);
    assert_eq!(refusal(cohort.unmask(0, &survivors)), Refusal::NotMasked);
    let request = cohort.setup_request();
    assert_eq!(refusal(cohort.clients[0].setup(&request, &mut cohort.rng)), Refusal::Burnt);
}

#[test]
fn a_second_round_context_on_one_setup_burns_it() {
    let mut cohort = Cohort::new(Mode::Curious);
    let setups = cohort.setups(&ALL);
    cohort.masked(&setups, &ALL[..1]);
    cohort.round.deadlines = Deadlines { release: 99, ..Deadlines::default() };
    let request = cohort.mask_request(&setups, 0);
    assert_eq!(refusal(cohort.mask(0, &request)), Refusal::DifferentRequest { verb: "mask" });
}

#[test]
fn mask_refuses_a_list_that_hides_or_swaps_a_setup() {
    let mut cohort = Cohort::new(Mode::Curious);
    let setups = cohort.setups(&ALL);
    let good = cohort.mask_request(&setups, 0);
    let (hashes, peers) = (good.setup_hashes.clone(), good.peers.clone());
    let mut refuse = |hashes: Vec<[u8; 32]>, peers| {
        let request = cohort.sign_mask_request(hashes, peers);
        refusal(cohort.mask(0, &request))
    };
    let mut changed = hashes.clone();
    changed[0] = [0; 32];
    assert_eq!(refuse(changed.clone(), peers.clone()), Refusal::OwnSetupMissing);
    changed[0] = [1; 32];
    assert_eq!(refuse(changed, peers.clone()), Refusal::OwnSetupMissing);
    let mut changed = hashes.clone();
    changed[5] = [1; 32];
    assert_eq!(refuse(changed, peers.clone()), Refusal::SetupForEmptySlot { slot: 5 });
    assert_eq!(refuse(hashes.clone(), peers[..4].to_vec()), Refusal::SetupNotDelivered { slot: 6 });
    let mut changed = hashes.clone();
    changed[6] = [0; 32];
    assert_eq!(refuse(changed, peers.clone()), Refusal::SetupNotListed { slot: 6 });
    let mut swapped = peers.clone();
    swapped[1].signed.header.mask_key[0] ^= 1;
    assert_eq!(refuse(hashes.clone(), swapped), Refusal::SetupNotListed { slot: 2 });
    // The record of another receiver, and a record that was changed under a good root.
    let mut swapped = peers.clone();
    swapped[1] = setups[2].for_peer(SLOTS[1]).unwrap();
    assert_eq!(refuse(hashes.clone(), swapped), Refusal::BadSetup { slot: 2, reason: Fault::WrongReceivers });
    let mut swapped = peers.clone();
    swapped[1].record.sealed[0] ^= 1;
    assert_eq!(
        refuse(hashes.clone(), swapped.clone()),
        Refusal::BadSetup { slot: 2, reason: Fault::WrongPath }
    );
    swapped[1] = peers[1].clone();
    swapped[1].path.pop();
    assert_eq!(refuse(hashes.clone(), swapped), Refusal::BadSetup { slot: 2, reason: Fault::WrongPath });
    // A list whose header is signed by nobody, but hashed.
    let mut forged = peers;
    forged[1].signed.header.mask_key[0] ^= 1;
    let mut changed = hashes;
    changed[2] = forged[1].signed.hash();
    let reason = Fault::BadSignature { message: blindsum_protocol::MessageKind::Setup };
    assert_eq!(refuse(changed, forged), Refusal::BadSetup { slot: 2, reason });
    // None of that burnt anything.
    assert!(cohort.mask(0, &good).is_ok());
}

#[test]
fn mask_refuses_fewer_peers_than_the_threshold() {
    let mut cohort = Cohort::new(Mode::Curious);
    let setups = cohort.setups(&ALL[..4]);
    let request = cohort.mask_request(&setups, 0);
    assert_eq!(refusal(cohort.mask(0, &request)), Refusal::TooFewPeers { got: 3, threshold: 4 });
}

#[test]
fn mask_refuses_another_model_and_other_parameters() {
    let mut cohort = Cohort::new(Mode::Curious);
    let setups = cohort.setups(&ALL);
    let request = cohort.mask_request(&setups, 0);
    let own = cohort.model;
    cohort.model = ModelDigest([6; 32]);
    assert_eq!(refusal(cohort.mask(0, &request)), Refusal::OtherModel);
    cohort.model = own;
    cohort.round.clip = 2.0;
    assert_eq!(refusal(cohort.mask(0, &request)), Refusal::OtherParameter { what: "clip" });
    let stranger = SecretKey::generate(&mut cohort.rng);
    cohort.round.clip = 1.0;
    let forged = MaskRequest::sign(
        &stranger,
        request.setup_context,
        request.model,
        request.parameters.clone(),
        request.setup_hashes.clone(),
        request.peers.clone(),
        &mut cohort.rng,
    );
    assert_eq!(refusal(cohort.mask(0, &forged)), Refusal::UnsignedRequest);
    cohort.round.w_min = 50;
    let request = cohort.mask_request(&setups, 0);
    let weight = Misuse::Weight { min: 50, max: 100 };
    assert!(matches!(cohort.mask(0, &request), Err(ProtocolError::Misuse(misuse)) if misuse == weight));
    cohort.round.w_min = 1;
    cohort.round.bits = 12;
    let request = cohort.mask_request(&setups, 0);
    assert!(matches!(cohort.mask(0, &request), Err(ProtocolError::Misuse(Misuse::QuantisedMismatch { .. }))));
}

/// Client 5 deals client 0 a box that does not open, and client 1 a share that misses its hash.
fn with_bad_records(cohort: &mut Cohort) -> Vec<Setup> {
    let mut setups = cohort.setups(&ALL);
    let bad = &mut setups[5];
    bad.records[0].sealed[5] ^= 1;
    bad.records[1].mask_share_hash[5] ^= 1;
    bad.signed = SignedSetup::sign(&cohort.keys[5], bad.signed.header, &bad.records, &mut cohort.rng);
    bad.verify(&cohort.parameters, &cohort.roster).unwrap();
    setups
}

#[test]
fn a_record_that_does_not_open_is_a_complaint_and_its_mask_is_applied() {
    let mut cohort = Cohort::with_policy(Mode::Curious, |policy| policy.min_honest = 1);
    cohort.parameters.config = config(Mode::Curious, GroupConfig { threshold: 3, floor: 4, corrupt: 0 });
    let setups = with_bad_records(&mut cohort);
    let inputs = cohort.masked(&setups, &ALL[..5]);
    let about: Bitmap = [6].into_iter().collect();
    for (i, input) in inputs.iter().enumerate() {
        assert_eq!(input.body.complaints, if i < 2 { about } else { Bitmap::EMPTY }, "client {i}");
    }
    let survivors = cohort.survivors(&setups, &inputs);
    let release = Release::decode(&cohort.unmask(0, &survivors).unwrap(), &limits()).unwrap();
    let last = release.shares.last().unwrap();
    assert_eq!((last.peer, last.kind, last.share), (6, ShareKind::Complaint, Fq::from(0u8)));
    let release = Release::decode(&cohort.unmask(2, &survivors).unwrap(), &limits()).unwrap();
    assert_eq!(release.shares.last().unwrap().kind, ShareKind::MaskKey);
}

#[test]
fn a_member_with_too_few_holders_stops_every_release() {
    let mut cohort = Cohort::new(Mode::Curious);
    let setups = with_bad_records(&mut cohort);
    let inputs = cohort.masked(&setups, &ALL[..5]);
    let survivors = cohort.survivors(&setups, &inputs);
    for i in 0..5 {
        let refused = refusal(cohort.unmask(i, &survivors));
        assert_eq!(refused, Refusal::TooFewHolders { slot: 6, holders: 3, threshold: 4 });
    }
}
