#![cfg(feature = "gpu")]
use ark_ec::short_weierstrass::{Affine, Projective};
use ark_ec::{AffineRepr, CurveGroup};
use ark_ff::PrimeField;
use blindsum_engine::backend::Backend;
use blindsum_engine::cpu::Cpu;
use blindsum_engine::gpu::{Gpu, GpuLimits, Limbs};
use blindsum_engine::points::{Curve, G1, Grumpkin, Points};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::time::Instant;

fn points<C: Curve>(n: usize) -> Vec<Affine<C>> {
    let g = Affine::<C>::generator();
    let step = (g * C::ScalarField::from(0x1234_5678_9abcu64)).into_affine();
    let mut cur = g.into_group();
    let mut v = Vec::new();
    for _ in 0..n {
        v.push(cur);
        cur += step;
    }
    Projective::normalize_batch(&v)
}
fn rand<F: PrimeField>(rng: &mut ChaCha20Rng) -> F {
    let mut b = [0; 64];
    rng.fill_bytes(&mut b);
    F::from_le_bytes_mod_order(&b)
}

#[test]
fn quick() {
    let logs: Vec<u32> = std::env::var("LOGS").unwrap_or("4,8,12".into()).split(',').map(|x| x.parse().unwrap()).collect();
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    for limbs in [Limbs::U64x8, Limbs::L13x20] {
        let gpu = Gpu::with_limits(GpuLimits { limbs: Some(limbs), ..Default::default() }).unwrap();
        for log in &logs {
            let n = (1usize << log) + 1;
            let p = Points::<G1>::new(&points(n));
            let s: Vec<ark_bn254::Fr> = (0..n).map(|_| rand(&mut rng)).collect();
            for _ in 0..2 {
                let t = Instant::now();
                let got = gpu.msm_g1_vartime(&p, &s).unwrap();
                let a = t.elapsed();
                let t = Instant::now();
                let want = Cpu.msm_g1_vartime(&p, &s).unwrap();
                println!("{limbs} g1 2^{log}: {} gpu {a:?} cpu {:?}", got == want, t.elapsed());
            }
            let p = Points::<Grumpkin>::new(&points(n));
            let s: Vec<ark_bn254::Fq> = (0..n).map(|_| rand(&mut rng)).collect();
            let t = Instant::now();
            let got = gpu.msm_grumpkin_vartime(&p, &s).unwrap();
            println!("{limbs} gr 2^{log}: {} {:?}", got == Cpu.msm_grumpkin_vartime(&p, &s).unwrap(), t.elapsed());
            for bits in [2u8, 8, 16, 24, 32] {
                let rows: Vec<Vec<i32>> = (0..3).map(|_| (0..n).map(|_| (rng.next_u32() as i32) >> (32 - bits)).collect()).collect();
                let rows: Vec<&[i32]> = rows.iter().map(Vec::as_slice).collect();
                let t = Instant::now();
                let got = gpu.msm_signed(&p, &rows, bits).unwrap();
                let a = t.elapsed();
                let t = Instant::now();
                let want = Cpu.msm_signed(&p, &rows, bits).unwrap();
                println!("{limbs} signed {bits} 2^{log}: {} gpu {a:?} cpu {:?}", got == want, t.elapsed());
            }
        }
    }
}
