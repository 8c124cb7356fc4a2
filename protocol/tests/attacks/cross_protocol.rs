//! Signatures taken from where they were made to where they were not meant for.

use blindsum_engine::{
    curve::{hash_to_curve, point_from_bytes},
    roster::{CohortSize, Roster},
    schnorr::{Kind, SecretKey, SignedCommitment, sign, sign_commitment, verify, verify_commitment},
};
use blindsum_protocol::{Mode, message::DigestSignature};

use crate::support::Shape;

/// The attack: send a "survivor digest" that is a commitment of one's choice, get it signed.
#[test]
fn a_signature_on_a_digest_is_none_on_a_commitment() {
    let mut cohort = Shape::one_group(6, Mode::Strict).build();
    cohort.run_setup(&[]);
    cohort.run_masks(&[]);
    cohort.agree();
    let context = *cohort.aggregator.round_context().unwrap();
    let digest = cohort.aggregator.survivor_digest().unwrap().digest();
    let key = &cohort.members[&2].key;
    let signed = DigestSignature::sign(key, 2, digest, &mut cohort.rng);
    assert!(signed.verify(key.public()).is_ok());
    for point in [hash_to_curve("chosen", 0), signed.signature.r] {
        let stolen = SignedCommitment { commitment: point, signature: signed.signature };
        assert!(verify_commitment(key.public(), 2, &context, &stolen).is_err());
    }
}

#[test]
fn a_signature_is_good_for_one_kind() {
    let cohort = Shape::one_group(4, Mode::Curious).build();
    let mut rng = cohort.rng.clone();
    let key = &cohort.members[&0].key;
    let kinds = [
        Kind::Register,
        Kind::Enrol,
        Kind::Setup,
        Kind::MaskedInput,
        Kind::DigestAggregator,
        Kind::DigestClient,
        Kind::Release,
        Kind::Opened,
        Kind::Request,
    ];
    for made in kinds {
        let signature = sign(key, made, b"one body", &mut rng);
        for read in kinds {
            assert_eq!(verify(key.public(), read, b"one body", &signature).is_ok(), made == read);
        }
    }
}

#[test]
fn a_commitment_is_good_for_one_slot_and_one_round() {
    let mut cohort = Shape::one_group(6, Mode::Curious).build();
    let outcome = cohort.run();
    let (slot, signed) = outcome.signed()[2];
    let key = *cohort.roster.key(slot).unwrap();
    let context = *outcome.round_context();
    assert!(verify_commitment(&key, slot, &context, &signed).is_ok());
    assert!(verify_commitment(&key, slot + 1, &context, &signed).is_err());
    let mut other = *context.as_bytes();
    other[31] ^= 1;
    let other = blindsum_engine::roster::RoundContext::from_bytes(other).unwrap();
    assert!(verify_commitment(&key, slot, &other, &signed).is_err());
    // The same key cannot sit in two slots either.
    let mut keys = vec![None; 16];
    keys[0] = Some(key);
    keys[1] = Some(key);
    assert!(Roster::new(CohortSize::N16, keys).is_err());
}

/// `s + q` encodes the same scalar for a sloppy decoder.
#[test]
fn aliases_of_s_are_refused() {
    let mut cohort = Shape::one_group(4, Mode::Curious).build();
    let key: SecretKey = cohort.members[&0].key.clone();
    let context = blindsum_engine::roster::RoundContext::from_hash(&[5; 32]);
    let (signed, _) = sign_commitment(&key, 0, &context, hash_to_curve("x", 1), &mut cohort.rng);
    let mut bytes = signed.to_bytes();
    assert!(SignedCommitment::from_bytes(&bytes).is_ok());
    // q, big-endian, added to the last 32 bytes (it fits: q < 2^254).
    let q = hex::decode("30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47").unwrap();
    let mut carry = 0u16;
    for (byte, addend) in bytes[128..].iter_mut().zip(&q).rev() {
        carry += u16::from(*byte) + u16::from(*addend);
        *byte = carry as u8;
        carry >>= 8;
    }
    assert_eq!(carry, 0);
    assert!(SignedCommitment::from_bytes(&bytes).is_err());
    assert!(point_from_bytes(&[0; 64]).is_err(), "(0, 0) is no point");
}
