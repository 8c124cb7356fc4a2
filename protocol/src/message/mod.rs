//! The messages of a round, one file an exchange. Every message has `encode` and a strict `decode`;
//! byte layouts are those of section 10 of the design.

pub mod digest;
pub mod masked_input;
pub mod opened;
pub mod release;
pub mod request;
pub mod setup;

pub use digest::{DigestSignature, SurvivorDigest, check_leaves};
pub use masked_input::{MaskedInput, SealedCommitment};
pub use opened::Opened;
pub use release::{Release, ReleasedShare, ShareKind};
pub use request::{MaskRequest, SetupRequest, ShareKeyEvidence, UnmaskRequest};
pub use setup::{PeerSetup, Record, Setup, SetupHeader, SignedSetup, setup_root};
