//! Prints the CPU time that a datagram costs to send and to receive on loopback, for each engine
//! side by side.
//!
//! `cargo run --release -p bedside-ring --example ring_cost [-- ROW...]`
//!
//! Rows, all of them if none is named:
//! - `bursts`: 64 datagrams of 1,200 bytes from one ring, in messages of 1, 8 or 32, one submission
//!   a message, then taken by another. The loopback device does the receiver's share of the
//!   protocol work within the send.
//! - `spread`: as many packets to one peer after the other, in as few submissions as the slabs
//!   allow: 1, 50 or 1,000 peers, single packets of 160 bytes (audio) and runs of 8 of 1,200.
//! - `echo`: each of a turn's datagrams comes from another peer and goes to another one, singly, as
//!   in many consults of two; received and sent by one ring, the peers' own time not counted.
//! - `gather`: a ring answers 50,000 datagrams a second, each in its time, and waits up to so many
//!   microseconds for more before it takes what came.
//!
//! Each figure is the median of five rounds; rounds of the engines alternate.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]
#![expect(
    clippy::disallowed_methods,
    reason = "an edge: it measures time, and sleeps to see what sleeping costs"
)]

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bedside_ring::{Config, Engine, Ring};
use rustix::net::sockopt::set_socket_recv_buffer_size;
use rustix::time::{ClockId, clock_gettime};

const ROUNDS: usize = 5;

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).expect("a time since the start"),
        u32::try_from(time.tv_nsec).expect("below a second"),
    )
}

fn ring(engine: Engine) -> Ring {
    let addresses = vec!["127.0.0.1:0".parse().expect("an address")];
    let config = Config {
        engine,
        receive_buffers: 512,
        ..Config::new(addresses)
    };
    Ring::new(&config).unwrap_or_else(|error| panic!("{error}"))
}

fn write(ring: &mut Ring, to: SocketAddr, bytes: usize) {
    let from = ring.local_addresses()[0];
    let mut outgoing = ring.outgoing();
    let room = outgoing.reserve(from, to, bytes).expect("a slab is free");
    room.fill(1);
    outgoing.commit(bytes);
}

/// Prints a row: `measure` once a round for each engine, each column's median.
fn row<const N: usize>(name: &str, columns: [&str; N], measure: impl Fn(Engine) -> [f64; N]) {
    let mut all = Engine::ALL.map(|_| [const { Vec::new() }; N]);
    for _ in 0..ROUNDS {
        for (engine, values) in Engine::ALL.into_iter().zip(&mut all) {
            for (values, value) in values.iter_mut().zip(measure(engine)) {
                values.push(value);
            }
        }
    }
    let medians = all.map(|values| {
        values.map(|mut values: Vec<f64>| {
            values.sort_by(f64::total_cmp);
            values[ROUNDS / 2]
        })
    });
    for (index, column) in columns.into_iter().enumerate() {
        let [uring, epoll] = [medians[0][index], medians[1][index]];
        println!(
            "{name:<34} {column:<14} io_uring {uring:>7.0}   epoll {epoll:>7.0}   ratio {:.2}",
            uring / epoll
        );
    }
}

fn per(time: Duration, count: usize) -> f64 {
    time.as_secs_f64() * 1e9 / count as f64
}

const BURST: usize = 64;

fn bursts(engine: Engine, per_message: usize) -> [f64; 2] {
    const BURSTS: usize = 800;
    let (mut sender, mut receiver) = (ring(engine), ring(engine));
    let to = receiver.local_addresses()[0];
    let (mut sending, mut receiving) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..BURSTS {
        let start = cpu();
        for index in 0..BURST {
            write(&mut sender, to, 1_200);
            if (index + 1) % per_message == 0 {
                sender.wait(Some(Duration::ZERO)).expect("the ring works");
            }
        }
        let middle = cpu();
        let mut left = BURST;
        while left > 0 {
            let wakeup = receiver.wait(Some(Duration::from_secs(1)));
            left -= wakeup.expect("the ring works").datagrams;
        }
        sending += middle - start;
        receiving += cpu() - middle;
    }
    [per(sending, BURSTS * BURST), per(receiving, BURSTS * BURST)]
}

/// Sockets that nobody reads: what does not fit into their small buffers is dropped.
fn sinks(count: usize) -> Vec<UdpSocket> {
    let sink = |_| {
        let sink = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
        set_socket_recv_buffer_size(&sink, 2_304).expect("a small buffer");
        sink
    };
    (0..count).map(sink).collect()
}

fn addresses(sockets: &[UdpSocket]) -> Vec<SocketAddr> {
    let address = |socket: &UdpSocket| socket.local_addr().expect("it is bound");
    sockets.iter().map(address).collect()
}

