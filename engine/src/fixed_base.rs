//! Secret multiples of the two fixed points `G` and `H`, by reading whole tables.
//!
//! Windows of four bits; window `k` holds `v 2^(4k) P + S` for `v = 0 .. 15`. Every entry of every table is read, so
//! neither branches nor addresses depend on the scalar. `S`, a point whose relation to `P` nobody knows, keeps every
//! entry and, but for a negligible chance, every partial sum away from infinity and from each other, where ark-ec's
//! addition would branch. Cost: 64 additions. ark-ff's field operations end in a conditional subtraction that compilers
//! make a branch or not: their timing is not ours to promise.

use std::sync::OnceLock;

use ark_ec::CurveGroup;
use ark_ff::{AdditiveGroup, BigInt, PrimeField, Zero};
use subtle::{ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroizing;

use crate::curve::{self, Fq, Fr, Point, Projective};

const WINDOW: u32 = 4;
const ENTRIES: usize = 1 << WINDOW;
const WINDOWS: usize = 256 / WINDOW as usize;

/// `k G`.
pub(crate) fn mul_generator(scalar: &Fq) -> Projective {
    static TABLES: OnceLock<FixedBase> = OnceLock::new();
    TABLES.get_or_init(|| FixedBase::new(curve::generator(), curve::blinding_base())).mul(scalar)
}

/// `r H`.
pub(crate) fn mul_blinding_base(scalar: &Fq) -> Projective {
    static TABLES: OnceLock<FixedBase> = OnceLock::new();
    TABLES.get_or_init(|| FixedBase::new(curve::blinding_base(), curve::generator())).mul(scalar)
}

struct FixedBase {
    tables: Vec<[Point; ENTRIES]>,
    /// `-64 S`, which takes out what the tables put in.
    correction: Projective,
}

impl FixedBase {
    fn new(point: Point, shift: Point) -> Self {
        let mut base = Projective::from(point);
        let tables = (0..WINDOWS)
            .map(|_| {
                let mut entry = Projective::from(shift);
                let entries: [Projective; ENTRIES] = std::array::from_fn(|_| {
                    let current = entry;
                    entry += base;
                    current
                });
                for _ in 0..WINDOW {
                    base.double_in_place();
                }
                // One by one: ark-ec's batch runs on rayon, where a thread that waits takes up other work, and that could
                // be a call that waits for these tables.
                entries.map(|entry| entry.into_affine())
            })
            .collect();
        Self { tables, correction: -(shift * Fq::from(WINDOWS as u64)) }
    }

    fn mul(&self, scalar: &Fq) -> Projective {
        let scalar = Zeroizing::new(scalar.into_bigint().0);
        let sum = self.tables.iter().enumerate().fold(Projective::zero(), |sum, (window, table)| {
            let bit = window * WINDOW as usize;
            sum + select(table, scalar[bit / 64] >> (bit % 64) & (ENTRIES as u64 - 1))
        });
        sum + self.correction
    }
}

/// `table[digit]`, reading every entry.
fn select(table: &[Point; ENTRIES], digit: u64) -> Point {
    let (mut x, mut y) = ([0; 4], [0; 4]);
    for (v, entry) in (0u64..).zip(table) {
        let hit = v.ct_eq(&digit);
        for i in 0..4 {
            x[i].conditional_assign(&entry.x.0.0[i], hit);
            y[i].conditional_assign(&entry.y.0.0[i], hit);
        }
    }
    Point::new_unchecked(Fr::new_unchecked(BigInt(x)), Fr::new_unchecked(BigInt(y)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_ordinary_multiplication() {
        let big = -Fq::from(1u8);
        for scalar in
            [Fq::from(0u8), Fq::from(1u8), Fq::from(16u8), Fq::from(u64::MAX), big, curve::power_of_two(253)]
        {
            assert_eq!(mul_generator(&scalar), curve::generator() * scalar);
            assert_eq!(mul_blinding_base(&scalar), curve::blinding_base() * scalar);
        }
    }
}
