//! Loss, reordering and layer switches together: once everything was repaired, a subscriber holds
//! an unbroken stream that a decoder can follow.

use super::harness::*;
use crate::rtcp::{Packet, packets, write_nack};
use crate::rtp::SequenceNumber;
use bedside_protocol::{Command, Layer};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// What happens to a packet on its way to us.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Arrives,
    Lost,
    /// Behind this many batches.
    Late(usize),
}

#[derive(Clone, Debug)]
struct Frame {
    /// One for each packet of each layer.
    fates: Vec<Fate>,
    /// What the subscriber wants from now on.
    want: Option<Layer>,
}

/// Packets in a frame of each layer.
const PARTS: [usize; 3] = [1, 2, 3];

fn frame() -> impl Strategy<Value = Frame> {
    let fate = prop_oneof![
        20 => Just(Fate::Arrives),
        2 => Just(Fate::Lost),
        2 => (1_usize..4).prop_map(Fate::Late),
    ];
    let want = proptest::option::weighted(0.08, proptest::sample::select(Layer::ALL.to_vec()));
    (
        proptest::collection::vec(fate, PARTS.iter().sum::<usize>()),
        want,
    )
        .prop_map(|(fates, want)| Frame { fates, want })
}

struct Scene {
    world: World,
    media: [Stream; 3],
    rtx: [Stream; 3],
    /// What was sent, by layer and number, for retransmission.
    sent: BTreeMap<(usize, u64), (Stream, Vec<u8>)>,
    key: [bool; 3],
    /// Datagrams under way: the batch that they arrive in, then in order.
    under_way: Vec<(usize, Stream, u64, Vec<u8>)>,
    batch: usize,
    /// Counts what reaches the subscriber; every eleventh packet does not.
    downlink: usize,
    /// What the subscriber holds, by number: timestamp and payload.
    held: BTreeMap<u64, (u32, Vec<u8>)>,
}

impl Scene {
    fn new() -> Self {
        let mut world = World::new();
        world.publisher(1);
        world.subscriber(2);
        let track = video_track(2, 1);
        world.command(Command::EnsureTrack(track.clone()));
        world.command(Command::EnsureSubscription(subscription(2, &track)));
        let media = Layer::ALL.map(|layer| video_stream(1, layer));
        let rtx = Layer::ALL.map(|layer| {
            let original = video_stream(1, layer);
            Stream {
                ssrc: original.ssrc + 0x10,
                payload_type: 97,
                repaired_rid: original.rid,
                rid: None,
                ..original
            }
        });
        Self {
            world,
            media,
            rtx,
            sent: BTreeMap::new(),
            key: [true; 3],
            under_way: Vec::new(),
            batch: 0,
            downlink: 0,
            held: BTreeMap::new(),
        }
    }

    fn publish(&mut self, number: u16, frame: &Frame) {
        if let Some(layer_max) = frame.want {
            let mut wanted = subscription(2, &video_track(2, 1));
            wanted.layer_max = layer_max;
            self.world.command(Command::EnsureSubscription(wanted));
        }
        let mut fates = frame.fates.iter().copied();
        for layer in Layer::ALL {
            let index = layer.index();
            self.media[index].timestamp += 2_970;
            let key = std::mem::take(&mut self.key[index]);
            for part in 0..PARTS[index] {
                let stream = &mut self.media[index];
                stream.marker = part + 1 == PARTS[index];
                let picture = 1_000 * u16::try_from(index).expect("three") + number;
                let tl0 = picture.to_be_bytes()[1];
                let payload = vp8(key, part == 0, picture, tl0, 300 + 100 * index);
                let sequence = stream.next;
                stream.next += 1;
                let stream = stream.clone();
                self.sent
                    .insert((index, sequence), (stream.clone(), payload.clone()));
                let arrives = match fates.next().unwrap_or(Fate::Arrives) {
                    Fate::Arrives => self.batch,
                    Fate::Late(batches) => self.batch + batches,
                    Fate::Lost => continue,
                };
                self.under_way.push((arrives, stream, sequence, payload));
            }
        }
        self.deliver();
    }

