// The pointwise step of a quotient: c_i = (a_i b_i * product_scale - c_i) * scale.
//
// Source: Groth 2016 (eprint 2016/260), section 3.   Twin: engine/src/cpu/ntt.rs
// In: a[n], b[n].   In and out: c[n]. Elements are in the host's form; product_scale takes out what a product of two such
// has too much, and both take out what transforms without a scale have.
// Secret: a, b, c, when proving. No branch and no address depends on them.
// import: field

struct NttQuotientParams {
    // Elements begin .. end are this dispatch's.
    begin: u32,
    end: u32,
    // Workgroups along x.
    groups_per_row: u32,
    reserved: u32,
    product_scale_low: vec4<u32>,
    product_scale_high: vec4<u32>,
    scale_low: vec4<u32>,
    scale_high: vec4<u32>,
}

@group(0) @binding(0) var<uniform> params: NttQuotientParams;
@group(0) @binding(1) var<storage, read> a: array<Words>;
@group(0) @binding(2) var<storage, read> b: array<Words>;
@group(0) @binding(3) var<storage, read_write> c: array<Words>;

@compute @workgroup_size(64)
fn ntt_quotient(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = params.begin + (group.y * params.groups_per_row + group.x) * 64u + lane;
    if i >= params.end {
        return;
    }
    let product_scale = field_load(Words(params.product_scale_low, params.product_scale_high));
    let product = field_mul(field_mul(field_load(a[i]), field_load(b[i])), product_scale);
    let scale = field_load(Words(params.scale_low, params.scale_high));
    c[i] = field_store(field_mul(field_sub(product, field_load(c[i])), scale));
}
