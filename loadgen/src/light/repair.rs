//! Repair on bad networks: asking for packets that are missing, and sending again what is asked for.
//! Retransmissions come with the number and the SSRC of the original (RFC 4585 without RFC 4588).

use std::collections::VecDeque;
use std::ops::Range;

/// Packets of one stream that are missing and asked for.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    /// Ascending by index.
    packets: Vec<Missing>,
}

#[derive(Clone, Copy, Debug)]
struct Missing {
    index: u64,
    /// When it is to be asked for next, nanoseconds of the monotonic clock.
    ask_ns: u64,
    tries: u8,
}

/// Time between two looks at what is missing.
pub(super) const LOOK_INTERVAL_NS: u64 = 20_000_000;

/// A packet may be late by so much before it counts as missing.
const TOLERANCE_NS: u64 = 10_000_000;

/// Time between two requests for one packet: a round trip on a bad line.
const RETRY_NS: u64 = 100_000_000;

/// Requests for one packet.
const TRIES_MAX: u8 = 10;

/// Missing packets that are asked for; what is beyond them is an outage, which a key frame ends.
const MISSING_MAX: usize = 256;

impl Gaps {
    /// These have not arrived, but later ones have.
    pub(super) fn note(&mut self, missing: Range<u64>, now_ns: u64) {
        let room = MISSING_MAX.saturating_sub(self.packets.len());
        self.packets.extend(missing.take(room).map(|index| Missing {
            index,
            ask_ns: now_ns + TOLERANCE_NS,
            tries: 0,
        }));
    }

    /// This one has arrived after all.
    pub(super) fn arrived(&mut self, index: u64) {
        if let Ok(place) = self.packets.binary_search_by_key(&index, |it| it.index) {
            self.packets.remove(place);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// Those to be asked for now; gives up those that were asked for often enough.
    pub(super) fn ask(&mut self, now_ns: u64) -> Vec<u64> {
        self.packets.retain(|it| it.tries < TRIES_MAX);
        let mut asked = Vec::new();
        for missing in &mut self.packets {
            if missing.ask_ns <= now_ns {
                missing.ask_ns = now_ns + RETRY_NS;
                missing.tries += 1;
                asked.push(missing.index);
            }
        }
        asked
    }
}

/// The last packets that a participant sent, sealed as they were: the same packet may be sent again
/// under the same key, another one with its number never.
#[derive(Debug, Default)]
pub(super) struct SentPackets {
    packets: VecDeque<Vec<u8>>,
}

/// Packets kept for sending again: about two seconds of 1.5 Mbit/s.
const SENT_PACKETS_MAX: usize = 512;

impl SentPackets {
    /// Keeps a packet that has been sent.
    pub(super) fn keep(&mut self, packet: &[u8]) {
        let mut kept = if self.packets.len() < SENT_PACKETS_MAX {
            Vec::new()
        } else {
            self.packets.pop_front().unwrap_or_default()
        };
        kept.clear();
        kept.extend_from_slice(packet);
        self.packets.push_back(kept);
    }

    /// A kept packet, by the fields of its RTP header.
    pub(super) fn find(&self, ssrc: u32, sequence: u16) -> Option<&[u8]> {
        let is_wanted = |packet: &&Vec<u8>| {
            packet.get(2..4) == Some(&sequence.to_be_bytes())
                && packet.get(8..12) == Some(&ssrc.to_be_bytes())
        };
        self.packets.iter().rfind(is_wanted).map(Vec::as_slice)
    }
}

#[cfg(test)]
mod tests;
