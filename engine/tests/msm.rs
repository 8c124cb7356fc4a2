//! Every backend gives the points of `naive`, on both curves: at the sizes where tiles and workgroups have their edges, and
//! for the scalars and points that formulas have their exceptions at.

use std::sync::atomic::AtomicBool;

use ark_bn254::{Fr, G2Projective, g2};
use ark_ec::{
    AffineRepr, CurveGroup, VariableBaseMSM,
    short_weierstrass::{Affine, Projective, SWCurveConfig},
};
use ark_ff::{PrimeField, Zero};
use blindsum_engine::backend::Backend;
use blindsum_engine::cpu::{Cpu, CpuAt, Width};
use blindsum_engine::error::{DeviceError, EngineError, Misuse};
use blindsum_engine::naive;
use blindsum_engine::points::{Curve, G1, Grumpkin, PackedG2, Points};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

const SEED: u64 = 0x5eed_0002;
/// Around workgroups, their halves and their multiples.
const SIZES: [usize; 14] = [0, 1, 2, 3, 31, 32, 33, 63, 64, 65, 255, 256, 257, 1000];
/// Longer than the naive sum is patient for; the peer is ark-ec.
const LARGE: usize = 1 << 12;

/// The method of a backend that belongs to a curve.
trait Msm: Curve {
    fn msm_vartime(
        backend: &dyn Backend,
        points: &Points<Self>,
        scalars: &[Self::ScalarField],
    ) -> Result<Projective<Self>, EngineError>;
}

impl Msm for G1 {
    fn msm_vartime(
        backend: &dyn Backend,
        points: &Points<Self>,
        scalars: &[Self::ScalarField],
    ) -> Result<Projective<Self>, EngineError> {
        backend.msm_g1_vartime(points, scalars)
    }
}

impl Msm for Grumpkin {
    fn msm_vartime(
        backend: &dyn Backend,
        points: &Points<Self>,
        scalars: &[Self::ScalarField],
    ) -> Result<Projective<Self>, EngineError> {
        backend.msm_grumpkin_vartime(points, scalars)
    }
}

fn random<F: PrimeField>(rng: &mut ChaCha20Rng) -> F {
    let mut bytes = [0; 64];
    rng.fill_bytes(&mut bytes);
    F::from_le_bytes_mod_order(&bytes)
}

/// The families that scalars are drawn from.
const SCALARS: [&str; 10] = [
    "uniform",
    "equal",
    "mostly 0 and 1",
    "one bucket",
    "alternating in sign",
    "the largest",
    "small",
    "powers of two",
    "zero",
    "one alone",
];

fn scalars<F: PrimeField>(family: &str, n: usize, rng: &mut ChaCha20Rng) -> Vec<F> {
    let one = random::<F>(rng);
    (0..n)
        .map(|i| match family {
            "uniform" => random(rng),
            "equal" => one,
            "mostly 0 and 1" => match rng.next_u32() % 16 {
                0 => random(rng),
                k => F::from(k % 2),
            },
            "one bucket" => F::from(2u8).pow([77]),
            "alternating in sign" if i % 2 == 0 => one,
            "alternating in sign" => -one,
            "the largest" => -F::ONE,
            "small" => F::from(rng.next_u32() % 300) - F::from(150u8),
            "powers of two" => F::from(2u8).pow([i as u64 % u64::from(F::MODULUS_BIT_SIZE)]),
            "zero" => F::ZERO,
            "one alone" => F::from(u64::from(i == n / 2)),
            other => panic!("no family is named {other}"),
        })
        .collect()
}

/// The families that points are drawn from.
const POINTS: [&str; 6] =
    ["random", "repeated", "opposite pairs", "a progression", "infinity among them", "all infinity"];

