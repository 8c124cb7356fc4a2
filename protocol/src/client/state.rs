//! A client's durable state, and its bytes.
//!
//! Everything in here is secret or must not be forgotten. Encoding: `BSCS`, version u16, then the
//! fields in order; variable parts carry counts. The decoder is strict.

use blindsum_engine::{
    curve::{Fq, Fr},
    roster::{Bitmap, RoundContext, SetupContext},
    schnorr::PublicKey,
};
use x25519_dalek::StaticSecret;
use zeroize::{Zeroize, Zeroizing};

use crate::{
    contexts::{ModelDigest, SetupParameters},
    enrolment::Enrolment,
    error::WireError,
    keys::ShareKeyRing,
    seal::SharePair,
    wire::{Reader, Writer},
};

const MAGIC: [u8; 4] = *b"BSCS";
const VERSION: u16 = 1;

/// All of a client's state.
#[derive(Clone)]
pub(super) struct State {
    /// Whose state it is.
    pub(super) owner: PublicKey,
    pub(super) enrolled: Option<Enrolled>,
    /// Setups of this epoch, oldest first.
    pub(super) rounds: Vec<Round>,
    /// The newest (round, attempt) whose setup was erased; nothing at or before it is set up again.
    pub(super) erased: Option<(u64, u32)>,
    /// Models that shares were released for. Kept for good.
    pub(super) released: Vec<ReleasedModel>,
}

/// What an enrolment leaves.
#[derive(Clone)]
pub(super) struct Enrolled {
    pub(super) enrolment: Enrolment,
    pub(super) ring: ShareKeyRing,
    /// The newest share key seen signed: slot, number, key; in slot order.
    pub(super) peer_keys: Vec<(u8, u32, [u8; 32])>,
}

/// One setup and what became of it.
#[derive(Clone)]
pub(super) struct Round {
    pub(super) context: SetupContext,
    pub(super) parameters: SetupParameters,
    pub(super) phase: Phase,
}

/// Where a setup stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RoundPhase {
    /// The setup is sent.
    SetUp,
    /// The masked input is sent.
    Masked,
    /// The shares are released.
    Released,
    /// A second, different request came: nothing more is sent.
    Burnt,
}

#[derive(Clone)]
pub(super) enum Phase {
    SetUp(SetUp),
    Masked(Box<Masked>),
    Released { round_context: RoundContext, digest: [u8; 32], message: Vec<u8> },
    Burnt,
}

/// The two secrets of a setup, and its message.
#[derive(Clone)]
pub(super) struct SetUp {
    /// `b`.
    pub(super) self_secret: Fq,
    /// The seed of the mask key.
    pub(super) mask_seed: Fq,
    pub(super) hash: [u8; 32],
    pub(super) message: Vec<u8>,
}

impl Drop for SetUp {
    fn drop(&mut self) {
        self.self_secret.zeroize();
        self.mask_seed.zeroize();
    }
}

/// What is left once the masked input is sent: the client's own secrets are erased, its peers' shares
/// of theirs are held.
#[derive(Clone)]
pub(super) struct Masked {
    pub(super) round_context: RoundContext,
    pub(super) model: ModelDigest,
    pub(super) setup_root: [u8; 32],
    /// Slots with a listed setup, of the whole cohort.
    pub(super) listed: Bitmap,
    pub(super) leaf: Fr,
    /// Shares held of each listed peer that gave no cause for complaint, in slot order.
    pub(super) shares: Vec<(u8, SharePair)>,
    pub(super) complaints: Bitmap,
    pub(super) setup_message: Vec<u8>,
    pub(super) message: Vec<u8>,
    /// Strict mode: the digest that was signed, and the message.
    pub(super) signed: Option<([u8; 32], Vec<u8>)>,
}

/// A model that shares were released for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ReleasedModel {
    pub(super) model: ModelDigest,
    /// Roster of the first release.
    pub(super) roster_root: Fr,
    /// Members of the client's group then.
    pub(super) members: Bitmap,
    /// Those of them that had posted.
    pub(super) posted: Bitmap,
    /// Was a second release made?
    pub(super) twice: bool,
}

impl Phase {
    pub(super) fn name(&self) -> RoundPhase {
        match self {
            Self::SetUp(_) => RoundPhase::SetUp,
            Self::Masked(_) => RoundPhase::Masked,
            Self::Released { .. } => RoundPhase::Released,
            Self::Burnt => RoundPhase::Burnt,
        }
    }

    /// Bytes of the messages and shares that are kept.
    fn message_bytes(&self) -> usize {
        match self {
            Self::SetUp(setup) => setup.message.len(),
            Self::Masked(masked) => {
                let signed = masked.signed.as_ref().map_or(0, |(_, message)| message.len());
                masked.setup_message.len() + masked.message.len() + masked.shares.len() * 65 + signed
            }
            Self::Released { message, .. } => message.len(),
            Self::Burnt => 0,
        }
    }

