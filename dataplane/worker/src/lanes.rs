//! Batches between workers: for each ordered pair a bounded single-producer ring, and another one
//! that brings the emptied batches back. A batch is a pointer; nothing is copied, locked or, once
//! as many batches exist as are needed, allocated.

use std::sync::{Arc, OnceLock};

use bedside_core::Core;
use bedside_core::forwarder::RelayBatch;
use bedside_protocol::WorkerId;
use bedside_ring::Waker;
use rtrb::{Consumer, Producer, PushError, RingBuffer};

/// One worker's ends of the rings to and from all others.
pub(crate) struct Lanes {
    /// By worker; `None` at its own place.
    outgoing: Vec<Option<Outgoing>>,
    incoming: Vec<Option<Incoming>>,
    /// Batches that others have not given back, so that nobody looks where nothing can come.
    lent: usize,
    /// How to wake the others, from when all run.
    wakers: Arc<OnceLock<Vec<Waker>>>,
}

struct Outgoing {
    full: Producer<Box<RelayBatch>>,
    empty: Consumer<Box<RelayBatch>>,
}

struct Incoming {
    full: Consumer<Box<RelayBatch>>,
    empty: Producer<Box<RelayBatch>>,
}

impl Lanes {
    /// The lanes of `count` workers, in order. `wakers` is set before the first command reaches any
    /// of them.
    pub(crate) fn mesh(count: u16, wakers: &Arc<OnceLock<Vec<Waker>>>) -> Vec<Self> {
        let mut all: Vec<Self> = (0..count)
            .map(|_| Self {
                outgoing: Vec::with_capacity(usize::from(count)),
                incoming: Vec::with_capacity(usize::from(count)),
                lent: 0,
                wakers: Arc::clone(wakers),
            })
            .collect();
        for from in 0..all.len() {
            for to in 0..all.len() {
                let (outgoing, incoming) = if from == to {
                    (None, None)
                } else {
                    let (outgoing, incoming) = lane();
                    (Some(outgoing), Some(incoming))
                };
                all[from].outgoing.push(outgoing);
                all[to].incoming.push(incoming);
            }
        }
        all
    }

    /// Hands out what a core has for others, and wakes them: once for however much there is.
    pub(crate) fn pass(&mut self, core: &mut Core) {
        if self.lent > 0 {
            self.take_back(core);
        }
        while let Some((to, batch)) = core.poll_relay() {
            let index = usize::from(to.0);
            let Some(lane) = self.outgoing.get_mut(index).and_then(Option::as_mut) else {
                // No such worker: the control plane was wrong, and nobody is there to tell.
                core.take_back(to, batch);
                continue;
            };
            match lane.full.push(batch) {
                Ok(()) => self.lent += 1,
                // Never while a core makes as many batches as a ring holds.
                Err(PushError::Full(batch)) => core.take_back(to, batch),
            }
            if let Some(waker) = self.wakers.get().and_then(|wakers| wakers.get(index)) {
                waker.wake();
            }
        }
    }

    fn take_back(&mut self, core: &mut Core) {
        for (to, lane) in (0..).zip(&mut self.outgoing) {
            let Some(lane) = lane else {
                continue;
            };
            while let Ok(batch) = lane.empty.pop() {
                self.lent -= 1;
                core.take_back(WorkerId(to), batch);
            }
        }
    }

    /// Gives `read` up to `count_max` batches of each other worker. Whether more wait.
    pub(crate) fn receive(
        &mut self,
        count_max: usize,
        mut read: impl FnMut(WorkerId, &RelayBatch),
    ) -> bool {
        let mut more = false;
        for (from, lane) in (0..).zip(&mut self.incoming) {
            let Some(lane) = lane else {
                continue;
            };
            for _ in 0..count_max {
                let Ok(batch) = lane.full.pop() else {
                    break;
                };
                read(WorkerId(from), &batch);
                lane.empty
                    .push(batch)
                    .expect("both rings hold every batch that there is");
            }
            more |= !lane.full.is_empty();
        }
        more
    }
}

fn lane() -> (Outgoing, Incoming) {
    let (full, full_rx) = RingBuffer::new(RelayBatch::IN_FLIGHT_MAX);
    let (empty_tx, empty) = RingBuffer::new(RelayBatch::IN_FLIGHT_MAX);
    let outgoing = Outgoing { full, empty };
    let incoming = Incoming {
        full: full_rx,
        empty: empty_tx,
    };
    (outgoing, incoming)
}

#[cfg(test)]
mod tests;
