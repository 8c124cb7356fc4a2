//! Who says what to whom: contexts, messages, and the two sessions of a masked round.
//!
//! Three exchanges make a round. The first may ride on the last exchange of the round before:
//!
//! 1. **setup**: every client publishes a mask key and deals shares of its two secrets;
//! 2. **masked input**: every client sends its vector under masks that cancel in its group's sum;
//! 3. **unmask**: once one survivor digest is agreed, clients release shares, and only the sums open.
//!
//! [`aggregator`] is the other side: it collects, adds, and opens only sums; [`blame`] is what it can
//! show when somebody breaks the rules, and [`outcome`] what a round gives.
//!
//! [`client`] is one client's side. Its state is durable and goes one way: it is stored before a
//! message leaves, and a verb that has answered once answers the same request with the same bytes
//! and any other request with an error.
//!
//! Nothing here knows of a network, of a GPU or of a proof system: messages are byte strings.
#![forbid(unsafe_code)]

pub mod aggregator;
pub mod blame;
pub mod client;
pub mod config;
pub mod contexts;
pub mod enrolment;
pub mod error;
pub mod journal;
pub mod keys;
pub mod message;
pub mod outcome;
pub mod seal;
pub mod shamir;
pub mod standing;
pub mod wire;

pub use aggregator::{Aggregator, ShareKeys};
pub use blame::{Blame, Charge};
pub use client::{ChainView, Client, Policy, RoundPhase};
pub use config::{CohortConfig, Group, GroupConfig, Mode};
pub use contexts::{Deadlines, Dp, ModelDigest, RoundParameters, SetupParameters};
pub use enrolment::{Enrolment, Registration};
pub use error::{ConfigError, Fault, JournalError, Misuse, ProtocolError, Refusal, WireError};
pub use journal::{FileJournal, Journal, MemoryJournal};
pub use outcome::CohortOutcome;
pub use standing::Standing;
pub use wire::{Limits, MessageKind};
