//! A whole round in one process: setups, masked inputs, releases, opening. All clients run here, one
//! after the other, so a round's time is the sum of everybody's work, without a network.
//!
//! First, one round of 16 clients is taken apart: the time of each exchange is printed.

#[path = "../../protocol/tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use blindsum_protocol::Mode;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use support::{Cohort, Shape};

const LOG_SIZES: [u32; 2] = [10, 14];

fn shape(log_size: u32) -> Shape {
    Shape { dimension: 1 << log_size, ..Shape::one_group(16, Mode::Curious) }
}

/// One client drops: its masks are rebuilt from its peers' shares.
fn parts(log_size: u32) {
    let mut cohort = shape(log_size).build();
    let mut timed = |name: &str, step: &mut dyn FnMut(&mut Cohort)| {
        let start = Instant::now();
        step(&mut cohort);
        let elapsed: Duration = start.elapsed();
        eprintln!("end_to_end/parts: n = 16, d = 2^{log_size}: {name:<28} {elapsed:>9.1?}");
    };
    timed("setup, 16 clients", &mut |cohort| cohort.run_setup(&[]));
    timed("masked input, 15 clients", &mut |cohort| cohort.run_masks(&[15]));
    timed("digest", &mut Cohort::agree);
    timed("release, 15 clients", &mut |cohort| cohort.run_releases(&[]));
    timed("finish: unmask, open, check", &mut |cohort| {
        let outcome = cohort.finish().expect("enough releases");
        assert_eq!(outcome.participants().count(), 15);
    });
}

fn bench(criterion: &mut Criterion) {
    parts(LOG_SIZES[1]);
    let mut group = criterion.benchmark_group("end_to_end");
    group.sample_size(10);
    for log_size in LOG_SIZES {
        let mut cohort = shape(log_size).build();
        group.bench_function(BenchmarkId::new("round_of_16", format!("2^{log_size}")), |b| {
            b.iter(|| {
                let outcome = cohort.run();
                cohort.next_round();
                outcome
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
