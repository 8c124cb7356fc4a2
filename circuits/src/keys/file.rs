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
//! (R = 2^256), least significant first, each little-endian: no arithmetic is needed to load one. Infinity is all zeros.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use ark_bn254::{Bn254, Fq, Fq2, G1Affine, G2Affine};
use ark_ec::AffineRepr;
use ark_ec::short_weierstrass::{Affine, SWCurveConfig};
use ark_ff::BigInt;
use blindsum_engine::roster::CohortSize;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::{ProvingKey, ProvingKeyError};
use crate::r1cs::R1cs;
use crate::verifying_key::VerifyingKey;

const MAGIC: &[u8; 4] = b"BSPK";
const VERSION: u16 = 1;
const FLAG_DEVELOPMENT: u16 = 1;
const BLOCK: usize = 64;
const SECTIONS: [&str; 7] = ["verifying key", "constants", "A", "B in G1", "B in G2", "H", "L"];
const BODY: usize = BLOCK * (SECTIONS.len() + 2);

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

/// A field element in internal form.
trait Raw: Sized {
    const BYTES: usize;
    fn write(&self, out: &mut [u8]);
    fn read(bytes: &[u8]) -> Self;
}

impl Raw for Fq {
    const BYTES: usize = 32;

    fn write(&self, out: &mut [u8]) {
        for (chunk, limb) in out.chunks_exact_mut(8).zip(self.0.0) {
            chunk.copy_from_slice(&limb.to_le_bytes());
        }
    }

    fn read(bytes: &[u8]) -> Self {
        let mut limbs = [0u64; 4];
        for (limb, chunk) in limbs.iter_mut().zip(bytes.chunks_exact(8)) {
            *limb = chunk.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
        }
        Fq::new_unchecked(BigInt(limbs))
    }
}

impl Raw for Fq2 {
    const BYTES: usize = 2 * Fq::BYTES;

    fn write(&self, out: &mut [u8]) {
        let (c0, c1) = out.split_at_mut(Fq::BYTES);
        self.c0.write(c0);
        self.c1.write(c1);
    }

    fn read(bytes: &[u8]) -> Self {
        let (c0, c1) = bytes.split_at(Fq::BYTES);
        Fq2::new(Fq::read(c0), Fq::read(c1))
    }
}

fn encode<P: SWCurveConfig<BaseField: Raw>>(points: &[Affine<P>]) -> Vec<u8> {
    let width = P::BaseField::BYTES;
    let mut out = vec![0; points.len() * 2 * width];
    out.par_chunks_exact_mut(2 * width).zip(points).for_each(|(chunk, point)| {
        if let Some((x, y)) = point.xy() {
            let (x_out, y_out) = chunk.split_at_mut(width);
            x.write(x_out);
            y.write(y_out);
        }
    });
    out
}

