//! Between exchanges 2 and 3: the survivor digest, and the agreement on it that each mode asks for.

use std::collections::BTreeMap;

use blindsum_engine::{curve::Fr, roster::Bitmap, tree};
use rand_core::CryptoRng;

use super::{Absorbed, Aggregator, Closed, Phase, present};
use crate::{
    config::Mode,
    error::{Fault, Misuse, ProtocolError},
    message::digest::{DigestSignature, SurvivorDigest},
    wire::MessageKind,
};

/// What chain mode posts, before any share is released. The contract stores the digest once per
/// (round, attempt, cohort), with the bitmap and the leaves root that a certificate must match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestPosting {
    /// The survivor digest.
    pub digest: [u8; 32],
    /// The posted slots.
    pub posted: Bitmap,
    /// The root of the tree over the leaves.
    pub leaves_root: Fr,
    /// The hash of the listed setups.
    pub setup_root: [u8; 32],
}

impl Closed {
    /// Is the digest agreed, as far as the aggregator can tell?
    pub(super) fn agreed(&self, mode: Mode) -> bool {
        match mode {
            Mode::Chain => self.confirmed,
            Mode::Strict => self.quorum.is_some(),
            Mode::Curious => true,
        }
    }
}

impl Aggregator {
    /// Closes posting: later masked inputs are refused, and one digest of the whole cohort says
    /// who is in. Setups without a masked input are dropped from here on.
    ///
    /// # Errors
    /// In another phase.
    pub fn close_posting(&mut self, rng: &mut dyn CryptoRng) -> Result<DigestPosting, ProtocolError> {
        if self.phase() != Phase::MaskedInput {
            return Err(self.wrong_phase("close_posting"));
        }
        let slots = self.roster.size().slots();
        let Some(round) = &mut self.round else {
            return Err(Misuse::WrongPhase { verb: "close_posting", phase: Phase::Setup.name() }.into());
        };
        let leaves: Vec<Fr> = round
            .inputs
            .iter()
            .map(|input| input.as_ref().map_or(Fr::from(0u8), |input| input.body.leaf))
            .collect();
        let digest = SurvivorDigest::sign(
            &self.key,
            round.context,
            present(&round.inputs),
            tree::root(&leaves),
            round.setup_root,
            rng,
        );
        let posting = DigestPosting {
            digest: digest.digest(),
            posted: digest.posted,
            leaves_root: digest.leaves_root,
            setup_root: digest.setup_root,
        };
        tracing::info!(posted = digest.posted.count(), "posting closed");
        round.closed = Some(Closed {
            digest,
            leaves,
            confirmed: false,
            signatures: BTreeMap::new(),
            quorum: None,
            releases: vec![None; slots],
            shares: vec![BTreeMap::new(); slots],
        });
        Ok(posting)
    }

    /// The survivor digest with the aggregator's signature; `None` until posting is closed.
    #[must_use]
    pub fn survivor_digest(&self) -> Option<&SurvivorDigest> {
        self.closed().map(|closed| &closed.digest)
    }

    /// Chain mode: the digest is on the chain. Each client still reads the chain for itself.
    ///
    /// # Errors
    /// In another phase or mode, or if another digest is on the chain.
    pub fn confirm_posted(&mut self, digest: &[u8; 32]) -> Result<(), ProtocolError> {
        if self.config().mode() != Mode::Chain || self.phase() != Phase::Agreement {
            return Err(self.wrong_phase("confirm_posted"));
        }
        let phase = self.phase().name();
        let Some(closed) = self.round.as_mut().and_then(|round| round.closed.as_mut()) else {
            return Err(Misuse::WrongPhase { verb: "confirm_posted", phase }.into());
        };
        if closed.digest.digest() != *digest {
            return Err(Misuse::ForeignDigest.into());
        }
        closed.confirmed = true;
        Ok(())
    }

    pub(super) fn absorb_digest_signature(&mut self, bytes: &[u8]) -> Result<Absorbed, ProtocolError> {
        let (phase, config) = (self.phase(), &self.parameters.config);
        let quorum = config.strict_quorum();
        let strict = config.mode() == Mode::Strict;
        let verb = Misuse::WrongPhase { verb: "digest signature", phase: phase.name() };
        let Some(round) = self.round.as_mut() else { return Err(verb.into()) };
        let message = DigestSignature::decode(bytes, &round.limits)?;
        let slot = message.slot;
        let bad = |reason| Err(ProtocolError::bad(slot, reason));
        let Some(closed) = round.closed.as_mut().filter(|_| strict) else {
            return bad(Fault::WrongPhase { message: MessageKind::DigestSignature, phase });
        };
        let Some(key) = self.roster.key(slot) else { return bad(Fault::UnknownSlot) };
        message.verify(key).map_err(|reason| ProtocolError::bad(slot, reason))?;
        if message.digest != closed.digest.digest() {
            return bad(Fault::WrongContext { message: MessageKind::DigestSignature });
        }
        if closed.signatures.contains_key(&slot) {
            return bad(Fault::Duplicate { message: MessageKind::DigestSignature });
        }
        closed.signatures.insert(slot, message.signature);
        // Fixed at the first quorum: a request that is sent again must be the same request.
        if closed.quorum.is_none() && closed.signatures.len() >= quorum {
            closed.quorum =
                Some(closed.signatures.iter().map(|(slot, signature)| (*slot, *signature)).collect());
        }
        Ok(Absorbed::DigestSignature { slot })
    }
}
