//! The VP8 payload descriptor (RFC 7741 §4.2) and what a forwarder rewrites in it.

use super::FrameLayers;

/// A parsed descriptor: where its counters stand and what they say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Vp8Descriptor {
    /// Length of the descriptor, bytes.
    pub bytes: usize,
    /// The packet starts a frame: S bit set and partition 0.
    pub starts_frame: bool,
    /// The packet starts a key frame.
    pub starts_key_frame: bool,
    /// Picture id.
    pub picture_id: Option<PictureId>,
    /// TL0PICIDX: running index of the frames of the lowest temporal layer.
    pub tl0_picture_index: Option<u8>,
    /// Temporal layer, 0 to 3.
    pub temporal_layer: Option<u8>,
    /// The frame needs only temporal layer 0 of what was before (Y).
    pub layer_sync: bool,
}

/// A picture id in its width on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PictureId {
    /// Modulo 2^7.
    Short(u8),
    /// Modulo 2^15.
    Long(u16),
}

impl PictureId {
    /// Its value.
    #[must_use]
    pub fn value(self) -> u16 {
        match self {
            Self::Short(value) => value.into(),
            Self::Long(value) => value,
        }
    }

    /// `offset` later, in the same width.
    #[must_use]
    pub fn offset_by(self, offset: u16) -> Self {
        let sum = self.value().wrapping_add(offset);
        match self {
            Self::Short(_) => Self::Short(sum.to_be_bytes()[1] & 0x7f),
            Self::Long(_) => Self::Long(sum & 0x7fff),
        }
    }

    /// Writes it over one of the same width, and says how many bytes it takes.
    pub(super) fn write(self, payload: &mut [u8], at: usize) -> usize {
        match self {
            Self::Long(value) => {
                if let Some(bytes) = payload.get_mut(at..at + 2) {
                    bytes.copy_from_slice(&(value | 0x8000).to_be_bytes());
                }
                2
            }
            Self::Short(value) => {
                if let Some(byte) = payload.get_mut(at) {
                    *byte = value;
                }
                1
            }
        }
    }

    /// How far `self` is ahead of `other`; negative where it is behind. Counted in the narrower
    /// width of the two.
    #[must_use]
    pub fn ahead_of(self, other: Self) -> i16 {
        let difference = self.value().wrapping_sub(other.value());
        match (self, other) {
            (Self::Long(_), Self::Long(_)) => difference.wrapping_shl(1).cast_signed() >> 1,
            _ => difference.wrapping_shl(9).cast_signed() >> 9,
        }
    }
}

impl Vp8Descriptor {
    /// The descriptor at the start of an RTP payload; `None` if it is cut off or nothing follows.
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let (&first, mut rest) = payload.split_first()?;
        let mut descriptor = Self {
            bytes: 0,
            starts_frame: first & 0x10 != 0 && first & 0x07 == 0,
            starts_key_frame: false,
            picture_id: None,
            tl0_picture_index: None,
            temporal_layer: None,
            layer_sync: false,
        };
        if first & 0x80 != 0 {
            let (&extended, after) = rest.split_first()?;
            rest = after;
            if extended & HAS_PICTURE_ID != 0 {
                match *rest {
                    [high, low, ref after @ ..] if high & LONG_PICTURE_ID != 0 => {
                        descriptor.picture_id =
                            Some(PictureId::Long(u16::from_be_bytes([high & 0x7f, low])));
                        rest = after;
                    }
                    [short, ref after @ ..] if short & LONG_PICTURE_ID == 0 => {
                        descriptor.picture_id = Some(PictureId::Short(short));
                        rest = after;
                    }
                    _ => return None,
                }
            }
            if extended & HAS_TL0_PICTURE_INDEX != 0 {
                let (&index, after) = rest.split_first()?;
                descriptor.tl0_picture_index = Some(index);
                rest = after;
            }
            if extended & HAS_TEMPORAL_OR_KEY_INDEX != 0 {
                let (&byte, after) = rest.split_first()?;
                if extended & HAS_TEMPORAL_LAYER != 0 {
                    descriptor.temporal_layer = Some(byte >> 6);
                    descriptor.layer_sync = byte & LAYER_SYNC != 0;
                }
                rest = after;
            }
        }
        // RFC 7741 §4.3: the payload header's lowest bit is the inverse key-frame flag.
        let &payload_header = rest.first()?;
        descriptor.starts_key_frame = descriptor.starts_frame && payload_header & 0x01 == 0;
        descriptor.bytes = payload.len() - rest.len();
        Some(descriptor)
    }

    /// The layers of its frame; `ends` is the RTP marker, which ends a frame (RFC 7741 §4.1).
    /// `None` where the stream tells no layers apart.
    #[must_use]
    pub fn layers(&self, ends: bool) -> Option<FrameLayers> {
        self.temporal_layer.map(|temporal| FrameLayers {
            temporal,
            starts: self.starts_frame,
            ends,
            temporal_from_here: self.layer_sync,
            ..FrameLayers::default()
        })
    }

    /// Writes the counters of this descriptor, moved by the offsets, into the payload that it was
    /// parsed from. The width of the picture id stays, so the length does too.
    pub fn rewrite(&self, payload: &mut [u8], picture_id_offset: u16, tl0_offset: u8) {
        let mut at = 2;
        if let Some(id) = self.picture_id.map(|id| id.offset_by(picture_id_offset)) {
            at += id.write(payload, at);
        }
        if let (Some(index), Some(byte)) = (self.tl0_picture_index, payload.get_mut(at)) {
            *byte = index.wrapping_add(tl0_offset);
        }
    }
}

const HAS_PICTURE_ID: u8 = 0x80;
const HAS_TL0_PICTURE_INDEX: u8 = 0x40;
const HAS_TEMPORAL_LAYER: u8 = 0x20;
/// T or K: either brings the byte that both share.
const HAS_TEMPORAL_OR_KEY_INDEX: u8 = 0x30;
const LAYER_SYNC: u8 = 0x20;
const LONG_PICTURE_ID: u8 = 0x80;

#[cfg(test)]
mod tests;
