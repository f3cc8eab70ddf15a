//! io_uring for the limit program: one socket, one ring, and nothing that waits.
//!
//! Receives are one multishot `recvmsg` into provided buffers. Sends are GSO messages that may not
//! wait (`MSG_DONTWAIT`), so that each has been taken or refused when its submission returns; then
//! their memory is free again, and the kernel need not say anything about those that it took.
#![expect(
    unsafe_code,
    reason = "the floor is measured with io_uring used whole, by code that shares nothing with the ring it is the yardstick of"
)]

use super::{Error, memory::Memory};
use io_uring::{
    IoUring, cqueue, opcode,
    squeue::Flags,
    types::{BufRingEntry, Fixed, RecvMsgOut},
};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::{
    io,
    net::SocketAddr,
    os::fd::AsRawFd,
    ptr,
    sync::atomic::{AtomicU16, Ordering},
};

/// Bytes of one GSO message at most: what a UDP datagram may hold.
pub(super) const MESSAGE_BYTES_MAX: usize = 65_507;
/// Packets of one GSO message at most: what every kernel since 4.18 takes.
pub(super) const MESSAGE_SEGMENTS_MAX: usize = 64;
/// Messages of one submission at most.
const MESSAGES_MAX: usize = 256;
/// What is sealed before it is submitted, at most: small, so that the kernel copies what the
/// cipher has just written out of the processor's own cache.
const OUTGOING_BYTES: usize = 2 * MESSAGE_BYTES_MAX;
/// Receive buffers, each large enough for what GRO joins.
const BUFFERS: u16 = 256;
const BUFFER_BYTES: usize = 1 << 16;
/// What the socket may hold before the kernel drops.
const SOCKET_BYTES: usize = 16 << 20;

const GROUP: u16 = 0;
const SOCKET: Fixed = Fixed(0);
const STANDARD_INPUT: Fixed = Fixed(1);
const RECEIVE: u64 = 0;
const SEND: u64 = 1;
const STOP: u64 = 2;

/// One socket and its ring.
pub(super) struct Ring {
    // First, so that the kernel lets go of the memory below before it is freed.
    uring: IoUring,
    socket: Socket,
    descriptors: Memory,
    buffers: Memory,
    /// Descriptors written so far, and shown to the kernel so far.
    tail: u16,
    /// What the multishot receive asks for; the kernel has read it once armed.
    receive: Box<libc::msghdr>,
    armed: bool,
    outgoing: Memory,
    /// Bytes of `outgoing` that messages take.
    used: usize,
    messages: Vec<Message>,
    /// Messages that the kernel would not take.
    pub(super) refused: u64,
}

/// A message on its way: everything that `sendmsg` reads, in one place.
struct Message {
    header: libc::msghdr,
    vector: libc::iovec,
    control: Control,
}

/// One control message that holds the segment size (udp(7), UDP_SEGMENT).
#[repr(C)]
struct Control {
    header: libc::cmsghdr,
    segment_bytes: u16,
    padding: [u8; 6],
}

/// Where a message goes, as the kernel reads it.
pub(super) struct Destination(Box<SockAddr>);

impl From<SocketAddr> for Destination {
    fn from(address: SocketAddr) -> Self {
        Self(Box::new(address.into()))
    }
}

/// What came: one datagram, or several of one size from one sender, joined by GRO.
#[derive(Clone, Copy)]
pub(super) struct Received {
    /// To be given back.
    pub(super) buffer: u16,
    /// Where the payload starts in the buffer.
    pub(super) start: usize,
    /// Length of all datagrams together.
    pub(super) bytes: usize,
    /// Length of each but the last.
    pub(super) segment_bytes: usize,
    /// Who sent it.
    pub(super) source: SocketAddr,
}

/// What one look at the completions brought.
pub(super) enum Completed {
    /// Something came.
    Received(Received),
    /// Standard input has ended.
    Stop,
}

