//! The client's third exchange, and strict mode's extra one: agree on the survivors, release shares.

use blindsum_engine::{
    backend::Backend,
    bases::Bases,
    curve::{Fq, Point, fr_to_bytes},
    opening::{Opening, OpeningBounds, OpeningError, check_opening},
    roster::{Bitmap, RoundContext},
    schnorr::{self, Kind, Signature},
};
use rand_core::CryptoRng;
use sha2::{Digest, Sha256};

use super::{
    Client,
    state::{Masked, Phase, ReleasedModel, Round},
};
use crate::{
    config::{Group, Mode},
    contexts::RoundParameters,
    error::{ProtocolError, Refusal},
    message::{
        digest::{DigestSignature, check_leaves},
        opened::Opened,
        release::{Release, ReleasedShare, ShareKind},
        request::UnmaskRequest,
    },
};

/// What the client's own provider reads from the chain for this cohort. Never the aggregator's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainView {
    /// The survivor digest that the contract stores for the round, attempt and cohort.
    pub digest: [u8; 32],
    /// Is it final by the client's own rule?
    pub is_final: bool,
    /// Is the round's posting closed: every cohort posted, or the deadline passed?
    pub posting_closed: bool,
}

impl Client {
    /// Strict mode's exchange: answers an unmask request without signatures with a signature on its
    /// digest. One digest a round, for good.
    ///
    /// # Errors
    /// A [`Refusal`] where a check of the digest fails; [`Refusal::WrongEvidence`] in other modes;
    /// [`Refusal::DifferentRequest`] for a second digest burns the setup.
    #[tracing::instrument(level = "debug", skip_all, fields(slot = self.slot))]
    pub fn sign_digest(&mut self, request: &[u8], rng: &mut dyn CryptoRng) -> Result<Vec<u8>, ProtocolError> {
        let own = self.policy.mode;
        if own != Mode::Strict {
            return Err(Refusal::WrongEvidence { own, got: "a request for a digest signature" }.into());
        }
        let (request, index) = self.open_request(request)?;
        let digest = request.digest.digest();
        let round = &self.state.rounds[index];
        let masked = match &round.phase {
            Phase::Masked(masked) => masked,
            Phase::Released { .. } => return Err(Refusal::AlreadyReleased.into()),
            Phase::SetUp(_) | Phase::Burnt => return Err(Refusal::NotMasked.into()),
        };
        if let Some((signed, message)) = &masked.signed {
            return if *signed == digest {
                Ok(message.clone())
            } else {
                Err(self.burn(index, "digest signature"))
            };
        }
        // A signature agrees to a view and releases nothing: a client whose own group has failed signs
        // too, or one failed group could deny the whole cohort its quorum.
        self.check_digest(&request, round, masked)?;
        let message = DigestSignature::sign(&self.key, self.slot, digest, rng).encode();
        let mut next = self.state.clone();
        if let Phase::Masked(masked) = &mut next.rounds[index].phase {
            masked.signed = Some((digest, message.clone()));
        }
        self.commit(next)?;
        Ok(message)
    }

