//! RTP and RTCP as the scripted endpoints write and read them; on purpose no code of the
//! forwarder's.

/// Header extension ids that every endpoint negotiates.
pub mod extension {
    /// RFC 8843.
    pub const MID: u8 = 1;
    /// RFC 8852.
    pub const RID: u8 = 2;
    /// RFC 8852.
    pub const REPAIRED_RID: u8 = 3;
    /// RFC 6464.
    pub const AUDIO_LEVEL: u8 = 4;
    /// `draft-holmer-rmcat-transport-wide-cc-extensions-01`.
    pub const TRANSPORT_CC: u8 = 5;
}

/// Payload types that every endpoint negotiates.
pub mod payload_type {
    /// Opus.
    pub const OPUS: u8 = 111;
    /// VP8.
    pub const VP8: u8 = 96;
    /// Its retransmissions (RFC 4588).
    pub const VP8_RTX: u8 = 97;
}

/// An RTP packet to be written.
#[derive(Clone, Debug, Default)]
pub struct Rtp {
    /// 0 to 127.
    pub payload_type: u8,
    /// Last packet of a frame.
    pub marker: bool,
    /// Sequence number.
    pub sequence: u16,
    /// Media time.
    pub timestamp: u32,
    /// Source.
    pub ssrc: u32,
    /// One-byte header extensions (RFC 8285 §4.2).
    pub extensions: Vec<(u8, Vec<u8>)>,
    /// Payload.
    pub payload: Vec<u8>,
}

impl Rtp {
    /// The header, with its extensions; RFC 3550 §5.1.
    #[must_use]
    pub fn header(&self) -> Vec<u8> {
        let mut header = vec![0x80, self.payload_type | if self.marker { 0x80 } else { 0 }];
        header.extend(self.sequence.to_be_bytes());
        header.extend(self.timestamp.to_be_bytes());
        header.extend(self.ssrc.to_be_bytes());
        if !self.extensions.is_empty() {
            header[0] |= 0x10;
            let mut body = Vec::new();
            for (id, value) in &self.extensions {
                let length = u8::try_from(value.len() - 1).expect("1 to 16 bytes");
                body.push(id << 4 | length);
                body.extend(value);
            }
            while body.len() % 4 != 0 {
                body.push(0);
            }
            header.extend([0xbe, 0xde]);
            header.extend(u16::try_from(body.len() / 4).expect("short").to_be_bytes());
            header.extend(body);
        }
        header
    }
}

/// Length of an RTP header in bytes, or `None` if it is cut off.
#[must_use]
pub fn header_bytes(packet: &[u8]) -> Option<usize> {
    let first = *packet.first()?;
    let mut bytes = 12 + 4 * usize::from(first & 0x0f);
    if first & 0x10 != 0 {
        let words = packet.get(bytes + 2..bytes + 4)?;
        bytes += 4 + 4 * usize::from(u16::from_be_bytes([words[0], words[1]]));
    }
    (packet.len() >= bytes).then_some(bytes)
}

/// Value of a one-byte header extension.
#[must_use]
pub fn extension_value(packet: &[u8], wanted: u8) -> Option<&[u8]> {
    let mut rest = packet.get(16..header_bytes(packet)?)?;
    while let Some((&head, tail)) = rest.split_first() {
        if head == 0 {
            rest = tail;
            continue;
        }
        let (value, after) = tail.split_at_checked(usize::from(head & 0x0f) + 1)?;
        if head >> 4 == wanted {
            return Some(value);
        }
        rest = after;
    }
    None
}

/// Big-endian u16 at `at`; zero past the end.
#[must_use]
pub fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes
        .get(at..at + 2)
        .map_or(0, |b| u16::from_be_bytes([b[0], b[1]]))
}

/// Big-endian u32 at `at`; zero past the end.
#[must_use]
pub fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes
        .get(at..at + 4)
        .map_or(0, |b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]))
}

/// Big-endian u64 at `at`; zero past the end.
#[must_use]
pub fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) << 32 | u64::from(u32_at(bytes, at + 4))
}

/// Payload without RTP padding (RFC 3550 §5.1).
#[must_use]
pub fn payload(packet: &[u8]) -> &[u8] {
    let start = header_bytes(packet).unwrap_or(packet.len());
    let padding = if packet[0] & 0x20 != 0 {
        packet.last().copied().unwrap_or(0)
    } else {
        0
    };
    packet
        .get(start..packet.len() - usize::from(padding))
        .unwrap_or_default()
}

