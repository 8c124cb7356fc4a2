//! `blindsum key`: make a development key, look at a verifying key.

use std::io::Write;
use std::path::PathBuf;

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
    /// Read a verifying key, check it, and say what it is.
    Check {
        /// The verifying key's bytes (`BSVK`).
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
        Command::Check { key } => {
            let key = VerifyingKey::from_bytes(&read(key)?)?;
            lint(&key).map_err(KeyError::from)?;
            describe(&key);
        }
    }
    Ok(())
}

fn describe(key: &VerifyingKey) {
    let kind = if key.development { "DEVELOPMENT KEY: its maker can forge" } else { "from a ceremony" };
    let _ = writeln!(std::io::stdout(), "key {} for {} slots, {kind}", hex::encode(key.key_id()), key.size);
}
