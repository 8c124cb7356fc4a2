//! Affine points that are added by the batch: every addition shares its inversion with the others, 5 multiplications, 1
//! square and a small part of an inversion. Source: Montgomery 1987, section 10.3.1.
//!
//! For curves `y^2 = x^3 + b` whose points used here have odd order: none has `y = 0`. What adds two points is an [`Adder`]:
//! [`Portable`] or [`Vector`]. The rest does not know which.

mod buckets;
mod portable;
mod vector;

use ark_ec::AffineRepr;
use ark_ec::short_weierstrass::{Affine, Projective, SWCurveConfig};
use ark_ff::{AdditiveGroup, Zero};
use zeroize::Zeroize;

pub(super) use self::{
    buckets::{Buckets, Pairs, Shape},
    portable::Portable,
    vector::Vector,
};
use crate::cpu::lanes::Coordinate;

/// Additions that share one inversion.
const BATCH: usize = 1 << 11;
/// Projective additions in the time of an inversion.
const PROJECTIVE_AN_INVERSION: usize = 6;

/// Adds points in a form of its own.
pub(super) trait Adder {
    /// The field of coordinates.
    type Field: Coordinate;
    /// A point in memory.
    type Slot: Copy + Zeroize + Send + Sync;

    /// The neutral element.
    const INFINITY: Self::Slot;

    /// How many additions take as long as an inversion of its own would.
    const INVERSION: usize;

    /// The slot of a point, or of the opposite one if `negative` is 1, without a branch on it. Infinity has zeros for `x` and `y`.
    fn enter(&self, x: Self::Field, y: Self::Field, negative: u32) -> Self::Slot;

    /// The coordinates of a slot; `None` at infinity.
    fn leave(&self, slot: &Self::Slot) -> Option<(Self::Field, Self::Field)>;

    /// `slots[into] += slots[from]` for up to [`BATCH`] pairs; no slot may be both, nor be added to twice.
    fn add(&mut self, slots: &mut [Self::Slot], pairs: &[[u32; 2]]);

    /// `slots[into] += points[entry / 2]` for up to [`BATCH`] pairs of `into` and `entry`, or `-=` where `entry` is odd; no slot
    /// may be added to twice.
    fn add_points(&mut self, slots: &mut [Self::Slot], points: &[PackedOf<Self>], pairs: &[[u32; 2]]);
}

/// The points that an adder takes.
pub(super) type PackedOf<A> = <<A as Adder>::Field as Coordinate>::Packed;

/// The sum of two points that may be equal, opposite or infinity (`None`).
#[cold]
fn add_exceptional<F: Coordinate>(p: Option<(F, F)>, q: Option<(F, F)>) -> Option<(F, F)> {
    let (Some(p), Some(q)) = (p, q) else { return p.or(q) };
    let (rise, run) = match p {
        _ if p.0 != q.0 => (q.1 - p.1, q.0 - p.0),
        _ if p == q => (p.0.square() * F::from(3u64), p.1.double()),
        _ => return None,
    };
    let slope = rise * run.invert::<0>().expect("another x, or no point with y = 0");
    let x = slope.square() - p.0 - q.0;
    Some((x, slope * (p.0 - x) - p.1))
}

/// Slots, and pairs of them to be added.
pub(super) struct Slots<A: Adder> {
    pub(super) adder: A,
    pub(super) slots: Vec<A::Slot>,
    /// `slots[into] += slots[from]`.
    pub(super) pairs: Vec<[u32; 2]>,
    /// The most of them that there were at once.
    most_pairs: usize,
}

impl<A: Adder> Slots<A> {
    /// Takes these slots; `n_pairs` is how many pairs are usual.
    pub(super) fn new(adder: A, slots: Vec<A::Slot>, n_pairs: usize) -> Self {
        Self { adder, slots, pairs: Vec::with_capacity(n_pairs), most_pairs: 0 }
    }

    /// The point in a slot, for ark-ec.
    pub(super) fn point<C: SWCurveConfig<BaseField = A::Field>>(&self, slot: usize) -> Affine<C> {
        match self.adder.leave(&self.slots[slot]) {
            Some((x, y)) => Affine::new_unchecked(x, y),
            None => Affine::zero(),
        }
    }

    /// Makes slots at infinity, until there are so many. There must be room: where buckets lay before nobody would erase them.
    fn grow(&mut self, n_slots: usize) {
        assert!(n_slots <= self.slots.capacity(), "room was made for all slots");
        if n_slots > self.slots.len() {
            self.slots.resize(n_slots, A::INFINITY);
        }
    }

    /// Adds all pairs. No slot may be in two of them, unless only read.
    pub(super) fn flush(&mut self) {
        for pairs in self.pairs.chunks(BATCH) {
            self.adder.add(&mut self.slots, pairs);
        }
        self.most_pairs = self.most_pairs.max(self.pairs.len());
        self.pairs.clear();
    }

