//! How fast the kernels are: device time by the device's own clock where it has one, the whole call beside it.

use std::cell::RefCell;
use std::io::Write;
use std::time::Instant;

use blindsum_circuits::Stage;
use blindsum_engine::backend::Backend;
use blindsum_engine::error::EngineError;
use blindsum_engine::gpu::probe::{self, FieldOperation, Words};
use blindsum_engine::gpu::{Gpu, Limbs, MsmTuning};
use blindsum_engine::mask::{MaskKey, SignedMask};
use blindsum_engine::ntt::{Direction, Domain};
use blindsum_engine::points::{G1, Grumpkin};
use blindsum_shaders::Field;
use serde::Serialize;

use super::inputs::{points, scalars, word, words};
use crate::profile::Profile;

/// Calls of which the fastest counts; one more before them compiles and allocates.
const REPEATS: usize = 3;

/// One measured figure.
#[derive(Debug, Serialize)]
pub(super) struct Figure {
    what: String,
    value: f64,
    unit: &'static str,
    /// What this code can reach on an H200 at 1.755 GHz, by instruction counts and not by measurement: `docs/msm.md`.
    #[serde(skip_serializing_if = "Option::is_none")]
    h200_floor: Option<f64>,
}

/// Where figures go: to the reader at once, and to the report.
pub(super) struct Table<'a, W> {
    pub(super) out: &'a mut W,
    pub(super) figures: &'a mut Vec<Figure>,
    pub(super) profiles: &'a mut Vec<Profile>,
}

impl<W: Write> Table<'_, W> {
    pub(super) fn figure(
        &mut self,
        what: String,
        value: f64,
        unit: &'static str,
        h200_floor: Option<f64>,
    ) -> std::io::Result<()> {
        let beside =
            h200_floor.map_or_else(String::new, |floor| format!("   (floor of an H200: {floor} {unit})"));
        writeln!(self.out, "{what:<64} {value:>10.3} {unit}{beside}")?;
        self.figures.push(Figure { what, value, unit, h200_floor });
        Ok(())
    }

    /// When the stages of a proof began.
    pub(super) fn stages(&mut self, stages: &[(Stage, f64)]) -> Done {
        let starts: Vec<String> = stages.iter().map(|(stage, begun)| format!("{stage} {begun:.1}")).collect();
        Ok(writeln!(self.out, "           began at, in ms: {}", starts.join(", "))?)
    }
}

/// The fastest of a few calls, and of a few profiled ones, which take a little longer.
struct Best {
    /// Of the call as users make it, in milliseconds.
    wall: f64,
    profile: Profile,
}

fn best<T>(
    gpu: &Gpu,
    call: &str,
    body: impl Fn(&Gpu) -> Result<T, EngineError>,
) -> Result<Best, EngineError> {
    body(gpu)?;
    let mut wall = f64::INFINITY;
    for _ in 0..REPEATS {
        let clock = Instant::now();
        body(gpu)?;
        wall = wall.min(clock.elapsed().as_secs_f64() * 1e3);
    }
    let mut best: Option<Profile> = None;
    for _ in 0..REPEATS {
        let (_, report) = gpu.profiled(&body)?;
        let profile = Profile::new(call.to_owned(), report);
        if best.as_ref().is_none_or(|best| profile.wall < best.wall) {
            best = Some(profile);
        }
    }
    let profile = best.expect("one repeat at least");
    Ok(Best { wall, profile })
}

/// Times one limb variant, sums up to `2^max_log_n` points.
pub(super) fn run(gpu: &Gpu, max_log_n: u32, table: &mut Table<'_, impl Write>) -> Done {
    arithmetic(gpu, max_log_n, table)?;
    masks(gpu, max_log_n, table)?;
    commitments(gpu, max_log_n, table)?;
    transforms(gpu, max_log_n, table)?;
    full_sums(gpu, max_log_n, table)
}

pub(super) type Done = Result<(), Box<dyn std::error::Error>>;

fn arithmetic(gpu: &Gpu, max_log_n: u32, table: &mut Table<'_, impl Write>) -> Done {
    let limbs = gpu.limbs();
    let log_n = max_log_n.min(20);
    let (n, rounds) = (1usize << log_n, if max_log_n > 16 { 256 } else { 16 });
    let operands: Vec<Words> = (0..n as u64).map(|i| [word(8, i) as u32 >> 3; 8]).collect();
    for field in Field::ALL {
        let Best { profile, .. } = best(gpu, "multiply", |gpu| {
            probe::field(gpu, field, FieldOperation::Multiply, rounds, &operands, &operands)
        })?;
        let rate = n as f64 * f64::from(rounds) / profile.device() / 1e6;
        let floor = match limbs {
            Limbs::U64x8 => 42.0,
            Limbs::L13x20 => 18.0,
        };
        table.figure(format!("multiplications, {field}/{limbs}"), rate, "G/s", Some(floor))?;
    }
    let (packed, rounds) = (points::<G1>(1 << max_log_n.min(18), false), if max_log_n > 16 { 64 } else { 8 });
    let Best { profile, .. } = best(gpu, "add", |gpu| probe::sums::<G1>(gpu, packed.as_slice(), rounds))?;
    let rate = packed.len() as f64 * f64::from(rounds) / profile.device() / 1e6;
    table.figure(
        format!("mixed additions, BN254 G1 in {limbs}"),
        rate,
        "G/s",
        (limbs == Limbs::U64x8).then_some(3.2),
    )?;
    Ok(())
}

