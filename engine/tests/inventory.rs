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

#[test]
fn every_kernel_has_its_twin_its_oracle_and_its_bench() {
    let kernels = names("shaders", ".wgsl");
    assert!(kernels.contains("mask_expand") && kernels.contains("sum_rows"), "{kernels:?}");
    let gpu = names("engine/src/gpu", ".rs");
    let cpu = names("engine/src/cpu", ".rs");
    let benches = names("benches/benches", ".rs");
    let naive = std::fs::read_to_string(root().join("engine/src/naive.rs")).expect("the oracles");
    let twin = std::fs::read_to_string(root().join("engine/tests/twin.rs")).expect("the twin tests");
    for kernel in &kernels {
        assert!(gpu.contains(kernel), "engine/src/gpu/{kernel}.rs is missing");
        assert!(cpu.contains(kernel), "engine/src/cpu/{kernel}.rs is missing");
        assert!(benches.contains(kernel), "benches/benches/{kernel}.rs is missing");
        assert!(naive.contains(&format!("pub fn {kernel}(")), "naive::{kernel} is missing");
        assert!(
            twin.contains(&format!("naive::{kernel}(")),
            "tests/twin.rs does not compare {kernel} with naive"
        );
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
