//! A path that is slower than what it is sent: what waits, what is dropped, and that numbers stay
//! whole.

use super::harness::*;
use crate::limits::{
    ESTIMATE_START_BPS, PACER_BURST_BYTES_MIN, PACER_QUEUE_KEY_FRAME_MAX, PACER_QUEUE_MAX,
};
use crate::rtcp::{Packet, packets, write_nack, write_receiver_report, write_transport_feedback};
use crate::rtp::SequenceNumber;
use bedside_protocol::{Command, Event, Layer, Track};
use proptest::prelude::*;
use std::collections::BTreeMap;

const AUDIO_SSRC: u32 = 2_010;
const VIDEO_SSRC: u32 = 2_020;
const RTX_SSRC: u32 = 2_021;

/// A publisher with audio and one video layer, and one subscriber of both.
struct Call {
    world: World,
    audio: Stream,
    video: Stream,
    track: Track,
    picture: u16,
}

impl Call {
    fn new() -> Self {
        let mut world = World::new();
        world.publisher(1);
        world.subscriber(2);
        let track = video_track(2, 1);
        for track in [audio_track(1, 1), track.clone()] {
            world.command(Command::EnsureTrack(track.clone()));
            world.command(Command::EnsureSubscription(subscription(2, &track)));
        }
        let mut call = Self {
            world,
            audio: audio_stream(1),
            video: video_stream(1, Layer::Low),
            track,
            picture: 0,
        };
        call.frame(true, 1, 500);
        call
    }

    /// The client says what it can take.
    fn takes(&mut self, bps: u64) {
        self.world
            .control(2, |out| write_receiver_estimate(out, bps));
    }

    /// A frame of so many packets, in one batch.
    fn frame(&mut self, key: bool, count: usize, bytes: usize) {
        self.picture += 1;
        self.video.timestamp += 3_000;
        for part in 0..count {
            self.video.marker = part + 1 == count;
            let key = key && part == 0;
            let payload = vp8(key, part == 0, self.picture, 0, bytes);
            self.world.queue(&mut self.video, &payload);
        }
        self.world.flush();
    }

    fn speak(&mut self) {
        self.audio.timestamp += 960;
        self.world.send(&mut self.audio, &[7; 80]);
    }

    /// What the subscriber got of its video since the last call.
    fn video(&mut self) -> Vec<Received> {
        let mut received = self.world.take(2);
        received.retain(|packet| packet.ssrc == VIDEO_SSRC);
        received
    }

    fn key_frames_asked(&mut self) -> usize {
        let compounds = self.world.take_compounds(1);
        compounds
            .iter()
            .flat_map(|compound| packets(compound))
            .filter(|packet| matches!(packet, Ok(Packet::PictureLoss { .. })))
            .count()
    }
}

fn transport_sequence(packet: &Received) -> u16 {
    let id = SUBSCRIBER_IDS.transport_cc.expect("negotiated");
    let bytes = packet.extension(id).expect("on every packet");
    u16::from_be_bytes([bytes[0], bytes[1]])
}

#[test]
fn a_large_key_frame_is_spread_out_and_audio_passes_it() {
    let mut call = Call::new();
    call.takes(500_000);
    call.world.take(2);
    call.world.advance(200);
    call.frame(true, 100, 1_000);
    // Bytes that left by the end of each millisecond, from the frame's arrival on.
    let mut sent = vec![datagram_bytes(&call.world.take(2))];
    let mut order = Vec::new();
    for ms in 1..=1_500 {
        if ms % 20 == 0 {
            call.speak();
            let passed = call.world.take(2);
            assert!(
                passed.iter().any(|packet| packet.ssrc == AUDIO_SSRC),
                "audio leaves in the wake-up that it came in"
            );
            order.extend(passed.iter().map(|packet| (packet.ssrc, packet.index)));
            *sent.last_mut().expect("begun") += datagram_bytes(&passed);
        }
        call.world.advance(1);
        let passed = call.world.take(2);
        order.extend(passed.iter().map(|packet| (packet.ssrc, packet.index)));
        sent.push(datagram_bytes(&passed));
    }
    let video: Vec<_> = order
        .iter()
        .filter(|(ssrc, _)| *ssrc == VIDEO_SSRC)
        .collect();
    assert_eq!(video.len(), 98, "all but the burst, which left at once");
    assert!(video.windows(2).all(|pair| pair[1].1 == pair[0].1 + 1));
    // 2.5 x 500 kbit/s are 156 bytes a millisecond.
    let burst = usize::try_from(PACER_BURST_BYTES_MIN).expect("small");
    for (from, _) in sent.iter().enumerate() {
        for to in from..(from + 100).min(sent.len()) {
            let bytes: usize = sent[from..=to].iter().sum();
            let most = (to - from + 1) * 157 + burst + 1_100 + 200;
            assert!(bytes <= most, "{bytes} bytes from {from} ms to {to} ms");
        }
    }
    let statistics = call.world.forwarder.statistics();
    assert_eq!((statistics.pacer_shed, statistics.pacer_lost), (0, 0));
    assert_eq!(statistics.paced, 98);
}

