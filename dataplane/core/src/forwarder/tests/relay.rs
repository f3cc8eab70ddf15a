//! A room on two workers: the publisher on one, subscribers on both.

use super::harness::*;
use crate::forwarder::RelayBatch;
use crate::rtcp::{
    Packet, ReportBlock, SenderInfo, packets, write_bye, write_nack, write_receiver_report,
    write_sender_report,
};
use crate::rtp::{SequenceNumber, Timestamp};
use bedside_protocol::{
    Command, Event, Generation, Layer, PeerId, Relay, Track, TrackId, WorkerId,
};

const HERE: WorkerId = WorkerId(0);
const THERE: WorkerId = WorkerId(1);

/// Publisher 1 and subscriber 2 are here, subscriber 3 is there.
struct Pair {
    here: World,
    there: World,
    /// What is relayed does not arrive, and is not given back.
    stalled: bool,
    #[expect(clippy::vec_box, reason = "as they are given back")]
    waiting: Vec<Box<RelayBatch>>,
}

fn relayed(track: &Track, relay: Relay) -> Command {
    let track = track.clone();
    Command::EnsureTrack(Track { relay, ..track })
}

impl Pair {
    fn new(tracks: &[Track]) -> Self {
        let mut here = World::new();
        let there = World::with_seed(8);
        here.now = there.now;
        let mut pair = Self {
            here,
            there,
            stalled: false,
            waiting: Vec::new(),
        };
        pair.here.publisher(1);
        pair.here.subscriber(2);
        pair.there.subscriber(3);
        for track in tracks {
            pair.wanted_there(track);
            pair.wanted_here(track);
            let local = subscription(2, track);
            pair.here.command(Command::EnsureSubscription(local));
            let remote = subscription(3, track);
            pair.there.command(Command::EnsureSubscription(remote));
        }
        pair.exchange();
        pair
    }

    fn wanted_here(&mut self, track: &Track) {
        self.here.command(relayed(track, Relay::To(vec![THERE])));
    }

    fn wanted_there(&mut self, track: &Track) {
        self.there.command(relayed(track, Relay::From(HERE)));
    }

    /// What the workers do after each wake-up.
    fn exchange(&mut self) {
        loop {
            let mut moved = false;
            while let Some((to, batch)) = self.here.forwarder.poll_relay() {
                assert_eq!(to, THERE);
                moved = true;
                if self.stalled {
                    self.waiting.push(batch);
                } else {
                    self.deliver(batch);
                }
            }
            while let Some((to, batch)) = self.there.forwarder.poll_relay() {
                assert_eq!(to, HERE);
                moved = true;
                let (now, sink) = (self.here.now, &mut self.here.outbox);
                self.here.forwarder.handle_relayed(now, THERE, &batch, sink);
                self.here.drain();
                self.there.forwarder.take_back(HERE, batch);
            }
            if !moved {
                return;
            }
        }
    }

    fn deliver(&mut self, batch: Box<RelayBatch>) {
        let (now, sink) = (self.there.now, &mut self.there.outbox);
        self.there.forwarder.handle_relayed(now, HERE, &batch, sink);
        self.there.drain();
        self.here.forwarder.take_back(THERE, batch);
    }

    fn send(&mut self, stream: &mut Stream, payload: &[u8]) {
        self.here.send(stream, payload);
        self.exchange();
    }

    fn advance(&mut self, ms: u64) {
        for _ in 0..ms {
            self.here.advance(1);
            self.there.advance(1);
            self.exchange();
        }
    }

    /// The SSRCs that the publisher was asked for a key frame of.
    fn key_frames_asked(&mut self) -> Vec<u32> {
        let compounds = self.here.take_compounds(1);
        let asked = compounds.iter().flat_map(|compound| packets(compound));
        asked
            .filter_map(|packet| match packet {
                Ok(Packet::PictureLoss { media }) => Some(media),
                _ => None,
            })
            .collect()
    }
}

fn frame(stream: &mut Stream, key: bool, number: u16) -> Vec<u8> {
    stream.timestamp += 3_000;
    stream.marker = true;
    vp8(key, true, number, number.to_be_bytes()[1], 500)
}

