//! Two backends as one: both run, their words are compared, one result is returned.
//!
//! For tests, for `blindsum doctor`, and for a first round on a machine that nobody has tried yet.

use zeroize::Zeroizing;

use crate::backend::Backend;
use crate::error::{DeviceError, EngineError};
use crate::mask::SignedMask;

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

    fn compare(&self, operation: &'static str, left: &[u32], right: &[u32]) -> Result<(), EngineError> {
        match left.iter().zip(right).position(|(l, r)| l != r) {
            None => Ok(()),
            // The index alone: the words may be secret.
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::Cpu;
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
    }

    #[test]
    fn equal_backends_give_their_common_answer() {
        let mut acc = [1u32, 2, 3];
        Twin::new(Cpu, Cpu).sum_rows(&[&[10, 20, 30]], &mut acc).expect("equal answers");
        assert_eq!(acc, [11, 22, 33]);
    }
}
