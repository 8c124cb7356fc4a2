//! What a client releases, attests to, and when.

use blindsum_engine::{
    backend::Backend,
    cpu::Cpu,
    curve::{Fq, Fr},
    mask::{MaskKey, SignedMask},
    opening::Opening,
    pedersen::commit_vartime,
    roster::RoundContext,
    schnorr::{SecretKey, verify_commitment},
};
use blindsum_protocol::{
    ChainView, GroupConfig, Mode, ModelDigest, Refusal, keys,
    message::{DigestSignature, Opened, Release, ShareKind},
    seal::open_commitment,
    shamir,
};

use crate::cohort::{Answer, Cohort, DIMENSION, SLOTS, Survivors, config, limits};
use crate::{ALL, refusal};

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
