//! The first half of a batch: open each datagram, find its stream, keep it for who gets it.

use super::layer_filter::spatial_layer;
use super::nack::Arrived;
use super::packet_cache::{Inserted, PacketFacts, PayloadDescriptor};
use super::peer::{Peer, StreamOf, smooth};
use super::publisher::{Arrival, PublishedLayer, Track};
use super::stream_lookup::learn;
use super::{Forwarder, Handle, MediaDatagram, MediaPeer, Timer};
use crate::limits::SPEAKER_INTERVAL;
use crate::rtp::{
    FrameLayers, Header, KeyFrame, PassedExtension, ReceivedExtensions, Red, SequenceNumber,
    Vp8Descriptor, Vp9Descriptor, elements, find_key_frame,
};
use bedside_protocol::{Codec, MediaKind};
use std::time::Instant;

/// A packet of a known stream, on its way into the cache.
struct Incoming<'a> {
    stream: StreamOf,
    header: Header,
    extensions: ReceivedExtensions<'a>,
    /// SRTP index.
    index: u64,
    /// Payload without padding.
    payload: &'a [u8],
}

/// What a packet says of its frame, in its payload descriptor or in its dependency descriptor.
#[derive(Clone, Copy, Default)]
struct Frame {
    layers: Option<FrameLayers>,
    /// How many spatial layers its stream has, if it says so.
    spatial_layers: Option<u8>,
    number: Option<u16>,
}

/// What a payload is to the track that it came for.
struct Payload<'a> {
    bytes: &'a [u8],
    descriptor: Option<PayloadDescriptor>,
    red_primary_start: Option<usize>,
    key_frame: KeyFrame,
}

impl Forwarder {
    pub(super) fn receive(&mut self, now: Instant, datagram: &mut MediaDatagram<'_>) {
        let MediaPeer(handle) = datagram.peer;
        let second = datagram.payload.get(1).copied().unwrap_or_default();
        if RTCP_PACKET_TYPES.contains(&second) {
            self.receive_rtcp(now, handle, datagram.payload);
        } else {
            self.receive_rtp(now, handle, datagram.payload);
        }
    }

    fn receive_rtp(&mut self, now: Instant, handle: Handle<Peer>, packet: &mut [u8]) {
        let Some(peer) = self.peers.get_mut(handle) else {
            self.statistics.dropped_unknown_peer += 1;
            return;
        };
        let Some(keys) = peer.keys.as_mut() else {
            self.statistics.dropped_unknown_peer += 1;
            return;
        };
        let Some(header) = Header::parse(packet) else {
            self.statistics.dropped_malformed += 1;
            peer.counters.rejected += 1;
            return;
        };
        let Ok(opened) = keys
            .opener
            .open_rtp(packet, header.bytes, header.ssrc, header.sequence.0)
        else {
            self.statistics.dropped_unauthentic += 1;
            peer.counters.rejected += 1;
            return;
        };
        self.statistics.received_rtp += 1;
        peer.counters.received_bytes += count(packet.len());
        let received = elements(header.extension_profile, header.extension(packet));
        let extensions = ReceivedExtensions::parse(received, &peer.extensions);
        if let Some(sequence) = extensions.transport_cc.filter(|_| peer.transport_cc) {
            peer.arrivals.arrived(now, sequence);
            let next = peer.arrivals.next();
            self.timers.arm(&mut peer.armed, Timer::Peer(handle), next);
        }
        let stream = peer
            .streams
            .find(header.ssrc)
            .or_else(|| learn(peer, &mut self.tracks, &header, &extensions));
        let Some(stream) = stream else {
            self.statistics.dropped_unmatched += 1;
            return;
        };
        let Some(payload) = header.payload(packet, opened.plain_bytes) else {
            self.statistics.dropped_malformed += 1;
            peer.counters.rejected += 1;
            return;
        };
        self.receive_media(
            now,
            handle,
            &Incoming {
                stream,
                header,
                extensions,
                index: opened.index,
                payload,
            },
        );
    }

