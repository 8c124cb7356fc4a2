//! The automatic choice: a real adapter is measured against the CPU once, and each call goes where it is faster.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ark_ec::short_weierstrass::Affine;
use ark_ec::{AffineRepr, CurveGroup};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{AdapterReport, Gpu, disk};
use crate::backend::Backend;
use crate::cache_dir::cache_dir;
use crate::cpu::Cpu;
use crate::curve::{Fq, Fr, Projective};
use crate::error::{DeviceError, EngineError};
use crate::mask::{MaskKey, SignedMask};
use crate::ntt::{Direction, Domain};
use crate::points::{Curve, G1, G2Projective, Grumpkin, PackedG2, Points};

/// Keys or rows of a calibration call.
const N_INPUTS: usize = 16;
/// No further size is measured once a call took this long.
const ENOUGH: Duration = Duration::from_millis(200);
/// First line of the file that keeps a measurement.
const FILE_FORMAT: &str = "blindsum crossover 1";

/// From how much input on the GPU is the faster one; `None` is never.
/// A word of input is one stream word of one mask, or one word of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crossover {
    /// For `mask_expand`, in words of input.
    pub mask_expand: Option<u64>,
    /// For `sum_rows`, in words of input.
    pub sum_rows: Option<u64>,
    /// For `msm_g1_vartime` and `msm_grumpkin_vartime`, in points.
    pub msm: Option<u64>,
    /// For `msm_signed`, in words of input.
    pub msm_signed: Option<u64>,
    /// For `ntt`, in elements.
    pub ntt: Option<u64>,
    /// For `quotient`, in elements of A.
    pub quotient: Option<u64>,
}

/// A calibration call with its inputs.
type Call = Box<dyn FnMut(&dyn Backend) -> Result<(), EngineError>>;

/// An operation that is measured. A new one is an entry of [`OPERATIONS`], a field of [`Crossover`], and its line in
/// `impl Backend for Auto`.
struct Operation {
    name: &'static str,
    field: fn(&mut Crossover) -> &mut Option<u64>,
    /// Sizes that are measured, as logarithms.
    log_sizes: &'static [u32],
    /// What a call of this size is counted as.
    input: fn(usize) -> u64,
    unit: &'static str,
    /// A call of this size.
    prepare: fn(usize) -> Call,
}

const OPERATIONS: &[Operation] = &[
    Operation {
        name: "mask_expand",
        field: |crossover| &mut crossover.mask_expand,
        log_sizes: &[14, 16, 18, 20],
        input: |n_words| (n_words * N_INPUTS) as u64,
        unit: "words of input",
        prepare: |n_words| {
            let masks: Vec<_> = (0..N_INPUTS).map(|i| SignedMask::add(MaskKey::new([i as u8; 32]))).collect();
            let mut acc = vec![0; n_words];
            Box::new(move |backend| backend.mask_expand(&masks, 0, &mut acc))
        },
    },
    Operation {
        name: "sum_rows",
        field: |crossover| &mut crossover.sum_rows,
        log_sizes: &[14, 16, 18, 20],
        input: |n_words| (n_words * N_INPUTS) as u64,
        unit: "words of input",
        prepare: |n_words| {
            let row = vec![1; n_words];
            let mut acc = vec![0; n_words];
            Box::new(move |backend| backend.sum_rows(&[row.as_slice(); N_INPUTS], &mut acc))
        },
    },
    // Both curves cost the same, so one is measured.
    Operation {
        name: "msm",
        field: |crossover| &mut crossover.msm,
        log_sizes: &[12, 14, 16, 18],
        input: |n_points| n_points as u64,
        unit: "points",
        prepare: |n_points| {
            let points = multiples::<G1>(n_points);
            // Full scalars without a source of randomness: powers of a number of 64 bits.
            let base = Fr::from(0x9e37_79b9_7f4a_7c15u64);
            let scalars: Vec<Fr> =
                core::iter::successors(Some(base), |power| Some(*power * base)).take(n_points).collect();
            Box::new(move |backend| backend.msm_g1_vartime(&points, &scalars).map(drop))
        },
    },
    Operation {
        name: "msm_signed",
        field: |crossover| &mut crossover.msm_signed,
        log_sizes: &[14, 16, 18, 20],
        input: |n_words| n_words as u64,
        unit: "words of input",
        prepare: |n_words| {
            let points = multiples::<Grumpkin>(n_words);
            let words: Vec<i32> =
                (0..n_words as u32).map(|j| j.wrapping_mul(0x9e37_79b9) as i32 >> 16).collect();
            Box::new(move |backend| backend.msm_signed(&points, &[&words], 16).map(drop))
        },
    },
    Operation {
        name: "ntt",
        field: |crossover| &mut crossover.ntt,
        log_sizes: &[12, 14, 16, 18, 20],
        input: |n| n as u64,
        unit: "elements",
        prepare: |n| {
            let mut values = vec![Fr::from(3u8); n];
            Box::new(move |backend| backend.ntt(Direction::Forward, Domain::Subgroup, &mut values))
        },
    },
    Operation {
        name: "quotient",
        field: |crossover| &mut crossover.quotient,
        log_sizes: &[12, 14, 16, 18],
        input: |n| n as u64,
        unit: "elements",
        prepare: |n| {
            let (mut a, mut b) = (vec![Fr::from(3u8); n], vec![Fr::from(5u8); n]);
            Box::new(move |backend| backend.quotient(&mut a, &mut b))
        },
    },
];

