//! Poseidon over [`Fr`] with circomlib's parameters (x^5, 8 full rounds).
//!
//! Source: Grassi et al., "Poseidon", USENIX Security 2021; parameters of circomlib. Width is the
//! number of inputs plus one, the initial state is `[0, inputs...]`, the output is `state[0]`.

use std::sync::OnceLock;

use ark_ff::{Field, Zero};
use light_poseidon::parameters::bn254_x5::get_poseidon_parameters;

use crate::curve::Fr;

/// Round constants and matrix of one width.
#[derive(Debug)]
pub struct Parameters {
    /// State elements: inputs + 1.
    pub width: usize,
    /// Rounds in which every element passes the S-box, half of them before the partial rounds.
    pub full_rounds: usize,
    /// Rounds in which only the first element does.
    pub partial_rounds: usize,
    /// Round constants, `width` for each round in order.
    pub ark: Vec<Fr>,
    /// The MDS matrix by rows: `new[i] = sum_j mds[i][j] * old[j]`.
    pub mds: Vec<Vec<Fr>>,
}

/// The parameters of a width in use: 3 (two inputs), 5 (four) or 8 (seven).
///
/// # Panics
/// For any other width; widths are constants of the code.
#[must_use]
pub fn parameters(width: usize) -> &'static Parameters {
    static WIDTHS: [OnceLock<Parameters>; 3] = [const { OnceLock::new() }; 3];
    let index = match width {
        3 => 0,
        5 => 1,
        8 => 2,
        _ => panic!("no Poseidon of width {width} is in use"),
    };
    WIDTHS[index].get_or_init(|| {
        let p = get_poseidon_parameters::<Fr>(width as u8).expect("the crate has widths 2 to 13");
        Parameters {
            width,
            full_rounds: p.full_rounds,
            partial_rounds: p.partial_rounds,
            ark: p.ark,
            mds: p.mds,
        }
    })
}

/// The hash of two, four or seven field elements.
///
/// # Panics
/// For any other number of inputs.
#[must_use]
pub fn hash(inputs: &[Fr]) -> Fr {
    let p = parameters(inputs.len() + 1);
    let mut state = [Fr::zero(); 8];
    let state = &mut state[..p.width];
    state[1..].copy_from_slice(inputs);
    let first_partial = p.full_rounds / 2;
    let partial = first_partial..first_partial + p.partial_rounds;
    for (round, constants) in p.ark.chunks_exact(p.width).enumerate() {
        for (element, constant) in state.iter_mut().zip(constants) {
            *element += constant;
        }
        if partial.contains(&round) {
            state[0] = fifth_power(state[0]);
        } else {
            state.iter_mut().for_each(|element| *element = fifth_power(*element));
        }
        let mut mixed = [Fr::zero(); 8];
        for (element, row) in mixed.iter_mut().zip(&p.mds) {
            *element = row.iter().zip(&*state).map(|(m, s)| *m * s).sum();
        }
        state.copy_from_slice(&mixed[..p.width]);
    }
    state[0]
}

fn fifth_power(x: Fr) -> Fr {
    x.square().square() * x
}

#[cfg(test)]
mod tests {
    use light_poseidon::{Poseidon, PoseidonHasher};

    use super::*;

    #[test]
    fn equals_circomlib_known_answers() {
        // circomlibjs: poseidon([1, 2]) and poseidon([1, 2, 3, 4]).
        let two = hash(&[1u8, 2].map(Fr::from));
        assert_eq!(
            two.to_string(),
            "7853200120776062878684798364095072458815029376092732009249414926327459813530"
        );
        let four = hash(&[1u8, 2, 3, 4].map(Fr::from));
        assert_eq!(
            four.to_string(),
            "18821383157269793795438455681495246036402687001665670618754263018637548127333"
        );
    }

    #[test]
    fn equals_the_reference_crate() {
        for n in [2usize, 4, 7] {
            let inputs: Vec<Fr> = (0..n as u64).map(|i| -Fr::from(i * 977 + 5)).collect();
            assert_eq!(hash(&inputs), Poseidon::<Fr>::new_circom(n).unwrap().hash(&inputs).unwrap());
        }
    }
}
