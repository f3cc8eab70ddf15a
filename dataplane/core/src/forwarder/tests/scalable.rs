//! Temporal and spatial layers within one stream: whatever is left out, a subscriber holds an
//! unbroken stream of which every frame can be decoded.

use super::harness::*;
use crate::forwarder::layer_selection::Target;
use crate::rtcp::{Packet, packets};
use bedside_protocol::{Codec, Command, Event, Layer, Track, TrackId};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// What a publisher sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mode {
    /// One spatial layer, three temporal ones by the payload descriptor.
    Vp8,
    /// L3T3_KEY, by the payload descriptor.
    Vp9,
    /// L3T3, by the dependency descriptor.
    Av1,
    /// L3T3_KEY, by the dependency descriptor.
    Av1Key,
    /// L1T3, by the dependency descriptor.
    H264,
}

impl Mode {
    const ALL: [Self; 5] = [Self::Vp8, Self::Vp9, Self::Av1, Self::Av1Key, Self::H264];

    fn codec(self) -> Codec {
        match self {
            Self::Vp8 => Codec::Vp8,
            Self::Vp9 => Codec::Vp9,
            Self::Av1 | Self::Av1Key => Codec::Av1,
            Self::H264 => Codec::H264,
        }
    }

    fn spatial_layers(self) -> u8 {
        if matches!(self, Self::Vp8 | Self::H264) {
            1
        } else {
            3
        }
    }

    fn highest(self) -> Layer {
        Layer::ALL[usize::from(self.spatial_layers()) - 1]
    }

    /// Every picture's spatial layers are predicted from those below, not only a key picture's.
    fn is_full(self) -> bool {
        self == Self::Av1
    }

    fn has_dependency_descriptor(self) -> bool {
        matches!(self, Self::Av1 | Self::Av1Key | Self::H264)
    }
}

/// Temporal layers of the pictures since a key picture, over and over.
const PATTERN: [u8; 4] = [0, 2, 1, 2];
/// How many pictures back each of them refers to.
const REFERENCE: [u16; 4] = [4, 1, 2, 1];
/// Packets in a frame.
const PARTS: u8 = 2;
/// Source picture, spatial layer and part stand at the end of each payload.
const TRAILER_BYTES: usize = 5;

/// What happens to a packet on its way to us.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Arrives,
    Twice,
    /// Behind this many pictures: overtaken, or repaired.
    Late(usize),
}

/// A frame by its source picture and spatial layer.
type FrameName = (u16, u8);

struct Scene {
    mode: Mode,
    world: World,
    stream: Stream,
    picture: u16,
    /// The newest key picture.
    key_picture: u16,
    key: bool,
    frame_number: u16,
    target: Target,
    /// Frames that each frame needs.
    references: BTreeMap<FrameName, Vec<FrameName>>,
    /// Packets under way and the picture with which they arrive.
    under_way: Vec<(usize, usize, Stream, u64, Vec<u8>)>,
    received: Vec<Received>,
}

impl Scene {
    fn new(mode: Mode) -> Self {
        let mut world = World::new();
        world.publisher(1);
        world.subscriber(2);
        let track = track_of(mode);
        world.command(Command::EnsureTrack(track.clone()));
        world.command(Command::EnsureSubscription(subscription(2, &track)));
        let mut stream = video_stream(1, Layer::Low);
        stream.rid = None;
        Self {
            mode,
            world,
            stream,
            picture: 0,
            key_picture: 0,
            key: true,
            frame_number: 65_500,
            target: Target::full_rate(mode.highest()),
            references: BTreeMap::new(),
            under_way: Vec::new(),
            received: Vec::new(),
        }
    }

    /// Sends one picture, with a fate for each of its packets, and lets 33 ms pass.
    fn step(&mut self, fates: &[Fate]) {
        self.aim();
        let key = std::mem::take(&mut self.key);
        if key {
            self.key_picture = self.picture;
        }
        self.stream.timestamp += 3_000;
        let mut fates = fates.iter().copied();
        for spatial in 0..self.mode.spatial_layers() {
            self.note_references(spatial);
            self.frame_number = self.frame_number.wrapping_add(1);
            for part in 0..PARTS {
                self.write(spatial, part, fates.next().unwrap_or(Fate::Arrives));
            }
        }
        self.picture += 1;
        self.deliver();
    }

