//! Proving keys: the single-party development setup, and the file that the prover maps.
//!
//! A key is hundreds of megabytes of points. They stay in the packed form that backends read: in memory after a setup, and
//! where they lie in the mapped file after a load, so that loading copies nothing and processes share the pages.
//!
//! A development key is made by one party that could forge with what it throws away. The key says so in its bytes, so do its
//! verifying key and every certificate, verifiers refuse them unless told otherwise, and making or loading one is a warning.
//! For production take a key from a ceremony.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ark_bn254::{Bn254, G1Projective, G2Projective};
use ark_ec::PrimeGroup;
use ark_groth16::Groth16;
use blindsum_engine::cache_dir::cache_dir;
use blindsum_engine::roster::CohortSize;
use rand_core::CryptoRng;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::aggregation::constraint_system;
use crate::qap::SnarkjsReduction;
use crate::r1cs::Replay;
use crate::random::{Bridge, nonzero};
use crate::shape::Shape;
use crate::verifying_key::VerifyingKey;

mod file;
mod queries;

pub(crate) use queries::Queries;

/// Why there is no proving key.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProvingKeyError {
    /// Neither an argument, nor the environment, nor the platform names a directory.
    #[error("no cache directory: pass one or set BLINDSUM_CACHE")]
    NoDirectory,
    /// The operating system refused an operation.
    #[error("cannot {operation} {}: {source}", path.display())]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// What the operating system answered.
        source: std::io::Error,
    },
    /// The file is no proving key of this version.
    #[error("{}: {what}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The file is shorter or longer than it says.
    #[error("{}: {got} bytes, expected {expected}: truncated or extended", path.display())]
    Length {
        /// The file.
        path: PathBuf,
        /// Its length by its own header.
        expected: u64,
        /// Its length.
        got: u64,
    },
    /// A digest does not fit the bytes.
    #[error("{}: {section} was altered", path.display())]
    Altered {
        /// The file.
        path: PathBuf,
        /// The part of the file whose digest is wrong.
        section: &'static str,
    },
    /// The key is for cohorts of another size.
    #[error("{}: a key for {got} slots, expected {expected}", path.display())]
    OtherSize {
        /// The file.
        path: PathBuf,
        /// The slots that were asked for.
        expected: CohortSize,
        /// The slots in the file.
        got: u16,
    },
    /// The key was made for another circuit: by another version of this crate.
    #[error("{}: made for another version of the circuit", path.display())]
    OtherCircuit {
        /// The file.
        path: PathBuf,
    },
    /// The verifying key inside is not acceptable.
    #[error("{}: {source}", path.display())]
    VerifyingKey {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: crate::error::KeyError,
    },
    /// A point of the key is in the wrong place: off its curve, outside the group, or not in canonical form.
    #[error("point {index} of {section} is not in its group, or not in canonical form")]
    BadPoint {
        /// The part of the key.
        section: &'static str,
        /// Index of its first such point.
        index: usize,
    },
    /// The setup failed: the circuit is too large for the field, which no shipped circuit is.
    #[error("setup: {0}")]
    Setup(#[from] ark_relations::gr1cs::SynthesisError),
}

/// A Groth16 proving key for one cohort size. Cheap to clone: the points are shared.
#[derive(Clone)]
pub struct ProvingKey {
    size: CohortSize,
    queries: Arc<Queries>,
    verifying_key: VerifyingKey,
}

impl std::fmt::Debug for ProvingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProvingKey")
            .field("size", &self.size)
            .field("development", &self.verifying_key.development)
            .finish_non_exhaustive()
    }
}

impl ProvingKey {
    /// A key from one party's randomness: for development only. From 10 seconds (N = 16, two cores) to minutes (N = 256).
    ///
    /// The secret scalars are wiped or dropped on return; arkworks drops its own without wiping.
    ///
    /// # Errors
    /// [`ProvingKeyError::Setup`].
    ///
    /// # Panics
    /// Never: a test keeps the circuit at the shape that is pinned for it.
    pub fn setup_development(size: CohortSize, rng: &mut dyn CryptoRng) -> Result<Self, ProvingKeyError> {
        let _span = tracing::info_span!("setup", slots = size.slots()).entered();
        tracing::warn!(
            slots = size.slots(),
            "making a DEVELOPMENT proving key: whoever runs this setup can forge certificates under it"
        );
        let r1cs = constraint_system(size);
        assert_eq!(r1cs.shape(), Shape::of(size), "the circuit is not the one that is pinned");
        let [alpha, beta, gamma, delta] = std::array::from_fn(|_| Zeroizing::new(nonzero(rng)));
        let groth16 = Groth16::<Bn254, SnarkjsReduction>::generate_parameters_with_qap(
            Replay { r1cs, assignment: None },
            *alpha,
            *beta,
            *gamma,
            *delta,
            G1Projective::generator(),
            G2Projective::generator(),
            &mut Bridge(rng),
        )?;
        let verifying_key = VerifyingKey {
            size,
            development: true,
            alpha_g1: groth16.vk.alpha_g1,
            beta_g2: groth16.vk.beta_g2,
            gamma_g2: groth16.vk.gamma_g2,
            delta_g2: groth16.vk.delta_g2,
            ic: groth16.vk.gamma_abc_g1.clone(),
        };
        Ok(Self { size, queries: Arc::new(Queries::from_ark(groth16)), verifying_key })
    }

