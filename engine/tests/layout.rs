//! The structs shared with WGSL have the offsets, sizes and types that naga computes from the shader's text.
#![cfg(feature = "gpu")]

use std::mem::offset_of;

use blindsum_engine::gpu::layout::{
    Key, MaskExpandParams, MsmAccumulateParams, MsmDigitParams, MsmMergeParams, MsmPointsParams,
    MsmReduceParams, MsmScalarsParams, MsmScanAddParams, MsmScanParams, NttParams, NttQuotientParams,
    ProbeFieldParams, ProbePointParams, SumRowsParams,
};
use blindsum_shaders::{Arithmetic, Field, Limbs};

/// Name, offset and size of a member.
type Member = (String, u32, u32);

/// The arithmetic of kernels that need one; structs do not depend on which.
const FQ: Option<Arithmetic> = Some(Arithmetic { field: Field::Fq, limbs: Limbs::U64x8 });

/// The struct `name` of kernel `kernel`, as naga lays it out: members and size.
fn reflected(kernel: &str, arithmetic: Option<Arithmetic>, name: &str) -> (Vec<Member>, u32) {
    let text = blindsum_shaders::kernel(kernel, arithmetic).expect("a kernel");
    let module = naga::front::wgsl::parse_str(&text).expect("valid WGSL");
    let (_, found) = module
        .types
        .iter()
        .find(|(_, found)| found.name.as_deref() == Some(name))
        .unwrap_or_else(|| panic!("{kernel} has no struct {name}"));
    let naga::TypeInner::Struct { members, span } = &found.inner else { panic!("{name} is no struct") };
    let members = members
        .iter()
        .map(|member| {
            let size = module.types[member.ty].inner.size(module.to_ctx());
            (member.name.clone().expect("a named member"), member.offset, size)
        })
        .collect();
    (members, *span)
}

macro_rules! check {
    ($kernel:literal, $arithmetic:expr, $name:ident { $($field:ident: $type:ty),* $(,)? }) => {{
        // The literal fails to compile when a field is missing here or has another type.
        let value: $name = bytemuck::Zeroable::zeroed();
        let $name { $($field),* } = value;
        $(let _: $type = $field;)*
        let fields = [$((stringify!($field).to_owned(), offset_of!($name, $field) as u32, size_of::<$type>() as u32)),*];
        let (members, size) = reflected($kernel, $arithmetic, stringify!($name));
        assert_eq!(members, fields, "{}", stringify!($name));
        assert_eq!(size as usize, size_of::<$name>(), "{}", stringify!($name));
    }};
}

