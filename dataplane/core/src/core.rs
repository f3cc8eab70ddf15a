//! One worker's state: commands and datagrams in, packets and events out.

use crate::demultiplex::{Class, classify};
use crate::{Certificate, Clock, Datagram, PacketSink};
use bedside_protocol::{Command, CommandFrame, Event, Generation, Policy, RoomId, WorkerId};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Instant;

/// What a worker is made with.
#[derive(Clone, Debug)]
pub struct CoreConfig {
    /// Which worker this is; a room that names another one is refused.
    pub worker: WorkerId,
    /// Where it receives: the host candidates of its transports. Never empty.
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
#[derive(Debug)]
pub struct Core {
    config: CoreConfig,
    newest: Generation,
    rooms: BTreeMap<RoomId, Generation>,
    events: VecDeque<(RoomId, Event)>,
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
    /// Dropped: from a path that no connectivity check has opened.
    pub dropped_unknown_path: u64,
    /// Commands ignored: from a control plane that has been replaced.
    pub stale_commands: u64,
}

impl Core {
    /// An empty worker.
    #[must_use]
    pub fn new(config: CoreConfig) -> Self {
        Self {
            config,
            newest: Generation(0),
            rooms: BTreeMap::new(),
            events: VecDeque::new(),
            statistics: CoreStatistics::default(),
        }
    }

    /// Carries out one command. Answers come as events.
    pub fn handle_command(
        &mut self,
        _now: Instant,
        frame: CommandFrame,
        _sink: &mut impl PacketSink,
    ) {
        if frame.generation < self.newest {
            self.statistics.stale_commands += 1;
            return;
        }
        self.newest = frame.generation;
        match frame.command {
            Command::EnsureRoom(room) if room.worker != self.config.worker => {
                self.events.push_back((
                    frame.room,
                    Event::Refused {
                        command: "ensure_room".to_owned(),
                        reason: "the room belongs to another worker".to_owned(),
                    },
                ));
            }
            Command::EnsureRoom(_) => {
                self.rooms.insert(frame.room, frame.generation);
            }
            Command::RemoveRoom => {
                self.rooms.remove(&frame.room);
            }
            _ => {}
        }
    }

    /// Takes what one wake-up brought. Media is decrypted in place.
    pub fn handle_batch(
        &mut self,
        _now: Instant,
        batch: &mut [Datagram<'_>],
        _sink: &mut impl PacketSink,
    ) {
        for datagram in batch {
            match classify(datagram.payload) {
                Class::Stun => self.statistics.received_stun += 1,
                Class::Dtls => self.statistics.received_dtls += 1,
                Class::Rtp => self.statistics.received_rtp += 1,
                Class::Rtcp => self.statistics.received_rtcp += 1,
                Class::TurnChannel => {
                    self.statistics.dropped_turn_channel += 1;
                    continue;
                }
                Class::Unknown => {
                    self.statistics.dropped_unknown += 1;
                    continue;
                }
            }
            self.statistics.dropped_unknown_path += 1;
        }
    }

    /// Does what is due at `now`. Harmless when nothing is.
    pub fn handle_timeout(&mut self, _now: Instant, _sink: &mut impl PacketSink) {}

    /// When [`handle_timeout`](Self::handle_timeout) is due next; `None` while there is nothing
    /// to wait for.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// What happened since the last call, oldest first. Drain it after each `handle_*`.
    pub fn poll_event(&mut self) -> Option<(RoomId, Event)> {
        self.events.pop_front()
    }

    /// Closes every transport: the clients are told by DTLS `close_notify`.
    pub fn shutdown(&mut self, _now: Instant, _sink: &mut impl PacketSink) {
        self.rooms.clear();
    }

    /// The rooms that it holds.
    pub fn rooms(&self) -> impl Iterator<Item = RoomId> {
        self.rooms.keys().copied()
    }

    /// Counters since the start.
    #[must_use]
    pub fn statistics(&self) -> CoreStatistics {
        self.statistics
    }
}
