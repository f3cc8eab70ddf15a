//! Coming back on a new signalling connection while media goes on.

use super::data::{got, send, user};
use super::*;
use proto::participant_info::State;
use proto::{DisconnectReason, leave_request::Action};

fn sync_state(world: &World, who: Who, tracks: &[&str]) -> proto::SyncState {
    let client = &world.clients[who];
    proto::SyncState {
        publish_tracks: tracks
            .iter()
            .map(|&sid| proto::TrackPublishedResponse {
                cid: "any".to_owned(),
                track: Some(proto::TrackInfo {
                    sid: sid.to_owned(),
                    ..proto::TrackInfo::default()
                }),
            })
            .collect(),
        offer: Some(description("offer", client.description.clone(), 0)),
        subscription: Some(proto::UpdateSubscription::default()),
        ..proto::SyncState::default()
    }
}

#[test]
fn reconnect_comes_first_then_everyone_then_the_room_then_ice() {
    for mode in [Mode::V1, Mode::V0] {
        let mut world = World::new();
        let doctor = world.join("doctor", Mode::V1);
        world.publish(doctor, Kind::Audio, "mic");
        let patient = world.join("patient", mode);
        let camera = world.publish(patient, Kind::Video, "camera");
        let sid = world.clients[patient].sid.clone();
        let before = world.held().clone();
        world.drop_signal(patient);
        assert_eq!(*world.held(), before, "media goes on");
        world.pass_ms(10_000);
        assert!(
            world.clients[doctor].last_update("patient").unwrap().state == State::Active as i32
        );
        let sync = sync_state(&world, patient, &[&camera]);
        world.resume(patient, claims("patient"), Some(sync));
        let received = &world.clients[patient].received;
        assert!(
            matches!(&received[0], Message::Reconnect(reconnect) if reconnect.server_info.is_some())
        );
        let Message::Update(update) = &received[1] else {
            panic!("everyone");
        };
        let sids: Vec<&str> = update
            .participants
            .iter()
            .map(|one| one.sid.as_str())
            .collect();
        assert_eq!(sids, [&world.clients[doctor].sid, &sid], "oneself included");
        assert!(matches!(received[2], Message::RoomUpdate(_)));
        assert_eq!(
            world.refreshed.last().unwrap().0,
            world.clients[patient].session
        );
        let offers = world.clients[patient].all(|message| match message {
            Message::Offer(offer) => Some(offer.clone()),
            _ => None,
        });
        if mode == Mode::V0 {
            assert_eq!(offers.len(), 1, "the subscriber's ICE is restarted by us");
            let peer = world.receiving_peer(patient);
            assert_ne!(
                world.held().peers[&peer].local,
                before.peers[&peer].local,
                "with new credentials"
            );
        } else {
            assert!(offers.is_empty());
            world.clients[patient].browser.ice += 1;
            world.offer(patient);
            let peer = world.peer(patient);
            assert_ne!(world.held().peers[&peer].local, before.peers[&peer].local);
            assert_ne!(world.held().peers[&peer].remote, before.peers[&peer].remote);
        }
        assert_eq!(world.held().subscriptions.len(), 2, "nothing was lost");
        assert_eq!(world.held().tracks, before.tracks);
        world.pass_ms(60_000);
        assert_eq!(world.rooms.status().participants, 2);
    }
}

#[test]
fn who_does_not_come_back_in_time_is_gone() {
    let mut world = World::new();
    let doctor = world.join("doctor", Mode::V1);
    let patient = world.join("patient", Mode::V1);
    world.drop_signal(patient);
    world.pass_ms(14_900);
    assert_eq!(world.rooms.status().participants, 2);
    world.pass_ms(5_200);
    assert_eq!(world.rooms.status().participants, 1);
    let last = world.clients[doctor].last_update("patient").unwrap();
    assert_eq!(last.state, State::Disconnected as i32);
    world.resume(patient, claims("patient"), None);
    let leave = &world.clients[patient].leaves()[0];
    assert!(matches!(
        world.clients[patient].received[0],
        Message::Leave(_)
    ));
    assert_eq!(leave.reason, DisconnectReason::StateMismatch as i32);
    assert_eq!(leave.action, Action::Reconnect as i32);
}

#[test]
fn a_sid_is_resumed_only_by_its_own_identity() {
    let mut world = World::new();
    world.join("doctor", Mode::V1);
    let patient = world.join("patient", Mode::V1);
    world.drop_signal(patient);
    world.resume(patient, claims("intruder"), None);
    assert_eq!(
        world.clients[patient].leaves()[0].action,
        Action::Reconnect as i32
    );
    assert_eq!(
        world.clients[patient].received.len(),
        1,
        "and learns nothing"
    );
    assert_eq!(world.refused("resume"), 1);
}

#[test]
fn a_second_connection_replaces_the_first() {
    let mut world = World::new();
    let patient = world.join("patient", Mode::V1);
    let old = world.clients[patient].session;
    world.resume(patient, claims("patient"), None);
    assert!(matches!(
        world.clients[patient].received[0],
        Message::Reconnect(_)
    ));
    // The old connection's end is news of yesterday.
    world.input(Input::SessionClosed { session: old });
    world.pass_ms(30_000);
    assert_eq!(world.rooms.status().sessions, 1);
}

