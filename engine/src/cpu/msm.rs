//! `sum_i s_i P_i` for scalars of full width, on all threads, in variable time.
//!
//! Bucket method with signed digits and affine points. Source: Bernstein, Doumen, Lange, Oosterwijk 2012, section 4 (buckets);
//! Montgomery 1987, section 10.3.1 (one inversion for many).
//!
//! Digits are cut once, before anything is added ([`Digits`]): a window then reads its own and nothing else of the scalars. A
//! task is one window of the digits of some of the points: it adds each to the bucket of its digit's magnitude ([`Buckets`]),
//! then it weighs the buckets. Every addition is affine and shares its inversion with thousands of others. Infinity, zeros and
//! the empty digits of short scalars are left out, so a scalar of one costs one addition.

mod digits;

use std::sync::atomic::{AtomicBool, Ordering};

use ark_ec::short_weierstrass::{Projective, SWCurveConfig};
use ark_ff::{AdditiveGroup, BigInt, PrimeField, Zero};
use rayon::prelude::*;

use self::digits::{Classes, Digits, Scalars, n_windows};
use super::affine::{Adder, Buckets, PackedOf, Portable, Vector, buckets_cost};
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
    let tasks: Vec<Task> = plan.tasks(&digits).collect();
    let sum = |task: &Task| Some((task.window, sum_of_task(adder(), plan, task, points, stop)?));
    let sums = tasks.par_iter().with_max_len(1).map(sum).collect::<Option<Vec<_>>>()?;
    let sum =
        (0..n_windows(plan.window_bits)).rev().fold(Projective::zero(), |mut sum: Projective<P>, window| {
            for _ in 0..plan.window_bits {
                sum.double_in_place();
            }
            sum + sums.iter().filter(|(of, _)| *of == window).map(|(_, sum)| sum).sum::<Projective<P>>()
        });
    (!stop.load(Ordering::Relaxed)).then_some(sum)
}

/// One window of some of the terms.
struct Task<'a> {
    window: u32,
    /// `index * 2 + sign`.
    entries: &'a [u32],
    digits: &'a [i16],
}

/// The digits of a task times their points.
fn sum_of_task<P, A>(
    adder: A,
    plan: Plan,
    task: &Task,
    points: &[PackedOf<A>],
    stop: &AtomicBool,
) -> Option<Projective<P>>
where
    P: SWCurveConfig<BaseField: Coordinate>,
    A: Adder<Field = P::BaseField>,
{
    let mut buckets = Buckets::new(adder, task.digits.len(), plan.n_buckets(), |_, _| A::INFINITY);
    for (entries, digits) in task.entries.chunks(CHUNK).zip(task.digits.chunks(CHUNK)) {
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        let pairs = entries.iter().zip(digits).filter(|(_, digit)| **digit != 0);
        buckets.add(
            points,
            pairs.map(|(entry, digit)| [digit.unsigned_abs().into(), entry ^ u32::from(*digit < 0)]),
        );
    }
    Some(buckets.weighted_sum(points))
}

fn is_infinity<F: Coordinate>(point: &F::Packed) -> bool {
    F::from_row(F::coordinates(point).1).is_zero()
}

/// How the work is cut up.
#[derive(Clone, Copy, Debug)]
struct Plan {
    window_bits: u32,
    /// Points of a task.
    piece: usize,
}

impl Plan {
    /// What costs the least on so many threads.
    fn new<A: Adder>(classes: Classes, n_threads: usize) -> Self {
        let plan = |window_bits: u32| {
            let piece = classes.lens(window_bits).sum::<usize>().div_ceil(TASKS_A_THREAD * n_threads);
            Self { window_bits, piece: piece.max(MIN_TASK) }
        };
        let cost = |plan: &Self| {
            let cost =
                |n: usize| n.div_ceil(plan.piece) * buckets_cost::<A>(n.min(plan.piece), plan.n_buckets());
            // All windows that the same classes reach cost the same.
            let lens: Vec<usize> = classes.lens(plan.window_bits).collect();
            lens.chunk_by(usize::eq).map(|alike| alike.len() * cost(alike[0])).sum::<usize>()
        };
        (2..=MAX_WINDOW).map(plan).min_by_key(cost).expect("the range of widths is not empty")
    }

    /// That of digits of zero, which stays empty, and one a magnitude.
    const fn n_buckets(&self) -> usize {
        (1 << (self.window_bits - 1)) + 1
    }

    fn tasks(self, digits: &Digits) -> impl Iterator<Item = Task<'_>> {
        (0..).zip(digits.windows()).flat_map(move |(window, (entries, digits))| {
            let pieces = entries.chunks(self.piece).zip(digits.chunks(self.piece));
            pieces.map(move |(entries, digits)| Task { window, entries, digits })
        })
    }
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
