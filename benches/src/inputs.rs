//! Inputs, the same in every run: scalars without bias, points, words of some bits.

use ark_ec::short_weierstrass::{Affine, Projective, SWCurveConfig};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::PrimeField;
use blindsum_engine::curve::Fr;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Of every generator.
pub const SEED: u64 = 1;

/// A generator at its start.
#[must_use]
pub fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(SEED)
}

/// A scalar of the whole field, without bias.
pub fn uniform(rng: &mut ChaCha20Rng) -> Fr {
    let mut bytes = [0; 64];
    rng.fill_bytes(&mut bytes);
    Fr::from_le_bytes_mod_order(&bytes)
}

/// `n` of them.
pub fn uniform_vector(rng: &mut ChaCha20Rng, n: usize) -> Vec<Fr> {
    (0..n).map(|_| uniform(rng)).collect()
}

/// `n` words that fill `bits` bits in two's complement.
pub fn words(rng: &mut ChaCha20Rng, n: usize, bits: u8) -> Vec<i32> {
    (0..n).map(|_| rng.next_u32() as i32 >> (32 - bits)).collect()
}

/// `a, a + b, a + 2 b, ..` for two multiples of the generator.
#[must_use]
pub fn progression<C: SWCurveConfig>(n: usize) -> Vec<Affine<C>> {
    let [first, step] = [7u64, 1 << 40].map(|k| Affine::<C>::generator() * C::ScalarField::from(k));
    let points: Vec<_> = std::iter::successors(Some(first), |point| Some(*point + step)).take(n).collect();
    Projective::normalize_batch(&points)
}

/// Moves every element to the place whose bits are those of its own read backwards.
///
/// # Panics
/// Unless there is a power of two of them.
pub fn bit_reverse(values: &mut [Fr]) {
    assert!(values.len().is_power_of_two(), "places have whole bits");
    let log_n = values.len().ilog2();
    for i in 0..values.len() {
        let j = i.reverse_bits().checked_shr(usize::BITS - log_n).unwrap_or(0);
        if i < j {
            values.swap(i, j);
        }
    }
}
