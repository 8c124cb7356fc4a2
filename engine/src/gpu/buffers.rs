//! Device memory: buffers that grow and are kept, staging in both directions, and their wiping.

use std::ops::Range;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use wgpu::{BufferAsyncError, BufferUsages, MapMode, SubmissionIndex, WriteOnly};

use super::batch::Batch;
use super::device::Device;
use super::threads::for_each_staged_block;
use crate::error::{DeviceError, EngineError};

/// Bytes of staging memory that a host thread wipes at a time.
const WIPED_BLOCK: usize = 1 << 20;

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
    /// Bytes that have been asked for since it was wiped; the rest of a buffer that a larger call left is clean.
    dirty: u64,
}

impl Growing {
    pub(super) const fn new(label: &'static str, usage: BufferUsages) -> Self {
        Self { label, usage, buffer: None, dirty: 0 }
    }

    /// The buffer, at least `bytes` long, of which so many may be written. Its content is whatever it was.
    pub(super) fn at_least(&mut self, device: &Device, bytes: u64) -> Result<wgpu::Buffer, EngineError> {
        self.dirty = self.dirty.max(bytes);
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

    /// Notes the wiping of all that may have been written.
    pub(super) fn wipe(&mut self, batch: &mut Batch) {
        if let Some(buffer) = self.buffer.as_ref().filter(|_| self.dirty > 0) {
            batch.clear(buffer, 0, self.dirty);
        }
        self.dirty = 0;
    }
}

/// A mapping that failed, as an error of ours.
pub(super) fn map_error(operation: &'static str, error: &impl ToString) -> EngineError {
    DeviceError::Validation { operation, message: format!("mapping: {}", error.to_string()) }.into()
}

/// Longest that a callback takes from the poll that found it due, on a machine with other work.
const CALLBACK: Duration = Duration::from_secs(30);

/// A mapping that has been asked for and becomes valid when a submission is done.
pub(super) struct PendingMap {
    submission: SubmissionIndex,
    answer: Receiver<Result<(), BufferAsyncError>>,
}

impl PendingMap {
    /// Asks for the first `bytes` of a buffer.
    pub(super) fn ask(buffer: &wgpu::Buffer, mode: MapMode, bytes: u64, submission: SubmissionIndex) -> Self {
        let (sender, answer) = channel();
        buffer.map_async(mode, 0..bytes, move |result| {
            // Nobody listens any more when an error has ended the operation; then nothing is owed.
            let _ = sender.send(result);
        });
        Self { submission, answer }
    }

    /// Waits until the mapping is valid.
    pub(super) fn wait(self, device: &Device, operation: &'static str) -> Result<(), EngineError> {
        device.wait(operation, &self.submission)?;
        // Another thread's poll may have taken the answer's callback and be about to run it.
        match self.answer.recv_timeout(CALLBACK) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(map_error(operation, &error)),
            Err(error) => Err(map_error(operation, &error)),
        }
    }
}

/// Host to device: mapped buffers that take turns, so that the host fills one while the device copies from another.
///
/// `queue.write_buffer` would do the same through memory of its own, which nobody wipes.
pub(super) struct Upload {
    lanes: [Lane; 2],
    next: usize,
    piece_bytes: u64,
}

/// One mapped buffer.
struct Lane {
    buffer: wgpu::Buffer,
    /// The device copies from it, or has; then it is mapped again.
    pending: Option<PendingMap>,
    /// Bytes that have been written since it was wiped.
    dirty: u64,
}

impl Upload {
    /// Two buffers of `piece_bytes`, a multiple of 4.
    pub(super) fn new(device: &Device, label: &'static str, piece_bytes: u64) -> Result<Self, EngineError> {
        let usage = BufferUsages::MAP_WRITE | BufferUsages::COPY_SRC;
        let lane =
            || Lane { buffer: create(device, label, piece_bytes, usage, true), pending: None, dirty: 0 };
        let lanes = device.scoped(label, || Ok([lane(), lane()]))?;
        Ok(Self { lanes, next: 0, piece_bytes })
    }

