//! Host threads for work that is done while a lock of the device is held.
//!
//! Not rayon's: a thread that waits there takes up other work, and that could be a call that waits for the same lock.

use std::thread;

use wgpu::WriteOnly;

/// Blocks of staging memory that a thread is worth starting for: a few threads fill memory as fast as many.
const BLOCKS_PER_THREAD: usize = 4;

/// Runs `body(first, chunk)` on consecutive chunks, one a thread, all but the last a multiple of `step` items long;
/// `first` is the index of the chunk's first item. Fewer than `2 * step` items are not worth a thread.
pub(super) fn for_each_chunk<T: Send>(items: &mut [T], step: usize, body: impl Fn(usize, &mut [T]) + Sync) {
    let len = chunk_len(items.len(), step);
    if len >= items.len() {
        body(0, items);
        return;
    }
    thread::scope(|scope| {
        let body = &body;
        for (i, chunk) in items.chunks_mut(len).enumerate() {
            scope.spawn(move || body(i * len, chunk));
        }
    });
}

/// Runs `body(first, block)` on blocks of `N` bytes of staging memory, which cannot be read, and on what is left at its
/// end; `first` is the place of the block's first byte. Each thread has some blocks.
pub(super) fn for_each_staged_block<const N: usize>(
    bytes: WriteOnly<'_, [u8]>,
    body: impl Fn(usize, WriteOnly<'_, [u8]>) + Sync,
) {
    let (blocks, tail) = bytes.into_chunks::<N>();
    let n_blocks = blocks.len();
    let len = chunk_len(n_blocks, BLOCKS_PER_THREAD);
    let mut blocks = blocks.into_iter();
    thread::scope(|scope| {
        let body = &body;
        for first in (0..n_blocks).step_by(len.max(1)) {
            let own: Vec<WriteOnly<'_, [u8; N]>> = blocks.by_ref().take(len).collect();
            let work = move || {
                for (i, block) in own.into_iter().enumerate() {
                    body((first + i) * N, block.into());
                }
            };
            // A single thread's worth is this thread's.
            if len >= n_blocks { work() } else { drop(scope.spawn(work)) }
        }
        body(n_blocks * N, tail);
    });
}

/// Items of a thread's chunk.
fn chunk_len(n_items: usize, step: usize) -> usize {
    let n_threads = thread::available_parallelism().map_or(1, usize::from).min(n_items / step).max(1);
    n_items.div_ceil(n_threads).next_multiple_of(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_seen_once_at_its_place() {
        for (n, step) in [(0, 8), (1, 8), (15, 8), (16, 8), (1000, 8), (1003, 7), (5, 1)] {
            let mut items = vec![usize::MAX; n];
            for_each_chunk(&mut items, step, |first, chunk| {
                assert!(first.is_multiple_of(step));
                for (i, item) in chunk.iter_mut().enumerate() {
                    assert_eq!(*item, usize::MAX);
                    *item = first + i;
                }
            });
            assert!(items.iter().enumerate().all(|(i, item)| i == *item), "{n} items by {step}");

            let mut bytes = vec![0; n];
            for_each_staged_block::<16>(WriteOnly::from_mut(&mut bytes), |first, mut block| {
                let places: Vec<u8> = (first..first + block.len()).map(|i| i as u8 ^ 0x55).collect();
                block.copy_from_slice(&places);
            });
            assert!(bytes.iter().enumerate().all(|(i, byte)| i as u8 ^ 0x55 == *byte), "{n} bytes by {step}");
        }
    }
}
