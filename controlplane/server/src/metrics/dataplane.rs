//! What the data plane's events say in numbers.

use super::{Direction, Metrics};
use bedside_protocol::{Event, PeerId, PeerStatistics, TrackStatistics};
use std::collections::HashMap;

/// Adds events up. Peers are told apart only to add their newest figures up; a peer is forgotten
/// when it closes, all of them when the data plane is gone.
#[derive(Debug)]
pub(crate) struct Tally {
    metrics: Metrics,
    peers: HashMap<PeerId, PeerStatistics>,
}

impl Tally {
    pub(crate) fn new(metrics: Metrics) -> Self {
        Self {
            metrics,
            peers: HashMap::new(),
        }
    }

    pub(crate) fn event(&mut self, event: &Event) {
        match event {
            Event::PeerConnected {
                dtls,
                srtp,
                candidate,
                ..
            } => self
                .metrics
                .peers_connected
                .count((*dtls, *srtp, *candidate)),
            Event::PeerClosed { peer, reason } => {
                self.metrics.peers_closed.count((*reason,));
                self.peers.remove(peer);
                self.add_up();
            }
            Event::Statistics { peers, tracks } => {
                for peer in peers {
                    self.peer(peer);
                }
                for track in tracks {
                    self.track(track);
                }
                self.add_up();
            }
            _ => {}
        }
    }

    /// The data plane is gone, and its peers' figures with it.
    pub(crate) fn disconnected(&mut self) {
        self.peers.clear();
        self.add_up();
    }

    fn peer(&mut self, statistics: &PeerStatistics) {
        let metrics = &self.metrics;
        metrics.retransmitted.add((), statistics.retransmitted);
        if let Some(milliseconds) = statistics.rtt_ms {
            metrics.round_trip.observe((), seconds(milliseconds));
        }
        if let Some(bits) = statistics.estimate_bps {
            let bits = u32::try_from(bits).unwrap_or(u32::MAX);
            metrics.estimate.observe((), f64::from(bits));
        }
        if statistics.sent_bps > 0 {
            let waited = seconds(statistics.queue_delay_ms);
            metrics.queue_delay.observe((), waited);
            let sent = (Direction::Sent,);
            let loss = f64::from(statistics.downlink_loss);
            metrics.loss.observe(sent, loss);
            metrics
                .jitter
                .observe(sent, seconds(statistics.downlink_jitter_ms));
        }
        let Some(peer) = statistics.peer else {
            return;
        };
        // Counted since it connected.
        let before = self.peers.insert(peer, *statistics);
        let before = before.map_or(0, |before| before.rejected);
        let rejected = statistics.rejected.saturating_sub(before);
        metrics.rejected.add((), rejected);
    }

    fn track(&self, statistics: &TrackStatistics) {
        let metrics = &self.metrics;
        metrics.nacked.add((), statistics.nacked);
        metrics
            .key_frame_requests
            .add((), statistics.key_frame_requests);
        if statistics.bitrate_bps > 0 {
            let received = (Direction::Received,);
            let loss = f64::from(statistics.uplink_loss);
            metrics.loss.observe(received, loss);
            metrics
                .jitter
                .observe(received, seconds(statistics.uplink_jitter_ms));
        }
    }

    fn add_up(&self) {
        let sum = |of: fn(&PeerStatistics) -> u64| self.peers.values().map(of).sum();
        let media = &self.metrics.media;
        media.set((Direction::Sent,), sum(|peer| peer.sent_bps));
        media.set((Direction::Received,), sum(|peer| peer.received_bps));
    }
}

fn seconds(milliseconds: f32) -> f64 {
    f64::from(milliseconds) / 1_000.0
}
