//! The buffer ring that io_uring takes receive buffers from.
//!
//! The kernel takes a whole buffer for each receive (not incrementally: incremental consumption
//! and multishot `recvmsg` do not go together, liburing #1433) and names it in the completion; the
//! buffer is ours until it is lent again.

use std::io;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::Submitter;
use io_uring::types::BufRingEntry;

use crate::buffers::ReceiveBuffers;
use crate::limits::RECEIVE_BUFFER_BYTES;
use crate::memory::Memory;

/// The one buffer group of a ring.
pub(crate) const BUFFER_GROUP: u16 = 0;

/// The descriptors that lend receive buffers to the kernel.
pub(crate) struct ProvidedRing {
    descriptors: Memory,
    count: u16,
    tail: u16,
    published: u16,
}

impl ProvidedRing {
    /// Takes the memory. `count` is a power of two. The kernel knows nothing of it yet.
    pub(crate) fn new(count: u16) -> Self {
        assert!(
            count.is_power_of_two(),
            "the kernel masks the tail with count - 1"
        );
        Self {
            descriptors: Memory::new(usize::from(count) * size_of::<BufRingEntry>()),
            count,
            tail: 0,
            published: 0,
        }
    }

    /// Makes the group known to the kernel and lends it every buffer.
    ///
    /// # Safety
    /// The io_uring behind `submitter` must be closed before `self` and `buffers` are dropped, and
    /// none of the buffers may be in a batch.
    pub(crate) unsafe fn register(
        &mut self,
        submitter: &Submitter<'_>,
        buffers: &ReceiveBuffers,
    ) -> io::Result<()> {
        let address = self.descriptors.at(0).expose_provenance() as u64;
        // SAFETY: the address holds `count` descriptors and stays valid until `self` is dropped,
        // which the caller promises is after the io_uring is closed.
        unsafe { submitter.register_buf_ring_with_flags(address, self.count, BUFFER_GROUP, 0)? };
        for buffer in 0..self.count {
            // SAFETY: the kernel has no buffer yet, and the caller's promise.
            unsafe { self.lend(buffers, buffer) };
        }
        self.publish();
        Ok(())
    }

    /// Lends a buffer to the kernel, which sees it at the next `publish`.
    ///
    /// # Safety
    /// The buffer must not be lent already or be used by anyone until a completion names it, and
    /// `buffers` must outlive the io_uring.
    pub(crate) unsafe fn lend(&mut self, buffers: &ReceiveBuffers, buffer: u16) {
        let address = buffers.address(buffer);
        let slot = usize::from(self.tail & (self.count - 1));
        let entry = self
            .descriptors
            .at(slot * size_of::<BufRingEntry>())
            .cast::<BufRingEntry>();
        // SAFETY: `slot` is below `count`, the memory holds `count` entries, is page-aligned and
        // zeroed (a valid entry). The kernel reads an entry only once the tail has passed it, and
        // no more than `count` buffers are lent, so nobody else touches this one. The tail itself
        // overlaps only the reserved field of entry 0, which the setters leave alone.
        let entry = unsafe { &mut *entry };
        entry.set_addr(address.expose_provenance() as u64);
        entry.set_len(u32::try_from(RECEIVE_BUFFER_BYTES).expect("a buffer is 64 KiB"));
        entry.set_bid(buffer);
        self.tail = self.tail.wrapping_add(1);
    }

    /// Lets the kernel use everything lent so far.
    pub(crate) fn publish(&mut self) {
        if self.tail == self.published {
            return;
        }
        let base = self.descriptors.at(0).cast::<BufRingEntry>();
        // SAFETY: `base` is the start of the registered descriptor ring.
        let tail = unsafe { BufRingEntry::tail(base) };
        // SAFETY: the tail is an aligned u16 inside the descriptor memory; the kernel only reads
        // it, and this thread writes it only here.
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        // Release: the kernel must see the entries before it sees the tail that covers them.
        tail.store(self.tail, Ordering::Release);
        self.published = self.tail;
    }

    /// Never gives the memory back: for when the kernel may still read it.
    pub(crate) fn leak(&mut self) {
        self.descriptors.leak();
    }
}