    /// Most bytes that go up at a time.
    pub(super) fn piece_bytes(&self) -> u64 {
        self.piece_bytes
    }

    /// Sends `n_items` items of `item_bytes` (a multiple of 4) each to a buffer, from a byte offset on.
    ///
    /// Goes in pieces of whole items, each submitted as soon as it is filled: `fill` is called with the items of a piece
    /// and the staging memory for exactly these. What it leaves unwritten there is what an earlier call left.
    ///
    /// # Errors
    /// [`DeviceError::LimitTooSmall`] when an item is larger than a piece; other [`DeviceError`]s when the device fails.
    pub(super) fn send(
        &mut self,
        device: &Device,
        operation: &'static str,
        (target, offset): (&wgpu::Buffer, u64),
        n_items: usize,
        item_bytes: u64,
        mut fill: impl FnMut(Range<usize>, WriteOnly<'_, [u8]>),
    ) -> Result<(), EngineError> {
        let bytes = n_items as u64 * item_bytes;
        let _span = tracing::debug_span!("upload", operation, bytes).entered();
        let items_per_piece = (self.piece_bytes / item_bytes) as usize;
        if items_per_piece == 0 {
            let (needed, got) = (item_bytes, self.piece_bytes);
            return Err(DeviceError::LimitTooSmall { what: "staging, bytes", needed, got }.into());
        }
        for begin in (0..n_items).step_by(items_per_piece) {
            let items = begin..n_items.min(begin + items_per_piece);
            let bytes = items.len() as u64 * item_bytes;
            let lane = &mut self.lanes[self.next % 2];
            self.next += 1;
            lane.ready(device, operation)?;
            lane.fill(device, operation, bytes, |view| fill(items, view))?;
            let mut encoder = device.encoder(operation);
            encoder.copy_buffer_to_buffer(&lane.buffer, 0, target, offset + begin as u64 * item_bytes, bytes);
            let submission = device.queue.submit([encoder.finish()]);
            lane.pending = Some(PendingMap::ask(&lane.buffer, MapMode::Write, self.piece_bytes, submission));
        }
        Ok(())
    }

    /// Overwrites everything that was written; waits first until the device is done with it.
    ///
    /// # Errors
    /// [`DeviceError`] when the device fails.
    pub(super) fn wipe(&mut self, device: &Device, operation: &'static str) -> Result<(), EngineError> {
        for lane in self.lanes.iter_mut().filter(|lane| lane.dirty > 0) {
            lane.ready(device, operation)?;
            let mut view =
                lane.buffer.get_mapped_range_mut(..).map_err(|error| map_error(operation, &error))?;
            let written = view.slice(..lane.dirty as usize);
            for_each_staged_block::<WIPED_BLOCK>(written, |_, mut block| block.fill(0));
            lane.dirty = 0;
        }
        Ok(())
    }
}

impl Lane {
    /// Waits until the buffer is mapped.
    fn ready(&mut self, device: &Device, operation: &'static str) -> Result<(), EngineError> {
        match self.pending.take() {
            Some(pending) => pending.wait(device, operation),
            None => Ok(()),
        }
    }

    /// Lets `write` fill the first `bytes` and gives the buffer to the device.
    fn fill(
        &mut self,
        device: &Device,
        operation: &'static str,
        bytes: u64,
        write: impl FnOnce(WriteOnly<'_, [u8]>),
    ) -> Result<(), EngineError> {
        let start = device.profiler.start();
        self.dirty = self.dirty.max(bytes);
        let mut view = self.buffer.get_mapped_range_mut(..).map_err(|error| map_error(operation, &error))?;
        write(view.slice(..bytes as usize));
        drop(view);
        self.buffer.unmap();
        device.profiler.uploaded(start, bytes);
        Ok(())
    }
}

/// A stretch of a buffer.
pub(super) struct Stretch<'a> {
    pub(super) buffer: &'a wgpu::Buffer,
    pub(super) offset: u64,
    pub(super) bytes: u64,
}

/// Device to host: a staging buffer that results are read through.
pub(super) struct Download {
    staging: Growing,
    /// The copy that a batch was given.
    noted: Option<(wgpu::Buffer, u64)>,
    /// The copy that was submitted.
    pending: Option<(PendingMap, wgpu::Buffer, u64)>,
}

impl Download {
    pub(super) const fn new(label: &'static str) -> Self {
        let usage = BufferUsages::MAP_READ.union(BufferUsages::COPY_DST);
        Self { staging: Growing::new(label, usage), noted: None, pending: None }
    }

