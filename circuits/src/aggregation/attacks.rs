//! Cheating provers. Each test is one claim of the statement: a witness that is consistent everywhere but there fails, and it
//! fails in the namespace that makes the claim and in no other, by the builder's record and by the matrices.

use std::sync::Arc;

use ark_bn254::{Fq, Fr};
use ark_ec::CurveGroup;
use ark_ff::{BigInteger, Field, PrimeField};
use blindsum_engine::curve::{
    Offset, Point, add_incomplete, double, fq_from_bytes, generator, hash_to_curve, mul_vartime, offset,
};
use blindsum_engine::roster::{CohortSize, Roster, roster_leaf};
use blindsum_engine::schnorr::{self, PublicKey, SecretKey, SignedCommitment, sign_commitment};
use blindsum_engine::tree;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::tests::{small_shape, witness};
use super::{Claim, SlotClaim};
use crate::cohort::{Cohort, SEED, commitment, context};
use crate::gadgets::bits::FIELD_BITS;
use crate::gadgets::point::coordinates;
use crate::statement::{Statement, StatementError};

// Positions of the public inputs for N = 16.
const ROSTER_ROOT: usize = 0;
const PARTICIPANTS: usize = 2;
const LEAVES_ROOT: usize = 3;
const SUM: usize = 4;

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(SEED + 1)
}

/// The namespaces in which a claim fails; the two readings of the circuit must agree on them.
fn failures(claim: &Claim, tamper: &[(&str, usize, Fr)]) -> Vec<String> {
    let tamper = tamper.iter().map(|&(name, nth, value)| (name.to_owned(), nth, value)).collect();
    let (assignment, unsatisfied) = claim.assign_tampered(Arc::new(tamper));
    assert_eq!(small_shape().unsatisfied(&assignment.z), unsatisfied, "values and matrices disagree");
    unsatisfied
}

/// An honest claim of [`Cohort::small`], to be bent.
struct Cheat {
    cohort: Cohort,
    claim: Claim,
}

impl Cheat {
    fn new() -> Self {
        let cohort = Cohort::small();
        let claim = witness(&cohort).claim;
        Cheat { cohort, claim }
    }

    fn slot(&mut self, slot: u8) -> &mut SlotClaim {
        &mut self.claim.slots[usize::from(slot)]
    }

    /// Puts a key, a signed commitment and the leaf that the circuit will compute for them into a slot, and makes the roots
    /// and the sum fit.
    fn install(&mut self, slot: u8, key: &PublicKey, signed: &SignedCommitment) {
        let leaf = schnorr::leaf(slot, &self.cohort.context, &signed.signature.r, key, &signed.commitment);
        *self.slot(slot) = SlotClaim {
            participates: true,
            key: coordinates(&key.point()),
            nonce: coordinates(&signed.signature.r),
            response: signed.signature.s.into_bigint(),
            commitment: coordinates(&signed.commitment),
            leaf,
        };
        self.refresh();
    }

    /// Recomputes every public input from the slots, as a prover that may choose them would.
    fn refresh(&mut self) {
        let key_leaves: Vec<Fr> =
            self.claim.slots.iter().map(|s| roster_leaf(Point::new_unchecked(s.key.0, s.key.1))).collect();
        let leaves: Vec<Fr> = self.claim.slots.iter().map(|s| s.leaf).collect();
        let word =
            self.claim.slots.iter().enumerate().map(|(i, s)| u128::from(s.participates) << i).sum::<u128>();
        self.claim.inputs[ROSTER_ROOT] = tree::root(&key_leaves);
        self.claim.inputs[LEAVES_ROOT] = tree::root(&leaves);
        self.claim.inputs[PARTICIPANTS] = Fr::from(word);
        self.set_sum(self.chain());
    }

    /// The circuit's sum over the set bits, by the formulas alone; curve membership is not looked at.
    fn chain(&self) -> Point {
        let start = offset(Offset::Sum);
        let set = self.claim.slots.iter().filter(|s| s.participates);
        let total = set.fold(start, |total, s| {
            add_incomplete(total, Point::new_unchecked(s.commitment.0, s.commitment.1)).unwrap_or(total)
        });
        add_incomplete(total, -start).unwrap_or(total)
    }

