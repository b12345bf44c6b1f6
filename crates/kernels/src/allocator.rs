//! Memory that is free for a moment.

/// Keeps memory that is freed, for allocations to come, instead of giving it back to the system after a
/// second: a training step frees and allocates the same large tensors again and again, and first touching
/// pages anew takes a fifth of its time. Does nothing where mimalloc is not the allocator.
pub fn keep_freed_memory() {
    #[cfg(feature = "mimalloc")]
    {
        /// `mi_option_purge_delay` of mimalloc.h 2 and 3, milliseconds; -1 is never.
        const PURGE_DELAY: std::ffi::c_int = 15;
        // SAFETY: options are atomics that may be set at any time from any thread; this one is a plain number.
        unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, -1) };
    }
}

#[cfg(all(test, feature = "mimalloc"))]
mod tests {
    #[test]
    fn the_option_is_the_purge_delay() {
        const HEADER_DEFAULT_MS: std::ffi::c_long = 1000;
        // SAFETY: reading an option is reading an atomic.
        assert_eq!(unsafe { libmimalloc_sys::mi_option_get(15) }, HEADER_DEFAULT_MS);
        super::keep_freed_memory();
        // SAFETY: as above.
        assert_eq!(unsafe { libmimalloc_sys::mi_option_get(15) }, -1);
    }
}
