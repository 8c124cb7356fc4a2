//! The points of a curve in the form that every backend reads: 64 bytes each, Montgomery limbs, affine.
//!
//! A [`Points`] never changes and is cheap to clone. A backend may keep a copy in its own memory: [`Points::digest`] says
//! which points they are, and a [`WeakPoints`] when nobody can ask for them any more. Nothing here is secret.

use std::{
    fmt,
    marker::PhantomData,
    sync::{Arc, OnceLock, Weak},
};

use ark_bn254::{Fq2, G2Affine};
use ark_ec::short_weierstrass::{Affine, SWCurveConfig};
use ark_ff::{BigInt, PrimeField};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::error::Misuse;

/// G1 of BN254: coordinates in [`ark_bn254::Fq`], scalars in [`ark_bn254::Fr`].
pub type G1 = ark_bn254::g1::Config;
/// A point of G1 in projective coordinates.
pub type G1Projective = ark_bn254::G1Projective;
/// A point of G2 in projective coordinates.
pub type G2Projective = ark_bn254::G2Projective;
/// Grumpkin: coordinates in [`ark_bn254::Fr`], scalars in [`ark_bn254::Fq`].
pub type Grumpkin = ark_grumpkin::GrumpkinConfig;

/// Points hashed at a time.
const CHUNK: usize = 1 << 14;

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::G1 {}
    impl Sealed for super::Grumpkin {}
}

/// A curve that backends compute on: short Weierstrass with `a = 0`, cofactor 1, both fields in four 64-bit limbs.
///
/// `(0, 0)` is on none of them and stands for infinity, in ark-ec (`ZeroFlag = ()`) as here.
pub trait Curve:
    sealed::Sealed
    + SWCurveConfig<
        BaseField: PrimeField<BigInt = BigInt<4>>,
        ScalarField: PrimeField<BigInt = BigInt<4>>,
        ZeroFlag = (),
    >
{
    /// Its name in digests and errors.
    const NAME: &'static str;

    /// The Montgomery limbs of a coordinate, least significant first.
    fn base_limbs(value: &Self::BaseField) -> [u64; 4];

    /// The coordinate with these Montgomery limbs, which must be below the modulus.
    fn base_from_limbs(limbs: [u64; 4]) -> Self::BaseField;

    /// The Montgomery limbs of a scalar, least significant first.
    fn scalar_limbs(value: &Self::ScalarField) -> [u64; 4];
}

impl Curve for G1 {
    const NAME: &'static str = "bn254 g1";

    fn base_limbs(value: &ark_bn254::Fq) -> [u64; 4] {
        value.0.0
    }

    fn base_from_limbs(limbs: [u64; 4]) -> ark_bn254::Fq {
        ark_bn254::Fq::new_unchecked(BigInt(limbs))
    }

    fn scalar_limbs(value: &ark_bn254::Fr) -> [u64; 4] {
        value.0.0
    }
}

impl Curve for Grumpkin {
    const NAME: &'static str = "grumpkin";

    fn base_limbs(value: &ark_bn254::Fr) -> [u64; 4] {
        value.0.0
    }

    fn base_from_limbs(limbs: [u64; 4]) -> ark_bn254::Fr {
        ark_bn254::Fr::new_unchecked(BigInt(limbs))
    }

    fn scalar_limbs(value: &ark_bn254::Fq) -> [u64; 4] {
        value.0.0
    }
}

/// An affine point in internal form: `x || y`, each four 64-bit limbs in Montgomery form, least significant first.
/// Infinity is all zeros. Which curve it lies on is for the holder to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct PackedPoint {
    x: [u64; 4],
    y: [u64; 4],
}

impl PackedPoint {
    /// The point at infinity.
    pub const INFINITY: Self = Self { x: [0; 4], y: [0; 4] };

    /// The internal form of a point.
    #[must_use]
    pub fn pack<C: Curve>(point: &Affine<C>) -> Self {
        Self { x: C::base_limbs(&point.x), y: C::base_limbs(&point.y) }
    }

    /// The same point for ark-ec. Neither the limbs nor the curve equation are checked.
    pub fn unpack<C: Curve>(&self) -> Affine<C> {
        let (x, y) = self.coordinates::<C>();
        Affine::new_unchecked(x, y)
    }

