//! Error families, sorted by whose fault it is.

use thiserror::Error;

pub use crate::bases::CacheError;

/// Anything that an engine operation can fail with.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The caller passed something that makes no sense.
    #[error(transparent)]
    Misuse(#[from] Misuse),
    /// The device, its driver or the operating system failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The cache of commitment bases cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

/// A mistake of the caller.
#[derive(Debug, Error, Clone, PartialEq)]
#[non_exhaustive]
pub enum Misuse {
    /// Two lengths that must agree do not.
    #[error("{what}: expected {expected} elements, got {got}")]
    LengthMismatch {
        /// What was measured.
        what: &'static str,
        /// The length that was required.
        expected: usize,
        /// The length that was passed.
        got: usize,
    },
    /// A number lies outside its range.
    #[error("{what}: {got} is outside {min} ..= {max}")]
    OutOfRange {
        /// What was measured.
        what: &'static str,
        /// Smallest accepted value.
        min: i64,
        /// Largest accepted value.
        max: i64,
        /// The value that was passed.
        got: i64,
    },
    /// An element of an update is NaN or infinite, or becomes so as a 32-bit float.
    #[error("element {index} is not finite as a 32-bit float")]
    NotFinite {
        /// Index of the element.
        index: usize,
    },
    /// A clipping threshold that is not positive and finite.
    #[error("a clipping threshold of {got}: it must be positive and finite")]
    Clip {
        /// The value that was passed.
        got: f32,
    },
    /// A group whose sum could leave 32 bits.
    #[error(
        "{n} clients of {bits} bits: n * (2^(b-1) + noise bound) = {n} * (2^{top} + {noise_bound}) = {reach} is not below 2^31 = 2147483648",
        top = bits - 1
    )]
    Headroom {
        /// Clients of the group.
        n: usize,
        /// Bits of a coordinate.
        bits: u8,
        /// Bound of one client's noise in one coordinate.
        noise_bound: u32,
        /// The largest magnitude that the sum could reach.
        reach: u128,
    },
    /// Noise that cannot be sampled exactly, or whose bound is too small for it.
    #[error(
        "noise of sigma {sigma} bounded by {bound}: sigma must be a multiple of 1/256 in 1/256 ..= 65536 and the bound at least 8 sigma"
    )]
    Noise {
        /// Standard deviation, in quantised units.
        sigma: f64,
        /// Largest magnitude, in quantised units.
        bound: u32,
    },
    /// A scalar that needs more bits than were declared. It is not named: scalars are secret.
    #[error("a scalar of {bits} bits is outside {min} ..= {max}")]
    ScalarWidth {
        /// The declared bits.
        bits: u32,
        /// Smallest value of so many bits.
        min: i64,
        /// Largest value of so many bits.
        max: i64,
    },
    /// A point that is not on its curve, or whose coordinates are not below their modulus.
    #[error("point {index} is not on the curve {curve}, or not in canonical form")]
    NotOnCurve {
        /// Name of the curve.
        curve: &'static str,
        /// Index of the point.
        index: usize,
    },
    /// The point at infinity where it has no meaning and no encoding.
    #[error("{what}: the point at infinity")]
    Infinity {
        /// What came out at infinity.
        what: &'static str,
    },
    /// A range of stream words that passes the end of the 64-bit word numbers.
    #[error("{n_words} stream words from word {first_word} on pass 2^64")]
    WordRange {
        /// First word of the range.
        first_word: u64,
        /// Length of the range.
        n_words: u64,
    },
    /// A transform of a length that is no domain's.
    #[error("{got} values: a domain has a power of two of them, at most 2^{max_log_n}")]
    DomainSize {
        /// The length that was passed.
        got: usize,
        /// Logarithm of the largest domain.
        max_log_n: u32,
    },
    /// A profile inside another one of the same GPU.
    #[error("a profile of this GPU is being taken already")]
    AlreadyProfiling,
    /// A roster holds the same key twice.
    #[error("slots {first} and {second} of the roster hold the same key")]
    EqualKeys {
        /// The lower slot.
        first: u8,
        /// The higher slot.
        second: u8,
    },
    /// A cohort size that no circuit exists for.
    #[error("a cohort of {got} slots: the sizes are 16, 64, 128 and 256")]
    CohortSize {
        /// The size that was asked for.
        got: u32,
    },
    /// A slot number beyond the cohort.
    #[error("slot {got} in a cohort of {slots} slots")]
    UnknownSlot {
        /// The slot that was named.
        got: u16,
        /// The number of slots.
        slots: u16,
    },
}

