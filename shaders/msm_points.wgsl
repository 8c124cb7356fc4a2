// MSM, once per upload: coordinates from the host's Montgomery form (R = 2^256) to this variant's, in place.
// (0, 0), the identity, stays as it is.
//
// Source: Montgomery 1985.   Twin: engine/src/cpu/msm.rs
// In and out: coordinates[n] (eight words, canonical).
// Not secret.
// import: field

struct MsmPointsParams {
    // Coordinates begin .. end are this dispatch's.
    begin: u32,
    end: u32,
    // Workgroups along x.
    groups_per_row: u32,
    reserved: u32,
}

@group(0) @binding(0) var<uniform> params: MsmPointsParams;
@group(0) @binding(1) var<storage, read_write> coordinates: array<Words>;

@compute @workgroup_size(64)
fn msm_points(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = params.begin + (group.y * params.groups_per_row + group.x) * 64u + lane;
    if i >= params.end {
        return;
    }
    coordinates[i] = field_store(field_from_host(field_load(coordinates[i])));
}
