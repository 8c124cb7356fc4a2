//! `sum_i s_i P_i` for scalars of full width, on all threads, in variable time.
//!
//! Bucket method with signed digits and affine points. Source: Bernstein, Doumen, Lange, Oosterwijk 2012, section 4 (buckets);
//! Booth 1951 (digits that need no carry from below); Montgomery 1987, section 10.3.1 (one inversion for many).
//!
//! A task is one window of the digits of some of the points. Chunk by chunk it sorts the points by the magnitude of their
//! digit, adds up each bucket's points as a binary tree, and adds that to the bucket; then it weighs the buckets. Every
//! addition is affine and shares its inversion with thousands of others. Infinity, zeros and the empty digits of short
//! scalars are left out, so a scalar of one costs one addition.

use std::sync::atomic::{AtomicBool, Ordering};

use ark_ec::AffineRepr;
use ark_ec::short_weierstrass::{Affine, Projective, SWCurveConfig};
use ark_ff::{AdditiveGroup, BigInt, PrimeField, Zero};
use rayon::prelude::*;

use super::affine::{Adder, FEW_BUCKETS, Portable, Slots, Vector, segments};
use super::lanes::{Coordinate, Width, with_lanes};
use crate::{
    backend::check_msm,
    error::EngineError,
    points::{Curve, Points},
};

/// Points sorted at a time: 2 MiB in G1, what a core's cache holds.
const CHUNK: usize = 1 << 15;
/// Points fetched at a time, from anywhere in memory.
const AHEAD: usize = 16;
/// Fewest points of a task.
const MIN_TASK: usize = 1 << 12;
/// Tasks a thread, so that none waits long for the last.
const TASKS_A_THREAD: usize = 4;
/// Widest window, in bits.
const MAX_WINDOW: u32 = 16;
/// A scalar has 254 bits; a 255th, zero, says that the top digit is not negative.
const SCALAR_BITS: u32 = 255;

/// See [`crate::backend::Backend::msm_g1_vartime`].
pub(super) fn msm_vartime<C: Curve<BaseField: Coordinate>>(
    width: Width,
    points: &Points<C>,
    scalars: &[C::ScalarField],
) -> Result<Projective<C>, EngineError> {
    check_msm(points.len(), scalars.len())?;
    let packed = points.as_slice();
    let never = AtomicBool::new(false);
    Ok(sum_vartime(width, |i| packed[i].unpack(), scalars, &never).unwrap_or_default())
}

/// `sum_i scalars_i point(i)` on any curve `y^2 = x^3 + b`; `None` if `stop` was raised meanwhile.
///
/// `point` is asked again for every window: it unpacks from where the points lie, and no copy of them is kept. They must be
/// infinity or have odd order. Holds 40 bytes for every point that is not infinity with a scalar that is not zero, and per
/// thread some megabytes.
pub(super) fn sum_vartime<P>(
    width: Width,
    point: impl Fn(usize) -> Affine<P> + Sync,
    scalars: &[P::ScalarField],
    stop: &AtomicBool,
) -> Option<Projective<P>>
where
    P: SWCurveConfig<BaseField: Coordinate, ScalarField: PrimeField<BigInt = BigInt<4>>>,
{
    with_lanes!(
        width,
        |lanes| sum_with(|| Vector::<_, P::BaseField>::new(lanes), point, scalars, stop),
        sum_with(Portable::<P::BaseField>::new, point, scalars, stop)
    )
}

fn sum_with<P, A>(
    adder: impl Fn() -> A + Sync,
    point: impl Fn(usize) -> Affine<P> + Sync,
    scalars: &[P::ScalarField],
    stop: &AtomicBool,
) -> Option<Projective<P>>
where
    P: SWCurveConfig<ScalarField: PrimeField<BigInt = BigInt<4>>>,
    A: Adder<Field = P::BaseField>,
{
    let term = |(index, scalar): (usize, &P::ScalarField)| {
        let counts = !scalar.is_zero() && !point(index).is_zero();
        counts.then(|| Term { index: index as u32, scalar: scalar.into_bigint() })
    };
    let terms: Vec<Term> = scalars.par_iter().enumerate().filter_map(term).collect();
    let plan = Plan::new(terms.len(), rayon::current_num_threads());
    let pieces: Vec<&[Term]> = terms.chunks(plan.piece.max(1)).collect();
    let task = |task: usize| {
        let (window, piece) = (task / pieces.len(), pieces[task % pieces.len()]);
        Task::new(adder(), plan, window as u32, piece.len()).run(&point, piece, stop)
    };
    let n_tasks = plan.n_windows() as usize * pieces.len();
    let sums = (0..n_tasks).into_par_iter().with_max_len(1).map(task).collect::<Option<Vec<_>>>()?;
    let sum = sums.chunks(pieces.len().max(1)).rev().fold(Projective::zero(), |mut sum, window| {
        for _ in 0..plan.window_bits {
            sum.double_in_place();
        }
        sum + window.iter().sum::<Projective<P>>()
    });
    (!stop.load(Ordering::Relaxed)).then_some(sum)
}

