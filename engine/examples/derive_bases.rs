//! What deriving commitment bases costs: `cargo run --release -p blindsum-engine --example derive_bases [LOG_N [THREADS]]`.
//!
//! One hash to the curve after the other, and the same points by each width that this processor has.
#![allow(clippy::print_stdout, reason = "a table is what it is for")]

use std::time::Instant;

use blindsum_engine::{
    bases::BASIS_NAME,
    cpu::{Cpu, Width},
    curve::hash_to_curve,
    points::PackedPoint,
};
use rayon::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let n = 1usize << arguments.next().map_or(Ok(14), |log_n| log_n.parse::<u32>())?;
    let threads = arguments.next().map_or(Ok(1), |threads| threads.parse())?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let report = |name: &str, start: Instant| {
        let us = start.elapsed().as_secs_f64() * 1e6 / n as f64;
        println!("{name:>8}, {threads} threads: {us:6.2} us a point, {:.2} s", us * n as f64 / 1e6);
    };
    let mut expected = vec![PackedPoint::INFINITY; n];
    let one = |(i, point): (usize, &mut PackedPoint)| {
        *point = PackedPoint::pack(&hash_to_curve(BASIS_NAME, i as u64));
    };
    let start = Instant::now();
    pool.install(|| expected.par_iter_mut().enumerate().for_each(one));
    report("single", start);
    for cpu in Width::ALL.into_iter().filter_map(|width| Cpu::at(width).ok()) {
        let mut points = vec![PackedPoint::INFINITY; n];
        let start = Instant::now();
        pool.install(|| cpu.hash_to_curve(BASIS_NAME, |i| i as u64, &mut points));
        report(cpu.width().name(), start);
        assert!(points == expected, "every width derives the same points");
    }
    Ok(())
}
