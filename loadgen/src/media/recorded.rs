//! RTP from a capture, played in a loop.

use super::frame::{Content, Frame, Numbering};
use crate::scenario::RecordedKind;
use pcap_file::DataLink;
use pcap_file::pcap::PcapReader;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A recording cannot be played.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(clippy::error_impl_error, reason = "read as media::Error")]
pub enum Error {
    /// The file cannot be opened.
    #[error("the recording {file} cannot be opened")]
    Unreadable {
        /// Which.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not a pcap file.
    #[error("the recording {file} is not a pcap file: {cause}")]
    NotPcap {
        /// Which.
        file: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// It holds no two RTP packets of one stream over UDP and Ethernet, raw IP or Linux cooked
    /// capture.
    #[error("the recording {file} holds no RTP stream of at least two packets")]
    NoRtp {
        /// Which.
        file: PathBuf,
    },
}

/// One stream of a capture.
#[derive(Debug)]
pub(super) struct Recording {
    packets: Vec<RecordedPacket>,
    /// From its first packet to when it begins again.
    length: Duration,
    /// The same in ticks of its clock.
    length_ticks: u32,
}

#[derive(Debug, PartialEq, Eq)]
struct RecordedPacket {
    /// From the first one.
    at: Duration,
    /// From the first one.
    ticks: u32,
    marker: bool,
    payload: Vec<u8>,
}

/// Longest payload that is taken: more does not fit into a datagram on most paths.
const RECORDED_PAYLOAD_BYTES_MAX: usize = 1_400;

/// Most packets that are kept of a recording: some minutes of video.
const RECORDED_PACKETS_MAX: usize = 200_000;

impl Recording {
    /// Reads the first RTP stream in a pcap file.
    pub(super) fn load(file: &Path) -> Result<Self, Error> {
        let unreadable = |source| Error::Unreadable {
            file: file.to_owned(),
            source,
        };
        let not_pcap = |cause: pcap_file::PcapError| Error::NotPcap {
            file: file.to_owned(),
            cause: cause.to_string(),
        };
        let reader = BufReader::new(File::open(file).map_err(unreadable)?);
        let mut reader = PcapReader::new(reader).map_err(not_pcap)?;
        let link = reader.header().datalink;
        let mut packets: Vec<RecordedPacket> = Vec::new();
        let mut first: Option<(u32, Duration, u32)> = None;
        while packets.len() < RECORDED_PACKETS_MAX
            && let Some(packet) = reader.next_packet()
        {
            let packet = packet.map_err(not_pcap)?;
            let Some(rtp) = udp_payload(link, &packet.data).and_then(Rtp::parse) else {
                continue;
            };
            let (ssrc, first_at, first_timestamp) =
                *first.get_or_insert((rtp.ssrc, packet.timestamp, rtp.timestamp));
            if rtp.ssrc == ssrc && rtp.payload.len() <= RECORDED_PAYLOAD_BYTES_MAX {
                packets.push(RecordedPacket {
                    at: packet.timestamp.saturating_sub(first_at),
                    ticks: rtp.timestamp.wrapping_sub(first_timestamp),
                    marker: rtp.marker,
                    payload: rtp.payload.to_vec(),
                });
            }
        }
        Self::of(packets).ok_or_else(|| Error::NoRtp {
            file: file.to_owned(),
        })
    }

    fn of(packets: Vec<RecordedPacket>) -> Option<Self> {
        let gaps = u32::try_from(packets.len()).ok()?.checked_sub(1)?;
        let last = packets.last()?;
        let (at, ticks) = (last.at, last.ticks);
        let length = at + at.checked_div(gaps)?;
        let length_ticks = ticks.wrapping_add(ticks / gaps);
        Some(Self {
            packets,
            length,
            length_ticks,
        })
    }
}

/// Plays a recording in a loop.
#[derive(Clone, Debug)]
pub(super) struct Player {
    recording: Arc<Recording>,
    pub(super) kind: RecordedKind,
    numbering: Numbering,
    first_timestamp: u32,
    rounds: u32,
    place: usize,
}

impl Player {
    pub(super) fn new(
        recording: Arc<Recording>,
        kind: RecordedKind,
        numbering: Numbering,
        first_timestamp: u32,
    ) -> Self {
        Self {
            recording,
            kind,
            numbering,
            first_timestamp,
            rounds: 0,
            place: 0,
        }
    }

    pub(super) fn next_due(&self) -> Duration {
        self.recording.length * self.rounds + self.recording.packets[self.place].at
    }

    pub(super) fn next(&mut self) -> Frame {
        let due = self.next_due();
        let place = self.place;
        let packet = &self.recording.packets[place];
        let round_ticks = self.recording.length_ticks.wrapping_mul(self.rounds);
        let (first_sequence, first_number) = self.numbering.take(1);
        #[expect(clippy::cast_possible_truncation, reason = "bounded when it was read")]
        let bytes = packet.payload.len() as u16;
        let frame = Frame {
            due,
            layer: 0,
            ssrc: self.numbering.ssrc,
            payload_type: self.numbering.payload_type,
            timestamp: self
                .first_timestamp
                .wrapping_add(round_ticks)
                .wrapping_add(packet.ticks),
            is_key_frame: false,
            first_sequence,
            first_number,
            packets: 1,
            packet_bytes: bytes,
            last_bytes: bytes,
            marker: packet.marker,
            content: Content::Recorded { place },
        };
        self.place += 1;
        if self.place == self.recording.packets.len() {
            self.place = 0;
            self.rounds += 1;
        }
        frame
    }

    pub(super) fn write(&self, place: usize, payload: &mut [u8]) {
        if let Some(packet) = self.recording.packets.get(place) {
            let bytes = packet.payload.len().min(payload.len());
            payload[..bytes].copy_from_slice(&packet.payload[..bytes]);
        }
    }
}

/// What a captured frame carries over UDP.
fn udp_payload(link: DataLink, frame: &[u8]) -> Option<&[u8]> {
    let packet = match link {
        DataLink::ETHERNET => {
            let mut rest = frame.get(12..)?;
            // 802.1Q tags.
            while let [0x81, 0x00, _, _, after @ ..] = rest {
                rest = after;
            }
            rest.get(2..)?
        }
        DataLink::LINUX_SLL => frame.get(16..)?,
        DataLink::NULL | DataLink::LOOP => frame.get(4..)?,
        _ => frame,
    };
    let udp = match packet.first()? >> 4 {
        4 => {
            let header_bytes = usize::from(packet.first()? & 0x0f) * 4;
            (*packet.get(9)? == UDP).then(|| packet.get(header_bytes..))??
        }
        6 => (*packet.get(6)? == UDP).then(|| packet.get(40..))??,
        _ => return None,
    };
    let [_, _, _, _, length_high, length_low, ..] = *udp else {
        return None;
    };
    udp.get(8..u16::from_be_bytes([length_high, length_low]).into())
}

/// IP protocol number (RFC 768).
const UDP: u8 = 17;

/// An RTP packet without padding, contributors and extensions (RFC 3550 §5.1).
struct Rtp<'p> {
    ssrc: u32,
    timestamp: u32,
    marker: bool,
    payload: &'p [u8],
}

impl<'p> Rtp<'p> {
    fn parse(packet: &'p [u8]) -> Option<Self> {
        let (header, mut rest) = packet.split_first_chunk::<12>()?;
        let [first, second, _, _, t0, t1, t2, t3, s0, s1, s2, s3] = *header;
        // RFC 5761 §4: what would be RTCP.
        if first >> 6 != 2 || (192..=223).contains(&second) {
            return None;
        }
        rest = rest.get(usize::from(first & 0x0f) * 4..)?;
        if first & 0x10 != 0 {
            let (extension, after) = rest.split_first_chunk::<4>()?;
            let words = u16::from_be_bytes([extension[2], extension[3]]);
            rest = after.get(usize::from(words) * 4..)?;
        }
        if first & 0x20 != 0 {
            let padding = usize::from(*rest.last()?);
            rest = rest.get(..rest.len().checked_sub(padding)?)?;
        }
        Some(Self {
            ssrc: u32::from_be_bytes([s0, s1, s2, s3]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            marker: second & 0x80 != 0,
            payload: rest,
        })
    }
}
