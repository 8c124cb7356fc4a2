//! The native module of the Python package `blindsum`: it converts types and errors, and computes nothing itself.
//!
//! Every call that works on vectors, curves or proofs releases the GIL.

#![forbid(unsafe_code)]

mod aggregator;
mod bytes;
mod certificate;
mod client;
mod cohort;
mod error;
mod keys;
mod prover;
mod vectors;

use pyo3::pymodule;

/// Native part of `blindsum`; use the names that the package exports.
#[pymodule]
mod _native {
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }

    #[pymodule_export]
    use crate::aggregator::{PyAggregator, PyOutcome, PyShareKeys};
    #[pymodule_export]
    use crate::certificate::{PyCertificate, PyRecord, PyVerifier, PyVerifyingKey};
    #[pymodule_export]
    use crate::client::{PyClient, read_attestation};
    #[pymodule_export]
    use crate::cohort::{
        PyCohortConfig, PyRoundParameters, PySetupParameters, check_registration, model_digest, register,
    };
    #[pymodule_export]
    use crate::keys::{PyRoster, PySecretKey};
    #[pymodule_export]
    use crate::prover::{PyProvingKey, prove, prove_signed, sign_commitment};
    #[pymodule_export]
    use crate::vectors::{PyBases, PyEngine, PyOpening, check_opening, check_opening_of};
}
