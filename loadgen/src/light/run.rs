//! Playing a scenario with light participants against a data plane.

use super::Error;
use super::fleet::{Fleet, FleetConfig, Joined, News, ParticipantId, Publication, Reception};
use super::fleet::{Sinks, Wish, nanoseconds, payload_type};
use crate::dataplane::Dataplane;
use crate::measure::Board;
use crate::media::Source;
use crate::pacing::{Clock, Schedule};
use crate::scenario::{PlannedParticipant, PlannedRoom, Scenario};
use crate::{Stop, Target};
use bedside_protocol::{Command, DataplaneConfig, Event, Layer, Policy, RoomId, TrackId};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng as _;
use std::collections::HashMap;
use std::sync::Arc;

/// Plays a scenario until it is told to stop. Every received packet is counted, one in 16 is opened.
///
/// # Errors
/// The target is not a data plane, or the fleet or the data plane fails.
pub fn run(
    scenario: &Scenario,
    target: &Target,
    board: &Arc<Board>,
    stop: &Stop,
) -> Result<(), Error> {
    let config = FleetConfig {
        processor: None,
        sinks: Sinks::Read { open_one_in: 16 },
        seed: scenario.seed,
    };
    run_with(config, scenario, target, board, stop)
}

/// The same with a fleet of that kind.
///
/// # Errors
/// As for [`run`].
pub fn run_with(
    config: FleetConfig,
    scenario: &Scenario,
    target: &Target,
    board: &Arc<Board>,
    stop: &Stop,
) -> Result<(), Error> {
    let Target::Dataplane {
        socket,
        listen,
        workers,
        pin,
    } = target
    else {
        return Err(Error::NotADataplane);
    };
    let dataplane = Dataplane::connect(
        socket,
        DataplaneConfig {
            workers: *workers,
            listen: vec![*listen],
            port: 0,
            pin: *pin,
            policy: Policy::default(),
        },
    )?;
    let plan = scenario.plan();
    let mut play = Play {
        fleet: Fleet::new(config)?,
        dataplane,
        rooms: Vec::new(),
        places: HashMap::new(),
        agenda: Schedule::new(),
    };
    play.enter(&plan.rooms)?;
    play.fleet.resume();
    while !stop.is_stopped() {
        play.turn(board)?;
    }
    play.fleet.report(board);
    Ok(())
}

/// A scenario under way.
struct Play<'p> {
    fleet: Fleet,
    dataplane: Dataplane,
    rooms: Vec<PlayedRoom<'p>>,
    /// Who is who, while they are in.
    places: HashMap<ParticipantId, Place>,
    agenda: Schedule<Act>,
}

/// A participant of a room.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Place {
    room: usize,
    member: usize,
}

/// What participants do besides media.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Act {
    Join(Place),
    /// If it is still the same visit.
    Leave(Place, ParticipantId),
    SwitchLayers(Place, ParticipantId),
}

struct PlayedRoom<'p> {
    id: RoomId,
    members: Vec<Member<'p>>,
}

struct Member<'p> {
    planned: &'p PlannedParticipant<'p>,
    random: ChaCha8Rng,
    visit: Option<Visit>,
}

/// From joining to leaving.
struct Visit {
    joined: Joined,
    publications: Vec<Publication>,
    is_connected: bool,
    wishes: Vec<Wished>,
    /// How often it chose other layers.
    switches: usize,
}

/// A subscription.
struct Wished {
    /// Place of the publisher in the room.
    publisher: usize,
    wish: Wish,
    layers: u8,
}

/// Longest sleep: a stop is noticed within this.
const LOOK_UP_INTERVAL_NS: u64 = 50_000_000;

