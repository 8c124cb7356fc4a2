//! Multi-scalar multiplication on G1 of BN254 with scalars that fill the field, and on Grumpkin with signed 16-bit words.
//! The peers are ark-ec and halo2curves, given the same points and the same scalars in their own forms.
//!
//! Every id runs on all threads. `gpu` is the first adapter (software ones included: see the line printed at the start)
//! with the limbs that suit it, `gpu_l13x20` the same with limbs that run everywhere; the points lie on the device after
//! the first call. Every id converts the scalars as part of the time. `ark_ec` is `VariableBaseMSM::msm`, `halo2curves`
//! is `msm_best`, on x86-64 with its assembly. Before the groups, a call of each is compared with the others, one on the GPU is
//! taken apart, and the calls run in turn, five times each: the ratio of the minima is the figure to quote.

use std::env::args;
use std::hint::black_box;
use std::time::{Duration, Instant};

use ark_ec::short_weierstrass::Affine;
use ark_ec::{CurveGroup, VariableBaseMSM};
use blindsum_benches::{halo2, inputs};
use blindsum_engine::DeviceError;
use blindsum_engine::backend::Backend;
use blindsum_engine::cpu::Cpu;
use blindsum_engine::curve::Fr;
use blindsum_engine::gpu::{Gpu, GpuLimits, Limbs, ProfileReport};
use blindsum_engine::points::{G1, G1Projective, Grumpkin, Points};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use halo2curves::bn256;

const LOG_SIZES: [u32; 4] = [10, 12, 14, 16];
const REPEATS: usize = 5;
const SIGNED_LOG_SIZES: [u32; 2] = [12, 16];
const SIGNED_BITS: u8 = 16;
const SIGNED_ROWS: [(usize, &str); 2] = [(1, "1_row"), (16, "16_rows")];

/// The sum as its maker holds it: converting it is no part of the time.
enum Sum {
    Ark(G1Projective),
    Halo2curves(bn256::G1),
}

impl Sum {
    fn affine(self) -> Affine<G1> {
        match self {
            Self::Ark(sum) => sum.into_affine(),
            Self::Halo2curves(sum) => halo2::to_ark(&sum),
        }
    }
}

/// One way to compute a case.
struct Way<'a> {
    name: &'static str,
    call: Box<dyn Fn(&Case) -> Sum + 'a>,
}

impl<'a> Way<'a> {
    fn new(name: &'static str, call: impl Fn(&Case) -> Sum + 'a) -> Self {
        Self { name, call: Box::new(call) }
    }

    fn backend(name: &'static str, backend: &'a dyn Backend) -> Self {
        Self::new(name, |case| {
            Sum::Ark(backend.msm_g1_vartime(&case.points, &case.scalars).expect("a backend that works"))
        })
    }

    fn ark_ec() -> Self {
        Self::new("ark_ec", |case| {
            Sum::Ark(G1Projective::msm(&case.ark_points, &case.scalars).expect("as many as points"))
        })
    }

    fn halo2curves() -> Self {
        Self::new("halo2curves", |case| Sum::Halo2curves(case.halo2.best()))
    }

    fn time(&self, case: &Case) -> Duration {
        let start = Instant::now();
        black_box((self.call)(black_box(case)));
        start.elapsed()
    }
}

struct Case {
    size: String,
    points: Points<G1>,
    ark_points: Vec<Affine<G1>>,
    scalars: Vec<Fr>,
    halo2: halo2::Sum,
}

impl Case {
    fn new(all: &Points<G1>, log_size: u32) -> Self {
        let points = all.prefix(1 << log_size).expect("the largest case has them all");
        let ark_points = points.unpack();
        let scalars = inputs::uniform_vector(&mut inputs::rng(), points.len());
        Self {
            size: format!("2^{log_size}"),
            halo2: halo2::Sum::new(&ark_points, &scalars),
            points,
            ark_points,
            scalars,
        }
    }

    /// All ways give the same point.
    fn check(&self, ways: &[Way]) {
        let mut sums = ways.iter().map(|way| (way.name, (way.call)(self).affine()));
        let (first, expected) = sums.next().expect("not empty");
        for (name, sum) in sums {
            assert_eq!(sum, expected, "{name} and {first} differ at {}", self.size);
        }
    }

    fn report_profile(&self, gpu: &Gpu) {
        let (_, report) = gpu
            .profiled(|gpu| gpu.msm_g1_vartime(&self.points, &self.scalars))
            .expect("a backend that works");
        let ProfileReport { wall_ms, kernels, upload, wait_milliseconds, host_milliseconds, .. } = &report;
        eprintln!(
            "msm {}, one call on {}: {wall_ms:.2} ms, of which upload {:.2} ms, waiting {wait_milliseconds:.2} ms, host {host_milliseconds:.2} ms",
            self.size,
            gpu.adapter().name,
            upload.milliseconds,
        );
        for kernel in kernels {
            let milliseconds = match report.timestamps {
                true => format!("{:.3} ms", kernel.milliseconds),
                false => "no clock".into(),
            };
            eprintln!("    {}: {milliseconds} in {} dispatches", kernel.name, kernel.dispatches);
        }
    }

