//! From the error families of the Rust crates to the exception classes of `blindsum.errors`.
//!
//! The classes are written in Python, where users read them; here each family is given its class, the
//! name of its variant as `reason`, and its message.

use std::fmt::{Debug, Display};

use blindsum_circuits::{
    BatchError, EncodingError, KeyError, ProveError, ProvingKeyError, StatementError, VerifyError,
};
use blindsum_engine::{DecodeError, EngineError, Misuse, opening::OpeningError, schnorr::SignatureError};
use blindsum_protocol::{ConfigError, JournalError, ProtocolError, Refusal, WireError};
use pyo3::{
    prelude::*,
    types::{PyDict, PyType},
};

/// A failure on its way to Python.
pub(crate) struct Failure {
    class: &'static str,
    reason: String,
    message: String,
    slot: Option<u8>,
}

/// What the functions of this module return.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// A failure of `class` for `error`; the reason is the name of its variant.
    pub(crate) fn of(class: &'static str, error: &(impl Debug + Display)) -> Self {
        Self::new(class, &variant(error), error.to_string())
    }

    /// A failure that no error type of the crates below has.
    pub(crate) fn new(class: &'static str, reason: &str, message: impl Into<String>) -> Self {
        Self { class, reason: reason.to_owned(), message: message.into(), slot: None }
    }

    /// A mistake of the caller that only this module can see.
    pub(crate) fn misuse(reason: &str, message: String) -> Self {
        Self::new("Misuse", reason, message)
    }
}

/// The name of the variant: the first word of the derived `Debug` text.
fn variant(error: &impl Debug) -> String {
    format!("{error:?}").chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

impl From<Failure> for PyErr {
    fn from(failure: Failure) -> Self {
        Python::attach(|py| {
            let build = || -> PyResult<PyErr> {
                let class = py.import("blindsum.errors")?.getattr(failure.class)?.cast_into::<PyType>()?;
                let named = PyDict::new(py);
                named.set_item("reason", failure.reason)?;
                if let Some(slot) = failure.slot {
                    named.set_item("slot", slot)?;
                }
                Ok(Self::from_value(class.call((failure.message,), Some(&named))?))
            };
            build().unwrap_or_else(|error| error)
        })
    }
}

impl From<Misuse> for Failure {
    fn from(error: Misuse) -> Self {
        Self::of("Misuse", &error)
    }
}

impl From<DecodeError> for Failure {
    fn from(error: DecodeError) -> Self {
        Self::of("DecodeError", &error)
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Misuse(error) => error.into(),
            EngineError::Device(error) => Self::of("DeviceError", &error),
            other => Self::of("DeviceError", &other),
        }
    }
}

impl From<SignatureError> for Failure {
    fn from(error: SignatureError) -> Self {
        Self::of("StatementError", &error)
    }
}

impl From<EncodingError> for Failure {
    fn from(error: EncodingError) -> Self {
        Self::of("DecodeError", &error)
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        match &error {
            KeyError::Encoding(inner) => Self { reason: variant(inner), ..Self::of("DecodeError", &error) },
            KeyError::Lint(inner) => Self { reason: variant(inner), ..Self::of("VerifyError", &error) },
            _ => Self::of("VerifyError", &error),
        }
    }
}

impl From<VerifyError> for Failure {
    fn from(error: VerifyError) -> Self {
        let named = |reason| Self { reason, ..Self::of("VerifyError", &error) };
        match &error {
            VerifyError::Record(inner) => Self { reason: variant(inner), ..Self::of("Misuse", &error) },
            VerifyError::Encoding(inner) => {
                Self { reason: variant(inner), ..Self::of("DecodeError", &error) }
            }
            VerifyError::Mismatch { element } => named(format!("{element:?}Mismatch")),
            _ => named(variant(&error)),
        }
    }
}

impl From<BatchError> for Failure {
    fn from(error: BatchError) -> Self {
        match error {
            BatchError::Refused { error: inner, .. } => {
                let message = error.to_string();
                Self { message, ..inner.into() }
            }
            _ => Self::of("Misuse", &error),
        }
    }
}

impl From<ProtocolError> for Failure {
    fn from(error: ProtocolError) -> Self {
        match error {
            ProtocolError::Misuse(inner) => Self::of("Misuse", &inner),
            ProtocolError::BadContribution { slot, ref reason } => {
                Self { slot: Some(slot), message: error.to_string(), ..Self::of("BadContribution", reason) }
            }
            ProtocolError::Refused(inner) => inner.into(),
            ProtocolError::Wire(inner) => inner.into(),
            ProtocolError::Journal(inner) => inner.into(),
            ProtocolError::Config(inner) => inner.into(),
            ProtocolError::Engine(inner) => inner.into(),
            other => Self::of("BlindsumError", &other),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(error: Refusal) -> Self {
        Self::of("Refused", &error)
    }
}

impl From<WireError> for Failure {
    fn from(error: WireError) -> Self {
        Self::of("DecodeError", &error)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::of("ConfigError", &error)
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        Self::of("JournalError", &error)
    }
}

impl From<OpeningError> for Failure {
    fn from(error: OpeningError) -> Self {
        match error {
            OpeningError::Engine(inner) => inner.into(),
            _ => Self::of("OpeningError", &error),
        }
    }
}

impl From<StatementError> for Failure {
    fn from(error: StatementError) -> Self {
        Self::of("StatementError", &error)
    }
}

impl From<ProveError> for Failure {
    fn from(error: ProveError) -> Self {
        match error {
            ProveError::Engine(inner) => inner.into(),
            other => Self::of("ProveError", &other),
        }
    }
}

impl From<ProvingKeyError> for Failure {
    fn from(error: ProvingKeyError) -> Self {
        Self::of("ProveError", &error)
    }
}
