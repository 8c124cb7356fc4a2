//! What a table must say of where it was made.

use std::process::Command;

use serde::Serialize;

/// Processor, commit, command and date.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    /// Those that our code or a peer's asks for.
    pub(crate) features: Vec<&'static str>,
    pub(crate) load: Option<String>,
    pub(crate) commit: Option<String>,
    pub(crate) profile: &'static str,
    pub(crate) command: String,
    pub(crate) date: String,
}

impl Machine {
    pub(crate) fn read(date: Option<String>) -> Self {
        let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
        let cargo = if cfg!(debug_assertions) { "cargo run" } else { "cargo run --release" };
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        Self {
            processor: processor().unwrap_or_else(|| "unknown processor".into()),
            features: features(),
            load: std::fs::read_to_string("/proc/loadavg")
                .ok()
                .and_then(|text| text.split(' ').next().map(str::to_owned)),
            commit: commit(),
            profile,
            command: format!("{cargo} -p blindsum-benches --bin cpu_table -- {}", arguments.join(" ")),
            date: date.or_else(|| output("date", &["-u", "+%F"])).unwrap_or_else(|| "date unknown".into()),
        }
    }
}

fn processor() -> Option<String> {
    match std::fs::read_to_string("/proc/cpuinfo") {
        Ok(text) => {
            let line = text.lines().find(|line| line.starts_with("model name"))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        }
        Err(_) => output("sysctl", &["-n", "machdep.cpu.brand_string"]),
    }
}

fn features() -> Vec<&'static str> {
    #[cfg(target_arch = "x86_64")]
    {
        macro_rules! features {
            ($($name:tt)*) => {
                [$((std::arch::is_x86_feature_detected!($name), $name)),*]
            };
        }
        features!["bmi2" "adx" "avx2" "avx512f" "avx512ifma" "avx512vl" "avx512bw" "avx512dq"]
            .into_iter()
            .filter_map(|(is_there, name)| is_there.then_some(name))
            .collect()
    }
    #[cfg(not(target_arch = "x86_64"))]
    vec![std::env::consts::ARCH]
}

fn commit() -> Option<String> {
    let commit = output("git", &["rev-parse", "--short", "HEAD"])?;
    let is_clean = output("git", &["status", "--porcelain", "--untracked-files=no"])?.is_empty();
    Some(if is_clean { commit } else { format!("{commit} and changes") })
}

/// What a program prints, if it is there and content.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
