//! The generated field arithmetic and the curve's addition on the device, against arkworks, in both limb variants.
#![cfg(feature = "gpu")]

use std::sync::OnceLock;

use ark_ec::short_weierstrass::{Affine, Projective};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::{BigInt, BigInteger, PrimeField, Zero};
use blindsum_engine::error::{DeviceError, EngineError, Misuse};
use blindsum_engine::gpu::probe::{self, FieldOperation, Words};
use blindsum_engine::gpu::{Gpu, GpuCurve, GpuLimits};
use blindsum_engine::points::{G1, Grumpkin, PackedPoint};
use blindsum_shaders::{Field, Limbs};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

const SEED: u64 = 0x5eed_0002;

fn open(limbs: Limbs) -> &'static Gpu {
    static GPUS: [OnceLock<Gpu>; 2] = [const { OnceLock::new() }; 2];
    GPUS[usize::from(limbs == Limbs::L13x20)].get_or_init(|| {
        let limits = GpuLimits { limbs: Some(limbs), ..GpuLimits::default() };
        Gpu::with_limits(limits).unwrap_or_else(|error| panic!("{error}"))
    })
}

/// `log2 R` of the variant's Montgomery form.
fn log_r(limbs: Limbs) -> u64 {
    match limbs {
        Limbs::U64x8 => 256,
        Limbs::L13x20 => 260,
    }
}

fn words(value: BigInt<4>) -> Words {
    core::array::from_fn(|i| (value.0[i / 2] >> (32 * (i % 2))) as u32)
}

fn element<F: PrimeField<BigInt = BigInt<4>>>(words: &Words) -> F {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    F::from_le_bytes_mod_order(&bytes)
}

/// Integers below `2 p` where carries, borrows and the final selection have their edges, then random ones.
fn operands<F: PrimeField<BigInt = BigInt<4>>>() -> Vec<Words> {
    let p = F::MODULUS;
    let mut double = p;
    assert!(!double.mul2());
    let minus = |value: &BigInt<4>, k: u64| {
        let mut value = *value;
        assert!(!value.sub_with_borrow(&k.into()));
        value
    };
    let mut values: Vec<Words> =
        [0u64.into(), 1u64.into(), 2u64.into(), 0xffff_ffffu64.into(), (1u64 << 32).into(), 0x1fffu64.into()]
            .into_iter()
            .chain((0..2).flat_map(|k| [minus(&p, k), minus(&double, k + 1)]))
            .map(words)
            .collect();
    // p + 1, and ones in every limb below the top one.
    let mut above = p;
    assert!(!above.add_with_carry(&1u64.into()));
    values.push(words(above));
    let mut ones = [u32::MAX; 8];
    ones[7] = words(p)[7];
    values.push(ones);
    values.push([u32::MAX, 0, u32::MAX, 0, u32::MAX, 0, u32::MAX, 0]);
    let mut rng = ChaCha20Rng::seed_from_u64(SEED);
    while values.len() < 300 {
        let mut value = BigInt([0; 4].map(|_: u64| rng.next_u64()));
        value.0[3] >>= 1;
        if value < double {
            values.push(words(value));
        }
    }
    values
}

/// Every operation on every pair of edges, and on random pairs.
fn check_field<F: PrimeField<BigInt = BigInt<4>>>(field: Field, limbs: Limbs) {
    let values = operands::<F>();
    let n_edges = 14;
    let mut pairs: Vec<(Words, Words)> = Vec::new();
    for a in &values[..n_edges] {
        pairs.extend(values[..n_edges].iter().map(|b| (*a, *b)));
    }
    pairs.extend(values.iter().zip(values.iter().rev()).map(|(a, b)| (*a, *b)));
    let (a, b): (Vec<Words>, Vec<Words>) = pairs.into_iter().unzip();

    let power = |exponent: u64| F::from(2u8).pow([exponent]);
    let inverse_r = power(log_r(limbs)).inverse().expect("a power of two is not zero");
    let from_256 = power(256).inverse().expect("a power of two is not zero");
    let expect = |operation, a: F, b: F| match operation {
        FieldOperation::Multiply => a * b * inverse_r,
        FieldOperation::Add => a + b,
        FieldOperation::Subtract => a - b,
        FieldOperation::Negate => -a,
        FieldOperation::FromHost => a * from_256 * power(log_r(limbs)),
        FieldOperation::IntegerFromHost => a * from_256,
    };
    for operation in [
        FieldOperation::Multiply,
        FieldOperation::Add,
        FieldOperation::Subtract,
        FieldOperation::Negate,
        FieldOperation::FromHost,
        FieldOperation::IntegerFromHost,
    ] {
        let got = probe::field(open(limbs), field, operation, 1, &a, &b).expect("a device that works");
        assert_eq!(got.len(), a.len());
        for (i, got) in got.iter().enumerate() {
            let expected = words(expect(operation, element::<F>(&a[i]), element::<F>(&b[i])).into_bigint());
            assert_eq!(
                *got, expected,
                "{operation:?} over {field}/{limbs}, a = {:x?}, b = {:x?}",
                a[i], b[i]
            );
        }
    }
    // Results as operands, which lie anywhere below 2 p.
    for operation in [FieldOperation::Multiply, FieldOperation::Add, FieldOperation::Subtract] {
        let got = probe::field(open(limbs), field, operation, 50, &a, &b).expect("a device that works");
        for (i, got) in got.iter().enumerate() {
            let (start, b) = (element::<F>(&a[i]), element::<F>(&b[i]));
            let expected = (0..50).fold(start, |a, _| expect(operation, a, b));
            assert_eq!(
                *got,
                words(expected.into_bigint()),
                "{operation:?}, fifty times, over {field}/{limbs}"
            );
        }
    }
}

