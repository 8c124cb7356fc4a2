//! Elements of a field in the lanes of vector registers: the arithmetic below sums of points and transforms.
//!
//! A *width* is one file here: [`avx2`] (four lanes), [`avx512`] (eight, with the arithmetic of [`limbs52`]). Everything above is
//! written once, over [`Lanes`]. To add a width: one file with a type that implements [`Lanes`], or [`limbs52::Vectors52`], and
//! its line in [`Width`]; the tests below then run on it.
//!
//! **Form.** In memory an element is four 64-bit words, least significant first. In registers it is cut into limbs that
//! leave room for carries and for multiples of the modulus `p < 2^254`. Products are Montgomery's with `R = 2^260` at every
//! width: `mul(a, b) = a b / 2^260 (mod p)`. ark-ff keeps `a 2^256`, so with a constant factor kept as `t 2^260` a product
//! has ark-ff's form again ([`to_260`]), and a ratio of two elements in ark-ff's form comes out as `q 2^260`.
//!
//! **Bounds.** `Tight` has limbs below the radix and may be multiplied with anything; `Loose` is what additions leave, and
//! may be multiplied with a tight one (the terms are fiat-crypto's). Apart from the limbs there is the value: everything
//! stays below `64 p`, and `mul(a, b) < p + a b / 2^260`: with `a < 64 p` and `b < 1.2 p`, below `2 p`.
//!
//! **Safety.** All intrinsics of the crate are here, and this folder is the only place that may hold any. The type of a
//! width can only be made where the processor has the instructions ([`Width::is_available`]); that is what every `unsafe`
//! block in these files relies on. Functions of a width are inlined into [`Lanes::vectorize`], which has the target feature.
//!
//! Source: Montgomery 1985; Gueron, Krasnov 2013 (many products side by side); for IFMA, Intel's manual, `VPMADD52LUQ`.
#![allow(unsafe_code, reason = "the one folder of vector intrinsics")]

/// A loop written out: the compiler leaves the long ones, and their arrays then lie in memory instead of in registers.
#[cfg(target_arch = "x86_64")]
macro_rules! unroll {
    ($i:ident in [$($value:literal)*] $body:block) => { $({ const $i: usize = $value; $body })* };
}

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod coordinate;
mod inverse;
#[cfg(target_arch = "x86_64")]
mod limbs52;
#[cfg(all(test, target_arch = "x86_64"))]
mod model;
#[cfg(target_arch = "x86_64")]
mod words;

use ark_ff::{BigInt, PrimeField};

pub(super) use self::coordinate::{Coordinate, invert_all};
pub(super) use self::inverse::invert;
#[cfg(all(test, target_arch = "x86_64"))]
pub(super) use self::model::Model;
#[cfg(target_arch = "x86_64")]
pub(super) use self::words::Words32;
#[cfg(target_arch = "x86_64")]
pub(super) use self::{avx2::Avx2, avx512::Avx512};

/// Lanes of the widest width.
pub(super) const MAX_LANES: usize = 8;

/// Four words of each lane.
pub(super) type Rows = [[u64; 4]; MAX_LANES];

/// A field whose elements fit the lanes: a modulus between `2^253` and `2^254`, in ark-ff's form in memory.
pub(super) trait Modulus: PrimeField<BigInt = BigInt<4>> {
    /// The words of an element as they lie in memory.
    fn words(&self) -> [u64; 4];

    /// The element of these words, which must be below the modulus.
    fn from_words(words: [u64; 4]) -> Self;
}

macro_rules! modulus {
    ($($field:ty),*) => { $(
        impl Modulus for $field {
            #[inline(always)]
            fn words(&self) -> [u64; 4] {
                self.0.0
            }

            #[inline(always)]
            fn from_words(words: [u64; 4]) -> Self {
                Self::new_unchecked(BigInt(words))
            }
        }
    )* };
}
modulus!(ark_bn254::Fq, ark_bn254::Fr);

/// A piece of work to be compiled for the instructions of a width. [`Kernel::run`] must be `#[inline(always)]`.
pub(super) trait Kernel {
    type Output;

    fn run(self) -> Self::Output;
}

