//! The certificate: public inputs and proof of one cohort's sum, in exactly one encoding (design, section 10).
//!
//! | bytes | content |
//! |---|---|
//! | 4 | `BSCT` |
//! | 2 | version, 1 |
//! | 2 | flags; bit 0: made under a development key |
//! | 2 | cohort size N |
//! | 6 | zero |
//! | 16 | first 16 bytes of SHA-256 of the verifying key's bytes |
//! | 32 each | `roster_root`, `round_context`, `participants` (N = 256: two 128-bit words, low slots first), `leaves_root`, `C_x`, `C_y` |
//! | 256 | `A.x A.y`, `B.x.c1 B.x.c0 B.y.c1 B.y.c0`, `C.x C.y` |
//!
//! Integers are big-endian. 480 bytes for N <= 128, 512 for N = 256. Nothing here is secret. A proof can be re-randomised
//! by anybody: never key anything by a certificate's bytes.

#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ark_bn254::{G1Affine, G2Affine};
use ark_ec::AffineRepr;
use blindsum_engine::{
    curve::{Fr, Point, fr_to_bytes},
    roster::{Bitmap, CohortSize, RoundContext},
};

use crate::{
    codec::{Reader, check_g1, check_g2, g1_to_bytes, g2_to_bytes},
    error::{Element, EncodingError, VerifyError},
    verifying_key::VerifyingKey,
};

/// First four bytes of a certificate.
pub const MAGIC: [u8; 4] = *b"BSCT";
/// The version of certificates and keys that this build reads and writes.
pub const VERSION: u16 = 1;
/// Flag bit 0: the key is a development key.
pub(crate) const FLAG_DEVELOPMENT: u16 = 1;
/// Bytes before the public inputs.
pub const HEADER_BYTES: usize = 32;
/// Bytes of a proof.
pub const PROOF_BYTES: usize = 256;

/// Public inputs of the statement for a cohort size: 6, or 7 for N = 256.
#[must_use]
pub const fn public_input_count(size: CohortSize) -> usize {
    match size {
        CohortSize::N256 => 7,
        _ => 6,
    }
}

/// Length of a certificate: 480 bytes, or 512 for N = 256.
#[must_use]
pub const fn certificate_bytes(size: CohortSize) -> usize {
    HEADER_BYTES + 32 * public_input_count(size) + PROOF_BYTES
}

/// What the proof is about, in the order of the statement (design, section 6). Checked when made: the bitmap has no bit
/// at or above N and the commitment is a finite point of Grumpkin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicInputs {
    size: CohortSize,
    roster_root: Fr,
    round_context: RoundContext,
    participants: Bitmap,
    leaves_root: Fr,
    commitment: Point,
}

impl PublicInputs {
    /// Gathers the inputs.
    ///
    /// # Errors
    /// A participant at or above N, a commitment at infinity or off the curve.
    pub fn new(
        size: CohortSize,
        roster_root: Fr,
        round_context: RoundContext,
        participants: Bitmap,
        leaves_root: Fr,
        commitment: Point,
    ) -> Result<Self, EncodingError> {
        if participants.iter().any(|slot| usize::from(slot) >= size.slots()) {
            return Err(EncodingError::OutOfRange { element: Element::Participants });
        }
        let element = Element::Commitment;
        if commitment.is_zero() {
            return Err(EncodingError::Infinity { element });
        }
        if !commitment.is_on_curve() {
            return Err(EncodingError::NotOnCurve { element });
        }
        Ok(Self { size, roster_root, round_context, participants, leaves_root, commitment })
    }

    /// The cohort size N.
    #[must_use]
    pub fn size(&self) -> CohortSize {
        self.size
    }

    /// Root of the tree over the roster's keys.
    #[must_use]
    pub fn roster_root(&self) -> Fr {
        self.roster_root
    }

    /// The context that every signature is bound to.
    #[must_use]
    pub fn round_context(&self) -> RoundContext {
        self.round_context
    }

