//! The command `blindsum`: a thin layer over the crates; one file per subcommand.

#![forbid(unsafe_code)]

mod doctor;
mod failure;
mod gpu;
mod key;
mod profile;
mod verify;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Sums of vectors that nobody sees, with proofs.
#[derive(Debug, Parser)]
#[command(name = "blindsum", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Look at this machine: adapters, processor, what is missing; run every kernel against its twin.
    Doctor(doctor::Arguments),
    /// Check every kernel on this machine's GPU over all fields, limb variants and sizes, then time them.
    Gpu(gpu::Arguments),
    /// Make a development key, or check a key.
    #[command(subcommand)]
    Key(key::Command),
    /// Verify a certificate against your own record of its cohort.
    Verify(verify::Arguments),
}

fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        // What the graphics loader complains about comes back as errors with names; here it would be said twice.
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn,wgpu_hal=off,wgpu_core=off"));
    let ansi = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(ansi).with_writer(std::io::stderr).init();
    let done = match Arguments::parse().command {
        Command::Doctor(arguments) => return doctor::run(&arguments),
        Command::Gpu(arguments) => return gpu::run(&arguments),
        Command::Key(command) => key::run(&command),
        Command::Verify(arguments) => verify::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "blindsum: {failure}");
            ExitCode::FAILURE
        }
    }
}
