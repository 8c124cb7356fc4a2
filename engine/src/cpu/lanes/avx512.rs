//! Eight lanes of five 52-bit limbs: `vpmadd52luq` and `vpmadd52huq` add the lower and the upper half of a 104-bit product.
//!
//! Columns take at most thirty halves below `2^52` and a carry, far below `2^64`. The multiplier reads only 52 bits of a limb, so
//! a loose value is carried before it is multiplied; what is only reduced carries once, at the end.

use core::arch::x86_64::{
    __m512i, _mm256_loadu_si256, _mm256_storeu_si256, _mm512_add_epi64, _mm512_and_si512,
    _mm512_castsi256_si512, _mm512_castsi512_si256, _mm512_cmpeq_epi64_mask, _mm512_extracti64x4_epi64,
    _mm512_inserti64x4, _mm512_madd52hi_epu64, _mm512_madd52lo_epu64, _mm512_mask_blend_epi64,
    _mm512_mask_sub_epi64, _mm512_or_si512, _mm512_permutex2var_epi64, _mm512_set1_epi64, _mm512_setr_epi64,
    _mm512_setzero_si512, _mm512_slli_epi64, _mm512_srai_epi64, _mm512_srli_epi64, _mm512_sub_epi64,
    _mm512_unpackhi_epi64, _mm512_unpacklo_epi64,
};

use super::{Kernel, Lanes, MAX_LANES, Modulus, Rows, negated_inverse};

const N_LIMBS: usize = 5;
const LIMB_BITS: u32 = 52;
const MASK: u64 = (1 << LIMB_BITS) - 1;

/// Eight 64-bit lanes.
type V = __m512i;
type Limbs = [V; N_LIMBS];
type LimbValues = [u64; N_LIMBS];

/// Shows that the processor has AVX-512 F and IFMA.
#[derive(Clone, Copy, Debug)]
pub(in crate::cpu) struct Avx512(());

impl Avx512 {
    pub(in crate::cpu) fn new() -> Option<Self> {
        let available = std::arch::is_x86_feature_detected!("avx512f")
            && std::arch::is_x86_feature_detected!("avx512ifma")
            && std::arch::is_x86_feature_detected!("avx2");
        available.then_some(Self(()))
    }
}

/// Limbs whose type says that they are below `2^52`.
#[derive(Clone, Copy)]
pub(in crate::cpu) struct Tight(Limbs);

/// Limbs with a sign, of a magnitude below `2^58`; their value is not negative.
#[derive(Clone, Copy)]
pub(in crate::cpu) struct Loose(Limbs);

/// The columns of a product of limbs, or of a sum of products, of which a reduction asks one by one.
trait Columns: Copy {
    /// Whether column 0 may have more than 52 bits.
    const CARRIES_AT_ONCE: bool;

    /// Column `C` and `start`, as the sum of two.
    fn column<const C: usize>(self, lanes: Avx512, start: V) -> [V; 2];
}

/// `a b`. Of factors only the lowest 52 bits of a limb are read.
#[derive(Clone, Copy)]
struct Product<'a>(&'a Limbs, &'a Limbs);

impl Columns for Product<'_> {
    const CARRIES_AT_ONCE: bool = false;

    #[inline(always)]
    fn column<const C: usize>(self, lanes: Avx512, start: V) -> [V; 2] {
        let Self(a, b) = self;
        let mut sum = start;
        unroll!(I in [0 1 2 3 4] {
            let other = C.wrapping_sub(I + 1);
            if other < N_LIMBS {
                sum = lanes.add_high(sum, a[I], b[other]);
            }
        });
        unroll!(I in [0 1 2 3 4] {
            let other = C.wrapping_sub(I);
            if other < N_LIMBS {
                sum = lanes.add_low(sum, a[I], b[other]);
            }
        });
        [sum, lanes.all(0)]
    }
}

/// `a b + c d`.
#[derive(Clone, Copy)]
struct TwoProducts<'a>(Product<'a>, Product<'a>);

