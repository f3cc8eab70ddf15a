//! Packets from publishers to subscribers: who gets what, under which numbers.

use super::harness::*;
use bedside_protocol::{Command, Event, Layer, PayloadTypes, PeerId, RoomId, TrackId};
use std::collections::BTreeSet;

fn subscribe(world: &mut World, subscriber: u64, track: &bedside_protocol::Track) {
    world.command(Command::EnsureSubscription(subscription(subscriber, track)));
}

fn indices(received: &[Received]) -> Vec<u64> {
    received.iter().map(|packet| packet.index).collect()
}

#[test]
fn everyone_gets_everything_under_their_own_numbers() {
    let mut world = World::new();
    world.publisher(1);
    let (audio, video) = (audio_track(1, 1), video_track(2, 1));
    world.command(Command::EnsureTrack(audio.clone()));
    world.command(Command::EnsureTrack(video.clone()));
    for id in 2..7 {
        world.subscriber(id);
        subscribe(&mut world, id, &audio);
        subscribe(&mut world, id, &video);
    }
    let mut sound = audio_stream(1);
    sound.level = Some(20);
    let mut picture = video_stream(1, Layer::Low);
    for frame in 0..5_u16 {
        world.queue(&mut picture, &vp8(frame == 0, true, frame, 0, 900));
        world.queue(&mut sound, &[frame.to_be_bytes()[1]; 80]);
        picture.timestamp += 3_000;
        sound.timestamp += 960;
        world.flush();
        world.advance(20);
    }
    for id in 2..7_u32 {
        let received = world.take(id.into());
        let (heard, seen): (Vec<_>, Vec<_>) = received
            .into_iter()
            .partition(|packet| packet.ssrc == 1_000 * id + 10);
        assert_eq!((heard.len(), seen.len()), (5, 5));
        for packets in [&heard, &seen] {
            let first = packets[0].index;
            assert!(first < 1 << 15);
            assert_eq!(indices(packets), (first..first + 5).collect::<Vec<_>>());
        }
        assert!(seen.iter().all(|packet| packet.ssrc == 1_000 * id + 20));
        for (index, packet) in heard.iter().enumerate() {
            assert_eq!(packet.payload_type, 100);
            assert_eq!(packet.payload, [u8::try_from(index).expect("few"); 80]);
            assert_eq!(packet.extension(11), Some(&b"s"[..]), "its own MID");
            assert_eq!(packet.extension(12), Some(&[0x80 | 20][..]), "the level");
        }
    }
}

#[test]
fn audio_leaves_before_video() {
    let mut world = World::new();
    world.publisher(1);
    world.subscriber(2);
    let (audio, video) = (audio_track(1, 1), video_track(2, 1));
    world.command(Command::EnsureTrack(video.clone()));
    world.command(Command::EnsureTrack(audio.clone()));
    subscribe(&mut world, 2, &video);
    subscribe(&mut world, 2, &audio);
    let mut picture = video_stream(1, Layer::Low);
    let mut sound = audio_stream(1);
    for part in 0..3 {
        world.queue(&mut picture, &vp8(true, part == 0, 1, 0, 900));
    }
    world.queue(&mut sound, &[1; 80]);
    world.flush();
    let ssrcs: Vec<_> = world.take(2).iter().map(|packet| packet.ssrc).collect();
    assert_eq!(ssrcs, [2_010, 2_020, 2_020, 2_020]);
}

