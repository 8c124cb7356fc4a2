// Addition by itself: out_i = sum of points[(i + k) mod n], k = 0 .. rounds - 1; for tests and for its throughput.
// In: points[n] (affine, none the identity).   Out: out[n].
// import: curve

struct ProbePointParams {
    n: u32,
    // Workgroups along x.
    groups_per_row: u32,
    rounds: u32,
    reserved: u32,
}

@group(0) @binding(0) var<uniform> params: ProbePointParams;
@group(0) @binding(1) var<storage, read> points: array<AffineWords>;
@group(0) @binding(2) var<storage, read_write> out: array<PointWords>;

@compute @workgroup_size(64)
fn probe_point(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = (group.y * params.groups_per_row + group.x) * 64u + lane;
    if i >= params.n {
        return;
    }
    var sum = point_identity();
    var at = i;
    for (var round = 0u; round < params.rounds; round++) {
        let words = points[at];
        sum = point_add_affine(sum, Affine(field_load(words.x), field_load(words.y)));
        at += 1u;
        if at == params.n {
            at = 0u;
        }
    }
    out[i] = point_store(sum);
}