    pub(super) fn round_context(&self) -> Option<RoundContext> {
        match self {
            Self::Masked(masked) => Some(masked.round_context),
            Self::Released { round_context, .. } => Some(*round_context),
            Self::SetUp(_) | Self::Burnt => None,
        }
    }
}

impl Enrolled {
    /// The newest key seen signed of a peer.
    pub(super) fn peer_key(&self, slot: u8) -> Option<(u32, [u8; 32])> {
        self.peer_keys.iter().find(|(held, ..)| *held == slot).map(|(_, number, key)| (*number, *key))
    }

    /// Remembers a key of a peer, unless a newer one is known.
    pub(super) fn learn(&mut self, slot: u8, number: u32, key: [u8; 32]) {
        match self.peer_keys.binary_search_by_key(&slot, |(held, ..)| *held) {
            Ok(at) => {
                if let Some(entry) = self.peer_keys.get_mut(at).filter(|entry| entry.1 < number) {
                    *entry = (slot, number, key);
                }
            }
            Err(at) => self.peer_keys.insert(at, (slot, number, key)),
        }
    }
}

impl State {
    pub(super) fn fresh(owner: PublicKey) -> Self {
        Self { owner, enrolled: None, rounds: Vec::new(), erased: None, released: Vec::new() }
    }

    /// Adds a setup and erases the oldest beyond what is kept.
    pub(super) fn push_round(&mut self, round: Round, kept: usize) {
        self.rounds.push(round);
        while self.rounds.len() > kept {
            let oldest = self.rounds.remove(0);
            let key = (oldest.parameters.round, oldest.parameters.attempt);
            self.erased = Some(self.erased.map_or(key, |erased| erased.max(key)));
        }
    }

    /// At least the length of the encoding: a buffer that never grows leaves no copies of secrets.
    fn encoded_bound(&self) -> usize {
        let peers = 256 * (1 + 4 + 32);
        let rounds: usize = self.rounds.iter().map(|round| 4096 + round.phase.message_bytes()).sum();
        4096 + peers + rounds + self.released.len() * 256
    }

    pub(super) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let bound = self.encoded_bound();
        let mut out = Writer::with_capacity(bound);
        out.raw(&MAGIC).u16(VERSION).raw(&self.owner.to_bytes());
        out.u8(self.enrolled.is_some().into());
        if let Some(enrolled) = &self.enrolled {
            write_enrolled(enrolled, &mut out);
        }
        out.u16(self.rounds.len() as u16);
        self.rounds.iter().for_each(|round| write_round(round, &mut out));
        out.u8(self.erased.is_some().into());
        if let Some((round, attempt)) = self.erased {
            out.u64(round).u32(attempt);
        }
        out.u32(self.released.len() as u32);
        for released in &self.released {
            out.raw(&released.model.0).fr(&released.roster_root).bitmap(&released.members);
            out.bitmap(&released.posted).u8(released.twice.into());
        }
        let bytes = Zeroizing::new(out.into_bytes());
        debug_assert!(bytes.len() <= bound, "the buffer grew");
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        if reader.array::<4>("magic")? != MAGIC {
            return Err(WireError::Magic);
        }
        let version = reader.u16("version")?;
        if version != VERSION {
            return Err(WireError::Version { expected: VERSION, got: version });
        }
        let owner = reader.public_key("owner")?;
        let enrolled = if reader.flag("enrolled")? { Some(read_enrolled(&mut reader)?) } else { None };
        let n_rounds = reader.u16("rounds")?;
        let rounds = (0..n_rounds).map(|_| read_round(&mut reader)).collect::<Result<_, _>>()?;
        let erased =
            if reader.flag("erased")? { Some((reader.u64("round")?, reader.u32("attempt")?)) } else { None };
        let n_released = reader.u32("released models")?;
        let released = (0..n_released)
            .map(|_| {
                Ok(ReleasedModel {
                    model: ModelDigest(reader.array("model digest")?),
                    roster_root: reader.fr("roster root")?,
                    members: reader.bitmap("members", 256)?,
                    posted: reader.bitmap("posted slots", 256)?,
                    twice: reader.flag("second release")?,
                })
            })
            .collect::<Result<_, WireError>>()?;
        reader.finish()?;
        Ok(Self { owner, enrolled, rounds, erased, released })
    }
}

fn write_enrolled(enrolled: &Enrolled, out: &mut Writer) {
    enrolled.enrolment.write(out);
    let secrets = enrolled.ring.entries();
    out.u32(enrolled.ring.current()).u16(secrets.len() as u16);
    for (number, secret) in secrets {
        out.u32(*number).raw(secret.as_bytes());
    }
    out.u16(enrolled.peer_keys.len() as u16);
    for (slot, number, key) in &enrolled.peer_keys {
        out.u8(*slot).u32(*number).raw(key);
    }
}

