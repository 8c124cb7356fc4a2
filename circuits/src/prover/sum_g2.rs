//! `sum_i s_i P_i` over a query in G2, on the CPU: no backend has G2, and one sum in five needs it.
//!
//! Most columns have no part in B, so that their points are infinity, and most scalars of a witness are 0 or 1: what is left
//! for the bucket method is a fraction of the query, and only that is unpacked. Timing depends on the scalars.

use std::sync::atomic::{AtomicBool, Ordering};

use ark_bn254::{Fr, G2Projective};
use ark_ec::VariableBaseMSM;
use ark_ff::{One, PrimeField, Zero};
use rayon::prelude::*;

use crate::keys::PackedG2;

/// Points looked at by one thread before it looks whether it should stop.
const CHUNK: usize = 1 << 12;
/// Points of one thread that the bucket method gets at once: it needs about 500 bytes for each.
const BATCH_OF_A_THREAD: usize = 1 << 17;

/// The sum; `None` if `stop` was raised meanwhile.
pub(super) fn sum_g2_vartime(points: &[PackedG2], scalars: &[Fr], stop: &AtomicBool) -> Option<G2Projective> {
    debug_assert_eq!(points.len(), scalars.len());
    let (mut sum, mut left) = points
        .par_chunks(CHUNK)
        .zip(scalars.par_chunks(CHUNK))
        .enumerate()
        .map(|(chunk, (points, scalars))| ones(chunk * CHUNK, points, scalars, stop))
        .reduce(
            || (G2Projective::zero(), Vec::new()),
            |(sum, mut left), (more, others)| {
                left.extend(others);
                (sum + more, left)
            },
        );
    let n_batches = left.len().div_ceil(BATCH_OF_A_THREAD * rayon::current_num_threads()).max(1);
    let batch = left.len().div_ceil(n_batches);
    while !left.is_empty() && !stop.load(Ordering::Relaxed) {
        let some = left.split_off(left.len().saturating_sub(batch));
        let bases: Vec<_> = some.par_iter().map(|&i| points[i as usize].unpack()).collect();
        let integers: Vec<_> = some.par_iter().map(|&i| scalars[i as usize].into_bigint()).collect();
        sum += G2Projective::msm_bigint(&bases, &integers);
    }
    (!stop.load(Ordering::Relaxed)).then_some(sum)
}

/// The sum of the points whose scalar is one, and the indices of those that need a multiplication.
fn ones(first: usize, points: &[PackedG2], scalars: &[Fr], stop: &AtomicBool) -> (G2Projective, Vec<u32>) {
    let (mut sum, mut left) = (G2Projective::zero(), Vec::new());
    if stop.load(Ordering::Relaxed) {
        return (sum, left);
    }
    for (i, (point, scalar)) in points.iter().zip(scalars).enumerate() {
        if scalar.is_zero() || *point == PackedG2::INFINITY {
            continue;
        }
        if scalar.is_one() {
            sum += point.unpack();
        } else {
            left.push((first + i) as u32);
        }
    }
    (sum, left)
}

#[cfg(test)]
mod tests {
    use ark_ec::{CurveGroup, PrimeGroup};

    use super::*;

    #[test]
    fn is_the_sum_of_the_products() {
        let n = 2 * CHUNK + 37;
        // The multiples 0, 1, 2, ..: infinity is among them, and comes again.
        let step = G2Projective::generator();
        let multiples: Vec<_> =
            core::iter::successors(Some(G2Projective::zero()), |last| Some(last + step)).take(n).collect();
        let mut points: Vec<_> =
            G2Projective::normalize_batch(&multiples).iter().map(PackedG2::pack).collect();
        points[CHUNK + 5] = PackedG2::INFINITY;
        let scalars: Vec<Fr> = (0..n as u64)
            .map(|i| match i % 5 {
                0 => Fr::zero(),
                1 | 2 => Fr::one(),
                3 => Fr::from(i),
                _ => -Fr::from(i * i),
            })
            .collect();
        let expected: Fr =
            (0..n as u64).filter(|i| *i != CHUNK as u64 + 5).map(|i| Fr::from(i) * scalars[i as usize]).sum();
        let go_on = AtomicBool::new(false);
        assert_eq!(sum_g2_vartime(&points, &scalars, &go_on), Some(step * expected));
        assert_eq!(sum_g2_vartime(&[], &[], &go_on), Some(G2Projective::zero()));
        assert_eq!(sum_g2_vartime(&points, &scalars, &AtomicBool::new(true)), None);
    }
}