    /// Adds up every run of slots by a binary tree: `ends` are the ends of consecutive runs from slot `first` on, and a run's
    /// sum is left in its first slot.
    pub(super) fn add_runs(&mut self, first: u32, ends: &[u32]) {
        let mut crowded = Vec::new();
        let mut start = first;
        for end in ends {
            let end = first + end;
            if end - start > 1 {
                crowded.push((start, end));
            }
            start = end;
        }
        let mut stride = 1;
        while !crowded.is_empty() {
            for &(start, end) in &crowded {
                let mut into = start;
                while into + stride < end {
                    self.pairs.push([into, into + stride]);
                    into += 2 * stride;
                }
            }
            self.flush();
            stride *= 2;
            crowded.retain(|(start, end)| end - start > stride);
        }
    }

    /// `sum_m m B_m` for each row of buckets `B_0 ..= B_top`, one row behind the other from slot 0 on; `top` is a power of two. The
    /// buckets are lost, and so are [`n_segments`] slots a row from `behind` on.
    ///
    /// Over segments `s` of `len` buckets each, of which `B_1` begins the first: with `R_s` the plain and `S_s` the weighted sum
    /// inside of a segment, `sum_s S_s + len * sum_s s R_s`. All rows take a step together, so they share its inversion.
    pub(super) fn weighted_sums<C: SWCurveConfig<BaseField = A::Field>>(
        &mut self,
        n_rows: usize,
        top: usize,
        behind: usize,
    ) -> Vec<Projective<C>> {
        let n_segments = n_segments(n_rows, top, A::INVERSION);
        let len = top / n_segments;
        let firsts: Vec<u32> = (0..n_rows)
            .flat_map(|row| (0..n_segments).map(move |segment| (row * (top + 1) + 1 + segment * len) as u32))
            .collect();
        if len > 1 {
            let weighted = || behind as u32..(behind + firsts.len()) as u32;
            self.grow(behind + firsts.len());
            for (weighted, first) in weighted().zip(&firsts) {
                self.slots[weighted as usize] = self.slots[*first as usize + len - 1];
            }
            // The sum of the buckets from one on takes its place, and the sum of such sums lies behind. One step of either
            // reads the same slot and writes another.
            for step in (0..len as u32 - 1).rev() {
                self.pairs.extend(firsts.iter().map(|first| [first + step, first + step + 1]));
                if step + 2 < len as u32 {
                    self.pairs.extend(weighted().zip(&firsts).map(|(slot, first)| [slot, first + step + 1]));
                }
                self.flush();
            }
            self.pairs.extend(weighted().zip(&firsts).map(|(slot, first)| [slot, *first]));
            self.flush();
            let ends: Vec<u32> = (1..=n_rows).map(|row| (row * n_segments) as u32).collect();
            self.add_runs(behind as u32, &ends);
        }
        let row = |(row, firsts): (usize, &[u32])| {
            let (mut tail, mut scaled) = (Projective::zero(), Projective::zero());
            for first in firsts.iter().rev() {
                scaled += tail;
                tail += self.point::<C>(*first as usize);
            }
            for _ in 0..len.trailing_zeros() {
                scaled.double_in_place();
            }
            scaled + if len > 1 { self.point::<C>(behind + row * n_segments).into() } else { tail }
        };
        firsts.chunks(n_segments).enumerate().map(row).collect()
    }
}

impl<A: Adder> Drop for Slots<A> {
    fn drop(&mut self) {
        for slot in &mut self.slots {
            slot.zeroize();
        }
        // Only what was written, so that memory that was never touched is not fetched for this.
        self.pairs.resize(self.most_pairs.max(self.pairs.len()), [0; 2]);
        self.pairs.as_flattened_mut().zeroize();
    }
}

/// What the weighted sums of rows of `top` buckets cost in so many segments each where an inversion takes as long as `inversion`
/// additions, in additions.
fn cost_in_segments(n_rows: usize, top: usize, n_segments: usize, inversion: usize) -> usize {
    let projective = 2 * n_rows * n_segments * inversion / PROJECTIVE_AN_INVERSION;
    match top / n_segments {
        1 => projective,
        len => {
            let n_additions = n_rows * (2 * top - n_segments);
            let n_inversions = len + n_segments.ilog2() as usize + n_additions / BATCH;
            projective + n_additions + inversion * n_inversions
        }
    }
}

/// The number of segments in which rows of `top` buckets are summed at the least cost: a power of two, as `top` is.
fn n_segments(n_rows: usize, top: usize, inversion: usize) -> usize {
    let numbers = (0..=top.ilog2()).map(|log_n| 1 << log_n);
    numbers.min_by_key(|n| cost_in_segments(n_rows, top, *n, inversion)).expect("at least one")
}

/// What the weighted sums of rows of `top` buckets cost where an inversion takes as long as `inversion` additions, in additions.
fn weighted_sums_cost(n_rows: usize, top: usize, inversion: usize) -> usize {
    cost_in_segments(n_rows, top, n_segments(n_rows, top, inversion), inversion)
}
