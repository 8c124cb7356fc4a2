//! Openings: strict bytes, every bound at its edge and one beyond, and the point equation.

use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{BigInteger, PrimeField};
use blindsum_engine::{
    DecodeError, Misuse,
    bases::Bases,
    cpu::Cpu,
    curve::{self, Fq, Point},
    noise::DpNoise,
    opening::{Claim, Opening, OpeningBounds, OpeningError, check_opening, check_openings, check_range},
    pedersen::{commit, commit_vartime},
    quantize::{Quantizer, Update},
    secret::Blinding,
};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

const BOUNDS: OpeningBounds = OpeningBounds { bits: 8, w_min: 2, w_max: 100, participants: 3, dp_bound: 0 };

fn opening(sum: &[i64]) -> Opening {
    Opening { sum: sum.to_vec(), blinding: Fq::from(77u8) }
}

fn check(bounds: &OpeningBounds, sum: &[i64]) -> Result<(), OpeningError> {
    let bases = Bases::derive(sum.len()).expect("small");
    let opening = opening(sum);
    let point = commit_vartime(&Cpu, &bases, sum, &opening.blinding).expect("valid");
    check_opening(&Cpu, &bases, bounds, &point, &opening)
}

#[test]
fn a_round_of_clients_opens() {
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let noise = DpNoise::discrete_gaussian(4.0, 40).expect("exact");
    let plain = Quantizer::new(16, 1.0, 1, 50).expect("sound");
    for quantizer in [plain, plain.with_noise(noise).expect("small")] {
        let bases = Bases::derive(9).expect("small");
        let mut sum = Opening::from_words(&[0; 9], Fq::from(0u8));
        let mut points = curve::Projective::default();
        // Every value at the clip and the lightest weights: the tightest case of the scale bound.
        for weight in [1, 1, 50, 7] {
            let values = [1.0, -1.0, 1.0, -1.0, 9.0, -9.0, 0.3, 0.0];
            let (vector, _) = quantizer.quantize(&Update::new(&values), weight, &mut rng).expect("finite");
            let blinding = Blinding::generate(&mut rng);
            points += commit(&Cpu, &bases, &vector, &blinding).expect("nine words").point();
            let part = Opening::from_words(vector.as_u32(), *blinding.expose());
            sum = Opening::combine(&[sum, part]).expect("same dimension");
        }
        let bounds = OpeningBounds::new(&quantizer, 4);
        let point = points.into_affine();
        check_opening(&Cpu, &bases, &bounds, &point, &sum).expect("honest");
        let decoded = Opening::from_bytes(&sum.to_bytes()).expect("canonical");
        assert_eq!(decoded, sum);
        for j in 0..9 {
            for step in [-1, 1] {
                let mut tampered = sum.clone();
                tampered.sum[j] += step;
                assert!(check_opening(&Cpu, &bases, &bounds, &point, &tampered).is_err(), "coordinate {j}");
            }
        }
        let mut tampered = sum.clone();
        tampered.blinding += Fq::from(1u8);
        assert!(matches!(
            check_opening(&Cpu, &bases, &bounds, &point, &tampered),
            Err(OpeningError::Commitment)
        ));
        let other = (point + curve::generator()).into_affine();
        assert!(matches!(check_opening(&Cpu, &bases, &bounds, &other, &sum), Err(OpeningError::Commitment)));
        for wrong in [-point, Point::zero()] {
            assert!(matches!(
                check_opening(&Cpu, &bases, &bounds, &wrong, &sum),
                Err(OpeningError::Commitment)
            ));
        }
        check_opening(&Cpu, &bases, &bounds, &point, &sum).expect("still good");
    }
}

#[test]
fn coordinates_are_bounded_by_the_participants() {
    // 3 participants of 8 bits reach 381; the full weight of 300 allows 127 * 3 + 3.
    for value in [381, -381] {
        check(&BOUNDS, &[0, value, 300]).expect("at the bound");
        let over = value + value.signum();
        match check(&BOUNDS, &[0, over, 300]) {
            Err(OpeningError::Coordinate { index: 1, value, bound: 381, participants: 3 }) => {
                assert_eq!(value, over)
            }
            other => panic!("one beyond: {other:?}"),
        }
    }
    for value in [i64::MIN, i64::MAX] {
        assert!(matches!(
            check_range(&BOUNDS, 2, &[value, 300]),
            Err(OpeningError::Coordinate { index: 0, .. })
        ));
        assert!(matches!(
            check_range(&BOUNDS, 2, &[0, value]),
            Err(OpeningError::Coordinate { index: 1, .. })
        ));
    }
}

