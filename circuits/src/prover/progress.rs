//! How far a proof is, and the way to stop one.

use core::fmt;
use core::ops::ControlFlow;

use super::ProveError;

/// The parts of a proof, in the order in which they begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// The assignment, with both sides of every constraint, which is checked.
    Synthesis,
    /// Six transforms.
    Quotient,
    /// The sum over the H query.
    SumH,
    /// The sum over the L query.
    SumL,
    /// The sums over the A and B queries, or what is left of them.
    SumsAB,
    /// Nothing is left to do.
    Done,
}

impl Stage {
    /// Its name in logs and in other languages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Synthesis => "synthesis",
            Self::Quotient => "quotient",
            Self::SumH => "sum H",
            Self::SumL => "sum L",
            Self::SumsAB => "sums A, B",
            Self::Done => "done",
        }
    }

    /// The share of the work that comes before it: what was measured on a CPU.
    const fn fraction(self) -> f32 {
        match self {
            Self::Synthesis => 0.0,
            Self::Quotient => 0.03,
            Self::SumH => 0.16,
            Self::SumL => 0.6,
            Self::SumsAB => 0.88,
            Self::Done => 1.0,
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Told to an [`Observer`] when a stage begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// What begins.
    pub stage: Stage,
    /// About how much of the work is done: 0 at the first event, 1 at the last, never less than before.
    pub fraction: f32,
}

/// Is told of every stage, on the thread that called the prover, and may stop the proof there.
pub type Observer<'a> = dyn FnMut(Progress) -> ControlFlow<()> + 'a;

/// Tells the observer, and asks it.
pub(super) fn enter(observer: &mut Observer<'_>, stage: Stage) -> Result<(), ProveError> {
    match observer(Progress { stage, fraction: stage.fraction() }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(ProveError::Cancelled { stage }),
    }
}
