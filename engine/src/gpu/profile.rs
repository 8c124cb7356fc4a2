//! Where the time of calls goes: kernels by the device's own clock, transfers and the host by the host's.
//!
//! Recording is off unless [`Gpu::profiled`](super::Gpu::profiled) runs, and then costs a flag's look per dispatch. A
//! report holds names, counts and times; nothing of the data.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use wgpu::{BufferUsages, MapMode};

use super::buffers::{PendingMap, create, map_error};
use super::device::Device;
use super::source::Kernel;
use crate::error::{EngineError, Misuse};

const OPERATION: &str = "profile";
/// Passes whose two timestamps one query set holds.
const PASSES_PER_SET: usize = wgpu::QUERY_SET_MAX_QUERIES as usize / 2;
const STAMP_BYTES: u64 = wgpu::QUERY_SIZE as u64;
const SET_BYTES: u64 = wgpu::QUERY_SET_MAX_QUERIES as u64 * STAMP_BYTES;

/// What [`Gpu::profiled`](super::Gpu::profiled) saw.
///
/// `wall_ms` is the sum of the host's times: filling staging memory (`upload`), reading it (`download`), waiting for the
/// device, and the rest (`host_milliseconds`). With calls on several threads at once it is less than that sum. Kernels
/// run while the host does any of these.
#[derive(Clone, Debug, PartialEq)]
pub struct ProfileReport {
    /// From beginning to end, by the host's clock.
    pub wall_ms: f64,
    /// Every kernel that ran, in the order of their first dispatches.
    pub kernels: Vec<KernelTime>,
    /// Staging memory filled by the host.
    pub upload: Transfer,
    /// Staging memory read by the host.
    pub download: Transfer,
    /// The host waited for the device: for its kernels, and for its copies from and to staging memory.
    pub wait_milliseconds: f64,
    /// What is left: cutting up, recording, compiling, and arithmetic on the host.
    pub host_milliseconds: f64,
    /// Whether the device has a clock that kernels are timed by; without it their `milliseconds` are zero.
    pub timestamps: bool,
}

/// The dispatches of one kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct KernelTime {
    /// Its name, with the arithmetic where there is one: `sum_rows`, `msm_accumulate fq/u64x8`.
    pub name: String,
    /// How often it was dispatched.
    pub dispatches: u64,
    /// Time on the device in all, by the device's clock.
    pub milliseconds: f64,
    /// What compiling it took, once per device: part of `wall_ms` only if that was its first use.
    pub compile_milliseconds: f64,
}

/// Bytes through staging memory, and the host's time for them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Transfer {
    /// How many.
    pub bytes: u64,
    /// The host's time: copying and, where forms differ, converting.
    pub milliseconds: f64,
}

impl Transfer {
    fn add(&mut self, bytes: u64, took: Duration) {
        self.bytes += bytes;
        self.milliseconds += milliseconds(took);
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The two timestamps of a pass.
pub(super) struct Stamps {
    set: wgpu::QuerySet,
    first: u32,
}

impl Stamps {
    pub(super) fn writes(&self) -> wgpu::ComputePassTimestampWrites<'_> {
        wgpu::ComputePassTimestampWrites {
            query_set: &self.set,
            beginning_of_pass_write_index: Some(self.first),
            end_of_pass_write_index: Some(self.first + 1),
        }
    }
}

/// What has been recorded so far.
#[derive(Default)]
struct Recording {
    /// Pass `i` has queries `2 (i mod n)` and the one after it of set `i div n`, for `n` passes a set.
    passes: Vec<Arc<Kernel>>,
    sets: Vec<wgpu::QuerySet>,
    upload: Transfer,
    download: Transfer,
    wait: Duration,
}

/// The recorder of a device.
#[derive(Default)]
pub(super) struct Profiler {
    on: AtomicBool,
    recording: Mutex<Recording>,
}

/// Ends the recording when it goes, by a panic as well.
struct Running<'a>(&'a Profiler);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.take();
        self.0.on.store(false, Ordering::Release);
    }
}

impl Profiler {
    /// The time now, if anybody wants it.
    pub(super) fn start(&self) -> Option<Instant> {
        self.on.load(Ordering::Acquire).then(Instant::now)
    }

    /// Notes that the host filled so many bytes of staging memory.
    pub(super) fn uploaded(&self, start: Option<Instant>, bytes: u64) {
        if let Some(start) = start {
            self.with(|recording| recording.upload.add(bytes, start.elapsed()));
        }
    }

