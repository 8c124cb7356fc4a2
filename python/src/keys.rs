//! Roster keys and rosters. A public key is 64 bytes, `x || y`.

use blindsum_engine::{
    curve::fr_to_bytes,
    roster::{CohortSize, Roster},
    schnorr::{PublicKey, SecretKey},
};
use pyo3::prelude::*;
use zeroize::Zeroizing;

use crate::{
    bytes::{array, os_rng},
    error::Result,
};

/// A client's or an aggregator's signing key. Its `repr` shows nothing of it and it cannot be pickled.
#[pyclass(name = "SecretKey", module = "blindsum", frozen)]
pub(crate) struct PySecretKey(pub(crate) SecretKey);

#[pymethods]
impl PySecretKey {
    /// A fresh key from the operating system's randomness.
    #[staticmethod]
    fn generate(py: Python<'_>) -> Self {
        py.detach(|| Self(SecretKey::generate(&mut os_rng())))
    }

    /// Reads 32 big-endian bytes.
    #[staticmethod]
    fn from_bytes(data: &[u8]) -> Result<Self> {
        let bytes = Zeroizing::new(array::<32>("secret key", data)?);
        Ok(Self(SecretKey::from_bytes(&bytes)?))
    }

    /// The 32 secret bytes. Whoever holds them is the client.
    fn to_bytes(&self) -> Zeroized {
        Zeroized(self.0.to_bytes())
    }

    /// The public key, 64 bytes.
    #[getter]
    fn public(&self) -> [u8; 64] {
        self.0.public().to_bytes()
    }

    fn __repr__(&self) -> &'static str {
        "SecretKey(..)"
    }
}

/// Secret bytes that are wiped once Python has its copy.
struct Zeroized(Zeroizing<[u8; 32]>);

impl<'py> IntoPyObject<'py> for Zeroized {
    type Target = pyo3::types::PyBytes;
    type Output = Bound<'py, Self::Target>;
    type Error = std::convert::Infallible;

    fn into_pyobject(self, py: Python<'py>) -> std::result::Result<Self::Output, Self::Error> {
        Ok(pyo3::types::PyBytes::new(py, self.0.as_ref()))
    }
}

/// A fixed list of distinct client keys, one a slot, with its root.
#[pyclass(name = "Roster", module = "blindsum", frozen)]
pub(crate) struct PyRoster(pub(crate) Roster);

#[pymethods]
impl PyRoster {
    /// A roster of 16, 64, 128 or 256 slots: one public key or None a slot.
    #[new]
    fn new(py: Python<'_>, keys: Vec<Option<Vec<u8>>>) -> Result<Self> {
        let size = CohortSize::try_from(u32::try_from(keys.len()).unwrap_or(u32::MAX))?;
        let keys = keys
            .into_iter()
            .map(|key| key.map(|bytes| Ok(PublicKey::from_bytes(&array("public key", &bytes)?)?)).transpose())
            .collect::<Result<Vec<_>>>()?;
        py.detach(|| Ok(Self(Roster::new(size, keys)?)))
    }

    /// Number of slots, empty ones included.
    #[getter]
    fn size(&self) -> usize {
        self.0.size().slots()
    }

    /// The slots that hold a key, lowest first.
    #[getter]
    fn occupied(&self) -> Vec<u16> {
        self.0.occupied().iter().map(u16::from).collect()
    }

    /// The root of the tree over the keys, 32 bytes.
    #[getter]
    fn root(&self) -> [u8; 32] {
        fr_to_bytes(&self.0.root())
    }

    /// The public key in `slot`, or None.
    fn key(&self, slot: u8) -> Option<[u8; 64]> {
        self.0.key(slot).map(PublicKey::to_bytes)
    }

    /// The slot that holds the public key, or None.
    fn slot_of(&self, key: &[u8]) -> Result<Option<u8>> {
        Ok(self.0.slot_of(&PublicKey::from_bytes(&array("public key", key)?)?))
    }

    fn __repr__(&self) -> String {
        format!("Roster({} of {} slots occupied)", self.0.occupied().count(), self.0.size())
    }
}
