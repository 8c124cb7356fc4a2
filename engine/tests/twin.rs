//! Every backend gives the words of `naive`, at the sizes where tiles, blocks and dispatches have their edges.

use blindsum_engine::backend::Backend;
use blindsum_engine::cpu::Cpu;
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
fn cpu_is_naive() {
    check_all(&Cpu);
    check_laws(&Cpu);
    check_misuse(&Cpu);
}

#[test]
fn cpu_is_naive_on_one_thread() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a pool");
    pool.install(|| check_mask_expand(&Cpu, 3, 5, 40_000));
}
