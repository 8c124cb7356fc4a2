//! `sum_i s_i P_i` for scalars of full width, on all threads, in variable time.
//!
//! Bucket method with signed digits and affine points. Source: Bernstein, Doumen, Lange, Oosterwijk 2012, section 4 (buckets);
//! Booth 1951 (digits that need no carry from below); Montgomery 1987, section 10.3.1 (one inversion for many).
//!
//! A task is one window of the digits of some of the points: it adds each to the bucket of its digit's magnitude ([`Buckets`]),
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
/// A magnitude has 253 bits; a 254th, zero, says that the top digit is not negative.
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
/// Holds 40 bytes for every point that is not infinity with a scalar that is not zero, and per thread some megabytes.
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
    let terms = Terms::new(|i| is_infinity::<P::BaseField>(&points[i]), scalars);
    let plan = Plan::new(&terms, rayon::current_num_threads());
    let tasks: Vec<(u32, &[Term])> = (0..plan.n_windows())
        .flat_map(|window| {
            terms.of_window(window, plan.window_bits).chunks(plan.piece).map(move |piece| (window, piece))
        })
        .collect();
    let task = |&(window, piece): &(u32, &[Term])| {
        let sum = sum_of_window(adder(), plan, window, points, piece, stop)?;
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

/// The digits of one window times their points.
fn sum_of_window<P, A>(
    adder: A,
    plan: Plan,
    window: u32,
    points: &[PackedOf<A>],
    terms: &[Term],
    stop: &AtomicBool,
) -> Option<Projective<P>>
where
    P: SWCurveConfig<BaseField: Coordinate>,
    A: Adder<Field = P::BaseField>,
{
    let mut buckets = Buckets::new(adder, terms.len(), plan.n_buckets(), |_, _| A::INFINITY);
    for terms in terms.chunks(CHUNK) {
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        let pairs = terms.iter().filter_map(|term| {
            let digit = digit(&term.scalar, window, plan.window_bits);
            (digit != 0).then(|| [digit.unsigned_abs(), term.entry ^ u32::from(digit < 0)])
        });
        buckets.add(points, pairs);
    }
    Some(buckets.weighted_sum(points))
}

fn is_infinity<F: Coordinate>(point: &F::Packed) -> bool {
    F::from_row(F::coordinates(point).1).is_zero()
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
            let cost = |n: usize| n.div_ceil(plan.piece) * buckets_cost(n.min(plan.piece), plan.n_buckets());
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
