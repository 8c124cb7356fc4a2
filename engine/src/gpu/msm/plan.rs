//! How a multi-scalar multiplication is cut up: pure arithmetic on sizes, so that every edge is tested without a device.
//!
//! A **row** is one window of one vector's digits; it has `2^(c-1)` buckets. A **group** is the rows whose buckets are on
//! the device at one time. A **chunk** is the points whose entries are there at one time. A **slice** is the entries that
//! one invocation adds up.

use std::ops::Range;

use super::MsmTuning;
use crate::error::DeviceError;
use crate::gpu::GpuLimits;

/// Bytes of an affine point, of a projective one, of an entry.
pub(super) const POINT_BYTES: u64 = 64;
pub(super) const SUM_BYTES: u64 = 96;
pub(super) const ENTRY_BYTES: u64 = 8;
/// Sums of one slice of a merge: `k` make chains of `k` additions in `log_k` passes. Of the powers of two, 2 and 4 make their
/// product least, and 4 half as many passes.
pub(super) const SUMS_PER_SLICE: u64 = 4;
/// Values of one tile of a scan.
pub(super) const TILE: u64 = 1024;
/// Narrowest window: a row of one bucket would have no pass of its reduction.
const MIN_WINDOW_BITS: u32 = 2;
/// Widest window: 2^19 buckets a row.
const MAX_WINDOW_BITS: u32 = 20;
/// An entry's cost is one addition; a bucket's are 2.3 full ones, which cost 12 multiplications where an entry's costs 11.
const ADDITIONS_PER_BUCKET: f64 = 2.5;
/// Items of a group of the reduction, as a logarithm: chains of 3 additions for 2 bits. Of 1 bit it would be twice as many
/// passes, of 3 chains of 7.
const LOG_ITEMS: u32 = 2;
/// Lengths of a slice, the longest that fills the device first.
const SLICE_ENTRIES: [u64; 3] = [32, 16, 8];

/// The scalars of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalars {
    /// Below a modulus of 254 bits; zeros have no entry.
    Full,
    /// Words in two's complement, of so many bits; zeros have an entry like every other.
    Signed {
        /// 2 to 32.
        bits: u32,
    },
}

impl Scalars {
    /// Words of one scalar on the device.
    pub(super) const fn words(self) -> u64 {
        match self {
            Self::Full => 8,
            Self::Signed { .. } => 1,
        }
    }

    /// Windows of `c` bits that hold every scalar: one bit more than a full scalar has takes the last carry; the
    /// magnitude of a signed one, at most `2^(bits-1)`, leaves none.
    const fn n_windows(self, c: u32) -> u32 {
        match self {
            Self::Full => 255u32.div_ceil(c),
            Self::Signed { bits } => bits.div_ceil(c),
        }
    }

    /// Whether zero digits have entries too, in a bucket that is thrown away.
    pub(super) const fn keeps_zeros(self) -> bool {
        matches!(self, Self::Signed { .. })
    }
}

/// Rows whose buckets are on the device at one time: some vectors with all their windows, or some windows of one vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) vectors: Range<usize>,
    pub(super) windows: Range<u32>,
}

impl Group {
    pub(super) fn n_rows(&self) -> u64 {
        self.vectors.len() as u64 * self.windows.len() as u64
    }
}

/// One pass of the reduction: of every group of `2^log_items` items of `n_arrays` arrays their sum, and of array 0 the sums
/// for each bit of an item's place in its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reduction {
    pub(super) log_items: u32,
    /// Arrays that come in.
    pub(super) n_arrays: u64,
    /// Groups of an array.
    pub(super) n_groups: u64,
}

impl Reduction {
    /// Sums that it makes.
    pub(super) fn n_sums(&self) -> u64 {
        (self.n_arrays + u64::from(self.log_items)) * self.n_groups
    }
}

/// A call, cut up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) scalars: Scalars,
    /// Bits `c` of a window.
    pub(super) window_bits: u32,
    pub(super) n_windows: u32,
    pub(super) groups: Vec<Group>,
    /// Most points of a chunk.
    pub(super) chunk_points: usize,
    /// Most points of a segment: one buffer of resident points.
    pub(super) segment_points: usize,
    pub(super) entries_per_slice: u64,
}

/// Points of one buffer: whole words of the bitmap of identities.
pub(super) fn segment_points(limits: &GpuLimits) -> usize {
    ((limits.binding_bytes / POINT_BYTES) & !31) as usize
}

