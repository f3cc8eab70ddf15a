//! Key frame requests and transport-wide feedback to publishers.

use super::harness::*;
use crate::rtcp::{Packet, packets, write_picture_loss};
use bedside_protocol::{Command, Event, Layer, TrackId};

fn call(subscribers: u64) -> (World, Stream) {
    let mut world = World::new();
    world.publisher(1);
    let track = video_track(2, 1);
    world.command(Command::EnsureTrack(track.clone()));
    for id in 2..2 + subscribers {
        world.subscriber(id);
        world.command(Command::EnsureSubscription(subscription(id, &track)));
    }
    let mut stream = video_stream(1, Layer::Low);
    world.send(&mut stream, &vp8(true, true, 0, 0, 500));
    world.take_compounds(1);
    (world, stream)
}

/// The streams that the publisher was asked for a key frame of.
fn key_frames_asked(world: &mut World) -> Vec<u32> {
    let mut found = Vec::new();
    for compound in world.take_compounds(1) {
        for packet in packets(&compound) {
            if let Ok(Packet::PictureLoss { media }) = packet {
                found.push(media);
            }
        }
    }
    found
}

fn picture_lost(world: &mut World, id: u64) {
    let media = u32::try_from(1_000 * id + 20).expect("small");
    world.control(id, |out| write_picture_loss(out, 1, media));
}

#[test]
fn a_room_of_requests_becomes_one() {
    let (mut world, mut stream) = call(20);
    for id in 2..22 {
        picture_lost(&mut world, id);
    }
    assert_eq!(key_frames_asked(&mut world), [0xb0], "at once, and once");
    world.advance(499);
    for id in 2..22 {
        picture_lost(&mut world, id);
    }
    assert!(key_frames_asked(&mut world).is_empty());
    world.advance(1);
    assert_eq!(key_frames_asked(&mut world), [0xb0], "unanswered: again");
    world.send(&mut stream, &vp8(true, true, 1, 0, 500));
    world.advance(2_000);
    assert!(key_frames_asked(&mut world).is_empty(), "answered");
}

#[test]
fn a_full_intra_request_is_as_good() {
    let (mut world, _) = call(1);
    world.control(2, |out| {
        out.extend([0x84, 206, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0]);
        out.extend(2_020_u32.to_be_bytes());
        out.extend([1, 0, 0, 0]);
    });
    assert_eq!(key_frames_asked(&mut world), [0xb0]);
}

#[test]
fn a_publisher_without_picture_loss_indication_is_sent_full_intra_requests() {
    let (mut world, mut stream) = call(2);
    let mut track = video_track(2, 1);
    track.full_intra = true;
    world.command(Command::EnsureTrack(track));
    let mut asked = Vec::new();
    let mut collect = |world: &mut World| {
        for compound in world.take_compounds(1) {
            for packet in packets(&compound) {
                match packet {
                    Ok(Packet::FullIntra(entries)) => asked.extend(entries),
                    Ok(Packet::PictureLoss { .. }) => panic!("not negotiated"),
                    _ => {}
                }
            }
        }
    };
    picture_lost(&mut world, 2);
    picture_lost(&mut world, 3);
    world.advance(500);
    collect(&mut world);
    world.send(&mut stream, &vp8(true, true, 1, 0, 500));
    world.advance(500);
    picture_lost(&mut world, 3);
    collect(&mut world);
    // As many as there would be of the other kind, each a command of its own.
    assert_eq!(asked, [(0xb0, 1), (0xb0, 2), (0xb0, 3)]);
}

#[test]
fn the_control_plane_can_ask_for_every_layer() {
    let (mut world, _) = call(0);
    let mut high = video_stream(1, Layer::High);
    world.send(&mut high, &vp8(true, true, 0, 0, 500));
    world.command(Command::RequestKeyFrame { track: TrackId(2) });
    world.advance(0);
    assert_eq!(key_frames_asked(&mut world), [0xb0, 0xb2]);
}

