//! The bounds of one direction's state, and why they sit where they do.
//!
//! Everything is allocated when a [`Sealer`](crate::Sealer) or an [`Opener`](crate::Opener) is
//! made, so each bound is also memory that every transport pays.

/// How far behind the newest packet of its SSRC an RTP packet may still be opened, in packets.
///
/// RFC 3711 §3.3.2 asks for 64 at least. A packet that is repeated on request comes back a round
/// trip late: 1,024 packets are 330 ms of a 30 Mbit/s screen share and 20 s of Opus.
pub const RTP_REPLAY_WINDOW_PACKETS: u64 = 1_024;

/// How far behind the newest packet of its SSRC an RTCP packet may still be opened, in packets.
///
/// The least that RFC 3711 §3.3.2 allows: feedback is not repeated, it is only reordered.
pub const RTCP_REPLAY_WINDOW_PACKETS: u64 = 64;

/// How many SSRCs one [`Opener`](crate::Opener) remembers for its whole life; when all are taken,
/// packets of further SSRCs are refused with [`Error::TooManySources`](crate::Error).
///
/// A simulcast track takes six (three layers, each with its retransmission stream), an audio track
/// one: 128 are eight cameras, ten screen shares begun and ended, and sixty microphones. An SSRC
/// is never forgotten, because forgetting it would let its old packets be replayed. 5 KiB.
pub const SOURCES_MAX: usize = 128;

/// How many of its SSRCs an [`Opener`](crate::Opener) holds a full replay window for.
///
/// The windows go to the SSRCs that were heard last. An SSRC without one keeps its highest index,
/// and its next packet must be above that: a stream that returns after sixteen others were heard
/// loses what was reordered at that instant, and no replay gets through. Sixteen are two simulcast
/// cameras with retransmission, a screen share, and two microphones. 2.5 KiB.
pub const REPLAY_WINDOWS: usize = 16;

/// How far behind the newest packet of its SSRC an RTP packet may still be sealed, in packets.
///
/// A packet that comes late from its publisher is forwarded late. 320 are 1.2 s of 2.5 Mbit/s
/// video; what is older is better served by retransmission. The number is what lets the record of
/// one SSRC fill a cache line of 64 bytes, and no more.
pub const SEAL_WINDOW_PACKETS: u64 = 320;

/// How many SSRCs a [`Sealer`](crate::Sealer) watches for a nonce used twice.
///
/// 64 are the 25 tiles and the speakers of a large room, with their retransmission streams. With
/// more, the watch on one that was begun earlier is given up: it is a net under the caller's own
/// numbering, not a limit on what may be sent. 4 KiB.
pub const WATCHED_SOURCES: usize = 64;

/// The largest RTP padding, in bytes, its count included: the count is one byte (RFC 3550 §5.1).
pub const PADDING_BYTES_MAX: usize = 255;

/// The first RTP index that no key may be used for: 2^48 packets of one SSRC (RFC 3711 §9.2).
pub const RTP_INDEX_END: u64 = 1 << 48;

/// The first SRTCP index that no key may be used for: 2^31 packets (RFC 3711 §9.2). At a hundred
/// feedback packets a second they last 248 days.
pub const RTCP_INDEX_END: u32 = 1 << 31;
