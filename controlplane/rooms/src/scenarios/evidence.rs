//! What the audit log is told, and what waits for it.

use super::dataplane::restart;
use super::*;
use bedside_audit::{Action, ActorKind, Authentication, Event as Record, Fact, Outcome, Role};
use bedside_protocol::BootId;

fn of(world: &World, action: Action) -> Vec<&Record> {
    let records = world.records.iter();
    records.filter(|record| record.action == action).collect()
}

fn reasons(world: &World, action: Action) -> Vec<&'static str> {
    of(world, action)
        .iter()
        .filter_map(|record| record.reason)
        .collect()
}

fn with_role(identity: &str, role: &str) -> Claims {
    Claims {
        bedside_role: Role::named(role),
        bedside_authentication: Some(Authentication {
            method: "link".to_owned(),
            ..Authentication::default()
        }),
        ..claims(identity)
    }
}

/// What was not durable is now.
fn log_works_again(world: &mut World) {
    world.log_is_writable = true;
    for (room, peer) in std::mem::take(&mut world.unrecorded) {
        world.input(Input::Recorded { room, peer });
    }
}

#[test]
fn a_consult_is_told_from_its_opening_to_its_end() {
    let mut world = World::new();
    let doctor = world.join_as(with_role("doctor", "clinician"), Mode::V1);
    let patient = world.join_as(with_role("patient", "patient"), Mode::V1);
    world.publish(patient, Kind::Video, "camera");
    for who in [patient, doctor] {
        world.ask(who, Ask::Leave(proto::LeaveRequest::default()));
        world.settle();
    }
    world.pass_ms(600_000);
    let told: Vec<&str> = world.records.iter().map(|it| it.action.name()).collect();
    assert_eq!(
        told,
        [
            "room.open",
            "pc.open",
            "pc.open",
            "track.publish",
            "track.unpublish",
            "pc.close",
            "room.leave",
            "pc.close",
            "room.leave",
            "room.close",
        ]
    );
    let sids: std::collections::BTreeSet<_> = world
        .records
        .iter()
        .map(|it| it.encounter.clone())
        .collect();
    assert_eq!(sids.len(), 1, "one consult");
    assert_eq!(reasons(&world, Action::PeerClose), ["left", "left"]);

    let opened = of(&world, Action::PeerOpen)[1];
    assert_eq!(opened.outcome, Outcome::Success);
    assert_eq!(opened.actor.kind, ActorKind::Patient);
    assert_eq!(opened.actor.role, Some(Role::Patient));
    assert_eq!(opened.actor.id.as_ref().unwrap().expose(), "patient");
    assert_eq!(opened.patient.as_ref().unwrap().expose(), "patient");
    assert!(opened.actor.address.is_some());
    assert_eq!(opened.actor.authentication.as_ref().unwrap().method, "link");
    let text = |name| match opened.facts.get(name) {
        Some(Fact::Text(text)) => text.as_str(),
        other => panic!("{name}: {other:?}"),
    };
    assert_eq!(text("dtls"), "1.3");
    assert_eq!(text("srtp"), "AEAD_AES_256_GCM");
    assert_eq!(text("candidate"), "udp");
    assert_eq!(text("boot"), "boot-1");
    assert_eq!(text("fingerprint_verified"), "00".repeat(32));
    assert_eq!(text("fingerprint_signalled"), "02".repeat(32));
    assert_eq!(text("sdp_sha256").len(), 64);
    // The clinician's opening names the patient once one is there.
    let left = of(&world, Action::Leave)[0];
    assert_eq!(left.actor.kind, ActorKind::Patient);
    assert_eq!(of(&world, Action::PeerOpen)[0].actor.kind, ActorKind::User);
    let close = of(&world, Action::PeerClose)[0];
    assert_eq!(
        close.object.as_ref().unwrap().id,
        opened.object.as_ref().unwrap().id
    );
}

