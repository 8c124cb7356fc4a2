//! Coordinates of points in the lanes: elements of a prime field, or of the quadratic extension under G2.

use ark_bn254::Fq2;
use ark_ff::{BigInt, BigInteger, Field};
use zeroize::Zeroize;

use super::{Lanes, MAX_LANES, Modulus, Rows, inverse};
use crate::points::{PackedG2, PackedPoint};

/// A field whose elements can be coordinates. The operations are those of [`Lanes`], with the same bounds for every
/// component, except that what is tight is also below `2 p`.
pub(in crate::cpu) trait Coordinate: Field {
    /// An element in memory: Montgomery words, below `1.01 p`.
    type Row: Copy + Zeroize + Send + Sync;
    /// A point that others keep, with canonical coordinates; infinity is all zeros.
    type Packed: Copy + Send + Sync;
    type Words<L: Lanes>: Copy;
    type Tight<L: Lanes>: Copy;
    type Loose<L: Lanes>: Copy;

    const ZERO_ROW: Self::Row;

    fn row(&self) -> Self::Row;
    fn from_row(row: &Self::Row) -> Self;
    /// The coordinates of a point where they lie.
    fn coordinates(point: &Self::Packed) -> (&Self::Row, &Self::Row);
    /// The element, negated if `negative` is 1, without a branch.
    fn signed(self, negative: u32) -> Self;
    /// `2^LOG / self`; `None` for zero.
    fn invert<const LOG: u32>(self) -> Option<Self>;

    fn load<L: Lanes>(lanes: L, rows: &[&Self::Row; MAX_LANES]) -> Self::Words<L>;
    fn store<L: Lanes>(lanes: L, words: &Self::Words<L>) -> [Self::Row; MAX_LANES];
    fn splat<L: Lanes>(lanes: L, row: &Self::Row) -> Self::Words<L>;
    fn split<L: Lanes>(lanes: L, words: &Self::Words<L>) -> Self::Tight<L>;
    fn join<L: Lanes>(lanes: L, a: &Self::Tight<L>) -> Self::Words<L>;

    fn lowest_is_zero<L: Lanes>(lanes: L, a: &Self::Tight<L>) -> u32;
    fn may_be_zero<L: Lanes>(lanes: L, difference: &Self::Loose<L>) -> u32;
    fn select<L: Lanes>(lanes: L, mask: u32, a: &Self::Loose<L>, b: &Self::Loose<L>) -> Self::Loose<L>;
    fn loose<L: Lanes>(lanes: L, a: &Self::Tight<L>) -> Self::Loose<L>;

    fn times<L: Lanes>(lanes: L, a: &Self::Tight<L>, b: &Self::Tight<L>) -> Self::Tight<L>;
    fn times_loose<L: Lanes>(lanes: L, a: &Self::Loose<L>, b: &Self::Tight<L>) -> Self::Tight<L>;
    fn times_add<L: Lanes>(
        lanes: L,
        a: &Self::Loose<L>,
        b: &Self::Tight<L>,
        c: &Self::Loose<L>,
    ) -> Self::Loose<L>;
    fn squared_add<L: Lanes>(lanes: L, a: &Self::Tight<L>, c: &Self::Loose<L>) -> Self::Loose<L>;
    fn minus<L: Lanes>(lanes: L, a: &Self::Tight<L>, b: &Self::Tight<L>) -> Self::Loose<L>;
    fn signed_minus<L: Lanes>(
        lanes: L,
        negative: u32,
        a: &Self::Tight<L>,
        b: &Self::Tight<L>,
    ) -> Self::Loose<L>;
    fn four_times_minus<L: Lanes>(lanes: L, a: &Self::Tight<L>, b: &Self::Tight<L>) -> Self::Loose<L>;
    fn negated<L: Lanes>(lanes: L, a: &Self::Tight<L>) -> Self::Loose<L>;
    fn negated_twice_and<L: Lanes>(lanes: L, a: &Self::Tight<L>, b: &Self::Loose<L>) -> Self::Loose<L>;
    fn reduced<L: Lanes>(lanes: L, a: &Self::Loose<L>) -> Self::Tight<L>;
}

impl<M: Modulus> Coordinate for M {
    type Row = [u64; 4];
    type Packed = PackedPoint;
    type Words<L: Lanes> = L::Words;
    type Tight<L: Lanes> = L::Tight;
    type Loose<L: Lanes> = L::Loose;

    const ZERO_ROW: [u64; 4] = [0; 4];

    #[inline(always)]
    fn row(&self) -> [u64; 4] {
        self.words()
    }

    #[inline(always)]
    fn from_row(row: &[u64; 4]) -> Self {
        let mut words = BigInt(*row);
        if words >= Self::MODULUS {
            words.sub_with_borrow(&Self::MODULUS);
        }
        Self::from_words(words.0)
    }