#[test]
fn tracks_that_we_do_not_know_mean_starting_over() {
    let mut world = World::new();
    let patient = world.join("patient", Mode::V1);
    world.drop_signal(patient);
    let sync = sync_state(&world, patient, &["TR_unknown"]);
    world.resume(patient, claims("patient"), Some(sync));
    let leave = &world.clients[patient].leaves()[0];
    assert_eq!(leave.reason, DisconnectReason::StateMismatch as i32);
    assert_eq!(leave.action, Action::Reconnect as i32);
}

#[test]
fn sync_state_brings_choices_and_pauses() {
    let mut world = World::new();
    let doctor = world.join("doctor", Mode::V1);
    let mic = world.publish(doctor, Kind::Audio, "mic");
    let camera = world.publish(doctor, Kind::Video, "camera");
    let patient = world.join("patient", Mode::V1);
    world.drop_signal(patient);
    let mut sync = sync_state(&world, patient, &[]);
    sync.track_sids_disabled = vec![camera];
    sync.subscription = Some(proto::UpdateSubscription {
        track_sids: vec![mic],
        subscribe: false,
        ..proto::UpdateSubscription::default()
    });
    world.resume(patient, claims("patient"), Some(sync));
    let held = world.held();
    assert_eq!(held.subscriptions.len(), 1);
    assert!(
        held.subscriptions
            .values()
            .all(|subscription| subscription.paused)
    );
}

#[test]
fn what_happened_meanwhile_is_made_up_for() {
    for mode in [Mode::V1, Mode::V0] {
        let mut world = World::new();
        let doctor = world.join("doctor", Mode::V1);
        let patient = world.join("patient", mode);
        world.drop_signal(patient);
        let tracks: Vec<String> = (0..5)
            .map(|number| world.publish(doctor, Kind::Video, &format!("camera-{number}")))
            .collect();
        world.resume(patient, claims("patient"), None);
        if mode == Mode::V1 {
            world.clients[patient].browser.ice += 1;
            world.offer(patient);
        }
        let mut expected = tracks.clone();
        expected.sort();
        assert_eq!(world.hears(patient), expected, "{mode:?}");
        assert_eq!(world.held().subscriptions.len(), 5);
    }
}

#[test]
fn reliable_packets_of_the_last_moments_are_replayed_once() {
    let mut world = World::new();
    let doctor = world.join("doctor", Mode::V1);
    let patient = world.join("patient", Mode::V1);
    for sequence in 1..=3 {
        let mut packet = user(&format!("message {sequence}"));
        packet.sequence = sequence;
        send(&mut world, doctor, DataChannelKind::Reliable, &packet);
    }
    let mut own = user("mine");
    own.sequence = 7;
    send(&mut world, patient, DataChannelKind::Reliable, &own);
    world.drop_signal(patient);
    world.pass_ms(500);
    world.plane.data.clear();
    let mut sync = sync_state(&world, patient, &[]);
    sync.datachannel_receive_states = vec![proto::DataChannelReceiveState {
        publisher_sid: world.clients[doctor].sid.clone(),
        last_seq: 1,
    }];
    world.resume(patient, claims("patient"), Some(sync.clone()));
    let sequences: Vec<u32> = got(&world, patient)
        .iter()
        .map(|one| one.sequence)
        .collect();
    assert_eq!(sequences, [2, 3]);
    assert!(matches!(
        &world.clients[patient].received[0],
        Message::Reconnect(reconnect) if reconnect.last_message_seq == 7
    ));
    world.drop_signal(patient);
    world.pass_ms(2_000);
    world.plane.data.clear();
    world.resume(patient, claims("patient"), Some(sync));
    assert!(got(&world, patient).is_empty(), "two seconds are over");
}

#[test]
fn simulated_signal_failures_hit_the_next_resume() {
    use proto::simulate_scenario::Scenario;
    let mut world = World::new();
    let patient = world.join("patient", Mode::V1);
    let simulate = |scenario| {
        Ask::Simulate(proto::SimulateScenario {
            scenario: Some(scenario),
        })
    };
    world.ask(patient, simulate(Scenario::DisconnectSignalOnResume(true)));
    world.resume(patient, claims("patient"), None);
    assert!(matches!(
        world.clients[patient].received[0],
        Message::Reconnect(_)
    ));
    assert_eq!(world.clients[patient].closed, Some(CloseHow::Abrupt));
    world.resume(patient, claims("patient"), None);
    assert_eq!(world.clients[patient].closed, None);
    world.ask(
        patient,
        simulate(Scenario::DisconnectSignalOnResumeNoMessages(true)),
    );
    for _ in 0..3 {
        world.resume(patient, claims("patient"), None);
        assert!(world.clients[patient].received.is_empty());
        assert_eq!(world.clients[patient].closed, Some(CloseHow::Abrupt));
    }
    world.resume(patient, claims("patient"), None);
    assert!(matches!(
        world.clients[patient].received[0],
        Message::Reconnect(_)
    ));
}
