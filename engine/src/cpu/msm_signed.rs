//! `sum_j x_j P_j` for short signed integers `x_j`, row by row: the work of a commitment.
//!
//! Bucket method with signed digits and affine points. Source: Bernstein, Doumen, Lange, Oosterwijk
//! 2012, section 4 (buckets); Montgomery 1987, section 10.3.1 (one inversion for many).
//!
//! 1. Cut every scalar into signed digits of `c` bits (one digit for 16-bit scalars of a long vector).
//! 2. Add every point to the bucket of its digit's magnitude, window by window ([`Buckets`]).
//! 3. `sum_m m B_m` by running sums over many segments of the buckets side by side.
//!
//! Every addition of steps 2 and 3 is affine and shares its inversion with thousands of others: 5 multiplications, 1 square and
//! a small part of an inversion. Cost: `windows * (n + 2^c)` additions per task.
//!
//! Secret: the scalars. Every coordinate takes part in exactly one addition per window, zero or not: bucket 0 is filled and
//! thrown away, and buckets start from known points instead of from infinity, so the number of additions does not depend on the
//! scalars. Memory access does (the buckets), and with it the sizes of the batches; so does the time of an addition of equal or
//! opposite points or of infinity, which does not occur with hashed bases, and of one pair in some `2^27` that is taken for
//! such. Working memory is erased afterwards.

use std::sync::OnceLock;

use ark_ff::{AdditiveGroup, Zero};
use rayon::prelude::*;

use super::affine::{Adder, Buckets, Pairs, Portable, Shape, Slots, Vector};
use super::lanes::{Width, with_lanes};
use crate::{
    backend::check_signed,
    curve::{self, Fq, Fr, Projective},
    error::EngineError,
    points::{Grumpkin, PackedPoint, Points},
};

/// Points that all windows take before the next: 2 MiB, what a core's cache holds.
const CHUNK: usize = 1 << 15;
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
    let row = |row: &&[i32]| {
        let task = |(points, words): (&[PackedPoint], &[i32])| {
            with_lanes!(
                width,
                |lanes| sum(Vector::<_, Fr>::new(lanes), bits, points, words),
                sum(Portable::<Fr>::new(), bits, points, words)
            )
        };
        let tasks = points.as_slice().par_chunks(task_len).zip(row.par_chunks(task_len));
        tasks.map(task).reduce(Projective::zero, |a, b| a + b)
    };
    Ok(rows.par_iter().map(row).collect())
}

fn sum<A: Adder<Field = Fr>>(adder: A, bits: u8, points: &[PackedPoint], words: &[i32]) -> Projective {
    let plan = Plan::new::<A>(words.len(), bits.into());
    let mut buckets = Buckets::new(adder, plan.shape(words.len()), |adder, number| {
        let (x, y) = start_points()[number];
        adder.enter(x, y, 0)
    });
    for (index, words) in (0..).step_by(CHUNK).zip(words.chunks(CHUNK)) {
        let window = |window| Window { digits: plan.digits(window), index, words };
        buckets.add(points, &mut (0..plan.n_windows).map(window).collect::<Vec<_>>());
    }
    let surplus = surplus(plan, buckets.n_copies());
    let sums = buckets.weighted_sums::<Grumpkin>(points);
    sums.into_iter().rev().fold(Projective::zero(), |mut sum, of_window| {
        for _ in 0..plan.window {
            sum.double_in_place();
        }
        sum + of_window - surplus
    })
}

/// What the start points contribute: the sum of `m (k n + m + 1) G` over the buckets `m` of every copy `k`, `n` buckets each.
fn surplus(plan: Plan, n_copies: usize) -> Projective {
    let (top, copies) = (plan.top_bucket() as u64, n_copies as u64);
    let in_one = top * (top + 1) * (top + 2) / 3;
    let between = (top + 1) * (copies * (copies - 1) / 2) * (top * (top + 1) / 2);
    curve::generator() * Fq::from(copies * in_one + between)
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
    /// The width that costs the least for `n` points.
    fn new<A: Adder>(n: usize, bits: u32) -> Self {
        let plan = |window: u32| Self { window, n_windows: bits.div_ceil(window) as usize };
        let cost = |plan: &Self| plan.shape(n).cost::<A>();
        (2..=MAX_WINDOW).map(plan).min_by_key(cost).expect("the range of widths is not empty")
    }

    /// A row of buckets a window, for `n` points.
    fn shape(&self, n: usize) -> Shape {
        Shape { n_rows: self.n_windows, n_buckets: self.top_bucket() + 1, n_points: n * self.n_windows }
    }

    /// The largest magnitude of a digit.
    fn top_bucket(&self) -> usize {
        1 << (self.window - 1)
    }

    /// How the digits of a window are cut. With half of a window added in every window but the highest, no digit carries into
    /// the next; the highest window takes all that is left.
    fn digits(&self, window: usize) -> Digits {
        let half = |window: usize| 1i64 << (self.window * (window as u32 + 1) - 1);
        let is_highest = window + 1 == self.n_windows;
        Digits {
            halves: (0..self.n_windows - 1).map(half).sum(),
            shift: self.window * window as u32,
            mask: if is_highest { -1 } else { (1 << self.window) - 1 },
            half: if is_highest { 0 } else { 1 << (self.window - 1) },
        }
    }
}

/// Cuts the digits of one window.
#[derive(Clone, Copy)]
struct Digits {
    halves: i64,
    shift: u32,
    mask: i64,
    half: i64,
}

impl Digits {
    #[inline(always)]
    fn of(self, word: i32) -> i64 {
        ((i64::from(word) + self.halves) >> self.shift & self.mask) - self.half
    }
}

/// One window of some words, the first of which has this index.
struct Window<'a> {
    digits: Digits,
    index: u32,
    words: &'a [i32],
}

impl Pairs for Window<'_> {
    fn write(&mut self, first: u32, pairs: &mut [[u32; 2]]) -> usize {
        let (words, rest) = self.words.split_at(pairs.len().min(self.words.len()));
        for ((pair, word), index) in pairs.iter_mut().zip(words).zip(self.index..) {
            let digit = self.digits.of(*word);
            *pair = [first + digit.unsigned_abs() as u32, index << 1 | u32::from(digit < 0)];
        }
        (self.index, self.words) = (self.index + words.len() as u32, rest);
        words.len()
    }
}

/// Where the slots of the buckets start: slot `i` at `(i + 1) G`. Sums of few of them in descending order never meet, so the
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
