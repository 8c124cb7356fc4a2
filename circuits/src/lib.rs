//! The statement as R1CS, its Groth16 proof, the certificate that carries it and the certificate's verifier.
//!
//! The verifier (`certificate`, `verifying_key`, `lint`, `verifier`) builds without the feature `prover` and then depends
//! on no constraint system and no prover.
#![forbid(unsafe_code)]

pub mod certificate;
pub mod codec;
pub mod error;
pub mod lint;
pub mod verifier;
pub mod verifying_key;

pub use certificate::{Certificate, Proof, PublicInputs};
pub use error::{BatchError, Element, EncodingError, KeyError, LintError, RecordError, VerifyError};
pub use verifier::{DevelopmentKeys, Record, Verifier};
pub use verifying_key::VerifyingKey;
