//! Who receives what, and what publishers learn of it.

use super::*;
use crate::Reception;
use bedside_protocol::{Layer, PeerStatistics, SpeakerLevel, TrackId};
use proto::{StreamState, SubscriptionError, VideoQuality};

/// A doctor who sees what a patient's camera shows.
fn consult() -> (World, Who, Who, String) {
    let mut world = World::new();
    let doctor = world.join("doctor", Mode::V1);
    let patient = world.join("patient", Mode::V1);
    let camera = world.publish(patient, Kind::Video, "camera");
    (world, doctor, patient, camera)
}

fn setting(sid: &str, change: impl FnOnce(&mut proto::UpdateTrackSettings)) -> Ask {
    let mut setting = proto::UpdateTrackSettings {
        track_sids: vec![sid.to_owned()],
        quality: VideoQuality::High as i32,
        ..proto::UpdateTrackSettings::default()
    };
    change(&mut setting);
    Ask::TrackSetting(setting)
}

fn subscription(sid: &str, subscribe: bool) -> Ask {
    Ask::Subscription(proto::UpdateSubscription {
        track_sids: vec![sid.to_owned()],
        subscribe,
        ..proto::UpdateSubscription::default()
    })
}

fn qualities(world: &World, who: Who) -> Vec<Vec<bool>> {
    world.clients[who].all(|message| match message {
        Message::SubscribedQualityUpdate(update) => {
            let codec = &update.subscribed_codecs[0];
            assert_eq!((codec.codec.as_str(), codec.qualities.len()), ("vp8", 3));
            #[expect(deprecated, reason = "older clients read it")]
            let old = &update.subscribed_qualities;
            assert_eq!(old, &codec.qualities);
            Some(codec.qualities.iter().map(|one| one.enabled).collect())
        }
        _ => None,
    })
}

fn only_subscription(world: &World) -> bedside_protocol::Subscription {
    let held = world.held();
    assert_eq!(held.subscriptions.len(), 1);
    held.subscriptions.values().next().unwrap().clone()
}

fn only_track(world: &World) -> TrackId {
    *world.held().tracks.keys().next().unwrap()
}

#[test]
fn when_sections_run_out_the_client_is_asked_for_exactly_as_many() {
    let mut world = World::new();
    let watcher = world.join("watcher", Mode::V1);
    for number in 0..5 {
        let who = world.join(&format!("patient-{number}"), Mode::V1);
        world.publish(who, Kind::Video, &format!("camera-{number}"));
    }
    assert_eq!(world.hears(watcher).len(), 5);
    let videos: u32 = world.clients[watcher]
        .all(|message| match message {
            Message::MediaSectionsRequirement(wanted) => {
                assert_eq!(wanted.num_audios, 0);
                Some(wanted.num_videos)
            }
            _ => None,
        })
        .iter()
        .sum();
    assert_eq!(videos, 2, "three were there from the start");
}

#[test]
fn an_ended_tracks_section_serves_the_next_track() {
    for mode in [Mode::V1, Mode::V0] {
        let mut world = World::new();
        let doctor = world.join("doctor", mode);
        for number in 0..6 {
            let patient = world.join("patient", Mode::V1);
            let sid = world.publish(patient, Kind::Video, &format!("camera-{number}"));
            assert_eq!(world.hears(doctor), [sid]);
            world.ask(patient, Ask::Leave(proto::LeaveRequest::default()));
            world.settle();
            assert!(world.hears(doctor).is_empty());
        }
        let sections = sdp::read(&world.clients[doctor].description);
        assert!(sections.len() <= 7, "{mode:?}: {}", sections.len());
    }
}

#[test]
fn a_section_is_silent_once_between_two_tracks() {
    for mode in [Mode::V1, Mode::V0] {
        let mut world = World::new();
        let doctor = world.join("doctor", mode);
        let patient = world.join("patient", Mode::V1);
        let first = world.publish(patient, Kind::Video, "camera");
        assert_eq!(world.hears(doctor), std::slice::from_ref(&first));
        // It comes again before the doctor has heard that it left.
        let mut parameters = parameters(Mode::V1);
        let mut browser = Browser::new(9);
        browser
            .sections
            .push(Section::sending(Kind::Video, "camera"));
        parameters.publisher_offer = Some(description("offer", browser.offer(), 1));
        parameters.add_tracks = vec![add_track(Kind::Video, "camera")];
        let again = world.knock(claims("patient"), parameters);
        (world.clients[again].offer_id, world.clients[again].obeys) = (1, false);
        world.settle();
        let second = world.clients[again].published("camera").unwrap();
        assert_ne!(first, second);
        assert_eq!(world.hears(doctor), [second]);
    }
}

