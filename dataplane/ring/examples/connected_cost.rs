//! Prints what a connected socket for each peer would cost and save: `docs/decisions/0010`.
//!
//! `cargo run --release -p bedside-ring --example connected_cost [-- PEERS]`
//!
//! On loopback, ns of CPU for each datagram of 160 bytes, by io_uring alone: with one socket for all
//! peers, whose sends name the destination, and with a socket for each peer, bound to the same port
//! and connected. Then what a datagram from a stranger costs to deliver, by the number of connected
//! sockets that share its port.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]
#![expect(unsafe_code, reason = "the kernel is given addresses")]

use std::alloc::{Layout, alloc_zeroed};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use io_uring::types::{BufRingEntry, Fixed};
use io_uring::{EnterFlags, IoUring, cqueue, opcode};
use rustix::net::sockopt::set_socket_recv_buffer_size;
use rustix::time::{ClockId, clock_gettime};
use socket2::{Domain, Socket, Type};

const BYTES: usize = 160;
const BUFFERS: u16 = 64;
const BUFFER_BYTES: usize = 2_048;
const SENDS: usize = 256;
const ROUNDS: usize = 5;

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).expect("a time since the start"),
        u32::try_from(time.tv_nsec).expect("below a second"),
    )
}

fn per(time: Duration, count: usize) -> f64 {
    time.as_secs_f64() * 1e9 / count as f64
}

/// A socket that shares its address with others, connected if there is a peer.
fn socket(local: SocketAddr, peer: Option<SocketAddr>) -> UdpSocket {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).expect("a descriptor is free");
    socket.set_reuse_port(true).expect("Linux has it");
    socket
        .set_recv_buffer_size(4 << 20)
        .expect("it takes a size");
    socket
        .set_send_buffer_size(4 << 20)
        .expect("it takes a size");
    socket
        .bind(&local.into())
        .expect("nobody else has the port");
    if let Some(peer) = peer {
        socket.connect(&peer.into()).expect("there is a route");
    }
    socket.into()
}

/// Peers that send, and whose small buffers drop what is sent to them.
fn peers(count: usize) -> Vec<UdpSocket> {
    let peer = |_| {
        let peer = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
        set_socket_recv_buffer_size(&peer, 2_304).expect("a small buffer");
        peer
    };
    (0..count).map(peer).collect()
}

fn address(socket: &UdpSocket) -> SocketAddr {
    socket.local_addr().expect("it is bound")
}

fn name(address: SocketAddr) -> libc::sockaddr_in {
    let SocketAddr::V4(address) = address else {
        unreachable!("all sockets here are IPv4")
    };
    libc::sockaddr_in {
        sin_family: 2,
        sin_port: address.port().to_be(),
        sin_addr: libc::in_addr {
            s_addr: u32::from_ne_bytes(address.ip().octets()),
        },
        sin_zero: [0; 8],
    }
}

/// One socket and perhaps one more for each peer, with multishot receives on all of them. Its memory
/// is never given back: the io_uring may go last.
struct Server {
    uring: IoUring,
    sockets: Vec<UdpSocket>,
    names: &'static [libc::sockaddr_in],
    descriptors: *mut BufRingEntry,
    buffers: *mut u8,
    packet: &'static [u8; BYTES],
    tail: u16,
}