    fn steps(&mut self, count: usize) {
        for _ in 0..count {
            self.step(&[]);
        }
    }

    /// The allocation's part.
    fn aim(&mut self) {
        let forwarder = &mut self.world.forwarder;
        let track = forwarder.track_ids.find(TrackId(2)).expect("made");
        let handle = forwarder.tracks.get(track).expect("made").subscriptions[0];
        let subscription = forwarder.subscriptions.get_mut(handle).expect("made");
        if subscription.current().is_some() {
            subscription.set_target(Some(self.target));
            if let Some(awaited) = subscription.awaited() {
                let track = forwarder.tracks.get_mut(track).expect("made");
                let layer = track.stream_mut(awaited).expect("of the track");
                layer.key_frames.request();
                forwarder.arm_track(self.world.now, handle_of(forwarder));
            }
        }
    }

    fn position(&self) -> usize {
        usize::from(self.picture - self.key_picture) % PATTERN.len()
    }

    fn is_key(&self) -> bool {
        self.picture == self.key_picture
    }

    fn note_references(&mut self, spatial: u8) {
        let mut references = Vec::new();
        if !self.is_key() {
            references.push((self.picture - REFERENCE[self.position()], spatial));
        }
        if spatial > 0 && (self.is_key() || self.mode.is_full()) {
            references.push((self.picture, spatial - 1));
        }
        self.references.insert((self.picture, spatial), references);
    }

    fn write(&mut self, spatial: u8, part: u8, fate: Fate) {
        let (first, last) = (part == 0, part + 1 == PARTS);
        let temporal = PATTERN[self.position()];
        let mut payload = match self.mode {
            Mode::Vp8 => self.vp8(temporal, first),
            Mode::Vp9 => self.vp9(spatial, temporal, first, last),
            Mode::Av1 | Mode::Av1Key => {
                let new = u8::from(self.is_key() && spatial == 0 && first) << 3;
                vec![0x10 | new | u8::from(!first) << 7]
            }
            Mode::H264 if self.is_key() && first => vec![0x67],
            Mode::H264 => vec![0x41],
        };
        let [high, low] = self.picture.to_be_bytes();
        payload.extend_from_slice(&[0x5a; 200]);
        payload.extend_from_slice(&[high, low, spatial, part, temporal]);
        self.stream.extra.clear();
        if self.mode.has_dependency_descriptor() {
            let data = self.dependency_descriptor(spatial, temporal, first, last);
            self.stream.extra.push((10, data));
        }
        self.stream.marker = last && spatial + 1 == self.mode.spatial_layers();
        let sequence = self.stream.next;
        self.stream.next += 1;
        let now = usize::from(self.picture);
        let arrives = match fate {
            Fate::Late(pictures) => now + pictures,
            Fate::Arrives | Fate::Twice => now,
        };
        let copies = 1 + usize::from(matches!(fate, Fate::Twice));
        let stream = self.stream.clone();
        self.under_way
            .push((arrives, copies, stream, sequence, payload));
    }

    fn vp8(&self, temporal: u8, first: bool) -> Vec<u8> {
        let [high, low] = (self.picture.wrapping_add(32_700) | 0x8000).to_be_bytes();
        let sync = temporal > 0 && self.position() != 3;
        vec![
            0x80 | u8::from(first) << 4,
            0xe0,
            high,
            low,
            self.tl0(),
            temporal << 6 | u8::from(sync) << 5,
            u8::from(!self.is_key()),
        ]
    }

    /// Running number of the pictures of the lowest temporal layer.
    fn tl0(&self) -> u8 {
        let zeros = self.references.keys().filter(|(picture, spatial)| {
            let of = self.references[&(*picture, 0)].first();
            *spatial == 0 && of.is_none_or(|(earlier, _)| picture - earlier == 4)
        });
        zeros.count().to_be_bytes()[7]
    }

    fn vp9(&self, spatial: u8, temporal: u8, first: bool, last: bool) -> Vec<u8> {
        let key = self.is_key();
        let structure = key && spatial == 0 && first;
        let [high, low] = (self.picture.wrapping_add(32_700) | 0x8000).to_be_bytes();
        let inter_layer = key && spatial > 0;
        let mut payload = vec![
            0xb0 | u8::from(!key) << 6
                | u8::from(first) << 3
                | u8::from(last) << 2
                | u8::from(structure) << 1,
            high,
            low,
            temporal << 5 | u8::from(temporal < 2) << 4 | spatial << 1 | u8::from(inter_layer),
        ];
        if !key {
            payload.push(REFERENCE[self.position()].to_be_bytes()[1] << 1);
        }
        if structure {
            payload.push(0x40);
        }
        payload
    }

