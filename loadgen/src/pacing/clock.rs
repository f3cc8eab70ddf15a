//! The host's monotonic clock.

use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};

/// The host's monotonic clock (`CLOCK_MONOTONIC`), as nanoseconds that mean the same in every
/// process on the host, and as the `Instant`s that str0m wants.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: Instant,
    origin_ns: u64,
}

impl Clock {
    /// Reads both views of the clock once, so that one can be told from the other.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is where the generator reads the clock"
    )]
    pub fn new() -> Self {
        // Whatever passes between the two readings (some 30 ns) is a constant error.
        Self {
            origin: Instant::now(),
            origin_ns: Self::now_ns(),
        }
    }

    /// Now, in nanoseconds.
    #[must_use]
    pub fn now_ns() -> u64 {
        let time = clock_gettime(ClockId::Monotonic);
        time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs()
    }

    /// A time of [`now_ns`](Self::now_ns) as an `Instant`.
    #[must_use]
    pub fn instant(&self, at_ns: u64) -> Instant {
        match at_ns.checked_sub(self.origin_ns) {
            Some(after) => self.origin + Duration::from_nanos(after),
            None => {
                let before = Duration::from_nanos(self.origin_ns - at_ns);
                self.origin.checked_sub(before).unwrap_or(self.origin)
            }
        }
    }

    /// An `Instant` as nanoseconds of the same clock.
    #[must_use]
    pub fn nanoseconds(&self, at: Instant) -> u64 {
        let between = |later: Instant, earlier: Instant| {
            u64::try_from((later - earlier).as_nanos()).unwrap_or(u64::MAX)
        };
        if at >= self.origin {
            self.origin_ns.saturating_add(between(at, self.origin))
        } else {
            self.origin_ns.saturating_sub(between(self.origin, at))
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}
