//! RTCP that is sent by the clock: requests and feedback to publishers, reports to everyone.

use super::peer::Peer;
use super::publisher::{Source, Track};
use super::sender_report::{delay_units, middle_of};
use super::{Forwarder, Handle, TIMER_STEP_MIN, Timer};
use crate::PacketSink;
use crate::limits::{COMPOUND_BYTES_MAX, REPORT_INTERVAL};
use crate::rtcp::{
    ReportBlock, SenderInfo, write_bye, write_full_intra, write_nack, write_picture_loss,
    write_receiver_report, write_sender_report, write_source_descriptions,
};
use bedside_protocol::{Layer, MediaKind};
use std::time::Instant;

impl Forwarder {
    /// Asks a track's publisher for missing packets and key frames, and notices its silence.
    pub(super) fn track_timeout(
        &mut self,
        now: Instant,
        at: Instant,
        handle: Handle<Track>,
        sink: &mut impl PacketSink,
    ) {
        let Some(track) = self.tracks.get_mut(handle) else {
            return;
        };
        if !track.armed.fires(at) {
            return;
        }
        let fell_silent = track.fell_silent(now);
        match track.source {
            Source::Peer(publisher) => {
                for layer in Layer::ALL {
                    self.write_requests(now, handle, publisher, layer);
                    self.send_compound(publisher, sink);
                }
            }
            Source::Worker(_) => self.ask_origin(now, handle),
        }
        if fell_silent {
            self.layers_changed(now, handle);
        }
        if let Some(track) = self.tracks.get_mut(handle) {
            let next = track.next(now).map(|next| next.max(now + TIMER_STEP_MIN));
            self.timers
                .arm(&mut track.armed, Timer::Track(handle), next);
        }
    }

    /// Writes a compound with what one layer is asked for, or none.
    fn write_requests(
        &mut self,
        now: Instant,
        handle: Handle<Track>,
        publisher: Handle<Peer>,
        layer: Layer,
    ) {
        let (Some(track), Some(peer)) = (self.tracks.get_mut(handle), self.peers.get(publisher))
        else {
            return;
        };
        let Some(state) = track.layers[layer.index()].as_mut() else {
            return;
        };
        let missing = &mut self.scratch.missing;
        missing.clear();
        let round_trip = peer.uplink_round_trip.or(peer.round_trip);
        state.nack.take_due(now, round_trip, missing);
        let asks_key_frame = state.key_frames.take_due(now);
        let Some(media) = state.ssrc else {
            return;
        };
        if missing.is_empty() && !asks_key_frame {
            return;
        }
        let rtcp = &mut self.scratch.rtcp;
        write_receiver_report(rtcp, peer.feedback_ssrc, &[]);
        if !missing.is_empty() {
            write_nack(rtcp, peer.feedback_ssrc, media, missing);
            let count = u64::try_from(missing.len()).unwrap_or_default();
            track.nacked += count;
            self.statistics.nacked += count;
        }
        if asks_key_frame {
            if track.wanted.full_intra {
                write_full_intra(rtcp, peer.feedback_ssrc, media, state.key_frames.command());
            } else {
                write_picture_loss(rtcp, peer.feedback_ssrc, media);
            }
            track.key_frame_requests += 1;
            self.statistics.key_frame_requests += 1;
        }
    }

    /// Sends a peer what is due to it: transport-wide feedback, reports, goodbyes.
    pub(super) fn peer_timeout(
        &mut self,
        now: Instant,
        at: Instant,
        handle: Handle<Peer>,
        sink: &mut impl PacketSink,
    ) {
        let Some(peer) = self.peers.get_mut(handle) else {
            return;
        };
        if !peer.armed.fires(at) {
            return;
        }
        if peer.arrivals.next().is_some_and(|next| next <= now) {
            self.send_transport_feedback(handle, sink);
        }
        self.allocate(now, handle);
        self.pace(now, handle, sink);
        self.send_byes(handle, sink);
        if let Some(peer) = self.peers.get_mut(handle)
            && peer.reports_due.is_some_and(|due| due <= now)
        {
            peer.reports_due = peer.path.map(|_| now + REPORT_INTERVAL);
            self.send_receiver_reports(now, handle, sink);
            self.send_sender_reports(now, handle, sink);
        }
        if let Some(peer) = self.peers.get_mut(handle) {
            let next = peer.next(now).map(|next| next.max(now + TIMER_STEP_MIN));
            self.timers.arm(&mut peer.armed, Timer::Peer(handle), next);
        }
    }

    fn send_transport_feedback(&mut self, handle: Handle<Peer>, sink: &mut impl PacketSink) {
        let media = self.peers.get(handle).and_then(|peer| {
            let mut tracks = peer
                .tracks
                .iter()
                .filter_map(|track| self.tracks.get(*track));
            tracks.find_map(|track| track.layers.iter().flatten().find_map(|layer| layer.ssrc))
        });
        loop {
            let Some(peer) = self.peers.get_mut(handle) else {
                return;
            };
            let rtcp = &mut self.scratch.rtcp;
            write_receiver_report(rtcp, peer.feedback_ssrc, &[]);
            let more = peer.arrivals.write(
                peer.feedback_ssrc,
                media.unwrap_or_default(),
                &mut self.scratch.statuses,
                rtcp,
            );
            self.send_compound(handle, sink);
            if !more {
                return;
            }
        }
    }

