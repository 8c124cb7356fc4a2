//! Signed evidence: who broke the protocol, in bytes that anybody can check again.
//!
//! | charge | who | shown by |
//! |---|---|---|
//! | [`Charge::WrongShare`] | the releaser | its signed release; the dealer's header, record and path under the setup root |
//! | [`Charge::InconsistentShares`] | the dealer | its header, and t records with shares that match their hashes |
//! | [`Charge::BadCommitment`] | the client | its signed input, its header, and `b_i`, which opens the sealed commitment |
//! | [`Charge::TwoMessages`] | the client | both messages, signed under one context |
//! | [`Charge::Complaints`] | the dealer | more than c signed inputs of its group that complain of it |
//!
//! Source: design section 5, "Blame". Evidence: `BSEV`, version u16, charge u8, slot u8, parts.
//! It holds shares and secrets of the accused only, whose vector stays behind its pair masks.

use std::fmt;

use blindsum_engine::{
    curve::{Fq, Fr},
    roster::{Bitmap, Roster, RoundContext, SetupContext},
    schnorr::{self, PublicKey, SignedCommitment},
};
use thiserror::Error;

use crate::{
    contexts::{ModelDigest, RoundParameters, SetupParameters},
    error::{Fault, WireError},
    keys,
    message::{
        digest::SurvivorDigest,
        masked_input::SignedInput,
        release::{Release, ShareKind},
        setup::{PeerSetup, Record, SignedSetup, setup_root},
    },
    seal, shamir,
    wire::{Limits, MessageKind, Reader, Writer},
};

const MAGIC: [u8; 4] = *b"BSEV";
const VERSION: u16 = 1;

/// What a client is shown to have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Charge {
    /// It released a share that misses the hash its dealer signed.
    WrongShare {
        /// The dealer.
        dealer: u8,
    },
    /// It dealt shares that match its hashes and give another secret than it signed.
    InconsistentShares,
    /// Its sealed commitment does not open, misses its leaf, or its signature is wrong or unprovable.
    BadCommitment,
    /// It signed two messages where one is allowed.
    TwoMessages {
        /// Their kind.
        message: MessageKind,
    },
    /// More than c members of its group could not open what it dealt them.
    Complaints,
}

impl Charge {
    const fn number(self) -> u8 {
        match self {
            Self::WrongShare { .. } => 1,
            Self::InconsistentShares => 2,
            Self::BadCommitment => 3,
            Self::TwoMessages { .. } => 4,
            Self::Complaints => 5,
        }
    }
}

impl fmt::Display for Charge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongShare { dealer } => {
                write!(f, "released a share that misses the hash signed by slot {dealer}")
            }
            Self::InconsistentShares => f.write_str("dealt shares that do not give the secret it signed"),
            Self::BadCommitment => f.write_str("sealed a commitment that its leaf or the circuit refuses"),
            Self::TwoMessages { message } => write!(f, "signed two different {message} messages"),
            Self::Complaints => f.write_str("dealt records that more than c members could not open"),
        }
    }
}

/// A charge with its evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blame {
    /// The accused.
    pub slot: u8,
    /// What it did.
    pub charge: Charge,
    evidence: Vec<u8>,
}

/// Why evidence shows nothing.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EvidenceError {
    /// The bytes are no evidence.
    #[error(transparent)]
    Malformed(#[from] WireError),
    /// A charge that this version does not know.
    #[error("charge number {got} is unknown")]
    UnknownCharge {
        /// The number.
        got: u8,
    },
    /// A message in it is not what its signer says it is.
    #[error("a message of slot {slot} does not hold: {reason}")]
    Message {
        /// The supposed signer.
        slot: u8,
        /// What is wrong.
        reason: Fault,
    },
    /// The accused is no client of the roster.
    #[error("slot {slot} holds no client")]
    UnknownSlot {
        /// The accused.
        slot: u8,
    },
    /// Everything in it holds, and it does not show the charge.
    #[error("the evidence does not show that slot {slot} {charge}")]
    Groundless {
        /// The accused.
        slot: u8,
        /// The charge.
        charge: Charge,
    },
    /// The parts do not belong to the accused, or to one another.
    #[error("the parts do not belong together: {what}")]
    Unrelated {
        /// What does not fit.
        what: &'static str,
    },
}