    fn set_sum(&mut self, sum: Point) {
        self.claim.inputs[SUM] = sum.x;
        self.claim.inputs[SUM + 1] = sum.y;
    }

    fn failures(&self) -> Vec<String> {
        failures(&self.claim, &[])
    }
}

#[test]
fn an_honest_claim_survives_its_own_refresh() {
    let mut cheat = Cheat::new();
    let inputs = cheat.claim.inputs.clone();
    cheat.refresh();
    assert_eq!(cheat.claim.inputs, inputs);
    assert_eq!(cheat.failures(), Vec::<String>::new());
}

#[test]
fn wrong_key() {
    let mut cheat = Cheat::new();
    let intruder = SecretKey::generate(&mut rng());
    let (signed, _) = sign_commitment(&intruder, 3, &cheat.cohort.context, commitment(3), &mut rng());
    let roster_root = cheat.claim.inputs[ROSTER_ROOT];
    cheat.install(3, intruder.public(), &signed);
    assert_eq!(cheat.failures(), Vec::<String>::new(), "under a roster with the intruder's key it is fine");
    cheat.claim.inputs[ROSTER_ROOT] = roster_root;
    assert_eq!(cheat.failures(), ["roster root"]);
}

#[test]
fn wrong_signature() {
    let mut cheat = Cheat::new();
    let response = &mut cheat.slot(3).response;
    response.add_with_carry(&1u64.into());
    assert_eq!(cheat.failures(), ["slot 3/signature equation"]);
}

#[test]
fn response_and_its_alias_above_q_are_one() {
    // s + q < 2^254 spells the same scalar: harmless here, refused by native decoders.
    let mut cheat = Cheat::new();
    let key = cheat.cohort.key(3).clone();
    let mut limit = ark_ff::BigInt::<4>::from(1u8);
    limit <<= 254;
    limit.sub_with_borrow(&Fq::MODULUS);
    let mut rng = rng();
    loop {
        let (signed, _) = sign_commitment(&key, 3, &cheat.cohort.context, commitment(3), &mut rng);
        if signed.signature.s.into_bigint() < limit {
            cheat.install(3, key.public(), &signed);
            break;
        }
    }
    cheat.slot(3).response.add_with_carry(&Fq::MODULUS);
    assert_eq!(cheat.failures(), Vec::<String>::new());
}

#[test]
fn signature_for_another_round() {
    let mut cheat = Cheat::new();
    let key = cheat.cohort.key(3).clone();
    let (signed, _) = sign_commitment(&key, 3, &context(0x5b), commitment(3), &mut rng());
    cheat.install(3, key.public(), &signed);
    assert_eq!(cheat.failures(), ["slot 3/signature equation"]);
}

#[test]
fn signature_for_another_slot() {
    let mut cheat = Cheat::new();
    let key = cheat.cohort.key(3).clone();
    let (signed, _) = sign_commitment(&key, 4, &cheat.cohort.context, commitment(3), &mut rng());
    cheat.install(3, key.public(), &signed);
    assert_eq!(cheat.failures(), ["slot 3/signature equation"]);
}

#[test]
fn commitment_made_after_the_leaves_were_agreed() {
    // The colluder's own key signs a commitment chosen after the leaves root was stored.
    let mut cheat = Cheat::new();
    let key = cheat.cohort.key(3).clone();
    let (leaves_root, posted) = (cheat.claim.inputs[LEAVES_ROOT], cheat.slot(3).leaf);
    let (signed, _) = sign_commitment(&key, 3, &cheat.cohort.context, hash_to_curve("late", 0), &mut rng());
    cheat.install(3, key.public(), &signed);
    cheat.claim.inputs[LEAVES_ROOT] = leaves_root;
    assert_eq!(cheat.failures(), ["leaves root"]);
    cheat.slot(3).leaf = posted;
    assert_eq!(cheat.failures(), ["slot 3/leaf"]);
}

#[test]
fn one_client_in_two_slots() {
    let mut cheat = Cheat::new();
    let (_, signed) = cheat.cohort.signed[3];
    let (slot, key) = (cheat.cohort.signed[3].0, *cheat.cohort.key(cheat.cohort.signed[3].0).public());
    let roster_root = cheat.claim.inputs[ROSTER_ROOT];
    cheat.install(slot + 1, &key, &signed);
    assert_eq!(
        cheat.failures(),
        [format!("slot {}/signature equation", slot + 1)],
        "even in a roster with equal keys"
    );
    cheat.claim.inputs[ROSTER_ROOT] = roster_root;
    assert_eq!(cheat.failures().last().map(String::as_str), Some("roster root"));
}

