//! Compiles `roundtrip.c` as a C program of the header, links it against the shared and the static library, and runs it
//! over `vectors/`.

mod build;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The cases of a folder, in order of their names.
fn cases(folder: &str) -> Vec<PathBuf> {
    let folder = build::package().join("../vectors").join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("a readable folder").path())
        .collect();
    files.sort();
    assert!(files.len() >= 20, "{} cases in {}", files.len(), folder.display());
    files
}

fn compile(program: &Path, libraries: &[&std::ffi::OsStr]) {
    build::run(
        Command::new("cc")
            .args([
                "-std=c11",
                "-D_POSIX_C_SOURCE=200809L",
                "-O1",
                "-g",
                "-Wall",
                "-Wextra",
                "-Werror",
                "-pedantic",
            ])
            .arg("-I")
            .arg(build::package().join("include"))
            .arg(build::package().join("tests/roundtrip.c"))
            .args(libraries)
            .args(["-lpthread", "-ldl", "-lm", "-lrt", "-lgcc_s", "-o"])
            .arg(program),
    );
}

fn check(program: &Path, cache: &Path) {
    for kind in ["certificate", "verifying_key", "opening"] {
        let cases = cases(kind);
        let output = build::run(Command::new(program).arg(kind).arg(cache).args(&cases));
        let text = String::from_utf8(output.stdout).expect("the program prints text");
        assert_eq!(text.trim_end(), format!("{kind}: {} cases", cases.len()));
    }
}

#[test]
fn c_program_agrees_with_the_vectors() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let libraries = build::libraries();

    let shared = scratch.path().join("roundtrip_shared");
    let path = libraries.join("libblindsum.so");
    let rpath = format!("-Wl,-rpath,{}", libraries.display());
    compile(&shared, &[path.as_os_str(), rpath.as_ref()]);
    check(&shared, scratch.path());

    let archive = scratch.path().join("roundtrip_static");
    compile(&archive, &[libraries.join("libblindsum.a").as_os_str()]);
    check(&archive, scratch.path());
}
