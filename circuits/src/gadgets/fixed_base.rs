//! `s G + 2^128 O_1` by 85 windows of three bits, as the first half of `engine::chain`.
//!
//! Window k has the table `T_k[v] = v 2^(3k) G + o_k`; the offsets `o_k` keep sums apart and add up to `2^128 O_1`.
//! Cost: three constraints a window (`b0 b1`, then one product with `b2` per coordinate; one for the last window of two bits)
//! and four for each of the 84 additions: 589.

use ark_bn254::Fr;
use blindsum_engine::chain::{WINDOW_BITS, fixed_base_tables};
use blindsum_engine::curve::Point;

use super::point::PointVar;
use crate::r1cs::{Builder, Num};

/// `s G + 2^128 O_1` for the 254 bits of s, least significant first. Incomplete additions.
pub(crate) fn multiply(b: &mut Builder, s: &[Num]) -> PointVar {
    let mut windows = s.chunks(WINDOW_BITS).zip(fixed_base_tables()).enumerate();
    let mut sum = None;
    for (k, (bits, table)) in &mut windows {
        sum = Some(b.within(&format!("window {k}"), |b| {
            let entry = look_up(b, bits, table);
            match &sum {
                None => entry,
                Some(sum) => PointVar::add(sum, b, &entry),
            }
        }));
    }
    sum.unwrap_or_else(|| unreachable!("s has 254 bits"))
}

/// The table's entry `sum of 2^i bits_i` as a multilinear polynomial in the bits: constant without, linear with `b0 b1` given,
/// and one product with `b2` per coordinate.
fn look_up(b: &mut Builder, bits: &[Num], table: &[Point; 8]) -> PointVar {
    let (Some(b0), Some(b1)) = (bits.first(), bits.get(1)) else {
        unreachable!("254 bits leave two for the last window")
    };
    let product = b.mul(b0, b1);
    let low = [&b.constant(Fr::from(1u8)), b0, b1, &product];
    let mut coordinate = |of: fn(&Point) -> Fr| {
        let entries: [Fr; 4] = std::array::from_fn(|v| of(&table[v]));
        let constant = Num::combine(low.into_iter().zip(multilinear(entries)));
        let Some(b2) = bits.get(2) else { return constant };
        let differences: [Fr; 4] = std::array::from_fn(|v| of(&table[v + 4]) - entries[v]);
        let slope = Num::combine(low.into_iter().zip(multilinear(differences)));
        let product = b.mul(b2, &slope);
        &constant + &product
    };
    let x = coordinate(|point| point.x);
    let y = coordinate(|point| point.y);
    PointVar { x, y }
}

/// Coefficients of `1, b0, b1, b0 b1` for the values at `(b1, b0)` = 00, 01, 10, 11.
fn multilinear([f0, f1, f2, f3]: [Fr; 4]) -> [Fr; 4] {
    [f0, f1 - f0, f2 - f0, f3 - f2 - f1 + f0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gadgets::bits::alloc_bit;
    use crate::gadgets::point::coordinates;
    use ark_bn254::Fq;
    use ark_ec::CurveGroup;
    use ark_ff::{BigInteger, Field, PrimeField, Zero};
    use blindsum_engine::curve::{Offset, generator, offset};

    #[test]
    fn multiplies_the_generator() {
        for s in [Fq::zero(), Fq::from(1u8), -Fq::from(1u8), Fq::from(u128::MAX), Fq::from(0o76543210u32)] {
            let (mut b, _) = Builder::for_assignment(&[]);
            let bits: Vec<Num> = (0..254).map(|i| alloc_bit(&mut b, s.into_bigint().get_bit(i))).collect();
            let product = multiply(&mut b, &bits).value();
            let expected = generator() * s + offset(Offset::VariableBase) * Fq::from(2u8).pow([128]);
            assert_eq!(product, coordinates(&expected.into_affine()));
            assert!(b.into_assignment().1.is_empty());
        }
    }

    #[test]
    fn counts() {
        let (mut b, _) = Builder::for_shape(&[]);
        let bits = vec![b.alloc(Fr::zero()); 254];
        multiply(&mut b, &bits);
        assert_eq!(b.into_r1cs().map(|r1cs| r1cs.n_constraints()), Some(84 * 3 + 1 + 84 * 4));
    }
}