#[test]
fn client_outside_the_bitmap() {
    let mut cheat = Cheat::new();
    cheat.claim.inputs[PARTICIPANTS] -= Fr::from(1u64 << 3);
    assert_eq!(cheat.failures(), ["participants"], "its bit is set in the witness, not in the public word");

    // Its bit is unset, and the prover claims that the sum kept the commitment all the same.
    let mut cheat = Cheat::new();
    let sum = cheat.chain();
    cheat.slot(15).participates = false;
    cheat.refresh();
    assert_eq!(cheat.failures(), Vec::<String>::new());
    let without = cheat.chain();
    let (start, last) = (offset(Offset::Sum), commitment(15));
    let before = (without + start).into_affine();
    let with = (before + last).into_affine();
    cheat.set_sum(sum);
    assert_eq!(cheat.failures(), ["commitment"]);
    let kept = [("slot 15/sum select", 0, with.x - before.x), ("slot 15/sum select", 1, with.y - before.y)];
    assert_eq!(failures(&cheat.claim, &kept), ["slot 15/sum select"]);
}

#[test]
fn client_left_out_of_the_sum() {
    let mut cheat = Cheat::new();
    let all = cheat.chain();
    cheat.set_sum((all - commitment(5)).into_affine());
    assert_eq!(cheat.failures(), ["commitment"]);
    cheat.set_sum(-all);
    assert_eq!(cheat.failures(), ["commitment"], "the right x and the wrong y");
}

#[test]
fn empty_slot_used() {
    let mut cheat = Cheat::new();
    let key = PublicKey::from_point(cheat.cohort.roster.key_points()[7]).expect("a point of the curve");
    let intruder = SecretKey::generate(&mut rng());
    let (signed, _) = sign_commitment(&intruder, 7, &cheat.cohort.context, commitment(7), &mut rng());
    cheat.install(7, &key, &signed);
    assert_eq!(cheat.failures(), ["slot 7/signature equation"]);
}

#[test]
fn points_off_the_curve() {
    let off = (Fr::from(3u8), Fr::from(5u8));
    for (name, place) in [
        ("slot 2/key on curve", (|slot: &mut SlotClaim| &mut slot.key) as fn(&mut SlotClaim) -> &mut _),
        ("slot 2/nonce on curve", |slot| &mut slot.nonce),
        ("slot 2/commitment on curve", |slot| &mut slot.commitment),
    ] {
        let mut cheat = Cheat::new();
        *place(cheat.slot(2)) = off;
        cheat.refresh();
        assert_eq!(cheat.failures(), [name]);
    }
    // A participant's commitment off the curve, properly signed and summed by the formulas.
    let mut cheat = Cheat::new();
    let key = cheat.cohort.key(3).clone();
    let off = Point::new_unchecked(off.0, off.1);
    let (signed, _) = sign_commitment(&key, 3, &cheat.cohort.context, off, &mut rng());
    cheat.install(3, key.public(), &signed);
    assert_eq!(cheat.failures(), ["slot 3/commitment on curve"]);
}

/// A commitment equal or opposite to the running sum: the chord is not one.
#[test]
fn accumulator_collisions() {
    for (mirrored, expected) in
        [(false, vec!["slot 1/sum/distinct x"]), (true, vec!["slot 1/sum/distinct x", "slot 1/sum"])]
    {
        let mut cheat = Cheat::new();
        let before = (offset(Offset::Sum) + commitment(0)).into_affine();
        let collides = if mirrored { -before } else { before };
        let key = cheat.cohort.key(1).clone();
        let (signed, leaf) = sign_commitment(&key, 1, &cheat.cohort.context, collides, &mut rng());

        let mut leaves = cheat.cohort.leaves.clone();
        leaves[1] = leaf;
        let mut list = cheat.cohort.signed.clone();
        list[1].1 = signed;
        let refused = Statement::check(&cheat.cohort.roster, &cheat.cohort.context, &leaves, &list);
        assert!(matches!(refused, Err(StatementError::SumCollision { slot: 1 })));

        cheat.install(1, key.public(), &signed);
        let failed = cheat.failures();
        assert_eq!(failed[..expected.len()], expected);
    }
}

