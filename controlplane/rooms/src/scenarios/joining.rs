//! Who is let in, what they are told first, and how they and rooms end.

use super::*;
use proto::participant_info::State;
use proto::{DisconnectReason, leave_request::Action};

fn check_join(world: &World, claims: &Claims) -> Result<(), u16> {
    world
        .rooms
        .check_join(claims, &parameters(Mode::V1))
        .map_err(|refusal| refusal.status)
}

#[test]
fn the_first_frame_is_join_with_everything_that_clients_read() {
    for mode in [Mode::V1, Mode::V0] {
        let mut world = World::new();
        let doctor = world.join("doctor", mode);
        world.publish(doctor, Kind::Audio, "mic");
        let patient = world.join("patient", mode);
        let Message::Join(join) = &world.clients[patient].received[0] else {
            panic!("the first frame is join");
        };
        let room = join.room.as_ref().unwrap();
        assert!(room.sid.starts_with("RM_") && room.name == "consult");
        assert!(room.creation_time > 0);
        let own = join.participant.as_ref().unwrap();
        assert_eq!(
            (own.identity.as_str(), own.name.as_str()),
            ("patient", "Name of patient")
        );
        assert!(own.permission.as_ref().unwrap().can_publish);
        let [other] = join.other_participants.as_slice() else {
            panic!("one other");
        };
        assert_eq!(other.identity, "doctor");
        assert!(other.tracks[0].sid.starts_with("TR_"));
        assert_eq!(join.subscriber_primary, mode == Mode::V0);
        assert!(join.ping_interval == 5 && join.ping_timeout == 15);
        assert!(join.ice_servers.is_empty() && join.sif_trailer.is_empty());
        assert_eq!(join.enabled_publish_codecs[0].mime, "video/VP8");
        assert!(join.fast_publish);
        let server = join.server_info.as_ref().unwrap();
        assert!(server.protocol > 0 && !server.node_id.is_empty());
        let version: Vec<u32> = server
            .version
            .split('.')
            .map(|number| number.parse().unwrap())
            .collect();
        assert!(version >= vec![1, 8, 0], "clients refuse RPC below 1.8.0");
    }
}

#[test]
fn debug_texts_hold_nothing_personal() {
    let mut world = World::new();
    let canary = "canary";
    let mut claims = claims(canary);
    claims.metadata = canary.to_owned();
    let mut parameters = parameters(Mode::V1);
    parameters.metadata = Some(canary.to_owned());
    let join = Join {
        session: SessionId(1),
        claims,
        parameters,
    };
    let mut text = format!("{join:?} {:?} {:?}", join.claims, join.parameters);
    world.rooms.handle(world.now, Input::Join(Box::new(join)));
    let add_track = proto::SignalRequest {
        message: Some(Ask::AddTrack(add_track(Kind::Audio, canary))),
    };
    let signal = Input::Signal {
        session: SessionId(1),
        request: Box::new(add_track),
    };
    text += &format!("{signal:?}");
    world.rooms.handle(world.now, signal);
    let mut outputs = 0;
    while let Some(output) = world.rooms.poll_output() {
        text += &format!("{output:?}");
        outputs += 1;
    }
    text += &format!("{:?} {:?}", world.rooms, world.rooms.status());
    assert!(outputs > 4 && !text.contains(canary), "{text}");
}

#[test]
fn claims_decide_who_may_join() {
    let world = World::new();
    assert_eq!(check_join(&world, &claims("patient")), Ok(()));
    assert_eq!(check_join(&world, &Claims::default()), Err(401));
    let with = |change: fn(&mut VideoGrant)| {
        let mut grant = grant();
        change(&mut grant);
        claims_with("patient", grant)
    };
    assert_eq!(
        check_join(&world, &with(|grant| grant.room_join = false)),
        Err(401)
    );
    assert_eq!(
        check_join(&world, &with(|grant| grant.room.clear())),
        Err(400)
    );
    assert_eq!(check_join(&world, &claims("")), Err(400));
    assert_eq!(check_join(&world, &claims(&"x".repeat(257))), Err(400));
    let mut big = claims("patient");
    big.metadata = "x".repeat((64 << 10) + 1);
    assert_eq!(check_join(&world, &big), Err(400));
}

