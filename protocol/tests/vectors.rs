//! `vectors/{contexts,model_digest,shamir,setup,masked_input,release,digest}/*.json`, written by an
//! implementation in Python that shares no code with this one (`tools/protocol_vectors.py`). A bad case
//! is named after the attack and gives a part of the error it must meet.

use blindsum_engine::{
    backend::Backend,
    cpu::Cpu,
    curve::{Fq, fq_from_bytes, fq_to_bytes, fr_from_bytes, fr_to_bytes},
    mask::{MaskKey, SignedMask},
    roster::{Bitmap, CohortSize, Roster, RoundContext, SetupContext},
    schnorr::PublicKey,
};
use blindsum_protocol::{
    CohortConfig, Deadlines, Dp, GroupConfig, Limits, Mode, ModelDigest, RoundParameters, SetupParameters,
    contexts::{Dtype, NamedArray, model_digest},
    keys,
    message::{DigestSignature, MaskedInput, Release, Setup, ShareKind, SurvivorDigest, setup_root},
    seal::{ShareBoxBinding, open_commitment},
    shamir,
    wire::Reader,
};
use serde::{Deserialize, de::DeserializeOwned};
use x25519_dalek::StaticSecret;

/// Cases with their names: good ones and bad ones.
type Cases<Ok, Bad> = (Vec<(String, Ok)>, Vec<(String, Bad)>);

