//! One direction of a network, without clock or socket.

use crate::{limits::PACKETS_MAX, profile::Setting};
use hdrhistogram::Histogram;
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};
use serde::Serialize;
use std::{
    cmp::{Ordering, Reverse},
    collections::{BinaryHeap, VecDeque},
    time::{Duration, Instant},
};

/// One direction: policer, bottleneck with a queue that drops at its tail, loss, delay, in this
/// order, so that a packet that is lost has used the bottleneck.
///
/// What happens to packet n, apart from queue and policer, is drawn from the seed alone.
#[derive(Debug)]
pub struct Link<P> {
    setting: Setting,
    random: ChaCha8Rng,
    /// State of the Gilbert model.
    in_burst: bool,
    policer: Policer,
    queue: VecDeque<Queued<P>>,
    queue_bytes: u64,
    /// Until when the bottleneck has been worked out.
    served_until: Instant,
    in_flight: BinaryHeap<Reverse<InFlight<P>>>,
    /// Packets that keep their order arrive no earlier than this.
    last_arrival: Option<Instant>,
    /// Tells packets with the same time of arrival apart, first come first.
    departures: u64,
    /// Nothing enters before: a hand-over.
    gap_until: Option<Instant>,
    counts: Counts,
    queue_delay_us: Histogram<u64>,
}

/// Why packets did not arrive, and how many did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Counts {
    /// Packets that came in.
    pub packets: u64,
    /// Their UDP payload.
    pub bytes: u64,
    /// Packets that went out, duplicates included.
    pub delivered_packets: u64,
    /// Their UDP payload.
    pub delivered_bytes: u64,
    /// Lost on their own.
    pub lost_random: u64,
    /// Lost in a burst.
    pub lost_burst: u64,
    /// The queue was full.
    pub dropped_queue: u64,
    /// Above the policer's rate.
    pub dropped_policer: u64,
    /// Came while the client was between two networks.
    pub dropped_gap: u64,
    /// The relay itself was full (`limits::PACKETS_MAX`): a run with any is void.
    pub dropped_bound: u64,
    /// Went out twice.
    pub duplicated: u64,
    /// Held back so that others overtook them.
    pub held_back: u64,
}

/// What stands in the bottleneck's queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Backlog {
    /// Bytes, the packet on the line included.
    pub bytes: u64,
    /// How long a packet that comes now would wait; zero without a bottleneck.
    pub delay: Duration,
}

/// A packet that has come through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Arrival<P> {
    /// When it is due.
    pub at: Instant,
    /// The packet.
    pub packet: P,
}

#[derive(Debug)]
struct Queued<P> {
    entered: Instant,
    size_bytes: u64,
    /// What is still to be put on the line, in 10⁻⁹ bits: bits a second times nanoseconds.
    left_nanobits: u128,
    fate: Fate,
    packet: P,
}

/// Drawn when a packet comes in, whatever is set, so that a setting shifts no other packet's fate.
#[derive(Clone, Copy, Debug)]
struct Fate {
    lost: Option<Loss>,
    jitter: f64,
    held_back: bool,
    duplicated: bool,
}

#[derive(Clone, Copy, Debug)]
enum Loss {
    Random,
    Burst,
}

#[derive(Debug)]
struct InFlight<P> {
    at: Instant,
    number: u64,
    size_bytes: u64,
    packet: P,
}

/// A token bucket (RFC 2697's committed bucket alone), filled in 10⁻⁹ bits.
#[derive(Debug)]
struct Policer {
    tokens_nanobits: u128,
    filled_at: Instant,
}

impl<P: Clone> Link<P> {
    /// A link that begins at `now`.
    #[must_use]
    pub fn new(setting: Setting, seed: u64, now: Instant) -> Self {
        Self {
            policer: Policer {
                tokens_nanobits: full_bucket(&setting),
                filled_at: now,
            },
            setting,
            random: ChaCha8Rng::seed_from_u64(seed),
            in_burst: false,
            queue: VecDeque::new(),
            queue_bytes: 0,
            served_until: now,
            in_flight: BinaryHeap::new(),
            last_arrival: None,
            departures: 0,
            gap_until: None,
            counts: Counts::default(),
            queue_delay_us: histogram(),
        }
    }

