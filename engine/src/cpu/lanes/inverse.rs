//! Inverses, one for a batch of additions or one by itself: the binary greatest common divisor, 31 steps at a time on 64-bit
//! approximations.
//!
//! Source: Pornin 2020 (eprint 2020/972), sections 2 and 3. (ark-ff steps through whole numbers.)
//! Invariants: `y u = a s` and `y v = b s (mod p)` with the scale `s` that `u` starts with; `b` ends as `gcd(y, p) = 1`.
//!
//! Timing depends on the value, as ark-ff's does: in a batch it is a product of thousands of differences.

use core::cmp::max;

use super::{Modulus, negated_inverse};

/// Steps on approximations before the numbers themselves are updated: what the signed factors below fit 32 bits for.
const STEPS: u32 = 31;

type Number = [u64; 4];

/// `2^bits mod p`.
const fn power_of_two(p: Number, bits: u32) -> Number {
    let mut power = [1, 0, 0, 0];
    let mut i = 0;
    while i < bits {
        // p is below 2^254, so twice a number below it does not overflow.
        let mut doubled = [0; 4];
        let mut k = 0;
        while k < 4 {
            doubled[k] = power[k] << 1 | if k > 0 { power[k - 1] >> 63 } else { 0 };
            k += 1;
        }
        let (less, borrow) = subtract(doubled, p);
        power = if borrow { doubled } else { less };
        i += 1;
    }
    power
}

const fn subtract(a: Number, b: Number) -> (Number, bool) {
    let mut difference = [0; 4];
    let mut borrow = false;
    let mut i = 0;
    while i < 4 {
        let (part, first) = a[i].overflowing_sub(b[i]);
        let (part, second) = part.overflowing_sub(borrow as u64);
        (difference[i], borrow) = (part, first | second);
        i += 1;
    }
    (difference, borrow)
}

fn bits(a: &Number) -> u32 {
    a.iter().rposition(|word| *word != 0).map_or(0, |top| 64 * (top as u32 + 1) - a[top].leading_zeros())
}

/// The lowest 31 bits of a number below `2^n` and its highest 33, `n` at least 64; all of it if that is 64.
fn approximate(a: &Number, n: u32) -> u64 {
    if n == 64 {
        return a[0];
    }
    let (word, shift) = ((n - 33) as usize / 64, (n - 33) % 64);
    let above = a.get(word + 1).copied().unwrap_or(0);
    let high = a[word] >> shift | (above << 1) << (63 - shift);
    (high << 31) | (a[0] & ((1 << 31) - 1))
}

/// What 31 steps on approximations do to `(a, b)`: `(f_0 a + g_0 b, f_1 a + g_1 b) / 2^31`.
struct Factors {
    f: [i64; 2],
    g: [i64; 2],
}

impl Factors {
    fn of(mut a: u64, mut b: u64) -> Self {
        let (mut f, mut g) = ([1i64, 0], [0i64, 1]);
        for _ in 0..STEPS {
            let odd = a & 1 == 1;
            let swap = odd && a < b;
            // Conditional moves: which way it goes cannot be predicted.
            (a, b) = if swap { (b, a) } else { (a, b) };
            f = if swap { [f[1], f[0]] } else { f };
            g = if swap { [g[1], g[0]] } else { g };
            let mask = u64::from(odd).wrapping_neg();
            a = a.wrapping_sub(b & mask) >> 1;
            f = [f[0] - (f[1] & mask as i64), f[1] << 1];
            g = [g[0] - (g[1] & mask as i64), g[1] << 1];
        }
        Self { f, g }
    }

    fn negate(&mut self, row: usize) {
        (self.f[row], self.g[row]) = (-self.f[row], -self.g[row]);
    }
}

/// The magnitude of `(f a + g b) / 2^31`, a whole number, and whether it is negative.
fn combine(a: &Number, b: &Number, f: i64, g: i64) -> (Number, bool) {
    let (words, high) = combination(a, b, &[0; 4], f, g, 0);
    let negative = high < 0;
    let words = shift(words, high);
    if negative { (subtract([0; 4], words).0, true) } else { (words, false) }
}

