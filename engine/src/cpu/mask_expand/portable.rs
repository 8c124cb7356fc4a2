//! Tiles of 32 blocks in portable code that the compiler turns into vector code (SSE2, NEON): a lane is a block.
//!
//! The rounds are straight-line code, and so is the addition: an inner loop would keep the loop over lanes as it is.

use zeroize::Zeroize;

use super::{BLOCK, Start, Stream, add_row};

/// Blocks of a tile.
const LANES: usize = 32;
/// Words of a tile.
const TILE: usize = BLOCK * LANES;

/// `tile[word][lane]`: word `word` of the tile's block `lane`.
type Tile = [[u32; LANES]; BLOCK];

/// Adds to `words` the stream from word `skip` (below 16) of the block with counter `first` on. The counter's lower half
/// must not overflow.
pub(super) fn expand_range(stream: &Stream, first: u32, skip: usize, words: &mut [u32]) {
    let mut tile: Tile = [[0; LANES]; BLOCK];
    let mut row = [0u32; TILE];
    let mut first = first;
    let mut skip = skip;
    let mut rest = words;
    while !rest.is_empty() {
        for lanes in &mut tile {
            lanes.fill(0);
        }
        expand_tile(&stream.subtract, first, &mut tile);
        for (lanes, input) in tile.iter_mut().zip(stream.inputs.iter()) {
            for word in lanes {
                *word = input.wrapping_sub(*word);
            }
        }
        for (lane, word) in (0..).zip(&mut tile[12]) {
            *word = word.wrapping_add(first.wrapping_add(lane).wrapping_mul(stream.n_inputs));
        }
        expand_tile(&stream.add, first, &mut tile);
        transpose(&tile, &mut row);

        let (now, later) = rest.split_at_mut(rest.len().min(TILE - skip));
        add_row(now, &row[skip..]);
        rest = later;
        skip = 0;
        first = first.wrapping_add(LANES as u32);
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

/// Adds what the rounds make of the blocks `first .. first + 32` of every key; the inputs are not added.
#[inline(always)]
fn expand_tile(keys: &[Start], first: u32, sum: &mut Tile) {
    let mut counters = [0u32; LANES];
    for (lane, counter) in (0..).zip(&mut counters) {
        *counter = first.wrapping_add(lane);
    }
    for key in keys {
        // Copied, so that the compiler knows that no store below changes it.
        let start = key.0;
        for lane in 0..LANES {
            let x = block(&start, counters[lane]);
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

macro_rules! half_round {
    ($a:ident, $b:ident, $c:ident, $d:ident, $d_bits:literal, $b_bits:literal) => {
        $a = $a.wrapping_add($b);
        $d = ($d ^ $a).rotate_left($d_bits);
        $c = $c.wrapping_add($d);
        $b = ($b ^ $c).rotate_left($b_bits);
    };
}

macro_rules! quarter_round {
    ($a:ident, $b:ident, $c:ident, $d:ident) => {
        half_round!($a, $b, $c, $d, 16, 12);
        half_round!($a, $b, $c, $d, 8, 7);
    };
}

/// All rounds of a block, in a line: a loop here would keep the loop over lanes from being vectorised.
#[inline(always)]
fn block(start: &[u32; BLOCK], counter: u32) -> [u32; BLOCK] {
    let [mut x0, mut x1, mut x2, mut x3, mut x4, mut x5, mut x6, mut x7, ..] = *start;
    let [.., mut x8, mut x9, mut x10, mut x11, _, mut x13, mut x14, mut x15] = *start;
    let mut x12 = (counter ^ x0).rotate_left(16);
    macro_rules! columns {
        () => {
            quarter_round!(x0, x4, x8, x12);
            quarter_round!(x1, x5, x9, x13);
            quarter_round!(x2, x6, x10, x14);
            quarter_round!(x3, x7, x11, x15);
        };
    }
    macro_rules! diagonals {
        () => {
            quarter_round!(x0, x5, x10, x15);
            quarter_round!(x1, x6, x11, x12);
            quarter_round!(x2, x7, x8, x13);
            quarter_round!(x3, x4, x9, x14);
        };
    }
    // What is left of the first quarter round, and of the first halves of the diagonals.
    x8 = x8.wrapping_add(x12);
    x4 = (x4 ^ x8).rotate_left(12);
    half_round!(x0, x4, x8, x12, 8, 7);
    quarter_round!(x0, x5, x10, x15);
    x12 = (x12 ^ x1).rotate_left(16);
    x11 = x11.wrapping_add(x12);
    x6 = (x6 ^ x11).rotate_left(12);
    half_round!(x1, x6, x11, x12, 8, 7);
    x8 = x8.wrapping_add(x13);
    x7 = (x7 ^ x8).rotate_left(12);
    half_round!(x2, x7, x8, x13, 8, 7);
    quarter_round!(x3, x4, x9, x14);
    columns!();
    diagonals!();
    columns!();
    diagonals!();
    columns!();
    diagonals!();
    columns!();
    diagonals!();
    columns!();
    diagonals!();
    columns!();
    diagonals!();
    columns!();
    diagonals!();
    columns!();
    diagonals!();
    columns!();
    diagonals!();
    [x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15]
}
