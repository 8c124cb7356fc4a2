//! The two contexts that everything in a round is bound to, and the model's digest.
//!
//! `setup_context` hashes what is known before setup, `round_context` what is known before masked
//! input. Each party computes both by itself: masks of clients that were told different things do
//! not cancel. Field orders are those of section 10 of the design and are pinned by vectors.

use blindsum_engine::{
    curve::Fr,
    domain::Label,
    hash::{hash, hasher},
    quantize::{MAX_BITS, MIN_BITS},
    roster::{CohortSize, RoundContext, SetupContext},
    schnorr::PublicKey,
};
use sha2::Digest;

use crate::{
    config::{CohortConfig, GroupConfig},
    error::{ConfigError, WireError},
    wire::{Limits, Reader, Writer},
};

/// Version of the protocol, as the setup context hashes it.
pub const PROTOCOL_VERSION: u16 = 1;
/// The suite: Groth16 over BN254, Grumpkin, Poseidon, X25519, ChaCha20, SHA-256.
pub const SUITE: u16 = 1;

/// Everything that is fixed before setup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetupParameters {
    /// Groups, thresholds, floors, and the mode.
    pub config: CohortConfig,
    /// Chain of the ledger; 0 without one.
    pub chain_id: u64,
    /// Contract of the ledger; zero without one.
    pub contract: [u8; 20],
    /// Epoch of the roster.
    pub epoch: u64,
    /// Round.
    pub round: u64,
    /// Attempt of the round, from 0.
    pub attempt: u32,
    /// Cohort of the round.
    pub cohort: u32,
    /// Root of the roster's keys.
    pub roster_root: Fr,
}

impl SetupParameters {
    /// `H("setup context"; version, suite, mode, chain id, contract, epoch, round, attempt, cohort,
    /// roster root, occupied, N, W, then t, F, c of every group)`.
    #[must_use]
    pub fn context(&self) -> SetupContext {
        SetupContext(hash(Label::SetupContext, &[&self.to_bytes()]))
    }

    /// The bytes that the context hashes; also their encoding in requests.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let config = &self.config;
        let mut out = Writer::new();
        out.u16(PROTOCOL_VERSION).u16(SUITE).u8(config.mode() as u8);
        out.u64(self.chain_id).raw(&self.contract).u64(self.epoch).u64(self.round);
        out.u32(self.attempt).u32(self.cohort).fr(&self.roster_root).bitmap(&config.occupied());
        out.u16(config.size().slots() as u16).u16(config.width());
        for group in config.group_configs() {
            out.u16(group.threshold).u16(group.floor).u16(group.corrupt);
        }
        out.into_bytes()
    }

    /// Reads what [`SetupParameters::to_bytes`] wrote.
    ///
    /// # Errors
    /// Another version or suite, an unknown size or mode, or numbers that no cohort may run with.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        for (what, expected) in [("protocol version", PROTOCOL_VERSION), ("suite", SUITE)] {
            let got = reader.u16(what)?;
            if got != expected {
                return Err(WireError::Value { what, got: got.into() });
            }
        }
        let mode = reader.mode()?;
        let chain_id = reader.u64("chain id")?;
        let contract = reader.array("contract")?;
        let (epoch, round) = (reader.u64("epoch")?, reader.u64("round")?);
        let (attempt, cohort) = (reader.u32("attempt")?, reader.u32("cohort")?);
        let roster_root = reader.fr("roster root")?;
        let occupied = reader.bitmap("occupied slots", 256)?;
        let slots = reader.u16("cohort size")?;
        let bad_size = WireError::Value { what: "cohort size", got: slots.into() };
        let size = CohortSize::try_from(u32::from(slots)).map_err(|_| bad_size)?;
        let width = reader.u16("group width")?;
        let n_groups = slots.checked_div(width).unwrap_or(0);
        let mut groups = Vec::new();
        for _ in 0..n_groups {
            groups.push(GroupConfig {
                threshold: reader.u16("threshold")?,
                floor: reader.u16("floor")?,
                corrupt: reader.u16("corrupt members")?,
            });
        }
        let config = CohortConfig::new(size, width, mode, occupied, groups)
            .map_err(|_| WireError::Value { what: "group configuration", got: width.into() })?;
        Ok(Self { config, chain_id, contract, epoch, round, attempt, cohort, roster_root })
    }
}

/// Declared differential privacy. No proof of noise is claimed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dp {
    /// The mechanism; 0 is none.
    pub kind: u8,
    /// Its parameter; 0 without a mechanism.
    pub parameter: f64,
    /// The most that one client's noise adds to a coordinate, in quantised units; 0 without one.
    pub bound: u32,
}