/// The operations of a width; see the module for forms and bounds.
pub(super) trait Lanes: Copy + Send + Sync + 'static {
    /// How many elements lie side by side.
    const LANES: usize;
    /// How many additions of points in G1 take as long as an inversion for each lane's chains, about.
    const INVERSION: usize;

    /// Word `k` of every lane, for the four `k`.
    type Words: Copy;
    /// Limbs below the radix.
    type Tight: Copy;
    /// Limbs that additions have left.
    type Loose: Copy;

    /// Runs `kernel` with the instructions of this width.
    fn vectorize<K: Kernel>(self, kernel: K) -> K::Output;

    /// The first [`Self::LANES`] rows, one a lane.
    fn load(self, rows: &[&[u64; 4]; MAX_LANES]) -> Self::Words;
    /// The same words in every lane.
    fn splat(self, words: &[u64; 4]) -> Self::Words;
    /// One row a lane; rows beyond [`Self::LANES`] are zero.
    fn store(self, words: &Self::Words) -> Rows;

    /// The limbs of words; any value below `2^256`.
    fn split(self, words: &Self::Words) -> Self::Tight;
    /// The words of limbs; the value must be below `2^256`.
    fn join(self, limbs: &Self::Tight) -> Self::Words;

    /// Bit `i` is set where the lowest limb of lane `i` is zero: in all zeros, and by chance in one of `2^29` other values.
    fn lowest_is_zero(self, a: &Self::Tight) -> u32;
    /// For what [`Self::sub`] makes of values below `1.01 p`: bit `i` is set where lane `i` is a multiple of `p`, and by chance in
    /// three of `2^29` other lanes.
    fn may_be_zero<M: Modulus>(self, difference: &Self::Loose) -> u32;
    /// Lane `i` of `b` where bit `i` of `mask` is set, of `a` elsewhere.
    fn select(self, mask: u32, a: &Self::Loose, b: &Self::Loose) -> Self::Loose;

    fn loose(self, a: &Self::Tight) -> Self::Loose;
    /// The same value, its carries carried.
    fn tight(self, a: &Self::Loose) -> Self::Tight;

    /// `a b / 2^260`.
    fn mul<M: Modulus>(self, a: &Self::Tight, b: &Self::Tight) -> Self::Tight;
    /// `a b / 2^260`.
    fn mul_loose<M: Modulus>(self, a: &Self::Loose, b: &Self::Tight) -> Self::Tight;
    /// `a b / 2^260 + c`, for `c` of [`Self::neg`] or [`Self::neg_twice_and`].
    fn mul_add<M: Modulus>(self, a: &Self::Loose, b: &Self::Tight, c: &Self::Loose) -> Self::Loose;
    /// `(a b + c d) / 2^260`.
    fn mul_two<M: Modulus>(self, ab: [&Self::Tight; 2], cd: [&Self::Tight; 2]) -> Self::Tight;
    /// `(a b + c d) / 2^260 + e`, for `e` as in [`Self::mul_add`].
    fn mul_two_add<M: Modulus>(
        self,
        ab: [&Self::Tight; 2],
        cd: [&Self::Tight; 2],
        e: &Self::Loose,
    ) -> Self::Loose;
    /// `a^2 / 2^260`.
    fn square<M: Modulus>(self, a: &Self::Tight) -> Self::Tight;
    /// `a^2 / 2^260 + c`, for `c` as in [`Self::mul_add`].
    fn square_add<M: Modulus>(self, a: &Self::Tight, c: &Self::Loose) -> Self::Loose;
    /// `a + b`.
    fn add(self, a: &Self::Tight, b: &Self::Tight) -> Self::Loose;
    /// `a - b + 3 p`, for `b < 2 p`.
    fn sub<M: Modulus>(self, a: &Self::Tight, b: &Self::Tight) -> Self::Loose;
    /// `a - b + 3 p`, or `-a - b + 3 p` where bit `i` of `negative` is set, for `a, b < 1.01 p`.
    fn signed_sub<M: Modulus>(self, negative: u32, a: &Self::Tight, b: &Self::Tight) -> Self::Loose;
    /// `4 (a - b + 3 p)`, for `b < 2 p`.
    fn four_times_sub<M: Modulus>(self, a: &Self::Tight, b: &Self::Tight) -> Self::Loose;
    /// `a - b - c + 5 p`, for `b, c < 2 p`.
    fn sub_two<M: Modulus>(self, a: &Self::Tight, b: &Self::Tight, c: &Self::Tight) -> Self::Loose;

    /// `3 p - a`, for `a < 2 p`.
    fn neg<M: Modulus>(self, a: &Self::Tight) -> Self::Loose;
    /// `7 p - 2 a - b`, for `a < 1.01 p` and `b` what [`Self::sub`] makes of two values below `1.01 p`.
    fn neg_twice_and<M: Modulus>(self, a: &Self::Tight, b: &Self::Loose) -> Self::Loose;

    /// The same element below `1.01 p`; any value below `64 p`.
    fn reduce<M: Modulus>(self, a: &Self::Loose) -> Self::Tight;
    /// The same element below `p`; any value below `64 p`.
    fn canonical<M: Modulus>(self, a: &Self::Loose) -> Self::Tight;
}

