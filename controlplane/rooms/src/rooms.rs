//! Every room of this control plane, and the way in for everything that concerns them.

use crate::config::Config;
use crate::context::{Context, Counters};
use crate::evidence::orphaned;
use crate::input::{Claims, DataplaneInput, Input, Join, JoinParameters, SessionId, Time};
use crate::joining::{Entrance, check_claims};
use crate::limits;
use crate::negotiation::SdpError;
use crate::output::{CloseHow, OperationError, Output, Refusal};
use crate::participant::kind_from_claims;
use crate::permission::Permission;
use crate::random::Random;
use crate::room::{Member, Room, Settings, Volatile};
use crate::snapshot::Snapshot;
use crate::status::Status;
use bedside_protocol::{
    BootId, CloseReason, Command, Event, EventFrame, Phi, RoomId, Welcome, WorkerId,
};
use livekit_protocol as proto;
use proto::participant_info::Kind;
use proto::signal_response::Message;
use proto::{DisconnectReason, leave_request::Action};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

/// Every room of this control plane.
///
/// After each call drain [`poll_output`](Self::poll_output) and re-arm the timer from
/// [`poll_timeout`](Self::poll_timeout).
pub struct Rooms {
    pub(crate) config: Config,
    random: Random,
    pub(crate) rooms: BTreeMap<RoomId, Room>,
    names: BTreeMap<String, RoomId>,
    sids: BTreeMap<String, RoomId>,
    sessions: BTreeMap<SessionId, (RoomId, Member)>,
    deadlines: BTreeSet<(Time, RoomId)>,
    pub(crate) dataplane: Option<Welcome>,
    /// The run of the data plane that was connected last.
    boot: Option<BootId>,
    /// Number of the last event of each of its workers.
    sequences: BTreeMap<WorkerId, u64>,
    outputs: VecDeque<Output>,
    counters: Counters,
}

impl fmt::Debug for Rooms {
    /// Counts only: what is in rooms is nobody's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rooms")
            .field("rooms", &self.rooms.len())
            .field("sessions", &self.sessions.len())
            .finish_non_exhaustive()
    }
}

impl Rooms {
    /// No rooms. `seed` makes identifiers and ICE credentials: it must come from a
    /// cryptographic source and never be used twice.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        Self {
            config,
            random: Random::new(seed),
            rooms: BTreeMap::new(),
            names: BTreeMap::new(),
            sids: BTreeMap::new(),
            sessions: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            dataplane: None,
            boot: None,
            sequences: BTreeMap::new(),
            outputs: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// Takes over what a control plane before this one left behind. Nobody has a signalling
    /// connection yet; each participant has the signal-lost timeout, counted from `now`, to
    /// come back. Snapshots of another format version are left out, and counted.
    #[must_use]
    pub fn restore(config: Config, seed: [u8; 32], now: Time, snapshots: Vec<Snapshot>) -> Self {
        let mut rooms = Self::new(config, seed);
        for snapshot in snapshots {
            let Some(room) = snapshot.into_room() else {
                rooms.counters.count("snapshot_version");
                continue;
            };
            if rooms.names.contains_key(room.name.expose()) {
                rooms.counters.count("snapshot_duplicate");
                continue;
            }
            let id = room.id;
            rooms.insert(room);
            rooms.with_room(now, id, Room::restored);
        }
        rooms
    }

    /// Whether a join with these claims would be accepted now. Call it before the WebSocket
    /// upgrade and for `*/validate`. A resume of a participant that is not known is accepted, so
    /// that it can be told to reconnect.
    ///
    /// # Errors
    /// The HTTP status and reason to answer with.
    pub fn check_join(&self, claims: &Claims, parameters: &JoinParameters) -> Result<(), Refusal> {
        self.check(claims, parameters).map(|_| ())
    }

    fn check(&self, claims: &Claims, parameters: &JoinParameters) -> Result<Permission, Refusal> {
        let refusal = |status, reason: &str| Refusal {
            status,
            reason: reason.to_owned(),
        };
        let permission = check_claims(claims, parameters)?;
        if self.dataplane.is_none() {
            let reason = "the media server is not connected; try again in a moment";
            return Err(refusal(503, reason));
        }
        if parameters.resume.is_some() {
            return Ok(permission);
        }
        let name = claims.video.as_ref().map_or("", |grant| &grant.room);
        let Some(room) = self.names.get(name).and_then(|id| self.rooms.get(id)) else {
            if !self.config.auto_create {
                // Clients read this text.
                return Err(refusal(404, "requested room does not exist"));
            }
            if self.rooms.len() >= limits::ROOMS_MAX {
                return Err(refusal(503, "too many rooms"));
            }
            return Ok(permission);
        };
        let kind = kind_from_claims(&claims.kind);
        let dependent = permission.agent
            || permission.recorder
            || kind == Kind::Agent as i32
            || kind == Kind::Egress as i32;
        let replaces = room.member_called(claims.subject()).is_some();
        if !replaces && room.is_full(dependent) {
            return Err(refusal(503, "the room is full"));
        }
        Ok(permission)
    }