impl Dp {
    /// No noise.
    pub const NONE: Self = Self { kind: 0, parameter: 0.0, bound: 0 };
}

/// Unix seconds; 0 is none. The contract enforces them, clients only bind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Deadlines {
    /// For masked inputs.
    pub masked_input: u64,
    /// For releases.
    pub release: u64,
    /// For the certificate.
    pub certificate: u64,
}

/// Everything that is fixed between setup and masked input, besides the model and the setups.
#[derive(Debug, Clone, PartialEq)]
pub struct RoundParameters {
    /// The aggregator's key: it signs the survivor digest and every request.
    pub aggregator: PublicKey,
    /// Who is paid; zero without a chain.
    pub payee: [u8; 20],
    /// `b`: bits per coordinate.
    pub bits: u8,
    /// Clipping bound of the update.
    pub clip: f32,
    /// Least sample weight.
    pub w_min: u32,
    /// Largest sample weight.
    pub w_max: u32,
    /// `d`: coordinates, the weight included.
    pub dimension: u64,
    /// Number of the commitment bases.
    pub bases: u8,
    /// Declared differential privacy.
    pub dp: Dp,
    /// Deadlines.
    pub deadlines: Deadlines,
}

impl RoundParameters {
    /// Bytes of the encoding.
    pub const BYTES: usize = 64 + 20 + 1 + 4 + 4 + 4 + 8 + 1 + 1 + 8 + 4 + 24;

    /// First 30 bytes of `H("round context"; setup_context, aggregator key, payee, model digest,
    /// setup root, quantiser, d, bases, DP, deadlines)`.
    #[must_use]
    pub fn context(&self, setup: &SetupContext, model: &ModelDigest, setup_root: &[u8; 32]) -> RoundContext {
        let bytes = self.to_bytes();
        let (parties, rest) = bytes.split_at(64 + 20);
        RoundContext::from_hash(&hash(Label::RoundContext, &[&setup.0, parties, &model.0, setup_root, rest]))
    }

    /// The parameters in the order of the context, model digest and setup root left out.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(Self::BYTES);
        out.raw(&self.aggregator.to_bytes()).raw(&self.payee);
        out.u8(self.bits).u32(self.clip.to_bits()).u32(self.w_min).u32(self.w_max);
        out.u64(self.dimension).u8(self.bases);
        out.u8(self.dp.kind).u64(self.dp.parameter.to_bits()).u32(self.dp.bound);
        let Deadlines { masked_input, release, certificate } = self.deadlines;
        out.u64(masked_input).u64(release).u64(certificate);
        out.into_bytes()
    }

    /// Reads what [`RoundParameters::to_bytes`] wrote. Says nothing about whether the numbers make
    /// sense: see [`RoundParameters::check`].
    ///
    /// # Errors
    /// A key off the curve, or missing bytes.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            aggregator: reader.public_key("aggregator key")?,
            payee: reader.array("payee")?,
            bits: reader.u8("bits")?,
            clip: f32::from_bits(reader.u32("clip")?),
            w_min: reader.u32("least weight")?,
            w_max: reader.u32("largest weight")?,
            dimension: reader.u64("dimension")?,
            bases: reader.u8("bases")?,
            dp: Dp {
                kind: reader.u8("DP kind")?,
                parameter: f64::from_bits(reader.u64("DP parameter")?),
                bound: reader.u32("DP bound")?,
            },
            deadlines: Deadlines {
                masked_input: reader.u64("deadline")?,
                release: reader.u64("deadline")?,
                certificate: reader.u64("deadline")?,
            },
        })
    }

    /// Checks that a round of `config` may run with these numbers:
    /// `2 <= b <= 24`, `0 < clip < infinity`, `1 <= w_min <= w_max <= 2^(b - 1) - 1`,
    /// `n * (2^(b - 1) + noise) < 2^31`, `2 <= d`.
    ///
    /// # Errors
    /// [`ConfigError`] with the number that is wrong.
    pub fn check(&self, config: &CohortConfig) -> Result<(), ConfigError> {
        let refuse = |what, got| Err(ConfigError::Quantizer { what, got });
        if !(MIN_BITS..=MAX_BITS).contains(&self.bits) {
            return refuse("bits", self.bits.into());
        }
        config.check_words(self.bits, self.dp.bound)?;
        if !self.clip.is_finite() || self.clip <= 0.0 {
            return refuse("clip", self.clip.into());
        }
        if self.w_min == 0 || self.w_min > self.w_max {
            return refuse("w_min", self.w_min.into());
        }
        if self.w_max > (1 << (self.bits - 1)) - 1 {
            return refuse("w_max", self.w_max.into());
        }
        if !(2..=Limits::MAX_DIMENSION).contains(&self.dimension) {
            return Err(ConfigError::Dimension { got: self.dimension, max: Limits::MAX_DIMENSION });
        }
        let Dp { kind, parameter, bound } = self.dp;
        if !parameter.is_finite() || parameter < 0.0 || (kind == 0 && parameter != 0.0) {
            return Err(ConfigError::Dp { what: "parameter", got: parameter });
        }
        if (kind == 0 && bound != 0) || u64::from(bound) >= 1 << (self.bits - 1) {
            return Err(ConfigError::Dp { what: "bound", got: bound.into() });
        }
        Ok(())
    }

    /// The first parameter in which two sets differ, compared as bits, or `None`.
    #[must_use]
    pub fn first_difference(&self, other: &Self) -> Option<&'static str> {
        let pairs = [
            ("aggregator key", self.aggregator == other.aggregator),
            ("payee", self.payee == other.payee),
            ("bits", self.bits == other.bits),
            ("clip", self.clip.to_bits() == other.clip.to_bits()),
            ("least weight", self.w_min == other.w_min),
            ("largest weight", self.w_max == other.w_max),
            ("dimension", self.dimension == other.dimension),
            ("bases", self.bases == other.bases),
            ("DP kind", self.dp.kind == other.dp.kind),
            ("DP parameter", self.dp.parameter.to_bits() == other.dp.parameter.to_bits()),
            ("DP bound", self.dp.bound == other.dp.bound),
            ("deadlines", self.deadlines == other.deadlines),
        ];
        pairs.into_iter().find(|(_, equal)| !equal).map(|(what, _)| what)
    }
}

