//! Keys of a round: share-encryption keys, mask secrets, and what masks are derived from.
//!
//! A client's two secrets of a round are uniform scalars: `b`, from which its own mask comes, and a
//! seed, from which its X25519 mask secret comes. Everything else is derived here by HKDF, so that
//! who reconstructs a secret derives what its owner derived. Info strings are those of section 10
//! of the design.

use std::fmt;

use blindsum_engine::{
    curve::{Fq, fq_from_wide, fq_to_bytes},
    domain::Label,
    hash::{derive, hash},
    roster::{RoundContext, SetupContext},
};
use rand_core::CryptoRng;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use crate::message::release::ShareKind;

/// `X25519(secret, public)`, or `None` where the result is all zero (RFC 7748, section 6.1).
#[must_use]
pub fn agree(secret: &StaticSecret, public: &[u8; 32]) -> Option<Zeroizing<[u8; 32]>> {
    let shared = secret.diffie_hellman(&PublicKey::from(*public));
    shared.was_contributory().then(|| Zeroizing::new(shared.to_bytes()))
}

/// Is every shared secret with this X25519 key zero?
///
/// Clamped scalars are multiples of 8, so a key of small order gives zero with all of them and any
/// other key with none: one trial decides.
#[must_use]
pub fn is_low_order(public: &[u8; 32]) -> bool {
    agree(&StaticSecret::from([1; 32]), public).is_none()
}

/// The public key of an X25519 secret.
#[must_use]
pub fn x25519_public(secret: &StaticSecret) -> [u8; 32] {
    PublicKey::from(secret).to_bytes()
}

/// A fresh X25519 secret.
#[must_use]
pub fn x25519_generate(rng: &mut dyn CryptoRng) -> StaticSecret {
    let mut bytes = Zeroizing::new([0; 32]);
    rng.fill_bytes(bytes.as_mut());
    StaticSecret::from(*bytes)
}

/// X25519 mask secret of a setup: `K(seed, "mask key", setup_context || slot, 32)`.
#[must_use]
pub fn mask_secret(seed: &Fq, context: &SetupContext, slot: u8) -> StaticSecret {
    let seed = Zeroizing::new(fq_to_bytes(seed));
    let mut key = Zeroizing::new([0; 32]);
    derive(seed.as_ref(), Label::MaskKey, &[&context.0, &[slot]], key.as_mut());
    StaticSecret::from(*key)
}

/// `H("self seed"; setup_context, slot, b)`.
#[must_use]
pub fn self_seed_hash(b: &Fq, context: &SetupContext, slot: u8) -> [u8; 32] {
    hash(Label::SelfSeed, &[&context.0, &[slot], Zeroizing::new(fq_to_bytes(b)).as_ref()])
}

/// `H("share"; setup_context, dealer, receiver, kind, share)`. Shares are uniform: no salt.
#[must_use]
pub fn share_hash(context: &SetupContext, dealer: u8, receiver: u8, kind: ShareKind, share: &Fq) -> [u8; 32] {
    hash(
        Label::Share,
        &[&context.0, &[dealer, receiver, kind as u8], Zeroizing::new(fq_to_bytes(share)).as_ref()],
    )
}

/// Key of a client's own mask: `K(b, "self mask", round_context || slot)`.
#[must_use]
pub fn self_mask_key(b: &Fq, context: &RoundContext, slot: u8) -> Zeroizing<[u8; 32]> {
    derived(Zeroizing::new(fq_to_bytes(b)).as_ref(), Label::SelfMask, &[context.as_bytes(), &[slot]])
}

/// Key of the mask of a pair: `K(X25519(i, j), "pair mask", round_context || lower || higher)`.
#[must_use]
pub fn pair_mask_key(shared: &[u8; 32], context: &RoundContext, one: u8, other: u8) -> Zeroizing<[u8; 32]> {
    derived(shared, Label::PairMask, &[context.as_bytes(), &[one.min(other), one.max(other)]])
}

/// A client's own mask of its blinding: 64 bytes of `K(b, "self blinding", ...)` reduced mod q.
#[must_use]
pub fn self_blinding_mask(b: &Fq, context: &RoundContext, slot: u8) -> Fq {
    blinding(Zeroizing::new(fq_to_bytes(b)).as_ref(), Label::SelfBlinding, &[context.as_bytes(), &[slot]])
}

/// A pair's mask of a blinding: 64 bytes of `K(X25519(i, j), "pair blinding", ...)` reduced mod q.
#[must_use]
pub fn pair_blinding_mask(shared: &[u8; 32], context: &RoundContext, one: u8, other: u8) -> Fq {
    blinding(shared, Label::PairBlinding, &[context.as_bytes(), &[one.min(other), one.max(other)]])
}

/// Does `one` add the mask it shares with `other`? The lower slot adds, the higher subtracts.
#[must_use]
pub const fn adds(one: u8, other: u8) -> bool {
    one < other
}

pub(crate) fn derived(ikm: &[u8], label: Label, info: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    let mut key = Zeroizing::new([0; 32]);
    derive(ikm, label, info, key.as_mut());
    key
}

