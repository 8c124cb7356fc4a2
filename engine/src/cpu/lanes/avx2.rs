//! Four lanes of nine 29-bit limbs: `vpmuludq` multiplies 32 bits by 32, and 64-bit columns take the sum of all its
//! products without a carry.
//!
//! Columns are below `2^63`, and so may be doubled at the end: eight products of a loose limb (below `1.5 * 2^30`) and a
//! tight one (below `2^29`), at most `1.5 * 2^62`; a quotient digit (below `2^29`) times each limb of `p`, whose sum is below
//! `1.5 * 2^31`, at most `0.375 * 2^62`; and a carry. The ninth product is in the column that is dropped.

use core::arch::asm;
use core::arch::x86_64::{
    __m256i, _mm256_add_epi64, _mm256_and_si256, _mm256_blendv_epi8, _mm256_castsi256_pd, _mm256_cmpeq_epi64,
    _mm256_loadu_si256, _mm256_movemask_pd, _mm256_or_si256, _mm256_permute2x128_si256, _mm256_set1_epi64x,
    _mm256_slli_epi64, _mm256_srli_epi64, _mm256_storeu_si256, _mm256_sub_epi64, _mm256_unpackhi_epi64,
    _mm256_unpacklo_epi64, _mm256_xor_si256,
};

use super::{Kernel, Lanes, MAX_LANES, Modulus, Rows, complement, negated_inverse};

const N_LIMBS: usize = 9;
const LIMB_BITS: u32 = 29;
const MASK: u64 = (1 << LIMB_BITS) - 1;

/// Four 64-bit lanes.
type V = __m256i;
type Limbs = [V; N_LIMBS];
type LimbValues = [u64; N_LIMBS];

/// Shows that the processor has AVX2.
#[derive(Clone, Copy, Debug)]
pub(in crate::cpu) struct Avx2(());

impl Avx2 {
    pub(in crate::cpu) fn new() -> Option<Self> {
        std::arch::is_x86_feature_detected!("avx2").then_some(Self(()))
    }
}

/// Limbs whose type says that they are below `2^29`.
#[derive(Clone, Copy)]
pub(in crate::cpu) struct Tight(Limbs);

/// Limbs below `1.5 * 2^30`.
#[derive(Clone, Copy)]
pub(in crate::cpu) struct Loose(Limbs);

const fn split_value(words: [u64; 4]) -> LimbValues {
    let mut limbs = [0; N_LIMBS];
    let mut i = 0;
    while i < N_LIMBS {
        let (word, shift) = (i * LIMB_BITS as usize / 64, i * LIMB_BITS as usize % 64);
        limbs[i] = words[word] >> shift;
        if shift > 64 - LIMB_BITS as usize && word < 3 {
            limbs[i] |= words[word + 1] << (64 - shift);
        }
        limbs[i] &= MASK;
        i += 1;
    }
    limbs
}

/// The same values in every lane.
const fn in_lanes<const N: usize>(values: [u64; N]) -> [[u64; 4]; N] {
    let mut lanes = [[0; 4]; N];
    let mut i = 0;
    while i < N {
        lanes[i] = [values[i]; 4];
        i += 1;
    }
    lanes
}

/// Constants of a modulus, as limbs.
struct Of<M>(M);