    /// Something happened.
    pub fn handle(&mut self, now: Time, input: Input) {
        match input {
            Input::Join(join) => self.join(now, *join),
            Input::Signal { session, request } => {
                let Some(request) = request.message else {
                    self.counters.count("request_unknown");
                    return;
                };
                self.with_session(now, session, |room, ctx, member| {
                    room.handle_signal(ctx, member, session, request);
                });
            }
            Input::SessionClosed { session } => {
                self.with_session(now, session, |room, ctx, member| {
                    room.session_lost(ctx, member, session);
                });
                self.sessions.remove(&session);
            }
            Input::Dataplane(DataplaneInput::Connected(welcome)) => self.connected(now, welcome),
            Input::Dataplane(DataplaneInput::Event(event)) => self.event(now, *event),
            Input::Dataplane(DataplaneInput::Spooled(boot, event)) => {
                self.spooled(now, boot, &event);
            }
            Input::Dataplane(DataplaneInput::Disconnected) => self.dataplane = None,
            Input::Recorded { room, peer } => {
                self.with_room(now, room, |room, _| room.recorded(peer));
            }
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Time) {
        let due: Vec<RoomId> = self
            .deadlines
            .iter()
            .take_while(|(at, _)| *at <= now)
            .map(|&(_, id)| id)
            .collect();
        for id in due {
            self.with_room(now, id, Room::handle_timeout);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is next due.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        self.deadlines.first().map(|&(at, _)| at)
    }

    /// The next thing for the edges to do.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// A room's whole state, to be stored durably; `None` if it does not exist.
    #[must_use]
    pub fn snapshot(&self, room_sid: &str) -> Option<Snapshot> {
        let room = self.rooms.get(self.sids.get(room_sid)?)?;
        Some(Snapshot::new(room))
    }

    /// Counts for `bedside status`.
    #[must_use]
    pub fn status(&self) -> Status {
        let participants = || self.rooms.values().flat_map(|room| room.members.values());
        let sdp = self
            .counters
            .refused_sdp
            .iter()
            .map(|(label, count)| (format!("sdp_{label}"), *count));
        let refused = self
            .counters
            .refused
            .iter()
            .map(|(&reason, &count)| (reason.to_owned(), count))
            .chain(sdp)
            .collect();
        Status {
            dataplane: self.dataplane.as_ref().map(|welcome| welcome.boot),
            rooms: self.rooms.len(),
            participants: participants().count(),
            sessions: participants().filter(|one| one.session.is_some()).count(),
            webrtc_resources: participants().filter(|one| one.webrtc.is_some()).count(),
            tracks: self.rooms.values().map(|room| room.tracks.len()).sum(),
            subscriptions: participants().map(|one| one.subscriptions.len()).sum(),
            events_lost: self.counters.events_lost,
            commands_refused: self.counters.commands_refused,
            refused,
        }
    }

    fn join(&mut self, now: Time, join: Join) {
        let Ok(permission) = self.check(&join.claims, &join.parameters) else {
            return self.turn_away(&join, DisconnectReason::JoinFailure, Action::Disconnect);
        };
        if let Some(sid) = join.parameters.resume.clone() {
            return self.resume(now, &sid, join);
        }
        let name = join
            .claims
            .video
            .as_ref()
            .map(|grant| grant.room.clone())
            .unwrap_or_default();
        let session = join.session;
        let Ok(id) = self.open_room(now, &name) else {
            return self.turn_away(&join, DisconnectReason::JoinFailure, Action::Disconnect);
        };
        let Some(worker) = self.place(id, join.claims.subject()) else {
            return self.turn_away(&join, DisconnectReason::JoinFailure, Action::Disconnect);
        };
        let member = self.with_room(now, id, |room, ctx| {
            let (claims, parameters) = (&join.claims, &join.parameters);
            let entrance = Entrance::Session(session);
            let member = room.admit(ctx, worker, claims, parameters, permission, entrance)?;
            // In one go: nothing may be sent to the newcomer before `join`.
            room.welcome(ctx, member, join);
            Some(member)
        });
        if let Some(member) = member.flatten() {
            self.sessions.insert(session, (id, member));
        }
    }

    fn resume(&mut self, now: Time, sid: &str, join: Join) {
        let name = join.claims.video.as_ref().map(|grant| &grant.room);
        let id = name.and_then(|name| self.names.get(name)).copied();
        let found = id.and_then(|id| {
            let room = self.rooms.get(&id)?;
            let member = room.member_with_sid(sid)?;
            let participant = room.members.get(&member)?;
            let same = participant.identity.expose() == join.claims.subject()
                && participant.leave_by.is_none()
                && participant.webrtc.is_none();
            same.then_some((id, member))
        });
        let Some((id, member)) = found else {
            return self.turn_away(&join, DisconnectReason::StateMismatch, Action::Reconnect);
        };
        self.sessions.insert(join.session, (id, member));
        self.with_room(now, id, |room, ctx| room.resume(ctx, member, join));
    }

    /// Says why in the one frame that the client reads, and closes.
    fn turn_away(&mut self, join: &Join, reason: DisconnectReason, action: Action) {
        self.counters.count(match action {
            Action::Disconnect => "join",
            Action::Resume | Action::Reconnect => "resume",
        });
        let leave = proto::LeaveRequest {
            can_reconnect: action != Action::Disconnect,
            reason: reason as i32,
            action: action as i32,
            regions: None,
        };
        self.outputs.push_back(Output::Signal {
            session: join.session,
            response: Box::new(proto::SignalResponse {
                message: Some(Message::Leave(leave)),
            }),
        });
        self.outputs.push_back(Output::CloseSession {
            session: join.session,
            how: CloseHow::Normal,
        });
    }

    /// The room with this name, made if there is none.
    pub(crate) fn open_room(&mut self, now: Time, name: &str) -> Result<RoomId, OperationError> {
        if let Some(&id) = self.names.get(name) {
            return Ok(id);
        }
        if self.rooms.len() >= limits::ROOMS_MAX {
            return Err(OperationError::LimitExceeded("too many rooms".to_owned()));
        }
        let welcome = self.dataplane.as_ref().ok_or(OperationError::Unavailable)?;
        let home = self
            .least_loaded(welcome)
            .ok_or(OperationError::Unavailable)?;
        let room = Room {
            sid: self.random.sid("RM_"),
            name: Phi::new(name.to_owned()),
            id: self.random.room(),
            boot: welcome.boot,
            home,
            settings: Settings {
                empty_timeout_s: self.config.empty_timeout_s,
                departure_timeout_s: self.config.departure_timeout_s,
                max_participants: self.config.max_participants,
                metadata: Phi::default(),
            },
            created_at: now,
            members: BTreeMap::new(),
            tracks: BTreeMap::new(),
            peers: BTreeMap::new(),
            last_member: Member::default(),
            idle_since: Some(now),
            joined_once: false,
            volatile: Volatile {
                changed: true,
                ..Volatile::default()
            },
        };
        let id = room.id;
        self.insert(room);
        self.with_room(now, id, |room, ctx| {
            room.webhook(ctx, "room_started", None, None);
            room.tell_room_open(ctx);
        });
        Ok(id)
    }

    fn insert(&mut self, room: Room) {
        self.names.insert(room.name.expose().clone(), room.id);
        self.sids.insert(room.sid.clone(), room.id);
        self.rooms.insert(room.id, room);
    }

    fn connected(&mut self, now: Time, welcome: Welcome) {
        if self.boot.replace(welcome.boot) != Some(welcome.boot) {
            self.sequences.clear();
        }
        self.dataplane = Some(welcome.clone());
        for id in self.rooms.keys().copied().collect::<Vec<_>>() {
            let placed = self.rooms.get(&id).is_some_and(|room| {
                let exists = |worker| welcome.workers.iter().any(|info| info.worker == worker);
                room.boot == welcome.boot && room.workers().into_iter().all(exists)
            });
            let home = self.least_loaded(&welcome);
            self.with_room(now, id, |room, ctx| {
                if placed {
                    room.adopt(ctx);
                } else {
                    room.boot = welcome.boot;
                    room.home = home.unwrap_or(room.home);
                    room.start_over(ctx);
                }
            });
            self.with_room(now, id, |room, ctx| {
                for worker in room.workers() {
                    ctx.command(room.id, worker, Command::Reconcile);
                }
            });
        }
        for info in &welcome.workers {
            let holds = |id| {
                let room = self.rooms.get(id);
                room.is_some_and(|room| room.workers().contains(&info.worker))
            };
            for &unknown in info.rooms.iter().filter(|id| !holds(id)) {
                self.outputs
                    .push_back(Output::Command(bedside_protocol::CommandFrame {
                        generation: self.config.generation,
                        room: unknown,
                        worker: info.worker,
                        command: Command::RemoveRoom,
                    }));
            }
        }
    }

    fn event(&mut self, now: Time, frame: EventFrame) {
        let last = self.sequences.entry(frame.worker).or_insert(frame.sequence);
        let missing = frame.sequence.saturating_sub(*last).saturating_sub(1);
        *last = frame.sequence.max(*last);
        self.counters.events_lost += missing;
        let EventFrame {
            room, at_us, event, ..
        } = frame;
        if self.rooms.contains_key(&room) {
            self.with_room(now, room, |room, ctx| room.handle_event(ctx, at_us, event));
        } else if let (true, Some(boot)) = (event.is_evidence(), self.boot) {
            self.orphaned(boot, at_us, &event);
        }
    }

    /// For the records alone: what it is about is gone.
    fn spooled(&mut self, now: Time, boot: BootId, frame: &EventFrame) {
        let room = self.rooms.get(&frame.room).map(|room| room.boot);
        if room == Some(boot) {
            self.with_room(now, frame.room, |room, ctx| {
                room.handle_spooled(ctx, frame.at_us, &frame.event);
            });
        } else {
            self.orphaned(boot, frame.at_us, &frame.event);
        }
    }

    /// The end of what a room removed before it ended is in the records already.
    fn orphaned(&mut self, boot: BootId, at_us: u64, event: &Event) {
        let removed = CloseReason::Removed;
        if !matches!(event, Event::PeerClosed { reason, .. } if *reason == removed) {
            let event = orphaned(boot, at_us, event);
            self.outputs.push_back(Output::Audit(Box::new(event)));
        }
    }

    fn with_session(
        &mut self,
        now: Time,
        session: SessionId,
        act: impl FnOnce(&mut Room, &mut Context<'_>, Member),
    ) {
        let Some(&(id, member)) = self.sessions.get(&session) else {
            return;
        };
        self.with_room(now, id, |room, ctx| {
            if room.has_session(member, session) {
                act(room, ctx, member);
            }
        });
    }

    /// Does something in a room and brings everyone up to date.
    pub(crate) fn with_room<T>(
        &mut self,
        now: Time,
        id: RoomId,
        act: impl FnOnce(&mut Room, &mut Context<'_>) -> T,
    ) -> Option<T> {
        let room = self.rooms.get_mut(&id)?;
        let before = room.volatile.deadline;
        let mut ctx = Context {
            now,
            config: &self.config,
            random: &mut self.random,
            dataplane: self.dataplane.as_ref(),
            outputs: &mut self.outputs,
            counters: &mut self.counters,
        };
        let result = act(room, &mut ctx);
        room.settle(&mut ctx);
        if let Some(before) = before {
            self.deadlines.remove(&(before, id));
        }
        if room.volatile.finished {
            if ctx.dataplane.is_some() {
                for worker in room.workers() {
                    ctx.command(id, worker, Command::RemoveRoom);
                }
            }
            let room_sid = room.sid.clone();
            self.outputs
                .push_back(Output::RoomFinished { room: room_sid });
            self.forget(id);
            return Some(result);
        }
        if let Some(deadline) = room.volatile.deadline {
            self.deadlines.insert((deadline, id));
        }
        if std::mem::take(&mut room.volatile.changed) {
            self.outputs.push_back(Output::RoomChanged {
                room: room.sid.clone(),
            });
        }
        Some(result)
    }

    fn forget(&mut self, id: RoomId) {
        if let Some(room) = self.rooms.remove(&id) {
            self.names.remove(room.name.expose());
            self.sids.remove(&room.sid);
        }
    }

    pub(crate) fn rooms(&self) -> impl Iterator<Item = &Room> {
        self.rooms.values()
    }

    pub(crate) fn room_called(&self, name: &str) -> Result<&Room, OperationError> {
        self.names
            .get(name)
            .and_then(|id| self.rooms.get(id))
            .ok_or(OperationError::NotFound("the room"))
    }

    pub(crate) fn check_webrtc(&self, claims: &Claims) -> Result<Permission, Refusal> {
        self.check(claims, &JoinParameters::default())
    }

    pub(crate) fn count_refusal(&mut self, reason: &'static str) {
        self.counters.count(reason);
    }

    pub(crate) fn count_sdp(&mut self, error: SdpError) {
        self.counters.count_sdp(error);
    }
}

impl Room {
    /// After a restart: nobody has a signalling connection, and everyone has time to come back.
    fn restored(&mut self, ctx: &mut Context<'_>) {
        for participant in self.members.values_mut() {
            participant.session = None;
            if participant.webrtc.is_none() && participant.leave_by.is_none() {
                participant.signal_lost_by = Some(ctx.signal_lost_by());
            }
            for link in &mut participant.links {
                // Whether it is up, the data plane says when it connects.
                link.confirm_by = link.confirm_by.map(|_| ctx.later(limits::CONFIRM_US));
            }
        }
        if self.idle_since.is_some() {
            self.idle_since = Some(ctx.now);
        }
        self.volatile.changed = true;
    }
}
