//! One worker's state: commands and datagrams in, packets and events out.

use crate::demultiplex::{Class, classify};
use crate::forwarder::{Forwarder, ForwarderStatistics, MediaDatagram, RelayBatch};
use crate::transport::{Admitted, Notice, TransportStatistics, Transports};
use crate::{Certificate, Clock, Datagram, PacketSink};
use bedside_protocol::limits::DATA_MESSAGE_BYTES_MAX;
use bedside_protocol::{Command, CommandFrame, Event, Generation, Policy, Relay, RoomId, WorkerId};
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};
use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::time::Instant;

/// What a worker is made with.
#[derive(Clone, Debug)]
pub struct CoreConfig {
    /// Which worker this is; a command for another one is refused.
    pub worker: WorkerId,
    /// Where it receives: the host candidates that clients are given. Connectivity checks to any
    /// other address are dropped, so these are what [`Path::local`](crate::Path) says.
    pub addresses: Vec<SocketAddr>,
    /// What transports must fulfil.
    pub policy: Policy,
    /// The process's DTLS certificate.
    pub certificate: Certificate,
    /// Random bytes, used for nothing but this core.
    pub seed: [u8; 32],
    /// Where wall-clock times are counted from.
    pub clock: Clock,
}

/// The whole media plane of one worker.
///
/// Call one `handle_*` method, then drain [`poll_event`](Self::poll_event), then wait for
/// datagrams until [`poll_timeout`](Self::poll_timeout).
pub struct Core {
    worker: WorkerId,
    /// The newest control plane that has spoken.
    newest: Generation,
    transports: Transports,
    forwarder: Forwarder,
    /// Refusals, which are neither half's.
    events: VecDeque<(RoomId, Event)>,
    /// Empty between batches; kept for its memory.
    media: Vec<MediaDatagram<'static>>,
    statistics: CoreStatistics,
}

/// Counters since the start, for metrics. All count datagrams unless they say otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CoreStatistics {
    /// Received with a STUN first byte.
    pub received_stun: u64,
    /// Received with a DTLS first byte.
    pub received_dtls: u64,
    /// Received that look like SRTP.
    pub received_rtp: u64,
    /// Received that look like SRTCP.
    pub received_rtcp: u64,
    /// Dropped: TURN channel data, which is not offered.
    pub dropped_turn_channel: u64,
    /// Dropped: of no known protocol, or too short for one.
    pub dropped_unknown: u64,
    /// Commands ignored: from a control plane that has been replaced.
    pub stale_commands: u64,
    /// What the transports did and dropped.
    pub transport: TransportStatistics,
    /// What the forwarder did and dropped.
    pub forwarder: ForwarderStatistics,
}

impl Core {
    /// An empty worker.
    #[must_use]
    pub fn new(config: CoreConfig) -> Self {
        let mut random = ChaCha8Rng::from_seed(config.seed);
        random.set_stream(TRANSPORT_STREAM);
        Self {
            worker: config.worker,
            newest: Generation(0),
            transports: Transports::new(
                config.addresses,
                config.policy,
                config.certificate,
                random.next_u64(),
            ),
            forwarder: Forwarder::new(config.seed, config.clock),
            events: VecDeque::new(),
            media: Vec::new(),
            statistics: CoreStatistics::default(),
        }
    }