    /// Maps a key from a file that [`Self::store`] wrote.
    ///
    /// Every section's digest is checked, points are not: the file must come from a place that only its owner writes, or
    /// [`Self::check`] must look at them. While the key is in use the file may be replaced or removed, but not written into.
    ///
    /// # Errors
    /// [`ProvingKeyError`] names what is wrong: truncated, altered, for another size, for another circuit.
    pub fn load(path: &Path, size: CohortSize) -> Result<Self, ProvingKeyError> {
        Self::read(path, Some(size))
    }

    /// As [`Self::load`], for cohorts of whatever size the file is for.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn open(path: &Path) -> Result<Self, ProvingKeyError> {
        Self::read(path, None)
    }

    fn read(path: &Path, size: Option<CohortSize>) -> Result<Self, ProvingKeyError> {
        let _span = tracing::info_span!("load proving key").entered();
        let (queries, verifying_key) = file::read(path, size)?;
        let size = verifying_key.size;
        if verifying_key.development {
            tracing::warn!(
                slots = size.slots(),
                path = %path.display(),
                "loaded a DEVELOPMENT proving key: its maker can forge certificates under it"
            );
        }
        Ok(Self { size, queries: Arc::new(queries), verifying_key })
    }

    /// Checks that every point is canonical, on its curve and in its group. Minutes for the largest key.
    ///
    /// A digest detects accidents; this detects points that no setup makes. That the key is the one of its circuit it does
    /// not show: for that a ceremony's transcript must be checked.
    ///
    /// # Errors
    /// [`ProvingKeyError::BadPoint`] names the first point that is not.
    pub fn check(&self) -> Result<(), ProvingKeyError> {
        self.queries.check()
    }

    /// Writes the key to `path`, in one step: readers see no file or the whole file. Replaces a file that is there.
    ///
    /// # Errors
    /// [`ProvingKeyError::Io`].
    pub fn store(&self, path: &Path) -> Result<(), ProvingKeyError> {
        file::write(path, self, file::Existing::Replace).map(|_| ())
    }

    /// The cached development key of a cohort size; made and stored where there is none.
    ///
    /// The directory is `directory`, else the environment variable `BLINDSUM_CACHE`, else the platform's cache directory. The
    /// file's name holds the circuit's digest. A damaged file is an error that names it, never silently replaced: another
    /// setup would be another verifying key. If another process stores a key meanwhile, that key is taken.
    ///
    /// # Errors
    /// [`ProvingKeyError`].
    pub fn load_or_setup(
        directory: Option<&Path>,
        size: CohortSize,
        rng: &mut dyn CryptoRng,
    ) -> Result<Self, ProvingKeyError> {
        let directory = cache_dir(directory).ok_or(ProvingKeyError::NoDirectory)?;
        let path = directory.join(file_name(size));
        if path.exists() {
            return Self::load(&path, size);
        }
        let key = Self::setup_development(size, rng)?;
        std::fs::create_dir_all(&directory).map_err(|source| ProvingKeyError::Io {
            operation: "create",
            path: directory.clone(),
            source,
        })?;
        match file::write(&path, &key, file::Existing::Keep)? {
            file::Written::Stored => Ok(key),
            file::Written::FoundAnother => Self::load(&path, size),
        }
    }

    /// The cohort size N.
    #[must_use]
    pub fn size(&self) -> CohortSize {
        self.size
    }

    /// True for a key of a single-party setup.
    #[must_use]
    pub fn is_development(&self) -> bool {
        self.verifying_key.development
    }

    /// What verifies this key's certificates.
    #[must_use]
    pub fn verifying_key(&self) -> &VerifyingKey {
        &self.verifying_key
    }

    /// SHA-256 of the circuit's shape.
    #[must_use]
    pub fn circuit_digest(&self) -> [u8; 32] {
        self.shape().digest
    }

    /// A copy of the key for ark-groth16: for comparisons, never kept.
    #[must_use]
    pub fn to_ark(&self) -> ark_groth16::ProvingKey<Bn254> {
        self.queries.to_ark(&self.verifying_key)
    }

    pub(crate) fn queries(&self) -> &Queries {
        &self.queries
    }

    pub(crate) const fn shape(&self) -> Shape {
        Shape::of(self.size)
    }
}

fn file_name(size: CohortSize) -> String {
    let start: String = Shape::of(size).digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("development-key-{}-{start}.bin", size.slots())
}
