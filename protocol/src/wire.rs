//! Bytes on the wire: the frame of every message, a strict reader, and a writer.
//!
//! Frame: `BSUM`, version u16, kind u8, length u64, payload. The length counts every byte after
//! it: signed body, signature, and what follows the signature (a setup's records, the words of a
//! masked input). Integers are big-endian except the words of vectors.
//!
//! Nothing is allocated before the declared length has been compared with the limit of its kind
//! and with the bytes that are there.

use std::fmt;

use blindsum_engine::{
    curve::{self, Fq, Fr, Point},
    roster::{Bitmap, CohortSize, RoundContext},
    schnorr::{PublicKey, Signature},
};

use crate::{config::Mode, error::WireError};

/// First bytes of every message.
pub const MAGIC: [u8; 4] = *b"BSUM";
/// Version of every message.
pub const VERSION: u16 = 1;
/// Bytes before the payload.
pub const HEADER_BYTES: usize = 15;

/// The kinds of message. Up to 8 the number is also that of the signature's kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum MessageKind {
    /// A roster key with its proof of possession.
    Registration = 1,
    /// The first share-encryption key of an epoch.
    Enrolment = 2,
    /// A client's setup.
    Setup = 3,
    /// A client's masked input.
    MaskedInput = 4,
    /// The aggregator's survivor digest.
    SurvivorDigest = 5,
    /// A client's signature on a survivor digest.
    DigestSignature = 6,
    /// A client's released shares.
    Release = 7,
    /// A client's word that it has checked an opening.
    Opened = 8,
    /// A sum with its blinding.
    Opening = 10,
    /// The aggregator asks for a setup.
    SetupRequest = 16,
    /// The aggregator asks for a masked input.
    MaskRequest = 17,
    /// The aggregator asks for a digest signature or for a release.
    UnmaskRequest = 18,
}

impl MessageKind {
    /// Every kind.
    pub const ALL: [Self; 12] = [
        Self::Registration,
        Self::Enrolment,
        Self::Setup,
        Self::MaskedInput,
        Self::SurvivorDigest,
        Self::DigestSignature,
        Self::Release,
        Self::Opened,
        Self::Opening,
        Self::SetupRequest,
        Self::MaskRequest,
        Self::UnmaskRequest,
    ];

    /// The kind in the header of `bytes`, for callers that route messages.
    ///
    /// # Errors
    /// If the header is not one of a message.
    pub fn of(bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        let kind = read_header(&mut reader)?.0;
        Self::ALL
            .into_iter()
            .find(|k| *k as u8 == kind)
            .ok_or(WireError::Value { what: "message kind", got: kind.into() })
    }
}

impl fmt::Display for MessageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Registration => "registration",
            Self::Enrolment => "enrolment",
            Self::Setup => "setup",
            Self::MaskedInput => "masked input",
            Self::SurvivorDigest => "survivor digest",
            Self::DigestSignature => "digest signature",
            Self::Release => "release",
            Self::Opened => "opened",
            Self::Opening => "opening",
            Self::SetupRequest => "setup request",
            Self::MaskRequest => "mask request",
            Self::UnmaskRequest => "unmask request",
        })
    }
}

/// What bounds the length of every message of a cohort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    slots: u64,
    dimension: u64,
}

impl Limits {
    /// The largest dimension that a message carries.
    pub const MAX_DIMENSION: u64 = 1 << 32;

    /// Limits of a cohort of `size` slots and vectors of `dimension` coordinates, weight included.
    #[must_use]
    pub fn new(size: CohortSize, dimension: u64) -> Self {
        Self { slots: size.slots() as u64, dimension: dimension.min(Self::MAX_DIMENSION) }
    }

    /// Slots of the cohort.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.slots as usize
    }

    /// Coordinates of a vector, weight included.
    #[must_use]
    pub fn dimension(&self) -> u64 {
        self.dimension
    }

    /// The longest payload of `kind`, in bytes.
    #[must_use]
    pub fn payload(&self, kind: MessageKind) -> u64 {
        use crate::message::{digest, masked_input, opened, release, request, setup};
        match kind {
            MessageKind::Registration => crate::enrolment::REGISTRATION_BYTES as u64,
            MessageKind::Enrolment => crate::enrolment::ENROLMENT_BYTES as u64,
            MessageKind::Setup => (setup::SIGNED_BYTES + setup::RECORD_BYTES * self.slots()) as u64,
            MessageKind::MaskedInput => masked_input::FIXED_BYTES as u64 + 4 * self.dimension,
            MessageKind::SurvivorDigest => digest::SURVIVOR_DIGEST_BYTES as u64,
            MessageKind::DigestSignature => digest::DIGEST_SIGNATURE_BYTES as u64,
            MessageKind::Release => (release::FIXED_BYTES + release::SHARE_BYTES * self.slots()) as u64,
            MessageKind::Opened => opened::OPENED_BYTES as u64,
            MessageKind::Opening => 8 + 32 + 8 * self.dimension,
            MessageKind::SetupRequest => request::setup_request_limit(self.slots()) as u64,
            MessageKind::MaskRequest => request::mask_request_limit(self.slots()) as u64,
            MessageKind::UnmaskRequest => request::unmask_request_limit(self.slots()) as u64,
        }
    }
}

