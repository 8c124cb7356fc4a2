//! Interim.
use std::ops::Range;

use wgpu::{BufferUsages, MapMode, SubmissionIndex};

use super::batch::Batch;
use super::buffers::{Growing, Upload};
use super::device::Device;
use crate::error::{DeviceError, EngineError};

pub(super) struct Ring {
    lanes: [Upload; 2],
    next: usize,
}

impl Ring {
    pub(super) fn new(device: &Device, label: &'static str, bytes: u64) -> Result<Self, EngineError> {
        Ok(Self { lanes: [Upload::new(device, label, bytes)?, Upload::new(device, label, bytes)?], next: 0 })
    }

    pub(super) fn send(
        &mut self,
        device: &Device,
        operation: &'static str,
        target: &wgpu::Buffer,
        offset: u64,
        bytes: u64,
        fill: impl Fn(Range<u64>, &mut [u8]),
    ) -> Result<(), EngineError> {
        let size = self.lanes[0].bytes() / 64 * 64;
        let mut at = 0;
        while at < bytes {
            let end = bytes.min(at + size);
            let mut data = vec![0; (end - at) as usize];
            fill(at..end, &mut data);
            let lane = &mut self.lanes[self.next % 2];
            self.next += 1;
            lane.write(device, operation, std::iter::once((0, &data[..])))?;
            let mut params = Growing::new("x", BufferUsages::UNIFORM | BufferUsages::COPY_DST);
            let mut batch = Batch::new(operation);
            let tmp = Growing::new("tmp", BufferUsages::COPY_DST | BufferUsages::COPY_SRC)
                .at_least(device, end - at)?;
            lane.copy_to(&mut batch, &tmp, end - at);
            batch.copy(&tmp, 0, target, offset + at, end - at);
            let submission = batch.submit(device, &mut params)?;
            lane.submitted(submission);
            at = end;
        }
        Ok(())
    }

    pub(super) fn wipe(&mut self, device: &Device, operation: &'static str) -> Result<(), EngineError> {
        for lane in &mut self.lanes {
            lane.wipe(device, operation)?;
        }
        Ok(())
    }
}

pub(super) struct Download {
    staging: Growing,
    pending: Option<(u64, SubmissionIndex)>,
}

impl Download {
    pub(super) const fn new(label: &'static str) -> Self {
        Self {
            staging: Growing::new(label, BufferUsages::MAP_READ.union(BufferUsages::COPY_DST)),
            pending: None,
        }
    }

    pub(super) fn at_least(&mut self, device: &Device, bytes: u64) -> Result<wgpu::Buffer, EngineError> {
        self.staging.at_least(device, bytes)
    }

    pub(super) fn submitted(&mut self, bytes: u64, submission: SubmissionIndex) {
        self.pending = Some((bytes, submission));
    }

    pub(super) fn finish(
        &mut self,
        device: &Device,
        operation: &'static str,
        read: impl FnOnce(&[u32]),
    ) -> Result<(), EngineError> {
        let Some((bytes, submission)) = self.pending.take() else { return Ok(()) };
        let staging = self.staging.at_least(device, bytes)?;
        staging.map_async(MapMode::Read, 0..bytes, |_| ());
        device.wait(operation, &submission)?;
        let view = staging
            .get_mapped_range(0..bytes)
            .map_err(|error| DeviceError::Validation { operation, message: error.to_string() })?;
        read(bytemuck::cast_slice(&view));
        drop(view);
        staging.unmap();
        Ok(())
    }

    pub(super) fn read_word(
        &mut self,
        device: &Device,
        operation: &'static str,
        source: &wgpu::Buffer,
        offset: u64,
    ) -> Result<u32, EngineError> {
        let mut other = Self::new("word");
        let staging = other.at_least(device, 4)?;
        let mut batch = Batch::new(operation);
        batch.copy(source, offset, &staging, 0, 4);
        let mut params = Growing::new("x", BufferUsages::UNIFORM | BufferUsages::COPY_DST);
        let submission = batch.submit(device, &mut params)?;
        other.submitted(4, submission);
        let mut out = 0;
        other.finish(device, operation, |words| out = words[0])?;
        Ok(out)
    }

    pub(super) fn wipe(&self, batch: &mut Batch) {
        self.staging.wipe(batch);
    }
}
