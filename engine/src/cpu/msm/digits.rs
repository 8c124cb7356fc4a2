//! Scalars by class, and the digits of those that count.
//!
//! A digit needs no carry from the one below: with half of a window added in every window but the highest,
//! `m + sum_w 2^(c w + c - 1)`, the bits of a window are its digit and that half.

use ark_ff::{BigInt, BigInteger, PrimeField};
use rayon::prelude::*;

/// Scalars that a thread classifies at a time.
const CHUNK: usize = 1 << 15;
/// Magnitudes of a class that are cut together.
const BLOCK: usize = 64;
/// A magnitude has 253 bits; a 254th, zero, takes the carry into the top digit.
const SCALAR_BITS: u32 = 254;

/// The longest magnitudes of each class of terms, in bits: those of a field element negated where that is shorter, and of
/// what a witness is full of, bits and words.
const CLASSES: [u32; N_CLASSES] = [253, 128, 64, 32, 16, 1];
const N_CLASSES: usize = 6;

/// Windows of a scalar.
pub(super) const fn n_windows(window_bits: u32) -> u32 {
    SCALAR_BITS.div_ceil(window_bits)
}

/// A point that counts, with the magnitude of its scalar.
struct Term {
    class: usize,
    /// `index * 2 + sign`.
    entry: u32,
    magnitude: BigInt<4>,
}

impl Term {
    /// Without a branch on the sign: half of all full scalars have it, and none can be predicted.
    fn new<F: PrimeField<BigInt = BigInt<4>>>(index: usize, scalar: &F) -> Self {
        let (scalar, mut negated, mut left) =
            (scalar.into_bigint(), F::MODULUS, F::MODULUS_MINUS_ONE_DIV_TWO);
        negated.sub_with_borrow(&scalar);
        let negative = u32::from(left.sub_with_borrow(&scalar));
        let mask = u64::from(negative).wrapping_neg();
        let select = |i: usize| scalar.0[i] ^ (scalar.0[i] ^ negated.0[i]) & mask;
        let magnitude = BigInt(core::array::from_fn(select));
        let bits = magnitude.num_bits();
        let class = CLASSES[1..].iter().filter(|longest| bits <= **longest).count();
        Self { class, entry: (index as u32) << 1 | negative, magnitude }
    }
}

/// How many terms are in each class or in one of those before it.
#[derive(Clone, Copy)]
pub(super) struct Classes {
    ends: [usize; N_CLASSES],
}

impl Classes {
    /// How many terms may have a digit other than zero in each window: those of the first classes.
    pub(super) fn lens(self, window_bits: u32) -> impl Iterator<Item = usize> {
        (0..n_windows(window_bits)).map(move |window| {
            let reach = |longest: &&u32| reaches(**longest, window, window_bits);
            let n_classes = CLASSES.iter().take_while(reach).count();
            n_classes.checked_sub(1).map_or(0, |last| self.ends[last])
        })
    }
}

/// Whether a magnitude of so many bits may have a digit other than zero in this window: from half of the window below on,
/// carries included, so `2^k - 1` too if that half is `2^k`.
fn reaches(n_bits: u32, window: u32, window_bits: u32) -> bool {
    n_bits >= (window * window_bits).saturating_sub(1)
}

/// Scalars, and how many of them count: are not zero, and have a point that is not infinity.
pub(super) struct Scalars<'a, F, I> {
    scalars: &'a [F],
    is_infinity: I,
    /// Of each chunk, by class.
    counts: Vec<[usize; N_CLASSES]>,
}

impl<'a, F: PrimeField<BigInt = BigInt<4>>, I: Fn(usize) -> bool + Sync> Scalars<'a, F, I> {
    pub(super) fn new(scalars: &'a [F], is_infinity: I) -> Self {
        let mut new = Self { scalars, is_infinity, counts: Vec::new() };
        let counts_of = |chunk| {
            let mut counts = [0; N_CLASSES];
            new.terms(chunk).for_each(|term| counts[term.class] += 1);
            counts
        };
        new.counts = (0..scalars.len().div_ceil(CHUNK)).into_par_iter().map(counts_of).collect();
        new
    }

    /// The terms that count of a chunk of scalars.
    fn terms(&self, chunk: usize) -> impl Iterator<Item = Term> {
        let first = chunk * CHUNK;
        let scalars = &self.scalars[first..self.scalars.len().min(first + CHUNK)];
        let counts = |(index, scalar): &(usize, &F)| !scalar.is_zero() && !(self.is_infinity)(*index);
        (first..).zip(scalars).filter(counts).map(|(index, scalar)| Term::new(index, scalar))
    }

