//! Work for the device, noted first and handed over at once: dispatches, copies and clearings, in order.

use std::sync::Arc;

use wgpu::SubmissionIndex;

use super::buffers::Growing;
use super::device::Device;
use super::source::{Kernel, PARAMS_STRIDE};
use crate::error::EngineError;

/// Steps that the device takes one after the other: each sees what those before it wrote.
pub(super) struct Batch {
    operation: &'static str,
    /// Work noted since the last end of a submission.
    work: u64,
    steps: Vec<Step>,
    /// The parameter blocks of all dispatches, one every [`PARAMS_STRIDE`] bytes.
    params: Vec<u8>,
}

enum Step {
    Submit,
    Dispatch { kernel: Arc<Kernel>, block: u32, buffers: Vec<wgpu::Buffer>, grid: [u32; 3] },
    Clear { buffer: wgpu::Buffer, offset: u64, bytes: u64 },
    Copy { source: (wgpu::Buffer, u64), target: (wgpu::Buffer, u64), bytes: u64 },
}

impl Batch {
    /// No steps yet. `operation` names it in labels and errors.
    pub(super) const fn new(operation: &'static str) -> Self {
        Self { operation, work: 0, steps: Vec::new(), params: Vec::new() }
    }

    /// Notes that the next dispatch does so much work, in any unit. It begins another submission where those before it in
    /// the same one leave less than that of `budget`: a driver's watchdog counts the time of a submission.
    pub(super) fn spend(&mut self, work: u64, budget: u64) {
        if self.work > 0 && self.work + work > budget {
            self.steps.push(Step::Submit);
            self.work = 0;
        }
        self.work += work;
    }

    /// Runs `kernel` on `grid` workgroups with these parameters (public: they pass through memory that nobody wipes)
    /// and these storage buffers, whole, in the order of their bindings.
    pub(super) fn push<P: bytemuck::NoUninit>(
        &mut self,
        kernel: &Arc<Kernel>,
        params: &P,
        buffers: &[&wgpu::Buffer],
        grid: [u32; 3],
    ) {
        const { assert!(size_of::<P>() <= PARAMS_STRIDE) };
        debug_assert_eq!(kernel.spec().params_bytes, size_of::<P>(), "{}", kernel.title());
        debug_assert_eq!(kernel.spec().buffers.len(), buffers.len(), "{}", kernel.title());
        let block = self.params.len() / PARAMS_STRIDE;
        self.params.extend_from_slice(bytemuck::bytes_of(params));
        self.params.resize((block + 1) * PARAMS_STRIDE, 0);
        self.steps.push(Step::Dispatch {
            kernel: Arc::clone(kernel),
            block: block as u32,
            buffers: buffers.iter().map(|buffer| (*buffer).clone()).collect(),
            grid,
        });
    }

    /// Zeroes `bytes` from `offset` on, both multiples of 4.
    pub(super) fn clear(&mut self, buffer: &wgpu::Buffer, offset: u64, bytes: u64) {
        self.steps.push(Step::Clear { buffer: buffer.clone(), offset, bytes });
    }

    /// Copies `bytes` between two buffers; all numbers are multiples of 4.
    pub(super) fn copy(
        &mut self,
        source: &wgpu::Buffer,
        source_offset: u64,
        target: &wgpu::Buffer,
        target_offset: u64,
        bytes: u64,
    ) {
        self.steps.push(Step::Copy {
            source: (source.clone(), source_offset),
            target: (target.clone(), target_offset),
            bytes,
        });
    }

    /// Hands the steps to the device, in the caller's error scopes. The index is that of the last submission.
    ///
    /// `params` may be shared by batches that follow each other: the device writes it in the order of submissions.
    ///
    /// # Errors
    /// [`crate::error::DeviceError`] when there is no memory for the parameters. What the driver refuses surfaces in the error scopes.
    pub(super) fn submit(
        self,
        device: &Device,
        params: &mut Growing,
    ) -> Result<SubmissionIndex, EngineError> {
        let n_dispatches = self.params.len() / PARAMS_STRIDE;
        let _span = tracing::debug_span!("submit", operation = self.operation, n_dispatches).entered();
        let params =
            params.at_least(device, self.params.len().max(PARAMS_STRIDE).next_power_of_two() as u64)?;
        if n_dispatches > 0 {
            device.queue.write_buffer(&params, 0, &self.params);
        }
        // Dispatches that differ in their parameters only share their bindings.
        let mut bound: Option<(Arc<Kernel>, Vec<wgpu::Buffer>, wgpu::BindGroup)> = None;
        let mut encoder = device.encoder(self.operation);
        for step in self.steps {
            match step {
                Step::Submit => {
                    let full = std::mem::replace(&mut encoder, device.encoder(self.operation));
                    device.queue.submit([full.finish()]);
                }
                Step::Dispatch { kernel, block, buffers, grid } => {
                    let bindings = match bound.take() {
                        Some((last, same, bindings)) if Arc::ptr_eq(&last, &kernel) && same == buffers => {
                            bindings
                        }
                        _ => kernel.bind(device, &params, &buffers),
                    };
                    kernel.dispatch(device, &mut encoder, &bindings, block, grid);
                    bound = Some((kernel, buffers, bindings));
                }
                Step::Clear { buffer, offset, bytes } => encoder.clear_buffer(&buffer, offset, Some(bytes)),
                Step::Copy { source, target, bytes } => {
                    encoder.copy_buffer_to_buffer(&source.0, source.1, &target.0, target.1, bytes);
                }
            }
        }
        Ok(device.queue.submit([encoder.finish()]))
    }
}
