//! Additions in the lanes: as many side by side as the processor has lanes, two chains of products in each.
//!
//! A slot holds `x 2^256` and `y 2^256`, as ark-ff does. Chords keep that form with products that divide by `2^260`: a batch's
//! inverses come with a factor that makes the slope `slope 2^258`. Its square over `2^260` is `slope^2 2^256`; and its product
//! with `4 x 2^256`, over `2^260`, is `slope x 2^256`. So a point is added from where it lies.

use zeroize::Zeroize;

use super::{Adder, BATCH, add_exceptional};
use crate::cpu::lanes::{Coordinate, Kernel, Lanes, MAX_LANES, invert_all, prefetch};

/// Vectors whose slots are fetched ahead of their use.
const AHEAD: usize = 2;

/// An affine point in one line of the cache, in G1; infinity is all zeros.
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

/// What the way back needs of a vector of pairs.
#[derive(Clone, Copy)]
struct Chord<L: Lanes, F: Coordinate> {
    /// The product of the differences before it in its chain.
    before: F::Tight<L>,
    /// The x-coordinate of the slot that is added to.
    x: F::Tight<L>,
    /// What the other one's has more; one in lanes that are left out.
    difference: F::Loose<L>,
    left_out: u32,
}

impl<L: Lanes, F: Coordinate> Chord<L, F> {
    fn of_ones(lanes: L) -> Self {
        let one = F::split(lanes, &F::splat(lanes, &F::ONE.row()));
        Self { before: one, x: one, difference: F::loose(lanes, &one), left_out: 0 }
    }
}

pub(in crate::cpu) struct Vector<L: Lanes, F: Coordinate> {
    lanes: L,
    chords: Vec<Chord<L, F>>,
    /// Pairs that may have no chord.
    exceptional: Vec<[u32; 2]>,
}

impl<L: Lanes, F: Coordinate> Vector<L, F> {
    pub(in crate::cpu) fn new(lanes: L) -> Self {
        Self { lanes, chords: Vec::with_capacity(BATCH.div_ceil(L::LANES)), exceptional: Vec::new() }
    }

    fn add_all(&mut self, slots: &mut [Slot<F::Row>], pairs: &[[u32; 2]], others: impl Others<F>) {
        if pairs.is_empty() {
            return;
        }
        let n_vectors = pairs.len().div_ceil(L::LANES);
        if self.chords.len() < n_vectors {
            self.chords.resize(n_vectors, Chord::of_ones(self.lanes));
        }
        self.exceptional.clear();
        let mut tail = [pairs[0]; MAX_LANES];
        let rest = &pairs[(n_vectors - 1) * L::LANES..];
        tail[..rest.len()].copy_from_slice(rest);
        let (chords, exceptional) = (&mut self.chords[..n_vectors], &mut self.exceptional);
        self.lanes.vectorize(AddBatch {
            lanes: self.lanes,
            slots,
            pairs,
            tail: &tail,
            others,
            chords,
            exceptional,
        });
        for &[into, from] in &self.exceptional {
            let (x, y) = others.get(slots, from);
            let (x, y) = (F::from_row(x), F::from_row(y).signed(others.sign(from)));
            let sum = match self.leave(&slots[into as usize]) {
                // By far the most: the first point of a bucket.
                None => Some((x, y)),
                p => add_exceptional(p, (!y.is_zero()).then_some((x, y))),
            };
            slots[into as usize] = sum.map_or(Self::INFINITY, |(x, y)| Slot { x: x.row(), y: y.row() });
        }
    }
}

impl<L: Lanes, F: Coordinate> Adder for Vector<L, F> {
    type Field = F;
    type Slot = Slot<F::Row>;

    const INFINITY: Self::Slot = Slot { x: F::ZERO_ROW, y: F::ZERO_ROW };
    const INVERSION: usize = L::INVERSION;

    #[inline(always)]
    fn enter(&self, x: F, y: F, negative: u32) -> Self::Slot {
        Slot { x: x.row(), y: y.signed(negative).row() }
    }

    #[inline(always)]
    fn leave(&self, slot: &Self::Slot) -> Option<(F, F)> {
        let y = F::from_row(&slot.y);
        (!y.is_zero()).then(|| (F::from_row(&slot.x), y))
    }

