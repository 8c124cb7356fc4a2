//! Transforms on the device, and the whole quotient without leaving it.
//!
//! A transform of `2^k` elements is `k` stages, cut into passes of at most nine: a workgroup takes a tile of the vector into
//! its memory, does the pass's stages there, and puts it back. Between passes every element takes a factor, a root of unity
//! that joins what the passes did; on the odd coset only these factors differ. Elements are in the host's form throughout:
//! transforms are linear, and the pointwise step takes out what a product has too much.
//!
//! `values`, `a` and `b` are written when everything has gone well, and not before.
//!
//! Twin: `engine/src/cpu/ntt.rs`. Kernels: `shaders/ntt_*.wgsl`. The mathematics: `docs/ntt.md`.

use std::sync::{Arc, Mutex, PoisonError};

use ark_ff::{BigInt, Field as _, One};
use blindsum_shaders::{Arithmetic, Field, Limbs};
use wgpu::{BufferUsages, WriteOnly};

use super::batch::Batch;
use super::buffers::{Download, Growing, Stretch, Upload, create};
use super::layout::{NttParams, NttQuotientParams};
use super::msm::{dispatches, dispatches_of};
use super::source::{Access, Kernel, KernelSpec};
use super::threads::{for_each_chunk, for_each_staged_block};
use super::{Gpu, with_buffers};
use crate::curve::Fr;
use crate::error::{DeviceError, EngineError};
use crate::ntt::{Direction, Domain, check_quotient, log_size, root};

const OPERATION: &str = "ntt";
const ELEMENT_BYTES: usize = 32;
/// Bytes of staging memory that a host thread fills at a time, and elements that it reads.
const STAGED_BLOCK: usize = ELEMENT_BYTES << 14;
const READ_BLOCK: usize = 1 << 12;
/// Most bytes that are staged at a time: while one half is filled the device copies from the other.
const STAGING_BYTES: u64 = 8 << 20;
/// Elements of a tile at most, as a logarithm.
const LOG_TILE: u32 = 9;
/// Order of the roots that factors are put together from, and bits of an exponent that each of their tables covers.
const LOG_ORDER: u32 = 26;
const HALF_BITS: u32 = 13;
/// Largest transform: its odd coset has roots of twice its order.
const MAX_LOG_N: u32 = LOG_ORDER - 1;
/// Tiles and elements of one dispatch, far below a watchdog's patience.
const TILES_PER_DISPATCH: u64 = 1 << 11;
const ELEMENTS_PER_DISPATCH: u64 = 1 << 20;
/// Elements of all dispatches of one submission.
const ELEMENTS_PER_SUBMISSION: u64 = 1 << 22;

/// What is kept between calls.
pub(super) struct Buffers {
    upload: Upload,
    params: Growing,
    /// One vector, or A, B and C.
    values: [Growing; 3],
    download: Download,
}

impl Buffers {
    fn new(gpu: &Gpu) -> Result<Self, EngineError> {
        let usage = BufferUsages::STORAGE | BufferUsages::COPY_DST | BufferUsages::COPY_SRC;
        let piece_bytes =
            gpu.limits.chunk_bytes.min(STAGING_BYTES) / ELEMENT_BYTES as u64 * ELEMENT_BYTES as u64;
        Ok(Self {
            upload: Upload::new(&gpu.device, "ntt staging", piece_bytes)?,
            params: Growing::new("ntt params", BufferUsages::UNIFORM | BufferUsages::COPY_DST),
            values: ["ntt values a", "ntt values b", "ntt values c"].map(|label| Growing::new(label, usage)),
            download: Download::new("ntt result staging"),
        })
    }

    /// Sends a vector up, to the buffer of this index.
    fn send(&mut self, gpu: &Gpu, index: usize, values: &[Fr]) -> Result<wgpu::Buffer, EngineError> {
        let bytes = (values.len() * ELEMENT_BYTES) as u64;
        let buffer = self.values[index].at_least(&gpu.device, bytes)?;
        let target = (&buffer, 0);
        self.upload.send(
            &gpu.device,
            OPERATION,
            target,
            values.len(),
            ELEMENT_BYTES as u64,
            |range, view| {
                fill(&values[range], view);
            },
        )?;
        Ok(buffer)
    }

    /// Submits `batch` and waits until `values` are what the buffer then holds.
    fn receive(
        &mut self,
        gpu: &Gpu,
        mut batch: Batch,
        buffer: &wgpu::Buffer,
        values: &mut [Fr],
    ) -> Result<(), EngineError> {
        let bytes = (values.len() * ELEMENT_BYTES) as u64;
        self.download.note(&gpu.device, &mut batch, &[Stretch { buffer, offset: 0, bytes }])?;
        let submission = batch.submit(&gpu.device, &mut self.params)?;
        self.download.submitted(submission);
        // The copies from staging memory are done long before the kernels are.
        self.upload.wipe(&gpu.device, OPERATION)?;
        self.download.finish(&gpu.device, OPERATION, |words| read(words, values))
    }

