//! How much one transport's path takes: a send-side bandwidth estimate.
//!
//! A state machine without I/O or clock. The pacer says what it sent, RTCP what became of it; the
//! estimate, what may leave now and when to probe come out. `docs/internals/bandwidth.md` has the
//! states and the reasons.

use crate::rtcp::TransportFeedback;
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
    target_bps: u64,
    receiver_bps: Option<u64>,
}

impl Estimator {
    /// An estimator that believes in `start_bps` until it knows better.
    #[must_use]
    pub fn new(now: Instant, start_bps: u64) -> Self {
        let _ = now;
        Self {
            target_bps: start_bps,
            receiver_bps: None,
        }
    }

    /// A packet has left.
    pub fn packet_sent(&mut self, packet: SentPacket) {
        let _ = packet;
    }

    /// Transport-wide feedback has arrived.
    pub fn transport_feedback(&mut self, now: Instant, feedback: &TransportFeedback<'_>) {
        let _ = (now, feedback);
    }

    /// REMB: an upper bound; while there is no transport-wide feedback, the estimate.
    pub fn receiver_estimate(&mut self, now: Instant, bps: u64) {
        let _ = now;
        self.receiver_bps = Some(bps);
    }

    /// A receiver report: loss since the last one, 0.0 to 1.0, and the round trip if it told one.
    pub fn receiver_report(
        &mut self,
        now: Instant,
        fraction_lost: f32,
        round_trip: Option<Duration>,
    ) {
        let _ = (now, fraction_lost, round_trip);
    }

    /// Whether the pacer has less to send than it may.
    pub fn set_application_limited(&mut self, now: Instant, limited: bool) {
        let _ = (now, limited);
    }

    /// What the allocation could use, bits per second; there is no probing beyond it.
    pub fn set_wanted(&mut self, bps: u64) {
        let _ = bps;
    }

    /// What the path is believed to take for as long as nothing changes, bits per second: what the
    /// allocation distributes.
    #[must_use]
    pub fn target_bps(&self) -> u64 {
        self.receiver_bps.unwrap_or(self.target_bps)
    }

    /// What may leave now, bits per second: what the pacer keeps to. Equal to the target, except
    /// that it is lower for a moment while a queue on the path drains. Audio may exceed it.
    #[must_use]
    pub fn pacing_bps(&self) -> u64 {
        self.target_bps()
    }

    /// Smoothed round-trip time, once known.
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        None
    }

    /// Share of packets lost lately, 0.0 to 1.0.
    #[must_use]
    pub fn loss(&self) -> f32 {
        0.0
    }

    /// A probe to send now. Ask after feedback and timeouts.
    pub fn poll_probe(&mut self, now: Instant) -> Option<Probe> {
        let _ = now;
        None
    }

    /// When [`Self::handle_timeout`] is due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        let _ = now;
    }
}