/// Payloads and steps in number and time; where they begin is each subscriber's own.
fn media(received: &[Received]) -> Vec<(Vec<u8>, u64, u32)> {
    let first = &received[0];
    received
        .iter()
        .map(|packet| {
            let number = packet.index - first.index;
            let time = packet.timestamp.wrapping_sub(first.timestamp);
            (packet.payload.clone(), number, time)
        })
        .collect()
}

#[test]
fn a_subscriber_on_another_worker_gets_what_one_here_gets() {
    let mut pair = Pair::new(&[audio_track(1, 1), video_track(2, 1)]);
    let mut sound = audio_stream(1);
    sound.level = Some(20);
    let mut picture = video_stream(1, Layer::Low);
    picture.extra = vec![(9, vec![1])];
    for number in 0..30_u16 {
        sound.timestamp += 960;
        pair.send(&mut sound, &[number.to_be_bytes()[1]; 60]);
        let payload = frame(&mut picture, number == 0, number);
        pair.send(&mut picture, &payload);
        pair.advance(20);
    }
    let (here, there) = (pair.here.take(2), pair.there.take(3));
    for (track, extension) in [(1, SUBSCRIBER_IDS.audio_level), (2, Some(5))] {
        let of = |subscriber: u32, all: &[Received]| -> Vec<Received> {
            let ssrc = 1_000 * subscriber + 10 * track;
            let mut all = all.to_vec();
            all.retain(|packet| packet.ssrc == ssrc);
            all
        };
        let (here, there) = (of(2, &here), of(3, &there));
        assert_eq!(here.len(), 30);
        assert_eq!(media(&here), media(&there));
        let id = extension.expect("negotiated");
        assert!(there.iter().all(|packet| packet.extension(id).is_some()));
        assert_eq!(here[0].extension(id), there[0].extension(id));
    }
    let statistics = pair.here.forwarder.statistics();
    assert_eq!((statistics.relayed, statistics.relay_dropped), (60, 0));
    let statistics = pair.there.forwarder.statistics();
    assert_eq!(statistics.received_relayed, 60);
    // What is said of a track is its origin's to say.
    let is_origins = |event: &Event| {
        matches!(
            event,
            Event::TrackLayers { .. } | Event::Speakers { .. } | Event::Refused { .. }
        )
    };
    let events = pair.there.take_events();
    assert!(!events.iter().any(is_origins), "{events:?}");
    assert!(pair.here.take_events().iter().any(is_origins));
    pair.advance(2_000);
    let tracks = |world: &mut World| {
        let mut counts = Vec::new();
        for event in world.take_events() {
            if let Event::Statistics { tracks, peers } = event {
                counts.push((peers.len(), tracks.len()));
            }
        }
        counts
    };
    assert!(tracks(&mut pair.here).contains(&(2, 2)));
    assert!(tracks(&mut pair.there).contains(&(1, 0)));
}

#[test]
fn key_frame_requests_reach_the_publisher_and_layers_switch() {
    let video = video_track(2, 1);
    let mut pair = Pair::new(std::slice::from_ref(&video));
    // Nobody here, so that whatever is asked for is asked for there.
    pair.here.command(Command::RemoveSubscription {
        subscriber: PeerId(2),
        track: TrackId(2),
    });
    let mut low = video_stream(1, Layer::Low);
    let mut high = video_stream(1, Layer::High);
    let mut limited = subscription(3, &video);
    limited.layer_max = Layer::Low;
    pair.there.command(Command::EnsureSubscription(limited));
    for number in 0..20 {
        let payload = frame(&mut low, number == 12, number);
        pair.send(&mut low, &payload);
        let payload = frame(&mut high, false, number);
        pair.send(&mut high, &payload);
        pair.advance(33);
    }
    let asked = pair.key_frames_asked();
    assert_eq!(asked[..], [low.ssrc], "once, as throttled as from here");
    assert_eq!(pair.there.take(3).len(), 8, "from the key frame on");

    let wanted = subscription(3, &video);
    pair.there.command(Command::EnsureSubscription(wanted));
    pair.exchange();
    pair.advance(5);
    assert_eq!(pair.key_frames_asked(), [high.ssrc]);
    for number in 20..30 {
        let payload = frame(&mut low, false, number);
        pair.send(&mut low, &payload);
        let payload = frame(&mut high, number == 23, number);
        pair.send(&mut high, &payload);
        pair.advance(33);
    }
    let received = pair.there.take(3);
    let keys: Vec<bool> = received
        .iter()
        .map(|packet| vp8_counters(&packet.payload).2)
        .collect();
    // Four of the low layer, of which the last came beside the key frame; then the high one.
    assert_eq!(keys, [[false; 4].as_slice(), &[true], &[false; 6]].concat());
    assert!(
        received
            .windows(2)
            .all(|pair| pair[1].index == pair[0].index + 1)
    );
    let layers: Vec<_> = pair
        .there
        .take_events()
        .into_iter()
        .filter_map(|event| match event {
            Event::SubscriptionLayer { layer, .. } => Some(layer),
            _ => None,
        })
        .collect();
    assert_eq!(layers, [Some(Layer::Low), Some(Layer::High)]);

    // A decoder there that asks is heard here.
    pair.advance(600);
    pair.there.control(3, |out| {
        crate::rtcp::write_picture_loss(out, 7, 3_020);
    });
    pair.exchange();
    pair.advance(2);
    assert_eq!(pair.key_frames_asked(), [high.ssrc]);
}

