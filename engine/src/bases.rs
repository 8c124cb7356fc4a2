//! The bases of the vector commitment: `G_0 .. G_{d-1}`, hashed to the curve.
//!
//! `G_j = hash_to_curve("blindsum/basis", j)` and `H = hash_to_curve("blindsum/blinding", 0)`: there
//! is no trusted setup and nobody knows a relation between them. Deriving one costs two square roots,
//! so they are derived once, by [`Cpu::hash_to_curve`], and kept in a file that is checked by digest and
//! memory-mapped (see [`cache`]). Nothing here is secret.

mod cache;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rand_core::CryptoRng;
use rayon::prelude::*;

pub use cache::CacheError;

use crate::{
    cache_dir::cache_dir,
    cpu::Cpu,
    curve::{self, Point},
    error::{EngineError, Misuse},
    points::{Grumpkin, PackedPoint, Points},
};

/// The name under which the bases are hashed to the curve.
pub const BASIS_NAME: &str = "blindsum/basis";

/// Bases that verification derives at a time.
const BLOCK: usize = 1 << 16;

/// Most coordinates that a vector may have: `2^32`.
pub const MAX_DIMENSION: u64 = 1 << 32;

/// The first `d` bases. Cheap to clone: the points are shared.
#[derive(Clone)]
pub struct Bases {
    points: Points<Grumpkin>,
}

impl Bases {
    /// The number of this family of bases in a round's context.
    pub const ID: u8 = 1;

    /// Opens the first `d` bases from the cache, deriving what it lacks.
    ///
    /// The directory is `directory`, else the environment variable `BLINDSUM_CACHE`, else the
    /// user's cache directory. A cache that is longer than `d` serves; a shorter one is extended; a
    /// damaged one, or one of another version, is rebuilt with a warning. Any number of processes
    /// may do this at the same time: a file is only ever replaced whole. What is derived goes into the
    /// file as it comes: the memory in use is a mebibyte or two a thread, whatever `d` is.
    ///
    /// # Errors
    /// [`Misuse::OutOfRange`] if `d` exceeds [`MAX_DIMENSION`]; [`CacheError`] if there is no
    /// directory or the file cannot be read or written.
    #[tracing::instrument(level = "debug", skip(directory))]
    pub fn open(directory: Option<&Path>, d: usize) -> Result<Self, EngineError> {
        check_dimension(d)?;
        let path = cache_path(directory)?;
        let kept = match cache::load(&path, d)? {
            cache::Loaded::Good(mapped) if mapped.points().len() >= d => return Ok(Self::mapped(mapped, d)),
            cache::Loaded::Good(mapped) => Some(mapped),
            cache::Loaded::Missing => None,
            cache::Loaded::Damaged(damage) => {
                tracing::warn!(path = %path.display(), %damage, "the cache of commitment bases is damaged: rebuilding it");
                None
            }
        };
        let kept = kept.as_ref().map_or(&[][..], |mapped| mapped.points());
        tracing::info!(have = kept.len(), d, "deriving commitment bases");
        let written = cache::write(&path, d, |first, points| {
            let n_kept = kept.len().saturating_sub(first).min(points.len());
            let (copied, derived) = points.split_at_mut(n_kept);
            copied.copy_from_slice(&kept[first.min(kept.len())..][..n_kept]);
            derive(first + n_kept, derived);
        })?;
        // Another process may have written as many meanwhile: a shorter file should not replace a longer one.
        if let cache::Loaded::Good(mapped) = cache::load(&path, d)?
            && mapped.points().len() >= d
        {
            return Ok(Self::mapped(mapped, d));
        }
        Ok(Self::mapped(written.replace(&path)?, d))
    }

    /// Derives the first `d` bases in memory, without a cache.
    ///
    /// # Errors
    /// [`Misuse::OutOfRange`] if `d` exceeds [`MAX_DIMENSION`].
    pub fn derive(d: usize) -> Result<Self, Misuse> {
        check_dimension(d)?;
        let mut points = vec![PackedPoint::INFINITY; d];
        derive(0, &mut points);
        Ok(Self { points: Points::from_packed(points) })
    }

    fn mapped(mapped: cache::Mapped, d: usize) -> Self {
        let points = Points::from_storage(Arc::new(mapped));
        Self { points: points.prefix(d).expect("the file holds d points") }
    }

