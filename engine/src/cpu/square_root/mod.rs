//! Square roots in [`Fr`], many at a time. Timing depends on the values.
//!
//! `r - 1 = 2^28 m` with `m` odd. Of a value `z`, one exponentiation gives `w = z^((m-1)/2)`, and with it `s = z w` and
//! `b = s w = z^m`, for which `s^2 = b z`. Now `b = g^e` for a generator `g` of the subgroup of order `2^28`; where `e` is even,
//! `s g^(-e/2)` is a root, and elsewhere there is none. So no symbol needs to be computed first.
//!
//! `e` is found in four digits of 7 bits, the lowest first: `b^(2^(7 (3-k)))`, cleared of the digits below digit `k`, is a power
//! of the element of order `2^7`, which a table of 128 names.
//!
//! Source: Sarkar 2020, "Computing square roots faster than the Tonelli-Shanks/Bernstein algorithm".
//! Cost: 225 + 21 squares and some 65 products.

mod portable;
mod vector;

use std::sync::LazyLock;

use ark_ff::{BigInteger, FftField, Field, PrimeField};

use super::lanes::{Modulus, Width, with_lanes};
use crate::curve::Fr;

/// Bits of a digit of the logarithm.
const DIGIT_BITS: usize = 7;
/// Digits of the logarithm.
const N_DIGITS: usize = 4;
/// Values of a digit.
const RADIX: usize = 1 << DIGIT_BITS;
/// Bits of an index of the table of logarithms.
const LOG_BITS: u32 = 12;
/// Bits of a window of the exponent.
const WINDOW: usize = 5;
/// Odd powers that windows choose from.
const N_ODD: usize = 1 << (WINDOW - 1);

const _: () = assert!(DIGIT_BITS * N_DIGITS == Fr::TWO_ADICITY as usize);

/// The roots of values that are not zero; `None` where there is none. Which of the two it is depends on the value alone.
pub(super) fn square_roots(width: Width, values: &[Fr]) -> Vec<Option<Fr>> {
    with_lanes!(
        width,
        |lanes| vector::square_roots(lanes, values),
        values.iter().map(portable::square_root).collect()
    )
}

/// A step of the exponentiation: so many squares, then a product with the power `2 odd + 1`, if any.
struct Step {
    squares: usize,
    odd: Option<usize>,
}

/// What all roots share, with elements `t` kept as the words of `t * form`.
struct Tables {
    /// `(m - 1) / 2` in windows that begin and end with a one, the highest first.
    steps: Vec<Step>,
    /// `g^(-v 2^(7 k))` for digit `k` of value `v`.
    powers: [[[u64; 4]; RADIX]; N_DIGITS],
    /// What tells the powers of the element of order `2^7` apart by the highest bits of a product with the lowest word.
    multiplier: u64,
    /// The logarithm at such bits.
    logs: [u8; 1 << LOG_BITS],
}

