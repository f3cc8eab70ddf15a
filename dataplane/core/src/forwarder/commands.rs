//! Desired state: rooms, peers, tracks and subscriptions come, change and go.

use super::peer::{NewPeer, Peer, StreamOf};
use super::publisher::{PublishedLayer, Source, Track};
use super::relay::Origin;
use super::room::Room;
use super::subscriber::Subscription;
use super::{Forwarder, Handle, Timer};
use crate::limits::SPENT_SSRCS_MAX;
use bedside_protocol::limits::{
    ENCODINGS_PER_TRACK_MAX, RELAYS_PER_TRACK_MAX, STATISTICS_INTERVAL_MS,
    SUBSCRIPTIONS_PER_PEER_MAX, TRACKS_PER_PEER_MAX,
};
use bedside_protocol::{
    self as protocol, Command, Event, Layer, MediaKind, PeerId, Relay, RoomId, TrackId,
};
use rand_core::RngCore;
use std::time::{Duration, Instant};

impl Forwarder {
    pub(super) fn carry_out(&mut self, now: Instant, room: RoomId, command: &Command) {
        let (name, result) = match command {
            Command::EnsureRoom => {
                self.ensure_room(now, room);
                return;
            }
            Command::RemoveRoom => {
                self.remove_room(now, room);
                return;
            }
            Command::EnsurePeer(peer) => {
                self.ensure_peer(now, room, peer);
                return;
            }
            Command::RemovePeer { peer } => {
                if let Some(handle) = self.peer_in(room, *peer) {
                    self.remove_peer(now, handle);
                }
                return;
            }
            Command::RemoveTrack { track } => {
                if let Some(handle) = self.track_in(room, *track) {
                    self.remove_track(now, handle);
                }
                return;
            }
            Command::RemoveSubscription { subscriber, track } => {
                if let Some(handle) = self.subscription_of(room, *subscriber, *track) {
                    self.remove_subscription(now, handle);
                }
                return;
            }
            Command::Reconcile => {
                self.reconcile(now, room);
                return;
            }
            // The transports' business.
            Command::SendData(_) | Command::AdmitPeer { .. } => return,
            Command::EnsureTrack(track) => ("ensure_track", self.ensure_track(now, room, track)),
            Command::EnsureSubscription(subscription) => (
                "ensure_subscription",
                self.ensure_subscription(now, room, subscription),
            ),
            Command::RequestKeyFrame { track } => (
                "request_key_frame",
                self.request_key_frame(now, room, *track),
            ),
        };
        if let Err(reason) = result {
            let refused = Event::Refused {
                command: name.to_owned(),
                reason: reason.to_owned(),
            };
            self.events.push_back((room, refused));
        }
    }

    fn ensure_room(&mut self, now: Instant, id: RoomId) {
        let generation = self.newest_generation;
        if let Some(room) = self
            .room_ids
            .find(id)
            .and_then(|handle| self.rooms.get_mut(handle))
        {
            room.generation = generation;
            return;
        }
        let handle = self.rooms.insert(Room::new(now, id, generation));
        self.room_ids.insert(id, handle);
        if let Some(room) = self.rooms.get_mut(handle) {
            let next = now + Duration::from_millis(STATISTICS_INTERVAL_MS);
            self.timers
                .arm(&mut room.armed, Timer::Room(handle), Some(next));
        }
    }

    fn remove_room(&mut self, now: Instant, id: RoomId) {
        let Some(handle) = self.room_ids.find(id) else {
            return;
        };
        while let Some(peer) = self
            .rooms
            .get(handle)
            .and_then(|room| room.peers.last().copied())
        {
            self.remove_peer(now, peer);
        }
        // What is left of them is relayed.
        while let Some(track) = self
            .rooms
            .get(handle)
            .and_then(|room| room.tracks.last().copied())
        {
            self.remove_track(now, track);
        }
        self.rooms.remove(handle);
        self.room_ids.remove(id);
    }

    fn ensure_peer(&mut self, now: Instant, room: RoomId, wanted: &protocol::Peer) {
        let Some(room) = self.room_ids.find(room) else {
            return;
        };
        let handle = match self.peer_ids.find(wanted.peer) {
            Some(handle) => handle,
            None => {
                let handle = self.peers.insert(Peer::new(NewPeer {
                    id: wanted.peer,
                    room,
                    generation: self.newest_generation,
                    hash_key: self.random.next_u64(),
                    feedback_ssrc: self.random.next_u32() | 1,
                    transport_sequence: low_half(self.random.next_u32()),
                }));
                self.peer_ids.insert(wanted.peer, handle);
                if let Some(room) = self.rooms.get_mut(room) {
                    room.peers.push(handle);
                }
                handle
            }
        };
        if let Some(peer) = self.peers.get_mut(handle).filter(|peer| peer.room == room) {
            peer.generation = self.newest_generation;
            peer.extensions = wanted.extensions;
            peer.transport_cc = wanted.transport_cc;
            self.begin_estimate(now, handle);
            self.arm_peer(now, handle);
        }
    }

