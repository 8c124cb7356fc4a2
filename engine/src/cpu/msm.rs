//! `sum_i s_i P_i` for scalars of full width, by ark-ec's bucket method on all threads.
//!
//! Timing depends on the scalars.

use ark_ec::{VariableBaseMSM, short_weierstrass::Projective};
use ark_ff::{PrimeField, Zero};
use rayon::prelude::*;

use crate::{
    backend::check_msm,
    error::EngineError,
    points::{Curve, PackedPoint, Points},
};

/// Points of one thread that ark-ec gets at once. It copies points and scalars by groups and writes every digit down, about
/// 350 bytes a point with ours, which for all points of a large proof would be more than everything else; with fewer at once
/// the buckets would weigh more.
const BATCH_OF_A_THREAD: usize = 1 << 17;

/// See [`crate::backend::Backend::msm_g1_vartime`].
pub(super) fn msm_vartime<C: Curve>(
    points: &Points<C>,
    scalars: &[C::ScalarField],
) -> Result<Projective<C>, EngineError> {
    check_msm(points.len(), scalars.len())?;
    if points.is_empty() {
        return Ok(Projective::zero());
    }
    let n_batches = points.len().div_ceil(BATCH_OF_A_THREAD * rayon::current_num_threads());
    let batch = points.len().div_ceil(n_batches);
    let sum_of = |(points, scalars): (&[PackedPoint], &[C::ScalarField])| {
        let points: Vec<_> = points.par_iter().map(PackedPoint::unpack).collect();
        let scalars: Vec<_> = scalars.par_iter().map(|scalar| scalar.into_bigint()).collect();
        Projective::<C>::msm_bigint(&points, &scalars)
    };
    Ok(points.as_slice().chunks(batch).zip(scalars.chunks(batch)).map(sum_of).sum())
}
