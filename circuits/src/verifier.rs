//! The verifier: total, deterministic, free of panics, bounded in time and memory, and independent of the prover.
//!
//! Equation (Groth 2016, section 3.2), with IC(x) = IC\[0\] + sum_i x_i IC\[i + 1\]:
//!
//! ```text
//! e(A, B) = e(alpha, beta) e(IC(x), gamma) e(C, delta)
//! ```
//!
//! checked as `e(A, B) e(IC(x), -gamma) e(C, -delta) = e(alpha, beta)`: one Miller loop over three pairs, one final
//! exponentiation, everything about the key prepared beforehand. Cost: about 2 ms.
//!
//! The proof says something about its inputs and nothing about which inputs are the right ones: roster root, context,
//! leaves root and posted slots come from the caller's own [`Record`], never from the certificate.

#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ark_bn254::{Bn254, Fr, G1Affine, G1Projective, G2Affine};
use ark_ec::{
    CurveGroup, VariableBaseMSM,
    bn::G2Prepared,
    pairing::{Pairing, PairingOutput},
};
use ark_ff::Zero;
use blindsum_engine::{
    domain::Label,
    hash::{hash, hasher},
    roster::{Bitmap, CohortSize, RoundContext},
};
use sha2::Digest;

use crate::{
    certificate::Certificate,
    error::{BatchError, Element, KeyError, RecordError, VerifyError},
    lint::lint,
    verifying_key::VerifyingKey,
};

/// Most certificates that one call of [`Verifier::verify_many`] takes.
pub const MAX_BATCH: usize = 1024;

/// Whether a verifier may be made from a development key, under which the key's maker can forge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DevelopmentKeys {
    /// Refuse them: the answer everywhere but in tests and demos.
    Refuse,
    /// Accept them, forgeable as they are.
    Allow,
}

/// What the caller knows of a cohort from its own storage, never from the certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Root of the registered roster.
    pub roster_root: Fr,
    /// Slots of the roster that hold a client's key.
    pub occupied: Bitmap,
    /// The context that the caller computed from its round's parameters.
    pub round_context: RoundContext,
    /// Root over the cohort's leaves, stored before any share was released.
    pub leaves_root: Fr,
    /// Slots that posted, stored with `leaves_root`.
    pub posted: Bitmap,
    /// Slots in a group, a power of two: group g is slots `g * group_width .. (g + 1) * group_width`.
    pub group_width: u16,
    /// Each group's least number of participants, at least 1, in group order.
    pub floors: Vec<u16>,
}

impl Record {
    /// Checks the record against itself and the cohort size.
    ///
    /// # Errors
    /// Any contradiction: see [`RecordError`].
    pub fn check(&self, size: CohortSize) -> Result<(), RecordError> {
        let slots = size.slots();
        let width = usize::from(self.group_width);
        if !width.is_power_of_two() || width > slots {
            return Err(RecordError::GroupWidth { got: self.group_width, slots });
        }
        let expected = slots / width;
        if self.floors.len() != expected {
            return Err(RecordError::Floors { expected, got: self.floors.len() });
        }
        if let Some((group, &got)) =
            self.floors.iter().enumerate().find(|(_, f)| !(1..=self.group_width).contains(f))
        {
            return Err(RecordError::Floor { group, got, width: self.group_width });
        }
        if let Some(slot) = self.occupied.iter().map(usize::from).find(|&slot| slot >= slots) {
            return Err(RecordError::OccupiedOutOfRange { slot, slots });
        }
        if let Some(slot) = self.posted.iter().find(|&slot| !self.occupied.get(slot)) {
            return Err(RecordError::PostedNotOccupied { slot: slot.into() });
        }
        Ok(())
    }

    /// Group by group, `participants` must be nobody, or exactly the posted ones and at least the floor; somewhere,
    /// somebody. Expects a checked record.
    fn check_participants(&self, participants: &Bitmap) -> Result<(), VerifyError> {
        let width = usize::from(self.group_width);
        let mut somebody = false;
        for (group, &floor) in self.floors.iter().enumerate() {
            let slots = Bitmap::range(group.saturating_mul(width), width);
            let counted = participants.intersection(&slots);
            if counted.is_empty() {
                continue;
            }
            if counted != self.posted.intersection(&slots) {
                return Err(VerifyError::NotThePosted { group });
            }
            if counted.count() < usize::from(floor) {
                return Err(VerifyError::BelowFloor { group, floor, got: counted.count() });
            }
            somebody = true;
        }
        if somebody { Ok(()) } else { Err(VerifyError::NoParticipants) }
    }
}