/// A failure of the device, its driver or the operating system.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeviceError {
    /// No adapter that can run the kernels was found.
    #[error("no GPU adapter was found ({hint})")]
    NoAdapter {
        /// What usually helps.
        hint: String,
    },
    /// A GPU was asked for and the crate was compiled without the feature `gpu`.
    #[error("this build has no GPU support (Cargo feature `gpu`)")]
    NotBuilt,
    /// The adapter is there and refuses to give a device.
    #[error("adapter {adapter}: no device: {message}")]
    NoDevice {
        /// Name of the adapter.
        adapter: String,
        /// What the driver says.
        message: String,
    },
    /// The adapter lacks what the caller's choice needs.
    #[error("adapter {adapter}: it has no {feature}")]
    MissingFeature {
        /// Name of the adapter.
        adapter: String,
        /// What is missing.
        feature: &'static str,
    },
    /// A limit of the adapter, or one set by the caller, is below what a kernel needs.
    #[error("{what}: {got} is below the {needed} that a kernel needs")]
    LimitTooSmall {
        /// Name of the limit.
        what: &'static str,
        /// Smallest usable value.
        needed: u64,
        /// The value found.
        got: u64,
    },
    /// The device could not give the memory.
    #[error("{operation}: out of device memory: {message}")]
    OutOfMemory {
        /// The operation that asked.
        operation: &'static str,
        /// What the driver says.
        message: String,
    },
    /// The device is gone. Nothing that it held comes back: open the engine anew.
    #[error("the device was lost: {message}")]
    Lost {
        /// What the driver says.
        message: String,
    },
    /// The device did not finish in time.
    #[error("{operation}: the device did not finish within {seconds} s")]
    Timeout {
        /// The operation that waited.
        operation: &'static str,
        /// How long it waited.
        seconds: u64,
    },
    /// The driver refused a command or a kernel: a bug, here or there.
    #[error("{operation}: the driver refused: {message}")]
    Validation {
        /// The operation that was refused.
        operation: &'static str,
        /// What the driver says.
        message: String,
    },
    /// Two backends gave different words for the same input.
    #[error("{operation}: {left} and {right} differ, first at index {index}")]
    Disagreement {
        /// The operation that was compared.
        operation: &'static str,
        /// First backend.
        left: String,
        /// Second backend.
        right: String,
        /// First index at which their results differ.
        index: usize,
    },
}

/// Why a byte string is not the canonical encoding of a value.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// Too short, too long, or followed by trailing bytes.
    #[error("{what}: expected {expected} bytes, got {got}")]
    Length {
        /// What was decoded.
        what: &'static str,
        /// The exact length of the encoding.
        expected: usize,
        /// The length that was passed.
        got: usize,
    },
    /// An integer at or above its modulus.
    #[error("{what}: not below its modulus")]
    NotCanonical {
        /// What was decoded.
        what: &'static str,
    },
    /// A pair of coordinates that satisfies no curve equation.
    #[error("{what}: not a point of the curve")]
    NotOnCurve {
        /// What was decoded.
        what: &'static str,
    },
    /// A value that the format reserves or forbids.
    #[error("{what}: a forbidden value")]
    Forbidden {
        /// What was decoded.
        what: &'static str,
    },
}
