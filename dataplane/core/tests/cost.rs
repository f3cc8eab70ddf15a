//! What connections cost. Prints; `docs/internals/transport.md` says what was found:
//! `cargo test --release -p bedside-core --test cost -- --ignored --nocapture`.

use bedside_core::{Certificate, Clock, Core, CoreConfig, Datagram, PacketSink, Path};
use bedside_protocol::{Command, DataChannelKind, DataMessage, Event, Generation, PeerId, Policy};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};
use str0m::config::DtlsVersion;

#[expect(dead_code, reason = "the unit tests use more of it")]
mod support;
use support::{
    Client, Kind, Outgoing, Server, WORKER, World, clock, ensure_room, frame, server_address, start,
};

/// A worker whose calls are timed.
struct Timed {
    core: Core,
    /// Of every call, in order.
    times: Vec<Duration>,
}

impl Timed {
    fn time(&mut self, work: impl FnOnce(&mut Core)) {
        let before = thread_time();
        work(&mut self.core);
        self.times.push(thread_time() - before);
    }
}

impl Server for Timed {
    fn receive(&mut self, now: Instant, path: Path, datagram: &mut [u8], sink: &mut Outgoing) {
        self.time(|core| core.receive(now, path, datagram, sink));
    }

    fn timeout(&mut self, now: Instant, sink: &mut Outgoing) {
        self.time(|core| core.timeout(now, sink));
    }

    fn due(&self) -> Option<Instant> {
        self.core.due()
    }

    fn take_event(&mut self) -> Option<Event> {
        self.core.take_event()
    }

    fn admit(&mut self, now: Instant, by: Generation, peer: PeerId, sink: &mut Outgoing) {
        self.time(|core| core.admit(now, by, peer, sink));
    }
}

fn world() -> (World<Timed>, [u8; 32]) {
    let now = start();
    let certificate = Certificate::generate().expect("the module works");
    let fingerprint = certificate.fingerprint_sha256();
    let core = Core::new(CoreConfig {
        worker: WORKER,
        addresses: vec![server_address()],
        policy: Policy::default(),
        certificate,
        seed: [3; 32],
        clock: clock(now),
    });
    let times = Vec::new();
    let mut world = World::new(now, Timed { core, times });
    world.with_server(|server, now, sink| server.core.handle_command(now, ensure_room(), sink));
    (world, fingerprint)
}

fn join(world: &mut World<Timed>, number: u16, kind: Kind, fingerprint: [u8; 32]) {
    let mut client = Client::new(number, kind, world.now);
    let wanted = client.wanted(kind);
    client.start(kind, fingerprint);
    world.clients.push(client);
    let command = frame(Command::EnsurePeer(Box::new(wanted)));
    world.with_server(|server, now, sink| {
        server.time(|core| core.handle_command(now, command, sink));
    });
}

fn are_connected(world: &World<Timed>) -> bool {
    world
        .clients
        .iter()
        .all(|client| client.is_connected && client.channels.len() == 2)
}

/// Processor time of this thread: the machine does other things too.
fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).expect("not negative")
}

/// Resident memory of this process, bytes.
fn resident_bytes() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages = statm.split(' ').nth(1).expect("the second number");
    4_096.0 * pages.parse::<f64>().expect("a number")
}

#[test]
#[ignore = "it measures"]
fn what_a_connection_costs() {
    const COUNT: u16 = 200;
    for dtls in [DtlsVersion::Dtls12, DtlsVersion::Dtls13] {
        let kind = Kind {
            dtls,
            ..Kind::default()
        };
        let (mut world, fingerprint) = world();
        for number in 1..=COUNT {
            join(&mut world, number, kind, fingerprint);
        }
        let made: Duration = world.server.times.drain(..).sum();
        assert!(world.run_until(Duration::from_secs(10), are_connected));
        let times = &mut world.server.times;
        let total: Duration = times.iter().sum();
        times.sort();
        let at = |share: usize| times[(times.len() - 1) * share / 100];
        println!(
            "{dtls}: {:?} to make, {:?} to connect in {} calls; \
             a call takes p50 {:?}, p90 {:?}, p99 {:?}, at most {:?}",
            made / u32::from(COUNT),
            total / u32::from(COUNT),
            times.len() / usize::from(COUNT),
            at(50),
            at(90),
            at(99),
            at(100),
        );
    }
}

