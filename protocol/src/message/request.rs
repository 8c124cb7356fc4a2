//! What the aggregator asks a client for, signed, so that telling two clients different things
//! leaves evidence.
//!
//! Signed body = message kind u8 || payload, as [`Kind::Request`].
//!
//! - Setup request: setup parameters, then count u16 and per member: slot u8 and evidence of its
//!   newest share key (0: enrolment; 1: round u64, attempt u32, signed setup).
//! - Mask request: setup_context, model digest, round parameters, N setup hashes, count u16 and the
//!   setups of the receiver's group: header, records root, signature, the receiver's record, its path.
//! - Unmask request: survivor digest, N leaves, count u16 and per posted member of the receiver's
//!   group slot u8 and complaint bitmap, count u16 and per signer of the digest slot u8 and signature
//!   (strict mode; none in the request for a digest signature).

use blindsum_engine::{
    curve::Fr,
    roster::{Bitmap, Roster, SetupContext},
    schnorr::{self, Kind, PublicKey, SecretKey, Signature},
};
use rand_core::CryptoRng;

use super::{
    digest::SurvivorDigest,
    setup::{PeerSetup, SIGNED_BYTES, SignedSetup},
};
use crate::{
    contexts::{ModelDigest, RoundParameters, SetupParameters},
    enrolment::{ENROLMENT_BYTES, Enrolment},
    error::{Refusal, WireError},
    keys::is_low_order,
    wire::{self, Limits, MessageKind, Reader, Writer},
};

const SIGNATURE_BYTES: usize = 96;
const SETUP_PARAMETERS_BYTES: usize = 2 + 2 + 1 + 8 + 20 + 8 + 8 + 4 + 4 + 32 + 32 + 2 + 2;
const MAX_EVIDENCE_BYTES: usize = 2 + 12 + SIGNED_BYTES;

/// The longest setup request of a cohort of `slots`.
pub(crate) fn setup_request_limit(slots: usize) -> usize {
    SETUP_PARAMETERS_BYTES + 6 * (slots / 4) + 2 + slots * MAX_EVIDENCE_BYTES + SIGNATURE_BYTES
}

/// The longest mask request of a cohort of `slots`.
pub(crate) fn mask_request_limit(slots: usize) -> usize {
    32 + 32 + RoundParameters::BYTES + 32 * slots + 2 + slots * PeerSetup::MAX_BYTES + SIGNATURE_BYTES
}

/// The longest unmask request of a cohort of `slots`.
pub(crate) fn unmask_request_limit(slots: usize) -> usize {
    super::digest::SURVIVOR_DIGEST_BYTES + 32 * slots + 2 + 33 * slots + 2 + 97 * slots + SIGNATURE_BYTES
}

/// Signs a payload as a request of `kind` and frames both.
fn seal_request(kind: MessageKind, payload: &[u8], signature: &Signature) -> Vec<u8> {
    let mut out = Writer::with_capacity(payload.len() + SIGNATURE_BYTES);
    out.raw(payload).signature(signature);
    wire::frame(kind, &out.into_bytes())
}

fn signed_body(kind: MessageKind, payload: &[u8]) -> Vec<u8> {
    [&[kind as u8], payload].concat()
}

fn sign_request(key: &SecretKey, kind: MessageKind, payload: &[u8], rng: &mut dyn CryptoRng) -> Signature {
    schnorr::sign(key, Kind::Request, &signed_body(kind, payload), rng)
}

fn verify_request(
    key: &PublicKey,
    kind: MessageKind,
    payload: &[u8],
    signature: &Signature,
) -> Result<(), Refusal> {
    schnorr::verify(key, Kind::Request, &signed_body(kind, payload), signature)
        .map_err(|_| Refusal::UnsignedRequest)
}

/// A client's newest share-encryption key, as its owner signed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShareKeyEvidence {
    /// Key number 0, from the enrolment.
    Enrolment(Enrolment),
    /// The next key that an earlier setup of this epoch announced. The setup's context is computed
    /// from the request's parameters with this round and attempt, so that a setup of another epoch
    /// is no evidence.
    Setup {
        /// Round of that setup.
        round: u64,
        /// Attempt of that setup.
        attempt: u32,
        /// The signed part of that setup.
        signed: SignedSetup,
    },
}

