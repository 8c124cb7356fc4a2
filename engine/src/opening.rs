//! The opening of a sum: the published vector `A` and blinding `R`, and the check that they open a
//! cohort's (or a group's) commitment and lie in the range that honest clients can reach.
//!
//! With `P` the participants, `M = 2^(bits-1) - 1`, `A_w` the weight's coordinate (the last) and `D`
//! the bound of one client's noise, all in exact integers:
//! ```text
//! C = sum_j A_j G_j + R H,   R < q
//! |A_j| <= |P| M                                  for every j
//! |P| w_min <= A_w <= |P| w_max
//! w_max (|A_j| - |P| (1 + D)) <= M A_w            for every j but w
//! ```
//! The last line holds because one client's `|x_j|` is at most `(w / w_max) M + 1 + D`: scaled by its
//! weight, rounded up, with noise. The second holds with noise too, which is clipped to `bits` bits.
//! Everything here is public.

use ark_ec::AffineRepr;
use thiserror::Error;

use crate::{
    backend::Backend,
    bases::Bases,
    curve::{self, Fq, Point},
    error::{DecodeError, EngineError, Misuse},
    pedersen::commit_many_vartime,
    quantize::{self, Quantizer},
};

const HEADER_BYTES: usize = 8 + 32;

/// The sum of the participants' vectors and of their blindings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// `A`: one sum per coordinate, the weight last.
    pub sum: Vec<i64>,
    /// `R`, modulo `q`.
    pub blinding: Fq,
}

impl Opening {
    /// The opening of a group from its unmasked words, each lifted as a signed 32-bit number.
    #[must_use]
    pub fn from_words(words: &[u32], blinding: Fq) -> Self {
        Self { sum: words.iter().map(|word| i64::from(*word as i32)).collect(), blinding }
    }

    /// The opening of a cohort from those of its groups: sums of the vectors and of the blindings.
    ///
    /// # Errors
    /// [`Misuse::LengthMismatch`] if the dimensions differ or there are no parts;
    /// [`Misuse::OutOfRange`] if a sum leaves 64 bits.
    pub fn combine(parts: &[Self]) -> Result<Self, Misuse> {
        let Some((first, rest)) = parts.split_first() else {
            return Err(Misuse::LengthMismatch { what: "openings", expected: 1, got: 0 });
        };
        let mut whole = first.clone();
        for part in rest {
            if part.sum.len() != whole.sum.len() {
                let (expected, got) = (whole.sum.len(), part.sum.len());
                return Err(Misuse::LengthMismatch { what: "opening", expected, got });
            }
            for (total, value) in whole.sum.iter_mut().zip(&part.sum) {
                *total = total.checked_add(*value).ok_or(Misuse::OutOfRange {
                    what: "coordinate of a sum of openings",
                    min: i64::MIN,
                    max: i64::MAX,
                    got: *value,
                })?;
            }
            whole.blinding += part.blinding;
        }
        Ok(whole)
    }

    /// The number `d` of coordinates, the weight counted.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.sum.len()
    }

    /// `d` u64 and `R` 32 bytes, big-endian; then `d` i64, little-endian.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + 8 * self.sum.len());
        bytes.extend_from_slice(&(self.sum.len() as u64).to_be_bytes());
        bytes.extend_from_slice(&curve::fq_to_bytes(&self.blinding));
        bytes.extend(self.sum.iter().flat_map(|value| value.to_le_bytes()));
        bytes
    }

    /// Reads [`Opening::to_bytes`], strictly. Allocates no more than the input holds.
    ///
    /// # Errors
    /// A wrong length, trailing bytes, or `R >= q`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let wrong_length = |expected| DecodeError::Length { what: "opening", expected, got: bytes.len() };
        let (dimension, rest) = bytes.split_first_chunk::<8>().ok_or(wrong_length(HEADER_BYTES))?;
        let (blinding, sum) = rest.split_first_chunk::<32>().ok_or(wrong_length(HEADER_BYTES))?;
        let expected = usize::try_from(u64::from_be_bytes(*dimension))
            .ok()
            .and_then(|d| d.checked_mul(8)?.checked_add(HEADER_BYTES))
            .unwrap_or(usize::MAX);
        if bytes.len() != expected {
            return Err(wrong_length(expected));
        }
        let (values, _) = sum.as_chunks::<8>();
        Ok(Self {
            sum: values.iter().map(|value| i64::from_le_bytes(*value)).collect(),
            blinding: curve::fq_from_bytes(blinding)?,
        })
    }
}

