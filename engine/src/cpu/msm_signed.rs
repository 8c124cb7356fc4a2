//! `sum_j x_j P_j` for short signed integers `x_j`, row by row: the work of a commitment.
//!
//! Bucket method with signed digits and affine points. Source: Bernstein, Doumen, Lange, Oosterwijk
//! 2012, section 4 (buckets); Montgomery 1987, section 10.3.1 (one inversion for many).
//!
//! 1. Cut every scalar into signed digits of `c` bits (one digit for 16-bit scalars of a long vector).
//! 2. Chunk by chunk, sort the points by the magnitude of their digit (counting sort) and add up each
//!    bucket's points as a binary tree, then add the result to the bucket.
//! 3. `sum_m m B_m` by running sums over many segments of the buckets side by side.
//!
//! Every addition of steps 2 and 3 is affine and shares its inversion with up to [`BATCH`] others:
//! 5 multiplications, 1 square and a small part of an inversion. Cost: `windows * (n + 2^c)`
//! additions per task.
//!
//! Secret: the scalars. Every coordinate takes part in exactly one addition per window, zero or not:
//! bucket 0 is filled and thrown away, and buckets start from known points instead of from infinity,
//! so the number of additions does not depend on the scalars. Memory access does (the sort), and
//! with it the sizes of the batches; so does the time of an addition of equal or opposite points or
//! of infinity, which does not occur with hashed bases. Working memory is erased afterwards.

use std::sync::OnceLock;

use ark_ec::AffineRepr;
use ark_ff::{AdditiveGroup, BigInt, Field, Zero};
use rayon::prelude::*;
use zeroize::{Zeroize, Zeroizing};

use crate::{
    backend::check_signed,
    curve::{self, Fq, Fr, Point, Projective},
    error::EngineError,
    points::{Grumpkin, PackedPoint, Points},
};

/// Points sorted at a time: 2 MiB, what a core's cache holds.
const CHUNK: usize = 1 << 15;
/// Additions that share one inversion.
const BATCH: usize = 1 << 11;
/// Shortest piece of a vector worth a task of its own.
const MIN_TASK: usize = 1 << 12;
/// Widest digit, in bits.
const MAX_WINDOW: u32 = 16;
/// Tasks a thread, so that none waits long for the last.
const TASKS_A_THREAD: usize = 4;
/// Up to so many buckets, projective running sums are cheaper than batches.
const FEW_BUCKETS: usize = 256;

/// See [`crate::backend::Backend::msm_signed`]. Runs on the rayon pool of the caller.
pub(super) fn msm_signed(
    points: &Points<Grumpkin>,
    rows: &[&[i32]],
    bits: u8,
) -> Result<Vec<Projective>, EngineError> {
    check_signed(points.len(), rows, bits)?;
    if points.is_empty() || rows.is_empty() {
        return Ok(vec![Projective::zero(); rows.len()]);
    }
    // Many rows are work enough for all threads; a row cut in pieces pays for the buckets of each.
    let n_threads = rayon::current_num_threads();
    let n_tasks =
        n_threads.min((TASKS_A_THREAD * n_threads).div_ceil(rows.len())).min(points.len().div_ceil(MIN_TASK));
    let task_len = points.len().div_ceil(n_tasks);
    let plan = Plan::new(task_len, bits.into());
    let sum = |row: &&[i32]| {
        points
            .as_slice()
            .par_chunks(task_len)
            .zip(row.par_chunks(task_len))
            .map(|(points, words)| Work::new(plan, points.len()).run(points, words))
            .reduce(Projective::zero, |a, b| a + b)
    };
    Ok(rows.par_iter().map(sum).collect())
}

/// How the scalars are cut.
#[derive(Debug, Clone, Copy)]
struct Plan {
    /// Bits of a digit; a digit lies in `-2^(c-1) ..= 2^(c-1)`.
    window: u32,
    /// Digits of a scalar.
    n_windows: usize,
}

impl Plan {
    /// The width with the fewest additions for `n` points.
    fn new(n: usize, bits: u32) -> Self {
        let plan = |window: u32| Self { window, n_windows: bits.div_ceil(window) as usize };
        let cost = |plan: &Self| {
            let buckets = plan.top_bucket();
            // Two additions a bucket, dearer than those of the points: projective ones, or small batches.
            plan.n_windows * (n + buckets * if buckets <= FEW_BUCKETS { 4 } else { 3 })
        };
        (2..=MAX_WINDOW).map(plan).min_by_key(cost).expect("the range of widths is not empty")
    }

    /// The largest magnitude of a digit.
    fn top_bucket(&self) -> usize {
        1 << (self.window - 1)
    }
}

/// An affine point; infinity has `y = 0`, as no point of a curve of odd order has.
#[derive(Clone, Copy)]
struct Slot {
    x: Fr,
    y: Fr,
}

