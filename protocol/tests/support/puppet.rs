//! A client that does what the test says: it speaks the protocol by hand, with every secret in reach.

use blindsum_engine::{
    backend::Backend,
    bases::Bases,
    cpu::Cpu,
    curve::{Fq, Fr, random_fq},
    mask::{MaskKey, SignedMask},
    pedersen::{commit_vartime, commit_words},
    roster::{Bitmap, Roster, RoundContext},
    schnorr::{SecretKey, SignedCommitment, sign_commitment},
    secret::Blinding,
};
use blindsum_protocol::{
    Enrolment, Limits, keys,
    message::{
        MaskRequest, MaskedInput, PeerSetup, Record, Release, ReleasedShare, SealedCommitment, Setup,
        SetupHeader, SetupRequest, ShareKind, SignedSetup, UnmaskRequest,
        masked_input::{MaskedInputBody, words_hash},
        setup_root,
    },
    seal::{ShareBoxBinding, SharePair, seal_commitment},
    shamir,
};
use rand_chacha::ChaCha20Rng;
use x25519_dalek::StaticSecret;

use super::BITS;

/// One client in the test's hands.
pub struct Puppet {
    pub slot: u8,
    pub key: SecretKey,
    pub b: Fq,
    pub seed: Fq,
    share: StaticSecret,
    next: StaticSecret,
    peers: Vec<PeerSetup>,
}

/// What one receiver is dealt, before it is hashed and sealed: `(b share, seed share)`.
pub struct Deal {
    pub receiver: u8,
    pub hashed: (Fq, Fq),
    pub sealed: (Fq, Fq),
    pub binding: ShareBoxBinding,
}

/// What goes into a masked input.
pub struct Input {
    pub words: Vec<i32>,
    pub blinding: Fq,
    pub signed: SignedCommitment,
    pub leaf: Fr,
    pub complaints: Bitmap,
    pub b: Fq,
}

impl Puppet {
    pub fn new(slot: u8, key: SecretKey, rng: &mut ChaCha20Rng) -> Self {
        Self {
            slot,
            key,
            b: random_fq(rng),
            seed: random_fq(rng),
            share: keys::x25519_generate(rng),
            next: keys::x25519_generate(rng),
            peers: Vec::new(),
        }
    }

    pub fn enrol(&self, epoch: u64, roster: &Roster, rng: &mut ChaCha20Rng) -> Vec<u8> {
        let share_key = keys::x25519_public(&self.share);
        Enrolment::new(&self.key, epoch, roster.root(), self.slot, share_key, rng).encode()
    }

    /// A setup; `tamper` sees what each receiver gets.
    pub fn setup(
        &self,
        request: &[u8],
        roster: &Roster,
        rng: &mut ChaCha20Rng,
        mut tamper: impl FnMut(&mut Deal),
    ) -> Setup {
        let request = SetupRequest::decode(request, &Limits::new(roster.size(), 0)).unwrap();
        let parameters = &request.parameters;
        let context = parameters.context();
        let threshold = parameters.config.group_of(self.slot).unwrap().threshold;
        let receivers = parameters.config.peers(self.slot);
        let b_shares = shamir::share(&self.b, threshold, &receivers, rng);
        let seed_shares = shamir::share(&self.seed, threshold, &receivers, rng);
        let share_key = keys::x25519_public(&self.share);
        let mut records = Vec::new();
        for ((receiver, b), (_, seed)) in b_shares.into_iter().zip(seed_shares) {
            let (_, evidence) = request.share_keys.iter().find(|(slot, _)| *slot == receiver).unwrap();
            let (key_number, receiver_key) = evidence.verify(receiver, parameters, roster).unwrap();
            let binding =
                ShareBoxBinding { context, dealer: self.slot, receiver, dealer_key: share_key, receiver_key };
            let mut deal = Deal { receiver, hashed: (b, seed), sealed: (b, seed), binding };
            tamper(&mut deal);
            let pair = SharePair { self_mask: deal.sealed.0, mask_key: deal.sealed.1 };
            let (nonce, sealed) = deal.binding.seal(&self.share, &pair, rng).unwrap();
            let hash = |kind, share: &Fq| keys::share_hash(&context, self.slot, receiver, kind, share);
            records.push(Record {
                receiver,
                key_number,
                self_share_hash: hash(ShareKind::SelfMask, &deal.hashed.0),
                mask_share_hash: hash(ShareKind::MaskKey, &deal.hashed.1),
                nonce,
                sealed,
            });
        }
        let header = SetupHeader {
            context,
            slot: self.slot,
            mask_key: keys::x25519_public(&keys::mask_secret(&self.seed, &context, self.slot)),
            self_seed_hash: keys::self_seed_hash(&self.b, &context, self.slot),
            share_key_number: 0,
            share_key,
            next_share_key: keys::x25519_public(&self.next),
        };
        Setup { signed: SignedSetup::sign(&self.key, header, &records, rng), records }
    }

