//! The `msghdr` of an outgoing message and all that it points to.

use std::net::SocketAddr;

use crate::address::{self, ADDRESS_BYTES_MAX};

/// A message at a fixed address: its header points into itself.
pub(crate) struct Message {
    header: libc::msghdr,
    part: libc::iovec,
    name: [u8; ADDRESS_BYTES_MAX],
    control: Control,
    /// What the completion needs to know.
    pub(crate) segments: u16,
    bytes: u32,
    pub(crate) without_copy: bool,
}

/// One control message with a u16: the segment length (udp(7), UDP_SEGMENT).
#[repr(C)]
struct Control {
    length: usize,
    level: i32,
    kind: i32,
    segment_bytes: u16,
    padding: [u8; 6],
}

/// CMSG_LEN(2).
const CONTROL_LENGTH: usize = 16 + 2;

impl Message {
    pub(crate) fn new() -> Self {
        // SAFETY: a msghdr of null pointers and zero lengths is a valid value.
        let header = unsafe { std::mem::zeroed() };
        Self {
            header,
            part: libc::iovec {
                iov_base: std::ptr::null_mut(),
                iov_len: 0,
            },
            name: [0; ADDRESS_BYTES_MAX],
            control: Control {
                length: CONTROL_LENGTH,
                level: libc::SOL_UDP,
                kind: libc::UDP_SEGMENT,
                segment_bytes: 0,
                padding: [0; 6],
            },
            segments: 0,
            bytes: 0,
            without_copy: false,
        }
    }

    /// Describes `bytes` at `start`, to be sent as `segments` datagrams of `segment_bytes`.
    pub(crate) fn prepare(
        &mut self,
        destination: SocketAddr,
        start: *mut u8,
        bytes: u32,
        segment_bytes: u16,
        segments: u16,
    ) {
        self.segments = segments;
        self.bytes = bytes;
        self.part = libc::iovec {
            iov_base: start.cast(),
            iov_len: bytes as usize,
        };
        self.header.msg_namelen = address::write(destination, &mut self.name);
        self.header.msg_name = self.name.as_mut_ptr().cast();
        self.header.msg_iov = &raw mut self.part;
        self.header.msg_iovlen = 1;
        if segments > 1 {
            self.control.segment_bytes = segment_bytes;
            self.header.msg_control = (&raw mut self.control).cast();
            self.header.msg_controllen = size_of::<Control>();
        } else {
            self.header.msg_control = std::ptr::null_mut();
            self.header.msg_controllen = 0;
        }
    }

    /// The header for the kernel. It is valid until the message is prepared again or moved.
    pub(crate) fn header(&self) -> *const libc::msghdr {
        &raw const self.header
    }

    /// The bytes to send.
    pub(crate) fn bytes(&self) -> (*const u8, u32) {
        (self.part.iov_base.cast_const().cast(), self.bytes)
    }

    /// The destination, for as long as the header is valid.
    pub(crate) fn name(&self) -> (*const libc::sockaddr, u32) {
        (self.name.as_ptr().cast(), self.header.msg_namelen)
    }
}

#[cfg(test)]
mod tests;