impl Columns for TwoProducts<'_> {
    const CARRIES_AT_ONCE: bool = true;

    #[inline(always)]
    fn column<const C: usize>(self, lanes: Avx512, start: V) -> [V; 2] {
        let [one, _] = self.0.column::<C>(lanes, start);
        let [other, _] = self.1.column::<C>(lanes, lanes.all(0));
        [one, other]
    }
}

/// `a^2`: the products of different limbs once, and counted twice.
#[derive(Clone, Copy)]
struct Square<'a>(&'a Limbs);

impl Columns for Square<'_> {
    const CARRIES_AT_ONCE: bool = false;

    #[inline(always)]
    fn column<const C: usize>(self, lanes: Avx512, start: V) -> [V; 2] {
        let Self(a) = self;
        let mut half = lanes.all(0);
        unroll!(I in [0 1 2 3 4] {
            let other = C.wrapping_sub(I + 1);
            if I < other && other < N_LIMBS {
                half = lanes.add_high(half, a[I], a[other]);
            }
        });
        unroll!(I in [0 1 2 3 4] {
            let other = C.wrapping_sub(I);
            if I < other && other < N_LIMBS {
                half = lanes.add_low(half, a[I], a[other]);
            }
        });
        // Doubled at once where the column is waited for; above, the second half is where the folds start from.
        let (other, rest) = if C < N_LIMBS { (half, lanes.all(0)) } else { (lanes.all(0), half) };
        let sum = lanes.plus(lanes.plus(half, other), start);
        match C % 2 {
            0 => [lanes.add_low(sum, a[C / 2], a[C / 2]), rest],
            _ => [lanes.add_high(sum, a[C / 2], a[C / 2]), rest],
        }
    }
}

const fn split_value([w0, w1, w2, w3]: [u64; 4]) -> LimbValues {
    [
        w0 & MASK,
        (w0 >> 52 | w1 << 12) & MASK,
        (w1 >> 40 | w2 << 24) & MASK,
        (w2 >> 28 | w3 << 36) & MASK,
        w3 >> 16,
    ]
}

/// Constants of a modulus, as limbs.
struct Of<M>(M);

impl<M: Modulus> Of<M> {
    const P: LimbValues = split_value(M::MODULUS.0);
    /// `-1 / p` modulo `2^52`.
    const NEGATED_INVERSE: u64 = negated_inverse(M::MODULUS.0[0]) & MASK;
    /// `2^260 - p`.
    const COMPLEMENT: LimbValues = {
        let mut limbs = Self::P;
        let mut i = 0;
        while i < N_LIMBS {
            limbs[i] = MASK - limbs[i];
            i += 1;
        }
        // p is odd, so its lowest limb is not zero and nothing is carried.
        limbs[0] += 1;
        limbs
    };
    const THREE_P: LimbValues = Self::multiple(3);
    const FIVE_P: LimbValues = Self::multiple(5);
    const SEVEN_P: LimbValues = Self::multiple(7);
    /// `floor(2^82 / (p_4 + 65))`, for the quotient by `p` of a value's highest limb without its lowest 30 bits. One more than
    /// `p_4` for the rest of `p`, and what a loose value's lower limbs may take off the highest.
    const RECIPROCAL: u64 = ((1u128 << 82) / (Self::P[N_LIMBS - 1] as u128 + 65)) as u64;

    /// `1 / 2^156`, `1 / 2^104` and `1 / 2^52` modulo `p`: what the three lowest limbs of a product are worth at `2^156`.
    const FOLDS: [LimbValues; 3] = {
        let third = Self::shifted([1, 0, 0, 0, 0]);
        let second = Self::shifted(third);
        [Self::shifted(second), second, third]
    };

