// MSM, stage 0: full scalars from the host's Montgomery form to the integers they stand for, in place.
//
// Source: Montgomery 1985.   Twin: engine/src/cpu/msm.rs
// In and out: scalars[n] (eight words). `field` is the curve's scalar field here.
// Secret: scalars, when proving. No branch and no address depends on them.
// import: field

struct MsmScalarsParams {
    // Scalars begin .. end are this dispatch's.
    begin: u32,
    end: u32,
    // Workgroups along x.
    groups_per_row: u32,
    reserved: u32,
}

@group(0) @binding(0) var<uniform> params: MsmScalarsParams;
@group(0) @binding(1) var<storage, read_write> scalars: array<Words>;

@compute @workgroup_size(64)
fn msm_scalars(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = params.begin + (group.y * params.groups_per_row + group.x) * 64u + lane;
    if i >= params.end {
        return;
    }
    scalars[i] = field_store(field_integer_from_host(field_load(scalars[i])));
}