    /// Notes in `batch` the copies of these stretches to the staging buffer, one behind the other;
    /// [`Self::submitted`] must follow the batch's submission.
    ///
    /// # Errors
    /// [`DeviceError`] when there is no memory for them.
    pub(super) fn note(
        &mut self,
        device: &Device,
        batch: &mut Batch,
        stretches: &[Stretch<'_>],
    ) -> Result<(), EngineError> {
        let bytes = stretches.iter().map(|stretch| stretch.bytes).sum();
        let staging = self.staging.at_least(device, bytes)?;
        let mut at = 0;
        for stretch in stretches {
            batch.copy(stretch.buffer, stretch.offset, &staging, at, stretch.bytes);
            at += stretch.bytes;
        }
        self.noted = Some((staging, bytes));
        Ok(())
    }

    /// Asks for the noted bytes once `submission` is done.
    pub(super) fn submitted(&mut self, submission: SubmissionIndex) {
        self.pending = self.noted.take().map(|(staging, bytes)| {
            (PendingMap::ask(&staging, MapMode::Read, bytes, submission), staging, bytes)
        });
    }

    /// Waits for the copied bytes and hands them to `read` as words. Nothing happens when nothing is pending.
    ///
    /// # Errors
    /// [`DeviceError`] when the device fails.
    pub(super) fn finish(
        &mut self,
        device: &Device,
        operation: &'static str,
        read: impl FnOnce(&[u32]),
    ) -> Result<(), EngineError> {
        let Some((pending, staging, bytes)) = self.pending.take() else { return Ok(()) };
        let _span = tracing::debug_span!("download", operation, bytes).entered();
        pending.wait(device, operation)?;
        let start = device.profiler.start();
        {
            let view = staging.get_mapped_range(0..bytes).map_err(|error| map_error(operation, &error))?;
            read(bytemuck::cast_slice(&view));
        }
        staging.unmap();
        device.profiler.downloaded(start, bytes);
        Ok(())
    }

    /// Notes the wiping of the staging buffer.
    pub(super) fn wipe(&mut self, batch: &mut Batch) {
        self.staging.wipe(batch);
    }
}

/// A sum on the device and its way back.
pub(super) struct SumSlot {
    sum: Growing,
    download: Download,
}

impl SumSlot {
    pub(super) const fn new(sum_label: &'static str, staging_label: &'static str) -> Self {
        let usage = BufferUsages::STORAGE.union(BufferUsages::COPY_SRC).union(BufferUsages::COPY_DST);
        Self { sum: Growing::new(sum_label, usage), download: Download::new(staging_label) }
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

    /// Notes the copy of the sum's first `bytes` to the host; [`Self::submitted`] must follow the submission.
    pub(super) fn copy_back(
        &mut self,
        device: &Device,
        batch: &mut Batch,
        bytes: u64,
    ) -> Result<(), EngineError> {
        let sum = self.sum.at_least(device, bytes)?;
        self.download.note(device, batch, &[Stretch { buffer: &sum, offset: 0, bytes }])
    }

    /// As [`Download::submitted`].
    pub(super) fn submitted(&mut self, submission: SubmissionIndex) {
        self.download.submitted(submission);
    }

    /// As [`Download::finish`].
    pub(super) fn finish(
        &mut self,
        device: &Device,
        operation: &'static str,
        read: impl FnOnce(&[u32]),
    ) -> Result<(), EngineError> {
        self.download.finish(device, operation, read)
    }

    /// Notes the wiping of both buffers.
    pub(super) fn wipe(&mut self, batch: &mut Batch) {
        self.sum.wipe(batch);
        self.download.wipe(batch);
    }
}
