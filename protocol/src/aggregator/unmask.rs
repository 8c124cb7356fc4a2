//! Reconstructing a group's secrets, and taking its masks off its sum.
//!
//! `sum_i y_i = sum_i x_i + sum_i PRG(b_i) + sum_{i posted, k dropped} +-PRG(s_ik)`: masks between
//! posted members cancel. The self masks of the posted and the pair masks of the dropped are
//! subtracted with the opposite sign, all in one fused expansion.
//!
//! Secret: everything here, except the sum that is left.

use blindsum_engine::{
    backend::Backend,
    curve::Fq,
    mask::{MaskKey, SignedMask},
    roster::Bitmap,
    secret::Blinding,
};
use zeroize::Zeroize;

use super::{Aggregator, Closed, Round};
use crate::{
    blame::{self, Blame},
    config::Group,
    error::ProtocolError,
    keys,
    message::release::ShareKind,
    outcome::GroupFailure,
    shamir,
};

/// The secrets of a group: `b_i` of the posted, mask-key seeds of the dropped.
pub(super) struct GroupSecrets {
    pub(super) self_seeds: Vec<(u8, Blinding)>,
    mask_seeds: Vec<(u8, Blinding)>,
}

/// A failure with the evidence for it, where there is any.
pub(super) struct Failure {
    pub(super) reason: GroupFailure,
    pub(super) blame: Option<Blame>,
}

impl From<GroupFailure> for Failure {
    fn from(reason: GroupFailure) -> Self {
        Self { reason, blame: None }
    }
}

impl Aggregator {
    /// Interpolates each secret from the t lowest slots whose shares match their hashes, and
    /// compares it with what its dealer signed.
    pub(super) fn secrets(&self, closed: &Closed, group: &Group) -> Result<GroupSecrets, Failure> {
        let posted = group.members.intersection(&closed.digest.posted);
        let dropped = group.members.intersection(&self.set_up()).difference(&posted);
        let all = |slots: Bitmap, kind| {
            slots
                .iter()
                .map(|slot| Ok((slot, self.secret(closed, group, slot, kind)?)))
                .collect::<Result<Vec<_>, Failure>>()
        };
        Ok(GroupSecrets {
            self_seeds: all(posted, ShareKind::SelfMask)?,
            mask_seeds: all(dropped, ShareKind::MaskKey)?,
        })
    }

    fn secret(&self, closed: &Closed, group: &Group, slot: u8, kind: ShareKind) -> Result<Blinding, Failure> {
        let needed = usize::from(group.threshold);
        let none = std::collections::BTreeMap::new();
        let held = closed.shares.get(usize::from(slot)).unwrap_or(&none);
        let too_few = || GroupFailure::TooFewShares { slot, shares: held.len(), needed };
        let mut lowest: Vec<(u8, Fq)> =
            held.iter().take(needed).map(|(releaser, share)| (*releaser, *share.expose())).collect();
        let setup = self.setups.get(usize::from(slot)).and_then(Option::as_ref).ok_or_else(too_few)?;
        let secret = shamir::reconstruct(&lowest, group.threshold).map_err(|_| too_few())?;
        if blame::matches_header(&setup.signed, kind, &secret) {
            lowest.iter_mut().for_each(|(_, share)| share.zeroize());
            return Ok(Blinding::from(secret));
        }
        // Inconsistent shares are evidence, and may be shown.
        let dealt: Vec<_> = lowest
            .iter()
            .filter_map(|(releaser, share)| Some((setup.for_peer(*releaser)?, *share)))
            .collect();
        Err(Failure {
            reason: GroupFailure::InconsistentShares { slot },
            blame: Blame::inconsistent_shares(&dealt, kind),
        })
    }

    /// Takes the masks off a copy of the group's sum: the words and the blinding that are left.
    ///
    /// Cost: `(posted + dropped * posted) * d` words of key stream.
    pub(super) fn unmask(
        &self,
        round: &Round,
        group: &Group,
        secrets: &GroupSecrets,
        backend: &dyn Backend,
    ) -> Result<Result<(Vec<u32>, Fq), GroupFailure>, ProtocolError> {
        let Some(sum) = round.sums.get(group.index) else {
            return Ok(Err(GroupFailure::TooFewPosted { posted: 0, needed: group.effective_floor().into() }));
        };
        let context = &round.context;
        let mut masks = Vec::new();
        let mut blinding = sum.blinding;
        for (slot, b) in &secrets.self_seeds {
            masks.push(SignedMask::subtract(MaskKey::new(*keys::self_mask_key(b.expose(), context, *slot))));
            blinding -= keys::self_blinding_mask(b.expose(), context, *slot);
        }
        for (slot, seed) in &secrets.mask_seeds {
            let secret = keys::mask_secret(seed.expose(), &self.setup_context, *slot);
            for (peer, _) in &secrets.self_seeds {
                let low_order = GroupFailure::LowOrderKey { slot: *slot, peer: *peer };
                let Some(setup) = self.setups.get(usize::from(*peer)).and_then(Option::as_ref) else {
                    return Ok(Err(low_order));
                };
                let Some(shared) = keys::agree(&secret, &setup.signed.header.mask_key) else {
                    return Ok(Err(low_order));
                };
                let key = MaskKey::new(*keys::pair_mask_key(&shared, context, *slot, *peer));
                let pair_blinding = keys::pair_blinding_mask(&shared, context, *slot, *peer);
                if keys::adds(*peer, *slot) {
                    blinding -= pair_blinding;
                    masks.push(SignedMask::subtract(key));
                } else {
                    blinding += pair_blinding;
                    masks.push(SignedMask::add(key));
                }
            }
        }
        let mut words = sum.words.clone();
        let n_masks = masks.len();
        backend.mask_expand(&masks, 0, &mut words)?;
        tracing::info!(group = group.index, masks = n_masks, backend = backend.name(), "masks removed");
        Ok(Ok((words, blinding)))
    }
}
