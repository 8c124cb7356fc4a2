//! Discrete Gaussian noise for differential privacy, sampled exactly.
//!
//! Source: Canonne, Kamath, Steinke, "The Discrete Gaussian for Differential Privacy" (NeurIPS 2020),
//! algorithms 1 (Bernoulli of `exp(-g)`), 2 (discrete Laplace) and 3 (discrete Gaussian). Every
//! decision is a comparison of integers, so no property rests on floating point: `sigma` is a
//! multiple of 1/256 and all fractions are exact in 128 bits.
//!
//! Units: `sigma` and the bound are in quantised units. The caller calibrates `sigma`, to the honest
//! survivors that the floor guarantees and not to all clients, and to the sensitivity of its clipped
//! vectors. A client may lie about its noise; the noise of the others must suffice. Sampling takes a
//! time that depends on the sample.

use chacha20::{
    ChaCha20,
    cipher::{KeyIvInit, StreamCipher},
};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::error::Misuse;

/// Denominator of `sigma`.
const UNIT: f64 = 256.0;
/// Largest `sigma`.
const MAX_SIGMA: f64 = 65_536.0;
/// The bound is at least this many `sigma`: a sample beyond it has a chance below `2^-48`.
const MIN_BOUND: f64 = 8.0;

/// The noise that each client adds to each coordinate but the weight.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum DpNoise {
    /// None.
    None,
    /// See [`DpNoise::discrete_gaussian`].
    DiscreteGaussian(DiscreteGaussian),
}

/// Parameters of bounded discrete Gaussian noise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DiscreteGaussian {
    sigma: f64,
    bound: u32,
}

impl DpNoise {
    /// Noise of density proportional to `exp(-x^2 / (2 sigma^2))` over the integers, clamped to
    /// `+-bound`; both in quantised units. The bound is what an opening of a sum is given as slack.
    ///
    /// # Errors
    /// [`Misuse::Noise`] unless `sigma` is a multiple of 1/256 in `1/256 ..= 65536` and
    /// `bound >= 8 sigma`.
    pub fn discrete_gaussian(sigma: f64, bound: u32) -> Result<Self, Misuse> {
        let units = sigma * UNIT;
        let exact = units.fract() == 0.0 && (1.0..=MAX_SIGMA * UNIT).contains(&units);
        if !exact || f64::from(bound) < MIN_BOUND * sigma {
            return Err(Misuse::Noise { sigma, bound });
        }
        Ok(Self::DiscreteGaussian(DiscreteGaussian { sigma, bound }))
    }

    /// The kind's number in a round's context: 0 none, 1 discrete Gaussian.
    #[must_use]
    pub const fn kind(&self) -> u8 {
        match self {
            Self::None => 0,
            Self::DiscreteGaussian(_) => 1,
        }
    }

    /// The parameter in a round's context: `sigma`, or 0.
    #[must_use]
    pub const fn parameter(&self) -> f64 {
        match self {
            Self::None => 0.0,
            Self::DiscreteGaussian(noise) => noise.sigma,
        }
    }

    /// The largest magnitude of the noise of one client in one coordinate.
    #[must_use]
    pub const fn bound(&self) -> u32 {
        match self {
            Self::None => 0,
            Self::DiscreteGaussian(noise) => noise.bound,
        }
    }

    /// The noise that a round's context declares.
    ///
    /// # Errors
    /// [`Misuse::Noise`] for an unknown kind, for parameters that its kind refuses, and for
    /// parameters other than 0 without noise.
    pub fn from_parts(kind: u8, parameter: f64, bound: u32) -> Result<Self, Misuse> {
        match kind {
            // By bits: -0.0 would be another context.
            0 if parameter.to_bits() == 0 && bound == 0 => Ok(Self::None),
            1 => Self::discrete_gaussian(parameter, bound),
            _ => Err(Misuse::Noise { sigma: parameter, bound }),
        }
    }
}

/// Draws the noise of one vector.
pub(crate) struct NoiseSampler(Option<Gaussian>);

impl NoiseSampler {
    /// Takes 32 bytes from `rng` if there is noise, else none.
    pub(crate) fn new(noise: DpNoise, rng: &mut dyn CryptoRng) -> Self {
        Self(match noise {
            DpNoise::None => None,
            DpNoise::DiscreteGaussian(noise) => Some(Gaussian::new(noise, rng)),
        })
    }

