//! Every bound of a room's state, with its reason.

/// Participants in a room, hidden ones included: what one worker holds at one peer each.
pub const PARTICIPANTS_PER_ROOM_MAX: usize = bedside_protocol::limits::PEERS_PER_ROOM_MAX / 2;
