//! Backends, commitment bases, openings and their check.

use std::{path::PathBuf, sync::Arc};

use blindsum_engine::{
    backend::Backend,
    bases::Bases,
    cpu::Cpu,
    curve::{fq_from_bytes, fq_to_bytes, point_from_bytes, point_to_bytes},
    engine::{BackendChoice, Engine},
    noise::DpNoise,
    opening::{Opening, OpeningBounds, check_opening as check},
    pedersen::commit_vartime,
    quantize::Quantizer,
};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;

use crate::{
    bytes::array,
    certificate::PyCertificate,
    cohort::PyRoundParameters,
    error::{Failure, Result},
};

/// A backend, opened once per process and shared by sessions.
#[pyclass(name = "Engine", module = "blindsum", frozen)]
pub(crate) struct PyEngine(pub(crate) Arc<Engine>);

#[pymethods]
impl PyEngine {
    /// `cpu`, `gpu` (a `DeviceError` without one) or `auto` (the faster of the two, by measurement).
    #[new]
    #[pyo3(signature = (backend="auto"))]
    fn new(py: Python<'_>, backend: &str) -> Result<Self> {
        let choice: BackendChoice = backend.parse().map_err(|error| Failure::of("Misuse", &error))?;
        py.detach(|| Ok(Self(Arc::new(Engine::open(choice)?))))
    }

    /// The backend that was picked, such as `cpu` or `gpu:NVIDIA H200`.
    #[getter]
    fn backend(&self) -> &str {
        &self.0.selection().backend
    }

    /// Why it was picked.
    #[getter]
    fn reason(&self) -> &str {
        &self.0.selection().reason
    }

    fn __repr__(&self) -> String {
        format!("Engine({:?})", self.0.selection().backend)
    }
}

/// The engine's backend; without an engine, the CPU.
pub(crate) fn backend(engine: Option<&PyEngine>) -> &dyn Backend {
    engine.map_or(&Cpu, |engine| engine.0.backend())
}

/// The public points that vectors are committed with: derived once, cached on disk with a checksum, mapped into memory.
#[pyclass(name = "Bases", module = "blindsum", frozen)]
pub(crate) struct PyBases(pub(crate) Bases);

#[pymethods]
impl PyBases {
    /// Bases for vectors of `dimension` coordinates, the weight included. The cache lies in `directory`, else in the folder
    /// that the environment variable `BLINDSUM_CACHE` names, else in the platform's cache folder.
    #[new]
    #[pyo3(signature = (dimension, directory=None))]
    fn new(py: Python<'_>, dimension: usize, directory: Option<PathBuf>) -> Result<Self> {
        py.detach(|| Ok(Self(Bases::open(directory.as_deref(), dimension)?)))
    }

    /// Number of coordinates.
    #[getter]
    fn dimension(&self) -> usize {
        self.0.len()
    }

    fn __repr__(&self) -> String {
        format!("Bases({})", self.0.len())
    }
}

/// A sum of vectors and the blinding that opens its commitment, `(A, R)`. All of it is public once it is published.
#[pyclass(name = "Opening", module = "blindsum", frozen, eq)]
#[derive(PartialEq)]
pub(crate) struct PyOpening(pub(crate) Opening);

#[pymethods]
impl PyOpening {
    /// From the sum's coordinates, the weight last, and the 32 bytes of the blinding.
    #[new]
    fn new(sum: PyReadonlyArray1<'_, i64>, blinding: &[u8]) -> Result<Self> {
        let blinding = fq_from_bytes(&array("blinding", blinding)?)?;
        Ok(Self(Opening { sum: sum.as_array().to_vec(), blinding }))
    }

    /// Reads the one encoding.
    #[staticmethod]
    fn from_bytes(data: &[u8]) -> Result<Self> {
        Ok(Self(Opening::from_bytes(data)?))
    }

    /// The one encoding.
    fn to_bytes(&self) -> Vec<u8> {
        self.0.to_bytes()
    }

