//! Simulcast: which layer a subscriber gets, and that changing it never shows.

use super::harness::*;
use crate::rtcp::{Packet, SenderInfo, packets, write_sender_report};
use crate::rtp::Timestamp;
use bedside_protocol::{Command, Event, Layer, PeerId, TrackId};

/// A publisher with three layers of 30 frames a second and one subscriber.
struct Simulcast {
    world: World,
    streams: [Stream; 3],
    frame: u16,
    /// Layers that are sent.
    sending: [bool; 3],
    /// Layers whose next frame is a key frame, as the publisher would after a PLI.
    key: [bool; 3],
    /// Everything that the subscriber got.
    received: Vec<Received>,
}

/// Packets in a frame of each layer.
const PARTS: [usize; 3] = [1, 2, 4];
/// Each layer's picture ids and TL0PICIDX begin elsewhere.
const PICTURE_BASE: [u16; 3] = [100, 32_750, 9_000];
const TL0_BASE: [u8; 3] = [10, 250, 77];

impl Simulcast {
    fn new() -> Self {
        let mut world = World::new();
        world.publisher(1);
        world.subscriber(2);
        let track = video_track(2, 1);
        world.command(Command::EnsureTrack(track.clone()));
        world.command(Command::EnsureSubscription(subscription(2, &track)));
        Self {
            world,
            streams: Layer::ALL.map(|layer| video_stream(1, layer)),
            frame: 0,
            sending: [true; 3],
            key: [true; 3],
            received: Vec::new(),
        }
    }

    fn want(&mut self, layer_max: Layer) {
        let mut wanted = subscription(2, &video_track(2, 1));
        wanted.layer_max = layer_max;
        self.world.command(Command::EnsureSubscription(wanted));
    }

    /// One frame of each layer in a batch, 33 ms apart, the highest last.
    fn step(&mut self) {
        for layer in Layer::ALL {
            let index = layer.index();
            let stream = &mut self.streams[index];
            stream.timestamp = stream.timestamp.wrapping_add(2_970);
            if !self.sending[index] {
                continue;
            }
            let key = std::mem::take(&mut self.key[index]);
            for part in 0..PARTS[index] {
                stream.marker = part + 1 == PARTS[index];
                let payload = vp8(
                    key,
                    part == 0,
                    PICTURE_BASE[index].wrapping_add(self.frame) & 0x7fff,
                    TL0_BASE[index].wrapping_add(self.frame.to_be_bytes()[1]),
                    600 + 100 * index,
                );
                self.world.queue(stream, &payload);
            }
        }
        self.frame += 1;
        self.world.flush();
        self.world.advance(33);
        self.answer_key_frame_requests();
        self.received.extend(self.world.take(2));
    }

    fn steps(&mut self, count: usize) {
        for _ in 0..count {
            self.step();
        }
    }

    /// What a browser does on a PLI.
    fn answer_key_frame_requests(&mut self) {
        for compound in self.world.take_compounds(1) {
            for packet in packets(&compound) {
                if let Ok(Packet::PictureLoss { media }) = packet {
                    let index = usize::try_from(media - 0xb0).expect("one of ours");
                    self.key[index] = true;
                }
            }
        }
    }

    /// The layers in the order in which they were sent, by their packets' sizes.
    fn layers(&self) -> Vec<Layer> {
        let mut layers: Vec<_> = self.received.iter().map(layer_of).collect();
        layers.dedup();
        layers
    }

    /// Every packet follows the one before it: in number, in time, in picture; and another layer
    /// begins with a key frame only.
    fn check_continuity(&self) {
        for pair in self.received.windows(2) {
            let [before, after] = pair else {
                unreachable!("windows of two");
            };
            assert_eq!(after.index, before.index + 1);
            let (picture, tl0, _) = vp8_counters(&before.payload);
            let (next_picture, next_tl0, key) = vp8_counters(&after.payload);
            if after.timestamp == before.timestamp {
                assert_eq!((picture, tl0), (next_picture, next_tl0));
            } else {
                let ahead = after.timestamp.wrapping_sub(before.timestamp);
                assert!((1..20 * 2_970).contains(&ahead), "{ahead} units later");
                assert_eq!(next_picture, (picture + 1) & 0x7fff);
                assert_eq!(next_tl0, tl0.wrapping_add(1));
            }
            if layer_of(before) != layer_of(after) {
                assert!(key, "a layer begins with a key frame");
                assert_eq!(after.payload[0] & 0x10, 0x10, "and with its first packet");
            }
        }
    }
}

fn layer_of(packet: &Received) -> Layer {
    Layer::ALL[(packet.payload.len() - 7 - 600) / 100]
}

