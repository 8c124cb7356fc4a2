//! Failures of a client's durable state.

use thiserror::Error;

/// A failure of the client's durable state.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The disk.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// The system's error.
        source: std::io::Error,
    },
    /// A state without its marker.
    #[error("the state has no marker: it was restored or copied, and must not be used")]
    MarkerMissing,
    /// A marker without its state.
    #[error("the marker has no state: the state was lost")]
    StateMissing,
    /// The state is older than the marker.
    #[error("the state is number {state}, the marker {marker}: an old state was restored")]
    RolledBack {
        /// Sequence number of the state.
        state: u64,
        /// Sequence number of the marker.
        marker: u64,
    },
    /// State and marker do not belong together.
    #[error("state and marker are not of one history")]
    Forked,
    /// The file is not one that a journal wrote.
    #[error("{what} is damaged")]
    Damaged {
        /// Which file.
        what: &'static str,
    },
    /// A journal of the caller's own failed.
    #[error("the journal failed: {reason}")]
    Caller {
        /// Its reason.
        reason: String,
    },
}
