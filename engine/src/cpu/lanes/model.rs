//! Eight lanes in plain code: a model of [`super::avx512`], so that all that is built on vectors with a 52-bit multiply-add is
//! tested on every processor. Nothing is inlined: as a line of calls a kernel takes the compiler seconds, not minutes.

use core::array::from_fn;

use super::limbs52::Vectors52;
use super::{Kernel, MAX_LANES, Rows, Words32};

const MASK: u64 = (1 << 52) - 1;

type V = [u64; 8];

#[derive(Clone, Copy, Debug)]
pub(in crate::cpu) struct Model;

fn product(a: u64, b: u64) -> u128 {
    u128::from(a & MASK) * u128::from(b & MASK)
}

impl Vectors52 for Model {
    const LANES: usize = 8;
    const INVERSION: usize = 64;

    type Vector = V;

    fn compile<K: Kernel>(self, kernel: K) -> K::Output {
        kernel.run()
    }

    #[inline(never)]
    fn columns(self, rows: &[&[u64; 4]; MAX_LANES]) -> [V; 4] {
        from_fn(|k| from_fn(|lane| rows[lane][k]))
    }

    #[inline(never)]
    fn rows(self, columns: &[V; 4]) -> Rows {
        from_fn(|lane| from_fn(|k| columns[k][lane]))
    }

    #[inline(never)]
    fn all(self, value: u64) -> V {
        [value; 8]
    }

    #[inline(never)]
    fn plus(self, a: V, b: V) -> V {
        from_fn(|i| a[i].wrapping_add(b[i]))
    }

    #[inline(never)]
    fn minus(self, a: V, b: V) -> V {
        from_fn(|i| a[i].wrapping_sub(b[i]))
    }

    #[inline(never)]
    fn add_low(self, sum: V, a: V, b: V) -> V {
        from_fn(|i| sum[i].wrapping_add(product(a[i], b[i]) as u64 & MASK))
    }

    #[inline(never)]
    fn add_high(self, sum: V, a: V, b: V) -> V {
        from_fn(|i| sum[i].wrapping_add((product(a[i], b[i]) >> 52) as u64))
    }

    #[inline(never)]
    fn and(self, a: V, b: V) -> V {
        from_fn(|i| a[i] & b[i])
    }

    #[inline(never)]
    fn or(self, a: V, b: V) -> V {
        from_fn(|i| a[i] | b[i])
    }

    #[inline(never)]
    fn right<const BITS: u32>(self, a: V) -> V {
        a.map(|a| a >> BITS)
    }

    #[inline(never)]
    fn right_signed<const BITS: u32>(self, a: V) -> V {
        a.map(|a| (a as i64 >> BITS) as u64)
    }

    #[inline(never)]
    fn left<const BITS: u32>(self, a: V) -> V {
        a.map(|a| a << BITS)
    }

    #[inline(never)]
    fn same(self, a: V, b: V) -> u32 {
        (0..8).map(|i| u32::from(a[i] == b[i]) << i).sum()
    }

    #[inline(never)]
    fn choose(self, of_b: u32, a: V, b: V) -> V {
        from_fn(|i| if of_b >> i & 1 == 1 { b[i] } else { a[i] })
    }

    #[inline(never)]
    fn negate(self, lanes: u32, a: V) -> V {
        from_fn(|i| if lanes >> i & 1 == 1 { a[i].wrapping_neg() } else { a[i] })
    }
}

impl Words32 for Model {
    const WORDS: usize = 16;

    type Vector = [u32; 16];

    #[inline(never)]
    fn all_words(self, word: u32) -> [u32; 16] {
        [word; 16]
    }

    #[inline(never)]
    fn count_words(self, first: u32) -> [u32; 16] {
        from_fn(|i| first.wrapping_add(i as u32))
    }

    #[inline(never)]
    fn add_words(self, a: [u32; 16], b: [u32; 16]) -> [u32; 16] {
        from_fn(|i| a[i].wrapping_add(b[i]))
    }

    #[inline(never)]
    fn sub_words(self, a: [u32; 16], b: [u32; 16]) -> [u32; 16] {
        from_fn(|i| a[i].wrapping_sub(b[i]))
    }

    #[inline(never)]
    fn mul_words(self, a: [u32; 16], b: [u32; 16]) -> [u32; 16] {
        from_fn(|i| a[i].wrapping_mul(b[i]))
    }

    #[inline(never)]
    fn xor_words(self, a: [u32; 16], b: [u32; 16]) -> [u32; 16] {
        from_fn(|i| a[i] ^ b[i])
    }

    #[inline(never)]
    fn rotate_words<const BITS: i32>(self, a: [u32; 16]) -> [u32; 16] {
        a.map(|a| a.rotate_left(BITS as u32))
    }

    #[inline(never)]
    fn add_transposed(self, columns: &[[u32; 16]; 16], rows: &mut [u32]) {
        for (lane, row) in rows.chunks_exact_mut(16).enumerate() {
            for (word, column) in row.iter_mut().zip(columns) {
                *word = word.wrapping_add(column[lane]);
            }
        }
    }
}