#[test]
fn structs_agree_with_the_shaders() {
    check!(
        "mask_expand",
        None,
        MaskExpandParams {
            counter_low: u32,
            counter_high: u32,
            n_blocks: u32,
            groups_per_row: u32,
            first_key: u32,
            end_key: u32,
            keys_per_slice: u32,
            sign: u32,
        }
    );
    check!("mask_expand", None, Key { low: [u32; 4], high: [u32; 4] });
    check!("sum_rows", None, SumRowsParams { n_rows: u32, n_quads: u32, groups_per_row: u32, reserved: u32 });
    check!("msm_points", FQ, MsmPointsParams { begin: u32, end: u32, groups_per_row: u32, reserved: u32 });
    check!("msm_scalars", FQ, MsmScalarsParams { begin: u32, end: u32, groups_per_row: u32, reserved: u32 });
    // `msm_scatter` has it from the same text.
    check!(
        "msm_histogram",
        None,
        MsmDigitParams {
            n_points: u32,
            first_point: u32,
            begin: u32,
            end: u32,
            groups_per_row: u32,
            words_per_scalar: u32,
            window_bits: u32,
            first_window: u32,
            end_window: u32,
            zero_key: u32,
            reserved0: u32,
            reserved1: u32
        }
    );
    check!(
        "msm_scan",
        None,
        MsmScanParams { n_values: u32, first_tile: u32, groups_per_row: u32, reserved: u32 }
    );
    check!(
        "msm_scan_add",
        None,
        MsmScanAddParams { n_values: u32, first_tile: u32, groups_per_row: u32, reserved: u32 }
    );
    check!(
        "msm_accumulate",
        FQ,
        MsmAccumulateParams {
            first_slice: u32,
            n_slices: u32,
            groups_per_row: u32,
            entries_per_slice: u32,
            n_keys: u32,
            reserved0: u32,
            reserved1: u32,
            reserved2: u32
        }
    );
    check!(
        "msm_merge",
        FQ,
        MsmMergeParams {
            first_slice: u32,
            n_slices: u32,
            groups_per_row: u32,
            sums_per_slice: u32,
            n_sums: u32,
            reserved0: u32,
            reserved1: u32,
            reserved2: u32
        }
    );
    check!(
        "msm_reduce",
        FQ,
        MsmReduceParams {
            first_sum: u32,
            n_sums: u32,
            groups_per_row: u32,
            items_per_group: u32,
            n_arrays: u32,
            n_groups: u32,
            reserved0: u32,
            reserved1: u32
        }
    );
    // `ntt_dit` has it from the same text.
    check!(
        "ntt_dif",
        FQ,
        NttParams {
            first_tile: u32,
            n_tiles: u32,
            groups_per_row: u32,
            log_rows: u32,
            log_columns: u32,
            log_stride: u32,
            row_shift: u32,
            coset: u32,
            scale_low: [u32; 4],
            scale_high: [u32; 4],
            is_scaled: u32,
            reserved0: u32,
            reserved1: u32,
            reserved2: u32
        }
    );
    check!(
        "ntt_quotient",
        FQ,
        NttQuotientParams {
            begin: u32,
            end: u32,
            groups_per_row: u32,
            reserved: u32,
            product_scale_low: [u32; 4],
            product_scale_high: [u32; 4],
            scale_low: [u32; 4],
            scale_high: [u32; 4]
        }
    );
    check!("probe_field", FQ, ProbeFieldParams { n: u32, groups_per_row: u32, operation: u32, rounds: u32 });
    check!("probe_point", FQ, ProbePointParams { n: u32, groups_per_row: u32, rounds: u32, reserved: u32 });
}

/// The text of a kernel that may be written for several arithmetics, for each of them.
fn texts(name: &str) -> Vec<String> {
    match blindsum_shaders::kernel(name, None) {
        Ok(text) => vec![text],
        Err(_) => Arithmetic::all()
            .map(|arithmetic| blindsum_shaders::kernel(name, Some(arithmetic)).expect("a kernel"))
            .collect(),
    }
}

/// Every kernel has a workgroup along x alone, its parameters at binding 0, and its buffers from binding 1 on without a
/// gap: the shape that every pipeline has.
#[test]
fn kernels_have_one_shape() {
    for source in blindsum_shaders::KERNELS {
        for text in texts(source.name) {
            let module = naga::front::wgsl::parse_str(&text).expect("valid WGSL");
            assert_eq!(module.entry_points[0].workgroup_size[1..], [1, 1], "{}", source.name);
            let mut bindings: Vec<(u32, u32, naga::AddressSpace)> = module
                .global_variables
                .iter()
                .filter_map(|(_, variable)| {
                    variable.binding.map(|binding| (binding.group, binding.binding, variable.space))
                })
                .collect();
            bindings.sort_unstable_by_key(|(group, binding, _)| (*group, *binding));
            for (i, (group, binding, space)) in bindings.into_iter().enumerate() {
                assert_eq!((group, binding), (0, i as u32), "{}", source.name);
                let is_uniform = space == naga::AddressSpace::Uniform;
                assert_eq!(is_uniform, binding == 0, "{}: binding {binding}", source.name);
            }
        }
    }
}
