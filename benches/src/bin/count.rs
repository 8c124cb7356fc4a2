//! One operation, once, on one thread, over fixed inputs: what `tools/instructions.sh` counts the instructions of.
//!
//! `count` lists the cases, `count OPERATION WIDTH` runs one. Everything is made beforehand and done once, so that tables
//! and caches are there; then [`measured`] does it again, and the tool collects inside of that function alone.

#![forbid(unsafe_code)]

use std::hint::black_box;
use std::io::Write;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use blindsum_benches::{inputs, masks};
use blindsum_engine::backend::Backend;
use blindsum_engine::cpu::{Cpu, CpuAt, Width};
use blindsum_engine::ntt::{Direction, Domain};
use blindsum_engine::points::{Grumpkin, PackedG2, Points};
use clap::{Parser, ValueEnum};

/// Exit status where the processor lacks the instructions of a case.
const UNAVAILABLE: u8 = 3;

const WIDTHS: [Width; 2] = [Width::Portable, Width::Avx2];

/// Does one operation for a tool that counts instructions; without arguments, lists the cases.
#[derive(Debug, Parser)]
struct Arguments {
    #[arg(requires = "width")]
    operation: Option<Operation>,
    #[arg(value_parser = width)]
    width: Option<Width>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Operation {
    MsmG1,
    MsmG2,
    MsmSigned,
    Ntt,
    Quotient,
    MaskExpand,
}

impl Operation {
    fn name(self) -> String {
        self.to_possible_value().expect("none is skipped").get_name().to_owned()
    }

    fn run(self, cpu: CpuAt) {
        let mut rng = inputs::rng();
        match self {
            Self::MsmG1 => {
                let points = Points::new(&inputs::progression(1 << 10));
                let scalars = inputs::uniform_vector(&mut rng, points.len());
                twice(&mut || drop(black_box(cpu.msm_g1_vartime(&points, &scalars))));
            }
            Self::MsmG2 => {
                let points = inputs::progression::<ark_bn254::g2::Config>(1 << 8);
                let points: Vec<PackedG2> = points.iter().map(PackedG2::pack).collect();
                let scalars = inputs::uniform_vector(&mut rng, points.len());
                let stop = AtomicBool::new(false);
                twice(&mut || {
                    drop(black_box(cpu.msm_g2_vartime(&points, &scalars, &stop)));
                });
            }
            Self::MsmSigned => {
                let points = Points::new(&inputs::progression::<Grumpkin>(1 << 11));
                let words = inputs::words(&mut rng, points.len(), 16);
                twice(&mut || drop(black_box(cpu.msm_signed(&points, &[&words], 16))));
            }
            Self::Ntt => {
                let mut values = inputs::uniform_vector(&mut rng, 1 << 11);
                twice(&mut || {
                    cpu.ntt(Direction::Forward, Domain::Subgroup, &mut values).expect("a power of two");
                });
            }
            Self::Quotient => {
                let [mut a, mut b] = std::array::from_fn(|_| inputs::uniform_vector(&mut rng, 1 << 10));
                twice(&mut || cpu.quotient(&mut a, &mut b).expect("a power of two"));
            }
            Self::MaskExpand => {
                let masks = masks::masks(8);
                let mut acc = vec![0; 1 << 12];
                twice(&mut || cpu.mask_expand(&masks, 0, &mut acc).expect("within the stream"));
            }
        }
    }
}

fn width(name: &str) -> Result<Width, String> {
    WIDTHS.into_iter().find(|width| width.name() == name).ok_or_else(|| "portable or avx2".into())
}

fn twice(work: &mut dyn FnMut()) {
    work();
    measured(work);
}

#[inline(never)]
fn measured(work: &mut dyn FnMut()) {
    black_box(work)();
}

fn main() -> ExitCode {
    let Arguments { operation: Some(operation), width: Some(width) } = Arguments::parse() else {
        return list();
    };
    // The pool is this thread: none is started or woken while counting.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build_global();
    pool.expect("nothing has used the pool");
    let cpu = match Cpu::at(width) {
        Ok(cpu) => cpu,
        Err(error) => return refuse(&error.to_string()),
    };
    operation.run(cpu);
    ExitCode::SUCCESS
}

fn list() -> ExitCode {
    let mut out = std::io::stdout().lock();
    for operation in Operation::value_variants() {
        for width in WIDTHS {
            if writeln!(out, "{} {}", operation.name(), width.name()).is_err() {
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

fn refuse(why: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "{why}");
    ExitCode::from(UNAVAILABLE)
}
