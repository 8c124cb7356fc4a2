//! Two backends as one: both run, their answers are compared, one result is returned.
//!
//! For tests, for `blindsum doctor`, and for a first round on a machine that nobody has tried yet.

use std::sync::atomic::AtomicBool;

use ark_ec::CurveGroup;
use zeroize::Zeroizing;

use crate::backend::Backend;
use crate::curve::{Fq, Fr, Projective};
use crate::error::{DeviceError, EngineError};
use crate::mask::SignedMask;
use crate::ntt::{Direction, Domain};
use crate::points::{G1, G1Projective, G2Projective, Grumpkin, PackedG2, Points};

/// Runs every operation on `A` and on `B` and refuses to go on when they differ.
#[derive(Clone, Debug)]
pub struct Twin<A, B> {
    left: A,
    right: B,
    name: String,
}

impl<A: Backend, B: Backend> Twin<A, B> {
    /// Pairs two backends; the result of `left` is the one returned.
    #[must_use]
    pub fn new(left: A, right: B) -> Self {
        let name = format!("twin({}, {})", left.name(), right.name());
        Self { left, right, name }
    }

    fn compare<T: PartialEq>(
        &self,
        operation: &'static str,
        left: &[T],
        right: &[T],
    ) -> Result<(), EngineError> {
        let shorter = left.len().min(right.len());
        let index = left.iter().zip(right).position(|(l, r)| l != r);
        match index.or((left.len() != right.len()).then_some(shorter)) {
            None => Ok(()),
            // The index alone: the values may be secret.
            Some(index) => Err(EngineError::Device(DeviceError::Disagreement {
                operation,
                left: self.left.name().to_owned(),
                right: self.right.name().to_owned(),
                index,
            })),
        }
    }
}

impl<A: Backend, B: Backend> Backend for Twin<A, B> {
    fn name(&self) -> &str {
        &self.name
    }

    fn mask_expand(&self, masks: &[SignedMask], first_word: u64, acc: &mut [u32]) -> Result<(), EngineError> {
        let mut copy = Zeroizing::new(acc.to_vec());
        self.left.mask_expand(masks, first_word, acc)?;
        self.right.mask_expand(masks, first_word, &mut copy)?;
        self.compare("mask_expand", acc, &copy)
    }

    fn sum_rows(&self, rows: &[&[u32]], acc: &mut [u32]) -> Result<(), EngineError> {
        let mut copy = Zeroizing::new(acc.to_vec());
        self.left.sum_rows(rows, acc)?;
        self.right.sum_rows(rows, &mut copy)?;
        self.compare("sum_rows", acc, &copy)
    }

    fn msm_g1_vartime(&self, points: &Points<G1>, scalars: &[Fr]) -> Result<G1Projective, EngineError> {
        let left = self.left.msm_g1_vartime(points, scalars)?;
        let right = self.right.msm_g1_vartime(points, scalars)?;
        self.compare("msm_g1_vartime", &[left.into_affine()], &[right.into_affine()])?;
        Ok(left)
    }

    fn msm_g2_vartime(
        &self,
        points: &[PackedG2],
        scalars: &[Fr],
        stop: &AtomicBool,
    ) -> Result<Option<G2Projective>, EngineError> {
        let left = self.left.msm_g2_vartime(points, scalars, stop)?;
        let right = self.right.msm_g2_vartime(points, scalars, stop)?;
        // Where one was stopped there is nothing to compare.
        let (Some(left), Some(right)) = (left, right) else { return Ok(None) };
        self.compare("msm_g2_vartime", &[left.into_affine()], &[right.into_affine()])?;
        Ok(Some(left))
    }

    fn msm_grumpkin_vartime(
        &self,
        points: &Points<Grumpkin>,
        scalars: &[Fq],
    ) -> Result<Projective, EngineError> {
        let left = self.left.msm_grumpkin_vartime(points, scalars)?;
        let right = self.right.msm_grumpkin_vartime(points, scalars)?;
        self.compare("msm_grumpkin_vartime", &[left.into_affine()], &[right.into_affine()])?;
        Ok(left)
    }

    fn msm_signed(
        &self,
        points: &Points<Grumpkin>,
        rows: &[&[i32]],
        bits: u8,
    ) -> Result<Vec<Projective>, EngineError> {
        let left = self.left.msm_signed(points, rows, bits)?;
        let right = self.right.msm_signed(points, rows, bits)?;
        let affine = [&left, &right].map(|sums| Projective::normalize_batch(sums));
        self.compare("msm_signed", &affine[0], &affine[1])?;
        Ok(left)
    }

    fn ntt(&self, direction: Direction, domain: Domain, values: &mut [Fr]) -> Result<(), EngineError> {
        let mut copy = Zeroizing::new(values.to_vec());
        self.left.ntt(direction, domain, values)?;
        self.right.ntt(direction, domain, &mut copy)?;
        self.compare("ntt", values, &copy)
    }

