//! What a receiver report says about one stream (RFC 3550 §6.4.1, appendices A.3 and A.8).

use crate::rtcp::ReportBlock;
use crate::rtp::Timestamp;
use std::time::Instant;

#[derive(Default)]
pub(super) struct ReceiveStatistics {
    /// First and highest extended sequence number.
    range: Option<(u64, u64)>,
    received: u64,
    /// Restored by retransmission: not received in the sense of a report, but not missing either.
    recovered: u64,
    /// Packets of the last arrival: when, and its timestamp.
    transit: Option<(Instant, Timestamp)>,
    /// Interarrival jitter in timestamp units, times 16.
    jitter_q4: u32,
    reported: Counts,
    interval: Counts,
}

/// Packets expected and not missing up to some instant.
#[derive(Clone, Copy, Default)]
struct Counts {
    expected: u64,
    received: u64,
}

impl ReceiveStatistics {
    /// A packet arrived by itself.
    pub(super) fn received(
        &mut self,
        now: Instant,
        sequence: u64,
        timestamp: Timestamp,
        clock_hz: u32,
    ) {
        self.received += 1;
        let (first, highest) = self.range.unwrap_or((sequence, sequence));
        self.range = Some((first.min(sequence), highest.max(sequence)));
        let Some((previous_at, previous)) = self.transit else {
            self.transit = Some((now, timestamp));
            return;
        };
        // Packets of one frame share a timestamp and tell nothing about the network's jitter that
        // the first one did not; late ones would tell of a loss instead.
        if timestamp.ahead_of(previous) > 0 {
            let elapsed_us = now.saturating_duration_since(previous_at).as_micros();
            let elapsed = i64::try_from(elapsed_us * u128::from(clock_hz) / 1_000_000);
            let difference = elapsed
                .unwrap_or(i64::MAX)
                .saturating_sub(timestamp.ahead_of(previous).into());
            let difference = u32::try_from(difference.unsigned_abs()).unwrap_or(u32::MAX);
            let decay = (self.jitter_q4 + 8) >> 4;
            self.jitter_q4 = (self.jitter_q4 - decay.min(self.jitter_q4))
                .saturating_add(difference.min(JITTER_STEP_MAX));
            self.transit = Some((now, timestamp));
        }
    }

    /// A packet was restored by retransmission.
    pub(super) fn recovered(&mut self) {
        self.recovered += 1;
    }

    /// Interarrival jitter in milliseconds.
    pub(super) fn jitter_ms(&self, clock_hz: u32) -> f32 {
        self.jitter() as f32 * 1_000.0 / clock_hz as f32
    }

    /// The block for the next report; the share lost counts from the last one. `None` before the
    /// first packet.
    pub(super) fn report(
        &mut self,
        ssrc: u32,
        last_sender_report: u32,
        delay_since_last: u32,
    ) -> Option<ReportBlock> {
        let (_, highest) = self.range?;
        let counts = Counts {
            expected: self.expected(),
            received: self.received,
        };
        let expected = counts.expected - self.reported.expected.min(counts.expected);
        let received = counts.received - self.reported.received;
        self.reported = counts;
        let lost = expected.saturating_sub(received);
        let fraction_lost = (lost * 256).checked_div(expected).unwrap_or(0).min(255);
        let cumulative_lost = i64::try_from(counts.expected).unwrap_or(i64::MAX)
            - i64::try_from(counts.received).unwrap_or(i64::MAX);
        let [.., h0, h1, h2, h3] = highest.to_be_bytes();
        Some(ReportBlock {
            ssrc,
            fraction_lost: u8::try_from(fraction_lost).unwrap_or(u8::MAX),
            cumulative_lost: i32::try_from(cumulative_lost.clamp(-0x80_0000, 0x7f_ffff))
                .unwrap_or_default(),
            highest_sequence: u32::from_be_bytes([h0, h1, h2, h3]),
            jitter: self.jitter(),
            last_sender_report,
            delay_since_last,
        })
    }

    /// Packets expected since the last call, and how many of them are missing in spite of
    /// retransmission.
    pub(super) fn take_interval(&mut self) -> (u64, u64) {
        let counts = Counts {
            expected: self.expected(),
            received: self.received + self.recovered,
        };
        let expected = counts.expected - self.interval.expected.min(counts.expected);
        let received = counts.received - self.interval.received;
        self.interval = counts;
        (expected, expected.saturating_sub(received))
    }

    fn expected(&self) -> u64 {
        self.range.map_or(0, |(first, highest)| highest - first + 1)
    }

    fn jitter(&self) -> u32 {
        self.jitter_q4 >> 4
    }
}

/// A pause in sending is not jitter: more than this many units in one step are cut, a second at
/// 90 kHz.
const JITTER_STEP_MAX: u32 = 90_000;

#[cfg(test)]
mod tests;
