//! LiveKit's `RoomService` over Twirp (protocol version 7): what LiveKit's server SDKs and its
//! command line call.
//!
//! `POST /twirp/livekit.RoomService/METHOD` with a protobuf or JSON body, by `Content-Type`; the
//! answer is of the same kind. A token with the right grant is needed for each method.

mod json;
mod problem;

use crate::app::App;
use crate::authorize::{Asking, Routes, by_token};
use crate::evidence::access;
use crate::http::cors;
use crate::identity::Principal;
use crate::limits::TWIRP_BODY_BYTES_MAX;
use crate::links;
use crate::signal::wire;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use bedside_policy::{Action, Resource};
use bedside_protocol::Phi;
use bedside_rooms::{OperationError, Rooms, Time, VideoGrant};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Method};
use json::Answer;
use livekit_protocol as proto;
use problem::Problem;
use prost::Message;
use serde::de::DeserializeOwned;

pub(crate) fn routes() -> Routes {
    METHODS
        .iter()
        .fold(Routes::new(), |routes, &(path, action)| {
            routes.asking_any(path, action, call)
        })
        .asking_any("/twirp/{*method}", Action::OpenPage, no_such_method)
        .layer(axum::middleware::from_fn(cors))
}

/// The methods, and what each is.
const METHODS: [(&str, Action); 14] = [
    ("/twirp/livekit.RoomService/CreateRoom", Action::OpenConsult),
    ("/twirp/livekit.RoomService/DeleteRoom", Action::EndConsult),
    ("/twirp/livekit.RoomService/ListRooms", Action::ListConsults),
    (
        "/twirp/livekit.RoomService/ListParticipants",
        Action::ReadConsult,
    ),
    (
        "/twirp/livekit.RoomService/GetParticipant",
        Action::ReadConsult,
    ),
    (
        "/twirp/livekit.RoomService/RemoveParticipant",
        Action::Moderate,
    ),
    (
        "/twirp/livekit.RoomService/MutePublishedTrack",
        Action::Moderate,
    ),
    (
        "/twirp/livekit.RoomService/UpdateParticipant",
        Action::Moderate,
    ),
    (
        "/twirp/livekit.RoomService/UpdateSubscriptions",
        Action::Moderate,
    ),
    ("/twirp/livekit.RoomService/SendData", Action::Moderate),
    (
        "/twirp/livekit.RoomService/UpdateRoomMetadata",
        Action::Moderate,
    ),
    (
        "/twirp/livekit.RoomService/ForwardParticipant",
        Action::Moderate,
    ),
    (
        "/twirp/livekit.RoomService/MoveParticipant",
        Action::Moderate,
    ),
    ("/twirp/livekit.RoomService/PerformRpc", Action::Moderate),
];

async fn no_such_method(request: Request) -> Response {
    let (parts, _) = request.into_parts();
    Problem::bad_route(&parts, "there is no such method").into_response()
}

async fn call(State(app): State<App>, asking: Asking, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let answer = async {
        let method = parts
            .uri
            .path()
            .rsplit('/')
            .next()
            .filter(|_| parts.method == Method::POST)
            .ok_or_else(|| Problem::bad_route(&parts, "there is no such method"))?;
        let encoding = Encoding::of(&parts)?;
        let (principal, claims) = by_token(&app, &parts)
            .inspect_err(|refusal| access::token_refused(&app, &parts, refusal))?;
        let actor = principal.actor(None);
        let body = to_bytes(body, TWIRP_BODY_BYTES_MAX).await.map_err(|_| {
            Problem::new("malformed", "the body is too long or did not arrive whole")
        })?;
        let exchange = Exchange {
            app: app.clone(),
            asking,
            principal,
            grant: claims.video.unwrap_or_default(),
            encoding,
            body,
        };
        let room = exchange.grant.room.clone();
        let answer = exchange.run(method, &parts).await;
        let known = METHODS.iter().map(|(path, _)| *path);
        let known = known.filter_map(|path| path.strip_prefix(SERVICE));
        if let Some(method) = known.into_iter().find(|known| *known == method) {
            let result = answer.as_ref().map(|_| ()).map_err(Problem::outcome);
            app.ledger
                .note(access::api_call(actor, method, Some(room), result));
        }
        answer
    };
    answer.await.unwrap_or_else(Problem::into_response)
}

const SERVICE: &str = "/twirp/livekit.RoomService/";

/// How bodies are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Encoding {
    Protobuf,
    Json,
}

impl Encoding {
    fn of(parts: &Parts) -> Result<Self, Problem> {
        let media_type = parts
            .headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .unwrap_or_default()
            .trim();
        if media_type.eq_ignore_ascii_case("application/protobuf") {
            Ok(Self::Protobuf)
        } else if media_type.eq_ignore_ascii_case("application/json") {
            Ok(Self::Json)
        } else {
            Err(Problem::bad_route(
                parts,
                "Content-Type must be application/protobuf or application/json",
            ))
        }
    }

    /// Unknown fields are skipped by both.
    fn decode<T: Message + Default + DeserializeOwned>(self, body: &[u8]) -> Result<T, Problem> {
        let decoded = match self {
            Self::Protobuf if wire::is_bounded(body) => T::decode(body).ok(),
            Self::Json if wire::is_bounded_json(body) => serde_json::from_slice(body).ok(),
            _ => None,
        };
        decoded.ok_or_else(|| Problem::new("malformed", "the body is not such a request"))
    }

