//! The aggregator's session, and what a round gives.

use std::sync::{Mutex, MutexGuard};

use blindsum_engine::{
    curve::{fr_to_bytes, point_to_bytes},
    schnorr::SignedCommitment,
};
use blindsum_protocol::{
    ModelDigest,
    aggregator::{Absorbed, Aggregator, ShareKeys},
    message::digest::SurvivorDigest,
    outcome::CohortOutcome,
};
use pyo3::{prelude::*, types::PyDict};

use crate::{
    bytes::{array, os_rng},
    certificate::{PyRecord, slots},
    cohort::{PyRoundParameters, PySetupParameters},
    error::{Failure, Result},
    keys::{PyRoster, PySecretKey},
    vectors::{PyBases, PyEngine, PyOpening},
};

/// A session behind a lock: calls from several threads take turns, and none waits with the GIL.
pub(crate) fn locked<T>(session: &Mutex<T>) -> Result<MutexGuard<'_, T>> {
    session.lock().map_err(|_| poisoned())
}

/// A call panicked while it held a session.
pub(crate) fn poisoned() -> Failure {
    Failure::new("BlindsumError", "Poisoned", "an earlier call panicked: the session is not to be used again")
}

/// The newest share-encryption key of every client of a roster. It outlives the sessions of an epoch.
#[pyclass(name = "ShareKeys", module = "blindsum", frozen)]
pub(crate) struct PyShareKeys(Mutex<ShareKeys>);

#[pymethods]
impl PyShareKeys {
    /// No keys yet.
    #[new]
    #[pyo3(signature = (epoch=0))]
    fn new(epoch: u64) -> Self {
        Self(Mutex::new(ShareKeys::new(epoch)))
    }

    /// Takes a client's enrolment and returns its slot.
    fn enrol(&self, py: Python<'_>, message: &[u8], roster: &PyRoster) -> Result<u8> {
        py.detach(|| Ok(locked(&self.0)?.enrol(message, &roster.0)?))
    }

    /// Takes the keys that the setups of a session announce. Call it when the session's setup is closed.
    fn learn(&self, py: Python<'_>, session: &PyAggregator) -> Result<()> {
        // Session before keys, as in `setup_request`: two locks in one order.
        py.detach(|| {
            let session = locked(&session.0)?;
            locked(&self.0)?.learn(&session);
            Ok(())
        })
    }

    /// The slots whose key is known, lowest first.
    #[getter]
    fn known(&self, py: Python<'_>) -> Result<Vec<u16>> {
        py.detach(|| Ok(slots(&locked(&self.0)?.known())))
    }
}

/// The aggregator of one cohort in one round: it takes clients' messages, adds, and opens sums only.
#[pyclass(name = "AggregatorSession", module = "blindsum._native", frozen)]
pub(crate) struct PyAggregator(Mutex<Aggregator>);

impl PyAggregator {
    fn with<T: Send>(
        &self,
        py: Python<'_>,
        verb: impl FnOnce(&mut Aggregator) -> std::result::Result<T, blindsum_protocol::ProtocolError> + Send,
    ) -> Result<T> {
        py.detach(|| Ok(verb(&mut *locked(&self.0)?)?))
    }
}

#[pymethods]
impl PyAggregator {
    #[new]
    fn new(parameters: &PySetupParameters, roster: &PyRoster, key: &PySecretKey) -> Result<Self> {
        Ok(Self(Mutex::new(Aggregator::new(parameters.0.clone(), roster.0.clone(), key.0.clone())?)))
    }

    fn setup_request(&self, py: Python<'_>, slot: u8, share_keys: &PyShareKeys) -> Result<Vec<u8>> {
        py.detach(|| Ok(locked(&self.0)?.setup_request(slot, &*locked(&share_keys.0)?, &mut os_rng())?))
    }

    fn mask_request(&self, py: Python<'_>, slot: u8) -> Result<Vec<u8>> {
        self.with(py, |session| session.mask_request(slot, &mut os_rng()))
    }

    fn digest_request(&self, py: Python<'_>, slot: u8) -> Result<Vec<u8>> {
        self.with(py, |session| session.digest_request(slot, &mut os_rng()))
    }

    fn unmask_request(&self, py: Python<'_>, slot: u8) -> Result<Vec<u8>> {
        self.with(py, |session| session.unmask_request(slot, &mut os_rng()))
    }

    /// Returns the kind of message, the slot, and the slots that it names: dealers complained of, or of wrong shares.
    fn absorb(&self, py: Python<'_>, message: &[u8]) -> Result<(&'static str, u8, Vec<u16>)> {
        Ok(match self.with(py, |session| session.absorb(message))? {
            Absorbed::Setup { slot } => ("setup", slot, Vec::new()),
            Absorbed::MaskedInput { slot, complaints } => ("masked input", slot, slots(&complaints)),
            Absorbed::DigestSignature { slot } => ("digest signature", slot, Vec::new()),
            Absorbed::Release { slot, wrong } => ("release", slot, slots(&wrong)),
        })
    }

    fn close_setup(&self, py: Python<'_>, model: &[u8], parameters: &PyRoundParameters) -> Result<()> {
        let model = ModelDigest(array("model digest", model)?);
        self.with(py, |session| session.close_setup(model, parameters.0.clone()))
    }

    /// Returns the survivor digest, 32 bytes.
    fn close_posting(&self, py: Python<'_>) -> Result<[u8; 32]> {
        Ok(self.with(py, |session| session.close_posting(&mut os_rng()))?.digest)
    }