    fn send_byes(&mut self, handle: Handle<Peer>, sink: &mut impl PacketSink) {
        loop {
            let Some(peer) = self.peers.get_mut(handle) else {
                return;
            };
            if peer.byes.is_empty() || !peer.is_reachable() {
                return;
            }
            let count = peer.byes.len().min(SOURCES_PER_PACKET);
            write_receiver_report(&mut self.scratch.rtcp, peer.feedback_ssrc, &[]);
            write_bye(&mut self.scratch.rtcp, &peer.byes[..count]);
            peer.byes.drain(..count);
            self.send_compound(handle, sink);
        }
    }

    /// How well we receive what a peer publishes, and audio as well as its subscribers do.
    fn send_receiver_reports(
        &mut self,
        now: Instant,
        handle: Handle<Peer>,
        sink: &mut impl PacketSink,
    ) {
        let Some(peer) = self.peers.get(handle) else {
            return;
        };
        let feedback_ssrc = peer.feedback_ssrc;
        let mut blocks = std::mem::take(&mut self.scratch.blocks);
        for index in 0..peer.tracks.len() {
            let Some(of) = self
                .peers
                .get(handle)
                .and_then(|peer| peer.tracks.get(index).copied())
            else {
                continue;
            };
            let downlink = self.subscribers_loss(now, of);
            let Some(track) = self.tracks.get_mut(of) else {
                continue;
            };
            let is_audio = track.kind() == MediaKind::Audio;
            for layer in track.layers.iter_mut().flatten() {
                let Some(ssrc) = layer.ssrc else {
                    continue;
                };
                let (last, delay) = layer.clock.map_or((0, 0), |clock| {
                    let held = now.saturating_duration_since(clock.arrived);
                    (clock.middle(), delay_units(held.as_micros()))
                });
                let block = layer.receive.report(ssrc, last, delay);
                blocks.extend(block.map(|block| ReportBlock {
                    fraction_lost: if is_audio {
                        block.fraction_lost.max(downlink)
                    } else {
                        block.fraction_lost
                    },
                    ..block
                }));
            }
            if blocks.len() > SOURCES_PER_PACKET - Layer::ALL.len() {
                write_receiver_report(&mut self.scratch.rtcp, feedback_ssrc, &blocks);
                self.send_compound(handle, sink);
                blocks.clear();
            }
        }
        if !blocks.is_empty() {
            write_receiver_report(&mut self.scratch.rtcp, feedback_ssrc, &blocks);
            self.send_compound(handle, sink);
        }
        blocks.clear();
        self.scratch.blocks = blocks;
    }

    /// What a peer is sent, with the publisher's clock.
    fn send_sender_reports(
        &mut self,
        now: Instant,
        handle: Handle<Peer>,
        sink: &mut impl PacketSink,
    ) {
        let count = self
            .peers
            .get(handle)
            .map_or(0, |peer| peer.subscriptions.len());
        for index in 0..count {
            let Some(peer) = self.peers.get(handle) else {
                return;
            };
            let Some(subscription) = peer
                .subscriptions
                .get(index)
                .and_then(|of| self.subscriptions.get_mut(*of))
            else {
                continue;
            };
            let Some(track) = self.tracks.get(subscription.track) else {
                continue;
            };
            let Some((ntp, timestamp)) = subscription.sender_time(now, &track.clocks()) else {
                continue;
            };
            subscription.reported_at(now, middle_of(ntp));
            let ssrc = subscription.wanted.ssrc;
            let info = SenderInfo {
                ssrc,
                ntp,
                timestamp,
                packets: subscription.sent_packets,
                bytes: subscription.sent_bytes,
            };
            let rtcp = &mut self.scratch.rtcp;
            if rtcp.is_empty() {
                write_receiver_report(rtcp, peer.feedback_ssrc, &[]);
            }
            write_sender_report(rtcp, &info);
            let cname = match track.source {
                Source::Peer(publisher) => self.peers.get(publisher).map(Peer::cname),
                Source::Worker(origin) => origin.cname,
            };
            if let Some(cname) = cname {
                write_source_descriptions(rtcp, &[ssrc], &cname);
            }
            if rtcp.len() > COMPOUND_BYTES_MAX - REPORT_BYTES_MAX {
                self.send_compound(handle, sink);
            }
        }
        self.send_compound(handle, sink);
    }

    /// Seals and sends the compound that was written, if there is one and the peer is reachable.
    fn send_compound(&mut self, handle: Handle<Peer>, sink: &mut impl PacketSink) {
        let compound = &mut self.scratch.rtcp;
        if let Some(peer) = self.peers.get_mut(handle)
            && let (Some(keys), Some(path)) = (peer.keys.as_mut(), peer.path)
            && !compound.is_empty()
        {
            let total_bytes = compound.len() + keys.profile.rtcp_overhead_bytes();
            match sink.reserve(path, total_bytes) {
                Some(out) => {
                    out[..compound.len()].copy_from_slice(compound);
                    match keys.sealer.seal_rtcp(out, compound.len()) {
                        Ok(sealed_bytes) => {
                            sink.commit(sealed_bytes);
                            peer.counters.sent_bytes +=
                                u64::try_from(sealed_bytes).unwrap_or_default();
                            self.statistics.sent_rtcp += 1;
                        }
                        Err(_) => self.statistics.seal_refused += 1,
                    }
                }
                None => self.statistics.dropped_no_memory += 1,
            }
        }
        compound.clear();
    }
}

/// RFC 3550 §6.4: report blocks and sources in one packet.
const SOURCES_PER_PACKET: usize = 31;

/// A sender report and a source description.
const REPORT_BYTES_MAX: usize = 28 + 32;
