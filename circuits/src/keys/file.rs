//! The file of a proving key.
//!
//! ```text
//! header     64 bytes  BSPK | version u16 | flags u16 (bit 0: development) | N u16 | sections u16 | 4 zero bytes
//!                      | circuit digest 32 | file length u64 | 8 zero bytes
//! table      64 each   id u32 | 4 zero bytes | offset u64 | length u64 | SHA-256 of the section 32 | 8 zero bytes
//! seal       64 bytes  SHA-256 of header and table | 32 zero bytes
//! sections             1 verifying key (its own bytes), 2 beta and delta in G1, 3 A, 4 B in G1, 5 B in G2, 6 H, 7 L
//! ```
//! Integers are big-endian; sections start at multiples of 64. A coordinate is the four 64-bit limbs of its Montgomery form
//! (R = 2^256), least significant first, each little-endian, and a point is its coordinates: on a little-endian machine that is
//! the form that the prover reads, so a file is mapped and used where it lies. Infinity is all zeros.
//!
//! The digests detect accidents. They are no defence against somebody who may write the file.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use blindsum_engine::mapped::{MappedFile, MappedSlice};
use blindsum_engine::points::{G1, PackedPoint};
use blindsum_engine::roster::CohortSize;
use bytemuck::{AnyBitPattern, cast_slice};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::queries::MappedQueries;
use super::{ProvingKey, ProvingKeyError, Queries};
use crate::shape::Shape;
use crate::verifying_key::VerifyingKey;

const MAGIC: &[u8; 4] = b"BSPK";
const VERSION: u16 = 1;
const FLAG_DEVELOPMENT: u16 = 1;
const BLOCK: usize = 64;
const N_SECTIONS: usize = 7;
const SECTIONS: [&str; N_SECTIONS] = ["verifying key", "constants", "A", "B in G1", "B in G2", "H", "L"];
const BODY: usize = BLOCK * (N_SECTIONS + 2);

/// What to do with a file that is there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    Replace,
    Keep,
}

/// What became of the file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    Stored,
    FoundAnother,
}

/// Where a section lies, and its digest.
#[derive(Clone, Copy, Default)]
struct Entry {
    offset: u64,
    length: u64,
    digest: [u8; 32],
}

fn front(development: bool, size: CohortSize, circuit: &[u8; 32], length: u64, entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::with_capacity(BODY);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&VERSION.to_be_bytes());
    out.extend_from_slice(&(if development { FLAG_DEVELOPMENT } else { 0 }).to_be_bytes());
    out.extend_from_slice(&(size as u16).to_be_bytes());
    out.extend_from_slice(&(N_SECTIONS as u16).to_be_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(circuit);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&[0; 8]);
    for (id, entry) in (1u32..).zip(entries) {
        out.extend_from_slice(&id.to_be_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&entry.offset.to_be_bytes());
        out.extend_from_slice(&entry.length.to_be_bytes());
        out.extend_from_slice(&entry.digest);
        out.extend_from_slice(&[0; 8]);
    }
    let seal: [u8; 32] = Sha256::digest(&out).into();
    out.extend_from_slice(&seal);
    out.extend_from_slice(&[0; 32]);
    out
}

/// Writes beside `path` and moves into place.
pub(super) fn write(path: &Path, key: &ProvingKey, existing: Existing) -> Result<Written, ProvingKeyError> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let mut partial = path.as_os_str().to_owned();
    partial.push(format!(".{}.{}.partial", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed)));
    let partial = PathBuf::from(partial);
    let outcome = write_all(&partial, key).and_then(|()| place(&partial, path, existing));
    if outcome.as_ref().is_ok_and(|written| *written == Written::Stored && existing == Existing::Replace) {
        return outcome;
    }
    // Already linked, superseded or incomplete. A leftover is harmless, and the first error is the one to report.
    let _ = fs::remove_file(&partial);
    outcome
}

fn place(partial: &Path, path: &Path, existing: Existing) -> Result<Written, ProvingKeyError> {
    let failed = |source| ProvingKeyError::Io { operation: "store", path: path.to_owned(), source };
    if existing == Existing::Replace {
        return fs::rename(partial, path).map(|()| Written::Stored).map_err(failed);
    }
    // A link, unlike a rename, does not replace what another process has put there.
    match fs::hard_link(partial, path) {
        Ok(()) => Ok(Written::Stored),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Written::FoundAnother),
        Err(error) => Err(failed(error)),
    }
}

