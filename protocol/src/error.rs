//! Error families, sorted by whose fault it is.

use blindsum_engine::error::{DecodeError, EngineError};
use thiserror::Error;

use crate::{aggregator::Phase, wire::MessageKind};

/// Anything that a verb of the protocol can fail with.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// The caller asked for something that makes no sense.
    #[error(transparent)]
    Misuse(#[from] Misuse),
    /// A participant's message is wrong; the slot is the signer, never the carrier.
    #[error("slot {slot}: {reason}")]
    BadContribution {
        /// The participant at fault.
        slot: u8,
        /// What is wrong with its contribution.
        reason: Fault,
    },
    /// The client refuses to answer. Nothing leaves it.
    #[error("refused: {0}")]
    Refused(#[from] Refusal),
    /// Bytes that are no message.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The client's own disk.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Parameters that no cohort may run with.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The arithmetic or the device underneath.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl ProtocolError {
    /// A fault of the participant at `slot`.
    #[must_use]
    pub fn bad(slot: u8, reason: Fault) -> Self {
        Self::BadContribution { slot, reason }
    }
}

/// A mistake of the caller.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misuse {
    /// A verb that does not follow the one before it.
    #[error("{verb} in phase {phase}")]
    WrongPhase {
        /// The verb that was called.
        verb: &'static str,
        /// Where the session stands.
        phase: &'static str,
    },
    /// Two lengths that must agree do not.
    #[error("{what}: expected {expected}, got {got}")]
    Length {
        /// What was measured.
        what: &'static str,
        /// The length that was required.
        expected: usize,
        /// The length that was passed.
        got: usize,
    },
    /// A slot that is empty or beyond the cohort.
    #[error("slot {slot} holds no client")]
    UnknownSlot {
        /// The slot that was named.
        slot: u8,
    },
    /// The client's key is in no slot of the roster.
    #[error("this client's key is not in the roster")]
    NotInRoster,
    /// Too few shares to interpolate.
    #[error("{got} shares, the threshold is {threshold}")]
    TooFewShares {
        /// The shares that were passed.
        got: usize,
        /// The shares that are needed.
        threshold: usize,
    },
    /// A slot that was named twice.
    #[error("slot {slot} appears twice")]
    RepeatedSlot {
        /// The repeated slot.
        slot: u8,
    },
    /// The state belongs to another key.
    #[error("the stored state belongs to another client key")]
    ForeignState,
    /// The client has not enrolled for this roster and epoch.
    #[error("not enrolled for this roster and epoch")]
    NotEnrolled,
    /// The stored state does not decode.
    #[error("the stored state is not one this version wrote: {reason}")]
    BadState {
        /// What did not decode.
        reason: WireError,
    },
    /// The roster is not the one that the parameters name.
    #[error("the roster is not the one that the setup parameters name")]
    RosterMismatch,
    /// Round parameters that name another aggregator's key.
    #[error("the round's parameters name another aggregator")]
    ForeignAggregator,
    /// Another digest than the session's own was confirmed.
    #[error("the confirmed digest is not this cohort's")]
    ForeignDigest,
    /// A kind of message that no client sends to an aggregator.
    #[error("an aggregator takes no {message}")]
    UnexpectedMessage {
        /// The kind.
        message: MessageKind,
    },
    /// A member of the group has not enrolled.
    #[error("the share key of slot {slot} is not known: it has not enrolled")]
    NoShareKey {
        /// The member.
        slot: u8,
    },
    /// A request for a slot that is not among the survivors.
    #[error("slot {slot} posted nothing")]
    NotPosted {
        /// The slot.
        slot: u8,
    },
    /// The sums were to be opened while releases may still come. Nothing is lost.
    #[error("group {group} has {releases} releases, {needed} open it")]
    TooEarly {
        /// The first group that waits.
        group: usize,
        /// Its members that released.
        releases: usize,
        /// `t + 1`.
        needed: usize,
    },
    /// A rule that could bench nobody, or everybody.
    #[error(
        "a bench after {failures} failed draws of the last {draws}: 1 <= failures <= draws <= 64 is needed"
    )]
    BenchRule {
        /// Failed draws that bench.
        failures: u32,
        /// Draws that count.
        draws: u32,
    },
    /// The vector's weight is outside the round's range; the weight is secret, so it is not shown.
    #[error("the sample weight is outside {min} ..= {max}")]
    Weight {
        /// Least weight.
        min: u32,
        /// Largest weight.
        max: u32,
    },
    /// The quantised vector or the bases do not have the round's shape.
    #[error("{what}: {got}, the round says {expected}")]
    QuantisedMismatch {
        /// The property that differs.
        what: &'static str,
        /// What the round's parameters say.
        expected: u64,
        /// What the vector has.
        got: u64,
    },
}

