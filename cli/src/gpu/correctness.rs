//! Every kernel against the CPU, over fields, limb variants and sizes.

use std::io::Write;
use std::time::Instant;

use ark_bn254::Fr;
use ark_ec::CurveGroup;
use ark_ff::{BigInt, PrimeField};
use blindsum_engine::backend::Backend;
use blindsum_engine::cpu::Cpu;
use blindsum_engine::error::EngineError;
use blindsum_engine::gpu::probe::{self, FieldOperation, Words};
use blindsum_engine::gpu::{Gpu, Limbs};
use blindsum_engine::mask::{MaskKey, SignedMask};
use blindsum_engine::ntt::{Direction, Domain};
use blindsum_engine::points::{G1, Grumpkin};
use blindsum_shaders::Field;
use serde::Serialize;

use super::inputs::{FAMILIES, element, points, scalars, word, words};

/// One comparison.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    what: String,
    pub(super) equal: bool,
    milliseconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

impl Check {
    pub(super) fn print(&self, out: &mut impl Write) -> std::io::Result<()> {
        let verdict = self.problem.as_deref().unwrap_or("equal");
        writeln!(out, "{:<72} {:>9.1} ms  {verdict}", self.what, self.milliseconds)
    }
}

/// Runs `gpu` and `cpu` and compares what they give.
fn check<T: PartialEq>(
    what: String,
    gpu: impl FnOnce() -> Result<T, EngineError>,
    cpu: impl FnOnce() -> Result<T, EngineError>,
) -> Check {
    let clock = Instant::now();
    let got = gpu();
    let milliseconds = clock.elapsed().as_secs_f64() * 1e3;
    let problem = match (got, cpu()) {
        (Ok(got), Ok(expected)) if got == expected => None,
        (Ok(_), Ok(_)) => Some("DIFFERS from the CPU".to_owned()),
        (Err(error), _) | (_, Err(error)) => Some(error.to_string()),
    };
    Check { what, equal: problem.is_none(), milliseconds, problem }
}

/// All checks of one limb variant; `small` is the same adapter with a binding of 1 MiB.
pub(super) fn checks<'a>(gpu: &'a Gpu, small: &'a Gpu, quick: bool) -> impl Iterator<Item = Check> + 'a {
    let sizes: &[usize] = if quick {
        &[0, 1, 33, 1025]
    } else {
        &[0, 1, 2, 33, 257, 1025, (1 << 14) + 1, 1 << 16, (1 << 18) + 3]
    };
    fields::<ark_bn254::Fq>(gpu, Field::Fq)
        .chain(fields::<Fr>(gpu, Field::Fr))
        .chain(masks_and_rows(gpu, quick))
        .chain(transforms(
            gpu,
            if quick { &[0, 5, 9, 10, 13] } else { &[0, 1, 5, 9, 10, 13, 16, 18, 19, 20, 22] },
        ))
        .chain(transforms(small, &[15]))
        .chain(sizes.iter().flat_map(move |n| sums(gpu, "", *n)))
        .chain(
            [1025, (1 << 14) + 33]
                .into_iter()
                .take(if quick { 1 } else { 2 })
                .flat_map(move |n| sums(small, ", 1 MiB bindings", n)),
        )
}

fn limbs_of<F: PrimeField<BigInt = BigInt<4>>>(value: F) -> Words {
    let limbs = value.into_bigint().0;
    core::array::from_fn(|i| (limbs[i / 2] >> (32 * (i % 2))) as u32)
}

/// The field's operations on elements of every kind: small, near the modulus, and between.
fn fields<F: PrimeField<BigInt = BigInt<4>>>(gpu: &Gpu, field: Field) -> impl Iterator<Item = Check> + '_ {
    let log_r = match gpu.limbs() {
        Limbs::U64x8 => 256u64,
        Limbs::L13x20 => 260,
    };
    let elements = |seed| -> Vec<F> {
        (0..4096u64)
            .map(|i| match i % 8 {
                0 => F::from(word(seed, i) % 3),
                1 => -F::from(word(seed, i) % 3),
                2 => F::from(u32::MAX) + F::from(word(seed, i) % 3),
                _ => element(seed, i),
            })
            .collect()
    };
    let (a, b) = (elements(3), elements(4));
    let power = |exponent: u64| F::from(2u8).pow([exponent]);
    let (r, inverse_r) = (power(log_r), power(log_r).inverse().unwrap_or_default());
    let from_256 = power(256).inverse().unwrap_or_default();
    let operations: [(FieldOperation, u32); 6] = [
        (FieldOperation::Multiply, 9),
        (FieldOperation::Add, 9),
        (FieldOperation::Subtract, 9),
        (FieldOperation::Negate, 1),
        (FieldOperation::FromHost, 1),
        (FieldOperation::IntegerFromHost, 1),
    ];
    operations.into_iter().map(move |(operation, rounds)| {
        let once = |a: F, b: F| match operation {
            FieldOperation::Multiply => a * b * inverse_r,
            FieldOperation::Add => a + b,
            FieldOperation::Subtract => a - b,
            FieldOperation::Negate => -a,
            FieldOperation::FromHost => a * from_256 * r,
            FieldOperation::IntegerFromHost => a * from_256,
        };
        let words = |values: &[F]| values.iter().map(|value| limbs_of(*value)).collect::<Vec<_>>();
        check(
            format!("{operation:?} over {field}/{}, {} pairs, {rounds} times", gpu.limbs(), a.len()),
            || probe::field(gpu, field, operation, rounds, &words(&a), &words(&b)),
            || {
                let results = a.iter().zip(&b).map(|(a, b)| (0..rounds).fold(*a, |a, _| once(a, *b)));
                Ok(words(&results.collect::<Vec<_>>()))
            },
        )
    })
}

