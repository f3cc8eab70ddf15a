//! Packets on their way out: laid side by side, grouped into messages, handed to the kernel.

use std::net::SocketAddr;

use crate::engine::Running;
use crate::flight::{Departure, Flight};
use crate::limits::{RUN_BYTES_MAX, RUN_SEGMENTS_MAX, SEND_SLAB_BYTES};
use crate::memory::Memory;

/// Writes outgoing packets into the ring's own memory.
///
/// Reserve room, write the packet, commit its length. Consecutive packets from one local address to
/// one destination lie side by side and leave as one GSO message as long as they are equally long;
/// a shorter one is the last of its message, a longer one starts the next. Nothing waits for more:
/// what is committed leaves at the next [`crate::Ring::wait`] at the latest.
pub struct Outgoing<'a> {
    pub(crate) sender: &'a mut Sender,
}

impl Outgoing<'_> {
    /// Room for one packet of at most `bytes_max` bytes from `local` (one of
    /// [`crate::Ring::local_addresses`]) to `destination`. What the room holds is unspecified.
    /// `None` when the packet cannot be sent; the reason is counted in
    /// [`crate::Statistics::send_drops`]. A reservation that is not committed is forgotten.
    pub fn reserve(
        &mut self,
        local: SocketAddr,
        destination: SocketAddr,
        bytes_max: usize,
    ) -> Option<&mut [u8]> {
        self.sender.reserve(local, destination, bytes_max)
    }

    /// Sends the first `bytes` of the room last reserved. Committing 0 bytes sends nothing.
    ///
    /// # Panics
    /// Without a reservation, or with more bytes than were reserved.
    pub fn commit(&mut self, bytes: usize) {
        self.sender.commit(bytes);
    }
}

/// The submitting half of a ring.
pub(crate) struct Sender {
    /// First, so that it is closed before the memory below is given back.
    pub(crate) engine: Running,
    pub(crate) flight: Flight,
    pub(crate) memory: Memory,
    run: Option<Run>,
    reservation: Option<Reservation>,
}

/// Equal packets to one destination that are not handed over yet.
struct Run {
    socket: u8,
    destination: SocketAddr,
    slab: u16,
    start: usize,
    bytes: usize,
    segment_bytes: usize,
    segments: u16,
    /// A packet shorter than the first ended it.
    ended: bool,
}

struct Reservation {
    socket: u8,
    destination: SocketAddr,
    slab: u16,
    start: usize,
    bytes_max: usize,
}

impl Sender {
    pub(crate) fn new(engine: Running, flight: Flight, send_slabs: u16) -> Self {
        let memory = Memory::new(usize::from(send_slabs) * SEND_SLAB_BYTES);
        Self {
            engine,
            flight,
            memory,
            run: None,
            reservation: None,
        }
    }

    fn reserve(
        &mut self,
        local: SocketAddr,
        destination: SocketAddr,
        bytes_max: usize,
    ) -> Option<&mut [u8]> {
        self.reservation = None;
        let drops = &mut self.flight.statistics.send_drops;
        if bytes_max > RUN_BYTES_MAX {
            drops.oversized += 1;
            return None;
        }
        let sockets = &self.flight.sockets;
        let socket = match &self.run {
            // Most packets go where the one before went.
            Some(run)
                if run.destination == destination
                    && sockets[usize::from(run.socket)].local == local =>
            {
                run.socket
            }
            _ => {
                let found = sockets.iter().position(|socket| socket.local == local);
                let Some(socket) = found.and_then(|index| u8::try_from(index).ok()) else {
                    drops.unknown_local += 1;
                    return None;
                };
                self.close_run();
                self.flight.slabs.align();
                socket
            }
        };
        let place = self
            .flight
            .slabs
            .place(bytes_max)
            .or_else(|| self.turn_over(bytes_max));
        let Some((slab, start)) = place else {
            self.flight.statistics.send_drops.no_slab += 1;
            return None;
        };
        self.reservation = Some(Reservation {
            socket,
            destination,
            slab,
            start,
            bytes_max,
        });
        if bytes_max == 0 {
            return Some(&mut []);
        }
        let first = self.memory.at(usize::from(slab) * SEND_SLAB_BYTES + start);
        // SAFETY: `place` found `bytes_max` bytes behind the cursor of the open slab, inside the
        // memory, which was zeroed. The kernel reads only messages, which lie before the cursor,
        // and the slice borrows `self`, so there is no other.
        Some(unsafe { std::slice::from_raw_parts_mut(first, bytes_max) })
    }

