//! Adding rows on the device: the rows are streamed there once, the sum comes back once.
//!
//! 1. The accumulator is cut into chunks; of each chunk as many rows as fit are staged, and added in one dispatch.
//! 2. Two staging buffers take turns: the host fills one while the device copies from the other and adds.
//! 3. The sum is added to `acc` on the host; the accumulator itself never leaves it.
//!
//! Twin: `engine/src/cpu/sum_rows.rs`. Kernel: `shaders/sum_rows.wgsl`.

use std::sync::Arc;

use wgpu::BufferUsages;

use super::batch::Batch;
use super::buffers::{Growing, SumSlot, Upload};
use super::layout::SumRowsParams;
use super::source::{Access, Kernel, KernelSpec};
use super::{Gpu, with_buffers};
use crate::backend::check_rows;
use crate::error::EngineError;

const OPERATION: &str = "sum_rows";
/// What is compiled.
pub(super) const KERNEL: KernelSpec = KernelSpec {
    name: OPERATION,
    arithmetic: None,
    params_bytes: size_of::<SumRowsParams>(),
    buffers: &[Access::Read, Access::ReadWrite],
};
const QUAD_BYTES: u64 = 16;

/// What is kept between calls.
pub(super) struct Buffers {
    upload: Upload,
    rows: Growing,
    params: Growing,
    sum: SumSlot,
}

pub(super) fn sum_rows(gpu: &Gpu, rows: &[&[u32]], acc: &mut [u32]) -> Result<(), EngineError> {
    check_rows(rows, acc.len())?;
    if rows.is_empty() || acc.is_empty() {
        return Ok(());
    }
    let create = || {
        Ok(Buffers {
            upload: Upload::new(
                &gpu.device,
                "sum_rows staging",
                gpu.limits.chunk_bytes / QUAD_BYTES * QUAD_BYTES,
            )?,
            rows: Growing::new("sum_rows rows", BufferUsages::STORAGE | BufferUsages::COPY_DST),
            params: Growing::new("sum_rows params", BufferUsages::UNIFORM | BufferUsages::COPY_DST),
            sum: SumSlot::new("sum_rows sum", "sum_rows sum staging"),
        })
    };
    with_buffers(&gpu.sum_rows, create, |buffers| {
        gpu.device.scoped(OPERATION, || {
            let kernel = gpu.kernels.get(&gpu.device, &KERNEL)?;
            let chunk_words = (gpu.limits.chunk_bytes / QUAD_BYTES * 4) as usize;
            for (i, acc) in acc.chunks_mut(chunk_words).enumerate() {
                sum_chunk(gpu, &kernel, buffers, rows, i * chunk_words, acc)?;
            }
            wipe(gpu, buffers)
        })
    })
}

/// Adds words `first .. first + acc.len()` of every row to `acc`.
fn sum_chunk(
    gpu: &Gpu,
    kernel: &Arc<Kernel>,
    buffers: &mut Buffers,
    rows: &[&[u32]],
    first: usize,
    acc: &mut [u32],
) -> Result<(), EngineError> {
    let device = &gpu.device;
    let n_quads = acc.len().div_ceil(4);
    let row_bytes = n_quads as u64 * QUAD_BYTES;
    let [x, y] = gpu.grid(n_quads as u32);

    let mut start = Batch::new(OPERATION);
    let sum = buffers.sum.zeroed(device, &mut start, row_bytes)?;
    start.submit(device, &mut buffers.params)?;

    let piece_bytes = buffers.upload.piece_bytes();
    for rows in rows.chunks((piece_bytes / row_bytes) as usize) {
        let bytes = rows.len() as u64 * row_bytes;
        let staged = buffers.rows.at_least(device, piece_bytes.min(bytes.next_power_of_two()))?;
        // The words that pad a row's last quad are never read back.
        buffers.upload.send(device, OPERATION, (&staged, 0), rows.len(), row_bytes, |range, mut view| {
            for (i, row) in rows[range].iter().enumerate() {
                let words: &[u8] = bytemuck::cast_slice(&row[first..first + acc.len()]);
                let at = i * row_bytes as usize;
                view.slice(at..at + words.len()).copy_from_slice(words);
            }
        })?;
        let params = SumRowsParams {
            n_rows: rows.len() as u32,
            n_quads: n_quads as u32,
            groups_per_row: x,
            reserved: 0,
        };
        let mut batch = Batch::new(OPERATION);
        batch.push(kernel, &params, &[&staged, &sum], [x, y, 1]);
        batch.submit(device, &mut buffers.params)?;
    }

    let mut last = Batch::new(OPERATION);
    buffers.sum.copy_back(device, &mut last, row_bytes)?;
    let submission = last.submit(device, &mut buffers.params)?;
    buffers.sum.submitted(submission);
    buffers.sum.finish(device, OPERATION, |sum| {
        for (word, addend) in acc.iter_mut().zip(sum) {
            *word = word.wrapping_add(*addend);
        }
    })
}

/// Wipes rows and sums on the device and in the staging memory, and waits until that is done.
fn wipe(gpu: &Gpu, buffers: &mut Buffers) -> Result<(), EngineError> {
    buffers.upload.wipe(&gpu.device, OPERATION)?;
    let mut batch = Batch::new(OPERATION);
    buffers.rows.wipe(&mut batch);
    buffers.sum.wipe(&mut batch);
    let submission = batch.submit(&gpu.device, &mut buffers.params)?;
    Ok(gpu.device.wait(OPERATION, &submission)?)
}
