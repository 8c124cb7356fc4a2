//! Points that stay on the device: uploaded once for as long as the host keeps them, found again by their digest.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use blindsum_shaders::Arithmetic;
use wgpu::BufferUsages;

use super::kernels::{self, dispatches};
use super::plan::{POINT_BYTES, segment_points};
use super::{GpuCurve, STAGING_BYTES};
use crate::error::EngineError;
use crate::gpu::Gpu;
use crate::gpu::batch::Batch;
use crate::gpu::buffers::{Growing, Upload, create};
use crate::gpu::layout::MsmPointsParams;
use crate::gpu::threads::for_each_chunk;
use crate::points::{PackedPoint, Points, WeakPoints};

const OPERATION: &str = "msm_points";
/// Fewest words of the bitmap that a host thread is worth writing.
const WORDS_PER_TASK: usize = 1 << 10;

/// The points of one handle, in buffers that a binding holds whole.
pub(super) struct DevicePoints {
    pub(super) segments: Vec<Segment>,
}

/// One buffer of points, in the limb variant's form, and a bit for every identity among them.
pub(super) struct Segment {
    pub(super) points: wgpu::Buffer,
    pub(super) identities: wgpu::Buffer,
}

/// Points on the device, and by whom they are kept on the host.
type Kept = (WeakPoints, Arc<DevicePoints>);

/// What is on the device, by digest.
#[derive(Default)]
pub(in crate::gpu) struct Resident {
    kept: Mutex<HashMap<[u8; 32], Kept>>,
}

impl Resident {
    /// Handles whose points are on the device.
    pub(in crate::gpu) fn len(&self) -> usize {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The points of this handle, uploaded now if they were not yet. Those that no handle keeps any more go first.
    pub(super) fn get<C: GpuCurve>(
        &self,
        gpu: &Gpu,
        points: &Points<C>,
    ) -> Result<Arc<DevicePoints>, EngineError> {
        let digest = points.digest();
        // Held while uploading, so that no points go up twice.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|key, (handle, _)| handle.is_alive() || *key == digest);
        if let Some((handle, resident)) = kept.get_mut(&digest) {
            // An equal handle of other origin may outlive the first.
            if !handle.is_alive() {
                *handle = points.downgrade();
            }
            return Ok(Arc::clone(resident));
        }
        let resident = Arc::new(gpu.device.scoped(OPERATION, || upload(gpu, points))?);
        kept.insert(digest, (points.downgrade(), Arc::clone(&resident)));
        Ok(resident)
    }
}

#[tracing::instrument(level = "debug", skip_all, fields(curve = C::NAME, n = points.len()))]
fn upload<C: GpuCurve>(gpu: &Gpu, points: &Points<C>) -> Result<DevicePoints, EngineError> {
    let mut upload =
        Upload::new(&gpu.device, "msm_points staging", gpu.limits.chunk_bytes.min(STAGING_BYTES))?;
    let mut params = Growing::new("msm_points params", BufferUsages::UNIFORM | BufferUsages::COPY_DST);
    let usage = BufferUsages::STORAGE | BufferUsages::COPY_DST;
    let mut segments = Vec::new();
    for piece in points.as_slice().chunks(segment_points(&gpu.limits)) {
        let bytes = piece.len() as u64 * POINT_BYTES;
        let identities = identities(piece);
        let segment = Segment {
            points: create(&gpu.device, "msm_points points", bytes, usage, false),
            identities: create(
                &gpu.device,
                "msm_points identities",
                identities.len() as u64 * 4,
                usage,
                false,
            ),
        };
        send(gpu, &mut upload, &segment.points, piece)?;
        send(gpu, &mut upload, &segment.identities, &identities)?;
        if let Some(spec) = kernels::points(Arithmetic { field: C::FIELD, limbs: gpu.limbs() }) {
            let kernel = gpu.kernels.get(&gpu.device, &spec)?;
            let mut batch = Batch::new(OPERATION);
            for (range, grid) in dispatches(gpu, 2 * piece.len() as u64, u64::MAX) {
                let params = MsmPointsParams {
                    begin: range.start,
                    end: range.end,
                    groups_per_row: grid[0],
                    reserved: 0,
                };
                batch.push(&kernel, &params, &[&segment.points], grid);
            }
            batch.submit(&gpu.device, &mut params)?;
        }
        segments.push(segment);
    }
    Ok(DevicePoints { segments })
}

fn send<T: bytemuck::Pod>(
    gpu: &Gpu,
    upload: &mut Upload,
    target: &wgpu::Buffer,
    items: &[T],
) -> Result<(), EngineError> {
    let item_bytes = size_of::<T>() as u64;
    upload.send(&gpu.device, OPERATION, (target, 0), items.len(), item_bytes, |range, mut view| {
        view.copy_from_slice(bytemuck::cast_slice(&items[range]));
    })
}

/// A bit for every point: set where it is the identity.
fn identities(points: &[PackedPoint]) -> Vec<u32> {
    let mut words = vec![0; points.len().div_ceil(32)];
    for_each_chunk(&mut words, WORDS_PER_TASK, |first, words| {
        for (word, points) in words.iter_mut().zip(points[32 * first..].chunks(32)) {
            for (i, point) in points.iter().enumerate() {
                *word |= u32::from(*point == PackedPoint::INFINITY) << i;
            }
        }
    });
    words
}
