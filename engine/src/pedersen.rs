//! The vector commitment `C = sum_j x_j G_j + r H` (Pedersen 1991, over many bases).
//!
//! It binds the committer to `x` as long as nobody knows a relation between the bases, and hides `x`
//! perfectly as long as `r` is uniform, secret and used once. The sum of commitments opens to the sum
//! of the vectors.
//!
//! Secret: `x` and `r`. [`commit`] neither skips zeros nor branches on a coordinate (see
//! [`crate::cpu::commit`] for what its memory access shows), and multiplies `H` by reading whole
//! tables. [`commit_vartime`] is for published sums.

use ark_ec::{AffineRepr, CurveGroup};
use rayon::prelude::*;

use crate::{
    bases::Bases,
    cpu::commit::sum_signed,
    curve::{self, Fq, Point},
    error::{DecodeError, EngineError, Misuse},
    fixed_base,
    quantize::Quantized,
    secret::Blinding,
};

/// A commitment to a vector: a point of Grumpkin, never infinity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commitment(Point);

impl Commitment {
    /// The point.
    pub const fn point(&self) -> Point {
        self.0
    }

    /// 64 bytes, `x || y`.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 64] {
        curve::point_to_bytes(&self.0)
    }

    /// Reads `x || y`.
    ///
    /// # Errors
    /// A coordinate at or above its modulus, or a pair off the curve.
    pub fn from_bytes(bytes: &[u8; 64]) -> Result<Self, DecodeError> {
        curve::point_from_bytes(bytes).map(Self)
    }
}

impl TryFrom<Point> for Commitment {
    type Error = Misuse;

    /// Infinity commits to nothing and has no encoding: it is refused.
    fn try_from(point: Point) -> Result<Self, Misuse> {
        if point.is_zero() { Err(Misuse::Infinity { what: "commitment" }) } else { Ok(Self(point)) }
    }
}

/// Commits to a quantised vector under a fresh blinding.
///
/// # Errors
/// [`Misuse::LengthMismatch`] if the vector has not one coordinate per base.
#[tracing::instrument(level = "debug", skip_all, fields(d = bases.len()))]
pub fn commit(bases: &Bases, vector: &Quantized, blinding: &Blinding) -> Result<Commitment, EngineError> {
    commit_words(bases, vector.words(), vector.bits(), blinding)
}

/// Commits to words of `bits` bits in two's complement.
///
/// # Errors
/// [`Misuse`] if the lengths differ, a word is wider than `bits`, or the sum is infinity (all words
/// and the blinding zero).
pub fn commit_words(
    bases: &Bases,
    words: &[i32],
    bits: u8,
    blinding: &Blinding,
) -> Result<Commitment, EngineError> {
    let sum = sum_signed(bases.as_slice(), words, bits.into())?;
    Ok(Commitment::try_from((fixed_base::mul_blinding_base(blinding.expose()) + sum).into_affine())?)
}

/// Commits to several vectors against one basis: `vectors_i` with `blindings_i`.
///
/// # Errors
/// As [`commit_words`], and [`Misuse::LengthMismatch`] if there are not as many blindings as vectors.
#[tracing::instrument(level = "debug", skip_all, fields(d = bases.len(), n = vectors.len()))]
pub fn commit_many(
    bases: &Bases,
    vectors: &[&[i32]],
    bits: u8,
    blindings: &[Blinding],
) -> Result<Vec<Commitment>, EngineError> {
    if vectors.len() != blindings.len() {
        let (expected, got) = (vectors.len(), blindings.len());
        return Err(Misuse::LengthMismatch { what: "blindings", expected, got }.into());
    }
    vectors
        .par_iter()
        .zip(blindings)
        .map(|(words, blinding)| commit_words(bases, words, bits, blinding))
        .collect()
}

/// `sum_j A_j G_j + r H` for a published sum; the result may be infinity.
///
/// The width of the scalars is taken from the largest magnitude, so the time depends on it.
///
/// # Errors
/// [`Misuse`] if the lengths differ or a coordinate has a magnitude of `2^62` or more.
#[tracing::instrument(level = "debug", skip_all, fields(d = bases.len()))]
pub fn commit_vartime(bases: &Bases, sum: &[i64], blinding: &Fq) -> Result<Point, EngineError> {
    let largest = sum.iter().fold(0, |largest, &value| largest | (value ^ (value >> 63)));
    let bits = (65 - largest.leading_zeros()).max(2);
    let sum = sum_signed(bases.as_slice(), sum, bits)?;
    Ok((curve::blinding_base() * blinding + sum).into_affine())
}
