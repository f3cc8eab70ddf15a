//! What can be asked on the admin socket.

use super::Admin;
use super::api_keys;
use super::types::{
    DataplaneReport, LinkReport, LinkRequest, MuteRequest, ParticipantReport, Problem, RoomReport,
    StatusReport, TokenReport, TokenRequest, TokenRole, TrackReport,
};
use crate::Error;
use crate::app::Stopped;
use crate::authorize::{Asking, Denied, Routes};
use crate::dataplane::DataplaneStatus;
use crate::evidence::access;
use crate::identity::Principal;
use crate::inventory::Inventory;
use crate::limits::{ADMIN_VALIDITY_S_MAX, API_BODY_BYTES_MAX};
use crate::links::{self, Removal};
use crate::{breakglass, revocation};
use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use bedside_policy::{Action, Resource};
use bedside_protocol::Phi;
use bedside_rooms::{Claims, Connection, OperationError, VideoGrant};
use http::{Method, StatusCode};
use livekit_protocol as proto;
use std::collections::BTreeMap;
use std::time::Duration;

pub(crate) fn routes() -> Routes<Admin> {
    Routes::new()
        .on(Method::GET, "/status", Action::ReadStatus, status)
        .on(Method::GET, "/inventory", Action::ReadStatus, inventory)
        .on(Method::GET, "/rooms", Action::ListConsults, rooms)
        .on(Method::GET, "/rooms/{room}", Action::ReadConsult, room)
        .on(
            Method::DELETE,
            "/rooms/{room}",
            Action::EndConsult,
            delete_room,
        )
        .on(
            Method::GET,
            "/rooms/{room}/participants",
            Action::ReadConsult,
            participants,
        )
        .on(
            Method::DELETE,
            "/rooms/{room}/participants/{identity}",
            Action::Moderate,
            remove,
        )
        .on(
            Method::POST,
            "/rooms/{room}/participants/{identity}/mute",
            Action::Moderate,
            mute,
        )
        .on(Method::POST, "/links", Action::CreateLink, link)
        .on(Method::POST, "/tokens", Action::CreateToken, token)
        .on(Method::GET, "/api-keys", Action::ListKeys, api_keys::list)
        .on(Method::POST, "/api-keys", Action::ChangeKeys, api_keys::add)
        .on(
            Method::DELETE,
            "/api-keys/{name}",
            Action::ChangeKeys,
            api_keys::remove,
        )
        .on(
            Method::POST,
            "/api-keys/{name}/rotate",
            Action::ChangeKeys,
            api_keys::rotate,
        )
        .merge(super::audit::routes())
        .merge(crate::records::routes())
        .merge(revocation::admin_routes())
        .merge(breakglass::admin_routes())
}

pub(super) fn router(admin: Admin) -> Router {
    routes()
        .into_router()
        .fallback(async || Refused(StatusCode::NOT_FOUND, "no such operation".to_owned()))
        .layer(DefaultBodyLimit::max(API_BODY_BYTES_MAX))
        .with_state(admin)
}

/// An answer that is not 2xx.
pub(super) struct Refused(pub(super) StatusCode, pub(super) String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(Problem { message: self.1 })).into_response()
    }
}

impl From<Denied> for Refused {
    fn from(denied: Denied) -> Self {
        let refusal = bedside_rooms::Refusal::from(denied);
        let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::FORBIDDEN);
        Self(status, refusal.reason)
    }
}

impl From<Stopped> for Refused {
    fn from(Stopped: Stopped) -> Self {
        Self(
            StatusCode::SERVICE_UNAVAILABLE,
            "the control plane is stopping".to_owned(),
        )
    }
}

