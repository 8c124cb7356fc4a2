//! Writes `vectors/{certificate,verifying_key}/*.json`: real proofs for N = 16 under a development key made from a seed, and
//! attacks on them. `cargo run --release -p blindsum-circuits --example certificate_vectors`.

use std::{error::Error, fs, path::PathBuf};

use ark_bn254::{Fq, Fq2, Fr, G1Affine, G2Affine};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{BigInteger, Field, PrimeField};
use blindsum_circuits::{
    Certificate, Proof, ProvingKey, Record, Statement, VerifyingKey,
    codec::{g1_to_bytes, g2_to_bytes},
    prove,
};
use blindsum_engine::{
    cpu::Cpu,
    curve::{fr_to_bytes, hash_to_curve, point_to_bytes},
    roster::{Bitmap, CohortSize, Roster, RoundContext},
    schnorr::{SecretKey, sign_commitment},
};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use serde_json::{Value, json};

const SEED: u64 = 0xb11d_0001;
const SIZE: CohortSize = CohortSize::N16;
const WIDTH: u16 = 8;
/// Slots 1 and 15 hold no key; slot 2 posted nothing.
const EMPTY: [u8; 2] = [1, 15];
const DROPPED: u8 = 2;

/// Offsets into a certificate of 480 bytes.
const PARTICIPANTS: usize = 96;
const COMMITMENT: usize = 160;
const A: usize = 224;
const B: usize = 288;
const C: usize = 416;
/// Offsets into a verifying key of 928 bytes.
const GAMMA: usize = 224;
const DELTA: usize = 352;
const IC: usize = 480;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What a round leaves behind, and certificates of several sets of participants.
struct Round {
    record: Record,
    /// All who posted; the first group; all who posted but slot 4.
    all: Certificate,
    first_group: Certificate,
    one_left_out: Certificate,
}

fn round(key: &ProvingKey, context: RoundContext, rng: &mut ChaCha20Rng) -> Result<Round> {
    let secrets: Vec<Option<SecretKey>> =
        (0..16).map(|slot| (!EMPTY.contains(&slot)).then(|| SecretKey::generate(rng))).collect();
    let roster =
        Roster::new(SIZE, secrets.iter().map(|key| key.as_ref().map(|key| *key.public())).collect())?;
    let mut leaves = vec![Fr::from(0u8); 16];
    let mut signed = Vec::new();
    for (slot, secret) in (0u8..).zip(&secrets) {
        let Some(secret) = secret.as_ref().filter(|_| slot != DROPPED) else { continue };
        let commitment = hash_to_curve("blindsum/vectors", slot.into());
        let (commitment, leaf) = sign_commitment(secret, slot, &context, commitment, rng);
        leaves[usize::from(slot)] = leaf;
        signed.push((slot, commitment));
    }
    let mut certify = |keep: &dyn Fn(u8) -> bool| -> Result<Certificate> {
        let kept: Vec<_> = signed.iter().filter(|(slot, _)| keep(*slot)).copied().collect();
        let (_, witness) = Statement::check(&roster, &context, &leaves, &kept)?;
        Ok(prove(&Cpu, key, &witness, rng)?)
    };
    let all = certify(&|_| true)?;
    let first_group = certify(&|slot| slot < 8)?;
    let one_left_out = certify(&|slot| slot != 4)?;
    let record = Record {
        roster_root: roster.root(),
        occupied: roster.occupied(),
        round_context: context,
        leaves_root: all.inputs().leaves_root(),
        posted: signed.iter().map(|(slot, _)| *slot).collect(),
        group_width: WIDTH,
        floors: vec![5, 6],
    };
    Ok(Round { record, all, first_group, one_left_out })
}

/// Writes cases into a folder that holds nothing else.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Result<Self> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../vectors").join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }

    fn write(&self, name: &str, case: &Value) -> Result<()> {
        fs::write(self.0.join(format!("{name}.json")), format!("{case:#}\n"))?;
        Ok(())
    }
}

