//! Bits in network order, as the syntax tables of the AOMedia RTP specification count them (A.8.1).

/// Reads fields from the front.
#[derive(Clone)]
pub(super) struct Bits<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Bits<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0 }
    }

    /// How many bits were taken.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// f(n): an unsigned number of at most 32 bits.
    pub(super) fn take(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            value = value << 1 | u32::from(bit(self.data, self.at)?);
            self.at += 1;
        }
        Some(value)
    }

    /// f(n) of at most eight bits.
    pub(super) fn take_byte(&mut self, count: u32) -> Option<u8> {
        u8::try_from(self.take(count)?).ok()
    }

    pub(super) fn flag(&mut self) -> Option<bool> {
        self.take(1).map(|value| value == 1)
    }

    /// ns(n): a number below `end`, which is at least 1.
    pub(super) fn non_symmetric(&mut self, end: u32) -> Option<u32> {
        let width = u32::BITS - end.leading_zeros();
        let short = (1 << width) - end;
        let value = self.take(width.checked_sub(1)?)?;
        if value < short {
            return Some(value);
        }
        Some((value << 1) - short + self.take(1)?)
    }
}

/// Writes fields one after the other.
pub(super) struct Writer<'a> {
    out: &'a mut [u8],
    at: usize,
}

impl<'a> Writer<'a> {
    pub(super) fn new(out: &'a mut [u8]) -> Self {
        Self { out, at: 0 }
    }

    pub(super) fn put(&mut self, value: u32, count: u32) -> Option<()> {
        for shift in (0..count).rev() {
            self.push(value >> shift & 1 == 1)?;
        }
        Some(())
    }

    /// Copies the bits of `data` from `start` to `end`.
    pub(super) fn copy(&mut self, data: &[u8], start: usize, end: usize) -> Option<()> {
        for at in start..end {
            self.push(bit(data, at)?)?;
        }
        Some(())
    }

    /// How many bytes it has become, the last one filled up with zeros.
    pub(super) fn finish(&self) -> usize {
        self.at.div_ceil(8)
    }

    fn push(&mut self, set: bool) -> Option<()> {
        let byte = self.out.get_mut(self.at / 8)?;
        if self.at.is_multiple_of(8) {
            *byte = 0;
        }
        *byte |= u8::from(set) << (7 - self.at % 8);
        self.at += 1;
        Some(())
    }
}

fn bit(data: &[u8], at: usize) -> Option<bool> {
    data.get(at / 8).map(|byte| byte >> (7 - at % 8) & 1 == 1)
}
