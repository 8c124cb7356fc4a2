// Written by `cargo run -p blindsum-shader-generator`, which says what every function gives; a test compares.
// Arithmetic modulo p = q, the prime of BN254's coordinates, in eight limbs of 32 bits; needs SHADER_INT64.
// Montgomery form with R = 2^256. Values are below 2 p; a product of two such is below 1.8 p, since 4 p < 2^256.
// Carries are the high halves of 64-bit sums and borrows their top bits, without comparisons.

struct Field { l0: u32, l1: u32, l2: u32, l3: u32, l4: u32, l5: u32, l6: u32, l7: u32 }

// Eight words of memory, least significant first.
struct Words { low: vec4<u32>, high: vec4<u32> }

fn field_mul(a: Field, b: Field) -> Field {
    let a0 = u64(a.l0);
    let a1 = u64(a.l1);
    let a2 = u64(a.l2);
    let a3 = u64(a.l3);
    let a4 = u64(a.l4);
    let a5 = u64(a.l5);
    let a6 = u64(a.l6);
    let a7 = u64(a.l7);
    var b_i: u64;
    var m: u64;
    var x: u64;
    var y: u64;
    var t0 = 0lu;
    var t1 = 0lu;
    var t2 = 0lu;
    var t3 = 0lu;
    var t4 = 0lu;
    var t5 = 0lu;
    var t6 = 0lu;
    var t7 = 0lu;
    b_i = u64(b.l0);
    x = a0 * b_i + t0;
    m = u64(u32(x) * 0xe4866389u);
    y = m * 0xd87cfd47lu + (x & 0xfffffffflu);
    x = a1 * b_i + (t1 + (x >> 32u));
    y = m * 0x3c208c16lu + ((x & 0xfffffffflu) + (y >> 32u));
    t0 = y & 0xfffffffflu;
    x = a2 * b_i + (t2 + (x >> 32u));
    y = m * 0x6871ca8dlu + ((x & 0xfffffffflu) + (y >> 32u));
    t1 = y & 0xfffffffflu;
    x = a3 * b_i + (t3 + (x >> 32u));
    y = m * 0x97816a91lu + ((x & 0xfffffffflu) + (y >> 32u));
    t2 = y & 0xfffffffflu;
    x = a4 * b_i + (t4 + (x >> 32u));
    y = m * 0x8181585dlu + ((x & 0xfffffffflu) + (y >> 32u));
    t3 = y & 0xfffffffflu;
    x = a5 * b_i + (t5 + (x >> 32u));
    y = m * 0xb85045b6lu + ((x & 0xfffffffflu) + (y >> 32u));
    t4 = y & 0xfffffffflu;
    x = a6 * b_i + (t6 + (x >> 32u));
    y = m * 0xe131a029lu + ((x & 0xfffffffflu) + (y >> 32u));
    t5 = y & 0xfffffffflu;
    x = a7 * b_i + (t7 + (x >> 32u));
    y = m * 0x30644e72lu + ((x & 0xfffffffflu) + (y >> 32u));
    t6 = y & 0xfffffffflu;
    t7 = (x >> 32u) + (y >> 32u);
    b_i = u64(b.l1);
    x = a0 * b_i + t0;
    m = u64(u32(x) * 0xe4866389u);
    y = m * 0xd87cfd47lu + (x & 0xfffffffflu);
    x = a1 * b_i + (t1 + (x >> 32u));
    y = m * 0x3c208c16lu + ((x & 0xfffffffflu) + (y >> 32u));
    t0 = y & 0xfffffffflu;
    x = a2 * b_i + (t2 + (x >> 32u));
    y = m * 0x6871ca8dlu + ((x & 0xfffffffflu) + (y >> 32u));
    t1 = y & 0xfffffffflu;
    x = a3 * b_i + (t3 + (x >> 32u));
    y = m * 0x97816a91lu + ((x & 0xfffffffflu) + (y >> 32u));
    t2 = y & 0xfffffffflu;
    x = a4 * b_i + (t4 + (x >> 32u));
    y = m * 0x8181585dlu + ((x & 0xfffffffflu) + (y >> 32u));
    t3 = y & 0xfffffffflu;
    x = a5 * b_i + (t5 + (x >> 32u));
    y = m * 0xb85045b6lu + ((x & 0xfffffffflu) + (y >> 32u));
    t4 = y & 0xfffffffflu;
    x = a6 * b_i + (t6 + (x >> 32u));
    y = m * 0xe131a029lu + ((x & 0xfffffffflu) + (y >> 32u));
    t5 = y & 0xfffffffflu;
    x = a7 * b_i + (t7 + (x >> 32u));
    y = m * 0x30644e72lu + ((x & 0xfffffffflu) + (y >> 32u));
    t6 = y & 0xfffffffflu;
    t7 = (x >> 32u) + (y >> 32u);
    b_i = u64(b.l2);
    x = a0 * b_i + t0;
    m = u64(u32(x) * 0xe4866389u);
    y = m * 0xd87cfd47lu + (x & 0xfffffffflu);
    x = a1 * b_i + (t1 + (x >> 32u));
    y = m * 0x3c208c16lu + ((x & 0xfffffffflu) + (y >> 32u));
    t0 = y & 0xfffffffflu;
    x = a2 * b_i + (t2 + (x >> 32u));
    y = m * 0x6871ca8dlu + ((x & 0xfffffffflu) + (y >> 32u));
    t1 = y & 0xfffffffflu;
    x = a3 * b_i + (t3 + (x >> 32u));
    y = m * 0x97816a91lu + ((x & 0xfffffffflu) + (y >> 32u));
    t2 = y & 0xfffffffflu;
    x = a4 * b_i + (t4 + (x >> 32u));
    y = m * 0x8181585dlu + ((x & 0xfffffffflu) + (y >> 32u));
    t3 = y & 0xfffffffflu;
    x = a5 * b_i + (t5 + (x >> 32u));
    y = m * 0xb85045b6lu + ((x & 0xfffffffflu) + (y >> 32u));
    t4 = y & 0xfffffffflu;
    x = a6 * b_i + (t6 + (x >> 32u));
    y = m * 0xe131a029lu + ((x & 0xfffffffflu) + (y >> 32u));
    t5 = y & 0xfffffffflu;
    x = a7 * b_i + (t7 + (x >> 32u));
    y = m * 0x30644e72lu + ((x & 0xfffffffflu) + (y >> 32u));
    t6 = y & 0xfffffffflu;
    t7 = (x >> 32u) + (y >> 32u);
    b_i = u64(b.l3);
    x = a0 * b_i + t0;
    m = u64(u32(x) * 0xe4866389u);
    y = m * 0xd87cfd47lu + (x & 0xfffffffflu);
    x = a1 * b_i + (t1 + (x >> 32u));
    y = m * 0x3c208c16lu + ((x & 0xfffffffflu) + (y >> 32u));
    t0 = y & 0xfffffffflu;
    x = a2 * b_i + (t2 + (x >> 32u));
    y = m * 0x6871ca8dlu + ((x & 0xfffffffflu) + (y >> 32u));
    t1 = y & 0xfffffffflu;
    x = a3 * b_i + (t3 + (x >> 32u));
    y = m * 0x97816a91lu + ((x & 0xfffffffflu) + (y >> 32u));
    t2 = y & 0xfffffffflu;
    x = a4 * b_i + (t4 + (x >> 32u));
    y = m * 0x8181585dlu + ((x & 0xfffffffflu) + (y >> 32u));
    t3 = y & 0xfffffffflu;
    x = a5 * b_i + (t5 + (x >> 32u));
    y = m * 0xb85045b6lu + ((x & 0xfffffffflu) + (y >> 32u));
    t4 = y & 0xfffffffflu;
    x = a6 * b_i + (t6 + (x >> 32u));
    y = m * 0xe131a029lu + ((x & 0xfffffffflu) + (y >> 32u));
    t5 = y & 0xfffffffflu;
    x = a7 * b_i + (t7 + (x >> 32u));
    y = m * 0x30644e72lu + ((x & 0xfffffffflu) + (y >> 32u));
    t6 = y & 0xfffffffflu;
    t7 = (x >> 32u) + (y >> 32u);
    b_i = u64(b.l4);
    x = a0 * b_i + t0;
    m = u64(u32(x) * 0xe4866389u);
    y = m * 0xd87cfd47lu + (x & 0xfffffffflu);
    x = a1 * b_i + (t1 + (x >> 32u));
    y = m * 0x3c208c16lu + ((x & 0xfffffffflu) + (y >> 32u));
    t0 = y & 0xfffffffflu;
    x = a2 * b_i + (t2 + (x >> 32u));
    y = m * 0x6871ca8dlu + ((x & 0xfffffffflu) + (y >> 32u));
    t1 = y & 0xfffffffflu;
    x = a3 * b_i + (t3 + (x >> 32u));
    y = m * 0x97816a91lu + ((x & 0xfffffffflu) + (y >> 32u));
    t2 = y & 0xfffffffflu;
    x = a4 * b_i + (t4 + (x >> 32u));
    y = m * 0x8181585dlu + ((x & 0xfffffffflu) + (y >> 32u));
    t3 = y & 0xfffffffflu;
    x = a5 * b_i + (t5 + (x >> 32u));
    y = m * 0xb85045b6lu + ((x & 0xfffffffflu) + (y >> 32u));
    t4 = y & 0xfffffffflu;
    x = a6 * b_i + (t6 + (x >> 32u));
    y = m * 0xe131a029lu + ((x & 0xfffffffflu) + (y >> 32u));
    t5 = y & 0xfffffffflu;
    x = a7 * b_i + (t7 + (x >> 32u));
    y = m * 0x30644e72lu + ((x & 0xfffffffflu) + (y >> 32u));
    t6 = y & 0xfffffffflu;
    t7 = (x >> 32u) + (y >> 32u);
    b_i = u64(b.l5);
    x = a0 * b_i + t0;
    m = u64(u32(x) * 0xe4866389u);
    y = m * 0xd87cfd47lu + (x & 0xfffffffflu);
    x = a1 * b_i + (t1 + (x >> 32u));
    y = m * 0x3c208c16lu + ((x & 0xfffffffflu) + (y >> 32u));
    t0 = y & 0xfffffffflu;
    x = a2 * b_i + (t2 + (x >> 32u));
    y = m * 0x6871ca8dlu + ((x & 0xfffffffflu) + (y >> 32u));
    t1 = y & 0xfffffffflu;
    x = a3 * b_i + (t3 + (x >> 32u));
    y = m * 0x97816a91lu + ((x & 0xfffffffflu) + (y >> 32u));
    t2 = y & 0xfffffffflu;
    x = a4 * b_i + (t4 + (x >> 32u));
    y = m * 0x8181585dlu + ((x & 0xfffffffflu) + (y >> 32u));
    t3 = y & 0xfffffffflu;
    x = a5 * b_i + (t5 + (x >> 32u));
    y = m * 0xb85045b6lu + ((x & 0xfffffffflu) + (y >> 32u));
    t4 = y & 0xfffffffflu;
    x = a6 * b_i + (t6 + (x >> 32u));
    y = m * 0xe131a029lu + ((x & 0xfffffffflu) + (y >> 32u));
    t5 = y & 0xfffffffflu;
    x = a7 * b_i + (t7 + (x >> 32u));
    y = m * 0x30644e72lu + ((x & 0xfffffffflu) + (y >> 32u));
    t6 = y & 0xfffffffflu;
    t7 = (x >> 32u) + (y >> 32u);
    b_i = u64(b.l6);
    x = a0 * b_i + t0;
    m = u64(u32(x) * 0xe4866389u);
    y = m * 0xd87cfd47lu + (x & 0xfffffffflu);
    x = a1 * b_i + (t1 + (x >> 32u));
    y = m * 0x3c208c16lu + ((x & 0xfffffffflu) + (y >> 32u));
    t0 = y & 0xfffffffflu;
    x = a2 * b_i + (t2 + (x >> 32u));
    y = m * 0x6871ca8dlu + ((x & 0xfffffffflu) + (y >> 32u));
    t1 = y & 0xfffffffflu;
    x = a3 * b_i + (t3 + (x >> 32u));
    y = m * 0x97816a91lu + ((x & 0xfffffffflu) + (y >> 32u));
    t2 = y & 0xfffffffflu;
    x = a4 * b_i + (t4 + (x >> 32u));
    y = m * 0x8181585dlu + ((x & 0xfffffffflu) + (y >> 32u));
    t3 = y & 0xfffffffflu;
    x = a5 * b_i + (t5 + (x >> 32u));
    y = m * 0xb85045b6lu + ((x & 0xfffffffflu) + (y >> 32u));
    t4 = y & 0xfffffffflu;
    x = a6 * b_i + (t6 + (x >> 32u));
    y = m * 0xe131a029lu + ((x & 0xfffffffflu) + (y >> 32u));
    t5 = y & 0xfffffffflu;
    x = a7 * b_i + (t7 + (x >> 32u));
    y = m * 0x30644e72lu + ((x & 0xfffffffflu) + (y >> 32u));
    t6 = y & 0xfffffffflu;
    t7 = (x >> 32u) + (y >> 32u);
    b_i = u64(b.l7);
    x = a0 * b_i + t0;
    m = u64(u32(x) * 0xe4866389u);
    y = m * 0xd87cfd47lu + (x & 0xfffffffflu);
    x = a1 * b_i + (t1 + (x >> 32u));
    y = m * 0x3c208c16lu + ((x & 0xfffffffflu) + (y >> 32u));
    t0 = y & 0xfffffffflu;
    x = a2 * b_i + (t2 + (x >> 32u));
    y = m * 0x6871ca8dlu + ((x & 0xfffffffflu) + (y >> 32u));
    t1 = y & 0xfffffffflu;
    x = a3 * b_i + (t3 + (x >> 32u));
    y = m * 0x97816a91lu + ((x & 0xfffffffflu) + (y >> 32u));
    t2 = y & 0xfffffffflu;
    x = a4 * b_i + (t4 + (x >> 32u));
    y = m * 0x8181585dlu + ((x & 0xfffffffflu) + (y >> 32u));
    t3 = y & 0xfffffffflu;
    x = a5 * b_i + (t5 + (x >> 32u));
    y = m * 0xb85045b6lu + ((x & 0xfffffffflu) + (y >> 32u));
    t4 = y & 0xfffffffflu;
    x = a6 * b_i + (t6 + (x >> 32u));
    y = m * 0xe131a029lu + ((x & 0xfffffffflu) + (y >> 32u));
    t5 = y & 0xfffffffflu;
    x = a7 * b_i + (t7 + (x >> 32u));
    y = m * 0x30644e72lu + ((x & 0xfffffffflu) + (y >> 32u));
    t6 = y & 0xfffffffflu;
    t7 = (x >> 32u) + (y >> 32u);
    return Field(u32(t0), u32(t1), u32(t2), u32(t3), u32(t4), u32(t5), u32(t6), u32(t7));
}