/// Everything that a case is made of; attacks change a copy.
#[derive(Clone)]
struct Case {
    key: Vec<u8>,
    allow_development: bool,
    record: Record,
    certificate: Vec<u8>,
}

impl Case {
    fn json(&self, status: (i32, &str)) -> Value {
        json!({
            "source": "circuits/examples/certificate_vectors.rs",
            "verifying_key": hex::encode(&self.key),
            "allow_development": self.allow_development,
            "record": {
                "roster_root": hex::encode(fr_to_bytes(&self.record.roster_root)),
                "occupied": hex::encode(self.record.occupied.to_be_bytes()),
                "round_context": hex::encode(self.record.round_context.as_bytes()),
                "leaves_root": hex::encode(fr_to_bytes(&self.record.leaves_root)),
                "posted": hex::encode(self.record.posted.to_be_bytes()),
                "group_width": self.record.group_width,
                "floors": self.record.floors,
            },
            "certificate": hex::encode(&self.certificate),
            "status": status.0,
            "outcome": status.1,
        })
    }
}

const OK: (i32, &str) = (0, "Ok");
const RECORD: (i32, &str) = (103, "Record");
const DEVELOPMENT_KEY: (i32, &str) = (104, "DevelopmentKey");
const KEY_ENCODING: (i32, &str) = (200, "KeyEncoding");
const KEY_LINT: (i32, &str) = (201, "KeyLint");
const ENCODING: (i32, &str) = (202, "CertificateEncoding");
const DEVELOPMENT_FLAG: (i32, &str) = (301, "WrongDevelopmentFlag");
const WRONG_KEY: (i32, &str) = (302, "WrongKey");
const MISMATCH: (i32, &str) = (303, "Mismatch");
const NOT_THE_POSTED: (i32, &str) = (304, "NotThePosted");
const BELOW_FLOOR: (i32, &str) = (305, "BelowFloor");
const NO_PARTICIPANTS: (i32, &str) = (306, "NoParticipants");
const PROOF_INVALID: (i32, &str) = (307, "ProofInvalid");

/// The same element, written as `value + modulus`.
fn add_modulus(word: &mut [u8], modulus: &[u8]) {
    let mut carry = 0u16;
    for (byte, m) in word.iter_mut().rev().zip(modulus.iter().rev()) {
        carry += u16::from(*byte) + u16::from(*m);
        *byte = carry as u8;
        carry >>= 8;
    }
    assert_eq!(carry, 0, "twice the modulus is below 2^256");
}

/// A point of the twist outside the subgroup.
fn outside_subgroup() -> G2Affine {
    (1u64..)
        .filter_map(|i| G2Affine::get_point_from_x_unchecked(Fq2::new(Fq::from(i), Fq::from(1u8)), true))
        .find(|point| !point.is_in_correct_subgroup_assuming_on_curve())
        .expect("nearly all points are")
}

/// Another key, as good as the first as far as anyone can see.
fn other_key(key: &VerifyingKey) -> VerifyingKey {
    let mut other = key.clone();
    other.alpha_g1 = (key.alpha_g1 * Fr::from(2u8)).into_affine();
    other.delta_g2 = (key.delta_g2 * Fr::from(3u8)).into_affine();
    other
}

fn patch(bytes: &[u8], offset: usize, with: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[offset..offset + with.len()].copy_from_slice(with);
    bytes
}

fn proof_with(certificate: &Certificate, a: G1Affine, b: G2Affine, c: G1Affine) -> Result<Vec<u8>> {
    Ok(patch(&certificate.to_bytes(), A, &Proof::new(a, b, c)?.to_bytes()))
}

