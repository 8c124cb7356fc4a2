//! Turns `SKIP_GPU_TESTS=1` at build time into the cfg that marks the GPU tests as ignored.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(skip_gpu_tests)");
    println!("cargo::rerun-if-env-changed=SKIP_GPU_TESTS");
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var_os("SKIP_GPU_TESTS").is_some_and(|value| value == "1") {
        println!("cargo::rustc-cfg=skip_gpu_tests");
    }
}
