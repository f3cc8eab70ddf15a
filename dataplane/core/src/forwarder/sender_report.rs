//! The relation between a stream's timestamps and its sender's clock, as sender reports give it.
//!
//! Subscribers are told the publisher's own clock: audio and video of one publisher share it, so
//! that lip synchronisation and abs-capture-time hold end to end, whatever our clock says.

use crate::rtp::Timestamp;
use std::time::Instant;

/// The last sender report of one layer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct SenderClock {
    /// NTP time on the sender's clock.
    pub(super) ntp: u64,
    /// The same instant in the layer's units.
    pub(super) timestamp: Timestamp,
    /// When the report arrived.
    pub(super) arrived: Instant,
}

impl SenderClock {
    /// NTP time and timestamp at `now`, had the sender reported then.
    pub(super) fn at(&self, now: Instant, clock_hz: u32) -> (u64, Timestamp) {
        let elapsed = now.saturating_duration_since(self.arrived);
        let elapsed_ntp = ntp_units(elapsed.as_micros());
        let units = scale(elapsed_ntp.into(), clock_hz);
        (
            self.ntp.wrapping_add(elapsed_ntp),
            self.timestamp.offset_by(units),
        )
    }

    /// The instant that `timestamp` names in this layer's units, in those of `other`, a layer of
    /// the same sender.
    pub(super) fn translate(&self, timestamp: Timestamp, other: &Self, clock_hz: u32) -> Timestamp {
        let apart = self.ntp.wrapping_sub(other.ntp).cast_signed();
        other
            .timestamp
            .offset_by(timestamp.ahead_of(self.timestamp))
            .offset_by(scale(apart.into(), clock_hz))
    }

    /// What a receiver report refers to it by: the middle 32 bits of its NTP time (RFC 3550
    /// §6.4.1).
    pub(super) fn middle(&self) -> u32 {
        middle_of(self.ntp)
    }
}

/// The middle 32 bits of an NTP time.
pub(super) fn middle_of(ntp: u64) -> u32 {
    let [_, _, b0, b1, b2, b3, _, _] = ntp.to_be_bytes();
    u32::from_be_bytes([b0, b1, b2, b3])
}

/// Microseconds in units of 1/65,536 s, as the delay of a report block.
pub(super) fn delay_units(us: u128) -> u32 {
    u32::try_from((us << 16) / 1_000_000).unwrap_or(u32::MAX)
}

/// Units of 1/65,536 s in microseconds.
pub(super) fn delay_us(units: u32) -> u64 {
    (u64::from(units) * 1_000_000) >> 16
}

/// Microseconds in units of 2^-32 s.
fn ntp_units(us: u128) -> u64 {
    u64::try_from((us << 32) / 1_000_000).unwrap_or(u64::MAX)
}

/// Units of 2^-32 s in units of a clock, rounded to the nearest, modulo 2^32.
fn scale(ntp_units: i128, clock_hz: u32) -> i32 {
    let units = (ntp_units * i128::from(clock_hz) + (1 << 31)) >> 32;
    let [.., b0, b1, b2, b3] = units.to_be_bytes();
    i32::from_be_bytes([b0, b1, b2, b3])
}

#[cfg(test)]
mod tests;
