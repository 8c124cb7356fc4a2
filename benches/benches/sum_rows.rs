//! Adding 32 rows of words. Bytes are bytes of rows; transfers are part of the time.

use std::hint::black_box;

use blindsum_engine::backend::Backend;
use blindsum_engine::cpu::Cpu;
use blindsum_engine::gpu::Gpu;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

const SEED: u64 = 1;
const N_ROWS: usize = 32;
const LOG_SIZES: [u32; 3] = [12, 16, 20];

fn bench(criterion: &mut Criterion) {
    let gpu = Gpu::open().inspect_err(|error| eprintln!("sum_rows/gpu is left out: {error}")).ok();
    if let Some(gpu) = &gpu {
        eprintln!("sum_rows/gpu is {} ({})", gpu.adapter().name, gpu.adapter().kind);
    }
    let mut rng = ChaCha20Rng::seed_from_u64(SEED);
    let mut group = criterion.benchmark_group("sum_rows");
    group.sample_size(10);
    for log_size in LOG_SIZES {
        let n_words = 1usize << log_size;
        let size = format!("2^{log_size}");
        let rows: Vec<Vec<u32>> =
            (0..N_ROWS).map(|_| (0..n_words).map(|_| rng.next_u32()).collect()).collect();
        let rows: Vec<&[u32]> = rows.iter().map(Vec::as_slice).collect();
        let mut acc = vec![0u32; n_words];
        group.throughput(Throughput::Bytes((N_ROWS * n_words * 4) as u64));
        group.bench_function(BenchmarkId::new("cpu", &size), |b| {
            b.iter(|| Cpu.sum_rows(&rows, black_box(&mut acc)).expect("a backend that works"));
        });
        if let Some(gpu) = &gpu {
            group.bench_function(BenchmarkId::new("gpu", &size), |b| {
                b.iter(|| gpu.sum_rows(&rows, black_box(&mut acc)).expect("a backend that works"));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
