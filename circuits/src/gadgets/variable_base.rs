//! `e P + 2^128 O_1` by double and add from the top bit, as the second half of `engine::chain`.
//!
//! The accumulator starts at the constant `O_1`, so no prefix is infinity. Cost: for each of 128 bits four (double, which the
//! first bit does not need: twice a constant is a constant), four (add, always done) and two (select): 1,276.

use blindsum_engine::chain::CHALLENGE_BITS;
use blindsum_engine::curve::{Offset, double, offset};

use super::point::PointVar;
use crate::r1cs::{Builder, Num};

/// `e P + 2^128 O_1` for the bits of e, least significant first. Incomplete additions.
pub(crate) fn multiply(b: &mut Builder, e: &[Num], point: &PointVar) -> PointVar {
    let mut accumulator = PointVar::constant(b, &double(offset(Offset::VariableBase)));
    debug_assert_eq!(e.len(), CHALLENGE_BITS);
    for (step, bit) in e.iter().rev().enumerate() {
        accumulator = b.within(&format!("step {step}"), |b| {
            let doubled = if step == 0 { accumulator.clone() } else { accumulator.double(b) };
            let sum = doubled.add(b, point);
            PointVar::select(b, bit, &sum, &doubled)
        });
    }
    accumulator
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gadgets::bits::alloc_bit;
    use crate::gadgets::point::coordinates;
    use ark_bn254::{Fq, Fr};
    use ark_ec::CurveGroup;
    use ark_ff::{Field, Zero};
    use blindsum_engine::curve::{Point, generator};

    fn run(e: u128, point: &Point) -> (PointVar, Vec<String>) {
        let (mut b, _) = Builder::for_assignment(&[]);
        let bits: Vec<Num> = (0..CHALLENGE_BITS).map(|i| alloc_bit(&mut b, e >> i & 1 == 1)).collect();
        let point = PointVar::alloc(&mut b, coordinates(point));
        let product = multiply(&mut b, &bits, &point);
        (product, b.into_assignment().1)
    }

    #[test]
    fn multiplies_a_point() {
        let point = (generator() * Fq::from(123_456_789u64)).into_affine();
        for e in [0, 1, 2, u128::MAX, 1 << 127, 0xdead_beef] {
            let (product, unsatisfied) = run(e, &point);
            let expected = point * Fq::from(e) + offset(Offset::VariableBase) * Fq::from(2u8).pow([128]);
            assert_eq!(product.value(), coordinates(&expected.into_affine()));
            assert!(unsatisfied.is_empty());
        }
    }

    /// The key `2 O_1` meets the accumulator in the first addition, whatever the challenge.
    #[test]
    fn a_colliding_key_is_unprovable() {
        let (_, unsatisfied) = run(0, &double(offset(Offset::VariableBase)));
        assert_eq!(unsatisfied.first().map(String::as_str), Some("step 0/distinct x"));
    }

    #[test]
    fn counts() {
        let (mut b, _) = Builder::for_shape(&[]);
        let bits = vec![b.alloc(Fr::zero()); CHALLENGE_BITS];
        let point = PointVar::alloc(&mut b, coordinates(&generator()));
        multiply(&mut b, &bits, &point);
        assert_eq!(b.into_r1cs().map(|r1cs| r1cs.n_constraints()), Some(128 * 10 - 4));
    }
}
