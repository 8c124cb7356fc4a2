//! What clients are asked: signed, and the same bytes each time, since a client that is asked two
//! different things burns its setup.

use blindsum_engine::{
    roster::{Bitmap, Roster},
    schnorr::Signature,
};
use rand_core::CryptoRng;
use std::collections::BTreeMap;

use super::{Aggregator, Closed, Phase, Round};
use crate::{
    config::Mode,
    enrolment::Enrolment,
    error::{Misuse, ProtocolError},
    message::{
        request::{MaskRequest, SetupRequest, ShareKeyEvidence, UnmaskRequest},
        setup::PeerSetup,
    },
    wire::{Limits, MessageKind},
};

/// The newest signed share-encryption key of every client of a roster: first its enrolment's, then
/// the one that each of its setups announces. It outlives the sessions of an epoch.
#[derive(Debug, Clone, Default)]
pub struct ShareKeys {
    epoch: u64,
    keys: BTreeMap<u8, ShareKeyEvidence>,
}

impl ShareKeys {
    /// No keys yet, in `epoch`.
    #[must_use]
    pub const fn new(epoch: u64) -> Self {
        Self { epoch, keys: BTreeMap::new() }
    }

    /// Takes an enrolment and returns its slot. A newer key of the same client is kept.
    ///
    /// # Errors
    /// If it is no valid enrolment of a client of `roster` in this epoch.
    pub fn enrol(&mut self, message: &[u8], roster: &Roster) -> Result<u8, ProtocolError> {
        let enrolment = Enrolment::decode(message, &Limits::new(roster.size(), 0))?;
        enrolment.verify(roster, self.epoch)?;
        self.keys.entry(enrolment.slot).or_insert(ShareKeyEvidence::Enrolment(enrolment));
        Ok(enrolment.slot)
    }

    /// Takes the keys that a session's setups announce.
    pub fn learn(&mut self, session: &Aggregator) {
        let parameters = session.setup_parameters();
        if parameters.epoch != self.epoch {
            return;
        }
        for setup in session.setups.iter().flatten() {
            let signed = setup.signed;
            let evidence =
                ShareKeyEvidence::Setup { round: parameters.round, attempt: parameters.attempt, signed };
            let newer =
                self.keys.get(&signed.header.slot).is_none_or(|held| number(held) < number(&evidence));
            if newer {
                self.keys.insert(signed.header.slot, evidence);
            }
        }
    }

    /// The slots whose key is known.
    #[must_use]
    pub fn known(&self) -> Bitmap {
        self.keys.keys().copied().collect()
    }
}

/// The number of the key that a piece of evidence announces.
fn number(evidence: &ShareKeyEvidence) -> u64 {
    match evidence {
        ShareKeyEvidence::Enrolment(_) => 0,
        ShareKeyEvidence::Setup { signed, .. } => u64::from(signed.header.share_key_number) + 1,
    }
}

