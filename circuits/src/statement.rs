//! Checks a cohort's signed commitments natively and turns them into what the prover needs.
//!
//! [`Statement::check`] runs the same chains of additions as the circuit, so what it accepts can be proven, and what it
//! refuses is named with its slot before any proving starts.

use ark_ff::{BigInt, PrimeField};
use blindsum_engine::curve::{Fr, Offset, Point, add_incomplete, empty_slot_point, generator, offset};
use blindsum_engine::roster::{Bitmap, Roster, RoundContext};
use blindsum_engine::schnorr::{SignatureError, SignedCommitment, verify_commitment};
use blindsum_engine::tree;
use rayon::prelude::*;
use thiserror::Error;

use crate::aggregation::{Claim, SlotClaim};
use crate::certificate::PublicInputs;
use crate::error::EncodingError;
use crate::gadgets::point::coordinates;

/// Why no statement can be made. Errors that carry a slot and come from its contribution are that client's fault.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StatementError {
    /// The caller passed a list of leaves that does not fit the roster.
    #[error("{got} leaves, expected one for each of {expected} slots")]
    LeafCount {
        /// Slots of the roster.
        expected: usize,
        /// Leaves that were passed.
        got: usize,
    },
    /// The caller named a slot that is empty or outside the roster.
    #[error("slot {slot}: no key in the roster")]
    NoKey {
        /// The slot.
        slot: u8,
    },
    /// The caller passed two commitments for one slot.
    #[error("slot {slot}: two commitments")]
    Duplicate {
        /// The slot.
        slot: u8,
    },
    /// Nobody takes part: the sum of nothing has no commitment.
    #[error("no participants")]
    NoParticipants,
    /// The client's signature does not hold, or the circuit cannot show that it holds.
    #[error("slot {slot}: {source}")]
    Signature {
        /// The slot.
        slot: u8,
        /// What is wrong with it.
        source: SignatureError,
    },
    /// The client signed another commitment than the one its leaf fixed.
    #[error("slot {slot}: the signed commitment does not open the slot's leaf")]
    Leaf {
        /// The slot.
        slot: u8,
    },
    /// The commitment meets the running sum of the slots before it. Only a commitment made for that purpose does, and
    /// nobody can open it.
    #[error("slot {slot}: the commitment collides with the sum before it")]
    SumCollision {
        /// The slot.
        slot: u8,
    },
    /// All commitments together are the point at infinity or collide with the sum's offset. Only commitments made for that
    /// purpose are.
    #[error("the sum of the commitments cannot be written down")]
    SumDegenerate,
    /// The public inputs cannot be encoded.
    #[error("public inputs: {0}")]
    Inputs(#[from] EncodingError),
}

/// A statement that holds: what a certificate will say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    inputs: PublicInputs,
}

/// What proves a [`Statement`]. Only [`Statement::check`] makes one.
///
/// Holds every client's commitment and signature: public to the aggregator, not to the readers of a certificate.
#[derive(Clone)]
pub struct Witness {
    pub(crate) inputs: PublicInputs,
    pub(crate) claim: Claim,
}

impl std::fmt::Debug for Witness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Witness").field("inputs", &self.inputs).finish_non_exhaustive()
    }
}

impl Witness {
    /// What the certificate will say.
    #[must_use]
    pub fn public_inputs(&self) -> &PublicInputs {
        &self.inputs
    }
}

