//! `blindsum verify` and `blindsum key check` over the vectors: accepted where the case is good, refused with a reason
//! where it is bad.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn vectors(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors").join(folder)
}

fn case(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("a readable vector")).expect("JSON")
}

fn blindsum(arguments: &[&Path]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_blindsum")).args(arguments).output().expect("the binary runs")
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().expect("a string")).expect("hexadecimal")
}

fn verify(case: &Value, key: &Path, folder: &Path, allow_development: bool) -> Output {
    let (record, certificate) = (folder.join("record.json"), folder.join("certificate"));
    fs::write(&record, case["record"].to_string()).expect("a writable folder");
    fs::write(&certificate, bytes(&case["certificate"])).expect("a writable folder");
    let mut arguments: Vec<&Path> =
        vec!["verify".as_ref(), "--key".as_ref(), key, "--record".as_ref(), &record, &certificate];
    if allow_development {
        arguments.push("--allow-development".as_ref());
    }
    blindsum(&arguments)
}

#[test]
fn certificates_are_accepted_and_refused_as_the_vectors_say() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let key = folder.path().join("key");
    let key_case = fs::read_dir(vectors("verifying_key"))
        .expect("the folder of keys")
        .map(|entry| entry.expect("an entry").path())
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("ok_")))
        .expect("a good key");
    fs::write(&key, bytes(&case(&key_case)["verifying_key"])).expect("a writable folder");
    let checked = blindsum(&["key".as_ref(), "check".as_ref(), &key]);
    assert!(checked.status.success());
    assert!(String::from_utf8_lossy(&checked.stdout).contains("DEVELOPMENT KEY"));

    for (name, accepted) in [
        ("ok_both_groups", true),
        ("ok_rerandomised_proof", true),
        ("ok_one_group_failed", true),
        ("bad_replayed_in_another_round", false),
        ("bad_other_commitment", false),
        ("bad_client_left_out", false),
        ("bad_truncated", false),
    ] {
        let case = case(&vectors("certificate").join(format!("{name}.json")));
        let output = verify(&case, &key, folder.path(), true);
        assert_eq!(output.status.success(), accepted, "{name}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.stdout.is_empty(), !accepted, "{name}");
    }
    let good = case(&vectors("certificate").join("ok_both_groups.json"));
    let refused = verify(&good, &key, folder.path(), false);
    assert!(!refused.status.success(), "a development key is refused unless allowed");
}

#[test]
fn a_proving_key_is_checked_whole() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cache = folder.path().join("cache");
    let verifying_key = folder.path().join("key");
    let made = blindsum(&[
        "key".as_ref(),
        "development".as_ref(),
        "16".as_ref(),
        "--verifying-key".as_ref(),
        &verifying_key,
        "--cache".as_ref(),
        &cache,
    ]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let file = fs::read_dir(&cache).expect("the cache").next().expect("one key").expect("an entry").path();
    let check = || blindsum(&["key".as_ref(), "check".as_ref(), &file]);
    let checked = check();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    assert!(String::from_utf8_lossy(&checked.stdout).contains("for 16 slots, DEVELOPMENT KEY"));

    let mut bytes = fs::read(&file).expect("readable");
    let last = bytes.len() - 100;
    bytes[last] ^= 1;
    fs::write(&file, bytes).expect("writable");
    let refused = check();
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("L was altered"));
    assert!(refused.stdout.is_empty());
}
