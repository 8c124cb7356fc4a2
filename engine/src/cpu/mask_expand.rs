//! Expanding masks: ChaCha20 in vector lanes, summed over all keys before anything is stored.
//!
//! Source: RFC 8439, section 2.3. Twin: `shaders/mask_expand.wgsl`.
//!
//! 1. The stream is cut into tiles of 32 blocks (512 words). Threads take runs of tiles.
//! 2. A tile keeps its sum transposed, `sum[word of block][block]`, 2 KiB that stay in the L1 cache; lane = block.
//! 3. For each key the 32 blocks are computed lane by lane. The rounds are straight-line code, so the compiler turns the
//!    loop over lanes into vector code with the 16 state words in 16 registers (SSE2, AVX2, AVX-512 or NEON).
//! 4. Keys to subtract come first; the tile is negated once; then the keys to add. Signs cost nothing per block.
//! 5. The tile is transposed back and added to the accumulator, once for all keys.
//!
//! Cost: about 960 operations a block and key, over the lane width; 2 memory passes over `acc` in all.
//! Secret: keys and stream. No branch and no address depends on either.

use multiversion::multiversion;
use rayon::prelude::*;
use zeroize::{Zeroize, Zeroizing};

use crate::backend::check_word_range;
use crate::error::EngineError;
use crate::mask::{Sign, SignedMask};

/// Words of a ChaCha20 block.
const BLOCK: usize = 16;
/// Blocks of a tile: two AVX-512 vectors of counters.
const LANES: usize = 32;
/// Words of a tile.
const TILE: usize = BLOCK * LANES;
/// Blocks times keys that are worth handing to another thread (some ten microseconds).
const BLOCKS_PER_TASK: usize = 1 << 12;

/// Row 0 of the ChaCha state: "expand 32-byte k".
const CONSTANTS: [u32; 4] = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574];

type KeyWords = [u32; 8];
/// `tile[word][lane]`: word `word` of the tile's block `lane`.
type Tile = [[u32; LANES]; BLOCK];

/// Keys sorted by sign, as state words.
struct Keys {
    subtract: Zeroizing<Vec<KeyWords>>,
    add: Zeroizing<Vec<KeyWords>>,
}

pub(super) fn mask_expand(masks: &[SignedMask], first_word: u64, acc: &mut [u32]) -> Result<(), EngineError> {
    check_word_range(first_word, acc.len())?;
    if masks.is_empty() || acc.is_empty() {
        return Ok(());
    }
    let of_sign = |sign: Sign| {
        // Exact capacity: a growing vector would leave copies of keys behind.
        let n_keys = masks.iter().filter(|mask| mask.sign == sign).count();
        let mut keys = Zeroizing::new(Vec::with_capacity(n_keys));
        keys.extend(masks.iter().filter(|mask| mask.sign == sign).map(|mask| *mask.key.words()));
        keys
    };
    let keys = Keys { subtract: of_sign(Sign::Subtract), add: of_sign(Sign::Add) };

    // Tiles are aligned to blocks of the stream, so the first one may start up to 15 words before `acc`.
    let first_block = first_word / BLOCK as u64;
    let skip = (first_word % BLOCK as u64) as usize;
    let words_per_task = TILE * BLOCKS_PER_TASK.div_ceil(LANES * masks.len());
    let (head, rest) = acc.split_at_mut(acc.len().min(words_per_task - skip));
    let rest = rest.par_chunks_mut(words_per_task).enumerate().map(|(i, words)| (i + 1, 0, words));
    rayon::iter::once((0, skip, head)).chain(rest).for_each(|(task, skip, words)| {
        let block = first_block + (task * (words_per_task / BLOCK)) as u64;
        expand_range(&keys.subtract, &keys.add, block, skip, words);
    });
    Ok(())
}

/// The widest of the compiled instruction sets that this processor runs.
pub(super) fn instruction_set() -> &'static str {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    {
        if cfg!(target_arch = "x86_64")
            && std::arch::is_x86_feature_detected!("avx512f")
            && std::arch::is_x86_feature_detected!("avx512vl")
            && std::arch::is_x86_feature_detected!("avx512bw")
            && std::arch::is_x86_feature_detected!("avx512dq")
        {
            return "avx512";
        }
        if std::arch::is_x86_feature_detected!("avx2") {
            return "avx2";
        }
        if std::arch::is_x86_feature_detected!("sse2") {
            return "sse2";
        }
    }
    #[cfg(target_arch = "aarch64")]
    if std::arch::is_aarch64_feature_detected!("neon") {
        return "neon";
    }
    "scalar"
}

/// Adds to `words` the stream from word `skip` (below 16) of block `first_block` on.
#[multiversion(targets(
    "x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2",
    "x86_64+avx2",
    "x86+avx2",
    "aarch64+neon"
))]
fn expand_range(subtract: &[KeyWords], add: &[KeyWords], first_block: u64, skip: usize, words: &mut [u32]) {
    let mut tile: Tile = [[0; LANES]; BLOCK];
    let mut row = [0u32; TILE];
    let mut block = first_block;
    let mut skip = skip;
    let mut rest = words;
    while !rest.is_empty() {
        for lanes in &mut tile {
            lanes.fill(0);
        }
        expand_tile(subtract, block, &mut tile);
        for lanes in &mut tile {
            for word in lanes {
                *word = word.wrapping_neg();
            }
        }
        expand_tile(add, block, &mut tile);
        transpose(&tile, &mut row);

        let n_words = rest.len().min(TILE - skip);
        let (now, later) = rest.split_at_mut(n_words);
        for (word, mask) in now.iter_mut().zip(&row[skip..]) {
            *word = word.wrapping_add(*mask);
        }
        rest = later;
        skip = 0;
        block = block.wrapping_add(LANES as u64);
    }
    tile.zeroize();
    row.zeroize();
}

