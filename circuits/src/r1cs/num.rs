//! A value in the circuit together with the linear combination of columns that computes it.

use ark_bn254::Fr;
use ark_ff::{One, Zero};
use std::ops::{Add, Sub};

/// One term of a linear combination: column and coefficient.
pub(crate) type Term = (u32, Fr);

/// A value and its linear combination over the columns of `z`.
///
/// The combination is kept only while a shape is recorded; for an assignment it stays empty and costs nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Num {
    pub(super) value: Fr,
    /// Sorted by column, no column twice, no zero coefficient.
    pub(super) terms: Vec<Term>,
}

impl Num {
    /// The value under the current assignment.
    pub(crate) fn value(&self) -> Fr {
        self.value
    }

    /// `factor * self`.
    pub(crate) fn scale(&self, factor: Fr) -> Num {
        if factor.is_zero() {
            return Num::default();
        }
        let terms = self.terms.iter().map(|&(column, c)| (column, c * factor)).collect();
        Num { value: self.value * factor, terms }
    }

    /// `sum of factor * num` over the pairs.
    pub(crate) fn combine<'a>(pairs: impl IntoIterator<Item = (&'a Num, Fr)>) -> Num {
        let mut value = Fr::zero();
        let mut terms: Vec<Term> = Vec::new();
        for (num, factor) in pairs {
            value += if factor.is_one() { num.value } else { num.value * factor };
            terms.extend(num.terms.iter().map(|&(column, c)| (column, c * factor)));
        }
        Num { value, terms: compact(terms) }
    }
}

/// Sorts by column and adds up equal columns.
fn compact(mut terms: Vec<Term>) -> Vec<Term> {
    terms.sort_by_key(|&(column, _)| column);
    terms.dedup_by(|next, kept| {
        let equal = next.0 == kept.0;
        if equal {
            kept.1 += next.1;
        }
        equal
    });
    terms.retain(|(_, c)| !c.is_zero());
    terms
}

impl Add for &Num {
    type Output = Num;

    fn add(self, other: &Num) -> Num {
        let terms = compact(self.terms.iter().chain(&other.terms).copied().collect());
        Num { value: self.value + other.value, terms }
    }
}

impl Sub for &Num {
    type Output = Num;

    fn sub(self, other: &Num) -> Num {
        let negated = other.terms.iter().map(|&(column, c)| (column, -c));
        let terms = compact(self.terms.iter().copied().chain(negated).collect());
        Num { value: self.value - other.value, terms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(index: u32, value: u64) -> Num {
        Num { value: Fr::from(value), terms: vec![(index, Fr::one())] }
    }

    #[test]
    fn combinations_stay_sorted_and_cancel() {
        let (x, y) = (column(5, 11), column(2, 7));
        let sum = &x + &y;
        assert_eq!(sum.terms, vec![(2, Fr::one()), (5, Fr::one())]);
        assert_eq!(sum.value, Fr::from(18u8));
        let x_again = &sum - &y;
        assert_eq!(x_again.terms, x.terms);
        assert_eq!(
            Num::combine([(&sum, Fr::from(3u8)), (&y, -Fr::from(3u8))]).terms,
            vec![(5, Fr::from(3u8))]
        );
        assert!(x.scale(Fr::zero()).terms.is_empty());
    }
}
