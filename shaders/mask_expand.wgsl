// Expand masks: sum the ChaCha20 streams of many keys, block by block; nothing is stored between keys.
// sum[16 b + w] += (+-1) sum_i block_i(counter + b)[w]  (mod 2^32), over a dispatch's keys, all of one sign.
//
// Source: RFC 8439, section 2.3.   Twin: engine/src/cpu/mask_expand.rs
// In: keys[n] (two vec4 of little-endian words).   Out: sum[16 n_blocks] (u32), added to.
// An invocation is one block of the stream and one slice of the keys: x and y of the grid count blocks, z counts slices.
// With one slice a word has one writer; with more (few blocks, many keys) the additions are atomic. They commute, so
// the words do not depend on the order.
// Secret: keys and sum. No branch and no address depends on them.
// import: chacha20

struct MaskExpandParams {
    // Block counter of the stream at sum[0].
    counter_low: u32,
    counter_high: u32,
    // Blocks of this chunk.
    n_blocks: u32,
    // Workgroups along x: those of block 0 .. groups_per_row - 1 in the first row of the grid, and so on.
    groups_per_row: u32,
    // Keys first_key .. end_key, in slices of keys_per_slice.
    first_key: u32,
    end_key: u32,
    keys_per_slice: u32,
    // 0 to add, 0xffffffff to subtract.
    sign: u32,
}

struct Key {
    low: vec4<u32>,
    high: vec4<u32>,
}

@group(0) @binding(0) var<uniform> params: MaskExpandParams;
@group(0) @binding(1) var<storage, read> keys: array<Key>;
@group(0) @binding(2) var<storage, read_write> sum: array<atomic<u32>>;

// Adds four words of the stream at word `at`, with the sign of the dispatch: (v ^ m) - m is v or -v.
fn accumulate(at: u32, words: vec4<u32>, shared_words: bool) {
    let v = (words ^ vec4<u32>(params.sign)) - vec4<u32>(params.sign);
    if shared_words {
        atomicAdd(&sum[at], v.x);
        atomicAdd(&sum[at + 1u], v.y);
        atomicAdd(&sum[at + 2u], v.z);
        atomicAdd(&sum[at + 3u], v.w);
    } else {
        atomicStore(&sum[at], atomicLoad(&sum[at]) + v.x);
        atomicStore(&sum[at + 1u], atomicLoad(&sum[at + 1u]) + v.y);
        atomicStore(&sum[at + 2u], atomicLoad(&sum[at + 2u]) + v.z);
        atomicStore(&sum[at + 3u], atomicLoad(&sum[at + 3u]) + v.w);
    }
}

@compute @workgroup_size(64)
fn mask_expand(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) n_groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = (group.y * params.groups_per_row + group.x) * 64u + lane;
    if index >= params.n_blocks {
        return;
    }
    let counter_low = params.counter_low + index;
    let counter_high = params.counter_high + select(0u, 1u, counter_low < index);

    let begin = params.first_key + group.z * params.keys_per_slice;
    let end = min(begin + params.keys_per_slice, params.end_key);
    var row0 = vec4<u32>();
    var row1 = vec4<u32>();
    var row2 = vec4<u32>();
    var row3 = vec4<u32>();
    for (var i = begin; i < end; i++) {
        let key = keys[i];
        let block = chacha20_block(key.low, key.high, counter_low, counter_high);
        row0 += block.row0;
        row1 += block.row1;
        row2 += block.row2;
        row3 += block.row3;
    }

    let at = index * 16u;
    let shared_words = n_groups.z > 1u;
    accumulate(at, row0, shared_words);
    accumulate(at + 4u, row1, shared_words);
    accumulate(at + 8u, row2, shared_words);
    accumulate(at + 12u, row3, shared_words);
}
