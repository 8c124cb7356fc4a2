//! Opening the groups: commitments first, then masks, then the check of the sums against both, of all groups in one call
//! of the backend.

use ark_ff::Zero;
use blindsum_engine::{
    backend::Backend,
    bases::Bases,
    curve::{Fq, Point, Projective},
    error::EngineError,
    opening::{Claim, Opening, OpeningBounds, check_openings},
    roster::Bitmap,
    schnorr::SignedCommitment,
};

use super::{Aggregator, Closed, Phase, Round, unmask::Failure};
use crate::{
    blame::{self, Blame},
    config::Group,
    error::{Misuse, ProtocolError},
    outcome::{CohortOutcome, Complaint, FailedGroup, GroupFailure, GroupOpening, GroupOutcome},
};

/// What a group that posted comes to.
type Attempt = Result<Opened, Failure>;

/// What an opened group adds to the cohort, once its opening is checked.
struct Opened {
    signed: Vec<(u8, SignedCommitment)>,
    opening: Opening,
    commitment: Point,
}

impl Aggregator {
    /// Opens the sums, once every group can or has failed for good.
    ///
    /// Nothing of the session changes: it may be called again, with more releases.
    ///
    /// # Errors
    /// [`Misuse::TooEarly`] while a group lacks releases that may still come;
    /// [`Misuse::WrongPhase`] before the digest is agreed; a failure of the device, or bases
    /// shorter than the vector. What a participant did wrong is no error here: its group is left
    /// out, and the outcome says why.
    pub fn finish(&self, backend: &dyn Backend, bases: &Bases) -> Result<CohortOutcome, ProtocolError> {
        self.open(backend, bases, false)
    }

    /// Opens the sums with what is there: a group that still lacks releases has failed.
    ///
    /// # Errors
    /// As [`Self::finish`], without [`Misuse::TooEarly`].
    pub fn finish_at_deadline(
        &self,
        backend: &dyn Backend,
        bases: &Bases,
    ) -> Result<CohortOutcome, ProtocolError> {
        self.open(backend, bases, true)
    }

    /// The groups that [`Self::finish`] still waits for.
    #[must_use]
    pub fn awaited_groups(&self) -> Vec<usize> {
        let (Phase::Release, Some(closed)) = (self.phase(), self.closed()) else {
            return (0..self.config().n_groups()).collect();
        };
        self.config()
            .groups()
            .filter(|group| self.waits(closed, group).is_some())
            .map(|group| group.index)
            .collect()
    }

    #[tracing::instrument(level = "debug", skip_all, fields(backend = backend.name(), late))]
    fn open(&self, backend: &dyn Backend, bases: &Bases, late: bool) -> Result<CohortOutcome, ProtocolError> {
        let round = self.round("finish")?;
        let (Phase::Release, Some(closed)) = (self.phase(), &round.closed) else {
            return Err(self.wrong_phase("finish"));
        };
        let dimension = round.parameters.dimension as usize;
        let (expected, got) = (u64::from(round.parameters.bases), u64::from(bases.id()));
        if expected != got {
            return Err(Misuse::QuantisedMismatch { what: "identifier of the bases", expected, got }.into());
        }
        let bases = &bases.prefix(dimension).map_err(EngineError::from)?;
        if !late && let Some(early) = self.config().groups().find_map(|group| self.waits(closed, &group)) {
            return Err(early.into());
        }
        let mut outcome = CohortOutcome {
            round_context: round.context,
            digest: closed.digest.digest(),
            posted: closed.digest.posted,
            leaves: closed.leaves.clone(),
            leaves_root: closed.digest.leaves_root,
            signed: Vec::new(),
            groups: Vec::new(),
            total: None,
            blames: self.blames.clone(),
            complaints: Vec::new(),
        };
        let mut total = Total::new(dimension);
        for (group, posted, attempt) in self.open_groups(round, closed, backend, bases)? {
            let Some(attempt) = attempt else {
                outcome.groups.push(GroupOutcome::Idle { group: group.index });
                continue;
            };
            match attempt {
                Ok(opened) => {
                    total.add(&opened);
                    outcome.signed.extend(opened.signed);
                    outcome.groups.push(GroupOutcome::Opened(GroupOpening {
                        group: group.index,
                        participants: posted,
                        opening: opened.opening,
                        commitment: opened.commitment,
                    }));
                }
                Err(Failure { reason, blame }) => {
                    tracing::warn!(group = group.index, %reason, "group left out");
                    outcome.blames.extend(blame);
                    let suspects = self.suspects(closed, &group, posted, &reason, &outcome.blames);
                    outcome.groups.push(GroupOutcome::Failed(FailedGroup {
                        group: group.index,
                        posted,
                        reason,
                        suspects,
                    }));
                }
            }
        }
        outcome.complaints = self.undecided(round, &outcome.blames);
        outcome.total = total.finish();
        Ok(outcome)
    }

