//! Masks, and the `chacha20` crate's keystream as their peer.

use std::hint::black_box;

use blindsum_engine::mask::{MaskKey, Sign, SignedMask};
use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher};
use rand_chacha::rand_core::Rng;

use crate::inputs;

/// Bytes that stay in the L1 cache.
const BUFFER: usize = 16 << 10;

/// `n` masks, added and subtracted by turns.
#[must_use]
pub fn masks(n: usize) -> Vec<SignedMask> {
    let mut rng = inputs::rng();
    (0..n)
        .map(|i| {
            let mut key = [0; 32];
            rng.fill_bytes(&mut key);
            let key = MaskKey::new(key);
            if i % 2 == 0 { SignedMask::add(key) } else { SignedMask::subtract(key) }
        })
        .collect()
}

/// The peer's best case: the keystreams only, into a buffer that stays in the L1 cache, nothing added.
pub fn keystream(masks: &[SignedMask], n_words: usize) {
    each_buffer(masks, n_words, |_, _, bytes| {
        black_box(bytes);
    });
}

/// The same keystreams added up, which shows that they are the masks'.
pub fn keystream_sum(masks: &[SignedMask], acc: &mut [u32]) {
    each_buffer(masks, acc.len(), |sign, first, bytes| {
        for (acc, word) in acc[first..].iter_mut().zip(bytes.as_chunks().0) {
            let word = u32::from_le_bytes(*word);
            *acc = match sign {
                Sign::Add => acc.wrapping_add(word),
                Sign::Subtract => acc.wrapping_sub(word),
            };
        }
    });
}

fn each_buffer(masks: &[SignedMask], n_words: usize, mut body: impl FnMut(Sign, usize, &mut [u8])) {
    let mut buffer = [0; BUFFER];
    for mask in masks {
        let mut cipher = ChaCha20::new(mask.key.expose().into(), &[0; 12].into());
        for first in (0..n_words).step_by(BUFFER / 4) {
            let bytes = &mut buffer[..BUFFER.min((n_words - first) * 4)];
            cipher.write_keystream(bytes);
            body(mask.sign, first, bytes);
        }
    }
}
