//! Five limbs of 52 bits in each lane: the arithmetic of every width that has a multiply-add of 52 bits ([`Vectors52`]), which
//! adds the lower or the upper half of a 104-bit product.
//!
//! Columns take at most thirty halves below `2^52` and a carry, far below `2^64`. The multiplier reads only 52 bits of a limb, so
//! a loose value is carried before it is multiplied; what is only reduced carries once, at the end.

use super::{Kernel, Lanes, MAX_LANES, Modulus, Rows, complement, negated_inverse};

const N_LIMBS: usize = 5;
const LIMB_BITS: u32 = 52;
const MASK: u64 = (1 << LIMB_BITS) - 1;

type Limbs<V> = [V; N_LIMBS];
type LimbValues = [u64; N_LIMBS];

/// Vectors of 64-bit words, one a lane.
pub(in crate::cpu) trait Vectors52: Copy + Send + Sync + 'static {
    /// See [`Lanes::LANES`].
    const LANES: usize;
    /// See [`Lanes::INVERSION`].
    const INVERSION: usize;

    type Vector: Copy;

    /// See [`Lanes::vectorize`].
    fn compile<K: Kernel>(self, kernel: K) -> K::Output;

    /// See [`Lanes::load`].
    fn columns(self, rows: &[&[u64; 4]; MAX_LANES]) -> [Self::Vector; 4];
    /// See [`Lanes::store`].
    fn rows(self, columns: &[Self::Vector; 4]) -> Rows;
    /// The same word in every lane.
    fn all(self, value: u64) -> Self::Vector;

    /// `a + b (mod 2^64)`.
    fn plus(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a - b (mod 2^64)`.
    fn minus(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// Adds the lower 52 bits of the product of the lower 52 bits of `a` and of `b`.
    fn add_low(self, sum: Self::Vector, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// Adds the upper 52 bits of that product.
    fn add_high(self, sum: Self::Vector, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    fn and(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    fn or(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    fn right<const BITS: u32>(self, a: Self::Vector) -> Self::Vector;
    /// The same with copies of the sign.
    fn right_signed<const BITS: u32>(self, a: Self::Vector) -> Self::Vector;
    fn left<const BITS: u32>(self, a: Self::Vector) -> Self::Vector;

    /// Bit `i` is set where lane `i` of both is the same.
    fn same(self, a: Self::Vector, b: Self::Vector) -> u32;
    /// Lane `i` of `b` where bit `i` is set, of `a` elsewhere.
    fn choose(self, of_b: u32, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// Lane `i` of `-a` where bit `i` is set, of `a` elsewhere.
    fn negate(self, lanes: u32, a: Self::Vector) -> Self::Vector;
}

/// Limbs whose type says that they are below `2^52`.
#[derive(Clone, Copy)]
pub(in crate::cpu) struct Tight<V>(Limbs<V>);

/// Limbs with a sign, of a magnitude below `2^58`; their value is not negative.
#[derive(Clone, Copy)]
pub(in crate::cpu) struct Loose<V>(Limbs<V>);

/// The columns of a product of limbs, or of a sum of products, of which a reduction asks one by one.
trait Columns<W: Vectors52>: Copy {
    /// Whether column 0 may have more than 52 bits.
    const CARRIES_AT_ONCE: bool;

    /// Column `C` and `start`, as the sum of two.
    fn column<const C: usize>(self, lanes: W, start: W::Vector) -> [W::Vector; 2];
}

/// `a b`. Of factors only the lowest 52 bits of a limb are read.
#[derive(Clone, Copy)]
struct Product<'a, V>(&'a Limbs<V>, &'a Limbs<V>);

impl<W: Vectors52> Columns<W> for Product<'_, W::Vector> {
    const CARRIES_AT_ONCE: bool = false;

    #[inline(always)]
    fn column<const C: usize>(self, lanes: W, start: W::Vector) -> [W::Vector; 2] {
        let Self(a, b) = self;
        let mut sum = start;
        unroll!(I in [0 1 2 3 4] {
            let other = C.wrapping_sub(I + 1);
            if other < N_LIMBS {
                sum = lanes.add_high(sum, a[I], b[other]);
            }
        });
        unroll!(I in [0 1 2 3 4] {
            let other = C.wrapping_sub(I);
            if other < N_LIMBS {
                sum = lanes.add_low(sum, a[I], b[other]);
            }
        });
        [sum, lanes.all(0)]
    }
}

/// `a b + c d`.
#[derive(Clone, Copy)]
struct TwoProducts<'a, V>(Product<'a, V>, Product<'a, V>);

impl<W: Vectors52> Columns<W> for TwoProducts<'_, W::Vector> {
    const CARRIES_AT_ONCE: bool = true;

    #[inline(always)]
    fn column<const C: usize>(self, lanes: W, start: W::Vector) -> [W::Vector; 2] {
        let [one, _] = self.0.column::<C>(lanes, start);
        let [other, _] = self.1.column::<C>(lanes, lanes.all(0));
        [one, other]
    }
}

/// `a^2`: the products of different limbs once, and counted twice.
#[derive(Clone, Copy)]
struct Square<'a, V>(&'a Limbs<V>);

impl<W: Vectors52> Columns<W> for Square<'_, W::Vector> {
    const CARRIES_AT_ONCE: bool = false;

    #[inline(always)]
    fn column<const C: usize>(self, lanes: W, start: W::Vector) -> [W::Vector; 2] {
        let Self(a) = self;
        let mut half = lanes.all(0);
        unroll!(I in [0 1 2 3 4] {
            let other = C.wrapping_sub(I + 1);
            if I < other && other < N_LIMBS {
                half = lanes.add_high(half, a[I], a[other]);
            }
        });
        unroll!(I in [0 1 2 3 4] {
            let other = C.wrapping_sub(I);
            if I < other && other < N_LIMBS {
                half = lanes.add_low(half, a[I], a[other]);
            }
        });
        // Doubled at once where the column is waited for; above, the second half is where the folds start from.
        let (other, rest) = if C < N_LIMBS { (half, lanes.all(0)) } else { (lanes.all(0), half) };
        let sum = lanes.plus(lanes.plus(half, other), start);
        match C % 2 {
            0 => [lanes.add_low(sum, a[C / 2], a[C / 2]), rest],
            _ => [lanes.add_high(sum, a[C / 2], a[C / 2]), rest],
        }
    }
}

const fn split_value([w0, w1, w2, w3]: [u64; 4]) -> LimbValues {
    [
        w0 & MASK,
        (w0 >> 52 | w1 << 12) & MASK,
        (w1 >> 40 | w2 << 24) & MASK,
        (w2 >> 28 | w3 << 36) & MASK,
        w3 >> 16,
    ]
}

/// Constants of a modulus, as limbs.
struct Of<M>(M);

impl<M: Modulus> Of<M> {
    const P: LimbValues = split_value(M::MODULUS.0);
    /// `-1 / p` modulo `2^52`.
    const NEGATED_INVERSE: u64 = negated_inverse(M::MODULUS.0[0]) & MASK;
    /// `2^260 - p`.
    const COMPLEMENT: LimbValues = complement(Self::P, MASK);
    const THREE_P: LimbValues = Self::multiple(3);
    const FIVE_P: LimbValues = Self::multiple(5);
    const SEVEN_P: LimbValues = Self::multiple(7);
    /// `floor(2^82 / (p_4 + 65))`, for the quotient by `p` of a value's highest limb without its lowest 30 bits. One more than
    /// `p_4` for the rest of `p`, and what a loose value's lower limbs may take off the highest.
    const RECIPROCAL: u64 = ((1u128 << 82) / (Self::P[N_LIMBS - 1] as u128 + 65)) as u64;

    /// `1 / 2^156`, `1 / 2^104` and `1 / 2^52` modulo `p`: what the three lowest limbs of a product are worth at `2^156`.
    const FOLDS: [LimbValues; 3] = {
        let third = Self::shifted([1, 0, 0, 0, 0]);
        let second = Self::shifted(third);
        [Self::shifted(second), second, third]
    };

    /// `value / 2^52` modulo `p`, below `p` if `value` is.
    const fn shifted(value: LimbValues) -> LimbValues {
        let digit = value[0].wrapping_mul(Self::NEGATED_INVERSE) & MASK;
        let mut limbs = [0; N_LIMBS];
        let mut carry = (value[0] as u128 + digit as u128 * Self::P[0] as u128) >> LIMB_BITS;
        let mut i = 1;
        while i < N_LIMBS {
            let limb = value[i] as u128 + digit as u128 * Self::P[i] as u128 + carry;
            limbs[i - 1] = limb as u64 & MASK;
            carry = limb >> LIMB_BITS;
            i += 1;
        }
        limbs[N_LIMBS - 1] = carry as u64;
        limbs
    }

    const fn multiple(k: u64) -> LimbValues {
        let mut limbs = [0; N_LIMBS];
        let mut carry = 0;
        let mut i = 0;
        while i < N_LIMBS {
            let limb = k * Self::P[i] + carry;
            limbs[i] = limb & MASK;
            carry = limb >> LIMB_BITS;
            i += 1;
        }
        limbs
    }
}

/// Parts of the operations below.
trait Parts: Vectors52 {
    /// Carries from limb to limb, borrows too; the highest keeps what is above `2^52`.
    #[inline(always)]
    fn carry(self, mut limbs: Limbs<Self::Vector>) -> Limbs<Self::Vector> {
        let mask = self.all(MASK);
        unroll!(I in [0 1 2 3] {
            limbs[I + 1] = self.plus(limbs[I + 1], self.right_signed::<52>(limbs[I]));
            limbs[I] = self.and(limbs[I], mask);
        });
        limbs
    }

    /// The same for a factor, which may keep what it has carried above its 52 bits.
    #[inline(always)]
    fn factor(self, Loose(limbs): &Loose<Self::Vector>) -> Limbs<Self::Vector> {
        let mut limbs = *limbs;
        unroll!(I in [0 1 2 3] {
            limbs[I + 1] = self.plus(limbs[I + 1], self.right_signed::<52>(limbs[I]));
        });
        limbs
    }

    /// Adds limb `J` of what the three lowest limbs of a product are worth at `2^156`.
    #[inline(always)]
    fn fold<M: Modulus, const J: usize>(self, mut sum: Self::Vector, low: [Self::Vector; 3]) -> Self::Vector {
        unroll!(I in [0 1 2] {
            if J < N_LIMBS {
                sum = self.add_low(sum, low[I], self.all(Of::<M>::FOLDS[I][J]));
            }
            if J > 0 {
                sum = self.add_high(sum, low[I], self.all(Of::<M>::FOLDS[I][J - 1]));
            }
        });
        sum
    }

    /// `product / 2^260 + above`, below `p + product / 2^260 + above` up to `2^-50 p`.
    ///
    /// The three lowest limbs are replaced by multiples of `1 / 2^156`, all at once; the next two are made zero by multiples of
    /// `p`, one after the other. Columns 3 and 4 start from `2^52 - 1`, so that what they carry is rounded up: this is the carry
    /// once `digit p` has been added, whose lowest limb is then never needed.
    #[inline(always)]
    fn montgomery<M: Modulus, C: Columns<Self>>(
        self,
        product: C,
        Loose(above): &Loose<Self::Vector>,
    ) -> Loose<Self::Vector> {
        let (zero, mask) = (self.all(0), self.all(MASK));
        let inverse = self.all(Of::<M>::NEGATED_INVERSE);
        let p = &Of::<M>::P;

        let [sum, rest] = product.column::<0>(self, zero);
        let low0 = self.plus(sum, rest);
        let carried = if C::CARRIES_AT_ONCE { self.right::<52>(low0) } else { zero };
        let [sum, rest] = product.column::<1>(self, carried);
        let low1 = self.plus(sum, rest);
        let [sum, rest] = product.column::<2>(self, zero);
        let low2 = self.plus(self.plus(sum, rest), self.right::<52>(low1));
        let low = [low0, low1, low2];

        // Products and folds are added up apart, so that they do not wait for each other.
        let mut sums = [zero; 2 * N_LIMBS];
        let mut folds = [zero; 2 * N_LIMBS];
        let [sum, rest] = product.column::<3>(self, mask);
        sums[3] = self.plus(sum, self.fold::<M, 0>(self.plus(rest, self.right::<52>(low2)), low));
        let [sum, rest] = product.column::<4>(self, zero);
        sums[4] = self.plus(sum, self.fold::<M, 1>(self.plus(rest, mask), low));
        unroll!(I in [5 6 7] {
            let [sum, rest] = product.column::<I>(self, above[I - 5]);
            sums[I] = sum;
            folds[I] = self.fold::<M, { I - 3 }>(rest, low);
        });
        let [sum, rest] = product.column::<8>(self, above[3]);
        sums[8] = self.plus(self.fold::<M, 5>(sum, low), rest);
        let [sum, rest] = product.column::<9>(self, above[4]);
        sums[9] = self.plus(sum, rest);

        // Started from `-1 / p`, to make up for `2^52 - 1` in the column.
        let digit3 = self.add_low(inverse, sums[3], inverse);
        let carried = self.add_high(self.right::<52>(sums[3]), digit3, self.all(p[0]));
        sums[4] = self.plus(self.add_low(sums[4], digit3, self.all(p[1])), carried);
        let digit4 = self.add_low(inverse, sums[4], inverse);
        let carried = self.add_high(self.right::<52>(sums[4]), digit4, self.all(p[0]));
        unroll!(J in [1 2 3 4] {
            if J > 1 {
                sums[J + 3] = self.add_low(sums[J + 3], digit3, self.all(p[J]));
            }
            sums[J + 4] = self.add_high(sums[J + 4], digit3, self.all(p[J]));
        });
        unroll!(J in [1 2 3 4] {
            sums[J + 4] = self.add_low(sums[J + 4], digit4, self.all(p[J]));
            sums[J + 5] = self.add_high(sums[J + 5], digit4, self.all(p[J]));
        });
        sums[5] = self.plus(sums[5], carried);
        unroll!(I in [5 6 7] {
            sums[I] = self.plus(sums[I], folds[I]);
        });
        let [.., s5, s6, s7, s8, s9] = sums;
        Loose([s5, s6, s7, s8, s9])
    }

    #[inline(always)]
    fn zero(self) -> Loose<Self::Vector> {
        Loose([self.all(0); N_LIMBS])
    }
}

impl<W: Vectors52> Parts for W {}

impl<W: Vectors52> Lanes for W {
    const LANES: usize = W::LANES;
    const INVERSION: usize = W::INVERSION;

    type Words = [W::Vector; 4];
    type Tight = Tight<W::Vector>;
    type Loose = Loose<W::Vector>;

    #[inline(always)]
    fn vectorize<K: Kernel>(self, kernel: K) -> K::Output {
        self.compile(kernel)
    }

    #[inline(always)]
    fn load(self, rows: &[&[u64; 4]; MAX_LANES]) -> Self::Words {
        self.columns(rows)
    }

    #[inline(always)]
    fn splat(self, words: &[u64; 4]) -> Self::Words {
        [self.all(words[0]), self.all(words[1]), self.all(words[2]), self.all(words[3])]
    }

    #[inline(always)]
    fn store(self, words: &Self::Words) -> Rows {
        self.rows(words)
    }

    #[inline(always)]
    fn split(self, [w0, w1, w2, w3]: &Self::Words) -> Self::Tight {
        let mask = self.all(MASK);
        Tight([
            self.and(*w0, mask),
            self.and(self.or(self.right::<52>(*w0), self.left::<12>(*w1)), mask),
            self.and(self.or(self.right::<40>(*w1), self.left::<24>(*w2)), mask),
            self.and(self.or(self.right::<28>(*w2), self.left::<36>(*w3)), mask),
            self.right::<16>(*w3),
        ])
    }

    #[inline(always)]
    fn join(self, Tight(l): &Self::Tight) -> Self::Words {
        [
            self.or(l[0], self.left::<52>(l[1])),
            self.or(self.right::<12>(l[1]), self.left::<40>(l[2])),
            self.or(self.right::<24>(l[2]), self.left::<28>(l[3])),
            self.or(self.right::<36>(l[3]), self.left::<16>(l[4])),
        ]
    }

    #[inline(always)]
    fn lowest_is_zero(self, a: &Self::Tight) -> u32 {
        self.same(a.0[0], self.all(0))
    }

    #[inline(always)]
    fn may_be_zero<M: Modulus>(self, difference: &Self::Loose) -> u32 {
        let lowest = self.and(difference.0[0], self.all(MASK));
        let is = |multiple: LimbValues| self.same(lowest, self.all(multiple[0]));
        is(Of::<M>::multiple(2)) | is(Of::<M>::THREE_P) | is(Of::<M>::multiple(4))
    }

    #[inline(always)]
    fn select(self, mask: u32, a: &Self::Loose, b: &Self::Loose) -> Self::Loose {
        let mut chosen = a.0;
        unroll!(I in [0 1 2 3 4] {
            chosen[I] = self.choose(mask, a.0[I], b.0[I]);
        });
        Loose(chosen)
    }

    #[inline(always)]
    fn loose(self, a: &Self::Tight) -> Self::Loose {
        Loose(a.0)
    }

    #[inline(always)]
    fn tight(self, a: &Self::Loose) -> Self::Tight {
        Tight(self.carry(a.0))
    }

    #[inline(always)]
    fn mul<M: Modulus>(self, a: &Self::Tight, b: &Self::Tight) -> Self::Tight {
        self.tight(&self.montgomery::<M, _>(Product(&a.0, &b.0), &self.zero()))
    }

    #[inline(always)]
    fn mul_loose<M: Modulus>(self, a: &Self::Loose, b: &Self::Tight) -> Self::Tight {
        self.tight(&self.mul_add::<M>(a, b, &self.zero()))
    }

    #[inline(always)]
    fn mul_add<M: Modulus>(self, a: &Self::Loose, b: &Self::Tight, c: &Self::Loose) -> Self::Loose {
        self.montgomery::<M, _>(Product(&self.factor(a), &b.0), c)
    }

    #[inline(always)]
    fn mul_two<M: Modulus>(self, ab: [&Self::Tight; 2], cd: [&Self::Tight; 2]) -> Self::Tight {
        self.tight(&self.mul_two_add::<M>(ab, cd, &self.zero()))
    }

    #[inline(always)]
    fn mul_two_add<M: Modulus>(
        self,
        [a, b]: [&Self::Tight; 2],
        [c, d]: [&Self::Tight; 2],
        e: &Self::Loose,
    ) -> Self::Loose {
        self.montgomery::<M, _>(TwoProducts(Product(&a.0, &b.0), Product(&c.0, &d.0)), e)
    }

    #[inline(always)]
    fn square<M: Modulus>(self, a: &Self::Tight) -> Self::Tight {
        self.tight(&self.square_add::<M>(a, &self.zero()))
    }

    #[inline(always)]
    fn square_add<M: Modulus>(self, a: &Self::Tight, c: &Self::Loose) -> Self::Loose {
        self.montgomery::<M, _>(Square(&a.0), c)
    }

    #[inline(always)]
    fn add(self, a: &Self::Tight, b: &Self::Tight) -> Self::Loose {
        let mut sum = a.0;
        unroll!(I in [0 1 2 3 4] {
            sum[I] = self.plus(sum[I], b.0[I]);
        });
        Loose(sum)
    }

    #[inline(always)]
    fn sub<M: Modulus>(self, a: &Self::Tight, b: &Self::Tight) -> Self::Loose {
        let mut difference = a.0;
        unroll!(I in [0 1 2 3 4] {
            difference[I] = self.plus(self.minus(a.0[I], b.0[I]), self.all(Of::<M>::THREE_P[I]));
        });
        Loose(difference)
    }

    #[inline(always)]
    fn signed_sub<M: Modulus>(self, negative: u32, a: &Self::Tight, b: &Self::Tight) -> Self::Loose {
        let mut signed = a.0;
        unroll!(I in [0 1 2 3 4] {
            signed[I] = self.negate(negative, a.0[I]);
        });
        self.sub::<M>(&Tight(signed), b)
    }

    #[inline(always)]
    fn four_times_sub<M: Modulus>(self, a: &Self::Tight, b: &Self::Tight) -> Self::Loose {
        let mut difference = self.sub::<M>(a, b).0;
        unroll!(I in [0 1 2 3 4] {
            difference[I] = self.left::<2>(difference[I]);
        });
        Loose(difference)
    }

    #[inline(always)]
    fn sub_two<M: Modulus>(self, a: &Self::Tight, b: &Self::Tight, c: &Self::Tight) -> Self::Loose {
        let mut difference = a.0;
        unroll!(I in [0 1 2 3 4] {
            let taken = self.plus(b.0[I], c.0[I]);
            difference[I] = self.plus(self.minus(a.0[I], taken), self.all(Of::<M>::FIVE_P[I]));
        });
        Loose(difference)
    }

    #[inline(always)]
    fn neg<M: Modulus>(self, a: &Self::Tight) -> Self::Loose {
        self.sub::<M>(&Tight([self.all(0); N_LIMBS]), a)
    }

    #[inline(always)]
    fn neg_twice_and<M: Modulus>(self, a: &Self::Tight, b: &Self::Loose) -> Self::Loose {
        let mut negated = a.0;
        unroll!(I in [0 1 2 3 4] {
            let taken = self.plus(self.plus(a.0[I], a.0[I]), b.0[I]);
            negated[I] = self.minus(self.all(Of::<M>::SEVEN_P[I]), taken);
        });
        Loose(negated)
    }

    /// Takes `q p` off, with `q` the quotient of the highest limbs rounded down.
    #[inline(always)]
    fn reduce<M: Modulus>(self, a: &Self::Loose) -> Self::Tight {
        let mut limbs = a.0;
        let top = self.right::<30>(limbs[N_LIMBS - 1]);
        let q = self.add_high(self.all(0), top, self.all(Of::<M>::RECIPROCAL));
        unroll!(I in [0 1 2 3 4] {
            limbs[I] = self.add_low(limbs[I], q, self.all(Of::<M>::COMPLEMENT[I]));
        });
        unroll!(I in [0 1 2 3] {
            limbs[I + 1] = self.add_high(limbs[I + 1], q, self.all(Of::<M>::COMPLEMENT[I]));
        });
        let mut limbs = self.carry(limbs);
        limbs[N_LIMBS - 1] = self.and(limbs[N_LIMBS - 1], self.all(MASK));
        Tight(limbs)
    }

    #[inline(always)]
    fn canonical<M: Modulus>(self, a: &Self::Loose) -> Self::Tight {
        let Tight(reduced) = self.reduce::<M>(a);
        let mut less = reduced;
        unroll!(I in [0 1 2 3 4] {
            less[I] = self.plus(reduced[I], self.all(Of::<M>::COMPLEMENT[I]));
        });
        let less = self.carry(less);
        // Bit 52 of the highest limb says that nothing had to be borrowed.
        let fits = self.same(self.right::<52>(less[N_LIMBS - 1]), self.all(1));
        let mut chosen = reduced;
        unroll!(I in [0 1 2 3 4] {
            chosen[I] = self.choose(fits, reduced[I], less[I]);
        });
        chosen[N_LIMBS - 1] = self.and(chosen[N_LIMBS - 1], self.all(MASK));
        Tight(chosen)
    }
}