/// A verifying key made ready: checked, and its constant pairing and lines computed. Immutable, `Send` and `Sync`.
pub struct Verifier {
    size: CohortSize,
    development: bool,
    digest: [u8; 32],
    key_id: [u8; 16],
    alpha: G1Affine,
    beta: G2Prepared<ark_bn254::Config>,
    gamma_neg: G2Prepared<ark_bn254::Config>,
    delta_neg: G2Prepared<ark_bn254::Config>,
    alpha_beta: PairingOutput<Bn254>,
    ic: Vec<G1Affine>,
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier")
            .field("size", &self.size)
            .field("development", &self.development)
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

impl Verifier {
    /// Checks a key by [`crate::lint::lint`] and prepares it. A development key is announced in the log at level `warn`.
    ///
    /// # Errors
    /// A key that fails the lint, a development key that was not allowed.
    pub fn new(key: &VerifyingKey, development_keys: DevelopmentKeys) -> Result<Self, KeyError> {
        lint(key)?;
        if key.development {
            if development_keys == DevelopmentKeys::Refuse {
                return Err(KeyError::DevelopmentKeyRefused);
            }
            tracing::warn!("verifying under a DEVELOPMENT KEY: whoever made it can forge certificates");
        }
        Ok(Self {
            size: key.size,
            development: key.development,
            digest: key.digest(),
            key_id: key.key_id(),
            alpha: key.alpha_g1,
            beta: key.beta_g2.into(),
            gamma_neg: (-key.gamma_g2).into(),
            delta_neg: (-key.delta_g2).into(),
            alpha_beta: Bn254::pairing(key.alpha_g1, key.beta_g2),
            ic: key.ic.clone(),
        })
    }

    /// The cohort size that it verifies.
    #[must_use]
    pub fn size(&self) -> CohortSize {
        self.size
    }

    /// Whether its key is a development key.
    #[must_use]
    pub fn development(&self) -> bool {
        self.development
    }

    /// The id of its key, which certificates carry.
    #[must_use]
    pub fn key_id(&self) -> [u8; 16] {
        self.key_id
    }

    /// Accepts or refuses one certificate. The same answer everywhere, for every input, in about 2 ms.
    ///
    /// # Errors
    /// The first of: a record that contradicts itself; another cohort size, flag or key; an input that differs from the
    /// record; participants that are, in some group, neither none nor the posted ones and at least the floor; a proof
    /// that does not verify.
    pub fn verify(&self, record: &Record, certificate: &Certificate) -> Result<(), VerifyError> {
        self.check_claim(record, certificate)?;
        self.check_proof(certificate)
    }

    /// [`Self::verify`] of a certificate's bytes.
    ///
    /// # Errors
    /// As there, and [`VerifyError::Encoding`].
    pub fn verify_bytes(&self, record: &Record, bytes: &[u8]) -> Result<(), VerifyError> {
        record.check(self.size)?;
        self.verify(record, &Certificate::from_bytes(bytes)?)
    }

    /// Accepts exactly the batches whose every certificate [`Self::verify`] accepts, except with probability 2^-128, in
    /// less than half the time. Names the first that is refused.
    ///
    /// The weights of the random linear combination are derived from all of the batch's bytes by SHA-256, so the answer
    /// is deterministic; every B was checked for its subgroup when it was decoded. An empty batch is accepted.
    ///
    /// # Errors
    /// [`BatchError::TooMany`] above [`MAX_BATCH`], else [`BatchError::Refused`].
    pub fn verify_many(&self, batch: &[(&Record, &Certificate)]) -> Result<(), BatchError> {
        if batch.len() > MAX_BATCH {
            return Err(BatchError::TooMany { limit: MAX_BATCH, got: batch.len() });
        }
        // The proofs before the first wrong claim decide whether that claim is the first to be refused.
        let wrong_claim = batch.iter().enumerate().find_map(|(index, (record, certificate))| {
            self.check_claim(record, certificate).err().map(|error| BatchError::Refused { index, error })
        });
        let end = match wrong_claim {
            Some(BatchError::Refused { index, .. }) => index,
            _ => batch.len(),
        };
        let proofs: Vec<&Certificate> = batch.iter().take(end).map(|(_, certificate)| *certificate).collect();
        self.check_proofs(&proofs)?;
        wrong_claim.map_or(Ok(()), Err)
    }

