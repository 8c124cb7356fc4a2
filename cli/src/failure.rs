//! What a subcommand answers when it cannot do what it was asked.

use std::path::{Path, PathBuf};

use blindsum_circuits::{EncodingError, KeyError, ProvingKeyError, VerifyError};
use blindsum_engine::{DecodeError, Misuse};
use thiserror::Error;

#[derive(Debug, Error)]
pub(crate) enum Failure {
    #[error("cannot {operation} {}: {source}", path.display())]
    File { operation: &'static str, path: PathBuf, source: std::io::Error },
    #[error("{}: {source}", path.display())]
    Json { path: PathBuf, source: serde_json::Error },
    #[error("{}: {field} is not 32 bytes in hexadecimal", path.display())]
    Hex { path: PathBuf, field: &'static str },
    #[error("{}: {field}: {source}", path.display())]
    Value { path: PathBuf, field: &'static str, source: DecodeError },
    #[error("verifying key: {0}")]
    Key(#[from] KeyError),
    #[error("certificate: {0}")]
    Certificate(#[from] EncodingError),
    #[error("refused: {0}")]
    Refused(#[from] VerifyError),
    #[error("{}: {source}", path.display())]
    Point { path: PathBuf, source: ProvingKeyError },
    #[error(transparent)]
    ProvingKey(#[from] ProvingKeyError),
    #[error(transparent)]
    Misuse(#[from] Misuse),
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|source| Failure::File { operation: "read", path: path.to_owned(), source })
}

pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, bytes).map_err(|source| Failure::File {
        operation: "write",
        path: path.to_owned(),
        source,
    })
}