    /// A.8.2 of the specification. There are four templates for each spatial layer: a key frame
    /// and the three temporal layers; and a decode target for each pair of layers.
    fn dependency_descriptor(&self, spatial: u8, temporal: u8, first: bool, last: bool) -> Vec<u8> {
        let template = 4 * spatial + if self.is_key() { 0 } else { 1 + temporal };
        let mut bits = BitWriter::default();
        bits.put(first.into(), 1);
        bits.put(last.into(), 1);
        bits.put(template.into(), 6);
        bits.put(self.frame_number.into(), 16);
        if self.is_key() && spatial == 0 && first {
            let layers = self.mode.spatial_layers();
            bits.put(0b10000, 5);
            bits.put(0, 6);
            bits.put(u32::from(layers) * 3 - 1, 5);
            for layer in 1..=layers {
                for next in [0, 1, 1, if layer == layers { 3 } else { 2 }] {
                    bits.put(next, 2);
                }
            }
            for of in 0..layers {
                for kind in 0..4_u8 {
                    for target in 0..layers * 3 {
                        let indication = self.indication((of, kind), (target / 3, target % 3));
                        bits.put(indication, 2);
                    }
                }
            }
            // No frame differences, no chains (ns(4) and ns(10) of 0), no sizes.
            bits.put(0, u32::from(layers) * 4);
            bits.put(0, if layers == 1 { 2 } else { 3 });
            bits.put(0, 1);
        }
        bits.finish()
    }

    /// Table A.1, of a template (0 for key frames, else one more than its temporal layer) to a
    /// decode target.
    fn indication(&self, (spatial, kind): (u8, u8), target: (u8, u8)) -> u32 {
        let temporal = kind.saturating_sub(1);
        let above = target.0 > spatial;
        if spatial > target.0 || temporal > target.1 {
            return 0;
        }
        match (kind, above) {
            (0, _) | (1, false) => 2,
            (_, true) if !self.mode.is_full() => 0,
            (1, true) | (2, _) => 3,
            _ => 1,
        }
    }

    fn deliver(&mut self) {
        let now = usize::from(self.picture) - 1;
        let (arriving, later) = std::mem::take(&mut self.under_way)
            .into_iter()
            .partition(|(arrives, ..)| *arrives <= now);
        self.under_way = later;
        for (_, copies, stream, sequence, payload) in arriving {
            self.world.queue_at(&stream, sequence, &payload);
            let packet = self.world.waiting[self.world.waiting.len() - 1].clone();
            let again = std::iter::repeat_n(packet, copies - 1);
            self.world.waiting.extend(again);
        }
        self.world.flush();
        self.world.advance(33);
        for compound in self.world.take_compounds(1) {
            for packet in packets(&compound) {
                self.key |= matches!(packet, Ok(Packet::PictureLoss { .. }));
            }
        }
        let received = self.world.take(2);
        self.received.extend(received);
    }