#[test]
fn a_v0_client_gets_one_offer_at_a_time_with_growing_ids() {
    let mut world = World::new();
    let watcher = world.knock(claims("watcher"), parameters(Mode::V0));
    let offers = |world: &World| {
        world.clients[watcher].all(|message| match message {
            Message::Offer(offer) => Some(offer.id),
            _ => None,
        })
    };
    assert_eq!(offers(&world), [1], "at once, without any track");
    // It does not answer yet.
    world.clients[watcher].inbox.clear();
    for number in 0..3 {
        let mut parameters = parameters(Mode::V1);
        let mut browser = Browser::new(50 + number);
        browser.sections.push(Section::sending(Kind::Audio, "mic"));
        parameters.publisher_offer = Some(description("offer", browser.offer(), 1));
        parameters.add_tracks = vec![add_track(Kind::Audio, "mic")];
        let patient = world.knock(claims(&format!("patient-{number}")), parameters);
        (
            world.clients[patient].offer_id,
            world.clients[patient].obeys,
        ) = (1, false);
    }
    assert_eq!(offers(&world), [1]);
    let Some(Message::Offer(first)) = world.clients[watcher]
        .received
        .iter()
        .find(|message| matches!(message, Message::Offer(_)))
        .cloned()
    else {
        unreachable!()
    };
    let stale = description("answer", String::new(), 99);
    world.ask(watcher, Ask::Answer(stale));
    assert_eq!(world.refused("stale_answer"), 1);
    let answer = world.clients[watcher].subscriber.answer(&first.sdp);
    world.ask(watcher, Ask::Answer(description("answer", answer, 0)));
    world.settle();
    assert_eq!(offers(&world), [1, 2], "all that changed meanwhile in one");
    assert_eq!(world.hears(watcher).len(), 3);
}

#[test]
fn without_auto_subscribe_only_what_is_chosen_comes() {
    let (mut world, _, _, camera) = consult();
    let mut parameters = parameters(Mode::V1);
    parameters.auto_subscribe = false;
    let mut browser = Browser::new(3);
    parameters.publisher_offer = Some(description("offer", browser.offer(), 1));
    let picky = world.knock(claims("picky"), parameters);
    world.clients[picky].offer_id = 1;
    world.clients[picky].browser = browser;
    world.settle();
    world.connect_peers();
    assert!(world.hears(picky).is_empty());
    world.ask(picky, subscription(&camera, true));
    world.settle();
    assert_eq!(world.hears(picky), std::slice::from_ref(&camera));
    world.ask(picky, subscription(&camera, false));
    world.settle();
    assert!(world.hears(picky).is_empty());
    world.ask(picky, subscription("TR_nothing", true));
    let errors = world.clients[picky].all(|message| match message {
        Message::SubscriptionResponse(response) => Some(response.err),
        _ => None,
    });
    assert_eq!(errors, [SubscriptionError::SeTrackNotfound as i32]);
}

#[test]
fn a_choice_made_before_a_track_exists_holds() {
    let (mut world, doctor, patient, _) = consult();
    world.ask(patient, Ask::AddTrack(add_track(Kind::Audio, "mic")));
    let mic = world.clients[patient].published("mic").unwrap();
    world.ask(doctor, subscription(&mic, false));
    world.clients[patient]
        .browser
        .sections
        .push(Section::sending(Kind::Audio, "mic"));
    world.offer(patient);
    assert!(!world.hears(doctor).contains(&mic));
}

#[test]
fn who_may_not_subscribe_receives_nothing() {
    let (mut world, ..) = consult();
    let deaf = world.join_as(
        claims_with(
            "deaf",
            VideoGrant {
                can_subscribe: Some(false),
                ..grant()
            },
        ),
        Mode::V1,
    );
    assert!(world.hears(deaf).is_empty());
    let Message::Join(join) = &world.clients[deaf].received[0] else {
        panic!("join")
    };
    assert!(!join.subscriber_primary);
}

