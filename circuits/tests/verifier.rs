//! The verifier accepts exactly the proofs of exactly the caller's record.

mod common;

use ark_bn254::{Bn254, Fr};
use ark_ec::CurveGroup;
use ark_ff::{Field, UniformRand};
use ark_groth16::{Groth16, PreparedVerifyingKey, prepare_verifying_key};
use ark_relations::gr1cs::{ConstraintSynthesizer, ConstraintSystemRef, LinearCombination, SynthesisError};
use ark_snark::SNARK;
use ark_std::rand::{SeedableRng, rngs::StdRng};
use blindsum_circuits::{
    BatchError, Certificate, DevelopmentKeys, Element, KeyError, Proof, PublicInputs, Record, RecordError,
    Verifier, VerifyError, VerifyingKey, certificate::public_input_count, verifier::MAX_BATCH,
};
use blindsum_engine::{
    curve::hash_to_curve,
    roster::{Bitmap, CohortSize, RoundContext},
};
use common::{Case, SEED, Trapdoor, case, inputs, record};

const SIZES: [CohortSize; 2] = [CohortSize::N16, CohortSize::N256];

#[test]
fn accepts_every_size() {
    for size in CohortSize::ALL {
        let Case { verifier, record, certificate, .. } = case(size);
        assert_eq!(verifier.verify(&record, &certificate), Ok(()));
        assert_eq!(verifier.verify_bytes(&record, &certificate.to_bytes()), Ok(()));
    }
}

/// With one of its public inputs changed, proof and key stay good and the proof is refused; then the good one again.
#[test]
fn every_input_is_bound_by_the_proof() {
    for size in SIZES {
        let Case { trapdoor, verifier, record, certificate } = case(size);
        let good = certificate.inputs();
        let mut fewer = record.posted;
        fewer.set(0, false);
        let point = hash_to_curve("blindsum/test", 4);
        let changed: [(&str, Record, Bitmap, _); 7] = [
            (
                "roster_root",
                Record { roster_root: record.roster_root + Fr::from(1u8), ..record.clone() },
                record.posted,
                good.commitment(),
            ),
            (
                "round_context",
                Record { round_context: RoundContext::from_hash(&[9; 32]), ..record.clone() },
                record.posted,
                good.commitment(),
            ),
            (
                "participants",
                Record { posted: fewer, floors: vec![1, 1], ..record.clone() },
                fewer,
                good.commitment(),
            ),
            (
                "leaves_root",
                Record { leaves_root: Fr::from(0u8), ..record.clone() },
                record.posted,
                good.commitment(),
            ),
            (
                "high slots",
                Record { floors: vec![1, 1], ..record.clone() },
                Bitmap::range(size.slots() / 2, size.slots() / 2),
                good.commitment(),
            ),
            ("commitment", record.clone(), record.posted, point),
            ("negated commitment", record.clone(), record.posted, -good.commitment()),
        ];
        for (what, record, participants, commitment) in changed {
            let inputs = PublicInputs::new(
                size,
                record.roster_root,
                record.round_context,
                participants,
                record.leaves_root,
                commitment,
            )
            .unwrap();
            let forged = Certificate::new(&trapdoor.key, inputs, *certificate.proof()).unwrap();
            assert_eq!(verifier.verify(&record, &forged), Err(VerifyError::ProofInvalid), "{what}");
        }
        assert_eq!(verifier.verify(&record, &certificate), Ok(()));
    }
}

#[test]
fn every_point_of_the_proof_is_bound() {
    for size in SIZES {
        let Case { trapdoor, verifier, record, certificate } = case(size);
        let (a, b, c) = (certificate.proof().a(), certificate.proof().b(), certificate.proof().c());
        let double = |point: ark_bn254::G1Affine| (point + point).into_affine();
        for (a, b, c) in [
            (double(a), b, c),
            (a, (b + b).into_affine(), c),
            (a, b, double(c)),
            (-a, b, c),
            (a, -b, c),
            (a, b, -c),
            (c, b, a),
        ] {
            let proof = Proof::new(a, b, c).unwrap();
            let forged = Certificate::new(&trapdoor.key, certificate.inputs().clone(), proof).unwrap();
            assert_eq!(verifier.verify(&record, &forged), Err(VerifyError::ProofInvalid));
        }
        assert_eq!(verifier.verify(&record, &certificate), Ok(()));
    }
}

