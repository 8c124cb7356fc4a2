//! Small files in the cache directory: nothing depends on them, so nothing that goes wrong with them is an error.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Writes a file beside `path` and renames it, so that no reader ever sees half of it. Only the user may read it.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    static SERIAL: AtomicU64 = AtomicU64::new(0);
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    let temporary = path.with_extension(format!("{}-{serial}.tmp", std::process::id()));
    let written = open(&temporary)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // The first error is the one to report; a leftover is only clutter.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_is_the_users_own() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("below").join("file.txt");
        for text in ["longer than the next", "next"] {
            replace(&path, text.as_bytes()).expect("a writable directory");
            assert_eq!(fs::read_to_string(&path).expect("the file"), text);
        }
        let names = fs::read_dir(path.parent().expect("a directory")).expect("readable").count();
        assert_eq!(names, 1, "no temporary file is left");
        #[cfg(unix)]
        {
            let mode = std::os::unix::fs::PermissionsExt::mode(
                &fs::metadata(&path).expect("the file").permissions(),
            );
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}
