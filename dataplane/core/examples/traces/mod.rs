//! A network path in virtual time and a sender that keeps to the estimate: what the estimator is
//! measured and tested on.

use bedside_core::bandwidth::{Estimator, Probe, ProbeId, SentPacket};
use bedside_core::rtcp::{self, Packet, TICK_US, write_transport_feedback};
use bedside_core::rtp::SequenceNumber;
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A path and what is sent over it.
#[derive(Clone)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) seconds: u64,
    /// Rate from each millisecond on, bits per second; in order.
    pub(crate) rates: Vec<(u64, u64)>,
    pub(crate) one_way_ms: u64,
    /// What waits longer than this is dropped.
    pub(crate) queue_ms: u64,
    /// Share of packets lost whatever is sent, and how many in a row.
    pub(crate) loss: f64,
    pub(crate) loss_run: u32,
    /// Rate and burst in bytes of a token bucket that drops.
    pub(crate) policer: Option<(u64, u64)>,
    /// Nothing arrives in these milliseconds.
    pub(crate) gap: std::ops::Range<u64>,
    /// The one-way delay grows by this after the gap.
    pub(crate) after_gap_ms: u64,
    /// Extra delay that each packet takes, up to; order is kept.
    pub(crate) jitter_ms: u64,
    /// Media comes in frames this far apart and leaves at 2.5 times the pacing rate, as the
    /// forwarder's pacer sends it; 0 for a steady stream.
    pub(crate) frame_ms: u64,
    /// What there is to send, besides probes.
    pub(crate) media_bps: u64,
    pub(crate) wanted_bps: u64,
}

impl Scenario {
    fn steady(name: &'static str, bps: u64) -> Self {
        Self {
            name,
            seconds: 60,
            rates: vec![(0, bps)],
            one_way_ms: 20,
            queue_ms: 1_000,
            loss: 0.0,
            loss_run: 1,
            policer: None,
            gap: 0..0,
            after_gap_ms: 0,
            jitter_ms: 0,
            frame_ms: 0,
            media_bps: u64::MAX,
            wanted_bps: 12_000_000,
        }
    }

    fn rate_at(&self, ms: u64) -> u64 {
        let begun = self.rates.iter().rev().find(|(from, _)| *from <= ms);
        begun.map_or(0, |(_, bps)| *bps)
    }

    /// What the path delivers at best, bits per second.
    pub(crate) fn truth_at(&self, ms: u64) -> u64 {
        let policed = self.policer.map_or(u64::MAX, |(bps, _)| bps);
        if self.gap.contains(&ms) {
            return 0;
        }
        self.rate_at(ms).min(policed).min(self.wanted_bps)
    }
}

/// Every scenario of the table.
pub(crate) fn scenarios() -> Vec<Scenario> {
    let steady = Scenario::steady;
    vec![
        steady("DSL 1 Mbit/s, 1 s queue", 1_000_000),
        Scenario {
            jitter_ms: 15,
            ..steady("3 Mbit/s, 15 ms of jitter", 3_000_000)
        },
        lte(1),
        lte_anywhere(1),
        Scenario {
            rates: vec![(0, 8_000_000), (20_000, 3_000_000)],
            gap: 20_000..20_300,
            after_gap_ms: 25,
            ..steady("Wi-Fi hand-over, 300 ms, 8 to 3 Mbit/s", 0)
        },
        Scenario {
            policer: Some((1_500_000, 50_000)),
            ..steady("policer 1.5 Mbit/s, 50 kB", 20_000_000)
        },
        Scenario {
            frame_ms: 33,
            ..steady("2 Mbit/s, frames in bursts", 2_000_000)
        },
        Scenario {
            one_way_ms: 300,
            ..steady("satellite 2 Mbit/s, 300 ms one way", 2_000_000)
        },
        Scenario {
            loss: 0.02,
            ..steady("3 Mbit/s, 2 % random loss", 3_000_000)
        },
        Scenario {
            loss: 0.05,
            ..steady("3 Mbit/s, 5 % random loss", 3_000_000)
        },
        Scenario {
            loss: 0.10,
            ..steady("3 Mbit/s, 10 % random loss", 3_000_000)
        },
        Scenario {
            loss: 0.05,
            loss_run: 3,
            ..steady("3 Mbit/s, 5 % loss in runs of 3", 3_000_000)
        },
        Scenario {
            rates: vec![(0, 5_000_000), (20_000, 400_000), (40_000, 5_000_000)],
            wanted_bps: 5_000_000,
            ..steady("5 Mbit/s, 400 kbit/s, 5 Mbit/s, 1 s queue", 0)
        },
        Scenario {
            media_bps: 800_000,
            wanted_bps: 3_000_000,
            ..steady("sender has 800 kbit/s of 5 Mbit/s", 5_000_000)
        },
    ]
}

