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
use ark_ff::{AdditiveGroup, BigInt, BigInteger, PrimeField, Zero};
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
/// A magnitude has 253 bits; a 254th, zero, says that the top digit is not negative.
const SCALAR_BITS: u32 = 254;

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
    assert!(scalars.len() <= 1 << 31, "an index and a sign in 32 bits");
    let terms = Terms::new(|i| point(i).is_zero(), scalars);
    let plan = Plan::new(&terms, rayon::current_num_threads());
    let tasks: Vec<(u32, &[Term])> = (0..plan.n_windows())
        .flat_map(|window| {
            terms.of_window(window, plan.window_bits).chunks(plan.piece).map(move |piece| (window, piece))
        })
        .collect();
    let task = |&(window, piece): &(u32, &[Term])| {
        let sum = Task::new(adder(), plan, window, piece.len()).run(&point, piece, stop)?;
        Some((window, sum))
    };
    let sums = tasks.par_iter().with_max_len(1).map(task).collect::<Option<Vec<_>>>()?;
    let sum = (0..plan.n_windows()).rev().fold(Projective::zero(), |mut sum: Projective<P>, window| {
        for _ in 0..plan.window_bits {
            sum.double_in_place();
        }
        sum + sums.iter().filter(|(of, _)| *of == window).map(|(_, sum)| sum).sum::<Projective<P>>()
    });
    (!stop.load(Ordering::Relaxed)).then_some(sum)
}

/// A point that counts, with the magnitude of its scalar.
#[derive(Clone, Default)]
struct Term {
    /// `index * 2 + sign`.
    entry: u32,
    scalar: BigInt<4>,
}

/// The longest magnitudes of each class of terms, in bits: those of a field element negated where that is shorter, and of
/// what a witness is full of, bits and words.
const CLASSES: [u32; 6] = [253, 128, 64, 32, 16, 1];

/// The terms that count among scalars from index `first` on, with their classes.
fn classified<F: PrimeField<BigInt = BigInt<4>>>(
    first: usize,
    scalars: &[F],
    is_infinity: impl Fn(usize) -> bool,
) -> impl Iterator<Item = (usize, Term)> {
    let counts = move |(index, scalar): &(usize, &F)| !scalar.is_zero() && !is_infinity(*index);
    (first..).zip(scalars).filter(counts).map(|(index, scalar)| {
        let (scalar, mut negated) = (scalar.into_bigint(), F::MODULUS);
        negated.sub_with_borrow(&scalar);
        let negative = negated < scalar;
        let scalar = if negative { negated } else { scalar };
        let bits = scalar.num_bits();
        let class = CLASSES.iter().rposition(|longest| bits <= *longest).expect("half of the field");
        (class, Term { entry: (index as u32) << 1 | u32::from(negative), scalar })
    })
}

/// The terms that count, longest class first.
struct Terms {
    terms: Vec<Term>,
    /// How many terms are in a class or in one of those before it.
    ends: [usize; CLASSES.len()],
}

impl Terms {
    fn new<F: PrimeField<BigInt = BigInt<4>>>(
        is_infinity: impl Fn(usize) -> bool + Sync,
        scalars: &[F],
    ) -> Self {
        let counts_of = |(chunk, scalars): (usize, &[F])| {
            let mut counts = [0; CLASSES.len()];
            for (class, _) in classified(chunk * CHUNK, scalars, &is_infinity) {
                counts[class] += 1;
            }
            counts
        };
        let counts: Vec<_> = scalars.par_chunks(CHUNK).enumerate().map(counts_of).collect();
        let n_terms = counts.iter().flatten().sum();
        // By all threads: the first touch of fresh memory is what takes time.
        let mut terms: Vec<Term> = rayon::iter::repeat_n(Term::default(), n_terms).collect();
        let mut places: Vec<[&mut [Term]; CLASSES.len()]> =
            counts.iter().map(|_| Default::default()).collect();
        let (mut rest, mut ends) = (&mut terms[..], [0; CLASSES.len()]);
        for (class, end) in ends.iter_mut().enumerate() {
            for (places, counts) in places.iter_mut().zip(&counts) {
                (places[class], rest) = rest.split_at_mut(counts[class]);
            }
            *end = n_terms - rest.len();
        }
        let chunks = scalars.par_chunks(CHUNK).enumerate().zip(&mut places);
        chunks.for_each(|((chunk, scalars), places)| {
            let mut places = places.each_mut().map(|places| places.iter_mut());
            for (class, term) in classified(chunk * CHUNK, scalars, &is_infinity) {
                *places[class].next().expect("as many as were counted") = term;
            }
        });
        Self { terms, ends }
    }