impl Ring {
    /// Binds `listen` and makes a ring of this thread.
    pub(super) fn new(listen: SocketAddr) -> Result<Self, Error> {
        let socket = bind(listen).map_err(kernel("bind a socket"))?;
        let mut builder = IoUring::builder();
        builder
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_submit_all()
            .setup_cqsize(4_096);
        let uring: IoUring = builder
            .build(u32::try_from(MESSAGES_MAX).expect("a few hundred"))
            .map_err(kernel("make a ring"))?;
        uring
            .submitter()
            .register_files(&[socket.as_raw_fd(), io::stdin().as_raw_fd()])
            .map_err(kernel("register files"))?;
        uring
            .submitter()
            .register_ring_fd()
            .map_err(kernel("register the ring"))?;
        let descriptors = Memory::new(usize::from(BUFFERS) * size_of::<BufRingEntry>());
        // SAFETY: the memory holds BUFFERS entries at a page-aligned address, and lives until
        // after the ring is closed (the order of the fields of `Self`).
        unsafe {
            uring.submitter().register_buf_ring_with_flags(
                descriptors.at(0).expose_provenance() as u64,
                BUFFERS,
                GROUP,
                0,
            )
        }
        .map_err(kernel("register receive buffers"))?;
        // SAFETY: all zero is a valid msghdr: no name, no vectors, no control.
        let mut receive: Box<libc::msghdr> = Box::new(unsafe { std::mem::zeroed() });
        receive.msg_namelen =
            libc::socklen_t::try_from(size_of::<libc::sockaddr_in6>()).expect("28 bytes");
        receive.msg_controllen = size_of::<Control>();
        let mut ring = Self {
            uring,
            socket,
            descriptors,
            buffers: Memory::new(usize::from(BUFFERS) * BUFFER_BYTES),
            tail: 0,
            receive,
            armed: false,
            outgoing: Memory::new(OUTGOING_BYTES),
            used: 0,
            messages: Vec::with_capacity(MESSAGES_MAX),
            refused: 0,
        };
        for buffer in 0..BUFFERS {
            ring.give_back(buffer);
        }
        let poll = opcode::PollAdd::new(STANDARD_INPUT, libc::POLLIN as u32)
            .build()
            .user_data(STOP);
        ring.push(&poll);
        Ok(ring)
    }

    /// Where it receives.
    pub(super) fn address(&self) -> Result<SocketAddr, Error> {
        let address = self
            .socket
            .local_addr()
            .map_err(kernel("name the socket"))?;
        Ok(address.as_socket().expect("it is bound to an IP address"))
    }

    /// Sleeps until something is complete.
    pub(super) fn wait(&mut self) -> Result<(), Error> {
        self.publish();
        if !self.armed {
            let receive = opcode::RecvMsgMulti::new(SOCKET, &raw const *self.receive, GROUP)
                .build()
                .user_data(RECEIVE);
            self.push(&receive);
            self.armed = true;
        }
        loop {
            match self.uring.submit_and_wait(1) {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(kernel("wait")(error)),
            }
        }
    }

    /// The next thing that is complete, if any.
    pub(super) fn completed(&mut self) -> Result<Option<Completed>, Error> {
        loop {
            let Some(entry) = self.uring.completion().next() else {
                return Ok(None);
            };
            match entry.user_data() {
                SEND => self.refused += 1,
                STOP => return Ok(Some(Completed::Stop)),
                _ => {
                    self.armed &= cqueue::more(entry.flags());
                    // Nothing is lost when buffers run out: the socket keeps what came.
                    if entry.result() == -libc::ENOBUFS {
                        continue;
                    }
                    let bytes = usize::try_from(entry.result()).map_err(|_| {
                        kernel("receive")(io::Error::from_raw_os_error(-entry.result()))
                    })?;
                    let buffer = cqueue::buffer_select(entry.flags())
                        .expect("a receive that worked names its buffer");
                    if let Some(received) = self.parse(buffer, bytes) {
                        return Ok(Some(Completed::Received(received)));
                    }
                    self.give_back(buffer);
                }
            }
        }
    }

