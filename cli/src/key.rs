//! `blindsum key`: make a development key, look at a key.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use blindsum_circuits::lint::lint;
use blindsum_circuits::{KeyError, ProvingKey, VerifyingKey};
use blindsum_engine::roster::CohortSize;

use crate::failure::{Failure, read, write};

/// Subcommands of `blindsum key`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make a DEVELOPMENT proving key (whoever makes it can forge), or find it in the cache; write its verifying key.
    Development {
        /// Slots of the cohort: 16, 64, 128 or 256.
        slots: u32,
        /// Where the verifying key goes.
        #[arg(long)]
        verifying_key: PathBuf,
        /// Directory of the proving key; by default the user's cache directory, or what BLINDSUM_CACHE names.
        #[arg(long)]
        cache: Option<PathBuf>,
    },
    /// Read a verifying key or a proving key, check it, and say what it is. Of a proving key every point is checked: minutes
    /// for the largest.
    Check {
        /// The file of the key: it begins with `BSVK` or `BSPK`.
        key: PathBuf,
    },
}

pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Development { slots, verifying_key, cache } => {
            let size = CohortSize::try_from(*slots)?;
            let mut rng = rand_core::UnwrapErr(getrandom::SysRng);
            let key = ProvingKey::load_or_setup(cache.as_deref(), size, &mut rng)?;
            write(verifying_key, &key.verifying_key().to_bytes())?;
            describe(key.verifying_key());
        }
        Command::Check { key: path } if is_proving_key(path)? => {
            let key = ProvingKey::open(path)?;
            lint(key.verifying_key()).map_err(KeyError::from)?;
            key.check().map_err(|source| Failure::Point { path: path.clone(), source })?;
            describe(key.verifying_key());
        }
        Command::Check { key } => {
            let key = VerifyingKey::from_bytes(&read(key)?)?;
            lint(&key).map_err(KeyError::from)?;
            describe(&key);
        }
    }
    Ok(())
}

/// Looks at the first four bytes.
fn is_proving_key(path: &Path) -> Result<bool, Failure> {
    let failed = |source| Failure::File { operation: "read", path: path.to_owned(), source };
    let mut start = Vec::new();
    File::open(path).and_then(|file| file.take(4).read_to_end(&mut start)).map_err(failed)?;
    Ok(start == b"BSPK")
}

fn describe(key: &VerifyingKey) {
    let kind = if key.development { "DEVELOPMENT KEY: its maker can forge" } else { "from a ceremony" };
    let _ = writeln!(std::io::stdout(), "key {} for {} slots, {kind}", hex::encode(key.key_id()), key.size);
}