impl<M: Modulus> Of<M> {
    const P: LimbValues = split_value(M::MODULUS.0);
    const LIMB_SUM: u64 = {
        let mut sum = 0;
        let mut i = 0;
        while i < N_LIMBS {
            sum += Self::P[i];
            i += 1;
        }
        sum
    };
    /// `-1 / p` modulo `2^29`.
    const NEGATED_INVERSE: u64 = negated_inverse(M::MODULUS.0[0]) & MASK;
    /// `2^261 - p`.
    const COMPLEMENT: LimbValues = complement(Self::P, MASK);
    /// `3 p` with every limb but the highest raised above `2^29 - 1`, so that a tight value can be taken off limb by limb.
    const THREE_P: LimbValues = Self::raised(3, 1);
    /// `3 p` likewise, for two tight values.
    const THREE_P_FOR_TWO: LimbValues = Self::raised(3, 2);
    /// `5 p` with limbs above `2 (2^29 - 1)`, for two tight values.
    const FIVE_P: LimbValues = Self::raised(5, 2);
    /// `7 p` with limbs above `5 * 2^29`, for a tight value twice and a loose one.
    const SEVEN_P: LimbValues = Self::raised(7, 5);
    /// The lowest limbs of `2 p`, `3 p` and `4 p`.
    const LOWEST_OF_MULTIPLES: [u64; 3] = {
        let p = Self::P[0];
        [(2 * p) & MASK, (3 * p) & MASK, (4 * p) & MASK]
    };
    /// `floor(2^50 / (p_8 + 1))`, for the quotient by `p` of a value's highest limb.
    const RECIPROCAL: u64 = (1 << 50) / (Self::P[N_LIMBS - 1] + 1);

    const P_LANES: [[u64; 4]; N_LIMBS] = in_lanes(Self::P);
    const NEGATED_INVERSE_LANES: [[u64; 4]; 1] = in_lanes([Self::NEGATED_INVERSE]);
    const COMPLEMENT_LANES: [[u64; 4]; N_LIMBS] = in_lanes(Self::COMPLEMENT);
    const RECIPROCAL_LANES: [[u64; 4]; 1] = in_lanes([Self::RECIPROCAL]);

    const fn raised(multiple: u64, by: u64) -> LimbValues {
        let mut limbs = [0; N_LIMBS];
        let mut carry = 0;
        let mut i = 0;
        while i < N_LIMBS {
            let limb = multiple * Self::P[i] + carry;
            let last = i + 1 == N_LIMBS;
            limbs[i] = if last { limb } else { limb & MASK };
            carry = limb >> LIMB_BITS;
            i += 1;
        }
        let mut i = 0;
        while i + 1 < N_LIMBS {
            limbs[i] += by << LIMB_BITS;
            limbs[i + 1] -= by;
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
            // SAFETY: a value of this type exists only where the processor has AVX2.
            unsafe { $intrinsic($($argument),*) }
        }
    )* };
}

/// One shift by a constant as a safe function.
macro_rules! shifts {
    ($($name:ident = $intrinsic:ident;)*) => { $(
        #[inline(always)]
        fn $name<const BITS: i32>(self, a: V) -> V {
            // SAFETY: a value of this type exists only where the processor has AVX2.
            unsafe { $intrinsic::<BITS>(a) }
        }
    )* };
}

/// `vpmuludq`, the second factor in memory at `b + LIMB`. Not `_mm256_mul_epu32`: for the compiler that is a product of masked
/// 64-bit lanes, and where it has forgotten that the upper halves are zero, as across iterations of a loop, it multiplies
/// those too.
///
/// # Safety
/// `b + LIMB` can be read.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn multiply<const LIMB: usize>(a: V, b: *const V) -> V {
    let product;
    // SAFETY: the instruction is one of AVX2, asks for no alignment, and reads what the caller says can be read.
    unsafe {
        asm!(
            "vpmuludq {product}, {a}, ymmword ptr [{b} + {offset}]",
            product = lateout(ymm_reg) product,
            a = in(ymm_reg) a,
            b = in(reg) b,
            offset = const LIMB * size_of::<V>(),
            options(pure, readonly, nostack, preserves_flags)
        );
    }
    product
}

impl Avx2 {
    operations! {
        plus(a, b) = _mm256_add_epi64;
        minus(a, b) = _mm256_sub_epi64;
        and(a, b) = _mm256_and_si256;
        or(a, b) = _mm256_or_si256;
        xor(a, b) = _mm256_xor_si256;
        same(a, b) = _mm256_cmpeq_epi64;
        choose(a, b, of_b) = _mm256_blendv_epi8;
        interleave_low(a, b) = _mm256_unpacklo_epi64;
        interleave_high(a, b) = _mm256_unpackhi_epi64;
    }