    /// The noise of the next coordinate; 0 without noise.
    pub(crate) fn sample(&mut self) -> i64 {
        self.0.as_mut().map_or(0, |gaussian| {
            let bound = i64::from(gaussian.bound);
            gaussian.sample().clamp(-bound, bound)
        })
    }
}

struct Gaussian {
    /// `sigma` in units of 1/256.
    sigma: u128,
    /// Scale of the Laplace distribution that proposes: `floor(sigma) + 1`.
    t: u128,
    bound: u32,
    random: Random,
}

impl Gaussian {
    fn new(noise: DiscreteGaussian, rng: &mut dyn CryptoRng) -> Self {
        let sigma = (noise.sigma * UNIT) as u128;
        Self { sigma, t: (sigma >> 8) + 1, bound: noise.bound, random: Random::new(rng) }
    }

    /// Algorithm 3.
    fn sample(&mut self) -> i64 {
        loop {
            let (negative, magnitude) = self.random.laplace(self.t);
            // (|y| - sigma^2 / t)^2 / (2 sigma^2), with sigma^2 in units of 2^-16, times 2^32 t^2
            // above and below. A product beyond 128 bits is a proposal of chance below e^-30000.
            let Some(scaled) = magnitude.checked_mul(self.t << 16) else { continue };
            let difference = scaled.abs_diff(self.sigma * self.sigma);
            let Some(numerator) = difference.checked_mul(difference) else { continue };
            let denominator = (self.sigma * self.sigma * self.t * self.t) << 17;
            if self.random.bernoulli_exp(numerator, denominator) {
                // Below 2^38: `scaled` squared fits in 128 bits.
                return if negative { -(magnitude as i64) } else { magnitude as i64 };
            }
        }
    }
}

/// Exact coins from a ChaCha20 stream.
struct Random {
    cipher: ChaCha20,
    block: Zeroizing<[u8; 1024]>,
    used: usize,
}

impl Random {
    fn new(rng: &mut dyn CryptoRng) -> Self {
        let mut key = Zeroizing::new([0; 32]);
        rng.fill_bytes(key.as_mut());
        let block = Zeroizing::new([0; 1024]);
        Self { cipher: ChaCha20::new((&*key).into(), &[0; 12].into()), used: block.len(), block }
    }

    fn next(&mut self) -> u64 {
        if self.used == self.block.len() {
            self.block.fill(0);
            self.cipher.apply_keystream(self.block.as_mut());
            self.used = 0;
        }
        let mut word = [0; 8];
        word.copy_from_slice(&self.block[self.used..self.used + 8]);
        self.used += 8;
        u64::from_le_bytes(word)
    }

    /// Uniform in `0 .. bound`, by rejection.
    fn below(&mut self, bound: u128) -> u128 {
        let mask = u128::MAX >> (bound - 1).leading_zeros().min(127);
        loop {
            let low = u128::from(self.next());
            let high = if mask >> 64 == 0 { 0 } else { u128::from(self.next()) << 64 };
            let value = (high | low) & mask;
            if value < bound {
                return value;
            }
        }
    }

    /// Algorithm 1: true with probability `exp(-numerator / denominator)`.
    fn bernoulli_exp(&mut self, numerator: u128, denominator: u128) -> bool {
        (0..numerator / denominator).all(|_| self.bernoulli_exp_below_one(1, 1))
            && self.bernoulli_exp_below_one(numerator % denominator, denominator)
    }

    /// The same for `numerator <= denominator`.
    fn bernoulli_exp_below_one(&mut self, numerator: u128, denominator: u128) -> bool {
        let mut k = 1;
        while self.below(denominator * k) < numerator {
            k += 1;
        }
        k % 2 == 1
    }

    /// Algorithm 2 with scale `t`: sign and magnitude, of density proportional to `exp(-|y| / t)`.
    fn laplace(&mut self, t: u128) -> (bool, u128) {
        loop {
            let u = self.below(t);
            if !self.bernoulli_exp_below_one(u, t) {
                continue;
            }
            let mut v = 0;
            while self.bernoulli_exp_below_one(1, 1) {
                v += 1;
            }
            let magnitude = u + t * v;
            let negative = self.next() & 1 == 1;
            if !(negative && magnitude == 0) {
                return (negative, magnitude);
            }
        }
    }
}
