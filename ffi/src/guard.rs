//! The border that no panic crosses, and the checks of what the caller points to.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::status::BlindsumStatus;

#[cfg(panic = "abort")]
compile_error!("the C ABI turns panics into a status: build it with panic = \"unwind\"");

/// Runs an entry point's body; a panic becomes [`BlindsumStatus::Panic`].
pub(crate) fn guard(body: impl FnOnce() -> Result<(), BlindsumStatus>) -> BlindsumStatus {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => BlindsumStatus::Ok,
        Ok(Err(status)) => status,
        Err(payload) => {
            // Dropping a payload can panic again, beyond the border: leak it.
            std::mem::forget(payload);
            BlindsumStatus::Panic
        }
    }
}

/// The caller's `len` elements at `data`. `too_long` is the answer to more than `limit` of them, before any is read.
///
/// # Safety
/// `data` is NULL or points to `len` initialised elements that nothing writes to while the slice lives.
pub(crate) unsafe fn slice<'a, T>(
    data: *const T,
    len: usize,
    limit: usize,
    too_long: BlindsumStatus,
) -> Result<&'a [T], BlindsumStatus> {
    if data.is_null() {
        return Err(BlindsumStatus::NullPointer);
    }
    if len > limit.min(isize::MAX as usize / size_of::<T>().max(1)) {
        return Err(too_long);
    }
    // SAFETY: not NULL, at most isize::MAX bytes; the caller vouches for the rest.
    Ok(unsafe { std::slice::from_raw_parts(data, len) })
}

/// The caller's one value at `data`.
///
/// # Safety
/// `data` is NULL or points to an initialised value that nothing writes to while the reference lives.
pub(crate) unsafe fn reference<'a, T>(data: *const T) -> Result<&'a T, BlindsumStatus> {
    // SAFETY: the caller vouches for all but NULL, which as_ref checks.
    unsafe { data.as_ref() }.ok_or(BlindsumStatus::NullPointer)
}

/// Ends a handle; NULL is nothing to do.
///
/// # Safety
/// `handle` is NULL or came from `Box::into_raw`, is used by nobody and was not ended before.
pub(crate) unsafe fn free<T>(handle: *mut T) {
    if !handle.is_null() {
        // SAFETY: the caller vouches that the box is its own.
        let handle = unsafe { Box::from_raw(handle) };
        guard(|| {
            drop(handle);
            Ok(())
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_status() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("dropped");
            }
        }
        assert_eq!(guard(|| panic!("inside")), BlindsumStatus::Panic);
        assert_eq!(guard(|| std::panic::panic_any(Bomb)), BlindsumStatus::Panic);
        assert_eq!(guard(|| Err(BlindsumStatus::Rules)), BlindsumStatus::Rules);
        assert_eq!(guard(|| Ok(())), BlindsumStatus::Ok);
    }

    #[test]
    fn null_and_long_inputs_are_refused_unread() {
        let null: *const u8 = std::ptr::null();
        let dangling = std::ptr::NonNull::<u16>::dangling().as_ptr().cast_const();
        // SAFETY: neither pointer is read: the first is NULL, the second comes with lengths over the limits.
        unsafe {
            assert_eq!(slice(null, 0, 9, BlindsumStatus::Length), Err(BlindsumStatus::NullPointer));
            assert_eq!(slice(dangling, 10, 9, BlindsumStatus::Length), Err(BlindsumStatus::Length));
            assert_eq!(
                slice(dangling, usize::MAX, usize::MAX, BlindsumStatus::Length),
                Err(BlindsumStatus::Length)
            );
        }
    }
}
