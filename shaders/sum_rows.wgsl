// Add rows of words, four words an invocation.
// sum[q] += sum_i rows[i n_quads + q]  (mod 2^32), for quads q of four words.
//
// Twin: engine/src/cpu/sum_rows.rs
// In: rows[n_rows][n_quads] (row-major; the last quad of a row is padded).   Out: sum[n_quads], added to.
// Memory bound: each word is read once, and the sum is read and written once a batch of rows.

struct SumRowsParams {
    n_rows: u32,
    n_quads: u32,
    // Workgroups along x.
    groups_per_row: u32,
    reserved: u32,
}

@group(0) @binding(0) var<uniform> params: SumRowsParams;
@group(0) @binding(1) var<storage, read> rows: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> sum: array<vec4<u32>>;

@compute @workgroup_size(64)
fn sum_rows(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let quad = (group.y * params.groups_per_row + group.x) * 64u + lane;
    if quad >= params.n_quads {
        return;
    }
    var total = sum[quad];
    var at = quad;
    for (var i = 0u; i < params.n_rows; i++) {
        total += rows[at];
        at += params.n_quads;
    }
    sum[quad] = total;
}
