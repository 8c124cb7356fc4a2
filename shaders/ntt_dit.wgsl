// NTT, forward: a pass that decimates in time, coefficients in bit-reversed order to values in natural order.
//
// Source: Cooley, Tukey 1965.   Twin: engine/src/cpu/ntt.rs
// In and out: values[n]. Every element takes its factor; then come the stages, those of the longest distances last.
// A workgroup is a tile, an invocation two of its elements and one pair a stage.
// Secret: values, when proving. No branch and no address depends on them.
// import: ntt

@compute @workgroup_size(256)
fn ntt_dit(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let index = group.y * params.groups_per_row + group.x;
    let is_inside = index < params.n_tiles;
    let n = select(0u, tile_len(), is_inside);
    let tile_index = params.first_tile + index;
    for (var at = lane; at < n; at += 256u) {
        let p = place(tile_index, at);
        var value = field_load(values[p.index]);
        if has_factor() {
            value = field_mul(value, factor(p));
        }
        tile[at] = field_pack(value);
    }
    workgroupBarrier();
    for (var log_half = 0u; log_half < params.log_rows; log_half++) {
        if lane < (n >> 1u) {
            let at = pair_place(lane, log_half);
            let other = at + (1u << (log_half + params.row_shift));
            let x = field_load(tile[at]);
            let y = field_mul(field_load(tile[other]), stage_root(at, log_half));
            tile[at] = field_pack(field_add(x, y));
            tile[other] = field_pack(field_sub(x, y));
        }
        workgroupBarrier();
    }
    for (var at = lane; at < n; at += 256u) {
        values[place(tile_index, at).index] = field_store(field_load(tile[at]));
    }
}
