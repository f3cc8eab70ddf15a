//! Transport-wide congestion control feedback
//! (`draft-holmer-rmcat-transport-wide-cc-extensions-01` §3.1).
//!
//! A publisher's bandwidth estimator lives on these: for each packet of its transport, whichever
//! stream it belongs to, when it arrived, in steps of 250 us.

use super::write::packet;
use super::{TRANSPORT_LAYER_FEEDBACK, TRANSPORT_WIDE};
use crate::rtp::SequenceNumber;

/// Microseconds in a tick.
pub const TICK_US: u64 = 250;

/// What one feedback packet covers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FeedbackRange {
    /// First transport-wide sequence number.
    pub base: SequenceNumber,
    /// How many of the statuses given were written; the rest belongs into another packet.
    pub count: u16,
}

/// Appends feedback that begins at the transport-wide sequence number `base` with `statuses`: when
/// each packet arrived, in ticks of [`TICK_US`] since any fixed instant, `None` if it did not. Says
/// how many of them it covers: all, unless two arrivals lie more than 8 s apart or a packet
/// would exceed about 1,100 bytes. The first status has to be an arrival for its time to be the
/// reference; leading losses are referred to the first arrival after them.
pub fn write_transport_feedback(
    out: &mut Vec<u8>,
    sender: u32,
    media: u32,
    feedback_count: u8,
    base: SequenceNumber,
    statuses: &[Option<u64>],
) -> FeedbackRange {
    // The reference time counts in 64 ms, which is 256 ticks.
    let first_ticks = statuses.iter().flatten().next().copied().unwrap_or(0);
    let reference = first_ticks / TICKS_PER_REFERENCE;
    let statuses = coverable(statuses, reference * TICKS_PER_REFERENCE);
    let count = u16::try_from(statuses.len()).unwrap_or(u16::MAX);

    packet(out, TRANSPORT_WIDE, TRANSPORT_LAYER_FEEDBACK, |out| {
        let start = out.len();
        out.extend_from_slice(&sender.to_be_bytes());
        out.extend_from_slice(&media.to_be_bytes());
        out.extend_from_slice(&base.0.to_be_bytes());
        out.extend_from_slice(&count.to_be_bytes());
        let [.., r0, r1, r2] = reference.to_be_bytes();
        out.extend_from_slice(&[r0, r1, r2, feedback_count]);
        write_chunks(out, statuses, reference * TICKS_PER_REFERENCE);
        write_deltas(out, statuses, reference * TICKS_PER_REFERENCE);
        let bytes = (out.len() - start).next_multiple_of(4);
        out.resize(start + bytes, 0);
    });
    FeedbackRange { base, count }
}

/// The statuses from the first up to where a delta no longer fits into 16 bits.
fn coverable(statuses: &[Option<u64>], reference_ticks: u64) -> &[Option<u64>] {
    let statuses = &statuses[..statuses.len().min(STATUSES_MAX)];
    let mut previous = reference_ticks;
    for (index, ticks) in statuses.iter().enumerate() {
        if let Some(ticks) = *ticks {
            if i16::try_from(delta(ticks, previous)).is_err() {
                return &statuses[..index];
            }
            previous = ticks;
        }
    }
    statuses
}

/// Packet status chunks (§3.1.2 to §3.1.4): runs where they are long, else vectors.
fn write_chunks(out: &mut Vec<u8>, statuses: &[Option<u64>], reference_ticks: u64) {
    let mut symbols = [0_u8; STATUSES_MAX];
    let mut previous = reference_ticks;
    for (symbol, ticks) in symbols.iter_mut().zip(statuses) {
        if let Some(ticks) = *ticks {
            let small = u8::try_from(delta(ticks, previous)).is_ok();
            *symbol = if small { SMALL_DELTA } else { LARGE_DELTA };
            previous = ticks;
        }
    }
    let mut rest = &symbols[..statuses.len()];
    while let [first, ..] = rest {
        let run = rest.iter().take_while(|symbol| *symbol == first).count();
        let has_large = rest.iter().take(14).any(|symbol| *symbol == LARGE_DELTA);
        let vector = if has_large { 7 } else { 14 };
        let (chunk, taken) = if run >= vector.min(rest.len()) {
            // Fewer than 2^13: statuses are bounded.
            let length = u16::try_from(run).unwrap_or(0);
            ((u16::from(*first) << 13) | length, run)
        } else if has_large {
            (vector_chunk(rest, 7, 2), 7)
        } else {
            (vector_chunk(rest, 14, 1), 14)
        };
        out.extend_from_slice(&chunk.to_be_bytes());
        rest = rest.get(taken..).unwrap_or_default();
    }
}

fn vector_chunk(symbols: &[u8], length: usize, bits: u32) -> u16 {
    let mut chunk = if bits == 2 { 0b11 } else { 0b10 };
    for index in 0..length {
        let symbol = symbols.get(index).copied().unwrap_or(NOT_RECEIVED);
        chunk = (chunk << bits) | u16::from(symbol);
    }
    chunk
}

