//! Writing the packets of a compound (RFC 3550 §6.4 to §6.6, RFC 4585).
//!
//! Each function appends one packet; a compound is what was appended since the buffer was cleared.

use super::{
    BYE, FULL_INTRA, GENERIC_NACK, PAYLOAD_SPECIFIC_FEEDBACK, PICTURE_LOSS, RECEIVER_REPORT,
    ReportBlock, SENDER_REPORT, SOURCE_DESCRIPTION, TRANSPORT_LAYER_FEEDBACK,
};
use crate::rtp::{SequenceNumber, Timestamp};

/// What a sender report says about its own stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SenderInfo {
    /// The stream.
    pub ssrc: u32,
    /// NTP time of the report.
    pub ntp: u64,
    /// The same instant in timestamp units.
    pub timestamp: Timestamp,
    /// Packets sent since the beginning, modulo 2^32.
    pub packets: u32,
    /// Payload bytes sent since the beginning, modulo 2^32.
    pub bytes: u32,
}

/// Appends a sender report without report blocks.
pub fn write_sender_report(out: &mut Vec<u8>, info: &SenderInfo) {
    packet(out, 0, SENDER_REPORT, |out| {
        out.extend_from_slice(&info.ssrc.to_be_bytes());
        out.extend_from_slice(&info.ntp.to_be_bytes());
        out.extend_from_slice(&info.timestamp.0.to_be_bytes());
        out.extend_from_slice(&info.packets.to_be_bytes());
        out.extend_from_slice(&info.bytes.to_be_bytes());
    });
}

/// Appends a receiver report of `ssrc` with the first 31 of `blocks`: more do not fit into one.
pub fn write_receiver_report(out: &mut Vec<u8>, ssrc: u32, blocks: &[ReportBlock]) {
    let (count, blocks) = counted(blocks);
    packet(out, count, RECEIVER_REPORT, |out| {
        out.extend_from_slice(&ssrc.to_be_bytes());
        for block in blocks {
            let [_, lost @ ..] = block.cumulative_lost.to_be_bytes();
            out.extend_from_slice(&block.ssrc.to_be_bytes());
            out.push(block.fraction_lost);
            out.extend_from_slice(&lost);
            out.extend_from_slice(&block.highest_sequence.to_be_bytes());
            out.extend_from_slice(&block.jitter.to_be_bytes());
            out.extend_from_slice(&block.last_sender_report.to_be_bytes());
            out.extend_from_slice(&block.delay_since_last.to_be_bytes());
        }
    });
}

/// Appends a source description that gives the first 31 of `ssrcs` the same CNAME. A name longer
/// than 255 bytes is cut.
pub fn write_source_descriptions(out: &mut Vec<u8>, ssrcs: &[u32], cname: &[u8]) {
    let (count, ssrcs) = counted(ssrcs);
    let cname = &cname[..cname.len().min(usize::from(u8::MAX))];
    packet(out, count, SOURCE_DESCRIPTION, |out| {
        for ssrc in ssrcs {
            let start = out.len();
            out.extend_from_slice(&ssrc.to_be_bytes());
            out.extend_from_slice(&[CNAME, u8::try_from(cname.len()).unwrap_or(u8::MAX)]);
            out.extend_from_slice(cname);
            // RFC 3550 §6.5: at least one zero byte, up to the next word.
            let bytes = (out.len() - start + 1).next_multiple_of(4);
            out.resize(start + bytes, 0);
        }
    });
}

/// Appends a BYE for the first 31 of `ssrcs`.
pub fn write_bye(out: &mut Vec<u8>, ssrcs: &[u32]) {
    let (count, ssrcs) = counted(ssrcs);
    packet(out, count, BYE, |out| {
        for ssrc in ssrcs {
            out.extend_from_slice(&ssrc.to_be_bytes());
        }
    });
}

/// Appends a generic NACK for `sequences` of the stream `media`, which are in ascending order.
pub fn write_nack(out: &mut Vec<u8>, sender: u32, media: u32, sequences: &[SequenceNumber]) {
    packet(out, GENERIC_NACK, TRANSPORT_LAYER_FEEDBACK, |out| {
        out.extend_from_slice(&sender.to_be_bytes());
        out.extend_from_slice(&media.to_be_bytes());
        let mut rest = sequences;
        while let [base, after @ ..] = rest {
            let mut mask = 0_u16;
            let mut taken = 0;
            for sequence in after {
                let distance = sequence.0.wrapping_sub(base.0);
                if !(1..=16).contains(&distance) {
                    break;
                }
                mask |= 1 << (distance - 1);
                taken += 1;
            }
            out.extend_from_slice(&base.0.to_be_bytes());
            out.extend_from_slice(&mask.to_be_bytes());
            rest = &after[taken..];
        }
    });
}

/// Appends a picture loss indication for the stream `media`.
pub fn write_picture_loss(out: &mut Vec<u8>, sender: u32, media: u32) {
    packet(out, PICTURE_LOSS, PAYLOAD_SPECIFIC_FEEDBACK, |out| {
        out.extend_from_slice(&sender.to_be_bytes());
        out.extend_from_slice(&media.to_be_bytes());
    });
}

/// Appends a full intra request for the stream `media` (RFC 5104 §4.3.1). `command` counts the
/// requests: one that repeats a number is taken for a copy and not answered.
pub fn write_full_intra(out: &mut Vec<u8>, sender: u32, media: u32, command: u8) {
    packet(out, FULL_INTRA, PAYLOAD_SPECIFIC_FEEDBACK, |out| {
        out.extend_from_slice(&sender.to_be_bytes());
        // The stream stands in the entry alone.
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&media.to_be_bytes());
        out.extend_from_slice(&[command, 0, 0, 0]);
    });
}

/// Appends a packet whose body `write` appends in whole words.
pub(super) fn packet(
    out: &mut Vec<u8>,
    count: u8,
    packet_type: u8,
    write: impl FnOnce(&mut Vec<u8>),
) {
    let start = out.len();
    out.extend_from_slice(&[0x80 | count, packet_type, 0, 0]);
    write(out);
    let words = u16::try_from((out.len() - start) / 4 - 1).unwrap_or(u16::MAX);
    out[start + 2..start + 4].copy_from_slice(&words.to_be_bytes());
}

/// As many of `items` as the five-bit count can say, and the count.
fn counted<T>(items: &[T]) -> (u8, &[T]) {
    let items = &items[..items.len().min(COUNT_MAX)];
    (u8::try_from(items.len()).unwrap_or(0), items)
}

/// RFC 3550 §6.4: the count has five bits.
const COUNT_MAX: usize = 31;

/// SDES item (RFC 3550 §6.5.1).
const CNAME: u8 = 1;

#[cfg(test)]
mod tests;