/// What the judge of evidence knows of the round, from its own records.
#[derive(Debug, Clone, Copy)]
pub struct Contexts<'a> {
    setup: &'a SetupParameters,
    setup_context: SetupContext,
    round: RoundContext,
    setup_root: [u8; 32],
}

impl<'a> Contexts<'a> {
    /// Computes both contexts from what they hash: a setup root that belongs to another round
    /// gives another round context, under which no message of this one verifies.
    #[must_use]
    pub fn new(
        setup: &'a SetupParameters,
        round: &RoundParameters,
        model: &ModelDigest,
        setup_root: [u8; 32],
    ) -> Self {
        let setup_context = setup.context();
        Self { setup, setup_context, round: round.context(&setup_context, model, &setup_root), setup_root }
    }

    /// The round context.
    #[must_use]
    pub const fn round_context(&self) -> &RoundContext {
        &self.round
    }
}

impl Blame {
    /// The evidence, for [`verify`].
    #[must_use]
    pub fn evidence(&self) -> &[u8] {
        &self.evidence
    }

    fn new(slot: u8, charge: Charge, parts: impl FnOnce(&mut Writer)) -> Self {
        let mut writer = Writer::new();
        writer.raw(&MAGIC).u16(VERSION).u8(charge.number()).u8(slot);
        parts(&mut writer);
        Self { slot, charge, evidence: writer.into_bytes() }
    }

    /// The releaser's share of `dealer`'s secret misses the hash in `dealt`.
    pub(crate) fn wrong_share(
        release: &Release,
        dealer: u8,
        dealt: &PeerSetup,
        setup_hashes: &[[u8; 32]],
    ) -> Self {
        Self::new(release.slot, Charge::WrongShare { dealer }, |w| {
            write_release(release, w);
            dealt.write(w);
            setup_hashes.iter().for_each(|hash| {
                w.raw(hash);
            });
        })
    }

    /// The shares of `kind` released by the receivers of `dealt` do not give the dealer's secret.
    pub(crate) fn inconsistent_shares(dealt: &[(PeerSetup, Fq)], kind: ShareKind) -> Option<Self> {
        let (first, _) = dealt.first()?;
        Some(Self::new(first.signed.header.slot, Charge::InconsistentShares, |w| {
            w.u8(kind as u8);
            first.signed.write(w);
            w.u16(dealt.len() as u16);
            for (peer, share) in dealt {
                peer.record.write(w);
                w.u8(peer.path.len() as u8);
                peer.path.iter().for_each(|node| {
                    w.raw(node);
                });
                w.fq(share);
            }
        }))
    }

    /// With `b`, the sealed commitment of `input` does not open to what its leaf says.
    pub(crate) fn bad_commitment(input: &SignedInput, setup: &SignedSetup, b: &Fq) -> Self {
        Self::new(input.body.slot, Charge::BadCommitment, |w| {
            input.write(w);
            setup.write(w);
            w.fq(b);
        })
    }

    pub(crate) fn two_setups(first: &SignedSetup, second: &SignedSetup) -> Self {
        Self::new(first.header.slot, Charge::TwoMessages { message: MessageKind::Setup }, |w| {
            w.u8(MessageKind::Setup as u8);
            first.write(w);
            second.write(w);
        })
    }

    pub(crate) fn two_inputs(first: &SignedInput, second: &SignedInput) -> Self {
        Self::new(first.body.slot, Charge::TwoMessages { message: MessageKind::MaskedInput }, |w| {
            w.u8(MessageKind::MaskedInput as u8);
            first.write(w);
            second.write(w);
        })
    }

    pub(crate) fn two_releases(first: &Release, second: &Release) -> Self {
        Self::new(first.slot, Charge::TwoMessages { message: MessageKind::Release }, |w| {
            w.u8(MessageKind::Release as u8);
            write_release(first, w);
            write_release(second, w);
        })
    }

