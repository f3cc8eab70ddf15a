//! Every bound on what a client's SDP can make us do, with its reason. Beyond one, the SDP is
//! refused; nothing is cut off silently, except where a line says so.

/// Longest SDP, bytes. An offer of Chromium takes 0.9 kB for each audio section and 5.1 kB for
/// each video section that only receives: 1 MiB is a call with 170 others who all send both, and
/// half of what a LiveKit server takes in one message. (Chromium 156, measured 2026-11-24.)
pub const SDP_BYTES_MAX: usize = 1 << 20;

/// Longest line, bytes. The longest in use is `a=group:BUNDLE` with a MID of each section:
/// [`SECTIONS_MAX`] of 16 bytes.
pub const LINE_BYTES_MAX: usize = 16 << 10;

/// Lines of an SDP. Chromium has 167 in a video section and 28 in an audio section, so 1 MiB is
/// 34,000; this bounds the parser's allocations, about 100 bytes a line.
pub const LINES_MAX: usize = 48 << 10;

/// Media sections of one connection, dead ones included: sections are never removed from an SDP
/// (RFC 8829 §5.2.2), only reused. The tracks of 250 others and one's own.
pub const SECTIONS_MAX: usize = 512;

/// What a section that the client is asked to add may lengthen its offers by: a video section of
/// Chromium 156 and some room.
pub const OFFERED_SECTION_BYTES: usize = 6 << 10;

/// Longest `m=` line, bytes. Chromium lists 40 payload types in 160 bytes; all 128 take 500.
pub const MEDIA_LINE_BYTES_MAX: usize = 1 << 10;

/// Longest stream or track id of an `a=msid` line, bytes. Browsers use 36 to 38; RFC 8830 §2 says
/// 64.
pub const MSID_BYTES_MAX: usize = 128;

/// SSRCs of one section that are looked at: three layers with their retransmission and FEC
/// streams. Further ones are ignored: packets are recognised by MID anyway.
pub const SSRCS_PER_SECTION_MAX: usize = 16;

/// Senders of one connection that wait for a section or have one.
pub const SENDERS_MAX: usize = SECTIONS_MAX;

/// Longest trickled fragment (RFC 8840), bytes: a few dozen candidates of 150 bytes.
pub const FRAGMENT_BYTES_MAX: usize = 16 << 10;

/// Longest candidate line, bytes. Addresses are at most a host name of 255.
pub const CANDIDATE_BYTES_MAX: usize = 1 << 10;

/// Longest ICE user name fragment and password (RFC 8839 §5.4), bytes.
pub const ICE_CREDENTIAL_BYTES_MAX: usize = 256;

/// Shortest ICE user name fragment (RFC 8839 §5.4): 24 bits.
pub const ICE_UFRAG_BYTES_MIN: usize = 4;

/// Shortest ICE password (RFC 8839 §5.4): 128 bits.
pub const ICE_PASSWORD_BYTES_MIN: usize = 22;
