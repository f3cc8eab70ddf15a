//! RTP and RTCP between publishers and subscribers, on keys that it was given.
//!
//! A [`Forwarder`] knows no ICE, no DTLS and no SCTP. It is told which rooms, peers, tracks and
//! subscriptions should be ([`Forwarder::handle_command`]), which transports can be written to
//! ([`Forwarder::peer_connected`] and its neighbours), and what arrived
//! ([`Forwarder::handle_batch`]); it answers with packets in a [`PacketSink`] and with events.
//!
//! A packet's way through the files: `receive` opens it, finds its stream and puts it into the
//! layer's `packet_cache`; `send` walks the destinations, each `subscriber` finds the packet's
//! place in its `sequence_map`, and every destination's packets are written and sealed in one go.

mod allocation;
mod arena;
mod commands;
mod congestion;
mod equalise;
mod hashing;
mod key_frame_requests;
mod layer_filter;
mod layer_rates;
mod layer_selection;
mod nack;
mod outgoing_header;
mod pacer;
mod packet_cache;
mod peer;
mod publisher;
mod receive;
mod receive_rtcp;
mod receive_statistics;
mod relay;
mod reported_loss;
mod reports;
mod retransmission;
mod room;
mod send;
mod sender_report;
mod sequence_map;
mod speakers;
mod statistics;
mod stream_lookup;
mod subscriber;
mod timers;
mod transport_feedback;

pub use relay::RelayBatch;
pub use statistics::ForwarderStatistics;

use crate::limits::{BATCH_DATAGRAMS_MAX, REPORT_INTERVAL};
use crate::{Clock, PacketSink, Path};
use arena::{Arena, Handle};
use bedside_protocol::{Command, Event, Generation, MediaKind, PeerId, RoomId, TrackId};
use bedside_srtp::{MasterKey, Opener, Profile, Sealer};
use hashing::NumberMap;
use peer::{Keys, Peer};
use publisher::Track;
use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};
use room::Room;
use send::Scratch;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use subscriber::Subscription;
use timers::{Timer, Timers};

/// What DTLS agreed on for one transport. Consumed once: two writers under one key would use a
/// nonce twice.
pub struct MediaKeys {
    /// The negotiated protection profile.
    pub profile: Profile,
    /// What the client seals with.
    pub receive: MasterKey,
    /// What we seal with.
    pub send: MasterKey,
}

/// Names a peer for its datagrams, which need no look-up then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MediaPeer(Handle<Peer>);

#[cfg(test)]
impl MediaPeer {
    /// A name for tests of what only passes it on.
    pub(crate) fn nobody() -> Self {
        Self(Handle::of_nothing())
    }
}

/// An SRTP or SRTCP datagram, already attributed to an authenticated peer by its path.
#[derive(Debug)]
pub struct MediaDatagram<'a> {
    /// Who sent it.
    pub peer: MediaPeer,
    /// Its bytes; opened in place.
    pub payload: &'a mut [u8],
}

/// The media half of a worker's state.
///
/// Call one method, drain [`poll_event`](Self::poll_event), then wait for packets until
/// [`poll_timeout`](Self::poll_timeout). The same seed and the same calls give the same packets.
pub struct Forwarder {
    clock: Clock,
    random: ChaCha12Rng,
    newest_generation: Generation,
    rooms: Arena<Room>,
    peers: Arena<Peer>,
    tracks: Arena<Track>,
    subscriptions: Arena<Subscription>,
    room_ids: NumberMap<RoomId, Handle<Room>>,
    peer_ids: NumberMap<PeerId, Handle<Peer>>,
    track_ids: NumberMap<TrackId, Handle<Track>>,
    timers: Timers,
    relay: relay::Outbox,
    events: VecDeque<(RoomId, Event)>,
    statistics: ForwarderStatistics,
    scratch: Scratch,
}

impl Forwarder {
    /// An empty forwarder. `seed` keys its hash tables and chooses initial sequence numbers;
    /// `clock` turns instants into absolute send times.
    #[must_use]
    pub fn new(seed: [u8; 32], clock: Clock) -> Self {
        let mut random = ChaCha12Rng::from_seed(seed);
        Self {
            clock,
            newest_generation: Generation(0),
            rooms: Arena::default(),
            peers: Arena::default(),
            tracks: Arena::default(),
            subscriptions: Arena::default(),
            room_ids: NumberMap::new(random.next_u64()),
            peer_ids: NumberMap::new(random.next_u64()),
            track_ids: NumberMap::new(random.next_u64()),
            timers: Timers::default(),
            relay: relay::Outbox::default(),
            events: VecDeque::new(),
            statistics: ForwarderStatistics::default(),
            scratch: Scratch::default(),
            random,
        }
    }

    /// Brings desired and actual state together. A command older than the newest generation seen
    /// is ignored and counted. What it wants sent (a BYE, a key frame request) is due at once.
    ///
    /// `EnsureRoom` and `EnsurePeer` are given here after the transport half accepted them; what
    /// cannot be carried out of the rest is answered with [`Event::Refused`].
    pub fn handle_command(
        &mut self,
        now: Instant,
        generation: Generation,
        room: RoomId,
        command: &Command,
    ) {
        if generation < self.newest_generation {
            self.statistics.stale_commands += 1;
            return;
        }
        self.newest_generation = generation;
        self.carry_out(now, room, command);
    }