    /// Wipes everything that was made of values, and waits until that is done.
    fn wipe(&mut self, gpu: &Gpu) -> Result<(), EngineError> {
        let mut batch = Batch::new(OPERATION);
        self.values.iter_mut().for_each(|values| values.wipe(&mut batch));
        self.download.wipe(&mut batch);
        let submission = batch.submit(&gpu.device, &mut self.params)?;
        Ok(gpu.device.wait(OPERATION, &submission)?)
    }
}

/// Writes elements as they are on the host.
fn fill(values: &[Fr], view: WriteOnly<'_, [u8]>) {
    for_each_staged_block::<STAGED_BLOCK>(view, |at, block| {
        let (places, _) = block.into_chunks::<ELEMENT_BYTES>();
        for (place, value) in places.into_iter().zip(&values[at / ELEMENT_BYTES..]) {
            place.write(bytemuck::cast(value.0.0));
        }
    });
}

/// Reads what [`fill`] wrote.
fn read(words: &[u32], values: &mut [Fr]) {
    for_each_chunk(values, READ_BLOCK, |first, values| {
        for (value, words) in values.iter_mut().zip(words[8 * first..].chunks_exact(8)) {
            let limb = |i: usize| u64::from(words[2 * i]) | u64::from(words[2 * i + 1]) << 32;
            *value = Fr::new_unchecked(BigInt(core::array::from_fn(limb)));
        }
    });
}

/// The kernels.
struct NttKernels {
    dif: Arc<Kernel>,
    dit: Arc<Kernel>,
    quotient: Arc<Kernel>,
}

impl NttKernels {
    fn get(gpu: &Gpu) -> Result<Self, EngineError> {
        const R: Access = Access::Read;
        const W: Access = Access::ReadWrite;
        let arithmetic = Some(Arithmetic { field: Field::Fr, limbs: gpu.limbs() });
        let spec = |name, params_bytes, buffers| KernelSpec { name, arithmetic, params_bytes, buffers };
        let specs = [
            spec("ntt_dif", size_of::<NttParams>(), &[R, W][..]),
            spec("ntt_dit", size_of::<NttParams>(), &[R, W]),
            spec("ntt_quotient", size_of::<NttQuotientParams>(), &[R, R, W]),
        ];
        let mut compiled = gpu.kernels.get_all(&gpu.device, &specs)?.into_iter();
        let mut next = || compiled.next().expect("as many kernels as were asked for");
        Ok(Self { dif: next(), dit: next(), quotient: next() })
    }
}

/// Roots of unity on the device, of forward and of inverse transforms. They are public and never leave.
#[derive(Default)]
pub(super) struct Roots {
    kept: Mutex<Option<[wgpu::Buffer; 2]>>,
}

impl Roots {
    fn get(&self, gpu: &Gpu, buffers: &mut Buffers) -> Result<[wgpu::Buffer; 2], EngineError> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(roots) = &*kept {
            return Ok(roots.clone());
        }
        let mut upload = |label, inverse: bool| -> Result<wgpu::Buffer, EngineError> {
            let words: Vec<[u32; 8]> =
                roots(inverse).into_iter().map(|root| words(root, gpu.limbs())).collect();
            let usage = BufferUsages::STORAGE | BufferUsages::COPY_DST;
            let buffer = create(&gpu.device, label, (words.len() * ELEMENT_BYTES) as u64, usage, false);
            let target = (&buffer, 0);
            let fill = |range, mut view: WriteOnly<'_, [u8]>| {
                view.copy_from_slice(bytemuck::cast_slice(&words[range]));
            };
            buffers.upload.send(&gpu.device, OPERATION, target, words.len(), ELEMENT_BYTES as u64, fill)?;
            Ok(buffer)
        };
        let roots = [upload("ntt roots forward", false)?, upload("ntt roots inverse", true)?];
        *kept = Some(roots.clone());
        Ok(roots)
    }
}

/// The tables of `shaders/lib/ntt.wgsl`: a tile's roots, then the powers that every exponent below `2^26` is put together from.
fn roots(inverse: bool) -> Vec<Fr> {
    let powers = |log_order: u32, log_step: u32, n: usize| {
        let root = root(log_order).pow([1 << log_step]);
        let root = if inverse { root.inverse().unwrap_or_default() } else { root };
        core::iter::successors(Some(Fr::one()), move |power| Some(*power * root)).take(n)
    };
    powers(LOG_TILE, 0, 1 << (LOG_TILE - 1))
        .chain(powers(LOG_ORDER, 0, 1 << HALF_BITS))
        .chain(powers(LOG_ORDER, HALF_BITS, 1 << (LOG_ORDER - HALF_BITS)))
        .collect()
}

