//! How much one dispatch may do: drivers kill work that holds the device for long, and know nothing of its size.
//!
//! Additions of points are the unit: their rate is measured once per device and arithmetic, on the first sum that is
//! large enough, and a dispatch gets what fits the budget at that rate; so does a submission of several.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use blindsum_shaders::Arithmetic;

/// Additions that the rate is measured on; sums with fewer need no rate.
pub(super) const CALIBRATION_ADDITIONS: u64 = 1 << 16;
/// Digits that are cut and placed in the time of an addition, at the least.
pub(super) const DIGITS_PER_ADDITION: u64 = 4;
/// Digits of a dispatch while nothing has been measured.
const FIRST_DIGITS: u64 = 1 << 21;

/// What has been measured on a device.
#[derive(Debug, Default)]
pub(in crate::gpu) struct Pace {
    additions_per_second: Mutex<HashMap<Arithmetic, f64>>,
}

impl Pace {
    /// Whether the rate of this arithmetic is known.
    pub(super) fn is_known(&self, arithmetic: Arithmetic) -> bool {
        self.rate(arithmetic).is_some()
    }

    /// Notes that so many additions took so long, waiting for the device included.
    pub(super) fn note(&self, arithmetic: Arithmetic, additions: u64, took: Duration) {
        let rate = additions as f64 / took.as_secs_f64().max(1e-9);
        tracing::debug!(%arithmetic, additions_per_second = rate, "rate measured");
        self.additions_per_second.lock().unwrap_or_else(PoisonError::into_inner).insert(arithmetic, rate);
    }

    /// Additions of one dispatch.
    pub(super) fn additions(&self, arithmetic: Arithmetic, budget: Duration) -> u64 {
        match self.rate(arithmetic) {
            // Beyond 2^32 a dispatch has as many invocations as there are numbers for.
            Some(rate) => ((rate * budget.as_secs_f64()) as u64).clamp(1, 1 << 32),
            None => CALIBRATION_ADDITIONS,
        }
    }

    /// Digits of one dispatch.
    pub(super) fn digits(&self, arithmetic: Arithmetic, budget: Duration) -> u64 {
        match self.rate(arithmetic) {
            Some(_) => self.additions(arithmetic, budget) * DIGITS_PER_ADDITION,
            None => FIRST_DIGITS,
        }
    }

    fn rate(&self, arithmetic: Arithmetic) -> Option<f64> {
        let rates = self.additions_per_second.lock().unwrap_or_else(PoisonError::into_inner);
        rates.get(&arithmetic).copied()
    }
}

#[cfg(test)]
mod tests {
    use blindsum_shaders::{Field, Limbs};

    use super::*;

    #[test]
    fn a_dispatch_gets_what_fits_the_budget() {
        let arithmetic = Arithmetic { field: Field::Fq, limbs: Limbs::U64x8 };
        let other = Arithmetic { limbs: Limbs::L13x20, ..arithmetic };
        let (pace, budget) = (Pace::default(), Duration::from_millis(50));
        assert_eq!(pace.additions(arithmetic, budget), CALIBRATION_ADDITIONS);
        pace.note(arithmetic, 1_000_000, Duration::from_millis(100));
        assert_eq!(pace.additions(arithmetic, budget), 500_000);
        assert_eq!(pace.digits(arithmetic, budget), 2_000_000);
        assert_eq!(pace.additions(arithmetic, Duration::ZERO), 1);
        assert!(!pace.is_known(other));
        pace.note(other, 1, Duration::ZERO);
        assert!(pace.additions(other, budget) > 1);
    }
}
