//! Proving keys and the prover.

use std::{ops::ControlFlow, path::PathBuf, sync::Arc};

use blindsum_circuits::{Progress, ProveError, ProvingKey, Statement, Witness, prove_with_progress};
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
    error::{Failure, Result},
    keys::{PyRoster, PySecretKey},
    vectors::{PyEngine, backend},
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

    /// Checks that every point of the key is on its curve and in its group: minutes for the largest. `load` checks digests only.
    fn check(&self, py: Python<'_>) -> Result<()> {
        py.detach(|| Ok(self.0.check()?))
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

/// Proves on `engine` (the CPU without one) and tells `progress` of every stage. What `progress` raises, and what a signal
/// raises, ends the proof between two stages and is the caller's.
fn run(
    py: Python<'_>,
    key: &PyProvingKey,
    engine: Option<&PyEngine>,
    progress: Option<&Bound<'_, PyAny>>,
    witness: impl FnOnce() -> Result<Witness> + Send,
) -> PyResult<PyCertificate> {
    let backend = backend(engine);
    let progress = progress.map(|progress| progress.clone().unbind());
    let mut raised: Option<PyErr> = None;
    let proven = py.detach(|| {
        let witness = witness()?;
        let mut observer = |Progress { stage, fraction }: Progress| {
            let told = Python::attach(|py| {
                py.check_signals()?;
                progress
                    .as_ref()
                    .map_or(Ok(()), |progress| progress.call1(py, (stage.name(), fraction)).map(drop))
            });
            match told {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    raised = Some(error);
                    ControlFlow::Break(())
                }
            }
        };
        Ok::<_, Failure>(prove_with_progress(backend, &key.0, &witness, &mut os_rng(), &mut observer))
    })?;
    match (proven, raised) {
        (Err(ProveError::Cancelled { .. }), Some(error)) => Err(error),
        (proven, _) => Ok(PyCertificate(proven.map_err(Failure::from)?)),
    }
}

/// Proves that the commitments are signed by slots of the roster in this context, and are those of the leaves; their sum is
/// the certificate's commitment. Raises `StatementError` for the first thing that is not so, before any proof is made.
/// Otherwise as `prove`.
#[pyfunction]
#[pyo3(signature = (key, roster, round_context, leaves, signed, *, engine=None, progress=None))]
#[expect(clippy::too_many_arguments, reason = "keyword arguments of a Python function")]
pub(crate) fn prove_signed(
    py: Python<'_>,
    key: &PyProvingKey,
    roster: &PyRoster,
    round_context: &[u8],
    leaves: Vec<Vec<u8>>,
    signed: Vec<(u8, Vec<u8>)>,
    engine: Option<&PyEngine>,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<PyCertificate> {
    let round_context = context(round_context)?;
    let leaves =
        leaves.iter().map(|leaf| Ok(fr_from_bytes(&array("leaf", leaf)?)?)).collect::<Result<Vec<_>>>()?;
    let signed = signed
        .iter()
        .map(|(slot, bytes)| Ok((*slot, SignedCommitment::from_bytes(&array("signed commitment", bytes)?)?)))
        .collect::<Result<Vec<_>>>()?;
    run(py, key, engine, progress, || Ok(Statement::check(&roster.0, &round_context, &leaves, &signed)?.1))
}

/// Proves the outcome of a round, on the CPU unless there is an `engine`.
///
/// `progress(stage, fraction)` is called before each stage of the proof with about how much of the work is done, from 0.0 to
/// 1.0; what it raises stops the proof and comes out of this call.
#[pyfunction]
#[pyo3(signature = (key, roster, outcome, *, engine=None, progress=None))]
pub(crate) fn prove(
    py: Python<'_>,
    key: &PyProvingKey,
    roster: &PyRoster,
    outcome: &PyOutcome,
    engine: Option<&PyEngine>,
    progress: Option<&Bound<'_, PyAny>>,
) -> PyResult<PyCertificate> {
    run(py, key, engine, progress, || {
        let own = &outcome.0;
        Ok(Statement::check(&roster.0, own.round_context(), own.leaves(), own.signed())?.1)
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
