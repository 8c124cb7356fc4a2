//! Why a client does not answer.

use thiserror::Error;

use super::Fault;

/// Why a client refuses. Nothing leaves the client with any of these.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The aggregator's signature on its request does not verify.
    #[error("the request is not signed by the aggregator")]
    UnsignedRequest,
    /// The aggregator's signature on the survivor digest does not verify.
    #[error("the survivor digest is not signed by the aggregator")]
    UnsignedDigest,
    /// The cohort runs in another mode than the client's own.
    #[error("the cohort runs in {got:?} mode, this client in {own:?} mode")]
    Mode {
        /// The client's own mode.
        own: crate::Mode,
        /// The mode of the request.
        got: crate::Mode,
    },
    /// The group is smaller than the client accepts.
    #[error("a group of {got} members, this client's floor is {floor}")]
    SmallGroup {
        /// The client's floor.
        floor: u16,
        /// Members of its group.
        got: u16,
    },
    /// The group's parameters withstand fewer corrupt members than the client asks for.
    #[error("the group withstands {got} corrupt members, this client asks for {floor}")]
    FewCorrupt {
        /// The client's floor.
        floor: u16,
        /// `c` of its group.
        got: u16,
    },
    /// Too few honest clients are guaranteed in the sum.
    #[error("{guaranteed} honest clients are guaranteed in the sum, this client's floor is {floor}")]
    PrivacyFloor {
        /// The client's floor.
        floor: u16,
        /// What the configuration guarantees in its mode.
        guaranteed: u16,
    },
    /// The list of keys does not hash to the roster root, or the occupied slots differ.
    #[error("the roster does not match the request's root and occupied slots")]
    RosterMismatch,
    /// The request is for another chain, contract or roster than the client enrolled for.
    #[error("the request is for another {what} than the client enrolled for")]
    ForeignScope {
        /// The parameter that differs.
        what: &'static str,
    },
    /// A setup context that the client has used, burnt or left behind.
    #[error("this round is over for this client: a new attempt needs a new number")]
    Stale,
    /// A member without a signed share-encryption key.
    #[error("slot {slot} has no signed share key")]
    NoShareKey {
        /// The member.
        slot: u8,
    },
    /// A piece of evidence for a share key that does not verify.
    #[error("the share key of slot {slot} is not signed by it")]
    BadShareKey {
        /// The member.
        slot: u8,
    },
    /// The client has made no setup in this context.
    #[error("no setup of this client in the request's setup context")]
    UnknownSetup,
    /// The setup was burnt by an earlier request that differed.
    #[error("the setup is burnt")]
    Burnt,
    /// The shares of this setup are released, and everything else of it is erased.
    #[error("shares were already released under this setup")]
    AlreadyReleased,
    /// A second request in the same phase that differs from the first; the setup is now burnt.
    #[error("a second, different {verb} request: the setup is burnt")]
    DifferentRequest {
        /// The verb.
        verb: &'static str,
    },
    /// The model that the aggregator names is not the one the client trained on.
    #[error("the request names another model than the client holds")]
    OtherModel,
    /// A round parameter of the request is not the client's own.
    #[error("the request's {what} differs from the client's own")]
    OtherParameter {
        /// The parameter.
        what: &'static str,
    },
    /// The list of setup hashes is malformed.
    #[error("{got} setup hashes for {expected} slots")]
    SetupList {
        /// Slots of the cohort.
        expected: usize,
        /// Hashes in the list.
        got: usize,
    },
    /// A setup is listed for a slot without a client.
    #[error("a setup is listed for slot {slot}, which is empty")]
    SetupForEmptySlot {
        /// The empty slot.
        slot: u8,
    },
    /// The client's own setup is not in the list, or another one is in its place.
    #[error("the client's own setup is not in the list")]
    OwnSetupMissing,
    /// A setup is listed for a member and its header and record are not in the request.
    #[error("the setup of slot {slot} is listed but not delivered")]
    SetupNotDelivered {
        /// The member.
        slot: u8,
    },
    /// A header is delivered that the list does not name.
    #[error("the setup delivered for slot {slot} is not the listed one")]
    SetupNotListed {
        /// The member.
        slot: u8,
    },
    /// A listed setup that is wrong: the round is refused, and its dealer is named.
    #[error("the setup of slot {slot} is refused: {reason}")]
    BadSetup {
        /// The dealer.
        slot: u8,
        /// What is wrong with it.
        reason: Fault,
    },
    /// Fewer peers than the threshold completed setup.
    #[error("{got} peers completed setup, the threshold is {threshold}")]
    TooFewPeers {
        /// Peers with a listed setup.
        got: usize,
        /// The group's threshold.
        threshold: u16,
    },
    /// The client has sent no masked input in this round.
    #[error("no masked input was sent in this round")]
    NotMasked,
    /// The number of leaves is not the number of slots.
    #[error("{got} leaves for {expected} slots")]
    LeafCount {
        /// Slots of the cohort.
        expected: usize,
        /// Leaves in the request.
        got: usize,
    },
    /// The digest belongs to another round or another list of setups.
    #[error("the survivor digest names another {what}")]
    DigestMismatch {
        /// What differs.
        what: &'static str,
    },
    /// The client's own bit is unset: it releases nothing.
    #[error("this client is not among the survivors")]
    NotPosted,
    /// The leaf listed for the client is not its own.
    #[error("the leaf listed for this client is not the one it sent")]
    OwnLeaf,
    /// A leaf is zero where the bit is set, or not zero where it is unset.
    #[error("slot {slot}: leaf and survivor bit disagree")]
    LeafBit {
        /// The slot.
        slot: u8,
    },
    /// A survivor that made no setup.
    #[error("slot {slot} is posted without a setup")]
    PostedWithoutSetup {
        /// The slot.
        slot: u8,
    },
    /// Fewer survivors than the floor.
    #[error("{posted} members posted, at least {floor} are needed")]
    TooFewPosted {
        /// Survivors in the group.
        posted: usize,
        /// `max(F, t + 1)`.
        floor: u16,
    },
    /// Complaints are missing, repeated, or not from a survivor of the group.
    #[error("the complaints listed for slot {slot} are missing, repeated or out of place")]
    Complaints {
        /// The slot.
        slot: u8,
    },
    /// A member's secret has fewer than `t` holders left.
    #[error("slot {slot} has {holders} holders without complaint, the threshold is {threshold}")]
    TooFewHolders {
        /// The member.
        slot: u8,
        /// Posted holders that did not complain of it.
        holders: usize,
        /// The group's threshold.
        threshold: u16,
    },
    /// Chain mode without a reading of the chain.
    #[error("chain mode needs the digest as the client's own provider reads it")]
    NoChainView,
    /// Evidence for another mode than the client's own.
    #[error("{got} was passed to a client in {own:?} mode")]
    WrongEvidence {
        /// The client's own mode.
        own: crate::Mode,
        /// What was passed.
        got: &'static str,
    },
    /// The digest on the chain is another one.
    #[error("the digest on the chain differs from the aggregator's")]
    ChainDigest,
    /// The digest on the chain is not final by the client's own rule.
    #[error("the digest on the chain is not final yet")]
    NotFinal,
    /// The round's posting is still open.
    #[error("the round's posting is still open")]
    PostingOpen,
    /// A signature on the digest that does not count.
    #[error("the digest signature of slot {slot} is repeated, unknown or does not verify")]
    BadDigestSignature {
        /// The slot.
        slot: u8,
    },
    /// Fewer digest signatures than the quorum.
    #[error("{got} clients signed the digest, {quorum} are needed")]
    NoQuorum {
        /// Distinct valid signatures.
        got: usize,
        /// The least sufficient number.
        quorum: usize,
    },
    /// The published sum does not open the commitment, or lies outside the round's range.
    #[error("the published sum does not open: {reason}")]
    DoesNotOpen {
        /// What was found wrong.
        reason: String,
    },
    /// The client has released shares for this model before.
    #[error("shares were already released for this model")]
    ModelReleased,
    /// A second release whose survivors are too close to the first's.
    #[error("the survivors differ from the first release's by {got} clients, at least {floor} are needed")]
    TooClose {
        /// Size of the symmetric difference.
        got: usize,
        /// The client's floor.
        floor: u16,
    },
}
