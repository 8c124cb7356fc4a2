// The field by itself: out_i = a_i (op) b_i, `rounds` times over; for tests and for the throughput of a multiplication.
// In: a[n], b[n] (eight words, in the variant's form unless the operation converts).   Out: out[n] (canonical).
// import: field

struct ProbeFieldParams {
    n: u32,
    // Workgroups along x.
    groups_per_row: u32,
    // 0 multiply, 1 add, 2 subtract, 3 negate, 4 from the host's form, 5 the integer of the host's form.
    operation: u32,
    rounds: u32,
}

@group(0) @binding(0) var<uniform> params: ProbeFieldParams;
@group(0) @binding(1) var<storage, read> a: array<Words>;
@group(0) @binding(2) var<storage, read> b: array<Words>;
@group(0) @binding(3) var<storage, read_write> out: array<Words>;

@compute @workgroup_size(64)
fn probe_field(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = (group.y * params.groups_per_row + group.x) * 64u + lane;
    if i >= params.n {
        return;
    }
    var x = field_load(a[i]);
    let y = field_load(b[i]);
    switch params.operation {
        case 0u: {
            for (var round = 0u; round < params.rounds; round++) {
                x = field_mul(x, y);
            }
        }
        case 1u: {
            for (var round = 0u; round < params.rounds; round++) {
                x = field_add(x, y);
            }
        }
        case 2u: {
            for (var round = 0u; round < params.rounds; round++) {
                x = field_sub(x, y);
            }
        }
        case 3u: {
            x = field_neg(x);
        }
        case 4u: {
            x = field_from_host(x);
        }
        default: {
            x = field_integer_from_host(x);
        }
    }
    out[i] = field_store(x);
}
