//! Groth16 over BN254: from a checked witness to a certificate.
//!
//! Source: Groth 2016 (eprint 2016/260), section 3.2; docs/groth16.md has the formulas and says what runs where. With the same
//! key, `r` and `s` the proof has the same bytes as ark-groth16's prover with
//! [`SnarkjsReduction`](crate::qap::SnarkjsReduction); a test compares them. Ours computes the assignment without building a
//! constraint system, refuses one that does not satisfy every constraint, naming the constraint's namespace, and leaves the
//! transforms and the sums in G1 to a backend.
//!
//! Secret: `r` and `s`, drawn anew for each proof, without which a proof would tell its witness. Timing and memory access
//! depend on the witness, which the aggregator that proves knows.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use ark_bn254::{Fr, G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ec::CurveGroup;
use blindsum_engine::EngineError;
use blindsum_engine::backend::Backend;
use blindsum_engine::cpu::Cpu;
use blindsum_engine::roster::CohortSize;
use rand_core::CryptoRng;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::certificate::{Certificate, Proof};
use crate::error::{EncodingError, VerifyError};
use crate::keys::ProvingKey;
use crate::qap;
use crate::r1cs::Assignment;
use crate::random::nonzero;
use crate::statement::Witness;

mod progress;

use progress::enter;
pub use progress::{Observer, Progress, Stage};

