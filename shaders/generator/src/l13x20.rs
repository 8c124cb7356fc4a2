//! Twenty limbs of 13 bits in 32-bit words, R = 2^260: for adapters without 64-bit integers.

use std::fmt::Write;

use crate::list;
use crate::prime::{Prime, mask};

const N: usize = 20;
const WIDTH: u32 = 13;

pub(crate) fn text(prime: &Prime) -> String {
    let mut out = String::new();
    let p = prime.multiple(1, WIDTH, N);
    let double_p = prime.multiple(2, WIDTH, N);
    head(&mut out, prime);
    mul(&mut out, &p, prime.negative_inverse(WIDTH));
    add(&mut out, &double_p);
    sub(&mut out, &double_p);
    canonical(&mut out, &p);
    memory(&mut out);
    constants(&mut out, prime);
    out
}

fn head(out: &mut String, prime: &Prime) {
    let _ = write!(
        out,
        "\
// Written by `cargo run -p blindsum-shader-generator`, which says what every function gives; a test compares.
// Arithmetic modulo p = {meaning}, in twenty limbs of 13 bits: 32-bit words are enough.
// Montgomery form with R = 2^260. Values are below 2 p; a product of two such is below 1.1 p, since 4 p < 2^256.
// Forty products of 26 bits and a carry fit a word, so a product carries once, at its end.

struct Field {{
    {fields}
}}

// Eight words of memory, least significant first.
struct Words {{ low: vec4<u32>, high: vec4<u32> }}
",
        meaning = prime.meaning(),
        fields = list(N, |i| format!("l{i}: u32")),
    );
}

/// Row i adds `a_i * b` and the multiple of p that clears the lowest limb, and moves everything down by one limb.
fn mul(out: &mut String, p: &[u32], negative_inverse: u32) {
    out.push_str("\nfn field_mul(a: Field, b: Field) -> Field {\n    var x: u32;\n    var m: u32;\n");
    for j in 0..N {
        let _ = writeln!(out, "    var t{j} = 0u;");
    }
    let mask = mask(WIDTH);
    for i in 0..N {
        let _ = writeln!(out, "    x = t0 + a.l{i} * b.l0;");
        let _ = writeln!(out, "    m = ((x & {mask:#x}u) * {negative_inverse:#x}u) & {mask:#x}u;");
        let _ = writeln!(
            out,
            "    t0 = t1 + a.l{i} * b.l1 + m * {:#x}u + ((x + m * {:#x}u) >> {WIDTH}u);",
            p[1], p[0]
        );
        for (j, limb) in p.iter().enumerate().skip(2) {
            let _ = writeln!(out, "    t{} = t{j} + a.l{i} * b.l{j} + m * {limb:#x}u;", j - 1);
        }
        let _ = writeln!(out, "    t{} = 0u;", N - 1);
    }
    for j in 1..N {
        let _ = writeln!(out, "    t{j} += t{} >> {WIDTH}u;", j - 1);
    }
    let _ = writeln!(out, "    return Field({});\n}}", list(N, |j| format!("t{j} & {mask:#x}u")));
}

fn add(out: &mut String, double_p: &[u32]) {
    out.push_str("\nfn field_add(a: Field, b: Field) -> Field {\n");
    for i in 0..N {
        let _ = writeln!(out, "    let x{i} = a.l{i} + b.l{i}{};", carry(i));
        let _ = writeln!(out, "    let s{i} = x{i} & {:#x}u;", mask(WIDTH));
    }
    subtract_limbs(out, |i| format!("s{i}"), double_p);
    let _ = writeln!(out, "    return Field({});\n}}", list(N, |i| format!("select(d{i}, s{i}, negative)")));
}

fn sub(out: &mut String, double_p: &[u32]) {
    out.push_str("\nfn field_sub(a: Field, b: Field) -> Field {\n");
    for i in 0..N {
        let _ = writeln!(out, "    let y{i} = a.l{i} - b.l{i}{};", borrow(i));
    }
    let _ = writeln!(out, "    let mask = 0u - (y{} >> 31u);", N - 1);
    for (i, limb) in double_p.iter().enumerate() {
        let _ =
            writeln!(out, "    let x{i} = (y{i} & {:#x}u) + ({limb:#x}u & mask){};", mask(WIDTH), carry(i));
    }
    let _ = writeln!(out, "    return Field({});\n}}", list(N, |i| format!("x{i} & {:#x}u", mask(WIDTH))));
    out.push_str("\nfn field_neg(a: Field) -> Field {\n    return field_sub(Field(), a);\n}\n");
}

