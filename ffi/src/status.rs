//! Status codes, their texts, and the version of the ABI.

use std::ffi::{CStr, c_char};

use blindsum_circuits::{KeyError, VerifyError};
use blindsum_engine::opening::OpeningError;

/// Major version in the upper 16 bits, minor in the lower: equal majors are compatible.
const ABI_VERSION: u32 = 1 << 16;

/// What a call came to. Numbers are stable; a retired number is never used again.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlindsumStatus {
    /// Success.
    Ok = 0,

    /// A pointer that must not be NULL is.
    NullPointer = 100,
    /// A count is zero or above its limit.
    Length = 101,
    /// This build does not know the rules asked for.
    Rules = 102,
    /// The caller's record contradicts itself or the verifier's cohort size.
    Record = 103,
    /// A development key, which its maker can forge under, and it was not allowed.
    DevelopmentKey = 104,
    /// Bounds of an opening that describe no round.
    Bounds = 105,
    /// A directory that is not UTF-8.
    Directory = 106,
    /// A number of bases that cannot be derived.
    Dimension = 107,

    /// Bytes that are no verifying key.
    KeyEncoding = 200,
    /// A verifying key of a known bad shape, such as gamma = delta.
    KeyLint = 201,
    /// Bytes that are no certificate.
    CertificateEncoding = 202,
    /// A root or context in the record that is not below its modulus.
    RecordEncoding = 203,
    /// Bytes that are no point of Grumpkin.
    CommitmentEncoding = 204,
    /// Bytes that are no opening.
    OpeningEncoding = 205,

    /// The certificate is for another cohort size.
    WrongCohortSize = 300,
    /// One of certificate and verifier says "development key" and the other does not.
    WrongDevelopmentFlag = 301,
    /// The certificate names another verifying key.
    WrongKey = 302,
    /// An input of the certificate differs from the record.
    Mismatch = 303,
    /// In some group the participants are neither none nor the posted ones.
    NotThePosted = 304,
    /// Some group has fewer participants than its floor.
    BelowFloor = 305,
    /// The certificate counts nobody.
    NoParticipants = 306,
    /// The proof does not verify.
    ProofInvalid = 307,
    /// The opening has another number of coordinates than there are bases.
    OpeningDimension = 310,
    /// A coordinate or the weight is out of the range that honest clients can reach.
    OpeningRange = 311,
    /// The opening is another commitment's.
    OpeningCommitment = 312,

    /// A bug in this library: please report it.
    Panic = 400,
    /// The operating system or the disk failed, or the cache of bases is unusable.
    Engine = 401,
}

impl BlindsumStatus {
    /// Every status, in order of its number.
    pub const ALL: &[Self] = &[
        Self::Ok,
        Self::NullPointer,
        Self::Length,
        Self::Rules,
        Self::Record,
        Self::DevelopmentKey,
        Self::Bounds,
        Self::Directory,
        Self::Dimension,
        Self::KeyEncoding,
        Self::KeyLint,
        Self::CertificateEncoding,
        Self::RecordEncoding,
        Self::CommitmentEncoding,
        Self::OpeningEncoding,
        Self::WrongCohortSize,
        Self::WrongDevelopmentFlag,
        Self::WrongKey,
        Self::Mismatch,
        Self::NotThePosted,
        Self::BelowFloor,
        Self::NoParticipants,
        Self::ProofInvalid,
        Self::OpeningDimension,
        Self::OpeningRange,
        Self::OpeningCommitment,
        Self::Panic,
        Self::Engine,
    ];

