//! Does a queue grow? Delay gradients between groups of packets, their trend, and a threshold that
//! adapts (draft-ietf-rmcat-gcc-02 §5; the trend as a least-squares slope instead of its Kalman
//! filter, which is what its authors' later versions do).

/// What the trend says about the path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Usage {
    /// A queue grows.
    Over,
    /// Neither.
    Normal,
    /// A queue drains.
    Under,
}

/// Groups, their trend and the detector.
#[derive(Debug)]
pub(super) struct Trend {
    previous: Option<Group>,
    current: Option<Group>,
    /// (arrival, smoothed accumulated delay), milliseconds; a ring of [`WINDOW`].
    samples: [(f64, f64); WINDOW],
    count: usize,
    accumulated_ms: f64,
    smoothed_ms: f64,
    threshold_ms: f64,
    threshold_at_ms: Option<f64>,
    over_for_ms: f64,
    over_samples: u32,
    last_trend: f64,
    usage: Usage,
}

/// Packets that left in one burst.
#[derive(Clone, Copy, Debug)]
struct Group {
    first_sent_us: u64,
    last_sent_us: u64,
    last_arrival_us: i64,
}

impl Trend {
    pub(super) fn new() -> Self {
        Self {
            previous: None,
            current: None,
            samples: [(0.0, 0.0); WINDOW],
            count: 0,
            accumulated_ms: 0.0,
            smoothed_ms: 0.0,
            threshold_ms: THRESHOLD_START_MS,
            threshold_at_ms: None,
            over_for_ms: 0.0,
            over_samples: 0,
            last_trend: 0.0,
            usage: Usage::Normal,
        }
    }

    pub(super) fn usage(&self) -> Usage {
        self.usage
    }

    /// A packet has arrived; in the order of sending.
    pub(super) fn arrived(&mut self, sent_us: u64, arrival_us: i64) {
        let Some(group) = &mut self.current else {
            self.current = Some(Group::of(sent_us, arrival_us));
            return;
        };
        if sent_us < group.first_sent_us {
            return;
        }
        if group.takes(sent_us, arrival_us) {
            group.last_sent_us = sent_us;
            group.last_arrival_us = group.last_arrival_us.max(arrival_us);
            return;
        }
        let group = *group;
        if let Some(previous) = self.previous {
            self.gradient(previous, group);
        }
        self.previous = Some(group);
        self.current = Some(Group::of(sent_us, arrival_us));
    }

    /// A gap in sending or in arriving says nothing about a queue: begin anew.
    fn restart(&mut self) {
        self.count = 0;
        self.accumulated_ms = 0.0;
        self.smoothed_ms = 0.0;
        self.over_samples = 0;
        self.over_for_ms = 0.0;
        self.usage = Usage::Normal;
    }

    fn gradient(&mut self, previous: Group, group: Group) {
        let sent_ms = ms(i64::try_from(group.last_sent_us - previous.last_sent_us).unwrap_or(0));
        let arrived_ms = ms(group
            .last_arrival_us
            .saturating_sub(previous.last_arrival_us));
        if !(0.0..GAP_MS).contains(&arrived_ms) || sent_ms > GAP_MS {
            self.restart();
            return;
        }
        self.accumulated_ms += arrived_ms - sent_ms;
        self.smoothed_ms = SMOOTHING * self.smoothed_ms + (1.0 - SMOOTHING) * self.accumulated_ms;
        let arrival_ms = ms(group.last_arrival_us);
        if let Some(place) = self.samples.get_mut(self.count % WINDOW) {
            *place = (arrival_ms, self.smoothed_ms);
        }
        self.count += 1;
        if self.count >= WINDOW {
            let trend = self.slope();
            self.detect(trend, sent_ms, arrival_ms);
        }
    }

    /// Least-squares slope of delay over arrival time.
    fn slope(&self) -> f64 {
        let n = WINDOW as f64;
        let (x_sum, y_sum) = self
            .samples
            .iter()
            .fold((0.0, 0.0), |(xs, ys), (x, y)| (xs + x, ys + y));
        let (x_mean, y_mean) = (x_sum / n, y_sum / n);
        let (over, under) = self
            .samples
            .iter()
            .fold((0.0, 0.0), |(over, under), (x, y)| {
                let dx = x - x_mean;
                (over + dx * (y - y_mean), under + dx * dx)
            });
        if under > 0.0 { over / under } else { 0.0 }
    }