    pub(super) fn classes(&self) -> Classes {
        let mut n_terms = 0;
        let ends = core::array::from_fn(|class| {
            n_terms += self.counts.iter().map(|counts| counts[class]).sum::<usize>();
            n_terms
        });
        Classes { ends }
    }

    pub(super) fn cut(&self, window_bits: u32) -> Digits {
        // By all threads: the first touch of fresh memory is what takes time.
        let lens: Vec<usize> = self.classes().lens(window_bits).collect();
        let mut entries: Vec<u32> = rayon::iter::repeat_n(0, lens[0]).collect();
        let mut digits: Vec<i16> = rayon::iter::repeat_n(0, lens.iter().sum()).collect();
        let mut rest = &mut digits[..];
        let mut windows: Vec<_> = Vec::with_capacity(lens.len());
        for &len in &lens {
            let window;
            (window, rest) = rest.split_at_mut(len);
            windows.push(places(window, &self.counts).into_iter());
        }
        let places: Vec<_> = places(&mut entries, &self.counts)
            .into_iter()
            .map(|entries| (entries, windows.iter_mut().filter_map(Iterator::next).collect::<Vec<_>>()))
            .collect();
        places.into_par_iter().enumerate().for_each(|(chunk, (mut entries, mut windows))| {
            let mut blocks = [(); N_CLASSES].map(|()| Block::new(window_bits));
            let mut cut = |class: usize, block: &mut Block| {
                block.cut(&mut entries[class], windows.iter_mut().map(|window| &mut window[class]));
            };
            for term in self.terms(chunk) {
                let block = &mut blocks[term.class];
                block.push(&term);
                if block.len == BLOCK {
                    cut(term.class, block);
                }
            }
            for (class, block) in blocks.iter_mut().enumerate() {
                cut(class, block);
            }
        });
        Digits { lens, entries, digits }
    }
}

/// Cuts what is in the order of the terms into the places of each chunk of scalars, class by class.
fn places<'a, T>(mut rest: &'a mut [T], counts: &[[usize; N_CLASSES]]) -> Vec<[&'a mut [T]; N_CLASSES]> {
    let mut places: Vec<[&mut [T]; N_CLASSES]> = counts.iter().map(|_| Default::default()).collect();
    for class in 0..N_CLASSES {
        for (places, counts) in places.iter_mut().zip(counts) {
            // Windows end with the last class that reaches them.
            (places[class], rest) = rest.split_at_mut(counts[class].min(rest.len()));
        }
    }
    places
}

/// Takes the first `n` of what is left; all of it if that is less.
fn first_of<'a, T>(left: &mut &'a mut [T], n: usize) -> &'a mut [T] {
    let n = n.min(left.len());
    let (first, rest) = core::mem::take(left).split_at_mut(n);
    *left = rest;
    first
}

/// Some terms of one class; their magnitudes limb by limb, each with half of a window added in every window but the highest.
struct Block {
    window_bits: u32,
    halves: BigInt<4>,
    entries: [u32; BLOCK],
    limbs: [[u64; BLOCK]; 5],
    len: usize,
}

impl Block {
    fn new(window_bits: u32) -> Self {
        let mut halves = BigInt([0; 4]);
        for window in 0..n_windows(window_bits) - 1 {
            let bit = window * window_bits + window_bits - 1;
            halves.0[bit as usize / 64] |= 1 << (bit % 64);
        }
        Self { window_bits, halves, entries: [0; BLOCK], limbs: [[0; BLOCK]; 5], len: 0 }
    }

    fn push(&mut self, term: &Term) {
        self.entries[self.len] = term.entry;
        let mut magnitude = term.magnitude;
        magnitude.add_with_carry(&self.halves);
        for (row, limb) in self.limbs.iter_mut().zip(magnitude.0) {
            row[self.len] = limb;
        }
        self.len += 1;
    }

