//! A cohort on one machine: clients with journals in memory, an aggregator, and the order in which
//! they talk. Everything follows from one seed.

#![allow(dead_code, unreachable_pub, reason = "several test crates include this module, each uses its part")]

pub mod puppet;

use std::collections::BTreeMap;

use blindsum_engine::{
    bases::Bases,
    cpu::Cpu,
    quantize::{Quantized, Quantizer, Update},
    roster::{Bitmap, CohortSize, Roster, RoundContext},
    schnorr::SecretKey,
};
use blindsum_protocol::{
    Aggregator, CohortConfig, Deadlines, Dp, GroupConfig, Mode, ModelDigest, ProtocolError, RoundParameters,
    SetupParameters, ShareKeys,
    aggregator::Absorbed,
    blame::{self, Charge, Contexts, EvidenceError},
    client::{ChainView, Client, Policy},
    journal::MemoryJournal,
    message::{Release, ReleasedShare},
    outcome::CohortOutcome,
};
use puppet::{Deal, Input, Puppet};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

/// The seed of every cohort, unless a test varies it.
pub const SEED: u64 = 0x00b1_1d50;
/// Coordinates of a test vector, the weight included.
pub const DIMENSION: usize = 40;
/// Bits of a coordinate.
pub const BITS: u8 = 16;
/// Clipping bound.
pub const CLIP: f32 = 1.0;
/// Largest weight.
pub const W_MAX: u32 = 100;

/// One client with everything it keeps.
pub struct Member {
    pub client: Client,
    pub journal: MemoryJournal,
    pub key: SecretKey,
    pub vector: Vec<f32>,
    pub weight: u32,
    pub quantized: Quantized,
}

/// A cohort, and both sides of its round.
pub struct Cohort {
    pub roster: Roster,
    pub parameters: SetupParameters,
    pub round: RoundParameters,
    pub model: ModelDigest,
    pub bases: Bases,
    pub members: BTreeMap<u8, Member>,
    /// Clients in the test's hands; the verbs below leave them alone.
    pub puppets: BTreeMap<u8, Puppet>,
    pub share_keys: ShareKeys,
    pub aggregator: Aggregator,
    pub aggregator_key: SecretKey,
    pub rng: ChaCha20Rng,
}

/// The shape of a cohort in a test.
#[derive(Clone)]
pub struct Shape {
    pub size: CohortSize,
    pub width: u16,
    pub mode: Mode,
    pub occupied: Bitmap,
    pub group: GroupConfig,
    pub dimension: usize,
    pub seed: u64,
    /// Slots whose clients are [`Puppet`]s.
    pub puppets: Vec<u8>,
    /// May clients release a second time on one model?
    pub second_release: bool,
}

impl Shape {
    /// t = 5, F = 6, c = 1: for 8 members, of which two may be missing.
    pub fn loose() -> GroupConfig {
        GroupConfig { threshold: 5, floor: 6, corrupt: 1 }
    }

    /// One group of `n` clients in 16 slots: t = 2/3 n, F = t + 1, c = 1.
    pub fn one_group(n: usize, mode: Mode) -> Self {
        let threshold = (2 * n).div_ceil(3) as u16;
        Self {
            size: CohortSize::N16,
            width: 16,
            mode,
            occupied: Bitmap::range(0, n),
            group: GroupConfig { threshold, floor: threshold + 1, corrupt: 1 },
            dimension: DIMENSION,
            seed: SEED,
            puppets: Vec::new(),
            second_release: false,
        }
    }

    /// Two groups of 8 in 16 slots, t = 5, F = 6, c = 1.
    pub fn two_groups(mode: Mode) -> Self {
        Self {
            width: 8,
            occupied: Bitmap::range(0, 16),
            group: GroupConfig { threshold: 5, floor: 6, corrupt: 1 },
            ..Self::one_group(16, mode)
        }
    }

