//! The second half of a batch: write and seal each destination's packets, all of one after the
//! other: audio first, then what was asked for again, then video. What the path does not take at
//! once waits in the peer's `pacer`.

use super::allocation::Demand;
use super::arena::Arena;
use super::equalise::{Padded, equalise};
use super::outgoing_header::{HeaderWriter, Identity, Written, absolute_send_time};
use super::pacer::{Queued, Release};
use super::packet_cache::{CachedPacket, PREFIX_BYTES, PacketFacts, payload_range};
use super::peer::{Peer, Work};
use super::publisher::{Arrival, Track};
use super::receive::count;
use super::retransmission::{Resend, ResendBudget};
use super::sequence_map::{Offsets, Place};
use super::subscriber::Subscription;
use super::{Forwarder, Handle, Timer};
use crate::bandwidth::SentPacket;
use crate::limits::{PROBE_REPEATS, RESEND_BYTES_PER_SECOND};
use crate::rtcp::ReportBlock;
use crate::rtp::{
    DescriptorReader, PADDING_FLAG, PassedExtension, SequenceNumber, rewrite_red_payload_types,
};
use crate::{PacketSink, Path};
use bedside_protocol::{self as protocol, Layer, MediaKind};
use bedside_srtp::limits::PADDING_BYTES_MAX;
use std::ops::Range;
use std::time::Instant;

/// Buffers that are filled and emptied within one call, kept so that steady forwarding allocates
/// nothing.
#[derive(Default)]
pub(super) struct Scratch {
    /// What arrived in this batch, and on which tracks.
    pub(super) arrivals: Vec<Arrival>,
    pub(super) tracks: Vec<Handle<Track>>,
    /// Who gets something; may name a peer twice.
    pub(super) peers: Vec<Handle<Peer>>,
    headers: Vec<u8>,
    outgoing: Vec<Outgoing>,
    pub(super) rtcp: Vec<u8>,
    pub(super) statuses: Vec<Option<u64>>,
    pub(super) missing: Vec<SequenceNumber>,
    pub(super) blocks: Vec<ReportBlock>,
    pub(super) demands: Vec<Demand>,
}

/// A packet of one destination's run: everything but its payload, which stays in the cache.
struct Outgoing {
    subscription: Handle<Subscription>,
    track: Handle<Track>,
    form: Form,
    /// Length before padding and sealing.
    plain_bytes: usize,
    padding_bytes: usize,
    /// It is sent only to see what the path takes.
    fills_probe: bool,
}

enum Form {
    /// To be sealed.
    Plain {
        layer: Layer,
        sequence: u64,
        identity: Identity,
        /// In [`Scratch::headers`].
        header: Written,
        /// The number that a retransmission repeats.
        original: Option<SequenceNumber>,
        /// Empty, in the place of something left out.
        blank: bool,
    },
    /// Sealed before, to be sent as it was; the subscriber's number.
    Sealed(u64),
    /// Nothing but padding, on the retransmission stream.
    Padding { identity: Identity, header: Written },
}

/// What packets are made from: everything that is not the packet's own.
struct Placing<'a> {
    now: Instant,
    writer: HeaderWriter<'a>,
    subscriptions: &'a mut Arena<Subscription>,
    tracks: &'a mut Arena<Track>,
}

impl Padded for Outgoing {
    fn bytes(&self) -> Option<usize> {
        matches!(self.form, Form::Plain { .. }).then_some(self.plain_bytes)
    }

    fn pad(&mut self, bytes: usize) {
        self.padding_bytes = bytes;
    }
}

impl Forwarder {
    pub(super) fn send(&mut self, now: Instant, sink: &mut impl PacketSink) {
        for index in 0..self.scratch.tracks.len() {
            let handle = self.scratch.tracks[index];
            self.find_destinations(handle);
            self.relay_arrivals(handle);
            self.arm_track(now, handle);
        }
        let send_time = absolute_send_time(self.clock.ntp_at(now));
        let mut peers = std::mem::take(&mut self.scratch.peers);
        for handle in peers.drain(..) {
            self.write_peer(now, send_time, handle, sink);
        }
        self.scratch.peers = peers;
        for handle in self.scratch.tracks.drain(..) {
            if let Some(track) = self.tracks.get_mut(handle) {
                track.batch.clear();
            }
        }
        self.scratch.arrivals.clear();
    }