fn field_add(a: Field, b: Field) -> Field {
    var x = 0lu;
    x = (x >> 32u) + u64(a.l0) + u64(b.l0);
    let s0 = u32(x);
    x = (x >> 32u) + u64(a.l1) + u64(b.l1);
    let s1 = u32(x);
    x = (x >> 32u) + u64(a.l2) + u64(b.l2);
    let s2 = u32(x);
    x = (x >> 32u) + u64(a.l3) + u64(b.l3);
    let s3 = u32(x);
    x = (x >> 32u) + u64(a.l4) + u64(b.l4);
    let s4 = u32(x);
    x = (x >> 32u) + u64(a.l5) + u64(b.l5);
    let s5 = u32(x);
    x = (x >> 32u) + u64(a.l6) + u64(b.l6);
    let s6 = u32(x);
    x = (x >> 32u) + u64(a.l7) + u64(b.l7);
    let s7 = u32(x);
    x = 0lu;
    x = u64(s0) - 0xb0f9fa8elu - (x >> 63u);
    let d0 = u32(x);
    x = u64(s1) - 0x7841182dlu - (x >> 63u);
    let d1 = u32(x);
    x = u64(s2) - 0xd0e3951alu - (x >> 63u);
    let d2 = u32(x);
    x = u64(s3) - 0x2f02d522lu - (x >> 63u);
    let d3 = u32(x);
    x = u64(s4) - 0x302b0bblu - (x >> 63u);
    let d4 = u32(x);
    x = u64(s5) - 0x70a08b6dlu - (x >> 63u);
    let d5 = u32(x);
    x = u64(s6) - 0xc2634053lu - (x >> 63u);
    let d6 = u32(x);
    x = u64(s7) - 0x60c89ce5lu - (x >> 63u);
    let d7 = u32(x);
    let negative = (x >> 63u) == 1lu;
    return Field(select(d0, s0, negative), select(d1, s1, negative), select(d2, s2, negative), select(d3, s3, negative), select(d4, s4, negative), select(d5, s5, negative), select(d6, s6, negative), select(d7, s7, negative));
}

