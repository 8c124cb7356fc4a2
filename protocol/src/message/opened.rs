//! After the round: a client's word that it has seen the published sum and that it opens.
//!
//! A certificate does not show that anybody knows the sum; payment is final when a threshold of
//! clients sign this. Body: round_context, slot u8, SHA-256 of the opening's bytes (the sum is
//! public, so a plain hash of it says nothing new).

use blindsum_engine::{
    roster::RoundContext,
    schnorr::{self, Kind, PublicKey, SecretKey, Signature},
};
use rand_core::CryptoRng;

use crate::{
    error::{Fault, WireError},
    wire::{self, Limits, MessageKind, Writer},
};

/// Payload bytes.
pub const OPENED_BYTES: usize = 32 + 1 + 32 + 96;

/// A client's word that the published sum of a cohort opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// The round.
    pub context: RoundContext,
    /// The client's slot.
    pub slot: u8,
    /// SHA-256 of the opening's bytes.
    pub opening_hash: [u8; 32],
    /// The client's signature on all of the above.
    pub signature: Signature,
}

fn body(context: &RoundContext, slot: u8, opening_hash: &[u8; 32]) -> Vec<u8> {
    let mut out = Writer::with_capacity(OPENED_BYTES);
    out.raw(context.as_bytes()).u8(slot).raw(opening_hash);
    out.into_bytes()
}

impl Opened {
    /// Signs for an opening that the caller has checked.
    #[must_use]
    pub fn sign(
        key: &SecretKey,
        context: RoundContext,
        slot: u8,
        opening_hash: [u8; 32],
        rng: &mut dyn CryptoRng,
    ) -> Self {
        let signature = schnorr::sign(key, Kind::Opened, &body(&context, slot, &opening_hash), rng);
        Self { context, slot, opening_hash, signature }
    }

    /// Checks the signature.
    ///
    /// # Errors
    /// [`Fault::BadSignature`].
    pub fn verify(&self, key: &PublicKey) -> Result<(), Fault> {
        schnorr::verify(
            key,
            Kind::Opened,
            &body(&self.context, self.slot, &self.opening_hash),
            &self.signature,
        )
        .map_err(|_| Fault::BadSignature { message: MessageKind::Opened })
    }

    /// The framed message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(OPENED_BYTES);
        out.raw(&body(&self.context, self.slot, &self.opening_hash)).signature(&self.signature);
        wire::frame(MessageKind::Opened, &out.into_bytes())
    }

    /// Reads a framed message.
    ///
    /// # Errors
    /// [`WireError`] for any other byte string.
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Self, WireError> {
        let mut reader = wire::unframe(bytes, MessageKind::Opened, limits)?;
        let opened = Self {
            context: reader.round_context()?,
            slot: reader.slot("slot", limits.slots())?,
            opening_hash: reader.array("opening hash")?,
            signature: reader.signature()?,
        };
        reader.finish()?;
        Ok(opened)
    }
}
