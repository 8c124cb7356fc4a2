//! The GPU backend: wgpu on Vulkan, Metal or DX12, with the kernels of `blindsum-shaders`.
//!
//! One [`Gpu`] per process: it opens the device once, compiles a kernel at its first use, and keeps buffers between
//! calls. Calls from several threads take turns. Keys, streams and staging memory are wiped before a call returns; after
//! an error the buffers are dropped instead.

mod auto;
mod batch;
mod buffers;
mod device;
mod disk;
pub mod layout;
mod mask_expand;
mod msm;
mod ntt;
mod pipeline_cache;
pub mod probe;
mod profile;
mod source;
mod sum_rows;
mod threads;

use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

pub(crate) use auto::open_auto;
pub use auto::{Auto, Crossover};
pub use blindsum_shaders::Limbs;
use device::Device;
pub use device::{AdapterReport, adapters};
pub use msm::{GpuCurve, MsmTuning};
pub use profile::{KernelTime, ProfileReport, Transfer};
use source::Kernels;

use crate::backend::Backend;
use crate::cpu::Cpu;
use crate::curve::{Fq, Fr, Projective};
use crate::error::{DeviceError, EngineError};
use crate::mask::SignedMask;
use crate::ntt::{Direction, Domain};
use crate::points::{G1, G2Projective, Grumpkin, PackedG2, Points};

/// Invocations of a workgroup, as the kernels say.
const GROUP: u32 = 64;
/// Invocations of the widest workgroup among the kernels.
const WIDEST_GROUP: u32 = 256;
/// Smallest storage binding that the kernels can work with, in bytes.
const MIN_BINDING_BYTES: u64 = 4096;

/// Bounds on what one dispatch may touch, and the arithmetic of the kernels. The defaults suit a device; tests lower them
/// to reach every edge with little data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GpuLimits {
    /// Largest storage binding in bytes; the adapter's own limit caps it.
    pub binding_bytes: u64,
    /// Most bytes of a sum or of staged rows at a time: memory use against overlap.
    pub chunk_bytes: u64,
    /// Most workgroups along one dimension; the adapter's own limit caps it.
    pub groups_per_dimension: u32,
    /// Most keys of one dispatch.
    pub keys_per_dispatch: u32,
    /// Most blocks times keys of one dispatch: keeps it well below a driver's watchdog (4 GiB of keystream).
    pub blocks_per_dispatch: u64,
    /// Invocations that fill the device: below it, keys are spread over invocations as well, and sums over shorter slices.
    /// `None` goes by the adapter's kind; a processor that plays a GPU has few lanes.
    pub busy_invocations: Option<u32>,
    /// Most entries of a multi-scalar multiplication at a time (a digit of a scalar each): 8 bytes, and 3 to 12 more for the
    /// sums that cross slices.
    pub entries_per_chunk: u64,
    /// How the kernels hold field elements; `None` is the fastest way that the adapter has.
    pub limbs: Option<Limbs>,
    /// Longest that one dispatch should take where its time depends on the device: keeps it below a driver's watchdog.
    pub dispatch_budget: Duration,
}

impl Default for GpuLimits {
    fn default() -> Self {
        Self {
            binding_bytes: u64::MAX,
            chunk_bytes: 32 << 20,
            groups_per_dimension: u32::MAX,
            keys_per_dispatch: 256,
            blocks_per_dispatch: 1 << 26,
            busy_invocations: None,
            entries_per_chunk: 1 << 26,
            limbs: None,
            dispatch_budget: Duration::from_millis(50),
        }
    }
}

/// The first GPU of this machine.
pub struct Gpu {
    name: String,
    limits: GpuLimits,
    device: Device,
    kernels: Kernels,
    /// Buffers of each operation; absent while in use and after an error.
    mask_expand: Mutex<Option<mask_expand::Buffers>>,
    sum_rows: Mutex<Option<sum_rows::Buffers>>,
    msm: Mutex<Option<msm::Buffers>>,
    ntt: Mutex<Option<ntt::Buffers>>,
    /// Points that stay on the device, and how fast it adds them.
    resident: msm::Resident,
    pace: msm::Pace,
    /// Roots of unity of transforms, on the device too.
    roots: ntt::Roots,
}

