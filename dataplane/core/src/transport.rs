//! ICE-lite, and one str0m instance a peer for DTLS and SCTP.
//!
//! [`Transports`] holds a worker's transports and knows which datagram is whose. It decides who
//! is authenticated; what it hands on is keys, paths and events. It never sees RTP.

mod certificate;
mod channels;
mod client_hello;
mod desired;
mod dtls;
mod gate;
mod handshakes;
mod ice;
pub(crate) mod limits;
mod messages;
mod paths;
mod peer;
mod received;
mod rooms;
mod timers;

pub use certificate::Certificate;

use crate::forwarder::{MediaKeys, MediaPeer};
use crate::{PacketSink, Path};
use bedside_protocol::{
    CloseReason, DataChannelKind, DataMessage, Event, IceCredentials, PeerId, Policy, RoomId,
};
use foldhash::quality::FixedState;
use handshakes::Handshakes;
use limits::{CONSENT_EXPIRES_AFTER, TIMERS_PER_CALL};
use messages::{Messages, Waiting};
use paths::{Owner, Paths};
use peer::{Live, Peer, State};
use rooms::Rooms;
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;
use str0m::config::CryptoProvider;
use timers::Timers;

/// All transports of a worker.
pub(crate) struct Transports {
    policy: Policy,
    certificate: Certificate,
    provider: Arc<CryptoProvider>,
    rooms: Rooms,
    /// Transports by slot; a slot is used again once its transport is removed.
    slots: Vec<Option<Peer>>,
    free: Vec<usize>,
    by_peer: HashMap<PeerId, usize, FixedState>,
    /// Our user name fragments.
    by_ufrag: HashMap<String, usize, FixedState>,
    paths: Paths,
    /// When media last came on an open path, by slot.
    media_heard: Vec<Option<Instant>>,
    timers: Timers,
    handshakes: Handshakes,
    messages: Messages,
    events: VecDeque<(RoomId, Event)>,
    notices: VecDeque<Notice>,
    counters: TransportStatistics,
}

/// What the forwarder has to know.
pub(crate) enum Notice {
    /// A peer is authenticated and admitted.
    Admitted(Box<Admitted>),
    /// A peer is sent to here from now on.
    Path { peer: PeerId, path: Path },
    /// A peer cannot be reached for now, or any more.
    Disconnected { peer: PeerId },
}

/// A peer whose media may pass from now on.
pub(crate) struct Admitted {
    pub(crate) peer: PeerId,
    /// Handed over once.
    pub(crate) keys: MediaKeys,
    pub(crate) path: Path,
    /// It has sent media before, which was dropped.
    pub(crate) missed_media: bool,
}

/// Counters of the transports since the start. All count datagrams unless they say otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TransportStatistics {
    /// Connectivity checks answered.
    pub checks_answered: u64,
    /// Dropped: STUN that is malformed.
    pub stun_malformed: u64,
    /// Dropped: STUN that is not a connectivity check.
    pub stun_not_a_check: u64,
    /// Dropped: checks to an address that is no candidate of ours (RFC 8445 §7.3).
    pub stun_not_a_candidate: u64,
    /// Dropped: checks for a user name fragment that is not ours.
    pub stun_unknown_ufrag: u64,
    /// Dropped: checks whose integrity is wrong.
    pub stun_unauthenticated: u64,
    /// Checks of clients that took themselves for the controlled side, and were told.
    pub stun_role_conflict: u64,
    /// Dropped: checks on a path that another transport is using.
    pub stun_path_taken: u64,
    /// Dropped: DTLS or media from a path that no check has opened.
    pub unknown_path: u64,
    /// Dropped: media for a transport whose DTLS is not finished.
    pub media_before_keys: u64,
    /// Dropped: media for a transport that is connected and not admitted.
    pub media_before_admission: u64,
    /// Messages from clients that are not admitted, dropped because too many waited.
    pub data_before_admission: u64,
    /// Dropped: DTLS of handshakes, because too many are going on. The client sends it again.
    pub handshakes_dropped: u64,
    /// DTLS datagrams that an established association rejected.
    pub dtls_rejected: u64,
    /// Transports connected.
    pub connected: u64,
    /// Transports closed, for any reason.
    pub closed: u64,
    /// Messages to clients dropped because the client does not take them fast enough.
    pub data_dropped: u64,
    /// Messages to clients without an open channel of that kind.
    pub data_without_channel: u64,
    /// Messages from clients dropped: too long, or on another channel.
    pub data_ignored: u64,
    /// Data channels ignored: with an unknown label, or doubled.
    pub channels_ignored: u64,
    /// Transports closed because something panicked over them. Always 0; more is a fault.
    pub panicked: u64,
    /// Times that a transport did not settle in its turns. Always 0; more is a fault.
    pub stalled: u64,
}