fn points<C: SWCurveConfig<ScalarField: PrimeField>>(
    family: &str,
    n: usize,
    rng: &mut ChaCha20Rng,
) -> Vec<Affine<C>> {
    let start: Projective<C> = Affine::<C>::generator() * random::<C::ScalarField>(rng);
    let step: Projective<C> = Affine::<C>::generator() * random::<C::ScalarField>(rng);
    let mut current = start;
    let points: Vec<Projective<C>> = (0..n)
        .map(|i| match family {
            // Doubled and shifted: no sums of few of them meet.
            "random" => {
                current = current + current + step;
                current
            }
            "repeated" => start,
            "opposite pairs" if i % 2 == 1 => -current,
            "opposite pairs" => {
                current += current;
                current
            }
            "a progression" => start * C::ScalarField::from(i as u64 + 1),
            "infinity among them" if i % 3 == 1 => Projective::zero(),
            "infinity among them" => {
                current += step;
                current
            }
            "all infinity" => Projective::zero(),
            other => panic!("no family is named {other}"),
        })
        .collect();
    Projective::normalize_batch(&points)
}

fn check_msm<C: Msm>(backend: &dyn Backend, n: usize, of_points: &str, of_scalars: &str) {
    let mut rng = ChaCha20Rng::seed_from_u64(SEED ^ n as u64);
    let (points, scalars) = (points::<C>(of_points, n, &mut rng), scalars(of_scalars, n, &mut rng));
    let expected = if n < LARGE {
        naive::msm(&points, &scalars)
    } else {
        Projective::msm(&points, &scalars).expect("equal lengths")
    };
    let got = C::msm_vartime(backend, &Points::new(&points), &scalars).expect("a backend that works");
    assert_eq!(
        got.into_affine(),
        expected.into_affine(),
        "{}: {} on {n} points ({of_points}), scalars {of_scalars}, seed {SEED:#x}",
        backend.name(),
        C::NAME
    );
}

/// All that every backend must get right with scalars of full width.
fn check_msm_all<C: Msm>(backend: &dyn Backend) {
    for n in SIZES {
        check_msm::<C>(backend, n, "random", "uniform");
    }
    for of_scalars in SCALARS {
        for n in [2, 65, 257] {
            check_msm::<C>(backend, n, "random", of_scalars);
        }
        check_msm::<C>(backend, LARGE, "random", of_scalars);
    }
    for of_points in POINTS {
        for n in [2, 65, 257] {
            for of_scalars in ["uniform", "equal", "alternating in sign", "the largest", "small"] {
                check_msm::<C>(backend, n, of_points, of_scalars);
            }
        }
        check_msm::<C>(backend, LARGE, of_points, "uniform");
        check_msm::<C>(backend, LARGE, of_points, "one bucket");
    }
}

/// The families that words are drawn from.
const WORDS: [&str; 7] = ["uniform", "lowest", "highest", "both ends", "zero", "one alone", "equal"];

fn words(family: &str, n: usize, bits: u8, rng: &mut ChaCha20Rng) -> Vec<i32> {
    let (lowest, highest) = (i32::MIN >> (32 - bits), i32::MAX >> (32 - bits));
    let one = rng.next_u32() as i32 >> (32 - bits);
    (0..n)
        .map(|j| match family {
            "uniform" => rng.next_u32() as i32 >> (32 - bits),
            "lowest" => lowest,
            "highest" => highest,
            "both ends" => [lowest, highest, -1, 0, 1][j % 5],
            "zero" => 0,
            "one alone" => i32::from(j == n / 2) * lowest,
            "equal" => one,
            other => panic!("no family is named {other}"),
        })
        .collect()
}