/// `-1 / p` modulo `2^64` for odd `p`, by Newton's iteration.
const fn negated_inverse(p: u64) -> u64 {
    let mut inverse = 1u64;
    let mut i = 0;
    while i < 6 {
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(p.wrapping_mul(inverse)));
        i += 1;
    }
    inverse.wrapping_neg()
}

/// What limbs lack to the power of two above the highest, for a `mask` of the bits of a limb. The value must be odd: then its
/// lowest limb is not zero, and nothing is carried.
#[cfg(target_arch = "x86_64")]
const fn complement<const N: usize>(mut limbs: [u64; N], mask: u64) -> [u64; N] {
    let mut i = 0;
    while i < N {
        limbs[i] = mask - limbs[i];
        i += 1;
    }
    limbs[0] += 1;
    limbs
}

/// Asks for the line of the cache in which a value begins, ahead of its use. Any address will do.
#[inline(always)]
pub(super) fn prefetch<T>(value: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 processor has the instruction, and it does not fault.
    unsafe {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(value.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}

/// `t 2^260` for `t 2^256`: a constant factor that leaves the other one in ark-ff's form.
pub(super) fn to_260<M: Modulus>(t: M) -> [u64; 4] {
    (t * M::from(16u64)).words()
}

/// How many elements the CPU computes on at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Width {
    /// As [`Width::Avx512`], by plain code on every processor.
    #[cfg(all(test, target_arch = "x86_64"))]
    Model,
    /// One, in 64-bit words, on every processor.
    Portable,
    /// Four, in 29-bit limbs of AVX2.
    Avx2,
    /// Eight, in 52-bit limbs of AVX-512 IFMA.
    Avx512,
}

impl Width {
    /// All of them, the narrowest first.
    #[cfg(not(all(test, target_arch = "x86_64")))]
    pub const ALL: [Self; 3] = [Self::Portable, Self::Avx2, Self::Avx512];
    #[cfg(all(test, target_arch = "x86_64"))]
    pub(crate) const ALL: [Self; 4] = [Self::Model, Self::Portable, Self::Avx2, Self::Avx512];

    /// The widest that this processor can run.
    #[must_use]
    pub fn widest() -> Self {
        Self::ALL.into_iter().rev().find(|width| width.is_available()).unwrap_or(Self::Portable)
    }

    /// Whether this processor can run it. The standard library asks the processor once.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            #[cfg(all(test, target_arch = "x86_64"))]
            Self::Model => true,
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => Avx2::new().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => Avx512::new().is_some(),
            #[cfg(not(target_arch = "x86_64"))]
            _ => false,
        }
    }

    /// What it asks of a processor.
    pub(super) const fn instructions(self) -> &'static str {
        match self {
            #[cfg(all(test, target_arch = "x86_64"))]
            Self::Model => "nothing",
            Self::Portable => "64-bit integers",
            Self::Avx2 => "AVX2",
            Self::Avx512 => "AVX-512 F and IFMA",
        }
    }

    /// Its name in logs and tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            #[cfg(all(test, target_arch = "x86_64"))]
            Self::Model => "model",
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }
}

/// Runs `$body` with `$lanes` bound to the lanes of `$width`, or `$portable` where there are none.
macro_rules! with_lanes {
    ($width:expr, |$lanes:ident| $body:expr, $portable:expr) => {
        match $width {
            #[cfg(all(test, target_arch = "x86_64"))]
            $crate::cpu::lanes::Width::Model => {
                let $lanes = $crate::cpu::lanes::Model;
                $body
            }
            #[cfg(target_arch = "x86_64")]
            $crate::cpu::lanes::Width::Avx512 => match $crate::cpu::lanes::Avx512::new() {
                Some($lanes) => $body,
                None => $portable,
            },
            #[cfg(target_arch = "x86_64")]
            $crate::cpu::lanes::Width::Avx2 => match $crate::cpu::lanes::Avx2::new() {
                Some($lanes) => $body,
                None => $portable,
            },
            _ => $portable,
        }
    };
}
pub(super) use with_lanes;

