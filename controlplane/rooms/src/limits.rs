//! Every bound of a room's state, with its reason. What fills up is refused with a reason that
//! names the bound, and counted.

/// Rooms of one control plane: ten thousand consults are more than one host carries.
pub const ROOMS_MAX: usize = 10_000;

/// Participants in a room, hidden ones included: each may need two of the peers that a room of
/// the data plane holds.
pub const PARTICIPANTS_PER_ROOM_MAX: usize = bedside_protocol::limits::PEERS_PER_ROOM_MAX / 2;

/// Bytes of a room's name, an identity, a display name, a track's name or client id.
pub const NAME_BYTES_MAX: usize = 256;

/// Bytes of metadata of a room or participant; LiveKit's default.
pub const METADATA_BYTES_MAX: usize = 64 << 10;

/// Bytes of a participant's attributes, keys and values together; LiveKit's default.
pub const ATTRIBUTES_BYTES_MAX: usize = 64 << 10;

/// Attributes of a participant.
pub const ATTRIBUTES_MAX: usize = 128;

/// Tracks that a participant announced and has not yet negotiated or that wait for their
/// predecessor to end; LiveKit's bound.
pub const PENDING_TRACKS_MAX: usize = 20;

/// Tracks of a participant, pending ones included; the data plane's bound.
pub const TRACKS_PER_PARTICIPANT_MAX: usize = bedside_protocol::limits::TRACKS_PER_PEER_MAX;

/// Simulcast codecs, layers or audio features that a track announcement may list.
pub const TRACK_DETAILS_MAX: usize = 8;

/// Tracks that a participant receives; the data plane's bound.
pub const SUBSCRIPTIONS_PER_PARTICIPANT_MAX: usize =
    bedside_protocol::limits::SUBSCRIPTIONS_PER_PEER_MAX;

/// Choices and settings that a participant may leave for tracks, known or not: twice what it can
/// receive, so that it may also name tracks that it does not want.
pub const CHOICES_PER_PARTICIPANT_MAX: usize = 2 * SUBSCRIPTIONS_PER_PARTICIPANT_MAX;

/// Entries, and tracks an entry, of a subscription permission.
pub const PERMISSIONS_MAX: usize = PARTICIPANTS_PER_ROOM_MAX;

/// Data packet, bytes after stamping; the data plane's bound.
pub const DATA_PACKET_BYTES_MAX: usize = bedside_protocol::limits::DATA_MESSAGE_BYTES_MAX;

/// Destinations that a data packet may name.
pub const DESTINATIONS_MAX: usize = PARTICIPANTS_PER_ROOM_MAX;

/// How long a reliable data packet is kept for participants that join or resume; LiveKit's.
pub const REPLAY_US: u64 = 2_000_000;

/// Packets and bytes kept for that, per room. The oldest go first.
pub const REPLAY_PACKETS_MAX: usize = 1_024;
/// See [`REPLAY_PACKETS_MAX`].
pub const REPLAY_BYTES_MAX: usize = 4 << 20;

/// Seconds between a client's pings, and without an answer before it resumes; LiveKit's.
pub const PING_INTERVAL_S: i32 = 5;
/// See [`PING_INTERVAL_S`].
pub const PING_TIMEOUT_S: i32 = 15;

/// A refreshed token is sent this often; tokens live for ten minutes.
pub const REFRESH_TOKEN_US: u64 = 300_000_000;

/// A participant whose transport has not come up by now never will: ICE gives up after about
/// 30 s in every browser.
pub const CONNECT_US: u64 = 45_000_000;

/// Shortest time, in seconds, for which a participant without a signalling connection is kept:
/// what LiveKit's clients take for their first attempts to resume.
pub const SIGNAL_LOST_S_MIN: u32 = 15;

/// After a transport failed the participant is told to reconnect; one that has not done so by
/// then is removed. LiveKit's.
pub const TRANSPORT_LOST_US: u64 = 5_000_000;

/// A new control plane waits this long for the data plane to confirm a transport that was up.
pub const CONFIRM_US: u64 = 10_000_000;

/// In a room with more participants than this, news about participants who publish nothing is
/// collected for [`ANNOUNCE_US`]: each such message goes to everyone.
pub const ANNOUNCE_AT_ONCE_MAX: usize = 16;
/// See [`ANNOUNCE_AT_ONCE_MAX`]; LiveKit's.
pub const ANNOUNCE_US: u64 = 3_000_000;

/// Room updates that only carry new counts are sent this often; LiveKit's.
pub const ROOM_UPDATE_US: u64 = 5_000_000;

/// A publisher is asked for fewer layers only after nobody wanted them for so long: key frames
/// for an early return cost more.
pub const DYNACAST_DOWN_US: u64 = 5_000_000;

/// Connections are graded this often; LiveKit's.
pub const QUALITY_US: u64 = 5_000_000;

/// A publisher has this long to send the layers that it was asked for, before missing ones count:
/// browsers raise what they send step by step.
pub const UPLINK_SETTLE_US: u64 = 10_000_000;

/// How long a simulated signalling failure stays armed.
pub const SIMULATION_US: u64 = 10_000_000;