fn masks(gpu: &Gpu, max_log_n: u32, table: &mut Table<'_, impl Write>) -> Done {
    let (n_masks, n_words) = (if max_log_n > 16 { 1024 } else { 64 }, 1usize << max_log_n.min(20));
    let masks: Vec<SignedMask> = (0..n_masks).map(|i| SignedMask::add(MaskKey::new([i as u8; 32]))).collect();
    let bytes = (n_masks * n_words * 4) as f64;
    let Best { wall, profile } =
        best(gpu, "mask_expand", |gpu| gpu.mask_expand(&masks, 0, &mut vec![0; n_words]))?;
    table.figure(
        format!("mask_expand, {n_masks} masks of {n_words} words, kernel"),
        bytes / profile.device() / 1e9,
        "TB/s",
        Some(1.37),
    )?;
    table.figure(
        format!("mask_expand, {n_masks} masks of {n_words} words, whole call"),
        bytes / wall / 1e9,
        "TB/s",
        None,
    )?;
    table.profiles.push(profile);
    let row: Vec<u32> = vec![1; n_words];
    let rows = vec![row.as_slice(); n_masks / 16];
    let Best { wall, profile } = best(gpu, "sum_rows", |gpu| gpu.sum_rows(&rows, &mut vec![0; n_words]))?;
    let bytes = (rows.len() * n_words * 4) as f64;
    table.figure("sum_rows, upload included".to_owned(), bytes / wall / 1e6, "GB/s", None)?;
    table.profiles.push(profile);
    Ok(())
}

fn commitments(gpu: &Gpu, max_log_n: u32, table: &mut Table<'_, impl Write>) -> Done {
    let limbs = gpu.limbs();
    let n = 1usize << max_log_n.min(20);
    let bases = points::<Grumpkin>(n, false);
    for (bits, n_rows) in [(8, 1), (16, 1), (16, 16), (24, 1), (32, 1)] {
        let rows: Vec<Vec<i32>> = (0..n_rows).map(|row| words(9 + row, n, bits)).collect();
        let rows: Vec<&[i32]> = rows.iter().map(Vec::as_slice).collect();
        let what = format!("msm_signed in {limbs}, {n_rows} rows of {n} words of {bits} bits");
        let Best { wall, profile } = best(gpu, &what, |gpu| gpu.msm_signed(&bases, &rows, bits))?;
        table.figure(format!("{what}, kernels"), profile.device(), "ms", None)?;
        table.figure(what, wall, "ms", None)?;
        table.profiles.push(profile);
    }
    Ok(())
}

fn transforms(gpu: &Gpu, max_log_n: u32, table: &mut Table<'_, impl Write>) -> Done {
    let limbs = gpu.limbs();
    for log_n in (12..=max_log_n).step_by(2) {
        let values = scalars::<ark_bn254::Fr>("uniform", 1 << log_n);
        let floor = match (limbs, log_n) {
            (Limbs::U64x8, 20) => Some(0.28),
            (Limbs::U64x8, 24) => Some(5.3),
            _ => None,
        };
        let what = format!("ntt in {limbs}, 2^{log_n} elements");
        let buffers = RefCell::new((values.clone(), values));
        let Best { wall, profile } = best(gpu, &what, |gpu| {
            gpu.ntt(Direction::Forward, Domain::OddCoset, &mut buffers.borrow_mut().0)
        })?;
        table.figure(format!("{what}, kernels"), profile.device(), "ms", floor)?;
        table.figure(what, wall, "ms", None)?;
        table.profiles.push(profile);
        let what = format!("quotient in {limbs}, 2^{log_n} elements");
        let Best { wall, profile } = best(gpu, &what, |gpu| {
            let (a, b) = &mut *buffers.borrow_mut();
            gpu.quotient(a, b)
        })?;
        table.figure(format!("{what}, kernels"), profile.device(), "ms", floor.map(|floor| 6.0 * floor))?;
        table.figure(what, wall, "ms", None)?;
        table.profiles.push(profile);
    }
    Ok(())
}

fn full_sums(gpu: &Gpu, max_log_n: u32, table: &mut Table<'_, impl Write>) -> Done {
    let limbs = gpu.limbs();
    let log_sizes = (10..=max_log_n).filter(|log_n| log_n % 2 == 0);
    for log_n in log_sizes {
        let n = 1usize << log_n;
        let (points, scalars) = (points::<G1>(n, false), scalars::<ark_bn254::Fr>("uniform", n));
        let floor = match (limbs, log_n) {
            (Limbs::U64x8, 20) => Some(5.5),
            (Limbs::U64x8, 24) => Some(72.0),
            _ => None,
        };
        let what = format!("msm, BN254 G1 in {limbs}, 2^{log_n} points");
        let Best { wall, profile } = best(gpu, &what, |gpu| gpu.msm_g1_vartime(&points, &scalars))?;
        profile.print(table.out)?;
        table.figure(format!("{what}, kernels"), profile.device(), "ms", floor)?;
        table.figure(what.clone(), wall, "ms", floor)?;
        table.profiles.push(profile);
        if ![16, 20, 24].contains(&log_n) {
            continue;
        }
        // The model's choice is about log2 n - 4; its neighbours, and other slices, say whether it is right.
        for window_bits in log_n - 5..=log_n - 2 {
            for entries_per_slice in [8, 16, 32, 64] {
                let tuning =
                    MsmTuning { window_bits: Some(window_bits), entries_per_slice: Some(entries_per_slice) };
                let what = format!("{what}, c = {window_bits}, slices of {entries_per_slice}");
                let Best { wall, .. } = best(gpu, &what, |gpu| gpu.msm_tuned(&points, &scalars, tuning))?;
                table.figure(what, wall, "ms", None)?;
            }
        }
    }
    Ok(())
}
