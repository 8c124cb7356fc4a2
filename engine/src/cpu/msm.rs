//! `sum_i s_i P_i` for scalars of full width, on all threads, in variable time.
//!
//! Bucket method with signed digits and affine points. Source: Bernstein, Doumen, Lange, Oosterwijk 2012, section 4 (buckets);
//! Montgomery 1987, section 10.3.1 (one inversion for many).
//!
//! Digits are cut once, before anything is added: a window then reads its own and nothing else of the scalars. A task is one window of the digits of some of the points: it adds each to the bucket of its digit's magnitude ([`Buckets`]),
//! then it weighs the buckets. Every addition is affine and shares its inversion with thousands of others. Infinity, zeros and
//! the empty digits of short scalars are left out, so a scalar of one costs one addition.

use std::sync::atomic::{AtomicBool, Ordering};

use ark_ec::short_weierstrass::{Projective, SWCurveConfig};
use ark_ff::{AdditiveGroup, BigInt, BigInteger, PrimeField, Zero};
use rayon::prelude::*;

use super::affine::{Adder, Buckets, PackedOf, Portable, Vector, buckets_cost};
use super::lanes::{Coordinate, Width, with_lanes};
use crate::{
    backend::check_msm,
    error::EngineError,
    points::{Curve, PackedPoint, Points},
};

/// Terms between two looks at whether to stop, and those that a thread classifies at a time.
const CHUNK: usize = 1 << 15;
/// Fewest points of a task.
const MIN_TASK: usize = 1 << 12;
/// Tasks a thread, so that none waits long for the last.
const TASKS_A_THREAD: usize = 4;
/// Widest window, in bits.
const MAX_WINDOW: u32 = 16;
/// A magnitude has 253 bits; a 254th, zero, takes the carry into the top digit.
const SCALAR_BITS: u32 = 254;

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
    let is_infinity = |i: usize| is_infinity::<P::BaseField>(&points[i]);
    let plan = |classes: &Classes| Plan::new::<A>(classes, rayon::current_num_threads());
    let terms = Terms::new(is_infinity, scalars, plan);
    let tasks: Vec<Task> = terms.tasks().collect();
    let sum = |task: &Task| Some((task.window, sum_of_task(adder(), terms.plan, task, points, stop)?));
    let sums = tasks.par_iter().with_max_len(1).map(sum).collect::<Option<Vec<_>>>()?;
    let sum = (0..terms.plan.n_windows()).rev().fold(Projective::zero(), |mut sum: Projective<P>, window| {
        for _ in 0..terms.plan.window_bits {
            sum.double_in_place();
        }
        sum + sums.iter().filter(|(of, _)| *of == window).map(|(_, sum)| sum).sum::<Projective<P>>()
    });
    (!stop.load(Ordering::Relaxed)).then_some(sum)
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

/// The longest magnitudes of each class of terms, in bits: those of a field element negated where that is shorter, and of
/// what a witness is full of, bits and words.
const CLASSES: [u32; N_CLASSES] = [253, 128, 64, 32, 16, 1];
const N_CLASSES: usize = 6;

/// A point that counts, with the magnitude of its scalar.
struct Term {
    class: usize,
    /// `index * 2 + sign`.
    entry: u32,
    magnitude: BigInt<4>,
}

/// The terms that count among scalars from index `first` on.
fn terms_of<F: PrimeField<BigInt = BigInt<4>>>(
    first: usize,
    scalars: &[F],
    is_infinity: impl Fn(usize) -> bool,
) -> impl Iterator<Item = Term> {
    let counts = move |(index, scalar): &(usize, &F)| !scalar.is_zero() && !is_infinity(*index);
    (first..).zip(scalars).filter(counts).map(|(index, scalar)| {
        let (scalar, mut negated) = (scalar.into_bigint(), F::MODULUS);
        negated.sub_with_borrow(&scalar);
        let negative = negated < scalar;
        let magnitude = if negative { negated } else { scalar };
        let bits = magnitude.num_bits();
        let class = CLASSES.iter().rposition(|longest| bits <= *longest).expect("half of the field");
        Term { class, entry: (index as u32) << 1 | u32::from(negative), magnitude }
    })
}

/// How many terms are in each class or in one of those before it.
#[derive(Clone, Copy)]
struct Classes {
    ends: [usize; N_CLASSES],
}

impl Classes {
    /// How many terms may have a digit other than zero in this window: those of the first classes.
    fn n_terms(&self, window: u32, window_bits: u32) -> usize {
        let n_classes = CLASSES.iter().take_while(|longest| reaches(**longest, window, window_bits)).count();
        n_classes.checked_sub(1).map_or(0, |last| self.ends[last])
    }
}

/// Whether a magnitude of so many bits may have a digit other than zero in this window: from half of the window below on,
/// carries included, so `2^k - 1` too if that half is `2^k`.
fn reaches(n_bits: u32, window: u32, window_bits: u32) -> bool {
    n_bits >= (window * window_bits).saturating_sub(1)
}

