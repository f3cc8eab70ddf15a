//! What waits for one signalling client: bounded in messages and bytes.

use crate::limits::{SESSION_BYTES_WAITING_MAX, SESSION_MESSAGES_WAITING_MAX};
use bedside_rooms::CloseHow;
use livekit_protocol::SignalResponse;
use prost::Message as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc};

/// Something to send, in order.
#[derive(Debug)]
pub(crate) enum Outgoing {
    /// A message.
    Response(Box<SignalResponse>),
    /// The end, after everything before it.
    Close(CloseHow),
}

/// The end that the rooms' task writes to; it never waits.
#[derive(Debug)]
pub(crate) struct Sender {
    queue: mpsc::Sender<Outgoing>,
    shared: Arc<Shared>,
}

/// The end that the connection reads from.
#[derive(Debug)]
pub(super) struct Receiver {
    queue: mpsc::Receiver<Outgoing>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    bytes: AtomicUsize,
    overflow: Notify,
}

/// Why nothing more can be sent; the connection is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lost {
    /// The client is too far behind; its connection has been told to end.
    Overflow,
    /// The connection has ended already.
    Ended,
}

pub(super) fn queue() -> (Sender, Receiver) {
    let (sender, receiver) = mpsc::channel(SESSION_MESSAGES_WAITING_MAX);
    let shared = Arc::new(Shared::default());
    let sender = Sender {
        queue: sender,
        shared: Arc::clone(&shared),
    };
    let receiver = Receiver {
        queue: receiver,
        shared,
    };
    (sender, receiver)
}

impl Sender {
    /// Queues something.
    pub(crate) fn send(&self, outgoing: Outgoing) -> Result<(), Lost> {
        let size = size(&outgoing);
        let before = self.shared.bytes.fetch_add(size, Ordering::Relaxed);
        let sent = if before + size <= SESSION_BYTES_WAITING_MAX {
            self.queue.try_send(outgoing)
        } else {
            Err(TrySendError::Full(outgoing))
        };
        sent.map_err(|error| match error {
            TrySendError::Full(_) => {
                self.shared.overflow.notify_one();
                Lost::Overflow
            }
            TrySendError::Closed(_) => Lost::Ended,
        })
    }
}

impl Receiver {
    /// The next; `None` when the rooms' task let go of the session.
    pub(super) async fn recv(&mut self) -> Option<Outgoing> {
        let outgoing = self.queue.recv().await?;
        self.shared
            .bytes
            .fetch_sub(size(&outgoing), Ordering::Relaxed);
        Some(outgoing)
    }

    /// Returns when the queue has overflowed, even while a message is being sent.
    pub(super) fn overflow(&self) -> impl Future<Output = ()> + use<> {
        let shared = Arc::clone(&self.shared);
        async move { shared.overflow.notified().await }
    }
}

fn size(outgoing: &Outgoing) -> usize {
    match outgoing {
        Outgoing::Response(response) => response.encoded_len(),
        Outgoing::Close(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use livekit_protocol::{RoomUpdate, signal_response};

    fn response(bytes: usize) -> Outgoing {
        let room = livekit_protocol::Room {
            metadata: "m".repeat(bytes),
            ..Default::default()
        };
        let update = RoomUpdate { room: Some(room) };
        Outgoing::Response(Box::new(SignalResponse {
            message: Some(signal_response::Message::RoomUpdate(update)),
        }))
    }

    #[tokio::test]
    async fn a_reader_that_keeps_up_gets_everything() {
        let (sender, mut receiver) = queue();
        for _ in 0..3 * SESSION_MESSAGES_WAITING_MAX {
            sender.send(response(10_000)).expect("room for one");
            assert!(matches!(receiver.recv().await, Some(Outgoing::Response(_))));
        }
        drop(sender);
        assert!(receiver.recv().await.is_none());
    }

    #[tokio::test]
    async fn too_many_messages_overflow() {
        let (sender, receiver) = queue();
        for _ in 0..SESSION_MESSAGES_WAITING_MAX {
            sender.send(response(0)).expect("below the bound");
        }
        assert_eq!(sender.send(response(0)), Err(Lost::Overflow));
        receiver.overflow().await;
    }

    #[test]
    fn an_ended_connection_is_told_from_a_slow_one() {
        let (sender, receiver) = queue();
        drop(receiver);
        assert_eq!(sender.send(response(1)), Err(Lost::Ended));
    }

    #[tokio::test]
    async fn too_many_bytes_overflow() {
        let (sender, receiver) = queue();
        sender
            .send(response(SESSION_BYTES_WAITING_MAX / 2))
            .expect("half");
        assert_eq!(
            sender.send(response(SESSION_BYTES_WAITING_MAX / 2)),
            Err(Lost::Overflow)
        );
        receiver.overflow().await;
    }
}
