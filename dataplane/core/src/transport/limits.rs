//! Bounds of the transports, each with its reason and what happens when it is reached.

use std::time::Duration;

/// Transports of a worker. At 43 KiB each, the forwarder's half included, they take 430 MB at most;
/// one more is refused.
pub(crate) const PEERS_MAX: usize = 10_000;

/// Addresses that one client may have opened with connectivity checks: both families of Wi-Fi,
/// mobile and wired, towards two addresses of ours, with room for NAT rebinding. The one that was
/// silent longest makes room.
pub(crate) const PATHS_PER_PEER_MAX: usize = 16;

/// Bytes of a ClientHello. The largest that browsers send has a post-quantum share and is about
/// 1,500; a longer one is passed over.
pub(crate) const CLIENT_HELLO_BYTES_MAX: usize = 4_096;

/// Gaps that a ClientHello may have while it arrives; a client that makes more starts over.
pub(crate) const CLIENT_HELLO_FRAGMENTS_MAX: usize = 16;

/// From a transport's making, or from new ICE credentials, to media: a client whose network takes
/// longer has a person waiting in front of it. The transport is then closed.
pub(crate) const CONNECT_TIME_MAX: Duration = Duration::from_secs(30);

/// Silence after which a client counts as disconnected and is sent nothing. Chromium checks every
/// 2.5 s and Firefox every 4 to 6 s, so one lost check is not a disconnection; any datagram on a
/// path that a check opened counts as well.
pub(crate) const DISCONNECTED_AFTER: Duration = Duration::from_secs(10);

/// Time without an authenticated check after which the client's consent has expired and its
/// transport is closed (RFC 7675 §5.1).
pub(crate) const CONSENT_EXPIRES_AFTER: Duration = Duration::from_secs(30);

/// Bytes of messages that wait for a client to take them on `_reliable`, beyond what SCTP itself
/// holds. The oldest message is dropped and counted. LiveKit's clients send files at once, as fast
/// as their own SCTP takes them, and a receiver waits for a missing piece in vain: 1.8 MB, what its
/// Node SDK's tests send, did not get through 256 KiB (2026-11-24).
pub(crate) const RELIABLE_WAITING_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Bytes of messages that a client may send before it is admitted, which takes milliseconds: one
/// message of the largest size, and some short ones. More are dropped and counted.
pub(crate) const MESSAGES_BEFORE_ADMISSION_BYTES_MAX: usize = 128 * 1024;

/// Bytes that SCTP holds for a client on both channels. Small, because whatever it holds can no
/// longer be dropped.
pub(crate) const SCTP_BUFFERED_BYTES_MAX: usize = 128 * 1024;

/// Data channels that a client may hold open: three that LiveKit's clients use, and a few that
/// are ignored. One more is closed.
pub(crate) const CHANNELS_PER_PEER_MAX: usize = 16;

/// Turns of a transport's state machine for one input. It settles in two or three; the rest is
/// against a fault that would stall the worker.
pub(crate) const DRIVE_TURNS_MAX: usize = 64;

/// Least time between two announcements that a client has moved to another address.
pub(crate) const PATH_ANNOUNCE_INTERVAL: Duration = Duration::from_secs(1);

/// First wait before a DTLS flight is sent again; doubles each time. RFC 6347 §4.2.4.1 and
/// RFC 9147 §5.8.2 begin at one second and allow less where the application needs it: a person
/// waits for this one, and ICE has just shown that the path works.
pub(crate) const DTLS_RETRANSMIT_AFTER: Duration = Duration::from_millis(250);

/// Times that a DTLS flight is sent again: the doubled waits fill [`CONNECT_TIME_MAX`].
pub(crate) const DTLS_RETRANSMISSIONS: usize = 6;

/// Handshake datagrams that one call works on. The costliest takes 80 us (key exchange and
/// signature), so that media waits no more than twice that for people who join.
pub(crate) const HANDSHAKE_STEPS_PER_CALL: usize = 2;

/// Handshake datagrams that wait for a later call: those of some hundred clients that join within
/// milliseconds, 1.5 MB at most. More are dropped and counted; the clients send them again.
pub(crate) const HANDSHAKES_WAITING_MAX: usize = 1_024;

/// Transports whose timers one call looks after, at 1.5 us each: clients that joined together are
/// due together. The others stay due.
pub(crate) const TIMERS_PER_CALL: usize = 64;

/// Receivers that one call sends messages to, at 5 us for a short message and 22 us for one of
/// 15,000 bytes. The others stay due.
pub(crate) const MESSAGE_STEPS_PER_CALL: usize = 32;

/// Bytes of messages that wait for such a turn. One more message is dropped for those whom it has
/// not reached, and counted.
pub(crate) const MESSAGES_WAITING_BYTES_MAX: usize = 4 << 20;
