//! Secret values: redacted in `Debug`, erased when dropped, compared in constant time.

use std::fmt;

use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::curve::{self, Fq};
use rand_core::CryptoRng;

/// 32 uniform secret bytes.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Seed([u8; 32]);

impl Seed {
    /// Fresh bytes from `rng`.
    #[must_use]
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        let mut seed = Self([0; 32]);
        rng.fill_bytes(&mut seed.0);
        seed
    }

    /// The secret bytes.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl From<[u8; 32]> for Seed {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl ConstantTimeEq for Seed {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(..)")
    }
}

/// A secret scalar of Grumpkin: the blinding of a commitment, or a shared secret.
#[derive(Clone)]
pub struct Blinding(Fq);

impl Blinding {
    /// A fresh uniform scalar.
    #[must_use]
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        Self(curve::random_fq(rng))
    }

    /// The secret scalar.
    #[must_use]
    pub fn expose(&self) -> &Fq {
        &self.0
    }
}

impl From<Fq> for Blinding {
    fn from(scalar: Fq) -> Self {
        Self(scalar)
    }
}

impl Drop for Blinding {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for Blinding {}

impl ConstantTimeEq for Blinding {
    fn ct_eq(&self, other: &Self) -> Choice {
        curve::fq_to_bytes(&self.0).ct_eq(&curve::fq_to_bytes(&other.0))
    }
}

impl fmt::Debug for Blinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Blinding(..)")
    }
}
