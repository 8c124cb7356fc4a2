//! `vectors/mask_expand/ok_*.json`: RFC 8439's keystreams and own cases, on the naive and the CPU implementation.

use blindsum_engine::backend::Backend;
use blindsum_engine::cpu::{Cpu, Width};
use blindsum_engine::mask::{MaskKey, Sign, SignedMask};
use blindsum_engine::naive;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    source: String,
    key: String,
    first_word: String,
    sign: String,
    words: Vec<u32>,
}

impl Case {
    fn mask(&self) -> SignedMask {
        let mut key = [0; 32];
        hex::decode_to_slice(&self.key, &mut key).expect("a key of 32 bytes in hex");
        let sign = match self.sign.as_str() {
            "add" => Sign::Add,
            "subtract" => Sign::Subtract,
            other => panic!("sign {other}"),
        };
        SignedMask { key: MaskKey::new(key), sign }
    }
}

fn cases() -> Vec<(String, Case)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../vectors/mask_expand");
    let mut cases: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder of vectors")
        .map(|entry| {
            let path = entry.expect("a readable entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path).expect("a readable file");
            let case = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, case)
        })
        .collect();
    cases.sort_by(|a: &(String, Case), b| a.0.cmp(&b.0));
    assert!(cases.len() >= 9, "{} vectors found, at least 9 expected", cases.len());
    assert_eq!(cases.iter().filter(|(_, case)| case.source.starts_with("RFC 8439")).count(), 4);
    cases
}

#[test]
fn naive_matches_the_vectors() {
    for (name, case) in cases() {
        let first_word: u64 = case.first_word.parse().expect("a u64");
        let mut acc = vec![0; case.words.len()];
        naive::mask_expand(&[case.mask()], first_word, &mut acc);
        assert_eq!(acc, case.words, "{name}");
    }
}

#[test]
fn cpu_matches_the_vectors_at_every_width() {
    for width in Width::ALL.into_iter().filter(|width| width.is_available()) {
        let cpu = Cpu::at(width).expect("available");
        for (name, case) in cases() {
            let first_word: u64 = case.first_word.parse().expect("a u64");
            let mut acc = vec![0; case.words.len()];
            cpu.mask_expand(&[case.mask()], first_word, &mut acc).expect("the CPU does not fail");
            assert_eq!(acc, case.words, "{name}, {}", cpu.name());
        }
    }
}
