//! Coming back: the same participant on a new signalling connection.
//!
//! The order is the contract's: `reconnect` first, then everyone (oneself included) and the
//! room, then ICE restarts: the subscriber's connection by our offer with new credentials, the
//! publisher's by the client's. `sync_state` says what the client believes: tracks that we do
//! not know mean that it has to start over.

use crate::context::Context;
use crate::input::{Join, SessionId};
use crate::joining::server_info;
use crate::output::CloseHow;
use crate::participant::Simulation;
use crate::room::{Member, Room};
use crate::subscribing::Setting;
use livekit_protocol as proto;
use proto::signal_response::Message;
use proto::{DisconnectReason, VideoQuality, leave_request::Action};

impl Room {
    /// A known participant is back.
    pub(crate) fn resume(&mut self, ctx: &mut Context<'_>, member: Member, join: Join) {
        let session = join.session;
        if self.drops_this_resume(ctx, member) {
            ctx.close(session, CloseHow::Abrupt);
            return;
        }
        let Some(participant) = self.members.get_mut(&member) else {
            return;
        };
        let old = participant.session.replace(session);
        participant.signal_lost_by = None;
        participant.refresh_at = Some(ctx.now);
        self.volatile.changed = true;
        if let Some(old) = old {
            ctx.close(old, CloseHow::Normal);
        }
        let last_message_seq = participant.reliable_sequence;
        let reconnect = proto::ReconnectResponse {
            server_info: Some(server_info(ctx)),
            last_message_seq,
            ..proto::ReconnectResponse::default()
        };
        ctx.send(session, Message::Reconnect(reconnect));
        let participants = self
            .members
            .iter()
            .filter(|(other, one)| **other == member || !one.permission.hidden)
            .filter_map(|(&other, _)| self.participant_info(other))
            .collect();
        let update = proto::ParticipantUpdate { participants };
        ctx.send(session, Message::Update(update));
        let room = Some(self.info());
        ctx.send(session, Message::RoomUpdate(proto::RoomUpdate { room }));
        self.refresh_token_if_due(ctx, member);
        self.forget_negotiations_under_way(member);
        for track in self.tracks_of(member).map(|(id, _)| id).collect::<Vec<_>>() {
            self.repeat_demand(ctx, track);
        }
        if let Some(state) = join.parameters.sync_state {
            self.sync_state(ctx, member, &state);
        }
        if let Some(offer) = join.parameters.publisher_offer {
            self.handle_offer(ctx, member, &offer);
        }
        self.drop_after_resume(ctx, member, session);
    }

    /// `sync_state`.
    pub(crate) fn sync_state(
        &mut self,
        ctx: &mut Context<'_>,
        member: Member,
        state: &proto::SyncState,
    ) {
        let known = |published: &proto::TrackPublishedResponse| {
            published.track.as_ref().is_some_and(|track| {
                self.tracks_of(member)
                    .any(|(_, own)| own.info.sid == track.sid)
            })
        };
        if !state.publish_tracks.iter().all(known) {
            ctx.count("state_mismatch");
            self.remove(
                ctx,
                member,
                DisconnectReason::StateMismatch,
                Some(Action::Reconnect),
            );
            return;
        }
        let disabled = Setting {
            disabled: true,
            quality: VideoQuality::High as i32,
            width: 0,
            height: 0,
            fps: 0,
            priority: 0,
        };
        for sid in &state.track_sids_disabled {
            self.set_track(ctx, member, sid, disabled);
        }
        if let Some(subscription) = &state.subscription {
            self.choose(
                ctx,
                member,
                &subscription.track_sids,
                &subscription.participant_tracks,
                subscription.subscribe,
            );
        }
        self.replay_unseen(ctx, member, &state.datachannel_receive_states);
    }

    /// The signalling connection is gone: media goes on, and the participant has a while to
    /// come back.
    pub(crate) fn session_lost(&mut self, ctx: &Context<'_>, member: Member, session: SessionId) {
        let Some(participant) = self.members.get_mut(&member) else {
            return;
        };
        if participant.session != Some(session) {
            return;
        }
        participant.session = None;
        participant.refresh_at = None;
        participant.signal_lost_by = Some(ctx.signal_lost_by());
        self.volatile.changed = true;
    }

    /// A simulated failure: this resume is dropped before anything is sent.
    fn drops_this_resume(&mut self, ctx: &Context<'_>, member: Member) -> bool {
        let Some(participant) = self.members.get_mut(&member) else {
            return false;
        };
        match participant.simulation.take() {
            Some(Simulation::BeforeResume(until, left)) if ctx.now < until && left > 0 => {
                participant.simulation = Some(Simulation::BeforeResume(until, left - 1));
                true
            }
            other => {
                participant.simulation = other;
                false
            }
        }
    }

    fn drop_after_resume(&mut self, ctx: &mut Context<'_>, member: Member, session: SessionId) {
        let Some(participant) = self.members.get_mut(&member) else {
            return;
        };
        if let Some(Simulation::AfterResume(until)) = participant.simulation {
            participant.simulation = None;
            if ctx.now < until {
                ctx.close(session, CloseHow::Abrupt);
                self.session_lost(ctx, member, session);
            }
        }
    }
}