    shifts! {
        right = _mm256_srli_epi64;
        left = _mm256_slli_epi64;
    }

    /// The products of the lower 32 bits of each lane of `a` and of limb `LIMB` of `b`.
    #[inline(always)]
    fn times<const LIMB: usize>(self, a: V, b: &Limbs) -> V {
        const { assert!(LIMB < N_LIMBS) };
        // SAFETY: a value of this type exists only where the processor has AVX2; the limb is within the array.
        unsafe { multiply::<LIMB>(a, b.as_ptr()) }
    }

    /// The same with a constant.
    #[inline(always)]
    fn times_constant<const LIMB: usize, const N: usize>(self, a: V, b: &[[u64; 4]; N]) -> V {
        const { assert!(LIMB < N) };
        // SAFETY: a value of this type exists only where the processor has AVX2; the row, as large as a vector, is within the
        // array.
        unsafe { multiply::<LIMB>(a, b.as_ptr().cast()) }
    }

    #[inline(always)]
    fn all(self, value: u64) -> V {
        // SAFETY: a value of this type exists only where the processor has AVX2.
        unsafe { _mm256_set1_epi64x(value as i64) }
    }

    #[inline(always)]
    fn read(self, row: &[u64; 4]) -> V {
        // SAFETY: a value of this type exists only where the processor has AVX2; a row is 32 bytes that may be read, and
        // this load asks for no alignment.
        unsafe { _mm256_loadu_si256(row.as_ptr().cast()) }
    }

    #[inline(always)]
    fn write(self, a: V, row: &mut [u64; 4]) {
        // SAFETY: a value of this type exists only where the processor has AVX2; a row is 32 bytes that may be written, and
        // this store asks for no alignment.
        unsafe { _mm256_storeu_si256(row.as_mut_ptr().cast(), a) }
    }

    /// The lower halves of both, or the upper ones.
    #[inline(always)]
    fn halves(self, a: V, b: V) -> (V, V) {
        // SAFETY: a value of this type exists only where the processor has AVX2.
        unsafe { (_mm256_permute2x128_si256::<0x20>(a, b), _mm256_permute2x128_si256::<0x31>(a, b)) }
    }

    /// The highest bit of each lane.
    #[inline(always)]
    fn signs(self, a: V) -> u32 {
        // SAFETY: a value of this type exists only where the processor has AVX2.
        unsafe { _mm256_movemask_pd(_mm256_castsi256_pd(a)) as u32 }
    }

    /// All bits of lane `i` where bit `i` of `mask` is set.
    #[inline(always)]
    fn spread(self, mask: u32) -> V {
        let bits = self.read(&[1, 2, 4, 8]);
        self.same(self.and(self.all(mask.into()), bits), bits)
    }

    /// Rows to columns, which is its own inverse.
    #[inline(always)]
    fn transpose(self, [a, b, c, d]: [V; 4]) -> [V; 4] {
        let (w0, w2) = self.halves(self.interleave_low(a, b), self.interleave_low(c, d));
        let (w1, w3) = self.halves(self.interleave_high(a, b), self.interleave_high(c, d));
        [w0, w1, w2, w3]
    }

    /// Carries from limb to limb; the highest keeps what is above `2^29`.
    #[inline(always)]
    fn carry(self, mut limbs: Limbs) -> Limbs {
        let mask = self.all(MASK);
        unroll!(I in [0 1 2 3 4 5 6 7] {
            limbs[I + 1] = self.plus(limbs[I + 1], self.right::<29>(limbs[I]));
            limbs[I] = self.and(limbs[I], mask);
        });
        limbs
    }

