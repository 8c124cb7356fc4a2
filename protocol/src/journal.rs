//! Where a client's state is kept: written before a message leaves, never rolled back.
//!
//! [`FileJournal`] keeps two files. The state file holds a sequence number, the identity of the state
//! before it, the state, and a SHA-256 over all of that, which is the state's identity. The marker
//! holds the number and the identity of the last state. Each is replaced atomically: written beside,
//! flushed, renamed, and the folder flushed. The state comes first, so that after a crash between the
//! two the state is one ahead of the marker and names it as its predecessor; every other mismatch
//! means that a file was restored from somewhere, and loading fails.
//!
//! Put the marker where a backup of the state does not reach; a restored pair of both files cannot be
//! told from the original. Both files are secret. Replaced files are unlinked, not overwritten: what
//! a disk keeps of them is the disk's affair.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::{
    error::{JournalError, WireError},
    wire::{Reader, Writer},
};

/// Durable storage for one client's state.
pub trait Journal: Send {
    /// Stores `state` in place of the last one; returns once it would survive a crash.
    ///
    /// # Errors
    /// [`JournalError`]; the client then sends nothing.
    fn store(&mut self, state: &[u8]) -> Result<(), JournalError>;

    /// The last state that was stored, or `None` before the first.
    ///
    /// # Errors
    /// [`JournalError`] if what is there is not the last state.
    fn load(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, JournalError>;
}

/// A journal in memory, for tests and for callers that keep the bytes themselves. It detects no
/// rollback. Clones share one state.
#[derive(Clone, Default)]
pub struct MemoryJournal(Arc<Mutex<Option<Zeroizing<Vec<u8>>>>>);

impl MemoryJournal {
    /// An empty journal.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A journal that holds `state`.
    #[must_use]
    pub fn with_state(state: &[u8]) -> Self {
        Self(Arc::new(Mutex::new(Some(Zeroizing::new(state.to_vec())))))
    }

    /// The stored state. Secret.
    #[must_use]
    pub fn state(&self) -> Option<Zeroizing<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl std::fmt::Debug for MemoryJournal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MemoryJournal(..)")
    }
}

impl Journal for MemoryJournal {
    fn store(&mut self, state: &[u8]) -> Result<(), JournalError> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *held = Some(Zeroizing::new(state.to_vec()));
        Ok(())
    }

    fn load(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, JournalError> {
        Ok(self.state())
    }
}

const STATE_MAGIC: [u8; 4] = *b"BSJS";
const MARKER_MAGIC: [u8; 4] = *b"BSJM";
const VERSION: u16 = 1;
const STATE_HEADER: usize = 4 + 2 + 8 + 32 + 8;

/// Number and identity of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Position {
    sequence: u64,
    identity: [u8; 32],
}

impl Position {
    /// Before the first state.
    const START: Self = Self { sequence: 0, identity: [0; 32] };
}

/// A journal of two files; see the head of this module.
#[derive(Debug)]
pub struct FileJournal {
    state: PathBuf,
    marker: PathBuf,
    last: Position,
}

impl FileJournal {
    /// A journal in the given files, which need not exist; their folders must.
    ///
    /// # Errors
    /// As [`Journal::load`].
    pub fn open(state: impl Into<PathBuf>, marker: impl Into<PathBuf>) -> Result<Self, JournalError> {
        let mut journal = Self { state: state.into(), marker: marker.into(), last: Position::START };
        journal.load()?;
        Ok(journal)
    }

    fn read_marker(&self) -> Result<Option<Position>, JournalError> {
        let Some(bytes) = read(&self.marker, "reading the marker")? else { return Ok(None) };
        let parse = || -> Result<Position, WireError> {
            let mut reader = Reader::new(&bytes);
            header(&mut reader, MARKER_MAGIC)?;
            let position =
                Position { sequence: reader.u64("sequence")?, identity: reader.array("identity")? };
            reader.finish()?;
            Ok(position)
        };
        parse().map(Some).map_err(|_| JournalError::Damaged { what: "the marker" })
    }