/// What one call works with besides the transport itself.
struct Context<'a, S: PacketSink> {
    now: Instant,
    room: RoomId,
    sink: &'a mut S,
    events: &'a mut VecDeque<(RoomId, Event)>,
    notices: &'a mut VecDeque<Notice>,
    counters: &'a mut TransportStatistics,
}

impl<S: PacketSink> Context<'_, S> {
    fn event(&mut self, event: Event) {
        self.events.push_back((self.room, event));
    }

    fn send(&mut self, path: Path, datagram: &[u8]) {
        if let Some(memory) = self.sink.reserve(path, datagram.len()) {
            memory[..datagram.len()].copy_from_slice(datagram);
            self.sink.commit(datagram.len());
        }
    }
}

impl Transports {
    /// None yet. `hash_seed` is random: paths and user names come from outside.
    pub(crate) fn new(
        addresses: Vec<SocketAddr>,
        policy: Policy,
        certificate: Certificate,
        hash_seed: u64,
    ) -> Self {
        let hasher = FixedState::with_seed(hash_seed);
        Self {
            policy,
            certificate,
            provider: dtls::provider(policy),
            rooms: Rooms::default(),
            slots: Vec::new(),
            free: Vec::new(),
            by_peer: HashMap::with_hasher(hasher),
            by_ufrag: HashMap::with_hasher(hasher),
            paths: Paths::new(addresses, hasher),
            media_heard: Vec::new(),
            timers: Timers::default(),
            handshakes: Handshakes::default(),
            messages: Messages::default(),
            events: VecDeque::new(),
            notices: VecDeque::new(),
            counters: TransportStatistics::default(),
        }
    }

    pub(crate) fn rooms(&self) -> impl Iterator<Item = RoomId> {
        self.rooms.ids()
    }

    pub(crate) fn statistics(&self) -> TransportStatistics {
        self.counters
    }

    pub(crate) fn poll_event(&mut self) -> Option<(RoomId, Event)> {
        self.events.pop_front()
    }

