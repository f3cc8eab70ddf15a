//! What passes before a peer is admitted, and what follows when it is.

use super::*;
use crate::transport::limits::MESSAGES_BEFORE_ADMISSION_BYTES_MAX;

/// A worker with one client that is connected, its channels open, and not admitted.
fn waiting() -> World<Core> {
    let (mut world, fingerprint) = world(Policy::default());
    world.admits = false;
    world.join(Kind::default(), fingerprint);
    assert!(world.run_until(Duration::from_secs(5), are_connected));
    world.run(Duration::from_millis(50));
    world
}

fn admit(world: &mut World<Core>) {
    let peer = world.clients[0].peer;
    world.command(frame(Command::AdmitPeer { peer }));
}

#[test]
fn messages_wait_for_admission_and_come_in_order() {
    let mut world = waiting();
    let peer = world.clients[0].peer;
    for text in ["one", "two"] {
        assert!(world.with_client(0, |client| client.write("_reliable", text.as_bytes())));
    }
    world.command(send(&[peer], DataChannelKind::Reliable, b"too early"));
    world.run(Duration::from_millis(500));
    assert_eq!(connections(&world).len(), 1);
    assert_eq!(world.events.len(), 1, "nothing but the connection was told");
    assert!(world.clients[0].data.is_empty());
    assert_eq!(world.server.statistics().transport.data_without_channel, 1);

    world.events.clear();
    admit(&mut world);
    let channel = DataChannelKind::Reliable;
    let data = |text: &str| Event::Data {
        peer,
        channel,
        payload: text.as_bytes().to_vec(),
    };
    let open = |channel| Event::DataChannelOpen { peer, channel };
    assert_eq!(
        world.events,
        [
            open(DataChannelKind::Reliable),
            open(DataChannelKind::Lossy),
            data("one"),
            data("two")
        ]
    );
    assert_alive(&mut world);
    world.events.clear();
    admit(&mut world);
    assert!(world.events.is_empty(), "twice is once");
}

#[test]
fn what_waits_is_bounded() {
    let mut world = waiting();
    let message = vec![7; 60_000];
    for _ in 0..4 {
        assert!(world.with_client(0, |client| client.write("_reliable", &message)));
        world.run(Duration::from_secs(2));
    }
    let kept = MESSAGES_BEFORE_ADMISSION_BYTES_MAX / message.len();
    let dropped = world.server.statistics().transport.data_before_admission;
    assert_eq!(dropped, 4 - kept as u64);
    world.events.clear();
    admit(&mut world);
    let data = world.events.iter();
    let data = data.filter(|event| matches!(event, Event::Data { .. }));
    assert_eq!(data.count(), kept);
}

#[test]
fn only_a_connected_peer_of_the_room_can_be_admitted() {
    let (mut world, fingerprint) = world(Policy::default());
    world.admits = false;
    world.join(Kind::default(), fingerprint);
    admit(&mut world);
    let unknown = PeerId(99);
    world.command(frame(Command::AdmitPeer { peer: unknown }));
    assert_eq!(
        refusals(&world),
        [
            ("admit_peer", "the peer has not connected"),
            ("admit_peer", "the peer is not in the room")
        ]
    );
    assert!(world.run_until(Duration::from_secs(5), are_connected));
    let peer = world.clients[0].peer;
    let statistics = world.server.statistics().forwarder;
    assert_eq!(statistics.sent_rtcp, 0);
    // Of one that is gone, the control plane has been told.
    world.with_client(0, |client| drop(client.rtc.close()));
    world.run(Duration::from_millis(100));
    world.events.clear();
    world.command(frame(Command::AdmitPeer { peer }));
    assert!(world.events.is_empty());
}

#[test]
fn admission_lasts_through_a_restart_of_ice_and_a_new_control_plane() {
    let mut world = waiting();
    admit(&mut world);
    let server = credentials("again", "password-after-restart-1");
    let mut wanted = world.clients[0].wanted(Kind::default());
    wanted.local = server.clone();
    world.command(frame(Command::EnsurePeer(Box::new(wanted.clone()))));
    let remote = world.with_client(0, |client| client.restart_ice(&server));
    wanted.remote = remote;
    world.run(Duration::from_secs(2));
    assert_alive(&mut world);
    for command in [
        Command::EnsureRoom,
        Command::EnsurePeer(Box::new(wanted)),
        Command::Reconcile,
    ] {
        world.command(CommandFrame {
            generation: Generation(2),
            ..frame(command)
        });
    }
    world.events.clear();
    assert!(world.with_client(0, |client| client.write("_reliable", b"up")));
    world.run(Duration::from_millis(500));
    let data = world.events.iter();
    let data = data.filter(|event| matches!(event, Event::Data { .. }));
    assert_eq!(data.count(), 1);
}

#[test]
fn one_that_moved_and_fell_silent_before_it_was_admitted_is_found_where_it_is() {
    let mut world = waiting();
    let own = world.clients[0].address;
    let moved = SocketAddr::from(([203, 0, 113, 77], 20_000));
    world.translation.insert(own, moved);
    world.run(Duration::from_secs(8));
    admit(&mut world);
    let peer = world.clients[0].peer;
    let addresses: Vec<_> = connections(&world)
        .into_iter()
        .map(|(_, _, address)| address)
        .collect();
    assert_eq!(addresses, [own, moved]);
    world.command(send(&[peer], DataChannelKind::Reliable, b"here"));
    world.run(Duration::from_secs(1));
    assert_eq!(world.clients[0].data.len(), 1);
}
