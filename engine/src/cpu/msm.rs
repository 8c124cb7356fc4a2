//! `sum_i s_i P_i` for scalars of full width, on all threads, in variable time.
//!
//! Bucket method with signed digits and affine points. Source: Bernstein, Doumen, Lange, Oosterwijk 2012, section 4 (buckets);
//! Montgomery 1987, section 10.3.1 (one inversion for many).
//!
//! Digits are cut once, before anything is added ([`Digits`]): a window then reads its own and nothing else of the scalars. A
//! task is one window of the digits of some of the points, or some windows where there are few points: it adds each point to the
//! bucket of its digit's magnitude ([`Buckets`]), then it weighs the buckets. Every addition is affine and shares its inversion
//! with thousands of others. Infinity, zeros and the empty digits of short scalars are left out, so a scalar of one costs one
//! addition.

mod digits;

use core::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use ark_ec::short_weierstrass::{Projective, SWCurveConfig};
use ark_ff::{AdditiveGroup, BigInt, PrimeField, Zero};
use rayon::prelude::*;

use self::digits::{Classes, Digits, Scalars, n_windows};
use super::affine::{Adder, Buckets, PackedOf, Pairs, Portable, Shape, Vector};
use super::lanes::{Coordinate, Width, with_lanes};
use crate::{
    backend::check_msm,
    error::EngineError,
    points::{Curve, PackedPoint, Points},
};

/// Terms between two looks at whether to stop.
const CHUNK: usize = 1 << 15;
/// Fewest points of a task.
const MIN_TASK: usize = 1 << 12;
/// Tasks a thread, so that none waits long for the last.
const TASKS_A_THREAD: usize = 4;
/// Widest window, in bits.
const MAX_WINDOW: u32 = 16;
/// Most buckets of a task of more than one window: 1 MiB of them in G1.
const MAX_GROUPED: usize = 1 << 14;

/// See [`crate::backend::Backend::msm_g1_vartime`].
pub(super) fn msm_vartime<C: Curve<BaseField: Coordinate<Packed = PackedPoint>>>(
    width: Width,
    points: &Points<C>,
    scalars: &[C::ScalarField],
) -> Result<Projective<C>, EngineError> {
    let never = AtomicBool::new(false);
    Ok(sum_vartime(width, points.as_slice(), scalars, &never)?.unwrap_or_default())
}

/// `sum_i scalars_i points_i` on any curve `y^2 = x^3 + b`; `None` if `stop` was raised meanwhile.
///
/// Points are read where they lie, window by window, and no copy of them is kept. They must be infinity or have odd order.
/// Holds 4 bytes, and 2 for each window that its scalar reaches, for every point that is not infinity with a scalar that is
/// not zero, and per thread some megabytes.
pub(super) fn sum_vartime<P>(
    width: Width,
    points: &[<P::BaseField as Coordinate>::Packed],
    scalars: &[P::ScalarField],
    stop: &AtomicBool,
) -> Result<Option<Projective<P>>, EngineError>
where
    P: SWCurveConfig<BaseField: Coordinate, ScalarField: PrimeField<BigInt = BigInt<4>>>,
{
    check_msm(points.len(), scalars.len())?;
    Ok(with_lanes!(
        width,
        |lanes| sum_with(|| Vector::<_, P::BaseField>::new(lanes), points, scalars, stop),
        sum_with(Portable::<P::BaseField>::new, points, scalars, stop)
    ))
}

