//! From `add_track` to a track that others have, and its end.

use super::*;
use bedside_protocol::{Codec, Layer};
use proto::request_response::{Reason, Request};
use proto::{DisconnectReason, leave_request::Action};

fn reasons(world: &World, who: Who) -> Vec<i32> {
    world.clients[who]
        .request_responses()
        .iter()
        .map(|response| response.reason)
        .collect()
}

#[test]
fn two_people_hear_and_see_each_other() {
    for (first, second) in [
        (Mode::V1, Mode::V1),
        (Mode::V0, Mode::V0),
        (Mode::V1, Mode::V0),
    ] {
        let mut world = World::new();
        let doctor = world.join("doctor", first);
        let mic = world.publish(doctor, Kind::Audio, "doctor-mic");
        let patient = world.join("patient", second);
        let camera = world.publish(patient, Kind::Video, "patient-camera");
        assert_eq!(world.hears(doctor), std::slice::from_ref(&camera));
        assert_eq!(world.hears(patient), std::slice::from_ref(&mic));
        let held = world.held();
        assert_eq!((held.tracks.len(), held.subscriptions.len()), (2, 2));
        let video = held
            .tracks
            .values()
            .find(|track| track.codec == Codec::Vp8)
            .unwrap();
        let layers: Vec<Layer> = video.encodings.iter().map(|one| one.layer).collect();
        assert_eq!(layers, Layer::ALL);
        assert!(video.payload_types.rtx.is_some() && video.nack);
        let audio = held
            .tracks
            .values()
            .find(|track| track.codec == Codec::Opus)
            .unwrap();
        assert_eq!(audio.red_payload_type, Some(63));
        for subscription in held.subscriptions.values() {
            assert_eq!(subscription.layer_max, Layer::High);
            assert!(!subscription.paused && subscription.ssrc != 0);
        }
        let (_, stream, track) = sdp::sent(&world.clients[patient].description).remove(0);
        let named = if second == Mode::V1 { "camera" } else { &mic };
        assert_eq!(stream, format!("{}|{named}", world.clients[doctor].sid));
        assert_eq!(track, mic);
    }
}

#[test]
fn track_published_comes_at_once_with_all_that_was_announced() {
    let mut world = World::new();
    let patient = world.join("patient", Mode::V1);
    world.ask(patient, Ask::AddTrack(add_track(Kind::Video, "camera")));
    let Some(Message::TrackPublished(published)) = world.clients[patient].received.last() else {
        panic!("before any SDP");
    };
    let info = published.track.as_ref().unwrap();
    assert!(info.sid.starts_with("TR_"));
    assert_eq!(
        (info.width, info.height, info.stream.as_str()),
        (1280, 720, "camera")
    );
    assert_eq!(info.codecs[0].layers.len(), 3);
    assert!(world.held().tracks.is_empty(), "nothing to forward yet");
}

#[test]
fn the_offer_may_come_before_the_announcement() {
    let mut world = World::new();
    let doctor = world.join("doctor", Mode::V1);
    let patient = world.join("patient", Mode::V1);
    world.clients[patient]
        .browser
        .sections
        .push(Section::sending(Kind::Audio, "mic"));
    world.offer(patient);
    assert!(
        world.held().tracks.is_empty(),
        "unannounced media is not forwarded"
    );
    world.ask(patient, Ask::AddTrack(add_track(Kind::Audio, "mic")));
    world.settle();
    assert_eq!(world.held().tracks.len(), 1);
    assert_eq!(world.hears(doctor).len(), 1);
}