    /// Everything but the pairing.
    fn check_claim(&self, record: &Record, certificate: &Certificate) -> Result<(), VerifyError> {
        record.check(self.size)?;
        let inputs = certificate.inputs();
        if inputs.size() != self.size {
            return Err(VerifyError::WrongCohortSize {
                expected: self.size.slots(),
                got: inputs.size().slots(),
            });
        }
        if certificate.development() != self.development {
            return Err(VerifyError::WrongDevelopmentFlag {
                expected: self.development,
                got: certificate.development(),
            });
        }
        if certificate.key_id() != self.key_id {
            return Err(VerifyError::WrongKey);
        }
        for (element, same) in [
            (Element::RosterRoot, inputs.roster_root() == record.roster_root),
            (Element::RoundContext, inputs.round_context() == record.round_context),
            (Element::LeavesRoot, inputs.leaves_root() == record.leaves_root),
        ] {
            if !same {
                return Err(VerifyError::Mismatch { element });
            }
        }
        record.check_participants(&inputs.participants())
    }

    /// The pairing equation of one proof.
    fn check_proof(&self, certificate: &Certificate) -> Result<(), VerifyError> {
        let inputs = certificate.inputs().to_field_elements();
        let proof = certificate.proof();
        if self.pairing_holds(proof.a(), proof.b(), proof.c(), &inputs) {
            Ok(())
        } else {
            Err(VerifyError::ProofInvalid)
        }
    }

    /// `e(A, B) e(IC(x), -gamma) e(C, -delta) = e(alpha, beta)`, false for any other number of inputs than the key's.
    fn pairing_holds(&self, a: G1Affine, b: G2Affine, c: G1Affine, inputs: &[Fr]) -> bool {
        let Some((constant, bases)) = self.ic.split_first() else { return false };
        // Zipped lengths would let a missing or surplus input pass unnoticed.
        if bases.len() != inputs.len() {
            return false;
        }
        let prepared = G1Projective::msm_unchecked(bases, inputs) + constant;
        let product = Bn254::multi_miller_loop(
            [a, prepared.into_affine(), c],
            [b.into(), self.gamma_neg.clone(), self.delta_neg.clone()],
        );
        Bn254::final_exponentiation(product) == Some(self.alpha_beta)
    }

    /// Accepts if every proof verifies, else names the first that does not, found by halving.
    fn check_proofs(&self, proofs: &[&Certificate]) -> Result<(), BatchError> {
        let mut from = 0;
        while let Some(rest) = proofs.get(from..).filter(|rest| !rest.is_empty()) {
            if self.combination_holds(rest) {
                return Ok(());
            }
            // Invariant: all proofs before `low` verify, and those from `low` to `high` do not all verify.
            let (mut low, mut high) = (from, proofs.len());
            while high - low > 1 {
                let middle = low + (high - low) / 2;
                if proofs.get(low..middle).is_some_and(|half| self.combination_holds(half)) {
                    low = middle;
                } else {
                    high = middle;
                }
            }
            if let Some(Err(error)) = proofs.get(low).map(|certificate| self.check_proof(certificate)) {
                return Err(BatchError::Refused { index: low, error });
            }
            from = high;
        }
        Ok(())
    }

