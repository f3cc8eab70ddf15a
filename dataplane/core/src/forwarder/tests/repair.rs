//! Loss on either side and its repair.

use super::harness::*;
use crate::limits::{RESEND_BYTES_BURST, RESEND_BYTES_PER_SECOND};
use crate::rtcp::{Packet, packets, write_nack};
use crate::rtp::SequenceNumber;
use bedside_protocol::{Command, Layer};

/// A publisher with one video layer and one subscriber that has RTX.
fn video_call() -> (World, Stream) {
    let mut world = World::new();
    world.publisher(1);
    world.subscriber(2);
    let track = video_track(2, 1);
    world.command(Command::EnsureTrack(track.clone()));
    world.command(Command::EnsureSubscription(subscription(2, &track)));
    let mut stream = video_stream(1, Layer::Low);
    world.send(&mut stream, &vp8(true, true, 0, 0, 500));
    (world, stream)
}

/// An audio track to a subscriber that sends NACKs and has no RTX.
fn audio_call() -> (World, Stream) {
    let mut world = World::new();
    world.publisher(1);
    world.subscriber(2);
    let track = audio_track(1, 1);
    world.command(Command::EnsureTrack(track.clone()));
    world.command(Command::EnsureSubscription(subscription(2, &track)));
    (world, audio_stream(1))
}

/// The retransmission stream of [`video_stream`].
fn rtx_stream(original: &Stream) -> Stream {
    Stream {
        ssrc: 0xc0,
        payload_type: 97,
        rid: None,
        repaired_rid: original.rid,
        next: 50,
        ..original.clone()
    }
}

fn rtx_payload(original: u64, payload: &[u8]) -> Vec<u8> {
    let mut bytes = SequenceNumber::of(original).0.to_be_bytes().to_vec();
    bytes.extend_from_slice(payload);
    bytes
}

/// The sequence numbers that a client was asked for again, compound by compound.
fn nacked(world: &mut World, id: u64) -> Vec<Vec<u16>> {
    let mut found = Vec::new();
    for compound in world.take_compounds(id) {
        for packet in packets(&compound) {
            if let Ok(Packet::Nack { sequences, .. }) = packet {
                found.push(sequences.map(|sequence| sequence.0).collect());
            }
        }
    }
    found
}

fn ask_again(world: &mut World, id: u64, media: u32, indices: &[u64]) {
    let sequences: Vec<_> = indices.iter().copied().map(SequenceNumber::of).collect();
    world.control(id, |out| write_nack(out, 7, media, &sequences));
}

#[test]
fn what_the_uplink_lost_is_asked_for_restored_and_forwarded_in_its_place() {
    let (mut world, mut stream) = video_call();
    let lost = stream.next;
    let payload = vp8(false, true, 1, 1, 400);
    let original = stream.clone();
    world.lose(&mut stream, &payload);
    stream.timestamp += 3_000;
    world.send(&mut stream, &vp8(false, true, 2, 2, 500));
    world.advance(9);
    assert!(nacked(&mut world, 1).is_empty(), "it may only be late");
    world.advance(1);
    assert_eq!(nacked(&mut world, 1), [[SequenceNumber::of(lost).0]]);

    let mut rtx = rtx_stream(&original);
    rtx.marker = true;
    world.send(&mut rtx, &rtx_payload(lost, &payload));
    let received = world.take(2);
    assert_eq!(received.len(), 3);
    assert_eq!(received[2].index, received[0].index + 1);
    assert_eq!(received[1].index, received[0].index + 2);
    assert_eq!(received[2].payload.len(), payload.len());
    assert_eq!(received[2].timestamp, original.timestamp);
    assert!(received[2].marker && received[2].ssrc == received[0].ssrc);
    world.advance(500);
    assert!(nacked(&mut world, 1).is_empty(), "it is there");
    assert_eq!(world.forwarder.statistics().recovered, 1);
}