/// A cell whose rate changes by a factor of up to 1.6 every half to two seconds.
pub(crate) fn lte(seed: u64) -> Scenario {
    Scenario {
        rates: walk(seed, 60_000),
        one_way_ms: 30,
        ..Scenario::steady("LTE 1-10 Mbit/s, by up to 1.6 each 0.5-2 s", 0)
    }
}

/// A cell whose next rate has nothing to do with the last one: harder than any real one.
pub(crate) fn lte_anywhere(seed: u64) -> Scenario {
    Scenario {
        rates: leaps(seed, 60_000),
        one_way_ms: 30,
        ..Scenario::steady("LTE 1-10 Mbit/s, anywhere each 0.5-2 s", 0)
    }
}

/// A rate between 1 and 10 Mbit/s that changes by a factor of up to 1.6 either way.
fn walk(seed: u64, ms: u64) -> Vec<(u64, u64)> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut bps = 4e6_f64;
    steps(&mut random, ms, |share| {
        bps = (bps * 1.6_f64.powf(2.0 * share - 1.0)).clamp(1e6, 1e7);
        bps
    })
}

/// A rate anywhere between 1 and 10 Mbit/s.
fn leaps(seed: u64, ms: u64) -> Vec<(u64, u64)> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    steps(&mut random, ms, |share| 1e6 + share * 9e6)
}

fn steps(random: &mut ChaCha8Rng, ms: u64, mut rate: impl FnMut(f64) -> f64) -> Vec<(u64, u64)> {
    let mut at = 0;
    let mut found = Vec::new();
    while at < ms {
        let bps = Duration::from_secs_f64(rate(share(random)) / 1e6);
        found.push((at, u64::try_from(bps.as_micros()).unwrap_or(0)));
        at += 500 + u64::from(random.next_u32()) % 1_500;
    }
    found
}

fn share(random: &mut ChaCha8Rng) -> f64 {
    f64::from(random.next_u32()) / f64::from(u32::MAX)
}

/// What a run showed.
pub(crate) struct Run {
    pub(crate) scenario: Scenario,
    /// Each 20 ms: truth, target, pacing, delivered in bits per second, and the queueing delay in ms
    /// of what arrived last.
    pub(crate) samples: Vec<Sample>,
    /// Queueing delay of each packet that arrived after the first two seconds, ms, sorted.
    pub(crate) queued_ms: Vec<f64>,
    /// Delivered after the first two seconds, of what the path could have.
    pub(crate) utilisation: f64,
    /// Of what was sent after the first two seconds, the share that did not arrive.
    pub(crate) lost: f64,
    pub(crate) probes: u64,
}

#[derive(Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) ms: u64,
    pub(crate) truth_bps: u64,
    pub(crate) target_bps: u64,
    pub(crate) pacing_bps: u64,
    pub(crate) queued_ms: f64,
}

impl Run {
    /// Utilisation of at least 85 %, and 95 % of packets queued for less than 60 ms.
    pub(crate) fn reaches_goal(&self) -> bool {
        self.utilisation >= 0.85 && self.queued_p95_ms() < 60.0
    }

    pub(crate) fn queued_p95_ms(&self) -> f64 {
        let index = self.queued_ms.len() * 95 / 100;
        self.queued_ms.get(index).copied().unwrap_or(0.0)
    }

    /// How long after `from_ms` the target first reached this share of the truth.
    pub(crate) fn reached_after_ms(&self, from_ms: u64, share: f64) -> Option<u64> {
        self.samples
            .iter()
            .find(|sample| {
                sample.ms >= from_ms && sample.target_bps as f64 >= sample.truth_bps as f64 * share
            })
            .map(|sample| sample.ms - from_ms)
    }
}

/// Where virtual time begins.
#[expect(
    clippy::disallowed_methods,
    reason = "there is no other way to an instant; nothing depends on which one it is"
)]
pub(crate) fn start() -> Instant {
    Instant::now()
}

struct Link<'a> {
    scenario: &'a Scenario,
    random: ChaCha8Rng,
    free_us: u64,
    tokens: f64,
    tokens_us: u64,
    run_left: u32,
    last_arrival_us: u64,
}