    /// `value / 2^52` modulo `p`, below `p` if `value` is.
    const fn shifted(value: LimbValues) -> LimbValues {
        let digit = value[0].wrapping_mul(Self::NEGATED_INVERSE) & MASK;
        let mut limbs = [0; N_LIMBS];
        let mut carry = (value[0] as u128 + digit as u128 * Self::P[0] as u128) >> LIMB_BITS;
        let mut i = 1;
        while i < N_LIMBS {
            let limb = value[i] as u128 + digit as u128 * Self::P[i] as u128 + carry;
            limbs[i - 1] = limb as u64 & MASK;
            carry = limb >> LIMB_BITS;
            i += 1;
        }
        limbs[N_LIMBS - 1] = carry as u64;
        limbs
    }

    const fn multiple(k: u64) -> LimbValues {
        let mut limbs = [0; N_LIMBS];
        let mut carry = 0;
        let mut i = 0;
        while i < N_LIMBS {
            let limb = k * Self::P[i] + carry;
            limbs[i] = limb & MASK;
            carry = limb >> LIMB_BITS;
            i += 1;
        }
        limbs
    }
}

/// One intrinsic as a safe function.
macro_rules! operations {
    ($($name:ident($($argument:ident),*) = $intrinsic:ident;)*) => { $(
        #[inline(always)]
        fn $name(self, $($argument: V),*) -> V {
            // SAFETY: a value of this type exists only where the processor has AVX-512 F and IFMA.
            unsafe { $intrinsic($($argument),*) }
        }
    )* };
}

/// One shift by a constant as a safe function.
macro_rules! shifts {
    ($($name:ident = $intrinsic:ident;)*) => { $(
        #[inline(always)]
        fn $name<const BITS: u32>(self, a: V) -> V {
            // SAFETY: a value of this type exists only where the processor has AVX-512 F and IFMA.
            unsafe { $intrinsic::<BITS>(a) }
        }
    )* };
}

impl Avx512 {
    operations! {
        plus(a, b) = _mm512_add_epi64;
        minus(a, b) = _mm512_sub_epi64;
        add_low(sum, a, b) = _mm512_madd52lo_epu64;
        add_high(sum, a, b) = _mm512_madd52hi_epu64;
        and(a, b) = _mm512_and_si512;
        or(a, b) = _mm512_or_si512;
        interleave_low(a, b) = _mm512_unpacklo_epi64;
        interleave_high(a, b) = _mm512_unpackhi_epi64;
        permute_two(a, places, b) = _mm512_permutex2var_epi64;
    }

    shifts! {
        right = _mm512_srli_epi64;
        right_signed = _mm512_srai_epi64;
        left = _mm512_slli_epi64;
    }

    #[inline(always)]
    fn all(self, value: u64) -> V {
        // SAFETY: a value of this type exists only where the processor has AVX-512 F and IFMA.
        unsafe { _mm512_set1_epi64(value as i64) }
    }

    /// Two rows, one in each half.
    #[inline(always)]
    fn read(self, low: &[u64; 4], high: &[u64; 4]) -> V {
        // SAFETY: a value of this type exists only where the processor has AVX-512 F, AVX2 and IFMA; a row is 32 bytes that
        // may be read, and these loads ask for no alignment.
        unsafe {
            let low = _mm512_castsi256_si512(_mm256_loadu_si256(low.as_ptr().cast()));
            _mm512_inserti64x4::<1>(low, _mm256_loadu_si256(high.as_ptr().cast()))
        }
    }

    #[inline(always)]
    fn write(self, a: V, low: &mut [u64; 4], high: &mut [u64; 4]) {
        // SAFETY: a value of this type exists only where the processor has AVX-512 F, AVX2 and IFMA; a row is 32 bytes that
        // may be written, and these stores ask for no alignment.
        unsafe {
            _mm256_storeu_si256(low.as_mut_ptr().cast(), _mm512_castsi512_si256(a));
            _mm256_storeu_si256(high.as_mut_ptr().cast(), _mm512_extracti64x4_epi64::<1>(a));
        }
    }

    /// Bit `i` is set where lane `i` of both is the same.
    #[inline(always)]
    fn same(self, a: V, b: V) -> u8 {
        // SAFETY: a value of this type exists only where the processor has AVX-512 F and IFMA.
        unsafe { _mm512_cmpeq_epi64_mask(a, b) }
    }

