//! The one place that reads clocks, so that tests can move them.

use std::fmt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The wall clock and the monotonic clock.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Microseconds since the Unix epoch.
    fn wall_us(&self) -> u64;
    /// Since some moment in the past; never goes back.
    fn monotonic(&self) -> Duration;
}

/// The system's clocks.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// Reads the monotonic clock for the first time.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads clocks")]
    #[must_use]
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads clocks")]
    fn wall_us(&self) -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| {
                u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
            })
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

/// Tells when the wall clock is moved: by how much it runs against the monotonic one.
#[derive(Debug)]
pub(crate) struct StepDetector {
    /// Wall minus monotonic at the last look, microseconds.
    offset_us: i128,
}

impl StepDetector {
    pub(crate) fn new(clock: &dyn Clock) -> Self {
        Self {
            offset_us: Self::offset(clock),
        }
    }

    /// By how many microseconds the wall clock was moved since the last look, if that is at least
    /// `least`. Slewing goes on all the time and is none.
    pub(crate) fn look(&mut self, clock: &dyn Clock, least: Duration) -> Option<i128> {
        let offset_us = Self::offset(clock);
        let moved_us = offset_us - self.offset_us;
        self.offset_us = offset_us;
        (moved_us.unsigned_abs() >= least.as_micros()).then_some(moved_us)
    }

    fn offset(clock: &dyn Clock) -> i128 {
        let monotonic_us = i128::try_from(clock.monotonic().as_micros()).unwrap_or(i128::MAX);
        i128::from(clock.wall_us()) - monotonic_us
    }
}
