//! Fixed public inputs: the same on every machine.

use ark_ec::short_weierstrass::{Affine, Projective};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{AdditiveGroup, BigInt, PrimeField};
use blindsum_engine::points::{Curve, Points};
use rayon::prelude::*;

/// Points of one thread's piece.
const PIECE: usize = 1 << 12;

/// A number that looks random and depends on `seed` and `i` (SplitMix64).
pub(crate) fn word(seed: u64, i: u64) -> u64 {
    let mut z = (seed << 40).wrapping_add(i.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// An element below the modulus.
pub(crate) fn element<F: PrimeField<BigInt = BigInt<4>>>(seed: u64, i: u64) -> F {
    let bytes: Vec<u8> = (0..5).flat_map(|k| word(seed, 5 * i + k).to_le_bytes()).collect();
    F::from_le_bytes_mod_order(&bytes)
}

/// Families of full scalars.
pub(crate) const FAMILIES: [&str; 4] = ["uniform", "equal", "mostly 0 and 1", "largest"];

pub(crate) fn scalars<F: PrimeField<BigInt = BigInt<4>>>(family: &str, n: usize) -> Vec<F> {
    (0..n as u64)
        .into_par_iter()
        .map(|i| match family {
            "equal" => element(2, 0),
            "mostly 0 and 1" if i % 16 != 0 => F::from(i % 2),
            "largest" => -F::ONE,
            _ => element(1, i),
        })
        .collect()
}

/// Words of `bits` bits.
pub(crate) fn words(seed: u64, n: usize, bits: u8) -> Vec<i32> {
    (0..n as u64).map(|j| word(seed, j) as i32 >> (32 - bits)).collect()
}

/// A progression `start + i step`, cheap to make by the million; every 97th is the identity where `with_identities`.
pub(crate) fn points<C: Curve>(n: usize, with_identities: bool) -> Points<C> {
    let generator = Affine::<C>::generator();
    let start = generator * C::ScalarField::from(0x1234_5678_9abc_def1u64);
    let step = generator * C::ScalarField::from(0x0fed_cba9_8765_4321u64);
    let affine: Vec<Affine<C>> = (0..n.div_ceil(PIECE))
        .into_par_iter()
        .flat_map_iter(|piece| {
            let first = piece * PIECE;
            let mut sum = start + step * C::ScalarField::from(first as u64);
            let sums: Vec<Projective<C>> = (first..n.min(first + PIECE))
                .map(|i| {
                    let point = if with_identities && i % 97 == 5 { Projective::ZERO } else { sum };
                    sum += step;
                    point
                })
                .collect();
            Projective::normalize_batch(&sums)
        })
        .collect();
    Points::new(&affine)
}
