//! The statement of design section 6 as constraints: one slot's part, the two trees, the bitmap and the sum.
//!
//! Public inputs, in this order: `roster_root`, `round_context`, `participants` (one word; two of 128 bits, low slots first,
//! for N = 256), `leaves_root`, `C_x`, `C_y`. `docs/statement.md` says what each namespace proves and what it costs.
//!
//! Nothing here is secret from the aggregator that runs it; single commitments and signatures are secret from the readers of
//! a certificate, and stay in the witness.

use std::sync::OnceLock;

use ark_bn254::Fr;
use ark_ff::{BigInt, BigInteger, Zero};
use ark_relations::gr1cs::{ConstraintSynthesizer, ConstraintSystemRef, SynthesisError};
use blindsum_engine::chain::CHALLENGE_BITS;
use blindsum_engine::curve::{Offset, generator, offset};
use blindsum_engine::roster::{CohortSize, RoundContext, slot_tag};

use crate::gadgets::bits::{FIELD_BITS, alloc_bit, compose, decompose_canonical};
use crate::gadgets::point::{Coordinates, PointVar, coordinates};
use crate::gadgets::{fixed_base, poseidon, tree, variable_base};
use crate::keys::ProvingKey;
use crate::prover::{self, ProveError};
use crate::r1cs::{Assignment, Builder, Num, R1cs, Replay};
use crate::statement::Witness;

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod tests;

/// Slots in a word of the bitmap. 128 bits are below r, so a word has one reading.
const WORD_SLOTS: usize = 128;

/// What a prover claims about one slot. Raw: the constraints check it, not the type.
#[derive(Clone, Debug)]
pub(crate) struct SlotClaim {
    /// The slot's bit in `participants`.
    pub(crate) participates: bool,
    /// `PK`.
    pub(crate) key: Coordinates,
    /// `R`.
    pub(crate) nonce: Coordinates,
    /// `s`, any 254 bits.
    pub(crate) response: BigInt<4>,
    /// `C`.
    pub(crate) commitment: Coordinates,
    /// The slot's leaf under `leaves_root`.
    pub(crate) leaf: Fr,
}

/// What a prover claims: public inputs in the statement's order, and all slots.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) size: CohortSize,
    pub(crate) inputs: Vec<Fr>,
    pub(crate) slots: Vec<SlotClaim>,
}

impl Claim {
    /// A claim of the right form about nothing: enough to record the shape.
    fn blank(size: CohortSize) -> Self {
        let point = coordinates(&generator());
        let slot = SlotClaim {
            participates: false,
            key: point,
            nonce: point,
            response: BigInt::zero(),
            commitment: point,
            leaf: Fr::zero(),
        };
        Claim { size, inputs: vec![Fr::zero(); 5 + size.bitmap_words()], slots: vec![slot; size.slots()] }
    }

    /// The assignment, and the namespaces whose constraints it does not satisfy.
    pub(crate) fn assign(&self) -> (Assignment, Vec<String>) {
        let (mut builder, inputs) = Builder::for_assignment(&self.inputs);
        state(&mut builder, &inputs, self);
        builder.into_assignment()
    }

    /// The same as a cheating prover would do it who replaces single witness values.
    #[cfg(test)]
    pub(crate) fn assign_tampered(&self, tamper: crate::r1cs::Tamper) -> (Assignment, Vec<String>) {
        let (builder, inputs) = Builder::for_assignment(&self.inputs);
        let mut builder = builder.tampered(tamper);
        state(&mut builder, &inputs, self);
        builder.into_assignment()
    }
}

/// The constraint system of a cohort size: built by the first call, in seconds for the largest, and kept.
pub(crate) fn constraint_system(size: CohortSize) -> &'static R1cs {
    static SHAPES: [OnceLock<R1cs>; 4] = [const { OnceLock::new() }; 4];
    let [n16, n64, n128, n256] = &SHAPES;
    let kept = match size {
        CohortSize::N16 => n16,
        CohortSize::N64 => n64,
        CohortSize::N128 => n128,
        CohortSize::N256 => n256,
    };
    // Built outside of the lock: a thread that waits for rayon takes up other work, and that could be this again.
    kept.get().unwrap_or_else(|| {
        let built = build(size);
        kept.get_or_init(|| built)
    })
}

fn build(size: CohortSize) -> R1cs {
    let claim = Claim::blank(size);
    let (mut builder, inputs) = Builder::for_shape(&claim.inputs);
    state(&mut builder, &inputs, &claim);
    builder.into_r1cs().unwrap_or_else(|| unreachable!("the builder records a shape"))
}

/// The statement with a witness as an ark-relations circuit, for tools that take one; our own prover does not.
///
/// Satisfied by what [`Statement::check`](crate::statement::Statement::check) accepts.
#[derive(Clone)]
pub struct Aggregation {
    key: ProvingKey,
    assignment: Vec<Fr>,
}

impl Aggregation {
    /// The circuit of `key`'s size under the assignment of `witness`.
    ///
    /// # Errors
    /// [`ProveError::SizeMismatch`], [`ProveError::Unsatisfied`].
    pub fn new(key: &ProvingKey, witness: &Witness) -> Result<Self, ProveError> {
        Ok(Aggregation { key: key.clone(), assignment: prover::assignment(key, witness)?.z })
    }
}

impl ConstraintSynthesizer<Fr> for &Aggregation {
    fn generate_constraints(self, cs: ConstraintSystemRef<Fr>) -> Result<(), SynthesisError> {
        Replay { r1cs: constraint_system(self.key.size()), assignment: Some(&self.assignment) }
            .generate_constraints(cs)
    }
}

