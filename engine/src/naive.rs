//! Each operation in its fewest lines: the oracle that the fast backends are compared with.

use ark_ec::{CurveGroup, short_weierstrass};
use ark_ff::{FftField, Field};

use crate::{
    curve::{Fq, Fr, Point, Projective},
    mask::{MaskKey, Sign, SignedMask},
    ntt::{Direction, Domain},
    points::Curve,
};

/// Row 0 of the ChaCha state: "expand 32-byte k" (RFC 8439, section 2.3).
const CONSTANTS: [u32; 4] = [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574];

/// RFC 8439, section 2.1.
fn quarter_round(x: &mut [u32; 16], a: usize, b: usize, c: usize, d: usize) {
    x[a] = x[a].wrapping_add(x[b]);
    x[d] = (x[d] ^ x[a]).rotate_left(16);
    x[c] = x[c].wrapping_add(x[d]);
    x[b] = (x[b] ^ x[c]).rotate_left(12);
    x[a] = x[a].wrapping_add(x[b]);
    x[d] = (x[d] ^ x[a]).rotate_left(8);
    x[c] = x[c].wrapping_add(x[d]);
    x[b] = (x[b] ^ x[c]).rotate_left(7);
}

/// The ChaCha20 block function on a full state (RFC 8439, section 2.3): 20 rounds, then the input state added.
#[must_use]
pub fn chacha20_block(input: &[u32; 16]) -> [u32; 16] {
    let mut x = *input;
    for _ in 0..10 {
        for (a, b, c, d) in [(0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)] {
            quarter_round(&mut x, a, b, c, d);
        }
        for (a, b, c, d) in [(0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)] {
            quarter_round(&mut x, a, b, c, d);
        }
    }
    core::array::from_fn(|i| x[i].wrapping_add(input[i]))
}

/// Word `word` of a mask's stream: word `word mod 16` of block `word div 16`; the counter's low half is state word 12,
/// its high half word 13, and words 14 and 15 are zero.
#[must_use]
pub fn stream_word(key: &MaskKey, word: u64) -> u32 {
    let counter = word / 16;
    let mut state = [0u32; 16];
    state[..4].copy_from_slice(&CONSTANTS);
    state[4..12].copy_from_slice(&*key.words());
    state[12] = counter as u32;
    state[13] = (counter >> 32) as u32;
    chacha20_block(&state)[(word % 16) as usize]
}

/// `acc_j += sum_i (+-1)_i * stream_i[first_word + j]  (mod 2^32)`, one whole block per word.
///
/// # Panics
/// When `first_word + acc.len()` passes 2^64 in a debug build.
pub fn mask_expand(masks: &[SignedMask], first_word: u64, acc: &mut [u32]) {
    for (j, word) in acc.iter_mut().enumerate() {
        for mask in masks {
            let stream = stream_word(&mask.key, first_word + j as u64);
            *word = match mask.sign {
                Sign::Add => word.wrapping_add(stream),
                Sign::Subtract => word.wrapping_sub(stream),
            };
        }
    }
}

/// `acc_j += sum_i rows_i[j]  (mod 2^32)`.
///
/// # Panics
/// When a row is shorter than `acc`.
pub fn sum_rows(rows: &[&[u32]], acc: &mut [u32]) {
    for (j, word) in acc.iter_mut().enumerate() {
        for row in rows {
            *word = word.wrapping_add(row[j]);
        }
    }
}

/// `sum_i scalars_i * points_i`, one scalar multiplication per term.
///
/// # Panics
/// When the lengths differ.
pub fn msm<C: Curve>(
    points: &[short_weierstrass::Affine<C>],
    scalars: &[C::ScalarField],
) -> short_weierstrass::Projective<C> {
    assert_eq!(points.len(), scalars.len(), "one scalar per point");
    points.iter().zip(scalars).map(|(point, scalar)| *point * scalar).sum()
}

/// `out_v = sum_j rows_v[j] * points_j`.
///
/// # Panics
/// When a row is not as long as `points`.
#[must_use]
pub fn msm_signed(points: &[Point], rows: &[&[i32]]) -> Vec<Projective> {
    let scalars = |row: &[i32]| row.iter().map(|word| Fq::from(*word)).collect::<Vec<_>>();
    rows.iter().map(|row| msm(points, &scalars(row))).collect()
}

/// `i` with its `bits` bits read backwards.
fn reversed(i: usize, bits: u32) -> usize {
    i.reverse_bits().checked_shr(usize::BITS - bits).unwrap_or(0)
}

