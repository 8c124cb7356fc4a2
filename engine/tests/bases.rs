//! The cache of bases: it is reused, extended, and rebuilt after every kind of damage.

use std::{
    fs,
    path::{Path, PathBuf},
};

use blindsum_engine::{
    EngineError, Misuse,
    bases::{BASIS_NAME, Bases, CacheError, MAX_DIMENSION},
    curve,
};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use tempfile::{TempDir, tempdir};

const HEADER: usize = 128;

fn cache(d: usize) -> (TempDir, PathBuf, Vec<u8>) {
    let directory = tempdir().expect("a directory");
    Bases::open(Some(directory.path()), d).expect("writable");
    let path = only_file(directory.path());
    let bytes = fs::read(&path).expect("written");
    (directory, path, bytes)
}

/// The cache is one file: no temporary one is left.
fn only_file(directory: &Path) -> PathBuf {
    let files: Vec<PathBuf> =
        fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

fn open(directory: &TempDir, d: usize) -> Bases {
    Bases::open(Some(directory.path()), d).expect("a usable cache")
}

#[test]
fn bases_are_hashed_to_the_curve() {
    let bases = Bases::derive(5).expect("small");
    assert_eq!((bases.len(), bases.id(), bases.is_empty()), (5, 1, false));
    for j in 0..5 {
        assert_eq!(bases.get(j), Some(curve::hash_to_curve(BASIS_NAME, j as u64)));
    }
    assert_eq!(bases.get(5), None);
    assert_eq!(bases.blinding_base(), curve::hash_to_curve("blindsum/blinding", 0));
    assert!(Bases::derive(0).expect("none").is_empty());
    assert_eq!(
        bases.prefix(6).map(|bases| bases.len()),
        Err(Misuse::LengthMismatch { what: "commitment bases", expected: 6, got: 5 })
    );
    assert_eq!(bases.prefix(2).expect("shorter").as_slice(), &bases.as_slice()[..2]);
    bases.verify_all().expect("derived");
}

#[test]
fn an_absurd_dimension_is_refused_before_any_work() {
    let d = MAX_DIMENSION as usize + 1;
    assert!(matches!(Bases::derive(d), Err(Misuse::OutOfRange { what: "dimension", .. })));
    let directory = tempdir().expect("a directory");
    assert!(matches!(Bases::open(Some(directory.path()), d), Err(EngineError::Misuse(_))));
}

#[test]
fn a_cache_serves_shorter_vectors_and_grows_for_longer_ones() {
    let (directory, path, first) = cache(20);
    let derived = Bases::derive(33).expect("small");
    let short = open(&directory, 7);
    assert_eq!(short.as_slice(), &derived.as_slice()[..7]);
    assert_eq!(fs::read(&path).expect("there"), first, "serving does not write");
    let long = open(&directory, 33);
    assert_eq!(long.as_slice(), derived.as_slice());
    let second = fs::read(&path).expect("there");
    assert_eq!(second[HEADER..HEADER + 20 * 64], first[HEADER..HEADER + 20 * 64]);
    assert!(second.len() > first.len());
    assert_eq!(short.as_slice(), &derived.as_slice()[..7], "an old mapping keeps its bytes");
    assert_eq!(open(&directory, 0).len(), 0);
    only_file(directory.path());
}

#[test]
fn several_chunks_are_written_and_read() {
    let d = (1 << 14) + 3;
    let (directory, path, bytes) = cache(d);
    assert_eq!(bytes.len(), HEADER + d * 64 + 2 * 32);
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    open(&directory, d).verify_sample(64, &mut rng).expect("as derived");
    // Damage in the second chunk does not matter to a reader of the first, and is found by one of both.
    let mut damaged = bytes.clone();
    damaged[HEADER + (d - 1) * 64] ^= 1;
    fs::write(&path, &damaged).expect("writable");
    assert_eq!(open(&directory, 1 << 14).len(), 1 << 14);
    assert_eq!(fs::read(&path).expect("there"), damaged);
    open(&directory, d);
    assert_eq!(fs::read(&path).expect("there"), bytes);
}

/// Files of several blocks of two threads, from nothing and after a shorter one: the bytes are the same.
#[test]
fn long_files_are_written_block_by_block() {
    let derived = Bases::derive((1 << 17) + 5).expect("small");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("threads");
    pool.install(|| {
        let (directory, path, short) = cache(50_000);
        let body = HEADER..HEADER + 50_000 * 64;
        assert!(short[body.clone()] == *bytemuck::cast_slice::<_, u8>(&derived.as_slice()[..50_000]));
        assert!(open(&directory, derived.len()).as_slice() == derived.as_slice());
        let long = fs::read(&path).expect("there");
        assert!(long[body.clone()] == short[body]);
        for shorter in [(1 << 15) - 1, 1 << 15] {
            let (directory, path, _) = cache(shorter);
            assert!(*open(&directory, 50_000).as_slice() == derived.as_slice()[..50_000], "after {shorter}");
            assert!(fs::read(path).expect("there") == short, "after {shorter}");
        }
    });
}

#[test]
fn damage_anywhere_is_found_and_repaired() {
    let d = 6;
    let (directory, path, good) = cache(d);
    let body = HEADER + d * 64;
    assert_eq!(good.len(), body + 32);
    let places = (0..HEADER)
        .step_by(3)
        .chain((HEADER..body).step_by(37))
        .chain(body..good.len())
        .chain([good.len() - 1]);
    for place in places {
        for flip in [1u8, 0x80] {
            let mut bad = good.clone();
            bad[place] ^= flip;
            fs::write(&path, &bad).expect("writable");
            assert_eq!(
                open(&directory, d).as_slice(),
                Bases::derive(d).expect("small").as_slice(),
                "byte {place}"
            );
            assert_eq!(fs::read(&path).expect("there"), good, "byte {place} is repaired");
        }
    }
    only_file(directory.path());
}

#[test]
fn truncation_and_growth_are_found_and_repaired() {
    let d = 6;
    let (directory, path, good) = cache(d);
    let lengths =
        [0, 1, 7, 8, 31, 32, 127, 128, 129, 191, 192, good.len() - 33, good.len() - 32, good.len() - 1];
    for length in lengths {
        fs::write(&path, &good[..length]).expect("writable");
        assert_eq!(open(&directory, d).len(), d, "{length} bytes");
        assert_eq!(fs::read(&path).expect("there"), good, "{length} bytes are repaired");
    }
    for extra in [1, 32, 64] {
        let mut bad = good.clone();
        bad.extend(vec![0; extra]);
        fs::write(&path, &bad).expect("writable");
        open(&directory, d);
        assert_eq!(fs::read(&path).expect("there"), good, "{extra} more bytes are repaired");
    }
    for count in [u64::MAX, 1 << 58, 1 << 32, 7, 5] {
        let mut bad = good.clone();
        bad[16..24].copy_from_slice(&count.to_le_bytes());
        fs::write(&path, &bad).expect("writable");
        open(&directory, d);
        assert_eq!(fs::read(&path).expect("there"), good, "a count of {count} is repaired");
    }
}

/// A forger who recomputes every digest passes them and is found by verification.
#[test]
fn a_forged_base_passes_the_digests_and_fails_verification() {
    use sha2::{Digest, Sha256};
    let d = 6;
    let forge = |change: &dyn Fn(&mut [u8])| {
        let (directory, path, mut bytes) = cache(d);
        let body = HEADER + d * 64;
        change(&mut bytes[HEADER..body]);
        let digest = Sha256::digest(&bytes[HEADER..body]);
        bytes[body..].copy_from_slice(&digest);
        let checksum = Sha256::new().chain_update(&bytes[..32]).chain_update(&bytes[body..]).finalize();
        bytes[32..64].copy_from_slice(&checksum);
        fs::write(&path, &bytes).expect("writable");
        let forged = open(&directory, d);
        assert_ne!(forged.as_slice(), Bases::derive(d).expect("small").as_slice());
        (forged.verify_all(), forged.verify_sample(0, &mut ChaCha20Rng::seed_from_u64(2)))
    };
    // Base 4 is replaced by base 3: on the curve, so only a new derivation finds it.
    let (all, curve_only) = forge(&|body| body.copy_within(3 * 64..4 * 64, 4 * 64));
    assert!(matches!(all, Err(CacheError::WrongBase { index: 4 })));
    assert!(curve_only.is_ok());
    let (all, curve_only) = forge(&|body| body[2 * 64] ^= 1);
    assert!(matches!(all, Err(CacheError::WrongBase { index: 2 })));
    assert!(matches!(curve_only, Err(CacheError::WrongBase { index: 2 })));
    let (_, not_canonical) = forge(&|body| body[64..128].fill(0xff));
    assert!(matches!(not_canonical, Err(CacheError::WrongBase { index: 1 })));
    let (_, infinity) = forge(&|body| body[5 * 64..].fill(0));
    assert!(matches!(infinity, Err(CacheError::WrongBase { index: 5 })));
}

#[test]
fn concurrent_openers_all_get_the_bases() {
    let directory = tempdir().expect("a directory");
    let expected = Bases::derive(64).expect("small");
    std::thread::scope(|scope| {
        for d in [64, 8, 40, 1, 64, 33, 50, 64] {
            let (path, expected) = (directory.path(), &expected);
            scope.spawn(move || {
                for _ in 0..5 {
                    let bases = Bases::open(Some(path), d).expect("usable");
                    assert_eq!(bases.as_slice(), &expected.as_slice()[..d]);
                }
            });
        }
    });
    only_file(directory.path());
}

#[test]
fn an_unusable_directory_is_an_error() {
    let directory = tempdir().expect("a directory");
    let file = directory.path().join("file");
    fs::write(&file, b"not a directory").expect("writable");
    match Bases::open(Some(&file), 3) {
        Err(EngineError::Cache(CacheError::Io { path, .. })) => assert!(path.starts_with(&file)),
        other => panic!("expected an I/O error, got {other:?}"),
    }
}

/// A file that cannot take its place is removed again.
#[test]
fn an_error_leaves_nothing_behind() {
    let (directory, path, _) = cache(3);
    fs::remove_file(&path).expect("there");
    fs::create_dir(&path).expect("writable");
    assert!(matches!(Bases::open(Some(directory.path()), 3), Err(EngineError::Cache(CacheError::Io { .. }))));
    assert_eq!(only_file(directory.path()), path);
}
