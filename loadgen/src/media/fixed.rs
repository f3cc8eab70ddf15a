//! Frames of equal packets, for benchmarks. They are VP8, whose descriptor costs a forwarder most.

use super::frame::{Content, Frame, Numbering};
use super::random::Random;
use super::stamp::Stamp;
use super::vp8::Picture;
use crate::scenario::Fixed;
use std::time::Duration;

/// A source of equal packets.
#[derive(Clone, Debug)]
pub(super) struct Metronome {
    spec: Fixed,
    random: Random,
    numbering: Numbering,
    first_due: Duration,
    first_timestamp: u32,
    frame: u64,
    wants_key_frame: bool,
}

/// Bytes of an RTP header without extensions (RFC 3550 §5.1).
const HEADER_BYTES: u16 = 12;

/// Payload that holds a descriptor, a key frame's header and a stamp.
const PAYLOAD_BYTES_MIN: u16 = 40;
const _: () = assert!(PAYLOAD_BYTES_MIN as usize == 16 + Stamp::BYTES);

impl Metronome {
    pub(super) fn new(spec: Fixed, numbering: Numbering, mut random: Random) -> Self {
        let interval = Duration::from_secs(1) / spec.fps.max(1);
        let first_due = interval.mul_f64(random.share());
        let first_timestamp = random.word();
        Self {
            spec,
            random,
            numbering,
            first_due,
            first_timestamp,
            frame: 0,
            wants_key_frame: true,
        }
    }

    pub(super) fn next_due(&self) -> Duration {
        let nanoseconds = self.frame * 1_000_000_000 / u64::from(self.spec.fps.max(1));
        self.first_due + Duration::from_nanos(nanoseconds)
    }

    pub(super) fn request_key_frame(&mut self) {
        self.wants_key_frame = true;
    }

    #[expect(clippy::cast_possible_truncation, reason = "counters wrap on the wire")]
    pub(super) fn next(&mut self) -> Frame {
        let due = self.next_due();
        let ticks = self.frame * 90_000 / u64::from(self.spec.fps.max(1));
        let range = self.spec.packets_per_frame;
        let packets = self.random.integer(range.min, range.max);
        let bytes = (self.spec.packet_bytes - HEADER_BYTES).max(PAYLOAD_BYTES_MIN);
        let (first_sequence, first_number) = self.numbering.take(packets);
        let is_key_frame = std::mem::take(&mut self.wants_key_frame);
        let content = Content::Vp8(Picture {
            id: self.frame as u16 & 0x7fff,
            tl0_index: self.frame as u8,
            is_key_frame,
            width: 1_280,
            height: 720,
        });
        self.frame += 1;
        Frame {
            due,
            layer: 0,
            ssrc: self.numbering.ssrc,
            payload_type: self.numbering.payload_type,
            timestamp: self.first_timestamp.wrapping_add(ticks as u32),
            is_key_frame,
            first_sequence,
            first_number,
            packets,
            packet_bytes: bytes,
            last_bytes: bytes,
            marker: true,
            content,
        }
    }
}