fn datagram_bytes(packets: &[Received]) -> usize {
    packets.iter().map(|packet| packet.datagram_bytes).sum()
}

#[test]
fn what_the_path_takes_is_written_at_once() {
    let mut call = Call::new();
    call.takes(20_000_000);
    call.world.take(2);
    call.world.advance(100);
    for _ in 0..100 {
        call.frame(false, 10, 1_000);
        assert_eq!(call.video().len(), 10);
        call.world.advance(33);
    }
    assert_eq!(call.world.forwarder.statistics().paced, 0);
}

#[test]
fn nothing_waits_where_there_is_no_feedback() {
    let mut call = Call::new();
    call.world.take(2);
    for _ in 0..5 {
        call.frame(false, 100, 1_000);
        assert_eq!(call.video().len(), 100);
    }
    assert_eq!(call.world.forwarder.statistics().paced, 0);
}

/// A call whose first key frame is long past, and what waits after `frames` large frames.
fn overrun(frames: usize) -> Call {
    let mut call = Call::new();
    call.takes(200_000);
    for _ in 0..50 {
        call.world.advance(50);
        call.speak();
    }
    call.world.take(2);
    call.key_frames_asked();
    for _ in 0..frames {
        call.frame(false, 10, 1_000);
        call.world.advance(33);
    }
    call
}

#[test]
fn video_that_would_be_late_is_dropped_and_goes_on_with_a_key_frame_without_a_gap() {
    let mut call = overrun(10);
    let statistics = call.world.forwarder.statistics();
    // Half a megabit a second takes 156 packets of 1,000 bytes in 2.5 s, and two in 33 ms.
    assert!(statistics.pacer_shed >= 10, "{statistics:?}");
    assert!(call.key_frames_asked() >= 1);
    call.world.advance(400);
    let before = call.video();
    assert!(!before.is_empty());
    call.frame(false, 1, 500);
    call.world.advance(50);
    assert_eq!(call.video(), [], "there is nothing that it could refer to");
    call.frame(true, 2, 500);
    call.world.advance(50);
    let after = call.video();
    let last = before.last().expect("some");
    assert_eq!(after.len(), 2);
    assert_eq!(
        after[0].index,
        last.index + 1,
        "dropped numbers are given anew"
    );
    assert!(after[0].timestamp.wrapping_sub(last.timestamp) < 1 << 31);
    assert!(call.world.client(2).replayed.is_empty());
}

#[test]
fn nothing_older_than_the_bound_leaves() {
    let mut call = Call::new();
    call.takes(500_000);
    call.world.advance(2 * ms(PACER_QUEUE_KEY_FRAME_MAX) + 100);
    call.world.take(2);
    let mut late = 0;
    for step in 0..300_u64 {
        if step % 3 == 0 {
            // Half of what the path takes, but for key frames.
            let key = step % 150 == 0;
            call.frame(key, if key { 60 } else { 1 }, 500);
        }
        call.world.advance(10);
        late += call.video().len();
    }
    assert!(late > 20, "{late}");
    let statistics = call.world.forwarder.statistics();
    assert!(statistics.paced > 20, "{statistics:?}");
    let events = call.world.take_events();
    let longest = events
        .iter()
        .filter_map(|event| match event {
            Event::Statistics { peers, .. } => Some(peers.iter()),
            _ => None,
        })
        .flatten()
        .map(|peer| peer.queue_delay_ms)
        .fold(0.0, f32::max);
    assert!(longest > 1.0, "{longest}");
    let bound = PACER_QUEUE_KEY_FRAME_MAX.max(PACER_QUEUE_MAX).as_secs_f32() * 1_000.0;
    assert!(longest <= bound + 20.0, "{longest}");
}