    fn receive_media(&mut self, now: Instant, publisher: Handle<Peer>, packet: &Incoming<'_>) {
        let StreamOf {
            track: handle,
            layer,
            ..
        } = packet.stream;
        let Some((sequence, payload)) = self.count_and_number(now, packet) else {
            return;
        };
        let frame = self.read_frame(packet, &payload);
        if !self.keep(now, publisher, packet, sequence, &payload, frame) {
            return;
        }
        let Some(track) = self.tracks.get_mut(handle) else {
            return;
        };
        let (kind, clock_hz) = (track.kind(), track.wanted.codec.clock_hz());
        let Some(state) = track.layer_mut(layer) else {
            return;
        };
        let starts = starts(state, payload.key_frame);
        let empty = payload.bytes.is_empty();
        track.batch.push(self.scratch.arrivals.len());
        if track.batch.len() == 1 {
            self.scratch.tracks.push(handle);
        }
        let descriptor = payload.descriptor.as_ref();
        self.scratch.arrivals.push(Arrival {
            layer,
            sequence,
            timestamp: packet.header.timestamp,
            starts,
            empty,
            picture_id: descriptor.and_then(PayloadDescriptor::picture_id),
            tl0_picture_index: descriptor.and_then(PayloadDescriptor::tl0_picture_index),
            frame_number: frame.number,
            frame: frame.layers,
            renumbered: matches!(descriptor, Some(PayloadDescriptor::Vp8(_))),
        });
        if empty {
            return;
        }
        let timestamp = packet.header.timestamp;
        let mut changed = track.heard(now, layer, timestamp);
        if frame.spatial_layers.is_some() || frame.layers.is_some_and(|it| it.spatial > 0) {
            changed |= hear_spatial_layers(now, track, packet, frame);
        }
        track.count_rate(now, layer, frame.layers, timestamp, payload.bytes.len());
        if kind == MediaKind::Audio {
            self.hear(now, handle, sequence, packet, clock_hz);
        }
        if changed {
            self.layers_changed(now, handle);
        }
        // After the subscriptions aimed anew: what begins with a key frame need not be asked for
        // one.
        if starts
            && let Some(state) = self
                .tracks
                .get_mut(handle)
                .and_then(|track| track.layer_mut(layer))
        {
            state.key_frames.settle();
        }
    }

    /// Counts a packet for the reports, and says which one of its layer it is, restored if it is a
    /// retransmission. `None` for what is of no use.
    fn count_and_number<'a>(
        &mut self,
        now: Instant,
        packet: &Incoming<'a>,
    ) -> Option<(u64, Payload<'a>)> {
        let StreamOf {
            track,
            layer,
            retransmission,
        } = packet.stream;
        let track = self.tracks.get_mut(track)?;
        let types = track.wanted.payload_types;
        let clock_hz = track.wanted.codec.clock_hz();
        let state = track.layer_mut(layer)?;
        state.received_bytes += count(packet.payload.len());
        let payload_type = packet.header.payload_type;
        if !retransmission {
            state
                .receive
                .received(now, packet.index, packet.header.timestamp, clock_hz);
            let sequence = state.epoch.saturating_add(packet.index);
            return Some((sequence, interpret(track, payload_type, packet.payload)));
        }
        if types.rtx != Some(payload_type) {
            self.statistics.dropped_unmatched += 1;
            return None;
        }
        let (sequence, bytes) = restore(state, packet.payload)?;
        Some((sequence, interpret(track, types.media, bytes)))
    }

    /// What a packet says of its frame. The payload's own descriptor tells layers apart where the
    /// codec has one, a dependency descriptor elsewhere.
    fn read_frame(&mut self, packet: &Incoming<'_>, payload: &Payload<'_>) -> Frame {
        let own = match &payload.descriptor {
            Some(PayloadDescriptor::Vp8(vp8)) => Frame {
                layers: vp8.layers(packet.header.marker),
                ..Frame::default()
            },
            Some(PayloadDescriptor::Vp9(vp9)) => Frame {
                layers: Some(vp9.layers()),
                spatial_layers: vp9.spatial_layers,
                number: None,
            },
            None => Frame::default(),
        };
        let Some(data) = packet.extensions.passed[PassedExtension::DependencyDescriptor as usize]
        else {
            return own;
        };
        let track = self.tracks.get_mut(packet.stream.track);
        let read = track
            .and_then(|track| track.layer_mut(packet.stream.layer))
            .and_then(|layer| layer.descriptors.read(data));
        match read {
            Some(descriptor) => Frame {
                layers: own.layers.or(Some(descriptor.layers)),
                spatial_layers: own.spatial_layers.or(descriptor.spatial_layers),
                number: Some(descriptor.frame_number),
            },
            None => own,
        }
    }

    /// Puts a packet into its layer's cache and notices what is missing. Whether it is the first
    /// of its number.
    fn keep(
        &mut self,
        now: Instant,
        publisher: Handle<Peer>,
        packet: &Incoming<'_>,
        sequence: u64,
        payload: &Payload<'_>,
        frame: Frame,
    ) -> bool {
        let Some(track) = self.tracks.get_mut(packet.stream.track) else {
            return false;
        };
        let (kind, wants_nack) = (track.kind(), track.wanted.nack);
        let Some(state) = track.layer_mut(packet.stream.layer) else {
            return false;
        };
        let facts = PacketFacts {
            timestamp: packet.header.timestamp,
            marker: packet.header.marker,
            descriptor: payload.descriptor,
            ends: frame
                .layers
                .filter(|layers| layers.ends)
                .map(|layers| spatial_layer(&layers)),
            red_primary_start: payload.red_primary_start,
        };
        let passed = &packet.extensions.passed;
        let inserted = state
            .cache
            .insert(now, sequence, facts, passed, payload.bytes);
        if inserted != Inserted::New {
            self.statistics.dropped_duplicate += 1;
            return false;
        }
        if packet.stream.retransmission {
            self.statistics.recovered += 1;
            state.receive.recovered();
        }
        if wants_nack {
            match state.nack.arrived(now, sequence) {
                Arrived::Fine => {}
                Arrived::Outage if kind == MediaKind::Video => state.key_frames.request(),
                Arrived::Outage => {}
                Arrived::Answered(round_trip) => {
                    if let Some(peer) = self.peers.get_mut(publisher) {
                        smooth(&mut peer.uplink_round_trip, round_trip);
                    }
                }
            }
        }
        true
    }

    /// Takes an audio packet's level.
    fn hear(
        &mut self,
        now: Instant,
        handle: Handle<Track>,
        sequence: u64,
        packet: &Incoming<'_>,
        clock_hz: u32,
    ) {
        let Some(level) = packet.extensions.audio_level else {
            return;
        };
        let Some(track) = self.tracks.get_mut(handle) else {
            return;
        };
        track
            .meter
            .record(sequence, packet.header.timestamp, clock_hz, level.level);
        let room = track.room;
        if let Some(state) = self.rooms.get_mut(room)
            && state.speakers_due.is_none()
        {
            state.speakers_due = Some(now + SPEAKER_INTERVAL);
            let due = state.speakers_due;
            self.timers.arm(&mut state.armed, Timer::Room(room), due);
        }
    }
}