#[test]
fn a_request_is_repeated_at_the_measured_round_trip() {
    let (mut world, mut stream) = video_call();
    let mut rtx = rtx_stream(&stream);
    // An answer after 40 ms teaches the round trip.
    let lost = stream.next;
    world.lose(&mut stream, &vp8(false, true, 1, 0, 400));
    world.send(&mut stream, &vp8(false, true, 2, 0, 400));
    world.advance(50);
    assert_eq!(nacked(&mut world, 1).len(), 1);
    world.send(&mut rtx, &rtx_payload(lost, &vp8(false, true, 1, 0, 400)));
    // The next loss is asked for again after 50 ms, then after 100, and then nothing has arrived
    // for so long that the link is taken for dead.
    world.lose(&mut stream, &vp8(false, true, 3, 0, 400));
    world.send(&mut stream, &vp8(false, true, 4, 0, 400));
    world.advance(10);
    assert_eq!(nacked(&mut world, 1).len(), 1);
    world.advance(49);
    assert_eq!(nacked(&mut world, 1).len(), 0);
    world.advance(1);
    assert_eq!(nacked(&mut world, 1).len(), 1);
    world.advance(99);
    assert_eq!(nacked(&mut world, 1).len(), 0);
    world.advance(1);
    assert_eq!(nacked(&mut world, 1).len(), 1);
    world.advance(2_000);
    assert_eq!(nacked(&mut world, 1).len(), 0);
}

#[test]
fn a_track_that_answers_no_nacks_is_sent_none() {
    let mut world = World::new();
    world.publisher(1);
    let mut track = audio_track(1, 1);
    track.nack = false;
    world.command(Command::EnsureTrack(track));
    let mut stream = audio_stream(1);
    world.send(&mut stream, &[1; 20]);
    world.lose(&mut stream, &[1; 20]);
    world.send(&mut stream, &[1; 20]);
    world.advance(500);
    assert!(nacked(&mut world, 1).is_empty());
}

#[test]
fn an_outage_asks_for_a_key_frame() {
    let (mut world, mut stream) = video_call();
    stream.next += 400;
    world.send(&mut stream, &vp8(false, true, 9, 0, 400));
    world.advance(100);
    let mut asked = 0;
    for compound in world.take_compounds(1) {
        for packet in packets(&compound) {
            assert!(!matches!(packet, Ok(Packet::Nack { .. })));
            asked += usize::from(matches!(packet, Ok(Packet::PictureLoss { media: 0xb0 })));
        }
    }
    assert_eq!(asked, 1);
}

#[test]
fn a_jump_of_the_publishers_numbers_begins_anew_with_a_key_frame() {
    let (mut world, mut stream) = video_call();
    let first = world.take(2)[0].index;
    stream.next += 20_000;
    world.send(&mut stream, &vp8(false, true, 9, 0, 400));
    assert_eq!(world.take(2), []);
    world.send(&mut stream, &vp8(true, true, 10, 0, 400));
    assert_eq!(world.take(2)[0].index, first + 1);
}

#[test]
fn a_nack_is_answered_on_the_retransmission_stream() {
    let (mut world, mut stream) = video_call();
    for picture in 1..6 {
        stream.timestamp += 3_000;
        world.send(&mut stream, &vp8(false, true, picture, 0, 300));
    }
    let sent = world.take(2);
    ask_again(&mut world, 2, 2_020, &[sent[1].index, sent[4].index]);
    let again = world.take(2);
    assert_eq!(again.len(), 2);
    for (again, original) in again.iter().zip([&sent[1], &sent[4]]) {
        assert_eq!((again.ssrc, again.payload_type), (2_021, 101));
        assert_eq!(again.timestamp, original.timestamp);
        assert_eq!(again.marker, original.marker);
        let number = SequenceNumber::of(original.index).0.to_be_bytes();
        assert_eq!(again.payload[..2], number);
        assert_eq!(again.payload[2..], original.payload);
        assert_eq!(again.extension(11), Some(&b"s"[..]));
    }
    assert_eq!(again[1].index, again[0].index + 1);
    assert_eq!(world.forwarder.statistics().retransmitted, 2);
}

