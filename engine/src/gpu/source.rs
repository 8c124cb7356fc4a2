//! Kernels as pipelines: compiled at first use, kept for the life of the device.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, PoisonError};

use wgpu::{BindingType, BufferBindingType, ShaderStages};

use super::device::Device;
use crate::error::{DeviceError, EngineError};

/// Bytes between the parameter blocks of two dispatches: no device asks for more.
pub(super) const PARAMS_STRIDE: u64 = 256;

/// A compiled kernel. All have one shape: parameters (uniform, dynamic offset), an input and a sum.
pub(super) struct Kernel {
    pub(super) name: &'static str,
    pub(super) pipeline: wgpu::ComputePipeline,
    layout: wgpu::BindGroupLayout,
    params_bytes: NonZeroU64,
}

impl Kernel {
    /// Binds parameters, input and sum.
    pub(super) fn bind(
        &self,
        device: &Device,
        params: &wgpu::Buffer,
        input: &wgpu::Buffer,
        sum: &wgpu::Buffer,
    ) -> wgpu::BindGroup {
        device.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(self.name),
            layout: &self.layout,
            entries: &[
                wgpu::BindGroupEntry {
                    binding: 0,
                    resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                        buffer: params,
                        offset: 0,
                        size: Some(self.params_bytes),
                    }),
                },
                wgpu::BindGroupEntry { binding: 1, resource: input.as_entire_binding() },
                wgpu::BindGroupEntry { binding: 2, resource: sum.as_entire_binding() },
            ],
        })
    }

    /// Records one dispatch with parameter block `block`.
    pub(super) fn dispatch(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        bindings: &wgpu::BindGroup,
        block: u32,
        [x, y, z]: [u32; 3],
    ) {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: Some(self.name),
            timestamp_writes: None,
        });
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, bindings, &[block * PARAMS_STRIDE as u32]);
        pass.dispatch_workgroups(x, y, z);
    }
}

/// The compiled kernels of a device.
#[derive(Default)]
pub(super) struct Kernels {
    compiled: Mutex<HashMap<&'static str, Arc<Kernel>>>,
}

impl Kernels {
    /// The kernel of this name, compiled now if it was not yet.
    pub(super) fn get(
        &self,
        device: &Device,
        name: &'static str,
        params_bytes: usize,
    ) -> Result<Arc<Kernel>, EngineError> {
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kernel) = compiled.get(name) {
            return Ok(Arc::clone(kernel));
        }
        let kernel = Arc::new(device.scoped(name, || compile(device, name, params_bytes))?);
        compiled.insert(name, Arc::clone(&kernel));
        Ok(kernel)
    }
}

fn compile(device: &Device, name: &'static str, params_bytes: usize) -> Result<Kernel, EngineError> {
    let text = blindsum_shaders::kernel(name, None)
        .map_err(|error| DeviceError::Validation { operation: name, message: error.to_string() })?;
    let params_bytes = NonZeroU64::new(params_bytes as u64).ok_or(DeviceError::Validation {
        operation: name,
        message: "a kernel without parameters".to_owned(),
    })?;
    let module = device.device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some(name),
        source: wgpu::ShaderSource::Wgsl(text.into()),
    });
    let entry = |binding, ty, has_dynamic_offset, min_binding_size| wgpu::BindGroupLayoutEntry {
        binding,
        visibility: ShaderStages::COMPUTE,
        ty: BindingType::Buffer { ty, has_dynamic_offset, min_binding_size },
        count: None,
    };
    let layout = device.device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some(name),
        entries: &[
            entry(0, BufferBindingType::Uniform, true, Some(params_bytes)),
            entry(1, BufferBindingType::Storage { read_only: true }, false, None),
            entry(2, BufferBindingType::Storage { read_only: false }, false, None),
        ],
    });
    let pipeline_layout = device.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: Some(name),
        bind_group_layouts: &[Some(&layout)],
        immediate_size: 0,
    });
    let pipeline = device.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(name),
        layout: Some(&pipeline_layout),
        module: &module,
        entry_point: Some(name),
        compilation_options: wgpu::PipelineCompilationOptions::default(),
        cache: None,
    });
    Ok(Kernel { name, pipeline, layout, params_bytes })
}