fn blinding(ikm: &[u8], label: Label, info: &[&[u8]]) -> Fq {
    let mut wide = Zeroizing::new([0; 64]);
    derive(ikm, label, info, wide.as_mut());
    fq_from_wide(&wide)
}

/// A client's share-encryption secrets, numbered from 0 in each epoch.
///
/// Setup number `k` seals with secret `k` and announces public key `k + 1`; peers that missed the
/// last announcement still seal to an older one, so secret `k` is kept until setup `k + 2`.
#[derive(Clone)]
pub struct ShareKeyRing {
    current: u32,
    secrets: Vec<(u32, StaticSecret)>,
}

/// The share keys that a setup names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnnouncedKeys {
    /// Number of the key that seals this setup.
    pub number: u32,
    /// That key.
    pub key: [u8; 32],
    /// The key of number `number + 1`.
    pub next: [u8; 32],
}

impl ShareKeyRing {
    /// A ring with a fresh secret number 0.
    #[must_use]
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        Self { current: 0, secrets: vec![(0, x25519_generate(rng))] }
    }

    /// Number of the secret that the next setup seals with.
    #[must_use]
    pub fn current(&self) -> u32 {
        self.current
    }

    /// The secret of `number`, unless it is erased or not made yet.
    #[must_use]
    pub fn secret(&self, number: u32) -> Option<&StaticSecret> {
        self.secrets.iter().find(|(held, _)| *held == number).map(|(_, secret)| secret)
    }

    /// The public key of `number`.
    #[must_use]
    pub fn public(&self, number: u32) -> Option<[u8; 32]> {
        self.secret(number).map(x25519_public)
    }

    /// The keys for a new setup: makes the next secret, erases the one of two setups ago.
    ///
    /// # Panics
    /// After 2^32 - 1 setups in one epoch.
    pub fn advance(&mut self, rng: &mut dyn CryptoRng) -> AnnouncedKeys {
        let number = self.current;
        let key = self.public(number).expect("the current secret is always held");
        self.current = number.checked_add(1).expect("fewer than 2^32 setups in an epoch");
        self.secrets.push((self.current, x25519_generate(rng)));
        self.secrets.retain(|(held, _)| *held + 1 >= number);
        let next = self.public(self.current).expect("it was just made");
        AnnouncedKeys { number, key, next }
    }

    /// Numbers and secrets, for the durable state.
    pub(crate) fn entries(&self) -> &[(u32, StaticSecret)] {
        &self.secrets
    }

    /// A ring from the durable state; the current secret must be among the entries.
    pub(crate) fn from_entries(current: u32, secrets: Vec<(u32, StaticSecret)>) -> Option<Self> {
        secrets.iter().any(|(number, _)| *number == current).then_some(Self { current, secrets })
    }
}

impl fmt::Debug for ShareKeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShareKeyRing").field("current", &self.current).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

    use super::*;

    const SEED: u64 = 0x6e7;

    #[test]
    fn secrets_are_erased_two_setups_later() {
        let mut rng = ChaCha20Rng::seed_from_u64(SEED);
        let mut ring = ShareKeyRing::generate(&mut rng);
        let mut announced = ring.public(0).unwrap();
        for number in 0..5u32 {
            let keys = ring.advance(&mut rng);
            assert_eq!((keys.number, keys.key), (number, announced));
            announced = keys.next;
            assert!(ring.secret(number + 1).is_some() && ring.secret(number).is_some());
            assert_eq!(ring.secret(number.wrapping_sub(1)).is_some(), number >= 1);
            assert!(ring.secret(number.wrapping_sub(2)).is_none());
        }
        assert!(!format!("{ring:?}").contains("StaticSecret"));
    }

    #[test]
    fn low_order_keys_are_recognised() {
        let mut rng = ChaCha20Rng::seed_from_u64(SEED);
        let secret = x25519_generate(&mut rng);
        assert!(!is_low_order(&x25519_public(&secret)));
        let mut one = [0; 32];
        one[0] = 1;
        // Of order 8: a point of RFC 7748's curve, from Bernstein's list of small-order inputs.
        let eight = hex::decode("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800").unwrap();
        for low in [[0; 32], one, eight.try_into().unwrap()] {
            assert!(is_low_order(&low));
            assert!(agree(&secret, &low).is_none());
        }
    }

    #[test]
    fn both_ends_of_a_pair_derive_one_mask() {
        let mut rng = ChaCha20Rng::seed_from_u64(SEED);
        let (a, b) = (x25519_generate(&mut rng), x25519_generate(&mut rng));
        let (ab, ba) = (agree(&a, &x25519_public(&b)).unwrap(), agree(&b, &x25519_public(&a)).unwrap());
        let context = RoundContext::from_hash(&[7; 32]);
        assert_eq!(pair_mask_key(&ab, &context, 3, 9), pair_mask_key(&ba, &context, 9, 3));
        assert_eq!(pair_blinding_mask(&ab, &context, 3, 9), pair_blinding_mask(&ba, &context, 9, 3));
        assert!(adds(3, 9) && !adds(9, 3));
        let other = RoundContext::from_hash(&[8; 32]);
        assert_ne!(pair_mask_key(&ab, &context, 3, 9), pair_mask_key(&ab, &other, 3, 9));
    }
}