/// Refuses a machine whose words are not as the file's.
fn check_byte_order(path: &Path) -> Result<(), ProvingKeyError> {
    if cfg!(target_endian = "little") {
        return Ok(());
    }
    let what = "keys are used where they lie, in little-endian words, which this machine does not have";
    Err(ProvingKeyError::Format { path: path.to_owned(), what })
}

fn write_all(path: &Path, key: &ProvingKey) -> Result<(), ProvingKeyError> {
    check_byte_order(path)?;
    let failed = |source| ProvingKeyError::Io { operation: "write", path: path.to_owned(), source };
    let queries = key.queries();
    let verifying_key = key.verifying_key().to_bytes();
    let constants = [queries.beta_g1, queries.delta_g1].map(|point| PackedPoint::pack::<G1>(&point));
    let sections: [&[u8]; N_SECTIONS] = [
        &verifying_key,
        cast_slice(&constants),
        cast_slice(queries.a.as_slice()),
        cast_slice(queries.b_g1.as_slice()),
        cast_slice(queries.b_g2()),
        cast_slice(queries.h.as_slice()),
        cast_slice(queries.l.as_slice()),
    ];
    let digests = digests(sections);
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(failed)?;
    let mut entries = [Entry::default(); N_SECTIONS];
    let mut offset = BODY;
    file.write_all(&[0; BODY]).map_err(failed)?;
    for ((entry, section), digest) in entries.iter_mut().zip(sections).zip(digests) {
        *entry = Entry { offset: offset as u64, length: section.len() as u64, digest };
        let padding = section.len().next_multiple_of(BLOCK) - section.len();
        file.write_all(section).and_then(|()| file.write_all(&[0; BLOCK][..padding])).map_err(failed)?;
        offset += section.len() + padding;
    }
    let circuit = key.circuit_digest();
    let front = front(key.is_development(), key.size(), &circuit, offset as u64, &entries);
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    file.write_all(&front).map_err(failed)?;
    file.sync_all().map_err(failed)
}

/// The sections' SHA-256, at the same time.
fn digests(sections: [&[u8]; N_SECTIONS]) -> [[u8; 32]; N_SECTIONS] {
    let mut out = [[0; 32]; N_SECTIONS];
    out.par_iter_mut()
        .zip(sections)
        .with_max_len(1)
        .for_each(|(out, section)| *out = Sha256::digest(section).into());
    out
}

/// Maps and checks a key for `size`, or for whatever size it says, and for that size's circuit.
pub(super) fn read(
    path: &Path,
    size: Option<CohortSize>,
) -> Result<(Queries, VerifyingKey), ProvingKeyError> {
    check_byte_order(path)?;
    let failed = |source| ProvingKeyError::Io { operation: "read", path: path.to_owned(), source };
    let format = |what| ProvingKeyError::Format { path: path.to_owned(), what };
    let file = File::open(path).map_err(failed)?;
    let got = file.metadata().map_err(failed)?.len();
    // An empty file cannot be mapped everywhere.
    if got < BODY as u64 {
        return Err(ProvingKeyError::Length { path: path.to_owned(), expected: BODY as u64, got });
    }
    let map = MappedFile::map(&file).map_err(failed)?;
    let (size, entries) = check_front(path, map.bytes(), size)?;

    // The front's digest has been checked and the sections tile the file: the ranges are inside.
    let ranges = entries.map(|entry| entry.offset as usize..(entry.offset + entry.length) as usize);
    let sections = ranges.each_ref().map(|range| &map.bytes()[range.clone()]);
    let found = digests(sections);
    if let Some(index) = (0..N_SECTIONS).find(|&index| found[index] != entries[index].digest) {
        return Err(ProvingKeyError::Altered { path: path.to_owned(), section: SECTIONS[index] });
    }
    let [verifying_key, constants, ..] = sections;
    let verifying_key = VerifyingKey::from_bytes(verifying_key)
        .map_err(|source| ProvingKeyError::VerifyingKey { path: path.to_owned(), source })?;
    if verifying_key.size != size {
        return Err(format("its verifying key is for another size"));
    }
    let Ok(constants) = bytemuck::try_cast_slice::<u8, [PackedPoint; 2]>(constants) else {
        return Err(format("constants of a wrong length"));
    };
    let [constants] = constants else { return Err(format("constants of a wrong length")) };

    let [_, _, a, b_g1, b_g2, h, l] = ranges;
    let shape = Shape::of(size);
    let query = QueryReader { path, map: &map };
    let mapped = MappedQueries {
        a: query.read(a, shape.n_columns())?,
        b_g1: query.read(b_g1, shape.n_columns())?,
        b_g2: query.read(b_g2, shape.n_columns())?,
        h: query.read(h, shape.domain_size())?,
        l: query.read(l, shape.n_witness)?,
    };
    let constants = constants.map(|point| point.unpack::<G1>());
    Ok((Queries::mapped(constants, mapped), verifying_key))
}

