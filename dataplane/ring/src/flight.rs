//! What is under way in the kernel, and what comes of it. Engines tell, the ring looks.

use std::io;

use crate::limits::MESSAGES_MAX;
use crate::message::Message;
use crate::slabs::Slabs;
use crate::socket::UdpSocket;
use crate::statistics::Statistics;
use crate::waker::Waker;

/// Everything that a result of the kernel's changes.
pub(crate) struct Flight {
    pub(crate) sockets: Vec<UdpSocket>,
    pub(crate) messages: Box<[Message]>,
    /// Messages that may be prepared, most recently completed last.
    pub(crate) free_messages: Vec<u16>,
    pub(crate) slabs: Slabs,
    /// Receives that completed and are not yet part of a batch.
    pub(crate) arrived: Vec<Arrived>,
    pub(crate) waker: Waker,
    /// A wake-up came and `wait` has not returned it yet.
    pub(crate) woken: bool,
    pub(crate) statistics: Statistics,
    /// Receive failures since the last datagram.
    pub(crate) receive_failures: u32,
    /// The last of them.
    pub(crate) receive_errno: i32,
}

/// A receive buffer that the kernel filled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrived {
    pub(crate) buffer: u16,
    /// Bytes used, the header included.
    pub(crate) bytes: usize,
    pub(crate) socket: u8,
}

/// A message on its way to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Departure {
    pub(crate) message: u16,
    /// The slab that its bytes are in.
    pub(crate) slab: u16,
    pub(crate) socket: u8,
}

impl Flight {
    pub(crate) fn new(
        sockets: Vec<UdpSocket>,
        receive_buffers: u16,
        send_slabs: u16,
        waker: Waker,
    ) -> Self {
        Self {
            sockets,
            messages: (0..MESSAGES_MAX).map(|_| Message::new()).collect(),
            free_messages: (0..MESSAGES_MAX).rev().collect(),
            slabs: Slabs::new(send_slabs),
            arrived: Vec::with_capacity(usize::from(receive_buffers)),
            waker,
            woken: false,
            statistics: Statistics::default(),
            receive_failures: 0,
            receive_errno: 0,
        }
    }

    /// Messages handed over whose result the kernel has not told.
    pub(crate) fn messages_awaited(&self) -> usize {
        self.messages.len() - self.free_messages.len()
    }

    /// The waker was called.
    pub(crate) fn woke(&mut self) {
        self.woken = true;
        self.statistics.wakes += 1;
        self.waker.seen();
    }

    /// The kernel filled a receive buffer.
    pub(crate) fn received(&mut self, arrived: Arrived) {
        self.receive_failures = 0;
        self.arrived.push(arrived);
    }

    /// A receive ended without a datagram.
    pub(crate) fn receive_failed(&mut self, errno: i32) {
        self.statistics.receive_errors += 1;
        self.receive_failures += 1;
        self.receive_errno = errno;
    }

    /// The kernel took a message, or refused it with the negative of an error number. With `more`,
    /// it still reads the bytes.
    pub(crate) fn sent(&mut self, departure: Departure, result: i32, more: bool) {
        let Departure {
            message,
            slab,
            socket,
        } = departure;
        let record = &self.messages[usize::from(message)];
        let segments = u64::from(record.segments);
        if result >= 0 {
            self.statistics.messages_sent += 1;
            self.statistics.gso_messages += u64::from(segments > 1);
            self.statistics.datagrams_sent += segments;
            self.statistics.bytes_sent += u64::from(record.bytes().1);
        } else {
            let socket = &mut self.sockets[usize::from(socket)];
            *self.statistics.send_drops.for_errno(-result) += segments;
            if record.without_copy {
                socket.zero_copy.failed();
            }
            if result == -libc::EIO && segments > 1 && socket.segmentation {
                socket.segmentation = false;
                self.statistics.gso_turned_off += 1;
            }
        }
        self.free_messages.push(message);
        if !more {
            self.slabs.release(slab);
        }
    }

    /// The kernel no longer reads the bytes of a message sent without a copy, or so it was asked
    /// to be.
    pub(crate) fn notified(&mut self, slab: u16, socket: u8, copied: bool) {
        if copied {
            self.statistics.zero_copy_copied += 1;
        } else {
            self.statistics.zero_copy_used += 1;
        }
        self.sockets[usize::from(socket)].zero_copy.reported(copied);
        self.slabs.release(slab);
    }

    /// The last receive error, as the operating system words it.
    pub(crate) fn receive_error(&self) -> io::Error {
        io::Error::from_raw_os_error(self.receive_errno)
    }
}
