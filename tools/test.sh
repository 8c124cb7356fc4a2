#!/usr/bin/env bash
# Runs every test there is, on a bare machine too: Rust, WGSL on software Vulkan, C, Python.
. "$(dirname "$0")/bootstrap.sh"
need_cargo
# The kernels' tests run for real everywhere: Mesa's software Vulkan is the adapter where there is no GPU.
need_packages mesa-vulkan-drivers libvulkan1
export XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-/tmp}
export BLINDSUM_CACHE=${BLINDSUM_CACHE:-$PWD/target/cache}

tools/check.sh
say "Rust, WGSL and C"
cargo test -q --workspace
say "every bench, once"
cargo test -q --workspace --bench '*'
say "instructions, counted"
tools/instructions.sh
say "the verifier without the prover"
cargo test -q -p blindsum-circuits --no-default-features

need_venv
install_wheel dev
say "Python"
tools/python_test.sh
say "all tests passed"
