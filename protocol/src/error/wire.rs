//! Why bytes are no message.

use blindsum_engine::error::DecodeError;
use thiserror::Error;

/// Why bytes are no message.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WireError {
    /// Not `BSUM`.
    #[error("not a Blindsum message")]
    Magic,
    /// A version that this library does not speak.
    #[error("message version {got}, this library speaks {expected}")]
    Version {
        /// The library's version.
        expected: u16,
        /// The message's version.
        got: u16,
    },
    /// Another kind of message than the one expected.
    #[error("message kind {got}, expected {expected}")]
    Kind {
        /// The expected kind.
        expected: u8,
        /// The kind in the header.
        got: u8,
    },
    /// Longer than any message of its kind in this cohort.
    #[error("a payload of {got} bytes, the limit is {limit}")]
    TooLong {
        /// The limit of the kind.
        limit: u64,
        /// The declared length.
        got: u64,
    },
    /// The declared length is not the length.
    #[error("{what}: {missing} bytes are missing")]
    Truncated {
        /// What was read.
        what: &'static str,
        /// How many bytes were missing.
        missing: u64,
    },
    /// Bytes after the end.
    #[error("{count} trailing bytes")]
    Trailing {
        /// How many.
        count: u64,
    },
    /// A number outside its range.
    #[error("{what}: {got} is not allowed")]
    Value {
        /// What was read.
        what: &'static str,
        /// The value.
        got: u64,
    },
    /// A list out of order, or with repeated entries.
    #[error("{what}: not in ascending order")]
    Order {
        /// The list.
        what: &'static str,
    },
    /// A field element, scalar or point that is not canonical.
    #[error(transparent)]
    Element(#[from] DecodeError),
}