/// Anybody can turn a proof into another one of the same statement, so nothing may be keyed by its bytes.
#[test]
fn rerandomised_and_negated_proofs_verify() {
    for size in SIZES {
        let Case { trapdoor, verifier, record, certificate } = case(size);
        let (a, b, c) = (certificate.proof().a(), certificate.proof().b(), certificate.proof().c());
        let mut rng = StdRng::seed_from_u64(SEED);
        let (t, e) = (Fr::rand(&mut rng), Fr::rand(&mut rng));
        let rerandomised = (
            (a * t.inverse().unwrap()).into_affine(),
            (b * t + trapdoor.key.delta_g2 * (t * e)).into_affine(),
            (c + a * e).into_affine(),
        );
        for (a, b, c) in [rerandomised, (-a, -b, c)] {
            let other =
                Certificate::new(&trapdoor.key, certificate.inputs().clone(), Proof::new(a, b, c).unwrap())
                    .unwrap();
            assert_ne!(other.to_bytes(), certificate.to_bytes());
            assert_eq!(verifier.verify_bytes(&record, &other.to_bytes()), Ok(()));
        }
    }
}

#[test]
fn inputs_come_from_the_record() {
    let Case { verifier, record, certificate, .. } = case(CohortSize::N16);
    let mismatch = |element| Err(VerifyError::Mismatch { element });
    let other = Record { roster_root: Fr::from(7u8), ..record.clone() };
    assert_eq!(verifier.verify(&other, &certificate), mismatch(Element::RosterRoot));
    let other = Record { round_context: RoundContext::from_hash(&[1; 32]), ..record.clone() };
    assert_eq!(verifier.verify(&other, &certificate), mismatch(Element::RoundContext));
    let other = Record { leaves_root: Fr::from(7u8), ..record.clone() };
    assert_eq!(verifier.verify(&other, &certificate), mismatch(Element::LeavesRoot));
    assert_eq!(verifier.verify(&record, &certificate), Ok(()));
}

#[test]
fn participants_are_whole_posted_groups_at_their_floor() {
    for size in SIZES {
        let Case { trapdoor, verifier, record, .. } = case(size);
        let mut rng = StdRng::seed_from_u64(SEED);
        let width = usize::from(record.group_width);
        let groups = [0, 1].map(|g| record.posted.intersection(&Bitmap::range(g * width, width)));
        let mut check = |record: &Record, participants: Bitmap| {
            // A valid proof in every case: only the rule decides.
            verifier.verify(record, &trapdoor.certify(inputs(size, record, participants), &mut rng))
        };
        for standing in [record.posted, groups[0], groups[1]] {
            assert_eq!(check(&record, standing), Ok(()));
        }
        assert_eq!(check(&record, Bitmap::EMPTY), Err(VerifyError::NoParticipants));

        // One posted client left out, one that did not post, one that has no key, one of the other group.
        for (slot, group) in [(0, 0), (2, 0), (1, 0), (width as u8, 1)] {
            let mut wrong = record.posted;
            wrong.set(slot, !wrong.get(slot));
            assert_eq!(check(&record, wrong), Err(VerifyError::NotThePosted { group }), "slot {slot}");
        }
        let mut one = groups[1];
        one.set(0, true);
        assert_eq!(check(&record, one), Err(VerifyError::NotThePosted { group: 0 }));

        let strict = Record { floors: vec![width as u16 - 1, width as u16], ..record.clone() };
        assert_eq!(
            check(&strict, record.posted),
            Err(VerifyError::BelowFloor { group: 0, floor: width as u16 - 1, got: width - 2 })
        );
        assert_eq!(check(&strict, groups[1]), Ok(()));
    }
}

