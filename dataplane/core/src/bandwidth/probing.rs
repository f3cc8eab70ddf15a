//! Short bursts above the estimate: how a path is found to take more, without filling its queue.

use super::{Probe, ProbeId};
use std::time::Duration;

/// When to probe, at which rate, and what came of it.
#[derive(Debug)]
pub(super) struct Probing {
    next_id: u8,
    running: Option<Running>,
    /// When the next probe may begin.
    next_us: u64,
    /// From a probe that showed nothing new to the next one.
    interval_us: u64,
    /// Until when the path counts as one that changes.
    restless_until_us: u64,
    /// Multiple of the target to probe at.
    factor: f64,
}

/// A probe on its way.
#[derive(Clone, Copy, Debug)]
struct Running {
    id: ProbeId,
    bps: f64,
    asked_us: u64,
    sent: u32,
    sent_bytes: u64,
    last_bytes: u16,
    first_us: u64,
    last_us: u64,
    arrived: u32,
    arrived_bytes: u64,
    first_arrived: Option<Arrived>,
    last_arrived: Arrived,
}

#[derive(Clone, Copy, Default, Debug)]
struct Arrived {
    sent_us: u64,
    arrival_us: i64,
}

/// What a probe showed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Shown {
    /// The rate that arrived, at most the one that was sent.
    pub(super) bps: f64,
    /// Whether that was all the path took: packets spread on the way, or were lost.
    pub(super) saturated: bool,
}

impl Probing {
    pub(super) fn new() -> Self {
        Self {
            next_id: 0,
            running: None,
            next_us: 0,
            interval_us: INTERVAL_US_MIN,
            restless_until_us: 0,
            factor: FACTOR_START,
        }
    }

    /// A probe that is due, above `target_bps` and up to `most_bps`.
    pub(super) fn poll(&mut self, now_us: u64, target_bps: f64, most_bps: f64) -> Option<Probe> {
        if self.running.is_some() || now_us < self.next_us || most_bps < target_bps * WORTH {
            return None;
        }
        let bps = (target_bps * self.factor).min(most_bps);
        let id = ProbeId(self.next_id);
        self.next_id = self.next_id.wrapping_add(1);
        self.running = Some(Running {
            id,
            bps,
            asked_us: now_us,
            sent: 0,
            sent_bytes: 0,
            last_bytes: 0,
            first_us: 0,
            last_us: 0,
            arrived: 0,
            arrived_bytes: 0,
            first_arrived: None,
            last_arrived: Arrived::default(),
        });
        Some(Probe {
            id,
            bps: super::whole_bps(bps),
            packets_min: PACKETS_MIN,
            duration: DURATION,
        })
    }

    /// Whether there has been any probe.
    pub(super) fn has_asked(&self) -> bool {
        self.next_id != 0 || self.running.is_some()
    }

    /// When the next probe is due, if the path might take one.
    pub(super) fn due_us(&self) -> u64 {
        self.running.map_or(self.next_us, |running| {
            running.asked_us.max(running.last_us) + GIVE_UP_US
        })
    }

    pub(super) fn sent(&mut self, id: ProbeId, sent_us: u64, bytes: u16) {
        let Some(running) = self.running.as_mut().filter(|running| running.id == id) else {
            return;
        };
        if running.sent == 0 {
            running.first_us = sent_us;
        }
        running.sent += 1;
        running.sent_bytes += u64::from(bytes);
        running.last_bytes = bytes;
        running.last_us = sent_us;
    }

    pub(super) fn arrived(&mut self, id: ProbeId, sent_us: u64, arrival_us: i64, bytes: u16) {
        let Some(running) = self.running.as_mut().filter(|running| running.id == id) else {
            return;
        };
        let arrived = Arrived {
            sent_us,
            arrival_us,
        };
        running.first_arrived.get_or_insert(arrived);
        running.arrived += 1;
        running.arrived_bytes += u64::from(bytes);
        running.last_arrived = arrived;
    }

