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
//! Every addition of steps 2 and 3 is affine and shares its inversion with thousands of others:
//! 5 multiplications, 1 square and a small part of an inversion. Cost: `windows * (n + 2^c)`
//! additions per task.
//!
//! Secret: the scalars. Every coordinate takes part in exactly one addition per window, zero or not:
//! bucket 0 is filled and thrown away, and buckets start from known points instead of from infinity,
//! so the number of additions does not depend on the scalars. Memory access does (the sort), and
//! with it the sizes of the batches; so does the time of an addition of equal or opposite points or
//! of infinity, which does not occur with hashed bases. Working memory is erased afterwards.

use std::sync::OnceLock;

use ark_ff::{AdditiveGroup, Zero};
use rayon::prelude::*;
use zeroize::Zeroizing;

use super::affine::{Adder, FEW_BUCKETS, Portable, Slots, Vector, segments};
use super::lanes::{Width, with_lanes};
use crate::{
    backend::check_signed,
    curve::{self, Fq, Fr, Projective},
    error::EngineError,
    points::{Grumpkin, PackedPoint, Points},
};

/// Points sorted at a time: 2 MiB, what a core's cache holds.
const CHUNK: usize = 1 << 15;
/// Points fetched at a time, from anywhere in memory.
const AHEAD: usize = 16;
/// Shortest piece of a vector worth a task of its own.
const MIN_TASK: usize = 1 << 12;
/// Widest digit, in bits.
const MAX_WINDOW: u32 = 16;
/// Tasks a thread, so that none waits long for the last.
const TASKS_A_THREAD: usize = 4;

/// See [`crate::backend::Backend::msm_signed`]. Runs on the rayon pool of the caller.
pub(super) fn msm_signed(
    width: Width,
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
    let row = |row: &&[i32]| {
        let task = |(points, words): (&[PackedPoint], &[i32])| {
            with_lanes!(
                width,
                |lanes| sum(Vector::<_, Fr>::new(lanes), plan, points, words),
                sum(Portable::<Fr>::new(), plan, points, words)
            )
        };
        let tasks = points.as_slice().par_chunks(task_len).zip(row.par_chunks(task_len));
        tasks.map(task).reduce(Projective::zero, |a, b| a + b)
    };
    Ok(rows.par_iter().map(row).collect())
}

fn sum<A: Adder<Field = Fr>>(adder: A, plan: Plan, points: &[PackedPoint], words: &[i32]) -> Projective {
    Work::new(adder, plan, points.len()).run(points, words)
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

/// The working memory of one task.
struct Work<A: Adder<Field = Fr>> {
    plan: Plan,
    /// The buckets of every window, then the points of the chunk in the order of their buckets.
    slots: Slots<A>,
    /// What is left of each scalar above the digits already cut off.
    rest: Zeroizing<Vec<i64>>,
    /// `magnitude * 2 + sign` of each digit.
    digits: Zeroizing<Vec<u32>>,
    /// The end of each bucket in `order`.
    ends: Zeroizing<Vec<u32>>,
    /// `index * 2 + sign`, sorted by magnitude.
    order: Zeroizing<Vec<u32>>,
}

impl<A: Adder<Field = Fr>> Work<A> {
    fn new(adder: A, plan: Plan, n: usize) -> Self {
        let n_buckets = plan.top_bucket() + 1;
        let chunk = n.min(CHUNK);
        let (n_segments, _) = segments(plan.top_bucket());
        let mut slots = Vec::with_capacity(plan.n_windows * n_buckets + chunk.max(2 * n_segments));
        for _ in 0..plan.n_windows {
            slots.extend(start_points()[..n_buckets].iter().map(|&(x, y)| adder.enter(x, y, 0)));
        }
        slots.resize(slots.capacity(), A::INFINITY);
        Self {
            plan,
            slots: Slots::new(adder, slots, n_buckets.max(chunk)),
            rest: Zeroizing::new(Vec::with_capacity(chunk)),
            digits: Zeroizing::new(vec![0; chunk]),
            ends: Zeroizing::new(vec![0; n_buckets]),
            order: Zeroizing::new(vec![0; chunk]),
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
        let Slots { adder, slots, .. } = &mut self.slots;
        let entries = self.order[..points.len()].chunks(AHEAD);
        for (slots, entries) in slots[first..].chunks_mut(AHEAD).zip(entries) {
            // Fetched before any is used: the processor then waits for all of them at once.
            let mut fetched = [PackedPoint::INFINITY; AHEAD];
            for (copy, &entry) in fetched.iter_mut().zip(entries) {
                *copy = points[(entry >> 1) as usize];
            }
            for ((slot, point), &entry) in slots.iter_mut().zip(&fetched).zip(entries) {
                let (x, y) = point.coordinates::<Grumpkin>();
                *slot = adder.enter(x, y, entry & 1);
            }
        }
    }

    /// Adds the sorted points to the buckets of `window`.
    fn add_up(&mut self, window: usize) {
        let first = self.buckets(self.plan.n_windows) as u32;
        self.slots.add_runs(first, &self.ends);
        let (mut bucket, mut start) = (self.buckets(window) as u32, first);
        for end in self.ends.iter() {
            let end = first + end;
            if end > start {
                self.slots.pairs.push([bucket, start]);
            }
            (bucket, start) = (bucket + 1, end);
        }
        self.slots.flush();
    }

    /// `sum_m m B_m` over the buckets of `window`, less what their start points contribute.
    fn weighted_sum(&mut self, window: usize) -> Projective {
        let top = self.plan.top_bucket();
        let (first, behind) = (self.buckets(window) + 1, self.buckets(self.plan.n_windows));
        let sum = self.slots.weighted_sum::<Grumpkin>(first, top, behind);
        let top = top as u64;
        // sum of m (m + 1) for m = 1 ..= top
        sum - curve::generator() * Fq::from(top * (top + 1) * (top + 2) / 3)
    }
}

/// Where bucket `m` starts: `(m + 1) G`. Sums of few of them in descending order never meet, so the
/// additions of empty buckets are ordinary ones.
fn start_points() -> &'static [(Fr, Fr)] {
    static POINTS: OnceLock<Vec<(Fr, Fr)>> = OnceLock::new();
    POINTS.get_or_init(|| {
        let generator = curve::generator();
        let adder = Portable::<Fr>::new();
        let first = adder.enter(generator.x, generator.y, 0);
        let mut points = Slots::new(adder, vec![first], 0);
        let n = (1 << (MAX_WINDOW - 1)) + 1;
        while points.slots.len() < n {
            let have = points.slots.len();
            let last = points.slots[have - 1];
            points.slots.resize((2 * have).min(n), last);
            points.pairs.extend((have..points.slots.len()).map(|i| [i as u32, (i - have) as u32]));
            points.flush();
        }
        points.slots.iter().map(|slot| points.adder.leave(slot).expect("small multiples of G")).collect()
    })
}
