//! Schnorr signatures over Grumpkin, with the key and the nonce point in the challenge.
//!
//! `s = k + e sk mod q`; valid iff `s < q` and `s G = R + e PK`. Of a commitment, `e` is the low 128
//! bits of the slot's leaf; of every other message it is the first 16 bytes of
//! `H("signature"; kind, R, PK, SHA-256(body))`. Nonces are hedged: they depend on fresh randomness,
//! on the key and on the whole message, so neither a stuck generator nor a repeated one leaks the key.

use std::fmt;

use ark_ec::CurveGroup;
use ark_ff::{PrimeField, Zero};
use hmac::{Hmac, KeyInit, Mac};
use rand_core::CryptoRng;
use sha2::{Digest, Sha256, Sha512};
use thiserror::Error;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{
    chain::{self, ChainError},
    curve::{
        self, Fq, Fr, Point, fq_from_bytes, fq_to_bytes, fr_to_bytes, generator, point_from_bytes,
        point_to_bytes,
    },
    domain::Label,
    error::DecodeError,
    fixed_base::mul_generator,
    hash::{derive, hash},
    poseidon,
    roster::{RoundContext, slot_tag},
};

/// What a message is; each signature is good for one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A proof of possession.
    Register = 1,
    /// A share-encryption key.
    Enrol = 2,
    /// A setup message.
    Setup = 3,
    /// A masked input.
    MaskedInput = 4,
    /// A survivor digest, by the aggregator.
    DigestAggregator = 5,
    /// A survivor digest, by a client.
    DigestClient = 6,
    /// A release of shares.
    Release = 7,
    /// An attestation that the published sum opens.
    Opened = 8,
    /// A request of the aggregator.
    Request = 9,
}

/// Kind byte of the nonce of a commitment's signature, which has no [`Kind`] of its own.
const COMMITMENT: u8 = 0;

/// Why a signature is refused.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum SignatureError {
    /// The equation does not hold for this key and message.
    #[error("the signature does not verify")]
    Invalid,
    /// The signature may hold, but the circuit's chain of additions cannot show it.
    #[error("no proof can show the signature: {0}")]
    Unprovable(ChainError),
}

/// A secret key: a scalar of Grumpkin other than zero.
#[derive(Clone)]
pub struct SecretKey {
    scalar: Fq,
    public: PublicKey,
}

impl SecretKey {
    /// A fresh key.
    #[must_use]
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        loop {
            let scalar = curve::random_fq(rng);
            if let Some(key) = Self::from_scalar(scalar) {
                return key;
            }
        }
    }

    fn from_scalar(scalar: Fq) -> Option<Self> {
        let public = PublicKey(mul_generator(&scalar).into_affine());
        (!scalar.is_zero()).then_some(Self { scalar, public })
    }

    /// Reads 32 big-endian bytes.
    ///
    /// # Errors
    /// Zero, or a value at or above `q`.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, DecodeError> {
        Self::from_scalar(fq_from_bytes(bytes)?).ok_or(DecodeError::Forbidden { what: "secret key" })
    }

    /// The secret bytes; the caller keeps them secret.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(fq_to_bytes(&self.scalar))
    }

    /// The public key.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// A hedged nonce for `kind` and `body`, never zero.
    fn nonce(&self, kind: u8, body: &[&[u8]], rng: &mut dyn CryptoRng) -> Fq {
        let mut key = Zeroizing::new([0; 32]);
        derive(self.to_bytes().as_ref(), Label::Nonce, &[], key.as_mut());
        loop {
            let mut fresh = Zeroizing::new([0; 32]);
            rng.fill_bytes(fresh.as_mut());
            let mut mac =
                Hmac::<Sha512>::new_from_slice(key.as_ref()).expect("HMAC takes keys of any length");
            mac.update(fresh.as_ref());
            mac.update(&[kind]);
            body.iter().for_each(|part| mac.update(part));
            let wide: Zeroizing<[u8; 64]> = Zeroizing::new(mac.finalize().into_bytes().into());
            let k = curve::fq_from_wide(&wide);
            if !k.is_zero() {
                return k;
            }
        }
    }
}

impl Drop for SecretKey {
    fn drop(&mut self) {
        self.scalar.zeroize();
    }
}