    /// The terms that may have a digit other than zero in this window.
    fn of_window(&self, window: u32, window_bits: u32) -> &[Term] {
        // A digit takes in the bit below its window.
        let lowest = (window * window_bits).saturating_sub(1);
        let n_classes = CLASSES.iter().take_while(|longest| **longest > lowest).count();
        &self.terms[..n_classes.checked_sub(1).map_or(0, |last| self.ends[last])]
    }
}

/// How the work is cut up.
#[derive(Clone, Copy, Debug)]
struct Plan {
    window_bits: u32,
    /// Points of a task.
    piece: usize,
}

impl Plan {
    /// What costs the fewest additions on so many threads.
    fn new(terms: &Terms, n_threads: usize) -> Self {
        let lens = |window_bits: u32| {
            (0..SCALAR_BITS.div_ceil(window_bits))
                .map(move |window| terms.of_window(window, window_bits).len())
        };
        let plan = |window_bits: u32| {
            let piece = lens(window_bits).sum::<usize>().div_ceil(TASKS_A_THREAD * n_threads);
            Self { window_bits, piece: piece.max(MIN_TASK) }
        };
        let cost = |plan: &Self| {
            let buckets = 1usize << (plan.window_bits - 1);
            // Two additions a bucket, dearer than those of the points: projective ones, or small batches.
            let of_buckets = buckets * if buckets <= FEW_BUCKETS { 4 } else { 3 };
            lens(plan.window_bits).map(|n| n + n.div_ceil(plan.piece) * of_buckets).sum::<usize>()
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
    /// `index * 2 + sign` of the chunk's points, sorted by the digit's magnitude.
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
            for (slots, entries) in slots[first..].chunks_mut(AHEAD).zip(self.order[..n].chunks(AHEAD)) {
                // Fetched before any is used: the processor then waits for all of them at once.
                let mut points = [(P::BaseField::ZERO, P::BaseField::ZERO); AHEAD];
                for (copy, &entry) in points.iter_mut().zip(entries) {
                    let Affine { x, y, .. } = point((entry >> 1) as usize);
                    *copy = (x, y);
                }
                for ((slot, (x, y)), &entry) in slots.iter_mut().zip(points).zip(entries) {
                    *slot = adder.enter(x, y, entry & 1);
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
        for (term, digit) in terms.iter().zip(&self.digits) {
            if *digit != 0 {
                let end = &mut self.ends[digit.unsigned_abs() as usize];
                self.order[*end as usize] = term.entry ^ u32::from(*digit < 0);
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
    use ark_ff::{Field, One};

    use super::*;

    /// Digits put together again are the scalar, at every width.
    #[test]
    fn digits_are_the_scalar() {
        let half = -Fr::from(2u64).inverse().expect("not zero");
        let scalars =
            [Fr::zero(), Fr::one(), half, Fr::from(0x8000_8000_8000_8000u64), half - Fr::from(12_345u64)];
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

    /// Every term is in a class long enough for it, with its sign, and in no window that its class does not reach.
    #[test]
    fn terms_are_sorted_by_length() {
        let small = [0u64, 1, 2, 0xffff, 0x1_0000, u64::from(u32::MAX), 1 << 32, u64::MAX];
        let powers = [64, 65, 127, 128, 129, 252].map(|bits| Fr::from(2u64).pow([bits]));
        let scalars: Vec<Fr> =
            small.into_iter().map(Fr::from).chain(powers).flat_map(|scalar| [scalar, -scalar]).collect();
        let terms = Terms::new(|i| i == 2, &scalars);
        // Two zeros, and the infinity.
        assert_eq!(terms.terms.len(), scalars.len() - 3);
        for term in &terms.terms {
            let value = Fr::from_bigint(term.scalar).expect("below the modulus");
            assert_eq!(scalars[(term.entry >> 1) as usize], if term.entry & 1 == 1 { -value } else { value });
        }
        for c in 2..=MAX_WINDOW {
            for window in 0..SCALAR_BITS.div_ceil(c) {
                let n = terms.of_window(window, c).len();
                assert!(terms.terms[n..].iter().all(|term| digit(&term.scalar, window, c) == 0));
            }
        }
        assert_eq!(terms.of_window(0, 16).len(), terms.terms.len());
        assert_eq!(
            terms.of_window(9, 16).len(),
            6,
            "2^128, 2^129, 2^252 and their negatives have more than 128 bits"
        );
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
