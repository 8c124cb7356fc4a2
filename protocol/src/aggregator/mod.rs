//! The aggregator of one cohort in one round: it collects, adds, and opens only sums.
//!
//! A session without a network: [`Aggregator::absorb`] takes whatever clients send, in any order,
//! and the `*_request` verbs make what is sent to them. Phases only go forward:
//!
//! | phase | takes | ended by |
//! |---|---|---|
//! | [`Phase::Setup`] | setups | [`Aggregator::close_setup`] |
//! | [`Phase::MaskedInput`] | masked inputs | [`Aggregator::close_posting`] |
//! | [`Phase::Agreement`] | strict: digest signatures; chain: [`Aggregator::confirm_posted`] | agreement |
//! | [`Phase::Release`] | releases | [`Aggregator::finish`], as often as wanted |
//!
//! Every message is checked whole before anything of it is kept or added: a refused message changes
//! nothing, and is a [`ProtocolError::BadContribution`] with the slot it names. Memory is O(d) per
//! group and one message in flight; no masked input is kept.
//!
//! Source: design section 5; Bonawitz et al. 2017 for the double masking.
//! Secret: the aggregator's key, and after releases the self-mask secrets.

mod absorb;
mod digest;
mod finish;
mod release;
mod requests;
mod setup;
mod unmask;

use std::{collections::BTreeMap, fmt};

use blindsum_engine::{
    curve::{Fq, Fr},
    roster::{Bitmap, Roster, RoundContext, SetupContext},
    schnorr::{PublicKey, SecretKey, Signature},
    secret::Blinding,
};

use crate::{
    blame::{Blame, Contexts},
    config::CohortConfig,
    contexts::{ModelDigest, RoundParameters, SetupParameters},
    error::{Misuse, ProtocolError},
    message::{digest::SurvivorDigest, masked_input::SignedInput, release::Release, setup::Setup},
    wire::Limits,
};

pub use absorb::Absorbed;
pub use digest::DigestPosting;
pub use requests::ShareKeys;

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Collecting setups.
    Setup,
    /// Collecting and adding masked inputs.
    MaskedInput,
    /// The survivor digest is made and not agreed yet.
    Agreement,
    /// Collecting releases; the sums may be opened.
    Release,
}

impl Phase {
    /// Its name in errors and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::MaskedInput => "masked input",
            Self::Agreement => "agreement",
            Self::Release => "release",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How far a session is, for people who wait for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Where it stands.
    pub phase: Phase,
    /// Clients of the cohort, `m`.
    pub clients: usize,
    /// Setups kept.
    pub setups: usize,
    /// Masked inputs added.
    pub posted: usize,
    /// Clients that signed the survivor digest.
    pub digest_signatures: usize,
    /// Digest signatures that agreement needs; 0 outside strict mode.
    pub digest_quorum: usize,
    /// Releases kept.
    pub releases: usize,
    /// The same by group.
    pub groups: Vec<GroupProgress>,
}

/// How far one group is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupProgress {
    /// The group's index.
    pub group: usize,
    /// Its members, `n`.
    pub members: usize,
    /// Members with a setup.
    pub setups: usize,
    /// Members whose masked input is in the sum.
    pub posted: usize,
    /// Masked inputs without which nobody of the group releases: `max(F, t + 1)`.
    pub posted_needed: usize,
    /// Members that released.
    pub releases: usize,
    /// Releases without which the group cannot open: `t + 1`.
    pub releases_needed: usize,
}

/// One cohort in one round. See the [module](self).
pub struct Aggregator {
    parameters: SetupParameters,
    setup_context: SetupContext,
    roster: Roster,
    key: SecretKey,
    setups: Vec<Option<Setup>>,
    round: Option<Round>,
    blames: Vec<Blame>,
    /// Signatures of the requests already made: the same request gets the same bytes.
    issued: BTreeMap<(u8, u8), Signature>,
}

/// What exists once setup is closed.
struct Round {
    model: ModelDigest,
    parameters: RoundParameters,
    context: RoundContext,
    limits: Limits,
    setup_hashes: Vec<[u8; 32]>,
    setup_root: [u8; 32],
    sums: Vec<MaskedSum>,
    inputs: Vec<Option<SignedInput>>,
    closed: Option<Closed>,
}

/// The sum of a group's masked inputs so far.
struct MaskedSum {
    /// Words mod 2^32; empty until the group's first input.
    words: Vec<u32>,
    /// Masked blindings, mod q.
    blinding: Fq,
}

/// What exists once posting is closed.
struct Closed {
    digest: SurvivorDigest,
    leaves: Vec<Fr>,
    /// Chain mode: the digest was confirmed.
    confirmed: bool,
    signatures: BTreeMap<u8, Signature>,
    /// The signatures that travel with unmask requests: the first quorum, never changed again.
    quorum: Option<Vec<(u8, Signature)>>,
    releases: Vec<Option<Release>>,
    /// Of each slot, the shares that match its hashes, by the slot that released them.
    shares: Vec<BTreeMap<u8, Blinding>>,
}

impl fmt::Debug for Aggregator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aggregator").field("progress", &self.progress()).finish_non_exhaustive()
    }
}

