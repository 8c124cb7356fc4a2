//! Every backend gives the words of `naive`, at the sizes where tiles, blocks and dispatches have their edges.

use blindsum_engine::backend::Backend;
use blindsum_engine::cpu::{Cpu, Width};
use blindsum_engine::error::{EngineError, Misuse};
use blindsum_engine::mask::{MaskKey, Sign, SignedMask};
use blindsum_engine::naive;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

const SEED: u64 = 0x5eed_0001;

fn words(rng: &mut ChaCha20Rng, n_words: usize) -> Vec<u32> {
    (0..n_words).map(|_| rng.next_u32()).collect()
}

fn masks(rng: &mut ChaCha20Rng, n_masks: usize) -> Vec<SignedMask> {
    (0..n_masks)
        .map(|_| {
            let mut key = [0; 32];
            rng.fill_bytes(&mut key);
            let sign = if rng.next_u32().is_multiple_of(2) { Sign::Add } else { Sign::Subtract };
            SignedMask { key: MaskKey::new(key), sign }
        })
        .collect()
}

/// First differing index, so that a failure prints a number and not two long vectors.
fn first_difference(got: &[u32], expected: &[u32]) -> Option<usize> {
    assert_eq!(got.len(), expected.len());
    got.iter().zip(expected).position(|(a, b)| a != b)
}

fn check_mask_expand(backend: &dyn Backend, n_masks: usize, first_word: u64, n_words: usize) {
    let mut rng = ChaCha20Rng::seed_from_u64(SEED ^ (n_masks as u64) << 32 ^ n_words as u64);
    let masks = masks(&mut rng, n_masks);
    let start = words(&mut rng, n_words);
    let mut expected = start.clone();
    naive::mask_expand(&masks, first_word, &mut expected);
    let mut got = start;
    backend.mask_expand(&masks, first_word, &mut got).expect("a backend that works");
    assert_eq!(
        first_difference(&got, &expected),
        None,
        "{}: {n_masks} masks, {n_words} words from word {first_word} on, seed {SEED}",
        backend.name()
    );
}

fn check_sum_rows(backend: &dyn Backend, n_rows: usize, n_words: usize) {
    let mut rng = ChaCha20Rng::seed_from_u64(SEED ^ (n_rows as u64) << 32 ^ n_words as u64);
    let rows: Vec<Vec<u32>> = (0..n_rows).map(|_| words(&mut rng, n_words)).collect();
    let rows: Vec<&[u32]> = rows.iter().map(Vec::as_slice).collect();
    let start = words(&mut rng, n_words);
    let mut expected = start.clone();
    naive::sum_rows(&rows, &mut expected);
    let mut got = start;
    backend.sum_rows(&rows, &mut got).expect("a backend that works");
    assert_eq!(
        first_difference(&got, &expected),
        None,
        "{}: {n_rows} rows of {n_words} words, seed {SEED}",
        backend.name()
    );
}

/// All sizes that every backend must get right.
fn check_all(backend: &dyn Backend) {
    for n_masks in [0, 1, 2, 5, 33] {
        for n_words in [0, 1, 15, 16, 17, 511, 512, 513, 1023, 1024, 1025, 3001] {
            check_mask_expand(backend, n_masks, 0, n_words);
        }
    }
    // Any starting word; across the 32-bit block counter; far above it; up to the very last word number.
    let past_2_32_blocks = 16 << 32;
    for first_word in
        [1, 7, 15, 16, 31, 513, past_2_32_blocks - 24, past_2_32_blocks - 1, past_2_32_blocks * 77 + 5]
    {
        for n_words in [1, 40, 1100] {
            check_mask_expand(backend, 3, first_word, n_words);
        }
    }
    check_mask_expand(backend, 2, u64::MAX - 600, 600);
    // More than one dispatch's worth of keys, and enough words for several threads.
    check_mask_expand(backend, 300, 9, 700);
    check_mask_expand(backend, 3, 11, 70_001);

    for n_rows in [0, 1, 2, 7, 64] {
        for n_words in [0, 1, 3, 4, 5, 255, 256, 257, 4095, 4096, 4097] {
            check_sum_rows(backend, n_rows, n_words);
        }
    }
    check_sum_rows(backend, 3, 200_003);
}

