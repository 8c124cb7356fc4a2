//! Where cargo put the libraries of this package, and running of commands.
#![allow(dead_code, reason = "every test file takes a part of it")]

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// The folder of the shared and the static library: tests are built with them and lie beside them.
pub(crate) fn libraries() -> PathBuf {
    let exe = std::env::current_exe().expect("a test is a file");
    let folder = exe.parent().expect("a test lies in a folder").to_owned();
    for file in ["libblindsum.so", "libblindsum.a"] {
        assert!(folder.join(file).is_file(), "{file} is not in {}", folder.display());
    }
    folder
}

pub(crate) fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}
