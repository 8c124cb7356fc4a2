//! `blindsum gpu`: one binary for a machine with a GPU. Every kernel against its twin first, over all fields, limb variants
//! and sizes; then how fast they are. Needs nothing there but a Vulkan loader and a driver.

mod correctness;
pub(crate) mod inputs;
mod proof;
mod timings;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use blindsum_engine::gpu::{Gpu, GpuLimits, Limbs, adapters};
use blindsum_engine::roster::CohortSize;
use serde::Serialize;

use self::correctness::Check;
use self::timings::{Figure, Table};
use crate::profile::Profile;

/// Flags of `blindsum gpu`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Write everything to this file as JSON too.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Largest sum that is timed, as a logarithm of its points; 24 on a GPU, 12 on a software adapter.
    #[arg(long)]
    max_log_n: Option<u32>,
    /// Check, and time nothing.
    #[arg(long)]
    no_timings: bool,
    /// Check fewer sizes.
    #[arg(long)]
    quick: bool,
    /// Time proofs too, for cohorts of these sizes: 16, 64, 128 or 256. Each needs a development key, made on the spot.
    #[arg(long, value_name = "SLOTS")]
    prove: Vec<u32>,
    /// Time these limbs alone; by default each variant that the adapter has.
    #[arg(long, value_enum)]
    limbs: Option<LimbsArgument>,
}

/// Names of the limb variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum LimbsArgument {
    U64x8,
    L13x20,
}

impl From<LimbsArgument> for Limbs {
    fn from(limbs: LimbsArgument) -> Self {
        match limbs {
            LimbsArgument::U64x8 => Self::U64x8,
            LimbsArgument::L13x20 => Self::L13x20,
        }
    }
}

#[derive(Debug, Serialize)]
struct Report {
    version: &'static str,
    adapter: String,
    driver: String,
    limits: String,
    features: Vec<&'static str>,
    equal: bool,
    checks: Vec<Check>,
    figures: Vec<Figure>,
    profiles: Vec<Profile>,
}

/// Runs the subcommand. The exit code is 0 when every check found equal answers, else 1; then nothing is timed.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let mut out = std::io::stdout().lock();
    match examine(arguments, &mut out) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "blindsum gpu: {error}");
            ExitCode::FAILURE
        }
    }
}

fn examine(arguments: &Arguments, out: &mut impl Write) -> Result<bool, Box<dyn std::error::Error>> {
    // The one that `Gpu::open` takes is in front.
    let adapter = adapters().into_iter().next();
    let default = Gpu::open()?;
    let adapter = adapter.unwrap_or_else(|| default.adapter().clone());
    let mut report = Report {
        version: env!("CARGO_PKG_VERSION"),
        adapter: format!("{} ({}, {})", adapter.name, adapter.kind, adapter.interface),
        driver: adapter.driver.clone(),
        limits: format!("{:?}", default.limits()),
        features: adapter.features.clone(),
        equal: true,
        checks: Vec::new(),
        figures: Vec::new(),
        profiles: Vec::new(),
    };
    writeln!(out, "{}, driver {}\n{}", report.adapter, report.driver, report.limits)?;
    writeln!(out, "{}\n", report.features.join(", "))?;

    let open = |limbs| Gpu::with_limits(GpuLimits { limbs: Some(limbs), ..GpuLimits::default() });
    let variants: Vec<Limbs> =
        Limbs::ALL.into_iter().filter(|limbs| *limbs != Limbs::U64x8 || default.limbs() == *limbs).collect();
    drop(default);
    for limbs in &variants {
        let gpu = open(*limbs)?;
        let small = Gpu::with_limits(GpuLimits {
            limbs: Some(*limbs),
            binding_bytes: 1 << 20,
            ..GpuLimits::default()
        })?;
        for check in correctness::checks(&gpu, &small, arguments.quick) {
            check.print(out)?;
            report.equal &= check.equal;
            report.checks.push(check);
        }
    }
    writeln!(
        out,
        "\n{}\n",
        if report.equal { "every answer equal" } else { "ANSWERS DIFFER: nothing is timed" }
    )?;

    if report.equal && !arguments.no_timings {
        let max_log_n = arguments.max_log_n.unwrap_or(if adapter.is_software() { 12 } else { 24 });
        let sizes = arguments
            .prove
            .iter()
            .map(|slots| CohortSize::try_from(*slots))
            .collect::<Result<Vec<_>, _>>()?;
        let wanted = arguments.limbs.map(Limbs::from);
        for limbs in variants.into_iter().filter(|limbs| wanted.is_none_or(|wanted| *limbs == wanted)) {
            writeln!(out, "{limbs}")?;
            let gpu = open(limbs)?;
            let mut table = Table { out, figures: &mut report.figures, profiles: &mut report.profiles };
            timings::run(&gpu, max_log_n, &mut table)?;
            for size in &sizes {
                proof::run(&gpu, *size, &mut table)?;
            }
            writeln!(out)?;
        }
    }
    if let Some(path) = &arguments.json {
        serde_json::to_writer_pretty(std::fs::File::create(path)?, &report)?;
    }
    Ok(report.equal)
}
