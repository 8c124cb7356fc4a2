//! From signed commitments to an accepted certificate, by the public interface alone; and the proving key's file.

mod cohort;

use std::path::Path;
use std::sync::OnceLock;

use blindsum_circuits::{
    Certificate, DevelopmentKeys, ProvingKey, ProvingKeyError, Record, Statement, StatementError, Verifier,
    VerifyError, prove,
};
use blindsum_engine::cpu::Cpu;
use blindsum_engine::curve::{Fr, hash_to_curve};
use blindsum_engine::roster::CohortSize;
use blindsum_engine::schnorr::{SignatureError, sign_commitment};
use cohort::{Cohort, SEED, context};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

/// The development setup from the fixed seed; a change of the circuit or of the setup changes it.
const VERIFYING_KEY_DIGEST: &str = "6238e8a68e15e165fd8b543daf1317f54fdb2985a1b4bd3e3158047665141b89";

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(SEED)
}

fn key() -> &'static ProvingKey {
    static KEY: OnceLock<ProvingKey> = OnceLock::new();
    KEY.get_or_init(|| ProvingKey::setup_development(CohortSize::N16, &mut rng()).expect("setup"))
}

fn record(cohort: &Cohort) -> Record {
    Record {
        roster_root: cohort.roster.root(),
        occupied: cohort.roster.occupied(),
        round_context: cohort.context,
        leaves_root: blindsum_engine::tree::root(&cohort.leaves),
        posted: cohort.participants(),
        group_width: 16,
        floors: vec![2],
    }
}

fn check(cohort: &Cohort) -> Result<(Statement, blindsum_circuits::Witness), StatementError> {
    Statement::check(&cohort.roster, &cohort.context, &cohort.leaves, &cohort.signed)
}

#[test]
fn a_cohort_is_proven_and_verified() {
    let cohort = Cohort::small();
    let (statement, witness) = check(&cohort).expect("an honest cohort");
    assert_eq!(statement.public_inputs().commitment(), cohort.sum());
    let certificate = prove(&Cpu, key(), &witness, &mut rng()).expect("an honest witness");
    assert_eq!(certificate.inputs(), statement.public_inputs());
    assert!(certificate.development());

    let verifier = Verifier::new(key().verifying_key(), DevelopmentKeys::Allow).expect("a sound key");
    let bytes = certificate.to_bytes();
    assert_eq!(bytes.len(), 480);
    assert_eq!(verifier.verify_bytes(&record(&cohort), &bytes), Ok(()));
    assert_eq!(Certificate::from_bytes(&bytes).as_ref(), Ok(&certificate));
    assert!(Verifier::new(key().verifying_key(), DevelopmentKeys::Refuse).is_err());

    let again =
        prove(&Cpu, key(), &witness, &mut ChaCha20Rng::seed_from_u64(SEED + 1)).expect("an honest witness");
    assert_ne!(again.to_bytes(), bytes, "fresh randomness, another proof");
    assert_eq!(verifier.verify(&record(&cohort), &again), Ok(()));

    // The proof is of these inputs and no others: C moved by one word of its bytes fails in the pairing.
    let other = Cohort::new(CohortSize::N16, |slot| slot != 7, |slot| slot != 2 && slot != 11 && slot != 3);
    let inputs = check(&other).expect("honest").0.public_inputs().clone();
    let moved = Certificate::new(key().verifying_key(), inputs, *certificate.proof()).expect("one size");
    assert_eq!(verifier.verify(&record(&other), &moved), Err(VerifyError::ProofInvalid));
}

#[test]
fn the_verifying_key_is_pinned() {
    assert_eq!(hex::encode(key().verifying_key().digest()), VERIFYING_KEY_DIGEST);
}

#[test]
fn faults_are_named_with_their_slot() {
    let cohort = Cohort::small();
    let refuse = |edit: &dyn Fn(&mut Cohort)| {
        let mut cohort = Cohort::small();
        edit(&mut cohort);
        check(&cohort).expect_err("a faulty cohort")
    };
    let forged = refuse(&|cohort| cohort.signed[3].1.signature.s += blindsum_engine::curve::Fq::from(1u8));
    let slot_of_3 = cohort.signed[3].0;
    let StatementError::Signature { slot, source: SignatureError::Invalid } = forged else {
        panic!("{forged}")
    };
    assert_eq!(slot, slot_of_3);
    assert!(matches!(refuse(&|c| c.leaves[5] += Fr::from(1u8)), StatementError::Leaf { slot: 5 }));
    assert!(matches!(refuse(&|c| c.signed[4].0 = 7), StatementError::NoKey { slot: 7 }));
    assert!(matches!(refuse(&|c| c.signed[4].0 = 16), StatementError::NoKey { slot: 16 }));
    assert!(matches!(refuse(&|c| c.signed.push(c.signed[0])), StatementError::Duplicate { slot: 0 }));
    assert!(matches!(refuse(&|c| c.signed.clear()), StatementError::NoParticipants));
    assert!(matches!(
        refuse(&|c| c.leaves.truncate(15)),
        StatementError::LeafCount { expected: 16, got: 15 }
    ));
    assert!(matches!(refuse(&|c| c.context = context(1)), StatementError::Signature { slot: 0, .. }));
    // Two commitments that cancel: their sum is infinity.
    let cancelling = refuse(&|c| {
        let point = hash_to_curve("test", 3);
        c.signed.truncate(2);
        for (index, point) in [point, -point].into_iter().enumerate() {
            let (slot, _) = c.signed[index];
            let (signed, leaf) = sign_commitment(c.key(slot), slot, &c.context, point, &mut rng());
            c.leaves[usize::from(slot)] = leaf;
            c.signed[index] = (slot, signed);
        }
    });
    assert!(matches!(cancelling, StatementError::SumDegenerate));
}

