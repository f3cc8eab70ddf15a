//! When a peer's packets may leave: a queue, a budget of bytes, and the estimate that fills it.
//!
//! Audio and RTCP never wait. Video and what is sent again wait while the budget is in debt, as
//! references to the packet cache. The budget grows with [`PACING_FACTOR`] times the estimate and
//! holds at most [`PACER_BURST`] of it, so that a key frame does not overrun a router's queue; what
//! fits into it leaves at once and is never queued. Nothing waits before the first feedback, nor ever
//! where there is none.

use super::Handle;
use super::receive::count;
use super::retransmission::Resend;
use super::sequence_map::Place;
use super::subscriber::Subscription;
use crate::bandwidth::{Estimator, Probe, ProbeId, SentPacket};
use crate::limits::{
    APPLICATION_LIMIT_WINDOW, ESTIMATE_START_BPS, PACER_BURST, PACER_BURST_BYTES_MIN,
    PACER_DEBT_MAX, PACER_PACKETS_MAX, PACER_QUEUE_KEY_FRAME_MAX, PACER_QUEUE_MAX,
    PACER_RESENDS_MAX, PATH_TRIAL, RESEND_BYTES_PER_SECOND_MIN,
};
use crate::rtcp::{CongestionFeedback, TransportFeedback};
use bedside_protocol::Layer;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A video packet that has its place in the subscriber's stream and waits for its turn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Queued {
    pub(super) subscription: Handle<Subscription>,
    pub(super) layer: Layer,
    /// The publisher's number, under which it is cached.
    pub(super) sequence: u64,
    pub(super) place: Place,
    pub(super) bytes: usize,
    /// Since when it waits.
    pub(super) since: Instant,
}

/// What may leave next.
#[derive(Clone, Copy, Debug)]
pub(super) enum Release {
    /// Something that was asked for again.
    Resend(Resend),
    /// A packet that waited.
    Media(Queued),
    /// Anything: a probe needs more than what there is to send.
    Padding,
}

pub(super) struct Pacer {
    estimator: Estimator,
    /// Since when feedback has come.
    paced_since: Option<Instant>,
    /// What may leave, in millionths of a bit; negative after more has left.
    credit: i64,
    filled: Instant,
    resends: VecDeque<Resend>,
    media: VecDeque<Queued>,
    /// In `media`.
    queued_bytes: u64,
    /// When something that a decoder can start with came last.
    started: Option<Instant>,
    probe: Option<ActiveProbe>,
    /// Bytes that left since the window began.
    window: (Instant, u64),
    /// Since the last statistics.
    longest_wait: Duration,
}

/// A probe that is being sent.
#[derive(Clone, Copy, Debug)]
struct ActiveProbe {
    id: ProbeId,
    bps: u64,
    packets_left: usize,
    until: Instant,
}

