//! When each packet of a publisher's transport arrived, for its bandwidth estimator.

use crate::limits::{TRANSPORT_FEEDBACK_INTERVAL, TRANSPORT_FEEDBACK_PACKETS};
use crate::rtcp::{TICK_US, write_transport_feedback};
use crate::rtp::SequenceNumber;
use std::time::Instant;

/// Arrivals by transport-wide sequence number. What arrives late is reported again from there on,
/// with all that is known after it.
#[derive(Default)]
pub(super) struct ArrivalRecorder {
    /// Ring by sequence number, a power of two: empty before the first packet, doubled up to
    /// [`TRANSPORT_FEEDBACK_PACKETS`] while packets that were not reported yet would leave it.
    arrivals: Vec<Arrival>,
    /// Time zero.
    epoch: Option<Instant>,
    highest: u64,
    /// First sequence number of the next feedback.
    next: u64,
    /// The earliest arrival that was not reported yet.
    waiting_since: Option<Instant>,
    feedback_count: u8,
}

/// Eight bytes, because every packet that arrives touches one of thousands of rings.
#[derive(Clone, Copy)]
struct Arrival {
    /// The lower half of the sequence number: the window is far smaller.
    sequence: u32,
    /// Since the epoch; [`NOTHING`] where no packet arrived. They begin anew after 12 days, as the
    /// 24 bits of reference time do that they are sent as.
    ticks: u32,
}

impl Arrival {
    const NOTHING: Self = Self {
        sequence: 0,
        ticks: NOTHING,
    };

    fn is_of(self, sequence: u64) -> bool {
        self.ticks != NOTHING && self.sequence == lower_half(sequence)
    }
}

impl ArrivalRecorder {
    pub(super) fn arrived(&mut self, now: Instant, sequence: u16) {
        let epoch = *self.epoch.get_or_insert(now);
        if self.arrivals.is_empty() {
            self.arrivals.resize(PACKETS_MIN, Arrival::NOTHING);
            // Numbers below the first one stay above zero.
            self.highest = FIRST_TURN + u64::from(sequence);
            self.next = self.highest;
        }
        let Some(sequence) = SequenceNumber(sequence).extend(self.highest) else {
            return;
        };
        if sequence + self.window() <= self.highest {
            return;
        }
        self.highest = self.highest.max(sequence);
        self.make_room(sequence);
        let slot = self.slot(sequence);
        if self.arrivals[slot].is_of(sequence) {
            return;
        }
        let elapsed_us = now.saturating_duration_since(epoch).as_micros();
        let ticks = u64::try_from(elapsed_us).unwrap_or(u64::MAX) / TICK_US;
        self.arrivals[slot] = Arrival {
            sequence: lower_half(sequence),
            ticks: lower_half(ticks).min(NOTHING - 1),
        };
        self.next = self.next.min(sequence);
        self.waiting_since.get_or_insert(now);
    }

    /// Doubles the ring while what is to be reported does not fit.
    fn make_room(&mut self, sequence: u64) {
        let oldest = self.next.min(sequence);
        while self.highest - oldest.min(self.highest) >= self.window() && self.window() < WINDOW {
            let doubled = vec![Arrival::NOTHING; 2 * self.arrivals.len()];
            let arrivals = std::mem::replace(&mut self.arrivals, doubled);
            for arrival in arrivals {
                let slot = self.slot(arrival.sequence.into());
                if arrival.ticks != NOTHING {
                    self.arrivals[slot] = arrival;
                }
            }
        }
    }

    fn window(&self) -> u64 {
        u64::try_from(self.arrivals.len()).unwrap_or(WINDOW)
    }

    fn slot(&self, sequence: u64) -> usize {
        usize::try_from(sequence).unwrap_or_default() & (self.arrivals.len() - 1)
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
        let base = self
            .next
            .max((self.highest + 1).saturating_sub(self.window()));
        statuses.clear();
        statuses.extend((base..=self.highest).map(|sequence| {
            let arrival = self.arrivals[self.slot(sequence)];
            arrival.is_of(sequence).then(|| arrival.ticks.into())
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

/// The lower half of a number.
fn lower_half(number: u64) -> u32 {
    let [.., b0, b1, b2, b3] = number.to_be_bytes();
    u32::from_be_bytes([b0, b1, b2, b3])
}

/// No packet arrived.
const NOTHING: u32 = u32::MAX;

/// Packets that a ring starts with: three quarters of a second of audio and video, in 1 KiB.
const PACKETS_MIN: usize = 128;

const WINDOW: u64 = TRANSPORT_FEEDBACK_PACKETS as u64;
const FIRST_TURN: u64 = 1 << 16;

#[cfg(test)]
mod tests;