/// Puts `payload` into the frame of `kind`.
#[must_use]
pub fn frame(kind: MessageKind, payload: &[u8]) -> Vec<u8> {
    let mut writer = Writer::with_capacity(HEADER_BYTES + payload.len());
    write_header(&mut writer, kind, payload.len());
    writer.raw(payload);
    writer.into_bytes()
}

/// Writes the header of a message whose payload of `length` bytes follows.
pub(crate) fn write_header(out: &mut Writer, kind: MessageKind, length: usize) {
    out.raw(&MAGIC).u16(VERSION).u8(kind as u8).u64(length as u64);
}

fn read_header(reader: &mut Reader<'_>) -> Result<(u8, u64), WireError> {
    if reader.array::<4>("magic")? != MAGIC {
        return Err(WireError::Magic);
    }
    let version = reader.u16("version")?;
    if version != VERSION {
        return Err(WireError::Version { expected: VERSION, got: version });
    }
    Ok((reader.u8("kind")?, reader.u64("length")?))
}

/// Opens the frame of a message of `kind` and returns a reader over its payload.
///
/// # Errors
/// Another magic, version or kind; a length above the kind's limit; missing or trailing bytes.
pub fn unframe<'a>(bytes: &'a [u8], kind: MessageKind, limits: &Limits) -> Result<Reader<'a>, WireError> {
    let mut reader = Reader::new(bytes);
    let (got, length) = read_header(&mut reader)?;
    if got != kind as u8 {
        return Err(WireError::Kind { expected: kind as u8, got });
    }
    let limit = limits.payload(kind);
    if length > limit {
        return Err(WireError::TooLong { limit, got: length });
    }
    let rest = reader.remaining() as u64;
    if rest < length {
        return Err(WireError::Truncated { what: "payload", missing: length - rest });
    }
    if rest > length {
        return Err(WireError::Trailing { count: rest - length });
    }
    Ok(reader)
}