    /// Writes the entries, and the digits of each window, to the first of their places, and takes these away. Windows that the
    /// class does not reach have no place: the digits there are zero.
    ///
    /// Digits lie in `-2^(c-1) .. 2^(c-1)`. The highest is what is left, which is no more than `2^(c-1)`, and for the widest
    /// windows less.
    fn cut<'p, 'd: 'p>(
        &mut self,
        entries: &mut &mut [u32],
        windows: impl Iterator<Item = &'p mut &'d mut [i16]>,
    ) {
        first_of(entries, self.len).copy_from_slice(&self.entries[..self.len]);
        let c = self.window_bits;
        for (window, places) in (0..).zip(windows) {
            let half = if window + 1 == n_windows(c) { 0 } else { 1 << (c - 1) };
            let (limb, shift) = ((window * c / 64) as usize, window * c % 64);
            let bits = self.limbs[limb].iter().zip(&self.limbs[limb + 1]);
            for (digit, (low, high)) in first_of(places, self.len).iter_mut().zip(bits) {
                let bits = (low >> shift | (high << 1) << (63 - shift)) & ((1 << c) - 1);
                *digit = (bits as i32 - half) as i16;
            }
        }
        self.len = 0;
    }
}

/// The terms that count and their digits, longest class first.
pub(super) struct Digits {
    /// Terms of each window.
    lens: Vec<usize>,
    /// `index * 2 + sign` of each.
    entries: Vec<u32>,
    /// The digits of window 0, of window 1, and so on, each of the terms that reach it.
    digits: Vec<i16>,
}

impl Digits {
    /// The terms of each window, `index * 2 + sign`, and their digits.
    pub(super) fn windows(&self) -> impl Iterator<Item = (&[u32], &[i16])> {
        let mut rest = &self.digits[..];
        self.lens.iter().map(move |&len| {
            let digits;
            (digits, rest) = rest.split_at(len);
            (&self.entries[..len], digits)
        })
    }
}

#[cfg(test)]
mod tests {
    use ark_bn254::Fr;
    use ark_ff::{Field, One, Zero};

    use super::*;

    /// Every term that counts has its digits and its sign, in the windows that its class reaches, whatever their width, at the
    /// edges of classes and where all digits carry.
    #[test]
    fn digits_are_the_scalars() {
        let small =
            [0u64, 1, 2, 0xffff, 0x1_0000, u64::from(u32::MAX), 1 << 32, u64::MAX, 0x8000_8000_8000_8000];
        let powers = [64, 65, 127, 128, 129, 252].map(|bits| Fr::from(2u64).pow([bits]));
        let half = -Fr::from(2u64).inverse().expect("not zero");
        let others = [half, half - Fr::from(12_345u64), powers[5] - Fr::one()];
        let scalars: Vec<Fr> = small
            .into_iter()
            .map(Fr::from)
            .chain(powers)
            .chain(others)
            .flat_map(|scalar| [scalar, -scalar])
            .collect();
        let many: Vec<Fr> = scalars.iter().copied().cycle().take(2 * CHUNK + 100).collect();
        let widths = (2..=16).map(|window_bits| (&scalars, window_bits));
        for (scalars, window_bits) in widths.chain([(&many, 13)]) {
            let digits = Scalars::new(scalars, |i| i == 2).cut(window_bits);
            let mut sums = vec![Fr::zero(); scalars.len()];
            let mut weight = Fr::one();
            for (entries, digits) in digits.windows() {
                for (entry, digit) in entries.iter().zip(digits) {
                    assert!(digit.unsigned_abs() <= 1 << (window_bits - 1));
                    let value = if entry & 1 == 1 { -Fr::from(*digit) } else { Fr::from(*digit) };
                    sums[(entry >> 1) as usize] += weight * value;
                }
                weight *= Fr::from(1u64 << window_bits);
            }
            // Point 2 is infinity.
            let expected = scalars.iter().enumerate().map(|(i, s)| if i == 2 { Fr::zero() } else { *s });
            assert_eq!(sums, expected.collect::<Vec<_>>(), "{window_bits} bits");
            let n_zeros = scalars.iter().filter(|scalar| scalar.is_zero()).count();
            assert_eq!(digits.entries.len(), scalars.len() - n_zeros - 1);
        }
    }

    #[test]
    fn windows_have_the_classes_that_reach_them() {
        let classes = Classes { ends: [1, 2, 3, 4, 5, 6] };
        let len = |window, window_bits| classes.lens(window_bits).nth(window).expect("such a window");
        assert_eq!([0, 1, 2, 4, 8, 9, 15].map(|window| len(window, 16)), [6, 5, 4, 3, 2, 1, 1]);
        // 2^32 - 1 is 2^33 less half of that, and one: its highest digit of 11 bits is in window 3.
        assert_eq!(len(3, 11), 4);
        assert_eq!(len(3, 12), 3);
    }
}
