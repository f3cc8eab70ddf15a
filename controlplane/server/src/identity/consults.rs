//! `/api/consults`: what the clinic page shows and does. A clinician sees the consults that they
//! opened, invites to them, joins them, ends them.

use super::{Principal, events};
use crate::Error;
use crate::admin::{LinkReport, LinkRequest, Role as LinkRole};
use crate::app::{App, Stopped};
use crate::authorize::Routes;
use crate::breakglass;
use crate::limits::{
    API_BODY_BYTES_MAX, CONSULTS_LISTED_MAX, DISPLAY_NAME_CHARACTERS_MAX, INVITATION_LIFETIME_S,
};
use crate::links::{self, random_token};
use crate::store::breakglass::Entry;
use crate::store::consults::Consult;
use crate::store::now_s;
use crate::store::users::User;
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::response::{IntoResponse, Response};
use bedside_audit::{Action, Role};
use bedside_policy::Action as Asked;
use bedside_protocol::Phi;
use bedside_rooms::OperationError;
use http::header::HOST;
use http::{HeaderMap, Method, StatusCode};
use livekit_protocol as proto;
use serde::{Deserialize, Serialize};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .on(Method::GET, "/api/consults", Asked::OpenConsult, list)
        .on(Method::POST, "/api/consults", Asked::OpenConsult, open)
        .on(
            Method::GET,
            "/api/consults/{room}",
            Asked::ReadConsult,
            look,
        )
        .on(
            Method::DELETE,
            "/api/consults/{room}",
            Asked::EndConsult,
            end,
        )
        .on(
            Method::POST,
            "/api/consults/{room}/links",
            Asked::CreateLink,
            invite,
        )
        .on(Method::POST, "/api/consults/{room}/join", Asked::Join, join)
        .layer(DefaultBodyLimit::max(API_BODY_BYTES_MAX))
}

#[derive(Serialize)]
struct ConsultReport {
    room: String,
    label: String,
    opened_at: i64,
    /// People in it now.
    participants: u32,
}

async fn list(
    State(app): State<App>,
    principal: Principal,
) -> Result<Json<Vec<ConsultReport>>, Refused> {
    let user = clinician(&principal)?;
    let consults = app.store.consults_of(user, CONSULTS_LISTED_MAX).await?;
    let request = proto::ListRoomsRequest {
        names: consults
            .iter()
            .map(|consult| consult.room.clone())
            .collect(),
    };
    // Without names the rooms would list all of them.
    let open = if consults.is_empty() {
        Vec::new()
    } else {
        app.rooms
            .call(move |rooms, _| rooms.list_rooms(&request))
            .await?
            .rooms
    };
    let people = |room: &str| {
        let found = open.iter().find(|one| one.name == room);
        found.map_or(0, |one| one.num_participants)
    };
    let report = |consult: Consult| ConsultReport {
        participants: people(&consult.room),
        room: consult.room,
        label: consult.label.into_inner(),
        opened_at: consult.opened_s,
    };
    Ok(Json(consults.into_iter().map(report).collect()))
}

#[derive(Deserialize)]
struct OpenRequest {
    #[serde(default)]
    label: String,
}

async fn open(
    State(app): State<App>,
    principal: Principal,
    request: Result<Json<OpenRequest>, JsonRejection>,
) -> Result<Json<ConsultReport>, Refused> {
    let user = clinician(&principal)?;
    let Json(request) = request?;
    let label: String = request
        .label
        .trim()
        .chars()
        .take(DISPLAY_NAME_CHARACTERS_MAX)
        .collect();
    let consult = Consult {
        room: format!("consult-{}", &random_token()?[..ROOM_CHARACTERS]),
        label: Phi::new(label),
        opened_s: now_s(),
    };
    app.store.open_consult(&consult, user).await?;
    Ok(Json(ConsultReport {
        room: consult.room,
        label: consult.label.into_inner(),
        opened_at: consult.opened_s,
        participants: 0,
    }))
}

/// As `/api/link` answers for a link.
#[derive(Serialize)]
struct Invitation {
    role: &'static str,
    room_label: String,
    display_name: String,
}

async fn look(
    State(app): State<App>,
    principal: Principal,
    Path(room): Path<String>,
) -> Result<Json<Invitation>, Refused> {
    let (user, way_in) = way_in(&app, &principal, &room).await?;
    Ok(Json(Invitation {
        role: Role::Clinician.name(),
        room_label: match way_in {
            WayIn::Own(consult) => consult.label.into_inner(),
            WayIn::Emergency(_) => String::new(),
        },
        display_name: user.display_name.into_inner(),
    }))
}