    /// What the group still waits for; `None` if it can open or has failed for good.
    fn waits(&self, closed: &Closed, group: &Group) -> Option<Misuse> {
        let posted = group.members.intersection(&closed.digest.posted);
        let awaited = posted.difference(&self.released());
        if posted.is_empty()
            || awaited.is_empty()
            || self.failed_before_release(closed, group, posted).is_some()
        {
            return None;
        }
        let lacking = group.members.intersection(&self.set_up()).iter().any(|slot| {
            closed
                .shares
                .get(usize::from(slot))
                .is_none_or(|shares| shares.len() < usize::from(group.threshold))
        });
        lacking.then(|| Misuse::TooEarly {
            group: group.index,
            releases: posted.difference(&awaited).count(),
            needed: usize::from(group.threshold) + 1,
        })
    }

    /// The failures that its members see for themselves, and release nothing.
    fn failed_before_release(&self, closed: &Closed, group: &Group, posted: Bitmap) -> Option<GroupFailure> {
        let round = self.round.as_ref()?;
        let needed = usize::from(group.effective_floor());
        if posted.count() < needed {
            return Some(GroupFailure::TooFewPosted { posted: posted.count(), needed });
        }
        debug_assert!(closed.digest.posted.intersection(&group.members) == posted);
        let needed = usize::from(group.threshold);
        group.members.intersection(&self.set_up()).iter().find_map(|slot| {
            let holders = posted
                .iter()
                .filter(|holder| *holder != slot && !round.complaints_of(*holder).get(slot))
                .count();
            (holders < needed).then_some(GroupFailure::TooFewHolders { slot, holders, needed })
        })
    }

    /// Every group with those of it that posted, and what it comes to: `None` if nobody did.
    fn open_groups(
        &self,
        round: &Round,
        closed: &Closed,
        backend: &dyn Backend,
        bases: &Bases,
    ) -> Result<Vec<(Group, Bitmap, Option<Attempt>)>, ProtocolError> {
        let mut groups = Vec::with_capacity(self.config().n_groups());
        for group in self.config().groups() {
            let posted = group.members.intersection(&closed.digest.posted);
            let attempt = if posted.is_empty() {
                None
            } else {
                Some(self.open_group(round, closed, &group, posted, backend)?)
            };
            groups.push((group, posted, attempt));
        }
        let parameters = &round.parameters;
        let claims: Vec<Claim<'_>> = groups
            .iter()
            .filter_map(|(_, posted, attempt)| Some((posted, attempt.as_ref()?.as_ref().ok()?)))
            .map(|(posted, opened)| Claim {
                bounds: OpeningBounds {
                    bits: parameters.bits,
                    w_min: parameters.w_min,
                    w_max: parameters.w_max,
                    participants: posted.count() as u32,
                    dp_bound: parameters.dp.bound,
                },
                commitment: opened.commitment,
                opening: &opened.opening,
            })
            .collect();
        let verdicts = check_openings(backend, bases, &claims)?;
        let opened = groups
            .iter_mut()
            .filter_map(|(_, _, attempt)| attempt.as_mut().filter(|attempt| attempt.is_ok()));
        for (attempt, verdict) in opened.zip(verdicts) {
            if let Err(reason) = verdict {
                *attempt = Err(GroupFailure::Opening(reason).into());
            }
        }
        Ok(groups)
    }