    /// One batch, 33 ms, and what both clients answer.
    fn deliver(&mut self) {
        let batch = self.batch;
        let (now, later) = std::mem::take(&mut self.under_way)
            .into_iter()
            .partition(|(arrives, ..)| *arrives <= batch);
        self.under_way = later;
        for (_, stream, sequence, payload) in now {
            self.world.queue_at(&stream, sequence, &payload);
        }
        self.batch += 1;
        self.world.flush();
        self.hold();
        for _ in 0..3 {
            self.world.advance(11);
            self.answer();
            self.hold();
        }
        self.ask();
        self.hold();
    }

    /// The publisher's side of repair.
    fn answer(&mut self) {
        for compound in self.world.take_compounds(1) {
            for packet in packets(&compound) {
                match packet {
                    Ok(Packet::PictureLoss { media }) => {
                        self.key[usize::try_from(media - 0xb0).expect("ours")] = true;
                    }
                    Ok(Packet::Nack { media, sequences }) => {
                        let index = usize::try_from(media - 0xb0).expect("ours");
                        for sequence in sequences {
                            self.retransmit(index, sequence);
                        }
                    }
                    _ => {}
                }
            }
        }
        self.world.flush();
    }

    fn retransmit(&mut self, index: usize, sequence: SequenceNumber) {
        let number = sequence
            .extend(self.media[index].next)
            .expect("far from zero");
        let (original, payload) = &self.sent[&(index, number)];
        let rtx = &mut self.rtx[index];
        (rtx.timestamp, rtx.marker) = (original.timestamp, original.marker);
        let mut repeated = sequence.0.to_be_bytes().to_vec();
        repeated.extend_from_slice(payload);
        self.world.queue(rtx, &repeated);
    }

    fn hold(&mut self) {
        for packet in self.world.take(2) {
            self.downlink += 1;
            if self.downlink.is_multiple_of(11) {
                continue;
            }
            let (index, payload) = if packet.ssrc == 2_021 {
                let (original, payload) = packet.payload.split_at(2);
                let original = SequenceNumber(u16::from_be_bytes([original[0], original[1]]));
                let near = *self.held.last_key_value().expect("media came first").0;
                (original.extend(near).expect("near"), payload.to_vec())
            } else {
                (packet.index, packet.payload)
            };
            let held = self
                .held
                .entry(index)
                .or_insert_with(|| (packet.timestamp, payload.clone()));
            assert_eq!(*held, (packet.timestamp, payload), "one number, one packet");
        }
    }

    fn missing(&self) -> Vec<u64> {
        let (Some((first, _)), Some((last, _))) =
            (self.held.first_key_value(), self.held.last_key_value())
        else {
            return Vec::new();
        };
        (*first..*last)
            .filter(|index| !self.held.contains_key(index))
            .collect()
    }

    /// The subscriber's side of repair.
    fn ask(&mut self) {
        let missing: Vec<_> = self.missing().into_iter().map(SequenceNumber::of).collect();
        if !missing.is_empty() {
            self.world
                .control(2, |out| write_nack(out, 7, 2_020, &missing));
        }
    }
}

fn layer_of(payload: &[u8]) -> usize {
    (payload.len() - 7 - 300) / 100
}

fn play(frames: &[Frame]) {
    let mut scene = Scene::new();
    for (number, frame) in (0..).zip(frames) {
        scene.publish(number, frame);
    }
    for _ in 0..15 {
        scene.deliver();
    }
    assert_eq!(scene.missing(), [0; 0], "everything was repaired");
    let held: Vec<_> = scene.held.values().collect();
    for pair in held.windows(2) {
        let ((before_time, before), (time, after)) = (pair[0], pair[1]);
        let (picture, tl0, _) = vp8_counters(before);
        let (next_picture, next_tl0, key) = vp8_counters(after);
        if time == before_time {
            assert_eq!((picture, tl0), (next_picture, next_tl0));
            assert_eq!(layer_of(before), layer_of(after));
            continue;
        }
        assert!(time.wrapping_sub(*before_time) < 90_000, "time goes on");
        assert_eq!(next_picture, (picture + 1) & 0x7fff);
        assert_eq!(next_tl0, tl0.wrapping_add(1));
        if layer_of(before) != layer_of(after) {
            assert!(key && after[0] & 0x10 != 0, "a switch shows a key frame");
        }
    }
    assert_eq!(scene.world.forwarder.statistics().seal_refused, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn what_was_repaired_is_unbroken(
        frames in proptest::collection::vec(frame(), 1..90),
    ) {
        play(&frames);
    }
}
