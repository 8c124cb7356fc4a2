//! Adding rows of words: `acc_j += sum_i rows_i[j]  (mod 2^32)`. Memory bound.

use rayon::prelude::*;

use crate::backend::check_rows;
use crate::error::EngineError;

/// Words a thread sums at a time: a stretch of the accumulator that stays in its L1 cache (16 KiB) over all rows.
const WORDS_PER_TASK: usize = 4096;

pub(super) fn sum_rows(rows: &[&[u32]], acc: &mut [u32]) -> Result<(), EngineError> {
    check_rows(rows, acc.len())?;
    acc.par_chunks_mut(WORDS_PER_TASK).enumerate().for_each(|(task, acc)| {
        let first = task * WORDS_PER_TASK;
        for row in rows {
            for (word, addend) in acc.iter_mut().zip(&row[first..]) {
                *word = word.wrapping_add(*addend);
            }
        }
    });
    Ok(())
}
