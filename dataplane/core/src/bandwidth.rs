//! How much one transport's path takes: a send-side bandwidth estimate.
//!
//! A state machine without I/O or clock. The pacer says what it sent, RTCP what became of it; the
//! estimate, what may leave now and when to probe come out. `docs/internals/bandwidth.md` has the
//! states and the reasons.

mod delivered;
mod history;
mod loss;
mod probing;
mod queue;
mod rate;
mod trend;

use self::delivered::Delivered;
use self::history::{History, Sent};
use self::loss::{Loss, Verdict};
use self::probing::Probing;
use self::queue::Queue;
use self::rate::{Observed, Rate};
use self::trend::Trend;
use crate::rtcp::{CongestionFeedback, TICK_US, TransportFeedback};
use crate::rtp::SequenceNumber;
use std::time::{Duration, Instant};

/// A packet as it left.
#[derive(Clone, Copy, Debug)]
pub struct SentPacket {
    /// Transport-wide sequence number: one numbering over all streams of the transport,
    /// retransmissions and padding included.
    pub sequence: u16,
    /// The stream's SSRC, which RFC 8888 names packets by.
    pub ssrc: u32,
    /// The RTP sequence number on that stream.
    pub rtp_sequence: SequenceNumber,
    /// The UDP payload: header, extensions, sealed payload and tag; without IP and UDP. All rates
    /// here count the same bytes.
    pub bytes: usize,
    /// When it left.
    pub at: Instant,
    /// The probe that it was sent for, whether it is media or padding.
    pub probe: Option<ProbeId>,
}

/// Which probe a packet belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProbeId(u8);

/// A request to send faster than the target for a short time, to see what arrives: media first,
/// then padding. It is over when both `duration` has passed and `packets_min` have left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Probe {
    /// Goes into each [`SentPacket`] that is sent for it.
    pub id: ProbeId,
    /// Rate to send at, all packets together, bits per second.
    pub bps: u64,
    /// Packets to send, at least.
    pub packets_min: usize,
    /// How long to send, at least.
    pub duration: Duration,
}

/// The bandwidth estimate of one transport.
#[derive(Debug)]
pub struct Estimator {
    begin: Instant,
    history: History,
    trend: Trend,
    queue: Queue,
    delivered: Delivered,
    loss: Loss,
    probing: Probing,
    rate: Rate,
    /// Reference times of feedback, without their wraps.
    reference: Option<Reference>,
    /// Fates that one feedback brought, in the order of sending; kept for its memory.
    fates: Vec<(Sent, Option<Arrival>)>,
    round_trip: Option<Duration>,
    /// When feedback last brought news, and the last packet that it told of left.
    heard_us: u64,
    latest: Latest,
    last_sent_us: u64,
    /// When time was last told.
    now_us: u64,
    receiver_bps: Option<u64>,
    /// Loss by receiver reports, for want of anything better.
    reported_loss: f32,
    has_feedback: bool,
    application_limited: bool,
    wanted_bps: u64,
}

/// When a packet arrived, on the receiver's clock, and whether the network marked it.
#[derive(Clone, Copy, Debug)]
struct Arrival {
    us: i64,
    marked: bool,
}

/// The last packet that feedback told of.
#[derive(Clone, Copy, Default, Debug)]
struct Latest {
    sent_us: u64,
    /// Bytes sent up to and with it.
    sent_bytes: u64,
}

/// A counter of the receiver that wraps.
#[derive(Clone, Copy, Debug)]
struct Reference {
    raw: u32,
    unwrapped: i64,
}

impl Reference {
    /// Follows the counter, `bits` wide, to `raw`: by the shorter way round.
    fn follow(&mut self, raw: u32, bits: u32) {
        let unused = 32 - bits;
        let ahead = (raw.wrapping_sub(self.raw) << unused).cast_signed() >> unused;
        self.raw = raw;
        self.unwrapped = self.unwrapped.saturating_add(i64::from(ahead));
    }
}

impl Estimator {
    /// An estimator that believes in `start_bps` until it knows better. It never asks for less than
    /// 30 kbit/s.
    #[must_use]
    pub fn new(now: Instant, start_bps: u64) -> Self {
        Self {
            begin: now,
            history: History::new(),
            trend: Trend::new(),
            queue: Queue::new(),
            delivered: Delivered::new(),
            loss: Loss::new(),
            probing: Probing::new(),
            rate: Rate::new(start_bps as f64),
            reference: None,
            fates: Vec::new(),
            round_trip: None,
            heard_us: 0,
            latest: Latest::default(),
            last_sent_us: 0,
            now_us: 0,
            receiver_bps: None,
            reported_loss: 0.0,
            has_feedback: false,
            application_limited: false,
            wanted_bps: start_bps,
        }
    }