    /// The first `d` of these bases.
    ///
    /// # Errors
    /// [`Misuse::LengthMismatch`] if there are fewer.
    pub fn prefix(&self, d: usize) -> Result<Self, Misuse> {
        let too_few = Misuse::LengthMismatch { what: "commitment bases", expected: d, got: self.len() };
        Ok(Self { points: self.points.prefix(d).ok_or(too_few)? })
    }

    /// The number of this family of bases in a round's context: [`Bases::ID`].
    #[must_use]
    pub const fn id(&self) -> u8 {
        Self::ID
    }

    /// The number `d` of bases.
    #[must_use]
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// True if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// `G_0 .. G_{d-1}`, as a backend takes them.
    #[must_use]
    pub fn points(&self) -> &Points<Grumpkin> {
        &self.points
    }

    /// `G_0 .. G_{d-1}` in internal form.
    #[must_use]
    pub fn as_slice(&self) -> &[PackedPoint] {
        self.points.as_slice()
    }

    /// `G_j`, if `j < d`.
    #[must_use]
    pub fn get(&self, j: usize) -> Option<Point> {
        self.as_slice().get(j).map(PackedPoint::unpack)
    }

    /// The base `H` of the blinding.
    pub fn blinding_base(&self) -> Point {
        curve::blinding_base()
    }

    /// Checks that every base is on the curve, and derives `count` of them again, drawn by `rng`.
    ///
    /// A digest detects accidents; this detects a forged cache, with a chance that grows with `count`.
    ///
    /// # Errors
    /// [`CacheError::WrongBase`] naming the first index found wrong.
    pub fn verify_sample(&self, count: usize, rng: &mut dyn CryptoRng) -> Result<(), CacheError> {
        self.verify_curve()?;
        let d = self.len() as u64;
        let drawn: Vec<usize> =
            (0..if d == 0 { 0 } else { count }).map(|_| (rng.next_u64() % d) as usize).collect();
        self.verify_derivation(drawn.len(), |i| drawn[i])
    }

    /// Checks that every base is on the curve and derives all of them again.
    ///
    /// # Errors
    /// [`CacheError::WrongBase`] naming an index found wrong.
    pub fn verify_all(&self) -> Result<(), CacheError> {
        self.verify_curve()?;
        self.verify_derivation(self.len(), |i| i)
    }

    fn verify_curve(&self) -> Result<(), CacheError> {
        match self
            .as_slice()
            .par_iter()
            .position_first(|base| *base == PackedPoint::INFINITY || !base.is_valid::<Grumpkin>())
        {
            Some(index) => Err(CacheError::WrongBase { index }),
            None => Ok(()),
        }
    }

    /// Derives the bases `index(0) .. index(count - 1)` again.
    fn verify_derivation(
        &self,
        count: usize,
        index: impl Fn(usize) -> usize + Sync,
    ) -> Result<(), CacheError> {
        let mut derived = vec![PackedPoint::INFINITY; count.min(BLOCK)];
        for first in (0..count).step_by(BLOCK) {
            derived.truncate(count - first);
            Cpu::hash_to_curve(BASIS_NAME, |i| index(first + i) as u64, &mut derived);
            let differs = |i: usize| self.as_slice()[index(first + i)] != derived[i];
            if let Some(i) = (0..derived.len()).find(|i| differs(*i)) {
                return Err(CacheError::WrongBase { index: index(first + i) });
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for Bases {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bases").field("dimension", &self.len()).finish_non_exhaustive()
    }
}

/// The bases `G_first ..`.
fn derive(first: usize, points: &mut [PackedPoint]) {
    Cpu::hash_to_curve(BASIS_NAME, |i| (first + i) as u64, points);
}

fn check_dimension(d: usize) -> Result<(), Misuse> {
    if d as u64 > MAX_DIMENSION {
        let got = i64::try_from(d).unwrap_or(i64::MAX);
        return Err(Misuse::OutOfRange { what: "dimension", min: 0, max: MAX_DIMENSION as i64, got });
    }
    Ok(())
}

/// The file of the cache, in `directory` or where the environment and the platform put it.
fn cache_path(directory: Option<&Path>) -> Result<PathBuf, CacheError> {
    let directory = cache_dir(directory).ok_or(CacheError::NoDirectory)?;
    Ok(directory.join(cache::FILE_NAME))
}
