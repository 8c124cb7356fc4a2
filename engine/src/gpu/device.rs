//! The device: finding it, opening it once, and turning everything that goes wrong with it into typed errors.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use blindsum_shaders::Limbs;
use wgpu::{DeviceType, ErrorFilter, Features, PollError, PollType, SubmissionIndex};

use super::pipeline_cache::PipelineCache;
use super::profile::Profiler;
use crate::cache_dir::cache_dir;
use crate::error::{DeviceError, EngineError};

/// What to install when no adapter is found.
const NO_ADAPTER_HINT: &str = "install a Vulkan driver: on Debian and Ubuntu \
    `apt-get install libvulkan1 mesa-vulkan-drivers` brings the loader, Mesa's drivers and the software adapter \
    llvmpipe; NVIDIA's own driver brings its own; `blindsum doctor` lists what is found";

/// Longest wait for one submission. Dispatches are bounded far below it.
const PATIENCE: Duration = Duration::from_secs(300);
/// Asked for where the adapter has them; nothing else is.
const FEATURES: Features =
    Features::SHADER_INT64.union(Features::TIMESTAMP_QUERY).union(Features::PIPELINE_CACHE);
/// How long one poll blocks before the device is looked at again.
const POLL: Duration = Duration::from_secs(1);

/// What an adapter says about itself.
#[derive(Clone, Debug)]
pub struct AdapterReport {
    /// Its name, e.g. `llvmpipe (LLVM 15.0.6, 256 bits)`.
    pub name: String,
    /// `discrete`, `integrated`, `virtual`, `software` or `other`.
    pub kind: &'static str,
    /// Graphics interface: `vulkan`, `metal`, `dx12`.
    pub interface: String,
    /// Driver and its version.
    pub driver: String,
    /// Largest storage binding in bytes.
    pub max_binding_bytes: u64,
    /// Largest buffer in bytes.
    pub max_buffer_bytes: u64,
    /// Workgroups along one dimension of a dispatch.
    pub max_groups: u32,
    /// Invocations of a workgroup.
    pub max_invocations: u32,
    /// Workgroup memory in bytes.
    pub max_workgroup_bytes: u32,
    /// Names of the features that kernels may one day use, where present.
    pub features: Vec<&'static str>,
}

impl AdapterReport {
    /// Whether the adapter is a processor that plays a GPU.
    #[must_use]
    pub fn is_software(&self) -> bool {
        self.kind == "software"
    }
}

fn kind(device_type: DeviceType) -> &'static str {
    match device_type {
        DeviceType::DiscreteGpu => "discrete",
        DeviceType::IntegratedGpu => "integrated",
        DeviceType::VirtualGpu => "virtual",
        DeviceType::Cpu => "software",
        DeviceType::Other => "other",
    }
}

/// Real adapters before software ones, the strongest kind first.
fn rank(device_type: DeviceType) -> u8 {
    match device_type {
        DeviceType::DiscreteGpu => 0,
        DeviceType::IntegratedGpu => 1,
        DeviceType::VirtualGpu => 2,
        DeviceType::Other => 3,
        DeviceType::Cpu => 4,
    }
}

fn report(adapter: &wgpu::Adapter) -> AdapterReport {
    let (info, limits, present) = (adapter.get_info(), adapter.limits(), adapter.features());
    let features = [
        ("int64", Features::SHADER_INT64),
        ("int64 atomics", Features::SHADER_INT64_ATOMIC_ALL_OPS),
        ("subgroups", Features::SUBGROUP),
        ("timestamps", Features::TIMESTAMP_QUERY),
        ("mappable primary buffers", Features::MAPPABLE_PRIMARY_BUFFERS),
        ("pipeline cache", Features::PIPELINE_CACHE),
    ];
    AdapterReport {
        name: info.name,
        kind: kind(info.device_type),
        interface: info.backend.to_string(),
        driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
        max_binding_bytes: limits.max_storage_buffer_binding_size,
        max_buffer_bytes: limits.max_buffer_size,
        max_groups: limits.max_compute_workgroups_per_dimension,
        max_invocations: limits.max_compute_invocations_per_workgroup,
        max_workgroup_bytes: limits.max_compute_workgroup_storage_size,
        features: features
            .into_iter()
            .filter(|(_, feature)| present.contains(*feature))
            .map(|(name, _)| name)
            .collect(),
    }
}

fn ranked_adapters() -> Vec<wgpu::Adapter> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12;
    let backends = descriptor.backends;
    let instance = wgpu::Instance::new(descriptor);
    let mut adapters = pollster::block_on(instance.enumerate_adapters(backends));
    adapters.sort_by_key(|adapter| rank(adapter.get_info().device_type));
    adapters
}

/// Every adapter of this machine, the one that is opened first in front.
#[must_use]
pub fn adapters() -> Vec<AdapterReport> {
    ranked_adapters().iter().map(report).collect()
}

