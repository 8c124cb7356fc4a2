//! Eight lanes of AVX-512 IFMA: `vpmadd52luq` and `vpmadd52huq` add the lower and the upper half of a 104-bit product. What is
//! made of them is in [`super::limbs52`].

use core::arch::x86_64::{
    __m512i, _mm256_loadu_si256, _mm256_storeu_si256, _mm512_add_epi64, _mm512_and_si512,
    _mm512_castsi256_si512, _mm512_castsi512_si256, _mm512_cmpeq_epi64_mask, _mm512_extracti64x4_epi64,
    _mm512_inserti64x4, _mm512_madd52hi_epu64, _mm512_madd52lo_epu64, _mm512_mask_blend_epi64,
    _mm512_mask_sub_epi64, _mm512_or_si512, _mm512_permutex2var_epi64, _mm512_set1_epi64, _mm512_setr_epi64,
    _mm512_setzero_si512, _mm512_slli_epi64, _mm512_srai_epi64, _mm512_srli_epi64, _mm512_sub_epi64,
    _mm512_unpackhi_epi64, _mm512_unpacklo_epi64,
};

use super::limbs52::Vectors52;
use super::{Kernel, MAX_LANES, Rows};

/// Eight 64-bit lanes.
type V = __m512i;

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
        interleave_low(a, b) = _mm512_unpacklo_epi64;
        interleave_high(a, b) = _mm512_unpackhi_epi64;
        permute_two(a, places, b) = _mm512_permutex2var_epi64;
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
}

impl Vectors52 for Avx512 {
    const LANES: usize = 8;
    // Estimated: no processor has timed it with these additions.
    const INVERSION: usize = 64;

    type Vector = V;

    operations! {
        plus(a, b) = _mm512_add_epi64;
        minus(a, b) = _mm512_sub_epi64;
        add_low(sum, a, b) = _mm512_madd52lo_epu64;
        add_high(sum, a, b) = _mm512_madd52hi_epu64;
        and(a, b) = _mm512_and_si512;
        or(a, b) = _mm512_or_si512;
    }

    shifts! {
        right = _mm512_srli_epi64;
        right_signed = _mm512_srai_epi64;
        left = _mm512_slli_epi64;
    }

    #[inline]
    fn compile<K: Kernel>(self, kernel: K) -> K::Output {
        #[target_feature(enable = "avx512f,avx512ifma,avx2")]
        fn run<K: Kernel>(kernel: K) -> K::Output {
            kernel.run()
        }
        // SAFETY: a value of this type exists only where the processor has AVX-512 F, AVX2 and IFMA.
        unsafe { run(kernel) }
    }

    #[inline(always)]
    fn columns(self, rows: &[&[u64; 4]; MAX_LANES]) -> [V; 4] {
        self.transpose([
            self.read(rows[0], rows[4]),
            self.read(rows[1], rows[5]),
            self.read(rows[2], rows[6]),
            self.read(rows[3], rows[7]),
        ])
    }

    #[inline(always)]
    fn rows(self, columns: &[V; 4]) -> Rows {
        let mut rows = Rows::default();
        let lanes = self.transpose(*columns);
        let (low, high) = rows.split_at_mut(4);
        for i in 0..4 {
            self.write(lanes[i], &mut low[i], &mut high[i]);
        }
        rows
    }

    #[inline(always)]
    fn all(self, value: u64) -> V {
        // SAFETY: a value of this type exists only where the processor has AVX-512 F and IFMA.
        unsafe { _mm512_set1_epi64(value as i64) }
    }

    #[inline(always)]
    fn same(self, a: V, b: V) -> u32 {
        // SAFETY: a value of this type exists only where the processor has AVX-512 F and IFMA.
        unsafe { _mm512_cmpeq_epi64_mask(a, b) }.into()
    }

    #[inline(always)]
    fn choose(self, of_b: u32, a: V, b: V) -> V {
        // SAFETY: a value of this type exists only where the processor has AVX-512 F and IFMA.
        unsafe { _mm512_mask_blend_epi64(of_b as u8, a, b) }
    }

    #[inline(always)]
    fn negate(self, lanes: u32, a: V) -> V {
        // SAFETY: a value of this type exists only where the processor has AVX-512 F and IFMA.
        unsafe { _mm512_mask_sub_epi64(a, lanes as u8, _mm512_setzero_si512(), a) }
    }
}
