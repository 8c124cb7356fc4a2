//! The operations, their sizes, and the ways to do each.

use std::sync::atomic::AtomicBool;

use ark_bn254::{G2Projective, g2};
use ark_ec::VariableBaseMSM;
use blindsum_benches::{ark, halo2, inputs, masks};
use blindsum_engine::backend::Backend;
use blindsum_engine::cpu::{Cpu, CpuAt, Width};
use blindsum_engine::curve::Fr;
use blindsum_engine::ntt::{Direction, Domain};
use blindsum_engine::points::{G1, G1Projective, Grumpkin, PackedG2, Points};
use clap::ValueEnum;

use crate::Failure;
use crate::measure::{Row, Settings, Way, measure};
use crate::proofs;

const G1_LOG_SIZES: [u32; 6] = [8, 10, 14, 16, 18, 20];
const G2_LOG_SIZES: [u32; 3] = [10, 14, 16];
const SIGNED_LOG_SIZES: [u32; 2] = [16, 20];
const SIGNED_BITS: [u8; 4] = [8, 16, 24, 32];
const NTT_LOG_SIZES: [u32; 3] = [14, 18, 20];
const MASK_LOG_SIZES: [u32; 1] = [22];
const N_MASKS: [usize; 2] = [1, 64];

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Operation {
    /// Sums of full scalars on BN254 G1.
    MsmG1,
    /// Sums of full scalars on BN254 G2.
    MsmG2,
    /// Sums of short signed words on Grumpkin, as in a commitment.
    MsmSigned,
    /// Forward transforms on the subgroup.
    Ntt,
    /// Quotients of a proof: six transforms.
    Quotient,
    /// Masks, expanded and added up.
    MaskExpand,
    /// Whole proofs, of the cohorts that are named apart.
    Proof,
}

/// Every width that there is here.
fn widths() -> Vec<CpuAt> {
    Width::ALL.into_iter().filter_map(|width| Cpu::at(width).ok()).collect()
}

/// A sum as its maker holds it: converting it is no part of the time.
enum G1Sum {
    Ark(G1Projective),
    Halo2(halo2curves::bn256::G1),
}

impl PartialEq for G1Sum {
    fn eq(&self, other: &Self) -> bool {
        let projective = |sum: &Self| match sum {
            Self::Ark(sum) => *sum,
            Self::Halo2(sum) => halo2::to_ark(sum).into(),
        };
        projective(self) == projective(other)
    }
}

impl Operation {
    pub(crate) fn measure(self, settings: &Settings, rows: &mut Vec<Row>) -> Result<(), Failure> {
        match self {
            Self::MsmG1 => msm_g1(settings, rows),
            Self::MsmG2 => msm_g2(settings, rows),
            Self::MsmSigned => msm_signed(settings, rows),
            Self::Ntt => ntt(settings, rows),
            Self::Quotient => quotient(settings, rows),
            Self::MaskExpand => mask_expand(settings, rows),
            Self::Proof => {
                settings.cohorts.iter().try_for_each(|cohort| proofs::measure(*cohort, settings, rows))
            }
        }
    }
}

fn size(log_size: u32) -> String {
    format!("2^{log_size}")
}

fn msm_g1(settings: &Settings, rows: &mut Vec<Row>) -> Result<(), Failure> {
    for log_size in settings.sizes(&G1_LOG_SIZES) {
        let affine = inputs::progression::<G1>(1 << log_size);
        let scalars = inputs::uniform_vector(&mut inputs::rng(), affine.len());
        let points = Points::new(&affine);
        let halo2 = halo2::is_available().then(|| halo2::Sum::new(&affine, &scalars));
        let ours = |cpu: CpuAt| {
            let (points, scalars) = (&points, &scalars);
            Way::new(cpu.width().name(), (), move |()| {
                G1Sum::Ark(cpu.msm_g1_vartime(points, scalars).expect("as many as points"))
            })
        };
        let mut ways: Vec<_> = widths().into_iter().map(ours).collect();
        ways.push(Way::peer("ark-ec 0.6", (), |()| {
            G1Sum::Ark(G1Projective::msm(&affine, &scalars).expect("as many as points"))
        }));
        ways.extend(halo2.as_ref().map(|halo2| Way::peer(halo2::NAME, (), |()| G1Sum::Halo2(halo2.best()))));
        measure("msm_g1, full scalars", &size(log_size), &ways, settings, rows)?;
    }
    Ok(())
}