fn field_sub(a: Field, b: Field) -> Field {
    var x = 0lu;
    x = u64(a.l0) - u64(b.l0) - (x >> 63u);
    let d0 = u32(x);
    x = u64(a.l1) - u64(b.l1) - (x >> 63u);
    let d1 = u32(x);
    x = u64(a.l2) - u64(b.l2) - (x >> 63u);
    let d2 = u32(x);
    x = u64(a.l3) - u64(b.l3) - (x >> 63u);
    let d3 = u32(x);
    x = u64(a.l4) - u64(b.l4) - (x >> 63u);
    let d4 = u32(x);
    x = u64(a.l5) - u64(b.l5) - (x >> 63u);
    let d5 = u32(x);
    x = u64(a.l6) - u64(b.l6) - (x >> 63u);
    let d6 = u32(x);
    x = u64(a.l7) - u64(b.l7) - (x >> 63u);
    let d7 = u32(x);
    let mask = 0u - u32(x >> 63u);
    x = 0lu;
    x = (x >> 32u) + u64(d0) + u64(0xb0f9fa8eu & mask);
    let s0 = u32(x);
    x = (x >> 32u) + u64(d1) + u64(0x7841182du & mask);
    let s1 = u32(x);
    x = (x >> 32u) + u64(d2) + u64(0xd0e3951au & mask);
    let s2 = u32(x);
    x = (x >> 32u) + u64(d3) + u64(0x2f02d522u & mask);
    let s3 = u32(x);
    x = (x >> 32u) + u64(d4) + u64(0x302b0bbu & mask);
    let s4 = u32(x);
    x = (x >> 32u) + u64(d5) + u64(0x70a08b6du & mask);
    let s5 = u32(x);
    x = (x >> 32u) + u64(d6) + u64(0xc2634053u & mask);
    let s6 = u32(x);
    x = (x >> 32u) + u64(d7) + u64(0x60c89ce5u & mask);
    let s7 = u32(x);
    return Field(s0, s1, s2, s3, s4, s5, s6, s7);
}

