//! What can go wrong when a ring is made or driven.

use std::io;
use std::net::SocketAddr;

use crate::host::Obstacle;

/// Failures of a ring. Peers cause none of them: what a peer can provoke (an ICMP error, a
/// datagram too long) is counted in [`crate::Statistics`] and the loop goes on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RingError {
    /// The configuration names no local address.
    #[error("no local address to listen on; name at least one")]
    NoAddress,

    /// The configuration names too many local addresses.
    #[error("{count} local addresses, at most {max} are served", max = crate::limits::ADDRESSES_MAX)]
    TooManyAddresses {
        /// How many were named.
        count: usize,
    },

    /// A number in the configuration is out of its range.
    #[error("{field} is {value}, allowed are {min} to {max}")]
    OutOfRange {
        /// The field of [`crate::Config`].
        field: &'static str,
        /// Its value.
        value: u64,
        /// Least allowed.
        min: u64,
        /// Most allowed.
        max: u64,
    },

    /// A local address cannot be bound: another process has it, or it is not this host's.
    #[error("cannot listen on UDP {address}: {source}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// The kernel's answer.
        source: io::Error,
    },

    /// The kernel refused a socket option that the ring depends on.
    #[error("the kernel refuses {option} on a UDP socket: {source}")]
    SocketOption {
        /// The option's name as in the manual pages.
        option: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },

    /// io_uring cannot be used on this host; the text says why and what to type.
    #[error("io_uring is not usable: {step} failed: {source}. {obstacle}")]
    Unavailable {
        /// What was tried.
        step: &'static str,
        /// The likely cause and the remedy.
        obstacle: Obstacle,
        /// The kernel's answer.
        source: io::Error,
    },

    /// This kernel's io_uring lacks an operation.
    #[error("io_uring lacks {operation}. {obstacle}")]
    MissingOperation {
        /// The operation's name.
        operation: &'static str,
        /// The likely cause and the remedy.
        obstacle: Obstacle,
    },

    /// A file descriptor for wake-ups could not be made.
    #[error("cannot make an eventfd: {source}")]
    Eventfd {
        /// The kernel's answer.
        source: io::Error,
    },

    /// The epoll set could not be made.
    #[error("cannot make an epoll set: {source}")]
    Epoll {
        /// The kernel's answer.
        source: io::Error,
    },

    /// Waiting failed in a way that waiting again does not cure. The ring is of no further use.
    #[error("{call} failed: {source}")]
    Wait {
        /// The system call.
        call: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },

    /// Receiving failed many times in a row and never succeeded. The ring is of no further use.
    #[error("receiving on UDP failed {count} times in a row: {source}")]
    Receive {
        /// How many times.
        count: u32,
        /// The last answer.
        source: io::Error,
    },
}

/// Who has to act on an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Blame {
    /// The configuration or the host's settings.
    Operator,
    /// The kernel, or a limit that it imposes.
    Kernel,
    /// This program.
    Bug,
}

impl RingError {
    /// Who has to act.
    pub fn blame(&self) -> Blame {
        match self {
            Self::NoAddress
            | Self::TooManyAddresses { .. }
            | Self::OutOfRange { .. }
            | Self::Bind { .. }
            | Self::Unavailable { .. }
            | Self::MissingOperation { .. } => Blame::Operator,
            Self::SocketOption { .. }
            | Self::Eventfd { .. }
            | Self::Epoll { .. }
            | Self::Receive { .. } => Blame::Kernel,
            Self::Wait { source, .. } => match source.raw_os_error() {
                Some(libc::EBADF | libc::EINVAL | libc::EFAULT | libc::EEXIST) => Blame::Bug,
                _ => Blame::Kernel,
            },
        }
    }
}
