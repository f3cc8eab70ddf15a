//! When each transport is due: a heap, so that thousands of idle ones cost nothing between their
//! turns.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

/// Due times of slots. A slot has one due time; setting another replaces it.
#[derive(Debug, Default)]
pub(super) struct Timers {
    /// Earliest first. Holds stale entries too: one counts only if it is what `due` says.
    heap: BinaryHeap<Reverse<(Instant, usize)>>,
    due: Vec<Option<Instant>>,
}

impl Timers {
    /// Sets when `slot` is due.
    pub(super) fn set(&mut self, slot: usize, at: Instant) {
        if self.due.len() <= slot {
            self.due.resize(slot + 1, None);
        }
        if self.due[slot] == Some(at) {
            return;
        }
        self.due[slot] = Some(at);
        self.heap.push(Reverse((at, slot)));
        self.compact();
    }

    /// Forgets `slot`.
    pub(super) fn clear(&mut self, slot: usize) {
        if let Some(due) = self.due.get_mut(slot) {
            *due = None;
        }
        self.drop_stale();
    }

    /// When the first slot is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes a slot that is due at `now`; it has no due time after that.
    pub(super) fn pop(&mut self, now: Instant) -> Option<usize> {
        let Reverse((at, slot)) = *self.heap.peek()?;
        if at > now {
            return None;
        }
        self.heap.pop();
        self.due[slot] = None;
        self.drop_stale();
        Some(slot)
    }

    /// Keeps a counting entry on top, so that `next` is exact.
    fn drop_stale(&mut self) {
        while let Some(Reverse((at, slot))) = self.heap.peek()
            && self.due[*slot] != Some(*at)
        {
            self.heap.pop();
        }
    }

    /// Stale entries are at most as many as slots, so that a busy transport whose due time moves
    /// with each datagram does not grow the heap.
    fn compact(&mut self) {
        if self.heap.len() > 2 * self.due.len() + COMPACT_ABOVE {
            let due = &self.due;
            self.heap
                .retain(|Reverse((at, slot))| due[*slot] == Some(*at));
        }
        self.drop_stale();
    }
}

/// Below this a heap is not worth tidying.
const COMPACT_ABOVE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::tests::support::start;
    use proptest::prelude::*;
    use std::time::Duration;

    #[test]
    fn the_earliest_comes_first_and_a_later_setting_counts() {
        let start = start();
        let at = |ms| start + Duration::from_millis(ms);
        let mut timers = Timers::default();
        timers.set(0, at(30));
        timers.set(1, at(20));
        timers.set(1, at(40));
        assert_eq!(timers.next(), Some(at(30)));
        assert_eq!(timers.pop(at(29)), None);
        assert_eq!(timers.pop(at(50)), Some(0));
        assert_eq!(timers.pop(at(50)), Some(1));
        assert_eq!(timers.pop(at(50)), None);
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn moving_a_due_time_forever_does_not_grow_the_heap() {
        let start = start();
        let mut timers = Timers::default();
        timers.set(1, start);
        for ms in 0..100_000 {
            timers.set(0, start + Duration::from_millis(100_000 - ms));
        }
        assert!(timers.heap.len() <= 2 * 2 + COMPACT_ABOVE + 1);
    }

    proptest! {
        #[test]
        fn equals_a_plain_table(
            steps in prop::collection::vec((0_usize..8, 0_u64..50, 0_u8..3), 0..200)
        ) {
            let start = start();
            let at = |ms: u64| start + Duration::from_millis(ms);
            let mut timers = Timers::default();
            let mut table: [Option<Instant>; 8] = [None; 8];
            for (slot, ms, step) in steps {
                match step {
                    0 => {
                        timers.set(slot, at(ms));
                        table[slot] = Some(at(ms));
                    }
                    1 => {
                        timers.clear(slot);
                        table[slot] = None;
                    }
                    _ => {
                        while let Some(due) = timers.pop(at(ms)) {
                            prop_assert_eq!(table.iter().flatten().min(), table[due].as_ref());
                            prop_assert!(table[due].is_some_and(|due| due <= at(ms)));
                            table[due] = None;
                        }
                        prop_assert!(table.iter().flatten().all(|due| *due > at(ms)));
                    }
                }
                prop_assert_eq!(timers.next(), table.iter().flatten().min().copied());
            }
        }
    }
}
