//! Which worker a room and each of its participants is on.
//!
//! A room begins on its home worker, and everyone in it is there while it is of ordinary size: a
//! consult never spans workers. Whoever comes when the home worker has its share goes to another
//! one, and each track that is wanted there is relayed once. Nobody who has joined is moved.

use crate::room::Room;
use crate::rooms::Rooms;
use bedside_protocol::{RoomId, Welcome, WorkerId};
use std::collections::BTreeMap;

impl Rooms {
    /// The worker for someone who is about to join; `None` while no data plane is connected.
    ///
    /// The home worker up to the configured share; then a worker that has a part of the room
    /// already, because each more relays every track once more; then any other. When all have
    /// their share, the one with the fewest of this room. Among equals, the least loaded.
    pub(crate) fn place(&self, room: RoomId, identity: &str) -> Option<WorkerId> {
        let welcome = self.dataplane.as_ref()?;
        let room = self.rooms.get(&room)?;
        let share = usize::try_from(self.config.participants_per_worker).unwrap_or(usize::MAX);
        // Whoever has the same identity leaves as this one comes.
        let staying = room
            .members
            .values()
            .filter(|one| one.identity.expose() != identity);
        let mut of_room: BTreeMap<WorkerId, usize> = BTreeMap::new();
        for participant in staying {
            *of_room.entry(participant.worker).or_default() += 1;
        }
        let here = |worker| of_room.get(&worker).copied().unwrap_or_default();
        if here(room.home) < share {
            return Some(room.home);
        }
        let load = self.load(welcome);
        let preference = |worker| {
            let count = here(worker);
            match count {
                0 => (1, 0),
                _ if count < share => (0, 0),
                _ => (2, count),
            }
        };
        load.into_iter()
            .min_by_key(|&(worker, load)| (preference(worker), load, worker))
            .map(|(worker, _)| worker)
    }

    /// The worker with the fewest participants, then the fewest rooms.
    pub(crate) fn least_loaded(&self, welcome: &Welcome) -> Option<WorkerId> {
        self.load(welcome)
            .into_iter()
            .min_by_key(|&(worker, load)| (load, worker))
            .map(|(worker, _)| worker)
    }

    /// How many participants each worker has, and of how many rooms it is the home.
    fn load(&self, welcome: &Welcome) -> BTreeMap<WorkerId, (usize, usize)> {
        let mut load: BTreeMap<WorkerId, (usize, usize)> = welcome
            .workers
            .iter()
            .map(|info| (info.worker, (0, 0)))
            .collect();
        let here = |room: &&Room| room.boot == welcome.boot;
        for room in self.rooms.values().filter(here) {
            if let Some((_, rooms)) = load.get_mut(&room.home) {
                *rooms += 1;
            }
            for participant in room.members.values() {
                if let Some((participants, _)) = load.get_mut(&participant.worker) {
                    *participants += 1;
                }
            }
        }
        load
    }
}