/// Sums of points among which are equal ones, opposite ones, and progressions whose running sum meets the next point.
fn check_points<C: GpuCurve>(limbs: Limbs) {
    let gpu = open(limbs);
    let g = Affine::<C>::generator();
    let multiple = |k: i64| (g * C::ScalarField::from(k)).into_affine();
    let mut points: Vec<Affine<C>> = [1, 1, 2, 4, 8, -8, -8, 16, 16, -32, 3, 5, 7, 9].map(multiple).to_vec();
    points.extend((1..120).map(multiple));
    // In the variant's form, as `msm_points` leaves them.
    let from_host = |limbs: [u64; 4]| {
        let field = C::FIELD;
        let operand = [words(BigInt(limbs))];
        let got = probe::field(gpu, field, FieldOperation::FromHost, 1, &operand, &operand).expect("works");
        core::array::from_fn(|i| u64::from(got[0][2 * i]) | u64::from(got[0][2 * i + 1]) << 32)
    };
    let packed: Vec<PackedPoint> = points
        .iter()
        .map(|point| {
            let (x, y) = (C::base_from_limbs(from_host(C::base_limbs(&point.x))), C::base_limbs(&point.y));
            PackedPoint::pack(&Affine::<C>::new_unchecked(x, C::base_from_limbs(from_host(y))))
        })
        .collect();
    for rounds in [0, 1, 2, 3, 8, 40] {
        let got = probe::sums::<C>(gpu, &packed, rounds).expect("a device that works");
        for (i, got) in got.iter().enumerate() {
            let expected: Projective<C> =
                (0..rounds as usize).map(|k| points[(i + k) % points.len()].into_group()).sum();
            let [x, y, z] = got.map(|words| element::<C::BaseField>(&words));
            let what = format!("{} in {limbs}, {rounds} points from {i} on", C::NAME);
            match expected.into_affine().xy() {
                None => assert!(z.is_zero() && x.is_zero() && !y.is_zero(), "{what}"),
                Some((ax, ay)) => assert!(!z.is_zero() && ax * z == x && ay * z == y, "{what}"),
            }
        }
    }
}

#[test]
#[cfg_attr(skip_gpu_tests, ignore = "built with SKIP_GPU_TESTS=1")]
fn fields_are_those_of_arkworks() {
    for limbs in Limbs::ALL {
        check_field::<ark_bn254::Fq>(Field::Fq, limbs);
        check_field::<ark_bn254::Fr>(Field::Fr, limbs);
    }
}

#[test]
#[cfg_attr(skip_gpu_tests, ignore = "built with SKIP_GPU_TESTS=1")]
fn additions_have_no_exceptions() {
    for limbs in Limbs::ALL {
        check_points::<G1>(limbs);
        check_points::<Grumpkin>(limbs);
    }
}

#[test]
#[cfg_attr(skip_gpu_tests, ignore = "built with SKIP_GPU_TESTS=1")]
fn operands_of_two_lengths_are_refused() {
    let refused =
        probe::field(open(Limbs::U64x8), Field::Fq, FieldOperation::Add, 1, &[[0; 8]; 2], &[[0; 8]]);
    assert!(matches!(refused, Err(EngineError::Misuse(Misuse::LengthMismatch { expected: 2, got: 1, .. }))));
}

/// The software adapter has 64-bit integers; one without them is refused by name when they are asked for.
#[test]
#[cfg_attr(skip_gpu_tests, ignore = "built with SKIP_GPU_TESTS=1")]
fn the_variant_is_the_one_asked_for() {
    for limbs in Limbs::ALL {
        assert_eq!(open(limbs).limbs(), limbs);
    }
    match Gpu::open() {
        Ok(gpu) => {
            let has = gpu.adapter().features.contains(&"int64");
            assert_eq!(gpu.limbs(), if has { Limbs::U64x8 } else { Limbs::L13x20 });
        }
        Err(error @ DeviceError::NoAdapter { .. }) => panic!("{error}"),
        Err(error) => panic!("{error}"),
    }
}