impl Server {
    fn new(peers: &[SocketAddr], connected: bool) -> Self {
        let mut sockets = vec![socket("127.0.0.1:0".parse().expect("an address"), None)];
        let local = address(&sockets[0]);
        if connected {
            sockets.extend(peers.iter().map(|peer| socket(local, Some(*peer))));
        }
        let uring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_coop_taskrun()
            .setup_submit_all()
            .setup_cqsize(8_192)
            .build(512)
            .expect("this host has io_uring");
        let files: Vec<i32> = sockets.iter().map(|socket| socket.as_raw_fd()).collect();
        uring.submitter().register_files(&files).expect("files");
        let layout = Layout::from_size_align(BUFFERS as usize * 16, 4_096).expect("a layout");
        // SAFETY: the layout is not empty.
        let descriptors = unsafe { alloc_zeroed(layout) }.cast::<BufRingEntry>();
        let start = descriptors.expose_provenance() as u64;
        // SAFETY: the descriptors are never freed.
        unsafe {
            uring
                .submitter()
                .register_buf_ring_with_flags(start, BUFFERS, 0, 0)
        }
        .expect("a buffer ring");
        let buffers = vec![0_u8; BUFFERS as usize * BUFFER_BYTES].leak();
        let mut server = Self {
            uring,
            sockets,
            names: peers
                .iter()
                .map(|peer| name(*peer))
                .collect::<Vec<_>>()
                .leak(),
            descriptors,
            buffers: buffers.as_mut_ptr(),
            packet: Box::leak(Box::new([1; BYTES])),
            tail: 0,
        };
        for buffer in 0..BUFFERS {
            server.lend(buffer);
        }
        // SAFETY: a msghdr of null pointers and zero lengths is a valid value.
        let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
        header.msg_controllen = 24;
        let connected: &'static libc::msghdr = Box::leak(Box::new(header));
        header.msg_namelen = 32;
        let one: &'static libc::msghdr = Box::leak(Box::new(header));
        for index in 0..files.len() {
            let header = if index == 0 { one } else { connected };
            let file = Fixed(u32::try_from(index).expect("few files"));
            server.push(&opcode::RecvMsgMulti::new(file, header, 0).build());
        }
        server.enter(0);
        server
    }

    fn push(&mut self, entry: &io_uring::squeue::Entry) {
        // SAFETY: all that entries point to is leaked.
        if unsafe { self.uring.submission().push(entry) }.is_err() {
            self.enter(0);
            // SAFETY: as above.
            unsafe { self.uring.submission().push(entry) }.expect("it was just emptied");
        }
    }

    fn enter(&mut self, want: u32) {
        let queued = u32::try_from(self.uring.submission().len()).expect("at most 512");
        let flags = EnterFlags::GETEVENTS.bits();
        // SAFETY: there is no argument.
        unsafe {
            self.uring
                .submitter()
                .enter::<()>(queued, want, flags, None)
        }
        .expect("io_uring_enter");
    }

