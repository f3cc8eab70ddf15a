//! The datagrams that one wake-up brought.

use std::net::SocketAddr;

use crate::buffers::ReceiveBuffers;
use crate::datagram::{Arrival, RECEIVE_HEADER_BYTES};

/// One received datagram.
#[derive(Debug)]
#[non_exhaustive]
pub struct Datagram<'a> {
    /// Who sent it, as the network says: anybody can write any address there.
    pub source: SocketAddr,
    /// Which of this ring's addresses it came to.
    pub local: SocketAddr,
    /// Its payload, 0 to 65,527 bytes, to be decrypted in place.
    pub payload: &'a mut [u8],
}

/// Goes through the datagrams of one wake-up in order of arrival, trains already split. All of them
/// may be held at the same time.
pub struct Batch<'a> {
    trains: std::slice::Iter<'a, Train>,
    buffers: &'a mut ReceiveBuffers,
    locals: &'a [SocketAddr],
    current: Option<Current>,
}

/// A receive buffer that is part of the batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Train {
    pub(crate) buffer: u16,
    pub(crate) socket: u8,
    pub(crate) arrival: Arrival,
}

struct Current {
    train: Train,
    offset: usize,
}

impl<'a> Batch<'a> {
    pub(crate) fn new(
        trains: &'a [Train],
        buffers: &'a mut ReceiveBuffers,
        locals: &'a [SocketAddr],
    ) -> Self {
        Self {
            trains: trains.iter(),
            buffers,
            locals,
            current: None,
        }
    }
}

impl<'a> Iterator for Batch<'a> {
    type Item = Datagram<'a>;

    fn next(&mut self) -> Option<Datagram<'a>> {
        let Current { train, offset } = match self.current.take() {
            Some(current) => current,
            None => Current {
                train: *self.trains.next()?,
                offset: 0,
            },
        };
        let Arrival {
            source,
            payload_bytes,
            segment_bytes,
        } = train.arrival;
        let bytes = segment_bytes.min(payload_bytes - offset);
        if offset + bytes < payload_bytes {
            self.current = Some(Current {
                train,
                offset: offset + bytes,
            });
        }
        // SAFETY: the kernel handed the buffer over, and gets it back in `Ring::wait`, which needs
        // the ring that `'a` borrows. Each buffer is in one train, each train is gone through once
        // and its segments do not overlap. `self.buffers` keeps the buffers borrowed for `'a`.
        let payload = unsafe {
            self.buffers
                .bytes_mut(train.buffer, RECEIVE_HEADER_BYTES + offset, bytes)
        };
        Some(Datagram {
            source,
            local: self.locals[usize::from(train.socket)],
            payload,
        })
    }
}
