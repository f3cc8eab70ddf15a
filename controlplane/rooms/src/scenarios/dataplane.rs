//! The data plane comes, goes, and comes back; the control plane does too.

use super::*;
use bedside_protocol::{BootId, WorkerId};
use proto::{DisconnectReason, leave_request::Action};

/// Two people who hear and see each other.
fn consult(mode: Mode) -> (World, Who, Who) {
    let mut world = World::new();
    let doctor = world.join("doctor", mode);
    let patient = world.join("patient", mode);
    world.publish(doctor, Kind::Audio, "doctor-mic");
    world.publish(patient, Kind::Video, "patient-camera");
    (world, doctor, patient)
}

/// What a server does after `kill -9`: everything but the stored snapshots is lost.
pub(super) fn restart(world: &mut World, seed: u8) {
    let stored: Vec<crate::Snapshot> = world
        .stored
        .values()
        .map(|snapshot| {
            let json = serde_json::to_string(snapshot).unwrap();
            serde_json::from_str(&json).unwrap()
        })
        .collect();
    world.rooms = Rooms::restore(Config::default(), [seed; 32], world.now, stored);
    for client in &mut world.clients {
        client.closed.get_or_insert(CloseHow::Abrupt);
    }
    world.drain();
}

#[test]
fn a_new_connection_is_told_everything_and_then_to_reconcile() {
    let (mut world, ..) = consult(Mode::V1);
    let room = world.room();
    let before = world.held().clone();
    world.input(Input::Dataplane(DataplaneInput::Disconnected));
    world.plane = Plane::default();
    let stranger = RoomId(99);
    world.plane.rooms.insert(stranger, plane::Held::default());
    world.plane.rooms.insert(
        room,
        plane::Held {
            worker: before.worker,
            ..plane::Held::default()
        },
    );
    let mut welcome = Plane::welcome(1, 2);
    welcome.workers[0].rooms = vec![room, stranger];
    world.input(Input::Dataplane(DataplaneInput::Connected(welcome)));
    assert_eq!(*world.held(), before);
    assert!(world.plane.reconciled.contains(&(room, WorkerId(0))));
    assert!(
        !world.plane.rooms.contains_key(&stranger),
        "unknown rooms go"
    );
}

#[test]
fn changes_while_no_data_plane_is_connected_are_made_up_for() {
    let (mut world, _, patient) = consult(Mode::V1);
    world.input(Input::Dataplane(DataplaneInput::Disconnected));
    let commands = world.plane.commands;
    world.ask(patient, Ask::Leave(proto::LeaveRequest::default()));
    world.settle();
    assert_eq!(
        world.plane.commands, commands,
        "nothing is sent into the void"
    );
    let stale = world.plane.rooms.clone();
    world.plane.rooms.values_mut().for_each(|held| {
        *held = plane::Held {
            worker: held.worker,
            ..plane::Held::default()
        };
    });
    world.connect_dataplane(1);
    let held = world.held();
    assert_eq!((held.peers.len(), held.tracks.len()), (1, 1));
    assert!(stale[&world.room()].peers.len() == 2);
}

#[test]
fn another_boot_means_that_everyone_has_to_come_anew() {
    let (mut world, doctor, patient) = consult(Mode::V0);
    world.input(Input::Dataplane(DataplaneInput::Disconnected));
    world.plane = Plane::default();
    let mut welcome = Plane::welcome(2, 1);
    welcome.fingerprint_sha256 = [9; 32];
    world.input(Input::Dataplane(DataplaneInput::Connected(welcome)));
    for who in [doctor, patient] {
        let leave = &world.clients[who].leaves()[0];
        assert_eq!(leave.action, Action::Reconnect as i32);
        assert_eq!(world.clients[who].closed, Some(CloseHow::Normal));
    }
    assert_eq!(world.rooms.status().dataplane, Some(BootId(2)));
    assert_eq!(world.rooms.status().rooms, 1, "the room itself stays");
    let again = world.join("doctor", Mode::V0);
    assert!(world.clients[again].description.contains("09:09:09"));
    assert_eq!(world.held().worker, Some(WorkerId(0)));
}

#[test]
fn a_killed_control_plane_is_replaced_and_the_call_goes_on() {
    for mode in [Mode::V1, Mode::V0] {
        let (mut world, doctor, patient) = consult(mode);
        let before = world.held().clone();
        let (doctor_sid, patient_sid) = (
            world.clients[doctor].sid.clone(),
            world.clients[patient].sid.clone(),
        );
        restart(&mut world, 2);
        assert_eq!(world.rooms.status().participants, 2);
        assert_eq!(world.rooms.status().sessions, 0);
        world.plane.rooms.values_mut().for_each(|held| {
            *held = plane::Held {
                worker: held.worker,
                ..plane::Held::default()
            };
        });
        world.connect_dataplane(1);
        assert_eq!(
            *world.held(),
            before,
            "the same desired state, to the letter"
        );
        world.connect_peers();
        world.pass_ms(3_000);
        for who in [doctor, patient] {
            let identity = if who == doctor { "doctor" } else { "patient" };
            world.resume(who, claims(identity), None);
            assert!(matches!(
                world.clients[who].received[0],
                Message::Reconnect(_)
            ));
        }
        assert_eq!(world.clients[doctor].sid, doctor_sid);
        let camera = world.publish(patient, Kind::Video, "patient-screen");
        assert!(world.hears(doctor).contains(&camera));
        assert!(world.clients[patient].knows(&doctor_sid));
        assert!(world.clients[doctor].knows(&patient_sid));
        world.pass_ms(60_000);
        assert_eq!(world.rooms.status().participants, 2);
    }
}