#[test]
fn settings_choose_the_layer_and_pause() {
    let (mut world, doctor, _, camera) = consult();
    assert_eq!(only_subscription(&world).layer_max, Layer::High);
    world.ask(
        doctor,
        setting(&camera, |one| one.quality = VideoQuality::Low as i32),
    );
    assert_eq!(only_subscription(&world).layer_max, Layer::Low);
    world.ask(
        doctor,
        setting(&camera, |one| (one.width, one.height) = (600, 340)),
    );
    assert_eq!(
        only_subscription(&world).layer_max,
        Layer::Medium,
        "size wins"
    );
    world.ask(
        doctor,
        setting(&camera, |one| (one.fps, one.priority) = (15, 1)),
    );
    let subscription = only_subscription(&world);
    assert_eq!(subscription.frame_rate_max, Some(15));
    assert_eq!(subscription.priority, 1);
    world.ask(
        doctor,
        setting(&camera, |one| (one.fps, one.priority) = (0, 1_000)),
    );
    let subscription = only_subscription(&world);
    assert_eq!(subscription.frame_rate_max, None);
    assert_eq!(subscription.priority, 255);
    world.ask(doctor, setting(&camera, |one| one.disabled = true));
    assert!(only_subscription(&world).paused);
    world.ask(doctor, setting(&camera, |one| one.disabled = false));
    assert!(!only_subscription(&world).paused);
}

#[test]
fn choices_for_ended_tracks_are_forgotten() {
    let (mut world, doctor, patient, camera) = consult();
    world.ask(doctor, setting(&camera, |one| one.disabled = true));
    world.ask(doctor, subscription(&camera, true));
    let kept = |world: &World| {
        let room = world.rooms.rooms().next().unwrap();
        let doctor = room.member_called("doctor").unwrap();
        let doctor = &room.members[&doctor];
        doctor.settings.len() + doctor.choices.len()
    };
    assert_eq!(kept(&world), 2);
    let sections = &mut world.clients[patient].browser.sections;
    sections.last_mut().unwrap().direction = "inactive";
    world.offer(patient);
    assert_eq!(kept(&world), 0);
}

#[test]
fn publishers_are_asked_for_more_at_once_and_for_less_after_a_while() {
    let (mut world, doctor, patient, camera) = consult();
    assert!(
        qualities(&world, patient).is_empty(),
        "everything is wanted"
    );
    world.ask(
        doctor,
        setting(&camera, |one| one.quality = VideoQuality::Low as i32),
    );
    world.pass_ms(4_900);
    assert!(qualities(&world, patient).is_empty());
    world.pass_ms(200);
    assert_eq!(qualities(&world, patient), [[true, false, false]]);
    let second = world.join("nurse", Mode::V0);
    assert_eq!(
        qualities(&world, patient).last().unwrap(),
        &[true, true, true]
    );
    world.ask(second, setting(&camera, |one| one.disabled = true));
    world.ask(doctor, setting(&camera, |one| one.disabled = true));
    world.pass_ms(5_100);
    assert_eq!(
        qualities(&world, patient).last().unwrap(),
        &[false, false, false]
    );
    world.ask(
        doctor,
        setting(&camera, |one| one.quality = VideoQuality::Medium as i32),
    );
    assert_eq!(
        qualities(&world, patient).last().unwrap(),
        &[true, true, false]
    );
}

#[test]
fn the_first_subscriber_is_noticed_once() {
    let mut world = World::new();
    let patient = world.join("patient", Mode::V1);
    let mic = world.publish(patient, Kind::Audio, "mic");
    let noticed = |world: &World| {
        world.clients[patient].all(|message| match message {
            Message::TrackSubscribed(notice) => Some(notice.track_sid.clone()),
            _ => None,
        })
    };
    assert!(noticed(&world).is_empty());
    world.join("doctor", Mode::V1);
    world.join("nurse", Mode::V1);
    assert_eq!(noticed(&world), [mic]);
}

#[test]
fn subscription_permission_is_enforced_told_and_can_be_given_back() {
    let (mut world, doctor, patient, camera) = consult();
    let nurse = world.join("nurse", Mode::V1);
    let permit = |everyone, identity: &str, tracks: &[&String]| {
        Ask::SubscriptionPermission(proto::SubscriptionPermission {
            all_participants: everyone,
            track_permissions: vec![proto::TrackPermission {
                participant_identity: identity.to_owned(),
                track_sids: tracks.iter().map(|&sid| sid.clone()).collect(),
                ..proto::TrackPermission::default()
            }],
        })
    };
    let told = |world: &World, who: Who| {
        world.clients[who].all(|message| match message {
            Message::SubscriptionPermissionUpdate(update) => {
                assert_eq!(update.track_sid, camera);
                assert_eq!(update.participant_sid, world.clients[patient].sid);
                Some(update.allowed)
            }
            _ => None,
        })
    };
    world.ask(patient, permit(false, "doctor", &[&camera]));
    world.settle();
    assert_eq!(world.hears(doctor), std::slice::from_ref(&camera));
    assert!(world.hears(nurse).is_empty());
    assert_eq!(told(&world, nurse), [false]);
    assert!(told(&world, doctor).is_empty());
    world.ask(nurse, subscription(&camera, true));
    world.settle();
    assert!(world.hears(nurse).is_empty());
    let latecomer = world.join("latecomer", Mode::V1);
    assert!(world.hears(latecomer).is_empty());
    world.ask(patient, permit(true, "", &[]));
    world.settle();
    assert_eq!(world.hears(nurse), std::slice::from_ref(&camera));
    assert_eq!(world.hears(latecomer), std::slice::from_ref(&camera));
    assert_eq!(told(&world, nurse).last(), Some(&true));
}

