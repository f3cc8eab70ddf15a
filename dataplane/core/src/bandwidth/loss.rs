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
    /// Packets that it is judged on.
    packets: u32,
}

#[derive(Clone, Copy, Debug)]
struct Ceiling {
    bps: f64,
    until_us: u64,
    /// The trial that it came from.
    trial: Trial,
    /// What was seen under it.
    n: f64,
    lost: f64,
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

    /// The rate above which packets were lost, while that counts. Afterwards it is left step by step:
    /// a policer lets a burst pass, so that a probe tells nothing about it.
    pub(super) fn ceiling_bps(&self, now_us: u64) -> f64 {
        let Some(ceiling) = self.ceiling else {
            return f64::MAX;
        };
        let after_us = now_us.saturating_sub(ceiling.until_us);
        if now_us < ceiling.until_us {
            ceiling.bps
        } else if after_us < LEAVING_US {
            ceiling.bps * LEAVING.powf(1.0 + (after_us / LEAVING_STEP_US) as f64)
        } else {
            f64::MAX
        }
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
        application_limited: bool,
    ) -> Option<Verdict> {
        let count = self.interval.arrived + self.interval.lost;
        let lasted_us = latest_us.saturating_sub(self.interval.begin_us);
        let heavy = f64::from(self.interval.lost) > (self.own + HEAVY) * f64::from(count);
        let enough = match self.trial {
            Some(trial) => trial.packets,
            None if heavy => PACKETS_MIN_HEAVY,
            None => PACKETS_MIN,
        };
        let too_few = count < enough && lasted_us < INTERVAL_US_MAX;
        if lasted_us < INTERVAL_US || too_few || count == 0 {
            return None;
        }
        let (n, lost) = (f64::from(count), f64::from(self.interval.lost));
        let share = lost / n;
        self.smoothed += SMOOTHING * (share - self.smoothed);
        let verdict = self.judge(
            now_us,
            n,
            lost,
            target_bps,
            delivered_bps,
            application_limited,
        );
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
        application_limited: bool,
    ) -> Option<Verdict> {
        let share = lost / n;
        if let Some(trial) = self.trial.take() {
            // A share that was high by chance is lower the next time, too: loss has to be less by
            // more than chance.
            let expected = n * trial.before_share;
            let chance = TRIAL_SIGMAS * (expected * BURSTINESS + 1.0).sqrt();
            if lost < expected - chance && share < trial.before_share * STAYED {
                self.own = share;
                self.hold(now_us, trial, n, lost);
                return None;
            }
            self.own = f64::midpoint(share, trial.before_share).max(self.own);
            return Some(Verdict::Restore(trial.before_bps));
        }
        if let Some(before_bps) = self.ceiling_was_wrong(now_us, n, lost) {
            return Some(Verdict::Restore(before_bps));
        }
        let expected = n * self.own;
        // Losses vary as if each packet drew its lot, or more: bursts.
        let noise = SIGMAS * (expected * BURSTINESS + 1.0).sqrt();
        // Less than what is allowed was sent, and that was never too much before: a trial would take
        // from media what probably is the link's own.
        let excess_min = if application_limited {
            HEAVY
        } else {
            EXCESS_MIN
        };
        if lost > expected + noise && share - self.own > excess_min {
            let delivered_bps = delivered_bps?.min(target_bps);
            let at_bps = delivered_bps * BELOW;
            self.trial = Some(Trial {
                before_share: share,
                before_bps: target_bps,
                at_bps,
                packets: trial_packets(share),
            });
            return Some(Verdict::Try(at_bps));
        }
        let speed = if share < self.own { OWN_DOWN } else { OWN_UP };
        self.own += speed * (share - self.own);
        None
    }

    /// Loss that comes back under the ceiling did not come from the rate: what the rate was before.
    fn ceiling_was_wrong(&mut self, now_us: u64, n: f64, lost: f64) -> Option<f64> {
        let ceiling = self
            .ceiling
            .as_mut()
            .filter(|ceiling| now_us < ceiling.until_us)?;
        ceiling.n += n;
        ceiling.lost += lost;
        let share = ceiling.lost / ceiling.n;
        if ceiling.n < HELD_PACKETS_MIN || share < ceiling.trial.before_share * STAYED {
            return None;
        }
        let trial = ceiling.trial;
        self.ceiling = None;
        self.hold_us = HOLD_US_MIN;
        self.own = self.own.max(share);
        Some(trial.before_bps)
    }

    /// Doubles the hold where the same ceiling is met again.
    fn hold(&mut self, now_us: u64, trial: Trial, n: f64, lost: f64) {
        let bps = trial.at_bps;
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
            trial,
            n,
            lost,
        });
    }
}

/// As many packets as make a loss of this share unlikely to go away by chance.
fn trial_packets(share: f64) -> u32 {
    let steps = (1..TRIAL_STEPS_MAX)
        .take_while(|steps| f64::from(steps * TRIAL_PACKETS_STEP) * share < TRIAL_LOST_MIN);
    TRIAL_PACKETS_STEP * (1 + u32::try_from(steps.count()).unwrap_or(0))
}

/// An interval has to be this long and have this many packets, or be longer.
const INTERVAL_US: u64 = 200_000;
const PACKETS_MIN: u32 = 100;

/// So much loss above the link's own is judged sooner.
const HEAVY: f64 = 0.2;
const PACKETS_MIN_HEAVY: u32 = 40;
const INTERVAL_US_MAX: u64 = 2_000_000;

/// Losses in a row over this time are an outage.
const OUTAGE_US: u64 = 80_000;

/// Losses beyond the link's own that count: this many standard deviations, and this share.
const SIGMAS: f64 = 3.0;
const BURSTINESS: f64 = 3.0;
const EXCESS_MIN: f64 = 0.03;

/// A trial is judged on so many packets that about 14 of them would be lost, but between 100 and
/// 400. Loss has gone away if it is below this share of what it
/// was, and by this many standard deviations.
const TRIAL_PACKETS_STEP: u32 = 100;
const TRIAL_STEPS_MAX: u32 = 4;
const TRIAL_LOST_MIN: f64 = 14.0;
const STAYED: f64 = 0.5;
const TRIAL_SIGMAS: f64 = 1.5;

/// A ceiling is judged again after this many packets.
const HELD_PACKETS_MIN: f64 = 150.0;

/// A trial goes this much below what was delivered, so that a policer's bucket fills again.
const BELOW: f64 = 0.95;

/// How fast the link's own loss is forgotten, and followed within noise, an interval.
const OWN_DOWN: f64 = 0.1;
const OWN_UP: f64 = 0.1;

/// How long a ceiling counts, at first and at most.
const HOLD_US_MIN: u64 = 3_000_000;
const HOLD_US_MAX: u64 = 60_000_000;

/// A ceiling is left by this factor, again after each step, and forgotten in the end.
const LEAVING: f64 = 1.25;
const LEAVING_STEP_US: u64 = 1_500_000;
const LEAVING_US: u64 = 20_000_000;

const SMOOTHING: f64 = 0.3;

#[cfg(test)]
mod tests;
