//! A subscription: one track on its way to one peer, as one continuous stream.

use super::Handle;
use super::layer_selection::Target;
use super::outgoing_header::HeaderTemplates;
use super::packet_cache::PacketCache;
use super::peer::Peer;
use super::publisher::{Arrival, Track};
use super::reported_loss::ReportedLoss;
use super::retransmission::RecentResends;
use super::sender_report::SenderClock;
use super::sequence_map::{Offsets, Place, SequenceMap};
use crate::limits::{SENDER_REPORTS_REMEMBERED, SEQUENCE_JUMP_MAX};
use crate::rtp::{PictureId, Timestamp};
use bedside_protocol::{self as protocol, Generation, Layer, MediaKind};
use std::time::Instant;

pub(super) struct Subscription {
    pub(super) wanted: protocol::Subscription,
    pub(super) generation: Generation,
    pub(super) subscriber: Handle<Peer>,
    pub(super) track: Handle<Track>,
    pub(super) kind: MediaKind,
    clock_hz: u32,
    /// What is being forwarded.
    current: Option<Layer>,
    /// What should be; they differ until a key frame of it arrives.
    target: Option<Target>,
    /// What the control plane was told last.
    pub(super) announced: Option<Layer>,
    pub(super) map: SequenceMap,
    newest: Option<Newest>,
    /// Behind the highest number that was sealed; numbers from here on can still be given anew.
    pub(super) sent_end: u64,
    pub(super) headers: HeaderTemplates,
    /// Sequence number of the next retransmission on the RTX SSRC.
    pub(super) rtx_next: u64,
    /// What was sent, sealed: the only thing that may be sent again where there is no RTX.
    pub(super) sealed: Option<PacketCache>,
    pub(super) recent_resends: RecentResends,
    /// Packets and payload bytes sent, for sender reports.
    pub(super) sent_packets: u32,
    pub(super) sent_bytes: u32,
    /// NTP times of the last sender reports and when they were sent.
    reports: [Option<(u32, Instant)>; SENDER_REPORTS_REMEMBERED],
    reports_sent: usize,
    /// Highest sequence number and cumulative loss of the last receiver report.
    pub(super) reported: Option<(u32, i32)>,
    /// Share of packets lost, of the same report.
    pub(super) loss: ReportedLoss,
}

/// The newest packet that was sent, in the subscriber's numbers.
#[derive(Clone, Copy, Debug)]
struct Newest {
    at: Instant,
    timestamp: Timestamp,
    picture_id: Option<PictureId>,
    tl0_picture_index: Option<u8>,
}

impl Subscription {
    /// `first` is the first sequence number of the stream, below 2^15 so that a lost first packet
    /// cannot be mistaken for one before a wrap (RFC 3711 §3.3.1).
    pub(super) fn new(
        wanted: protocol::Subscription,
        generation: Generation,
        subscriber: Handle<Peer>,
        track: Handle<Track>,
        codec: protocol::Codec,
        first: u64,
    ) -> Self {
        Self {
            generation,
            subscriber,
            track,
            kind: codec.kind(),
            clock_hz: codec.clock_hz(),
            current: None,
            target: None,
            announced: None,
            map: SequenceMap::new(first),
            newest: None,
            sent_end: first,
            headers: HeaderTemplates::default(),
            rtx_next: first,
            sealed: None,
            recent_resends: RecentResends::default(),
            sent_packets: 0,
            sent_bytes: 0,
            reports: [None; SENDER_REPORTS_REMEMBERED],
            reports_sent: 0,
            reported: None,
            loss: ReportedLoss::default(),
            wanted,
        }
    }

    /// Takes over what may change within a stream.
    pub(super) fn update(&mut self, wanted: &protocol::Subscription, generation: Generation) {
        self.generation = generation;
        if wanted.nack && wanted.rtx_ssrc.is_none() {
            self.sealed.get_or_insert_default();
        }
        self.wanted.clone_from(wanted);
    }

    /// The layer that is being forwarded.
    pub(super) fn current(&self) -> Option<Layer> {
        self.current
    }

    /// The layer whose next key frame is waited for.
    pub(super) fn awaited(&self) -> Option<Layer> {
        let target = self.target?.spatial;
        (self.current != Some(target)).then_some(target)
    }

    /// Forwards up to `target` from where a decoder can go on with it, and until then what was
    /// forwarded before. `None` changes nothing.
    pub(super) fn set_target(&mut self, target: Option<Target>) {
        if target.is_some() {
            self.target = target;
        }
    }

    /// Forwards nothing until it is aimed again and a key frame arrives.
    pub(super) fn stop(&mut self) {
        self.current = None;
        self.target = None;
    }

    /// What has its place but was not sent is dropped, and its numbers are given to what follows.
    /// Goes on with the next key frame.
    pub(super) fn restart(&mut self) {
        self.map.forget_from(self.sent_end);
        self.current = None;
    }