fn read_enrolled(reader: &mut Reader<'_>) -> Result<Enrolled, WireError> {
    let enrolment = Enrolment::read(reader)?;
    let current = reader.u32("share key number")?;
    let mut secrets = Vec::new();
    for _ in 0..reader.u16("share keys")? {
        let number = reader.u32("share key number")?;
        secrets.push((number, StaticSecret::from(*Zeroizing::new(reader.array("share key")?))));
    }
    let ring = ShareKeyRing::from_entries(current, secrets)
        .ok_or(WireError::Value { what: "share key number", got: current.into() })?;
    let mut peer_keys: Vec<(u8, u32, [u8; 32])> = Vec::new();
    for _ in 0..reader.u16("peer keys")? {
        let slot = reader.u8("slot")?;
        if peer_keys.last().is_some_and(|(last, ..)| *last >= slot) {
            return Err(WireError::Order { what: "peer keys" });
        }
        peer_keys.push((slot, reader.u32("share key number")?, reader.array("share key")?));
    }
    Ok(Enrolled { enrolment, ring, peer_keys })
}

fn write_bytes(bytes: &[u8], out: &mut Writer) {
    out.u64(bytes.len() as u64).raw(bytes);
}

fn read_bytes(reader: &mut Reader<'_>) -> Result<Vec<u8>, WireError> {
    let length = usize::try_from(reader.u64("length")?).unwrap_or(usize::MAX);
    Ok(reader.bytes(length, "message")?.to_vec())
}

fn write_round(round: &Round, out: &mut Writer) {
    out.raw(&round.parameters.to_bytes());
    match &round.phase {
        Phase::SetUp(setup) => {
            out.u8(0).fq(&setup.self_secret).fq(&setup.mask_seed).raw(&setup.hash);
            write_bytes(&setup.message, out);
        }
        Phase::Masked(masked) => {
            out.u8(1).raw(masked.round_context.as_bytes()).raw(&masked.model.0).raw(&masked.setup_root);
            out.bitmap(&masked.listed).fr(&masked.leaf).bitmap(&masked.complaints);
            out.u16(masked.shares.len() as u16);
            for (slot, pair) in &masked.shares {
                out.u8(*slot).fq(&pair.self_mask).fq(&pair.mask_key);
            }
            write_bytes(&masked.setup_message, out);
            write_bytes(&masked.message, out);
            out.u8(masked.signed.is_some().into());
            if let Some((digest, message)) = &masked.signed {
                out.raw(digest);
                write_bytes(message, out);
            }
        }
        Phase::Released { round_context, digest, message } => {
            out.u8(2).raw(round_context.as_bytes()).raw(digest);
            write_bytes(message, out);
        }
        Phase::Burnt => {
            out.u8(3);
        }
    }
}

fn read_round(reader: &mut Reader<'_>) -> Result<Round, WireError> {
    let parameters = SetupParameters::read(reader)?;
    let phase = match reader.u8("phase")? {
        0 => Phase::SetUp(SetUp {
            self_secret: reader.fq("b")?,
            mask_seed: reader.fq("seed")?,
            hash: reader.array("setup hash")?,
            message: read_bytes(reader)?,
        }),
        1 => Phase::Masked(Box::new(read_masked(reader)?)),
        2 => Phase::Released {
            round_context: reader.round_context()?,
            digest: reader.array("digest")?,
            message: read_bytes(reader)?,
        },
        3 => Phase::Burnt,
        got => return Err(WireError::Value { what: "phase", got: got.into() }),
    };
    Ok(Round { context: parameters.context(), parameters, phase })
}

fn read_masked(reader: &mut Reader<'_>) -> Result<Masked, WireError> {
    let round_context = reader.round_context()?;
    let model = ModelDigest(reader.array("model digest")?);
    let setup_root = reader.array("setup root")?;
    let listed = reader.bitmap("listed setups", 256)?;
    let leaf = reader.fr("leaf")?;
    let complaints = reader.bitmap("complaints", 256)?;
    let mut shares: Vec<(u8, SharePair)> = Vec::new();
    for _ in 0..reader.u16("shares")? {
        let slot = reader.u8("slot")?;
        if shares.last().is_some_and(|(last, _)| *last >= slot) {
            return Err(WireError::Order { what: "shares" });
        }
        shares.push((slot, SharePair { self_mask: reader.fq("share")?, mask_key: reader.fq("share")? }));
    }
    let (setup_message, message) = (read_bytes(reader)?, read_bytes(reader)?);
    let signed = if reader.flag("signed digest")? {
        Some((reader.array("digest")?, read_bytes(reader)?))
    } else {
        None
    };
    Ok(Masked {
        round_context,
        model,
        setup_root,
        listed,
        leaf,
        shares,
        complaints,
        setup_message,
        message,
        signed,
    })
}