#[test]
fn sections_find_their_tracks_by_client_id_or_else_by_kind() {
    let mut world = World::new();
    let patient = world.join("patient", Mode::V1);
    for cid in ["camera", "screen"] {
        world.ask(patient, Ask::AddTrack(add_track(Kind::Video, cid)));
    }
    let sections = &mut world.clients[patient].browser.sections;
    // A native SDK renamed the camera's track; the screen keeps its name and comes first.
    sections.push(Section::sending(Kind::Video, "screen"));
    sections.push(Section::sending(Kind::Video, "renamed"));
    world.offer(patient);
    let info = world
        .rooms
        .get_participant(&proto::RoomParticipantIdentity {
            room: "consult".to_owned(),
            identity: "patient".to_owned(),
            ..proto::RoomParticipantIdentity::default()
        })
        .unwrap();
    let mid_of = |cid: &str| {
        let sid = world.clients[patient].published(cid).unwrap();
        let track = info.tracks.iter().find(|track| track.sid == sid).unwrap();
        track.mid.clone()
    };
    assert_eq!(
        (mid_of("screen").as_str(), mid_of("camera").as_str()),
        ("7", "8")
    );
}

#[test]
fn grants_sources_kinds_and_bounds_are_checked() {
    let mut world = World::new();
    let listener = world.join_as(
        claims_with(
            "listener",
            VideoGrant {
                can_publish: Some(false),
                ..grant()
            },
        ),
        Mode::V1,
    );
    world.ask(listener, Ask::AddTrack(add_track(Kind::Audio, "mic")));
    assert_eq!(reasons(&world, listener), [Reason::NotAllowed as i32]);
    let speaker = world.join_as(
        claims_with(
            "speaker",
            VideoGrant {
                can_publish_sources: vec!["microphone".to_owned()],
                ..grant()
            },
        ),
        Mode::V1,
    );
    world.ask(speaker, Ask::AddTrack(add_track(Kind::Video, "camera")));
    world.ask(speaker, Ask::AddTrack(add_track(Kind::Audio, "mic")));
    let mut data = add_track(Kind::Audio, "data");
    data.r#type = proto::TrackType::Data as i32;
    world.ask(speaker, Ask::AddTrack(data));
    let mut unknown = add_track(Kind::Audio, "backup");
    unknown.sid = "TR_unknown".to_owned();
    world.ask(speaker, Ask::AddTrack(unknown));
    let mut long = add_track(Kind::Audio, "long");
    long.name = "x".repeat(257);
    world.ask(speaker, Ask::AddTrack(long));
    assert_eq!(
        reasons(&world, speaker),
        [
            Reason::NotAllowed as i32,
            Reason::UnsupportedType as i32,
            Reason::NotFound as i32,
            Reason::LimitExceeded as i32
        ]
    );
    let responses = world.clients[speaker].request_responses();
    assert!(
        matches!(&responses[0].request, Some(Request::AddTrack(request)) if request.cid == "camera")
    );
    for number in 0..25 {
        world.ask(
            speaker,
            Ask::AddTrack(add_track(Kind::Audio, &format!("mic-{number}"))),
        );
    }
    let refused = reasons(&world, speaker)
        .iter()
        .filter(|&&reason| reason == Reason::LimitExceeded as i32)
        .count();
    assert_eq!(
        refused,
        1 + 6,
        "20 may be pending, the first microphone included"
    );
}

#[test]
fn a_client_id_in_use_is_queued_until_its_track_ends() {
    let mut world = World::new();
    let patient = world.join("patient", Mode::V1);
    let first = world.publish(patient, Kind::Audio, "mic");
    world.ask(patient, Ask::AddTrack(add_track(Kind::Audio, "mic")));
    assert_eq!(reasons(&world, patient), [Reason::Queued as i32]);
    let sections = &mut world.clients[patient].browser.sections;
    sections.last_mut().unwrap().direction = "inactive";
    world.offer(patient);
    let second = world.clients[patient].published("mic").unwrap();
    assert_ne!(first, second);
    world.clients[patient]
        .browser
        .sections
        .push(Section::sending(Kind::Audio, "mic"));
    world.offer(patient);
    assert_eq!(world.held().tracks.len(), 1);
}

