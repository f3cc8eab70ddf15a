//! When to ask for a key frame on one layer: at once, then not again until the throttle allows and
//! only while there is none.

use crate::limits::KEY_FRAME_REQUEST_INTERVAL;
use std::time::Instant;

#[derive(Default)]
pub(super) struct KeyFrameRequests {
    wanted: bool,
    asked: Option<Instant>,
    /// Requests that were made, modulo 256.
    count: u8,
}

impl KeyFrameRequests {
    /// Somebody cannot decode until there is one.
    pub(super) fn request(&mut self) {
        self.wanted = true;
    }

    /// One begins, or nobody waits any more.
    pub(super) fn settle(&mut self) {
        self.wanted = false;
    }

    /// When to ask.
    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        self.wanted.then(|| {
            self.asked
                .map_or(now, |asked| (asked + KEY_FRAME_REQUEST_INTERVAL).max(now))
        })
    }

    /// Whether to ask now; then it counts as done.
    pub(super) fn take_due(&mut self, now: Instant) -> bool {
        let due = self.next(now).is_some_and(|next| next <= now);
        if due {
            self.asked = Some(now);
            self.count = self.count.wrapping_add(1);
        }
        due
    }

    /// Numbers the last request, for those that are told apart by it (RFC 5104 §4.3.1.1). Each has
    /// a number of its own, also where the last one was not answered: the throttle is longer than
    /// a round trip, so the key frame that answered it may be what was lost.
    pub(super) fn command(&self) -> u8 {
        self.count
    }
}

#[cfg(test)]
mod tests;