/// The terms that count and their digits, longest class first.
struct Terms {
    plan: Plan,
    classes: Classes,
    /// `index * 2 + sign` of each.
    entries: Vec<u32>,
    /// The digits of window 0, of window 1, and so on, each of the terms that reach it.
    digits: Vec<i16>,
}

/// One window of some of the terms.
struct Task<'a> {
    window: u32,
    entries: &'a [u32],
    digits: &'a [i16],
}

impl Terms {
    fn new<F: PrimeField<BigInt = BigInt<4>>>(
        is_infinity: impl Fn(usize) -> bool + Sync,
        scalars: &[F],
        plan: impl FnOnce(&Classes) -> Plan,
    ) -> Self {
        let counts_of = |(chunk, scalars): (usize, &[F])| {
            let mut counts = [0; N_CLASSES];
            terms_of(chunk * CHUNK, scalars, &is_infinity).for_each(|term| counts[term.class] += 1);
            counts
        };
        let counts: Vec<_> = scalars.par_chunks(CHUNK).enumerate().map(counts_of).collect();
        let mut n_terms = 0;
        let ends = core::array::from_fn(|class| {
            n_terms += counts.iter().map(|counts: &[usize; N_CLASSES]| counts[class]).sum::<usize>();
            n_terms
        });
        let classes = Classes { ends };
        let plan = plan(&classes);

        // By all threads: the first touch of fresh memory is what takes time.
        let lens = (0..plan.n_windows()).map(|window| classes.n_terms(window, plan.window_bits));
        let mut entries: Vec<u32> = rayon::iter::repeat_n(0, n_terms).collect();
        let mut digits: Vec<i16> = rayon::iter::repeat_n(0, lens.clone().sum()).collect();
        let mut rest = &mut digits[..];
        let mut windows: Vec<_> = Vec::with_capacity(plan.n_windows() as usize);
        for len in lens {
            let window;
            (window, rest) = rest.split_at_mut(len);
            windows.push(cut(window, &counts).into_iter());
        }
        let places: Vec<_> = cut(&mut entries, &counts)
            .into_iter()
            .map(|entries| (entries, windows.iter_mut().filter_map(Iterator::next).collect::<Vec<_>>()))
            .collect();
        scalars.par_chunks(CHUNK).enumerate().zip(places).for_each(|((chunk, scalars), places)| {
            let (entries, mut windows) = places;
            let mut n_done = [0; N_CLASSES];
            for Term { class, entry, magnitude } in terms_of(chunk * CHUNK, scalars, &is_infinity) {
                let place = n_done[class];
                n_done[class] += 1;
                entries[class][place] = entry;
                for (window, digit) in windows.iter_mut().zip(plan.digits(&magnitude)) {
                    // In windows that the class does not reach there is no place, and the digit is zero.
                    let Some(place) = window[class].get_mut(place) else { break };
                    *place = digit;
                }
            }
        });
        Self { plan, classes, entries, digits }
    }

    /// The digits of each window.
    fn windows(&self) -> impl Iterator<Item = &[i16]> {
        let mut rest = &self.digits[..];
        (0..self.plan.n_windows()).map(move |window| {
            let digits;
            (digits, rest) = rest.split_at(self.classes.n_terms(window, self.plan.window_bits));
            digits
        })
    }

    fn tasks(&self) -> impl Iterator<Item = Task<'_>> {
        (0..).zip(self.windows()).flat_map(|(window, digits)| {
            let pieces = self.entries.chunks(self.plan.piece).zip(digits.chunks(self.plan.piece));
            pieces.map(move |(entries, digits)| Task { window, entries, digits })
        })
    }
}

/// Cuts what is in the order of the terms into the places of each chunk of scalars, class by class.
fn cut<'a, T>(mut rest: &'a mut [T], counts: &[[usize; N_CLASSES]]) -> Vec<[&'a mut [T]; N_CLASSES]> {
    let mut places: Vec<[&mut [T]; N_CLASSES]> = counts.iter().map(|_| Default::default()).collect();
    for class in 0..N_CLASSES {
        for (places, counts) in places.iter_mut().zip(counts) {
            // Windows end with the last class that reaches them.
            (places[class], rest) = rest.split_at_mut(counts[class].min(rest.len()));
        }
    }
    places
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
    fn new<A: Adder>(classes: &Classes, n_threads: usize) -> Self {
        let lens = |window_bits: u32| {
            let n_windows = SCALAR_BITS.div_ceil(window_bits);
            (0..n_windows).map(move |window| classes.n_terms(window, window_bits))
        };
        let plan = |window_bits: u32| {
            let piece = lens(window_bits).sum::<usize>().div_ceil(TASKS_A_THREAD * n_threads);
            Self { window_bits, piece: piece.max(MIN_TASK) }
        };
        let cost = |plan: &Self| {
            let cost =
                |n: usize| n.div_ceil(plan.piece) * buckets_cost::<A>(n.min(plan.piece), plan.n_buckets());
            lens(plan.window_bits).map(cost).sum::<usize>()
        };
        (2..=MAX_WINDOW).map(plan).min_by_key(cost).expect("the range of widths is not empty")
    }

    const fn n_windows(&self) -> u32 {
        SCALAR_BITS.div_ceil(self.window_bits)
    }

    /// That of digits of zero, which stays empty, and one a magnitude.
    const fn n_buckets(&self) -> usize {
        (1 << (self.window_bits - 1)) + 1
    }

    /// The digits of a magnitude, lowest first, in `-2^(c-1) .. 2^(c-1)`; the last takes all that is left, which is no more than
    /// `2^(c-1)`, and for the widest windows less.
    fn digits(self, magnitude: &BigInt<4>) -> impl Iterator<Item = i16> {
        let (c, limbs) = (self.window_bits, magnitude.0);
        let (half, last) = (1 << (c - 1), self.n_windows() - 1);
        let mut carry = 0;
        (0..=last).map(move |window| {
            let (limb, shift) = ((window * c / 64) as usize, window * c % 64);
            let above = limbs.get(limb + 1).copied().unwrap_or(0);
            let bits = (limbs[limb] >> shift | (above << 1) << (63 - shift)) & ((1 << c) - 1);
            let digit = bits as i32 + carry;
            // No `&&`: half of all digits carry, and none can be predicted.
            carry = i32::from((digit >= half) & (window < last));
            (digit - (carry << c)) as i16
        })
    }
}