impl Gpu {
    /// Opens the best adapter: discrete before integrated before virtual before software.
    ///
    /// # Errors
    /// [`DeviceError::NoAdapter`], [`DeviceError::NoDevice`], [`DeviceError::LimitTooSmall`].
    pub fn open() -> Result<Self, DeviceError> {
        Self::with_limits(GpuLimits::default())
    }

    /// Like [`Gpu::open`], with bounds of the caller's choice.
    ///
    /// # Errors
    /// As [`Gpu::open`]; [`DeviceError::MissingFeature`] when the adapter cannot compute with the limbs asked for.
    pub fn with_limits(limits: GpuLimits) -> Result<Self, DeviceError> {
        let device = Device::open(limits.limbs)?;
        let report = &device.report;
        let binding_bytes = limits.binding_bytes.min(report.max_binding_bytes).min(report.max_buffer_bytes);
        let groups_per_dimension = limits.groups_per_dimension.min(report.max_groups);
        // A grid of x and y covers a chunk: an invocation takes 16 bytes of it or more.
        let grid_bytes = u64::from(groups_per_dimension).pow(2).saturating_mul(u64::from(GROUP) * 16);
        let limits = GpuLimits {
            binding_bytes,
            chunk_bytes: limits.chunk_bytes.min(binding_bytes).min(grid_bytes),
            groups_per_dimension,
            busy_invocations: limits.busy_invocations.or(Some(busy_invocations(report))),
            limbs: Some(device.limbs),
            ..limits
        };
        for (what, got, needed) in [
            ("storage binding, bytes", limits.binding_bytes, MIN_BINDING_BYTES),
            ("workgroups per dimension", limits.groups_per_dimension.into(), 2),
            ("chunk, bytes", limits.chunk_bytes, MIN_BINDING_BYTES),
            ("invocations per workgroup", report.max_invocations.into(), WIDEST_GROUP.into()),
            ("keys per dispatch", limits.keys_per_dispatch.into(), 1),
            ("blocks per dispatch", limits.blocks_per_dispatch, 1),
        ] {
            if got < needed {
                return Err(DeviceError::LimitTooSmall { what, needed, got });
            }
        }
        let name = format!("gpu:{}", report.name);
        tracing::info!(adapter = %report.name, kind = report.kind, driver = %report.driver, "GPU opened");
        Ok(Self {
            name,
            limits,
            device,
            kernels: Kernels::default(),
            mask_expand: Mutex::default(),
            sum_rows: Mutex::default(),
            msm: Mutex::default(),
            ntt: Mutex::default(),
            resident: msm::Resident::default(),
            pace: msm::Pace::default(),
            roots: ntt::Roots::default(),
        })
    }

    /// What the opened adapter says about itself.
    #[must_use]
    pub fn adapter(&self) -> &AdapterReport {
        &self.device.report
    }

    /// The bounds in force: those asked for, capped by the adapter's.
    #[must_use]
    pub fn limits(&self) -> GpuLimits {
        self.limits
    }

    /// How the kernels hold field elements on this device.
    #[must_use]
    pub fn limbs(&self) -> Limbs {
        self.device.limbs
    }

    /// `sum_i scalars_i * points_i`, with choices that are otherwise the cost model's: for measurements.
    ///
    /// # Errors
    /// As [`Backend::msm_g1_vartime`]; [`DeviceError::LimitTooSmall`] when the window's buckets do not fit a binding.
    pub fn msm_tuned<C: GpuCurve>(
        &self,
        points: &Points<C>,
        scalars: &[C::ScalarField],
        tuning: MsmTuning,
    ) -> Result<ark_ec::short_weierstrass::Projective<C>, EngineError> {
        msm::msm(self, points, scalars, tuning)
    }

