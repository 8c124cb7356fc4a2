//! Strict reading and writing of points and field elements in the EVM's order (EIP-196, EIP-197), total on every input.
//!
//! Coordinates are 32 bytes big-endian, below their modulus. G1: `x || y`. G2: `x.c1 || x.c0 || y.c1 || y.c0`, imaginary
//! part first. All zeros is the EVM's point at infinity and is refused, as is a point off its curve or outside the subgroup.

#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ark_bn254::{Fq, Fq2, Fr, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_ff::Zero;
use blindsum_engine::curve::{fq_from_bytes, fq_to_bytes, fr_from_bytes};

use crate::error::{Element, EncodingError};

/// Bytes of a point of G1.
pub const G1_BYTES: usize = 64;
/// Bytes of a point of G2.
pub const G2_BYTES: usize = 128;

/// Writes a finite point of G1; infinity becomes zeros, which no decoder here accepts.
#[must_use]
pub fn g1_to_bytes(point: &G1Affine) -> [u8; G1_BYTES] {
    let mut out = [0; G1_BYTES];
    if let Some((x, y)) = point.xy() {
        put(&mut out, [x, y]);
    }
    out
}

/// Writes a finite point of G2; infinity becomes zeros, which no decoder here accepts.
#[must_use]
pub fn g2_to_bytes(point: &G2Affine) -> [u8; G2_BYTES] {
    let mut out = [0; G2_BYTES];
    if let Some((x, y)) = point.xy() {
        put(&mut out, [x.c1, x.c0, y.c1, y.c0]);
    }
    out
}

fn put<const K: usize>(out: &mut [u8], coordinates: [Fq; K]) {
    for (chunk, value) in out.chunks_exact_mut(32).zip(coordinates) {
        chunk.copy_from_slice(&fq_to_bytes(&value));
    }
}

/// Reads a point of G1; `element` names it in errors.
///
/// # Errors
/// Not canonical, infinity, off the curve. (The curve has prime order: there is no subgroup to check.)
pub fn g1_from_bytes(bytes: &[u8; G1_BYTES], element: Element) -> Result<G1Affine, EncodingError> {
    let mut reader = Reader::new(bytes);
    let (x, y) = (reader.fq(element)?, reader.fq(element)?);
    let point = if x.is_zero() && y.is_zero() { G1Affine::identity() } else { G1Affine::new_unchecked(x, y) };
    check_g1(&point, element)?;
    Ok(point)
}

/// Reads a point of G2; `element` names it in errors.
///
/// # Errors
/// Not canonical, infinity, off the curve, outside the subgroup.
pub fn g2_from_bytes(bytes: &[u8; G2_BYTES], element: Element) -> Result<G2Affine, EncodingError> {
    let mut reader = Reader::new(bytes);
    let (x1, x0) = (reader.fq(element)?, reader.fq(element)?);
    let (y1, y0) = (reader.fq(element)?, reader.fq(element)?);
    let (x, y) = (Fq2::new(x0, x1), Fq2::new(y0, y1));
    let point = if x.is_zero() && y.is_zero() { G2Affine::identity() } else { G2Affine::new_unchecked(x, y) };
    check_g2(&point, element)?;
    Ok(point)
}

/// Accepts a finite point on the curve.
pub(crate) fn check_g1(point: &G1Affine, element: Element) -> Result<(), EncodingError> {
    if point.is_zero() {
        return Err(EncodingError::Infinity { element });
    }
    if !point.is_on_curve() {
        return Err(EncodingError::NotOnCurve { element });
    }
    Ok(())
}

/// Accepts a finite point on the curve and in the subgroup of order r. The twist's cofactor has the factor 10069, so each
/// point is checked alone: a random combination of several would let one outside pass once in 10069.
pub(crate) fn check_g2(point: &G2Affine, element: Element) -> Result<(), EncodingError> {
    if point.is_zero() {
        return Err(EncodingError::Infinity { element });
    }
    if !point.is_on_curve() {
        return Err(EncodingError::NotOnCurve { element });
    }
    if !point.is_in_correct_subgroup_assuming_on_curve() {
        return Err(EncodingError::NotInSubgroup { element });
    }
    Ok(())
}

/// Takes fixed-size pieces off the front of a slice.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    taken: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, taken: 0 }
    }

    /// The next `K` bytes.
    pub(crate) fn take<const K: usize>(&mut self) -> Result<&'a [u8; K], EncodingError> {
        let (head, rest) = self.rest.split_first_chunk::<K>().ok_or(EncodingError::Length {
            expected: self.taken.saturating_add(K),
            got: self.taken.saturating_add(self.rest.len()),
        })?;
        self.rest = rest;
        self.taken = self.taken.saturating_add(K);
        Ok(head)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, EncodingError> {
        Ok(u16::from_be_bytes(*self.take::<2>()?))
    }

    /// `K` bytes that must be zero.
    pub(crate) fn reserved<const K: usize>(&mut self) -> Result<(), EncodingError> {
        let start = self.taken;
        match self.take::<K>()?.iter().position(|&byte| byte != 0) {
            Some(index) => Err(EncodingError::Reserved { offset: start.saturating_add(index) }),
            None => Ok(()),
        }
    }

    pub(crate) fn magic(&mut self, expected: [u8; 4]) -> Result<(), EncodingError> {
        let got = *self.take::<4>()?;
        if got == expected { Ok(()) } else { Err(EncodingError::Magic { expected, got }) }
    }

    pub(crate) fn fr(&mut self, element: Element) -> Result<Fr, EncodingError> {
        fr_from_bytes(self.take::<32>()?).map_err(|_| EncodingError::NotCanonical { element })
    }

    fn fq(&mut self, element: Element) -> Result<Fq, EncodingError> {
        fq_from_bytes(self.take::<32>()?).map_err(|_| EncodingError::NotCanonical { element })
    }

    pub(crate) fn g1(&mut self, element: Element) -> Result<G1Affine, EncodingError> {
        g1_from_bytes(self.take::<G1_BYTES>()?, element)
    }

    pub(crate) fn g2(&mut self, element: Element) -> Result<G2Affine, EncodingError> {
        g2_from_bytes(self.take::<G2_BYTES>()?, element)
    }
}
