//! One direction of a network path.

use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};
use std::time::{Duration, Instant};

/// What a network does to packets.
#[derive(Clone, Copy, Debug, Default)]
pub struct Impairment {
    /// Time that every packet takes.
    pub delay: Duration,
    /// Time that a packet takes in addition, evenly from zero: packets overtake each other.
    pub jitter: Duration,
    /// Share of packets that never arrive, 0.0 to 1.0.
    pub loss: f64,
    /// Share of packets that arrive twice, 0.0 to 1.0.
    pub duplication: f64,
}

/// A seeded path.
#[derive(Debug)]
pub struct Link {
    impairment: Impairment,
    random: ChaCha8Rng,
}

impl Link {
    /// A path whose fate is decided by `seed`.
    #[must_use]
    pub fn new(impairment: Impairment, seed: u64) -> Self {
        Self {
            impairment,
            random: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// When a packet that leaves at `now` arrives: never, once, or twice.
    pub fn arrivals(&mut self, now: Instant) -> impl Iterator<Item = Instant> + use<> {
        // Drawn whatever happens, so that one packet's fate does not shift the others'.
        let (lost, doubled) = (self.share(), self.share());
        let (first, second) = (self.share(), self.share());
        let Impairment {
            delay,
            jitter,
            loss,
            duplication,
        } = self.impairment;
        let at = move |share: f64| now + delay + jitter.mul_f64(share);
        let first = (lost >= loss).then(|| at(first));
        let second = (lost >= loss && doubled < duplication).then(|| at(second));
        first.into_iter().chain(second)
    }

    /// Evenly from 0.0 to 1.0.
    fn share(&mut self) -> f64 {
        f64::from(self.random.next_u32()) / f64::from(u32::MAX)
    }
}