    /// Carries out one command. Answers come as events.
    pub fn handle_command(
        &mut self,
        now: Instant,
        frame: CommandFrame,
        sink: &mut impl PacketSink,
    ) {
        let CommandFrame {
            generation,
            room,
            worker,
            command,
        } = frame;
        if generation < self.newest {
            self.statistics.stale_commands += 1;
            return;
        }
        self.newest = generation;

        let done = match &command {
            _ if worker != self.worker => Err("there is no such worker"),
            Command::EnsureTrack(track) if crosses_to(&track.relay, self.worker) => {
                Err("a track is relayed to or from its own worker")
            }
            Command::EnsureRoom => {
                self.transports.ensure_room(generation, room);
                Ok(())
            }
            Command::RemoveRoom => {
                self.transports.remove_room(now, room, sink);
                Ok(())
            }
            Command::EnsurePeer(peer) => self
                .transports
                .ensure_peer(now, generation, room, peer, sink),
            Command::AdmitPeer { peer } => self.transports.admit_peer(now, room, *peer, sink),
            Command::RemovePeer { peer } => {
                self.transports.remove_peer(now, room, *peer, sink);
                Ok(())
            }
            Command::Reconcile => {
                self.transports.reconcile(now, generation, room, sink);
                Ok(())
            }
            Command::SendData(message) if message.payload.len() > DATA_MESSAGE_BYTES_MAX => {
                Err("the message is too long")
            }
            // sctp-proto sends nothing for one; LiveKit's messages are never empty.
            Command::SendData(message) if message.payload.is_empty() => Err("the message is empty"),
            Command::SendData(message) => {
                self.transports.send_data(now, room, message, sink);
                Ok(())
            }
            Command::EnsureTrack(_)
            | Command::RemoveTrack { .. }
            | Command::EnsureSubscription(_)
            | Command::RemoveSubscription { .. }
            | Command::RequestKeyFrame { .. } => Ok(()),
        };
        self.tell_forwarder(now);
        match done {
            Ok(()) => self
                .forwarder
                .handle_command(now, generation, room, &command),
            Err(reason) => self.events.push_back((
                room,
                Event::Refused {
                    command: name(&command).to_owned(),
                    reason: reason.to_owned(),
                },
            )),
        }
    }

