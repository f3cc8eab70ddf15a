//! A participant's UDP socket: batches in, batches out (quinn-udp).

use super::limits;
use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSocketState};
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// The socket.
pub(super) struct Socket {
    socket: UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
}

/// Room for what arrives, shared by the participants of a thread.
pub(super) struct Inbox {
    memory: Vec<u8>,
    meta: [RecvMeta; BATCH_SIZE],
}

/// Datagrams to be sent together: equal in size, but for a shorter last one (UDP GSO).
pub(super) struct Outbox {
    bytes: Vec<u8>,
    segment_bytes: usize,
    destination: Option<SocketAddr>,
}

impl Inbox {
    pub(super) fn new() -> Self {
        Self {
            memory: vec![0; RECEIVE_BYTES * BATCH_SIZE],
            meta: [RecvMeta::default(); BATCH_SIZE],
        }
    }
}

impl Outbox {
    pub(super) fn new() -> Self {
        Self {
            bytes: Vec::with_capacity(SEND_BYTES_MAX),
            segment_bytes: 0,
            destination: None,
        }
    }
}

/// What one message may bring: with GRO, many datagrams.
const RECEIVE_BYTES: usize = u16::MAX as usize;

/// The kernel takes no more in one call (the largest IP packet, without its headers).
const SEND_BYTES_MAX: usize = 65_000;

impl Socket {
    /// On any port of `address`.
    pub(super) fn bind(address: IpAddr) -> io::Result<Self> {
        let socket = std::net::UdpSocket::bind((address, 0))?;
        let state = UdpSocketState::new((&socket).into())?;
        state.set_recv_buffer_size((&socket).into(), limits::SOCKET_BUFFER_BYTES)?;
        let local = socket.local_addr()?;
        Ok(Self {
            socket: UdpSocket::from_std(socket)?,
            state,
            local,
        })
    }

    pub(super) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Until something may have arrived.
    pub(super) async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await
    }

    /// Takes one batch; returns whether there may be more.
    pub(super) fn receive(
        &self,
        inbox: &mut Inbox,
        mut take: impl FnMut(SocketAddr, &[u8]),
    ) -> io::Result<bool> {
        let Inbox { memory, meta } = inbox;
        let mut slices = memory.chunks_mut(RECEIVE_BYTES).map(IoSliceMut::new);
        let mut slices: [_; BATCH_SIZE] =
            std::array::from_fn(|_| slices.next().unwrap_or_else(|| IoSliceMut::new(&mut [])));
        let received = self.socket.try_io(Interest::READABLE, || {
            self.state.recv((&self.socket).into(), &mut slices, meta)
        });
        let count = match received {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            // What the network said to an earlier datagram; the next ones may do better.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return Ok(true),
            Err(error) => return Err(error),
        };
        for (meta, slice) in meta.iter().zip(&slices).take(count) {
            let bytes = slice.get(..meta.len).unwrap_or_default();
            for datagram in bytes.chunks(meta.stride.max(1)) {
                take(meta.addr, datagram);
            }
        }
        Ok(true)
    }

    /// Adds a datagram, sending those before it if it does not go with them.
    pub(super) fn push(
        &self,
        outbox: &mut Outbox,
        destination: SocketAddr,
        datagram: &[u8],
    ) -> io::Result<()> {
        let segments = outbox.bytes.len().div_ceil(outbox.segment_bytes.max(1));
        let goes_along = outbox.destination == Some(destination)
            && datagram.len() <= outbox.segment_bytes
            && outbox.bytes.len().is_multiple_of(outbox.segment_bytes)
            && outbox.bytes.len() + datagram.len() <= SEND_BYTES_MAX
            && segments < self.state.max_gso_segments();
        let sent = if goes_along {
            Ok(())
        } else {
            let sent = self.flush(outbox);
            outbox.destination = Some(destination);
            outbox.segment_bytes = datagram.len();
            sent
        };
        outbox.bytes.extend_from_slice(datagram);
        sent
    }

    /// Sends what waits. A full socket drops it, as a full network would.
    pub(super) fn flush(&self, outbox: &mut Outbox) -> io::Result<()> {
        let Some(destination) = outbox.destination.take() else {
            return Ok(());
        };
        let several = outbox.bytes.len() > outbox.segment_bytes;
        let transmit = Transmit {
            destination,
            ecn: None,
            contents: &outbox.bytes,
            segment_size: several.then_some(outbox.segment_bytes),
            src_ip: None,
        };
        // Nobody waits for room, so that nothing need be known of it beforehand.
        let sent = self.state.try_send((&self.socket).into(), &transmit);
        outbox.bytes.clear();
        outbox.segment_bytes = 0;
        sent
    }
}