    /// Lane `i` of `b` where bit `i` is set, of `a` elsewhere.
    #[inline(always)]
    fn choose(self, of_b: u8, a: V, b: V) -> V {
        // SAFETY: a value of this type exists only where the processor has AVX-512 F and IFMA.
        unsafe { _mm512_mask_blend_epi64(of_b, a, b) }
    }

    /// Lane `i` of `-a` where bit `i` is set, of `a` elsewhere.
    #[inline(always)]
    fn negate(self, lanes: u8, a: V) -> V {
        // SAFETY: a value of this type exists only where the processor has AVX-512 F and IFMA.
        unsafe { _mm512_mask_sub_epi64(a, lanes, _mm512_setzero_si512(), a) }
    }

    /// The lower halves of both halves of `a` and `b`, and the upper ones.
    #[inline(always)]
    fn halves(self, a: V, b: V) -> (V, V) {
        // SAFETY: a value of this type exists only where the processor has AVX-512 F and IFMA.
        let (low, high) = unsafe {
            (_mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13), _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15))
        };
        (self.permute_two(a, low, b), self.permute_two(a, high, b))
    }

    /// Rows to columns in either half, which is its own inverse.
    #[inline(always)]
    fn transpose(self, [a, b, c, d]: [V; 4]) -> [V; 4] {
        let (w0, w2) = self.halves(self.interleave_low(a, b), self.interleave_low(c, d));
        let (w1, w3) = self.halves(self.interleave_high(a, b), self.interleave_high(c, d));
        [w0, w1, w2, w3]
    }

    /// Carries from limb to limb, borrows too; the highest keeps what is above `2^52`.
    #[inline(always)]
    fn carry(self, mut limbs: Limbs) -> Limbs {
        let mask = self.all(MASK);
        unroll!(I in [0 1 2 3] {
            limbs[I + 1] = self.plus(limbs[I + 1], self.right_signed::<52>(limbs[I]));
            limbs[I] = self.and(limbs[I], mask);
        });
        limbs
    }

    /// The same for a factor, which may keep what it has carried above its 52 bits.
    #[inline(always)]
    fn factor(self, Loose(limbs): &Loose) -> Limbs {
        let mut limbs = *limbs;
        unroll!(I in [0 1 2 3] {
            limbs[I + 1] = self.plus(limbs[I + 1], self.right_signed::<52>(limbs[I]));
        });
        limbs
    }

    /// Adds limb `J` of what the three lowest limbs of a product are worth at `2^156`.
    #[inline(always)]
    fn fold<M: Modulus, const J: usize>(self, mut sum: V, low: [V; 3]) -> V {
        unroll!(I in [0 1 2] {
            if J < N_LIMBS {
                sum = self.add_low(sum, low[I], self.all(Of::<M>::FOLDS[I][J]));
            }
            if J > 0 {
                sum = self.add_high(sum, low[I], self.all(Of::<M>::FOLDS[I][J - 1]));
            }
        });
        sum
    }

    /// `product / 2^260 + above`, below `p + product / 2^260 + above` up to `2^-50 p`.
    ///
    /// The three lowest limbs are replaced by multiples of `1 / 2^156`, all at once; the next two are made zero by multiples of
    /// `p`, one after the other. Columns 3 and 4 start from `2^52 - 1`, so that what they carry is rounded up: this is the carry
    /// once `digit p` has been added, whose lowest limb is then never needed.
    #[inline(always)]
    fn montgomery<M: Modulus, C: Columns>(self, product: C, Loose(above): &Loose) -> Loose {
        let (zero, mask) = (self.all(0), self.all(MASK));
        let inverse = self.all(Of::<M>::NEGATED_INVERSE);
        let p = &Of::<M>::P;

        let [sum, rest] = product.column::<0>(self, zero);
        let low0 = self.plus(sum, rest);
        let carried = if C::CARRIES_AT_ONCE { self.right::<52>(low0) } else { zero };
        let [sum, rest] = product.column::<1>(self, carried);
        let low1 = self.plus(sum, rest);
        let [sum, rest] = product.column::<2>(self, zero);
        let low2 = self.plus(self.plus(sum, rest), self.right::<52>(low1));
        let low = [low0, low1, low2];

        // Products and folds are added up apart, so that they do not wait for each other.
        let mut sums = [zero; 2 * N_LIMBS];
        let mut folds = [zero; 2 * N_LIMBS];
        let [sum, rest] = product.column::<3>(self, mask);
        sums[3] = self.plus(sum, self.fold::<M, 0>(self.plus(rest, self.right::<52>(low2)), low));
        let [sum, rest] = product.column::<4>(self, zero);
        sums[4] = self.plus(sum, self.fold::<M, 1>(self.plus(rest, mask), low));
        unroll!(I in [5 6 7] {
            let [sum, rest] = product.column::<I>(self, above[I - 5]);
            sums[I] = sum;
            folds[I] = self.fold::<M, { I - 3 }>(rest, low);
        });
        let [sum, rest] = product.column::<8>(self, above[3]);
        sums[8] = self.plus(self.fold::<M, 5>(sum, low), rest);
        let [sum, rest] = product.column::<9>(self, above[4]);
        sums[9] = self.plus(sum, rest);

        // Started from `-1 / p`, to make up for `2^52 - 1` in the column.
        let digit3 = self.add_low(inverse, sums[3], inverse);
        let carried = self.add_high(self.right::<52>(sums[3]), digit3, self.all(p[0]));
        sums[4] = self.plus(self.add_low(sums[4], digit3, self.all(p[1])), carried);
        let digit4 = self.add_low(inverse, sums[4], inverse);
        let carried = self.add_high(self.right::<52>(sums[4]), digit4, self.all(p[0]));
        unroll!(J in [1 2 3 4] {
            if J > 1 {
                sums[J + 3] = self.add_low(sums[J + 3], digit3, self.all(p[J]));
            }
            sums[J + 4] = self.add_high(sums[J + 4], digit3, self.all(p[J]));
        });
        unroll!(J in [1 2 3 4] {
            sums[J + 4] = self.add_low(sums[J + 4], digit4, self.all(p[J]));
            sums[J + 5] = self.add_high(sums[J + 5], digit4, self.all(p[J]));
        });
        sums[5] = self.plus(sums[5], carried);
        unroll!(I in [5 6 7] {
            sums[I] = self.plus(sums[I], folds[I]);
        });
        let [.., s5, s6, s7, s8, s9] = sums;
        Loose([s5, s6, s7, s8, s9])
    }

    #[inline(always)]
    fn zero(self) -> Loose {
        Loose([self.all(0); N_LIMBS])
    }
}

