//! Expanding masks on the device. Only keys go there and only sums come back.
//!
//! 1. Keys are uploaded once, those to subtract in front: a dispatch has one sign.
//! 2. The accumulator is cut into chunks of whole blocks. Two chunks are in flight: while the device computes one, the
//!    host adds the words of the other to `acc`. The accumulator itself never leaves the host.
//! 3. A chunk is a few dispatches of at most `keys_per_dispatch` keys and `blocks_per_dispatch` blocks times keys, and no
//!    submission has more of these. A chunk too small to fill the device spreads its keys over invocations as well.
//! 4. Everything that held keys or streams is wiped.
//!
//! Twin: `engine/src/cpu/mask_expand.rs`. Kernel: `shaders/mask_expand.wgsl`.

use wgpu::BufferUsages;

use super::batch::Batch;
use super::buffers::{Growing, SumSlot, Upload};
use super::layout::{Key, MaskExpandParams};
use super::source::{Access, KernelSpec};
use super::threads::for_each_chunk;
use super::{GROUP, Gpu, with_buffers};
use crate::backend::check_word_range;
use crate::error::EngineError;
use crate::mask::{Sign, SignedMask};

const OPERATION: &str = "mask_expand";
/// What is compiled.
pub(super) const KERNEL: KernelSpec = KernelSpec {
    name: OPERATION,
    arithmetic: None,
    params_bytes: size_of::<MaskExpandParams>(),
    buffers: &[Access::Read, Access::ReadWrite],
};
const BLOCK_BYTES: u64 = 64;
const KEY_BYTES: u64 = size_of::<Key>() as u64;
/// Keys on the device at a time (512 KiB).
const KEYS_PER_UPLOAD: u64 = 1 << 14;
/// Fewer keys an invocation than this are not worth a slice of their own.
const MIN_KEYS_PER_SLICE: u32 = 8;
/// Fewest words that a host thread is worth adding.
const WORDS_PER_TASK: usize = 1 << 16;

/// What is kept between calls.
pub(super) struct Buffers {
    upload: Upload,
    keys: Growing,
    params: Growing,
    slots: [Slot; 2],
}

/// A chunk in flight.
struct Slot {
    sum: SumSlot,
    /// Words of the accumulator that the pending sum belongs to: start, end, and words to skip in the first block.
    target: (usize, usize, usize),
}

impl Slot {
    const fn new() -> Self {
        Self { sum: SumSlot::new("mask_expand sum", "mask_expand staging"), target: (0, 0, 0) }
    }

    /// Adds the chunk in flight, if there is one, to its words of `acc`.
    fn finish(&mut self, gpu: &Gpu, acc: &mut [u32]) -> Result<(), EngineError> {
        let (start, end, skip) = self.target;
        self.sum.finish(&gpu.device, OPERATION, |sum| {
            for_each_chunk(&mut acc[start..end], WORDS_PER_TASK, |first, acc| {
                for (word, addend) in acc.iter_mut().zip(&sum[skip + first..]) {
                    *word = word.wrapping_add(*addend);
                }
            });
        })
    }
}

/// One dispatch of a chunk.
struct Dispatch {
    params: MaskExpandParams,
    grid: [u32; 3],
}

/// A stretch of the accumulator and the blocks that cover it.
struct Chunk {
    /// First block of the stream.
    block: u64,
    n_blocks: u32,
    /// Words of the accumulator.
    start: usize,
    end: usize,
    /// Words of the first block that lie before `start`.
    skip: usize,
}

/// Cuts `n_words` words from stream word `first_word` on into chunks of at most `max_blocks` blocks.
fn chunks(first_word: u64, n_words: usize, max_blocks: u32) -> impl Iterator<Item = Chunk> {
    let mut start = 0;
    let mut word = first_word;
    std::iter::from_fn(move || {
        if start == n_words {
            return None;
        }
        let skip = (word % 16) as usize;
        let len = (n_words - start).min(max_blocks as usize * 16 - skip);
        let chunk = Chunk {
            block: word / 16,
            n_blocks: (skip + len).div_ceil(16) as u32,
            start,
            end: start + len,
            skip,
        };
        start += len;
        // Past the last word this wraps and is not used again.
        word = word.wrapping_add(len as u64);
        Some(chunk)
    })
}

/// The dispatches of a chunk: first the keys `0 .. n_subtract`, then `n_subtract .. n_keys`.
fn dispatches(gpu: &Gpu, chunk: &Chunk, n_subtract: u32, n_keys: u32) -> Vec<Dispatch> {
    let limits = &gpu.limits;
    let by_work = limits.blocks_per_dispatch / u64::from(chunk.n_blocks);
    let keys_per_dispatch = by_work.clamp(1, u64::from(limits.keys_per_dispatch)) as u32;
    let [x, y] = gpu.grid(chunk.n_blocks);
    let mut list = Vec::new();
    for (range, sign) in [(0..n_subtract, u32::MAX), (n_subtract..n_keys, 0)] {
        for first_key in range.clone().step_by(keys_per_dispatch as usize) {
            let end_key = range.end.min(first_key + keys_per_dispatch);
            let n_keys = end_key - first_key;
            let slices = (gpu.busy_invocations() / (x * y * GROUP))
                .clamp(1, n_keys.div_ceil(MIN_KEYS_PER_SLICE))
                .min(limits.groups_per_dimension);
            let keys_per_slice = n_keys.div_ceil(slices);
            list.push(Dispatch {
                params: MaskExpandParams {
                    counter_low: chunk.block as u32,
                    counter_high: (chunk.block >> 32) as u32,
                    n_blocks: chunk.n_blocks,
                    groups_per_row: x,
                    first_key,
                    end_key,
                    keys_per_slice,
                    sign,
                },
                grid: [x, y, n_keys.div_ceil(keys_per_slice)],
            });
        }
    }
    list
}