    /// A packet has left.
    pub fn packet_sent(&mut self, packet: SentPacket) {
        let sent_us = self.us(packet.at);
        if self.history.sent_bytes() == self.latest.sent_bytes {
            // Nothing was under way: silence was ours.
            self.heard_us = self.heard_us.max(sent_us);
        }
        self.last_sent_us = sent_us;
        self.history.push(&packet, sent_us);
        if let Some(probe) = packet.probe {
            let bytes = u16::try_from(packet.bytes).unwrap_or(u16::MAX);
            self.probing.sent(probe, sent_us, bytes);
        }
    }

    /// Transport-wide feedback has arrived. What it says of packets that were never sent, or were
    /// reported before, or lies beyond a malformed chunk, is ignored.
    pub fn transport_feedback(&mut self, now: Instant, feedback: &TransportFeedback<'_>) {
        let reference_us = self
            .follow(feedback.reference, 24)
            .saturating_mul(REFERENCE_US);
        let (history, fates) = (&mut self.history, &mut self.fates);
        // Statuses before something malformed are as good as others.
        feedback.for_each(|sequence, ticks| {
            if let Some(sent) = history.resolve(sequence, ticks.is_some()) {
                let arrival = ticks.map(|ticks| Arrival {
                    us: reference_us.saturating_add(ticks * TICK_US.cast_signed()),
                    marked: false,
                });
                fates.push((sent, arrival));
            }
        });
        self.take_fates(now);
    }

    /// RFC 8888 feedback has arrived. It names packets by SSRC and RTP sequence number.
    pub fn congestion_feedback(&mut self, now: Instant, feedback: &CongestionFeedback<'_>) {
        let report = self.follow(feedback.report_time, 32);
        let report_us = report.saturating_mul(1_000_000) / 65_536;
        let (history, fates) = (&mut self.history, &mut self.fates);
        feedback.for_each(|ssrc, sequence, arrival| {
            if let Some(sent) = history.resolve_stream(ssrc, sequence, arrival.is_some()) {
                let arrival = arrival.map(|arrival| {
                    // A time that is not known is the report's: late rather than never.
                    let before = i64::from(arrival.before_report.unwrap_or(0));
                    Arrival {
                        us: report_us.saturating_sub(before * 1_000_000 / 1_024),
                        marked: arrival.congestion_marked,
                    }
                });
                fates.push((sent, arrival));
            }
        });
        self.fates.sort_unstable_by_key(|(sent, _)| sent.sent_bytes);
        self.take_fates(now);
    }

    /// REMB: an upper bound; while there is no feedback about packets, the estimate.
    pub fn receiver_estimate(&mut self, now: Instant, bps: u64) {
        self.receiver_bps = Some(bps);
        if !self.has_feedback {
            self.heard_us = self.us(now);
        }
    }

    /// A receiver report: loss since the last one, 0.0 to 1.0, and the round trip if it told one.
    /// Both count only while there is no feedback about packets.
    pub fn receiver_report(
        &mut self,
        now: Instant,
        fraction_lost: f32,
        round_trip: Option<Duration>,
    ) {
        if self.has_feedback {
            return;
        }
        self.heard_us = self.us(now);
        self.reported_loss = fraction_lost.clamp(0.0, 1.0);
        if let Some(sample) = round_trip {
            self.smooth_round_trip(sample);
        }
    }

    /// Whether the pacer has less to send than it may: the target does not grow by what was not
    /// tried. Probes still show more.
    pub fn set_application_limited(&mut self, _now: Instant, limited: bool) {
        self.application_limited = limited;
    }

    /// What the allocation could use, bits per second; there is no probing beyond it. At first the
    /// start rate.
    pub fn set_wanted(&mut self, bps: u64) {
        self.wanted_bps = bps;
    }

    /// What the path is believed to take for as long as nothing changes, bits per second: what the
    /// allocation distributes.
    #[must_use]
    pub fn target_bps(&self) -> u64 {
        match self.receiver_bps {
            Some(receiver_bps) if !self.has_feedback => receiver_bps,
            Some(receiver_bps) => receiver_bps.min(whole_bps(self.rate.target_bps())),
            None => whole_bps(self.rate.target_bps()),
        }
    }

