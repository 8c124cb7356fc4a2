//! Groth16 over BN254: from a checked witness to a certificate.
//!
//! Source: Groth 2016 (eprint 2016/260), section 3.2. With the same key, `r` and `s` the proof has the same bytes as
//! ark-groth16's prover with [`SnarkjsReduction`](crate::qap::SnarkjsReduction); a test compares them. Ours reads the matrices
//! that the key keeps, computes the assignment without building a constraint system, and refuses an assignment that does not
//! satisfy every constraint, naming the constraint's namespace.
//!
//! Secret: `r` and `s`, drawn anew for each proof, without which a proof would tell its witness. Timing and memory access
//! depend on the witness, which the aggregator that proves knows.

use ark_bn254::{Fr, G1Affine, G1Projective, G2Affine, G2Projective};
use ark_ec::{CurveGroup, VariableBaseMSM};
use ark_ff::{BigInt, PrimeField};
use blindsum_engine::roster::CohortSize;
use rand_core::CryptoRng;
use rayon::prelude::*;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::certificate::{Certificate, Proof};
use crate::error::{EncodingError, VerifyError};
use crate::keys::ProvingKey;
use crate::qap::quotient;
use crate::random::nonzero;
use crate::statement::Witness;

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
    /// The circuit is larger than the field's largest domain.
    #[error("{constraints} constraints fit no evaluation domain")]
    DomainTooLarge {
        /// Constraints of the circuit.
        constraints: usize,
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
    key: &ProvingKey,
    witness: &Witness,
    rng: &mut dyn CryptoRng,
) -> Result<Certificate, ProveError> {
    let _span = tracing::info_span!("prove", slots = key.size().slots()).entered();
    let z = assignment(key, witness)?;
    let [r, s] = [Zeroizing::new(nonzero(rng)), Zeroizing::new(nonzero(rng))];
    let (a, b, c) = prove_with(key, &z, *r, *s)?;
    Ok(Certificate::new(key.verifying_key(), witness.inputs.clone(), Proof::new(a, b, c)?)?)
}

/// Synthesis alone: `z = (1, public inputs, witness)`, checked against every constraint.
pub(crate) fn assignment(key: &ProvingKey, witness: &Witness) -> Result<Vec<Fr>, ProveError> {
    let _span = tracing::info_span!("synthesise").entered();
    if key.size() != witness.claim.size {
        return Err(ProveError::SizeMismatch { key: key.size(), witness: witness.claim.size });
    }
    let (z, unsatisfied) = witness.claim.assign();
    match unsatisfied.into_iter().next() {
        None => Ok(z),
        Some(namespace) => Err(ProveError::Unsatisfied { namespace }),
    }
}

/// The proof for given `r` and `s`.
fn prove_with(
    key: &ProvingKey,
    z: &[Fr],
    r: Fr,
    s: Fr,
) -> Result<(G1Affine, G2Affine, G1Affine), ProveError> {
    let (pk, r1cs) = (key.groth16(), key.r1cs());
    let too_large = || ProveError::DomainTooLarge { constraints: r1cs.n_constraints() };
    let h = {
        let _span = tracing::info_span!("quotient").entered();
        integers(&quotient(r1cs, z).ok_or_else(too_large)?)
    };
    let _span = tracing::info_span!("multiply").entered();
    let h_sum = G1Projective::msm_bigint(&pk.h_query, &h);
    drop(h);
    let z = integers(z);
    let l_sum = G1Projective::msm_bigint(&pk.l_query, &z[r1cs.n_instance()..]);

    let a = G1Projective::msm_bigint(&pk.a_query, &z) + pk.vk.alpha_g1 + pk.delta_g1 * r;
    let b_g1 = G1Projective::msm_bigint(&pk.b_g1_query, &z) + pk.beta_g1 + pk.delta_g1 * s;
    let b = G2Projective::msm_bigint(&pk.b_g2_query, &z) + pk.vk.beta_g2 + pk.vk.delta_g2 * s;
    let c = a * s + b_g1 * r - pk.delta_g1 * (r * s) + l_sum + h_sum;
    Ok((a.into_affine(), b.into_affine(), c.into_affine()))
}

fn integers(values: &[Fr]) -> Vec<BigInt<4>> {
    values.par_iter().map(|value| value.into_bigint()).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use ark_bn254::Bn254;
    use ark_ff::{BigInteger, UniformRand};
    use ark_groth16::Groth16;
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

    #[test]
    fn the_same_bytes_as_ark_groth16() {
        let z = assignment(key(), &witness()).expect("honest");
        let mut rng = ChaCha20Rng::seed_from_u64(SEED);
        let [r, s] = std::array::from_fn(|_| Fr::rand(&mut Bridge(&mut rng)));
        let ours = prove_with(key(), &z, r, s).expect("the circuit fits");
        let circuit = Replay { r1cs: key().r1cs(), assignment: Some(&z) };
        let theirs =
            Groth16::<Bn254, SnarkjsReduction>::create_proof_with_reduction(circuit, key().groth16(), r, s)
                .expect("the circuit fits");
        assert_eq!(ours, (theirs.a, theirs.b, theirs.c));
    }

    #[test]
    fn an_unsatisfied_witness_is_refused_by_name() {
        let mut witness = witness();
        witness.claim.slots[3].response.add_with_carry(&1u64.into());
        let refused = prove(key(), &witness, &mut ChaCha20Rng::seed_from_u64(SEED));
        let Err(ProveError::Unsatisfied { namespace }) = refused else { panic!("{refused:?}") };
        assert_eq!(namespace, "slot 3/signature equation");
    }

    #[test]
    fn a_key_for_another_size_is_refused() {
        let cohort = Cohort::new(CohortSize::N64, |slot| slot < 3, |_| true);
        let (_, witness) = Statement::check(&cohort.roster, &cohort.context, &cohort.leaves, &cohort.signed)
            .expect("honest");
        let refused = prove(key(), &witness, &mut ChaCha20Rng::seed_from_u64(SEED));
        assert!(matches!(
            refused,
            Err(ProveError::SizeMismatch { key: CohortSize::N16, witness: CohortSize::N64 })
        ));
    }
}
