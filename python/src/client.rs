//! The client's session and its journal.

use std::{
    path::PathBuf,
    sync::{Mutex, MutexGuard, TryLockError},
};

use blindsum_engine::{
    quantize::{ClippingReport, Update},
    schnorr::PublicKey,
};
use blindsum_protocol::{
    Fault, JournalError, Limits, ModelDigest, Policy, ProtocolError,
    client::{ChainView, Client},
    journal::{FileJournal, Journal},
    message::opened::Opened,
};
use numpy::PyReadonlyArray1;
use pyo3::{prelude::*, types::PyBytes};
use zeroize::Zeroizing;

use crate::{
    aggregator::poisoned,
    bytes::{array, os_rng},
    certificate::PyCertificate,
    cohort::{PyRoundParameters, address, mode},
    error::{Failure, Result},
    keys::{PyRoster, PySecretKey},
    vectors::{PyBases, PyEngine, PyOpening, backend, quantizer},
};

/// A journal of the caller's own: an object with `store(bytes)` and `load()`.
struct CallerJournal(Py<PyAny>);

impl Journal for CallerJournal {
    fn store(&mut self, state: &[u8]) -> std::result::Result<(), JournalError> {
        Python::attach(|py| {
            self.0.call_method1(py, "store", (PyBytes::new(py, state),)).map(drop).map_err(caller)
        })
    }

    fn load(&mut self) -> std::result::Result<Option<Zeroizing<Vec<u8>>>, JournalError> {
        Python::attach(|py| {
            let state = self.0.call_method0(py, "load").map_err(caller)?;
            let state: Option<Vec<u8>> = state.extract(py).map_err(caller)?;
            Ok(state.map(Zeroizing::new))
        })
    }
}

fn caller(error: PyErr) -> JournalError {
    JournalError::Caller { reason: error.to_string() }
}

/// The client, if no other call of it is running: its journal calls back into Python, where waiting could last for ever.
fn free(session: &Mutex<Client>) -> Result<MutexGuard<'_, Client>> {
    match session.try_lock() {
        Ok(client) => Ok(client),
        Err(TryLockError::WouldBlock) => {
            Err(Failure::misuse("Busy", "another call of this client is running".to_owned()))
        }
        Err(TryLockError::Poisoned(_)) => Err(poisoned()),
    }
}

/// One client of a cohort. Every verb stores the client's state before it returns what is to be sent.
#[pyclass(name = "ClientSession", module = "blindsum._native", frozen)]
pub(crate) struct PyClient(Mutex<Client>, u8);

/// Number of clipped coordinates, number of coordinates, largest magnitude before clipping.
type Clipping = (usize, usize, f32);

#[pymethods]
impl PyClient {
    #[new]
    #[pyo3(signature = (key, roster, *, mode, aggregator, journal, min_group, min_honest, min_corrupt, second_release, chain_id, contract))]
    #[allow(clippy::too_many_arguments, reason = "the client's own policy, as the design lists it")]
    fn new(
        py: Python<'_>,
        key: &PySecretKey,
        roster: &PyRoster,
        mode: &str,
        aggregator: &[u8],
        journal: Py<PyAny>,
        min_group: u16,
        min_honest: u16,
        min_corrupt: u16,
        second_release: bool,
        chain_id: u64,
        contract: Option<&[u8]>,
    ) -> Result<Self> {
        let policy = Policy {
            mode: crate::client::mode(mode)?,
            aggregator: PublicKey::from_bytes(&array("aggregator key", aggregator)?)?,
            chain_id,
            contract: address("contract", contract)?,
            min_group,
            min_honest,
            min_corrupt,
            second_release,
        };
        let journal: Box<dyn Journal> = match journal.extract::<(PathBuf, PathBuf)>(py) {
            Ok((state, marker)) => Box::new(FileJournal::open(state, marker)?),
            Err(_) => Box::new(CallerJournal(journal)),
        };
        let client = py.detach(|| Client::open(key.0.clone(), roster.0.clone(), policy, journal))?;
        let slot = client.slot();
        Ok(Self(Mutex::new(client), slot))
    }

    fn slot(&self) -> u8 {
        self.1
    }