    fn detect(&mut self, trend: f64, sent_ms: f64, arrival_ms: f64) {
        let weighed = trend * (self.count.min(COUNT_MAX) as f64) * GAIN;
        if weighed > self.threshold_ms {
            self.over_for_ms += sent_ms;
            self.over_samples += 1;
            if self.over_for_ms > OVER_FOR_MS && self.over_samples > 1 && trend >= self.last_trend {
                self.over_for_ms = 0.0;
                self.over_samples = 0;
                self.usage = Usage::Over;
            }
        } else {
            self.over_for_ms = 0.0;
            self.over_samples = 0;
            self.usage = if weighed < -self.threshold_ms {
                Usage::Under
            } else {
                Usage::Normal
            };
        }
        self.last_trend = trend;
        self.adapt(weighed, arrival_ms);
    }

    /// The threshold follows the trend, up faster than down, but not its spikes
    /// (draft-ietf-rmcat-gcc-02 §5.4).
    fn adapt(&mut self, weighed: f64, arrival_ms: f64) {
        let elapsed_ms = self
            .threshold_at_ms
            .map_or(0.0, |at| (arrival_ms - at).clamp(0.0, ADAPT_MS_MAX));
        self.threshold_at_ms = Some(arrival_ms);
        let distance = weighed.abs() - self.threshold_ms;
        if distance > SPIKE_MS {
            return;
        }
        let speed = if distance < 0.0 { DOWN } else { UP };
        self.threshold_ms = (self.threshold_ms + speed * distance * elapsed_ms)
            .clamp(THRESHOLD_MS_MIN, THRESHOLD_MS_MAX);
    }
}

impl Group {
    fn of(sent_us: u64, arrival_us: i64) -> Self {
        Self {
            first_sent_us: sent_us,
            last_sent_us: sent_us,
            last_arrival_us: arrival_us,
        }
    }

    /// Sent within the burst, or released together with it by a link that sends in bursts itself
    /// (draft-ietf-rmcat-gcc-02 §5.2).
    fn takes(&self, sent_us: u64, arrival_us: i64) -> bool {
        if sent_us - self.first_sent_us <= BURST_US {
            return true;
        }
        let arrived_us = arrival_us.saturating_sub(self.last_arrival_us);
        let sent_us_apart = i64::try_from(sent_us - self.last_sent_us).unwrap_or(i64::MAX);
        arrived_us < sent_us_apart
            && (0..=RELEASE_US).contains(&arrived_us)
            && sent_us - self.first_sent_us < RELEASED_TOGETHER_US
    }
}

fn ms(us: i64) -> f64 {
    us as f64 / 1_000.0
}

/// Packets that leave within this are one group.
const BURST_US: u64 = 5_000;

/// Packets that arrive this close while they left further apart waited for the same release.
const RELEASE_US: i64 = 5_000;

/// A group does not go on for longer: what is released later was a queue.
const RELEASED_TOGETHER_US: u64 = 100_000;

/// Groups in the trend: 100 ms and more.
const WINDOW: usize = 20;

/// Weight of the past in the smoothed delay.
const SMOOTHING: f64 = 0.9;

/// The slope is weighed by the number of groups, up to this, and by [`GAIN`], so that it compares
/// with a threshold in milliseconds.
const COUNT_MAX: usize = 60;
const GAIN: f64 = 4.0;

/// How long the trend has to be over the threshold.
const OVER_FOR_MS: f64 = 10.0;

/// A silence of this length begins the trend anew.
const GAP_MS: f64 = 500.0;

/// The draft's values: start, bounds, speeds a millisecond, and how far off a spike is.
const THRESHOLD_START_MS: f64 = 12.5;
const THRESHOLD_MS_MIN: f64 = 6.0;
const THRESHOLD_MS_MAX: f64 = 600.0;
const UP: f64 = 0.0087;
const DOWN: f64 = 0.039;
const SPIKE_MS: f64 = 15.0;
const ADAPT_MS_MAX: f64 = 100.0;
