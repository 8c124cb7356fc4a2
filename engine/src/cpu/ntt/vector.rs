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

use super::factors::{self, Row};
use super::{BLOCK, CHUNK, erase, inverse_of};
use crate::cpu::lanes::{Kernel, Lanes, MAX_LANES, Modulus, to_260};
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

/// Factors of a stage, as a tile needs them.
#[derive(Clone, Copy)]
struct Factors {
    table: &'static [Row],
    /// Places in the table from one tile, factor or lane to the next.
    by_origin: usize,
    step: usize,
    by_lane: usize,
}

impl Factors {
    #[inline(always)]
    fn get<L: Lanes>(&self, lanes: L, origin: usize, i: usize) -> L::Tight {
        let first = origin * self.by_origin + i * self.step;
        if self.by_lane == 0 {
            return lanes.split(&lanes.splat(&self.table[first]));
        }
        let mut rows = [&self.table[first]; MAX_LANES];
        for (lane, row) in rows[..L::LANES].iter_mut().enumerate() {
            *row = &self.table[first + lane * self.by_lane];
        }
        lanes.split(&lanes.load(&rows))
    }
}

/// A stage within a tile.
struct Stage {
    direction: Direction,
    /// Vectors from one side of a butterfly to the other.
    half: usize,
    /// Different factors: of the places of a block forward, of the blocks inverse.
    n_factors: usize,
    factors: Factors,
    /// Whether there is one factor, and it is 1.
    is_plain: bool,
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

/// What is done with an element before it is written.
#[derive(Clone, Copy)]
enum Finish {
    Reduce,
    Canonical,
    /// Products with a constant, and with a factor of the element's own, in canonical form.
    Scale {
        by: Row,
        coset: Option<Factors>,
    },
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
        let tile = || Tile { lanes: self.lanes, vectors: Vec::with_capacity(n_rows) };
        if tasks.len() == 1 {
            let mut tile = tile();
            tasks.into_iter().for_each(|task| work(&mut tile, task));
        } else {
            tasks.into_par_iter().for_each_init(tile, |tile, task| work(tile, task));
        }
    }
}

/// Where the elements of a tile lie.
trait Places {
    fn read(&self, row: usize, lane: usize) -> &Row;
    fn write(&mut self, row: usize, lane: usize, words: Row);
}

/// A row a lane.
struct Neighbours<'a> {
    values: &'a mut [Fr],
    n_rows: usize,
}

impl Places for Neighbours<'_> {
    #[inline(always)]
    fn read(&self, row: usize, lane: usize) -> &Row {
        &self.values[lane * self.n_rows + row].0.0
    }

    #[inline(always)]
    fn write(&mut self, row: usize, lane: usize, words: Row) {
        self.values[lane * self.n_rows + row] = Fr::from_words(words);
    }
}

/// A row a vector, its lanes from `column` on.
struct Columns<'a, 'b> {
    rows: &'a mut [&'b mut [Fr]],
    column: usize,
}

impl Places for Columns<'_, '_> {
    #[inline(always)]
    fn read(&self, row: usize, lane: usize) -> &Row {
        &self.rows[row][self.column + lane].0.0
    }

    #[inline(always)]
    fn write(&mut self, row: usize, lane: usize, words: Row) {
        self.rows[row][self.column + lane] = Fr::from_words(words);
    }
}

/// What one thread works on.
struct Tile<L: Lanes> {
    lanes: L,
    vectors: Vec<L::Tight>,
}

impl<L: Lanes> Tile<L> {
    fn transform(
        &mut self,
        places: &mut impl Places,
        n_rows: usize,
        stages: [&[Stage]; 2],
        origin: usize,
        finish: Finish,
    ) {
        let lanes = self.lanes;
        self.vectors.clear();
        lanes.vectorize(Read { lanes, vectors: &mut self.vectors, places: &*places, n_rows });
        for stages in stages {
            lanes.vectorize(Butterflies { lanes, vectors: &mut self.vectors, stages, origin });
        }
        lanes.vectorize(Write { lanes, vectors: &self.vectors, places, origin, finish });
    }
}