#[test]
fn the_weight_is_bounded_on_both_sides() {
    for weight in [6, 7, 299, 300] {
        check(&BOUNDS, &[0, weight]).expect("within 6 ..= 300");
    }
    for weight in [5, 301, 0, -1, -6, -300] {
        match check(&BOUNDS, &[0, weight]) {
            Err(OpeningError::Weight { value, min: 6, max: 300, participants: 3 }) => {
                assert_eq!(value, weight)
            }
            other => panic!("weight {weight}: {other:?}"),
        }
    }
}

#[test]
fn coordinates_are_bounded_by_the_weight() {
    // 100 (|A| - 3) <= 127 * 6: |A| <= 10.
    for sign in [1, -1] {
        check(&BOUNDS, &[10 * sign, 0, 6]).expect("at the bound");
        match check(&BOUNDS, &[0, 11 * sign, 6]) {
            Err(OpeningError::Scale { index: 1, value, weight: 6, bound: 10 }) => {
                assert_eq!(value, 11 * sign)
            }
            other => panic!("one beyond: {other:?}"),
        }
    }
    // Exact equality: 100 (|A| - 3) = 127 * 100 at |A| = 130.
    check(&BOUNDS, &[130, 100]).expect("equality");
    assert!(matches!(check(&BOUNDS, &[131, 100]), Err(OpeningError::Scale { bound: 130, .. })));
    // The weight itself is exempt: 300 > 127 * 6 / 100 + 3 would refuse any heavy weight.
    check(&BOUNDS, &[0, 300]).expect("the weight is no update");
}

#[test]
fn declared_noise_widens_the_scale_bound_only() {
    let noisy = OpeningBounds { dp_bound: 5, ..BOUNDS };
    // 100 (|A| - 3 * 6) <= 127 * 6: |A| <= 25.
    check(&noisy, &[25, 6]).expect("at the bound");
    assert!(matches!(check(&noisy, &[-26, 6]), Err(OpeningError::Scale { bound: 25, .. })));
    assert!(matches!(check(&noisy, &[382, 300]), Err(OpeningError::Coordinate { bound: 381, .. })));
    assert!(matches!(check(&noisy, &[0, 301]), Err(OpeningError::Weight { .. })));
    let extreme = OpeningBounds {
        bits: 24,
        w_min: 1,
        w_max: (1 << 23) - 1,
        participants: u32::MAX,
        dp_bound: u32::MAX,
    };
    check_range(&extreme, 1, &[i64::from(u32::MAX)]).expect("no overflow");
}

/// Each claim has a verdict of its own; what is out of range costs no multiplication and moves no other.
#[test]
fn several_openings_are_told_apart() {
    let bases = Bases::derive(2).expect("small");
    let openings: Vec<Opening> =
        [[5, 6], [381, 300], [382, 300], [-10, 6], [1 << 40, 1 << 40]].map(|sum| opening(&sum)).into();
    let commitments: Vec<Point> = openings
        .iter()
        .map(|opening| commit_vartime(&Cpu, &bases, &opening.sum, &opening.blinding).expect("valid"))
        .collect();
    let claim = |i: usize, commitment: usize| Claim {
        bounds: BOUNDS,
        commitment: commitments[commitment],
        opening: &openings[i],
    };
    let claims = [claim(0, 0), claim(2, 2), claim(1, 0), claim(1, 1), claim(4, 4), claim(3, 3)];
    let verdicts = check_openings(&Cpu, &bases, &claims).expect("the CPU does not fail");
    assert!(
        matches!(
            verdicts[..],
            [
                Ok(()),
                Err(OpeningError::Coordinate { index: 0, value: 382, .. }),
                Err(OpeningError::Commitment),
                Ok(()),
                Err(OpeningError::Coordinate { .. }),
                Ok(())
            ]
        ),
        "{verdicts:?}"
    );
    assert!(check_openings(&Cpu, &bases, &[]).expect("the CPU does not fail").is_empty());
    let wide = OpeningBounds { bits: 24, w_max: 1 << 22, participants: u32::MAX, ..BOUNDS };
    let opening = opening(&[-(1 << 50), 1 << 50]);
    let commitment = commit_vartime(&Cpu, &bases, &opening.sum, &opening.blinding).expect("valid");
    let claims = [Claim { bounds: wide, commitment, opening: &opening }, claim(0, 0), claim(3, 0)];
    let verdicts = check_openings(&Cpu, &bases, &claims).expect("the CPU does not fail");
    assert!(matches!(verdicts[..], [Ok(()), Ok(()), Err(OpeningError::Commitment)]), "{verdicts:?}");
}

