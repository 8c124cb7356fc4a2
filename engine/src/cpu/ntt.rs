//! Transforms on all threads, in place, without permutations; factors are kept for the life of the process.
//!
//! [`portable`] does one element at a time, [`vector`] as many as there are lanes. Both leave the same bytes.
//! The mathematics: `docs/ntt.md`.

mod factors;
mod pointwise;
mod portable;
mod tile;
mod vector;

use ark_ff::Field;
use rayon::prelude::*;
use zeroize::Zeroize;

use super::lanes::{Width, with_lanes};
use crate::curve::Fr;
use crate::error::EngineError;
use crate::ntt::{Direction, Domain, check_quotient, log_size};

/// Elements of a transform that one thread does by itself: 128 KiB, within a core's second-level cache.
const BLOCK: usize = 1 << 12;
/// Elements of a pass that are one task.
const CHUNK: usize = 1 << 12;

/// See [`crate::backend::Backend::ntt`].
pub(super) fn ntt(
    width: Width,
    direction: Direction,
    domain: Domain,
    values: &mut [Fr],
) -> Result<(), EngineError> {
    let log_n = log_size(values.len(), domain)?;
    with_lanes!(
        width,
        |lanes| if vector::is_enough(lanes, log_n) {
            vector::ntt(lanes, direction, domain, values);
        } else {
            portable::ntt(direction, domain, values);
        },
        portable::ntt(direction, domain, values)
    );
    Ok(())
}

/// See [`crate::backend::Backend::quotient`].
pub(super) fn quotient(width: Width, a: &mut [Fr], b: &mut [Fr]) -> Result<(), EngineError> {
    let log_n = check_quotient(a.len(), b.len())?;
    with_lanes!(
        width,
        |lanes| if vector::is_enough(lanes, log_n) {
            vector::quotient(lanes, a, b);
        } else {
            portable::quotient(a, b);
        },
        portable::quotient(a, b)
    );
    Ok(())
}

fn inverse_of(n: usize) -> Fr {
    Fr::from(n as u64).inverse().unwrap_or_default()
}

fn erase(values: &mut [Fr]) {
    values.par_chunks_mut(CHUNK).for_each(|chunk| chunk.iter_mut().zeroize());
}
