//! The header of a packet to a subscriber: its ids, its numbers, its times.

use super::packet_cache::{CachedPacket, passed_extensions};
use super::sequence_map::Offsets;
use crate::rtp::{ExtensionBlock, FixedHeader, SequenceNumber, write_header};
use bedside_protocol::{ExtensionIds, Mid};
use std::ops::Range;

/// What one packet of a subscriber's stream is told apart by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Identity {
    pub(super) payload_type: u8,
    pub(super) ssrc: u32,
    /// Extended sequence number.
    pub(super) index: u64,
    pub(super) offsets: Offsets,
}

/// Writes the headers of one peer's packets, in the order in which they leave.
pub(super) struct HeaderWriter<'a> {
    pub(super) ids: &'a ExtensionIds,
    /// Transport-wide sequence number of the next packet.
    pub(super) transport_sequence: &'a mut u16,
    /// Of every packet: they leave together.
    pub(super) send_time: [u8; 3],
    pub(super) headers: &'a mut Vec<u8>,
}

impl HeaderWriter<'_> {
    /// Appends the header of `packet`, and says where it stands.
    pub(super) fn write(
        &mut self,
        packet: &CachedPacket<'_>,
        mid: &Mid,
        identity: &Identity,
    ) -> Range<usize> {
        let start = self.headers.len();
        let transport_sequence = self.transport_sequence.to_be_bytes();
        let mut block = ExtensionBlock::default();
        if let Some(id) = self.ids.mid {
            block.push(id, mid.as_bytes());
        }
        if let Some(id) = self.ids.abs_send_time {
            block.push(id, &self.send_time);
        }
        if let Some(id) = self.ids.transport_cc {
            block.push(id, &transport_sequence);
            *self.transport_sequence = self.transport_sequence.wrapping_add(1);
        }
        for (extension, data) in passed_extensions(packet.extensions) {
            if let Some(id) = extension.id(self.ids) {
                block.push(id, data);
            }
        }
        let fixed = FixedHeader {
            marker: packet.facts.marker,
            payload_type: identity.payload_type,
            sequence: SequenceNumber::of(identity.index),
            timestamp: packet.facts.timestamp.offset_by(identity.offsets.timestamp),
            ssrc: identity.ssrc,
        };
        write_header(self.headers, &fixed, &block);
        start..self.headers.len()
    }
}

/// Seconds in 6.18 fixed point, of an NTP time
/// (`http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time`).
pub(super) fn absolute_send_time(ntp: u64) -> [u8; 3] {
    let [.., b0, b1, b2] = (ntp >> 14).to_be_bytes();
    [b0, b1, b2]
}
