//! Groth16: synthesis and proof, ours beside ark-groth16 over the same statement, witness and key.
//!
//! `prove/ark-groth16` gets its matrices and its assignment ready made, and the reduction that our keys are made with, which
//! has one transform less than its own: the least that it can do. `prove/cpu` and `prove/gpu` are [`prove`] as users call it,
//! synthesis and the check of every constraint included. `gpu` is left out where the only adapter is software.
//!
//! N = 256 (2^20) needs minutes for its setup and runs only when a filter asks for it: `-- "2\^20"`.

use std::env::args;

use ark_bn254::{Bn254, Fr};
use ark_groth16::Groth16;
use ark_relations::gr1cs::{ConstraintSynthesizer, ConstraintSystem, OptimizationGoal, R1CS_PREDICATE_LABEL};
use ark_std::UniformRand;
use ark_std::rand::{SeedableRng as _, rngs::StdRng};
use blindsum_circuits::aggregation::Aggregation;
use blindsum_circuits::qap::SnarkjsReduction;
use blindsum_circuits::{ProvingKey, Statement, Witness, prove};
use blindsum_engine::backend::Backend;
use blindsum_engine::cpu::Cpu;
use blindsum_engine::curve::{Fr as Leaf, hash_to_curve};
use blindsum_engine::gpu::Gpu;
use blindsum_engine::roster::{CohortSize, Roster, RoundContext};
use blindsum_engine::schnorr::{SecretKey, sign_commitment};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

const SEED: u64 = 0xb11d;

/// A full cohort's witness.
fn witness(size: CohortSize) -> Witness {
    let mut rng = ChaCha20Rng::seed_from_u64(SEED);
    let context = RoundContext::from_hash(&[0x5a; 32]);
    let keys: Vec<SecretKey> = (0..size.slots()).map(|_| SecretKey::generate(&mut rng)).collect();
    let roster = Roster::new(size, keys.iter().map(|key| Some(*key.public())).collect()).expect("fresh keys");
    let (signed, leaves): (Vec<_>, Vec<Leaf>) = keys
        .iter()
        .zip(0u8..=255)
        .map(|(key, slot)| {
            let commitment = hash_to_curve("bench commitment", u64::from(slot));
            let (signed, leaf) = sign_commitment(key, slot, &context, commitment, &mut rng);
            ((slot, signed), leaf)
        })
        .unzip();
    Statement::check(&roster, &context, &leaves, &signed).expect("an honest cohort").1
}

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
        let witness = witness(size);
        let key = ProvingKey::setup_development(size, &mut rng).expect("setup");
        let circuit = Aggregation::new(&key, &witness).expect("an honest witness");

        let cs = ConstraintSystem::<Fr>::new_ref();
        cs.set_optimization_goal(OptimizationGoal::Constraints);
        circuit.generate_constraints(cs.clone()).expect("an honest witness");
        cs.finalize();
        let n_rows = (cs.num_constraints() + cs.num_instance_variables()).next_power_of_two();
        let matrices = cs.to_matrices().expect("recorded").remove(R1CS_PREDICATE_LABEL).expect("R1CS");
        let assignment =
            [cs.instance_assignment().expect("given"), cs.witness_assignment().expect("given")].concat();
        let mut old_rng = StdRng::seed_from_u64(SEED);
        let ark_key = key.to_ark();

        let id = |backend: &str| BenchmarkId::new(backend, format!("2^{}", n_rows.ilog2()));
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
            b.iter(|| {
                let [r, s] = std::array::from_fn(|_| Fr::rand(&mut old_rng));
                Groth16::<Bn254, SnarkjsReduction>::create_proof_with_reduction_and_matrices(
                    &ark_key,
                    r,
                    s,
                    &matrices,
                    cs.num_instance_variables(),
                    cs.num_constraints(),
                    &assignment,
                )
                .expect("honest")
            });
        });
        group.finish();
    }
}

criterion_group!(benches, groth16);
criterion_main!(benches);
