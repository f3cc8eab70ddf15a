//! Bounds of full participants.

use std::time::Duration;

/// Handshakes and joins under way on one thread. One costs the thread some 2 ms, so that more
/// would only wait on each other; who waits is measured as joining late.
pub const JOINING_MAX: usize = 128;

/// From the answer to a connected transport. ICE and DTLS give up later than people do.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// Between connectivity checks that are not answered, at first: as browsers do (libwebrtc checks a
/// new pair every 48 ms). A check on the heels of the answer may reach the server before it knows
/// the participant; str0m's own 250 ms would make such a join look slow.
pub const CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// A participant that could not join, or was thrown out, tries again after this.
pub const RETRY: Duration = Duration::from_secs(2);

/// A WHEP viewer waits so long for a publisher.
pub const VIEW_WAIT: Duration = Duration::from_secs(10);

/// Sections for receiving in the first offer, of audio and of video each: as LiveKit's SDKs do.
pub const RECEIVING_SECTIONS: u32 = 3;

/// Sections that a server may ask for at once. A room has no more publishers.
pub const SECTIONS_ASKED_MAX: u32 = 512;

/// Datagrams in one direction of an impaired network: 10 Mbit/s for 4 s.
pub const LINK_DATAGRAMS_MAX: usize = 4_096;

/// A datagram that is to be overtaken while nothing else waits arrives later by this.
pub const OVERTAKEN_NS: u64 = 10_000_000;

/// What a socket may hold until its thread comes by, in bytes: about 100 ms at 20 Mbit/s and a
/// burst of joins. The kernel caps it at `net.core.rmem_max`.
pub const SOCKET_BUFFER_BYTES: usize = 1 << 20;

/// Receive calls in a row before the other tasks of the thread have their turn.
pub const RECEIVES_MAX: usize = 16;

/// Sources that one participant sends at most behind each other before it looks at its socket.
pub const SENDS_MAX: usize = 256;

/// Streams that one participant receives; more are counted and dropped.
pub const STREAMS_MAX: usize = 2_048;

/// How often threads look whether the run is over.
pub const LOOK: Duration = Duration::from_millis(20);

/// The last goodbyes of a run take no longer.
pub const LEAVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Failures that are told one by one; the others are only counted.
pub const FAILURES_TOLD_MAX: u64 = 10;