    #[inline(always)]
    fn coordinates(point: &PackedPoint) -> (&[u64; 4], &[u64; 4]) {
        point.limbs()
    }

    #[inline(always)]
    fn signed(self, negative: u32) -> Self {
        let (plus, minus) = (self.words(), (-self).words());
        let mask = u64::from(negative).wrapping_neg();
        Self::from_words(core::array::from_fn(|i| plus[i] ^ (mask & (plus[i] ^ minus[i]))))
    }

    #[inline(always)]
    fn invert<const LOG: u32>(self) -> Option<Self> {
        inverse::invert::<M, LOG>(self)
    }

    #[inline(always)]
    fn load<L: Lanes>(lanes: L, rows: &[&[u64; 4]; MAX_LANES]) -> L::Words {
        lanes.load(rows)
    }

    #[inline(always)]
    fn store<L: Lanes>(lanes: L, words: &L::Words) -> Rows {
        lanes.store(words)
    }

    #[inline(always)]
    fn splat<L: Lanes>(lanes: L, row: &[u64; 4]) -> L::Words {
        lanes.splat(row)
    }

    #[inline(always)]
    fn split<L: Lanes>(lanes: L, words: &L::Words) -> L::Tight {
        lanes.split(words)
    }

    #[inline(always)]
    fn join<L: Lanes>(lanes: L, a: &L::Tight) -> L::Words {
        lanes.join(a)
    }

    #[inline(always)]
    fn lowest_is_zero<L: Lanes>(lanes: L, a: &L::Tight) -> u32 {
        lanes.lowest_is_zero(a)
    }

    #[inline(always)]
    fn may_be_zero<L: Lanes>(lanes: L, difference: &L::Loose) -> u32 {
        lanes.may_be_zero::<M>(difference)
    }

    #[inline(always)]
    fn select<L: Lanes>(lanes: L, mask: u32, a: &L::Loose, b: &L::Loose) -> L::Loose {
        lanes.select(mask, a, b)
    }

    #[inline(always)]
    fn loose<L: Lanes>(lanes: L, a: &L::Tight) -> L::Loose {
        lanes.loose(a)
    }

    #[inline(always)]
    fn times<L: Lanes>(lanes: L, a: &L::Tight, b: &L::Tight) -> L::Tight {
        lanes.mul::<M>(a, b)
    }

    #[inline(always)]
    fn times_loose<L: Lanes>(lanes: L, a: &L::Loose, b: &L::Tight) -> L::Tight {
        lanes.mul_loose::<M>(a, b)
    }

    #[inline(always)]
    fn times_add<L: Lanes>(lanes: L, a: &L::Loose, b: &L::Tight, c: &L::Loose) -> L::Loose {
        lanes.mul_add::<M>(a, b, c)
    }

    #[inline(always)]
    fn squared_add<L: Lanes>(lanes: L, a: &L::Tight, c: &L::Loose) -> L::Loose {
        lanes.square_add::<M>(a, c)
    }

    #[inline(always)]
    fn minus<L: Lanes>(lanes: L, a: &L::Tight, b: &L::Tight) -> L::Loose {
        lanes.sub::<M>(a, b)
    }

    #[inline(always)]
    fn signed_minus<L: Lanes>(lanes: L, negative: u32, a: &L::Tight, b: &L::Tight) -> L::Loose {
        lanes.signed_sub::<M>(negative, a, b)
    }

    #[inline(always)]
    fn four_times_minus<L: Lanes>(lanes: L, a: &L::Tight, b: &L::Tight) -> L::Loose {
        lanes.four_times_sub::<M>(a, b)
    }

    #[inline(always)]
    fn negated<L: Lanes>(lanes: L, a: &L::Tight) -> L::Loose {
        lanes.neg::<M>(a)
    }

    #[inline(always)]
    fn negated_twice_and<L: Lanes>(lanes: L, a: &L::Tight, b: &L::Loose) -> L::Loose {
        lanes.neg_twice_and::<M>(a, b)
    }

    #[inline(always)]
    fn reduced<L: Lanes>(lanes: L, a: &L::Loose) -> L::Tight {
        lanes.reduce::<M>(a)
    }
}

type Fq = ark_bn254::Fq;

/// `a_0 + a_1 u` with `u^2 = -1`.
impl Coordinate for Fq2 {
    type Row = [[u64; 4]; 2];
    type Packed = PackedG2;
    type Words<L: Lanes> = [L::Words; 2];
    type Tight<L: Lanes> = [L::Tight; 2];
    type Loose<L: Lanes> = [L::Loose; 2];

    const ZERO_ROW: [[u64; 4]; 2] = [[0; 4]; 2];

