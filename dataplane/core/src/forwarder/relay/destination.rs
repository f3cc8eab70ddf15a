//! Where subscribers are and the publisher is not: relayed packets are arrivals like any other.

use super::{Forwarder, Handle, Message, Origin, Packet, RelayBatch};
use crate::PacketSink;
use crate::forwarder::layer_selection::ActiveLayers;
use crate::forwarder::packet_cache::{Inserted, passed_extensions};
use crate::forwarder::publisher::{Source, Track};
use crate::rtp::PassedExtension;
use bedside_protocol::{Layer, TrackId, WorkerId};
use std::time::Instant;

impl Forwarder {
    /// Takes what another worker has to say, and writes what follows from it, destination by
    /// destination. What is due then is done by [`handle_timeout`](Self::handle_timeout), which is
    /// called.
    pub fn handle_relayed(
        &mut self,
        now: Instant,
        from: WorkerId,
        batch: &RelayBatch,
        sink: &mut impl PacketSink,
    ) {
        let mut bytes = batch.bytes.as_slice();
        for message in &batch.messages {
            match message {
                Message::Packet(packet) => {
                    let (extensions, rest) = bytes.split_at(packet.extension_bytes);
                    let (payload, rest) = rest.split_at(packet.payload_bytes);
                    bytes = rest;
                    self.receive_relayed(now, from, packet, extensions, payload);
                }
                Message::Clock {
                    track,
                    layer,
                    clock,
                    cname,
                } => {
                    let track = self.relayed(from, *track);
                    if let Some(track) = track.and_then(|handle| self.tracks.get_mut(handle)) {
                        if let Source::Worker(origin) = &mut track.source {
                            origin.cname = Some(*cname);
                        }
                        if let Some(state) = track.layer_mut(*layer) {
                            state.clock = Some(*clock);
                        }
                    }
                }
                Message::Layers { track, active } => self.follow(now, from, *track, *active),
                Message::Ready { track } => self.destination_ready(from, *track),
                Message::KeyFrame { track, layer } => {
                    self.key_frame_wanted(now, from, *track, *layer);
                }
                Message::Loss { track, fraction } => {
                    self.loss_relayed(now, from, *track, *fraction);
                }
            }
        }
        self.send(now, sink);
        self.handle_timeout(now, sink);
    }

    /// A track of which `from` is the origin; anything else is counted.
    fn relayed(&mut self, from: WorkerId, id: TrackId) -> Option<Handle<Track>> {
        let handle = self.track_ids.find(id).filter(|handle| {
            let origin = self.tracks.get(*handle).and_then(Track::origin);
            origin.is_some_and(|origin| origin.worker == from)
        });
        if handle.is_none() {
            self.statistics.relay_unknown += 1;
        }
        handle
    }

    fn receive_relayed(
        &mut self,
        now: Instant,
        from: WorkerId,
        packet: &Packet,
        extensions: &[u8],
        payload: &[u8],
    ) {
        let Some(handle) = self.relayed(from, packet.track) else {
            return;
        };
        let Some(track) = self.tracks.get_mut(handle) else {
            return;
        };
        let arrival = packet.arrival;
        let Some(state) = track.layer_mut(arrival.layer) else {
            return;
        };
        let mut passed = [None; PassedExtension::ALL.len()];
        for (kind, data) in passed_extensions(extensions) {
            passed[kind as usize] = Some(data);
        }
        if let Some(data) = passed[PassedExtension::DependencyDescriptor as usize] {
            state.descriptors.read(data);
        }
        let (sequence, facts) = (arrival.sequence, packet.facts);
        let inserted = state.cache.insert(now, sequence, facts, &passed, payload);
        if inserted != Inserted::New {
            self.statistics.dropped_duplicate += 1;
            return;
        }
        track.batch.push(self.scratch.arrivals.len());
        if track.batch.len() == 1 {
            self.scratch.tracks.push(handle);
        }
        self.scratch.arrivals.push(arrival);
        self.statistics.received_relayed += 1;
        if arrival.empty {
            return;
        }
        let Some(track) = self.tracks.get_mut(handle) else {
            return;
        };
        let (frame, timestamp) = (arrival.frame, arrival.timestamp);
        track.count_rate(now, arrival.layer, frame, timestamp, payload.len());
        if track.follow(now, Some(arrival.layer), packet.active) {
            self.layers_changed(now, handle);
        }
        // After the subscriptions aimed anew: what begins with a key frame need not be asked for
        // one.
        if arrival.starts
            && let Some(track) = self.tracks.get_mut(handle)
            && let Some(state) = track.layer_mut(arrival.layer)
        {
            state.key_frames.settle();
        }
    }

    /// The origin says which layers it receives.
    fn follow(&mut self, now: Instant, from: WorkerId, id: TrackId, active: ActiveLayers) {
        if let Some(handle) = self.relayed(from, id)
            && let Some(track) = self.tracks.get_mut(handle)
            && track.follow(now, None, active)
        {
            self.layers_changed(now, handle);
            self.arm_track(now, handle);
        }
    }

    /// A relayed track is known from now on; the origin may have spoken of it before.
    pub(in crate::forwarder) fn tell_origin(&mut self, origin: Origin, track: TrackId) {
        self.relay.tell(origin.worker, Message::Ready { track });
    }

    /// What the subscribers here lose of a relayed track, in 1/256. If it does not fit, their next
    /// reports tell it.
    pub(in crate::forwarder) fn tell_loss(&mut self, origin: Origin, track: TrackId, fraction: u8) {
        let message = Message::Loss { track, fraction };
        self.relay.tell(origin.worker, message);
    }

    /// Passes due key frame requests on to a track's origin. One that does not fit is repeated
    /// like one that was not answered.
    pub(in crate::forwarder) fn ask_origin(&mut self, now: Instant, handle: Handle<Track>) {
        let Some(track) = self.tracks.get_mut(handle) else {
            return;
        };
        let Some(origin) = track.origin() else {
            return;
        };
        let id = track.wanted.track;
        for layer in Layer::ALL {
            if let Some(state) = track.layer_mut(layer)
                && state.key_frames.take_due(now)
            {
                let message = Message::KeyFrame { track: id, layer };
                self.relay.tell(origin.worker, message);
            }
        }
    }
}