impl Slot {
    const INFINITY: Self = Self { x: Fr::ZERO, y: Fr::ZERO };

    fn to_point(self) -> Point {
        if self.y.is_zero() { Point::zero() } else { Point::new_unchecked(self.x, self.y) }
    }

    /// `point`, or `-point` if `negative` is 1, without a branch.
    #[inline]
    fn signed(point: &PackedPoint, negative: u32) -> Self {
        let (x, y) = point.coordinates::<Grumpkin>();
        let (plus, minus) = (y.0.0, (-y).0.0);
        let mask = u64::from(negative).wrapping_neg();
        let limbs = std::array::from_fn(|i| plus[i] ^ (mask & (plus[i] ^ minus[i])));
        Self { x, y: Fr::new_unchecked(BigInt(limbs)) }
    }
}

/// The working memory of one task.
struct Work {
    plan: Plan,
    /// The buckets of every window, then the points of the chunk in the order of their buckets.
    slots: Vec<Slot>,
    /// What is left of each scalar above the digits already cut off.
    rest: Zeroizing<Vec<i64>>,
    /// `magnitude * 2 + sign` of each digit.
    digits: Zeroizing<Vec<u32>>,
    /// The end of each bucket in `order`.
    ends: Zeroizing<Vec<u32>>,
    /// `index * 2 + sign`, sorted by magnitude.
    order: Zeroizing<Vec<u32>>,
    /// `slots[into] += slots[from]`.
    pairs: Zeroizing<Vec<[u32; 2]>>,
    adder: Adder,
}

impl Work {
    fn new(plan: Plan, n: usize) -> Self {
        let n_buckets = plan.top_bucket() + 1;
        let chunk = n.min(CHUNK);
        let (n_segments, _) = segments(plan.top_bucket());
        let mut slots = Vec::with_capacity(plan.n_windows * n_buckets + chunk.max(2 * n_segments));
        for _ in 0..plan.n_windows {
            slots.extend_from_slice(&start_points()[..n_buckets]);
        }
        slots.resize(slots.capacity(), Slot::INFINITY);
        Self {
            plan,
            slots,
            rest: Zeroizing::new(Vec::with_capacity(chunk)),
            digits: Zeroizing::new(vec![0; chunk]),
            ends: Zeroizing::new(vec![0; n_buckets]),
            order: Zeroizing::new(vec![0; chunk]),
            pairs: Zeroizing::new(Vec::with_capacity(n_buckets.max(chunk))),
            adder: Adder { chains: Vec::with_capacity(BATCH) },
        }
    }

    fn run(mut self, points: &[PackedPoint], words: &[i32]) -> Projective {
        for (points, words) in points.chunks(CHUNK).zip(words.chunks(CHUNK)) {
            self.rest.clear();
            self.rest.extend(words.iter().map(|&word| i64::from(word)));
            for window in 0..self.plan.n_windows {
                self.cut_digits(window);
                self.sort();
                self.gather(points);
                self.add_up(window);
            }
        }
        (0..self.plan.n_windows).rev().fold(Projective::zero(), |mut sum, window| {
            for _ in 0..self.plan.window {
                sum.double_in_place();
            }
            sum + self.weighted_sum(window)
        })
    }

    /// The first slot of a window's buckets.
    fn buckets(&self, window: usize) -> usize {
        window * (self.plan.top_bucket() + 1)
    }

    /// Cuts the lowest digit off every scalar; the last window takes all that is left.
    fn cut_digits(&mut self, window: usize) {
        let (width, last) = (self.plan.window, window + 1 == self.plan.n_windows);
        let unused = 64 - width;
        for (rest, digit) in self.rest.iter_mut().zip(self.digits.iter_mut()) {
            let low = if last { *rest } else { *rest << unused >> unused };
            *rest = (*rest - low) >> width;
            *digit = (low.unsigned_abs() as u32) << 1 | u32::from(low < 0);
        }
    }

    /// Counting sort of the digits by magnitude.
    fn sort(&mut self) {
        let digits = &self.digits[..self.rest.len()];
        self.ends.fill(0);
        for digit in digits {
            self.ends[(digit >> 1) as usize] += 1;
        }
        let mut start = 0;
        for end in self.ends.iter_mut() {
            start += std::mem::replace(end, start);
        }
        for (index, digit) in digits.iter().enumerate() {
            let place = &mut self.ends[(digit >> 1) as usize];
            self.order[*place as usize] = (index as u32) << 1 | digit & 1;
            *place += 1;
        }
    }

    /// Copies the points of the chunk behind the buckets, sorted and with their signs.
    fn gather(&mut self, points: &[PackedPoint]) {
        let first = self.buckets(self.plan.n_windows);
        for (slot, &entry) in self.slots[first..].iter_mut().zip(&self.order[..points.len()]) {
            *slot = Slot::signed(&points[(entry >> 1) as usize], entry & 1);
        }
    }

