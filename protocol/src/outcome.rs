//! What a round gives: the sum and its blinding, who is in it, and what became of every group.

use blindsum_engine::{
    curve::{Fr, Point},
    opening::{Opening, OpeningError},
    roster::{Bitmap, RoundContext},
    schnorr::SignedCommitment,
};
use thiserror::Error;

use crate::blame::Blame;

/// The end of a cohort's round. All of it may be published: it holds sums and signed points only.
#[derive(Debug)]
pub struct CohortOutcome {
    pub(crate) round_context: RoundContext,
    pub(crate) digest: [u8; 32],
    pub(crate) posted: Bitmap,
    pub(crate) leaves: Vec<Fr>,
    pub(crate) leaves_root: Fr,
    pub(crate) signed: Vec<(u8, SignedCommitment)>,
    pub(crate) groups: Vec<GroupOutcome>,
    pub(crate) total: Option<(Opening, Point)>,
    pub(crate) blames: Vec<Blame>,
    pub(crate) complaints: Vec<Complaint>,
}

/// A record that its receiver could not open or that missed its hash. Nobody can tell from it
/// whether dealer or receiver is at fault: it counts for benching only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Complaint {
    /// Who complains.
    pub receiver: u8,
    /// Of whom.
    pub dealer: u8,
}

/// What became of one group.
#[derive(Debug)]
pub enum GroupOutcome {
    /// Its sum opened and matches its commitments.
    Opened(GroupOpening),
    /// It is left out whole.
    Failed(FailedGroup),
    /// Nobody of it posted.
    Idle {
        /// The group's index.
        group: usize,
    },
}

/// A group whose sum opened.
#[derive(Debug, Clone)]
pub struct GroupOpening {
    /// The group's index.
    pub group: usize,
    /// Its members in the sum.
    pub participants: Bitmap,
    /// `(A_g, R_g)`.
    pub opening: Opening,
    /// The sum of its commitments, which the opening opens.
    pub commitment: Point,
}

/// A group that is left out whole.
#[derive(Debug)]
pub struct FailedGroup {
    /// The group's index.
    pub group: usize,
    /// Its members that posted.
    pub posted: Bitmap,
    /// Why.
    pub reason: GroupFailure,
    /// Whom the failure counts against when clients are benched: the named client where evidence
    /// names one, otherwise everybody who may have caused it.
    pub suspects: Bitmap,
}

/// Why a group is left out.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum GroupFailure {
    /// Fewer masked inputs than the clients accept: nobody of the group releases anything.
    #[error("{posted} members posted, {needed} are needed")]
    TooFewPosted {
        /// Members that posted.
        posted: usize,
        /// `max(F, t + 1)`.
        needed: usize,
    },
    /// So many holders complained of a member that its secret cannot be had: nobody releases.
    #[error("slot {slot} has {holders} holders without complaint, {needed} are needed")]
    TooFewHolders {
        /// The member.
        slot: u8,
        /// Posted holders that did not complain of it.
        holders: usize,
        /// `t`.
        needed: usize,
    },
    /// Fewer good shares of a member's secret than the threshold.
    #[error("{shares} good shares of the secret of slot {slot}, {needed} are needed")]
    TooFewShares {
        /// The member.
        slot: u8,
        /// Shares that match the dealer's hashes.
        shares: usize,
        /// `t`.
        needed: usize,
    },
    /// A member's shares match its hashes and give another secret than it signed.
    #[error("the shares of slot {slot} do not give the secret it signed")]
    InconsistentShares {
        /// The dealer.
        slot: u8,
    },
    /// A member's mask key agrees with a peer's on nothing.
    #[error("the mask keys of slots {slot} and {peer} agree on a point of low order")]
    LowOrderKey {
        /// The dropped member.
        slot: u8,
        /// The posted member.
        peer: u8,
    },
    /// A member's sealed commitment is not what its leaf says, or no proof can show its signature.
    #[error("the commitment of slot {slot} is not the one of its leaf, or is not provable")]
    BadCommitment {
        /// The member.
        slot: u8,
    },
    /// The commitments add up to infinity, which is no commitment.
    #[error("the commitments add up to infinity")]
    Infinity,
    /// The sum does not open the commitments, or is out of range. No single client is named.
    #[error("the opening is refused: {0}")]
    Opening(OpeningError),
}

impl GroupFailure {
    /// The client that the failure is about, where it is about one.
    #[must_use]
    pub const fn named(&self) -> Option<u8> {
        match self {
            Self::InconsistentShares { slot } | Self::BadCommitment { slot } => Some(*slot),
            _ => None,
        }
    }
}

impl CohortOutcome {
    /// The round's context.
    #[must_use]
    pub const fn round_context(&self) -> &RoundContext {
        &self.round_context
    }

    /// The survivor digest that the clients released under.
    #[must_use]
    pub const fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// The slots in the sum: the posted ones less whole failed groups.
    #[must_use]
    pub fn participants(&self) -> Bitmap {
        self.opened().fold(Bitmap::EMPTY, |all, group| all.union(&group.participants))
    }

    /// The slots of the survivor digest.
    #[must_use]
    pub const fn posted(&self) -> Bitmap {
        self.posted
    }

    /// One leaf a slot, zero where nothing was posted; a failed group's leaves stay.
    #[must_use]
    pub fn leaves(&self) -> &[Fr] {
        &self.leaves
    }

    /// The root of the tree over the leaves.
    #[must_use]
    pub const fn leaves_root(&self) -> Fr {
        self.leaves_root
    }

    /// The signed commitment of every participant, in slot order.
    #[must_use]
    pub fn signed(&self) -> &[(u8, SignedCommitment)] {
        &self.signed
    }

    /// Every group, in order.
    #[must_use]
    pub fn groups(&self) -> &[GroupOutcome] {
        &self.groups
    }

    /// The groups in the sum.
    pub fn opened(&self) -> impl Iterator<Item = &GroupOpening> {
        self.groups.iter().filter_map(|group| match group {
            GroupOutcome::Opened(opening) => Some(opening),
            _ => None,
        })
    }

    /// The groups that were left out, with the reason.
    pub fn failed(&self) -> impl Iterator<Item = &FailedGroup> {
        self.groups.iter().filter_map(|group| match group {
            GroupOutcome::Failed(failed) => Some(failed),
            _ => None,
        })
    }

    /// `(A, R)` of the cohort; `None` if no group opened.
    #[must_use]
    pub fn opening(&self) -> Option<&Opening> {
        self.total.as_ref().map(|(opening, _)| opening)
    }

    /// The sum of the participants' commitments; `None` if no group opened.
    #[must_use]
    pub fn commitment(&self) -> Option<Point> {
        self.total.as_ref().map(|(_, point)| *point)
    }

    /// Whom signed evidence names.
    #[must_use]
    pub fn blames(&self) -> &[Blame] {
        &self.blames
    }

    /// Complaints that nobody can decide.
    #[must_use]
    pub fn complaints(&self) -> &[Complaint] {
        &self.complaints
    }

    /// Whom this round counts against when clients are benched.
    #[must_use]
    pub fn suspects(&self) -> Bitmap {
        let named = self.blames.iter().map(|blame| blame.slot);
        let undecided = self.complaints.iter().flat_map(|c| [c.receiver, c.dealer]);
        self.failed().fold(named.chain(undecided).collect(), |all: Bitmap, group| all.union(&group.suspects))
    }
}
