//! From what was observed to a rate: up slowly by itself and at once by probes, down at once to what
//! is delivered, and lower for as long as a queue needs to drain.

use super::probing::Shown;
use super::trend::Usage;

/// The rate and its state.
#[derive(Debug)]
pub(super) struct Rate {
    target_bps: f64,
    /// What the path carried while it was busy, and when that was seen.
    capacity: Option<Capacity>,
    drain: Option<Drain>,
    updated_us: Option<u64>,
    /// Smoothed share of packets marked by the network, and when the target was last lowered by it.
    marks: f64,
    marked_us: u64,
}

#[derive(Clone, Copy, Debug)]
struct Capacity {
    bps: f64,
    seen_us: u64,
}

/// A queue that is being emptied.
#[derive(Clone, Copy, Debug)]
struct Drain {
    /// When it should be empty.
    until_us: u64,
    pacing_bps: f64,
    /// The shortest queue seen since, seconds, and when.
    least_s: f64,
    least_us: u64,
}

/// What one feedback shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Observed {
    pub(super) now_us: u64,
    pub(super) usage: Usage,
    /// Queueing delay: the least of the latest feedback, and the last packet's, seconds.
    pub(super) standing_s: f64,
    pub(super) last_s: f64,
    /// Delivered rate while the path was busy, if it was; and whatever it was.
    pub(super) busy_bps: Option<f64>,
    pub(super) delivered_bps: Option<f64>,
    /// Sent after the last packet that was reported, and how long ago that left.
    pub(super) under_way_bits: f64,
    pub(super) age_s: f64,
    pub(super) round_trip_s: f64,
    pub(super) application_limited: bool,
    /// A ceiling from elsewhere.
    pub(super) most_bps: f64,
    /// Whether the rate must not rise now.
    pub(super) frozen: bool,
    /// Share of packets that the network marked.
    pub(super) marks: f64,
}

/// What came of it.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Outcome {
    /// The path met its limit: the target was lowered, or a queue began to drain.
    pub(super) reduced: bool,
    /// The queue does not go away: it is the path's own delay.
    pub(super) rebase: bool,
}

impl Rate {
    pub(super) fn new(start_bps: f64) -> Self {
        Self {
            target_bps: start_bps.clamp(BPS_MIN, BPS_MAX),
            capacity: None,
            drain: None,
            updated_us: None,
            marks: 0.0,
            marked_us: 0,
        }
    }

    pub(super) fn target_bps(&self) -> f64 {
        self.target_bps
    }

    pub(super) fn pacing_bps(&self) -> f64 {
        self.drain.map_or(self.target_bps, |drain| {
            drain.pacing_bps.min(self.target_bps).max(BPS_MIN)
        })
    }

    pub(super) fn is_draining(&self) -> bool {
        self.drain.is_some()
    }

    /// When the queue should be empty.
    pub(super) fn drained_us(&self) -> Option<u64> {
        self.drain
            .filter(|drain| drain.pacing_bps < self.target_bps)
            .map(|drain| drain.until_us)
    }

    pub(super) fn time_passed(&mut self, now_us: u64) {
        if let Some(drain) = &mut self.drain
            && now_us >= drain.until_us
        {
            // Whether it worked, feedback says later.
            drain.pacing_bps = self.target_bps;
        }
    }

    pub(super) fn set(&mut self, bps: f64) {
        self.target_bps = bps.clamp(BPS_MIN, BPS_MAX);
    }

    /// Nothing is heard any more.
    pub(super) fn silence(&mut self) {
        self.set(self.target_bps * 0.5);
        self.capacity = None;
        self.drain = None;
    }

    pub(super) fn update(&mut self, observed: &Observed) -> Outcome {
        let elapsed_s = self.updated_us.map_or(0.0, |at| {
            (observed.now_us.saturating_sub(at) as f64 / 1e6).min(1.0)
        });
        self.updated_us = Some(observed.now_us);
        let mut outcome = Outcome {
            reduced: self.obey_marks(observed),
            rebase: false,
        };
        if let Some(drain) = self.drain {
            outcome.rebase = self.go_on_draining(observed, drain);
        } else if observed.standing_s > QUEUE_MAX_S
            || (observed.usage == Usage::Over && observed.standing_s > QUEUE_SEEN_S)
        {
            self.begin_draining(observed);
            outcome.reduced = true;
        } else if observed.usage != Usage::Under && !observed.frozen {
            self.rise(observed, elapsed_s);
        }
        if self.target_bps > observed.most_bps {
            self.set(observed.most_bps);
        }
        outcome
    }

    fn begin_draining(&mut self, observed: &Observed) {
        self.drain = Some(Drain {
            until_us: observed.now_us,
            pacing_bps: self.target_bps,
            least_s: f64::MAX,
            least_us: observed.now_us,
        });
        self.plan_drain(observed);
    }

    /// Whether the queue turned out not to be one.
    fn go_on_draining(&mut self, observed: &Observed, mut drain: Drain) -> bool {
        if observed.last_s < QUEUE_GONE_S || observed.standing_s < QUEUE_GONE_S {
            self.drain = None;
            return false;
        }
        if observed.standing_s < drain.least_s - QUEUE_STEP_S {
            drain.least_s = observed.standing_s;
            drain.least_us = observed.now_us;
        }
        self.drain = Some(drain);
        let patience_s = STUBBORN_S + 2.0 * observed.round_trip_s;
        let waited_s = observed.now_us.saturating_sub(drain.least_us) as f64 / 1e6;
        if waited_s > patience_s {
            self.drain = None;
            return true;
        }
        self.plan_drain(observed);
        false
    }

