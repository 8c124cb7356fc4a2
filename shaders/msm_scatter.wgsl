// MSM, stage 3: put an entry for every digit in its bucket's place.
//
// Source: counting sort (Knuth, volume 3, section 5.2).   Twin: engine/src/cpu/msm.rs
// In: scalars, identities (lib/digits.wgsl); cursors[n_keys], the first place of every bucket.
// Out: entries[total] (key, point with the sign in bit 31); every cursor moved to the end of its bucket.
// An invocation is one scalar. The order within a bucket differs from run to run; a sum of points does not.
// Secret: scalars. Where entries go depends on them; see SECURITY.md.
// import: digits

@group(0) @binding(3) var<storage, read_write> cursors: array<atomic<u32>>;
@group(0) @binding(4) var<storage, read_write> entries: array<vec2<u32>>;

@compute @workgroup_size(64)
fn msm_scatter(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = params.begin + (group.y * params.groups_per_row + group.x) * 64u + lane;
    if i >= params.end {
        return;
    }
    let point = params.first_point + i;
    let at = (group.z * params.n_points + i) * params.words_per_scalar;
    let flip = scalar_flip(at);
    let identity = is_identity(point);
    let first_row = group.z * (params.end_window - params.first_window);
    var carry = 0u;
    for (var window = 0u; window < params.end_window; window++) {
        var digit = signed_digit(scalar_window(at, window, flip), &carry, flip);
        if identity {
            digit.magnitude = 0u;
        }
        if window >= params.first_window {
            let key = digit_key(digit, first_row + window - params.first_window);
            if key != NO_KEY {
                let place = atomicAdd(&cursors[key], 1u);
                entries[place] = vec2<u32>(key, point | select(0u, 0x80000000u, digit.negative));
            }
        }
    }
}
