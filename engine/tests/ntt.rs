//! Transforms and quotients of every backend are those of `naive`, around the sizes where blocks, tiles and passes have
//! their edges, and obey the laws of transforms beyond them.

use ark_ff::{Field, One, Zero};
use blindsum_engine::backend::Backend;
use blindsum_engine::cpu::{Cpu, Width};
use blindsum_engine::curve::Fr;
use blindsum_engine::error::{EngineError, Misuse};
use blindsum_engine::naive;
use blindsum_engine::ntt::{Direction, Domain};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

const SEED: u64 = 0x5eed_0004;
const DIRECTIONS: [Direction; 2] = [Direction::Forward, Direction::Inverse];

/// Elements of every kind: small, near the modulus, and between.
fn values(seed: u64, n: usize) -> Vec<Fr> {
    let mut rng = ChaCha20Rng::seed_from_u64(SEED ^ seed);
    (0..n)
        .map(|i| {
            let small = Fr::from(rng.next_u32() % 3);
            match i % 5 {
                0 => small,
                1 => -small,
                _ => {
                    let mut bytes = [0; 40];
                    rng.fill_bytes(&mut bytes);
                    <Fr as ark_ff::PrimeField>::from_le_bytes_mod_order(&bytes)
                }
            }
        })
        .collect()
}

/// First differing index, so that a failure prints a number and not two long vectors.
fn first_difference(got: &[Fr], expected: &[Fr]) -> Option<usize> {
    assert_eq!(got.len(), expected.len());
    got.iter().zip(expected).position(|(a, b)| a != b)
}

/// Against `naive`, whose time grows with the square of the size.
fn check_small(backend: &dyn Backend) {
    for log_n in 0..=7 {
        let n = 1 << log_n;
        for (direction, domain) in DIRECTIONS.into_iter().flat_map(|d| Domain::ALL.map(|domain| (d, domain)))
        {
            let mut got = values(1, n);
            let mut expected = got.clone();
            naive::ntt(direction, domain, &mut expected);
            backend.ntt(direction, domain, &mut got).expect("a backend that works");
            let difference = first_difference(&got, &expected);
            assert_eq!(difference, None, "{}: {direction:?} on {domain:?}, 2^{log_n}", backend.name());
        }
        if log_n <= 6 {
            let (mut a, mut b) = (values(2, n), values(3, n));
            let expected = naive::quotient(&a, &b);
            backend.quotient(&mut a, &mut b).expect("a backend that works");
            assert_eq!(first_difference(&a, &expected), None, "{}: quotient, 2^{log_n}", backend.name());
        }
    }
}

/// Laws that hold at any size: there and back, a few values of the polynomial itself, and what a quotient divides.
fn check_laws(backend: &dyn Backend, log_n: u32) {
    let n = 1usize << log_n;
    let what = format!("{}, 2^{log_n}", backend.name());
    for domain in Domain::ALL {
        let coefficients = values(4, n);
        let mut transformed = coefficients.clone();
        backend.ntt(Direction::Forward, domain, &mut transformed).expect("a backend that works");
        let root = <Fr as ark_ff::FftField>::get_root_of_unity(2 * n as u64).expect("within the field");
        let offset = match domain {
            Domain::Subgroup => Fr::one(),
            Domain::OddCoset => root,
        };
        for place in [0, 1, n / 2, n - 1] {
            let x = offset * root.pow([2 * place as u64]);
            // Horner's rule, from the coefficient of the highest power.
            let bit_reversed = |i: usize| i.reverse_bits().checked_shr(usize::BITS - log_n).unwrap_or(0);
            let value = (0..n).rev().fold(Fr::zero(), |sum, i| sum * x + coefficients[bit_reversed(i)]);
            assert_eq!(transformed[place], value, "{what}: {domain:?}, value {place}");
        }
        backend.ntt(Direction::Inverse, domain, &mut transformed).expect("a backend that works");
        assert_eq!(first_difference(&transformed, &coefficients), None, "{what}: there and back");
    }
    // Three transforms there and back by hand.
    let portable = Cpu::at(Width::Portable).expect("on every processor");
    let (mut a, mut b) = (values(5, n), values(6, n));
    let mut expected: Vec<Vec<Fr>> =
        vec![a.clone(), b.clone(), a.iter().zip(&b).map(|(a, b)| *a * b).collect()];
    for values in &mut expected {
        portable.ntt(Direction::Inverse, Domain::Subgroup, values).expect("the CPU does not fail");
        portable.ntt(Direction::Forward, Domain::OddCoset, values).expect("the CPU does not fail");
    }
    let expected: Vec<Fr> = (0..n).map(|i| expected[0][i] * expected[1][i] - expected[2][i]).collect();
    backend.quotient(&mut a, &mut b).expect("a backend that works");
    assert_eq!(first_difference(&a, &expected), None, "{what}: quotient");
}

