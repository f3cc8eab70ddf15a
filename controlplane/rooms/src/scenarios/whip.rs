//! WHIP publishers and WHEP viewers.

use super::*;
use crate::{Refusal, WHEP_PUBLISHER, WebrtcAnswer};

/// An encoder's offer: sound and picture, sent only.
fn encoder(seed: u8) -> Browser {
    let mut browser = Browser::publisher(seed);
    browser.sections = vec![
        Section::sending(Kind::Audio, "sound"),
        Section::sending(Kind::Video, "picture"),
    ];
    browser
}

/// A player's offer: sound and picture, received only.
fn player(seed: u8) -> Browser {
    let mut browser = Browser::publisher(seed);
    browser.sections = vec![
        Section::receiving(Kind::Audio),
        Section::receiving(Kind::Video),
    ];
    browser
}

fn publish(
    world: &mut World,
    claims: &Claims,
    browser: &mut Browser,
) -> Result<WebrtcAnswer, Refusal> {
    let answer = world
        .rooms
        .whip_publish(world.now, claims, &browser.offer());
    world.drain();
    world.settle();
    world.connect_peers();
    answer
}

fn play(
    world: &mut World,
    claims: &Claims,
    browser: &mut Browser,
) -> Result<WebrtcAnswer, Refusal> {
    let answer = world.rooms.whep_play(world.now, claims, &browser.offer());
    world.drain();
    world.settle();
    world.connect_peers();
    answer
}

#[test]
fn a_whip_publisher_is_a_participant_like_any_other() {
    let mut world = World::new();
    let doctor = world.join("doctor", Mode::V1);
    let answer = publish(&mut world, &claims("ultrasound"), &mut encoder(80)).unwrap();
    assert!(answer.resource.0.len() >= 22 && answer.etag.starts_with('"'));
    let sections = sdp::read(&answer.sdp);
    assert!(
        sections
            .iter()
            .all(|section| section.direction == "recvonly")
    );
    assert_eq!(world.hears(doctor).len(), 2);
    let info = world.clients[doctor].last_update("ultrasound").unwrap();
    let sources: Vec<i32> = info.tracks.iter().map(|track| track.source).collect();
    assert_eq!(
        sources,
        [
            proto::TrackSource::Microphone as i32,
            proto::TrackSource::Camera as i32
        ]
    );
    assert_eq!(world.rooms.status().webrtc_resources, 1);
    world.rooms.webrtc_end(world.now, &answer.resource).unwrap();
    world.drain();
    world.settle();
    assert!(world.hears(doctor).is_empty());
    let gone = world.rooms.webrtc_end(world.now, &answer.resource);
    assert_eq!(gone.unwrap_err().status, 404);
}

#[test]
fn a_refused_offer_leaves_nothing_behind() {
    let mut world = World::new();
    let status = |answer: Result<WebrtcAnswer, Refusal>| answer.unwrap_err().status;
    let mut spoilt = |offer: &str| {
        let now = world.now;
        let answer = world.rooms.whip_publish(now, &claims("ultrasound"), offer);
        world.drain();
        answer.unwrap_err().status
    };
    assert_eq!(spoilt("v=0"), 400);
    let sdes = encoder(80).offer().replace(
        "a=rtcp-mux\r\n",
        "a=rtcp-mux\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\n",
    );
    assert_eq!(spoilt(&sdes), 400);
    assert_eq!(world.refused("sdp_sdes"), 1);
    assert_eq!(
        status(publish(&mut world, &Claims::default(), &mut encoder(80))),
        401
    );
    let listener = claims_with(
        "ultrasound",
        VideoGrant {
            can_publish: Some(false),
            ..grant()
        },
    );
    assert_eq!(
        status(publish(&mut world, &listener, &mut encoder(80))),
        403
    );
    assert_eq!(
        status(publish(&mut world, &claims("x"), &mut player(80))),
        400
    );
    assert_eq!(world.rooms.status().participants, 0);
    assert!(world.webhooks.is_empty() && world.plane.rooms.is_empty());
}