fn decode<P: SWCurveConfig<BaseField: Raw>>(bytes: &[u8]) -> Option<Vec<Affine<P>>> {
    let width = P::BaseField::BYTES;
    let point = |chunk: &[u8]| {
        if chunk.iter().all(|&byte| byte == 0) {
            return Affine::identity();
        }
        let (x, y) = chunk.split_at(width);
        Affine::new_unchecked(P::BaseField::read(x), P::BaseField::read(y))
    };
    bytes.len().is_multiple_of(2 * width).then(|| bytes.par_chunks_exact(2 * width).map(point).collect())
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
    out.extend_from_slice(&(SECTIONS.len() as u16).to_be_bytes());
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

fn write_all(path: &Path, key: &ProvingKey) -> Result<(), ProvingKeyError> {
    let failed = |source| ProvingKeyError::Io { operation: "write", path: path.to_owned(), source };
    let pk = key.groth16();
    let encoders: [&dyn Fn() -> Vec<u8>; 7] = [
        &|| key.verifying_key().to_bytes(),
        &|| encode(&[pk.beta_g1, pk.delta_g1]),
        &|| encode(&pk.a_query),
        &|| encode(&pk.b_g1_query),
        &|| encode(&pk.b_g2_query),
        &|| encode(&pk.h_query),
        &|| encode(&pk.l_query),
    ];
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(failed)?;
    let mut entries = [Entry::default(); 7];
    let mut offset = BODY;
    file.write_all(&[0; BODY]).map_err(failed)?;
    for (entry, encoder) in entries.iter_mut().zip(encoders) {
        let mut bytes = encoder();
        *entry = Entry {
            offset: offset as u64,
            length: bytes.len() as u64,
            digest: Sha256::digest(&bytes).into(),
        };
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
        file.write_all(&bytes).map_err(failed)?;
        offset += bytes.len();
    }
    let circuit = key.circuit_digest();
    let front = front(key.is_development(), key.size(), &circuit, offset as u64, &entries);
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    file.write_all(&front).map_err(failed)?;
    file.sync_all().map_err(failed)
}

/// Reads and checks a key for `size` and its circuit.
pub(super) fn read(
    path: &Path,
    size: CohortSize,
    r1cs: &R1cs,
) -> Result<(ark_groth16::ProvingKey<Bn254>, VerifyingKey), ProvingKeyError> {
    let failed = |source| ProvingKeyError::Io { operation: "read", path: path.to_owned(), source };
    let format = |what| ProvingKeyError::Format { path: path.to_owned(), what };
    let mut file = File::open(path).map_err(failed)?;
    let got = file.metadata().map_err(failed)?.len();
    if got < BODY as u64 {
        return Err(ProvingKeyError::Length { path: path.to_owned(), expected: BODY as u64, got });
    }
    let mut front_bytes = vec![0; BODY];
    file.read_exact(&mut front_bytes).map_err(failed)?;
    let entries = check_front(path, &front_bytes, got, size, r1cs)?;

    let mut section = |index: usize| -> Result<Vec<u8>, ProvingKeyError> {
        let Entry { offset, length, digest } = entries[index];
        // The front's digest has been checked and its length is the file's: the length is not hostile.
        let mut bytes = vec![0; length as usize];
        file.seek(SeekFrom::Start(offset)).map_err(failed)?;
        file.read_exact(&mut bytes).map_err(failed)?;
        if Sha256::digest(&bytes)[..] != digest {
            return Err(ProvingKeyError::Altered { path: path.to_owned(), section: SECTIONS[index] });
        }
        Ok(bytes)
    };
    let verifying_key = VerifyingKey::from_bytes(&section(0)?)
        .map_err(|source| ProvingKeyError::VerifyingKey { path: path.to_owned(), source })?;
    let constants: Vec<G1Affine> =
        decode(&section(1)?).ok_or_else(|| format("constants of a wrong length"))?;
    let [beta_g1, delta_g1] = constants[..] else { return Err(format("constants of a wrong length")) };
    let mut g1 = |index, expected: usize| -> Result<Vec<G1Affine>, ProvingKeyError> {
        decode(&section(index)?)
            .filter(|points| points.len() == expected)
            .ok_or_else(|| format("a query of a wrong length"))
    };
    let n_columns = r1cs.n_instance() + r1cs.n_witness();
    let n_rows = (r1cs.n_constraints() + r1cs.n_instance()).next_power_of_two();
    let a_query = g1(2, n_columns)?;
    let b_g1_query = g1(3, n_columns)?;
    let h_query = g1(5, n_rows)?;
    let l_query = g1(6, r1cs.n_witness())?;
    let b_g2_query: Vec<G2Affine> = decode(&section(4)?)
        .filter(|points: &Vec<G2Affine>| points.len() == n_columns)
        .ok_or_else(|| format("a query of a wrong length"))?;
    let vk = ark_groth16::VerifyingKey {
        alpha_g1: verifying_key.alpha_g1,
        beta_g2: verifying_key.beta_g2,
        gamma_g2: verifying_key.gamma_g2,
        delta_g2: verifying_key.delta_g2,
        gamma_abc_g1: verifying_key.ic.clone(),
    };
    let groth16 =
        ark_groth16::ProvingKey { vk, beta_g1, delta_g1, a_query, b_g1_query, b_g2_query, h_query, l_query };
    Ok((groth16, verifying_key))
}

/// Checks the front against itself, the file's length, the size and the circuit.
fn check_front(
    path: &Path,
    bytes: &[u8],
    length: u64,
    size: CohortSize,
    r1cs: &R1cs,
) -> Result<[Entry; 7], ProvingKeyError> {
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
    let sealed = BLOCK * (SECTIONS.len() + 1);
    if Sha256::digest(&bytes[..sealed])[..] != digest_at(sealed) {
        return Err(ProvingKeyError::Altered { path: path.to_owned(), section: "header" });
    }
    let got = u16_at(8);
    if usize::from(got) != size.slots() {
        return Err(ProvingKeyError::OtherSize { path: path.to_owned(), expected: size, got });
    }
    if u64_at(48) != length {
        return Err(ProvingKeyError::Length { path: path.to_owned(), expected: u64_at(48), got: length });
    }
    if digest_at(16) != r1cs.digest() {
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
    if !tiled || front(development, size, &r1cs.digest(), length, &entries) != bytes {
        return Err(format("not laid out as this version writes it"));
    }
    Ok(entries)
}
