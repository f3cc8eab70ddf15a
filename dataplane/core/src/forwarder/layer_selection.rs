//! Which layer a subscriber should get.

use super::allocation::Grant;
use super::peer::Peer;
use super::publisher::Track;
use super::subscriber::Subscription;
use super::{Forwarder, Handle};
use bedside_protocol::{Event, Layer, MediaKind};
use std::time::Instant;

/// Which layers of a track are being received.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct ActiveLayers([bool; Layer::ALL.len()]);

impl ActiveLayers {
    pub(super) fn set(&mut self, layer: Layer, active: bool) {
        self.0[layer.index()] = active;
    }

    pub(super) fn contains(self, layer: Layer) -> bool {
        self.0[layer.index()]
    }
}

/// What a subscription should be sent of its track: everything up to a spatial and a temporal layer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) struct Target {
    /// A simulcast layer, or the highest spatial layer of a scalable stream.
    pub(super) spatial: Layer,
    /// The highest temporal id; `u8::MAX` for all.
    pub(super) temporal: u8,
}

impl Target {
    /// A spatial layer at its full frame rate.
    pub(super) fn full_rate(spatial: Layer) -> Self {
        Self {
            spatial,
            temporal: u8::MAX,
        }
    }
}

/// The highest layer that is being received and not above `max`; `None` if there is none, and
/// whatever was forwarded before stays.
fn select_layer(active: ActiveLayers, max: Layer) -> Option<Layer> {
    Layer::ALL
        .into_iter()
        .rev()
        .find(|layer| *layer <= max && active.contains(*layer))
}

/// The same within what was granted. Before that was decided, and where the path is known to be
/// limited, the lowest layer, so that there is something to see meanwhile.
fn select_target(active: ActiveLayers, max: Layer, grant: Grant, limited: bool) -> Option<Target> {
    match grant {
        Grant::UpTo(granted) => {
            let spatial = select_layer(active, max.min(granted.spatial))?;
            Some(if spatial == granted.spatial {
                granted
            } else {
                Target::full_rate(spatial)
            })
        }
        Grant::Undecided if limited => Layer::ALL
            .into_iter()
            .find(|layer| *layer <= max && active.contains(*layer))
            .map(Target::full_rate),
        Grant::Undecided | Grant::Everything => select_layer(active, max).map(Target::full_rate),
        Grant::Paused => None,
    }
}

impl Forwarder {
    /// The set of layers that are being received changed: say so, and let every subscription
    /// choose anew.
    pub(super) fn layers_changed(&mut self, now: Instant, handle: Handle<Track>) {
        let Some(track) = self.tracks.get(handle) else {
            return;
        };
        let event = Event::TrackLayers {
            track: track.wanted.track,
            active: track.activity(),
        };
        // A relayed track's layers are its origin's to report.
        if track.publisher().is_some() {
            self.push_event(track.room, event);
        }
        self.relay_layers(handle);
        self.aim_subscriptions(now, handle);
    }

    /// Lets every subscription of a track choose its layer anew.
    pub(super) fn aim_subscriptions(&mut self, now: Instant, track: Handle<Track>) {
        let count = self
            .tracks
            .get(track)
            .map_or(0, |track| track.subscriptions.len());
        for index in 0..count {
            let subscription = self
                .tracks
                .get(track)
                .and_then(|track| track.subscriptions.get(index).copied());
            if let Some(subscription) = subscription {
                self.aim_subscription(now, subscription);
            }
        }
    }

    pub(super) fn aim_nth_subscription(&mut self, now: Instant, peer: Handle<Peer>, index: usize) {
        let subscription = self
            .peers
            .get(peer)
            .and_then(|peer| peer.subscriptions.get(index).copied());
        if let Some(subscription) = subscription {
            self.aim_subscription(now, subscription);
        }
    }

    /// Lets a subscription choose its layer anew, and the allocation as soon as it can.
    pub(super) fn aim_subscription(&mut self, now: Instant, handle: Handle<Subscription>) {
        self.aim_within_grant(now, handle);
        let Some(subscription) = self.subscriptions.get(handle) else {
            return;
        };
        let subscriber = subscription.subscriber;
        if let Some(peer) = self.peers.get_mut(subscriber) {
            peer.allocator.touch();
            self.arm_peer(now, subscriber);
        }
    }

    /// Chooses a subscription's layer, asks for the key frame that it then waits for, and says
    /// when it stopped.
    pub(super) fn aim_within_grant(&mut self, now: Instant, handle: Handle<Subscription>) {
        let Some(subscription) = self.subscriptions.get_mut(handle) else {
            return;
        };
        let Some(track) = self.tracks.get_mut(subscription.track) else {
            return;
        };
        let of = subscription.track;
        let peer = self.peers.get(subscription.subscriber);
        let reachable = peer.is_some_and(Peer::is_reachable);
        let limited = peer.is_some_and(|peer| peer.allocator.limits());
        let stands_still = subscription.wanted.paused || subscription.grant == Grant::Paused;
        if stands_still || track.wanted.muted || !reachable {
            self.drop_waiting(handle);
            if let Some(subscription) = self.subscriptions.get_mut(handle) {
                subscription.stop();
            }
        } else {
            subscription.set_scalable(track.is_scalable());
            let max = subscription.wanted.layer_max;
            subscription.set_target(select_target(
                track.active(),
                max,
                subscription.grant,
                limited,
            ));
            if subscription.kind == MediaKind::Video
                && let Some(awaited) = subscription.awaited()
                && let Some(layer) = track.stream_mut(awaited)
            {
                layer.key_frames.request();
            }
        }
        self.announce_layer(now, handle);
        self.arm_track(now, of);
    }

    /// Tells the control plane when the layer that a subscriber is sent changed.
    pub(super) fn announce_layer(&mut self, now: Instant, handle: Handle<Subscription>) {
        let Some(subscription) = self.subscriptions.get_mut(handle) else {
            return;
        };
        if subscription.take_missed_start()
            && let Some(track) = self.tracks.get_mut(subscription.track)
            && let Some(awaited) = subscription.awaited()
            && let Some(layer) = track.stream_mut(awaited)
        {
            layer.key_frames.request();
            let of = subscription.track;
            self.arm_track(now, of);
        }
        let Some(subscription) = self.subscriptions.get_mut(handle) else {
            return;
        };
        if subscription.announced == subscription.current() {
            return;
        }
        subscription.announced = subscription.current();
        let event = Event::SubscriptionLayer {
            subscriber: subscription.wanted.subscriber,
            track: subscription.wanted.track,
            layer: subscription.current(),
        };
        let room = self.tracks.get(subscription.track).map(|track| track.room);
        if let Some(room) = room {
            self.push_event(room, event);
        }
    }
}

#[cfg(test)]
mod tests;
