//! Sums of scalar multiples on the device: `sum_i scalars_i * points_i`, for full scalars and for rows of short signed ones.
//!
//! For each group of rows (see [`plan`]):
//!
//! 1. clear the buckets; for each chunk of points: upload its scalars and convert them (`msm_scalars`),
//! 2. count every bucket's entries (`msm_histogram`), scan the counts (`msm_scan`, `msm_scan_add`), place the entries
//!    (`msm_scatter`),
//! 3. add the entries' points into the buckets by slices (`msm_accumulate`), and what crossed slices (`msm_merge`);
//! 4. add up the buckets of every row, and for each bit those whose index has it (`msm_reduce`), and copy these sums out.
//!
//! The host weighs them and adds up the rest ([`finish`]). Points stay on the device ([`resident`]); everything made of scalars is wiped
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
use wgpu::WriteOnly;

use self::finish::{gather, horner, row_sum};
use self::kernels::MsmKernels;
pub(super) use self::kernels::{dispatches, dispatches_of};
pub(super) use self::pace::Pace;
pub(super) use self::passes::Buffers;
use self::passes::{Items, Passes};
use self::plan::{Plan, Scalars};
pub(super) use self::resident::Resident;
use super::threads::{for_each_chunk, for_each_staged_block};
use super::{Gpu, with_buffers};
use crate::backend::{check_msm, check_signed};
use crate::error::EngineError;
use crate::points::{Curve, G1, Grumpkin, Points};

const OPERATION: &str = "msm";
/// Bytes of a full scalar.
const SCALAR_BYTES: usize = 32;
/// Most bytes of staging memory on their way at a time: filling some overlaps copying others.
const STAGING_BYTES: u64 = 8 << 20;
/// Bytes of staging memory that a host thread fills at a time: 2^14 scalars.
const STAGED_BLOCK: usize = SCALAR_BYTES << 14;
/// Fewest sums that a host thread is worth converting.
const SUMS_PER_TASK: usize = 1 << 10;

/// So few vectors are put together on the calling thread.
const VECTORS_PER_POOL: usize = 4;

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

    /// Writes the scalars from point `first` on of one vector, as the device reads them.
    fn fill(&self, vector: usize, first: usize, view: WriteOnly<'_, [u8]>) {
        match self {
            Self::Full(scalars) => for_each_staged_block::<STAGED_BLOCK>(view, |at, block| {
                let scalars = &scalars[first + at / SCALAR_BYTES..];
                let (places, _) = block.into_chunks::<SCALAR_BYTES>();
                for (place, scalar) in places.into_iter().zip(scalars) {
                    place.write(bytemuck::cast(C::scalar_limbs(scalar)));
                }
            }),
            Self::Signed { rows, .. } => {
                let words: &[u8] = bytemuck::cast_slice(&rows[vector][first..]);
                for_each_staged_block::<STAGED_BLOCK>(view, |at, mut block| {
                    block.copy_from_slice(&words[at..at + block.len()]);
                });
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

    let (n_windows, n_arrays) = (plan.n_windows as usize, plan.window_bits as usize);
    let mut sums = vec![Projective::<C>::default(); n_vectors * n_windows * n_arrays];
    let create = || Buffers::new(gpu);
    with_buffers(&gpu.msm, create, |buffers| {
        gpu.device.scoped(OPERATION, || {
            let passes = Passes { gpu, kernels: &kernels, plan: &plan, points: &resident, arithmetic };
            let fill = |vector, first, view: WriteOnly<'_, [u8]>| source.fill(vector, first, view);
            passes.run(buffers, points.len(), fill, |Items { group, words }| {
                let first = group.vectors.start * n_windows + group.windows.start as usize;
                let rows = &mut sums[n_arrays * first..][..n_arrays * group.n_rows() as usize];
                for_each_chunk(rows, SUMS_PER_TASK, |first, sums| gather(sums, first, n_arrays, words));
            })
        })
    })?;
    let of_vector = |sums: &[Projective<C>]| {
        let rows: Vec<Projective<C>> = sums.chunks(n_arrays).map(row_sum).collect();
        horner(&rows, plan.window_bits)
    };
    if n_vectors < VECTORS_PER_POOL {
        // Some hundred additions each: less than waiting for a pool that may be busy with a caller's other work.
        return Ok(sums.chunks(n_windows * n_arrays).map(of_vector).collect());
    }
    Ok(sums.par_chunks(n_windows * n_arrays).map(of_vector).collect())
}
