//! RTP and RTCP between publishers and subscribers, on keys that it was given.
//!
//! A [`Forwarder`] knows no ICE, no DTLS and no SCTP. It is told which rooms, peers, tracks and
//! subscriptions should be (`handle_command`), which transports can be written to (`peer_*`), and
//! what arrived (`handle_batch`); it answers with packets in a [`PacketSink`] and with events.

use crate::{Clock, PacketSink, Path};
use bedside_protocol::{Command, Event, Generation, PeerId, RoomId};
use std::time::Instant;

/// What DTLS agreed on for one transport. Consumed once: two writers under one key would use a
/// nonce twice.
pub struct MediaKeys {
    /// The negotiated protection profile.
    pub profile: bedside_srtp::Profile,
    /// What the client seals with.
    pub receive: bedside_srtp::MasterKey,
    /// What we seal with.
    pub send: bedside_srtp::MasterKey,
}

/// An SRTP or SRTCP datagram, already attributed to an authenticated peer by its path.
#[derive(Debug)]
pub struct MediaDatagram<'a> {
    /// Who sent it.
    pub peer: PeerId,
    /// Its bytes; opened in place.
    pub payload: &'a mut [u8],
}

/// The media half of a worker's state.
pub struct Forwarder {
    clock: Clock,
    events: std::collections::VecDeque<(RoomId, Event)>,
}

impl Forwarder {
    /// An empty forwarder. `seed` keys its hash tables and chooses initial sequence numbers;
    /// `clock` turns instants into the NTP times of reports.
    #[must_use]
    pub fn new(seed: [u8; 32], clock: Clock) -> Self {
        let _ = seed;
        Self {
            clock,
            events: std::collections::VecDeque::new(),
        }
    }

    /// Brings desired and actual state together. A command older than the newest generation seen
    /// is ignored and counted.
    pub fn handle_command(
        &mut self,
        now: Instant,
        generation: Generation,
        room: RoomId,
        command: &Command,
    ) {
        let _ = (now, generation, room, command);
    }

    /// A transport is up: `keys` are its own, `path` its nominated path. Comes once a peer; the
    /// keys of a second call are dropped unused.
    pub fn peer_connected(&mut self, now: Instant, peer: PeerId, keys: MediaKeys, path: Path) {
        let _ = (now, peer, keys, path);
    }

    /// The nominated path changed, or the peer is back after [`Self::peer_disconnected`].
    pub fn peer_path(&mut self, now: Instant, peer: PeerId, path: Path) {
        let _ = (now, peer, path);
    }

    /// The peer cannot be reached for now: nothing is sent until [`Self::peer_path`].
    pub fn peer_disconnected(&mut self, now: Instant, peer: PeerId) {
        let _ = (now, peer);
    }

    /// Opens a wake-up's datagrams, then writes what follows from them, destination by
    /// destination.
    pub fn handle_batch(
        &mut self,
        now: Instant,
        batch: &mut [MediaDatagram<'_>],
        sink: &mut impl PacketSink,
    ) {
        let _ = (now, batch, sink);
    }

    /// Does what is due: reports, feedback, repeated requests, speaker levels, statistics.
    pub fn handle_timeout(&mut self, now: Instant, sink: &mut impl PacketSink) {
        let _ = (now, sink);
    }

    /// When [`Self::handle_timeout`] is due next; never later than something is.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let _ = self.clock;
        None
    }

    /// What happened, oldest first; drain after each `handle_*`.
    pub fn poll_event(&mut self) -> Option<(RoomId, Event)> {
        self.events.pop_front()
    }
}