#[test]
fn who_leaves_is_promised_no_queued_track() {
    let mut world = World::new();
    let patient = world.join("patient", Mode::V1);
    let mic = world.publish(patient, Kind::Audio, "mic");
    world.ask(patient, Ask::AddTrack(add_track(Kind::Audio, "mic")));
    world.ask(patient, Ask::Leave(proto::LeaveRequest::default()));
    assert_eq!(world.clients[patient].published("mic"), Some(mic));
}

#[test]
fn a_section_that_stops_sending_ends_its_track() {
    for mode in [Mode::V1, Mode::V0] {
        let mut world = World::new();
        let doctor = world.join("doctor", mode);
        let patient = world.join("patient", mode);
        let camera = world.publish(patient, Kind::Video, "camera");
        assert_eq!(world.hears(doctor), [camera]);
        let sections = &mut world.clients[patient].browser.sections;
        sections.last_mut().unwrap().direction = "inactive";
        world.offer(patient);
        assert!(world.hears(doctor).is_empty());
        let held = world.held();
        assert!(held.tracks.is_empty() && held.subscriptions.is_empty());
        let last = world.clients[doctor].last_update("patient").unwrap();
        assert!(last.tracks.is_empty());
        assert_eq!(world.webhook_names().last(), Some(&"track_unpublished"));
    }
}

#[test]
fn a_section_given_to_another_announced_track_is_another_track() {
    let mut world = World::new();
    let doctor = world.join("doctor", Mode::V1);
    let patient = world.join("patient", Mode::V1);
    let camera = world.publish(patient, Kind::Video, "camera");
    world.ask(patient, Ask::AddTrack(add_track(Kind::Video, "screen")));
    let sections = &mut world.clients[patient].browser.sections;
    sections.last_mut().unwrap().cid = Some("screen".to_owned());
    world.offer(patient);
    let screen = world.clients[patient].published("screen").unwrap();
    assert_ne!(camera, screen);
    assert_eq!(world.hears(doctor), [screen]);
}

#[test]
fn mutes_go_both_ways_and_nobody_is_unmuted_from_afar() {
    let mut world = World::new();
    let doctor = world.join("doctor", Mode::V1);
    let patient = world.join("patient", Mode::V1);
    let mic = world.publish(patient, Kind::Audio, "mic");
    let mute = |muted| {
        Ask::Mute(proto::MuteTrackRequest {
            sid: mic.clone(),
            muted,
        })
    };
    let seen =
        |world: &World| world.clients[doctor].last_update("patient").unwrap().tracks[0].muted;
    world.ask(patient, mute(true));
    assert!(seen(&world) && world.held().tracks.values().all(|track| track.muted));
    world.ask(patient, mute(false));
    assert!(!seen(&world));
    world.ask(doctor, mute(true));
    assert!(!seen(&world), "a track is muted by its publisher");
    let request = |muted| proto::MuteRoomTrackRequest {
        room: "consult".to_owned(),
        identity: "patient".to_owned(),
        track_sid: mic.clone(),
        muted,
    };
    let now = world.now;
    let response = world
        .rooms
        .mute_published_track(now, &request(true))
        .unwrap();
    world.drain();
    assert!(response.track.unwrap().muted && seen(&world));
    assert!(
        matches!(
            world.clients[patient].received.last(),
            Some(Message::Mute(mute)) if mute.muted
        ) || world.clients[patient]
            .received
            .iter()
            .any(|message| { matches!(message, Message::Mute(mute) if mute.muted) })
    );
    assert!(
        world
            .rooms
            .mute_published_track(now, &request(false))
            .is_err()
    );
    world.ask(patient, mute(false));
    assert!(!seen(&world), "its publisher may");
}

#[test]
fn the_announced_codec_is_the_one_that_is_used() {
    let mut world = World::new();
    let patient = world.join("patient", Mode::V1);
    let mut request = add_track(Kind::Video, "camera");
    request.simulcast_codecs = vec![proto::SimulcastCodec {
        codec: "h264".to_owned(),
        cid: "camera".to_owned(),
        ..proto::SimulcastCodec::default()
    }];
    world.ask(patient, Ask::AddTrack(request));
    world.clients[patient]
        .browser
        .sections
        .push(Section::sending(Kind::Video, "camera"));
    world.offer(patient);
    let codec = |world: &World| world.held().tracks.values().next().unwrap().codec;
    assert_eq!(codec(&world), Codec::H264);
    world.offer(patient);
    assert_eq!(codec(&world), Codec::H264, "it stays so");
}