    /// What may leave now, bits per second: what the pacer keeps to. Equal to the target, except
    /// that it is lower for a moment while a queue on the path drains. Audio may exceed it.
    #[must_use]
    pub fn pacing_bps(&self) -> u64 {
        let target_bps = self.target_bps();
        if self.rate.is_draining() {
            target_bps.min(whole_bps(self.rate.pacing_bps()))
        } else {
            target_bps
        }
    }

    /// Smoothed round-trip time, the receiver's wait for its feedback included, once known.
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// Share of packets lost lately, 0.0 to 1.0.
    #[must_use]
    pub fn loss(&self) -> f32 {
        if self.has_feedback {
            single(self.loss.smoothed())
        } else {
            self.reported_loss
        }
    }

    /// A probe to send now. Ask after feedback and timeouts.
    pub fn poll_probe(&mut self, now: Instant) -> Option<Probe> {
        let now_us = self.us(now);
        // The first probe may go before any feedback, the next ones wait for it. A receiver that
        // estimates by itself needs none.
        let asked = self.probing.has_asked() || self.receiver_bps.is_some();
        let unheard = !self.has_feedback && (self.last_sent_us == 0 || asked);
        if unheard || self.rate.is_draining() || self.loss.is_trying() {
            return None;
        }
        if self.queue.standing_s() > PROBE_QUEUE_S {
            return None;
        }
        let most_bps = self
            .loss
            .ceiling_bps(now_us)
            .min(self.receiver_bps.map_or(f64::MAX, |bps| bps as f64))
            .min(self.wanted_bps as f64 * BEYOND_WANTED);
        self.probing.poll(now_us, self.rate.target_bps(), most_bps)
    }