#[test]
fn without_auto_create_only_made_rooms_can_be_joined() {
    let mut world = World::with(Config {
        auto_create: false,
        ..Config::default()
    });
    let refusal = world
        .rooms
        .check_join(&claims("patient"), &parameters(Mode::V1))
        .unwrap_err();
    assert_eq!(refusal.status, 404);
    assert_eq!(
        refusal.reason, "requested room does not exist",
        "clients read this"
    );
    world
        .rooms
        .create_room(
            world.now,
            proto::CreateRoomRequest {
                name: "consult".to_owned(),
                ..proto::CreateRoomRequest::default()
            },
        )
        .unwrap();
    assert_eq!(check_join(&world, &claims("patient")), Ok(()));
}

#[test]
fn a_full_room_turns_people_away_but_not_dependents_or_the_returning() {
    let mut world = World::with(Config {
        max_participants: 2,
        ..Config::default()
    });
    world.join("doctor", Mode::V1);
    world.join("patient", Mode::V1);
    assert_eq!(check_join(&world, &claims("stranger")), Err(503));
    assert_eq!(check_join(&world, &claims("patient")), Ok(()));
    let mut agent = claims("agent");
    agent.kind = "agent".to_owned();
    assert_eq!(check_join(&world, &agent), Ok(()));
    let stranger = world.knock(claims("stranger"), parameters(Mode::V1));
    let leaves = world.clients[stranger].leaves();
    assert_eq!(leaves[0].reason, DisconnectReason::JoinFailure as i32);
    assert_eq!(world.clients[stranger].closed, Some(CloseHow::Normal));
}

#[test]
fn without_a_data_plane_joins_wait() {
    let mut world = World::new();
    world.input(Input::Dataplane(DataplaneInput::Disconnected));
    let refusal = world
        .rooms
        .check_join(&claims("patient"), &parameters(Mode::V1))
        .unwrap_err();
    assert_eq!(refusal.status, 503);
    assert!(refusal.reason.contains("not connected"));
}

#[test]
fn a_participant_goes_from_joining_to_active_with_growing_versions() {
    let mut world = World::new();
    let doctor = world.join("doctor", Mode::V1);
    world.join("patient", Mode::V1);
    let states: Vec<(i32, u32)> = world.clients[doctor].all(|message| match message {
        Message::Update(update) => update
            .participants
            .iter()
            .find(|one| one.identity == "patient")
            .map(|one| (one.state, one.version)),
        _ => None,
    });
    assert_eq!(states.first().unwrap().0, State::Joined as i32);
    assert_eq!(states.last().unwrap().0, State::Active as i32);
    assert!(states.windows(2).all(|pair| pair[0].1 < pair[1].1));
    assert_eq!(
        world.webhook_names(),
        ["room_started", "participant_joined", "participant_joined"]
    );
    assert!(world.webhooks.iter().all(|event| {
        event.id.starts_with("EV_") && event.created_at > 0 && event.room.is_some()
    }));
}

#[test]
fn the_same_identity_twice_means_the_first_has_to_go() {
    let mut world = World::new();
    let doctor = world.join("doctor", Mode::V1);
    let first = world.join("patient", Mode::V1);
    let second = world.join("patient", Mode::V0);
    let leave = &world.clients[first].leaves()[0];
    assert_eq!(leave.reason, DisconnectReason::DuplicateIdentity as i32);
    assert_eq!(leave.action, Action::Disconnect as i32);
    assert_eq!(world.clients[first].closed, Some(CloseHow::Normal));
    assert_ne!(world.clients[first].sid, world.clients[second].sid);
    let last = world.clients[doctor].last_update("patient").unwrap();
    assert_eq!(last.sid, world.clients[second].sid);
    assert_eq!(world.rooms.status().participants, 2);
}

#[test]
fn hidden_participants_are_told_everything_and_nobody_is_told_of_them() {
    let mut world = World::new();
    let doctor = world.join("doctor", Mode::V1);
    let ghost = world.join_as(
        claims_with(
            "ghost",
            VideoGrant {
                hidden: true,
                ..grant()
            },
        ),
        Mode::V1,
    );
    let patient = world.join("patient", Mode::V1);
    assert!(world.clients[ghost].last_update("patient").is_some());
    assert!(world.clients[doctor].last_update("ghost").is_none());
    assert!(world.clients[patient].last_update("ghost").is_none());
    world.ask(ghost, Ask::Leave(proto::LeaveRequest::default()));
    assert!(world.clients[doctor].last_update("ghost").is_none());
}

