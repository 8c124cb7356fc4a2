//! The structs that Rust and WGSL share, byte for byte. `tests/layout.rs` compares them with the shaders' own.

use bytemuck::{Pod, Zeroable};

/// `MaskExpandParams` of `shaders/mask_expand.wgsl`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct MaskExpandParams {
    /// Low half of the block counter of the stream at the chunk's start.
    pub counter_low: u32,
    /// High half of it.
    pub counter_high: u32,
    /// Blocks of the chunk.
    pub n_blocks: u32,
    /// Workgroups along x.
    pub groups_per_row: u32,
    /// First key of the dispatch.
    pub first_key: u32,
    /// One past its last key.
    pub end_key: u32,
    /// Keys that one invocation sums.
    pub keys_per_slice: u32,
    /// 0 to add, `0xffff_ffff` to subtract.
    pub sign: u32,
}

/// `Key` of `shaders/mask_expand.wgsl`. Secret.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Key {
    /// State words 4 to 7.
    pub low: [u32; 4],
    /// State words 8 to 11.
    pub high: [u32; 4],
}

/// `SumRowsParams` of `shaders/sum_rows.wgsl`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct SumRowsParams {
    /// Rows of the batch.
    pub n_rows: u32,
    /// Quads of four words in a row.
    pub n_quads: u32,
    /// Workgroups along x.
    pub groups_per_row: u32,
    /// Zero.
    pub reserved: u32,
}

/// `MsmPointsParams` of `shaders/msm_points.wgsl`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct MsmPointsParams {
    /// First coordinate of the dispatch.
    pub begin: u32,
    /// One past its last.
    pub end: u32,
    /// Workgroups along x.
    pub groups_per_row: u32,
    /// Zero.
    pub reserved: u32,
}

/// `MsmScalarsParams` of `shaders/msm_scalars.wgsl`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct MsmScalarsParams {
    /// First scalar of the dispatch.
    pub begin: u32,
    /// One past its last.
    pub end: u32,
    /// Workgroups along x.
    pub groups_per_row: u32,
    /// Zero.
    pub reserved: u32,
}

/// `MsmDigitParams` of `shaders/lib/digits.wgsl`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct MsmDigitParams {
    /// Points of the chunk.
    pub n_points: u32,
    /// The chunk's first point within its segment.
    pub first_point: u32,
    /// First point of the dispatch within the chunk.
    pub begin: u32,
    /// One past its last.
    pub end: u32,
    /// Workgroups along x.
    pub groups_per_row: u32,
    /// 1, signed, or 8, unsigned.
    pub words_per_scalar: u32,
    /// Bits of a window.
    pub window_bits: u32,
    /// First window of the group.
    pub first_window: u32,
    /// One past its last.
    pub end_window: u32,
    /// Key of zero digits, or `0xffff_ffff`.
    pub zero_key: u32,
    /// Zero.
    pub reserved0: u32,
    /// Zero.
    pub reserved1: u32,
}

/// `MsmScanParams` of `shaders/msm_scan.wgsl`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct MsmScanParams {
    /// Values in all.
    pub n_values: u32,
    /// First tile of the dispatch.
    pub first_tile: u32,
    /// Workgroups along x.
    pub groups_per_row: u32,
    /// Zero.
    pub reserved: u32,
}

/// `MsmScanAddParams` of `shaders/msm_scan_add.wgsl`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct MsmScanAddParams {
    /// Values in all.
    pub n_values: u32,
    /// First tile of the dispatch.
    pub first_tile: u32,
    /// Workgroups along x.
    pub groups_per_row: u32,
    /// Zero.
    pub reserved: u32,
}

/// `MsmAccumulateParams` of `shaders/msm_accumulate.wgsl`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct MsmAccumulateParams {
    /// First slice of the dispatch.
    pub first_slice: u32,
    /// Slices of the dispatch.
    pub n_slices: u32,
    /// Workgroups along x.
    pub groups_per_row: u32,
    /// Entries that one invocation adds up.
    pub entries_per_slice: u32,
    /// Keys in all.
    pub n_keys: u32,
    /// Zero.
    pub reserved0: u32,
    /// Zero.
    pub reserved1: u32,
    /// Zero.
    pub reserved2: u32,
}

