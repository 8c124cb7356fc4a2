//! What a quotient does element by element.

use crate::cpu::lanes::{Kernel, Lanes, MAX_LANES, Modulus};
use crate::curve::Fr;

use super::factors::Row;

/// `c = a b / 16`.
pub(super) struct Multiply<'a, L> {
    pub(super) lanes: L,
    pub(super) c: &'a mut [Fr],
    pub(super) a: &'a [Fr],
    pub(super) b: &'a [Fr],
}

impl<L: Lanes> Kernel for Multiply<'_, L> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let lanes = self.lanes;
        for at in (0..self.c.len()).step_by(L::LANES) {
            let (a, b) = (read(lanes, self.a, at), read(lanes, self.b, at));
            // Below 1.02 p.
            write(lanes, self.c, at, &lanes.mul::<Fr>(&a, &b));
        }
    }
}

/// `a = (a b / 16 * scales_0 - c) scales_1`.
pub(super) struct Combine<'a, L> {
    pub(super) lanes: L,
    pub(super) a: &'a mut [Fr],
    pub(super) b: &'a [Fr],
    pub(super) c: &'a [Fr],
    pub(super) scales: [Row; 2],
}

impl<L: Lanes> Kernel for Combine<'_, L> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let lanes = self.lanes;
        let inner = lanes.split(&lanes.splat(&self.scales[0]));
        let outer = lanes.split(&lanes.splat(&self.scales[1]));
        for at in (0..self.a.len()).step_by(L::LANES) {
            let (a, b) = (read(lanes, self.a, at), read(lanes, self.b, at));
            let product = lanes.mul::<Fr>(&a, &b);
            let product = lanes.mul::<Fr>(&product, &inner);
            let difference = lanes.sub::<Fr>(&product, &read(lanes, self.c, at));
            let scaled = lanes.mul_loose::<Fr>(&difference, &outer);
            write(lanes, self.a, at, &lanes.canonical::<Fr>(&lanes.loose(&scaled)));
        }
    }
}

/// Neighbours from `at` on.
#[inline(always)]
fn read<L: Lanes>(lanes: L, values: &[Fr], at: usize) -> L::Tight {
    let mut rows = [&values[at].0.0; MAX_LANES];
    for (row, value) in rows.iter_mut().zip(&values[at..][..L::LANES]) {
        *row = &value.0.0;
    }
    lanes.split(&lanes.load(&rows))
}

#[inline(always)]
fn write<L: Lanes>(lanes: L, values: &mut [Fr], at: usize, vector: &L::Tight) {
    let rows = lanes.store(&lanes.join(vector));
    for (value, words) in values[at..][..L::LANES].iter_mut().zip(rows) {
        *value = Fr::from_words(words);
    }
}