#[test]
fn the_subscriber_gets_the_highest_layer_from_its_first_key_frame() {
    let mut simulcast = Simulcast::new();
    simulcast.steps(10);
    simulcast.check_continuity();
    assert_eq!(simulcast.layers(), [Layer::Low, Layer::High]);
    // The first frame of each layer was a key frame: nobody had to ask.
    assert_eq!(simulcast.world.forwarder.statistics().key_frame_requests, 0);
    let announced: Vec<_> = simulcast
        .world
        .take_events()
        .into_iter()
        .filter_map(|event| match event {
            Event::SubscriptionLayer {
                subscriber: PeerId(2),
                track: TrackId(2),
                layer,
            } => Some(layer),
            _ => None,
        })
        .collect();
    assert_eq!(announced, [Some(Layer::High)], "once a batch");
}

#[test]
fn each_layer_in_turn_without_a_gap() {
    let mut simulcast = Simulcast::new();
    simulcast.steps(20);
    let mut expected = vec![Layer::Low, Layer::High];
    for layer in [
        Layer::Low,
        Layer::Medium,
        Layer::High,
        Layer::Low,
        Layer::High,
    ] {
        simulcast.want(layer);
        simulcast.steps(40);
        expected.push(layer);
    }
    assert_eq!(simulcast.layers(), expected);
    simulcast.check_continuity();
    assert!(simulcast.received.len() > 400);
}

#[test]
fn the_current_layer_goes_on_until_the_key_frame() {
    let mut simulcast = Simulcast::new();
    simulcast.steps(5);
    simulcast.received.clear();
    simulcast.want(Layer::Low);
    // The request is on its way; this frame was encoded before it arrives.
    simulcast.key = [false; 3];
    simulcast.step();
    assert_eq!(simulcast.layers(), [Layer::High]);
    assert!(simulcast.key[0], "the low layer was asked for a key frame");
    assert!(!simulcast.key[2]);
    simulcast.step();
    assert_eq!(simulcast.layers(), [Layer::High, Layer::Low]);
    simulcast.check_continuity();
}

/// Switches from the low to the high layer with a frame that arrives 20 ms late, and says by how
/// much the subscriber's time is ahead of the low layer's afterwards.
fn drift_over_a_switch(reports: bool) -> u32 {
    let mut simulcast = Simulcast::new();
    simulcast.want(Layer::Low);
    simulcast.steps(3);
    if reports {
        // One instant on the publisher's clock, in the units of each layer.
        for layer in [Layer::Low, Layer::High] {
            let stream = &simulcast.streams[layer.index()];
            let info = SenderInfo {
                ssrc: stream.ssrc,
                ntp: 0xaabb_ccdd_0000_0000,
                timestamp: Timestamp(stream.timestamp),
                packets: 1,
                bytes: 1,
            };
            simulcast
                .world
                .control(1, |out| write_sender_report(out, &info));
        }
    }
    simulcast.want(Layer::High);
    simulcast.key[2] = true;
    simulcast.sending[0] = false;
    simulcast.world.advance(20);
    simulcast.steps(5);
    assert_eq!(simulcast.layers(), [Layer::Low, Layer::High]);
    simulcast.check_continuity();
    let last = simulcast.received.last().expect("received");
    last.timestamp.wrapping_sub(simulcast.streams[0].timestamp)
}

#[test]
fn time_goes_on_at_the_publishers_pace_where_its_clock_is_known() {
    assert_eq!(drift_over_a_switch(true), 0);
}

#[test]
fn time_goes_on_by_arrival_where_it_is_not() {
    assert_eq!(drift_over_a_switch(false), 20 * 90);
}

#[test]
fn a_layer_that_stops_is_replaced_and_comes_back() {
    let mut simulcast = Simulcast::new();
    simulcast.steps(10);
    simulcast.world.take_events();
    simulcast.sending[2] = false;
    simulcast.steps(30);
    assert_eq!(simulcast.layers(), [Layer::Low, Layer::High, Layer::Medium]);
    let gone = simulcast
        .world
        .take_events()
        .into_iter()
        .any(|event| matches!(event, Event::TrackLayers { active, .. } if active.len() == 2));
    assert!(gone, "the control plane was told");
    simulcast.sending[2] = true;
    simulcast.steps(30);
    assert_eq!(simulcast.layers().last(), Some(&Layer::High));
    simulcast.check_continuity();
}

