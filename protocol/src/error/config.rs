//! Why parameters make no cohort.

use thiserror::Error;

/// Parameters that no cohort may run with.
#[derive(Debug, Error, Clone, PartialEq)]
#[non_exhaustive]
pub enum ConfigError {
    /// A group width that is no power of two from 4 to N.
    #[error("group width {width} for {slots} slots: a power of two from 4 to N is needed")]
    Width {
        /// The width.
        width: u16,
        /// The number of slots.
        slots: u16,
    },
    /// Another number of group entries than N / W.
    #[error("{got} group entries for {expected} groups")]
    GroupCount {
        /// N / W.
        expected: usize,
        /// Entries passed.
        got: usize,
    },
    /// An occupied slot beyond the cohort.
    #[error("slot {slot} is occupied in a cohort of {slots} slots")]
    OccupiedBeyond {
        /// The slot.
        slot: u8,
        /// The number of slots.
        slots: u16,
    },
    /// A group too small to hide anybody.
    #[error("group {group} has {n} members, at least 3 are needed")]
    SmallGroup {
        /// The group.
        group: usize,
        /// Its members.
        n: u16,
    },
    /// A threshold that the other members cannot reach, or that one share meets.
    #[error("group {group}: threshold {threshold} is outside 2 ..= n - 1 = {max}")]
    Threshold {
        /// The group.
        group: usize,
        /// Its threshold.
        threshold: u16,
        /// n - 1.
        max: u16,
    },
    /// `2t > (n - 1) + c` does not hold.
    #[error("group {group}: 2t > (n - 1) + c does not hold for t = {threshold}, n = {n}, c = {corrupt}")]
    DoubleCollection {
        /// The group.
        group: usize,
        /// t.
        threshold: u16,
        /// n.
        n: u16,
        /// c.
        corrupt: u16,
    },
    /// A floor above the number of members, or of at most c.
    #[error("group {group}: floor {floor} is outside c + 1 = {min} ..= n = {n}")]
    Floor {
        /// The group.
        group: usize,
        /// F.
        floor: u16,
        /// c + 1.
        min: u16,
        /// n.
        n: u16,
    },
    /// The words of a group's sum could wrap.
    #[error(
        "n * (2^(b - 1) + noise) < 2^31 does not hold for n = {n}, b = {bits}, noise = {noise}: {product} >= 2147483648"
    )]
    WordOverflow {
        /// Members of the largest group.
        n: u16,
        /// Bits per coordinate.
        bits: u8,
        /// Bound of one client's noise.
        noise: u32,
        /// The left side.
        product: u64,
    },
    /// A quantiser that cannot be.
    #[error("quantiser: {what} = {got} is not allowed")]
    Quantizer {
        /// The parameter.
        what: &'static str,
        /// Its value.
        got: f64,
    },
    /// A vector without a coordinate besides the weight, or longer than the wire carries.
    #[error("dimension {got} is outside 2 ..= {max}")]
    Dimension {
        /// The dimension.
        got: u64,
        /// The largest.
        max: u64,
    },
    /// An array of a model whose bytes are not the product of its dims, or whose shape does not fit.
    #[error("array {name}: {got} bytes or entries, expected {expected}")]
    Array {
        /// The array's name.
        name: String,
        /// What its shape asks for, or the most that fits.
        expected: u64,
        /// What was passed.
        got: u64,
    },
    /// DP parameters that say nothing or something impossible.
    #[error("differential privacy: {what} = {got} is not allowed")]
    Dp {
        /// The parameter.
        what: &'static str,
        /// Its value.
        got: f64,
    },
}
