//! The operations a device offers. Host slices in, values out; device memory is never visible.

use crate::error::{EngineError, Misuse};
use crate::mask::SignedMask;

/// A device that does the bulk arithmetic of a round.
///
/// Two backends given the same input leave the same words in `acc`. After an error the content of `acc` is unspecified
/// (part of the sum may have been added): the caller throws it away.
pub trait Backend: Send + Sync {
    /// Name for logs and bench ids, e.g. `cpu` or `gpu:llvmpipe`.
    fn name(&self) -> &str;

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