    /// Everything that can be asked of what the subscriber holds, once all has arrived. Gives the
    /// spatial and temporal layers of each picture that it was sent.
    fn check(&mut self) -> BTreeMap<u16, (u8, u8)> {
        while !self.under_way.is_empty() {
            self.step(&[]);
        }
        // One that came late may have been the last.
        self.steps(3);
        self.received.sort_by_key(|packet| packet.index);
        let numbers: Vec<_> = self.received.iter().map(|packet| packet.index).collect();
        let (first, last) = (numbers[0], numbers[numbers.len() - 1]);
        assert_eq!(numbers, (first..=last).collect::<Vec<_>>(), "no gap");
        let full: Vec<&Received> = self
            .received
            .iter()
            .filter(|packet| !packet.payload.is_empty())
            .collect();
        let mut parts: BTreeMap<FrameName, BTreeSet<u8>> = BTreeMap::new();
        let mut pictures: BTreeMap<u16, (u8, u8)> = BTreeMap::new();
        for packet in &full {
            let [picture, spatial, part, temporal] = trailer(packet);
            let name = (picture, spatial.to_be_bytes()[1]);
            assert!(parts.entry(name).or_default().insert(part.to_be_bytes()[1]));
            let layers = pictures.entry(picture).or_default();
            layers.0 = layers.0.max(name.1);
            layers.1 = temporal.to_be_bytes()[1];
        }
        for (name, parts) in &parts {
            assert_eq!(parts.len(), usize::from(PARTS), "{name:?} is whole");
        }
        for (name, _) in parts
            .iter()
            .filter(|(name, _)| name.1 <= pictures[&name.0].0)
        {
            for needed in &self.references[name] {
                assert!(parts.contains_key(needed), "{name:?} needs {needed:?}");
            }
        }
        for pair in full.windows(2) {
            let ([picture, ..], [next, ..]) = (trailer(pair[0]), trailer(pair[1]));
            assert!(next >= picture, "in order");
            assert_eq!(pair[0].marker, next > picture, "picture {picture}");
            if self.mode == Mode::Vp8 {
                let (id, tl0, _) = vp8_counters(&pair[0].payload);
                let (next_id, next_tl0, _) = vp8_counters(&pair[1].payload);
                // One that was left out late had its number already.
                let blank = pair[1].index - pair[0].index > 1;
                let ahead = next_id.wrapping_sub(id) & 0x7fff;
                let expected = u16::from(next > picture);
                assert!(ahead == expected || blank, "picture {picture}: {ahead}");
                assert!(next_tl0.wrapping_sub(tl0) <= 1);
            }
        }
        assert_eq!(self.world.forwarder.statistics().seal_refused, 0);
        pictures
    }
}

#[derive(Default)]
struct BitWriter(Vec<bool>);

impl BitWriter {
    fn put(&mut self, value: u32, count: u32) {
        let bits = (0..count).rev().map(|shift| value >> shift & 1 == 1);
        self.0.extend(bits);
    }

    fn finish(&self) -> Vec<u8> {
        let bytes = self.0.chunks(8).map(|bits| {
            let bits = bits.iter().zip((0..8).rev());
            bits.fold(0, |byte, (bit, shift)| byte | u8::from(*bit) << shift)
        });
        bytes.collect()
    }
}

/// Source picture, spatial layer, part and temporal layer.
fn trailer(packet: &Received) -> [u16; 4] {
    let at = packet.payload.len() - TRAILER_BYTES;
    let [high, low, spatial, part, temporal] = packet.payload[at..] else {
        unreachable!("five bytes");
    };
    [
        u16::from_be_bytes([high, low]),
        spatial.into(),
        part.into(),
        temporal.into(),
    ]
}

fn track_of(mode: Mode) -> Track {
    Track {
        codec: mode.codec(),
        encodings: vec![encoding(Layer::Low, None)],
        ..video_track(2, 1)
    }
}

fn handle_of(
    forwarder: &crate::forwarder::Forwarder,
) -> crate::forwarder::Handle<crate::forwarder::Track> {
    forwarder.track_ids.find(TrackId(2)).expect("made")
}

#[test]
fn a_temporal_layer_is_left_out_at_once_and_taken_up_at_a_switching_point() {
    for mode in Mode::ALL {
        let mut scene = Scene::new(mode);
        scene.steps(10);
        scene.target.temporal = 0;
        scene.steps(10);
        scene.target.temporal = 1;
        scene.steps(12);
        scene.target.temporal = u8::MAX;
        scene.steps(12);
        let pictures = scene.check();
        let highest = |range: std::ops::Range<u16>| {
            let layers = pictures.range(range).map(|(_, (_, temporal))| *temporal);
            layers.max()
        };
        assert_eq!(highest(0..10), Some(2), "{mode:?}");
        assert_eq!(highest(10..20), Some(0), "{mode:?}");
        assert_eq!(highest(20..32), Some(1), "{mode:?}");
        assert_eq!(highest(38..44), Some(2), "{mode:?}");
        let requests = scene.world.forwarder.statistics().key_frame_requests;
        assert_eq!(requests, 0, "{mode:?}: nobody needs a key frame");
    }
}

