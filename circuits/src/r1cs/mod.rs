//! A rank-1 constraint system written down once and read two ways.
//!
//! The statement is one function over a [`Builder`]. Run for its *shape*, the builder keeps the three matrices (once per
//! cohort size: setup and the circuit's digest read them). Run for an *assignment*, it keeps only values, checks
//! every constraint as it is stated, and remembers the namespaces of those that fail: no linear combination is ever built,
//! which makes synthesis a small part of proving. Both readings take the same path through the same code, and a test compares
//! them (`aggregation::tests`).
//!
//! Row `i` says `<A_i, z> * <B_i, z> = <C_i, z>` with `z = (1, public inputs, witness)`; column 0 is the constant one.
//! Every row lies in a named namespace such as `slot 3/signature equation`.

mod builder;
mod matrix;
mod num;

#[cfg(test)]
pub(crate) use builder::Tamper;
pub(crate) use builder::{Assignment, Builder};
pub(crate) use matrix::{R1cs, Replay};
pub(crate) use num::Num;
