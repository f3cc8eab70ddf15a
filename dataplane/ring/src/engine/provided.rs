//! The buffer ring that io_uring takes receive buffers from.
//!
//! The kernel takes a whole buffer for each receive (not incrementally: incremental consumption
//! and multishot `recvmsg` do not go together, liburing #1433) and names it in the completion; the
//! buffer is ours until it is lent again.
//!
//! The kernel goes through the lent buffers in turn, so the more are lent, the longer ago it is that
//! one was used, and the colder it is. So only a window of them is lent, which grows when the kernel
//! runs out and shrinks while little comes; the others wait, the last used first. Measured with a
//! window of 64 of 512 buffers: 18 % less for each datagram received in trains of 32, 1 % for
//! single ones (2026-11, two-core virtual machine).

use std::io;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::Submitter;
use io_uring::types::BufRingEntry;

use crate::buffers::ReceiveBuffers;
use crate::limits::{RECEIVE_BUFFER_BYTES, RECEIVE_WINDOW_MIN};
use crate::memory::Memory;

/// The one buffer group of a ring.
pub(crate) const BUFFER_GROUP: u16 = 0;

/// The descriptors that lend receive buffers to the kernel.
pub(crate) struct ProvidedRing {
    descriptors: Memory,
    count: u16,
    tail: u16,
    published: u16,
    /// Buffers that the kernel has.
    lent: u16,
    /// Buffers that the kernel is to have.
    window: u16,
    /// Buffers that nobody has, the last used last.
    idle: Vec<u16>,
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
            lent: 0,
            window: count.min(RECEIVE_WINDOW_MIN),
            idle: (0..count).rev().collect(),
        }
    }

    /// Makes the group known to the kernel and lends it the first buffers.
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
        // SAFETY: the caller's promise.
        unsafe { self.refill(buffers) };
        Ok(())
    }

    /// A completion named a buffer: the kernel has it no more.
    pub(crate) fn taken(&mut self) {
        assert!(self.lent > 0, "the kernel names buffers that it was lent");
        self.lent -= 1;
    }

    /// A buffer that was taken is not in use any more. Each is given back exactly once.
    pub(crate) fn give_back(&mut self, buffer: u16) {
        self.idle.push(buffer);
    }

    /// The kernel had no buffer left for what came.
    pub(crate) fn ran_out(&mut self) {
        self.window = self.window.saturating_mul(2).min(self.count);
    }

    /// Lends the kernel as many buffers as it is to have.
    ///
    /// # Safety
    /// `buffers` must outlive the io_uring, and nobody may use those that were given back.
    pub(crate) unsafe fn refill(&mut self, buffers: &ReceiveBuffers) {
        // Less than a quarter was needed since the last time.
        if self.lent > self.window / 4 * 3 && self.window > RECEIVE_WINDOW_MIN {
            self.window -= 1;
        }
        while self.lent < self.window {
            let Some(buffer) = self.idle.pop() else { break };
            // SAFETY: the buffer was idle, so the kernel does not have it; the rest is the
            // caller's promise.
            unsafe { self.lend(buffers, buffer) };
            self.lent += 1;
        }
        self.publish();
    }

    /// Lends a buffer to the kernel, which sees it at the next `publish`.
    ///
    /// # Safety
    /// The buffer must not be lent already or be used by anyone until a completion names it, and
    /// `buffers` must outlive the io_uring.
    unsafe fn lend(&mut self, buffers: &ReceiveBuffers, buffer: u16) {
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
    fn publish(&mut self) {
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

#[cfg(test)]
mod tests;
