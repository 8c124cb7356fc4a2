//! Exchange 2, masked input: the masked vector, the leaf in the clear, the commitment sealed.
//!
//! Signed body: round_context, slot u8, lambda, masked r, sealed commitment (nonce 24 B, box 176 B),
//! complaint bitmap (dealers), d u64, SHA-256 of the words. The words, little-endian, follow the
//! signature.

use blindsum_engine::{
    curve::{Fq, Fr},
    roster::{Bitmap, RoundContext},
    schnorr::{self, Kind, PublicKey, SecretKey, Signature},
};
use rand_core::CryptoRng;
use sha2::{Digest, Sha256};

use crate::{
    error::{Fault, WireError},
    seal::{COMMITMENT_BOX_BYTES, NONCE_BYTES},
    wire::{self, Limits, MessageKind, Reader, Writer},
};

/// Bytes of the signed body.
pub const BODY_BYTES: usize = 32 + 1 + 32 + 32 + NONCE_BYTES + COMMITMENT_BOX_BYTES + 32 + 8 + 32;
/// Payload bytes besides the words.
pub const FIXED_BYTES: usize = BODY_BYTES + 96;

/// `C || R || s` under a key from its owner's `b`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedCommitment {
    /// Nonce of the box.
    pub nonce: [u8; NONCE_BYTES],
    /// The box.
    pub sealed: [u8; COMMITMENT_BOX_BYTES],
}

/// A masked input besides its words: what its owner signs, once `words_hash` is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaskedInputBody {
    /// The round.
    pub context: RoundContext,
    /// The client's slot.
    pub slot: u8,
    /// `lambda`: the leaf, which hides the commitment until it is opened.
    pub leaf: Fr,
    /// `r` under the masks of the vector.
    pub masked_blinding: Fq,
    /// The commitment and its signature, sealed.
    pub sealed: SealedCommitment,
    /// Dealers whose record did not open or missed its hash.
    pub complaints: Bitmap,
    /// `d`: coordinates, the weight included.
    pub dimension: u64,
    /// SHA-256 of the words.
    pub words_hash: [u8; 32],
}

impl MaskedInputBody {
    fn to_bytes(self) -> Vec<u8> {
        let mut out = Writer::with_capacity(BODY_BYTES);
        out.raw(self.context.as_bytes()).u8(self.slot).fr(&self.leaf).fq(&self.masked_blinding);
        out.raw(&self.sealed.nonce).raw(&self.sealed.sealed).bitmap(&self.complaints);
        out.u64(self.dimension).raw(&self.words_hash);
        out.into_bytes()
    }

    fn read(reader: &mut Reader<'_>, limits: &Limits) -> Result<Self, WireError> {
        let body = Self {
            context: reader.round_context()?,
            slot: reader.slot("slot", limits.slots())?,
            leaf: reader.fr("leaf")?,
            masked_blinding: reader.fq("masked blinding")?,
            sealed: SealedCommitment {
                nonce: reader.array("nonce")?,
                sealed: reader.array("sealed commitment")?,
            },
            complaints: reader.bitmap("complaints", limits.slots())?,
            dimension: reader.u64("dimension")?,
            words_hash: reader.array("hash of the words")?,
        };
        if body.dimension > limits.dimension() {
            return Err(WireError::Value { what: "dimension", got: body.dimension });
        }
        Ok(body)
    }
}

/// A masked input without its words: all that is signed, and what evidence carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedInput {
    /// What is signed.
    pub body: MaskedInputBody,
    /// The client's signature on the body.
    pub signature: Signature,
}

impl SignedInput {
    /// Checks the signature alone.
    ///
    /// # Errors
    /// [`Fault::BadSignature`].
    pub fn verify_signature(&self, key: &PublicKey) -> Result<(), Fault> {
        schnorr::verify(key, Kind::MaskedInput, &self.body.to_bytes(), &self.signature)
            .map_err(|_| Fault::BadSignature { message: MessageKind::MaskedInput })
    }

    pub(crate) fn write(&self, out: &mut Writer) {
        out.raw(&self.body.to_bytes()).signature(&self.signature);
    }

    pub(crate) fn read(reader: &mut Reader<'_>, limits: &Limits) -> Result<Self, WireError> {
        Ok(Self { body: MaskedInputBody::read(reader, limits)?, signature: reader.signature()? })
    }
}

/// A client's masked input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaskedInput {
    /// What is signed.
    pub body: MaskedInputBody,
    /// The client's signature on the body.
    pub signature: Signature,
    /// `y`: the masked words.
    pub words: Vec<u32>,
}

/// SHA-256 of the words as they travel: little-endian.
#[must_use]
pub fn words_hash(words: &[u32]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    let mut buffer = [0; 4096];
    for chunk in words.chunks(buffer.len() / 4) {
        for (bytes, word) in buffer.chunks_exact_mut(4).zip(chunk) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        hasher.update(&buffer[..4 * chunk.len()]);
    }
    hasher.finalize().into()
}

impl MaskedInput {
    /// Signs a masked input.
    #[must_use]
    pub fn sign(key: &SecretKey, body: MaskedInputBody, words: Vec<u32>, rng: &mut dyn CryptoRng) -> Self {
        let signature = schnorr::sign(key, Kind::MaskedInput, &body.to_bytes(), rng);
        Self { body, signature, words }
    }

    /// Checks everything that can be checked before the words are added: the round, the dimension,
    /// the hash of the words, the signature, a leaf other than zero, complaints only about `dealers`
    /// (the listed setups of the client's group, its own left out).
    ///
    /// # Errors
    /// The first [`Fault`] found; the slot at fault is `body.slot` once its signature verifies.
    pub fn verify(
        &self,
        key: &PublicKey,
        context: &RoundContext,
        dimension: u64,
        dealers: &Bitmap,
    ) -> Result<(), Fault> {
        schnorr::verify(key, Kind::MaskedInput, &self.body.to_bytes(), &self.signature)
            .map_err(|_| Fault::BadSignature { message: MessageKind::MaskedInput })?;
        let body = &self.body;
        if body.context != *context {
            return Err(Fault::WrongContext { message: MessageKind::MaskedInput });
        }
        if body.dimension != dimension {
            return Err(Fault::WrongDimension { expected: dimension, got: body.dimension });
        }
        if self.words.len() as u64 != dimension || words_hash(&self.words) != body.words_hash {
            return Err(Fault::WrongWords);
        }
        if body.leaf == Fr::from(0u8) {
            return Err(Fault::ZeroLeaf);
        }
        match body.complaints.difference(dealers).iter().next() {
            Some(about) => Err(Fault::BadComplaint { about }),
            None => Ok(()),
        }
    }

    /// The framed message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let length = FIXED_BYTES + 4 * self.words.len();
        let mut out = Writer::with_capacity(wire::HEADER_BYTES + length);
        wire::write_header(&mut out, MessageKind::MaskedInput, length);
        out.raw(&self.body.to_bytes()).signature(&self.signature);
        out.words(&self.words);
        out.into_bytes()
    }

    /// Reads a framed message. The signature is not checked yet, nor the hash of the words.
    ///
    /// # Errors
    /// [`WireError`] for any other byte string, words that are not `d` many included.
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Self, WireError> {
        let mut reader = wire::unframe(bytes, MessageKind::MaskedInput, limits)?;
        let SignedInput { body, signature } = SignedInput::read(&mut reader, limits)?;
        let words = reader.words(body.dimension as usize)?;
        reader.finish()?;
        Ok(Self { body, signature, words })
    }
}
