//! The two sides of packet memory: what arrived, and where outgoing packets are written.

use std::net::SocketAddr;

/// A five-tuple without the protocol: our address and the client's.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Path {
    /// Our address that the datagram arrived on or leaves from.
    pub local: SocketAddr,
    /// The client's address.
    pub remote: SocketAddr,
}

/// A received datagram, in the ring's memory; opened in place.
#[derive(Debug)]
pub struct Datagram<'a> {
    /// Where it came from and arrived.
    pub path: Path,
    /// Its bytes.
    pub payload: &'a mut [u8],
}

/// Packet memory for outgoing datagrams. Consecutive packets on one path become one GSO message
/// where their sizes allow it, so a caller writes all that it has for one path before it turns to
/// the next.
pub trait PacketSink {
    /// Room for one datagram of at most `bytes_max` bytes on `path`, or `None` when outgoing
    /// memory is used up (the packet is then dropped and counted by the sink). A reservation that
    /// is not committed is void.
    fn reserve(&mut self, path: Path, bytes_max: usize) -> Option<&mut [u8]>;

    /// Sends the first `bytes` bytes of the last reservation.
    fn commit(&mut self, bytes: usize);
}
