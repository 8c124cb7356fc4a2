// Scalars as signed digits: scalar = sum_w digit_w 2^(c w) with |digit_w| <= 2^(c-1), c = window_bits.
// Source: Bernstein, Doumen, Lange, Oosterwijk 2012, section 4 (signed buckets).   Twin: engine/src/cpu/msm_signed.rs
// A scalar is one word, signed, of which the magnitude is cut and the sign given to every digit; or eight words, unsigned.
// The kernels that count the digits and that place them cut them here, so that they agree.
// Secret: scalars. No branch depends on them; where a digit's entry goes does.

struct MsmDigitParams {
    // Points of the chunk: the scalars of a vector lie together. Its first point within the buffer of points.
    n_points: u32,
    first_point: u32,
    // Points begin .. end of the chunk are this dispatch's.
    begin: u32,
    end: u32,
    // Workgroups along x: points are x and y of the grid, vectors are z.
    groups_per_row: u32,
    // 1, signed, or 8, unsigned.
    words_per_scalar: u32,
    window_bits: u32,
    // Windows whose digits are wanted.
    first_window: u32,
    end_window: u32,
    // The key of every zero digit, or 0xffffffff: then they have no entry.
    zero_key: u32,
    reserved0: u32,
    reserved1: u32,
}

struct Digit {
    magnitude: u32,
    negative: bool,
}

const NO_KEY: u32 = 0xffffffffu;

@group(0) @binding(0) var<uniform> params: MsmDigitParams;
@group(0) @binding(1) var<storage, read> scalars: array<u32>;
// Bit i mod 32 of word i div 32: point i is the identity, so its digits count as zero.
@group(0) @binding(2) var<storage, read> identities: array<u32>;

// The window's bits, with the carry of the windows below: a value of 0 .. 2^c; then the digit and the carry it leaves.
fn scalar_window(at: u32, window: u32, flip: u32) -> u32 {
    let bit = window * params.window_bits;
    let word = bit >> 5u;
    let shift = bit & 31u;
    if word >= params.words_per_scalar {
        return 0u;
    }
    // (v ^ m) - m is the magnitude; only scalars of one word have a sign.
    var bits = ((scalars[at + word] ^ flip) - flip) >> shift;
    if shift + params.window_bits > 32u && word + 1u < params.words_per_scalar {
        bits |= scalars[at + word + 1u] << (32u - shift);
    }
    return bits & ((1u << params.window_bits) - 1u);
}

// 0xffffffff for a negative scalar, else 0.
fn scalar_flip(at: u32) -> u32 {
    return select(0u, 0u - (scalars[at] >> 31u), params.words_per_scalar == 1u);
}

// The digit of `bits` and what the windows below carried into it; 1 is carried on where it became negative.
fn signed_digit(bits: u32, carry: ptr<function, u32>, flip: u32) -> Digit {
    let half = 1u << (params.window_bits - 1u);
    let value = bits + *carry;
    let borrow = value > half;
    *carry = select(0u, 1u, borrow);
    return Digit(select(value, 2u * half - value, borrow), borrow != (flip != 0u));
}

// The bucket of a digit: buckets of one window lie together, by magnitude from 1.
fn digit_key(digit: Digit, row: u32) -> u32 {
    return select((row << (params.window_bits - 1u)) + digit.magnitude - 1u, params.zero_key, digit.magnitude == 0u);
}

fn is_identity(point: u32) -> bool {
    return ((identities[point >> 5u] >> (point & 31u)) & 1u) == 1u;
}
