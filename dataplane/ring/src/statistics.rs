//! Counters of one ring.

/// What a ring did since it was made. All counters only grow; reading them costs a copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// Datagrams handed out, after trains were split.
    pub datagrams_received: u64,
    /// Payload bytes handed out.
    pub bytes_received: u64,
    /// Receives in which the kernel had coalesced more than one datagram (UDP_GRO).
    pub gro_trains: u64,
    /// Datagrams the kernel took; a segment of a GSO message counts as one.
    pub datagrams_sent: u64,
    /// Payload bytes the kernel took.
    pub bytes_sent: u64,
    /// Messages the kernel took, each one `sendmsg`.
    pub messages_sent: u64,
    /// Those of `messages_sent` with more than one segment.
    pub gso_messages: u64,
    /// System calls made to send, receive and wait: `io_uring_enter`, or with epoll `epoll_wait`,
    /// `recvmmsg`, `sendmmsg` and the read of a wake-up.
    pub system_calls: u64,
    /// Times another thread's wake-up was seen.
    pub wakes: u64,
    /// Multishot receives started again after the kernel ended one; io_uring only.
    pub receive_rearms: u64,
    /// Receives that ended because every receive buffer was in use; the socket's own buffer holds
    /// what arrives meanwhile.
    pub receive_buffers_exhausted: u64,
    /// Receives that ended with another error.
    pub receive_errors: u64,
    /// Datagrams received and not handed out.
    pub receive_drops: ReceiveDrops,
    /// Datagrams to send that were not sent.
    pub send_drops: SendDrops,
    /// Messages sent with zero-copy and not copied by the kernel.
    pub zero_copy_used: u64,
    /// Messages sent with zero-copy that the kernel copied after all.
    pub zero_copy_copied: u64,
    /// Sockets on which segmentation was turned off because the route refused it (EIO: a device
    /// without checksum offload, or IPsec).
    pub gso_turned_off: u64,
}

/// Reasons for which a received datagram was not handed out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReceiveDrops {
    /// Longer than a receive buffer.
    pub truncated: u64,
    /// Without a usable source address.
    pub malformed: u64,
}

/// Reasons for which a datagram to send was not sent, counted in datagrams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SendDrops {
    /// Every slab was held by zero-copy sends, or the kernel took no submissions.
    pub no_slab: u64,
    /// Longer than a datagram can be ([`crate::limits::RUN_BYTES_MAX`]).
    pub oversized: u64,
    /// The local address is not one of this ring's.
    pub unknown_local: u64,
    /// EMSGSIZE or EINVAL: longer than the path takes.
    pub message_too_long: u64,
    /// ENOBUFS or ENOMEM: the device queue or kernel memory is full.
    pub no_buffers: u64,
    /// EAGAIN: the socket's send buffer is full.
    pub would_block: u64,
    /// ECONNREFUSED: an ICMP port unreachable came back.
    pub refused: u64,
    /// No route, network or host unreachable, network down, or an address of the wrong family.
    pub unreachable: u64,
    /// EPERM or EACCES: a packet filter refused it.
    pub denied: u64,
    /// EIO: the route refused segmentation.
    pub no_segmentation: u64,
    /// Any other error.
    pub other: u64,
}

impl SendDrops {
    /// Sum of all reasons.
    pub fn total(&self) -> u64 {
        let Self {
            no_slab,
            oversized,
            unknown_local,
            message_too_long,
            no_buffers,
            would_block,
            refused,
            unreachable,
            denied,
            no_segmentation,
            other,
        } = *self;
        no_slab
            + oversized
            + unknown_local
            + message_too_long
            + no_buffers
            + would_block
            + refused
            + unreachable
            + denied
            + no_segmentation
            + other
    }

    /// The counter for a send that failed with this error number.
    pub(crate) fn for_errno(&mut self, errno: i32) -> &mut u64 {
        match errno {
            libc::EMSGSIZE | libc::EINVAL => &mut self.message_too_long,
            libc::ENOBUFS | libc::ENOMEM => &mut self.no_buffers,
            libc::EAGAIN => &mut self.would_block,
            libc::ECONNREFUSED => &mut self.refused,
            libc::ENETUNREACH
            | libc::EHOSTUNREACH
            | libc::ENETDOWN
            | libc::EHOSTDOWN
            | libc::EADDRNOTAVAIL
            | libc::EAFNOSUPPORT => &mut self.unreachable,
            libc::EPERM | libc::EACCES => &mut self.denied,
            libc::EIO => &mut self.no_segmentation,
            _ => &mut self.other,
        }
    }
}