    /// More than c members complain of `dealer`.
    pub(crate) fn complaints(dealer: u8, inputs: &[&SignedInput]) -> Self {
        Self::new(dealer, Charge::Complaints, |w| {
            w.u16(inputs.len() as u16);
            inputs.iter().for_each(|input| input.write(w));
        })
    }
}

/// Checks evidence with nothing but the roster and the contexts, and says whom it names for what.
///
/// # Errors
/// [`EvidenceError`]: for every input that does not show its charge. Never panics.
pub fn verify(
    evidence: &[u8],
    roster: &Roster,
    contexts: &Contexts<'_>,
) -> Result<(u8, Charge), EvidenceError> {
    let mut reader = Reader::new(evidence);
    if reader.array::<4>("magic")? != MAGIC {
        return Err(WireError::Magic.into());
    }
    let version = reader.u16("version")?;
    if version != VERSION {
        return Err(WireError::Version { expected: VERSION, got: version }.into());
    }
    let number = reader.u8("charge")?;
    let slot = reader.slot("slot", roster.size().slots())?;
    if roster.key(slot).is_none() {
        return Err(EvidenceError::UnknownSlot { slot });
    }
    let judge = Judge {
        roster,
        contexts,
        slots: roster.size().slots(),
        limits: Limits::new(roster.size(), Limits::MAX_DIMENSION),
        slot,
    };
    let (charge, shown) = match number {
        1 => judge.wrong_share(&mut reader)?,
        2 => (Charge::InconsistentShares, judge.inconsistent_shares(&mut reader)?),
        3 => (Charge::BadCommitment, judge.bad_commitment(&mut reader)?),
        4 => judge.two_messages(&mut reader)?,
        5 => (Charge::Complaints, judge.complaints(&mut reader)?),
        got => return Err(EvidenceError::UnknownCharge { got }),
    };
    reader.finish()?;
    if shown { Ok((slot, charge)) } else { Err(EvidenceError::Groundless { slot, charge }) }
}

/// Do two digests show that the aggregator told two stories? Both are signed by its key, for one round,
/// and differ. Clients who compare what they were sent need nothing else.
#[must_use]
pub fn conflicting_digests(aggregator: &PublicKey, first: &SurvivorDigest, second: &SurvivorDigest) -> bool {
    first.context == second.context
        && first.digest() != second.digest()
        && [first, second].iter().all(|digest| digest.verify(aggregator).is_ok())
}

/// The commitment that `input` seals under `b`, if its leaf and the circuit accept it.
pub(crate) fn open_input(input: &SignedInput, b: &Fq, key: &PublicKey) -> Option<SignedCommitment> {
    let signed = seal::open_commitment(
        b,
        &input.body.context,
        input.body.slot,
        &input.body.leaf,
        &input.body.sealed.nonce,
        &input.body.sealed.sealed,
    )?;
    let leaf: Fr = schnorr::verify_commitment(key, input.body.slot, &input.body.context, &signed).ok()?;
    (leaf == input.body.leaf).then_some(signed)
}

/// Do two releases say the same? Their signatures may differ.
pub(crate) fn same_release(first: &Release, second: &Release) -> bool {
    (first.context, first.digest, first.slot) == (second.context, second.digest, second.slot)
        && first.shares == second.shares
}

fn write_release(release: &Release, out: &mut Writer) {
    let message = release.encode();
    out.u32(message.len() as u32).raw(&message);
}

/// Does `secret` match what the header signs for `kind`?
pub(crate) fn matches_header(setup: &SignedSetup, kind: ShareKind, secret: &Fq) -> bool {
    let header = &setup.header;
    match kind {
        ShareKind::SelfMask => {
            keys::self_seed_hash(secret, &header.context, header.slot) == header.self_seed_hash
        }
        ShareKind::MaskKey => {
            keys::x25519_public(&keys::mask_secret(secret, &header.context, header.slot)) == header.mask_key
        }
        ShareKind::Complaint => false,
    }
}

/// The hash that a record holds for `kind`.
pub(crate) const fn record_hash(record: &Record, kind: ShareKind) -> Option<&[u8; 32]> {
    match kind {
        ShareKind::SelfMask => Some(&record.self_share_hash),
        ShareKind::MaskKey => Some(&record.mask_share_hash),
        ShareKind::Complaint => None,
    }
}