impl Link<'_> {
    /// When a packet that leaves now arrives, and how long it waited.
    fn send(&mut self, now_us: u64, bytes: u64) -> Option<(u64, u64)> {
        let scenario = self.scenario;
        let lot = share(&mut self.random);
        let jitter = share(&mut self.random) * scenario.jitter_ms as f64;
        if let Some((bps, burst)) = scenario.policer {
            let refill = (now_us - self.tokens_us) as f64 * bps as f64 / 8e6;
            self.tokens = (self.tokens + refill).min(burst as f64);
            self.tokens_us = now_us;
            if self.tokens < bytes as f64 {
                return None;
            }
            self.tokens -= bytes as f64;
        }
        let begin_us = self.free_us.max(now_us);
        let waited_us = begin_us - now_us;
        if waited_us > scenario.queue_ms * 1_000 {
            return None;
        }
        let rate = scenario.rate_at(begin_us / 1_000).max(1);
        self.free_us = begin_us + bytes * 8_000_000 / rate;
        if scenario.gap.contains(&(now_us / 1_000)) {
            return None;
        }
        if self.run_left > 0 {
            self.run_left -= 1;
            return None;
        }
        if lot < scenario.loss / f64::from(scenario.loss_run) {
            self.run_left = scenario.loss_run - 1;
            return None;
        }
        let moved = !scenario.gap.is_empty() && now_us / 1_000 >= scenario.gap.end;
        let after = if moved { scenario.after_gap_ms } else { 0 };
        let delay_ms = scenario.one_way_ms + after;
        let jitter_us = u64::try_from(Duration::from_secs_f64(jitter / 1e3).as_micros());
        let arrival_us = self.free_us + delay_ms * 1_000 + jitter_us.unwrap_or(0);
        self.last_arrival_us = arrival_us.max(self.last_arrival_us);
        Some((self.last_arrival_us, waited_us))
    }
}

/// Receiver: reports every 50 ms, as Chromium does from about 300 kbit/s on.
#[derive(Default)]
struct Receiver {
    /// By extended sequence number from `first` on.
    arrived: VecDeque<Option<u64>>,
    first: u64,
    count: u8,
}

impl Receiver {
    fn arrived(&mut self, sequence: u64, ticks: u64) {
        let index = usize::try_from(sequence - self.first).expect("order is kept");
        while self.arrived.len() <= index {
            self.arrived.push_back(None);
        }
        self.arrived[index] = Some(ticks);
    }

    fn report(&mut self, out: &mut Vec<u8>) {
        while !self.arrived.is_empty() {
            let statuses: Vec<_> = self.arrived.iter().copied().collect();
            let base = SequenceNumber::of(self.first);
            let range = write_transport_feedback(out, 1, 2, self.count, base, &statuses);
            self.count = self.count.wrapping_add(1);
            self.first += u64::from(range.count);
            self.arrived.drain(..usize::from(range.count));
        }
    }
}

struct Sending {
    probe: Probe,
    begun_us: u64,
    sent: usize,
    budget_bits: f64,
}

