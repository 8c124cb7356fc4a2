//! What a client answers, and above all what it does not.

#[path = "../cohort/mod.rs"]
mod cohort;

mod mask;
mod release;
mod setup;
mod state;

use blindsum_protocol::{ProtocolError, Refusal};
use cohort::Answer;

const ALL: [usize; 6] = [0, 1, 2, 3, 4, 5];

fn refusal(answer: Answer) -> Refusal {
    match answer {
        Err(ProtocolError::Refused(refusal)) => refusal,
        other => panic!("expected a refusal, got {other:?}"),
    }
}