impl<'p> Play<'p> {
    /// Makes the rooms and writes down who joins when.
    fn enter(&mut self, rooms: &'p [PlannedRoom<'p>]) -> Result<(), Error> {
        let start_ns = Clock::now_ns();
        for (room, planned) in rooms.iter().enumerate() {
            let worker = self.dataplane.worker_for(room);
            let id = self.dataplane.make_room(worker)?;
            for (member, planned) in planned.participants.iter().enumerate() {
                let at_ns = start_ns + nanoseconds(planned.joins_at);
                self.agenda.push(at_ns, Act::Join(Place { room, member }));
            }
            let members = planned.participants.iter().map(|planned| Member {
                planned,
                random: ChaCha8Rng::seed_from_u64(planned.seed),
                visit: None,
            });
            self.rooms.push(PlayedRoom {
                id,
                members: members.collect(),
            });
        }
        Ok(())
    }

    fn turn(&mut self, board: &Board) -> Result<(), Error> {
        let now_ns = Clock::now_ns();
        // One act a turn: media that is due does not wait for a crowd at the door.
        if let Some((due_ns, act)) = self.agenda.pop_due(now_ns) {
            self.act(due_ns, act)?;
        }
        let until_ns = self
            .agenda
            .next_due_ns()
            .unwrap_or(u64::MAX)
            .min(now_ns + LOOK_UP_INTERVAL_NS);
        self.fleet.turn(until_ns)?;
        while let Some(news) = self.fleet.news() {
            match news {
                News::Joined(id) => self.connected(id)?,
                News::Ended(id) => {
                    if let Some(place) = self.places.get(&id).copied() {
                        self.leave(place)?;
                    }
                }
            }
        }
        while let Some(event) = self.dataplane.try_event()? {
            if let Event::Refused { command, .. } = event.event {
                self.fleet.failed(&format!("refused: {command}"));
            }
        }
        self.fleet.report_if_due(board);
        Ok(())
    }

    fn act(&mut self, due_ns: u64, act: Act) -> Result<(), Error> {
        match act {
            Act::Join(place) => self.join(due_ns, place),
            Act::Leave(place, id) if self.is_in(place, id) => {
                self.leave(place)?;
                let member = &mut self.rooms[place.room].members[place.member];
                if let Some(churn) = member.planned.group.churn {
                    let (_, away) = churn.draw(&mut member.random);
                    self.agenda
                        .push(due_ns + nanoseconds(away), Act::Join(place));
                }
                Ok(())
            }
            Act::SwitchLayers(place, id) if self.is_in(place, id) => {
                self.switch_layers(due_ns, place)
            }
            Act::Leave(..) | Act::SwitchLayers(..) => Ok(()),
        }
    }

    fn is_in(&self, place: Place, id: ParticipantId) -> bool {
        self.places.get(&id) == Some(&place)
    }

    fn join(&mut self, due_ns: u64, place: Place) -> Result<(), Error> {
        let room = &mut self.rooms[place.room];
        let member = &mut room.members[place.member];
        let group = member.planned.group;
        let publications: Vec<Publication> = group
            .publish
            .iter()
            .map(|track| Publication {
                track: track.clone(),
                ssrc: self.fleet.ssrc(),
                payload_type: payload_type(Source::codec_of(track).kind()),
            })
            .collect();
        let joined = self.fleet.begin_join(
            &mut self.dataplane,
            room.id,
            &publications,
            due_ns,
            &group.network,
        )?;
        let id = joined.participant;
        self.places.insert(id, place);
        if let Some(churn) = group.churn {
            let (stay, _) = churn.draw(&mut member.random);
            self.agenda
                .push(due_ns + nanoseconds(stay), Act::Leave(place, id));
        }
        if let Some(layers) = group.layers {
            self.agenda.push(
                due_ns + nanoseconds(layers.every),
                Act::SwitchLayers(place, id),
            );
        }
        member.visit = Some(Visit {
            joined,
            publications,
            is_connected: false,
            wishes: Vec::new(),
            switches: 0,
        });
        Ok(())
    }

    /// A participant can send and receive: it and those who are there already subscribe to each
    /// other as planned.
    fn connected(&mut self, id: ParticipantId) -> Result<(), Error> {
        let Some(place) = self.places.get(&id).copied() else {
            return Ok(());
        };
        let members = &mut self.rooms[place.room].members;
        if let Some(visit) = &mut members[place.member].visit {
            visit.is_connected = true;
        }
        for other in 0..members.len() {
            for (receiver, publisher) in [(place.member, other), (other, place.member)] {
                let members = &self.rooms[place.room].members;
                if members[receiver].planned.receives.contains(&publisher) {
                    self.subscribe(place.room, receiver, publisher)?;
                }
            }
        }
        Ok(())
    }

    fn subscribe(&mut self, room: usize, receiver: usize, publisher: usize) -> Result<(), Error> {
        let PlayedRoom { id, members } = &mut self.rooms[room];
        let tracks: Vec<(TrackId, Publication)> = match &members[publisher].visit {
            Some(visit) if visit.is_connected => visit
                .joined
                .tracks
                .iter()
                .copied()
                .zip(visit.publications.iter().cloned())
                .collect(),
            _ => return Ok(()),
        };
        let Some(visit) = &mut members[receiver].visit else {
            return Ok(());
        };
        if !visit.is_connected || visit.wishes.iter().any(|it| it.publisher == publisher) {
            return Ok(());
        }
        for (track, publication) in tracks {
            let codec = Source::codec_of(&publication.track);
            let wish = Wish {
                track,
                reception: Reception {
                    ssrc: self.fleet.ssrc(),
                    kind: codec.kind(),
                    clock_hz: codec.clock_hz(),
                },
                source: Some(publication.ssrc),
                layer_max: Layer::High,
            };
            self.fleet
                .subscribe(&mut self.dataplane, *id, &visit.joined, &wish)?;
            visit.wishes.push(Wished {
                publisher,
                wish,
                layers: Source::layers_of(&publication.track),
            });
        }
        Ok(())
    }

    /// Every simulcast track that it receives: the next lower layer, or the highest again.
    fn switch_layers(&mut self, due_ns: u64, place: Place) -> Result<(), Error> {
        let PlayedRoom { id, members } = &mut self.rooms[place.room];
        let member = &mut members[place.member];
        let (Some(visit), Some(switching)) = (&mut member.visit, member.planned.group.layers)
        else {
            return Ok(());
        };
        visit.switches += 1;
        for wished in &mut visit.wishes {
            let layers = usize::from(wished.layers);
            if layers < 2 {
                continue;
            }
            let layer = layers - 1 - visit.switches % layers;
            wished.wish.layer_max = Layer::ALL[layer.min(Layer::ALL.len() - 1)];
            self.fleet.command_subscription(
                &mut self.dataplane,
                *id,
                &visit.joined,
                &wished.wish,
            )?;
        }
        let id = visit.joined.participant;
        self.agenda.push(
            due_ns + nanoseconds(switching.every),
            Act::SwitchLayers(place, id),
        );
        Ok(())
    }

    fn leave(&mut self, place: Place) -> Result<(), Error> {
        let PlayedRoom { id, members } = &mut self.rooms[place.room];
        let Some(visit) = members[place.member].visit.take() else {
            return Ok(());
        };
        self.places.remove(&visit.joined.participant);
        self.fleet.leave(visit.joined.participant);
        let peer = visit.joined.peer;
        self.dataplane.command(*id, Command::RemovePeer { peer })?;
        // Its tracks went with it, and the subscriptions to them.
        for member in members {
            let Some(visit) = &mut member.visit else {
                continue;
            };
            for wished in &visit.wishes {
                if wished.publisher == place.member {
                    let ssrc = wished.wish.reception.ssrc;
                    self.fleet.drop_stream(visit.joined.participant, ssrc);
                }
            }
            visit.wishes.retain(|it| it.publisher != place.member);
        }
        Ok(())
    }
}

impl Drop for Play<'_> {
    fn drop(&mut self) {
        // Whoever is still in says goodbye before the rooms are removed.
        let everybody: Vec<ParticipantId> = self.places.keys().copied().collect();
        for id in everybody {
            self.fleet.leave(id);
        }
    }
}
