//! The net under the caller's numbering: no RTP index twice.

use crate::Error;
use crate::limits::{SEAL_WINDOW_PACKETS, WATCHED_SOURCES};
use crate::window::Window;

/// The most recent indices of as many SSRCs as there are records.
///
/// A set-associative cache rather than a map: the place to look is one of four, and a source that
/// finds no place takes one over, round robin, instead of failing. A taken-over record only means
/// that this source is no longer watched. Records are made as sources begin, never for a packet
/// of one that has begun: a transport sends a handful.
pub(super) struct NonceWatch {
    /// Which record is in which place, in sets of [`WAYS`]; [`FREE`] for none. One cache line.
    places: [u8; WATCHED_SOURCES],
    records: Vec<Record>,
    taken_over_count: usize,
}

impl NonceWatch {
    pub(super) fn new() -> Self {
        Self {
            places: [FREE; WATCHED_SOURCES],
            records: Vec::new(),
            taken_over_count: 0,
        }
    }

    /// Takes an index, once.
    ///
    /// # Errors
    /// [`Error::IndexReused`] if it was taken before, [`Error::SealTooLate`] if it is too far
    /// behind to know.
    pub(super) fn claim(&mut self, ssrc: u32, index: u64) -> Result<(), Error> {
        let record = self.find(ssrc).unwrap_or_else(|| self.begin(ssrc));
        let record = &mut self.records[record];
        match record.window.check(index) {
            Ok(()) => {
                record.window.mark(index);
                Ok(())
            }
            Err(Error::TooOld) => Err(Error::SealTooLate),
            Err(_) => Err(Error::IndexReused),
        }
    }

    fn find(&self, ssrc: u32) -> Option<usize> {
        let start = set_of(ssrc) * WAYS;
        self.places[start..start + WAYS]
            .iter()
            .take_while(|place| **place != FREE)
            .map(|place| usize::from(*place))
            .find(|record| self.records[*record].ssrc == ssrc)
    }

    /// Gives a source a record that has seen nothing: its own, or another's of its set.
    fn begin(&mut self, ssrc: u32) -> usize {
        let start = set_of(ssrc) * WAYS;
        let set = &mut self.places[start..start + WAYS];
        let record = Record {
            window: Window::new(),
            ssrc,
        };
        if let Some(place) = set.iter_mut().find(|place| **place == FREE) {
            *place = u8::try_from(self.records.len()).expect("WATCHED_SOURCES fits in a byte");
            self.records.push(record);
            return self.records.len() - 1;
        }
        self.taken_over_count = self.taken_over_count.wrapping_add(1);
        let taken_over = usize::from(set[self.taken_over_count % WAYS]);
        self.records[taken_over] = record;
        taken_over
    }
}

/// One cache line, so that a packet costs one miss at most.
#[repr(align(64))]
struct Record {
    window: Window<WINDOW_WORDS>,
    ssrc: u32,
}

/// The set an SSRC belongs to: the upper bits of a multiplication by 2^32 over the golden ratio,
/// which spreads SSRCs that were handed out in sequence.
fn set_of(ssrc: u32) -> usize {
    (ssrc.wrapping_mul(0x9E37_79B9) >> (32 - SETS.ilog2())) as usize
}

const WAYS: usize = 4;
const FREE: u8 = u8::MAX;
const SETS: usize = WATCHED_SOURCES / WAYS;
const WINDOW_WORDS: usize = 6;

const _: () = assert!(SETS.is_power_of_two() && SETS > 1);
const _: () = assert!(WATCHED_SOURCES < FREE as usize);
const _: () = assert!((WINDOW_WORDS as u64 - 1) * 64 == SEAL_WINDOW_PACKETS);
const _: () = assert!(size_of::<Record>() == 64);

#[cfg(test)]
mod tests;
