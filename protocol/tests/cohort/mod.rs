//! Six clients of one group, and requests signed by hand: a test can ask a client for anything.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of this module")]

use blindsum_engine::{
    bases::Bases,
    cpu::Cpu,
    curve::Fr,
    quantize::{Quantized, Quantizer, Update},
    roster::{Bitmap, CohortSize, Roster, RoundContext},
    schnorr::{PublicKey, SecretKey, Signature},
    tree,
};
use blindsum_protocol::{
    ChainView, Client, CohortConfig, Deadlines, Dp, Enrolment, GroupConfig, Limits, MemoryJournal, Mode,
    ModelDigest, Policy, ProtocolError, RoundParameters, SetupParameters,
    message::{
        MaskRequest, MaskedInput, PeerSetup, Setup, SetupRequest, ShareKeyEvidence, SurvivorDigest,
        UnmaskRequest, setup_root,
    },
};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};

pub const SEED: u64 = 0x00b1_1d50;
/// Slots 0, 1, 2, 3, 4 and 6 hold clients.
pub const SLOTS: [u8; 6] = [0, 1, 2, 3, 4, 6];
pub const DIMENSION: u64 = 7;
pub const SIZE: CohortSize = CohortSize::N16;

pub type Answer = Result<Vec<u8>, ProtocolError>;

pub fn limits() -> Limits {
    Limits::new(SIZE, DIMENSION)
}

pub struct Cohort {
    pub rng: ChaCha20Rng,
    pub aggregator: SecretKey,
    pub keys: Vec<SecretKey>,
    pub roster: Roster,
    pub parameters: SetupParameters,
    pub round: RoundParameters,
    pub model: ModelDigest,
    pub bases: Bases,
    pub vectors: Vec<Quantized>,
    pub clients: Vec<Client>,
    pub journals: Vec<MemoryJournal>,
    pub enrolments: Vec<Enrolment>,
}

/// t = 4, F = 4, c = 1 of n = 6.
pub const GROUP: GroupConfig = GroupConfig { threshold: 4, floor: 4, corrupt: 1 };

pub fn config(mode: Mode, group: GroupConfig) -> CohortConfig {
    CohortConfig::uniform(SIZE, 16, mode, SLOTS.into_iter().collect(), group).unwrap()
}

impl Cohort {
    pub fn new(mode: Mode) -> Self {
        Self::with_policy(mode, |_| ())
    }

