//! Desired state: idempotent, ordered by generation, bounded.

use super::harness::*;
use bedside_protocol::limits::{SUBSCRIPTIONS_PER_PEER_MAX, TRACKS_PER_PEER_MAX};
use bedside_protocol::{Command, Event, Generation, Layer, PeerId, TrackId};

fn call() -> (World, Stream) {
    let mut world = World::new();
    world.publisher(1);
    world.subscriber(2);
    name_everything(&mut world);
    (world, audio_stream(1))
}

fn name_everything(world: &mut World) {
    world.room(ROOM);
    world.ensure_peer(ROOM, 1, PUBLISHER_IDS);
    world.ensure_peer(ROOM, 2, SUBSCRIBER_IDS);
    let track = audio_track(1, 1);
    world.command(Command::EnsureTrack(track.clone()));
    world.command(Command::EnsureSubscription(subscription(2, &track)));
}

fn refused(world: &mut World, command: Command) -> bool {
    world.take_events();
    world.command(command);
    world
        .take_events()
        .iter()
        .any(|event| matches!(event, Event::Refused { .. }))
}

#[test]
fn saying_it_again_changes_nothing() {
    let (mut world, mut sound) = call();
    world.send(&mut sound, &[1; 20]);
    for generation in [1, 1, 2, 3] {
        world.generation = Generation(generation);
        name_everything(&mut world);
        world.command(Command::Reconcile);
        world.send(&mut sound, &[1; 20]);
    }
    let received = world.take(2);
    assert_eq!(received.len(), 5);
    assert!(
        received
            .windows(2)
            .all(|pair| pair[1].index == pair[0].index + 1)
    );
    assert!(!world.take_events().iter().any(|event| matches!(
        event,
        Event::Refused { .. } | Event::SubscriptionLayer { layer: None, .. }
    )));
}

#[test]
fn what_a_new_control_plane_does_not_name_is_gone() {
    let (mut world, mut sound) = call();
    world.subscriber(3);
    let track = audio_track(1, 1);
    world.command(Command::EnsureSubscription(subscription(3, &track)));
    let mut extra = video_track(2, 1);
    extra.mid = mid("w");
    world.command(Command::EnsureTrack(extra));
    world.generation = Generation(2);
    name_everything(&mut world);
    world.send(&mut sound, &[1; 20]);
    assert_eq!(world.take(3).len(), 1, "until it has named everything");
    world.command(Command::Reconcile);
    world.send(&mut sound, &[1; 20]);
    assert_eq!((world.take(2).len(), world.take(3).len()), (2, 0));
    assert!(refused(
        &mut world,
        Command::RequestKeyFrame { track: TrackId(2) }
    ));

    world.generation = Generation(3);
    world.command(Command::Reconcile);
    world.send(&mut sound, &[1; 20]);
    assert_eq!(world.take(2), [], "the room itself was not named");
    assert!(world.forwarder.statistics().dropped_unknown_peer > 0);
}

#[test]
fn a_subscription_that_was_not_named_again_ends() {
    let (mut world, mut sound) = call();
    world.generation = Generation(2);
    world.room(ROOM);
    world.ensure_peer(ROOM, 1, PUBLISHER_IDS);
    world.ensure_peer(ROOM, 2, SUBSCRIBER_IDS);
    world.command(Command::EnsureTrack(audio_track(1, 1)));
    world.command(Command::Reconcile);
    world.send(&mut sound, &[1; 20]);
    assert_eq!(world.take(2), []);
}

#[test]
fn a_replaced_control_plane_cannot_undo_its_successor() {
    let (mut world, mut sound) = call();
    world.generation = Generation(2);
    name_everything(&mut world);
    world.generation = Generation(1);
    world.command(Command::RemoveTrack { track: TrackId(1) });
    world.command(Command::RemoveRoom);
    world.send(&mut sound, &[1; 20]);
    assert_eq!(world.take(2).len(), 1);
    assert_eq!(world.forwarder.statistics().stale_commands, 2);
}

#[test]
fn an_ssrc_is_used_once_under_a_key() {
    let (mut world, mut sound) = call();
    world.send(&mut sound, &[1; 20]);
    let track = audio_track(1, 1);
    world.command(Command::RemoveSubscription {
        subscriber: PeerId(2),
        track: TrackId(1),
    });
    let again = Command::EnsureSubscription(subscription(2, &track));
    assert!(refused(&mut world, again));
    let mut fresh = subscription(2, &track);
    fresh.ssrc = 5;
    assert!(!refused(
        &mut world,
        Command::EnsureSubscription(fresh.clone())
    ));
    world.send(&mut sound, &[1; 20]);
    // A live subscription can move to another SSRC, and never back.
    fresh.ssrc = 6;
    assert!(!refused(
        &mut world,
        Command::EnsureSubscription(fresh.clone())
    ));
    world.send(&mut sound, &[1; 20]);
    fresh.ssrc = 5;
    assert!(refused(&mut world, Command::EnsureSubscription(fresh)));
    world.send(&mut sound, &[1; 20]);
    let ssrcs: Vec<_> = world.take(2).iter().map(|packet| packet.ssrc).collect();
    assert_eq!(ssrcs, [2_010, 5, 6, 6]);
    assert_eq!(world.forwarder.statistics().seal_refused, 0);
}