/// Receive deltas (§3.1.5): one byte where it is enough, else two, signed.
fn write_deltas(out: &mut Vec<u8>, statuses: &[Option<u64>], reference_ticks: u64) {
    let mut previous = reference_ticks;
    for ticks in statuses.iter().flatten() {
        let delta = delta(*ticks, previous);
        match u8::try_from(delta) {
            Ok(small) => out.push(small),
            Err(_) => {
                let large = i16::try_from(delta).unwrap_or(i16::MAX);
                out.extend_from_slice(&large.to_be_bytes());
            }
        }
        previous = *ticks;
    }
}

fn delta(ticks: u64, previous: u64) -> i64 {
    ticks.wrapping_sub(previous).cast_signed()
}

/// Received feedback, for a send-side estimator.
#[derive(Clone, Debug)]
pub struct TransportFeedback<'a> {
    /// First transport-wide sequence number that it covers.
    pub base: SequenceNumber,
    /// Reference time, in 64 ms, 24 bits.
    pub reference: u32,
    /// Counts the sender's feedback packets, modulo 256.
    pub feedback_count: u8,
    status_count: u16,
    chunks_and_deltas: &'a [u8],
}

impl<'a> TransportFeedback<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (&[b0, b1, c0, c1, r0, r1, r2, feedback_count], chunks_and_deltas) =
            bytes.split_first_chunk::<8>()?;
        Some(Self {
            base: SequenceNumber(u16::from_be_bytes([b0, b1])),
            reference: u32::from_be_bytes([0, r0, r1, r2]),
            feedback_count,
            status_count: u16::from_be_bytes([c0, c1]),
            chunks_and_deltas,
        })
    }

    /// Calls `status` for each packet covered, in order, with its arrival in ticks since the
    /// reference time. At most 65,535 calls; `None`, perhaps after some of them, if chunks or
    /// deltas are cut off or a reserved symbol is used.
    pub fn for_each(&self, mut status: impl FnMut(SequenceNumber, Option<i64>)) -> Option<()> {
        let deltas_start = self.chunk_count()? * CHUNK_BYTES;
        let (chunks, mut deltas) = self.chunks_and_deltas.split_at_checked(deltas_start)?;
        let mut ticks = 0_i64;
        let mut index = 0;
        for chunk in chunks.chunks_exact(CHUNK_BYTES) {
            let chunk = u16::from_be_bytes([*chunk.first()?, *chunk.last()?]);
            for position in 0..chunk_length(chunk) {
                if index == self.status_count {
                    return Some(());
                }
                let arrival = match chunk_symbol(chunk, position) {
                    NOT_RECEIVED => None,
                    SMALL_DELTA => {
                        let (&delta, rest) = deltas.split_first()?;
                        deltas = rest;
                        ticks += i64::from(delta);
                        Some(ticks)
                    }
                    LARGE_DELTA => {
                        let (delta, rest) = deltas.split_first_chunk::<2>()?;
                        deltas = rest;
                        ticks += i64::from(i16::from_be_bytes(*delta));
                        Some(ticks)
                    }
                    _ => return None,
                };
                status(SequenceNumber(self.base.0.wrapping_add(index)), arrival);
                index += 1;
            }
        }
        Some(())
    }

    /// How many chunks the status count needs; `None` if there are fewer, or one covers nothing.
    fn chunk_count(&self) -> Option<usize> {
        let mut covered = 0_u32;
        let mut count = 0;
        let mut chunks = self.chunks_and_deltas.chunks_exact(CHUNK_BYTES);
        while covered < u32::from(self.status_count) {
            let chunk = chunks.next()?;
            let chunk = u16::from_be_bytes([*chunk.first()?, *chunk.last()?]);
            let length = chunk_length(chunk);
            if length == 0 {
                return None;
            }
            covered += u32::from(length);
            count += 1;
        }
        Some(count)
    }
}

fn chunk_length(chunk: u16) -> u16 {
    match chunk >> 14 {
        0b10 => 14,
        0b11 => 7,
        _ => chunk & 0x1fff,
    }
}

fn chunk_symbol(chunk: u16, position: u16) -> u8 {
    let symbol = match chunk >> 14 {
        0b10 => (chunk >> (13 - position)) & 1,
        0b11 => (chunk >> (12 - 2 * position)) & 3,
        _ => (chunk >> 13) & 3,
    };
    symbol.to_be_bytes()[1]
}

const NOT_RECEIVED: u8 = 0;
const SMALL_DELTA: u8 = 1;
const LARGE_DELTA: u8 = 2;

const CHUNK_BYTES: usize = 2;
const TICKS_PER_REFERENCE: u64 = 256;

/// Packets in one feedback: with two bytes of delta for each and the worst chunks, 1,100 bytes.
const STATUSES_MAX: usize = 480;

#[cfg(test)]
mod tests;
