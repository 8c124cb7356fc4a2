//! What a client answers, and above all what it does not.

mod cohort;

use blindsum_engine::{
    backend::Backend,
    cpu::Cpu,
    curve::{Fq, Fr},
    mask::{MaskKey, SignedMask},
    opening::Opening,
    pedersen::commit_vartime,
    roster::{Bitmap, RoundContext},
    schnorr::{SecretKey, verify_commitment},
};
use blindsum_protocol::{
    ChainView, Client, Deadlines, Fault, FileJournal, GroupConfig, Journal, JournalError, MemoryJournal,
    Misuse, Mode, ModelDigest, Policy, ProtocolError, Refusal, RoundPhase, keys,
    message::{
        DigestSignature, MaskRequest, MaskedInput, Opened, Release, Setup, SetupRequest, ShareKeyEvidence,
        ShareKind, SignedSetup,
    },
    seal::open_commitment,
    shamir,
};
use cohort::{Answer, Cohort, DIMENSION, SLOTS, Survivors, config, limits};
use zeroize::Zeroizing;

const ALL: [usize; 6] = [0, 1, 2, 3, 4, 5];

fn refusal(answer: Answer) -> Refusal {
    match answer {
        Err(ProtocolError::Refused(refusal)) => refusal,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

/// A round in which client 5 (slot 6) never sets up and client 4 drops after setup; everything is
/// undone from the released shares alone.
#[test]
fn the_released_shares_open_the_sum_and_nothing_else_is_needed() {
    let mut cohort = Cohort::new(Mode::Curious);
    // n = 6, t = 4 needs 5 posted: so drop only one of setup and post all five others.
    let setups = cohort.setups(&ALL);
    let inputs = cohort.masked(&setups, &ALL[..5]);
    let survivors = cohort.survivors(&setups, &inputs);
    let releases: Vec<Release> = ALL[..5]
        .iter()
        .map(|i| Release::decode(&cohort.unmask(*i, &survivors).unwrap(), &limits()).unwrap())
        .collect();

    let setup_context = cohort.parameters.context();
    let context = cohort.round_context(&setups);
    let shares_of = |peer: u8, kind: ShareKind| -> Vec<(u8, Fq)> {
        let of = |release: &Release| {
            release
                .shares
                .iter()
                .find(|share| share.peer == peer && share.kind == kind)
                .map(|share| (release.slot, share.share))
        };
        releases.iter().filter_map(of).collect()
    };
    let mut acc = vec![0u32; DIMENSION as usize];
    let mut blinding = Fq::from(0u8);
    for input in &inputs {
        acc.iter_mut().zip(&input.words).for_each(|(sum, word)| *sum = sum.wrapping_add(*word));
        blinding += input.body.masked_blinding;
    }
    let mut masks = Vec::new();
    let mut commitments = Vec::new();
    for (i, input) in inputs.iter().enumerate() {
        let slot = input.body.slot;
        let b = shamir::reconstruct(&shares_of(slot, ShareKind::SelfMask), 4).unwrap();
        let header = &setups[i].signed.header;
        assert_eq!(keys::self_seed_hash(&b, &setup_context, slot), header.self_seed_hash);
        masks.push(SignedMask::subtract(MaskKey::new(*keys::self_mask_key(&b, &context, slot))));
        blinding -= keys::self_blinding_mask(&b, &context, slot);
        let sealed = &input.body.sealed;
        let signed =
            open_commitment(&b, &context, slot, &input.body.leaf, &sealed.nonce, &sealed.sealed).unwrap();
        let leaf = verify_commitment(cohort.public(i), slot, &context, &signed).unwrap();
        assert_eq!(leaf, input.body.leaf);
        commitments.push(signed.commitment);
        assert!(shares_of(slot, ShareKind::MaskKey).is_empty());
    }
    let dropped = SLOTS[5];
    let seed = shamir::reconstruct(&shares_of(dropped, ShareKind::MaskKey), 4).unwrap();
    let secret = keys::mask_secret(&seed, &setup_context, dropped);
    assert_eq!(keys::x25519_public(&secret), setups[5].signed.header.mask_key);
    for (i, input) in inputs.iter().enumerate() {
        let slot = input.body.slot;
        let shared = keys::agree(&secret, &setups[i].signed.header.mask_key).unwrap();
        let key = MaskKey::new(*keys::pair_mask_key(&shared, &context, slot, dropped));
        let mask = keys::pair_blinding_mask(&shared, &context, slot, dropped);
        if keys::adds(slot, dropped) {
            masks.push(SignedMask::subtract(key));
            blinding -= mask;
        } else {
            masks.push(SignedMask::add(key));
            blinding += mask;
        }
    }
    Cpu.mask_expand(&masks, 0, &mut acc).unwrap();
    let sum: Vec<i64> = acc.iter().map(|word| i64::from(*word as i32)).collect();
    let expected: Vec<i64> = (0..DIMENSION as usize)
        .map(|j| cohort.vectors[..5].iter().map(|vector| i64::from(vector.words()[j])).sum())
        .collect();
    assert_eq!(sum, expected);
    let total = commitments.iter().fold(
        commit_vartime(&Cpu, &cohort.bases, &[0; DIMENSION as usize], &Fq::from(0u8)).unwrap(),
        |sum, point| (sum + point).into(),
    );
    assert_eq!(commit_vartime(&Cpu, &cohort.bases, &sum, &blinding).unwrap(), total);
}

#[test]
fn a_release_holds_one_kind_of_share_a_peer_and_none_of_the_absent_or_of_oneself() {
    let mut cohort = Cohort::with_policy(Mode::Chain, |policy| policy.min_honest = 1);
    cohort.parameters.config = config(Mode::Chain, GroupConfig { threshold: 3, floor: 4, corrupt: 0 });
    let setups = cohort.setups(&[0, 1, 2, 3, 5]);
    let inputs = cohort.masked(&setups, &[0, 1, 2, 3]);
    let survivors = cohort.survivors(&setups, &inputs);
    let release = Release::decode(&cohort.unmask(1, &survivors).unwrap(), &limits()).unwrap();
    let digest = cohort.sign_survivors(&survivors).digest.digest();
    release.verify(cohort.public(1), &survivors.context, &digest).unwrap();
    let kinds: Vec<(u8, ShareKind)> = release.shares.iter().map(|share| (share.peer, share.kind)).collect();
    let posted = ShareKind::SelfMask;
    assert_eq!(kinds, [(0, posted), (2, posted), (3, posted), (6, ShareKind::MaskKey)]);
    for share in &release.shares {
        let dealer = setups.iter().find(|setup| setup.signed.header.slot == share.peer).unwrap();
        let record = dealer.record_for(1).unwrap();
        let expected = if share.kind == posted { record.self_share_hash } else { record.mask_share_hash };
        let hash = keys::share_hash(&cohort.parameters.context(), share.peer, 1, share.kind, &share.share);
        assert_eq!(hash, expected);
    }
}

#[test]
fn the_same_request_gets_the_stored_bytes_even_from_a_reopened_client() {
    let mut cohort = Cohort::new(Mode::Curious);
    let request = cohort.setup_request();
    let setups = cohort.setups(&ALL);
    let again = cohort.clients[0].setup(&request, &mut cohort.rng).unwrap();
    assert_eq!(again, setups[0].encode());
    cohort.reopen(0);
    assert_eq!(cohort.clients[0].setup(&request, &mut cohort.rng).unwrap(), again);
    assert_eq!(cohort.clients[0].enrol(3, &mut cohort.rng).unwrap(), cohort.enrolments[0].encode());

    let request = cohort.mask_request(&setups, 0);
    let masked = cohort.mask(0, &request).unwrap();
    // A re-run training must not get a second mask of another vector.
    cohort.vectors[0] = cohort.vectors[1].clone();
    assert_eq!(cohort.mask(0, &request).unwrap(), masked);
    cohort.reopen(0);
    assert_eq!(cohort.mask(0, &request).unwrap(), masked);

    let mut inputs = vec![MaskedInput::decode(&masked, &limits()).unwrap()];
    inputs.extend(cohort.masked(&setups, &ALL[1..]));
    let survivors = cohort.survivors(&setups, &inputs);
    let release = cohort.unmask(0, &survivors).unwrap();
    assert_eq!(cohort.unmask(0, &survivors).unwrap(), release);
    cohort.reopen(0);
    assert_eq!(cohort.unmask(0, &survivors).unwrap(), release);
    assert_eq!(refusal(cohort.mask(0, &request)), Refusal::AlreadyReleased);
}

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
fn setup_refuses_what_the_clients_own_configuration_does_not_allow() {
    let refuse = |change: &dyn Fn(&mut Cohort), adjust: &dyn Fn(&mut Policy)| {
        let mut cohort = Cohort::with_policy(Mode::Chain, adjust);
        change(&mut cohort);
        let request = cohort.setup_request();
        refusal(cohort.clients[0].setup(&request, &mut cohort.rng))
    };
    let keep: &dyn Fn(&mut Cohort) = &|_| ();
    let plain: &dyn Fn(&mut Policy) = &|_| ();
    let curious: &dyn Fn(&mut Cohort) =
        &|cohort| cohort.parameters.config = config(Mode::Curious, cohort::GROUP);
    assert_eq!(refuse(curious, plain), Refusal::Mode { own: Mode::Chain, got: Mode::Curious });
    assert_eq!(refuse(keep, &|policy| policy.min_group = 7), Refusal::SmallGroup { floor: 7, got: 6 });
    assert_eq!(
        refuse(keep, &|policy| policy.min_honest = 5),
        Refusal::PrivacyFloor { floor: 5, guaranteed: 4 }
    );
    assert_eq!(refuse(keep, &|policy| policy.min_corrupt = 2), Refusal::FewCorrupt { floor: 2, got: 1 });
    assert_eq!(refuse(keep, &|policy| policy.chain_id = 5), Refusal::ForeignScope { what: "chain" });
    assert_eq!(refuse(keep, &|policy| policy.contract[0] = 1), Refusal::ForeignScope { what: "contract" });
    assert_eq!(refuse(&|cohort| cohort.parameters.epoch = 4, plain), Refusal::ForeignScope { what: "epoch" });
    let other_root: &dyn Fn(&mut Cohort) = &|cohort| cohort.parameters.roster_root += Fr::from(1u8);
    assert_eq!(refuse(other_root, plain), Refusal::RosterMismatch);
    let other_key: &dyn Fn(&mut Cohort) = &|cohort| cohort.aggregator = SecretKey::generate(&mut cohort.rng);
    assert_eq!(refuse(other_key, plain), Refusal::UnsignedRequest);
    let swapped: &dyn Fn(&mut Cohort) =
        &|cohort| cohort.enrolments[2].share_key = cohort.enrolments[1].share_key;
    assert_eq!(refuse(swapped, plain), Refusal::BadShareKey { slot: 2 });
    let missing: &dyn Fn(&mut Cohort) = &|cohort| cohort.enrolments.truncate(5);
    assert_eq!(refuse(missing, plain), Refusal::NoShareKey { slot: 6 });
}

#[test]
fn without_an_agreed_digest_the_curious_number_is_the_floor_in_force() {
    // n = 6, t = 4, F' = 5, c = 1: 6 - floor(5 * 1 / 3) - 1 = 4.
    let mut cohort = Cohort::with_policy(Mode::Curious, |policy| policy.min_honest = 5);
    let request = cohort.setup_request();
    let refused = refusal(cohort.clients[0].setup(&request, &mut cohort.rng));
    assert_eq!(refused, Refusal::PrivacyFloor { floor: 5, guaranteed: 4 });
}

#[test]
fn a_peer_is_sealed_to_the_newest_key_it_has_signed() {
    let mut cohort = Cohort::new(Mode::Curious);
    let setups = cohort.setups(&ALL);
    // Client 0 learns of the others' next keys from their setups; client 1 is shown them.
    cohort.masked(&setups, &ALL[..1]);
    let (round, attempt) = (cohort.parameters.round, cohort.parameters.attempt);
    cohort.parameters.round += 1;
    let numbers = |setup: &Setup| setup.records.iter().map(|record| record.key_number).collect::<Vec<_>>();
    let request = cohort.setup_request();
    let setup = |cohort: &mut Cohort, i: usize, request: &[u8]| {
        Setup::decode(&cohort.clients[i].setup(request, &mut cohort.rng).unwrap(), &limits()).unwrap()
    };
    assert_eq!(numbers(&setup(&mut cohort, 0, &request)), [1; 5]);
    assert_eq!(numbers(&setup(&mut cohort, 2, &request)), [0; 5]);
    let evidence = |setup: &Setup| ShareKeyEvidence::Setup { round, attempt, signed: setup.signed };
    let shown: Vec<_> = setups.iter().map(|setup| (setup.signed.header.slot, evidence(setup))).collect();
    let request =
        SetupRequest::sign(&cohort.aggregator, cohort.parameters.clone(), shown.clone(), &mut cohort.rng);
    assert_eq!(numbers(&setup(&mut cohort, 1, &request.encode())), [1; 5]);
    // A setup of another epoch or round is no evidence.
    let mut wrong = shown;
    wrong[5].1 = ShareKeyEvidence::Setup { round: round + 1, attempt, signed: setups[5].signed };
    let request =
        SetupRequest::sign(&cohort.aggregator, cohort.parameters.clone(), wrong, &mut cohort.rng).encode();
    let refused = refusal(cohort.clients[3].setup(&request, &mut cohort.rng));
    assert_eq!(refused, Refusal::BadShareKey { slot: 6 });
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

/// A chain-mode cohort in which all but slot 6 posted.
fn ready() -> (Cohort, Survivors) {
    let mut cohort = Cohort::new(Mode::Chain);
    let setups = cohort.setups(&ALL);
    let inputs = cohort.masked(&setups, &ALL[..5]);
    let survivors = cohort.survivors(&setups, &inputs);
    (cohort, survivors)
}

#[test]
fn unmask_refuses_every_lie_about_the_survivors() {
    let (mut cohort, good) = ready();
    let mut refuse = |change: &dyn Fn(&mut Survivors)| {
        let mut survivors = good.clone();
        change(&mut survivors);
        refusal(cohort.unmask(0, &survivors.rehash()))
    };
    let drop_slot = |survivors: &mut Survivors, slot: u8| {
        survivors.posted.set(slot, false);
        survivors.leaves[usize::from(slot)] = Fr::from(0u8);
        survivors.complaints.retain(|(from, _)| *from != slot);
    };
    assert_eq!(refuse(&|survivors| drop_slot(survivors, 0)), Refusal::NotPosted);
    assert_eq!(refuse(&|survivors| drop_slot(survivors, 4)), Refusal::TooFewPosted { posted: 4, floor: 5 });
    assert_eq!(refuse(&|survivors| survivors.leaves[0] += Fr::from(1u8)), Refusal::OwnLeaf);
    assert_eq!(refuse(&|survivors| survivors.leaves[6] = Fr::from(1u8)), Refusal::LeafBit { slot: 6 });
    assert_eq!(refuse(&|survivors| survivors.leaves[3] = Fr::from(0u8)), Refusal::LeafBit { slot: 3 });
    let ghost: &dyn Fn(&mut Survivors) = &|survivors| {
        survivors.posted.set(5, true);
        survivors.leaves[5] = Fr::from(1u8);
    };
    assert_eq!(refuse(ghost), Refusal::PostedWithoutSetup { slot: 5 });
    assert_eq!(
        refuse(&|survivors| survivors.setup_root[0] ^= 1),
        Refusal::DigestMismatch { what: "list of setups" }
    );
    assert_eq!(
        refuse(&|survivors| survivors.complaints.retain(|(slot, _)| *slot != 2)),
        Refusal::Complaints { slot: 2 }
    );
    let invented: &dyn Fn(&mut Survivors) = &|survivors| survivors.complaints[0].1.set(1, true);
    assert_eq!(refuse(invented), Refusal::Complaints { slot: 0 });
    let hidden: &dyn Fn(&mut Survivors) = &|survivors| survivors.complaints[1].1.set(0, true);
    assert_eq!(refuse(hidden), Refusal::TooFewHolders { slot: 0, holders: 3, threshold: 4 });
    let mut root = good.clone();
    root.leaves_root += Fr::from(1u8);
    assert_eq!(refusal(cohort.unmask(0, &root)), Refusal::DigestMismatch { what: "tree of leaves" });
    let other = Survivors { context: RoundContext::from_hash(&[1; 32]), ..good.clone() };
    assert_eq!(refusal(cohort.unmask(0, &other)), Refusal::NotMasked);
    let aggregator = std::mem::replace(&mut cohort.aggregator, SecretKey::generate(&mut cohort.rng));
    assert_eq!(refusal(cohort.unmask(0, &good)), Refusal::UnsignedRequest);
    cohort.aggregator = aggregator;
    assert!(cohort.unmask(0, &good).is_ok());
}

#[test]
fn a_dropped_client_releases_nothing() {
    let (mut cohort, survivors) = ready();
    // It was set up and masked nothing; whatever it is told, it has no round to release for.
    assert_eq!(refusal(cohort.unmask(5, &survivors)), Refusal::NotMasked);
}

#[test]
fn chain_mode_takes_the_digest_from_its_own_provider_only() {
    let (mut cohort, survivors) = ready();
    let request = cohort.sign_survivors(&survivors);
    let good = ChainView { digest: request.digest.digest(), is_final: true, posting_closed: true };
    let bytes = request.encode();
    let cases = [
        (None, Refusal::NoChainView),
        (Some(ChainView { digest: [1; 32], ..good }), Refusal::ChainDigest),
        (Some(ChainView { is_final: false, ..good }), Refusal::NotFinal),
        (Some(ChainView { posting_closed: false, ..good }), Refusal::PostingOpen),
    ];
    for (view, refused) in cases {
        assert_eq!(refusal(cohort.clients[0].unmask(&bytes, view.as_ref(), &mut cohort.rng)), refused);
    }
    assert!(cohort.clients[0].unmask(&bytes, Some(&good), &mut cohort.rng).is_ok());
    let signed = refusal(cohort.clients[1].sign_digest(&bytes, &mut cohort.rng));
    assert!(matches!(signed, Refusal::WrongEvidence { own: Mode::Chain, .. }));

    let mut curious = Cohort::new(Mode::Curious);
    let setups = curious.setups(&ALL);
    let inputs = curious.masked(&setups, &ALL);
    let request = curious.sign_survivors(&curious.survivors(&setups, &inputs)).encode();
    let refused = refusal(curious.clients[0].unmask(&request, Some(&good), &mut curious.rng));
    assert!(matches!(refused, Refusal::WrongEvidence { own: Mode::Curious, .. }));
}

#[test]
fn strict_mode_waits_for_more_than_half_of_the_cohort_corrupt_members_counted_out() {
    let mut cohort = Cohort::new(Mode::Strict);
    let setups = cohort.setups(&ALL);
    let inputs = cohort.masked(&setups, &ALL);
    let mut survivors = cohort.survivors(&setups, &inputs);
    // m = 6, c_m = 1: more than 3.5.
    assert_eq!(cohort.parameters.config.strict_quorum(), 4);
    let request = cohort.sign_survivors(&survivors).encode();
    let sign = |cohort: &mut Cohort, i: usize| {
        let message = cohort.clients[i].sign_digest(&request, &mut cohort.rng).unwrap();
        assert_eq!(cohort.clients[i].sign_digest(&request, &mut cohort.rng).unwrap(), message);
        let signature = DigestSignature::decode(&message, &limits()).unwrap();
        signature.verify(cohort.public(i)).unwrap();
        (signature.slot, signature.signature)
    };
    let signatures: Vec<_> = (0..4).map(|i| sign(&mut cohort, i)).collect();
    assert_eq!(refusal(cohort.unmask(5, &survivors)), Refusal::NoQuorum { got: 0, quorum: 4 });
    survivors.signatures = signatures[..3].to_vec();
    assert_eq!(refusal(cohort.unmask(5, &survivors)), Refusal::NoQuorum { got: 3, quorum: 4 });
    survivors.signatures.push((4, signatures[3].1));
    assert_eq!(refusal(cohort.unmask(5, &survivors)), Refusal::BadDigestSignature { slot: 4 });
    survivors.signatures.pop();
    survivors.signatures.push((5, signatures[3].1));
    assert_eq!(refusal(cohort.unmask(5, &survivors)), Refusal::BadDigestSignature { slot: 5 });
    survivors.signatures = signatures;
    assert!(cohort.unmask(5, &survivors).is_ok());
}

#[test]
fn a_second_digest_in_strict_mode_burns_the_setup() {
    let mut cohort = Cohort::new(Mode::Strict);
    let setups = cohort.setups(&ALL);
    let inputs = cohort.masked(&setups, &ALL);
    let all = cohort.survivors(&setups, &inputs);
    let five = cohort.survivors(&setups, &inputs[..5]);
    let (all_request, five_request) =
        (cohort.sign_survivors(&all).encode(), cohort.sign_survivors(&five).encode());
    cohort.clients[0].sign_digest(&all_request, &mut cohort.rng).unwrap();
    let refused = refusal(cohort.clients[0].sign_digest(&five_request, &mut cohort.rng));
    assert_eq!(refused, Refusal::DifferentRequest { verb: "digest signature" });
    assert_eq!(refusal(cohort.clients[0].sign_digest(&all_request, &mut cohort.rng)), Refusal::NotMasked);
    cohort.clients[1].sign_digest(&all_request, &mut cohort.rng).unwrap();
    let refused = refusal(cohort.clients[1].unmask(&five_request, None, &mut cohort.rng));
    assert_eq!(refused, Refusal::DifferentRequest { verb: "unmask" });
}

/// Runs an attempt in which clients `who` post, and returns what client 0 answers to the unmask request.
fn attempt(cohort: &mut Cohort, who: &[usize]) -> Answer {
    cohort.parameters.attempt += 1;
    let setups = cohort.setups(&ALL);
    let inputs = cohort.masked(&setups, who);
    let survivors = cohort.survivors(&setups, &inputs);
    cohort.unmask(0, &survivors)
}

#[test]
fn a_failed_attempt_is_retried_only_before_a_release() {
    let mut cohort = Cohort::new(Mode::Curious);
    let setups = cohort.setups(&ALL);
    cohort.masked(&setups, &ALL[..1]);
    // Nothing was released: a new attempt is fine, on the same model.
    attempt(&mut cohort, &ALL).unwrap();
    cohort.parameters.attempt += 1;
    let setups = cohort.setups(&ALL);
    let request = cohort.mask_request(&setups, 0);
    assert_eq!(refusal(cohort.mask(0, &request)), Refusal::ModelReleased);
    cohort.model = ModelDigest([9; 32]);
    let request = cohort.mask_request(&setups, 0);
    assert!(cohort.mask(0, &request).is_ok());
}

#[test]
fn an_old_attempt_is_not_released_after_a_newer_one() {
    let mut cohort = Cohort::new(Mode::Curious);
    let setups = cohort.setups(&ALL);
    let inputs = cohort.masked(&setups, &ALL);
    let first = cohort.survivors(&setups, &inputs);
    attempt(&mut cohort, &ALL).unwrap();
    assert_eq!(refusal(cohort.unmask(0, &first)), Refusal::ModelReleased);
}

#[test]
fn a_second_release_is_off_by_default_and_bounded_where_it_is_on() {
    let second = |posted: &[usize], floor: u16| {
        let mut cohort = Cohort::with_policy(Mode::Curious, |policy| {
            (policy.second_release, policy.min_group) = (true, floor);
        });
        attempt(&mut cohort, &ALL).unwrap();
        (attempt(&mut cohort, posted), cohort)
    };
    let (answer, mut cohort) = second(&ALL, 6);
    answer.unwrap();
    cohort.reopen(0);
    assert_eq!(refusal(attempt(&mut cohort, &ALL)), Refusal::ModelReleased);
    let (answer, _) = second(&ALL[..5], 6);
    assert_eq!(refusal(answer), Refusal::TooClose { got: 1, floor: 6 });
    let (answer, _) = second(&ALL[..5], 1);
    answer.unwrap();
}

#[test]
fn erased_rounds_cannot_be_set_up_again() {
    let mut cohort = Cohort::new(Mode::Curious);
    let first = cohort.parameters.clone();
    for _ in 0..10 {
        cohort.setups(&[0]);
        cohort.parameters.round += 1;
    }
    cohort.parameters = first;
    let request = cohort.setup_request();
    assert_eq!(refusal(cohort.clients[0].setup(&request, &mut cohort.rng)), Refusal::Stale);
}

#[test]
fn a_client_enrols_before_it_sets_up_and_never_in_an_older_epoch() {
    let mut cohort = Cohort::new(Mode::Curious);
    let policy = *cohort.clients[0].policy();
    let journal = Box::new(MemoryJournal::new());
    let mut fresh = Client::open(cohort.keys[0].clone(), cohort.roster.clone(), policy, journal).unwrap();
    let request = cohort.setup_request();
    let refused = fresh.setup(&request, &mut cohort.rng);
    assert!(matches!(refused, Err(ProtocolError::Misuse(Misuse::NotEnrolled))));
    assert_eq!(refusal(cohort.clients[0].enrol(2, &mut cohort.rng)), Refusal::Stale);
    cohort.setups(&[0]);
    cohort.clients[0].enrol(4, &mut cohort.rng).unwrap();
    assert_eq!(cohort.clients[0].phase(&cohort.parameters.context()), None);
    let stranger = SecretKey::generate(&mut cohort.rng);
    let opened = Client::open(stranger, cohort.roster.clone(), policy, Box::new(MemoryJournal::new()));
    assert!(matches!(opened, Err(ProtocolError::Misuse(Misuse::NotInRoster))));
    let foreign = MemoryJournal::with_state(&cohort.clients[1].state_bytes());
    let opened = Client::open(cohort.keys[0].clone(), cohort.roster.clone(), policy, Box::new(foreign));
    assert!(matches!(opened, Err(ProtocolError::Misuse(Misuse::ForeignState))));
}

/// The state of a client is restored from a backup that was made before its masked input left.
#[test]
fn a_client_does_not_start_from_an_old_state() {
    let mut cohort = Cohort::new(Mode::Curious);
    let folder = tempfile::tempdir().unwrap();
    let (state, marker) = (folder.path().join("state"), folder.path().join("marker"));
    let (key, roster, policy) = (cohort.keys[0].clone(), cohort.roster.clone(), *cohort.clients[0].policy());
    let open = || -> Result<Client, ProtocolError> {
        let journal = Box::new(FileJournal::open(&state, &marker)?);
        Client::open(key.clone(), roster.clone(), policy, journal)
    };
    let mut client = open().unwrap();
    let enrolment = client.enrol(3, &mut cohort.rng).unwrap();
    cohort.enrolments[0] = blindsum_protocol::Enrolment::decode(&enrolment, &limits()).unwrap();
    cohort.clients[0] = client;
    let setups = cohort.setups(&ALL);
    let backup = std::fs::read(&state).unwrap();
    let request = cohort.mask_request(&setups, 0);
    let masked = cohort.mask(0, &request).unwrap();
    // A new process goes on where the old one stopped.
    cohort.clients[0] = open().unwrap();
    assert_eq!(cohort.mask(0, &request).unwrap(), masked);
    std::fs::write(&state, backup).unwrap();
    assert!(matches!(open(), Err(ProtocolError::Journal(JournalError::RolledBack { .. }))));
    std::fs::remove_file(&marker).unwrap();
    assert!(matches!(open(), Err(ProtocolError::Journal(JournalError::MarkerMissing))));
}

#[test]
fn a_client_attests_only_to_a_sum_that_opens() {
    let (mut cohort, survivors) = ready();
    cohort.unmask(0, &survivors).unwrap();
    // The first five vectors, summed in the clear, under a commitment made for them.
    let words: Vec<u32> = (0..DIMENSION as usize)
        .map(|j| cohort.vectors[..5].iter().fold(0u32, |sum, vector| sum.wrapping_add(vector.as_u32()[j])))
        .collect();
    let opening = Opening::from_words(&words, Fq::from(9u8));
    let point = commit_vartime(&Cpu, &cohort.bases, &opening.sum, &opening.blinding).unwrap();
    let attest = |cohort: &mut Cohort, context, opening: &Opening| {
        let Cohort { clients, round, bases, rng, .. } = cohort;
        clients[0].attest_opened(&context, round, bases, &Cpu, &survivors.posted, &point, opening, rng)
    };
    let message = attest(&mut cohort, survivors.context, &opening).unwrap();
    let opened = Opened::decode(&message, &limits()).unwrap();
    opened.verify(cohort.public(0)).unwrap();
    assert_eq!((opened.context, opened.slot), (survivors.context, 0));
    let mut other = opening.clone();
    other.sum[0] += 1;
    assert!(matches!(refusal(attest(&mut cohort, survivors.context, &other)), Refusal::DoesNotOpen { .. }));
    let stranger = RoundContext::from_hash(&[1; 32]);
    assert_eq!(refusal(attest(&mut cohort, stranger, &opening)), Refusal::NotMasked);
}

#[test]
fn a_damaged_state_never_panics() {
    let mut cohort = Cohort::new(Mode::Strict);
    let setups = cohort.setups(&ALL);
    let inputs = cohort.masked(&setups, &ALL);
    let request = cohort.sign_survivors(&cohort.survivors(&setups, &inputs)).encode();
    cohort.clients[0].sign_digest(&request, &mut cohort.rng).unwrap();
    let (policy, good) = (*cohort.clients[0].policy(), cohort.clients[0].state_bytes());
    for i in 0..good.len() {
        let mut bad = good.to_vec();
        bad[i] ^= 1 << (i % 8);
        let journal = Box::new(MemoryJournal::with_state(&bad));
        if let Ok(client) = Client::open(cohort.keys[0].clone(), cohort.roster.clone(), policy, journal) {
            assert_eq!(*client.state_bytes(), bad, "byte {i}");
        }
    }
}

/// A disk that is full.
struct Full;

impl Journal for Full {
    fn store(&mut self, _: &[u8]) -> Result<(), JournalError> {
        Err(JournalError::Caller { reason: "full".to_owned() })
    }

    fn load(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, JournalError> {
        Ok(None)
    }
}

/// The state that was loaded, and a disk that then fails.
struct FullAfter(Zeroizing<Vec<u8>>);

impl Journal for FullAfter {
    fn store(&mut self, state: &[u8]) -> Result<(), JournalError> {
        Full.store(state)
    }

    fn load(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, JournalError> {
        Ok(Some(self.0.clone()))
    }
}

#[test]
fn nothing_leaves_before_it_is_stored() {
    let mut cohort = Cohort::new(Mode::Curious);
    let setups = cohort.setups(&ALL);
    let inputs = cohort.masked(&setups, &ALL);
    let survivors = cohort.survivors(&setups, &inputs);
    let request = cohort.sign_survivors(&survivors).encode();
    let before = cohort.clients[0].state_bytes();
    let policy = *cohort.clients[0].policy();
    let journal = Box::new(FullAfter(before.clone()));
    let mut client = Client::open(cohort.keys[0].clone(), cohort.roster.clone(), policy, journal).unwrap();
    let answer = client.unmask(&request, None, &mut cohort.rng);
    assert!(matches!(answer, Err(ProtocolError::Journal(JournalError::Caller { .. }))));
    assert_eq!(client.state_bytes(), before);
    let mut fresh =
        Client::open(cohort.keys[0].clone(), cohort.roster.clone(), policy, Box::new(Full)).unwrap();
    assert!(matches!(fresh.enrol(3, &mut cohort.rng), Err(ProtocolError::Journal(_))));
}

#[test]
fn a_state_cut_at_any_byte_is_refused_and_holds_no_secret_that_is_spent() {
    let mut cohort = Cohort::new(Mode::Curious);
    let setups = cohort.setups(&ALL);
    let open = |cohort: &Cohort, state: &[u8]| {
        let policy = *cohort.clients[0].policy();
        let journal = Box::new(MemoryJournal::with_state(state));
        Client::open(cohort.keys[0].clone(), cohort.roster.clone(), policy, journal)
    };
    let check = |cohort: &Cohort| {
        let state = cohort.clients[0].state_bytes();
        assert_eq!(open(cohort, &state).unwrap().state_bytes(), state);
        for cut in 0..state.len() {
            let refused = open(cohort, &state[..cut]);
            assert!(matches!(refused, Err(ProtocolError::Misuse(Misuse::BadState { .. }))), "cut at {cut}");
        }
        let longer = [&state[..], &[0]].concat();
        assert!(open(cohort, &longer).is_err());
        state.len()
    };
    check(&cohort);
    let inputs = cohort.masked(&setups, &ALL);
    let masked = check(&cohort);
    let survivors = cohort.survivors(&setups, &inputs);
    cohort.unmask(0, &survivors).unwrap();
    assert!(check(&cohort) < masked);
    assert_eq!(format!("{:?}", cohort.clients[0]).matches("key: SecretKey").count(), 0);
}
