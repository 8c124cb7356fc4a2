//! The table, its small sizes: every operation's ways agree, and each has its row.

use std::process::Command;

use blindsum_engine::cpu::Width;

/// Cases of `--quick` that know widths: full scalars in G1 and in G2, words of four widths, a transform, a quotient.
const CASES: [(&str, &str); 10] = [
    ("msm_g1, full scalars", "2^14"),
    ("msm_g2, full scalars", "2^14"),
    ("msm_signed, Grumpkin", "2^14, 8 bits"),
    ("msm_signed, Grumpkin", "2^14, 16 bits"),
    ("msm_signed, Grumpkin", "2^14, 24 bits"),
    ("msm_signed, Grumpkin", "2^14, 32 bits"),
    ("ntt, forward, subgroup", "2^14"),
    ("quotient", "2^14"),
    ("mask_expand", "1 x 2^14 words"),
    ("mask_expand", "64 x 2^14 words"),
];

#[test]
fn every_case_has_a_row_for_every_width() {
    let output = Command::new(env!("CARGO_BIN_EXE_cpu_table"))
        .args(["--quick", "--date", "today"])
        .output()
        .expect("a program beside this one");
    let table = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let mut operation = "";
    let mut rows = Vec::new();
    for line in table.lines().filter_map(|line| line.strip_prefix("| ")) {
        let cells: Vec<&str> = line.split(" | ").collect();
        match cells[..] {
            [name, "way", ..] => operation = name,
            [size, way, _, ratio, ..] => {
                assert!(ratio.trim_end_matches(" |").parse::<f64>().is_ok_and(|ratio| ratio > 0.0), "{line}");
                rows.push((operation, size, way));
            }
            _ => panic!("{line}"),
        }
    }
    for (operation, size) in CASES {
        for width in Width::ALL.into_iter().filter(|width| width.is_available()) {
            assert!(rows.contains(&(operation, size, width.name())), "{operation} {size} {width:?}\n{table}");
        }
        let peers = rows.iter().filter(|row| row.0 == operation && row.1 == size && row.2.contains(" 0."));
        assert!(peers.count() > 0, "{operation} {size}\n{table}");
    }
    assert!(table.contains(", today."), "{table}");
}