    /// When [`Self::handle_timeout`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let silence = self
            .awaits_feedback()
            .then_some(self.heard_us + self.silence_us());
        let drained = self.rate.drained_us();
        // One that is overdue waits for feedback to allow it, not for a time.
        let probe = Some(self.probing.due_us()).filter(|due_us| {
            *due_us > self.now_us && self.wanted_bps as f64 > self.rate.target_bps()
        });
        let next = [silence, drained, probe].into_iter().flatten().min()?;
        Some(self.begin + Duration::from_micros(next))
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now_us = self.us(now);
        self.now_us = now_us;
        self.rate.time_passed(now_us);
        self.probing.expire(now_us);
        if self.awaits_feedback() && now_us >= self.heard_us + self.silence_us() {
            // Nothing comes back: half, and half again, until something does.
            self.heard_us = now_us;
            self.rate.silence();
            self.probing.changed(now_us);
            self.loss.restart(now_us);
        }
    }

    /// Whether packets are under way that feedback should come for. The last one before a pause may
    /// be lost, and nobody reports it.
    fn awaits_feedback(&self) -> bool {
        self.has_feedback
            && self.history.sent_bytes() > self.latest.sent_bytes
            && self.last_sent_us + self.silence_us() > self.heard_us
    }

    fn silence_us(&self) -> u64 {
        let round_trip = self.round_trip.map_or(0, micros);
        SILENCE_US.max(3 * round_trip)
    }

    fn us(&self, at: Instant) -> u64 {
        // Instants before the beginning count as the beginning.
        micros(at.saturating_duration_since(self.begin))
    }

    fn follow(&mut self, raw: u32, bits: u32) -> i64 {
        let reference = self.reference.get_or_insert_with(|| Reference {
            raw,
            unwrapped: i64::from(raw),
        });
        reference.follow(raw, bits);
        reference.unwrapped
    }

    fn smooth_round_trip(&mut self, sample: Duration) {
        self.round_trip = Some(match self.round_trip {
            Some(smoothed) => (smoothed * 7 + sample) / 8,
            None => sample,
        });
    }

    /// Works through [`Self::fates`] and decides.
    fn take_fates(&mut self, now: Instant) {
        let now_us = self.us(now);
        let mut fates = std::mem::take(&mut self.fates);
        self.queue.begin();
        let (mut arrived, mut marked) = (0_u32, 0_u32);
        for (sent, arrival) in fates.drain(..) {
            let Some(arrival) = arrival else {
                self.loss.lost(sent.sent_us);
                continue;
            };
            arrived += 1;
            marked += u32::from(arrival.marked);
            self.loss.arrived(sent.sent_us, sent.was_lost());
            self.delivered.arrived(arrival.us, sent.bytes);
            self.queue.arrived(sent.sent_us, arrival.us);
            self.trend.arrived(sent.sent_us, arrival.us);
            if let Some(probe) = sent.probe {
                self.probing
                    .arrived(probe, sent.sent_us, arrival.us, sent.bytes);
            }
            if sent.sent_bytes > self.latest.sent_bytes {
                self.latest = Latest {
                    sent_us: sent.sent_us,
                    sent_bytes: sent.sent_bytes,
                };
            }
        }
        self.fates = fates;
        if arrived == 0 {
            return;
        }
        self.has_feedback = true;
        self.now_us = now_us;
        self.heard_us = now_us;
        let sample_us = now_us.saturating_sub(self.latest.sent_us);
        self.smooth_round_trip(Duration::from_micros(sample_us));
        let marks = f64::from(marked) / f64::from(arrived);
        self.decide(now_us, sample_us, marks);
    }

    fn decide(&mut self, now_us: u64, age_us: u64, marks: f64) {
        let observed = Observed {
            now_us,
            usage: self.trend.usage(),
            standing_s: self.queue.standing_s(),
            last_s: self.queue.last_s(),
            busy_bps: self.delivered.bps(self.queue.busy_since_us()),
            delivered_bps: self.delivered.bps(i64::MIN),
            under_way_bits: (self.history.sent_bytes() - self.latest.sent_bytes) as f64 * 8.0,
            age_s: age_us as f64 / 1e6,
            round_trip_s: self.round_trip.map_or(0.1, |rtt| rtt.as_secs_f64()),
            application_limited: self.application_limited,
            most_bps: self.loss.ceiling_bps(now_us),
            frozen: self.loss.is_trying(),
            marks,
        };
        let before_bps = self.rate.target_bps();
        let outcome = self.rate.update(&observed);
        if outcome.rebase {
            self.queue.rebase();
        }
        if outcome.reduced {
            self.loss.restart(now_us);
            if self.rate.target_bps() < before_bps * CHANGED {
                self.probing.changed(now_us);
            }
        } else if !self.rate.is_draining() {
            self.judge_loss(now_us);
        }
        if let Some(shown) = self.probing.evaluate(self.latest.sent_us, self.loss.own()) {
            if self.rate.probed(now_us, shown) > GAINED {
                self.probing.gained(now_us, shown.saturated);
            } else {
                self.probing.settled(now_us);
            }
        }
        self.probing.expire(now_us);
    }

    fn judge_loss(&mut self, now_us: u64) {
        let target_bps = self.rate.target_bps();
        let delivered_bps = self.delivered.bps(i64::MIN);
        match self.loss.evaluate(
            now_us,
            self.latest.sent_us,
            target_bps,
            delivered_bps,
            self.application_limited,
        ) {
            Some(Verdict::Try(bps)) => self.rate.set(bps),
            Some(Verdict::Restore(bps)) => self.rate.set(bps.max(target_bps)),
            None => {}
        }
    }
}

/// The whole bits per second of a rate, which is bounded by `rate::BPS_MAX`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between zero and the bound after clamping; a NaN becomes zero"
)]
fn whole_bps(bps: f64) -> u64 {
    bps.clamp(0.0, rate::BPS_MAX) as u64
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a share needs no more digits than an f32 has"
)]
fn single(share: f64) -> f32 {
    share as f32
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Microseconds of a time in seconds, between none and a minute.
fn micros_of(seconds: f64) -> u64 {
    if seconds.is_nan() {
        return 0;
    }
    micros(Duration::from_secs_f64(seconds.clamp(0.0, 60.0)))
}

/// Microseconds in a reference time's unit.
const REFERENCE_US: i64 = 64_000;

/// Without feedback for this long, or three round trips, while packets are under way, less is sent:
/// twice the longest interval that receivers report in.
const SILENCE_US: u64 = 500_000;

/// No probe adds to a queue that stands already.
const PROBE_QUEUE_S: f64 = 0.015;

/// Room above what is wanted, so that it is not lost to noise.
const BEYOND_WANTED: f64 = 1.1;

/// A rise by this factor, and a reduction below this share, mean that the path has changed.
const GAINED: f64 = 1.1;
const CHANGED: f64 = 0.85;

#[cfg(test)]
mod tests;
