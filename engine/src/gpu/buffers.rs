//! Device memory: buffers that grow and are kept, staging in both directions, and their wiping.

use std::sync::mpsc::{Receiver, channel};

use wgpu::{BufferAsyncError, BufferUsages, MapMode, SubmissionIndex};

use super::batch::Batch;
use super::device::Device;
use crate::error::{DeviceError, EngineError};

/// Makes a labelled buffer; a refusal surfaces in the error scope around it.
pub(super) fn create(
    device: &Device,
    label: &'static str,
    bytes: u64,
    usage: BufferUsages,
    mapped: bool,
) -> wgpu::Buffer {
    device.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some(label),
        size: bytes,
        usage,
        mapped_at_creation: mapped,
    })
}

/// A buffer that is replaced by a larger one when it has become too small.
pub(super) struct Growing {
    label: &'static str,
    usage: BufferUsages,
    buffer: Option<wgpu::Buffer>,
}

impl Growing {
    pub(super) const fn new(label: &'static str, usage: BufferUsages) -> Self {
        Self { label, usage, buffer: None }
    }

    /// The buffer, at least `bytes` long. Its content is whatever it was.
    pub(super) fn at_least(&mut self, device: &Device, bytes: u64) -> Result<wgpu::Buffer, EngineError> {
        match &self.buffer {
            Some(buffer) if buffer.size() >= bytes => Ok(buffer.clone()),
            _ => {
                let (label, usage) = (self.label, self.usage);
                // The old one goes first: both together may be too much.
                self.buffer = None;
                let buffer = device.scoped(label, || Ok(create(device, label, bytes, usage, false)))?;
                self.buffer = Some(buffer.clone());
                Ok(buffer)
            }
        }
    }

    /// Notes the wiping of the whole buffer.
    pub(super) fn wipe(&self, batch: &mut Batch) {
        if let Some(buffer) = &self.buffer {
            batch.clear_all(buffer);
        }
    }
}

fn map_error(operation: &'static str, error: &impl ToString) -> EngineError {
    DeviceError::Validation { operation, message: format!("mapping: {}", error.to_string()) }.into()
}

/// A mapping that has been asked for and becomes valid when a submission is done.
struct PendingMap {
    submission: SubmissionIndex,
    answer: Receiver<Result<(), BufferAsyncError>>,
}

impl PendingMap {
    fn ask(buffer: &wgpu::Buffer, mode: MapMode, bytes: u64, submission: SubmissionIndex) -> Self {
        let (sender, answer) = channel();
        buffer.map_async(mode, 0..bytes, move |result| {
            // Nobody listens any more when an error has ended the operation; then nothing is owed.
            let _ = sender.send(result);
        });
        Self { submission, answer }
    }

    fn wait(self, device: &Device, operation: &'static str) -> Result<(), EngineError> {
        device.wait(operation, &self.submission)?;
        match self.answer.try_recv() {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(map_error(operation, &error)),
            Err(error) => Err(map_error(operation, &error)),
        }
    }
}

/// Host to device: a mapped buffer to write to, mapped again after each use.
///
/// `queue.write_buffer` would do the same through memory of its own, which nobody wipes.
pub(super) struct Upload {
    buffer: wgpu::Buffer,
    pending: Option<PendingMap>,
    dirty: u64,
}

impl Upload {
    pub(super) fn new(device: &Device, label: &'static str, bytes: u64) -> Result<Self, EngineError> {
        let usage = BufferUsages::MAP_WRITE | BufferUsages::COPY_SRC;
        let buffer = device.scoped(label, || Ok(create(device, label, bytes, usage, true)))?;
        Ok(Self { buffer, pending: None, dirty: 0 })
    }

    pub(super) fn bytes(&self) -> u64 {
        self.buffer.size()
    }

    /// Writes pieces at byte offsets, in order; waits first until the device is done with the last content.
    pub(super) fn write<'a>(
        &mut self,
        device: &Device,
        operation: &'static str,
        pieces: impl Iterator<Item = (usize, &'a [u8])>,
    ) -> Result<(), EngineError> {
        self.ready(device, operation)?;
        let mut view = self.buffer.get_mapped_range_mut(..).map_err(|error| map_error(operation, &error))?;
        for (at, piece) in pieces {
            let end = at + piece.len();
            view.slice(at..end).copy_from_slice(piece);
            self.dirty = self.dirty.max(end as u64);
        }
        Ok(())
    }

