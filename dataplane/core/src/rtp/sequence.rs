//! Sequence numbers and timestamps: counters that wrap.

/// An RTP sequence number (RFC 3550 §5.1), modulo 2^16.
///
/// It has no order: which of two came first depends on how far apart they may be. Inside the
/// forwarder, sequence numbers are extended to 64 bits where they arrive and never wrap again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SequenceNumber(pub u16);

impl SequenceNumber {
    /// The sequence number of a packet whose extended one is `extended`.
    #[must_use]
    pub fn of(extended: u64) -> Self {
        let [.., high, low] = extended.to_be_bytes();
        Self(u16::from_be_bytes([high, low]))
    }

    /// How far `self` is ahead of `other`: -32,768 to 32,767, negative where it is behind.
    #[must_use]
    pub fn ahead_of(self, other: Self) -> i16 {
        self.0.wrapping_sub(other.0).cast_signed()
    }

    /// The extended sequence number closest to `near`, one that lies within 2^15 of it; `None`
    /// where that would be below zero.
    #[must_use]
    pub fn extend(self, near: u64) -> Option<u64> {
        near.checked_add_signed(i64::from(self.ahead_of(Self::of(near))))
    }
}

/// An RTP timestamp (RFC 3550 §5.1) in units of the codec's clock, modulo 2^32.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Timestamp(pub u32);

impl Timestamp {
    /// How far `self` is ahead of `other`, in units; negative where it is behind.
    #[must_use]
    pub fn ahead_of(self, other: Self) -> i32 {
        self.0.wrapping_sub(other.0).cast_signed()
    }

    /// `units` later, or earlier where negative.
    #[must_use]
    pub fn offset_by(self, units: i32) -> Self {
        Self(self.0.wrapping_add_signed(units))
    }
}

#[cfg(test)]
mod tests;
