//! Quantise: a vector of floats becomes signed integers of `b` bits.
//!
//! ```text
//! scale = (w / w_max) * (2^(b-1) - 1) / clip               f64, left to right
//! v_j   = f64(clamp(u_j, -clip, clip)) * scale
//! x_j   = floor(v_j + U_j / 2^32) [+ noise_j]              clamped to +-(2^(b-1) - 1)
//! ```
//! `U_j` is word `j` of a ChaCha20 stream (RFC 8439, zero nonce) under 32 fresh bytes, so the rounding
//! is stochastic and unbiased. The sample weight `w` rides as the last coordinate, neither scaled nor
//! rounded nor given noise; `d` counts it. Units: floats in the caller's unit, words in `1 / scale`.
//!
//! Secret: the update, the weight, the words and the stream. The loop is written without a branch on a
//! value, apart from the sampling of noise.

use std::{borrow::Cow, fmt};

use chacha20::{
    ChaCha20,
    cipher::{KeyIvInit, StreamCipher},
};
use half::{bf16, f16};
use rand_core::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{
    bases::MAX_DIMENSION,
    error::Misuse,
    noise::{DpNoise, NoiseSampler},
};

/// Fewest bits of a coordinate.
pub const MIN_BITS: u8 = 2;
/// Most bits of a coordinate.
pub const MAX_BITS: u8 = 24;
/// Bits of a coordinate unless the application asks otherwise.
pub const DEFAULT_BITS: u8 = 16;

/// A client's update: a vector of 32-bit floats. Secret.
pub struct Update<'a>(Cow<'a, [f32]>);

impl<'a> Update<'a> {
    /// Borrows 32-bit floats.
    #[must_use]
    pub const fn new(values: &'a [f32]) -> Self {
        Self(Cow::Borrowed(values))
    }

    /// Widens IEEE half precision, exactly.
    #[must_use]
    pub fn from_f16(values: &[f16]) -> Self {
        Self(Cow::Owned(values.iter().map(|value| value.to_f32()).collect()))
    }

    /// Widens bfloat16, exactly.
    #[must_use]
    pub fn from_bf16(values: &[bf16]) -> Self {
        Self(Cow::Owned(values.iter().map(|value| value.to_f32()).collect()))
    }

    /// Rounds 64-bit floats to the nearest 32-bit ones.
    ///
    /// # Errors
    /// [`Misuse::NotFinite`] naming the first element that is not finite or becomes infinite.
    pub fn from_f64(values: &[f64]) -> Result<Self, Misuse> {
        let update = Self(Cow::Owned(values.iter().map(|value| *value as f32).collect()));
        check_finite(&update.0)?;
        Ok(update)
    }

    /// Number of elements, the weight not counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if there are no elements.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Drop for Update<'_> {
    fn drop(&mut self) {
        if let Cow::Owned(values) = &mut self.0 {
            values.zeroize();
        }
    }
}

impl fmt::Debug for Update<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Update({} elements)", self.len())
    }
}

/// A quantised update with its weight as the last coordinate. Secret: erased when dropped.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Quantized {
    words: Vec<i32>,
    bits: u8,
}

impl Quantized {
    /// The coordinates; each is in `+-(2^(bits-1) - 1)`, the last one is the weight.
    #[must_use]
    pub fn words(&self) -> &[i32] {
        &self.words
    }

    /// The same words in two's complement, as they are masked.
    #[must_use]
    pub fn as_u32(&self) -> &[u32] {
        bytemuck::cast_slice(&self.words)
    }

    /// The number `d` of coordinates, the weight counted.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.words.len()
    }

    /// Bits of a coordinate.
    #[must_use]
    pub const fn bits(&self) -> u8 {
        self.bits
    }
}

impl fmt::Debug for Quantized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Quantized({} words of {} bits)", self.words.len(), self.bits)
    }
}

/// What clipping did to one update. It tells something of the update: keep it on the client.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClippingReport {
    /// Elements whose magnitude exceeded `clip`.
    pub clipped: usize,
    /// Elements in all, the weight not counted.
    pub elements: usize,
    /// The largest magnitude before clipping, in the caller's unit.
    pub largest: f32,
}

