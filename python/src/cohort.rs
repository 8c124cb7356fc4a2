//! What a round is about: the cohort's shape, the two sets of parameters, the model's digest.

use blindsum_engine::schnorr::PublicKey;
use blindsum_protocol::{
    CohortConfig, Deadlines, Dp, GroupConfig, Limits, Mode, Registration, RoundParameters, SetupParameters,
    contexts::{Dtype, NamedArray, model_digest as digest_of},
};
use numpy::PyReadonlyArray1;
use pyo3::prelude::*;

use crate::{
    bytes::{array, os_rng},
    error::{Failure, Result},
    keys::{PyRoster, PySecretKey},
};

/// The mode of a name.
pub(crate) fn mode(name: &str) -> Result<Mode> {
    [Mode::Chain, Mode::Strict, Mode::Curious].into_iter().find(|mode| mode.to_string() == name).ok_or_else(
        || Failure::misuse("Mode", format!("mode {name:?} is none of 'chain', 'strict', 'curious'")),
    )
}

/// 20 bytes of an address; zero where there is none.
pub(crate) fn address(what: &'static str, bytes: Option<&[u8]>) -> Result<[u8; 20]> {
    bytes.map_or(Ok([0; 20]), |bytes| array(what, bytes))
}

/// The checked shape of a cohort: groups, thresholds, floors, mode. `str()` says what it guarantees.
#[pyclass(name = "CohortConfig", module = "blindsum", frozen, eq)]
#[derive(PartialEq)]
pub(crate) struct PyCohortConfig(pub(crate) CohortConfig);

#[pymethods]
impl PyCohortConfig {
    /// A cohort over the roster, in groups of `group_width` slots (one group of all by default) with the same numbers each.
    #[new]
    #[pyo3(signature = (roster, *, mode, threshold, floor, corrupt, group_width=None))]
    fn new(
        roster: &PyRoster,
        mode: &str,
        threshold: u16,
        floor: u16,
        corrupt: u16,
        group_width: Option<u16>,
    ) -> Result<Self> {
        let size = roster.0.size();
        let width = group_width.unwrap_or(size as u16);
        let group = GroupConfig { threshold, floor, corrupt };
        Ok(Self(CohortConfig::uniform(size, width, crate::cohort::mode(mode)?, roster.0.occupied(), group)?))
    }

    /// `chain`, `strict` or `curious`.
    #[getter]
    fn mode(&self) -> String {
        self.0.mode().to_string()
    }

    /// Number of clients, `m`.
    #[getter]
    fn clients(&self) -> usize {
        self.0.n_clients()
    }

    /// Number of groups.
    #[getter]
    fn groups(&self) -> usize {
        self.0.n_groups()
    }

    /// Slots in a group.
    #[getter]
    fn group_width(&self) -> u16 {
        self.0.width()
    }

    /// Each group's floor on posted members, as verifiers' records need them.
    #[getter]
    fn floors(&self) -> Vec<u16> {
        self.0.group_configs().iter().map(|group| group.floor).collect()
    }

    /// Digest signatures that strict mode needs.
    #[getter]
    fn quorum(&self) -> usize {
        self.0.strict_quorum()
    }

    /// Honest members that are in any sum that opens: the smallest number of a group.
    #[getter]
    fn guaranteed_honest(&self) -> u16 {
        self.0.groups().map(|group| group.guaranteed_honest(self.0.mode())).min().unwrap_or(0)
    }

    fn __str__(&self) -> String {
        self.0.to_string().trim_end().to_owned()
    }

    fn __repr__(&self) -> String {
        format!(
            "CohortConfig({} mode, {} clients, {} groups)",
            self.0.mode(),
            self.0.n_clients(),
            self.0.n_groups()
        )
    }
}

/// Everything that is fixed before setup.
#[pyclass(name = "SetupParameters", module = "blindsum", frozen, eq)]
#[derive(PartialEq)]
pub(crate) struct PySetupParameters(pub(crate) SetupParameters);

#[pymethods]
impl PySetupParameters {
    /// One attempt at one round of one cohort. Without a chain, leave `chain_id` and `contract` out.
    #[new]
    #[pyo3(signature = (config, roster, *, round, epoch=0, attempt=0, cohort=0, chain_id=0, contract=None))]
    #[allow(clippy::too_many_arguments, reason = "keyword arguments, as the design lists them")]
    fn new(
        config: &PyCohortConfig,
        roster: &PyRoster,
        round: u64,
        epoch: u64,
        attempt: u32,
        cohort: u32,
        chain_id: u64,
        contract: Option<&[u8]>,
    ) -> Result<Self> {
        let contract = address("contract", contract)?;
        let roster_root = roster.0.root();
        Ok(Self(SetupParameters {
            config: config.0.clone(),
            chain_id,
            contract,
            epoch,
            round,
            attempt,
            cohort,
            roster_root,
        }))
    }

    /// The round's number.
    #[getter]
    fn round(&self) -> u64 {
        self.0.round
    }

    /// The roster's epoch.
    #[getter]
    fn epoch(&self) -> u64 {
        self.0.epoch
    }

    /// The hash that setups are bound to, 32 bytes.
    #[getter]
    fn context(&self) -> [u8; 32] {
        self.0.context().0
    }

    fn __repr__(&self) -> String {
        format!(
            "SetupParameters(epoch {}, round {}, attempt {}, cohort {})",
            self.0.epoch, self.0.round, self.0.attempt, self.0.cohort
        )
    }
}