/// Every case of a folder.
fn cases<Ok: DeserializeOwned, Bad: DeserializeOwned>(
    folder: &str,
    expected: (usize, usize),
) -> Cases<Ok, Bad> {
    let folder = format!("{}/../vectors/{folder}", env!("CARGO_MANIFEST_DIR"));
    let (mut ok, mut bad) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(&folder).expect("the folder of vectors") {
        let path = entry.expect("a readable entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).expect("a readable file");
        let context = format!("{name} is a case of this folder");
        if name.starts_with("ok_") {
            ok.push((name.clone(), serde_json::from_str(&text).expect(&context)));
        } else {
            assert!(name.starts_with("bad_"), "{name}");
            bad.push((name.clone(), serde_json::from_str(&text).expect(&context)));
        }
    }
    assert_eq!((ok.len(), bad.len()), expected, "cases in {folder}");
    (ok, bad)
}

/// The case must fail with an error that says `expected`.
fn refused<T, E: std::fmt::Display>(name: &str, result: Result<T, E>, expected: &str) {
    match result {
        Ok(_) => panic!("{name} was accepted"),
        Err(error) => assert!(error.to_string().contains(expected), "{name}: {error}"),
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
struct Hex(Vec<u8>);

impl TryFrom<String> for Hex {
    type Error = hex::FromHexError;

    fn try_from(text: String) -> Result<Self, hex::FromHexError> {
        hex::decode(text).map(Self)
    }
}

impl Hex {
    fn array<const N: usize>(&self) -> [u8; N] {
        self.0.as_slice().try_into().expect("the length")
    }

    fn fq(&self) -> Fq {
        fq_from_bytes(&self.array()).expect("a scalar")
    }

    fn round_context(&self) -> RoundContext {
        RoundContext::from_bytes(self.array()).expect("240 bits")
    }

    fn key(&self) -> PublicKey {
        PublicKey::from_bytes(&self.array()).expect("a key")
    }

    fn parameters(&self) -> SetupParameters {
        SetupParameters::read(&mut Reader::new(&self.0)).expect("setup parameters")
    }
}

fn limits(dimension: u64) -> Limits {
    Limits::new(CohortSize::N16, dimension)
}

#[derive(Deserialize)]
struct Parameters {
    mode: u8,
    chain_id: u64,
    contract: Hex,
    epoch: u64,
    round: u64,
    attempt: u32,
    cohort: u32,
    roster_root: Hex,
    occupied: Vec<u8>,
    slots: u32,
    width: u16,
    groups: Vec<[u16; 3]>,
}

#[derive(Deserialize)]
struct Round {
    aggregator: Hex,
    payee: Hex,
    bits: u8,
    clip: f32,
    w_min: u32,
    w_max: u32,
    dimension: u64,
    bases: u8,
    dp_kind: u8,
    dp_parameter: f64,
    dp_bound: u32,
    deadlines: [u64; 3],
}

#[derive(Deserialize)]
struct Contexts {
    parameters: Parameters,
    round: Round,
    encoded: Hex,
    model: Hex,
    setup_root: Hex,
    setup_context: Hex,
    round_context: Hex,
}

#[derive(Deserialize)]
struct BadBytes {
    encoded: Hex,
    error: String,
}

#[test]
fn contexts() {
    let (ok, bad) = cases::<Contexts, BadBytes>("contexts", (2, 12));
    for (name, case) in ok {
        let p = case.parameters;
        let group = |[threshold, floor, corrupt]: [u16; 3]| GroupConfig { threshold, floor, corrupt };
        let config = CohortConfig::new(
            CohortSize::try_from(p.slots).unwrap(),
            p.width,
            Mode::from_number(p.mode).unwrap(),
            p.occupied.into_iter().collect(),
            p.groups.into_iter().map(group).collect(),
        );
        let setup = SetupParameters {
            config: config.unwrap(),
            chain_id: p.chain_id,
            contract: p.contract.array(),
            epoch: p.epoch,
            round: p.round,
            attempt: p.attempt,
            cohort: p.cohort,
            roster_root: fr_from_bytes(&p.roster_root.array()).unwrap(),
        };
        assert_eq!(setup.to_bytes(), case.encoded.0, "{name}");
        assert_eq!(case.encoded.parameters(), setup, "{name}");
        assert_eq!(setup.context(), SetupContext(case.setup_context.array()), "{name}");
        let r = case.round;
        let [masked_input, release, certificate] = r.deadlines;
        let round = RoundParameters {
            aggregator: r.aggregator.key(),
            payee: r.payee.array(),
            bits: r.bits,
            clip: r.clip,
            w_min: r.w_min,
            w_max: r.w_max,
            dimension: r.dimension,
            bases: r.bases,
            dp: Dp { kind: r.dp_kind, parameter: r.dp_parameter, bound: r.dp_bound },
            deadlines: Deadlines { masked_input, release, certificate },
        };
        round.check(&setup.config).unwrap();
        assert_eq!(RoundParameters::read(&mut Reader::new(&round.to_bytes())), Ok(round.clone()));
        let context =
            round.context(&setup.context(), &ModelDigest(case.model.array()), &case.setup_root.array());
        assert_eq!(context, case.round_context.round_context(), "{name}");
    }
    for (name, case) in bad {
        refused(&name, SetupParameters::read(&mut Reader::new(&case.encoded.0)), &case.error);
    }
}

#[derive(Deserialize)]
struct Array {
    name: String,
    dtype: u8,
    dims: Vec<u64>,
    elements: Hex,
}

#[derive(Deserialize)]
struct Model {
    arrays: Vec<Array>,
    digest: Hex,
}

#[derive(Deserialize)]
struct BadModel {
    arrays: Vec<Array>,
    error: String,
}

#[test]
fn model_digests() {
    fn named(Array { name, dtype, dims, elements }: &Array) -> NamedArray<'_> {
        let dtypes = [Dtype::F16, Dtype::Bf16, Dtype::F32, Dtype::F64, Dtype::I64, Dtype::I32, Dtype::U8];
        let dtype = dtypes.into_iter().find(|known| *known as u8 == *dtype).expect("a known dtype");
        NamedArray { name, dtype, dims, elements: &elements.0 }
    }
    let digest = |arrays: &[Array]| model_digest(&arrays.iter().map(named).collect::<Vec<_>>());
    let (ok, bad) = cases::<Model, BadModel>("model_digest", (3, 2));
    for (name, case) in ok {
        assert_eq!(digest(&case.arrays), Ok(ModelDigest(case.digest.array())), "{name}");
    }
    for (name, case) in bad {
        refused(&name, digest(&case.arrays), &case.error);
    }
}

#[derive(Deserialize)]
struct Share {
    slot: u8,
    share: Hex,
}

#[derive(Deserialize)]
struct Sharing {
    threshold: u16,
    shares: Vec<Share>,
    secret: Hex,
}

#[derive(Deserialize)]
struct BadSharing {
    threshold: u16,
    shares: Vec<Share>,
    error: String,
}

#[test]
fn sharing() {
    let shares = |shares: &[Share]| shares.iter().map(|s| (s.slot, s.share.fq())).collect::<Vec<_>>();
    let (ok, bad) = cases::<Sharing, BadSharing>("shamir", (2, 2));
    for (name, case) in ok {
        assert_eq!(
            shamir::reconstruct(&shares(&case.shares), case.threshold),
            Ok(case.secret.fq()),
            "{name}"
        );
    }
    for (name, case) in bad {
        refused(&name, shamir::reconstruct(&shares(&case.shares), case.threshold), &case.error);
    }
}

#[derive(Deserialize)]
struct SlotKey {
    slot: u8,
    key: Hex,
}

fn roster(keys: &[SlotKey]) -> Roster {
    let key = |slot: u8| keys.iter().find(|entry| entry.slot == slot).map(|entry| entry.key.key());
    Roster::new(CohortSize::N16, (0..16).map(key).collect()).unwrap()
}

#[derive(Deserialize)]
struct Opened {
    receiver: u8,
    secret: Hex,
    shares: Hex,
    path: Vec<Hex>,
}

#[derive(Deserialize)]
struct GoodSetup {
    parameters: Hex,
    keys: Vec<SlotKey>,
    message: Hex,
    b: Hex,
    seed: Hex,
    setup_hash: Hex,
    opened: Vec<Opened>,
    setup_hashes: Vec<Hex>,
    setup_root: Hex,
}

#[derive(Deserialize)]
struct BadSetup {
    parameters: Hex,
    keys: Vec<SlotKey>,
    message: Hex,
    error: String,
}

#[test]
fn setups() {
    let (ok, bad) = cases::<GoodSetup, BadSetup>("setup", (1, 19));
    for (name, case) in ok {
        let (parameters, roster) = (case.parameters.parameters(), roster(&case.keys));
        let setup = Setup::decode(&case.message.0, &limits(0)).unwrap();
        setup.verify(&parameters, &roster).unwrap();
        assert_eq!(setup.encode(), case.message.0, "{name}");
        assert_eq!(setup.signed.hash(), case.setup_hash.array(), "{name}");
        let hashes: Vec<[u8; 32]> = case.setup_hashes.iter().map(Hex::array).collect();
        assert_eq!(setup_root(&hashes), case.setup_root.array(), "{name}");
        let header = setup.signed.header;
        assert_eq!(keys::self_seed_hash(&case.b.fq(), &header.context, header.slot), header.self_seed_hash);
        let secret = keys::mask_secret(&case.seed.fq(), &header.context, header.slot);
        assert_eq!(keys::x25519_public(&secret), header.mask_key, "{name}");
        assert_eq!(case.opened.len(), setup.records.len());
        for opened in case.opened {
            let peer = setup.for_peer(opened.receiver).unwrap();
            peer.verify(&parameters, &roster, opened.receiver).unwrap();
            assert_eq!(peer.path, opened.path.iter().map(Hex::array).collect::<Vec<[u8; 32]>>());
            let secret = StaticSecret::from(opened.secret.array());
            let binding = ShareBoxBinding {
                context: header.context,
                dealer: header.slot,
                receiver: opened.receiver,
                dealer_key: header.share_key,
                receiver_key: keys::x25519_public(&secret),
            };
            let pair = binding.open(&secret, &peer.record.nonce, &peer.record.sealed).unwrap();
            let plain = [fq_to_bytes(&pair.self_mask), fq_to_bytes(&pair.mask_key)].concat();
            assert_eq!(plain, opened.shares.0, "{name}");
            let hash =
                |kind, share| keys::share_hash(&header.context, header.slot, opened.receiver, kind, share);
            assert_eq!(hash(ShareKind::SelfMask, &pair.self_mask), peer.record.self_share_hash);
            assert_eq!(hash(ShareKind::MaskKey, &pair.mask_key), peer.record.mask_share_hash);
        }
    }
    for (name, case) in bad {
        let check = || -> Result<(), String> {
            let setup = Setup::decode(&case.message.0, &limits(0)).map_err(|error| error.to_string())?;
            setup
                .verify(&case.parameters.parameters(), &roster(&case.keys))
                .map_err(|error| error.to_string())
        };
        refused(&name, check(), &case.error);
    }
}

#[derive(Deserialize)]
struct Pair {
    peer: u8,
    mask_key: Hex,
    key: Hex,
    blinding: Hex,
}

#[derive(Deserialize)]
struct GoodInput {
    key: Hex,
    round_context: Hex,
    setup_context: Hex,
    dimension: u64,
    dealers: Vec<u8>,
    b: Hex,
    mask_secret_seed: Hex,
    message: Hex,
    x: Vec<i32>,
    blinding: Hex,
    pairs: Vec<Pair>,
    leaf: Hex,
    commitment: Hex,
    complaints: Vec<u8>,
}

#[derive(Deserialize)]
struct BadInput {
    key: Hex,
    round_context: Hex,
    dimension: u64,
    dealers: Vec<u8>,
    message: Hex,
    error: String,
}

#[test]
fn masked_inputs() {
    let (ok, bad) = cases::<GoodInput, BadInput>("masked_input", (1, 16));
    for (name, case) in ok {
        let context = case.round_context.round_context();
        let input = MaskedInput::decode(&case.message.0, &limits(case.dimension)).unwrap();
        let dealers: Bitmap = case.dealers.into_iter().collect();
        input.verify(&case.key.key(), &context, case.dimension, &dealers).unwrap();
        assert_eq!(input.encode(), case.message.0, "{name}");
        let body = &input.body;
        assert_eq!(body.complaints, case.complaints.into_iter().collect(), "{name}");
        assert_eq!(fr_to_bytes(&body.leaf), case.leaf.array(), "{name}");

        let b = case.b.fq();
        let mut masks = vec![SignedMask::add(MaskKey::new(*keys::self_mask_key(&b, &context, body.slot)))];
        let mut blinding = case.blinding.fq() + keys::self_blinding_mask(&b, &context, body.slot);
        let setup_context = SetupContext(case.setup_context.array());
        let secret = keys::mask_secret(&case.mask_secret_seed.fq(), &setup_context, body.slot);
        for Pair { peer, mask_key, key, blinding: pair_blinding } in case.pairs {
            let shared = keys::agree(&secret, &mask_key.array()).unwrap();
            let mask = keys::pair_mask_key(&shared, &context, body.slot, peer);
            assert_eq!(*mask, key.array(), "{name}");
            let blinding_mask = keys::pair_blinding_mask(&shared, &context, body.slot, peer);
            assert_eq!(blinding_mask, pair_blinding.fq(), "{name}");
            if keys::adds(body.slot, peer) {
                masks.push(SignedMask::add(MaskKey::new(*mask)));
                blinding += blinding_mask;
            } else {
                masks.push(SignedMask::subtract(MaskKey::new(*mask)));
                blinding -= blinding_mask;
            }
        }
        let mut words: Vec<u32> = case.x.iter().map(|x| *x as u32).collect();
        Cpu.mask_expand(&masks, 0, &mut words).unwrap();
        assert_eq!(words, input.words, "{name}");
        assert_eq!(blinding, body.masked_blinding, "{name}");
        let sealed = &body.sealed;
        let signed =
            open_commitment(&b, &context, body.slot, &body.leaf, &sealed.nonce, &sealed.sealed).unwrap();
        assert_eq!(signed.to_bytes(), case.commitment.array(), "{name}");
    }
    for (name, case) in bad {
        let dealers: Bitmap = case.dealers.into_iter().collect();
        let check = || -> Result<(), String> {
            let input = MaskedInput::decode(&case.message.0, &limits(case.dimension))
                .map_err(|error| error.to_string())?;
            let context = case.round_context.round_context();
            input
                .verify(&case.key.key(), &context, case.dimension, &dealers)
                .map_err(|error| error.to_string())
        };
        refused(&name, check(), &case.error);
    }
}

#[derive(Deserialize)]
struct GoodDigest {
    aggregator: Hex,
    key: Hex,
    message: Hex,
    signature: Hex,
    digest: Hex,
    posted: Vec<u8>,
}

#[derive(Deserialize)]
struct BadDigest {
    aggregator: Hex,
    message: Hex,
    error: String,
}

#[test]
fn digests() {
    let (ok, bad) = cases::<GoodDigest, BadDigest>("digest", (1, 8));
    for (name, case) in ok {
        let digest = SurvivorDigest::decode(&case.message.0, &limits(0)).unwrap();
        digest.verify(&case.aggregator.key()).unwrap();
        assert_eq!(digest.encode(), case.message.0, "{name}");
        assert_eq!(digest.digest(), case.digest.array(), "{name}");
        assert_eq!(digest.posted, case.posted.into_iter().collect(), "{name}");
        let signature = DigestSignature::decode(&case.signature.0, &limits(0)).unwrap();
        signature.verify(&case.key.key()).unwrap();
        assert_eq!((signature.encode(), signature.digest), (case.signature.0, digest.digest()), "{name}");
    }
    for (name, case) in bad {
        let check = || -> Result<(), String> {
            let digest =
                SurvivorDigest::decode(&case.message.0, &limits(0)).map_err(|error| error.to_string())?;
            digest.verify(&case.aggregator.key()).map_err(|error| error.to_string())
        };
        refused(&name, check(), &case.error);
    }
}

#[derive(Deserialize)]
struct PeerShare {
    peer: u8,
    kind: u8,
    share: Hex,
}

#[derive(Deserialize)]
struct GoodRelease {
    key: Hex,
    round_context: Hex,
    digest: Hex,
    message: Hex,
    slot: u8,
    shares: Vec<PeerShare>,
}

#[derive(Deserialize)]
struct BadRelease {
    key: Hex,
    round_context: Hex,
    digest: Hex,
    message: Hex,
    error: String,
}

#[test]
fn releases() {
    let (ok, bad) = cases::<GoodRelease, BadRelease>("release", (2, 13));
    for (name, case) in ok {
        let release = Release::decode(&case.message.0, &limits(0)).unwrap();
        release.verify(&case.key.key(), &case.round_context.round_context(), &case.digest.array()).unwrap();
        assert_eq!(release.encode(), case.message.0, "{name}");
        assert_eq!((release.slot, release.shares.len()), (case.slot, case.shares.len()), "{name}");
        for (share, expected) in release.shares.iter().zip(case.shares) {
            assert_eq!((share.peer, share.kind as u8), (expected.peer, expected.kind), "{name}");
            assert_eq!(share.share, expected.share.fq(), "{name}");
        }
    }
    for (name, case) in bad {
        let check = || -> Result<(), String> {
            let release = Release::decode(&case.message.0, &limits(0)).map_err(|error| error.to_string())?;
            let (context, digest) = (case.round_context.round_context(), case.digest.array());
            release.verify(&case.key.key(), &context, &digest).map_err(|error| error.to_string())
        };
        refused(&name, check(), &case.error);
    }
}
