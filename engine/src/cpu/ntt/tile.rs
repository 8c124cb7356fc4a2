//! A tile: as many vectors as the second-level cache holds, read once, taken through up to ten stages of a transform, and
//! written once. Forms and bounds are those of [`super::vector`], which says what lies in a tile.

use super::factors::Row;
use crate::cpu::lanes::{Kernel, Lanes, MAX_LANES, Modulus};
use crate::curve::Fr;
use crate::ntt::Direction;

/// Factors of a stage, as a tile needs them.
#[derive(Clone, Copy)]
pub(super) struct Factors {
    pub(super) table: &'static [Row],
    /// Places in the table from one tile, factor or lane to the next.
    pub(super) by_origin: usize,
    pub(super) step: usize,
    pub(super) by_lane: usize,
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
pub(super) struct Stage {
    pub(super) direction: Direction,
    /// Vectors from one side of a butterfly to the other.
    pub(super) half: usize,
    /// Different factors: of the places of a block forward, of the blocks inverse.
    pub(super) n_factors: usize,
    pub(super) factors: Factors,
    /// Whether there is one factor, and it is 1.
    pub(super) is_plain: bool,
}

/// What is done with an element before it is written.
#[derive(Clone, Copy)]
pub(super) enum Finish {
    Reduce,
    Canonical,
    /// Products with a constant, and with a factor of the element's own, in canonical form.
    Scale {
        by: Row,
        coset: Option<Factors>,
    },
}

/// Where the elements of a tile lie.
pub(super) trait Places {
    fn read(&self, row: usize, lane: usize) -> &Row;
    fn write(&mut self, row: usize, lane: usize, words: Row);
}

/// A row a lane.
pub(super) struct Neighbours<'a> {
    pub(super) values: &'a mut [Fr],
    pub(super) n_rows: usize,
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
pub(super) struct Columns<'a, 'b> {
    pub(super) rows: &'a mut [&'b mut [Fr]],
    pub(super) column: usize,
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
pub(super) struct Tile<L: Lanes> {
    lanes: L,
    vectors: Vec<L::Tight>,
}

impl<L: Lanes> Tile<L> {
    pub(super) fn new(lanes: L, n_rows: usize) -> Self {
        Self { lanes, vectors: Vec::with_capacity(n_rows) }
    }

    pub(super) fn transform(
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
            let finished = match self.finish {
                Finish::Reduce => lanes.reduce::<Fr>(&lanes.loose(vector)),
                Finish::Canonical => lanes.canonical::<Fr>(&lanes.loose(vector)),
                Finish::Scale { by, coset } => {
                    let by = lanes.split(&lanes.splat(&by));
                    let mut product = lanes.mul::<Fr>(vector, &by);
                    if let Some(coset) = coset {
                        let factor = coset.get(lanes, self.origin, i);
                        product = lanes.mul::<Fr>(&product, &factor);
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
                    y = lanes.mul::<Fr>(&y, &factor);
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
                    b = lanes.mul::<Fr>(&b, &outer);
                    d = lanes.mul::<Fr>(&d, &outer);
                }
                let (sum, difference) = (lanes.add(&c, &d), lanes.sub::<Fr>(&c, &d));
                let x = lanes.tight(&lanes.add(&a, &b));
                if PLAIN {
                    self.vectors[places[0]] = lanes.tight(&lanes.add(&x, &lanes.tight(&sum)));
                    self.vectors[places[2]] = lanes.tight(&lanes.sub_two::<Fr>(&x, &c, &d));
                } else {
                    let y = lanes.mul_loose::<Fr>(&sum, &low);
                    self.vectors[places[0]] = lanes.tight(&lanes.add(&x, &y));
                    self.vectors[places[2]] = lanes.tight(&lanes.sub::<Fr>(&x, &y));
                }
                let x = lanes.tight(&lanes.sub::<Fr>(&a, &b));
                let y = lanes.mul_loose::<Fr>(&difference, &high);
                self.vectors[places[1]] = lanes.tight(&lanes.add(&x, &y));
                self.vectors[places[3]] = lanes.tight(&lanes.sub::<Fr>(&x, &y));
            }
        }
    }
}