fn check_signed(backend: &dyn Backend, n: usize, bits: u8, of_points: &str, of_rows: &[&str]) {
    let mut rng = ChaCha20Rng::seed_from_u64(SEED ^ n as u64 ^ u64::from(bits) << 32);
    let points = points::<Grumpkin>(of_points, n, &mut rng);
    let rows: Vec<Vec<i32>> = of_rows.iter().map(|family| words(family, n, bits, &mut rng)).collect();
    let rows: Vec<&[i32]> = rows.iter().map(Vec::as_slice).collect();
    let expected = if n < LARGE {
        naive::msm_signed(&points, &rows)
    } else {
        let scalars = |row: &&[i32]| row.iter().map(|word| (*word).into()).collect::<Vec<_>>();
        rows.iter().map(|row| Projective::msm(&points, &scalars(row)).expect("equal lengths")).collect()
    };
    let got = backend.msm_signed(&Points::new(&points), &rows, bits).expect("a backend that works");
    assert_eq!(got.len(), rows.len());
    let (got, expected) = (Projective::normalize_batch(&got), Projective::normalize_batch(&expected));
    if let Some(row) = got.iter().zip(&expected).position(|(a, b)| a != b) {
        panic!(
            "{}: row {row} ({}) of {} differs: {n} points ({of_points}), {bits} bits, seed {SEED:#x}",
            backend.name(),
            of_rows[row],
            rows.len()
        );
    }
}

/// All that every backend must get right with short signed words.
fn check_signed_all(backend: &dyn Backend) {
    for bits in [2, 8, 16, 24, 32] {
        for n in SIZES {
            check_signed(backend, n, bits, "random", &["uniform"]);
        }
        for n in [3, 64, 257] {
            check_signed(backend, n, bits, "random", &WORDS);
        }
        check_signed(backend, LARGE, bits, "random", &WORDS);
    }
    for n_rows in [0, 1, 2, 5, 33] {
        for n in [0, 1, 100] {
            check_signed(backend, n, 16, "random", &vec!["uniform"; n_rows]);
        }
    }
    for of_points in POINTS {
        for n in [2, 65, 257, LARGE] {
            check_signed(backend, n, 8, of_points, &WORDS);
        }
    }
    check_signed(backend, LARGE + 77, 16, "random", &["uniform"; 9]);
}

/// Refused calls change nothing: the next good one gives its answer.
fn check_misuse(backend: &dyn Backend) {
    fn refuses<T: std::fmt::Debug>(result: Result<T, EngineError>, expected: Misuse) {
        match result {
            Err(EngineError::Misuse(misuse)) => assert_eq!(misuse, expected),
            other => panic!("expected {expected:?}, got {other:?}"),
        }
    }
    let mut rng = ChaCha20Rng::seed_from_u64(SEED);
    let g1 = Points::new(&points::<G1>("random", 3, &mut rng));
    let grumpkin = Points::new(&points::<Grumpkin>("random", 3, &mut rng));
    let length = |got| Misuse::LengthMismatch { what: "scalars", expected: 3, got };
    for n in [0, 2, 4] {
        refuses(backend.msm_g1_vartime(&g1, &vec![5u8.into(); n]), length(n));
        refuses(backend.msm_grumpkin_vartime(&grumpkin, &vec![5u8.into(); n]), length(n));
        refuses(backend.msm_signed(&grumpkin, &[&[1; 3], &vec![1; n]], 16), length(n));
    }
    for bits in [0, 1, 33, 255] {
        let out_of_range = Misuse::OutOfRange { what: "bits", min: 2, max: 32, got: bits.into() };
        refuses(backend.msm_signed(&grumpkin, &[&[0; 3]], bits), out_of_range);
    }
    let width = |bits: u8| {
        let top = (1i64 << (bits - 1)) - 1;
        Misuse::ScalarWidth { bits: bits.into(), min: -top - 1, max: top }
    };
    for bits in [2u8, 8, 16, 31] {
        let top = 1i32 << (bits - 1);
        for word in [top, -top - 1, i32::MAX, i32::MIN] {
            refuses(backend.msm_signed(&grumpkin, &[&[0; 3], &[0, 0, word]], bits), width(bits));
        }
        assert!(backend.msm_signed(&grumpkin, &[&[top - 1, -top, 0]], bits).is_ok());
    }
    assert!(backend.msm_signed(&grumpkin, &[&[i32::MIN, i32::MAX, 0]], 32).is_ok());
    check_msm::<G1>(backend, 33, "random", "uniform");
    check_msm::<Grumpkin>(backend, 33, "random", "uniform");
    check_signed(backend, 33, 16, "random", &["uniform", "zero"]);
}