impl Lanes for Avx512 {
    const LANES: usize = 8;
    // Estimated: no processor has timed it with these additions.
    const INVERSION: usize = 64;

    type Words = [V; 4];
    type Tight = Tight;
    type Loose = Loose;

    #[inline]
    fn vectorize<K: Kernel>(self, kernel: K) -> K::Output {
        #[target_feature(enable = "avx512f,avx512ifma,avx2")]
        fn run<K: Kernel>(kernel: K) -> K::Output {
            kernel.run()
        }
        // SAFETY: a value of this type exists only where the processor has AVX-512 F, AVX2 and IFMA.
        unsafe { run(kernel) }
    }

    #[inline(always)]
    fn load(self, rows: &[&[u64; 4]; MAX_LANES]) -> [V; 4] {
        self.transpose([
            self.read(rows[0], rows[4]),
            self.read(rows[1], rows[5]),
            self.read(rows[2], rows[6]),
            self.read(rows[3], rows[7]),
        ])
    }

    #[inline(always)]
    fn splat(self, words: &[u64; 4]) -> [V; 4] {
        [self.all(words[0]), self.all(words[1]), self.all(words[2]), self.all(words[3])]
    }

    #[inline(always)]
    fn store(self, words: &[V; 4]) -> Rows {
        let mut rows = Rows::default();
        let lanes = self.transpose(*words);
        let (low, high) = rows.split_at_mut(4);
        for i in 0..4 {
            self.write(lanes[i], &mut low[i], &mut high[i]);
        }
        rows
    }

