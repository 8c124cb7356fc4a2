//! Exchange 3: each release is compared with what the dealers signed, on receipt.

use blindsum_engine::{curve::Fq, roster::Bitmap, secret::Blinding};

use super::{Absorbed, Aggregator, Phase};
use crate::{
    blame::{self, Blame},
    error::{Fault, ProtocolError},
    keys,
    message::release::{Release, ReleasedShare, ShareKind},
    wire::{Limits, MessageKind},
};

impl Aggregator {
    pub(super) fn absorb_release(&mut self, bytes: &[u8]) -> Result<Absorbed, ProtocolError> {
        let phase = self.phase();
        let release = Release::decode(bytes, &Limits::new(self.roster.size(), 0))?;
        let slot = release.slot;
        let bad = |reason| Err(ProtocolError::bad(slot, reason));
        let (Phase::Release, Some(round)) = (phase, &self.round) else {
            return bad(Fault::WrongPhase { message: MessageKind::Release, phase });
        };
        let Some(closed) = &round.closed else {
            return bad(Fault::WrongPhase { message: MessageKind::Release, phase });
        };
        let Some(key) = self.roster.key(slot) else { return bad(Fault::UnknownSlot) };
        // The signature first, over the digest that the release itself names.
        release
            .verify(key, &round.context, &release.digest)
            .map_err(|reason| ProtocolError::bad(slot, reason))?;
        if !closed.digest.posted.get(slot) {
            return bad(Fault::NotPosted);
        }
        if let Some(held) = closed.releases.get(usize::from(slot)).and_then(Option::as_ref) {
            if blame::same_release(held, &release) {
                return bad(Fault::Duplicate { message: MessageKind::Release });
            }
            let blame = Blame::two_releases(held, &release);
            self.blame(blame);
            return bad(Fault::TwoMessages { message: MessageKind::Release });
        }
        if release.digest != closed.digest.digest() {
            return bad(Fault::WrongContext { message: MessageKind::Release });
        }
        self.check_cover(&release)?;

        // Well formed: keep what matches, name the releaser for what does not.
        let (good, wrong): (Vec<_>, Vec<_>) = release
            .shares
            .iter()
            .filter(|share| share.kind != ShareKind::Complaint)
            .partition(|share| self.matches_hash(slot, share));
        let blames: Vec<Blame> = wrong
            .iter()
            .filter_map(|share| {
                let dealt = self.setups.get(usize::from(share.peer))?.as_ref()?.for_peer(slot)?;
                Some(Blame::wrong_share(&release, share.peer, &dealt, &round.setup_hashes))
            })
            .collect();
        let wrong: Bitmap = wrong.iter().map(|share| share.peer).collect();
        let good: Vec<(u8, Fq)> = good.iter().map(|share| (share.peer, share.share)).collect();
        blames.into_iter().for_each(|blame| self.blame(blame));
        if let Some(closed) = self.round.as_mut().and_then(|round| round.closed.as_mut()) {
            for (peer, share) in good {
                if let Some(shares) = closed.shares.get_mut(usize::from(peer)) {
                    shares.insert(slot, Blinding::from(share));
                }
            }
            if let Some(held) = closed.releases.get_mut(usize::from(slot)) {
                *held = Some(release);
            }
        }
        tracing::debug!(slot, wrong = wrong.count(), "release kept");
        Ok(Absorbed::Release { slot, wrong })
    }

    /// One share for each posted or dropped peer of the group, of the kind its fate asks for, and
    /// nothing else. A complaint stands in only for a dealer that the releaser complained of when
    /// it posted.
    fn check_cover(&self, release: &Release) -> Result<(), ProtocolError> {
        let slot = release.slot;
        let bad = |peer| Err(ProtocolError::bad(slot, Fault::WrongShareKind { peer }));
        let Some(round) = &self.round else { return bad(slot) };
        let complaints = round.complaints_of(slot);
        let (set_up, posted) = (self.set_up(), self.posted());
        let mut given = release.shares.iter();
        for peer in self.config().peers(slot).into_iter().filter(|peer| set_up.get(*peer)) {
            let kind = if posted.get(peer) { ShareKind::SelfMask } else { ShareKind::MaskKey };
            match given.next() {
                Some(share) if share.peer == peer && share.kind == kind => {}
                Some(share)
                    if share.peer == peer && share.kind == ShareKind::Complaint && complaints.get(peer) => {}
                _ => return bad(peer),
            }
        }
        given.next().map_or(Ok(()), |share| bad(share.peer))
    }

    fn matches_hash(&self, releaser: u8, share: &ReleasedShare) -> bool {
        let record = self
            .setups
            .get(usize::from(share.peer))
            .and_then(Option::as_ref)
            .and_then(|setup| setup.record_for(releaser));
        record.is_some_and(|record| {
            let released =
                keys::share_hash(&self.setup_context, share.peer, releaser, share.kind, &share.share);
            blame::record_hash(record, share.kind) == Some(&released)
        })
    }
}