    /// The coordinates; `(0, 0)` at infinity.
    #[inline]
    pub(crate) fn coordinates<C: Curve>(&self) -> (C::BaseField, C::BaseField) {
        (C::base_from_limbs(self.x), C::base_from_limbs(self.y))
    }

    /// The limbs of both coordinates where they lie.
    #[inline]
    pub(crate) const fn limbs(&self) -> (&[u64; 4], &[u64; 4]) {
        (&self.x, &self.y)
    }

    /// Canonical limbs, and on the curve or at infinity.
    pub(crate) fn is_valid<C: Curve>(&self) -> bool {
        let canonical = |limbs: [u64; 4]| BigInt(limbs) < C::BaseField::MODULUS;
        canonical(self.x) && canonical(self.y) && self.unpack::<C>().is_on_curve()
    }
}

/// A point of G2 in internal form: `x.c0 || x.c1 || y.c0 || y.c1`, each four 64-bit limbs in Montgomery form, least significant
/// first. Infinity is all zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub struct PackedG2 {
    x: [[u64; 4]; 2],
    y: [[u64; 4]; 2],
}

impl PackedG2 {
    /// The point at infinity.
    pub const INFINITY: Self = Self { x: [[0; 4]; 2], y: [[0; 4]; 2] };

    /// The internal form of a point.
    #[must_use]
    pub fn pack(point: &G2Affine) -> Self {
        let limbs = |value: &Fq2| [G1::base_limbs(&value.c0), G1::base_limbs(&value.c1)];
        Self { x: limbs(&point.x), y: limbs(&point.y) }
    }

    /// The same point for ark-ec. Neither the limbs nor the curve equation are checked.
    pub fn unpack(&self) -> G2Affine {
        let value = |[c0, c1]: [[u64; 4]; 2]| Fq2::new(G1::base_from_limbs(c0), G1::base_from_limbs(c1));
        G2Affine::new_unchecked(value(self.x), value(self.y))
    }

    /// The limbs of both coordinates where they lie.
    #[inline]
    pub(crate) const fn limbs(&self) -> (&[[u64; 4]; 2], &[[u64; 4]; 2]) {
        (&self.x, &self.y)
    }

    /// Canonical limbs, on the curve, and in the subgroup of order r.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        let canonical = |limbs: &[u64; 4]| BigInt(*limbs) < ark_bn254::Fq::MODULUS;
        let point = self.unpack();
        self.x.iter().chain(&self.y).all(canonical)
            && point.is_on_curve()
            && point.is_in_correct_subgroup_assuming_on_curve()
    }
}

/// What points are kept in: memory of their own, or a mapped file.
pub type Storage = dyn AsRef<[PackedPoint]> + Send + Sync;

/// Points of one curve, ready for a backend to keep. Cheap to clone: the points are shared.
pub struct Points<C: Curve> {
    shared: Arc<Shared>,
    curve: PhantomData<C>,
}

struct Shared {
    storage: Arc<Storage>,
    len: usize,
    digest: OnceLock<[u8; 32]>,
}

impl<C: Curve> Points<C> {
    /// Packs the points of a slice.
    #[must_use]
    pub fn new(points: &[Affine<C>]) -> Self {
        Self::from_packed(points.par_iter().map(PackedPoint::pack).collect())
    }

    /// Takes points that are packed already. They are not checked: see [`Points::check`].
    #[must_use]
    pub fn from_packed(points: Vec<PackedPoint>) -> Self {
        Self::from_storage(Arc::new(points))
    }

    /// Points that lie where they are, such as in a mapped file. The storage must give the same slice every time. They are not
    /// checked: see [`Points::check`].
    #[must_use]
    pub fn from_storage(storage: Arc<Storage>) -> Self {
        let len = (*storage).as_ref().len();
        Self::with_len(storage, len)
    }

    fn with_len(storage: Arc<Storage>, len: usize) -> Self {
        let shared = Arc::new(Shared { storage, len, digest: OnceLock::new() });
        Self { shared, curve: PhantomData }
    }

