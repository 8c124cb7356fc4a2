//! `blindsum doctor --json` on this machine: one JSON object, every kernel equal to its twin, a reason for `auto`.

use std::process::Command;

#[test]
fn doctor_finds_this_machine_healthy() {
    let output = Command::new(env!("CARGO_BIN_EXE_blindsum"))
        .args(["doctor", "--json", "--profile"])
        .output()
        .expect("the binary runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(report["healthy"], true);
    let kernels = report["kernels"].as_array().expect("a list");
    for kernel in ["mask_expand", "sum_rows", "msm_g1", "msm_grumpkin", "msm_signed", "ntt", "quotient"] {
        let checks: Vec<_> = kernels.iter().filter(|check| check["kernel"] == kernel).collect();
        let backends = 1 + usize::from(report["adapters"].as_array().is_some_and(|list| !list.is_empty()));
        assert_eq!(checks.len(), backends, "{kernel}: {report:#}");
        assert!(checks.iter().all(|check| check["equal"] == true), "{report:#}");
    }
    let profiles = report["profiles"].as_array().expect("a list, since there is an adapter");
    let kernels: Vec<&str> = profiles
        .iter()
        .flat_map(|profile| profile["kernels"].as_array().expect("a list"))
        .map(|kernel| kernel["name"].as_str().expect("a name"))
        .collect();
    for kernel in ["mask_expand", "sum_rows", "msm_histogram", "msm_accumulate fq", "msm_reduce fr"] {
        assert!(kernels.iter().any(|name| name.starts_with(kernel)), "{kernel} in {kernels:?}");
    }
    assert!(report["auto"]["reason"].as_str().is_some_and(|reason| !reason.is_empty()));
}
