//! Additions in the lanes: as many side by side as the processor has lanes, two chains of products in each.
//!
//! A slot holds `x 2^256` and `y 2^256`, as ark-ff does. Chords keep that form with products that divide by `2^260`: a batch's
//! inverses come with a factor that makes the slope `slope 2^258`. Its square over `2^260` is `slope^2 2^256`; and its product
//! with `4 x 2^256`, over `2^260`, is `slope x 2^256`. So a point enters as it is.

use zeroize::Zeroize;

use super::{Adder, BATCH, add_exceptional};
use crate::cpu::lanes::{Coordinate, Kernel, Lanes, MAX_LANES, invert_all, prefetch};

/// Vectors whose slots are fetched ahead of their use.
const AHEAD: usize = 2;

/// An affine point in one line of the cache, in G1; at infinity `x` is marked.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(in crate::cpu) struct Slot<R> {
    x: R,
    y: R,
}

impl<R: Zeroize> Zeroize for Slot<R> {
    fn zeroize(&mut self) {
        self.x.zeroize();
        self.y.zeroize();
    }
}

pub(in crate::cpu) struct Vector<L: Lanes, F: Coordinate> {
    lanes: L,
    /// Per vector of pairs: the products of the differences before it in its chains.
    before: Vec<F::Tight<L>>,
    /// Pairs without a chord.
    exceptional: Vec<[u32; 2]>,
}

impl<L: Lanes, F: Coordinate> Vector<L, F> {
    pub(in crate::cpu) fn new(lanes: L) -> Self {
        Self { lanes, before: Vec::with_capacity(BATCH.div_ceil(L::LANES)), exceptional: Vec::new() }
    }
}

impl<L: Lanes, F: Coordinate> Adder for Vector<L, F> {
    type Field = F;
    type Slot = Slot<F::Row>;

    const INFINITY: Self::Slot = Slot { x: F::MARK, y: F::MARK };

    #[inline(always)]
    fn enter(&self, x: F, y: F, negative: u32) -> Self::Slot {
        if y.is_zero() {
            return Self::INFINITY;
        }
        Slot { x: x.row(), y: y.signed(negative).row() }
    }

    #[inline(always)]
    fn leave(&self, slot: &Self::Slot) -> Option<(F, F)> {
        (slot.x != F::MARK).then(|| (F::from_row(&slot.x), F::from_row(&slot.y)))
    }

    fn add(&mut self, slots: &mut [Self::Slot], pairs: &[[u32; 2]]) {
        self.before.clear();
        self.exceptional.clear();
        let (before, exceptional) = (&mut self.before, &mut self.exceptional);
        self.lanes.vectorize(AddBatch::<L, F> { lanes: self.lanes, slots, pairs, before, exceptional });
        for pair in core::mem::take(&mut self.exceptional) {
            add_exceptional(self, slots, pair);
        }
    }
}

impl<L: Lanes, F: Coordinate> Drop for Vector<L, F> {
    /// Vectors have no `Zeroize`: they are overwritten with ones, which the compiler must believe to be read.
    fn drop(&mut self) {
        let one = F::split(self.lanes, &F::splat(self.lanes, &F::ONE.row()));
        self.before.fill(one);
        core::hint::black_box(&self.before);
    }
}

/// All pairs of a batch that have a chord; the others are put aside.
struct AddBatch<'a, L: Lanes, F: Coordinate> {
    lanes: L,
    slots: &'a mut [Slot<F::Row>],
    pairs: &'a [[u32; 2]],
    before: &'a mut Vec<F::Tight<L>>,
    exceptional: &'a mut Vec<[u32; 2]>,
}

