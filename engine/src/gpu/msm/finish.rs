//! What the device leaves to the host: a few items of every row, weighted, and the rows put together.
//!
//! ```text
//! row   = sum_i T_i + 2^k sum_i i S_i         (k: buckets that an item stands for, as a logarithm)
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

/// The sum of a row from its items' words, `sums` and `totals`.
pub(super) fn row_sum<C: Curve>(sums: &[u32], totals: &[u32], log_weight: u32) -> Projective<C> {
    let words = SUM_BYTES as usize / 4;
    let (mut running, mut weighted) = (Projective::<C>::zero(), Projective::<C>::zero());
    // From the last item down to item 1: item i is in `running` i times when it is added to `weighted`.
    for item in sums.chunks_exact(words).skip(1).rev() {
        running += point::<C>(item);
        weighted += running;
    }
    for _ in 0..log_weight {
        weighted.double_in_place();
    }
    totals.chunks_exact(words).fold(weighted, |sum, item| sum + point::<C>(item))
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
        let point =
            Projective::<Grumpkin>::generator() * <Grumpkin as ark_ec::CurveConfig>::ScalarField::from(k);
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

    #[test]
    fn items_are_weighted_by_their_place() {
        let generator = Projective::<Grumpkin>::generator();
        let sums: Vec<u32> =
            [(5, 1), (7, 16), (0, 1), (11, 3)].into_iter().flat_map(|(k, f)| words(k, f)).collect();
        let totals: Vec<u32> =
            [(1, 9), (2, 1), (3, 2), (0, 1)].into_iter().flat_map(|(k, f)| words(k, f)).collect();
        let expected =
            generator * <Grumpkin as ark_ec::CurveConfig>::ScalarField::from(6 + 8 * (7 + 3 * 11u64));
        assert_eq!(row_sum::<Grumpkin>(&sums, &totals, 3), expected);
        let expected =
            generator * <Grumpkin as ark_ec::CurveConfig>::ScalarField::from(1 + (3 << 5) + (2u64 << 10));
        let rows = [1u64, 3, 2].map(|k| generator * <Grumpkin as ark_ec::CurveConfig>::ScalarField::from(k));
        assert_eq!(horner::<Grumpkin>(&rows, 5), expected);
    }
}