impl Tables {
    fn new(form: Fr) -> Self {
        let generator = Fr::TWO_ADIC_ROOT_OF_UNITY;
        let powers_of = |base: Fr| {
            let mut power = form;
            std::array::from_fn(|_| {
                let words = power.words();
                power *= base;
                words
            })
        };
        let inverse = generator.inverse().expect("not zero");
        let powers = std::array::from_fn(|k| powers_of(inverse.pow([1 << (DIGIT_BITS * k)])));
        let named: [[u64; 4]; RADIX] = powers_of(generator.pow([1 << (DIGIT_BITS * (N_DIGITS - 1))]));
        // One multiplier of about eight does.
        let (multiplier, logs) = (0u64..)
            .map(|i| (2 * i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
            .find_map(|multiplier| Some((multiplier, tell_apart(&named, multiplier)?)))
            .expect("some multiplier does");
        Self { steps: windows(&Fr::TRACE_MINUS_ONE_DIV_TWO.to_bits_be()), powers, multiplier, logs }
    }

    /// The logarithm of a power of the element of order `2^7`.
    #[inline(always)]
    fn log(&self, words: &[u64; 4]) -> u32 {
        u32::from(self.logs[index(words, self.multiplier)])
    }

    /// The power for digit `k` of `log`.
    #[inline(always)]
    fn power(&self, k: usize, digit: u32) -> &[u64; 4] {
        &self.powers[k][digit as usize % RADIX]
    }
}

#[inline(always)]
fn index(words: &[u64; 4], multiplier: u64) -> usize {
    (words[0].wrapping_mul(multiplier) >> (u64::BITS - LOG_BITS)) as usize
}

/// The table of logarithms for a multiplier, if it leads no two elements to the same place.
fn tell_apart(named: &[[u64; 4]; RADIX], multiplier: u64) -> Option<[u8; 1 << LOG_BITS]> {
    let mut logs = [u8::MAX; 1 << LOG_BITS];
    for (log, words) in named.iter().enumerate() {
        let place = &mut logs[index(words, multiplier)];
        if *place != u8::MAX {
            return None;
        }
        *place = log as u8;
    }
    Some(logs)
}

/// Sliding windows over bits, the highest first. The first step has nothing to square.
fn windows(bits: &[bool]) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut rest = &bits[bits.iter().position(|bit| *bit).expect("not zero")..];
    let mut squares = 0;
    while let Some(bit) = rest.first() {
        let mut length = 1;
        if *bit {
            length = WINDOW.min(rest.len());
            length -= rest[..length].iter().rev().take_while(|bit| !**bit).count();
            let window = rest[..length].iter().fold(0, |value, bit| 2 * value + usize::from(*bit));
            steps.push(Step { squares: squares + length, odd: Some(window / 2) });
            squares = 0;
        } else {
            squares += 1;
        }
        rest = &rest[length..];
    }
    if squares != 0 {
        steps.push(Step { squares, odd: None });
    }
    steps
}

/// Digit `k` of a logarithm.
#[inline(always)]
fn digit(log: u32, k: usize) -> u32 {
    log >> (DIGIT_BITS * k) & (RADIX as u32 - 1)
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};

    use super::*;

    fn check(values: &[Fr]) {
        for width in Width::ALL.into_iter().filter(|width| width.is_available()) {
            let roots = square_roots(width, values);
            assert_eq!(roots.len(), values.len());
            for (value, root) in values.iter().zip(roots) {
                assert_eq!(root.is_some(), value.legendre().is_qr(), "{} of {value}", width.name());
                assert!(root.is_none_or(|root| root.square() == *value), "{} of {value}", width.name());
            }
        }
    }

    #[test]
    fn roots_are_roots() {
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let arbitrary = core::iter::repeat_with(|| {
            let mut bytes = [0; 64];
            rng.fill_bytes(&mut bytes);
            Fr::from_le_bytes_mod_order(&bytes)
        });
        let small = (1..20u64).map(Fr::from);
        let values: Vec<Fr> = small.flat_map(|value| [value, -value]).chain(arbitrary.take(30)).collect();
        check(&values);
        for n in 0..20 {
            check(&values[..n]);
        }
    }

    /// The subgroup of order `2^28` is where the logarithm is the whole work: every digit at its ends, and times a square.
    #[test]
    fn roots_of_roots_of_unity() {
        let g = Fr::TWO_ADIC_ROOT_OF_UNITY;
        let mut logs = vec![0u64, 1, (1 << 28) - 1, (1 << 28) - 2, 0x0aaa_aaaa, 0x0555_5554];
        for k in 0..28 {
            logs.extend([1 << k, (1 << k) + 2, (1 << 28) - (1 << k)]);
        }
        let unity: Vec<Fr> = logs.iter().map(|log| g.pow([*log])).collect();
        check(&unity);
        let square = Fr::from(5u64).square();
        check(&unity.iter().map(|value| *value * square).collect::<Vec<_>>());
    }

    #[test]
    fn windows_give_the_exponent() {
        for exponent in [1u64, 2, 31, 32, 33, 0b1011_0000_0001, u64::MAX, 0x8000_0000_0000_0001] {
            let bits: Vec<bool> = (0..64).rev().map(|i| exponent >> i & 1 == 1).collect();
            let mut value = 0u128;
            for (i, step) in windows(&bits).iter().enumerate() {
                value = if i == 0 { 0 } else { value << step.squares };
                value += step.odd.map_or(0, |odd| 2 * odd as u128 + 1);
                assert!(step.odd.is_none_or(|odd| odd < N_ODD));
            }
            assert_eq!(value, u128::from(exponent));
        }
    }
}
