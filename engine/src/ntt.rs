//! Number-theoretic transforms over `Fr`: what they map to what, and how large they may be.
//!
//! A polynomial of degree below `n = 2^k` is held by its coefficients or by its values on a domain of `n` points. Values
//! lie in natural order, `f(g w^i)` at place `i`; coefficients in bit-reversed order, that of `x^i` at the place whose `k`
//! bits are those of `i` read backwards. So a forward transform decimates in time and an inverse one in frequency, and
//! neither ever permutes. `docs/ntt.md` has the mathematics.

use ark_ff::{FftField, Field};

use crate::curve::Fr;
use crate::error::Misuse;

/// `r - 1` is divisible by `2^28`: the largest domain, and the largest with an odd coset, has half as many points.
const TWO_ADICITY: u32 = <Fr as FftField>::TWO_ADICITY;

/// From which form to which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From coefficients, bit-reversed, to values, natural.
    Forward,
    /// From values, natural, to coefficients, bit-reversed.
    Inverse,
}

/// The points `g w^i` at which values are taken; `w` is a primitive `n`-th root of unity, the square of `w'`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Domain {
    /// `g = 1`: all `n`-th roots of unity.
    Subgroup,
    /// `g = w'`, a primitive `2n`-th root of unity: the odd powers of it.
    OddCoset,
}

impl Domain {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Subgroup, Self::OddCoset];

    /// Largest `log2 n`.
    #[must_use]
    pub const fn max_log_n(self) -> u32 {
        match self {
            Self::Subgroup => TWO_ADICITY,
            Self::OddCoset => TWO_ADICITY - 1,
        }
    }
}

/// A primitive `2^log_order`-th root of unity, the square of that of the next order.
///
/// # Panics
/// When `log_order` is above 28.
pub(crate) fn root(log_order: u32) -> Fr {
    assert!(log_order <= TWO_ADICITY, "the field has roots of order 2^{TWO_ADICITY} at most");
    (log_order..TWO_ADICITY).fold(<Fr as FftField>::TWO_ADIC_ROOT_OF_UNITY, |root, _| root.square())
}

/// `log2 n` of a domain of `n` points.
///
/// # Errors
/// [`Misuse::DomainSize`] unless `n` is a power of two of at most [`Domain::max_log_n`].
pub(crate) fn log_size(n: usize, domain: Domain) -> Result<u32, Misuse> {
    let max_log_n = domain.max_log_n();
    if n.is_power_of_two() && n.ilog2() <= max_log_n {
        Ok(n.ilog2())
    } else {
        Err(Misuse::DomainSize { got: n, max_log_n })
    }
}

/// Refuses vectors that are not of one length, or not of a domain that has an odd coset.
pub(crate) fn check_quotient(n_a: usize, n_b: usize) -> Result<u32, Misuse> {
    if n_a == n_b {
        log_size(n_a, Domain::OddCoset)
    } else {
        Err(Misuse::LengthMismatch { what: "values of B", expected: n_a, got: n_b })
    }
}

#[cfg(test)]
mod tests {
    use ark_ff::One;

    use super::*;

    #[test]
    fn roots_are_primitive_and_each_the_square_of_the_next() {
        assert_eq!(root(0), Fr::one());
        assert_eq!(root(1), -Fr::one());
        for log_order in 1..=TWO_ADICITY {
            assert_eq!(root(log_order).square(), root(log_order - 1));
        }
    }

    #[test]
    fn sizes_are_powers_of_two_within_the_field() {
        assert_eq!(log_size(1, Domain::Subgroup), Ok(0));
        assert_eq!(log_size(1 << 28, Domain::Subgroup), Ok(28));
        assert_eq!(
            log_size(1 << 28, Domain::OddCoset),
            Err(Misuse::DomainSize { got: 1 << 28, max_log_n: 27 })
        );
        for n in [0, 3, 12, 1 << 29] {
            assert_eq!(log_size(n, Domain::Subgroup), Err(Misuse::DomainSize { got: n, max_log_n: 28 }));
        }
        assert_eq!(check_quotient(8, 8), Ok(3));
        assert!(matches!(check_quotient(8, 4), Err(Misuse::LengthMismatch { expected: 8, got: 4, .. })));
    }
}