#[test]
fn keys_are_taken_once() {
    let (mut world, mut sound) = call();
    world.send(&mut sound, &[1; 20]);
    let first = world.take(2)[0].index;
    // The same peer again, with a client that still has its old state.
    let client = world.clients.remove(&2).expect("known");
    world.peer(ROOM, 2, SUBSCRIBER_IDS);
    world.clients.insert(2, client);
    world.send(&mut sound, &[1; 20]);
    assert_eq!(world.take(2)[0].index, first + 1);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let (mut world, _) = call();
    let track = audio_track(1, 1);
    let mut two_of_a_layer = video_track(5, 1);
    two_of_a_layer.encodings[1].layer = Layer::Low;
    let mut none = video_track(5, 1);
    none.encodings.clear();
    let mut stranger = video_track(5, 9);
    stranger.mid = mid("z");
    let mut taken_over = track.clone();
    taken_over.publisher = PeerId(2);
    let mut other_codec = video_track(1, 1);
    other_codec.mid = mid("a");
    let mut one_ssrc = subscription(2, &video_track(5, 1));
    one_ssrc.track = TrackId(1);
    one_ssrc.rtx_ssrc = Some(one_ssrc.ssrc);
    let mut nobody = subscription(9, &track);
    nobody.ssrc = 1;
    let mut nothing = subscription(2, &track);
    nothing.track = TrackId(77);
    for command in [
        Command::EnsureTrack(two_of_a_layer),
        Command::EnsureTrack(none),
        Command::EnsureTrack(stranger),
        Command::EnsureTrack(taken_over),
        Command::EnsureTrack(other_codec),
        Command::EnsureSubscription(one_ssrc),
        Command::EnsureSubscription(nobody),
        Command::EnsureSubscription(nothing),
        Command::RequestKeyFrame { track: TrackId(77) },
    ] {
        assert!(refused(&mut world, command.clone()), "{command:?}");
    }
}

#[test]
fn tracks_and_subscriptions_are_bounded() {
    let (mut world, _) = call();
    world.command(Command::RemoveTrack { track: TrackId(1) });
    let tracks = u64::try_from(TRACKS_PER_PEER_MAX).expect("few");
    for id in 1..=tracks {
        assert!(!refused(
            &mut world,
            Command::EnsureTrack(audio_track(100 + id, 1))
        ));
    }
    assert!(refused(
        &mut world,
        Command::EnsureTrack(audio_track(99, 1))
    ));
    let publishers = SUBSCRIPTIONS_PER_PEER_MAX.div_ceil(TRACKS_PER_PEER_MAX) + 1;
    let mut accepted = 0;
    for publisher in 10..10 + u64::try_from(publishers).expect("few") {
        world.ensure_peer(ROOM, publisher, PUBLISHER_IDS);
        for id in 0..tracks {
            let track = audio_track(1_000 * publisher + id, publisher);
            world.command(Command::EnsureTrack(track.clone()));
            let mut wanted = subscription(2, &track);
            wanted.ssrc = 50_000 + u32::try_from(track.track.0).expect("small");
            accepted += usize::from(!refused(&mut world, Command::EnsureSubscription(wanted)));
        }
    }
    assert_eq!(accepted, SUBSCRIPTIONS_PER_PEER_MAX);
}

#[test]
fn encodings_may_come_and_go() {
    let mut world = World::new();
    world.publisher(1);
    world.subscriber(2);
    let mut track = video_track(2, 1);
    world.command(Command::EnsureTrack(track.clone()));
    world.command(Command::EnsureSubscription(subscription(2, &track)));
    let mut high = video_stream(1, Layer::High);
    let mut low = video_stream(1, Layer::Low);
    world.send(&mut low, &vp8(true, true, 0, 0, 300));
    world.send(&mut high, &vp8(true, true, 0, 0, 300));
    assert_eq!(world.take(2).len(), 2);
    track.encodings.pop();
    world.command(Command::EnsureTrack(track.clone()));
    world.send(&mut high, &vp8(true, true, 1, 0, 300));
    assert_eq!(world.take(2), []);
    world.send(&mut low, &vp8(true, true, 1, 0, 300));
    assert_eq!(world.take(2).len(), 1);
    track.encodings.push(encoding(Layer::High, Some("f")));
    world.command(Command::EnsureTrack(track));
    world.send(&mut high, &vp8(true, true, 2, 0, 300));
    assert_eq!(world.take(2).len(), 1);
}

#[test]
fn nothing_is_left_of_a_room() {
    let (mut world, mut sound) = call();
    world.send(&mut sound, &[1; 20]);
    world.command(Command::RemoveRoom);
    world.take_events();
    world.take_compounds(2);
    world.advance(20_000);
    assert_eq!(world.take_events(), []);
    assert_eq!(world.forwarder.poll_timeout(), None, "no timer is left");
    assert!(world.take_compounds(1).is_empty() && world.take_compounds(2).is_empty());
}
