//! Certificates, verifying keys, the caller's records, and the verifier.

use std::sync::Arc;

use blindsum_circuits::{Certificate, DevelopmentKeys, PublicInputs, Record, Verifier, VerifyingKey};
use blindsum_engine::{
    curve::{Fr, fr_from_bytes, fr_to_bytes, point_to_bytes},
    roster::{Bitmap, Roster, RoundContext},
};
use pyo3::prelude::*;

use crate::{bytes::array, error::Result, keys::PyRoster};

/// The slots of a bitmap, lowest first.
pub(crate) fn slots(bitmap: &Bitmap) -> Vec<u16> {
    bitmap.iter().map(u16::from).collect()
}

/// A claim that a cohort's sum is the sum of signed vectors, with its proof. Reading one checks its form only; a verifier
/// says whether it holds.
#[pyclass(name = "Certificate", module = "blindsum", frozen, eq)]
#[derive(PartialEq)]
pub(crate) struct PyCertificate(pub(crate) Certificate);

#[pymethods]
impl PyCertificate {
    /// Reads the one encoding: 480 bytes, or 512 for 256 slots.
    #[staticmethod]
    fn from_bytes(data: &[u8]) -> Result<Self> {
        Ok(Self(Certificate::from_bytes(data)?))
    }

    /// The one encoding.
    fn to_bytes(&self) -> Vec<u8> {
        self.0.to_bytes()
    }

    /// Whether it says that it was made under a development key, whose maker can forge.
    #[getter]
    fn development(&self) -> bool {
        self.0.development()
    }

    /// The first 16 bytes of SHA-256 of the verifying key.
    #[getter]
    fn key_id(&self) -> [u8; 16] {
        self.0.key_id()
    }

    /// Number of slots of the cohort.
    #[getter]
    fn size(&self) -> usize {
        self.0.inputs().size().slots()
    }

    /// The root of the roster that it claims, 32 bytes.
    #[getter]
    fn roster_root(&self) -> [u8; 32] {
        fr_to_bytes(&self.0.inputs().roster_root())
    }

    /// The context of the round that it claims, 32 bytes.
    #[getter]
    fn round_context(&self) -> [u8; 32] {
        *self.0.inputs().round_context().as_bytes()
    }

    /// The slots whose vectors it claims are in the sum, lowest first.
    #[getter]
    fn participants(&self) -> Vec<u16> {
        slots(&self.0.inputs().participants())
    }

    /// The root of the leaves that it claims, 32 bytes.
    #[getter]
    fn leaves_root(&self) -> [u8; 32] {
        fr_to_bytes(&self.0.inputs().leaves_root())
    }

    /// The commitment that it claims the sum opens, 64 bytes.
    #[getter]
    fn commitment(&self) -> [u8; 64] {
        point_to_bytes(&self.0.inputs().commitment())
    }

    /// The same proof beside other claims: what a liar would publish, and no verifier accepts. For tests and demonstrations.
    #[pyo3(signature = (*, roster_root=None, round_context=None, participants=None, leaves_root=None, commitment=None))]
    fn with_claims(
        &self,
        roster_root: Option<&[u8]>,
        round_context: Option<&[u8]>,
        participants: Option<Vec<u8>>,
        leaves_root: Option<&[u8]>,
        commitment: Option<&[u8]>,
    ) -> Result<Self> {
        let own = self.0.inputs();
        let fr = |what, bytes: &[u8]| Ok::<_, crate::error::Failure>(fr_from_bytes(&array(what, bytes)?)?);
        let inputs = PublicInputs::new(
            own.size(),
            roster_root.map_or(Ok(own.roster_root()), |bytes| fr("roster root", bytes))?,
            round_context.map_or(Ok(own.round_context()), context)?,
            participants.map_or(own.participants(), |slots| slots.into_iter().collect()),
            leaves_root.map_or(Ok(own.leaves_root()), |bytes| fr("leaves root", bytes))?,
            match commitment {
                None => own.commitment(),
                Some(bytes) => blindsum_engine::curve::point_from_bytes(&array("commitment", bytes)?)?,
            },
        )?;
        let mut bytes = self.0.to_bytes();
        let (head, tail) = (32, 256);
        let end = bytes.len() - tail;
        bytes.splice(head..end, inputs.to_bytes());
        Self::from_bytes(&bytes)
    }

    fn __repr__(&self) -> String {
        let kind = if self.0.development() { ", development key" } else { "" };
        let inputs = self.0.inputs();
        format!("Certificate({} of {} slots{kind})", inputs.participants().count(), inputs.size())
    }
}

/// The 32 bytes of a round context.
pub(crate) fn context(bytes: &[u8]) -> Result<RoundContext> {
    Ok(RoundContext::from_bytes(array("round context", bytes)?)?)
}

/// What the verifier's caller knows of a cohort from its own records, never from a certificate.
#[pyclass(name = "Record", module = "blindsum", frozen)]
pub(crate) struct PyRecord(pub(crate) Record);

impl PyRecord {
    /// A record that agrees with itself.
    pub(crate) fn make(
        roster: &Roster,
        round_context: RoundContext,
        leaves_root: Fr,
        posted: Bitmap,
        group_width: u16,
        floors: Vec<u16>,
    ) -> Result<Self> {
        let (roster_root, occupied) = (roster.root(), roster.occupied());
        let record =
            Record { roster_root, occupied, round_context, leaves_root, posted, group_width, floors };
        record.check(roster.size()).map_err(blindsum_circuits::VerifyError::Record)?;
        Ok(Self(record))
    }
}

