//! The client's second exchange: commit, sign, seal and mask.
//!
//! `y_i = x_i + PRG(b_i) + sum_{j>i} PRG(s_ij) - sum_{j<i} PRG(s_ij)  (mod 2^32)` over the peers that
//! the setup list names, and `r_i` masked likewise modulo q. The peer set is what the list says:
//! a peer whose record does not open is complained of, and its mask applied.

use blindsum_engine::{
    backend::Backend,
    bases::Bases,
    curve::Fr,
    mask::{MaskKey, SignedMask},
    pedersen::commit,
    quantize::Quantized,
    roster::{Bitmap, RoundContext, SetupContext},
    schnorr::sign_commitment,
    secret::Blinding,
};
use rand_core::CryptoRng;
use zeroize::Zeroize;

use super::{
    Client,
    state::{Masked, Phase, Round, SetUp},
};
use crate::{
    contexts::{ModelDigest, RoundParameters, SetupParameters},
    error::{Fault, Misuse, ProtocolError, Refusal},
    keys,
    message::{
        masked_input::{MaskedInput, MaskedInputBody, SealedCommitment, words_hash},
        release::ShareKind,
        request::MaskRequest,
        setup::{PeerSetup, setup_root},
    },
    seal::{ShareBoxBinding, SharePair, seal_commitment},
};

