//! The field and the addition by themselves, on the device: for tests, and for their throughput.
//!
//! Kernels: `shaders/probes/`. The operations are those of the generated texts, in the limb variant of the [`Gpu`].

use blindsum_shaders::{Arithmetic, Field};
use wgpu::BufferUsages;

use super::Gpu;
use super::batch::Batch;
use super::buffers::{Download, Growing, Stretch, Upload};
use super::layout::{ProbeFieldParams, ProbePointParams};
use super::msm::{GpuCurve, dispatches};
use super::source::{Access, KernelSpec};
use crate::error::{EngineError, Misuse};
use crate::points::PackedPoint;

/// Eight words of a field element, least significant first.
pub type Words = [u32; 8];
/// The coordinates X, Y and Z of a point.
pub type PointWords = [Words; 3];

/// What `probe_field` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum FieldOperation {
    /// `a * b`, in Montgomery form.
    Multiply = 0,
    /// `a + b`.
    Add = 1,
    /// `a - b`.
    Subtract = 2,
    /// `-a`.
    Negate = 3,
    /// `a` from the host's Montgomery form to the variant's.
    FromHost = 4,
    /// The integer that `a`, in the host's Montgomery form, stands for.
    IntegerFromHost = 5,
}

/// Applies `operation` to every pair, `rounds` times over: `a = a (op) b`. The results are canonical.
///
/// # Errors
/// [`Misuse::LengthMismatch`] when the lengths differ; [`EngineError::Device`] when the device fails.
pub fn field(
    gpu: &Gpu,
    field: Field,
    operation: FieldOperation,
    rounds: u32,
    a: &[Words],
    b: &[Words],
) -> Result<Vec<Words>, EngineError> {
    if a.len() != b.len() {
        return Err(Misuse::LengthMismatch { what: "operands", expected: a.len(), got: b.len() }.into());
    }
    let spec = KernelSpec {
        name: "probe_field",
        arithmetic: Some(Arithmetic { field, limbs: gpu.limbs() }),
        params_bytes: size_of::<ProbeFieldParams>(),
        buffers: &[Access::Read, Access::Read, Access::ReadWrite],
    };
    let inputs = [bytemuck::cast_slice(a), bytemuck::cast_slice(b)];
    run(gpu, &spec, &inputs, a.len(), |n, groups_per_row| ProbeFieldParams {
        n,
        groups_per_row,
        operation: operation as u32,
        rounds,
    })
}

/// For every `i`, the sum of the `rounds` points from point `i` on, round the end.
///
/// # Errors
/// [`EngineError::Device`] when the device fails.
pub fn sums<C: GpuCurve>(
    gpu: &Gpu,
    points: &[PackedPoint],
    rounds: u32,
) -> Result<Vec<PointWords>, EngineError> {
    let spec = KernelSpec {
        name: "probe_point",
        arithmetic: Some(Arithmetic { field: C::FIELD, limbs: gpu.limbs() }),
        params_bytes: size_of::<ProbePointParams>(),
        buffers: &[Access::Read, Access::ReadWrite],
    };
    run(gpu, &spec, &[bytemuck::cast_slice(points)], points.len(), |n, groups_per_row| ProbePointParams {
        n,
        groups_per_row,
        rounds,
        reserved: 0,
    })
}

/// Uploads the inputs, runs one dispatch of `n` invocations and downloads `n` results.
fn run<T: bytemuck::Pod, P: bytemuck::Pod>(
    gpu: &Gpu,
    spec: &KernelSpec,
    inputs: &[&[u8]],
    n: usize,
    params: impl Fn(u32, u32) -> P,
) -> Result<Vec<T>, EngineError> {
    if n == 0 {
        return Ok(Vec::new());
    }
    let (device, name) = (&gpu.device, spec.name);
    device.scoped(name, || {
        let kernel = gpu.kernels.get(device, spec)?;
        let usage = BufferUsages::STORAGE | BufferUsages::COPY_DST | BufferUsages::COPY_SRC;
        let mut upload = Upload::new(device, "probe staging", gpu.limits.chunk_bytes)?;
        let mut buffers = Vec::new();
        for input in inputs {
            let buffer = Growing::new("probe input", usage).at_least(device, input.len() as u64)?;
            upload.send(device, name, (&buffer, 0), input.len() / 4, 4, |range, mut view| {
                view.copy_from_slice(&input[4 * range.start..4 * range.end]);
            })?;
            buffers.push(buffer);
        }
        let bytes = n as u64 * size_of::<T>() as u64;
        buffers.push(Growing::new("probe output", usage).at_least(device, bytes)?);
        let bound: Vec<&wgpu::Buffer> = buffers.iter().collect();
        let mut batch = Batch::new(name);
        let (_, grid) = dispatches(gpu, n as u64, u64::MAX).next().expect("one invocation at least");
        batch.push(&kernel, &params(n as u32, grid[0]), &bound, grid);
        let mut download = Download::new("probe result staging");
        let results = Stretch { buffer: bound[bound.len() - 1], offset: 0, bytes };
        download.note(device, &mut batch, &[results])?;
        let mut blocks = Growing::new("probe params", BufferUsages::UNIFORM | BufferUsages::COPY_DST);
        let submission = batch.submit(device, &mut blocks)?;
        download.submitted(submission);
        let mut out = Vec::new();
        download.finish(device, name, |words| out.extend_from_slice(bytemuck::cast_slice(words)))?;
        Ok(out)
    })
}
