//! A whole proof: a full cohort's witness, and ark-groth16 over the same statement, witness and key.

use ark_bn254::{Bn254, Fr};
use ark_groth16::Groth16;
use ark_relations::gr1cs::{
    ConstraintSynthesizer, ConstraintSystem, Matrix, OptimizationGoal, R1CS_PREDICATE_LABEL,
};
use ark_std::UniformRand;
use ark_std::rand::rngs::StdRng;
use blindsum_circuits::aggregation::Aggregation;
use blindsum_circuits::qap::SnarkjsReduction;
use blindsum_circuits::{ProvingKey, Record, Statement, Witness};
use blindsum_engine::curve::{Fr as Leaf, hash_to_curve};
use blindsum_engine::roster::{CohortSize, Roster, RoundContext};
use blindsum_engine::schnorr::{SecretKey, sign_commitment};

use crate::inputs;

/// Slots of a group, and clients that it must have.
const GROUP_WIDTH: u16 = 16;
const FLOOR: u16 = 2;

/// A full cohort's witness, and what the chain knows of it.
///
/// # Panics
/// Never: the cohort is honest.
#[must_use]
pub fn cohort(size: CohortSize) -> (Witness, Record) {
    let mut rng = inputs::rng();
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
    let witness = Statement::check(&roster, &context, &leaves, &signed).expect("an honest cohort").1;
    let record = Record {
        roster_root: roster.root(),
        occupied: roster.occupied(),
        round_context: context,
        leaves_root: blindsum_engine::tree::root(&leaves),
        posted: signed.iter().map(|(slot, _)| *slot).collect(),
        group_width: GROUP_WIDTH,
        floors: vec![FLOOR; size.slots() / usize::from(GROUP_WIDTH)],
    };
    (witness, record)
}

/// ark-groth16 with its matrices and its assignment ready made, and the reduction that our keys are made with, which has one
/// transform less than its own: the least that it can do.
#[derive(Debug)]
pub struct ArkProver {
    key: ark_groth16::ProvingKey<Bn254>,
    matrices: Vec<Matrix<Fr>>,
    instance: Vec<Fr>,
    assignment: Vec<Fr>,
    n_constraints: usize,
}

impl ArkProver {
    /// Synthesises, and copies the key.
    ///
    /// # Panics
    /// When the witness is not honest.
    #[must_use]
    pub fn new(key: &ProvingKey, witness: &Witness) -> Self {
        let circuit = Aggregation::new(key, witness).expect("an honest witness");
        let cs = ConstraintSystem::<Fr>::new_ref();
        cs.set_optimization_goal(OptimizationGoal::Constraints);
        circuit.generate_constraints(cs.clone()).expect("an honest witness");
        cs.finalize();
        let instance = cs.instance_assignment().expect("given");
        Self {
            key: key.to_ark(),
            matrices: cs.to_matrices().expect("recorded").remove(R1CS_PREDICATE_LABEL).expect("R1CS"),
            assignment: [instance.clone(), cs.witness_assignment().expect("given")].concat(),
            instance,
            n_constraints: cs.num_constraints(),
        }
    }

    /// Rows of the domain.
    #[must_use]
    pub fn n_rows(&self) -> usize {
        (self.n_constraints + self.instance.len()).next_power_of_two()
    }

    /// A proof with fresh randomness.
    ///
    /// # Panics
    /// Never: the witness is honest.
    pub fn prove(&self, rng: &mut StdRng) -> ark_groth16::Proof<Bn254> {
        let [r, s] = std::array::from_fn(|_| Fr::rand(rng));
        Groth16::<Bn254, SnarkjsReduction>::create_proof_with_reduction_and_matrices(
            &self.key,
            r,
            s,
            &self.matrices,
            self.instance.len(),
            self.n_constraints,
            &self.assignment,
        )
        .expect("honest")
    }

    /// Whether its own verifier takes the proof.
    #[must_use]
    pub fn accepts(&self, proof: &ark_groth16::Proof<Bn254>) -> bool {
        let key = ark_groth16::prepare_verifying_key(&self.key.vk);
        Groth16::<Bn254>::verify_proof(&key, proof, &self.instance[1..]).unwrap_or(false)
    }
}
