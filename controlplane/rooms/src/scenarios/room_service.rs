//! An administrator's operations.

use super::data::got;
use super::*;
use crate::OperationError;
use proto::{DisconnectReason, leave_request::Action};

fn consult() -> (World, Who, Who, String) {
    let mut world = World::new();
    let doctor = world.join("doctor", Mode::V1);
    let patient = world.join("patient", Mode::V0);
    let camera = world.publish(patient, Kind::Video, "camera");
    (world, doctor, patient, camera)
}

fn who(identity: &str) -> proto::RoomParticipantIdentity {
    proto::RoomParticipantIdentity {
        room: "consult".to_owned(),
        identity: identity.to_owned(),
        ..proto::RoomParticipantIdentity::default()
    }
}

#[test]
fn rooms_are_made_with_settings_listed_and_found_again() {
    let mut world = World::new();
    let request = proto::CreateRoomRequest {
        name: "consult".to_owned(),
        empty_timeout: 60,
        departure_timeout: 5,
        max_participants: 2,
        metadata: "ward 7".to_owned(),
        ..proto::CreateRoomRequest::default()
    };
    let made = world.rooms.create_room(world.now, request.clone()).unwrap();
    assert_eq!((made.empty_timeout, made.departure_timeout), (60, 5));
    assert_eq!(
        (made.max_participants, made.metadata.as_str()),
        (2, "ward 7")
    );
    let again = world.rooms.create_room(world.now, request).unwrap();
    assert_eq!(made.sid, again.sid);
    world.drain();
    assert_eq!(world.webhook_names(), ["room_started"]);
    let list = |names: &[&str]| {
        let names = names.iter().map(|&name| name.to_owned()).collect();
        let request = proto::ListRoomsRequest { names };
        world.rooms.list_rooms(&request).rooms.len()
    };
    assert_eq!((list(&[]), list(&["consult"]), list(&["other"])), (1, 1, 0));
    let nameless = world
        .rooms
        .create_room(world.now, proto::CreateRoomRequest::default());
    assert!(matches!(nameless, Err(OperationError::InvalidArgument(_))));
}

#[test]
fn nothing_can_be_made_without_a_data_plane() {
    let mut world = World::new();
    world.input(Input::Dataplane(DataplaneInput::Disconnected));
    let request = proto::CreateRoomRequest {
        name: "consult".to_owned(),
        ..proto::CreateRoomRequest::default()
    };
    let refused = world.rooms.create_room(world.now, request);
    assert_eq!(refused.unwrap_err(), OperationError::Unavailable);
}

#[test]
fn participants_are_listed_with_their_tracks() {
    let (world, _, _, camera) = consult();
    let request = proto::ListParticipantsRequest {
        room: "consult".to_owned(),
    };
    let participants = world
        .rooms
        .list_participants(&request)
        .unwrap()
        .participants;
    assert_eq!(participants.len(), 2);
    let patient = world.rooms.get_participant(&who("patient")).unwrap();
    assert_eq!(patient.tracks[0].sid, camera);
    assert_eq!(patient.tracks[0].mime_type, "video/VP8");
    let missing = world.rooms.get_participant(&who("nobody"));
    assert_eq!(
        missing.unwrap_err(),
        OperationError::NotFound("the participant")
    );
}

#[test]
fn a_removed_participant_is_told_so_and_gone() {
    let (mut world, doctor, patient, _) = consult();
    let now = world.now;
    world
        .rooms
        .remove_participant(now, &who("patient"))
        .unwrap();
    world.drain();
    world.settle();
    let leave = &world.clients[patient].leaves()[0];
    assert_eq!(leave.reason, DisconnectReason::ParticipantRemoved as i32);
    assert_eq!(leave.action, Action::Disconnect as i32);
    assert!(world.hears(doctor).is_empty());
    assert!(
        world
            .rooms
            .remove_participant(now, &who("patient"))
            .is_err()
    );
}