/// A point that counts, and how often.
struct Term {
    index: u32,
    scalar: BigInt<4>,
}

/// How the work is cut up.
#[derive(Clone, Copy, Debug)]
struct Plan {
    window_bits: u32,
    /// Points of a task.
    piece: usize,
}

impl Plan {
    /// What costs the fewest additions for `n` points on so many threads.
    fn new(n: usize, n_threads: usize) -> Self {
        let plan = |window_bits: u32| {
            let n_windows = SCALAR_BITS.div_ceil(window_bits) as usize;
            let n_pieces = (TASKS_A_THREAD * n_threads).div_ceil(n_windows).min(n.div_ceil(MIN_TASK)).max(1);
            Self { window_bits, piece: n.div_ceil(n_pieces) }
        };
        let cost = |plan: &Self| {
            let buckets = 1usize << (plan.window_bits - 1);
            // Two additions a bucket, dearer than those of the points: projective ones, or small batches.
            let of_buckets = buckets * if buckets <= FEW_BUCKETS { 4 } else { 3 };
            plan.n_windows() as usize * (n + n.div_ceil(plan.piece.max(1)) * of_buckets)
        };
        (2..=MAX_WINDOW).map(plan).min_by_key(cost).expect("the range of widths is not empty")
    }

    const fn n_windows(&self) -> u32 {
        SCALAR_BITS.div_ceil(self.window_bits)
    }
}

/// Digit `window` of a scalar, in `-2^(c-1) ..= 2^(c-1)`: its `c` bits, less `2^c` if the highest of them is set, and one more
/// if the bit below them is.
fn digit(scalar: &BigInt<4>, window: u32, c: u32) -> i32 {
    // The bits from the one below the window on.
    let bits = if window == 0 {
        scalar.0[0] << 1
    } else {
        let low = (window * c - 1) as usize;
        let (limb, shift) = (low / 64, low % 64);
        let next = scalar.0.get(limb + 1).copied().unwrap_or(0);
        scalar.0[limb] >> shift | (next << 1) << (63 - shift)
    };
    let bits = (bits & ((2 << c) - 1)) as i32;
    ((bits + 1) >> 1) - (bits >> c << c)
}

/// One window of some points.
struct Task<A: Adder> {
    plan: Plan,
    window: u32,
    /// The buckets, then the points of a chunk in the order of their buckets.
    slots: Slots<A>,
    digits: Vec<i32>,
    /// The end of each bucket in `order`; the first is that of digits of zero, which are left out.
    ends: Vec<u32>,
    /// Places in the chunk, sorted by the digit's magnitude.
    order: Vec<u32>,
}

impl<A: Adder> Task<A> {
    fn new(adder: A, plan: Plan, window: u32, n: usize) -> Self {
        let n_buckets = 1 << (plan.window_bits - 1);
        let chunk = n.min(CHUNK);
        let n_slots = n_buckets + chunk.max(2 * segments(n_buckets).0);
        Self {
            plan,
            window,
            slots: Slots::new(adder, vec![A::INFINITY; n_slots], chunk),
            digits: vec![0; chunk],
            ends: vec![0; n_buckets + 1],
            order: vec![0; chunk],
        }
    }

