//! Socket addresses as the kernel writes them.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// Bytes of a `sockaddr_in6`, the longest address used here.
pub(crate) const ADDRESS_BYTES_MAX: usize = 28;

const IPV4_BYTES: usize = 16;

/// Writes `address` as `sockaddr_in` or `sockaddr_in6` and returns its length.
pub(crate) fn write(address: SocketAddr, out: &mut [u8; ADDRESS_BYTES_MAX]) -> u32 {
    out[2..4].copy_from_slice(&address.port().to_be_bytes());
    match address {
        SocketAddr::V4(v4) => {
            out[..2].copy_from_slice(&IPV4_FAMILY.to_ne_bytes());
            out[4..8].copy_from_slice(&v4.ip().octets());
            out[8..IPV4_BYTES].fill(0);
            16
        }
        SocketAddr::V6(v6) => {
            out[..2].copy_from_slice(&IPV6_FAMILY.to_ne_bytes());
            out[4..8].copy_from_slice(&v6.flowinfo().to_be_bytes());
            out[8..24].copy_from_slice(&v6.ip().octets());
            out[24..28].copy_from_slice(&v6.scope_id().to_ne_bytes());
            28
        }
    }
}

/// Reads a `sockaddr_in` or `sockaddr_in6`; `None` for another family or a name cut short.
pub(crate) fn read(name: &[u8]) -> Option<SocketAddr> {
    let (family, rest) = name.split_first_chunk::<2>()?;
    let (port, rest) = rest.split_first_chunk::<2>()?;
    let port = u16::from_be_bytes(*port);
    match u16::from_ne_bytes(*family) {
        IPV4_FAMILY => {
            let ip = rest.first_chunk::<4>()?;
            Some(SocketAddrV4::new(Ipv4Addr::from(*ip), port).into())
        }
        IPV6_FAMILY => {
            // The flow label (4 bytes) may differ between datagrams of one peer; an address that is
            // compared and looked up must not.
            let (ip, rest) = rest.get(4..)?.split_first_chunk::<16>()?;
            let scope = rest.first_chunk::<4>()?;
            let ip = Ipv6Addr::from(*ip);
            Some(SocketAddrV6::new(ip, port, 0, u32::from_ne_bytes(*scope)).into())
        }
        _ => None,
    }
}

const IPV4_FAMILY: u16 = 2;
const IPV6_FAMILY: u16 = 10;

#[cfg(test)]
mod tests;