    #[inline(always)]
    fn row(&self) -> [[u64; 4]; 2] {
        [self.c0.words(), self.c1.words()]
    }

    #[inline(always)]
    fn from_row(row: &[[u64; 4]; 2]) -> Self {
        Self::new(Fq::from_row(&row[0]), Fq::from_row(&row[1]))
    }

    #[inline(always)]
    fn coordinates(point: &PackedG2) -> (&[[u64; 4]; 2], &[[u64; 4]; 2]) {
        point.limbs()
    }

    #[inline(always)]
    fn signed(self, negative: u32) -> Self {
        Self::new(self.c0.signed(negative), self.c1.signed(negative))
    }

    /// By the norm: `(a_0 - a_1 u) / (a_0^2 + a_1^2)`.
    #[inline(always)]
    fn invert<const LOG: u32>(self) -> Option<Self> {
        let inverse = inverse::invert::<Fq, LOG>(self.c0.square() + self.c1.square())?;
        Some(Self::new(self.c0 * inverse, -self.c1 * inverse))
    }

    #[inline(always)]
    fn load<L: Lanes>(lanes: L, rows: &[&[[u64; 4]; 2]; MAX_LANES]) -> [L::Words; 2] {
        let (mut c0, mut c1) = ([&rows[0][0]; MAX_LANES], [&rows[0][1]; MAX_LANES]);
        for i in 1..MAX_LANES {
            (c0[i], c1[i]) = (&rows[i][0], &rows[i][1]);
        }
        [lanes.load(&c0), lanes.load(&c1)]
    }

    #[inline(always)]
    fn store<L: Lanes>(lanes: L, words: &[L::Words; 2]) -> [[[u64; 4]; 2]; MAX_LANES] {
        let (c0, c1) = (lanes.store(&words[0]), lanes.store(&words[1]));
        let mut rows = [[[0; 4]; 2]; MAX_LANES];
        for i in 0..MAX_LANES {
            rows[i] = [c0[i], c1[i]];
        }
        rows
    }

    #[inline(always)]
    fn splat<L: Lanes>(lanes: L, row: &[[u64; 4]; 2]) -> [L::Words; 2] {
        [lanes.splat(&row[0]), lanes.splat(&row[1])]
    }

    #[inline(always)]
    fn split<L: Lanes>(lanes: L, words: &[L::Words; 2]) -> [L::Tight; 2] {
        [lanes.split(&words[0]), lanes.split(&words[1])]
    }

    #[inline(always)]
    fn join<L: Lanes>(lanes: L, a: &[L::Tight; 2]) -> [L::Words; 2] {
        [lanes.join(&a[0]), lanes.join(&a[1])]
    }

    #[inline(always)]
    fn lowest_is_zero<L: Lanes>(lanes: L, a: &[L::Tight; 2]) -> u32 {
        lanes.lowest_is_zero(&a[0]) & lanes.lowest_is_zero(&a[1])
    }

    #[inline(always)]
    fn may_be_zero<L: Lanes>(lanes: L, difference: &[L::Loose; 2]) -> u32 {
        lanes.may_be_zero::<Fq>(&difference[0]) & lanes.may_be_zero::<Fq>(&difference[1])
    }

    #[inline(always)]
    fn select<L: Lanes>(lanes: L, mask: u32, a: &[L::Loose; 2], b: &[L::Loose; 2]) -> [L::Loose; 2] {
        [lanes.select(mask, &a[0], &b[0]), lanes.select(mask, &a[1], &b[1])]
    }

    #[inline(always)]
    fn loose<L: Lanes>(lanes: L, a: &[L::Tight; 2]) -> [L::Loose; 2] {
        [lanes.loose(&a[0]), lanes.loose(&a[1])]
    }

    #[inline(always)]
    fn times<L: Lanes>(lanes: L, [a0, a1]: &[L::Tight; 2], [b0, b1]: &[L::Tight; 2]) -> [L::Tight; 2] {
        let minus_b1 = lanes.tight(&lanes.neg::<Fq>(b1));
        [lanes.mul_two::<Fq>([a0, b0], [a1, &minus_b1]), lanes.mul_two::<Fq>([a0, b1], [a1, b0])]
    }

    #[inline(always)]
    fn times_loose<L: Lanes>(lanes: L, a: &[L::Loose; 2], b: &[L::Tight; 2]) -> [L::Tight; 2] {
        Self::times(lanes, &[lanes.tight(&a[0]), lanes.tight(&a[1])], b)
    }

