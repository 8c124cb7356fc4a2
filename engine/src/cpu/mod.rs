//! The backend that is always there: portable Rust, vectorised by the compiler, spread over threads by rayon.

mod affine;
mod mask_expand;
mod msm;
mod msm_signed;
mod ntt;
mod sum_rows;

pub use self::msm::sum_vartime;
use crate::backend::Backend;
use crate::curve::{Fq, Fr, Projective};
use crate::error::EngineError;
use crate::mask::SignedMask;
use crate::ntt::{Direction, Domain};
use crate::points::{G1, G1Projective, Grumpkin, Points};

/// The CPU, all threads of the current rayon pool.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cpu;

impl Cpu {
    /// The instruction set that the vector code was compiled for and this processor runs, e.g. `avx512`.
    #[must_use]
    pub fn instruction_set() -> &'static str {
        mask_expand::instruction_set()
    }
}

impl Backend for Cpu {
    fn name(&self) -> &str {
        "cpu"
    }

    fn mask_expand(&self, masks: &[SignedMask], first_word: u64, acc: &mut [u32]) -> Result<(), EngineError> {
        mask_expand::mask_expand(masks, first_word, acc)
    }

    fn sum_rows(&self, rows: &[&[u32]], acc: &mut [u32]) -> Result<(), EngineError> {
        sum_rows::sum_rows(rows, acc)
    }

    fn msm_g1_vartime(&self, points: &Points<G1>, scalars: &[Fr]) -> Result<G1Projective, EngineError> {
        msm::msm_vartime(points, scalars)
    }

    fn msm_grumpkin_vartime(
        &self,
        points: &Points<Grumpkin>,
        scalars: &[Fq],
    ) -> Result<Projective, EngineError> {
        msm::msm_vartime(points, scalars)
    }

    fn msm_signed(
        &self,
        points: &Points<Grumpkin>,
        rows: &[&[i32]],
        bits: u8,
    ) -> Result<Vec<Projective>, EngineError> {
        msm_signed::msm_signed(points, rows, bits)
    }

    fn ntt(&self, direction: Direction, domain: Domain, values: &mut [Fr]) -> Result<(), EngineError> {
        ntt::ntt(direction, domain, values)
    }

    fn quotient(&self, a: &mut [Fr], b: &mut [Fr]) -> Result<(), EngineError> {
        ntt::quotient(a, b)
    }
}