impl ZeroizeOnDrop for SecretKey {}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(..)")
    }
}

/// A public key: a point of Grumpkin other than infinity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey(Point);

impl PublicKey {
    /// A key from its point.
    ///
    /// # Errors
    /// Infinity, or a pair off the curve.
    pub fn from_point(point: Point) -> Result<Self, DecodeError> {
        point_from_bytes(&raw_bytes(&point)).map(Self)
    }

    /// The point.
    pub const fn point(&self) -> Point {
        self.0
    }

    /// 64 bytes, `x || y`.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 64] {
        point_to_bytes(&self.0)
    }

    /// Reads 64 bytes, `x || y`.
    ///
    /// # Errors
    /// A coordinate at or above its modulus, or a pair off the curve.
    pub fn from_bytes(bytes: &[u8; 64]) -> Result<Self, DecodeError> {
        point_from_bytes(bytes).map(Self)
    }
}

/// The coordinates as bytes, infinity included.
fn raw_bytes(point: &Point) -> [u8; 64] {
    let mut out = [0; 64];
    out[..32].copy_from_slice(&fr_to_bytes(&point.x));
    out[32..].copy_from_slice(&fr_to_bytes(&point.y));
    out
}

/// A signature `(R, s)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    /// The nonce point.
    pub r: Point,
    /// The response.
    pub s: Fq,
}

impl Signature {
    /// 96 bytes, `R || s`.
    ///
    /// # Panics
    /// If `R` is infinity, which no signer makes and no decoder lets in.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 96] {
        let mut out = [0; 96];
        out[..64].copy_from_slice(&point_to_bytes(&self.r));
        out[64..].copy_from_slice(&fq_to_bytes(&self.s));
        out
    }

    /// Reads 96 bytes, `R || s`.
    ///
    /// # Errors
    /// `R` off the curve or not canonical, `s` at or above `q`.
    pub fn from_bytes(bytes: &[u8; 96]) -> Result<Self, DecodeError> {
        let (mut r, mut s) = ([0; 64], [0; 32]);
        let (head, tail) = bytes.split_at(64);
        r.copy_from_slice(head);
        s.copy_from_slice(tail);
        Ok(Self { r: point_from_bytes(&r)?, s: fq_from_bytes(&s)? })
    }
}

/// Challenge of a message: the first 16 bytes, as an integer, of
/// `H("signature"; kind, R, PK, SHA-256(body))`.
fn message_challenge(kind: Kind, r: &Point, key: &PublicKey, body: &[u8]) -> Fq {
    let digest: [u8; 32] = Sha256::digest(body).into();
    let h = hash(Label::Signature, &[&[kind as u8], &point_to_bytes(r), &key.to_bytes(), &digest]);
    Fq::from_be_bytes_mod_order(&h[..16])
}

/// Signs `body` as a message of `kind`.
#[must_use]
pub fn sign(key: &SecretKey, kind: Kind, body: &[u8], rng: &mut dyn CryptoRng) -> Signature {
    let mut k = key.nonce(kind as u8, &[body], rng);
    let r = mul_generator(&k).into_affine();
    let s = k + message_challenge(kind, &r, &key.public, body) * key.scalar;
    k.zeroize();
    Signature { r, s }
}

/// Checks that `signature` is `key`'s on `body` as a message of `kind`.
///
/// # Errors
/// [`SignatureError::Invalid`].
pub fn verify(key: &PublicKey, kind: Kind, body: &[u8], signature: &Signature) -> Result<(), SignatureError> {
    let r = PublicKey::from_point(signature.r).map_err(|_| SignatureError::Invalid)?.point();
    let e = message_challenge(kind, &r, key, body);
    let holds = generator() * signature.s == key.0 * e + r;
    holds.then_some(()).ok_or(SignatureError::Invalid)
}

/// The leaf of a slot:
/// `Poseidon(1 * 2^248 + slot * 2^240 + context, R_x, R_y, PK_x, PK_y, C_x, C_y)`.
#[must_use]
pub fn leaf(slot: u8, context: &RoundContext, r: &Point, key: &PublicKey, commitment: &Point) -> Fr {
    poseidon::hash(&[slot_tag(slot, context), r.x, r.y, key.0.x, key.0.y, commitment.x, commitment.y])
}

