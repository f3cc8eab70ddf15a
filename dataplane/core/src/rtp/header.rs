//! The RTP header (RFC 3550 §5.1).

use super::extensions::ExtensionForm;
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

/// Appends a header up to the head of its extension. Elements of the extension follow, then
/// [`finish_header`].
pub fn begin_header(out: &mut Vec<u8>, fixed: &FixedHeader, form: ExtensionForm) {
    out.extend_from_slice(&[0x80 | EXTENSION_FLAG, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let start = out.len() - HEADER_BYTES_MIN;
    fixed.overwrite(&mut out[start..]);
    out.extend_from_slice(&form.profile().to_be_bytes());
    out.extend_from_slice(&[0, 0]);
}

/// Ends the header that begins at `start`: its extension is padded to whole words and its length
/// filled in; one without elements is taken off.
pub fn finish_header(out: &mut Vec<u8>, start: usize) {
    let elements_start = start + HEADER_BYTES_MIN + EXTENSION_HEAD_BYTES;
    let bytes = out.len() - elements_start;
    if bytes == 0 {
        out.truncate(start + HEADER_BYTES_MIN);
        out[start] &= !EXTENSION_FLAG;
        return;
    }
    let words = bytes.div_ceil(4);
    out.resize(elements_start + 4 * words, 0);
    // A handful of elements of at most 257 bytes: far below 65,535 words.
    let words = u16::try_from(words).unwrap_or(u16::MAX);
    out[elements_start - 2..elements_start].copy_from_slice(&words.to_be_bytes());
}

impl FixedHeader {
    /// Writes everything but the first byte over a header.
    pub fn overwrite(&self, header: &mut [u8]) {
        let [s0, s1] = self.sequence.0.to_be_bytes();
        let [t0, t1, t2, t3] = self.timestamp.0.to_be_bytes();
        let [c0, c1, c2, c3] = self.ssrc.to_be_bytes();
        let marker = if self.marker { 0x80 } else { 0 };
        let second = marker | (self.payload_type & 0x7f);
        if let Some(fields) = header.get_mut(1..HEADER_BYTES_MIN) {
            fields.copy_from_slice(&[second, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3]);
        }
    }
}

const EXTENSION_FLAG: u8 = 0x10;

/// The "defined by profile" field and the length in words.
const EXTENSION_HEAD_BYTES: usize = 4;

#[cfg(test)]
mod tests;