/// The same points again and again, several at a time, a prefix, and points that are gone: whatever a backend keeps must
/// not mix them up.
fn check_reuse(backend: &dyn Backend) {
    let mut rng = ChaCha20Rng::seed_from_u64(SEED);
    let all = points::<Grumpkin>("random", 200, &mut rng);
    let (first, second) = (Points::new(&all[..100]), Points::new(&all[100..]));
    let short = first.prefix(37).expect("there are 100");
    let scalars = scalars("uniform", 100, &mut rng);
    for _ in 0..3 {
        for points in [&first, &second, &short, &first.clone(), &Points::new(&all[50..150])] {
            let scalars = &scalars[..points.len()];
            let got = backend.msm_grumpkin_vartime(points, scalars).expect("a backend that works");
            assert_eq!(got, naive::msm(&points.unpack(), scalars), "{}", backend.name());
        }
    }
    drop(first);
    let got = backend.msm_grumpkin_vartime(&short, &scalars[..37]).expect("a backend that works");
    assert_eq!(got, naive::msm(&all[..37], &scalars[..37]), "{}", backend.name());
}

/// The CPU at every width that this processor has.
fn widths() -> impl Iterator<Item = CpuAt> {
    Width::ALL.into_iter().filter_map(|width| Cpu::at(width).ok())
}

#[test]
fn cpu_msm_is_naive_on_g1() {
    widths().for_each(|cpu| check_msm_all::<G1>(&cpu));
}

#[test]
fn cpu_msm_is_naive_on_grumpkin() {
    widths().for_each(|cpu| check_msm_all::<Grumpkin>(&cpu));
}

#[test]
fn cpu_msm_signed_is_naive() {
    widths().for_each(|cpu| check_signed_all(&cpu));
}

/// In G2 the CPU is the only backend.
#[test]
fn cpu_sums_in_g2() {
    let (stop, mut rng) = (AtomicBool::new(false), ChaCha20Rng::seed_from_u64(SEED));
    for of_points in POINTS {
        for n in [0, 1, 2, 7, 8, 9, 65, 600] {
            let points = points::<g2::Config>(of_points, n, &mut rng);
            let packed: Vec<PackedG2> = points.iter().map(PackedG2::pack).collect();
            for of_scalars in SCALARS {
                let scalars: Vec<Fr> = scalars(of_scalars, n, &mut rng);
                let expected = G2Projective::msm(&points, &scalars).expect("equal lengths");
                for cpu in widths() {
                    assert_eq!(
                        cpu.msm_g2_vartime(&packed, &scalars, &stop).expect("no device"),
                        Some(expected),
                        "{}: {n} points ({of_points}), scalars {of_scalars}, seed {SEED:#x}",
                        cpu.name()
                    );
                }
            }
        }
    }
}

#[test]
fn cpu_is_naive_on_one_thread_and_on_many() {
    for threads in [1, 7] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| {
            for cpu in widths() {
                check_msm::<G1>(&cpu, 257, "random", "uniform");
                for n_rows in [1, 3, 40] {
                    check_signed(&cpu, 3 * LARGE, 16, "random", &vec!["uniform"; n_rows]);
                }
            }
        });
    }
}

#[test]
fn cpu_refuses_misuse_and_goes_on() {
    for cpu in widths() {
        check_misuse(&cpu);
        check_reuse(&cpu);
    }
}

/// The widest is the last of those there are, and the others are refused by name.
#[test]
fn a_width_is_there_or_refused() {
    assert_eq!(widths().last().expect("portable").width(), Width::widest());
    assert!(Width::Portable.is_available());
    for width in Width::ALL {
        match Cpu::at(width) {
            Ok(cpu) => assert!(width.is_available() && cpu.name() == format!("cpu:{}", width.name())),
            Err(error) => {
                assert!(!width.is_available());
                assert!(matches!(error, DeviceError::MissingFeature { .. }), "{error}");
            }
        }
    }
}

