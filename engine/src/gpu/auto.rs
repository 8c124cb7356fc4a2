//! The automatic choice: a real adapter is measured against the CPU, and each call goes where it is faster.

use std::time::{Duration, Instant};

use super::Gpu;
use crate::backend::Backend;
use crate::cpu::Cpu;
use crate::curve::{Fq, Fr, Projective};
use crate::error::{DeviceError, EngineError};
use crate::mask::{MaskKey, SignedMask};
use crate::points::{G1, Grumpkin, Points};

/// Keys or rows of a calibration call.
const N_INPUTS: usize = 16;
/// Sizes that are measured, as logarithms of the number of words.
const LOG_WORDS: [u32; 4] = [14, 16, 18, 20];
/// No further size is measured once a call took this long.
const ENOUGH: Duration = Duration::from_millis(200);

/// From how many words of input on the GPU is the faster one; `None` is never.
/// A word of input is one stream word of one mask, or one word of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crossover {
    /// For `mask_expand`.
    pub mask_expand: Option<u64>,
    /// For `sum_rows`.
    pub sum_rows: Option<u64>,
}

impl Crossover {
    /// Measures both backends on calls of growing size. Takes a second at most on a healthy machine.
    ///
    /// # Errors
    /// When a call on the GPU fails.
    pub fn measure(gpu: &Gpu) -> Result<Self, EngineError> {
        let masks: Vec<_> = (0..N_INPUTS).map(|i| SignedMask::add(MaskKey::new([i as u8; 32]))).collect();
        let most = 1 << LOG_WORDS[LOG_WORDS.len() - 1];
        let row = vec![1u32; most];
        let mut acc = vec![0u32; most];
        // The first calls compile the kernels and allocate.
        gpu.mask_expand(&masks, 0, &mut acc[..1024])?;
        gpu.sum_rows(&[&row[..1024]], &mut acc[..1024])?;
        Ok(Self {
            mask_expand: first_win(
                |backend, n_words| backend.mask_expand(&masks, 0, &mut acc[..n_words]),
                gpu,
            )?,
            sum_rows: first_win(
                |backend, n_words| backend.sum_rows(&[&row[..n_words]; N_INPUTS], &mut acc[..n_words]),
                gpu,
            )?,
        })
    }
}

/// The smallest measured size at which the GPU wins, in words of input.
fn first_win(
    mut call: impl FnMut(&dyn Backend, usize) -> Result<(), EngineError>,
    gpu: &Gpu,
) -> Result<Option<u64>, EngineError> {
    let mut best_of_two = |backend: &dyn Backend, n_words| -> Result<Duration, EngineError> {
        let mut best = Duration::MAX;
        for _ in 0..2 {
            let start = Instant::now();
            call(backend, n_words)?;
            best = best.min(start.elapsed());
        }
        Ok(best)
    };
    for log_words in LOG_WORDS {
        let n_words = 1 << log_words;
        let (on_cpu, on_gpu) = (best_of_two(&Cpu, n_words)?, best_of_two(gpu, n_words)?);
        if on_gpu < on_cpu {
            return Ok(Some((n_words * N_INPUTS) as u64));
        }
        if on_gpu.max(on_cpu) > ENOUGH {
            break;
        }
    }
    Ok(None)
}

/// A GPU for large calls and the CPU for the others.
pub struct Auto {
    gpu: Gpu,
    crossover: Crossover,
    name: String,
}

impl Auto {
    /// Sends calls to `gpu` from the sizes of `crossover` on.
    #[must_use]
    pub fn new(gpu: Gpu, crossover: Crossover) -> Self {
        let name = format!("auto({}, {})", gpu.name(), Cpu.name());
        Self { gpu, crossover, name }
    }

    /// The backend for a call of `n_inputs` times `n_words` words.
    fn pick(&self, from: Option<u64>, n_inputs: usize, n_words: usize) -> &dyn Backend {
        match from {
            Some(from) if n_inputs as u64 * n_words as u64 >= from => &self.gpu,
            _ => &Cpu,
        }
    }
}

impl Backend for Auto {
    fn name(&self) -> &str {
        &self.name
    }

    fn mask_expand(&self, masks: &[SignedMask], first_word: u64, acc: &mut [u32]) -> Result<(), EngineError> {
        self.pick(self.crossover.mask_expand, masks.len(), acc.len()).mask_expand(masks, first_word, acc)
    }

    fn sum_rows(&self, rows: &[&[u32]], acc: &mut [u32]) -> Result<(), EngineError> {
        self.pick(self.crossover.sum_rows, rows.len(), acc.len()).sum_rows(rows, acc)
    }

    fn msm_g1_vartime(
        &self,
        points: &Points<G1>,
        scalars: &[Fr],
    ) -> Result<ark_bn254::G1Projective, EngineError> {
        Cpu.msm_g1_vartime(points, scalars)
    }

    fn msm_grumpkin_vartime(
        &self,
        points: &Points<Grumpkin>,
        scalars: &[Fq],
    ) -> Result<Projective, EngineError> {
        Cpu.msm_grumpkin_vartime(points, scalars)
    }

    fn msm_signed(
        &self,
        points: &Points<Grumpkin>,
        rows: &[&[i32]],
        bits: u8,
    ) -> Result<Vec<Projective>, EngineError> {
        Cpu.msm_signed(points, rows, bits)
    }
}

/// Opens what `auto` stands for on this machine, with the reason.
pub(crate) fn open_auto() -> (Box<dyn Backend>, String) {
    let cpu = |reason| -> (Box<dyn Backend>, String) { (Box::new(Cpu), reason) };
    let gpu = match Gpu::open() {
        Ok(gpu) => gpu,
        Err(DeviceError::NoAdapter { .. }) => return cpu("no GPU adapter was found".to_owned()),
        Err(error) => return cpu(error.to_string()),
    };
    let name = gpu.adapter().name.clone();
    if gpu.adapter().is_software() {
        return cpu(format!("the adapter {name} is this same CPU"));
    }
    match Crossover::measure(&gpu) {
        Err(error) => cpu(format!("the adapter {name} failed when measured: {error}")),
        Ok(Crossover { mask_expand: None, sum_rows: None }) => {
            cpu(format!("the CPU was faster than the adapter {name} at every measured size"))
        }
        Ok(crossover) => {
            let from = |n_words: Option<u64>| match n_words {
                Some(n_words) => format!("from {n_words} words of input on"),
                None => "never".to_owned(),
            };
            let reason = format!(
                "measured: mask_expand goes to the GPU {}, sum_rows {}",
                from(crossover.mask_expand),
                from(crossover.sum_rows)
            );
            (Box::new(Auto::new(gpu, crossover)), reason)
        }
    }
}