    #[inline(always)]
    fn split(self, [w0, w1, w2, w3]: &[V; 4]) -> Tight {
        let mask = self.all(MASK);
        Tight([
            self.and(*w0, mask),
            self.and(self.or(self.right::<52>(*w0), self.left::<12>(*w1)), mask),
            self.and(self.or(self.right::<40>(*w1), self.left::<24>(*w2)), mask),
            self.and(self.or(self.right::<28>(*w2), self.left::<36>(*w3)), mask),
            self.right::<16>(*w3),
        ])
    }

    #[inline(always)]
    fn join(self, Tight(l): &Tight) -> [V; 4] {
        [
            self.or(l[0], self.left::<52>(l[1])),
            self.or(self.right::<12>(l[1]), self.left::<40>(l[2])),
            self.or(self.right::<24>(l[2]), self.left::<28>(l[3])),
            self.or(self.right::<36>(l[3]), self.left::<16>(l[4])),
        ]
    }

    #[inline(always)]
    fn lowest_is_zero(self, a: &Tight) -> u32 {
        self.same(a.0[0], self.all(0)).into()
    }

    #[inline(always)]
    fn may_be_zero<M: Modulus>(self, difference: &Loose) -> u32 {
        let lowest = self.and(difference.0[0], self.all(MASK));
        let is = |multiple: LimbValues| self.same(lowest, self.all(multiple[0]));
        (is(Of::<M>::multiple(2)) | is(Of::<M>::THREE_P) | is(Of::<M>::multiple(4))).into()
    }

    #[inline(always)]
    fn select(self, mask: u32, a: &Loose, b: &Loose) -> Loose {
        let mut chosen = a.0;
        unroll!(I in [0 1 2 3 4] {
            chosen[I] = self.choose(mask as u8, a.0[I], b.0[I]);
        });
        Loose(chosen)
    }

    #[inline(always)]
    fn loose(self, a: &Tight) -> Loose {
        Loose(a.0)
    }

    #[inline(always)]
    fn tight(self, a: &Loose) -> Tight {
        Tight(self.carry(a.0))
    }

    #[inline(always)]
    fn mul<M: Modulus>(self, a: &Tight, b: &Tight) -> Tight {
        self.tight(&self.montgomery::<M, _>(Product(&a.0, &b.0), &self.zero()))
    }

    #[inline(always)]
    fn mul_loose<M: Modulus>(self, a: &Loose, b: &Tight) -> Tight {
        self.tight(&self.mul_add::<M>(a, b, &self.zero()))
    }

    #[inline(always)]
    fn mul_add<M: Modulus>(self, a: &Loose, b: &Tight, c: &Loose) -> Loose {
        self.montgomery::<M, _>(Product(&self.factor(a), &b.0), c)
    }

    #[inline(always)]
    fn mul_two<M: Modulus>(self, ab: [&Tight; 2], cd: [&Tight; 2]) -> Tight {
        self.tight(&self.mul_two_add::<M>(ab, cd, &self.zero()))
    }

    #[inline(always)]
    fn mul_two_add<M: Modulus>(self, [a, b]: [&Tight; 2], [c, d]: [&Tight; 2], e: &Loose) -> Loose {
        self.montgomery::<M, _>(TwoProducts(Product(&a.0, &b.0), Product(&c.0, &d.0)), e)
    }

    #[inline(always)]
    fn square<M: Modulus>(self, a: &Tight) -> Tight {
        self.tight(&self.square_add::<M>(a, &self.zero()))
    }

    #[inline(always)]
    fn square_add<M: Modulus>(self, a: &Tight, c: &Loose) -> Loose {
        self.montgomery::<M, _>(Square(&a.0), c)
    }

    #[inline(always)]
    fn add(self, a: &Tight, b: &Tight) -> Loose {
        let mut sum = a.0;
        unroll!(I in [0 1 2 3 4] {
            sum[I] = self.plus(sum[I], b.0[I]);
        });
        Loose(sum)
    }

