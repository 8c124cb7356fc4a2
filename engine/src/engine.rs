//! Picking a backend, once per process.

use core::fmt;
use core::str::FromStr;

use crate::backend::Backend;
use crate::cpu::Cpu;
use crate::error::{DeviceError, EngineError};

/// Which backend the caller wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BackendChoice {
    /// The CPU.
    Cpu,
    /// The GPU, or an error. Never anything else.
    Gpu,
    /// The faster one, by what the adapter is and by a measurement; [`Selection`] says which and why.
    #[default]
    Auto,
}

impl fmt::Display for BackendChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cpu => "cpu",
            Self::Gpu => "gpu",
            Self::Auto => "auto",
        })
    }
}

/// A word that names no backend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no backend is named {got}: the choices are cpu, gpu and auto")]
pub struct UnknownBackend {
    /// The word.
    pub got: String,
}

impl FromStr for BackendChoice {
    type Err = UnknownBackend;

    fn from_str(word: &str) -> Result<Self, UnknownBackend> {
        match word {
            "cpu" => Ok(Self::Cpu),
            "gpu" => Ok(Self::Gpu),
            "auto" => Ok(Self::Auto),
            _ => Err(UnknownBackend { got: word.to_owned() }),
        }
    }
}

/// What was picked, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// What the caller asked for.
    pub choice: BackendChoice,
    /// Name of the backend, e.g. `cpu` or `gpu:NVIDIA H200`.
    pub backend: String,
    /// The reason, in one sentence.
    pub reason: String,
}

/// A backend, opened once and kept for the life of the process: put it in a `OnceLock` or an `Arc`.
///
/// ```
/// use blindsum_engine::engine::{BackendChoice, Engine};
/// use blindsum_engine::mask::{MaskKey, SignedMask};
///
/// let engine = Engine::open(BackendChoice::Cpu)?;
/// let key = MaskKey::new([7; 32]);
/// let update = [1u32, 2, 3];
/// let mut words = update;
/// engine.backend().mask_expand(&[SignedMask::add(key.clone())], 0, &mut words)?;
/// assert_ne!(words, update);
/// engine.backend().mask_expand(&[SignedMask::subtract(key)], 0, &mut words)?;
/// assert_eq!(words, update);
/// # Ok::<(), blindsum_engine::EngineError>(())
/// ```
pub struct Engine {
    backend: Box<dyn Backend>,
    selection: Selection,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("selection", &self.selection).finish_non_exhaustive()
    }
}

impl Engine {
    /// Opens the backend of this choice.
    ///
    /// # Errors
    /// [`BackendChoice::Gpu`] without a usable GPU is [`EngineError::Device`]. The other choices do not fail.
    pub fn open(choice: BackendChoice) -> Result<Self, EngineError> {
        let (backend, reason): (Box<dyn Backend>, String) = match choice {
            BackendChoice::Cpu => (Box::new(Cpu), "asked for".to_owned()),
            BackendChoice::Gpu => (open_gpu()?, "asked for".to_owned()),
            BackendChoice::Auto => open_auto(),
        };
        let selection = Selection { choice, backend: backend.name().to_owned(), reason };
        tracing::info!(choice = %selection.choice, backend = %selection.backend, reason = %selection.reason, "backend");
        Ok(Self { backend, selection })
    }

    /// The backend that was picked.
    #[must_use]
    pub fn backend(&self) -> &dyn Backend {
        &*self.backend
    }

    /// What was picked, and why.
    #[must_use]
    pub fn selection(&self) -> &Selection {
        &self.selection
    }
}

#[cfg(feature = "gpu")]
fn open_gpu() -> Result<Box<dyn Backend>, DeviceError> {
    Ok(Box::new(crate::gpu::Gpu::open()?))
}

#[cfg(feature = "gpu")]
fn open_auto() -> (Box<dyn Backend>, String) {
    crate::gpu::open_auto()
}

#[cfg(not(feature = "gpu"))]
fn open_gpu() -> Result<Box<dyn Backend>, DeviceError> {
    Err(DeviceError::NotBuilt)
}

#[cfg(not(feature = "gpu"))]
fn open_auto() -> (Box<dyn Backend>, String) {
    (Box::new(Cpu), DeviceError::NotBuilt.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_have_one_spelling() {
        for choice in [BackendChoice::Cpu, BackendChoice::Gpu, BackendChoice::Auto] {
            assert_eq!(choice.to_string().parse(), Ok(choice));
        }
        assert_eq!("CPU".parse::<BackendChoice>(), Err(UnknownBackend { got: "CPU".into() }));
    }

    #[test]
    fn the_selection_says_what_was_picked() {
        let engine = Engine::open(BackendChoice::Cpu).expect("the CPU is always there");
        assert_eq!(engine.backend().name(), "cpu");
        assert_eq!(engine.selection().backend, "cpu");
        let engine = Engine::open(BackendChoice::Auto).expect("auto does not fail");
        assert_eq!(engine.selection().choice, BackendChoice::Auto);
        assert_eq!(engine.selection().backend, engine.backend().name());
        assert!(!engine.selection().reason.is_empty());
    }

    #[test]
    #[cfg(not(feature = "gpu"))]
    fn a_forced_gpu_is_never_replaced() {
        assert!(matches!(Engine::open(BackendChoice::Gpu), Err(EngineError::Device(DeviceError::NotBuilt))));
    }
}