/// Why no certificate was made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProveError {
    /// The key is for cohorts of another size.
    #[error("the proving key is for {key} slots, the witness for {witness}")]
    SizeMismatch {
        /// Slots of the key's circuit.
        key: CohortSize,
        /// Slots of the witness.
        witness: CohortSize,
    },
    /// The witness does not satisfy the statement; nothing was proven.
    #[error("the witness does not satisfy `{namespace}`")]
    Unsatisfied {
        /// Namespace of the first constraint that fails, such as `slot 3/signature equation`.
        namespace: String,
    },
    /// The key and the inputs do not make a certificate.
    #[error("the certificate cannot be made: {0}")]
    Certificate(#[from] VerifyError),
    /// The backend failed: the device is lost, or out of memory.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The observer stopped the proof.
    #[error("cancelled before the stage `{stage}`")]
    Cancelled {
        /// The stage that would have come next.
        stage: Stage,
    },
    /// The proof holds a point that no certificate can carry: infinity, which chance does not produce, so a faulty machine.
    #[error("the proof cannot be encoded: {0}")]
    Degenerate(#[from] EncodingError),
}

/// Proves the statement that made `witness`.
///
/// Seconds of work on all cores. The certificate is different each time and equally good.
///
/// # Errors
/// [`ProveError`].
pub fn prove(
    backend: &dyn Backend,
    key: &ProvingKey,
    witness: &Witness,
    rng: &mut dyn CryptoRng,
) -> Result<Certificate, ProveError> {
    prove_with_progress(backend, key, witness, rng, &mut |_| ControlFlow::Continue(()))
}

/// As [`prove`]; tells `observer` of every stage before it begins, and stops if it answers [`ControlFlow::Break`].
///
/// # Errors
/// [`ProveError`]; [`ProveError::Cancelled`] if the observer says so.
pub fn prove_with_progress(
    backend: &dyn Backend,
    key: &ProvingKey,
    witness: &Witness,
    rng: &mut dyn CryptoRng,
    observer: &mut Observer<'_>,
) -> Result<Certificate, ProveError> {
    let _span = tracing::info_span!("prove", slots = key.size().slots(), backend = backend.name()).entered();
    enter(observer, Stage::Synthesis)?;
    let assignment = assignment(key, witness)?;
    let [r, s] = [Zeroizing::new(nonzero(rng)), Zeroizing::new(nonzero(rng))];
    let (a, b, c) = sums(backend, key, assignment, observer)?.proof(key, *r, *s);
    let certificate = Certificate::new(key.verifying_key(), witness.inputs.clone(), Proof::new(a, b, c)?)?;
    enter(observer, Stage::Done)?;
    Ok(certificate)
}

/// Synthesis alone: the assignment, checked against every constraint.
pub(crate) fn assignment(key: &ProvingKey, witness: &Witness) -> Result<Assignment, ProveError> {
    let _span = tracing::info_span!("synthesise").entered();
    if key.size() != witness.claim.size {
        return Err(ProveError::SizeMismatch { key: key.size(), witness: witness.claim.size });
    }
    let (assignment, unsatisfied) = witness.claim.assign();
    match unsatisfied.into_iter().next() {
        None => Ok(assignment),
        Some(namespace) => Err(ProveError::Unsatisfied { namespace }),
    }
}

/// The five sums of a proof.
struct Sums {
    h: G1Projective,
    l: G1Projective,
    a: G1Projective,
    b_g1: G1Projective,
    b_g2: G2Projective,
}

/// Everything that the proof takes from the witness.
///
/// The sum in G2 runs on the CPU: beside the work of a device, and after the other sums where the backend is the CPU itself,
/// which they keep busy.
fn sums(
    backend: &dyn Backend,
    key: &ProvingKey,
    Assignment { z, sides }: Assignment,
    observer: &mut Observer<'_>,
) -> Result<Sums, ProveError> {
    let [a, b] = {
        enter(observer, Stage::Rows)?;
        let _span = tracing::info_span!("rows").entered();
        qap::rows(key.r1cs(), &z, sides)
    };
    let stop = AtomicBool::new(false);
    let in_g2 = || {
        let _span = tracing::info_span!("sum in G2").entered();
        let points = key.queries().b_g2();
        Cpu::sum_g2_vartime(|i| points[i].unpack(), &z, &stop)
    };
    let last = Stage::SumB2;
    if backend.name().starts_with(Cpu.name()) {
        let [h, l, a, b_g1] = sums_g1(backend, key, &z, a, b, observer)?;
        enter(observer, last)?;
        let b_g2 = in_g2().ok_or(ProveError::Cancelled { stage: last })?;
        return Ok(Sums { h, l, a, b_g1, b_g2 });
    }
    // A thread of its own, not one of rayon's: those may hold a lock of the device while they wait for each other.
    thread::scope(|scope| {
        let beside = scope.spawn(in_g2);
        let in_g1 =
            sums_g1(backend, key, &z, a, b, observer).and_then(|sums| enter(observer, last).map(|()| sums));
        if in_g1.is_err() {
            stop.store(true, Ordering::Relaxed);
        }
        let b_g2 = beside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let [h, l, a, b_g1] = in_g1?;
        let b_g2 = b_g2.ok_or(ProveError::Cancelled { stage: last })?;
        Ok(Sums { h, l, a, b_g1, b_g2 })
    })
}

/// The quotient, and the sums over the H, L, A and B queries in G1.
fn sums_g1(
    backend: &dyn Backend,
    key: &ProvingKey,
    z: &[Fr],
    mut a: Vec<Fr>,
    mut b: Vec<Fr>,
    observer: &mut Observer<'_>,
) -> Result<[G1Projective; 4], ProveError> {
    let queries = key.queries();
    enter(observer, Stage::Quotient)?;
    tracing::info_span!("quotient").in_scope(|| backend.quotient(&mut a, &mut b))?;
    drop(b);
    let mut sum = |stage: Stage, points, scalars: &[Fr]| -> Result<G1Projective, ProveError> {
        enter(observer, stage)?;
        let _span = tracing::info_span!("sum", query = stage.name()).entered();
        Ok(backend.msm_g1_vartime(points, scalars)?)
    };
    let h = sum(Stage::SumH, &queries.h, &a)?;
    drop(a);
    let l = sum(Stage::SumL, &queries.l, &z[key.r1cs().n_instance()..])?;
    let a = sum(Stage::SumA, &queries.a, z)?;
    let b_g1 = sum(Stage::SumB1, &queries.b_g1, z)?;
    Ok([h, l, a, b_g1])
}

impl Sums {
    /// The proof for given `r` and `s`.
    fn proof(self, key: &ProvingKey, r: Fr, s: Fr) -> (G1Affine, G2Affine, G1Affine) {
        let (queries, vk) = (key.queries(), key.verifying_key());
        let a = self.a + vk.alpha_g1 + queries.delta_g1 * r;
        let b_g1 = self.b_g1 + queries.beta_g1 + queries.delta_g1 * s;
        let b = self.b_g2 + vk.beta_g2 + vk.delta_g2 * s;
        let c = a * s + b_g1 * r - queries.delta_g1 * (r * s) + self.l + self.h;
        (a.into_affine(), b.into_affine(), c.into_affine())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;
    use std::sync::atomic::AtomicUsize;

    use ark_bn254::Bn254;
    use ark_ff::{BigInteger, UniformRand};
    use ark_groth16::Groth16;
    use blindsum_engine::DeviceError;
    use blindsum_engine::curve;
    use blindsum_engine::mask::SignedMask;
    use blindsum_engine::ntt::{Direction, Domain};
    use blindsum_engine::points::{G1, Grumpkin, Points};
    use blindsum_engine::twin::Twin;
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::cohort::{Cohort, SEED};
    use crate::qap::SnarkjsReduction;
    use crate::r1cs::Replay;
    use crate::random::Bridge;
    use crate::statement::Statement;

    fn key() -> &'static ProvingKey {
        static KEY: OnceLock<ProvingKey> = OnceLock::new();
        KEY.get_or_init(|| {
            ProvingKey::setup_development(CohortSize::N16, &mut ChaCha20Rng::seed_from_u64(SEED))
                .expect("setup")
        })
    }

    fn witness() -> Witness {
        let cohort = Cohort::small();
        Statement::check(&cohort.roster, &cohort.context, &cohort.leaves, &cohort.signed).expect("honest").1
    }

    fn silent(_: Progress) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn same_bytes_as_ark_groth16(backend: &dyn Backend) {
        let assignment = assignment(key(), &witness()).expect("honest");
        let mut rng = ChaCha20Rng::seed_from_u64(SEED);
        let [r, s] = std::array::from_fn(|_| Fr::rand(&mut Bridge(&mut rng)));
        let circuit = Replay { r1cs: key().r1cs(), assignment: Some(&assignment.z) };
        let theirs =
            Groth16::<Bn254, SnarkjsReduction>::create_proof_with_reduction(circuit, &key().to_ark(), r, s)
                .expect("the circuit fits");
        let ours =
            sums(backend, key(), assignment, &mut silent).expect("a healthy backend").proof(key(), r, s);
        assert_eq!(ours, (theirs.a, theirs.b, theirs.c), "{}", backend.name());
    }

    #[test]
    fn the_same_bytes_as_ark_groth16() {
        same_bytes_as_ark_groth16(&Cpu);
        // Not the name of the CPU: the sum in G2 runs beside the others.
        same_bytes_as_ark_groth16(&Twin::new(Cpu, Cpu));
    }

    #[test]
    fn an_observer_sees_every_stage_and_may_stop_before_any() {
        let witness = witness();
        for backend in [&Cpu as &dyn Backend, &Twin::new(Cpu, Cpu)] {
            let prove_until = |end: usize| {
                let mut seen: Vec<Progress> = Vec::new();
                let mut observer = |progress| {
                    seen.push(progress);
                    if seen.len() == end { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                };
                let rng = &mut ChaCha20Rng::seed_from_u64(SEED);
                let proven = prove_with_progress(backend, key(), &witness, rng, &mut observer);
                (proven, seen)
            };
            let (proven, all) = prove_until(usize::MAX);
            proven.expect("not stopped");
            assert!(all.is_sorted_by(|one, next| one.fraction < next.fraction));
            assert_eq!((all[0].fraction, all[all.len() - 1].fraction), (0.0, 1.0));
            assert_eq!((all.len(), all[all.len() - 1].stage), (9, Stage::Done));
            for end in [1, 2, 3, 4, 8] {
                let (stopped, seen) = prove_until(end);
                assert_eq!(seen, all[..end]);
                let Err(ProveError::Cancelled { stage }) = stopped else { panic!("{stopped:?}") };
                assert_eq!(stage, all[end - 1].stage);
            }
        }
    }

    /// A device that is lost after some calls.
    struct Dying(AtomicUsize);

    impl Dying {
        fn call(&self) -> Result<(), EngineError> {
            match self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)) {
                Ok(_) => Ok(()),
                Err(_) => Err(DeviceError::Lost { message: "unplugged".to_owned() }.into()),
            }
        }
    }

    impl Backend for Dying {
        fn name(&self) -> &str {
            "dying"
        }

        fn mask_expand(&self, _: &[SignedMask], _: u64, _: &mut [u32]) -> Result<(), EngineError> {
            self.call()
        }

        fn sum_rows(&self, _: &[&[u32]], _: &mut [u32]) -> Result<(), EngineError> {
            self.call()
        }

        fn msm_g1_vartime(&self, points: &Points<G1>, scalars: &[Fr]) -> Result<G1Projective, EngineError> {
            self.call()?;
            Cpu.msm_g1_vartime(points, scalars)
        }

        fn msm_grumpkin_vartime(
            &self,
            points: &Points<Grumpkin>,
            scalars: &[curve::Fq],
        ) -> Result<curve::Projective, EngineError> {
            Cpu.msm_grumpkin_vartime(points, scalars)
        }

        fn msm_signed(
            &self,
            points: &Points<Grumpkin>,
            rows: &[&[i32]],
            bits: u8,
        ) -> Result<Vec<curve::Projective>, EngineError> {
            Cpu.msm_signed(points, rows, bits)
        }

        fn ntt(&self, direction: Direction, domain: Domain, values: &mut [Fr]) -> Result<(), EngineError> {
            Cpu.ntt(direction, domain, values)
        }

        fn quotient(&self, a: &mut [Fr], b: &mut [Fr]) -> Result<(), EngineError> {
            self.call()?;
            Cpu.quotient(a, b)
        }
    }

    #[test]
    fn a_lost_device_is_a_named_error() {
        for calls in [0, 1, 4] {
            let backend = Dying(AtomicUsize::new(calls));
            let lost = prove(&backend, key(), &witness(), &mut ChaCha20Rng::seed_from_u64(SEED));
            assert!(
                matches!(lost, Err(ProveError::Engine(EngineError::Device(DeviceError::Lost { .. })))),
                "{lost:?}"
            );
        }
    }

    #[test]
    fn an_unsatisfied_witness_is_refused_by_name() {
        let mut witness = witness();
        witness.claim.slots[3].response.add_with_carry(&1u64.into());
        let refused = prove(&Cpu, key(), &witness, &mut ChaCha20Rng::seed_from_u64(SEED));
        let Err(ProveError::Unsatisfied { namespace }) = refused else { panic!("{refused:?}") };
        assert_eq!(namespace, "slot 3/signature equation");
    }

    #[test]
    fn a_key_for_another_size_is_refused() {
        let cohort = Cohort::new(CohortSize::N64, |slot| slot < 3, |_| true);
        let (_, witness) = Statement::check(&cohort.roster, &cohort.context, &cohort.leaves, &cohort.signed)
            .expect("honest");
        let refused = prove(&Cpu, key(), &witness, &mut ChaCha20Rng::seed_from_u64(SEED));
        assert!(matches!(
            refused,
            Err(ProveError::SizeMismatch { key: CohortSize::N16, witness: CohortSize::N64 })
        ));
    }
}
