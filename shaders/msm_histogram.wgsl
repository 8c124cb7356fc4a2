// MSM, stage 1: count the entries of every bucket.
//
// Source: counting sort (Knuth, volume 3, section 5.2).   Twin: engine/src/cpu/msm.rs
// In: scalars, identities (lib/digits.wgsl).   Out: counts[n_keys] (u32), added to.
// An invocation is one scalar; its row is vector * windows + window.
// Secret: scalars. Addresses of the atomic additions depend on them; see SECURITY.md.
// import: digits

@group(0) @binding(3) var<storage, read_write> counts: array<atomic<u32>>;

@compute @workgroup_size(64)
fn msm_histogram(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = params.begin + (group.y * params.groups_per_row + group.x) * 64u + lane;
    if i >= params.end {
        return;
    }
    let at = (group.z * params.n_points + i) * params.words_per_scalar;
    let flip = scalar_flip(at);
    let identity = is_identity(params.first_point + i);
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
                atomicAdd(&counts[key], 1u);
            }
        }
    }
}
