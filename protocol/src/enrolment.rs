//! Registration and enrolment: the two messages that come before any round.
//!
//! Registration puts a key on the registry's list, with a proof that somebody holds its secret;
//! without one, a key could be chosen to collide with the circuit's constants. Enrolment comes after
//! the draw of the roster and signs the client's first share-encryption key of the epoch.

use blindsum_engine::{
    curve::{Fr, fr_to_bytes},
    roster::Roster,
    schnorr::{self, Kind, PublicKey, SecretKey, Signature},
};
use rand_core::CryptoRng;

use crate::{
    error::{Fault, ProtocolError, WireError},
    keys::is_low_order,
    wire::{self, Limits, MessageKind, Reader, Writer},
};

/// Payload bytes of a registration.
pub const REGISTRATION_BYTES: usize = 8 + 20 + 64 + 96;
/// Payload bytes of an enrolment.
pub const ENROLMENT_BYTES: usize = 8 + 32 + 1 + 32 + 96;

/// A roster key with its proof of possession. Body: chain id u64, contract 20 B, key 64 B.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registration {
    /// Chain of the registry; 0 without one.
    pub chain_id: u64,
    /// Contract of the registry; zero without one.
    pub contract: [u8; 20],
    /// The key.
    pub key: PublicKey,
    /// Its signature on all of the above.
    pub signature: Signature,
}

impl Registration {
    /// Registers `key` with the registry of a chain.
    #[must_use]
    pub fn new(key: &SecretKey, chain_id: u64, contract: [u8; 20], rng: &mut dyn CryptoRng) -> Self {
        let body = registration_body(chain_id, &contract, key.public());
        let signature = schnorr::sign(key, Kind::Register, &body, rng);
        Self { chain_id, contract, key: *key.public(), signature }
    }

    /// Checks the proof of possession.
    ///
    /// # Errors
    /// [`Fault::BadSignature`].
    pub fn verify(&self) -> Result<(), Fault> {
        let body = registration_body(self.chain_id, &self.contract, &self.key);
        schnorr::verify(&self.key, Kind::Register, &body, &self.signature)
            .map_err(|_| Fault::BadSignature { message: MessageKind::Registration })
    }

    /// The framed message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(REGISTRATION_BYTES);
        out.raw(&registration_body(self.chain_id, &self.contract, &self.key)).signature(&self.signature);
        wire::frame(MessageKind::Registration, &out.into_bytes())
    }

    /// Reads a framed message.
    ///
    /// # Errors
    /// [`WireError`] for any other byte string.
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Self, WireError> {
        let mut reader = wire::unframe(bytes, MessageKind::Registration, limits)?;
        let registration = Self {
            chain_id: reader.u64("chain id")?,
            contract: reader.array("contract")?,
            key: reader.public_key("key")?,
            signature: reader.signature()?,
        };
        reader.finish()?;
        Ok(registration)
    }
}

fn registration_body(chain_id: u64, contract: &[u8; 20], key: &PublicKey) -> Vec<u8> {
    let mut out = Writer::new();
    out.u64(chain_id).raw(contract).raw(&key.to_bytes());
    out.into_bytes()
}

/// The first share-encryption key of a client in an epoch, number 0. Body: epoch u64, roster root,
/// slot u8, X25519 key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enrolment {
    /// Epoch of the roster.
    pub epoch: u64,
    /// Root of the roster.
    pub roster_root: Fr,
    /// The client's slot.
    pub slot: u8,
    /// Share-encryption key number 0 (X25519).
    pub share_key: [u8; 32],
    /// The roster key's signature on all of the above.
    pub signature: Signature,
}

impl Enrolment {
    /// Signs `share_key` for a slot of a roster.
    #[must_use]
    pub fn new(
        key: &SecretKey,
        epoch: u64,
        roster_root: Fr,
        slot: u8,
        share_key: [u8; 32],
        rng: &mut dyn CryptoRng,
    ) -> Self {
        let body = enrolment_body(epoch, &roster_root, slot, &share_key);
        let signature = schnorr::sign(key, Kind::Enrol, &body, rng);
        Self { epoch, roster_root, slot, share_key, signature }
    }

    /// Checks the message against the roster it names.
    ///
    /// # Errors
    /// [`ProtocolError::BadContribution`] for another epoch or roster, an empty slot, a signature of
    /// another key, or a share key of low order.
    pub fn verify(&self, roster: &Roster, epoch: u64) -> Result<(), ProtocolError> {
        self.fault(roster, epoch).map_or(Ok(()), |fault| Err(ProtocolError::bad(self.slot, fault)))
    }

