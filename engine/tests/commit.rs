//! Commitments: naive = cpu, byte for byte, on edges and on random input.

use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::Field;
use blindsum_engine::{
    backend::Backend,
    bases::Bases,
    cpu::Cpu,
    curve::{self, Fq, Point},
    error::{EngineError, Misuse},
    naive,
    pedersen::{Commitment, commit, commit_many, commit_many_vartime, commit_vartime, commit_words},
    points::Points,
    quantize::{Quantizer, Update},
    secret::Blinding,
};
use proptest::{
    prelude::*,
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use rand_core::Rng;

const SEED: u64 = 0xb11d_5003;

fn bases(d: usize) -> Bases {
    static BASES: std::sync::OnceLock<Bases> = std::sync::OnceLock::new();
    BASES.get_or_init(|| Bases::derive(1 << 13).expect("a small dimension")).prefix(d).expect("derived")
}

fn points(bases: &Bases) -> Vec<Point> {
    bases.points().unpack()
}

fn narrow(scalars: &[i64]) -> Vec<i32> {
    scalars.iter().map(|x| i32::try_from(*x).expect("at most 32 bits")).collect()
}

/// Compares the bucket method with one scalar multiplication per point.
fn check(points: &[Point], scalars: &[i64], bits: u8) {
    let words = narrow(scalars);
    let got = Cpu.msm_signed(&Points::new(points), &[&words], bits).expect("valid input");
    assert_eq!(
        got,
        naive::msm_signed(points, &[&words]),
        "n = {}, bits = {bits}, scalars {:?}..",
        points.len(),
        &scalars[..scalars.len().min(4)]
    );
}

/// Sums of up to 63 bits, which may take two rows.
fn check_sum(bases: &Bases, sum: &[i64]) {
    let zero = Fq::from(0u8);
    let got = commit_vartime(&Cpu, bases, sum, &zero).expect("valid input");
    let expected = naive::commit(&points(bases), sum, curve::blinding_base(), &zero);
    assert_eq!(got, expected, "n = {}, sum {:?}..", sum.len(), &sum[..sum.len().min(4)]);
}

fn random_scalars(n: usize, bits: u8, rng: &mut ChaCha20Rng) -> Vec<i64> {
    (0..n).map(|_| rng.next_u64() as i64 >> (64 - bits)).collect()
}

#[test]
fn every_length_around_an_edge_matches_naive() {
    let mut rng = ChaCha20Rng::seed_from_u64(SEED);
    for n in [0, 1, 2, 3, 7, 8, 9, 255, 256, 257, 1023, 1024, 1025] {
        for bits in [2, 8, 16, 24, 32] {
            check(&points(&bases(n)), &random_scalars(n, bits, &mut rng), bits);
        }
    }
}

#[test]
fn long_vectors_match_naive_across_tasks_and_windows() {
    let mut rng = ChaCha20Rng::seed_from_u64(SEED + 1);
    let points = points(&bases(1 << 13));
    for (n, bits) in [(4095, 16), (4096, 16), (4097, 12), (8191, 16), (8192, 11)] {
        check(&points[..n], &random_scalars(n, bits, &mut rng), bits);
    }
}

/// The sorted chunks are longer than the naive sum can wait for, so the points are an arithmetic
/// progression, `(j + 1) P`, whose sum is one scalar multiplication. Wide enough for a window of 16 bits.
#[test]
fn several_chunks_match_a_closed_form() {
    let mut rng = ChaCha20Rng::seed_from_u64(SEED + 2);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
    let step = curve::hash_to_curve("test", 0);
    let n = (1 << 16) + 3;
    let mut progression = Vec::with_capacity(n);
    let mut current = step.into_group();
    for _ in 0..n {
        progression.push(current);
        current += step;
    }
    let points = Points::new(&ark_grumpkin::Projective::normalize_batch(&progression));
    for len in [(1 << 15) - 1, 1 << 15, (1 << 15) + 1, 1 << 16, n] {
        let scalars = random_scalars(len, 16, &mut rng);
        let factor: i128 = (1..).zip(&scalars).map(|(j, x)| j * i128::from(*x)).sum();
        let factor =
            if factor < 0 { -Fq::from(factor.unsigned_abs()) } else { Fq::from(factor.unsigned_abs()) };
        let expected = (step * factor).into_affine();
        let (points, words) = (points.prefix(len).expect("n points"), narrow(&scalars));
        let sum = || Cpu.msm_signed(&points, &[&words], 16).expect("valid input")[0].into_affine();
        assert_eq!(sum(), expected, "{len} points, all threads");
        assert_eq!(pool.install(sum), expected, "{len} points, one thread");
    }
}

#[test]
fn constant_vectors_and_extremes_match_naive() {
    for bits in [2u8, 8, 9, 15, 16, 17, 24, 31, 32, 33, 48, 62, 63] {
        let (min, max) = (-1i64 << (bits - 1), (1i64 << (bits - 1)) - 1);
        for n in [1, 5, 120] {
            let bases = bases(n);
            let check = |scalars: &[i64]| {
                check_sum(&bases, scalars);
                if bits <= 32 {
                    check(&points(&bases), scalars, bits);
                }
            };
            for value in [0, 1, -1, min, min + 1, max, max - 1, min / 2, max / 2] {
                check(&vec![value; n]);
            }
            check(&[min, max, 0, -1, 1].into_iter().cycle().take(n).collect::<Vec<_>>());
        }
    }
}

/// Digits on the edge of every window: `2^k - 1`, `2^k`, `2^k + 1` and their negatives.
#[test]
fn scalars_around_every_power_of_two_match_naive() {
    let scalars: Vec<i64> =
        (0..62).flat_map(|k| [(1i64 << k) - 1, 1 << k, (1 << k) + 1]).flat_map(|x| [x, -x]).collect();
    let bases = bases(scalars.len());
    check_sum(&bases, &scalars);
    for bits in [16, 32] {
        let (min, max) = (-1i64 << (bits - 1), (1i64 << (bits - 1)) - 1);
        let narrow: Vec<i64> = scalars.iter().map(|x| *x.clamp(&min, &max)).collect();
        check(&points(&bases), &narrow, bits);
    }
}

#[test]
fn repeated_opposite_and_progressing_points_match_naive() {
    let mut rng = ChaCha20Rng::seed_from_u64(SEED + 3);
    let base = curve::hash_to_curve("test", 1);
    let generator = curve::generator();
    let multiple = |point: Point, k: i64| (point * Fq::from(k)).into_affine();
    let n = 200i64;
    let families: Vec<Vec<Point>> = vec![
        vec![base; n as usize],
        (0..n).map(|j| if j % 2 == 0 { base } else { -base }).collect(),
        (0..n).map(|j| multiple(base, j + 1)).collect(),
        // Multiples of the generator meet the start points of the buckets.
        (0..n).map(|j| multiple(generator, j - n / 2)).collect(),
        (0..n).map(|j| if j % 3 == 0 { Point::zero() } else { multiple(base, j % 5) }).collect(),
        vec![Point::zero(); n as usize],
        vec![-generator; n as usize],
    ];
    for points in &families {
        for bits in [2, 8, 16] {
            check(points, &random_scalars(n as usize, bits, &mut rng), bits);
            check(points, &vec![1; n as usize], bits);
            check(points, &vec![-1; n as usize], bits);
            check(points, &vec![0; n as usize], bits);
        }
    }
    // A window of 16 bits over these too: the segments of the bucket sum.
    let long: Vec<Point> = families[3].iter().copied().cycle().take(9000).collect();
    check(&long, &(0..9000).map(|j| j % 7 - 3).collect::<Vec<i64>>(), 12);
}

/// Coordinates at the ends of the field and of its limbs, not only random ones.
#[test]
fn points_with_extreme_coordinates_match_naive() {
    let limb = |k: u32| curve::Fr::from(2u8).pow([64 * u64::from(k)]);
    let points: Vec<Point> = (0u32..4)
        .flat_map(|k| {
            (0u64..40).flat_map(move |i| [limb(k) * curve::Fr::from(i), limb(k) - curve::Fr::from(i)])
        })
        .flat_map(|x| [x, -x])
        .filter_map(|x| Point::get_point_from_x_unchecked(x, true))
        .collect();
    assert!(points.len() > 200, "about half of all x have a point");
    let mut rng = ChaCha20Rng::seed_from_u64(SEED + 7);
    for bits in [8, 16, 24] {
        check(&points, &random_scalars(points.len(), bits, &mut rng), bits);
    }
}

#[test]
fn random_vectors_match_naive() {
    let config = ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]));
    let all = points(&bases(256));
    let strategy = (2u8..=63, 0usize..200).prop_flat_map(|(bits, n)| {
        let (min, max) = (-1i64 << (bits - 1), (1i64 << (bits - 1)) - 1);
        (Just(bits), prop::collection::vec(min..=max, n))
    });
    runner
        .run(&strategy, |(bits, scalars)| {
            check_sum(&bases(scalars.len()), &scalars);
            if bits <= 32 {
                check(&all[..scalars.len()], &scalars, bits);
            }
            Ok(())
        })
        .expect("naive = cpu");
}

