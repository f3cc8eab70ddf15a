//! What all participants of a fleet work with.

use super::Sinks;
use super::network::{Delayed, Direction};
use crate::measure::Recorder;
use crate::pacing::Schedule;

/// What all participants of a fleet work with.
#[derive(Debug)]
pub(super) struct Workplace {
    pub(super) recorder: Recorder,
    /// Where packets are written.
    pub(super) scratch: Vec<u8>,
    pub(super) sampler: Sampler,
    pub(super) sinks: Sinks,
    /// Datagrams on bad networks, by monotonic time.
    pub(super) delayed: Schedule<Delayed>,
    /// How many there were.
    pub(super) delayed_count: u64,
}

impl Workplace {
    pub(super) fn new(sinks: Sinks, seed: u64) -> Self {
        Self {
            recorder: Recorder::new(),
            scratch: Vec::with_capacity(1 << 16),
            sampler: Sampler::new(seed),
            sinks,
            delayed: Schedule::new(),
            delayed_count: 0,
        }
    }

    /// Lets a datagram go on later.
    pub(super) fn delay(
        &mut self,
        due_ns: u64,
        participant: usize,
        direction: Direction,
        datagram: &[u8],
    ) {
        self.delayed_count += 1;
        let delayed = Delayed {
            order: self.delayed_count,
            participant,
            direction,
            datagram: datagram.to_vec(),
        };
        self.delayed.push(due_ns, delayed);
    }
}

/// Chooses which packets are opened: at random, so that no rhythm of the media is followed.
#[derive(Clone, Debug)]
pub(super) struct Sampler {
    state: u64,
    skip: u32,
}

impl Sampler {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            state: seed | 1,
            skip: 0,
        }
    }

    /// Whether this one is among the one in `one_in`.
    pub(super) fn chooses(&mut self, one_in: u32) -> bool {
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        // xorshift64: quality does not matter, speed does.
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        let span = 2 * u64::from(one_in.max(1)) - 1;
        #[expect(clippy::cast_possible_truncation, reason = "less than 2^32")]
        let skip = (self.state % span) as u32;
        self.skip = skip;
        true
    }
}