#[test]
fn a_goodbye_ends_a_participant_and_then_the_room() {
    let mut world = World::new();
    let doctor = world.join("doctor", Mode::V1);
    let patient = world.join("patient", Mode::V1);
    world.ask(patient, Ask::Leave(proto::LeaveRequest::default()));
    let last = world.clients[doctor].last_update("patient").unwrap();
    assert_eq!(last.state, State::Disconnected as i32);
    assert_eq!(world.held().peers.len(), 1);
    world.ask(doctor, Ask::Leave(proto::LeaveRequest::default()));
    world.pass_ms(19_000);
    assert_eq!(world.rooms.status().rooms, 1);
    world.pass_ms(2_000);
    assert_eq!(world.rooms.status().rooms, 0);
    assert!(world.plane.rooms.is_empty() && world.stored.is_empty());
    assert_eq!(world.webhook_names().last(), Some(&"room_finished"));
    let finished = world.webhooks.last().unwrap();
    assert_eq!(
        finished.room_end_reason,
        proto::RoomEndReason::RoomEndIdleTimeout as i32
    );
}

#[test]
fn a_room_that_nobody_joins_ends_after_its_own_timeout() {
    let mut world = World::new();
    let request = proto::CreateRoomRequest {
        name: "waiting".to_owned(),
        empty_timeout: 60,
        ..proto::CreateRoomRequest::default()
    };
    world.rooms.create_room(world.now, request).unwrap();
    world.drain();
    world.pass_ms(59_000);
    assert_eq!(world.rooms.status().rooms, 1);
    world.pass_ms(1_000);
    assert_eq!(world.rooms.status().rooms, 0);
}

#[test]
fn an_agent_alone_keeps_no_room_open() {
    let mut world = World::new();
    let doctor = world.join("doctor", Mode::V1);
    let mut claims = claims("agent");
    claims.kind = "agent".to_owned();
    let agent = world.join_as(claims, Mode::V1);
    world.ask(doctor, Ask::Leave(proto::LeaveRequest::default()));
    world.pass_ms(21_000);
    assert_eq!(
        world.clients[agent].leaves()[0].reason,
        DisconnectReason::RoomClosed as i32
    );
    assert_eq!(world.rooms.status().rooms, 0);
}

#[test]
fn a_transport_that_never_comes_up_ends_the_attempt() {
    let mut world = World::new();
    let mut parameters = parameters(Mode::V1);
    parameters.publisher_offer = Some(description("offer", Browser::new(1).offer(), 1));
    let patient = world.knock(claims("patient"), parameters);
    world.clients[patient].offer_id = 1;
    world.pass_ms(46_000);
    let leave = &world.clients[patient].leaves()[0];
    assert_eq!(leave.reason, DisconnectReason::JoinFailure as i32);
    assert!(
        world
            .webhook_names()
            .contains(&"participant_connection_aborted")
    );
    assert!(!world.webhook_names().contains(&"participant_left"));
    assert_eq!(world.refused("transport_never_connected"), 1);
}

#[test]
fn tokens_are_refreshed_at_once_and_every_five_minutes() {
    let mut world = World::new();
    world.join("patient", Mode::V1);
    assert_eq!(world.refreshed.len(), 1);
    assert_eq!(world.refreshed[0].1.subject(), "patient");
    world.pass_ms(299_000);
    assert_eq!(world.refreshed.len(), 1);
    world.pass_ms(2_000);
    assert_eq!(world.refreshed.len(), 2);
    world.pass_ms(600_000);
    assert_eq!(world.refreshed.len(), 4);
}

#[test]
fn pings_are_answered_in_milliseconds() {
    let mut world = World::new();
    let patient = world.join("patient", Mode::V1);
    let ping = proto::Ping {
        timestamp: 12,
        rtt: 3,
    };
    world.ask(patient, Ask::PingReq(ping));
    world.ask(patient, Ask::Ping(12));
    let now = world.now.ms();
    let received = &world.clients[patient].received;
    assert!(matches!(received.last(), Some(Message::Pong(at)) if *at == now));
    let pongs = world.clients[patient].all(|message| match message {
        Message::PongResp(pong) => Some((pong.last_ping_timestamp, pong.timestamp)),
        _ => None,
    });
    assert_eq!(pongs, [(12, now)]);
}

