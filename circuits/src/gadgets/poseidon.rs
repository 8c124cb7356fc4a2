//! Poseidon with circomlib's parameters, as `engine::poseidon`.
//!
//! Source: Grassi et al. 2021 (eprint 2019/458), section 2; circomlib `poseidon.circom` for constants and round order.
//! Cost: three constraints per S-box `x^5`; the first S-box acts on a constant. Width 3: 240, width 5: 297, width 8: 381.

use ark_bn254::Fr;
use ark_ff::Field;
use blindsum_engine::poseidon::parameters;

use crate::r1cs::{Builder, Num};

/// The hash of 2, 4 or 7 elements.
///
/// # Panics
/// For another number of inputs: a fault of the circuit, never of its input.
pub(crate) fn hash(b: &mut Builder, inputs: &[&Num]) -> Num {
    let width = inputs.len() + 1;
    let p = parameters(width);
    let mut state: Vec<Num> =
        std::iter::once(Num::default()).chain(inputs.iter().map(|&n| n.clone())).collect();
    let half = p.full_rounds / 2;
    let rounds = p.full_rounds + p.partial_rounds;
    for round in 0..rounds {
        for (lane, constant) in state.iter_mut().zip(&p.ark[round * width..]) {
            *lane = &*lane + &b.constant(*constant);
        }
        if round == 0 {
            // Lane 0 is still a constant: no variable, no constraint.
            state[0] = b.constant(state[0].value().pow([5]));
        } else {
            state[0] = fifth_power(b, &state[0]);
        }
        if round < half || round >= half + p.partial_rounds {
            for lane in &mut state[1..] {
                *lane = fifth_power(b, lane);
            }
        }
        let mixed = |row: &Vec<Fr>| Num::combine(state.iter().zip(row.iter().copied()));
        if round == rounds - 1 {
            return mixed(&p.mds[0]);
        }
        state = p.mds.iter().map(mixed).collect();
    }
    Num::default()
}

fn fifth_power(b: &mut Builder, x: &Num) -> Num {
    let x2 = b.mul(x, x);
    let x4 = b.mul(&x2, &x2);
    b.mul(&x4, x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_engine_and_counts() {
        for (n_inputs, n_constraints) in [(2usize, 240), (4, 297), (7, 381)] {
            let values: Vec<Fr> = (0..n_inputs as u64).map(|i| Fr::from(i * i + 3)).collect();
            let (mut b, inputs) = Builder::for_assignment(&values);
            let digest = hash(&mut b, &inputs.iter().collect::<Vec<_>>());
            assert_eq!(digest.value(), blindsum_engine::poseidon::hash(&values));
            assert!(b.into_assignment().1.is_empty());

            let (mut b, inputs) = Builder::for_shape(&values);
            hash(&mut b, &inputs.iter().collect::<Vec<_>>());
            assert_eq!(b.into_r1cs().map(|r1cs| r1cs.n_constraints()), Some(n_constraints));
        }
    }
}