/// The limbs asked for, if the features allow them; without a wish the fastest.
fn pick_limbs(wish: Option<Limbs>, features: Features, adapter: &str) -> Result<Limbs, DeviceError> {
    let has_int64 = features.contains(Features::SHADER_INT64);
    match wish {
        None if has_int64 => Ok(Limbs::U64x8),
        None => Ok(Limbs::L13x20),
        Some(Limbs::U64x8) if !has_int64 => Err(DeviceError::MissingFeature {
            adapter: adapter.to_owned(),
            feature: "64-bit integers in shaders",
        }),
        Some(limbs) => Ok(limbs),
    }
}

/// What the driver's callbacks have said so far.
#[derive(Default)]
struct Complaints {
    lost: Option<String>,
    uncaptured: Option<String>,
}

/// An open device and its queue.
pub(super) struct Device {
    pub(super) report: AdapterReport,
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    /// How the kernels hold field elements.
    pub(super) limbs: Limbs,
    /// What was compiled before, where the adapter can tell.
    pub(super) pipelines: Option<PipelineCache>,
    pub(super) profiler: Profiler,
    complaints: Arc<Mutex<Complaints>>,
}

impl Device {
    /// Opens the best adapter with all of its limits, and with these limbs or the fastest that it has.
    ///
    /// # Errors
    /// As [`Device::open_at`].
    pub(super) fn open(limbs: Option<Limbs>) -> Result<Self, DeviceError> {
        Self::open_at(limbs, cache_dir(None).as_deref())
    }

    /// Like [`Device::open`], with compiled kernels kept in this directory, or nowhere.
    ///
    /// # Errors
    /// [`DeviceError::NoAdapter`], [`DeviceError::NoDevice`]; [`DeviceError::MissingFeature`] when it lacks what the
    /// limbs need.
    pub(super) fn open_at(limbs: Option<Limbs>, directory: Option<&Path>) -> Result<Self, DeviceError> {
        let adapter = ranked_adapters()
            .into_iter()
            .next()
            .ok_or_else(|| DeviceError::NoAdapter { hint: NO_ADAPTER_HINT.to_owned() })?;
        let report = report(&adapter);
        let features = adapter.features() & FEATURES;
        let limbs = pick_limbs(limbs, features, &report.name)?;
        let (device, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor {
            label: Some("blindsum"),
            required_features: features,
            required_limits: adapter.limits(),
            experimental_features: wgpu::ExperimentalFeatures::disabled(),
            memory_hints: wgpu::MemoryHints::Performance,
            trace: wgpu::Trace::Off,
        }))
        .map_err(|error| DeviceError::NoDevice {
            adapter: report.name.clone(),
            message: error.to_string(),
        })?;

        let complaints = Arc::new(Mutex::new(Complaints::default()));
        let lost = Arc::clone(&complaints);
        device.set_device_lost_callback(move |reason, message| {
            let mut complaints = lost.lock().unwrap_or_else(PoisonError::into_inner);
            complaints.lost.get_or_insert_with(|| format!("{reason:?}: {message}"));
        });
        // The default handler panics; ours keeps the first message for the next check.
        let uncaptured = Arc::clone(&complaints);
        device.on_uncaptured_error(Arc::new(move |error| {
            let mut complaints = uncaptured.lock().unwrap_or_else(PoisonError::into_inner);
            complaints.uncaptured.get_or_insert_with(|| error.to_string());
        }));
        let mut opened =
            Self { report, device, queue, limbs, pipelines: None, profiler: Profiler::default(), complaints };
        if let Some(directory) = directory.filter(|_| features.contains(Features::PIPELINE_CACHE)) {
            let open = || Ok(PipelineCache::open(&opened.device, &adapter.get_info(), directory));
            match opened.scoped("pipeline cache", open) {
                Ok(cache) => opened.pipelines = cache,
                Err(error) => tracing::warn!(%error, "no pipeline cache"),
            }
        }
        Ok(opened)
    }

    /// Whether passes can be timed by the device's clock.
    pub(super) fn has_timestamps(&self) -> bool {
        self.device.features().contains(Features::TIMESTAMP_QUERY)
    }

    /// An encoder for commands of this operation.
    pub(super) fn encoder(&self, operation: &'static str) -> wgpu::CommandEncoder {
        self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some(operation) })
    }

    /// Fails when the device is lost, or has complained outside of every error scope.
    fn check(&self, operation: &'static str) -> Result<(), DeviceError> {
        let complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(message) = &complaints.lost {
            return Err(DeviceError::Lost { message: message.clone() });
        }
        match &complaints.uncaptured {
            Some(message) => Err(DeviceError::Validation { operation, message: message.clone() }),
            None => Ok(()),
        }
    }

    /// Runs `body` inside error scopes. A device error comes before the error of `body`, which is then its consequence.
    pub(super) fn scoped<T>(
        &self,
        operation: &'static str,
        body: impl FnOnce() -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        self.check(operation)?;
        let out_of_memory = self.device.push_error_scope(ErrorFilter::OutOfMemory);
        let validation = self.device.push_error_scope(ErrorFilter::Validation);
        let internal = self.device.push_error_scope(ErrorFilter::Internal);
        let result = body();
        let errors = [internal, validation, out_of_memory].map(|scope| pollster::block_on(scope.pop()));
        if result.is_err() || errors.iter().any(Option::is_some) {
            // A lost device refuses everything that comes after, and says so only to a poll that finds its queue empty.
            let _ = self.device.poll(PollType::Wait { submission_index: None, timeout: Some(POLL) });
        }
        self.check(operation)?;
        let [internal, validation, out_of_memory] = errors;
        match out_of_memory.or(validation).or(internal) {
            Some(error) => Err(typed(operation, &error).into()),
            None => result,
        }
    }

    /// Waits until a submission is done, looking at the device once a second.
    pub(super) fn wait(
        &self,
        operation: &'static str,
        submission: &SubmissionIndex,
    ) -> Result<(), DeviceError> {
        let profiled = self.profiler.start();
        let result = self.poll_until_done(operation, submission);
        self.profiler.waited(profiled);
        result
    }

    fn poll_until_done(
        &self,
        operation: &'static str,
        submission: &SubmissionIndex,
    ) -> Result<(), DeviceError> {
        let start = Instant::now();
        loop {
            let poll = PollType::Wait { submission_index: Some(submission.clone()), timeout: Some(POLL) };
            match self.device.poll(poll) {
                Ok(status) if status.wait_finished() => return self.check(operation),
                Ok(_) | Err(PollError::Timeout) => {}
                Err(error @ PollError::WrongSubmissionIndex(..)) => {
                    self.check(operation)?;
                    return Err(DeviceError::Validation { operation, message: error.to_string() });
                }
            }
            self.check(operation)?;
            if start.elapsed() >= PATIENCE {
                return Err(DeviceError::Timeout { operation, seconds: PATIENCE.as_secs() });
            }
        }
    }
}

