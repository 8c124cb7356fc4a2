//! Sealed boxes: shares for one peer, and a commitment that opens once its owner's `b` is known.
//!
//! Both are XChaCha20-Poly1305 under a key from HKDF, with a random nonce. Shares are sealed with
//! static-static X25519 of the two share-encryption keys, never with a mask key: the secret of a mask
//! key is reconstructed for a dropped client and would open its `b`.

use blindsum_engine::{
    curve::{Fq, Fr, fq_to_bytes, fr_to_bytes},
    domain::Label,
    roster::{RoundContext, SetupContext},
    schnorr::SignedCommitment,
};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use rand_core::CryptoRng;
use x25519_dalek::StaticSecret;
use zeroize::Zeroizing;

use crate::{
    keys::{agree, derived, x25519_public},
    wire::Reader,
};

/// Bytes of a nonce.
pub const NONCE_BYTES: usize = 24;
/// Bytes of the box of two shares.
pub const SHARE_BOX_BYTES: usize = 80;
/// Bytes of the box of a signed commitment.
pub const COMMITMENT_BOX_BYTES: usize = 176;

/// Who deals to whom, and in what context: what a box of shares is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShareBoxBinding {
    /// The setup.
    pub context: SetupContext,
    /// Slot of the dealer.
    pub dealer: u8,
    /// Slot of the receiver.
    pub receiver: u8,
    /// The dealer's share key.
    pub dealer_key: [u8; 32],
    /// The receiver's share key.
    pub receiver_key: [u8; 32],
}

/// The two shares that a dealer gives one receiver.
#[derive(Clone)]
pub struct SharePair {
    /// Share of `b`.
    pub self_mask: Fq,
    /// Share of the mask-key seed.
    pub mask_key: Fq,
}

impl Drop for SharePair {
    fn drop(&mut self) {
        use zeroize::Zeroize;
        self.self_mask.zeroize();
        self.mask_key.zeroize();
    }
}

impl std::fmt::Debug for SharePair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharePair(..)")
    }
}

impl ShareBoxBinding {
    /// `K(X25519(share keys), "share box", setup_context || dealer || receiver || dealer's share key ||
    /// receiver's share key, 32)`; `None` if the shared secret is zero.
    fn key(&self, own: &StaticSecret) -> Option<Zeroizing<[u8; 32]>> {
        let public = x25519_public(own);
        let peer = if public == self.dealer_key { &self.receiver_key } else { &self.dealer_key };
        let shared = agree(own, peer)?;
        let slots = [self.dealer, self.receiver];
        let info: [&[u8]; 4] = [&self.context.0, &slots, &self.dealer_key, &self.receiver_key];
        Some(derived(shared.as_ref(), Label::ShareBox, &info))
    }

    /// AAD: `setup_context || dealer || receiver`.
    fn aad(&self) -> [u8; 34] {
        let mut aad = [0; 34];
        aad[..32].copy_from_slice(&self.context.0);
        aad[32..].copy_from_slice(&[self.dealer, self.receiver]);
        aad
    }

    /// Seals two shares with the dealer's secret. `None` if the receiver's key is of low order.
    #[must_use]
    pub fn seal(
        &self,
        dealer_secret: &StaticSecret,
        shares: &SharePair,
        rng: &mut dyn CryptoRng,
    ) -> Option<([u8; NONCE_BYTES], [u8; SHARE_BOX_BYTES])> {
        let key = self.key(dealer_secret)?;
        let mut plain = Zeroizing::new([0; 64]);
        plain[..32].copy_from_slice(Zeroizing::new(fq_to_bytes(&shares.self_mask)).as_ref());
        plain[32..].copy_from_slice(Zeroizing::new(fq_to_bytes(&shares.mask_key)).as_ref());
        Some(seal(&key, plain.as_ref(), &self.aad(), rng))
    }

    /// Opens two shares with the receiver's secret; `None` if the box was not made for this pair and
    /// context, or holds values that are no scalars.
    #[must_use]
    pub fn open(
        &self,
        receiver_secret: &StaticSecret,
        nonce: &[u8; NONCE_BYTES],
        sealed: &[u8; SHARE_BOX_BYTES],
    ) -> Option<SharePair> {
        let key = self.key(receiver_secret)?;
        let plain = open(&key, nonce, sealed, &self.aad())?;
        let mut reader = Reader::new(&plain);
        let pair = SharePair { self_mask: reader.fq("share").ok()?, mask_key: reader.fq("share").ok()? };
        reader.finish().ok()?;
        Some(pair)
    }
}

/// AAD of a sealed commitment: `round_context || slot || lambda`.
fn commitment_aad(context: &RoundContext, slot: u8, leaf: &Fr) -> [u8; 65] {
    let mut aad = [0; 65];
    aad[..32].copy_from_slice(context.as_bytes());
    aad[32] = slot;
    aad[33..].copy_from_slice(&fr_to_bytes(leaf));
    aad
}

/// `K(b, "commitment seal", round_context || slot, 32)`.
fn commitment_key(b: &Fq, context: &RoundContext, slot: u8) -> Zeroizing<[u8; 32]> {
    let b = Zeroizing::new(fq_to_bytes(b));
    derived(b.as_ref(), Label::CommitmentSeal, &[context.as_bytes(), &[slot]])
}

