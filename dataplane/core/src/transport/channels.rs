//! LiveKit's two data channels of one transport, over str0m's SCTP.

use super::limits::{CHANNELS_PER_PEER_MAX, RELIABLE_WAITING_BYTES_MAX};
use bedside_protocol::DataChannelKind;
use std::collections::VecDeque;
use str0m::Rtc;
use str0m::channel::{ChannelConfig, ChannelId, Reliability};

/// Which channels are open, and what waits for the client to take it.
#[derive(Debug, Default)]
pub(super) struct Channels {
    reliable: Option<ChannelId>,
    lossy: Option<ChannelId>,
    /// Channels of other labels: taken, so that the client sees them open, and ignored.
    ignored: Vec<ChannelId>,
    /// Messages for `_reliable`, oldest first.
    waiting: VecDeque<Vec<u8>>,
    waiting_bytes: usize,
}

/// What became of an opened channel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Opened {
    /// It is one of the two.
    Known(DataChannelKind),
    /// It is `_data_track`, which needs no answer.
    DataTrack,
    /// It has a label that means nothing here, or doubles one.
    Unknown,
}

/// What became of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sent {
    /// SCTP has it, or it waits its turn.
    Accepted,
    /// It waits its turn, and this many older ones were given up for it.
    DroppedOldest(u64),
    /// It was given up.
    Dropped,
    /// There is no such channel yet.
    NoChannel,
}

impl Channels {
    /// Opens both from our side (LiveKit's subscriber connection).
    pub(super) fn open(rtc: &mut Rtc) {
        for (label, ordered, reliability) in [
            (RELIABLE, true, Reliability::Reliable),
            (LOSSY, false, Reliability::MaxRetransmits { retransmits: 0 }),
        ] {
            rtc.direct_api().create_data_channel(ChannelConfig {
                label: label.to_owned(),
                ordered,
                reliability,
                ..ChannelConfig::default()
            });
        }
    }

    /// Takes account of an open channel.
    pub(super) fn opened(&mut self, rtc: &mut Rtc, id: ChannelId, label: &str) -> Opened {
        let (slot, kind) = match label {
            RELIABLE => (&mut self.reliable, DataChannelKind::Reliable),
            LOSSY => (&mut self.lossy, DataChannelKind::Lossy),
            _ => {
                if self.ignored.len() < CHANNELS_PER_PEER_MAX {
                    self.ignored.push(id);
                } else {
                    rtc.direct_api().close_data_channel(id);
                }
                return if label == DATA_TRACK {
                    Opened::DataTrack
                } else {
                    Opened::Unknown
                };
            }
        };
        if slot.is_some_and(|open| open != id) {
            rtc.direct_api().close_data_channel(id);
            return Opened::Unknown;
        }
        *slot = Some(id);
        Opened::Known(kind)
    }

    /// Takes account of a closed channel.
    pub(super) fn closed(&mut self, id: ChannelId) {
        if self.reliable == Some(id) {
            self.reliable = None;
            self.waiting.clear();
            self.waiting_bytes = 0;
        }
        if self.lossy == Some(id) {
            self.lossy = None;
        }
        self.ignored.retain(|ignored| *ignored != id);
    }

    /// Which of the two a message arrived on.
    pub(super) fn kind(&self, id: ChannelId) -> Option<DataChannelKind> {
        if self.reliable == Some(id) {
            Some(DataChannelKind::Reliable)
        } else if self.lossy == Some(id) {
            Some(DataChannelKind::Lossy)
        } else {
            None
        }
    }

    /// The channels that can be written to.
    pub(super) fn known(&self) -> impl Iterator<Item = DataChannelKind> {
        let reliable = self.reliable.map(|_| DataChannelKind::Reliable);
        let lossy = self.lossy.map(|_| DataChannelKind::Lossy);
        reliable.into_iter().chain(lossy)
    }

    /// Sends a message, or has it wait. The transport must be driven afterwards.
    pub(super) fn send(&mut self, rtc: &mut Rtc, kind: DataChannelKind, message: &[u8]) -> Sent {
        match kind {
            DataChannelKind::Lossy => match self.lossy {
                None => Sent::NoChannel,
                Some(id) if write(rtc, id, message) => Sent::Accepted,
                Some(_) => Sent::Dropped,
            },
            DataChannelKind::Reliable => match self.reliable {
                None => Sent::NoChannel,
                Some(id) if self.waiting.is_empty() && write(rtc, id, message) => Sent::Accepted,
                Some(_) => self.wait(message),
            },
        }
    }

    /// Sends what has waited, as far as SCTP takes it. Tells whether anything was sent.
    pub(super) fn flush(&mut self, rtc: &mut Rtc) -> bool {
        let mut any = false;
        if let Some(id) = self.reliable {
            while let Some(message) = self.waiting.front()
                && write(rtc, id, message)
            {
                self.waiting_bytes -= message.len();
                self.waiting.pop_front();
                any = true;
            }
        }
        any
    }

    fn wait(&mut self, message: &[u8]) -> Sent {
        let mut dropped = 0;
        while self.waiting_bytes + message.len() > RELIABLE_WAITING_BYTES_MAX {
            let Some(oldest) = self.waiting.pop_front() else {
                return Sent::Dropped;
            };
            self.waiting_bytes -= oldest.len();
            dropped += 1;
        }
        self.waiting_bytes += message.len();
        self.waiting.push_back(message.to_vec());
        if dropped == 0 {
            Sent::Accepted
        } else {
            Sent::DroppedOldest(dropped)
        }
    }
}

/// Gives SCTP a binary message (LiveKit's are all binary). Tells whether it had room.
fn write(rtc: &mut Rtc, id: ChannelId, message: &[u8]) -> bool {
    rtc.channel(id)
        .is_some_and(|mut channel| matches!(channel.write(true, message), Ok(true)))
}

/// LiveKit's labels.
const RELIABLE: &str = "_reliable";
const LOSSY: &str = "_lossy";
const DATA_TRACK: &str = "_data_track";
