//! What the shared library shows to the outside and what it is made of.

mod build;

use std::process::Command;

/// Exactly the symbols of the golden list are exported.
#[test]
fn exported_symbols_are_the_golden_list() {
    let library = build::libraries().join("libblindsum.so");
    let output = build::run(Command::new("nm").args(["-D", "--defined-only", "--format=posix"]).arg(library));
    let text = String::from_utf8(output.stdout).expect("nm prints text");
    let mut exported: Vec<&str> = text.lines().filter_map(|line| line.split_whitespace().next()).collect();
    exported.sort_unstable();
    let golden: Vec<&str> = include_str!("symbols.txt").lines().collect();
    assert_eq!(exported, golden);
}

/// The header declares each of them.
#[test]
fn header_declares_every_symbol() {
    let header = std::fs::read_to_string(build::package().join("include/blindsum.h"))
        .expect("the header is committed");
    for symbol in include_str!("symbols.txt").lines() {
        assert!(header.contains(&format!("{symbol}(")), "{symbol}");
    }
}

/// Every status of the header is one that the library can put in words.
#[test]
fn header_and_library_know_the_same_statuses() {
    let header = std::fs::read_to_string(build::package().join("include/blindsum.h"))
        .expect("the header is committed");
    let numbers: Vec<i32> = header
        .lines()
        .filter_map(|line| {
            line.trim().strip_prefix("BLINDSUM_STATUS_")?.trim_end_matches(',').split(" = ").nth(1)
        })
        .map(|number| number.parse().expect("a number"))
        .collect();
    let known: Vec<i32> = blindsum::BlindsumStatus::ALL.iter().map(|status| *status as i32).collect();
    assert_eq!(numbers, known);
}

/// A node links neither a device nor a prover.
#[test]
fn dependency_tree_has_no_device_and_no_prover() {
    let output = build::run(
        Command::new(env!("CARGO"))
            .args(["tree", "--offline", "-p", "blindsum-ffi", "-e", "normal", "--prefix", "none"])
            .current_dir(build::package()),
    );
    let text = String::from_utf8(output.stdout).expect("cargo prints text");
    let crates: Vec<&str> = text.lines().filter_map(|line| line.split_whitespace().next()).collect();
    for expected in ["blindsum-ffi", "blindsum-circuits", "ark-bn254"] {
        assert!(crates.contains(&expected), "{expected} is missing: is this the tree?");
    }
    for heavy in ["wgpu", "naga", "ark-groth16", "ark-relations", "ark-r1cs-std", "ark-snark", "pyo3"] {
        assert!(!crates.contains(&heavy), "{heavy}");
    }
}
