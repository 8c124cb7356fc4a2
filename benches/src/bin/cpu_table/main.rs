//! Prints a table of the CPU at every width beside its peers, on one thread and on all, as Markdown for `RESULTS.md`.
//!
//! Each case is first done once by every way, and the results compared. Then the ways take turns, so that what else the
//! machine does falls on all of them alike. Inputs in a peer's own form are made beforehand.

#![forbid(unsafe_code)]

mod machine;
mod measure;
mod operations;
mod print;
mod proofs;

use std::io::Write;
use std::process::ExitCode;

use blindsum_circuits::{ProveError, ProvingKeyError};
use blindsum_engine::roster::CohortSize;
use clap::{Parser, ValueEnum};
use thiserror::Error;

use self::machine::Machine;
use self::measure::{Pools, Row, Settings};
use self::operations::Operation;
use self::print::Table;
use self::proofs::{Child, parse_cohort};

/// What `--quick` leaves of sizes and turns.
const QUICK_LOG_SIZE: u32 = 14;
const QUICK_TURNS: usize = 1;
/// Larger than any case.
const MAX_LOG_SIZE: u32 = 28;

/// Times the CPU at every width that this processor has, beside its peers.
#[derive(Debug, Parser)]
#[command(name = "cpu_table")]
struct Arguments {
    /// Small sizes, one turn.
    #[arg(long)]
    quick: bool,
    /// These operations and no others; by default all.
    #[arg(long, value_name = "NAME", value_enum, value_delimiter = ',', requires_if("proof", "proofs"))]
    only: Vec<Operation>,
    /// How many times each way is measured.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    turns: u16,
    /// Numbers of threads; by default one, and as many as there are cores.
    #[arg(long, value_name = "THREADS", value_delimiter = ',', value_parser = parse_threads)]
    threads: Vec<usize>,
    /// Larger sizes are cut down to 2^this.
    #[arg(long, default_value_t = MAX_LOG_SIZE, value_parser = clap::value_parser!(u32).range(4..=28))]
    max_log_size: u32,
    /// Whole proofs, too or with `--only proof` alone, for cohorts of so many slots: 16, 64, 128, 256. A key that is not in
    /// the cache takes minutes.
    #[arg(long, value_name = "SLOTS", value_delimiter = ',', value_parser = parse_cohort)]
    proofs: Vec<CohortSize>,
    /// The table as JSON.
    #[arg(long)]
    json: bool,
    /// The date in the head; by default today's.
    #[arg(long)]
    date: Option<String>,
    /// Makes one proof and tells its time and memory: how this program measures proofs, each in a process of its own.
    #[arg(long, hide = true, num_args = 3)]
    child: Vec<String>,
}

impl Arguments {
    /// What is to be measured: proofs whenever there are cohorts for them.
    fn operations(&self) -> Vec<Operation> {
        let chosen = |operation: &&Operation| match operation {
            Operation::Proof => !self.proofs.is_empty(),
            other => self.only.is_empty() || self.only.contains(other),
        };
        Operation::value_variants().iter().filter(chosen).copied().collect()
    }
}

/// Why there is no table.
#[derive(Debug, Error)]
enum Failure {
    #[error("{operation} {size}: {way} and {first} differ")]
    Differ { operation: String, size: String, way: String, first: String },
    #[error("no threads: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    #[error("proving key: {0}")]
    Key(#[from] ProvingKeyError),
    #[error(transparent)]
    Prove(#[from] ProveError),
    #[error("{way}: the verifier refuses the proof")]
    Refused { way: String },
    #[error("a process that was to prove failed: {0}")]
    Child(String),
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

fn parse_threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(threads @ 1..=1024) => Ok(threads),
        _ => Err("a number of threads is between 1 and 1024".into()),
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "cpu_table: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    if let Some(child) = Child::parse(&arguments.child)? {
        return Ok(serde_json::to_writer(out, &child.run()?)?);
    }
    let machine = Machine::read(arguments.date.clone());
    let settings = Settings {
        pools: Pools::new(&arguments.threads)?,
        turns: if arguments.quick { QUICK_TURNS } else { arguments.turns.into() },
        max_log_size: if arguments.quick { QUICK_LOG_SIZE } else { arguments.max_log_size },
        cohorts: arguments.proofs.clone(),
    };
    let mut rows: Vec<Row> = Vec::new();
    for operation in arguments.operations() {
        operation.measure(&settings, &mut rows)?;
    }
    let table = Table { machine, turns: settings.turns, threads: settings.pools.threads(), rows };
    if arguments.json {
        serde_json::to_writer_pretty(&mut out, &table)?;
        writeln!(out)?;
    } else {
        table.markdown(&mut out)?;
    }
    Ok(())
}
