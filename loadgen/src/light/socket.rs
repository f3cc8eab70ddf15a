//! A participant's UDP socket: quinn-udp's batches, GSO and GRO, and a filter in the kernel.

use super::filter;
use mio::net::UdpSocket;
use quinn_udp::{RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use socket2::SockRef;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// A participant's UDP socket, connected once the other side is known.
#[derive(Debug)]
pub(super) struct Socket {
    socket: UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
    remote: Option<SocketAddr>,
}

/// Wanted socket buffers, bytes: what the kernel gives without privileges (`rmem_max`), at most.
const BUFFER_BYTES: usize = 4 << 20;

/// Longest train of packets in one message: what the kernel takes in one datagram.
const TRAIN_BYTES_MAX: usize = 65_507;

impl Socket {
    /// A socket that reaches `remote`.
    pub(super) fn connected(remote: SocketAddr) -> io::Result<Self> {
        let any: IpAddr = if remote.is_ipv6() {
            Ipv6Addr::UNSPECIFIED.into()
        } else {
            Ipv4Addr::UNSPECIFIED.into()
        };
        let mut socket = Self::bound(any)?;
        socket.connect(remote)?;
        Ok(socket)
    }

    /// A socket that does not know the other side yet.
    pub(super) fn bound(address: IpAddr) -> io::Result<Self> {
        let socket = std::net::UdpSocket::bind((address, 0))?;
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        let options = SockRef::from(&socket);
        // Less than wanted is less, not nothing.
        drop(options.set_recv_buffer_size(BUFFER_BYTES));
        drop(options.set_send_buffer_size(BUFFER_BYTES));
        let local = socket.local_addr()?;
        Ok(Self {
            socket: UdpSocket::from_std(socket),
            state,
            local,
            remote: None,
        })
    }

    /// From now on it sends to `remote` and takes only what comes from there.
    pub(super) fn connect(&mut self, remote: SocketAddr) -> io::Result<()> {
        self.socket.connect(remote)?;
        self.local = self.socket.local_addr()?;
        self.remote = Some(remote);
        Ok(())
    }

    /// Lets the kernel drop RTP but for one message in `pass_one_in`.
    pub(super) fn drop_media(&self, pass_one_in: u32) -> io::Result<()> {
        SockRef::from(&self.socket).attach_filter(&filter::pass_one_in(pass_one_in))
    }

    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    pub(super) fn remote(&self) -> Option<SocketAddr> {
        self.remote
    }

    /// For registration with a poll.
    pub(super) fn source(&mut self) -> &mut UdpSocket {
        &mut self.socket
    }

    /// Sends one datagram. The socket is connected, so that no route is looked up.
    pub(super) fn send(&self, datagram: &[u8]) -> io::Result<()> {
        self.socket.send(datagram)?;
        Ok(())
    }

    /// Sends packets of `packet_bytes` each, the last of which may be shorter, in as few messages
    /// as the kernel allows.
    pub(super) fn send_train(&self, train: &[u8], packet_bytes: usize) -> io::Result<()> {
        let packets_max = (TRAIN_BYTES_MAX / packet_bytes)
            .min(self.state.max_gso_segments())
            .max(1);
        train
            .chunks(packets_max * packet_bytes)
            .try_for_each(|part| {
                if part.len() > packet_bytes {
                    self.transmit(part, packet_bytes)
                } else {
                    self.send(part)
                }
            })
    }

    fn transmit(&self, contents: &[u8], segment_size: usize) -> io::Result<()> {
        let destination = self.remote.ok_or(io::ErrorKind::NotConnected)?;
        let transmit = Transmit {
            destination,
            ecn: None,
            contents,
            segment_size: Some(segment_size),
            src_ip: None,
        };
        self.state
            .try_send(UdpSockRef::from(&self.socket), &transmit)
    }

    /// Receives a batch of messages, each of one or several datagrams; fewer than
    /// [`BATCH`] when that was all.
    pub(super) fn receive(&self, memory: &mut ReceiveMemory) -> io::Result<usize> {
        let ReceiveMemory { buffer, meta } = memory;
        let mut slices = buffer.chunks_exact_mut(MESSAGE_BYTES_MAX);
        let mut slices: [IoSliceMut<'_>; BATCH] =
            std::array::from_fn(|_| IoSliceMut::new(slices.next().unwrap_or_default()));
        self.state
            .recv(UdpSockRef::from(&self.socket), &mut slices, meta)
    }
}

/// Messages that are received in one call. Each may be a train of 64 packets; a participant rarely
/// has more than two waiting, and room for more costs each call.
pub(super) const BATCH: usize = 8;

/// Longest message that the kernel hands over with GRO.
const MESSAGE_BYTES_MAX: usize = 1 << 16;

/// Where a batch of messages is received: one for a fleet.
pub(super) struct ReceiveMemory {
    buffer: Vec<u8>,
    meta: [RecvMeta; BATCH],
}

impl ReceiveMemory {
    pub(super) fn new() -> Self {
        Self {
            buffer: vec![0; BATCH * MESSAGE_BYTES_MAX],
            meta: [RecvMeta::default(); BATCH],
        }
    }

    /// A received message: its bytes, and the length of each datagram in it but the last.
    pub(super) fn message(&mut self, place: usize) -> (&mut [u8], usize) {
        let meta = &self.meta[place];
        let start = place * MESSAGE_BYTES_MAX;
        let message = &mut self.buffer[start..start + meta.len];
        (message, meta.stride.max(1))
    }
}
