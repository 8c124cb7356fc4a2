//! Fixed-length bytes, and the operating system's randomness.

use blindsum_engine::DecodeError;
use getrandom::SysRng;
use rand_core::UnwrapErr;

use crate::error::Result;

/// `data` as an array of exactly `N` bytes.
pub(crate) fn array<const N: usize>(what: &'static str, data: &[u8]) -> Result<[u8; N]> {
    data.try_into().map_err(|_| DecodeError::Length { what, expected: N, got: data.len() }.into())
}

/// Randomness of the operating system; every secret of this package comes from here.
pub(crate) fn os_rng() -> UnwrapErr<SysRng> {
    UnwrapErr(SysRng)
}
