//! The backend that is always there: in the widest lanes that the processor has, spread over threads by rayon.

mod affine;
mod hash_to_curve;
mod lanes;
mod mask_expand;
mod msm;
mod msm_signed;
mod ntt;
mod square_root;
mod sum_rows;

pub use self::lanes::Width;
use std::sync::atomic::AtomicBool;

use crate::backend::Backend;
use crate::curve::{Fq, Fr, Projective};
use crate::error::{DeviceError, EngineError};
use crate::mask::SignedMask;
use crate::ntt::{Direction, Domain};
use crate::points::{G1, G1Projective, G2Projective, Grumpkin, PackedG2, PackedPoint, Points};

/// `1 / value`; `None` for zero. Timing depends on `value`.
///
/// The result of ark-ff's inverse, by another algorithm: Pornin 2020 (eprint 2020/972).
#[must_use]
pub fn inverse_vartime(value: Fr) -> Option<Fr> {
    lanes::invert::<_, 0>(value)
}

/// The CPU at its widest, all threads of the current rayon pool.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cpu;

/// The CPU at a width, which tests and benches choose.
#[derive(Clone, Copy, Debug)]
pub struct CpuAt(Width);

impl Cpu {
    /// The CPU at a width of choice.
    ///
    /// # Errors
    /// [`DeviceError::MissingFeature`] if this processor lacks its instructions.
    pub fn at(width: Width) -> Result<CpuAt, DeviceError> {
        if width.is_available() {
            Ok(CpuAt(width))
        } else {
            Err(DeviceError::MissingFeature { adapter: "cpu".into(), feature: width.instructions() })
        }
    }

    fn widest() -> CpuAt {
        CpuAt(Width::widest())
    }

    /// `points[i] = hash_to_curve(name, index(i))`. See [`CpuAt::hash_to_curve`].
    pub fn hash_to_curve(name: &str, index: impl Fn(usize) -> u64 + Sync, points: &mut [PackedPoint]) {
        Self::widest().hash_to_curve(name, index, points);
    }
}

impl CpuAt {
    /// How many elements it computes on at a time.
    #[must_use]
    pub fn width(self) -> Width {
        self.0
    }

    /// `points[i] = hash_to_curve(name, index(i))`, the points of [`crate::curve::hash_to_curve`] and many at a time. Timing
    /// depends on the names and indices.
    pub fn hash_to_curve(self, name: &str, index: impl Fn(usize) -> u64 + Sync, points: &mut [PackedPoint]) {
        hash_to_curve::hash_to_curve(self.0, name, index, points);
    }
}

/// Every operation by the widest lanes.
macro_rules! widest {
    ($($name:ident($($argument:ident: $type:ty),*) -> $output:ty;)*) => { $(
        fn $name(&self, $($argument: $type),*) -> Result<$output, EngineError> {
            Self::widest().$name($($argument),*)
        }
    )* };
}

impl Backend for Cpu {
    fn name(&self) -> &str {
        "cpu"
    }

    fn shares_threads(&self) -> bool {
        true
    }

    widest! {
        mask_expand(masks: &[SignedMask], first_word: u64, acc: &mut [u32]) -> ();
        sum_rows(rows: &[&[u32]], acc: &mut [u32]) -> ();
        msm_g1_vartime(points: &Points<G1>, scalars: &[Fr]) -> G1Projective;
        msm_g2_vartime(points: &[PackedG2], scalars: &[Fr], stop: &AtomicBool) -> Option<G2Projective>;
        msm_grumpkin_vartime(points: &Points<Grumpkin>, scalars: &[Fq]) -> Projective;
        msm_signed(points: &Points<Grumpkin>, rows: &[&[i32]], bits: u8) -> Vec<Projective>;
        ntt(direction: Direction, domain: Domain, values: &mut [Fr]) -> ();
        quotient(a: &mut [Fr], b: &mut [Fr]) -> ();
    }
}

impl Backend for CpuAt {
    fn name(&self) -> &str {
        match self.0 {
            #[cfg(all(test, target_arch = "x86_64"))]
            Width::Model => "cpu:model",
            Width::Portable => "cpu:portable",
            Width::Avx2 => "cpu:avx2",
            Width::Avx512 => "cpu:avx512",
        }
    }

    fn shares_threads(&self) -> bool {
        true
    }

    fn mask_expand(&self, masks: &[SignedMask], first_word: u64, acc: &mut [u32]) -> Result<(), EngineError> {
        mask_expand::mask_expand(self.0, masks, first_word, acc)
    }

    fn sum_rows(&self, rows: &[&[u32]], acc: &mut [u32]) -> Result<(), EngineError> {
        sum_rows::sum_rows(rows, acc)
    }

    fn msm_g1_vartime(&self, points: &Points<G1>, scalars: &[Fr]) -> Result<G1Projective, EngineError> {
        msm::msm_vartime(self.0, points, scalars)
    }

    fn msm_g2_vartime(
        &self,
        points: &[PackedG2],
        scalars: &[Fr],
        stop: &AtomicBool,
    ) -> Result<Option<G2Projective>, EngineError> {
        msm::sum_vartime(self.0, points, scalars, stop)
    }

    fn msm_grumpkin_vartime(
        &self,
        points: &Points<Grumpkin>,
        scalars: &[Fq],
    ) -> Result<Projective, EngineError> {
        msm::msm_vartime(self.0, points, scalars)
    }

    fn msm_signed(
        &self,
        points: &Points<Grumpkin>,
        rows: &[&[i32]],
        bits: u8,
    ) -> Result<Vec<Projective>, EngineError> {
        msm_signed::msm_signed(self.0, points, rows, bits)
    }

    fn ntt(&self, direction: Direction, domain: Domain, values: &mut [Fr]) -> Result<(), EngineError> {
        ntt::ntt(self.0, direction, domain, values)
    }

    fn quotient(&self, a: &mut [Fr], b: &mut [Fr]) -> Result<(), EngineError> {
        ntt::quotient(self.0, a, b)
    }
}