    fn find_destinations(&mut self, handle: Handle<Track>) {
        let Some(track) = self.tracks.get(handle) else {
            return;
        };
        for of in &track.subscriptions {
            let Some(subscription) = self.subscriptions.get(*of) else {
                continue;
            };
            let Some(peer) = self.peers.get_mut(subscription.subscriber) else {
                continue;
            };
            if peer.work.is_empty() {
                self.scratch.peers.push(subscription.subscriber);
            }
            peer.work.subscriptions.push(*of);
        }
    }

    fn write_peer(
        &mut self,
        now: Instant,
        send_time: [u8; 3],
        handle: Handle<Peer>,
        sink: &mut impl PacketSink,
    ) {
        let Some(peer) = self.peers.get_mut(handle) else {
            return;
        };
        let mut work = std::mem::take(&mut peer.work);
        if peer.is_reachable() && !work.is_empty() {
            let mut credit = match &mut peer.pacer {
                Some(pacer) => pacer.credit_bytes(now),
                None => i64::MAX,
            };
            self.place_arrivals(now, send_time, handle, &work, MediaKind::Audio, &mut credit);
            if !work.resends.is_empty() {
                self.place_resends(now, send_time, handle, &work.resends, &mut credit);
            }
            self.place_waiting(now, send_time, handle, &mut credit);
            self.place_arrivals(now, send_time, handle, &work, MediaKind::Video, &mut credit);
            equalise(&mut self.scratch.outgoing);
            self.seal(now, handle, sink);
            self.shed(now, handle);
            for subscription in &work.subscriptions {
                self.announce_layer(now, *subscription);
            }
        }
        work.subscriptions.clear();
        work.resends.clear();
        if let Some(peer) = self.peers.get_mut(handle) {
            peer.work = work;
            if let Some(next) = peer.pacer.as_ref().and_then(|pacer| pacer.next()) {
                self.timers
                    .arm(&mut peer.armed, Timer::Peer(handle), Some(next));
            }
        }
    }

    /// Finds the place of each packet that arrived for the peer's subscriptions of one kind. Video
    /// waits if `credit`, in bytes, is used up, or other video waits already.
    fn place_arrivals(
        &mut self,
        now: Instant,
        send_time: [u8; 3],
        handle: Handle<Peer>,
        work: &Work,
        kind: MediaKind,
        credit: &mut i64,
    ) {
        let Some(peer) = self.peers.get_mut(handle) else {
            return;
        };
        let Scratch {
            arrivals,
            headers,
            outgoing,
            ..
        } = &mut self.scratch;
        let mut writer = HeaderWriter {
            ids: &peer.extensions,
            transport_sequence: &mut peer.transport_sequence,
            send_time,
            headers,
        };
        let mut pacer = peer
            .pacer
            .as_mut()
            .filter(|_| kind == MediaKind::Video && *credit != i64::MAX);
        let mut waits = pacer.as_ref().is_some_and(|pacer| pacer.has_media());
        for of in &work.subscriptions {
            let Some(subscription) = self.subscriptions.get_mut(*of) else {
                continue;
            };
            if subscription.kind != kind {
                continue;
            }
            let Some(track) = self.tracks.get_mut(subscription.track) else {
                continue;
            };
            subscription
                .headers
                .refresh(writer.ids, &subscription.wanted.mid);
            for position in 0..track.batch.len() {
                let arrival = &arrivals[track.batch[position]];
                let Some(place) = subscription.place(now, arrival, || track.clocks()) else {
                    continue;
                };
                let Some(state) = track.layer_mut(arrival.layer) else {
                    continue;
                };
                let Some(packet) = state.cache.find(arrival.sequence) else {
                    continue;
                };
                if let Some(pacer) = &mut pacer {
                    if arrival.starts {
                        pacer.note_start(now);
                    }
                    waits |= *credit <= 0;
                    if waits {
                        pacer.push_media(Queued {
                            subscription: *of,
                            layer: arrival.layer,
                            sequence: arrival.sequence,
                            place,
                            bytes: payload_bytes(&packet, subscription, place.out),
                            since: now,
                        });
                        self.statistics.paced += 1;
                        continue;
                    }
                }
                let (layer, sequence) = (arrival.layer, arrival.sequence);
                let placed = write_media(
                    &mut writer,
                    *of,
                    subscription,
                    (&packet, &state.descriptors),
                    layer,
                    sequence,
                    place,
                );
                *credit = credit.saturating_sub_unsigned(count(placed.plain_bytes));
                outgoing.push(placed);
            }
        }
    }

