//! Tracks that cross workers: another worker is one more subscriber, which serves its own from a
//! cache of its own.
//!
//! The origin, where the publisher is, hands each packet to each destination once, after opening
//! it, with what was parsed of it ([`Forwarder::relay_arrivals`]); a destination takes it like any
//! arrival ([`Forwarder::handle_relayed`]). The other way go key frame requests and what subscribers lose. Everything
//! travels in [`RelayBatch`]es, which a forwarder fills, is polled for
//! ([`Forwarder::poll_relay`]), and is given back when the other worker has read them
//! ([`Forwarder::take_back`]).
//!
//! What does not fit is dropped for that destination alone, and counted. Nothing breaks by it:
//! which layers are active stands in each packet, a clock that was not told is told with the next
//! packet, and where video passes again after a loss the publisher is asked for a key frame.

mod destination;
mod origin;
mod outbox;

pub(super) use outbox::Outbox;

use super::layer_selection::ActiveLayers;
use super::packet_cache::{CachedPacket, PREFIX_BYTES, PacketFacts};
use super::publisher::Arrival;
use super::reported_loss::ReportedLoss;
use super::sender_report::SenderClock;
use super::{Forwarder, Handle};
use crate::limits::{RELAY_BATCH_BYTES_MAX, RELAY_BATCH_MESSAGES_MAX, RELAY_BATCHES_MAX};
use bedside_protocol::{Layer, TrackId, WorkerId};
use std::fmt;

/// What one worker has for another after one wake-up, or part of it: packets in the clear and
/// words about tracks.
///
/// It stays in this process, and whoever moves it sees none of it.
#[derive(Default)]
pub struct RelayBatch {
    messages: Vec<Message>,
    /// Extensions and payloads of the packets, one after the other.
    bytes: Vec<u8>,
}

impl RelayBatch {
    /// How many there are, at most, for each ordered pair of workers: a queue of this length never
    /// overflows.
    pub const IN_FLIGHT_MAX: usize = RELAY_BATCHES_MAX;

    fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    fn fits(&self, bytes: usize) -> bool {
        self.messages.len() < RELAY_BATCH_MESSAGES_MAX
            && self.bytes.len() + bytes <= RELAY_BATCH_BYTES_MAX
    }

    fn clear(&mut self) {
        self.messages.clear();
        self.bytes.clear();
    }

    fn push_packet(
        &mut self,
        track: TrackId,
        arrival: Arrival,
        active: ActiveLayers,
        packet: &CachedPacket<'_>,
    ) {
        let payload = &packet.prefixed_payload[PREFIX_BYTES..];
        self.messages.push(Message::Packet(Packet {
            track,
            arrival,
            active,
            facts: *packet.facts,
            extension_bytes: packet.extensions.len(),
            payload_bytes: payload.len(),
        }));
        self.bytes.extend_from_slice(packet.extensions);
        self.bytes.extend_from_slice(payload);
    }
}

impl fmt::Debug for RelayBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelayBatch")
            .field("messages", &self.messages.len())
            .field("bytes", &self.bytes.len())
            .finish()
    }
}

/// One thing that a worker tells another. The track is one that both were told of; what is said
/// of others is dropped.
enum Message {
    /// From the origin: a packet.
    Packet(Packet),
    /// From the origin: the sender's clock on a layer, and the name under which its streams are
    /// played in step.
    Clock {
        track: TrackId,
        layer: Layer,
        clock: SenderClock,
        cname: [u8; 16],
    },
    /// From the origin: which layers are being received, when no packet says it.
    Layers {
        track: TrackId,
        active: ActiveLayers,
    },
    /// From a destination: it knows the track from now on.
    Ready { track: TrackId },
    /// From a destination: somebody there cannot decode.
    KeyFrame { track: TrackId, layer: Layer },
    /// From a destination: its subscribers lose this much of a track, in 1/256.
    Loss { track: TrackId, fraction: u8 },
}

/// A packet, but for its bytes.
struct Packet {
    track: TrackId,
    arrival: Arrival,
    active: ActiveLayers,
    facts: PacketFacts,
    extension_bytes: usize,
    payload_bytes: usize,
}

/// A destination of a track, on its origin.
pub(super) struct Destination {
    pub(super) worker: WorkerId,
    /// The clocks that it was told, by [`Layer::index`].
    clocks: [Option<SenderClock>; Layer::ALL.len()],
    /// Layers of which it missed a packet.
    damaged: [bool; Layer::ALL.len()],
    /// What its subscribers lose.
    pub(super) loss: ReportedLoss,
}

impl Destination {
    fn new(worker: WorkerId) -> Self {
        Self {
            worker,
            clocks: [None; Layer::ALL.len()],
            damaged: [false; Layer::ALL.len()],
            loss: ReportedLoss::default(),
        }
    }
}

/// The origin of a track, on a destination.
#[derive(Clone, Copy)]
pub(super) struct Origin {
    pub(super) worker: WorkerId,
    /// Unknown until the publisher's first sender report.
    pub(super) cname: Option<[u8; 16]>,
}

impl Forwarder {
    /// The next batch for another worker, and which. Drain it after each call, and give each back
    /// when it has been read.
    pub fn poll_relay(&mut self) -> Option<(WorkerId, Box<RelayBatch>)> {
        self.relay.poll()
    }

    /// A batch that `worker` has read, to be filled again.
    pub fn take_back(&mut self, worker: WorkerId, batch: Box<RelayBatch>) {
        self.relay.take_back(worker, batch);
    }
}