impl Pacer {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            estimator: Estimator::new(now, ESTIMATE_START_BPS),
            paced_since: None,
            credit: 0,
            filled: now,
            resends: VecDeque::new(),
            media: VecDeque::new(),
            queued_bytes: 0,
            started: None,
            probe: None,
            window: (now, 0),
            longest_wait: Duration::ZERO,
        }
    }

    /// Bits a second that the path is believed to take; `None` before the first feedback.
    pub(super) fn target_bps(&self) -> Option<u64> {
        self.paced_since.map(|_| self.estimator.target_bps())
    }

    /// What could be used, bits a second: there is no probing beyond it.
    pub(super) fn set_wanted(&mut self, bps: u64) {
        self.estimator.set_wanted(bps);
    }

    /// Whether the path has not been tried for long enough to take the estimate for its limit.
    pub(super) fn is_being_tried(&self, now: Instant) -> bool {
        self.paced_since
            .is_none_or(|since| now.saturating_duration_since(since) < PATH_TRIAL)
    }

    /// Bytes a second that may be sent again; `None` before the first feedback.
    pub(super) fn resend_rate(&self) -> Option<u64> {
        // Half of the path: repair must not crowd out what it repairs.
        let half = self.target_bps()? / 8 / 2;
        Some(half.max(RESEND_BYTES_PER_SECOND_MIN))
    }

    /// Bytes that may leave now. More than there ever are while nothing is paced.
    pub(super) fn credit_bytes(&mut self, now: Instant) -> i64 {
        if self.paced_since.is_none() {
            return i64::MAX;
        }
        self.fill(now);
        self.credit.div_euclid(BYTE)
    }

    /// Whether what arrives has to wait behind something.
    pub(super) fn has_media(&self) -> bool {
        !self.media.is_empty()
    }

    pub(super) fn has_resends(&self) -> bool {
        !self.resends.is_empty()
    }

    /// Something that a decoder can start with leaves or is going to wait: what follows is large.
    pub(super) fn note_start(&mut self, now: Instant) {
        self.started = Some(now);
    }

    pub(super) fn push_media(&mut self, queued: Queued) {
        self.queued_bytes += count(queued.bytes);
        self.media.push_back(queued);
    }

    /// Whether there is room; one that waits already is not queued twice.
    pub(super) fn push_resend(&mut self, resend: Resend) -> bool {
        if self.resends.len() >= PACER_RESENDS_MAX || self.resends.contains(&resend) {
            return false;
        }
        self.resends.push_back(resend);
        true
    }

    /// What leaves next, if the budget were not used up; the caller asks while it is not.
    pub(super) fn release(&mut self, now: Instant) -> Option<Release> {
        if let Some(resend) = self.resends.pop_front() {
            return Some(Release::Resend(resend));
        }
        if let Some(queued) = self.media.pop_front() {
            self.queued_bytes -= count(queued.bytes);
            let waited = now.saturating_duration_since(queued.since);
            self.longest_wait = self.longest_wait.max(waited);
            return Some(Release::Media(queued));
        }
        self.probing(now).map(|_| Release::Padding)
    }

    /// A packet of `bytes` has left; `packet` if it has a transport-wide number.
    pub(super) fn sent(&mut self, now: Instant, bytes: usize, packet: Option<SentPacket>) {
        self.credit -= i64::try_from(bytes).unwrap_or(i64::MAX / BYTE) * BYTE;
        self.window.1 += count(bytes);
        let probe = self.probe.as_mut().map(|probe| {
            probe.packets_left = probe.packets_left.saturating_sub(1);
            probe.id
        });
        if let Some(packet) = packet {
            self.estimator.packet_sent(SentPacket { probe, ..packet });
        }
        self.probing(now);
    }

    /// There is nothing that a probe could be filled with.
    pub(super) fn abandon_probe(&mut self) {
        self.probe = None;
    }

    /// How long the last packet in the queue will wait.
    pub(super) fn queue_delay(&self) -> Duration {
        let bits = self.queued_bytes.saturating_mul(8_000_000);
        Duration::from_micros(bits / self.rate_bps().max(1))
    }

    /// Whether more waits than may.
    pub(super) fn is_overfull(&self, now: Instant) -> bool {
        let recent_start = self.started.is_some_and(|started| {
            now.saturating_duration_since(started) < PACER_QUEUE_KEY_FRAME_MAX * 2
        });
        let longest = if recent_start {
            PACER_QUEUE_KEY_FRAME_MAX
        } else {
            PACER_QUEUE_MAX
        };
        self.media.len() > PACER_PACKETS_MAX || self.queue_delay() > longest
    }

    /// Bytes that wait of one subscription.
    pub(super) fn queued_bytes_of(&self, subscription: Handle<Subscription>) -> u64 {
        let of_it = self
            .media
            .iter()
            .filter(|queued| queued.subscription == subscription);
        of_it.map(|queued| count(queued.bytes)).sum()
    }

    /// Drops what waits of one subscription. How many packets that were.
    pub(super) fn purge(&mut self, subscription: Handle<Subscription>) -> usize {
        let before = self.media.len();
        self.media
            .retain(|queued| queued.subscription != subscription);
        self.resends
            .retain(|resend| resend.subscription != subscription);
        self.queued_bytes = self.media.iter().map(|queued| count(queued.bytes)).sum();
        before - self.media.len()
    }

    pub(super) fn transport_feedback(&mut self, now: Instant, feedback: &TransportFeedback<'_>) {
        self.begin(now);
        self.note_application_limit(now);
        self.estimator.transport_feedback(now, feedback);
        self.take_probe(now);
    }

    pub(super) fn congestion_feedback(&mut self, now: Instant, feedback: &CongestionFeedback<'_>) {
        self.begin(now);
        self.note_application_limit(now);
        self.estimator.congestion_feedback(now, feedback);
        self.take_probe(now);
    }

    /// A receiver's own estimate.
    pub(super) fn receiver_estimate(&mut self, now: Instant, bps: u64) {
        self.begin(now);
        self.note_application_limit(now);
        self.estimator.receiver_estimate(now, bps);
        self.take_probe(now);
    }

    /// A receiver report: the share of packets lost since the last one.
    pub(super) fn receiver_report(
        &mut self,
        now: Instant,
        fraction_lost: f32,
        round_trip: Option<Duration>,
    ) {
        self.estimator
            .receiver_report(now, fraction_lost, round_trip);
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.paced_since.is_some() {
            self.note_application_limit(now);
            self.estimator.handle_timeout(now);
            self.take_probe(now);
        }
    }

    /// When it has to be looked at next.
    pub(super) fn next(&self) -> Option<Instant> {
        self.paced_since?;
        let waits = self.has_media() || self.has_resends();
        let turn = (waits || self.probe.is_some()).then(|| {
            let debt = u64::try_from(BYTE - self.credit).unwrap_or(0);
            let paid = Duration::from_micros(debt.div_ceil(self.rate_bps().max(1)));
            // A probe is sent evenly; else as much at once as may be, since a wake-up costs more
            // than a packet.
            let pause = match self.probe {
                Some(_) => Duration::ZERO,
                None => PACER_BURST,
            };
            self.filled + paid.max(pause)
        });
        turn.into_iter().chain(self.estimator.poll_timeout()).min()
    }

    /// The longest time that a packet waited since the last call.
    pub(super) fn take_longest_wait(&mut self) -> Duration {
        std::mem::take(&mut self.longest_wait)
    }

    fn begin(&mut self, now: Instant) {
        if self.paced_since.is_none() {
            self.paced_since = Some(now);
            self.credit = 0;
            self.filled = now;
            self.window = (now, 0);
        }
    }

    fn rate_bps(&self) -> u64 {
        if let Some(probe) = &self.probe {
            return probe.bps;
        }
        let (target, now) = (self.estimator.target_bps(), self.estimator.pacing_bps());
        if now < target {
            // A queue on the path is to drain: no faster than that.
            now
        } else {
            target.saturating_mul(PACING_FACTOR.0) / PACING_FACTOR.1
        }
    }

    fn fill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.filled).min(FILL_MAX);
        self.filled = now;
        let rate = i64::try_from(self.rate_bps()).unwrap_or(i64::MAX);
        let over = |time: Duration| {
            rate.saturating_mul(i64::try_from(time.as_micros()).unwrap_or(i64::MAX))
        };
        let most = over(PACER_BURST).max(PACER_BURST_BYTES_MIN * BYTE);
        self.credit = self
            .credit
            .saturating_add(over(elapsed))
            .clamp(over(PACER_DEBT_MAX).saturating_neg(), most);
    }

    /// The probe, unless it is over by now.
    fn probing(&mut self, now: Instant) -> Option<ProbeId> {
        if self
            .probe
            .is_some_and(|probe| probe.packets_left == 0 && probe.until <= now)
        {
            // At its own rate up to here.
            self.fill(now);
            self.probe = None;
        }
        self.probe.map(|probe| probe.id)
    }

    fn take_probe(&mut self, now: Instant) {
        if self.probing(now).is_none()
            && let Some(probe) = self.estimator.poll_probe(now)
        {
            let Probe {
                id,
                bps,
                packets_min,
                duration,
            } = probe;
            self.fill(now);
            self.credit = self.credit.max(BYTE);
            self.probe = Some(ActiveProbe {
                id,
                bps,
                packets_left: packets_min,
                until: now + duration,
            });
        }
    }

    /// Tells the estimator whether there was less to send than the path is believed to take: what
    /// arrives then says nothing of where the path ends.
    fn note_application_limit(&mut self, now: Instant) {
        let (began, bytes) = self.window;
        let elapsed = now.saturating_duration_since(began);
        if elapsed < APPLICATION_LIMIT_WINDOW {
            return;
        }
        let elapsed_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        let sent_bps = bytes.saturating_mul(8_000_000) / elapsed_us;
        let limited = !self.has_media() && sent_bps < self.estimator.target_bps() / 10 * 7;
        self.estimator.set_application_limited(now, limited);
        self.window = (now, 0);
    }
}

/// Video leaves at this multiple of the estimate, so that a frame is through before the next
/// comes (as in libwebrtc's pacer).
const PACING_FACTOR: (u64, u64) = (5, 2);

/// A byte of credit: the product of microseconds and bits a second is in millionths of a bit.
const BYTE: i64 = 8_000_000;

/// Longer than the budget takes to fill from the deepest debt.
const FILL_MAX: Duration = Duration::from_millis(1_000);

#[cfg(test)]
mod tests;
