//! Counts for operators.

use bedside_protocol::BootId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How the rooms are, for `bedside status` and metrics. Holds nothing personal.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Status {
    /// The data plane that is connected, if one is.
    pub dataplane: Option<BootId>,
    /// Rooms that are open.
    pub rooms: usize,
    /// Participants in them, WHIP and WHEP included.
    pub participants: usize,
    /// Participants that have a signalling connection.
    pub sessions: usize,
    /// WHIP and WHEP sessions.
    pub webrtc_resources: usize,
    /// Published tracks.
    pub tracks: usize,
    /// Subscriptions.
    pub subscriptions: usize,
    /// Events that the data plane numbered but that never came.
    pub events_lost: u64,
    /// Commands that the data plane refused.
    pub commands_refused: u64,
    /// What was refused or dropped since the start, by reason.
    pub refused: BTreeMap<String, u64>,
}