/// The challenge of a leaf: its low 128 bits.
#[must_use]
pub fn challenge(leaf: &Fr) -> u128 {
    let limbs = leaf.into_bigint().0;
    u128::from(limbs[1]) << 64 | u128::from(limbs[0])
}

/// A commitment and its owner's signature for one slot of one round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedCommitment {
    /// `C`, the commitment.
    pub commitment: Point,
    /// `(R, s)`, whose challenge is the low 128 bits of the leaf.
    pub signature: Signature,
}

impl SignedCommitment {
    /// 160 bytes, `C || R || s`.
    ///
    /// # Panics
    /// If `C` or `R` is infinity.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 160] {
        let mut out = [0; 160];
        out[..64].copy_from_slice(&point_to_bytes(&self.commitment));
        out[64..].copy_from_slice(&self.signature.to_bytes());
        out
    }

    /// Reads 160 bytes, `C || R || s`.
    ///
    /// # Errors
    /// A point off the curve or not canonical, `s` at or above `q`.
    pub fn from_bytes(bytes: &[u8; 160]) -> Result<Self, DecodeError> {
        let (mut c, mut signature) = ([0; 64], [0; 96]);
        let (head, tail) = bytes.split_at(64);
        c.copy_from_slice(head);
        signature.copy_from_slice(tail);
        Ok(Self { commitment: point_from_bytes(&c)?, signature: Signature::from_bytes(&signature)? })
    }
}

/// Signs `commitment` for `slot` in `context`; returns the signature and the leaf it makes.
///
/// A nonce that meets the chain of additions (with probability about 2^-245) is drawn again, so what
/// comes back can always be proven.
///
/// # Panics
/// If `commitment` is infinity, or the key itself meets the chain at every challenge; a uniform key
/// or commitment is neither.
#[must_use]
pub fn sign_commitment(
    key: &SecretKey,
    slot: u8,
    context: &RoundContext,
    commitment: Point,
    rng: &mut dyn CryptoRng,
) -> (SignedCommitment, Fr) {
    let public = key.public.to_bytes();
    let tag = fr_to_bytes(&slot_tag(slot, context));
    for _ in 0..64 {
        let mut k = key.nonce(COMMITMENT, &[&tag, &public, &point_to_bytes(&commitment)], rng);
        let r = mul_generator(&k).into_affine();
        let leaf = leaf(slot, context, &r, &key.public, &commitment);
        let e = challenge(&leaf);
        let s = k + Fq::from(e) * key.scalar;
        k.zeroize();
        if chain::check(&s, e, key.public.0, r).is_ok() {
            return (SignedCommitment { commitment, signature: Signature { r, s } }, leaf);
        }
    }
    panic!("the key meets the chain of additions at every challenge");
}