    /// How many handles' points are on the device.
    #[must_use]
    pub fn resident_points(&self) -> usize {
        self.resident.len()
    }

    /// Runs `body` and reports where its time went. Calls that other threads make on this GPU meanwhile are counted too.
    ///
    /// # Errors
    /// Those of `body`; [`Misuse::AlreadyProfiling`](crate::error::Misuse::AlreadyProfiling) inside another profile of
    /// this GPU; [`DeviceError`] when the device fails.
    pub fn profiled<T>(
        &self,
        body: impl FnOnce(&Self) -> Result<T, EngineError>,
    ) -> Result<(T, ProfileReport), EngineError> {
        profile::profiled(&self.device, || body(self))
    }

    /// Invocations that fill the device.
    fn busy_invocations(&self) -> u32 {
        self.limits.busy_invocations.unwrap_or_else(|| busy_invocations(self.adapter()))
    }

    /// Workgroups for `n_invocations`, as a grid with x and y within the limit.
    fn grid(&self, n_invocations: u32) -> [u32; 2] {
        let groups = n_invocations.div_ceil(GROUP).max(1);
        let x = groups.min(self.limits.groups_per_dimension);
        [x, groups.div_ceil(x)]
    }
}

/// Invocations that fill an adapter of this kind.
fn busy_invocations(report: &AdapterReport) -> u32 {
    if report.is_software() { 1 << 12 } else { 1 << 18 }
}

/// Takes the buffers out of their place, runs `body`, and puts them back if all went well.
fn with_buffers<B, T>(
    place: &Mutex<Option<B>>,
    create: impl FnOnce() -> Result<B, EngineError>,
    body: impl FnOnce(&mut B) -> Result<T, EngineError>,
) -> Result<T, EngineError> {
    let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
    let mut buffers = match place.take() {
        Some(buffers) => buffers,
        None => create()?,
    };
    let result = body(&mut buffers)?;
    *place = Some(buffers);
    Ok(result)
}

impl Backend for Gpu {
    fn name(&self) -> &str {
        &self.name
    }

    fn mask_expand(&self, masks: &[SignedMask], first_word: u64, acc: &mut [u32]) -> Result<(), EngineError> {
        mask_expand::mask_expand(self, masks, first_word, acc)
    }

    fn sum_rows(&self, rows: &[&[u32]], acc: &mut [u32]) -> Result<(), EngineError> {
        sum_rows::sum_rows(self, rows, acc)
    }

    fn msm_g1_vartime(
        &self,
        points: &Points<G1>,
        scalars: &[Fr],
    ) -> Result<ark_bn254::G1Projective, EngineError> {
        msm::msm(self, points, scalars, MsmTuning::default())
    }

    fn msm_g2_vartime(
        &self,
        points: &[PackedG2],
        scalars: &[Fr],
        stop: &AtomicBool,
    ) -> Result<Option<G2Projective>, EngineError> {
        // No kernels for G2: the CPU does it, best beside the calls in G1.
        Cpu.msm_g2_vartime(points, scalars, stop)
    }

    fn msm_grumpkin_vartime(
        &self,
        points: &Points<Grumpkin>,
        scalars: &[Fq],
    ) -> Result<Projective, EngineError> {
        msm::msm(self, points, scalars, MsmTuning::default())
    }

    fn msm_signed(
        &self,
        points: &Points<Grumpkin>,
        rows: &[&[i32]],
        bits: u8,
    ) -> Result<Vec<Projective>, EngineError> {
        msm::msm_signed(self, points, rows, bits, MsmTuning::default())
    }

    fn ntt(&self, direction: Direction, domain: Domain, values: &mut [Fr]) -> Result<(), EngineError> {
        ntt::ntt(self, direction, domain, values)
    }

    fn quotient(&self, a: &mut [Fr], b: &mut [Fr]) -> Result<(), EngineError> {
        ntt::quotient(self, a, b)
    }
}