#[cfg(test)]
mod tests {
    use ark_bn254::{Fq, Fr};
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};

    use super::*;

    /// Elements whose limbs are all zeros, all ones, or next to the modulus, and arbitrary ones.
    fn elements<M: Modulus>(n: usize) -> Vec<M> {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let edges = [M::ZERO, M::ONE, -M::ONE, M::from(2u64), -M::from(2u64)];
        let near = |words: [u64; 4]| (BigInt(words) < M::MODULUS).then(|| M::from_words(words));
        let mut below = M::MODULUS.0;
        below[0] -= 1;
        let words = [
            [u64::MAX, 0, 0, 0],
            [0, u64::MAX, 0, 0],
            [0, 0, u64::MAX, 0],
            [0, 0, 0, 0x3064_4e72_e131_a028],
            [u64::MAX, u64::MAX, u64::MAX, 0x3064_4e72_e131_a028],
            [1 << 63, 1, 1 << 63, 1],
            [(1 << 52) - 1, 0, (1 << 29) - 1, 1 << 40],
            below,
        ];
        let edges = edges.into_iter().chain(words.into_iter().filter_map(near));
        let arbitrary = || {
            let mut bytes = [0; 64];
            rng.fill_bytes(&mut bytes);
            M::from_le_bytes_mod_order(&bytes)
        };
        edges.chain(core::iter::repeat_with(arbitrary)).take(n).collect()
    }

    /// What all operations make of `a` and `b`, in ark-ff's form.
    struct All<'a, L, M> {
        lanes: L,
        a: &'a [M],
        b: &'a [M],
    }

    impl<L: Lanes, M: Modulus> Kernel for All<'_, L, M> {
        type Output = (Vec<[Rows; 19]>, Vec<u32>);

        #[inline(always)]
        fn run(self) -> Self::Output {
            let lanes = self.lanes;
            let load = |elements: &[M]| {
                let rows: Vec<[u64; 4]> = elements.iter().map(Modulus::words).collect();
                lanes.load(&core::array::from_fn(|i| &rows[i % L::LANES]))
            };
            let modulus = lanes.split(&lanes.splat(&M::MODULUS.0));
            let (mut results, mut may_be_zero) = (Vec::new(), Vec::new());
            for (a, b) in self.a.chunks_exact(L::LANES).zip(self.b.chunks_exact(L::LANES)) {
                let (a, b) = (lanes.split(&load(a)), lanes.split(&load(b)));
                let store = |value: L::Loose| lanes.store(&lanes.join(&lanes.canonical::<M>(&value)));
                let tight = |value: L::Tight| store(lanes.loose(&value));
                let product = lanes.mul::<M>(&a, &b);
                let difference = lanes.sub::<M>(&a, &b);
                let sum = lanes.add(&a, &b);
                // Loose times tight, with values that are multiples of p too large.
                let mut large = difference;
                for _ in 0..4 {
                    large = lanes.add(&lanes.tight(&large), &lanes.tight(&large));
                }
                results.push([
                    tight(product),
                    tight(lanes.square::<M>(&a)),
                    store(sum),
                    store(difference),
                    store(lanes.sub_two::<M>(&product, &a, &b)),
                    store(lanes.four_times_sub::<M>(&a, &b)),
                    store(lanes.signed_sub::<M>(0b0101_0101, &a, &b)),
                    store(lanes.mul_add::<M>(&difference, &a, &lanes.neg_twice_and::<M>(&a, &difference))),
                    store(lanes.mul_add::<M>(&difference, &a, &lanes.neg::<M>(&b))),
                    store(lanes.square_add::<M>(&a, &lanes.neg::<M>(&b))),
                    tight(lanes.mul_two::<M>([&a, &b], [&lanes.tight(&difference), &product])),
                    store(lanes.mul_two_add::<M>([&a, &b], [&product, &a], &lanes.neg::<M>(&b))),
                    tight(lanes.mul_loose::<M>(&lanes.four_times_sub::<M>(&a, &b), &b)),
                    tight(lanes.mul_loose::<M>(&difference, &lanes.reduce::<M>(&large))),
                    tight(lanes.mul::<M>(&lanes.tight(&difference), &lanes.reduce::<M>(&large))),
                    tight(lanes.mul_loose::<M>(&lanes.loose(&a), &a)),
                    store(large),
                    tight(lanes.reduce::<M>(&large)),
                    lanes.store(&lanes.join(&a)),
                ]);
                let more = |a: &L::Tight| lanes.tight(&lanes.add(a, &modulus));
                may_be_zero.push(
                    lanes.may_be_zero::<M>(&difference)
                        & lanes.may_be_zero::<M>(&lanes.sub::<M>(&more(&a), &b))
                        & lanes.may_be_zero::<M>(&lanes.sub::<M>(&a, &more(&b))),
                );
            }
            (results, may_be_zero)
        }
    }

    fn check<L: Lanes, M: Modulus>(lanes: L) {
        let elements = elements::<M>(40);
        let pairs: Vec<(M, M)> = elements.iter().flat_map(|a| elements.iter().map(|b| (*a, *b))).collect();
        let (a, b): (Vec<M>, Vec<M>) = pairs.iter().copied().unzip();
        let (results, may_be_zero) = lanes.vectorize(All { lanes, a: &a, b: &b });
        assert_eq!(results.len(), pairs.len() / L::LANES);
        let four = M::from(4u64);
        let sixteenth = M::from(16u64).inverse().expect("not zero");
        for (i, &(a, b)) in pairs.iter().enumerate() {
            let got = results[i / L::LANES].map(|rows| M::from_words(rows[i % L::LANES]));
            let (product, large) = (a * b * sixteenth, (a - b) * M::from(16u64));
            let expected = [
                product,
                a.square() * sixteenth,
                a + b,
                a - b,
                product - a - b,
                (a - b) * four,
                if i % 2 == 0 { -a - b } else { a - b },
                (a - b) * a * sixteenth - a.double() - (a - b),
                (a - b) * a * sixteenth - b,
                a.square() * sixteenth - b,
                product + (a - b) * product * sixteenth,
                product + product * a * sixteenth - b,
                (a - b) * four * b * sixteenth,
                (a - b) * large * sixteenth,
                (a - b) * large * sixteenth,
                a.square() * sixteenth,
                large,
                large,
                a,
            ];
            let may_be_zero = may_be_zero[i / L::LANES] >> (i % L::LANES) & 1 == 1;
            // Where the lowest limbs differ, so do the elements.
            assert!(may_be_zero || a != b, "{a} is {b}");
            assert!(!may_be_zero || (a.words()[0] ^ b.words()[0]).trailing_zeros() >= 29, "{a} is not {b}");
            for (operation, (got, expected)) in got.iter().zip(&expected).enumerate() {
                assert_eq!(got, expected, "operation {operation} of {a} and {b}");
            }
        }
    }

    /// Words: loading, comparing, marking, choosing.
    fn check_words<L: Lanes>(lanes: L) {
        struct Words<L>(L);
        impl<L: Lanes> Kernel for Words<L> {
            type Output = ();

            #[inline(always)]
            fn run(self) {
                let lanes = self.0;
                let all = (1u32 << L::LANES) - 1;
                let rows: Rows = core::array::from_fn(|i| core::array::from_fn(|k| (100 * i + k) as u64));
                let loaded = lanes.load(&rows.each_ref());
                assert_eq!(lanes.store(&loaded)[..L::LANES], rows[..L::LANES]);
                assert!(lanes.store(&loaded)[L::LANES..].iter().all(|row| *row == [0; 4]));
                for i in 0..L::LANES {
                    let mut other = rows;
                    other[i] = [0; 4];
                    let (loaded, other_loaded) =
                        (lanes.split(&loaded), lanes.split(&lanes.load(&other.each_ref())));
                    assert_eq!(lanes.lowest_is_zero(&other_loaded), lanes.lowest_is_zero(&loaded) | 1 << i);
                    let (loaded, other_loaded) = (lanes.loose(&loaded), lanes.loose(&other_loaded));
                    for (mask, expected) in [(1 << i, &other), (all & !(1 << i), &rows)] {
                        let chosen = lanes.tight(&lanes.select(mask, &loaded, &other_loaded));
                        assert_eq!(lanes.store(&lanes.join(&chosen))[..L::LANES], expected[..L::LANES]);
                    }
                }
                assert_eq!(lanes.store(&lanes.splat(&rows[3]))[..L::LANES], [rows[3]; 8][..L::LANES]);
            }
        }
        lanes.vectorize(Words(lanes));
    }

    /// Every width that this processor has computes what ark-ff computes.
    #[test]
    fn lanes_are_the_field() {
        for width in Width::ALL.into_iter().filter(|width| width.is_available()) {
            eprintln!("{}", width.name());
            with_lanes!(
                width,
                |lanes| {
                    check::<_, Fq>(lanes);
                    check::<_, Fr>(lanes);
                    check_words(lanes);
                },
                ()
            );
        }
    }

    #[test]
    fn constants_have_the_other_radix() {
        let (t, a) = (Fr::from(3u64), Fr::from(5u64));
        assert_eq!(Fr::from_words(to_260(t)) * a, t * a * Fr::from(16u64));
    }
}
