//! `vectors/{certificate,verifying_key}/*.json`: real proofs for N = 16, and attacks on them, written by
//! `examples/certificate_vectors.rs`. The same files are read from C, Python and Solidity.

use blindsum_circuits::{
    Certificate, DevelopmentKeys, KeyError, Record, Verifier, VerifyError, VerifyingKey,
};
use blindsum_engine::{
    curve::fr_from_bytes,
    roster::{Bitmap, RoundContext},
};
use serde::{Deserialize, de::DeserializeOwned};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CertificateCase {
    #[serde(rename = "source")]
    _source: String,
    verifying_key: String,
    allow_development: bool,
    record: RecordCase,
    certificate: String,
    #[serde(rename = "status")]
    _status: i32,
    outcome: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordCase {
    roster_root: String,
    occupied: String,
    round_context: String,
    leaves_root: String,
    posted: String,
    group_width: u16,
    floors: Vec<u16>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyCase {
    #[serde(rename = "source")]
    _source: String,
    verifying_key: String,
    allow_development: bool,
    key_id: Option<String>,
    #[serde(rename = "status")]
    _status: i32,
    outcome: String,
}

fn cases<T: DeserializeOwned>(folder: &str, expected: usize) -> Vec<(String, T)> {
    let folder = format!("{}/../vectors/{folder}", env!("CARGO_MANIFEST_DIR"));
    let mut cases: Vec<(String, T)> = std::fs::read_dir(&folder)
        .expect("the folder of vectors")
        .map(|entry| {
            let path = entry.expect("a readable entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path).expect("a readable file");
            let case = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, case)
        })
        .collect();
    cases.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(cases.len(), expected, "cases in {folder}");
    cases
}

fn bytes<const N: usize>(text: &str) -> [u8; N] {
    hex::decode(text).expect("hex").try_into().expect("the length")
}

impl RecordCase {
    fn record(&self) -> Record {
        Record {
            roster_root: fr_from_bytes(&bytes(&self.roster_root)).expect("canonical"),
            occupied: Bitmap::from_be_bytes(&bytes(&self.occupied)),
            round_context: RoundContext::from_bytes(bytes(&self.round_context)).expect("240 bits"),
            leaves_root: fr_from_bytes(&bytes(&self.leaves_root)).expect("canonical"),
            posted: Bitmap::from_be_bytes(&bytes(&self.posted)),
            group_width: self.group_width,
            floors: self.floors.clone(),
        }
    }
}

fn allowed(allow: bool) -> DevelopmentKeys {
    if allow { DevelopmentKeys::Allow } else { DevelopmentKeys::Refuse }
}

fn open(key: &str, allow_development: bool) -> Result<Verifier, String> {
    VerifyingKey::from_bytes(&hex::decode(key).expect("hex"))
        .and_then(|key| Verifier::new(&key, allowed(allow_development)))
        .map_err(|error| {
            match error {
                KeyError::Encoding(_) => "KeyEncoding",
                KeyError::Lint(_) => "KeyLint",
                KeyError::DevelopmentKeyRefused => "DevelopmentKey",
                _ => "?",
            }
            .to_owned()
        })
}

fn outcome(result: Result<(), VerifyError>) -> String {
    match result {
        Ok(()) => "Ok".into(),
        Err(VerifyError::Encoding(_)) => "CertificateEncoding".into(),
        // Every other outcome has the name of its variant.
        Err(error) => format!("{error:?}").split([' ', '(', '{']).next().unwrap_or_default().into(),
    }
}

#[test]
fn certificates() {
    let mut accepted: Vec<(Record, Certificate)> = Vec::new();
    let mut batch_key = None;
    for (name, case) in cases::<CertificateCase>("certificate", 70) {
        assert_eq!(name.starts_with("ok_"), case.outcome == "Ok", "{name}");
        let record = case.record.record();
        let certificate = hex::decode(&case.certificate).expect("hex");
        let got = match open(&case.verifying_key, case.allow_development) {
            Ok(verifier) => outcome(verifier.verify_bytes(&record, &certificate)),
            Err(error) => error,
        };
        assert_eq!(got, case.outcome, "{name}");
        if case.outcome == "Ok" {
            accepted.push((record, Certificate::from_bytes(&certificate).expect("accepted above")));
            batch_key = Some(case.verifying_key);
        }
    }
    let verifier = open(&batch_key.expect("an accepted case"), true).expect("a good key");
    let batch: Vec<_> = accepted.iter().map(|(record, certificate)| (record, certificate)).collect();
    assert_eq!(verifier.verify_many(&batch), Ok(()));
}

#[test]
fn verifying_keys() {
    for (name, case) in cases::<KeyCase>("verifying_key", 25) {
        assert_eq!(name.starts_with("ok_"), case.outcome == "Ok", "{name}");
        match open(&case.verifying_key, case.allow_development) {
            Ok(verifier) => {
                assert_eq!(case.outcome, "Ok", "{name}");
                assert_eq!(Some(hex::encode(verifier.key_id())), case.key_id, "{name}");
            }
            Err(error) => assert_eq!(error, case.outcome, "{name}"),
        }
    }
}
