//! As many elements side by side as the processor has lanes, up to ten stages between reading and writing.
//!
//! Sources: Cooley, Tukey 1965 (the butterfly `(x, y) = (x + t y, x - t y)`, in both directions); Bailey 1990 (passes of
//! several stages).
//!
//! **Passes.** The stages are cut into passes of at most ten, as even as can be. A pass takes the vector in *tiles* of `R`
//! vectors, of which vector `r` holds place `c + r S` of a block of `R S` elements and the places beside it. So stages from
//! transforms of size `S` to ones of size `R S` never mix lanes. In the pass of the smallest stages (`S = 1`) each lane has
//! a block of `R` neighbours to itself instead.
//!
//! **Form.** Elements lie in memory in ark-ff's form and factors as `t 2^260`, so that nothing is converted but limbs. Between
//! passes elements are below `1.01 p` and not yet canonical.
//!
//! **Bounds.** `t y < 2 p` for any `y < 64 p`, so a stage adds at most `3 p` to a value and none has to reduce: from `1.01 p`,
//! twenty stages in a row stay below `63 p`. Two stages that multiply by 1 need `x, y < 2 p`, as they find them at the start,
//! and leave less than `8 p`.

use ark_ff::AdditiveGroup;
use rayon::prelude::*;

use super::factors;
use super::pointwise::{Combine, Multiply};
use super::tile::{Columns, Factors, Finish, Neighbours, Stage, Tile};
use super::{BLOCK, CHUNK, erase, inverse_of};
use crate::cpu::lanes::{Lanes, to_260};
use crate::curve::Fr;
use crate::ntt::{Direction, Domain};

/// Stages of a pass: a tile of `2^10` vectors is 320 KiB, within a core's second-level cache.
const MAX_LOG_ROWS: u32 = 10;
/// Neighbouring columns that are one task, 512 bytes of a row.
const COLUMNS: usize = 16;
// In a quotient the last stages of one direction and the first of the other are one pass.
const _: () = assert!(3 + 3 * 2 * MAX_LOG_ROWS < 64);

/// Whether a transform of this size has the two passes that this code is made for.
pub(super) fn is_enough<L: Lanes>(_: L, log_n: u32) -> bool {
    log_n >= 2 * L::LANES.ilog2()
}

/// For sizes that are [`is_enough`].
pub(super) fn ntt<L: Lanes>(lanes: L, direction: Direction, domain: Domain, values: &mut [Fr]) {
    Plan::new(lanes, values.len().ilog2(), MAX_LOG_ROWS).ntt(direction, domain, values);
}

/// For sizes that are [`is_enough`].
pub(super) fn quotient<L: Lanes>(lanes: L, a: &mut [Fr], b: &mut [Fr]) {
    Plan::new(lanes, a.len().ilog2(), MAX_LOG_ROWS).quotient(a, b);
}

/// Which stages a pass does: those from transforms of size `2^log_stride` on.
#[derive(Clone, Copy)]
struct Pass {
    log_stride: u32,
    log_rows: u32,
}

impl Pass {
    fn n_rows(self) -> usize {
        1 << self.log_rows
    }

    /// The origin of a tile is the first place of its columns.
    fn forward(self, domain: Domain) -> Vec<Stage> {
        let over_neighbours = self.log_stride == 0;
        let stage = |log_half: u32| {
            let table = factors::forward(domain, self.log_stride + log_half);
            let factors = if over_neighbours {
                Factors { table, by_origin: 0, step: 1, by_lane: 0 }
            } else {
                Factors { table, by_origin: 1, step: 1 << self.log_stride, by_lane: 1 }
            };
            let is_plain = over_neighbours && log_half == 0 && domain == Domain::Subgroup;
            let half = 1 << log_half;
            Stage { direction: Direction::Forward, half, n_factors: half, factors, is_plain }
        };
        (0..self.log_rows).map(stage).collect()
    }

    /// The origin of a tile is the block that it, or its first lane, is in.
    fn inverse(self, log_n: u32) -> Vec<Stage> {
        let table = factors::inverse(log_n - 1);
        let stage = |log_half: u32| {
            let n_factors = 1 << (self.log_rows - log_half - 1);
            let by_lane = if self.log_stride == 0 { n_factors } else { 0 };
            let factors = Factors { table, by_origin: n_factors, step: 1, by_lane };
            let is_plain = self.log_stride + log_half + 1 == log_n;
            Stage { direction: Direction::Inverse, half: 1 << log_half, n_factors, factors, is_plain }
        };
        (0..self.log_rows).rev().map(stage).collect()
    }

    /// After an inverse pass over neighbours on the odd coset: the coefficient of `x^i` is `g^i` times too large, and `1 / g^i`
    /// is the factor of the block that one more stage would have at its place.
    fn unshift(self, log_n: u32) -> Factors {
        let n_rows = self.n_rows();
        Factors { table: factors::inverse(log_n), by_origin: n_rows, step: 1, by_lane: n_rows }
    }
}