#[test]
fn loss_is_repaired_by_the_worker_that_it_concerns() {
    let mut pair = Pair::new(&[video_track(2, 1)]);
    let mut low = video_stream(1, Layer::Low);
    let mut retransmission = Stream {
        mid: Some("v"),
        repaired_rid: Some("q"),
        ..Stream::new(1, 0xc0, 97)
    };
    for number in 0..5 {
        let payload = frame(&mut low, number == 0, number);
        pair.send(&mut low, &payload);
    }
    let lost = low.next;
    let payload = frame(&mut low, false, 5);
    pair.here.lose(&mut low, &payload);
    let after = frame(&mut low, false, 6);
    pair.send(&mut low, &after);
    // From publisher to origin: asked for here alone, and what comes is relayed.
    pair.advance(20);
    assert_eq!(pair.here.forwarder.statistics().nacked, 1);
    assert_eq!(pair.there.forwarder.statistics().nacked, 0);
    let mut repeated = SequenceNumber::of(lost).0.to_be_bytes().to_vec();
    repeated.extend(&payload);
    pair.send(&mut retransmission, &repeated);
    let mut received = pair.there.take(3);
    received.sort_by_key(|packet| packet.index);
    assert_eq!(received.len(), 7);
    let order: Vec<u16> = received
        .iter()
        .map(|packet| vp8_counters(&packet.payload).0)
        .collect();
    assert!(
        order.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "{order:?}"
    );

    // From there to subscriber: repaired there, and the origin hears nothing of it.
    let wanted = SequenceNumber::of(received[3].index);
    pair.there
        .control(3, |out| write_nack(out, 7, 3_020, &[wanted]));
    pair.exchange();
    let [again] = &pair.there.take(3)[..] else {
        panic!("one retransmission");
    };
    assert_eq!(again.ssrc, 3_021);
    assert_eq!(again.payload[..2], wanted.0.to_be_bytes());
    assert_eq!(again.payload[2..], received[3].payload);
    assert_eq!(pair.here.forwarder.statistics().retransmitted, 0);
}

/// (NTP time, timestamp, CNAME) of each sender report, by SSRC.
fn reports(world: &mut World, id: u64) -> Vec<(u32, u64, u32, Vec<u8>)> {
    let mut found = Vec::new();
    for compound in world.take_compounds(id) {
        for packet in packets(&compound) {
            if let Ok(Packet::SenderReport {
                ssrc,
                ntp,
                timestamp,
                ..
            }) = packet
            {
                // RFC 3550 §6.5: the chunk of that SSRC, item 1, 16 bytes long.
                let mut chunk = ssrc.to_be_bytes().to_vec();
                chunk.extend([1, 16]);
                let at = compound.windows(6).position(|bytes| bytes == chunk);
                let name = at.map_or(&[][..], |at| &compound[at + 6..at + 22]);
                found.push((ssrc, ntp, timestamp.0, name.to_vec()));
            }
        }
    }
    found
}