    /// Finds what the peer asked for again: on the retransmission stream where it has one (RFC
    /// 4588), else exactly as it was sent. Video's waits if `credit` is used up.
    fn place_resends(
        &mut self,
        now: Instant,
        send_time: [u8; 3],
        handle: Handle<Peer>,
        resends: &[Resend],
        credit: &mut i64,
    ) {
        let Some(peer) = self.peers.get_mut(handle) else {
            return;
        };
        let mut placing = Placing {
            now,
            writer: HeaderWriter {
                ids: &peer.extensions,
                transport_sequence: &mut peer.transport_sequence,
                send_time,
                headers: &mut self.scratch.headers,
            },
            subscriptions: &mut self.subscriptions,
            tracks: &mut self.tracks,
        };
        let rate = peer.pacer.as_ref().and_then(|pacer| pacer.resend_rate());
        let rate = rate.unwrap_or(RESEND_BYTES_PER_SECOND);
        for resend in resends {
            if let Some(pacer) = &mut peer.pacer
                && (*credit <= 0 || pacer.has_resends())
                && placing.is_video(resend)
            {
                if !pacer.push_resend(*resend) {
                    self.statistics.resend_refused += 1;
                }
                continue;
            }
            match placing.resend(resend, Some((&mut peer.resend_budget, rate))) {
                Some(placed) => {
                    *credit = credit.saturating_sub_unsigned(count(placed.plain_bytes));
                    self.scratch.outgoing.push(placed);
                }
                None => self.statistics.resend_refused += 1,
            }
        }
    }

    /// Finds what waited and may leave now, and what fills a probe.
    pub(super) fn place_waiting(
        &mut self,
        now: Instant,
        send_time: [u8; 3],
        handle: Handle<Peer>,
        credit: &mut i64,
    ) {
        let Some(Peer {
            extensions,
            transport_sequence,
            pacer: Some(pacer),
            resend_budget,
            subscriptions: of_peer,
            ..
        }) = self.peers.get_mut(handle)
        else {
            return;
        };
        if *credit == i64::MAX {
            return;
        }
        let mut placing = Placing {
            now,
            writer: HeaderWriter {
                ids: extensions,
                transport_sequence,
                send_time,
                headers: &mut self.scratch.headers,
            },
            subscriptions: &mut self.subscriptions,
            tracks: &mut self.tracks,
        };
        let rate = pacer.resend_rate().unwrap_or(RESEND_BYTES_PER_SECOND);
        while *credit > 0
            && let Some(release) = pacer.release(now)
        {
            let placed = match release {
                Release::Resend(resend) => placing.resend(&resend, Some((resend_budget, rate))),
                Release::Media(queued) => placing.waited(&queued),
                Release::Padding => placing.padding(of_peer),
            };
            match (placed, release) {
                (Some(placed), _) => {
                    *credit = credit.saturating_sub_unsigned(count(placed.plain_bytes));
                    self.scratch.outgoing.push(placed);
                }
                (None, Release::Resend(_)) => self.statistics.resend_refused += 1,
                (None, Release::Media(_)) => self.statistics.pacer_lost += 1,
                (None, Release::Padding) => pacer.abandon_probe(),
            }
        }
    }