    #[inline(always)]
    fn times_add<L: Lanes>(
        lanes: L,
        a: &[L::Loose; 2],
        [b0, b1]: &[L::Tight; 2],
        c: &[L::Loose; 2],
    ) -> [L::Loose; 2] {
        let [a0, a1] = &[lanes.tight(&a[0]), lanes.tight(&a[1])];
        let minus_b1 = lanes.tight(&lanes.neg::<Fq>(b1));
        [
            lanes.mul_two_add::<Fq>([a0, b0], [a1, &minus_b1], &c[0]),
            lanes.mul_two_add::<Fq>([a0, b1], [a1, b0], &c[1]),
        ]
    }

    /// `(a_0 + a_1)(a_0 - a_1)` and `2 a_0 a_1`.
    #[inline(always)]
    fn squared_add<L: Lanes>(lanes: L, a: &[L::Tight; 2], c: &[L::Loose; 2]) -> [L::Loose; 2] {
        let (sum, difference) = (lanes.add(&a[0], &a[1]), lanes.sub::<Fq>(&a[0], &a[1]));
        let twice = lanes.add(&a[0], &a[0]);
        [
            lanes.mul_add::<Fq>(&sum, &lanes.tight(&difference), &c[0]),
            lanes.mul_add::<Fq>(&twice, &a[1], &c[1]),
        ]
    }

    #[inline(always)]
    fn minus<L: Lanes>(lanes: L, a: &[L::Tight; 2], b: &[L::Tight; 2]) -> [L::Loose; 2] {
        [lanes.sub::<Fq>(&a[0], &b[0]), lanes.sub::<Fq>(&a[1], &b[1])]
    }

    #[inline(always)]
    fn signed_minus<L: Lanes>(
        lanes: L,
        negative: u32,
        a: &[L::Tight; 2],
        b: &[L::Tight; 2],
    ) -> [L::Loose; 2] {
        [lanes.signed_sub::<Fq>(negative, &a[0], &b[0]), lanes.signed_sub::<Fq>(negative, &a[1], &b[1])]
    }

    #[inline(always)]
    fn four_times_minus<L: Lanes>(lanes: L, a: &[L::Tight; 2], b: &[L::Tight; 2]) -> [L::Loose; 2] {
        [lanes.four_times_sub::<Fq>(&a[0], &b[0]), lanes.four_times_sub::<Fq>(&a[1], &b[1])]
    }

    #[inline(always)]
    fn negated<L: Lanes>(lanes: L, a: &[L::Tight; 2]) -> [L::Loose; 2] {
        [lanes.neg::<Fq>(&a[0]), lanes.neg::<Fq>(&a[1])]
    }

    #[inline(always)]
    fn negated_twice_and<L: Lanes>(lanes: L, a: &[L::Tight; 2], b: &[L::Loose; 2]) -> [L::Loose; 2] {
        [lanes.neg_twice_and::<Fq>(&a[0], &b[0]), lanes.neg_twice_and::<Fq>(&a[1], &b[1])]
    }

    #[inline(always)]
    fn reduced<L: Lanes>(lanes: L, a: &[L::Loose; 2]) -> [L::Tight; 2] {
        [lanes.reduce::<Fq>(&a[0]), lanes.reduce::<Fq>(&a[1])]
    }
}

/// `64 / element` of every element, none of which is zero, with one inversion: for products that divide by `2^260`, a quarter
/// of the inverse.
pub(in crate::cpu) fn invert_all<F: Coordinate>(elements: &mut [F]) {
    let mut product = F::ONE;
    let mut before = [F::ZERO; 2 * MAX_LANES];
    let before = &mut before[..elements.len()];
    for (before, element) in before.iter_mut().zip(&*elements) {
        *before = product;
        product *= element;
    }
    let mut inverse = product.invert::<6>().expect("a product of elements that are not zero");
    for (element, before) in elements.iter_mut().zip(&*before).rev() {
        let own = inverse * before;
        inverse *= &*element;
        *element = own;
    }
}

#[cfg(test)]
mod tests {
    use ark_ff::AdditiveGroup;

    use super::*;

    #[test]
    fn signs_and_inverses() {
        for k in 0..9u64 {
            for value in [Fq::from(k), -Fq::from(k)] {
                assert_eq!(value.signed(0), value);
                assert_eq!(value.signed(1), -value);
            }
        }
        let value = Fq2::new(Fq::from(3u64), Fq::from(5u64));
        assert_eq!(value.invert::<6>(), Some(Fq2::from(64u64) / value));
        assert_eq!(Fq2::ZERO.invert::<6>(), None);
        assert_eq!(value.signed(1), -value);
    }

    #[test]
    fn inverses_share_an_inversion() {
        let elements = [Fq::from(2u64), -Fq::from(7u64), Fq::from(1u64 << 40)];
        let mut inverses = elements;
        invert_all(&mut inverses);
        for (element, inverse) in elements.iter().zip(inverses) {
            assert_eq!(inverse * element, Fq::from(64u64));
        }
    }
}