fn ms(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).expect("short")
}

#[test]
fn what_is_asked_for_again_leaves_before_video_that_waits() {
    let mut call = Call::new();
    call.world.advance(100);
    let first = call.video()[0].index;
    call.takes(300_000);
    call.frame(true, 20, 1_000);
    call.world.advance(1);
    call.world.take(2);
    let asked = SequenceNumber::of(first);
    call.world
        .control(2, |out| write_nack(out, 7, VIDEO_SSRC, &[asked]));
    let mut next = Vec::new();
    while next.is_empty() {
        call.world.advance(1);
        next = call.world.take(2);
    }
    assert_eq!(next[0].ssrc, RTX_SSRC);
    assert_eq!(next[0].payload[..2], asked.0.to_be_bytes());
    assert_eq!(call.world.forwarder.statistics().retransmitted, 1);
}

#[test]
fn a_pause_drops_what_waits_and_its_numbers_are_given_anew() {
    let mut call = Call::new();
    call.takes(300_000);
    call.frame(true, 20, 1_000);
    call.world.advance(50);
    let before = call.video().last().expect("some left").index;
    let mut wanted = subscription(2, &call.track);
    wanted.paused = true;
    call.world
        .command(Command::EnsureSubscription(wanted.clone()));
    call.world.advance(500);
    assert_eq!(call.video(), []);
    wanted.paused = false;
    call.world.command(Command::EnsureSubscription(wanted));
    call.frame(true, 1, 500);
    call.world.advance(50);
    assert_eq!(call.video()[0].index, before + 1);
}

#[test]
fn every_packet_has_a_transport_wide_number_and_none_is_given_twice() {
    let mut call = Call::new();
    call.takes(600_000);
    let mut numbers = Vec::new();
    for step in 0..200 {
        if step % 4 == 0 {
            call.frame(step % 40 == 0, 3, 700);
        }
        call.speak();
        call.world.advance(10);
        let received = call.world.take(2);
        numbers.extend(received.iter().map(transport_sequence));
    }
    assert!(numbers.len() > 300);
    for pair in numbers.windows(2) {
        assert_eq!(pair[1], pair[0].wrapping_add(1));
    }
}

/// Transport-wide feedback about what the client received, which took `delay_ms`.
fn feed_back(call: &mut Call, count: &mut u8, arrivals: &mut Vec<(u16, u64)>) {
    let Some((base, _)) = arrivals.first().copied() else {
        return;
    };
    let statuses: Vec<_> = arrivals.iter().map(|(_, at_ms)| Some(at_ms * 4)).collect();
    let base = SequenceNumber(base);
    call.world.control(2, |out| {
        write_receiver_report(out, 7, &[]);
        write_transport_feedback(out, 7, VIDEO_SSRC, *count, base, &statuses);
    });
    *count = count.wrapping_add(1);
    arrivals.clear();
}

#[test]
fn probes_are_seen_on_the_wire_with_numbers_of_their_own() {
    let mut call = Call::new();
    let (mut count, mut arrivals) = (0, Vec::new());
    let (mut numbers, mut rtx, mut repeated) = (Vec::new(), Vec::new(), 0);
    for step in 0..3_000_u64 {
        if step % 33 == 0 {
            call.frame(step == 0, 2, 900);
        }
        if step % 20 == 0 {
            call.speak();
        }
        call.world.advance(1);
        for packet in call.world.take(2) {
            let number = transport_sequence(&packet);
            numbers.push(number);
            arrivals.push((number, step + 25));
            if packet.ssrc == RTX_SSRC {
                assert_eq!(packet.payload_type, 101);
                repeated += usize::from(!packet.payload.is_empty());
                rtx.push(packet.index);
            }
        }
        if step % 50 == 49 {
            feed_back(&mut call, &mut count, &mut arrivals);
        }
    }
    assert!(
        numbers
            .windows(2)
            .all(|pair| pair[1] == pair[0].wrapping_add(1))
    );
    let statistics = call.world.forwarder.statistics();
    assert!(statistics.probed >= 2, "{statistics:?}");
    let events = call.world.take_events();
    let estimate = events.iter().rev().find_map(|event| match event {
        Event::Statistics { peers, .. } => peers.iter().find_map(|peer| peer.estimate_bps),
        _ => None,
    });
    assert!(estimate > Some(ESTIMATE_START_BPS), "{estimate:?}");
    assert_eq!(statistics.probed, u64::try_from(rtx.len()).expect("few"));
    assert!(repeated > 0, "media is repeated before padding is sent");
    assert!(rtx.windows(2).all(|pair| pair[1] == pair[0] + 1));
    assert_eq!(statistics.seal_refused, 0);
    assert!(call.world.client(2).replayed.is_empty());
}

