//! Who keeps turning up in groups that fail without a culprit: benched, never slashed.
//!
//! An honest client can share a group with a bad one, so one failed group says nothing. Groups are
//! redrawn each epoch: with 256 slots in groups of 16 and one bad client, an honest client shares
//! its group in 6 % of the draws, in 0.02 % of the cases three times in a row. Within an epoch the
//! groups stay, so an epoch counts once, however many of its rounds failed.
//!
//! Whoever signed evidence names is marked alone; the group's others are not.

use std::collections::BTreeMap;

use blindsum_engine::{roster::Roster, schnorr::PublicKey};

use crate::{error::Misuse, outcome::CohortOutcome};

/// The failed draws of each client, and the rule that benches it.
#[derive(Debug, Clone)]
pub struct Standing {
    failures: u32,
    draws: u32,
    records: BTreeMap<[u8; 64], Record>,
}

/// The draws that a client took part in.
#[derive(Debug, Clone, Copy)]
struct Record {
    /// The newest epoch, which is bit 0 of `failed`.
    epoch: u64,
    /// A bit per epoch with the client in it, newest first: did something of it fail?
    failed: u64,
}

impl Default for Standing {
    /// Three failed draws of the last three.
    fn default() -> Self {
        Self { failures: 3, draws: 3, records: BTreeMap::new() }
    }
}

impl Standing {
    /// Benches a client after `failures` failed draws of its last `draws`.
    ///
    /// # Errors
    /// Unless `1 <= failures <= draws <= 64`.
    pub fn new(failures: u32, draws: u32) -> Result<Self, Misuse> {
        if failures == 0 || failures > draws || draws > 64 {
            return Err(Misuse::BenchRule { failures, draws });
        }
        Ok(Self { failures, draws, records: BTreeMap::new() })
    }

    /// Counts a round of `epoch`; epochs come in order, rounds of one epoch in any order.
    pub fn record(&mut self, epoch: u64, roster: &Roster, outcome: &CohortOutcome) {
        let suspects = outcome.suspects();
        for slot in outcome.posted().union(&suspects).iter() {
            let Some(key) = roster.key(slot) else { continue };
            let record = self.records.entry(key.to_bytes()).or_insert(Record { epoch, failed: 0 });
            if record.epoch < epoch {
                *record = Record { epoch, failed: record.failed << 1 };
            }
            record.failed |= u64::from(suspects.get(slot));
        }
    }

    /// Failed draws among the last ones that count.
    #[must_use]
    pub fn failed_draws(&self, key: &PublicKey) -> u32 {
        let window = u64::MAX >> (64 - self.draws);
        self.records.get(&key.to_bytes()).map_or(0, |record| (record.failed & window).count_ones())
    }

    /// Should the next draw leave this client out?
    #[must_use]
    pub fn benched(&self, key: &PublicKey) -> bool {
        self.failed_draws(key) >= self.failures
    }
}
