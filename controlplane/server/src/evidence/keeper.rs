//! Evidence of the data plane on its way into the log: recorded in order, acknowledged once it is
//! durable, and for a peer's opening only then admitted.
//!
//! While the log cannot be written it waits here and in the data plane. What was recorded and not
//! acknowledged before this control plane was killed comes again; the log itself says that it has
//! it ([`Known`]).

use super::known::Known;
use crate::dataplane::Outbox;
use crate::limits::{EVIDENCE_PER_BATCH_MAX, EVIDENCE_WAITING_MAX};
use crate::rooms::RoomsHandle;
use bedside_audit::Event;
use bedside_ledger::{Ledger, Unwritable};
use bedside_protocol::{Acknowledge, PeerId, RoomId};
use tokio::sync::{mpsc, watch};

/// What follows from one event of the data plane.
#[derive(Debug)]
pub(crate) struct Item {
    /// To be recorded, in order.
    pub(crate) events: Vec<Event>,
    /// Whose openings are among them.
    pub(crate) opened: Vec<(RoomId, PeerId)>,
    /// Told to the data plane once they are durable.
    pub(crate) acknowledge: Option<(Acknowledge, Outbox)>,
}

/// The way in, for the rooms' task.
#[derive(Clone, Debug)]
pub(crate) struct Evidence {
    queue: mpsc::Sender<Item>,
    ledger: Ledger,
}

/// The task that records.
pub(crate) struct Keeper {
    queue: mpsc::Receiver<Item>,
    ledger: Ledger,
    known: Known,
    rooms: RoomsHandle,
    stopping: watch::Receiver<bool>,
}

/// The way in, and what the task needs beside the rooms.
pub(crate) fn evidence(ledger: Ledger) -> (Evidence, mpsc::Receiver<Item>) {
    let (sender, queue) = mpsc::channel(EVIDENCE_WAITING_MAX);
    let evidence = Evidence {
        queue: sender,
        ledger,
    };
    (evidence, queue)
}

impl Evidence {
    /// Notes what has happened and nothing waits for.
    pub(crate) fn note(&self, event: Event) {
        self.ledger.note(event);
    }

    /// Has something recorded. Beyond the bound it is noted instead, which counts what is lost; its
    /// evidence stays unacknowledged and the connection ends, so that it comes again.
    pub(crate) fn record(&self, item: Item) {
        let Err(refused) = self.queue.try_send(item) else {
            return;
        };
        let item = refused.into_inner();
        match item.acknowledge {
            Some((_, outbox)) => outbox.give_up(),
            None => item.events.into_iter().for_each(|event| self.note(event)),
        }
    }
}

impl Keeper {
    pub(crate) fn new(
        queue: mpsc::Receiver<Item>,
        ledger: Ledger,
        known: Known,
        rooms: RoomsHandle,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        Self {
            queue,
            ledger,
            known,
            rooms,
            stopping,
        }
    }

    /// Runs until nobody can send any more, or until the server stops while the log cannot be
    /// written: then the data plane keeps what is left.
    pub(crate) async fn run(mut self) {
        let mut items = Vec::new();
        while self
            .queue
            .recv_many(&mut items, EVIDENCE_PER_BATCH_MAX)
            .await
            > 0
        {
            // All of it at once: the ledger keeps the order, and commits together.
            let mut waiting = Vec::with_capacity(items.len());
            for mut item in items.drain(..) {
                item.events.retain(|event| !self.known.has(event));
                let recording: Vec<_> = item
                    .events
                    .iter()
                    .map(|event| self.ledger.record(event.clone()))
                    .collect();
                waiting.push((item, recording));
            }
            for (item, recording) in waiting {
                let Item {
                    events,
                    opened,
                    acknowledge,
                } = item;
                for (event, recorded) in events.into_iter().zip(recording) {
                    if let Err(problem) = recorded.await
                        && !self.insist(event, problem).await
                    {
                        return;
                    }
                }
                for (room, peer) in opened {
                    if self.rooms.recorded(room, peer).await.is_err() {
                        return;
                    }
                }
                if let Some((acknowledge, outbox)) = acknowledge {
                    outbox.acknowledge(acknowledge);
                }
            }
        }
    }

    /// Records once the log can be written again. False if it never will be in this run.
    async fn insist(&mut self, event: Event, mut problem: Unwritable) -> bool {
        let mut health = self.ledger.health();
        loop {
            if problem == Unwritable::Closed {
                return false;
            }
            let writable = async {
                // The ledger tries by itself, and says when it can.
                let writable = health.wait_for(bedside_ledger::Health::is_writable).await;
                writable.is_ok()
            };
            let is_writable = tokio::select! {
                is_writable = writable => is_writable,
                _ = self.stopping.wait_for(|stopping| *stopping) => false,
            };
            if !is_writable {
                return false;
            }
            match self.ledger.record(event.clone()).await {
                Ok(_) => return true,
                Err(again) => problem = again,
            }
            // Refused for being too many: let others through.
            tokio::task::yield_now().await;
        }
    }
}