impl ShareKeyEvidence {
    /// The share key and its number, once the evidence is checked for `slot`.
    ///
    /// # Errors
    /// [`Refusal::BadShareKey`].
    pub fn verify(
        &self,
        slot: u8,
        parameters: &SetupParameters,
        roster: &Roster,
    ) -> Result<(u32, [u8; 32]), Refusal> {
        let refuse = Refusal::BadShareKey { slot };
        match self {
            Self::Enrolment(enrolment) => {
                if enrolment.slot != slot || enrolment.verify(roster, parameters.epoch).is_err() {
                    return Err(refuse);
                }
                Ok((0, enrolment.share_key))
            }
            Self::Setup { round, attempt, signed } => {
                let earlier = SetupParameters { round: *round, attempt: *attempt, ..parameters.clone() };
                let header = &signed.header;
                let (Some(key), Some(number)) = (roster.key(slot), header.share_key_number.checked_add(1))
                else {
                    return Err(refuse);
                };
                let valid = header.slot == slot
                    && header.context == earlier.context()
                    && signed.verify_signature(key).is_ok()
                    && !is_low_order(&header.next_share_key);
                if valid { Ok((number, header.next_share_key)) } else { Err(refuse) }
            }
        }
    }

    fn write(&self, out: &mut Writer) {
        match self {
            Self::Enrolment(enrolment) => {
                out.u8(0);
                enrolment.write(out);
            }
            Self::Setup { round, attempt, signed } => {
                out.u8(1).u64(*round).u32(*attempt);
                signed.write(out);
            }
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        if reader.flag("share key evidence")? {
            let (round, attempt) = (reader.u64("round")?, reader.u32("attempt")?);
            Ok(Self::Setup { round, attempt, signed: SignedSetup::read(reader)? })
        } else {
            Ok(Self::Enrolment(Enrolment::read(reader)?))
        }
    }
}

/// The aggregator asks for a setup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetupRequest {
    /// Everything that is fixed before setup.
    pub parameters: SetupParameters,
    /// The newest signed share key of every other member of the receiver's group, or of the whole
    /// cohort, in slot order.
    pub share_keys: Vec<(u8, ShareKeyEvidence)>,
    /// The aggregator's signature.
    pub signature: Signature,
}

impl SetupRequest {
    /// Signs a request.
    #[must_use]
    pub fn sign(
        key: &SecretKey,
        parameters: SetupParameters,
        share_keys: Vec<(u8, ShareKeyEvidence)>,
        rng: &mut dyn CryptoRng,
    ) -> Self {
        let payload = setup_request_payload(&parameters, &share_keys);
        let signature = sign_request(key, MessageKind::SetupRequest, &payload, rng);
        Self { parameters, share_keys, signature }
    }

    /// Checks the aggregator's signature.
    ///
    /// # Errors
    /// [`Refusal::UnsignedRequest`].
    pub fn verify(&self, aggregator: &PublicKey) -> Result<(), Refusal> {
        let payload = setup_request_payload(&self.parameters, &self.share_keys);
        verify_request(aggregator, MessageKind::SetupRequest, &payload, &self.signature)
    }

    /// The framed message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let payload = setup_request_payload(&self.parameters, &self.share_keys);
        seal_request(MessageKind::SetupRequest, &payload, &self.signature)
    }

    /// Reads a framed message.
    ///
    /// # Errors
    /// [`WireError`] for any other byte string.
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Self, WireError> {
        let mut reader = wire::unframe(bytes, MessageKind::SetupRequest, limits)?;
        let parameters = SetupParameters::read(&mut reader)?;
        let count = reader.count("share keys", limits.slots(), 2 + ENROLMENT_BYTES)?;
        let mut share_keys: Vec<(u8, ShareKeyEvidence)> = Vec::with_capacity(count);
        for _ in 0..count {
            let slot = reader.slot("slot", limits.slots())?;
            if share_keys.last().is_some_and(|(last, _)| *last >= slot) {
                return Err(WireError::Order { what: "share keys" });
            }
            share_keys.push((slot, ShareKeyEvidence::read(&mut reader)?));
        }
        let signature = reader.signature()?;
        reader.finish()?;
        Ok(Self { parameters, share_keys, signature })
    }
}

