//! One client's side of a round: a one-way state machine over bytes.
//!
//! ```text
//! open -> enrol -> setup -> mask -> [sign_digest, strict mode] -> unmask
//!                    ^__________________ next round _______________|
//! ```
//! Every verb takes the aggregator's signed request and gives the message to send back. The state is
//! stored in the client's [`Journal`] before the message is returned: what leaves is never ahead of
//! what is on disk. The same request gets the stored bytes again; a different one in the same phase
//! burns the setup. Per setup there is at most one round context, one mask, one commitment signature,
//! one digest signature and one release; per model one release.
//!
//! Requests that are malformed, unsigned or fail a check are refused and change nothing.

mod mask;
mod setup;
mod state;
mod unmask;

use std::fmt;

use blindsum_engine::{
    roster::{Roster, RoundContext, SetupContext},
    schnorr::{PublicKey, SecretKey},
};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::{
    config::{Group, Mode},
    contexts::SetupParameters,
    enrolment::Enrolment,
    error::{Misuse, ProtocolError, Refusal},
    journal::Journal,
    keys::ShareKeyRing,
    wire::Limits,
};

pub use state::RoundPhase;
use state::{Enrolled, Phase, Round, State};
pub use unmask::ChainView;

/// The most rounds whose state is kept; the oldest is erased first.
const KEPT_ROUNDS: usize = 4;

/// What a client asks of a round before it takes part: its own configuration, never the aggregator's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// How the survivors are agreed on.
    pub mode: Mode,
    /// The aggregator's key.
    pub aggregator: PublicKey,
    /// Chain of the ledger; 0 without one.
    pub chain_id: u64,
    /// Contract of the ledger; zero without one.
    pub contract: [u8; 20],
    /// `B`: the least number of members of its group.
    pub min_group: u16,
    /// The least number of honest clients that must be in any sum it helps to open.
    pub min_honest: u16,
    /// The least number `c` of corrupt members that its group's parameters must withstand.
    pub min_corrupt: u16,
    /// May a second release on the same model be made, if its survivors equal the first's or differ
    /// from them by at least `B` clients? Off unless the application knows why.
    pub second_release: bool,
}

impl Policy {
    /// A policy without a chain, a second release, or an assumption on corrupt members.
    #[must_use]
    pub fn new(mode: Mode, aggregator: PublicKey, min_group: u16, min_honest: u16) -> Self {
        let (chain_id, contract) = (0, [0; 20]);
        Self {
            mode,
            aggregator,
            chain_id,
            contract,
            min_group,
            min_honest,
            min_corrupt: 0,
            second_release: false,
        }
    }
}

/// One client of a roster.
pub struct Client {
    key: SecretKey,
    slot: u8,
    roster: Roster,
    policy: Policy,
    state: State,
    journal: Box<dyn Journal>,
}

impl Client {
    /// Opens a client: with the state that the journal holds, or fresh where it holds none.
    ///
    /// # Errors
    /// [`Misuse::NotInRoster`]; [`Misuse::ForeignState`] for the state of another key;
    /// [`Misuse::BadState`]; a [`crate::JournalError`] for a state that is lost or rolled back.
    pub fn open(
        key: SecretKey,
        roster: Roster,
        policy: Policy,
        mut journal: Box<dyn Journal>,
    ) -> Result<Self, ProtocolError> {
        let slot = roster.slot_of(key.public()).ok_or(Misuse::NotInRoster)?;
        let state = match journal.load()? {
            None => State::fresh(*key.public()),
            Some(bytes) => State::decode(&bytes).map_err(|reason| Misuse::BadState { reason })?,
        };
        if state.owner != *key.public() {
            return Err(Misuse::ForeignState.into());
        }
        Ok(Self { key, slot, roster, policy, state, journal })
    }

    /// The client's slot.
    #[must_use]
    pub fn slot(&self) -> u8 {
        self.slot
    }

    /// The client's roster.
    #[must_use]
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// The client's policy.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The state as it was last stored. Secret: it never leaves the client.
    #[must_use]
    pub fn state_bytes(&self) -> Zeroizing<Vec<u8>> {
        self.state.encode()
    }

    /// Where a setup stands, or `None` if the client made none in this context, or has erased it.
    #[must_use]
    pub fn phase(&self, context: &SetupContext) -> Option<RoundPhase> {
        self.state.rounds.iter().find(|round| round.context == *context).map(|round| round.phase.name())
    }

