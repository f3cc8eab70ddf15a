//! Where the publisher is: packets and news to the destinations, and what they ask for.

use super::{Destination, Forwarder, Handle, Message};
use crate::forwarder::peer::Peer;
use crate::forwarder::publisher::Track;
use bedside_protocol::{Layer, MediaKind, Relay, TrackId, WorkerId};
use std::time::Instant;

impl Forwarder {
    /// Takes over where a track is wanted. A new destination is told what is being received; one
    /// that does not know the track yet will ask when it does.
    pub(in crate::forwarder) fn update_destinations(&mut self, handle: Handle<Track>) {
        let Some(track) = self.tracks.get_mut(handle) else {
            return;
        };
        let wanted = match &track.wanted.relay {
            Relay::To(workers) => workers.as_slice(),
            Relay::None | Relay::From(_) => &[],
        };
        track
            .destinations
            .retain(|destination| wanted.contains(&destination.worker));
        for &worker in wanted {
            let mut known = track.destinations.iter();
            if known.any(|destination| destination.worker == worker) {
                continue;
            }
            track.destinations.push(Destination::new(worker));
            let layers = Message::Layers {
                track: track.wanted.track,
                active: track.active(),
            };
            self.relay.tell(worker, layers);
        }
    }

    /// Hands on what arrived of a track in this batch.
    pub(in crate::forwarder) fn relay_arrivals(&mut self, handle: Handle<Track>) {
        let Some(track) = self.tracks.get_mut(handle) else {
            return;
        };
        if track.destinations.is_empty() {
            return;
        }
        let active = track.active();
        let (id, kind) = (track.wanted.track, track.kind());
        let publisher = track.publisher().and_then(|peer| self.peers.get(peer));
        let Some(cname) = publisher.map(Peer::cname) else {
            return;
        };
        let Track {
            destinations,
            layers,
            batch,
            ..
        } = track;
        for destination in destinations {
            let to = destination.worker;
            for position in batch.iter() {
                let arrival = self.scratch.arrivals[*position];
                let index = arrival.layer.index();
                let Some(state) = &mut layers[index] else {
                    continue;
                };
                if let Some(clock) = state.clock
                    && destination.clocks[index] != Some(clock)
                {
                    let layer = arrival.layer;
                    let message = Message::Clock {
                        track: id,
                        layer,
                        clock,
                        cname,
                    };
                    if self.relay.tell(to, message) {
                        destination.clocks[index] = Some(clock);
                    }
                }
                let Some(packet) = state.cache.find(arrival.sequence) else {
                    continue;
                };
                let bytes = packet.extensions.len() + packet.prefixed_payload.len();
                let Some(room) = self.relay.room(to, bytes) else {
                    self.statistics.relay_dropped += 1;
                    destination.damaged[index] = true;
                    continue;
                };
                room.push_packet(id, arrival, active, &packet);
                self.statistics.relayed += 1;
                let damaged = std::mem::take(&mut destination.damaged[index]);
                if damaged && !arrival.starts && kind == MediaKind::Video {
                    state.key_frames.request();
                }
            }
        }
    }

    /// Tells the destinations which layers are being received, also if no packet follows.
    pub(in crate::forwarder) fn relay_layers(&mut self, handle: Handle<Track>) {
        let Some(track) = self.tracks.get(handle) else {
            return;
        };
        for destination in &track.destinations {
            let layers = Message::Layers {
                track: track.wanted.track,
                active: track.active(),
            };
            self.relay.tell(destination.worker, layers);
        }
    }

    /// A destination knows the track from now on: what it was told before is told again.
    pub(super) fn destination_ready(&mut self, from: WorkerId, id: TrackId) {
        let track = self.track_ids.find(id);
        let Some(track) = track.and_then(|handle| self.tracks.get_mut(handle)) else {
            return;
        };
        let active = track.active();
        let mut destinations = track.destinations.iter_mut();
        if let Some(destination) = destinations.find(|one| one.worker == from) {
            *destination = Destination::new(from);
            let layers = Message::Layers { track: id, active };
            self.relay.tell(from, layers);
        }
    }

    /// Somebody on another worker cannot decode a layer: the publisher is asked as for anybody
    /// here.
    pub(super) fn key_frame_wanted(
        &mut self,
        now: Instant,
        from: WorkerId,
        id: TrackId,
        layer: Layer,
    ) {
        let Some(handle) = self.track_ids.find(id) else {
            self.statistics.relay_unknown += 1;
            return;
        };
        let Some(track) = self.tracks.get_mut(handle) else {
            return;
        };
        let mut destinations = track.destinations.iter();
        if destinations.any(|destination| destination.worker == from)
            && track.kind() == MediaKind::Video
            && let Some(state) = track.stream_mut(layer)
        {
            state.key_frames.request();
            self.arm_track(now, handle);
        }
    }
}
