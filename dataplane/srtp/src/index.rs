//! The 48-bit packet index from a 16-bit sequence number (RFC 3711 §3.3.1, appendix A).

use crate::Error;
use crate::limits::RTP_INDEX_END;

/// The index nearest to the highest one that was authenticated, among those that end in
/// `sequence`. Without a highest one the roll-over counter is zero: DTLS-SRTP starts every SSRC
/// there, and its first sequence number lies below 2^15 so that an early loss does not hide the
/// first roll-over (RFC 3711 §3.3.1).
///
/// # Errors
/// [`Error::TooOld`] before the first roll-over counter, [`Error::KeyExhausted`] behind the last.
pub(crate) fn estimate(highest: Option<u64>, sequence: u16) -> Result<u64, Error> {
    let Some(highest) = highest else {
        return Ok(u64::from(sequence));
    };
    let same_turn = (highest & !SEQUENCE_MASK) | u64::from(sequence);
    if same_turn > highest + HALF_TURN {
        same_turn.checked_sub(TURN).ok_or(Error::TooOld)
    } else if same_turn + HALF_TURN < highest {
        let next_turn = same_turn + TURN;
        if next_turn < RTP_INDEX_END {
            Ok(next_turn)
        } else {
            Err(Error::KeyExhausted)
        }
    } else {
        Ok(same_turn)
    }
}

const TURN: u64 = 1 << 16;
const HALF_TURN: u64 = 1 << 15;
const SEQUENCE_MASK: u64 = TURN - 1;

#[cfg(test)]
mod tests;
