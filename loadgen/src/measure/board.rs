//! Where all generator threads report to.

use super::{Histogram, Measurements, Second};
use std::sync::{Mutex, MutexGuard, PoisonError};

const SECOND_NS: u64 = 1_000_000_000;

/// What all generator threads measured. Shared by `Arc`.
#[derive(Debug)]
pub struct Board {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// All but the seconds.
    total: Measurements,
    started_ns: u64,
    /// Complete seconds.
    seconds: Vec<Second>,
    /// The second that reports are added to.
    current: Second,
    current_latency: Histogram,
}

impl Inner {
    fn new(started_ns: u64) -> Self {
        Self {
            total: Measurements::default(),
            started_ns,
            seconds: Vec::new(),
            current: Second::default(),
            current_latency: Histogram::new(),
        }
    }

    fn current(&self) -> Second {
        Second {
            latency_p50_ns: self.current_latency.quantile_ns(0.5),
            latency_p99_ns: self.current_latency.quantile_ns(0.99),
            latency_max_ns: self.current_latency.max_ns(),
            ..self.current
        }
    }
}

impl Board {
    /// An empty board; its seconds count from `now_ns`, nanoseconds of the monotonic clock.
    #[must_use]
    pub fn new(now_ns: u64) -> Self {
        Self {
            inner: Mutex::new(Inner::new(now_ns)),
        }
    }

    /// Everything so far.
    #[must_use]
    pub fn snapshot(&self) -> Measurements {
        let inner = self.lock();
        let mut snapshot = inner.total.clone();
        snapshot.seconds = inner.seconds.clone();
        snapshot.seconds.push(inner.current());
        snapshot
    }

    /// Forgets everything so far, at the end of the warm-up; seconds count from `now_ns` again.
    /// What a recorder measured before and reports after still counts: a second's worth at most.
    pub fn reset(&self, now_ns: u64) {
        *self.lock() = Inner::new(now_ns);
    }

    /// Adds a recorder's report, and says when the next one is due: in the middle of each second,
    /// so that every second has one.
    pub(super) fn take(&self, report: &Measurements, now_ns: u64) -> u64 {
        let mut inner = self.lock();
        let inner = &mut *inner;
        let at_s = now_ns.saturating_sub(inner.started_ns) / SECOND_NS;
        if at_s > inner.current.at_s {
            let complete = inner.current();
            inner.seconds.push(complete);
            inner.current = Second {
                at_s,
                ..Second::default()
            };
            inner.current_latency.clear();
        }
        inner.current.sent += report.packets_sent;
        inner.current.received += report.packets_received;
        inner.current.lost += report.lost();
        inner.current.joined += report.joined;
        inner.current_latency.add(&report.audio_latency);
        inner.current_latency.add(&report.video_latency);
        inner.total.add(report);
        inner.started_ns + (at_s + 1) * SECOND_NS + SECOND_NS / 2
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Counters stay usable whatever a reporting thread died of.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
