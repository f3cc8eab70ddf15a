//! A participant's requests.

use crate::context::Context;
use crate::input::SessionId;
use crate::joining::attributes_fit;
use crate::limits;
use crate::participant::Simulation;
use crate::room::{Member, Room};
use livekit_protocol as proto;
use proto::request_response::{Reason, Request};
use proto::signal_request::Message as Ask;
use proto::signal_response::Message;
use proto::simulate_scenario::Scenario;
use proto::{DisconnectReason, leave_request::Action};
use std::collections::BTreeMap;

impl Room {
    /// A request on a participant's signalling connection. What is unknown is ignored.
    pub(crate) fn handle_signal(
        &mut self,
        ctx: &mut Context<'_>,
        member: Member,
        session: SessionId,
        request: Ask,
    ) {
        match request {
            Ask::Offer(offer) => self.handle_offer(ctx, member, &offer),
            Ask::Answer(answer) => self.handle_answer(ctx, member, &answer),
            Ask::Trickle(trickle) => Self::handle_trickle(ctx, &trickle),
            Ask::AddTrack(request) => self.add_track(ctx, member, request),
            Ask::Mute(mute) => self.mute(ctx, member, &mute.sid, mute.muted),
            Ask::Subscription(wanted) => {
                let (sids, tracks) = (&wanted.track_sids, &wanted.participant_tracks);
                self.choose(ctx, member, sids, tracks, wanted.subscribe);
            }
            Ask::TrackSetting(setting) => self.set_tracks(ctx, member, &setting),
            Ask::Leave(_) => self.remove(
                ctx,
                member,
                DisconnectReason::ClientInitiated,
                Some(Action::Disconnect),
            ),
            Ask::SubscriptionPermission(wanted) => {
                self.permit_subscriptions(ctx, member, wanted);
            }
            Ask::SyncState(state) => self.sync_state(ctx, member, &state),
            Ask::Simulate(simulate) => {
                if let Some(scenario) = simulate.scenario {
                    self.simulate(ctx, member, &scenario);
                }
            }
            // Milliseconds, unlike everything around it.
            Ask::Ping(_) => ctx.send(session, Message::Pong(ctx.now.ms())),
            Ask::PingReq(ping) => {
                let pong = proto::Pong {
                    last_ping_timestamp: ping.timestamp,
                    timestamp: ctx.now.ms(),
                };
                ctx.send(session, Message::PongResp(pong));
            }
            Ask::UpdateMetadata(update) => self.update_own_metadata(ctx, member, update),
            Ask::UpdateAudioTrack(mut update) => {
                update.features.truncate(limits::TRACK_DETAILS_MAX);
                self.update_track(ctx, member, &update.track_sid, |info| {
                    info.audio_features = update.features;
                });
            }
            Ask::UpdateVideoTrack(update) => {
                self.update_track(ctx, member, &update.track_sid, |info| {
                    (info.width, info.height) = (update.width, update.height);
                });
            }
            Ask::PublishDataTrackRequest(request) => {
                self.refuse(ctx, member, 0, Request::PublishDataTrack(request));
            }
            Ask::UnpublishDataTrackRequest(request) => {
                self.refuse(ctx, member, 0, Request::UnpublishDataTrack(request));
            }
            // Layers are told by `track_setting`; data blobs and data tracks are not offered.
            _ => {}
        }
    }

    /// Data tracks are not offered here; a client that asks learns so.
    fn refuse(&self, ctx: &mut Context<'_>, member: Member, request_id: u32, request: Request) {
        let response = proto::RequestResponse {
            request_id,
            reason: Reason::UnsupportedType as i32,
            message: "data tracks are not supported".to_owned(),
            request: Some(request),
        };
        self.send(ctx, member, Message::RequestResponse(response));
    }

    fn update_own_metadata(
        &mut self,
        ctx: &mut Context<'_>,
        member: Member,
        update: proto::UpdateParticipantMetadata,
    ) {
        let allowed = self
            .members
            .get(&member)
            .is_some_and(|participant| participant.permission.update_own_metadata);
        let (reason, message) = if !allowed {
            (
                Reason::NotAllowed,
                "may not change its own metadata".to_owned(),
            )
        } else if let Err(message) =
            self.describe(member, &update.name, &update.metadata, &update.attributes)
        {
            (Reason::LimitExceeded, message.to_owned())
        } else {
            (Reason::Ok, String::new())
        };
        if reason != Reason::Ok {
            ctx.count("update_metadata");
        }
        let response = proto::RequestResponse {
            request_id: update.request_id,
            reason: reason as i32,
            message,
            request: Some(Request::UpdateMetadata(update)),
        };
        self.send(ctx, member, Message::RequestResponse(response));
    }

    /// Changes what a participant says of itself. Empty fields change nothing; an attribute
    /// with an empty value goes away.
    pub(crate) fn describe<'a>(
        &mut self,
        member: Member,
        name: &str,
        metadata: &str,
        attributes: impl IntoIterator<Item = (&'a String, &'a String)>,
    ) -> Result<(), &'static str> {
        let Some(participant) = self.members.get_mut(&member) else {
            return Ok(());
        };
        let mut merged: BTreeMap<String, String> = participant.attributes.expose().clone();
        for (key, value) in attributes {
            if value.is_empty() {
                merged.remove(key);
            } else {
                merged.insert(key.clone(), value.clone());
            }
        }
        if name.len() > limits::NAME_BYTES_MAX {
            return Err("the name is too long");
        }
        if metadata.len() > limits::METADATA_BYTES_MAX {
            return Err("the metadata is too long");
        }
        if !attributes_fit(&merged) {
            return Err("the attributes are too long");
        }
        if !name.is_empty() {
            participant.name = bedside_protocol::Phi::new(name.to_owned());
        }
        if !metadata.is_empty() {
            participant.metadata = bedside_protocol::Phi::new(metadata.to_owned());
        }
        participant.attributes = bedside_protocol::Phi::new(merged);
        self.participant_changed(member);
        Ok(())
    }

    /// Failures on request, for clients' own test suites. They concern only who asks.
    fn simulate(&mut self, ctx: &mut Context<'_>, member: Member, scenario: &Scenario) {
        let Some(participant) = self.members.get_mut(&member) else {
            return;
        };
        let until = ctx.later(limits::SIMULATION_US);
        match scenario {
            Scenario::LeaveRequestFullReconnect(_) => self.remove(
                ctx,
                member,
                DisconnectReason::UnknownReason,
                Some(Action::Reconnect),
            ),
            Scenario::ServerLeave(_) => self.remove(
                ctx,
                member,
                DisconnectReason::ServerShutdown,
                Some(Action::Disconnect),
            ),
            Scenario::NodeFailure(_) | Scenario::Migration(_) => {
                self.remove(ctx, member, DisconnectReason::Migration, None);
            }
            Scenario::DisconnectSignalOnResume(_) => {
                participant.simulation = Some(Simulation::AfterResume(until));
            }
            Scenario::DisconnectSignalOnResumeNoMessages(_) => {
                participant.simulation = Some(Simulation::BeforeResume(until, 3));
            }
            // All candidates are offered at once: there is nothing to switch.
            Scenario::SwitchCandidateProtocol(_)
            | Scenario::SubscriberBandwidth(_)
            | Scenario::SpeakerUpdate(_) => {}
        }
    }
}