#[test]
fn contradictory_records_are_the_callers_fault() {
    let Case { verifier, record, certificate, .. } = case(CohortSize::N16);
    let check = |record: &Record| verifier.verify(record, &certificate);
    for got in [0, 3, 32, u16::MAX] {
        let bad = Record { group_width: got, ..record.clone() };
        assert_eq!(check(&bad), Err(RecordError::GroupWidth { got, slots: 16 }.into()));
    }
    for floors in [vec![], vec![6], vec![6, 8, 1]] {
        let got = floors.len();
        let bad = Record { floors, ..record.clone() };
        assert_eq!(check(&bad), Err(RecordError::Floors { expected: 2, got }.into()));
    }
    for got in [0, 9, u16::MAX] {
        let bad = Record { floors: vec![6, got], ..record.clone() };
        assert_eq!(check(&bad), Err(RecordError::Floor { group: 1, got, width: 8 }.into()));
    }
    let mut bad = record.clone();
    bad.occupied.set(16, true);
    assert_eq!(check(&bad), Err(RecordError::OccupiedOutOfRange { slot: 16, slots: 16 }.into()));
    let mut bad = record.clone();
    bad.posted.set(1, true);
    assert_eq!(check(&bad), Err(RecordError::PostedNotOccupied { slot: 1 }.into()));
    // A record of another cohort size: its groups do not cover the verifier's slots.
    let wide = common::record(CohortSize::N64, SEED);
    assert_eq!(check(&wide), Err(RecordError::GroupWidth { got: 32, slots: 16 }.into()));
    assert_eq!(check(&record), Ok(()));
}

#[test]
fn other_keys_sizes_and_flags_are_refused() {
    let Case { trapdoor, record, certificate, verifier } = case(CohortSize::N16);
    let mut rng = StdRng::seed_from_u64(SEED);

    let other = Trapdoor::new(CohortSize::N16, false, SEED + 1);
    assert_eq!(other.verifier().verify(&record, &certificate), Err(VerifyError::WrongKey));
    // The other key's id on this key's proof.
    let relabelled =
        Certificate::new(&other.key, certificate.inputs().clone(), *certificate.proof()).unwrap();
    assert_eq!(other.verifier().verify(&record, &relabelled), Err(VerifyError::ProofInvalid));

    let size = CohortSize::N64;
    let wide = Trapdoor::new(size, false, SEED);
    let wide_record = common::record(size, SEED);
    let wide_certificate = wide.certify(inputs(size, &wide_record, wide_record.posted), &mut rng);
    assert_eq!(
        verifier.verify(&record, &wide_certificate),
        Err(VerifyError::WrongCohortSize { expected: 16, got: 64 })
    );
    assert_eq!(
        Certificate::new(&wide.key, certificate.inputs().clone(), *certificate.proof()),
        Err(VerifyError::WrongCohortSize { expected: 64, got: 16 })
    );

    let development = Trapdoor::new(CohortSize::N16, true, SEED);
    assert_eq!(
        Verifier::new(&development.key, DevelopmentKeys::Refuse).err(),
        Some(KeyError::DevelopmentKeyRefused)
    );
    let made = development.certify(certificate.inputs().clone(), &mut rng);
    assert_eq!(development.verifier().verify(&record, &made), Ok(()));
    assert_eq!(
        verifier.verify(&record, &made),
        Err(VerifyError::WrongDevelopmentFlag { expected: false, got: true })
    );
    assert_eq!(
        development.verifier().verify(&record, &certificate),
        Err(VerifyError::WrongDevelopmentFlag { expected: true, got: false })
    );
    assert_eq!(
        Verifier::new(&trapdoor.key, DevelopmentKeys::Refuse).unwrap().verify(&record, &certificate),
        Ok(())
    );
}

/// As many cohorts' records and certificates under one key.
fn batch(trapdoor: &Trapdoor, count: u64) -> Vec<(Record, Certificate)> {
    let size = trapdoor.key.size;
    let mut rng = StdRng::seed_from_u64(SEED);
    (0..count)
        .map(|i| {
            let record = record(size, i);
            let certificate = trapdoor.certify(inputs(size, &record, record.posted), &mut rng);
            (record, certificate)
        })
        .collect()
}

