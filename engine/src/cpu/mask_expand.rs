//! Expanding masks: ChaCha20 in vector lanes, summed over all keys before anything is stored.
//!
//! Source: RFC 8439, section 2.3. Twin: `shaders/mask_expand.wgsl`.
//!
//! 1. The stream is cut where the counter's higher half changes, and then into tiles of some blocks. Threads take runs of
//!    tiles.
//! 2. With the higher half fixed, a key's blocks differ in one word, so three quarter rounds of the first four, and parts of
//!    the next, are the same for all: they are done once a key ([`Start`]).
//! 3. For each key the blocks of a tile are computed side by side, lane = block, and their words added to the tile's sum,
//!    which lies transposed: one vector a word of the block. What the cipher adds at the end, the inputs, is added for all
//!    keys at once ([`Stream::inputs`]).
//! 4. Keys to subtract come first; the tile is subtracted from the inputs once; then the keys to add. Signs cost nothing
//!    per block.
//! 5. The tile is transposed back and added to the accumulator, once for all keys.
//!
//! [`vector`] does steps 3 to 5 with the lanes of a [`Width`], [`portable`] with what the compiler makes of plain code.
//!
//! Cost: about 920 operations a block and key, over the lane width; 2 memory passes over `acc` in all.
//! Secret: keys and stream. No branch and no address depends on either.

mod portable;
#[cfg(target_arch = "x86_64")]
mod vector;

use rayon::prelude::*;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::lanes::{Width, with_lanes};
use crate::backend::check_word_range;
use crate::error::EngineError;
use crate::mask::{Sign, SignedMask};

/// Words of a ChaCha20 block.
const BLOCK: usize = 16;
/// Words that are worth a thread's call whatever the number of keys: tiles of every width fit.
const GRAIN: usize = 32 * BLOCK;
/// Blocks times keys that are worth handing to another thread (some ten microseconds).
const BLOCKS_PER_TASK: usize = 1 << 12;

/// Row 0 of the ChaCha state: "expand 32-byte k".
const CONSTANTS: [u32; 4] = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574];

/// A key's state as far as it is the same for all blocks: the second to fourth quarter round are done; `x0 += x4` of the
/// first is; `x1 += x6`, `x2 += x7` and `x13 = (x13 ^ x2) <<< 16` of the first diagonals are. Word 12 is the counter's place.
#[derive(Zeroize)]
struct Start([u32; BLOCK]);

/// What gives the words of the stream, for one value of the counter's higher half.
#[derive(ZeroizeOnDrop)]
struct Stream {
    subtract: Vec<Start>,
    add: Vec<Start>,
    /// The sum over all keys, with their signs, of the states that the rounds begin with; without the counter's lower half.
    inputs: [u32; BLOCK],
    /// How often the counter is in that sum: keys to add minus keys to subtract.
    n_inputs: u32,
}

pub(super) fn mask_expand(
    width: Width,
    masks: &[SignedMask],
    first_word: u64,
    acc: &mut [u32],
) -> Result<(), EngineError> {
    check_word_range(first_word, acc.len())?;
    if masks.is_empty() {
        return Ok(());
    }
    let words_per_task = GRAIN * BLOCKS_PER_TASK.div_ceil(GRAIN / BLOCK * masks.len());
    let mut word = first_word;
    let mut rest = acc;
    while !rest.is_empty() {
        let stream = Stream::new(masks, (word >> 36) as u32);
        let to_overflow = (1 << 36) - word % (1 << 36);
        let n_words = usize::try_from(to_overflow).map_or(rest.len(), |n_words| n_words.min(rest.len()));
        let (now, later) = rest.split_at_mut(n_words);
        // Tiles are aligned to blocks of the stream, so the first one may start up to 15 words before `now`.
        let first = (word / BLOCK as u64) as u32;
        let skip = (word % BLOCK as u64) as usize;
        let (head, tail) = now.split_at_mut(n_words.min(words_per_task - skip));
        let tail = tail.par_chunks_mut(words_per_task).enumerate().map(|(i, words)| (i + 1, 0, words));
        rayon::iter::once((0, skip, head)).chain(tail).for_each(|(task, skip, words)| {
            let first = first.wrapping_add((task * (words_per_task / BLOCK)) as u32);
            with_lanes!(
                width,
                |lanes| vector::expand_range(lanes, &stream, first, skip, words),
                portable::expand_range(&stream, first, skip, words)
            );
        });
        rest = later;
        word = word.wrapping_add(n_words as u64);
    }
    Ok(())
}