    fn encode<T: Message + Answer>(self, answer: &T) -> Response {
        let (kind, body) = match self {
            Self::Protobuf => ("application/protobuf", answer.encode_to_vec()),
            Self::Json => ("application/json", answer.json().to_string().into_bytes()),
        };
        ([(CONTENT_TYPE, HeaderValue::from_static(kind))], body).into_response()
    }
}

/// One request whose token is good.
struct Exchange {
    app: App,
    asking: Asking,
    principal: Principal,
    grant: VideoGrant,
    encoding: Encoding,
    body: Bytes,
}

impl Exchange {
    async fn run(self, method: &str, parts: &Parts) -> Result<Response, Problem> {
        match method {
            "CreateRoom" => {
                allow(self.grant.room_create, "roomCreate")?;
                let request: proto::CreateRoomRequest = self.read()?;
                self.may(Resource::Installation).await?;
                self.perform(|rooms, now| rooms.create_room(now, request))
                    .await
            }
            "DeleteRoom" => {
                allow(self.grant.room_create, "roomCreate")?;
                let request: proto::DeleteRoomRequest = self.read()?;
                self.may(consult(&request.room)).await?;
                self.perform(move |rooms, now| rooms.delete_room(now, &request))
                    .await
            }
            "ListRooms" => {
                allow(self.grant.room_list, "roomList")?;
                let request: proto::ListRoomsRequest = self.read()?;
                self.may(Resource::Installation).await?;
                self.perform(move |rooms, _| Ok(rooms.list_rooms(&request)))
                    .await
            }
            "ListParticipants" => {
                let request: proto::ListParticipantsRequest = self.read()?;
                self.administers(&request.room).await?;
                self.perform(move |rooms, _| rooms.list_participants(&request))
                    .await
            }
            "GetParticipant" => {
                let request: proto::RoomParticipantIdentity = self.read()?;
                self.administers(&request.room).await?;
                self.perform(move |rooms, _| rooms.get_participant(&request))
                    .await
            }
            "RemoveParticipant" => {
                let request: proto::RoomParticipantIdentity = self.read()?;
                self.administers(&request.room).await?;
                let actor = self.principal.actor(None);
                let removed = links::remove_participant(&self.app, actor, request).await?;
                Ok(self.encoding.encode(&removed))
            }
            "MutePublishedTrack" => {
                let request: proto::MuteRoomTrackRequest = self.read()?;
                self.administers(&request.room).await?;
                self.perform(move |rooms, now| rooms.mute_published_track(now, &request))
                    .await
            }
            "UpdateParticipant" => {
                let request: proto::UpdateParticipantRequest = self.read()?;
                self.administers(&request.room).await?;
                self.perform(|rooms, now| rooms.update_participant(now, request))
                    .await
            }
            "UpdateSubscriptions" => {
                let request: proto::UpdateSubscriptionsRequest = self.read()?;
                self.administers(&request.room).await?;
                self.perform(move |rooms, now| rooms.update_subscriptions(now, &request))
                    .await
            }
            "SendData" => {
                let request: proto::SendDataRequest = self.read()?;
                self.administers(&request.room).await?;
                self.perform(|rooms, now| rooms.send_data(now, request))
                    .await
            }
            "UpdateRoomMetadata" => {
                let request: proto::UpdateRoomMetadataRequest = self.read()?;
                self.administers(&request.room).await?;
                self.perform(|rooms, now| rooms.update_room_metadata(now, request))
                    .await
            }
            "ForwardParticipant" | "MoveParticipant" | "PerformRpc" => Err(Problem::new(
                "unimplemented",
                "this server does not do that",
            )),
            _ => Err(Problem::bad_route(parts, "there is no such method")),
        }
    }

    fn read<T: Message + Default + DeserializeOwned>(&self) -> Result<T, Problem> {
        self.encoding.decode(&self.body)
    }

    /// What the token grants, and what the policies allow to whoever has it.
    async fn administers(&self, room: &str) -> Result<(), Problem> {
        let granted = self.grant.room_admin && !room.is_empty() && self.grant.room == room;
        allow(granted, "roomAdmin for this room")?;
        self.may(consult(room)).await
    }

    async fn may(&self, resource: Resource) -> Result<(), Problem> {
        let decided = self
            .asking
            .decide(&self.app, &self.principal, resource)
            .await;
        decided.map(|_| ()).map_err(Problem::from)
    }

    async fn perform<T: Message + Answer + 'static>(
        self,
        operation: impl FnOnce(&mut Rooms, Time) -> Result<T, OperationError> + Send + 'static,
    ) -> Result<Response, Problem> {
        let answer = self.app.rooms.call(operation).await??;
        Ok(self.encoding.encode(&answer))
    }
}

fn consult(room: &str) -> Resource {
    Resource::Consult(Phi::new(room.to_owned()))
}

fn allow(granted: bool, grant: &str) -> Result<(), Problem> {
    if granted {
        return Ok(());
    }
    Err(Problem::new(
        "permission_denied",
        format!("the token does not grant {grant}"),
    ))
}

#[cfg(test)]
mod tests;