#[test]
fn dimensions_and_bounds_are_checked() {
    let bases = Bases::derive(3).expect("small");
    let generator = curve::generator();
    for got in [0, 1, 2, 4] {
        let result = check_opening(&Cpu, &bases, &BOUNDS, &generator, &opening(&vec![6; got]));
        assert!(
            matches!(result, Err(OpeningError::Dimension { expected: 3, got: g }) if g == got),
            "{got} coordinates"
        );
    }
    let none = Bases::derive(0).expect("none");
    assert!(matches!(
        check_opening(&Cpu, &none, &BOUNDS, &generator, &opening(&[])),
        Err(OpeningError::Dimension { expected: 0, got: 0 })
    ));
    for bad in [
        OpeningBounds { participants: 0, ..BOUNDS },
        OpeningBounds { w_min: 0, ..BOUNDS },
        OpeningBounds { w_min: 101, ..BOUNDS },
        OpeningBounds { w_max: 128, ..BOUNDS },
        OpeningBounds { bits: 1, w_min: 1, w_max: 1, ..BOUNDS },
        OpeningBounds { bits: 0, ..BOUNDS },
        OpeningBounds { bits: 255, ..BOUNDS },
    ] {
        assert!(matches!(check(&bad, &[0, 6]), Err(OpeningError::Bounds { .. })), "{bad:?}");
    }
}

#[test]
fn bytes_are_those_of_the_design() {
    let bytes = Opening { sum: vec![1, -2], blinding: Fq::from(3u8) }.to_bytes();
    let mut expected = vec![0, 0, 0, 0, 0, 0, 0, 2];
    expected.extend([0; 31]);
    expected.push(3);
    expected.extend([1, 0, 0, 0, 0, 0, 0, 0]);
    expected.extend([0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    assert_eq!(bytes, expected);
    let empty = Opening { sum: vec![], blinding: -Fq::from(1u8) };
    assert_eq!(Opening::from_bytes(&empty.to_bytes()), Ok(empty));
}

#[test]
fn the_decoder_is_strict() {
    let good = opening(&[5, -6, i64::MIN, i64::MAX]).to_bytes();
    assert_eq!(Opening::from_bytes(&good).expect("canonical").to_bytes(), good);
    for length in 0..good.len() {
        assert!(
            matches!(Opening::from_bytes(&good[..length]), Err(DecodeError::Length { what: "opening", .. })),
            "{length}"
        );
    }
    let mut long = good.clone();
    long.push(0);
    assert_eq!(
        Opening::from_bytes(&long),
        Err(DecodeError::Length { what: "opening", expected: 72, got: 73 })
    );
    for d in [3u64, 5, 0, 1 << 61, (1 << 61) - 4, u64::MAX] {
        let mut bad = good.clone();
        bad[..8].copy_from_slice(&d.to_be_bytes());
        assert!(matches!(Opening::from_bytes(&bad), Err(DecodeError::Length { .. })), "d = {d}");
    }
    let modulus = Fq::MODULUS.to_bytes_be();
    for blinding in [modulus.clone(), vec![0xff; 32]] {
        let mut bad = good.clone();
        bad[8..40].copy_from_slice(&blinding);
        assert_eq!(Opening::from_bytes(&bad), Err(DecodeError::NotCanonical { what: "element of Fq" }));
    }
    let mut largest = good;
    largest[8..40].copy_from_slice(&modulus);
    largest[39] -= 1;
    assert_eq!(Opening::from_bytes(&largest).expect("q - 1").blinding, -Fq::from(1u8));
}

#[test]
fn groups_combine() {
    let (a, b) = (
        Opening::from_words(&[1, u32::MAX], -Fq::from(1u8)),
        Opening::from_words(&[0x8000_0000, 5], Fq::from(3u8)),
    );
    assert_eq!(b.sum, [-(1 << 31), 5]);
    assert_eq!(
        Opening::combine(&[a.clone(), b]),
        Ok(Opening { sum: vec![1 - (1 << 31), 4], blinding: Fq::from(2u8) })
    );
    assert_eq!(Opening::combine(std::slice::from_ref(&a)), Ok(a.clone()));
    assert!(matches!(Opening::combine(&[]), Err(Misuse::LengthMismatch { .. })));
    assert!(matches!(
        Opening::combine(&[a, opening(&[1])]),
        Err(Misuse::LengthMismatch { expected: 2, got: 1, .. })
    ));
    assert!(matches!(
        Opening::combine(&[opening(&[i64::MAX]), opening(&[1])]),
        Err(Misuse::OutOfRange { .. })
    ));
}