#[test]
fn extensions_are_passed_rewritten_or_left_out() {
    let mut world = World::new();
    world.publisher(1);
    world.subscriber(2);
    let video = video_track(2, 1);
    world.command(Command::EnsureTrack(video.clone()));
    subscribe(&mut world, 2, &video);
    let mut picture = video_stream(1, Layer::Low);
    let descriptor = vec![3; 30];
    picture.extra = vec![
        (10, descriptor.clone()),
        (9, vec![2]),
        (8, vec![1, 2, 3]),
        (7, vec![4; 16]),
        (6, vec![0; 3]),
    ];
    world.advance(250);
    world.send(&mut picture, &vp8(true, true, 1, 0, 100));
    world.send(&mut picture, &vp8(false, false, 1, 0, 100));
    let received = world.take(2);
    let packet = &received[0];
    assert_eq!(packet.extension(13), Some(&descriptor[..]));
    assert_eq!(packet.extension(5), Some(&[2][..]), "orientation");
    assert_eq!(packet.extension(3), Some(&[4; 16][..]), "capture time");
    // 1,800,000,000.25 s since 1970 in NTP seconds, the lower six bits, and a quarter.
    let seconds = 1_800_000_000_u64 + 2_208_988_800;
    let [high, _] = u16::try_from((seconds & 0x3f) << 2)
        .expect("8 bits")
        .to_be_bytes();
    let low = u8::try_from((seconds & 0x3f) << 2).expect("8 bits") | 0x01;
    assert_eq!((high, packet.extension(2)), (0, Some(&[low, 0, 0][..])));
    let sequence = |packet: &Received| {
        let bytes = packet.extension(1).expect("transport-wide number");
        u16::from_be_bytes([bytes[0], bytes[1]])
    };
    assert_eq!(sequence(&received[1]), sequence(packet).wrapping_add(1));
    assert_eq!(
        packet.extensions.len(),
        6,
        "no playout delay: not negotiated"
    );
}

#[test]
fn an_ssrc_is_learnt_by_section_and_layer() {
    let mut world = World::new();
    world.publisher(1);
    world.subscriber(2);
    let video = video_track(2, 1);
    world.command(Command::EnsureTrack(video.clone()));
    subscribe(&mut world, 2, &video);
    let mut picture = video_stream(1, Layer::Low);
    world.send(&mut picture, &vp8(true, true, 1, 0, 100));
    // The client stops sending both once it has been acknowledged.
    (picture.mid, picture.rid) = (None, None);
    world.send(&mut picture, &vp8(false, true, 2, 0, 100));
    assert_eq!(world.take(2).len(), 2);
    // Of another section, of an unknown layer, or without either: not ours.
    let strays = [
        (0xd1, Some("x"), Some("q")),
        (0xd2, Some("v"), Some("x")),
        (0xd3, None, Some("q")),
    ];
    for (ssrc, mid, rid) in strays {
        let mut stray = video_stream(1, Layer::Low);
        stray.ssrc = ssrc;
        (stray.mid, stray.rid) = (mid, rid);
        world.send(&mut stray, &vp8(true, true, 1, 0, 100));
    }
    assert_eq!(world.take(2), []);
    assert_eq!(world.forwarder.statistics().dropped_unmatched, 3);
}

#[test]
fn an_announced_ssrc_needs_no_extension() {
    let mut world = World::new();
    world.publisher(1);
    world.subscriber(2);
    let mut video = video_track(2, 1);
    for (index, encoding) in (0..).zip(&mut video.encodings) {
        encoding.rid = None;
        encoding.ssrc = Some(0x500 + index);
        encoding.rtx_ssrc = Some(0x600 + index);
    }
    world.command(Command::EnsureTrack(video.clone()));
    subscribe(&mut world, 2, &video);
    let mut picture = Stream::new(1, 0x501, 96);
    world.send(&mut picture, &vp8(true, true, 1, 0, 100));
    assert_eq!(world.take(2).len(), 1);
    assert!(world.take_events().iter().any(|event| matches!(
        event,
        Event::SubscriptionLayer {
            layer: Some(Layer::Medium),
            ..
        }
    )));
}

#[test]
fn a_payload_type_is_enough_where_it_is_unambiguous() {
    let mut world = World::new();
    world.publisher(1);
    world.subscriber(2);
    let audio = audio_track(1, 1);
    world.command(Command::EnsureTrack(audio.clone()));
    subscribe(&mut world, 2, &audio);
    let mut sound = Stream::new(1, 0xa0, 111);
    world.send(&mut sound, &[1; 20]);
    assert_eq!(world.take(2).len(), 1);
    let mut other = Stream::new(1, 0xa1, 111);
    world.send(&mut other, &[1; 20]);
    assert_eq!(world.take(2), [], "the track has its SSRC");

    let mut second = audio_track(3, 1);
    second.mid = mid("b");
    world.command(Command::EnsureTrack(second));
    world.send(&mut other, &[1; 20]);
    assert_eq!(world.take(2), [], "now two tracks may have sent it");
}

