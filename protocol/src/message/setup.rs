//! Exchange 1, setup: a mask key, and shares of two secrets for every other member of the group.
//!
//! Header: setup_context, slot u8, mask key, `H("self seed"; ...)`, share key number u32, share key,
//! next share key. Signed body = header || records root; the records follow the signature. The
//! records hang under a binary tree, so that a peer is sent the header, its record and a path.

use blindsum_engine::{
    domain::Label,
    hash::hash,
    roster::{Roster, SetupContext},
    schnorr::{self, Kind, PublicKey, SecretKey, Signature},
};
use rand_core::CryptoRng;

use crate::{
    contexts::SetupParameters,
    error::{Fault, WireError},
    keys::is_low_order,
    seal::{NONCE_BYTES, SHARE_BOX_BYTES},
    wire::{self, Limits, MessageKind, Reader, Writer},
};

/// Bytes of the signed body.
pub const BODY_BYTES: usize = 32 + 1 + 32 + 32 + 4 + 32 + 32 + 32;
/// Bytes of the signed body and its signature.
pub const SIGNED_BYTES: usize = BODY_BYTES + 96;
/// Bytes of one record.
pub const RECORD_BYTES: usize = 1 + 4 + 32 + 32 + NONCE_BYTES + SHARE_BOX_BYTES;
/// Most hashes on a path: 255 records are padded to 256.
const MAX_PATH: usize = 8;

/// What a setup says besides its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetupHeader {
    /// The context that the setup is good for.
    pub context: SetupContext,
    /// Slot of the dealer.
    pub slot: u8,
    /// X25519 mask key.
    pub mask_key: [u8; 32],
    /// `H("self seed"; setup_context, slot, b)`.
    pub self_seed_hash: [u8; 32],
    /// Number of the share key that seals this setup.
    pub share_key_number: u32,
    /// That share key (X25519).
    pub share_key: [u8; 32],
    /// The share key of the next number, which peers seal to from now on.
    pub next_share_key: [u8; 32],
}

/// The shares for one receiver: their hashes, and a box that only the receiver opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// Slot of the receiver.
    pub receiver: u8,
    /// Number of the receiver's share key that the box is sealed to.
    pub key_number: u32,
    /// Hash of the share of `b`.
    pub self_share_hash: [u8; 32],
    /// Hash of the share of the mask-key seed.
    pub mask_share_hash: [u8; 32],
    /// Nonce of the box.
    pub nonce: [u8; NONCE_BYTES],
    /// `b` share || seed share, sealed.
    pub sealed: [u8; SHARE_BOX_BYTES],
}

impl Record {
    /// Its bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; RECORD_BYTES] {
        let mut out = Writer::with_capacity(RECORD_BYTES);
        self.write(&mut out);
        out.into_bytes().try_into().expect("the fields have fixed widths")
    }

    pub(crate) fn write(&self, out: &mut Writer) {
        out.u8(self.receiver).u32(self.key_number).raw(&self.self_share_hash).raw(&self.mask_share_hash);
        out.raw(&self.nonce).raw(&self.sealed);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            receiver: reader.u8("receiver")?,
            key_number: reader.u32("share key number")?,
            self_share_hash: reader.array("share hash")?,
            mask_share_hash: reader.array("share hash")?,
            nonce: reader.array("nonce")?,
            sealed: reader.array("share box")?,
        })
    }

    fn leaf(&self) -> [u8; 32] {
        hash(Label::Record, &[&self.to_bytes()])
    }
}

/// The levels of the binary tree over the records, leaves first: `H("record"; record)`, padded with
/// zero hashes to a power of two, nodes `H("node"; left, right)`.
fn levels(records: &[Record]) -> Vec<Vec<[u8; 32]>> {
    let mut level: Vec<[u8; 32]> = records.iter().map(Record::leaf).collect();
    level.resize(records.len().next_power_of_two(), [0; 32]);
    let mut levels = vec![level];
    while let Some(below) = levels.last().filter(|level| level.len() > 1) {
        let above = below.chunks(2).map(|pair| hash(Label::Node, &[&pair[0], &pair[1]])).collect();
        levels.push(above);
    }
    levels
}

/// Root of the tree over `records`.
#[must_use]
pub fn records_root(records: &[Record]) -> [u8; 32] {
    levels(records).last().map_or([0; 32], |top| top[0])
}