impl<L: Lanes> Drop for Tile<L> {
    fn drop(&mut self) {
        // A vector type has no `Zeroize`, so the bytes are overwritten by ordinary stores.
        let zero = self.lanes.vectorize(Zero { lanes: self.lanes });
        self.vectors.fill(zero);
        core::hint::black_box(&self.vectors);
    }
}

struct Zero<L> {
    lanes: L,
}

impl<L: Lanes> Kernel for Zero<L> {
    type Output = L::Tight;

    #[inline(always)]
    fn run(self) -> L::Tight {
        self.lanes.split(&self.lanes.splat(&Row::default()))
    }
}

struct Read<'a, L: Lanes, P> {
    lanes: L,
    vectors: &'a mut Vec<L::Tight>,
    places: &'a P,
    n_rows: usize,
}

impl<L: Lanes, P: Places> Kernel for Read<'_, L, P> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for i in 0..self.n_rows {
            let mut rows = [self.places.read(i, 0); MAX_LANES];
            for (lane, row) in rows[..L::LANES].iter_mut().enumerate() {
                *row = self.places.read(i, lane);
            }
            self.vectors.push(self.lanes.split(&self.lanes.load(&rows)));
        }
    }
}

struct Write<'a, L: Lanes, P> {
    lanes: L,
    vectors: &'a [L::Tight],
    places: &'a mut P,
    origin: usize,
    finish: Finish,
}

impl<L: Lanes, P: Places> Kernel for Write<'_, L, P> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let lanes = self.lanes;
        for (i, vector) in self.vectors.iter().enumerate() {
            let vector = lanes.loose(vector);
            let finished = match self.finish {
                Finish::Reduce => lanes.reduce::<Fr>(&vector),
                Finish::Canonical => lanes.canonical::<Fr>(&vector),
                Finish::Scale { by, coset } => {
                    let by = lanes.split(&lanes.splat(&by));
                    let mut product = lanes.mul::<Fr>(&vector, &by);
                    if let Some(coset) = coset {
                        let factor = coset.get(lanes, self.origin, i);
                        product = lanes.mul::<Fr>(&lanes.loose(&product), &factor);
                    }
                    lanes.canonical::<Fr>(&lanes.loose(&product))
                }
            };
            let rows = lanes.store(&lanes.join(&finished));
            for (lane, words) in rows[..L::LANES].iter().enumerate() {
                self.places.write(i, lane, *words);
            }
        }
    }
}

/// Consecutive stages of a tile, in pairs.
struct Butterflies<'a, L: Lanes> {
    lanes: L,
    vectors: &'a mut [L::Tight],
    stages: &'a [Stage],
    origin: usize,
}

impl<L: Lanes> Kernel for Butterflies<'_, L> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        let (single, pairs) = self.stages.split_at(self.stages.len() % 2);
        for stage in single {
            if stage.is_plain { self.one::<true>(stage) } else { self.one::<false>(stage) }
        }
        for pair in pairs.chunks_exact(2) {
            let [first, second] = [&pair[0], &pair[1]];
            if first.is_plain { self.two::<true>(first, second) } else { self.two::<false>(first, second) }
        }
    }
}