/// What a round's context and a certificate say about the vectors behind a sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpeningBounds {
    /// Bits of a coordinate.
    pub bits: u8,
    /// Smallest weight of a client.
    pub w_min: u32,
    /// Largest weight of a client.
    pub w_max: u32,
    /// The number `|P|` of participants: set bits of the certificate's bitmap, or of the group's.
    pub participants: u32,
    /// The bound of one client's noise in one coordinate; 0 without noise.
    pub dp_bound: u32,
}

impl OpeningBounds {
    /// The bounds of `participants` clients of `quantizer`.
    #[must_use]
    pub const fn new(quantizer: &Quantizer, participants: u32) -> Self {
        Self {
            bits: quantizer.bits(),
            w_min: quantizer.w_min(),
            w_max: quantizer.w_max(),
            participants,
            dp_bound: quantizer.noise().bound(),
        }
    }

    fn check(&self) -> Result<(), OpeningError> {
        let Self { bits, w_min, w_max, participants, dp_bound: _ } = *self;
        let sound = (quantize::MIN_BITS..=quantize::MAX_BITS).contains(&bits)
            && 1 <= w_min
            && w_min <= w_max
            && i64::from(w_max) <= quantize::max_magnitude(bits)
            && participants >= 1;
        if sound { Ok(()) } else { Err(OpeningError::Bounds { bits, w_min, w_max, participants }) }
    }
}

/// Why an opening is not accepted.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpeningError {
    /// The bounds themselves make no sense.
    #[error(
        "bounds of {bits} bits, weights {w_min} ..= {w_max} and {participants} participants describe no round"
    )]
    Bounds {
        /// Bits of a coordinate.
        bits: u8,
        /// Smallest weight.
        w_min: u32,
        /// Largest weight.
        w_max: u32,
        /// Participants.
        participants: u32,
    },
    /// There is not one coordinate per base, or not even a weight.
    #[error("the sum has {got} coordinates, expected {expected} (at least the weight)")]
    Dimension {
        /// The number of bases.
        expected: usize,
        /// The length of the sum.
        got: usize,
    },
    /// A coordinate is larger than the participants together can make it.
    #[error("coordinate {index} is {value}: {participants} participants reach no more than {bound}")]
    Coordinate {
        /// The coordinate.
        index: usize,
        /// `A_j`.
        value: i64,
        /// `|P| (2^(bits-1) - 1)`.
        bound: i128,
        /// `|P|`.
        participants: u32,
    },
    /// The weight is not what so many participants can have.
    #[error("the weight is {value}: that of {participants} participants lies in {min} ..= {max}")]
    Weight {
        /// `A_w`.
        value: i64,
        /// `|P| w_min`.
        min: i128,
        /// `|P| w_max`.
        max: i128,
        /// `|P|`.
        participants: u32,
    },
    /// A coordinate is too large for the weight of the sum.
    #[error("coordinate {index} is {value}: under the weight {weight} its magnitude is at most {bound}")]
    Scale {
        /// The coordinate.
        index: usize,
        /// `A_j`.
        value: i64,
        /// `A_w`.
        weight: i64,
        /// The largest magnitude: `floor((2^(bits-1) - 1) A_w / w_max) + |P| (1 + D)`.
        bound: i128,
    },
    /// The sum and the blinding open another commitment.
    #[error("the sum and its blinding do not open the commitment")]
    Commitment,
    /// The check could not be made.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Accepts `opening` only if it opens `commitment` and lies within `bounds` (see the module's head).