    fn lend(&mut self, buffer: u16) {
        let slot = usize::from(self.tail % BUFFERS);
        let offset = usize::from(buffer) * BUFFER_BYTES;
        // SAFETY: the slot and the buffer are inside their memory, and the kernel has neither.
        let entry = unsafe { &mut *self.descriptors.add(slot) };
        entry.set_addr(self.buffers.wrapping_add(offset).expose_provenance() as u64);
        entry.set_len(u32::try_from(BUFFER_BYTES).expect("small"));
        entry.set_bid(buffer);
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: these are the registered descriptors; the kernel only reads their tail.
        let tail = unsafe { AtomicU16::from_ptr(BufRingEntry::tail(self.descriptors).cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }

    /// Takes note of what completed and returns the number of datagrams.
    fn reap(&mut self) -> usize {
        let mut taken = [0; BUFFERS as usize];
        let mut count = 0;
        for entry in self.uring.completion() {
            assert!(entry.result() >= 0, "{}", entry.result());
            if let Some(buffer) = cqueue::buffer_select(entry.flags()) {
                taken[count] = buffer;
                count += 1;
            }
        }
        for buffer in &taken[..count] {
            self.lend(*buffer);
        }
        count
    }

    fn send(&mut self, peer: usize) {
        let bytes = u32::try_from(BYTES).expect("160");
        let start = self.packet.as_ptr();
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        let entry = if self.sockets.len() > 1 {
            let file = Fixed(u32::try_from(1 + peer).expect("few files"));
            opcode::Send::new(file, start, bytes).flags(flags).build()
        } else {
            opcode::Send::new(Fixed(0), start, bytes)
                .dest_addr((&raw const self.names[peer]).cast())
                .dest_addr_len(16)
                .flags(flags)
                .build()
        };
        self.push(&entry);
    }
}

/// Sends alone, as many as a submission holds.
fn sends(to: &[SocketAddr], connected: bool) -> f64 {
    let mut server = Server::new(to, connected);
    let start = cpu();
    for turn in 0..200 {
        for index in 0..SENDS {
            server.send((turn * SENDS + index) % to.len());
        }
        server.enter(0);
        server.reap();
    }
    per(cpu() - start, 200 * SENDS)
}

/// Twenty datagrams from as many peers, and with `answers` one for each to as many others; the peers'
/// time does not count.
fn turns(peers: &[UdpSocket], to: &[SocketAddr], connected: bool, answers: bool) -> f64 {
    const A_TURN: usize = 20;
    const TURNS: usize = 2_000;
    let mut server = Server::new(to, connected);
    let local = address(&server.sockets[0]);
    let mut time = Duration::ZERO;
    let mut next = 0;
    for _ in 0..TURNS {
        for _ in 0..A_TURN {
            let peer = &peers[next % peers.len()];
            peer.send_to(&[1; BYTES], local).expect("loopback takes it");
            next += 1;
        }
        let start = cpu();
        let (mut left, mut queued) = (A_TURN, 0);
        while left > 0 {
            server.enter(queued + 1);
            let count = server.reap();
            left -= count;
            queued = 0;
            if answers {
                for index in 0..count {
                    server.send((next + index * 7) % to.len());
                    queued += 1;
                }
            }
        }
        server.enter(0);
        assert_eq!(server.reap(), 0, "nobody sends meanwhile");
        time += cpu() - start;
    }
    per(time, TURNS * A_TURN)
}

fn compare(name: &str, measure: impl Fn(bool) -> f64) {
    let mut all = [const { Vec::new() }; 2];
    for _ in 0..ROUNDS {
        for (values, connected) in all.iter_mut().zip([false, true]) {
            values.push(measure(connected));
        }
    }
    let [one, each] = all.map(|mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[ROUNDS / 2]
    });
    let ratio = each / one;
    println!("{name:<20} one socket {one:>6.0}   one a peer {each:>6.0}   ratio {ratio:.2}");
}

/// What it costs to deliver a datagram whose sender nobody is connected to, into a full buffer.
fn strangers() {
    let server = socket("127.0.0.1:0".parse().expect("an address"), None);
    set_socket_recv_buffer_size(&server, 2_304).expect("a small buffer");
    let local = address(&server);
    let stranger = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
    let mut connected = Vec::new();
    for count in [0, 100, 1_000, 2_000] {
        for index in connected.len()..count {
            let [.., high, low] = index.to_be_bytes();
            let peer = SocketAddrV4::new(Ipv4Addr::new(127, 1, high, low), 9);
            connected.push(socket(local, Some(peer.into())));
        }
        let start = cpu();
        for _ in 0..20_000 {
            stranger
                .send_to(&[1; BYTES], local)
                .expect("loopback takes it");
        }
        let each = per(cpu() - start, 20_000);
        println!("from a stranger, {count:>5} connected sockets {each:>7.0}");
    }
}

fn main() {
    let count = std::env::args().nth(1);
    let count = count.map_or(1_000, |count| count.parse().expect("a number of peers"));
    let peers = peers(count);
    let to: Vec<SocketAddr> = peers.iter().map(address).collect();
    println!("{count} peers, ns of CPU for each datagram");
    compare("send", |connected| sends(&to, connected));
    compare("receive", |connected| turns(&peers, &to, connected, false));
    compare("receive and send", |connected| {
        turns(&peers, &to, connected, true)
    });
    strangers();
}
