//! One direction of a participant's network: loss, delay, jitter and reordering, from a seed.

use super::limits;
use crate::scenario::Network;
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore as _, SeedableRng as _};
use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Datagrams on their way in one direction.
pub(super) struct Link<T> {
    network: Network,
    random: ChaCha8Rng,
    waiting: BinaryHeap<Waiting<T>>,
    /// When the last one that keeps its place arrives.
    last_ns: u64,
    admitted: u64,
}

struct Waiting<T> {
    at_ns: u64,
    /// Among those that arrive together, the order in which they came.
    number: u64,
    datagram: T,
}

impl<T> Link<T> {
    pub(super) fn new(network: Network, seed: u64) -> Self {
        Self {
            network,
            random: ChaCha8Rng::seed_from_u64(seed),
            waiting: BinaryHeap::new(),
            last_ns: 0,
            admitted: 0,
        }
    }

    /// Whether datagrams arrive as they are sent.
    pub(super) fn is_perfect(&self) -> bool {
        self.network.is_perfect()
    }

    /// Takes a datagram: it is lost, or comes out of [`pop_due`](Self::pop_due) some time.
    pub(super) fn admit(&mut self, now_ns: u64, datagram: T) {
        if self.happens(self.network.loss) || self.waiting.len() >= limits::LINK_DATAGRAMS_MAX {
            return;
        }
        let overtakes = self.happens(self.network.reorder);
        let at_ns = match (overtakes, self.waiting.is_empty()) {
            // Past those that wait.
            (true, false) => now_ns,
            // Nothing waits: the next ones go past it.
            (true, true) => now_ns + limits::OVERTAKEN_NS,
            (false, _) => {
                let jitter_ns = self.up_to(nanoseconds(self.network.jitter));
                let at_ns = now_ns + nanoseconds(self.network.delay) + jitter_ns;
                self.last_ns = self.last_ns.max(at_ns);
                self.last_ns
            }
        };
        self.admitted += 1;
        self.waiting.push(Waiting {
            at_ns,
            number: self.admitted,
            datagram,
        });
    }

    /// The next datagram that has arrived.
    pub(super) fn pop_due(&mut self, now_ns: u64) -> Option<T> {
        if self.next_due_ns()? > now_ns {
            return None;
        }
        self.waiting.pop().map(|waiting| waiting.datagram)
    }

    /// When the next datagram arrives.
    pub(super) fn next_due_ns(&self) -> Option<u64> {
        self.waiting.peek().map(|waiting| waiting.at_ns)
    }

    fn happens(&mut self, share: f64) -> bool {
        share > 0.0 && f64::from(self.random.next_u32()) < share * f64::from(u32::MAX)
    }

    fn up_to(&mut self, limit_ns: u64) -> u64 {
        match limit_ns {
            0 => 0,
            limit_ns => self.random.next_u64() % (limit_ns + 1),
        }
    }
}

fn nanoseconds(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// The heap's greatest is the first to arrive.
impl<T> Ord for Waiting<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at_ns, other.number).cmp(&(self.at_ns, self.number))
    }
}

impl<T> PartialOrd for Waiting<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Waiting<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T> Eq for Waiting<T> {}