    /// Takes what one wake-up brought. Media is decrypted in place.
    pub fn handle_batch(
        &mut self,
        now: Instant,
        batch: &mut [Datagram<'_>],
        sink: &mut impl PacketSink,
    ) {
        self.transports.begin();
        let mut media = reuse(std::mem::take(&mut self.media));
        for datagram in batch {
            let path = datagram.path;
            match classify(datagram.payload) {
                Class::Rtp => self.statistics.received_rtp += 1,
                Class::Rtcp => self.statistics.received_rtcp += 1,
                Class::Stun => {
                    self.statistics.received_stun += 1;
                    self.transports
                        .stun_received(now, path, datagram.payload, sink);
                    continue;
                }
                Class::Dtls => {
                    self.statistics.received_dtls += 1;
                    self.transports
                        .dtls_received(now, &path, datagram.payload, sink);
                    // Media may follow at once.
                    self.tell_forwarder(now);
                    continue;
                }
                Class::TurnChannel => {
                    self.statistics.dropped_turn_channel += 1;
                    continue;
                }
                Class::Unknown => {
                    self.statistics.dropped_unknown += 1;
                    continue;
                }
            }
            if let Some(peer) = self.transports.media_sender(now, &path) {
                media.push(MediaDatagram {
                    peer,
                    payload: &mut *datagram.payload,
                });
            }
        }
        self.tell_forwarder(now);
        if !media.is_empty() {
            self.forwarder.handle_batch(now, &mut media, sink);
        }
        self.media = reuse(media);
    }

    /// Takes what another worker relayed. Read, the batch goes back to that worker's
    /// [`take_back`](Self::take_back).
    pub fn handle_relayed(
        &mut self,
        now: Instant,
        from: WorkerId,
        batch: &RelayBatch,
        sink: &mut impl PacketSink,
    ) {
        self.forwarder.handle_relayed(now, from, batch, sink);
    }

    /// What the last calls have for other workers, and for which. Drain it after each `handle_*`.
    pub fn poll_relay(&mut self) -> Option<(WorkerId, Box<RelayBatch>)> {
        self.forwarder.poll_relay()
    }

    /// A batch that `worker` has read.
    pub fn take_back(&mut self, worker: WorkerId, batch: Box<RelayBatch>) {
        self.forwarder.take_back(worker, batch);
    }

    /// Does what is due at `now`. Harmless when nothing is.
    pub fn handle_timeout(&mut self, now: Instant, sink: &mut impl PacketSink) {
        self.transports.begin();
        self.transports.handle_timeout(now, sink);
        self.tell_forwarder(now);
        self.forwarder.handle_timeout(now, sink);
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due next; `None` while there is nothing
    /// to wait for.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let transports = self.transports.poll_timeout();
        let forwarder = self.forwarder.poll_timeout();
        transports.into_iter().chain(forwarder).min()
    }

    /// What happened since the last call, oldest first. Drain it after each `handle_*`.
    pub fn poll_event(&mut self) -> Option<(RoomId, Event)> {
        self.events
            .pop_front()
            .or_else(|| self.transports.poll_event())
            .or_else(|| self.forwarder.poll_event())
    }

    /// Closes every transport: the clients are told by DTLS `close_notify`.
    pub fn shutdown(&mut self, now: Instant, sink: &mut impl PacketSink) {
        self.transports.shutdown(now, sink);
        self.tell_forwarder(now);
    }

    /// The rooms that it holds.
    pub fn rooms(&self) -> impl Iterator<Item = RoomId> {
        self.transports.rooms()
    }

    /// Counters since the start.
    #[must_use]
    pub fn statistics(&self) -> CoreStatistics {
        CoreStatistics {
            transport: self.transports.statistics(),
            forwarder: self.forwarder.statistics(),
            ..self.statistics
        }
    }

    /// Hands on what the transports decided, before any media that follows from it.
    #[cold]
    fn admit(&mut self, now: Instant, admitted: Admitted) {
        let Admitted {
            peer,
            keys,
            path,
            missed_media,
        } = admitted;
        if let Some(media) = self.forwarder.peer_connected(now, peer, keys, path) {
            self.transports.accept_media(peer, media);
        }
        if missed_media {
            self.forwarder.begin_anew(now, peer);
        }
    }

    fn tell_forwarder(&mut self, now: Instant) {
        while let Some(notice) = self.transports.poll_notice() {
            match notice {
                Notice::Admitted(admitted) => self.admit(now, *admitted),
                Notice::Path { peer, path } => self.forwarder.peer_path(now, peer, path),
                Notice::Disconnected { peer } => self.forwarder.peer_disconnected(now, peer),
            }
        }
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("worker", &self.worker)
            .finish_non_exhaustive()
    }
}

/// The memory of `used` for other borrows: collecting a vector's own iterator keeps its
/// allocation, and there is nothing in it to convert.
fn reuse<'to>(mut used: Vec<MediaDatagram<'_>>) -> Vec<MediaDatagram<'to>> {
    used.clear();
    used.into_iter().map_while(|_| None).collect()
}

/// Whether a relay has `worker` at its other end.
fn crosses_to(relay: &Relay, worker: WorkerId) -> bool {
    match relay {
        Relay::None => false,
        Relay::To(workers) => workers.contains(&worker),
        Relay::From(origin) => *origin == worker,
    }
}

/// A command's `type`.
fn name(command: &Command) -> &'static str {
    match command {
        Command::EnsureRoom => "ensure_room",
        Command::RemoveRoom => "remove_room",
        Command::EnsurePeer(_) => "ensure_peer",
        Command::AdmitPeer { .. } => "admit_peer",
        Command::RemovePeer { .. } => "remove_peer",
        Command::EnsureTrack(_) => "ensure_track",
        Command::RemoveTrack { .. } => "remove_track",
        Command::EnsureSubscription(_) => "ensure_subscription",
        Command::RemoveSubscription { .. } => "remove_subscription",
        Command::RequestKeyFrame { .. } => "request_key_frame",
        Command::SendData(_) => "send_data",
        Command::Reconcile => "reconcile",
    }
}

/// Which part of the seed's random stream the transports draw from.
const TRANSPORT_STREAM: u64 = 1;

#[cfg(test)]
mod tests;