#[test]
fn restored_participants_who_do_not_come_back_are_removed() {
    let (mut world, ..) = consult(Mode::V1);
    world.pass_ms(1_000_000);
    restart(&mut world, 2);
    world.connect_dataplane(1);
    world.connect_peers();
    world.pass_ms(14_900);
    assert_eq!(world.rooms.status().participants, 2, "a fresh timer");
    world.pass_ms(5_200);
    assert_eq!(world.rooms.status().participants, 0);
    world.pass_ms(21_000);
    assert!(world.plane.rooms.is_empty() && world.stored.is_empty());
}

#[test]
fn restoring_what_was_stored_gives_the_same_room_again() {
    for mode in [Mode::V1, Mode::V0] {
        let (world, ..) = consult(mode);
        let sid = world.stored.keys().next().unwrap().clone();
        let json = |rooms: &Rooms| serde_json::to_value(rooms.snapshot(&sid).unwrap()).unwrap();
        let mut first = World {
            rooms: Rooms::restore(
                Config::default(),
                [3; 32],
                world.now,
                vec![world.stored[&sid].clone()],
            ),
            ..World::new()
        };
        first.drain();
        let second = Rooms::restore(
            Config::default(),
            [4; 32],
            world.now,
            vec![first.rooms.snapshot(&sid).unwrap()],
        );
        assert_eq!(json(&first.rooms), json(&second));
    }
}

#[test]
fn every_change_that_matters_is_stored() {
    let (world, ..) = consult(Mode::V1);
    let sid = world.stored.keys().next().unwrap();
    assert_eq!(
        serde_json::to_value(&world.stored[sid]).unwrap(),
        serde_json::to_value(world.rooms.snapshot(sid).unwrap()).unwrap(),
        "the last stored snapshot is the state"
    );
}

#[test]
fn transports_that_did_not_survive_are_found_out() {
    let (mut world, doctor, patient) = consult(Mode::V1);
    world.input(Input::Dataplane(DataplaneInput::Disconnected));
    world.connect_dataplane(1);
    let (room, peer) = (world.room(), world.peer(doctor));
    world.event(room, connected(peer));
    world.pass_ms(11_000);
    assert!(world.clients[doctor].leaves().is_empty());
    let leave = &world.clients[patient].leaves()[0];
    assert_eq!(leave.action, Action::Reconnect as i32);
}

#[test]
fn a_lost_transport_means_reconnecting_and_then_leaving() {
    for reason in [CloseReason::IceTimeout, CloseReason::DtlsFailed] {
        let (mut world, _, patient) = consult(Mode::V1);
        let (room, peer) = (world.room(), world.peer(patient));
        world.event(room, closed(peer, reason));
        let leave = &world.clients[patient].leaves()[0];
        assert_eq!(leave.reason, DisconnectReason::ConnectionTimeout as i32);
        assert_eq!(leave.action, Action::Reconnect as i32);
        world.resume(patient, claims("patient"), None);
        assert_eq!(
            world.clients[patient].leaves()[0].action,
            Action::Reconnect as i32,
            "resuming is no use"
        );
        world.pass_ms(5_100);
        assert_eq!(world.rooms.status().participants, 1);
        assert_eq!(world.held().peers.len(), 1);
    }
}

#[test]
fn whoever_closes_the_transport_leaves_at_once() {
    for signalling in [false, true] {
        let (mut world, _, patient) = consult(Mode::V1);
        let (room, peer) = (world.room(), world.peer(patient));
        if !signalling {
            world.drop_signal(patient);
        }
        world.event(room, closed(peer, CloseReason::ClosedByPeer));
        assert_eq!(world.rooms.status().participants, 1);
        assert_eq!(world.held().peers.len(), 1);
    }
}

#[test]
fn a_certificate_other_than_signalled_ends_the_participant() {
    let (mut world, _, patient) = consult(Mode::V1);
    let (room, peer) = (world.room(), world.peer(patient));
    world.event(room, closed(peer, CloseReason::FingerprintMismatch));
    let leave = &world.clients[patient].leaves()[0];
    assert_eq!(leave.action, Action::Disconnect as i32);
    assert_eq!(world.refused("dtls_fingerprint"), 1);
}

#[test]
fn a_stopping_data_plane_sends_everyone_to_reconnect() {
    let (mut world, doctor, patient) = consult(Mode::V1);
    let room = world.room();
    for who in [doctor, patient] {
        let peer = world.peer(who);
        world.event(room, closed(peer, CloseReason::Shutdown));
        let leave = &world.clients[who].leaves()[0];
        assert_eq!(leave.reason, DisconnectReason::ServerShutdown as i32);
        assert_eq!(leave.action, Action::Reconnect as i32);
    }
}

#[test]
fn lost_events_and_refused_commands_are_counted() {
    let (mut world, ..) = consult(Mode::V1);
    let room = world.room();
    assert_eq!(world.rooms.status().events_lost, 0);
    world.last_sequence += 3;
    let refused = Event::Refused {
        command: "ensure_peer".to_owned(),
        reason: "full".to_owned(),
    };
    world.event(room, refused);
    assert_eq!(world.rooms.status().events_lost, 3);
    assert_eq!(world.rooms.status().commands_refused, 1);
}

#[test]
fn snapshots_of_another_version_are_left_out() {
    let (world, ..) = consult(Mode::V1);
    let snapshot = world.stored.values().next().unwrap();
    let mut json = serde_json::to_value(snapshot).unwrap();
    json["version"] = 0.into();
    let old = serde_json::from_value(json).unwrap();
    let rooms = Rooms::restore(Config::default(), [2; 32], world.now, vec![old]);
    assert_eq!(rooms.status().rooms, 0);
    assert_eq!(rooms.status().refused["snapshot_version"], 1);
}
