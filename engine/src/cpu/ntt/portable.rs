//! One element at a time, by halves.
//!
//! Source: Cooley, Tukey 1965 (decimation in time), Gentleman, Sande 1966 (in frequency). A transform of size `2 h` on the
//! odd coset takes its factors `w_(4h)^(1 + 2j)` from the odd places of the next size's table, so that a coset costs
//! nothing: `docs/ntt.md`.

use std::sync::OnceLock;

use ark_ff::{Field, Zero};
use rayon::prelude::*;

use super::{BLOCK, CHUNK, erase, inverse_of};
use crate::curve::Fr;
use crate::ntt::{Direction, Domain, root};

pub(super) fn ntt(direction: Direction, domain: Domain, values: &mut [Fr]) {
    match direction {
        Direction::Forward => forward(domain, values),
        Direction::Inverse => {
            inverse_unscaled(domain, values);
            let scale = inverse_of(values.len());
            values.par_chunks_mut(CHUNK).for_each(|chunk| chunk.iter_mut().for_each(|value| *value *= scale));
        }
    }
}

pub(super) fn quotient(a: &mut [Fr], b: &mut [Fr]) {
    let mut c: Vec<Fr> = a.par_iter().zip(&*b).map(|(a, b)| *a * b).collect();
    for values in [&mut *a, &mut *b, &mut c] {
        inverse_unscaled(Domain::Subgroup, values);
        forward(Domain::OddCoset, values);
    }
    // Each is n times too large: a b / n^2 - c / n.
    let scale = inverse_of(a.len());
    a.par_iter_mut().zip(b).zip(&c).for_each(|((a, b), c)| *a = (*a * *b * scale - c) * scale);
    erase(&mut c);
}

/// `w_(2h)^j` for `j < h = 2^log_half`.
fn twiddles(log_half: u32) -> &'static [Fr] {
    static TABLES: [OnceLock<Box<[Fr]>>; 28] = [const { OnceLock::new() }; 28];
    let place = &TABLES[log_half as usize];
    if let Some(table) = place.get() {
        return table;
    }
    // Outside of the lock: a thread that waits for rayon takes up other work, and that could need this table.
    let root = root(log_half + 1);
    let mut table = vec![Fr::zero(); 1 << log_half].into_boxed_slice();
    table.par_chunks_mut(CHUNK).enumerate().for_each(|(i, chunk)| {
        let mut power = root.pow([(i * CHUNK) as u64]);
        for place in chunk {
            *place = power;
            power *= root;
        }
    });
    place.get_or_init(|| table)
}

/// The factors of the stage that makes transforms of `2 half` values from two of `half`.
#[derive(Clone, Copy)]
struct Stage {
    table: &'static [Fr],
    domain: Domain,
}

impl Stage {
    fn new(half: usize, domain: Domain) -> Self {
        let log_half = half.ilog2();
        let table = match domain {
            Domain::Subgroup => twiddles(log_half),
            Domain::OddCoset => twiddles(log_half + 1),
        };
        Self { table, domain }
    }

    /// `w_(2h)^j`, or `w_(4h)^(1 + 2j)`.
    #[inline(always)]
    fn factor(self, j: usize) -> Fr {
        match self.domain {
            Domain::Subgroup => self.table[j],
            Domain::OddCoset => self.table[2 * j + 1],
        }
    }

    /// `(x, y) = (x + t y, x - t y)` for pairs from `first` on.
    #[inline(always)]
    fn forward(self, first: usize, low: &mut [Fr], high: &mut [Fr]) {
        for (j, (x, y)) in (first..).zip(low.iter_mut().zip(high)) {
            let product = *y * self.factor(j);
            *y = *x - product;
            *x += product;
        }
    }

    /// `(x, y) = (x + y, (x - y) / t)` for pairs from `first` on.
    #[inline(always)]
    fn inverse(self, first: usize, low: &mut [Fr], high: &mut [Fr]) {
        // With `w^h = -1`, `1 / w^e` is `-w^(h - e)`: the table read backwards.
        let n = self.table.len();
        for (j, (x, y)) in (first..).zip(low.iter_mut().zip(high)) {
            let exponent = match self.domain {
                Domain::Subgroup => j,
                Domain::OddCoset => 2 * j + 1,
            };
            let (sum, difference) = (*x + *y, *y - *x);
            *x = sum;
            *y = if exponent == 0 { -difference } else { difference * self.table[n - exponent] };
        }
    }

    fn in_parallel(self, direction: Direction, low: &mut [Fr], high: &mut [Fr]) {
        low.par_chunks_mut(CHUNK).zip(high.par_chunks_mut(CHUNK)).enumerate().for_each(|(i, (low, high))| {
            match direction {
                Direction::Forward => self.forward(i * CHUNK, low, high),
                Direction::Inverse => self.inverse(i * CHUNK, low, high),
            }
        });
    }
}

fn forward(domain: Domain, values: &mut [Fr]) {
    if values.len() <= BLOCK {
        let mut half = 1;
        while half < values.len() {
            let stage = Stage::new(half, domain);
            for pair in values.chunks_exact_mut(2 * half) {
                let (low, high) = pair.split_at_mut(half);
                stage.forward(0, low, high);
            }
            half *= 2;
        }
        return;
    }
    let (low, high) = values.split_at_mut(values.len() / 2);
    rayon::join(|| forward(domain, low), || forward(domain, high));
    Stage::new(low.len(), domain).in_parallel(Direction::Forward, low, high);
}

/// Leaves the coefficients times the number of values.
fn inverse_unscaled(domain: Domain, values: &mut [Fr]) {
    if values.len() <= BLOCK {
        let mut half = values.len() / 2;
        while half > 0 {
            let stage = Stage::new(half, domain);
            for pair in values.chunks_exact_mut(2 * half) {
                let (low, high) = pair.split_at_mut(half);
                stage.inverse(0, low, high);
            }
            half /= 2;
        }
        return;
    }
    let (low, high) = values.split_at_mut(values.len() / 2);
    Stage::new(low.len(), domain).in_parallel(Direction::Inverse, low, high);
    rayon::join(|| inverse_unscaled(domain, low), || inverse_unscaled(domain, high));
}
