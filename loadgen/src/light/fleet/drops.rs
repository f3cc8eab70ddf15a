//! What the kernel dropped at sockets.

use std::collections::HashSet;
use std::net::SocketAddr;

/// Sum of the drop counts of the UDP sockets at these addresses.
pub(super) fn in_kernel(addresses: &[SocketAddr]) -> u64 {
    let ports: HashSet<u16> = addresses.iter().map(SocketAddr::port).collect();
    ["/proc/net/udp", "/proc/net/udp6"]
        .into_iter()
        .filter_map(|file| std::fs::read_to_string(file).ok())
        .map(|table| sum(&table, &ports))
        .sum()
}

/// One socket a line: number, local address and port in hexadecimal, ..., drops last.
fn sum(table: &str, ports: &HashSet<u16>) -> u64 {
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut columns = line.split_ascii_whitespace();
            let (_, port) = columns.nth(1)?.rsplit_once(':')?;
            let port = u16::from_str_radix(port, 16).ok()?;
            let drops = columns.next_back()?.parse::<u64>().ok()?;
            ports.contains(&port).then_some(drops)
        })
        .sum()
}
