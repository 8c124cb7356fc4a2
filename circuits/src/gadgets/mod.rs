//! The parts of the statement. Each states its constraints on a [`Builder`](crate::r1cs::Builder) and counts them in its head.

pub(crate) mod bits;
pub(crate) mod fixed_base;
pub(crate) mod point;
pub(crate) mod poseidon;
pub(crate) mod tree;
pub(crate) mod variable_base;
