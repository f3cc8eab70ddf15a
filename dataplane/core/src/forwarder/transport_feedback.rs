//! When each packet of a publisher's transport arrived, for its bandwidth estimator.

use crate::limits::{TRANSPORT_FEEDBACK_INTERVAL, TRANSPORT_FEEDBACK_PACKETS};
use crate::rtcp::{TICK_US, write_transport_feedback};
use crate::rtp::SequenceNumber;
use std::time::Instant;

/// Arrivals by transport-wide sequence number. What arrives late is reported again from there on,
/// with all that is known after it.
#[derive(Default)]
pub(super) struct ArrivalRecorder {
    /// Ring by sequence number; empty before the first packet.
    arrivals: Vec<Option<Arrival>>,
    /// Time zero.
    epoch: Option<Instant>,
    highest: u64,
    /// First sequence number of the next feedback.
    next: u64,
    /// The earliest arrival that was not reported yet.
    waiting_since: Option<Instant>,
    feedback_count: u8,
}

#[derive(Clone, Copy)]
struct Arrival {
    sequence: u64,
    ticks: u64,
}

impl ArrivalRecorder {
    pub(super) fn arrived(&mut self, now: Instant, sequence: u16) {
        let epoch = *self.epoch.get_or_insert(now);
        if self.arrivals.is_empty() {
            self.arrivals.resize(TRANSPORT_FEEDBACK_PACKETS, None);
            // Numbers below the first one stay above zero.
            self.highest = FIRST_TURN + u64::from(sequence);
            self.next = self.highest;
        }
        let Some(sequence) = SequenceNumber(sequence).extend(self.highest) else {
            return;
        };
        if sequence + WINDOW <= self.highest {
            return;
        }
        self.highest = self.highest.max(sequence);
        let slot = &mut self.arrivals[slot(sequence)];
        if slot.is_some_and(|known| known.sequence == sequence) {
            return;
        }
        let elapsed_us = now.saturating_duration_since(epoch).as_micros();
        *slot = Some(Arrival {
            sequence,
            ticks: u64::try_from(elapsed_us).unwrap_or(u64::MAX) / TICK_US,
        });
        self.next = self.next.min(sequence);
        self.waiting_since.get_or_insert(now);
    }

    /// When the next feedback is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.waiting_since
            .map(|since| since + TRANSPORT_FEEDBACK_INTERVAL)
    }

    /// Appends one feedback packet about what arrived since the last one, or all that fits; call
    /// it again while it says that there is more.
    pub(super) fn write(
        &mut self,
        sender: u32,
        media: u32,
        statuses: &mut Vec<Option<u64>>,
        out: &mut Vec<u8>,
    ) -> bool {
        if self.waiting_since.is_none() {
            return false;
        }
        // What fell out of the window can no longer be told from lost.
        let base = self.next.max((self.highest + 1).saturating_sub(WINDOW));
        statuses.clear();
        statuses.extend((base..=self.highest).map(|sequence| {
            self.arrivals[slot(sequence)]
                .filter(|arrival| arrival.sequence == sequence)
                .map(|arrival| arrival.ticks)
        }));
        let range = write_transport_feedback(
            out,
            sender,
            media,
            self.feedback_count,
            SequenceNumber::of(base),
            statuses,
        );
        self.feedback_count = self.feedback_count.wrapping_add(1);
        self.next = base + u64::from(range.count);
        let more = self.next <= self.highest && range.count > 0;
        if !more {
            self.next = self.highest + 1;
            self.waiting_since = None;
        }
        more
    }
}

fn slot(sequence: u64) -> usize {
    usize::try_from(sequence & (WINDOW - 1)).unwrap_or_default()
}

const WINDOW: u64 = TRANSPORT_FEEDBACK_PACKETS as u64;
const FIRST_TURN: u64 = 1 << 16;

#[cfg(test)]
mod tests;
