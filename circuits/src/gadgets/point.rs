//! Grumpkin points (`y^2 = x^3 - 17` over the circuit's field) and their incomplete addition.
//!
//! Source: affine chord and tangent formulas. A chord through two points with one x-coordinate is either vertical or not a
//! chord at all, so each addition also proves `x_1 != x_2` by an inverse: with that, `x_3` and `y_3` are unique.

use ark_bn254::Fr;
use ark_ff::{Field, One, Zero};
use blindsum_engine::cpu::inverse_vartime;
use blindsum_engine::curve::Point;

use super::bits::select;
use crate::r1cs::{Builder, Num};

/// The curve's constant: `y^2 = x^3 - 17`.
const MINUS_B: u64 = 17;

/// Coordinates, not necessarily of a point on the curve: what a prover claims.
pub(crate) type Coordinates = (Fr, Fr);

/// An affine point in the circuit; never infinity.
#[derive(Clone, Debug)]
pub(crate) struct PointVar {
    pub(crate) x: Num,
    pub(crate) y: Num,
}

impl PointVar {
    pub(crate) fn constant(b: &Builder, point: &Point) -> Self {
        PointVar { x: b.constant(point.x), y: b.constant(point.y) }
    }

    /// New variables, bound to nothing yet.
    pub(crate) fn alloc(b: &mut Builder, (x, y): Coordinates) -> Self {
        PointVar { x: b.alloc(x), y: b.alloc(y) }
    }

    /// The point satisfies the curve's equation. Three constraints.
    pub(crate) fn enforce_on_curve(&self, b: &mut Builder) {
        let x_squared = b.mul(&self.x, &self.x);
        let x_cubed = b.mul(&x_squared, &self.x);
        let right = &x_cubed - &b.constant(Fr::from(MINUS_B));
        b.enforce(&self.y, &self.y, &right);
    }

    /// `self + other` where the x-coordinates differ; unsatisfiable where they do not. Four constraints.
    pub(crate) fn add(&self, b: &mut Builder, other: &PointVar) -> PointVar {
        let dx = &other.x - &self.x;
        let dy = &other.y - &self.y;
        let one = b.constant(Fr::one());
        let inverse = b.within("distinct x", |b| {
            let inverse = b.alloc(inverse_vartime(dx.value()).unwrap_or_default());
            b.enforce(&inverse, &dx, &one);
            inverse
        });
        let slope = b.alloc(dy.value() * inverse.value());
        b.enforce(&slope, &dx, &dy);
        self.third(b, &slope, other)
    }

    /// `2 self` for a point on the curve, where `y != 0` since the order is odd. Four constraints.
    pub(crate) fn double(&self, b: &mut Builder) -> PointVar {
        let x_squared = b.mul(&self.x, &self.x);
        let rise = x_squared.scale(Fr::from(3u8));
        let run = self.y.scale(Fr::from(2u8));
        let slope = b.alloc(rise.value() * inverse_vartime(run.value()).unwrap_or_default());
        b.enforce(&slope, &run, &rise);
        self.third(b, &slope, self)
    }

    /// The negated third intersection of the line through `self` and `other` with the given slope. Two constraints.
    fn third(&self, b: &mut Builder, slope: &Num, other: &PointVar) -> PointVar {
        let l = slope.value();
        let x_value = l.square() - self.x.value() - other.x.value();
        let x = b.alloc(x_value);
        b.enforce(slope, slope, &(&(&x + &self.x) + &other.x));
        let y = b.alloc(l * (self.x.value() - x.value()) - self.y.value());
        b.enforce(slope, &(&self.x - &x), &(&y + &self.y));
        PointVar { x, y }
    }

    /// `on_true` if the bit is 1, `on_false` if it is 0. Two constraints.
    pub(crate) fn select(b: &mut Builder, bit: &Num, on_true: &PointVar, on_false: &PointVar) -> PointVar {
        PointVar { x: select(b, bit, &on_true.x, &on_false.x), y: select(b, bit, &on_true.y, &on_false.y) }
    }

    /// If the bit is 1 the points are equal. Two constraints.
    pub(crate) fn enforce_equal_if(b: &mut Builder, bit: &Num, left: &PointVar, right: &PointVar) {
        let zero = Num::default();
        b.enforce(bit, &(&left.x - &right.x), &zero);
        b.enforce(bit, &(&left.y - &right.y), &zero);
    }

    #[cfg(test)]
    pub(crate) fn value(&self) -> Coordinates {
        (self.x.value(), self.y.value())
    }
}

/// Coordinates of a point.
///
/// # Panics
/// Never for points of this crate's callers: infinity has no coordinates, and decoders refuse it.
pub(crate) fn coordinates(point: &Point) -> Coordinates {
    debug_assert!(!(point.x.is_zero() && point.y.is_zero()), "infinity has no coordinates");
    (point.x, point.y)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_ec::CurveGroup;
    use blindsum_engine::curve::generator;

    fn multiple(k: u64) -> Point {
        (generator() * ark_bn254::Fq::from(k)).into_affine()
    }

    fn add(p: Coordinates, q: Coordinates) -> (Coordinates, Vec<String>) {
        let (mut b, _) = Builder::for_assignment(&[]);
        let (p, q) = (PointVar::alloc(&mut b, p), PointVar::alloc(&mut b, q));
        let sum = p.add(&mut b, &q).value();
        (sum, b.into_assignment().1)
    }

    #[test]
    fn sums_and_doubles() {
        let (sum, unsatisfied) = add(coordinates(&multiple(5)), coordinates(&multiple(7)));
        assert_eq!((sum, unsatisfied), (coordinates(&multiple(12)), vec![]));
        let (mut b, _) = Builder::for_assignment(&[]);
        let p = PointVar::alloc(&mut b, coordinates(&multiple(5)));
        p.enforce_on_curve(&mut b);
        assert_eq!(p.double(&mut b).value(), coordinates(&multiple(10)));
        assert!(b.into_assignment().1.is_empty());
    }

    #[test]
    fn equal_and_opposite_points_do_not_add() {
        let p = multiple(5);
        // Twice the point: any slope would do, were it not for the inverse. The opposite point: no slope does either.
        assert_eq!(add(coordinates(&p), coordinates(&p)).1, ["distinct x"]);
        assert_eq!(add(coordinates(&p), coordinates(&-p)).1, ["distinct x", ""]);
    }

    #[test]
    fn off_the_curve() {
        let (mut b, _) = Builder::for_assignment(&[]);
        PointVar::alloc(&mut b, (Fr::one(), Fr::one())).enforce_on_curve(&mut b);
        PointVar::alloc(&mut b, (Fr::zero(), Fr::zero())).enforce_on_curve(&mut b);
        assert_eq!(b.into_assignment().1.len(), 1, "neighbouring failures of one namespace are merged");
    }
}
