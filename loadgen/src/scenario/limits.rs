//! Bounds of a scenario, with their reasons.

use std::ops::RangeInclusive;
use std::time::Duration;

/// Participants of a run: as many UDP sockets, and one process may have 1,048,576 open files at
/// most by Linux's default `fs.nr_open`; a million participants would be a typing error long
/// before it would be a load.
pub const PARTICIPANTS_MAX: u32 = 100_000;

/// Participants of one room: what the data plane allows (`protocol::limits::PEERS_PER_ROOM_MAX`);
/// other servers have lower bounds and say so.
pub const PARTICIPANTS_PER_ROOM_MAX: u64 = 1_000;

/// Tracks that a participant publishes: what the data plane allows.
pub const TRACKS_PER_PARTICIPANT_MAX: usize = 32;

/// Simulcast layers: RIDs q, h and f.
pub const LAYERS_MAX: usize = 3;

/// Measured time. The lower bound keeps a percentile meaningful, the upper one keeps a forgotten
/// run from going on for ever.
pub const DURATION: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);

/// Time before measuring.
pub const WARM_UP_MAX: Duration = Duration::from_secs(3_600);

/// Joins per second; the upper bound is above what a hundred cores take.
pub const JOINS_PER_SECOND: RangeInclusive<f64> = 0.01..=100_000.0;

/// Frames per second; 1,000 leaves a millisecond a frame, the generator's own precision.
pub const FRAMES_PER_SECOND: RangeInclusive<u32> = 1..=1_000;

/// Opus: its encoder's range (RFC 6716 section 2.1.1).
pub const AUDIO_BITRATE_BPS: RangeInclusive<u32> = 6_000..=510_000;

/// Video: from a thumbnail to more than any camera sends.
pub const VIDEO_BITRATE_BPS: RangeInclusive<u32> = 10_000..=50_000_000;

/// Pixels of a side, even so that chroma has whole samples; VP8 has 14 bits (RFC 6386 section 9.1).
pub const PIXELS: RangeInclusive<u16> = 16..=16_383;

/// Bytes of a fixed RTP packet: header, payload descriptor and the 24 bytes of the stamp fit, and
/// with the SRTP tag it stays within an Ethernet frame.
pub const PACKET_BYTES: RangeInclusive<u16> = 64..=1_400;

/// Packets of a frame: 65,507 bytes of the largest fill 46; more than one GSO message is allowed.
pub const PACKETS_PER_FRAME: RangeInclusive<u16> = 1..=256;

/// Extra delay or jitter: packets in flight are held in memory.
pub const DELAY_MAX: Duration = Duration::from_secs(5);

/// Between joining and leaving, and between choices of layers: shorter than a handshake measures
/// nothing.
pub const INTERVAL: RangeInclusive<Duration> =
    Duration::from_millis(200)..=Duration::from_secs(86_400);

/// Letters of a name.
pub const NAME_BYTES_MAX: usize = 40;
