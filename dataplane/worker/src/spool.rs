//! Events on their way from a worker to the control plane.
//!
//! A worker numbers its events and never waits: while nobody takes them they stay here, and when
//! there is no room the oldest are dropped, which shows as a gap in the numbers. Evidence has
//! numbers of its own, goes to a [`file`](crate::spool_file) while nobody takes it, and stays until
//! it is acknowledged.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bedside_protocol::limits::{EVENTS_WAITING_MAX, EVIDENCE_IN_MEMORY_MAX};
use bedside_protocol::{Event, EventFrame, RoomId, WorkerId};
use tokio::sync::Notify;

use crate::limits::EVENT_BYTES_WAITING_MAX;

/// One worker's events. The worker pushes, the main thread takes; the lock is held for one of
/// either.
#[derive(Debug)]
pub(crate) struct Spool {
    worker: WorkerId,
    queue: Mutex<Queue>,
    /// Wakes whoever writes to the control plane.
    news: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<EventFrame>,
    /// Evidence that was sent and is not acknowledged.
    kept: VecDeque<EventFrame>,
    /// Payload bytes of the data messages in `waiting`.
    bytes: usize,
    /// Number of the last event pushed.
    sequence: u64,
    /// Number of the last evidence pushed.
    record: u64,
    /// Number of the last event that a control plane got.
    delivered: u64,
    /// Number of the last evidence that was acknowledged.
    acknowledged: u64,
    /// Events dropped since the last call of `take_dropped`.
    dropped: u64,
}

impl Spool {
    pub(crate) fn new(worker: WorkerId, news: Arc<Notify>) -> Self {
        Self {
            worker,
            queue: Mutex::default(),
            news,
        }
    }

    /// Numbers an event and keeps it until it is taken.
    pub(crate) fn push(&self, at_us: u64, room: RoomId, event: Event) {
        let mut queue = self.lock();
        queue.sequence += 1;
        queue.bytes += data_bytes(&event);
        let record = event.is_evidence().then(|| {
            queue.record += 1;
            queue.record
        });
        let sequence = queue.sequence;
        queue.waiting.push_back(EventFrame {
            worker: self.worker,
            sequence,
            record,
            at_us,
            room,
            event,
        });
        queue.drop_oldest();
        drop(queue);
        self.news.notify_one();
    }

    /// Moves at most `count_max` of the oldest events to `out`. Evidence is kept as well.
    pub(crate) fn take(&self, count_max: usize, out: &mut Vec<EventFrame>) {
        let mut queue = self.lock();
        for _ in 0..count_max {
            let Some(frame) = queue.waiting.pop_front() else {
                break;
            };
            queue.bytes -= data_bytes(&frame.event);
            if frame.record.is_some() {
                queue.kept.push_back(frame.clone());
            }
            out.push(frame);
        }
    }

    /// Puts events back that were taken, in their order, and could not be written.
    pub(crate) fn restore(&self, frames: impl DoubleEndedIterator<Item = EventFrame>) {
        let mut queue = self.lock();
        for frame in frames.rev() {
            if let Some(record) = frame.record {
                queue.kept.retain(|kept| kept.record < Some(record));
            }
            queue.bytes += data_bytes(&frame.event);
            queue.waiting.push_front(frame);
        }
        queue.drop_oldest();
    }

    /// Another control plane is in charge: it is sent what the one before did not acknowledge.
    pub(crate) fn send_again(&self) {
        let mut queue = self.lock();
        let kept = std::mem::take(&mut queue.kept);
        for frame in kept.into_iter().rev() {
            queue.waiting.push_front(frame);
        }
        queue.drop_oldest();
    }

    /// Moves evidence to `out`, oldest first: all of it, sent or not.
    pub(crate) fn take_evidence(&self, out: &mut Vec<EventFrame>) {
        let mut queue = self.lock();
        out.extend(queue.kept.drain(..));
        if queue.waiting.iter().any(|frame| frame.record.is_some()) {
            let waiting = std::mem::take(&mut queue.waiting);
            let (evidence, others) = waiting.into_iter().partition(|it| it.record.is_some());
            queue.waiting = others;
            let evidence: VecDeque<EventFrame> = evidence;
            out.extend(evidence);
        }
    }

    /// Moves evidence to `out` that was sent and is more than memory should hold.
    pub(crate) fn take_surplus(&self, out: &mut Vec<EventFrame>) {
        let mut queue = self.lock();
        if queue.kept.len() > EVIDENCE_IN_MEMORY_MAX {
            // Half of it, so that the file is not written for each event.
            out.extend(queue.kept.drain(..EVIDENCE_IN_MEMORY_MAX / 2));
        }
    }

    /// Takes evidence back that no file could hold for now.
    pub(crate) fn keep(&self, frames: impl DoubleEndedIterator<Item = EventFrame>) {
        let mut queue = self.lock();
        for frame in frames.rev() {
            queue.kept.push_front(frame);
        }
        while queue.kept.len() > EVENTS_WAITING_MAX {
            queue.kept.pop_front();
            queue.dropped += 1;
        }
    }

    /// The records of evidence are durable, up to this number.
    pub(crate) fn acknowledge(&self, record: u64) {
        let mut queue = self.lock();
        queue.acknowledged = queue.acknowledged.max(record.min(queue.record));
        while queue
            .kept
            .front()
            .is_some_and(|frame| frame.record <= Some(record))
        {
            queue.kept.pop_front();
        }
    }

    /// Number of the last evidence that was acknowledged; 0 before the first.
    pub(crate) fn last_acknowledged(&self) -> u64 {
        self.lock().acknowledged
    }

    /// Whether all evidence is acknowledged.
    pub(crate) fn is_acknowledged(&self) -> bool {
        let queue = self.lock();
        queue.acknowledged == queue.record
    }

    /// The control plane got everything up to this number.
    pub(crate) fn delivered(&self, sequence: u64) {
        self.lock().delivered = sequence;
    }

    /// Number of the last event that a control plane got; 0 before the first.
    pub(crate) fn last_delivered(&self) -> u64 {
        self.lock().delivered
    }

    /// How many events were dropped since the last call.
    pub(crate) fn take_dropped(&self) -> u64 {
        std::mem::take(&mut self.lock().dropped)
    }

    /// Whose events these are.
    pub(crate) fn worker(&self) -> WorkerId {
        self.worker
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing panics with the lock held; if it did, the queue would still be one.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    /// Evidence goes last: it is moved to the file long before.
    fn drop_oldest(&mut self) {
        while self.waiting.len() > EVENTS_WAITING_MAX || self.bytes > EVENT_BYTES_WAITING_MAX {
            let oldest = self.waiting.iter().position(|it| it.record.is_none());
            let Some(frame) = self.waiting.remove(oldest.unwrap_or_default()) else {
                return;
            };
            self.bytes -= data_bytes(&frame.event);
            self.dropped += 1;
        }
    }
}

/// What an event holds beyond its fixed size.
fn data_bytes(event: &Event) -> usize {
    match event {
        Event::Data { payload, .. } => payload.len(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
