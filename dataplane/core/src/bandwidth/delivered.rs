//! At which rate packets arrive.

use crate::limits::ARRIVALS_MAX;
use std::collections::VecDeque;

/// The latest arrivals, in the order of the receiver's clock.
#[derive(Debug)]
pub(super) struct Delivered {
    /// (arrival, bytes); at most [`ARRIVALS_MAX`].
    arrivals: VecDeque<(i64, u16)>,
}

impl Delivered {
    pub(super) fn new() -> Self {
        Self {
            arrivals: VecDeque::new(),
        }
    }

    pub(super) fn arrived(&mut self, arrival_us: i64, bytes: u16) {
        let last_us = self.arrivals.back().map_or(arrival_us, |(last, _)| *last);
        if last_us.saturating_sub(arrival_us) > CLOCK_BACK_US {
            self.arrivals.clear();
        }
        // Overtaken packets count as arriving with the one that overtook them.
        let arrival_us = self
            .arrivals
            .back()
            .map_or(arrival_us, |(last, _)| arrival_us.max(*last));
        if self.arrivals.len() >= ARRIVALS_MAX {
            self.arrivals.pop_front();
        }
        self.arrivals.push_back((arrival_us, bytes));
    }

    /// Bits per second over the last [`WINDOW_US`], or [`PACKETS_MIN`] packets if they took longer,
    /// but not of what arrived up to `since_us`. `None` while that is too little to tell.
    pub(super) fn bps(&self, since_us: i64) -> Option<f64> {
        let (end_us, _) = *self.arrivals.back()?;
        let mut bytes = 0_u64;
        let mut count = 0;
        let mut begin_us = end_us;
        // What arrived first opens the interval; its own bytes came before it.
        for (arrival_us, size) in self.arrivals.iter().rev() {
            begin_us = *arrival_us;
            let age_us = end_us.saturating_sub(begin_us);
            let enough = age_us >= WINDOW_US && count >= PACKETS_MIN;
            if enough || age_us >= WINDOW_US_MAX || *arrival_us <= since_us {
                break;
            }
            bytes += u64::from(*size);
            count += 1;
        }
        let span_us = end_us.saturating_sub(begin_us);
        (count >= PACKETS_MIN && span_us >= SPAN_US_MIN)
            .then(|| bytes as f64 * 8e6 / span_us as f64)
    }
}

/// Short, because what is measured is a capacity that changes; a queue smooths arrivals.
const WINDOW_US: i64 = 120_000;
const WINDOW_US_MAX: i64 = 1_000_000;

/// Fewer packets say little about a rate.
const PACKETS_MIN: usize = 8;

/// No packet is overtaken by this much: the receiver's clock was set back.
const CLOCK_BACK_US: i64 = 2_000_000;

/// Shorter than this, arrivals are one burst of the last hop (Wi-Fi, LTE), not a rate.
const SPAN_US_MIN: i64 = 20_000;