fn sum_with<P, A>(
    adder: impl Fn() -> A + Sync,
    points: &[PackedOf<A>],
    scalars: &[P::ScalarField],
    stop: &AtomicBool,
) -> Option<Projective<P>>
where
    P: SWCurveConfig<BaseField: Coordinate, ScalarField: PrimeField<BigInt = BigInt<4>>>,
    A: Adder<Field = P::BaseField>,
{
    assert!(scalars.len() <= 1 << 31, "an index and a sign in 32 bits");
    let scalars = Scalars::new(scalars, |i| is_infinity::<P::BaseField>(&points[i]));
    let plan = Plan::new::<A>(scalars.classes(), rayon::current_num_threads());
    let digits = scalars.cut(plan.window_bits);
    let tasks = plan.tasks(&digits);
    let sums_of = |task: &Task| sums_of_task(adder(), task, points, stop);
    let sums = tasks.par_iter().with_max_len(1).map(sums_of).collect::<Option<Vec<_>>>()?;
    let mut of_windows = vec![Projective::<P>::zero(); n_windows(plan.window_bits) as usize];
    for (task, sums) in tasks.iter().zip(sums) {
        for (of_window, sum) in of_windows[task.first_window..].iter_mut().zip(sums) {
            *of_window += sum;
        }
    }
    let sum = of_windows.into_iter().rev().fold(Projective::zero(), |mut sum: Projective<P>, of_window| {
        for _ in 0..plan.window_bits {
            sum.double_in_place();
        }
        sum + of_window
    });
    (!stop.load(Ordering::Relaxed)).then_some(sum)
}

/// Some windows of some of the terms.
struct Task<'a> {
    first_window: usize,
    /// `index * 2 + sign`.
    entries: &'a [u32],
    /// Of each window, for the first of the entries.
    digits: Vec<&'a [i16]>,
    shape: Shape,
}

impl Task<'_> {
    /// The digits that some of the terms have in a window.
    fn window(&self, window: usize, terms: Range<usize>) -> Window<'_> {
        let digits = self.digits[window];
        let terms = within(&terms, digits.len());
        Window { entries: &self.entries[terms.clone()], digits: &digits[terms] }
    }
}

/// Digits of one window.
struct Window<'a> {
    entries: &'a [u32],
    digits: &'a [i16],
}

impl Pairs for Window<'_> {
    /// Leaves out zeros, without a branch: in a narrow window there are many.
    fn write(&mut self, first: u32, pairs: &mut [[u32; 2]]) -> usize {
        let (mut n, mut n_read) = (0, 0);
        for (entry, digit) in self.entries.iter().zip(self.digits) {
            if n == pairs.len() {
                break;
            }
            pairs[n] = [first + u32::from(digit.unsigned_abs()), entry ^ u32::from(*digit < 0)];
            n += usize::from(*digit != 0);
            n_read += 1;
        }
        (self.entries, self.digits) = (&self.entries[n_read..], &self.digits[n_read..]);
        n
    }
}

/// The digits of each window of a task times their points.
fn sums_of_task<P, A>(
    adder: A,
    task: &Task,
    points: &[PackedOf<A>],
    stop: &AtomicBool,
) -> Option<Vec<Projective<P>>>
where
    P: SWCurveConfig<BaseField: Coordinate>,
    A: Adder<Field = P::BaseField>,
{
    let mut buckets = Buckets::new(adder, task.shape, |_, _| A::INFINITY);
    for first in (0..task.entries.len()).step_by(CHUNK) {
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        let terms = first..first + CHUNK;
        let window = |window| task.window(window, terms.clone());
        buckets.add(points, &mut (0..task.digits.len()).map(window).collect::<Vec<_>>());
    }
    Some(buckets.weighted_sums(points))
}

fn is_infinity<F: Coordinate>(point: &F::Packed) -> bool {
    F::from_row(F::coordinates(point).1).is_zero()
}

/// How the work is cut up.
#[derive(Clone, Copy, Debug)]
struct Plan {
    window_bits: u32,
    /// Digits of a task, about.
    share: usize,
}

impl Plan {
    /// What costs the least on so many threads.
    fn new<A: Adder>(classes: Classes, n_threads: usize) -> Self {
        let plan = |window_bits: u32| {
            let n_digits = classes.lens(window_bits).sum::<usize>();
            Self { window_bits, share: n_digits.div_ceil(TASKS_A_THREAD * n_threads) }
        };
        let cost = |plan: &Self| {
            let lens: Vec<usize> = classes.lens(plan.window_bits).collect();
            let shapes: Vec<Shape> =
                plan.blocks(&lens).iter().map(|block| plan.shape(block, &lens)).collect();
            // Most of them are alike.
            shapes.chunk_by(Shape::eq).map(|alike| alike.len() * alike[0].cost::<A>()).sum::<usize>()
        };
        (2..=MAX_WINDOW).map(plan).min_by_key(cost).expect("the range of widths is not empty")
    }