/// Where both points are one, any slope satisfies the chord's equations: only the inverse stands in the way of a prover who
/// doubles, or who picks a slope at will.
#[test]
fn doubled_point() {
    for slope in [None, Some(Fr::from(77u8))] {
        let mut cheat = Cheat::new();
        let before = (offset(Offset::Sum) + commitment(0)).into_affine();
        let key = cheat.cohort.key(1).clone();
        let (signed, _) = sign_commitment(&key, 1, &cheat.cohort.context, before, &mut rng());
        cheat.install(1, key.public(), &signed);
        let tangent = Fr::from(3u8) * before.x.square() / (before.y + before.y);
        let slope = slope.unwrap_or(tangent);
        let x = slope.square() - before.x - before.x;
        let after = Point::new_unchecked(x, slope * (before.x - x) - before.y);
        let rest = cheat.claim.slots[2..].iter().filter(|s| s.participates);
        let total = rest.fold(after, |total, s| {
            add_incomplete(total, Point::new_unchecked(s.commitment.0, s.commitment.1)).expect("no collision")
        });
        cheat.set_sum(add_incomplete(total, -offset(Offset::Sum)).expect("no collision"));
        assert_eq!(failures(&cheat.claim, &[("slot 1/sum", 0, slope)]), ["slot 1/sum/distinct x"]);
    }
}

/// A second challenge for one leaf: its bits plus r. The signature holds for that challenge; the bits are not canonical.
#[test]
fn second_challenge_by_aliased_bits() {
    let mut cheat = Cheat::new();
    let key = cheat.cohort.key(3).clone();
    let secret = fq_from_bytes(&key.to_bytes()).expect("a secret key is a scalar");
    let (alias, nonce, e) = (1u64..)
        .find_map(|k| {
            let r = mul_vartime(generator(), &Fq::from(k));
            let leaf = schnorr::leaf(3, &cheat.cohort.context, &r, key.public(), &commitment(3));
            let mut alias = leaf.into_bigint();
            alias.add_with_carry(&Fr::MODULUS);
            let fits = alias.num_bits() as usize <= FIELD_BITS;
            let low = u128::from(alias.0[1]) << 64 | u128::from(alias.0[0]);
            fits.then_some((alias, k, low))
        })
        .expect("a third of all leaves have an alias");
    let r = mul_vartime(generator(), &Fq::from(nonce));
    let s = Fq::from(nonce) + Fq::from(e) * secret;
    let signed = SignedCommitment { commitment: commitment(3), signature: schnorr::Signature { r, s } };
    cheat.install(3, key.public(), &signed);
    assert_eq!(cheat.failures(), ["slot 3/signature equation"], "with the canonical bits it is no signature");
    let bits: Vec<(&str, usize, Fr)> = (0..FIELD_BITS)
        .rev()
        .enumerate()
        .map(|(nth, i)| ("slot 3/challenge/bits", nth, Fr::from(alias.get_bit(i))))
        .collect();
    assert_eq!(failures(&cheat.claim, &bits), ["slot 3/challenge/canonical"]);
}

#[test]
fn bits_that_are_no_bits() {
    let two = Fr::from(2u8);
    let cheat = Cheat::new();
    assert_eq!(failures(&cheat.claim, &[("slot 2/response bits", 0, two)]), ["slot 2/response bits"]);
    // A participant's bit of 2 would count its commitment twice.
    let failed = failures(&cheat.claim, &[("slot 3/bit", 0, two)]);
    assert_eq!(failed.first().map(String::as_str), Some("slot 3/bit"));
    // Bits 253 of r - 1 and 252 of r - 1 are ones.
    let failed = failures(&cheat.claim, &[("slot 2/challenge/bits", 0, two)]);
    assert_eq!(failed.first().map(String::as_str), Some("slot 2/challenge/bits"));
}

#[test]
fn words_above_the_cohort() {
    for extra in [1u128 << 16, 1 << 17, 1 << 127] {
        let mut cheat = Cheat::new();
        cheat.claim.inputs[PARTICIPANTS] += Fr::from(extra);
        assert_eq!(cheat.failures(), ["participants"]);
    }
}

