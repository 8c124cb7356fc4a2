//! Grumpkin: `y^2 = x^3 - 17` over `Fr`, prime order `q`, cofactor 1.
//!
//! Coordinates are elements of [`Fr`] (the scalar field of BN254), scalars are elements of [`Fq`]
//! (its base field). Encodings are 32 bytes big-endian for a field element and `x || y` for a point;
//! the point at infinity has none.

use std::sync::OnceLock;

use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{BigInteger, Field, PrimeField};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::{domain::Label, error::DecodeError, hash::hash};

/// The scalar field of BN254 (prime `r`): coordinates of Grumpkin points, Poseidon, the circuit.
pub type Fr = ark_bn254::Fr;
/// The base field of BN254 (prime `q`): scalars of Grumpkin.
pub type Fq = ark_bn254::Fq;
/// An affine point of Grumpkin.
pub type Point = ark_grumpkin::Affine;
/// A point of Grumpkin in projective coordinates.
pub type Projective = ark_grumpkin::Projective;

/// The generator `G = (1, sqrt(-16))` that keys and signatures use.
pub fn generator() -> Point {
    Point::generator()
}

fn to_bytes<F: PrimeField>(value: &F) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(&value.into_bigint().to_bytes_be());
    out
}

fn from_bytes<F: PrimeField>(bytes: &[u8; 32], what: &'static str) -> Result<F, DecodeError> {
    let mut limbs = F::BigInt::default();
    for (limb, chunk) in limbs.as_mut().iter_mut().zip(bytes.rchunks_exact(8)) {
        *limb = chunk.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
    }
    F::from_bigint(limbs).ok_or(DecodeError::NotCanonical { what })
}

/// 32 bytes, big-endian.
#[must_use]
pub fn fr_to_bytes(value: &Fr) -> [u8; 32] {
    to_bytes(value)
}

/// 32 bytes, big-endian.
#[must_use]
pub fn fq_to_bytes(value: &Fq) -> [u8; 32] {
    to_bytes(value)
}

/// Reads 32 bytes, big-endian.
///
/// # Errors
/// [`DecodeError::NotCanonical`] at or above `r`.
pub fn fr_from_bytes(bytes: &[u8; 32]) -> Result<Fr, DecodeError> {
    from_bytes(bytes, "element of Fr")
}

/// Reads 32 bytes, big-endian.
///
/// # Errors
/// [`DecodeError::NotCanonical`] at or above `q`.
pub fn fq_from_bytes(bytes: &[u8; 32]) -> Result<Fq, DecodeError> {
    from_bytes(bytes, "element of Fq")
}

/// Reduces 64 big-endian bytes modulo `q`; uniform bytes give a uniform scalar.
#[must_use]
pub fn fq_from_wide(bytes: &[u8; 64]) -> Fq {
    Fq::from_be_bytes_mod_order(bytes)
}

/// A uniform scalar.
#[must_use]
pub fn random_fq(rng: &mut dyn CryptoRng) -> Fq {
    let mut wide = Zeroizing::new([0; 64]);
    rng.fill_bytes(wide.as_mut());
    fq_from_wide(&wide)
}

/// 64 bytes, `x || y`.
///
/// # Panics
/// At infinity, which has no encoding; no protocol value is ever the point at infinity.
#[must_use]
pub fn point_to_bytes(point: &Point) -> [u8; 64] {
    assert!(!point.is_zero(), "the point at infinity has no encoding");
    let mut out = [0; 64];
    let (x, y) = out.split_at_mut(32);
    x.copy_from_slice(&to_bytes(&point.x));
    y.copy_from_slice(&to_bytes(&point.y));
    out
}

/// Reads `x || y`; cofactor 1 makes the curve equation the whole check.
///
/// # Errors
/// A coordinate at or above `r`, or a pair off the curve (the pair `(0, 0)` is off the curve).
pub fn point_from_bytes(bytes: &[u8; 64]) -> Result<Point, DecodeError> {
    let (mut x, mut y) = ([0; 32], [0; 32]);
    let (head, tail) = bytes.split_at(32);
    x.copy_from_slice(head);
    y.copy_from_slice(tail);
    let x: Fr = from_bytes(&x, "x coordinate")?;
    let y: Fr = from_bytes(&y, "y coordinate")?;
    // `(0, 0)` encodes infinity inside ark-ec, which `is_on_curve` accepts.
    if y.square() != curve_equation(x) {
        return Err(DecodeError::NotOnCurve { what: "Grumpkin point" });
    }
    Ok(Point::new_unchecked(x, y))
}

/// `x^3 - 17`.
fn curve_equation(x: Fr) -> Fr {
    x.square() * x - Fr::from(17u8)
}

/// A try of [`hash_to_curve`]: an x-coordinate, and which of the two points above it is meant.
pub(crate) struct Candidate {
    x: Fr,
    odd: bool,
}

impl Candidate {
    /// `h = H("curve"; name, index u64, ctr u32)`; `x` is `h` with its two top bits cleared; `None` if `x >= r`. `y` is to be odd
    /// iff the top bit of `h` is set.
    pub(crate) fn hash(name: &str, index: u64, ctr: u32) -> Option<Self> {
        let mut h = hash(Label::Curve, &[name.as_bytes(), &index.to_be_bytes(), &ctr.to_be_bytes()]);
        let odd = h[0] & 0x80 != 0;
        h[0] &= 0x3f;
        Some(Self { x: from_bytes(&h, "x coordinate").ok()?, odd })
    }