fn verify_many(verifier: &Verifier, batch: &[(Record, Certificate)]) -> Result<(), BatchError> {
    verifier.verify_many(&batch.iter().map(|(record, certificate)| (record, certificate)).collect::<Vec<_>>())
}

/// The same inputs with C moved by `offset`.
fn shift_c(trapdoor: &Trapdoor, certificate: &Certificate, offset: Fr) -> Certificate {
    let proof = certificate.proof();
    let c = (proof.c() + trapdoor.key.alpha_g1 * offset).into_affine();
    Certificate::new(
        &trapdoor.key,
        certificate.inputs().clone(),
        Proof::new(proof.a(), proof.b(), c).unwrap(),
    )
    .unwrap()
}

#[test]
fn batches_name_the_first_that_is_refused() {
    for size in SIZES {
        let trapdoor = Trapdoor::new(size, false, SEED);
        let verifier = trapdoor.verifier();
        for count in [0, 1, 2, 3, 7] {
            let good = batch(&trapdoor, count);
            assert_eq!(verify_many(&verifier, &good), Ok(()));
            for index in 0..good.len() {
                let mut bad = good.clone();
                // A bad proof at `index` and at the end, and a wrong claim somewhere behind.
                bad[index].1 = shift_c(&trapdoor, &good[index].1, Fr::from(1u8));
                let last = bad.len() - 1;
                bad[last].1 = shift_c(&trapdoor, &good[last].1, Fr::from(2u8));
                let error = VerifyError::ProofInvalid;
                assert_eq!(verify_many(&verifier, &bad), Err(BatchError::Refused { index, error }));
                if index + 1 < bad.len() {
                    bad[index + 1].0.leaves_root = Fr::from(3u8);
                    assert_eq!(verify_many(&verifier, &bad), Err(BatchError::Refused { index, error }));
                }
                bad[index] = good[index].clone();
                bad[index].0.leaves_root = Fr::from(3u8);
                let error = VerifyError::Mismatch { element: Element::LeavesRoot };
                assert_eq!(verify_many(&verifier, &bad), Err(BatchError::Refused { index, error }));
            }
        }
    }
}

/// Two wrong proofs whose errors cancel pass any sum without weights.
#[test]
fn errors_that_cancel_are_refused() {
    let trapdoor = Trapdoor::new(CohortSize::N16, false, SEED);
    let mut batch = batch(&trapdoor, 4);
    batch[1].1 = shift_c(&trapdoor, &batch[1].1, Fr::from(5u8));
    batch[3].1 = shift_c(&trapdoor, &batch[3].1, -Fr::from(5u8));
    let error = VerifyError::ProofInvalid;
    assert_eq!(verify_many(&trapdoor.verifier(), &batch), Err(BatchError::Refused { index: 1, error }));
}

#[test]
fn batches_are_bounded() {
    let Case { verifier, record, certificate, .. } = case(CohortSize::N16);
    let too_many = vec![(&record, &certificate); MAX_BATCH + 1];
    assert_eq!(
        verifier.verify_many(&too_many),
        Err(BatchError::TooMany { limit: MAX_BATCH, got: MAX_BATCH + 1 })
    );
    assert_eq!(verifier.verify_many(&too_many[..20]), Ok(()));
}

#[test]
fn answers_do_not_depend_on_the_number_of_threads() {
    let trapdoor = Trapdoor::new(CohortSize::N16, false, SEED);
    let verifier = trapdoor.verifier();
    let good = batch(&trapdoor, 9);
    let mut bad = good.clone();
    bad[5].1 = shift_c(&trapdoor, &good[5].1, Fr::from(1u8));
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            assert_eq!(verify_many(&verifier, &good), Ok(()));
            let error = VerifyError::ProofInvalid;
            assert_eq!(verify_many(&verifier, &bad), Err(BatchError::Refused { index: 5, error }));
        });
    }
}