    /// Changes what the link does, from `now` on: the packet on the line goes on at the new rate,
    /// and what the queue holds stays even if it may hold less now.
    pub fn set(&mut self, now: Instant, setting: Setting) {
        self.serve(now);
        self.policer.fill(now, &self.setting);
        if self.setting.police_bps.is_none() {
            self.policer.tokens_nanobits = full_bucket(&setting);
        }
        self.setting = setting;
        self.serve(now);
    }

    /// Nothing enters from now on until `until`.
    pub fn interrupt(&mut self, until: Instant) {
        self.gap_until = Some(until);
    }

    /// Takes a packet of `size_bytes` that came in at `now`.
    pub fn handle_packet(&mut self, now: Instant, size_bytes: usize, packet: P) {
        self.serve(now);
        let size_bytes = size_bytes as u64;
        self.counts.packets += 1;
        self.counts.bytes += size_bytes;
        let fate = self.draw();
        if self.gap_until.is_some_and(|until| now < until) {
            self.counts.dropped_gap += 1;
        } else if !self.policer.admits(now, size_bytes, &self.setting) {
            self.counts.dropped_policer += 1;
        } else if self.queue_is_full(size_bytes) {
            self.counts.dropped_queue += 1;
        } else if self.queue.len() + self.in_flight.len() >= PACKETS_MAX {
            self.counts.dropped_bound += 1;
        } else {
            self.queue_bytes += size_bytes;
            self.queue.push_back(Queued {
                entered: now,
                size_bytes,
                left_nanobits: u128::from(size_bytes) * NANOBITS_PER_BYTE,
                fate,
                packet,
            });
            self.serve(now);
        }
    }

    /// The next packet that is due by `now`. Call until `None`.
    pub fn poll_arrival(&mut self, now: Instant) -> Option<Arrival<P>> {
        self.serve(now);
        if self.in_flight.peek()?.0.at > now {
            return None;
        }
        let Reverse(arrived) = self.in_flight.pop()?;
        self.counts.delivered_packets += 1;
        self.counts.delivered_bytes += arrived.size_bytes;
        Some(Arrival {
            at: arrived.at,
            packet: arrived.packet,
        })
    }