/// `(f u + g v) / 2^31 (mod p)`, below `p`.
fn combine_modular<M: Modulus>(u: &Number, v: &Number, f: i64, g: i64) -> Number {
    let p = M::MODULUS.0;
    // The multiple of p that makes it a multiple of 2^31.
    let low = u[0].wrapping_mul(f as u64).wrapping_add(v[0].wrapping_mul(g as u64));
    let k = low.wrapping_mul(negated_inverse(p[0])) & ((1 << STEPS) - 1);
    let (words, high) = combination(u, v, &p, f, g, k as i64);
    let words = shift(words, high);
    // Between -p and 2 p.
    if high < 0 {
        return subtract(p, subtract([0; 4], words).0).0;
    }
    let (less, borrow) = subtract(words, p);
    if borrow { words } else { less }
}

/// `f a + g b + k c`: four words, and what is above them.
fn combination(a: &Number, b: &Number, c: &Number, f: i64, g: i64, k: i64) -> (Number, i64) {
    let (mut words, mut carry) = ([0; 4], 0i128);
    for i in 0..4 {
        let term = |word: u64, factor: i64| i128::from(word) * i128::from(factor);
        let sum = term(a[i], f) + term(b[i], g) + term(c[i], k) + carry;
        (words[i], carry) = (sum as u64, sum >> 64);
    }
    (words, carry as i64)
}

/// Shifts right by 31 bits.
fn shift(words: Number, high: i64) -> Number {
    core::array::from_fn(|i| {
        words[i] >> STEPS | words.get(i + 1).copied().unwrap_or(high as u64) << (64 - STEPS)
    })
}

/// `2^LOG / element`; `None` for zero. A factor of 256 turns an inverse for products over `2^256` into one for products over
/// `2^260`.
pub(in crate::cpu) fn invert<M: Modulus, const LOG: u32>(element: M) -> Option<M> {
    struct Scale<M, const LOG: u32>(M);
    impl<M: Modulus, const LOG: u32> Scale<M, LOG> {
        /// For words `w` the element is `w / 2^256`; the result has the words `2^(512 + LOG) / w`.
        const WORDS: Number = power_of_two(M::MODULUS.0, 512 + LOG);
    }
    let (mut a, mut b) = (element.words(), M::MODULUS.0);
    let (mut u, mut v) = (Scale::<M, LOG>::WORDS, [0; 4]);
    if a == [0; 4] {
        return None;
    }
    while a != [0; 4] {
        let n = max(max(bits(&a), bits(&b)), 64);
        let mut factors = Factors::of(approximate(&a, n), approximate(&b, n));
        let ((new_a, a_negative), (new_b, b_negative)) =
            (combine(&a, &b, factors.f[0], factors.g[0]), combine(&a, &b, factors.f[1], factors.g[1]));
        if a_negative {
            factors.negate(0);
        }
        if b_negative {
            factors.negate(1);
        }
        (a, b) = (new_a, new_b);
        (u, v) = (
            combine_modular::<M>(&u, &v, factors.f[0], factors.g[0]),
            combine_modular::<M>(&u, &v, factors.f[1], factors.g[1]),
        );
    }
    Some(M::from_words(v))
}

#[cfg(test)]
mod tests {
    use ark_bn254::{Fq, Fr};

    use super::*;

    fn check<M: Modulus>() {
        let factor = M::from(64u64);
        let mut element = M::from(3u64);
        for i in 0..2_000u64 {
            let small = M::from(i + 1);
            let power = M::from(2u64).pow([i % 254]);
            for value in [small, -small, power, -power, element] {
                let expected = value.inverse();
                assert_eq!(invert::<M, 0>(value), expected, "{value}");
                assert_eq!(invert::<M, 6>(value), expected.map(|inverse| factor * inverse), "{value}");
            }
            element = element.square() + small;
        }
        assert_eq!((invert::<M, 0>(M::ZERO), invert::<M, 6>(M::ZERO)), (None, None));
        let near = (0..64).map(|i| M::from_words([u64::MAX << i, u64::MAX >> i, 0, 1 << (i % 61)]));
        near.for_each(|value| assert_eq!(invert::<M, 6>(value), Some(factor / value)));
    }

    #[test]
    fn inverses_are_those_of_ark_ff() {
        check::<Fq>();
        check::<Fr>();
    }
}