fn setup_request_payload(parameters: &SetupParameters, share_keys: &[(u8, ShareKeyEvidence)]) -> Vec<u8> {
    let mut out = Writer::new();
    out.raw(&parameters.to_bytes()).u16(share_keys.len() as u16);
    for (slot, evidence) in share_keys {
        out.u8(*slot);
        evidence.write(&mut out);
    }
    out.into_bytes()
}

/// The aggregator asks for a masked input.
#[derive(Debug, Clone, PartialEq)]
pub struct MaskRequest {
    /// The setups to use.
    pub setup_context: SetupContext,
    /// The model that the aggregator sent out; the client compares it with its own digest.
    pub model: ModelDigest,
    /// The round's parameters; the client compares them with its own.
    pub parameters: RoundParameters,
    /// One setup hash a slot, zero where absent.
    pub setup_hashes: Vec<[u8; 32]>,
    /// The listed setups of the receiver's group, its own left out, in slot order.
    pub peers: Vec<PeerSetup>,
    /// The aggregator's signature.
    pub signature: Signature,
}

impl MaskRequest {
    /// Signs a request.
    #[must_use]
    pub fn sign(
        key: &SecretKey,
        setup_context: SetupContext,
        model: ModelDigest,
        parameters: RoundParameters,
        setup_hashes: Vec<[u8; 32]>,
        peers: Vec<PeerSetup>,
        rng: &mut dyn CryptoRng,
    ) -> Self {
        let payload = mask_request_payload(&setup_context, &model, &parameters, &setup_hashes, &peers);
        let signature = sign_request(key, MessageKind::MaskRequest, &payload, rng);
        Self { setup_context, model, parameters, setup_hashes, peers, signature }
    }

    fn payload(&self) -> Vec<u8> {
        mask_request_payload(
            &self.setup_context,
            &self.model,
            &self.parameters,
            &self.setup_hashes,
            &self.peers,
        )
    }

    /// Checks the aggregator's signature.
    ///
    /// # Errors
    /// [`Refusal::UnsignedRequest`].
    pub fn verify(&self, aggregator: &PublicKey) -> Result<(), Refusal> {
        verify_request(aggregator, MessageKind::MaskRequest, &self.payload(), &self.signature)
    }

    /// The framed message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        seal_request(MessageKind::MaskRequest, &self.payload(), &self.signature)
    }

    /// Reads a framed message.
    ///
    /// # Errors
    /// [`WireError`] for any other byte string.
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Self, WireError> {
        let mut reader = wire::unframe(bytes, MessageKind::MaskRequest, limits)?;
        let setup_context = SetupContext(reader.array("setup context")?);
        let model = ModelDigest(reader.array("model digest")?);
        let parameters = RoundParameters::read(&mut reader)?;
        let setup_hashes =
            (0..limits.slots()).map(|_| reader.array("setup hash")).collect::<Result<_, _>>()?;
        let count = reader.count("peers", limits.slots() - 1, PeerSetup::MIN_BYTES)?;
        let mut peers: Vec<PeerSetup> = Vec::with_capacity(count);
        for _ in 0..count {
            let peer = PeerSetup::read(&mut reader)?;
            if peers.last().is_some_and(|last| last.signed.header.slot >= peer.signed.header.slot) {
                return Err(WireError::Order { what: "peers" });
            }
            peers.push(peer);
        }
        let signature = reader.signature()?;
        reader.finish()?;
        Ok(Self { setup_context, model, parameters, setup_hashes, peers, signature })
    }
}

fn mask_request_payload(
    setup_context: &SetupContext,
    model: &ModelDigest,
    parameters: &RoundParameters,
    setup_hashes: &[[u8; 32]],
    peers: &[PeerSetup],
) -> Vec<u8> {
    let mut out = Writer::new();
    out.raw(&setup_context.0).raw(&model.0).raw(&parameters.to_bytes());
    out.raw(setup_hashes.as_flattened()).u16(peers.len() as u16);
    peers.iter().for_each(|peer| peer.write(&mut out));
    out.into_bytes()
}

