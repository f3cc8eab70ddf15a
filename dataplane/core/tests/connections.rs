//! Many connections through the public interface: str0m clients against one `Core`.

use bedside_core::{Certificate, Clock, Core, CoreConfig, Datagram, PacketSink, Path};
use bedside_protocol::{Command, DataChannelKind, DataMessage, Event, Policy};
use std::time::Duration;
use str0m::config::DtlsVersion;

#[expect(dead_code, reason = "the unit tests use more of it")]
mod support;
use support::{Kind, WORKER, World, clock, ensure_room, frame, server_address, start};

/// A worker with one room.
fn world() -> (World<Core>, [u8; 32]) {
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
    let mut world = World::new(now, core);
    world.command(ensure_room());
    (world, fingerprint)
}

fn kind(number: usize) -> Kind {
    Kind {
        dtls: [DtlsVersion::Dtls12, DtlsVersion::Dtls13, DtlsVersion::Auto][number % 3],
        opens_channels: number.is_multiple_of(2),
    }
}

fn are_connected(world: &World<Core>) -> bool {
    world
        .clients
        .iter()
        .all(|client| client.is_connected && client.channels.len() == 2)
}

#[test]
fn two_hundred_clients_join_at_once_and_talk() {
    const COUNT: usize = 200;
    let (mut world, fingerprint) = world();
    for number in 0..COUNT {
        world.join(kind(number), fingerprint);
    }
    assert!(world.run_until(Duration::from_secs(20), are_connected));
    world.run(Duration::from_millis(50));
    let connected = world
        .events
        .iter()
        .filter(|event| matches!(event, Event::PeerConnected { .. }))
        .count();
    assert_eq!(connected, COUNT);

    let peers = world.clients.iter().map(|client| client.peer).collect();
    world.command(frame(Command::SendData(DataMessage {
        peers,
        channel: DataChannelKind::Reliable,
        payload: b"welcome".to_vec(),
    })));
    world.run(Duration::from_secs(1));
    for client in &world.clients {
        assert_eq!(client.data, [("_reliable".to_owned(), b"welcome".to_vec())]);
    }
    let statistics = world.server.statistics().transport;
    assert_eq!((statistics.stalled, statistics.closed), (0, 0));
}
