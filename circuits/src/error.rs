//! What a certificate, a verifying key or a caller's record can have wrong with it, sorted by whose fault it is.
//!
//! [`EncodingError`]: the bytes. [`LintError`]: a key that decodes but proves nothing. [`RecordError`]: the caller's own
//! records contradict each other. [`VerifyError`]: everything [`crate::verifier::Verifier::verify`] can answer.

use std::fmt;

use thiserror::Error;

/// A value inside a certificate or a verifying key, for error messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// Public input `roster_root`.
    RosterRoot,
    /// Public input `round_context`.
    RoundContext,
    /// Public input `participants`.
    Participants,
    /// Public input `leaves_root`.
    LeavesRoot,
    /// Public inputs `C_x`, `C_y`.
    Commitment,
    /// The proof's first point, in G1.
    ProofA,
    /// The proof's second point, in G2.
    ProofB,
    /// The proof's third point, in G1.
    ProofC,
    /// The key's alpha, in G1.
    Alpha,
    /// The key's beta, in G2.
    Beta,
    /// The key's gamma, in G2.
    Gamma,
    /// The key's delta, in G2.
    Delta,
    /// The key's point in G1 for public input `i - 1`; number 0 is the constant's.
    Ic(usize),
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RosterRoot => f.write_str("roster_root"),
            Self::RoundContext => f.write_str("round_context"),
            Self::Participants => f.write_str("participants"),
            Self::LeavesRoot => f.write_str("leaves_root"),
            Self::Commitment => f.write_str("commitment"),
            Self::ProofA => f.write_str("proof A"),
            Self::ProofB => f.write_str("proof B"),
            Self::ProofC => f.write_str("proof C"),
            Self::Alpha => f.write_str("alpha"),
            Self::Beta => f.write_str("beta"),
            Self::Gamma => f.write_str("gamma"),
            Self::Delta => f.write_str("delta"),
            Self::Ic(index) => write!(f, "IC[{index}]"),
        }
    }
}

/// Bytes that are not the one encoding of a certificate or a verifying key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EncodingError {
    /// Too short or too long. `expected` is 0 when the bytes end before they say their cohort size.
    #[error("{got} bytes, expected {expected}")]
    Length {
        /// The only length that these bytes could have.
        expected: usize,
        /// The length that they have.
        got: usize,
    },
    /// The first four bytes belong to something else.
    #[error("magic {got:02x?}, expected {expected:02x?}")]
    Magic {
        /// The magic of this format.
        expected: [u8; 4],
        /// What was there.
        got: [u8; 4],
    },
    /// A version that this build does not know.
    #[error("unknown version {got}")]
    Version {
        /// The version found.
        got: u16,
    },
    /// A flag that this build does not know.
    #[error("unknown flags {got:#06x}")]
    Flags {
        /// All flag bits found.
        got: u16,
    },
    /// No cohort has this size.
    #[error("cohort size {got} is none of 16, 64, 128, 256")]
    CohortSize {
        /// The size found.
        got: u16,
    },
    /// A reserved byte that is not zero.
    #[error("reserved byte {offset} is not zero")]
    Reserved {
        /// Its position from the start.
        offset: usize,
    },
    /// A field element or coordinate that is not below its modulus.
    #[error("{element}: not below its modulus")]
    NotCanonical {
        /// Which value.
        element: Element,
    },
    /// The point at infinity, which has no encoding here.
    #[error("{element}: the point at infinity")]
    Infinity {
        /// Which point.
        element: Element,
    },
    /// Coordinates off the curve.
    #[error("{element}: not on its curve")]
    NotOnCurve {
        /// Which point.
        element: Element,
    },
    /// A point of the twist outside the subgroup of order r.
    #[error("{element}: not in the subgroup of prime order")]
    NotInSubgroup {
        /// Which point.
        element: Element,
    },
    /// `participants` has a bit at or above N, or `round_context` is not below 2^240.
    #[error("{element}: out of range")]
    OutOfRange {
        /// Which value.
        element: Element,
    },
}

