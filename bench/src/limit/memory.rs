//! Memory that the kernel reads or writes, at a fixed address.
#![expect(unsafe_code, reason = "the kernel is given its address")]

use std::{
    alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error},
    ptr::NonNull,
};

/// Zeroed bytes, in huge pages where the kernel has them.
pub(super) struct Memory {
    base: NonNull<u8>,
    layout: Layout,
}

impl Memory {
    /// Takes `bytes`, at least one.
    pub(super) fn new(bytes: usize) -> Self {
        assert!(bytes > 0, "a size of zero has no address");
        let align = if bytes >= HUGE_PAGE_BYTES {
            HUGE_PAGE_BYTES
        } else {
            PAGE_BYTES
        };
        let layout = Layout::from_size_align(bytes, align).expect("a few mebibytes");
        // SAFETY: the size is not zero.
        let base = unsafe { alloc_zeroed(layout) };
        let Some(base) = NonNull::new(base) else {
            handle_alloc_error(layout)
        };
        // SAFETY: the range is this allocation, and the advice changes no byte of it. Refused
        // advice costs nothing but speed.
        unsafe { libc::madvise(base.as_ptr().cast(), bytes, libc::MADV_HUGEPAGE) };
        Self { base, layout }
    }

    /// The address of the byte at `offset`.
    pub(super) fn at(&self, offset: usize) -> *mut u8 {
        assert!(offset < self.layout.size(), "an offset lies inside");
        // SAFETY: inside the allocation, as just asserted.
        unsafe { self.base.as_ptr().add(offset) }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout, freed once.
        unsafe { dealloc(self.base.as_ptr(), self.layout) }
    }
}

const PAGE_BYTES: usize = 4_096;
const HUGE_PAGE_BYTES: usize = 2 << 20;
