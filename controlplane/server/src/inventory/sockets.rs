//! Sockets that wait for others, as the kernel lists them (proc(5): `/proc/net`).

use crate::Error;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// A socket that waits for others.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Listener {
    /// `control plane` or `data plane`.
    pub process: String,
    /// `tcp`, `udp` or `unix`.
    pub protocol: String,
    /// Address and port, or path.
    pub address: String,
    /// Who may connect to a path, octal.
    pub mode: Option<String>,
}

/// Of this process what the kernel says it holds; of the data plane, whose descriptors nobody may
/// look at, those of its addresses that the kernel lists.
///
/// # Errors
/// [`Error::File`]: `/proc` cannot be read.
pub(super) fn listeners(
    media: &[Vec<SocketAddr>],
    dataplane_socket: &Path,
) -> Result<Vec<Listener>, Error> {
    let ours = own_inodes()?;
    let media_ports: BTreeSet<u16> = media.iter().flatten().map(SocketAddr::port).collect();
    let mut found = BTreeSet::new();
    for (file, protocol, state) in [
        ("tcp", "tcp", TCP_LISTEN),
        ("tcp6", "tcp", TCP_LISTEN),
        ("udp", "udp", UDP_UNCONNECTED),
        ("udp6", "udp", UDP_UNCONNECTED),
    ] {
        for socket in read(file)?.lines().skip(1).filter_map(inet) {
            let process = if ours.contains(&socket.inode) {
                "control plane"
            } else if protocol == "udp" && media_ports.contains(&socket.address.port()) {
                "data plane"
            } else {
                continue;
            };
            if socket.state == state {
                found.insert(listener(
                    process,
                    protocol,
                    socket.address.to_string(),
                    None,
                ));
            }
        }
    }
    for line in read("unix")?.lines().skip(1) {
        let Some((inode, path)) = unix(line) else {
            continue;
        };
        let process = if ours.contains(&inode) {
            "control plane"
        } else if Path::new(path) == dataplane_socket {
            "data plane"
        } else {
            continue;
        };
        let mode = fs::metadata(path)
            .ok()
            .map(|metadata| metadata.permissions().mode());
        let mode = mode.map(|mode| format!("{:04o}", mode & 0o7777));
        found.insert(listener(process, "unix", path.to_owned(), mode));
    }
    Ok(found.into_iter().collect())
}

fn listener(process: &str, protocol: &str, address: String, mode: Option<String>) -> Listener {
    Listener {
        process: process.to_owned(),
        protocol: protocol.to_owned(),
        address,
        mode,
    }
}

fn read(file: &str) -> Result<String, Error> {
    let path = format!("/proc/self/net/{file}");
    match fs::read_to_string(&path) {
        // A kernel without IPv6 has no such list.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && file.ends_with('6') => {
            Ok(String::new())
        }
        read => read.map_err(|error| Error::file(Path::new(&path), error)),
    }
}

/// Inodes of the sockets that this process holds.
fn own_inodes() -> Result<BTreeSet<u64>, Error> {
    let folder = Path::new("/proc/self/fd");
    let entries = fs::read_dir(folder).map_err(|error| Error::file(folder, error))?;
    let inode = |entry: fs::DirEntry| {
        // One that was closed meanwhile is no listener.
        let target = fs::read_link(entry.path()).ok()?;
        let inode = target
            .to_str()?
            .strip_prefix("socket:[")?
            .strip_suffix(']')?;
        inode.parse().ok()
    };
    Ok(entries.filter_map(Result::ok).filter_map(inode).collect())
}

struct Inet {
    address: SocketAddr,
    state: u8,
    inode: u64,
}

/// `0: 0100007F:1EC8 00000000:0000 0A ... inode`: local address and port, remote ones, state.
fn inet(line: &str) -> Option<Inet> {
    let fields: Vec<_> = line.split_whitespace().collect();
    let (address, port) = fields.get(1)?.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    Some(Inet {
        address: SocketAddr::new(ip(address)?, port),
        state: u8::from_str_radix(fields.get(3)?, 16).ok()?,
        inode: fields.get(9)?.parse().ok()?,
    })
}

/// Words of 32 bits, each as this machine keeps them.
fn ip(hexadecimal: &str) -> Option<IpAddr> {
    let word = |index: usize| {
        let digits = hexadecimal.get(index * 8..index * 8 + 8)?;
        u32::from_str_radix(digits, 16).ok().map(u32::to_ne_bytes)
    };
    match hexadecimal.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?].concat();
            let octets: [u8; 16] = words.try_into().ok()?;
            Some(Ipv6Addr::from(octets).into())
        }
        _ => None,
    }
}

/// `ffff...: 00000002 00000000 00010000 0001 01 12345 /path`, of sockets that accept.
fn unix(line: &str) -> Option<(u64, &str)> {
    let mut fields = line.split_whitespace();
    let flags = u32::from_str_radix(fields.nth(3)?, 16).ok()?;
    let inode = fields.nth(2)?.parse().ok()?;
    let path = fields.next()?;
    (flags & ACCEPTS != 0).then_some((inode, path))
}

const TCP_LISTEN: u8 = 10;
const UDP_UNCONNECTED: u8 = 7;
/// `__SO_ACCEPTCON`.
const ACCEPTS: u32 = 1 << 16;

#[cfg(test)]
mod tests;