impl Client {
    /// Answers a mask request with a masked input.
    ///
    /// `model` is the digest of the model the client trained on, which it computed itself, and `own`
    /// are the parameters it agrees to; the request's must equal both. Asked again with the same
    /// round context it gives the stored bytes, whatever `vector` is now.
    ///
    /// # Errors
    /// A [`Refusal`] where the request differs from the client's own view, the setup list is wrong or
    /// names fewer than `t` peers, or the model was released before;
    /// [`Refusal::DifferentRequest`] burns the setup. [`Misuse`] where `vector` or `bases` do not have
    /// the round's shape.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is an input of the design's step 2; none is optional"
    )]
    #[tracing::instrument(level = "debug", skip_all, fields(slot = self.slot, d = own.dimension))]
    pub fn mask(
        &mut self,
        request: &[u8],
        model: &ModelDigest,
        own: &RoundParameters,
        vector: &Quantized,
        bases: &Bases,
        backend: &dyn Backend,
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, ProtocolError> {
        let request = MaskRequest::decode(request, &self.limits(own.dimension))?;
        request.verify(&self.policy.aggregator)?;
        if request.model != *model {
            return Err(Refusal::OtherModel.into());
        }
        if let Some(what) = own.first_difference(&request.parameters) {
            return Err(Refusal::OtherParameter { what }.into());
        }
        if own.aggregator != self.policy.aggregator {
            return Err(Refusal::OtherParameter { what: "aggregator key" }.into());
        }
        let index = self.find(&request.setup_context)?;
        let root = setup_root(&request.setup_hashes);
        let context = own.context(&request.setup_context, model, &root);
        let round = &self.state.rounds[index];
        let setup = match &round.phase {
            Phase::SetUp(setup) => setup,
            Phase::Masked(masked) if masked.round_context == context => return Ok(masked.message.clone()),
            Phase::Masked(_) => return Err(self.burn(index, "mask")),
            Phase::Released { .. } => return Err(Refusal::AlreadyReleased.into()),
            Phase::Burnt => return Err(Refusal::Burnt.into()),
        };
        if !self.policy.second_release && self.state.released.iter().any(|released| released.model == *model)
        {
            return Err(Refusal::ModelReleased.into());
        }
        check_vector(own, &round.parameters, vector, bases)?;
        let listed = self.check_setup_list(&request, round, setup)?;
        let (shares, complaints) = self.open_records(&request.peers, &round.parameters)?;
        let inputs = Inputs {
            setup_context: round.context,
            context,
            setup,
            peers: &request.peers,
            complaints,
            own,
            vector,
            bases,
            backend,
        };
        let (message, leaf) = self.masked_input(&inputs, rng)?;

        let masked = Masked {
            round_context: context,
            model: *model,
            setup_root: root,
            listed,
            leaf,
            shares,
            complaints,
            setup_message: setup.message.clone(),
            message: message.clone(),
            signed: None,
        };
        let mut next = self.state.clone();
        if let Some(enrolled) = &mut next.enrolled {
            for peer in &request.peers {
                let header = &peer.signed.header;
                let number = header.share_key_number.saturating_add(1);
                enrolled.learn(header.slot, number, header.next_share_key);
            }
        }
        next.rounds[index].phase = Phase::Masked(Box::new(masked));
        self.commit(next)?;
        Ok(message)
    }

    /// The listed slots, once the list is checked: the client's own setup is in it, no empty slot is,
    /// and every setup listed for its group is delivered, well formed and signed, with the client's
    /// record in its place.
    fn check_setup_list(
        &self,
        request: &MaskRequest,
        round: &Round,
        setup: &SetUp,
    ) -> Result<Bitmap, ProtocolError> {
        let hashes = &request.setup_hashes;
        let config = &round.parameters.config;
        let slots = config.size().slots();
        if hashes.len() != slots {
            return Err(Refusal::SetupList { expected: slots, got: hashes.len() }.into());
        }
        let listed: Bitmap = hashes
            .iter()
            .enumerate()
            .filter(|(_, hash)| **hash != [0; 32])
            .map(|(slot, _)| slot as u8)
            .collect();
        if let Some(slot) = listed.difference(&config.occupied()).iter().next() {
            return Err(Refusal::SetupForEmptySlot { slot }.into());
        }
        let hash_of = |slot: u8| hashes.get(usize::from(slot)).copied().unwrap_or_default();
        if hash_of(self.slot) != setup.hash {
            return Err(Refusal::OwnSetupMissing.into());
        }
        let group = self.group(&round.parameters)?;
        let mut expected = group.members.intersection(&listed);
        expected.set(self.slot, false);
        for peer in &request.peers {
            let slot = peer.signed.header.slot;
            if !expected.get(slot) || hash_of(slot) != peer.signed.hash() {
                return Err(Refusal::SetupNotListed { slot }.into());
            }
            peer.verify(&round.parameters, &self.roster, self.slot)
                .map_err(|reason| Refusal::BadSetup { slot, reason })?;
        }
        // The decoder has them in ascending order, so a count finds what is missing.
        let delivered: Bitmap = request.peers.iter().map(|peer| peer.signed.header.slot).collect();
        if let Some(slot) = expected.difference(&delivered).iter().next() {
            return Err(Refusal::SetupNotDelivered { slot }.into());
        }
        if expected.count() < usize::from(group.threshold) {
            return Err(Refusal::TooFewPeers { got: expected.count(), threshold: group.threshold }.into());
        }
        Ok(listed)
    }

    /// Opens the client's records: the shares that match their hashes, and complaints of the rest.
    fn open_records(
        &self,
        peers: &[PeerSetup],
        parameters: &SetupParameters,
    ) -> Result<(Vec<(u8, SharePair)>, Bitmap), ProtocolError> {
        let ring = &self.enrolled()?.ring;
        let context = parameters.context();
        let mut shares = Vec::with_capacity(peers.len());
        let mut complaints = Bitmap::EMPTY;
        for PeerSetup { signed, record, .. } in peers {
            let dealer = signed.header.slot;
            let open = || {
                let secret = ring.secret(record.key_number)?;
                let binding = ShareBoxBinding {
                    context,
                    dealer,
                    receiver: self.slot,
                    dealer_key: signed.header.share_key,
                    receiver_key: keys::x25519_public(secret),
                };
                let pair = binding.open(secret, &record.nonce, &record.sealed)?;
                let hash = |kind, share| keys::share_hash(&context, dealer, self.slot, kind, share);
                let matches = hash(ShareKind::SelfMask, &pair.self_mask) == record.self_share_hash
                    && hash(ShareKind::MaskKey, &pair.mask_key) == record.mask_share_hash;
                matches.then_some(pair)
            };
            match open() {
                Some(pair) => shares.push((dealer, pair)),
                None => complaints.set(dealer, true),
            }
        }
        Ok((shares, complaints))
    }

    /// Commits, signs, seals and masks.
    fn masked_input(
        &self,
        inputs: &Inputs<'_>,
        rng: &mut dyn CryptoRng,
    ) -> Result<(Vec<u8>, Fr), ProtocolError> {
        let Inputs { setup_context, context, setup, peers, complaints, own, vector, bases, backend } =
            *inputs;
        let b = &setup.self_secret;
        let blinding = Blinding::generate(rng);
        let commitment = commit(backend, bases, vector, &blinding)?;
        let (signed, leaf) = sign_commitment(&self.key, self.slot, &context, commitment.point(), rng);
        let (nonce, sealed) = seal_commitment(b, &context, self.slot, &leaf, &signed, rng);

        let mut masks = vec![SignedMask::add(MaskKey::new(*keys::self_mask_key(b, &context, self.slot)))];
        let mut masked_blinding = *blinding.expose() + keys::self_blinding_mask(b, &context, self.slot);
        let secret = keys::mask_secret(&setup.mask_seed, &setup_context, self.slot);
        for peer in peers {
            let slot = peer.signed.header.slot;
            let low_order = Refusal::BadSetup { slot, reason: Fault::LowOrderKey { what: "mask key" } };
            let shared = keys::agree(&secret, &peer.signed.header.mask_key).ok_or(low_order)?;
            let key = MaskKey::new(*keys::pair_mask_key(&shared, &context, self.slot, slot));
            let mut mask = keys::pair_blinding_mask(&shared, &context, self.slot, slot);
            if keys::adds(self.slot, slot) {
                masks.push(SignedMask::add(key));
                masked_blinding += mask;
            } else {
                masks.push(SignedMask::subtract(key));
                masked_blinding -= mask;
            }
            mask.zeroize();
        }
        let mut words = vector.as_u32().to_vec();
        if let Err(error) = backend.mask_expand(&masks, 0, &mut words) {
            words.zeroize();
            return Err(error.into());
        }
        let body = MaskedInputBody {
            context,
            slot: self.slot,
            leaf,
            masked_blinding,
            sealed: SealedCommitment { nonce, sealed },
            complaints,
            dimension: own.dimension,
            words_hash: words_hash(&words),
        };
        Ok((MaskedInput::sign(&self.key, body, words, rng).encode(), leaf))
    }
}

