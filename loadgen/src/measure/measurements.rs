//! Figures of a run, or of a part of one.

use super::Histogram;
use std::collections::BTreeMap;

/// Figures of a run, or of a part of one.
#[derive(Clone, Debug, Default)]
pub struct Measurements {
    /// From when an audio packet was due to its arrival.
    pub audio_latency: Histogram,
    /// From when a video packet was due to its arrival.
    pub video_latency: Histogram,
    /// From when a packet was in fact sent to its arrival: the server and the network alone.
    pub forwarding: Histogram,
    /// Interarrival jitter (RFC 3550 §6.4.1), one value a packet.
    pub jitter: Histogram,
    /// From the wish to join to a transport that carries media.
    pub join: Histogram,
    /// From the wish for a stream to its first packet (audio) or first whole frame (video).
    pub first_frame: Histogram,
    /// How late the generator itself was: from when something was due to when it was sent.
    pub lateness: Histogram,
    /// Packets sent.
    pub packets_sent: u64,
    /// Bytes sent, from the RTP header to the authentication tag.
    pub bytes_sent: u64,
    /// Packets that the sequence numbers say were sent to us.
    pub packets_expected: u64,
    /// Packets that arrived, without duplicates.
    pub packets_received: u64,
    /// Bytes that arrived, from the RTP header to the authentication tag, with duplicates.
    pub bytes_received: u64,
    /// Packets that arrived after one with a higher number.
    pub reordered: u64,
    /// Packets that arrived before.
    pub duplicated: u64,
    /// Packets that failed authentication, or whose stamp names another sender than the one
    /// subscribed to. Anything but 0 is a fault of the server's or of ours.
    pub forged: u64,
    /// Transports that came up.
    pub joined: u64,
    /// Time that pictures stood still, summed over all video streams, nanoseconds.
    pub frozen_ns: u64,
    /// Time that video streams were being received, summed: what `frozen_ns` is a share of.
    pub watched_ns: u64,
    /// How often a received stream changed its layer.
    pub layer_switches: u64,
    /// What failed, and how often.
    pub failures: BTreeMap<String, u64>,
    /// Second by second.
    pub seconds: Vec<Second>,
}

/// One second of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Second {
    /// Which, from the start of the board or its last reset.
    pub at_s: u64,
    /// Packets sent.
    pub sent: u64,
    /// Packets that arrived.
    pub received: u64,
    /// Packets that did not.
    pub lost: u64,
    /// Transports that came up.
    pub joined: u64,
    /// Median latency of all media, nanoseconds.
    pub latency_p50_ns: u64,
    /// 99 % of all media had no more, nanoseconds.
    pub latency_p99_ns: u64,
    /// The longest latency of all media, nanoseconds.
    pub latency_max_ns: u64,
}

impl Measurements {
    /// Packets that never arrived. Those that overtook each other around the end of the
    /// measurement may count for either side.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.packets_expected.saturating_sub(self.packets_received)
    }

    /// Share of the expected packets that never arrived, 0.0 to 1.0.
    #[must_use]
    pub fn loss(&self) -> f64 {
        if self.packets_expected == 0 {
            return 0.0;
        }
        #[expect(clippy::cast_precision_loss, reason = "a share, not a count")]
        let share = self.lost() as f64 / self.packets_expected as f64;
        share
    }

    /// Latency of all media.
    #[must_use]
    pub fn latency(&self) -> Histogram {
        let mut all = self.audio_latency.clone();
        all.add(&self.video_latency);
        all
    }

    /// Adds another one's figures, but not its seconds.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.histograms_mut().into_iter().zip(other.histograms()) {
            mine.add(theirs);
        }
        for (mine, theirs) in self.counters_mut().into_iter().zip(other.counters()) {
            *mine += theirs;
        }
        for (what, count) in &other.failures {
            match self.failures.get_mut(what) {
                Some(mine) => *mine += count,
                None => {
                    self.failures.insert(what.clone(), *count);
                }
            }
        }
    }

    /// Forgets everything, and keeps the memory.
    pub(super) fn clear(&mut self) {
        for histogram in self.histograms_mut() {
            histogram.clear();
        }
        for counter in self.counters_mut() {
            *counter = 0;
        }
        self.failures.clear();
        self.seconds.clear();
    }

    fn histograms(&self) -> [&Histogram; 7] {
        [
            &self.audio_latency,
            &self.video_latency,
            &self.forwarding,
            &self.jitter,
            &self.join,
            &self.first_frame,
            &self.lateness,
        ]
    }

    fn histograms_mut(&mut self) -> [&mut Histogram; 7] {
        [
            &mut self.audio_latency,
            &mut self.video_latency,
            &mut self.forwarding,
            &mut self.jitter,
            &mut self.join,
            &mut self.first_frame,
            &mut self.lateness,
        ]
    }

    fn counters(&self) -> [u64; 12] {
        [
            self.packets_sent,
            self.bytes_sent,
            self.packets_expected,
            self.packets_received,
            self.bytes_received,
            self.reordered,
            self.duplicated,
            self.forged,
            self.joined,
            self.frozen_ns,
            self.watched_ns,
            self.layer_switches,
        ]
    }

    fn counters_mut(&mut self) -> [&mut u64; 12] {
        [
            &mut self.packets_sent,
            &mut self.bytes_sent,
            &mut self.packets_expected,
            &mut self.packets_received,
            &mut self.bytes_received,
            &mut self.reordered,
            &mut self.duplicated,
            &mut self.forged,
            &mut self.joined,
            &mut self.frozen_ns,
            &mut self.watched_ns,
            &mut self.layer_switches,
        ]
    }
}