    /// When to ask again; `None` if nothing is on its way.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let arrival = self.in_flight.peek().map(|Reverse(packet)| packet.at);
        let served = self.queue.front().map(|head| match self.setting.rate_bps {
            Some(rate_bps) => self.served_until + on_the_line(head.left_nanobits, rate_bps),
            None => self.served_until,
        });
        arrival.into_iter().chain(served).min()
    }

    /// What the link does now.
    #[must_use]
    pub fn setting(&self) -> &Setting {
        &self.setting
    }

    /// What has happened so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Time that packets spent in the queue and on the line, in microseconds.
    #[must_use]
    pub fn queue_delay_us(&self) -> &Histogram<u64> {
        &self.queue_delay_us
    }

    /// What the queue holds at `now`.
    pub fn backlog(&mut self, now: Instant) -> Backlog {
        self.serve(now);
        let left_nanobits: u128 = self.queue.iter().map(|packet| packet.left_nanobits).sum();
        let rate_bps = self.setting.rate_bps;
        Backlog {
            bytes: self.queue_bytes,
            delay: rate_bps.map_or(Duration::ZERO, |rate| on_the_line(left_nanobits, rate)),
        }
    }

    /// Puts on the line what goes until `now`.
    fn serve(&mut self, now: Instant) {
        while let Some(head) = self.queue.front_mut() {
            let line = self.setting.rate_bps.map_or(Duration::ZERO, |rate_bps| {
                on_the_line(head.left_nanobits, rate_bps)
            });
            let done = self.served_until + line;
            if done > now {
                let elapsed = now.saturating_duration_since(self.served_until);
                let rate_bps = self.setting.rate_bps.unwrap_or_default();
                let sent_nanobits = elapsed.as_nanos() * u128::from(rate_bps);
                head.left_nanobits = head.left_nanobits.saturating_sub(sent_nanobits);
                break;
            }
            self.served_until = done;
            let Some(packet) = self.queue.pop_front() else {
                break;
            };
            self.queue_bytes -= packet.size_bytes;
            self.depart(done, packet);
        }
        self.served_until = self.served_until.max(now);
    }

    /// A packet leaves the bottleneck: it is lost, or under way.
    fn depart(&mut self, now: Instant, packet: Queued<P>) {
        let waited = now.saturating_duration_since(packet.entered);
        record(&mut self.queue_delay_us, waited);
        match packet.fate.lost {
            Some(Loss::Random) => self.counts.lost_random += 1,
            Some(Loss::Burst) => self.counts.lost_burst += 1,
            None => self.fly(now, packet),
        }
    }

    fn fly(&mut self, now: Instant, packet: Queued<P>) {
        let Queued {
            size_bytes,
            fate,
            packet,
            ..
        } = packet;
        let jitter = self.setting.jitter.mul_f64(fate.jitter);
        let in_order = (now + self.setting.delay + jitter).max(self.last_arrival.unwrap_or(now));
        let at = if fate.held_back {
            self.counts.held_back += 1;
            in_order + self.setting.reorder_by
        } else {
            self.last_arrival = Some(in_order);
            in_order
        };
        let copies = if fate.duplicated { 2 } else { 1 };
        self.counts.duplicated += copies - 1;
        for _ in 0..copies {
            self.in_flight.push(Reverse(InFlight {
                at,
                number: self.departures,
                size_bytes,
                packet: packet.clone(),
            }));
            self.departures += 1;
        }
    }

    fn queue_is_full(&self, size_bytes: u64) -> bool {
        let full = |limit| !self.queue.is_empty() && self.queue_bytes + size_bytes > limit;
        self.setting.queue_bytes().is_some_and(full)
    }

    /// Five draws a packet, always.
    fn draw(&mut self) -> Fate {
        let shares = [(); 5].map(|()| f64::from(self.random.next_u32()) / TWO_TO_THE_32);
        let [random, burst, jitter, held_back, duplicated] = shares;
        // Gilbert, "Capacity of a burst-noise channel" (1960), with everything lost in the bad
        // state: it is left after `length` packets on average, and entered as often as makes the
        // share of packets in it right.
        let setting = &self.setting;
        self.in_burst = match setting.burst {
            Some(model) if self.in_burst => burst >= 1.0 / model.length,
            Some(model) => burst < model.loss / (1.0 - model.loss) / model.length,
            None => false,
        };
        let lost = match (self.in_burst, random < setting.loss) {
            (true, _) => Some(Loss::Burst),
            (false, true) => Some(Loss::Random),
            (false, false) => None,
        };
        Fate {
            lost,
            jitter,
            held_back: held_back < setting.reorder,
            duplicated: duplicated < setting.duplication,
        }
    }
}

impl Policer {
    fn fill(&mut self, now: Instant, setting: &Setting) {
        let elapsed = now.saturating_duration_since(self.filled_at);
        self.filled_at = now;
        let rate_bps = setting.police_bps.unwrap_or_default();
        let filled = self.tokens_nanobits + elapsed.as_nanos() * u128::from(rate_bps);
        self.tokens_nanobits = filled.min(full_bucket(setting));
    }

    fn admits(&mut self, now: Instant, size_bytes: u64, setting: &Setting) -> bool {
        if setting.police_bps.is_none() {
            return true;
        }
        self.fill(now, setting);
        let needed = u128::from(size_bytes) * NANOBITS_PER_BYTE;
        match self.tokens_nanobits.checked_sub(needed) {
            Some(left) => {
                self.tokens_nanobits = left;
                true
            }
            None => false,
        }
    }
}

impl<P> InFlight<P> {
    fn order(&self) -> (Instant, u64) {
        (self.at, self.number)
    }
}

impl<P> PartialEq for InFlight<P> {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl<P> Eq for InFlight<P> {}

impl<P> PartialOrd for InFlight<P> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<P> Ord for InFlight<P> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order().cmp(&other.order())
    }
}

/// Microseconds from 1 to 10 minutes, two digits.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 600_000_000, 2).expect("the bounds are in order")
}

pub(crate) fn record(histogram: &mut Histogram<u64>, time: Duration) {
    histogram.saturating_record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
}

/// How long this takes at this rate.
fn on_the_line(nanobits: u128, rate_bps: u64) -> Duration {
    let nanoseconds = nanobits.div_ceil(u128::from(rate_bps.max(1)));
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

fn full_bucket(setting: &Setting) -> u128 {
    u128::from(setting.police_burst_bytes) * NANOBITS_PER_BYTE
}

const NANOBITS_PER_BYTE: u128 = 8_000_000_000;
const TWO_TO_THE_32: f64 = 4_294_967_296.0;

#[cfg(test)]
mod tests;