    fn add(&mut self, slots: &mut [Self::Slot], pairs: &[[u32; 2]]) {
        self.add_all(slots, pairs, OfSlots);
    }

    fn add_points(&mut self, slots: &mut [Self::Slot], points: &[F::Packed], pairs: &[[u32; 2]]) {
        self.add_all(slots, pairs, OfPoints(points));
    }
}

impl<L: Lanes, F: Coordinate> Drop for Vector<L, F> {
    /// Vectors have no `Zeroize`: they are overwritten with ones, which the compiler must believe to be read.
    fn drop(&mut self) {
        self.chords.fill(Chord::of_ones(self.lanes));
        core::hint::black_box(&self.chords);
    }
}

/// Where the second point of a pair lies.
trait Others<F: Coordinate>: Copy {
    /// Whether any may have the sign `1`.
    const SIGNED: bool;

    fn get<'a>(&'a self, slots: &'a [Slot<F::Row>], from: u32) -> (&'a F::Row, &'a F::Row);

    /// 1 if the point is to be subtracted.
    fn sign(&self, from: u32) -> u32;

    fn prefetch(&self, slots: &[Slot<F::Row>], from: u32);
}

/// In the slots.
#[derive(Clone, Copy)]
struct OfSlots;

impl<F: Coordinate> Others<F> for OfSlots {
    const SIGNED: bool = false;

    #[inline(always)]
    fn get<'a>(&'a self, slots: &'a [Slot<F::Row>], from: u32) -> (&'a F::Row, &'a F::Row) {
        let slot = &slots[from as usize];
        (&slot.x, &slot.y)
    }

    #[inline(always)]
    fn sign(&self, _: u32) -> u32 {
        0
    }

    #[inline(always)]
    fn prefetch(&self, slots: &[Slot<F::Row>], from: u32) {
        prefetch(slots.as_ptr().wrapping_add(from as usize));
    }
}

/// Outside of them, with a sign.
#[derive(Clone, Copy)]
struct OfPoints<'p, P>(&'p [P]);

impl<F: Coordinate> Others<F> for OfPoints<'_, F::Packed> {
    const SIGNED: bool = true;

    #[inline(always)]
    fn get<'a>(&'a self, _: &'a [Slot<F::Row>], from: u32) -> (&'a F::Row, &'a F::Row) {
        F::coordinates(&self.0[(from >> 1) as usize])
    }

    #[inline(always)]
    fn sign(&self, from: u32) -> u32 {
        from & 1
    }

    #[inline(always)]
    fn prefetch(&self, _: &[Slot<F::Row>], from: u32) {
        prefetch(self.0.as_ptr().wrapping_add((from >> 1) as usize));
    }
}

/// All pairs of a batch that have a chord; the others are put aside.
struct AddBatch<'a, L: Lanes, F: Coordinate, O> {
    lanes: L,
    slots: &'a mut [Slot<F::Row>],
    pairs: &'a [[u32; 2]],
    /// The last vector of the pairs. Lanes beyond the last pair repeat one.
    tail: &'a [[u32; 2]],
    others: O,
    chords: &'a mut [Chord<L, F>],
    exceptional: &'a mut Vec<[u32; 2]>,
}