impl ClippingReport {
    /// The fraction of elements that were clipped; 0 for an empty update.
    #[must_use]
    pub fn fraction(&self) -> f64 {
        if self.elements == 0 { 0.0 } else { self.clipped as f64 / self.elements as f64 }
    }
}

/// The quantiser of one round. Every client of a cohort uses the same one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quantizer {
    bits: u8,
    clip: f32,
    w_min: u32,
    w_max: u32,
    noise: DpNoise,
}

impl Quantizer {
    /// A quantiser to `bits` bits of values clipped to `+-clip`, for weights in `w_min ..= w_max`.
    ///
    /// # Errors
    /// [`Misuse`] unless `2 <= bits <= 24`, `clip` is positive and finite, and
    /// `1 <= w_min <= w_max <= 2^(bits-1) - 1` (larger counts: divide by a public unit).
    pub fn new(bits: u8, clip: f32, w_min: u32, w_max: u32) -> Result<Self, Misuse> {
        check_range("bits", bits.into(), MIN_BITS.into(), MAX_BITS.into())?;
        if !clip.is_finite() || clip <= 0.0 {
            return Err(Misuse::Clip { got: clip });
        }
        let top = max_magnitude(bits);
        check_range("largest weight", w_max.into(), 1, top)?;
        check_range("smallest weight", w_min.into(), 1, w_max.into())?;
        Ok(Self { bits, clip, w_min, w_max, noise: DpNoise::None })
    }

    /// The same quantiser with noise for differential privacy, which is added before clipping to
    /// `bits` bits.
    ///
    /// # Errors
    /// [`Misuse::OutOfRange`] if the noise's bound exceeds `2^(bits-1) - 1`.
    pub fn with_noise(self, noise: DpNoise) -> Result<Self, Misuse> {
        check_range("noise bound", noise.bound().into(), 0, self.max_magnitude())?;
        Ok(Self { noise, ..self })
    }

    /// Bits of a coordinate.
    #[must_use]
    pub const fn bits(&self) -> u8 {
        self.bits
    }

    /// Largest magnitude that is not clipped, in the caller's unit.
    #[must_use]
    pub const fn clip(&self) -> f32 {
        self.clip
    }

    /// Smallest weight.
    #[must_use]
    pub const fn w_min(&self) -> u32 {
        self.w_min
    }

    /// Largest weight.
    #[must_use]
    pub const fn w_max(&self) -> u32 {
        self.w_max
    }

    /// The noise added for differential privacy.
    #[must_use]
    pub const fn noise(&self) -> DpNoise {
        self.noise
    }

    /// `2^(bits-1) - 1`.
    #[must_use]
    pub const fn max_magnitude(&self) -> i64 {
        max_magnitude(self.bits)
    }

    /// Refuses a group of `n` clients whose sum could leave 32 bits:
    /// `n * (2^(bits-1) + noise bound) >= 2^31`.
    ///
    /// # Errors
    /// [`Misuse::Headroom`] with the numbers.
    pub fn check_headroom(&self, n: usize) -> Result<(), Misuse> {
        check_headroom(n, self.bits, self.noise.bound())
    }

