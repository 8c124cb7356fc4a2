//! Checking that a published sum opens a commitment.

use std::{
    ffi::{CStr, c_char},
    path::Path,
};

use blindsum_engine::{
    EngineError,
    bases::Bases,
    cpu::Cpu,
    curve::point_from_bytes,
    opening::{Opening, OpeningBounds, check_opening},
};

use crate::{
    guard::{free, guard, reference, slice},
    status::BlindsumStatus,
};

/// The commitment bases. Opaque, immutable, usable by any number of threads at once.
pub struct BlindsumBases {
    bases: Bases,
}

/// What the round's context and the certificate say about the vectors behind a sum.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct BlindsumOpeningBounds {
    /// Smallest weight of a client.
    pub w_min: u32,
    /// Largest weight of a client.
    pub w_max: u32,
    /// Set bits of the certificate's `participants`.
    pub participants: u32,
    /// The bound of one client's noise in one coordinate; 0 without noise.
    pub dp_bound: u32,
    /// Bits of a coordinate.
    pub bits: u8,
}

/// Loads the bases for sums of `d` coordinates, the weight counted, from the cache in `directory` (UTF-8, NUL-terminated;
/// NULL: the user's cache directory), or derives and caches them, which for millions takes minutes, once. On success `*out`
/// is a handle for `blindsum_bases_free`.
///
/// # Safety
/// `directory` is NULL or NUL-terminated, `out` points to writable space for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn blindsum_bases_new(
    directory: *const c_char,
    d: u64,
    out: *mut *mut BlindsumBases,
) -> BlindsumStatus {
    guard(|| {
        if out.is_null() {
            return Err(BlindsumStatus::NullPointer);
        }
        let directory = if directory.is_null() {
            None
        } else {
            // SAFETY: not NULL; the caller vouches for the terminator.
            let directory = unsafe { CStr::from_ptr(directory) };
            Some(Path::new(directory.to_str().map_err(|_| BlindsumStatus::Directory)?))
        };
        let d = usize::try_from(d).ok().filter(|&d| d > 0).ok_or(BlindsumStatus::Dimension)?;
        let bases = Bases::open(directory, d).map_err(|error| match error {
            EngineError::Misuse(_) => BlindsumStatus::Dimension,
            _ => BlindsumStatus::Engine,
        })?;
        // SAFETY: not NULL; the caller vouches that it is writable.
        unsafe { out.write(Box::into_raw(Box::new(BlindsumBases { bases }))) };
        Ok(())
    })
}

/// Ends the bases. NULL is nothing to do.
///
/// # Safety
/// `bases` is NULL or came from `blindsum_bases_new`, is in use by nobody and was not freed before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn blindsum_bases_free(bases: *mut BlindsumBases) {
    // SAFETY: as the caller's.
    unsafe { free(bases) }
}

/// Accepts (0) if `opening` (A and R: d u64 and R 32 bytes, big-endian, then d i64, little-endian) opens the 64 bytes
/// `commitment` of an accepted certificate and lies in the range that honest clients can reach.
///
/// # Safety
/// `bases` is a live handle, `bounds` points to bounds, `commitment` to 64 bytes, `opening` to `opening_len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn blindsum_check_opening(
    bases: *const BlindsumBases,
    bounds: *const BlindsumOpeningBounds,
    commitment: *const u8,
    opening: *const u8,
    opening_len: usize,
) -> BlindsumStatus {
    guard(|| {
        // SAFETY: as the caller's.
        let bases = &unsafe { reference(bases) }?.bases;
        // SAFETY: as the caller's.
        let bounds = unsafe { reference(bounds) }?;
        // SAFETY: as the caller's; an array of bytes has no alignment.
        let commitment = unsafe { reference(commitment.cast::<[u8; 64]>()) }?;
        // SAFETY: as the caller's.
        let opening = unsafe { slice(opening, opening_len, usize::MAX, BlindsumStatus::OpeningEncoding) }?;
        let commitment = point_from_bytes(commitment).map_err(|_| BlindsumStatus::CommitmentEncoding)?;
        let opening = Opening::from_bytes(opening).map_err(|_| BlindsumStatus::OpeningEncoding)?;
        let bounds = OpeningBounds {
            bits: bounds.bits,
            w_min: bounds.w_min,
            w_max: bounds.w_max,
            participants: bounds.participants,
            dp_bound: bounds.dp_bound,
        };
        Ok(check_opening(&Cpu, bases, &bounds, &commitment, &opening)?)
    })
}

/// Handles cross threads.
const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<BlindsumBases>();
};