/// By which factor the variant's Montgomery form is larger than the host's.
fn form(limbs: Limbs) -> Fr {
    match limbs {
        Limbs::U64x8 => Fr::one(),
        Limbs::L13x20 => Fr::from(16u8),
    }
}

/// A factor in the variant's form: products with it stay in the form of what it multiplies.
fn words(factor: Fr, limbs: Limbs) -> [u32; 8] {
    bytemuck::cast((factor * form(limbs)).0.0)
}

/// One pass: its stages, and how far apart the elements lie that they put together. All as logarithms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pass {
    rows: u32,
    columns: u32,
    stride: u32,
}

/// The passes of a transform of `2^log_n` elements, those of the shortest distances first: the order of a forward one.
fn passes(log_n: u32) -> Vec<Pass> {
    let n_passes = log_n.div_ceil(LOG_TILE);
    let mut stride = 0;
    (0..n_passes)
        .map(|i| {
            // As even as can be: wide tiles read memory in long stretches.
            let rows = log_n / n_passes + u32::from(i < log_n % n_passes);
            let pass = Pass { rows, columns: (LOG_TILE - rows).min(log_n - rows), stride };
            stride += rows;
            pass
        })
        .collect()
}

/// One call's constants.
struct Call<'a> {
    gpu: &'a Gpu,
    kernels: NttKernels,
    roots: [wgpu::Buffer; 2],
    log_n: u32,
}

impl Call<'_> {
    fn transform(
        &self,
        batch: &mut Batch,
        direction: Direction,
        domain: Domain,
        scale: Option<Fr>,
        values: &wgpu::Buffer,
    ) {
        let (kernel, roots, mut passes) = match direction {
            Direction::Forward => (&self.kernels.dit, &self.roots[0], passes(self.log_n)),
            Direction::Inverse => (&self.kernels.dif, &self.roots[1], passes(self.log_n)),
        };
        if direction == Direction::Inverse {
            passes.reverse();
        }
        let last = passes.len().saturating_sub(1);
        for (i, pass) in passes.into_iter().enumerate() {
            let n_tiles = 1 << (self.log_n - pass.rows - pass.columns);
            let scale = scale.filter(|_| i == last);
            let [low, high] = halves(scale.unwrap_or_default(), self.gpu.limbs());
            for (range, grid) in dispatches_of(self.gpu, n_tiles, TILES_PER_DISPATCH, 1) {
                let params = NttParams {
                    first_tile: range.start,
                    n_tiles: range.len() as u32,
                    groups_per_row: grid[0],
                    log_rows: pass.rows,
                    log_columns: pass.columns,
                    log_stride: pass.stride,
                    row_shift: if pass.stride == 0 { 0 } else { pass.columns },
                    coset: u32::from(domain == Domain::OddCoset),
                    scale_low: low,
                    scale_high: high,
                    is_scaled: u32::from(scale.is_some()),
                    reserved0: 0,
                    reserved1: 0,
                    reserved2: 0,
                };
                batch.spend((range.len() as u64) << LOG_TILE, ELEMENTS_PER_SUBMISSION);
                batch.push(kernel, &params, &[roots, values], grid);
            }
        }
    }

    /// `c = (a b product_scale - c) scale`.
    fn pointwise(&self, batch: &mut Batch, [a, b, c]: [&wgpu::Buffer; 3], product_scale: Fr, scale: Fr) {
        let limbs = self.gpu.limbs();
        // A product of two elements in the host's form lacks the factor by which the variant's form is larger.
        let [product_scale_low, product_scale_high] = halves(product_scale * form(limbs), limbs);
        let [scale_low, scale_high] = halves(scale, limbs);
        for (range, grid) in dispatches(self.gpu, 1 << self.log_n, ELEMENTS_PER_DISPATCH) {
            let params = NttQuotientParams {
                begin: range.start,
                end: range.end,
                groups_per_row: grid[0],
                reserved: 0,
                product_scale_low,
                product_scale_high,
                scale_low,
                scale_high,
            };
            batch.spend(range.len() as u64, ELEMENTS_PER_SUBMISSION);
            batch.push(&self.kernels.quotient, &params, &[a, b, c], grid);
        }
    }
}

fn halves(factor: Fr, limbs: Limbs) -> [[u32; 4]; 2] {
    bytemuck::cast(words(factor, limbs))
}

fn inverse_of(log_n: u32) -> Fr {
    Fr::from(1u64 << log_n).inverse().unwrap_or_default()
}

