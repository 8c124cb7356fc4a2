//! The survivor digest: one per cohort, agreed on before anybody releases a share.
//!
//! `digest = H("digest"; round_context, posted, leaves_root, setup_root)`, signed as body by the
//! aggregator, and by the clients in strict mode.

use blindsum_engine::{
    curve::Fr,
    domain::Label,
    hash::hash,
    roster::{Bitmap, RoundContext},
    schnorr::{self, Kind, PublicKey, SecretKey, Signature},
    tree,
};
use rand_core::CryptoRng;

use crate::{
    error::{Fault, WireError},
    wire::{self, Limits, MessageKind, Reader, Writer},
};

/// Payload bytes of a survivor digest.
pub const SURVIVOR_DIGEST_BYTES: usize = 4 * 32 + 96;
/// Payload bytes of a digest signature.
pub const DIGEST_SIGNATURE_BYTES: usize = 1 + 32 + 96;

/// Who posted, under which leaves, with the aggregator's signature. The message carries what the
/// digest hashes; the signature is on the digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SurvivorDigest {
    /// The round.
    pub context: RoundContext,
    /// The slots whose masked input was posted.
    pub posted: Bitmap,
    /// Root of the leaves, zero where nothing was posted.
    pub leaves_root: Fr,
    /// The setups of the round.
    pub setup_root: [u8; 32],
    /// The aggregator's signature on the digest.
    pub signature: Signature,
}

impl SurvivorDigest {
    /// Signs the digest of a cohort.
    #[must_use]
    pub fn sign(
        key: &SecretKey,
        context: RoundContext,
        posted: Bitmap,
        leaves_root: Fr,
        setup_root: [u8; 32],
        rng: &mut dyn CryptoRng,
    ) -> Self {
        let digest = survivor_digest(&context, &posted, &leaves_root, &setup_root);
        let signature = schnorr::sign(key, Kind::DigestAggregator, &digest, rng);
        Self { context, posted, leaves_root, setup_root, signature }
    }

    /// The digest itself.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        survivor_digest(&self.context, &self.posted, &self.leaves_root, &self.setup_root)
    }

    /// Checks the aggregator's signature.
    ///
    /// # Errors
    /// [`Fault::BadSignature`].
    pub fn verify(&self, aggregator: &PublicKey) -> Result<(), Fault> {
        schnorr::verify(aggregator, Kind::DigestAggregator, &self.digest(), &self.signature)
            .map_err(|_| Fault::BadSignature { message: MessageKind::SurvivorDigest })
    }

    pub(crate) fn write(&self, out: &mut Writer) {
        out.raw(self.context.as_bytes()).bitmap(&self.posted).fr(&self.leaves_root).raw(&self.setup_root);
        out.signature(&self.signature);
    }

    pub(crate) fn read(reader: &mut Reader<'_>, limits: &Limits) -> Result<Self, WireError> {
        Ok(Self {
            context: reader.round_context()?,
            posted: reader.bitmap("posted slots", limits.slots())?,
            leaves_root: reader.fr("leaves root")?,
            setup_root: reader.array("setup root")?,
            signature: reader.signature()?,
        })
    }

    /// The framed message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(SURVIVOR_DIGEST_BYTES);
        self.write(&mut out);
        wire::frame(MessageKind::SurvivorDigest, &out.into_bytes())
    }

    /// Reads a framed message.
    ///
    /// # Errors
    /// [`WireError`] for any other byte string.
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Self, WireError> {
        let mut reader = wire::unframe(bytes, MessageKind::SurvivorDigest, limits)?;
        let digest = Self::read(&mut reader, limits)?;
        reader.finish()?;
        Ok(digest)
    }
}

/// `H("digest"; round_context, posted, leaves_root, setup_root)`.
#[must_use]
pub fn survivor_digest(
    context: &RoundContext,
    posted: &Bitmap,
    leaves_root: &Fr,
    setup_root: &[u8; 32],
) -> [u8; 32] {
    let mut out = Writer::with_capacity(4 * 32);
    out.raw(context.as_bytes()).bitmap(posted).fr(leaves_root).raw(setup_root);
    hash(Label::Digest, &[&out.into_bytes()])
}

/// Checks that the leaves are zero exactly where nothing was posted, and hash to the root.
///
/// # Errors
/// `Err(Some(slot))` where leaf and bit disagree, `Err(None)` for another root or number of leaves.
pub fn check_leaves(leaves: &[Fr], posted: &Bitmap, root: &Fr, slots: usize) -> Result<(), Option<u8>> {
    if leaves.len() != slots {
        return Err(None);
    }
    let zero = Fr::from(0u8);
    let disagrees = |(slot, leaf): &(usize, &Fr)| (**leaf != zero) != posted.get(*slot as u8);
    if let Some((slot, _)) = leaves.iter().enumerate().find(disagrees) {
        return Err(Some(slot as u8));
    }
    if tree::root(leaves) == *root { Ok(()) } else { Err(None) }
}

/// A client's signature on a survivor digest. The signature is on the digest alone, so that all
/// clients sign the same bytes; the slot says whose key to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DigestSignature {
    /// The signer's slot.
    pub slot: u8,
    /// The digest.
    pub digest: [u8; 32],
    /// The signature.
    pub signature: Signature,
}

impl DigestSignature {
    /// Signs a digest.
    #[must_use]
    pub fn sign(key: &SecretKey, slot: u8, digest: [u8; 32], rng: &mut dyn CryptoRng) -> Self {
        Self { slot, digest, signature: schnorr::sign(key, Kind::DigestClient, &digest, rng) }
    }

    /// Checks the signature.
    ///
    /// # Errors
    /// [`Fault::BadSignature`].
    pub fn verify(&self, key: &PublicKey) -> Result<(), Fault> {
        schnorr::verify(key, Kind::DigestClient, &self.digest, &self.signature)
            .map_err(|_| Fault::BadSignature { message: MessageKind::DigestSignature })
    }

    /// The framed message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(DIGEST_SIGNATURE_BYTES);
        out.u8(self.slot).raw(&self.digest).signature(&self.signature);
        wire::frame(MessageKind::DigestSignature, &out.into_bytes())
    }

    /// Reads a framed message.
    ///
    /// # Errors
    /// [`WireError`] for any other byte string.
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Self, WireError> {
        let mut reader = wire::unframe(bytes, MessageKind::DigestSignature, limits)?;
        let slot = reader.slot("slot", limits.slots())?;
        let signature = Self { slot, digest: reader.array("digest")?, signature: reader.signature()? };
        reader.finish()?;
        Ok(signature)
    }
}