/// What is wrong with a participant's contribution. Everything here is shown by bytes the
/// participant signed, unless its documentation says otherwise.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The bytes are no message (not signed evidence: anyone can send bytes).
    #[error("malformed: {0}")]
    Malformed(#[from] WireError),
    /// The signature is not this slot's (not evidence: anyone can send bytes).
    #[error("the signature of its {message} does not verify")]
    BadSignature {
        /// The message that was signed.
        message: MessageKind,
    },
    /// The slot is empty or beyond the cohort.
    #[error("the slot holds no client")]
    UnknownSlot,
    /// The message names another slot than the one it was expected from.
    #[error("its message names slot {got}")]
    WrongSlot {
        /// The slot in the message.
        got: u8,
    },
    /// The message is bound to another context.
    #[error("its {message} is bound to another context")]
    WrongContext {
        /// The message.
        message: MessageKind,
    },
    /// A setup that does not deal to exactly the other members of its group, in slot order.
    #[error("its setup deals to the wrong receivers")]
    WrongReceivers,
    /// A record root that is not the root of the records.
    #[error("its setup's records do not hash to the signed root")]
    WrongRecordsRoot,
    /// A Merkle path that does not lead to the signed root.
    #[error("the record does not lie under the signed root")]
    WrongPath,
    /// An X25519 key of small order, whose shared secrets are all zero.
    #[error("its {what} is of low order")]
    LowOrderKey {
        /// The key.
        what: &'static str,
    },
    /// Words that do not have the signed hash or length.
    #[error("its masked words do not match the signed hash")]
    WrongWords,
    /// A vector of another length than the round's.
    #[error("its vector has {got} coordinates, the round has {expected}")]
    WrongDimension {
        /// The round's dimension.
        expected: u64,
        /// The message's dimension.
        got: u64,
    },
    /// A leaf of zero, which is kept for slots that posted nothing.
    #[error("its leaf is zero")]
    ZeroLeaf,
    /// A message that this phase does not take: too early, or late.
    #[error("its {message} came in phase {phase}")]
    WrongPhase {
        /// The message.
        message: MessageKind,
        /// Where the session stands.
        phase: Phase,
    },
    /// The same message again. The first one counts.
    #[error("its {message} came before")]
    Duplicate {
        /// The message.
        message: MessageKind,
    },
    /// A second, different message where one is allowed. The first one counts.
    #[error("it signed two different {message} messages")]
    TwoMessages {
        /// The message.
        message: MessageKind,
    },
    /// A masked input from a slot without a listed setup: it has no peers.
    #[error("it has no setup in this round")]
    NotListed,
    /// A release from a slot that is not among the survivors.
    #[error("it releases shares and is not among the survivors")]
    NotPosted,
    /// A release that does not give each posted or dropped peer the one kind of share it is due.
    #[error("its release has no share, or one of the wrong kind, for slot {peer}")]
    WrongShareKind {
        /// The first peer concerned.
        peer: u8,
    },
    /// A complaint about a slot that dealt it nothing.
    #[error("it complains of slot {about}, which dealt it nothing")]
    BadComplaint {
        /// The slot complained of.
        about: u8,
    },
}

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

/// Why bytes are no message.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WireError {
    /// Not `BSUM`.
    #[error("not a Blindsum message")]
    Magic,
    /// A version that this library does not speak.
    #[error("message version {got}, this library speaks {expected}")]
    Version {
        /// The library's version.
        expected: u16,
        /// The message's version.
        got: u16,
    },
    /// Another kind of message than the one expected.
    #[error("message kind {got}, expected {expected}")]
    Kind {
        /// The expected kind.
        expected: u8,
        /// The kind in the header.
        got: u8,
    },
    /// Longer than any message of its kind in this cohort.
    #[error("a payload of {got} bytes, the limit is {limit}")]
    TooLong {
        /// The limit of the kind.
        limit: u64,
        /// The declared length.
        got: u64,
    },
    /// The declared length is not the length.
    #[error("{what}: {missing} bytes are missing")]
    Truncated {
        /// What was read.
        what: &'static str,
        /// How many bytes were missing.
        missing: u64,
    },
    /// Bytes after the end.
    #[error("{count} trailing bytes")]
    Trailing {
        /// How many.
        count: u64,
    },
    /// A number outside its range.
    #[error("{what}: {got} is not allowed")]
    Value {
        /// What was read.
        what: &'static str,
        /// The value.
        got: u64,
    },
    /// A list out of order, or with repeated entries.
    #[error("{what}: not in ascending order")]
    Order {
        /// The list.
        what: &'static str,
    },
    /// A field element, scalar or point that is not canonical.
    #[error(transparent)]
    Element(#[from] DecodeError),
}

