//! `include/blindsum.h` is what cbindgen makes of the sources. `BLESS=1 cargo test -p blindsum-ffi --test header` writes it.

use std::path::Path;

#[test]
fn header_is_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config =
        cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml is well formed");
    let mut builder = cbindgen::Builder::new().with_config(config);
    // In this order, so that the header does not depend on what the package contains beside them.
    for source in ["status", "verify", "opening"] {
        builder = builder.with_src(root.join(format!("src/{source}.rs")));
    }
    let mut generated = Vec::new();
    builder.generate().expect("the sources parse").write(&mut generated);
    let generated = String::from_utf8(generated).expect("a text");
    let path = root.join("include/blindsum.h");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &generated).expect("the header can be written");
    }
    let committed = std::fs::read_to_string(&path).expect("the header is committed");
    assert!(
        committed == generated,
        "include/blindsum.h is out of date: BLESS=1 cargo test -p blindsum-ffi --test header"
    );
}