impl Plan {
    /// Cuts up `n_vectors` vectors of `n_points` scalars.
    ///
    /// # Errors
    /// [`DeviceError::LimitTooSmall`] when a binding does not hold the buckets of one row.
    pub(super) fn new(
        limits: &GpuLimits,
        scalars: Scalars,
        n_points: usize,
        n_vectors: usize,
        tuning: MsmTuning,
    ) -> Result<Self, DeviceError> {
        let binding = limits.binding_bytes;
        let max_keys = binding / SUM_BYTES - u64::from(scalars.keeps_zeros());
        let fits = |c: &u32| 1 << (c - 1) <= max_keys;
        let window_bits = tuning
            .window_bits
            .map(|c| c.clamp(MIN_WINDOW_BITS, MAX_WINDOW_BITS))
            .or_else(|| choose_window(scalars, n_points, fits));
        let window_bits = window_bits.filter(fits).ok_or_else(|| DeviceError::LimitTooSmall {
            what: "storage binding, bytes",
            needed: ((1 << (window_bits.unwrap_or(MIN_WINDOW_BITS) - 1)) + 1) * SUM_BYTES,
            got: binding,
        })?;
        let n_windows = scalars.n_windows(window_bits);
        let row_keys = 1u64 << (window_bits - 1);

        let n_entries = n_points as u64 * u64::from(n_windows) * n_vectors as u64;
        // An addition takes so many registers that a quarter as many invocations fill a device.
        let fills =
            |entries: &u64| n_entries / entries >= u64::from(limits.busy_invocations.unwrap_or(u32::MAX) / 4);
        let entries_per_slice = match tuning.entries_per_slice {
            Some(entries) => u64::from(entries.max(1)),
            None => SLICE_ENTRIES.into_iter().find(fills).unwrap_or(SLICE_ENTRIES[SLICE_ENTRIES.len() - 1]),
        };
        let chunk_entries = limits
            .entries_per_chunk
            .min(binding / ENTRY_BYTES)
            .min(binding / SUM_BYTES * entries_per_slice)
            // Points are numbered in 31 bits.
            .min(1 << 31);
        // A chunk of fewer points than this is not worth a pass over the buckets.
        let min_points = (n_points as u64).clamp(1, 32);
        let max_rows = (max_keys / row_keys)
            .min(chunk_entries / min_points)
            .min(binding / (4 * scalars.words() * min_points) * u64::from(n_windows))
            .max(1);
        let groups = groups(n_vectors, n_windows, max_rows, limits.groups_per_dimension);
        let widest = groups.iter().map(Group::n_rows).max().unwrap_or(1);
        let vectors = groups.iter().map(|group| group.vectors.len() as u64).max().unwrap_or(1);
        let chunk_points = (chunk_entries / widest)
            .min(binding / (4 * scalars.words() * vectors))
            .min(segment_points(limits) as u64)
            .min(n_points as u64)
            .max(1) as usize;
        let segment_points = segment_points(limits);
        Ok(Self { scalars, window_bits, n_windows, groups, chunk_points, segment_points, entries_per_slice })
    }

    /// Buckets of a row.
    pub(super) const fn row_keys(&self) -> u64 {
        1 << (self.window_bits - 1)
    }

    /// Keys of a group: its buckets, and one for zeros.
    pub(super) fn n_keys(&self, group: &Group) -> u64 {
        group.n_rows() * self.row_keys() + u64::from(self.scalars.keeps_zeros())
    }

    /// The chunks: segment, and the points within it.
    pub(super) fn chunks(&self, n_points: usize) -> Vec<(usize, Range<usize>)> {
        let mut chunks = Vec::new();
        for (segment, first) in (0..n_points).step_by(self.segment_points).enumerate() {
            let n = self.segment_points.min(n_points - first);
            chunks.extend(
                (0..n).step_by(self.chunk_points).map(|at| (segment, at..n.min(at + self.chunk_points))),
            );
        }
        chunks
    }

    /// The passes of the reduction of `n_rows` rows: `c` arrays of one item a row are left.
    pub(super) fn reductions(&self, n_rows: u64) -> Vec<Reduction> {
        let (mut passes, mut items, mut n_arrays) = (Vec::new(), self.row_keys(), 1);
        while items > 1 {
            let log_items = LOG_ITEMS.min(items.ilog2());
            items >>= log_items;
            passes.push(Reduction { log_items, n_arrays, n_groups: items * n_rows });
            n_arrays += u64::from(log_items);
        }
        passes
    }
}

/// The window that costs the fewest additions, among those whose buckets fit.
fn choose_window(scalars: Scalars, n_points: usize, fits: impl Fn(&u32) -> bool) -> Option<u32> {
    let cost = |c: &u32| {
        let buckets = f64::from(1u32 << (c - 1));
        f64::from(scalars.n_windows(*c)) * (n_points as f64 + ADDITIONS_PER_BUCKET * buckets)
    };
    (MIN_WINDOW_BITS..=MAX_WINDOW_BITS).filter(fits).min_by(|a, b| cost(a).total_cmp(&cost(b)))
}

