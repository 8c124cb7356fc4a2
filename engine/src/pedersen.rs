//! The vector commitment `C = sum_j x_j G_j + r H` (Pedersen 1991, over many bases).
//!
//! It binds the committer to `x` as long as nobody knows a relation between the bases, and hides `x`
//! perfectly as long as `r` is uniform, secret and used once. The sum of commitments opens to the sum
//! of the vectors.
//!
//! Secret: `x` and `r`. [`commit`] neither skips zeros nor branches on a coordinate (see
//! [`Backend::msm_signed`] for what its memory access shows), and multiplies `H` by reading whole
//! tables. [`commit_vartime`] is for published sums.

use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::AdditiveGroup;
use rayon::prelude::*;
use zeroize::Zeroizing;

use crate::{
    backend::Backend,
    bases::Bases,
    curve::{self, Fq, Point, Projective},
    error::{DecodeError, EngineError, Misuse},
    fixed_base,
    quantize::Quantized,
    secret::Blinding,
};

/// Bits of the lower row of a wide sum.
const LOW_BITS: u32 = 31;
const LOW: i64 = (1 << LOW_BITS) - 1;

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
/// [`Misuse::LengthMismatch`] if the vector has not one coordinate per base; a failure of the device.
#[tracing::instrument(level = "debug", skip_all, fields(backend = backend.name(), d = bases.len()))]
pub fn commit(
    backend: &dyn Backend,
    bases: &Bases,
    vector: &Quantized,
    blinding: &Blinding,
) -> Result<Commitment, EngineError> {
    commit_words(backend, bases, vector.words(), vector.bits(), blinding)
}

/// Commits to words of `bits` bits in two's complement.
///
/// # Errors
/// [`Misuse`] if the lengths differ, `bits` is not in `2 ..= 32`, a word is wider than that, or the
/// sum is infinity (all words and the blinding zero); a failure of the device.
pub fn commit_words(
    backend: &dyn Backend,
    bases: &Bases,
    words: &[i32],
    bits: u8,
    blinding: &Blinding,
) -> Result<Commitment, EngineError> {
    let sums = Zeroizing::new(backend.msm_signed(bases.points(), &[words], bits)?);
    blind(sums[0], blinding)
}

/// Commits to several vectors against one basis: `vectors_i` with `blindings_i`, in one call of the
/// backend.
///
/// # Errors
/// As [`commit_words`], and [`Misuse::LengthMismatch`] if there are not as many blindings as vectors.
#[tracing::instrument(
    level = "debug",
    skip_all,
    fields(backend = backend.name(), d = bases.len(), n = vectors.len())
)]
pub fn commit_many(
    backend: &dyn Backend,
    bases: &Bases,
    vectors: &[&[i32]],
    bits: u8,
    blindings: &[Blinding],
) -> Result<Vec<Commitment>, EngineError> {
    check_blindings(vectors.len(), blindings.len())?;
    let sums = Zeroizing::new(backend.msm_signed(bases.points(), vectors, bits)?);
    sums.par_iter().zip(blindings).map(|(sum, blinding)| blind(*sum, blinding)).collect()
}

/// `sum + r H`, as a commitment.
fn blind(sum: Projective, blinding: &Blinding) -> Result<Commitment, EngineError> {
    Ok(Commitment::try_from((fixed_base::mul_blinding_base(blinding.expose()) + sum).into_affine())?)
}

/// `sum_j A_j G_j + r H` for a published sum; the result may be infinity.
///
/// The width of the scalars is taken from the largest magnitude, so the time depends on it.
///
/// # Errors
/// [`Misuse`] if the lengths differ or a coordinate is outside `-2^62 .. 2^62`; a failure of the
/// device.
pub fn commit_vartime(
    backend: &dyn Backend,
    bases: &Bases,
    sum: &[i64],
    blinding: &Fq,
) -> Result<Point, EngineError> {
    Ok(commit_many_vartime(backend, bases, &[sum], &[*blinding])?[0])
}

/// [`commit_vartime`] of several sums against one basis, in one call of the backend.
///
/// Coordinates of up to 32 bits are one row of words a sum. Wider ones are two, `A_j = 2^31 high_j +
/// low_j` with `0 <= low_j < 2^31`, whose points are put together by 31 doublings.
///
/// # Errors
/// As [`commit_vartime`], and [`Misuse::LengthMismatch`] if there are not as many blindings as sums.
#[tracing::instrument(
    level = "debug",
    skip_all,
    fields(backend = backend.name(), d = bases.len(), n = sums.len())
)]
pub fn commit_many_vartime(
    backend: &dyn Backend,
    bases: &Bases,
    sums: &[&[i64]],
    blindings: &[Fq],
) -> Result<Vec<Point>, EngineError> {
    check_blindings(sums.len(), blindings.len())?;
    let fold = |all: i64, value: &i64| all | (value ^ (value >> 63));
    let largest = sums.iter().flat_map(|sum| *sum).fold(0, fold);
    let bits = 65 - largest.leading_zeros();
    if bits > 63 {
        return Err(Misuse::ScalarWidth { bits: 63, min: -1 << 62, max: (1 << 62) - 1 }.into());
    }
    let rows: Vec<Vec<i32>> = if bits <= 32 {
        sums.iter().map(|sum| row(sum, |value| value)).collect()
    } else {
        let (low, high) = (|value| value & LOW, |value| value >> LOW_BITS);
        sums.iter().map(|sum| row(sum, low)).chain(sums.iter().map(|sum| row(sum, high))).collect()
    };
    let rows: Vec<&[i32]> = rows.iter().map(Vec::as_slice).collect();
    let parts = backend.msm_signed(bases.points(), &rows, bits.clamp(2, 32) as u8)?;
    let (low, high) = parts.split_at(sums.len());
    let blinded = low.iter().zip(blindings).enumerate().map(|(i, (low, blinding))| {
        let high = high.get(i).copied().unwrap_or_default();
        (0..LOW_BITS).fold(high, |point, _| point.double()) + low + curve::blinding_base() * blinding
    });
    Ok(Projective::normalize_batch(&blinded.collect::<Vec<_>>()))
}

/// A part of every value, which fits.
fn row(sum: &[i64], part: fn(i64) -> i64) -> Vec<i32> {
    sum.par_iter().map(|value| part(*value) as i32).collect()
}

fn check_blindings(expected: usize, got: usize) -> Result<(), Misuse> {
    if expected == got { Ok(()) } else { Err(Misuse::LengthMismatch { what: "blindings", expected, got }) }
}
