//! The net under the caller's numbering: no RTP index twice.

use crate::Error;
use crate::limits::{SEAL_WINDOW_PACKETS, WATCHED_SOURCES};
use crate::window::Window;

/// The most recent indices of as many SSRCs as there are records.
///
/// A set-associative cache rather than a map: the place to look is four neighbouring lines, and a
/// source that finds no place takes one over, round robin, instead of failing. A taken-over record
/// only means that this source is no longer watched.
pub(super) struct NonceWatch {
    records: Box<[Record; WATCHED_SOURCES]>,
    taken_over_count: usize,
}

impl NonceWatch {
    pub(super) fn new() -> Self {
        Self {
            records: Box::new([const { Record::new() }; WATCHED_SOURCES]),
            taken_over_count: 0,
        }
    }

    /// Takes an index, once.
    ///
    /// # Errors
    /// [`Error::IndexReused`] if it was taken before, [`Error::SealTooLate`] if it is too far
    /// behind to know.
    pub(super) fn claim(&mut self, ssrc: u32, index: u64) -> Result<(), Error> {
        let start = set_of(ssrc) * WAYS;
        let set = &mut self.records[start..start + WAYS];
        let record = match set.iter().position(|record| record.is_for(ssrc)) {
            Some(way) => &mut set[way],
            None => {
                let way = set.iter().position(Record::is_free).unwrap_or_else(|| {
                    self.taken_over_count = self.taken_over_count.wrapping_add(1);
                    self.taken_over_count % WAYS
                });
                set[way] = Record {
                    window: Window::new(),
                    ssrc,
                };
                &mut set[way]
            }
        };
        match record.window.check(index) {
            Ok(()) => {
                record.window.mark(index);
                Ok(())
            }
            Err(Error::TooOld) => Err(Error::SealTooLate),
            Err(_) => Err(Error::IndexReused),
        }
    }
}

/// One cache line, so that a packet costs one miss at most.
#[repr(align(64))]
struct Record {
    window: Window<WINDOW_WORDS>,
    ssrc: u32,
}

impl Record {
    const fn new() -> Self {
        Self {
            window: Window::new(),
            ssrc: 0,
        }
    }

    fn is_free(&self) -> bool {
        self.window.end() == 0
    }

    fn is_for(&self, ssrc: u32) -> bool {
        self.ssrc == ssrc && !self.is_free()
    }
}

/// The set an SSRC belongs to: the upper bits of a multiplication by 2^32 over the golden ratio,
/// which spreads SSRCs that were handed out in sequence.
fn set_of(ssrc: u32) -> usize {
    (ssrc.wrapping_mul(0x9E37_79B9) >> (32 - SETS.ilog2())) as usize
}

const WAYS: usize = 4;
const SETS: usize = WATCHED_SOURCES / WAYS;
const WINDOW_WORDS: usize = 6;

const _: () = assert!(SETS.is_power_of_two() && SETS > 1);
const _: () = assert!((WINDOW_WORDS as u64 - 1) * 64 == SEAL_WINDOW_PACKETS);
const _: () = assert!(size_of::<Record>() == 64);

#[cfg(test)]
mod tests;
