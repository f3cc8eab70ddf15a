//! A bound on what a protobuf message can cost to decode.
//!
//! An empty nested message takes two bytes on the wire and several hundred in memory, so a
//! 2 MiB message of nothing else would decode to half a gigabyte. Counting the fields first
//! takes a walk over the bytes and no memory.

use crate::limits::MESSAGE_FIELDS_MAX;

/// Whether the message and everything that may be a message inside it have at most
/// [`MESSAGE_FIELDS_MAX`] fields. Malformed bytes are bounded: decoding refuses them later.
pub(crate) fn is_bounded(bytes: &[u8]) -> bool {
    let mut budget = MESSAGE_FIELDS_MAX;
    walk(bytes, NESTING_MAX, &mut budget) != Walk::OverBudget
}

/// The same for protobuf's JSON: every field of a message is at least `{},`, so separators bound
/// the fields from above.
pub(crate) fn is_bounded_json(text: &[u8]) -> bool {
    let separators = text
        .iter()
        .filter(|byte| matches!(byte, b',' | b'{' | b'['))
        .count();
    separators <= MESSAGE_FIELDS_MAX
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Walk {
    Message,
    NotAMessage,
    OverBudget,
}

/// Every length-delimited field is tried as a nested message: without the schema a string
/// cannot be told from one, and few texts survive being read as protobuf. What turns out not to
/// be a message gets its budget back: decoding either does not look inside or fails there. For
/// that, whatever decoding would accept must pass here, deprecated groups included.
fn walk(mut bytes: &[u8], depth: usize, budget: &mut usize) -> Walk {
    let before = *budget;
    while !bytes.is_empty() {
        let Some((field, rest)) = field(bytes) else {
            *budget = before;
            return Walk::NotAMessage;
        };
        bytes = rest;
        let Some(left) = budget.checked_sub(1) else {
            return Walk::OverBudget;
        };
        *budget = left;
        if depth > 0 && walk(field, depth - 1, budget) == Walk::OverBudget {
            return Walk::OverBudget;
        }
    }
    Walk::Message
}

/// The first field's content (empty unless length-delimited) and what follows it.
fn field(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (key, rest) = varint(bytes)?;
    if key >> 3 == 0 {
        return None;
    }
    match key & 7 {
        0 => varint(rest).map(|(_, rest)| (&[][..], rest)),
        1 => rest.get(8..).map(|rest| (&[][..], rest)),
        2 => {
            let (length, rest) = varint(rest)?;
            rest.split_at_checked(usize::try_from(length).ok()?)
        }
        // A group's fields count where it stands.
        3 | 4 => Some((&[][..], rest)),
        5 => rest.get(4..).map(|rest| (&[][..], rest)),
        _ => None,
    }
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return bytes.get(index + 1..).map(|rest| (value, rest));
        }
    }
    None
}

/// How deep LiveKit's signalling messages nest repeated messages: `SignalRequest`, `SyncState`,
/// `TrackPublishedResponse`, `TrackInfo`, `SimulcastCodecInfo`, `VideoLayer`.
const NESTING_MAX: usize = 8;

#[cfg(test)]
mod tests;
