//! Who calls, and by which way in: a scenario's participants as sessions of a server.

use crate::scenario::{Churn, LayerSwitching, Network, Plan, PlannedRoom, Subscribe, TrackSpec};
use bedside_protocol::MediaKind;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::connection::kind;

/// One session with a server, over and over.
pub(super) struct Guest {
    pub(super) room: String,
    pub(super) identity: String,
    /// From the start of the run.
    pub(super) joins_at: Duration,
    pub(super) seed: u64,
    pub(super) publish: Vec<TrackSpec>,
    /// What the stamps of its first track say; the next ones count on.
    pub(super) first_source: u32,
    pub(super) network: Network,
    pub(super) churn: Option<Churn>,
    pub(super) layers: Option<LayerSwitching>,
    pub(super) way: Way,
    pub(super) roster: Arc<Roster>,
}

/// How it gets in.
pub(super) enum Way {
    /// LiveKit's signalling: one session sends and receives.
    Room(Wants),
    /// WHIP.
    Publish,
    /// WHEP.
    View {
        /// Whom.
        publisher: String,
    },
}

/// Whose tracks it wants.
pub(super) enum Wants {
    All,
    None,
    These(HashSet<String>),
}

/// What each publisher of a room sends.
#[derive(Default)]
pub(super) struct Roster {
    publishers: HashMap<String, Publisher>,
}

struct Publisher {
    first_source: u32,
    kinds: Vec<MediaKind>,
}

impl Roster {
    /// What the stamps of somebody's track say, by its place.
    pub(super) fn source(&self, identity: &str, track: usize) -> Option<u32> {
        let publisher = self.publishers.get(identity)?;
        publisher.kinds.get(track)?;
        Some(publisher.first_source + u32::try_from(track).ok()?)
    }

    /// The same of their first track of a kind.
    pub(super) fn first_source(&self, identity: &str, kind: MediaKind) -> Option<u32> {
        let kinds = &self.publishers.get(identity)?.kinds;
        self.source(identity, kinds.iter().position(|&other| other == kind)?)
    }
}

/// The protocol of the server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Livekit,
    Whip,
}

/// Everybody in a plan, in the order in which they join. Over WHIP and WHEP a participant has a
/// session for sending, and one for each publisher whom it receives.
pub(super) fn guests(plan: &Plan<'_>, protocol: Protocol) -> Vec<Guest> {
    let mut guests = Vec::new();
    let mut next_source = 1;
    for room in &plan.rooms {
        let mut roster = Roster::default();
        for participant in &room.participants {
            let kinds: Vec<_> = participant.group.publish.iter().map(kind).collect();
            let first_source = next_source;
            // Bounded by the scenario: 100,000 participants of 32 tracks.
            next_source += u32::try_from(kinds.len()).unwrap_or(0);
            let publisher = Publisher {
                first_source,
                kinds,
            };
            roster
                .publishers
                .insert(participant.identity.clone(), publisher);
        }
        add_room(&mut guests, room, &Arc::new(roster), protocol);
    }
    guests
}

fn add_room(
    guests: &mut Vec<Guest>,
    room: &PlannedRoom<'_>,
    roster: &Arc<Roster>,
    protocol: Protocol,
) {
    for participant in &room.participants {
        let group = participant.group;
        let others = participant.receives.iter();
        let others = others.filter_map(|&place| room.participants.get(place));
        let guest = |identity: String, way| Guest {
            room: room.name.clone(),
            identity,
            joins_at: participant.joins_at,
            seed: participant.seed,
            publish: Vec::new(),
            first_source: 0,
            network: group.network,
            churn: group.churn,
            layers: group.layers,
            way,
            roster: Arc::clone(roster),
        };
        let identity = &participant.identity;
        let sends = |way| Guest {
            publish: group.publish.clone(),
            first_source: roster.source(identity, 0).unwrap_or_default(),
            ..guest(identity.clone(), way)
        };
        match protocol {
            Protocol::Livekit => {
                let wants = match group.subscribe {
                    Subscribe::All => Wants::All,
                    Subscribe::None => Wants::None,
                    Subscribe::Named(_) => {
                        Wants::These(others.map(|other| other.identity.clone()).collect())
                    }
                };
                guests.push(sends(Way::Room(wants)));
            }
            Protocol::Whip => {
                if !group.publish.is_empty() {
                    guests.push(sends(Way::Publish));
                }
                for (number, other) in others.enumerate() {
                    let way = Way::View {
                        publisher: other.identity.clone(),
                    };
                    guests.push(guest(format!("{identity}-view-{}", number + 1), way));
                }
            }
        }
    }
}