fn groups(n_vectors: usize, n_windows: u32, max_rows: u64, max_vectors: u32) -> Vec<Group> {
    let vectors_per_group = (max_rows / u64::from(n_windows)).min(u64::from(max_vectors)) as usize;
    if vectors_per_group > 0 {
        let ranges = (0..n_vectors).step_by(vectors_per_group);
        return ranges
            .map(|first| Group {
                vectors: first..n_vectors.min(first + vectors_per_group),
                windows: 0..n_windows,
            })
            .collect();
    }
    // Equal parts, so that no group is nearly empty.
    let n_parts = u64::from(n_windows).div_ceil(max_rows) as u32;
    let windows_per_group = n_windows.div_ceil(n_parts);
    (0..n_vectors)
        .flat_map(|vector| {
            (0..n_windows).step_by(windows_per_group as usize).map(move |first| Group {
                vectors: vector..vector + 1,
                windows: first..n_windows.min(first + windows_per_group),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(binding_bytes: u64) -> GpuLimits {
        GpuLimits {
            binding_bytes,
            groups_per_dimension: 65_535,
            busy_invocations: Some(1 << 18),
            ..GpuLimits::default()
        }
    }

    const SIZES: [usize; 12] = [1, 2, 31, 32, 33, 63, 64, 65, 1000, 1 << 14, (1 << 20) + 1, 1 << 24];
    const KINDS: [Scalars; 6] = [
        Scalars::Full,
        Scalars::Signed { bits: 2 },
        Scalars::Signed { bits: 8 },
        Scalars::Signed { bits: 16 },
        Scalars::Signed { bits: 24 },
        Scalars::Signed { bits: 32 },
    ];

    /// Under every limit, every buffer fits its binding, and every row and point is in exactly one place.
    #[test]
    fn everything_fits_and_is_covered_once() {
        for binding in [4096, 1 << 16, 1 << 20, 128 << 20, (1 << 31) - 1] {
            let limits = limits(binding);
            for scalars in KINDS {
                for n_points in SIZES {
                    for n_vectors in [1, 2, 33] {
                        let plan = Plan::new(&limits, scalars, n_points, n_vectors, MsmTuning::default())
                            .expect("fits");
                        check(&plan, binding, n_points, n_vectors);
                    }
                }
            }
        }
    }

    fn check(plan: &Plan, binding: u64, n_points: usize, n_vectors: usize) {
        assert!(plan.window_bits * plan.n_windows >= if plan.scalars == Scalars::Full { 255 } else { 2 });
        let mut rows = vec![0u32; n_vectors * plan.n_windows as usize];
        for group in &plan.groups {
            let (vectors, n_rows) = (group.vectors.len() as u64, group.n_rows());
            assert!(plan.n_keys(group) * SUM_BYTES <= binding, "buckets of {plan:?}");
            let n_entries = plan.chunk_points as u64 * n_rows;
            assert!(n_entries * ENTRY_BYTES <= binding, "entries of {plan:?}");
            assert!(n_entries.div_ceil(plan.entries_per_slice) * SUM_BYTES <= binding, "heads of {plan:?}");
            assert!(
                plan.chunk_points as u64 * vectors * plan.scalars.words() * 4 <= binding,
                "scalars of {plan:?}"
            );
            for vector in group.vectors.clone() {
                for window in group.windows.clone() {
                    rows[vector * plan.n_windows as usize + window as usize] += 1;
                }
            }
            let passes = plan.reductions(n_rows);
            let (mut before, mut n_arrays) = (plan.row_keys() * n_rows, 1);
            for pass in &passes {
                assert_eq!((pass.n_arrays, pass.n_groups << pass.log_items), (n_arrays, before));
                assert!(pass.n_sums() * SUM_BYTES <= binding, "sums of {plan:?}");
                (before, n_arrays) = (pass.n_groups, n_arrays + u64::from(pass.log_items));
            }
            assert_eq!((before, n_arrays), (n_rows, plan.window_bits.into()));
        }
        assert!(rows.iter().all(|times| *times == 1));
        let mut at = 0;
        for (segment, points) in plan.chunks(n_points) {
            assert!(points.end <= plan.segment_points && points.len() <= plan.chunk_points);
            assert_eq!(segment * plan.segment_points + points.start, at);
            at += points.len();
        }
        assert_eq!(at, n_points);
    }

    #[test]
    fn windows_of_the_usual_sizes() {
        let window = |scalars, log_n: u32| {
            Plan::new(&limits((1 << 31) - 1), scalars, 1 << log_n, 1, MsmTuning::default())
                .expect("fits")
                .window_bits
        };
        assert_eq!([16, 20, 24].map(|log_n| window(Scalars::Full, log_n)), [13, 16, 20]);
        assert_eq!([16, 20].map(|log_n| window(Scalars::Signed { bits: 16 }, log_n)), [8, 16]);
        assert_eq!([12, 16].map(|log_n| window(Scalars::Signed { bits: 8 }, log_n)), [8, 8]);
    }

    #[test]
    fn a_row_that_does_not_fit_is_refused() {
        let refused = Plan::new(
            &limits(4096),
            Scalars::Full,
            10,
            1,
            MsmTuning { window_bits: Some(16), ..MsmTuning::default() },
        );
        assert!(
            matches!(refused, Err(DeviceError::LimitTooSmall { needed, got: 4096, .. }) if needed > 96 << 15)
        );
    }
}
