//! Proving keys and the prover.

use std::{path::PathBuf, sync::Arc};

use blindsum_circuits::{ProvingKey, Statement, prove as prove_statement};
use blindsum_engine::{
    curve::{fr_from_bytes, fr_to_bytes, point_from_bytes},
    roster::CohortSize,
    schnorr::{self, SignedCommitment},
};
use pyo3::prelude::*;

use crate::{
    aggregator::PyOutcome,
    bytes::{array, os_rng},
    certificate::{PyCertificate, PyVerifyingKey, context},
    error::Result,
    keys::{PyRoster, PySecretKey},
};

/// The key that certificates of one cohort size are made with.
#[pyclass(name = "ProvingKey", module = "blindsum", frozen)]
pub(crate) struct PyProvingKey(Arc<ProvingKey>);

#[pymethods]
impl PyProvingKey {
    /// Makes a development key on this machine alone: whoever runs this can forge certificates under it.
    #[staticmethod]
    fn development(py: Python<'_>, slots: u32) -> Result<Self> {
        let size = CohortSize::try_from(slots)?;
        py.detach(|| Ok(Self(Arc::new(ProvingKey::setup_development(size, &mut os_rng())?))))
    }

    /// The cached development key of a cohort size, made and stored where there is none. The cache lies in `directory`, else
    /// in the folder that `BLINDSUM_CACHE` names, else in the platform's cache folder.
    #[staticmethod]
    #[pyo3(signature = (slots, directory=None))]
    fn cached_development(py: Python<'_>, slots: u32, directory: Option<PathBuf>) -> Result<Self> {
        let size = CohortSize::try_from(slots)?;
        py.detach(|| {
            Ok(Self(Arc::new(ProvingKey::load_or_setup(directory.as_deref(), size, &mut os_rng())?)))
        })
    }

    /// Reads a key file for cohorts of `slots` slots, and checks it.
    #[staticmethod]
    fn load(py: Python<'_>, path: PathBuf, slots: u32) -> Result<Self> {
        let size = CohortSize::try_from(slots)?;
        py.detach(|| Ok(Self(Arc::new(ProvingKey::load(&path, size)?))))
    }

    /// Writes the key to a file.
    fn store(&self, py: Python<'_>, path: PathBuf) -> Result<()> {
        py.detach(|| Ok(self.0.store(&path)?))
    }

    /// What verifies its certificates.
    #[getter]
    fn verifying_key(&self) -> PyVerifyingKey {
        PyVerifyingKey(self.0.verifying_key().clone())
    }

    /// Whether one party made it alone.
    #[getter]
    fn is_development(&self) -> bool {
        self.0.is_development()
    }

    /// Number of slots of the cohorts that it is for.
    #[getter]
    fn size(&self) -> usize {
        self.0.size().slots()
    }

    fn __repr__(&self) -> String {
        let kind = if self.0.is_development() { ", development key" } else { "" };
        format!("ProvingKey({} slots{kind})", self.0.size())
    }
}

/// Proves that the commitments are signed by slots of the roster in this context, and are those of the leaves; their sum is
/// the certificate's commitment. Raises `StatementError` for the first thing that is not so, before any proof is made.
#[pyfunction]
pub(crate) fn prove_signed(
    py: Python<'_>,
    key: &PyProvingKey,
    roster: &PyRoster,
    round_context: &[u8],
    leaves: Vec<Vec<u8>>,
    signed: Vec<(u8, Vec<u8>)>,
) -> Result<PyCertificate> {
    let round_context = context(round_context)?;
    let leaves =
        leaves.iter().map(|leaf| Ok(fr_from_bytes(&array("leaf", leaf)?)?)).collect::<Result<Vec<_>>>()?;
    let signed = signed
        .iter()
        .map(|(slot, bytes)| Ok((*slot, SignedCommitment::from_bytes(&array("signed commitment", bytes)?)?)))
        .collect::<Result<Vec<_>>>()?;
    py.detach(|| {
        let (_, witness) = Statement::check(&roster.0, &round_context, &leaves, &signed)?;
        Ok(PyCertificate(prove_statement(&key.0, &witness, &mut os_rng())?))
    })
}

/// Proves the outcome of a round.
#[pyfunction]
pub(crate) fn prove(
    py: Python<'_>,
    key: &PyProvingKey,
    roster: &PyRoster,
    outcome: &PyOutcome,
) -> Result<PyCertificate> {
    py.detach(|| {
        let own = &outcome.0;
        let (_, witness) = Statement::check(&roster.0, own.round_context(), own.leaves(), own.signed())?;
        Ok(PyCertificate(prove_statement(&key.0, &witness, &mut os_rng())?))
    })
}

/// Signs a commitment for one slot of one round: the signed commitment, 160 bytes, and its leaf, 32 bytes. A `Client` does
/// this itself, once per setup; it is here for provers of their own.
#[pyfunction]
pub(crate) fn sign_commitment(
    py: Python<'_>,
    key: &PySecretKey,
    slot: u8,
    round_context: &[u8],
    commitment: &[u8],
) -> Result<([u8; 160], [u8; 32])> {
    let round_context = context(round_context)?;
    let point = point_from_bytes(&array("commitment", commitment)?)?;
    py.detach(|| {
        let (signed, leaf) = schnorr::sign_commitment(&key.0, slot, &round_context, point, &mut os_rng());
        Ok((signed.to_bytes(), fr_to_bytes(&leaf)))
    })
}