/// Checks a signed commitment as the circuit will, and returns its leaf.
///
/// # Errors
/// [`SignatureError::Invalid`] if the equation fails, [`SignatureError::Unprovable`] if the chain of
/// additions is undefined for it.
pub fn verify_commitment(
    key: &PublicKey,
    slot: u8,
    context: &RoundContext,
    signed: &SignedCommitment,
) -> Result<Fr, SignatureError> {
    let SignedCommitment { commitment, signature } = signed;
    for point in [commitment, &signature.r] {
        PublicKey::from_point(*point).map_err(|_| SignatureError::Invalid)?;
    }
    let leaf = leaf(slot, context, &signature.r, key, commitment);
    match chain::check(&signature.s, challenge(&leaf), key.0, signature.r) {
        Ok(()) => Ok(leaf),
        Err(ChainError::Equation) => Err(SignatureError::Invalid),
        Err(collision) => Err(SignatureError::Unprovable(collision)),
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

    use super::*;
    use crate::curve::{Offset, double, hash_to_curve, offset};
    use ark_ff::BigInteger;

    const SEED: u64 = 0x5c4;

    fn context(byte: u8) -> RoundContext {
        RoundContext::from_hash(&[byte; 32])
    }

    #[test]
    fn a_signature_is_good_for_one_key_kind_and_body() {
        let mut rng = ChaCha20Rng::seed_from_u64(SEED);
        let (a, b) = (SecretKey::generate(&mut rng), SecretKey::generate(&mut rng));
        let signature = sign(&a, Kind::Setup, b"body", &mut rng);
        assert_eq!(verify(a.public(), Kind::Setup, b"body", &signature), Ok(()));
        for (key, kind, body) in [
            (b.public(), Kind::Setup, b"body"),
            (a.public(), Kind::Release, b"body"),
            (a.public(), Kind::Setup, b"bodz"),
        ] {
            assert_eq!(verify(key, kind, body, &signature), Err(SignatureError::Invalid));
        }
        assert_eq!(Signature::from_bytes(&signature.to_bytes()), Ok(signature));
    }

    #[test]
    fn a_response_at_or_above_q_is_refused() {
        let mut rng = ChaCha20Rng::seed_from_u64(SEED);
        let key = SecretKey::generate(&mut rng);
        let small = Signature { r: generator(), s: Fq::from(3u8) };
        let mut bytes = small.to_bytes();
        let mut s = small.s.into_bigint();
        assert!(!s.add_with_carry(&Fq::MODULUS));
        bytes[64..].copy_from_slice(&s.to_bytes_be());
        assert_eq!(Signature::from_bytes(&bytes), Err(DecodeError::NotCanonical { what: "element of Fq" }));
        assert!(SecretKey::from_bytes(&[0; 32]).is_err());
        assert_eq!(SecretKey::from_bytes(&key.to_bytes()).unwrap().public(), key.public());
        assert_eq!(format!("{key:?}"), "SecretKey(..)");
    }

    #[test]
    fn a_commitment_is_signed_for_one_slot_of_one_round() {
        let mut rng = ChaCha20Rng::seed_from_u64(SEED);
        let key = SecretKey::generate(&mut rng);
        let c = hash_to_curve("test", 0);
        let (signed, made) = sign_commitment(&key, 3, &context(1), c, &mut rng);
        assert_eq!(verify_commitment(key.public(), 3, &context(1), &signed), Ok(made));
        assert_eq!(verify_commitment(key.public(), 4, &context(1), &signed), Err(SignatureError::Invalid));
        assert_eq!(verify_commitment(key.public(), 3, &context(2), &signed), Err(SignatureError::Invalid));
        let other = SignedCommitment { commitment: hash_to_curve("test", 1), ..signed };
        assert_eq!(verify_commitment(key.public(), 3, &context(1), &other), Err(SignatureError::Invalid));
        assert_eq!(SignedCommitment::from_bytes(&signed.to_bytes()), Ok(signed));
    }

    #[test]
    fn a_message_signature_is_no_commitment_signature() {
        let mut rng = ChaCha20Rng::seed_from_u64(SEED);
        let key = SecretKey::generate(&mut rng);
        let c = hash_to_curve("test", 0);
        for kind in [Kind::DigestClient, Kind::DigestAggregator, Kind::Request] {
            let signature = sign(&key, kind, &point_to_bytes(&c), &mut rng);
            let forged = SignedCommitment { commitment: c, signature };
            assert_eq!(
                verify_commitment(key.public(), 0, &context(1), &forged),
                Err(SignatureError::Invalid)
            );
        }
    }

    #[test]
    fn nonces_differ_even_when_the_generator_repeats() {
        let key = SecretKey::generate(&mut ChaCha20Rng::seed_from_u64(SEED));
        let again = || ChaCha20Rng::seed_from_u64(SEED);
        let first = sign(&key, Kind::Setup, b"one", &mut again());
        assert_ne!(first.r, sign(&key, Kind::Setup, b"two", &mut again()).r);
        assert_ne!(first.r, sign(&key, Kind::Enrol, b"one", &mut again()).r);
        assert_eq!(first, sign(&key, Kind::Setup, b"one", &mut again()));
    }

    #[test]
    fn a_key_that_meets_the_chain_is_refused() {
        let key = PublicKey::from_point(double(offset(Offset::VariableBase))).unwrap();
        let signature = Signature { r: hash_to_curve("test", 2), s: Fq::from(9u8) };
        let signed = SignedCommitment { commitment: hash_to_curve("test", 3), signature };
        assert_eq!(
            verify_commitment(&key, 0, &context(1), &signed),
            Err(SignatureError::Unprovable(ChainError::VariableBase { bit: 0 }))
        );
    }
}
