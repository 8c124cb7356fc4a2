//! Verifying certificates from their bytes, for N = 16. `verify/cpu/k` is one call of `verify` (k = 1) or `verify_many`;
//! `verify/ark_groth16/1` is the peer: its prepared key and its own decoder, without record, input count or key id.
//!
//! The key's secrets are known to the bench, so proofs cost nothing to make; the verifier does the same work for any.

use std::hint::black_box;

use ark_bn254::{Bn254, Fr};
use ark_groth16::{Groth16, prepare_verifying_key};
use ark_serialize::{CanonicalDeserialize, CanonicalSerialize};
use ark_std::rand::{SeedableRng, rngs::StdRng};
use blindsum_circuits::{Certificate, Record};
use blindsum_engine::roster::CohortSize;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

#[path = "../../circuits/tests/common/mod.rs"]
mod common;

const SIZE: CohortSize = CohortSize::N16;
const BATCHES: [u64; 3] = [4, 16, 64];

fn bench(criterion: &mut Criterion) {
    let trapdoor = common::Trapdoor::new(SIZE, false, common::SEED);
    let verifier = trapdoor.verifier();
    let mut rng = StdRng::seed_from_u64(common::SEED);
    let cases: Vec<(Record, Vec<u8>)> = (0..64)
        .map(|i| {
            let record = common::record(SIZE, i);
            let certificate = trapdoor.certify(common::inputs(SIZE, &record, record.posted), &mut rng);
            (record, certificate.to_bytes())
        })
        .collect();

    let mut group = criterion.benchmark_group("verify");
    group.sample_size(20);
    group.throughput(Throughput::Elements(1));
    let (record, bytes) = &cases[0];
    group.bench_function(BenchmarkId::new("cpu", 1), |b| {
        b.iter(|| verifier.verify_bytes(record, black_box(bytes)).expect("a good certificate"));
    });

    let certificate = Certificate::from_bytes(bytes).expect("a good certificate");
    let key = &trapdoor.key;
    let ark_key = prepare_verifying_key(&ark_groth16::VerifyingKey::<Bn254> {
        alpha_g1: key.alpha_g1,
        beta_g2: key.beta_g2,
        gamma_g2: key.gamma_g2,
        delta_g2: key.delta_g2,
        gamma_abc_g1: key.ic.clone(),
    });
    let proof = certificate.proof();
    let mut encoded = Vec::new();
    let proof = ark_groth16::Proof::<Bn254> { a: proof.a(), b: proof.b(), c: proof.c() };
    proof.serialize_uncompressed(&mut encoded).expect("a vector grows");
    let inputs: Vec<Fr> = certificate.inputs().to_field_elements();
    group.bench_function(BenchmarkId::new("ark_groth16", 1), |b| {
        b.iter(|| {
            let proof =
                ark_groth16::Proof::deserialize_uncompressed(black_box(&encoded[..])).expect("a proof");
            assert!(Groth16::<Bn254>::verify_proof(&ark_key, &proof, &inputs).expect("a verdict"));
        });
    });

    for count in BATCHES {
        group.throughput(Throughput::Elements(count));
        group.bench_function(BenchmarkId::new("cpu", count), |b| {
            b.iter(|| {
                let decoded: Vec<(&Record, Certificate)> = cases[..count as usize]
                    .iter()
                    .map(|(record, bytes)| (record, Certificate::from_bytes(black_box(bytes)).expect("good")))
                    .collect();
                let batch: Vec<(&Record, &Certificate)> =
                    decoded.iter().map(|(record, certificate)| (*record, certificate)).collect();
                verifier.verify_many(&batch).expect("good certificates");
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
