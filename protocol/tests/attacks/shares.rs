//! Wrong shares: by who releases them, and by who dealt them. Two faults, two names.

use blindsum_engine::{curve::Fq, roster::Bitmap};
use blindsum_protocol::{
    Fault, Mode, ModelDigest, ProtocolError,
    aggregator::Absorbed,
    blame::{Charge, Contexts, EvidenceError, verify},
    message::{ReleasedShare, ShareKind},
    outcome::GroupFailure,
};

use rand_chacha::rand_core::Rng;

use crate::support::{Cohort, Shape};

/// 8 members (t = 5, F = 6), slot 2 a puppet that has set up and posted honestly; slot 7 dropped.
fn with_puppet() -> Cohort {
    let mut cohort =
        Shape { puppets: vec![2], group: Shape::loose(), ..Shape::one_group(8, Mode::Curious) }.build();
    cohort.puppet_setup(2, |_| ());
    cohort.run_setup(&[]);
    cohort.run_masks(&[7]);
    cohort.puppet_mask(2, |_, _, _| ());
    cohort.agree();
    cohort
}

#[test]
fn a_puppet_that_behaves_is_a_client() {
    let mut cohort = with_puppet();
    cohort.run_releases(&[]);
    let message = cohort.puppet_release(2, |_| ());
    let absorbed = cohort.aggregator.absorb(&message.encode()).unwrap();
    assert_eq!(absorbed, Absorbed::Release { slot: 2, wrong: Bitmap::EMPTY });
    let outcome = cohort.finish().unwrap();
    assert_eq!(outcome.participants(), Bitmap::range(0, 7));
    assert_eq!(outcome.opening().unwrap().sum, cohort.expected_sum(outcome.participants()));
}

#[test]
fn a_wrong_released_share_names_the_releaser_and_costs_nothing_else() {
    let mut cohort = with_puppet();
    let message = cohort.puppet_release(2, |shares| {
        shares[0].share += Fq::from(1u8);
        shares.last_mut().unwrap().share = Fq::from(3u8);
    });
    let absorbed = cohort.aggregator.absorb(&message.encode()).unwrap();
    assert_eq!(absorbed, Absorbed::Release { slot: 2, wrong: [0, 7].into_iter().collect() });
    let blames = cohort.aggregator.blames().to_vec();
    let named: Vec<_> = blames.iter().map(|blame| (blame.slot, blame.charge)).collect();
    assert_eq!(named, [(2, Charge::WrongShare { dealer: 0 }), (2, Charge::WrongShare { dealer: 7 })]);
    for blame in &blames {
        assert_eq!(cohort.verify_evidence(blame.evidence()).unwrap(), (2, blame.charge));
    }
    // Slots 0 and 7 lack one share, the rest releases: the group opens.
    cohort.run_releases(&[]);
    let outcome = cohort.finish().unwrap();
    assert_eq!(outcome.participants(), Bitmap::range(0, 7));
    assert_eq!(outcome.opening().unwrap().sum, cohort.expected_sum(outcome.participants()));
    assert_eq!(outcome.suspects(), [2].into_iter().collect());
}

#[test]
fn a_release_gives_each_peer_one_share_of_the_kind_it_is_due() {
    type Tamper = fn(&mut Vec<ReleasedShare>);
    let cases: [(Tamper, u8); 5] = [
        // Slot 7 is dropped: its self-mask share would join its mask key.
        (|shares| shares.last_mut().unwrap().kind = ShareKind::SelfMask, 7),
        (|shares| shares[1].kind = ShareKind::MaskKey, 1),
        (|shares| drop(shares.remove(3)), 4),
        (
            |shares| {
                shares[2] =
                    ReleasedShare { peer: shares[2].peer, kind: ShareKind::Complaint, share: Fq::from(0u8) };
            },
            3,
        ),
        (
            |shares| {
                let extra = ReleasedShare { peer: 9, kind: ShareKind::SelfMask, share: Fq::from(1u8) };
                shares.push(extra);
            },
            9,
        ),
    ];
    for (tamper, peer) in cases {
        let mut cohort = with_puppet();
        let message = cohort.puppet_release(2, tamper).encode();
        match cohort.aggregator.absorb(&message) {
            Err(ProtocolError::BadContribution {
                slot: 2,
                reason: Fault::WrongShareKind { peer: named },
            }) => {
                assert_eq!(named, peer);
            }
            other => panic!("{other:?}"),
        }
        // Nothing was kept: the good one still counts.
        let message = cohort.puppet_release(2, |_| ()).encode();
        cohort.aggregator.absorb(&message).unwrap();
    }
    // Both kinds for one peer, or one's own, is no message at all.
    for peer in [1, 2] {
        let mut cohort = with_puppet();
        let message = cohort.puppet_release(2, |shares| {
            let extra = ReleasedShare { peer, kind: ShareKind::MaskKey, share: Fq::from(1u8) };
            shares.insert(2, extra);
        });
        assert!(matches!(cohort.aggregator.absorb(&message.encode()), Err(ProtocolError::Wire(_))));
    }
}