impl Aggregator {
    /// Exchange 1: asks `slot` for a setup.
    ///
    /// # Errors
    /// Once setup is closed; for a slot without a client; while the share key of a member of its
    /// group is unknown: every member must enrol before anybody can deal to it.
    pub fn setup_request(
        &mut self,
        slot: u8,
        share_keys: &ShareKeys,
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, ProtocolError> {
        if self.phase() != Phase::Setup {
            return Err(self.wrong_phase("setup_request"));
        }
        if self.roster.key(slot).is_none() {
            return Err(Misuse::UnknownSlot { slot }.into());
        }
        let keys = self
            .config()
            .peers(slot)
            .into_iter()
            .map(|peer| Ok((peer, *share_keys.keys.get(&peer).ok_or(Misuse::NoShareKey { slot: peer })?)))
            .collect::<Result<Vec<_>, Misuse>>()?;
        let request = match self.issued(MessageKind::SetupRequest, slot) {
            Some(signature) => {
                SetupRequest { parameters: self.parameters.clone(), share_keys: keys, signature }
            }
            None => SetupRequest::sign(&self.key, self.parameters.clone(), keys, rng),
        };
        self.issue(MessageKind::SetupRequest, slot, request.signature);
        Ok(request.encode())
    }

    /// Exchange 2: asks `slot` for its masked input.
    ///
    /// # Errors
    /// Outside the phase; for a slot that made no setup.
    pub fn mask_request(&mut self, slot: u8, rng: &mut dyn CryptoRng) -> Result<Vec<u8>, ProtocolError> {
        let issued = self.issued(MessageKind::MaskRequest, slot);
        let (Phase::MaskedInput, Some(round)) = (self.phase(), &self.round) else {
            return Err(self.wrong_phase("mask_request"));
        };
        if !self.set_up().get(slot) {
            return Err(Misuse::UnknownSlot { slot }.into());
        }
        let peers: Vec<PeerSetup> = self
            .config()
            .peers(slot)
            .into_iter()
            .filter_map(|peer| self.setups.get(usize::from(peer))?.as_ref()?.for_peer(slot))
            .collect();
        let (model, parameters, hashes) = (round.model, round.parameters.clone(), round.setup_hashes.clone());
        let context = self.setup_context;
        let request = match issued {
            Some(signature) => MaskRequest {
                setup_context: context,
                model,
                parameters,
                setup_hashes: hashes,
                peers,
                signature,
            },
            None => MaskRequest::sign(&self.key, context, model, parameters, hashes, peers, rng),
        };
        self.issue(MessageKind::MaskRequest, slot, request.signature);
        Ok(request.encode())
    }

    /// Strict mode, the fourth exchange: asks `slot` to sign the survivor digest.
    ///
    /// # Errors
    /// Outside strict mode; before posting is closed; for a slot that did not post, which has
    /// nothing to compare the digest with.
    pub fn digest_request(&mut self, slot: u8, rng: &mut dyn CryptoRng) -> Result<Vec<u8>, ProtocolError> {
        if self.config().mode() != Mode::Strict {
            return Err(self.wrong_phase("digest_request"));
        }
        // The kind of the answer tells its signature apart from that of the unmask request.
        self.digest_message(slot, MessageKind::DigestSignature, rng)
    }

    /// Exchange 3: asks `slot` to release its shares.
    ///
    /// # Errors
    /// Before the digest is agreed; for a slot that did not post: it releases nothing.
    pub fn unmask_request(&mut self, slot: u8, rng: &mut dyn CryptoRng) -> Result<Vec<u8>, ProtocolError> {
        if self.phase() != Phase::Release {
            return Err(self.wrong_phase("unmask_request"));
        }
        self.digest_message(slot, MessageKind::UnmaskRequest, rng)
    }

    fn digest_message(
        &mut self,
        slot: u8,
        answer: MessageKind,
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, ProtocolError> {
        let issued = self.issued(answer, slot);
        let Some((round, closed)) =
            self.round.as_ref().and_then(|round| Some((round, round.closed.as_ref()?)))
        else {
            return Err(self.wrong_phase("unmask_request"));
        };
        if !closed.digest.posted.get(slot) {
            return Err(Misuse::NotPosted { slot }.into());
        }
        let (digest, leaves) = (closed.digest, closed.leaves.clone());
        let complaints = self.complaints(round, closed, slot);
        let signatures = match (answer, &closed.quorum) {
            (MessageKind::UnmaskRequest, Some(quorum)) => quorum.clone(),
            _ => Vec::new(),
        };
        let request = match issued {
            Some(signature) => UnmaskRequest { digest, leaves, complaints, signatures, signature },
            None => UnmaskRequest::sign(&self.key, digest, leaves, complaints, signatures, rng),
        };
        self.issue(answer, slot, request.signature);
        Ok(request.encode())
    }

    /// The complaints of every posted member of the group of `slot`.
    fn complaints(&self, round: &Round, closed: &Closed, slot: u8) -> Vec<(u8, Bitmap)> {
        let members = self.config().group_of(slot).map_or(Bitmap::EMPTY, |group| group.members);
        members
            .intersection(&closed.digest.posted)
            .iter()
            .map(|member| (member, round.complaints_of(member)))
            .collect()
    }

    fn issued(&self, kind: MessageKind, slot: u8) -> Option<Signature> {
        self.issued.get(&(kind as u8, slot)).copied()
    }

    fn issue(&mut self, kind: MessageKind, slot: u8, signature: Signature) {
        self.issued.entry((kind as u8, slot)).or_insert(signature);
    }
}