    fn write_marker(&self, position: Position) -> Result<(), JournalError> {
        let mut out = Writer::new();
        out.raw(&MARKER_MAGIC).u16(VERSION).u64(position.sequence).raw(&position.identity);
        replace(&self.marker, &out.into_bytes(), "writing the marker")
    }

    /// The state file's position, its predecessor's identity, and the state.
    #[expect(clippy::type_complexity, reason = "three values that are used once, side by side")]
    fn read_state(&self) -> Result<Option<(Position, [u8; 32], Zeroizing<Vec<u8>>)>, JournalError> {
        let Some(bytes) = read(&self.state, "reading the state")? else { return Ok(None) };
        let parse = || -> Result<_, WireError> {
            let mut reader = Reader::new(&bytes);
            header(&mut reader, STATE_MAGIC)?;
            let sequence = reader.u64("sequence")?;
            let previous = reader.array("identity")?;
            let length = usize::try_from(reader.u64("length")?).unwrap_or(usize::MAX);
            let state = Zeroizing::new(reader.bytes(length, "state")?.to_vec());
            let identity = reader.array("identity")?;
            reader.finish()?;
            Ok((Position { sequence, identity }, previous, state))
        };
        let damaged = JournalError::Damaged { what: "the state" };
        match parse() {
            Ok(parsed) if identity_of(&bytes[..bytes.len() - 32]) == parsed.0.identity => Ok(Some(parsed)),
            _ => Err(damaged),
        }
    }
}

fn header(reader: &mut Reader<'_>, magic: [u8; 4]) -> Result<(), WireError> {
    if reader.array::<4>("magic")? != magic {
        return Err(WireError::Magic);
    }
    match reader.u16("version")? {
        VERSION => Ok(()),
        got => Err(WireError::Version { expected: VERSION, got }),
    }
}

fn identity_of(framed: &[u8]) -> [u8; 32] {
    Sha256::digest(framed).into()
}

impl Journal for FileJournal {
    fn store(&mut self, state: &[u8]) -> Result<(), JournalError> {
        // Another process that stored in between would fork the history.
        let marker = match self.read_marker()? {
            Some(marker) => marker,
            None if self.last == Position::START => {
                self.write_marker(Position::START)?;
                Position::START
            }
            None => return Err(JournalError::MarkerMissing),
        };
        if marker != self.last {
            return Err(JournalError::Forked);
        }
        let sequence = self.last.sequence + 1;
        let mut out = Writer::with_capacity(STATE_HEADER + state.len() + 32);
        out.raw(&STATE_MAGIC).u16(VERSION).u64(sequence).raw(&self.last.identity);
        out.u64(state.len() as u64).raw(state);
        let mut framed = Zeroizing::new(out.into_bytes());
        let position = Position { sequence, identity: identity_of(&framed) };
        framed.extend_from_slice(&position.identity);
        replace(&self.state, &framed, "writing the state")?;
        self.write_marker(position)?;
        self.last = position;
        Ok(())
    }

    fn load(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, JournalError> {
        let (position, state) = match (self.read_state()?, self.read_marker()?) {
            (None, None) => return Ok(None),
            (None, Some(Position::START)) => {
                self.last = Position::START;
                return Ok(None);
            }
            (None, Some(_)) => return Err(JournalError::StateMissing),
            (Some(_), None) => return Err(JournalError::MarkerMissing),
            (Some((position, previous, state)), Some(marker)) => {
                let follows = position.sequence == marker.sequence + 1 && previous == marker.identity;
                if position.sequence < marker.sequence {
                    let (state, marker) = (position.sequence, marker.sequence);
                    return Err(JournalError::RolledBack { state, marker });
                }
                if position != marker && !follows {
                    return Err(JournalError::Forked);
                }
                (position, state)
            }
        };
        self.write_marker(position)?;
        self.last = position;
        Ok(Some(state))
    }
}

fn io(what: &'static str) -> impl Fn(std::io::Error) -> JournalError {
    move |source| JournalError::Io { what, source }
}

fn read(path: &Path, what: &'static str) -> Result<Option<Zeroizing<Vec<u8>>>, JournalError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(Zeroizing::new(bytes))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io(what)(error)),
    }
}

