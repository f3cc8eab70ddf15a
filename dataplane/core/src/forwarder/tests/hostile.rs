//! An authenticated client that sends whatever it likes: nothing panics, nothing reaches the
//! wrong peer, and what its subscribers get is authentic and numbered once.

use super::harness::*;
use crate::rtcp::{write_bye, write_nack, write_picture_loss};
use crate::rtp::SequenceNumber;
use bedside_protocol::{Command, Layer, PeerId};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    /// A packet of one of a few streams, with any extensions and payload.
    Rtp(Packet),
    /// Any compound.
    Rtcp(Vec<u8>),
    Nack(u32, Vec<u16>),
    PictureLoss(u32),
    Bye(u32),
    /// Not even sealed.
    Garbage(Vec<u8>),
    Wait(u64),
    Mute(bool),
    Want(Layer, bool),
    Reachable(bool),
}

#[derive(Clone, Debug)]
struct Packet {
    ssrc: u32,
    payload_type: u8,
    /// How far ahead of the last number.
    jump: u64,
    timestamp: u32,
    mid: Option<&'static str>,
    rid: Option<&'static str>,
    repairs: bool,
    extra: Vec<u8>,
    payload: Vec<u8>,
    flush: bool,
}

fn packet() -> impl Strategy<Value = Packet> {
    let payload = prop_oneof![
        6 => (any::<bool>(), any::<u16>(), any::<u8>(), 0_usize..1_200)
            .prop_map(|(key, picture, tl0, bytes)| vp8(key, true, picture, tl0, bytes)),
        2 => proptest::collection::vec(any::<u8>(), 0..40),
        // The number of a retransmission, then something.
        3 => (0_u16..60, proptest::collection::vec(any::<u8>(), 0..40)).prop_map(|(n, mut rest)| {
            rest.splice(0..0, n.to_be_bytes());
            rest
        }),
    ];
    (
        (
            0_u32..6,
            prop_oneof![5 => Just(96), 2 => Just(97), 2 => Just(111), 1 => Just(63), 1 => 0_u8..64],
        ),
        prop_oneof![40 => 1_u64..4, 3 => 4_u64..300, 1 => 300_u64..3_000],
        prop_oneof![8 => 0_u32..1_000_000, 1 => any::<u32>()],
        (
            proptest::sample::select(vec![Some("v"), Some("v"), Some("a"), Some("x"), None]),
            proptest::sample::select(vec![Some("q"), Some("h"), Some("f"), None]),
            proptest::bool::weighted(0.2),
        ),
        proptest::collection::vec(any::<u8>(), 0..30),
        payload,
        any::<bool>(),
    )
        .prop_map(
            |(
                (ssrc, payload_type),
                jump,
                timestamp,
                (mid, rid, repairs),
                extra,
                payload,
                flush,
            )| {
                Packet {
                    ssrc,
                    payload_type,
                    jump,
                    timestamp,
                    mid,
                    rid,
                    repairs,
                    extra,
                    payload,
                    flush,
                }
            },
        )
}

fn step() -> impl Strategy<Value = Step> {
    let media = proptest::sample::select(vec![2_010, 2_020, 2_021, 5]);
    let bytes = || proptest::collection::vec(any::<u8>(), 0..80);
    prop_oneof![
        60 => packet().prop_map(Step::Rtp),
        3 => bytes().prop_map(Step::Rtcp),
        6 => (media.clone(), proptest::collection::vec(any::<u16>(), 0..20))
            .prop_map(|(media, numbers)| Step::Nack(media, numbers)),
        3 => media.prop_map(Step::PictureLoss),
        1 => (0_u32..6).prop_map(Step::Bye),
        1 => bytes().prop_map(Step::Garbage),
        8 => (0_u64..600).prop_map(Step::Wait),
        1 => any::<bool>().prop_map(Step::Mute),
        3 => (proptest::sample::select(Layer::ALL.to_vec()), proptest::bool::weighted(0.2))
            .prop_map(|(layer, paused)| Step::Want(layer, paused)),
        1 => any::<bool>().prop_map(Step::Reachable),
    ]
}