#[test]
fn blinding_is_added_exactly() {
    let bases = bases(9);
    let all = points(&bases);
    let mut rng = ChaCha20Rng::seed_from_u64(SEED + 4);
    let edges = [Fq::from(1u8), -Fq::from(1u8), Fq::from(u64::MAX), Fq::from(16u8), -Fq::from(16u8)];
    let random: Vec<Fq> = (0..20).map(|_| curve::random_fq(&mut rng)).collect();
    for r in edges.into_iter().chain(random) {
        let words: Vec<i32> = (0..9).map(|_| rng.next_u32() as i32 >> 16).collect();
        let wide: Vec<i64> = words.iter().map(|x| i64::from(*x)).collect();
        let expected = naive::commit(&all, &wide, curve::blinding_base(), &r);
        let got = commit_words(&Cpu, &bases, &words, 16, &Blinding::from(r)).expect("valid");
        assert_eq!(got.to_bytes(), curve::point_to_bytes(&expected));
        assert_eq!(commit_vartime(&Cpu, &bases, &wide, &r).expect("valid"), expected);
        assert_eq!(Commitment::from_bytes(&got.to_bytes()), Ok(got));
    }
}

#[test]
fn commitments_add_up() {
    let bases = bases(40);
    let mut rng = ChaCha20Rng::seed_from_u64(SEED + 5);
    let vectors: Vec<Vec<i32>> =
        (0..6).map(|_| (0..40).map(|_| rng.next_u32() as i32 >> 8).collect()).collect();
    let blindings: Vec<Blinding> = (0..6).map(|_| Blinding::generate(&mut rng)).collect();
    let rows: Vec<&[i32]> = vectors.iter().map(Vec::as_slice).collect();
    let commitments = commit_many(&Cpu, &bases, &rows, 24, &blindings).expect("valid");
    let total: Vec<i64> = (0..40).map(|j| vectors.iter().map(|row| i64::from(row[j])).sum()).collect();
    let r: Fq = blindings.iter().map(|blinding| *blinding.expose()).sum();
    let sum: ark_grumpkin::Projective = commitments.iter().map(|c| c.point().into_group()).sum();
    assert_eq!(commit_vartime(&Cpu, &bases, &total, &r).expect("valid"), sum.into_affine());
    for ((words, blinding), commitment) in vectors.iter().zip(&blindings).zip(&commitments) {
        assert_eq!(commit_words(&Cpu, &bases, words, 24, blinding).expect("valid"), *commitment);
    }
    assert!(matches!(
        commit_many(&Cpu, &bases, &rows, 24, &blindings[1..]),
        Err(EngineError::Misuse(Misuse::LengthMismatch { what: "blindings", expected: 6, got: 5 }))
    ));
}