    /// Finds name, segment size and payload; `None` for what is no datagram of ours.
    fn parse(&self, buffer: u16, bytes: usize) -> Option<Received> {
        let message = RecvMsgOut::parse(&self.buffer(buffer)[..bytes], &self.receive).ok()?;
        let payload = message.payload_data();
        if message.is_payload_truncated() || payload.is_empty() {
            return None;
        }
        let segment_bytes = match message.control_data() {
            // One control message: length, level, type, and GRO's segment size as an int.
            control if control.len() >= CONTROL_HEADER_BYTES + 4 => {
                let mut size = [0; 4];
                size.copy_from_slice(&control[CONTROL_HEADER_BYTES..][..4]);
                usize::try_from(i32::from_ne_bytes(size)).ok()?
            }
            _ => payload.len(),
        };
        Some(Received {
            buffer,
            start: bytes - payload.len(),
            bytes: payload.len(),
            segment_bytes: segment_bytes.max(1),
            source: source(message.name_data())?,
        })
    }

    fn buffer(&self, buffer: u16) -> &[u8] {
        let base = self.buffers.at(usize::from(buffer) * BUFFER_BYTES);
        // SAFETY: the kernel has handed this buffer over and does not write to it until it is
        // given back; it was zeroed at first; mutable slices need `&mut self`.
        unsafe { std::slice::from_raw_parts(base, BUFFER_BYTES) }
    }

    /// Part of a buffer that has not been given back.
    #[expect(
        clippy::needless_pass_by_ref_mut,
        reason = "the borrow keeps everybody else out of the buffers"
    )]
    pub(super) fn received(&mut self, buffer: u16, start: usize, bytes: usize) -> &mut [u8] {
        let base = self.buffers.at(usize::from(buffer) * BUFFER_BYTES);
        // SAFETY: as in `buffer`, and `&mut self` keeps everybody else out.
        let whole = unsafe { std::slice::from_raw_parts_mut(base, BUFFER_BYTES) };
        &mut whole[start..start + bytes]
    }

    /// Room for one outgoing packet behind those that are written, and a packet that came: to seal
    /// from one into the other.
    pub(super) fn seal_room(
        &mut self,
        (buffer, start, bytes): (u16, usize, usize),
        room: usize,
    ) -> (&[u8], &mut [u8]) {
        assert!(self.used + room <= OUTGOING_BYTES, "the caller has flushed");
        let outgoing = self.outgoing.at(self.used);
        self.used += room;
        let packet = &self.buffer(buffer)[start..start + bytes];
        // SAFETY: inside `outgoing`, which is zeroed memory apart from the receive buffers, and
        // which the kernel does not read after the submission that sent it.
        let room = unsafe { std::slice::from_raw_parts_mut(outgoing, room) };
        (packet, room)
    }

    /// Whether another message of `bytes` fits into this submission.
    pub(super) fn fits(&self, bytes: usize) -> bool {
        self.used + bytes <= OUTGOING_BYTES && self.messages.len() < MESSAGES_MAX
    }

    /// Sends the last `bytes` that were written as packets of `segment_bytes`, of which the last
    /// may be shorter.
    ///
    /// `destination` stays where it is until the next `flush`.
    pub(super) fn send(&mut self, destination: &Destination, bytes: usize, segment_bytes: usize) {
        assert!(self.messages.len() < MESSAGES_MAX, "the caller has flushed");
        let start = self.used - bytes;
        // SAFETY: all zero is a valid msghdr.
        let header: libc::msghdr = unsafe { std::mem::zeroed() };
        self.messages.push(Message {
            header,
            vector: libc::iovec {
                iov_base: self.outgoing.at(start).cast(),
                iov_len: bytes,
            },
            control: Control {
                header: libc::cmsghdr {
                    cmsg_len: CONTROL_HEADER_BYTES + size_of::<u16>(),
                    cmsg_level: libc::SOL_UDP,
                    cmsg_type: libc::UDP_SEGMENT,
                },
                segment_bytes: u16::try_from(segment_bytes).expect("a packet is below 64 KiB"),
                padding: [0; 6],
            },
        });
        let message = self.messages.last_mut().expect("just pushed");
        message.header.msg_name = destination.0.as_ptr().cast_mut().cast();
        message.header.msg_namelen = destination.0.len();
        // The messages stay where they are: the vector never grows past its capacity.
        message.header.msg_iov = &raw mut message.vector;
        message.header.msg_iovlen = 1;
        if bytes > segment_bytes {
            message.header.msg_control = (&raw mut message.control).cast();
            message.header.msg_controllen = size_of::<Control>();
        }
        let entry = opcode::SendMsg::new(SOCKET, &raw const message.header)
            .flags(libc::MSG_DONTWAIT as u32)
            .build()
            .flags(Flags::SKIP_SUCCESS)
            .user_data(SEND);
        self.push(&entry);
    }

    /// Hands everything written to the kernel; afterwards its memory is free.
    pub(super) fn flush(&mut self) -> Result<(), Error> {
        if !self.messages.is_empty() {
            let mut left = self.uring.submission().len();
            while left > 0 {
                match self.uring.submit() {
                    Ok(taken) => left -= taken.min(left),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(kernel("submit")(error)),
                }
            }
            self.messages.clear();
        }
        self.used = 0;
        Ok(())
    }

    fn push(&mut self, entry: &io_uring::squeue::Entry) {
        // SAFETY: what the entry points to (the receive header, a message, its destination and
        // bytes) stays valid until the kernel has read it: the header for as long as the ring,
        // the rest until `flush` has returned, after which no send is under way.
        let pushed = unsafe { self.uring.submission().push(entry) };
        pushed.expect("the queue has room for all messages, the receive and the poll");
    }

    /// Lends a buffer to the kernel again, from the next `wait` on.
    pub(super) fn give_back(&mut self, buffer: u16) {
        let slot = usize::from(self.tail & (BUFFERS - 1));
        let entry = self
            .descriptors
            .at(slot * size_of::<BufRingEntry>())
            .cast::<BufRingEntry>();
        // SAFETY: `slot` is below BUFFERS and the memory holds that many zeroed entries; the
        // kernel reads an entry only once the tail has passed it.
        let entry = unsafe { &mut *entry };
        entry.set_addr(
            self.buffers
                .at(usize::from(buffer) * BUFFER_BYTES)
                .expose_provenance() as u64,
        );
        entry.set_len(u32::try_from(BUFFER_BYTES).expect("64 KiB"));
        entry.set_bid(buffer);
        self.tail = self.tail.wrapping_add(1);
    }

    fn publish(&self) {
        let base = self.descriptors.at(0).cast::<BufRingEntry>();
        // SAFETY: the start of the registered descriptors, which are initialised.
        let tail = unsafe { BufRingEntry::tail(base) };
        // SAFETY: an aligned u16 inside the descriptors that only this thread writes.
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }
}