#[test]
fn a_layer_that_comes_back_under_another_ssrc_goes_on() {
    let mut world = World::new();
    world.publisher(1);
    world.subscriber(2);
    let video = video_track(2, 1);
    world.command(Command::EnsureTrack(video.clone()));
    subscribe(&mut world, 2, &video);
    let mut picture = video_stream(1, Layer::Low);
    world.send(&mut picture, &vp8(true, true, 1, 0, 100));
    world.advance(100);
    picture.ssrc = 0x77;
    picture.next = 3;
    picture.timestamp = 4_000_000_000;
    world.send(&mut picture, &vp8(false, true, 9, 0, 100));
    assert_eq!(world.take(2).len(), 1, "not from the middle");
    world.send(&mut picture, &vp8(true, true, 10, 0, 100));
    let received = world.take(2);
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].timestamp, 70_000 + 9_000, "100 ms later");
    assert_eq!(vp8_counters(&received[0].payload), (2, 1, true));
}

#[test]
fn red_is_passed_to_who_takes_it_and_stripped_for_the_rest() {
    let mut world = World::new();
    world.publisher(1);
    world.subscriber(2);
    world.subscriber(3);
    let audio = audio_track(1, 1);
    world.command(Command::EnsureTrack(audio.clone()));
    subscribe(&mut world, 2, &audio);
    let mut takes_red = subscription(3, &audio);
    takes_red.red_payload_type = Some(120);
    world.command(Command::EnsureSubscription(takes_red));
    let red = |copy: u8, primary: u8| vec![0x80 | 111, 0x0f, 0x00, 2, 111, copy, copy, primary];
    let mut sound = audio_stream(1);
    sound.payload_type = 63;
    world.send(&mut sound, &red(1, 2));
    world.send(&mut sound, &red(2, 3));
    sound.payload_type = 111;
    world.send(&mut sound, &[4]);
    let stripped = world.take(2);
    let payloads: Vec<_> = stripped.iter().map(|packet| &packet.payload[..]).collect();
    assert_eq!(payloads, [&[2][..], &[3], &[4]]);
    assert!(stripped.iter().all(|packet| packet.payload_type == 100));
    let passed = world.take(3);
    assert_eq!(passed[0].payload, [0x80 | 100, 0x0f, 0x00, 2, 100, 1, 1, 2]);
    assert_eq!((passed[0].payload_type, passed[2].payload_type), (120, 100));
    assert_eq!(passed[2].payload, [4]);
    // Truncated RED is left out without a gap.
    sound.payload_type = 63;
    world.send(&mut sound, &[0x80 | 111, 0x0f]);
    world.send(&mut sound, &red(4, 5));
    assert_eq!(indices(&world.take(2)), [stripped[2].index + 1]);
}

#[test]
fn a_subscriber_that_takes_red_repairs_its_own_loss() {
    let mut world = World::new();
    world.publisher(1);
    world.subscriber(2);
    let mut audio = audio_track(1, 1);
    audio.nack = false;
    world.command(Command::EnsureTrack(audio.clone()));
    let mut takes_red = subscription(2, &audio);
    (takes_red.red_payload_type, takes_red.nack) = (Some(120), false);
    world.command(Command::EnsureSubscription(takes_red));
    let mut sound = audio_stream(1);
    sound.payload_type = 63;
    // Every packet carries the two before it. Of twenty, two in a row are lost before the server
    // and one behind it.
    for number in 2..100_u8 {
        let blocks = [0x80 | 111, 0x1e, 0x00, 1, 0x80 | 111, 0x0f, 0x00, 1, 111];
        let payload = [&blocks[..], &[number - 2, number - 1, number]].concat();
        if matches!(number % 20, 7 | 8) {
            world.lose(&mut sound, &payload);
        } else {
            world.send(&mut sound, &payload);
        }
        sound.timestamp += 960;
        world.advance(20);
    }
    let mut heard = BTreeSet::new();
    let received = world.take(2);
    let first = received[0].index;
    for packet in &received {
        assert_eq!(packet.payload_type, 120);
        let number = packet.index - first;
        if matches!(number % 20, 13) {
            continue;
        }
        heard.extend(packet.payload[packet.payload.len() - 3..].iter().copied());
    }
    let all: BTreeSet<_> = (0..100).collect();
    assert_eq!(heard, all, "nothing was asked for again");
    assert_eq!(world.forwarder.statistics().nacked, 0);
}