    /// Notes the copy of the first `bytes` to the device; [`Self::submitted`] must follow the submission.
    pub(super) fn copy_to(&self, batch: &mut Batch, target: &wgpu::Buffer, bytes: u64) {
        self.buffer.unmap();
        batch.copy(&self.buffer, 0, target, 0, bytes);
    }

    /// Asks for the memory back once `submission` is done.
    pub(super) fn submitted(&mut self, submission: SubmissionIndex) {
        self.pending = Some(PendingMap::ask(&self.buffer, MapMode::Write, self.buffer.size(), submission));
    }

    fn ready(&mut self, device: &Device, operation: &'static str) -> Result<(), EngineError> {
        match self.pending.take() {
            Some(pending) => pending.wait(device, operation),
            None => Ok(()),
        }
    }

    /// Overwrites everything that was written.
    pub(super) fn wipe(&mut self, device: &Device, operation: &'static str) -> Result<(), EngineError> {
        self.ready(device, operation)?;
        let mut view = self.buffer.get_mapped_range_mut(..).map_err(|error| map_error(operation, &error))?;
        view.slice(..self.dirty as usize).fill(0);
        self.dirty = 0;
        Ok(())
    }
}

/// Device to host: a sum and the staging buffer that it is read through.
pub(super) struct SumSlot {
    sum: Growing,
    staging: Growing,
    pending: Option<(PendingMap, wgpu::Buffer, u64)>,
}

impl SumSlot {
    pub(super) const fn new(sum_label: &'static str, staging_label: &'static str) -> Self {
        Self {
            sum: Growing::new(
                sum_label,
                BufferUsages::STORAGE.union(BufferUsages::COPY_SRC).union(BufferUsages::COPY_DST),
            ),
            staging: Growing::new(staging_label, BufferUsages::MAP_READ.union(BufferUsages::COPY_DST)),
            pending: None,
        }
    }

    /// The sum, at least `bytes` long; notes that its first `bytes` are zeroed.
    pub(super) fn zeroed(
        &mut self,
        device: &Device,
        batch: &mut Batch,
        bytes: u64,
    ) -> Result<wgpu::Buffer, EngineError> {
        let sum = self.sum.at_least(device, bytes)?;
        batch.clear(&sum, 0, bytes);
        Ok(sum)
    }

    /// Notes the copy of the sum's first `bytes` to the staging buffer.
    pub(super) fn copy_back(
        &mut self,
        device: &Device,
        batch: &mut Batch,
        bytes: u64,
    ) -> Result<(), EngineError> {
        let sum = self.sum.at_least(device, bytes)?;
        let staging = self.staging.at_least(device, bytes)?;
        batch.copy(&sum, 0, &staging, 0, bytes);
        Ok(())
    }

    /// Asks for the copied bytes once `submission` is done.
    pub(super) fn submitted(
        &mut self,
        device: &Device,
        bytes: u64,
        submission: SubmissionIndex,
    ) -> Result<(), EngineError> {
        let staging = self.staging.at_least(device, bytes)?;
        self.pending = Some((PendingMap::ask(&staging, MapMode::Read, bytes, submission), staging, bytes));
        Ok(())
    }

    /// Waits for the copied bytes and hands them to `read` as words. Nothing happens when nothing is pending.
    pub(super) fn finish(
        &mut self,
        device: &Device,
        operation: &'static str,
        read: impl FnOnce(&[u32]),
    ) -> Result<(), EngineError> {
        let Some((pending, staging, bytes)) = self.pending.take() else { return Ok(()) };
        pending.wait(device, operation)?;
        {
            let view = staging.get_mapped_range(0..bytes).map_err(|error| map_error(operation, &error))?;
            read(bytemuck::cast_slice(&view));
        }
        staging.unmap();
        Ok(())
    }

    /// Notes the wiping of both buffers.
    pub(super) fn wipe(&self, batch: &mut Batch) {
        self.sum.wipe(batch);
        self.staging.wipe(batch);
    }
}
