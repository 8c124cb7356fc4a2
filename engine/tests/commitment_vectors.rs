//! `vectors/{hash_to_curve,quantize,opening}/*.json`, written by an implementation in Python that shares no
//! code with this one (`tools/commitment_vectors.py`). A bad case is named after the attack.

use std::convert::Infallible;

use blindsum_engine::{
    Misuse,
    bases::Bases,
    cpu::Cpu,
    curve, naive,
    opening::{Opening, OpeningBounds, OpeningError, check_opening},
    quantize::{Quantizer, Update},
};
use rand_core::{TryCryptoRng, TryRng};
use serde::{Deserialize, de::DeserializeOwned};

/// Every case of a folder with its name; `ok` tells its kind.
fn cases<T: DeserializeOwned>(folder: &str, expected: usize) -> Vec<(String, bool, T)> {
    let folder = format!("{}/../vectors/{folder}", env!("CARGO_MANIFEST_DIR"));
    let mut cases: Vec<_> = std::fs::read_dir(&folder)
        .expect("the folder of vectors")
        .map(|entry| {
            let path = entry.expect("a readable entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path).expect("a readable file");
            let case = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(name.starts_with("ok_") || name.starts_with("bad_"), "{name}");
            (name.clone(), name.starts_with("ok_"), case)
        })
        .collect();
    cases.sort_by(|a: &(String, bool, T), b| a.0.cmp(&b.0));
    assert_eq!(cases.len(), expected, "cases in {folder}");
    cases
}

fn bytes<const N: usize>(hex_text: &str) -> [u8; N] {
    hex::decode(hex_text).expect("hex").try_into().expect("the length")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HashToCurve {
    #[serde(rename = "source")]
    _source: String,
    name: String,
    points: Vec<IndexedPoint>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IndexedPoint {
    index: String,
    point: String,
}

#[test]
fn hash_to_curve() {
    for (file, _, case) in cases::<HashToCurve>("hash_to_curve", 4) {
        for IndexedPoint { index, point } in case.points {
            let got = curve::hash_to_curve(&case.name, index.parse().expect("a u64"));
            assert_eq!(curve::point_to_bytes(&got), bytes::<64>(&point), "{file}, index {index}");
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Quantize {
    #[serde(rename = "source")]
    _source: String,
    bits: u8,
    clip: String,
    w_min: u32,
    w_max: u32,
    weight: u32,
    key: String,
    update: Vec<String>,
    words: Option<Vec<i32>>,
    clipped: Option<usize>,
    not_finite: Option<usize>,
}

/// Gives the key of the case to the first who asks for 32 bytes, and nothing to anybody else.
struct Key(Option<[u8; 32]>);

impl TryRng for Key {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        panic!("the quantiser takes 32 bytes")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        panic!("the quantiser takes 32 bytes")
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        out.copy_from_slice(&self.0.take().expect("asked once"));
        Ok(())
    }
}

impl TryCryptoRng for Key {}

#[test]
fn quantize() {
    let f32_of = |text: &String| f32::from_be_bytes(bytes(text));
    for (file, ok, case) in cases::<Quantize>("quantize", 11) {
        let quantizer =
            Quantizer::new(case.bits, f32_of(&case.clip), case.w_min, case.w_max).expect("parameters");
        let update: Vec<f32> = case.update.iter().map(f32_of).collect();
        let result = quantizer.quantize(&Update::new(&update), case.weight, &mut Key(Some(bytes(&case.key))));
        if ok {
            let (vector, report) = result.unwrap_or_else(|error| panic!("{file}: {error}"));
            assert_eq!(Some(vector.words()), case.words.as_deref(), "{file}");
            assert_eq!(Some(report.clipped), case.clipped, "{file}");
        } else {
            let index = case.not_finite.expect("what is wrong");
            assert_eq!(result.expect_err(&file), Misuse::NotFinite { index }, "{file}");
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OpeningCase {
    #[serde(rename = "source")]
    _source: String,
    bytes: String,
    commitment: String,
    bounds: Bounds,
    sum: Option<Vec<i64>>,
    blinding: Option<String>,
    error: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bounds {
    bits: u8,
    w_min: u32,
    w_max: u32,
    participants: u32,
    dp_bound: u32,
}

/// What the library says of a case: `None` for acceptance, else the family of the error.
fn judge(case: &OpeningCase) -> Option<&'static str> {
    let Bounds { bits, w_min, w_max, participants, dp_bound } = case.bounds;
    let bounds = OpeningBounds { bits, w_min, w_max, participants, dp_bound };
    let Ok(opening) = Opening::from_bytes(&hex::decode(&case.bytes).expect("hex")) else {
        return Some("decode");
    };
    let commitment = curve::point_from_bytes(&bytes(&case.commitment)).expect("a point");
    let bases = Bases::derive(opening.dimension()).expect("small");
    match check_opening(&Cpu, &bases, &bounds, &commitment, &opening) {
        Ok(()) => None,
        Err(OpeningError::Bounds { .. }) => Some("bounds"),
        Err(OpeningError::Dimension { .. }) => Some("dimension"),
        Err(OpeningError::Coordinate { .. }) => Some("coordinate"),
        Err(OpeningError::Weight { .. }) => Some("weight"),
        Err(OpeningError::Scale { .. }) => Some("scale"),
        Err(OpeningError::Commitment) => Some("commitment"),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn opening() {
    for (file, ok, case) in cases::<OpeningCase>("opening", 28) {
        assert_eq!(judge(&case), case.error.as_deref(), "{file}");
        assert_eq!(ok, case.error.is_none(), "{file}");
        if let (Some(sum), Some(blinding)) = (case.sum, case.blinding) {
            let opening =
                Opening { sum, blinding: curve::fq_from_bytes(&bytes(&blinding)).expect("below q") };
            assert_eq!(hex::encode(opening.to_bytes()), case.bytes, "{file}");
            let bases = Bases::derive(opening.dimension()).expect("small");
            let points = bases.points().unpack();
            let point = naive::commit(&points, &opening.sum, bases.blinding_base(), &opening.blinding);
            assert_eq!(hex::encode(curve::point_to_bytes(&point)), case.commitment, "{file}");
        }
    }
}