/// `1 P, 2 P, .. , n P` of the generator.
fn multiples<C: Curve>(n: usize) -> Points<C> {
    let generator = Affine::<C>::generator();
    let sums: Vec<_> =
        core::iter::successors(Some(generator.into_group()), |sum| Some(*sum + generator)).take(n).collect();
    Points::new(&ark_ec::short_weierstrass::Projective::normalize_batch(&sums))
}

impl Operation {
    fn get(&self, mut crossover: Crossover) -> Option<u64> {
        *(self.field)(&mut crossover)
    }
}

impl Crossover {
    /// Everything goes to the CPU.
    pub const NEVER: Self =
        Self { mask_expand: None, sum_rows: None, msm: None, msm_signed: None, ntt: None, quotient: None };

    /// Measures both backends on calls of growing size. Takes a second or two on a healthy machine.
    ///
    /// # Errors
    /// When a call on the GPU fails.
    pub fn measure(gpu: &Gpu) -> Result<Self, EngineError> {
        let mut crossover = Self::NEVER;
        for operation in OPERATIONS {
            *(operation.field)(&mut crossover) = first_win(operation, gpu)?;
        }
        tracing::debug!(?crossover, "measured");
        Ok(crossover)
    }

    /// One line an operation: its name and where the GPU wins.
    fn lines(self) -> String {
        let mut lines = String::new();
        for operation in OPERATIONS {
            let _ = match operation.get(self) {
                Some(from) => writeln!(lines, "{} {from}", operation.name),
                None => writeln!(lines, "{} never", operation.name),
            };
        }
        lines
    }

    /// Reads what [`Crossover::lines`] wrote; `None` for anything else.
    fn from_lines(lines: &str) -> Option<Self> {
        let mut crossover = Self::NEVER;
        let mut lines_left = lines.lines();
        for operation in OPERATIONS {
            let value = lines_left.next()?.strip_prefix(operation.name)?.strip_prefix(' ')?;
            *(operation.field)(&mut crossover) = match value {
                "never" => None,
                number => Some(number.parse().ok()?),
            };
        }
        (crossover.lines() == lines).then_some(crossover)
    }

    /// For people: which operation goes to the GPU from where on.
    fn summary(self) -> String {
        let parts: Vec<String> = OPERATIONS
            .iter()
            .map(|operation| match operation.get(self) {
                Some(from) => format!("{} from {from} {} on", operation.name, operation.unit),
                None => format!("{} never", operation.name),
            })
            .collect();
        parts.join(", ")
    }
}

/// The smallest measured size at which the GPU wins, as the operation counts it.
fn first_win(operation: &Operation, gpu: &Gpu) -> Result<Option<u64>, EngineError> {
    for log_size in operation.log_sizes {
        let size = 1 << log_size;
        let mut call = (operation.prepare)(size);
        let mut best_of_two = |backend: &dyn Backend| -> Result<Duration, EngineError> {
            let mut best = Duration::MAX;
            for _ in 0..2 {
                let start = Instant::now();
                call(backend)?;
                best = best.min(start.elapsed());
            }
            Ok(best)
        };
        let on_cpu = best_of_two(&Cpu)?;
        // The first calls compile and allocate; only the next ones count.
        best_of_two(gpu)?;
        let on_gpu = best_of_two(gpu)?;
        if on_gpu < on_cpu {
            return Ok(Some((operation.input)(size)));
        }
        if on_gpu.max(on_cpu) > ENOUGH {
            break;
        }
    }
    Ok(None)
}

