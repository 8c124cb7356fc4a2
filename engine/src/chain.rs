//! The chain of incomplete additions that checks a signature, shared by the native check and the
//! circuit: what this module refuses, no proof can show.
//!
//! Windows of the fixed-base part: `s` in 85 windows of 3 bits, least significant first. Entry `v`
//! of window `k` is `v 2^(3k) G + o_k`, with `o_k = 2^k O_0` for `k < 84` and
//! `o_84 = 2^128 O_1 - (2^84 - 1) O_0`, so that the sum over the windows is `s G + 2^128 O_1`.
//! The variable-base part starts at `O_1` and runs over the 128 bits of `e`, most significant first:
//! double, add the key (always), keep the sum where the bit is set. It ends at `e PK + 2^128 O_1`,
//! and `R` is added. The signature holds iff both ends are the same point.

use std::sync::OnceLock;

use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{BigInteger, PrimeField};
use thiserror::Error;

use crate::curve::{Fq, Offset, Point, Projective, generator, offset, power_of_two};

/// Windows of the fixed-base chain.
pub const WINDOWS: usize = 85;
/// Bits per window; the last window has two, since `q < 2^254`.
pub const WINDOW_BITS: usize = 3;
/// Bits of a scalar.
pub const SCALAR_BITS: usize = 254;
/// Bits of a challenge.
pub const CHALLENGE_BITS: usize = 128;

/// Why a chain does not accept.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum ChainError {
    /// Two points of the fixed-base chain share their x-coordinate.
    #[error("the fixed-base chain collides in window {window}")]
    FixedBase {
        /// The window whose addition is undefined.
        window: usize,
    },
    /// The accumulator and the key share their x-coordinate.
    #[error("the variable-base chain collides at bit {bit}")]
    VariableBase {
        /// The bit of the challenge, counted from the most significant.
        bit: usize,
    },
    /// The accumulator and `R` share their x-coordinate.
    #[error("the variable-base chain collides with R")]
    Nonce,
    /// The chain ran and the equation does not hold.
    #[error("the equation s G = R + e PK does not hold")]
    Equation,
}

/// Entry `v` of window `k` at `[k][v]`. The last window uses four entries; the others are infinity.
pub fn fixed_base_tables() -> &'static [[Point; 8]; WINDOWS] {
    static TABLES: OnceLock<Box<[[Point; 8]; WINDOWS]>> = OnceLock::new();
    TABLES.get_or_init(|| {
        let o0 = offset(Offset::FixedBase);
        let last = offset(Offset::VariableBase) * power_of_two(128) - o0 * (power_of_two(84) - Fq::from(1u8));
        let mut tables = Box::new([[Point::zero(); 8]; WINDOWS]);
        let mut base = generator().into_group();
        let mut start = o0.into_group();
        for (k, table) in tables.iter_mut().enumerate() {
            let is_last = k == WINDOWS - 1;
            let mut entry = if is_last { last } else { start };
            for slot in table.iter_mut().take(if is_last { 4 } else { 8 }) {
                *slot = entry.into_affine();
                entry += base;
            }
            base = base + base + base + base;
            base += base;
            start += start;
        }
        tables
    })
}

/// Bits of `s`, least significant first.
#[must_use]
pub fn scalar_bits(s: &Fq) -> [bool; SCALAR_BITS] {
    let limbs = s.into_bigint();
    std::array::from_fn(|i| limbs.get_bit(i))
}

/// Runs the chain and checks `s G = R + e PK`. Its inputs are public; its timing depends on them.
///
/// # Errors
/// [`ChainError`] names the first addition that is undefined, or says that the equation fails.
pub fn check(s: &Fq, e: u128, public_key: Point, r: Point) -> Result<(), ChainError> {
    // All partial sums first, then one inversion for all of them, then the comparisons.
    let bits = scalar_bits(s);
    let tables = fixed_base_tables();
    let entry = |k: usize| {
        let window = bits[WINDOW_BITS * k..].iter().take(WINDOW_BITS).rev();
        tables[k][window.fold(0, |v, bit| v << 1 | usize::from(*bit))]
    };
    let mut partial = Vec::with_capacity(WINDOWS + CHALLENGE_BITS + 1);
    let mut f = entry(0).into_group();
    for k in 1..WINDOWS {
        partial.push(f);
        f += entry(k);
    }
    let mut q: Projective = offset(Offset::VariableBase).into_group();
    for i in (0..CHALLENGE_BITS).rev() {
        q += q;
        partial.push(q);
        if e >> i & 1 == 1 {
            q += public_key;
        }
    }
    partial.push(q);

    let x = Projective::normalize_batch(&partial);
    for k in 1..WINDOWS {
        if x[k - 1].is_zero() || x[k - 1].x == entry(k).x {
            return Err(ChainError::FixedBase { window: k });
        }
    }
    let variable = &x[WINDOWS - 1..];
    for (bit, q) in variable[..CHALLENGE_BITS].iter().enumerate() {
        if q.is_zero() || q.x == public_key.x {
            return Err(ChainError::VariableBase { bit });
        }
    }
    let last = variable[CHALLENGE_BITS];
    if last.is_zero() || last.x == r.x {
        return Err(ChainError::Nonce);
    }
    if f == q + r { Ok(()) } else { Err(ChainError::Equation) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curve::{double, hash_to_curve, mul_vartime};

    fn signature(sk: u64, k: u64, e: u128) -> (Fq, Point, Point) {
        let (sk, k) = (-Fq::from(sk), -Fq::from(k));
        (k + Fq::from(e) * sk, mul_vartime(generator(), &sk), mul_vartime(generator(), &k))
    }

    #[test]
    fn accepts_exactly_the_equation() {
        for e in [0, 1, u128::MAX, 0x0123_4567_89ab_cdef] {
            let (s, pk, r) = signature(11, 13, e);
            assert_eq!(check(&s, e, pk, r), Ok(()));
            assert_eq!(check(&(s + Fq::from(1u8)), e, pk, r), Err(ChainError::Equation));
            assert_eq!(check(&s, e ^ 1, pk, r), Err(ChainError::Equation));
            assert_eq!(check(&s, e, pk, -r), Err(ChainError::Equation));
        }
    }

    #[test]
    fn tables_sum_to_the_offset_of_the_variable_base() {
        let sum: Projective = fixed_base_tables().iter().map(|table| table[0].into_group()).sum();
        assert_eq!(sum, offset(Offset::VariableBase) * power_of_two(128));
    }

    #[test]
    fn names_a_key_that_meets_the_accumulator() {
        let pk = double(offset(Offset::VariableBase));
        let r = hash_to_curve("test", 0);
        assert_eq!(check(&Fq::from(5u8), 1, pk, r), Err(ChainError::VariableBase { bit: 0 }));
        let meets_last = mul_vartime(offset(Offset::VariableBase), &power_of_two(128));
        assert_eq!(check(&Fq::from(5u8), 0, hash_to_curve("test", 1), meets_last), Err(ChainError::Nonce));
    }
}
