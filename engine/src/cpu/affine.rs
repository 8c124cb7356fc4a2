//! Affine points that are added by the batch: every addition shares its inversion with the others, 5 multiplications, 1
//! square and a small part of an inversion. Source: Montgomery 1987, section 10.3.1.
//!
//! For curves `y^2 = x^3 + b` whose points used here have odd order: none has `y = 0`.

use ark_ec::AffineRepr;
use ark_ec::short_weierstrass::{Affine, Projective, SWCurveConfig};
use ark_ff::{AdditiveGroup, Field, Zero};
use zeroize::Zeroize;

/// Additions that share one inversion.
const BATCH: usize = 1 << 11;
/// Up to so many buckets, projective running sums are cheaper than batches.
pub(super) const FEW_BUCKETS: usize = 256;

/// An affine point; infinity has `y = 0`, as no point of odd order has.
#[derive(Clone, Copy)]
pub(super) struct Slot<F> {
    pub(super) x: F,
    pub(super) y: F,
}

impl<F: Field> Slot<F> {
    pub(super) const INFINITY: Self = Self { x: F::ZERO, y: F::ZERO };

    pub(super) fn to_point<C: SWCurveConfig<BaseField = F>>(self) -> Affine<C> {
        if self.y.is_zero() { Affine::zero() } else { Affine::new_unchecked(self.x, self.y) }
    }
}

/// Slots, and pairs of them to be added.
pub(super) struct Slots<F: Field> {
    pub(super) slots: Vec<Slot<F>>,
    /// `slots[into] += slots[from]`.
    pub(super) pairs: Vec<[u32; 2]>,
    adder: Adder<F>,
}

impl<F: Field> Slots<F> {
    /// Takes these slots; `n_pairs` is how many pairs are usual.
    pub(super) fn new(slots: Vec<Slot<F>>, n_pairs: usize) -> Self {
        Self { slots, pairs: Vec::with_capacity(n_pairs), adder: Adder { chains: Vec::with_capacity(BATCH) } }
    }

    /// Adds all pairs. No slot may be in two of them, unless only read.
    pub(super) fn flush(&mut self) {
        for pairs in self.pairs.chunks(BATCH) {
            self.adder.add(&mut self.slots, pairs);
        }
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

    /// `sum_m m B_m` for the `top` buckets from slot `first` on, `B_1` first. Writes behind slot `behind`, where there must be
    /// twice as many slots as [`segments`] says.
    ///
    /// Over segments `s` of `len` buckets each: with `R_s` the plain and `S_s` the weighted sum inside of a segment,
    /// `sum_s S_s + len * sum_s s R_s`.
    pub(super) fn weighted_sum<C: SWCurveConfig<BaseField = F>>(
        &mut self,
        first: usize,
        top: usize,
        behind: usize,
    ) -> Projective<C> {
        let mut sum = Projective::zero();
        if top <= FEW_BUCKETS {
            let mut running = Projective::zero();
            for bucket in self.slots[first..first + top].iter().rev() {
                running += bucket.to_point();
                sum += running;
            }
            return sum;
        }
        let (n_segments, len) = segments(top);
        let (running, weighted) = (behind, behind + n_segments);
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
            sum += self.slots[weighted + segment].to_point();
            scaled += tail;
            tail += self.slots[running + segment].to_point();
        }
        for _ in 0..len.trailing_zeros() {
            scaled.double_in_place();
        }
        sum + scaled
    }
}

impl<F: Field> Drop for Slots<F> {
    fn drop(&mut self) {
        for slot in &mut self.slots {
            slot.x.zeroize();
            slot.y.zeroize();
        }
        self.pairs.zeroize();
    }
}

/// Number and length (a power of two) of the segments that `top` buckets are summed in.
pub(super) fn segments(top: usize) -> (usize, usize) {
    let n_segments = (top / 16).clamp(1, 512);
    (n_segments, top / n_segments)
}

/// Affine additions with a shared inversion.
struct Adder<F: Field> {
    /// Per pair: the product of the differences before it in its chain, and its own difference `x_from - x_into`.
    chains: Vec<(F, F)>,
}

impl<F: Field> Adder<F> {
    /// `slots[into] += slots[from]` for every pair; no slot may be both, nor be added to twice.
    ///
    /// Even and odd pairs form two chains of products, so that one multiplication need not wait for
    /// another. Equal points, opposite points and infinity are added one at a time.
    fn add(&mut self, slots: &mut [Slot<F>], pairs: &[[u32; 2]]) {
        self.chains.clear();
        let mut products = [F::ONE; 2];
        for (i, &[into, from]) in pairs.iter().enumerate() {
            let (p, q) = (slots[into as usize], slots[from as usize]);
            let mut difference = q.x - p.x;
            if difference.is_zero() | p.y.is_zero() | q.y.is_zero() {
                slots[into as usize] = add_exceptional(p, q);
                // A zero difference tells the way back that the sum is there already.
                difference = F::ZERO;
                self.chains.push((F::ZERO, difference));
            } else {
                let product = &mut products[i & 1];
                self.chains.push((*product, difference));
                *product *= difference;
            }
        }
        let inverse = (products[0] * products[1]).inverse().expect("a product of non-zero elements");
        let mut inverses = [inverse * products[1], inverse * products[0]];
        for (i, (&[into, from], (before, difference))) in pairs.iter().zip(&self.chains).enumerate().rev() {
            if difference.is_zero() {
                continue;
            }
            let (p, q) = (slots[into as usize], slots[from as usize]);
            let inverse = &mut inverses[i & 1];
            let slope = (q.y - p.y) * (*inverse * before);
            *inverse *= difference;
            let x = slope.square() - p.x - q.x;
            slots[into as usize] = Slot { x, y: slope * (p.x - x) - p.y };
        }
    }
}

impl<F: Field> Drop for Adder<F> {
    fn drop(&mut self) {
        for (before, difference) in &mut self.chains {
            before.zeroize();
            difference.zeroize();
        }
    }
}

/// `p + q` where the chord does not exist: one of them is infinity, or their x-coordinates are equal.
#[cold]
fn add_exceptional<F: Field>(p: Slot<F>, q: Slot<F>) -> Slot<F> {
    if p.y.is_zero() {
        return q;
    }
    if q.y.is_zero() {
        return p;
    }
    if p.y != q.y {
        return Slot::INFINITY;
    }
    let square = p.x.square();
    let slope =
        (square.double() + square) * p.y.double().inverse().expect("the curve has no point with y = 0");
    let x = slope.square() - p.x.double();
    Slot { x, y: slope * (p.x - x) - p.y }
}
