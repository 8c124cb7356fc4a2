//! Whole proofs, each in a process of its own, which tells how much memory it held.
//!
//! A process maps the key, makes the witness and, for ark-groth16, its matrices, assignment and copy of the key. Then the
//! kernel's record of its peak is reset and one proof is made and verified. So the peak counts what is held by then: for
//! us the mapped pages that are touched, for ark-groth16 its key.

use std::process::Command;
use std::time::Instant;

use ark_std::rand::SeedableRng;
use ark_std::rand::rngs::StdRng;
use blindsum_benches::inputs;
use blindsum_benches::proof::{ArkProver, cohort};
use blindsum_circuits::{DevelopmentKeys, ProvingKey, Verifier, prove};
use blindsum_engine::cpu::{Cpu, Width};
use blindsum_engine::roster::CohortSize;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::measure::{Row, Settings, Timed, summarise};

/// A cohort by its number of slots.
pub(crate) fn parse_cohort(slots: &str) -> Result<CohortSize, String> {
    let slots: u32 = slots.parse().map_err(|_| "a cohort is a number of slots".to_owned())?;
    CohortSize::try_from(slots).map_err(|error| error.to_string())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Prover {
    Ours,
    Ark,
}

impl Prover {
    const ALL: [Self; 2] = [Self::Ours, Self::Ark];

    fn argument(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Ark => "ark",
        }
    }

    fn row_name(self) -> String {
        match self {
            Self::Ours => format!("{}, witness and its check included", Width::widest().name()),
            Self::Ark => "ark-groth16 0.6, matrices and assignment given".into(),
        }
    }
}

/// What a process tells.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Told {
    seconds: f64,
    /// Unknown where the kernel keeps no record that can be reset.
    peak_kib: Option<u64>,
}

/// A process's part.
pub(crate) struct Child {
    prover: Prover,
    cohort: CohortSize,
    threads: usize,
}

impl Child {
    /// None where there are no arguments for one.
    pub(crate) fn parse(arguments: &[String]) -> Result<Option<Self>, Failure> {
        let [prover, cohort, threads] = arguments else { return Ok(None) };
        let bad = |what: &str| Failure::Child(format!("no {what} of this name"));
        Ok(Some(Self {
            prover: Prover::from_str(prover, false).map_err(|_| bad("prover"))?,
            cohort: parse_cohort(cohort).map_err(|_| bad("cohort"))?,
            threads: threads.parse().map_err(|_| bad("number of threads"))?,
        }))
    }

    pub(crate) fn run(&self) -> Result<Told, Failure> {
        rayon::ThreadPoolBuilder::new().num_threads(self.threads).build_global()?;
        let mut rng = inputs::rng();
        let key = ProvingKey::load_or_setup(None, self.cohort, &mut rng)?;
        let (witness, record) = cohort(self.cohort);
        let (seconds, peak_kib, is_accepted) = match self.prover {
            Prover::Ours => {
                let verifier = Verifier::new(key.verifying_key(), DevelopmentKeys::Allow)
                    .map_err(|error| Failure::Child(error.to_string()))?;
                let (certificate, seconds, peak) = timed(|| prove(&Cpu, &key, &witness, &mut rng));
                (seconds, peak, verifier.verify(&record, &certificate?).is_ok())
            }
            Prover::Ark => {
                let ark = ArkProver::new(&key, &witness);
                drop((key, witness, record));
                let mut rng = StdRng::seed_from_u64(inputs::SEED);
                let (proof, seconds, peak) = timed(|| ark.prove(&mut rng));
                (seconds, peak, ark.accepts(&proof))
            }
        };
        if !is_accepted {
            return Err(Failure::Refused { way: self.prover.row_name() });
        }
        Ok(Told { seconds, peak_kib })
    }

    /// The same in a process of its own.
    fn spawn(&self) -> Result<Told, Failure> {
        let output = Command::new(std::env::current_exe()?)
            .args(["--child", self.prover.argument(), &self.cohort.to_string(), &self.threads.to_string()])
            .output()?;
        if !output.status.success() {
            return Err(Failure::Child(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

/// The result, the seconds, and the peak of resident memory meanwhile.
fn timed<T>(work: impl FnOnce() -> T) -> (T, f64, Option<u64>) {
    // Sets the peak to what is resident now; see proc(5).
    let is_reset = std::fs::write("/proc/self/clear_refs", "5").is_ok();
    let start = Instant::now();
    let result = work();
    let seconds = start.elapsed().as_secs_f64();
    (result, seconds, is_reset.then(peak_kib).flatten())
}

fn peak_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// Proofs for a cohort, by turns.
pub(crate) fn measure(cohort: CohortSize, settings: &Settings, rows: &mut Vec<Row>) -> Result<(), Failure> {
    // So that every process finds the key and maps it.
    drop(ProvingKey::load_or_setup(None, cohort, &mut inputs::rng())?);
    let threads = settings.pools.threads();
    let mut seconds = Prover::ALL.map(|_| vec![Vec::new(); threads.len()]);
    let mut peaks = Prover::ALL.map(|_| vec![Vec::new(); threads.len()]);
    for _ in 0..settings.turns {
        for (i, threads) in threads.iter().enumerate() {
            for (prover_idx, prover) in Prover::ALL.into_iter().enumerate() {
                let told = Child { prover, cohort, threads: *threads }.spawn()?;
                seconds[prover_idx][i].push(told.seconds);
                peaks[prover_idx][i].extend(told.peak_kib.map(|kib| kib as f64 / 1024.0));
            }
        }
    }
    let timed: Vec<Timed> = Prover::ALL
        .into_iter()
        .zip(seconds)
        .map(|(prover, seconds)| Timed { way: prover.row_name(), is_peer: prover == Prover::Ark, seconds })
        .collect();
    let size = format!("N = {cohort}");
    let mut proofs = summarise("Groth16, a proof", &size, &threads, &timed);
    for (row, peaks) in proofs.iter_mut().zip(&peaks) {
        for (timing, peaks) in row.timings.iter_mut().zip(peaks) {
            timing.peak_mib = peaks.iter().copied().reduce(f64::max);
        }
    }
    rows.extend(proofs);
    Ok(())
}