/// The packet that a retransmission repeats (RFC 4588 §4): its number and its payload. `None` for
/// padding, and for a layer of which nothing else is known.
fn restore<'a>(layer: &PublishedLayer, payload: &'a [u8]) -> Option<(u64, &'a [u8])> {
    let (original, bytes) = payload.split_first_chunk::<2>()?;
    let original = SequenceNumber(u16::from_be_bytes(*original));
    let sequence = original.extend(layer.cache.highest()?)?;
    Some((sequence, bytes))
}

/// What a payload is; empty where it is of a type that is not forwarded, or malformed.
fn interpret<'a>(track: &Track, payload_type: u8, bytes: &'a [u8]) -> Payload<'a> {
    let nothing = Payload {
        bytes: &[],
        descriptor: None,
        red_primary_start: None,
        key_frame: KeyFrame::No,
    };
    let types = track.wanted.payload_types;
    let codec = track.wanted.codec;
    if track.wanted.red_payload_type == Some(payload_type) {
        return match Red::parse(bytes) {
            Some(red) if red.payload_type == types.media && !red.primary.is_empty() => Payload {
                bytes,
                red_primary_start: Some(red.primary.start),
                key_frame: KeyFrame::Start,
                ..nothing
            },
            _ => nothing,
        };
    }
    if payload_type != types.media || bytes.is_empty() {
        return nothing;
    }
    let (descriptor, starts) = match codec {
        Codec::Vp8 => match Vp8Descriptor::parse(bytes) {
            Some(vp8) => (PayloadDescriptor::Vp8(vp8), vp8.starts_key_frame),
            None => return nothing,
        },
        Codec::Vp9 => match Vp9Descriptor::parse(bytes) {
            Some(vp9) => (PayloadDescriptor::Vp9(vp9), vp9.starts_key_frame()),
            None => return nothing,
        },
        _ => {
            return Payload {
                bytes,
                key_frame: find_key_frame(codec, bytes),
                ..nothing
            };
        }
    };
    Payload {
        bytes,
        descriptor: Some(descriptor),
        red_primary_start: None,
        key_frame: if starts {
            KeyFrame::Start
        } else {
            KeyFrame::No
        },
    }
}

/// Media of a stream with several spatial layers arrived: counts it for its own. Whether the set of
/// active layers changed.
fn hear_spatial_layers(
    now: Instant,
    track: &mut Track,
    packet: &Incoming<'_>,
    frame: Frame,
) -> bool {
    let own = frame.layers.unwrap_or_default();
    let is_new = !track.is_scalable();
    let announced = frame
        .spatial_layers
        .map_or(0, |count| count.saturating_sub(1));
    let highest = FrameLayers {
        spatial: own.spatial.max(announced),
        ..own
    };
    track.add_spatial_layers(spatial_layer(&highest));
    let mut changed = false;
    // What is announced counts as received at first: nobody's first picture is to be a small one
    // because it came in parts.
    for layer in track.layers.iter_mut().flatten() {
        if is_new && layer.within_stream {
            layer.activity.active = true;
            layer.activity.heard_at = Some(now);
            changed = true;
        }
    }
    let layer = spatial_layer(&own);
    if track.is_scalable() && layer != packet.stream.layer {
        changed |= track.heard(now, layer, packet.header.timestamp);
        let bytes = count(packet.payload.len());
        if let Some(stream) = track.layer_mut(packet.stream.layer) {
            stream.received_bytes = stream.received_bytes.saturating_sub(bytes);
        }
        if let Some(own) = track.layer_mut(layer) {
            own.received_bytes += bytes;
        }
    }
    changed
}

/// Whether a decoder can start here.
fn starts(layer: &mut PublishedLayer, key_frame: KeyFrame) -> bool {
    match key_frame {
        KeyFrame::Start => {
            layer.parameters_in_band = true;
            true
        }
        KeyFrame::Picture => !layer.parameters_in_band,
        KeyFrame::No => false,
    }
}

pub(super) fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// RFC 5761 §4: what the second byte of RTCP can be and that of RTP cannot.
const RTCP_PACKET_TYPES: std::ops::RangeInclusive<u8> = 192..=223;
