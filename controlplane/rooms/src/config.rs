//! What an operator decides about rooms.

use bedside_protocol::{Codec, Generation};

/// What an operator decides about rooms. Times in seconds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// This incarnation of the control plane; grows with each start.
    pub generation: Generation,
    /// A room that nobody has joined is closed after this.
    pub empty_timeout_s: u32,
    /// A room that everybody has left is closed after this.
    pub departure_timeout_s: u32,
    /// Participants in a room, beyond which joins are refused; 0: only
    /// [`PARTICIPANTS_PER_ROOM_MAX`](crate::limits::PARTICIPANTS_PER_ROOM_MAX).
    pub max_participants: u32,
    /// Participants of one room that a worker is given before the room spans another one, at least
    /// 1. More streams fit on a core than a consult ever has; a large round needs several.
    pub participants_per_worker: u32,
    /// A join opens a room that does not exist. Otherwise only
    /// [`create_room`](crate::Rooms::create_room) does.
    pub auto_create: bool,
    /// Name of this server in join responses (`ND_...`).
    pub node_id: String,
    /// Version of this server, for the debug text of join responses.
    pub version: String,
    /// How long a participant without a signalling connection is kept while its media goes on:
    /// at least [`SIGNAL_LOST_S_MIN`](crate::limits::SIGNAL_LOST_S_MIN).
    pub signal_lost_timeout_s: u32,
    /// Video codecs that may be published, the preferred one first.
    pub video_codecs: Vec<Codec>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            generation: Generation(1),
            empty_timeout_s: 300,
            departure_timeout_s: 20,
            max_participants: 0,
            participants_per_worker: 100,
            auto_create: true,
            node_id: "ND_bedside".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            signal_lost_timeout_s: 20,
            video_codecs: vec![Codec::Vp8, Codec::H264, Codec::Vp9, Codec::Av1],
        }
    }
}