impl Aggregator {
    /// A session for the cohort of `parameters` over `roster`, run by the holder of `key`.
    ///
    /// # Errors
    /// If the roster is not the one that the parameters name.
    pub fn new(parameters: SetupParameters, roster: Roster, key: SecretKey) -> Result<Self, ProtocolError> {
        if roster.root() != parameters.roster_root
            || roster.size() != parameters.config.size()
            || roster.occupied() != parameters.config.occupied()
        {
            return Err(Misuse::RosterMismatch.into());
        }
        let setup_context = parameters.context();
        let setups = vec![None; roster.size().slots()];
        Ok(Self {
            parameters,
            setup_context,
            roster,
            key,
            setups,
            round: None,
            blames: Vec::new(),
            issued: BTreeMap::new(),
        })
    }

    /// The cohort's configuration.
    #[must_use]
    pub const fn config(&self) -> &CohortConfig {
        &self.parameters.config
    }

    /// Everything that was fixed before setup.
    #[must_use]
    pub const fn setup_parameters(&self) -> &SetupParameters {
        &self.parameters
    }

    /// The hash of [`Self::setup_parameters`].
    #[must_use]
    pub const fn setup_context(&self) -> &SetupContext {
        &self.setup_context
    }

    /// Everything that was fixed before masked input; `None` until setup is closed.
    #[must_use]
    pub fn round_parameters(&self) -> Option<&RoundParameters> {
        self.round.as_ref().map(|round| &round.parameters)
    }

    /// The round context; `None` until setup is closed.
    #[must_use]
    pub fn round_context(&self) -> Option<&RoundContext> {
        self.round.as_ref().map(|round| &round.context)
    }

    /// The hash of the setups that are listed; `None` until setup is closed.
    #[must_use]
    pub fn setup_root(&self) -> Option<&[u8; 32]> {
        self.round.as_ref().map(|round| &round.setup_root)
    }

    /// What [`crate::blame::verify`] needs to know of the round; `None` until setup is closed. A third
    /// party builds it from its own records instead.
    #[must_use]
    pub fn contexts(&self) -> Option<Contexts<'_>> {
        let round = self.round.as_ref()?;
        Some(Contexts::new(&self.parameters, &round.parameters, &round.model, round.setup_root))
    }

    /// The clients of the cohort.
    #[must_use]
    pub const fn roster(&self) -> &Roster {
        &self.roster
    }

    /// The aggregator's public key, which signs its requests.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        self.key.public()
    }

    /// Where the session stands.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self.round.as_ref().map(|round| &round.closed) {
            None => Phase::Setup,
            Some(None) => Phase::MaskedInput,
            Some(Some(closed)) if !closed.agreed(self.config().mode()) => Phase::Agreement,
            Some(Some(_)) => Phase::Release,
        }
    }

    /// Slots with a setup.
    #[must_use]
    pub fn set_up(&self) -> Bitmap {
        present(&self.setups)
    }

    /// Slots whose masked input is in a sum.
    #[must_use]
    pub fn posted(&self) -> Bitmap {
        self.round.as_ref().map_or(Bitmap::EMPTY, |round| present(&round.inputs))
    }

    /// Slots with a setup and without a masked input: those still awaited, and after
    /// [`Self::close_posting`] those whose mask keys are reconstructed.
    #[must_use]
    pub fn dropped(&self) -> Bitmap {
        self.set_up().difference(&self.posted())
    }

    /// Slots whose release was kept.
    #[must_use]
    pub fn released(&self) -> Bitmap {
        self.closed().map_or(Bitmap::EMPTY, |closed| present(&closed.releases))
    }

    /// Slots that hold a key and made no setup.
    #[must_use]
    pub fn absent(&self) -> Bitmap {
        self.roster.occupied().difference(&self.set_up())
    }

    /// Everybody whom signed evidence names so far.
    #[must_use]
    pub fn blames(&self) -> &[Blame] {
        &self.blames
    }

    /// How far the session is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let config = self.config();
        let (set_up, posted, released) = (self.set_up(), self.posted(), self.released());
        let groups = (0..config.n_groups())
            .map(|index| {
                let group = config.group(index);
                let of = |set: &Bitmap| set.intersection(&group.members).count();
                GroupProgress {
                    group: index,
                    members: group.members.count(),
                    setups: of(&set_up),
                    posted: of(&posted),
                    posted_needed: group.effective_floor().into(),
                    releases: of(&released),
                    releases_needed: usize::from(group.threshold) + 1,
                }
            })
            .collect();
        Progress {
            phase: self.phase(),
            clients: self.roster.occupied().count(),
            setups: set_up.count(),
            posted: posted.count(),
            digest_signatures: self.closed().map_or(0, |closed| closed.signatures.len()),
            digest_quorum: match config.mode() {
                crate::Mode::Strict => config.strict_quorum(),
                crate::Mode::Chain | crate::Mode::Curious => 0,
            },
            releases: released.count(),
            groups,
        }
    }

    fn closed(&self) -> Option<&Closed> {
        self.round.as_ref()?.closed.as_ref()
    }

    /// The error of a verb that this phase does not know.
    fn wrong_phase(&self, verb: &'static str) -> ProtocolError {
        Misuse::WrongPhase { verb, phase: self.phase().name() }.into()
    }

    fn round(&self, verb: &'static str) -> Result<&Round, ProtocolError> {
        self.round.as_ref().ok_or_else(|| self.wrong_phase(verb))
    }

    fn blame(&mut self, blame: Blame) {
        if !self.blames.iter().any(|known| known.slot == blame.slot && known.charge == blame.charge) {
            self.blames.push(blame);
        }
    }
}

/// The indices that hold something.
fn present<T>(slots: &[Option<T>]) -> Bitmap {
    slots.iter().enumerate().filter(|(_, held)| held.is_some()).map(|(slot, _)| slot as u8).collect()
}