impl<'a, L: Lanes, F: Coordinate, O: Others<F>> AddBatch<'a, L, F, O> {
    /// Vector `i` of the pairs: one a lane.
    #[inline(always)]
    fn vector(&self, i: usize) -> &'a [[u32; 2]] {
        let lanes = i * L::LANES..(i + 1) * L::LANES;
        self.pairs.get(lanes).unwrap_or(&self.tail[..L::LANES])
    }

    /// One row of each pair of a vector.
    #[inline(always)]
    fn load<'r>(lanes: L, pairs: &[[u32; 2]], row: impl Fn([u32; 2]) -> &'r F::Row) -> F::Tight<L>
    where
        F::Row: 'r,
    {
        let mut rows = [row(pairs[0]); MAX_LANES];
        for lane in 1..L::LANES {
            rows[lane] = row(pairs[lane]);
        }
        F::split(lanes, &F::load(lanes, &rows))
    }

    /// Notes the x-coordinates of vector `i` for the way back.
    #[inline(always)]
    fn begin_chord(&mut self, i: usize) {
        let lanes = self.lanes;
        let pairs = self.vector(i);
        let x = Self::load(lanes, pairs, |[into, _]| &self.slots[into as usize].x);
        let other = Self::load(lanes, pairs, |[_, from]| self.others.get(self.slots, from).0);
        let difference = F::minus(lanes, &other, &x);
        let n_pairs = L::LANES.min(self.pairs.len() - i * L::LANES);
        let absent = (1u32 << L::LANES) - (1u32 << n_pairs);
        // Infinity has x = 0; so have few other points, for which the exceptional way is as good.
        let left_out = F::may_be_zero(lanes, &difference)
            | F::lowest_is_zero(lanes, &x)
            | F::lowest_is_zero(lanes, &other)
            | absent;
        let chord = &mut self.chords[i];
        (chord.x, chord.difference, chord.left_out) = (x, difference, left_out);
        if left_out != 0 {
            let one = F::loose(lanes, &F::split(lanes, &F::splat(lanes, &F::ONE.row())));
            chord.difference = F::select(lanes, left_out, &difference, &one);
            let lacking = (0..n_pairs).filter(|lane| left_out >> lane & 1 == 1);
            self.exceptional.extend(lacking.map(|lane| self.pairs[i * L::LANES + lane]));
        }
    }
}

impl<L: Lanes, F: Coordinate, O: Others<F>> Kernel for AddBatch<'_, L, F, O> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        let lanes = self.lanes;
        let one = F::split(lanes, &F::splat(lanes, &F::ONE.row()));
        let mut products = [one; 2];
        for i in 0..self.chords.len() {
            for &[into, from] in self.vector(i + AHEAD) {
                prefetch(self.slots.as_ptr().wrapping_add(into as usize));
                self.others.prefetch(self.slots, from);
            }
            self.begin_chord(i);
            let (product, chord) = (&mut products[i & 1], &mut self.chords[i]);
            chord.before = *product;
            *product = F::times_loose(lanes, &chord.difference, product);
        }

        // Products are integers r for which ark-ff has the element r / 2^256: its inverse is 2^512 / r. For products that
        // divide by 2^260 it would be 2^520 / r, and wanted is a quarter of that.
        let mut elements = [F::ONE; 2 * MAX_LANES];
        for (side, product) in products.iter().enumerate() {
            let rows = F::store(lanes, &F::join(lanes, &F::reduced(lanes, &F::loose(lanes, product))));
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

        for (i, chord) in self.chords.iter().enumerate().rev() {
            let pairs = self.vector(i);
            let inverse = &mut inverses[i & 1];
            let own = F::times(lanes, inverse, &chord.before);
            *inverse = F::times_loose(lanes, &chord.difference, inverse);
            let y = Self::load(lanes, pairs, |[into, _]| &self.slots[into as usize].y);
            let other = Self::load(lanes, pairs, |[_, from]| self.others.get(self.slots, from).1);
            let rise = if O::SIGNED {
                let signs = pairs.iter().enumerate();
                let negative = signs.fold(0, |all, (lane, [_, from])| all | self.others.sign(*from) << lane);
                F::signed_minus(lanes, negative, &other, &y)
            } else {
                F::minus(lanes, &other, &y)
            };
            let slope = F::times_loose(lanes, &rise, &own);
            let taken = F::negated_twice_and(lanes, &chord.x, &chord.difference);
            let x = F::reduced(lanes, &F::squared_add(lanes, &slope, &taken));
            let fall = F::four_times_minus(lanes, &chord.x, &x);
            let y = F::reduced(lanes, &F::times_add(lanes, &fall, &slope, &F::negated(lanes, &y)));
            let (x, y) = (F::store(lanes, &F::join(lanes, &x)), F::store(lanes, &F::join(lanes, &y)));
            for lane in 0..L::LANES {
                if chord.left_out >> lane & 1 == 0 {
                    self.slots[pairs[lane][0] as usize] = Slot { x: x[lane], y: y[lane] };
                }
            }
        }
    }
}