#[test]
fn nobody_takes_part() {
    let mut cheat = Cheat::new();
    for slot in &mut cheat.claim.slots {
        slot.participates = false;
    }
    cheat.refresh();
    cheat.set_sum(generator());
    assert_eq!(cheat.failures().first().map(String::as_str), Some("sum offset/distinct x"));
    let refused = Statement::check(&cheat.cohort.roster, &cheat.cohort.context, &cheat.cohort.leaves, &[]);
    assert!(matches!(refused, Err(StatementError::NoParticipants)));
}

/// Keys for which the chain is undefined: harmless while their slot is idle, refused by name when it is not.
#[test]
fn hostile_keys_in_idle_slots() {
    let o1 = offset(Offset::VariableBase);
    let end = mul_vartime(o1, &Fq::from(2u8).pow([128]));
    let hostile =
        [double(o1), -double(o1), o1, end, offset(Offset::UnsetKey), offset(Offset::Sum), generator()];
    let cohort = Cohort::small();
    for point in hostile {
        let key = PublicKey::from_point(point).expect("a point of the curve");
        let mut keys: Vec<Option<PublicKey>> = (0..16).map(|slot| cohort.roster.key(slot).copied()).collect();
        keys[2] = Some(key);
        let roster = Roster::new(CohortSize::N16, keys).expect("distinct keys");
        let (_, witness) = Statement::check(&roster, &cohort.context, &cohort.leaves, &cohort.signed)
            .expect("an idle key cannot stop the others");
        assert_eq!(failures(&witness.claim, &[]), Vec::<String>::new());
    }
}

#[test]
fn colliding_key_that_takes_part() {
    let mut cheat = Cheat::new();
    let key = PublicKey::from_point(double(offset(Offset::VariableBase))).expect("a point of the curve");
    let (_, signed) = cheat.cohort.signed[0];
    cheat.install(0, &key, &signed);
    assert_eq!(cheat.failures().first().map(String::as_str), Some("slot 0/variable base/step 0/distinct x"));
}

#[test]
fn another_key_in_the_chain_than_the_roster_holds() {
    // The slot's bit is set and the prover claims that the select chose a key of its own.
    let mut cheat = Cheat::new();
    let intruder = SecretKey::generate(&mut rng());
    let registered = cheat.cohort.roster.key_points()[3];
    let stand_in = offset(Offset::UnsetKey);
    let secret = fq_from_bytes(&intruder.to_bytes()).expect("a secret key is a scalar");
    let r = mul_vartime(generator(), &Fq::from(9u8));
    let registered_key = *cheat.cohort.key(3).public();
    let leaf = schnorr::leaf(3, &cheat.cohort.context, &r, &registered_key, &commitment(3));
    let s = Fq::from(9u8) + Fq::from(schnorr::challenge(&leaf)) * secret;
    let signed = SignedCommitment { commitment: commitment(3), signature: schnorr::Signature { r, s } };
    cheat.install(3, &registered_key, &signed);
    assert_eq!(cheat.failures(), ["slot 3/signature equation"]);
    let chosen = intruder.public().point();
    assert_ne!(chosen, registered);
    let tamper =
        [("slot 3/key select", 0, chosen.x - stand_in.x), ("slot 3/key select", 1, chosen.y - stand_in.y)];
    assert_eq!(failures(&cheat.claim, &tamper), ["slot 3/key select"]);
}

#[test]
fn leaves_of_idle_slots_are_free_and_bound_by_the_root() {
    let mut cheat = Cheat::new();
    cheat.slot(2).leaf = Fr::from(1234u16);
    assert_eq!(cheat.failures(), ["leaves root"]);
    cheat.refresh();
    assert_eq!(cheat.failures(), Vec::<String>::new());
}

#[test]
fn another_context_than_the_signed_one() {
    let mut cheat = Cheat::new();
    cheat.claim.inputs[1] = context(0x5b).as_fr();
    let failed = cheat.failures();
    let participants: Vec<u8> = cheat.cohort.participants().iter().collect();
    for slot in participants {
        assert!(failed.contains(&format!("slot {slot}/leaf")));
        assert!(failed.contains(&format!("slot {slot}/signature equation")));
    }
}
