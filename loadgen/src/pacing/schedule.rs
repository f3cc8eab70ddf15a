//! What is due when.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What is due when, on one thread. `T` says what it is; among things due at the same time the
/// smallest comes first.
///
/// Open-loop: whoever takes an entry puts the next one in at its own due time, never at "now plus
/// an interval", so that a late thread catches up and nothing that was due is left out.
#[derive(Clone, Debug)]
pub struct Schedule<T: Ord> {
    entries: BinaryHeap<Reverse<(u64, T)>>,
}

impl<T: Ord> Schedule<T> {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self {
            entries: BinaryHeap::new(),
        }
    }

    /// Adds something that is due at `due_ns`, nanoseconds of the monotonic clock.
    pub fn push(&mut self, due_ns: u64, what: T) {
        self.entries.push(Reverse((due_ns, what)));
    }

    /// When the next thing is due.
    #[must_use]
    pub fn next_due_ns(&self) -> Option<u64> {
        self.entries.peek().map(|Reverse((due_ns, _))| *due_ns)
    }

    /// Takes the next thing that is due at `now_ns` or was before, with when it was due.
    pub fn pop_due(&mut self, now_ns: u64) -> Option<(u64, T)> {
        if self.next_due_ns()? > now_ns {
            return None;
        }
        self.entries.pop().map(|Reverse(entry)| entry)
    }

    /// How many things wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl<T: Ord> Default for Schedule<T> {
    fn default() -> Self {
        Self::new()
    }
}
