//! arkworks as a peer: sums of short signed words, transforms, quotients.

use ark_ec::VariableBaseMSM;
use ark_ff::{BigInt, One, PrimeField};
use ark_poly::{EvaluationDomain, Radix2EvaluationDomain};
use blindsum_engine::curve::{Fq, Fr, Point, Projective};
use blindsum_engine::ntt::Domain;

/// Words for ark-ec, which has no call for signed ones: as field elements, of which it finds the short ones and the short
/// negatives itself; or cut by sign into magnitudes of the narrowest type, and two sums subtracted.
#[derive(Debug)]
pub struct SignedSum {
    points: Vec<Point>,
    bigints: Vec<BigInt<4>>,
    halves: [(Vec<Point>, Magnitudes); 2],
}

#[derive(Debug)]
enum Magnitudes {
    U8(Vec<u8>),
    U16(Vec<u16>),
    U32(Vec<u32>),
}

impl SignedSum {
    /// Converts and cuts, which is no part of a sum's time.
    ///
    /// # Panics
    /// When a word has more than `bits` bits.
    #[must_use]
    pub fn new(points: &[Point], words: &[i32], bits: u8) -> Self {
        let half = |negative: bool| {
            let (points, magnitudes): (Vec<Point>, Vec<u32>) = points
                .iter()
                .zip(words)
                .filter(|(_, word)| word.is_negative() == negative)
                .map(|(point, word)| (*point, word.unsigned_abs()))
                .unzip();
            (points, Magnitudes::new(&magnitudes, bits))
        };
        Self {
            points: points.to_vec(),
            bigints: words.iter().map(|word| Fq::from(*word).into_bigint()).collect(),
            halves: [false, true].map(half),
        }
    }

    /// `VariableBaseMSM::msm_bigint`.
    pub fn bigint(&self) -> Projective {
        Projective::msm_bigint(&self.points, &self.bigints)
    }

    /// `VariableBaseMSM::msm_u8`, `msm_u16` or `msm_u32` on what is positive, less the same on what is negative.
    pub fn split(&self) -> Projective {
        let [positive, negative] = self.halves.each_ref().map(|(points, magnitudes)| match magnitudes {
            Magnitudes::U8(magnitudes) => Projective::msm_u8(points, magnitudes),
            Magnitudes::U16(magnitudes) => Projective::msm_u16(points, magnitudes),
            Magnitudes::U32(magnitudes) => Projective::msm_u32(points, magnitudes),
        });
        positive - negative
    }
}

impl Magnitudes {
    fn new(magnitudes: &[u32], bits: u8) -> Self {
        fn narrow<T: TryFrom<u32>>(magnitudes: &[u32]) -> Vec<T> {
            let narrow = |magnitude: &u32| T::try_from(*magnitude).ok().expect("words of as many bits");
            magnitudes.iter().map(narrow).collect()
        }
        match bits {
            ..=8 => Self::U8(narrow(magnitudes)),
            9..=16 => Self::U16(narrow(magnitudes)),
            _ => Self::U32(magnitudes.to_vec()),
        }
    }
}

fn subgroup(n: usize) -> Radix2EvaluationDomain<Fr> {
    Radix2EvaluationDomain::new(n).expect("within the field")
}

/// Coefficients in natural order to values in natural order. ark-poly transforms vectors, which it may extend.
pub fn forward(domain: Domain, values: &mut Vec<Fr>) {
    if domain == Domain::OddCoset {
        let shift = subgroup(2 * values.len()).group_gen;
        Radix2EvaluationDomain::distribute_powers_and_mul_by_const(values, shift, Fr::one());
    }
    subgroup(values.len()).fft_in_place(values);
}

/// `A B - C` on the odd coset, left in `a`, by six transforms; `C` is `a b` on the subgroup.
pub fn quotient(a: &mut Vec<Fr>, b: &mut Vec<Fr>) {
    let mut c: Vec<Fr> = a.iter().zip(&*b).map(|(a, b)| *a * b).collect();
    for values in [&mut *a, &mut *b, &mut c] {
        subgroup(values.len()).ifft_in_place(values);
        forward(Domain::OddCoset, values);
    }
    for ((a, b), c) in a.iter_mut().zip(b).zip(&c) {
        *a = *a * *b - c;
    }
}
