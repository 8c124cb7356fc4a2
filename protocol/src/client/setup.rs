//! The client's first exchange: deal shares of two fresh secrets to the members of its group.

use blindsum_engine::curve::random_fq;
use rand_core::CryptoRng;

use super::{
    Client, KEPT_ROUNDS,
    state::{Phase, Round, SetUp},
};
use crate::{
    contexts::SetupParameters,
    error::{ProtocolError, Refusal},
    keys::{self, AnnouncedKeys},
    message::{
        release::ShareKind,
        request::SetupRequest,
        setup::{Record, Setup, SetupHeader, SignedSetup},
    },
    seal::{ShareBoxBinding, SharePair},
    shamir,
};

/// A peer's share-encryption key, with its number.
type PeerKey = (u8, u32, [u8; 32]);

impl Client {
    /// Answers a setup request with a setup message.
    ///
    /// # Errors
    /// A [`Refusal`] where the request is unsigned, foreign, stale, below a floor of the client's
    /// policy, or names no signed share key for a member of the group.
    #[tracing::instrument(level = "debug", skip_all, fields(slot = self.slot))]
    pub fn setup(&mut self, request: &[u8], rng: &mut dyn CryptoRng) -> Result<Vec<u8>, ProtocolError> {
        let request = SetupRequest::decode(request, &self.limits(0))?;
        request.verify(&self.policy.aggregator)?;
        self.check_parameters(&request.parameters)?;
        let context = request.parameters.context();
        if let Ok(index) = self.find(&context) {
            return match &self.state.rounds[index].phase {
                Phase::SetUp(setup) => Ok(setup.message.clone()),
                Phase::Masked(masked) => Ok(masked.setup_message.clone()),
                Phase::Released { .. } => Err(Refusal::AlreadyReleased.into()),
                Phase::Burnt => Err(Refusal::Burnt.into()),
            };
        }
        let at = (request.parameters.round, request.parameters.attempt);
        if self.state.erased.is_some_and(|erased| at <= erased) {
            return Err(Refusal::Stale.into());
        }
        let peers = self.peer_keys(&request)?;

        let mut next = self.state.clone();
        let enrolled = next.enrolled.as_mut().ok_or(crate::Misuse::NotEnrolled)?;
        let announced = enrolled.ring.advance(rng);
        let dealer_secret =
            enrolled.ring.secret(announced.number).expect("the ring keeps the last two").clone();
        peers.iter().for_each(|(slot, number, key)| enrolled.learn(*slot, *number, *key));
        let setup = self.deal(&request.parameters, &peers, announced, &dealer_secret, rng)?;
        let message = setup.message.clone();
        next.push_round(
            Round { context, parameters: request.parameters, phase: Phase::SetUp(setup) },
            KEPT_ROUNDS,
        );
        self.commit(next)?;
        Ok(message)
    }

    /// The newest signed share key of every other member: from the request or from memory.
    fn peer_keys(&self, request: &SetupRequest) -> Result<Vec<PeerKey>, ProtocolError> {
        let parameters = &request.parameters;
        let enrolled = self.enrolled()?;
        let newest = |slot: u8| -> Result<PeerKey, Refusal> {
            let known = enrolled.peer_key(slot);
            let shown = match request.share_keys.iter().find(|(of, _)| *of == slot) {
                Some((_, evidence)) => Some(evidence.verify(slot, parameters, &self.roster)?),
                None => None,
            };
            let (number, key) = known
                .into_iter()
                .chain(shown)
                .max_by_key(|(number, _)| *number)
                .ok_or(Refusal::NoShareKey { slot })?;
            Ok((slot, number, key))
        };
        Ok(parameters.config.peers(self.slot).into_iter().map(newest).collect::<Result<_, _>>()?)
    }

    /// Fresh secrets, shared among the peers.
    fn deal(
        &self,
        parameters: &SetupParameters,
        peers: &[PeerKey],
        announced: AnnouncedKeys,
        dealer_secret: &x25519_dalek::StaticSecret,
        rng: &mut dyn CryptoRng,
    ) -> Result<SetUp, ProtocolError> {
        let (context, slot) = (parameters.context(), self.slot);
        let threshold = self.group(parameters)?.threshold;
        let mut setup = SetUp {
            self_secret: random_fq(rng),
            mask_seed: random_fq(rng),
            hash: [0; 32],
            message: Vec::new(),
        };
        let slots: Vec<u8> = peers.iter().map(|(slot, ..)| *slot).collect();
        let self_shares = shamir::share(&setup.self_secret, threshold, &slots, rng);
        let mask_shares = shamir::share(&setup.mask_seed, threshold, &slots, rng);
        let mut records = Vec::with_capacity(peers.len());
        for ((receiver, key_number, receiver_key), (self_share, mask_share)) in
            peers.iter().zip(self_shares.into_iter().zip(mask_shares))
        {
            let pair = SharePair { self_mask: self_share.1, mask_key: mask_share.1 };
            let binding = ShareBoxBinding {
                context,
                dealer: slot,
                receiver: *receiver,
                dealer_key: announced.key,
                receiver_key: *receiver_key,
            };
            let (nonce, sealed) =
                binding.seal(dealer_secret, &pair, rng).ok_or(Refusal::BadShareKey { slot: *receiver })?;
            let hash = |kind, share| keys::share_hash(&context, slot, *receiver, kind, share);
            records.push(Record {
                receiver: *receiver,
                key_number: *key_number,
                self_share_hash: hash(ShareKind::SelfMask, &pair.self_mask),
                mask_share_hash: hash(ShareKind::MaskKey, &pair.mask_key),
                nonce,
                sealed,
            });
        }
        let header = SetupHeader {
            context,
            slot,
            mask_key: keys::x25519_public(&keys::mask_secret(&setup.mask_seed, &context, slot)),
            self_seed_hash: keys::self_seed_hash(&setup.self_secret, &context, slot),
            share_key_number: announced.number,
            share_key: announced.key,
            next_share_key: announced.next,
        };
        let signed = SignedSetup::sign(&self.key, header, &records, rng);
        setup.hash = signed.hash();
        setup.message = Setup { signed, records }.encode();
        Ok(setup)
    }
}
