// NTT, inverse: a pass that decimates in frequency, values in natural order to coefficients in bit-reversed order.
//
// Source: Gentleman, Sande 1966.   Twin: engine/src/cpu/ntt.rs
// In and out: values[n]. The stages of the longest distances come first; then every element takes its factor, and in the
// last pass the scale, 1/n.
// A workgroup is a tile, an invocation two of its elements and one pair a stage.
// Secret: values, when proving. No branch and no address depends on them.
// import: ntt

@compute @workgroup_size(256)
fn ntt_dif(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let index = group.y * params.groups_per_row + group.x;
    let is_inside = index < params.n_tiles;
    let n = select(0u, tile_len(), is_inside);
    let tile_index = params.first_tile + index;
    for (var at = lane; at < n; at += 256u) {
        tile[at] = values[place(tile_index, at).index];
    }
    workgroupBarrier();
    for (var stage = params.log_rows; stage > 0u; stage--) {
        let log_half = stage - 1u;
        if lane < (n >> 1u) {
            let at = pair_place(lane, log_half);
            let other = at + (1u << (log_half + params.row_shift));
            let x = field_load(tile[at]);
            let y = field_load(tile[other]);
            tile[at] = field_pack(field_add(x, y));
            tile[other] = field_pack(field_mul(field_sub(x, y), stage_root(at, log_half)));
        }
        workgroupBarrier();
    }
    for (var at = lane; at < n; at += 256u) {
        let p = place(tile_index, at);
        var value = field_load(tile[at]);
        if has_factor() {
            value = field_mul(value, factor(p));
        }
        if params.is_scaled == 1u {
            value = field_mul(value, field_load(Words(params.scale_low, params.scale_high)));
        }
        values[p.index] = field_store(value);
    }
}
