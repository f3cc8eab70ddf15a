//! What is remembered of each SSRC that ever sent an authentic packet.

use crate::Error;
use crate::limits::{
    REPLAY_WINDOWS, RTCP_REPLAY_WINDOW_PACKETS, RTP_REPLAY_WINDOW_PACKETS, SOURCES_MAX,
};
use crate::window::Window;

/// Sources by SSRC, in an open-addressed table of places; sources only ever join. A transport has
/// a handful of them, so memory is made as they join, never for a packet of a known one.
///
/// A peer that holds the keys can choose its SSRCs to collide, which costs at worst
/// [`SOURCES_MAX`] comparisons for each of its own packets: that is why the hash needs no secret.
/// Without the keys nothing gets in.
pub(super) struct Sources {
    /// A power of two; at most half are taken.
    places: Vec<Place>,
    records: Vec<Record>,
    windows: Vec<LentWindow>,
    /// Counts accepted RTP packets: the time by which a window is least recently used.
    accepted_count: u64,
}

impl Sources {
    pub(super) fn new() -> Self {
        Self {
            places: vec![Place::FREE; PLACES_MIN],
            records: Vec::new(),
            windows: Vec::new(),
            accepted_count: 0,
        }
    }

    /// Looks an SSRC up, or the place where it would join.
    ///
    /// # Errors
    /// [`Error::TooManySources`] if it is not there and cannot join any more.
    pub(super) fn find(&self, ssrc: u32) -> Result<Source, Error> {
        let place = self.places[self.place_of(ssrc)];
        if place.record != FREE {
            Ok(Source::Known(usize::from(place.record)))
        } else if self.records.len() < SOURCES_MAX {
            Ok(Source::New { ssrc })
        } else {
            Err(Error::TooManySources)
        }
    }

    /// The place of an SSRC, or the free one that it would take.
    fn place_of(&self, ssrc: u32) -> usize {
        let mut place = first_place_of(ssrc, self.places.len());
        // Half of the places are always free, so the loop ends.
        while self.places[place].record != FREE && self.places[place].ssrc != ssrc {
            place = (place + 1) % self.places.len();
        }
        place
    }

    /// The highest RTP index that was accepted from a source.
    pub(super) fn rtp_highest(&self, source: Source) -> Option<u64> {
        let record = self.record(source)?;
        match record.window {
            Some(window) => self.windows[usize::from(window)].window.highest(),
            None => record.rtp_end.checked_sub(1),
        }
    }

    /// # Errors
    /// [`Error::Replayed`] or [`Error::TooOld`].
    pub(super) fn check_rtp(&self, source: Source, index: u64) -> Result<(), Error> {
        let Some(record) = self.record(source) else {
            return Ok(());
        };
        match record.window {
            Some(window) => self.windows[usize::from(window)].window.check(index),
            None if index < record.rtp_end => Err(Error::TooOld),
            None => Ok(()),
        }
    }

    /// Records an RTP index whose packet was authentic.
    pub(super) fn accept_rtp(&mut self, source: Source, index: u64) {
        let record = self.join(source);
        let window = match self.records[record].window {
            Some(window) => usize::from(window),
            None => self.lend_window(record),
        };
        self.accepted_count += 1;
        let lent = &mut self.windows[window];
        lent.window.mark(index);
        lent.used_at = self.accepted_count;
    }

    /// # Errors
    /// [`Error::Replayed`] or [`Error::TooOld`].
    pub(super) fn check_rtcp(&self, source: Source, index: u64) -> Result<(), Error> {
        self.record(source)
            .map_or(Ok(()), |record| record.rtcp.check(index))
    }

    /// Records an SRTCP index whose packet was authentic.
    pub(super) fn accept_rtcp(&mut self, source: Source, index: u64) {
        let record = self.join(source);
        self.records[record].rtcp.mark(index);
    }

    fn record(&self, source: Source) -> Option<&Record> {
        match source {
            Source::Known(record) => Some(&self.records[record]),
            Source::New { .. } => None,
        }
    }

