//! Desired state: idempotence, generations, refusals.

use super::*;
use bedside_protocol::Peer;

fn by(generation: u64, command: Command) -> CommandFrame {
    CommandFrame {
        generation: Generation(generation),
        room: ROOM,
        worker: WORKER,
        command,
    }
}

fn ensure_peer(peer: &Peer) -> Command {
    Command::EnsurePeer(Box::new(peer.clone()))
}

fn wanted(world: &mut World<Core>) -> Peer {
    world.clients[0].wanted(Kind::default())
}

#[test]
fn a_command_twice_is_a_command_once() {
    let mut world = connected(Kind::default());
    let peer = wanted(&mut world);
    world.events.clear();
    world.command(ensure_room());
    world.command(frame(ensure_peer(&peer)));
    world.command(frame(ensure_peer(&peer)));
    assert!(world.events.is_empty());
    assert_alive(&mut world);
    world.command(frame(Command::RemovePeer { peer: peer.peer }));
    world.command(frame(Command::RemovePeer { peer: peer.peer }));
    assert_eq!(closings(&world), [CloseReason::Removed]);
    world.command(frame(Command::RemoveRoom));
    world.command(frame(Command::RemoveRoom));
    assert_eq!(world.server.rooms().count(), 0);
}

#[test]
fn a_replaced_control_plane_is_not_listened_to() {
    let mut world = connected(Kind::default());
    let peer = world.clients[0].peer;
    world.command(by(2, Command::EnsureRoom));
    world.command(by(1, Command::RemovePeer { peer }));
    world.command(by(1, Command::RemoveRoom));
    assert_eq!(world.server.statistics().stale_commands, 2);
    world.run(Duration::from_secs(1));
    assert!(closings(&world).is_empty());
    assert!(!world.clients[0].is_closed);
}

#[test]
fn a_new_control_plane_learns_what_is_live_and_removes_the_rest() {
    let (mut world, fingerprint) = world(Policy::default());
    for _ in 0..2 {
        world.join(Kind::default(), fingerprint);
    }
    assert!(world.run_until(Duration::from_secs(5), are_connected));
    world.events.clear();

    world.command(by(2, Command::EnsureRoom));
    let peer = wanted(&mut world);
    world.command(by(2, ensure_peer(&peer)));
    assert_eq!(connections(&world).len(), 1, "named by a new generation");
    let opened = Event::DataChannelOpen {
        peer: peer.peer,
        channel: DataChannelKind::Lossy,
    };
    assert!(world.events.contains(&opened));

    world.events.clear();
    world.command(by(2, Command::Reconcile));
    assert_eq!(connections(&world).len(), 1);
    assert_eq!(closings(&world), [CloseReason::Removed]);
    world.run(Duration::from_secs(1));
    assert!(world.clients[1].is_closed);
    assert!(!world.clients[0].is_closed);
}

#[test]
fn a_new_control_plane_learns_who_is_disconnected() {
    let mut world = connected(Kind::default());
    let peer = wanted(&mut world);
    world.weather = Box::new(|_, _, _| Vec::new());
    world.run(Duration::from_secs(15));
    world.events.clear();
    world.command(by(2, ensure_peer(&peer)));
    assert_eq!(connections(&world).len(), 1);
    let disconnected = Event::PeerDisconnected { peer: peer.peer };
    assert_eq!(world.events.last(), Some(&disconnected));
}

#[test]
fn a_room_that_a_new_control_plane_does_not_name_is_removed() {
    let mut world = connected(Kind::default());
    world.command(by(2, Command::Reconcile));
    assert_eq!(closings(&world), [CloseReason::Removed]);
    assert_eq!(world.server.rooms().count(), 0);
}

#[test]
fn a_closed_peer_is_not_made_again() {
    let mut world = connected(Kind::default());
    let peer = wanted(&mut world);
    world.with_client(0, |client| client.rtc.close().unwrap());
    world.run(Duration::from_secs(1));
    world.events.clear();
    world.command(frame(ensure_peer(&peer)));
    assert_eq!(closings(&world), [CloseReason::ClosedByPeer], "told again");
    assert_eq!(world.server.transports.poll_timeout(), None);
    world.command(frame(Command::RemovePeer { peer: peer.peer }));
    assert_eq!(closings(&world).len(), 1, "it was closed already");
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let mut world = connected(Kind::default());
    let peer = wanted(&mut world);
    world.events.clear();

    world.command(CommandFrame {
        worker: WorkerId(9),
        ..frame(Command::EnsureRoom)
    });

    let mut other_certificate = peer.clone();
    other_certificate.remote_fingerprint_sha256[5] ^= 1;
    world.command(frame(ensure_peer(&other_certificate)));

    let mut short_password = peer.clone();
    short_password.local.password = bedside_protocol::Secret::new("short".to_owned());
    world.command(frame(ensure_peer(&short_password)));

    let mut other_peer = peer.clone();
    other_peer.peer = PeerId(77);
    world.command(frame(ensure_peer(&other_peer)));

    let mut other_room = frame(ensure_peer(&peer));
    other_room.room = RoomId(8);
    world.command(other_room);

    other_peer.local = credentials("fresh", "a-password-that-is-long-enough");
    let mut no_room = frame(ensure_peer(&other_peer));
    no_room.room = RoomId(8);
    world.command(no_room);

    assert_eq!(
        refusals(&world),
        [
            ("ensure_room", "there is no such worker"),
            (
                "ensure_peer",
                "the remote fingerprint changed; that is a new peer"
            ),
            ("ensure_peer", "an ICE password has 22 to 256 characters"),
            (
                "ensure_peer",
                "the local user name fragment is another peer's"
            ),
            ("ensure_peer", "the peer is in another room"),
            ("ensure_peer", "there is no such room"),
        ]
    );
    assert_alive(&mut world);
}

#[test]
fn removing_a_peer_in_the_name_of_another_room_does_nothing() {
    let mut world = connected(Kind::default());
    let peer = world.clients[0].peer;
    let mut command = frame(Command::RemovePeer { peer });
    command.room = RoomId(8);
    world.command(command);
    assert_alive(&mut world);
}