#[test]
fn a_backup_codec_is_noted_and_the_track_stays_the_same() {
    let mut world = World::new();
    let patient = world.join("patient", Mode::V1);
    let camera = world.publish(patient, Kind::Video, "camera");
    let mut request = add_track(Kind::Video, "backup");
    request.sid.clone_from(&camera);
    world.ask(patient, Ask::AddTrack(request));
    assert_eq!(world.clients[patient].published("backup"), Some(camera));
    assert_eq!(world.held().tracks.len(), 1);
}

#[test]
fn bad_descriptions_are_refused_with_a_reason_and_counted() {
    type Spoil = fn(String) -> String;
    let cases: [(&str, Spoil); 5] = [
        ("sdp_sdes", |sdp| {
            sdp.replace(
                "a=rtcp-mux\r\n",
                "a=rtcp-mux\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\n",
            )
        }),
        ("sdp_no_fingerprint", |sdp| {
            let lines = sdp
                .lines()
                .filter(|line| !line.starts_with("a=fingerprint"));
            lines.map(|line| format!("{line}\r\n")).collect()
        }),
        ("sdp_fingerprint_hash", |sdp| {
            sdp.replace("sha-256", "sha-1")
        }),
        ("sdp_profile", |sdp| {
            sdp.replace("UDP/TLS/RTP/SAVPF", "RTP/AVPF")
        }),
        ("sdp_malformed", |_| "not sdp".to_owned()),
    ];
    for (counter, spoil) in cases {
        let mut world = World::new();
        let patient = world.knock(claims("patient"), parameters(Mode::V1));
        let sdp = spoil(world.clients[patient].browser.offer());
        world.ask(patient, Ask::Offer(description("offer", sdp, 1)));
        assert_eq!(
            world.refused(counter),
            1,
            "{counter}: {:?}",
            world.rooms.status()
        );
        let response = &world.clients[patient].request_responses()[0];
        assert!(!response.message.is_empty());
        let leave = &world.clients[patient].leaves()[0];
        assert_eq!(leave.reason, DisconnectReason::MediaFailure as i32);
        assert_eq!(leave.action, Action::Disconnect as i32);
        assert_eq!(world.rooms.status().participants, 0);
    }
}

#[test]
fn a_bad_later_description_starts_the_session_anew() {
    let mut world = World::new();
    let patient = world.join("patient", Mode::V1);
    let offer = description("offer", "v=0\r\n".to_owned(), 2);
    world.ask(patient, Ask::Offer(offer));
    let leave = &world.clients[patient].leaves()[0];
    assert_eq!(leave.action, Action::Reconnect as i32);
}

#[test]
fn candidates_are_read_and_need_nothing_done() {
    let mut world = World::new();
    let patient = world.join("patient", Mode::V1);
    let trickle = |init: &str| {
        Ask::Trickle(proto::TrickleRequest {
            candidate_init: init.to_owned(),
            ..proto::TrickleRequest::default()
        })
    };
    let candidate = "candidate:1 1 udp 2122260223 192.0.2.1 54321 typ host";
    world.ask(
        patient,
        trickle(&format!(
            r#"{{"candidate":"{candidate}","sdpMid":"0","sdpMLineIndex":0}}"#
        )),
    );
    world.ask(patient, trickle(r#"{"candidate":"","sdpMid":null}"#));
    assert_eq!(world.refused("candidate"), 0);
    world.ask(patient, trickle("{"));
    world.ask(patient, trickle(r#"{"candidate":"nonsense"}"#));
    assert_eq!(world.refused("candidate"), 2);
}
