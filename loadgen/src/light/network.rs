//! Bad networks: what happens to each datagram of a participant, in either direction.

use crate::scenario::Network;
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore as _, SeedableRng as _};

/// The network of one participant.
#[derive(Debug)]
pub(super) struct Impairment {
    network: Network,
    random: ChaCha8Rng,
}

/// What becomes of a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// It never arrives.
    Lost,
    /// It goes on at once.
    AtOnce,
    /// It goes on so many nanoseconds later.
    Later(u64),
}

/// A datagram that is on its way. Of those due at the same time the earlier goes first.
#[derive(PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Delayed {
    /// Counts all that were delayed.
    pub(super) order: u64,
    /// Whose.
    pub(super) participant: usize,
    pub(super) direction: Direction,
    pub(super) datagram: Vec<u8>,
}

/// Which way.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Direction {
    /// To the server.
    Out,
    /// From the server.
    In,
}

impl Impairment {
    pub(super) fn new(network: Network, seed: u64) -> Self {
        Self {
            network,
            random: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// What becomes of the next datagram.
    pub(super) fn fate(&mut self) -> Fate {
        if self.share() < self.network.loss {
            return Fate::Lost;
        }
        if self.share() < self.network.reorder {
            return Fate::AtOnce;
        }
        let jitter = self.network.jitter.mul_f64(self.share());
        match super::fleet::nanoseconds(self.network.delay + jitter) {
            0 => Fate::AtOnce,
            delay_ns => Fate::Later(delay_ns),
        }
    }

    /// Evenly from 0 to just below 1.
    fn share(&mut self) -> f64 {
        f64::from(self.random.next_u32()) / (f64::from(u32::MAX) + 1.0)
    }
}

#[cfg(test)]
mod tests;
