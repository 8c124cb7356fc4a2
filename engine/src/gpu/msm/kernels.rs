//! The pipelines of a sum over one curve, and how a number of invocations becomes dispatches.

use std::ops::Range;
use std::sync::Arc;

use blindsum_shaders::{Arithmetic, Field, Limbs};

use crate::error::EngineError;
use crate::gpu::layout::{
    MsmAccumulateParams, MsmDigitParams, MsmMergeParams, MsmPointsParams, MsmReduceParams, MsmScalarsParams,
    MsmScanAddParams, MsmScanParams,
};
use crate::gpu::source::{Access, Kernel, KernelSpec};
use crate::gpu::{GROUP, Gpu};

const R: Access = Access::Read;
const W: Access = Access::ReadWrite;

/// The kernel that converts points, for the variant whose form is not the host's.
pub(super) const fn points(arithmetic: Arithmetic) -> Option<KernelSpec> {
    match arithmetic.limbs {
        Limbs::U64x8 => None,
        Limbs::L13x20 => Some(KernelSpec {
            name: "msm_points",
            arithmetic: Some(arithmetic),
            params_bytes: size_of::<MsmPointsParams>(),
            buffers: &[W],
        }),
    }
}

/// The compiled kernels of a sum.
pub(super) struct MsmKernels {
    pub(super) histogram: Arc<Kernel>,
    pub(super) scan: Arc<Kernel>,
    pub(super) scan_add: Arc<Kernel>,
    pub(super) scatter: Arc<Kernel>,
    pub(super) accumulate: Arc<Kernel>,
    pub(super) merge: Arc<Kernel>,
    pub(super) reduce: Arc<Kernel>,
    /// Absent for signed words, which need no conversion.
    pub(super) scalars: Option<Arc<Kernel>>,
}

impl MsmKernels {
    /// Compiled now, in parallel, where they were not yet.
    pub(super) fn get(
        gpu: &Gpu,
        arithmetic: Arithmetic,
        scalar_field: Option<Field>,
    ) -> Result<Self, EngineError> {
        let spec =
            |name, arithmetic, params_bytes, buffers| KernelSpec { name, arithmetic, params_bytes, buffers };
        let over_curve = Some(arithmetic);
        let digits = size_of::<MsmDigitParams>();
        let mut specs = vec![
            spec("msm_accumulate", over_curve, size_of::<MsmAccumulateParams>(), &[R, R, R, W, W, W][..]),
            spec("msm_merge", over_curve, size_of::<MsmMergeParams>(), &[R, R, W, W, W]),
            spec("msm_reduce", over_curve, size_of::<MsmReduceParams>(), &[R, W]),
            spec("msm_histogram", None, digits, &[R, R, W]),
            spec("msm_scan", None, size_of::<MsmScanParams>(), &[W, W]),
            spec("msm_scan_add", None, size_of::<MsmScanAddParams>(), &[R, W]),
            spec("msm_scatter", None, digits, &[R, R, W, W]),
        ];
        specs.extend(scalar_field.map(|field| {
            let arithmetic = Some(Arithmetic { field, limbs: arithmetic.limbs });
            spec("msm_scalars", arithmetic, size_of::<MsmScalarsParams>(), &[W])
        }));
        let mut compiled = gpu.kernels.get_all(&gpu.device, &specs)?.into_iter();
        let mut next = || compiled.next().expect("as many kernels as were asked for");
        Ok(Self {
            accumulate: next(),
            merge: next(),
            reduce: next(),
            histogram: next(),
            scan: next(),
            scan_add: next(),
            scatter: next(),
            scalars: scalar_field.map(|_| next()),
        })
    }
}

/// `n` invocations as dispatches of at most `most` each: the range of a dispatch, and its grid.
pub(in crate::gpu) fn dispatches(
    gpu: &Gpu,
    n: u64,
    most: u64,
) -> impl Iterator<Item = (Range<u32>, [u32; 3])> + use<> {
    dispatches_of(gpu, n, most, GROUP)
}

/// The same in workgroups of `group` invocations, where one of the `n` is a whole workgroup for `group` 1.
pub(in crate::gpu) fn dispatches_of(
    gpu: &Gpu,
    n: u64,
    most: u64,
    group: u32,
) -> impl Iterator<Item = (Range<u32>, [u32; 3])> + use<> {
    let across = u64::from(gpu.limits.groups_per_dimension);
    let most = most.min(across * across * u64::from(group)).min(u64::from(u32::MAX)).max(1);
    (0..n.div_ceil(most)).map(move |i| {
        let (begin, end) = (i * most, n.min((i + 1) * most));
        let groups = (end - begin).div_ceil(u64::from(group));
        let x = groups.min(across);
        // Numbers of entries, points and keys fit 32 bits: the plan sees to it.
        (begin as u32..end as u32, [x as u32, groups.div_ceil(x) as u32, 1])
    })
}
