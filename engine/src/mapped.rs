//! Files that are read where they lie. The one place that maps memory.
//!
//! What is large and rarely changes (commitment bases, proving keys) is written once under another name, renamed into place
//! and then only mapped: opening costs no copy, processes share the pages, and the system may drop them again.

use std::{fmt, fs::File, io, marker::PhantomData, ops::Range, path::Path, sync::Arc};

use bytemuck::AnyBitPattern;
use memmap2::Mmap;

/// A file mapped for reading. Cheap to clone.
///
/// Nobody may write into the file while it is mapped, or cut it: a reader would see other bytes than it checked, or be ended
/// by the system. Replacing it by a rename is safe, since the mapping stays on the old file.
#[derive(Clone)]
pub struct MappedFile(Arc<Mmap>);

impl MappedFile {
    /// Maps a whole file.
    ///
    /// # Errors
    /// What the operating system answers.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::map(&File::open(path)?)
    }

    /// Maps a whole file that is open. An empty one cannot be mapped everywhere.
    ///
    /// # Errors
    /// What the operating system answers.
    pub fn map(file: &File) -> io::Result<Self> {
        #[allow(unsafe_code, reason = "mapping a file is unsafe because others may change it")]
        // SAFETY: the bytes of a mapped file must not change while they are borrowed. This workspace never writes to a file
        // under the name that it maps: it writes another one and renames it, which leaves this mapping on the old, unchanged
        // file. The directory belongs to the user.
        let map = unsafe { Mmap::map(file) }?;
        Ok(Self(Arc::new(map)))
    }

    /// All bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The values that lie in a range of the bytes; `None` if it passes the end, is not a whole number of values, or is not
    /// aligned for them.
    #[must_use]
    pub fn slice<T: AnyBitPattern>(&self, range: Range<usize>) -> Option<MappedSlice<T>> {
        bytemuck::try_cast_slice::<u8, T>(self.bytes().get(range.clone())?).ok()?;
        Some(MappedSlice { file: self.clone(), range, values: PhantomData })
    }
}

impl fmt::Debug for MappedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MappedFile").field("len", &self.0.len()).finish_non_exhaustive()
    }
}

/// Values in a mapped file, which it keeps mapped.
#[derive(Clone, Debug)]
pub struct MappedSlice<T> {
    file: MappedFile,
    range: Range<usize>,
    values: PhantomData<fn() -> T>,
}

impl<T: AnyBitPattern> AsRef<[T]> for MappedSlice<T> {
    fn as_ref(&self) -> &[T] {
        bytemuck::cast_slice(&self.file.bytes()[self.range.clone()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::points::PackedPoint;

    #[test]
    fn values_are_whole_aligned_and_inside() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("words");
        std::fs::write(&path, (0..=255u8).collect::<Vec<_>>()).expect("writable");
        let file = MappedFile::open(&path).expect("a file");
        let words = file.slice::<u64>(8..24).expect("two words");
        assert_eq!(words.as_ref()[1].to_le_bytes(), [16, 17, 18, 19, 20, 21, 22, 23]);
        assert_eq!(file.slice::<PackedPoint>(64..256).expect("three points").as_ref().len(), 3);
        assert!(file.slice::<u64>(8..8).expect("no word").as_ref().is_empty());
        for range in [4..12, 8..15, 248..264, 264..272] {
            assert!(file.slice::<u64>(range.clone()).is_none(), "{range:?}");
        }
        drop(file);
        // Another file under the same name is another file.
        std::fs::write(directory.path().join("new"), [0; 256]).expect("writable");
        std::fs::rename(directory.path().join("new"), &path).expect("renamed");
        assert_eq!(words.as_ref()[0].to_le_bytes(), [8, 9, 10, 11, 12, 13, 14, 15]);
        assert!(MappedFile::open(&directory.path().join("none")).is_err());
    }
}