    /// Writes what was placed straight into outgoing memory: each payload is read from the cache
    /// and sealed into the packet in one pass.
    pub(super) fn seal(&mut self, now: Instant, handle: Handle<Peer>, sink: &mut impl PacketSink) {
        let Self {
            peers,
            tracks,
            subscriptions,
            statistics,
            scratch,
            ..
        } = self;
        let Scratch {
            headers, outgoing, ..
        } = scratch;
        let packets = outgoing.drain(..);
        let Some(peer) = peers.get_mut(handle) else {
            return;
        };
        let (Some(keys), Some(path)) = (peer.keys.as_mut(), peer.path) else {
            return;
        };
        let overhead_bytes = keys.profile.rtp_overhead_bytes();
        for packet in packets {
            let Some(subscription) = subscriptions.get_mut(packet.subscription) else {
                continue;
            };
            let (layer, sequence, identity, header, original, blank) = match packet.form {
                Form::Plain {
                    layer,
                    sequence,
                    identity,
                    header,
                    original,
                    blank,
                } => (layer, sequence, identity, header, original, blank),
                Form::Sealed(out) => {
                    match send_again(out, subscription, path, sink) {
                        Some(bytes) => {
                            statistics.retransmitted += 1;
                            peer.counters.retransmitted += 1;
                            peer.counters.sent_bytes += count(bytes);
                            if let Some(pacer) = &mut peer.pacer {
                                pacer.sent(now, bytes, None);
                            }
                        }
                        None => statistics.dropped_no_memory += 1,
                    }
                    continue;
                }
                Form::Padding { identity, header } => {
                    let plain = &headers[header.range.clone()];
                    let total_bytes = plain.len() + PADDING_BYTES_MAX + overhead_bytes;
                    let Some(out) = sink.reserve(path, total_bytes) else {
                        statistics.dropped_no_memory += 1;
                        continue;
                    };
                    out[..plain.len()].copy_from_slice(plain);
                    out[0] |= PADDING_FLAG;
                    let (index, ssrc) = (identity.index, identity.ssrc);
                    let sealed = keys.sealer.seal_rtp_into(
                        out,
                        plain.len(),
                        &[],
                        index,
                        ssrc,
                        PADDING_BYTES_MAX,
                    );
                    let Ok(sealed_bytes) = sealed else {
                        statistics.seal_refused += 1;
                        continue;
                    };
                    sink.commit(sealed_bytes);
                    peer.counters.sent_bytes += count(sealed_bytes);
                    statistics.probed += 1;
                    if let Some(pacer) = &mut peer.pacer {
                        let packet = sent_packet(now, &identity, &header, sealed_bytes);
                        pacer.sent(now, sealed_bytes, packet);
                    }
                    continue;
                }
            };
            let Some(cached) = tracks
                .get_mut(packet.track)
                .and_then(|track| track.layer_mut(layer))
                .and_then(|layer| layer.cache.find(sequence))
            else {
                continue;
            };
            let total_bytes = packet.plain_bytes + packet.padding_bytes + overhead_bytes;
            let Some(out) = sink.reserve(path, total_bytes) else {
                statistics.dropped_no_memory += 1;
                continue;
            };
            let header_bytes = header.range.len();
            out[..header_bytes].copy_from_slice(&headers[header.range.clone()]);
            if packet.padding_bytes > 0 {
                out[0] |= PADDING_FLAG;
            }
            let mut payload = rewrite(
                cached.prefixed_payload,
                cached.facts,
                identity.offsets,
                &subscription.wanted,
            );
            if blank {
                payload.end = payload.start;
            }
            // A retransmission says which packet it repeats just before the payload; what stands
            // there (of a RED payload that is stripped) is needed by others.
            let prefix = payload.start - PREFIX_BYTES..payload.start;
            let kept = original.map(|original| {
                let mut kept = [0; PREFIX_BYTES];
                kept.copy_from_slice(&cached.prefixed_payload[prefix.clone()]);
                cached.prefixed_payload[prefix.clone()].copy_from_slice(&original.0.to_be_bytes());
                kept
            });
            let start = kept.map_or(payload.start, |_| prefix.start);
            if original.is_none() {
                subscription.sent_end = subscription.sent_end.max(identity.index + 1);
            }
            let sealed = keys.sealer.seal_rtp_into(
                out,
                header_bytes,
                &cached.prefixed_payload[start..payload.end],
                identity.index,
                identity.ssrc,
                packet.padding_bytes,
            );
            if let Some(kept) = kept {
                cached.prefixed_payload[prefix].copy_from_slice(&kept);
            }
            let Ok(sealed_bytes) = sealed else {
                statistics.seal_refused += 1;
                continue;
            };
            if original.is_none()
                && let Some(kept_packets) = &mut subscription.sealed
            {
                kept_packets.insert(
                    now,
                    identity.index,
                    *cached.facts,
                    &[None; PassedExtension::ALL.len()],
                    &out[..sealed_bytes],
                );
            }
            sink.commit(sealed_bytes);
            peer.counters.sent_bytes += count(sealed_bytes);
            statistics.padding_bytes += count(packet.padding_bytes);
            if let Some(pacer) = &mut peer.pacer {
                let packet = sent_packet(now, &identity, &header, sealed_bytes);
                pacer.sent(now, sealed_bytes, packet);
            }
            if packet.fills_probe {
                statistics.probed += 1;
            } else if original.is_some() {
                statistics.retransmitted += 1;
                peer.counters.retransmitted += 1;
            } else {
                statistics.forwarded += 1;
                subscription.sent_packets = subscription.sent_packets.wrapping_add(1);
                subscription.sent_bytes = subscription
                    .sent_bytes
                    .wrapping_add(u32::try_from(payload.len()).unwrap_or_default());
            }
        }
        headers.clear();
    }
}

