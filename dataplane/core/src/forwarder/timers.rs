//! What is due when: one heap for the worker, at most a few entries for each room, peer and track.

use super::Handle;
use super::peer::Peer;
use super::publisher::Track;
use super::room::Room;
use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::time::Instant;

/// Whose time has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Timer {
    Room(Handle<Room>),
    Peer(Handle<Peer>),
    Track(Handle<Track>),
}

/// What each room, peer and track keeps: the earliest time that it will be woken at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Armed(Option<Instant>);

impl Armed {
    /// Whether a wake-up at `at` is meant; others are of times that were brought forward since.
    pub(super) fn fires(&mut self, at: Instant) -> bool {
        let fires = self.0 == Some(at);
        if fires {
            self.0 = None;
        }
        fires
    }
}

/// The heap. A time that was brought forward leaves its old entry behind, to be ignored.
#[derive(Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Entry>,
    armed_count: u64,
}

impl Timers {
    /// Wakes `timer` at `at`, unless it will be woken before that anyway.
    pub(super) fn arm(&mut self, armed: &mut Armed, timer: Timer, at: Option<Instant>) {
        let Some(at) = at else {
            return;
        };
        if armed.0.is_none_or(|sooner| at < sooner) {
            armed.0 = Some(at);
            self.armed_count += 1;
            self.heap.push(Entry {
                at,
                order: self.armed_count,
                timer,
            });
        }
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|entry| entry.at)
    }

    /// The next wake-up that is due, with the time that it was armed for.
    pub(super) fn due(&mut self, now: Instant) -> Option<(Instant, Timer)> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|entry| (entry.at, entry.timer))
    }
}

struct Entry {
    at: Instant,
    /// Equal times fire in the order of their arming, so that a run replays.
    order: u64,
    timer: Timer,
}

impl Ord for Entry {
    /// The heap gives out its greatest entry: the earliest.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}