    #[inline(always)]
    fn sub<M: Modulus>(self, a: &Tight, b: &Tight) -> Loose {
        let mut difference = a.0;
        unroll!(I in [0 1 2 3 4] {
            difference[I] = self.plus(self.minus(a.0[I], b.0[I]), self.all(Of::<M>::THREE_P[I]));
        });
        Loose(difference)
    }

    #[inline(always)]
    fn signed_sub<M: Modulus>(self, negative: u32, a: &Tight, b: &Tight) -> Loose {
        let mut signed = a.0;
        unroll!(I in [0 1 2 3 4] {
            signed[I] = self.negate(negative as u8, a.0[I]);
        });
        self.sub::<M>(&Tight(signed), b)
    }

    #[inline(always)]
    fn four_times_sub<M: Modulus>(self, a: &Tight, b: &Tight) -> Loose {
        let mut difference = self.sub::<M>(a, b).0;
        unroll!(I in [0 1 2 3 4] {
            difference[I] = self.left::<2>(difference[I]);
        });
        Loose(difference)
    }

    #[inline(always)]
    fn sub_two<M: Modulus>(self, a: &Tight, b: &Tight, c: &Tight) -> Loose {
        let mut difference = a.0;
        unroll!(I in [0 1 2 3 4] {
            let taken = self.plus(b.0[I], c.0[I]);
            difference[I] = self.plus(self.minus(a.0[I], taken), self.all(Of::<M>::FIVE_P[I]));
        });
        Loose(difference)
    }

    #[inline(always)]
    fn neg<M: Modulus>(self, a: &Tight) -> Loose {
        self.sub::<M>(&Tight([self.all(0); N_LIMBS]), a)
    }

    #[inline(always)]
    fn neg_twice_and<M: Modulus>(self, a: &Tight, b: &Loose) -> Loose {
        let mut negated = a.0;
        unroll!(I in [0 1 2 3 4] {
            let taken = self.plus(self.plus(a.0[I], a.0[I]), b.0[I]);
            negated[I] = self.minus(self.all(Of::<M>::SEVEN_P[I]), taken);
        });
        Loose(negated)
    }

    /// Takes `q p` off, with `q` the quotient of the highest limbs rounded down.
    #[inline(always)]
    fn reduce<M: Modulus>(self, a: &Loose) -> Tight {
        let mut limbs = a.0;
        let top = self.right::<30>(limbs[N_LIMBS - 1]);
        let q = self.add_high(self.all(0), top, self.all(Of::<M>::RECIPROCAL));
        unroll!(I in [0 1 2 3 4] {
            limbs[I] = self.add_low(limbs[I], q, self.all(Of::<M>::COMPLEMENT[I]));
        });
        unroll!(I in [0 1 2 3] {
            limbs[I + 1] = self.add_high(limbs[I + 1], q, self.all(Of::<M>::COMPLEMENT[I]));
        });
        let mut limbs = self.carry(limbs);
        limbs[N_LIMBS - 1] = self.and(limbs[N_LIMBS - 1], self.all(MASK));
        Tight(limbs)
    }

    #[inline(always)]
    fn canonical<M: Modulus>(self, a: &Loose) -> Tight {
        let Tight(reduced) = self.reduce::<M>(a);
        let mut less = reduced;
        unroll!(I in [0 1 2 3 4] {
            less[I] = self.plus(reduced[I], self.all(Of::<M>::COMPLEMENT[I]));
        });
        let less = self.carry(less);
        // Bit 52 of the highest limb says that nothing had to be borrowed.
        let fits = self.same(self.right::<52>(less[N_LIMBS - 1]), self.all(1));
        let mut chosen = reduced;
        unroll!(I in [0 1 2 3 4] {
            chosen[I] = self.choose(fits, reduced[I], less[I]);
        });
        chosen[N_LIMBS - 1] = self.and(chosen[N_LIMBS - 1], self.all(MASK));
        Tight(chosen)
    }
}
