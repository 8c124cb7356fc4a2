//! What an honest setup never produces and a skipped or broken one does.
//!
//! Deployed verifiers have been drained because their key's second phase was skipped (gamma = delta): anybody can forge
//! under such a key. The lint runs wherever a key is made, loaded or exported. Passing it does not show that a setup was
//! honest, only that the key is not one of the known bad shapes.

#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ark_bn254::{G1Affine, G2Affine};
use ark_ec::AffineRepr;

use crate::{
    certificate::public_input_count,
    codec::{check_g1, check_g2},
    error::{Element, LintError},
    verifying_key::VerifyingKey,
};

/// Checks a key's shape:
/// 1. IC has one point for the constant and one per public input of this cohort size;
/// 2. every point is finite, on its curve and in the subgroup;
/// 3. no two of beta, gamma, delta are equal or opposite, and no two of alpha, IC\[0\], IC\[1\], ...;
/// 4. alpha, beta and delta are not the standard generators or their opposites. (gamma may be: a ceremony leaves it there.)
///
/// # Errors
/// The first of these that fails.
pub fn lint(key: &VerifyingKey) -> Result<(), LintError> {
    let expected = public_input_count(key.size).saturating_add(1);
    if key.ic.len() != expected {
        return Err(LintError::IcLength { expected, got: key.ic.len() });
    }

    let mut g1 = vec![(Element::Alpha, key.alpha_g1)];
    g1.extend(key.ic.iter().enumerate().map(|(i, point)| (Element::Ic(i), *point)));
    let g2 = [(Element::Beta, key.beta_g2), (Element::Gamma, key.gamma_g2), (Element::Delta, key.delta_g2)];
    for (element, point) in &g1 {
        check_g1(point, *element)?;
    }
    for (element, point) in &g2 {
        check_g2(point, *element)?;
    }

    distinct(&g2)?;
    distinct(&g1)?;

    if key.alpha_g1.x == G1Affine::generator().x {
        return Err(LintError::Generator { element: Element::Alpha });
    }
    for (element, point) in [(Element::Beta, key.beta_g2), (Element::Delta, key.delta_g2)] {
        if point.x == G2Affine::generator().x {
            return Err(LintError::Generator { element });
        }
    }
    Ok(())
}

/// No two finite points are equal or opposite, that is, share their x-coordinate.
fn distinct<P: AffineRepr>(points: &[(Element, P)]) -> Result<(), LintError> {
    for (i, (second, q)) in points.iter().enumerate() {
        for (first, p) in points.iter().take(i) {
            if p.x() == q.x() {
                return Err(LintError::Related { first: *first, second: *second });
            }
        }
    }
    Ok(())
}
