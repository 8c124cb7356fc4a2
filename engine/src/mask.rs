//! Masks: a 32-byte ChaCha20 key stands for a whole vector of words, added or subtracted mod 2^32.
//!
//! The stream is that of [`crate::naive::stream_word`]; both key and stream are secret.

use core::fmt;

use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// The ChaCha20 key of one mask. Secret: wiped on drop, never printed, compared in constant time.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct MaskKey([u8; 32]);

impl MaskKey {
    /// Wraps key bytes; the caller wipes its own copy.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The key bytes, for a backend that expands them.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key as the eight little-endian words of ChaCha20's state rows 4 to 11 (RFC 8439, section 2.3).
    #[must_use]
    pub fn words(&self) -> Zeroizing<[u32; 8]> {
        let mut words = Zeroizing::new([0u32; 8]);
        let (quads, _) = self.0.as_chunks::<4>();
        for (word, quad) in words.iter_mut().zip(quads) {
            *word = u32::from_le_bytes(*quad);
        }
        words
    }
}

impl fmt::Debug for MaskKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MaskKey(<redacted>)")
    }
}

impl ConstantTimeEq for MaskKey {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl PartialEq for MaskKey {
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(other).into()
    }
}

impl Eq for MaskKey {}

/// Whether a mask is added to the accumulator or taken away from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sign {
    /// `acc_j += stream_j`
    Add,
    /// `acc_j -= stream_j`
    Subtract,
}

impl Sign {
    /// The sign that undoes this one.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Add => Self::Subtract,
            Self::Subtract => Self::Add,
        }
    }
}

/// A mask and the sign it is applied with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedMask {
    /// Key of the stream.
    pub key: MaskKey,
    /// Direction; public.
    pub sign: Sign,
}

impl SignedMask {
    /// A mask that is added.
    #[must_use]
    pub const fn add(key: MaskKey) -> Self {
        Self { key, sign: Sign::Add }
    }

    /// A mask that is subtracted.
    #[must_use]
    pub const fn subtract(key: MaskKey) -> Self {
        Self { key, sign: Sign::Subtract }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_never_prints_itself() {
        let mask = SignedMask::add(MaskKey::new([0xab; 32]));
        let text = format!("{mask:?}");
        assert!(text.contains("redacted"));
        assert!(!text.contains("ab, ") && !text.contains("171"));
    }

    #[test]
    fn words_are_little_endian() {
        let key = MaskKey::new(core::array::from_fn(|i| u8::try_from(i).expect("32 fits")));
        assert_eq!(key.words()[0], 0x0302_0100);
        assert_eq!(key.words()[7], 0x1f1e_1d1c);
    }

    #[test]
    fn equality_sees_every_byte() {
        let key = MaskKey::new([7; 32]);
        for i in 0..32 {
            let mut other = [7; 32];
            other[i] ^= 1;
            assert_ne!(key, MaskKey::new(other));
        }
        assert_eq!(key, MaskKey::new([7; 32]));
    }
}