/// Number of constraints of each part of the statement, in the order in which the circuit states them, the slots' parts added
/// up over all slots.
#[must_use]
pub fn constraint_table(size: CohortSize) -> Vec<(String, usize)> {
    table_of(constraint_system(size))
}

fn table_of(r1cs: &R1cs) -> Vec<(String, usize)> {
    r1cs.count_by(|name| {
        let mut parts = name.split('/');
        let first = parts.next().unwrap_or_default();
        match (first.starts_with("slot "), parts.next()) {
            (true, Some(part)) => format!("slot/{part}"),
            _ => first.to_owned(),
        }
    })
}

/// What the rest of the statement needs of one slot.
struct Slot {
    /// Boolean.
    bit: Num,
    /// The roster's leaf: `Poseidon(PK_x, PK_y)`.
    key_leaf: Num,
    /// The leaf under `leaves_root`.
    leaf: Num,
    commitment: PointVar,
}

/// States everything.
fn state(b: &mut Builder, inputs: &[Num], claim: &Claim) {
    let n_words = claim.size.bitmap_words();
    let [roster_root, round_context, rest @ ..] = inputs else {
        unreachable!("five inputs and the words of the bitmap")
    };
    let (words, rest) = rest.split_at(n_words);
    let [leaves_root, c_x, c_y] = rest else { unreachable!("five inputs and the words of the bitmap") };

    let slots = b.sections(claim.slots.len(), |b, index| {
        b.within(&format!("slot {index}"), |b| slot(b, index as u8, round_context, &claim.slots[index]))
    });

    let key_leaves: Vec<Num> = slots.iter().map(|slot| slot.key_leaf.clone()).collect();
    let root = b.within("roster tree", |b| tree::root(b, &key_leaves));
    b.within("roster root", |b| b.enforce_equal(&root, roster_root));

    let leaves: Vec<Num> = slots.iter().map(|slot| slot.leaf.clone()).collect();
    let root = b.within("leaves tree", |b| tree::root(b, &leaves));
    b.within("leaves root", |b| b.enforce_equal(&root, leaves_root));

    let bits: Vec<Num> = slots.iter().map(|slot| slot.bit.clone()).collect();
    for (bits, word) in bits.chunks(WORD_SLOTS).zip(words) {
        b.within("participants", |b| b.enforce_equal(&compose(bits), word));
    }

    let total = sum(b, &slots);
    b.within("commitment", |b| {
        b.enforce_equal(&total.x, c_x);
        b.enforce_equal(&total.y, c_y);
    });
}

/// One slot: its key and leaf, and, if its bit is set, its signature.
fn slot(b: &mut Builder, index: u8, round_context: &Num, claim: &SlotClaim) -> Slot {
    let bit = b.within("bit", |b| alloc_bit(b, claim.participates));
    let key = point(b, "key on curve", claim.key);
    let nonce = point(b, "nonce on curve", claim.nonce);
    let commitment = point(b, "commitment on curve", claim.commitment);

    let key_leaf = b.within("key hash", |b| poseidon::hash(b, &[&key.x, &key.y]));
    let lambda = b.within("leaf hash", |b| {
        let tag = &b.constant(tag_and_slot(index)) + round_context;
        let parts = [&tag, &nonce.x, &nonce.y, &key.x, &key.y, &commitment.x, &commitment.y];
        poseidon::hash(b, &parts)
    });
    // A free witness where the bit is unset: zero where nothing was posted, the posted leaf in a group that failed.
    let leaf = b.within("leaf", |b| {
        let leaf = b.alloc(claim.leaf);
        b.enforce(&bit, &(&lambda - &leaf), &Num::default());
        leaf
    });

    let lambda_bits = b.within("challenge", |b| decompose_canonical(b, &lambda));
    let challenge = &lambda_bits[..CHALLENGE_BITS];
    let response: Vec<Num> = b.within("response bits", |b| {
        (0..FIELD_BITS).map(|i| alloc_bit(b, claim.response.get_bit(i))).collect()
    });

    let left = b.within("fixed base", |b| fixed_base::multiply(b, &response));
    // An unset bit puts a constant in the key's place, so that no registered key can make its roster unprovable.
    let stand_in = PointVar::constant(b, &offset(Offset::UnsetKey));
    let multiplied = b.within("key select", |b| PointVar::select(b, &bit, &key, &stand_in));
    let product = b.within("variable base", |b| variable_base::multiply(b, challenge, &multiplied));
    let right = b.within("nonce addition", |b| product.add(b, &nonce));
    b.within("signature equation", |b| PointVar::enforce_equal_if(b, &bit, &left, &right));

    Slot { bit, key_leaf, leaf, commitment }
}

/// `1 * 2^248 + slot * 2^240`: the first input of a leaf, less the round context.
fn tag_and_slot(index: u8) -> Fr {
    let zero = RoundContext::from_hash(&[0; 32]);
    slot_tag(index, &zero)
}

fn point(b: &mut Builder, name: &str, claim: Coordinates) -> PointVar {
    b.within(name, |b| {
        let point = PointVar::alloc(b, claim);
        point.enforce_on_curve(b);
        point
    })
}

/// The sum of the commitments whose bit is set, by a chain of incomplete additions that starts at a constant point.
fn sum(b: &mut Builder, slots: &[Slot]) -> PointVar {
    let start = offset(Offset::Sum);
    let mut total = PointVar::constant(b, &start);
    for (index, slot) in slots.iter().enumerate() {
        total = b.within(&format!("slot {index}"), |b| {
            let with = b.within("sum", |b| total.add(b, &slot.commitment));
            b.within("sum select", |b| PointVar::select(b, &slot.bit, &with, &total))
        });
    }
    let back = PointVar::constant(b, &-start);
    b.within("sum offset", |b| total.add(b, &back))
}