#[test]
fn a_new_subscriber_asks_for_its_key_frame_at_once() {
    let (mut world, mut stream) = call(1);
    world.advance(100);
    world.send(&mut stream, &vp8(false, true, 1, 0, 500));
    assert!(key_frames_asked(&mut world).is_empty());
    world.subscriber(5);
    world.command(Command::EnsureSubscription(subscription(
        5,
        &video_track(2, 1),
    )));
    world.advance(0);
    assert_eq!(key_frames_asked(&mut world), [0xb0]);
    world.send(&mut stream, &vp8(false, true, 2, 0, 500));
    assert_eq!(world.take(5), []);
    world.send(&mut stream, &vp8(true, true, 3, 0, 500));
    assert_eq!(world.take(5).len(), 1);
    assert_eq!(world.take(2).len(), 4);
}

#[test]
fn requests_about_strangers_ask_nobody() {
    let (mut world, _) = call(1);
    world.control(2, |out| write_picture_loss(out, 1, 0xb0));
    world.control(1, |out| write_picture_loss(out, 1, 2_020));
    assert!(key_frames_asked(&mut world).is_empty());
}

/// All transport-wide statuses that the publisher was given: number and arrival in ms.
fn arrivals(world: &mut World) -> Vec<(u16, Option<i64>)> {
    let mut found = Vec::new();
    for compound in world.take_compounds(1) {
        for packet in packets(&compound) {
            if let Ok(Packet::TransportFeedback(feedback)) = packet {
                let reference = i64::from(feedback.reference) * 64;
                feedback
                    .for_each(|sequence, ticks| {
                        found.push((sequence.0, ticks.map(|ticks| reference + ticks / 4)));
                    })
                    .expect("complete");
            }
        }
    }
    found
}

#[test]
fn every_packet_of_the_transport_is_reported_with_its_arrival() {
    let mut world = World::new();
    world.publisher(1);
    world.command(Command::EnsureTrack(audio_track(1, 1)));
    world.command(Command::EnsureTrack(video_track(2, 1)));
    let mut sound = audio_stream(1);
    let mut picture = video_stream(1, Layer::Low);
    let mut rtx = Stream {
        payload_type: 97,
        repaired_rid: Some("q"),
        rid: None,
        ssrc: 0xc0,
        ..picture.clone()
    };
    world.send(&mut sound, &[1; 50]);
    world.advance(10);
    world.send(&mut picture, &vp8(true, true, 0, 0, 500));
    world.advance(10);
    world.lose(&mut picture, &vp8(false, true, 1, 0, 500));
    // Padding on the retransmission stream, as browsers probe with.
    rtx.padding = 200;
    world.send(&mut rtx, &[]);
    world.advance(29);
    assert_eq!(arrivals(&mut world), []);
    world.advance(1);
    assert_eq!(
        arrivals(&mut world),
        [(0, Some(0)), (1, Some(10)), (2, None), (3, Some(20))]
    );
    world.advance(1_000);
    assert_eq!(arrivals(&mut world), [], "nothing new");
}

#[test]
fn feedback_keeps_its_interval_under_load() {
    let mut world = World::new();
    world.publisher(1);
    world.command(Command::EnsureTrack(video_track(2, 1)));
    let mut picture = video_stream(1, Layer::Low);
    let mut found = Vec::new();
    for frame in 0..300_u16 {
        for _ in 0..4 {
            world.queue(&mut picture, &vp8(true, true, frame, 0, 900));
        }
        world.flush();
        world.advance(10);
        found.extend(arrivals(&mut world));
    }
    world.advance(60);
    found.extend(arrivals(&mut world));
    assert_eq!(found.len(), 1_200);
    for (index, (sequence, arrival)) in (0_u16..).zip(&found) {
        assert_eq!(*sequence, index);
        assert_eq!(*arrival, Some(i64::from(index / 4) * 10));
    }
}

#[test]
fn a_peer_without_the_extension_gets_none() {
    let mut world = World::new();
    let mut ids = PUBLISHER_IDS;
    ids.transport_cc = None;
    world.peer(ROOM, 1, ids);
    world.command(Command::EnsureTrack(audio_track(1, 1)));
    let mut sound = audio_stream(1);
    world.send(&mut sound, &[1; 50]);
    world.advance(500);
    assert_eq!(arrivals(&mut world), []);
    assert!(
        world
            .take_events()
            .iter()
            .any(|event| matches!(event, Event::TrackLayers { .. })),
        "it is received all the same"
    );
}