/// The aggregator asks for a digest signature (strict mode, without signatures) or for a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnmaskRequest {
    /// Who posted.
    pub digest: SurvivorDigest,
    /// One leaf a slot, zero where nothing was posted.
    pub leaves: Vec<Fr>,
    /// The complaints of every posted member of the receiver's group, in slot order.
    pub complaints: Vec<(u8, Bitmap)>,
    /// Clients' signatures on the digest, in slot order; strict mode only.
    pub signatures: Vec<(u8, Signature)>,
    /// The aggregator's signature.
    pub signature: Signature,
}

impl UnmaskRequest {
    /// Signs a request.
    #[must_use]
    pub fn sign(
        key: &SecretKey,
        digest: SurvivorDigest,
        leaves: Vec<Fr>,
        complaints: Vec<(u8, Bitmap)>,
        signatures: Vec<(u8, Signature)>,
        rng: &mut dyn CryptoRng,
    ) -> Self {
        let payload = unmask_request_payload(&digest, &leaves, &complaints, &signatures);
        let signature = sign_request(key, MessageKind::UnmaskRequest, &payload, rng);
        Self { digest, leaves, complaints, signatures, signature }
    }

    fn payload(&self) -> Vec<u8> {
        unmask_request_payload(&self.digest, &self.leaves, &self.complaints, &self.signatures)
    }

    /// Checks the aggregator's signature on the request; that on the digest is another.
    ///
    /// # Errors
    /// [`Refusal::UnsignedRequest`].
    pub fn verify(&self, aggregator: &PublicKey) -> Result<(), Refusal> {
        verify_request(aggregator, MessageKind::UnmaskRequest, &self.payload(), &self.signature)
    }

    /// The framed message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        seal_request(MessageKind::UnmaskRequest, &self.payload(), &self.signature)
    }

    /// Reads a framed message.
    ///
    /// # Errors
    /// [`WireError`] for any other byte string.
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Self, WireError> {
        let slots = limits.slots();
        let mut reader = wire::unframe(bytes, MessageKind::UnmaskRequest, limits)?;
        let digest = SurvivorDigest::read(&mut reader, limits)?;
        let leaves = (0..slots).map(|_| reader.fr("leaf")).collect::<Result<_, _>>()?;
        let mut complaints: Vec<(u8, Bitmap)> = Vec::new();
        for _ in 0..reader.count("complaints", slots, 33)? {
            let slot = reader.slot("slot", slots)?;
            if complaints.last().is_some_and(|(last, _)| *last >= slot) {
                return Err(WireError::Order { what: "complaints" });
            }
            complaints.push((slot, reader.bitmap("complaints", slots)?));
        }
        let mut signatures: Vec<(u8, Signature)> = Vec::new();
        for _ in 0..reader.count("digest signatures", slots, 97)? {
            let slot = reader.slot("slot", slots)?;
            if signatures.last().is_some_and(|(last, _)| *last >= slot) {
                return Err(WireError::Order { what: "digest signatures" });
            }
            signatures.push((slot, reader.signature()?));
        }
        let signature = reader.signature()?;
        reader.finish()?;
        Ok(Self { digest, leaves, complaints, signatures, signature })
    }
}

fn unmask_request_payload(
    digest: &SurvivorDigest,
    leaves: &[Fr],
    complaints: &[(u8, Bitmap)],
    signatures: &[(u8, Signature)],
) -> Vec<u8> {
    let mut out = Writer::new();
    digest.write(&mut out);
    leaves.iter().for_each(|leaf| {
        out.fr(leaf);
    });
    out.u16(complaints.len() as u16);
    for (slot, bitmap) in complaints {
        out.u8(*slot).bitmap(bitmap);
    }
    out.u16(signatures.len() as u16);
    for (slot, signature) in signatures {
        out.u8(*slot).signature(signature);
    }
    out.into_bytes()
}
