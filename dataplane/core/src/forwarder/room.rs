//! A room: who and what is in it, and what is said about it at intervals.

use super::Handle;
use super::peer::Peer;
use super::publisher::Track;
use super::timers::Armed;
use bedside_protocol::{Generation, RoomId};
use std::time::Instant;

pub(super) struct Room {
    pub(super) id: RoomId,
    pub(super) generation: Generation,
    pub(super) peers: Vec<Handle<Peer>>,
    pub(super) tracks: Vec<Handle<Track>>,
    /// When the statistics were sent last, or began to count.
    pub(super) statistics_since: Instant,
    /// When the current window of audio levels ends; `None` while there is silence.
    pub(super) speakers_due: Option<Instant>,
    pub(super) armed: Armed,
}

impl Room {
    pub(super) fn new(now: Instant, id: RoomId, generation: Generation) -> Self {
        Self {
            id,
            generation,
            peers: Vec::new(),
            tracks: Vec::new(),
            statistics_since: now,
            speakers_due: None,
            armed: Armed::default(),
        }
    }
}