/// Replaces a file atomically and durably.
fn replace(path: &Path, bytes: &[u8], what: &'static str) -> Result<(), JournalError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&beside).map_err(io(what))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(io(what))?;
    drop(file);
    fs::rename(&beside, path).map_err(io(what))?;
    // A folder cannot be opened for flushing everywhere; where it can, the rename must be durable.
    #[cfg(unix)]
    {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(io(what))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Files {
        _folder: tempfile::TempDir,
        state: PathBuf,
        marker: PathBuf,
    }

    fn files() -> Files {
        let folder = tempfile::tempdir().unwrap();
        let (state, marker) = (folder.path().join("state"), folder.path().join("marker"));
        Files { _folder: folder, state, marker }
    }

    fn open(files: &Files) -> Result<FileJournal, JournalError> {
        FileJournal::open(&files.state, &files.marker)
    }

    fn loaded(files: &Files) -> Option<Vec<u8>> {
        open(files).unwrap().load().unwrap().map(|state| state.to_vec())
    }

    #[test]
    fn what_was_stored_is_loaded() {
        let files = files();
        assert_eq!(loaded(&files), None);
        let mut journal = open(&files).unwrap();
        for state in [&b"one"[..], b"", b"three"] {
            journal.store(state).unwrap();
            assert_eq!(loaded(&files).as_deref(), Some(state));
        }
    }

    #[test]
    fn a_restored_old_state_is_refused() {
        let files = files();
        let mut journal = open(&files).unwrap();
        journal.store(b"one").unwrap();
        let old = fs::read(&files.state).unwrap();
        journal.store(b"two").unwrap();
        let new = fs::read(&files.state).unwrap();
        fs::write(&files.state, &old).unwrap();
        assert!(matches!(open(&files), Err(JournalError::RolledBack { state: 1, marker: 2 })));
        fs::write(&files.state, &new).unwrap();
        assert_eq!(loaded(&files).as_deref(), Some(&b"two"[..]));
    }

    #[test]
    fn a_missing_file_is_refused() {
        let files = files();
        open(&files).unwrap().store(b"one").unwrap();
        let marker = fs::read(&files.marker).unwrap();
        fs::remove_file(&files.marker).unwrap();
        assert!(matches!(open(&files), Err(JournalError::MarkerMissing)));
        fs::write(&files.marker, marker).unwrap();
        fs::remove_file(&files.state).unwrap();
        assert!(matches!(open(&files), Err(JournalError::StateMissing)));
    }

    #[test]
    fn a_crash_between_the_two_files_is_survived() {
        let files = files();
        let mut journal = open(&files).unwrap();
        journal.store(b"one").unwrap();
        let marker = fs::read(&files.marker).unwrap();
        journal.store(b"two").unwrap();
        fs::write(&files.marker, &marker).unwrap();
        assert_eq!(loaded(&files).as_deref(), Some(&b"two"[..]));
        journal = open(&files).unwrap();
        journal.store(b"three").unwrap();
        journal.store(b"four").unwrap();
        fs::write(&files.marker, &marker).unwrap();
        assert!(matches!(open(&files), Err(JournalError::Forked)));
    }

    #[test]
    fn two_writers_do_not_fork_the_history() {
        let files = files();
        let (mut a, mut b) = (open(&files).unwrap(), open(&files).unwrap());
        a.store(b"one").unwrap();
        assert!(matches!(b.store(b"other"), Err(JournalError::Forked)));
    }

    #[test]
    fn damage_is_noticed_at_every_byte() {
        let files = files();
        open(&files).unwrap().store(b"state").unwrap();
        for path in [&files.state, &files.marker] {
            let good = fs::read(path).unwrap();
            for i in 0..good.len() {
                let mut bad = good.clone();
                bad[i] ^= 1;
                fs::write(path, &bad).unwrap();
                assert!(open(&files).is_err(), "byte {i} of {path:?}");
                fs::write(path, &good[..i]).unwrap();
                assert!(open(&files).is_err(), "cut at {i} of {path:?}");
            }
            fs::write(path, &good).unwrap();
        }
    }

    #[cfg(unix)]
    #[test]
    fn the_state_is_readable_by_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let files = files();
        open(&files).unwrap().store(b"secret").unwrap();
        assert_eq!(fs::metadata(&files.state).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
