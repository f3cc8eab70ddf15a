//! Redundant audio (RFC 2198): the primary encoding behind copies of earlier ones.

use std::ops::Range;

/// A parsed RED payload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Red {
    /// Payload type of every block.
    pub payload_type: u8,
    /// Where the primary encoding stands in the payload.
    pub primary: Range<usize>,
}

impl Red {
    /// Finds the primary encoding; `None` if the blocks do not fit into the payload or are not all
    /// of one payload type: browsers send copies of one codec, and anything else could not be
    /// renumbered in place.
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let mut headers = payload;
        let mut redundant_bytes = 0;
        let payload_type = headers.first()? & 0x7f;
        loop {
            match *headers {
                [first, ..] if first & 0x7f != payload_type => return None,
                [first, _, high, low, ref rest @ ..] if first & ANOTHER_BLOCK != 0 => {
                    redundant_bytes += usize::from(u16::from_be_bytes([high & 0x03, low]));
                    headers = rest;
                }
                [first, ref rest @ ..] if first & ANOTHER_BLOCK == 0 => {
                    headers = rest;
                    break;
                }
                _ => return None,
            }
        }
        let start = payload.len() - headers.len() + redundant_bytes;
        (start <= payload.len()).then_some(Self {
            payload_type,
            primary: start..payload.len(),
        })
    }
}

/// Gives every block the payload type `to`, in place: the numbers inside a RED payload are the
/// publisher's, and a subscriber may have negotiated others.
pub fn rewrite_red_payload_types(payload: &mut [u8], to: u8) {
    let mut at = 0;
    while let Some(byte) = payload.get_mut(at) {
        *byte = (*byte & ANOTHER_BLOCK) | (to & 0x7f);
        if *byte & ANOTHER_BLOCK == 0 {
            return;
        }
        at += BLOCK_HEADER_BYTES;
    }
}

const ANOTHER_BLOCK: u8 = 0x80;
const BLOCK_HEADER_BYTES: usize = 4;

#[cfg(test)]
mod tests;