#[test]
fn a_whep_viewer_gets_the_first_sound_and_picture() {
    let mut world = World::new();
    let mut viewer = player(90);
    let refusal = play(&mut world, &claims("viewer"), &mut viewer).unwrap_err();
    assert_eq!(refusal.status, 409, "nothing to see yet");
    let doctor = world.join("doctor", Mode::V1);
    let mic = world.publish(doctor, Kind::Audio, "mic");
    let camera = world.publish(doctor, Kind::Video, "camera");
    let patient = world.join("patient", Mode::V1);
    let other = world.publish(patient, Kind::Video, "camera");
    let answer = play(&mut world, &claims("viewer"), &mut viewer).unwrap();
    let tracks = |answer: &WebrtcAnswer| -> Vec<String> {
        let sent = sdp::sent(&answer.sdp);
        sent.into_iter().map(|(_, _, track)| track).collect()
    };
    assert_eq!(tracks(&answer), [mic, camera]);
    let mut choosy = claims("choosy");
    choosy
        .attributes
        .insert(WHEP_PUBLISHER.to_owned(), "patient".to_owned());
    let answer = play(&mut world, &choosy, &mut player(91)).unwrap();
    assert_eq!(tracks(&answer), [other]);
    let deaf = claims_with(
        "deaf",
        VideoGrant {
            can_subscribe: Some(false),
            ..grant()
        },
    );
    assert_eq!(
        play(&mut world, &deaf, &mut player(92)).unwrap_err().status,
        403
    );
    assert_eq!(world.held().subscriptions.len(), 3 + 2 + 1);
}

#[test]
fn patches_trickle_and_restart_ice() {
    let mut world = World::new();
    let answer = publish(&mut world, &claims("ultrasound"), &mut encoder(80)).unwrap();
    let peer = *world.held().peers.keys().next().unwrap();
    let before = world.held().peers[&peer].clone();
    let patch = |world: &mut World, tag: Option<&str>, fragment: &str| {
        let patched = world
            .rooms
            .webrtc_patch(world.now, &answer.resource, tag, fragment);
        world.drain();
        patched
    };
    let credentials = |number: u32| {
        format!(
            "a=ice-ufrag:u080{number:03}\r\na=ice-pwd:{number:032}\r\n\
             m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n\
             a=candidate:1 1 udp 2122260223 192.0.2.1 54321 typ host\r\n"
        )
    };
    let etag = answer.etag.clone();
    assert!(
        patch(&mut world, Some(&etag), &credentials(1))
            .unwrap()
            .is_none()
    );
    assert_eq!(
        patch(&mut world, Some("\"old\""), &credentials(1))
            .unwrap_err()
            .status,
        412
    );
    assert_eq!(patch(&mut world, None, "garbage").unwrap_err().status, 400);
    let restarted = patch(&mut world, Some("*"), &credentials(2))
        .unwrap()
        .unwrap();
    assert_ne!(restarted.etag, etag);
    let after = &world.held().peers[&peer];
    assert_ne!(after.local, before.local);
    assert_ne!(after.remote, before.remote);
    assert!(restarted.sdpfrag.contains(&after.local.ufrag));
    assert_eq!(
        patch(&mut world, Some(&etag), &credentials(2))
            .unwrap_err()
            .status,
        412,
        "the old session's tag is of no use"
    );
}

#[test]
fn whip_sessions_survive_the_control_plane_and_end_with_their_transport() {
    let mut world = World::new();
    world.join("doctor", Mode::V1);
    let answer = publish(&mut world, &claims("ultrasound"), &mut encoder(80)).unwrap();
    let stored: Vec<crate::Snapshot> = world.stored.values().cloned().collect();
    world.rooms = Rooms::restore(Config::default(), [5; 32], world.now, stored);
    world.drain();
    world.connect_dataplane(1);
    world.connect_peers();
    world.pass_ms(60_000);
    assert_eq!(
        world.rooms.status().participants,
        1,
        "the doctor did not come back"
    );
    let fragment = "a=end-of-candidates\r\n";
    let patched = world
        .rooms
        .webrtc_patch(world.now, &answer.resource, None, fragment);
    assert!(patched.unwrap().is_none());
    let (room, peer) = (world.room(), *world.held().peers.keys().next().unwrap());
    world.event(room, closed(peer, CloseReason::IceTimeout));
    assert_eq!(world.rooms.status().participants, 0);
}
