//! The operations a device offers. Host slices in, values out; device memory is never visible.

use std::sync::atomic::AtomicBool;

use rayon::prelude::*;

use crate::curve::{Fq, Fr, Projective};
use crate::error::{EngineError, Misuse};
use crate::mask::SignedMask;
use crate::ntt::{Direction, Domain};
use crate::points::{G1, G1Projective, G2Projective, Grumpkin, PackedG2, Points};

/// Fewest and most bits of a word of [`Backend::msm_signed`].
const SIGNED_BITS: core::ops::RangeInclusive<u8> = 2..=32;
/// Words checked at a time, 64 KiB.
const CHECKED_WORDS: usize = 1 << 14;

/// A device that does the bulk arithmetic of a round.
///
/// Two backends given the same input leave the same words in `acc` and return the same points (each in projective
/// coordinates of its own: compare them in affine ones). After an error the content of `acc` is unspecified
/// (part of the sum may have been added): the caller throws it away.
pub trait Backend: Send + Sync {
    /// Name for logs and bench ids, e.g. `cpu` or `gpu:llvmpipe`.
    fn name(&self) -> &str;

    /// Whether calls made side by side share the threads of the current rayon pool, so that one fills what another leaves
    /// idle. A device takes calls in turn instead: tasks of that pool must not wait for each other there.
    fn shares_threads(&self) -> bool {
        false
    }

    /// Expands every mask and adds or subtracts it:
    /// `acc_j += sum_i (+-1)_i * stream_i[first_word + j]  (mod 2^32)`.
    ///
    /// `stream_i[w]` is word `w mod 16` of ChaCha20 block `w div 16` under `masks[i].key`, with the 64-bit block counter
    /// in state words 12 (low) and 13 (high) and zeros in 14 and 15. No mask is ever stored whole.
    /// Timing depends on the lengths only.
    ///
    /// # Errors
    /// [`Misuse::WordRange`] when `first_word + acc.len()` passes 2^64; [`EngineError::Device`] when the device fails.
    fn mask_expand(&self, masks: &[SignedMask], first_word: u64, acc: &mut [u32]) -> Result<(), EngineError>;

    /// Adds every row: `acc_j += sum_i rows_i[j]  (mod 2^32)`.
    ///
    /// # Errors
    /// [`Misuse::LengthMismatch`] when a row is not as long as `acc`; [`EngineError::Device`] when the device fails.
    fn sum_rows(&self, rows: &[&[u32]], acc: &mut [u32]) -> Result<(), EngineError>;

    /// `sum_i scalars_i * points_i` on G1 of BN254; infinity without points.
    ///
    /// Points may repeat, be opposite, or be infinity. They are not checked: see [`Points::check`]. Timing and memory
    /// access depend on the scalars.
    ///
    /// # Errors
    /// [`Misuse::LengthMismatch`] unless there is one scalar a point; [`EngineError::Device`] when the device fails.
    fn msm_g1_vartime(&self, points: &Points<G1>, scalars: &[Fr]) -> Result<G1Projective, EngineError>;

    /// `sum_i scalars_i * points_i` on G2 of BN254, otherwise as [`Backend::msm_g1_vartime`]; `None` if `stop` was raised
    /// meanwhile. Points must be infinity or in the subgroup. No device has kernels for it: every backend leaves it to the CPU.
    ///
    /// # Errors
    /// As [`Backend::msm_g1_vartime`].
    fn msm_g2_vartime(
        &self,
        points: &[PackedG2],
        scalars: &[Fr],
        stop: &AtomicBool,
    ) -> Result<Option<G2Projective>, EngineError>;

    /// `sum_i scalars_i * points_i` on Grumpkin, otherwise as [`Backend::msm_g1_vartime`].
    ///
    /// # Errors
    /// As [`Backend::msm_g1_vartime`].
    fn msm_grumpkin_vartime(
        &self,
        points: &Points<Grumpkin>,
        scalars: &[Fq],
    ) -> Result<Projective, EngineError>;

