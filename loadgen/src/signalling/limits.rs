//! Bounds of signalling.

use std::time::Duration;

/// Opening TCP and TLS. A server with thousands of handshakes before this one is slow, not dead.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// The first message after an upgrade, or the answer to a request. LiveKit's SDKs wait 5 s for the
/// first message; a generator waits longer, so that a slow join is measured rather than repeated.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// A WHEP viewer that comes before there is anything to view tries again after so long.
pub const VIEW_RETRY: Duration = Duration::from_millis(250);

/// WHIP allows redirects to a less loaded server (RFC 9725 §4.5); more than this is a loop.
pub const REDIRECTS_MAX: usize = 4;

/// A frame of signalling; LiveKit's server caps its own at 2 MiB.
pub const MESSAGE_BYTES_MAX: usize = 4 << 20;

/// An SDP answer.
pub const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Of a refusal's body, so much is kept.
pub const REASON_BYTES_MAX: usize = 200;

/// Messages between a session's task and its participant's. A participant takes them out between
/// packets; a session that is ahead of it by more waits.
pub const MESSAGES_WAITING_MAX: usize = 64;

/// How long a token is valid: longer than any run.
pub const TOKEN_LIFETIME: Duration = Duration::from_secs(24 * 3_600);

/// Pings, should the server not say how often: as LiveKit's does.
pub const PING_INTERVAL: Duration = Duration::from_secs(5);

/// A goodbye that is not read in this time is not waited for.
pub const LEAVE_TIMEOUT: Duration = Duration::from_secs(3);
