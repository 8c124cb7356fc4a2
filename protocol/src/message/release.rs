//! Exchange 3, unmask: shares, once the survivor digest is agreed.
//!
//! Body: round_context, digest, slot u8, count u16, then in slot order per posted or dropped peer:
//! slot u8, kind u8, share. One kind of share a peer, never both, never one's own.

use std::fmt;

use blindsum_engine::{
    curve::Fq,
    roster::RoundContext,
    schnorr::{self, Kind, PublicKey, SecretKey, Signature},
};
use rand_core::CryptoRng;
use zeroize::Zeroize;

use crate::{
    error::{Fault, WireError},
    wire::{self, Limits, MessageKind, Reader, Writer},
};

/// Bytes of one share.
pub const SHARE_BYTES: usize = 1 + 1 + 32;
/// Payload bytes besides the shares.
pub const FIXED_BYTES: usize = 32 + 32 + 1 + 2 + 96;

/// What a share is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ShareKind {
    /// Of a posted peer's `b`.
    SelfMask = 0,
    /// Of a dropped peer's mask-key seed.
    MaskKey = 1,
    /// None: the peer's record did not open. The share is zero.
    Complaint = 2,
}

/// One share of a release.
#[derive(Clone, PartialEq, Eq)]
pub struct ReleasedShare {
    /// The peer whose secret it is a share of.
    pub peer: u8,
    /// Which secret.
    pub kind: ShareKind,
    /// The share.
    pub share: Fq,
}

impl fmt::Debug for ReleasedShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReleasedShare")
            .field("peer", &self.peer)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl Drop for ReleasedShare {
    fn drop(&mut self) {
        self.share.zeroize();
    }
}

/// A client's release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// The round.
    pub context: RoundContext,
    /// The survivor digest that the shares were released for.
    pub digest: [u8; 32],
    /// The releaser's slot.
    pub slot: u8,
    /// One share a posted or dropped peer, in slot order.
    pub shares: Vec<ReleasedShare>,
    /// The releaser's signature on all of the above.
    pub signature: Signature,
}

fn body(context: &RoundContext, digest: &[u8; 32], slot: u8, shares: &[ReleasedShare]) -> Vec<u8> {
    let mut out = Writer::with_capacity(FIXED_BYTES + SHARE_BYTES * shares.len());
    out.raw(context.as_bytes()).raw(digest).u8(slot).u16(shares.len() as u16);
    for share in shares {
        out.u8(share.peer).u8(share.kind as u8).fq(&share.share);
    }
    out.into_bytes()
}

impl Release {
    /// Signs a release.
    #[must_use]
    pub fn sign(
        key: &SecretKey,
        context: RoundContext,
        digest: [u8; 32],
        slot: u8,
        shares: Vec<ReleasedShare>,
        rng: &mut dyn CryptoRng,
    ) -> Self {
        let signature = schnorr::sign(key, Kind::Release, &body(&context, &digest, slot, &shares), rng);
        Self { context, digest, slot, shares, signature }
    }

    /// Checks the signature, the round and the digest. The shares are checked against their dealers'
    /// hashes by who holds the setups.
    ///
    /// # Errors
    /// The first [`Fault`] found.
    pub fn verify(&self, key: &PublicKey, context: &RoundContext, digest: &[u8; 32]) -> Result<(), Fault> {
        let body = body(&self.context, &self.digest, self.slot, &self.shares);
        schnorr::verify(key, Kind::Release, &body, &self.signature)
            .map_err(|_| Fault::BadSignature { message: MessageKind::Release })?;
        if self.context != *context || self.digest != *digest {
            return Err(Fault::WrongContext { message: MessageKind::Release });
        }
        Ok(())
    }

    /// The framed message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::new();
        out.raw(&body(&self.context, &self.digest, self.slot, &self.shares)).signature(&self.signature);
        wire::frame(MessageKind::Release, &out.into_bytes())
    }

    /// Reads a framed message.
    ///
    /// # Errors
    /// [`WireError`] for any other byte string: shares out of slot order, of the releaser itself, or a
    /// complaint with a share among them.
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Self, WireError> {
        let mut reader = wire::unframe(bytes, MessageKind::Release, limits)?;
        let context = reader.round_context()?;
        let digest = reader.array("digest")?;
        let slot = reader.slot("slot", limits.slots())?;
        let count = reader.count("shares", limits.slots() - 1, SHARE_BYTES)?;
        let mut shares: Vec<ReleasedShare> = Vec::with_capacity(count);
        for _ in 0..count {
            let share = read_share(&mut reader, limits)?;
            if share.peer == slot || shares.last().is_some_and(|last| last.peer >= share.peer) {
                return Err(WireError::Order { what: "shares" });
            }
            shares.push(share);
        }
        let signature = reader.signature()?;
        reader.finish()?;
        Ok(Self { context, digest, slot, shares, signature })
    }
}

fn read_share(reader: &mut Reader<'_>, limits: &Limits) -> Result<ReleasedShare, WireError> {
    let peer = reader.slot("peer", limits.slots())?;
    let kind = match reader.u8("share kind")? {
        0 => ShareKind::SelfMask,
        1 => ShareKind::MaskKey,
        2 => ShareKind::Complaint,
        got => return Err(WireError::Value { what: "share kind", got: got.into() }),
    };
    let share = reader.fq("share")?;
    if kind == ShareKind::Complaint && share != Fq::from(0u8) {
        return Err(WireError::Value { what: "share of a complaint", got: 1 });
    }
    Ok(ReleasedShare { peer, kind, share })
}