#[test]
fn what_was_sent_before_a_switch_is_sent_again_as_it_was() {
    let (mut world, mut low) = video_call();
    let mut high = video_stream(1, Layer::High);
    low.timestamp += 3_000;
    world.send(&mut low, &vp8(false, true, 1, 1, 300));
    world.send(&mut high, &vp8(true, true, 500, 90, 900));
    world.send(&mut high, &vp8(false, true, 501, 91, 900));
    // Another subscriber of the same cached packets gets other counters in between.
    world.subscriber(3);
    world.command(Command::EnsureSubscription(subscription(
        3,
        &video_track(2, 1),
    )));
    world.send(&mut high, &vp8(true, true, 502, 92, 900));
    let sent = world.take(2);
    assert_eq!(sent.len(), 5);
    let indices: Vec<_> = sent.iter().map(|packet| packet.index).collect();
    ask_again(&mut world, 2, 2_020, &indices);
    let again = world.take(2);
    for (again, original) in again.iter().zip(&sent) {
        assert_eq!(again.payload[2..], original.payload);
        assert_eq!(again.timestamp, original.timestamp);
    }
    assert_eq!(again.len(), 5);
}

#[test]
fn what_neither_side_has_yet_is_sent_when_it_arrives() {
    let (mut world, mut stream) = video_call();
    let lost = stream.next;
    let payload = vp8(false, true, 1, 0, 400);
    let original = stream.clone();
    world.lose(&mut stream, &payload);
    world.send(&mut stream, &vp8(false, true, 2, 0, 400));
    let first = world.take(2)[0].index;
    ask_again(&mut world, 2, 2_020, &[first + 1]);
    assert_eq!(world.take(2), []);
    world.advance(60);
    let mut rtx = rtx_stream(&original);
    world.send(&mut rtx, &rtx_payload(lost, &payload));
    let received = world.take(2);
    assert_eq!((received[0].index, received[0].ssrc), (first + 1, 2_020));
}

#[test]
fn without_rtx_the_very_same_bytes_are_sent_again() {
    let (mut world, mut stream) = audio_call();
    let red = vec![0x80 | 111, 0x0f, 0x00, 1, 111, 7, 8];
    stream.payload_type = 63;
    for _ in 0..3 {
        world.send(&mut stream, &red);
        world.advance(20);
    }
    let sent = world.take(2);
    // What would be written now differs in its extensions, and must not be.
    let mut wants_red = subscription(2, &audio_track(1, 1));
    wants_red.red_payload_type = Some(63);
    world.command(Command::EnsureSubscription(wants_red));
    ask_again(&mut world, 2, 2_010, &[sent[0].index, sent[2].index]);
    let replayed = std::mem::take(&mut world.client(2).replayed);
    assert_eq!(
        replayed,
        [sent[0].datagram.clone(), sent[2].datagram.clone()]
    );
    assert_eq!(world.take(2), []);
    let statistics = world.forwarder.statistics();
    assert_eq!((statistics.retransmitted, statistics.seal_refused), (2, 0));
}

#[test]
fn a_storm_of_requests_is_answered_within_bounds() {
    let (mut world, mut stream) = video_call();
    let mut indices = Vec::new();
    for picture in 1..400 {
        stream.timestamp += 3_000;
        world.send(&mut stream, &vp8(false, true, picture, 0, 1_000));
        world.advance(1);
    }
    indices.extend(world.take(2).iter().map(|packet| packet.index));
    let recent = &indices[indices.len() - 100..];
    for _ in 0..100 {
        ask_again(&mut world, 2, 2_020, recent);
        world.advance(10);
    }
    let again: usize = world
        .take(2)
        .iter()
        .map(|packet| packet.payload.len())
        .sum();
    let bound = RESEND_BYTES_BURST + RESEND_BYTES_PER_SECOND;
    assert!(
        u64::try_from(again).expect("small") <= bound + 10_000,
        "{again}"
    );
    assert!(world.forwarder.statistics().resend_refused > 5_000);
}

#[test]
fn one_packet_asked_for_twice_at_once_is_sent_once() {
    let (mut world, mut stream) = video_call();
    world.send(&mut stream, &vp8(false, true, 1, 0, 300));
    let index = world.take(2)[1].index;
    ask_again(&mut world, 2, 2_020, &[index, index]);
    ask_again(&mut world, 2, 2_020, &[index]);
    assert_eq!(world.take(2).len(), 1);
    world.advance(200);
    ask_again(&mut world, 2, 2_020, &[index]);
    assert_eq!(world.take(2).len(), 1);
}

