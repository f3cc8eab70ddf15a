//! The buffer ring that io_uring takes receive buffers from.
//!
//! The kernel takes a whole buffer for each receive (not incrementally: incremental consumption
//! and multishot `recvmsg` do not go together, liburing #1433) and names it in the completion; the
//! buffer is ours until it is given back.

use std::io;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::Submitter;
use io_uring::types::BufRingEntry;

use crate::limits::RECEIVE_BUFFER_BYTES;
use crate::memory::Memory;

/// The one buffer group of a ring.
pub(crate) const BUFFER_GROUP: u16 = 0;

/// Receive buffers and the ring of descriptors that lends them to the kernel.
pub(crate) struct ProvidedBuffers {
    descriptors: Memory,
    buffers: Memory,
    count: u16,
    tail: u16,
    published: u16,
    /// Buffers that are ours.
    out_count: u16,
}

impl ProvidedBuffers {
    /// Takes the memory. `count` is a power of two. The kernel knows nothing of it yet.
    pub(crate) fn new(count: u16) -> Self {
        assert!(
            count.is_power_of_two(),
            "the kernel masks the tail with count - 1"
        );
        Self {
            descriptors: Memory::new(usize::from(count) * size_of::<BufRingEntry>()),
            buffers: Memory::new(usize::from(count) * RECEIVE_BUFFER_BYTES),
            count,
            tail: 0,
            published: 0,
            out_count: count,
        }
    }

    /// Makes the group known to the kernel and lends it every buffer.
    ///
    /// # Safety
    /// The ring behind `submitter` must be closed before `self` is dropped.
    pub(crate) unsafe fn register(&mut self, submitter: &Submitter<'_>) -> io::Result<()> {
        let address = self.descriptors.at(0).expose_provenance() as u64;
        // SAFETY: the address holds `count` descriptors and stays valid until `self` is dropped,
        // which the caller promises is after the ring is closed.
        unsafe { submitter.register_buf_ring_with_flags(address, self.count, BUFFER_GROUP, 0)? };
        for buffer in 0..self.count {
            self.give_back(buffer);
        }
        self.publish();
        Ok(())
    }

    /// A completion named this buffer: it is ours until given back.
    pub(crate) fn take(&mut self, buffer: u16) {
        assert!(
            buffer < self.count,
            "the kernel names only buffers that it was given"
        );
        assert!(
            self.out_count < self.count,
            "the kernel has no buffer left to name"
        );
        self.out_count += 1;
    }

    /// Buffers that the kernel does not have.
    #[cfg(test)]
    pub(crate) fn out_count(&self) -> u16 {
        self.out_count
    }

    /// Never gives the memory back: for when the kernel may still use it.
    pub(crate) fn leak(&mut self) {
        self.descriptors.leak();
        self.buffers.leak();
    }

    /// Puts a buffer back; the kernel sees it at the next `publish`. Each buffer that a completion
    /// named is given back exactly once.
    pub(crate) fn give_back(&mut self, buffer: u16) {
        assert!(
            buffer < self.count,
            "the kernel names only buffers that it was given"
        );
        assert!(self.out_count > 0, "a buffer is given back once");
        self.out_count -= 1;
        let address = self.buffers.at(usize::from(buffer) * RECEIVE_BUFFER_BYTES);
        let slot = usize::from(self.tail & (self.count - 1));
        let entry = self
            .descriptors
            .at(slot * size_of::<BufRingEntry>())
            .cast::<BufRingEntry>();
        // SAFETY: `slot` is below `count`, the memory holds `count` entries, is page-aligned and
        // zeroed (a valid entry). The kernel reads an entry only once the tail has passed it, and
        // never more than `count` buffers are out, so nobody else touches this one. The tail
        // itself overlaps only the reserved field of entry 0, which the setters leave alone.
        let entry = unsafe { &mut *entry };
        entry.set_addr(address.expose_provenance() as u64);
        entry.set_len(u32::try_from(RECEIVE_BUFFER_BYTES).expect("a buffer is 64 KiB"));
        entry.set_bid(buffer);
        self.tail = self.tail.wrapping_add(1);
    }

    /// Lets the kernel use everything given back so far.
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

    /// The first `bytes` of a buffer that is ours.
    pub(crate) fn bytes(&self, buffer: u16, bytes: usize) -> &[u8] {
        let start = self.start(buffer, 0, bytes);
        // SAFETY: the range lies inside one buffer, as `start` asserted, and was initialised
        // (zeroed at first). The kernel does not write to a buffer that it has handed over, and
        // mutable slices come only from `bytes_mut`, whose borrowers hold `&mut ProvidedBuffers`.
        unsafe { std::slice::from_raw_parts(start, bytes) }
    }

    /// `bytes` bytes at `offset` of a buffer that is ours, to write, for as long as the lender
    /// of the buffers allows.
    ///
    /// # Safety
    /// The kernel must not have the buffer, ranges alive at the same time must not overlap, and
    /// the caller must keep the buffers borrowed mutably for `'a`.
    pub(crate) unsafe fn bytes_mut<'a>(
        &self,
        buffer: u16,
        offset: usize,
        bytes: usize,
    ) -> &'a mut [u8] {
        let start = self.start(buffer, offset, bytes);
        // SAFETY: the range lies inside one buffer, as `start` asserted, and was initialised; that
        // nobody else uses it is the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(start, bytes) }
    }

    fn start(&self, buffer: u16, offset: usize, bytes: usize) -> *mut u8 {
        assert!(
            buffer < self.count,
            "the kernel names only buffers that it was given"
        );
        assert!(
            offset <= RECEIVE_BUFFER_BYTES && bytes <= RECEIVE_BUFFER_BYTES - offset,
            "a datagram lies inside its buffer"
        );
        // An empty range at the very end of the last buffer has no address of its own.
        let offset = offset.min(RECEIVE_BUFFER_BYTES - 1);
        self.buffers
            .at(usize::from(buffer) * RECEIVE_BUFFER_BYTES + offset)
    }
}