#[pymethods]
impl PyRecord {
    /// From the registered roster, the context computed from the round's parameters, and the posted slots and leaves' root
    /// that were stored before any share was released.
    #[new]
    #[pyo3(signature = (*, roster, round_context, leaves_root, posted, group_width, floors))]
    fn new(
        roster: &PyRoster,
        round_context: &[u8],
        leaves_root: &[u8],
        posted: Vec<u8>,
        group_width: u16,
        floors: Vec<u16>,
    ) -> Result<Self> {
        let leaves_root = fr_from_bytes(&array("leaves root", leaves_root)?)?;
        let posted = posted.into_iter().collect();
        Self::make(&roster.0, context(round_context)?, leaves_root, posted, group_width, floors)
    }

    /// The same from what a registry stores of a roster: its root and its occupied slots. Checked when it is used.
    #[staticmethod]
    #[pyo3(signature = (*, roster_root, occupied, round_context, leaves_root, posted, group_width, floors))]
    fn from_registry(
        roster_root: &[u8],
        occupied: Vec<u8>,
        round_context: &[u8],
        leaves_root: &[u8],
        posted: Vec<u8>,
        group_width: u16,
        floors: Vec<u16>,
    ) -> Result<Self> {
        Ok(Self(Record {
            roster_root: fr_from_bytes(&array("roster root", roster_root)?)?,
            occupied: occupied.into_iter().collect(),
            round_context: context(round_context)?,
            leaves_root: fr_from_bytes(&array("leaves root", leaves_root)?)?,
            posted: posted.into_iter().collect(),
            group_width,
            floors,
        }))
    }

    /// The context of the round, 32 bytes.
    #[getter]
    fn round_context(&self) -> [u8; 32] {
        *self.0.round_context.as_bytes()
    }

    /// The slots that posted, lowest first.
    #[getter]
    fn posted(&self) -> Vec<u16> {
        slots(&self.0.posted)
    }

    fn __repr__(&self) -> String {
        format!("Record({} posted of {} occupied slots)", self.0.posted.count(), self.0.occupied.count())
    }
}

/// The key that certificates of one cohort size are verified under.
#[pyclass(name = "VerifyingKey", module = "blindsum", frozen, eq)]
#[derive(PartialEq)]
pub(crate) struct PyVerifyingKey(pub(crate) VerifyingKey);

#[pymethods]
impl PyVerifyingKey {
    /// Reads the one encoding, and refuses keys that decode and prove nothing.
    #[staticmethod]
    fn from_bytes(py: Python<'_>, data: &[u8]) -> Result<Self> {
        py.detach(|| Ok(Self(VerifyingKey::from_bytes(data)?)))
    }

    /// The one encoding: 928 bytes, or 992 for 256 slots.
    fn to_bytes(&self) -> Vec<u8> {
        self.0.to_bytes()
    }

    /// The first 16 bytes of SHA-256 of the key, by which certificates name it.
    #[getter]
    fn key_id(&self) -> [u8; 16] {
        self.0.key_id()
    }

    /// Whether one party made it alone, and so can forge under it.
    #[getter]
    fn development(&self) -> bool {
        self.0.development
    }

    /// Number of slots of the cohorts that it is for.
    #[getter]
    fn size(&self) -> usize {
        self.0.size.slots()
    }

    fn __repr__(&self) -> String {
        let kind = if self.0.development { ", development key" } else { "" };
        format!("VerifyingKey({} slots{kind})", self.0.size)
    }
}

/// Verifies certificates under one key. Refuses development keys unless they are allowed by name.
#[pyclass(name = "Verifier", module = "blindsum", frozen)]
pub(crate) struct PyVerifier(Arc<Verifier>);

/// A certificate as an object or as its bytes.
#[derive(FromPyObject)]
pub(crate) enum CertificateLike<'py> {
    Object(Bound<'py, PyCertificate>),
    Bytes(Vec<u8>),
}

impl CertificateLike<'_> {
    fn read(&self) -> Result<Certificate> {
        match self {
            Self::Object(certificate) => Ok(certificate.get().0.clone()),
            Self::Bytes(bytes) => Ok(Certificate::from_bytes(bytes)?),
        }
    }
}

#[pymethods]
impl PyVerifier {
    /// Prepares a key.
    #[new]
    #[pyo3(signature = (key, *, allow_development=false))]
    fn new(py: Python<'_>, key: &PyVerifyingKey, allow_development: bool) -> Result<Self> {
        let allowed = if allow_development { DevelopmentKeys::Allow } else { DevelopmentKeys::Refuse };
        py.detach(|| Ok(Self(Arc::new(Verifier::new(&key.0, allowed)?))))
    }

    /// Returns if the certificate holds for the record; raises `VerifyError` if it does not. About 2 ms.
    fn verify(&self, py: Python<'_>, record: &PyRecord, certificate: CertificateLike<'_>) -> Result<()> {
        let certificate = certificate.read()?;
        py.detach(|| Ok(self.0.verify(&record.0, &certificate)?))
    }

    /// `verify` for several, in less than half the time. The error names the first that is refused.
    fn verify_many(
        &self,
        py: Python<'_>,
        batch: Vec<(PyRef<'_, PyRecord>, CertificateLike<'_>)>,
    ) -> Result<()> {
        let owned = batch
            .iter()
            .map(|(record, certificate)| Ok((record.0.clone(), certificate.read()?)))
            .collect::<Result<Vec<_>>>()?;
        py.detach(|| {
            let pairs: Vec<_> = owned.iter().map(|(record, certificate)| (record, certificate)).collect();
            Ok(self.0.verify_many(&pairs)?)
        })
    }

    /// The id of its key, which certificates carry.
    #[getter]
    fn key_id(&self) -> [u8; 16] {
        self.0.key_id()
    }

    fn __repr__(&self) -> String {
        format!("Verifier({} slots)", self.0.size())
    }
}
