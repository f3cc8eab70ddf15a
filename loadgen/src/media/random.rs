//! What is drawn at random in media, all from one seed.

use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore as _, SeedableRng as _};

/// A seeded source of random numbers.
#[derive(Clone, Debug)]
pub(super) struct Random(ChaCha8Rng);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    pub(super) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    pub(super) fn word(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// Evenly from 0 to just below 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    pub(super) fn share(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Evenly from `min` to `max`.
    pub(super) fn between(&mut self, min: f64, max: f64) -> f64 {
        min + (max - min) * self.share()
    }

    /// Evenly from `min` to `max`, both included.
    #[expect(clippy::cast_possible_truncation, reason = "no more than `max`")]
    pub(super) fn integer(&mut self, min: u16, max: u16) -> u16 {
        let span = u64::from(max.saturating_sub(min)) + 1;
        min + (self.bits() % span) as u16
    }

    /// Log-normal with this mean; `sigma` is the standard deviation of the logarithm.
    pub(super) fn log_normal(&mut self, mean: f64, sigma: f64) -> f64 {
        let radius = (-2.0 * (1.0 - self.share()).ln()).sqrt();
        let normal = radius * (std::f64::consts::TAU * self.share()).cos();
        (mean.ln() - sigma * sigma / 2.0 + sigma * normal).exp()
    }

    /// Exponential with this mean.
    pub(super) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.share()).ln()
    }
}