fn canonical(out: &mut String, p: &[u32]) {
    out.push_str("\n// The representative below p.\nfn field_canonical(a: Field) -> Field {\n");
    subtract_limbs(out, |i| format!("a.l{i}"), p);
    let _ =
        writeln!(out, "    return Field({});\n}}", list(N, |i| format!("select(d{i}, a.l{i}, negative)")));
}

/// `d = from - subtrahend`, and whether that is negative.
fn subtract_limbs(out: &mut String, from: impl Fn(usize) -> String, subtrahend: &[u32]) {
    for (i, limb) in subtrahend.iter().enumerate() {
        let _ = writeln!(out, "    let y{i} = {} - {limb:#x}u{};", from(i), borrow(i));
        let _ = writeln!(out, "    let d{i} = y{i} & {:#x}u;", mask(WIDTH));
    }
    let _ = writeln!(out, "    let negative = (y{} >> 31u) == 1u;", N - 1);
}

fn carry(i: usize) -> String {
    if i == 0 { String::new() } else { format!(" + (x{} >> {WIDTH}u)", i - 1) }
}

fn borrow(i: usize) -> String {
    if i == 0 { String::new() } else { format!(" - (y{} >> 31u)", i - 1) }
}

/// Limbs from and to packed words.
fn memory(out: &mut String) {
    let word = |half: &str, i: usize| format!("{half}.{}", ["x", "y", "z", "w"][i % 4]);
    let read = |i: usize| word(if i < 4 { "words.low" } else { "words.high" }, i);
    out.push_str("\nfn field_load(words: Words) -> Field {\n");
    for limb in 0..N {
        let (first, shift) = (WIDTH as usize * limb / 32, WIDTH as usize * limb % 32);
        let mut parts = vec![format!("({} >> {shift}u)", read(first))];
        if shift + WIDTH as usize > 32 && first + 1 < 8 {
            parts.push(format!("({} << {}u)", read(first + 1), 32 - shift));
        }
        let _ = writeln!(out, "    let l{limb} = ({}) & {:#x}u;", parts.join(" | "), mask(WIDTH));
    }
    let _ = writeln!(out, "    return Field({});\n}}", list(N, |i| format!("l{i}")));

    out.push_str("\nfn field_pack(a: Field) -> Words {\n");
    for word in 0..8 {
        let parts: Vec<String> = (0..N)
            .filter_map(|limb| {
                let (at, from) = (WIDTH as usize * limb, 32 * word);
                let overlaps = at + WIDTH as usize > from && at < from + 32;
                overlaps.then(|| {
                    if at >= from {
                        format!("(a.l{limb} << {}u)", at - from)
                    } else {
                        format!("(a.l{limb} >> {}u)", from - at)
                    }
                })
            })
            .collect();
        let _ = writeln!(out, "    let w{word} = {};", parts.join(" | "));
    }
    out.push_str(
        "    return Words(vec4<u32>(w0, w1, w2, w3), vec4<u32>(w4, w5, w6, w7));
}

fn field_store(a: Field) -> Words {
    return field_pack(field_canonical(a));
}
",
    );
}

fn constants(out: &mut String, prime: &Prime) {
    let constant = |exponent| {
        let limbs = prime.power_of_two(exponent, WIDTH, N);
        list(N, |i| format!("{:#x}u", limbs[i]))
    };
    // A product divides by 2^260: 2^264 turns a factor of 2^256 into one of 2^260, and 2^4 into none.
    let _ = write!(
        out,
        "
fn field_one() -> Field {{
    return Field({one});
}}

fn field_from_host(a: Field) -> Field {{
    return field_mul(a, Field({from_host}));
}}

fn field_integer_from_host(a: Field) -> Field {{
    return field_mul(a, Field({integer_from_host}));
}}
",
        one = constant(260),
        from_host = constant(264),
        integer_from_host = constant(4),
    );
}