/// Narrow and wide sums together, each with its own blinding.
#[test]
fn several_sums_commit_as_each_alone() {
    let bases = bases(33);
    let mut rng = ChaCha20Rng::seed_from_u64(SEED + 8);
    for widths in [vec![], vec![2], vec![32, 9], vec![33, 4], vec![63, 2, 40, 32, 16]] {
        let sums: Vec<Vec<i64>> = widths.iter().map(|bits| random_scalars(33, *bits, &mut rng)).collect();
        let blindings: Vec<Fq> = widths.iter().map(|_| curve::random_fq(&mut rng)).collect();
        let rows: Vec<&[i64]> = sums.iter().map(Vec::as_slice).collect();
        let together = commit_many_vartime(&Cpu, &bases, &rows, &blindings).expect("valid");
        let alone: Vec<Point> = sums
            .iter()
            .zip(&blindings)
            .map(|(sum, r)| naive::commit(&points(&bases), sum, curve::blinding_base(), r))
            .collect();
        assert_eq!(together, alone, "{widths:?} bits");
    }
    assert!(matches!(
        commit_many_vartime(&Cpu, &bases, &[&[0; 33]], &[]),
        Err(EngineError::Misuse(Misuse::LengthMismatch { what: "blindings", expected: 1, got: 0 }))
    ));
    assert!(matches!(
        commit_many_vartime(&Cpu, &bases, &[&[0; 33], &[0; 32]], &[Fq::from(1u8); 2]),
        Err(EngineError::Misuse(Misuse::LengthMismatch { what: "scalars", expected: 33, got: 32 }))
    ));
}