impl Statement {
    /// Checks the whole statement: every signature by the chain that the circuit runs, every leaf, and the sum.
    ///
    /// `leaves` holds the leaf of every slot in order, zero where nothing was posted; `signed` the commitments that are
    /// summed, in any order. A slot whose group failed keeps its leaf and has no entry in `signed`.
    ///
    /// # Errors
    /// [`StatementError`]; of several faulty signatures the lowest slot's.
    pub fn check(
        roster: &Roster,
        round_context: &RoundContext,
        leaves: &[Fr],
        signed: &[(u8, SignedCommitment)],
    ) -> Result<(Statement, Witness), StatementError> {
        let size = roster.size();
        if leaves.len() != size.slots() {
            return Err(StatementError::LeafCount { expected: size.slots(), got: leaves.len() });
        }
        let mut by_slot: Vec<Option<&SignedCommitment>> = vec![None; size.slots()];
        for (slot, commitment) in signed {
            let entry = by_slot.get_mut(usize::from(*slot)).ok_or(StatementError::NoKey { slot: *slot })?;
            if entry.replace(commitment).is_some() {
                return Err(StatementError::Duplicate { slot: *slot });
            }
        }
        if signed.is_empty() {
            return Err(StatementError::NoParticipants);
        }

        let checks: Vec<Result<(), StatementError>> = by_slot
            .par_iter()
            .zip(leaves)
            .enumerate()
            .map(|(slot, (commitment, leaf))| {
                commitment.map_or(Ok(()), |commitment| {
                    check_slot(roster, slot as u8, round_context, leaf, commitment)
                })
            })
            .collect();
        checks.into_iter().collect::<Result<(), _>>()?;

        let (idle, commitment) = sum(&by_slot)?;
        let participants: Bitmap = signed.iter().map(|(slot, _)| *slot).collect();
        let leaves_root = tree::root(leaves);
        let inputs =
            PublicInputs::new(size, roster.root(), *round_context, participants, leaves_root, commitment)?;
        let slots = roster
            .key_points()
            .iter()
            .zip(leaves)
            .zip(by_slot.iter().zip(&idle))
            .map(|((key, leaf), (commitment, idle))| match commitment {
                Some(signed) => SlotClaim {
                    participates: true,
                    key: coordinates(key),
                    nonce: coordinates(&signed.signature.r),
                    response: signed.signature.s.into_bigint(),
                    commitment: coordinates(&signed.commitment),
                    leaf: *leaf,
                },
                // Any points of the curve that keep the chains apart: nothing is said about them.
                None => SlotClaim {
                    participates: false,
                    key: coordinates(key),
                    nonce: coordinates(&generator()),
                    response: BigInt([0; 4]),
                    commitment: coordinates(idle),
                    leaf: *leaf,
                },
            })
            .collect();
        let claim = Claim { size, inputs: inputs.to_field_elements(), slots };
        Ok((Statement { inputs: inputs.clone() }, Witness { inputs, claim }))
    }

    /// What the certificate will say.
    #[must_use]
    pub fn public_inputs(&self) -> &PublicInputs {
        &self.inputs
    }
}

/// One participant's key, signature and leaf.
fn check_slot(
    roster: &Roster,
    slot: u8,
    round_context: &RoundContext,
    leaf: &Fr,
    signed: &SignedCommitment,
) -> Result<(), StatementError> {
    let key = roster.key(slot).ok_or(StatementError::NoKey { slot })?;
    let made = verify_commitment(key, slot, round_context, signed)
        .map_err(|source| StatementError::Signature { slot, source })?;
    if made == *leaf { Ok(()) } else { Err(StatementError::Leaf { slot }) }
}

/// The circuit's chain: every slot's commitment is added, a participant's is kept. Returns, for each slot, a point that an
/// idle slot can add without a collision, and the sum.
fn sum(by_slot: &[Option<&SignedCommitment>]) -> Result<(Vec<Point>, Point), StatementError> {
    let start = offset(Offset::Sum);
    let mut total = start;
    let mut idle = Vec::with_capacity(by_slot.len());
    for (slot, signed) in by_slot.iter().enumerate() {
        let stand_in = if total.x == generator().x { empty_slot_point() } else { generator() };
        idle.push(stand_in);
        if let Some(signed) = signed {
            total = add_incomplete(total, signed.commitment)
                .ok_or(StatementError::SumCollision { slot: slot as u8 })?;
        }
    }
    let commitment = add_incomplete(total, -start).ok_or(StatementError::SumDegenerate)?;
    Ok((idle, commitment))
}