    /// Makes the lowest `BITS` bits of the columns zero by adding a multiple of `p`.
    #[inline(always)]
    fn clear<M: Modulus, const BITS: u32>(self, columns: &mut Limbs) {
        let digit = self.times_constant::<0, 1>(columns[0], &Of::<M>::NEGATED_INVERSE_LANES);
        let digit = self.and(digit, self.all((1 << BITS) - 1));
        unroll!(J in [0 1 2 3 4 5 6 7 8] {
            columns[J] = self.plus(columns[J], self.times_constant::<J, N_LIMBS>(digit, &Of::<M>::P_LANES));
        });
    }

    /// Divides the columns by `2^29`, which they are a multiple of.
    #[inline(always)]
    fn drop_column<M: Modulus>(self, columns: &mut Limbs) {
        self.clear::<M, LIMB_BITS>(columns);
        let [dropped, c1, c2, c3, c4, c5, c6, c7, c8] = *columns;
        *columns = [self.plus(c1, self.right::<29>(dropped)), c2, c3, c4, c5, c6, c7, c8, self.all(0)];
    }

    /// Divides the columns by `2^28`, after eight times `2^29` the last of `2^260`, and carries.
    #[inline(always)]
    fn finish<M: Modulus>(self, columns: &mut Limbs) -> Tight {
        const { assert!(Of::<M>::LIMB_SUM < 3 << 30) };
        self.clear::<M, { LIMB_BITS - 1 }>(columns);
        let mask = self.all(MASK);
        let mut limbs = [self.all(0); N_LIMBS];
        let mut carry = self.right::<28>(columns[0]);
        unroll!(I in [0 1 2 3 4 5 6 7] {
            let limb = self.plus(self.plus(columns[I + 1], columns[I + 1]), carry);
            limbs[I] = self.and(limb, mask);
            carry = self.right::<29>(limb);
        });
        limbs[N_LIMBS - 1] = carry;
        Tight(limbs)
    }

    /// Of a loose value and a tight one.
    #[inline(always)]
    fn product<M: Modulus>(self, a: &Limbs, b: &Limbs) -> Tight {
        let mut columns = [self.all(0); N_LIMBS];
        unroll!(I in [0 1 2 3 4 5 6 7 8] {
            unroll!(J in [0 1 2 3 4 5 6 7 8] {
                columns[J] = self.plus(columns[J], self.times::<J>(a[I], b));
            });
            if I + 1 < N_LIMBS {
                self.drop_column::<M>(&mut columns);
            }
        });
        self.finish::<M>(&mut columns)
    }

    /// Of two pairs of tight values: sixteen products below `2^58` are as much as eight with a loose factor twice as large.
    #[inline(always)]
    fn sum_of_products<M: Modulus>(self, [a, b]: [&Limbs; 2], [c, d]: [&Limbs; 2]) -> Tight {
        let mut columns = [self.all(0); N_LIMBS];
        unroll!(I in [0 1 2 3 4 5 6 7 8] {
            unroll!(J in [0 1 2 3 4 5 6 7 8] {
                let both = self.plus(self.times::<J>(a[I], b), self.times::<J>(c[I], d));
                columns[J] = self.plus(columns[J], both);
            });
            if I + 1 < N_LIMBS {
                self.drop_column::<M>(&mut columns);
            }
        });
        self.finish::<M>(&mut columns)
    }

    /// Row `i` holds the products of limb `i` with itself and the limbs above it, each of these for two.
    #[inline(always)]
    fn product_with_itself<M: Modulus>(self, Tight(a): &Tight) -> Tight {
        let mut columns = [self.all(0); N_LIMBS];
        unroll!(I in [0 1 2 3 4 5 6 7 8] {
            let doubled = self.plus(a[I], a[I]);
            columns[I] = self.plus(columns[I], self.times::<I>(a[I], a));
            unroll!(J in [1 2 3 4 5 6 7 8] {
                if J > I {
                    columns[J] = self.plus(columns[J], self.times::<J>(doubled, a));
                }
            });
            if I + 1 < N_LIMBS {
                self.drop_column::<M>(&mut columns);
            }
        });
        self.finish::<M>(&mut columns)
    }
}

