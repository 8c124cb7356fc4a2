// MSM, stage 5: add the heads of runs that crossed slices into their buckets, by slices of heads; again on what is left
// over, until one slice holds all.
//
// Source: as msm_accumulate.wgsl, on sums instead of points.   Twin: engine/src/cpu/msm.rs
// In: keys[n], sums[n] (keys ascending; NO_KEY where there is none).   In and out: buckets[n_keys].
// Out: head_keys[slices], head_sums[slices], as in msm_accumulate.wgsl.
// Secret: keys and sums; see SECURITY.md.
// import: curve

struct MsmMergeParams {
    first_slice: u32,
    n_slices: u32,
    // Workgroups along x.
    groups_per_row: u32,
    sums_per_slice: u32,
    n_sums: u32,
    reserved0: u32,
    reserved1: u32,
    reserved2: u32,
}

const NO_KEY: u32 = 0xffffffffu;

@group(0) @binding(0) var<uniform> params: MsmMergeParams;
@group(0) @binding(1) var<storage, read> keys: array<u32>;
@group(0) @binding(2) var<storage, read> sums: array<PointWords>;
@group(0) @binding(3) var<storage, read_write> buckets: array<PointWords>;
@group(0) @binding(4) var<storage, read_write> head_keys: array<u32>;
@group(0) @binding(5) var<storage, read_write> head_sums: array<PointWords>;

@compute @workgroup_size(64)
fn msm_merge(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let index = (group.y * params.groups_per_row + group.x) * 64u + lane;
    if index >= params.n_slices {
        return;
    }
    let slice = params.first_slice + index;
    let begin = slice * params.sums_per_slice;
    let end = min(begin + params.sums_per_slice, params.n_sums);
    // The run that is being added up; NO_KEY before the first.
    var key = NO_KEY;
    var is_head = false;
    var head_key = NO_KEY;
    var sum = point_identity();
    for (var i = begin; i < end; i++) {
        let next = keys[i];
        if next == NO_KEY {
            continue;
        }
        if next != key {
            if is_head {
                head_sums[slice] = point_store(sum);
            } else if key != NO_KEY {
                buckets[key] = point_store(sum);
            }
            // Heads of one run lie side by side, so a run that goes on does so from the slice's first place.
            is_head = i == begin && begin > 0u && keys[max(begin, 1u) - 1u] == next;
            key = next;
            if is_head {
                head_key = key;
                sum = point_identity();
            } else {
                sum = point_load(buckets[key]);
            }
        }
        sum = point_add(sum, point_load(sums[i]));
    }
    if is_head {
        head_sums[slice] = point_store(sum);
    } else if key != NO_KEY {
        buckets[key] = point_store(sum);
    }
    head_keys[slice] = head_key;
}
