//! Letting someone in.

use crate::context::Context;
use crate::input::{Claims, Join, JoinParameters, SessionId};
use crate::limits;
use crate::negotiation::Role;
use crate::output::Refusal;
use crate::participant::{Client, Participant, Webrtc, kind_from_claims};
use crate::permission::Permission;
use crate::publishing::publish_codecs;
use crate::quality::QualityState;
use crate::room::{Member, Room};
use bedside_protocol::{Phi, WorkerId};
use livekit_protocol as proto;
use proto::signal_response::Message;
use proto::{DisconnectReason, leave_request::Action};
use std::collections::BTreeMap;

/// Checks a token's claims and a join's parameters on their own, without any room.
pub(crate) fn check_claims(
    claims: &Claims,
    parameters: &JoinParameters,
) -> Result<Permission, Refusal> {
    let refuse = |status, reason: &str| {
        Err(Refusal {
            status,
            reason: reason.to_owned(),
        })
    };
    let Some(grant) = claims.video.as_ref().filter(|grant| grant.room_join) else {
        return refuse(
            401,
            "permissions denied: the token does not allow joining a room",
        );
    };
    if grant.room.is_empty() {
        return refuse(400, "the token names no room");
    }
    if claims.subject().is_empty() {
        return refuse(400, "the token names no identity");
    }
    let names = [grant.room.as_str(), claims.subject(), claims.name.as_str()];
    if names.iter().any(|name| name.len() > limits::NAME_BYTES_MAX) {
        return refuse(400, "a name in the token is too long");
    }
    let permission = Permission::from_grant(grant);
    let (metadata, attributes) = described(claims, parameters, &permission);
    if metadata.len() > limits::METADATA_BYTES_MAX {
        return refuse(400, "the metadata is too long");
    }
    if !attributes_fit(&attributes) {
        return refuse(400, "the attributes are too long");
    }
    Ok(permission)
}

/// Whether attributes are within their bounds.
pub(crate) fn attributes_fit(attributes: &BTreeMap<String, String>) -> bool {
    let bytes: usize = attributes
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum();
    attributes.len() <= limits::ATTRIBUTES_MAX && bytes <= limits::ATTRIBUTES_BYTES_MAX
}

/// Metadata and attributes: the token's, and the client's own where the token allows that.
fn described(
    claims: &Claims,
    parameters: &JoinParameters,
    permission: &Permission,
) -> (String, BTreeMap<String, String>) {
    let mut metadata = claims.metadata.clone();
    let mut attributes = claims.attributes.clone();
    if permission.update_own_metadata {
        if let Some(own) = parameters.metadata.as_ref().filter(|own| !own.is_empty()) {
            metadata.clone_from(own);
        }
        attributes.extend(parameters.attributes.clone());
    }
    (metadata, attributes)
}

/// How a participant comes: by signalling, or by one HTTP request.
pub(crate) enum Entrance {
    Session(SessionId),
    Webrtc(Webrtc),
}