    /// The coordinates of the sum, the weight last (a new array each time).
    #[getter]
    fn sum<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<i64>> {
        self.0.sum.clone().into_pyarray(py)
    }

    /// The blinding, 32 bytes.
    #[getter]
    fn blinding(&self) -> [u8; 32] {
        fq_to_bytes(&self.0.blinding)
    }

    /// Number of coordinates, the weight included.
    #[getter]
    fn dimension(&self) -> usize {
        self.0.dimension()
    }

    /// The sum of the participants' weights.
    #[getter]
    fn weight(&self) -> i64 {
        self.0.sum.last().copied().unwrap_or(0)
    }

    /// The commitment that it opens, 64 bytes. Computed on the CPU unless there is an `engine`.
    #[pyo3(signature = (bases, *, engine=None))]
    fn commitment(&self, py: Python<'_>, bases: &PyBases, engine: Option<&PyEngine>) -> Result<[u8; 64]> {
        let backend = backend(engine);
        let Opening { sum, blinding } = &self.0;
        py.detach(|| Ok(point_to_bytes(&commit_vartime(backend, &bases.0, sum, blinding)?)))
    }

    /// The weighted mean of the updates as one flat vector, without the weight.
    fn mean<'py>(
        &self,
        py: Python<'py>,
        parameters: &PyRoundParameters,
    ) -> Result<Bound<'py, PyArray1<f64>>> {
        let quantizer = quantizer(parameters)?;
        let mean = py.detach(|| quantizer.mean(&self.0.sum))?;
        Ok(mean.into_pyarray(py))
    }

    fn __repr__(&self) -> String {
        format!("Opening({} coordinates)", self.0.dimension())
    }
}

/// The quantiser of a round.
pub(crate) fn quantizer(parameters: &PyRoundParameters) -> Result<Quantizer> {
    let own = &parameters.0;
    let noise = DpNoise::from_parts(own.dp.kind, own.dp.parameter, own.dp.bound)?;
    Ok(Quantizer::new(own.bits, own.clip, own.w_min, own.w_max)?.with_noise(noise)?)
}

/// Returns if the opening is the one of the certificate's commitment and every coordinate is in range for its participants;
/// raises `OpeningError` otherwise. The certificate must have been verified: this says nothing about it. Computed on the CPU
/// unless there is an `engine`.
#[pyfunction]
#[pyo3(signature = (bases, parameters, certificate, opening, *, engine=None))]
pub(crate) fn check_opening(
    py: Python<'_>,
    bases: &PyBases,
    parameters: &PyRoundParameters,
    certificate: &PyCertificate,
    opening: &PyOpening,
    engine: Option<&PyEngine>,
) -> Result<()> {
    let inputs = certificate.0.inputs();
    let bounds = OpeningBounds::new(&quantizer(parameters)?, inputs.participants().count() as u32);
    let backend = backend(engine);
    py.detach(|| Ok(check(backend, &bases.0, &bounds, &inputs.commitment(), &opening.0)?))
}

/// `check_opening` against a commitment (64 bytes) and a number of participants that the caller knows from elsewhere, such as
/// those of one group, or the sum of several cohorts' certificates.
#[pyfunction]
#[pyo3(signature = (bases, parameters, commitment, participants, opening, *, engine=None))]
pub(crate) fn check_opening_of(
    py: Python<'_>,
    bases: &PyBases,
    parameters: &PyRoundParameters,
    commitment: &[u8],
    participants: u32,
    opening: &PyOpening,
    engine: Option<&PyEngine>,
) -> Result<()> {
    let commitment = point_from_bytes(&array("commitment", commitment)?)?;
    let bounds = OpeningBounds::new(&quantizer(parameters)?, participants);
    let backend = backend(engine);
    py.detach(|| Ok(check(backend, &bases.0, &bounds, &commitment, &opening.0)?))
}