impl Stream {
    fn new(masks: &[SignedMask], high: u32) -> Self {
        let of_sign = |sign: Sign| {
            // Exact capacity: a growing vector would leave copies of keys behind.
            let mut starts = Vec::with_capacity(masks.iter().filter(|mask| mask.sign == sign).count());
            starts.extend(
                masks.iter().filter(|mask| mask.sign == sign).map(|mask| Start::new(&input(mask, high))),
            );
            starts
        };
        let (subtract, add) = (of_sign(Sign::Subtract), of_sign(Sign::Add));
        let mut inputs = [0u32; BLOCK];
        for mask in masks {
            for (sum, word) in inputs.iter_mut().zip(input(mask, high).iter()) {
                *sum = match mask.sign {
                    Sign::Add => sum.wrapping_add(*word),
                    Sign::Subtract => sum.wrapping_sub(*word),
                };
            }
        }
        let n_inputs = (add.len() as u32).wrapping_sub(subtract.len() as u32);
        Self { subtract, add, inputs, n_inputs }
    }
}

/// The state before the rounds, the counter's lower half zero.
fn input(mask: &SignedMask, high: u32) -> Zeroizing<[u32; BLOCK]> {
    let mut state = Zeroizing::new([0; BLOCK]);
    state[..4].copy_from_slice(&CONSTANTS);
    state[4..12].copy_from_slice(&*mask.key.words());
    state[13] = high;
    state
}

impl Start {
    fn new(input: &[u32; BLOCK]) -> Self {
        let mut x = *input;
        for i in 1..4 {
            let [mut a, mut b, mut c, mut d] = [x[i], x[4 + i], x[8 + i], x[12 + i]];
            for (d_bits, b_bits) in [(16, 12), (8, 7)] {
                a = a.wrapping_add(b);
                d = (d ^ a).rotate_left(d_bits);
                c = c.wrapping_add(d);
                b = (b ^ c).rotate_left(b_bits);
            }
            [x[i], x[4 + i], x[8 + i], x[12 + i]] = [a, b, c, d];
        }
        x[0] = x[0].wrapping_add(x[4]);
        x[1] = x[1].wrapping_add(x[6]);
        x[2] = x[2].wrapping_add(x[7]);
        x[13] = (x[13] ^ x[2]).rotate_left(16);
        let start = Self(x);
        x.zeroize();
        start
    }
}

/// `words[i] += row[i] (mod 2^32)` for every word of `words`.
#[inline(always)]
fn add_row(words: &mut [u32], row: &[u32]) {
    for (word, mask) in words.iter_mut().zip(row) {
        *word = word.wrapping_add(*mask);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::MaskKey;
    use crate::naive;

    /// Around blocks, tiles and both halves of the counter, with keys to add and to subtract.
    #[test]
    fn every_width_is_naive() {
        let mask = |i: u8| {
            let key = MaskKey::new([i.wrapping_mul(91); 32]);
            if i % 3 == 1 { SignedMask::subtract(key) } else { SignedMask::add(key) }
        };
        let masks: Vec<SignedMask> = (1..=4).map(mask).collect();
        for n_masks in [1, 4] {
            for first_word in [0, 7, (1 << 36) - 300] {
                for n_words in [0u32, 1, 15, 16, 17, 255, 256, 257, 511, 512, 1_100] {
                    let start: Vec<u32> = (0..n_words).map(|i| i.wrapping_mul(0x9e37_79b9)).collect();
                    let mut expected = start.clone();
                    naive::mask_expand(&masks[..n_masks], first_word, &mut expected);
                    for width in Width::ALL.into_iter().filter(|width| width.is_available()) {
                        let mut got = start.clone();
                        mask_expand(width, &masks[..n_masks], first_word, &mut got).expect("within range");
                        assert!(got == expected, "{}: {n_masks}, {first_word}, {n_words}", width.name());
                    }
                }
            }
        }
    }
}