#[test]
fn capture_times_and_playout_delays_reach_who_negotiated_them() {
    let mut world = World::new();
    world.publisher(1);
    world.subscriber(2);
    let ids = bedside_protocol::ExtensionIds {
        playout_delay: Some(6),
        ..SUBSCRIBER_IDS
    };
    world.peer(ROOM, 3, ids);
    let video = video_track(2, 1);
    world.command(Command::EnsureTrack(video.clone()));
    subscribe(&mut world, 2, &video);
    subscribe(&mut world, 3, &video);
    let mut picture = video_stream(1, Layer::Low);
    // RFC-less formats: 64 bits of NTP time, and two times 12 bits of 10 ms.
    let (captured, delay) = (vec![1, 2, 3, 4, 5, 6, 7, 8], vec![0x00, 0x10, 0x05]);
    picture.extra = vec![(7, captured.clone()), (8, delay.clone())];
    world.send(&mut picture, &vp8(true, true, 1, 0, 100));
    let without = &world.take(2)[0];
    assert_eq!(without.extension(3), Some(&captured[..]));
    assert!(without.extensions.iter().all(|(_, data)| *data != delay));
    let with = &world.take(3)[0];
    assert_eq!(with.extension(3), Some(&captured[..]));
    assert_eq!(with.extension(6), Some(&delay[..]));
}

#[test]
fn padding_and_foreign_payloads_leave_no_gap() {
    let mut world = World::new();
    world.publisher(1);
    world.subscriber(2);
    let video = video_track(2, 1);
    world.command(Command::EnsureTrack(video.clone()));
    subscribe(&mut world, 2, &video);
    let mut picture = video_stream(1, Layer::Low);
    world.send(&mut picture, &vp8(true, true, 1, 0, 100));
    picture.padding = 200;
    world.send(&mut picture, &[]);
    world.send(&mut picture, &[]);
    picture.padding = 0;
    picture.payload_type = 98;
    world.send(&mut picture, &[1, 2, 3]);
    picture.payload_type = 96;
    // Padding behind a payload is taken off.
    picture.padding = 9;
    world.send(&mut picture, &vp8(false, true, 2, 0, 100));
    picture.padding = 0;
    // Padding that comes late has its place already and fills it.
    let late = picture.next;
    picture.next += 1;
    world.send(&mut picture, &vp8(false, true, 3, 0, 100));
    picture.padding = 50;
    world.queue_at(&picture, late, &[]);
    world.flush();
    let received = world.take(2);
    let first = received[0].index;
    assert_eq!(indices(&received), [first, first + 1, first + 3, first + 2]);
    assert_eq!(received[1].payload.len(), 107);
    assert!(received[3].payload.is_empty());
}

#[test]
fn packets_of_a_frame_are_made_equally_long() {
    let mut world = World::new();
    world.publisher(1);
    world.subscriber(2);
    let video = video_track(2, 1);
    world.command(Command::EnsureTrack(video.clone()));
    subscribe(&mut world, 2, &video);
    let mut picture = video_stream(1, Layer::Low);
    for (part, bytes) in [1_100, 1_099, 1_100, 1_098, 400].into_iter().enumerate() {
        world.queue(&mut picture, &vp8(true, part == 0, 1, 0, bytes));
    }
    world.flush();
    let received = world.take(2);
    let sizes: BTreeSet<_> = received[..4]
        .iter()
        .map(|packet| packet.datagram_bytes)
        .collect();
    assert_eq!(sizes.len(), 1);
    assert!(received[4].datagram_bytes < received[0].datagram_bytes);
    let payloads: Vec<_> = received
        .iter()
        .map(|packet| packet.payload.len() - 7)
        .collect();
    assert_eq!(
        payloads,
        [1_100, 1_099, 1_100, 1_098, 400],
        "padding is taken off"
    );
    assert_eq!(world.forwarder.statistics().padding_bytes, 3);
}

