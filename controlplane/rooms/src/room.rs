//! A room: who is in it, what they publish, and what everyone must be told of it.

use crate::context::Context;
use crate::data::Replay;
use crate::dataplane::Sent;
use crate::evidence::left_by;
use crate::input::{SessionId, Time};
use crate::limits;
use crate::output::{CloseHow, Output};
use crate::participant::{Owner, Participant};
use crate::published::{Published, Stage};
use bedside_protocol::{BootId, PeerId, Phi, RoomId, TrackId, WorkerId};
use livekit_protocol as proto;
use proto::participant_info::State;
use proto::signal_response::Message;
use proto::{DisconnectReason, RoomEndReason, leave_request::Action};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A participant's place in its room: counts up, so that order is the order of joining.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub(crate) struct Member(pub(crate) u32);

/// A room.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Room {
    pub(crate) sid: String,
    #[serde(serialize_with = "bedside_protocol::exposed")]
    pub(crate) name: Phi<String>,
    pub(crate) id: RoomId,
    /// The data plane's run that holds it, and its home worker: where participants are placed
    /// while there is room. A large room has parts on others too.
    pub(crate) boot: BootId,
    pub(crate) home: WorkerId,
    pub(crate) settings: Settings,
    pub(crate) created_at: Time,
    pub(crate) members: BTreeMap<Member, Participant>,
    pub(crate) tracks: BTreeMap<TrackId, Published>,
    pub(crate) peers: BTreeMap<PeerId, Owner>,
    pub(crate) last_member: Member,
    /// Since when nobody has been in it whose presence keeps it open.
    pub(crate) idle_since: Option<Time>,
    /// Somebody has been in it.
    pub(crate) joined_once: bool,
    #[serde(skip)]
    pub(crate) volatile: Volatile,
}

/// What a room was asked to be like.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) empty_timeout_s: u32,
    pub(crate) departure_timeout_s: u32,
    pub(crate) max_participants: u32,
    #[serde(serialize_with = "bedside_protocol::exposed")]
    pub(crate) metadata: Phi<String>,
}

/// What a new control plane works out anew.
#[derive(Clone, Default)]
pub(crate) struct Volatile {
    /// What the connected data plane has been told.
    pub(crate) sent: Sent,
    /// Whose desired state may differ from it.
    pub(crate) unsynced: BTreeSet<Member>,
    /// To whom something else may have to be sent than what was negotiated.
    pub(crate) unnegotiated: BTreeSet<Member>,
    /// Whose news others have not been told.
    pub(crate) unannounced: BTreeSet<Member>,
    /// Who left since the last announcement.
    pub(crate) departed: Vec<proto::ParticipantInfo>,
    pub(crate) announce_at: Option<Time>,
    pub(crate) room_update_at: Option<Time>,
    /// When connections are next graded.
    pub(crate) grade_at: Option<Time>,
    /// Tracks whose demand may have changed.
    pub(crate) demand: BTreeSet<TrackId>,
    pub(crate) replay: Replay,
    /// The snapshot is out of date.
    pub(crate) changed: bool,
    /// The room is over.
    pub(crate) finished: bool,
    /// When something is next due.
    pub(crate) deadline: Option<Time>,
}

impl Room {
    /// What clients and administrators are told of the room.
    pub(crate) fn info(&self) -> proto::Room {
        let visible = || {
            self.members
                .values()
                .filter(|participant| !participant.permission.hidden)
        };
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        proto::Room {
            sid: self.sid.clone(),
            name: self.name.expose().clone(),
            empty_timeout: self.settings.empty_timeout_s,
            departure_timeout: self.settings.departure_timeout_s,
            max_participants: self.settings.max_participants,
            creation_time: self.created_at.s(),
            creation_time_ms: self.created_at.ms(),
            metadata: self.settings.metadata.expose().clone(),
            num_participants: count(visible().filter(|one| !one.is_dependent()).count()),
            num_publishers: count(visible().filter(|one| one.published_once).count()),
            ..proto::Room::default()
        }
    }

    /// A participant as others see it, with its negotiated tracks.
    pub(crate) fn participant_info(&self, member: Member) -> Option<proto::ParticipantInfo> {
        let tracks = self
            .tracks_of(member)
            .filter(|(_, track)| track.live().is_some())
            .map(|(_, track)| track.info.clone())
            .collect();
        Some(self.members.get(&member)?.info(tracks))
    }

