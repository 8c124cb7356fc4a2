//! What keys and proofs must know of the circuit: three numbers and a digest.
//!
//! The matrices take seconds to build and a hundred mebibytes to keep; only setups, digests' tests and ark-relations want them
//! ([`constraint_system`](crate::aggregation::constraint_system)). A change here is a new circuit and new keys.

use blindsum_engine::roster::CohortSize;

/// The size of a constraint system, and SHA-256 of all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) n_constraints: usize,
    /// Columns of the public part of `z`: the constant one and the public inputs.
    pub(crate) n_instance: usize,
    /// Columns of the private part of `z`.
    pub(crate) n_witness: usize,
    pub(crate) digest: [u8; 32],
}

impl Shape {
    /// That of a cohort size; a test compares it with what is built.
    pub(crate) const fn of(size: CohortSize) -> Self {
        let (n_constraints, n_instance, n_witness, digest) = match size {
            CohortSize::N16 => {
                (52_883, 7, 52_878, "cc87971ef72d2a700e4bbcf5efb1447f1c2c966de6e5a2ba16ec1385567383bb")
            }
            CohortSize::N64 => {
                (212_099, 7, 212_094, "d54fc0892a9181be26d21e28393007b57112003a5bc134022b32c43cabd1863d")
            }
            CohortSize::N128 => {
                (424_669, 7, 424_664, "81943f117dd288d814bb0cb4a9495bf0260e51acdbc8d52a87c5e525a98eb815")
            }
            CohortSize::N256 => {
                (848_964, 8, 848_958, "b4a8f1cb07e0b41ea0625b41584c214b7f8c93461e474f2183d7c3a9357c74fa")
            }
        };
        Self { n_constraints, n_instance, n_witness, digest: bytes(digest) }
    }

    /// Length of `z`.
    pub(crate) const fn n_columns(&self) -> usize {
        self.n_instance + self.n_witness
    }

    /// Points of the evaluation domain: one for each constraint and each public column, up to a power of two.
    pub(crate) const fn domain_size(&self) -> usize {
        (self.n_constraints + self.n_instance).next_power_of_two()
    }
}

/// The bytes of hexadecimal digits.
const fn bytes(hex: &str) -> [u8; 32] {
    const fn digit(character: u8) -> u8 {
        match character {
            b'0'..=b'9' => character - b'0',
            _ => character - b'a' + 10,
        }
    }
    let hex = hex.as_bytes();
    let mut bytes = [0; 32];
    let mut i = 0;
    while i < 32 {
        bytes[i] = digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]);
        i += 1;
    }
    bytes
}
