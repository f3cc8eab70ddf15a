//! Commands on their way to the data plane, already framed: one write takes all that wait.

use bedside_protocol::{Acknowledge, CommandFrame, FromControl, frame};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// The queue of one connection. The rooms' task pushes and never waits.
#[derive(Clone, Debug)]
pub(crate) struct Outbox {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    bytes_max: usize,
    waiting: Mutex<Waiting>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    bytes: Vec<u8>,
    overflowed: bool,
}

/// More waited than the bound: commands are missing, so that the connection has to be made anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Overflow;

impl Outbox {
    /// An empty queue that holds `bytes_max` and one command.
    pub(super) fn new(bytes_max: usize) -> Self {
        let shared = Shared {
            bytes_max,
            waiting: Mutex::default(),
            changed: Notify::new(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Adds a command. Beyond the bound nothing is added any more and the connection ends.
    pub(crate) fn push(&self, command: CommandFrame) {
        self.push_frame(&FromControl::Command(command));
    }

    /// Says that the records of evidence are durable.
    pub(crate) fn acknowledge(&self, acknowledge: Acknowledge) {
        self.push_frame(&FromControl::Acknowledge(acknowledge));
    }

    /// Ends the connection: what is not acknowledged comes again on the next.
    pub(crate) fn give_up(&self) {
        self.waiting().overflowed = true;
        self.shared.changed.notify_one();
    }

    fn push_frame(&self, frame: &FromControl) {
        let mut waiting = self.waiting();
        if waiting.overflowed {
            return;
        }
        match frame::encode(frame, &mut waiting.bytes) {
            Ok(()) => waiting.overflowed = waiting.bytes.len() > self.shared.bytes_max,
            // Sending everything anew would meet the same frame again: this one is left out.
            Err(error) => {
                tracing::error!(%error, "a command was not sent; this is a defect of bedside");
                return;
            }
        }
        drop(waiting);
        self.shared.changed.notify_one();
    }

    /// All that waits; waits until there is something.
    pub(super) async fn take(&self) -> Result<Vec<u8>, Overflow> {
        loop {
            {
                let mut waiting = self.waiting();
                if waiting.overflowed {
                    return Err(Overflow);
                }
                if !waiting.bytes.is_empty() {
                    return Ok(std::mem::take(&mut waiting.bytes));
                }
            }
            self.shared.changed.notified().await;
        }
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.shared
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bedside_protocol::{
        Command, DataChannelKind, DataMessage, Generation, PeerId, RoomId, WorkerId,
    };

    fn command(payload_bytes: usize) -> CommandFrame {
        CommandFrame {
            generation: Generation(1),
            room: RoomId(1),
            worker: WorkerId(0),
            command: Command::SendData(DataMessage {
                peers: vec![PeerId(1)],
                channel: DataChannelKind::Reliable,
                payload: vec![7; payload_bytes],
            }),
        }
    }

    #[tokio::test]
    async fn one_take_gets_all_that_waits_in_order() {
        let outbox = Outbox::new(1 << 20);
        let commands = [command(1), command(2), command(3)];
        for command in &commands {
            outbox.push(command.clone());
        }
        let mut decoder = frame::Decoder::new();
        decoder.extend(&outbox.take().await.expect("below the bound"));
        for command in commands {
            let read: Option<FromControl> = decoder.next().expect("well-formed");
            assert_eq!(read, Some(FromControl::Command(command)));
        }
    }

    #[tokio::test]
    async fn beyond_the_bound_the_connection_ends_and_memory_stops_growing() {
        let outbox = Outbox::new(1 << 20);
        for _ in 0..1_000 {
            outbox.push(command(64_000));
        }
        assert!(outbox.waiting().bytes.len() < (1 << 20) + 100_000);
        assert_eq!(outbox.take().await, Err(Overflow));
    }
}
