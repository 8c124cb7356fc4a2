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
use ark_ff::{AdditiveGroup, Field, Zero};
use zeroize::Zeroize;

pub(super) use self::{
    buckets::{Buckets, buckets_cost},
    portable::Portable,
    vector::Vector,
};
use crate::cpu::lanes::Coordinate;

/// Additions that share one inversion.
const BATCH: usize = 1 << 11;
/// Up to so many buckets, projective running sums are cheaper than batches.
const FEW_BUCKETS: usize = 128;
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
fn add_exceptional<F: Field>(p: Option<(F, F)>, q: Option<(F, F)>) -> Option<(F, F)> {
    let (Some(p), Some(q)) = (p, q) else { return p.or(q) };
    let (rise, run) = match p {
        _ if p.0 != q.0 => (q.1 - p.1, q.0 - p.0),
        _ if p == q => (p.0.square() * F::from(3u64), p.1.double()),
        _ => return None,
    };
    let slope = rise * run.inverse().expect("another x, or no point with y = 0");
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

    /// `sum_m m B_m` for the `top` buckets from slot `first` on, `B_1` first. Writes from slot `behind` on, twice as
    /// many slots as [`segments`] says.
    ///
    /// Over segments `s` of `len` buckets each: with `R_s` the plain and `S_s` the weighted sum inside of a segment,
    /// `sum_s S_s + len * sum_s s R_s`.
    pub(super) fn weighted_sum<C: SWCurveConfig<BaseField = A::Field>>(
        &mut self,
        first: usize,
        top: usize,
        behind: usize,
    ) -> Projective<C> {
        let mut sum = Projective::zero();
        if top <= FEW_BUCKETS {
            let mut running = Projective::zero();
            for bucket in (first..first + top).rev() {
                running += self.point::<C>(bucket);
                sum += running;
            }
            return sum;
        }
        let (n_segments, len) = segments(top);
        let (running, weighted) = (behind, behind + n_segments);
        self.grow(weighted + n_segments);
        for step in (0..len).rev() {
            let bucket = |segment: usize| first + segment * len + step;
            if step + 1 == len {
                for segment in 0..n_segments {
                    self.slots[running + segment] = self.slots[bucket(segment)];
                    self.slots[weighted + segment] = self.slots[bucket(segment)];
                }
                continue;
            }
            self.pairs.extend((0..n_segments).map(|s| [(running + s) as u32, bucket(s) as u32]));
            self.flush();
            self.pairs.extend((0..n_segments).map(|s| [(weighted + s) as u32, (running + s) as u32]));
            self.flush();
        }
        let (mut tail, mut scaled) = (Projective::zero(), Projective::zero());
        for segment in (0..n_segments).rev() {
            sum += self.point::<C>(weighted + segment);
            scaled += tail;
            tail += self.point::<C>(running + segment);
        }
        for _ in 0..len.trailing_zeros() {
            scaled.double_in_place();
        }
        sum + scaled
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

/// What the weighted sum of `top` buckets costs where an inversion takes as long as `inversion` additions, in additions.
fn weighted_sum_cost(top: usize, inversion: usize) -> usize {
    let projective = |n: usize| n * inversion / PROJECTIVE_AN_INVERSION;
    if top <= FEW_BUCKETS {
        return projective(2 * top);
    }
    let (n_segments, len) = segments(top);
    2 * top + inversion * 2 * (len - 1) + projective(3 * n_segments)
}

/// Number and length (a power of two) of the segments that `top` buckets are summed in.
fn segments(top: usize) -> (usize, usize) {
    let n_segments = (top / 16).clamp(1, 512);
    (n_segments, top / n_segments)
}
