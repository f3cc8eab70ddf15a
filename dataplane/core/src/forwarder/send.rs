//! The second half of a batch: write and seal each destination's packets, all of one after the
//! other: audio first, then what was asked for again, then video.

use super::equalise::{Padded, equalise};
use super::outgoing_header::{HeaderWriter, Identity, absolute_send_time};
use super::packet_cache::{CachedPacket, PREFIX_BYTES, PacketFacts, payload_range};
use super::peer::{Peer, Work};
use super::publisher::{Arrival, Track};
use super::retransmission::Resend;
use super::sequence_map::Offsets;
use super::subscriber::Subscription;
use super::{Forwarder, Handle};
use crate::rtcp::ReportBlock;
use crate::rtp::{PADDING_FLAG, PassedExtension, SequenceNumber, rewrite_red_payload_types};
use crate::{PacketSink, Path};
use bedside_protocol::{self as protocol, Layer, MediaKind};
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
}

/// A packet of one destination's run: everything but its payload, which stays in the cache.
struct Outgoing {
    subscription: Handle<Subscription>,
    track: Handle<Track>,
    form: Form,
    /// Length before padding and sealing.
    plain_bytes: usize,
    padding_bytes: usize,
}

enum Form {
    /// To be sealed.
    Plain {
        layer: Layer,
        sequence: u64,
        identity: Identity,
        /// In [`Scratch::headers`].
        header: Range<usize>,
        /// The number that a retransmission repeats.
        original: Option<SequenceNumber>,
    },
    /// Sealed before, to be sent as it was; the subscriber's number.
    Sealed(u64),
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
            self.place_arrivals(now, send_time, handle, &work, MediaKind::Audio);
            if !work.resends.is_empty() {
                self.place_resends(now, send_time, handle, &work.resends);
            }
            self.place_arrivals(now, send_time, handle, &work, MediaKind::Video);
            equalise(&mut self.scratch.outgoing);
            self.seal(now, handle, sink);
            for subscription in &work.subscriptions {
                self.announce_layer(*subscription);
            }
        }
        work.subscriptions.clear();
        work.resends.clear();
        if let Some(peer) = self.peers.get_mut(handle) {
            peer.work = work;
        }
    }

    /// Finds the place of each packet that arrived for the peer's subscriptions of one kind.
    fn place_arrivals(
        &mut self,
        now: Instant,
        send_time: [u8; 3],
        handle: Handle<Peer>,
        work: &Work,
        kind: MediaKind,
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
                let Some(packet) = track
                    .layer_mut(arrival.layer)
                    .and_then(|layer| layer.cache.find(arrival.sequence))
                else {
                    continue;
                };
                let wanted = &subscription.wanted;
                let red = wanted
                    .red_payload_type
                    .filter(|_| packet.facts.red_primary_start.is_some());
                let identity = Identity {
                    payload_type: red.unwrap_or(wanted.payload_types.media),
                    ssrc: wanted.ssrc,
                    index: place.out,
                    offsets: place.offsets,
                };
                let header = writer.write(&subscription.headers, &packet, &identity);
                outgoing.push(Outgoing {
                    subscription: *of,
                    track: subscription.track,
                    plain_bytes: header.len() + payload_bytes(&packet, wanted),
                    padding_bytes: 0,
                    form: Form::Plain {
                        layer: arrival.layer,
                        sequence: arrival.sequence,
                        identity,
                        header,
                        original: None,
                    },
                });
            }
        }
    }

    /// Finds what the peer asked for again: on the retransmission stream where it has one (RFC
    /// 4588), else exactly as it was sent.
    fn place_resends(
        &mut self,
        now: Instant,
        send_time: [u8; 3],
        handle: Handle<Peer>,
        resends: &[Resend],
    ) {
        let Some(peer) = self.peers.get_mut(handle) else {
            return;
        };
        let mut writer = HeaderWriter {
            ids: &peer.extensions,
            transport_sequence: &mut peer.transport_sequence,
            send_time,
            headers: &mut self.scratch.headers,
        };
        let budget = &mut peer.resend_budget;
        for resend in resends {
            let subscription = self.subscriptions.get_mut(resend.subscription);
            let placed = subscription.and_then(|subscription| {
                let wanted = &subscription.wanted;
                match wanted.rtx_ssrc.zip(wanted.payload_types.rtx) {
                    Some((rtx_ssrc, rtx)) => {
                        let track = self.tracks.get_mut(subscription.track)?;
                        let mut identity = Identity {
                            payload_type: rtx,
                            ssrc: rtx_ssrc,
                            index: subscription.rtx_next,
                            offsets: Offsets::default(),
                        };
                        let (layer, sequence, offsets) = subscription.map.find(resend.out)?;
                        identity.offsets = offsets;
                        let packet = track.layer_mut(layer)?.cache.find(sequence)?;
                        let bytes = PREFIX_BYTES + payload_bytes(&packet, wanted);
                        budget.take(now, bytes).then_some(())?;
                        subscription.rtx_next += 1;
                        let templates = &mut subscription.headers;
                        templates.refresh(writer.ids, &wanted.mid);
                        let header = writer.write(templates, &packet, &identity);
                        Some(Outgoing {
                            subscription: resend.subscription,
                            track: subscription.track,
                            plain_bytes: header.len() + bytes,
                            padding_bytes: 0,
                            form: Form::Plain {
                                layer,
                                sequence,
                                identity,
                                header,
                                original: Some(SequenceNumber::of(resend.out)),
                            },
                        })
                    }
                    None => {
                        let sealed = subscription.sealed.as_mut()?.find(resend.out)?;
                        let bytes = sealed.prefixed_payload.len() - PREFIX_BYTES;
                        budget.take(now, bytes).then_some(Outgoing {
                            subscription: resend.subscription,
                            track: subscription.track,
                            plain_bytes: bytes,
                            padding_bytes: 0,
                            form: Form::Sealed(resend.out),
                        })
                    }
                }
            });
            match placed {
                Some(placed) => self.scratch.outgoing.push(placed),
                None => self.statistics.resend_refused += 1,
            }
        }
    }

    /// Writes what was placed straight into outgoing memory: each payload is read from the cache
    /// and sealed into the packet in one pass.
    fn seal(&mut self, now: Instant, handle: Handle<Peer>, sink: &mut impl PacketSink) {
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
            let Form::Plain {
                layer,
                sequence,
                identity,
                header,
                original,
            } = packet.form
            else {
                match send_again(&packet, subscription, path, sink) {
                    Some(bytes) => {
                        statistics.retransmitted += 1;
                        peer.counters.retransmitted += 1;
                        peer.counters.sent_bytes += u64::try_from(bytes).unwrap_or_default();
                    }
                    None => statistics.dropped_no_memory += 1,
                }
                continue;
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
            let header_bytes = header.len();
            out[..header_bytes].copy_from_slice(&headers[header]);
            if packet.padding_bytes > 0 {
                out[0] |= PADDING_FLAG;
            }
            let payload = rewrite(
                cached.prefixed_payload,
                cached.facts,
                identity.offsets,
                &subscription.wanted,
            );
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
            peer.counters.sent_bytes += u64::try_from(sealed_bytes).unwrap_or_default();
            statistics.padding_bytes += u64::try_from(packet.padding_bytes).unwrap_or_default();
            if original.is_some() {
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

/// Sends a sealed packet a second time: the same bytes, so that its nonce covers one plaintext.
/// Says how many there were; `None` if outgoing memory is used up.
fn send_again(
    packet: &Outgoing,
    subscription: &mut Subscription,
    path: Path,
    sink: &mut impl PacketSink,
) -> Option<usize> {
    let Form::Sealed(out) = packet.form else {
        return None;
    };
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
    if let Some(vp8) = &facts.vp8 {
        vp8.rewrite(payload, offsets.picture_id, offsets.tl0_picture_index);
    }
    if pass_red {
        rewrite_red_payload_types(payload, wanted.payload_types.media);
    }
    let range = payload_range(facts, payload.len(), pass_red);
    range.start + PREFIX_BYTES..range.end + PREFIX_BYTES
}

/// Length of what a subscriber gets of a packet's payload.
fn payload_bytes(packet: &CachedPacket<'_>, wanted: &protocol::Subscription) -> usize {
    let pass_red = passes_red(wanted.red_payload_type, packet.facts);
    let bytes = packet.prefixed_payload.len() - PREFIX_BYTES;
    payload_range(packet.facts, bytes, pass_red).len()
}

/// Whether a packet is RED and the subscriber takes it.
fn passes_red(red_payload_type: Option<u8>, facts: &PacketFacts) -> bool {
    facts.red_primary_start.is_some() && red_payload_type.is_some()
}
