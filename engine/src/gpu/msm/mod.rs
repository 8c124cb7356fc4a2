//! Sums of scalar multiples on the device: `sum_i scalars_i * points_i`, for full scalars and for rows of short signed ones.
//!
//! For each group of rows (see [`plan`]):
//!
//! 1. clear the buckets; for each chunk of points: upload its scalars and convert them (`msm_scalars`),
//! 2. count every bucket's entries (`msm_histogram`), scan the counts (`msm_scan`, `msm_scan_add`), place the entries
//!    (`msm_scatter`),
//! 3. add the entries' points into the buckets by slices (`msm_accumulate`), and what crossed slices (`msm_merge`);
//! 4. weigh and add up the buckets of every row (`msm_reduce`) until few items are left, and copy those out.
//!
//! The host adds up the rest ([`finish`]). Points stay on the device ([`resident`]); everything made of scalars is wiped
//! before a call returns. `docs/msm.md` has the mathematics and the cost.
//!
//! Twin: `engine/src/cpu/msm.rs`, `engine/src/cpu/msm_signed.rs`. Kernels: `shaders/msm_*.wgsl`.

mod finish;
mod kernels;
mod pace;
mod passes;
mod plan;
mod resident;

use ark_ec::short_weierstrass::Projective;
use blindsum_shaders::{Arithmetic, Field};
use rayon::prelude::*;

use self::finish::{horner, row_sum};
use self::kernels::MsmKernels;
pub(super) use self::kernels::dispatches;
pub(super) use self::pace::Pace;
pub(super) use self::passes::Buffers;
use self::passes::Passes;
use self::plan::{Plan, SUM_BYTES, Scalars};
pub(super) use self::resident::Resident;
use super::threads::for_each_chunk;
use super::{Gpu, with_buffers};
use crate::backend::{check_msm, check_signed};
use crate::error::EngineError;
use crate::points::{Curve, G1, Grumpkin, Points};

const OPERATION: &str = "msm";
/// Fewest scalars that a host thread is worth copying.
const SCALARS_PER_TASK: usize = 1 << 14;
/// Fewest rows that a host thread is worth adding up: tens of additions each.
const ROWS_PER_TASK: usize = 4;

/// A curve that the kernels are generated for.
pub trait GpuCurve: Curve {
    /// The field of its coordinates.
    const FIELD: Field;
    /// The field of its scalars.
    const SCALAR_FIELD: Field;
}

impl GpuCurve for G1 {
    const FIELD: Field = Field::Fq;
    const SCALAR_FIELD: Field = Field::Fr;
}

impl GpuCurve for Grumpkin {
    const FIELD: Field = Field::Fr;
    const SCALAR_FIELD: Field = Field::Fq;
}

/// Choices that are otherwise made by the cost model, for measurements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MsmTuning {
    /// Bits of a window.
    pub window_bits: Option<u32>,
    /// Entries that one invocation adds up: 8, 16, 32 or any other number.
    pub entries_per_slice: Option<u32>,
}

/// The scalars of a call, on the host.
enum Source<'a, C: Curve> {
    Full(&'a [C::ScalarField]),
    Signed { rows: &'a [&'a [i32]], bits: u32 },
}

impl<C: Curve> Source<'_, C> {
    const fn scalars(&self) -> Scalars {
        match self {
            Self::Full(_) => Scalars::Full,
            Self::Signed { bits, .. } => Scalars::Signed { bits: *bits },
        }
    }

    const fn n_vectors(&self) -> usize {
        match self {
            Self::Full(_) => 1,
            Self::Signed { rows, .. } => rows.len(),
        }
    }

    /// Writes the scalars of point `first` on of one vector, as the device reads them.
    fn fill(&self, vector: usize, first: usize, out: &mut [u8]) {
        match self {
            Self::Full(scalars) => {
                for_each_chunk(out, 32 * SCALARS_PER_TASK, |at, out| {
                    for (out, scalar) in out.chunks_exact_mut(32).zip(&scalars[first + at / 32..]) {
                        out.copy_from_slice(bytemuck::cast_slice(&C::scalar_limbs(scalar)));
                    }
                });
            }
            Self::Signed { rows, .. } => {
                let n = out.len() / 4;
                out.copy_from_slice(bytemuck::cast_slice(&rows[vector][first..first + n]));
            }
        }
    }
}

