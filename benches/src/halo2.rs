//! halo2curves as a peer: the same points and scalars in its form, and its sum in ours.

use ark_ec::short_weierstrass::Affine;
use ark_ff::{BigInteger, PrimeField};
use blindsum_engine::curve::{Fq, Fr};
use blindsum_engine::points::G1;
use halo2curves::CurveAffine;
use halo2curves::bn256;
use halo2curves::ff::PrimeField as _;
use halo2curves::group::Curve as _;
use halo2curves::msm::msm_best;

/// What runs: on x86-64 its assembly, elsewhere its portable code.
pub const NAME: &str =
    if cfg!(target_arch = "x86_64") { "halo2curves 0.10 (asm)" } else { "halo2curves 0.10 (portable)" };

/// Whether this processor has what its assembly needs; it does not ask for itself.
#[must_use]
pub fn is_available() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("bmi2") && std::arch::is_x86_feature_detected!("adx");
    #[cfg(not(target_arch = "x86_64"))]
    true
}

/// Points and scalars in its form.
#[derive(Debug)]
pub struct Sum {
    points: Vec<bn256::G1Affine>,
    scalars: Vec<bn256::Fr>,
}

impl Sum {
    /// Converts, which is no part of a sum's time.
    ///
    /// # Panics
    /// When a point is infinity or not on the curve.
    #[must_use]
    pub fn new(points: &[Affine<G1>], scalars: &[Fr]) -> Self {
        let point = |point: &Affine<G1>| {
            bn256::G1Affine::from_xy(transfer(&point.x), transfer(&point.y)).expect("on the curve")
        };
        Self { points: points.iter().map(point).collect(), scalars: scalars.iter().map(transfer).collect() }
    }

    /// `msm_best`.
    #[must_use]
    pub fn best(&self) -> bn256::G1 {
        msm_best(&self.scalars, &self.points)
    }
}

/// The same point in our form.
pub fn to_ark(point: &bn256::G1) -> Affine<G1> {
    let point = point.to_affine();
    let coordinate = |value: &bn256::Fq| Fq::from_le_bytes_mod_order(value.to_repr().as_ref());
    Affine::new(coordinate(&point.x), coordinate(&point.y))
}

/// The same element in the peer's field, through its canonical bytes.
fn transfer<F: PrimeField, T: halo2curves::ff::PrimeField>(value: &F) -> T {
    let mut bytes = T::Repr::default();
    bytes.as_mut().copy_from_slice(&value.into_bigint().to_bytes_le());
    T::from_repr(bytes).expect("the same modulus")
}
