//! What clients say about streams: reports, requests, goodbyes.

use super::peer::{Peer, smooth};
use super::publisher::PublishedLayer;
use super::receive::count;
use super::retransmission::Resend;
use super::sender_report::{SenderClock, delay_us};
use super::{Forwarder, Handle};
use crate::limits::RESENDS_PER_BATCH_MAX;
use crate::rtcp::{self, NackSequences, Packet, ReportBlock, ReportBlocks};
use bedside_protocol::MediaKind;
use std::time::{Duration, Instant};

/// What one report block says since the last one on its stream.
#[derive(Default)]
struct Heard {
    expected: u64,
    /// Negative where duplicates outnumber losses.
    lost: i64,
    round_trip: Option<Duration>,
}

impl Forwarder {
    pub(super) fn receive_rtcp(&mut self, now: Instant, handle: Handle<Peer>, packet: &mut [u8]) {
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
                self.receive_reports(now, handle, blocks);
            }
            Packet::ReceiverReport { blocks } => self.receive_reports(now, handle, blocks),
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
            Packet::EstimatedBitrate { bitrate_bps, .. } => {
                self.receive_receiver_estimate(now, handle, bitrate_bps);
            }
            Packet::TransportFeedback(feedback) => {
                self.receive_transport_feedback(now, handle, &feedback);
            }
            Packet::CongestionFeedback(feedback) => {
                self.receive_congestion_feedback(now, handle, &feedback);
            }
            // Source descriptions are the control plane's.
            Packet::Other => {}
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
        let Some(track) = self.tracks.get_mut(stream.track) else {
            return;
        };
        if let Some(layer) = track.layer_mut(stream.layer)
            && layer.activity.active
        {
            layer.stop();
            let layers = track.layers.iter_mut().flatten();
            layers
                .filter(|layer| layer.within_stream)
                .for_each(|layer| layer.stop());
            self.layers_changed(now, stream.track);
        }
    }

    fn receive_reports(&mut self, now: Instant, handle: Handle<Peer>, blocks: ReportBlocks<'_>) {
        let (mut expected, mut lost, mut round_trip) = (0, 0, None);
        for block in blocks {
            let heard = self.receive_report(now, handle, &block).unwrap_or_default();
            expected += heard.expected;
            lost += heard.lost;
            round_trip = round_trip.or(heard.round_trip);
        }
        self.note_reported_loss(now, handle, expected, lost, round_trip);
    }

    /// `None` for a report on a stream that is not sent to the peer.
    fn receive_report(
        &mut self,
        now: Instant,
        handle: Handle<Peer>,
        block: &ReportBlock,
    ) -> Option<Heard> {
        let peer = self.peers.get_mut(handle)?;
        let mut heard = Heard::default();
        let of = peer.outgoing.find(block.ssrc)?;
        let subscription = self.subscriptions.get_mut(of)?;
        if let Some((highest, lost)) = subscription.reported {
            let expected = block.highest_sequence.wrapping_sub(highest).cast_signed();
            if let Ok(expected) = u64::try_from(expected) {
                heard.expected = expected;
                heard.lost = i64::from(block.cumulative_lost) - i64::from(lost);
                peer.counters.reported_expected += heard.expected;
                peer.counters.reported_lost += heard.lost;
            }
        }
        subscription.reported = Some((block.highest_sequence, block.cumulative_lost));
        let jitter_ms = block.jitter as f32 * 1_000.0 / subscription.clock_hz() as f32;
        peer.counters.jitter_ms_max = peer.counters.jitter_ms_max.max(jitter_ms);
        if let Some(sent) = subscription.report_sent(block.last_sender_report) {
            let held = Duration::from_micros(delay_us(block.delay_since_last));
            heard.round_trip = now.saturating_duration_since(sent).checked_sub(held);
            if let Some(round_trip) = heard.round_trip {
                smooth(&mut peer.round_trip, round_trip);
            }
        }
        self.loss_reported(now, of, block.fraction_lost);
        Some(heard)
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
                .and_then(|track| track.stream_mut(layer))
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
}
