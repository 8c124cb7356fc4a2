//! The verifying key of one cohort size, in exactly one encoding.
//!
//! | bytes | content |
//! |---|---|
//! | 4 | `BSVK` |
//! | 2 | version, 1 |
//! | 2 | flags; bit 0: development key |
//! | 2 | cohort size N |
//! | 22 | zero |
//! | 64 | alpha, G1 |
//! | 128 each | beta, gamma, delta, G2 |
//! | 64 each | IC, G1: one for the constant, then one per public input |
//!
//! Points are uncompressed, in EVM order. 928 bytes for N <= 128, 992 for N = 256. SHA-256 of these bytes names the key.

#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ark_bn254::{G1Affine, G2Affine};
use blindsum_engine::roster::CohortSize;
use sha2::{Digest, Sha256};

use crate::{
    certificate::{check_length, public_input_count, read_header, write_header},
    codec::{G1_BYTES, G2_BYTES, Reader, g1_to_bytes, g2_to_bytes},
    error::{Element, KeyError},
    lint::lint,
};

/// First four bytes of a verifying key.
pub const MAGIC: [u8; 4] = *b"BSVK";
/// Bytes before the points.
pub const HEADER_BYTES: usize = 32;

/// Length of a verifying key: 928 bytes, or 992 for N = 256.
#[must_use]
pub const fn verifying_key_bytes(size: CohortSize) -> usize {
    HEADER_BYTES + G1_BYTES + 3 * G2_BYTES + G1_BYTES * (public_input_count(size) + 1)
}

/// A Groth16 verifying key over BN254, as plain data: [`crate::lint::lint`] says whether it can be trusted to be one, and
/// runs in [`Self::from_bytes`] and in [`crate::verifier::Verifier::new`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyingKey {
    /// The cohort size N of the circuit.
    pub size: CohortSize,
    /// From a single-party setup: its maker can forge.
    pub development: bool,
    /// alpha, in G1.
    pub alpha_g1: G1Affine,
    /// beta, in G2.
    pub beta_g2: G2Affine,
    /// gamma, in G2.
    pub gamma_g2: G2Affine,
    /// delta, in G2.
    pub delta_g2: G2Affine,
    /// One point for the constant, then one per public input.
    pub ic: Vec<G1Affine>,
}

impl VerifyingKey {
    /// The one encoding. Meaningful for a key that passes [`crate::lint::lint`]; points at infinity become zeros, which
    /// [`Self::from_bytes`] refuses.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(verifying_key_bytes(self.size));
        write_header(&mut out, MAGIC, self.development, self.size);
        out.extend([0; 22]);
        out.extend(g1_to_bytes(&self.alpha_g1));
        for point in [&self.beta_g2, &self.gamma_g2, &self.delta_g2] {
            out.extend(g2_to_bytes(point));
        }
        out.extend(self.ic.iter().flat_map(g1_to_bytes));
        out
    }

    /// Reads the one encoding and runs [`crate::lint::lint`].
    ///
    /// # Errors
    /// Wrong length or trailing bytes, unknown version or flags, a reserved byte that is not zero, a point that is not
    /// canonical, at infinity, off its curve or outside the subgroup; a key that fails the lint.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        let mut reader = Reader::new(bytes);
        let (development, size) = read_header(&mut reader, MAGIC)?;
        check_length(bytes, verifying_key_bytes(size))?;
        reader.reserved::<22>()?;
        let key = Self {
            size,
            development,
            alpha_g1: reader.g1(Element::Alpha)?,
            beta_g2: reader.g2(Element::Beta)?,
            gamma_g2: reader.g2(Element::Gamma)?,
            delta_g2: reader.g2(Element::Delta)?,
            ic: (0..=public_input_count(size))
                .map(|i| reader.g1(Element::Ic(i)))
                .collect::<Result<_, _>>()?,
        };
        lint(&key)?;
        Ok(key)
    }

    /// SHA-256 of the key's bytes.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.to_bytes()).into()
    }

    /// The first 16 bytes of [`Self::digest`], by which certificates name their key.
    #[must_use]
    pub fn key_id(&self) -> [u8; 16] {
        let mut id = [0; 16];
        for (byte, value) in id.iter_mut().zip(self.digest()) {
            *byte = value;
        }
        id
    }
}
