//! Which part of the outgoing packet memory is in use.
//!
//! Packets are laid one behind another in the open slab. A slab is free again when every message in
//! it has completed. Numbers only: the bytes are elsewhere, so that this can be tested alone.

use crate::limits::SEND_SLAB_BYTES;

/// Accounts for the slabs of one ring.
#[derive(Debug)]
pub(crate) struct Slabs {
    /// Messages not completed, by slab.
    in_flight: Box<[u32]>,
    /// Slabs without a message, most recently freed last: its bytes are warm in the cache.
    free: Vec<u16>,
    open: Option<u16>,
    /// Where the next packet goes in the open slab.
    cursor: usize,
}

impl Slabs {
    pub(crate) fn new(count: u16) -> Self {
        Self {
            in_flight: vec![0; usize::from(count)].into_boxed_slice(),
            free: (0..count).rev().collect(),
            open: None,
            cursor: 0,
        }
    }

    /// The slab and the offset in it at which `bytes` more fit, or `None` when the open slab is
    /// too full for them.
    pub(crate) fn place(&self, bytes: usize) -> Option<(u16, usize)> {
        let slab = self.open?;
        (bytes <= SEND_SLAB_BYTES - self.cursor).then_some((slab, self.cursor))
    }

    /// Keeps the `bytes` just written at the cursor.
    pub(crate) fn advance(&mut self, bytes: usize) {
        assert!(
            bytes <= SEND_SLAB_BYTES - self.cursor,
            "a packet lies inside its slab"
        );
        self.cursor += bytes;
    }

    /// Starts the next packet on a cache line of its own where there is room.
    pub(crate) fn align(&mut self) {
        self.cursor = self.cursor.next_multiple_of(64).min(SEND_SLAB_BYTES);
    }

    /// A message in `slab` was handed to the kernel.
    pub(crate) fn hold(&mut self, slab: u16) {
        self.in_flight[usize::from(slab)] += 1;
    }

    /// A message in `slab` completed.
    pub(crate) fn release(&mut self, slab: u16) {
        let count = &mut self.in_flight[usize::from(slab)];
        assert!(*count > 0, "a message completes once");
        *count -= 1;
        if *count > 0 {
            return;
        }
        if self.open != Some(slab) {
            self.free.push(slab);
        }
    }

    /// Starts the open slab from its beginning if the kernel is done with it. Only between
    /// messages: nothing written and not yet handed over may lie in it.
    pub(crate) fn rewind(&mut self) {
        if let Some(slab) = self.open
            && self.in_flight[usize::from(slab)] == 0
        {
            self.cursor = 0;
        }
    }

    /// Opens the next free slab; the one that was open is free when its messages complete.
    /// `false` when none is free, and the open slab stays open.
    pub(crate) fn next(&mut self) -> bool {
        let Some(slab) = self.free.pop() else {
            return false;
        };
        if let Some(old) = self.open.replace(slab)
            && self.in_flight[usize::from(old)] == 0
        {
            self.free.push(old);
        }
        self.cursor = 0;
        true
    }

    /// Messages that the kernel still reads.
    pub(crate) fn messages_in_flight(&self) -> u32 {
        self.in_flight.iter().sum()
    }

    /// Slabs that hold no message.
    #[cfg(test)]
    pub(crate) fn free_count(&self) -> usize {
        self.in_flight.iter().filter(|count| **count == 0).count()
    }
}

#[cfg(test)]
mod tests;