    fn confirm_posted(&self, py: Python<'_>, digest: &[u8]) -> Result<()> {
        let digest = array("digest", digest)?;
        self.with(py, |session| session.confirm_posted(&digest))
    }

    fn finish(
        &self,
        py: Python<'_>,
        engine: &PyEngine,
        bases: &PyBases,
        at_deadline: bool,
    ) -> Result<PyOutcome> {
        let outcome = self.with(py, |session| {
            let backend = engine.0.backend();
            if at_deadline {
                session.finish_at_deadline(backend, &bases.0)
            } else {
                session.finish(backend, &bases.0)
            }
        })?;
        Ok(PyOutcome(outcome))
    }

    fn dropped(&self, py: Python<'_>) -> Result<Vec<u16>> {
        py.detach(|| Ok(slots(&locked(&self.0)?.dropped())))
    }

    fn absent(&self, py: Python<'_>) -> Result<Vec<u16>> {
        py.detach(|| Ok(slots(&locked(&self.0)?.absent())))
    }

    fn posted(&self, py: Python<'_>) -> Result<Vec<u16>> {
        py.detach(|| Ok(slots(&locked(&self.0)?.posted())))
    }

    fn released(&self, py: Python<'_>) -> Result<Vec<u16>> {
        py.detach(|| Ok(slots(&locked(&self.0)?.released())))
    }

    fn phase(&self, py: Python<'_>) -> Result<&'static str> {
        py.detach(|| Ok(locked(&self.0)?.phase().name()))
    }

    fn progress<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let progress = py.detach(|| Ok::<_, Failure>(locked(&self.0)?.progress()))?;
        let out = PyDict::new(py);
        out.set_item("phase", progress.phase.name())?;
        out.set_item("clients", progress.clients)?;
        out.set_item("setups", progress.setups)?;
        out.set_item("posted", progress.posted)?;
        out.set_item("digest_signatures", progress.digest_signatures)?;
        out.set_item("digest_quorum", progress.digest_quorum)?;
        out.set_item("releases", progress.releases)?;
        Ok(out)
    }

    fn round_context(&self, py: Python<'_>) -> Result<Option<[u8; 32]>> {
        py.detach(|| Ok(locked(&self.0)?.round_context().map(|context| *context.as_bytes())))
    }

    /// None until posting is closed.
    fn record(&self, py: Python<'_>) -> Result<Option<PyRecord>> {
        py.detach(|| {
            let session = locked(&self.0)?;
            let config = session.config();
            let record = |digest: &SurvivorDigest| {
                PyRecord::make(
                    session.roster(),
                    digest.context,
                    digest.leaves_root,
                    digest.posted,
                    config.width(),
                    config.group_configs().iter().map(|group| group.floor).collect(),
                )
            };
            session.survivor_digest().map(record).transpose()
        })
    }
}

/// The end of a round: who is in the sum, the sum itself, and what a proof needs. It holds sums and signed points only.
#[pyclass(name = "Outcome", module = "blindsum", frozen)]
pub(crate) struct PyOutcome(pub(crate) CohortOutcome);

#[pymethods]
impl PyOutcome {
    /// The sum and its blinding; None if no group opened.
    #[getter]
    fn opening(&self) -> Option<PyOpening> {
        self.0.opening().map(|opening| PyOpening(opening.clone()))
    }

    /// The slots in the sum, lowest first.
    #[getter]
    fn participants(&self) -> Vec<u16> {
        slots(&self.0.participants())
    }

    /// The slots that posted, those of failed groups included.
    #[getter]
    fn posted(&self) -> Vec<u16> {
        slots(&self.0.posted())
    }

    /// The sum of the participants' commitments, 64 bytes; None if no group opened.
    #[getter]
    fn commitment(&self) -> Option<[u8; 64]> {
        self.0.commitment().map(|point| point_to_bytes(&point))
    }

    /// The context of the round, 32 bytes.
    #[getter]
    fn round_context(&self) -> [u8; 32] {
        *self.0.round_context().as_bytes()
    }

    /// The survivor digest that clients released under, 32 bytes.
    #[getter]
    fn digest(&self) -> [u8; 32] {
        *self.0.digest()
    }

    /// The root of the leaves, 32 bytes.
    #[getter]
    fn leaves_root(&self) -> [u8; 32] {
        fr_to_bytes(&self.0.leaves_root())
    }

    /// One leaf a slot, 32 bytes each, zero where nothing was posted.
    #[getter]
    fn leaves(&self) -> Vec<[u8; 32]> {
        self.0.leaves().iter().map(fr_to_bytes).collect()
    }

    /// The signed commitments of the participants by slot, 160 bytes each.
    #[getter]
    fn signed(&self) -> Vec<(u8, [u8; 160])> {
        self.0
            .signed()
            .iter()
            .map(|(slot, signed): &(u8, SignedCommitment)| (*slot, signed.to_bytes()))
            .collect()
    }

    /// The groups that are left out whole: number, slots that had posted, and why.
    #[getter]
    fn failed(&self) -> Vec<(usize, Vec<u16>, String)> {
        self.0.failed().map(|group| (group.group, slots(&group.posted), group.reason.to_string())).collect()
    }

    /// Whom signed evidence names: slot, charge, and the evidence, which anybody can check again.
    #[getter]
    fn blames(&self) -> Vec<(u8, String, Vec<u8>)> {
        self.0
            .blames()
            .iter()
            .map(|blame| (blame.slot, format!("{:?}", blame.charge), blame.evidence().to_vec()))
            .collect()
    }

    fn __repr__(&self) -> String {
        format!(
            "Outcome({} participants of {} posted)",
            self.0.participants().count(),
            self.0.posted().count()
        )
    }
}
