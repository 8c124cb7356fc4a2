//! The statement as R1CS, its Groth16 proof, the certificate that carries it and the certificate's verifier.
//!
//! The verifier (`certificate`, `verifying_key`, `lint`, `verifier`) builds without the feature `prover` and then depends
//! on no constraint system and no prover.
#![forbid(unsafe_code)]

#[cfg(feature = "prover")]
pub mod aggregation;
pub mod certificate;
pub mod codec;
pub mod error;
#[cfg(feature = "prover")]
mod gadgets;
#[cfg(feature = "prover")]
pub mod keys;
pub mod lint;
#[cfg(feature = "prover")]
pub mod prover;
#[cfg(feature = "prover")]
pub mod qap;
#[cfg(feature = "prover")]
mod r1cs;
#[cfg(feature = "prover")]
mod random;
#[cfg(feature = "prover")]
mod shape;
#[cfg(feature = "prover")]
pub mod statement;
pub mod verifier;
pub mod verifying_key;

pub use certificate::{Certificate, Proof, PublicInputs};
pub use error::{BatchError, Element, EncodingError, KeyError, LintError, RecordError, VerifyError};
#[cfg(feature = "prover")]
pub use keys::{ProvingKey, ProvingKeyError};
#[cfg(feature = "prover")]
pub use prover::{Observer, Progress, ProveError, Stage, prove, prove_with_progress};
#[cfg(feature = "prover")]
pub use statement::{Statement, StatementError, Witness};
pub use verifier::{DevelopmentKeys, Record, Verifier};
pub use verifying_key::VerifyingKey;

#[cfg(all(test, feature = "prover"))]
#[path = "../tests/cohort/mod.rs"]
mod cohort;