/// `H("setup root"; N hashes in slot order, 32 zero bytes if absent)`.
#[must_use]
pub fn setup_root(hashes: &[[u8; 32]]) -> [u8; 32] {
    hash(Label::SetupRoot, &[hashes.as_flattened()])
}

/// A header and a records root with their owner's signature: what a setup hash names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedSetup {
    /// The header.
    pub header: SetupHeader,
    /// Root of the records.
    pub records_root: [u8; 32],
    /// The dealer's signature on both.
    pub signature: Signature,
}

impl SignedSetup {
    /// Signs a header and its records.
    #[must_use]
    pub fn sign(key: &SecretKey, header: SetupHeader, records: &[Record], rng: &mut dyn CryptoRng) -> Self {
        let records_root = records_root(records);
        let signature = schnorr::sign(key, Kind::Setup, &body(&header, &records_root), rng);
        Self { header, records_root, signature }
    }

    /// `H("setup"; body, signature)`.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        hash(Label::Setup, &[&body(&self.header, &self.records_root), &self.signature.to_bytes()])
    }

    /// Checks the signature alone.
    ///
    /// # Errors
    /// [`Fault::BadSignature`].
    pub fn verify_signature(&self, key: &PublicKey) -> Result<(), Fault> {
        schnorr::verify(key, Kind::Setup, &body(&self.header, &self.records_root), &self.signature)
            .map_err(|_| Fault::BadSignature { message: MessageKind::Setup })
    }

    /// Checks what everyone can check without the records: context, slot, signature, keys.
    ///
    /// # Errors
    /// The first [`Fault`] found.
    pub fn verify(&self, parameters: &SetupContext, roster: &Roster) -> Result<(), Fault> {
        let header = &self.header;
        let key = roster.key(header.slot).ok_or(Fault::UnknownSlot)?;
        if header.context != *parameters {
            return Err(Fault::WrongContext { message: MessageKind::Setup });
        }
        self.verify_signature(key)?;
        let keys = [
            ("mask key", &header.mask_key),
            ("share key", &header.share_key),
            ("next share key", &header.next_share_key),
        ];
        match keys.into_iter().find(|(_, key)| is_low_order(key)) {
            Some((what, _)) => Err(Fault::LowOrderKey { what }),
            None => Ok(()),
        }
    }

    pub(crate) fn write(&self, out: &mut Writer) {
        out.raw(&body(&self.header, &self.records_root)).signature(&self.signature);
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let header = SetupHeader {
            context: SetupContext(reader.array("setup context")?),
            slot: reader.u8("slot")?,
            mask_key: reader.array("mask key")?,
            self_seed_hash: reader.array("self seed hash")?,
            share_key_number: reader.u32("share key number")?,
            share_key: reader.array("share key")?,
            next_share_key: reader.array("next share key")?,
        };
        Ok(Self { header, records_root: reader.array("records root")?, signature: reader.signature()? })
    }
}

fn body(header: &SetupHeader, records_root: &[u8; 32]) -> Vec<u8> {
    let mut out = Writer::with_capacity(BODY_BYTES);
    out.raw(&header.context.0).u8(header.slot).raw(&header.mask_key).raw(&header.self_seed_hash);
    out.u32(header.share_key_number).raw(&header.share_key).raw(&header.next_share_key).raw(records_root);
    out.into_bytes()
}

/// A client's whole setup message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// The signed part.
    pub signed: SignedSetup,
    /// One record a member of the group, the dealer left out, in slot order.
    pub records: Vec<Record>,
}

impl Setup {
    /// Everything that the aggregator must check before it lists a setup.
    ///
    /// # Errors
    /// The first [`Fault`] found; the slot at fault is `signed.header.slot`.
    pub fn verify(&self, parameters: &SetupParameters, roster: &Roster) -> Result<(), Fault> {
        self.signed.verify(&parameters.context(), roster)?;
        if !self
            .records
            .iter()
            .map(|record| record.receiver)
            .eq(parameters.config.peers(self.signed.header.slot))
        {
            return Err(Fault::WrongReceivers);
        }
        if records_root(&self.records) != self.signed.records_root {
            return Err(Fault::WrongRecordsRoot);
        }
        Ok(())
    }

    /// The record for `receiver`.
    #[must_use]
    pub fn record_for(&self, receiver: u8) -> Option<&Record> {
        self.records.iter().find(|record| record.receiver == receiver)
    }

