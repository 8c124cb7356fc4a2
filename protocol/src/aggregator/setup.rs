//! Exchange 1: collecting setups, and the list that fixes every client's peers.

use super::{Absorbed, Aggregator, MaskedSum, Phase, Round};
use crate::{
    blame::Blame,
    contexts::{ModelDigest, RoundParameters},
    error::{Fault, Misuse, ProtocolError},
    message::setup::{Setup, setup_root},
    wire::{Limits, MessageKind},
};

impl Aggregator {
    pub(super) fn absorb_setup(&mut self, bytes: &[u8]) -> Result<Absorbed, ProtocolError> {
        let phase = self.phase();
        let setup = Setup::decode(bytes, &Limits::new(self.roster.size(), 0))?;
        let slot = setup.signed.header.slot;
        let bad = |reason| Err(ProtocolError::bad(slot, reason));
        if phase != Phase::Setup {
            return bad(Fault::WrongPhase { message: MessageKind::Setup, phase });
        }
        setup.verify(&self.parameters, &self.roster).map_err(|reason| ProtocolError::bad(slot, reason))?;
        let Some(held) = self.setups.get_mut(usize::from(slot)) else { return bad(Fault::UnknownSlot) };
        if let Some(held) = held {
            if (held.signed.header, held.signed.records_root)
                == (setup.signed.header, setup.signed.records_root)
            {
                return bad(Fault::Duplicate { message: MessageKind::Setup });
            }
            let blame = Blame::two_setups(&held.signed, &setup.signed);
            self.blame(blame);
            return bad(Fault::TwoMessages { message: MessageKind::Setup });
        }
        *held = Some(setup);
        tracing::debug!(slot, "setup kept");
        Ok(Absorbed::Setup { slot })
    }

    /// Closes setup: the list is fixed, and with the round's model and parameters the context.
    ///
    /// Clients without a setup are absent: they count as dropped against the thresholds and take
    /// no part. A group with too few setups for its floor cannot open; its members refuse.
    ///
    /// # Errors
    /// In another phase; if the parameters name another aggregator, are out of range, or could let
    /// a group's sum wrap.
    pub fn close_setup(
        &mut self,
        model: ModelDigest,
        parameters: RoundParameters,
    ) -> Result<(), ProtocolError> {
        if self.phase() != Phase::Setup {
            return Err(self.wrong_phase("close_setup"));
        }
        if parameters.aggregator != *self.key.public() {
            return Err(Misuse::ForeignAggregator.into());
        }
        parameters.check(self.config())?;
        let setup_hashes: Vec<[u8; 32]> = self
            .setups
            .iter()
            .map(|setup| setup.as_ref().map_or([0; 32], |setup| setup.signed.hash()))
            .collect();
        let setup_root = setup_root(&setup_hashes);
        let context = parameters.context(&self.setup_context, &model, &setup_root);
        tracing::info!(setups = self.set_up().count(), "setup closed");
        self.round = Some(Round {
            model,
            context,
            limits: Limits::new(self.roster.size(), parameters.dimension),
            parameters,
            setup_hashes,
            setup_root,
            sums: (0..self.config().n_groups()).map(|_| MaskedSum::empty()).collect(),
            inputs: vec![None; self.roster.size().slots()],
            closed: None,
        });
        Ok(())
    }
}
