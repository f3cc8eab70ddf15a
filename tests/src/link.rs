//! One direction of a network path.

use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};
use std::time::{Duration, Instant};

/// What a network does to packets.
#[derive(Clone, Copy, Debug)]
pub struct Impairment {
    /// Time that every packet takes.
    pub delay: Duration,
    /// Time that a packet takes in addition, evenly from zero: packets overtake each other.
    pub jitter: Duration,
    /// Share of packets that never arrive, 0.0 to below 1.0.
    pub loss: f64,
    /// Packets that are lost in a row, on average (the two-state model of Gilbert, in which every
    /// packet of the bad state is lost); 0.0: each packet's fate is its own.
    pub loss_burst: f64,
    /// Share of packets that arrive twice, 0.0 to 1.0.
    pub duplication: f64,
    /// Share of packets that take [`REORDER_DELAY`] longer, 0.0 to 1.0.
    pub reorder: f64,
    /// Bits a second that pass, in steps: each from so long after the link was made. Zero holds
    /// what is queued. Empty: whatever comes.
    pub rate_bps: &'static [(Duration, u64)],
    /// Bytes that may wait for the rate; what finds more waiting is dropped.
    pub queue_bytes: usize,
    /// Bits a second beyond which packets are dropped without waiting, with a bucket of
    /// [`POLICER_BURST_BYTES`]; zero for none.
    pub policer_bps: u64,
    /// When nothing passes (a hand-over): from so long after the link was made, for how long.
    pub gaps: &'static [(Duration, Duration)],
}

impl Impairment {
    /// A path that takes no time and does nothing.
    pub const NONE: Self = Self {
        delay: Duration::ZERO,
        jitter: Duration::ZERO,
        loss: 0.0,
        loss_burst: 0.0,
        duplication: 0.0,
        reorder: 0.0,
        rate_bps: &[],
        queue_bytes: 64_000,
        policer_bps: 0,
        gaps: &[],
    };
}

/// How much later a reordered packet arrives: behind the next packet of audio.
pub const REORDER_DELAY: Duration = Duration::from_millis(25);

/// What a policer lets pass at once.
pub const POLICER_BURST_BYTES: u64 = 10_000;

/// A seeded path.
#[derive(Debug)]
pub struct Link {
    impairment: Impairment,
    random: ChaCha8Rng,
    made: Instant,
    /// The last packet was lost.
    bad: bool,
    /// When the last queued packet has left.
    free: Instant,
    /// Bits that the policer lets pass, and since when they are counted.
    bucket: (f64, Instant),
}

impl Link {
    /// A path whose fate is decided by `seed`.
    #[must_use]
    pub fn new(impairment: Impairment, seed: u64, now: Instant) -> Self {
        Self {
            impairment,
            random: ChaCha8Rng::seed_from_u64(seed),
            made: now,
            bad: false,
            free: now,
            bucket: (POLICER_BURST_BYTES as f64 * 8.0, now),
        }
    }

    /// When a datagram of so many bytes that leaves at `now` arrives: never, once, or twice. Calls
    /// come in the order of time.
    pub fn arrivals(
        &mut self,
        now: Instant,
        bytes: usize,
    ) -> impl Iterator<Item = Instant> + use<> {
        // Drawn whatever happens, so that one packet's fate does not shift the others'.
        let (lost, doubled) = (self.share(), self.share());
        let (first, second) = (self.share(), self.share());
        let reordered = self.share();
        let Impairment {
            delay,
            jitter,
            duplication,
            reorder,
            ..
        } = self.impairment;
        let passes = !self.loses(lost) && !self.in_gap(now) && self.polices(now, bytes);
        let leaves = passes.then(|| self.leaves(now, bytes)).flatten();
        let late = if reordered < reorder {
            REORDER_DELAY
        } else {
            Duration::ZERO
        };
        let first = leaves.map(|at| at + delay + late + jitter.mul_f64(first));
        let second = leaves
            .filter(|_| doubled < duplication)
            .map(|at| at + delay + jitter.mul_f64(second));
        first.into_iter().chain(second)
    }

    fn loses(&mut self, drawn: f64) -> bool {
        let Impairment {
            loss, loss_burst, ..
        } = self.impairment;
        let chance = if loss_burst == 0.0 {
            loss
        } else if self.bad {
            1.0 - 1.0 / loss_burst
        } else {
            // So that the share of time in the bad state is the loss.
            loss / (1.0 - loss) / loss_burst
        };
        self.bad = drawn < chance;
        self.bad
    }

    fn in_gap(&self, now: Instant) -> bool {
        let at = now - self.made;
        let mut gaps = self.impairment.gaps.iter();
        gaps.any(|&(from, time)| (from..from + time).contains(&at))
    }

    fn polices(&mut self, now: Instant, bytes: usize) -> bool {
        let rate = self.impairment.policer_bps as f64;
        if rate == 0.0 {
            return true;
        }
        let (bits, since) = self.bucket;
        let full = POLICER_BURST_BYTES as f64 * 8.0;
        let filled = (bits + (now - since).as_secs_f64() * rate).min(full);
        let wanted = bytes as f64 * 8.0;
        let passes = filled >= wanted;
        self.bucket = (if passes { filled - wanted } else { filled }, now);
        passes
    }

    /// When the last bit of a datagram has left the queue, if there is room in it.
    fn leaves(&mut self, now: Instant, bytes: usize) -> Option<Instant> {
        let steps = self.impairment.rate_bps;
        if steps.is_empty() {
            return Some(now);
        }
        let begins = self.free.max(now);
        let waiting = self.carried(now - self.made, begins - self.made) / 8.0;
        if waiting > self.impairment.queue_bytes as f64 {
            return None;
        }
        let mut at = begins - self.made;
        let mut bits = bytes as f64 * 8.0;
        for (index, &(from, rate)) in steps.iter().enumerate() {
            let until = steps.get(index + 1).map(|&(next, _)| next);
            if until.is_some_and(|until| until <= at) {
                continue;
            }
            at = at.max(from);
            let room = until.map(|until| (until - at).as_secs_f64() * rate as f64);
            match room.filter(|&room| room < bits) {
                Some(room) => {
                    bits -= room;
                    at = until.unwrap_or(at);
                }
                None if rate == 0 => return None,
                None => {
                    at += Duration::from_secs_f64(bits / rate as f64);
                    break;
                }
            }
        }
        self.free = self.made + at;
        Some(self.free)
    }

    /// Bits that the rate carries from one time to another.
    fn carried(&self, from: Duration, to: Duration) -> f64 {
        let steps = self.impairment.rate_bps;
        let ends = steps.iter().skip(1).map(|&(next, _)| next).chain([to]);
        steps
            .iter()
            .zip(ends)
            .map(|(&(begin, rate), end)| {
                let time = end.min(to).saturating_sub(begin.max(from));
                time.as_secs_f64() * rate as f64
            })
            .sum()
    }

    /// Evenly from 0.0 to 1.0.
    fn share(&mut self) -> f64 {
        f64::from(self.random.next_u32()) / f64::from(u32::MAX)
    }
}

#[cfg(test)]
mod tests;