    /// What `receiver` is sent of this setup; `None` if it deals nothing to that slot.
    ///
    /// Hashes every record: to serve a whole group, use [`Setup::for_peers`].
    #[must_use]
    pub fn for_peer(&self, receiver: u8) -> Option<PeerSetup> {
        self.for_peers().find(|peer| peer.record.receiver == receiver)
    }

    /// What each receiver is sent of this setup, in slot order.
    pub fn for_peers(&self) -> impl Iterator<Item = PeerSetup> + '_ {
        let levels = levels(&self.records);
        self.records.iter().enumerate().map(move |(index, record)| {
            let siblings = levels.iter().enumerate().filter(|(_, level)| level.len() > 1);
            let path = siblings.map(|(height, level)| level[(index >> height) ^ 1]).collect();
            PeerSetup { signed: self.signed, record: *record, path }
        })
    }

    /// The framed message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(SIGNED_BYTES + RECORD_BYTES * self.records.len());
        self.signed.write(&mut out);
        self.records.iter().for_each(|record| record.write(&mut out));
        wire::frame(MessageKind::Setup, &out.into_bytes())
    }

    /// Reads a framed message.
    ///
    /// # Errors
    /// [`WireError`] for any other byte string, records out of slot order included.
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Self, WireError> {
        let mut reader = wire::unframe(bytes, MessageKind::Setup, limits)?;
        let signed = SignedSetup::read(&mut reader)?;
        let mut records: Vec<Record> = Vec::with_capacity(reader.remaining() / RECORD_BYTES);
        while reader.remaining() > 0 {
            let record = Record::read(&mut reader)?;
            if records.last().is_some_and(|last| last.receiver >= record.receiver) {
                return Err(WireError::Order { what: "records" });
            }
            records.push(record);
        }
        Ok(Self { signed, records })
    }
}

/// What one peer is sent of a setup: the signed part, the peer's record and its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerSetup {
    /// The signed part.
    pub signed: SignedSetup,
    /// The peer's record.
    pub record: Record,
    /// Siblings from the record's leaf to the root.
    pub path: Vec<[u8; 32]>,
}

impl PeerSetup {
    /// Most bytes of the encoding.
    pub const MAX_BYTES: usize = SIGNED_BYTES + RECORD_BYTES + 1 + 32 * MAX_PATH;
    /// Least bytes of the encoding.
    pub const MIN_BYTES: usize = SIGNED_BYTES + RECORD_BYTES + 1;

    /// Everything that `receiver` must check: the signed part, and that the record for itself lies at
    /// its place under the signed root. Whether the record opens is another matter: a record that
    /// does not is a complaint.
    ///
    /// # Errors
    /// The first [`Fault`] found; the slot at fault is `signed.header.slot`.
    pub fn verify(&self, parameters: &SetupParameters, roster: &Roster, receiver: u8) -> Result<(), Fault> {
        self.signed.verify(&parameters.context(), roster)?;
        let receivers = parameters.config.peers(self.signed.header.slot);
        let index = receivers.iter().position(|slot| *slot == receiver).ok_or(Fault::WrongReceivers)?;
        if self.record.receiver != receiver {
            return Err(Fault::WrongReceivers);
        }
        if self.path.len() != receivers.len().next_power_of_two().ilog2() as usize {
            return Err(Fault::WrongPath);
        }
        let root = self.path.iter().enumerate().fold(self.record.leaf(), |node, (height, sibling)| {
            let (left, right) = if index >> height & 1 == 0 { (&node, sibling) } else { (sibling, &node) };
            hash(Label::Node, &[left, right])
        });
        if root == self.signed.records_root { Ok(()) } else { Err(Fault::WrongPath) }
    }

    pub(crate) fn write(&self, out: &mut Writer) {
        self.signed.write(out);
        self.record.write(out);
        out.u8(self.path.len() as u8).raw(self.path.as_flattened());
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let signed = SignedSetup::read(reader)?;
        let record = Record::read(reader)?;
        let length = reader.u8("path length")?;
        if usize::from(length) > MAX_PATH {
            return Err(WireError::Value { what: "path length", got: length.into() });
        }
        let path = (0..length).map(|_| reader.array("path")).collect::<Result<_, _>>()?;
        Ok(Self { signed, record, path })
    }
}