fn field_neg(a: Field) -> Field {
    return field_sub(Field(), a);
}

// The representative below p.
fn field_canonical(a: Field) -> Field {
    var x = 0lu;
    x = u64(a.l0) - 0xd87cfd47lu - (x >> 63u);
    let d0 = u32(x);
    x = u64(a.l1) - 0x3c208c16lu - (x >> 63u);
    let d1 = u32(x);
    x = u64(a.l2) - 0x6871ca8dlu - (x >> 63u);
    let d2 = u32(x);
    x = u64(a.l3) - 0x97816a91lu - (x >> 63u);
    let d3 = u32(x);
    x = u64(a.l4) - 0x8181585dlu - (x >> 63u);
    let d4 = u32(x);
    x = u64(a.l5) - 0xb85045b6lu - (x >> 63u);
    let d5 = u32(x);
    x = u64(a.l6) - 0xe131a029lu - (x >> 63u);
    let d6 = u32(x);
    x = u64(a.l7) - 0x30644e72lu - (x >> 63u);
    let d7 = u32(x);
    let negative = (x >> 63u) == 1lu;
    return Field(select(d0, a.l0, negative), select(d1, a.l1, negative), select(d2, a.l2, negative), select(d3, a.l3, negative), select(d4, a.l4, negative), select(d5, a.l5, negative), select(d6, a.l6, negative), select(d7, a.l7, negative));
}

fn field_one() -> Field {
    return Field(0xc58f0d9du, 0xd35d438du, 0xf5c70b3du, 0xa78eb28u, 0x7879462cu, 0x666ea36fu, 0x9a07df2fu, 0xe0a77c1u);
}

fn field_load(words: Words) -> Field {
    let low = words.low;
    let high = words.high;
    return Field(low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w);
}

fn field_pack(a: Field) -> Words {
    return Words(vec4<u32>(a.l0, a.l1, a.l2, a.l3), vec4<u32>(a.l4, a.l5, a.l6, a.l7));
}

fn field_store(a: Field) -> Words {
    return field_pack(field_canonical(a));
}

fn field_from_host(a: Field) -> Field {
    return a;
}

fn field_integer_from_host(a: Field) -> Field {
    return field_mul(a, Field(1u, 0u, 0u, 0u, 0u, 0u, 0u, 0u));
}