    pub(crate) fn poll_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let waiting = [
            self.handshakes.due(),
            self.messages.due(),
            self.timers.next(),
        ];
        waiting.into_iter().flatten().min()
    }

    /// Says where a peer's media goes, now that its keys are there.
    pub(crate) fn accept_media(&mut self, peer: PeerId, media: MediaPeer) {
        let Some(&slot) = self.by_peer.get(&peer) else {
            return;
        };
        let Some(live) = self.slots[slot].as_mut().and_then(Peer::live_mut) else {
            return;
        };
        live.media = Some(media);
        for path in live.agent.open_paths() {
            if let Some(owner) = self.paths.find(&path) {
                let media = Some(media);
                self.paths.insert(&path, Owner { media, ..owner });
            }
        }
    }

    /// Begins a turn of the worker: handshakes and messages may use processor time again.
    pub(crate) fn begin(&mut self) {
        self.handshakes.begin();
        self.messages.begin();
    }

    /// Sends a message to the peers of `room` that it names. Some may have to wait for a later
    /// call.
    pub(crate) fn send_data(
        &mut self,
        now: Instant,
        room: RoomId,
        message: &DataMessage,
        sink: &mut impl PacketSink,
    ) {
        let mut peers = message.peers.iter();
        while !self.messages.must_wait() && !peers.as_slice().is_empty() && self.messages.may_step()
        {
            if let Some(peer) = peers.next() {
                self.send_to(now, room, *peer, message.channel, &message.payload, sink);
            }
        }
        let peers: VecDeque<_> = peers.copied().collect();
        let count = peers.len() as u64;
        if count == 0 {
            return;
        }
        let is_kept = self.messages.keep(Waiting {
            since: now,
            room,
            channel: message.channel,
            payload: message.payload.clone(),
            peers,
        });
        if !is_kept {
            self.counters.data_dropped += count;
        }
    }

    fn send_to(
        &mut self,
        now: Instant,
        room: RoomId,
        peer: PeerId,
        channel: DataChannelKind,
        payload: &[u8],
        sink: &mut impl PacketSink,
    ) {
        let slot = self.by_peer.get(&peer).copied();
        let live = slot.filter(
            |&slot| matches!(&self.slots[slot], Some(peer) if peer.room == room && peer.is_live()),
        );
        let Some(slot) = live else {
            self.counters.data_without_channel += 1;
            return;
        };
        self.with(now, slot, sink, |live, peer, context| {
            live.send(peer, channel, payload, context)
        });
    }

    /// Does what is due.
    pub(crate) fn handle_timeout(&mut self, now: Instant, sink: &mut impl PacketSink) {
        while let Some((path, datagram)) = self.handshakes.next() {
            let Some(owner) = self.paths.find(&path) else {
                continue;
            };
            self.with(now, owner.slot(), sink, |live, peer, context| {
                live.dtls_received(peer, &datagram, context)
            });
        }
        while self.messages.must_wait() && self.messages.may_step() {
            let Some(mut message) = self.messages.take() else {
                break;
            };
            if let Some(peer) = message.peers.pop_front() {
                let (room, channel) = (message.room, message.channel);
                self.send_to(now, room, peer, channel, &message.payload, sink);
            }
            self.messages.put_back(message);
        }
        for _ in 0..TIMERS_PER_CALL {
            let Some(slot) = self.timers.pop(now) else {
                break;
            };
            let mut silent = Vec::new();
            self.with(now, slot, sink, |live, peer, context| {
                silent = live.agent.close_silent(now, CONSENT_EXPIRES_AFTER);
                live.handle_timeout(peer, context)
            });
            for path in silent {
                self.paths.remove(&path);
            }
        }
    }

    /// Frees the user name fragment of credentials that no longer count.
    fn retire(&mut self, slot: usize, retired: Option<IceCredentials>) {
        let Some(retired) = retired else { return };
        let in_use = self.slots[slot]
            .as_ref()
            .and_then(Peer::live)
            .is_some_and(|live| {
                live.agent
                    .local_ufrags()
                    .any(|ufrag| ufrag == retired.ufrag)
            });
        if !in_use {
            self.by_ufrag.remove(&retired.ufrag);
        }
    }

    /// Works on a live transport, then sets its timer, or closes it if the work says so.
    fn with<S: PacketSink>(
        &mut self,
        now: Instant,
        slot: usize,
        sink: &mut S,
        work: impl FnOnce(&mut Live, PeerId, &mut Context<'_, S>) -> Result<(), CloseReason>,
    ) {
        let Some(peer) = &mut self.slots[slot] else {
            return;
        };
        let State::Live(live) = &mut peer.state else {
            return;
        };
        if let Some(heard) = self.media_heard[slot] {
            live.heard = live.heard.max(heard);
        }
        let mut context = Context {
            now,
            room: peer.room,
            sink,
            events: &mut self.events,
            notices: &mut self.notices,
            counters: &mut self.counters,
        };
        // str0m and what it stands on assert things about themselves on the way. What they get
        // wrong over one client's packets must not end the calls of all the others.
        let id = peer.id;
        let worked = catch_unwind(AssertUnwindSafe(|| work(live, id, &mut context)));
        match worked {
            Ok(Ok(())) => self.timers.set(slot, live.due()),
            Ok(Err(reason)) => self.end(now, slot, reason, sink),
            Err(_) => {
                context.counters.panicked += 1;
                live.abandon();
                self.end(now, slot, CloseReason::DtlsFailed, sink);
            }
        }
    }

    /// Closes a transport, keeping the memory that it was there.
    fn end(&mut self, now: Instant, slot: usize, reason: CloseReason, sink: &mut impl PacketSink) {
        let Some(peer) = &mut self.slots[slot] else {
            return;
        };
        let State::Live(mut live) = std::mem::replace(&mut peer.state, State::Closed(reason))
        else {
            return;
        };
        let mut context = Context {
            now,
            room: peer.room,
            sink,
            events: &mut self.events,
            notices: &mut self.notices,
            counters: &mut self.counters,
        };
        live.close(&mut context);
        context.counters.closed += 1;
        let peer = peer.id;
        context.notices.push_back(Notice::Disconnected { peer });
        context.event(Event::PeerClosed { peer, reason });
        for path in live.agent.open_paths() {
            self.paths.remove(&path);
        }
        for ufrag in live.agent.local_ufrags() {
            self.by_ufrag.remove(ufrag);
        }
        self.timers.clear(slot);
    }
}

#[cfg(test)]
pub(crate) mod tests;
