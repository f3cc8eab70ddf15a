//! The UDP sockets of a ring.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use socket2::{Domain, Protocol, Socket, Type};

use crate::error::RingError;
use crate::limits::PORT_ATTEMPTS_MAX;
use crate::zero_copy::ZeroCopy;

/// One bound socket and what is known about it.
pub(crate) struct UdpSocket {
    socket: Socket,
    /// The address it is bound to.
    pub(crate) local: SocketAddr,
    /// Whether a message may hold several segments.
    pub(crate) segmentation: bool,
    pub(crate) zero_copy: ZeroCopy,
    /// Sizes that the kernel granted.
    pub(crate) buffers: SocketBuffers,
}

/// The socket buffers that the kernel granted, in bytes as it accounts them (about twice the
/// payload they hold).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketBuffers {
    /// SO_RCVBUF.
    pub receive_bytes: usize,
    /// SO_SNDBUF.
    pub send_bytes: usize,
}

/// Binds every address. Those with port 0 all get the same port, which the kernel chooses for the
/// first of them.
pub(crate) fn bind_all(
    addresses: &[SocketAddr],
    buffer_bytes: usize,
    zero_copy: bool,
) -> Result<Vec<UdpSocket>, RingError> {
    let chosen = addresses.iter().any(|address| address.port() == 0);
    let mut attempt = 1;
    loop {
        match bind_once(addresses, buffer_bytes, zero_copy) {
            // The port that was free at the first address is taken at another: choose again.
            Err(RingError::Bind { source, .. })
                if chosen
                    && source.kind() == io::ErrorKind::AddrInUse
                    && attempt < PORT_ATTEMPTS_MAX =>
            {
                attempt += 1;
            }
            result => return result,
        }
    }
}

fn bind_once(
    addresses: &[SocketAddr],
    buffer_bytes: usize,
    zero_copy: bool,
) -> Result<Vec<UdpSocket>, RingError> {
    let mut sockets = Vec::with_capacity(addresses.len());
    let mut port = 0;
    for &address in addresses {
        let mut wanted = address;
        if wanted.port() == 0 {
            wanted.set_port(port);
        }
        let socket = UdpSocket::bind(wanted, buffer_bytes, zero_copy)?;
        if address.port() == 0 {
            port = socket.local.port();
        }
        sockets.push(socket);
    }
    Ok(sockets)
}

impl UdpSocket {
    fn bind(address: SocketAddr, buffer_bytes: usize, zero_copy: bool) -> Result<Self, RingError> {
        let bind_error = |source| RingError::Bind { address, source };
        // Blocking on purpose: io_uring waits for a blocking socket and answers EAGAIN for a
        // non-blocking one. Sends, and receives without io_uring, carry MSG_DONTWAIT.
        let socket = Socket::new(
            Domain::for_address(address),
            Type::DGRAM,
            Some(Protocol::UDP),
        )
        .map_err(bind_error)?;
        if address.is_ipv6() {
            // Else [::]:port would also take IPv4 and collide with a socket of our own.
            socket
                .set_only_v6(true)
                .map_err(option_error("IPV6_V6ONLY"))?;
        }
        set_udp_gro(&socket).map_err(option_error("UDP_GRO"))?;
        let buffers = set_buffer_sizes(&socket, buffer_bytes)?;
        socket.bind(&address.into()).map_err(bind_error)?;
        let local = socket
            .local_addr()
            .map_err(bind_error)?
            .as_socket()
            .expect("a socket bound to an IP address has one");
        Ok(Self {
            socket,
            local,
            segmentation: true,
            zero_copy: ZeroCopy::new(zero_copy),
            buffers,
        })
    }

    /// The file descriptor.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// The file descriptor's number.
    pub(crate) fn raw_fd(&self) -> i32 {
        self.socket.as_raw_fd()
    }

    /// Datagrams that the kernel dropped because the socket's buffer was full, since it was bound.
    pub(crate) fn kernel_drops(&self) -> io::Result<u64> {
        kernel_drops(self.fd())
    }
}

fn option_error(option: &'static str) -> impl Fn(io::Error) -> RingError {
    move |source| RingError::SocketOption { option, source }
}

/// Sets both buffer sizes past the sysctl limits where the process may (CAP_NET_ADMIN), else up to
/// them, and returns what the kernel granted.
fn set_buffer_sizes(socket: &Socket, bytes: usize) -> Result<SocketBuffers, RingError> {
    use rustix::net::sockopt;
    if sockopt::set_socket_recv_buffer_size_force(socket, bytes).is_err() {
        socket
            .set_recv_buffer_size(bytes)
            .map_err(option_error("SO_RCVBUF"))?;
    }
    if sockopt::set_socket_send_buffer_size_force(socket, bytes).is_err() {
        socket
            .set_send_buffer_size(bytes)
            .map_err(option_error("SO_SNDBUF"))?;
    }
    Ok(SocketBuffers {
        receive_bytes: socket
            .recv_buffer_size()
            .map_err(option_error("SO_RCVBUF"))?,
        send_bytes: socket
            .send_buffer_size()
            .map_err(option_error("SO_SNDBUF"))?,
    })
}

fn set_udp_gro(socket: &Socket) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the descriptor is open, and the option's value is one int that outlives the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_UDP,
            libc::UDP_GRO,
            (&raw const on).cast(),
            INT_BYTES,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn kernel_drops(socket: BorrowedFd<'_>) -> io::Result<u64> {
    // SK_MEMINFO_VARS fields; the drops are the last (linux/sock_diag.h).
    let mut fields = [0_u32; 9];
    let mut bytes = 9 * 4;
    // SAFETY: the descriptor is open, `fields` has `bytes` bytes, and both outlive the call.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            fields.as_mut_ptr().cast(),
            &raw mut bytes,
        )
    };
    if result == 0 {
        Ok(u64::from(fields[8]))
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Bytes of a C int.
const INT_BYTES: libc::socklen_t = 4;

#[cfg(test)]
mod tests;
