// MSM, stage 4: add every entry's point into its bucket. An invocation is a slice of the sorted entries, of a fixed
// length: its work is bounded whatever the scalars are, and a bucket of any size is shared by as many as it takes.
//
// Source: Bernstein, Doumen, Lange, Oosterwijk 2012, section 4.   Twin: engine/src/cpu/msm.rs
// In: points[n] (affine, none the identity where an entry names it), entries[total] (sorted by key),
// ends[n_keys] (the last is the total).
// In and out: buckets[n_keys]. A run of entries of one key is added to its bucket by the slice in which it begins.
// Out: of a slice in whose first entries an earlier run goes on, heads[slice]: that run's key and the sum of those entries.
// Secret: entries. Where sums go depends on them; see SECURITY.md.
// import: curve

struct MsmAccumulateParams {
    // Slices of this dispatch.
    first_slice: u32,
    n_slices: u32,
    // Workgroups along x.
    groups_per_row: u32,
    entries_per_slice: u32,
    n_keys: u32,
    reserved0: u32,
    reserved1: u32,
    reserved2: u32,
}

const NO_KEY: u32 = 0xffffffffu;

@group(0) @binding(0) var<uniform> params: MsmAccumulateParams;
@group(0) @binding(1) var<storage, read> points: array<AffineWords>;
@group(0) @binding(2) var<storage, read> entries: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read> ends: array<u32>;
@group(0) @binding(4) var<storage, read_write> buckets: array<PointWords>;
@group(0) @binding(5) var<storage, read_write> head_keys: array<u32>;
@group(0) @binding(6) var<storage, read_write> head_sums: array<PointWords>;

fn entry_point(entry: u32) -> Affine {
    let words = points[entry & 0x7fffffffu];
    var y = field_load(words.y);
    if (entry >> 31u) == 1u {
        y = field_neg(y);
    }
    return Affine(field_load(words.x), y);
}

@compute @workgroup_size(64)
fn msm_accumulate(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let index = (group.y * params.groups_per_row + group.x) * 64u + lane;
    if index >= params.n_slices {
        return;
    }
    let slice = params.first_slice + index;
    let begin = slice * params.entries_per_slice;
    let total = ends[params.n_keys - 1u];
    if begin >= total {
        head_keys[slice] = NO_KEY;
        return;
    }
    let end = min(begin + params.entries_per_slice, total);

    var key = entries[begin].x;
    var is_head = begin > 0u && entries[max(begin, 1u) - 1u].x == key;
    head_keys[slice] = select(NO_KEY, key, is_head);
    var sum = point_identity();
    if !is_head {
        sum = point_load(buckets[key]);
    }
    for (var i = begin; i < end; i++) {
        let entry = entries[i];
        if entry.x != key {
            if is_head {
                head_sums[slice] = point_store(sum);
                is_head = false;
            } else {
                buckets[key] = point_store(sum);
            }
            key = entry.x;
            sum = point_load(buckets[key]);
        }
        sum = point_add_affine(sum, entry_point(entry.y));
    }
    if is_head {
        head_sums[slice] = point_store(sum);
    } else {
        buckets[key] = point_store(sum);
    }
}