    /// `prod e(w_i A_i, B_i) e(sum w_i IC(x_i), -gamma) e(sum w_i C_i, -delta) e(-(sum w_i) alpha, beta) = 1`.
    fn combination_holds(&self, proofs: &[&Certificate]) -> bool {
        if let [certificate] = proofs {
            return self.check_proof(certificate).is_ok();
        }
        let weights = self.weights(proofs);
        let mut ic_scalars = vec![Fr::zero(); self.ic.len()];
        for (certificate, weight) in proofs.iter().zip(&weights) {
            let inputs = certificate.inputs().to_field_elements();
            if inputs.len().checked_add(1) != Some(ic_scalars.len()) {
                return false;
            }
            let with_constant = std::iter::once(Fr::from(1u8)).chain(inputs);
            for (sum, input) in ic_scalars.iter_mut().zip(with_constant) {
                *sum += input * weight;
            }
        }
        let total: Fr = weights.iter().sum();
        let cs: Vec<G1Affine> = proofs.iter().map(|certificate| certificate.proof().c()).collect();

        let mut left: Vec<G1Projective> = proofs
            .iter()
            .zip(&weights)
            .map(|(certificate, weight)| certificate.proof().a() * weight)
            .collect();
        left.push(G1Projective::msm_unchecked(&self.ic, &ic_scalars));
        left.push(G1Projective::msm_unchecked(&cs, &weights));
        left.push(self.alpha * -total);
        let left = G1Projective::normalize_batch(&left);

        let mut right: Vec<G2Prepared<ark_bn254::Config>> =
            proofs.iter().map(|certificate| certificate.proof().b().into()).collect();
        right.extend([self.gamma_neg.clone(), self.delta_neg.clone(), self.beta.clone()]);

        Bn254::final_exponentiation(Bn254::multi_miller_loop(left, right))
            .is_some_and(|product| product.is_zero())
    }

    /// One 128-bit weight per proof, each depending on every byte of the batch and of the key.
    fn weights(&self, proofs: &[&Certificate]) -> Vec<Fr> {
        let mut batch = hasher(Label::BatchWeight);
        batch.update(self.digest);
        for certificate in proofs {
            batch.update(certificate.to_bytes());
        }
        let seed: [u8; 32] = batch.finalize().into();
        (0u32..)
            .zip(proofs)
            .map(|(index, _)| {
                let bytes = hash(Label::BatchWeight, &[&seed, &index.to_be_bytes()]);
                Fr::from(bytes.iter().take(16).fold(0u128, |word, &byte| word << 8 | u128::from(byte)))
            })
            .collect()
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test panics where it fails")]
mod tests {
    use ark_bn254::G2Affine;
    use ark_ec::AffineRepr;
    use ark_ff::Field;

    use super::*;

    /// ark-groth16 0.6 zips inputs with IC points: it accepts a surplus input and a missing one that is zero.
    #[test]
    fn a_missing_zero_input_and_a_surplus_one_are_refused() {
        let (g1, g2) = (G1Affine::generator(), G2Affine::generator());
        let scalar = |i: u64| Fr::from(i).pow([5]);
        let ic: Vec<Fr> = (0..7).map(|i| scalar(11 + i)).collect();
        let key = VerifyingKey {
            size: CohortSize::N16,
            development: false,
            alpha_g1: (g1 * scalar(2)).into_affine(),
            beta_g2: (g2 * scalar(3)).into_affine(),
            gamma_g2: (g2 * scalar(4)).into_affine(),
            delta_g2: (g2 * scalar(5)).into_affine(),
            ic: ic.iter().map(|scalar| (g1 * scalar).into_affine()).collect(),
        };
        let verifier = Verifier::new(&key, DevelopmentKeys::Refuse).unwrap();
        let inputs = [6u8, 7, 8, 9, 10, 0].map(Fr::from);
        let sum = ic[0] + ic[1..].iter().zip(inputs).map(|(scalar, x)| *scalar * x).sum::<Fr>();
        let c = (scalar(6) * scalar(7) - scalar(2) * scalar(3) - sum * scalar(4)) / scalar(5);
        let (a, b, c) =
            ((g1 * scalar(6)).into_affine(), (g2 * scalar(7)).into_affine(), (g1 * c).into_affine());
        assert!(verifier.pairing_holds(a, b, c, &inputs));
        assert!(!verifier.pairing_holds(a, b, c, &inputs[..5]));
        assert!(!verifier.pairing_holds(a, b, c, &[inputs.as_slice(), &[Fr::from(1u8)]].concat()));
        assert!(!verifier.pairing_holds(a, b, c, &[]));
    }
}