/// A vector expanded in pieces is the vector expanded whole, and a mask cancels its opposite.
fn check_laws(backend: &dyn Backend) {
    let mut rng = ChaCha20Rng::seed_from_u64(SEED);
    let masks = masks(&mut rng, 9);
    let start = words(&mut rng, 5000);
    let mut whole = start.clone();
    backend.mask_expand(&masks, 123, &mut whole).expect("a backend that works");
    let mut pieces = start.clone();
    let mut at = 0;
    for n_words in [1, 14, 16, 500, 13, 2048, 0, 2408] {
        backend
            .mask_expand(&masks, 123 + at as u64, &mut pieces[at..at + n_words])
            .expect("a backend that works");
        at += n_words;
    }
    assert_eq!(at, 5000);
    assert_eq!(first_difference(&pieces, &whole), None);

    let opposite: Vec<_> =
        masks.iter().map(|mask| SignedMask { key: mask.key.clone(), sign: mask.sign.opposite() }).collect();
    backend.mask_expand(&opposite, 123, &mut whole).expect("a backend that works");
    assert_eq!(first_difference(&whole, &start), None);
}

fn check_misuse(backend: &dyn Backend) {
    let row = [1u32, 2, 3];
    let mut acc = [0u32; 4];
    assert!(matches!(
        backend.sum_rows(&[&[0; 4], &row], &mut acc),
        Err(EngineError::Misuse(Misuse::LengthMismatch { expected: 4, got: 3, .. }))
    ));
    assert!(matches!(
        backend.mask_expand(&[], u64::MAX - 2, &mut acc),
        Err(EngineError::Misuse(Misuse::WordRange { n_words: 4, .. }))
    ));
    assert_eq!(acc, [0; 4]);
}

#[test]
fn cpu_is_naive_at_every_width() {
    for width in Width::ALL.into_iter().filter(|width| width.is_available()) {
        let cpu = Cpu::at(width).expect("available");
        check_all(&cpu);
        check_laws(&cpu);
        check_misuse(&cpu);
    }
}

#[test]
fn cpu_is_naive_on_one_thread() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool");
    pool.install(|| check_mask_expand(&Cpu, 3, 5, 40_000));
}

/// On llvmpipe as on any GPU. A machine without an adapter fails these tests: build with `SKIP_GPU_TESTS=1` to see
/// them as ignored.
#[cfg(feature = "gpu")]
mod gpu {
    use std::sync::OnceLock;

    use blindsum_engine::engine::{BackendChoice, Engine};
    use blindsum_engine::error::DeviceError;
    use blindsum_engine::gpu::{Auto, Crossover, Gpu, GpuLimits};
    use blindsum_engine::twin::Twin;

    use super::*;

