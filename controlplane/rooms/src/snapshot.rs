//! What survives the control plane.

use crate::room::Room;
use serde::{Deserialize, Serialize};

/// A room's whole state, to be stored before the next restart and given to
/// [`Rooms::restore`](crate::Rooms::restore).
///
/// It holds ICE passwords, tokens' claims, names and identities in the clear: store it encrypted
/// or on a disk that is, readable by nobody else, and delete it with the room. It has no
/// `Debug`, so that it ends up in no log.
#[derive(Clone, Serialize, Deserialize)]
pub struct Snapshot {
    /// Of the format. Another one is not restored: the calls in it have to reconnect.
    version: u32,
    room: Room,
}

impl Snapshot {
    pub(crate) fn new(room: &Room) -> Self {
        Self {
            version: VERSION,
            room: room.clone(),
        }
    }

    /// The room's sid (`RM_...`), by which it is stored.
    #[must_use]
    pub fn room_sid(&self) -> &str {
        &self.room.sid
    }

    /// `None` if another version wrote it.
    pub(crate) fn into_room(self) -> Option<Room> {
        (self.version == VERSION).then_some(self.room)
    }
}

/// Grows with each change to what a room's state means.
const VERSION: u32 = 3;