impl<L: Lanes, F: Coordinate> AddBatch<'_, L, F> {
    /// A coordinate of one side of a vector of pairs. Lanes beyond the last pair repeat it.
    #[inline(always)]
    fn load(&self, pairs: &[[u32; 2]], side: usize, coordinate: fn(&Slot<F::Row>) -> &F::Row) -> F::Words<L> {
        let row = |i: usize| coordinate(&self.slots[pairs[i.min(pairs.len() - 1)][side] as usize]);
        let mut rows = [row(0); MAX_LANES];
        for (i, place) in rows.iter_mut().enumerate().take(L::LANES).skip(1) {
            *place = row(i);
        }
        F::load(self.lanes, &rows)
    }

    /// The x-coordinates of a vector of pairs, and which lanes have no chord: these get `0` and `1`, whose difference has an
    /// inverse. Lanes beyond the last pair have none either.
    #[inline(always)]
    fn load_x(&self, pairs: &[[u32; 2]]) -> (F::Words<L>, F::Words<L>, u32) {
        let lanes = self.lanes;
        let (p, q) = (self.load(pairs, 0, |slot| &slot.x), self.load(pairs, 1, |slot| &slot.x));
        let absent = (1u32 << L::LANES) - (1u32 << pairs.len());
        let without = F::equal(lanes, &p, &q) | F::marked(lanes, &p) | F::marked(lanes, &q) | absent;
        if without == 0 {
            return (p, q, 0);
        }
        let zero = F::splat(lanes, &F::ZERO.row());
        let one = F::splat(lanes, &F::ONE.row());
        (F::select(lanes, without, &p, &zero), F::select(lanes, without, &q, &one), without)
    }

    #[inline(always)]
    fn load_y(&self, pairs: &[[u32; 2]]) -> (F::Words<L>, F::Words<L>) {
        (self.load(pairs, 0, |slot| &slot.y), self.load(pairs, 1, |slot| &slot.y))
    }
}

impl<L: Lanes, F: Coordinate> Kernel for AddBatch<'_, L, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let lanes = self.lanes;
        let one = F::split(lanes, &F::splat(lanes, &F::ONE.row()));
        let mut products = [one; 2];
        for (i, pairs) in self.pairs.chunks(L::LANES).enumerate() {
            for &[into, from] in self.pairs.iter().skip((i + AHEAD) * L::LANES).take(L::LANES) {
                prefetch(&self.slots[into as usize]);
                prefetch(&self.slots[from as usize]);
            }
            let (p, q, without) = self.load_x(pairs);
            if without != 0 {
                let lacking = pairs.iter().enumerate().filter(|(i, _)| without >> i & 1 == 1);
                self.exceptional.extend(lacking.map(|(_, pair)| *pair));
            }
            let difference = F::minus(lanes, &F::split(lanes, &q), &F::split(lanes, &p));
            let product = &mut products[i & 1];
            self.before.push(*product);
            *product = F::times(lanes, &difference, product);
        }

        // Products are integers r below p for which ark-ff has the element r / 2^256: its inverse is 2^512 / r. For
        // products that divide by 2^260 it would be 2^520 / r, and wanted is a quarter of that.
        let mut elements = [F::ONE; 2 * MAX_LANES];
        for (side, product) in products.iter().enumerate() {
            let rows = F::store(lanes, &F::join(lanes, &F::loose(lanes, product)));
            for i in 0..L::LANES {
                elements[side * L::LANES + i] = F::from_row(&rows[i]);
            }
        }
        invert_all(&mut elements[..2 * L::LANES]);
        let mut inverses = [one; 2];
        for (side, inverse) in inverses.iter_mut().enumerate() {
            let mut rows = [F::ONE.row(); MAX_LANES];
            for i in 0..L::LANES {
                rows[i] = elements[side * L::LANES + i].row();
            }
            *inverse = F::split(lanes, &F::load(lanes, &rows.each_ref()));
        }

        for (i, pairs) in self.pairs.chunks(L::LANES).enumerate().rev() {
            let (px, qx, without) = self.load_x(pairs);
            let (py, qy) = self.load_y(pairs);
            let (px, qx) = (F::split(lanes, &px), F::split(lanes, &qx));
            let (py, qy) = (F::split(lanes, &py), F::split(lanes, &qy));
            let difference = F::minus(lanes, &qx, &px);
            let inverse = &mut inverses[i & 1];
            let own = F::times(lanes, &F::loose(lanes, inverse), &self.before[i]);
            *inverse = F::times(lanes, &difference, inverse);
            let slope = F::times(lanes, &F::minus(lanes, &qy, &py), &own);
            let x = F::join(lanes, &F::minus_both(lanes, &F::squared(lanes, &slope), &px, &qx));
            let fall = F::four_times_minus(lanes, &px, &F::split(lanes, &x));
            let y = F::times(lanes, &fall, &slope);
            let y = F::join(lanes, &F::minus(lanes, &y, &py));
            let (x, y) = (F::store(lanes, &x), F::store(lanes, &y));
            for (i, &[into, _]) in pairs.iter().enumerate() {
                if without >> i & 1 == 0 {
                    self.slots[into as usize] = Slot { x: x[i], y: y[i] };
                }
            }
        }
    }
}
