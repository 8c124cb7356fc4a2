//! What is wrong with a participant's contribution.

use thiserror::Error;

use super::WireError;
use crate::aggregator::Phase;
use crate::wire::MessageKind;

/// What is wrong with a participant's contribution. Everything here is shown by bytes the
/// participant signed, unless its documentation says otherwise.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The bytes are no message (not signed evidence: anyone can send bytes).
    #[error("malformed: {0}")]
    Malformed(#[from] WireError),
    /// The signature is not this slot's (not evidence: anyone can send bytes).
    #[error("the signature of its {message} does not verify")]
    BadSignature {
        /// The message that was signed.
        message: MessageKind,
    },
    /// The slot is empty or beyond the cohort.
    #[error("the slot holds no client")]
    UnknownSlot,
    /// The message names another slot than the one it was expected from.
    #[error("its message names slot {got}")]
    WrongSlot {
        /// The slot in the message.
        got: u8,
    },
    /// The message is bound to another context.
    #[error("its {message} is bound to another context")]
    WrongContext {
        /// The message.
        message: MessageKind,
    },
    /// A setup that does not deal to exactly the other members of its group, in slot order.
    #[error("its setup deals to the wrong receivers")]
    WrongReceivers,
    /// A record root that is not the root of the records.
    #[error("its setup's records do not hash to the signed root")]
    WrongRecordsRoot,
    /// A Merkle path that does not lead to the signed root.
    #[error("the record does not lie under the signed root")]
    WrongPath,
    /// An X25519 key of small order, whose shared secrets are all zero.
    #[error("its {what} is of low order")]
    LowOrderKey {
        /// The key.
        what: &'static str,
    },
    /// Words that do not have the signed hash or length.
    #[error("its masked words do not match the signed hash")]
    WrongWords,
    /// A vector of another length than the round's.
    #[error("its vector has {got} coordinates, the round has {expected}")]
    WrongDimension {
        /// The round's dimension.
        expected: u64,
        /// The message's dimension.
        got: u64,
    },
    /// A leaf of zero, which is kept for slots that posted nothing.
    #[error("its leaf is zero")]
    ZeroLeaf,
    /// A message that this phase does not take: too early, or late.
    #[error("its {message} came in phase {phase}")]
    WrongPhase {
        /// The message.
        message: MessageKind,
        /// Where the session stands.
        phase: Phase,
    },
    /// The same message again. The first one counts.
    #[error("its {message} came before")]
    Duplicate {
        /// The message.
        message: MessageKind,
    },
    /// A second, different message where one is allowed. The first one counts.
    #[error("it signed two different {message} messages")]
    TwoMessages {
        /// The message.
        message: MessageKind,
    },
    /// A masked input from a slot without a listed setup: it has no peers.
    #[error("it has no setup in this round")]
    NotListed,
    /// A release from a slot that is not among the survivors.
    #[error("it releases shares and is not among the survivors")]
    NotPosted,
    /// A release that does not give each posted or dropped peer the one kind of share it is due.
    #[error("its release has no share, or one of the wrong kind, for slot {peer}")]
    WrongShareKind {
        /// The first peer concerned.
        peer: u8,
    },
    /// A complaint about a slot that dealt it nothing.
    #[error("it complains of slot {about}, which dealt it nothing")]
    BadComplaint {
        /// The slot complained of.
        about: u8,
    },
}
