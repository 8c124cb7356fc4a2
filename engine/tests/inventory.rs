//! Every kernel has its wrapper, its CPU twin, its naive function, its bench and its vectors or twin test, all of one name.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

fn names(folder: &str, ending: &str) -> BTreeSet<String> {
    std::fs::read_dir(root().join(folder))
        .unwrap_or_else(|error| panic!("{folder}: {error}"))
        .map(|entry| entry.expect("a readable entry").file_name().to_string_lossy().into_owned())
        .filter_map(|name| name.strip_suffix(ending).map(str::to_owned))
        .collect()
}

/// The operation of a kernel: stages of one operation share its prefix.
fn operation(kernel: &str) -> &str {
    match kernel.split_once('_') {
        Some((operation @ ("msm" | "ntt"), _)) => operation,
        _ => kernel,
    }
}

#[test]
fn every_kernel_has_its_twin_its_oracle_and_its_bench() {
    let kernels = names("shaders", ".wgsl");
    assert!(kernels.contains("mask_expand") && kernels.contains("msm_accumulate"), "{kernels:?}");
    let gpu: BTreeSet<String> = &names("engine/src/gpu", ".rs") | &names("engine/src/gpu", "");
    let cpu = names("engine/src/cpu", ".rs");
    let benches = names("benches/benches", ".rs");
    let read = |path: &str| {
        std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    let naive = read("engine/src/naive.rs");
    let twins = ["twin", "msm", "ntt"].map(|test| read(&format!("engine/tests/{test}.rs"))).concat();
    // One set of kernels serves both: full scalars and short signed words.
    let operations = kernels.iter().map(|kernel| operation(kernel)).chain(["msm_signed"]);
    for operation in operations.collect::<BTreeSet<_>>() {
        let wrapper = if operation == "msm_signed" { "msm" } else { operation };
        assert!(gpu.contains(wrapper), "engine/src/gpu/{wrapper} is missing");
        assert!(cpu.contains(operation), "engine/src/cpu/{operation}.rs is missing");
        assert!(benches.contains(wrapper), "benches/benches/{wrapper}.rs is missing");
        let oracle = format!("pub fn {operation}");
        assert!(
            ["(", "<"].iter().any(|next| naive.contains(&format!("{oracle}{next}"))),
            "naive::{operation} is missing"
        );
        assert!(twins.contains(&format!("naive::{operation}(")), "no test compares {operation} with naive");
    }
}

/// No bench without its entry, and no entry without its bench.
#[test]
fn every_bench_is_run() {
    let manifest = std::fs::read_to_string(root().join("benches/Cargo.toml")).expect("the manifest");
    let entries: BTreeSet<String> = manifest
        .split("[[bench]]")
        .skip(1)
        .map(|entry| {
            let name = entry.lines().find_map(|line| line.strip_prefix("name = ")).expect("a name");
            assert!(
                entry.lines().any(|line| line == "harness = false"),
                "{name}: criterion brings its own harness"
            );
            name.trim_matches('"').to_owned()
        })
        .collect();
    assert_eq!(entries, names("benches/benches", ".rs"));
}
