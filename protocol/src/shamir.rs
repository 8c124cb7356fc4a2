//! Shamir's sharing over the scalar field of Grumpkin (Shamir 1979): slot `i` holds `f(i + 1)`, the
//! secret is `f(0)`, and any `t` shares determine `f` of degree `t - 1`.

use ark_ff::{One, Zero, fields::batch_inversion};
use blindsum_engine::curve::{Fq, random_fq};
use rand_core::CryptoRng;
use zeroize::Zeroize;

use crate::error::Misuse;

/// Where the polynomial of a slot's share is evaluated: `slot + 1`.
#[must_use]
pub fn abscissa(slot: u8) -> Fq {
    Fq::from(u64::from(slot) + 1)
}

/// Shares `secret` among `slots` with threshold `threshold`; one share a slot, in the given order.
///
/// Cost: `threshold` multiplications a share.
#[must_use]
pub fn share(secret: &Fq, threshold: u16, slots: &[u8], rng: &mut dyn CryptoRng) -> Vec<(u8, Fq)> {
    let mut coefficients: Vec<Fq> = (0..threshold).map(|_| random_fq(rng)).collect();
    if let Some(constant) = coefficients.first_mut() {
        *constant = *secret;
    }
    let at = |x: Fq| coefficients.iter().rev().fold(Fq::zero(), |value, c| value * x + c);
    let shares = slots.iter().map(|slot| (*slot, at(abscissa(*slot)))).collect();
    coefficients.zeroize();
    shares
}

/// The Lagrange coefficients at zero for one set of holders, to be used for many secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interpolation {
    slots: Vec<u8>,
    coefficients: Vec<Fq>,
}

impl Interpolation {
    /// Coefficients for the holders `slots`.
    ///
    /// # Errors
    /// [`Misuse::RepeatedSlot`] if a slot appears twice.
    pub fn new(slots: &[u8]) -> Result<Self, Misuse> {
        let mut seen = [false; 256];
        for slot in slots {
            if std::mem::replace(&mut seen[usize::from(*slot)], true) {
                return Err(Misuse::RepeatedSlot { slot: *slot });
            }
        }
        // lambda_i = prod_{j != i} x_j / (x_j - x_i)
        let xs: Vec<Fq> = slots.iter().map(|slot| abscissa(*slot)).collect();
        let others = |i: usize| xs.iter().enumerate().filter(move |(j, _)| *j != i).map(|(_, x)| *x);
        let mut coefficients: Vec<Fq> =
            (0..xs.len()).map(|i| others(i).fold(Fq::one(), |product, x| product * (x - xs[i]))).collect();
        batch_inversion(&mut coefficients);
        for (i, coefficient) in coefficients.iter_mut().enumerate() {
            *coefficient = others(i).fold(*coefficient, |product, x| product * x);
        }
        Ok(Self { slots: slots.to_vec(), coefficients })
    }

    /// The holders.
    #[must_use]
    pub fn slots(&self) -> &[u8] {
        &self.slots
    }

    /// `f(0)` from the holders' shares, in the order of the holders.
    ///
    /// # Errors
    /// [`Misuse::Length`] if there is not one share a holder.
    pub fn at_zero(&self, shares: &[Fq]) -> Result<Fq, Misuse> {
        if shares.len() != self.coefficients.len() {
            return Err(Misuse::Length {
                what: "shares",
                expected: self.coefficients.len(),
                got: shares.len(),
            });
        }
        Ok(self.coefficients.iter().zip(shares).map(|(coefficient, share)| *coefficient * share).sum())
    }
}

/// Interpolates a secret from the `threshold` lowest slots of `shares`.
///
/// # Errors
/// [`Misuse::TooFewShares`] below the threshold, [`Misuse::RepeatedSlot`] if a slot appears twice.
pub fn reconstruct(shares: &[(u8, Fq)], threshold: u16) -> Result<Fq, Misuse> {
    let threshold = usize::from(threshold);
    if shares.len() < threshold {
        return Err(Misuse::TooFewShares { got: shares.len(), threshold });
    }
    let mut lowest = shares.to_vec();
    lowest.sort_by_key(|(slot, _)| *slot);
    if let Some(pair) = lowest.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(Misuse::RepeatedSlot { slot: pair[0].0 });
    }
    lowest.truncate(threshold);
    let (slots, values): (Vec<u8>, Vec<Fq>) = lowest.into_iter().unzip();
    Interpolation::new(&slots)?.at_zero(&values)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

    use super::*;

    #[test]
    fn below_the_threshold_or_with_a_repeat_is_refused() {
        let mut rng = ChaCha20Rng::seed_from_u64(0x5a);
        let secret = random_fq(&mut rng);
        let mut shares = share(&secret, 3, &[0, 5, 255, 9], &mut rng);
        assert_eq!(reconstruct(&shares, 3), Ok(secret));
        assert_eq!(reconstruct(&shares[..2], 3), Err(Misuse::TooFewShares { got: 2, threshold: 3 }));
        assert_ne!(reconstruct(&shares, 2), Ok(secret));
        shares[3].0 = 5;
        assert_eq!(reconstruct(&shares, 3), Err(Misuse::RepeatedSlot { slot: 5 }));
        assert!(Interpolation::new(&[1, 2, 1]).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn any_t_shares_give_the_secret(seed: u64, t in 1u16..20, extra in 0usize..20, skip in 0usize..20) {
            let mut rng = ChaCha20Rng::seed_from_u64(seed);
            let secret = random_fq(&mut rng);
            let slots: Vec<u8> = (0..usize::from(t) + extra).map(|i| (i * 6) as u8).collect();
            let shares = share(&secret, t, &slots, &mut rng);
            let start = skip.min(extra);
            prop_assert_eq!(reconstruct(&shares[start..], t), Ok(secret));
            let mut wrong = shares.clone();
            wrong[start].1 += Fq::one();
            prop_assert_ne!(reconstruct(&wrong[start..], t), Ok(secret));
        }
    }
}
