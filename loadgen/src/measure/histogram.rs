//! Durations, counted by value.

use std::time::Duration;

/// A histogram of durations in nanoseconds, 1 ns to [`Histogram::MAX`], exact to three significant
/// digits (an HDR histogram). Longer values count as the longest.
#[derive(Clone, Debug)]
pub struct Histogram(hdrhistogram::Histogram<u64>);

impl Histogram {
    /// The longest value that is told from longer ones: whoever waits for a minute has left.
    pub const MAX: Duration = Duration::from_secs(60);

    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        let max_ns = Self::MAX.as_secs() * 1_000_000_000;
        let inner = hdrhistogram::Histogram::new_with_bounds(1, max_ns, 3);
        Self(inner.expect("1 is positive, the maximum more than twice it, 3 a number of digits"))
    }

    /// Counts one value, in nanoseconds.
    pub fn record_ns(&mut self, value_ns: u64) {
        self.0.saturating_record(value_ns.max(1));
    }

    /// Counts one value.
    pub fn record(&mut self, value: Duration) {
        self.record_ns(u64::try_from(value.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Adds all values of another one.
    pub fn add(&mut self, other: &Self) {
        if !other.is_empty() {
            self.0.add(&other.0).expect("both have the same bounds");
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        if !self.is_empty() {
            self.0.reset();
        }
    }

    /// How many values.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value in nanoseconds that `quantile` (0.0 to 1.0) of all values do not exceed; 0 when
    /// there are none.
    #[must_use]
    pub fn quantile_ns(&self, quantile: f64) -> u64 {
        self.0.value_at_quantile(quantile)
    }

    /// The same as a duration.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Duration {
        Duration::from_nanos(self.quantile_ns(quantile))
    }

    /// The greatest value in nanoseconds; 0 when there are none.
    #[must_use]
    pub fn max_ns(&self) -> u64 {
        self.0.max()
    }

    /// The mean in nanoseconds; 0 when there are none.
    #[must_use]
    pub fn mean_ns(&self) -> f64 {
        self.0.mean()
    }

    /// Every value that occurs, in nanoseconds and ascending, with how often it does.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.0
            .iter_recorded()
            .map(|step| (step.value_iterated_to(), step.count_at_value()))
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}
