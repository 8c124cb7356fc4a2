//! What the criterion benches, the table of the CPU and the counts of instructions share: inputs, and peers with the same
//! inputs in their own forms.

#![forbid(unsafe_code)]

pub mod ark;
pub mod halo2;
pub mod inputs;
pub mod masks;
pub mod proof;