///
/// The weight is the last coordinate. `R < q` holds by construction of [`Fq`]; the decoder refuses
/// other bytes. The cheap range checks come first.
///
/// # Errors
/// [`OpeningError`] with the first thing found wrong.
pub fn check_opening(
    backend: &dyn Backend,
    bases: &Bases,
    bounds: &OpeningBounds,
    commitment: &Point,
    opening: &Opening,
) -> Result<(), OpeningError> {
    let claim = Claim { bounds: *bounds, commitment: *commitment, opening };
    check_openings(backend, bases, &[claim])?.pop().unwrap_or(Ok(()))
}

/// What somebody says of an opening.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// The bounds that it lies within.
    pub bounds: OpeningBounds,
    /// The commitment that it opens.
    pub commitment: Point,
    /// The opening.
    pub opening: &'a Opening,
}

/// [`check_opening`] of several claims, in one call of the backend: one verdict a claim, in their order.
///
/// # Errors
/// [`EngineError`] if the check could not be made. What is wrong with an opening is in its verdict, which is never
/// [`OpeningError::Engine`].
#[tracing::instrument(
    level = "debug",
    skip_all,
    fields(backend = backend.name(), d = bases.len(), n = claims.len())
)]
pub fn check_openings(
    backend: &dyn Backend,
    bases: &Bases,
    claims: &[Claim<'_>],
) -> Result<Vec<Result<(), OpeningError>>, EngineError> {
    let mut verdicts: Vec<_> =
        claims.iter().map(|claim| check_range(&claim.bounds, bases.len(), &claim.opening.sum)).collect();
    let in_range =
        || claims.iter().zip(&verdicts).filter(|(_, verdict)| verdict.is_ok()).map(|(claim, _)| claim);
    let sums: Vec<&[i64]> = in_range().map(|claim| claim.opening.sum.as_slice()).collect();
    let blindings: Vec<Fq> = in_range().map(|claim| claim.opening.blinding).collect();
    let points = commit_many_vartime(backend, bases, &sums, &blindings)?;
    let open = verdicts.iter_mut().zip(claims).filter(|(verdict, _)| verdict.is_ok());
    for ((verdict, claim), point) in open.zip(points) {
        if point != claim.commitment || point.is_zero() {
            *verdict = Err(OpeningError::Commitment);
        }
    }
    Ok(verdicts)
}

/// The part of [`check_opening`] that needs no commitment: `sum` has `dimension` coordinates and lies
/// within `bounds`.
///
/// # Errors
/// [`OpeningError`] with the first thing found wrong.
pub fn check_range(bounds: &OpeningBounds, dimension: usize, sum: &[i64]) -> Result<(), OpeningError> {
    bounds.check()?;
    let wrong_dimension = OpeningError::Dimension { expected: dimension, got: sum.len() };
    let Some((&weight, rest)) = sum.split_last().filter(|_| sum.len() == dimension) else {
        return Err(wrong_dimension);
    };
    let participants = bounds.participants;
    let (count, w_min, w_max) =
        (i128::from(participants), i128::from(bounds.w_min), i128::from(bounds.w_max));
    let top = i128::from(quantize::max_magnitude(bounds.bits));
    let magnitude = |value: i64| i128::from(value.unsigned_abs());
    if let Some((index, &value)) = sum.iter().enumerate().find(|(_, value)| magnitude(**value) > count * top)
    {
        return Err(OpeningError::Coordinate { index, value, bound: count * top, participants });
    }
    let (min, max) = (count * w_min, count * w_max);
    if !(min..=max).contains(&i128::from(weight)) {
        return Err(OpeningError::Weight { value: weight, min, max, participants });
    }
    let slack = count * (1 + i128::from(bounds.dp_bound));
    let reach = top * i128::from(weight);
    let too_large = |value: i64| w_max * (magnitude(value) - slack) > reach;
    if let Some((index, &value)) = rest.iter().enumerate().find(|(_, value)| too_large(**value)) {
        return Err(OpeningError::Scale { index, value, weight, bound: reach / w_max + slack });
    }
    Ok(())
}
