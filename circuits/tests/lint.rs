//! Keys of known bad shapes are refused wherever a key comes in.

mod common;

use ark_bn254::{G1Affine, G2Affine};
use ark_ec::AffineRepr;
use blindsum_circuits::{
    DevelopmentKeys, Element, EncodingError, KeyError, LintError, Verifier, VerifyingKey, lint::lint,
    verifying_key::verifying_key_bytes,
};
use blindsum_engine::roster::CohortSize;
use common::{Trapdoor, outside_subgroup};
use proptest::{prelude::*, test_runner::TestRunner};

fn key(size: CohortSize) -> VerifyingKey {
    Trapdoor::new(size, false, 1).key
}

/// The lint, the verifier and (where the shape can be written down) the decoder refuse the changed key; the good one passes.
fn refused(change: impl Fn(&mut VerifyingKey), error: LintError) {
    for size in [CohortSize::N16, CohortSize::N256] {
        let good = key(size);
        assert_eq!(lint(&good), Ok(()));
        let mut bad = good.clone();
        change(&mut bad);
        assert_eq!(lint(&bad), Err(error));
        assert_eq!(Verifier::new(&bad, DevelopmentKeys::Allow).err(), Some(KeyError::Lint(error)));
        assert!(VerifyingKey::from_bytes(&bad.to_bytes()).is_err());
    }
}

#[test]
fn skipped_second_phase_is_refused() {
    let related = LintError::Related { first: Element::Gamma, second: Element::Delta };
    refused(|key| key.delta_g2 = key.gamma_g2, related);
    refused(|key| key.delta_g2 = -key.gamma_g2, related);
    refused(
        |key| {
            key.gamma_g2 = G2Affine::generator();
            key.delta_g2 = G2Affine::generator();
        },
        related,
    );
    let generator = LintError::Generator { element: Element::Delta };
    refused(|key| key.delta_g2 = G2Affine::generator(), generator);
    refused(|key| key.delta_g2 = -G2Affine::generator(), generator);
}

#[test]
fn related_or_trivial_points_are_refused() {
    refused(
        |key| key.gamma_g2 = key.beta_g2,
        LintError::Related { first: Element::Beta, second: Element::Gamma },
    );
    refused(
        |key| key.delta_g2 = -key.beta_g2,
        LintError::Related { first: Element::Beta, second: Element::Delta },
    );
    refused(
        |key| key.ic[3] = key.ic[1],
        LintError::Related { first: Element::Ic(1), second: Element::Ic(3) },
    );
    refused(
        |key| key.ic[6] = -key.ic[0],
        LintError::Related { first: Element::Ic(0), second: Element::Ic(6) },
    );
    refused(
        |key| key.ic[0] = -key.alpha_g1,
        LintError::Related { first: Element::Alpha, second: Element::Ic(0) },
    );
    refused(|key| key.alpha_g1 = G1Affine::generator(), LintError::Generator { element: Element::Alpha });
    refused(|key| key.beta_g2 = -G2Affine::generator(), LintError::Generator { element: Element::Beta });
}

#[test]
fn a_ceremony_leaves_gamma_at_the_generator() {
    let mut key = key(CohortSize::N16);
    key.gamma_g2 = G2Affine::generator();
    assert_eq!(lint(&key), Ok(()));
}

#[test]
fn wrong_number_of_inputs_is_refused() {
    for (size, expected) in [(CohortSize::N16, 7), (CohortSize::N128, 7), (CohortSize::N256, 8)] {
        let mut short = key(size);
        short.ic.pop();
        assert_eq!(lint(&short), Err(LintError::IcLength { expected, got: expected - 1 }));
        let mut long = key(size);
        long.ic.push(G1Affine::generator());
        assert_eq!(lint(&long), Err(LintError::IcLength { expected, got: expected + 1 }));
        let mut none = key(size);
        none.ic.clear();
        assert_eq!(
            Verifier::new(&none, DevelopmentKeys::Allow).err(),
            Some(LintError::IcLength { expected, got: 0 }.into())
        );
    }
}

#[test]
fn bad_points_are_refused() {
    let infinity = |element| LintError::Point(EncodingError::Infinity { element });
    refused(|key| key.alpha_g1 = G1Affine::identity(), infinity(Element::Alpha));
    refused(|key| key.beta_g2 = G2Affine::identity(), infinity(Element::Beta));
    refused(|key| key.gamma_g2 = G2Affine::identity(), infinity(Element::Gamma));
    refused(|key| key.delta_g2 = G2Affine::identity(), infinity(Element::Delta));
    for i in 0..7 {
        refused(|key| key.ic[i] = G1Affine::identity(), infinity(Element::Ic(i)));
    }
    let subgroup = |element| LintError::Point(EncodingError::NotInSubgroup { element });
    refused(|key| key.gamma_g2 = outside_subgroup(), subgroup(Element::Gamma));
    refused(|key| key.delta_g2 = outside_subgroup(), subgroup(Element::Delta));
    let off = |element| LintError::Point(EncodingError::NotOnCurve { element });
    refused(|key| key.ic[2].y = key.ic[2].x, off(Element::Ic(2)));
    refused(|key| key.beta_g2.y = key.beta_g2.x, off(Element::Beta));
}

#[test]
fn key_has_one_encoding() {
    for (size, length) in [(CohortSize::N16, 928), (CohortSize::N256, 992)] {
        for development in [false, true] {
            let key = Trapdoor::new(size, development, 2).key;
            let good = key.to_bytes();
            assert_eq!((good.len(), verifying_key_bytes(size)), (length, length));
            assert_eq!(
                good[..10],
                [
                    b"BSVK\x00\x01\x00".as_slice(),
                    &[u8::from(development)],
                    &(size.slots() as u16).to_be_bytes()
                ]
                .concat()
            );
            assert_eq!(VerifyingKey::from_bytes(&good).as_ref(), Ok(&key));
            for cut in 0..length {
                assert!(VerifyingKey::from_bytes(&good[..cut]).is_err());
            }
            let mut long = good.clone();
            long.push(0);
            let error = EncodingError::Length { expected: length, got: length + 1 };
            assert_eq!(VerifyingKey::from_bytes(&long), Err(error.into()));
        }
    }
}

#[test]
fn every_flipped_bit_of_a_key_is_refused_or_names_another_key() {
    let key = key(CohortSize::N16);
    let good = key.to_bytes();
    for index in 0..good.len() {
        let mut bad = good.clone();
        bad[index] ^= 1 << (index % 8);
        if let Ok(other) = VerifyingKey::from_bytes(&bad) {
            // Bits of the header that mean something: development flag, cohort sizes with as many inputs.
            assert!((6..10).contains(&index), "byte {index}");
            assert_ne!(other.key_id(), key.key_id());
        }
    }
}

#[test]
fn no_bytes_make_the_decoder_panic() {
    let good = key(CohortSize::N16).to_bytes();
    let patch = (0..good.len(), proptest::collection::vec(any::<u8>(), 1..80));
    TestRunner::deterministic()
        .run(&patch, |(start, patch)| {
            let mut bytes = good.clone();
            for (byte, value) in bytes[start..].iter_mut().zip(patch) {
                *byte = value;
            }
            if let Ok(key) = VerifyingKey::from_bytes(&bytes) {
                prop_assert_eq!(key.to_bytes(), bytes);
            }
            Ok(())
        })
        .unwrap();
}
