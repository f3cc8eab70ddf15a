//! The memory that datagrams are received into.

use crate::limits::RECEIVE_BUFFER_BYTES;
use crate::memory::Memory;

/// Receive buffers, each either the engine's (the kernel may write to it) or the batch's.
pub(crate) struct ReceiveBuffers {
    memory: Memory,
    count: u16,
    /// Buffers that are part of a batch.
    out_count: u16,
}

impl ReceiveBuffers {
    /// Takes the memory; the engine has every buffer.
    pub(crate) fn new(count: u16) -> Self {
        Self {
            memory: Memory::new(usize::from(count) * RECEIVE_BUFFER_BYTES),
            count,
            out_count: 0,
        }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u16 {
        self.count
    }

    /// The engine filled this buffer: it is the batch's until given back.
    pub(crate) fn take(&mut self, buffer: u16) {
        assert!(
            buffer < self.count,
            "an engine names buffers that there are"
        );
        assert!(
            self.out_count < self.count,
            "the engine has no buffer left to name"
        );
        self.out_count += 1;
    }

    /// The engine may fill this buffer again. Each buffer taken is given back exactly once.
    pub(crate) fn give_back(&mut self, buffer: u16) {
        assert!(
            buffer < self.count,
            "an engine names buffers that there are"
        );
        assert!(self.out_count > 0, "a buffer is given back once");
        self.out_count -= 1;
    }

    /// Buffers that the engine does not have.
    #[cfg(test)]
    pub(crate) fn out_count(&self) -> u16 {
        self.out_count
    }

    /// Never gives the memory back: for when the kernel may still use it.
    pub(crate) fn leak(&mut self) {
        self.memory.leak();
    }

    /// Where a buffer begins, for the kernel to write [`RECEIVE_BUFFER_BYTES`] to.
    pub(crate) fn address(&self, buffer: u16) -> *mut u8 {
        self.start(buffer, 0, RECEIVE_BUFFER_BYTES)
    }

    /// The first `bytes` of a buffer that was taken.
    pub(crate) fn bytes(&self, buffer: u16, bytes: usize) -> &[u8] {
        let start = self.start(buffer, 0, bytes);
        // SAFETY: the range lies inside one buffer, as `start` asserted, and was initialised
        // (zeroed at first). The kernel does not write to a buffer that it has handed over, and
        // mutable slices come only from `bytes_mut`, whose borrowers hold `&mut ReceiveBuffers`.
        unsafe { std::slice::from_raw_parts(start, bytes) }
    }

    /// `bytes` bytes at `offset` of a buffer that was taken, to write, for as long as the lender
    /// of the buffers allows.
    ///
    /// # Safety
    /// The engine must not have the buffer, ranges alive at the same time must not overlap, and
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
            "an engine names buffers that there are"
        );
        assert!(
            offset <= RECEIVE_BUFFER_BYTES && bytes <= RECEIVE_BUFFER_BYTES - offset,
            "a datagram lies inside its buffer"
        );
        // An empty range at the very end of the last buffer has no address of its own.
        let offset = offset.min(RECEIVE_BUFFER_BYTES - 1);
        self.memory
            .at(usize::from(buffer) * RECEIVE_BUFFER_BYTES + offset)
    }
}
