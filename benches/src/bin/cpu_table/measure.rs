//! Ways to do the same work: compared, then timed by turns.

use std::hint::black_box;
use std::time::Instant;

use blindsum_engine::roster::CohortSize;
use rayon::{ThreadPool, ThreadPoolBuilder};
use serde::Serialize;

use crate::Failure;

/// How to measure.
pub(crate) struct Settings {
    pub(crate) pools: Pools,
    pub(crate) turns: usize,
    pub(crate) max_log_size: u32,
    /// Whose proofs are measured.
    pub(crate) cohorts: Vec<CohortSize>,
}

impl Settings {
    /// The sizes with the larger ones cut down.
    pub(crate) fn sizes(&self, log_sizes: &[u32]) -> Vec<u32> {
        let mut sizes: Vec<u32> = log_sizes.iter().map(|size| *size.min(&self.max_log_size)).collect();
        sizes.dedup();
        sizes
    }
}

/// One pool for each number of threads.
pub(crate) struct Pools(Vec<ThreadPool>);

impl Pools {
    /// Of these numbers of threads; without any, of one and of all.
    pub(crate) fn new(counts: &[usize]) -> Result<Self, Failure> {
        let mut counts = match counts {
            [] => vec![1, rayon::current_num_threads()],
            counts => counts.to_vec(),
        };
        counts.sort_unstable();
        counts.dedup();
        let pool = |count: &usize| ThreadPoolBuilder::new().num_threads(*count).build();
        Ok(Self(counts.iter().map(pool).collect::<Result<_, _>>()?))
    }

    pub(crate) fn threads(&self) -> Vec<usize> {
        self.0.iter().map(ThreadPool::current_num_threads).collect()
    }

    fn largest(&self) -> &ThreadPool {
        self.0.last().expect("one at least")
    }
}

/// A line of the table.
#[derive(Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) operation: String,
    pub(crate) size: String,
    pub(crate) way: String,
    pub(crate) is_peer: bool,
    /// One for each number of threads.
    pub(crate) timings: Vec<Timing>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Timing {
    pub(crate) threads: usize,
    pub(crate) median_ms: f64,
    pub(crate) least_ms: f64,
    /// The least of the best peer over the least of this way.
    pub(crate) times_as_fast: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) peak_mib: Option<f64>,
}

/// One way to do the work. What it works on is fresh each time, and making it so is no part of the time.
pub(crate) struct Way<'a, State, Answer> {
    name: String,
    is_peer: bool,
    fresh: State,
    call: Call<'a, State, Answer>,
    check: Option<Call<'a, State, Answer>>,
}

type Call<'a, State, Answer> = Box<dyn Fn(&mut State) -> Answer + Send + Sync + 'a>;

impl<'a, State, Answer> Way<'a, State, Answer> {
    pub(crate) fn new(
        name: impl Into<String>,
        fresh: State,
        call: impl Fn(&mut State) -> Answer + Send + Sync + 'a,
    ) -> Self {
        Self { name: name.into(), is_peer: false, fresh, call: Box::new(call), check: None }
    }

    pub(crate) fn peer(
        name: impl Into<String>,
        fresh: State,
        call: impl Fn(&mut State) -> Answer + Send + Sync + 'a,
    ) -> Self {
        Self { is_peer: true, ..Self::new(name, fresh, call) }
    }

    /// What to compare where the timed call leaves out a part of the work.
    pub(crate) fn checked_by(self, check: impl Fn(&mut State) -> Answer + Send + Sync + 'a) -> Self {
        Self { check: Some(Box::new(check)), ..self }
    }
}