    /// Notes that the host read so many bytes of staging memory.
    pub(super) fn downloaded(&self, start: Option<Instant>, bytes: u64) {
        if let Some(start) = start {
            self.with(|recording| recording.download.add(bytes, start.elapsed()));
        }
    }

    /// Notes that the host waited for the device.
    pub(super) fn waited(&self, start: Option<Instant>) {
        if let Some(start) = start {
            self.with(|recording| recording.wait += start.elapsed());
        }
    }

    /// Notes a pass; where the device has a clock the pass is to write these.
    pub(super) fn pass(&self, device: &Device, kernel: &Arc<Kernel>) -> Option<Stamps> {
        if !self.on.load(Ordering::Acquire) {
            return None;
        }
        self.with(|recording| {
            let pass = recording.passes.len();
            recording.passes.push(Arc::clone(kernel));
            if !device.has_timestamps() {
                return None;
            }
            if pass / PASSES_PER_SET == recording.sets.len() {
                recording.sets.push(device.device.create_query_set(&wgpu::QuerySetDescriptor {
                    label: Some(OPERATION),
                    ty: wgpu::QueryType::Timestamp,
                    count: wgpu::QUERY_SET_MAX_QUERIES,
                }));
            }
            let set = recording.sets[pass / PASSES_PER_SET].clone();
            Some(Stamps { set, first: 2 * (pass % PASSES_PER_SET) as u32 })
        })
    }

