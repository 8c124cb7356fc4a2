//! Mistakes of the caller.

use thiserror::Error;

use super::WireError;
use crate::wire::MessageKind;

/// A mistake of the caller.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misuse {
    /// A verb that does not follow the one before it.
    #[error("{verb} in phase {phase}")]
    WrongPhase {
        /// The verb that was called.
        verb: &'static str,
        /// Where the session stands.
        phase: &'static str,
    },
    /// Two lengths that must agree do not.
    #[error("{what}: expected {expected}, got {got}")]
    Length {
        /// What was measured.
        what: &'static str,
        /// The length that was required.
        expected: usize,
        /// The length that was passed.
        got: usize,
    },
    /// A slot that is empty or beyond the cohort.
    #[error("slot {slot} holds no client")]
    UnknownSlot {
        /// The slot that was named.
        slot: u8,
    },
    /// The client's key is in no slot of the roster.
    #[error("this client's key is not in the roster")]
    NotInRoster,
    /// Too few shares to interpolate.
    #[error("{got} shares, the threshold is {threshold}")]
    TooFewShares {
        /// The shares that were passed.
        got: usize,
        /// The shares that are needed.
        threshold: usize,
    },
    /// A slot that was named twice.
    #[error("slot {slot} appears twice")]
    RepeatedSlot {
        /// The repeated slot.
        slot: u8,
    },
    /// The state belongs to another key.
    #[error("the stored state belongs to another client key")]
    ForeignState,
    /// The client has not enrolled for this roster and epoch.
    #[error("not enrolled for this roster and epoch")]
    NotEnrolled,
    /// The stored state does not decode.
    #[error("the stored state is not one this version wrote: {reason}")]
    BadState {
        /// What did not decode.
        reason: WireError,
    },
    /// The roster is not the one that the parameters name.
    #[error("the roster is not the one that the setup parameters name")]
    RosterMismatch,
    /// Round parameters that name another aggregator's key.
    #[error("the round's parameters name another aggregator")]
    ForeignAggregator,
    /// Another digest than the session's own was confirmed.
    #[error("the confirmed digest is not this cohort's")]
    ForeignDigest,
    /// A kind of message that no client sends to an aggregator.
    #[error("an aggregator takes no {message}")]
    UnexpectedMessage {
        /// The kind.
        message: MessageKind,
    },
    /// A member of the group has not enrolled.
    #[error("the share key of slot {slot} is not known: it has not enrolled")]
    NoShareKey {
        /// The member.
        slot: u8,
    },
    /// A request for a slot that is not among the survivors.
    #[error("slot {slot} posted nothing")]
    NotPosted {
        /// The slot.
        slot: u8,
    },
    /// The sums were to be opened while releases may still come. Nothing is lost.
    #[error("group {group} has {releases} releases, {needed} open it")]
    TooEarly {
        /// The first group that waits.
        group: usize,
        /// Its members that released.
        releases: usize,
        /// `t + 1`.
        needed: usize,
    },
    /// A rule that could bench nobody, or everybody.
    #[error(
        "a bench after {failures} failed draws of the last {draws}: 1 <= failures <= draws <= 64 is needed"
    )]
    BenchRule {
        /// Failed draws that bench.
        failures: u32,
        /// Draws that count.
        draws: u32,
    },
    /// The vector's weight is outside the round's range; the weight is secret, so it is not shown.
    #[error("the sample weight is outside {min} ..= {max}")]
    Weight {
        /// Least weight.
        min: u32,
        /// Largest weight.
        max: u32,
    },
    /// The quantised vector or the bases do not have the round's shape.
    #[error("{what}: {got}, the round says {expected}")]
    QuantisedMismatch {
        /// The property that differs.
        what: &'static str,
        /// What the round's parameters say.
        expected: u64,
        /// What the vector has.
        got: u64,
    },
}