fn msm_g2(settings: &Settings, rows: &mut Vec<Row>) -> Result<(), Failure> {
    let stop = AtomicBool::new(false);
    for log_size in settings.sizes(&G2_LOG_SIZES) {
        let points = inputs::progression::<g2::Config>(1 << log_size);
        let packed: Vec<PackedG2> = points.iter().map(PackedG2::pack).collect();
        let scalars = inputs::uniform_vector(&mut inputs::rng(), points.len());
        let ours = |cpu: CpuAt| {
            let (packed, scalars, stop) = (&packed, &scalars, &stop);
            Way::new(cpu.width().name(), (), move |()| {
                cpu.msm_g2_vartime(packed, scalars, stop).expect("no device").expect("nobody stops it")
            })
        };
        let mut ways: Vec<_> = widths().into_iter().map(ours).collect();
        ways.push(Way::peer("ark-ec 0.6", (), |()| {
            G2Projective::msm(&points, &scalars).expect("as many as points")
        }));
        measure("msm_g2, full scalars", &size(log_size), &ways, settings, rows)?;
    }
    Ok(())
}

fn msm_signed(settings: &Settings, rows: &mut Vec<Row>) -> Result<(), Failure> {
    for log_size in settings.sizes(&SIGNED_LOG_SIZES) {
        let affine = inputs::progression::<Grumpkin>(1 << log_size);
        let points = Points::new(&affine);
        for bits in SIGNED_BITS {
            let words = inputs::words(&mut inputs::rng(), affine.len(), bits);
            let peer = ark::SignedSum::new(&affine, &words, bits);
            let ours = |cpu: CpuAt| {
                let (points, words) = (&points, &words);
                Way::new(cpu.width().name(), (), move |()| {
                    cpu.msm_signed(points, &[words], bits).expect("words of as many bits").remove(0)
                })
            };
            let mut ways: Vec<_> = widths().into_iter().map(ours).collect();
            ways.push(Way::peer("ark-ec 0.6, msm_bigint", (), |()| peer.bigint()));
            ways.push(Way::peer("ark-ec 0.6, magnitudes by sign", (), |()| peer.split()));
            let size = format!("{}, {bits} bits", size(log_size));
            measure("msm_signed, Grumpkin", &size, &ways, settings, rows)?;
        }
    }
    Ok(())
}

fn ntt(settings: &Settings, rows: &mut Vec<Row>) -> Result<(), Failure> {
    for log_size in settings.sizes(&NTT_LOG_SIZES) {
        let values = inputs::uniform_vector(&mut inputs::rng(), 1 << log_size);
        let mut natural = values.clone();
        inputs::bit_reverse(&mut natural);
        let ours = |cpu: CpuAt| {
            Way::new(cpu.width().name(), values.clone(), move |values: &mut Vec<Fr>| {
                cpu.ntt(Direction::Forward, Domain::Subgroup, values).expect("a power of two");
            })
        };
        let mut ways: Vec<_> = widths().into_iter().map(ours).collect();
        ways.push(Way::peer("ark-poly 0.6", natural, |values| ark::forward(Domain::Subgroup, values)));
        measure("ntt, forward, subgroup", &size(log_size), &ways, settings, rows)?;
    }
    Ok(())
}

fn quotient(settings: &Settings, rows: &mut Vec<Row>) -> Result<(), Failure> {
    for log_size in settings.sizes(&NTT_LOG_SIZES) {
        let mut rng = inputs::rng();
        let [a, b] = std::array::from_fn(|_| inputs::uniform_vector(&mut rng, 1 << log_size));
        // `b` is left in any state: only `a` is compared.
        let ours = |cpu: CpuAt| {
            Way::new(cpu.width().name(), (a.clone(), b.clone()), move |(a, b): &mut (Vec<Fr>, Vec<Fr>)| {
                cpu.quotient(a, b).expect("a power of two");
                b.clear();
            })
        };
        let mut ways: Vec<_> = widths().into_iter().map(ours).collect();
        ways.push(Way::peer("ark-poly 0.6", (a.clone(), b.clone()), |(a, b)| {
            ark::quotient(a, b);
            b.clear();
        }));
        measure("quotient", &size(log_size), &ways, settings, rows)?;
    }
    Ok(())
}

fn mask_expand(settings: &Settings, rows: &mut Vec<Row>) -> Result<(), Failure> {
    for log_size in settings.sizes(&MASK_LOG_SIZES) {
        for n_masks in N_MASKS {
            let masks = masks::masks(n_masks);
            let fresh = vec![0u32; 1 << log_size];
            let ours = |cpu: CpuAt| {
                let masks = &masks;
                Way::new(cpu.width().name(), fresh.clone(), move |acc: &mut Vec<u32>| {
                    cpu.mask_expand(masks, 0, acc).expect("within the stream");
                })
            };
            let mut ways: Vec<_> = widths().into_iter().map(ours).collect();
            ways.push(
                Way::peer(
                    "chacha20 0.10, keystream alone, one thread",
                    fresh.clone(),
                    |acc: &mut Vec<u32>| {
                        masks::keystream(&masks, acc.len());
                    },
                )
                .checked_by(|acc| masks::keystream_sum(&masks, acc)),
            );
            let size = format!("{n_masks} x {} words", size(log_size));
            measure("mask_expand", &size, &ways, settings, rows)?;
        }
    }
    Ok(())
}
