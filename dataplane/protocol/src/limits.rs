//! Every bound on what crosses the socket, with its reason. Exceeding one is an error of the
//! sender, never an allocation.

/// Longest frame, bytes. A statistics event of a full room (500 peers and tracks at about 400
/// bytes of JSON) and a data message of [`DATA_MESSAGE_BYTES_MAX`] in base64 to
/// [`PEERS_PER_ROOM_MAX`] peers both fit.
pub const FRAME_BYTES_MAX: usize = 1 << 20;

/// Longest data-channel message, bytes: what LiveKit's clients honour as `max-message-size`.
pub const DATA_MESSAGE_BYTES_MAX: usize = 64_000;

/// Layers of a track: q, h and f.
pub const ENCODINGS_PER_TRACK_MAX: usize = 3;

/// Peers in a room.
pub const PEERS_PER_ROOM_MAX: usize = 1_000;

/// Tracks published by a peer: camera, microphone, two of a screen share, and room for several
/// medical devices.
pub const TRACKS_PER_PEER_MAX: usize = 32;

/// Workers that a track is relayed to: all but its own on the largest host.
pub const RELAYS_PER_TRACK_MAX: usize = 255;

/// Tracks received by a peer.
pub const SUBSCRIPTIONS_PER_PEER_MAX: usize = 500;

/// Events that wait while no control plane is connected, per worker. Beyond it the oldest are
/// dropped and the gap shows in the sequence.
pub const EVENTS_WAITING_MAX: usize = 4_096;

/// Evidence of a worker that was sent and is not acknowledged. Beyond it, the oldest is in the data
/// plane's file alone.
pub const EVIDENCE_IN_MEMORY_MAX: usize = 1_024;

/// Commands that wait for a worker. A control plane that is this far ahead is not read from
/// until the worker has caught up.
pub const COMMANDS_WAITING_MAX: usize = 4_096;

/// Milliseconds between statistics events of a room.
pub const STATISTICS_INTERVAL_MS: u64 = 2_000;
