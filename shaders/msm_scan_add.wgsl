// MSM, stage 2: add the scanned totals of the tiles before it to every tile's prefix sums.
//
// Source: Blelloch 1990.   Twin: engine/src/cpu/msm.rs
// In: totals[tiles] (u32, scanned).   In and out: values[n] (u32).
// An invocation is four words of one tile.

struct MsmScanAddParams {
    n_values: u32,
    // First tile of this dispatch.
    first_tile: u32,
    // Workgroups along x.
    groups_per_row: u32,
    reserved: u32,
}

@group(0) @binding(0) var<uniform> params: MsmScanAddParams;
@group(0) @binding(1) var<storage, read> totals: array<u32>;
@group(0) @binding(2) var<storage, read_write> values: array<u32>;

@compute @workgroup_size(256)
fn msm_scan_add(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let tile = params.first_tile + group.y * params.groups_per_row + group.x;
    if tile * 1024u >= params.n_values {
        return;
    }
    let total = totals[tile];
    let begin = tile * 1024u + lane * 4u;
    let end = min(begin + 4u, params.n_values);
    for (var at = begin; at < end; at++) {
        values[at] += total;
    }
}
