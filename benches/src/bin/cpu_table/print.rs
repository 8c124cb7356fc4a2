//! The table as Markdown.

use std::io::{Result, Write};

use serde::Serialize;

use crate::machine::Machine;
use crate::measure::{Row, Timing};

/// A whole table and its head.
#[derive(Debug, Serialize)]
pub(crate) struct Table {
    pub(crate) machine: Machine,
    pub(crate) turns: usize,
    pub(crate) threads: Vec<usize>,
    pub(crate) rows: Vec<Row>,
}

impl Table {
    pub(crate) fn markdown(&self, out: &mut impl Write) -> Result<()> {
        let Machine { processor, features, load, commit, profile, command, date } = &self.machine;
        let threads = self.threads.last().expect("one at least");
        write!(out, "{processor} ({}), {threads} threads", features.join(", "))?;
        if let Some(load) = load {
            write!(out, ", load {load} before")?;
        }
        write!(out, "; profile `{profile}`")?;
        if let Some(commit) = commit {
            write!(out, ", commit {commit}")?;
        }
        writeln!(out, ", {date}.")?;
        if cfg!(debug_assertions) {
            writeln!(out, "This profile hardly optimises halo2curves.")?;
        }
        writeln!(
            out,
            "Median of {} turns in milliseconds, the least in brackets; times as fast as the best peer, by the least.\n",
            self.turns
        )?;
        writeln!(out, "    {}", command.trim_end_matches(" -- "))?;
        for rows in self.rows.chunk_by(|a, b| a.operation == b.operation) {
            let heads: Vec<String> = self.threads.iter().map(|threads| head(*threads)).collect();
            writeln!(out, "\n| {} | way | {} |", rows[0].operation, heads.join(" | "))?;
            writeln!(out, "|---|---|{}", "---|---|".repeat(heads.len()))?;
            for Row { size, way, timings, .. } in rows {
                let cells: Vec<String> = timings.iter().map(cell).collect();
                writeln!(out, "| {size} | {way} | {} |", cells.join(" | "))?;
            }
        }
        Ok(())
    }
}

fn head(threads: usize) -> String {
    match threads {
        1 => "1 thread, ms | times as fast".into(),
        _ => format!("{threads} threads, ms | times as fast"),
    }
}

fn cell(timing: &Timing) -> String {
    let Timing { median_ms, least_ms, times_as_fast, peak_mib, .. } = timing;
    let memory = peak_mib.map_or(String::new(), |peak| format!(", {peak:.0} MiB at most"));
    format!("{} ({}){memory} | {times_as_fast:.2}", digits(*median_ms), digits(*least_ms))
}

/// Three digits, or what whole milliseconds have.
fn digits(milliseconds: f64) -> String {
    match milliseconds {
        ..1.0 => format!("{milliseconds:.3}"),
        ..10.0 => format!("{milliseconds:.2}"),
        ..100.0 => format!("{milliseconds:.1}"),
        _ => format!("{milliseconds:.0}"),
    }
}
