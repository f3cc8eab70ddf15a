//! What was sent and has not been reported yet.

use super::{ProbeId, SentPacket};
use crate::limits::{SENT_PACKETS_MAX, SENT_PACKETS_MIN};
use crate::rtp::SequenceNumber;

/// Sent packets by transport-wide sequence number: a ring that doubles, from [`SENT_PACKETS_MIN`]
/// to [`SENT_PACKETS_MAX`], while it would overwrite packets that feedback may still come for.
#[derive(Debug)]
pub(super) struct History {
    ring: Vec<Sent>,
    /// Extended sequence number of the last packet.
    highest: u64,
    /// Bytes sent since the beginning.
    sent_bytes: u64,
    /// Direct-mapped from a hash of SSRC and RTP sequence number to the place in the ring: made when
    /// the first RFC 8888 feedback comes. Where two packets meet, the later one stays.
    by_stream: Vec<u16>,
}

/// One packet, once its fate is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    /// Extended; 0 for none, because numbering begins at [`FIRST_TURN`].
    sequence: u64,
    /// Since the estimator's beginning.
    pub(super) sent_us: u64,
    /// Bytes sent up to and with this one.
    pub(super) sent_bytes: u64,
    ssrc: u32,
    rtp_sequence: u16,
    pub(super) bytes: u16,
    pub(super) probe: Option<ProbeId>,
    fate: Fate,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    Unknown,
    Lost,
    Arrived,
}

impl History {
    pub(super) fn new() -> Self {
        Self {
            ring: vec![Sent::NONE; SENT_PACKETS_MIN],
            highest: 0,
            sent_bytes: 0,
            by_stream: Vec::new(),
        }
    }

    pub(super) fn sent_bytes(&self) -> u64 {
        self.sent_bytes
    }

    pub(super) fn push(&mut self, packet: &SentPacket, sent_us: u64) {
        let near = self.highest.max(FIRST_TURN + u64::from(packet.sequence));
        let sequence = if self.highest == 0 {
            near
        } else {
            let Some(sequence) = SequenceNumber(packet.sequence).extend(self.highest) else {
                return;
            };
            sequence
        };
        self.highest = self.highest.max(sequence);
        self.make_room(sequence, sent_us);
        let bytes = u16::try_from(packet.bytes).unwrap_or(u16::MAX);
        self.sent_bytes += u64::from(bytes);
        let slot = self.slot(sequence);
        if let Some(place) = self.ring.get_mut(slot) {
            *place = Sent {
                sequence,
                sent_us,
                sent_bytes: self.sent_bytes,
                ssrc: packet.ssrc,
                rtp_sequence: packet.rtp_sequence.0,
                bytes,
                probe: packet.probe,
                fate: Fate::Unknown,
            };
            self.index(slot);
        }
    }

    /// The packet with this transport-wide sequence number if `arrived` is news of it: a loss once,
    /// an arrival once, even after it was taken for lost. With it, whether it was.
    pub(super) fn resolve(&mut self, sequence: SequenceNumber, arrived: bool) -> Option<Sent> {
        let sequence = sequence.extend(self.highest)?;
        let slot = self.slot(sequence);
        let sent = self
            .ring
            .get_mut(slot)
            .filter(|sent| sent.sequence == sequence && sequence > 0)?;
        sent.resolve(arrived)
    }

    /// As [`Self::resolve`], for a packet that RFC 8888 names.
    pub(super) fn resolve_stream(
        &mut self,
        ssrc: u32,
        sequence: SequenceNumber,
        arrived: bool,
    ) -> Option<Sent> {
        if self.by_stream.is_empty() {
            self.index_all();
        }
        let slot = *self.by_stream.get(self.hash(ssrc, sequence.0))?;
        let sent = self.ring.get_mut(usize::from(slot)).filter(|sent| {
            sent.sequence > 0 && sent.ssrc == ssrc && sent.rtp_sequence == sequence.0
        })?;
        sent.resolve(arrived)
    }

    fn make_room(&mut self, sequence: u64, now_us: u64) {
        while self.ring.len() < SENT_PACKETS_MAX {
            let slot = self.slot(sequence);
            let waits = self.ring.get(slot).is_some_and(|sent| {
                sent.fate == Fate::Unknown
                    && sent.sequence > 0
                    && now_us.saturating_sub(sent.sent_us) < WAITED_FOR_US
            });
            if !waits {
                return;
            }
            let doubled = vec![Sent::NONE; 2 * self.ring.len()];
            for sent in std::mem::replace(&mut self.ring, doubled) {
                let slot = self.slot(sent.sequence);
                if sent.sequence > 0
                    && let Some(place) = self.ring.get_mut(slot)
                {
                    *place = sent;
                }
            }
            if !self.by_stream.is_empty() {
                self.index_all();
            }
        }
    }

    fn index_all(&mut self) {
        self.by_stream.clear();
        self.by_stream.resize(INDEX_FACTOR * self.ring.len(), 0);
        for slot in 0..self.ring.len() {
            self.index(slot);
        }
    }

    fn index(&mut self, slot: usize) {
        if self.by_stream.is_empty() {
            return;
        }
        if let Some(sent) = self.ring.get(slot).filter(|sent| sent.sequence > 0) {
            let hash = self.hash(sent.ssrc, sent.rtp_sequence);
            if let Some(place) = self.by_stream.get_mut(hash) {
                *place = u16::try_from(slot).unwrap_or_default();
            }
        }
    }

    /// Consecutive packets of a stream take consecutive places; streams begin apart (Fibonacci
    /// hashing). Nothing worse than a forgotten packet follows from a collision.
    fn hash(&self, ssrc: u32, sequence: u16) -> usize {
        let spread = ssrc.wrapping_mul(0x9e37_79b1) >> 12;
        let place = spread.wrapping_add(u32::from(sequence));
        usize::try_from(place).unwrap_or_default() & (self.by_stream.len() - 1)
    }

    fn slot(&self, sequence: u64) -> usize {
        usize::try_from(sequence).unwrap_or_default() & (self.ring.len() - 1)
    }
}

impl Sent {
    const NONE: Self = Self {
        sequence: 0,
        sent_us: 0,
        sent_bytes: 0,
        ssrc: 0,
        rtp_sequence: 0,
        bytes: 0,
        probe: None,
        fate: Fate::Unknown,
    };

    fn resolve(&mut self, arrived: bool) -> Option<Self> {
        let was = self.fate;
        match (was, arrived) {
            (Fate::Arrived, _) | (Fate::Lost, false) => None,
            (_, true) => {
                let before = *self;
                self.fate = Fate::Arrived;
                Some(before)
            }
            (Fate::Unknown, false) => {
                self.fate = Fate::Lost;
                Some(*self)
            }
        }
    }

    /// Whether an arrival had been taken for a loss before.
    pub(super) fn was_lost(&self) -> bool {
        self.fate == Fate::Lost
    }
}

/// Extended sequence numbers begin here, so that the first ones can be extended backwards.
const FIRST_TURN: u64 = 1 << 16;

/// How long feedback may still come: far beyond a satellite's round trip and 250 ms of interval.
const WAITED_FOR_US: u64 = 2_000_000;

/// Places in the index for each packet in the ring.
const INDEX_FACTOR: usize = 4;
