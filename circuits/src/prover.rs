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
use blindsum_engine::points::{G1, Points};
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
/// Two lines of work side by side: the quotient with H and L, and the sums over the columns of A and B, which have about as
/// much to add. A backend that shares the threads of the CPU does both, and what one leaves idle the other takes up. A device
/// does the calls in turn; the sum in G2, which no device does, runs beside them.
fn sums(
    backend: &dyn Backend,
    key: &ProvingKey,
    Assignment { z, sides }: Assignment,
    observer: &mut Observer<'_>,
) -> Result<Sums, ProveError> {
    let [a, b] = qap::rows(&key.shape(), &z, sides);
    let work = Work { backend, key, z: &z, stop: AtomicBool::new(false) };
    if backend.shares_threads() {
        let mut beside = None;
        let in_turn = rayon::in_place_scope(|scope| {
            scope.spawn(|_| beside = Some(work.b_g2().and_then(|b_g2| Ok((b_g2, work.a_and_b_g1()?)))));
            work.or_stop(work.h_and_l(a, b, observer))
        });
        let [h, l] = in_turn?;
        let (b_g2, [a, b_g1]) = beside.unwrap_or_else(|| unreachable!("the scope waits for it"))?;
        return Ok(Sums { h, l, a, b_g1, b_g2 });
    }
    // A thread of its own, not one of rayon's: those may hold a lock of the device while they wait for each other.
    thread::scope(|scope| {
        let beside = scope.spawn(|| work.b_g2());
        let in_turn = work.h_and_l(a, b, observer).and_then(|h_and_l| Ok((h_and_l, work.a_and_b_g1()?)));
        let in_turn = work.or_stop(in_turn);
        let b_g2 = beside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let ([h, l], [a, b_g1]) = in_turn?;
        Ok(Sums { h, l, a, b_g1, b_g2: b_g2? })
    })
}

/// What the sums of a proof are over.
struct Work<'a> {
    backend: &'a dyn Backend,
    key: &'a ProvingKey,
    z: &'a [Fr],
    /// Raised when there will be no proof.
    stop: AtomicBool,
}

impl Work<'_> {
    /// The quotient, and the sums over the H and L queries.
    fn h_and_l(
        &self,
        mut a: Vec<Fr>,
        mut b: Vec<Fr>,
        observer: &mut Observer<'_>,
    ) -> Result<[G1Projective; 2], ProveError> {
        let queries = self.key.queries();
        enter(observer, Stage::Quotient)?;
        tracing::info_span!("quotient").in_scope(|| self.backend.quotient(&mut a, &mut b))?;
        drop(b);
        enter(observer, Stage::SumH)?;
        let h = self.in_g1("H", &queries.h, &a)?;
        drop(a);
        enter(observer, Stage::SumL)?;
        let l = self.in_g1("L", &queries.l, &self.z[self.key.shape().n_instance..])?;
        enter(observer, Stage::SumsAB)?;
        Ok([h, l])
    }

    fn a_and_b_g1(&self) -> Result<[G1Projective; 2], ProveError> {
        let queries = self.key.queries();
        Ok([self.in_g1("A", &queries.a, self.z)?, self.in_g1("B in G1", &queries.b_g1, self.z)?])
    }

    fn in_g1(&self, query: &str, points: &Points<G1>, scalars: &[Fr]) -> Result<G1Projective, ProveError> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(STOPPED);
        }
        let _span = tracing::info_span!("sum", query).entered();
        Ok(self.backend.msm_g1_vartime(points, scalars)?)
    }

    fn b_g2(&self) -> Result<G2Projective, ProveError> {
        let _span = tracing::info_span!("sum", query = "B in G2").entered();
        let points = self.key.queries().b_g2();
        self.backend.msm_g2_vartime(points, self.z, &self.stop)?.ok_or(STOPPED)
    }

    /// Stops what runs beside if this has failed.
    fn or_stop<T>(&self, result: Result<T, ProveError>) -> Result<T, ProveError> {
        if result.is_err() {
            self.stop.store(true, Ordering::Relaxed);
        }
        result
    }
}

/// Of a sum that was stopped because another failed, whose error is the one that is told.
const STOPPED: ProveError = ProveError::Cancelled { stage: Stage::SumsAB };

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
    use std::sync::atomic::AtomicBool;

    use blindsum_engine::DeviceError;
    use blindsum_engine::cpu::{Cpu, Width};
    use blindsum_engine::curve;
    use blindsum_engine::mask::SignedMask;
    use blindsum_engine::ntt::{Direction, Domain};
    use blindsum_engine::points::{G1, Grumpkin, PackedG2, Points};
    use blindsum_engine::twin::Twin;
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::aggregation::constraint_system;
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
        let circuit = Replay { r1cs: constraint_system(CohortSize::N16), assignment: Some(&assignment.z) };
        let theirs =
            Groth16::<Bn254, SnarkjsReduction>::create_proof_with_reduction(circuit, &key().to_ark(), r, s)
                .expect("the circuit fits");
        let ours =
            sums(backend, key(), assignment, &mut silent).expect("a healthy backend").proof(key(), r, s);
        assert_eq!(ours, (theirs.a, theirs.b, theirs.c), "{}", backend.name());
    }

    #[test]
    fn the_same_bytes_as_ark_groth16() {
        for cpu in Width::ALL.into_iter().filter_map(|width| Cpu::at(width).ok()) {
            same_bytes_as_ark_groth16(&cpu);
        }
        // As on a device: the sum in G2 alone runs beside the others.
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
            assert_eq!((all.len(), all[all.len() - 1].stage), (6, Stage::Done));
            for end in 1..6 {
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

        fn msm_g2_vartime(
            &self,
            points: &[PackedG2],
            scalars: &[Fr],
            stop: &AtomicBool,
        ) -> Result<Option<G2Projective>, EngineError> {
            Cpu.msm_g2_vartime(points, scalars, stop)
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