/// `v * w = sum_i (i + 1) x_i`: a circuit with as many public inputs as the statement.
#[derive(Clone)]
struct Toy {
    inputs: Vec<Fr>,
    v: Fr,
}

impl ConstraintSynthesizer<Fr> for Toy {
    fn generate_constraints(self, cs: ConstraintSystemRef<Fr>) -> Result<(), SynthesisError> {
        let mut sum = LinearCombination::zero();
        let mut value = Fr::from(0u8);
        for (i, x) in (1u64..).zip(&self.inputs) {
            let variable = cs.new_input_variable(|| Ok(*x))?;
            sum += (Fr::from(i), variable);
            value += Fr::from(i) * x;
        }
        let w = value * self.v.inverse().ok_or(SynthesisError::DivisionByZero)?;
        let v = LinearCombination::from(cs.new_witness_variable(|| Ok(self.v))?);
        let w = LinearCombination::from(cs.new_witness_variable(|| Ok(w))?);
        cs.enforce_r1cs_constraint(|| v, || w, || sum)
    }
}

/// Asks ark-groth16 the same question.
fn oracle(key: &PreparedVerifyingKey<Bn254>, certificate: &Certificate) -> bool {
    let proof = certificate.proof();
    let proof = ark_groth16::Proof { a: proof.a(), b: proof.b(), c: proof.c() };
    Groth16::<Bn254>::verify_proof(key, &proof, &certificate.inputs().to_field_elements()).unwrap()
}

#[test]
fn agrees_with_ark_groth16() {
    for size in SIZES {
        let mut rng = StdRng::seed_from_u64(SEED);
        let empty = Toy { inputs: vec![Fr::from(1u8); public_input_count(size)], v: Fr::from(1u8) };
        let (proving, ark) = Groth16::<Bn254>::circuit_specific_setup(empty, &mut rng).unwrap();
        let key = VerifyingKey {
            size,
            development: true,
            alpha_g1: ark.alpha_g1,
            beta_g2: ark.beta_g2,
            gamma_g2: ark.gamma_g2,
            delta_g2: ark.delta_g2,
            ic: ark.gamma_abc_g1.clone(),
        };
        let prepared = prepare_verifying_key(&ark);
        let verifier =
            Verifier::new(&VerifyingKey::from_bytes(&key.to_bytes()).unwrap(), DevelopmentKeys::Allow)
                .unwrap();

        let record = record(size, SEED);
        let inputs = inputs(size, &record, record.posted);
        let toy = Toy { inputs: inputs.to_field_elements(), v: Fr::rand(&mut rng) };
        let made = Groth16::<Bn254>::prove(&proving, toy, &mut rng).unwrap();
        let good = Certificate::new(&key, inputs, Proof::new(made.a, made.b, made.c).unwrap()).unwrap();
        assert!(oracle(&prepared, &good));
        assert_eq!(verifier.verify_bytes(&record, &good.to_bytes()), Ok(()));
        assert_eq!(verifier.verify_many(&[(&record, &good), (&record, &good), (&record, &good)]), Ok(()));

        // Every bit flip that still decodes gets the same answer from both.
        let bytes = good.to_bytes();
        let mut decoded = 0;
        for index in 32..bytes.len() {
            let mut bad = bytes.clone();
            bad[index] ^= 1 << (index % 8);
            let Ok(certificate) = Certificate::from_bytes(&bad) else { continue };
            decoded += 1;
            let claimed = Record {
                roster_root: certificate.inputs().roster_root(),
                round_context: certificate.inputs().round_context(),
                leaves_root: certificate.inputs().leaves_root(),
                occupied: Bitmap::range(0, size.slots()),
                posted: certificate.inputs().participants(),
                floors: vec![1, 1],
                ..record.clone()
            };
            assert!(!oracle(&prepared, &certificate), "byte {index}");
            assert_eq!(
                verifier.verify(&claimed, &certificate),
                Err(VerifyError::ProofInvalid),
                "byte {index}"
            );
        }
        assert!(decoded >= 64, "{decoded} flips decoded: too few to compare");
    }
}
