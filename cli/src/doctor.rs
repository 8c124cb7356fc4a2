//! `blindsum doctor`: what this machine has, what it lacks, and whether every kernel computes what it should.

use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use ark_bn254::{Fq, Fr};
use blindsum_engine::backend::Backend;
use blindsum_engine::cpu::{Cpu, Width};
use blindsum_engine::engine::{BackendChoice, Engine};
use blindsum_engine::error::{DeviceError, EngineError};
use blindsum_engine::gpu::{AdapterReport, Gpu, adapters};
use blindsum_engine::mask::{MaskKey, SignedMask};
use blindsum_engine::naive;
use blindsum_engine::ntt::{Direction, Domain};
use blindsum_engine::points::{G1, Grumpkin};
use serde::Serialize;

use crate::gpu::inputs;
use crate::profile::Profile;

/// Words of a check against the naive implementation: past a tile, a workgroup and a block, and odd.
const N_WORDS: usize = 5_003;
/// First stream word: the 32-bit block counter runs over within the checked words.
const FIRST_WORD: u64 = (16 << 32) - 2_001;
const N_INPUTS: usize = 12;
/// Points of a checked sum: past a workgroup, and odd.
const N_POINTS: usize = 131;
/// Elements of a transform.
const N_ELEMENTS: usize = 64;
/// Size of a profiled call, as a logarithm of its words or points.
const PROFILED_LOG_N: u32 = 14;

/// Flags of `blindsum doctor`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
    /// Profile one call of every operation on the GPU: milliseconds of each kernel, of transfers and of the host.
    #[arg(long)]
    profile: bool,
}

#[derive(Debug, Serialize)]
struct Report {
    version: &'static str,
    processor: Processor,
    adapters: Vec<Adapter>,
    missing: Vec<Missing>,
    kernels: Vec<Check>,
    auto: Picked,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    profiles: Vec<Profile>,
    healthy: bool,
}

