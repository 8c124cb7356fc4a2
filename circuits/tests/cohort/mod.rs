//! Cohorts with real keys and signatures, from a seed.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    reason = "shared by several test binaries, each of which uses a part"
)]

use ark_ec::{AffineRepr, CurveGroup};
use blindsum_engine::curve::{Fr, Point, hash_to_curve};
use blindsum_engine::roster::{Bitmap, CohortSize, Roster, RoundContext};
use blindsum_engine::schnorr::{SecretKey, SignedCommitment, sign_commitment};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

pub const SEED: u64 = 0xb11d;

/// Everything that an aggregator holds before it proves, and the clients' keys.
pub struct Cohort {
    pub keys: Vec<Option<SecretKey>>,
    pub roster: Roster,
    pub context: RoundContext,
    /// Zero where nothing was posted.
    pub leaves: Vec<Fr>,
    pub signed: Vec<(u8, SignedCommitment)>,
}

pub fn context(byte: u8) -> RoundContext {
    RoundContext::from_hash(&[byte; 32])
}

/// What client `slot` commits to.
pub fn commitment(slot: u8) -> Point {
    hash_to_curve("test commitment", u64::from(slot))
}

impl Cohort {
    /// A cohort whose `occupied` slots hold keys and whose `participants` have signed.
    pub fn new(size: CohortSize, occupied: impl Fn(u8) -> bool, participants: impl Fn(u8) -> bool) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(SEED);
        let context = context(0x5a);
        let slots = (0..size.slots()).map(|slot| slot as u8);
        let keys: Vec<Option<SecretKey>> =
            slots.clone().map(|slot| occupied(slot).then(|| SecretKey::generate(&mut rng))).collect();
        let roster =
            Roster::new(size, keys.iter().map(|key| key.as_ref().map(|key| *key.public())).collect())
                .expect("fresh keys differ");
        let mut leaves = vec![Fr::from(0u8); size.slots()];
        let mut signed = Vec::new();
        for (slot, key) in slots.zip(&keys) {
            if let (Some(key), true) = (key, participants(slot)) {
                let (made, leaf) = sign_commitment(key, slot, &context, commitment(slot), &mut rng);
                leaves[usize::from(slot)] = leaf;
                signed.push((slot, made));
            }
        }
        Cohort { keys, roster, context, leaves, signed }
    }

    /// Sixteen slots: 7 is empty, 2 and 11 dropped out, the rest take part.
    pub fn small() -> Self {
        Self::new(CohortSize::N16, |slot| slot != 7, |slot| slot != 2 && slot != 11)
    }

    pub fn participants(&self) -> Bitmap {
        self.signed.iter().map(|(slot, _)| *slot).collect()
    }

    pub fn sum(&self) -> Point {
        self.signed
            .iter()
            .map(|(_, signed)| signed.commitment.into_group())
            .reduce(|a, b| a + b)
            .map(|sum| sum.into_affine())
            .expect("somebody takes part")
    }

    pub fn key(&self, slot: u8) -> &SecretKey {
        self.keys[usize::from(slot)].as_ref().expect("an occupied slot")
    }
}
