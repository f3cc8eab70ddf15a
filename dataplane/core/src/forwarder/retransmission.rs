//! Answering a subscriber's NACKs: which packets, and how many at most.

use super::Handle;
use super::subscriber::Subscription;
use crate::limits::{RESEND_BYTES_BURST, RESEND_INTERVAL_MIN, RESENDS_REMEMBERED};
use std::time::{Duration, Instant};

/// A packet to be sent again, by the subscriber's number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Resend {
    pub(super) subscription: Handle<Subscription>,
    pub(super) out: u64,
}

/// Bytes that may be retransmitted to a peer: a bucket that refills.
pub(super) struct ResendBudget {
    bytes: u64,
    filled: Option<Instant>,
}

impl Default for ResendBudget {
    fn default() -> Self {
        Self {
            bytes: RESEND_BYTES_BURST,
            filled: None,
        }
    }
}

impl ResendBudget {
    /// Takes `bytes` out, if they are there. It refills with `rate` bytes a second, and holds at most
    /// a second of it.
    pub(super) fn take(&mut self, now: Instant, bytes: usize, rate: u64) -> bool {
        let since = *self.filled.get_or_insert(now);
        let elapsed_us = now.saturating_duration_since(since).as_micros();
        let refill = u64::try_from(elapsed_us)
            .unwrap_or(u64::MAX)
            .saturating_mul(rate)
            / 1_000_000;
        if refill > 0 {
            self.bytes = self.bytes.saturating_add(refill);
            self.filled = Some(now);
        }
        self.bytes = self.bytes.min(RESEND_BYTES_BURST.min(rate));
        match u64::try_from(bytes)
            .ok()
            .and_then(|bytes| self.bytes.checked_sub(bytes))
        {
            Some(left) => {
                self.bytes = left;
                true
            }
            None => false,
        }
    }
}

/// Which packets of a subscription were sent again lately.
#[derive(Default)]
pub(super) struct RecentResends {
    /// Ring by number; empty before the first one.
    recent: Vec<Option<(u64, Instant)>>,
}

impl RecentResends {
    /// Whether `out` may be sent again now; then it counts as sent. A client asks again after a
    /// round trip: what comes sooner was asked before the answer could arrive.
    pub(super) fn admit(&mut self, now: Instant, out: u64, round_trip: Option<Duration>) -> bool {
        if self.recent.is_empty() {
            self.recent.resize(RESENDS_REMEMBERED, None);
        }
        let pause = (round_trip.unwrap_or_default() / 2).max(RESEND_INTERVAL_MIN);
        let index = usize::try_from(out).unwrap_or_default() % RESENDS_REMEMBERED;
        let slot = &mut self.recent[index];
        if slot.is_some_and(|(sent, at)| sent == out && now < at + pause) {
            return false;
        }
        *slot = Some((out, now));
        true
    }
}

#[cfg(test)]
mod tests;
