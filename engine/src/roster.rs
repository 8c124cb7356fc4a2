//! Who may take part: slots, bitmaps, rosters, and the two contexts as plain values.

use std::fmt;

use crate::{
    curve::{Fr, Point, empty_slot_point, fr_from_bytes},
    error::{DecodeError, Misuse},
    poseidon,
    schnorr::PublicKey,
    tree,
};
use ark_ff::PrimeField;

/// The number of slots of a cohort; each size has its own circuit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u16)]
pub enum CohortSize {
    /// 16 slots.
    N16 = 16,
    /// 64 slots.
    N64 = 64,
    /// 128 slots.
    N128 = 128,
    /// 256 slots.
    N256 = 256,
}

impl CohortSize {
    /// Every size, smallest first.
    pub const ALL: [CohortSize; 4] = [Self::N16, Self::N64, Self::N128, Self::N256];

    /// The number of slots, `N`.
    #[must_use]
    pub const fn slots(self) -> usize {
        self as usize
    }

    /// The words that carry the bitmap among the public inputs: 1, or 2 for 256 slots.
    #[must_use]
    pub const fn bitmap_words(self) -> usize {
        if matches!(self, Self::N256) { 2 } else { 1 }
    }
}

impl TryFrom<u32> for CohortSize {
    type Error = Misuse;

    fn try_from(slots: u32) -> Result<Self, Misuse> {
        Self::ALL.into_iter().find(|size| *size as u32 == slots).ok_or(Misuse::CohortSize { got: slots })
    }
}

impl fmt::Display for CohortSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.slots())
    }
}

/// A set of slots: bit `i`, least significant first, is slot `i`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Bitmap([u128; 2]);

impl Bitmap {
    /// No slot.
    pub const EMPTY: Self = Self([0; 2]);

    /// The slots `start .. start + len`.
    #[must_use]
    pub fn range(start: usize, len: usize) -> Self {
        (start..(start + len).min(256)).map(|slot| slot as u8).collect()
    }

    /// Is `slot` in the set?
    #[must_use]
    pub const fn get(&self, slot: u8) -> bool {
        self.0[(slot >> 7) as usize] >> (slot & 127) & 1 == 1
    }

    /// Puts `slot` in the set, or takes it out.
    pub const fn set(&mut self, slot: u8, present: bool) {
        let bit = 1 << (slot & 127);
        let word = &mut self.0[(slot >> 7) as usize];
        *word = if present { *word | bit } else { *word & !bit };
    }

    /// The number of slots in the set.
    #[must_use]
    pub const fn count(&self) -> usize {
        (self.0[0].count_ones() + self.0[1].count_ones()) as usize
    }

    /// True if the set is empty.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0[0] == 0 && self.0[1] == 0
    }

    /// The slots of the set, lowest first.
    pub fn iter(&self) -> impl Iterator<Item = u8> + use<> {
        let set = *self;
        (0..=255u8).filter(move |slot| set.get(*slot))
    }

    /// True if every slot of `self` is in `other`.
    #[must_use]
    pub const fn is_subset(&self, other: &Self) -> bool {
        self.0[0] & !other.0[0] == 0 && self.0[1] & !other.0[1] == 0
    }

    /// The slots in both.
    #[must_use]
    pub const fn intersection(&self, other: &Self) -> Self {
        Self([self.0[0] & other.0[0], self.0[1] & other.0[1]])
    }

    /// The slots in either.
    #[must_use]
    pub const fn union(&self, other: &Self) -> Self {
        Self([self.0[0] | other.0[0], self.0[1] | other.0[1]])
    }

    /// The slots of `self` that are not in `other`.
    #[must_use]
    pub const fn difference(&self, other: &Self) -> Self {
        Self([self.0[0] & !other.0[0], self.0[1] & !other.0[1]])
    }

    /// The two words, low slots first.
    #[must_use]
    pub const fn words(&self) -> [u128; 2] {
        self.0
    }

    /// From the two words, low slots first.
    #[must_use]
    pub const fn from_words(words: [u128; 2]) -> Self {
        Self(words)
    }

    /// A u256, big-endian.
    #[must_use]
    pub fn to_be_bytes(&self) -> [u8; 32] {
        let mut out = [0; 32];
        out[..16].copy_from_slice(&self.0[1].to_be_bytes());
        out[16..].copy_from_slice(&self.0[0].to_be_bytes());
        out
    }

    /// Reads a u256, big-endian.
    #[must_use]
    pub fn from_be_bytes(bytes: &[u8; 32]) -> Self {
        let word = |half: &[u8]| half.iter().fold(0u128, |word, byte| word << 8 | u128::from(*byte));
        let (high, low) = bytes.split_at(16);
        Self([word(low), word(high)])
    }
}

impl FromIterator<u8> for Bitmap {
    fn from_iter<I: IntoIterator<Item = u8>>(slots: I) -> Self {
        let mut set = Self::EMPTY;
        for slot in slots {
            set.set(slot, true);
        }
        set
    }
}

impl fmt::Debug for Bitmap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// The hash of everything that is fixed before setup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SetupContext(pub [u8; 32]);

/// The hash of everything that is fixed before masked input: a 240-bit integer in 32 big-endian
/// bytes, of which the first two are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RoundContext([u8; 32]);

impl RoundContext {
    /// From the first 30 bytes of a hash.
    #[must_use]
    pub fn from_hash(hash: &[u8; 32]) -> Self {
        let mut bytes = [0; 32];
        bytes[2..].copy_from_slice(&hash[..30]);
        Self(bytes)
    }

