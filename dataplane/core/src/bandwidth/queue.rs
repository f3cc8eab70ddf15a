//! How long packets wait on the path: their one-way delay above the least one seen lately.

/// The queue, from delays on two clocks whose difference does not matter.
#[derive(Debug)]
pub(super) struct Queue {
    /// Least delay of each of the last seconds, a ring; `i64::MAX` where nothing arrived.
    least_us: [i64; SECONDS],
    second: u64,
    /// Least and last delay within the latest feedback.
    standing_us: i64,
    last_us: i64,
    /// When the last packet arrived that had met no queue.
    idle_at_us: i64,
}

impl Queue {
    pub(super) fn new() -> Self {
        Self {
            least_us: [i64::MAX; SECONDS],
            second: 0,
            standing_us: i64::MAX,
            last_us: i64::MAX,
            idle_at_us: i64::MIN,
        }
    }

    /// A feedback begins.
    pub(super) fn begin(&mut self) {
        self.standing_us = i64::MAX;
    }

    /// A packet has arrived; in the order of sending.
    pub(super) fn arrived(&mut self, sent_us: u64, arrival_us: i64) {
        let delay_us = arrival_us.saturating_sub_unsigned(sent_us);
        let second = sent_us / 1_000_000;
        if second > self.second {
            let passed = second - self.second;
            for step in 0..passed.min(SECONDS as u64) {
                *self.bucket(second - step) = i64::MAX;
            }
            self.second = second;
        }
        let least = self.bucket(self.second);
        *least = (*least).min(delay_us);
        self.standing_us = self.standing_us.min(delay_us);
        self.last_us = delay_us;
        if delay_us <= self.base_us().saturating_add(IDLE_US) {
            self.idle_at_us = arrival_us;
        }
    }

    /// What every packet of the latest feedback waited at least, seconds: jitter does not raise it.
    pub(super) fn standing_s(&self) -> f64 {
        self.above_base_s(self.standing_us)
    }

    /// What the last packet waited, seconds.
    pub(super) fn last_s(&self) -> f64 {
        self.above_base_s(self.last_us)
    }

    /// Since when every packet has met a queue, on the receiver's clock.
    pub(super) fn busy_since_us(&self) -> i64 {
        self.idle_at_us
    }

    /// The delay that is seen now is the path's own: it has changed.
    pub(super) fn rebase(&mut self) {
        let standing_us = self.standing_us;
        self.least_us = [i64::MAX; SECONDS];
        *self.bucket(self.second) = standing_us;
    }

    fn bucket(&mut self, second: u64) -> &mut i64 {
        let index = usize::try_from(second % SECONDS as u64).unwrap_or_default();
        &mut self.least_us[index]
    }

    fn base_us(&self) -> i64 {
        self.least_us.iter().copied().min().unwrap_or(i64::MAX)
    }

    fn above_base_s(&self, delay_us: i64) -> f64 {
        if delay_us == i64::MAX {
            return 0.0;
        }
        delay_us.saturating_sub(self.base_us()).max(0) as f64 / 1e6
    }
}

/// How long a delay counts as the path's own: long enough that a queue which we drain now and then
/// is seen empty in it, short enough for clocks that drift (100 ppm are 1 ms).
const SECONDS: usize = 10;

/// A packet that waited less has met no queue.
const IDLE_US: i64 = 4_000;
