//! One proof from every backend: the same key, witness and randomness give the same bytes.

#[path = "../../circuits/tests/cohort/mod.rs"]
mod cohort;

use blindsum_circuits::{ProvingKey, Statement, prove};
use blindsum_engine::backend::Backend;
use blindsum_engine::cpu::Cpu;
use blindsum_engine::gpu::Gpu;
use blindsum_engine::roster::CohortSize;
use blindsum_engine::twin::Twin;
use cohort::{Cohort, SEED};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

#[test]
fn a_gpu_proves_the_same_bytes() {
    let rng = || ChaCha20Rng::seed_from_u64(SEED);
    let key = ProvingKey::setup_development(CohortSize::N16, &mut rng()).expect("setup");
    let cohort = Cohort::small();
    let (_, witness) = Statement::check(&cohort.roster, &cohort.context, &cohort.leaves, &cohort.signed)
        .expect("an honest cohort");
    let proven = |backend: &dyn Backend| {
        prove(backend, &key, &witness, &mut rng()).expect("an honest witness").to_bytes()
    };
    let expected = proven(&Cpu);
    let gpu = Gpu::open().expect("an adapter");
    assert!(proven(&gpu) == expected, "{}", gpu.name());
    let twin = Twin::new(Cpu, gpu);
    assert!(proven(&twin) == expected, "{}", twin.name());
}
