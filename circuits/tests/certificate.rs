//! The certificate has one encoding, and its decoder takes nothing else.

mod common;

use ark_bn254::{Fq, Fr};
use ark_ff::{BigInteger, PrimeField};
use blindsum_circuits::{
    Certificate, Element, EncodingError, Proof, PublicInputs, VerifyError,
    certificate::{MAGIC, certificate_bytes},
    codec::g2_to_bytes,
};
use blindsum_engine::{
    curve::{Point, fr_to_bytes, point_to_bytes},
    roster::{Bitmap, CohortSize},
};
use common::{Case, Layout, add_modulus, case, inputs, outside_subgroup, record};
use proptest::{prelude::*, test_runner::TestRunner};

/// Applies `change` to the good bytes, expects `error` from the decoder, then decodes the good bytes again.
fn refused(case: &Case, change: impl FnOnce(&mut Vec<u8>), error: EncodingError) {
    let good = case.certificate.to_bytes();
    let mut bad = good.clone();
    change(&mut bad);
    assert_ne!(good, bad);
    assert_eq!(Certificate::from_bytes(&bad), Err(error));
    assert_eq!(case.verifier.verify_bytes(&case.record, &bad), Err(VerifyError::Encoding(error)));
    assert_eq!(Certificate::from_bytes(&good).as_ref(), Ok(&case.certificate));
}

#[test]
fn layout_is_the_design() {
    for (size, length) in [(16, 480), (64, 480), (128, 480), (256, 512)] {
        let size = CohortSize::try_from(size).unwrap();
        let case = case(size);
        let (bytes, layout) = (case.certificate.to_bytes(), Layout::of(size));
        assert_eq!((bytes.len(), certificate_bytes(size)), (length, length));
        assert_eq!(bytes[..6], *b"BSCT\x00\x01");
        assert_eq!(bytes[6..8], [0, 0]);
        assert_eq!(bytes[8..10], (size.slots() as u16).to_be_bytes());
        assert_eq!(bytes[10..16], [0; 6]);
        assert_eq!(bytes[16..32], case.trapdoor.key.digest()[..16]);
        assert_eq!(bytes[32..64], fr_to_bytes(&case.record.roster_root));
        assert_eq!(bytes[64..96], *case.record.round_context.as_bytes());
        let bitmap = case.record.posted.to_be_bytes();
        let (high, low) = bitmap.split_at(16);
        assert_eq!(bytes[layout.participants + 16..layout.participants + 32], *low);
        if size == CohortSize::N256 {
            assert_eq!(bytes[layout.participants + 48..layout.participants + 64], *high);
        }
        assert_eq!(bytes[layout.leaves_root..][..32], fr_to_bytes(&case.record.leaves_root));
        assert_eq!(bytes[layout.commitment..][..64], point_to_bytes(&case.certificate.inputs().commitment()));
        assert_eq!(bytes[layout.a..], case.certificate.proof().to_bytes());
        let elements: Vec<u8> =
            case.certificate.inputs().to_field_elements().iter().flat_map(fr_to_bytes).collect();
        assert_eq!(bytes[32..layout.a], elements);
        assert_eq!(Certificate::from_bytes(&bytes).as_ref(), Ok(&case.certificate));
    }
}

