//! `vectors/{poseidon,tree,schnorr}/*.json`, written by an implementation in Python that shares no code with this one
//! (`tools/hash_vectors.py`). A bad case is named after the attack and says how it is refused.

use blindsum_engine::{
    curve::{Fr, fr_from_bytes, fr_to_bytes, point_from_bytes},
    poseidon,
    roster::{CohortSize, Roster, RoundContext, roster_leaf},
    schnorr::{self, Kind, PublicKey, Signature, SignatureError, SignedCommitment},
    tree,
};
use serde::Deserialize;
use serde_json::Value;

/// Every case of a folder whose name starts so; there must be this many.
fn cases(folder: &str, prefix: &str, expected: usize) -> Vec<(String, Value)> {
    let folder = format!("{}/../vectors/{folder}", env!("CARGO_MANIFEST_DIR"));
    let mut cases: Vec<(String, Value)> = std::fs::read_dir(&folder)
        .expect("the folder of vectors")
        .map(|entry| entry.expect("a readable entry").path())
        .map(|path| {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path).expect("a readable file");
            (name, serde_json::from_str(&text).expect("JSON"))
        })
        .filter(|(name, _)| name.starts_with(prefix))
        .collect();
    cases.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(cases.len(), expected, "{prefix}* in {folder}");
    cases
}

fn parse<T: for<'a> Deserialize<'a>>(name: &str, case: &Value) -> T {
    T::deserialize(case).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).expect("hex")
}

fn element(text: &str) -> Fr {
    fr_from_bytes(&bytes(text).try_into().expect("32 bytes")).expect("canonical")
}

#[test]
fn poseidon_vectors() {
    #[derive(Deserialize)]
    struct Case {
        inputs: Vec<String>,
        output: String,
    }
    for (name, case) in cases("poseidon", "ok_", 12) {
        let case: Case = parse(&name, &case);
        let inputs: Vec<Fr> = case.inputs.iter().map(|x| element(x)).collect();
        assert_eq!(hex::encode(fr_to_bytes(&poseidon::hash(&inputs))), case.output, "{name}");
    }
}

#[test]
fn tree_vectors() {
    #[derive(Deserialize)]
    struct Case {
        keys: Option<Vec<String>>,
        leaves: Vec<String>,
        root: String,
    }
    for (name, case) in cases("tree", "ok_", 6) {
        let case: Case = parse(&name, &case);
        let leaves: Vec<Fr> = case.leaves.iter().map(|x| element(x)).collect();
        assert_eq!(tree::root(&leaves), element(&case.root), "{name}");
        let Some(keys) = case.keys else { continue };
        let keys: Vec<_> = keys
            .iter()
            .map(|key| point_from_bytes(&bytes(key).try_into().expect("64 bytes")).expect("on the curve"))
            .collect();
        assert_eq!(keys.iter().map(|key| roster_leaf(*key)).collect::<Vec<_>>(), leaves, "{name}");
        let empty = blindsum_engine::curve::empty_slot_point();
        let slots = keys
            .iter()
            .map(|key| (*key != empty).then(|| PublicKey::from_point(*key).expect("a key")))
            .collect();
        let roster = Roster::new(CohortSize::N16, slots).expect("distinct keys");
        assert_eq!(roster.root(), element(&case.root), "{name}");
        assert_eq!(roster.occupied().count(), 14, "{name}");
    }
}

/// What became of a signature.
#[derive(Debug, PartialEq)]
enum Outcome {
    Ok,
    Decode,
    Invalid,
    Unprovable,
}

impl Outcome {
    fn expected(name: &str, error: Option<&str>) -> Self {
        match error {
            None if name.starts_with("ok_") => Self::Ok,
            Some("decode") => Self::Decode,
            Some("invalid") => Self::Invalid,
            Some("unprovable") => Self::Unprovable,
            other => panic!("{name}: {other:?}"),
        }
    }

    fn of(result: Result<(), SignatureError>) -> Self {
        match result {
            Ok(()) => Self::Ok,
            Err(SignatureError::Invalid) => Self::Invalid,
            Err(SignatureError::Unprovable(_)) => Self::Unprovable,
        }
    }
}

/// A key and a signature, if both decode.
fn decode(key: &str, signature: &str) -> Option<(PublicKey, Signature)> {
    let key = PublicKey::from_bytes(bytes(key).as_slice().try_into().ok()?).ok()?;
    let encoded: [u8; 96] = bytes(signature).try_into().ok()?;
    let signature = Signature::from_bytes(&encoded).ok()?;
    assert_eq!(signature.to_bytes(), encoded);
    Some((key, signature))
}

fn kind(number: u8) -> Kind {
    use Kind::*;
    let kinds =
        [Register, Enrol, Setup, MaskedInput, DigestAggregator, DigestClient, Release, Opened, Request];
    kinds.into_iter().find(|kind| *kind as u8 == number).expect("a kind")
}

#[test]
fn schnorr_messages() {
    #[derive(Deserialize)]
    struct Case {
        kind: u8,
        public_key: String,
        body: String,
        signature: String,
        error: Option<String>,
    }
    for (prefix, count) in [("ok_message_", 3), ("bad_message_", 13)] {
        for (name, case) in cases("schnorr", prefix, count) {
            let case: Case = parse(&name, &case);
            let outcome =
                decode(&case.public_key, &case.signature).map_or(Outcome::Decode, |(key, signature)| {
                    Outcome::of(schnorr::verify(&key, kind(case.kind), &bytes(&case.body), &signature))
                });
            assert_eq!(outcome, Outcome::expected(&name, case.error.as_deref()), "{name}");
        }
    }
}

#[test]
fn schnorr_commitments() {
    #[derive(Deserialize)]
    struct Case {
        slot: u8,
        round_context: String,
        public_key: String,
        commitment: String,
        signature: String,
        leaf: Option<String>,
        challenge: Option<String>,
        error: Option<String>,
    }
    for (prefix, count) in [("ok_commitment_", 3), ("bad_commitment_", 7)] {
        for (name, case) in cases("schnorr", prefix, count) {
            let case: Case = parse(&name, &case);
            let context = RoundContext::from_bytes(bytes(&case.round_context).try_into().expect("32 bytes"))
                .expect("240 bits");
            let commitment = point_from_bytes(&bytes(&case.commitment).try_into().expect("64 bytes"))
                .expect("on the curve");
            let mut made = None;
            let outcome =
                decode(&case.public_key, &case.signature).map_or(Outcome::Decode, |(key, signature)| {
                    let signed = SignedCommitment { commitment, signature };
                    let result = schnorr::verify_commitment(&key, case.slot, &context, &signed);
                    made = result.ok();
                    Outcome::of(result.map(drop))
                });
            assert_eq!(outcome, Outcome::expected(&name, case.error.as_deref()), "{name}");
            if let Some(leaf) = made {
                assert_eq!(Some(hex::encode(fr_to_bytes(&leaf))), case.leaf, "{name}");
                assert_eq!(Some(format!("{:032x}", schnorr::challenge(&leaf))), case.challenge, "{name}");
            }
        }
    }
}
