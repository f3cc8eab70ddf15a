//! Shares out processor time to messages for many: in a large room one message is hundreds of
//! SCTP packets to seal, and media must not wait for all of them.

use super::limits::{MESSAGE_STEPS_PER_CALL, MESSAGES_WAITING_BYTES_MAX};
use bedside_protocol::{DataChannelKind, PeerId, RoomId};
use std::collections::VecDeque;
use std::time::Instant;

/// Messages that wait for their turn, and how many receivers may still be served in this call.
#[derive(Debug, Default)]
pub(super) struct Messages {
    waiting: VecDeque<Waiting>,
    waiting_bytes: usize,
    steps_left: usize,
}

/// A message and who has not been sent it.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) since: Instant,
    pub(super) room: RoomId,
    pub(super) channel: DataChannelKind,
    pub(super) payload: Vec<u8>,
    pub(super) peers: VecDeque<PeerId>,
}

impl Messages {
    /// Begins a call.
    pub(super) fn begin(&mut self) {
        self.steps_left = MESSAGE_STEPS_PER_CALL;
    }

    /// Whether a message that has just come must queue behind others.
    pub(super) fn must_wait(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether one more receiver may be served in this call. It counts if so.
    pub(super) fn may_step(&mut self) -> bool {
        let may = self.steps_left > 0;
        self.steps_left -= usize::from(may);
        may
    }

    /// Keeps a message for later. Tells whether there was room.
    pub(super) fn keep(&mut self, message: Waiting) -> bool {
        let bytes = self.waiting_bytes + message.payload.len();
        let has_room = bytes <= MESSAGES_WAITING_BYTES_MAX;
        if has_room {
            self.waiting_bytes = bytes;
            self.waiting.push_back(message);
        }
        has_room
    }

    /// Takes the first message that waits.
    pub(super) fn take(&mut self) -> Option<Waiting> {
        let message = self.waiting.pop_front()?;
        self.waiting_bytes -= message.payload.len();
        Some(message)
    }

    /// Puts a taken message back in front, unless everybody has been served.
    pub(super) fn put_back(&mut self, message: Waiting) {
        if !message.peers.is_empty() {
            self.waiting_bytes += message.payload.len();
            self.waiting.push_front(message);
        }
    }

    /// When the first one is due: since it came.
    pub(super) fn due(&self) -> Option<Instant> {
        self.waiting.front().map(|first| first.since)
    }
}
