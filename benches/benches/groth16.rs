//! Groth16: synthesis and proof, ours beside ark-groth16 over the same statement, witness and key.
//!
//! `prove/ark-groth16` gets its matrices and its assignment ready made, and the reduction that our keys are made with, which
//! has one transform less than its own: the least that it can do. `prove/cpu` and `prove/gpu` are [`prove`] as users call it,
//! synthesis and the check of every constraint included. `gpu` is left out where the only adapter is software.
//!
//! N = 256 (2^20) needs minutes for its setup and runs only when a filter asks for it: `-- "2\^20"`.

use std::env::args;

use ark_std::rand::{SeedableRng as _, rngs::StdRng};
use blindsum_benches::proof::{ArkProver, cohort};
use blindsum_circuits::aggregation::Aggregation;
use blindsum_circuits::{ProvingKey, prove};
use blindsum_engine::backend::Backend;
use blindsum_engine::cpu::Cpu;
use blindsum_engine::gpu::Gpu;
use blindsum_engine::roster::CohortSize;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

const SEED: u64 = 0xb11d;

/// An adapter that is no processor in disguise.
fn gpu() -> Option<Gpu> {
    let gpu = Gpu::open().inspect_err(|error| eprintln!("prove/gpu is left out: {error}")).ok()?;
    let adapter = gpu.adapter();
    eprintln!("prove/gpu is {} ({})", adapter.name, adapter.kind);
    (!adapter.is_software()).then_some(gpu)
}

fn groth16(c: &mut Criterion) {
    let gpu = gpu();
    let mut backends: Vec<(&str, &dyn Backend)> = vec![("cpu", &Cpu)];
    backends.extend(gpu.as_ref().map(|gpu| ("gpu", gpu as &dyn Backend)));
    let largest = args().skip(1).any(|argument| argument.ends_with("20")).then_some(CohortSize::N256);
    let sizes = [CohortSize::N16, CohortSize::N64];
    for size in sizes.into_iter().filter(|_| largest.is_none()).chain(largest) {
        let mut rng = ChaCha20Rng::seed_from_u64(SEED);
        let witness = cohort(size).0;
        let key = ProvingKey::setup_development(size, &mut rng).expect("setup");
        let ark = ArkProver::new(&key, &witness);
        let mut old_rng = StdRng::seed_from_u64(SEED);

        let id = |backend: &str| BenchmarkId::new(backend, format!("2^{}", ark.n_rows().ilog2()));
        let mut group = c.benchmark_group("synthesise");
        group.sample_size(10);
        group.bench_function(id("cpu"), |b| b.iter(|| Aggregation::new(&key, &witness).expect("honest")));
        group.finish();

        let mut group = c.benchmark_group("prove");
        group.sample_size(10);
        for (name, backend) in &backends {
            group.bench_function(id(name), |b| {
                b.iter(|| prove(*backend, &key, &witness, &mut rng).expect("honest"));
            });
        }
        group.bench_function(id("ark-groth16"), |b| {
            b.iter(|| ark.prove(&mut old_rng));
        });
        group.finish();
    }
}

criterion_group!(benches, groth16);
criterion_main!(benches);