    fn remove_peer(&mut self, now: Instant, handle: Handle<Peer>) {
        while let Some(track) = self
            .peers
            .get(handle)
            .and_then(|peer| peer.tracks.last().copied())
        {
            self.remove_track(now, track);
        }
        while let Some(subscription) = self
            .peers
            .get(handle)
            .and_then(|peer| peer.subscriptions.last().copied())
        {
            self.remove_subscription(now, subscription);
        }
        let Some(peer) = self.peers.remove(handle) else {
            return;
        };
        self.peer_ids.remove(peer.id);
        if let Some(room) = self.rooms.get_mut(peer.room) {
            room.peers.retain(|other| *other != handle);
        }
    }

    fn ensure_track(
        &mut self,
        now: Instant,
        room: RoomId,
        wanted: &protocol::Track,
    ) -> Result<(), &'static str> {
        let source = match wanted.relay {
            Relay::From(worker) => Source::Worker(Origin {
                worker,
                cname: None,
            }),
            Relay::None | Relay::To(_) => Source::Peer(
                self.peer_in(room, wanted.publisher)
                    .ok_or("the publisher is not in the room")?,
            ),
        };
        let room = self.room_ids.find(room).ok_or("there is no such room")?;
        if let Relay::To(workers) = &wanted.relay
            && workers.len() > RELAYS_PER_TRACK_MAX
        {
            return Err("the track is relayed to more workers than there can be");
        }
        if !(1..=ENCODINGS_PER_TRACK_MAX).contains(&wanted.encodings.len()) {
            return Err("a track has one to three encodings");
        }
        if Layer::ALL.into_iter().any(|layer| {
            let named = wanted.encodings.iter().filter(|it| it.layer == layer);
            named.count() > 1
        }) {
            return Err("two encodings name the same layer");
        }
        let known = self.track_ids.find(wanted.track);
        let handle = match known {
            Some(handle) => {
                let track = self.tracks.get(handle).ok_or("the track is gone")?;
                if !track.source.is_same(&source) || track.room != room {
                    return Err("the track belongs to another publisher or room");
                }
                if track.wanted.codec != wanted.codec {
                    return Err("a track keeps its codec");
                }
                handle
            }
            None => {
                if let Source::Peer(publisher) = source {
                    let peer = self.peers.get(publisher).ok_or("the publisher is gone")?;
                    if peer.tracks.len() >= TRACKS_PER_PEER_MAX {
                        return Err("the publisher has as many tracks as it may");
                    }
                }
                self.insert_track(wanted, room, source)
            }
        };
        self.update_track(now, handle, wanted);
        self.update_destinations(handle);
        Ok(())
    }

    fn insert_track(
        &mut self,
        wanted: &protocol::Track,
        room: Handle<Room>,
        source: Source,
    ) -> Handle<Track> {
        let track = Track::new(wanted.clone(), self.newest_generation, room, source);
        let handle = self.tracks.insert(track);
        self.track_ids.insert(wanted.track, handle);
        if let Some(room) = self.rooms.get_mut(room) {
            room.tracks.push(handle);
        }
        match source {
            Source::Peer(publisher) => {
                if let Some(peer) = self.peers.get_mut(publisher) {
                    peer.tracks.push(handle);
                }
            }
            Source::Worker(origin) => self.tell_origin(origin, wanted.track),
        }
        handle
    }

    /// Takes over what may change: encodings, payload types, media section, mute.
    fn update_track(&mut self, now: Instant, handle: Handle<Track>, wanted: &protocol::Track) {
        let Some(track) = self.tracks.get_mut(handle) else {
            return;
        };
        // Those of a relayed track end at its origin.
        let mut streams = track
            .publisher()
            .and_then(|publisher| self.peers.get_mut(publisher))
            .map(|peer| &mut peer.streams);
        track.generation = self.newest_generation;
        let unmuted = track.wanted.muted && !wanted.muted;
        track.wanted.clone_from(wanted);
        for layer in Layer::ALL {
            let encoding = wanted.encodings.iter().find(|it| it.layer == layer);
            let slot = &mut track.layers[layer.index()];
            match (slot.as_mut(), encoding) {
                (None, None) => {}
                // A spatial layer of the one stream that there still is.
                (Some(known), None) if known.within_stream && wanted.encodings.len() == 1 => {}
                (Some(_), None) => {
                    *slot = None;
                    if let Some(streams) = &mut streams {
                        streams.retain(|stream| stream.track != handle || stream.layer != layer);
                    }
                }
                (None, Some(encoding)) => *slot = Some(Box::new(PublishedLayer::new(*encoding))),
                (Some(known), Some(encoding)) => {
                    if let Some(streams) = &mut streams
                        && let Some(ssrc) = encoding.ssrc
                        && known.ssrc != Some(ssrc)
                        && known.rebind(ssrc)
                    {
                        streams.retain(|stream| {
                            stream.track != handle || stream.layer != layer || stream.retransmission
                        });
                    }
                    known.rtx_ssrc = encoding.rtx_ssrc.or(known.rtx_ssrc);
                    known.encoding = *encoding;
                    known.within_stream = false;
                }
            }
            let Some(known) = slot else {
                continue;
            };
            for (ssrc, retransmission) in [(known.ssrc, false), (known.rtx_ssrc, true)] {
                if let (Some(ssrc), Some(streams)) = (ssrc, &mut streams) {
                    let stream = StreamOf {
                        track: handle,
                        layer,
                        retransmission,
                    };
                    streams.insert(ssrc, stream);
                }
            }
            // The silence of a muted track is not held against it.
            if unmuted && known.activity.active {
                known.activity.heard_at = Some(now);
            }
        }
        self.aim_subscriptions(now, handle);
    }

    fn remove_track(&mut self, now: Instant, handle: Handle<Track>) {
        while let Some(subscription) = self
            .tracks
            .get(handle)
            .and_then(|track| track.subscriptions.last().copied())
        {
            self.remove_subscription(now, subscription);
        }
        let Some(track) = self.tracks.remove(handle) else {
            return;
        };
        self.track_ids.remove(track.wanted.track);
        if let Some(room) = self.rooms.get_mut(track.room) {
            room.tracks.retain(|other| *other != handle);
        }
        if let Some(peer) = track.publisher().and_then(|it| self.peers.get_mut(it)) {
            peer.tracks.retain(|other| *other != handle);
            peer.streams.retain(|stream| stream.track != handle);
        }
    }

    fn ensure_subscription(
        &mut self,
        now: Instant,
        room: RoomId,
        wanted: &protocol::Subscription,
    ) -> Result<(), &'static str> {
        let subscriber = self
            .peer_in(room, wanted.subscriber)
            .ok_or("the subscriber is not in the room")?;
        let track = self
            .track_in(room, wanted.track)
            .ok_or("the track is not in the room")?;
        if wanted.rtx_ssrc == Some(wanted.ssrc) {
            return Err("media and retransmissions need an SSRC each");
        }
        let mut known = self.subscription_of(room, wanted.subscriber, wanted.track);
        if let Some(handle) = known
            && let Some(subscription) = self.subscriptions.get(handle)
            && !is_same_stream(&subscription.wanted, wanted)
        {
            self.check_ssrcs(subscriber, wanted)?;
            self.remove_subscription(now, handle);
            known = None;
        }
        let handle = match known {
            Some(handle) => handle,
            None => self.insert_subscription(subscriber, track, wanted)?,
        };
        if let Some(subscription) = self.subscriptions.get_mut(handle) {
            subscription.update(wanted, self.newest_generation);
            self.aim_subscription(now, handle);
        }
        self.begin_estimate(now, subscriber);
        Ok(())
    }

    fn insert_subscription(
        &mut self,
        subscriber: Handle<Peer>,
        track: Handle<Track>,
        wanted: &protocol::Subscription,
    ) -> Result<Handle<Subscription>, &'static str> {
        self.check_ssrcs(subscriber, wanted)?;
        let peer = self
            .peers
            .get_mut(subscriber)
            .ok_or("the subscriber is gone")?;
        if peer.subscriptions.len() >= SUBSCRIPTIONS_PER_PEER_MAX {
            return Err("the subscriber has as many subscriptions as it may");
        }
        let track_state = self.tracks.get_mut(track).ok_or("the track is gone")?;
        // Below 2^15, and above 0 for clients that take 0 for none.
        let first = u64::from(self.random.next_u32() & 0x7fff).max(1);
        let handle = self.subscriptions.insert(Subscription::new(
            wanted.clone(),
            self.newest_generation,
            subscriber,
            track,
            track_state.wanted.codec,
            first,
        ));
        track_state.subscriptions.push(handle);
        peer.subscriptions.push(handle);
        peer.outgoing.insert(wanted.ssrc, handle);
        peer.spent_ssrcs.insert(wanted.ssrc, ());
        if let Some(rtx_ssrc) = wanted.rtx_ssrc {
            peer.spent_ssrcs.insert(rtx_ssrc, ());
        }
        Ok(handle)
    }

    /// An SSRC is never used for a second stream under a key: its packet numbers would begin anew.
    fn check_ssrcs(
        &self,
        subscriber: Handle<Peer>,
        wanted: &protocol::Subscription,
    ) -> Result<(), &'static str> {
        let peer = self.peers.get(subscriber).ok_or("the subscriber is gone")?;
        let spent = [Some(wanted.ssrc), wanted.rtx_ssrc]
            .into_iter()
            .flatten()
            .any(|ssrc| peer.spent_ssrcs.find(ssrc).is_some());
        if spent {
            return Err("the SSRC was used before on this transport");
        }
        if peer.spent_ssrcs.len() + 2 > SPENT_SSRCS_MAX {
            return Err("the transport has used as many SSRCs as it may");
        }
        Ok(())
    }

    fn remove_subscription(&mut self, now: Instant, handle: Handle<Subscription>) {
        let Some(subscription) = self.subscriptions.remove(handle) else {
            return;
        };
        if let Some(track) = self.tracks.get_mut(subscription.track) {
            track.subscriptions.retain(|other| *other != handle);
        }
        if let Some(peer) = self.peers.get_mut(subscription.subscriber) {
            peer.subscriptions.retain(|other| *other != handle);
            peer.outgoing.remove(subscription.wanted.ssrc);
            peer.allocator.touch();
            if subscription.sent_packets > 0 {
                peer.byes.push(subscription.wanted.ssrc);
            }
            self.arm_peer(now, subscription.subscriber);
        }
    }

    fn request_key_frame(
        &mut self,
        now: Instant,
        room: RoomId,
        track: TrackId,
    ) -> Result<(), &'static str> {
        let handle = self
            .track_in(room, track)
            .ok_or("the track is not in the room")?;
        if let Some(track) = self.tracks.get_mut(handle)
            && track.kind() == MediaKind::Video
        {
            for layer in track.layers.iter_mut().flatten() {
                if layer.activity.active && !layer.within_stream {
                    layer.key_frames.request();
                }
            }
            self.arm_track(now, handle);
        }
        Ok(())
    }

    /// Removes what a newer generation has not named in this room.
    fn reconcile(&mut self, now: Instant, room: RoomId) {
        let Some(handle) = self.room_ids.find(room) else {
            return;
        };
        let newest = self.newest_generation;
        let Some(state) = self.rooms.get(handle) else {
            return;
        };
        if state.generation < newest {
            self.remove_room(now, room);
            return;
        }
        let peers = state.peers.clone();
        let tracks = state.tracks.clone();
        for track in tracks {
            let Some(state) = self.tracks.get(track) else {
                continue;
            };
            if state.generation < newest {
                self.remove_track(now, track);
                continue;
            }
            for subscription in state.subscriptions.clone() {
                if self
                    .subscriptions
                    .get(subscription)
                    .is_some_and(|state| state.generation < newest)
                {
                    self.remove_subscription(now, subscription);
                }
            }
        }
        for peer in peers {
            if self
                .peers
                .get(peer)
                .is_some_and(|state| state.generation < newest)
            {
                self.remove_peer(now, peer);
            }
        }
    }

    fn peer_in(&self, room: RoomId, peer: PeerId) -> Option<Handle<Peer>> {
        let room = self.room_ids.find(room)?;
        let handle = self.peer_ids.find(peer)?;
        (self.peers.get(handle)?.room == room).then_some(handle)
    }

    fn track_in(&self, room: RoomId, track: TrackId) -> Option<Handle<Track>> {
        let room = self.room_ids.find(room)?;
        let handle = self.track_ids.find(track)?;
        (self.tracks.get(handle)?.room == room).then_some(handle)
    }

    fn subscription_of(
        &self,
        room: RoomId,
        subscriber: PeerId,
        track: TrackId,
    ) -> Option<Handle<Subscription>> {
        let track = self.track_in(room, track)?;
        let subscriptions = &self.tracks.get(track)?.subscriptions;
        subscriptions.iter().copied().find(|handle| {
            self.subscriptions
                .get(*handle)
                .is_some_and(|state| state.wanted.subscriber == subscriber)
        })
    }
}

/// Whether what is wanted now can go on in the stream that was begun.
fn is_same_stream(known: &protocol::Subscription, wanted: &protocol::Subscription) -> bool {
    (known.ssrc, known.rtx_ssrc) == (wanted.ssrc, wanted.rtx_ssrc)
}

fn low_half(number: u32) -> u16 {
    let [_, _, high, low] = number.to_be_bytes();
    u16::from_be_bytes([high, low])
}
