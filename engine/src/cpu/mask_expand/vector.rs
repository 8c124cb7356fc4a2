//! Tiles of 16 blocks in vector registers: a lane is a block, a vector one word of 8 or 16 blocks.
//!
//! One key's chain of 4 quarter rounds leaves a processor half idle: an operation waits for the one before it. Eight lanes
//! go in two groups, half a double round each in turn; sixteen lanes have registers to spare and go alone.

use zeroize::Zeroize;

use super::{BLOCK, Start, Stream, add_row};
use crate::cpu::lanes::{Kernel, Words32};

/// Words of the widest tile.
const TILE: usize = 16 * BLOCK;

/// A word of each lane, for every word of a block.
type Columns<L> = [<L as Words32>::Vector; BLOCK];

/// Adds to `words` the stream from word `skip` (below 16) of the block with counter `first` on. The counter's lower half
/// must not overflow.
pub(super) fn expand_range<L: Words32>(
    lanes: L,
    stream: &Stream,
    first: u32,
    skip: usize,
    words: &mut [u32],
) {
    if L::WORDS * BLOCK == TILE {
        lanes.vectorize(Expand::<L, 1> { lanes, stream, first, skip, words });
    } else {
        lanes.vectorize(Expand::<L, 2> { lanes, stream, first, skip, words });
    }
}

struct Expand<'a, L, const GROUPS: usize> {
    lanes: L,
    stream: &'a Stream,
    first: u32,
    skip: usize,
    words: &'a mut [u32],
}

impl<L: Words32, const GROUPS: usize> Kernel for Expand<'_, L, GROUPS> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { lanes, stream, first, mut skip, words: mut rest } = self;
        let group_words = L::WORDS * BLOCK;
        let mut sum = [[lanes.all_words(0); BLOCK]; GROUPS];
        let mut row = [0u32; TILE];
        let mut counters = [lanes.all_words(0); GROUPS];
        for (group, counters) in counters.iter_mut().enumerate() {
            *counters = lanes.count_words(first.wrapping_add((group * L::WORDS) as u32));
        }
        while !rest.is_empty() {
            tile(lanes, stream, &counters, &mut sum);
            let (now, later) = rest.split_at_mut(rest.len().min(GROUPS * group_words - skip));
            let whole = now.len() == GROUPS * group_words;
            let rows = if whole { &mut *now } else { &mut row[..GROUPS * group_words] };
            for (columns, rows) in sum.iter().zip(rows.chunks_exact_mut(group_words)) {
                lanes.add_transposed(columns, rows);
            }
            if !whole {
                add_row(now, &row[skip..]);
                row.zeroize();
            }
            for counters in &mut counters {
                *counters = lanes.add_words(*counters, lanes.all_words((GROUPS * L::WORDS) as u32));
            }
            rest = later;
            skip = 0;
        }
        sum.zeroize();
    }
}

/// The sum over all keys of the blocks with these counters.
#[inline(always)]
fn tile<L: Words32, const GROUPS: usize>(
    lanes: L,
    stream: &Stream,
    counters: &[L::Vector; GROUPS],
    sum: &mut [Columns<L>; GROUPS],
) {
    *sum = [[lanes.all_words(0); BLOCK]; GROUPS];
    add_blocks(lanes, &stream.subtract, counters, sum);
    for (sum, counters) in sum.iter_mut().zip(counters) {
        for (word, input) in sum.iter_mut().zip(stream.inputs.iter()) {
            *word = lanes.sub_words(lanes.all_words(*input), *word);
        }
        sum[12] = lanes.add_words(sum[12], lanes.mul_words(*counters, lanes.all_words(stream.n_inputs)));
    }
    add_blocks(lanes, &stream.add, counters, sum);
}