struct Plan<L> {
    lanes: L,
    log_n: u32,
    /// The one over neighbours first.
    passes: Vec<Pass>,
}

impl<L: Lanes> Plan<L> {
    fn new(lanes: L, log_n: u32, max_log_rows: u32) -> Self {
        let n_passes = log_n.div_ceil(max_log_rows).max(2);
        let mut log_stride = 0;
        let pass = |i| {
            let pass = Pass { log_stride, log_rows: (log_n + i) / n_passes };
            log_stride += pass.log_rows;
            pass
        };
        let passes: Vec<Pass> = (0..n_passes).map(pass).collect();
        assert!(passes[0].n_rows() >= L::LANES, "the columns of a vector lie side by side");
        Self { lanes, log_n, passes }
    }

    fn ntt(&self, direction: Direction, domain: Domain, values: &mut [Fr]) {
        let neighbours = self.passes[0];
        match direction {
            Direction::Forward => {
                self.over_neighbours(values, [&[], &neighbours.forward(domain)], Finish::Reduce);
                self.forward_over_columns(domain, values);
            }
            Direction::Inverse => {
                self.inverse_over_columns(values);
                let coset = match domain {
                    Domain::Subgroup => None,
                    Domain::OddCoset => Some(neighbours.unshift(self.log_n)),
                };
                let finish = Finish::Scale { by: to_260(inverse_of(values.len())), coset };
                self.over_neighbours(values, [&neighbours.inverse(self.log_n), &[]], finish);
            }
        }
    }

    fn quotient(&self, a: &mut [Fr], b: &mut [Fr]) {
        let lanes = self.lanes;
        let mut c = vec![Fr::ZERO; a.len()];
        c.par_chunks_mut(CHUNK).zip(a.par_chunks(CHUNK)).zip(b.par_chunks(CHUNK)).for_each(|((c, a), b)| {
            lanes.vectorize(Multiply { lanes, c, a, b });
        });
        let stages = [&*self.passes[0].inverse(self.log_n), &*self.passes[0].forward(Domain::OddCoset)];
        for values in [&mut *a, &mut *b, &mut c] {
            self.inverse_over_columns(values);
            self.over_neighbours(values, stages, Finish::Reduce);
            self.forward_over_columns(Domain::OddCoset, values);
        }
        // Each is n times too large, and what comes of two, or is c, lacks a factor of 16: a b / n^2 - c / n.
        let scale = inverse_of(a.len());
        let scales = [to_260(scale), to_260(scale * Fr::from(16u64))];
        a.par_chunks_mut(CHUNK).zip(b.par_chunks(CHUNK)).zip(c.par_chunks(CHUNK)).for_each(|((a, b), c)| {
            lanes.vectorize(Combine { lanes, a, b, c, scales });
        });
        erase(&mut c);
    }

    fn forward_over_columns(&self, domain: Domain, values: &mut [Fr]) {
        for (i, pass) in self.passes.iter().enumerate().skip(1) {
            let is_last = i + 1 == self.passes.len();
            let finish = if is_last { Finish::Canonical } else { Finish::Reduce };
            self.over_columns(*pass, values, Direction::Forward, &pass.forward(domain), finish);
        }
    }

    fn inverse_over_columns(&self, values: &mut [Fr]) {
        for pass in self.passes[1..].iter().rev() {
            self.over_columns(*pass, values, Direction::Inverse, &pass.inverse(self.log_n), Finish::Reduce);
        }
    }

    /// The stages of either list, one list after the other.
    fn over_neighbours(&self, values: &mut [Fr], stages: [&[Stage]; 2], finish: Finish) {
        let n_rows = self.passes[0].n_rows();
        let tile_len = n_rows * L::LANES;
        let task_len = tile_len.max(BLOCK);
        let tasks = values.chunks_mut(task_len).enumerate().collect();
        self.run(n_rows, tasks, |tile, (task, values)| {
            for (i, values) in values.chunks_exact_mut(tile_len).enumerate() {
                let origin = (task * (task_len / tile_len) + i) * L::LANES;
                tile.transform(&mut Neighbours { values, n_rows }, n_rows, stages, origin, finish);
            }
        });
    }

