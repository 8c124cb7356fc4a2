//! The 4-ary Poseidon tree over a cohort's slots.
//!
//! Children in slot order, level by level; where two nodes are left (128 leaves) the root is their
//! two-input hash. There is no padding: the leaves are always 16, 64, 128 or 256.

use crate::{curve::Fr, poseidon};

/// The root over `leaves`.
///
/// # Panics
/// If the number of leaves is not a power of two of at least 2.
#[must_use]
pub fn root(leaves: &[Fr]) -> Fr {
    assert!(leaves.len() >= 2 && leaves.len().is_power_of_two(), "{} leaves", leaves.len());
    let mut level = leaves.to_vec();
    while level.len() > 1 {
        let arity = level.len().min(4);
        level = level.chunks_exact(arity).map(poseidon::hash).collect();
    }
    level[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_follow_slot_order() {
        let leaves: Vec<Fr> = (0..128u64).map(Fr::from).collect();
        let level1: Vec<Fr> = leaves.chunks(4).map(poseidon::hash).collect();
        let level2: Vec<Fr> = level1.chunks(4).map(poseidon::hash).collect();
        let level3: Vec<Fr> = level2.chunks(4).map(poseidon::hash).collect();
        assert_eq!(level3.len(), 2);
        assert_eq!(root(&leaves), poseidon::hash(&level3));
        assert_eq!(root(&leaves[..16]), poseidon::hash(&level1[..4]));
    }
}
