//! The little RTCP that light participants speak: receiver reports, requests for key frames and for
//! packets (RFC 3550 §6.4.2, RFC 4585 §6, RFC 5104 §4.3.1).

/// What a receiver says about one stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Block {
    pub(super) ssrc: u32,
    /// Share of the packets since the last report that were lost, in 256ths.
    pub(super) fraction_lost: u8,
    /// Packets lost in all.
    pub(super) lost: u32,
    /// Extended highest sequence number.
    pub(super) highest: u32,
    /// In clock ticks.
    pub(super) jitter: u32,
}

/// Blocks in one report: a longer list is sent in parts.
pub(super) const BLOCKS_MAX: usize = 31;

/// Packets that one request for retransmission may name: 8 FCI words of 17 packets.
pub(super) const NACK_WORDS_MAX: usize = 8;

/// What the server asks of us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Request {
    /// PLI or FIR: a key frame of this stream.
    KeyFrame { ssrc: u32 },
    /// Generic NACK: these packets of this stream: the first, and a bit for each of the 16 after.
    Packets { ssrc: u32, first: u16, after: u16 },
}

const RECEIVER_REPORT: u8 = 201;
const TRANSPORT_FEEDBACK: u8 = 205;
const PAYLOAD_FEEDBACK: u8 = 206;
const GENERIC_NACK: u8 = 1;
const PLI: u8 = 1;
const FIR: u8 = 4;

/// Appends a receiver report of at most [`BLOCKS_MAX`] blocks.
pub(super) fn write_receiver_report(sender: u32, blocks: &[Block], out: &mut Vec<u8>) {
    let blocks = &blocks[..blocks.len().min(BLOCKS_MAX)];
    write_header(RECEIVER_REPORT, blocks.len(), 1 + 6 * blocks.len(), out);
    out.extend(sender.to_be_bytes());
    for block in blocks {
        out.extend(block.ssrc.to_be_bytes());
        let [_, lost @ ..] = block.lost.min(0x7f_ffff).to_be_bytes();
        out.push(block.fraction_lost);
        out.extend(lost);
        out.extend(block.highest.to_be_bytes());
        out.extend(block.jitter.to_be_bytes());
        // No sender report is looked at: last SR and delay are zero (RFC 3550 §6.4.1).
        out.extend([0; 8]);
    }
}

/// Appends a picture loss indication.
pub(super) fn write_pli(sender: u32, ssrc: u32, out: &mut Vec<u8>) {
    write_header(PAYLOAD_FEEDBACK, PLI.into(), 2, out);
    out.extend(sender.to_be_bytes());
    out.extend(ssrc.to_be_bytes());
}

/// Appends a request for the first of the missing packets, as many as fit; ascending.
#[expect(clippy::cast_possible_truncation, reason = "sequence numbers wrap")]
pub(super) fn write_nack(sender: u32, ssrc: u32, missing: &[u64], out: &mut Vec<u8>) {
    let mut words: [(u64, u16); NACK_WORDS_MAX] = [(0, 0); NACK_WORDS_MAX];
    let mut count = 0;
    for &number in missing {
        match words[..count].last_mut() {
            Some((first, after)) if number > *first && number <= *first + 16 => {
                *after |= 1 << (number - *first - 1);
            }
            _ if count < NACK_WORDS_MAX => {
                words[count] = (number, 0);
                count += 1;
            }
            _ => break,
        }
    }
    if count == 0 {
        return;
    }
    write_header(TRANSPORT_FEEDBACK, GENERIC_NACK.into(), 2 + count, out);
    out.extend(sender.to_be_bytes());
    out.extend(ssrc.to_be_bytes());
    for (first, after) in &words[..count] {
        out.extend((*first as u16).to_be_bytes());
        out.extend(after.to_be_bytes());
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "counts of at most 31 and 200"
)]
fn write_header(packet_type: u8, count: usize, words_after: usize, out: &mut Vec<u8>) {
    out.push(0x80 | count as u8);
    out.push(packet_type);
    out.extend((words_after as u16).to_be_bytes());
}

/// Calls `take` with each request in a compound. What cannot be read ends it.
pub(super) fn read_requests(mut compound: &[u8], mut take: impl FnMut(Request)) {
    while let Some(([first, packet_type, high, low], _)) = compound.split_first_chunk::<4>() {
        let bytes = 4 + 4 * usize::from(u16::from_be_bytes([*high, *low]));
        let Some((packet, rest)) = compound.split_at_checked(bytes) else {
            return;
        };
        let format = first & 0x1f;
        let feedback = packet.get(12..).unwrap_or_default();
        match (*packet_type, format) {
            (PAYLOAD_FEEDBACK, PLI) => {
                if let Some(ssrc) = word(packet, 8) {
                    take(Request::KeyFrame { ssrc });
                }
            }
            (PAYLOAD_FEEDBACK, FIR) => {
                for entry in feedback.chunks_exact(8) {
                    if let Some(ssrc) = word(entry, 0) {
                        take(Request::KeyFrame { ssrc });
                    }
                }
            }
            (TRANSPORT_FEEDBACK, GENERIC_NACK) => {
                let ssrc = word(packet, 8).unwrap_or_default();
                for entry in feedback.chunks_exact(4) {
                    take(Request::Packets {
                        ssrc,
                        first: u16::from_be_bytes([entry[0], entry[1]]),
                        after: u16::from_be_bytes([entry[2], entry[3]]),
                    });
                }
            }
            _ => {}
        }
        compound = rest;
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..)?.first_chunk::<4>()?;
    Some(u32::from_be_bytes(*word))
}

#[cfg(test)]
mod tests;
