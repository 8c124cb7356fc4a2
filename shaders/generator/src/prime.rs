//! The two primes, cut into limbs.

use ark_ff::PrimeField;
use num_bigint::BigUint;

/// A prime of 254 bits, with the name of its field and of what it is.
pub struct Prime {
    name: &'static str,
    meaning: &'static str,
    value: BigUint,
}

impl Prime {
    /// `q`: coordinates of BN254 G1, scalars of Grumpkin.
    #[must_use]
    pub fn fq() -> Self {
        let value = ark_bn254::Fq::MODULUS.into();
        Self { name: "fq", meaning: "q, the prime of BN254's coordinates", value }
    }

    /// `r`: scalars of BN254, coordinates of Grumpkin.
    #[must_use]
    pub fn fr() -> Self {
        let value = ark_bn254::Fr::MODULUS.into();
        Self {
            name: "fr",
            meaning: "r, the order of BN254's groups and the prime of Grumpkin's coordinates",
            value,
        }
    }

    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) const fn meaning(&self) -> &'static str {
        self.meaning
    }

    /// `factor * p` in `n` limbs of `width` bits, least significant first.
    pub(crate) fn multiple(&self, factor: u32, width: u32, n: usize) -> Vec<u32> {
        limbs(&(&self.value * factor), width, n)
    }

    /// `2^exponent mod p` in `n` limbs of `width` bits.
    pub(crate) fn power_of_two(&self, exponent: u32, width: u32, n: usize) -> Vec<u32> {
        limbs(&((BigUint::from(1u8) << exponent) % &self.value), width, n)
    }

    /// `-1/p mod 2^width`, by which Montgomery's reduction clears a limb.
    pub(crate) fn negative_inverse(&self, width: u32) -> u32 {
        let lowest = self.value.iter_u32_digits().next().expect("a prime is not zero");
        // Newton's iteration doubles the number of correct bits: 1, 2, 4, ... 32 and more.
        let inverse = (0..6).fold(1u32, |x, _| x.wrapping_mul(2u32.wrapping_sub(lowest.wrapping_mul(x))));
        inverse.wrapping_neg() & mask(width)
    }
}

/// A limb of `width` ones.
pub(crate) const fn mask(width: u32) -> u32 {
    u32::MAX >> (32 - width)
}

fn limbs(value: &BigUint, width: u32, n: usize) -> Vec<u32> {
    assert!(value.bits() <= u64::from(width) * n as u64, "the value fits its limbs");
    let mask = BigUint::from(mask(width));
    (0..n)
        .map(|i| {
            let limb = (value >> (width as usize * i)) & &mask;
            u32::try_from(limb).expect("a limb has at most 32 bits")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use ark_ff::MontConfig;

    use super::*;

    /// arkworks keeps the inverse modulo 2^64; its low bits are ours.
    #[test]
    fn constants_are_those_of_arkworks() {
        let of = |inverse: u64, width| inverse as u32 & mask(width);
        for width in [13, 32] {
            assert_eq!(Prime::fq().negative_inverse(width), of(ark_bn254::FqConfig::INV, width));
            assert_eq!(Prime::fr().negative_inverse(width), of(ark_bn254::FrConfig::INV, width));
        }
        let words = |limbs: [u64; 4]| {
            limbs.into_iter().flat_map(|l| [l as u32, (l >> 32) as u32]).collect::<Vec<_>>()
        };
        assert_eq!(Prime::fq().power_of_two(256, 32, 8), words(ark_bn254::FqConfig::R.0));
        assert_eq!(Prime::fr().power_of_two(256, 32, 8), words(ark_bn254::FrConfig::R.0));
        assert_eq!(Prime::fr().multiple(1, 32, 8), words(ark_bn254::FrConfig::MODULUS.0));
    }
}
