//! The RTP header (RFC 3550 §5.1).

use super::extensions::ExtensionBlock;
use super::{SequenceNumber, Timestamp};

/// Bytes of a header without CSRCs and extension.
pub const HEADER_BYTES_MIN: usize = 12;

/// The P bit in the first byte.
pub const PADDING_FLAG: u8 = 0x20;

/// A parsed header. CSRCs are skipped: nobody mixes upstream of a forwarder.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Marker bit: by convention the last packet of a frame, or the first after silence.
    pub marker: bool,
    /// Payload type, 0 to 127.
    pub payload_type: u8,
    /// Sequence number.
    pub sequence: SequenceNumber,
    /// Timestamp.
    pub timestamp: Timestamp,
    /// Synchronisation source.
    pub ssrc: u32,
    /// Whether the payload ends in padding.
    pub padding: bool,
    /// Length of the whole header with CSRCs and extension, bytes.
    pub bytes: usize,
    /// The "defined by profile" field of the extension, where there is one.
    pub extension_profile: Option<u16>,
    extension_start: usize,
}

impl Header {
    /// The header at the start of `packet`; `None` unless it is version 2 and complete.
    #[must_use]
    pub fn parse(packet: &[u8]) -> Option<Self> {
        let &[first, second, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3] =
            packet.first_chunk::<HEADER_BYTES_MIN>()?;
        if first >> 6 != 2 {
            return None;
        }
        let csrcs_end = HEADER_BYTES_MIN + 4 * usize::from(first & 0x0f);
        let mut header = Self {
            marker: second & 0x80 != 0,
            payload_type: second & 0x7f,
            sequence: SequenceNumber(u16::from_be_bytes([s0, s1])),
            timestamp: Timestamp(u32::from_be_bytes([t0, t1, t2, t3])),
            ssrc: u32::from_be_bytes([c0, c1, c2, c3]),
            padding: first & PADDING_FLAG != 0,
            bytes: csrcs_end,
            extension_profile: None,
            extension_start: csrcs_end,
        };
        if first & EXTENSION_FLAG != 0 {
            let &[p0, p1, l0, l1] = packet.get(csrcs_end..)?.first_chunk::<4>()?;
            header.extension_profile = Some(u16::from_be_bytes([p0, p1]));
            header.extension_start = csrcs_end + 4;
            header.bytes = header.extension_start + 4 * usize::from(u16::from_be_bytes([l0, l1]));
        }
        (header.bytes <= packet.len()).then_some(header)
    }

    /// The extension's bytes without its four-byte head; empty where there is none. `packet` is
    /// what the header was parsed from.
    #[must_use]
    pub fn extension<'a>(&self, packet: &'a [u8]) -> &'a [u8] {
        packet
            .get(self.extension_start..self.bytes)
            .unwrap_or_default()
    }

    /// The payload within the first `plain_bytes` of an opened packet, without its padding;
    /// `None` if the padding is longer than the payload.
    #[must_use]
    pub fn payload<'a>(&self, packet: &'a [u8], plain_bytes: usize) -> Option<&'a [u8]> {
        let payload = packet.get(self.bytes..plain_bytes)?;
        if !self.padding {
            return Some(payload);
        }
        let padding_bytes = usize::from(*payload.last()?);
        if padding_bytes == 0 {
            return None;
        }
        payload.get(..payload.len().checked_sub(padding_bytes)?)
    }
}

/// The fields of an outgoing header. The P bit is set later, by who decides about padding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FixedHeader {
    /// Marker bit.
    pub marker: bool,
    /// Payload type, 0 to 127.
    pub payload_type: u8,
    /// Sequence number.
    pub sequence: SequenceNumber,
    /// Timestamp.
    pub timestamp: Timestamp,
    /// Synchronisation source.
    pub ssrc: u32,
}

/// Appends a header with `extensions` to `out`.
pub fn write_header(out: &mut Vec<u8>, fixed: &FixedHeader, extensions: &ExtensionBlock<'_>) {
    let extension_flag = if extensions.is_empty() {
        0
    } else {
        EXTENSION_FLAG
    };
    let marker = if fixed.marker { 0x80 } else { 0 };
    out.push(0x80 | extension_flag);
    out.push(marker | (fixed.payload_type & 0x7f));
    out.extend_from_slice(&fixed.sequence.0.to_be_bytes());
    out.extend_from_slice(&fixed.timestamp.0.to_be_bytes());
    out.extend_from_slice(&fixed.ssrc.to_be_bytes());
    extensions.write(out);
}

const EXTENSION_FLAG: u8 = 0x10;

#[cfg(test)]
mod tests;