    /// The status in words.
    pub const fn message(self) -> &'static CStr {
        match self {
            Self::Ok => c"ok",
            Self::NullPointer => c"misuse: NULL pointer",
            Self::Length => c"misuse: a count is zero or above its limit",
            Self::Rules => c"misuse: unknown version of the rules",
            Self::Record => c"misuse: the record contradicts itself or the cohort size",
            Self::DevelopmentKey => c"misuse: a development key was not allowed",
            Self::Bounds => c"misuse: the bounds of the opening describe no round",
            Self::Directory => c"misuse: the directory is not UTF-8",
            Self::Dimension => c"misuse: the number of bases is out of range",
            Self::KeyEncoding => c"encoding: not a verifying key",
            Self::KeyLint => c"encoding: the verifying key fails the lint",
            Self::CertificateEncoding => c"encoding: not a certificate",
            Self::RecordEncoding => c"encoding: a value of the record is not below its modulus",
            Self::CommitmentEncoding => c"encoding: not a commitment",
            Self::OpeningEncoding => c"encoding: not an opening",
            Self::WrongCohortSize => c"refused: another cohort size",
            Self::WrongDevelopmentFlag => c"refused: development flags differ",
            Self::WrongKey => c"refused: another verifying key",
            Self::Mismatch => c"refused: an input differs from the record",
            Self::NotThePosted => c"refused: a group's participants are neither none nor the posted ones",
            Self::BelowFloor => c"refused: a group is below its floor",
            Self::NoParticipants => c"refused: no participants",
            Self::ProofInvalid => c"refused: the proof does not verify",
            Self::OpeningDimension => c"refused: the opening has another dimension",
            Self::OpeningRange => c"refused: the opening is out of range",
            Self::OpeningCommitment => c"refused: the opening does not open the commitment",
            Self::Panic => c"internal: a panic was caught",
            Self::Engine => c"internal: the bases could not be loaded or used",
        }
    }
}

impl From<KeyError> for BlindsumStatus {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Lint(_) => Self::KeyLint,
            KeyError::DevelopmentKeyRefused => Self::DevelopmentKey,
            _ => Self::KeyEncoding,
        }
    }
}

impl From<VerifyError> for BlindsumStatus {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Record(_) => Self::Record,
            VerifyError::Encoding(_) => Self::CertificateEncoding,
            VerifyError::WrongCohortSize { .. } => Self::WrongCohortSize,
            VerifyError::WrongDevelopmentFlag { .. } => Self::WrongDevelopmentFlag,
            VerifyError::WrongKey => Self::WrongKey,
            VerifyError::Mismatch { .. } => Self::Mismatch,
            VerifyError::NotThePosted { .. } => Self::NotThePosted,
            VerifyError::BelowFloor { .. } => Self::BelowFloor,
            VerifyError::NoParticipants => Self::NoParticipants,
            // The type may grow: an unknown reason is still a refusal.
            _ => Self::ProofInvalid,
        }
    }
}

impl From<OpeningError> for BlindsumStatus {
    fn from(error: OpeningError) -> Self {
        match error {
            OpeningError::Bounds { .. } => Self::Bounds,
            OpeningError::Dimension { .. } => Self::OpeningDimension,
            OpeningError::Commitment => Self::OpeningCommitment,
            OpeningError::Engine(_) => Self::Engine,
            _ => Self::OpeningRange,
        }
    }
}

/// The ABI's version: major in the upper 16 bits, minor in the lower. Refuse to run with another major than the header's.
#[unsafe(no_mangle)]
pub extern "C" fn blindsum_abi_version() -> u32 {
    ABI_VERSION
}

/// A status in words: a static string, never NULL, for any number.
#[unsafe(no_mangle)]
pub extern "C" fn blindsum_status_message(status: i32) -> *const c_char {
    let known = BlindsumStatus::ALL.iter().find(|known| **known as i32 == status);
    known.map_or(c"unknown status", |known| known.message()).as_ptr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_lie_in_their_ranges_and_have_texts() {
        for (i, status) in BlindsumStatus::ALL.iter().enumerate() {
            let code = *status as i32;
            let text = status.message().to_str().unwrap();
            let range = match text.split(':').next().unwrap() {
                "ok" => 0..1,
                "misuse" => 100..200,
                "encoding" => 200..300,
                "refused" => 300..400,
                "internal" => 400..500,
                other => panic!("{other}"),
            };
            assert!(range.contains(&code), "{code}: {text}");
            assert!(BlindsumStatus::ALL[..i].iter().all(|other| (*other as i32) < code));
        }
        // SAFETY: static strings end in NUL.
        let text = |code| unsafe { CStr::from_ptr(blindsum_status_message(code)) };
        assert_eq!(text(307), BlindsumStatus::ProofInvalid.message());
        assert_eq!(text(-1), c"unknown status");
    }
}
