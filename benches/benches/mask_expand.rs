//! Expanding 64 masks into a vector. Bytes are bytes of keystream; transfers are part of the time.
//!
//! `cpu` is one call on all threads, `cpu_one_thread` the same on one; `gpu` is the first adapter (software ones
//! included: see the line printed at the start); `chacha20_crate` is the peer, the keystream alone on one thread.

use std::hint::black_box;

use blindsum_benches::masks;
use blindsum_engine::backend::Backend;
use blindsum_engine::cpu::{Cpu, Width};
use blindsum_engine::gpu::Gpu;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const N_MASKS: usize = 64;
const LOG_SIZES: [u32; 3] = [12, 16, 20];

fn bench(criterion: &mut Criterion) {
    let masks = masks::masks(N_MASKS);
    let gpu = Gpu::open().inspect_err(|error| eprintln!("mask_expand/gpu is left out: {error}")).ok();
    if let Some(gpu) = &gpu {
        eprintln!("mask_expand/gpu is {} ({})", gpu.adapter().name, gpu.adapter().kind);
    }
    eprintln!("mask_expand/cpu runs {}", Width::widest().name());
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool of one");

    let mut group = criterion.benchmark_group("mask_expand");
    group.sample_size(10);
    for log_size in LOG_SIZES {
        let n_words = 1usize << log_size;
        let size = format!("2^{log_size}");
        let mut acc = vec![0u32; n_words];
        group.throughput(Throughput::Bytes((N_MASKS * n_words * 4) as u64));
        group.bench_function(BenchmarkId::new("cpu", &size), |b| {
            b.iter(|| Cpu.mask_expand(&masks, 0, black_box(&mut acc)).expect("a backend that works"));
        });
        group.bench_function(BenchmarkId::new("cpu_one_thread", &size), |b| {
            one_thread.install(|| {
                b.iter(|| Cpu.mask_expand(&masks, 0, black_box(&mut acc)).expect("a backend that works"))
            });
        });
        if let Some(gpu) = &gpu {
            group.bench_function(BenchmarkId::new("gpu", &size), |b| {
                b.iter(|| gpu.mask_expand(&masks, 0, black_box(&mut acc)).expect("a backend that works"));
            });
        }
        group.bench_function(BenchmarkId::new("chacha20_crate", &size), |b| {
            b.iter(|| masks::keystream(&masks, black_box(n_words)));
        });
        // One mask alone, as a client's self-mask: the transposition is not shared.
        group.throughput(Throughput::Bytes((n_words * 4) as u64));
        group.bench_function(BenchmarkId::new("cpu_one_thread_one_mask", &size), |b| {
            one_thread.install(|| {
                b.iter(|| Cpu.mask_expand(&masks[..1], 0, black_box(&mut acc)).expect("a backend that works"))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