/// What a measurement depends on: it holds for this adapter, driver, version and processor alone.
fn file_head(adapter: &AdapterReport) -> String {
    // A driver may say anything about itself; a line stays a line.
    let line = |text: &str| text.replace(['\n', '\r'], " ");
    format!(
        "{FILE_FORMAT}\nversion {}\nadapter {}\ninterface {}\ndriver {}\ncpu threads {}\n",
        env!("CARGO_PKG_VERSION"),
        line(&adapter.name),
        line(&adapter.interface),
        line(&adapter.driver),
        rayon::current_num_threads(),
    )
}

fn file_path(directory: &Path, head: &str) -> PathBuf {
    let digest = Sha256::digest(head);
    let mut key = String::new();
    for byte in &digest[..8] {
        let _ = write!(key, "{byte:02x}");
    }
    directory.join(format!("crossover-{key}.txt"))
}

/// The measurement kept in this directory, if there is an intact one.
fn load(directory: &Path, head: &str) -> Option<(Crossover, PathBuf)> {
    let path = file_path(directory, head);
    let text = fs::read_to_string(&path).ok()?;
    match text.strip_prefix(head).and_then(Crossover::from_lines) {
        Some(crossover) => Some((crossover, path)),
        None => {
            tracing::warn!(path = %path.display(), "a damaged measurement is ignored");
            None
        }
    }
}

fn store(directory: &Path, head: &str, crossover: Crossover) {
    let path = file_path(directory, head);
    if let Err(error) = disk::replace(&path, format!("{head}{}", crossover.lines()).as_bytes()) {
        tracing::warn!(path = %path.display(), %error, "the measurement was not kept");
    }
}

/// The measurement of this adapter, from the directory or made now, and where it is from.
fn kept_or_measured(gpu: &Gpu, directory: Option<&Path>) -> Result<(Crossover, String), EngineError> {
    let head = file_head(gpu.adapter());
    if let Some((crossover, path)) = directory.and_then(|directory| load(directory, &head)) {
        return Ok((crossover, format!("measured before, cached in {}", path.display())));
    }
    let crossover = Crossover::measure(gpu)?;
    if let Some(directory) = directory {
        store(directory, &head, crossover);
    }
    Ok((crossover, "measured".to_owned()))
}

/// A GPU for large calls and the CPU for the others.
///
/// When the GPU is lost in the middle of a call, the CPU does that call over again and all that follow.
pub struct Auto {
    gpu: Gpu,
    crossover: Crossover,
    name: String,
    lost: AtomicBool,
}

impl Auto {
    /// Sends calls to `gpu` from the sizes of `crossover` on.
    #[must_use]
    pub fn new(gpu: Gpu, crossover: Crossover) -> Self {
        let name = format!("auto({}, {})", gpu.name(), Cpu.name());
        Self { gpu, crossover, name, lost: AtomicBool::new(false) }
    }

    /// Whether a call with so much input goes to the GPU.
    fn prefers_gpu(&self, from: Option<u64>, input: u64) -> bool {
        from.is_some_and(|from| input >= from) && !self.lost.load(Ordering::Relaxed)
    }

    /// Runs a call that gives a value where it is faster, and on the CPU if the GPU is lost.
    fn run<T>(
        &self,
        from: Option<u64>,
        input: u64,
        mut call: impl FnMut(&dyn Backend) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        if !self.prefers_gpu(from, input) {
            return call(&Cpu);
        }
        match call(&self.gpu) {
            Err(EngineError::Device(DeviceError::Lost { message })) => {
                tracing::warn!(gpu = self.gpu.name(), message, "the GPU is lost; the CPU goes on alone");
                self.lost.store(true, Ordering::Relaxed);
                call(&Cpu)
            }
            result => result,
        }
    }

    /// Like [`Auto::run`], for a call that adds to `acc`: part of it may have been added when the GPU is lost, so each
    /// attempt starts from what was there before.
    fn run_on(
        &self,
        from: Option<u64>,
        input: u64,
        acc: &mut [u32],
        call: impl Fn(&dyn Backend, &mut [u32]) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        if !self.prefers_gpu(from, input) {
            return call(&Cpu, acc);
        }
        // An accumulator may hold an update that is not masked yet.
        let before = Zeroizing::new(acc.to_vec());
        let mut is_first = true;
        self.run(from, input, |backend| {
            if !std::mem::take(&mut is_first) {
                acc.copy_from_slice(&before);
            }
            call(backend, acc)
        })
    }
}

/// Words of input of `n_inputs` masks or rows.
fn input_words(n_inputs: usize, n_words: usize) -> u64 {
    n_inputs as u64 * n_words as u64
}

impl Backend for Auto {
    fn name(&self) -> &str {
        &self.name
    }

