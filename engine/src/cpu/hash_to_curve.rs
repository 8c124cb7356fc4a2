//! Many public names hashed to Grumpkin at a time: [`crate::curve::hash_to_curve`] with the square roots side by side.
//!
//! A chunk of indices goes in rounds: every index that has no point yet gives its next candidate, all roots are taken together,
//! and those without one go on. A candidate has a root with probability 1/2, so a chunk takes two roots an index. Nothing is secret.

use rayon::prelude::*;

use super::lanes::Width;
use super::square_root::square_roots;
use crate::curve::{Candidate, Fr};
use crate::points::PackedPoint;

/// Indices that share rounds: enough that the vectors of the last rounds, which are not full, do not count.
const CHUNK: usize = 1 << 11;

/// `points[i] = hash_to_curve(name, index(i))`, spread over the threads of the caller's pool.
pub(super) fn hash_to_curve(
    width: Width,
    name: &str,
    index: impl Fn(usize) -> u64 + Sync,
    points: &mut [PackedPoint],
) {
    // Short inputs are spread as well.
    let chunk = points.len().div_ceil(rayon::current_num_threads()).clamp(1, CHUNK);
    points
        .par_chunks_mut(chunk)
        .enumerate()
        .for_each(|(i, points)| hash_chunk(width, name, |j| index(i * chunk + j), points));
}

/// An index that has no point yet.
struct Open {
    slot: usize,
    next_ctr: u32,
    candidate: Candidate,
}

impl Open {
    /// The first candidate at or after `ctr`.
    fn new(name: &str, index: u64, slot: usize, ctr: u32) -> Self {
        let (ctr, candidate) = (ctr..)
            .find_map(|ctr| Some((ctr, Candidate::hash(name, index, ctr)?)))
            .expect("three of four counters give a coordinate");
        Self { slot, next_ctr: ctr + 1, candidate }
    }
}

fn hash_chunk(width: Width, name: &str, index: impl Fn(usize) -> u64, points: &mut [PackedPoint]) {
    let mut open: Vec<Open> = (0..points.len()).map(|slot| Open::new(name, index(slot), slot, 0)).collect();
    while !open.is_empty() {
        let squares: Vec<Fr> = open.iter().map(|open| open.candidate.y_squared()).collect();
        let mut roots = square_roots(width, &squares).into_iter();
        open.retain_mut(|open| match roots.next().expect("one a candidate") {
            Some(root) => {
                points[open.slot] = PackedPoint::pack(&open.candidate.point(root));
                false
            }
            None => {
                *open = Open::new(name, index(open.slot), open.slot, open.next_ctr);
                true
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bases::BASIS_NAME;
    use crate::curve;

    fn check(name: &str, first: u64, n: usize) {
        let index = |i: usize| first + i as u64;
        let expected: Vec<PackedPoint> =
            (0..n).map(|i| PackedPoint::pack(&curve::hash_to_curve(name, index(i)))).collect();
        for width in Width::ALL.into_iter().filter(|width| width.is_available()) {
            let mut points = vec![PackedPoint::INFINITY; n];
            hash_to_curve(width, name, index, &mut points);
            assert!(points == expected, "{} from {first}", width.name());
        }
    }

    /// Every width gives the points that one index at a time gives.
    #[test]
    fn many_are_as_one() {
        check(BASIS_NAME, 0, 1000);
        for n in 0..18 {
            check(BASIS_NAME, 1 << 40, n);
        }
        check(BASIS_NAME, u64::MAX - 40, 40);
        check("", 5, 20);
        // A name of more than a block of the hash.
        check(&"long".repeat(40), 0, 20);
    }

    #[test]
    fn chunks_meet() {
        let n = 2 * CHUNK + 3;
        let width = Width::widest();
        let mut points = vec![PackedPoint::INFINITY; n];
        hash_to_curve(width, BASIS_NAME, |i| i as u64, &mut points);
        for i in (0..n).step_by(97).chain([CHUNK - 1, CHUNK, 2 * CHUNK - 1, 2 * CHUNK, n - 1]) {
            assert_eq!(points[i], PackedPoint::pack(&curve::hash_to_curve(BASIS_NAME, i as u64)));
        }
    }
}