    /// Answers an unmask request with a release: for each other member of the group with a setup, a
    /// share of its self-mask secret if it posted, of its mask-key seed if it did not.
    ///
    /// `chain` is given in chain mode and only there; in strict mode the request carries the clients'
    /// signatures.
    ///
    /// # Errors
    /// A [`Refusal`] where a check fails, among them that the client itself is no survivor, that the
    /// digest is not agreed in the client's own mode, or that the model was released before;
    /// [`Refusal::DifferentRequest`] for a digest other than the one signed burns the setup.
    #[tracing::instrument(level = "debug", skip_all, fields(slot = self.slot))]
    pub fn unmask(
        &mut self,
        request: &[u8],
        chain: Option<&ChainView>,
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, ProtocolError> {
        let (request, index) = self.open_request(request)?;
        let digest = request.digest.digest();
        let round = &self.state.rounds[index];
        let masked = match &round.phase {
            Phase::Masked(masked) => masked,
            Phase::Released { digest: released, message, .. } => {
                let refusal = Refusal::AlreadyReleased;
                return if *released == digest { Ok(message.clone()) } else { Err(refusal.into()) };
            }
            Phase::SetUp(_) | Phase::Burnt => return Err(Refusal::NotMasked.into()),
        };
        if masked.signed.as_ref().is_some_and(|(signed, _)| *signed != digest) {
            return Err(self.burn(index, "unmask"));
        }
        let group = self.check_survivors(&request, round, masked)?;
        self.check_agreed(&request, round, &digest, chain)?;
        let posted = request.digest.posted.intersection(&group.members);
        let released = self.check_model(round, masked, &group, &posted)?;

        let shares = self.shares(masked, &group, &posted);
        let context = masked.round_context;
        let message = Release::sign(&self.key, context, digest, self.slot, shares, rng).encode();
        let mut next = self.state.clone();
        next.released.retain(|entry| entry.model != released.model);
        next.released.push(released);
        next.rounds[index].phase =
            Phase::Released { round_context: context, digest, message: message.clone() };
        self.commit(next)?;
        Ok(message)
    }

    /// Says, signed, that the published sum of a cohort opens the commitment of its certificate and is
    /// in range: what payment waits for, since a certificate does not show that anybody knows the sum.
    ///
    /// `commitment` and `participants` are those of the accepted certificate. Changes no state.
    ///
    /// # Errors
    /// [`Refusal::NotMasked`] for a round the client took no part in, [`Refusal::DoesNotOpen`]; a failure of the
    /// device.
    #[expect(clippy::too_many_arguments, reason = "each is a part of the published result")]
    pub fn attest_opened(
        &self,
        context: &RoundContext,
        own: &RoundParameters,
        bases: &Bases,
        backend: &dyn Backend,
        participants: &Bitmap,
        commitment: &Point,
        opening: &Opening,
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, ProtocolError> {
        self.find_round(context)?;
        let bounds = OpeningBounds {
            bits: own.bits,
            w_min: own.w_min,
            w_max: own.w_max,
            participants: participants.count() as u32,
            dp_bound: own.dp.bound,
        };
        check_opening(backend, bases, &bounds, commitment, opening).map_err(|error| match error {
            OpeningError::Engine(error) => ProtocolError::from(error),
            error => Refusal::DoesNotOpen { reason: error.to_string() }.into(),
        })?;
        let hash = Sha256::digest(opening.to_bytes()).into();
        Ok(Opened::sign(&self.key, *context, self.slot, hash, rng).encode())
    }

    fn open_request(&self, request: &[u8]) -> Result<(UnmaskRequest, usize), ProtocolError> {
        let request = UnmaskRequest::decode(request, &self.limits(0))?;
        request.verify(&self.policy.aggregator)?;
        request.digest.verify(&self.policy.aggregator).map_err(|_| Refusal::UnsignedDigest)?;
        let index = self.find_round(&request.digest.context)?;
        Ok((request, index))
    }

    /// The checks of the digest that do not depend on the mode: it is the client's own view of the
    /// whole cohort. Returns the client's group.
    fn check_digest(
        &self,
        request: &UnmaskRequest,
        round: &Round,
        masked: &Masked,
    ) -> Result<Group, ProtocolError> {
        let digest = &request.digest;
        let config = &round.parameters.config;
        let slots = config.size().slots();
        if digest.setup_root != masked.setup_root {
            return Err(Refusal::DigestMismatch { what: "list of setups" }.into());
        }
        if request.leaves.len() != slots {
            return Err(Refusal::LeafCount { expected: slots, got: request.leaves.len() }.into());
        }
        if !digest.posted.get(self.slot) {
            return Err(Refusal::NotPosted.into());
        }
        let own_leaf = request.leaves.get(usize::from(self.slot)).map(fr_to_bytes);
        if own_leaf != Some(fr_to_bytes(&masked.leaf)) {
            return Err(Refusal::OwnLeaf.into());
        }
        check_leaves(&request.leaves, &digest.posted, &digest.leaves_root, slots).map_err(
            |slot| match slot {
                Some(slot) => Refusal::LeafBit { slot },
                None => Refusal::DigestMismatch { what: "tree of leaves" },
            },
        )?;
        if let Some(slot) = digest.posted.difference(&masked.listed).iter().next() {
            return Err(Refusal::PostedWithoutSetup { slot }.into());
        }
        self.group(&round.parameters)
    }

    /// [`Self::check_digest`], and what the client's own group needs before anybody releases.
    fn check_survivors(
        &self,
        request: &UnmaskRequest,
        round: &Round,
        masked: &Masked,
    ) -> Result<Group, ProtocolError> {
        let group = self.check_digest(request, round, masked)?;
        let posted = request.digest.posted.intersection(&group.members);
        if posted.count() < usize::from(group.effective_floor()) {
            return Err(
                Refusal::TooFewPosted { posted: posted.count(), floor: group.effective_floor() }.into()
            );
        }
        self.check_complaints(&request.complaints, masked, &group, &posted)?;
        Ok(group)
    }

    /// Each member with a setup keeps at least `t` posted holders that did not complain of it.
    fn check_complaints(
        &self,
        complaints: &[(u8, Bitmap)],
        masked: &Masked,
        group: &Group,
        posted: &Bitmap,
    ) -> Result<(), Refusal> {
        let dealers = masked.listed.intersection(&group.members);
        let from: Bitmap = complaints.iter().map(|(slot, _)| *slot).collect();
        let out_of_place = from.difference(posted).union(&posted.difference(&from));
        if let Some(slot) = out_of_place.iter().next() {
            return Err(Refusal::Complaints { slot });
        }
        for (slot, about) in complaints {
            let own = *slot == self.slot;
            if about.get(*slot) || !about.is_subset(&dealers) || (own && *about != masked.complaints) {
                return Err(Refusal::Complaints { slot: *slot });
            }
        }
        for dealer in dealers.iter() {
            let holds = |(slot, about): &&(u8, Bitmap)| *slot != dealer && !about.get(dealer);
            let holders = complaints.iter().filter(holds).count();
            if holders < usize::from(group.threshold) {
                return Err(Refusal::TooFewHolders { slot: dealer, holders, threshold: group.threshold });
            }
        }
        Ok(())
    }

    /// The digest is agreed on, in the way that the client's own mode asks for.
    fn check_agreed(
        &self,
        request: &UnmaskRequest,
        round: &Round,
        digest: &[u8; 32],
        chain: Option<&ChainView>,
    ) -> Result<(), Refusal> {
        let own = self.policy.mode;
        if own != Mode::Chain && chain.is_some() {
            return Err(Refusal::WrongEvidence { own, got: "a reading of a chain" });
        }
        if own != Mode::Strict && !request.signatures.is_empty() {
            return Err(Refusal::WrongEvidence { own, got: "a set of digest signatures" });
        }
        match own {
            Mode::Curious => Ok(()),
            Mode::Chain => {
                let view = chain.ok_or(Refusal::NoChainView)?;
                if view.digest != *digest {
                    return Err(Refusal::ChainDigest);
                }
                if !view.is_final {
                    return Err(Refusal::NotFinal);
                }
                if view.posting_closed { Ok(()) } else { Err(Refusal::PostingOpen) }
            }
            Mode::Strict => {
                self.check_quorum(&request.signatures, digest, round.parameters.config.strict_quorum())
            }
        }
    }

    /// At least `quorum` distinct clients of the cohort signed the digest; every signature must hold.
    fn check_quorum(
        &self,
        signatures: &[(u8, Signature)],
        digest: &[u8; 32],
        quorum: usize,
    ) -> Result<(), Refusal> {
        let mut signers = Bitmap::EMPTY;
        for (slot, signature) in signatures {
            let bad = Refusal::BadDigestSignature { slot: *slot };
            let key = self.roster.key(*slot).filter(|_| !signers.get(*slot)).ok_or(bad.clone())?;
            schnorr::verify(key, Kind::DigestClient, digest, signature).map_err(|_| bad)?;
            signers.set(*slot, true);
        }
        if signers.count() < quorum {
            Err(Refusal::NoQuorum { got: signers.count(), quorum })
        } else {
            Ok(())
        }
    }

    /// One release a model, or the one exception that the policy may allow. Returns what to record.
    fn check_model(
        &self,
        round: &Round,
        masked: &Masked,
        group: &Group,
        posted: &Bitmap,
    ) -> Result<ReleasedModel, Refusal> {
        let roster_root = round.parameters.roster_root;
        let members = group.members;
        let Some(first) = self.state.released.iter().find(|released| released.model == masked.model) else {
            return Ok(ReleasedModel {
                model: masked.model,
                roster_root,
                members,
                posted: *posted,
                twice: false,
            });
        };
        // Survivors of another roster or group cannot be compared slot by slot.
        let comparable = first.roster_root == roster_root && first.members == members;
        if !self.policy.second_release || first.twice || !comparable {
            return Err(Refusal::ModelReleased);
        }
        let differing = first.posted.difference(posted).union(&posted.difference(&first.posted)).count();
        if differing != 0 && differing < usize::from(self.policy.min_group) {
            return Err(Refusal::TooClose { got: differing, floor: self.policy.min_group });
        }
        Ok(ReleasedModel { twice: true, ..*first })
    }

    /// One kind of share a listed peer of the group, in slot order.
    fn shares(&self, masked: &Masked, group: &Group, posted: &Bitmap) -> Vec<ReleasedShare> {
        let listed = masked.listed.intersection(&group.members);
        let share_of = |peer: u8| {
            let pair = masked.shares.iter().find(|(slot, _)| *slot == peer).map(|(_, pair)| pair);
            match pair {
                None => ReleasedShare { peer, kind: ShareKind::Complaint, share: Fq::from(0u8) },
                Some(pair) if posted.get(peer) => {
                    ReleasedShare { peer, kind: ShareKind::SelfMask, share: pair.self_mask }
                }
                Some(pair) => ReleasedShare { peer, kind: ShareKind::MaskKey, share: pair.mask_key },
            }
        };
        listed.iter().filter(|peer| *peer != self.slot).map(share_of).collect()
    }
}