fn certificates(key: &VerifyingKey, rounds: &[Round; 2]) -> Result<()> {
    let folder = Folder::new("certificate")?;
    let [round, other_round] = rounds;
    let record = &round.record;
    let all = round.all.to_bytes();
    let good = Case {
        key: key.to_bytes(),
        allow_development: true,
        record: record.clone(),
        certificate: all.clone(),
    };
    let ok = |name: &str, case: Case| folder.write(&format!("ok_{name}"), &case.json(OK));
    let bad = |name: &str, status, case: Case| folder.write(&format!("bad_{name}"), &case.json(status));
    let with_bytes = |certificate: Vec<u8>| Case { certificate, ..good.clone() };
    let with_record = |change: &dyn Fn(&mut Record)| {
        let mut case = good.clone();
        change(&mut case.record);
        case
    };

    ok("both_groups", good.clone())?;
    ok("one_group_failed", with_bytes(round.first_group.to_bytes()))?;
    ok("one_group_of_sixteen", with_record(&|r| (r.group_width, r.floors) = (16, vec![13])))?;
    ok("at_the_floor", with_record(&|r| r.floors = vec![6, 7]))?;
    let (a, b, c) = (round.all.proof().a(), round.all.proof().b(), round.all.proof().c());
    ok("negated_proof", with_bytes(proof_with(&round.all, -a, -b, c)?))?;
    let (t, e) = (Fr::from(7u8), Fr::from(11u8));
    let inverse = t.inverse().ok_or("7 is not 0")?;
    let rerandomised = (
        (a * inverse).into_affine(),
        (b * t + key.delta_g2 * (t * e)).into_affine(),
        (c + a * e).into_affine(),
    );
    ok(
        "rerandomised_proof",
        with_bytes(proof_with(&round.all, rerandomised.0, rerandomised.1, rerandomised.2)?),
    )?;

    // A true statement of something else than the record.
    bad("other_roster", MISMATCH, with_record(&|r| r.roster_root = other_round.record.roster_root))?;
    bad(
        "replayed_in_another_round",
        MISMATCH,
        with_record(&|r| r.round_context = other_round.record.round_context),
    )?;
    bad("other_leaves", MISMATCH, with_record(&|r| r.leaves_root = other_round.record.leaves_root))?;
    bad("client_left_out", NOT_THE_POSTED, with_bytes(round.one_left_out.to_bytes()))?;
    bad("group_below_its_floor", BELOW_FLOOR, with_record(&|r| r.floors = vec![7, 6]))?;

    // A false statement.
    let bitmap = |change: &dyn Fn(&mut Bitmap)| {
        let mut posted = record.posted;
        change(&mut posted);
        with_bytes(patch(&all, PARTICIPANTS, &posted.to_be_bytes()))
    };
    bad("dropped_client_counted", NOT_THE_POSTED, bitmap(&|b| b.set(DROPPED, true)))?;
    bad("empty_slot_counted", NOT_THE_POSTED, bitmap(&|b| b.set(EMPTY[0], true)))?;
    bad("nobody_counted", NO_PARTICIPANTS, bitmap(&|b| *b = Bitmap::EMPTY))?;
    bad(
        "failed_group_counted",
        PROOF_INVALID,
        with_bytes(patch(&round.first_group.to_bytes(), PARTICIPANTS, &record.posted.to_be_bytes())),
    )?;
    bad("standing_group_struck_out", PROOF_INVALID, bitmap(&|b| *b = b.intersection(&Bitmap::range(8, 8))))?;
    let sum = round.all.inputs().commitment();
    bad(
        "other_commitment",
        PROOF_INVALID,
        with_bytes(patch(&all, COMMITMENT, &point_to_bytes(&hash_to_curve("blindsum/vectors", 99)))),
    )?;
    bad("negated_commitment", PROOF_INVALID, with_bytes(patch(&all, COMMITMENT, &point_to_bytes(&-sum))))?;
    bad(
        "proof_of_another_round",
        PROOF_INVALID,
        with_bytes(patch(&all, A, &other_round.all.proof().to_bytes())),
    )?;
    bad("proof_of_fewer", PROOF_INVALID, with_bytes(patch(&all, A, &round.one_left_out.proof().to_bytes())))?;
    for (name, a, b, c) in [("a", -a, b, c), ("b", a, -b, c), ("c", a, b, -c), ("swapped", c, b, a)] {
        bad(
            &format!("proof_{name}{}", if name == "swapped" { "" } else { "_negated" }),
            PROOF_INVALID,
            with_bytes(proof_with(&round.all, a, b, c)?),
        )?;
    }

    // Another key.
    let other = other_key(key);
    bad("other_key", WRONG_KEY, Case { key: other.to_bytes(), ..good.clone() })?;
    let relabelled = patch(&all, 16, &other.key_id());
    bad(
        "other_key_relabelled",
        PROOF_INVALID,
        Case { key: other.to_bytes(), certificate: relabelled, ..good.clone() },
    )?;
    bad("key_id_changed", WRONG_KEY, with_bytes(patch(&all, 16, &[all[16] ^ 1])))?;
    bad("development_flag_cleared", DEVELOPMENT_FLAG, with_bytes(patch(&all, 6, &[0, 0])))?;
    bad("development_key_not_allowed", DEVELOPMENT_KEY, Case { allow_development: false, ..good.clone() })?;

    // Another encoding.
    let encoding = |name: &str, bytes: Vec<u8>| bad(name, ENCODING, with_bytes(bytes));
    encoding("empty", vec![])?;
    encoding("header_only", all[..32].to_vec())?;
    encoding("truncated", all[..479].to_vec())?;
    encoding("trailing_byte", [all.as_slice(), &[0]].concat())?;
    encoding("other_magic", patch(&all, 0, b"BSVK"))?;
    encoding("unknown_version", patch(&all, 4, &[0, 2]))?;
    encoding("unknown_flag", patch(&all, 6, &[0, 3]))?;
    encoding("unknown_size", patch(&all, 8, &[0, 32]))?;
    encoding("relabelled_as_256", patch(&all, 8, &[1, 0]))?;
    encoding("reserved_byte", patch(&all, 15, &[1]))?;
    encoding("context_bit_240", patch(&all, 65, &[1]))?;
    encoding("participant_16", patch(&all, PARTICIPANTS + 29, &[1]))?;
    let (r, q) = (Fr::MODULUS.to_bytes_be(), Fq::MODULUS.to_bytes_be());
    let words = [
        ("roster_root", 32, &r),
        ("context", 64, &r),
        ("participants", PARTICIPANTS, &r),
        ("leaves_root", 128, &r),
        ("commitment_x", COMMITMENT, &r),
        ("commitment_y", COMMITMENT + 32, &r),
        ("a_x", A, &q),
        ("a_y", A + 32, &q),
        ("b_x_c1", B, &q),
        ("b_x_c0", B + 32, &q),
        ("b_y_c1", B + 64, &q),
        ("b_y_c0", B + 96, &q),
        ("c_x", C, &q),
        ("c_y", C + 32, &q),
    ];
    for (name, offset, modulus) in words {
        let mut bytes = all.clone();
        add_modulus(&mut bytes[offset..offset + 32], modulus);
        encoding(&format!("{name}_plus_modulus"), bytes)?;
    }
    for (name, offset, length) in [("commitment", COMMITMENT, 64), ("a", A, 64), ("b", B, 128), ("c", C, 64)]
    {
        encoding(&format!("{name}_infinity"), patch(&all, offset, &vec![0; length]))?;
        let last = offset + length - 1;
        encoding(&format!("{name}_off_curve"), patch(&all, last, &[all[last] ^ 1]))?;
    }
    encoding("b_outside_subgroup", patch(&all, B, &g2_to_bytes(&outside_subgroup())))?;
    let mut swapped = all.clone();
    swapped[B..B + 64].rotate_left(32);
    swapped[B + 64..B + 128].rotate_left(32);
    encoding("b_halves_swapped", swapped)?;

    // The caller's own mistakes.
    bad("record_posted_not_occupied", RECORD, with_record(&|r| r.posted.set(EMPTY[0], true)))?;
    bad("record_occupied_beyond_the_cohort", RECORD, with_record(&|r| r.occupied.set(16, true)))?;
    bad("record_floor_zero", RECORD, with_record(&|r| r.floors = vec![0, 6]))?;
    bad("record_floor_missing", RECORD, with_record(&|r| r.floors = vec![5]))?;
    bad("record_width_three", RECORD, with_record(&|r| r.group_width = 3))?;
    Ok(())
}