#[test]
fn numbers_wrap_with_the_roll_over_counter() {
    let mut world = World::new();
    world.publisher(1);
    world.subscriber(2);
    let audio = audio_track(1, 1);
    world.command(Command::EnsureTrack(audio.clone()));
    subscribe(&mut world, 2, &audio);
    let mut sound = audio_stream(1);
    sound.next = 65_530;
    sound.timestamp = u32::MAX - 500;
    let mut count = 0_u64;
    let mut last: Option<Received> = None;
    for _ in 0..900 {
        for _ in 0..100 {
            world.queue(&mut sound, &[1; 10]);
            sound.timestamp = sound.timestamp.wrapping_add(960);
        }
        world.flush();
        world.advance(2_000);
        for packet in world.take(2) {
            if let Some(last) = &last {
                assert_eq!(packet.index, last.index + 1);
                assert_eq!(packet.timestamp, last.timestamp.wrapping_add(960));
            }
            last = Some(packet);
            count += 1;
        }
    }
    assert_eq!(count, 90_000, "beyond 2^16 from wherever it began");
    assert_eq!(world.forwarder.statistics().seal_refused, 0);
}

#[test]
fn two_rooms_share_nothing() {
    let mut world = World::new();
    let other = RoomId(2);
    world.room(other);
    // The same payload types, SSRCs and sections in both.
    for (room, publisher, subscriber, track) in [(ROOM, 1, 2, 1), (other, 3, 4, 2)] {
        world.peer(room, publisher, PUBLISHER_IDS);
        world.peer(room, subscriber, SUBSCRIBER_IDS);
        let track = audio_track(track, publisher);
        world.command_in(room, Command::EnsureTrack(track.clone()));
        world.command_in(
            room,
            Command::EnsureSubscription(subscription(subscriber, &track)),
        );
    }
    // Nothing of one room can be named from the other.
    for command in [
        Command::EnsureSubscription(subscription(4, &audio_track(1, 1))),
        Command::EnsureTrack(audio_track(3, 1)),
        Command::EnsureTrack(audio_track(1, 3)),
        Command::RequestKeyFrame { track: TrackId(1) },
    ] {
        world.take_events();
        world.command_in(other, command);
        assert!(matches!(world.take_events()[..], [Event::Refused { .. }]));
    }
    for command in [
        Command::RemovePeer { peer: PeerId(1) },
        Command::RemoveTrack { track: TrackId(1) },
        Command::RemoveSubscription {
            subscriber: PeerId(2),
            track: TrackId(1),
        },
    ] {
        world.command_in(other, command);
    }
    let mut first = audio_stream(1);
    let mut second = audio_stream(3);
    for _ in 0..10 {
        world.queue(&mut first, b"first");
        world.queue(&mut second, b"second");
        world.flush();
        world.advance(20);
    }
    let (to_first, to_second) = (world.take(2), world.take(4));
    assert_eq!((to_first.len(), to_second.len()), (10, 10));
    assert!(to_first.iter().all(|packet| packet.payload == b"first"));
    assert!(to_second.iter().all(|packet| packet.payload == b"second"));
    assert_eq!((world.take(1).len(), world.take(3).len()), (0, 0));
    world.take_events();
    // A room's end is nothing to the other.
    world.command_in(other, Command::RemoveRoom);
    world.queue(&mut first, b"first");
    world.queue(&mut second, b"second");
    world.flush();
    assert_eq!((world.take(2).len(), world.take(4).len()), (1, 0));
    assert_eq!(world.forwarder.statistics().dropped_unknown_peer, 1);
}

#[test]
fn what_is_not_authentic_is_counted_and_nothing_else() {
    let mut world = World::new();
    world.publisher(1);
    world.subscriber(2);
    let audio = audio_track(1, 1);
    world.command(Command::EnsureTrack(audio.clone()));
    subscribe(&mut world, 2, &audio);
    let mut sound = audio_stream(1);
    world.queue(&mut sound, &[1; 20]);
    let genuine = world.waiting.pop().expect("queued").1;
    let mut forged = genuine.clone();
    *forged.last_mut().expect("not empty") ^= 1;
    for datagram in [
        forged,
        genuine[..12].to_vec(),
        vec![0x80, 200, 0, 1, 0, 0, 0, 1],
        vec![0x90, 111],
        vec![],
    ] {
        world.waiting.push((PeerId(1), datagram));
    }
    world.flush();
    assert_eq!(world.take(2), []);
    world.waiting.push((PeerId(1), genuine.clone()));
    world.waiting.push((PeerId(1), genuine));
    world.flush();
    assert_eq!(world.take(2).len(), 1, "once, though it came twice");
    let statistics = world.forwarder.statistics();
    assert_eq!(statistics.received_rtp, 1);
    assert_eq!(
        statistics.dropped_unauthentic + statistics.dropped_malformed,
        6
    );
}

