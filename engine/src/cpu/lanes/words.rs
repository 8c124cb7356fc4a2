//! Words of 32 bits in the lanes of vector registers: what a stream cipher needs.
//!
//! The widths are those of [`Lanes`], with twice the lanes, since the words are half as long.

use core::arch::{asm, x86_64::*};

use zeroize::Zeroize;

use super::{Avx2, Avx512, Lanes};

/// The operations of a width on words of 32 bits.
pub(in crate::cpu) trait Words32: Lanes {
    /// How many words lie side by side.
    const WORDS: usize;

    type Vector: Copy + Zeroize;

    /// The same word in every lane.
    fn all_words(self, word: u32) -> Self::Vector;
    /// `first + i` in lane `i`.
    fn count_words(self, first: u32) -> Self::Vector;
    /// `a + b (mod 2^32)`.
    fn add_words(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a - b (mod 2^32)`.
    fn sub_words(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a b (mod 2^32)`.
    fn mul_words(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    fn xor_words(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// Rotates to the left by 7, 8, 12 or 16.
    fn rotate_words<const BITS: i32>(self, a: Self::Vector) -> Self::Vector;
    /// `rows[16 i + k] += columns[k][i] (mod 2^32)` for every lane `i`.
    ///
    /// # Panics
    /// Where `rows` does not have 16 words a lane.
    fn add_transposed(self, columns: &[Self::Vector; 16], rows: &mut [u32]);
}

/// One intrinsic as a safe function.
macro_rules! operations {
    ($($name:ident($($argument:ident),*) = $intrinsic:ident;)*) => { $(
        #[inline(always)]
        fn $name(self, $($argument: Self::Vector),*) -> Self::Vector {
            // SAFETY: a value of this type exists only where the processor has the instructions of the width.
            unsafe { $intrinsic($($argument),*) }
        }
    )* };
}

/// For `vpshufb`: which byte of a row of four words goes where when each word is rotated by 16 or by 8.
const fn rotation(bits: usize) -> [u8; 32] {
    let mut places = [0; 32];
    let mut i = 0;
    while i < 32 {
        places[i] = (i % 16 / 4 * 4 + (i + 4 - bits / 8) % 4) as u8;
        i += 1;
    }
    places
}
static BY_16: [u8; 32] = rotation(16);
static BY_8: [u8; 32] = rotation(8);

/// `vpshufb`, its places in memory. Not `_mm256_shuffle_epi8`: where the compiler knows the places and they move halves of
/// words, it writes two shuffles for the one.
#[inline]
#[target_feature(enable = "avx2")]
fn shuffle_bytes(a: __m256i, places: &'static [u8; 32]) -> __m256i {
    let shuffled;
    // SAFETY: the instruction is one of AVX2, asks for no alignment, and reads the 32 bytes of the places.
    unsafe {
        asm!(
            "vpshufb {shuffled}, {a}, ymmword ptr [{places}]",
            shuffled = lateout(ymm_reg) shuffled,
            a = in(ymm_reg) a,
            places = in(reg) places.as_ptr(),
            options(pure, readonly, nostack, preserves_flags)
        );
    }
    shuffled
}

impl Words32 for Avx2 {
    const WORDS: usize = 8;

    type Vector = __m256i;

    operations! {
        add_words(a, b) = _mm256_add_epi32;
        sub_words(a, b) = _mm256_sub_epi32;
        mul_words(a, b) = _mm256_mullo_epi32;
        xor_words(a, b) = _mm256_xor_si256;
    }

    #[inline(always)]
    fn all_words(self, word: u32) -> __m256i {
        // SAFETY: a value of this type exists only where the processor has AVX2.
        unsafe { _mm256_set1_epi32(word as i32) }
    }

    #[inline(always)]
    fn count_words(self, first: u32) -> __m256i {
        // SAFETY: a value of this type exists only where the processor has AVX2.
        let count = unsafe { _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7) };
        self.add_words(self.all_words(first), count)
    }

    #[inline(always)]
    fn rotate_words<const BITS: i32>(self, a: __m256i) -> __m256i {
        // SAFETY: a value of this type exists only where the processor has AVX2.
        unsafe {
            match BITS {
                16 => shuffle_bytes(a, &BY_16),
                8 => shuffle_bytes(a, &BY_8),
                12 => _mm256_or_si256(_mm256_slli_epi32::<12>(a), _mm256_srli_epi32::<20>(a)),
                7 => _mm256_or_si256(_mm256_slli_epi32::<7>(a), _mm256_srli_epi32::<25>(a)),
                _ => unreachable!("ChaCha20 rotates by 7, 8, 12 and 16"),
            }
        }
    }

    /// Squares of four by four are transposed in either half; the halves of two squares make half a row of two lanes.
    #[inline(always)]
    fn add_transposed(self, columns: &[__m256i; 16], rows: &mut [u32]) {
        let (halves, []) = rows.as_chunks_mut::<8>() else { panic!("16 words a lane") };
        assert_eq!(halves.len(), 2 * Self::WORDS, "16 words a lane");
        // SAFETY: a value of this type exists only where the processor has AVX2; half a row is 32 bytes that may be read and
        // written, and these loads and stores ask for no alignment.
        unsafe {
            let mut squares = [[self.all_words(0); 4]; 4];
            for k in 0..4 {
                let [a, b, c, d] =
                    [columns[4 * k], columns[4 * k + 1], columns[4 * k + 2], columns[4 * k + 3]];
                let (ab, cd) = (_mm256_unpacklo_epi32(a, b), _mm256_unpacklo_epi32(c, d));
                let (ab_high, cd_high) = (_mm256_unpackhi_epi32(a, b), _mm256_unpackhi_epi32(c, d));
                squares[k] = [
                    _mm256_unpacklo_epi64(ab, cd),
                    _mm256_unpackhi_epi64(ab, cd),
                    _mm256_unpacklo_epi64(ab_high, cd_high),
                    _mm256_unpackhi_epi64(ab_high, cd_high),
                ];
            }
            for i in 0..4 {
                for k in 0..2 {
                    let (a, b) = (squares[2 * k][i], squares[2 * k + 1][i]);
                    let low = _mm256_permute2x128_si256::<0x20>(a, b);
                    let half = &mut halves[2 * i + k];
                    let sum = self.add_words(low, _mm256_loadu_si256(half.as_ptr().cast()));
                    _mm256_storeu_si256(half.as_mut_ptr().cast(), sum);
                    let high = _mm256_permute2x128_si256::<0x31>(a, b);
                    let half = &mut halves[2 * (i + 4) + k];
                    let sum = self.add_words(high, _mm256_loadu_si256(half.as_ptr().cast()));
                    _mm256_storeu_si256(half.as_mut_ptr().cast(), sum);
                }
            }
        }
    }
}

impl Words32 for Avx512 {
    const WORDS: usize = 16;

    type Vector = __m512i;

    operations! {
        add_words(a, b) = _mm512_add_epi32;
        sub_words(a, b) = _mm512_sub_epi32;
        mul_words(a, b) = _mm512_mullo_epi32;
        xor_words(a, b) = _mm512_xor_si512;
    }

    #[inline(always)]
    fn all_words(self, word: u32) -> __m512i {
        // SAFETY: a value of this type exists only where the processor has AVX-512 F.
        unsafe { _mm512_set1_epi32(word as i32) }
    }

    #[inline(always)]
    fn count_words(self, first: u32) -> __m512i {
        // SAFETY: a value of this type exists only where the processor has AVX-512 F.
        let count = unsafe { _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15) };
        self.add_words(self.all_words(first), count)
    }

    #[inline(always)]
    fn rotate_words<const BITS: i32>(self, a: __m512i) -> __m512i {
        // SAFETY: a value of this type exists only where the processor has AVX-512 F.
        unsafe { _mm512_rol_epi32::<BITS>(a) }
    }

    /// Squares of four by four are transposed in each quarter; then the quarters of four squares, which make a row.
    #[inline(always)]
    fn add_transposed(self, columns: &[__m512i; 16], rows: &mut [u32]) {
        let (rows, []) = rows.as_chunks_mut::<16>() else { panic!("16 words a lane") };
        assert_eq!(rows.len(), Self::WORDS, "16 words a lane");
        // SAFETY: a value of this type exists only where the processor has AVX-512 F; a row is 64 bytes that may be read and
        // written, and these loads and stores ask for no alignment.
        unsafe {
            let mut squares = [[self.all_words(0); 4]; 4];
            for k in 0..4 {
                let [a, b, c, d] =
                    [columns[4 * k], columns[4 * k + 1], columns[4 * k + 2], columns[4 * k + 3]];
                let (ab, cd) = (_mm512_unpacklo_epi32(a, b), _mm512_unpacklo_epi32(c, d));
                let (ab_high, cd_high) = (_mm512_unpackhi_epi32(a, b), _mm512_unpackhi_epi32(c, d));
                squares[k] = [
                    _mm512_unpacklo_epi64(ab, cd),
                    _mm512_unpackhi_epi64(ab, cd),
                    _mm512_unpacklo_epi64(ab_high, cd_high),
                    _mm512_unpackhi_epi64(ab_high, cd_high),
                ];
            }
            for i in 0..4 {
                let [a, b, c, d] = [squares[0][i], squares[1][i], squares[2][i], squares[3][i]];
                // Quarters 0 and 1 of both, and quarters 2 and 3.
                let (ab, cd) = (_mm512_shuffle_i32x4::<0x44>(a, b), _mm512_shuffle_i32x4::<0x44>(c, d));
                let (ab_high, cd_high) =
                    (_mm512_shuffle_i32x4::<0xee>(a, b), _mm512_shuffle_i32x4::<0xee>(c, d));
                let lanes = [
                    _mm512_shuffle_i32x4::<0x88>(ab, cd),
                    _mm512_shuffle_i32x4::<0xdd>(ab, cd),
                    _mm512_shuffle_i32x4::<0x88>(ab_high, cd_high),
                    _mm512_shuffle_i32x4::<0xdd>(ab_high, cd_high),
                ];
                for quarter in 0..4 {
                    let row = &mut rows[4 * quarter + i];
                    let sum = self.add_words(lanes[quarter], _mm512_loadu_si512(row.as_ptr().cast()));
                    _mm512_storeu_si512(row.as_mut_ptr().cast(), sum);
                }
            }
        }
    }
}