fn play(steps: &[Step]) {
    let mut world = World::new();
    world.publisher(1);
    world.subscriber(2);
    world.subscriber(3);
    let (audio, video) = (audio_track(1, 1), video_track(2, 1));
    for track in [&audio, &video] {
        world.command(Command::EnsureTrack(track.clone()));
        world.command(Command::EnsureSubscription(subscription(2, track)));
    }
    let mut next = 0_u64;
    let mut newest = 0;
    for step in steps {
        match step.clone() {
            Step::Rtp(packet) => {
                let mut stream = match packet.ssrc {
                    // As negotiated, but for the numbers and the payload.
                    0..=2 => video_stream(1, Layer::ALL[packet.ssrc as usize]),
                    3 => audio_stream(1),
                    _ => Stream::new(1, packet.ssrc, packet.payload_type),
                };
                if packet.ssrc > 3 {
                    stream.mid = packet.mid;
                    if packet.repairs {
                        stream.repaired_rid = packet.rid;
                    } else {
                        stream.rid = packet.rid;
                    }
                }
                stream.level = Some(20);
                stream.timestamp = packet.timestamp;
                stream.extra = vec![(10, packet.extra)];
                next += packet.jump;
                world.queue_at(&stream, next, &packet.payload);
                if packet.flush {
                    world.flush();
                }
            }
            Step::Rtcp(mut bytes) => {
                bytes.resize(bytes.len().max(8), 0);
                (bytes[0], bytes[1]) = (0x80 | bytes[0] & 0x3f, 200 + bytes[1] % 8);
                world.control(1, |out| out.extend_from_slice(&bytes));
                world.control(2, |out| out.extend_from_slice(&bytes));
            }
            Step::Nack(media, back) => {
                // Some of what was sent lately, and some of what never was.
                let mut numbers: Vec<_> = back
                    .into_iter()
                    .map(|back| SequenceNumber::of(newest + 3).0.wrapping_sub(back % 64))
                    .collect();
                numbers.sort_unstable();
                let numbers: Vec<_> = numbers.into_iter().map(SequenceNumber).collect();
                world.control(2, |out| write_nack(out, 1, media, &numbers));
            }
            Step::PictureLoss(media) => world.control(2, |out| write_picture_loss(out, 1, media)),
            Step::Bye(ssrc) => world.control(1, |out| write_bye(out, &[ssrc])),
            Step::Garbage(bytes) => {
                world.waiting.push((PeerId(1), bytes));
                world.flush();
            }
            Step::Wait(ms) => world.advance(ms),
            Step::Mute(muted) => {
                let mut track = video.clone();
                track.muted = muted;
                world.command(Command::EnsureTrack(track));
            }
            Step::Want(layer_max, paused) => {
                let mut wanted = subscription(2, &video);
                (wanted.layer_max, wanted.paused) = (layer_max, paused);
                world.command(Command::EnsureSubscription(wanted));
            }
            Step::Reachable(reachable) => {
                let path = world.client(2).path;
                if reachable {
                    world.forwarder.peer_path(world.now, PeerId(2), path);
                } else {
                    world.forwarder.peer_disconnected(world.now, PeerId(2));
                }
            }
        }
        for packet in &world.client(2).received {
            if packet.ssrc == 2_020 {
                newest = newest.max(packet.index);
            }
        }
    }
    world.flush();
    world.advance(5_000);
    assert_eq!(world.take(1), [], "publishers are sent no media");
    assert_eq!(world.take(3), [], "nor are strangers");
    let mut seen = std::collections::BTreeSet::new();
    for packet in world.take(2) {
        assert!([2_010, 2_020, 2_021].contains(&packet.ssrc));
        assert!(
            seen.insert((packet.ssrc, packet.index)),
            "a number used twice"
        );
    }
    assert_eq!(world.forwarder.statistics().keys_refused, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn nothing_that_a_client_sends_does_harm(
        steps in proptest::collection::vec(step(), 1..400),
    ) {
        play(&steps);
    }
}