/// The points of a domain of `n` points.
fn domain_points(domain: Domain, n: usize) -> Vec<Fr> {
    let root = Fr::get_root_of_unity(2 * n as u64).expect("a power of two within the field");
    let first = match domain {
        Domain::Subgroup => Fr::ONE,
        Domain::OddCoset => root,
    };
    core::iter::successors(Some(first), |point| Some(*point * root * root)).take(n).collect()
}

/// A forward transform evaluates the polynomial at every point; an inverse one interpolates, by the sum
/// `a_i = 1/n sum_j f(x_j) x_j^-i`.
///
/// # Panics
/// When the length is no power of two, or above 2^27.
pub fn ntt(direction: Direction, domain: Domain, values: &mut [Fr]) {
    let n = values.len();
    let (points, log_n) = (domain_points(domain, n), n.ilog2());
    let old = values.to_vec();
    for i in 0..n as u64 {
        match direction {
            Direction::Forward => {
                let x = points[i as usize];
                let coefficient = |k: u64| old[reversed(k as usize, log_n)];
                values[i as usize] = (0..n as u64).map(|k| coefficient(k) * x.pow([k])).sum();
            }
            Direction::Inverse => {
                let sum: Fr = points.iter().zip(&old).map(|(x, y)| *y / x.pow([i])).sum();
                values[reversed(i as usize, log_n)] = sum / Fr::from(n as u64);
            }
        }
    }
}

/// `A B - C` on the odd coset, each polynomial interpolated and evaluated by itself.
///
/// # Panics
/// When the lengths differ, are no power of two, or are above 2^27.
#[must_use]
pub fn quotient(a: &[Fr], b: &[Fr]) -> Vec<Fr> {
    assert_eq!(a.len(), b.len(), "values of A and B");
    let products: Vec<Fr> = a.iter().zip(b).map(|(a, b)| *a * b).collect();
    let [a, b, c] = [a, b, &products].map(|values| {
        let mut values = values.to_vec();
        ntt(Direction::Inverse, Domain::Subgroup, &mut values);
        ntt(Direction::Forward, Domain::OddCoset, &mut values);
        values
    });
    a.iter().zip(&b).zip(&c).map(|((a, b), c)| *a * b - c).collect()
}

/// `sum_j words_j points_j + blinding * blinding_base`, one scalar multiplication per term.
///
/// # Panics
/// When the lengths differ.
pub fn commit(points: &[Point], words: &[i64], blinding_base: Point, blinding: &Fq) -> Point {
    assert_eq!(points.len(), words.len(), "one word per point");
    let terms = points.iter().zip(words).map(|(point, word)| *point * Fq::from(*word));
    (terms.sum::<Projective>() + blinding_base * blinding).into_affine()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8439, section 2.1.1.
    #[test]
    fn quarter_round_of_the_rfc() {
        let mut x = [0u32; 16];
        x[..4].copy_from_slice(&[0x1111_1111, 0x0102_0304, 0x9b8d_6f43, 0x0123_4567]);
        quarter_round(&mut x, 0, 1, 2, 3);
        assert_eq!(x[..4], [0xea2a_92f4, 0xcb1c_f8ce, 0x4581_472e, 0x5881_c4bb]);
    }

    /// RFC 8439, section 2.3.2: counter 1 and a nonce that is not zero, so on the block function itself.
    #[test]
    fn block_function_of_the_rfc() {
        let mut state = [0u32; 16];
        state[..4].copy_from_slice(&CONSTANTS);
        let key = MaskKey::new(core::array::from_fn(|i| u8::try_from(i).expect("32 fits")));
        state[4..12].copy_from_slice(&*key.words());
        state[12..].copy_from_slice(&[1, 0x0900_0000, 0x4a00_0000, 0]);
        assert_eq!(
            chacha20_block(&state),
            [
                0xe4e7_f110,
                0x1559_3bd1,
                0x1fdd_0f50,
                0xc471_20a3,
                0xc7f4_d1c7,
                0x0368_c033,
                0x9aaa_2204,
                0x4e6c_d4c3,
                0x4664_82d2,
                0x09aa_9f07,
                0x05d7_c214,
                0xa202_8bd9,
                0xd19c_12b5,
                0xb94e_16de,
                0xe883_d0cb,
                0x4e3c_50a2,
            ]
        );
    }
}
