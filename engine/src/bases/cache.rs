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
//! 32 bytes and the table. A reader checks the chunks that it will use, in parallel. A writer writes the
//! body as it comes, then the table, and at last the header.
//!
//! The digests detect accidents. They are no defence against somebody who may write the file: the
//! directory must belong to the user, and [`super::Bases::verify_all`] is there for those who doubt.

use std::{
    fs::{self, File},
    io::{self, Seek, Write},
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
    match File::open(path) {
        Ok(file) => examine(&file, path, d),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Loaded::Missing),
        Err(error) => Err(failed("open", path)(error)),
    }
}

fn examine(file: &File, path: &Path, d: usize) -> Result<Loaded, CacheError> {
    // An empty file cannot be mapped everywhere.
    if file.metadata().map_err(failed("inspect", path))?.len() < HEADER_BYTES as u64 {
        return Ok(Loaded::Damaged("shorter than its header"));
    }
    let map = MappedFile::map(file).map_err(failed("map", path))?;
    Ok(match check(map.bytes(), d) {
        Ok(count) => Loaded::Good(Mapped { map, count }),
        Err(damage) => Loaded::Damaged(damage),
    })
}

fn failed(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CacheError {
    let path = path.to_owned();
    move |source| CacheError::Io { operation, path, source }
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

/// A file that is written and has no name yet that a reader would look for. Dropped, it is removed.
pub(super) struct Written {
    temporary: Temporary,
    file: File,
    count: usize,
}

impl Written {
    /// Renames the file to `path`, so that no reader ever sees half of it, and maps it.
    pub(super) fn replace(mut self, path: &Path) -> Result<Mapped, CacheError> {
        fs::rename(&self.temporary.path, path).map_err(failed("replace", path))?;
        self.temporary.is_gone = true;
        // By the handle: another process may have replaced the name since.
        match examine(&self.file, path, self.count)? {
            Loaded::Good(mapped) => Ok(mapped),
            _ => Err(failed("read back", path)(io::ErrorKind::InvalidData.into())),
        }
    }
}

/// A file that is removed when its writer gives up.
struct Temporary {
    path: PathBuf,
    is_gone: bool,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.is_gone {
            // Another error is the one to report; a leftover is only clutter.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Writes a file of `count` points beside `path`. `fill(first, points)` puts the points from `first` on into its slice; it is
/// called for one slice after the other, each of some chunks a thread.
pub(super) fn write(
    path: &Path,
    count: usize,
    fill: impl FnMut(usize, &mut [PackedPoint]),
) -> Result<Written, CacheError> {
    static SERIAL: AtomicU64 = AtomicU64::new(0);
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(failed("create", directory))?;
    }
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    let nanos = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |time| time.subsec_nanos());
    let temporary = path.with_extension(format!("{}-{serial}-{nanos}.tmp", std::process::id()));
    let file = File::options().read(true).write(true).create_new(true).open(&temporary);
    let mut file = file.map_err(failed("create", &temporary))?;
    let temporary = Temporary { path: temporary, is_gone: false };
    write_body(&mut file, count, fill).map_err(failed("write", &temporary.path))?;
    Ok(Written { temporary, file, count })
}

fn write_body(
    file: &mut File,
    count: usize,
    mut fill: impl FnMut(usize, &mut [PackedPoint]),
) -> io::Result<()> {
    let mut table = Vec::with_capacity(count.div_ceil(CHUNK) * DIGEST_BYTES);
    let mut points = vec![PackedPoint::INFINITY; count.min(CHUNK * rayon::current_num_threads())];
    file.write_all(&[0; HEADER_BYTES])?;
    for first in (0..count).step_by(points.len().max(1)) {
        points.truncate(count - first);
        fill(first, &mut points);
        let bytes: &[u8] = bytemuck::cast_slice(&points);
        let chunks = bytes.par_chunks(CHUNK * POINT_BYTES);
        table.par_extend(chunks.flat_map_iter(|chunk| <[u8; DIGEST_BYTES]>::from(Sha256::digest(chunk))));
        file.write_all(bytes)?;
    }
    file.write_all(&table)?;
    let mut header = Vec::with_capacity(HEADER_BYTES);
    header.extend_from_slice(MAGIC);
    header.extend_from_slice(&VERSION.to_le_bytes());
    header.extend_from_slice(&BYTE_ORDER.to_ne_bytes());
    header.extend_from_slice(&(count as u64).to_le_bytes());
    header.extend_from_slice(&(CHUNK as u64).to_le_bytes());
    let sum = checksum(&header, &table);
    header.extend_from_slice(&sum);
    header.resize(HEADER_BYTES, 0);
    file.rewind()?;
    file.write_all(&header)?;
    file.sync_all()
}