const CONTROL_HEADER_BYTES: usize = size_of::<libc::cmsghdr>();

fn bind(listen: SocketAddr) -> io::Result<Socket> {
    // Blocking: io_uring waits for a blocking socket, and answers EAGAIN for another.
    let socket = Socket::new(
        Domain::for_address(listen),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    let on: libc::c_int = 1;
    // SAFETY: the descriptor is open, and the value is one int that outlives the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_UDP,
            libc::UDP_GRO,
            ptr::from_ref(&on).cast(),
            libc::socklen_t::try_from(size_of_val(&on)).expect("4 bytes"),
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    use rustix::net::sockopt;
    if sockopt::set_socket_recv_buffer_size_force(&socket, SOCKET_BYTES).is_err() {
        socket.set_recv_buffer_size(SOCKET_BYTES)?;
    }
    if sockopt::set_socket_send_buffer_size_force(&socket, SOCKET_BYTES).is_err() {
        socket.set_send_buffer_size(SOCKET_BYTES)?;
    }
    socket.bind(&listen.into())?;
    Ok(socket)
}

/// The address in a `sockaddr_in` or `sockaddr_in6`.
fn source(name: &[u8]) -> Option<SocketAddr> {
    let family = libc::c_int::from(u16::from_ne_bytes([*name.first()?, *name.get(1)?]));
    let port = u16::from_be_bytes([*name.get(2)?, *name.get(3)?]);
    match family {
        libc::AF_INET => {
            let address = <[u8; 4]>::try_from(name.get(4..8)?).ok()?;
            Some((address, port).into())
        }
        libc::AF_INET6 => {
            let address = <[u8; 16]>::try_from(name.get(8..24)?).ok()?;
            Some((address, port).into())
        }
        _ => None,
    }
}

fn kernel(what: &'static str) -> impl Fn(io::Error) -> Error {
    move |error| Error::Kernel { what, error }
}