    /// Decides on a packet that arrived: its place in the stream, or that it is not forwarded.
    /// `clocks` are those of the track's layers.
    pub(super) fn place(
        &mut self,
        now: Instant,
        arrival: &Arrival,
        clocks: impl Fn() -> [Option<SenderClock>; Layer::ALL.len()],
    ) -> Option<Place> {
        if self.current.is_none() && self.target.is_none() {
            return None;
        }
        if self.current == Some(arrival.layer)
            && self.map.jump(arrival.sequence) > SEQUENCE_JUMP_MAX
        {
            self.current = None;
        }
        if self.current != Some(arrival.layer) {
            if !arrival.starts || !self.may_start_with(arrival.layer) {
                return self.map.reserved(arrival.layer, arrival.sequence);
            }
            let offsets = self.offsets_of_new_run(now, arrival, &clocks());
            self.map.begin(arrival.layer, arrival.sequence, offsets);
            self.current = Some(arrival.layer);
        }
        if arrival.empty {
            return self.map.leave_out(arrival.layer, arrival.sequence);
        }
        let place = self.map.place(arrival.layer, arrival.sequence)?;
        if place.newest {
            self.newest = Some(Newest {
                at: now,
                timestamp: arrival.timestamp.offset_by(place.offsets.timestamp),
                picture_id: arrival
                    .picture_id
                    .map(|id| id.offset_by(place.offsets.picture_id)),
                tl0_picture_index: arrival
                    .tl0_picture_index
                    .map(|index| index.wrapping_add(place.offsets.tl0_picture_index)),
            });
        }
        Some(place)
    }

    /// A key frame of the layer that is waited for, or, while there is nothing to show, of a lower
    /// one that comes first.
    fn may_start_with(&self, layer: Layer) -> bool {
        self.target.is_some_and(|Target { spatial, .. }| {
            layer == spatial || (self.current.is_none() && layer < spatial)
        })
    }

    /// What makes the counters of a run that begins with `arrival` follow those of the last one.
    fn offsets_of_new_run(
        &self,
        now: Instant,
        arrival: &Arrival,
        clocks: &[Option<SenderClock>; Layer::ALL.len()],
    ) -> Offsets {
        let Some(newest) = self.newest else {
            return Offsets::default();
        };
        let next_picture = newest
            .picture_id
            .zip(arrival.picture_id)
            .map(|(newest, id)| newest.value().wrapping_add(1).wrapping_sub(id.value()));
        let next_tl0 = newest
            .tl0_picture_index
            .zip(arrival.tl0_picture_index)
            .map(|(newest, index)| newest.wrapping_add(1).wrapping_sub(index));
        Offsets {
            timestamp: self
                .timestamp_of_new_run(now, &newest, arrival, clocks)
                .ahead_of(arrival.timestamp),
            picture_id: next_picture.unwrap_or(0),
            tl0_picture_index: next_tl0.unwrap_or(0),
        }
    }

    /// The subscriber's timestamp of `arrival`. On the publisher's own clock, which the sender
    /// reports of both layers give, or which is the same where the layer is; otherwise by how much
    /// later it arrived. Always later than what was sent before.
    fn timestamp_of_new_run(
        &self,
        now: Instant,
        newest: &Newest,
        arrival: &Arrival,
        clocks: &[Option<SenderClock>; Layer::ALL.len()],
    ) -> Timestamp {
        let elapsed_us = now.saturating_duration_since(newest.at).as_micros();
        let elapsed = elapsed_us * u128::from(self.clock_hz) / 1_000_000;
        let [.., e0, e1, e2, e3] = elapsed.to_be_bytes();
        let by_arrival = newest
            .timestamp
            .offset_by(i32::from_be_bytes([e0, e1, e2, e3]));
        let by_clock = self.map.current().and_then(|run| {
            let in_units_of_run = if run.layer == arrival.layer {
                Some(arrival.timestamp)
            } else {
                clocks[arrival.layer.index()]
                    .zip(clocks[run.layer.index()])
                    .map(|(from, to)| from.translate(arrival.timestamp, &to, self.clock_hz))
            };
            in_units_of_run.map(|timestamp| timestamp.offset_by(run.offsets.timestamp))
        });
        let tolerance = self.clock_hz / CLOCK_TOLERANCE_PARTS;
        let timestamp = by_clock
            .filter(|timestamp| timestamp.ahead_of(by_arrival).unsigned_abs() <= tolerance)
            .unwrap_or(by_arrival);
        if timestamp.ahead_of(newest.timestamp) > 0 {
            timestamp
        } else {
            newest.timestamp.offset_by(1)
        }
    }

    /// NTP time and the subscriber's timestamp for a sender report at `now`; `None` while nothing
    /// is forwarded or the publisher has not reported on the layer.
    pub(super) fn sender_time(
        &self,
        now: Instant,
        clocks: &[Option<SenderClock>; Layer::ALL.len()],
    ) -> Option<(u64, Timestamp)> {
        let run = self.map.current()?;
        if self.current != Some(run.layer) {
            return None;
        }
        let (ntp, timestamp) = clocks[run.layer.index()]?.at(now, self.clock_hz);
        Some((ntp, timestamp.offset_by(run.offsets.timestamp)))
    }

    /// Remembers a sender report, by the middle of its NTP time.
    pub(super) fn reported_at(&mut self, now: Instant, middle: u32) {
        self.reports[self.reports_sent % SENDER_REPORTS_REMEMBERED] = Some((middle, now));
        self.reports_sent += 1;
    }

    /// When the sender report was sent that a receiver report refers to.
    pub(super) fn report_sent(&self, middle: u32) -> Option<Instant> {
        self.reports
            .iter()
            .flatten()
            .find(|(sent, _)| *sent == middle)
            .map(|(_, at)| *at)
    }

    pub(super) fn clock_hz(&self) -> u32 {
        self.clock_hz
    }
}

/// A publisher's clock that would move a stream by more than half a second against arrival is not
/// believed: the sender restarted, or reports nonsense.
const CLOCK_TOLERANCE_PARTS: u32 = 2;
