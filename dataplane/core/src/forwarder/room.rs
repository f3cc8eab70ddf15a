//! A room: who and what is in it, and what is said about it at intervals.

use super::peer::Peer;
use super::publisher::Track;
use super::timers::Armed;
use super::{Forwarder, Handle, TIMER_STEP_MIN, Timer};
use crate::limits::SPEAKER_INTERVAL;
use bedside_protocol::limits::STATISTICS_INTERVAL_MS;
use bedside_protocol::{Event, Generation, PeerStatistics, RoomId, SpeakerLevel, TrackStatistics};
use std::time::{Duration, Instant};

pub(super) struct Room {
    pub(super) id: RoomId,
    pub(super) generation: Generation,
    pub(super) peers: Vec<Handle<Peer>>,
    pub(super) tracks: Vec<Handle<Track>>,
    /// When the statistics were sent last, or began to count.
    pub(super) statistics_since: Instant,
    /// When the current window of audio levels ends; `None` while there is silence.
    pub(super) speakers_due: Option<Instant>,
    pub(super) armed: Armed,
}

impl Room {
    pub(super) fn new(now: Instant, id: RoomId, generation: Generation) -> Self {
        Self {
            id,
            generation,
            peers: Vec::new(),
            tracks: Vec::new(),
            statistics_since: now,
            speakers_due: None,
            armed: Armed::default(),
        }
    }
}

impl Forwarder {
    /// Ends a room's windows of audio levels and of statistics.
    pub(super) fn room_timeout(&mut self, now: Instant, at: Instant, handle: Handle<Room>) {
        let Some(room) = self.rooms.get_mut(handle) else {
            return;
        };
        if !room.armed.fires(at) {
            return;
        }
        if room.speakers_due.is_some_and(|due| due <= now) {
            self.report_speakers(now, handle);
        }
        let interval = Duration::from_millis(STATISTICS_INTERVAL_MS);
        if let Some(room) = self.rooms.get(handle)
            && room.statistics_since + interval <= now
        {
            self.report_statistics(now, handle);
        }
        if let Some(room) = self.rooms.get_mut(handle) {
            let statistics = room.statistics_since + interval;
            let next = room
                .speakers_due
                .map_or(statistics, |speakers| speakers.min(statistics))
                .max(now + TIMER_STEP_MIN);
            self.timers
                .arm(&mut room.armed, Timer::Room(handle), Some(next));
        }
    }

    fn report_speakers(&mut self, now: Instant, handle: Handle<Room>) {
        let Some(room) = self.rooms.get_mut(handle) else {
            return;
        };
        let mut levels = Vec::new();
        let mut quiet = true;
        for of in &room.tracks {
            let Some(track) = self.tracks.get_mut(*of) else {
                continue;
            };
            if let Some(loudness) = track.meter.tick(track.wanted.muted) {
                levels.push(SpeakerLevel {
                    track: track.wanted.track,
                    level: loudness.level,
                    active: loudness.active,
                });
            }
            quiet &= track.meter.is_quiet();
        }
        room.speakers_due = (!quiet).then(|| now + SPEAKER_INTERVAL);
        if !levels.is_empty() {
            levels.sort_by(|a, b| b.level.total_cmp(&a.level));
            self.push_event(handle, Event::Speakers { levels });
        }
    }

    fn report_statistics(&mut self, now: Instant, handle: Handle<Room>) {
        let Some(room) = self.rooms.get_mut(handle) else {
            return;
        };
        let elapsed = now.saturating_duration_since(room.statistics_since);
        room.statistics_since = now;
        let mut peers = Vec::with_capacity(room.peers.len());
        for handle in &room.peers {
            peers.extend(
                self.peers
                    .get_mut(*handle)
                    .map(|peer| peer_statistics(peer, elapsed)),
            );
        }
        let mut tracks = Vec::with_capacity(room.tracks.len());
        for handle in &room.tracks {
            tracks.extend(
                self.tracks
                    .get_mut(*handle)
                    // A relayed track is its origin's to report.
                    .filter(|track| track.publisher().is_some())
                    .map(|track| track_statistics(track, elapsed)),
            );
        }
        if !peers.is_empty() {
            self.push_event(handle, Event::Statistics { peers, tracks });
        }
    }
}

fn peer_statistics(peer: &mut Peer, elapsed: Duration) -> PeerStatistics {
    let counters = std::mem::take(&mut peer.counters);
    peer.counters.rejected = counters.rejected;
    PeerStatistics {
        peer: Some(peer.id),
        rtt_ms: peer
            .round_trip
            .map(|round_trip| round_trip.as_secs_f32() * 1_000.0),
        downlink_loss: share(
            u64::try_from(counters.reported_lost).unwrap_or(0),
            counters.reported_expected,
        ),
        downlink_jitter_ms: counters.jitter_ms_max,
        sent_bps: bits_per_second(counters.sent_bytes, elapsed),
        received_bps: bits_per_second(counters.received_bytes, elapsed),
        estimate_bps: peer.target_bps(),
        queue_delay_ms: peer.pacer.as_mut().map_or(0.0, |pacer| {
            pacer.take_longest_wait().as_secs_f32() * 1_000.0
        }),
        retransmitted: counters.retransmitted,
        rejected: counters.rejected,
    }
}

fn track_statistics(track: &mut Track, elapsed: Duration) -> TrackStatistics {
    let clock_hz = track.wanted.codec.clock_hz();
    let mut statistics = TrackStatistics {
        track: Some(track.wanted.track),
        key_frame_requests: std::mem::take(&mut track.key_frame_requests),
        nacked: std::mem::take(&mut track.nacked),
        ..TrackStatistics::default()
    };
    let (mut expected, mut missing) = (0, 0);
    for layer in track.layers.iter_mut().flatten() {
        let interval = layer.receive.take_interval();
        expected += interval.0;
        missing += interval.1;
        layer.bitrate_bps = bits_per_second(std::mem::take(&mut layer.received_bytes), elapsed);
        statistics.bitrate_bps += layer.bitrate_bps;
        if layer.activity.active {
            statistics.uplink_jitter_ms = statistics
                .uplink_jitter_ms
                .max(layer.receive.jitter_ms(clock_hz));
        }
    }
    statistics.uplink_loss = share(missing, expected);
    statistics
}

fn share(part: u64, whole: u64) -> f32 {
    if whole == 0 {
        0.0
    } else {
        (part as f32 / whole as f32).min(1.0)
    }
}

fn bits_per_second(bytes: u64, elapsed: Duration) -> u64 {
    let elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
    bytes
        .saturating_mul(8_000_000)
        .checked_div(elapsed_us)
        .unwrap_or(0)
}
