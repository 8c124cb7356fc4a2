//! Randomness for arkworks, which speaks an older `rand` than the rest of this workspace.

use ark_bn254::Fr;
use ark_ff::{UniformRand, Zero};
use ark_std::rand;
use rand_core::CryptoRng;

/// The caller's generator under the traits of `rand` 0.8.
pub(crate) struct Bridge<'a>(pub(crate) &'a mut dyn CryptoRng);

impl rand::RngCore for Bridge<'_> {
    fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    fn fill_bytes(&mut self, dest: &mut [u8]) {
        self.0.fill_bytes(dest);
    }

    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), rand::Error> {
        self.0.fill_bytes(dest);
        Ok(())
    }
}

impl rand::CryptoRng for Bridge<'_> {}

/// A uniform element of the scalar field other than zero.
pub(crate) fn nonzero(rng: &mut dyn CryptoRng) -> Fr {
    loop {
        let value = Fr::rand(&mut Bridge(rng));
        if !value.is_zero() {
            return value;
        }
    }
}