/// Runs a scenario from a seed.
pub(crate) fn run(scenario: &Scenario, seed: u64) -> Run {
    let begin = start();
    let at = |us: u64| begin + Duration::from_micros(us);
    let mut estimator = Estimator::new(begin, START_BPS);
    estimator.set_wanted(scenario.wanted_bps);
    let mut link = Link {
        scenario,
        random: ChaCha8Rng::seed_from_u64(seed),
        free_us: 0,
        tokens: scenario.policer.map_or(0.0, |(_, burst)| burst as f64),
        tokens_us: 0,
        run_left: 0,
        last_arrival_us: 0,
    };
    let mut receiver = Receiver::default();
    let mut on_the_way: VecDeque<(u64, u64, u64)> = VecDeque::new();
    let mut reports: VecDeque<(u64, Vec<u8>)> = VecDeque::new();
    let (mut sequence, mut budget_bits, mut media_bits) = (0_u64, 0.0_f64, 0.0_f64);
    let mut probing: Option<Sending> = None;
    let mut outgoing: Vec<Option<ProbeId>> = Vec::new();
    let (mut samples, mut queued_ms) = (Vec::new(), Vec::new());
    let (mut delivered_bits, mut possible_bits) = (0.0_f64, 0.0_f64);
    let (mut probes, mut last_queued_ms) = (0, 0.0);
    let (mut sent, mut lost) = (0_u64, 0_u64);

    for ms in 0..scenario.seconds * 1_000 {
        let now_us = ms * 1_000;
        while let Some((_, report)) = reports.pop_front_if(|(due, _)| *due <= now_us) {
            for packet in rtcp::packets(&report) {
                if let Ok(Packet::TransportFeedback(feedback)) = packet {
                    estimator.transport_feedback(at(now_us), &feedback);
                }
            }
        }
        if estimator
            .poll_timeout()
            .is_some_and(|due| due <= at(now_us))
        {
            estimator.handle_timeout(at(now_us));
        }
        if probing.is_none()
            && let Some(probe) = estimator.poll_probe(at(now_us))
        {
            probes += 1;
            probing = Some(Sending {
                probe,
                begun_us: now_us,
                sent: 0,
                budget_bits: PACKET_BITS,
            });
        }
        let (target_bps, pacing_bps) = (estimator.target_bps(), estimator.pacing_bps());
        let mut leaving_bps = pacing_bps as f64;
        if scenario.frame_ms == 0 {
            media_bits = (media_bits + scenario.media_bps as f64 / 1e3).min(200_000.0);
        } else {
            if ms % scenario.frame_ms == 0 {
                let frame_bps = target_bps.min(scenario.media_bps);
                media_bits += frame_bps as f64 * scenario.frame_ms as f64 / 1e3;
            }
            if pacing_bps == target_bps {
                leaving_bps *= 2.5;
            }
        }
        if let Some(sending) = &mut probing {
            sending.budget_bits += sending.probe.bps as f64 / 1e3;
            while sending.budget_bits >= PACKET_BITS {
                sending.budget_bits -= PACKET_BITS;
                media_bits = (media_bits - PACKET_BITS).max(0.0);
                sending.sent += 1;
                outgoing.push(Some(sending.probe.id));
            }
            let lasted = Duration::from_micros(now_us + 1_000 - sending.begun_us);
            if lasted >= sending.probe.duration && sending.sent >= sending.probe.packets_min {
                probing = None;
            }
        } else {
            budget_bits = (budget_bits + leaving_bps / 1e3).min(20_000.0);
            while budget_bits >= PACKET_BITS && media_bits >= PACKET_BITS {
                budget_bits -= PACKET_BITS;
                media_bits -= PACKET_BITS;
                outgoing.push(None);
            }
            let limited = scenario.frame_ms == 0 && media_bits < PACKET_BITS;
            estimator.set_application_limited(at(now_us), limited);
        }
        for probe in outgoing.drain(..) {
            estimator.packet_sent(SentPacket {
                sequence: SequenceNumber::of(sequence).0,
                ssrc: 7,
                rtp_sequence: SequenceNumber::of(sequence),
                bytes: PACKET_BYTES,
                at: at(now_us),
                probe,
            });
            let arrival = link.send(now_us, PACKET_BYTES as u64);
            if ms >= WARM_UP_MS {
                sent += 1;
                lost += u64::from(arrival.is_none());
            }
            if let Some((arrival_us, waited_us)) = arrival {
                on_the_way.push_back((arrival_us, sequence, waited_us));
            }
            sequence += 1;
        }
        while let Some((arrival_us, sequence, waited_us)) =
            on_the_way.pop_front_if(|(arrival_us, ..)| *arrival_us <= now_us)
        {
            receiver.arrived(sequence, arrival_us / TICK_US + CLOCK_TICKS);
            last_queued_ms = waited_us as f64 / 1e3;
            if ms >= WARM_UP_MS {
                queued_ms.push(last_queued_ms);
                delivered_bits += PACKET_BITS;
            }
        }
        if ms % REPORT_MS == 0 {
            let mut report = Vec::new();
            receiver.report(&mut report);
            reports.push_back((now_us + scenario.one_way_ms * 1_000, report));
        }
        if ms >= WARM_UP_MS {
            let possible = scenario.truth_at(ms).min(scenario.media_bps);
            possible_bits += possible as f64 / 1e3 * (1.0 - scenario.loss);
        }
        if ms % SAMPLE_MS == 0 {
            samples.push(Sample {
                ms,
                truth_bps: scenario.truth_at(ms),
                target_bps: estimator.target_bps(),
                pacing_bps: estimator.pacing_bps(),
                queued_ms: last_queued_ms,
            });
        }
    }
    queued_ms.sort_by(f64::total_cmp);
    Run {
        scenario: scenario.clone(),
        samples,
        queued_ms,
        utilisation: delivered_bits / possible_bits,
        lost: lost as f64 / sent as f64,
        probes,
    }
}

const START_BPS: u64 = 300_000;
const PACKET_BYTES: usize = 1_200;
const PACKET_BITS: f64 = 9_600.0;
const REPORT_MS: u64 = 50;
const SAMPLE_MS: u64 = 20;
/// The first seconds are the join, which has a goal of its own.
pub(crate) const WARM_UP_MS: u64 = 2_000;
/// The receiver's clock is another one.
const CLOCK_TICKS: u64 = 123_456_789;