/// Seals `C || R || s` so that it opens only once `b` is known.
#[must_use]
pub fn seal_commitment(
    b: &Fq,
    context: &RoundContext,
    slot: u8,
    leaf: &Fr,
    signed: &SignedCommitment,
    rng: &mut dyn CryptoRng,
) -> ([u8; NONCE_BYTES], [u8; COMMITMENT_BOX_BYTES]) {
    let plain = Zeroizing::new(signed.to_bytes());
    seal(&commitment_key(b, context, slot), plain.as_ref(), &commitment_aad(context, slot, leaf), rng)
}

/// Opens a sealed commitment with its owner's `b`; `None` if the box was not made for this slot,
/// context and leaf, or holds no point and signature. That the leaf is the signature's is checked
/// by `verify_commitment`.
#[must_use]
pub fn open_commitment(
    b: &Fq,
    context: &RoundContext,
    slot: u8,
    leaf: &Fr,
    nonce: &[u8; NONCE_BYTES],
    sealed: &[u8; COMMITMENT_BOX_BYTES],
) -> Option<SignedCommitment> {
    let plain = open(&commitment_key(b, context, slot), nonce, sealed, &commitment_aad(context, slot, leaf))?;
    let plain: &[u8; 160] = plain.as_slice().try_into().ok()?;
    SignedCommitment::from_bytes(plain).ok()
}

fn seal<const L: usize>(
    key: &[u8; 32],
    plain: &[u8],
    aad: &[u8],
    rng: &mut dyn CryptoRng,
) -> ([u8; NONCE_BYTES], [u8; L]) {
    let mut nonce = [0; NONCE_BYTES];
    rng.fill_bytes(&mut nonce);
    let cipher = XChaCha20Poly1305::new(key.into());
    let sealed = cipher
        .encrypt(&XNonce::from(nonce), Payload { msg: plain, aad })
        .expect("messages of this size are below the cipher's limit");
    (nonce, sealed.try_into().expect("the tag adds 16 bytes"))
}

fn open(key: &[u8; 32], nonce: &[u8; NONCE_BYTES], sealed: &[u8], aad: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let cipher = XChaCha20Poly1305::new(key.into());
    cipher.decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad }).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use blindsum_engine::{
        curve::hash_to_curve,
        schnorr::{SecretKey, sign_commitment},
    };
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

    use super::*;
    use crate::keys::x25519_generate;

    const SEED: u64 = 0x5ea1;

    #[test]
    fn a_box_opens_only_for_its_pair_direction_and_context() {
        let mut rng = ChaCha20Rng::seed_from_u64(SEED);
        let (dealer, receiver) = (x25519_generate(&mut rng), x25519_generate(&mut rng));
        let binding = ShareBoxBinding {
            context: SetupContext([9; 32]),
            dealer: 4,
            receiver: 2,
            dealer_key: x25519_public(&dealer),
            receiver_key: x25519_public(&receiver),
        };
        let shares = SharePair { self_mask: Fq::from(11u8), mask_key: Fq::from(12u8) };
        let (nonce, sealed) = binding.seal(&dealer, &shares, &mut rng).unwrap();
        let opened = binding.open(&receiver, &nonce, &sealed).unwrap();
        assert_eq!((opened.self_mask, opened.mask_key), (Fq::from(11u8), Fq::from(12u8)));
        let other = x25519_generate(&mut rng);
        assert!(binding.open(&other, &nonce, &sealed).is_none());
        let wrong = [
            ShareBoxBinding { context: SetupContext([8; 32]), ..binding },
            ShareBoxBinding { dealer: 5, ..binding },
            ShareBoxBinding { dealer: 2, receiver: 4, ..binding },
            ShareBoxBinding { dealer_key: x25519_public(&other), ..binding },
        ];
        assert!(wrong.iter().all(|binding| binding.open(&receiver, &nonce, &sealed).is_none()));
        for i in 0..SHARE_BOX_BYTES {
            let mut flipped = sealed;
            flipped[i] ^= 1;
            assert!(binding.open(&receiver, &nonce, &flipped).is_none(), "byte {i}");
        }
        let low = ShareBoxBinding { receiver_key: [0; 32], ..binding };
        assert!(low.seal(&dealer, &shares, &mut rng).is_none());
    }

    #[test]
    fn a_commitment_opens_only_with_b_and_its_leaf() {
        let mut rng = ChaCha20Rng::seed_from_u64(SEED);
        let key = SecretKey::generate(&mut rng);
        let context = RoundContext::from_hash(&[3; 32]);
        let (signed, leaf) = sign_commitment(&key, 6, &context, hash_to_curve("test", 1), &mut rng);
        let b = Fq::from(77u8);
        let (nonce, sealed) = seal_commitment(&b, &context, 6, &leaf, &signed, &mut rng);
        assert_eq!(open_commitment(&b, &context, 6, &leaf, &nonce, &sealed), Some(signed));
        assert_eq!(open_commitment(&Fq::from(78u8), &context, 6, &leaf, &nonce, &sealed), None);
        assert_eq!(open_commitment(&b, &context, 7, &leaf, &nonce, &sealed), None);
        assert_eq!(open_commitment(&b, &context, 6, &(leaf + Fr::from(1u8)), &nonce, &sealed), None);
    }
}
