//! What is missing on one layer and when to ask the publisher for it (RFC 4585 §6.2.1).

use crate::limits::{
    MISSING_AGE_MAX, MISSING_PACKETS_MAX, NACK_BACKOFF_MAX, NACK_RETRY_MIN, NACK_TRIES_MAX,
    NACK_UNHEARD_MAX, REORDER_TOLERANCE, ROUND_TRIP_ASSUMED,
};
use crate::rtp::SequenceNumber;
use std::time::{Duration, Instant};

#[derive(Default)]
pub(super) struct NackGenerator {
    /// Lowest and highest sequence number that arrived.
    range: Option<(u64, u64)>,
    /// Ascending.
    missing: Vec<Missing>,
    /// Rounds of requests since something arrived.
    unheard: u8,
    /// The retry interval of the last round.
    retry: Duration,
}

#[derive(Clone, Copy)]
struct Missing {
    sequence: u64,
    noticed: Instant,
    next: Instant,
    tries: u8,
    /// When it was asked for first and last.
    asked: Option<(Instant, Instant)>,
}

/// What a packet's arrival says about the ones around it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Arrived {
    /// Nothing is missing that was not before.
    Fine,
    /// It had been asked for: this long before.
    Answered(Duration),
    /// More is missing before it than can be asked for.
    Outage,
}

impl NackGenerator {
    pub(super) fn arrived(&mut self, now: Instant, sequence: u64) -> Arrived {
        let Some((lowest, highest)) = self.range else {
            self.range = Some((sequence, sequence));
            return Arrived::Fine;
        };
        self.range = Some((lowest.min(sequence), highest.max(sequence)));
        self.unheard = 0;
        if (lowest..=highest).contains(&sequence) {
            return self.found(now, sequence);
        }
        // Usually what lies behind the highest; before the lowest if the first packets of a
        // stream overtook each other.
        let room = MISSING_PACKETS_MAX - self.missing.len();
        let (gap, place) = if sequence > highest {
            (highest + 1..sequence, self.missing.len())
        } else {
            (sequence + 1..lowest, 0)
        };
        if gap.end - gap.start > u64::try_from(room).unwrap_or_default() {
            if sequence < lowest {
                return Arrived::Fine;
            }
            self.missing.clear();
            return Arrived::Outage;
        }
        let missing = gap.map(|sequence| Missing {
            sequence,
            noticed: now,
            next: now + REORDER_TOLERANCE,
            tries: 0,
            asked: None,
        });
        self.missing.splice(place..place, missing);
        Arrived::Fine
    }

    /// A packet within the range arrived.
    fn found(&mut self, now: Instant, sequence: u64) -> Arrived {
        let Ok(index) = self
            .missing
            .binary_search_by_key(&sequence, |missing| missing.sequence)
        else {
            return Arrived::Fine;
        };
        let missing = self.missing.remove(index);
        let Some((first, last)) = missing.asked else {
            return Arrived::Fine;
        };
        let since_first = now.saturating_duration_since(first);
        let since_last = now.saturating_duration_since(last);
        // Of several requests it is not known which one was answered, unless the last one was made
        // too late for it: then the round trip has grown, and must be learnt, or every packet
        // would be asked for several times on a path whose queue is filling.
        if missing.tries == 1 || since_last < self.retry / 2 {
            Arrived::Answered(since_first)
        } else {
            Arrived::Fine
        }
    }

    /// Appends what is to be asked for now, in ascending order, and gives up what was asked for
    /// often enough.
    pub(super) fn take_due(
        &mut self,
        now: Instant,
        round_trip: Option<Duration>,
        out: &mut Vec<SequenceNumber>,
    ) {
        if self.unheard >= NACK_UNHEARD_MAX {
            return;
        }
        let retry = (round_trip.unwrap_or(ROUND_TRIP_ASSUMED) * 5 / 4).max(NACK_RETRY_MIN);
        let before = out.len();
        self.missing.retain_mut(|missing| {
            if missing.next > now {
                return true;
            }
            let age = now.saturating_duration_since(missing.noticed);
            if missing.tries == NACK_TRIES_MAX || age > MISSING_AGE_MAX {
                return false;
            }
            let first = missing.asked.map_or(now, |(first, _)| first);
            missing.asked = Some((first, now));
            missing.next = now + retry * (1 << missing.tries.min(8)).min(NACK_BACKOFF_MAX);
            missing.tries += 1;
            out.push(SequenceNumber::of(missing.sequence));
            true
        });
        if out.len() > before {
            self.retry = retry;
            self.unheard += 1;
        }
    }

    /// When something is due; nothing is while the layer brings nothing.
    pub(super) fn next(&self) -> Option<Instant> {
        if self.unheard >= NACK_UNHEARD_MAX {
            return None;
        }
        self.missing.iter().map(|missing| missing.next).min()
    }

    /// Nothing that is missing now will be asked for.
    pub(super) fn give_up(&mut self) {
        self.missing.clear();
    }
}

#[cfg(test)]
mod tests;