    fn fault(&self, roster: &Roster, epoch: u64) -> Option<Fault> {
        let Some(key) = roster.key(self.slot) else { return Some(Fault::UnknownSlot) };
        if self.epoch != epoch || self.roster_root != roster.root() {
            return Some(Fault::WrongContext { message: MessageKind::Enrolment });
        }
        let body = enrolment_body(self.epoch, &self.roster_root, self.slot, &self.share_key);
        if schnorr::verify(key, Kind::Enrol, &body, &self.signature).is_err() {
            return Some(Fault::BadSignature { message: MessageKind::Enrolment });
        }
        is_low_order(&self.share_key).then_some(Fault::LowOrderKey { what: "share key" })
    }

    /// The payload, without a frame.
    pub(crate) fn write(&self, out: &mut Writer) {
        out.raw(&enrolment_body(self.epoch, &self.roster_root, self.slot, &self.share_key))
            .signature(&self.signature);
    }

    /// Reads the payload, without a frame.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok(Self {
            epoch: reader.u64("epoch")?,
            roster_root: reader.fr("roster root")?,
            slot: reader.u8("slot")?,
            share_key: reader.array("share key")?,
            signature: reader.signature()?,
        })
    }

    /// The framed message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(ENROLMENT_BYTES);
        self.write(&mut out);
        wire::frame(MessageKind::Enrolment, &out.into_bytes())
    }

    /// Reads a framed message.
    ///
    /// # Errors
    /// [`WireError`] for any other byte string.
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Self, WireError> {
        let mut reader = wire::unframe(bytes, MessageKind::Enrolment, limits)?;
        let enrolment = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(enrolment)
    }
}

fn enrolment_body(epoch: u64, roster_root: &Fr, slot: u8, share_key: &[u8; 32]) -> Vec<u8> {
    let mut out = Writer::new();
    out.u64(epoch).raw(&fr_to_bytes(roster_root)).u8(slot).raw(share_key);
    out.into_bytes()
}

#[cfg(test)]
mod tests {
    use blindsum_engine::{curve::hash_to_curve, roster::CohortSize};
    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

    use super::*;
    use crate::keys::{x25519_generate, x25519_public};

    const SEED: u64 = 0xe17;

    #[test]
    fn a_registration_proves_possession_to_one_registry() {
        let mut rng = ChaCha20Rng::seed_from_u64(SEED);
        let good = Registration::new(&SecretKey::generate(&mut rng), 5, [1; 20], &mut rng);
        assert_eq!(good.verify(), Ok(()));
        // A key that nobody holds, such as twice an offset of the circuit, comes without a proof.
        let rogue = PublicKey::from_point(hash_to_curve("test", 0)).unwrap();
        let bad = [
            Registration { key: rogue, ..good },
            Registration { key: *SecretKey::generate(&mut rng).public(), ..good },
            Registration { chain_id: 6, ..good },
            Registration { contract: [2; 20], ..good },
        ];
        for registration in bad {
            assert_eq!(
                registration.verify(),
                Err(Fault::BadSignature { message: MessageKind::Registration })
            );
        }
    }

    #[test]
    fn an_enrolment_is_good_for_one_epoch_roster_slot_and_key() {
        let mut rng = ChaCha20Rng::seed_from_u64(SEED);
        let keys: Vec<SecretKey> = (0..3).map(|_| SecretKey::generate(&mut rng)).collect();
        let roster = |count: usize| {
            let list = (0..16).map(|slot| keys[..count].get(slot).map(|key| *key.public())).collect();
            Roster::new(CohortSize::N16, list).unwrap()
        };
        let (three, two) = (roster(3), roster(2));
        let share_key = x25519_public(&x25519_generate(&mut rng));
        let good = Enrolment::new(&keys[1], 9, three.root(), 1, share_key, &mut rng);
        good.verify(&three, 9).unwrap();
        let fault = |enrolment: Enrolment, roster: &Roster, epoch| match enrolment.verify(roster, epoch) {
            Err(ProtocolError::BadContribution { slot, reason }) if slot == enrolment.slot => reason,
            other => panic!("{other:?}"),
        };
        let signature = Fault::BadSignature { message: MessageKind::Enrolment };
        let context = Fault::WrongContext { message: MessageKind::Enrolment };
        assert_eq!(fault(good, &three, 10), context);
        assert_eq!(fault(good, &two, 9), context);
        assert_eq!(fault(Enrolment { slot: 2, ..good }, &three, 9), signature);
        assert_eq!(fault(Enrolment { slot: 3, ..good }, &three, 9), Fault::UnknownSlot);
        assert_eq!(fault(Enrolment { share_key: [9; 32], ..good }, &three, 9), signature);
        let low = Enrolment::new(&keys[1], 9, three.root(), 1, [0; 32], &mut rng);
        assert_eq!(fault(low, &three, 9), Fault::LowOrderKey { what: "share key" });
    }
}
