//! Kernels as pipelines: compiled at first use, several at a time, and kept for the life of the device.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use blindsum_shaders::Arithmetic;
use wgpu::{BindingType, BufferBindingType, ShaderStages};

use super::device::Device;
use super::pipeline_cache::PipelineCache;
use super::profile::Stamps;
use crate::error::{DeviceError, EngineError};

/// Bytes between the parameter blocks of two dispatches: no device asks for more.
pub(super) const PARAMS_STRIDE: usize = 256;

/// What a kernel does with a storage buffer, as its text declares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// `var<storage, read>`.
    Read,
    /// `var<storage, read_write>`.
    ReadWrite,
}

/// Which kernel, and the shape of its bindings: binding 0 is the parameters (uniform, dynamic offset), bindings 1 and
/// on are the storage buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KernelSpec {
    /// Name of the text and of its entry point.
    pub(super) name: &'static str,
    /// What its arithmetic imports stand for, if it has any.
    pub(super) arithmetic: Option<Arithmetic>,
    /// Size of the parameters.
    pub(super) params_bytes: usize,
    /// The storage buffers, in the order of their bindings.
    pub(super) buffers: &'static [Access],
}

impl KernelSpec {
    /// Name for labels and reports, e.g. `msm_accumulate fq/u64x8`.
    fn title(&self) -> String {
        match self.arithmetic {
            Some(arithmetic) => format!("{} {arithmetic}", self.name),
            None => self.name.to_owned(),
        }
    }
}

/// A compiled kernel.
pub(super) struct Kernel {
    spec: KernelSpec,
    title: String,
    pipeline: wgpu::ComputePipeline,
    layout: wgpu::BindGroupLayout,
    params_bytes: NonZeroU64,
    compile_time: Duration,
}

impl Kernel {
    /// Name for labels and reports, e.g. `msm_accumulate fq/u64x8`.
    pub(super) fn title(&self) -> &str {
        &self.title
    }

    /// What this kernel was compiled from.
    pub(super) fn spec(&self) -> &KernelSpec {
        &self.spec
    }

    /// How long compiling it took.
    pub(super) fn compile_time(&self) -> Duration {
        self.compile_time
    }

    /// Binds parameters and storage buffers.
    pub(super) fn bind(
        &self,
        device: &Device,
        params: &wgpu::Buffer,
        buffers: &[wgpu::Buffer],
    ) -> wgpu::BindGroup {
        let params = wgpu::BufferBinding { buffer: params, offset: 0, size: Some(self.params_bytes) };
        let mut entries =
            vec![wgpu::BindGroupEntry { binding: 0, resource: wgpu::BindingResource::Buffer(params) }];
        entries.extend(
            (1..).zip(buffers).map(|(binding, buffer)| wgpu::BindGroupEntry {
                binding,
                resource: buffer.as_entire_binding(),
            }),
        );
        device.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(&self.title),
            layout: &self.layout,
            entries: &entries,
        })
    }

    /// Records one dispatch with parameter block `block`.
    pub(super) fn dispatch(
        self: &Arc<Self>,
        device: &Device,
        encoder: &mut wgpu::CommandEncoder,
        bindings: &wgpu::BindGroup,
        block: u32,
        [x, y, z]: [u32; 3],
    ) {
        let stamps = device.profiler.pass(device, self);
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: Some(&self.title),
            timestamp_writes: stamps.as_ref().map(Stamps::writes),
        });
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, bindings, &[block * PARAMS_STRIDE as u32]);
        pass.dispatch_workgroups(x, y, z);
    }
}

/// Name and arithmetic: two specs that agree on these are the same kernel.
type Key = (&'static str, Option<Arithmetic>);
/// The place of one kernel. Whoever compiles it holds this lock, so that the others wait instead of compiling it too.
type Place = Arc<Mutex<Option<Arc<Kernel>>>>;

/// The compiled kernels of a device.
#[derive(Default)]
pub(super) struct Kernels {
    places: Mutex<HashMap<Key, Place>>,
}

impl Kernels {
    /// The kernel of this spec, compiled now if it was not yet.
    ///
    /// # Errors
    /// [`DeviceError::Validation`] when its text cannot be put together or the driver refuses it; any other
    /// [`DeviceError`] when the device fails. A later call tries again.
    pub(super) fn get(&self, device: &Device, spec: &KernelSpec) -> Result<Arc<Kernel>, EngineError> {
        let (kernel, is_new) = self.find(device, spec)?;
        if is_new && let Some(pipelines) = &device.pipelines {
            pipelines.save();
        }
        Ok(kernel)
    }

    /// The kernel, and whether it was compiled just now.
    fn find(&self, device: &Device, spec: &KernelSpec) -> Result<(Arc<Kernel>, bool), EngineError> {
        let place = {
            let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(places.entry((spec.name, spec.arithmetic)).or_default())
        };
        let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kernel) = &*place {
            return Ok((Arc::clone(kernel), false));
        }
        let kernel = Arc::new(device.scoped(spec.name, || compile(device, spec))?);
        *place = Some(Arc::clone(&kernel));
        Ok((kernel, true))
    }

    /// The kernels of these specs, in their order. Those that are missing are compiled at the same time: a driver uses
    /// one thread for each.
    ///
    /// # Errors
    /// As [`Kernels::get`], for the first that fails.
    pub(super) fn get_all(
        &self,
        device: &Device,
        specs: &[KernelSpec],
    ) -> Result<Vec<Arc<Kernel>>, EngineError> {
        let missing: Vec<&KernelSpec> = specs.iter().filter(|spec| !self.has(spec)).collect();
        let n_threads = std::thread::available_parallelism().map_or(1, usize::from).min(missing.len());
        if n_threads > 1 {
            // Threads of their own and not those of rayon: a thread that waits there takes up other work, and that
            // could be a call that waits for the buffers which this one holds.
            let next = AtomicUsize::new(0);
            let failed = OnceLock::new();
            std::thread::scope(|scope| {
                for _ in 0..n_threads {
                    scope.spawn(|| {
                        while let Some(spec) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
                            if let Err(error) = self.find(device, spec) {
                                // The first one is reported.
                                let _ = failed.set(error);
                                return;
                            }
                        }
                    });
                }
            });
            if let Some(pipelines) = &device.pipelines {
                pipelines.save();
            }
            if let Some(error) = failed.into_inner() {
                return Err(error);
            }
        }
        specs.iter().map(|spec| self.get(device, spec)).collect()
    }

    fn has(&self, spec: &KernelSpec) -> bool {
        let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.get(&(spec.name, spec.arithmetic)).is_some_and(|place| {
            // A place whose lock is taken is being filled: whoever wants it waits there, not here.
            place.try_lock().is_ok_and(|kernel| kernel.is_some())
        })
    }
}