/// Refuses what no binding or table holds, and prepares the rest.
fn with_call(
    gpu: &Gpu,
    log_n: u32,
    body: impl FnOnce(&Call<'_>, &mut Buffers) -> Result<(), EngineError>,
) -> Result<(), EngineError> {
    let bytes = (ELEMENT_BYTES as u64) << log_n;
    if log_n > MAX_LOG_N || bytes > gpu.limits.binding_bytes {
        let got = gpu.limits.binding_bytes.min((ELEMENT_BYTES as u64) << MAX_LOG_N);
        return Err(DeviceError::LimitTooSmall { what: "storage binding, bytes", needed: bytes, got }.into());
    }
    let kernels = NttKernels::get(gpu)?;
    with_buffers(
        &gpu.ntt,
        || Buffers::new(gpu),
        |buffers| {
            gpu.device.scoped(OPERATION, || {
                let roots = gpu.roots.get(gpu, buffers)?;
                body(&Call { gpu, kernels, roots, log_n }, buffers)?;
                buffers.wipe(gpu)
            })
        },
    )
}

/// See [`crate::backend::Backend::ntt`].
#[tracing::instrument(level = "debug", skip(gpu, values), fields(n = values.len()))]
pub(super) fn ntt(
    gpu: &Gpu,
    direction: Direction,
    domain: Domain,
    values: &mut [Fr],
) -> Result<(), EngineError> {
    let log_n = log_size(values.len(), domain)?;
    with_call(gpu, log_n, |call, buffers| {
        let buffer = buffers.send(gpu, 0, values)?;
        let mut batch = Batch::new(OPERATION);
        let scale = (direction == Direction::Inverse).then(|| inverse_of(log_n));
        call.transform(&mut batch, direction, domain, scale, &buffer);
        buffers.receive(gpu, batch, &buffer, values)
    })
}

/// See [`crate::backend::Backend::quotient`].
#[tracing::instrument(level = "debug", skip_all, fields(n = a.len()))]
pub(super) fn quotient(gpu: &Gpu, a: &mut [Fr], b: &[Fr]) -> Result<(), EngineError> {
    let log_n = check_quotient(a.len(), b.len())?;
    with_call(gpu, log_n, |call, buffers| {
        let bytes = (ELEMENT_BYTES as u64) << log_n;
        let (a_values, b_values) = (buffers.send(gpu, 0, a)?, buffers.send(gpu, 1, b)?);
        let c_values = buffers.values[2].at_least(&gpu.device, bytes)?;
        let all = [&a_values, &b_values, &c_values];
        let mut batch = Batch::new(OPERATION);
        batch.clear(&c_values, 0, bytes);
        call.pointwise(&mut batch, all, Fr::one(), Fr::one());
        for values in all {
            call.transform(&mut batch, Direction::Inverse, Domain::Subgroup, None, values);
            call.transform(&mut batch, Direction::Forward, Domain::OddCoset, None, values);
        }
        // Each is n times too large.
        let scale = inverse_of(log_n);
        call.pointwise(&mut batch, all, scale, scale);
        buffers.receive(gpu, batch, &c_values, a)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_cover_every_stage_once() {
        assert_eq!(passes(0), []);
        for log_n in 1..=MAX_LOG_N {
            let passes = passes(log_n);
            let mut stages = 0;
            for pass in &passes {
                assert_eq!(pass.stride, stages);
                assert!(pass.rows > 0 && pass.rows + pass.columns <= LOG_TILE.min(log_n), "{pass:?}");
                stages += pass.rows;
            }
            assert_eq!(stages, log_n);
            assert!(log_n < LOG_TILE || passes.iter().all(|pass| pass.rows + pass.columns == LOG_TILE));
        }
        let rows = |log_n| passes(log_n).iter().map(|pass| pass.rows).collect::<Vec<_>>();
        assert_eq!([rows(9), rows(10), rows(20)], [vec![9], vec![5, 5], vec![7, 7, 6]]);
    }

    #[test]
    fn tables_hold_the_powers_that_kernels_look_for() {
        for inverse in [false, true] {
            let table = roots(inverse);
            assert_eq!(table.len(), 256 + (1 << 13) + (1 << 13));
            let power = |log_order: u32, exponent: u64| {
                let power = root(log_order).pow([exponent]);
                if inverse { power.inverse().expect("a root") } else { power }
            };
            assert_eq!(table[77], power(9, 77));
            for exponent in [0, 1, 8191, 8192, 12_345_678, (1 << 26) - 1] {
                let product = table[256 + (exponent & 8191)] * table[8448 + (exponent >> 13)];
                assert_eq!(product, power(26, exponent as u64));
            }
        }
    }
}