    pub fn with_policy(mode: Mode, adjust: impl Fn(&mut Policy)) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(SEED);
        let aggregator = SecretKey::generate(&mut rng);
        let keys: Vec<SecretKey> = SLOTS.iter().map(|_| SecretKey::generate(&mut rng)).collect();
        let key_at =
            |slot: usize| SLOTS.iter().position(|held| usize::from(*held) == slot).map(|i| *keys[i].public());
        let roster = Roster::new(SIZE, (0..SIZE.slots()).map(key_at).collect()).unwrap();
        let parameters = SetupParameters {
            config: config(mode, GROUP),
            chain_id: 0,
            contract: [0; 20],
            epoch: 3,
            round: 12,
            attempt: 0,
            cohort: 1,
            roster_root: roster.root(),
        };
        let round = RoundParameters {
            aggregator: *aggregator.public(),
            payee: [0; 20],
            bits: 16,
            clip: 1.0,
            w_min: 1,
            w_max: 100,
            dimension: DIMENSION,
            bases: 1,
            dp: Dp::NONE,
            deadlines: Deadlines::default(),
        };
        let quantizer = Quantizer::new(16, 1.0, 1, 100).unwrap();
        let vectors: Vec<Quantized> = SLOTS
            .iter()
            .map(|slot| {
                let update: Vec<f32> =
                    (0..DIMENSION - 1).map(|j| (f32::from(*slot) - 3.0) * 0.1 + j as f32 * 0.01).collect();
                quantizer.quantize(&Update::new(&update), 10 + u32::from(*slot), &mut rng).unwrap().0
            })
            .collect();
        let mut policy = Policy::new(mode, *aggregator.public(), 6, 3);
        if mode == Mode::Curious {
            // n - floor((n - c)(n - F') / (t - c)) - c with F' = t + 1.
            policy.min_honest = 4;
        }
        adjust(&mut policy);
        let journals: Vec<MemoryJournal> = SLOTS.iter().map(|_| MemoryJournal::new()).collect();
        let mut clients: Vec<Client> = keys
            .iter()
            .zip(&journals)
            .map(|(key, journal)| {
                Client::open(key.clone(), roster.clone(), policy, Box::new(journal.clone())).unwrap()
            })
            .collect();
        let enrolments = clients
            .iter_mut()
            .map(|client| Enrolment::decode(&client.enrol(3, &mut rng).unwrap(), &limits()).unwrap())
            .collect();
        Self {
            rng,
            aggregator,
            keys,
            roster,
            parameters,
            round,
            model: ModelDigest([5; 32]),
            bases: Bases::derive(DIMENSION as usize).unwrap(),
            vectors,
            clients,
            journals,
            enrolments,
        }
    }

    pub fn public(&self, i: usize) -> &PublicKey {
        self.keys[i].public()
    }

    pub fn share_keys(&self) -> Vec<(u8, ShareKeyEvidence)> {
        self.enrolments
            .iter()
            .map(|enrolment| (enrolment.slot, ShareKeyEvidence::Enrolment(*enrolment)))
            .collect()
    }

    pub fn setup_request(&mut self) -> Vec<u8> {
        let share_keys = self.share_keys();
        SetupRequest::sign(&self.aggregator, self.parameters.clone(), share_keys, &mut self.rng).encode()
    }

    /// The setups of clients `who`.
    pub fn setups(&mut self, who: &[usize]) -> Vec<Setup> {
        let request = self.setup_request();
        who.iter()
            .map(|i| {
                let message = self.clients[*i].setup(&request, &mut self.rng).unwrap();
                let setup = Setup::decode(&message, &limits()).unwrap();
                setup.verify(&self.parameters, &self.roster).unwrap();
                setup
            })
            .collect()
    }

    pub fn hashes(setups: &[Setup]) -> Vec<[u8; 32]> {
        let mut hashes = vec![[0; 32]; SIZE.slots()];
        for setup in setups {
            hashes[usize::from(setup.signed.header.slot)] = setup.signed.hash();
        }
        hashes
    }

    pub fn peers(setups: &[Setup], receiver: usize) -> Vec<PeerSetup> {
        setups.iter().filter_map(|setup| setup.for_peer(SLOTS[receiver])).collect()
    }

    pub fn mask_request(&mut self, setups: &[Setup], receiver: usize) -> MaskRequest {
        let (hashes, peers) = (Self::hashes(setups), Self::peers(setups, receiver));
        self.sign_mask_request(hashes, peers)
    }

    pub fn sign_mask_request(&mut self, hashes: Vec<[u8; 32]>, peers: Vec<PeerSetup>) -> MaskRequest {
        let context = self.parameters.context();
        MaskRequest::sign(
            &self.aggregator,
            context,
            self.model,
            self.round.clone(),
            hashes,
            peers,
            &mut self.rng,
        )
    }

    /// Client `i` answers a mask request, taking the cohort's model and parameters for its own.
    pub fn mask(&mut self, i: usize, request: &MaskRequest) -> Answer {
        let Self { clients, model, round, vectors, bases, rng, .. } = self;
        clients[i].mask(&request.encode(), model, round, &vectors[i], bases, &Cpu, rng)
    }

    /// The masked inputs of clients `who`.
    pub fn masked(&mut self, setups: &[Setup], who: &[usize]) -> Vec<MaskedInput> {
        who.iter()
            .map(|i| {
                let request = self.mask_request(setups, *i);
                MaskedInput::decode(&self.mask(*i, &request).unwrap(), &limits()).unwrap()
            })
            .collect()
    }

    pub fn round_context(&self, setups: &[Setup]) -> RoundContext {
        self.round.context(&self.parameters.context(), &self.model, &setup_root(&Self::hashes(setups)))
    }

    /// What the aggregator would say of `inputs`, to be tampered with before it is signed.
    pub fn survivors(&self, setups: &[Setup], inputs: &[MaskedInput]) -> Survivors {
        let mut leaves = vec![Fr::from(0u8); SIZE.slots()];
        let mut posted = Bitmap::EMPTY;
        for input in inputs {
            leaves[usize::from(input.body.slot)] = input.body.leaf;
            posted.set(input.body.slot, true);
        }
        Survivors {
            context: self.round_context(setups),
            posted,
            leaves_root: tree::root(&leaves),
            leaves,
            setup_root: setup_root(&Self::hashes(setups)),
            complaints: inputs.iter().map(|input| (input.body.slot, input.body.complaints)).collect(),
            signatures: Vec::new(),
        }
    }

    pub fn sign_survivors(&mut self, survivors: &Survivors) -> UnmaskRequest {
        let Survivors { context, posted, leaves_root, setup_root, .. } = *survivors;
        let digest =
            SurvivorDigest::sign(&self.aggregator, context, posted, leaves_root, setup_root, &mut self.rng);
        let Survivors { leaves, complaints, signatures, .. } = survivors.clone();
        UnmaskRequest::sign(&self.aggregator, digest, leaves, complaints, signatures, &mut self.rng)
    }

    pub fn unmask(&mut self, i: usize, survivors: &Survivors) -> Answer {
        let request = self.sign_survivors(survivors);
        let view = ChainView { digest: request.digest.digest(), is_final: true, posting_closed: true };
        let view = (self.clients[i].policy().mode == Mode::Chain).then_some(view);
        self.clients[i].unmask(&request.encode(), view.as_ref(), &mut self.rng)
    }

    /// The clients' durable state, opened anew.
    pub fn reopen(&mut self, i: usize) {
        let policy = *self.clients[i].policy();
        let journal = MemoryJournal::with_state(&self.journals[i].state().unwrap());
        self.clients[i] =
            Client::open(self.keys[i].clone(), self.roster.clone(), policy, Box::new(journal.clone()))
                .unwrap();
        self.journals[i] = journal;
    }
}

/// An unmask request before it is signed.
#[derive(Clone)]
pub struct Survivors {
    pub context: RoundContext,
    pub posted: Bitmap,
    pub leaves_root: Fr,
    pub leaves: Vec<Fr>,
    pub setup_root: [u8; 32],
    pub complaints: Vec<(u8, Bitmap)>,
    pub signatures: Vec<(u8, Signature)>,
}

impl Survivors {
    /// Recomputes the root after a change of the leaves.
    pub fn rehash(mut self) -> Self {
        self.leaves_root = tree::root(&self.leaves);
        self
    }
}
