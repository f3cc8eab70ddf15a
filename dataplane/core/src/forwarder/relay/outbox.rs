//! Batches on their way to other workers.

use super::{Message, RelayBatch};
use crate::limits::RELAY_BATCHES_MAX;
use bedside_protocol::WorkerId;
use std::collections::VecDeque;

/// What waits to be handed to other workers, and the batches to fill. A worker's batches are made
/// one by one while it has none back, up to the bound, and then used over and over.
#[derive(Default)]
pub(in crate::forwarder) struct Outbox {
    /// By [`WorkerId`].
    lanes: Vec<Lane>,
    /// Batches that are full, in order.
    full: VecDeque<(WorkerId, Box<RelayBatch>)>,
    /// Whose current batch holds something.
    open: Vec<WorkerId>,
}

/// The batches for one worker.
#[derive(Default)]
struct Lane {
    current: Option<Box<RelayBatch>>,
    #[expect(clippy::vec_box, reason = "batches travel between workers by pointer")]
    free: Vec<Box<RelayBatch>>,
    made: usize,
}

impl Outbox {
    /// A batch for `worker` with room for one more message and `bytes` bytes; `None` while it has
    /// not given enough of them back. Whoever asks writes into it.
    pub(super) fn room(&mut self, worker: WorkerId, bytes: usize) -> Option<&mut RelayBatch> {
        let index = usize::from(worker.0);
        if self.lanes.len() <= index {
            self.lanes.resize_with(index + 1, Lane::default);
        }
        let lane = &mut self.lanes[index];
        if let Some(current) = lane.current.take_if(|current| !current.fits(bytes)) {
            self.full.push_back((worker, current));
            self.open.retain(|open| *open != worker);
        }
        if lane.current.is_none() {
            lane.current = Some(lane.empty()?);
            self.open.push(worker);
        }
        lane.current.as_deref_mut()
    }

    /// Says something that is no packet. `false` if there is no room.
    pub(super) fn tell(&mut self, worker: WorkerId, message: Message) -> bool {
        let room = self.room(worker, 0);
        room.map(|batch| batch.messages.push(message)).is_some()
    }

    pub(super) fn poll(&mut self) -> Option<(WorkerId, Box<RelayBatch>)> {
        if let Some(full) = self.full.pop_front() {
            return Some(full);
        }
        let worker = self.open.pop()?;
        let batch = self.lanes[usize::from(worker.0)].current.take()?;
        Some((worker, batch))
    }

    pub(super) fn take_back(&mut self, worker: WorkerId, mut batch: Box<RelayBatch>) {
        batch.clear();
        if let Some(lane) = self.lanes.get_mut(usize::from(worker.0)) {
            lane.free.push(batch);
        }
    }
}

impl Lane {
    fn empty(&mut self) -> Option<Box<RelayBatch>> {
        if let Some(batch) = self.free.pop() {
            debug_assert!(batch.is_empty());
            return Some(batch);
        }
        if self.made == RELAY_BATCHES_MAX {
            return None;
        }
        self.made += 1;
        Some(Box::default())
    }
}
