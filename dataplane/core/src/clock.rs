//! Wall-clock times computed from the monotonic instants that are passed in.

use std::time::{Duration, Instant};

/// One pair of simultaneous readings, made once by the worker. Every wall-clock time that the
/// core needs (sender reports, events) is counted from it, so that the core never reads a clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Clock {
    /// The monotonic reading.
    pub instant: Instant,
    /// Microseconds since the Unix epoch at that instant.
    pub unix_us: u64,
}

impl Clock {
    /// Microseconds since the Unix epoch at `now`; an instant before the anchor counts as the
    /// anchor.
    #[must_use]
    pub fn unix_us_at(&self, now: Instant) -> u64 {
        let elapsed_us = now.saturating_duration_since(self.instant).as_micros();
        self.unix_us
            .saturating_add(u64::try_from(elapsed_us).unwrap_or(u64::MAX))
    }

    /// The NTP timestamp at `now`: seconds since 1900 in the upper 32 bits, fractions of a second
    /// in the lower 32 (RFC 3550 §4). Wraps in 2036 as the format does.
    #[must_use]
    pub fn ntp_at(&self, now: Instant) -> u64 {
        let since_unix = Duration::from_micros(self.unix_us_at(now));
        let seconds = since_unix.as_secs().wrapping_add(UNIX_EPOCH_IN_NTP_S);
        let fraction = (u64::from(since_unix.subsec_nanos()) << 32) / 1_000_000_000;
        (seconds << 32) | fraction
    }
}

/// Seconds from 1900-01-01 to 1970-01-01 (RFC 868).
const UNIX_EPOCH_IN_NTP_S: u64 = 2_208_988_800;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::tests::support::start;

    #[test]
    fn times_count_from_the_anchor() {
        let anchor = start();
        let clock = Clock {
            instant: anchor,
            unix_us: 1_500_000,
        };
        let later = anchor + Duration::from_millis(750);
        assert_eq!(clock.unix_us_at(later), 2_250_000);
        assert_eq!(clock.ntp_at(later) >> 32, UNIX_EPOCH_IN_NTP_S + 2);
        assert_eq!(clock.ntp_at(later) & 0xffff_ffff, 1 << 30);
    }

    #[test]
    fn an_instant_before_the_anchor_is_the_anchor() {
        let early = start();
        let clock = Clock {
            instant: early + Duration::from_secs(1),
            unix_us: 7,
        };
        assert_eq!(clock.unix_us_at(early), 7);
    }
}