    fn mask_expand(&self, masks: &[SignedMask], first_word: u64, acc: &mut [u32]) -> Result<(), EngineError> {
        let input = input_words(masks.len(), acc.len());
        self.run_on(self.crossover.mask_expand, input, acc, |backend, acc| {
            backend.mask_expand(masks, first_word, acc)
        })
    }

    fn sum_rows(&self, rows: &[&[u32]], acc: &mut [u32]) -> Result<(), EngineError> {
        let input = input_words(rows.len(), acc.len());
        self.run_on(self.crossover.sum_rows, input, acc, |backend, acc| backend.sum_rows(rows, acc))
    }

    fn msm_g1_vartime(
        &self,
        points: &Points<G1>,
        scalars: &[Fr],
    ) -> Result<ark_bn254::G1Projective, EngineError> {
        self.run(self.crossover.msm, points.len() as u64, |backend| backend.msm_g1_vartime(points, scalars))
    }

    fn msm_g2_vartime(
        &self,
        points: &[PackedG2],
        scalars: &[Fr],
        stop: &AtomicBool,
    ) -> Result<Option<G2Projective>, EngineError> {
        Cpu.msm_g2_vartime(points, scalars, stop)
    }

    fn msm_grumpkin_vartime(
        &self,
        points: &Points<Grumpkin>,
        scalars: &[Fq],
    ) -> Result<Projective, EngineError> {
        self.run(self.crossover.msm, points.len() as u64, |backend| {
            backend.msm_grumpkin_vartime(points, scalars)
        })
    }

    fn msm_signed(
        &self,
        points: &Points<Grumpkin>,
        rows: &[&[i32]],
        bits: u8,
    ) -> Result<Vec<Projective>, EngineError> {
        let input = input_words(rows.len(), points.len());
        self.run(self.crossover.msm_signed, input, |backend| backend.msm_signed(points, rows, bits))
    }

    // The GPU leaves the vectors as they were unless all has gone well, so the CPU can start from them.
    fn ntt(&self, direction: Direction, domain: Domain, values: &mut [Fr]) -> Result<(), EngineError> {
        self.run(self.crossover.ntt, values.len() as u64, |backend| backend.ntt(direction, domain, values))
    }