    fn over_columns(
        &self,
        pass: Pass,
        values: &mut [Fr],
        direction: Direction,
        stages: &[Stage],
        finish: Finish,
    ) {
        struct Task<'a> {
            block: usize,
            first: usize,
            rows: Vec<&'a mut [Fr]>,
        }
        let stride = 1 << pass.log_stride;
        let width = if values.len() <= BLOCK { stride } else { COLUMNS.min(stride) };
        let mut tasks = Vec::with_capacity(values.len() / (pass.n_rows() * width));
        for (block, values) in values.chunks_exact_mut(stride << pass.log_rows).enumerate() {
            let rows = values.chunks_exact_mut(stride).map(|row| row.chunks_exact_mut(width));
            let mut rows: Vec<_> = rows.collect();
            for first in (0..stride).step_by(width) {
                tasks.push(Task { block, first, rows: rows.iter_mut().filter_map(Iterator::next).collect() });
            }
        }
        self.run(pass.n_rows(), tasks, |tile, Task { block, first, mut rows }| {
            for column in (0..width).step_by(L::LANES) {
                let origin = match direction {
                    Direction::Forward => first + column,
                    Direction::Inverse => block,
                };
                let mut places = Columns { rows: &mut rows, column };
                tile.transform(&mut places, pass.n_rows(), [stages, &[]], origin, finish);
            }
        });
    }

    fn run<T: Send>(&self, n_rows: usize, tasks: Vec<T>, work: impl Fn(&mut Tile<L>, T) + Sync) {
        let tile = || Tile::new(self.lanes, n_rows);
        if tasks.len() == 1 {
            let mut tile = tile();
            tasks.into_iter().for_each(|task| work(&mut tile, task));
        } else {
            tasks.into_par_iter().for_each_init(tile, |tile, task| work(tile, task));
        }
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};

    use ark_ff::{AdditiveGroup, Field};

    use super::super::{ntt, portable, quotient};
    use super::{Direction, Domain, Fr, Plan};
    use crate::cpu::lanes::{Width, with_lanes};

    /// All zero, all one, all next to the modulus, and elements of every kind side by side.
    fn vectors(n: usize) -> Vec<Vec<Fr>> {
        let mut rng = ChaCha20Rng::seed_from_u64(n as u64);
        let mixed = (0..n).map(|i| match i % 7 {
            0 => Fr::from(rng.next_u32() % 2),
            1 => -Fr::from(1 + rng.next_u32() % 2),
            _ => Fr::from(rng.next_u64()).pow([5]),
        });
        let mixed = mixed.collect();
        [Fr::ZERO, Fr::ONE, -Fr::ONE].map(|value| vec![value; n]).into_iter().chain([mixed]).collect()
    }

    fn every_transform(mut check: impl FnMut(Direction, Domain)) {
        for direction in [Direction::Forward, Direction::Inverse] {
            for domain in Domain::ALL {
                check(direction, domain);
            }
        }
    }

    fn others() -> impl Iterator<Item = Width> {
        Width::ALL.into_iter().filter(|width| *width != Width::Portable && width.is_available())
    }

    /// Every width leaves the bytes that one element at a time leaves.
    fn check(log_n: u32) {
        let vectors = vectors(1 << log_n);
        for width in others() {
            every_transform(|direction, domain| {
                for values in &vectors {
                    let (mut got, mut expected) = (values.clone(), values.clone());
                    ntt(width, direction, domain, &mut got).expect("a size of the field");
                    ntt(Width::Portable, direction, domain, &mut expected).expect("a size of the field");
                    assert!(got == expected, "{}: {direction:?} on {domain:?}, 2^{log_n}", width.name());
                }
            });
            for (a, b) in vectors.iter().zip(vectors.iter().rev()) {
                let (mut got, mut expected) = (a.clone(), a.clone());
                quotient(width, &mut got, &mut b.clone()).expect("a size of the field");
                quotient(Width::Portable, &mut expected, &mut b.clone()).expect("a size of the field");
                assert!(got == expected, "{}: quotient, 2^{log_n}", width.name());
            }
        }
    }

    fn with_threads(n_threads: usize, body: impl FnOnce() + Send) {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().expect("threads");
        pool.install(body);
    }

    #[test]
    fn small_transforms_are_the_portable_ones() {
        (0..=9).for_each(check);
    }

    #[test]
    fn large_transforms_are_the_portable_ones() {
        for n_threads in [1, 7] {
            with_threads(n_threads, || [10, 11, 12, 13, 16].into_iter().for_each(check));
        }
    }

    /// As many passes as the largest sizes have, and more, of odd and even numbers of stages.
    #[test]
    fn any_number_of_passes_is_the_same_transform() {
        for (log_n, max_log_rows) in [(9, 3), (10, 4), (11, 4), (13, 5), (12, 3)] {
            let [.., values] = &vectors(1 << log_n)[..] else { unreachable!("there are some") };
            for width in others() {
                with_lanes!(
                    width,
                    |lanes| {
                        let plan = Plan::new(lanes, log_n, max_log_rows);
                        assert!(plan.passes.len() > 2);
                        every_transform(|direction, domain| {
                            let (mut got, mut expected) = (values.clone(), values.clone());
                            plan.ntt(direction, domain, &mut got);
                            portable::ntt(direction, domain, &mut expected);
                            assert!(got == expected, "{}: {direction:?} on {domain:?}", width.name());
                        });
                        let (mut got, mut expected) = (values.clone(), values.clone());
                        plan.quotient(&mut got, &mut values.clone());
                        portable::quotient(&mut expected, &mut values.clone());
                        assert!(got == expected, "{}: quotient", width.name());
                    },
                    unreachable!("these widths have lanes")
                );
            }
        }
    }
}