impl Avx2 {
    /// `a + b`, for `b` with limbs below `2^30`.
    #[inline(always)]
    fn add_loose(self, Tight(mut sum): Tight, b: &Loose) -> Loose {
        unroll!(I in [0 1 2 3 4 5 6 7 8] {
            sum[I] = self.plus(sum[I], b.0[I]);
        });
        Loose(sum)
    }

    /// Not inlined, here as in `square`: limbs come from memory and go there anyway, and the processor's cache of decoded
    /// instructions holds one copy instead of one a product.
    #[inline(always)]
    fn multiply_limbs<M: Modulus>(self, a: &Limbs, b: &Limbs) -> Tight {
        #[inline(never)]
        #[target_feature(enable = "avx2")]
        fn product<M: Modulus>(lanes: Avx2, a: &Limbs, b: &Limbs) -> Tight {
            lanes.product::<M>(a, b)
        }
        // SAFETY: a value of this type exists only where the processor has AVX2.
        unsafe { product::<M>(self, a, b) }
    }
}

impl Lanes for Avx2 {
    const LANES: usize = 4;
    const INVERSION: usize = 16;

    type Words = [V; 4];
    type Tight = Tight;
    type Loose = Loose;

    #[inline]
    fn vectorize<K: Kernel>(self, kernel: K) -> K::Output {
        #[target_feature(enable = "avx2")]
        fn run<K: Kernel>(kernel: K) -> K::Output {
            kernel.run()
        }
        // SAFETY: a value of this type exists only where the processor has AVX2.
        unsafe { run(kernel) }
    }

    #[inline(always)]
    fn load(self, rows: &[&[u64; 4]; MAX_LANES]) -> [V; 4] {
        self.transpose([self.read(rows[0]), self.read(rows[1]), self.read(rows[2]), self.read(rows[3])])
    }

    #[inline(always)]
    fn splat(self, words: &[u64; 4]) -> [V; 4] {
        [self.all(words[0]), self.all(words[1]), self.all(words[2]), self.all(words[3])]
    }

    #[inline(always)]
    fn store(self, words: &[V; 4]) -> Rows {
        let mut rows = Rows::default();
        let lanes = self.transpose(*words);
        for i in 0..Self::LANES {
            self.write(lanes[i], &mut rows[i]);
        }
        rows
    }

    #[inline(always)]
    fn split(self, [w0, w1, w2, w3]: &[V; 4]) -> Tight {
        let mask = self.all(MASK);
        Tight([
            self.and(*w0, mask),
            self.and(self.right::<29>(*w0), mask),
            self.and(self.or(self.right::<58>(*w0), self.left::<6>(*w1)), mask),
            self.and(self.right::<23>(*w1), mask),
            self.and(self.or(self.right::<52>(*w1), self.left::<12>(*w2)), mask),
            self.and(self.right::<17>(*w2), mask),
            self.and(self.or(self.right::<46>(*w2), self.left::<18>(*w3)), mask),
            self.and(self.right::<11>(*w3), mask),
            self.right::<40>(*w3),
        ])
    }

    #[inline(always)]
    fn join(self, Tight(l): &Tight) -> [V; 4] {
        let or = |a, b, c| self.or(self.or(a, b), c);
        [
            or(l[0], self.left::<29>(l[1]), self.left::<58>(l[2])),
            or(self.right::<6>(l[2]), self.left::<23>(l[3]), self.left::<52>(l[4])),
            or(self.right::<12>(l[4]), self.left::<17>(l[5]), self.left::<46>(l[6])),
            or(self.right::<18>(l[6]), self.left::<11>(l[7]), self.left::<40>(l[8])),
        ]
    }

