//! Shares out processor time to handshakes, so that people who join do not make those wait who
//! are talking.
//!
//! A call works on a few handshake datagrams at most. What else there is waits, in order, and is
//! due at once: the worker comes back as soon as it has looked after its media.

use super::limits::{HANDSHAKE_STEPS_PER_CALL, HANDSHAKES_WAITING_MAX};
use crate::Path;
use std::collections::VecDeque;
use std::time::Instant;

/// Handshake datagrams that wait, and how many may still be worked on in this call.
#[derive(Debug, Default)]
pub(super) struct Handshakes {
    waiting: VecDeque<Waiting>,
    steps_left: usize,
}

#[derive(Debug)]
struct Waiting {
    since: Instant,
    path: Path,
    datagram: Vec<u8>,
}

impl Handshakes {
    /// Begins a call.
    pub(super) fn begin(&mut self) {
        self.steps_left = HANDSHAKE_STEPS_PER_CALL;
    }

    /// Whether a datagram that has just come may be worked on now. It counts if so.
    pub(super) fn may_step(&mut self) -> bool {
        let may = self.waiting.is_empty() && self.steps_left > 0;
        self.steps_left -= usize::from(may);
        may
    }

    /// Keeps a datagram for later. Tells whether there was room.
    pub(super) fn keep(&mut self, now: Instant, path: Path, datagram: &[u8]) -> bool {
        let has_room = self.waiting.len() < HANDSHAKES_WAITING_MAX;
        if has_room {
            self.waiting.push_back(Waiting {
                since: now,
                path,
                datagram: datagram.to_vec(),
            });
        }
        has_room
    }

    /// The next one to work on in this call. It counts.
    pub(super) fn next(&mut self) -> Option<(Path, Vec<u8>)> {
        self.steps_left = self.steps_left.checked_sub(1)?;
        let waiting = self.waiting.pop_front()?;
        Some((waiting.path, waiting.datagram))
    }

    /// When the first one is due: since it came.
    pub(super) fn due(&self) -> Option<Instant> {
        self.waiting.front().map(|first| first.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::tests::support::{server_address, start};

    fn path() -> Path {
        Path {
            local: server_address(),
            remote: server_address(),
        }
    }

    #[test]
    fn a_call_works_on_a_few_and_the_rest_keeps_its_order() {
        let now = start();
        let mut handshakes = Handshakes::default();
        assert!(!handshakes.may_step(), "no call has begun");
        handshakes.begin();
        for _ in 0..HANDSHAKE_STEPS_PER_CALL {
            assert!(handshakes.may_step());
        }
        assert!(!handshakes.may_step());
        for number in 0..10 {
            assert!(handshakes.keep(now, path(), &[number]));
        }
        assert_eq!(handshakes.due(), Some(now));

        let mut order = Vec::new();
        while handshakes.due().is_some() {
            handshakes.begin();
            assert!(!handshakes.may_step(), "those who wait come first");
            let before = order.len();
            while let Some((_, datagram)) = handshakes.next() {
                order.extend(datagram);
            }
            assert!(order.len() - before <= HANDSHAKE_STEPS_PER_CALL);
        }
        assert_eq!(order, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn what_waits_is_bounded() {
        let now = start();
        let mut handshakes = Handshakes::default();
        for _ in 0..HANDSHAKES_WAITING_MAX {
            assert!(handshakes.keep(now, path(), &[0]));
        }
        assert!(!handshakes.keep(now, path(), &[0]));
    }
}
