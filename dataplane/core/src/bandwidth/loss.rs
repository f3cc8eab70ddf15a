//! Does loss say that we send too much? Only if less of it comes when we send less.
//!
//! A bad link loses packets at any rate; a policer, or a queue too short to be seen in delays, loses
//! what exceeds it. One sample cannot tell them apart, a **trial** can: go down to what is
//! delivered, and look. If loss goes away it was ours, and the rate is a ceiling for a while; if it
//! stays it is the link's own, and the rate is taken up again.

/// The loss-based part.
#[derive(Debug)]
pub(super) struct Loss {
    interval: Interval,
    run: Run,
    /// Share that the link loses by itself.
    own: f64,
    /// Smoothed share of all losses, for those who watch.
    smoothed: f64,
    trial: Option<Trial>,
    ceiling: Option<Ceiling>,
    hold_us: u64,
}

/// What became of packets sent since `begin_us`.
#[derive(Clone, Copy, Default, Debug)]
struct Interval {
    begin_us: u64,
    /// Packets sent before this do not count: they belong to another rate.
    from_us: u64,
    arrived: u32,
    lost: u32,
}

/// Losses in a row that were not counted yet.
#[derive(Clone, Copy, Default, Debug)]
struct Run {
    first_us: u64,
    last_us: u64,
    lost: u32,
}

#[derive(Clone, Copy, Debug)]
struct Trial {
    before_share: f64,
    before_bps: f64,
    at_bps: f64,
}

#[derive(Clone, Copy, Debug)]
struct Ceiling {
    bps: f64,
    until_us: u64,
}

/// What an interval has shown.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Verdict {
    /// Go down to this rate and see.
    Try(f64),
    /// Loss was the link's own: this was the rate before.
    Restore(f64),
}

impl Loss {
    pub(super) fn new() -> Self {
        Self {
            interval: Interval::default(),
            run: Run::default(),
            own: 0.0,
            smoothed: 0.0,
            trial: None,
            ceiling: None,
            hold_us: HOLD_US_MIN,
        }
    }

    pub(super) fn smoothed(&self) -> f64 {
        self.smoothed
    }

    pub(super) fn own(&self) -> f64 {
        self.own
    }

    /// The rate above which packets were lost, while that counts.
    pub(super) fn ceiling_bps(&self, now_us: u64) -> Option<f64> {
        let held = self.ceiling.filter(|ceiling| now_us < ceiling.until_us);
        held.map(|ceiling| ceiling.bps)
    }

    /// Whether a trial runs; the rate must not change meanwhile.
    pub(super) fn is_trying(&self) -> bool {
        self.trial.is_some()
    }

    pub(super) fn arrived(&mut self, sent_us: u64, was_lost: bool) {
        self.end_run();
        if was_lost {
            self.interval.lost = self.interval.lost.saturating_sub(1);
        }
        if sent_us >= self.interval.from_us {
            self.interval.arrived += 1;
        }
    }

    pub(super) fn lost(&mut self, sent_us: u64) {
        if sent_us < self.interval.from_us {
            return;
        }
        if self.run.lost == 0 {
            self.run.first_us = sent_us;
        }
        self.run.last_us = sent_us;
        self.run.lost += 1;
    }

    /// A run that lasted is an outage, a hand-over perhaps: it says nothing about rates.
    fn end_run(&mut self) {
        let run = std::mem::take(&mut self.run);
        if run.last_us.saturating_sub(run.first_us) < OUTAGE_US {
            self.interval.lost += run.lost;
        }
    }

    /// Another reason has changed the rate: what was lost meanwhile was its congestion.
    pub(super) fn restart(&mut self, now_us: u64) {
        self.trial = None;
        self.begin(now_us);
    }

    fn begin(&mut self, now_us: u64) {
        self.interval = Interval {
            begin_us: now_us,
            from_us: now_us,
            ..Interval::default()
        };
    }