/// `MsmMergeParams` of `shaders/msm_merge.wgsl`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct MsmMergeParams {
    /// First slice of the dispatch.
    pub first_slice: u32,
    /// Slices of the dispatch.
    pub n_slices: u32,
    /// Workgroups along x.
    pub groups_per_row: u32,
    /// Sums that one invocation adds up.
    pub sums_per_slice: u32,
    /// Sums in all.
    pub n_sums: u32,
    /// Zero.
    pub reserved0: u32,
    /// Zero.
    pub reserved1: u32,
    /// Zero.
    pub reserved2: u32,
}

/// `MsmReduceParams` of `shaders/msm_reduce.wgsl`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct MsmReduceParams {
    /// First sum of the dispatch.
    pub first_sum: u32,
    /// Sums of the dispatch.
    pub n_sums: u32,
    /// Workgroups along x.
    pub groups_per_row: u32,
    /// Items of a group.
    pub items_per_group: u32,
    /// Arrays that come in.
    pub n_arrays: u32,
    /// Groups of an array.
    pub n_groups: u32,
    /// Zero.
    pub reserved0: u32,
    /// Zero.
    pub reserved1: u32,
}

/// `NttParams` of `shaders/lib/ntt.wgsl`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct NttParams {
    /// First tile of the dispatch.
    pub first_tile: u32,
    /// Tiles of the dispatch.
    pub n_tiles: u32,
    /// Workgroups along x.
    pub groups_per_row: u32,
    /// Rows of a column, as a logarithm.
    pub log_rows: u32,
    /// Columns of a tile, as a logarithm.
    pub log_columns: u32,
    /// Distance of two rows, as a logarithm.
    pub log_stride: u32,
    /// Place of a row's lowest bit in a tile.
    pub row_shift: u32,
    /// 1 on the odd coset.
    pub coset: u32,
    /// Low half of what the last pass multiplies by.
    pub scale_low: [u32; 4],
    /// High half of it.
    pub scale_high: [u32; 4],
    /// 1 where this pass multiplies by it.
    pub is_scaled: u32,
    /// Zero.
    pub reserved0: u32,
    /// Zero.
    pub reserved1: u32,
    /// Zero.
    pub reserved2: u32,
}

/// `NttQuotientParams` of `shaders/ntt_quotient.wgsl`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct NttQuotientParams {
    /// First element of the dispatch.
    pub begin: u32,
    /// One past its last.
    pub end: u32,
    /// Workgroups along x.
    pub groups_per_row: u32,
    /// Zero.
    pub reserved: u32,
    /// Low half of what a product is multiplied by.
    pub product_scale_low: [u32; 4],
    /// High half of it.
    pub product_scale_high: [u32; 4],
    /// Low half of what the difference is multiplied by.
    pub scale_low: [u32; 4],
    /// High half of it.
    pub scale_high: [u32; 4],
}

/// `ProbeFieldParams` of `shaders/probes/probe_field.wgsl`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct ProbeFieldParams {
    /// Elements.
    pub n: u32,
    /// Workgroups along x.
    pub groups_per_row: u32,
    /// 0 multiply, 1 add, 2 subtract, 3 negate, 4 from the host's form, 5 the integer of the host's form.
    pub operation: u32,
    /// Times that the operation is applied.
    pub rounds: u32,
}

/// `ProbePointParams` of `shaders/probes/probe_point.wgsl`.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct ProbePointParams {
    /// Points.
    pub n: u32,
    /// Workgroups along x.
    pub groups_per_row: u32,
    /// Points that one invocation adds up.
    pub rounds: u32,
    /// Zero.
    pub reserved: u32,
}
