//! Error families, sorted by whose fault it is.

mod config;
mod fault;
mod journal;
mod misuse;
mod refusal;
mod wire;

use blindsum_engine::error::EngineError;
use thiserror::Error;

pub use config::ConfigError;
pub use fault::Fault;
pub use journal::JournalError;
pub use misuse::Misuse;
pub use refusal::Refusal;
pub use wire::WireError;

/// Anything that a verb of the protocol can fail with.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// The caller asked for something that makes no sense.
    #[error(transparent)]
    Misuse(#[from] Misuse),
    /// A participant's message is wrong; the slot is the signer, never the carrier.
    #[error("slot {slot}: {reason}")]
    BadContribution {
        /// The participant at fault.
        slot: u8,
        /// What is wrong with its contribution.
        reason: Fault,
    },
    /// The client refuses to answer. Nothing leaves it.
    #[error("refused: {0}")]
    Refused(#[from] Refusal),
    /// Bytes that are no message.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The client's own disk.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Parameters that no cohort may run with.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The arithmetic or the device underneath.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl ProtocolError {
    /// A fault of the participant at `slot`.
    #[must_use]
    pub fn bad(slot: u8, reason: Fault) -> Self {
        Self::BadContribution { slot, reason }
    }
}
