//! Which peers are in which room, and which generation last named the room.

use bedside_protocol::limits::PEERS_PER_ROOM_MAX;
use bedside_protocol::{Generation, PeerId, RoomId};
use std::collections::{BTreeMap, BTreeSet};

/// The rooms of a worker. Ordered, so that what is done to all of a room is done in one order
/// whatever the seed.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    rooms: BTreeMap<RoomId, Room>,
}

#[derive(Debug)]
struct Room {
    generation: Generation,
    peers: BTreeSet<PeerId>,
}

impl Rooms {
    pub(super) fn ids(&self) -> impl Iterator<Item = RoomId> {
        self.rooms.keys().copied()
    }

    /// A copy, because what is done to a peer may change its room.
    pub(super) fn peers(&self, room: RoomId) -> Vec<PeerId> {
        self.rooms
            .get(&room)
            .map(|room| room.peers.iter().copied().collect())
            .unwrap_or_default()
    }

    pub(super) fn ensure(&mut self, generation: Generation, room: RoomId) {
        self.rooms
            .entry(room)
            .and_modify(|room| room.generation = generation)
            .or_insert_with(|| Room {
                generation,
                peers: BTreeSet::new(),
            });
    }

    /// Whether the room was last named by an older generation than `generation`.
    pub(super) fn is_older(&self, room: RoomId, generation: Generation) -> bool {
        self.rooms
            .get(&room)
            .is_some_and(|room| room.generation < generation)
    }

    /// Forgets a room, and gives those who were in it.
    pub(super) fn remove(&mut self, room: RoomId) -> BTreeSet<PeerId> {
        self.rooms
            .remove(&room)
            .map(|room| room.peers)
            .unwrap_or_default()
    }

    /// Puts a peer into a room.
    ///
    /// # Errors
    /// Why it cannot be, in words for the operator.
    pub(super) fn add(&mut self, room: RoomId, peer: PeerId) -> Result<(), &'static str> {
        let Some(room) = self.rooms.get_mut(&room) else {
            return Err("there is no such room");
        };
        if room.peers.len() >= PEERS_PER_ROOM_MAX {
            return Err("the room has as many peers as it can hold");
        }
        room.peers.insert(peer);
        Ok(())
    }

    /// Takes a peer out of a room. Tells whether it was in it.
    pub(super) fn take(&mut self, room: RoomId, peer: PeerId) -> bool {
        self.rooms
            .get_mut(&room)
            .is_some_and(|room| room.peers.remove(&peer))
    }
}
