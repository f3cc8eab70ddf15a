//! Page-aligned memory that the kernel reads or writes.

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;

/// Zeroed bytes at a fixed, page-aligned address, owned until dropped.
pub(crate) struct Memory {
    base: NonNull<u8>,
    layout: Layout,
    leaked: bool,
}

impl Memory {
    /// Takes `bytes` from the allocator; 0 is rounded up to 1.
    pub(crate) fn new(bytes: usize) -> Self {
        let layout = Layout::from_size_align(bytes.max(1), PAGE_BYTES)
            .expect("sizes are bounded by limits.rs, far below isize::MAX");
        // SAFETY: the layout's size is at least 1.
        let base = unsafe { alloc_zeroed(layout) };
        let Some(base) = NonNull::new(base) else {
            handle_alloc_error(layout)
        };
        Self {
            base,
            layout,
            leaked: false,
        }
    }

    /// The address of the byte at `offset`, with everything behind it up to the end.
    ///
    /// # Panics
    /// When `offset` lies outside.
    pub(crate) fn at(&self, offset: usize) -> *mut u8 {
        assert!(
            offset < self.layout.size(),
            "an offset lies inside its memory"
        );
        // SAFETY: the offset is inside the allocation, as just asserted.
        unsafe { self.base.as_ptr().add(offset) }
    }

    /// Never gives the memory back: for when the kernel may still use it.
    pub(crate) fn leak(&mut self) {
        self.leaked = true;
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if self.leaked {
            return;
        }
        // SAFETY: `base` came from `alloc_zeroed` with this layout and is freed once, here.
        unsafe { dealloc(self.base.as_ptr(), self.layout) }
    }
}

const PAGE_BYTES: usize = 4_096;