    /// Looks at the probe once feedback has gone past it: `latest_us` is when the last packet that
    /// was reported left; `own_loss` is lost at any rate.
    pub(super) fn evaluate(&mut self, latest_us: u64, own_loss: f64) -> Option<Shown> {
        let running = self.running?;
        let complete = usize::try_from(running.sent).unwrap_or_default() >= PACKETS_MIN
            && running.last_us.saturating_sub(running.first_us) + SLACK_US >= DURATION_US;
        if !complete || latest_us < running.last_us {
            return None;
        }
        self.running = None;
        let first = running.first_arrived?;
        let last = running.last_arrived;
        let share = running.arrived_bytes as f64 / running.sent_bytes as f64;
        let sent_us = running.last_us.saturating_sub(running.first_us);
        if running.arrived < ARRIVED_MIN || sent_us == 0 {
            return None;
        }
        let sent_bps =
            (running.sent_bytes - u64::from(running.last_bytes)) as f64 * 8e6 / sent_us as f64;
        // How much longer the packets that arrived took to arrive than to leave.
        let left_us = last.sent_us.saturating_sub(first.sent_us) as f64;
        let arrival_us = last.arrival_us.saturating_sub(first.arrival_us).max(1) as f64;
        let spread = (arrival_us / left_us.max(1.0)).max(1.0);
        let missing = 1.0 - own_loss - share;
        let kept = if missing > MISSING_MAX { share } else { 1.0 };
        let bps = sent_bps.min(running.bps) / spread * kept;
        Some(Shown {
            bps,
            saturated: spread > SPREAD || kept < 1.0,
        })
    }

    /// The path took more than before. Unless that is known to be all: ask at once for more again.
    pub(super) fn gained(&mut self, now_us: u64, saturated: bool) {
        self.restless_until_us = now_us + RESTLESS_US;
        self.interval_us = INTERVAL_US_MIN;
        self.next_us = now_us + if saturated { INTERVAL_US_MIN } else { 0 };
        self.factor = FACTOR;
    }

    /// There was nothing to gain: wait, longer each time.
    pub(super) fn settled(&mut self, now_us: u64) {
        self.next_us = now_us + self.interval_us;
        let longest_us = if now_us < self.restless_until_us {
            INTERVAL_US_MAX_RESTLESS
        } else {
            INTERVAL_US_MAX
        };
        self.interval_us = (self.interval_us * 2).min(longest_us);
        self.factor = FACTOR;
    }

    /// The path takes less: what was found before does not hold. Probe soon, and often at first.
    pub(super) fn changed(&mut self, now_us: u64) {
        self.running = None;
        self.restless_until_us = now_us + RESTLESS_US;
        self.interval_us = INTERVAL_US_MIN;
        self.next_us = now_us + INTERVAL_US_MIN;
        self.factor = FACTOR;
    }

    /// Gives up a probe that was never sent in full, or never reported.
    pub(super) fn expire(&mut self, now_us: u64) {
        if self.running.is_some() && now_us >= self.due_us() {
            self.running = None;
            self.settled(now_us);
        }
    }
}

/// Packets in a probe, at least, and how many of them have to arrive.
const PACKETS_MIN: usize = 5;
const ARRIVED_MIN: u32 = 4;

/// A probe at twice what the path takes leaves a queue of this length.
const DURATION: Duration = Duration::from_millis(20);
const DURATION_US: u64 = 20_000;

/// Timers and bursts end a probe a little early.
const SLACK_US: u64 = 8_000;

/// At join: 300 kbit/s become 900, then double.
const FACTOR_START: f64 = 3.0;
const FACTOR: f64 = 2.0;

/// It is not worth a probe to learn of less.
const WORTH: f64 = 1.05;

/// Packets that take this much longer to arrive than to leave have met the path's limit.
const SPREAD: f64 = 1.1;

/// Loss in a probe beyond the link's own that a few packets may have by chance.
const MISSING_MAX: f64 = 0.25;

/// Time between probes that show nothing new: a path that changed a moment ago is asked again
/// soon; a steady one is left alone, but within the time that a picture may take to come back.
const INTERVAL_US_MIN: u64 = 200_000;
const INTERVAL_US_MAX: u64 = 4_000_000;
const INTERVAL_US_MAX_RESTLESS: u64 = 500_000;

/// How long after a change the next one is expected.
const RESTLESS_US: u64 = 8_000_000;

/// A probe that nothing was heard of for this long is given up.
const GIVE_UP_US: u64 = 1_500_000;