    /// Reads its 32 bytes.
    ///
    /// # Errors
    /// If one of the two leading bytes is not zero.
    pub const fn from_bytes(bytes: [u8; 32]) -> Result<Self, DecodeError> {
        if bytes[0] != 0 || bytes[1] != 0 {
            return Err(DecodeError::NotCanonical { what: "round context" });
        }
        Ok(Self(bytes))
    }

    /// Its 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The same integer as a field element.
    #[must_use]
    pub fn as_fr(&self) -> Fr {
        fr_from_bytes(&self.0).expect("240 bits are below r")
    }
}

/// The first input of a leaf: `1 * 2^248 + slot * 2^240 + round_context`. The factor 1 is the tag.
#[must_use]
pub fn slot_tag(slot: u8, round_context: &RoundContext) -> Fr {
    let mut bytes = round_context.0;
    bytes[0] = 1;
    bytes[1] = slot;
    Fr::from_be_bytes_mod_order(&bytes)
}

/// A fixed list of distinct client keys, one a slot; slots may be empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster {
    size: CohortSize,
    keys: Vec<Option<PublicKey>>,
    root: Fr,
}

impl Roster {
    /// A roster of `size` slots.
    ///
    /// Proofs of possession are the registry's to check, before a key gets here.
    ///
    /// # Errors
    /// If the number of keys is not `size`, or two slots hold the same key.
    pub fn new(size: CohortSize, keys: Vec<Option<PublicKey>>) -> Result<Self, Misuse> {
        if keys.len() != size.slots() {
            return Err(Misuse::LengthMismatch { what: "roster", expected: size.slots(), got: keys.len() });
        }
        let mut seen = std::collections::HashMap::new();
        for (slot, key) in keys.iter().enumerate() {
            let Some(key) = key else { continue };
            if let Some(first) = seen.insert(key.to_bytes(), slot as u8) {
                return Err(Misuse::EqualKeys { first, second: slot as u8 });
            }
        }
        let leaves: Vec<Fr> = keys
            .iter()
            .map(|key| roster_leaf(key.as_ref().map_or_else(empty_slot_point, PublicKey::point)))
            .collect();
        let root = tree::root(&leaves);
        Ok(Self { size, keys, root })
    }

    /// The number of slots.
    #[must_use]
    pub const fn size(&self) -> CohortSize {
        self.size
    }

    /// The key of `slot`; `None` if the slot is empty or beyond the cohort.
    #[must_use]
    pub fn key(&self, slot: u8) -> Option<&PublicKey> {
        self.keys.get(usize::from(slot))?.as_ref()
    }

    /// The point of every slot, in order; empty slots hold [`empty_slot_point`].
    #[must_use]
    pub fn key_points(&self) -> Vec<Point> {
        self.keys.iter().map(|key| key.as_ref().map_or_else(empty_slot_point, PublicKey::point)).collect()
    }

    /// The slots that hold a key.
    #[must_use]
    pub fn occupied(&self) -> Bitmap {
        (0..self.size.slots()).map(|slot| slot as u8).filter(|slot| self.key(*slot).is_some()).collect()
    }

    /// The slot of `key`, if it is in the roster.
    #[must_use]
    pub fn slot_of(&self, key: &PublicKey) -> Option<u8> {
        self.keys.iter().position(|held| held.as_ref() == Some(key)).map(|slot| slot as u8)
    }

    /// The root of the 4-ary tree over the keys.
    #[must_use]
    pub const fn root(&self) -> Fr {
        self.root
    }
}

/// The leaf of one key: `Poseidon(PK_x, PK_y)`.
#[must_use]
pub fn roster_leaf(key: Point) -> Fr {
    poseidon::hash(&[key.x, key.y])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curve::{fr_to_bytes, hash_to_curve};

    fn key(i: u64) -> Option<PublicKey> {
        Some(PublicKey::from_point(hash_to_curve("test key", i)).unwrap())
    }

    #[test]
    fn bitmap_bytes_put_slot_zero_last() {
        let set: Bitmap = [0, 9, 255].into_iter().collect();
        let bytes = set.to_be_bytes();
        assert_eq!((bytes[31], bytes[30], bytes[0]), (1, 2, 0x80));
        assert_eq!(Bitmap::from_be_bytes(&bytes), set);
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 9, 255]);
        assert_eq!(set.count(), 3);
        assert!(Bitmap::range(0, 10).intersection(&set).is_subset(&set));
        assert_eq!(Bitmap::range(0, 256).difference(&set).count(), 253);
    }

    #[test]
    fn roster_refuses_equal_keys_and_wrong_lengths() {
        let mut keys: Vec<_> = (0..16).map(key).collect();
        keys[3] = None;
        let roster = Roster::new(CohortSize::N16, keys.clone()).unwrap();
        assert_eq!(roster.occupied().count(), 15);
        assert_eq!(roster.key_points()[3], empty_slot_point());
        assert_eq!(roster.slot_of(&key(5).unwrap()), Some(5));
        keys[9] = key(2);
        assert_eq!(
            Roster::new(CohortSize::N16, keys.clone()),
            Err(Misuse::EqualKeys { first: 2, second: 9 })
        );
        keys.pop();
        assert!(matches!(Roster::new(CohortSize::N16, keys), Err(Misuse::LengthMismatch { got: 15, .. })));
    }

    #[test]
    fn slot_tag_packs_tag_slot_and_context() {
        let context = RoundContext::from_hash(&[0xab; 32]);
        let bytes = fr_to_bytes(&slot_tag(7, &context));
        assert_eq!((bytes[0], bytes[1]), (1, 7));
        assert_eq!(bytes[2..], [0xab; 30]);
        assert!(RoundContext::from_bytes(bytes).is_err());
    }
}
