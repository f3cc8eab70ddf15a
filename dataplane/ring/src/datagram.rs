//! What a receive leaves in a receive buffer.
//!
//! It is what io_uring's multishot `recvmsg` writes, and the epoll engine lays its receives out
//! alike: `io_uring_recvmsg_out` (four u32), then fixed room for the source address and for control
//! messages, then the payload. With UDP_GRO the payload may be a train: datagrams of one flow, all
//! as long as the control message says, the last perhaps shorter (udp(7)).

use std::net::SocketAddr;

use crate::address;
use crate::limits::RECEIVE_BUFFER_BYTES;

/// Room for the lengths: `io_uring_recvmsg_out`.
pub(crate) const LENGTHS_BYTES: usize = 16;

/// Where the source address is.
pub(crate) const NAME_OFFSET: usize = LENGTHS_BYTES;

/// Room for the source address: a `sockaddr_in6`, rounded up so that the payload is aligned.
pub(crate) const NAME_BYTES: usize = 32;

/// Where the control message is.
pub(crate) const CONTROL_OFFSET: usize = NAME_OFFSET + NAME_BYTES;

/// Room for one control message with an `int`: CMSG_SPACE(4).
pub(crate) const CONTROL_BYTES: usize = 24;

/// Bytes in front of the payload.
pub(crate) const RECEIVE_HEADER_BYTES: usize = CONTROL_OFFSET + CONTROL_BYTES;

// The longest payload UDP can carry, over IPv6 without the jumbo option.
const _: () = assert!(RECEIVE_HEADER_BYTES + 65_527 <= RECEIVE_BUFFER_BYTES);

/// What stands in front: how much of each part the kernel wrote.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lengths {
    pub(crate) name: u32,
    pub(crate) control: u32,
    pub(crate) payload: u32,
    /// Of `recvmsg`.
    pub(crate) flags: u32,
}

impl Lengths {
    /// Writes them to [`LENGTHS_BYTES`] bytes.
    pub(crate) fn write(self, out: &mut [u8]) {
        let Self {
            name,
            control,
            payload,
            flags,
        } = self;
        for (field, value) in out.chunks_exact_mut(4).zip([name, control, payload, flags]) {
            field.copy_from_slice(&value.to_ne_bytes());
        }
    }

    fn read(bytes: &[u8; LENGTHS_BYTES]) -> Self {
        let [name, control, payload, flags] = [0, 4, 8, 12]
            .map(|at| u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]));
        Self {
            name,
            control,
            payload,
            flags,
        }
    }
}

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
    let (lengths, rest) = header.split_first_chunk().ok_or(Unusable::Malformed)?;
    let (name, control) = rest.split_at(NAME_BYTES);
    let Lengths {
        name: name_bytes,
        control: control_bytes,
        payload: payload_bytes,
        flags,
    } = Lengths::read(lengths);
    let payload_bytes = payload_bytes as usize;

    if flags & TRUNCATED != 0 || payload_bytes > payload.len() {
        return Err(Unusable::Truncated);
    }
    let name = name.get(..name_bytes as usize).ok_or(Unusable::Malformed)?;
    let source = address::read(name).ok_or(Unusable::Malformed)?;
    let control = control
        .get(..control_bytes as usize)
        .ok_or(Unusable::Malformed)?;
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

/// MSG_TRUNC.
const TRUNCATED: u32 = 0x20;

#[cfg(test)]
mod tests;
