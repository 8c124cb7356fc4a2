//! Taking what clients send: one door, every check before the first change.

use blindsum_engine::{curve::Fq, roster::Bitmap};

use super::{Aggregator, MaskedSum, Phase, Round};
use crate::{
    blame::Blame,
    error::{Fault, Misuse, ProtocolError},
    message::masked_input::{MaskedInput, SignedInput},
    wire::MessageKind,
};

/// What a message added to the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Absorbed {
    /// A setup.
    Setup {
        /// The client.
        slot: u8,
    },
    /// A masked input, now in its group's sum.
    MaskedInput {
        /// The client.
        slot: u8,
        /// The dealers it complains of.
        complaints: Bitmap,
    },
    /// A signature on the survivor digest.
    DigestSignature {
        /// The client.
        slot: u8,
    },
    /// A release. Its shares that miss their dealers' hashes are left out and name the client.
    Release {
        /// The client.
        slot: u8,
        /// The dealers whose shares were wrong.
        wrong: Bitmap,
    },
}

impl Aggregator {
    /// Takes one message of a client: a setup, a masked input, a digest signature or a release.
    ///
    /// Messages come in any order and count once each. A refused message changes nothing that was
    /// absorbed before. Of a masked input, version, context, signature and the hash of the words
    /// are checked before a word is added. Cost: O(d) for a masked input, one pass to hash and one
    /// to add.
    ///
    /// # Errors
    /// [`ProtocolError::Wire`] for bytes that are no message of this cohort;
    /// [`ProtocolError::BadContribution`] with the slot the message names and what is wrong with
    /// it; [`Misuse`] for a kind of message that no client sends to an aggregator.
    #[tracing::instrument(level = "debug", skip_all, fields(bytes = message.len()))]
    pub fn absorb(&mut self, message: &[u8]) -> Result<Absorbed, ProtocolError> {
        match MessageKind::of(message)? {
            MessageKind::Setup => self.absorb_setup(message),
            MessageKind::MaskedInput => self.absorb_masked_input(message),
            MessageKind::DigestSignature => self.absorb_digest_signature(message),
            MessageKind::Release => self.absorb_release(message),
            kind => Err(Misuse::UnexpectedMessage { message: kind }.into()),
        }
    }

    fn absorb_masked_input(&mut self, bytes: &[u8]) -> Result<Absorbed, ProtocolError> {
        let phase = self.phase();
        let round =
            self.round.as_mut().ok_or(Misuse::WrongPhase { verb: "masked input", phase: phase.name() })?;
        let input = MaskedInput::decode(bytes, &round.limits)?;
        let slot = input.body.slot;
        let bad = |reason| Err(ProtocolError::bad(slot, reason));
        if phase != Phase::MaskedInput {
            return bad(Fault::WrongPhase { message: MessageKind::MaskedInput, phase });
        }
        let Some(key) = self.roster.key(slot) else { return bad(Fault::UnknownSlot) };
        let Some(group) = self.parameters.config.group_of(slot) else { return bad(Fault::UnknownSlot) };
        let mut dealers = super::present(&self.setups).intersection(&group.members);
        dealers.set(slot, false);
        input
            .verify(key, &round.context, round.parameters.dimension, &dealers)
            .map_err(|reason| ProtocolError::bad(slot, reason))?;
        let signed = SignedInput { body: input.body, signature: input.signature };
        let Some(held) = round.inputs.get_mut(usize::from(slot)) else { return bad(Fault::UnknownSlot) };
        if self.setups.get(usize::from(slot)).is_none_or(Option::is_none) {
            return bad(Fault::NotListed);
        }
        if let Some(held) = held {
            if held.body == signed.body {
                return bad(Fault::Duplicate { message: MessageKind::MaskedInput });
            }
            let blame = Blame::two_inputs(held, &signed);
            self.blame(blame);
            return bad(Fault::TwoMessages { message: MessageKind::MaskedInput });
        }
        // Everything is checked; from here on nothing fails.
        if let Some(sum) = round.sums.get_mut(group.index) {
            sum.add(&input);
        }
        let complaints = signed.body.complaints;
        *held = Some(signed);
        self.blame_complained(&group);
        tracing::debug!(slot, group = group.index, complaints = complaints.count(), "masked input added");
        Ok(Absorbed::MaskedInput { slot, complaints })
    }

    /// Names the dealers of `group` that more than `c` members complain of.
    fn blame_complained(&mut self, group: &crate::config::Group) {
        let Some(round) = &self.round else { return };
        let inputs: Vec<_> = group
            .members
            .iter()
            .filter_map(|slot| round.inputs.get(usize::from(slot))?.as_ref())
            .filter(|input| !input.body.complaints.is_empty())
            .collect();
        let mut named = Vec::new();
        for dealer in group.members.iter() {
            let about: Vec<_> =
                inputs.iter().copied().filter(|input| input.body.complaints.get(dealer)).collect();
            if about.len() == usize::from(group.corrupt) + 1 {
                named.push(Blame::complaints(dealer, &about));
            }
        }
        named.into_iter().for_each(|blame| self.blame(blame));
    }
}

impl MaskedSum {
    pub(super) fn empty() -> Self {
        Self { words: Vec::new(), blinding: Fq::from(0u8) }
    }

    /// `words_j += y_j (mod 2^32)` and the same for the blinding, mod q.
    fn add(&mut self, input: &MaskedInput) {
        if self.words.is_empty() {
            self.words = vec![0; input.words.len()];
        }
        for (sum, word) in self.words.iter_mut().zip(&input.words) {
            *sum = sum.wrapping_add(*word);
        }
        self.blinding += input.body.masked_blinding;
    }
}

impl Round {
    /// The dealers that the posted client at `slot` complained of.
    pub(super) fn complaints_of(&self, slot: u8) -> Bitmap {
        self.inputs
            .get(usize::from(slot))
            .and_then(Option::as_ref)
            .map_or(Bitmap::EMPTY, |input| input.body.complaints)
    }
}
