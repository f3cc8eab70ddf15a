//! A scenario written out: every room, every participant, when each joins and whom it receives.

use crate::scenario::{Churn, Join, ParticipantGroup, RoomGroup, Scenario, Subscribe};
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};
use std::time::Duration;

/// Every room of a run.
#[derive(Clone, Debug)]
pub struct Plan<'s> {
    /// In the order in which they fill.
    pub rooms: Vec<PlannedRoom<'s>>,
}

/// A room of a run.
#[derive(Clone, Debug)]
pub struct PlannedRoom<'s> {
    /// Its name: scenario and number, such as `consult-0007`.
    pub name: String,
    /// Who is in it.
    pub participants: Vec<PlannedParticipant<'s>>,
}

/// A participant of a run.
#[derive(Clone, Debug)]
pub struct PlannedParticipant<'s> {
    /// Unique in its room: group and number, such as `student-12`.
    pub identity: String,
    /// What it publishes, its network and the rest.
    pub group: &'s ParticipantGroup,
    /// From the start of the run.
    pub joins_at: Duration,
    /// Whose tracks it receives: places in [`PlannedRoom::participants`].
    pub receives: Vec<usize>,
    /// For what it draws at random; different for each participant of a run.
    pub seed: u64,
}

impl Scenario {
    /// Writes the scenario out. The same scenario gives the same plan.
    #[must_use]
    pub fn plan(&self) -> Plan<'_> {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let mut rooms = Vec::new();
        for group in &self.rooms {
            let mut joins = Joins::of(group);
            for _ in 0..group.count {
                let name = format!("{}-{:04}", self.name, rooms.len() + 1);
                rooms.push(group.room(name, &mut joins, &mut random));
            }
        }
        Plan { rooms }
    }
}

impl Plan<'_> {
    /// How many participants there are in all rooms.
    #[must_use]
    pub fn participant_count(&self) -> usize {
        self.rooms.iter().map(|room| room.participants.len()).sum()
    }

    /// When the last participant joins.
    #[must_use]
    pub fn last_join(&self) -> Duration {
        let participants = self.rooms.iter().flat_map(|room| &room.participants);
        participants
            .map(|participant| participant.joins_at)
            .max()
            .unwrap_or_default()
    }
}

impl RoomGroup {
    fn room(&self, name: String, joins: &mut Joins, random: &mut ChaCha8Rng) -> PlannedRoom<'_> {
        let members: Vec<(&ParticipantGroup, u32)> = self
            .participants
            .iter()
            .flat_map(|group| (1..=group.count).map(move |number| (group, number)))
            .collect();
        let participants = members
            .iter()
            .enumerate()
            .map(|(place, &(group, number))| PlannedParticipant {
                identity: format!("{}-{number}", group.name),
                group,
                joins_at: joins.next(),
                receives: (0..members.len())
                    .filter(|&other| other != place && group.receives(members[other].0))
                    .collect(),
                seed: random.next_u64(),
            })
            .collect();
        PlannedRoom { name, participants }
    }
}

impl ParticipantGroup {
    fn receives(&self, publisher: &Self) -> bool {
        match &self.subscribe {
            Subscribe::All => !publisher.publish.is_empty(),
            Subscribe::None => false,
            Subscribe::Named(names) => names.contains(&publisher.name),
        }
    }
}

impl Churn {
    /// The next stay and absence.
    pub fn draw(&self, random: &mut impl RngCore) -> (Duration, Duration) {
        let mut around = |mean: Duration| {
            let share = f64::from(random.next_u32()) / f64::from(u32::MAX);
            mean.mul_f64(0.5 + share)
        };
        (around(self.stay), around(self.away))
    }
}

/// When the participants of a group of rooms join, one after the other.
struct Joins {
    spacing_seconds: f64,
    joined: u32,
}

impl Joins {
    fn of(group: &RoomGroup) -> Self {
        let spacing_seconds = match group.join {
            Join::AtOnce => 0.0,
            Join::RatePerSecond(rate) => 1.0 / rate,
            Join::Over(time) => {
                let count = group.participants_per_room() * u64::from(group.count);
                time.as_secs_f64() / count.max(1) as f64
            }
        };
        Self {
            spacing_seconds,
            joined: 0,
        }
    }

    fn next(&mut self) -> Duration {
        let at = self.spacing_seconds * f64::from(self.joined);
        self.joined += 1;
        Duration::from_secs_f64(at)
    }
}