    #[inline(always)]
    fn lowest_is_zero(self, a: &Tight) -> u32 {
        self.signs(self.same(a.0[0], self.all(0)))
    }

    #[inline(always)]
    fn may_be_zero<M: Modulus>(self, difference: &Loose) -> u32 {
        let lowest = self.and(difference.0[0], self.all(MASK));
        let [two, three, four] =
            Of::<M>::LOWEST_OF_MULTIPLES.map(|multiple| self.same(lowest, self.all(multiple)));
        self.signs(self.or(self.or(two, three), four))
    }

    #[inline(always)]
    fn select(self, mask: u32, a: &Loose, b: &Loose) -> Loose {
        let mask = self.spread(mask);
        let mut chosen = a.0;
        unroll!(I in [0 1 2 3 4 5 6 7 8] {
            chosen[I] = self.choose(a.0[I], b.0[I], mask);
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
        self.multiply_limbs::<M>(&a.0, &b.0)
    }

    #[inline(always)]
    fn mul_loose<M: Modulus>(self, a: &Loose, b: &Tight) -> Tight {
        self.multiply_limbs::<M>(&a.0, &b.0)
    }

    #[inline(always)]
    fn mul_add<M: Modulus>(self, a: &Loose, b: &Tight, c: &Loose) -> Loose {
        self.add_loose(self.mul_loose::<M>(a, b), c)
    }

    #[inline(always)]
    fn mul_two<M: Modulus>(self, [a, b]: [&Tight; 2], [c, d]: [&Tight; 2]) -> Tight {
        #[inline(never)]
        #[target_feature(enable = "avx2")]
        fn sum<M: Modulus>(lanes: Avx2, ab: [&Limbs; 2], cd: [&Limbs; 2]) -> Tight {
            lanes.sum_of_products::<M>(ab, cd)
        }
        // SAFETY: a value of this type exists only where the processor has AVX2.
        unsafe { sum::<M>(self, [&a.0, &b.0], [&c.0, &d.0]) }
    }

    #[inline(always)]
    fn mul_two_add<M: Modulus>(self, ab: [&Tight; 2], cd: [&Tight; 2], e: &Loose) -> Loose {
        self.add_loose(self.mul_two::<M>(ab, cd), e)
    }

    #[inline(always)]
    fn square_add<M: Modulus>(self, a: &Tight, c: &Loose) -> Loose {
        self.add_loose(self.square::<M>(a), c)
    }

    #[inline(always)]
    fn square<M: Modulus>(self, a: &Tight) -> Tight {
        #[inline(never)]
        #[target_feature(enable = "avx2")]
        fn square<M: Modulus>(lanes: Avx2, a: &Tight) -> Tight {
            lanes.product_with_itself::<M>(a)
        }
        // SAFETY: a value of this type exists only where the processor has AVX2.
        unsafe { square::<M>(self, a) }
    }

    #[inline(always)]
    fn add(self, a: &Tight, b: &Tight) -> Loose {
        let mut sum = a.0;
        unroll!(I in [0 1 2 3 4 5 6 7 8] {
            sum[I] = self.plus(sum[I], b.0[I]);
        });
        Loose(sum)
    }

    #[inline(always)]
    fn sub<M: Modulus>(self, a: &Tight, b: &Tight) -> Loose {
        let mut difference = a.0;
        unroll!(I in [0 1 2 3 4 5 6 7 8] {
            difference[I] = self.plus(a.0[I], self.minus(self.all(Of::<M>::THREE_P[I]), b.0[I]));
        });
        Loose(difference)
    }

    #[inline(always)]
    fn signed_sub<M: Modulus>(self, negative: u32, a: &Tight, b: &Tight) -> Loose {
        let mask = self.spread(negative);
        let mut difference = a.0;
        unroll!(I in [0 1 2 3 4 5 6 7 8] {
            let below = self.minus(self.all(Of::<M>::THREE_P_FOR_TWO[I]), b.0[I]);
            difference[I] = self.plus(below, self.minus(self.xor(a.0[I], mask), mask));
        });
        // Limbs below 2^31: too much for a loose value.
        Loose(self.carry(difference))
    }

    #[inline(always)]
    fn four_times_sub<M: Modulus>(self, a: &Tight, b: &Tight) -> Loose {
        let mut difference = self.sub::<M>(a, b).0;
        unroll!(I in [0 1 2 3 4 5 6 7 8] {
            difference[I] = self.left::<2>(difference[I]);
        });
        // Limbs below 2^33: too much for a loose value.
        Loose(self.carry(difference))
    }

    #[inline(always)]
    fn sub_two<M: Modulus>(self, a: &Tight, b: &Tight, c: &Tight) -> Loose {
        let mut difference = a.0;
        unroll!(I in [0 1 2 3 4 5 6 7 8] {
            let taken = self.plus(b.0[I], c.0[I]);
            difference[I] = self.plus(a.0[I], self.minus(self.all(Of::<M>::FIVE_P[I]), taken));
        });
        // Limbs below 2^31: too much for a loose value.
        Loose(self.carry(difference))
    }

    #[inline(always)]
    fn neg<M: Modulus>(self, a: &Tight) -> Loose {
        let mut negated = a.0;
        unroll!(I in [0 1 2 3 4 5 6 7 8] {
            negated[I] = self.minus(self.all(Of::<M>::THREE_P[I]), a.0[I]);
        });
        Loose(negated)
    }

    #[inline(always)]
    fn neg_twice_and<M: Modulus>(self, a: &Tight, b: &Loose) -> Loose {
        let mut negated = a.0;
        unroll!(I in [0 1 2 3 4 5 6 7 8] {
            let taken = self.plus(self.plus(a.0[I], a.0[I]), b.0[I]);
            negated[I] = self.minus(self.all(Of::<M>::SEVEN_P[I]), taken);
        });
        // Limbs above 2^31: too much for a loose value.
        Loose(self.carry(negated))
    }

    /// Takes `q p` off, with `q` the quotient of the highest limbs rounded down.
    #[inline(always)]
    fn reduce<M: Modulus>(self, a: &Loose) -> Tight {
        let mut limbs = self.carry(a.0);
        let q = self.right::<50>(self.times_constant::<0, 1>(limbs[N_LIMBS - 1], &Of::<M>::RECIPROCAL_LANES));
        unroll!(I in [0 1 2 3 4 5 6 7 8] {
            limbs[I] = self.plus(limbs[I], self.times_constant::<I, N_LIMBS>(q, &Of::<M>::COMPLEMENT_LANES));
        });
        let mut limbs = self.carry(limbs);
        limbs[N_LIMBS - 1] = self.and(limbs[N_LIMBS - 1], self.all(MASK));
        Tight(limbs)
    }

    #[inline(always)]
    fn canonical<M: Modulus>(self, a: &Loose) -> Tight {
        let Tight(reduced) = self.reduce::<M>(a);
        let mut less = reduced;
        unroll!(I in [0 1 2 3 4 5 6 7 8] {
            less[I] = self.plus(reduced[I], self.all(Of::<M>::COMPLEMENT[I]));
        });
        let less = self.carry(less);
        // Bit 29 of the highest limb says that nothing had to be borrowed.
        let fits = self.right::<29>(less[N_LIMBS - 1]);
        let fits = self.minus(self.all(0), fits);
        let mut chosen = reduced;
        unroll!(I in [0 1 2 3 4 5 6 7 8] {
            chosen[I] = self.choose(reduced[I], less[I], fits);
        });
        chosen[N_LIMBS - 1] = self.and(chosen[N_LIMBS - 1], self.all(MASK));
        Tight(chosen)
    }
}