    /// Enrols in an epoch of the roster: makes share key number 0 and signs it. Everything of an
    /// earlier epoch is erased, but for the list of models that shares were released for. Enrolling in
    /// the same epoch again gives the stored message.
    ///
    /// # Errors
    /// [`Refusal::Stale`] for an epoch before the client's last; the journal's.
    pub fn enrol(&mut self, epoch: u64, rng: &mut dyn CryptoRng) -> Result<Vec<u8>, ProtocolError> {
        if let Some(enrolled) = &self.state.enrolled {
            let enrolment = &enrolled.enrolment;
            if enrolment.epoch == epoch && enrolment.roster_root == self.roster.root() {
                return Ok(enrolment.encode());
            }
            if enrolment.epoch >= epoch {
                return Err(Refusal::Stale.into());
            }
        }
        let ring = ShareKeyRing::generate(rng);
        let share_key = ring.public(0).expect("a fresh ring holds number 0");
        let enrolment = Enrolment::new(&self.key, epoch, self.roster.root(), self.slot, share_key, rng);
        let mut next = self.state.clone();
        next.enrolled = Some(Enrolled { enrolment, ring, peer_keys: Vec::new() });
        next.rounds.clear();
        next.erased = None;
        self.commit(next)?;
        Ok(enrolment.encode())
    }

    /// Makes `next` the state, once it is stored.
    fn commit(&mut self, next: State) -> Result<(), ProtocolError> {
        self.journal.store(&next.encode())?;
        self.state = next;
        Ok(())
    }

    /// Erases a setup's secrets for good and reports the request that caused it.
    fn burn(&mut self, index: usize, verb: &'static str) -> ProtocolError {
        let mut next = self.state.clone();
        if let Some(round) = next.rounds.get_mut(index) {
            round.phase = Phase::Burnt;
        }
        match self.commit(next) {
            Ok(()) => Refusal::DifferentRequest { verb }.into(),
            Err(error) => error,
        }
    }

    fn limits(&self, dimension: u64) -> Limits {
        Limits::new(self.roster.size(), dimension)
    }

    fn enrolled(&self) -> Result<&Enrolled, Misuse> {
        let enrolled = self.state.enrolled.as_ref().ok_or(Misuse::NotEnrolled)?;
        if enrolled.enrolment.roster_root == self.roster.root() {
            Ok(enrolled)
        } else {
            Err(Misuse::NotEnrolled)
        }
    }

    fn find(&self, context: &SetupContext) -> Result<usize, Refusal> {
        self.state.rounds.iter().position(|round| round.context == *context).ok_or(Refusal::UnknownSetup)
    }

    fn find_round(&self, context: &RoundContext) -> Result<usize, Refusal> {
        let of = |round: &Round| round.phase.round_context() == Some(*context);
        self.state.rounds.iter().position(of).ok_or(Refusal::NotMasked)
    }

    /// The client's own group of a configuration that has passed [`Client::check_parameters`].
    fn group(&self, parameters: &SetupParameters) -> Result<Group, ProtocolError> {
        Ok(parameters.config.group_of(self.slot).ok_or(Misuse::UnknownSlot { slot: self.slot })?)
    }

    /// Checks setup parameters against the client's own policy, roster and epoch.
    fn check_parameters(&self, parameters: &SetupParameters) -> Result<(), ProtocolError> {
        let (config, policy) = (&parameters.config, &self.policy);
        if config.mode() != policy.mode {
            return Err(Refusal::Mode { own: policy.mode, got: config.mode() }.into());
        }
        let scope = [
            ("chain", parameters.chain_id == policy.chain_id),
            ("contract", parameters.contract == policy.contract),
            ("epoch", parameters.epoch == self.enrolled()?.enrolment.epoch),
        ];
        if let Some((what, _)) = scope.into_iter().find(|(_, same)| !same) {
            return Err(Refusal::ForeignScope { what }.into());
        }
        let same_roster = parameters.roster_root == self.roster.root()
            && config.size() == self.roster.size()
            && config.occupied() == self.roster.occupied();
        if !same_roster {
            return Err(Refusal::RosterMismatch.into());
        }
        let group = self.group(parameters)?;
        if group.n < policy.min_group {
            return Err(Refusal::SmallGroup { floor: policy.min_group, got: group.n }.into());
        }
        if group.corrupt < policy.min_corrupt {
            return Err(Refusal::FewCorrupt { floor: policy.min_corrupt, got: group.corrupt }.into());
        }
        let guaranteed = group.guaranteed_honest(policy.mode);
        if guaranteed < policy.min_honest {
            return Err(Refusal::PrivacyFloor { floor: policy.min_honest, guaranteed }.into());
        }
        Ok(())
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("slot", &self.slot)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