    fn with<T>(&self, body: impl FnOnce(&mut Recording) -> T) -> T {
        body(&mut self.recording.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn take(&self) -> Recording {
        self.with(std::mem::take)
    }
}

/// Runs `body` and reports what the device and the host did meanwhile.
pub(super) fn profiled<T>(
    device: &Device,
    body: impl FnOnce() -> Result<T, EngineError>,
) -> Result<(T, ProfileReport), EngineError> {
    let profiler = &device.profiler;
    if profiler.on.swap(true, Ordering::AcqRel) {
        return Err(Misuse::AlreadyProfiling.into());
    }
    let running = Running(profiler);
    let start = Instant::now();
    let result = body();
    let wall = start.elapsed();
    let recording = profiler.take();
    drop(running);
    let value = result?;
    let report = device.scoped(OPERATION, || report(device, recording, wall))?;
    Ok((value, report))
}

fn report(device: &Device, recording: Recording, wall: Duration) -> Result<ProfileReport, EngineError> {
    let times = device_times(device, &recording)?;
    let mut kernels: Vec<KernelTime> = Vec::new();
    let mut places = HashMap::new();
    for (i, kernel) in recording.passes.iter().enumerate() {
        let place = *places.entry(kernel.title()).or_insert_with(|| {
            kernels.push(KernelTime {
                name: kernel.title().to_owned(),
                dispatches: 0,
                milliseconds: 0.0,
                compile_milliseconds: milliseconds(kernel.compile_time()),
            });
            kernels.len() - 1
        });
        kernels[place].dispatches += 1;
        kernels[place].milliseconds += times.get(i).copied().unwrap_or(0.0);
    }
    let (wall_ms, wait_milliseconds) = (milliseconds(wall), milliseconds(recording.wait));
    let noted = recording.upload.milliseconds + recording.download.milliseconds + wait_milliseconds;
    Ok(ProfileReport {
        wall_ms,
        kernels,
        upload: recording.upload,
        download: recording.download,
        wait_milliseconds,
        host_milliseconds: (wall_ms - noted).max(0.0),
        timestamps: device.has_timestamps(),
    })
}

/// The milliseconds of every pass; empty without a clock.
fn device_times(device: &Device, recording: &Recording) -> Result<Vec<f64>, EngineError> {
    let n_sets = recording.sets.len();
    if n_sets == 0 {
        return Ok(Vec::new());
    }
    let bytes = n_sets as u64 * SET_BYTES;
    let resolved =
        create(device, "profile stamps", bytes, BufferUsages::QUERY_RESOLVE | BufferUsages::COPY_SRC, false);
    let staging =
        create(device, "profile staging", bytes, BufferUsages::MAP_READ | BufferUsages::COPY_DST, false);
    let mut encoder = device.encoder(OPERATION);
    for (i, set) in recording.sets.iter().enumerate() {
        let passes = (recording.passes.len() - i * PASSES_PER_SET).min(PASSES_PER_SET);
        encoder.resolve_query_set(set, 0..2 * passes as u32, &resolved, i as u64 * SET_BYTES);
    }
    encoder.copy_buffer_to_buffer(&resolved, 0, &staging, 0, bytes);
    let submission = device.queue.submit([encoder.finish()]);
    PendingMap::ask(&staging, MapMode::Read, bytes, submission).wait(device, OPERATION)?;
    let view = staging.get_mapped_range(..).map_err(|error| map_error(OPERATION, &error))?;
    let ticks: &[u64] = bytemuck::cast_slice(&view);
    let milliseconds_per_tick = f64::from(device.queue.get_timestamp_period()) / 1e6;
    // Sets follow each other without a gap, so pass i has stamps 2 i and 2 i + 1.
    let pairs = ticks.chunks_exact(2).take(recording.passes.len());
    Ok(pairs.map(|pair| pair[1].saturating_sub(pair[0]) as f64 * milliseconds_per_tick).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Backend;
    use crate::gpu::{Gpu, GpuLimits};
    use crate::mask::{MaskKey, SignedMask};

    #[test]
    #[cfg_attr(skip_gpu_tests, ignore = "built with SKIP_GPU_TESTS=1")]
    fn a_profile_accounts_for_the_time() {
        let gpu = Gpu::open().expect("an adapter");
        let masks: Vec<_> = (0..20).map(|i| SignedMask::add(MaskKey::new([i; 32]))).collect();
        let (row, mut acc) = (vec![1; 100_000], vec![0; 100_000]);
        let ((), report) = gpu
            .profiled(|gpu| {
                gpu.sum_rows(&[row.as_slice(); 3], &mut acc)?;
                gpu.mask_expand(&masks, 0, &mut acc)?;
                gpu.sum_rows(&[row.as_slice(); 3], &mut acc)
            })
            .expect("a healthy device");
        let kernels: Vec<(&str, u64)> =
            report.kernels.iter().map(|kernel| (kernel.name.as_str(), kernel.dispatches)).collect();
        assert_eq!(kernels, [("sum_rows", 2), ("mask_expand", 1)]);
        assert!(report.kernels.iter().all(|kernel| kernel.compile_milliseconds > 0.0));
        assert!(
            report.kernels.iter().all(|kernel| (kernel.milliseconds > 0.0) == report.timestamps),
            "{report:?}"
        );
        assert_eq!(report.upload.bytes, 2 * 3 * 400_000 + 20 * 32);
        assert_eq!(report.download.bytes, 3 * 400_000);
        let parts = report.upload.milliseconds
            + report.download.milliseconds
            + report.wait_milliseconds
            + report.host_milliseconds;
        assert!((parts - report.wall_ms).abs() < 1e-6 * report.wall_ms, "{report:?}");

        // Nothing is left over for the next one.
        let ((), report) = gpu.profiled(|_| Ok(())).expect("a healthy device");
        assert!(report.kernels.is_empty() && report.upload == Transfer::default());
    }

    /// More passes than one query set has room for.
    #[test]
    #[cfg_attr(skip_gpu_tests, ignore = "built with SKIP_GPU_TESTS=1")]
    fn query_sets_are_made_as_needed() {
        let limits = GpuLimits { keys_per_dispatch: 1, ..GpuLimits::default() };
        let gpu = Gpu::with_limits(limits).expect("an adapter");
        let masks = vec![SignedMask::add(MaskKey::new([7; 32])); PASSES_PER_SET + 10];
        let ((), report) =
            gpu.profiled(|gpu| gpu.mask_expand(&masks, 0, &mut [0; 16])).expect("a healthy device");
        assert_eq!(report.kernels[0].dispatches, PASSES_PER_SET as u64 + 10);
        assert_eq!(report.kernels[0].milliseconds > 0.0, report.timestamps);
    }

    #[test]
    #[cfg_attr(skip_gpu_tests, ignore = "built with SKIP_GPU_TESTS=1")]
    fn a_profile_inside_a_profile_is_refused_and_ends_nothing() {
        let gpu = Gpu::open().expect("an adapter");
        let (inner, report) = gpu
            .profiled(|gpu| {
                let inner = gpu.profiled(|_| Ok(())).err();
                gpu.sum_rows(&[&[1; 10]], &mut [0; 10])?;
                Ok(inner)
            })
            .expect("a healthy device");
        assert!(matches!(inner, Some(EngineError::Misuse(Misuse::AlreadyProfiling))));
        assert_eq!(report.kernels.len(), 1);
        assert!(gpu.profiled(|gpu| gpu.sum_rows(&[&[1; 10]], &mut [0; 9])).is_err());
        gpu.profiled(|_| Ok(())).expect("a failure ends the profile");
    }
}