fn check_misuse(backend: &dyn Backend) {
    for n in [0usize, 3, 5, 1000] {
        for direction in DIRECTIONS {
            match backend.ntt(direction, Domain::Subgroup, &mut vec![Fr::one(); n]) {
                Err(EngineError::Misuse(Misuse::DomainSize { got, max_log_n: 28 })) => assert_eq!(got, n),
                other => panic!("{other:?}"),
            }
        }
        let (mut a, mut b) = (vec![Fr::one(); n], vec![Fr::one(); n]);
        match backend.quotient(&mut a, &mut b) {
            Err(EngineError::Misuse(Misuse::DomainSize { got, max_log_n: 27 })) => assert_eq!(got, n),
            other => panic!("{other:?}"),
        }
    }
    match backend.quotient(&mut [Fr::one(); 8], &mut [Fr::one(); 4]) {
        Err(EngineError::Misuse(Misuse::LengthMismatch { expected: 8, got: 4, .. })) => {}
        other => panic!("{other:?}"),
    }
}

/// At every width, on one thread and on more than there are cores.
#[test]
fn the_cpu_is_naive() {
    for cpu in Width::ALL.into_iter().filter_map(|width| Cpu::at(width).ok()) {
        for n_threads in [1, 7] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().expect("threads");
            pool.install(|| {
                check_small(&cpu);
                for log_n in [8, 11, 12, 13, 15] {
                    check_laws(&cpu, log_n);
                }
            });
        }
        check_misuse(&cpu);
    }
}

/// Constraints that hold: A B - C vanishes on the domain, so it is divisible there and its quotient is a polynomial.
#[test]
fn the_quotient_of_satisfied_constraints_has_a_low_degree() {
    let n = 64;
    let (a, b) = (values(7, n), values(8, n));
    let (mut h, mut rest) = (a, b);
    Cpu.quotient(&mut h, &mut rest).expect("the CPU does not fail");
    // On the odd coset Z = x^n - 1 is -2 everywhere.
    h.iter_mut().for_each(|value| *value /= -Fr::from(2u8));
    Cpu.ntt(Direction::Inverse, Domain::OddCoset, &mut h).expect("the CPU does not fail");
    // (A B - C) / Z has degree n - 2: the coefficient of x^(n - 1), last in either order, is zero.
    assert_eq!(h[n - 1], Fr::zero());
    assert!(h.iter().filter(|value| value.is_zero()).count() < 3);
}

#[cfg(all(feature = "gpu", not(skip_gpu_tests)))]
mod gpu {
    use blindsum_engine::error::DeviceError;
    use blindsum_engine::gpu::{Gpu, GpuLimits, Limbs};
    use blindsum_engine::twin::Twin;

    use super::*;

    #[test]
    fn both_variants_are_naive() {
        for limbs in Limbs::ALL {
            let gpu = Gpu::with_limits(GpuLimits { limbs: Some(limbs), ..GpuLimits::default() })
                .expect("an adapter");
            check_small(&gpu);
            // One pass, two and three; tiles of one column and of many.
            for log_n in [8, 9, 10, 11, 13, 16, 19] {
                check_laws(&gpu, log_n);
            }
            check_misuse(&gpu);
        }
    }

    #[test]
    fn twins_agree() {
        let twin = Twin::new(Gpu::open().expect("an adapter"), Cpu);
        check_laws(&twin, 12);
    }

    /// A device with small limits: what does not fit is refused by name, and the engine goes on.
    #[test]
    fn a_vector_beyond_a_binding_is_refused() {
        let limits = GpuLimits { binding_bytes: 1 << 20, groups_per_dimension: 3, ..GpuLimits::default() };
        let gpu = Gpu::with_limits(limits).expect("an adapter");
        let mut too_long = values(1, 1 << 16);
        let before = too_long.clone();
        match gpu.ntt(Direction::Forward, Domain::Subgroup, &mut too_long) {
            Err(EngineError::Device(DeviceError::LimitTooSmall {
                needed: 0x20_0000,
                got: 0x10_0000,
                ..
            })) => {}
            other => panic!("{other:?}"),
        }
        assert!(too_long == before);
        check_laws(&gpu, 15);
    }
}