    /// `y^2`, a square iff there are points with this `x`. It is never zero: no point has order two.
    pub(crate) fn y_squared(&self) -> Fr {
        curve_equation(self.x)
    }

    /// The point, from either root of [`Self::y_squared`].
    pub(crate) fn point(&self, root: Fr) -> Point {
        let y = if root.into_bigint().is_odd() == self.odd { root } else { -root };
        Point::new_unchecked(self.x, y)
    }
}

/// Hashes a public name and index to a point whose logarithm nobody knows.
///
/// The first [`Candidate`] of `ctr = 0, 1, ...` that is on the curve. The number of tries depends on the input, which is public.
/// For many at a time, with the same result: [`crate::cpu::Cpu::hash_to_curve`].
pub fn hash_to_curve(name: &str, index: u64) -> Point {
    (0u32..)
        .find_map(|ctr| {
            let candidate = Candidate::hash(name, index, ctr)?;
            Some(candidate.point(candidate.y_squared().sqrt()?))
        })
        .expect("half of all counters give a point")
}

/// The offset points that the chains of incomplete additions start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Offset {
    /// Start of the fixed-base chain.
    FixedBase = 0,
    /// Start of the variable-base chain.
    VariableBase = 1,
    /// Start of the sum of commitments.
    Sum = 2,
    /// The key that stands in for the slot's key where the bit is unset.
    UnsetKey = 3,
}

/// `hash_to_curve("blindsum/offset", offset)`.
pub fn offset(offset: Offset) -> Point {
    static POINTS: OnceLock<[Point; 4]> = OnceLock::new();
    POINTS.get_or_init(|| std::array::from_fn(|i| hash_to_curve("blindsum/offset", i as u64)))
        [offset as usize]
}

/// The point that an empty slot of a roster holds; nobody can sign for it.
pub fn empty_slot_point() -> Point {
    static POINT: OnceLock<Point> = OnceLock::new();
    *POINT.get_or_init(|| hash_to_curve("blindsum/empty slot", 0))
}

/// The base `H` of the blinding in a commitment.
pub fn blinding_base() -> Point {
    static POINT: OnceLock<Point> = OnceLock::new();
    *POINT.get_or_init(|| hash_to_curve("blindsum/blinding", 0))
}

/// `a + b` by the affine chord formula, or `None` where it is undefined: equal x-coordinates.
#[must_use]
pub fn add_incomplete(a: Point, b: Point) -> Option<Point> {
    let slope = (b.y - a.y) * (b.x - a.x).inverse()?;
    let x = slope.square() - a.x - b.x;
    Some(Point::new_unchecked(x, slope * (a.x - x) - a.y))
}

/// `2 a` in affine coordinates. Grumpkin has no point of order two, so this is always defined.
pub fn double(a: Point) -> Point {
    (a.into_group() + a).into_affine()
}

/// `2^k`, as a scalar.
pub(crate) fn power_of_two(k: u64) -> Fq {
    Fq::from(2u8).pow([k])
}

/// `scalar * point`; timing depends on the scalar.
pub fn mul_vartime(point: Point, scalar: &Fq) -> Point {
    (point * scalar).into_affine()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generator_is_the_one_of_the_design() {
        let g = generator();
        assert_eq!(g.x, Fr::from(1u8));
        assert_eq!(g.y.to_string(), "17631683881184975370165255887551781615748388533673675138860");
    }

    #[test]
    fn encodings_round_trip_and_refuse_aliases() {
        let p = hash_to_curve("test", 7);
        assert_eq!(point_from_bytes(&point_to_bytes(&p)), Ok(p));
        let mut modulus = [0; 32];
        modulus.copy_from_slice(&Fr::MODULUS.to_bytes_be());
        assert_eq!(fr_from_bytes(&modulus), Err(DecodeError::NotCanonical { what: "element of Fr" }));
        modulus[31] -= 1;
        assert_eq!(fr_from_bytes(&modulus), Ok(-Fr::from(1u8)));
        assert_eq!(fr_from_bytes(&[0xff; 32]), Err(DecodeError::NotCanonical { what: "element of Fr" }));
        assert_eq!(point_from_bytes(&[0; 64]), Err(DecodeError::NotOnCurve { what: "Grumpkin point" }));
        let mut off = point_to_bytes(&p);
        off[63] ^= 1;
        assert_eq!(point_from_bytes(&off), Err(DecodeError::NotOnCurve { what: "Grumpkin point" }));
    }

    #[test]
    fn hashed_points_are_on_the_curve_and_distinct() {
        let points: Vec<Point> = (0..64).map(|i| hash_to_curve("blindsum/basis", i)).collect();
        for (i, p) in points.iter().enumerate() {
            assert!(p.is_on_curve() && !p.is_zero());
            assert!(points[..i].iter().all(|other| other.x != p.x));
        }
        assert!(
            [Offset::FixedBase, Offset::VariableBase, Offset::Sum, Offset::UnsetKey]
                .map(offset)
                .iter()
                .all(|p| p.is_on_curve())
        );
    }

    #[test]
    fn incomplete_addition_is_addition_where_it_is_defined() {
        let (a, b) = (hash_to_curve("test", 0), hash_to_curve("test", 1));
        assert_eq!(add_incomplete(a, b), Some((a + b).into_affine()));
        assert_eq!(add_incomplete(a, a), None);
        assert_eq!(add_incomplete(a, -a), None);
        assert_eq!(double(a), (a + a).into_affine());
    }
}
