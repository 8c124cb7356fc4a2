//! The 4-ary Poseidon tree of the roster and of the leaves, as `engine::tree`. 297 constraints a node of four, 240 of two.

use super::poseidon::hash;
use crate::r1cs::{Builder, Num};

/// The root over `leaves`, in slot order. Two remaining nodes are joined by the 2-input hash.
pub(crate) fn root(b: &mut Builder, leaves: &[Num]) -> Num {
    let mut level = leaves.to_vec();
    while level.len() > 1 {
        let arity = if level.len() == 2 { 2 } else { 4 };
        let nodes: Vec<Vec<&Num>> = level.chunks(arity).map(|children| children.iter().collect()).collect();
        level = b.sections(nodes.len(), |b, index| hash(b, &nodes[index]));
    }
    level.pop().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ark_bn254::Fr;

    #[test]
    fn agrees_with_the_engine() {
        for n in [16u64, 64, 128, 256] {
            let values: Vec<Fr> = (0..n).map(|i| Fr::from(i + 1)).collect();
            let (mut b, inputs) = Builder::for_assignment(&values);
            assert_eq!(root(&mut b, &inputs).value(), blindsum_engine::tree::root(&values));
            assert!(b.into_assignment().1.is_empty());
        }
    }
}
