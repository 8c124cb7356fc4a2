//! `blindsum verify`: one certificate, against the caller's own record of the cohort.

use std::io::Write;
use std::path::{Path, PathBuf};

use blindsum_circuits::{Certificate, DevelopmentKeys, Record, Verifier, VerifyingKey};
use blindsum_engine::curve::{Fr, fr_from_bytes};
use blindsum_engine::roster::{Bitmap, RoundContext};
use serde::Deserialize;

use crate::failure::{Failure, read};

/// Flags of `blindsum verify`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The verifying key's bytes (`BSVK`).
    #[arg(long)]
    key: PathBuf,
    /// What you know of the cohort, as JSON: roster_root, occupied, round_context, leaves_root and posted (32 bytes each,
    /// hexadecimal, big-endian), group_width, floors. From your own storage, never from whoever sent the certificate.
    #[arg(long)]
    record: PathBuf,
    /// Accept a development key, under which its maker can forge.
    #[arg(long)]
    allow_development: bool,
    /// The certificate's bytes (`BSCT`).
    certificate: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordFile {
    roster_root: String,
    occupied: String,
    round_context: String,
    leaves_root: String,
    posted: String,
    group_width: u16,
    floors: Vec<u16>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let allowed = if arguments.allow_development { DevelopmentKeys::Allow } else { DevelopmentKeys::Refuse };
    let verifier = Verifier::new(&VerifyingKey::from_bytes(&read(&arguments.key)?)?, allowed)?;
    let record = read_record(&arguments.record)?;
    let certificate = Certificate::from_bytes(&read(&arguments.certificate)?)?;
    verifier.verify(&record, &certificate)?;
    let participants = certificate.inputs().participants();
    let _ = writeln!(std::io::stdout(), "accepted: {} participants {participants:?}", participants.count());
    Ok(())
}

fn read_record(path: &Path) -> Result<Record, Failure> {
    let file: RecordFile = serde_json::from_slice(&read(path)?)
        .map_err(|source| Failure::Json { path: path.to_owned(), source })?;
    let word = |field: &'static str, text: &str| -> Result<[u8; 32], Failure> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| Failure::Hex { path: path.to_owned(), field })?;
        Ok(bytes)
    };
    let value = |field| move |source| Failure::Value { path: path.to_owned(), field, source };
    let root = |field: &'static str, text: &str| -> Result<Fr, Failure> {
        fr_from_bytes(&word(field, text)?).map_err(value(field))
    };
    Ok(Record {
        roster_root: root("roster_root", &file.roster_root)?,
        occupied: Bitmap::from_be_bytes(&word("occupied", &file.occupied)?),
        round_context: RoundContext::from_bytes(word("round_context", &file.round_context)?)
            .map_err(value("round_context"))?,
        leaves_root: root("leaves_root", &file.leaves_root)?,
        posted: Bitmap::from_be_bytes(&word("posted", &file.posted)?),
        group_width: file.group_width,
        floors: file.floors,
    })
}
