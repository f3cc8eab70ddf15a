//! Reading compounds (RFC 3550 §6, RFC 4585, RFC 5104, REMB, transport-wide feedback).

use super::{
    APPLICATION_LAYER, BYE, CONGESTION_CONTROL, CongestionFeedback, FULL_INTRA, GENERIC_NACK,
    PAYLOAD_SPECIFIC_FEEDBACK, PICTURE_LOSS, RECEIVER_REPORT, SENDER_REPORT,
    TRANSPORT_LAYER_FEEDBACK, TRANSPORT_WIDE, TransportFeedback,
};
use crate::rtp::{SequenceNumber, Timestamp};

/// The packets of a compound, in order. Ends after the first one that is malformed. A reduced-size
/// compound (RFC 5506) is as good as a full one.
#[must_use]
pub fn packets(compound: &[u8]) -> Packets<'_> {
    Packets { rest: compound }
}

/// Iterator over a compound.
#[derive(Clone, Debug)]
pub struct Packets<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Packets<'a> {
    type Item = Result<Packet<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let found = split(self.rest).and_then(|(head, body, rest)| {
            self.rest = rest;
            Packet::parse(head, body)
        });
        if found.is_none() {
            self.rest = &[];
        }
        Some(found.ok_or(Malformed))
    }
}

/// A packet's lengths do not fit together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("an RTCP packet is malformed")]
pub struct Malformed;

/// One packet of a compound.
#[derive(Clone, Debug)]
pub enum Packet<'a> {
    /// RFC 3550 §6.4.1.
    SenderReport {
        /// Whose report it is.
        ssrc: u32,
        /// NTP time of the report on the sender's clock.
        ntp: u64,
        /// The same instant in the stream's timestamp units.
        timestamp: Timestamp,
        /// What it hears.
        blocks: ReportBlocks<'a>,
    },
    /// RFC 3550 §6.4.2.
    ReceiverReport {
        /// What it hears.
        blocks: ReportBlocks<'a>,
    },
    /// RFC 3550 §6.6.
    Bye(Ssrcs<'a>),
    /// RFC 4585 §6.2.1.
    Nack {
        /// The stream that packets are missing from.
        media: u32,
        /// Which.
        sequences: NackSequences<'a>,
    },
    /// RFC 4585 §6.3.1.
    PictureLoss {
        /// The stream that needs a key frame.
        media: u32,
    },
    /// RFC 5104 §4.3.1.
    FullIntra(FirEntries<'a>),
    /// `draft-alvestrand-rmcat-remb-03`.
    EstimatedBitrate {
        /// What the receiver believes to be able to take, bits per second.
        bitrate_bps: u64,
        /// The streams that share it.
        ssrcs: Ssrcs<'a>,
    },
    /// `draft-holmer-rmcat-transport-wide-cc-extensions-01`.
    TransportFeedback(TransportFeedback<'a>),
    /// RFC 8888.
    CongestionFeedback(CongestionFeedback<'a>),
    /// Source descriptions and what is not known here: skipped.
    Other,
}

impl<'a> Packet<'a> {
    fn parse(head: Head, body: &'a [u8]) -> Option<Self> {
        Some(match head.packet_type {
            SENDER_REPORT => {
                let (ssrc, rest) = take_u32(body)?;
                let (seconds, rest) = take_u32(rest)?;
                let (fraction, rest) = take_u32(rest)?;
                let (timestamp, rest) = take_u32(rest)?;
                let rest = rest.get(8..)?;
                Self::SenderReport {
                    ssrc,
                    ntp: (u64::from(seconds) << 32) | u64::from(fraction),
                    timestamp: Timestamp(timestamp),
                    blocks: ReportBlocks::parse(rest, head.count)?,
                }
            }
            RECEIVER_REPORT => {
                let (_ssrc, rest) = take_u32(body)?;
                Self::ReceiverReport {
                    blocks: ReportBlocks::parse(rest, head.count)?,
                }
            }
            BYE => Self::Bye(Ssrcs {
                bytes: body.get(..4 * usize::from(head.count))?,
            }),
            TRANSPORT_LAYER_FEEDBACK | PAYLOAD_SPECIFIC_FEEDBACK => {
                let (_sender, rest) = take_u32(body)?;
                if (head.packet_type, head.count) == (TRANSPORT_LAYER_FEEDBACK, CONGESTION_CONTROL)
                {
                    // It names streams where other feedback names the media source.
                    return Some(Self::CongestionFeedback(CongestionFeedback::parse(rest)?));
                }
                let (media, rest) = take_u32(rest)?;
                return Self::feedback(head, media, rest);
            }
            // Source descriptions among them: names are the control plane's business.
            _ => Self::Other,
        })
    }

    fn feedback(head: Head, media: u32, rest: &'a [u8]) -> Option<Self> {
        Some(match (head.packet_type, head.count) {
            (TRANSPORT_LAYER_FEEDBACK, GENERIC_NACK) => Self::Nack {
                media,
                sequences: NackSequences {
                    items: rest,
                    base: SequenceNumber(0),
                    pending: 0,
                },
            },
            (TRANSPORT_LAYER_FEEDBACK, TRANSPORT_WIDE) => {
                Self::TransportFeedback(TransportFeedback::parse(rest)?)
            }
            (PAYLOAD_SPECIFIC_FEEDBACK, PICTURE_LOSS) => Self::PictureLoss { media },
            (PAYLOAD_SPECIFIC_FEEDBACK, FULL_INTRA) => Self::FullIntra(FirEntries { bytes: rest }),
            (PAYLOAD_SPECIFIC_FEEDBACK, APPLICATION_LAYER) => match rest {
                [b'R', b'E', b'M', b'B', count, e, m0, m1, ssrcs @ ..] => {
                    let exponent = u32::from(e >> 2);
                    let mantissa = u64::from(u32::from_be_bytes([0, e & 0x03, *m0, *m1]));
                    Self::EstimatedBitrate {
                        bitrate_bps: mantissa.saturating_mul(1 << exponent.min(63)),
                        ssrcs: Ssrcs {
                            bytes: ssrcs.get(..4 * usize::from(*count))?,
                        },
                    }
                }
                _ => Self::Other,
            },
            _ => Self::Other,
        })
    }
}

/// One report block (RFC 3550 §6.4.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ReportBlock {
    /// The stream that it is about.
    pub ssrc: u32,
    /// Share of packets lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost since the beginning; negative where duplicates outnumber losses. 24 bits.
    pub cumulative_lost: i32,
    /// Highest sequence number received, with its wraps in the upper 16 bits.
    pub highest_sequence: u32,
    /// Interarrival jitter, timestamp units.
    pub jitter: u32,
    /// Middle 32 bits of the NTP time of the last sender report; 0 for none.
    pub last_sender_report: u32,
    /// Since that report arrived, in 1/65,536 s.
    pub delay_since_last: u32,
}

/// Iterator over report blocks.
#[derive(Clone, Debug)]
pub struct ReportBlocks<'a> {
    bytes: &'a [u8],
}

impl<'a> ReportBlocks<'a> {
    /// Profile-specific extensions may follow the blocks and are ignored.
    fn parse(bytes: &'a [u8], count: u8) -> Option<Self> {
        Some(Self {
            bytes: bytes.get(..REPORT_BLOCK_BYTES * usize::from(count))?,
        })
    }
}

impl Iterator for ReportBlocks<'_> {
    type Item = ReportBlock;

    fn next(&mut self) -> Option<ReportBlock> {
        let (block, rest) = self.bytes.split_first_chunk::<REPORT_BLOCK_BYTES>()?;
        self.bytes = rest;
        let (ssrc, block) = take_u32(block)?;
        let (loss, block) = take_u32(block)?;
        let (highest_sequence, block) = take_u32(block)?;
        let (jitter, block) = take_u32(block)?;
        let (last_sender_report, block) = take_u32(block)?;
        let (delay_since_last, _) = take_u32(block)?;
        let [fraction_lost, ..] = loss.to_be_bytes();
        Some(ReportBlock {
            ssrc,
            fraction_lost,
            // Sign-extends the lower 24 bits.
            cumulative_lost: (loss << 8).cast_signed() >> 8,
            highest_sequence,
            jitter,
            last_sender_report,
            delay_since_last,
        })
    }
}