/// A verifying key that decodes and yet must not be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LintError {
    /// A point that no decoder would have let in.
    #[error(transparent)]
    Point(#[from] EncodingError),
    /// One IC point is needed for the constant and one for each public input.
    #[error("{got} IC points, expected {expected}")]
    IcLength {
        /// Public inputs of this cohort size, and one.
        expected: usize,
        /// IC points in the key.
        got: usize,
    },
    /// Two points of the key that are independent in an honest setup are equal or opposite. With gamma = +-delta anybody
    /// can forge: the second phase was skipped.
    #[error("{first} and {second} are equal or opposite")]
    Related {
        /// The earlier one.
        first: Element,
        /// The later one.
        second: Element,
    },
    /// A point whose secret is 1 or -1: it equals the curve's standard generator or its opposite. For delta this is the
    /// key of a setup whose second phase has no contribution.
    #[error("{element} is the standard generator or its opposite")]
    Generator {
        /// Which point.
        element: Element,
    },
}

/// Why a key was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The bytes are no verifying key.
    #[error("verifying key: {0}")]
    Encoding(#[from] EncodingError),
    /// The key fails [`crate::lint::lint`].
    #[error("verifying key: {0}")]
    Lint(#[from] LintError),
    /// The key comes from a single-party setup: whoever ran it can forge. Allow it explicitly where that is understood.
    #[error("verifying key: a development key, which its maker can forge under, was not allowed")]
    DevelopmentKeyRefused,
}

/// A caller's [`crate::verifier::Record`] that contradicts itself or the verifier's cohort size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Group widths are powers of two.
    #[error("group width {got} is not a power of two of at most {slots}")]
    GroupWidth {
        /// The width in the record.
        got: u16,
        /// The verifier's cohort size.
        slots: usize,
    },
    /// One floor is needed per group of the verifier's cohort size.
    #[error("{got} floors, expected {expected}")]
    Floors {
        /// Cohort size over group width.
        expected: usize,
        /// Floors in the record.
        got: usize,
    },
    /// A floor of 0 would let an empty group count as agreed.
    #[error("group {group}: floor {got} is not in 1 ..= {width}")]
    Floor {
        /// The group.
        group: usize,
        /// Its floor in the record.
        got: u16,
        /// Slots in a group.
        width: u16,
    },
    /// An occupied slot at or above the cohort size.
    #[error("slot {slot} is occupied, of {slots}")]
    OccupiedOutOfRange {
        /// The slot.
        slot: usize,
        /// The verifier's cohort size.
        slots: usize,
    },
    /// A slot was recorded as posted that has no client.
    #[error("slot {slot} is posted and not occupied")]
    PostedNotOccupied {
        /// The slot.
        slot: usize,
    },
}

/// Why a certificate was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The caller's record is at fault; the certificate was not judged.
    #[error("record: {0}")]
    Record(#[from] RecordError),
    /// The bytes are no certificate.
    #[error("certificate: {0}")]
    Encoding(#[from] EncodingError),
    /// Made for another cohort size.
    #[error("certificate for {got} slots, expected {expected}")]
    WrongCohortSize {
        /// The verifier's cohort size.
        expected: usize,
        /// The certificate's.
        got: usize,
    },
    /// One of certificate and verifier says "development key" and the other does not.
    #[error("certificate's development flag is {got}, the verifier's {expected}")]
    WrongDevelopmentFlag {
        /// The verifier's flag.
        expected: bool,
        /// The certificate's.
        got: bool,
    },
    /// Made under another key.
    #[error("certificate names another verifying key")]
    WrongKey,
    /// An input differs from the caller's own record.
    #[error("{element} differs from the record")]
    Mismatch {
        /// Which input.
        element: Element,
    },
    /// A group's participants are neither none nor exactly those recorded as posted.
    #[error("group {group}: participants are neither none nor the posted ones")]
    NotThePosted {
        /// The group.
        group: usize,
    },
    /// A group counts fewer participants than its floor.
    #[error("group {group}: {got} participants, below the floor of {floor}")]
    BelowFloor {
        /// The group.
        group: usize,
        /// Its floor.
        floor: u16,
        /// Its participants.
        got: usize,
    },
    /// The certificate counts nobody.
    #[error("no participants")]
    NoParticipants,
    /// The pairing equation does not hold: the proof proves nothing about these inputs.
    #[error("the proof does not verify")]
    ProofInvalid,
}

/// Why a batch was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BatchError {
    /// More certificates than one call takes.
    #[error("{got} certificates, at most {limit}")]
    TooMany {
        /// The limit, [`crate::verifier::MAX_BATCH`].
        limit: usize,
        /// The certificates given.
        got: usize,
    },
    /// The first certificate that would be refused on its own.
    #[error("certificate {index}: {error}")]
    Refused {
        /// Its position in the batch.
        index: usize,
        /// What [`crate::verifier::Verifier::verify`] says of it.
        error: VerifyError,
    },
}
