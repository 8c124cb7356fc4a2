//! Transforms over the scalar field of BN254, and the quotient of a proof made of six. The peer is ark-poly, given the same
//! vectors, on all threads like every id.
//!
//! `ntt` is a forward transform on the odd coset in place; ark-poly's takes and leaves natural order, so it permutes,
//! which ours never does: that is the point of the comparison. `quotient` there is `A B - C` on the odd coset by the same
//! six transforms. `gpu` is the first adapter (software ones included: see the line printed at the start) with the limbs
//! that suit it, `gpu_l13x20` the same with limbs that run everywhere; transfers are part of the time. Before the groups,
//! the ways are compared with each other and run in turn, five times each: the ratio of the minima is the figure to quote.

use std::env::args;
use std::hint::black_box;
use std::time::{Duration, Instant};

use blindsum_benches::{ark, inputs};
use blindsum_engine::backend::Backend;
use blindsum_engine::cpu::Cpu;
use blindsum_engine::curve::Fr;
use blindsum_engine::gpu::{Gpu, GpuLimits, Limbs};
use blindsum_engine::ntt::{Direction, Domain};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const LOG_SIZES: [u32; 4] = [12, 16, 18, 20];
const REPEATS: usize = 5;

/// A transform in place.
type Transform<'a> = Box<dyn Fn(&mut Vec<Fr>) + 'a>;
/// A quotient, left in the first.
type Quotient<'a> = Box<dyn Fn(&mut Vec<Fr>, &mut Vec<Fr>) + 'a>;

/// One way to transform, and to make a quotient.
struct Way<'a> {
    name: &'static str,
    ntt: Transform<'a>,
    quotient: Quotient<'a>,
}

impl<'a> Way<'a> {
    fn backend(name: &'static str, backend: &'a dyn Backend) -> Self {
        let transform = |values: &mut Vec<Fr>| {
            backend.ntt(Direction::Forward, Domain::OddCoset, values).expect("a backend that works");
        };
        let quotient =
            |a: &mut Vec<Fr>, b: &mut Vec<Fr>| backend.quotient(a, b).expect("a backend that works");
        Self { name, ntt: Box::new(transform), quotient: Box::new(quotient) }
    }

    fn ark_poly() -> Self {
        let transform = |values: &mut Vec<Fr>| ark::forward(Domain::OddCoset, values);
        Self { name: "ark_poly", ntt: Box::new(transform), quotient: Box::new(ark::quotient) }
    }
}

struct Case {
    size: String,
    a: Vec<Fr>,
    b: Vec<Fr>,
}

impl Case {
    fn new(log_size: u32) -> Self {
        let mut rng = inputs::rng();
        let mut vector = || inputs::uniform_vector(&mut rng, 1 << log_size);
        Self { size: format!("2^{log_size}"), a: vector(), b: vector() }
    }

    /// All ways give the same values.
    fn check(&self, ways: &[Way<'_>]) {
        let mut expected = self.a.clone();
        inputs::bit_reverse(&mut expected);
        ark::forward(Domain::OddCoset, &mut expected);
        let (mut quotient, mut b) = (self.a.clone(), self.b.clone());
        ark::quotient(&mut quotient, &mut b);
        for way in ways.iter().filter(|way| way.name != "ark_poly") {
            let (mut a, mut b) = (self.a.clone(), self.b.clone());
            (way.ntt)(&mut a);
            assert!(a == expected, "{} differs in ntt at {}", way.name, self.size);
            a.copy_from_slice(&self.a);
            (way.quotient)(&mut a, &mut b);
            assert!(a == quotient, "{} differs in quotient at {}", way.name, self.size);
        }
    }

    fn report_ratios(&self, ways: &[Way<'_>], turns: usize) {
        let mut best = vec![[Duration::MAX; 2]; ways.len()];
        let (mut a, mut b) = (self.a.clone(), self.b.clone());
        for _ in 0..turns {
            for (way, best) in ways.iter().zip(&mut best) {
                let start = Instant::now();
                (way.ntt)(black_box(&mut a));
                best[0] = best[0].min(start.elapsed());
                let start = Instant::now();
                (way.quotient)(black_box(&mut a), black_box(&mut b));
                best[1] = best[1].min(start.elapsed());
            }
        }
        let peer = ways.iter().position(|way| way.name == "ark_poly").expect("the peer is among them");
        for (way, times) in ways.iter().zip(&best) {
            let ratio = |i: usize| best[peer][i].as_secs_f64() / times[i].as_secs_f64();
            eprintln!(
                "{} {:<12} ntt {:>9.3} ms, {:.2} times as fast as ark-poly; quotient {:>9.3} ms, {:.2} times",
                self.size,
                way.name,
                times[0].as_secs_f64() * 1e3,
                ratio(0),
                times[1].as_secs_f64() * 1e3,
                ratio(1),
            );
        }
    }
}

fn bench(criterion: &mut Criterion) {
    // As criterion decides it.
    let is_test =
        args().any(|argument| argument == "--test") || !args().any(|argument| argument == "--bench");
    let open = |limbs| Gpu::with_limits(GpuLimits { limbs, ..GpuLimits::default() });
    let gpus: Vec<(&str, Gpu)> = [("gpu", None), ("gpu_l13x20", Some(Limbs::L13x20))]
        .into_iter()
        .filter_map(|(name, limbs)| match open(limbs) {
            Ok(gpu) => Some((name, gpu)),
            Err(error) => {
                eprintln!("ntt/{name} is left out: {error}");
                None
            }
        })
        .collect();
    for (name, gpu) in &gpus {
        eprintln!("ntt/{name} is {} ({}), {}", gpu.adapter().name, gpu.adapter().kind, gpu.limbs());
    }
    let mut ways = vec![Way::backend("cpu", &Cpu), Way::ark_poly()];
    ways.extend(gpus.iter().map(|(name, gpu)| Way::backend(name, gpu)));

    // In test mode what is compared is small.
    let (log_sizes, turns) = if is_test { (&LOG_SIZES[..1], 1) } else { (&LOG_SIZES[..], REPEATS) };
    let cases: Vec<Case> = log_sizes.iter().map(|log_size| Case::new(*log_size)).collect();
    for case in &cases {
        case.check(&ways);
        case.report_ratios(&ways, turns);
    }
    for operation in ["ntt", "quotient"] {
        let mut group = criterion.benchmark_group(operation);
        group.sample_size(10);
        for Case { size, a, b } in &cases {
            group.throughput(Throughput::Elements(a.len() as u64));
            let (mut a, mut b) = (a.clone(), b.clone());
            for way in &ways {
                group.bench_function(BenchmarkId::new(way.name, size), |bencher| match operation {
                    "ntt" => bencher.iter(|| (way.ntt)(black_box(&mut a))),
                    _ => bencher.iter(|| (way.quotient)(black_box(&mut a), black_box(&mut b))),
                });
            }
        }
        group.finish();
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