    /// The record of a source, made now if this is its first authentic packet.
    fn join(&mut self, source: Source) -> usize {
        match source {
            Source::Known(record) => record,
            Source::New { ssrc } => {
                let record = self.records.len();
                if 2 * (record + 1) > self.places.len() {
                    self.double_places();
                }
                let place = self.place_of(ssrc);
                self.places[place] = Place {
                    ssrc,
                    record: u8::try_from(record).expect("SOURCES_MAX fits in a byte"),
                };
                self.records.push(Record::new());
                record
            }
        }
    }

    fn double_places(&mut self) {
        let doubled = vec![Place::FREE; 2 * self.places.len()];
        let places = std::mem::replace(&mut self.places, doubled);
        for place in places {
            if place.record != FREE {
                let free = self.place_of(place.ssrc);
                self.places[free] = place;
            }
        }
    }

    /// Gives a source the window that was used least recently, and closes the books of the source
    /// that had it: of that one, only the highest index stays known.
    fn lend_window(&mut self, borrower: usize) -> usize {
        let mut oldest = 0;
        if self.windows.len() < REPLAY_WINDOWS {
            oldest = self.windows.len();
            self.windows.push(LentWindow::new());
        }
        for window in 0..self.windows.len() {
            if self.windows[window].used_at < self.windows[oldest].used_at {
                oldest = window;
            }
        }
        let lent = &mut self.windows[oldest];
        if let Some(owner) = lent.owner.replace(borrower) {
            self.records[owner].rtp_end = lent.window.end();
            self.records[owner].window = None;
        }
        lent.window = Window::closed_below(self.records[borrower].rtp_end);
        self.records[borrower].window =
            Some(u8::try_from(oldest).expect("REPLAY_WINDOWS fits in a byte"));
        oldest
    }
}

/// Where a source stands in the table, found once for each packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Source {
    Known(usize),
    New { ssrc: u32 },
}

/// An SSRC and its record, side by side because they are read together.
#[derive(Clone, Copy)]
struct Place {
    ssrc: u32,
    /// [`FREE`] where there is no source.
    record: u8,
}

impl Place {
    const FREE: Self = Self {
        ssrc: 0,
        record: FREE,
    };
}

/// A source for life.
struct Record {
    /// The RTP replay window on loan.
    window: Option<u8>,
    /// While no window is on loan: one above the highest RTP index accepted, or zero.
    rtp_end: u64,
    rtcp: Window<RTCP_WINDOW_WORDS>,
}

impl Record {
    const fn new() -> Self {
        Self {
            window: None,
            rtp_end: 0,
            rtcp: Window::new(),
        }
    }
}

struct LentWindow {
    window: Window<RTP_WINDOW_WORDS>,
    owner: Option<usize>,
    used_at: u64,
}

impl LentWindow {
    const fn new() -> Self {
        Self {
            window: Window::new(),
            owner: None,
            used_at: 0,
        }
    }
}

/// The upper bits of a multiplication by 2^32 over the golden ratio: one instruction, and SSRCs
/// that were handed out in sequence do not cluster.
fn first_place_of(ssrc: u32, places: usize) -> usize {
    (ssrc.wrapping_mul(0x9E37_79B9) >> (32 - places.ilog2())) as usize
}

/// Places of a transport whose client has not sent anything: a cache line of them.
const PLACES_MIN: usize = 8;
const FREE: u8 = u8::MAX;
const RTP_WINDOW_WORDS: usize = 17;
const RTCP_WINDOW_WORDS: usize = 2;

const _: () = assert!(PLACES_MIN.is_power_of_two() && SOURCES_MAX < FREE as usize);
const _: () = assert!((RTP_WINDOW_WORDS as u64 - 1) * 64 == RTP_REPLAY_WINDOW_PACKETS);
const _: () = assert!((RTCP_WINDOW_WORDS as u64 - 1) * 64 == RTCP_REPLAY_WINDOW_PACKETS);

#[cfg(test)]
mod tests;