    /// The first `n` points, without a copy; `None` if there are fewer.
    #[must_use]
    pub fn prefix(&self, n: usize) -> Option<Self> {
        match n {
            n if n > self.len() => None,
            // A clone, and not points of their own that a device would have to be given again.
            n if n == self.len() => Some(self.clone()),
            n => Some(Self::with_len(Arc::clone(&self.shared.storage), n)),
        }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.len
    }

    /// True if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The points in internal form.
    #[must_use]
    pub fn as_slice(&self) -> &[PackedPoint] {
        &(*self.shared.storage).as_ref()[..self.shared.len]
    }

    /// The points for ark-ec, unchecked.
    #[must_use]
    pub fn unpack(&self) -> Vec<Affine<C>> {
        self.as_slice().par_iter().map(PackedPoint::unpack).collect()
    }

    /// SHA-256 of the curve's name, the number of points and the SHA-256 of each `2^14` packed points. Computed once for
    /// all clones.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        if let Some(digest) = self.shared.digest.get() {
            return *digest;
        }
        // Outside of the lock: a thread that waits for rayon takes up other work, and that could be this again.
        let table: Vec<u8> = self
            .as_slice()
            .par_chunks(CHUNK)
            .flat_map_iter(|chunk| <[u8; 32]>::from(Sha256::digest(bytemuck::cast_slice(chunk))))
            .collect();
        let digest = Sha256::new()
            .chain_update((C::NAME.len() as u64).to_le_bytes())
            .chain_update(C::NAME)
            .chain_update((self.len() as u64).to_le_bytes())
            .chain_update(table)
            .finalize()
            .into();
        *self.shared.digest.get_or_init(|| digest)
    }

    /// A reference that does not keep the points.
    #[must_use]
    pub fn downgrade(&self) -> WeakPoints {
        WeakPoints(Arc::downgrade(&self.shared))
    }

    /// Checks that every point has canonical coordinates and is on the curve or at infinity.
    ///
    /// # Errors
    /// [`Misuse::NotOnCurve`] naming the first point that is not.
    pub fn check(&self) -> Result<(), Misuse> {
        match self.as_slice().par_iter().position_first(|point| !point.is_valid::<C>()) {
            Some(index) => Err(Misuse::NotOnCurve { curve: C::NAME, index }),
            None => Ok(()),
        }
    }
}

impl<C: Curve> Clone for Points<C> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), curve: PhantomData }
    }
}

impl<C: Curve> fmt::Debug for Points<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Points").field("curve", &C::NAME).field("len", &self.len()).finish_non_exhaustive()
    }
}

/// Remembers some [`Points`] without keeping them, for a device that holds their copy.
#[derive(Clone)]
pub struct WeakPoints(Weak<Shared>);

impl WeakPoints {
    /// True while a clone of the points is left.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.0.strong_count() > 0
    }
}