#[test]
fn two_different_releases_name_their_signer() {
    let mut cohort = with_puppet();
    let first = cohort.puppet_release(2, |_| ());
    cohort.aggregator.absorb(&first.encode()).unwrap();
    assert!(matches!(
        cohort.aggregator.absorb(&first.encode()),
        Err(ProtocolError::BadContribution { slot: 2, reason: Fault::Duplicate { .. } })
    ));
    assert!(cohort.aggregator.blames().is_empty());
    let second = cohort.puppet_release(2, |shares| shares[0].share += Fq::from(1u8));
    assert!(matches!(
        cohort.aggregator.absorb(&second.encode()),
        Err(ProtocolError::BadContribution { slot: 2, reason: Fault::TwoMessages { .. } })
    ));
    let blame = cohort.aggregator.blames()[0].clone();
    assert_eq!(cohort.verify_evidence(blame.evidence()).unwrap(), (2, blame.charge));
}

/// Shares that all match their hashes and lie on no polynomial of the signed secret: the dealer.
#[test]
fn inconsistent_shares_name_the_dealer() {
    for posts in [true, false] {
        let mut cohort =
            Shape { puppets: vec![2], group: Shape::loose(), ..Shape::one_group(8, Mode::Curious) }.build();
        cohort.puppet_setup(2, |deal| {
            if deal.receiver == 3 {
                let one = Fq::from(1u8);
                deal.hashed = (deal.hashed.0 + one, deal.hashed.1 + one);
                deal.sealed = deal.hashed;
            }
        });
        cohort.run_setup(&[]);
        cohort.run_masks(&[]);
        if posts {
            cohort.puppet_mask(2, |_, _, _| ());
        }
        cohort.agree();
        cohort.run_releases(&[]);
        let outcome = cohort.finish().unwrap();
        assert!(outcome.complaints().is_empty(), "the shares match their hashes");
        assert!(matches!(
            outcome.failed().next().unwrap().reason,
            GroupFailure::InconsistentShares { slot: 2 }
        ));
        let blame = &outcome.blames()[0];
        assert_eq!((blame.slot, blame.charge), (2, Charge::InconsistentShares));
        assert_eq!(cohort.verify_evidence(blame.evidence()).unwrap(), (2, Charge::InconsistentShares));
    }
}

/// Evidence is total: every truncation and every flipped bit is an error, or shows the same thing.
#[test]
fn evidence_shows_what_it_shows_and_nothing_else() {
    let mut cohort = with_puppet();
    let message = cohort.puppet_release(2, |shares| shares[0].share += Fq::from(1u8));
    cohort.aggregator.absorb(&message.encode()).unwrap();
    let evidence = cohort.aggregator.blames()[0].evidence().to_vec();
    assert!(cohort.verify_evidence(&evidence).is_ok());
    for length in 0..evidence.len() {
        assert!(cohort.verify_evidence(&evidence[..length]).is_err(), "{length} bytes");
    }
    let mut longer = evidence.clone();
    longer.push(0);
    assert!(cohort.verify_evidence(&longer).is_err());
    for at in (0..evidence.len()).step_by(7) {
        let mut flipped = evidence.clone();
        flipped[at] ^= 1;
        assert!(cohort.verify_evidence(&flipped).is_err(), "byte {at}");
    }
    // Against an honest releaser there is nothing: the same parts with a right share are groundless.
    let mut cohort = with_puppet();
    let honest = cohort.puppet_release(2, |_| ());
    let wrong = cohort.puppet_release(2, |shares| shares[0].share += Fq::from(1u8));
    cohort.aggregator.absorb(&wrong.encode()).unwrap();
    let evidence = cohort.aggregator.blames()[0].evidence().to_vec();
    let (good, bad) = (honest.encode(), wrong.encode());
    let at = evidence.windows(bad.len()).position(|window| window == bad).unwrap();
    let mut framed = evidence.clone();
    framed[at..at + good.len()].copy_from_slice(&good);
    assert!(matches!(cohort.verify_evidence(&framed), Err(EvidenceError::Groundless { slot: 2, .. })));
}