    /// That of digits of zero, which stays empty, and one a magnitude.
    const fn n_buckets(&self) -> usize {
        (1 << (self.window_bits - 1)) + 1
    }

    /// One for each task. `lens` are the terms of each window, none more than those before it.
    fn blocks(&self, lens: &[usize]) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut first = 0;
        while first < lens.len() {
            let (mut end, mut n_digits) = (first + 1, lens[first]);
            while end < lens.len()
                && n_digits + lens[end] <= self.share
                && (end + 1 - first) * self.n_buckets() <= MAX_GROUPED
            {
                n_digits += lens[end];
                end += 1;
            }
            let piece = self.share.max(MIN_TASK);
            let pieces = (0..lens[first]).step_by(piece).map(|term| term..lens[first].min(term + piece));
            blocks.extend(pieces.map(|terms| Block { windows: first..end, terms }));
            first = end;
        }
        blocks
    }

    fn shape(&self, block: &Block, lens: &[usize]) -> Shape {
        let n_points = block.windows.clone().map(|window| within(&block.terms, lens[window]).len()).sum();
        Shape { n_rows: block.windows.len(), n_buckets: self.n_buckets(), n_points }
    }

    fn tasks<'d>(&self, digits: &'d Digits) -> Vec<Task<'d>> {
        let windows: Vec<(&'d [u32], &'d [i16])> = digits.windows().collect();
        let lens: Vec<usize> = windows.iter().map(|(_, digits)| digits.len()).collect();
        let blocks = self.blocks(&lens).into_iter();
        let task = |block: Block| Task {
            first_window: block.windows.start,
            entries: &windows[block.windows.start].0[block.terms.clone()],
            digits: block.windows.clone().map(|w| &windows[w].1[within(&block.terms, lens[w])]).collect(),
            shape: self.shape(&block, &lens),
        };
        blocks.map(task).collect()
    }
}

/// Some windows, and some of the terms of the first of them.
struct Block {
    windows: Range<usize>,
    terms: Range<usize>,
}

/// Those of the terms that a window of `len` terms has.
fn within(terms: &Range<usize>, len: usize) -> Range<usize> {
    terms.start.min(len)..terms.end.min(len)
}

#[cfg(test)]
mod tests {
    use ark_bn254::{Fr, G2Affine, G2Projective, g2};
    use ark_ec::{CurveGroup, PrimeGroup};
    use ark_ff::One;

    use super::*;
    use crate::points::PackedG2;

    /// On G2: infinity, repeated points, zeros, ones, short and full scalars, more than one chunk and piece.
    #[test]
    fn sums_in_g2() {
        let n = CHUNK + 37;
        let step = G2Projective::generator();
        let multiples: Vec<_> =
            core::iter::successors(Some(G2Projective::zero()), |last| Some(*last + step)).take(n).collect();
        let affine: Vec<G2Affine> = G2Projective::normalize_batch(&multiples);
        let points: Vec<PackedG2> = affine.iter().map(PackedG2::pack).collect();
        let scalars: Vec<Fr> = (0..n as u64)
            .map(|i| match i % 5 {
                0 => Fr::zero(),
                1 | 2 => Fr::one(),
                3 => Fr::from(i),
                _ => -Fr::from(i * i),
            })
            .collect();
        let expected: Fr = (0..n as u64).map(|i| Fr::from(i) * scalars[i as usize]).sum();
        for width in Width::ALL.into_iter().filter(|width| width.is_available()) {
            let stop = AtomicBool::new(false);
            let sum = |points: &[PackedG2], scalars: &[Fr]| {
                sum_vartime::<g2::Config>(width, points, scalars, &stop).expect("equal lengths")
            };
            assert_eq!(sum(&points, &scalars), Some(step * expected));
            assert_eq!(sum(&vec![points[7]; n], &scalars), Some(affine[7] * scalars.iter().sum::<Fr>()));
            assert_eq!(sum(&[], &[]), Some(G2Projective::zero()));
            stop.store(true, Ordering::Relaxed);
            assert_eq!(sum(&points, &scalars), None);
        }
    }
}
