//! epoll, `recvmmsg` and `sendmmsg`: for hosts that deny io_uring.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{Timespec, epoll};

use crate::buffers::ReceiveBuffers;
use crate::datagram::{
    CONTROL_BYTES, CONTROL_OFFSET, LENGTHS_BYTES, Lengths, NAME_BYTES, NAME_OFFSET,
    RECEIVE_HEADER_BYTES,
};
use crate::error::RingError;
use crate::flight::{Arrived, Departure, Flight};
use crate::limits::{ADDRESSES_MAX, BUSY_RECEIVES_MIN, MESSAGES_MAX, RECEIVE_BUFFER_BYTES};

/// The engine that takes ordinary system calls.
pub(crate) struct Epoll {
    poll: OwnedFd,
    events: Vec<epoll::Event>,
    outbox: Outbox,
    inbox: Inbox,
    /// The wait before found several datagrams: there may be more already.
    busy: bool,
    /// The socket to look at first: another one each time, so that none takes every buffer for ever.
    first: usize,
}

/// Messages for the next `sendmmsg`, all from one socket.
struct Outbox {
    headers: Vec<libc::mmsghdr>,
    departures: Vec<Departure>,
}

/// What `recvmmsg` is given: an entry for each receive buffer, whose parts lie in that buffer as
/// io_uring's multishot receive would lay them.
struct Inbox {
    headers: Box<[libc::mmsghdr]>,
    parts: Box<[libc::iovec]>,
    /// Entries filled in this wait; each wait has all of them.
    used: usize,
}

impl Epoll {
    /// # Errors
    /// [`RingError::Epoll`].
    pub(crate) fn new() -> Result<Self, RingError> {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(epoll_error)?;
        Ok(Self {
            poll,
            events: Vec::with_capacity(ADDRESSES_MAX + 1),
            outbox: Outbox {
                headers: Vec::with_capacity(MESSAGES_MAX.into()),
                departures: Vec::with_capacity(MESSAGES_MAX.into()),
            },
            inbox: Inbox {
                headers: Box::default(),
                parts: Box::default(),
                used: 0,
            },
            busy: false,
            first: 0,
        })
    }

    /// Begins to watch the sockets and the eventfd.
    ///
    /// # Safety
    /// `self` must not be used once `buffers` is dropped.
    pub(crate) unsafe fn start(
        &mut self,
        flight: &Flight,
        buffers: &ReceiveBuffers,
    ) -> Result<(), RingError> {
        for (index, socket) in (0..).zip(&flight.sockets) {
            self.watch(socket.fd(), index)?;
        }
        self.watch(flight.waker.fd(), WAKE)?;
        self.inbox.lay_out(buffers);
        Ok(())
    }

    fn watch(&self, file: BorrowedFd<'_>, key: u64) -> Result<(), RingError> {
        let data = epoll::EventData::new_u64(key);
        epoll::add(&self.poll, file, data, epoll::EventFlags::IN).map_err(epoll_error)
    }

    /// Queues a message, sending those before it when they are another socket's or many.
    ///
    /// # Safety
    /// The message and the bytes that it points to must stay where they are and unchanged until
    /// `Flight::sent`.
    pub(crate) unsafe fn queue(&mut self, flight: &mut Flight, departure: Departure) {
        let Outbox { departures, .. } = &self.outbox;
        let same = departures
            .last()
            .is_none_or(|last| last.socket == departure.socket);
        if !same || departures.len() == departures.capacity() {
            self.flush(flight);
        }
        let header = flight.messages[usize::from(departure.message)].header();
        // SAFETY: the message holds an initialised header.
        let msg_hdr = unsafe { *header };
        self.outbox.headers.push(libc::mmsghdr {
            msg_hdr,
            msg_len: 0,
        });
        self.outbox.departures.push(departure);
    }