#[test]
fn a_spatial_layer_goes_down_at_once_and_up_with_a_key_frame() {
    for mode in [Mode::Vp9, Mode::Av1, Mode::Av1Key] {
        let mut scene = Scene::new(mode);
        scene.steps(10);
        assert_eq!(scene.world.forwarder.statistics().key_frame_requests, 0);
        for (layer, count) in [(Layer::Low, 20), (Layer::Medium, 20), (Layer::High, 20)] {
            scene.target.spatial = layer;
            scene.steps(count);
        }
        scene.target.spatial = Layer::Medium;
        scene.steps(4);
        let pictures = scene.check();
        let spatial: Vec<_> = pictures.values().map(|(spatial, _)| *spatial).collect();
        let mut changes = spatial.clone();
        changes.dedup();
        assert_eq!(changes, [2, 0, 1, 2, 1], "{mode:?}");
        assert_eq!(pictures[&10].0, 0, "down with the next picture");
        let requests = scene.world.forwarder.statistics().key_frame_requests;
        assert_eq!(requests, 2, "{mode:?}: one for each way up");
    }
}

#[test]
fn the_control_plane_sees_spatial_layers_like_simulcast() {
    for mode in [Mode::Vp9, Mode::Av1Key] {
        let mut scene = Scene::new(mode);
        scene.steps(90);
        let events = scene.world.take_events();
        let active: Vec<_> = events
            .iter()
            .filter_map(|event| match event {
                Event::TrackLayers { active, .. } => Some(active.len()),
                _ => None,
            })
            .collect();
        assert_eq!(active.last(), Some(&3), "{mode:?}");
        let sent = events.iter().filter_map(|event| match event {
            Event::SubscriptionLayer { layer, .. } => Some(*layer),
            _ => None,
        });
        assert_eq!(sent.collect::<Vec<_>>(), [Some(Layer::High)], "{mode:?}");
        // Each costs what those below it cost too.
        let track = handle_of(&scene.world.forwarder);
        let track = scene.world.forwarder.tracks.get(track).expect("made");
        let costs: Vec<_> = track.activity().iter().map(|it| it.bitrate_bps).collect();
        assert!(costs[0] > 0 && costs[1] > costs[0] && costs[2] > costs[1]);

        // What is said of the track again changes nothing.
        scene.world.command(Command::EnsureTrack(track_of(mode)));
        let mut wanted = subscription(2, &track_of(mode));
        wanted.layer_max = Layer::Low;
        scene.target.spatial = Layer::Low;
        scene.world.command(Command::EnsureSubscription(wanted));
        scene.steps(2);
        let now = scene.check();
        assert_eq!(now.last_key_value().expect("sent").1.0, 0, "{mode:?}");
    }
}

#[test]
fn a_descriptor_names_the_decode_targets_that_are_left() {
    let mut scene = Scene::new(Mode::Av1Key);
    scene.steps(4);
    scene.received.clear();
    scene.target = Target {
        spatial: Layer::Medium,
        temporal: 1,
    };
    scene.steps(4);
    let first = scene
        .received
        .iter()
        .find(|packet| trailer(packet)[2] == 0)
        .expect("a frame began");
    let descriptor = first.extension(13).expect("passed on");
    // Of nine decode targets, the highest first, those of spatial layers 0 and 1 with temporal
    // layers 0 and 1: five flags, then the mask.
    let mask = 0b0_0001_1011_u32;
    let expected = (0b01000 << 9 | mask) << 2;
    assert_eq!(descriptor[3..], expected.to_be_bytes()[2..]);
}

fn target() -> impl Strategy<Value = Target> {
    let temporal = proptest::sample::select(vec![0, 1, 2, u8::MAX]);
    (proptest::sample::select(Layer::ALL.to_vec()), temporal)
        .prop_map(|(spatial, temporal)| Target { spatial, temporal })
}

fn picture() -> impl Strategy<Value = (Vec<Fate>, Option<Target>)> {
    let fate = prop_oneof![
        24 => Just(Fate::Arrives),
        1 => Just(Fate::Twice),
        2 => (0_usize..5).prop_map(Fate::Late),
    ];
    (
        proptest::collection::vec(fate, 6),
        proptest::option::weighted(0.12, target()),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn what_is_left_is_unbroken(
        mode in proptest::sample::select(Mode::ALL.to_vec()),
        pictures in proptest::collection::vec(picture(), 1..60),
    ) {
        let mut scene = Scene::new(mode);
        scene.step(&[]);
        for (fates, target) in &pictures {
            scene.target = target.unwrap_or(scene.target);
            scene.target.spatial = scene.target.spatial.min(mode.highest());
            scene.step(fates);
        }
        scene.check();
    }
}
