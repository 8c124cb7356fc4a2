//! What the device leaves to the host: a few sums of every row, put together, and the rows.
//!
//! ```text
//! row   = sum_i B_i + sum_l 2^l W_l           (W_l: the sum of the buckets B_i whose index i has bit l)
//! sum   = sum_w 2^(c w) row_w                 (c: bits of a window; Horner's rule from the top)
//! ```

use ark_ec::short_weierstrass::Projective;
use ark_ff::{AdditiveGroup, Field, Zero};

use super::plan::SUM_BYTES;
use crate::points::Curve;

/// A point as the kernels store it: homogeneous coordinates in Montgomery form.
///
/// The limb variants scale them differently. All three coordinates by the same factor is the same point, so the host
/// need not know which ran.
fn point<C: Curve>(words: &[u32]) -> Projective<C> {
    let coordinate = |i: usize| {
        let word = |j: usize| u64::from(words[8 * i + j]);
        C::base_from_limbs(core::array::from_fn(|limb| word(2 * limb) | word(2 * limb + 1) << 32))
    };
    let [x, y, z]: [C::BaseField; 3] = core::array::from_fn(coordinate);
    if z.is_zero() {
        return Projective::zero();
    }
    // ark-ec divides by Z^2 and Z^3.
    Projective::new_unchecked(x * z, y * z.square(), z)
}

/// Writes to `sums` those of some rows, a row's one behind the other, as the device left them: array by array, and in each
/// array row by row. The first is sum `first` of all.
pub(super) fn gather<C: Curve>(sums: &mut [Projective<C>], first: usize, n_arrays: usize, items: &[u32]) {
    let words = SUM_BYTES as usize / 4;
    let n_rows = items.len() / words / n_arrays;
    for (at, sum) in (first..).zip(sums) {
        let item = at % n_arrays * n_rows + at / n_arrays;
        *sum = point(&items[words * item..words * (item + 1)]);
    }
}

/// The sum of a row: of its buckets' sum and, from bit 0, the sums of those with one bit.
pub(super) fn row_sum<C: Curve>(sums: &[Projective<C>]) -> Projective<C> {
    match sums {
        [buckets, bits @ ..] => horner(bits, 1) + buckets,
        [] => Projective::zero(),
    }
}

/// `sum_w 2^(c w) rows_w`.
pub(super) fn horner<C: Curve>(rows: &[Projective<C>], window_bits: u32) -> Projective<C> {
    rows.iter().rev().fold(Projective::<C>::zero(), |mut sum, row| {
        for _ in 0..window_bits {
            sum.double_in_place();
        }
        sum + row
    })
}

#[cfg(test)]
mod tests {
    use ark_ec::PrimeGroup;

    use super::*;
    use crate::points::Grumpkin;

    /// A point with another factor in its coordinates, as the kernels may leave it.
    fn words(k: u64, factor: u64) -> Vec<u32> {
        let point = times(k);
        if point.is_zero() {
            return vec![0; 24];
        }
        let point: ark_ec::short_weierstrass::Affine<Grumpkin> = point.into();
        let factor = <Grumpkin as ark_ec::CurveConfig>::BaseField::from(factor);
        [point.x * factor, point.y * factor, factor]
            .iter()
            .flat_map(Grumpkin::base_limbs)
            .flat_map(|limb| [limb as u32, (limb >> 32) as u32])
            .collect()
    }

    fn times(k: u64) -> Projective<Grumpkin> {
        Projective::<Grumpkin>::generator() * <Grumpkin as ark_ec::CurveConfig>::ScalarField::from(k)
    }

    #[test]
    fn sums_are_weighted_by_their_bit() {
        // Two rows of three sums each, array by array.
        let items: Vec<u32> = [(1, 9), (2, 1), (5, 1), (0, 1), (7, 16), (11, 3)]
            .into_iter()
            .flat_map(|(k, factor)| words(k, factor))
            .collect();
        for step in [1, 2, 4, 6] {
            let mut sums = [Projective::default(); 6];
            for (i, sums) in sums.chunks_mut(step).enumerate() {
                gather(sums, step * i, 3, &items);
            }
            assert_eq!(sums, [1, 5, 7, 2, 0, 11].map(times));
            assert_eq!(row_sum(&sums[..3]), times(1 + 5 + 2 * 7));
            assert_eq!(row_sum(&sums[3..]), times(2 + 2 * 11));
        }
    }

    #[test]
    fn rows_are_weighted_by_their_window() {
        assert_eq!(horner(&[1, 3, 2].map(times), 5), times(1 + (3 << 5) + (2 << 10)));
    }
}