    /// What an honest client would commit to: `words` under a fresh blinding.
    pub fn honest_input(
        &self,
        words: &[i32],
        context: &RoundContext,
        bases: &Bases,
        rng: &mut ChaCha20Rng,
    ) -> Input {
        let blinding = random_fq(rng);
        let commitment = commit_words(&Cpu, bases, words, BITS, &Blinding::from(blinding)).unwrap().point();
        let (signed, leaf) = sign_commitment(&self.key, self.slot, context, commitment, rng);
        Input { words: words.to_vec(), blinding, signed, leaf, complaints: Bitmap::EMPTY, b: self.b }
    }

    /// A commitment to `words` in step with the masked vector, however large they are.
    pub fn vartime_input(
        &self,
        words: &[i32],
        context: &RoundContext,
        bases: &Bases,
        rng: &mut ChaCha20Rng,
    ) -> Input {
        let blinding = random_fq(rng);
        let wide: Vec<i64> = words.iter().map(|word| i64::from(*word)).collect();
        let commitment = commit_vartime(&Cpu, bases, &wide, &blinding).unwrap();
        let (signed, leaf) = sign_commitment(&self.key, self.slot, context, commitment, rng);
        Input { words: words.to_vec(), blinding, signed, leaf, complaints: Bitmap::EMPTY, b: self.b }
    }

    /// The round context of a mask request.
    pub fn context(request: &MaskRequest) -> RoundContext {
        request.parameters.context(&request.setup_context, &request.model, &setup_root(&request.setup_hashes))
    }

    pub fn read_mask_request(&mut self, request: &[u8], roster: &Roster) -> MaskRequest {
        let request = MaskRequest::decode(request, &Limits::new(roster.size(), 1 << 20)).unwrap();
        self.peers.clone_from(&request.peers);
        request
    }

    /// The masked input of `input`.
    pub fn mask(&self, request: &MaskRequest, input: &Input, rng: &mut ChaCha20Rng) -> MaskedInput {
        let context = Self::context(request);
        let mut masks =
            vec![SignedMask::add(MaskKey::new(*keys::self_mask_key(&self.b, &context, self.slot)))];
        let mut masked_blinding = input.blinding + keys::self_blinding_mask(&self.b, &context, self.slot);
        let secret = keys::mask_secret(&self.seed, &request.setup_context, self.slot);
        for peer in &request.peers {
            let header = &peer.signed.header;
            let shared = keys::agree(&secret, &header.mask_key).unwrap();
            let key = MaskKey::new(*keys::pair_mask_key(&shared, &context, self.slot, header.slot));
            let blinding = keys::pair_blinding_mask(&shared, &context, self.slot, header.slot);
            if keys::adds(self.slot, header.slot) {
                masks.push(SignedMask::add(key));
                masked_blinding += blinding;
            } else {
                masks.push(SignedMask::subtract(key));
                masked_blinding -= blinding;
            }
        }
        let mut words: Vec<u32> = input.words.iter().map(|word| *word as u32).collect();
        Cpu.mask_expand(&masks, 0, &mut words).unwrap();
        let (nonce, sealed) = seal_commitment(&input.b, &context, self.slot, &input.leaf, &input.signed, rng);
        let body = MaskedInputBody {
            context,
            slot: self.slot,
            leaf: input.leaf,
            masked_blinding,
            sealed: SealedCommitment { nonce, sealed },
            complaints: input.complaints,
            dimension: words.len() as u64,
            words_hash: words_hash(&words),
        };
        MaskedInput::sign(&self.key, body, words, rng)
    }

    /// A release; `tamper` sees the shares before they are signed.
    pub fn release(
        &self,
        request: &[u8],
        roster: &Roster,
        rng: &mut ChaCha20Rng,
        tamper: impl FnOnce(&mut Vec<ReleasedShare>),
    ) -> Release {
        let request = UnmaskRequest::decode(request, &Limits::new(roster.size(), 0)).unwrap();
        let mut shares = Vec::new();
        for PeerSetup { signed, record, .. } in &self.peers {
            let header = &signed.header;
            let binding = ShareBoxBinding {
                context: header.context,
                dealer: header.slot,
                receiver: self.slot,
                dealer_key: header.share_key,
                receiver_key: keys::x25519_public(&self.share),
            };
            let pair = binding.open(&self.share, &record.nonce, &record.sealed).unwrap();
            let (kind, share) = if request.digest.posted.get(header.slot) {
                (ShareKind::SelfMask, pair.self_mask)
            } else {
                (ShareKind::MaskKey, pair.mask_key)
            };
            shares.push(ReleasedShare { peer: header.slot, kind, share });
        }
        tamper(&mut shares);
        Release::sign(&self.key, request.digest.context, request.digest.digest(), self.slot, shares, rng)
    }
}