/// `row[16 lane + word] = tile[word][lane]`: back to the order of the stream, in squares of 4 by 4 that fit registers.
#[inline(always)]
fn transpose(tile: &Tile, row: &mut [u32; TILE]) {
    for lane in (0..LANES).step_by(4) {
        for word in (0..BLOCK).step_by(4) {
            let mut square = [[0u32; 4]; 4];
            for i in 0..4 {
                for j in 0..4 {
                    square[j][i] = tile[word + i][lane + j];
                }
            }
            for (j, words) in square.iter().enumerate() {
                let at = (lane + j) * BLOCK + word;
                row[at..at + 4].copy_from_slice(words);
            }
        }
    }
}

/// Adds blocks `first_block .. first_block + 32` of every key to the tile.
#[inline(always)]
fn expand_tile(keys: &[KeyWords], first_block: u64, sum: &mut Tile) {
    let mut low = [0u32; LANES];
    let mut high = [0u32; LANES];
    for lane in 0..LANES {
        let counter = first_block.wrapping_add(lane as u64);
        low[lane] = counter as u32;
        high[lane] = (counter >> 32) as u32;
    }
    for key in keys {
        // Copied, so that the compiler knows that no store below changes it.
        let key = *key;
        for lane in 0..LANES {
            let x = block(&key, low[lane], high[lane]);
            // Written out: an inner loop would keep the loop over lanes from being vectorised.
            sum[0][lane] = sum[0][lane].wrapping_add(x[0]);
            sum[1][lane] = sum[1][lane].wrapping_add(x[1]);
            sum[2][lane] = sum[2][lane].wrapping_add(x[2]);
            sum[3][lane] = sum[3][lane].wrapping_add(x[3]);
            sum[4][lane] = sum[4][lane].wrapping_add(x[4]);
            sum[5][lane] = sum[5][lane].wrapping_add(x[5]);
            sum[6][lane] = sum[6][lane].wrapping_add(x[6]);
            sum[7][lane] = sum[7][lane].wrapping_add(x[7]);
            sum[8][lane] = sum[8][lane].wrapping_add(x[8]);
            sum[9][lane] = sum[9][lane].wrapping_add(x[9]);
            sum[10][lane] = sum[10][lane].wrapping_add(x[10]);
            sum[11][lane] = sum[11][lane].wrapping_add(x[11]);
            sum[12][lane] = sum[12][lane].wrapping_add(x[12]);
            sum[13][lane] = sum[13][lane].wrapping_add(x[13]);
            sum[14][lane] = sum[14][lane].wrapping_add(x[14]);
            sum[15][lane] = sum[15][lane].wrapping_add(x[15]);
        }
    }
}

macro_rules! quarter_round {
    ($a:ident, $b:ident, $c:ident, $d:ident) => {
        $a = $a.wrapping_add($b);
        $d = ($d ^ $a).rotate_left(16);
        $c = $c.wrapping_add($d);
        $b = ($b ^ $c).rotate_left(12);
        $a = $a.wrapping_add($b);
        $d = ($d ^ $a).rotate_left(8);
        $c = $c.wrapping_add($d);
        $b = ($b ^ $c).rotate_left(7);
    };
}

/// One ChaCha20 block, all 20 rounds in a line: a loop here would keep the loop over lanes from being vectorised.
#[inline(always)]
fn block(key: &KeyWords, low: u32, high: u32) -> [u32; BLOCK] {
    let [mut x0, mut x1, mut x2, mut x3] = CONSTANTS;
    let [mut x4, mut x5, mut x6, mut x7, mut x8, mut x9, mut x10, mut x11] = *key;
    let (mut x12, mut x13, mut x14, mut x15) = (low, high, 0u32, 0u32);
    macro_rules! double_round {
        () => {
            quarter_round!(x0, x4, x8, x12);
            quarter_round!(x1, x5, x9, x13);
            quarter_round!(x2, x6, x10, x14);
            quarter_round!(x3, x7, x11, x15);
            quarter_round!(x0, x5, x10, x15);
            quarter_round!(x1, x6, x11, x12);
            quarter_round!(x2, x7, x8, x13);
            quarter_round!(x3, x4, x9, x14);
        };
    }
    double_round!();
    double_round!();
    double_round!();
    double_round!();
    double_round!();
    double_round!();
    double_round!();
    double_round!();
    double_round!();
    double_round!();
    [
        x0.wrapping_add(CONSTANTS[0]),
        x1.wrapping_add(CONSTANTS[1]),
        x2.wrapping_add(CONSTANTS[2]),
        x3.wrapping_add(CONSTANTS[3]),
        x4.wrapping_add(key[0]),
        x5.wrapping_add(key[1]),
        x6.wrapping_add(key[2]),
        x7.wrapping_add(key[3]),
        x8.wrapping_add(key[4]),
        x9.wrapping_add(key[5]),
        x10.wrapping_add(key[6]),
        x11.wrapping_add(key[7]),
        x12.wrapping_add(low),
        x13.wrapping_add(high),
        x14,
        x15,
    ]
}