/// `sum_i scalars_i * points_i`.
pub(super) fn msm<C: GpuCurve>(
    gpu: &Gpu,
    points: &Points<C>,
    scalars: &[C::ScalarField],
    tuning: MsmTuning,
) -> Result<Projective<C>, EngineError> {
    check_msm(points.len(), scalars.len())?;
    let sums = sums(gpu, points, &Source::Full(scalars), tuning)?;
    Ok(sums.into_iter().next().unwrap_or_default())
}

/// `sum_j rows_v[j] * points_j` for every row.
pub(super) fn msm_signed(
    gpu: &Gpu,
    points: &Points<Grumpkin>,
    rows: &[&[i32]],
    bits: u8,
    tuning: MsmTuning,
) -> Result<Vec<Projective<Grumpkin>>, EngineError> {
    check_signed(points.len(), rows, bits)?;
    sums(gpu, points, &Source::Signed { rows, bits: bits.into() }, tuning)
}

#[tracing::instrument(level = "debug", skip_all, fields(curve = C::NAME, n = points.len(), vectors = source.n_vectors()))]
fn sums<C: GpuCurve>(
    gpu: &Gpu,
    points: &Points<C>,
    source: &Source<'_, C>,
    tuning: MsmTuning,
) -> Result<Vec<Projective<C>>, EngineError> {
    let n_vectors = source.n_vectors();
    if points.is_empty() || n_vectors == 0 {
        return Ok(vec![Projective::default(); n_vectors]);
    }
    let plan = Plan::new(&gpu.limits, source.scalars(), points.len(), n_vectors, tuning)?;
    let arithmetic = Arithmetic { field: C::FIELD, limbs: gpu.limbs() };
    let scalar_field = (plan.scalars == Scalars::Full).then_some(C::SCALAR_FIELD);
    let kernels = MsmKernels::get(gpu, arithmetic, scalar_field)?;
    let resident = gpu.resident.get(gpu, points)?;

    let rows = with_buffers(
        &gpu.msm,
        || Buffers::new(gpu),
        |buffers| {
            gpu.device.scoped(OPERATION, || {
                let passes = Passes { gpu, kernels: &kernels, plan: &plan, points: &resident, arithmetic };
                let pieces = passes
                    .run(buffers, points.len(), |vector, first, out| source.fill(vector, first, out))?;
                let mut rows = vec![Projective::<C>::default(); n_vectors * plan.n_windows as usize];
                buffers.read(gpu, |words| {
                    for piece in &pieces {
                        let n_words = (piece.items * SUM_BYTES / 4) as usize;
                        let sums = &words[piece.at..piece.at + n_words * piece.n_rows()];
                        let totals =
                            &words[piece.at + n_words * piece.n_rows()..][..n_words * piece.n_rows()];
                        let mut found = vec![Projective::<C>::default(); piece.n_rows()];
                        for_each_chunk(&mut found, ROWS_PER_TASK, |first, found| {
                            for (i, row) in found.iter_mut().enumerate() {
                                let range = (first + i) * n_words..(first + i + 1) * n_words;
                                *row = row_sum(&sums[range.clone()], &totals[range], piece.log_weight);
                            }
                        });
                        let windows = piece.group.windows.len();
                        for (i, row) in found.into_iter().enumerate() {
                            let (vector, window) = (i / windows, i % windows);
                            let at = (piece.group.vectors.start + vector) * plan.n_windows as usize
                                + piece.group.windows.start as usize
                                + window;
                            rows[at] = row;
                        }
                    }
                })?;
                buffers.wipe(gpu)?;
                Ok(rows)
            })
        },
    )?;
    Ok(rows.par_chunks(plan.n_windows as usize).map(|rows| horner(rows, plan.window_bits)).collect())
}
