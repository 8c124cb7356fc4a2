//! Boolean variables, and the one canonical decomposition of a field element.
//!
//! Source: Zcash protocol specification, appendix A.3.1.1 (boolean), A.3.2.2 (range check against a constant).

use ark_bn254::Fr;
use ark_ff::{AdditiveGroup, BigInteger, One, PrimeField};

use crate::r1cs::{Builder, Num};

/// Bits of an element of the circuit's field, and of a signature's `s`.
pub(crate) const FIELD_BITS: usize = 254;

/// A variable that is 0 or 1. One constraint.
pub(crate) fn alloc_bit(b: &mut Builder, bit: bool) -> Num {
    let bit = b.alloc(Fr::from(bit));
    enforce_boolean(b, &bit);
    bit
}

fn enforce_boolean(b: &mut Builder, bit: &Num) {
    let complement = &b.constant(Fr::one()) - bit;
    b.enforce(bit, &complement, &Num::default());
}

/// `sum of 2^i bits_i`. No constraint.
pub(crate) fn compose(bits: &[Num]) -> Num {
    let mut power = Fr::one();
    Num::combine(bits.iter().map(|bit| {
        let pair = (bit, power);
        power.double_in_place();
        pair
    }))
}

/// `on_true` if the bit is 1, `on_false` if it is 0. One constraint.
pub(crate) fn select(b: &mut Builder, bit: &Num, on_true: &Num, on_false: &Num) -> Num {
    let difference = on_true - on_false;
    let chosen = b.mul(bit, &difference);
    &chosen + on_false
}

/// The 254 bits of `value`, least significant first, as an integer below r: the only such bits.
///
/// Bits that recompose to `value` mod r may also spell `value + r`. So walk down the bits `c` of r - 1 with
/// `matched = and of bits_j over j > i with c_j = 1`: where `c_i = 0`, `(1 - matched - bit_i) bit_i = 0` says that the bit is
/// boolean and, while everything above matched, zero. Cost: 254 + (ones of r - 1, less one) + 1.
pub(crate) fn decompose_canonical(b: &mut Builder, value: &Num) -> Vec<Num> {
    let integer = value.value().into_bigint();
    let mut limit = Fr::MODULUS;
    limit.sub_with_borrow(&1u64.into());
    let mut bits = vec![Num::default(); FIELD_BITS];
    let mut matched: Option<Num> = None;
    for i in (0..FIELD_BITS).rev() {
        if limit.get_bit(i) {
            bits[i] = b.within("bits", |b| alloc_bit(b, integer.get_bit(i)));
            matched = Some(match &matched {
                None => bits[i].clone(),
                Some(above) => b.within("canonical", |b| b.mul(above, &bits[i])),
            });
        } else {
            let bit = b.within("bits", |b| b.alloc(Fr::from(integer.get_bit(i))));
            // r - 1 has its top bit set, so something above has been matched.
            let above = matched.clone().unwrap_or_default();
            let headroom = &(&b.constant(Fr::one()) - &above) - &bit;
            b.within("canonical", |b| b.enforce(&headroom, &bit, &Num::default()));
            bits[i] = bit;
        }
    }
    let composed = compose(&bits);
    b.within("recomposition", |b| b.enforce_equal(&composed, value));
    bits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::r1cs::Tamper;
    use ark_ff::{Field, Zero};

    fn run(value: Fr, tamper: Option<Vec<(String, usize, Fr)>>) -> (Vec<Num>, Vec<String>) {
        let (mut b, inputs) = Builder::for_assignment(&[value]);
        if let Some(tamper) = tamper {
            b = b.tampered(Tamper::new(tamper));
        }
        let bits = decompose_canonical(&mut b, &inputs[0]);
        (bits, b.into_assignment().1)
    }

    #[test]
    fn canonical_bits_of_edge_values() {
        for value in [Fr::zero(), Fr::one(), -Fr::one(), -Fr::from(2u8), Fr::from(u128::MAX)] {
            let (bits, unsatisfied) = run(value, None);
            assert!(unsatisfied.is_empty(), "{value}: {unsatisfied:?}");
            for (i, bit) in bits.iter().enumerate() {
                assert_eq!(bit.value(), Fr::from(value.into_bigint().get_bit(i)));
            }
        }
    }

    /// value + r, value + r at both ends of what fits in 254 bits: refused by the canonical check and by nothing else.
    #[test]
    fn aliases_are_refused() {
        let mut largest = ark_ff::BigInt::<4>::from(0u8);
        for limb in &mut largest.0 {
            *limb = u64::MAX;
        }
        largest.0[3] >>= 2;
        let mut alias_of_largest = largest;
        alias_of_largest.sub_with_borrow(&Fr::MODULUS);
        let mut one_above = Fr::MODULUS;
        one_above.add_with_carry(&1u64.into());
        for (value, alias) in [
            (Fr::zero(), Fr::MODULUS),
            (Fr::one(), one_above),
            (Fr::from_bigint(alias_of_largest).expect("2^254 - 1 - r is below r"), largest),
        ] {
            let tamper = (0..FIELD_BITS)
                .rev()
                .enumerate()
                .map(|(nth, i)| ("bits".to_owned(), nth, Fr::from(alias.get_bit(i))))
                .collect();
            let (_, mut unsatisfied) = run(value, Some(tamper));
            unsatisfied.dedup();
            assert_eq!(unsatisfied, ["canonical"]);
        }
    }

    #[test]
    fn a_bit_is_boolean_and_the_sum_is_the_value() {
        // Bit 253 of r - 1 is one: its boolean constraint is the plain one.
        let (_, unsatisfied) = run(Fr::zero(), Some(vec![("bits".to_owned(), 0, Fr::from(2u8))]));
        assert_eq!(unsatisfied.first().map(String::as_str), Some("bits"));
        // A wrong low bit (r - 1 is even) is only seen by the sum.
        let (_, unsatisfied) = run(Fr::zero(), Some(vec![("bits".to_owned(), FIELD_BITS - 1, Fr::one())]));
        assert_eq!(unsatisfied, ["recomposition"]);
    }

    #[test]
    fn selection() {
        let (mut b, inputs) = Builder::for_assignment(&[Fr::from(5u8), Fr::from(9u8)]);
        for (bit, expected) in [(true, 5u8), (false, 9)] {
            let bit = alloc_bit(&mut b, bit);
            assert_eq!(select(&mut b, &bit, &inputs[0], &inputs[1]).value(), Fr::from(expected));
        }
        assert!(b.into_assignment().1.is_empty());
        let bits: Vec<Num> =
            [1u8, 0, 1].iter().map(|&v| Num::combine([(&inputs[0], Fr::from(v) / Fr::from(5u8))])).collect();
        assert_eq!(compose(&bits).value(), Fr::from(5u8));
        assert_eq!(Fr::from(5u8).inverse().map(|i| i * Fr::from(5u8)), Some(Fr::one()));
    }
}
