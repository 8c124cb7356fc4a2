//! An aggregator that tells clients different things about who is alive.

use blindsum_engine::{curve::Fr, roster::Bitmap, tree};
use blindsum_protocol::{
    Limits, Mode, ProtocolError, Refusal,
    blame::conflicting_digests,
    message::{MaskRequest, SurvivorDigest, UnmaskRequest},
};

use crate::support::{Cohort, Shape};

/// A cohort of 8 (t = 6, F = 7) ready for release, slot 7 dropped.
fn ready(mode: Mode) -> Cohort {
    let mut cohort = Shape { group: Shape::loose(), ..Shape::one_group(8, mode) }.build();
    cohort.run_setup(&[]);
    cohort.run_masks(&[7]);
    cohort.agree();
    cohort
}

/// The aggregator's honest request to `slot`.
fn request(cohort: &mut Cohort, slot: u8) -> UnmaskRequest {
    let bytes = cohort.aggregator.unmask_request(slot, &mut cohort.rng).unwrap();
    UnmaskRequest::decode(&bytes, &Limits::new(cohort.roster.size(), 0)).unwrap()
}

/// The same request about other survivors, signed by the aggregator all the way down.
fn forged(cohort: &mut Cohort, honest: &UnmaskRequest, posted: Bitmap, leaves: Vec<Fr>) -> Vec<u8> {
    let root = tree::root(&leaves);
    let digest = SurvivorDigest::sign(
        &cohort.aggregator_key,
        honest.digest.context,
        posted,
        root,
        honest.digest.setup_root,
        &mut cohort.rng,
    );
    let complaints = posted.iter().map(|slot| (slot, Bitmap::EMPTY)).collect();
    UnmaskRequest::sign(
        &cohort.aggregator_key,
        digest,
        leaves,
        complaints,
        honest.signatures.clone(),
        &mut cohort.rng,
    )
    .encode()
}