#[test]
fn rooms_go_to_the_worker_with_the_least_to_do() {
    let mut world = World::new();
    for name in ["one", "two", "three"] {
        for identity in ["a", "b"] {
            let grant = VideoGrant {
                room: name.to_owned(),
                ..grant()
            };
            world.join_as(claims_with(identity, grant), Mode::V1);
        }
    }
    let mut workers: Vec<u16> = world
        .plane
        .rooms
        .values()
        .map(|held| held.worker.unwrap().0)
        .collect();
    workers.sort_unstable();
    assert_eq!(workers, [0, 0, 1]);
}

#[test]
fn own_metadata_changes_only_by_permission_and_is_always_answered() {
    let mut world = World::new();
    let doctor = world.join("doctor", Mode::V1);
    let patient = world.join_as(
        claims_with(
            "patient",
            VideoGrant {
                can_update_own_metadata: Some(true),
                ..grant()
            },
        ),
        Mode::V1,
    );
    let update = |request_id, value: &str| {
        Ask::UpdateMetadata(proto::UpdateParticipantMetadata {
            name: "Pat".to_owned(),
            attributes: [("hand".to_owned(), value.to_owned())].into(),
            request_id,
            ..proto::UpdateParticipantMetadata::default()
        })
    };
    world.ask(patient, update(5, "up"));
    world.ask(doctor, update(6, "up"));
    world.ask(patient, update(7, &"x".repeat(64 << 10)));
    let reasons = |who: Who| -> Vec<(u32, i32)> {
        world.clients[who]
            .request_responses()
            .iter()
            .map(|response| (response.request_id, response.reason))
            .collect()
    };
    use proto::request_response::Reason;
    assert_eq!(
        reasons(patient),
        [(5, Reason::Ok as i32), (7, Reason::LimitExceeded as i32)]
    );
    assert_eq!(reasons(doctor), [(6, Reason::NotAllowed as i32)]);
    let seen = world.clients[doctor].last_update("patient").unwrap();
    assert_eq!(seen.name, "Pat");
    assert_eq!(seen.attributes.get("hand").map(String::as_str), Some("up"));
    world.ask(patient, update(8, ""));
    let seen = world.clients[doctor].last_update("patient").unwrap();
    assert!(seen.attributes.is_empty(), "an empty value removes");
}

#[test]
fn in_a_large_room_news_of_mere_listeners_is_collected() {
    let mut world = World::new();
    let doctor = world.join("doctor", Mode::V1);
    for listener in 0..20 {
        world.join(&format!("listener-{listener}"), Mode::V1);
    }
    assert!(world.clients[doctor].last_update("listener-19").is_none());
    world.pass_ms(3_100);
    assert!(world.clients[doctor].last_update("listener-19").is_some());
    world.publish(5, Kind::Audio, "mic");
    let seen = world.clients[doctor].last_update("listener-4").unwrap();
    assert_eq!(seen.tracks.len(), 1, "a publisher's news goes out at once");
}

#[test]
fn older_clients_are_told_to_come_back_in_the_older_way() {
    let mut world = World::new();
    let mut parameters = parameters(Mode::V0);
    parameters.client.protocol = 12;
    let patient = world.knock(claims("patient"), parameters);
    world.settle();
    world.connect_peers();
    let scenario = proto::simulate_scenario::Scenario::LeaveRequestFullReconnect(true);
    let simulate = proto::SimulateScenario {
        scenario: Some(scenario),
    };
    world.ask(patient, Ask::Simulate(simulate));
    assert!(world.clients[patient].leaves()[0].can_reconnect);
}

#[test]
fn simulated_failures_do_what_clients_test_for() {
    use proto::simulate_scenario::Scenario;
    let mut world = World::new();
    let mut simulate = |scenario: Scenario| {
        let patient = world.join("patient", Mode::V1);
        let scenario = Some(scenario);
        world.ask(patient, Ask::Simulate(proto::SimulateScenario { scenario }));
        let client = &world.clients[patient];
        let action = client.leaves().first().map(|leave| leave.action);
        (action, client.closed)
    };
    let reconnect = Some(Action::Reconnect as i32);
    let disconnect = Some(Action::Disconnect as i32);
    assert_eq!(
        simulate(Scenario::LeaveRequestFullReconnect(true)),
        (reconnect, Some(CloseHow::Normal))
    );
    assert_eq!(
        simulate(Scenario::ServerLeave(true)),
        (disconnect, Some(CloseHow::Normal))
    );
    assert_eq!(
        simulate(Scenario::NodeFailure(true)),
        (None, Some(CloseHow::Abrupt))
    );
    assert_eq!(simulate(Scenario::SwitchCandidateProtocol(1)), (None, None));
}
