//! Frames and the packets that they are cut into.

use super::PAYLOAD_BYTES_MAX;
use super::vp8::Picture;
use std::time::Duration;

/// Packets of one stream that are due at the same time and have one time stamp.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Frame {
    /// From the start of the source.
    pub due: Duration,
    /// Which layer, 0 for the lowest.
    pub layer: u8,
    /// What it is sent with.
    pub ssrc: u32,
    /// What it is sent with.
    pub payload_type: u8,
    /// RTP time stamp.
    pub timestamp: u32,
    /// Nothing before it is needed to decode it.
    pub is_key_frame: bool,
    /// Sequence number of its first packet.
    pub first_sequence: u16,
    /// Number of its first packet, counted in its layer from 0.
    pub first_number: u32,
    /// How many packets.
    pub packets: u16,
    /// Payload bytes of each packet but the last.
    pub packet_bytes: u16,
    /// Payload bytes of the last packet, no more than of the others.
    pub last_bytes: u16,
    /// RTP marker of the last packet.
    pub marker: bool,
    pub(super) content: Content,
}

/// One RTP packet that is due.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Packet {
    /// From the start of the source.
    pub due: Duration,
    /// Which layer, 0 for the lowest.
    pub layer: u8,
    /// RTP header.
    pub ssrc: u32,
    /// RTP header.
    pub payload_type: u8,
    /// RTP header.
    pub sequence: u16,
    /// RTP header.
    pub timestamp: u32,
    /// RTP header.
    pub marker: bool,
    /// Part of a key frame.
    pub is_key_frame: bool,
    /// Counted in its layer, from 0.
    pub number: u32,
    /// Length of its payload.
    pub payload_bytes: u16,
    /// First of its frame.
    pub starts_frame: bool,
    pub(super) content: Content,
}

/// What a payload begins with.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Content {
    /// The pattern alone.
    Plain,
    /// A VP8 payload descriptor and, in the first packet, what a VP8 frame begins with.
    Vp8(Picture),
    /// A packet of the recording.
    Recorded {
        /// Its place.
        place: usize,
    },
}

impl Frame {
    /// Its packets, in order.
    pub fn packets(&self) -> impl Iterator<Item = Packet> + use<> {
        let frame = *self;
        (0..frame.packets).map(move |place| frame.packet(place))
    }

    fn packet(&self, place: u16) -> Packet {
        let is_last = place + 1 == self.packets;
        Packet {
            due: self.due,
            layer: self.layer,
            ssrc: self.ssrc,
            payload_type: self.payload_type,
            sequence: self.first_sequence.wrapping_add(place),
            timestamp: self.timestamp,
            marker: is_last && self.marker,
            is_key_frame: self.is_key_frame,
            number: self.first_number.wrapping_add(place.into()),
            payload_bytes: if is_last {
                self.last_bytes
            } else {
                self.packet_bytes
            },
            starts_frame: place == 0,
            content: self.content,
        }
    }

    /// Payload bytes of all packets.
    #[must_use]
    pub fn payload_bytes(&self) -> usize {
        usize::from(self.packets - 1) * usize::from(self.packet_bytes)
            + usize::from(self.last_bytes)
    }
}

/// How `bytes` are cut evenly: number of packets, bytes of each, bytes of the last.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a frame is shorter than 64 MiB"
)]
pub(super) fn cut(bytes: usize) -> (u16, u16, u16) {
    let packets = bytes.div_ceil(PAYLOAD_BYTES_MAX).clamp(1, u16::MAX.into());
    let each = bytes.div_ceil(packets);
    let last = bytes - each * (packets - 1);
    (packets as u16, each as u16, last as u16)
}

/// How the packets of one layer are numbered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbering {
    pub(super) ssrc: u32,
    pub(super) payload_type: u8,
    sequence: u16,
    number: u32,
}

impl Numbering {
    pub(super) fn new(ssrc: u32, payload_type: u8, first_sequence: u16) -> Self {
        Self {
            ssrc,
            payload_type,
            sequence: first_sequence,
            number: 0,
        }
    }

    /// Takes the next `packets` numbers: the first sequence number and the first number.
    pub(super) fn take(&mut self, packets: u16) -> (u16, u32) {
        let first = (self.sequence, self.number);
        self.sequence = self.sequence.wrapping_add(packets);
        self.number = self.number.wrapping_add(packets.into());
        first
    }
}