/// Everybody's first flight in one wake-up: how long the worker's media would wait.
#[test]
#[ignore = "it measures"]
fn what_a_join_storm_stalls() {
    const COUNT: u16 = 200;
    let (mut world, fingerprint) = world();
    for number in 1..=COUNT {
        join(&mut world, number, Kind::default(), fingerprint);
    }
    // Everything but the first flight of DTLS passes.
    let held = Rc::new(RefCell::new(BTreeMap::new()));
    let keep = Rc::clone(&held);
    world.weather = Box::new(move |source, _, bytes: Vec<u8>| {
        if bytes[0] < 4 {
            return vec![bytes];
        }
        keep.borrow_mut().entry(source).or_insert(bytes);
        Vec::new()
    });
    let all = |_: &World<Timed>| held.borrow().len() == usize::from(COUNT);
    assert!(world.run_until(Duration::from_secs(2), all));
    world.run(Duration::from_millis(20));
    world.server.times.clear();
    let mut flights = held.take();
    let now = world.now;
    let mut batch: Vec<_> = flights
        .iter_mut()
        .map(|(source, bytes)| Datagram {
            path: Path {
                local: server_address(),
                remote: *source,
            },
            payload: bytes,
        })
        .collect();
    let datagrams = batch.len();
    let mut sink = Outgoing::default();
    world
        .server
        .time(|core| core.handle_batch(now, &mut batch, &mut sink));
    let mut calls = 1;
    while world.server.due().is_some_and(|due| due <= now) {
        world.server.timeout(now, &mut sink);
        calls += 1;
    }
    let times = &world.server.times;
    println!(
        "{datagrams} first flights in one wake-up: {:?} in {calls} calls, the longest {:?}",
        times.iter().sum::<Duration>(),
        times.iter().max().expect("there were calls"),
    );
}

/// What arrives all the time, and what a flood would send.
#[test]
#[ignore = "it measures"]
fn what_a_datagram_costs() {
    const ROUNDS: u32 = 100_000;
    let (mut world, fingerprint) = world();
    let check = Rc::new(RefCell::new(Vec::new()));
    let keep = Rc::clone(&check);
    world.weather = Box::new(move |_, destination, bytes: Vec<u8>| {
        if bytes[0] < 4 && destination == server_address() {
            keep.replace(bytes.clone());
        }
        vec![bytes]
    });
    join(&mut world, 1, Kind::default(), fingerprint);
    assert!(world.run_until(Duration::from_secs(10), are_connected));
    let check = check.take();
    let client = world.clients[0].address;
    let stranger = SocketAddr::from(([192, 0, 2, 66], 6_666));
    let mut unknown_name = check.clone();
    unknown_name[24] ^= 1;
    let mut wrong_password = check.clone();
    let last = wrong_password.len() - 9;
    wrong_password[last] ^= 1;
    for (what, source, datagram) in [
        ("a check", client, check),
        ("a check with a wrong integrity", stranger, wrong_password),
        ("a check for an unknown name", stranger, unknown_name),
        ("STUN that is none", stranger, vec![0; 100]),
        ("media from a stranger", stranger, vec![0x80; 100]),
    ] {
        let path = Path {
            local: server_address(),
            remote: source,
        };
        let (now, mut sink) = (world.now, Outgoing::default());
        world.server.times.clear();
        for _ in 0..ROUNDS / 100 {
            let mut payloads = vec![datagram.clone(); 100];
            let mut batch: Vec<_> = payloads
                .iter_mut()
                .map(|payload| Datagram { path, payload })
                .collect();
            world
                .server
                .time(|core| core.handle_batch(now, &mut batch, &mut sink));
            sink.sent.clear();
        }
        println!(
            "{what}: {:?}",
            world.server.times.iter().sum::<Duration>() / ROUNDS
        );
    }
}

/// A message to everybody in a room, in one command.
#[test]
#[ignore = "it measures"]
fn what_a_message_to_many_costs() {
    const COUNT: u16 = 200;
    let (mut world, fingerprint) = world();
    for number in 1..=COUNT {
        join(&mut world, number, Kind::default(), fingerprint);
    }
    assert!(world.run_until(Duration::from_secs(10), are_connected));
    world.run(Duration::from_millis(50));
    world.server.times.clear();
    for size_bytes in [100, 1_000, 15_000] {
        let command = frame(Command::SendData(DataMessage {
            peers: world.clients.iter().map(|client| client.peer).collect(),
            channel: DataChannelKind::Reliable,
            payload: vec![1; size_bytes],
        }));
        world.with_server(|server, now, sink| {
            server.time(|core| core.handle_command(now, command, sink));
        });
        let time = world.server.times.pop().expect("it was timed");
        println!("{size_bytes} bytes to {COUNT}: {time:?}");
        world.run(Duration::from_secs(1));
        world.server.times.clear();
    }
}

#[test]
#[ignore = "it measures"]
fn what_an_idle_transport_costs() {
    const BATCH: u16 = 50;
    const BATCHES: u16 = 18;
    let mut before = 0.0;
    let (mut world, fingerprint) = world();
    // The clients' memory comes from the first batch and is used again by the others.
    for batch in 0..=BATCHES {
        for number in 1..=BATCH {
            join(
                &mut world,
                batch * BATCH + number,
                Kind::default(),
                fingerprint,
            );
        }
        assert!(world.run_until(Duration::from_secs(10), are_connected));
        world.clients.clear();
        if batch == 0 {
            before = resident_bytes();
        }
    }
    let count = f64::from(BATCH * BATCHES);
    println!(
        "{:.1} KiB for each transport",
        (resident_bytes() - before) / count / 1_024.0
    );

    world.server.times.clear();
    let time = Duration::from_secs(8);
    world.run(time);
    let spent: Duration = world.server.times.iter().sum();
    println!(
        "{:.2} us a second for each silent one",
        spent.as_secs_f64() * 1e6 / count / time.as_secs_f64(),
    );
}