    fn run<P: SWCurveConfig<BaseField = A::Field>>(
        mut self,
        point: &impl Fn(usize) -> Affine<P>,
        terms: &[Term],
        stop: &AtomicBool,
    ) -> Option<Projective<P>> {
        for terms in terms.chunks(CHUNK) {
            if stop.load(Ordering::Relaxed) {
                return None;
            }
            let n = self.sort(terms);
            let first = self.ends.len() - 1;
            let Slots { adder, slots, .. } = &mut self.slots;
            for (slots, places) in slots[first..].chunks_mut(AHEAD).zip(self.order[..n].chunks(AHEAD)) {
                // Fetched before any is used: the processor then waits for all of them at once.
                let mut points = [(P::BaseField::ZERO, P::BaseField::ZERO); AHEAD];
                for (copy, &place) in points.iter_mut().zip(places) {
                    let Affine { x, y, .. } = point(terms[place as usize].index as usize);
                    *copy = (x, y);
                }
                for ((slot, (x, y)), &place) in slots.iter_mut().zip(points).zip(places) {
                    *slot = adder.enter(x, y, u32::from(self.digits[place as usize] < 0));
                }
            }
            self.add_up(first as u32);
        }
        let n_buckets = self.ends.len() - 1;
        Some(self.slots.weighted_sum::<P>(0, n_buckets, n_buckets))
    }

    /// Cuts the digits of a chunk and sorts the places of those that are not zero by magnitude; how many there are.
    fn sort(&mut self, terms: &[Term]) -> usize {
        self.ends.fill(0);
        for (term, place) in terms.iter().zip(&mut self.digits) {
            *place = digit(&term.scalar, self.window, self.plan.window_bits);
            self.ends[place.unsigned_abs() as usize] += 1;
        }
        let mut start = 0;
        self.ends[0] = 0;
        for end in &mut self.ends {
            start += core::mem::replace(end, start);
        }
        for (place, digit) in (0..).zip(&self.digits[..terms.len()]) {
            if *digit != 0 {
                let end = &mut self.ends[digit.unsigned_abs() as usize];
                self.order[*end as usize] = place;
                *end += 1;
            }
        }
        start as usize
    }

    /// Adds the sorted points to their buckets.
    fn add_up(&mut self, first: u32) {
        self.slots.add_runs(first, &self.ends[1..]);
        let mut start = first;
        for (bucket, end) in (0..).zip(&self.ends[1..]) {
            let end = first + end;
            if end > start {
                if self.slots.adder.leave(&self.slots.slots[bucket as usize]).is_none() {
                    self.slots.slots[bucket as usize] = self.slots.slots[start as usize];
                } else {
                    self.slots.pairs.push([bucket, start]);
                }
            }
            start = end;
        }
        self.slots.flush();
    }
}

#[cfg(test)]
mod tests {
    use ark_bn254::{Fr, G2Affine, G2Projective};
    use ark_ec::{CurveGroup, PrimeGroup};
    use ark_ff::One;

    use super::*;

    /// Digits put together again are the scalar, at every width.
    #[test]
    fn digits_are_the_scalar() {
        let scalars =
            [Fr::zero(), Fr::one(), -Fr::one(), Fr::from(0x8000_8000_8000_8000u64), -Fr::from(12_345u64)];
        for c in 2..=MAX_WINDOW {
            for scalar in scalars {
                let integer = scalar.into_bigint();
                let n_windows = SCALAR_BITS.div_ceil(c);
                let sum = (0..n_windows).rev().fold(Fr::zero(), |sum, window| {
                    let digit = digit(&integer, window, c);
                    assert!(digit.unsigned_abs() <= 1 << (c - 1));
                    sum * Fr::from(1u64 << c) + Fr::from(digit)
                });
                assert_eq!(sum, scalar, "{c} bits");
            }
        }
    }

    /// On G2: infinity, repeated points, zeros, ones, short and full scalars, more than one chunk and piece.
    #[test]
    fn sums_in_g2() {
        let n = CHUNK + 37;
        let step = G2Projective::generator();
        let multiples: Vec<_> =
            core::iter::successors(Some(G2Projective::zero()), |last| Some(*last + step)).take(n).collect();
        let points: Vec<G2Affine> = G2Projective::normalize_batch(&multiples);
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
            assert_eq!(sum_vartime(width, |i| points[i], &scalars, &stop), Some(step * expected));
            assert_eq!(
                sum_vartime(width, |_| points[7], &scalars, &stop),
                Some(points[7] * scalars.iter().sum::<Fr>())
            );
            assert_eq!(sum_vartime(width, |i| points[i], &[], &stop), Some(G2Projective::zero()));
            stop.store(true, Ordering::Relaxed);
            assert_eq!(sum_vartime(width, |i| points[i], &scalars, &stop), None);
        }
    }
}