fn compile(device: &Device, spec: &KernelSpec) -> Result<Kernel, EngineError> {
    let start = Instant::now();
    let title = spec.title();
    let span = tracing::debug_span!("compile", kernel = %title);
    let _entered = span.enter();
    let refused = |message| DeviceError::Validation { operation: spec.name, message };
    let text =
        blindsum_shaders::kernel(spec.name, spec.arithmetic).map_err(|error| refused(error.to_string()))?;
    let params_bytes = NonZeroU64::new(spec.params_bytes as u64)
        .ok_or_else(|| refused("a kernel without parameters".to_owned()))?;
    let module = device.device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some(&title),
        source: wgpu::ShaderSource::Wgsl(text.into()),
    });
    let entry = |binding, ty, has_dynamic_offset, min_binding_size| wgpu::BindGroupLayoutEntry {
        binding,
        visibility: ShaderStages::COMPUTE,
        ty: BindingType::Buffer { ty, has_dynamic_offset, min_binding_size },
        count: None,
    };
    let mut entries = vec![entry(0, BufferBindingType::Uniform, true, Some(params_bytes))];
    entries.extend((1..).zip(spec.buffers).map(|(binding, access)| {
        let read_only = *access == Access::Read;
        entry(binding, BufferBindingType::Storage { read_only }, false, None)
    }));
    let layout = device.device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some(&title),
        entries: &entries,
    });
    let pipeline_layout = device.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: Some(&title),
        bind_group_layouts: &[Some(&layout)],
        immediate_size: 0,
    });
    let pipeline = device.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(&title),
        layout: Some(&pipeline_layout),
        module: &module,
        entry_point: Some(spec.name),
        compilation_options: wgpu::PipelineCompilationOptions {
            // Kernels write workgroup memory before they read it; zeroing it first would cost them a third.
            zero_initialize_workgroup_memory: false,
            ..Default::default()
        },
        cache: device.pipelines.as_ref().map(PipelineCache::pipelines),
    });
    let compile_time = start.elapsed();
    tracing::debug!(milliseconds = compile_time.as_secs_f64() * 1e3, "compiled");
    Ok(Kernel { spec: *spec, title, pipeline, layout, params_bytes, compile_time })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::layout::{MaskExpandParams, SumRowsParams};

    const SPECS: [KernelSpec; 2] = [
        KernelSpec {
            name: "mask_expand",
            arithmetic: None,
            params_bytes: size_of::<MaskExpandParams>(),
            buffers: &[Access::Read, Access::ReadWrite],
        },
        KernelSpec {
            name: "sum_rows",
            arithmetic: None,
            params_bytes: size_of::<SumRowsParams>(),
            buffers: &[Access::Read, Access::ReadWrite],
        },
    ];

    #[test]
    #[cfg_attr(skip_gpu_tests, ignore = "built with SKIP_GPU_TESTS=1")]
    fn a_kernel_is_compiled_once() {
        let device = Device::open(None).expect("an adapter");
        let kernels = Kernels::default();
        let [a, b] = SPECS;
        let (first, second) = std::thread::scope(|scope| {
            let other = scope.spawn(|| kernels.get_all(&device, &[b, a]).expect("two kernels"));
            (kernels.get_all(&device, &[a, b, a]).expect("two kernels"), other.join().expect("no panic"))
        });
        let titles: Vec<&str> = first.iter().map(|kernel| kernel.title()).collect();
        assert_eq!(titles, ["mask_expand", "sum_rows", "mask_expand"]);
        assert!(Arc::ptr_eq(&first[0], &first[2]) && Arc::ptr_eq(&first[0], &second[1]));
        assert!(Arc::ptr_eq(&first[1], &second[0]));
        assert!(first.iter().all(|kernel| kernel.compile_time() > Duration::ZERO));
    }

    #[test]
    #[cfg_attr(skip_gpu_tests, ignore = "built with SKIP_GPU_TESTS=1")]
    fn a_kernel_that_cannot_be_compiled_is_a_typed_error() {
        let device = Device::open(None).expect("an adapter");
        let kernels = Kernels::default();
        let unknown = KernelSpec { name: "no such kernel", ..SPECS[0] };
        let writes_what_it_may_not = KernelSpec { buffers: &[Access::Read, Access::Read], ..SPECS[0] };
        for spec in [unknown, writes_what_it_may_not] {
            // Alone, and on threads.
            for specs in [&[spec][..], &[spec, SPECS[1]]] {
                match kernels.get_all(&device, specs).err() {
                    Some(EngineError::Device(DeviceError::Validation { operation, .. })) => {
                        assert_eq!(operation, spec.name);
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        kernels.get_all(&device, &SPECS).expect("the device is still healthy");
    }
}