    /// Everybody enrolled, nothing sent.
    pub fn build(&self) -> Cohort {
        let mut rng = ChaCha20Rng::seed_from_u64(self.seed);
        let keys: BTreeMap<u8, SecretKey> =
            self.occupied.iter().map(|slot| (slot, SecretKey::generate(&mut rng))).collect();
        let list =
            (0..self.size.slots()).map(|slot| keys.get(&(slot as u8)).map(|key| *key.public())).collect();
        let roster = Roster::new(self.size, list).unwrap();
        let config =
            CohortConfig::uniform(self.size, self.width, self.mode, self.occupied, self.group).unwrap();
        let chain = self.mode == Mode::Chain;
        let parameters = SetupParameters {
            config,
            chain_id: if chain { 31337 } else { 0 },
            contract: [if chain { 0xc0 } else { 0 }; 20],
            epoch: 1,
            round: 7,
            attempt: 0,
            cohort: 0,
            roster_root: roster.root(),
        };
        let aggregator_key = SecretKey::generate(&mut rng);
        let round = RoundParameters {
            aggregator: *aggregator_key.public(),
            payee: [0; 20],
            bits: BITS,
            clip: CLIP,
            w_min: 1,
            w_max: W_MAX,
            dimension: self.dimension as u64,
            bases: Bases::ID,
            dp: Dp::NONE,
            deadlines: Deadlines::default(),
        };
        let mut share_keys = ShareKeys::new(1);
        let quantizer = Quantizer::new(BITS, CLIP, 1, W_MAX).unwrap();
        let mut puppets = BTreeMap::new();
        for slot in &self.puppets {
            let puppet = Puppet::new(*slot, keys[slot].clone(), &mut rng);
            share_keys.enrol(&puppet.enrol(1, &roster, &mut rng), &roster).unwrap();
            puppets.insert(*slot, puppet);
        }
        let members = keys
            .into_iter()
            .filter(|(slot, _)| !self.puppets.contains(slot))
            .map(|(slot, key)| {
                let policy = Policy {
                    chain_id: parameters.chain_id,
                    contract: parameters.contract,
                    second_release: self.second_release,
                    ..Policy::new(self.mode, *aggregator_key.public(), 3, 1)
                };
                let journal = MemoryJournal::new();
                let mut client =
                    Client::open(key.clone(), roster.clone(), policy, Box::new(journal.clone())).unwrap();
                let enrolment = client.enrol(1, &mut rng).unwrap();
                share_keys.enrol(&enrolment, &roster).unwrap();
                let vector: Vec<f32> = (1..self.dimension)
                    .map(|j| ((usize::from(slot) * 31 + j * 17) % 200) as f32 / 100.0 - 1.0)
                    .collect();
                let weight = 10 + u32::from(slot);
                let (quantized, _) = quantizer.quantize(&Update::new(&vector), weight, &mut rng).unwrap();
                (slot, Member { client, journal, key, vector, weight, quantized })
            })
            .collect();
        let aggregator = Aggregator::new(parameters.clone(), roster.clone(), aggregator_key.clone()).unwrap();
        Cohort {
            roster,
            parameters,
            round,
            model: ModelDigest([0x11; 32]),
            bases: Bases::derive(self.dimension).unwrap(),
            members,
            puppets,
            share_keys,
            aggregator,
            aggregator_key,
            rng,
        }
    }
}

impl Cohort {
    /// Every slot with a client that follows the protocol.
    pub fn slots(&self) -> Vec<u8> {
        self.members.keys().copied().collect()
    }

    /// The members among `slots`, less the missing ones.
    fn following(&self, slots: Bitmap, missing: &[u8]) -> Vec<u8> {
        slots.iter().filter(|slot| self.members.contains_key(slot) && !missing.contains(slot)).collect()
    }

    pub fn member(&mut self, slot: u8) -> &mut Member {
        self.members.get_mut(&slot).unwrap()
    }

