//! Eight limbs of 32 bits with products of 64 bits (`SHADER_INT64`), R = 2^256: the host's own Montgomery form.

use std::fmt::Write;

use crate::list;
use crate::prime::Prime;

const N: usize = 8;
const WIDTH: u32 = 32;

pub(crate) fn text(prime: &Prime) -> String {
    let mut out = String::new();
    let p = prime.multiple(1, WIDTH, N);
    let double_p = prime.multiple(2, WIDTH, N);
    head(&mut out, prime);
    mul(&mut out, &p, prime.negative_inverse(WIDTH));
    add(&mut out, &double_p);
    sub(&mut out, &double_p);
    canonical(&mut out, &p);
    memory(&mut out, &prime.power_of_two(256, WIDTH, N));
    // `write!` to a string does not fail.
    out
}

fn head(out: &mut String, prime: &Prime) {
    let _ = write!(
        out,
        "\
// Written by `cargo run -p blindsum-shader-generator`, which says what every function gives; a test compares.
// Arithmetic modulo p = {meaning}, in eight limbs of 32 bits; needs SHADER_INT64.
// Montgomery form with R = 2^256. Values are below 2 p; a product of two such is below 1.8 p, since 4 p < 2^256.
// Carries are the high halves of 64-bit sums and borrows their top bits, without comparisons.

struct Field {{ {fields} }}

// Eight words of memory, least significant first.
struct Words {{ low: vec4<u32>, high: vec4<u32> }}
",
        meaning = prime.meaning(),
        fields = list(N, |i| format!("l{i}: u32")),
    );
}

/// CIOS. Row i adds `b_i * a`, then the multiple of p that clears the lowest limb, which is dropped.
/// The largest term is `(2^32 - 1)^2 + 2 (2^32 - 1) = 2^64 - 1`.
fn mul(out: &mut String, p: &[u32], negative_inverse: u32) {
    out.push_str("\nfn field_mul(a: Field, b: Field) -> Field {\n");
    for j in 0..N {
        let _ = writeln!(out, "    let a{j} = u64(a.l{j});");
    }
    out.push_str("    var b_i: u64;\n    var m: u64;\n    var x: u64;\n    var y: u64;\n");
    for j in 0..N {
        let _ = writeln!(out, "    var t{j} = 0lu;");
    }
    for i in 0..N {
        let _ = writeln!(out, "    b_i = u64(b.l{i});");
        out.push_str("    x = a0 * b_i + t0;\n");
        let _ = writeln!(out, "    m = u64(u32(x) * {negative_inverse:#x}u);");
        let _ = writeln!(out, "    y = m * {:#x}lu + (x & 0xfffffffflu);", p[0]);
        for (j, limb) in p.iter().enumerate().skip(1) {
            let _ = writeln!(out, "    x = a{j} * b_i + (t{j} + (x >> 32u));");
            let _ = writeln!(out, "    y = m * {limb:#x}lu + ((x & 0xfffffffflu) + (y >> 32u));");
            let _ = writeln!(out, "    t{} = y & 0xfffffffflu;", j - 1);
        }
        let _ = writeln!(out, "    t{} = (x >> 32u) + (y >> 32u);", N - 1);
    }
    let _ = writeln!(out, "    return Field({});\n}}", list(N, |j| format!("u32(t{j})")));
}

fn add(out: &mut String, double_p: &[u32]) {
    out.push_str("\nfn field_add(a: Field, b: Field) -> Field {\n    var x = 0lu;\n");
    for i in 0..N {
        let _ = writeln!(out, "    x = (x >> 32u) + u64(a.l{i}) + u64(b.l{i});");
        let _ = writeln!(out, "    let s{i} = u32(x);");
    }
    out.push_str("    x = 0lu;\n");
    subtract_limbs(out, |i| format!("s{i}"), double_p);
    let _ = writeln!(out, "    return Field({});\n}}", list(N, |i| format!("select(d{i}, s{i}, negative)")));
}

fn sub(out: &mut String, double_p: &[u32]) {
    out.push_str("\nfn field_sub(a: Field, b: Field) -> Field {\n    var x = 0lu;\n");
    for i in 0..N {
        let _ = writeln!(out, "    x = u64(a.l{i}) - u64(b.l{i}) - (x >> 63u);");
        let _ = writeln!(out, "    let d{i} = u32(x);");
    }
    out.push_str("    let mask = 0u - u32(x >> 63u);\n    x = 0lu;\n");
    for (i, limb) in double_p.iter().enumerate() {
        let _ = writeln!(out, "    x = (x >> 32u) + u64(d{i}) + u64({limb:#x}u & mask);");
        let _ = writeln!(out, "    let s{i} = u32(x);");
    }
    let _ = writeln!(out, "    return Field({});\n}}", list(N, |i| format!("s{i}")));
    out.push_str("\nfn field_neg(a: Field) -> Field {\n    return field_sub(Field(), a);\n}\n");
}

fn canonical(out: &mut String, p: &[u32]) {
    out.push_str(
        "\n// The representative below p.\nfn field_canonical(a: Field) -> Field {\n    var x = 0lu;\n",
    );
    subtract_limbs(out, |i| format!("a.l{i}"), p);
    let _ =
        writeln!(out, "    return Field({});\n}}", list(N, |i| format!("select(d{i}, a.l{i}, negative)")));
}

/// `d = from - subtrahend`, and whether that is negative. `x` is zero before.
fn subtract_limbs(out: &mut String, from: impl Fn(usize) -> String, subtrahend: &[u32]) {
    for (i, limb) in subtrahend.iter().enumerate() {
        let _ = writeln!(out, "    x = u64({}) - {limb:#x}lu - (x >> 63u);", from(i));
        let _ = writeln!(out, "    let d{i} = u32(x);");
    }
    out.push_str("    let negative = (x >> 63u) == 1lu;\n");
}

fn memory(out: &mut String, one: &[u32]) {
    let _ = write!(
        out,
        "
fn field_one() -> Field {{
    return Field({one});
}}

fn field_load(words: Words) -> Field {{
    let low = words.low;
    let high = words.high;
    return Field(low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w);
}}

fn field_pack(a: Field) -> Words {{
    return Words(vec4<u32>(a.l0, a.l1, a.l2, a.l3), vec4<u32>(a.l4, a.l5, a.l6, a.l7));
}}

fn field_store(a: Field) -> Words {{
    return field_pack(field_canonical(a));
}}

fn field_from_host(a: Field) -> Field {{
    return a;
}}

fn field_integer_from_host(a: Field) -> Field {{
    return field_mul(a, Field({integer_one}));
}}
",
        one = list(N, |i| format!("{:#x}u", one[i])),
        integer_one = list(N, |i| if i == 0 { "1u".to_owned() } else { "0u".to_owned() }),
    );
}