    /// Sends what is queued.
    pub(crate) fn flush(&mut self, flight: &mut Flight) {
        let Outbox {
            headers,
            departures,
        } = &mut self.outbox;
        let mut at = 0;
        while at < departures.len() {
            let socket = &flight.sockets[usize::from(departures[at].socket)];
            let left = &mut headers[at..];
            let count = libc::c_uint::try_from(left.len()).expect("at most MESSAGES_MAX");
            flight.statistics.system_calls += 1;
            // SAFETY: `left` holds `count` headers, whose pointers are valid as `queue` demands.
            let sent =
                unsafe { libc::sendmmsg(socket.raw_fd(), left.as_mut_ptr(), count, SEND_FLAGS) };
            match usize::try_from(sent) {
                Ok(sent @ 1..) => {
                    for departure in &departures[at..at + sent] {
                        flight.sent(*departure, 0, false);
                    }
                    at += sent;
                }
                _ => match last_errno() {
                    libc::EINTR => {}
                    errno => {
                        flight.sent(departures[at], -errno, false);
                        at += 1;
                    }
                },
            }
        }
        headers.clear();
        departures.clear();
    }

    /// Sends everything, then waits for a datagram or a wake-up.
    pub(crate) fn wait(
        &mut self,
        flight: &mut Flight,
        buffers: &ReceiveBuffers,
        timeout: Option<Duration>,
    ) -> Result<(), RingError> {
        self.flush(flight);
        self.inbox.used = 0;
        // Under load, asking epoll first would be one system call more for the same answer.
        if self.busy && !flight.waker.is_pending() {
            let count = flight.sockets.len();
            self.first = (self.first + 1) % count;
            for offset in 0..count {
                let socket = (self.first + offset) % count;
                self.inbox.receive(flight, buffers, socket);
            }
        }
        if self.inbox.used == 0 {
            self.poll(flight, buffers, timeout)?;
        }
        self.busy = self.inbox.used >= BUSY_RECEIVES_MIN;
        Ok(())
    }

    /// Whether nothing is to be sent.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.outbox.departures.is_empty()
    }

    fn poll(
        &mut self,
        flight: &mut Flight,
        buffers: &ReceiveBuffers,
        timeout: Option<Duration>,
    ) -> Result<(), RingError> {
        // In whole milliseconds, rounded up: that is `epoll_pwait`, which every seccomp profile
        // knows; a finer time would take `epoll_pwait2`.
        let timeout = timeout.map(|time| {
            let milliseconds = time.as_nanos().div_ceil(1_000_000);
            let milliseconds = i64::try_from(milliseconds).unwrap_or(i64::MAX);
            Timespec {
                tv_sec: milliseconds / 1_000,
                tv_nsec: milliseconds % 1_000 * 1_000_000,
            }
        });
        self.events.clear();
        flight.statistics.system_calls += 1;
        let events = rustix::buffer::spare_capacity(&mut self.events);
        match epoll::wait(&self.poll, events, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => {
                return Err(RingError::Wait {
                    call: "epoll_wait",
                    source: errno.into(),
                });
            }
        }
        for index in 0..self.events.len() {
            match self.events[index].data.u64() {
                WAKE => {
                    flight.statistics.system_calls += 1;
                    if flight.waker.read() {
                        flight.woke();
                    }
                }
                socket => {
                    let socket = usize::try_from(socket).expect("an index of a socket");
                    self.inbox.receive(flight, buffers, socket);
                }
            }
        }
        Ok(())
    }
}