/// Everything that is fixed between setup and masked input, besides the model and the setups.
#[pyclass(name = "RoundParameters", module = "blindsum", frozen, eq)]
#[derive(PartialEq)]
pub(crate) struct PyRoundParameters(pub(crate) RoundParameters);

#[pymethods]
impl PyRoundParameters {
    /// The quantiser (`bits`, `clip`, weights from `w_min` to `w_max`), the vector's length with the weight, and who runs the
    /// round. `noise` is the sigma and the bound, in quantised units, of the discrete Gaussian noise that every client adds to
    /// every coordinate but the weight (sigma a multiple of 1/256, bound at least 8 sigma). Deadlines are Unix seconds for masked input, release and certificate, 0 for none.
    #[new]
    #[pyo3(signature = (aggregator, *, dimension, clip, w_max, w_min=1, bits=16, noise=None, payee=None, deadlines=(0, 0, 0)))]
    #[allow(clippy::too_many_arguments, reason = "keyword arguments, as the design lists them")]
    fn new(
        aggregator: &[u8],
        dimension: u64,
        clip: f32,
        w_max: u32,
        w_min: u32,
        bits: u8,
        noise: Option<(f64, u32)>,
        payee: Option<&[u8]>,
        deadlines: (u64, u64, u64),
    ) -> Result<Self> {
        let (masked_input, release, certificate) = deadlines;
        Ok(Self(RoundParameters {
            aggregator: PublicKey::from_bytes(&array("aggregator key", aggregator)?)?,
            payee: address("payee", payee)?,
            bits,
            clip,
            w_min,
            w_max,
            dimension,
            bases: 1,
            dp: noise.map_or(Dp::NONE, |(parameter, bound)| Dp { kind: 1, parameter, bound }),
            deadlines: Deadlines { masked_input, release, certificate },
        }))
    }

    /// Number of coordinates, the weight included.
    #[getter]
    fn dimension(&self) -> u64 {
        self.0.dimension
    }

    /// Bits of a quantised coordinate.
    #[getter]
    fn bits(&self) -> u8 {
        self.0.bits
    }

    /// Bound that every coordinate of an update is clipped to.
    #[getter]
    fn clip(&self) -> f32 {
        self.0.clip
    }

    /// Sigma and bound of the declared noise, in quantised units; None without noise.
    #[getter]
    fn noise(&self) -> Option<(f64, u32)> {
        (self.0.dp.kind != 0).then_some((self.0.dp.parameter, self.0.dp.bound))
    }

    /// Least and largest weight.
    #[getter]
    fn weights(&self) -> (u32, u32) {
        (self.0.w_min, self.0.w_max)
    }

    fn __repr__(&self) -> String {
        let own = &self.0;
        format!(
            "RoundParameters(dimension {}, {} bits, clip {}, weights {} to {})",
            own.dimension, own.bits, own.clip, own.w_min, own.w_max
        )
    }
}

/// The digest of arrays given as (name, dtype, shape, little-endian elements).
#[pyfunction]
pub(crate) fn model_digest(
    py: Python<'_>,
    arrays: Vec<(String, String, Vec<u64>, PyReadonlyArray1<'_, u8>)>,
) -> Result<[u8; 32]> {
    let dtype = |name: &str| {
        Ok::<_, Failure>(match name {
            "float16" => Dtype::F16,
            "bfloat16" => Dtype::Bf16,
            "float32" => Dtype::F32,
            "float64" => Dtype::F64,
            "int64" => Dtype::I64,
            "int32" => Dtype::I32,
            "uint8" | "bool" => Dtype::U8,
            _ => return Err(Failure::misuse("Dtype", format!("no model holds {name}"))),
        })
    };
    let named = arrays
        .iter()
        .map(|(name, of, dims, elements)| {
            let elements =
                elements.as_slice().map_err(|error| Failure::misuse("Layout", error.to_string()))?;
            Ok(NamedArray { name, dtype: dtype(of)?, dims, elements })
        })
        .collect::<Result<Vec<_>>>()?;
    py.detach(|| Ok(digest_of(&named)?.0))
}

/// A client's proof that it holds its key, for one registry: made before the roster is drawn.
#[pyfunction]
#[pyo3(signature = (key, *, chain_id=0, contract=None))]
pub(crate) fn register(key: &PySecretKey, chain_id: u64, contract: Option<&[u8]>) -> Result<Vec<u8>> {
    Ok(Registration::new(&key.0, chain_id, address("contract", contract)?, &mut os_rng()).encode())
}

/// Checks a registration for this registry and returns the public key that it proves possession of.
#[pyfunction]
#[pyo3(signature = (registration, *, chain_id=0, contract=None))]
pub(crate) fn check_registration(
    registration: &[u8],
    chain_id: u64,
    contract: Option<&[u8]>,
) -> Result<[u8; 64]> {
    let read =
        Registration::decode(registration, &Limits::new(blindsum_engine::roster::CohortSize::N256, 0))?;
    if (read.chain_id, read.contract) != (chain_id, address("contract", contract)?) {
        return Err(Failure::new("Refused", "ForeignRegistry", "the registration is for another registry"));
    }
    read.verify().map_err(|fault| Failure::of("Refused", &fault))?;
    Ok(read.key.to_bytes())
}