/// What a masked input is made from.
struct Inputs<'a> {
    setup_context: SetupContext,
    context: RoundContext,
    setup: &'a SetUp,
    peers: &'a [PeerSetup],
    complaints: Bitmap,
    own: &'a RoundParameters,
    vector: &'a Quantized,
    bases: &'a Bases,
    backend: &'a dyn Backend,
}

fn check_vector(
    own: &RoundParameters,
    parameters: &SetupParameters,
    vector: &Quantized,
    bases: &Bases,
) -> Result<(), ProtocolError> {
    own.check(&parameters.config)?;
    let shape = [
        ("number of coordinates", own.dimension, vector.dimension() as u64),
        ("number of bits", own.bits.into(), vector.bits().into()),
        ("number of bases", own.dimension, bases.len() as u64),
        ("identifier of the bases", own.bases.into(), bases.id().into()),
    ];
    if let Some((what, expected, got)) = shape.into_iter().find(|(_, expected, got)| expected != got) {
        return Err(Misuse::QuantisedMismatch { what, expected, got }.into());
    }
    // The weight is secret: its value stays out of the error.
    let weight = vector.words().last().and_then(|weight| u32::try_from(*weight).ok());
    if !weight.is_some_and(|weight| (own.w_min..=own.w_max).contains(&weight)) {
        return Err(Misuse::Weight { min: own.w_min, max: own.w_max }.into());
    }
    Ok(())
}