impl<L: Lanes> Butterflies<'_, L> {
    #[inline(always)]
    fn one<const PLAIN: bool>(&mut self, stage: &Stage) {
        let lanes = self.lanes;
        let half = stage.half;
        let n_like = self.vectors.len() / 2 / stage.n_factors;
        let (by_factor, by_like) = match stage.direction {
            Direction::Forward => (1, 2 * half),
            Direction::Inverse => (2 * half, 1),
        };
        for i in 0..stage.n_factors {
            let factor = stage.factors.get(lanes, self.origin, i);
            for j in 0..n_like {
                let at = i * by_factor + j * by_like;
                let (x, mut y) = (self.vectors[at], self.vectors[at + half]);
                if !PLAIN {
                    y = lanes.mul::<Fr>(&lanes.loose(&y), &factor);
                }
                self.vectors[at] = lanes.tight(&lanes.add(&x, &y));
                self.vectors[at + half] = lanes.tight(&lanes.sub::<Fr>(&x, &y));
            }
        }
    }

    /// The second stage joins what two butterflies of the first leave, with factors of its own for either output.
    #[inline(always)]
    fn two<const PLAIN: bool>(&mut self, first: &Stage, second: &Stage) {
        let lanes = self.lanes;
        let n_like = self.vectors.len() / 4 / first.n_factors;
        let (by_factor, by_like, second_step, second_apart) = match first.direction {
            Direction::Forward => (1, 4 * first.half, 1, first.half),
            Direction::Inverse => (4 * second.half, 1, 2, 1),
        };
        for i in 0..first.n_factors {
            let outer = first.factors.get(lanes, self.origin, i);
            let low = second.factors.get(lanes, self.origin, second_step * i);
            let high = second.factors.get(lanes, self.origin, second_step * i + second_apart);
            for j in 0..n_like {
                let at = i * by_factor + j * by_like;
                let places = [at, at + first.half, at + second.half, at + first.half + second.half];
                let (a, mut b) = (self.vectors[places[0]], self.vectors[places[1]]);
                let (c, mut d) = (self.vectors[places[2]], self.vectors[places[3]]);
                if !PLAIN {
                    b = lanes.mul::<Fr>(&lanes.loose(&b), &outer);
                    d = lanes.mul::<Fr>(&lanes.loose(&d), &outer);
                }
                let (sum, difference) = (lanes.add(&c, &d), lanes.sub::<Fr>(&c, &d));
                let x = lanes.tight(&lanes.add(&a, &b));
                if PLAIN {
                    self.vectors[places[0]] = lanes.tight(&lanes.add(&x, &lanes.tight(&sum)));
                    self.vectors[places[2]] = lanes.tight(&lanes.sub_two::<Fr>(&x, &c, &d));
                } else {
                    let y = lanes.mul::<Fr>(&sum, &low);
                    self.vectors[places[0]] = lanes.tight(&lanes.add(&x, &y));
                    self.vectors[places[2]] = lanes.tight(&lanes.sub::<Fr>(&x, &y));
                }
                let x = lanes.tight(&lanes.sub::<Fr>(&a, &b));
                let y = lanes.mul::<Fr>(&difference, &high);
                self.vectors[places[1]] = lanes.tight(&lanes.add(&x, &y));
                self.vectors[places[3]] = lanes.tight(&lanes.sub::<Fr>(&x, &y));
            }
        }
    }
}

/// `c = a b / 16`.
struct Multiply<'a, L> {
    lanes: L,
    c: &'a mut [Fr],
    a: &'a [Fr],
    b: &'a [Fr],
}

impl<L: Lanes> Kernel for Multiply<'_, L> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let lanes = self.lanes;
        for at in (0..self.c.len()).step_by(L::LANES) {
            let (a, b) = (read(lanes, self.a, at), read(lanes, self.b, at));
            // Below 1.02 p.
            write(lanes, self.c, at, &lanes.mul::<Fr>(&lanes.loose(&a), &b));
        }
    }
}

/// `a = (a b / 16 * scales_0 - c) scales_1`.
struct Combine<'a, L> {
    lanes: L,
    a: &'a mut [Fr],
    b: &'a [Fr],
    c: &'a [Fr],
    scales: [Row; 2],
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
            let product = lanes.mul::<Fr>(&lanes.loose(&a), &b);
            let product = lanes.mul::<Fr>(&lanes.loose(&product), &inner);
            let difference = lanes.sub::<Fr>(&product, &read(lanes, self.c, at));
            let scaled = lanes.mul::<Fr>(&difference, &outer);
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