    pub(crate) fn tracks_of(
        &self,
        member: Member,
    ) -> impl Iterator<Item = (TrackId, &Published)> + use<'_> {
        self.tracks
            .iter()
            .filter(move |(_, track)| track.publisher == member)
            .map(|(&id, track)| (id, track))
    }

    pub(crate) fn track_called(&self, sid: &str) -> Option<TrackId> {
        self.tracks
            .iter()
            .find(|(_, track)| track.info.sid == sid && !matches!(track.stage, Stage::Queued))
            .map(|(&id, _)| id)
    }

    pub(crate) fn member_called(&self, identity: &str) -> Option<Member> {
        self.members
            .iter()
            .find(|(_, participant)| participant.identity.expose() == identity)
            .map(|(&member, _)| member)
    }

    pub(crate) fn member_with_sid(&self, sid: &str) -> Option<Member> {
        self.members
            .iter()
            .find(|(_, participant)| participant.sid == sid)
            .map(|(&member, _)| member)
    }

    /// The worker of a participant's connection.
    pub(crate) fn worker_of(&self, peer: PeerId) -> Option<WorkerId> {
        let owner = self.peers.get(&peer)?;
        Some(self.members.get(&owner.member)?.worker)
    }

    /// Every worker that may hold a part of it.
    pub(crate) fn workers(&self) -> BTreeSet<WorkerId> {
        let members = self.members.values().map(|participant| participant.worker);
        self.volatile
            .sent
            .parts()
            .chain(members)
            .chain([self.home])
            .collect()
    }

    /// The participant with this signalling connection.
    pub(crate) fn has_session(&self, member: Member, session: SessionId) -> bool {
        self.members
            .get(&member)
            .is_some_and(|participant| participant.session == Some(session))
    }

    /// Sends to a participant that has a signalling connection.
    pub(crate) fn send(&self, ctx: &mut Context<'_>, member: Member, message: Message) {
        if let Some(session) = self.members.get(&member).and_then(|one| one.session) {
            ctx.send(session, message);
        }
    }

    /// Everyone who can be told something.
    pub(crate) fn listeners(&self) -> Vec<(Member, SessionId)> {
        self.members
            .iter()
            .filter_map(|(&member, participant)| Some((member, participant.session?)))
            .collect()
    }

    /// The participant's news: others are told, its version grows.
    pub(crate) fn participant_changed(&mut self, member: Member) {
        if let Some(participant) = self.members.get_mut(&member) {
            participant.version += 1;
            self.volatile.unannounced.insert(member);
            self.volatile.changed = true;
        }
    }

    /// Whether another participant fits; dependents take no place.
    pub(crate) fn is_full(&self, dependent: bool) -> bool {
        let max = usize::try_from(self.settings.max_participants).unwrap_or(usize::MAX);
        let counted = self
            .members
            .values()
            .filter(|participant| !participant.is_dependent())
            .count();
        self.members.len() >= limits::PARTICIPANTS_PER_ROOM_MAX
            || (!dependent && max > 0 && counted >= max)
    }

    /// Takes a participant out. `action` is what it is told, if it still listens.
    pub(crate) fn remove(
        &mut self,
        ctx: &mut Context<'_>,
        member: Member,
        reason: DisconnectReason,
        action: Option<Action>,
    ) {
        // Those that wait for another's client id first, so that none takes its place.
        let mut tracks: Vec<(bool, TrackId)> = self
            .tracks_of(member)
            .map(|(id, track)| (track.live().is_some(), id))
            .collect();
        tracks.sort_unstable();
        let Some(mut info) = self.participant_info(member) else {
            return;
        };
        for (_, track) in tracks {
            self.remove_track(ctx, track);
        }
        self.tell_leave(ctx, member, reason);
        let Some(participant) = self.members.remove(&member) else {
            return;
        };
        if let Some(session) = participant.session {
            if let Some(action) = action {
                ctx.send(session, leave(&participant, reason, action));
                ctx.close(session, CloseHow::Normal);
            } else {
                ctx.close(session, CloseHow::Abrupt);
            }
        }
        for link in &participant.links {
            self.peers.remove(&link.peer);
        }
        self.volatile
            .demand
            .extend(participant.subscriptions.keys().copied());
        self.volatile.unsynced.insert(member);
        self.volatile.unannounced.remove(&member);
        self.volatile.changed = true;

        info.state = State::Disconnected as i32;
        info.disconnect_reason = reason as i32;
        info.version = participant.version + 1;
        let event = if participant.active {
            "participant_left"
        } else {
            "participant_connection_aborted"
        };
        self.webhook(ctx, event, Some(info.clone()), None);
        if !participant.permission.hidden {
            self.volatile.departed.push(info);
        }
        self.counts_changed(ctx);
        self.note_idle(ctx.now);
    }

    /// The number of participants or publishers changed: clients are told in a while.
    pub(crate) fn counts_changed(&mut self, ctx: &Context<'_>) {
        self.volatile
            .room_update_at
            .get_or_insert_with(|| ctx.later(limits::ROOM_UPDATE_US));
    }

    fn note_idle(&mut self, now: Time) {
        if self.members.values().all(Participant::is_dependent) {
            self.idle_since.get_or_insert(now);
        } else {
            self.idle_since = None;
        }
    }

    /// Somebody joined: the room is not idle unless it is a dependent.
    pub(crate) fn note_joined(&mut self, now: Time) {
        self.note_idle(now);
        self.joined_once |= self.idle_since.is_none();
    }

    fn idle_deadline(&self) -> Option<Time> {
        let timeout_s = if self.joined_once {
            self.settings.departure_timeout_s
        } else {
            self.settings.empty_timeout_s
        };
        Some(self.idle_since?.after_s(timeout_s))
    }

    /// Ends the room for everyone in it.
    pub(crate) fn finish(
        &mut self,
        ctx: &mut Context<'_>,
        reason: DisconnectReason,
        end: RoomEndReason,
    ) {
        for member in self.members.keys().copied().collect::<Vec<_>>() {
            self.remove(ctx, member, reason, Some(Action::Disconnect));
        }
        self.volatile.finished = true;
        self.tell_room_close(ctx, left_by(reason));
        let mut event = self.webhook_event(ctx, "room_finished");
        event.room_end_reason = end as i32;
        ctx.outputs.push_back(Output::Webhook(Box::new(event)));
    }

    /// Brings everyone up to date after a change: others hear of participants before an SDP
    /// carries their tracks, and the data plane is told what should be.
    pub(crate) fn settle(&mut self, ctx: &mut Context<'_>) {
        self.announce(ctx);
        self.renegotiate(ctx);
        self.sync(ctx);
        self.follow_demand(ctx);
        self.volatile.deadline = self.compute_deadline();
    }

    /// Tells everyone what changed about participants: at once where tracks are concerned or the
    /// room is small.
    fn announce(&mut self, ctx: &mut Context<'_>) {
        let at_once = self.members.len() <= limits::ANNOUNCE_AT_ONCE_MAX
            || self
                .volatile
                .announce_at
                .is_some_and(|announce_at| announce_at <= ctx.now);
        let mut participants: Vec<proto::ParticipantInfo> = Vec::new();
        let (mut departed, mut waiting) = (Vec::new(), BTreeSet::new());
        for info in std::mem::take(&mut self.volatile.departed) {
            if at_once || info.is_publisher {
                participants.push(info);
            } else {
                departed.push(info);
            }
        }
        let mut own = Vec::new();
        for member in std::mem::take(&mut self.volatile.unannounced) {
            let Some(participant) = self.members.get(&member) else {
                continue;
            };
            let hidden = participant.permission.hidden;
            if !at_once && !participant.published_once && !hidden {
                waiting.insert(member);
                continue;
            }
            let Some(info) = self.participant_info(member) else {
                continue;
            };
            if hidden {
                own.push((member, info));
            } else {
                participants.push(info);
            }
        }
        self.volatile.announce_at = if departed.is_empty() && waiting.is_empty() {
            None
        } else {
            let later = ctx.later(limits::ANNOUNCE_US);
            Some(
                self.volatile
                    .announce_at
                    .filter(|announce_at| *announce_at > ctx.now)
                    .unwrap_or(later),
            )
        };
        self.volatile.departed = departed;
        self.volatile.unannounced = waiting;
        for (member, info) in own {
            let participants = vec![info];
            let update = proto::ParticipantUpdate { participants };
            self.send(ctx, member, Message::Update(update));
        }
        if !participants.is_empty() {
            for (_, session) in self.listeners() {
                let participants = participants.clone();
                ctx.send(
                    session,
                    Message::Update(proto::ParticipantUpdate { participants }),
                );
            }
        }
    }

    /// Tells everyone about the room itself.
    pub(crate) fn broadcast_room(&mut self, ctx: &mut Context<'_>) {
        self.volatile.room_update_at = None;
        for (_, session) in self.listeners() {
            let room = Some(self.info());
            ctx.send(session, Message::RoomUpdate(proto::RoomUpdate { room }));
        }
    }

    /// Does what is due.
    pub(crate) fn handle_timeout(&mut self, ctx: &mut Context<'_>) {
        let now = ctx.now;
        for member in self.members.keys().copied().collect::<Vec<_>>() {
            self.participant_timeout(ctx, member);
        }
        if self.volatile.room_update_at.is_some_and(|at| at <= now) {
            self.broadcast_room(ctx);
        }
        if self.volatile.grade_at.is_some_and(|at| at <= now) {
            self.grade_all(ctx);
        }
        self.volatile.replay.forget_older(now);
        self.volatile.demand.extend(
            self.tracks
                .iter()
                .filter(|(_, track)| track.dynacast.deadline().is_some_and(|at| at <= now))
                .map(|(&id, _)| id),
        );
        if self.idle_deadline().is_some_and(|at| at <= now) {
            self.finish(
                ctx,
                DisconnectReason::RoomClosed,
                RoomEndReason::RoomEndIdleTimeout,
            );
        }
    }

    fn participant_timeout(&mut self, ctx: &mut Context<'_>, member: Member) {
        let due = |at: Option<Time>| at.is_some_and(|at| at <= ctx.now);
        let Some(participant) = self.members.get(&member) else {
            return;
        };
        if due(participant.leave_by) {
            self.remove(
                ctx,
                member,
                DisconnectReason::ConnectionTimeout,
                Some(Action::Reconnect),
            );
        } else if due(participant.signal_lost_by) {
            self.remove(ctx, member, DisconnectReason::SignalClose, None);
        } else if due(participant.connect_by) {
            ctx.count("transport_never_connected");
            self.remove(
                ctx,
                member,
                DisconnectReason::JoinFailure,
                Some(Action::Disconnect),
            );
        } else {
            if participant.links.iter().any(|link| due(link.confirm_by)) {
                self.transport_lost(ctx, member, DisconnectReason::ConnectionTimeout);
            }
            self.refresh_token_if_due(ctx, member);
        }
    }

    /// Sends a fresh token now if it is time, and says when the next one is due.
    pub(crate) fn refresh_token_if_due(&mut self, ctx: &mut Context<'_>, member: Member) {
        let Some(participant) = self.members.get_mut(&member) else {
            return;
        };
        let (Some(session), Some(at)) = (participant.session, participant.refresh_at) else {
            return;
        };
        if at <= ctx.now {
            participant.refresh_at = Some(ctx.later(limits::REFRESH_TOKEN_US));
            ctx.outputs.push_back(Output::RefreshToken {
                session,
                claims: Box::new(participant.refreshed_claims()),
            });
        }
    }

    fn compute_deadline(&self) -> Option<Time> {
        let members = self.members.values().filter_map(Participant::deadline);
        let tracks = self
            .tracks
            .values()
            .filter_map(|track| track.dynacast.deadline());
        [
            self.volatile.announce_at,
            self.volatile.room_update_at,
            self.volatile.grade_at,
            self.volatile.replay.deadline(),
            self.idle_deadline(),
        ]
        .into_iter()
        .flatten()
        .chain(members)
        .chain(tracks)
        .min()
    }

    /// Queues a webhook about the room, and a participant or track in it.
    pub(crate) fn webhook(
        &self,
        ctx: &mut Context<'_>,
        event: &str,
        participant: Option<proto::ParticipantInfo>,
        track: Option<proto::TrackInfo>,
    ) {
        let event = proto::WebhookEvent {
            participant,
            track,
            ..self.webhook_event(ctx, event)
        };
        ctx.outputs.push_back(Output::Webhook(Box::new(event)));
    }

    fn webhook_event(&self, ctx: &mut Context<'_>, event: &str) -> proto::WebhookEvent {
        proto::WebhookEvent {
            event: event.to_owned(),
            room: Some(self.info()),
            id: ctx.random.sid("EV_"),
            created_at: ctx.now.s(),
            ..proto::WebhookEvent::default()
        }
    }
}

/// A leave request in the form that the client reads.
pub(crate) fn leave(
    participant: &Participant,
    reason: DisconnectReason,
    action: Action,
) -> Message {
    let old = !participant.client.reads_leave_action();
    Message::Leave(proto::LeaveRequest {
        can_reconnect: old && action != Action::Disconnect,
        reason: reason as i32,
        action: action as i32,
        regions: None,
    })
}
