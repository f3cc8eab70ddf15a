//! RTP headers, as far as they are looked at.

use super::HEADER_BYTES;
use crate::light::srtp::TAG_BYTES;
use crate::media::Stamp;

/// What of an RTP header is looked at (RFC 3550 §5.1).
pub(super) struct Header {
    pub(super) bytes: usize,
    has_padding: bool,
    pub(super) marker: bool,
    pub(super) sequence: u16,
    pub(super) timestamp: u32,
    pub(super) ssrc: u32,
}

impl Header {
    pub(super) fn parse(packet: &[u8]) -> Option<Self> {
        let (fixed, rest) = packet.split_first_chunk::<HEADER_BYTES>()?;
        let [first, second, n0, n1, t0, t1, t2, t3, s0, s1, s2, s3] = *fixed;
        let mut bytes = HEADER_BYTES + 4 * usize::from(first & 0x0f);
        if first & 0x10 != 0 {
            let extension = rest.get(bytes - HEADER_BYTES..)?.first_chunk::<4>()?;
            let words = u16::from_be_bytes([extension[2], extension[3]]);
            bytes += 4 + 4 * usize::from(words);
        }
        (packet.len() >= bytes + TAG_BYTES).then_some(Self {
            bytes,
            has_padding: first & 0x20 != 0,
            marker: second & 0x80 != 0,
            sequence: u16::from_be_bytes([n0, n1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([s0, s1, s2, s3]),
        })
    }

    /// The stamp at the end of an opened payload, before the padding.
    pub(super) fn stamp(&self, payload: &[u8]) -> Option<Stamp> {
        let mut payload = payload;
        if self.has_padding {
            let padding = usize::from(*payload.last()?);
            payload = payload.get(..payload.len().checked_sub(padding)?)?;
        }
        Stamp::read(payload)
    }
}