/// Parameters that no cohort may run with.
#[derive(Debug, Error, Clone, PartialEq)]
#[non_exhaustive]
pub enum ConfigError {
    /// A group width that is no power of two from 4 to N.
    #[error("group width {width} for {slots} slots: a power of two from 4 to N is needed")]
    Width {
        /// The width.
        width: u16,
        /// The number of slots.
        slots: u16,
    },
    /// Another number of group entries than N / W.
    #[error("{got} group entries for {expected} groups")]
    GroupCount {
        /// N / W.
        expected: usize,
        /// Entries passed.
        got: usize,
    },
    /// An occupied slot beyond the cohort.
    #[error("slot {slot} is occupied in a cohort of {slots} slots")]
    OccupiedBeyond {
        /// The slot.
        slot: u8,
        /// The number of slots.
        slots: u16,
    },
    /// A group too small to hide anybody.
    #[error("group {group} has {n} members, at least 3 are needed")]
    SmallGroup {
        /// The group.
        group: usize,
        /// Its members.
        n: u16,
    },
    /// A threshold that the other members cannot reach, or that one share meets.
    #[error("group {group}: threshold {threshold} is outside 2 ..= n - 1 = {max}")]
    Threshold {
        /// The group.
        group: usize,
        /// Its threshold.
        threshold: u16,
        /// n - 1.
        max: u16,
    },
    /// `2t > (n - 1) + c` does not hold.
    #[error("group {group}: 2t > (n - 1) + c does not hold for t = {threshold}, n = {n}, c = {corrupt}")]
    DoubleCollection {
        /// The group.
        group: usize,
        /// t.
        threshold: u16,
        /// n.
        n: u16,
        /// c.
        corrupt: u16,
    },
    /// A floor above the number of members, or of at most c.
    #[error("group {group}: floor {floor} is outside c + 1 = {min} ..= n = {n}")]
    Floor {
        /// The group.
        group: usize,
        /// F.
        floor: u16,
        /// c + 1.
        min: u16,
        /// n.
        n: u16,
    },
    /// The words of a group's sum could wrap.
    #[error(
        "n * (2^(b - 1) + noise) < 2^31 does not hold for n = {n}, b = {bits}, noise = {noise}: {product} >= 2147483648"
    )]
    WordOverflow {
        /// Members of the largest group.
        n: u16,
        /// Bits per coordinate.
        bits: u8,
        /// Bound of one client's noise.
        noise: u32,
        /// The left side.
        product: u64,
    },
    /// A quantiser that cannot be.
    #[error("quantiser: {what} = {got} is not allowed")]
    Quantizer {
        /// The parameter.
        what: &'static str,
        /// Its value.
        got: f64,
    },
    /// A vector without a coordinate besides the weight, or longer than the wire carries.
    #[error("dimension {got} is outside 2 ..= {max}")]
    Dimension {
        /// The dimension.
        got: u64,
        /// The largest.
        max: u64,
    },
    /// An array of a model whose bytes are not the product of its dims, or whose shape does not fit.
    #[error("array {name}: {got} bytes or entries, expected {expected}")]
    Array {
        /// The array's name.
        name: String,
        /// What its shape asks for, or the most that fits.
        expected: u64,
        /// What was passed.
        got: u64,
    },
    /// DP parameters that say nothing or something impossible.
    #[error("differential privacy: {what} = {got} is not allowed")]
    Dp {
        /// The parameter.
        what: &'static str,
        /// Its value.
        got: f64,
    },
}

/// A failure of the client's durable state.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The disk.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// The system's error.
        source: std::io::Error,
    },
    /// A state without its marker.
    #[error("the state has no marker: it was restored or copied, and must not be used")]
    MarkerMissing,
    /// A marker without its state.
    #[error("the marker has no state: the state was lost")]
    StateMissing,
    /// The state is older than the marker.
    #[error("the state is number {state}, the marker {marker}: an old state was restored")]
    RolledBack {
        /// Sequence number of the state.
        state: u64,
        /// Sequence number of the marker.
        marker: u64,
    },
    /// State and marker do not belong together.
    #[error("state and marker are not of one history")]
    Forked,
    /// The file is not one that a journal wrote.
    #[error("{what} is damaged")]
    Damaged {
        /// Which file.
        what: &'static str,
    },
    /// A journal of the caller's own failed.
    #[error("the journal failed: {reason}")]
    Caller {
        /// Its reason.
        reason: String,
    },
}