#[test]
fn arbitrary_bytes_are_no_evidence() {
    let mut cohort = with_puppet();
    for charge in 0..8u8 {
        for length in [0usize, 1, 40, 200, 400, 1000, 3000] {
            let mut bytes = b"BSEV\0\x01".to_vec();
            bytes.extend([charge, 2]);
            let start = bytes.len();
            bytes.resize(start + length, 0);
            cohort.rng.fill_bytes(&mut bytes[start..]);
            assert!(cohort.verify_evidence(&bytes).is_err());
            bytes[start..].fill(0);
            assert!(cohort.verify_evidence(&bytes).is_err());
        }
    }
}

/// Evidence of one round shows nothing in another, nor under another list of setups.
#[test]
fn evidence_is_bound_to_its_round() {
    let mut cohort = with_puppet();
    let message = cohort.puppet_release(2, |shares| shares[0].share += Fq::from(1u8));
    cohort.aggregator.absorb(&message.encode()).unwrap();
    let evidence = cohort.aggregator.blames()[0].evidence().to_vec();
    let root = *cohort.aggregator.setup_root().unwrap();
    let judge = |model, root| {
        let contexts = Contexts::new(&cohort.parameters, &cohort.round, model, root);
        verify(&evidence, &cohort.roster, &contexts)
    };
    assert!(judge(&cohort.model, root).is_ok());
    for refused in [judge(&ModelDigest([7; 32]), root), judge(&cohort.model, [7; 32])] {
        assert!(matches!(
            refused,
            Err(EvidenceError::Message { slot: 2, reason: Fault::WrongContext { .. } })
        ));
    }
}

/// A dealer that signs two setups cannot frame a releaser with the one that was not listed.
#[test]
fn two_setups_name_the_dealer_and_frame_nobody() {
    let mut cohort =
        Shape { puppets: vec![2], group: Shape::loose(), ..Shape::one_group(8, Mode::Curious) }.build();
    let request = cohort.aggregator.setup_request(2, &cohort.share_keys, &mut cohort.rng).unwrap();
    let puppet = &cohort.puppets[&2];
    let listed = puppet.setup(&request, &cohort.roster, &mut cohort.rng, |_| ());
    let other = puppet.setup(&request, &cohort.roster, &mut cohort.rng, |_| ());
    cohort.aggregator.absorb(&listed.encode()).unwrap();
    assert!(matches!(
        cohort.aggregator.absorb(&listed.encode()),
        Err(ProtocolError::BadContribution { slot: 2, reason: Fault::Duplicate { .. } })
    ));
    assert!(matches!(
        cohort.aggregator.absorb(&other.encode()),
        Err(ProtocolError::BadContribution { slot: 2, reason: Fault::TwoMessages { .. } })
    ));
    cohort.run_setup(&[]);
    cohort.run_masks(&[]);
    cohort.puppet_mask(2, |_, _, _| ());
    cohort.agree();
    let verdict = cohort.verify_evidence(cohort.aggregator.blames()[0].evidence()).unwrap();
    assert_eq!(verdict.0, 2);
    // Slot 0 releases honestly; against the setup that nobody listed its shares "miss".
    let wrong = cohort.puppet_release(2, |shares| shares[0].share += Fq::from(1u8));
    cohort.aggregator.absorb(&wrong.encode()).unwrap();
    let evidence = cohort.aggregator.blames()[1].evidence().to_vec();
    let dealt = cohort.aggregator.blames()[1].charge;
    assert_eq!(dealt, Charge::WrongShare { dealer: 0 });
    let list_at = evidence.len() - 32 * 16;
    let mut moved = evidence.clone();
    moved[list_at] ^= 1;
    assert!(matches!(
        cohort.verify_evidence(&moved),
        Err(EvidenceError::Unrelated { what: "setup hashes and setup root" })
    ));
}