#[test]
fn quantised_updates_commit_as_their_words() {
    let mut rng = ChaCha20Rng::seed_from_u64(SEED + 6);
    let quantizer = Quantizer::new(16, 1.0, 1, 100).expect("sound");
    let (vector, _) = quantizer.quantize(&Update::new(&[0.5, -0.25, 2.0]), 7, &mut rng).expect("finite");
    let blinding = Blinding::generate(&mut rng);
    let commitment = commit(&Cpu, &bases(4), &vector, &blinding).expect("four bases");
    assert_eq!(commitment, commit_words(&Cpu, &bases(4), vector.words(), 16, &blinding).expect("four bases"));
    assert!(commit(&Cpu, &bases(5), &vector, &blinding).is_err());
}

#[test]
fn wrong_input_is_refused() {
    let bases = bases(3);
    let one = Blinding::from(Fq::from(1u8));
    let misuse = |result: Result<Commitment, EngineError>| match result {
        Err(EngineError::Misuse(misuse)) => misuse,
        other => panic!("expected misuse, got {other:?}"),
    };
    assert_eq!(
        misuse(commit_words(&Cpu, &bases, &[1, 2], 16, &one)),
        Misuse::LengthMismatch { what: "scalars", expected: 3, got: 2 }
    );
    let too_wide = Misuse::ScalarWidth { bits: 16, min: -32768, max: 32767 };
    assert_eq!(misuse(commit_words(&Cpu, &bases, &[0, 32768, 0], 16, &one)), too_wide);
    assert_eq!(misuse(commit_words(&Cpu, &bases, &[0, 0, -32769], 16, &one)), too_wide);
    assert!(commit_words(&Cpu, &bases, &[0, 32767, -32768], 16, &one).is_ok());
    assert_eq!(
        misuse(commit_words(&Cpu, &bases, &[0; 3], 1, &one)),
        Misuse::OutOfRange { what: "bits", min: 2, max: 32, got: 1 }
    );
    let zero = Blinding::from(Fq::from(0u8));
    assert_eq!(
        misuse(commit_words(&Cpu, &bases, &[0; 3], 16, &zero)),
        Misuse::Infinity { what: "commitment" }
    );
    assert!(commit_vartime(&Cpu, &bases, &[0; 3], &Fq::from(0u8)).expect("may be infinity").is_zero());
    assert!(commit_vartime(&Cpu, &bases, &[0, 1 << 62, 0], &Fq::from(0u8)).is_err());
    assert!(commit_vartime(&Cpu, &bases, &[i64::MIN, i64::MAX, 0], &Fq::from(0u8)).is_err());
    assert!(commit_vartime(&Cpu, &bases, &[0, -1 << 62, (1 << 62) - 1], &Fq::from(0u8)).is_ok());
}
