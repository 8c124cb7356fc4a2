//! Keys and certificates for tests of the verifier alone, from two sources: a key whose secrets are known, under which a
//! proof of anything is one scalar multiplication, and ark-groth16's setup and prover over a toy circuit.
#![allow(dead_code, reason = "every test file takes a part of it")]

use ark_bn254::{Fr, G1Affine, G2Affine};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{Field, UniformRand};
use ark_std::rand::{SeedableRng, rngs::StdRng};
use blindsum_circuits::{
    Certificate, DevelopmentKeys, Proof, PublicInputs, Record, Verifier, VerifyingKey,
    certificate::public_input_count,
};
use blindsum_engine::{
    curve::hash_to_curve,
    roster::{Bitmap, CohortSize, RoundContext},
};

pub(crate) const SEED: u64 = 0xb11d;

/// A key of which everything is known.
pub(crate) struct Trapdoor {
    alpha: Fr,
    beta: Fr,
    gamma: Fr,
    delta: Fr,
    ic: Vec<Fr>,
    pub(crate) key: VerifyingKey,
}

impl Trapdoor {
    pub(crate) fn new(size: CohortSize, development: bool, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let [alpha, beta, gamma, delta] = [(); 4].map(|()| Fr::rand(&mut rng));
        let ic: Vec<Fr> = (0..=public_input_count(size)).map(|_| Fr::rand(&mut rng)).collect();
        let (g1, g2) = (G1Affine::generator(), G2Affine::generator());
        let key = VerifyingKey {
            size,
            development,
            alpha_g1: (g1 * alpha).into_affine(),
            beta_g2: (g2 * beta).into_affine(),
            gamma_g2: (g2 * gamma).into_affine(),
            delta_g2: (g2 * delta).into_affine(),
            ic: ic.iter().map(|scalar| (g1 * scalar).into_affine()).collect(),
        };
        Self { alpha, beta, gamma, delta, ic, key }
    }

    /// `C = (a b - alpha beta - IC(x) gamma) / delta` for random `a`, `b`.
    pub(crate) fn prove(&self, inputs: &[Fr], rng: &mut StdRng) -> Proof {
        let (a, b) = (Fr::rand(rng), Fr::rand(rng));
        let ic = self.ic[0] + self.ic[1..].iter().zip(inputs).map(|(scalar, x)| *scalar * x).sum::<Fr>();
        let c = (a * b - self.alpha * self.beta - ic * self.gamma) * self.delta.inverse().unwrap();
        let (g1, g2) = (G1Affine::generator(), G2Affine::generator());
        Proof::new((g1 * a).into_affine(), (g2 * b).into_affine(), (g1 * c).into_affine()).unwrap()
    }

    pub(crate) fn certify(&self, inputs: PublicInputs, rng: &mut StdRng) -> Certificate {
        let proof = self.prove(&inputs.to_field_elements(), rng);
        Certificate::new(&self.key, inputs, proof).unwrap()
    }

    pub(crate) fn verifier(&self) -> Verifier {
        Verifier::new(&self.key, DevelopmentKeys::Allow).unwrap()
    }
}

/// A record of two groups: in the first all but slot 1 are occupied and all but slots 1 and 2 posted; in the second all
/// are occupied and have posted.
pub(crate) fn record(size: CohortSize, seed: u64) -> Record {
    let mut rng = StdRng::seed_from_u64(seed ^ 0x7ec0);
    let slots = size.slots();
    let width = slots / 2;
    let mut occupied = Bitmap::range(0, slots);
    occupied.set(1, false);
    let mut posted = occupied;
    posted.set(2, false);
    Record {
        roster_root: Fr::rand(&mut rng),
        occupied,
        round_context: RoundContext::from_hash(&[0x5c ^ seed as u8; 32]),
        leaves_root: Fr::rand(&mut rng),
        posted,
        group_width: width as u16,
        floors: vec![width as u16 - 2, width as u16],
    }
}

/// The inputs that fit a record, for these participants.
pub(crate) fn inputs(size: CohortSize, record: &Record, participants: Bitmap) -> PublicInputs {
    PublicInputs::new(
        size,
        record.roster_root,
        record.round_context,
        participants,
        record.leaves_root,
        hash_to_curve("blindsum/test", 3),
    )
    .unwrap()
}

/// A key, a record, and a certificate that it accepts.
pub(crate) struct Case {
    pub(crate) trapdoor: Trapdoor,
    pub(crate) verifier: Verifier,
    pub(crate) record: Record,
    pub(crate) certificate: Certificate,
}

pub(crate) fn case(size: CohortSize) -> Case {
    let trapdoor = Trapdoor::new(size, false, SEED);
    let record = record(size, SEED);
    let certificate =
        trapdoor.certify(inputs(size, &record, record.posted), &mut StdRng::seed_from_u64(SEED));
    Case { verifier: trapdoor.verifier(), trapdoor, record, certificate }
}

/// Offsets of a certificate's parts.
pub(crate) struct Layout {
    pub(crate) participants: usize,
    pub(crate) leaves_root: usize,
    pub(crate) commitment: usize,
    pub(crate) a: usize,
    pub(crate) b: usize,
    pub(crate) c: usize,
}

impl Layout {
    pub(crate) fn of(size: CohortSize) -> Self {
        let words = size.bitmap_words();
        let leaves_root = 96 + 32 * words;
        let a = leaves_root + 96;
        Self { participants: 96, leaves_root, commitment: leaves_root + 32, a, b: a + 64, c: a + 192 }
    }
}

/// A point of the twist outside the subgroup.
pub(crate) fn outside_subgroup() -> G2Affine {
    use ark_bn254::{Fq, Fq2};
    (1u64..)
        .filter_map(|i| G2Affine::get_point_from_x_unchecked(Fq2::new(Fq::from(i), Fq::from(1u8)), true))
        .find(|point| !point.is_in_correct_subgroup_assuming_on_curve())
        .unwrap()
}

/// `word + modulus` in 32 bytes, which denotes the same element and must be refused.
pub(crate) fn add_modulus(word: &mut [u8], modulus: &[u8]) {
    let mut carry = 0u16;
    for (byte, m) in word.iter_mut().rev().zip(modulus.iter().rev()) {
        carry += u16::from(*byte) + u16::from(*m);
        *byte = carry as u8;
        carry >>= 8;
    }
    assert_eq!(carry, 0, "the alias fits 256 bits");
}