/// Compares the ways, then lets them take turns.
pub(crate) fn measure<State: Clone + PartialEq + Send + Sync, Answer: PartialEq + Send>(
    operation: &str,
    size: &str,
    ways: &[Way<'_, State, Answer>],
    settings: &Settings,
    rows: &mut Vec<Row>,
) -> Result<(), Failure> {
    let pools = &settings.pools.0;
    settings.pools.largest().install(|| compare(operation, size, ways))?;
    let mut seconds = vec![vec![Vec::new(); pools.len()]; ways.len()];
    for _ in 0..settings.turns {
        for (pool_idx, pool) in pools.iter().enumerate() {
            for (way, seconds) in ways.iter().zip(&mut seconds) {
                let mut state = way.fresh.clone();
                seconds[pool_idx].push(pool.install(|| {
                    let start = Instant::now();
                    let _ = black_box((way.call)(black_box(&mut state)));
                    start.elapsed().as_secs_f64()
                }));
            }
        }
    }
    let timed = ways.iter().zip(seconds).map(|(way, seconds)| Timed {
        way: way.name.clone(),
        is_peer: way.is_peer,
        seconds,
    });
    rows.extend(summarise(operation, size, &settings.pools.threads(), &timed.collect::<Vec<_>>()));
    Ok(())
}

fn compare<State: Clone + PartialEq, Answer: PartialEq>(
    operation: &str,
    size: &str,
    ways: &[Way<'_, State, Answer>],
) -> Result<(), Failure> {
    let done = |way: &Way<'_, State, Answer>| {
        let mut state = way.fresh.clone();
        let answer = way.check.as_ref().unwrap_or(&way.call)(&mut state);
        (answer, state)
    };
    let Some((first, others)) = ways.split_first() else { return Ok(()) };
    let expected = done(first);
    match others.iter().find(|way| done(way) != expected) {
        None => Ok(()),
        Some(way) => Err(Failure::Differ {
            operation: operation.into(),
            size: size.into(),
            way: way.name.clone(),
            first: first.name.clone(),
        }),
    }
}

/// A way's seconds: for each number of threads those of each turn.
pub(crate) struct Timed {
    pub(crate) way: String,
    pub(crate) is_peer: bool,
    pub(crate) seconds: Vec<Vec<f64>>,
}

/// One row a way.
pub(crate) fn summarise(operation: &str, size: &str, threads: &[usize], ways: &[Timed]) -> Vec<Row> {
    let least = |seconds: &[f64]| seconds.iter().copied().fold(f64::INFINITY, f64::min);
    let peer = |i: usize| {
        let peers = ways.iter().filter(|timed| timed.is_peer);
        peers.map(|timed| least(&timed.seconds[i])).fold(f64::INFINITY, f64::min)
    };
    let timing = |(i, seconds): (usize, &Vec<f64>)| Timing {
        threads: threads[i],
        median_ms: median(seconds) * 1e3,
        least_ms: least(seconds) * 1e3,
        times_as_fast: peer(i) / least(seconds),
        peak_mib: None,
    };
    ways.iter()
        .map(|Timed { way, is_peer, seconds }| Row {
            operation: operation.into(),
            size: size.into(),
            way: way.clone(),
            is_peer: *is_peer,
            timings: seconds.iter().enumerate().map(timing).collect(),
        })
        .collect()
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    if values.len() % 2 == 1 { values[half] } else { f64::midpoint(values[half - 1], values[half]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_with_another_answer_is_named() {
        let mut ways = vec![Way::new("one", 1, |x: &mut u32| *x), Way::peer("same", 1, |x: &mut u32| *x)];
        assert!(compare("copy", "2^0", &ways).is_ok());
        // The answer is the same, what is left behind is not.
        ways.push(Way::peer("other", 1, |x: &mut u32| std::mem::replace(x, 2)));
        let failure = compare("copy", "2^0", &ways).expect_err("they differ");
        assert_eq!(failure.to_string(), "copy 2^0: other and one differ");
    }

    #[test]
    fn the_ratio_is_of_the_least_to_the_best_peer() {
        let timed = |way: &str, is_peer, seconds: [f64; 3]| Timed {
            way: way.into(),
            is_peer,
            seconds: vec![seconds.to_vec()],
        };
        let ways = [
            timed("ours", false, [3.0, 1.0, 2.0]),
            timed("a", true, [9.0; 3]),
            timed("b", true, [4.0, 5.0, 6.0]),
        ];
        let rows = summarise("", "", &[1], &ways);
        assert_eq!(
            rows.iter().map(|row| row.timings[0].times_as_fast).collect::<Vec<_>>(),
            [4.0, 4.0 / 9.0, 1.0]
        );
        assert_eq!(rows[0].timings[0].median_ms, 2000.0);
    }
}
