//! Committing to a vector of signed 16-bit words. The peer is ark-ec, given the same points and words: `ark_bigint` as field
//! elements, `ark_split` as magnitudes cut by sign, for want of a signed call (see [`SignedSum`]).
//!
//! `cpu` runs on all threads, every other id on one. Before the groups, the calls run in turn, five times
//! each, and the ratio of the minima is printed: that is the figure to quote.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use blindsum_benches::ark::SignedSum;
use blindsum_engine::{
    bases::Bases,
    cpu::Cpu,
    pedersen::{commit_vartime, commit_words},
    secret::Blinding,
};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{Rng, SeedableRng},
};

const SEED: u64 = 1;
const LOG_SIZES: [u32; 5] = [12, 14, 16, 18, 20];
const REPEATS: usize = 5;

/// One way to commit to a case.
type Call = fn(&Case);

struct Case {
    bases: Bases,
    words: Vec<i32>,
    wide: Vec<i64>,
    ark: SignedSum,
    blinding: Blinding,
}

impl Case {
    fn new(all: &Bases, log_size: u32) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(SEED);
        let bases = all.prefix(1 << log_size).expect("derived");
        let words: Vec<i32> = (0..bases.len()).map(|_| (rng.next_u32() as i32 >> 16).max(-32767)).collect();
        Self {
            wide: words.iter().map(|x| i64::from(*x) << 8).collect(),
            ark: SignedSum::new(&bases.points().unpack(), &words, 16),
            blinding: Blinding::generate(&mut rng),
            bases,
            words,
        }
    }

    fn ours(&self) {
        black_box(commit_words(&Cpu, &self.bases, &self.words, 16, &self.blinding))
            .expect("words of 16 bits");
    }

    fn ours_vartime_24(&self) {
        let _ = black_box(commit_vartime(&Cpu, &self.bases, &self.wide, self.blinding.expose()))
            .expect("words of 24 bits");
    }

    fn ark_bigint(&self) {
        let _ = black_box(self.ark.bigint());
    }

    fn ark_split(&self) {
        let _ = black_box(self.ark.split());
    }
}

fn time(call: impl Fn()) -> Duration {
    let start = Instant::now();
    call();
    start.elapsed()
}

fn report_ratio(case: &Case) {
    let mut best = [Duration::MAX; 3];
    for _ in 0..REPEATS {
        let now = [time(|| case.ours()), time(|| case.ark_bigint()), time(|| case.ark_split())];
        best = std::array::from_fn(|i| best[i].min(now[i]));
    }
    let [ours, bigint, split] = best.map(|best| best.as_secs_f64() * 1e3);
    eprintln!(
        "commit 2^{}, one thread: ours {ours:.2} ms, ark msm_bigint {bigint:.2} ms, ark msm_u16 by sign {split:.2} ms: {:.2}x the best peer",
        case.words.len().ilog2(),
        bigint.min(split) / ours,
    );
}

fn bench(criterion: &mut Criterion) {
    let largest = LOG_SIZES.iter().max().expect("not empty");
    let all = Bases::open(None, 1 << largest).expect("a cache directory");
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool of one");
    let mut group = criterion.benchmark_group("commit");
    group.sample_size(10);
    for log_size in LOG_SIZES {
        let case = Case::new(&all, log_size);
        one_thread.install(|| report_ratio(&case));
        let size = format!("2^{log_size}");
        group.throughput(Throughput::Elements(1 << log_size));
        group.bench_function(BenchmarkId::new("cpu", &size), |b| b.iter(|| case.ours()));
        let calls: [(&str, Call); 4] = [
            ("cpu_one_thread", Case::ours),
            ("cpu_one_thread_vartime_24_bits", Case::ours_vartime_24),
            ("ark_bigint", Case::ark_bigint),
            ("ark_split", Case::ark_split),
        ];
        for (name, call) in calls {
            group.bench_function(BenchmarkId::new(name, &size), |b| {
                one_thread.install(|| b.iter(|| call(&case)));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