impl Placing<'_> {
    fn is_video(&self, resend: &Resend) -> bool {
        self.subscriptions
            .get(resend.subscription)
            .is_some_and(|subscription| subscription.kind == MediaKind::Video)
    }

    /// A packet that had its place and waited; `None` if it has left the cache, or its subscription
    /// ended.
    fn waited(&mut self, queued: &Queued) -> Option<Outgoing> {
        let subscription = self.subscriptions.get_mut(queued.subscription)?;
        let track = self.tracks.get_mut(subscription.track)?;
        let state = track.layer_mut(queued.layer)?;
        let packet = state.cache.find(queued.sequence)?;
        subscription
            .headers
            .refresh(self.writer.ids, &subscription.wanted.mid);
        Some(write_media(
            &mut self.writer,
            queued.subscription,
            subscription,
            (&packet, &state.descriptors),
            queued.layer,
            queued.sequence,
            queued.place,
        ))
    }

    /// A packet that is sent again, if it is there and within `budget`, which refills with so many
    /// bytes a second.
    fn resend(
        &mut self,
        resend: &Resend,
        budget: Option<(&mut ResendBudget, u64)>,
    ) -> Option<Outgoing> {
        let now = self.now;
        let afford =
            |bytes: usize| budget.is_none_or(|(budget, rate)| budget.take(now, bytes, rate));
        let subscription = self.subscriptions.get_mut(resend.subscription)?;
        let wanted = &subscription.wanted;
        let Some((rtx_ssrc, rtx)) = wanted.rtx_ssrc.zip(wanted.payload_types.rtx) else {
            let sealed = subscription.sealed.as_mut()?.find(resend.out)?;
            let bytes = sealed.prefixed_payload.len() - PREFIX_BYTES;
            return afford(bytes).then_some(Outgoing {
                subscription: resend.subscription,
                track: subscription.track,
                plain_bytes: bytes,
                padding_bytes: 0,
                fills_probe: false,
                form: Form::Sealed(resend.out),
            });
        };
        let track = self.tracks.get_mut(subscription.track)?;
        let (layer, sequence, offsets) = subscription.map.find(resend.out)?;
        let state = track.layer_mut(layer)?;
        let packet = state.cache.find(sequence)?;
        let identity = Identity {
            payload_type: rtx,
            ssrc: rtx_ssrc,
            index: subscription.rtx_next,
            offsets,
            limits: subscription.limits_at(packet.facts.timestamp),
        };
        let blank = subscription.was_blank(resend.out);
        let bytes = PREFIX_BYTES + payload_bytes(&packet, subscription, resend.out);
        afford(bytes).then_some(())?;
        subscription.rtx_next += 1;
        let templates = &mut subscription.headers;
        templates.refresh(self.writer.ids, &subscription.wanted.mid);
        let descriptors = &state.descriptors;
        let header = self
            .writer
            .write(templates, &packet, descriptors, &identity);
        Some(Outgoing {
            subscription: resend.subscription,
            track: subscription.track,
            plain_bytes: header.range.len() + bytes,
            padding_bytes: 0,
            fills_probe: false,
            form: Form::Plain {
                layer,
                sequence,
                identity,
                header,
                original: Some(SequenceNumber::of(resend.out)),
                blank,
            },
        })
    }

    /// A packet that fills a probe: a recent one once more, or padding, on the retransmission
    /// stream of a subscription that is being sent, or else of any. `None` if there is none.
    fn padding(&mut self, of_peer: &[Handle<Subscription>]) -> Option<Outgoing> {
        let with_rtx = |of: &&Handle<Subscription>| {
            let subscription = self.subscriptions.get(**of)?;
            let wanted = &subscription.wanted;
            wanted.rtx_ssrc.zip(wanted.payload_types.rtx)?;
            Some(subscription.current().is_some())
        };
        let of = *of_peer
            .iter()
            .filter(|of| with_rtx(of).is_some())
            .max_by_key(with_rtx)?;
        let subscription = self.subscriptions.get(of)?;
        // Another one each time, as the numbers of the stream go on.
        let back = 1 + subscription.rtx_next % PROBE_REPEATS;
        if let Some(out) = subscription.sent_end.checked_sub(back) {
            let repeated = Resend {
                subscription: of,
                out,
            };
            if let Some(repeated) = self.resend(&repeated, None) {
                return Some(Outgoing {
                    fills_probe: true,
                    ..repeated
                });
            }
        }
        let subscription = self.subscriptions.get_mut(of)?;
        let wanted = &subscription.wanted;
        let identity = Identity {
            payload_type: wanted.payload_types.rtx?,
            ssrc: wanted.rtx_ssrc?,
            index: subscription.rtx_next,
            offsets: Offsets::default(),
            limits: None,
        };
        subscription.rtx_next += 1;
        let templates = &mut subscription.headers;
        templates.refresh(self.writer.ids, &wanted.mid);
        let header = self.writer.write_empty(templates, &identity);
        Some(Outgoing {
            subscription: of,
            track: subscription.track,
            plain_bytes: header.range.len() + PADDING_BYTES_MAX,
            padding_bytes: 0,
            fills_probe: true,
            form: Form::Padding { identity, header },
        })
    }
}

