//! The one place that reads a clock.

use bedside_rooms::Time;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// Wall-clock time that never goes back and never jumps: read once at start, then moved on by
/// the monotonic clock, so that a correction of the system's clock ends no call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started: Instant,
    started_us: u64,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self {
            started: Instant::now(),
            started_us: u64::try_from(since_epoch().as_micros()).unwrap_or(u64::MAX),
        }
    }

    pub(crate) fn now(&self) -> Time {
        let elapsed_us = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        Time(self.started_us.saturating_add(elapsed_us))
    }

    /// When `time` is, for the runtime's timers.
    pub(crate) fn instant(&self, time: Time) -> Instant {
        let after = Duration::from_micros(time.0.saturating_sub(self.started_us));
        let far = Duration::from_secs(86_400);
        let latest = self.started.elapsed() + far;
        self.started + after.min(latest)
    }
}

/// The system's wall clock, for what is compared with other machines: tokens and certificates.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads a clock"
)]
pub(crate) fn since_epoch() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// The same, whole microseconds: for records.
pub(crate) fn now_us() -> u64 {
    u64::try_from(since_epoch().as_micros()).unwrap_or(u64::MAX)
}

/// The same, whole seconds: for what the database keeps.
pub(crate) fn now_s() -> i64 {
    i64::try_from(since_epoch().as_secs()).unwrap_or(i64::MAX)
}
