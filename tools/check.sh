#!/usr/bin/env bash
# Formatting, lints, documentation and licences.
. "$(dirname "$0")/bootstrap.sh"
need_cargo
say "format"
cargo fmt --all --check
say "lints"
cargo clippy -q --workspace --all-targets -- -D warnings
say "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc -q --workspace --no-deps
say "licences of what is linked"
python3 tools/licences.py
say "the verifier's dependencies"
tools/verifier_tree.sh