/// A loop over groups written out: the compiler leaves it, and the states then lie in memory instead of in registers.
macro_rules! each_group {
    ($g:ident of $groups:ident $body:block) => {{
        const { assert!($groups == 1 || $groups == 2) };
        {
            const $g: usize = 0;
            $body
        }
        if $groups > 1 {
            const $g: usize = 1;
            $body
        }
    }};
}

macro_rules! quarter_rounds {
    ($lanes:ident, $x:ident, $([$a:literal $b:literal $c:literal $d:literal])*) => {
        quarter_rounds!(@half $lanes, $x, 16, 12, $([$a $b $c $d])*);
        quarter_rounds!(@half $lanes, $x, 8, 7, $([$a $b $c $d])*);
    };
    (@half $lanes:ident, $x:ident, $d_bits:literal, $b_bits:literal, $([$a:literal $b:literal $c:literal $d:literal])*) => {
        $($x[$a] = $lanes.add_words($x[$a], $x[$b]);)*
        $($x[$d] = $lanes.xor_words($x[$d], $x[$a]);)*
        $($x[$d] = $lanes.rotate_words::<$d_bits>($x[$d]);)*
        $($x[$c] = $lanes.add_words($x[$c], $x[$d]);)*
        $($x[$b] = $lanes.xor_words($x[$b], $x[$c]);)*
        $($x[$b] = $lanes.rotate_words::<$b_bits>($x[$b]);)*
    };
}

/// The state after the first double round.
#[inline(always)]
fn begin<L: Words32>(lanes: L, key: &Start, counters: L::Vector) -> Columns<L> {
    let mut x = [lanes.all_words(0); BLOCK];
    for (word, start) in x.iter_mut().zip(&key.0) {
        *word = lanes.all_words(*start);
    }
    // What is left of the first quarter round.
    x[12] = lanes.rotate_words::<16>(lanes.xor_words(counters, x[0]));
    x[8] = lanes.add_words(x[8], x[12]);
    x[4] = lanes.rotate_words::<12>(lanes.xor_words(x[4], x[8]));
    quarter_rounds!(@half lanes, x, 8, 7, [0 4 8 12]);
    // The diagonals: the first halves of two of them have begun.
    quarter_rounds!(lanes, x, [0 5 10 15] [3 4 9 14]);
    x[12] = lanes.rotate_words::<16>(lanes.xor_words(x[12], x[1]));
    x[11] = lanes.add_words(x[11], x[12]);
    x[6] = lanes.rotate_words::<12>(lanes.xor_words(x[6], x[11]));
    x[8] = lanes.add_words(x[8], x[13]);
    x[7] = lanes.rotate_words::<12>(lanes.xor_words(x[7], x[8]));
    quarter_rounds!(@half lanes, x, 8, 7, [1 6 11 12] [2 7 8 13]);
    x
}

/// Adds what the rounds make of the blocks with these counters, for each key; the inputs are not added.
#[inline(always)]
fn add_blocks<L: Words32, const GROUPS: usize>(
    lanes: L,
    keys: &[Start],
    counters: &[L::Vector; GROUPS],
    sum: &mut [Columns<L>; GROUPS],
) {
    for key in keys {
        let mut state = [[lanes.all_words(0); BLOCK]; GROUPS];
        each_group!(G of GROUPS {
            state[G] = begin(lanes, key, counters[G]);
        });
        for _ in 1..10 {
            each_group!(G of GROUPS {
                let x = &mut state[G];
                quarter_rounds!(lanes, x, [0 4 8 12] [1 5 9 13]);
                quarter_rounds!(lanes, x, [2 6 10 14] [3 7 11 15]);
            });
            each_group!(G of GROUPS {
                let x = &mut state[G];
                quarter_rounds!(lanes, x, [0 5 10 15] [1 6 11 12]);
                quarter_rounds!(lanes, x, [2 7 8 13] [3 4 9 14]);
            });
        }
        each_group!(G of GROUPS {
            for i in 0..BLOCK {
                sum[G][i] = lanes.add_words(sum[G][i], state[G][i]);
            }
        });
    }
}
