//! What a multishot `recvmsg` leaves in a receive buffer.
//!
//! `io_uring_recvmsg_out` (four u32), then fixed room for the source address and for control
//! messages, then the payload. With UDP_GRO the payload may be a train: datagrams of one flow, all
//! as long as the control message says, the last perhaps shorter (udp(7)).

use std::net::SocketAddr;

use crate::address;
use crate::limits::RECEIVE_BUFFER_BYTES;

/// Room for the source address: a `sockaddr_in6`, rounded up so that the payload is aligned.
pub(crate) const NAME_BYTES: usize = 32;

/// Room for one control message with an `int`: CMSG_SPACE(4).
pub(crate) const CONTROL_BYTES: usize = 24;

/// Bytes in front of the payload.
pub(crate) const RECEIVE_HEADER_BYTES: usize = 16 + NAME_BYTES + CONTROL_BYTES;

// The longest payload UDP can carry, over IPv6 without the jumbo option.
const _: () = assert!(RECEIVE_HEADER_BYTES + 65_527 <= RECEIVE_BUFFER_BYTES);

/// One receive: a datagram, or a train of them from one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub(crate) source: SocketAddr,
    pub(crate) payload_bytes: usize,
    /// Length of each datagram but the last; equal to `payload_bytes` without a train.
    pub(crate) segment_bytes: usize,
}

impl Arrival {
    /// How many datagrams the train holds. An empty datagram is one.
    pub(crate) fn datagram_count(&self) -> u64 {
        let count = self.payload_bytes.div_ceil(self.segment_bytes.max(1));
        u64::try_from(count.max(1)).expect("at most 65,535 bytes")
    }
}

/// Why a receive is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unusable {
    Truncated,
    Malformed,
}

/// Reads the header of a receive buffer whose completion said that `buffer` was filled.
pub(crate) fn parse(buffer: &[u8]) -> Result<Arrival, Unusable> {
    let (header, payload) = buffer
        .split_at_checked(RECEIVE_HEADER_BYTES)
        .ok_or(Unusable::Malformed)?;
    let (lengths, rest) = header.split_at(16);
    let (name, control) = rest.split_at(NAME_BYTES);
    let name_bytes = u32_at(lengths, 0) as usize;
    let control_bytes = u32_at(lengths, 4) as usize;
    let payload_bytes = u32_at(lengths, 8) as usize;
    let flags = u32_at(lengths, 12);

    if flags & TRUNCATED != 0 || payload_bytes > payload.len() {
        return Err(Unusable::Truncated);
    }
    let name = name.get(..name_bytes).ok_or(Unusable::Malformed)?;
    let source = address::read(name).ok_or(Unusable::Malformed)?;
    let control = control.get(..control_bytes).ok_or(Unusable::Malformed)?;
    let segment_bytes = match gro_segment_bytes(control) {
        Some(bytes) if (1..payload_bytes).contains(&bytes) => bytes,
        _ => payload_bytes,
    };
    Ok(Arrival {
        source,
        payload_bytes,
        segment_bytes,
    })
}

/// The UDP_GRO control message, the only one that is asked for.
fn gro_segment_bytes(control: &[u8]) -> Option<usize> {
    let (header, data) = control.split_at_checked(16)?;
    let level = i32::from_ne_bytes(*header[8..].first_chunk()?);
    let kind = i32::from_ne_bytes(*header[12..].first_chunk()?);
    if (level, kind) != (libc::SOL_UDP, libc::UDP_GRO) {
        return None;
    }
    usize::try_from(i32::from_ne_bytes(*data.first_chunk()?)).ok()
}

fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    u32::from_ne_bytes(
        *bytes[offset..]
            .first_chunk()
            .expect("the header holds four u32"),
    )
}

/// MSG_TRUNC.
const TRUNCATED: u32 = 0x20;

#[cfg(test)]
mod tests;