#[derive(Debug, Serialize)]
struct Processor {
    architecture: &'static str,
    threads: usize,
    /// The lanes that the CPU backend runs in.
    lanes: &'static str,
    features: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
struct Adapter {
    name: String,
    kind: &'static str,
    interface: String,
    driver: String,
    max_binding_bytes: u64,
    max_buffer_bytes: u64,
    max_groups_per_dimension: u32,
    max_invocations_per_group: u32,
    max_group_memory_bytes: u32,
    features: Vec<&'static str>,
}

impl From<AdapterReport> for Adapter {
    fn from(report: AdapterReport) -> Self {
        Self {
            name: report.name,
            kind: report.kind,
            interface: report.interface,
            driver: report.driver,
            max_binding_bytes: report.max_binding_bytes,
            max_buffer_bytes: report.max_buffer_bytes,
            max_groups_per_dimension: report.max_groups,
            max_invocations_per_group: report.max_invocations,
            max_group_memory_bytes: report.max_workgroup_bytes,
            features: report.features,
        }
    }
}

/// Something that would help, and how to get it.
#[derive(Debug, Serialize)]
struct Missing {
    what: String,
    remedy: String,
}

/// One kernel on one backend, compared with the naive implementation.
#[derive(Debug, Serialize)]
struct Check {
    kernel: &'static str,
    backend: String,
    equal: bool,
    milliseconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

impl Check {
    fn failed(kernel: &'static str, backend: &str, error: &impl ToString) -> Self {
        let problem = Some(error.to_string());
        Self { kernel, backend: backend.to_owned(), equal: false, milliseconds: 0.0, problem }
    }
}

#[derive(Debug, Serialize)]
struct Picked {
    backend: String,
    reason: String,
}

/// Runs the subcommand. The exit code is 0 when every kernel that can run here agrees with its twin, else 1.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let report = examine(arguments.profile);
    let mut out = std::io::stdout().lock();
    let written = if arguments.json {
        serde_json::to_writer_pretty(&mut out, &report)
            .map_err(std::io::Error::from)
            .and_then(|()| writeln!(out))
    } else {
        print(&mut out, &report)
    };
    match written {
        Ok(()) if report.healthy => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn examine(profile: bool) -> Report {
    let adapters: Vec<Adapter> = adapters().into_iter().map(Adapter::from).collect();
    let mut missing = Vec::new();
    let mut kernels = check_kernels(&Cpu);
    let mut profiles = Vec::new();
    match Gpu::open() {
        Ok(gpu) => {
            if gpu.adapter().is_software() {
                missing.push(Missing {
                    what: "a real GPU: the only adapters are software".to_owned(),
                    remedy: "nothing to do on a machine without one; otherwise install its Vulkan driver \
                             (Debian: mesa-vulkan-drivers for AMD and Intel, nvidia-driver for NVIDIA)"
                        .to_owned(),
                });
            }
            kernels.extend(check_kernels(&gpu));
            if profile {
                match take_profiles(&gpu) {
                    Ok(taken) => profiles = taken,
                    Err(error) => kernels.push(Check::failed("profile", gpu.name(), &error)),
                }
            }
        }
        Err(DeviceError::NoAdapter { hint }) => {
            missing.push(Missing { what: "a GPU adapter".to_owned(), remedy: hint });
        }
        // An adapter that is there and does not open is a fault of this machine.
        Err(error) => kernels.push(Check::failed("open", "gpu", &error)),
    }
    let auto = match Engine::open(BackendChoice::Auto) {
        Ok(engine) => {
            let selection = engine.selection().clone();
            Picked { backend: selection.backend, reason: selection.reason }
        }
        Err(error) => Picked { backend: "none".to_owned(), reason: error.to_string() },
    };
    let healthy = kernels.iter().all(|check| check.equal);
    Report {
        version: env!("CARGO_PKG_VERSION"),
        processor: processor(),
        adapters,
        missing,
        kernels,
        auto,
        profiles,
        healthy,
    }
}

/// Every kernel of a backend against the naive implementation, on fixed public inputs.
fn check_kernels(backend: &dyn Backend) -> Vec<Check> {
    let masks: Vec<SignedMask> = (0..N_INPUTS)
        .map(|i| {
            let key = MaskKey::new([i as u8 + 1; 32]);
            if i % 3 == 0 { SignedMask::subtract(key) } else { SignedMask::add(key) }
        })
        .collect();
    let start: Vec<u32> = (0..N_WORDS as u32).map(|j| j.wrapping_mul(0x9e37_79b9)).collect();
    let rows: Vec<Vec<u32>> = (0..N_INPUTS as u32)
        .map(|i| start.iter().map(|word| word.rotate_left(i) ^ i.wrapping_mul(0x85eb_ca6b)).collect())
        .collect();
    let rows: Vec<&[u32]> = rows.iter().map(Vec::as_slice).collect();

    let words =
        |kernel, expect: &dyn Fn(&mut [u32]), call: &dyn Fn(&mut [u32]) -> Result<(), EngineError>| {
            let mut expected = start.clone();
            expect(&mut expected);
            check(backend, kernel, &expected, || {
                let mut got = start.clone();
                call(&mut got).map(|()| got)
            })
        };
    let (g1, grumpkin) = (inputs::points::<G1>(N_POINTS, true), inputs::points::<Grumpkin>(N_POINTS, true));
    let (fr, fq): (Vec<Fr>, Vec<Fq>) =
        (inputs::scalars("uniform", N_POINTS), inputs::scalars("uniform", N_POINTS));
    let row: Vec<i32> = start[..N_POINTS].iter().map(|word| *word as i32 >> 16).collect();
    let signed = [row.as_slice(), &[i32::MIN >> 16; N_POINTS]];
    let (a, b) = (fr[..N_ELEMENTS].to_vec(), fr[N_POINTS - N_ELEMENTS..].to_vec());
    let mut transformed = a.clone();
    naive::ntt(Direction::Inverse, Domain::OddCoset, &mut transformed);
    vec![
        words("mask_expand", &|acc| naive::mask_expand(&masks, FIRST_WORD, acc), &|acc| {
            backend.mask_expand(&masks, FIRST_WORD, acc)
        }),
        words("sum_rows", &|acc| naive::sum_rows(&rows, acc), &|acc| backend.sum_rows(&rows, acc)),
        check(backend, "msm_g1", &[naive::msm(&g1.unpack(), &fr)], || {
            backend.msm_g1_vartime(&g1, &fr).map(|sum| vec![sum])
        }),
        check(backend, "msm_grumpkin", &[naive::msm(&grumpkin.unpack(), &fq)], || {
            backend.msm_grumpkin_vartime(&grumpkin, &fq).map(|sum| vec![sum])
        }),
        check(backend, "msm_signed", &naive::msm_signed(&grumpkin.unpack(), &signed), || {
            backend.msm_signed(&grumpkin, &signed, 16)
        }),
        check(backend, "ntt", &transformed, || {
            let mut values = a.clone();
            backend.ntt(Direction::Inverse, Domain::OddCoset, &mut values).map(|()| values)
        }),
        check(backend, "quotient", &naive::quotient(&a, &b), || {
            let (mut a, mut b) = (a.clone(), b.clone());
            backend.quotient(&mut a, &mut b).map(|()| a)
        }),
    ]
}

/// One operation against what it should give.
fn check<T: PartialEq>(
    backend: &dyn Backend,
    kernel: &'static str,
    expected: &[T],
    call: impl Fn() -> Result<Vec<T>, EngineError>,
) -> Check {
    // The first call compiles the kernel and allocates; the second is the one that is timed and compared.
    let first = call();
    let clock = Instant::now();
    let result = first.and_then(|_| call());
    let milliseconds = clock.elapsed().as_secs_f64() * 1e3;
    let problem = match result {
        Err(error) => Some(error.to_string()),
        Ok(got) => got
            .iter()
            .zip(expected)
            .position(|(a, b)| a != b)
            .map(|index| format!("differs from the naive implementation, first at index {index}")),
    };
    Check { kernel, backend: backend.name().to_owned(), equal: problem.is_none(), milliseconds, problem }
}

/// One profiled call of every operation, after one that compiles its kernels.
fn take_profiles(gpu: &Gpu) -> Result<Vec<Profile>, EngineError> {
    let (n, bits) = (1 << PROFILED_LOG_N, 16);
    let masks = vec![SignedMask::add(MaskKey::new([1; 32])); 64];
    let row = vec![1u32; n];
    let grumpkin = inputs::points::<Grumpkin>(n, false);
    let g1 = inputs::points::<G1>(n, false);
    let scalars: Vec<Fr> = inputs::scalars("uniform", n);
    let words = inputs::words(1, n, bits);
    type Call<'a> = Box<dyn Fn(&Gpu) -> Result<(), EngineError> + 'a>;
    let calls: [(&str, Call<'_>); 6] = [
        ("mask_expand, 64 masks", Box::new(|gpu| gpu.mask_expand(&masks, 0, &mut vec![0; n]))),
        ("sum_rows, 16 rows", Box::new(|gpu| gpu.sum_rows(&[row.as_slice(); 16], &mut vec![0; n]))),
        ("msm_signed, 16 bits", Box::new(|gpu| gpu.msm_signed(&grumpkin, &[&words], bits).map(drop))),
        ("msm, BN254 G1", Box::new(|gpu| gpu.msm_g1_vartime(&g1, &scalars).map(drop))),
        ("ntt", Box::new(|gpu| gpu.ntt(Direction::Forward, Domain::Subgroup, &mut scalars.clone()))),
        ("quotient", Box::new(|gpu| gpu.quotient(&mut scalars.clone(), &mut scalars.clone()))),
    ];
    let mut profiles = Vec::new();
    for (what, call) in calls {
        call(gpu)?;
        let ((), report) = gpu.profiled(|gpu| call(gpu))?;
        profiles.push(Profile::new(format!("{what}, 2^{PROFILED_LOG_N}"), report));
    }
    Ok(profiles)
}

fn processor() -> Processor {
    let mut features = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        macro_rules! detect {
            ($($feature:tt),*) => {
                $(if std::arch::is_x86_feature_detected!($feature) {
                    features.push($feature);
                })*
            };
        }
        detect!(
            "sse2",
            "avx2",
            "avx512f",
            "avx512vl",
            "avx512bw",
            "avx512dq",
            "avx512ifma",
            "bmi2",
            "adx",
            "sha"
        );
    }
    #[cfg(target_arch = "aarch64")]
    {
        macro_rules! detect {
            ($($feature:tt),*) => {
                $(if std::arch::is_aarch64_feature_detected!($feature) {
                    features.push($feature);
                })*
            };
        }
        detect!("neon", "sve", "sha2");
    }
    Processor {
        architecture: std::env::consts::ARCH,
        threads: std::thread::available_parallelism().map_or(1, Into::into),
        lanes: Width::widest().name(),
        features: std::mem::take(&mut features),
    }
}

fn print(out: &mut impl Write, report: &Report) -> std::io::Result<()> {
    let Processor { architecture, threads, lanes, features } = &report.processor;
    writeln!(out, "blindsum {}", report.version)?;
    writeln!(out, "\nprocessor  {architecture}, {threads} threads, lanes {lanes}")?;
    writeln!(out, "           {}", features.join(" "))?;
    if report.adapters.is_empty() {
        writeln!(out, "\nadapters   none")?;
    }
    for adapter in &report.adapters {
        writeln!(out, "\nadapter    {} ({}, {})", adapter.name, adapter.kind, adapter.interface)?;
        writeln!(out, "           driver {}", adapter.driver)?;
        writeln!(
            out,
            "           binding {} MiB, buffer {} MiB, {} groups a dimension, {} invocations and {} KiB a group",
            adapter.max_binding_bytes >> 20,
            adapter.max_buffer_bytes >> 20,
            adapter.max_groups_per_dimension,
            adapter.max_invocations_per_group,
            adapter.max_group_memory_bytes >> 10,
        )?;
        writeln!(out, "           {}", adapter.features.join(", "))?;
    }
    for missing in &report.missing {
        writeln!(out, "\nmissing    {}\n           {}", missing.what, missing.remedy)?;
    }
    writeln!(out)?;
    for check in &report.kernels {
        let verdict = check.problem.as_deref().unwrap_or("equal");
        writeln!(
            out,
            "kernel     {:<12} {:>9.2} ms  {}: {verdict}",
            check.kernel, check.milliseconds, check.backend
        )?;
    }
    for profile in &report.profiles {
        writeln!(out)?;
        profile.print(out)?;
    }
    writeln!(out, "\nauto       {}: {}", report.auto.backend, report.auto.reason)?;
    writeln!(
        out,
        "\n{}",
        if report.healthy { "healthy" } else { "NOT HEALTHY: do not trust results of this machine" }
    )
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use blindsum_engine::curve::Projective;
    use blindsum_engine::points::{G1Projective, G2Projective, PackedG2, Points};

    use super::*;

    /// A device whose sums are off by one word.
    struct Broken;

    impl Backend for Broken {
        fn name(&self) -> &str {
            "broken"
        }

        fn mask_expand(
            &self,
            masks: &[SignedMask],
            first_word: u64,
            acc: &mut [u32],
        ) -> Result<(), EngineError> {
            Cpu.mask_expand(masks, first_word, acc)
        }

        fn sum_rows(&self, rows: &[&[u32]], acc: &mut [u32]) -> Result<(), EngineError> {
            Cpu.sum_rows(rows, acc)?;
            acc[N_WORDS - 1] ^= 1;
            Ok(())
        }

        fn msm_g1_vartime(&self, points: &Points<G1>, scalars: &[Fr]) -> Result<G1Projective, EngineError> {
            Cpu.msm_g1_vartime(points, scalars)
        }

        fn msm_g2_vartime(
            &self,
            points: &[PackedG2],
            scalars: &[Fr],
            stop: &AtomicBool,
        ) -> Result<Option<G2Projective>, EngineError> {
            Cpu.msm_g2_vartime(points, scalars, stop)
        }

        fn msm_grumpkin_vartime(
            &self,
            points: &Points<Grumpkin>,
            scalars: &[Fq],
        ) -> Result<Projective, EngineError> {
            Cpu.msm_grumpkin_vartime(points, scalars)
        }

        fn msm_signed(
            &self,
            points: &Points<Grumpkin>,
            rows: &[&[i32]],
            bits: u8,
        ) -> Result<Vec<Projective>, EngineError> {
            Cpu.msm_signed(points, rows, bits)
        }

        fn ntt(&self, direction: Direction, domain: Domain, values: &mut [Fr]) -> Result<(), EngineError> {
            Cpu.ntt(direction, domain, values)
        }

        fn quotient(&self, a: &mut [Fr], b: &mut [Fr]) -> Result<(), EngineError> {
            Cpu.quotient(a, b)
        }
    }

    #[test]
    fn a_wrong_word_is_found() {
        let checks = check_kernels(&Broken);
        assert!(checks[0].equal);
        assert!(!checks[1].equal);
        assert!(checks[1].problem.as_ref().is_some_and(|problem| problem.ends_with("index 5002")));
        assert!(check_kernels(&Cpu).iter().all(|check| check.equal));
    }

    #[test]
    fn the_json_is_an_object_with_a_verdict() {
        let report = Report {
            version: "0",
            processor: processor(),
            adapters: Vec::new(),
            missing: Vec::new(),
            kernels: check_kernels(&Broken),
            auto: Picked { backend: "cpu".into(), reason: "test".into() },
            profiles: Vec::new(),
            healthy: false,
        };
        let json = serde_json::to_value(&report).expect("serialisable");
        assert_eq!(json["healthy"], false);
        assert_eq!(json["kernels"][1]["equal"], false);
        let mut text = Vec::new();
        print(&mut text, &report).expect("memory does not fail");
        assert!(String::from_utf8(text).expect("text").contains("NOT HEALTHY"));
    }
}
