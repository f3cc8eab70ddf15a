//! Prints the CPU time that a datagram of 1,200 bytes costs to send and to receive on loopback.
//!
//! `cargo run --release -p bedside-ring --example ring_cost`
//!
//! One thread sends 64 datagrams from one ring, in messages of 1, 8 or 32, one submission a
//! message, then takes them from another. The loopback device does the receiver's share of the
//! protocol work within the send. The rows "to each of 50" send as many to one socket
//! after the other, all in as few submissions as the slabs allow.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use bedside_ring::{Config, Ring};
use rustix::time::{ClockId, clock_gettime};

const BYTES: usize = 1_200;
const BURST: usize = 64;
const ROUNDS: u32 = 4_000;

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).expect("a time since the start"),
        u32::try_from(time.tv_nsec).expect("below a second"),
    )
}

fn ring() -> Ring {
    let addresses = vec!["127.0.0.1:0".parse().expect("an address")];
    Ring::new(&Config::new(addresses)).unwrap_or_else(|error| panic!("{error}"))
}

fn write(ring: &mut Ring, to: SocketAddr, index: usize) {
    let from = ring.local_addresses()[0];
    let mut outgoing = ring.outgoing();
    let room = outgoing.reserve(from, to, BYTES).expect("a slab is free");
    room.fill(u8::try_from(index % 251).expect("below 251"));
    outgoing.commit(BYTES);
}

fn bursts(per_message: usize) {
    let (mut sender, mut receiver) = (ring(), ring());
    let to = receiver.local_addresses()[0];
    let (mut sending, mut receiving) = (Duration::ZERO, Duration::ZERO);
    let mut sum = 0_u64;
    for _ in 0..ROUNDS {
        let start = cpu();
        for index in 0..BURST {
            write(&mut sender, to, index);
            if (index + 1) % per_message == 0 {
                sender.wait(Some(Duration::ZERO)).expect("the ring works");
            }
        }
        let middle = cpu();
        let mut left = BURST;
        while left > 0 {
            left -= receiver
                .wait(Some(Duration::from_secs(1)))
                .expect("it works")
                .datagrams;
            sum += receiver
                .batch()
                .map(|datagram| u64::from(datagram.payload[0]))
                .sum::<u64>();
        }
        sending += middle - start;
        receiving += cpu() - middle;
    }
    let datagrams = ROUNDS * u32::try_from(BURST).expect("64");
    let enters = receiver.statistics().enters;
    println!(
        "{per_message:>6} a message   send {:>5} ns   receive {:>5} ns   ({:.1} datagrams an enter, checksum {sum})",
        (sending / datagrams).as_nanos(),
        (receiving / datagrams).as_nanos(),
        f64::from(datagrams) / enters as f64,
    );
}

fn spread(run: u32) {
    let mut sender = ring();
    let sinks: Vec<UdpSocket> = (0..50)
        .map(|_| UdpSocket::bind("127.0.0.1:0").expect("a port is free"))
        .collect();
    let addresses: Vec<SocketAddr> = sinks
        .iter()
        .map(|sink| sink.local_addr().expect("it is bound"))
        .collect();
    let rounds = ROUNDS / run;
    let start = cpu();
    for _ in 0..rounds {
        for (index, to) in addresses.iter().enumerate() {
            for _ in 0..run {
                write(&mut sender, *to, index);
            }
        }
        sender.wait(Some(Duration::ZERO)).expect("the ring works");
    }
    let each = (cpu() - start) / (rounds * run * 50);
    println!("{run:>6} to each of 50 send {:>5} ns", each.as_nanos());
}

fn main() {
    for _ in 0..2 {
        for per_message in [1, 8, 32] {
            bursts(per_message);
        }
        for run in [1, 4, 16] {
            spread(run);
        }
    }
}
