//! The C ABI of Blindsum's verifier, for chain nodes and other programs that must all give the same answer.
//!
//! Rules that every function keeps:
//! - It returns a [`BlindsumStatus`] with a stable number: 0 is success, 100s are the caller's mistakes, 200s bytes that do
//!   not decode, 300s a certificate or opening that is refused, 400s the library's own failures.
//! - It never unwinds: a panic is caught and becomes [`BlindsumStatus::Panic`].
//! - Pointers are checked for NULL and lengths for their limits before anything is read. Buffers belong to the caller, who
//!   may free them as soon as the call returns. Outputs are written only on [`BlindsumStatus::Ok`].
//! - There is no global state. Handles are immutable: any number of threads may use one at once. Only `_free` ends one.
//! - Memory and time are bounded: see each function.
//!
//! The header `include/blindsum.h` is generated from this crate; a test keeps it current.

mod guard;
mod opening;
mod status;
mod verify;

pub use opening::{
    BlindsumBases, BlindsumOpeningBounds, blindsum_bases_free, blindsum_bases_new, blindsum_check_opening,
};
pub use status::{BlindsumStatus, blindsum_abi_version, blindsum_status_message};
pub use verify::{
    BlindsumBytes, BlindsumRecord, BlindsumVerifier, blindsum_find_first_refused, blindsum_verifier_free,
    blindsum_verifier_new, blindsum_verify, blindsum_verify_many,
};