impl From<OperationError> for Refused {
    fn from(error: OperationError) -> Self {
        let status = match error {
            OperationError::NotFound(_) => StatusCode::NOT_FOUND,
            OperationError::InvalidArgument(_) => StatusCode::BAD_REQUEST,
            OperationError::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::CONFLICT,
        };
        Self(status, error.to_string())
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        let status = match error {
            Error::Request(_) => StatusCode::BAD_REQUEST,
            Error::Unwritable(_) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self(status, error.to_string())
    }
}

impl From<Removal> for Refused {
    fn from(removal: Removal) -> Self {
        match removal {
            Removal::Error(error) => error.into(),
            Removal::Refused(error) => error.into(),
            Removal::Stopped => Stopped.into(),
        }
    }
}

impl From<JsonRejection> for Refused {
    fn from(rejection: JsonRejection) -> Self {
        Self(StatusCode::BAD_REQUEST, rejection.body_text())
    }
}

pub(super) type Answer<T> = Result<Json<T>, Refused>;

async fn status(State(admin): State<Admin>) -> Answer<StatusReport> {
    let status = admin.app.rooms.call(|rooms, _| rooms.status()).await?;
    let dataplane = match &*admin.app.dataplane.borrow() {
        DataplaneStatus::Connected {
            boot,
            engine,
            workers,
            ..
        } => DataplaneReport {
            connected: true,
            problem: None,
            boot: Some(boot.to_string()),
            engine: Some(engine.clone()),
            workers: workers
                .iter()
                .map(|addresses| addresses.iter().map(ToString::to_string).collect())
                .collect(),
        },
        DataplaneStatus::Disconnected(problem) => DataplaneReport {
            problem: Some(problem.clone()),
            ..DataplaneReport::default()
        },
    };
    Ok(Json(StatusReport {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        uptime_s: admin.started.elapsed().as_secs(),
        listen: admin.listen.iter().map(ToString::to_string).collect(),
        dataplane,
        rooms: status.rooms,
        participants: status.participants,
        sessions: status.sessions,
        tracks: status.tracks,
        subscriptions: status.subscriptions,
        events_lost: status.events_lost,
        refused: status.refused,
        emergency_reviews_open: admin.app.store.unreviewed_entries().await?,
        profile: admin.config.profile.name().to_owned(),
        configuration: admin.config.hash(),
        policies: admin.app.policies.hash().to_owned(),
        certificate: admin.certificate_report(),
        agreements: admin.agreements_report(),
        audit: admin.audit_report(),
    }))
}

async fn inventory(State(admin): State<Admin>) -> Answer<Inventory> {
    Ok(Json(Inventory::take(&admin).await?))
}

async fn rooms(State(admin): State<Admin>) -> Answer<Vec<RoomReport>> {
    let request = proto::ListRoomsRequest::default();
    let list = admin
        .app
        .rooms
        .call(move |rooms, _| rooms.list_rooms(&request))
        .await?;
    Ok(Json(list.rooms.iter().map(RoomReport::from).collect()))
}

async fn room(State(admin): State<Admin>, Path(name): Path<String>) -> Answer<RoomReport> {
    let list = proto::ListRoomsRequest {
        names: vec![name.clone()],
    };
    let request = proto::ListParticipantsRequest { room: name.clone() };
    let (rooms, participants, connections) = admin
        .app
        .rooms
        .call(move |rooms, _| {
            (
                rooms.list_rooms(&list),
                rooms.list_participants(&request),
                rooms.connections(&name),
            )
        })
        .await?;
    let participants = participants?.participants;
    let mut connections: BTreeMap<String, Connection> = connections?
        .into_iter()
        .map(|connection| (connection.participant_sid.clone(), connection))
        .collect();
    let room = rooms
        .rooms
        .first()
        .ok_or(OperationError::NotFound("the room"))?;
    Ok(Json(RoomReport {
        participants: Some(
            participants
                .iter()
                .map(|participant| ParticipantReport {
                    connection: connections.remove(&participant.sid),
                    ..ParticipantReport::from(participant)
                })
                .collect(),
        ),
        ..RoomReport::from(room)
    }))
}

async fn delete_room(
    State(admin): State<Admin>,
    Path(room): Path<String>,
) -> Result<StatusCode, Refused> {
    let request = proto::DeleteRoomRequest { room };
    admin
        .app
        .rooms
        .call(move |rooms, now| rooms.delete_room(now, &request))
        .await??;
    Ok(StatusCode::NO_CONTENT)
}

async fn participants(
    State(admin): State<Admin>,
    Path(room): Path<String>,
) -> Answer<Vec<ParticipantReport>> {
    let request = proto::ListParticipantsRequest { room };
    let list = admin
        .app
        .rooms
        .call(move |rooms, _| rooms.list_participants(&request))
        .await??;
    Ok(Json(
        list.participants
            .iter()
            .map(ParticipantReport::from)
            .collect(),
    ))
}

async fn remove(
    State(admin): State<Admin>,
    principal: Principal,
    Path((room, identity)): Path<(String, String)>,
) -> Result<StatusCode, Refused> {
    let request = proto::RoomParticipantIdentity {
        room,
        identity,
        ..Default::default()
    };
    let actor = principal.actor(None);
    links::remove_participant(&admin.app, actor, request).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn mute(
    State(admin): State<Admin>,
    Path((room, identity)): Path<(String, String)>,
    request: Result<Json<MuteRequest>, JsonRejection>,
) -> Answer<Vec<TrackReport>> {
    let Json(request) = request?;
    let tracks = admin
        .app
        .rooms
        .call(move |rooms, now| {
            let who = proto::RoomParticipantIdentity {
                room: room.clone(),
                identity: identity.clone(),
                ..Default::default()
            };
            let published = rooms.get_participant(&who)?.tracks;
            let wanted = |track: &proto::TrackInfo| {
                request.track.as_ref().is_none_or(|sid| *sid == track.sid)
            };
            let chosen: Vec<_> = published.into_iter().filter(wanted).collect();
            if chosen.is_empty() {
                return Err(OperationError::NotFound("the track"));
            }
            let mut muted = Vec::with_capacity(chosen.len());
            for track in chosen {
                let mute = proto::MuteRoomTrackRequest {
                    room: room.clone(),
                    identity: identity.clone(),
                    track_sid: track.sid,
                    muted: request.muted,
                };
                muted.extend(rooms.mute_published_track(now, &mute)?.track);
            }
            Ok(muted)
        })
        .await??;
    Ok(Json(tracks.iter().map(TrackReport::from).collect()))
}

async fn link(
    State(admin): State<Admin>,
    asking: Asking,
    principal: Principal,
    request: Result<Json<LinkRequest>, JsonRejection>,
) -> Answer<LinkReport> {
    let Json(request) = request?;
    let consult = Resource::Consult(Phi::new(request.room.clone()));
    asking.decide(&admin.app, &principal, consult).await?;
    Ok(Json(
        links::create(&admin.app, &admin.url(), request, principal.actor(None)).await?,
    ))
}

async fn token(
    State(admin): State<Admin>,
    principal: Principal,
    request: Result<Json<TokenRequest>, JsonRejection>,
) -> Answer<TokenReport> {
    let Json(request) = request?;
    if request.room.is_empty() || request.identity.is_empty() {
        let reason = "a token needs a room and an identity".to_owned();
        return Err(OperationError::InvalidArgument(reason).into());
    }
    if !(1..=ADMIN_VALIDITY_S_MAX).contains(&request.valid_s) {
        let reason = "a token may be valid for a second up to 366 days".to_owned();
        return Err(OperationError::InvalidArgument(reason).into());
    }
    let role = request.role;
    let mut event = access::event(bedside_audit::Action::TokenCreate, principal.actor(None));
    event.room = Some(Phi::new(request.room.clone()));
    event.facts.insert("valid_s", request.valid_s.into());
    event
        .detail
        .insert("identity", Phi::new(request.identity.clone()));
    // A token opens a door: it is in the log before anybody has it.
    admin
        .app
        .ledger
        .record(event)
        .await
        .map_err(|problem| Refused(StatusCode::SERVICE_UNAVAILABLE, problem.to_string()))?;
    let claims = Claims {
        iss: admin.app.tokens.first_key(),
        sub: request.identity,
        name: request.name.unwrap_or_default(),
        kind: if role == TokenRole::Agent {
            "agent".to_owned()
        } else {
            String::new()
        },
        video: Some(VideoGrant {
            room_join: true,
            room: request.room,
            room_admin: role == TokenRole::Administrator,
            can_publish: (role == TokenRole::Viewer).then_some(false),
            agent: role == TokenRole::Agent,
            ..VideoGrant::default()
        }),
        ..Claims::default()
    };
    let token = admin
        .app
        .tokens
        .sign(&claims, Duration::from_secs(request.valid_s))
        .ok_or_else(|| {
            Refused(
                StatusCode::CONFLICT,
                "there is no API key to sign with".to_owned(),
            )
        })?;
    Ok(Json(TokenReport {
        token,
        url: admin.url().replacen("https", "wss", 1),
    }))
}
