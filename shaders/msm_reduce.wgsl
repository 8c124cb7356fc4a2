// MSM, stage 6: sum_m m B_m over the buckets of every row, by groups; again on the groups' results.
// Of a group of items (S_i, T_i), i = 0 .. len - 1, it makes (sum S_i, sum T_i + 2^k sum i S_i), where 2^k is how many
// buckets an item stands for. On the first pass S_i is bucket i, of magnitude i + 1, and T_i = S_i.
//
// Source: Bernstein, Doumen, Lange, Oosterwijk 2012, section 4 (running sums), in two levels and more.
// Twin: engine/src/cpu/msm.rs
// In: sums[n]; totals[n], not read on the first pass.   Out: sums_out[groups], totals_out[groups]. Rows are powers of two, so no group spans two.
// One addition is written, in a loop of steps that choose its operands: a driver compiles each that it sees.
// Secret: sums and totals. No branch and no address depends on them.
// import: curve

struct MsmReduceParams {
    first_group: u32,
    n_groups: u32,
    // Workgroups along x.
    groups_per_row: u32,
    items_per_group: u32,
    // k.
    log_weight: u32,
    // 1 on the pass over the buckets.
    is_first: u32,
    reserved0: u32,
    reserved1: u32,
}

@group(0) @binding(0) var<uniform> params: MsmReduceParams;
@group(0) @binding(1) var<storage, read> sums: array<PointWords>;
@group(0) @binding(2) var<storage, read> totals: array<PointWords>;
@group(0) @binding(3) var<storage, read_write> sums_out: array<PointWords>;
@group(0) @binding(4) var<storage, read_write> totals_out: array<PointWords>;

@compute @workgroup_size(64)
fn msm_reduce(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let index = (group.y * params.groups_per_row + group.x) * 64u + lane;
    if index >= params.n_groups {
        return;
    }
    let out = params.first_group + index;
    let n = params.items_per_group;
    let begin = out * n;
    // From the last item down, two steps each: the running sum takes the item, the weighted sum takes the running sum; not
    // after item 0, whose weight is 0, except on the first pass. Then k doublings, then additions of the totals.
    let end_weigh = 2u * n - 1u + params.is_first;
    let end_double = end_weigh + params.log_weight;
    let end = end_double + select(n, 0u, params.is_first == 1u);
    var running = point_identity();
    var weighted = point_identity();
    for (var step = 0u; step < end; step++) {
        let takes_item = step < end_weigh && (step & 1u) == 0u;
        var left = weighted;
        var right = running;
        if takes_item {
            left = running;
            right = point_load(sums[begin + n - 1u - (step >> 1u)]);
        } else if step >= end_double {
            right = point_load(totals[begin + step - end_double]);
        } else if step >= end_weigh {
            right = weighted;
        }
        let sum = point_add(left, right);
        if takes_item {
            running = sum;
        } else {
            weighted = sum;
        }
    }
    sums_out[out] = point_store(running);
    totals_out[out] = point_store(weighted);
}
