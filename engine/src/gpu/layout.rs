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