    /// The setup of `slot`, as sent.
    pub fn setup(&mut self, slot: u8) -> Vec<u8> {
        let request = self.aggregator.setup_request(slot, &self.share_keys, &mut self.rng).unwrap();
        let member = self.members.get_mut(&slot).unwrap();
        member.client.setup(&request, &mut self.rng).unwrap()
    }

    /// Exchange 1 with everybody but `missing`.
    pub fn run_setup(&mut self, missing: &[u8]) {
        self.collect_setups(missing);
        self.close_setup();
    }

    pub fn close_setup(&mut self) {
        self.aggregator.close_setup(self.model, self.round.clone()).unwrap();
    }

    /// Exchange 1 with everybody but `missing`; setup stays open.
    pub fn collect_setups(&mut self, missing: &[u8]) {
        for slot in self.slots().into_iter().filter(|slot| !missing.contains(slot)) {
            let message = self.setup(slot);
            assert_eq!(self.aggregator.absorb(&message).unwrap(), Absorbed::Setup { slot });
        }
    }

    /// The puppet at `slot` sets up; `tamper` sees what each receiver gets.
    pub fn puppet_setup(&mut self, slot: u8, tamper: impl FnMut(&mut Deal)) {
        let request = self.aggregator.setup_request(slot, &self.share_keys, &mut self.rng).unwrap();
        let setup = self.puppets[&slot].setup(&request, &self.roster, &mut self.rng, tamper);
        assert_eq!(self.aggregator.absorb(&setup.encode()).unwrap(), Absorbed::Setup { slot });
    }

    /// The puppet at `slot` posts; `tamper` sees what goes into its masked input.
    pub fn puppet_mask(&mut self, slot: u8, tamper: impl FnOnce(&mut Input, &Puppet, &RoundContext)) {
        let request = self.aggregator.mask_request(slot, &mut self.rng).unwrap();
        let puppet = self.puppets.get_mut(&slot).unwrap();
        let request = puppet.read_mask_request(&request, &self.roster);
        let context = Puppet::context(&request);
        let words = self.puppet_words();
        let puppet = &self.puppets[&slot];
        let mut input = puppet.honest_input(&words, &context, &self.bases, &mut self.rng);
        tamper(&mut input, puppet, &context);
        let message = puppet.mask(&request, &input, &mut self.rng);
        self.aggregator.absorb(&message.encode()).unwrap();
    }

    /// What a puppet has to say: small numbers, and a weight of 10.
    pub fn puppet_words(&self) -> Vec<i32> {
        let d = self.round.dimension as i32;
        (0..d - 1).map(|j| j - d / 2).chain([10]).collect()
    }

    /// The puppet at `slot` releases; `tamper` sees the shares before they are signed.
    pub fn puppet_release(&mut self, slot: u8, tamper: impl FnOnce(&mut Vec<ReleasedShare>)) -> Release {
        let request = self.aggregator.unmask_request(slot, &mut self.rng).unwrap();
        self.puppets[&slot].release(&request, &self.roster, &mut self.rng, tamper)
    }

    /// Checks evidence as a third party would.
    pub fn verify_evidence(&self, evidence: &[u8]) -> Result<(u8, Charge), EvidenceError> {
        let setup_root = *self.aggregator.setup_root().unwrap();
        let contexts = Contexts::new(&self.parameters, &self.round, &self.model, setup_root);
        blame::verify(evidence, &self.roster, &contexts)
    }

    /// What `slot` answers to a mask request.
    pub fn try_mask(&mut self, slot: u8, request: &[u8]) -> Result<Vec<u8>, ProtocolError> {
        let member = self.members.get_mut(&slot).unwrap();
        member.client.mask(
            request,
            &self.model,
            &self.round,
            &member.quantized,
            &self.bases,
            &Cpu,
            &mut self.rng,
        )
    }

    /// The masked input of `slot`, as sent.
    pub fn mask(&mut self, slot: u8) -> Vec<u8> {
        let request = self.aggregator.mask_request(slot, &mut self.rng).unwrap();
        self.try_mask(slot, &request).unwrap()
    }

