//! The one task that appends.
//!
//! It takes what has arrived, seals it, and commits it in one transaction with the tiles that are
//! full and a checkpoint. When the database refuses, records are refused with the reason, notes
//! wait, and the database is tried again with an `audit.gap` that tells of the outage.

mod batch;
mod orders;

use crate::check::Opened;
use crate::clock::{Clock, StepDetector};
use crate::handle::{Counters, Recorded};
use crate::keys::KeyFiles;
use crate::limits::{BATCH_EVENTS_MAX, GATHER_MAX};
use crate::sealing::{Grown, Sealed, Sealing};
use crate::storage::Storage;
use crate::{Health, Unwritable};
use bedside_audit::{Event, LogKey};
use std::collections::VecDeque;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout_at};

/// What callers send.
#[derive(Debug)]
pub(crate) enum Message {
    Record(
        Box<Event>,
        oneshot::Sender<Result<Recorded, Unwritable>>,
        OwnedSemaphorePermit,
    ),
    /// Counted by the sender.
    Note(Box<Event>),
    /// What the log has to say of itself.
    Own(Box<Event>),
    Order(Order),
}

/// What is done between two batches.
#[derive(Debug)]
pub(crate) enum Order {
    DestroyDetailKeys {
        subject: Option<String>,
        year: u16,
        reply: oneshot::Sender<Result<u64, Unwritable>>,
    },
    RotateKey {
        event: Box<Event>,
        reply: oneshot::Sender<Result<String, Unwritable>>,
    },
    Close,
}

/// An event that is not durable yet.
#[derive(Debug)]
struct Waiting {
    event: Box<Event>,
    /// None for a note.
    caller: Option<Caller>,
}

/// Who waits for a record.
#[derive(Debug)]
struct Caller {
    reply: oneshot::Sender<Result<Recorded, Unwritable>>,
    _place: OwnedSemaphorePermit,
}

/// Since when the database refuses, and what that has cost.
#[derive(Debug)]
struct Outage {
    problem: Unwritable,
    since_us: u64,
    refused: u64,
    /// Nothing but a restart helps.
    is_final: bool,
    retry: Instant,
}

/// A batch of which nobody knows whether it was applied.
#[derive(Debug)]
struct Uncertain {
    sealed: Sealed,
    notes: Vec<Waiting>,
    /// Records among it whose callers were told that they were not written.
    told: u64,
}

pub(crate) struct Writer {
    storage: Arc<dyn Storage>,
    sealing: Sealing,
    files: KeyFiles,
    key: LogKey,
    origin: String,
    grown: Grown,
    counters: Arc<Counters>,
    queue: mpsc::UnboundedReceiver<Message>,
    health: watch::Sender<Health>,
    clock: Arc<dyn Clock>,
    steps: StepDetector,
    /// By how much the wall clock was moved and what is not recorded of it yet, microseconds.
    stepped_us: i128,
    waiting: VecDeque<Waiting>,
    orders: VecDeque<Order>,
    outage: Option<Outage>,
    uncertain: Option<Uncertain>,
    /// Records that are in the log though their callers were told that they are not: how many,
    /// and the first one's sequence.
    unacknowledged: Option<(u64, u64)>,
    /// Keeps other control planes from the database for as long as this writes.
    _lock: Option<File>,
}

impl Writer {
    pub(crate) fn new(
        opened: Opened,
        counters: Arc<Counters>,
        queue: mpsc::UnboundedReceiver<Message>,
        health: watch::Sender<Health>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let waiting = opened.events.into_iter().map(|event| {
            counters.notes_waiting.fetch_add(1, Ordering::Relaxed);
            Waiting {
                event: Box::new(event),
                caller: None,
            }
        });
        Self {
            waiting: waiting.collect(),
            storage: opened.storage,
            sealing: opened.sealing,
            files: opened.files,
            key: opened.key,
            origin: opened.origin,
            grown: opened.grown,
            counters,
            queue,
            health,
            steps: StepDetector::new(&*clock),
            clock,
            stepped_us: 0,
            orders: VecDeque::new(),
            outage: None,
            uncertain: None,
            unacknowledged: None,
            _lock: opened.lock,
        }
    }