    fn quotient(&self, a: &mut [Fr], b: &mut [Fr]) -> Result<(), EngineError> {
        let (mut copy, mut b_copy) = (Zeroizing::new(a.to_vec()), Zeroizing::new(b.to_vec()));
        self.left.quotient(a, b)?;
        self.right.quotient(&mut copy, &mut b_copy)?;
        self.compare("quotient", a, &copy)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use ark_bn254::G2Affine;
    use ark_ec::AffineRepr;

    use super::*;
    use crate::cpu::Cpu;
    use crate::curve;
    use crate::mask::MaskKey;

    /// A device with one broken lane.
    struct Broken;

    impl Backend for Broken {
        fn name(&self) -> &str {
            "broken"
        }

        fn mask_expand(
            &self,
            masks: &[SignedMask],
            first_word: u64,
            acc: &mut [u32],
        ) -> Result<(), EngineError> {
            Cpu.mask_expand(masks, first_word, acc)?;
            acc[37] ^= 1;
            Ok(())
        }

        fn sum_rows(&self, rows: &[&[u32]], acc: &mut [u32]) -> Result<(), EngineError> {
            Cpu.sum_rows(rows, acc)?;
            acc[2] ^= 1 << 31;
            Ok(())
        }

        fn msm_g1_vartime(&self, points: &Points<G1>, scalars: &[Fr]) -> Result<G1Projective, EngineError> {
            Ok(-Cpu.msm_g1_vartime(points, scalars)?)
        }

        fn msm_g2_vartime(
            &self,
            points: &[PackedG2],
            scalars: &[Fr],
            stop: &AtomicBool,
        ) -> Result<Option<G2Projective>, EngineError> {
            Ok(Cpu.msm_g2_vartime(points, scalars, stop)?.map(|sum| -sum))
        }

        fn msm_grumpkin_vartime(
            &self,
            points: &Points<Grumpkin>,
            scalars: &[Fq],
        ) -> Result<Projective, EngineError> {
            Ok(-Cpu.msm_grumpkin_vartime(points, scalars)?)
        }

        fn msm_signed(
            &self,
            points: &Points<Grumpkin>,
            rows: &[&[i32]],
            bits: u8,
        ) -> Result<Vec<Projective>, EngineError> {
            let mut sums = Cpu.msm_signed(points, rows, bits)?;
            sums[1] += curve::generator();
            Ok(sums)
        }

        fn ntt(&self, direction: Direction, domain: Domain, values: &mut [Fr]) -> Result<(), EngineError> {
            Cpu.ntt(direction, domain, values)?;
            values[5] += Fr::from(1u8);
            Ok(())
        }

        fn quotient(&self, a: &mut [Fr], b: &mut [Fr]) -> Result<(), EngineError> {
            Cpu.quotient(a, b)?;
            a[3] = -a[3];
            Ok(())
        }
    }

    #[test]
    fn names_the_first_differing_index() {
        let twin = Twin::new(Cpu, Broken);
        assert_eq!(twin.name(), "twin(cpu, broken)");
        let masks = [SignedMask::add(MaskKey::new([1; 32]))];
        let disagreement = |operation, index| DeviceError::Disagreement {
            operation,
            left: "cpu".into(),
            right: "broken".into(),
            index,
        };
        match twin.mask_expand(&masks, 0, &mut [0; 50]) {
            Err(EngineError::Device(error)) => assert_eq!(error, disagreement("mask_expand", 37)),
            other => panic!("{other:?}"),
        }
        match twin.sum_rows(&[&[1, 2, 3]], &mut [0; 3]) {
            Err(EngineError::Device(error)) => assert_eq!(error, disagreement("sum_rows", 2)),
            other => panic!("{other:?}"),
        }
        let (g1, grumpkin) = points();
        match twin.msm_g1_vartime(&g1, &[Fr::from(5u8)]) {
            Err(EngineError::Device(error)) => assert_eq!(error, disagreement("msm_g1_vartime", 0)),
            other => panic!("{other:?}"),
        }
        let never = AtomicBool::new(false);
        match twin.msm_g2_vartime(&[PackedG2::pack(&G2Affine::generator())], &[Fr::from(5u8)], &never) {
            Err(EngineError::Device(error)) => assert_eq!(error, disagreement("msm_g2_vartime", 0)),
            other => panic!("{other:?}"),
        }
        match twin.msm_grumpkin_vartime(&grumpkin, &[Fq::from(5u8)]) {
            Err(EngineError::Device(error)) => assert_eq!(error, disagreement("msm_grumpkin_vartime", 0)),
            other => panic!("{other:?}"),
        }
        match twin.msm_signed(&grumpkin, &[&[1], &[2], &[3]], 16) {
            Err(EngineError::Device(error)) => assert_eq!(error, disagreement("msm_signed", 1)),
            other => panic!("{other:?}"),
        }
    }

    fn points() -> (Points<G1>, Points<Grumpkin>) {
        (Points::new(&[ark_bn254::G1Affine::generator()]), Points::new(&[curve::generator()]))
    }

    #[test]
    fn equal_backends_give_their_common_answer() {
        let mut acc = [1u32, 2, 3];
        Twin::new(Cpu, Cpu).sum_rows(&[&[10, 20, 30]], &mut acc).expect("equal answers");
        assert_eq!(acc, [11, 22, 33]);
        let (g1, grumpkin) = points();
        let twin = Twin::new(Cpu, Cpu);
        assert_eq!(
            twin.msm_g1_vartime(&g1, &[Fr::from(5u8)]).expect("equal"),
            g1.unpack()[0] * Fr::from(5u8)
        );
        let stop = AtomicBool::new(false);
        let in_g2 = |twin: &Twin<Cpu, Cpu>| {
            twin.msm_g2_vartime(&[PackedG2::pack(&G2Affine::generator())], &[Fr::from(5u8)], &stop)
                .expect("equal")
        };
        assert_eq!(in_g2(&twin), Some(G2Affine::generator() * Fr::from(5u8)));
        stop.store(true, Ordering::Relaxed);
        assert_eq!(in_g2(&twin), None);
        let expected = curve::generator() * Fq::from(5u8);
        assert_eq!(twin.msm_grumpkin_vartime(&grumpkin, &[Fq::from(5u8)]).expect("equal"), expected);
        assert_eq!(twin.msm_signed(&grumpkin, &[&[-5]], 4).expect("equal"), [-expected]);
    }
}