    fn quotient(&self, a: &mut [Fr], b: &mut [Fr]) -> Result<(), EngineError> {
        self.run(self.crossover.quotient, a.len() as u64, |backend| backend.quotient(a, b))
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
    match kept_or_measured(&gpu, cache_dir(None).as_deref()) {
        Err(error) => cpu(format!("the adapter {name} failed when measured: {error}")),
        Ok((Crossover::NEVER, how)) => {
            cpu(format!("{how}: the CPU was faster than the adapter {name} at every measured size"))
        }
        Ok((crossover, how)) => {
            let reason = format!("{how}: to the GPU goes {}", crossover.summary());
            (Box::new(Auto::new(gpu, crossover)), reason)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{curve, naive};

    const SOME: Crossover = Crossover { mask_expand: Some(1 << 18), msm: Some(1 << 16), ..Crossover::NEVER };

    #[test]
    fn a_measurement_is_kept_and_damage_is_ignored() {
        let directory = tempfile::tempdir().expect("a directory");
        let (head, other) = (format!("{FILE_FORMAT}\nadapter a\n"), format!("{FILE_FORMAT}\nadapter b\n"));
        assert_eq!(load(directory.path(), &head), None);
        store(directory.path(), &head, SOME);
        let (crossover, path) = load(directory.path(), &head).expect("kept");
        assert_eq!(crossover, SOME);
        assert_eq!(load(directory.path(), &other), None);

        let good = fs::read_to_string(&path).expect("the file");
        for bad in [
            String::new(),
            head.clone(),
            good.replace("crossover 1", "crossover 2"),
            good.replace("262144", "many"),
            good.replace("262144", "+262144"),
            good.replace("never", "99999999999999999999999"),
            good.replace("sum_rows", "sum_row"),
            format!("{good}another 5\n"),
            good.trim_end().to_owned(),
        ] {
            fs::write(&path, &bad).expect("a writable file");
            assert_eq!(load(directory.path(), &head), None, "{bad:?}");
        }
    }

    #[test]
    fn the_summary_names_every_operation() {
        assert_eq!(
            SOME.summary(),
            "mask_expand from 262144 words of input on, sum_rows never, msm from 65536 points on, msm_signed never, \
             ntt never, quotient never"
        );
    }

    #[test]
    #[cfg_attr(skip_gpu_tests, ignore = "built with SKIP_GPU_TESTS=1")]
    fn an_adapter_is_measured_once() {
        let gpu = Gpu::open().expect("an adapter");
        let directory = tempfile::tempdir().expect("a directory");
        let (first, how) = kept_or_measured(&gpu, Some(directory.path())).expect("a healthy device");
        assert_eq!(how, "measured");
        let (second, how) = kept_or_measured(&gpu, Some(directory.path())).expect("a healthy device");
        assert_eq!(first, second);
        assert!(how.starts_with("measured before, cached in "), "{how}");
        assert!(file_head(gpu.adapter()).contains(&gpu.adapter().name));
    }

    const EVERYTHING: Crossover = Crossover {
        mask_expand: Some(0),
        sum_rows: Some(0),
        msm: Some(0),
        msm_signed: Some(0),
        ntt: Some(0),
        quotient: Some(0),
    };

    /// Checks both operations; `acc` starts with words of its own.
    fn check_sums(backend: &dyn Backend, n_words: usize) {
        let masks: Vec<_> = (0..9).map(|i| SignedMask::subtract(MaskKey::new([i; 32]))).collect();
        let start: Vec<u32> = (0..n_words as u32).collect();
        let (mut got, mut expected) = (start.clone(), start.clone());
        backend.mask_expand(&masks, 3, &mut got).expect("the CPU does not fail");
        naive::mask_expand(&masks, 3, &mut expected);
        assert!(got == expected, "mask_expand");
        backend.sum_rows(&[&start, &start], &mut got).expect("the CPU does not fail");
        naive::sum_rows(&[&start, &start], &mut expected);
        assert!(got == expected, "sum_rows");

        let (points, words) = (multiples::<Grumpkin>(64), [-3; 64]);
        let scalars = [Fq::from(5u8); 64];
        // 1 + 2 + .. + 64
        let sum = curve::generator() * Fq::from(32 * 65u64);
        let got = backend.msm_signed(&points, &[&words], 3).expect("the CPU does not fail");
        assert_eq!(got, [-sum * Fq::from(3u8)], "msm_signed");
        let got = backend.msm_grumpkin_vartime(&points, &scalars).expect("the CPU does not fail");
        assert_eq!(got, sum * scalars[0], "msm");

        let values: Vec<Fr> = (0..32u64).map(Fr::from).collect();
        let (mut got, mut expected) = (values.clone(), values.clone());
        backend.ntt(Direction::Inverse, Domain::OddCoset, &mut got).expect("the CPU does not fail");
        naive::ntt(Direction::Inverse, Domain::OddCoset, &mut expected);
        assert!(got == expected, "ntt");
        let (mut a, mut b) = (values.clone(), got);
        let expected = naive::quotient(&a, &b);
        backend.quotient(&mut a, &mut b).expect("the CPU does not fail");
        assert!(a == expected, "quotient");
    }

    #[test]
    #[cfg_attr(skip_gpu_tests, ignore = "built with SKIP_GPU_TESTS=1")]
    fn a_lost_gpu_is_replaced_by_the_cpu() {
        let auto = Auto::new(Gpu::open().expect("an adapter"), EVERYTHING);
        check_sums(&auto, 5000);
        assert!(!auto.lost.load(Ordering::Relaxed));
        auto.gpu.device.device.destroy();
        check_sums(&auto, 5000);
        assert!(auto.lost.load(Ordering::Relaxed));
        check_sums(&auto, 5000);
    }

    /// A GPU by itself says what happened.
    #[test]
    #[cfg_attr(skip_gpu_tests, ignore = "built with SKIP_GPU_TESTS=1")]
    fn a_lost_gpu_alone_is_an_error() {
        let gpu = Gpu::open().expect("an adapter");
        gpu.device.device.destroy();
        for _ in 0..2 {
            match gpu.sum_rows(&[&[1; 100]], &mut [0; 100]) {
                Err(EngineError::Device(DeviceError::Lost { .. })) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Destroyed at any moment of a call: part of the sum may have been added by then.
    #[test]
    #[cfg_attr(skip_gpu_tests, ignore = "built with SKIP_GPU_TESTS=1")]
    fn a_gpu_lost_in_the_middle_of_a_call_leaves_the_right_sum() {
        let limits = super::super::GpuLimits { chunk_bytes: 1 << 14, ..Default::default() };
        for delay_ms in [1, 5, 20, 60] {
            let auto = Auto::new(Gpu::with_limits(limits).expect("an adapter"), EVERYTHING);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    std::thread::sleep(Duration::from_millis(delay_ms));
                    auto.gpu.device.device.destroy();
                });
                for _ in 0..3 {
                    check_sums(&auto, 300_000);
                }
            });
        }
    }
}
