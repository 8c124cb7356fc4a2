// ChaCha20 with a 64-bit block counter: the block function on scalars.
// Source: RFC 8439, sections 2.1 to 2.3.   Twin: engine/src/cpu/mask_expand.rs::block
// The rounds are written out: a loop of ten double rounds runs at 60-75 % of this under the default runtime checks.
// Secret: the key and the block. No branch and no address depends on them.

// The sixteen words of a block, in the order of the stream.
struct ChaCha20Block {
    row0: vec4<u32>,
    row1: vec4<u32>,
    row2: vec4<u32>,
    row3: vec4<u32>,
}

// RFC 8439, section 2.1.
fn quarter_round(a: ptr<function, u32>, b: ptr<function, u32>, c: ptr<function, u32>, d: ptr<function, u32>) {
    *a += *b;
    *d ^= *a;
    *d = (*d << 16u) | (*d >> 16u);
    *c += *d;
    *b ^= *c;
    *b = (*b << 12u) | (*b >> 20u);
    *a += *b;
    *d ^= *a;
    *d = (*d << 8u) | (*d >> 24u);
    *c += *d;
    *b ^= *c;
    *b = (*b << 7u) | (*b >> 25u);
}

// The block at `counter_high * 2^32 + counter_low` of the stream of `key_low || key_high`.
fn chacha20_block(key_low: vec4<u32>, key_high: vec4<u32>, counter_low: u32, counter_high: u32) -> ChaCha20Block {
    // Row 0 is "expand 32-byte k".
    var x0 = 0x61707865u;
    var x1 = 0x3320646eu;
    var x2 = 0x79622d32u;
    var x3 = 0x6b206574u;
    var x4 = key_low.x;
    var x5 = key_low.y;
    var x6 = key_low.z;
    var x7 = key_low.w;
    var x8 = key_high.x;
    var x9 = key_high.y;
    var x10 = key_high.z;
    var x11 = key_high.w;
    var x12 = counter_low;
    var x13 = counter_high;
    var x14 = 0u;
    var x15 = 0u;

    // Rounds 1 and 2.
    quarter_round(&x0, &x4, &x8, &x12);
    quarter_round(&x1, &x5, &x9, &x13);
    quarter_round(&x2, &x6, &x10, &x14);
    quarter_round(&x3, &x7, &x11, &x15);
    quarter_round(&x0, &x5, &x10, &x15);
    quarter_round(&x1, &x6, &x11, &x12);
    quarter_round(&x2, &x7, &x8, &x13);
    quarter_round(&x3, &x4, &x9, &x14);
    // Rounds 3 and 4.
    quarter_round(&x0, &x4, &x8, &x12);
    quarter_round(&x1, &x5, &x9, &x13);
    quarter_round(&x2, &x6, &x10, &x14);
    quarter_round(&x3, &x7, &x11, &x15);
    quarter_round(&x0, &x5, &x10, &x15);
    quarter_round(&x1, &x6, &x11, &x12);
    quarter_round(&x2, &x7, &x8, &x13);
    quarter_round(&x3, &x4, &x9, &x14);
    // Rounds 5 and 6.
    quarter_round(&x0, &x4, &x8, &x12);
    quarter_round(&x1, &x5, &x9, &x13);
    quarter_round(&x2, &x6, &x10, &x14);
    quarter_round(&x3, &x7, &x11, &x15);
    quarter_round(&x0, &x5, &x10, &x15);
    quarter_round(&x1, &x6, &x11, &x12);
    quarter_round(&x2, &x7, &x8, &x13);
    quarter_round(&x3, &x4, &x9, &x14);
    // Rounds 7 and 8.
    quarter_round(&x0, &x4, &x8, &x12);
    quarter_round(&x1, &x5, &x9, &x13);
    quarter_round(&x2, &x6, &x10, &x14);
    quarter_round(&x3, &x7, &x11, &x15);
    quarter_round(&x0, &x5, &x10, &x15);
    quarter_round(&x1, &x6, &x11, &x12);
    quarter_round(&x2, &x7, &x8, &x13);
    quarter_round(&x3, &x4, &x9, &x14);
    // Rounds 9 and 10.
    quarter_round(&x0, &x4, &x8, &x12);
    quarter_round(&x1, &x5, &x9, &x13);
    quarter_round(&x2, &x6, &x10, &x14);
    quarter_round(&x3, &x7, &x11, &x15);
    quarter_round(&x0, &x5, &x10, &x15);
    quarter_round(&x1, &x6, &x11, &x12);
    quarter_round(&x2, &x7, &x8, &x13);
    quarter_round(&x3, &x4, &x9, &x14);
    // Rounds 11 and 12.
    quarter_round(&x0, &x4, &x8, &x12);
    quarter_round(&x1, &x5, &x9, &x13);
    quarter_round(&x2, &x6, &x10, &x14);
    quarter_round(&x3, &x7, &x11, &x15);
    quarter_round(&x0, &x5, &x10, &x15);
    quarter_round(&x1, &x6, &x11, &x12);
    quarter_round(&x2, &x7, &x8, &x13);
    quarter_round(&x3, &x4, &x9, &x14);
    // Rounds 13 and 14.
    quarter_round(&x0, &x4, &x8, &x12);
    quarter_round(&x1, &x5, &x9, &x13);
    quarter_round(&x2, &x6, &x10, &x14);
    quarter_round(&x3, &x7, &x11, &x15);
    quarter_round(&x0, &x5, &x10, &x15);
    quarter_round(&x1, &x6, &x11, &x12);
    quarter_round(&x2, &x7, &x8, &x13);
    quarter_round(&x3, &x4, &x9, &x14);
    // Rounds 15 and 16.
    quarter_round(&x0, &x4, &x8, &x12);
    quarter_round(&x1, &x5, &x9, &x13);
    quarter_round(&x2, &x6, &x10, &x14);
    quarter_round(&x3, &x7, &x11, &x15);
    quarter_round(&x0, &x5, &x10, &x15);
    quarter_round(&x1, &x6, &x11, &x12);
    quarter_round(&x2, &x7, &x8, &x13);
    quarter_round(&x3, &x4, &x9, &x14);
    // Rounds 17 and 18.
    quarter_round(&x0, &x4, &x8, &x12);
    quarter_round(&x1, &x5, &x9, &x13);
    quarter_round(&x2, &x6, &x10, &x14);
    quarter_round(&x3, &x7, &x11, &x15);
    quarter_round(&x0, &x5, &x10, &x15);
    quarter_round(&x1, &x6, &x11, &x12);
    quarter_round(&x2, &x7, &x8, &x13);
    quarter_round(&x3, &x4, &x9, &x14);
    // Rounds 19 and 20.
    quarter_round(&x0, &x4, &x8, &x12);
    quarter_round(&x1, &x5, &x9, &x13);
    quarter_round(&x2, &x6, &x10, &x14);
    quarter_round(&x3, &x7, &x11, &x15);
    quarter_round(&x0, &x5, &x10, &x15);
    quarter_round(&x1, &x6, &x11, &x12);
    quarter_round(&x2, &x7, &x8, &x13);
    quarter_round(&x3, &x4, &x9, &x14);

    // The input state is added to the rounds' result.
    var block: ChaCha20Block;
    block.row0 = vec4<u32>(x0, x1, x2, x3) + vec4<u32>(0x61707865u, 0x3320646eu, 0x79622d32u, 0x6b206574u);
    block.row1 = vec4<u32>(x4, x5, x6, x7) + key_low;
    block.row2 = vec4<u32>(x8, x9, x10, x11) + key_high;
    block.row3 = vec4<u32>(x12, x13, x14, x15) + vec4<u32>(counter_low, counter_high, 0u, 0u);
    return block;
}
