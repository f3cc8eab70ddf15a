//! Which of the most recent indices were seen: a ring of bits that is never shifted.

use crate::Error;

/// A replay window of `(WORDS - 1) * 64` indices below the highest one (RFC 3711 §3.3.2).
///
/// An index has one bit, in word `index / 64 % WORDS`. Going forward clears the words that are
/// entered, never the one that is left, so the cost of a packet does not depend on how far it
/// jumped; the word that is being filled is why one word of the ring does not count.
pub(crate) struct Window<const WORDS: usize> {
    /// One above the highest index marked, or zero as long as there is none.
    end: u64,
    bits: [u64; WORDS],
}

impl<const WORDS: usize> Window<WORDS> {
    const REACH: u64 = (WORDS as u64 - 1) * 64;

    /// A window that has seen nothing.
    pub(crate) const fn new() -> Self {
        Self {
            end: 0,
            bits: [0; WORDS],
        }
    }

    /// A window whose record was lost up to `end`: everything below counts as seen.
    pub(crate) fn closed_below(end: u64) -> Self {
        let mut window = Self {
            end,
            bits: [u64::MAX; WORDS],
        };
        match end.checked_sub(1) {
            Some(highest) => {
                let (word, bit) = position::<WORDS>(highest);
                window.bits[word] = u64::MAX >> (63 - bit);
            }
            None => window.bits = [0; WORDS],
        }
        window
    }

    /// One above the highest index marked, or zero as long as there is none.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// The highest index marked.
    pub(crate) fn highest(&self) -> Option<u64> {
        self.end.checked_sub(1)
    }

    /// Whether `index` may still be accepted; changes nothing.
    ///
    /// # Errors
    /// [`Error::Replayed`] if it was marked, [`Error::TooOld`] if the window does not reach it.
    pub(crate) fn check(&self, index: u64) -> Result<(), Error> {
        if index >= self.end {
            return Ok(());
        }
        if self.end - index > Self::REACH {
            return Err(Error::TooOld);
        }
        let (word, bit) = position::<WORDS>(index);
        if self.bits[word] >> bit & 1 == 0 {
            Ok(())
        } else {
            Err(Error::Replayed)
        }
    }

    /// Marks an index that [`check`](Self::check) let through.
    pub(crate) fn mark(&mut self, index: u64) {
        if index >= self.end {
            self.enter(index);
        }
        let (word, bit) = position::<WORDS>(index);
        self.bits[word] |= 1 << bit;
    }

    /// Makes `index` the highest, and clears the words between the old highest and it.
    fn enter(&mut self, index: u64) {
        let new = index / 64;
        match self.highest().map(|highest| highest / 64) {
            Some(old) if new - old < WORDS as u64 => {
                for word in old + 1..=new {
                    self.bits[position::<WORDS>(word * 64).0] = 0;
                }
            }
            _ => self.bits = [0; WORDS],
        }
        self.end = index + 1;
    }
}

/// The word and the bit of an index.
fn position<const WORDS: usize>(index: u64) -> (usize, u32) {
    ((index / 64 % WORDS as u64) as usize, (index % 64) as u32)
}

#[cfg(test)]
mod tests;