struct QueryReader<'a> {
    path: &'a Path,
    map: &'a MappedFile,
}

impl QueryReader<'_> {
    fn read<T: AnyBitPattern>(
        &self,
        range: Range<usize>,
        n_points: usize,
    ) -> Result<MappedSlice<T>, ProvingKeyError> {
        let what = "a query of a wrong length";
        self.map
            .slice(range)
            .filter(|points: &MappedSlice<T>| points.as_ref().len() == n_points)
            .ok_or_else(|| ProvingKeyError::Format { path: self.path.to_owned(), what })
    }
}

/// Checks the front against itself, the file's length, the size and the circuit.
fn check_front(
    path: &Path,
    file: &[u8],
    size: Option<CohortSize>,
) -> Result<(CohortSize, [Entry; N_SECTIONS]), ProvingKeyError> {
    let (bytes, length) = (&file[..BODY], file.len() as u64);
    let format = |what| ProvingKeyError::Format { path: path.to_owned(), what };
    let u16_at = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    let u64_at = |at: usize| bytes[at..at + 8].iter().fold(0u64, |word, &byte| word << 8 | u64::from(byte));
    let digest_at = |at: usize| -> [u8; 32] { std::array::from_fn(|i| bytes[at + i]) };
    if &bytes[..4] != MAGIC {
        return Err(format("not a proving key"));
    }
    if u16_at(4) != VERSION {
        return Err(format("a proving key of an unknown version"));
    }
    let sealed = BLOCK * (N_SECTIONS + 1);
    if Sha256::digest(&bytes[..sealed])[..] != digest_at(sealed) {
        return Err(ProvingKeyError::Altered { path: path.to_owned(), section: "header" });
    }
    let got = u16_at(8);
    let found = CohortSize::try_from(u32::from(got)).ok();
    let size = match (size.or(found), found) {
        (None, _) => return Err(format("a proving key for a number of slots that no circuit has")),
        (Some(expected), found) if found != Some(expected) => {
            return Err(ProvingKeyError::OtherSize { path: path.to_owned(), expected, got });
        }
        (Some(size), _) => size,
    };
    if u64_at(48) != length {
        return Err(ProvingKeyError::Length { path: path.to_owned(), expected: u64_at(48), got: length });
    }
    let circuit = &Shape::of(size).digest;
    if digest_at(16) != *circuit {
        return Err(ProvingKeyError::OtherCircuit { path: path.to_owned() });
    }
    let entries = std::array::from_fn(|index| {
        let at = BLOCK * (index + 1);
        Entry { offset: u64_at(at + 8), length: u64_at(at + 16), digest: digest_at(at + 24) }
    });
    // One encoding: the front is exactly what this version would write, and the sections tile the file.
    let development = u16_at(6) & FLAG_DEVELOPMENT != 0;
    let mut offset = BODY as u64;
    let tiled = entries.iter().all(|entry: &Entry| {
        let here = entry.offset == offset && entry.length <= length;
        offset = offset.saturating_add(entry.length.next_multiple_of(BLOCK as u64));
        here
    }) && offset == length;
    if !tiled || front(development, size, circuit, length, &entries) != bytes {
        return Err(format("not laid out as this version writes it"));
    }
    Ok((size, entries))
}
