//! What waits until a peer is admitted.
//!
//! A control plane admits a peer once the record of its verified connection is durable. Until then
//! the forwarder has no keys for it, so that nothing can be opened or sealed, and the way from a
//! datagram to a peer asks no question that it did not ask before.

use super::limits::MESSAGES_BEFORE_ADMISSION_BYTES_MAX;
use crate::forwarder::MediaKeys;
use bedside_protocol::DataChannelKind;

/// Between a transport and the rest of the room.
pub(super) enum Gate {
    /// Nothing passes.
    Closed(Box<Held>),
    /// The keys are the forwarder's.
    Open,
}

/// What is handed on when the gate opens.
#[derive(Default)]
pub(super) struct Held {
    /// Once DTLS is up.
    pub(super) keys: Option<MediaKeys>,
    /// Messages from the client, oldest first.
    pub(super) messages: Vec<(DataChannelKind, Vec<u8>)>,
    message_bytes: usize,
    /// Media came and was dropped.
    pub(super) missed_media: bool,
}

impl Gate {
    pub(super) fn is_open(&self) -> bool {
        matches!(self, Self::Open)
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::Closed(Box::default())
    }
}

impl Held {
    /// Keeps a message for later. Tells whether there was room.
    pub(super) fn keep(&mut self, channel: DataChannelKind, message: Vec<u8>) -> bool {
        let bytes = self.message_bytes + message.len() + MESSAGE_OVERHEAD_BYTES;
        let fits = bytes <= MESSAGES_BEFORE_ADMISSION_BYTES_MAX;
        if fits {
            self.message_bytes = bytes;
            self.messages.push((channel, message));
        }
        fits
    }
}

/// What a message costs beyond its payload, so that empty ones are bounded as well.
const MESSAGE_OVERHEAD_BYTES: usize = 64;