#[test]
fn speakers_and_qualities_are_told_in_livekits_terms() {
    let (mut world, doctor, patient, _) = consult();
    let mic = world.publish(patient, Kind::Audio, "mic");
    assert!(!mic.is_empty());
    let room = world.room();
    let track = *world
        .held()
        .tracks
        .iter()
        .find(|(_, track)| track.codec == bedside_protocol::Codec::Opus)
        .unwrap()
        .0;
    let levels = vec![SpeakerLevel {
        track,
        level: 0.5,
        active: true,
    }];
    world.event(room, Event::Speakers { levels });
    let speakers = world.clients[doctor].all(|message| match message {
        Message::SpeakersChanged(changed) => Some(changed.speakers[0].clone()),
        _ => None,
    });
    assert_eq!(speakers[0].sid, world.clients[patient].sid);
    assert!(speakers[0].active && speakers[0].level > 0.4);

    let peer = world.peer(patient);
    let report = |world: &mut World, loss| {
        let peers = vec![PeerStatistics {
            peer: Some(peer),
            rtt_ms: Some(40.0),
            downlink_loss: loss,
            estimate_bps: Some(900_000),
            ..PeerStatistics::default()
        }];
        world.event(
            room,
            Event::Statistics {
                peers,
                tracks: Vec::new(),
            },
        );
    };
    let whom = world.clients[patient].sid.clone();
    let grades = |world: &World, who: Who| {
        let grade = |update: &proto::ConnectionQualityUpdate| {
            let mut updates = update.updates.iter();
            updates
                .find(|one| one.participant_sid == whom)?
                .quality
                .into()
        };
        world.clients[who].all(|message| match message {
            Message::ConnectionQuality(update) => grade(update),
            _ => None,
        })
    };
    use proto::ConnectionQuality::{Excellent, Lost, Poor};
    report(&mut world, 0.0);
    report(&mut world, 0.0);
    assert!(grades(&world, doctor).is_empty(), "not before five seconds");
    world.pass_ms(5_100);
    report(&mut world, 0.0);
    world.pass_ms(5_100);
    report(&mut world, 0.2);
    world.pass_ms(5_100);
    assert_eq!(
        grades(&world, doctor),
        [Excellent as i32, Poor as i32],
        "only changes"
    );
    assert_eq!(
        grades(&world, patient),
        grades(&world, doctor),
        "oneself too"
    );
    let connections = world.rooms.connections("consult").unwrap();
    let connection = connections.iter().find(|one| one.participant_sid == whom);
    let connection = connection.unwrap();
    assert_eq!(connection.quality.as_deref(), Some("poor"));
    assert_eq!(connection.estimate_bps, Some(900_000));
    assert!(connection.loss_down > 0.1 && connection.round_trip_ms > Some(39.0));
    let scores = world
        .measures
        .iter()
        .filter(|one| matches!(one, Measure::Score(_)));
    assert_eq!(scores.count(), 6, "two participants, three times");
    // Who comes later learns how the others are.
    let nurse = world.join("nurse", Mode::V1);
    report(&mut world, 0.2);
    world.pass_ms(5_100);
    assert_eq!(grades(&world, nurse), [Poor as i32]);
    world.event(room, Event::PeerDisconnected { peer });
    assert_eq!(grades(&world, nurse), [Poor as i32, Lost as i32], "at once");
}