#[test]
fn a_subscriber_is_sent_nothing_while_it_cannot_be_reached() {
    let mut world = World::new();
    world.publisher(1);
    world.subscriber(2);
    let video = video_track(2, 1);
    world.command(Command::EnsureTrack(video.clone()));
    subscribe(&mut world, 2, &video);
    let mut picture = video_stream(1, Layer::Low);
    world.send(&mut picture, &vp8(true, true, 1, 0, 100));
    let first = world.take(2)[0].index;
    let path = world.client(2).path;
    world.forwarder.peer_disconnected(world.now, PeerId(2));
    for id in 2..100 {
        world.send(&mut picture, &vp8(false, true, id, 0, 100));
        world.advance(30);
    }
    assert_eq!(world.take(2), []);
    assert_eq!(world.take_compounds(2).len(), 0);
    world.forwarder.peer_path(world.now, PeerId(2), path);
    world.send(&mut picture, &vp8(false, true, 100, 0, 100));
    world.send(&mut picture, &vp8(true, true, 101, 0, 100));
    let received = world.take(2);
    assert_eq!(
        indices(&received),
        [first + 1],
        "from a key frame on, without a gap"
    );
    assert_eq!(vp8_counters(&received[0].payload).0, 2);
}

#[test]
fn when_outgoing_memory_is_full_the_packet_counts_as_lost() {
    let mut world = World::new();
    world.publisher(1);
    world.subscriber(2);
    let audio = audio_track(1, 1);
    world.command(Command::EnsureTrack(audio.clone()));
    subscribe(&mut world, 2, &audio);
    let mut sound = audio_stream(1);
    world.send(&mut sound, &[1; 20]);
    world.outbox.full = true;
    world.send(&mut sound, &[2; 20]);
    world.outbox.full = false;
    world.send(&mut sound, &[3; 20]);
    let received = world.take(2);
    assert_eq!(received[1].index, received[0].index + 2);
    assert_eq!(world.forwarder.statistics().dropped_no_memory, 1);
}

#[test]
fn the_same_seed_and_input_give_the_same_packets() {
    let run = |seed| {
        let mut world = World::with_seed(seed);
        world.publisher(1);
        let video = video_track(2, 1);
        world.command(Command::EnsureTrack(video.clone()));
        for id in 2..6 {
            world.subscriber(id);
            subscribe(&mut world, id, &video);
        }
        let mut layers = [Layer::Low, Layer::High].map(|layer| video_stream(1, layer));
        for frame in 0..40_u16 {
            for stream in &mut layers {
                if frame % 7 == 3 {
                    world.lose(stream, &vp8(false, true, frame, 0, 500));
                }
                world.queue(stream, &vp8(frame % 20 == 0, true, frame, 0, 500));
                stream.timestamp += 3_000;
            }
            world.flush();
            world.advance(33);
        }
        (2..6)
            .flat_map(|id| {
                let media = world.take(id).into_iter().map(|packet| packet.datagram);
                media.chain(world.take_compounds(id)).collect::<Vec<_>>()
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3), run(4));
}

#[test]
fn a_codec_number_that_differs_is_mapped() {
    let mut world = World::new();
    world.publisher(1);
    world.subscriber(2);
    let mut video = video_track(2, 1);
    video.codec = bedside_protocol::Codec::H264;
    video.payload_types = PayloadTypes {
        media: 102,
        rtx: Some(103),
    };
    world.command(Command::EnsureTrack(video.clone()));
    subscribe(&mut world, 2, &video);
    let mut picture = video_stream(1, Layer::Low);
    picture.payload_type = 102;
    // An IDR picture alone starts a stream that keeps its parameter sets elsewhere.
    world.send(&mut picture, &[0x41, 1]);
    world.send(&mut picture, &[0x65, 2]);
    assert_eq!(world.take(2)[0].payload, [0x65, 2]);
    // One that has shown them is started by them only.
    world.send(&mut picture, &[0x67, 3]);
    world.subscriber(3);
    subscribe(&mut world, 3, &video);
    world.send(&mut picture, &[0x65, 4]);
    assert_eq!(world.take(3), []);
    world.send(&mut picture, &[0x67, 5]);
    assert_eq!(world.take(3)[0].payload, [0x67, 5]);
    assert!(
        world
            .take(2)
            .iter()
            .all(|packet| packet.payload_type == 100)
    );
}