#[test]
fn audio_and_video_stay_in_step_on_another_worker() {
    let mut pair = Pair::new(&[audio_track(1, 1), video_track(2, 1)]);
    let mut sound = audio_stream(1);
    let mut picture = video_stream(1, Layer::Low);
    let ntp = 0xe000_0000_8000_0000;
    for number in 0..5 {
        pair.send(&mut sound, &[1; 60]);
        let payload = frame(&mut picture, number == 0, number);
        pair.send(&mut picture, &payload);
        if number == 2 {
            for stream in [&sound, &picture] {
                let info = SenderInfo {
                    ssrc: stream.ssrc,
                    ntp,
                    timestamp: Timestamp(stream.timestamp),
                    packets: 0,
                    bytes: 0,
                };
                pair.here.control(1, |out| write_sender_report(out, &info));
            }
        }
    }
    pair.advance(1_100);
    let here = reports(&mut pair.here, 2);
    let there = reports(&mut pair.there, 3);
    assert_eq!((here.len(), there.len()), (2, 2));
    for (here, there) in here.iter().zip(&there) {
        assert_eq!(here.0 - 2_000, there.0 - 3_000);
        let (ahead, elapsed) = (there.1 - here.1, there.2 - here.2);
        assert!((ahead, elapsed) == (0, 0), "{here:?} {there:?}");
        assert_eq!(here.3.len(), 16);
        assert_eq!(here.3, there.3, "one name for both workers' subscribers");
    }
    assert_eq!(there[0].3, there[1].3, "one name for sound and picture");
}

#[test]
fn a_publisher_is_told_what_is_lost_on_the_other_worker() {
    let mut pair = Pair::new(&[audio_track(1, 1)]);
    let mut sound = audio_stream(1);
    pair.send(&mut sound, &[1; 50]);
    let block = ReportBlock {
        ssrc: 3_010,
        fraction_lost: 40,
        ..ReportBlock::default()
    };
    pair.there
        .control(3, |out| write_receiver_report(out, 1, &[block]));
    pair.advance(1_000);
    let mut told = Vec::new();
    for compound in pair.here.take_compounds(1) {
        for packet in packets(&compound) {
            if let Ok(Packet::ReceiverReport { blocks }) = packet {
                told.extend(blocks.map(|block| block.fraction_lost));
            }
        }
    }
    assert_eq!(told, [40]);
}

#[test]
fn a_layer_that_ends_is_left_on_the_other_worker_too() {
    let video = video_track(2, 1);
    let mut pair = Pair::new(std::slice::from_ref(&video));
    let mut low = video_stream(1, Layer::Low);
    let mut high = video_stream(1, Layer::High);
    for number in 0..3 {
        let payload = frame(&mut low, number == 0, number);
        pair.send(&mut low, &payload);
        let payload = frame(&mut high, number == 0, number);
        pair.send(&mut high, &payload);
    }
    pair.there.take(3);
    pair.key_frames_asked();
    // No packet says it.
    pair.here.control(1, |out| {
        write_receiver_report(out, 7, &[]);
        write_bye(out, &[high.ssrc]);
    });
    pair.exchange();
    pair.advance(5);
    assert_eq!(pair.key_frames_asked(), [low.ssrc]);
    let payload = frame(&mut low, true, 9);
    pair.send(&mut low, &payload);
    let received = pair.there.take(3);
    assert_eq!(received.len(), 1);
    assert!(vp8_counters(&received[0].payload).2);
}

#[test]
fn a_worker_that_stalls_misses_packets_and_then_gets_a_key_frame() {
    let mut pair = Pair::new(&[video_track(2, 1)]);
    let mut low = video_stream(1, Layer::Low);
    let payload = frame(&mut low, true, 0);
    pair.send(&mut low, &payload);
    pair.advance(600);
    pair.key_frames_asked();
    pair.stalled = true;
    let bound = u16::try_from(RelayBatch::IN_FLIGHT_MAX).expect("small");
    for number in 1..bound + 20 {
        let payload = frame(&mut low, false, number);
        pair.send(&mut low, &payload);
    }
    let statistics = pair.here.forwarder.statistics();
    assert_eq!(pair.waiting.len(), RelayBatch::IN_FLIGHT_MAX);
    assert_eq!(statistics.relay_dropped, 19);
    assert_eq!(
        pair.here.take(2).len(),
        usize::from(bound) + 20,
        "nobody here"
    );
    pair.advance(5);
    assert!(pair.key_frames_asked().is_empty(), "it would not arrive");

    pair.stalled = false;
    for batch in std::mem::take(&mut pair.waiting) {
        pair.deliver(batch);
    }
    pair.there.take(3);
    let payload = frame(&mut low, false, bound + 20);
    pair.send(&mut low, &payload);
    pair.advance(5);
    assert_eq!(pair.key_frames_asked(), [low.ssrc]);
    let payload = frame(&mut low, true, bound + 21);
    pair.send(&mut low, &payload);
    assert_eq!(pair.there.take(3).len(), 2);
    pair.advance(600);
    assert!(pair.key_frames_asked().is_empty(), "once");
}