    /// The slots whose commitments are summed.
    #[must_use]
    pub fn participants(&self) -> Bitmap {
        self.participants
    }

    /// Root of the tree over the cohort's leaves.
    #[must_use]
    pub fn leaves_root(&self) -> Fr {
        self.leaves_root
    }

    /// The sum of the participants' commitments.
    pub fn commitment(&self) -> Point {
        self.commitment
    }

    /// The inputs as the circuit takes them: 6 elements, or 7 for N = 256.
    #[must_use]
    pub fn to_field_elements(&self) -> Vec<Fr> {
        let [low, high] = self.participants.words();
        let mut out = Vec::with_capacity(public_input_count(self.size));
        out.extend([self.roster_root, self.round_context.as_fr(), Fr::from(low)]);
        if self.size == CohortSize::N256 {
            out.push(Fr::from(high));
        }
        out.extend([self.leaves_root, self.commitment.x, self.commitment.y]);
        out
    }

    /// 32 bytes per element of [`Self::to_field_elements`], big-endian.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_field_elements().iter().flat_map(fr_to_bytes).collect()
    }

    fn read(size: CohortSize, reader: &mut Reader<'_>) -> Result<Self, EncodingError> {
        let roster_root = reader.fr(Element::RosterRoot)?;
        let round_context = RoundContext::from_bytes(*reader.take::<32>()?)
            .map_err(|_| EncodingError::OutOfRange { element: Element::RoundContext })?;
        let low = read_word(reader)?;
        let high = if size == CohortSize::N256 { read_word(reader)? } else { 0 };
        let participants = Bitmap::from_words([low, high]);
        let leaves_root = reader.fr(Element::LeavesRoot)?;
        let commitment =
            Point::new_unchecked(reader.fr(Element::Commitment)?, reader.fr(Element::Commitment)?);
        Self::new(size, roster_root, round_context, participants, leaves_root, commitment)
    }
}

/// A public input of at most 128 bits.
fn read_word(reader: &mut Reader<'_>) -> Result<u128, EncodingError> {
    if reader.take::<16>()?.iter().any(|&byte| byte != 0) {
        return Err(EncodingError::OutOfRange { element: Element::Participants });
    }
    Ok(u128::from_be_bytes(*reader.take::<16>()?))
}

/// A Groth16 proof over BN254. Checked when made: three finite points, on their curves and in the subgroup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    a: G1Affine,
    b: G2Affine,
    c: G1Affine,
}

impl Proof {
    /// Checks the three points.
    ///
    /// # Errors
    /// A point at infinity, off its curve, or outside the subgroup.
    pub fn new(a: G1Affine, b: G2Affine, c: G1Affine) -> Result<Self, EncodingError> {
        check_g1(&a, Element::ProofA)?;
        check_g2(&b, Element::ProofB)?;
        check_g1(&c, Element::ProofC)?;
        Ok(Self { a, b, c })
    }

    /// The point A.
    pub fn a(&self) -> G1Affine {
        self.a
    }

    /// The point B.
    pub fn b(&self) -> G2Affine {
        self.b
    }

    /// The point C.
    pub fn c(&self) -> G1Affine {
        self.c
    }

    /// 256 bytes in EVM order.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; PROOF_BYTES] {
        let mut out = [0; PROOF_BYTES];
        let bytes = g1_to_bytes(&self.a).into_iter().chain(g2_to_bytes(&self.b)).chain(g1_to_bytes(&self.c));
        for (byte, value) in out.iter_mut().zip(bytes) {
            *byte = value;
        }
        out
    }

    /// Reads 256 bytes in EVM order.
    ///
    /// # Errors
    /// As [`Self::new`], and coordinates at or above the modulus.
    pub fn from_bytes(bytes: &[u8; PROOF_BYTES]) -> Result<Self, EncodingError> {
        Self::read(&mut Reader::new(bytes))
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, EncodingError> {
        Ok(Self {
            a: reader.g1(Element::ProofA)?,
            b: reader.g2(Element::ProofB)?,
            c: reader.g1(Element::ProofC)?,
        })
    }
}

