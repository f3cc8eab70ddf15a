//! A worker against str0m clients, in virtual time.

use super::*;
use crate::Path;
use crate::transport::tests::support;
use bedside_protocol::{
    CloseReason, CommandFrame, DataChannelKind, DataMessage, DtlsVersion, PeerId, SrtpProfile,
    WorkerId,
};
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use support::{Kind, ROOM, WORKER, World, clock, credentials, ensure_room, frame, start};

mod attacks;
mod churn;
mod commands;
mod connections;
mod data;
mod gate;
mod hostile_sctp;

fn core(now: Instant, policy: Policy) -> (Core, [u8; 32]) {
    let certificate = Certificate::generate().unwrap();
    let fingerprint = certificate.fingerprint_sha256();
    let core = Core::new(CoreConfig {
        worker: WORKER,
        addresses: vec![support::server_address()],
        policy,
        certificate,
        seed: [5; 32],
        clock: clock(now),
    });
    (core, fingerprint)
}

/// A worker with a room, and what clients must expect its certificate to be.
fn world(policy: Policy) -> (World<Core>, [u8; 32]) {
    let now = start();
    let (core, fingerprint) = core(now, policy);
    let mut world = World::new(now, core);
    world.command(ensure_room());
    (world, fingerprint)
}

/// A worker with one client that is connected, its channels open.
fn connected(kind: Kind) -> World<Core> {
    let (mut world, fingerprint) = world(Policy::default());
    world.join(kind, fingerprint);
    assert!(world.run_until(Duration::from_secs(5), are_connected));
    // Channels that we opened are ours to write on once the client has confirmed them.
    world.run(Duration::from_millis(50));
    world
}

/// Whether all clients are connected and their channels open.
fn are_connected(world: &World<Core>) -> bool {
    world
        .clients
        .iter()
        .all(|client| client.is_connected && client.channels.len() == 2)
}

/// Whether the only client can still send and be sent messages.
fn assert_alive(world: &mut World<Core>) {
    let peer = world.clients[0].peer;
    world.events.clear();
    world.clients[0].data.clear();
    assert!(world.with_client(0, |client| client.write("_reliable", b"up")));
    world.command(send(&[peer], DataChannelKind::Reliable, b"down"));
    world.run(Duration::from_secs(2));
    assert_eq!(
        world.clients[0].data,
        [("_reliable".to_owned(), b"down".to_vec())]
    );
    assert!(world.events.contains(&Event::Data {
        peer,
        channel: DataChannelKind::Reliable,
        payload: b"up".to_vec(),
    }));
}

fn send(peers: &[PeerId], channel: DataChannelKind, payload: &[u8]) -> CommandFrame {
    frame(Command::SendData(DataMessage {
        peers: peers.to_vec(),
        channel,
        payload: payload.to_vec(),
    }))
}

/// Why peers were closed, in order.
fn closings(world: &World<Core>) -> Vec<CloseReason> {
    world
        .events
        .iter()
        .filter_map(|event| match event {
            Event::PeerClosed { reason, .. } => Some(*reason),
            _ => None,
        })
        .collect()
}

/// Where the control plane was told that peers are, in order.
fn connections(world: &World<Core>) -> Vec<(DtlsVersion, SrtpProfile, SocketAddr)> {
    world
        .events
        .iter()
        .filter_map(|event| match event {
            Event::PeerConnected {
                dtls,
                srtp,
                remote_address,
                ..
            } => Some((*dtls, *srtp, *remote_address)),
            _ => None,
        })
        .collect()
}

/// Why commands were refused, in order.
fn refusals(world: &World<Core>) -> Vec<(&str, &str)> {
    world
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Refused { command, reason } => Some((command.as_str(), reason.as_str())),
            _ => None,
        })
        .collect()
}

#[test]
fn the_media_list_keeps_its_memory() {
    let media: Vec<MediaDatagram<'_>> = Vec::with_capacity(100);
    let place = media.as_ptr().cast::<u8>();
    let again: Vec<MediaDatagram<'static>> = reuse(media);
    assert!(again.is_empty() && again.capacity() == 100);
    assert_eq!(again.as_ptr().cast::<u8>(), place);
}

#[test]
fn what_is_no_protocol_of_ours_is_counted() {
    let (mut world, _) = world(Policy::default());
    let stranger = SocketAddr::from(([192, 0, 2, 77], 1));
    for (bytes, count) in [
        (vec![64, 0, 0, 0], 1_u64),
        (vec![255; 40], 2),
        (vec![], 3),
        (vec![22; 40], 4),
        (vec![0x80; 40], 5),
        (vec![0x80, 200, 0, 0, 0, 0, 0, 0], 6),
        (vec![0; 40], 7),
    ] {
        world.inject(stranger, &bytes);
        let statistics = world.server.statistics();
        let dropped = statistics.dropped_turn_channel
            + statistics.dropped_unknown
            + statistics.transport.unknown_path
            + statistics.transport.stun_malformed;
        assert_eq!(dropped, count, "{bytes:?}");
    }
    assert!(world.events.is_empty());
}
