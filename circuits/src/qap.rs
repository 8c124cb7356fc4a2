//! From R1CS to the quotient of a quadratic arithmetic program, with H in the odd-coset Lagrange form of snarkjs.
//!
//! Source: Groth 2016 (eprint 2016/260), section 3; the form of H: snarkjs `groth16_prove.js` and the `zkey` format. Let `D`
//! be the domain of size n and `w` a primitive 2n-th root of unity. `A B - C` has degree at most 2n - 2 and vanishes on `D`,
//! so its values on the odd coset `w D` determine it: the key holds `[L_(2i+1)(tau)/delta]`, L the Lagrange basis of the
//! domain of size 2n, and those values are the scalars. No division by Z, no way back: six transforms where the monomial form
//! needs seven. C is taken as `A . B`, point by point, which is right only for a satisfied witness.
//!
//! Public inputs take the rows after the constraints, in A alone, so that their polynomials are independent.

use ark_bn254::Fr;
use ark_ff::{PrimeField, Zero};
use ark_groth16::r1cs_to_qap::{LibsnarkReduction, R1CSToQAP, evaluate_constraint};
use ark_poly::EvaluationDomain;
use ark_relations::gr1cs::{ConstraintSystemRef, Matrix, SynthesisError};
use rayon::prelude::*;

use crate::shape::Shape;

/// Rows evaluated at a time.
const MIN_ROWS: usize = 1 << 10;

/// The reduction, as ark-groth16 takes it: its generator makes our keys with it, and its prover is the twin of ours.
#[derive(Debug, Clone, Copy)]
pub struct SnarkjsReduction;

impl R1CSToQAP for SnarkjsReduction {
    fn instance_map_with_evaluation<F: PrimeField, D: EvaluationDomain<F>>(
        cs: ConstraintSystemRef<F>,
        t: &F,
    ) -> Result<(Vec<F>, Vec<F>, Vec<F>, F, usize, usize), SynthesisError> {
        LibsnarkReduction::instance_map_with_evaluation::<F, D>(cs, t)
    }

    fn witness_map_from_matrices<F: PrimeField, D: EvaluationDomain<F>>(
        matrices: &[Matrix<F>],
        num_inputs: usize,
        num_constraints: usize,
        full_assignment: &[F],
    ) -> Result<Vec<F>, SynthesisError> {
        let domain = D::new(num_constraints + num_inputs).ok_or(SynthesisError::PolynomialDegreeTooLarge)?;
        let double = D::new(2 * domain.size()).ok_or(SynthesisError::PolynomialDegreeTooLarge)?;
        let [a_rows, b_rows, _] = matrices else { return Err(SynthesisError::Unsatisfiable) };
        let mut a = vec![F::zero(); domain.size()];
        let mut b = vec![F::zero(); domain.size()];
        let rows = a_rows.par_iter().zip(b_rows);
        a.par_iter_mut().zip(&mut b).zip(rows).with_min_len(MIN_ROWS).for_each(|((a, b), (a_row, b_row))| {
            *a = evaluate_constraint(a_row, full_assignment);
            *b = evaluate_constraint(b_row, full_assignment);
        });
        let mut c: Vec<F> = a.par_iter().zip(&b).map(|(a, b)| *a * b).collect();
        a[num_constraints..num_constraints + num_inputs].copy_from_slice(&full_assignment[..num_inputs]);
        for values in [&mut a, &mut b, &mut c] {
            domain.ifft_in_place(values);
            D::distribute_powers_and_mul_by_const(values, double.element(1), F::one());
            domain.fft_in_place(values);
        }
        Ok(a.par_iter().zip(&b).zip(&c).map(|((a, b), c)| *a * b - c).collect())
    }

    fn h_query_scalars<F: PrimeField, D: EvaluationDomain<F>>(
        max_power: usize,
        t: F,
        _zt: F,
        delta_inverse: F,
    ) -> Result<Vec<F>, SynthesisError> {
        // max_power is n - 1. Lagrange basis of the domain of size 2n at t, odd indices.
        let double = D::new(2 * (max_power + 1)).ok_or(SynthesisError::PolynomialDegreeTooLarge)?;
        let lagrange = double.evaluate_all_lagrange_coefficients(t);
        Ok(lagrange.into_iter().skip(1).step_by(2).map(|value| value * delta_inverse).collect())
    }
}

/// `A z` and `B z` on the domain, for `z` that satisfies `r1cs`: what
/// [`Backend::quotient`](blindsum_engine::backend::Backend::quotient) takes.
///
/// The rows of the public inputs have B = 0, so that C = A . B holds there too.
pub(crate) fn rows(shape: &Shape, z: &[Fr], [mut a, mut b]: [Vec<Fr>; 2]) -> [Vec<Fr>; 2] {
    a.extend_from_slice(&z[..shape.n_instance]);
    for values in [&mut a, &mut b] {
        // By all threads: memory that is new takes longer to touch than to fill.
        values.par_extend(rayon::iter::repeat_n(Fr::zero(), shape.domain_size() - values.len()));
    }
    [a, b]
}
