//! The file that keeps derived bases.
//!
//! ```text
//! header   128 bytes   magic 8 | version u32 | byte order u32 | count u64 | points per chunk u64
//!                      | checksum 32 | 64 zero bytes
//! body     count * 64  the points in internal form, ready to be used where they lie
//! table    chunks * 32 SHA-256 of each chunk of the body
//! ```
//! Integers are little-endian, except the byte order mark, which is written as the machine writes
//! it: a file from a machine of the other kind is rebuilt. The checksum is the SHA-256 of the first
//! 32 bytes and the table. A reader checks the chunks that it will use, in parallel.
//!
//! The digests detect accidents. They are no defence against somebody who may write the file: the
//! directory must belong to the user, and [`super::Bases::verify_all`] is there for those who doubt.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use rayon::prelude::*;
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::MAX_DIMENSION;
use crate::{mapped::MappedFile, points::PackedPoint};

/// Name of the file inside the cache directory.
pub(super) const FILE_NAME: &str = "bases-1.bin";

const MAGIC: &[u8; 8] = b"BSBASES\0";
const VERSION: u32 = 1;
const BYTE_ORDER: u32 = 0x0403_0201;
const CHUNK: usize = 1 << 14;
const HEADER_BYTES: usize = 128;
const PREFIX_BYTES: usize = 32;
const POINT_BYTES: usize = size_of::<PackedPoint>();
const DIGEST_BYTES: usize = 32;

/// Why the cache of bases could not be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CacheError {
    /// Neither an argument, nor the environment, nor the platform names a directory.
    #[error("no cache directory: pass one or set BLINDSUM_CACHE")]
    NoDirectory,
    /// The operating system refused an operation.
    #[error("cannot {operation} {}", path.display())]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// What the operating system answered.
        source: io::Error,
    },
    /// A base is off the curve or is not the hash of its index.
    #[error("commitment base {index} is not the one that its index hashes to")]
    WrongBase {
        /// The index of the base.
        index: usize,
    },
}

/// What was found on the disk.
pub(super) enum Loaded {
    /// No file.
    Missing,
    /// A file of another version, or one that an accident has changed.
    Damaged(&'static str),
    /// A file whose first points are as they were written.
    Good(Mapped),
}

/// A mapped cache file.
pub(super) struct Mapped {
    map: MappedFile,
    count: usize,
}

impl Mapped {
    /// The points, in the file itself.
    pub(super) fn points(&self) -> &[PackedPoint] {
        bytemuck::cast_slice(&self.map.bytes()[HEADER_BYTES..HEADER_BYTES + self.count * POINT_BYTES])
    }
}

impl AsRef<[PackedPoint]> for Mapped {
    fn as_ref(&self) -> &[PackedPoint] {
        self.points()
    }
}

/// Maps the file and checks its header and the chunks that hold the first `d` points.
pub(super) fn load(path: &Path, d: usize) -> Result<Loaded, CacheError> {
    let failed = |operation| move |source| CacheError::Io { operation, path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Loaded::Missing),
        Err(error) => return Err(failed("open")(error)),
    };
    // An empty file cannot be mapped everywhere.
    if file.metadata().map_err(failed("inspect"))?.len() < HEADER_BYTES as u64 {
        return Ok(Loaded::Damaged("shorter than its header"));
    }
    let map = MappedFile::map(&file).map_err(failed("map"))?;
    Ok(match check(map.bytes(), d) {
        Ok(count) => Loaded::Good(Mapped { map, count }),
        Err(damage) => Loaded::Damaged(damage),
    })
}

/// The number of points in a well-formed file, or what is wrong with it.
fn check(bytes: &[u8], d: usize) -> Result<usize, &'static str> {
    let (header, rest) = bytes.split_at_checked(HEADER_BYTES).ok_or("shorter than its header")?;
    let field = |from: usize, to: usize| &header[from..to];
    if field(0, 8) != MAGIC {
        return Err("another kind of file");
    }
    if field(8, 12) != VERSION.to_le_bytes() {
        return Err("another version");
    }
    if field(12, 16) != BYTE_ORDER.to_ne_bytes() {
        return Err("another byte order");
    }
    let number = |from: usize| {
        field(from, from + 8).iter().rev().fold(0u64, |word, byte| word << 8 | u64::from(*byte))
    };
    if number(24) != CHUNK as u64 {
        return Err("another chunk length");
    }
    let count = usize::try_from(number(16))
        .ok()
        .filter(|count| *count as u64 <= MAX_DIMENSION)
        .ok_or("an absurd count")?;
    let body_bytes = count.checked_mul(POINT_BYTES).ok_or("an absurd count")?;
    let (body, table) = rest.split_at_checked(body_bytes).ok_or("truncated")?;
    if table.len() != count.div_ceil(CHUNK) * DIGEST_BYTES {
        return Err("wrong length");
    }
    if checksum(&header[..PREFIX_BYTES], table) != header[PREFIX_BYTES..64]
        || header[64..].iter().any(|byte| *byte != 0)
    {
        return Err("wrong header checksum");
    }
    let used = count.min(d).div_ceil(CHUNK);
    let intact = body
        .par_chunks(CHUNK * POINT_BYTES)
        .zip(table.par_chunks(DIGEST_BYTES))
        .take(used)
        .all(|(chunk, digest)| Sha256::digest(chunk).as_slice() == digest);
    if intact { Ok(count) } else { Err("wrong checksum") }
}

fn checksum(prefix: &[u8], table: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(prefix).chain_update(table).finalize().into()
}

/// Writes a file beside `path` and renames it, so that no reader ever sees half of it.
pub(super) fn store(path: &Path, points: &[PackedPoint]) -> Result<(), CacheError> {
    static SERIAL: AtomicU64 = AtomicU64::new(0);
    let failed = |operation, path: &Path| {
        let path = path.to_owned();
        move |source| CacheError::Io { operation, path, source }
    };
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(failed("create", directory))?;
    }
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    let nanos = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |time| time.subsec_nanos());
    let temporary = path.with_extension(format!("{}-{serial}-{nanos}.tmp", std::process::id()));
    let written = write(&temporary, points)
        .map_err(failed("write", &temporary))
        .and_then(|()| fs::rename(&temporary, path).map_err(failed("replace", path)));
    if written.is_err() {
        // The first error is the one to report; a leftover is only clutter.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn write(path: &Path, points: &[PackedPoint]) -> io::Result<()> {
    let table: Vec<u8> = points
        .par_chunks(CHUNK)
        .flat_map_iter(|chunk| <[u8; 32]>::from(Sha256::digest(bytemuck::cast_slice::<_, u8>(chunk))))
        .collect();
    let mut header = Vec::with_capacity(HEADER_BYTES);
    header.extend_from_slice(MAGIC);
    header.extend_from_slice(&VERSION.to_le_bytes());
    header.extend_from_slice(&BYTE_ORDER.to_ne_bytes());
    header.extend_from_slice(&(points.len() as u64).to_le_bytes());
    header.extend_from_slice(&(CHUNK as u64).to_le_bytes());
    let sum = checksum(&header, &table);
    header.extend_from_slice(&sum);
    header.resize(HEADER_BYTES, 0);
    let mut file = File::options().write(true).create_new(true).open(path)?;
    file.write_all(&header)?;
    file.write_all(bytemuck::cast_slice(points))?;
    file.write_all(&table)?;
    file.sync_all()
}
