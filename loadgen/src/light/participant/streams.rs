//! The streams that a participant receives.

use super::header::Header;
use crate::light::repair::Gaps;
use crate::light::rtcp::Block;
use crate::light::srtp::Session;
use crate::measure::StreamReceiver;
use crate::media::Stamp;

/// The streams that it receives. There are one to a few hundred, and packets of one come in trains.
#[derive(Debug, Default)]
pub(super) struct Streams {
    /// Ascending.
    pub(super) ssrcs: Vec<u32>,
    /// In the same order.
    pub(super) streams: Vec<Stream>,
    last: usize,
}

#[derive(Debug)]
pub(super) struct Stream {
    pub(super) receiver: StreamReceiver,
    /// Whether a packet was opened: then the rollover counter is known.
    is_opened: bool,
    pub(super) gaps: Gaps,
    reported: Reported,
}

/// What the last receiver report said.
#[derive(Clone, Copy, Debug, Default)]
struct Reported {
    expected: u64,
    received: u64,
}

impl Streams {
    pub(super) fn find(&mut self, ssrc: u32) -> Option<&mut Stream> {
        if self.ssrcs.get(self.last) != Some(&ssrc) {
            self.last = self.ssrcs.binary_search(&ssrc).ok()?;
        }
        self.streams.get_mut(self.last)
    }

    pub(super) fn insert(&mut self, ssrc: u32, receiver: StreamReceiver) {
        let stream = Stream {
            receiver,
            is_opened: false,
            gaps: Gaps::default(),
            reported: Reported::default(),
        };
        match self.ssrcs.binary_search(&ssrc) {
            Ok(place) => self.streams[place] = stream,
            Err(place) => {
                self.ssrcs.insert(place, ssrc);
                self.streams.insert(place, stream);
            }
        }
    }

    pub(super) fn remove(&mut self, ssrc: u32) -> Option<StreamReceiver> {
        let place = self.ssrcs.binary_search(&ssrc).ok()?;
        self.ssrcs.remove(place);
        Some(self.streams.remove(place).receiver)
    }
}

impl Stream {
    /// Opens a packet: `None` if it is not authentic, else its stamp if it has one.
    pub(super) fn open(
        &mut self,
        session: &Session,
        header: &Header,
        datagram: &mut [u8],
    ) -> Option<Option<Stamp>> {
        let index = self.receiver.index_of(header.sequence);
        let open = |index, datagram: &mut [u8]| {
            let payload = session.open_rtp(header.bytes, header.ssrc, index, datagram);
            payload.ok().map(|payload| header.stamp(payload))
        };
        if self.is_opened {
            return open(index, datagram);
        }
        // Of a stream that is seen in samples the first cycle may be over before the first sample.
        let mut copy = datagram.to_vec();
        let stamp = open(index, datagram).or_else(|| {
            let stamp = open(index + 0x1_0000, &mut copy)?;
            self.receiver.skip_cycle();
            Some(stamp)
        })?;
        self.is_opened = true;
        Some(stamp)
    }

    pub(super) fn report(&mut self, ssrc: u32) -> Block {
        let (expected, received) = self.receiver.expected_and_received();
        let interval_expected = expected.saturating_sub(self.reported.expected);
        let interval_lost =
            interval_expected.saturating_sub(received.saturating_sub(self.reported.received));
        let fraction = (interval_lost * 256)
            .checked_div(interval_expected)
            .unwrap_or_default();
        self.reported = Reported { expected, received };
        #[expect(clippy::cast_possible_truncation, reason = "the wire's widths")]
        Block {
            ssrc,
            fraction_lost: fraction.min(255) as u8,
            lost: expected.saturating_sub(received) as u32,
            highest: self.receiver.highest_index().unwrap_or_default() as u32,
            jitter: self.receiver.jitter_ticks(),
        }
    }
}
