//! Congestion control feedback (RFC 8888): for each packet, named by its stream's SSRC and RTP
//! sequence number, when it arrived and how the network marked it.

use crate::rtp::SequenceNumber;

/// Received feedback, for a send-side estimator.
#[derive(Clone, Copy, Debug)]
pub struct CongestionFeedback<'a> {
    /// When it was written on the receiver's clock: the middle 32 bits of an NTP time, in
    /// 1/65,536 s.
    pub report_time: u32,
    streams: &'a [u8],
}

/// What became of a packet that arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MarkedArrival {
    /// How long before the report it arrived, in 1/1024 s; `None` where that is not known or 8 s
    /// and more.
    pub before_report: Option<u16>,
    /// Whether the network marked it as having met congestion (ECN-CE, RFC 3168 §5).
    pub congestion_marked: bool,
}

impl<'a> CongestionFeedback<'a> {
    /// `body` follows the SSRC of the feedback's sender (RFC 8888 §3.1).
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        let (streams, report_time) = body.split_last_chunk::<4>()?;
        Some(Self {
            report_time: u32::from_be_bytes(*report_time),
            streams,
        })
    }

    /// Calls `status` for each packet covered, stream by stream, with its SSRC and sequence number;
    /// `None` is a packet that did not arrive. As many calls at most as half the bytes; `None`,
    /// perhaps after some of them, if a stream's reports are cut off.
    pub fn for_each(
        &self,
        mut status: impl FnMut(u32, SequenceNumber, Option<MarkedArrival>),
    ) -> Option<()> {
        let mut rest = self.streams;
        while !rest.is_empty() {
            let (&[s0, s1, s2, s3, b0, b1, c0, c1], reports) = rest.split_first_chunk::<8>()?;
            let ssrc = u32::from_be_bytes([s0, s1, s2, s3]);
            let begin = u16::from_be_bytes([b0, b1]);
            let count = u16::from_be_bytes([c0, c1]);
            let report_bytes = REPORT_BYTES * usize::from(count);
            let padded_bytes = report_bytes.next_multiple_of(4);
            let (padded, after) = reports.split_at_checked(padded_bytes)?;
            for (index, report) in (0..count).zip(padded.chunks_exact(REPORT_BYTES)) {
                let report = u16::from_be_bytes([*report.first()?, *report.last()?]);
                status(
                    ssrc,
                    SequenceNumber(begin.wrapping_add(index)),
                    arrival(report),
                );
            }
            rest = after;
        }
        Some(())
    }
}

fn arrival(report: u16) -> Option<MarkedArrival> {
    let offset = report & OFFSET_MASK;
    (report & RECEIVED != 0).then_some(MarkedArrival {
        before_report: (offset < OFFSET_TOO_LARGE).then_some(offset),
        congestion_marked: (report >> 13) & ECN_MASK == CONGESTION_EXPERIENCED,
    })
}

const REPORT_BYTES: usize = 2;
const RECEIVED: u16 = 0x8000;
const ECN_MASK: u16 = 0b11;
const CONGESTION_EXPERIENCED: u16 = 0b11;
const OFFSET_MASK: u16 = 0x1fff;

/// This and the one above it say that the offset is too large and that it is not known.
const OFFSET_TOO_LARGE: u16 = 0x1ffe;

#[cfg(test)]
mod tests;
