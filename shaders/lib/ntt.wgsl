// A pass of a transform: `k` of its stages in workgroup memory. A tile is columns of 2^k rows; the rows of a column are a
// small transform, whose members lie `stride` apart in memory. Elements stay in the host's form: a transform is linear.
//
// Source: Bailey 1990, "FFTs in external or hierarchical memory" (a transform as rows, factors, columns).
// import: field

struct NttParams {
    // Tiles of this dispatch.
    first_tile: u32,
    n_tiles: u32,
    // Workgroups along x.
    groups_per_row: u32,
    // Rows of a column, columns of a tile, and the distance of rows in memory, as logarithms.
    log_rows: u32,
    log_columns: u32,
    log_stride: u32,
    // Place of a row's lowest bit in a tile: columns lie side by side where they do in memory.
    row_shift: u32,
    // 1 on the odd coset.
    coset: u32,
    // What an inverse transform's last pass multiplies by; not read where is_scaled is 0.
    scale_low: vec4<u32>,
    scale_high: vec4<u32>,
    is_scaled: u32,
    reserved0: u32,
    reserved1: u32,
    reserved2: u32,
}

// Elements of a tile at most, as a logarithm: 16 KiB.
const LOG_TILE: u32 = 9u;
// Roots of unity, of a forward transform or inverted: w^j for j below 256, w of order 2^9; then v^j and v^(2^13 j) for j
// below 2^13, v of order 2^26.
const LOG_ORDER: u32 = 26u;
const HALF_BITS: u32 = 13u;
const LOW_ROOTS: u32 = 256u;
const HIGH_ROOTS: u32 = 8448u;

@group(0) @binding(0) var<uniform> params: NttParams;
@group(0) @binding(1) var<storage, read> roots: array<Words>;
@group(0) @binding(2) var<storage, read_write> values: array<Words>;

// Not canonical.
var<workgroup> tile: array<Words, 512>;

// Where element `at` of a tile belongs.
struct Place { index: u32, row: u32, column: u32 }

fn place(tile_index: u32, at: u32) -> Place {
    let row = (at >> params.row_shift) & ((1u << params.log_rows) - 1u);
    let low = at & ((1u << params.row_shift) - 1u);
    let high = at >> (params.row_shift + params.log_rows);
    let column = (tile_index << params.log_columns) + (high << params.row_shift) + low;
    let within = column & ((1u << params.log_stride) - 1u);
    let block = column >> params.log_stride;
    let index = (((block << params.log_rows) + row) << params.log_stride) + within;
    return Place(index, row, within);
}

fn tile_len() -> u32 {
    return 1u << (params.log_rows + params.log_columns);
}

// The lower element of pair `pair` of the stage whose pairs are 2^log_half rows apart.
fn pair_place(pair: u32, log_half: u32) -> u32 {
    let bit = log_half + params.row_shift;
    return ((pair >> bit) << (bit + 1u)) | (pair & ((1u << bit) - 1u));
}

// w_(2 half)^j for the pair's place j in its transform.
fn stage_root(at: u32, log_half: u32) -> Field {
    let j = (at >> params.row_shift) & ((1u << log_half) - 1u);
    return field_load(roots[j << (LOG_TILE - 1u - log_half)]);
}

// Whether this pass joins columns, or shifts to the coset; else every factor is 1.
fn has_factor() -> bool {
    return params.log_stride > 0u || params.coset == 1u;
}

// w_(2m)^((2 column + coset) f) for the place whose row, read backwards, is f; m elements are a block of this pass.
fn factor(p: Place) -> Field {
    let f = reverseBits(p.row) >> (32u - params.log_rows);
    let exponent = ((2u * p.column + params.coset) * f) << (LOG_ORDER - 1u - params.log_stride - params.log_rows);
    let low = field_load(roots[LOW_ROOTS + (exponent & ((1u << HALF_BITS) - 1u))]);
    return field_mul(low, field_load(roots[HIGH_ROOTS + (exponent >> HALF_BITS)]));
}