pub(super) fn mask_expand(
    gpu: &Gpu,
    masks: &[SignedMask],
    first_word: u64,
    acc: &mut [u32],
) -> Result<(), EngineError> {
    check_word_range(first_word, acc.len())?;
    if masks.is_empty() || acc.is_empty() {
        return Ok(());
    }
    let max_keys = KEYS_PER_UPLOAD.min(gpu.limits.binding_bytes / KEY_BYTES);
    let create = || {
        Ok(Buffers {
            upload: Upload::new(&gpu.device, "mask_expand key staging", max_keys * KEY_BYTES)?,
            keys: Growing::new("mask_expand keys", BufferUsages::STORAGE | BufferUsages::COPY_DST),
            params: Growing::new("mask_expand params", BufferUsages::UNIFORM | BufferUsages::COPY_DST),
            slots: [Slot::new(), Slot::new()],
        })
    };
    with_buffers(&gpu.mask_expand, create, |buffers| {
        gpu.device.scoped(OPERATION, || {
            for masks in masks.chunks(max_keys as usize) {
                expand_batch(gpu, buffers, masks, first_word, acc)?;
            }
            wipe(gpu, buffers)
        })
    })
}

/// Expands as many masks as the device holds at a time.
fn expand_batch(
    gpu: &Gpu,
    buffers: &mut Buffers,
    masks: &[SignedMask],
    first_word: u64,
    acc: &mut [u32],
) -> Result<(), EngineError> {
    let device = &gpu.device;
    let kernel = gpu.kernels.get(device, &KERNEL)?;

    let n_subtract = masks.iter().filter(|mask| mask.sign == Sign::Subtract).count();
    let ordered: Vec<&SignedMask> = [Sign::Subtract, Sign::Add]
        .into_iter()
        .flat_map(|sign| masks.iter().filter(move |mask| mask.sign == sign))
        .collect();
    let keys = buffers.keys.at_least(device, buffers.upload.piece_bytes())?;
    buffers.upload.send(device, OPERATION, (&keys, 0), ordered.len(), KEY_BYTES, |range, view| {
        let (mut places, _) = view.into_chunks::<{ KEY_BYTES as usize }>();
        for (i, mask) in ordered[range].iter().enumerate() {
            let words = mask.key.words();
            places.slice(i..=i).copy_from_slice(&[bytemuck::cast(*words)]);
        }
    })?;

    let max_blocks = (gpu.limits.chunk_bytes / BLOCK_BYTES) as u32;
    for (i, chunk) in chunks(first_word, acc.len(), max_blocks).enumerate() {
        let slot = &mut buffers.slots[i % 2];
        slot.finish(gpu, acc)?;
        let bytes = u64::from(chunk.n_blocks) * BLOCK_BYTES;
        let mut batch = Batch::new(OPERATION);
        let sum = slot.sum.zeroed(device, &mut batch, bytes)?;
        for Dispatch { params, grid } in dispatches(gpu, &chunk, n_subtract as u32, masks.len() as u32) {
            let n_keys = u64::from(params.end_key - params.first_key);
            batch.spend(u64::from(chunk.n_blocks) * n_keys, gpu.limits.blocks_per_dispatch);
            batch.push(&kernel, &params, &[&keys, &sum], grid);
        }
        slot.sum.copy_back(device, &mut batch, bytes)?;
        let submission = batch.submit(device, &mut buffers.params)?;
        slot.sum.submitted(submission);
        slot.target = (chunk.start, chunk.end, chunk.skip);
    }
    for slot in &mut buffers.slots {
        slot.finish(gpu, acc)?;
    }
    Ok(())
}

/// Wipes keys and streams on the device and in the staging memory, and waits until that is done.
fn wipe(gpu: &Gpu, buffers: &mut Buffers) -> Result<(), EngineError> {
    buffers.upload.wipe(&gpu.device, OPERATION)?;
    let mut batch = Batch::new(OPERATION);
    buffers.keys.wipe(&mut batch);
    for slot in &mut buffers.slots {
        slot.sum.wipe(&mut batch);
    }
    let submission = batch.submit(&gpu.device, &mut buffers.params)?;
    Ok(gpu.device.wait(OPERATION, &submission)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_cover_every_word_once() {
        for (first_word, n_words, max_blocks) in
            [(0, 0, 4), (0, 64, 4), (5, 64, 4), (15, 1, 1), (16 << 32, 1000, 7), (u64::MAX - 100, 100, 2)]
        {
            let mut at = 0;
            for chunk in chunks(first_word, n_words, max_blocks) {
                assert_eq!(chunk.start, at);
                assert_eq!(
                    u128::from(chunk.block) * 16 + chunk.skip as u128,
                    u128::from(first_word) + at as u128
                );
                assert!(chunk.n_blocks <= max_blocks && chunk.end > chunk.start);
                assert_eq!(chunk.n_blocks as usize, (chunk.skip + chunk.end - chunk.start).div_ceil(16));
                at = chunk.end;
            }
            assert_eq!(at, n_words);
        }
    }
}