/// Reads canonical values off the front of a byte string.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader over all of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Bytes not read yet.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.bytes.len()
    }

    /// The bytes not read yet, without reading them.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    /// The next `length` bytes.
    ///
    /// # Errors
    /// If fewer remain; nothing is read then.
    pub fn bytes(&mut self, length: usize, what: &'static str) -> Result<&'a [u8], WireError> {
        match self.bytes.split_at_checked(length) {
            Some((head, tail)) => {
                self.bytes = tail;
                Ok(head)
            }
            None => Err(WireError::Truncated { what, missing: (length - self.bytes.len()) as u64 }),
        }
    }

    /// The next `L` bytes.
    ///
    /// # Errors
    /// If fewer remain.
    pub fn array<const L: usize>(&mut self, what: &'static str) -> Result<[u8; L], WireError> {
        let mut out = [0; L];
        out.copy_from_slice(self.bytes(L, what)?);
        Ok(out)
    }

    /// One byte.
    ///
    /// # Errors
    /// If none remains.
    pub fn u8(&mut self, what: &'static str) -> Result<u8, WireError> {
        Ok(u8::from_be_bytes(self.array(what)?))
    }

    /// Two bytes, big-endian.
    ///
    /// # Errors
    /// If fewer remain.
    pub fn u16(&mut self, what: &'static str) -> Result<u16, WireError> {
        Ok(u16::from_be_bytes(self.array(what)?))
    }

    /// Four bytes, big-endian.
    ///
    /// # Errors
    /// If fewer remain.
    pub fn u32(&mut self, what: &'static str) -> Result<u32, WireError> {
        Ok(u32::from_be_bytes(self.array(what)?))
    }

    /// Eight bytes, big-endian.
    ///
    /// # Errors
    /// If fewer remain.
    pub fn u64(&mut self, what: &'static str) -> Result<u64, WireError> {
        Ok(u64::from_be_bytes(self.array(what)?))
    }

    /// A byte that is 0 or 1.
    ///
    /// # Errors
    /// Any other byte.
    pub fn flag(&mut self, what: &'static str) -> Result<bool, WireError> {
        match self.u8(what)? {
            0 => Ok(false),
            1 => Ok(true),
            got => Err(WireError::Value { what, got: got.into() }),
        }
    }

    /// A canonical element of `Fr`.
    ///
    /// # Errors
    /// If it is not below the modulus.
    pub fn fr(&mut self, what: &'static str) -> Result<Fr, WireError> {
        Ok(curve::fr_from_bytes(&self.array(what)?)?)
    }

    /// A canonical element of `Fq`.
    ///
    /// # Errors
    /// If it is not below the modulus.
    pub fn fq(&mut self, what: &'static str) -> Result<Fq, WireError> {
        Ok(curve::fq_from_bytes(&self.array(what)?)?)
    }

    /// A point of Grumpkin.
    ///
    /// # Errors
    /// If it is not canonical or not on the curve.
    pub fn point(&mut self, what: &'static str) -> Result<Point, WireError> {
        Ok(curve::point_from_bytes(&self.array(what)?)?)
    }

    /// A roster key.
    ///
    /// # Errors
    /// If it is not canonical or not on the curve.
    pub fn public_key(&mut self, what: &'static str) -> Result<PublicKey, WireError> {
        Ok(PublicKey::from_bytes(&self.array(what)?)?)
    }

    /// A signature.
    ///
    /// # Errors
    /// If R is not on the curve or s is not below q.
    pub fn signature(&mut self) -> Result<Signature, WireError> {
        Ok(Signature::from_bytes(&self.array("signature")?)?)
    }

    /// A round context: its two leading bytes are zero.
    ///
    /// # Errors
    /// If they are not.
    pub fn round_context(&mut self) -> Result<RoundContext, WireError> {
        Ok(RoundContext::from_bytes(self.array("round context")?)?)
    }

    /// `count` words of four bytes, little-endian.
    ///
    /// # Errors
    /// If fewer remain; nothing is allocated then.
    pub fn words(&mut self, count: usize) -> Result<Vec<u32>, WireError> {
        let bytes = self.bytes(count.saturating_mul(4), "words")?;
        let (words, _) = bytes.as_chunks::<4>();
        Ok(words.iter().map(|word| u32::from_le_bytes(*word)).collect())
    }

    /// A bitmap of slots below `slots`.
    ///
    /// # Errors
    /// If a bit beyond the cohort is set.
    pub fn bitmap(&mut self, what: &'static str, slots: usize) -> Result<Bitmap, WireError> {
        let bitmap = Bitmap::from_be_bytes(&self.array(what)?);
        match bitmap.iter().find(|slot| usize::from(*slot) >= slots) {
            Some(slot) => Err(WireError::Value { what, got: slot.into() }),
            None => Ok(bitmap),
        }
    }

    /// A slot below `slots`.
    ///
    /// # Errors
    /// If the slot lies beyond the cohort.
    pub fn slot(&mut self, what: &'static str, slots: usize) -> Result<u8, WireError> {
        let slot = self.u8(what)?;
        if usize::from(slot) < slots { Ok(slot) } else { Err(WireError::Value { what, got: slot.into() }) }
    }

    /// A count of at most `max` entries of at least `entry_bytes` bytes each, all of which are there.
    ///
    /// # Errors
    /// If there are more than `max`, or if they cannot fit in what remains.
    pub fn count(&mut self, what: &'static str, max: usize, entry_bytes: usize) -> Result<usize, WireError> {
        let count = usize::from(self.u16(what)?);
        if count > max {
            return Err(WireError::Value { what, got: count as u64 });
        }
        let needed = count.saturating_mul(entry_bytes);
        if needed > self.remaining() {
            return Err(WireError::Truncated { what, missing: (needed - self.remaining()) as u64 });
        }
        Ok(count)
    }

    /// A mode.
    ///
    /// # Errors
    /// A byte that names none.
    pub fn mode(&mut self) -> Result<Mode, WireError> {
        let got = self.u8("mode")?;
        Mode::from_number(got).ok_or(WireError::Value { what: "mode", got: got.into() })
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// If bytes remain.
    pub fn finish(self) -> Result<(), WireError> {
        if self.bytes.is_empty() {
            Ok(())
        } else {
            Err(WireError::Trailing { count: self.bytes.len() as u64 })
        }
    }
}

/// Appends values to a byte string, in the encodings that [`Reader`] reads.
#[derive(Debug, Clone, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// An empty writer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty writer with room for `capacity` bytes.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity) }
    }

    /// Appends bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// Appends one byte.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.raw(&[value])
    }

    /// Appends two bytes, big-endian.
    pub fn u16(&mut self, value: u16) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// Appends four bytes, big-endian.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// Appends eight bytes, big-endian.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// Appends an element of `Fr`.
    pub fn fr(&mut self, value: &Fr) -> &mut Self {
        self.raw(&curve::fr_to_bytes(value))
    }

    /// Appends an element of `Fq`.
    pub fn fq(&mut self, value: &Fq) -> &mut Self {
        self.raw(&curve::fq_to_bytes(value))
    }

    /// Appends a bitmap.
    pub fn bitmap(&mut self, value: &Bitmap) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// Appends a signature.
    pub fn signature(&mut self, value: &Signature) -> &mut Self {
        self.raw(&value.to_bytes())
    }

    /// Appends words, little-endian.
    pub fn words(&mut self, words: &[u32]) -> &mut Self {
        self.bytes.reserve(4 * words.len());
        words.iter().for_each(|word| self.bytes.extend_from_slice(&word.to_le_bytes()));
        self
    }

    /// The bytes.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}