/// Iterator over the sequence numbers of a generic NACK.
#[derive(Clone, Debug)]
pub struct NackSequences<'a> {
    items: &'a [u8],
    base: SequenceNumber,
    /// Bit n stands for the sequence number n + 1 after `base`.
    pending: u16,
}

impl Iterator for NackSequences<'_> {
    type Item = SequenceNumber;

    fn next(&mut self) -> Option<SequenceNumber> {
        if self.pending != 0 {
            let bit = self.pending.trailing_zeros();
            self.pending &= self.pending - 1;
            let offset = u16::try_from(bit + 1).unwrap_or(u16::MAX);
            return Some(SequenceNumber(self.base.0.wrapping_add(offset)));
        }
        let (&[p0, p1, b0, b1], rest) = self.items.split_first_chunk::<4>()?;
        self.items = rest;
        self.base = SequenceNumber(u16::from_be_bytes([p0, p1]));
        self.pending = u16::from_be_bytes([b0, b1]);
        Some(self.base)
    }
}

/// Iterator over the streams that a full intra request names, with its command numbers.
#[derive(Clone, Debug)]
pub struct FirEntries<'a> {
    bytes: &'a [u8],
}

impl Iterator for FirEntries<'_> {
    type Item = (u32, u8);

    fn next(&mut self) -> Option<(u32, u8)> {
        let (entry, rest) = self.bytes.split_first_chunk::<8>()?;
        self.bytes = rest;
        let (ssrc, entry) = take_u32(entry)?;
        Some((ssrc, *entry.first()?))
    }
}

/// Iterator over a list of SSRCs.
#[derive(Clone, Debug)]
pub struct Ssrcs<'a> {
    bytes: &'a [u8],
}

impl Iterator for Ssrcs<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let (ssrc, rest) = take_u32(self.bytes)?;
        self.bytes = rest;
        Some(ssrc)
    }
}

#[derive(Clone, Copy, Debug)]
struct Head {
    /// Report count, source count or feedback message type.
    count: u8,
    packet_type: u8,
}

/// Head, body without padding, and what follows the packet.
fn split(compound: &[u8]) -> Option<(Head, &[u8], &[u8])> {
    let (&[first, packet_type, l0, l1], after) = compound.split_first_chunk::<4>()?;
    if first >> 6 != 2 {
        return None;
    }
    let body_bytes = 4 * usize::from(u16::from_be_bytes([l0, l1]));
    let (mut body, rest) = after.split_at_checked(body_bytes)?;
    if first & PADDING_FLAG != 0 {
        let padding_bytes = usize::from(*body.last()?);
        body = body.get(..body.len().checked_sub(padding_bytes)?)?;
    }
    let head = Head {
        count: first & 0x1f,
        packet_type,
    };
    Some((head, body, rest))
}

fn take_u32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (value, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*value), rest))
}

const REPORT_BLOCK_BYTES: usize = 24;
const PADDING_FLAG: u8 = 0x20;

#[cfg(test)]
mod tests;