#[test]
fn parts_are_reconciled_each_for_itself_and_in_any_order() {
    let video = video_track(2, 1);
    let mut pair = Pair::new(std::slice::from_ref(&video));
    let mut low = video_stream(1, Layer::Low);
    let payload = frame(&mut low, true, 0);
    pair.send(&mut low, &payload);
    assert_eq!(pair.there.take(3).len(), 1);

    // Another control plane says the same again: nothing changes.
    for world in [&mut pair.here, &mut pair.there] {
        world.generation = Generation(2);
        world.room(ROOM);
    }
    pair.here.ensure_peer(ROOM, 1, PUBLISHER_IDS);
    pair.here.ensure_peer(ROOM, 2, SUBSCRIBER_IDS);
    pair.there.ensure_peer(ROOM, 3, SUBSCRIBER_IDS);
    pair.wanted_here(&video);
    pair.here.command(Command::Reconcile);
    let payload = frame(&mut low, false, 1);
    pair.send(&mut low, &payload);
    pair.wanted_there(&video);
    let wanted = subscription(3, &video);
    pair.there.command(Command::EnsureSubscription(wanted));
    pair.there.command(Command::Reconcile);
    let payload = frame(&mut low, false, 2);
    pair.send(&mut low, &payload);
    assert_eq!(pair.there.take(3).len(), 2);

    // One that has forgotten the track there.
    pair.there.generation = Generation(3);
    pair.there.room(ROOM);
    pair.there.ensure_peer(ROOM, 3, SUBSCRIBER_IDS);
    pair.there.command(Command::Reconcile);
    let payload = frame(&mut low, true, 3);
    pair.send(&mut low, &payload);
    assert_eq!(pair.there.take(3).len(), 0);
    assert_eq!(pair.there.forwarder.statistics().relay_unknown, 1);

    // Wanted again, there after here: it is told what is being received, and asks.
    pair.advance(600);
    pair.key_frames_asked();
    pair.wanted_there(&video);
    let mut wanted = subscription(3, &video);
    (wanted.ssrc, wanted.rtx_ssrc) = (4_020, Some(4_021));
    pair.there.command(Command::EnsureSubscription(wanted));
    pair.exchange();
    pair.advance(2);
    assert_eq!(
        pair.key_frames_asked(),
        [low.ssrc],
        "before any packet came"
    );

    // The publisher leaves: the room's other part goes with it when it is told.
    pair.here.command(Command::RemovePeer { peer: PeerId(1) });
    pair.there.command(Command::RemoveRoom);
    pair.advance(3_000);
    let events = pair.there.take_events();
    let refused = |event: &Event| matches!(event, Event::Refused { .. });
    assert!(!events.iter().any(refused), "{events:?}");
    assert_eq!(pair.there.forwarder.poll_timeout(), None, "nothing is left");
}

#[test]
fn a_track_keeps_its_origin() {
    let mut world = World::new();
    world.publisher(1);
    let track = audio_track(1, 1);
    world.command(relayed(&track, Relay::From(THERE)));
    world.command(relayed(&track, Relay::From(WorkerId(2))));
    world.command(Command::EnsureTrack(track.clone()));
    let everywhere = (1..400).map(WorkerId).collect();
    world.command(relayed(&audio_track(2, 1), Relay::To(everywhere)));
    let reasons: Vec<String> = world
        .take_events()
        .into_iter()
        .filter_map(|event| match event {
            Event::Refused { reason, .. } => Some(reason),
            _ => None,
        })
        .collect();
    let belongs = "the track belongs to another publisher or room";
    let many = "the track is relayed to more workers than there can be";
    assert_eq!(reasons, [belongs, belongs, many]);
}
