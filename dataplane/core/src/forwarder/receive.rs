//! The first half of a batch: open each datagram, find its stream, keep it for who gets it.

use super::layer_selection::select_layer;
use super::nack::Arrived;
use super::packet_cache::{Inserted, PacketFacts};
use super::peer::{Peer, StreamOf, smooth};
use super::publisher::{Arrival, PublishedLayer, Track};
use super::retransmission::Resend;
use super::sender_report::{SenderClock, delay_us};
use super::subscriber::Subscription;
use super::{Arena, Forwarder, Handle, MediaDatagram, Timer};
use crate::limits::{RESENDS_PER_BATCH_MAX, SPEAKER_INTERVAL};
use crate::rtcp::{self, NackSequences, Packet, ReportBlock};
use crate::rtp::{
    Header, KeyFrame, ReceivedExtensions, Red, SequenceNumber, Vp8Descriptor, elements,
    find_key_frame,
};
use bedside_protocol::{Codec, Encoding, Event, MediaKind};
use std::time::{Duration, Instant};

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

/// What a payload is to the track that it came for.
struct Payload<'a> {
    bytes: &'a [u8],
    vp8: Option<Vp8Descriptor>,
    red_primary_start: Option<usize>,
    key_frame: KeyFrame,
}

impl Forwarder {
    pub(super) fn receive(&mut self, now: Instant, datagram: &mut MediaDatagram<'_>) {
        let Some(handle) = self.peer_ids.find(datagram.peer) else {
            self.statistics.dropped_unknown_peer += 1;
            return;
        };
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
            retransmission,
        } = packet.stream;
        let Some(track) = self.tracks.get_mut(handle) else {
            return;
        };
        let clock_hz = track.wanted.codec.clock_hz();
        let Some(state) = track.layers[layer.index()].as_mut() else {
            return;
        };
        state.received_bytes += count(packet.payload.len());
        let (sequence, payload_type, bytes) = if retransmission {
            let Some((sequence, bytes)) = restore(state, packet.payload) else {
                return;
            };
            if track.wanted.payload_types.rtx != Some(packet.header.payload_type) {
                self.statistics.dropped_unmatched += 1;
                return;
            }
            (sequence, track.wanted.payload_types.media, bytes)
        } else {
            state
                .receive
                .received(now, packet.index, packet.header.timestamp, clock_hz);
            let sequence = state.epoch.saturating_add(packet.index);
            (sequence, packet.header.payload_type, packet.payload)
        };
        let payload = interpret(track, payload_type, bytes);
        let empty = payload.bytes.is_empty();
        let facts = PacketFacts {
            timestamp: packet.header.timestamp,
            marker: packet.header.marker,
            vp8: payload.vp8,
            red_primary_start: payload.red_primary_start,
        };
        let wants_nack = track.wanted.nack;
        let kind = track.kind();
        let Some(state) = track.layer_mut(layer) else {
            return;
        };
        let inserted = state.cache.insert(
            now,
            sequence,
            facts,
            &packet.extensions.passed,
            payload.bytes,
        );
        if inserted != Inserted::New {
            self.statistics.dropped_duplicate += 1;
            return;
        }
        if retransmission {
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
        let starts = starts(state, payload.key_frame);
        if starts && kind == MediaKind::Video {
            state.key_frames.settle();
        }
        track.batch.push(self.scratch.arrivals.len());
        if track.batch.len() == 1 {
            self.scratch.tracks.push(handle);
        }
        self.scratch.arrivals.push(Arrival {
            layer,
            sequence,
            timestamp: packet.header.timestamp,
            starts: starts && !empty,
            empty,
            picture_id: payload.vp8.and_then(|vp8| vp8.picture_id),
            tl0_picture_index: payload.vp8.and_then(|vp8| vp8.tl0_picture_index),
        });
        if empty {
            return;
        }
        if kind == MediaKind::Audio {
            self.hear(now, handle, sequence, packet, clock_hz);
        }
        let changed = self
            .tracks
            .get_mut(handle)
            .is_some_and(|track| track.heard(now, layer, packet.header.timestamp));
        if changed {
            self.layers_changed(now, handle);
            // A layer that begins with a key frame needs not be asked for one.
            if starts
                && let Some(state) = self
                    .tracks
                    .get_mut(handle)
                    .and_then(|track| track.layer_mut(layer))
            {
                state.key_frames.settle();
            }
        }
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

    /// The set of layers that are being received changed: say so, and let every subscription
    /// choose anew.
    pub(super) fn layers_changed(&mut self, now: Instant, handle: Handle<Track>) {
        let Some(track) = self.tracks.get(handle) else {
            return;
        };
        let event = Event::TrackLayers {
            track: track.wanted.track,
            active: track.activity(),
        };
        let room = track.room;
        self.push_event(room, event);
        self.aim_subscriptions(now, handle);
    }

    fn receive_rtcp(&mut self, now: Instant, handle: Handle<Peer>, packet: &mut [u8]) {
        let Some(peer) = self.peers.get_mut(handle) else {
            self.statistics.dropped_unknown_peer += 1;
            return;
        };
        let Some(keys) = peer.keys.as_mut() else {
            self.statistics.dropped_unknown_peer += 1;
            return;
        };
        let Ok(plain_bytes) = keys.opener.open_rtcp(packet) else {
            self.statistics.dropped_unauthentic += 1;
            peer.counters.rejected += 1;
            return;
        };
        self.statistics.received_rtcp += 1;
        peer.counters.received_bytes += count(packet.len());
        let compound = packet.get(..plain_bytes).unwrap_or_default();
        for packet in rtcp::packets(compound) {
            let Ok(packet) = packet else {
                self.statistics.dropped_malformed += 1;
                if let Some(peer) = self.peers.get_mut(handle) {
                    peer.counters.rejected += 1;
                }
                return;
            };
            self.receive_control(now, handle, packet);
        }
    }

    fn receive_control(&mut self, now: Instant, handle: Handle<Peer>, packet: Packet<'_>) {
        match packet {
            Packet::SenderReport {
                ssrc,
                ntp,
                timestamp,
                blocks,
            } => {
                if let Some(layer) = self.layer_of(handle, ssrc) {
                    layer.clock = Some(SenderClock {
                        ntp,
                        timestamp,
                        arrived: now,
                    });
                }
                blocks.for_each(|block| self.receive_report(now, handle, &block));
            }
            Packet::ReceiverReport { blocks } => {
                blocks.for_each(|block| self.receive_report(now, handle, &block));
            }
            Packet::Bye(ssrcs) => {
                for ssrc in ssrcs {
                    self.receive_bye(now, handle, ssrc);
                }
            }
            Packet::Nack { media, sequences } => {
                self.receive_nack(now, handle, media, sequences);
            }
            Packet::PictureLoss { media } => self.receive_key_frame_request(now, handle, media),
            Packet::FullIntra(entries) => {
                for (media, _) in entries {
                    self.receive_key_frame_request(now, handle, media);
                }
            }
            // A receiver's own estimate and transport-wide feedback are for a bandwidth
            // estimator; source descriptions are the control plane's.
            Packet::EstimatedBitrate { .. } | Packet::TransportFeedback(_) | Packet::Other => {}
        }
    }

    fn receive_bye(&mut self, now: Instant, peer: Handle<Peer>, ssrc: u32) {
        let stream = self
            .peers
            .get(peer)
            .and_then(|peer| peer.streams.find(ssrc))
            .filter(|stream| !stream.retransmission);
        let Some(stream) = stream else {
            return;
        };
        if let Some(layer) = self
            .tracks
            .get_mut(stream.track)
            .and_then(|track| track.layer_mut(stream.layer))
            && layer.activity.active
        {
            layer.stop();
            self.layers_changed(now, stream.track);
        }
    }

    fn receive_report(&mut self, now: Instant, handle: Handle<Peer>, block: &ReportBlock) {
        let Some(peer) = self.peers.get_mut(handle) else {
            return;
        };
        let Some(subscription) = peer
            .outgoing
            .find(block.ssrc)
            .and_then(|handle| self.subscriptions.get_mut(handle))
        else {
            return;
        };
        if let Some((highest, lost)) = subscription.reported {
            let expected = block.highest_sequence.wrapping_sub(highest).cast_signed();
            if let Ok(expected) = u64::try_from(expected) {
                peer.counters.reported_expected += expected;
                peer.counters.reported_lost += i64::from(block.cumulative_lost) - i64::from(lost);
            }
        }
        subscription.reported = Some((block.highest_sequence, block.cumulative_lost));
        let jitter_ms = block.jitter as f32 * 1_000.0 / subscription.clock_hz() as f32;
        peer.counters.jitter_ms_max = peer.counters.jitter_ms_max.max(jitter_ms);
        if let Some(sent) = subscription.report_sent(block.last_sender_report) {
            let held = Duration::from_micros(delay_us(block.delay_since_last));
            if let Some(round_trip) = now.saturating_duration_since(sent).checked_sub(held) {
                smooth(&mut peer.round_trip, round_trip);
            }
        }
    }

    fn receive_nack(
        &mut self,
        now: Instant,
        handle: Handle<Peer>,
        media: u32,
        sequences: NackSequences<'_>,
    ) {
        let Some(peer) = self.peers.get_mut(handle) else {
            return;
        };
        let Some(of) = peer.outgoing.find(media) else {
            return;
        };
        let Some(subscription) = self.subscriptions.get_mut(of) else {
            return;
        };
        for sequence in sequences {
            let admitted = peer.work.resends.len() < RESENDS_PER_BATCH_MAX
                && sequence
                    .extend(subscription.map.next_out())
                    .filter(|out| {
                        subscription
                            .recent_resends
                            .admit(now, *out, peer.round_trip)
                    })
                    .map(|out| {
                        peer.work.resends.push(Resend {
                            subscription: of,
                            out,
                        });
                    })
                    .is_some();
            if !admitted {
                self.statistics.resend_refused += 1;
            }
        }
        self.scratch.peers.push(handle);
    }

    fn receive_key_frame_request(&mut self, now: Instant, handle: Handle<Peer>, media: u32) {
        let subscription = self
            .peers
            .get(handle)
            .and_then(|peer| peer.outgoing.find(media))
            .and_then(|handle| self.subscriptions.get(handle));
        let Some(subscription) = subscription else {
            return;
        };
        let track = subscription.track;
        let wanted = subscription.awaited().or_else(|| subscription.current());
        if let Some(layer) = wanted
            && let Some(state) = self
                .tracks
                .get_mut(track)
                .filter(|track| track.kind() == MediaKind::Video)
                .and_then(|track| track.layer_mut(layer))
        {
            state.key_frames.request();
            self.arm_track(now, track);
        }
    }

    fn layer_of(&mut self, peer: Handle<Peer>, ssrc: u32) -> Option<&mut PublishedLayer> {
        let stream = self.peers.get(peer)?.streams.find(ssrc)?;
        if stream.retransmission {
            return None;
        }
        self.tracks.get_mut(stream.track)?.layer_mut(stream.layer)
    }

    /// Lets every subscription of a track choose its layer anew.
    pub(super) fn aim_subscriptions(&mut self, now: Instant, track: Handle<Track>) {
        let count = self
            .tracks
            .get(track)
            .map_or(0, |track| track.subscriptions.len());
        for index in 0..count {
            let subscription = self
                .tracks
                .get(track)
                .and_then(|track| track.subscriptions.get(index).copied());
            if let Some(subscription) = subscription {
                self.aim_subscription(now, subscription);
            }
        }
    }

    pub(super) fn aim_nth_subscription(&mut self, now: Instant, peer: Handle<Peer>, index: usize) {
        let subscription = self
            .peers
            .get(peer)
            .and_then(|peer| peer.subscriptions.get(index).copied());
        if let Some(subscription) = subscription {
            self.aim_subscription(now, subscription);
        }
    }

    /// Chooses a subscription's layer, asks for the key frame that it then waits for, and says
    /// when it stopped.
    pub(super) fn aim_subscription(&mut self, now: Instant, handle: Handle<Subscription>) {
        let Some(subscription) = self.subscriptions.get_mut(handle) else {
            return;
        };
        let Some(track) = self.tracks.get_mut(subscription.track) else {
            return;
        };
        let reachable = self
            .peers
            .get(subscription.subscriber)
            .is_some_and(Peer::is_reachable);
        if subscription.wanted.paused || track.wanted.muted || !reachable {
            subscription.stop();
        } else {
            subscription.aim_at(select_layer(track.active(), subscription.wanted.layer_max));
            if subscription.kind == MediaKind::Video
                && let Some(awaited) = subscription.awaited()
                && let Some(layer) = track.layer_mut(awaited)
            {
                layer.key_frames.request();
            }
        }
        let of = subscription.track;
        self.announce_layer(handle);
        self.arm_track(now, of);
    }

    /// Tells the control plane when the layer that a subscriber is sent changed.
    pub(super) fn announce_layer(&mut self, handle: Handle<Subscription>) {
        let Some(subscription) = self.subscriptions.get_mut(handle) else {
            return;
        };
        if subscription.announced == subscription.current() {
            return;
        }
        subscription.announced = subscription.current();
        let event = Event::SubscriptionLayer {
            subscriber: subscription.wanted.subscriber,
            track: subscription.wanted.track,
            layer: subscription.current(),
        };
        let room = self.tracks.get(subscription.track).map(|track| track.room);
        if let Some(room) = room {
            self.push_event(room, event);
        }
    }
}

/// Finds the stream of an SSRC that was not announced: by MID and RID (RFC 8843 §9.2, RFC 8852),
/// else by its payload type where only one track can have sent it. The SSRC is bound from then on.
fn learn(
    peer: &mut Peer,
    tracks: &mut Arena<Track>,
    header: &Header,
    extensions: &ReceivedExtensions<'_>,
) -> Option<StreamOf> {
    let stream = match extensions.mid {
        Some(mid) => peer
            .tracks
            .iter()
            .filter_map(|handle| Some((*handle, tracks.get(*handle)?)))
            .filter(|(_, track)| track.wanted.mid == mid)
            .find_map(|(handle, track)| stream_in(handle, track, header, extensions))?,
        None => {
            let mut candidates = peer
                .tracks
                .iter()
                .filter_map(|handle| Some((*handle, tracks.get(*handle)?)))
                .filter(|(_, track)| carries(track, header.payload_type).is_some());
            let (handle, track) = candidates.next()?;
            if candidates.next().is_some() {
                return None;
            }
            let stream = stream_in(handle, track, header, extensions)?;
            let layer = track.layer(stream.layer)?;
            let bound = if stream.retransmission {
                layer.rtx_ssrc
            } else {
                layer.ssrc
            };
            if bound.is_some() {
                return None;
            }
            stream
        }
    };
    let layer = tracks.get_mut(stream.track)?.layer_mut(stream.layer)?;
    if stream.retransmission {
        layer.rtx_ssrc = Some(header.ssrc);
    } else if layer.ssrc.is_none() {
        layer.ssrc = Some(header.ssrc);
    } else if !layer.rebind(header.ssrc) {
        return None;
    }
    peer.streams.retain(|other| other != stream);
    peer.streams.insert(header.ssrc, stream);
    Some(stream)
}

/// Which stream of a track a packet belongs to, by its RID or by the track's only encoding.
fn stream_in(
    handle: Handle<Track>,
    track: &Track,
    header: &Header,
    extensions: &ReceivedExtensions<'_>,
) -> Option<StreamOf> {
    let retransmission = carries(track, header.payload_type)?;
    let rid = if retransmission {
        extensions.repaired_rid.or(extensions.rid)
    } else {
        extensions.rid
    };
    let encodings = &track.wanted.encodings;
    let by_rid = |encoding: &&Encoding| encoding.rid.is_some() && encoding.rid == rid;
    let encoding = match &encodings[..] {
        [only] if only.rid.is_none() || rid.is_none() => only,
        several => several.iter().find(by_rid)?,
    };
    Some(StreamOf {
        track: handle,
        layer: encoding.layer,
        retransmission,
    })
}

/// Whether a track may send packets of that type: `Some(true)` for its retransmissions.
fn carries(track: &Track, payload_type: u8) -> Option<bool> {
    let types = track.wanted.payload_types;
    if types.media == payload_type || track.wanted.red_payload_type == Some(payload_type) {
        Some(false)
    } else {
        (types.rtx == Some(payload_type)).then_some(true)
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
        vp8: None,
        red_primary_start: None,
        key_frame: KeyFrame::No,
    };
    let types = track.wanted.payload_types;
    let codec = track.wanted.codec;
    if track.wanted.red_payload_type == Some(payload_type) {
        return match Red::parse(bytes) {
            Some(red) if red.payload_type == types.media && !red.primary.is_empty() => Payload {
                bytes,
                vp8: None,
                red_primary_start: Some(red.primary.start),
                key_frame: KeyFrame::Start,
            },
            _ => nothing,
        };
    }
    if payload_type != types.media || bytes.is_empty() {
        return nothing;
    }
    let vp8 = (codec == Codec::Vp8).then(|| Vp8Descriptor::parse(bytes));
    match vp8 {
        Some(None) => nothing,
        Some(Some(vp8)) => Payload {
            bytes,
            vp8: Some(vp8),
            red_primary_start: None,
            key_frame: if vp8.starts_key_frame {
                KeyFrame::Start
            } else {
                KeyFrame::No
            },
        },
        None => Payload {
            bytes,
            vp8: None,
            red_primary_start: None,
            key_frame: find_key_frame(codec, bytes),
        },
    }
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

fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// RFC 5761 §4: what the second byte of RTCP can be and that of RTP cannot.
const RTCP_PACKET_TYPES: std::ops::RangeInclusive<u8> = 192..=223;