impl fmt::Debug for WeakPoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakPoints").field("is_alive", &self.is_alive()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use ark_ec::AffineRepr;
    use ark_ff::AdditiveGroup;

    use super::*;

    /// `0 P, 1 P, .. , (n - 1) P` of the generator: infinity comes first.
    fn multiples<C: Curve>(n: u64) -> Vec<Affine<C>> {
        (0..n).map(|k| (Affine::<C>::generator() * C::ScalarField::from(k)).into()).collect()
    }

    fn round_trip<C: Curve>() {
        let points = multiples::<C>(70);
        let packed = Points::new(&points);
        assert_eq!(packed.as_slice()[0], PackedPoint::INFINITY);
        assert!(packed.as_slice()[0].unpack::<C>().is_zero());
        assert_eq!(packed.unpack(), points);
        assert_eq!(packed.check(), Ok(()));
        let limbs: [u64; 8] = bytemuck::cast(packed.as_slice()[9]);
        assert_eq!(limbs[..4], C::base_limbs(&points[9].x));
        assert_eq!(limbs[4..], C::base_limbs(&points[9].y));
        assert!(Points::<C>::new(&[]).is_empty());
        assert_eq!(Points::<C>::new(&[]).check(), Ok(()));
    }

    #[test]
    fn packing_keeps_every_point() {
        round_trip::<G1>();
        round_trip::<Grumpkin>();
    }

    #[test]
    fn the_digest_is_of_the_content() {
        let points = multiples::<Grumpkin>(50);
        let all = Points::new(&points);
        assert_eq!(all.digest(), Points::new(&points).digest());
        assert_eq!(all.digest(), all.clone().digest());
        let short = all.prefix(49).expect("there are 50");
        assert_eq!(short.digest(), Points::new(&points[..49]).digest());
        let mut other = points.clone();
        other.swap(3, 4);
        let digests = [
            all.digest(),
            short.digest(),
            Points::new(&other).digest(),
            Points::<G1>::from_packed(all.as_slice().to_vec()).digest(),
            Points::<Grumpkin>::new(&[]).digest(),
            Points::<G1>::new(&[]).digest(),
            Points::<Grumpkin>::new(&[Affine::zero()]).digest(),
        ];
        for (i, digest) in digests.iter().enumerate() {
            assert!(!digests[..i].contains(digest), "digest {i} is that of others");
        }
        // More than one chunk; a change in the last point counts.
        let mut long = vec![all.as_slice()[1]; CHUNK + 1];
        let before = Points::<Grumpkin>::from_packed(long.clone()).digest();
        long[CHUNK] = all.as_slice()[2];
        assert_ne!(Points::<Grumpkin>::from_packed(long).digest(), before);
    }

    #[test]
    fn a_prefix_shares_the_points() {
        let all = Points::new(&multiples::<G1>(20));
        let short = all.prefix(7).expect("there are 20");
        assert_eq!(short.len(), 7);
        assert!(std::ptr::eq(short.as_slice().as_ptr(), all.as_slice().as_ptr()));
        assert!(all.prefix(21).is_none());
        assert!(all.prefix(0).expect("none are asked for").is_empty());
        assert!(short.prefix(8).is_none(), "a prefix ends where it ends");
        drop(all);
        assert_eq!(short.unpack(), multiples::<G1>(7));
    }

    #[test]
    fn a_weak_reference_outlives_the_points() {
        let all = Points::new(&multiples::<G1>(5));
        let weak = all.downgrade();
        let (clone, same) = (all.clone(), all.prefix(5).expect("all of them"));
        drop((all, clone));
        assert!(weak.is_alive());
        drop(same);
        assert!(!weak.is_alive());
    }

    fn check_finds<C: Curve>() {
        let good = Points::new(&multiples::<C>(40_000));
        let wrong = |index| Err(Misuse::NotOnCurve { curve: C::NAME, index });
        for (first, second) in [(17, 39_999), (0, 1), (39_998, 39_999)] {
            let mut packed = good.as_slice().to_vec();
            // The point `(x, x)`, and then `x + p`, which is not canonical but the same coordinate.
            packed[second].y = packed[second].x;
            assert_eq!(Points::<C>::from_packed(packed.clone()).check(), wrong(second));
            packed[first].x = add(packed[first].x, C::BaseField::MODULUS.0);
            assert_eq!(Points::<C>::from_packed(packed).check(), wrong(first));
        }
        // `(0, y)` and `(x, 0)` are not infinity.
        for (x, y) in
            [([0; 4], [1; 4]), (C::base_limbs(&C::BaseField::from(2u8)), C::base_limbs(&C::BaseField::ZERO))]
        {
            assert_eq!(Points::<C>::from_packed(vec![PackedPoint { x, y }]).check(), wrong(0));
        }
    }

    fn add(mut a: [u64; 4], b: [u64; 4]) -> [u64; 4] {
        let mut carry = false;
        for (a, b) in a.iter_mut().zip(b) {
            let (sum, first) = a.overflowing_add(b);
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            (*a, carry) = (sum, first | second);
        }
        assert!(!carry, "both moduli leave two bits");
        a
    }

    #[test]
    fn packing_keeps_every_point_of_g2() {
        for k in 0u64..20 {
            let point = (G2Affine::generator() * ark_bn254::Fr::from(k)).into();
            let packed = PackedG2::pack(&point);
            assert_eq!(packed.unpack(), point);
            assert_eq!(packed == PackedG2::INFINITY, k == 0);
            assert!(packed.is_valid());
        }
    }

    #[test]
    fn points_that_are_none_are_found() {
        check_finds::<G1>();
        check_finds::<Grumpkin>();
    }
}