fn verifying_keys(key: &VerifyingKey) -> Result<()> {
    let folder = Folder::new("verifying_key")?;
    let good = key.to_bytes();
    let write = |name: &str, bytes: &[u8], allow_development: bool, status: (i32, &str)| {
        let mut case = json!({
            "source": "circuits/examples/certificate_vectors.rs",
            "verifying_key": hex::encode(bytes),
            "allow_development": allow_development,
            "status": status.0,
            "outcome": status.1,
        });
        if status == OK {
            case["key_id"] = json!(hex::encode(key.key_id()));
        }
        folder.write(name, &case)
    };
    write("ok_development_16", &good, true, OK)?;
    write("bad_development_key_not_allowed", &good, false, DEVELOPMENT_KEY)?;
    let lint = |name: &str, bytes: Vec<u8>| write(&format!("bad_{name}"), &bytes, true, KEY_LINT);
    let encoding = |name: &str, bytes: Vec<u8>| write(&format!("bad_{name}"), &bytes, true, KEY_ENCODING);
    let g2 = g2_to_bytes(&G2Affine::generator());
    lint("delta_is_gamma", patch(&good, DELTA, &good[GAMMA..GAMMA + 128]))?;
    lint("delta_is_minus_gamma", patch(&good, DELTA, &g2_to_bytes(&-key.gamma_g2)))?;
    lint("gamma_and_delta_are_the_generator", patch(&patch(&good, DELTA, &g2), GAMMA, &g2))?;
    lint("delta_is_the_generator", patch(&good, DELTA, &g2))?;
    lint("gamma_is_beta", patch(&good, GAMMA, &g2_to_bytes(&key.beta_g2)))?;
    lint("ic_repeated", patch(&good, IC + 64, &good[IC..IC + 64]))?;
    lint("ic_opposite", patch(&good, IC + 64, &g1_to_bytes(&-key.ic[0])))?;
    lint("ic_is_alpha", patch(&good, IC + 128, &g1_to_bytes(&key.alpha_g1)))?;
    lint("alpha_is_the_generator", patch(&good, 32, &g1_to_bytes(&G1Affine::generator())))?;
    encoding("ic_infinity", patch(&good, IC + 64, &[0; 64]))?;
    encoding("ic_missing", good[..928 - 64].to_vec())?;
    encoding("ic_surplus", [good.as_slice(), &good[IC..IC + 64]].concat())?;
    encoding("delta_infinity", patch(&good, DELTA, &[0; 128]))?;
    encoding("delta_outside_subgroup", patch(&good, DELTA, &g2_to_bytes(&outside_subgroup())))?;
    encoding("alpha_off_curve", patch(&good, 95, &[good[95] ^ 1]))?;
    let mut alias = good.clone();
    add_modulus(&mut alias[32..64], &Fq::MODULUS.to_bytes_be());
    encoding("alpha_plus_modulus", alias)?;
    encoding("empty", vec![])?;
    encoding("truncated", good[..927].to_vec())?;
    encoding("trailing_byte", [good.as_slice(), &[0]].concat())?;
    encoding("other_magic", patch(&good, 0, b"BSCT"))?;
    encoding("unknown_version", patch(&good, 4, &[0, 2]))?;
    encoding("unknown_flag", patch(&good, 6, &[0, 2]))?;
    encoding("reserved_byte", patch(&good, 31, &[1]))?;
    Ok(())
}

fn main() -> Result<()> {
    let mut rng = ChaCha20Rng::seed_from_u64(SEED);
    let key = ProvingKey::setup_development(SIZE, &mut rng)?;
    let rounds = [
        round(&key, RoundContext::from_hash(&[0x11; 32]), &mut rng)?,
        round(&key, RoundContext::from_hash(&[0x22; 32]), &mut rng)?,
    ];
    verifying_keys(key.verifying_key())?;
    certificates(key.verifying_key(), &rounds)
}