    fn report_ratios(&self, ways: &[Way], turns: usize) {
        let mut best = vec![Duration::MAX; ways.len()];
        for _ in 0..turns {
            for (best, way) in best.iter_mut().zip(ways) {
                *best = way.time(self).min(*best);
            }
        }
        let milliseconds = |best: &Duration| best.as_secs_f64() * 1e3;
        let peer = ways.iter().position(|way| way.name == "ark_ec").expect("always there");
        let peer = milliseconds(&best[peer]);
        let columns: Vec<String> = ways
            .iter()
            .zip(&best)
            .map(|(way, best)| match way.name {
                "ark_ec" => format!("ark_ec {peer:.2} ms"),
                name => {
                    let own = milliseconds(best);
                    format!("{name} {own:.2} ms (ark_ec / {name} = {:.2})", peer / own)
                }
            })
            .collect();
        eprintln!("msm {}, best of {turns}: {}", self.size, columns.join(", "));
    }
}

/// Criterion runs every bench once, as it does unless `cargo bench` asks for more: then only small cases are compared
/// and measured beforehand.
fn is_test() -> bool {
    args().any(|arg| arg == "--test") || !args().any(|arg| arg == "--bench")
}

fn open(name: &str, limits: GpuLimits) -> Option<Gpu> {
    let say = |error: &DeviceError| eprintln!("{name} is left out: {error}");
    let gpu = Gpu::with_limits(limits).inspect_err(say).ok()?;
    eprintln!("{name} is {} ({}), limbs {}", gpu.adapter().name, gpu.adapter().kind, gpu.limbs());
    Some(gpu)
}

fn largest(log_sizes: &[u32]) -> usize {
    1 << log_sizes.iter().max().expect("not empty")
}

fn bench_msm(criterion: &mut Criterion) {
    let gpu = open("msm/gpu", GpuLimits::default());
    let gpu_l13x20 = open("msm/gpu_l13x20", GpuLimits { limbs: Some(Limbs::L13x20), ..GpuLimits::default() });
    eprintln!("msm/cpu, ark_ec and halo2curves run on {} threads", rayon::current_num_threads());
    let mut ways = vec![Way::backend("cpu", &Cpu)];
    ways.extend(gpu.as_ref().map(|gpu| Way::backend("gpu", gpu)));
    ways.extend(gpu_l13x20.as_ref().map(|gpu| Way::backend("gpu_l13x20", gpu)));
    ways.push(Way::ark_ec());
    ways.extend(halo2::is_available().then(Way::halo2curves));

    let all = Points::new(&inputs::progression(largest(&LOG_SIZES)));
    let cases = LOG_SIZES.map(|log_size| Case::new(&all, log_size));
    let (measured, turns) = if is_test() { (&cases[..2], 1) } else { (&cases[..], REPEATS) };
    for case in measured {
        case.check(&ways);
        if let Some(gpu) = &gpu {
            case.report_profile(gpu);
        }
        case.report_ratios(&ways, turns);
    }

    let mut group = criterion.benchmark_group("msm");
    group.sample_size(10);
    for case in &cases {
        group.throughput(Throughput::Elements(case.scalars.len() as u64));
        for way in &ways {
            group.bench_function(BenchmarkId::new(way.name, &case.size), |b| b.iter(|| (way.call)(case)));
        }
    }
    group.finish();
}

fn bench_msm_signed(criterion: &mut Criterion) {
    let gpu = open("msm_signed/gpu", GpuLimits::default());
    let mut backends: Vec<(&str, &dyn Backend)> = vec![("cpu", &Cpu)];
    backends.extend(gpu.as_ref().map(|gpu| ("gpu", gpu as &dyn Backend)));
    let all = Points::new(&inputs::progression::<Grumpkin>(largest(&SIGNED_LOG_SIZES)));
    let mut rng = inputs::rng();

    let mut group = criterion.benchmark_group("msm_signed");
    group.sample_size(10);
    for log_size in SIGNED_LOG_SIZES {
        let points = all.prefix(1 << log_size).expect("the largest case has them all");
        for (n_rows, rows_name) in SIGNED_ROWS {
            let rows: Vec<Vec<i32>> =
                (0..n_rows).map(|_| inputs::words(&mut rng, points.len(), SIGNED_BITS)).collect();
            let rows: Vec<&[i32]> = rows.iter().map(Vec::as_slice).collect();
            let call = |backend: &dyn Backend| {
                backend.msm_signed(&points, black_box(&rows), SIGNED_BITS).expect("a backend that works")
            };
            let checked = !is_test() || log_size == SIGNED_LOG_SIZES[0];
            let expected = checked.then(|| call(&Cpu));
            group.throughput(Throughput::Elements((n_rows * points.len()) as u64));
            for (name, backend) in &backends {
                if let Some(expected) = &expected {
                    assert_eq!(
                        &call(*backend),
                        expected,
                        "{name} and cpu differ at 2^{log_size}, {rows_name}"
                    );
                }
                let id = BenchmarkId::new(format!("{name}_{rows_name}"), format!("2^{log_size}"));
                group.bench_function(id, |b| b.iter(|| call(*backend)));
            }
        }
    }
    group.finish();
}

criterion_group!(benches, bench_msm, bench_msm_signed);
criterion_main!(benches);
