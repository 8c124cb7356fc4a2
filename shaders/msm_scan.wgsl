// MSM, stage 2: exclusive prefix sums inside tiles of 1024 words, and every tile's total.
//
// Source: Hillis, Steele 1986 (across a workgroup); Blelloch 1990 (tiles).   Twin: engine/src/cpu/msm.rs
// In and out: values[n] (u32).   Out: totals[tiles] (u32), which are scanned in turn; msm_scan_add brings them back.
// A workgroup is a tile, an invocation four words of it. No subgroup operations: their width differs between devices.

struct MsmScanParams {
    n_values: u32,
    // First tile of this dispatch.
    first_tile: u32,
    // Workgroups along x.
    groups_per_row: u32,
    reserved: u32,
}

@group(0) @binding(0) var<uniform> params: MsmScanParams;
@group(0) @binding(1) var<storage, read_write> values: array<u32>;
@group(0) @binding(2) var<storage, read_write> totals: array<u32>;

var<workgroup> sums: array<u32, 256>;

fn value(at: u32) -> u32 {
    // An address of its own where there is no value: a driver may load on both sides of a branch.
    let inside = at < params.n_values;
    return select(0u, values[select(0u, at, inside)], inside);
}

@compute @workgroup_size(256)
fn msm_scan(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let tile = params.first_tile + group.y * params.groups_per_row + group.x;
    let at = tile * 1024u + lane * 4u;
    let v0 = value(at);
    let v1 = value(at + 1u);
    let v2 = value(at + 2u);
    let v3 = value(at + 3u);
    let own = v0 + v1 + v2 + v3;
    sums[lane] = own;
    workgroupBarrier();
    for (var distance = 1u; distance < 256u; distance <<= 1u) {
        var before = 0u;
        if lane >= distance {
            before = sums[lane - distance];
        }
        workgroupBarrier();
        sums[lane] += before;
        workgroupBarrier();
    }
    if at < params.n_values {
        let prefix = sums[lane] - own;
        values[at] = prefix;
        if at + 1u < params.n_values {
            values[at + 1u] = prefix + v0;
        }
        if at + 2u < params.n_values {
            values[at + 2u] = prefix + v0 + v1;
        }
        if at + 3u < params.n_values {
            values[at + 3u] = prefix + v0 + v1 + v2;
        }
    }
    if lane == 255u && tile * 1024u < params.n_values {
        totals[tile] = sums[255];
    }
}
