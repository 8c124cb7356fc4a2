// MSM, stage 6: sum_i (i + 1) B_i over the buckets i = 0 .. 2^(c-1) - 1 of every row, as sum B_i + sum_l 2^l W_l, where W_l adds up
// the buckets whose index has bit l. A pass halves what is left some times over: of each group of 2^a items it makes the sum, and
// of the plain sums also the a sums over the items whose place in the group has one bit. No doubling: those are the host's.
//
// Source: the binary digits of the weights of Bernstein, Doumen, Lange, Oosterwijk 2012, section 4.   Twin: engine/src/cpu/msm.rs
// In: items[arrays][groups][items per group]. Array 0 are the plain sums, on the first pass the buckets; array 1 + l are parts of W_l.
// Out: sums[arrays + a][groups], likewise. Rows are powers of two, so no group spans two.
// An invocation is one sum: a chain of at most 2^a - 1 additions, of which one is written, because a driver compiles each that it sees.
// Secret: items and sums. No branch and no address depends on them.
// import: curve

struct MsmReduceParams {
    // Sums of this dispatch.
    first_sum: u32,
    n_sums: u32,
    // Workgroups along x.
    groups_per_row: u32,
    items_per_group: u32,
    // Arrays that come in, and groups of each.
    n_arrays: u32,
    n_groups: u32,
    reserved0: u32,
    reserved1: u32,
}

@group(0) @binding(0) var<uniform> params: MsmReduceParams;
@group(0) @binding(1) var<storage, read> items: array<PointWords>;
@group(0) @binding(2) var<storage, read_write> sums: array<PointWords>;

@compute @workgroup_size(64)
fn msm_reduce(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let index = (group.y * params.groups_per_row + group.x) * 64u + lane;
    if index >= params.n_sums {
        return;
    }
    let out = params.first_sum + index;
    var source = out / params.n_groups;
    // The bit that places must have: none, but in the arrays that this pass begins.
    var bit = 0u;
    if source >= params.n_arrays {
        bit = 1u << (source - params.n_arrays);
        source = 0u;
    }
    let begin = (source * params.n_groups + out % params.n_groups) * params.items_per_group;
    var sum = point_load(items[begin + bit]);
    for (var place = bit + 1u; place < params.items_per_group; place++) {
        if (place & bit) == bit {
            sum = point_add(sum, point_load(items[begin + place]));
        }
    }
    sums[out] = point_store(sum);
}