    /// Exchange 2 with everybody who set up but `missing`; posting stays open.
    pub fn run_masks(&mut self, missing: &[u8]) {
        for slot in self.following(self.aggregator.set_up(), missing) {
            let message = self.mask(slot);
            self.aggregator.absorb(&message).unwrap();
        }
    }

    /// Closes posting and brings about what the mode asks for.
    pub fn agree(&mut self) {
        let posting = self.aggregator.close_posting(&mut self.rng).unwrap();
        match self.parameters.config.mode() {
            Mode::Chain => self.aggregator.confirm_posted(&posting.digest).unwrap(),
            Mode::Strict => {
                for slot in self.following(self.aggregator.posted(), &[]) {
                    let request = self.aggregator.digest_request(slot, &mut self.rng).unwrap();
                    let member = self.members.get_mut(&slot).unwrap();
                    if let Ok(message) = member.client.sign_digest(&request, &mut self.rng) {
                        self.aggregator.absorb(&message).unwrap();
                    }
                }
            }
            Mode::Curious => {}
        }
    }

    /// What `slot` answers to an unmask request.
    pub fn try_unmask(&mut self, slot: u8, request: &[u8]) -> Result<Vec<u8>, ProtocolError> {
        let view = (self.parameters.config.mode() == Mode::Chain).then(|| ChainView {
            digest: self.aggregator.survivor_digest().unwrap().digest(),
            is_final: true,
            posting_closed: true,
        });
        let member = self.members.get_mut(&slot).unwrap();
        member.client.unmask(request, view.as_ref(), &mut self.rng)
    }

    /// The release of `slot`, as sent.
    pub fn release(&mut self, slot: u8) -> Vec<u8> {
        let request = self.aggregator.unmask_request(slot, &mut self.rng).unwrap();
        self.try_unmask(slot, &request).unwrap()
    }

    /// Exchange 3 with every survivor but `missing`.
    pub fn run_releases(&mut self, missing: &[u8]) {
        for slot in self.following(self.aggregator.posted(), missing) {
            let message = self.release(slot);
            self.aggregator.absorb(&message).unwrap();
        }
    }

    /// Opens the sums.
    pub fn finish(&self) -> Result<CohortOutcome, ProtocolError> {
        self.aggregator.finish(&Cpu, &self.bases)
    }

    /// A whole round in which nobody is missing.
    pub fn run(&mut self) -> CohortOutcome {
        self.run_setup(&[]);
        self.run_masks(&[]);
        self.agree();
        self.run_releases(&[]);
        self.finish().unwrap()
    }

    /// The next round of the epoch: another model, new setups, the share keys that the last announced.
    pub fn next_round(&mut self) {
        self.parameters.round += 1;
        self.parameters.attempt = 0;
        for (byte, new) in self.model.0.iter_mut().zip(self.parameters.round.to_be_bytes()) {
            *byte = new;
        }
        self.restart();
    }

    /// The next attempt of the round: the same model, new setups.
    pub fn next_attempt(&mut self) {
        self.parameters.attempt += 1;
        self.restart();
    }

    fn restart(&mut self) {
        self.share_keys.learn(&self.aggregator);
        self.aggregator =
            Aggregator::new(self.parameters.clone(), self.roster.clone(), self.aggregator_key.clone())
                .unwrap();
    }

    /// The sum that the participants' own quantised vectors have.
    pub fn expected_sum(&self, participants: Bitmap) -> Vec<i64> {
        let mut sum = vec![0; self.round.dimension as usize];
        for slot in participants.iter() {
            let puppet = self.puppet_words();
            let words = self.members.get(&slot).map_or(&puppet[..], |member| member.quantized.words());
            for (total, word) in sum.iter_mut().zip(words) {
                *total += i64::from(*word);
            }
        }
        sum
    }
}