#[test]
fn a_stored_key_is_the_key() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("key.bin");
    key().store(&path).expect("written");
    let loaded = ProvingKey::load(&path, CohortSize::N16).expect("as it was written");
    assert!(loaded.is_development());
    assert_eq!(loaded.verifying_key(), key().verifying_key());
    assert!(loaded.to_ark() == key().to_ark());
    assert_eq!(
        std::fs::read_dir(directory.path()).expect("a directory").count(),
        1,
        "nothing is left beside the file"
    );
    let bytes = std::fs::read(&path).expect("readable");
    assert_eq!((&bytes[..4], bytes[7]), (&b"BSPK"[..], 1), "flagged as development in its bytes");
    key().store(&path).expect("replaces");
    assert_eq!(std::fs::read(&path).expect("readable"), bytes);
}

#[test]
fn damaged_keys_are_refused_by_name() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("key.bin");
    key().store(&path).expect("written");
    let good = std::fs::read(&path).expect("readable");
    let load = |bytes: &[u8], size| {
        std::fs::write(&path, bytes).expect("writable");
        ProvingKey::load(&path, size).expect_err("damaged")
    };
    let flipped = |at: usize| {
        let mut bytes = good.clone();
        bytes[at] ^= 1;
        load(&bytes, CohortSize::N16)
    };
    let offset = |section: usize| {
        let at = 64 * section + 8;
        u64::from_be_bytes(good[at..at + 8].try_into().expect("eight bytes")) as usize
    };
    for (section, name) in
        ["verifying key", "constants", "A", "B in G1", "B in G2", "H", "L"].into_iter().enumerate()
    {
        let error = flipped(offset(section + 1) + 40);
        assert!(
            matches!(error, ProvingKeyError::Altered { section, .. } if section == name),
            "{name}: {error}"
        );
    }
    for at in [7, 8, 20, 50, 64 * 3 + 30] {
        assert!(matches!(flipped(at), ProvingKeyError::Altered { section: "header", .. }), "byte {at}");
    }
    assert!(matches!(flipped(0), ProvingKeyError::Format { .. }));
    assert!(matches!(flipped(5), ProvingKeyError::Format { .. }));
    for length in [0, 100, good.len() - 64, good.len() - 1] {
        assert!(
            matches!(load(&good[..length], CohortSize::N16), ProvingKeyError::Length { .. }),
            "length {length}"
        );
    }
    let mut longer = good.clone();
    longer.push(0);
    assert!(matches!(load(&longer, CohortSize::N16), ProvingKeyError::Length { .. }));
    let other = load(&good, CohortSize::N64);
    assert!(
        matches!(other, ProvingKeyError::OtherSize { expected: CohortSize::N64, got: 16, .. }),
        "{other}"
    );
    let missing = ProvingKey::load(Path::new("/nonexistent/key.bin"), CohortSize::N16);
    assert!(matches!(missing, Err(ProvingKeyError::Io { operation: "read", .. })));
}

#[test]
fn the_cache_is_filled_once() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let nested = directory.path().join("cache");
    let first = ProvingKey::load_or_setup(Some(&nested), CohortSize::N16, &mut rng()).expect("setup");
    assert_eq!(first.verifying_key(), key().verifying_key(), "the setup depends on its randomness alone");
    let second =
        ProvingKey::load_or_setup(Some(&nested), CohortSize::N16, &mut ChaCha20Rng::seed_from_u64(1));
    assert_eq!(second.expect("loads").verifying_key(), first.verifying_key());
    let files: Vec<_> =
        std::fs::read_dir(&nested).expect("made").map(|entry| entry.expect("readable").path()).collect();
    let [file] = &files[..] else { panic!("{files:?}") };
    let mut bytes = std::fs::read(file).expect("readable");
    let last = bytes.len() - 1000;
    bytes[last] ^= 0x10;
    std::fs::write(file, bytes).expect("writable");
    let damaged = ProvingKey::load_or_setup(Some(&nested), CohortSize::N16, &mut rng());
    assert!(
        matches!(damaged, Err(ProvingKeyError::Altered { section: "L", .. })),
        "a damaged key is not replaced"
    );
}
