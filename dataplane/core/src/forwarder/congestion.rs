//! What a peer's path takes, and keeping to it: feedback in, waiting packets and probes out.

use super::outgoing_header::absolute_send_time;
use super::pacer::Pacer;
use super::peer::Peer;
use super::receive::count;
use super::subscriber::Subscription;
use super::{Forwarder, Handle};
use crate::PacketSink;
use crate::rtcp::{CongestionFeedback, TransportFeedback};
use std::time::{Duration, Instant};

impl Forwarder {
    /// Counts what a peer is sent from now on, if it has negotiated feedback and is sent anything.
    pub(super) fn begin_estimate(&mut self, now: Instant, handle: Handle<Peer>) {
        if let Some(peer) = self.peers.get_mut(handle)
            && peer.transport_cc
            && peer.extensions.transport_cc.is_some()
            && !peer.subscriptions.is_empty()
        {
            peer.pacer.get_or_insert_with(|| Box::new(Pacer::new(now)));
        }
    }

    pub(super) fn receive_transport_feedback(
        &mut self,
        now: Instant,
        handle: Handle<Peer>,
        feedback: &TransportFeedback<'_>,
    ) {
        if let Some(peer) = self.peers.get_mut(handle)
            && let Some(pacer) = &mut peer.pacer
        {
            pacer.transport_feedback(now, feedback);
            self.allocate(now, handle);
            self.arm_peer(now, handle);
        }
    }

    pub(super) fn receive_congestion_feedback(
        &mut self,
        now: Instant,
        handle: Handle<Peer>,
        feedback: &CongestionFeedback<'_>,
    ) {
        if let Some(peer) = self.peers.get_mut(handle)
            && let Some(pacer) = &mut peer.pacer
        {
            pacer.congestion_feedback(now, feedback);
            self.arm_peer(now, handle);
        }
    }

    /// REMB, which a client may send without having negotiated transport-wide feedback.
    pub(super) fn receive_receiver_estimate(
        &mut self,
        now: Instant,
        handle: Handle<Peer>,
        bps: u64,
    ) {
        if let Some(peer) = self.peers.get_mut(handle)
            && !peer.subscriptions.is_empty()
        {
            peer.pacer
                .get_or_insert_with(|| Box::new(Pacer::new(now)))
                .receiver_estimate(now, bps);
            self.allocate(now, handle);
            self.arm_peer(now, handle);
        }
    }

    /// All report blocks of a compound's packet together: of `expected` packets since the last one,
    /// `lost` did not arrive.
    pub(super) fn note_reported_loss(
        &mut self,
        now: Instant,
        handle: Handle<Peer>,
        expected: u64,
        lost: i64,
        round_trip: Option<Duration>,
    ) {
        if expected > 0
            && let Some(peer) = self.peers.get_mut(handle)
            && let Some(pacer) = &mut peer.pacer
        {
            let lost = u64::try_from(lost).unwrap_or(0);
            let fraction_lost = (lost as f32 / expected as f32).min(1.0);
            pacer.receiver_report(now, fraction_lost, round_trip);
        }
    }

    /// Sends what may leave now of what waits.
    pub(super) fn pace(&mut self, now: Instant, handle: Handle<Peer>, sink: &mut impl PacketSink) {
        let Some(peer) = self.peers.get_mut(handle) else {
            return;
        };
        let reachable = peer.is_reachable();
        let Some(pacer) = &mut peer.pacer else {
            return;
        };
        pacer.handle_timeout(now);
        if reachable {
            let mut credit = pacer.credit_bytes(now);
            let send_time = absolute_send_time(self.clock.ntp_at(now));
            self.place_waiting(now, send_time, handle, &mut credit);
            self.seal(now, handle, sink);
        } else {
            pacer.abandon_probe();
        }
        self.shed(now, handle);
    }

    /// Drops what would be too old when its turn comes, subscription by subscription, the one with
    /// most of it first. Each goes on with a key frame, or with a lower layer's.
    pub(super) fn shed(&mut self, now: Instant, handle: Handle<Peer>) {
        loop {
            let Some(peer) = self.peers.get(handle) else {
                return;
            };
            let Some(pacer) = peer.pacer.as_ref().filter(|pacer| pacer.is_overfull(now)) else {
                return;
            };
            let heaviest = peer
                .subscriptions
                .iter()
                .map(|of| (pacer.queued_bytes_of(*of), *of))
                .max_by_key(|(bytes, _)| *bytes);
            let Some((1.., heaviest)) = heaviest else {
                // What is left is of subscriptions that ended, and leaves by itself.
                return;
            };
            self.drop_waiting(heaviest);
            if let Some(subscription) = self.subscriptions.get(heaviest)
                && let Some(awaited) = subscription.awaited()
            {
                let of = subscription.track;
                if let Some(layer) = self
                    .tracks
                    .get_mut(of)
                    .and_then(|it| it.stream_mut(awaited))
                {
                    layer.key_frames.request();
                }
                self.announce_layer(now, heaviest);
                self.arm_track(now, of);
            }
        }
    }

    /// Drops what waits of one subscription, which then begins anew with a key frame: numbers that
    /// were given and not used are given again.
    pub(super) fn drop_waiting(&mut self, handle: Handle<Subscription>) {
        let Some(subscription) = self.subscriptions.get_mut(handle) else {
            return;
        };
        let dropped = self
            .peers
            .get_mut(subscription.subscriber)
            .and_then(|peer| peer.pacer.as_mut())
            .map_or(0, |pacer| pacer.purge(handle));
        if dropped > 0 {
            subscription.restart();
            self.statistics.pacer_shed += count(dropped);
        }
    }
}