#[test]
fn a_deleted_room_ends_for_everyone() {
    let (mut world, doctor, patient, _) = consult();
    let request = proto::DeleteRoomRequest {
        room: "consult".to_owned(),
    };
    world.rooms.delete_room(world.now, &request).unwrap();
    world.drain();
    for who in [doctor, patient] {
        let leave = &world.clients[who].leaves()[0];
        assert_eq!(leave.reason, DisconnectReason::RoomDeleted as i32);
    }
    assert!(world.plane.rooms.is_empty() && world.stored.is_empty());
    assert!(world.rooms.delete_room(world.now, &request).is_err());
    assert_eq!(world.rooms.poll_timeout(), None);
    let names = world.webhook_names();
    let end = ["track_unpublished", "participant_left", "room_finished"];
    for name in end {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    assert_eq!(names.last(), Some(&"room_finished"));
}

#[test]
fn a_permission_taken_away_ends_what_it_allowed() {
    let (mut world, doctor, patient, camera) = consult();
    let refreshed = world.refreshed.len();
    let request = proto::UpdateParticipantRequest {
        room: "consult".to_owned(),
        identity: "patient".to_owned(),
        name: "Pat".to_owned(),
        permission: Some(proto::ParticipantPermission {
            can_subscribe: true,
            can_publish: false,
            ..proto::ParticipantPermission::default()
        }),
        ..proto::UpdateParticipantRequest::default()
    };
    let info = world.rooms.update_participant(world.now, request).unwrap();
    world.drain();
    world.settle();
    assert_eq!(info.name, "Pat");
    assert!(info.tracks.is_empty() && world.hears(doctor).is_empty());
    let ended = world.clients[patient].all(|message| match message {
        Message::TrackUnpublished(track) => Some(track.track_sid.clone()),
        _ => None,
    });
    assert_eq!(ended, [camera]);
    let (_, claims) = &world.refreshed[refreshed];
    let grant = claims.video.as_ref().unwrap();
    assert_eq!(
        (claims.name.as_str(), grant.can_publish),
        ("Pat", Some(false))
    );
    let seen = world.clients[doctor].last_update("patient").unwrap();
    assert!(!seen.permission.as_ref().unwrap().can_publish);
}

#[test]
fn subscribing_can_be_taken_away_and_given_back() {
    let (mut world, doctor, _, camera) = consult();
    let mut permit = |can_subscribe| {
        let request = proto::UpdateParticipantRequest {
            room: "consult".to_owned(),
            identity: "doctor".to_owned(),
            permission: Some(proto::ParticipantPermission {
                can_subscribe,
                can_publish: true,
                can_publish_data: true,
                ..proto::ParticipantPermission::default()
            }),
            ..proto::UpdateParticipantRequest::default()
        };
        world.rooms.update_participant(world.now, request).unwrap();
        world.drain();
        world.settle();
        world.hears(doctor)
    };
    assert!(permit(false).is_empty());
    assert_eq!(permit(true), std::slice::from_ref(&camera));
    let mut subscribe = |subscribe| {
        let request = proto::UpdateSubscriptionsRequest {
            room: "consult".to_owned(),
            identity: "doctor".to_owned(),
            track_sids: vec![camera.clone()],
            subscribe,
            ..proto::UpdateSubscriptionsRequest::default()
        };
        world
            .rooms
            .update_subscriptions(world.now, &request)
            .unwrap();
        world.drain();
        world.settle();
        world.hears(doctor).len()
    };
    assert_eq!((subscribe(false), subscribe(true)), (0, 1));
}

#[test]
fn data_from_the_server_reaches_whom_it_is_for() {
    let (mut world, doctor, patient, _) = consult();
    let request = proto::SendDataRequest {
        room: "consult".to_owned(),
        data: b"please wait".to_vec(),
        destination_identities: vec!["patient".to_owned()],
        ..proto::SendDataRequest::default()
    };
    world.rooms.send_data(world.now, request.clone()).unwrap();
    world.drain();
    let received = got(&world, patient).remove(0);
    assert!(received.participant_identity.is_empty());
    assert!(got(&world, doctor).is_empty());
    let long = proto::SendDataRequest {
        data: vec![0; 64_001],
        ..request
    };
    let refused = world.rooms.send_data(world.now, long);
    assert!(matches!(refused, Err(OperationError::LimitExceeded(_))));
}

#[test]
fn room_metadata_goes_to_everyone() {
    let (mut world, doctor, ..) = consult();
    let request = proto::UpdateRoomMetadataRequest {
        room: "consult".to_owned(),
        metadata: "ward 9".to_owned(),
    };
    world
        .rooms
        .update_room_metadata(world.now, request)
        .unwrap();
    world.drain();
    assert!(matches!(
        world.clients[doctor].received.last(),
        Some(Message::RoomUpdate(update)) if update.room.as_ref().unwrap().metadata == "ward 9"
    ));
}