#[test]
fn every_cut_and_every_trailing_byte_is_refused() {
    for size in [CohortSize::N16, CohortSize::N256] {
        let good = case(size).certificate.to_bytes();
        for length in 0..good.len() {
            let error = Certificate::from_bytes(&good[..length]).unwrap_err();
            assert!(matches!(error, EncodingError::Length { got, .. } if got == length), "{length}: {error}");
        }
        for extra in 1..=33 {
            let mut long = good.clone();
            long.resize(good.len() + extra, 0);
            let expected = EncodingError::Length { expected: good.len(), got: good.len() + extra };
            assert_eq!(Certificate::from_bytes(&long), Err(expected));
        }
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    let case = case(CohortSize::N16);
    let good = case.certificate.to_bytes();
    for index in 0..good.len() {
        let mut bad = good.clone();
        bad[index] ^= 1 << (index % 8);
        // C_x and C_y are bound by the proof alone: no record knows them.
        assert!(case.verifier.verify_bytes(&case.record, &bad).is_err(), "byte {index}");
    }
    assert_eq!(case.verifier.verify_bytes(&case.record, &good), Ok(()));
}

#[test]
fn header_fields_are_checked() {
    let case = case(CohortSize::N16);
    refused(
        &case,
        |b| b[..4].copy_from_slice(b"BSVK"),
        EncodingError::Magic { expected: MAGIC, got: *b"BSVK" },
    );
    for got in [0, 2, 256] {
        refused(&case, |b| b[4..6].copy_from_slice(&u16::to_be_bytes(got)), EncodingError::Version { got });
    }
    for got in [2, 3, 0x8000] {
        refused(&case, |b| b[6..8].copy_from_slice(&u16::to_be_bytes(got)), EncodingError::Flags { got });
    }
    for got in [0, 15, 17, 32, 512] {
        refused(
            &case,
            |b| b[8..10].copy_from_slice(&u16::to_be_bytes(got)),
            EncodingError::CohortSize { got },
        );
    }
    for offset in 10..16 {
        refused(&case, |b| b[offset] = 1, EncodingError::Reserved { offset });
    }
    refused(
        &case,
        |b| b[8..10].copy_from_slice(&256u16.to_be_bytes()),
        EncodingError::Length { expected: 512, got: 480 },
    );
}

#[test]
fn aliases_of_field_elements_are_refused() {
    let (r, q) = (Fr::MODULUS.to_bytes_be(), Fq::MODULUS.to_bytes_be());
    for size in [CohortSize::N16, CohortSize::N256] {
        let (case, layout) = (case(size), Layout::of(size));
        for (offset, element) in [
            (32, Element::RosterRoot),
            (layout.leaves_root, Element::LeavesRoot),
            (layout.commitment, Element::Commitment),
            (layout.commitment + 32, Element::Commitment),
        ] {
            refused(
                &case,
                |b| add_modulus(&mut b[offset..][..32], &r),
                EncodingError::NotCanonical { element },
            );
        }
        for (offset, element) in [(64, Element::RoundContext), (layout.participants, Element::Participants)] {
            refused(
                &case,
                |b| add_modulus(&mut b[offset..][..32], &r),
                EncodingError::OutOfRange { element },
            );
        }
        for word in 0..8 {
            let element = [Element::ProofA, Element::ProofB, Element::ProofB, Element::ProofC][word / 2];
            let offset = layout.a + 32 * word;
            refused(
                &case,
                |b| add_modulus(&mut b[offset..][..32], &q),
                EncodingError::NotCanonical { element },
            );
        }
    }
}

#[test]
fn points_off_the_curve_at_infinity_or_outside_the_subgroup_are_refused() {
    for size in [CohortSize::N16, CohortSize::N256] {
        let (case, layout) = (case(size), Layout::of(size));
        let points = [
            (layout.commitment, 64, Element::Commitment),
            (layout.a, 64, Element::ProofA),
            (layout.b, 128, Element::ProofB),
            (layout.c, 64, Element::ProofC),
        ];
        for (offset, length, element) in points {
            refused(&case, |b| b[offset + length - 1] ^= 1, EncodingError::NotOnCurve { element });
            // The EVM's encoding of infinity; ark-ec takes (0, 0) for infinity on every such curve, Grumpkin too.
            let zero = EncodingError::Infinity { element };
            refused(&case, |b| b[offset..][..length].fill(0), zero);
        }
        let element = Element::ProofB;
        let outside = g2_to_bytes(&outside_subgroup());
        refused(
            &case,
            |b| b[layout.b..][..128].copy_from_slice(&outside),
            EncodingError::NotInSubgroup { element },
        );
        let swap_halves = |b: &mut Vec<u8>| {
            for start in [layout.b, layout.b + 64] {
                b[start..start + 64].rotate_left(32);
            }
        };
        refused(&case, swap_halves, EncodingError::NotOnCurve { element });
    }
}

#[test]
fn ranges_of_bitmap_and_context_are_checked() {
    let element = Element::Participants;
    for (size, first_bad) in [(CohortSize::N16, 16), (CohortSize::N64, 64), (CohortSize::N128, 128)] {
        let (case, layout) = (case(size), Layout::of(size));
        for bit in [first_bad, first_bad + 1, 127.max(first_bad), 253] {
            refused(
                &case,
                |b| b[layout.participants + 31 - bit / 8] |= 1 << (bit % 8),
                EncodingError::OutOfRange { element },
            );
        }
    }
    let case = case(CohortSize::N256);
    for word in 0..2 {
        let offset = Layout::of(CohortSize::N256).participants + 32 * word;
        refused(&case, |b| b[offset + 15] |= 1, EncodingError::OutOfRange { element });
        refused(&case, |b| b[offset + 3] |= 1, EncodingError::OutOfRange { element });
    }
    for byte in [64, 65] {
        refused(&case, |b| b[byte] = 1, EncodingError::OutOfRange { element: Element::RoundContext });
    }
}

#[test]
fn constructors_refuse_what_the_decoder_refuses() {
    let size = CohortSize::N64;
    let record = record(size, 1);
    let good = inputs(size, &record, record.posted);
    let make = |participants, commitment| {
        PublicInputs::new(
            size,
            record.roster_root,
            record.round_context,
            participants,
            record.leaves_root,
            commitment,
        )
    };
    let mut beyond = Bitmap::EMPTY;
    beyond.set(64, true);
    assert_eq!(
        make(beyond, good.commitment()),
        Err(EncodingError::OutOfRange { element: Element::Participants })
    );
    let element = Element::Commitment;
    assert_eq!(make(Bitmap::EMPTY, Point::identity()), Err(EncodingError::Infinity { element }));
    let off = Point::new_unchecked(Fr::from(1u8), Fr::from(1u8));
    assert_eq!(make(Bitmap::EMPTY, off), Err(EncodingError::NotOnCurve { element }));

    let proof = *case(size).certificate.proof();
    let element = Element::ProofB;
    assert_eq!(
        Proof::new(proof.a(), outside_subgroup(), proof.c()),
        Err(EncodingError::NotInSubgroup { element })
    );
    assert_eq!(Proof::from_bytes(&proof.to_bytes()), Ok(proof));
}

#[test]
fn no_bytes_make_the_decoder_panic() {
    let case = case(CohortSize::N16);
    let good = case.certificate.to_bytes();
    let mut runner = TestRunner::deterministic();
    runner
        .run(&proptest::collection::vec(any::<u8>(), 0..600), |bytes| {
            prop_assert!(Certificate::from_bytes(&bytes).is_err());
            Ok(())
        })
        .unwrap();
    // Random bytes rarely pass the magic: put random patches into a good certificate, at word borders too.
    let patch = (0..good.len(), proptest::collection::vec(any::<u8>(), 1..64), any::<bool>());
    runner
        .run(&patch, |(start, patch, align)| {
            let mut bytes = good.clone();
            let start = if align { start / 32 * 32 } else { start };
            for (byte, value) in bytes[start..].iter_mut().zip(patch) {
                *byte = value;
            }
            prop_assert_eq!(case.verifier.verify_bytes(&case.record, &bytes).is_ok(), bytes == good);
            if let Ok(certificate) = Certificate::from_bytes(&bytes) {
                prop_assert_eq!(certificate.to_bytes(), bytes);
            }
            Ok(())
        })
        .unwrap();
}