    /// Runs until told to close, or until nobody can send any more.
    pub(crate) async fn run(mut self) {
        loop {
            let open = self.gather().await;
            let due = self
                .outage
                .as_ref()
                .is_none_or(|outage| !outage.is_final && outage.retry <= Instant::now());
            if due || !open {
                self.commit().await;
            }
            while let Some(order) = self.orders.pop_front() {
                if matches!(order, Order::Close) {
                    return self.finish().await;
                }
                self.execute(order).await;
            }
            if !open {
                return self.finish().await;
            }
        }
    }

    /// Waits until there is something to do and takes it; false once nobody can send any more.
    async fn gather(&mut self) -> bool {
        if self.waiting.is_empty() || self.outage.is_some() {
            let first = match &self.outage {
                Some(outage) if !outage.is_final => tokio::select! {
                    first = self.queue.recv() => first,
                    () = sleep_until(outage.retry) => return true,
                },
                _ => self.queue.recv().await,
            };
            match first {
                Some(message) => self.take(message),
                None => return false,
            }
        }
        let until = Instant::now() + GATHER_MAX;
        while self.waiting.len() < BATCH_EVENTS_MAX {
            match self.queue.try_recv() {
                Ok(message) => self.take(message),
                Err(mpsc::error::TryRecvError::Disconnected) => return false,
                Err(mpsc::error::TryRecvError::Empty) => {
                    // Nobody waits for notes alone: they wait for each other a little.
                    let in_haste = self.waiting.iter().any(|waiting| waiting.caller.is_some());
                    if in_haste || self.outage.is_some() || !self.orders.is_empty() {
                        return true;
                    }
                    match timeout_at(until, self.queue.recv()).await {
                        Ok(Some(message)) => self.take(message),
                        Ok(None) => return false,
                        Err(_) => return true,
                    }
                }
            }
        }
        true
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Record(event, reply, place) => match &mut self.outage {
                None => self.waiting.push_back(Waiting {
                    event,
                    caller: Some(Caller {
                        reply,
                        _place: place,
                    }),
                }),
                Some(outage) => {
                    outage.refused += 1;
                    self.counters.refused.fetch_add(1, Ordering::Relaxed);
                    // A caller that has gone away needs no answer.
                    reply.send(Err(outage.problem.clone())).unwrap_or_default();
                }
            },
            Message::Note(event) => self.waiting.push_back(Waiting {
                event,
                caller: None,
            }),
            Message::Own(event) => {
                self.counters.notes_waiting.fetch_add(1, Ordering::Relaxed);
                self.waiting.push_back(Waiting {
                    event,
                    caller: None,
                });
            }
            Message::Order(order) => self.orders.push_back(order),
        }
    }

    /// Writes what waits, as far as the database takes it.
    async fn finish(mut self) {
        self.queue.close();
        while let Ok(message) = self.queue.try_recv() {
            self.take(message);
        }
        while !self.waiting.is_empty() {
            let before = self.waiting.len();
            self.commit().await;
            if self.outage.is_some() {
                tracing::error!(
                    notes = before,
                    "the audit log was closed while it could not be written: notes are lost"
                );
                break;
            }
        }
    }

    fn publish_health(&self) {
        self.health.send_modify(|health| {
            health.problem = self.outage.as_ref().map(|outage| outage.problem.clone());
            health.since_us = self.outage.as_ref().map(|outage| outage.since_us);
            health.size = self.grown.tree.size();
            health.refused = self.counters.refused.load(Ordering::Relaxed);
            health.lost = self.counters.lost.load(Ordering::Relaxed);
        });
    }
}