#[test]
fn media_waits_for_the_record_and_those_who_are_admitted_go_on() {
    let mut world = World::new();
    let doctor = world.join("doctor", Mode::V0);
    let before = world.held().admitted.clone();
    assert_eq!(before.len(), world.held().peers.len());
    world.log_is_writable = false;
    world.join("patient", Mode::V1);
    assert_eq!(world.held().admitted, before);
    assert_eq!(world.held().peers.len(), before.len() + 1);
    // Being told of it again is not asking again.
    world.connect_peers();
    assert_eq!(world.unrecorded.len(), 1);
    // The consult that is on goes on.
    world.publish(doctor, Kind::Audio, "microphone");
    assert_eq!(world.held().tracks.len(), 1);
    log_works_again(&mut world);
    assert_eq!(world.held().admitted.len(), world.held().peers.len());
}

#[test]
fn a_control_plane_killed_between_the_record_and_the_admission_is_made_up_for() {
    let mut world = World::new();
    world.log_is_writable = false;
    world.join("doctor", Mode::V1);
    assert!(world.held().admitted.is_empty());
    // The answer to the request never comes to the one that is killed.
    world.unrecorded.clear();
    world.log_is_writable = true;
    restart(&mut world, 2);
    world.connect_dataplane(1);
    assert!(world.held().admitted.is_empty());
    let peer = *world.held().peers.keys().next().unwrap();
    world.event(world.room(), connected(peer));
    assert_eq!(world.held().admitted.len(), 1);
    let opened = of(&world, Action::PeerOpen);
    assert_eq!(opened.len(), 2, "asked again, of the same peer");
    let id = |record: &Record| record.object.as_ref().unwrap().id.clone();
    assert_eq!(id(opened[0]), id(opened[1]));
}

#[test]
fn admission_survives_a_restart_and_an_adoption_without_another_record() {
    let mut world = World::new();
    world.join("doctor", Mode::V1);
    let before = world.held().admitted.clone();
    let count = world.records.len();
    restart(&mut world, 2);
    // The data plane may have lost what it was told, or may not.
    for held in world.plane.rooms.values_mut() {
        held.admitted.clear();
    }
    world.connect_dataplane(1);
    assert_eq!(world.held().admitted, before, "said again");
    let peer = *before.first().unwrap();
    world.event(world.room(), connected(peer));
    assert_eq!(world.records.len(), count);
}

#[test]
fn a_path_is_told_when_it_changes_and_when_it_falls_silent() {
    let mut world = World::new();
    world.join("doctor", Mode::V1);
    let peer = *world.held().peers.keys().next().unwrap();
    let room = world.room();
    world.event(room, connected(peer));
    assert!(of(&world, Action::PeerPath).is_empty());
    let mut moved = connected(peer);
    if let Event::PeerConnected { remote_address, .. } = &mut moved {
        *remote_address = ([127, 0, 0, 2], 9).into();
    }
    world.event(room, moved.clone());
    world.event(room, moved.clone());
    assert_eq!(of(&world, Action::PeerPath).len(), 1);
    world.event(room, Event::PeerDisconnected { peer });
    world.event(room, moved);
    let outcomes: Vec<_> = of(&world, Action::PeerPath)
        .iter()
        .map(|record| record.outcome)
        .collect();
    assert_eq!(
        outcomes,
        [Outcome::Success, Outcome::Failed, Outcome::Success]
    );
}

#[test]
fn each_end_is_told_once() {
    for reason in [
        CloseReason::ClosedByPeer,
        CloseReason::IceTimeout,
        CloseReason::Shutdown,
    ] {
        let mut world = World::new();
        world.join("doctor", Mode::V1);
        let peer = *world.held().peers.keys().next().unwrap();
        let room = world.room();
        world.event(room, closed(peer, reason));
        world.event(room, closed(peer, CloseReason::Removed));
        world.pass_ms(60_000);
        assert_eq!(of(&world, Action::PeerClose).len(), 1, "{reason:?}");
        assert_eq!(of(&world, Action::Leave).len(), 1, "{reason:?}");
    }
}