struct Judge<'a> {
    roster: &'a Roster,
    contexts: &'a Contexts<'a>,
    slots: usize,
    limits: Limits,
    slot: u8,
}

impl Judge<'_> {
    fn key(&self, slot: u8) -> Result<&PublicKey, EvidenceError> {
        self.roster.key(slot).ok_or(EvidenceError::UnknownSlot { slot })
    }

    fn setup(&self, setup: &SignedSetup) -> Result<(), EvidenceError> {
        let slot = setup.header.slot;
        let bad = |reason| EvidenceError::Message { slot, reason };
        if setup.header.context != self.contexts.setup_context {
            return Err(bad(Fault::WrongContext { message: MessageKind::Setup }));
        }
        setup.verify_signature(self.key(slot)?).map_err(bad)
    }

    fn input(&self, input: &SignedInput) -> Result<(), EvidenceError> {
        let slot = input.body.slot;
        let bad = |reason| EvidenceError::Message { slot, reason };
        if input.body.context != self.contexts.round {
            return Err(bad(Fault::WrongContext { message: MessageKind::MaskedInput }));
        }
        input.verify_signature(self.key(slot)?).map_err(bad)
    }

    fn release(&self, release: &Release) -> Result<(), EvidenceError> {
        let slot = release.slot;
        release
            .verify(self.key(slot)?, &self.contexts.round, &release.digest)
            .map_err(|reason| EvidenceError::Message { slot, reason })
    }

    fn is_accused(&self, slot: u8) -> Result<(), EvidenceError> {
        if slot == self.slot {
            Ok(())
        } else {
            Err(EvidenceError::Unrelated { what: "another slot than the accused" })
        }
    }

    fn read_release(&self, reader: &mut Reader<'_>) -> Result<Release, WireError> {
        let length = reader.u32("release length")? as usize;
        Release::decode(reader.bytes(length, "release")?, &self.limits)
    }

    /// A dealer that signs two setups cannot turn on a releaser: the one that counts is listed
    /// under the setup root, which the releaser's own context binds.
    fn wrong_share(&self, reader: &mut Reader<'_>) -> Result<(Charge, bool), EvidenceError> {
        let release = self.read_release(reader)?;
        let dealt = PeerSetup::read(reader)?;
        let hashes =
            (0..self.slots).map(|_| reader.array("setup hash")).collect::<Result<Vec<[u8; 32]>, _>>()?;
        self.is_accused(release.slot)?;
        self.release(&release)?;
        let dealer = dealt.signed.header.slot;
        dealt
            .verify(self.contexts.setup, self.roster, release.slot)
            .map_err(|reason| EvidenceError::Message { slot: dealer, reason })?;
        if setup_root(&hashes) != self.contexts.setup_root {
            return Err(EvidenceError::Unrelated { what: "setup hashes and setup root" });
        }
        if hashes.get(usize::from(dealer)) != Some(&dealt.signed.hash()) {
            return Err(EvidenceError::Unrelated { what: "the dealer's setup and the list" });
        }
        let shown = release.shares.iter().any(|share| {
            share.peer == dealer
                && record_hash(&dealt.record, share.kind).is_some_and(|expected| {
                    keys::share_hash(
                        &self.contexts.setup_context,
                        dealer,
                        release.slot,
                        share.kind,
                        &share.share,
                    ) != *expected
                })
        });
        Ok((Charge::WrongShare { dealer }, shown))
    }

    fn inconsistent_shares(&self, reader: &mut Reader<'_>) -> Result<bool, EvidenceError> {
        let kind = match reader.u8("share kind")? {
            0 => ShareKind::SelfMask,
            1 => ShareKind::MaskKey,
            got => return Err(WireError::Value { what: "share kind", got: got.into() }.into()),
        };
        let signed = SignedSetup::read(reader)?;
        self.is_accused(signed.header.slot)?;
        self.setup(&signed)?;
        let count = reader.count("shares", self.slots, 32)?;
        let mut shares = Vec::with_capacity(count);
        for _ in 0..count {
            let record = Record::read(reader)?;
            let path_length = reader.u8("path length")?;
            let path =
                (0..path_length).map(|_| reader.array("path")).collect::<Result<Vec<[u8; 32]>, _>>()?;
            let share = reader.fq("share")?;
            let receiver = record.receiver;
            let hash = record_hash(&record, kind).copied();
            let dealt = PeerSetup { signed, record, path };
            dealt
                .verify(self.contexts.setup, self.roster, receiver)
                .map_err(|reason| EvidenceError::Message { slot: signed.header.slot, reason })?;
            if hash != Some(keys::share_hash(&self.contexts.setup_context, self.slot, receiver, kind, &share))
            {
                return Err(EvidenceError::Unrelated { what: "a share and its hash" });
            }
            shares.push((receiver, share));
        }
        let Some(group) = self.contexts.setup.config.group_of(self.slot) else {
            return Err(EvidenceError::UnknownSlot { slot: self.slot });
        };
        if shares.len() != usize::from(group.threshold) {
            return Err(EvidenceError::Unrelated { what: "the number of shares and the threshold" });
        }
        let secret = shamir::reconstruct(&shares, group.threshold)
            .map_err(|_| EvidenceError::Unrelated { what: "shares of the same receiver" })?;
        Ok(!matches_header(&signed, kind, &secret))
    }

    fn bad_commitment(&self, reader: &mut Reader<'_>) -> Result<bool, EvidenceError> {
        let input = SignedInput::read(reader, &self.limits)?;
        let setup = SignedSetup::read(reader)?;
        let b = reader.fq("self-mask secret")?;
        self.is_accused(input.body.slot)?;
        self.is_accused(setup.header.slot)?;
        self.input(&input)?;
        self.setup(&setup)?;
        if !matches_header(&setup, ShareKind::SelfMask, &b) {
            return Err(EvidenceError::Unrelated { what: "the self-mask secret and its hash" });
        }
        Ok(open_input(&input, &b, self.key(self.slot)?).is_none())
    }

    fn two_messages(&self, reader: &mut Reader<'_>) -> Result<(Charge, bool), EvidenceError> {
        let number = reader.u8("message kind")?;
        let [setup, input, release] =
            [MessageKind::Setup, MessageKind::MaskedInput, MessageKind::Release].map(|kind| kind as u8);
        let (message, differ) = if number == setup {
            let (first, second) = (SignedSetup::read(reader)?, SignedSetup::read(reader)?);
            for setup in [&first, &second] {
                self.is_accused(setup.header.slot)?;
                self.setup(setup)?;
            }
            (MessageKind::Setup, (first.header, first.records_root) != (second.header, second.records_root))
        } else if number == input {
            let (first, second) =
                (SignedInput::read(reader, &self.limits)?, SignedInput::read(reader, &self.limits)?);
            for input in [&first, &second] {
                self.is_accused(input.body.slot)?;
                self.input(input)?;
            }
            (MessageKind::MaskedInput, first.body != second.body)
        } else if number == release {
            let (first, second) = (self.read_release(reader)?, self.read_release(reader)?);
            for release in [&first, &second] {
                self.is_accused(release.slot)?;
                self.release(release)?;
            }
            (MessageKind::Release, !same_release(&first, &second))
        } else {
            return Err(WireError::Value { what: "message kind", got: number.into() }.into());
        };
        Ok((Charge::TwoMessages { message }, differ))
    }

    fn complaints(&self, reader: &mut Reader<'_>) -> Result<bool, EvidenceError> {
        let Some(group) = self.contexts.setup.config.group_of(self.slot) else {
            return Err(EvidenceError::UnknownSlot { slot: self.slot });
        };
        let count = reader.count("inputs", self.slots, 32)?;
        let mut complaining = Bitmap::EMPTY;
        for _ in 0..count {
            let input = SignedInput::read(reader, &self.limits)?;
            self.input(&input)?;
            if !group.members.get(input.body.slot)
                || input.body.slot == self.slot
                || !input.body.complaints.get(self.slot)
            {
                return Err(EvidenceError::Unrelated {
                    what: "an input that does not complain of the accused",
                });
            }
            complaining.set(input.body.slot, true);
        }
        Ok(complaining.count() > usize::from(group.corrupt))
    }
}