    fn enrol(&self, py: Python<'_>, epoch: u64) -> Result<Vec<u8>> {
        py.detach(|| Ok(free(&self.0)?.enrol(epoch, &mut os_rng())?))
    }

    fn setup(&self, py: Python<'_>, request: &[u8]) -> Result<Vec<u8>> {
        py.detach(|| Ok(free(&self.0)?.setup(request, &mut os_rng())?))
    }

    #[allow(clippy::too_many_arguments, reason = "everything that masking depends on is an argument")]
    fn mask(
        &self,
        py: Python<'_>,
        request: &[u8],
        update: PyReadonlyArray1<'_, f32>,
        weight: u32,
        model: &[u8],
        parameters: &PyRoundParameters,
        bases: &PyBases,
        engine: &PyEngine,
    ) -> Result<(Vec<u8>, Clipping)> {
        let model = ModelDigest(array("model digest", model)?);
        let quantizer = quantizer(parameters)?;
        let values = update.as_slice().map_err(|error| Failure::misuse("Layout", error.to_string()))?;
        py.detach(|| {
            let (quantized, ClippingReport { clipped, elements, largest }) =
                quantizer.quantize(&Update::new(values), weight, &mut os_rng())?;
            let message = free(&self.0)?.mask(
                request,
                &model,
                &parameters.0,
                &quantized,
                &bases.0,
                engine.0.backend(),
                &mut os_rng(),
            )?;
            Ok((message, (clipped, elements, largest)))
        })
    }

    fn sign_digest(&self, py: Python<'_>, request: &[u8]) -> Result<Vec<u8>> {
        py.detach(|| Ok(free(&self.0)?.sign_digest(request, &mut os_rng())?))
    }

    /// `chain` is (digest, is final, posting closed) as the client's own provider reads them.
    fn unmask(
        &self,
        py: Python<'_>,
        request: &[u8],
        chain: Option<(Vec<u8>, bool, bool)>,
    ) -> Result<Vec<u8>> {
        let view = chain
            .map(|(digest, is_final, posting_closed)| {
                Ok::<_, Failure>(ChainView { digest: array("digest", &digest)?, is_final, posting_closed })
            })
            .transpose()?;
        py.detach(|| Ok(free(&self.0)?.unmask(request, view.as_ref(), &mut os_rng())?))
    }

    /// Checks the opening itself before it signs, on the CPU unless there is an `engine`.
    #[pyo3(signature = (certificate, opening, parameters, bases, engine=None))]
    fn attest_opened(
        &self,
        py: Python<'_>,
        certificate: &PyCertificate,
        opening: &PyOpening,
        parameters: &PyRoundParameters,
        bases: &PyBases,
        engine: Option<&PyEngine>,
    ) -> Result<Vec<u8>> {
        let inputs = certificate.0.inputs();
        let backend = backend(engine);
        py.detach(|| {
            Ok(free(&self.0)?.attest_opened(
                &inputs.round_context(),
                &parameters.0,
                &bases.0,
                backend,
                &inputs.participants(),
                &inputs.commitment(),
                &opening.0,
                &mut os_rng(),
            )?)
        })
    }

    /// The whole state, secret, as the journal holds it.
    fn to_bytes<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &free(&self.0)?.state_bytes()))
    }

    fn __repr__(&self) -> String {
        format!("ClientSession(slot {})", self.1)
    }
}

/// Reads an attestation and checks its signature: the context, the slot, and the hash of the opening that it is about.
#[pyfunction]
pub(crate) fn read_attestation(
    py: Python<'_>,
    message: &[u8],
    roster: &PyRoster,
) -> Result<([u8; 32], u8, [u8; 32])> {
    let Opened { context, slot, opening_hash, .. } = py.detach(|| {
        let opened = Opened::decode(message, &Limits::new(roster.0.size(), 0))?;
        let bad = |reason| Failure::from(ProtocolError::bad(opened.slot, reason));
        let key = roster.0.key(opened.slot).ok_or_else(|| bad(Fault::UnknownSlot))?;
        opened.verify(key).map_err(bad)?;
        Ok::<_, Failure>(opened)
    })?;
    Ok((*context.as_bytes(), slot, opening_hash))
}
