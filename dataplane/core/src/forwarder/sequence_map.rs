//! Which of a publisher's packets is which of a subscriber's.
//!
//! A subscription's numbering is a chain of runs. Within a run the subscriber's numbers follow the
//! publisher's at a fixed distance, so that a packet lost on the way to us leaves the same gap for
//! the subscriber, who asks for it, and a late packet takes its own place. A switch of layers, a
//! pause and a packet left out on purpose each end a run and begin the next one right behind it,
//! without a gap.
//!
//! Numbers are extended to 64 bits on both sides and never wrap.

use crate::limits::SEQUENCE_RUNS_MAX;
use bedside_protocol::Layer;
use std::collections::VecDeque;

/// Consecutive numbering from one layer, and what else is added to its packets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Run {
    pub(super) layer: Layer,
    /// First packet of the layer in this run.
    source_first: u64,
    /// Behind the last one.
    source_end: u64,
    /// The subscriber's number of `source_first`.
    out_first: u64,
    /// What is added to each packet's counters.
    pub(super) offsets: Offsets,
}

/// What is added to the counters of a run's packets, each modulo its width.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Offsets {
    pub(super) timestamp: i32,
    pub(super) picture_id: u16,
    pub(super) tl0_picture_index: u8,
    /// Of dependency descriptors.
    pub(super) frame_number: u16,
}

impl Run {
    fn out(&self, source: u64) -> u64 {
        self.out_first + (source - self.source_first)
    }

    fn is_empty(&self) -> bool {
        self.source_first == self.source_end
    }

    fn contains(&self, layer: Layer, source: u64) -> bool {
        self.layer == layer && (self.source_first..self.source_end).contains(&source)
    }
}

/// A packet's place in the subscriber's stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    /// The subscriber's number.
    pub(super) out: u64,
    pub(super) offsets: Offsets,
    /// It is the newest packet of the stream so far.
    pub(super) newest: bool,
}

pub(super) struct SequenceMap {
    /// Oldest first.
    runs: VecDeque<Run>,
    next_out: u64,
}

impl SequenceMap {
    /// The subscriber's first number is `first`.
    pub(super) fn new(first: u64) -> Self {
        Self {
            runs: VecDeque::new(),
            next_out: first,
        }
    }

    /// Begins a run with the packet `source` of `layer`; it gets the number after the last one
    /// given out.
    pub(super) fn begin(&mut self, layer: Layer, source: u64, offsets: Offsets) {
        if self.runs.len() == SEQUENCE_RUNS_MAX {
            self.runs.pop_front();
        }
        self.runs.push_back(Run {
            layer,
            source_first: source,
            source_end: source,
            out_first: self.next_out,
            offsets,
        });
    }

    /// The run that packets are added to.
    pub(super) fn current(&self) -> Option<&Run> {
        self.runs.back()
    }

    /// How far `source` is beyond the newest packet of the current run; 0 for the next one.
    pub(super) fn jump(&self, source: u64) -> u64 {
        self.current()
            .map_or(0, |run| source.saturating_sub(run.source_end))
    }

    /// The place of a packet of the layer that is being forwarded. `None` for one from before its
    /// run, which has no place.
    pub(super) fn place(&mut self, layer: Layer, source: u64) -> Option<Place> {
        if let Some(run) = self.runs.back_mut()
            && run.layer == layer
            && source >= run.source_end
        {
            let out = run.out(source);
            run.source_end = source + 1;
            self.next_out = out + 1;
            return Some(Place {
                out,
                offsets: run.offsets,
                newest: true,
            });
        }
        self.reserved(layer, source)
    }

    /// The place that was left for a late packet, of whichever run.
    pub(super) fn reserved(&self, layer: Layer, source: u64) -> Option<Place> {
        let run = self
            .runs
            .iter()
            .rev()
            .find(|run| run.contains(layer, source))?;
        Some(Place {
            out: run.out(source),
            offsets: run.offsets,
            newest: false,
        })
    }

    /// Whether newer packets of the layer that is being forwarded than `source` have come.
    pub(super) fn is_late(&self, source: u64) -> bool {
        self.current().is_some_and(|run| source < run.source_end)
    }

    /// Leaves out a packet of the layer that is being forwarded: what follows moves up, its picture
    /// id also, where that is a picture less. A late one has its place already, which cannot be
    /// closed any more: it is returned, to be filled with an empty packet.
    pub(super) fn leave_out(
        &mut self,
        layer: Layer,
        source: u64,
        picture_less: bool,
    ) -> Option<Place> {
        let run = self.runs.back_mut()?;
        if run.layer != layer || source < run.source_end {
            return self.reserved(layer, source);
        }
        // Packets missing before it keep their places.
        run.source_end = source;
        self.next_out = run.out(source);
        let mut offsets = run.offsets;
        if picture_less {
            offsets.picture_id = offsets.picture_id.wrapping_sub(1);
        }
        if run.is_empty() {
            run.source_first = source + 1;
            run.source_end = source + 1;
            run.offsets = offsets;
        } else {
            self.begin(layer, source + 1, offsets);
        }
        None
    }

    /// Takes back the numbers from `out` on, of which none was sent: the next packet gets `out`, and
    /// what had a place there has none.
    pub(super) fn forget_from(&mut self, out: u64) {
        if out >= self.next_out {
            return;
        }
        while self.runs.back().is_some_and(|run| run.out_first >= out) {
            self.runs.pop_back();
        }
        if let Some(run) = self.runs.back_mut() {
            let end = run.source_first + (out - run.out_first);
            run.source_end = run.source_end.min(end);
        }
        self.next_out = out;
    }

    /// The layer and number of the packet that the subscriber knows as `out`, with the offsets
    /// that it was sent with.
    pub(super) fn find(&self, out: u64) -> Option<(Layer, u64, Offsets)> {
        // Later runs begin higher; empty ones share their beginning with the next.
        let run = self
            .runs
            .iter()
            .rev()
            .find(|run| run.out_first <= out && !run.is_empty())?;
        let source = run.source_first + (out - run.out_first);
        (source < run.source_end).then_some((run.layer, source, run.offsets))
    }

    /// The number that the next packet gets.
    pub(super) fn next_out(&self) -> u64 {
        self.next_out
    }
}

#[cfg(test)]
mod tests;