    /// The opening that a group's shares give, not yet held against its commitments.
    fn open_group(
        &self,
        round: &Round,
        closed: &Closed,
        group: &Group,
        posted: Bitmap,
        backend: &dyn Backend,
    ) -> Result<Attempt, ProtocolError> {
        if let Some(reason) = self.failed_before_release(closed, group, posted) {
            return Ok(Err(reason.into()));
        }
        let secrets = match self.secrets(closed, group) {
            Ok(secrets) => secrets,
            Err(failure) => return Ok(Err(failure)),
        };
        let mut signed = Vec::with_capacity(posted.count());
        let mut point = Projective::default();
        for (slot, b) in &secrets.self_seeds {
            match self.commitment(round, *slot, b.expose()) {
                Ok(commitment) => {
                    point += commitment.commitment;
                    signed.push((*slot, commitment));
                }
                Err(failure) => return Ok(Err(failure)),
            }
        }
        if point.is_zero() {
            return Ok(Err(GroupFailure::Infinity.into()));
        }
        let commitment = Point::from(point);
        let (words, blinding) = match self.unmask(round, group, &secrets, backend)? {
            Ok(unmasked) => unmasked,
            Err(reason) => return Ok(Err(reason.into())),
        };
        // A group's sum never wraps: each word, read as i32, is the sum itself.
        Ok(Ok(Opened { signed, opening: Opening::from_words(&words, blinding), commitment }))
    }

    /// Opens the sealed commitment of `slot`; its leaf and the circuit's chain must accept it.
    fn commitment(&self, round: &Round, slot: u8, b: &Fq) -> Result<SignedCommitment, Failure> {
        let reason = GroupFailure::BadCommitment { slot };
        let input = round.inputs.get(usize::from(slot)).and_then(Option::as_ref);
        let setup = self.setups.get(usize::from(slot)).and_then(Option::as_ref);
        let (Some(input), Some(setup), Some(key)) = (input, setup, self.roster.key(slot)) else {
            return Err(reason.into());
        };
        blame::open_input(input, b, key)
            .ok_or_else(|| Failure { reason, blame: Some(Blame::bad_commitment(input, &setup.signed, b)) })
    }

    fn suspects(
        &self,
        closed: &Closed,
        group: &Group,
        posted: Bitmap,
        reason: &GroupFailure,
        blames: &[Blame],
    ) -> Bitmap {
        let blamed: Bitmap =
            blames.iter().map(|blame| blame.slot).filter(|slot| group.members.get(*slot)).collect();
        if let Some(slot) = reason.named() {
            return [slot].into_iter().collect();
        }
        match reason {
            // Nobody: those who are not there did nothing that evidence or statistics can tell apart.
            GroupFailure::TooFewPosted { .. } | GroupFailure::TooFewHolders { .. } => blamed,
            GroupFailure::TooFewShares { .. } => {
                blamed.union(&posted.difference(&super::present(&closed.releases)))
            }
            _ if !blamed.is_empty() => blamed,
            _ => posted,
        }
    }

    /// Complaints about dealers that no evidence names.
    fn undecided(&self, round: &Round, blames: &[Blame]) -> Vec<Complaint> {
        round
            .inputs
            .iter()
            .flatten()
            .flat_map(|input| {
                input.body.complaints.iter().map(|dealer| Complaint { receiver: input.body.slot, dealer })
            })
            .filter(|complaint| blames.iter().all(|blame| blame.slot != complaint.dealer))
            .collect()
    }
}

/// The running sum over the opened groups.
struct Total {
    sum: Vec<i64>,
    blinding: Fq,
    point: Projective,
    groups: usize,
}

impl Total {
    fn new(dimension: usize) -> Self {
        Self { sum: vec![0; dimension], blinding: Fq::from(0u8), point: Projective::default(), groups: 0 }
    }

    fn add(&mut self, opened: &Opened) {
        // At most 64 groups of words below 2^31: an i64 never overflows.
        for (sum, term) in self.sum.iter_mut().zip(&opened.opening.sum) {
            *sum += term;
        }
        self.blinding += opened.opening.blinding;
        self.point += opened.commitment;
        self.groups += 1;
    }

    /// `None` without a group, or if the groups' commitments cancel, which only clients of several
    /// groups who agreed on opposite vectors and blindings can bring about.
    fn finish(self) -> Option<(Opening, Point)> {
        (self.groups > 0 && !self.point.is_zero())
            .then(|| (Opening { sum: self.sum, blinding: self.blinding }, Point::from(self.point)))
    }
}