#[test]
fn a_low_frame_rate_is_not_taken_for_silence() {
    let mut simulcast = Simulcast::new();
    for _ in 0..20 {
        simulcast.step();
        // Two frames a second: a static screen.
        simulcast.world.advance(467);
        for stream in &mut simulcast.streams {
            stream.timestamp = stream.timestamp.wrapping_add(45_000 - 2_970);
        }
    }
    let changes = simulcast
        .world
        .take_events()
        .into_iter()
        .filter(|event| matches!(event, Event::TrackLayers { .. }));
    assert_eq!(changes.count(), 3, "each layer began, none ended");
    assert_eq!(simulcast.layers().last(), Some(&Layer::High));
}

#[test]
fn a_silent_track_says_so_once_and_a_muted_one_does_not() {
    let mut simulcast = Simulcast::new();
    simulcast.steps(5);
    simulcast.world.take_events();
    simulcast.world.advance(10_000);
    let silences = |world: &mut World| {
        world
            .take_events()
            .into_iter()
            .filter(|event| matches!(event, Event::TrackLayers { active, .. } if active.is_empty()))
            .count()
    };
    assert_eq!(silences(&mut simulcast.world), 1);
    simulcast.key = [true; 3];
    simulcast.steps(5);
    simulcast.world.take_events();
    let mut muted = video_track(2, 1);
    muted.muted = true;
    simulcast.world.command(Command::EnsureTrack(muted));
    simulcast.world.advance(10_000);
    simulcast
        .world
        .command(Command::EnsureTrack(video_track(2, 1)));
    simulcast.world.advance(2_000);
    assert_eq!(silences(&mut simulcast.world), 0);
}

#[test]
fn mute_and_pause_stop_at_once_and_end_with_a_key_frame() {
    let mut simulcast = Simulcast::new();
    simulcast.steps(10);
    let track = video_track(2, 1);
    let mut muted = track.clone();
    muted.muted = true;
    let mut paused = subscription(2, &track);
    paused.paused = true;
    let ways = [
        (
            Command::EnsureTrack(muted),
            Command::EnsureTrack(track.clone()),
        ),
        (
            Command::EnsureSubscription(paused),
            Command::EnsureSubscription(subscription(2, &track)),
        ),
    ];
    for (stop, resume) in ways {
        let before = simulcast.received.len();
        simulcast.world.take_events();
        simulcast.world.command(stop);
        simulcast.steps(20);
        assert_eq!(simulcast.received.len(), before);
        simulcast.world.command(resume);
        simulcast.steps(5);
        assert!(simulcast.received.len() > before);
        let (_, _, key) = vp8_counters(&simulcast.received[before].payload);
        assert!(key);
        // The stream stood still for 20 frames and the request; its time did not.
        let gap = simulcast.received[before]
            .timestamp
            .wrapping_sub(simulcast.received[before - 1].timestamp);
        assert!((20 * 2_970..24 * 2_970).contains(&gap), "{gap}");
        let announced: Vec<_> = simulcast
            .world
            .take_events()
            .into_iter()
            .filter_map(|event| match event {
                Event::SubscriptionLayer { layer, .. } => Some(layer),
                _ => None,
            })
            .collect();
        assert_eq!(announced, [None, Some(Layer::High)]);
        // Continuous but for the time that passed.
        let numbers: Vec<_> = simulcast
            .received
            .iter()
            .map(|packet| packet.index)
            .collect();
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1));
    }
}

#[test]
fn late_packets_find_their_place_or_none() {
    let mut simulcast = Simulcast::new();
    simulcast.steps(5);
    // A packet of the high layer is overtaken by two others.
    let late = simulcast.streams[2].next;
    simulcast.streams[2].next += 1;
    let (timestamp, frame) = (simulcast.streams[2].timestamp, simulcast.frame);
    simulcast.step();
    let mut old = simulcast.streams[2].clone();
    old.timestamp = timestamp;
    let payload = vp8(false, false, PICTURE_BASE[2] + frame - 1, 0, 800);
    simulcast.world.queue_at(&old, late, &payload);
    simulcast.world.flush();
    simulcast.received.extend(simulcast.world.take(2));
    let found = simulcast.received.last().expect("received");
    let after = &simulcast.received[simulcast.received.len() - 2];
    assert_eq!(
        found.index + 4,
        after.index,
        "before the four of the next frame"
    );
    assert!(found.timestamp < after.timestamp);

    // After a switch, a packet that the old layer never had a place for has none.
    let next_high = simulcast.streams[2].next;
    simulcast.want(Layer::Low);
    simulcast.steps(3);
    assert_eq!(simulcast.layers().last(), Some(&Layer::Low));
    simulcast.received.clear();
    let beyond = simulcast.streams[2].next;
    assert!(beyond > next_high);
    simulcast.world.queue_at(&old, beyond, &payload);
    simulcast.world.flush();
    assert_eq!(simulcast.world.take(2), []);
}