    /// A transport is up: `keys` are its own, `path` its nominated path. Comes once a peer: of a
    /// second call only the path counts, because packet numbers must not begin anew under a key.
    /// Gives the name that its datagrams come under; `None` for a peer that nobody asked for.
    pub fn peer_connected(
        &mut self,
        now: Instant,
        peer: PeerId,
        keys: MediaKeys,
        path: Path,
    ) -> Option<MediaPeer> {
        let handle = self.peer_ids.find(peer)?;
        let state = self.peers.get_mut(handle)?;
        if state.keys.is_none() {
            let opener = Opener::new(keys.profile, &keys.receive);
            let sealer = Sealer::new(keys.profile, &keys.send);
            match (opener, sealer) {
                (Ok(opener), Ok(sealer)) => {
                    state.keys = Some(Keys {
                        profile: keys.profile,
                        opener,
                        sealer,
                    });
                }
                _ => self.statistics.keys_refused += 1,
            }
        }
        self.peer_path(now, peer, path);
        Some(MediaPeer(handle))
    }

    /// What a peer sent before it was heard is lost: its video has to begin with a key frame.
    pub fn begin_anew(&mut self, now: Instant, peer: PeerId) {
        let Some(peer) = self
            .peer_ids
            .find(peer)
            .and_then(|handle| self.peers.get(handle))
        else {
            return;
        };
        for handle in peer.tracks.clone() {
            let Some(track) = self
                .tracks
                .get_mut(handle)
                .filter(|track| track.kind() == MediaKind::Video && !track.wanted.muted)
            else {
                continue;
            };
            for layer in track.layers.iter_mut().flatten() {
                if layer.ssrc.is_some() {
                    layer.key_frames.request();
                }
            }
            self.arm_track(now, handle);
        }
    }

    /// The nominated path changed, or the peer is back after
    /// [`peer_disconnected`](Self::peer_disconnected).
    pub fn peer_path(&mut self, now: Instant, peer: PeerId, path: Path) {
        let Some(handle) = self.peer_ids.find(peer) else {
            return;
        };
        let Some(peer) = self.peers.get_mut(handle) else {
            return;
        };
        let was_reachable = peer.is_reachable();
        peer.path = Some(path);
        peer.reports_due.get_or_insert(now + REPORT_INTERVAL);
        let count = if was_reachable {
            0
        } else {
            peer.subscriptions.len()
        };
        for index in 0..count {
            self.aim_nth_subscription(now, handle, index);
        }
        self.arm_peer(now, handle);
    }

    /// The peer cannot be reached for now: nothing is sent until
    /// [`peer_path`](Self::peer_path); its subscriptions then start with a key frame.
    pub fn peer_disconnected(&mut self, now: Instant, peer: PeerId) {
        let Some(handle) = self.peer_ids.find(peer) else {
            return;
        };
        let Some(peer) = self.peers.get_mut(handle) else {
            return;
        };
        peer.path = None;
        for index in 0..peer.subscriptions.len() {
            self.aim_nth_subscription(now, handle, index);
        }
    }

    /// Opens a wake-up's datagrams, writes what follows from them, destination by destination,
    /// and does what is due.
    pub fn handle_batch(
        &mut self,
        now: Instant,
        batch: &mut [MediaDatagram<'_>],
        sink: &mut impl PacketSink,
    ) {
        for part in batch.chunks_mut(BATCH_DATAGRAMS_MAX) {
            for datagram in part {
                self.receive(now, datagram);
            }
            self.send(now, sink);
        }
        self.handle_timeout(now, sink);
    }

    /// Does what is due: reports, feedback, repeated requests, speaker levels, statistics.
    pub fn handle_timeout(&mut self, now: Instant, sink: &mut impl PacketSink) {
        while let Some((at, timer)) = self.timers.due(now) {
            match timer {
                Timer::Room(handle) => self.room_timeout(now, at, handle),
                Timer::Peer(handle) => self.peer_timeout(now, at, handle, sink),
                Timer::Track(handle) => self.track_timeout(now, at, handle, sink),
            }
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due next; never later than something is.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// What happened, oldest first; drain after each call.
    pub fn poll_event(&mut self) -> Option<(RoomId, Event)> {
        self.events.pop_front()
    }

    /// Counters since the start.
    #[must_use]
    pub fn statistics(&self) -> ForwarderStatistics {
        self.statistics
    }

    fn push_event(&mut self, room: Handle<Room>, event: Event) {
        if let Some(room) = self.rooms.get(room) {
            self.events.push_back((room.id, event));
        }
    }

    /// Wakes a track when its next duty is due.
    fn arm_track(&mut self, now: Instant, handle: Handle<Track>) {
        if let Some(track) = self.tracks.get_mut(handle) {
            let next = track.next(now);
            self.timers
                .arm(&mut track.armed, Timer::Track(handle), next);
        }
    }

    fn arm_peer(&mut self, now: Instant, handle: Handle<Peer>) {
        if let Some(peer) = self.peers.get_mut(handle) {
            let next = peer.next(now);
            self.timers.arm(&mut peer.armed, Timer::Peer(handle), next);
        }
    }
}

/// Nothing that has just been done is due again at once, whatever it says: a timer that did not
/// move must not turn into a loop.
const TIMER_STEP_MIN: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests;