    fn open() -> &'static Gpu {
        static GPU: OnceLock<Gpu> = OnceLock::new();
        GPU.get_or_init(|| Gpu::open().unwrap_or_else(|error| panic!("{error}")))
    }

    #[test]
    #[cfg_attr(skip_gpu_tests, ignore = "built with SKIP_GPU_TESTS=1")]
    fn gpu_is_naive() {
        check_all(open());
        check_laws(open());
        check_misuse(open());
    }

    /// A device with a 64 KiB binding, 5 groups a dimension and 7 keys a dispatch: every kind of split at once.
    #[test]
    #[cfg_attr(skip_gpu_tests, ignore = "built with SKIP_GPU_TESTS=1")]
    fn a_small_gpu_is_naive() {
        let gpu = Gpu::with_limits(GpuLimits {
            binding_bytes: 64 << 10,
            groups_per_dimension: 5,
            keys_per_dispatch: 7,
            blocks_per_dispatch: 5000,
            ..GpuLimits::default()
        })
        .unwrap_or_else(|error| panic!("{error}"));
        // 5 times 5 groups of 64 invocations of 16 bytes.
        assert_eq!(gpu.limits().chunk_bytes, 25_600);
        check_all(&gpu);
        check_laws(&gpu);
        // Eight chunks of 6,400 words.
        check_mask_expand(&gpu, 11, 3, (3 << 14) + 5);
        check_mask_expand(&gpu, 2, (16 << 32) - (1 << 14) - 3, 2 << 14);
        check_sum_rows(&gpu, 9, (3 << 14) + 5);
    }

    /// More keys than fit on the device at a time, here 4096 / 32.
    #[test]
    #[cfg_attr(skip_gpu_tests, ignore = "built with SKIP_GPU_TESTS=1")]
    fn keys_go_up_in_batches() {
        let limits = GpuLimits { binding_bytes: 4096, ..GpuLimits::default() };
        let gpu = Gpu::with_limits(limits).unwrap_or_else(|error| panic!("{error}"));
        check_mask_expand(&gpu, 300, 5, 100);
        check_mask_expand(&gpu, 3, 5, 10_000);
        check_sum_rows(&gpu, 300, 100);
    }

    /// Without slices of keys each word has one writer; with many, additions are atomic. The words are the same.
    #[test]
    #[cfg_attr(skip_gpu_tests, ignore = "built with SKIP_GPU_TESTS=1")]
    fn slices_of_keys_change_nothing() {
        for busy_invocations in [1, 1 << 12, 1 << 20] {
            let limits = GpuLimits { busy_invocations: Some(busy_invocations), ..GpuLimits::default() };
            let gpu = Gpu::with_limits(limits).unwrap_or_else(|error| panic!("{error}"));
            check_mask_expand(&gpu, 130, 7, 3000);
        }
    }

    #[test]
    #[cfg_attr(skip_gpu_tests, ignore = "built with SKIP_GPU_TESTS=1")]
    fn limits_that_are_too_small_are_refused() {
        let refused = |limits, what| match Gpu::with_limits(limits) {
            Err(DeviceError::LimitTooSmall { what: got, .. }) => assert_eq!(got, what),
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("{what} was accepted"),
        };
        let limits = GpuLimits::default();
        refused(GpuLimits { binding_bytes: 1024, ..limits }, "storage binding, bytes");
        refused(GpuLimits { chunk_bytes: 64, ..limits }, "chunk, bytes");
        refused(GpuLimits { groups_per_dimension: 1, ..limits }, "workgroups per dimension");
        refused(GpuLimits { keys_per_dispatch: 0, ..limits }, "keys per dispatch");
        refused(GpuLimits { blocks_per_dispatch: 0, ..limits }, "blocks per dispatch");
    }

    /// A larger vector, on both at once.
    #[test]
    #[cfg_attr(skip_gpu_tests, ignore = "built with SKIP_GPU_TESTS=1")]
    fn twin_of_cpu_and_gpu() {
        let gpu = Gpu::open().unwrap_or_else(|error| panic!("{error}"));
        let twin = Twin::new(Cpu, gpu);
        assert!(twin.name().starts_with("twin(cpu, gpu:"), "{}", twin.name());
        let mut rng = ChaCha20Rng::seed_from_u64(SEED);
        let masks = masks(&mut rng, 20);
        let rows: Vec<Vec<u32>> = (0..5).map(|_| words(&mut rng, 1_000_003)).collect();
        let rows: Vec<&[u32]> = rows.iter().map(Vec::as_slice).collect();
        let mut acc = words(&mut rng, 1_000_003);
        twin.mask_expand(&masks, 77, &mut acc).expect("equal words");
        twin.sum_rows(&rows, &mut acc).expect("equal words");
    }

    #[test]
    #[cfg_attr(skip_gpu_tests, ignore = "built with SKIP_GPU_TESTS=1")]
    fn calls_from_several_threads_take_turns() {
        std::thread::scope(|scope| {
            for first_word in [0, 5, 1000] {
                scope.spawn(move || {
                    check_mask_expand(open(), 4, first_word, 2000);
                    check_sum_rows(open(), 4, 2000);
                });
            }
        });
    }

    #[test]
    #[cfg_attr(skip_gpu_tests, ignore = "built with SKIP_GPU_TESTS=1")]
    fn auto_sends_large_calls_to_the_gpu() {
        let gpu = Gpu::open().unwrap_or_else(|error| panic!("{error}"));
        let auto = Auto::new(gpu, Crossover { mask_expand: Some(3000), ..Crossover::NEVER });
        check_all(&auto);
    }

    #[test]
    #[cfg_attr(skip_gpu_tests, ignore = "built with SKIP_GPU_TESTS=1")]
    fn a_forced_gpu_is_a_gpu_and_auto_never_picks_software() {
        let engine = Engine::open(BackendChoice::Gpu).unwrap_or_else(|error| panic!("{error}"));
        assert!(engine.backend().name().starts_with("gpu:"));
        if open().adapter().is_software() {
            let engine = Engine::open(BackendChoice::Auto).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(engine.selection().backend, "cpu");
            assert!(engine.selection().reason.contains(&open().adapter().name));
        }
    }
}