fn spread(engine: Engine, to: &[SocketAddr], bytes: usize, run: usize) -> [f64; 1] {
    let turns = 1 + 60_000 / (run * to.len());
    let mut sender = ring(engine);
    let start = cpu();
    for _ in 0..turns {
        for to in to {
            for _ in 0..run {
                write(&mut sender, *to, bytes);
            }
        }
        sender.wait(Some(Duration::ZERO)).expect("the ring works");
    }
    [per(cpu() - start, turns * run * to.len())]
}

fn echo(engine: Engine, peers: &[UdpSocket], a_turn: usize) -> [f64; 1] {
    const DATAGRAMS: usize = 40_000;
    let mut server = ring(engine);
    let address = server.local_addresses()[0];
    let to = addresses(peers);
    let mut time = Duration::ZERO;
    let (mut next, mut answered) = (0, 0);
    while answered < DATAGRAMS {
        for _ in 0..a_turn {
            let peer = &peers[next % peers.len()];
            next += 1;
            peer.send_to(&[1; 160], address).expect("loopback takes it");
        }
        let start = cpu();
        let before = answered;
        while answered < before + a_turn {
            server.wait(None).expect("the ring works");
            let (batch, mut outgoing) = server.split();
            for datagram in batch {
                let to = to[(next + answered * 7) % to.len()];
                let room = outgoing.reserve(datagram.local, to, 160);
                room.expect("a slab is free")
                    .copy_from_slice(datagram.payload);
                outgoing.commit(160);
                answered += 1;
            }
        }
        server.wait(Some(Duration::ZERO)).expect("the ring works");
        time += cpu() - start;
    }
    [per(time, answered)]
}

/// CPU time a datagram, and how long the median datagram lay before it was taken, in nanoseconds.
fn gather(engine: Engine, gather: Duration) -> [f64; 3] {
    const EVERY: Duration = Duration::from_micros(20);
    const DATAGRAMS: usize = 20_000;
    let mut server = ring(engine);
    let address = server.local_addresses()[0];
    let start = Instant::now();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let sender = std::thread::spawn(move || {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
        let mut due = start;
        while !stopped.load(Ordering::Relaxed) {
            due += EVERY;
            while Instant::now() < due {
                std::hint::spin_loop();
            }
            let nanoseconds = u64::try_from(due.duration_since(start).as_nanos());
            let mut payload = [0; 160];
            payload[..8].copy_from_slice(&nanoseconds.expect("a short time").to_ne_bytes());
            socket
                .send_to(&payload, address)
                .expect("loopback takes it");
        }
    });
    let sink = sinks(1);
    let to = addresses(&sink)[0];
    let mut late = Vec::with_capacity(2 * DATAGRAMS);
    let mut turns = 0_usize;
    let before = cpu();
    while late.len() < DATAGRAMS {
        if !gather.is_zero() {
            // What the worker would do: sleep, and leave what comes meanwhile in the socket.
            std::thread::sleep(gather);
        }
        server.wait(None).expect("the ring works");
        turns += 1;
        let now = start.elapsed();
        let (batch, mut outgoing) = server.split();
        for datagram in batch {
            let due = datagram.payload[..8].try_into().expect("eight bytes");
            late.push(now.saturating_sub(Duration::from_nanos(u64::from_ne_bytes(due))));
            let room = outgoing.reserve(datagram.local, to, 160);
            room.expect("a slab is free")
                .copy_from_slice(datagram.payload);
            outgoing.commit(160);
        }
    }
    let time = cpu() - before;
    stop.store(true, Ordering::Relaxed);
    sender.join().expect("it ends");
    late.sort_unstable();
    let median = late[late.len() / 2];
    [
        per(time, late.len()),
        median.as_secs_f64() * 1e9,
        late.len() as f64 / turns as f64,
    ]
}

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let wants = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
    println!("ns of CPU for each datagram");
    if wants("bursts") {
        for per_message in [1, 8, 32] {
            let name = format!("bursts, {per_message} a message");
            row(&name, ["send", "receive"], |engine| {
                bursts(engine, per_message)
            });
        }
    }
    if wants("spread") {
        for peers in [1, 50, 1_000] {
            let sinks = sinks(peers);
            let to = addresses(&sinks);
            for (bytes, run) in [(160, 1), (1_200, 1), (1_200, 8)] {
                let name = format!("spread, {peers} peers, {run} x {bytes} bytes");
                row(&name, ["send"], |engine| spread(engine, &to, bytes, run));
            }
        }
    }
    if wants("echo") {
        for (peers, a_turn) in [(50, 1), (50, 20), (1_000, 20), (1_000, 60)] {
            let peers = sinks(peers);
            let name = format!("echo, {} peers, {a_turn} a turn", peers.len());
            row(&name, ["both"], |engine| echo(engine, &peers, a_turn));
        }
    }
    if wants("gather") {
        for microseconds in [0, 100, 250, 500] {
            let name = format!("gather, {microseconds} us");
            let columns = ["both", "median late", "datagrams/turn"];
            let time = Duration::from_micros(microseconds);
            row(&name, columns, |engine| gather(engine, time));
        }
    }
}