#[test]
fn requests_for_foreign_or_unknown_packets_are_refused() {
    let (mut world, _) = video_call();
    let index = world.take(2)[0].index;
    ask_again(
        &mut world,
        2,
        2_020,
        &[index + 1, index.wrapping_sub(1), index + 30_000],
    );
    ask_again(&mut world, 2, 0xb0, &[1_000]);
    ask_again(&mut world, 1, 2_020, &[index]);
    assert_eq!(world.take(2), []);
    assert_eq!(world.take(1), []);
}

#[test]
fn a_retransmission_that_was_not_needed_is_dropped() {
    let (mut world, mut stream) = video_call();
    let payload = vp8(false, true, 1, 0, 300);
    let sent = stream.next;
    world.send(&mut stream, &payload);
    let mut rtx = rtx_stream(&stream);
    // Another plaintext under a number that was used must never reach a subscriber.
    world.send(&mut rtx, &rtx_payload(sent, &vp8(false, true, 77, 0, 200)));
    world.send(&mut rtx, &[1]);
    world.send(&mut rtx, &[]);
    assert_eq!(world.take(2).len(), 2);
    assert_eq!(world.forwarder.statistics().dropped_duplicate, 1);
}

#[test]
fn loss_on_both_sides_is_repaired_in_the_end() {
    let (mut world, mut stream) = video_call();
    let mut rtx = rtx_stream(&stream);
    let first = world.take(2)[0].clone();
    let mut kept: Vec<(u64, Stream, Vec<u8>)> = Vec::new();
    let mut have = std::collections::BTreeMap::from([(first.index, first.payload.clone())]);
    let mut random = 12_345_u64;
    let mut chance = |percent: u64| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % 100 < percent
    };
    for picture in 1..600_u16 {
        let payload = vp8(false, true, picture, 0, 300);
        stream.timestamp += 3_000;
        kept.push((stream.next, stream.clone(), payload.clone()));
        if chance(10) && picture < 590 {
            world.lose(&mut stream, &payload);
        } else {
            world.send(&mut stream, &payload);
        }
        world.advance(8);
        // The publisher answers, and loses some of its answers.
        for sequence in nacked(&mut world, 1).concat() {
            let Some((number, original, payload)) = kept
                .iter()
                .find(|(number, ..)| SequenceNumber::of(*number).0 == sequence)
            else {
                panic!("asked for what was never sent");
            };
            rtx.timestamp = original.timestamp;
            let payload = rtx_payload(*number, payload);
            if chance(10) {
                world.lose(&mut rtx, &payload);
            } else {
                world.send(&mut rtx, &payload);
            }
        }
        // The subscriber loses some, and asks for what it misses.
        for packet in world.take(2) {
            if chance(10) {
                continue;
            }
            let (index, payload) = if packet.ssrc == 2_021 {
                let sequence = u16::from_be_bytes([packet.payload[0], packet.payload[1]]);
                let index = SequenceNumber(sequence).extend(first.index).expect("near");
                (index, packet.payload[2..].to_vec())
            } else {
                (packet.index, packet.payload)
            };
            let known = have.entry(index).or_insert_with(|| payload.clone());
            assert_eq!(*known, payload, "one number, one payload");
        }
        let highest = *have.last_key_value().expect("not empty").0;
        let missing: Vec<_> = (first.index..highest)
            .filter(|index| !have.contains_key(index))
            .collect();
        if picture % 5 == 0 && !missing.is_empty() {
            ask_again(&mut world, 2, 2_020, &missing);
        }
    }
    let highest = *have.last_key_value().expect("not empty").0;
    assert!(highest >= first.index + 590);
    let settled = highest - 20;
    for index in first.index..settled {
        let (picture, ..) = vp8_counters(&have[&index]);
        assert_eq!(u64::from(picture), index - first.index);
    }
}
