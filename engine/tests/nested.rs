//! Calls from rayon's own threads. A thread that waits there takes up other work: whatever a call holds while it waits, the
//! next call must not need. A failure is a test that does not end.

use ark_ec::AffineRepr;
use blindsum_engine::backend::Backend;
use blindsum_engine::bases::Bases;
use blindsum_engine::cpu::Cpu;
use blindsum_engine::curve::Fq;
use blindsum_engine::mask::{MaskKey, SignedMask};
use blindsum_engine::pedersen::{commit_many, commit_vartime};
use blindsum_engine::points::{Grumpkin, Points};
use blindsum_engine::secret::Blinding;
use rayon::prelude::*;

const CALLS: u64 = 24;

fn check(backend: &dyn Backend) {
    let bases = Bases::derive(1 << 15).expect("not too many");
    let rows = [vec![3; bases.len()], vec![-5; bases.len()]];
    let rows: Vec<&[i32]> = rows.iter().map(Vec::as_slice).collect();
    let generator = ark_grumpkin::Affine::generator();
    // Uploaded, and their digest taken, by whichever call comes first.
    let points = Points::<Grumpkin>::new(&vec![generator; 1 << 15]);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().expect("a pool");
    pool.install(|| {
        (0..CALLS).into_par_iter().for_each(|call| {
            let blindings = [Blinding::from(Fq::from(call)), Blinding::from(Fq::from(1u8))];
            let commitments =
                commit_many(backend, &bases, &rows, 4, &blindings).expect("a backend that works");
            let sum = vec![3; bases.len()];
            let opened =
                commit_vartime(backend, &bases, &sum, &Fq::from(call)).expect("a backend that works");
            assert_eq!(commitments[0].point(), opened);
            let scalars = vec![Fq::from(call); points.len()];
            let got = backend.msm_grumpkin_vartime(&points, &scalars).expect("a backend that works");
            assert_eq!(got, generator * Fq::from(call * points.len() as u64));
            let mut acc = vec![0; 100_000];
            let mask = MaskKey::new([7; 32]);
            let masks = [SignedMask::add(mask.clone()), SignedMask::subtract(mask)];
            backend.mask_expand(&masks, 0, &mut acc).expect("a backend that works");
            assert!(acc.iter().all(|word| *word == 0));
        });
    });
}

#[test]
fn the_cpu_serves_rayon() {
    check(&Cpu);
}

#[test]
#[cfg(feature = "gpu")]
#[cfg_attr(skip_gpu_tests, ignore = "built with SKIP_GPU_TESTS=1")]
fn the_gpu_serves_rayon() {
    check(&blindsum_engine::gpu::Gpu::open().unwrap_or_else(|error| panic!("{error}")));
}