async fn end(
    State(app): State<App>,
    principal: Principal,
    Path(room): Path<String>,
) -> Result<StatusCode, Refused> {
    let (_, consult) = own(&app, &principal, &room).await?;
    // First the ways in, then whoever is in.
    app.store.end_consult(&consult.room).await?;
    let mut event = events::event(Action::LinkEnd, principal.actor(Some(Role::Clinician)));
    event.room = Some(Phi::new(consult.room.clone()));
    event.reason = Some("consult_ended");
    app.ledger.note(event);
    let request = proto::DeleteRoomRequest { room: consult.room };
    let deleted = app
        .rooms
        .call(move |rooms, now| rooms.delete_room(now, &request))
        .await?;
    match deleted {
        // Nobody is in it.
        Ok(_) | Err(OperationError::NotFound(_)) => Ok(StatusCode::NO_CONTENT),
        Err(_) => Err(Refused::Unavailable),
    }
}

async fn invite(
    State(app): State<App>,
    principal: Principal,
    Path(room): Path<String>,
) -> Result<Json<LinkReport>, Refused> {
    let (_, consult) = own(&app, &principal, &room).await?;
    let label = consult.label.into_inner();
    let request = LinkRequest {
        room: consult.room,
        role: LinkRole::Patient,
        display_name: None,
        room_label: (!label.is_empty()).then_some(label),
        valid_s: INVITATION_LIFETIME_S,
    };
    let actor = principal.actor(Some(Role::Clinician));
    Ok(Json(
        links::create(&app, app.identity.url(), request, actor).await?,
    ))
}

/// As `/api/join` answers for a link.
#[derive(Serialize)]
struct Admission {
    url: String,
    token: String,
    identity: String,
    role: &'static str,
}

async fn join(
    State(app): State<App>,
    principal: Principal,
    Path(room): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Admission>, Refused> {
    let (user, way_in) = way_in(&app, &principal, &room).await?;
    let host = headers
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .ok_or(Refused::NotAllowed)?;
    let token = match way_in {
        WayIn::Own(consult) => links::access_token(
            &app,
            &consult.room,
            Role::Clinician,
            (&principal, user.id.as_str()),
            user.display_name.clone().into_inner(),
        ),
        WayIn::Emergency(entry) => breakglass::token(&app, &entry, &user, &principal),
    };
    Ok(Json(Admission {
        url: format!("wss://{host}"),
        token: token.ok_or(Refused::Unavailable)?,
        identity: user.id,
        role: Role::Clinician.name(),
    }))
}

/// The id of a clinician with an open session.
fn clinician(principal: &Principal) -> Result<&str, Refused> {
    let id = principal
        .id
        .as_ref()
        .filter(|_| principal.session.is_some());
    let id = id
        .filter(|_| !principal.locked)
        .ok_or(Refused::LogInFirst)?;
    if !principal.has(Role::Clinician) {
        return Err(Refused::NotAllowed);
    }
    Ok(id.expose())
}

/// The caller and their consult. Whose a room is, and whether there is one, is told to nobody else.
async fn own(app: &App, principal: &Principal, room: &str) -> Result<(User, Consult), Refused> {
    let id = clinician(principal)?;
    let consult = app.store.consult_of(room, id).await?;
    let user = app.store.user(id).await?;
    user.zip(consult).ok_or(Refused::NotAllowed)
}

/// What lets a clinician into a consult.
enum WayIn {
    /// They opened it.
    Own(Consult),
    /// An emergency, until the entry ends.
    Emergency(Entry),
}

/// The caller, and by what they come into the consult.
async fn way_in(app: &App, principal: &Principal, room: &str) -> Result<(User, WayIn), Refused> {
    let id = clinician(principal)?;
    let user = app.store.user(id).await?.ok_or(Refused::NotAllowed)?;
    if let Some(consult) = app.store.consult_of(room, id).await? {
        return Ok((user, WayIn::Own(consult)));
    }
    let entry = app.store.open_entry(id, room).await?;
    let entry = entry.ok_or(Refused::NotAllowed)?;
    Ok((user, WayIn::Emergency(entry)))
}

/// Why not; the page has words for each code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Refused {
    LogInFirst,
    NotAllowed,
    BadRequest,
    Unavailable,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        tracing::error!(%error, "a consult of the clinic page could not be looked up or changed");
        Self::Unavailable
    }
}

impl From<Stopped> for Refused {
    fn from(Stopped: Stopped) -> Self {
        Self::Unavailable
    }
}

impl From<JsonRejection> for Refused {
    fn from(_: JsonRejection) -> Self {
        Self::BadRequest
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (status, error, message) = match self {
            Self::LogInFirst => (StatusCode::UNAUTHORIZED, "log_in_first", "log in first"),
            Self::NotAllowed => (
                StatusCode::FORBIDDEN,
                "not_allowed",
                "this is not a consult that you opened, or it has ended",
            ),
            Self::BadRequest => (
                StatusCode::BAD_REQUEST,
                "not_allowed",
                "this is not a request of the clinic page",
            ),
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "server_unavailable",
                "try again in a moment",
            ),
        };
        let words = serde_json::json!({ "error": error, "message": message });
        (status, Json(words)).into_response()
    }
}

/// Of randomness in a room's name: 132 bits.
const ROOM_CHARACTERS: usize = 22;