    /// From what the last packet waited, what left after it, and what the path carries, how long the
    /// queue is now; then how much less has to leave, for how long, until it is empty.
    fn plan_drain(&mut self, observed: &Observed) {
        let Some(carried_bps) = observed.busy_bps.or(observed.delivered_bps) else {
            self.set(self.target_bps * BACK_OFF);
            return;
        };
        let known_bps = self.capacity.map_or(carried_bps, |capacity| capacity.bps);
        // Once the queue is nearly gone arrivals show our own rate, not the path's.
        let trusted = observed.busy_bps.is_some() || carried_bps > known_bps;
        let carried_bps = if trusted { carried_bps } else { known_bps }.max(BPS_MIN);
        self.capacity = Some(Capacity {
            bps: carried_bps,
            seen_us: observed.now_us,
        });
        self.set(carried_bps * CARRIED);
        let queue_s = observed.last_s + observed.under_way_bits / carried_bps - observed.age_s;
        if let Some(drain) = &mut self.drain {
            if queue_s < QUEUE_GONE_S {
                drain.pacing_bps = self.target_bps;
                drain.until_us = observed.now_us;
                return;
            }
            let share = if queue_s > QUEUE_LONG_S {
                DRAIN_SHARE_LONG
            } else {
                DRAIN_SHARE
            };
            drain.pacing_bps = carried_bps * share;
            let drain_us = super::micros_of(queue_s / (1.0 - share));
            drain.until_us = observed.now_us + drain_us;
        }
    }

    /// Additive near the known capacity, multiplicative elsewhere (draft-ietf-rmcat-gcc-02 §5.5).
    fn rise(&mut self, observed: &Observed, elapsed_s: f64) {
        if observed.application_limited {
            return;
        }
        let near = self.capacity.is_some_and(|capacity| {
            let age_s = observed.now_us.saturating_sub(capacity.seen_us) as f64 / 1e6;
            self.target_bps > capacity.bps * NEAR && age_s < CAPACITY_S
        });
        let response_s = observed.round_trip_s + RESPONSE_S;
        let risen_bps = if near {
            self.target_bps + PACKET_BITS / response_s * elapsed_s
        } else {
            self.target_bps * MULTIPLY.powf(elapsed_s)
        };
        // Not beyond what was ever tried.
        let tried_bps = observed.delivered_bps.unwrap_or(0.0) * TRIED + TRIED_BPS;
        if risen_bps < tried_bps {
            self.set(risen_bps);
        }
    }

    /// A probe has come back. By how much the target rose, as a factor.
    pub(super) fn probed(&mut self, now_us: u64, shown: Shown) -> f64 {
        if self.drain.is_some() {
            return 1.0;
        }
        let taken = if shown.saturated {
            self.capacity = Some(Capacity {
                bps: shown.bps,
                seen_us: now_us,
            });
            PROBED_SATURATED
        } else {
            PROBED
        };
        let before_bps = self.target_bps;
        self.set((shown.bps * taken).max(before_bps));
        self.target_bps / before_bps
    }

    /// Scalable response to marks (draft-ietf-tsvwg-l4s-arch §4, RFC 8257 §3.3): once a round trip,
    /// in proportion to the share of packets that were marked.
    fn obey_marks(&mut self, observed: &Observed) -> bool {
        if self.marks == 0.0 && observed.marks == 0.0 {
            return false;
        }
        self.marks += MARKS_GAIN * (observed.marks - self.marks);
        let since_s = observed.now_us.saturating_sub(self.marked_us) as f64 / 1e6;
        if observed.marks == 0.0 || since_s < observed.round_trip_s {
            return false;
        }
        self.marked_us = observed.now_us;
        self.capacity = observed.delivered_bps.map(|bps| Capacity {
            bps,
            seen_us: observed.now_us,
        });
        self.set(self.target_bps * (1.0 - self.marks / 2.0));
        true
    }
}

/// No voice lives below.
pub(super) const BPS_MIN: f64 = 30_000.0;
/// More than any subscriber is sent; whatever feedback claims.
pub(super) const BPS_MAX: f64 = 200_000_000.0;

/// A queue that every packet of a feedback waited in, whatever the trend says.
const QUEUE_MAX_S: f64 = 0.030;
/// Below this a trend upwards is jitter.
const QUEUE_SEEN_S: f64 = 0.010;
/// It is empty, as far as 5 ms bursts and ticks of 250 us show.
const QUEUE_GONE_S: f64 = 0.008;
const QUEUE_STEP_S: f64 = 0.002;
/// From here on it is drained with all means.
const QUEUE_LONG_S: f64 = 0.060;

/// What leaves while a queue drains, as a share of what the path carries.
const DRAIN_SHARE: f64 = 0.5;
const DRAIN_SHARE_LONG: f64 = 0.15;

/// A queue that has not become shorter for this long and two round trips is not ours.
const STUBBORN_S: f64 = 1.0;

/// What is aimed at of what the path carried: the rest lets the next queue drain.
const CARRIED: f64 = 0.95;

/// Where not even the delivered rate is known.
const BACK_OFF: f64 = 0.7;

/// Rise: from this share of the capacity on by a packet in a response time, else by this factor
/// a second.
const NEAR: f64 = 0.85;
const CAPACITY_S: f64 = 10.0;
const PACKET_BITS: f64 = 1_200.0 * 8.0;
const RESPONSE_S: f64 = 0.1;
const MULTIPLY: f64 = 1.15;

/// The target stays within this of what was delivered.
const TRIED: f64 = 1.5;
const TRIED_BPS: f64 = 10_000.0;

/// What is taken of a probe that met the path's limit, and of one that did not.
const PROBED_SATURATED: f64 = 0.95;
const PROBED: f64 = 0.98;

/// Weight of a feedback in the smoothed share of marks (RFC 8257 §3.3: 1/16).
const MARKS_GAIN: f64 = 1.0 / 16.0;