/// Writes the header of a packet that has its place; its payload is read when it is sealed.
fn write_media(
    writer: &mut HeaderWriter<'_>,
    of: Handle<Subscription>,
    subscription: &Subscription,
    (packet, descriptors): (&CachedPacket<'_>, &DescriptorReader),
    layer: Layer,
    sequence: u64,
    place: Place,
) -> Outgoing {
    let wanted = &subscription.wanted;
    let red = wanted
        .red_payload_type
        .filter(|_| packet.facts.red_primary_start.is_some());
    let identity = Identity {
        payload_type: red.unwrap_or(wanted.payload_types.media),
        ssrc: wanted.ssrc,
        index: place.out,
        offsets: place.offsets,
        limits: subscription.limits_at(packet.facts.timestamp),
    };
    let header = writer.write(&subscription.headers, packet, descriptors, &identity);
    Outgoing {
        subscription: of,
        track: subscription.track,
        plain_bytes: header.range.len() + payload_bytes(packet, subscription, place.out),
        padding_bytes: 0,
        fills_probe: false,
        form: Form::Plain {
            layer,
            sequence,
            identity,
            header,
            original: None,
            blank: subscription.was_blank(place.out),
        },
    }
}

/// What the estimator has to know of a packet, where feedback can tell of it.
fn sent_packet(
    now: Instant,
    identity: &Identity,
    header: &Written,
    bytes: usize,
) -> Option<SentPacket> {
    Some(SentPacket {
        sequence: header.transport_sequence?,
        ssrc: identity.ssrc,
        rtp_sequence: SequenceNumber::of(identity.index),
        bytes,
        at: now,
        probe: None,
    })
}

/// Sends a sealed packet a second time: the same bytes, so that its nonce covers one plaintext.
/// Says how many there were; `None` if outgoing memory is used up.
fn send_again(
    out: u64,
    subscription: &mut Subscription,
    path: Path,
    sink: &mut impl PacketSink,
) -> Option<usize> {
    let sealed = subscription.sealed.as_mut()?.find(out)?;
    let bytes = &sealed.prefixed_payload[PREFIX_BYTES..];
    let buffer = sink.reserve(path, bytes.len())?;
    buffer[..bytes.len()].copy_from_slice(bytes);
    sink.commit(bytes.len());
    Some(bytes.len())
}

/// Makes a cached payload this subscriber's, in place, and says where in the prefixed payload it
/// stands. The next subscriber starts from what was parsed, not from what was written here.
fn rewrite(
    prefixed: &mut [u8],
    facts: &PacketFacts,
    offsets: Offsets,
    wanted: &protocol::Subscription,
) -> Range<usize> {
    let payload = &mut prefixed[PREFIX_BYTES..];
    let pass_red = passes_red(wanted.red_payload_type, facts);
    if let Some(descriptor) = &facts.descriptor {
        descriptor.rewrite(payload, offsets.picture_id, offsets.tl0_picture_index);
    }
    if pass_red {
        rewrite_red_payload_types(payload, wanted.payload_types.media);
    }
    let range = payload_range(facts, payload.len(), pass_red);
    range.start + PREFIX_BYTES..range.end + PREFIX_BYTES
}

/// Length of what a subscriber gets of a packet's payload under the number `out`.
fn payload_bytes(packet: &CachedPacket<'_>, subscription: &Subscription, out: u64) -> usize {
    if subscription.was_blank(out) {
        return 0;
    }
    let pass_red = passes_red(subscription.wanted.red_payload_type, packet.facts);
    let bytes = packet.prefixed_payload.len() - PREFIX_BYTES;
    payload_range(packet.facts, bytes, pass_red).len()
}

/// Whether a packet is RED and the subscriber takes it.
fn passes_red(red_payload_type: Option<u8>, facts: &PacketFacts) -> bool {
    facts.red_primary_start.is_some() && red_payload_type.is_some()
}