impl Inbox {
    fn lay_out(&mut self, buffers: &ReceiveBuffers) {
        self.parts = (0..buffers.count())
            .map(|buffer| libc::iovec {
                iov_base: buffers
                    .address(buffer)
                    .wrapping_add(RECEIVE_HEADER_BYTES)
                    .cast(),
                iov_len: RECEIVE_BUFFER_BYTES - RECEIVE_HEADER_BYTES,
            })
            .collect();
        self.headers = (0..buffers.count())
            .zip(&mut self.parts)
            .map(|(buffer, part)| {
                let start = buffers.address(buffer);
                // SAFETY: an mmsghdr of null pointers and zero lengths is a valid value.
                let mut header: libc::mmsghdr = unsafe { std::mem::zeroed() };
                header.msg_hdr.msg_name = start.wrapping_add(NAME_OFFSET).cast();
                header.msg_hdr.msg_control = start.wrapping_add(CONTROL_OFFSET).cast();
                header.msg_hdr.msg_iov = part;
                header.msg_hdr.msg_iovlen = 1;
                offer(&mut header.msg_hdr);
                header
            })
            .collect();
    }

    /// Takes what the socket holds, as far as there are buffers.
    fn receive(&mut self, flight: &mut Flight, buffers: &ReceiveBuffers, socket: usize) {
        let file = flight.sockets[socket].raw_fd();
        let socket = u8::try_from(socket).expect("at most ADDRESSES_MAX");
        loop {
            let free = &mut self.headers[self.used..];
            if free.is_empty() {
                flight.statistics.receive_buffers_exhausted += 1;
                return;
            }
            let count = libc::c_uint::try_from(free.len()).expect("at most RECEIVE_BUFFERS_MAX");
            flight.statistics.system_calls += 1;
            // SAFETY: `free` holds `count` headers; each points into a buffer of its own that no
            // batch has: the batch before is gone, and `used` counts this one's.
            let received = unsafe {
                libc::recvmmsg(
                    file,
                    free.as_mut_ptr(),
                    count,
                    libc::MSG_DONTWAIT,
                    std::ptr::null_mut(),
                )
            };
            let Ok(received) = usize::try_from(received) else {
                match last_errno() {
                    libc::EAGAIN | libc::EINTR => {}
                    errno => flight.receive_failed(errno),
                }
                return;
            };
            let last = self.used + received == self.headers.len();
            for index in self.used..self.used + received {
                self.take(flight, buffers, index, socket);
            }
            self.used += received;
            if !last {
                return;
            }
        }
    }

    /// Writes in front of a datagram what io_uring would have written there.
    fn take(&mut self, flight: &mut Flight, buffers: &ReceiveBuffers, index: usize, socket: u8) {
        let header = &mut self.headers[index];
        let buffer = u16::try_from(index).expect("at most RECEIVE_BUFFERS_MAX");
        let lengths = Lengths {
            name: header.msg_hdr.msg_namelen,
            control: u32::try_from(header.msg_hdr.msg_controllen).unwrap_or(u32::MAX),
            payload: header.msg_len,
            flags: header.msg_hdr.msg_flags.cast_unsigned(),
        };
        offer(&mut header.msg_hdr);
        // SAFETY: no batch has the buffer, the kernel is done with it, and the slice is gone before
        // anybody else looks.
        lengths.write(unsafe { buffers.bytes_mut(buffer, 0, LENGTHS_BYTES) });
        flight.received(Arrived {
            buffer,
            bytes: RECEIVE_HEADER_BYTES + header.msg_len as usize,
            socket,
        });
    }
}

/// Says how much room there is for the address and the control message; the kernel writes over it.
fn offer(header: &mut libc::msghdr) {
    header.msg_namelen = NAME_BYTES_MAX;
    header.msg_controllen = CONTROL_BYTES;
}

fn epoll_error(errno: rustix::io::Errno) -> RingError {
    RingError::Epoll {
        source: errno.into(),
    }
}

fn last_errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// The eventfd's key in the epoll set; the others are indexes of sockets.
const WAKE: u64 = u64::MAX;

const NAME_BYTES_MAX: libc::socklen_t = 32;
const _: () = assert!(NAME_BYTES_MAX as usize == NAME_BYTES);

/// MSG_DONTWAIT: a full send buffer is an answer (EAGAIN, counted), not a wait: late media is
/// worth nothing.
const SEND_FLAGS: libc::c_int = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