#[test]
fn streams_that_the_network_stops_are_told_of_but_not_those_that_people_stop() {
    let (mut world, doctor, patient, camera) = consult();
    let (room, track) = (world.room(), only_track(&world));
    let subscriber = world.receiving_peer(doctor);
    let layer = |world: &mut World, layer| {
        world.event(
            room,
            Event::SubscriptionLayer {
                subscriber,
                track,
                layer,
            },
        );
    };
    let pause = |world: &mut World, paused| {
        world.event(
            room,
            Event::SubscriptionPaused {
                subscriber,
                track,
                paused,
            },
        );
    };
    let states = |world: &World| {
        world.clients[doctor].all(|message| match message {
            Message::StreamStateUpdate(update) => Some(update.stream_states[0].state),
            _ => None,
        })
    };
    let received = |world: &World| {
        let connections = world.rooms.connections("consult").unwrap();
        let received = connections.into_iter().flat_map(|one| one.receives).next();
        let received = received.unwrap();
        (received.state, received.layer)
    };
    layer(&mut world, Some(Layer::Low));
    layer(&mut world, None);
    assert!(
        states(&world).is_empty(),
        "waiting for a key frame is no pause"
    );
    pause(&mut world, true);
    pause(&mut world, true);
    assert_eq!(received(&world), (Reception::Paused, None));
    world.pass_ms(3_000);
    pause(&mut world, false);
    assert_eq!(
        states(&world),
        [StreamState::Paused as i32, StreamState::Active as i32]
    );
    let paused = world.measures.iter().find_map(|one| match one {
        Measure::PausedSeconds(seconds) => Some(*seconds),
        _ => None,
    });
    assert_eq!(paused, Some(3.0));
    pause(&mut world, true);
    layer(&mut world, Some(Layer::Medium));
    assert_eq!(states(&world).len(), 4, "what is sent is not paused");
    let layer_now = Some("medium".to_owned());
    assert_eq!(received(&world), (Reception::Active, layer_now));
    world.ask(
        patient,
        Ask::Mute(proto::MuteTrackRequest {
            sid: camera,
            muted: true,
        }),
    );
    pause(&mut world, true);
    assert_eq!(states(&world).len(), 4, "a mute is no pause");
    assert_eq!(received(&world).0, Reception::Muted);
}

#[test]
fn a_picture_that_the_network_holds_back_lowers_the_quality() {
    let (mut world, doctor, _, _) = consult();
    let (room, track) = (world.room(), only_track(&world));
    let subscriber = world.receiving_peer(doctor);
    let peer = world.peer(doctor);
    let layers = [Layer::Low, Layer::Medium, Layer::High];
    let active = layers.map(|layer| bedside_protocol::LayerActivity {
        layer,
        bitrate_bps: 100_000,
    });
    let active = active.to_vec();
    world.event(room, Event::TrackLayers { track, active });
    let mut quality_with = |layer: Layer| {
        let layer = Some(layer);
        world.event(
            room,
            Event::SubscriptionLayer {
                subscriber,
                track,
                layer,
            },
        );
        let statistics = PeerStatistics {
            peer: Some(peer),
            ..PeerStatistics::default()
        };
        world.event(
            room,
            Event::Statistics {
                peers: vec![statistics],
                tracks: Vec::new(),
            },
        );
        world.pass_ms(5_100);
        let connections = world.rooms.connections("consult").unwrap();
        connections[0].quality.clone().unwrap()
    };
    assert_eq!(quality_with(Layer::High), "excellent");
    assert_eq!(quality_with(Layer::Medium), "good");
    assert_eq!(quality_with(Layer::Low), "poor");
}

#[test]
fn publishers_are_asked_for_nothing_less_before_somebody_came() {
    let mut world = World::new();
    let patient = world.join("patient", Mode::V1);
    world.publish(patient, Kind::Video, "camera");
    world.pass_ms(20_000);
    assert!(qualities(&world, patient).is_empty());
}

#[test]
fn a_codec_that_the_client_does_not_know_is_refused_once() {
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
    let mut parameters = parameters(Mode::V1);
    let without: String = Browser::new(9)
        .offer()
        .replace("96 97 102 103", "96 97")
        .lines()
        .filter(|line| !line.contains(":102 ") && !line.contains(":103 "))
        .map(|line| format!("{line}\r\n"))
        .collect();
    parameters.publisher_offer = Some(description("offer", without.clone(), 1));
    let old = world.knock(claims("old"), parameters);
    world.clients[old].offer_id = 1;
    world.settle();
    world.clients[old].offer_id = 2;
    world.ask(old, Ask::Offer(description("offer", without, 2)));
    let errors = world.clients[old].all(|message| match message {
        Message::SubscriptionResponse(response) => Some(response.err),
        _ => None,
    });
    assert_eq!(errors, [SubscriptionError::SeCodecUnsupported as i32]);
    assert!(world.hears(old).is_empty());
}
