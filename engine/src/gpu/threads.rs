//! Host threads for work that is done while a lock of the device is held.
//!
//! Not rayon's: a thread that waits there takes up other work, and that could be a call that waits for the same lock.

use std::thread;

/// Runs `body(first, chunk)` on consecutive chunks, one a thread, all but the last a multiple of `step` items long;
/// `first` is the index of the chunk's first item. Fewer than `2 * step` items are not worth a thread.
pub(super) fn for_each_chunk<T: Send>(items: &mut [T], step: usize, body: impl Fn(usize, &mut [T]) + Sync) {
    let n_threads = thread::available_parallelism().map_or(1, usize::from).min(items.len() / step).max(1);
    if n_threads == 1 {
        body(0, items);
        return;
    }
    let len = items.len().div_ceil(n_threads).next_multiple_of(step);
    thread::scope(|scope| {
        let body = &body;
        for (i, chunk) in items.chunks_mut(len).enumerate() {
            scope.spawn(move || body(i * len, chunk));
        }
    });
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
        }
    }
}
