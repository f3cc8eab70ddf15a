//! Rooms that are larger than one worker's share.

use super::dataplane::restart;
use super::*;
use bedside_protocol::{Relay, TrackId, WorkerId};
use std::collections::BTreeSet;

const HOME: WorkerId = WorkerId(0);
const OTHER: WorkerId = WorkerId(1);

fn world(participants_per_worker: u32) -> World {
    World::with(Config {
        participants_per_worker,
        ..Config::default()
    })
}

/// The worker that each of the given is on, by the peer that it receives on.
fn places(world: &World, who: &[Who]) -> Vec<u16> {
    let place = |who: &Who| world.held().placed[&world.receiving_peer(*who)].0;
    who.iter().map(place).collect()
}

fn track_of(world: &World, who: Who) -> TrackId {
    let publisher = world.peer(who);
    let mut tracks = world.held().tracks.values();
    let track = tracks.find(|track| track.publisher == publisher);
    track.expect("it publishes").track
}

fn relays(world: &World) -> BTreeSet<(TrackId, WorkerId)> {
    world.held().relays.keys().copied().collect()
}

fn relay_of(world: &World, track: TrackId) -> &Relay {
    &world.held().tracks[&track].relay
}

fn subscribe(world: &mut World, who: Who, sid: &str, subscribe: bool) {
    let subscription = proto::UpdateSubscription {
        track_sids: vec![sid.to_owned()],
        subscribe,
        ..proto::UpdateSubscription::default()
    };
    world.ask(who, Ask::Subscription(subscription));
    world.settle();
}

/// A doctor and a patient on the home worker, and a nurse on the other one. The doctor is heard and
/// the nurse is seen.
fn round(mode: Mode) -> (World, [Who; 3], [String; 2]) {
    let mut world = world(2);
    let [doctor, patient, nurse] =
        ["doctor", "patient", "nurse"].map(|identity| world.join(identity, mode));
    let microphone = world.publish(doctor, Kind::Audio, "doctor-mic");
    let camera = world.publish(nurse, Kind::Video, "nurse-camera");
    (world, [doctor, patient, nurse], [microphone, camera])
}

#[test]
fn what_is_wanted_on_another_worker_is_relayed_there_and_nothing_else() {
    for mode in [Mode::V1, Mode::V0] {
        let (mut world, who, [microphone, camera]) = round(mode);
        let [doctor, patient, nurse] = who;
        assert_eq!(places(&world, &who), [0, 0, 1]);
        for (who, port) in [(doctor, "40000"), (nurse, "40001")] {
            let description = &world.clients[who].description;
            assert!(description.contains(port), "{description}");
        }
        let (sound, picture) = (track_of(&world, doctor), track_of(&world, nurse));
        assert_eq!(world.hears(nurse), std::slice::from_ref(&microphone));
        assert_eq!(world.hears(patient).len(), 2);
        assert_eq!(
            relays(&world),
            BTreeSet::from([(sound, OTHER), (picture, HOME)])
        );
        assert_eq!(*relay_of(&world, sound), Relay::To(vec![OTHER]));
        assert_eq!(*relay_of(&world, picture), Relay::To(vec![HOME]));
        assert_eq!(
            world.held().relays[&(sound, OTHER)],
            bedside_protocol::Track {
                relay: Relay::From(HOME),
                ..world.held().tracks[&sound].clone()
            }
        );

        subscribe(&mut world, doctor, &camera, false);
        assert!(
            relays(&world).contains(&(picture, HOME)),
            "one still sees it"
        );
        subscribe(&mut world, patient, &camera, false);
        subscribe(&mut world, nurse, &microphone, false);
        assert!(relays(&world).is_empty());
        assert_eq!(*relay_of(&world, sound), Relay::None);
        assert_eq!(*relay_of(&world, picture), Relay::None);
        subscribe(&mut world, nurse, &microphone, true);
        assert_eq!(relays(&world), BTreeSet::from([(sound, OTHER)]));

        let mute = Ask::Mute(proto::MuteTrackRequest {
            sid: microphone,
            muted: true,
        });
        world.ask(doctor, mute);
        world.settle();
        assert!(world.held().relays[&(sound, OTHER)].muted);

        world.ask(nurse, Ask::Leave(proto::LeaveRequest::default()));
        world.settle();
        assert!(relays(&world).is_empty());
        assert_eq!(world.held().parts, BTreeSet::from([HOME]), "given back");
        world.ask(doctor, Ask::Leave(proto::LeaveRequest::default()));
        world.ask(patient, Ask::Leave(proto::LeaveRequest::default()));
        world.pass_ms(60_000);
        assert!(world.plane.rooms.is_empty());
    }
}

#[test]
fn participants_fill_one_worker_after_the_other() {
    let mut world = world(2);
    let who: Vec<Who> = ["a", "b", "c", "d", "e", "f"]
        .map(|identity| world.join(identity, Mode::V1))
        .to_vec();
    // When all have their share, the one with the fewest; of two, the one that is no home.
    assert_eq!(places(&world, &who), [0, 0, 1, 1, 1, 0]);
    // Whoever comes again takes its own place.
    let again = world.join("f", Mode::V1);
    assert_eq!(places(&world, &[again]), [0]);
    // A place on the home worker that is free again is taken first.
    world.ask(who[0], Ask::Leave(proto::LeaveRequest::default()));
    world.ask(who[1], Ask::Leave(proto::LeaveRequest::default()));
    world.settle();
    let late = world.join("late", Mode::V1);
    assert_eq!(places(&world, &[late]), [0]);
}

#[test]
fn a_consult_never_spans() {
    let mut world = World::new();
    let who: Vec<Who> = ["a", "b", "c", "d"]
        .map(|identity| world.join(identity, Mode::V1))
        .to_vec();
    assert_eq!(places(&world, &who), [0; 4]);
    assert_eq!(world.held().parts, BTreeSet::from([HOME]));
}

#[test]
fn every_part_is_adopted_after_a_restart() {
    for mode in [Mode::V1, Mode::V0] {
        let (mut world, ..) = round(mode);
        let room = world.room();
        let before = world.held().clone();
        restart(&mut world, 9);
        // What the data plane held is named again from nothing, by a new generation.
        let home = before.worker;
        let worker = plane::Held {
            worker: home,
            ..plane::Held::default()
        };
        world.plane.rooms.insert(room, worker);
        world.plane.reconciled.clear();
        world.connect_dataplane(1);
        assert_eq!(*world.held(), before);
        let parts = BTreeSet::from([(room, HOME), (room, OTHER)]);
        assert_eq!(world.plane.reconciled, parts);
    }
}

#[test]
fn a_part_that_nobody_knows_of_goes() {
    let mut world = World::new();
    world.join("doctor", Mode::V1);
    let room = world.room();
    world.input(Input::Dataplane(DataplaneInput::Disconnected));
    let held = world.plane.rooms.get_mut(&room).unwrap();
    held.parts.insert(OTHER);
    world.connect_dataplane(1);
    assert_eq!(world.held().parts, BTreeSet::from([HOME]));
}