/// Digest of the model a client trained on. The model is public among the clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModelDigest(pub [u8; 32]);

/// Element types of a model's arrays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Dtype {
    /// IEEE half precision.
    F16 = 1,
    /// bfloat16.
    Bf16 = 2,
    /// IEEE single precision.
    F32 = 3,
    /// IEEE double precision.
    F64 = 4,
    /// Signed 64-bit integers.
    I64 = 5,
    /// Signed 32-bit integers.
    I32 = 6,
    /// Unsigned bytes or booleans.
    U8 = 7,
}

impl Dtype {
    /// Bytes of one element.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::F16 | Self::Bf16 => 2,
            Self::F32 | Self::I32 => 4,
            Self::F64 | Self::I64 => 8,
        }
    }
}

/// One array of a model.
#[derive(Debug, Clone, Copy)]
pub struct NamedArray<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its element type.
    pub dtype: Dtype,
    /// Its shape.
    pub dims: &'a [u64],
    /// Its elements: little-endian, row-major.
    pub elements: &'a [u8],
}

/// `H("model"; count u32, then per array in the caller's order: name, dtype u8, rank u8, dims u64,
/// elements)`, names prefixed with their length as u32 and elements as u64, in bytes.
///
/// # Errors
/// [`ConfigError::Array`] if an array's bytes are not the product of its dims, or its rank, its name
/// or the count of arrays does not fit.
pub fn model_digest(arrays: &[NamedArray<'_>]) -> Result<ModelDigest, ConfigError> {
    let refuse = |name: &str, got: usize, expected: u64| ConfigError::Array {
        name: name.to_owned(),
        expected,
        got: got as u64,
    };
    let count = u32::try_from(arrays.len()).map_err(|_| refuse("(all)", arrays.len(), u32::MAX.into()))?;
    let mut hasher = hasher(Label::Model).chain_update(count.to_be_bytes());
    for NamedArray { name, dtype, dims, elements } in arrays {
        let rank = u8::try_from(dims.len()).map_err(|_| refuse(name, dims.len(), u8::MAX.into()))?;
        let name_length =
            u32::try_from(name.len()).map_err(|_| refuse("(name)", name.len(), u32::MAX.into()))?;
        let bytes = dims.iter().try_fold(dtype.bytes() as u64, |bytes, dim| bytes.checked_mul(*dim));
        if bytes != Some(elements.len() as u64) {
            return Err(refuse(name, elements.len(), bytes.unwrap_or(u64::MAX)));
        }
        hasher.update(name_length.to_be_bytes());
        hasher.update(name.as_bytes());
        hasher.update([*dtype as u8, rank]);
        dims.iter().for_each(|dim| hasher.update(dim.to_be_bytes()));
        hasher.update((elements.len() as u64).to_be_bytes());
        hasher.update(elements);
    }
    Ok(ModelDigest(hasher.finalize().into()))
}