#[test]
fn a_handshake_that_fails_is_told() {
    let mut world = World::new();
    let mut parameters = parameters(Mode::V1);
    let mut browser = Browser::new(1);
    parameters.publisher_offer = Some(description("offer", browser.offer(), 1));
    let who = world.knock(claims("doctor"), parameters);
    world.clients[who].offer_id = 1;
    world.settle();
    let peer = *world.held().peers.keys().next().unwrap();
    let room = world.room();
    world.event(room, closed(peer, CloseReason::FingerprintMismatch));
    let opened = of(&world, Action::PeerOpen);
    assert_eq!(opened[0].outcome, Outcome::Failed);
    assert_eq!(opened[0].reason, Some("fingerprint_mismatch"));
    assert!(of(&world, Action::PeerClose).is_empty());
}

#[test]
fn what_a_dead_data_plane_left_behind_is_told_for_what_it_was() {
    let mut world = World::new();
    world.join("doctor", Mode::V1);
    world.join("patient", Mode::V1);
    let peers: Vec<PeerId> = world.held().peers.keys().copied().collect();
    let room = world.room();
    restart(&mut world, 2);
    let spooled = |event, at_us| {
        let frame = EventFrame {
            worker: WorkerId(0),
            sequence: 9,
            record: Some(9),
            at_us,
            room,
            event,
        };
        Input::Dataplane(DataplaneInput::Spooled(BootId(1), Box::new(frame)))
    };
    world.input(spooled(closed(peers[0], CloseReason::ClosedByPeer), 77));
    world.input(spooled(closed(PeerId(1), CloseReason::IceTimeout), 78));
    world.connect_dataplane(2);
    let closings: Vec<_> = of(&world, Action::PeerClose)
        .iter()
        .map(|record| (record.reason.unwrap(), record.actor.kind))
        .collect();
    assert_eq!(
        closings,
        [
            ("closed_by_peer", ActorKind::Service),
            ("ice_timeout", ActorKind::System),
            ("dataplane_lost", ActorKind::Service),
        ]
    );
    assert_eq!(of(&world, Action::PeerClose)[0].at_us, 77);
}

#[test]
fn keys_in_the_signalling_are_refused_and_told() {
    let mut world = World::new();
    let mut parameters = parameters(Mode::V1);
    let mut browser = Browser::new(1);
    let offer = browser.offer();
    let sdes = offer.replace(
        "a=rtcp-mux",
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:key\r\na=rtcp-mux",
    );
    assert_ne!(sdes, offer);
    parameters.publisher_offer = Some(description("offer", sdes, 1));
    let who = world.knock(claims("doctor"), parameters);
    let refused = of(&world, Action::MediaRefused);
    assert_eq!(refused[0].outcome, Outcome::Denied);
    assert_eq!(refused[0].reason, Some("sdes"));
    // In words that LiveKit's clients show.
    assert!(world.clients[who].received.iter().any(|message| matches!(
        message,
        Message::RequestResponse(response) if response.message.contains("SDES")
    )));
}

#[test]
fn a_change_of_permissions_is_told_once() {
    let mut world = World::new();
    world.join("doctor", Mode::V1);
    for _ in 0..2 {
        let request = proto::UpdateParticipantRequest {
            room: "ward".to_owned(),
            identity: "doctor".to_owned(),
            permission: Some(proto::ParticipantPermission {
                can_subscribe: true,
                ..proto::ParticipantPermission::default()
            }),
            ..proto::UpdateParticipantRequest::default()
        };
        let name = world.rooms.rooms().next().unwrap().name.expose().clone();
        let request = proto::UpdateParticipantRequest {
            room: name,
            ..request
        };
        world.rooms.update_participant(world.now, request).unwrap();
        world.drain();
    }
    let changed = of(&world, Action::PermissionChange);
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0].facts.get("publish"), Some(&Fact::Flag(false)));
}
