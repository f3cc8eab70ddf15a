//! Where a key frame begins: the only places where a subscriber can start or change layers.

use super::{Vp8Descriptor, Vp9Descriptor};
use bedside_protocol::Codec;

/// What a packet is to a decoder that knows nothing yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyFrame {
    /// Of no use.
    No,
    /// It can start here.
    Start,
    /// It can start here if it needs no parameter sets or has them from elsewhere: an H.264 IDR
    /// picture whose SPS is not in this packet.
    Picture,
}

/// Looks at one packet's payload, without its padding and, for audio, after RED was taken off.
/// Every audio packet is a start.
#[must_use]
pub fn find_key_frame(codec: Codec, payload: &[u8]) -> KeyFrame {
    let starts = match codec {
        Codec::Opus | Codec::Pcmu | Codec::Pcma => true,
        Codec::Vp8 => Vp8Descriptor::parse(payload).is_some_and(|it| it.starts_key_frame),
        Codec::Vp9 => Vp9Descriptor::parse(payload).is_some_and(|it| it.starts_key_frame()),
        Codec::Av1 => av1_starts(payload),
        Codec::H264 => return h264(payload),
    };
    if starts {
        KeyFrame::Start
    } else {
        KeyFrame::No
    }
}

/// AOMedia RTP specification §4.4: the aggregation header's N bit marks the first packet of a
/// coded video sequence.
fn av1_starts(payload: &[u8]) -> bool {
    payload
        .first()
        .is_some_and(|header| header & AV1_CONTINUES == 0 && header & AV1_NEW_SEQUENCE != 0)
}

/// RFC 6184 §5.4 to §5.8: single NAL units, STAP-A, and the first fragment of FU-A.
fn h264(payload: &[u8]) -> KeyFrame {
    let Some((&first, rest)) = payload.split_first() else {
        return KeyFrame::No;
    };
    match first & NAL_TYPE {
        NAL_STAP_A => {
            let mut found = KeyFrame::No;
            let mut rest = rest;
            while let Some((length, after)) = rest.split_first_chunk::<2>() {
                let length = usize::from(u16::from_be_bytes(*length));
                let Some((unit, after)) = after.split_at_checked(length) else {
                    break;
                };
                match unit
                    .first()
                    .map_or(KeyFrame::No, |head| nal(head & NAL_TYPE))
                {
                    KeyFrame::Start => return KeyFrame::Start,
                    KeyFrame::Picture => found = KeyFrame::Picture,
                    KeyFrame::No => {}
                }
                rest = after;
            }
            found
        }
        NAL_FU_A => match rest.first() {
            Some(head) if head & FRAGMENT_START != 0 => nal(head & NAL_TYPE),
            _ => KeyFrame::No,
        },
        kind => nal(kind),
    }
}

fn nal(kind: u8) -> KeyFrame {
    match kind {
        NAL_SPS => KeyFrame::Start,
        NAL_IDR => KeyFrame::Picture,
        _ => KeyFrame::No,
    }
}

const AV1_CONTINUES: u8 = 0x80;
const AV1_NEW_SEQUENCE: u8 = 0x08;

const NAL_TYPE: u8 = 0x1f;
const NAL_IDR: u8 = 5;
const NAL_SPS: u8 = 7;
const NAL_STAP_A: u8 = 24;
const NAL_FU_A: u8 = 28;
const FRAGMENT_START: u8 = 0x80;

#[cfg(test)]
mod tests;