/// On llvmpipe as on any GPU. A machine without an adapter fails these tests: build with `SKIP_GPU_TESTS=1` to see
/// them as ignored.
#[cfg(feature = "gpu")]
mod gpu {
    use std::sync::OnceLock;
    use std::time::Duration;

    use blindsum_engine::gpu::{Gpu, GpuLimits, Limbs, MsmTuning};
    use blindsum_engine::twin::Twin;

    use super::*;

    fn open(limits: GpuLimits) -> Gpu {
        Gpu::with_limits(limits).unwrap_or_else(|error| panic!("{error}"))
    }

    /// One device a limb variant: its kernels are compiled once.
    fn shared(limbs: Limbs) -> &'static Gpu {
        static GPUS: [OnceLock<Gpu>; 2] = [const { OnceLock::new() }; 2];
        GPUS[usize::from(limbs == Limbs::L13x20)]
            .get_or_init(|| open(GpuLimits { limbs: Some(limbs), ..GpuLimits::default() }))
    }

    #[test]
    #[cfg_attr(skip_gpu_tests, ignore = "built with SKIP_GPU_TESTS=1")]
    fn gpu_msm_is_naive_on_g1() {
        check_msm_all::<G1>(shared(Limbs::U64x8));
    }

    #[test]
    #[cfg_attr(skip_gpu_tests, ignore = "built with SKIP_GPU_TESTS=1")]
    fn gpu_msm_is_naive_on_grumpkin() {
        check_msm_all::<Grumpkin>(shared(Limbs::U64x8));
        check_reuse(shared(Limbs::U64x8));
    }

    #[test]
    #[cfg_attr(skip_gpu_tests, ignore = "built with SKIP_GPU_TESTS=1")]
    fn gpu_msm_signed_is_naive() {
        check_signed_all(shared(Limbs::U64x8));
        check_misuse(shared(Limbs::U64x8));
    }

    #[test]
    #[cfg_attr(skip_gpu_tests, ignore = "built with SKIP_GPU_TESTS=1")]
    fn gpu_without_64_bit_integers_is_naive() {
        check_msm_all::<G1>(shared(Limbs::L13x20));
        check_msm_all::<Grumpkin>(shared(Limbs::L13x20));
        check_signed_all(shared(Limbs::L13x20));
        check_misuse(shared(Limbs::L13x20));
        check_reuse(shared(Limbs::L13x20));
    }

    /// A binding of 1 MiB, a few groups a dimension, a budget that no dispatch meets: chunks, groups of rows, segments and
    /// dispatches at once.
    #[test]
    #[cfg_attr(skip_gpu_tests, ignore = "built with SKIP_GPU_TESTS=1")]
    fn a_small_gpu_is_naive() {
        let gpu = open(GpuLimits {
            binding_bytes: 1 << 20,
            groups_per_dimension: 9,
            dispatch_budget: Duration::from_micros(100),
            ..GpuLimits::default()
        });
        check_msm_all::<G1>(&gpu);
        check_signed_all(&gpu);
        check_reuse(&gpu);
        // More than the 2^14 points of a segment, and enough additions for their rate to be measured.
        for of_scalars in ["uniform", "equal", "mostly 0 and 1"] {
            check_msm::<G1>(&gpu, (1 << 14) + 33, "random", of_scalars);
        }
        check_signed(&gpu, (1 << 15) + 1, 16, "infinity among them", &WORDS);
    }

    /// The smallest binding there is: a row at a time, and less.
    #[test]
    #[cfg_attr(skip_gpu_tests, ignore = "built with SKIP_GPU_TESTS=1")]
    fn the_smallest_gpu_is_naive() {
        let gpu = open(GpuLimits { binding_bytes: 4096, ..GpuLimits::default() });
        for n in [1, 63, 64, 65, 300] {
            check_msm::<Grumpkin>(&gpu, n, "infinity among them", "uniform");
            check_msm::<Grumpkin>(&gpu, n, "random", "equal");
            check_signed(&gpu, n, 32, "random", &["uniform", "lowest", "zero"]);
        }
        let (mut rng, tuning) =
            (ChaCha20Rng::seed_from_u64(SEED), MsmTuning { window_bits: Some(16), ..MsmTuning::default() });
        let points = Points::new(&points::<G1>("random", 5, &mut rng));
        match gpu.msm_tuned(&points, &scalars("uniform", 5, &mut rng), tuning) {
            Err(EngineError::Device(DeviceError::LimitTooSmall { needed, got: 4096, .. })) => {
                assert!(needed >= 96 << 15);
            }
            other => panic!("{other:?}"),
        }
        check_msm::<G1>(&gpu, 5, "random", "uniform");
    }

    /// Whatever the window and the slice, the sum is the same.
    #[test]
    #[cfg_attr(skip_gpu_tests, ignore = "built with SKIP_GPU_TESTS=1")]
    fn tuning_changes_no_sum() {
        let (gpu, mut rng) = (shared(Limbs::U64x8), ChaCha20Rng::seed_from_u64(SEED));
        let affine = points::<G1>("a progression", 700, &mut rng);
        let points = Points::new(&affine);
        for family in ["uniform", "equal"] {
            let scalars = scalars(family, 700, &mut rng);
            let expected = naive::msm(&affine, &scalars);
            for (window_bits, entries_per_slice) in
                [(2, 8), (3, 1), (5, 2), (7, 3), (8, 64), (10, 1000), (13, 16), (15, 33), (16, 32)]
            {
                let tuning =
                    MsmTuning { window_bits: Some(window_bits), entries_per_slice: Some(entries_per_slice) };
                let got = gpu.msm_tuned(&points, &scalars, tuning).expect("a backend that works");
                assert_eq!(got, expected, "{family} scalars, {tuning:?}");
            }
        }
    }

    /// Points go up once for all clones and equal handles, and are dropped with the last.
    #[test]
    #[cfg_attr(skip_gpu_tests, ignore = "built with SKIP_GPU_TESTS=1")]
    fn points_stay_on_the_device_as_long_as_they_are_held() {
        let (gpu, mut rng) = (open(GpuLimits::default()), ChaCha20Rng::seed_from_u64(SEED));
        let affine = points::<Grumpkin>("random", 10, &mut rng);
        let scalars = scalars("uniform", 10, &mut rng);
        let sum = |points: &Points<Grumpkin>| {
            gpu.msm_grumpkin_vartime(points, &scalars[..points.len()]).expect("a backend that works")
        };
        let with = |points: &Points<Grumpkin>, resident| {
            assert_eq!(sum(points), naive::msm(&points.unpack(), &scalars[..points.len()]));
            assert_eq!(gpu.resident_points(), resident);
        };
        let (first, equal, other) = (Points::new(&affine), Points::new(&affine), Points::new(&affine[1..]));
        assert_eq!(gpu.resident_points(), 0);
        with(&first, 1);
        with(&first.clone(), 1);
        with(&equal, 1);
        with(&other, 2);
        drop(first);
        with(&equal, 2);
        with(&other, 2);
        drop(equal);
        with(&other, 1);
    }

    #[test]
    #[cfg_attr(skip_gpu_tests, ignore = "built with SKIP_GPU_TESTS=1")]
    fn twin_of_cpu_and_gpu() {
        let twin = Twin::new(Cpu, open(GpuLimits::default()));
        check_msm::<G1>(&twin, 3 * LARGE + 1, "random", "mostly 0 and 1");
        check_signed(&twin, 3 * LARGE + 1, 16, "random", &["uniform", "both ends"]);
    }

    #[test]
    #[cfg_attr(skip_gpu_tests, ignore = "built with SKIP_GPU_TESTS=1")]
    fn calls_from_several_threads_take_turns() {
        std::thread::scope(|scope| {
            for n in [100, 101, 102] {
                scope.spawn(move || {
                    check_msm::<G1>(shared(Limbs::U64x8), n, "random", "uniform");
                    check_signed(shared(Limbs::U64x8), n, 16, "random", &["uniform"; 3]);
                });
            }
        });
    }
}