fn masks_and_rows(gpu: &Gpu, quick: bool) -> impl Iterator<Item = Check> + '_ {
    let sizes: &[usize] = if quick { &[1, 5003] } else { &[1, 5003, 1 << 16, (1 << 20) + 3] };
    sizes.iter().flat_map(move |n| {
        let masks: Vec<SignedMask> = (0..40u8)
            .map(|i| {
                let key = MaskKey::new([i; 32]);
                if i % 3 == 0 { SignedMask::subtract(key) } else { SignedMask::add(key) }
            })
            .collect();
        let expand = move |backend: &dyn Backend| {
            let mut acc = vec![7; *n];
            // Across the 32-bit block counter.
            backend.mask_expand(&masks, (16 << 32) - 900, &mut acc).map(|()| acc)
        };
        let row: Vec<u32> = (0..*n as u64).map(|j| word(5, j) as u32).collect();
        let sum = move |backend: &dyn Backend| {
            let mut acc = vec![9; *n];
            backend.sum_rows(&[row.as_slice(); 12], &mut acc).map(|()| acc)
        };
        [
            check(format!("mask_expand, 40 masks of {n} words"), || expand(gpu), || expand(&Cpu)),
            check(format!("sum_rows, 12 rows of {n} words"), || sum(gpu), || sum(&Cpu)),
        ]
    })
}

/// Transforms of `2^log_n` elements both ways on both domains, and a quotient.
fn transforms<'a>(gpu: &'a Gpu, log_sizes: &'a [u32]) -> impl Iterator<Item = Check> + 'a {
    let limbs = gpu.limbs();
    log_sizes.iter().flat_map(move |log_n| {
        let (a, b) = (scalars::<Fr>("uniform", 1 << log_n), scalars::<Fr>("mostly 0 and 1", 1 << log_n));
        let kinds = [Direction::Forward, Direction::Inverse]
            .into_iter()
            .flat_map(|direction| Domain::ALL.map(|domain| (direction, domain)));
        let mut checks: Vec<Check> = kinds
            .map(|(direction, domain)| {
                let ntt = |backend: &dyn Backend| {
                    let mut values = a.clone();
                    backend.ntt(direction, domain, &mut values).map(|()| values)
                };
                let what = format!("ntt in {limbs}, {direction:?}, {domain:?}, 2^{log_n} elements");
                check(what, || ntt(gpu), || ntt(&Cpu))
            })
            .collect();
        let quotient = |backend: &dyn Backend| {
            let (mut a, mut b) = (a.clone(), b.clone());
            backend.quotient(&mut a, &mut b).map(|()| a)
        };
        let what = format!("quotient in {limbs}, 2^{log_n} elements");
        checks.push(check(what, || quotient(gpu), || quotient(&Cpu)));
        checks
    })
}

/// Sums of both curves and both kinds of scalars over `n` points.
fn sums<'a>(gpu: &'a Gpu, limits: &'a str, n: usize) -> impl Iterator<Item = Check> + 'a {
    let limbs = gpu.limbs();
    let (g1, grumpkin) = (points::<G1>(n, true), points::<Grumpkin>(n, true));
    let full = FAMILIES.into_iter().flat_map({
        let grumpkin = grumpkin.clone();
        move |family| {
            let msm_g1 = |backend: &dyn Backend, scalars: &[Fr]| {
                backend.msm_g1_vartime(&g1, scalars).map(|sum| sum.into_affine())
            };
            let msm_grumpkin = |backend: &dyn Backend, scalars: &[ark_bn254::Fq]| {
                backend.msm_grumpkin_vartime(&grumpkin, scalars).map(|sum| sum.into_affine())
            };
            let (fr, fq) = (scalars(family, n), scalars(family, n));
            let what = |curve| format!("msm, {curve} in {limbs}, {n} points, {family} scalars{limits}");
            [
                check(what("BN254 G1"), || msm_g1(gpu, &fr), || msm_g1(&Cpu, &fr)),
                check(what("Grumpkin"), || msm_grumpkin(gpu, &fq), || msm_grumpkin(&Cpu, &fq)),
            ]
        }
    });
    let signed = [8u8, 16, 24, 32].into_iter().map(move |bits| {
        let rows: Vec<Vec<i32>> = (0..3).map(|row| words(6 + row, n, bits)).collect();
        let rows: Vec<&[i32]> = rows.iter().map(Vec::as_slice).collect();
        let msm_signed = |backend: &dyn Backend| {
            let sums = backend.msm_signed(&grumpkin, &rows, bits)?;
            Ok(sums.into_iter().map(|sum| sum.into_affine()).collect::<Vec<_>>())
        };
        let what = format!("msm_signed in {limbs}, 3 rows of {n} words of {bits} bits{limits}");
        check(what, || msm_signed(gpu), || msm_signed(&Cpu))
    });
    full.chain(signed)
}
