//! Where one generator thread writes.

use super::{Board, Measurements};
use bedside_protocol::MediaKind;
use std::time::Duration;

/// What one generator thread measured since it last reported.
#[derive(Debug, Default)]
pub struct Recorder {
    pub(super) pending: Measurements,
    /// No report before this time, nanoseconds of the monotonic clock.
    next_report_ns: u64,
    /// Packets and bytes that arrived and were reported.
    delivered: (u64, u64),
}

impl Recorder {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// `packets` were sent, `bytes` in all.
    pub fn sent(&mut self, packets: u64, bytes: u64) {
        self.pending.packets_sent += packets;
        self.pending.bytes_sent += bytes;
    }

    /// Something was sent so many nanoseconds after it was due.
    pub fn late(&mut self, late_ns: u64) {
        self.pending.lateness.record_ns(late_ns);
    }

    /// A packet arrived so many nanoseconds after it was due and after it was in fact sent.
    pub fn latency(&mut self, kind: MediaKind, since_due_ns: u64, since_sent_ns: u64) {
        match kind {
            MediaKind::Audio => self.pending.audio_latency.record_ns(since_due_ns),
            MediaKind::Video => self.pending.video_latency.record_ns(since_due_ns),
        }
        self.pending.forwarding.record_ns(since_sent_ns);
    }

    /// A transport came up, so long after it was wanted.
    pub fn join(&mut self, after: Duration) {
        self.pending.joined += 1;
        self.pending.join.record(after);
    }

    /// A stream began, so long after it was wanted.
    pub fn first_frame(&mut self, after: Duration) {
        self.pending.first_frame.record(after);
    }

    /// A picture stood still for so long.
    pub fn frozen(&mut self, span: Duration) {
        self.pending.frozen_ns += u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
    }

    /// A video stream was received for so long.
    pub fn watched(&mut self, span: Duration) {
        self.pending.watched_ns += u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
    }

    /// A received stream changed its layer.
    pub fn layer_switch(&mut self) {
        self.pending.layer_switches += 1;
    }

    /// A packet was not what it should be.
    pub fn forged(&mut self) {
        self.pending.forged += 1;
    }

    /// Packets are known to have been delivered, but were not looked at one by one: so many that
    /// the kernel dropped on purpose, with so many bytes.
    pub fn counted(&mut self, packets: u64, bytes: u64) {
        self.pending.packets_expected += packets;
        self.pending.packets_received += packets;
        self.pending.bytes_received += bytes;
    }

    /// Something failed. `what` holds nothing about a person, an address or a key.
    pub fn failed(&mut self, what: &str) {
        match self.pending.failures.get_mut(what) {
            Some(count) => *count += 1,
            None => {
                self.pending.failures.insert(what.to_owned(), 1);
            }
        }
    }

    /// Packets, without duplicates, and bytes that arrived since the recorder was made.
    #[must_use]
    pub fn delivered(&self) -> (u64, u64) {
        let (packets, bytes) = self.delivered;
        (
            packets + self.pending.packets_received,
            bytes + self.pending.bytes_received,
        )
    }

    /// Adds what was measured to the board, at most once a second.
    pub fn report_to(&mut self, board: &Board, now_ns: u64) {
        if now_ns >= self.next_report_ns {
            self.report_now(board, now_ns);
        }
    }

    /// The same at once: at the end of a run.
    pub fn report_now(&mut self, board: &Board, now_ns: u64) {
        self.next_report_ns = board.take(&self.pending, now_ns);
        self.delivered = self.delivered();
        self.pending.clear();
    }
}