    /// Quantises `update` and appends `weight`, with a report on clipping.
    ///
    /// `rng` gives the 32 bytes that key the rounding, and 32 more if there is noise.
    ///
    /// # Errors
    /// [`Misuse::NotFinite`] naming the first NaN or infinity; [`Misuse::OutOfRange`] for a weight
    /// outside `w_min ..= w_max` or a vector of more than [`MAX_DIMENSION`] coordinates.
    #[tracing::instrument(level = "debug", skip_all, fields(d = update.len() + 1))]
    pub fn quantize(
        &self,
        update: &Update<'_>,
        weight: u32,
        rng: &mut dyn CryptoRng,
    ) -> Result<(Quantized, ClippingReport), Misuse> {
        check_range("weight", weight.into(), self.w_min.into(), self.w_max.into())?;
        check_range("update length", update.len() as i64, 0, MAX_DIMENSION as i64 - 1)?;
        check_finite(&update.0)?;
        let mut words = Vec::with_capacity(update.len() + 1);
        let mut report = ClippingReport { clipped: 0, elements: update.len(), largest: 0.0 };
        let scale =
            f64::from(weight) / f64::from(self.w_max) * self.max_magnitude() as f64 / f64::from(self.clip);
        let top = self.max_magnitude();
        let mut key = Zeroizing::new([0; 32]);
        rng.fill_bytes(key.as_mut());
        let mut stream = Words::new(&key);
        let mut sampler = NoiseSampler::new(self.noise, rng);
        for &u in update.0.iter() {
            report.clipped += usize::from(u.abs() > self.clip);
            report.largest = report.largest.max(u.abs());
            let v = f64::from(u.clamp(-self.clip, self.clip)) * scale;
            let rounded = (v + f64::from(stream.next()) / 4_294_967_296.0).floor() as i64;
            words.push((rounded + sampler.sample()).clamp(-top, top) as i32);
        }
        words.push(weight as i32);
        Ok((Quantized { words, bits: self.bits }, report))
    }

    /// The weighted mean of the updates behind a published sum, in the caller's unit:
    /// `A_j * w_max * clip / ((2^(bits-1) - 1) * A_w)`, without the weight's coordinate `A_w`, the last.
    ///
    /// # Errors
    /// [`Misuse`] if the sum is empty or its weight is not positive.
    pub fn mean(&self, sum: &[i64]) -> Result<Vec<f64>, Misuse> {
        let Some((&total_weight, rest)) = sum.split_last() else {
            return Err(Misuse::LengthMismatch { what: "sum", expected: 1, got: 0 });
        };
        check_range("weight of the sum", total_weight, 1, i64::MAX)?;
        let (w_max, clip) = (f64::from(self.w_max), f64::from(self.clip));
        let divisor = self.max_magnitude() as f64 * total_weight as f64;
        Ok(rest.iter().map(|&value| value as f64 * w_max * clip / divisor).collect())
    }
}

/// Refuses `n` clients of `bits` bits and a noise bound whose sum could leave 32 bits:
/// `n * (2^(bits-1) + noise_bound) >= 2^31`.
///
/// # Errors
/// [`Misuse::Headroom`] with the numbers.
pub fn check_headroom(n: usize, bits: u8, noise_bound: u32) -> Result<(), Misuse> {
    check_range("bits", bits.into(), MIN_BITS.into(), MAX_BITS.into())?;
    let reach = n as u128 * ((1 << (bits - 1)) + u128::from(noise_bound));
    if reach >= 1 << 31 { Err(Misuse::Headroom { n, bits, noise_bound, reach }) } else { Ok(()) }
}

/// `2^(bits-1) - 1`.
pub(crate) const fn max_magnitude(bits: u8) -> i64 {
    (1 << (bits - 1)) - 1
}

fn check_range(what: &'static str, got: i64, min: i64, max: i64) -> Result<(), Misuse> {
    if (min..=max).contains(&got) { Ok(()) } else { Err(Misuse::OutOfRange { what, min, max, got }) }
}

fn check_finite(values: &[f32]) -> Result<(), Misuse> {
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(Misuse::NotFinite { index }),
        None => Ok(()),
    }
}

/// The words of a ChaCha20 stream with a zero nonce, in order. Secret.
struct Words {
    cipher: ChaCha20,
    block: Zeroizing<[u8; 4096]>,
    used: usize,
}

impl Words {
    fn new(key: &[u8; 32]) -> Self {
        let block = Zeroizing::new([0; 4096]);
        Self { cipher: ChaCha20::new(key.into(), &[0; 12].into()), used: block.len(), block }
    }

    fn next(&mut self) -> u32 {
        if self.used == self.block.len() {
            self.block.fill(0);
            // 2^32 coordinates use a sixteenth of the 2^32 blocks that a 32-bit counter gives.
            self.cipher.apply_keystream(self.block.as_mut());
            self.used = 0;
        }
        let mut word = [0; 4];
        word.copy_from_slice(&self.block[self.used..self.used + 4]);
        self.used += 4;
        u32::from_le_bytes(word)
    }
}