    /// Looks at what feedback has brought. `target_bps` is the rate that it was sent at,
    /// `delivered_bps` what arrived of it, `latest_us` when the last packet that it covers left.
    pub(super) fn evaluate(
        &mut self,
        now_us: u64,
        latest_us: u64,
        target_bps: f64,
        delivered_bps: Option<f64>,
    ) -> Option<Verdict> {
        let count = self.interval.arrived + self.interval.lost;
        let lasted_us = latest_us.saturating_sub(self.interval.begin_us);
        if lasted_us < INTERVAL_US
            || (count < PACKETS_MIN && lasted_us < INTERVAL_US_MAX)
            || count == 0
        {
            return None;
        }
        let (n, lost) = (f64::from(count), f64::from(self.interval.lost));
        let share = lost / n;
        self.smoothed += SMOOTHING * (share - self.smoothed);
        let verdict = self.judge(now_us, n, lost, target_bps, delivered_bps);
        match verdict {
            // What is on its way was sent at the old rate.
            Some(_) => self.begin(now_us),
            None => {
                self.interval = Interval {
                    begin_us: latest_us,
                    from_us: self.interval.from_us,
                    ..Interval::default()
                };
            }
        }
        verdict
    }

    fn judge(
        &mut self,
        now_us: u64,
        n: f64,
        lost: f64,
        target_bps: f64,
        delivered_bps: Option<f64>,
    ) -> Option<Verdict> {
        let share = lost / n;
        if let Some(trial) = self.trial.take() {
            let gone = trial.before_share - share > WENT_AWAY * (trial.before_share - self.own);
            if gone {
                self.hold(now_us, trial.at_bps);
                return None;
            }
            self.own = share.max(self.own);
            return Some(Verdict::Restore(trial.before_bps));
        }
        let expected = n * self.own;
        // Losses vary as if each packet drew its lot, or more: bursts.
        let noise = SIGMAS * (expected * BURSTINESS + 1.0).sqrt();
        if lost > expected + noise && share - self.own > EXCESS_MIN {
            let delivered_bps = delivered_bps?.min(target_bps);
            // Delivered without what the link would have lost anyway.
            let at_bps = (delivered_bps / (1.0 - self.own) * BELOW).min(target_bps * BELOW);
            self.trial = Some(Trial {
                before_share: share,
                before_bps: target_bps,
                at_bps,
            });
            return Some(Verdict::Try(at_bps));
        }
        let speed = if share < self.own { OWN_DOWN } else { OWN_UP };
        self.own += speed * (share - self.own);
        None
    }

    /// Doubles the hold where the same ceiling is met again.
    fn hold(&mut self, now_us: u64, bps: f64) {
        let again = self
            .ceiling
            .is_some_and(|ceiling| (0.7..1.4).contains(&(bps / ceiling.bps)));
        self.hold_us = if again {
            (2 * self.hold_us).min(HOLD_US_MAX)
        } else {
            HOLD_US_MIN
        };
        self.ceiling = Some(Ceiling {
            bps,
            until_us: now_us + self.hold_us,
        });
    }
}

/// An interval has to be this long and have this many packets, or be longer.
const INTERVAL_US: u64 = 200_000;
const PACKETS_MIN: u32 = 30;
const INTERVAL_US_MAX: u64 = 2_000_000;

/// Losses in a row over this time are an outage.
const OUTAGE_US: u64 = 80_000;

/// Losses beyond the link's own that count: this many standard deviations, and this share.
const SIGMAS: f64 = 3.0;
const BURSTINESS: f64 = 2.0;
const EXCESS_MIN: f64 = 0.03;

/// Loss has gone away if at least this share of what was in excess has.
const WENT_AWAY: f64 = 0.6;

/// A trial goes this much below what was delivered, so that a policer's bucket fills again.
const BELOW: f64 = 0.95;

/// How fast the link's own loss is forgotten, and followed within noise, an interval.
const OWN_DOWN: f64 = 0.1;
const OWN_UP: f64 = 0.1;

/// How long a ceiling counts, at first and at most.
const HOLD_US_MIN: u64 = 5_000_000;
const HOLD_US_MAX: u64 = 60_000_000;

const SMOOTHING: f64 = 0.3;

#[cfg(test)]
mod tests;
