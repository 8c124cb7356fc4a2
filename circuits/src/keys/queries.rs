//! The points of a proving key in the form that the prover reads: packed, in memory of their own or where they lie in a mapped
//! file.

use std::sync::Arc;

use ark_bn254::{G1Affine, G2Affine};
use blindsum_engine::mapped::MappedSlice;
use blindsum_engine::points::{G1, PackedG2, PackedPoint, Points};
use rayon::prelude::*;

use super::ProvingKeyError;
use crate::verifying_key::VerifyingKey;

/// The queries of a key. The columns of A and B are those of `z`, of L the private part of `z`; H has one point a row.
#[derive(Clone)]
pub(crate) struct Queries {
    pub(crate) beta_g1: G1Affine,
    pub(crate) delta_g1: G1Affine,
    pub(crate) a: Points<G1>,
    pub(crate) b_g1: Points<G1>,
    b_g2: Arc<dyn AsRef<[PackedG2]> + Send + Sync>,
    pub(crate) h: Points<G1>,
    pub(crate) l: Points<G1>,
}

/// Queries as they lie in a file.
pub(super) struct MappedQueries {
    pub(super) a: MappedSlice<PackedPoint>,
    pub(super) b_g1: MappedSlice<PackedPoint>,
    pub(super) b_g2: MappedSlice<PackedG2>,
    pub(super) h: MappedSlice<PackedPoint>,
    pub(super) l: MappedSlice<PackedPoint>,
}

impl Queries {
    pub(super) fn mapped([beta_g1, delta_g1]: [G1Affine; 2], mapped: MappedQueries) -> Self {
        Self {
            beta_g1,
            delta_g1,
            a: Points::from_storage(Arc::new(mapped.a)),
            b_g1: Points::from_storage(Arc::new(mapped.b_g1)),
            b_g2: Arc::new(mapped.b_g2),
            h: Points::from_storage(Arc::new(mapped.h)),
            l: Points::from_storage(Arc::new(mapped.l)),
        }
    }

    /// Packs what ark-groth16's generator made.
    pub(super) fn from_ark(key: ark_groth16::ProvingKey<ark_bn254::Bn254>) -> Self {
        // Each query is dropped as soon as it is packed.
        let pack = |points: Vec<G1Affine>| Points::new(&points);
        let pack_g2 = |points: Vec<G2Affine>| points.par_iter().map(PackedG2::pack).collect::<Vec<_>>();
        Self {
            beta_g1: key.beta_g1,
            delta_g1: key.delta_g1,
            a: pack(key.a_query),
            b_g1: pack(key.b_g1_query),
            b_g2: Arc::new(pack_g2(key.b_g2_query)),
            h: pack(key.h_query),
            l: pack(key.l_query),
        }
    }

    /// A copy for ark-groth16.
    pub(super) fn to_ark(&self, key: &VerifyingKey) -> ark_groth16::ProvingKey<ark_bn254::Bn254> {
        let vk = ark_groth16::VerifyingKey {
            alpha_g1: key.alpha_g1,
            beta_g2: key.beta_g2,
            gamma_g2: key.gamma_g2,
            delta_g2: key.delta_g2,
            gamma_abc_g1: key.ic.clone(),
        };
        ark_groth16::ProvingKey {
            vk,
            beta_g1: self.beta_g1,
            delta_g1: self.delta_g1,
            a_query: self.a.unpack(),
            b_g1_query: self.b_g1.unpack(),
            b_g2_query: self.b_g2().par_iter().map(PackedG2::unpack).collect(),
            h_query: self.h.unpack(),
            l_query: self.l.unpack(),
        }
    }

    /// B in G2, one point a column.
    pub(crate) fn b_g2(&self) -> &[PackedG2] {
        (*self.b_g2).as_ref()
    }

    /// The sections with points of G1, by the names that the file gives them.
    fn g1_sections(&self) -> [(&'static str, &Points<G1>); 4] {
        [("A", &self.a), ("B in G1", &self.b_g1), ("H", &self.h), ("L", &self.l)]
    }

    pub(super) fn check(&self) -> Result<(), ProvingKeyError> {
        let bad = |section, index| ProvingKeyError::BadPoint { section, index };
        let constants = Points::<G1>::new(&[self.beta_g1, self.delta_g1]);
        for (section, points) in [("constants", &constants)].into_iter().chain(self.g1_sections()) {
            // G1 has cofactor 1: on the curve is in the group.
            points.check().map_err(|misuse| match misuse {
                blindsum_engine::Misuse::NotOnCurve { index, .. } => bad(section, index),
                _ => bad(section, 0),
            })?;
        }
        match self.b_g2().par_iter().position_first(|point| !point.is_valid()) {
            Some(index) => Err(bad("B in G2", index)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use ark_bn254::G2Projective;
    use ark_ec::{AffineRepr, CurveGroup, PrimeGroup};
    use ark_ff::Field;

    use super::*;

    /// The key of one point in each place.
    fn tiny() -> Queries {
        let point = G1Affine::generator();
        let points = Points::new(&[point, G1Affine::zero()]);
        let g2 = (G2Projective::generator() * ark_bn254::Fr::from(5u8)).into_affine();
        Queries {
            beta_g1: point,
            delta_g1: point,
            a: points.clone(),
            b_g1: points.clone(),
            b_g2: Arc::new(vec![PackedG2::pack(&g2), PackedG2::INFINITY]),
            h: points.clone(),
            l: points,
        }
    }

    #[test]
    fn a_bad_point_is_named() {
        assert!(tiny().check().is_ok());
        let bad =
            Points::<G1>::new(&[G1Affine::generator(), G1Affine::new_unchecked(1u8.into(), 3u8.into())]);
        let named = |queries: Queries| match queries.check() {
            Err(ProvingKeyError::BadPoint { section, index }) => (section, index),
            other => panic!("{other:?}"),
        };
        assert_eq!(named(Queries { a: bad.clone(), ..tiny() }), ("A", 1));
        assert_eq!(named(Queries { b_g1: bad.clone(), ..tiny() }), ("B in G1", 1));
        assert_eq!(named(Queries { h: bad.clone(), ..tiny() }), ("H", 1));
        assert_eq!(named(Queries { l: bad.clone(), ..tiny() }), ("L", 1));
        assert_eq!(named(Queries { delta_g1: bad.unpack()[1], ..tiny() }), ("constants", 1));
    }

    /// On the twist, and yet not of order r: nearly every point of the twist is such a one.
    #[test]
    fn a_point_outside_the_subgroup_is_named() {
        let outside = (1u64..)
            .filter_map(|x| G2Affine::get_point_from_x_unchecked(x.into(), true))
            .find(|point| !point.is_in_correct_subgroup_assuming_on_curve())
            .expect("found among the first");
        let off_curve = PackedG2::pack(&G2Affine::new_unchecked(outside.x, outside.y.square()));
        let mut not_canonical = tiny().b_g2()[0];
        bytemuck::bytes_of_mut(&mut not_canonical)[32..64].fill(u8::MAX);
        for point in [PackedG2::pack(&outside), off_curve, not_canonical] {
            let queries = Queries { b_g2: Arc::new(vec![PackedG2::INFINITY, point]), ..tiny() };
            let refused = queries.check();
            assert!(
                matches!(refused, Err(ProvingKeyError::BadPoint { section: "B in G2", index: 1 })),
                "{refused:?}"
            );
        }
    }
}
