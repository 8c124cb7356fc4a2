//! Additions one at a time, two chains of products: the adder of every processor.

use ark_ff::Field;
use zeroize::Zeroize;

use super::{Adder, BATCH, add_exceptional};
use crate::cpu::lanes::{Coordinate, prefetch};

/// Pairs whose slots are fetched ahead of their use.
const AHEAD: usize = 8;

/// An affine point; infinity has `y = 0`, as no point of odd order has.
#[derive(Clone, Copy)]
pub(in crate::cpu) struct Slot<F> {
    x: F,
    y: F,
}

impl<F: Field> Zeroize for Slot<F> {
    fn zeroize(&mut self) {
        self.x.zeroize();
        self.y.zeroize();
    }
}

pub(in crate::cpu) struct Portable<F: Field> {
    /// Per pair: the product of the differences before it in its chain, and its own difference `x_from - x_into`.
    chains: Vec<(F, F)>,
}

impl<F: Coordinate> Portable<F> {
    pub(in crate::cpu) fn new() -> Self {
        Self { chains: Vec::with_capacity(BATCH) }
    }

    /// Even and odd pairs form two chains of products, so that one multiplication need not wait for another. Equal points,
    /// opposite points and infinity are added one at a time.
    #[inline(always)]
    fn add_all(
        &mut self,
        slots: &mut [Slot<F>],
        pairs: &[[u32; 2]],
        other: impl Fn(&[Slot<F>], u32) -> Slot<F>,
    ) {
        self.chains.clear();
        let mut products = [F::ONE; 2];
        for (i, &[into, from]) in pairs.iter().enumerate() {
            if let Some(&[into, _]) = pairs.get(i + AHEAD) {
                prefetch(&slots[into as usize]);
            }
            let (p, q) = (slots[into as usize], other(slots, from));
            let mut difference = q.x - p.x;
            if difference.is_zero() | p.y.is_zero() | q.y.is_zero() {
                slots[into as usize] = match add_exceptional(self.leave(&p), self.leave(&q)) {
                    Some((x, y)) => Slot { x, y },
                    None => Self::INFINITY,
                };
                // A zero difference tells the way back that the sum is there already.
                difference = F::ZERO;
                self.chains.push((F::ZERO, difference));
            } else {
                let product = &mut products[i & 1];
                self.chains.push((*product, difference));
                *product *= difference;
            }
        }
        let inverse = (products[0] * products[1]).invert::<0>().expect("a product of non-zero elements");
        let mut inverses = [inverse * products[1], inverse * products[0]];
        for (i, (&[into, from], (before, difference))) in pairs.iter().zip(&self.chains).enumerate().rev() {
            if difference.is_zero() {
                continue;
            }
            let (p, q) = (slots[into as usize], other(slots, from));
            let inverse = &mut inverses[i & 1];
            let slope = (q.y - p.y) * (*inverse * before);
            *inverse *= difference;
            let x = slope.square() - p.x - q.x;
            slots[into as usize] = Slot { x, y: slope * (p.x - x) - p.y };
        }
    }
}

impl<F: Coordinate> Adder for Portable<F> {
    type Field = F;
    type Slot = Slot<F>;

    const INFINITY: Slot<F> = Slot { x: F::ZERO, y: F::ZERO };
    const INVERSION: usize = 10;

    #[inline(always)]
    fn enter(&self, x: F, y: F, negative: u32) -> Slot<F> {
        Slot { x, y: y.signed(negative) }
    }

    #[inline(always)]
    fn leave(&self, slot: &Slot<F>) -> Option<(F, F)> {
        (!slot.y.is_zero()).then_some((slot.x, slot.y))
    }

    fn add(&mut self, slots: &mut [Slot<F>], pairs: &[[u32; 2]]) {
        self.add_all(slots, pairs, |slots, from| slots[from as usize]);
    }

    fn add_points(&mut self, slots: &mut [Slot<F>], points: &[F::Packed], pairs: &[[u32; 2]]) {
        self.add_all(slots, pairs, |_, entry| {
            let (x, y) = F::coordinates(&points[(entry >> 1) as usize]);
            Slot { x: F::from_row(x), y: F::from_row(y).signed(entry & 1) }
        });
    }
}

impl<F: Field> Drop for Portable<F> {
    fn drop(&mut self) {
        for (before, difference) in &mut self.chains {
            before.zeroize();
            difference.zeroize();
        }
    }
}