    /// Adds the sorted points to the buckets of `window`.
    fn add_up(&mut self, window: usize) {
        let first = self.buckets(self.plan.n_windows) as u32;
        let mut crowded = Vec::new();
        let mut start = first;
        for end in self.ends.iter() {
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
        let (mut bucket, mut start) = (self.buckets(window) as u32, first);
        for end in self.ends.iter() {
            let end = first + end;
            if end > start {
                self.pairs.push([bucket, start]);
            }
            (bucket, start) = (bucket + 1, end);
        }
        self.flush();
    }

    fn flush(&mut self) {
        for pairs in self.pairs.chunks(BATCH) {
            self.adder.add(&mut self.slots, pairs);
        }
        self.pairs.clear();
    }

    /// `sum_m m B_m` over the buckets of `window`, less what their start points contribute.
    fn weighted_sum(&mut self, window: usize) -> Projective {
        let top = self.plan.top_bucket();
        let buckets = self.buckets(window);
        let mut sum = Projective::zero();
        if top <= FEW_BUCKETS {
            let mut running = Projective::zero();
            for bucket in self.slots[buckets + 1..=buckets + top].iter().rev() {
                running += bucket.to_point();
                sum += running;
            }
        } else {
            sum = self.weighted_sum_by_segments(buckets);
        }
        let top = top as u64;
        // sum of m (m + 1) for m = 1 ..= top
        sum - curve::generator() * Fq::from(top * (top + 1) * (top + 2) / 3)
    }

    /// The same over segments `s` of `len` buckets each: with `R_s` the plain and `S_s` the weighted
    /// sum inside a segment, `sum_s S_s + len * sum_s s R_s`.
    fn weighted_sum_by_segments(&mut self, buckets: usize) -> Projective {
        let (n_segments, len) = segments(self.plan.top_bucket());
        let running = self.buckets(self.plan.n_windows);
        let weighted = running + n_segments;
        for step in (1..=len).rev() {
            let bucket = |segment: usize| buckets + segment * len + step;
            if step == len {
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
        let (mut tail, mut scaled, mut sum) = (Projective::zero(), Projective::zero(), Projective::zero());
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

impl Drop for Work {
    fn drop(&mut self) {
        for slot in &mut self.slots {
            slot.x.zeroize();
            slot.y.zeroize();
        }
    }
}

/// Number and length (a power of two) of the segments that `top` buckets are summed in.
fn segments(top: usize) -> (usize, usize) {
    let n_segments = (top / 16).clamp(1, 512);
    (n_segments, top / n_segments)
}

/// Where bucket `m` starts: `(m + 1) G`. Sums of few of them in descending order never meet, so the
/// additions of empty buckets are ordinary ones.
fn start_points() -> &'static [Slot] {
    static POINTS: OnceLock<Vec<Slot>> = OnceLock::new();
    POINTS.get_or_init(|| {
        let generator = curve::generator();
        let mut points = vec![Slot { x: generator.x, y: generator.y }];
        let mut adder = Adder { chains: Vec::new() };
        let n = (1 << (MAX_WINDOW - 1)) + 1;
        while points.len() < n {
            let have = points.len();
            points.resize((2 * have).min(n), points[have - 1]);
            let pairs: Vec<[u32; 2]> = (have..points.len()).map(|i| [i as u32, (i - have) as u32]).collect();
            adder.add(&mut points, &pairs);
        }
        points
    })
}

/// Affine additions with a shared inversion.
struct Adder {
    /// Per pair: the product of the differences before it in its chain, and its own difference `x_from - x_into`.
    chains: Vec<(Fr, Fr)>,
}

impl Adder {
    /// `slots[into] += slots[from]` for every pair; no slot may be both, nor be added to twice.
    ///
    /// Even and odd pairs form two chains of products, so that one multiplication need not wait for
    /// another. Equal points, opposite points and infinity are added one at a time.
    fn add(&mut self, slots: &mut [Slot], pairs: &[[u32; 2]]) {
        self.chains.clear();
        let mut products = [Fr::ONE; 2];
        for (i, &[into, from]) in pairs.iter().enumerate() {
            let (p, q) = (slots[into as usize], slots[from as usize]);
            let mut difference = q.x - p.x;
            if difference.is_zero() | p.y.is_zero() | q.y.is_zero() {
                slots[into as usize] = add_exceptional(p, q);
                // A zero difference tells the way back that the sum is there already.
                difference = Fr::ZERO;
                self.chains.push((Fr::ZERO, difference));
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

impl Drop for Adder {
    fn drop(&mut self) {
        for (before, difference) in &mut self.chains {
            before.zeroize();
            difference.zeroize();
        }
    }
}

/// `p + q` where the chord does not exist: one of them is infinity, or their x-coordinates are equal.
#[cold]
fn add_exceptional(p: Slot, q: Slot) -> Slot {
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
