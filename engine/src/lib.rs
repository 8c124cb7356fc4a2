//! The arithmetic of Blindsum: hashes, curve points, commitments, signatures, masks and sums.
//!
//! Everything here is a function of its arguments. Nothing in this crate knows of messages, of
//! constraint systems or of who talks to whom; randomness and the backend are always passed in.
#![deny(unsafe_code)]

pub mod backend;
pub mod bases;
pub mod cache_dir;
pub mod chain;
pub mod cpu;
pub mod curve;
pub mod domain;
pub mod engine;
pub mod error;
mod fixed_base;
#[cfg(feature = "gpu")]
pub mod gpu;
pub mod hash;
pub mod mapped;
pub mod mask;
pub mod naive;
pub mod noise;
pub mod ntt;
pub mod opening;
pub mod pedersen;
pub mod points;
pub mod poseidon;
pub mod quantize;
pub mod roster;
pub mod schnorr;
pub mod secret;
pub mod tree;
pub mod twin;

pub use engine::{BackendChoice, Engine, Selection};
pub use error::{DecodeError, DeviceError, EngineError, Misuse};
