//! `sum_i s_i P_i` for scalars of full width, by ark-ec's bucket method on all threads.
//!
//! Timing depends on the scalars.

use ark_ec::{VariableBaseMSM, short_weierstrass::Projective};
use ark_ff::{PrimeField, Zero};
use rayon::prelude::*;

use crate::{
    backend::check_msm,
    error::EngineError,
    points::{Curve, Points},
};

/// See [`crate::backend::Backend::msm_g1_vartime`].
pub(super) fn msm_vartime<C: Curve>(
    points: &Points<C>,
    scalars: &[C::ScalarField],
) -> Result<Projective<C>, EngineError> {
    check_msm(points.len(), scalars.len())?;
    if points.is_empty() {
        return Ok(Projective::zero());
    }
    let scalars: Vec<_> = scalars.par_iter().map(|scalar| scalar.into_bigint()).collect();
    Ok(Projective::msm_bigint(&points.unpack(), &scalars))
}