    fn commit(&mut self, bytes: usize) {
        let Reservation {
            socket,
            destination,
            slab,
            start,
            bytes_max,
        } = self
            .reservation
            .take()
            .expect("a commit follows a reservation");
        assert!(
            bytes <= bytes_max,
            "a commit is no longer than its reservation"
        );
        if bytes == 0 {
            return;
        }
        if self.run.as_ref().is_some_and(|run| !run.takes(bytes)) {
            self.close_run();
        }
        self.flight.slabs.advance(bytes);
        let segmentation = self.flight.sockets[usize::from(socket)].segmentation;
        match &mut self.run {
            Some(run) => {
                run.bytes += bytes;
                run.segments += 1;
                run.ended = bytes < run.segment_bytes;
            }
            None => {
                self.run = Some(Run {
                    socket,
                    destination,
                    slab,
                    start,
                    bytes,
                    segment_bytes: bytes,
                    segments: 1,
                    ended: !segmentation,
                });
            }
        }
    }

    /// The open slab is full: hands over what is in it and makes room. Copying sends complete
    /// during the call, so that the same slab, warm in the cache, is used again.
    fn turn_over(&mut self, bytes: usize) -> Option<(u16, usize)> {
        self.close_run();
        self.flush();
        self.flight.slabs.rewind();
        if let Some(place) = self.flight.slabs.place(bytes) {
            return Some(place);
        }
        if self.flight.slabs.next() {
            self.flight.slabs.place(bytes)
        } else {
            None
        }
    }

    /// Queues the run as one message.
    pub(crate) fn close_run(&mut self) {
        let Some(run) = self.run.take() else { return };
        if self.flight.free_messages.is_empty() {
            self.flush();
        }
        let Some(index) = self.flight.free_messages.pop() else {
            self.flight.statistics.send_drops.no_slab += u64::from(run.segments);
            return;
        };
        let start = self
            .memory
            .at(usize::from(run.slab) * SEND_SLAB_BYTES + run.start);
        let bytes = u32::try_from(run.bytes).expect("a run has at most 65,507 bytes");
        let segment_bytes = u16::try_from(run.segment_bytes).expect("as long as a run at most");
        let message = &mut self.flight.messages[usize::from(index)];
        message.prepare(run.destination, start, bytes, segment_bytes, run.segments);
        let zero_copy = &mut self.flight.sockets[usize::from(run.socket)].zero_copy;
        message.without_copy = zero_copy.choose(run.bytes);
        let departure = Departure {
            message: index,
            slab: run.slab,
            socket: run.socket,
        };
        self.flight.slabs.hold(run.slab);
        // SAFETY: the message and the bytes it points to stay where they are and unchanged: the
        // message until it is among the free ones again, the slab until it is released, both in
        // memory that outlives the engine.
        if !unsafe { self.engine.queue(&mut self.flight, departure) } {
            self.flight.slabs.release(run.slab);
            self.flight.free_messages.push(index);
            self.flight.statistics.send_drops.no_slab += u64::from(run.segments);
        }
    }

    fn flush(&mut self) {
        self.engine.flush(&mut self.flight);
    }
}

impl Run {
    /// Whether a packet of `bytes` fits into the same message.
    fn takes(&self, bytes: usize) -> bool {
        !self.ended
            && self.segments < RUN_SEGMENTS_MAX
            && bytes <= self.segment_bytes
            && self.bytes + bytes <= RUN_BYTES_MAX
    }
}