#[cfg(test)]
mod tests {
    use ark_bn254::{Fr, G2Affine, G2Projective, g2};
    use ark_ec::{CurveGroup, PrimeGroup};
    use ark_ff::{Field, One};

    use super::*;
    use crate::points::PackedG2;

    /// Digits put together again are the scalar, at every width.
    #[test]
    fn digits_are_the_scalar() {
        let half = -Fr::from(2u64).inverse().expect("not zero");
        let ones = Fr::from(2u64).pow([252]) - Fr::one();
        let scalars = [
            Fr::zero(),
            Fr::one(),
            half,
            ones,
            Fr::from(0x8000_8000_8000_8000u64),
            half - Fr::from(12_345u64),
        ];
        for window_bits in 2..=MAX_WINDOW {
            let plan = Plan { window_bits, piece: 1 };
            for scalar in scalars {
                let digits: Vec<i16> = plan.digits(&scalar.into_bigint()).collect();
                assert_eq!(digits.len(), plan.n_windows() as usize);
                let sum = digits.iter().rev().fold(Fr::zero(), |sum, digit| {
                    assert!(usize::from(digit.unsigned_abs()) < plan.n_buckets());
                    sum * Fr::from(1u64 << window_bits) + Fr::from(*digit)
                });
                assert_eq!(sum, scalar, "{window_bits} bits");
            }
        }
    }

    /// Every term has its digits and its sign, in the windows that its class reaches.
    #[test]
    fn terms_are_their_digits() {
        let small = [0u64, 1, 2, 0xffff, 0x1_0000, u64::from(u32::MAX), 1 << 32, u64::MAX];
        let powers = [64, 65, 127, 128, 129, 252].map(|bits| Fr::from(2u64).pow([bits]));
        let scalars: Vec<Fr> =
            small.into_iter().map(Fr::from).chain(powers).flat_map(|scalar| [scalar, -scalar]).collect();
        let many: Vec<Fr> = scalars.iter().copied().cycle().take(2 * CHUNK + 100).collect();
        let widths = (2..=MAX_WINDOW).map(|window_bits| (&scalars, window_bits));
        for (scalars, window_bits) in widths.chain([(&many, 13)]) {
            let terms = Terms::new(|i| i == 2, scalars, |_| Plan { window_bits, piece: 1 });
            let mut sums = vec![Fr::zero(); scalars.len()];
            let mut weight = Fr::one();
            for digits in terms.windows() {
                for (entry, digit) in terms.entries.iter().zip(digits) {
                    let value = if entry & 1 == 1 { -Fr::from(*digit) } else { Fr::from(*digit) };
                    sums[(entry >> 1) as usize] += weight * value;
                }
                weight *= Fr::from(1u64 << terms.plan.window_bits);
            }
            // Point 2 is infinity.
            let expected = scalars.iter().enumerate().map(|(i, s)| if i == 2 { Fr::zero() } else { *s });
            assert_eq!(sums, expected.collect::<Vec<_>>());
            let n_zeros = scalars.iter().filter(|scalar| scalar.is_zero()).count();
            assert_eq!(terms.entries.len(), scalars.len() - n_zeros - 1);
        }
    }

    #[test]
    fn windows_have_the_classes_that_reach_them() {
        let classes = Classes { ends: [1, 2, 3, 4, 5, 6] };
        assert_eq!([0, 1, 2, 4, 8, 9, 15].map(|window| classes.n_terms(window, 16)), [6, 5, 4, 3, 2, 1, 1]);
        // 2^32 - 1 is 2^33 less half of that, and one: its highest digit of 11 bits is in window 3.
        assert_eq!(classes.n_terms(3, 11), 4);
        assert_eq!(classes.n_terms(3, 12), 3);
    }

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