impl Room {
    /// Puts a checked participant into the room, in place of one of the same identity.
    pub(crate) fn admit(
        &mut self,
        ctx: &mut Context<'_>,
        worker: WorkerId,
        claims: &Claims,
        parameters: &JoinParameters,
        permission: Permission,
        entrance: Entrance,
    ) -> Option<Member> {
        let client = Client::new(&parameters.client);
        let roles: &[Role] = if parameters.single_connection {
            &[Role::Single]
        } else {
            &[Role::Publisher, Role::Subscriber]
        };
        let links = roles
            .iter()
            .map(|&role| self.new_link(ctx, worker, role, &client))
            .collect::<Option<Vec<_>>>()?;
        if let Some(old) = self.member_called(claims.subject()) {
            self.remove(
                ctx,
                old,
                DisconnectReason::DuplicateIdentity,
                Some(Action::Disconnect),
            );
        }
        let (metadata, attributes) = described(claims, parameters, &permission);
        let (session, webrtc) = match entrance {
            Entrance::Session(session) => (Some(session), None),
            Entrance::Webrtc(webrtc) => (None, Some(webrtc)),
        };
        let participant = Participant {
            sid: ctx.random.sid("PA_"),
            identity: Phi::new(claims.subject().to_owned()),
            name: Phi::new(claims.name.clone()),
            metadata: Phi::new(metadata),
            attributes: Phi::new(attributes),
            kind: kind_from_claims(&claims.kind),
            claims: Phi::new(claims.clone()),
            joined_at: ctx.now,
            active: false,
            published_once: false,
            version: 0,
            auto_subscribe: parameters.auto_subscribe,
            subscriber_primary: !parameters.single_connection && permission.subscribe,
            permission,
            client,
            worker,
            links,
            choices: BTreeMap::new(),
            settings: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            subscription_permission: None,
            reliable_sequence: 0,
            webrtc,
            session,
            signal_lost_by: None,
            connect_by: Some(ctx.later(limits::CONNECT_US)),
            leave_by: None,
            refresh_at: session.map(|_| ctx.now),
            quality: QualityState::default(),
            simulation: None,
        };
        self.last_member = Member(self.last_member.0 + 1);
        let member = self.last_member;
        self.members.insert(member, participant);
        self.index_peers(member);
        self.note_joined(ctx.now);
        self.counts_changed(ctx);
        self.volatile.unsynced.insert(member);
        self.volatile.unnegotiated.insert(member);
        self.participant_changed(member);
        Some(member)
    }

    /// A participant's first messages: `join`, then what came with it, then SDP.
    pub(crate) fn welcome(&mut self, ctx: &mut Context<'_>, member: Member, join: Join) {
        let parameters = join.parameters;
        let response = self.join_response(ctx, member, join.session);
        ctx.send(join.session, Message::Join(response));
        self.refresh_token_if_due(ctx, member);
        self.update_subscriptions_of(ctx, member);
        for request in parameters
            .add_tracks
            .into_iter()
            .take(limits::PENDING_TRACKS_MAX)
        {
            self.add_track(ctx, member, request);
        }
        if let Some(offer) = parameters.publisher_offer {
            self.handle_offer(ctx, member, &offer);
        }
    }

    fn join_response(
        &self,
        ctx: &Context<'_>,
        member: Member,
        session: SessionId,
    ) -> proto::JoinResponse {
        debug_assert!(self.has_session(member, session));
        let participant = &self.members[&member];
        let other_participants = self
            .members
            .iter()
            .filter(|(other, one)| **other != member && !one.permission.hidden)
            .filter_map(|(&other, _)| self.participant_info(other))
            .collect();
        let server_info = server_info(ctx);
        proto::JoinResponse {
            room: Some(self.info()),
            participant: self.participant_info(member),
            other_participants,
            server_version: server_info.version.clone(),
            subscriber_primary: participant.subscriber_primary,
            ping_timeout: limits::PING_TIMEOUT_S,
            ping_interval: limits::PING_INTERVAL_S,
            server_info: Some(server_info),
            enabled_publish_codecs: publish_codecs(&ctx.config.video_codecs),
            fast_publish: participant.permission.publish,
            ..proto::JoinResponse::default()
        }
    }
}

/// What clients are told of this server. They compare the version with those of LiveKit's server
/// to learn what works (RPC needs 1.8.0), so it says which one this server can stand in for.
pub(crate) fn server_info(ctx: &Context<'_>) -> proto::ServerInfo {
    proto::ServerInfo {
        edition: proto::server_info::Edition::Standard as i32,
        version: COMPATIBLE_VERSION.to_owned(),
        protocol: PROTOCOL,
        node_id: ctx.config.node_id.clone(),
        debug_info: format!("bedside {}", ctx.config.version),
        ..proto::ServerInfo::default()
    }
}

/// The LiveKit server whose behaviour was read for this one.
const COMPATIBLE_VERSION: &str = "1.13.5";

/// LiveKit's protocol as far as it is spoken here (its version 16 brought single-connection
/// mode).
const PROTOCOL: i32 = 16;
