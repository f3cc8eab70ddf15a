//! A subscription: one track on its way to one peer, as one continuous stream.

use super::Handle;
use super::allocation::Grant;
use super::layer_filter::{LayerFilter, Verdict};
use super::layer_selection::Target;
use super::outgoing_header::HeaderTemplates;
use super::packet_cache::PacketCache;
use super::peer::Peer;
use super::publisher::{Arrival, Track};
use super::reported_loss::ReportedLoss;
use super::retransmission::RecentResends;
use super::sender_report::SenderClock;
use super::sequence_map::{Offsets, Place, SequenceMap};
use crate::limits::{BLANKS_REMEMBERED, SENDER_REPORTS_REMEMBERED, SEQUENCE_JUMP_MAX};
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
    /// The layer whose stream is being forwarded.
    current: Option<Layer>,
    /// What should be; they differ until a decoder can go on with it.
    target: Option<Target>,
    /// The track's layers are all in one stream.
    scalable: bool,
    /// What of the stream is being forwarded.
    filter: LayerFilter,
    /// The subscriber's numbers of packets that were sent empty in the place of something left out.
    blanks: [u64; BLANKS_REMEMBERED],
    blank_count: usize,
    /// A key frame came in an order in which it could not be begun with.
    missed_start: bool,
    /// What the control plane was told last.
    pub(super) announced: Option<Layer>,
    pub(super) told_paused: bool,
    /// What the subscriber's path leaves for it.
    pub(super) grant: Grant,
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
    frame_number: Option<u16>,
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
            scalable: false,
            filter: LayerFilter::default(),
            blanks: [0; BLANKS_REMEMBERED],
            blank_count: 0,
            missed_start: false,
            announced: None,
            told_paused: false,
            grant: Grant::Undecided,
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
        let stream = self.current?;
        Some(if self.scalable {
            self.filter.limits().spatial
        } else {
            stream
        })
    }

    /// The layer whose next key frame is waited for.
    pub(super) fn awaited(&self) -> Option<Layer> {
        let target = self.target?.spatial;
        let has = match self.current() {
            Some(current) if self.scalable => current >= target,
            current => current == Some(target),
        };
        (!has).then_some(target)
    }

    /// Whether the track's layers are all in one stream.
    pub(super) fn set_scalable(&mut self, scalable: bool) {
        self.scalable = scalable;
    }

    /// Whether a key frame was missed that is still waited for; then it counts as noticed.
    pub(super) fn take_missed_start(&mut self) -> bool {
        std::mem::take(&mut self.missed_start) && self.awaited().is_some()
    }

    /// The highest spatial and temporal layer that is forwarded of a picture of the current stream;
    /// `None` while nothing is left out.
    pub(super) fn limits_at(&self, timestamp: Timestamp) -> Option<Target> {
        let target = self.filter_target()?;
        (self.scalable || !self.filter.is_idle(target)).then(|| self.filter.limits_at(timestamp))
    }

    /// Whether the subscriber's packet `out` was sent empty.
    pub(super) fn was_blank(&self, out: u64) -> bool {
        let kept = self.blank_count.min(BLANKS_REMEMBERED);
        self.blanks[..kept].contains(&out)
    }

    /// What is wanted of the stream. A simulcast layer has no spatial ones within.
    fn filter_target(&self) -> Option<Target> {
        let target = self.target?;
        Some(if self.scalable {
            target
        } else {
            Target {
                spatial: Layer::Low,
                ..target
            }
        })
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
        // They may be those of packets that were to be empty.
        self.blank_count = 0;
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
            if let Some(target) = self.filter_target() {
                self.filter.restart(target, arrival.timestamp);
            }
        }
        if arrival.empty {
            return self.map.leave_out(arrival.layer, arrival.sequence, false);
        }
        if let Some(frame) = &arrival.frame
            && let Some(target) = self.filter_target()
            && (self.scalable || !self.filter.is_idle(target))
        {
            let verdict = if self.map.is_late(arrival.sequence) {
                self.missed_start |= arrival.starts;
                self.filter.judge_late(arrival, frame)
            } else {
                let offset = self.map.current().map_or(0, |run| run.offsets.timestamp);
                let forwarded = self
                    .newest
                    .map(|newest| newest.timestamp.offset_by(offset.wrapping_neg()));
                self.filter.judge(target, arrival, frame, forwarded)
            };
            if let Verdict::LeaveOut { first } = verdict {
                return self.leave_out(arrival, first);
            }
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
                frame_number: arrival
                    .frame_number
                    .map(|number| number.wrapping_add(place.offsets.frame_number)),
            });
        }
        Some(place)
    }

    /// Closes the place of a packet, or fills it with an empty one.
    fn leave_out(&mut self, arrival: &Arrival, picture_less: bool) -> Option<Place> {
        let (layer, sequence) = (arrival.layer, arrival.sequence);
        let place = self.map.leave_out(layer, sequence, picture_less)?;
        self.blanks[self.blank_count % BLANKS_REMEMBERED] = place.out;
        self.blank_count += 1;
        Some(place)
    }

    /// A key frame of the layer that is waited for, or, while there is nothing to show, of a lower
    /// one that comes first.
    fn may_start_with(&self, layer: Layer) -> bool {
        self.target.is_some_and(|Target { spatial, .. }| {
            self.scalable || layer == spatial || (self.current.is_none() && layer < spatial)
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
        let next_frame = newest
            .frame_number
            .zip(arrival.frame_number)
            .map(|(newest, number)| newest.wrapping_add(1).wrapping_sub(number));
        Offsets {
            timestamp: self
                .timestamp_of_new_run(now, &newest, arrival, clocks)
                .ahead_of(arrival.timestamp),
            picture_id: next_picture.unwrap_or(0),
            tl0_picture_index: next_tl0.unwrap_or(0),
            frame_number: next_frame.unwrap_or(0),
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