/// VP8 payload descriptor with 15-bit picture id, TL0PICIDX and one temporal layer, then the
/// first bytes of a frame (RFC 7741 §4.2, §4.3).
#[must_use]
pub fn vp8(picture: u16, tl0: u8, start: bool, key: bool, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x80 | if start { 0x10 } else { 0 }, 0x80 | 0x40 | 0x20];
    bytes.extend((0x8000 | (picture & 0x7fff)).to_be_bytes());
    bytes.extend([tl0, 0]);
    bytes.push(u8::from(!key));
    bytes.extend([0, 0]);
    if key {
        bytes.extend([0x9d, 0x01, 0x2a, 64, 1, 180, 0]);
    }
    bytes.extend(body);
    bytes
}

/// What a receiver reads off a VP8 packet made by [`vp8`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Vp8 {
    /// 15 bits.
    pub picture: u16,
    /// TL0PICIDX.
    pub tl0: u8,
    /// First packet of a frame.
    pub start: bool,
    /// Key frame; only told by a first packet.
    pub key: bool,
}

/// Reads a descriptor, and gives the body that followed it.
#[must_use]
pub fn parse_vp8(payload: &[u8]) -> Option<(Vp8, &[u8])> {
    let start = payload.first()? & 0x10 != 0;
    let key = start && payload.get(6)? & 1 == 0;
    let descriptor = Vp8 {
        picture: u16_at(payload, 2) & 0x7fff,
        tl0: *payload.get(4)?,
        start,
        key,
    };
    Some((descriptor, payload.get(if key { 16 } else { 9 }..)?))
}

/// The parts of a compound RTCP packet, as (count or format, type, whole part).
pub fn rtcp(packet: &[u8]) -> impl Iterator<Item = (u8, u8, &[u8])> {
    let mut rest = packet;
    std::iter::from_fn(move || {
        let words = usize::from(u16_at(rest, 2)) + 1;
        let (part, after) = rest.split_at_checked(4 * words)?;
        if part.len() < 4 {
            return None;
        }
        rest = after;
        Some((part[0] & 0x1f, part[1], part))
    })
}

/// A part of a compound with its length filled in.
#[must_use]
pub fn rtcp_part(count: u8, kind: u8, body: &[u8]) -> Vec<u8> {
    let words = u16::try_from(body.len() / 4).expect("short");
    let mut part = vec![0x80 | count, kind];
    part.extend(words.to_be_bytes());
    part.extend(body);
    part
}

/// A transport-wide feedback part (`draft-holmer-rmcat-transport-wide-cc-extensions-01` §3.1) about
/// packets from `base` on: when each arrived, in units of 250 us, or that it did not. Every status is
/// written in two bits and every delta in as few bytes as it takes.
///
/// # Panics
/// On no packets, or on arrivals more than eight seconds apart.
#[must_use]
pub fn transport_feedback(
    ssrc: u32,
    media: u32,
    count: u8,
    base: u16,
    arrivals: &[Option<u64>],
) -> Vec<u8> {
    let first = arrivals.iter().flatten().next().copied().unwrap_or(0);
    // In units of 64 ms.
    let reference = first / 256;
    let mut before = reference * 256;
    let (mut symbols, mut deltas) = (Vec::new(), Vec::new());
    for arrival in arrivals {
        let Some(at) = *arrival else {
            symbols.push(0);
            continue;
        };
        let delta = at.cast_signed() - before.cast_signed();
        before = at;
        if let Ok(small) = u8::try_from(delta) {
            symbols.push(1_u16);
            deltas.push(small);
        } else {
            let large = i16::try_from(delta).expect("within eight seconds");
            symbols.push(2);
            deltas.extend(large.to_be_bytes());
        }
    }
    let mut body = ssrc.to_be_bytes().to_vec();
    body.extend(media.to_be_bytes());
    body.extend(base.to_be_bytes());
    body.extend(u16::try_from(arrivals.len()).expect("few").to_be_bytes());
    body.extend(&reference.to_be_bytes()[5..]);
    body.push(count);
    for seven in symbols.chunks(7) {
        let packed = seven
            .iter()
            .enumerate()
            .fold(0xc000_u16, |chunk, (at, symbol)| {
                chunk | symbol << (12 - 2 * at)
            });
        body.extend(packed.to_be_bytes());
    }
    body.extend(deltas);
    body.resize(body.len().next_multiple_of(4), 0);
    rtcp_part(15, 205, &body)
}

/// Sequence numbers that a generic NACK names (RFC 4585 §6.2.1).
pub fn nacked(part: &[u8]) -> impl Iterator<Item = u16> {
    part.get(12..)
        .unwrap_or_default()
        .chunks_exact(4)
        .flat_map(|entry| {
            let (first, mask) = (u16_at(entry, 0), u16_at(entry, 2));
            std::iter::once(first).chain(
                (0..16u16)
                    .filter(move |bit| mask >> bit & 1 == 1)
                    .map(move |bit| first.wrapping_add(bit + 1)),
            )
        })
}