#[derive(Clone, Debug)]
enum Step {
    Frame {
        key: bool,
        packets: usize,
        bytes: usize,
        lost: usize,
    },
    Late,
    Speak,
    Takes(u64),
    Again {
        back: u64,
        count: u64,
    },
    Paused(bool),
    Advance(u64),
    Unreachable,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (any::<bool>(), 1..30_usize, 50..1_200_usize, 0..4_usize).prop_map(
            |(key, packets, bytes, lost)| Step::Frame { key, packets, bytes, lost }
        ),
        3 => Just(Step::Late),
        2 => Just(Step::Speak),
        2 => (30_000..3_000_000_u64).prop_map(Step::Takes),
        4 => (0..60_u64, 1..20_u64).prop_map(|(back, count)| Step::Again { back, count }),
        1 => any::<bool>().prop_map(Step::Paused),
        6 => (1..120_u64).prop_map(Step::Advance),
        1 => Just(Step::Unreachable),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Whatever waits, is dropped, is lost, comes late or is asked for again, in any order: no
    /// number of a stream is sealed twice, and no packet leaves that is not whole.
    #[test]
    fn no_number_is_used_twice(steps in prop::collection::vec(step(), 1..120)) {
        let mut call = Call::new();
        let mut missing = Vec::new();
        let mut seen = BTreeMap::new();
        let mut newest = 0;
        call.takes(200_000);
        for step in steps {
            match step {
                Step::Frame { key, packets, bytes, lost } => {
                    call.picture += 1;
                    call.video.timestamp += 3_000;
                    for part in 0..packets {
                        let payload = vp8(key && part == 0, part == 0, call.picture, 0, bytes);
                        if part > 0 && part <= lost {
                            missing.push((call.video.clone(), payload));
                            call.video.next += 1;
                        } else {
                            call.world.queue(&mut call.video, &payload);
                        }
                    }
                    call.world.flush();
                }
                Step::Late => {
                    if let Some((stream, payload)) = missing.pop() {
                        call.world.queue_at(&stream, stream.next, &payload);
                        call.world.flush();
                    }
                }
                Step::Speak => call.speak(),
                Step::Takes(bps) => call.takes(bps),
                Step::Again { back, count } => {
                    let asked: Vec<_> = (0..count)
                        .map(|index| SequenceNumber::of((newest + index).saturating_sub(back)))
                        .collect();
                    call.world.control(2, |out| write_nack(out, 7, VIDEO_SSRC, &asked));
                }
                Step::Paused(paused) => {
                    let mut wanted = subscription(2, &call.track);
                    wanted.paused = paused;
                    call.world.command(Command::EnsureSubscription(wanted));
                }
                Step::Advance(ms) => call.world.advance(ms),
                Step::Unreachable => {
                    let (id, path) = (call.world.client(2).id, call.world.client(2).path);
                    let now = call.world.now;
                    call.world.forwarder.peer_disconnected(now, id);
                    call.world.forwarder.peer_path(now, id, path);
                }
            }
            for packet in call.world.take(2) {
                if packet.ssrc == VIDEO_SSRC {
                    newest = newest.max(packet.index);
                }
                let key = (packet.ssrc, packet.index);
                prop_assert!(seen.insert(key, ()).is_none(), "{key:?} came twice");
            }
            prop_assert!(call.world.client(2).replayed.is_empty());
        }
        prop_assert_eq!(call.world.forwarder.statistics().seal_refused, 0);
    }
}