/// A claim that a cohort's sum is the sum of signed vectors, with its proof. Decoding it checks its form only;
/// [`crate::verifier::Verifier::verify`] says whether it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    development: bool,
    key_id: [u8; 16],
    inputs: PublicInputs,
    proof: Proof,
}

impl Certificate {
    /// Puts a proof made under `key` together with its inputs. Proves nothing: verify it.
    ///
    /// # Errors
    /// [`VerifyError::WrongCohortSize`] if the key is for another cohort size.
    pub fn new(key: &VerifyingKey, inputs: PublicInputs, proof: Proof) -> Result<Self, VerifyError> {
        if key.size != inputs.size {
            return Err(VerifyError::WrongCohortSize {
                expected: key.size.slots(),
                got: inputs.size.slots(),
            });
        }
        Ok(Self { development: key.development, key_id: key.key_id(), inputs, proof })
    }

    /// Whether it says that it was made under a development key, which the key's maker can forge under.
    #[must_use]
    pub fn development(&self) -> bool {
        self.development
    }

    /// First 16 bytes of SHA-256 of the verifying key's bytes.
    #[must_use]
    pub fn key_id(&self) -> [u8; 16] {
        self.key_id
    }

    /// What it is about.
    #[must_use]
    pub fn inputs(&self) -> &PublicInputs {
        &self.inputs
    }

    /// Its proof.
    #[must_use]
    pub fn proof(&self) -> &Proof {
        &self.proof
    }

    /// The one encoding: 480 bytes, or 512 for N = 256.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(certificate_bytes(self.inputs.size));
        write_header(&mut out, MAGIC, self.development, self.inputs.size);
        out.extend([0; 6]);
        out.extend(self.key_id);
        out.extend(self.inputs.to_bytes());
        out.extend(self.proof.to_bytes());
        out
    }

    /// Reads the one encoding. Bounded: at most 512 bytes are looked at and nothing is allocated.
    ///
    /// # Errors
    /// Wrong length or trailing bytes, unknown version or flags, a reserved byte that is not zero, a value out of its
    /// range, a point at infinity, off its curve or outside the subgroup.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EncodingError> {
        let mut reader = Reader::new(bytes);
        let (development, size) = read_header(&mut reader, MAGIC)?;
        check_length(bytes, certificate_bytes(size))?;
        reader.reserved::<6>()?;
        let key_id = *reader.take::<16>()?;
        let inputs = PublicInputs::read(size, &mut reader)?;
        let proof = Proof::read(&mut reader)?;
        Ok(Self { development, key_id, inputs, proof })
    }
}

/// Magic, version, flags and cohort size: the first ten bytes of certificates and verifying keys.
pub(crate) fn write_header(out: &mut Vec<u8>, magic: [u8; 4], development: bool, size: CohortSize) {
    out.extend(magic);
    out.extend(VERSION.to_be_bytes());
    out.extend((if development { FLAG_DEVELOPMENT } else { 0 }).to_be_bytes());
    out.extend((size as u16).to_be_bytes());
}

/// The flag "development key" and the cohort size.
pub(crate) fn read_header(
    reader: &mut Reader<'_>,
    magic: [u8; 4],
) -> Result<(bool, CohortSize), EncodingError> {
    reader.magic(magic)?;
    match reader.u16()? {
        VERSION => {}
        got => return Err(EncodingError::Version { got }),
    }
    let development = match reader.u16()? {
        0 => false,
        FLAG_DEVELOPMENT => true,
        got => return Err(EncodingError::Flags { got }),
    };
    let n = reader.u16()?;
    let size = CohortSize::try_from(u32::from(n)).map_err(|_| EncodingError::CohortSize { got: n })?;
    Ok((development, size))
}

/// Exact length: nothing missing, nothing trailing.
pub(crate) fn check_length(bytes: &[u8], expected: usize) -> Result<(), EncodingError> {
    if bytes.len() == expected { Ok(()) } else { Err(EncodingError::Length { expected, got: bytes.len() }) }
}
