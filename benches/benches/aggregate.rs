//! Taking masked inputs: signature, hash of the words, and the sum. Bytes are bytes of words.
//!
//! First a small harness prints the peak resident memory after 1, 10 and 100 masked inputs of 10^6
//! words into one group: it is that of the sum and of one message, whatever the number of clients.

use std::hint::black_box;

use blindsum_engine::{
    curve::{Fq, Fr},
    roster::{Bitmap, CohortSize, Roster},
    schnorr::SecretKey,
};
use blindsum_protocol::{
    Aggregator, CohortConfig, Deadlines, Dp, GroupConfig, Mode, ModelDigest, RoundParameters,
    SetupParameters, keys,
    message::{
        MaskedInput, Record, SealedCommitment, Setup, SetupHeader, SignedSetup,
        masked_input::{MaskedInputBody, words_hash},
    },
};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rand_chacha::{
    ChaCha20Rng,
    rand_core::{Rng, SeedableRng},
};

const SEED: u64 = 1;
const CLIENTS: usize = 100;
const LOG_SIZES: [u32; 2] = [16, 20];

/// A cohort of one group of 100, its setups listed. The boxes hold noise: an aggregator cannot tell.
struct Cohort {
    keys: Vec<SecretKey>,
    setups: Vec<Vec<u8>>,
    parameters: SetupParameters,
    roster: Roster,
    aggregator_key: SecretKey,
    rng: ChaCha20Rng,
}

impl Cohort {
    fn new() -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(SEED);
        let keys: Vec<_> = (0..CLIENTS).map(|_| SecretKey::generate(&mut rng)).collect();
        let size = CohortSize::N128;
        let list = (0..size.slots()).map(|slot| keys.get(slot).map(|key| *key.public())).collect();
        let roster = Roster::new(size, list).expect("distinct keys");
        let group = GroupConfig { threshold: 60, floor: 70, corrupt: 10 };
        let config = CohortConfig::uniform(size, 128, Mode::Curious, Bitmap::range(0, CLIENTS), group)
            .expect("2 * 60 > 99 + 10");
        let parameters = SetupParameters {
            config,
            chain_id: 0,
            contract: [0; 20],
            epoch: 1,
            round: 1,
            attempt: 0,
            cohort: 0,
            roster_root: roster.root(),
        };
        let mut setups = Vec::with_capacity(CLIENTS);
        for (slot, key) in keys.iter().enumerate() {
            setups.push(setup(slot as u8, key, &parameters, &mut rng).encode());
        }
        let aggregator_key = SecretKey::generate(&mut rng);
        Self { keys, setups, parameters, roster, aggregator_key, rng }
    }

    /// A session that waits for masked inputs of `dimension` words.
    fn session(&self, dimension: usize) -> Aggregator {
        let key = self.aggregator_key.clone();
        let mut session =
            Aggregator::new(self.parameters.clone(), self.roster.clone(), key).expect("one roster");
        for setup in &self.setups {
            session.absorb(setup).expect("a good setup");
        }
        let round = RoundParameters {
            aggregator: *self.aggregator_key.public(),
            payee: [0; 20],
            bits: 16,
            clip: 1.0,
            w_min: 1,
            w_max: 100,
            dimension: dimension as u64,
            bases: 1,
            dp: Dp::NONE,
            deadlines: Deadlines::default(),
        };
        session.close_setup(ModelDigest([1; 32]), round).expect("good parameters");
        session
    }

    /// A masked input that the session takes: masked words are uniform, whoever they come from.
    fn input(&mut self, session: &Aggregator, slot: usize, dimension: usize) -> Vec<u8> {
        let words: Vec<u32> = (0..dimension).map(|_| self.rng.next_u32()).collect();
        let body = MaskedInputBody {
            context: *session.round_context().expect("setup is closed"),
            slot: slot as u8,
            leaf: Fr::from(1u8),
            masked_blinding: Fq::from(1u8),
            sealed: SealedCommitment { nonce: [0; 24], sealed: [0; 176] },
            complaints: Bitmap::EMPTY,
            dimension: dimension as u64,
            words_hash: words_hash(&words),
        };
        MaskedInput::sign(&self.keys[slot], body, words, &mut self.rng).encode()
    }
}

fn setup(slot: u8, key: &SecretKey, parameters: &SetupParameters, rng: &mut ChaCha20Rng) -> Setup {
    let mut records = Vec::new();
    for receiver in parameters.config.peers(slot) {
        let mut record = Record {
            receiver,
            key_number: 0,
            self_share_hash: [0; 32],
            mask_share_hash: [0; 32],
            nonce: [0; 24],
            sealed: [0; 80],
        };
        rng.fill_bytes(&mut record.sealed);
        records.push(record);
    }
    let mut public = || keys::x25519_public(&keys::x25519_generate(rng));
    let header = SetupHeader {
        context: parameters.context(),
        slot,
        mask_key: public(),
        self_seed_hash: [1; 32],
        share_key_number: 0,
        share_key: public(),
        next_share_key: public(),
    };
    Setup { signed: SignedSetup::sign(key, header, &records, rng), records }
}

/// The peak resident memory of this process so far, in MiB; `None` where `/proc` does not say.
fn peak_rss_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kib| kib / 1024.0)
}

fn memory(cohort: &mut Cohort) {
    const DIMENSION: usize = 1_000_000;
    let mut session = cohort.session(DIMENSION);
    let before = peak_rss_mib();
    for n in 1..=CLIENTS {
        let message = cohort.input(&session, n - 1, DIMENSION);
        session.absorb(&message).expect("a good input");
        if [1, 10, CLIENTS].contains(&n) {
            match (before, peak_rss_mib()) {
                (Some(before), Some(now)) => eprintln!(
                    "aggregate/memory: d = 10^6, n = {n:3}: peak RSS {now:.1} MiB ({before:.1} MiB before)"
                ),
                _ => eprintln!("aggregate/memory: this system does not say"),
            }
        }
    }
}

fn bench(criterion: &mut Criterion) {
    let mut cohort = Cohort::new();
    memory(&mut cohort);
    let mut group = criterion.benchmark_group("aggregate");
    group.sample_size(10);
    for log_size in LOG_SIZES {
        let dimension = 1usize << log_size;
        group.throughput(Throughput::Bytes(4 * dimension as u64));
        // Contexts are deterministic: a session like this one takes the same message.
        let empty = cohort.session(dimension);
        let message = cohort.input(&empty, 0, dimension);
        drop(empty);
        group.bench_function(BenchmarkId::new("absorb", format!("2^{log_size}")), |b| {
            b.iter_batched(
                || cohort.session(dimension),
                |mut session| {
                    session.absorb(black_box(&message)).expect("a good input");
                    session
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