/// What an error scope caught, as an error of ours.
fn typed(operation: &'static str, error: &wgpu::Error) -> DeviceError {
    match error {
        wgpu::Error::OutOfMemory { source } => {
            DeviceError::OutOfMemory { operation, message: source.to_string() }
        }
        wgpu::Error::Validation { description, .. } | wgpu::Error::Internal { description, .. } => {
            DeviceError::Validation { operation, message: description.clone() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// llvmpipe never runs out of memory, so the translation alone is tested.
    #[test]
    fn exhausted_memory_is_a_typed_error() {
        let source = || Box::new(std::io::Error::other("2 GiB too many"));
        assert_eq!(
            typed("sum_rows", &wgpu::Error::OutOfMemory { source: source() }),
            DeviceError::OutOfMemory { operation: "sum_rows", message: "2 GiB too many".into() }
        );
        let error = wgpu::Error::Validation { source: source(), description: "no".into() };
        assert_eq!(
            typed("sum_rows", &error),
            DeviceError::Validation { operation: "sum_rows", message: "no".into() }
        );
    }

    #[test]
    fn limbs_follow_the_features() {
        let pick = |wish, features| pick_limbs(wish, features, "an adapter");
        assert_eq!(pick(None, FEATURES), Ok(Limbs::U64x8));
        assert_eq!(pick(None, Features::empty()), Ok(Limbs::L13x20));
        for limbs in Limbs::ALL {
            assert_eq!(pick(Some(limbs), FEATURES), Ok(limbs));
        }
        assert_eq!(pick(Some(Limbs::L13x20), Features::empty()), Ok(Limbs::L13x20));
        assert!(matches!(
            pick(Some(Limbs::U64x8), Features::empty()),
            Err(DeviceError::MissingFeature { .. })
        ));
    }

    #[test]
    #[cfg_attr(skip_gpu_tests, ignore = "built with SKIP_GPU_TESTS=1")]
    fn a_lost_device_is_a_typed_error() {
        let device = Device::open(None).expect("an adapter");
        device.scoped("nothing", || Ok(())).expect("a healthy device");
        device.device.destroy();
        // The callback runs from a poll that finds the queue empty.
        let _ = device.device.poll(PollType::Poll);
        match device.scoped("nothing", || Ok(())) {
            Err(EngineError::Device(DeviceError::Lost { .. })) => {}
            other => panic!("{other:?}"),
        }
    }

    #[test]
    #[cfg_attr(skip_gpu_tests, ignore = "built with SKIP_GPU_TESTS=1")]
    fn a_buffer_beyond_the_limit_is_a_typed_error() {
        let device = Device::open(None).expect("an adapter");
        let result = device.scoped("allocate", || {
            let _ = device.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("too large"),
                size: device.report.max_buffer_bytes + 4,
                usage: wgpu::BufferUsages::STORAGE,
                mapped_at_creation: false,
            });
            Ok(())
        });
        match result {
            Err(EngineError::Device(DeviceError::Validation { operation: "allocate", .. })) => {}
            other => panic!("{other:?}"),
        }
        device.scoped("nothing", || Ok(())).expect("the device is still healthy");
    }
}
