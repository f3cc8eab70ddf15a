//! What is under way in the kernel, and what its completions mean.

use std::io;

use io_uring::cqueue;

use crate::limits::MESSAGES_MAX;
use crate::message::Message;
use crate::slabs::Slabs;
use crate::socket::UdpSocket;
use crate::statistics::Statistics;
use crate::token::Token;
use crate::waker::Waker;

/// Everything that a completion changes.
pub(crate) struct Flight {
    pub(crate) sockets: Vec<UdpSocket>,
    pub(crate) messages: Box<[Message]>,
    /// Messages that may be prepared, most recently completed last.
    pub(crate) free_messages: Vec<u16>,
    pub(crate) slabs: Slabs,
    /// Receives that completed and are not yet part of a batch.
    pub(crate) arrived: Vec<Arrived>,
    pub(crate) waker: Waker,
    /// The eventfd is being read.
    pub(crate) wake_armed: bool,
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
            wake_armed: false,
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

    /// Whether the kernel may still write to or read from memory of this ring.
    pub(crate) fn is_quiet(&self) -> bool {
        !self.wake_armed
            && self.sockets.iter().all(|socket| !socket.armed)
            && self.slabs.messages_in_flight() == 0
    }

    /// Takes note of one completion.
    pub(crate) fn complete(&mut self, entry: &cqueue::Entry) {
        let (result, flags) = (entry.result(), entry.flags());
        match Token::unpack(entry.user_data()) {
            Token::Receive { socket } => self.received(socket, result, flags),
            Token::Send { slab, socket, .. } if cqueue::notif(flags) => {
                self.notified(slab, socket, result);
            }
            Token::Send {
                message,
                slab,
                socket,
            } => {
                self.sent(message, slab, socket, result, cqueue::more(flags));
            }
            Token::Wake => {
                self.wake_armed = false;
                self.woken = true;
                self.statistics.wakes += 1;
                self.waker.seen();
            }
            Token::Cancel => {}
        }
    }

    fn received(&mut self, socket: u8, result: i32, flags: u32) {
        if !cqueue::more(flags) {
            self.sockets[usize::from(socket)].armed = false;
        }
        match (usize::try_from(result), cqueue::buffer_select(flags)) {
            (Ok(bytes), Some(buffer)) => {
                self.receive_failures = 0;
                self.arrived.push(Arrived {
                    buffer,
                    bytes,
                    socket,
                });
            }
            _ if result == -libc::ENOBUFS => self.statistics.receive_buffers_exhausted += 1,
            _ => {
                self.statistics.receive_errors += 1;
                self.receive_failures += 1;
                self.receive_errno = -result;
            }
        }
    }

    /// The kernel took a message, or refused it. With `more`, it still reads the bytes.
    fn sent(&mut self, message: u16, slab: u16, socket: u8, result: i32, more: bool) {
        let record = &self.messages[usize::from(message)];
        let segments = u64::from(record.segments);
        if result >= 0 {
            self.statistics.messages_sent += 1;
            self.statistics.gso_messages += u64::from(segments > 1);
            self.statistics.datagrams_sent += segments;
            self.statistics.bytes_sent += u64::from(record.bytes);
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

    /// The kernel no longer reads the bytes of a message sent without a copy.
    fn notified(&mut self, slab: u16, socket: u8, usage: i32) {
        let copied = usage.cast_unsigned() & NOTIF_USAGE_ZC_COPIED != 0;
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

/// IORING_NOTIF_USAGE_ZC_COPIED (io_uring_enter(2)).
const NOTIF_USAGE_ZC_COPIED: u32 = 1 << 31;
