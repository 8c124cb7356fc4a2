//! `blindsum gpu` on this machine's adapter: both limb variants, every answer equal, one JSON object.

use std::process::Command;

#[test]
fn every_kernel_is_equal_in_both_limb_variants() {
    let folder = tempfile::tempdir().expect("a folder");
    let json = folder.path().join("report.json");
    let output = Command::new(env!("CARGO_BIN_EXE_blindsum"))
        .args(["gpu", "--quick", "--no-timings", "--json"])
        .arg(&json)
        .output()
        .expect("the binary runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("every answer equal"), "{text}");
    let report = std::fs::read(&json).expect("the report");
    let report: serde_json::Value = serde_json::from_slice(&report).expect("one JSON object");
    assert_eq!(report["equal"], true);
    let checks = report["checks"].as_array().expect("a list");
    for what in [
        "fq/u64x8",
        "fr/l13x20",
        "BN254 G1 in u64x8",
        "Grumpkin in l13x20",
        "msm_signed in l13x20",
        "ntt in u64x8",
        "quotient in l13x20",
        "mask_expand",
    ] {
        let found: Vec<_> = checks
            .iter()
            .filter(|check| check["what"].as_str().is_some_and(|name| name.contains(what)))
            .collect();
        assert!(!found.is_empty() && found.iter().all(|check| check["equal"] == true), "{what}: {report:#}");
    }
}