fn refusal(result: Result<Vec<u8>, ProtocolError>) -> Refusal {
    match result {
        Err(ProtocolError::Refused(refusal)) => refusal,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[test]
fn a_client_that_is_called_dead_releases_nothing() {
    let mut cohort = ready(Mode::Curious);
    let honest = request(&mut cohort, 0);
    let mut posted = honest.digest.posted;
    posted.set(0, false);
    let mut leaves = honest.leaves.clone();
    leaves[0] = Fr::from(0u8);
    let lie = forged(&mut cohort, &honest, posted, leaves);
    assert_eq!(refusal(cohort.try_unmask(0, &lie)), Refusal::NotPosted);
}

#[test]
fn survivors_below_the_floor_get_nothing() {
    let mut cohort = ready(Mode::Curious);
    let honest = request(&mut cohort, 0);
    // Called dead: enough clients to see one other client's vector, if anybody answered.
    let mut posted = honest.digest.posted;
    let mut leaves = honest.leaves.clone();
    for slot in 3..7u8 {
        posted.set(slot, false);
        leaves[usize::from(slot)] = Fr::from(0u8);
    }
    let lie = forged(&mut cohort, &honest, posted, leaves);
    assert_eq!(refusal(cohort.try_unmask(0, &lie)), Refusal::TooFewPosted { posted: 3, floor: 6 });
}

#[test]
fn an_absent_slot_cannot_be_called_alive() {
    let mut cohort = Shape { group: Shape::loose(), ..Shape::one_group(8, Mode::Curious) }.build();
    cohort.run_setup(&[7]);
    cohort.run_masks(&[]);
    cohort.agree();
    let honest = request(&mut cohort, 0);
    let mut posted = honest.digest.posted;
    posted.set(7, true);
    let mut leaves = honest.leaves.clone();
    leaves[7] = Fr::from(9u8);
    let lie = forged(&mut cohort, &honest, posted, leaves);
    assert_eq!(refusal(cohort.try_unmask(0, &lie)), Refusal::PostedWithoutSetup { slot: 7 });
}

#[test]
fn leaves_must_be_ones_own_and_agree_with_the_bits() {
    let mut cohort = ready(Mode::Curious);
    let honest = request(&mut cohort, 0);
    let posted = honest.digest.posted;

    let mut leaves = honest.leaves.clone();
    leaves[0] += Fr::from(1u8);
    let lie = forged(&mut cohort, &honest, posted, leaves);
    assert_eq!(refusal(cohort.try_unmask(0, &lie)), Refusal::OwnLeaf);

    // A leaf kept in reserve for a dropped slot, and none for a posted one.
    let mut leaves = honest.leaves.clone();
    leaves[7] = Fr::from(5u8);
    let lie = forged(&mut cohort, &honest, posted, leaves);
    assert_eq!(refusal(cohort.try_unmask(0, &lie)), Refusal::LeafBit { slot: 7 });
    let mut leaves = honest.leaves.clone();
    leaves[3] = Fr::from(0u8);
    let lie = forged(&mut cohort, &honest, posted, leaves);
    assert_eq!(refusal(cohort.try_unmask(0, &lie)), Refusal::LeafBit { slot: 3 });

    // The good one still works.
    assert!(cohort.try_unmask(0, &honest.encode()).is_ok());
}

#[test]
fn a_digest_that_does_not_hash_its_leaves_or_setups_is_refused() {
    let mut cohort = ready(Mode::Curious);
    let honest = request(&mut cohort, 0);
    let with = |cohort: &mut Cohort, root: Fr, setup_root: [u8; 32]| {
        let digest = SurvivorDigest::sign(
            &cohort.aggregator_key,
            honest.digest.context,
            honest.digest.posted,
            root,
            setup_root,
            &mut cohort.rng,
        );
        UnmaskRequest::sign(
            &cohort.aggregator_key,
            digest,
            honest.leaves.clone(),
            honest.complaints.clone(),
            Vec::new(),
            &mut cohort.rng,
        )
        .encode()
    };
    let lie = with(&mut cohort, honest.digest.leaves_root + Fr::from(1u8), honest.digest.setup_root);
    assert_eq!(refusal(cohort.try_unmask(0, &lie)), Refusal::DigestMismatch { what: "tree of leaves" });
    let lie = with(&mut cohort, honest.digest.leaves_root, [3; 32]);
    assert_eq!(refusal(cohort.try_unmask(0, &lie)), Refusal::DigestMismatch { what: "list of setups" });
}

#[test]
fn nobody_but_the_aggregator_may_ask() {
    let mut cohort = ready(Mode::Curious);
    let honest = request(&mut cohort, 0);
    let stranger = cohort.members[&3].key.clone();
    let digest = honest.digest;
    let forged = UnmaskRequest::sign(
        &stranger,
        digest,
        honest.leaves.clone(),
        honest.complaints.clone(),
        Vec::new(),
        &mut cohort.rng,
    );
    assert_eq!(refusal(cohort.try_unmask(0, &forged.encode())), Refusal::UnsignedRequest);
    let unsigned = SurvivorDigest::sign(
        &stranger,
        digest.context,
        digest.posted,
        digest.leaves_root,
        digest.setup_root,
        &mut cohort.rng,
    );
    let forged = UnmaskRequest::sign(
        &cohort.aggregator_key,
        unsigned,
        honest.leaves,
        honest.complaints,
        Vec::new(),
        &mut cohort.rng,
    );
    assert_eq!(refusal(cohort.try_unmask(0, &forged.encode())), Refusal::UnsignedDigest);
}

/// The split of Flower's issue: one client asked for the victim's both shares, here by two requests.
#[test]
fn a_peer_is_never_both_alive_and_dead() {
    let mut cohort = ready(Mode::Curious);
    let honest = request(&mut cohort, 0);
    let first = cohort.try_unmask(0, &honest.encode()).unwrap();
    // Slot 6 is now called dead: its mask key would join its self-mask secret.
    let mut posted = honest.digest.posted;
    posted.set(6, false);
    let mut leaves = honest.leaves.clone();
    leaves[6] = Fr::from(0u8);
    let lie = forged(&mut cohort, &honest, posted, leaves);
    assert_eq!(refusal(cohort.try_unmask(0, &lie)), Refusal::AlreadyReleased);
    // The two requests, side by side, show what the aggregator did.
    let second = UnmaskRequest::decode(&lie, &Limits::new(cohort.roster.size(), 0)).unwrap().digest;
    let key = cohort.aggregator_key.public();
    assert!(conflicting_digests(key, &honest.digest, &second));
    assert!(!conflicting_digests(key, &honest.digest, &honest.digest));
    assert!(!conflicting_digests(cohort.members[&0].key.public(), &honest.digest, &second));
    // Asked as before, it answers as before.
    assert_eq!(cohort.try_unmask(0, &honest.encode()).unwrap(), first);
}

#[test]
fn strict_mode_wants_a_quorum_on_this_digest() {
    let mut cohort = ready(Mode::Strict);
    let honest = request(&mut cohort, 0);
    // 8 clients, c = 1: five signatures, of five clients, on this digest.
    let mut short = honest.clone();
    short.signatures.truncate(4);
    let with = |cohort: &mut Cohort, signatures| {
        UnmaskRequest::sign(
            &cohort.aggregator_key,
            honest.digest,
            honest.leaves.clone(),
            honest.complaints.clone(),
            signatures,
            &mut cohort.rng,
        )
        .encode()
    };
    let lie = with(&mut cohort, short.signatures.clone());
    assert_eq!(refusal(cohort.try_unmask(0, &lie)), Refusal::NoQuorum { got: 4, quorum: 5 });
    let mut borrowed = short.signatures.clone();
    let (_, last) = borrowed[3];
    borrowed.push((7, last));
    let lie = with(&mut cohort, borrowed);
    assert_eq!(refusal(cohort.try_unmask(0, &lie)), Refusal::BadDigestSignature { slot: 7 });
    assert!(cohort.try_unmask(0, &honest.encode()).is_ok());
}

#[test]
fn strict_mode_signs_one_digest_and_burns_on_a_second() {
    let mut cohort = ready(Mode::Strict);
    let honest = request(&mut cohort, 0);
    let mut posted = honest.digest.posted;
    posted.set(6, false);
    let mut leaves = honest.leaves.clone();
    leaves[6] = Fr::from(0u8);
    let lie = forged(&mut cohort, &honest, posted, leaves);
    let member = cohort.members.get_mut(&0).unwrap();
    let refused = refusal(member.client.sign_digest(&lie, &mut cohort.rng));
    assert_eq!(refused, Refusal::DifferentRequest { verb: "digest signature" });
    assert!(cohort.try_unmask(0, &honest.encode()).is_err(), "the setup is burnt");
}

#[test]
fn chain_mode_believes_its_own_provider_only() {
    use blindsum_protocol::ChainView;
    let mut cohort = ready(Mode::Chain);
    let honest = request(&mut cohort, 0);
    let good = ChainView { digest: honest.digest.digest(), is_final: true, posting_closed: true };
    let bytes = honest.encode();
    let mut ask = |view: Option<&ChainView>| {
        let member = cohort.members.get_mut(&0).unwrap();
        member.client.unmask(&bytes, view, &mut cohort.rng)
    };
    assert_eq!(refusal(ask(None)), Refusal::NoChainView);
    assert_eq!(refusal(ask(Some(&ChainView { digest: [9; 32], ..good }))), Refusal::ChainDigest);
    assert_eq!(refusal(ask(Some(&ChainView { is_final: false, ..good }))), Refusal::NotFinal);
    assert_eq!(refusal(ask(Some(&ChainView { posting_closed: false, ..good }))), Refusal::PostingOpen);
    assert!(ask(Some(&good)).is_ok());
}

/// A split view of the setups: the list is the peer set, whole, or the round is refused.
#[test]
fn the_peer_set_is_what_the_list_says() {
    let mut cohort = Shape::one_group(6, Mode::Curious).build();
    cohort.run_setup(&[]);
    let bytes = cohort.aggregator.mask_request(0, &mut cohort.rng).unwrap();
    let honest = MaskRequest::decode(&bytes, &Limits::new(cohort.roster.size(), 64)).unwrap();
    let with = |cohort: &mut Cohort, hashes: Vec<[u8; 32]>, peers| {
        MaskRequest::sign(
            &cohort.aggregator_key,
            honest.setup_context,
            honest.model,
            honest.parameters.clone(),
            hashes,
            peers,
            &mut cohort.rng,
        )
        .encode()
    };
    let mut peers = honest.peers.clone();
    peers.pop();
    let lie = with(&mut cohort, honest.setup_hashes.clone(), peers);
    assert_eq!(refusal(cohort.try_mask(0, &lie)), Refusal::SetupNotDelivered { slot: 5 });
    let mut hashes = honest.setup_hashes.clone();
    hashes[5] = [0; 32];
    let lie = with(&mut cohort, hashes.clone(), honest.peers.clone());
    assert_eq!(refusal(cohort.try_mask(0, &lie)), Refusal::SetupNotListed { slot: 5 });
    hashes[0] = [0; 32];
    let lie = with(&mut cohort, hashes, honest.peers.clone());
    assert_eq!(refusal(cohort.try_mask(0, &lie)), Refusal::OwnSetupMissing);
    let mut hashes = honest.setup_hashes.clone();
    hashes[15] = [1; 32];
    let lie = with(&mut cohort, hashes, honest.peers.clone());
    assert_eq!(refusal(cohort.try_mask(0, &lie)), Refusal::SetupForEmptySlot { slot: 15 });
    // Fewer than t = 4 peers.
    let mut hashes = honest.setup_hashes.clone();
    hashes[4] = [0; 32];
    hashes[5] = [0; 32];
    let lie = with(&mut cohort, hashes, honest.peers[..3].to_vec());
    assert_eq!(refusal(cohort.try_mask(0, &lie)), Refusal::TooFewPeers { got: 3, threshold: 4 });
    assert!(cohort.try_mask(0, &honest.encode()).is_ok());
}

/// A substituted mask key: the aggregator has no signature of the peer on it.
#[test]
fn keys_cannot_be_substituted() {
    let mut cohort = Shape::one_group(6, Mode::Curious).build();
    cohort.run_setup(&[]);
    let bytes = cohort.aggregator.mask_request(0, &mut cohort.rng).unwrap();
    let honest = MaskRequest::decode(&bytes, &Limits::new(cohort.roster.size(), 64)).unwrap();
    let mut peers = honest.peers.clone();
    peers[2].signed.header.mask_key = [7; 32];
    let mut hashes = honest.setup_hashes.clone();
    hashes[3] = peers[2].signed.hash();
    let lie = MaskRequest::sign(
        &cohort.aggregator_key,
        honest.setup_context,
        honest.model,
        honest.parameters.clone(),
        hashes,
        peers,
        &mut cohort.rng,
    );
    assert!(matches!(refusal(cohort.try_mask(0, &lie.encode())), Refusal::BadSetup { slot: 3, .. }));
}