    /// One sum a row over the same points: `out_v = sum_j rows_v[j] * points_j`, on Grumpkin, for words of `bits` bits in
    /// two's complement.
    ///
    /// Points may repeat, be opposite, or be infinity, and are not checked. Neither skips zeros nor branches on a word: each
    /// is added once a window, whatever it is. The order of memory accesses depends on the words, and on a GPU so does the
    /// number of partial sums that are then put together. An addition of equal or opposite points or of infinity may take
    /// another time than one of points without a known relation.
    ///
    /// # Errors
    /// [`Misuse::LengthMismatch`] when a row has not one word a point; [`Misuse::OutOfRange`] when `bits` is not in
    /// `2 ..= 32`; [`Misuse::ScalarWidth`] when a word has more bits; [`EngineError::Device`] when the device fails.
    fn msm_signed(
        &self,
        points: &Points<Grumpkin>,
        rows: &[&[i32]],
        bits: u8,
    ) -> Result<Vec<Projective>, EngineError>;

    /// Transforms a polynomial in place: forward from coefficients in bit-reversed order to its values on the domain in
    /// natural order, inverse the other way.
    ///
    /// Timing depends on the length only. After an error the content of `values` is unspecified.
    ///
    /// # Errors
    /// [`Misuse::DomainSize`] unless the length is a power of two within [`Domain::max_log_n`]; [`EngineError::Device`] when
    /// the device fails.
    fn ntt(&self, direction: Direction, domain: Domain, values: &mut [Fr]) -> Result<(), EngineError>;

    /// From the values of A and B on a domain to those of `A B - C` on its odd coset, in natural order, where C is the
    /// polynomial of the domain's size whose values there are the products of A's and B's.
    ///
    /// Leaves them in `a`; what is left in `b` is unspecified, in both after an error. Timing depends on the length only.
    ///
    /// # Errors
    /// [`Misuse::LengthMismatch`] when the lengths differ; otherwise as [`Backend::ntt`].
    fn quotient(&self, a: &mut [Fr], b: &mut [Fr]) -> Result<(), EngineError>;
}

/// Refuses a range of stream words that passes the end of the 64-bit word numbers.
pub(crate) fn check_word_range(first_word: u64, n_words: usize) -> Result<(), Misuse> {
    match first_word.checked_add(n_words as u64) {
        Some(_) => Ok(()),
        None => Err(Misuse::WordRange { first_word, n_words: n_words as u64 }),
    }
}

/// Refuses rows that are not as long as the accumulator.
pub(crate) fn check_rows(rows: &[&[u32]], expected: usize) -> Result<(), Misuse> {
    match rows.iter().find(|row| row.len() != expected) {
        None => Ok(()),
        Some(row) => Err(Misuse::LengthMismatch { what: "row", expected, got: row.len() }),
    }
}

/// Refuses scalars that are not one a point.
pub(crate) fn check_msm(n_points: usize, n_scalars: usize) -> Result<(), Misuse> {
    if n_scalars == n_points {
        Ok(())
    } else {
        Err(Misuse::LengthMismatch { what: "scalars", expected: n_points, got: n_scalars })
    }
}

/// Refuses rows that have not one word a point, and words of more than `bits` bits.
pub(crate) fn check_signed(n_points: usize, rows: &[&[i32]], bits: u8) -> Result<(), Misuse> {
    for row in rows {
        check_msm(n_points, row.len())?;
    }
    let (min, max) = (i64::from(*SIGNED_BITS.start()), i64::from(*SIGNED_BITS.end()));
    if !SIGNED_BITS.contains(&bits) {
        return Err(Misuse::OutOfRange { what: "bits", min, max, got: bits.into() });
    }
    // A word `x` is folded to `x` or `-x - 1`, whichever is not negative. No early exit: the time does not tell which word
    // is how large.
    let fold = |words: &[i32]| words.iter().fold(0, |all, word| all | (word ^ (word >> 31)));
    let all =
        rows.par_iter().flat_map(|row| row.par_chunks(CHECKED_WORDS)).map(fold).reduce(|| 0, |a, b| a | b);
    if all >> (bits - 1) == 0 {
        return Ok(());
    }
    let top = (1i64 << (bits - 1)) - 1;
    Err(Misuse::ScalarWidth { bits: bits.into(), min: -top - 1, max: top })
}
