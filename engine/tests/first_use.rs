//! Tables and digests that are made at their first use, asked for by all workers of a pool at the same time, in a process
//! that has made none yet. An initialiser that handed work to the pool would wait for workers that wait for it.

use blindsum_engine::{
    bases::Bases,
    cpu::Cpu,
    curve::Fq,
    pedersen::{Commitment, commit_many, commit_words},
    schnorr::SecretKey,
    secret::Blinding,
};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use rayon::prelude::*;

#[test]
fn all_workers_may_be_the_first() {
    // Several chunks of a digest.
    let bases = Bases::derive(1 << 16).expect("a small dimension");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(16).build().expect("a pool");
    let digests: Vec<[u8; 32]> =
        pool.install(|| (0..64).into_par_iter().map(|_| bases.points().digest()).collect());
    assert!(digests.iter().all(|digest| *digest == digests[0]));

    let short = bases.prefix(3).expect("there are more");
    let blindings: Vec<Blinding> = (1..=64u64).map(|r| Blinding::from(Fq::from(r))).collect();
    let rows = vec![&[1i32, -2, 3][..]; 64];
    let together: Vec<Commitment> =
        pool.install(|| commit_many(&Cpu, &short, &rows, 16, &blindings)).expect("valid input");
    let alone: Vec<Commitment> = blindings
        .iter()
        .map(|blinding| commit_words(&Cpu, &short, rows[0], 16, blinding).expect("valid input"))
        .collect();
    assert_eq!(together, alone);

    let key = |seed| *SecretKey::generate(&mut ChaCha20Rng::seed_from_u64(seed)).public();
    let keys: Vec<_> = pool.install(|| (0..64).into_par_iter().map(key).collect());
    assert_eq!(keys, (0..64).map(key).collect::<Vec<_>>());
}
