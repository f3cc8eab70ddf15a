//! One-time join links: `POST /api/link` looks, `POST /api/join` lets in.
//!
//! A link is `https://HOST/consult#TOKEN`. The token is in the fragment, so that no server and no
//! proxy ever sees it in a URL. Joining uses the link up and leaves a session cookie behind, with
//! which the same browser comes back after a reload, until the link's time is over.

mod rate;

pub(crate) use rate::RateLimit;

use crate::admin::{LinkReport, LinkRequest, Role as LinkRole};
use crate::app::{App, Stopped};
use crate::authorize::{Asking, Denied, Routes};
use crate::clock::since_epoch;
use crate::http::{cookie, is_same_origin};
use crate::identity::{Principal, events};
use crate::limits::{
    ADMIN_VALIDITY_S_MAX, API_BODY_BYTES_MAX, DISPLAY_NAME_CHARACTERS_MAX, JOIN_TOKEN_LIFETIME,
};
use crate::listener::PeerAddress;
use crate::store::access::Admission as Admitted;
use crate::store::links::{Digest, Link, LinkState};
use crate::telemetry::{Step, step};
use crate::{Error, dataplane::DataplaneStatus, waiting};
use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bedside_audit::{Action as Recorded, Actor, ActorKind, Outcome, Role};
use bedside_policy::{Action, Resource};
use bedside_protocol::Phi;
use bedside_rooms::limits::NAME_BYTES_MAX;
use bedside_rooms::{Claims, OperationError, VideoGrant};
use http::header::{HOST, ORIGIN, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use livekit_protocol as proto;
use serde::{Deserialize, Serialize};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .on(Method::POST, "/api/link", Action::OpenLink, look)
        .on(Method::POST, "/api/join", Action::Join, join)
        .layer(DefaultBodyLimit::max(API_BODY_BYTES_MAX))
}

/// Makes a link for `actor`; `url` is where the page is served. Recorded before it exists.
///
/// # Errors
/// [`Error::Database`], [`Error::Random`], [`Error::Unwritable`]; [`Error::Request`] for one that
/// makes no sense.
pub(crate) async fn create(
    app: &App,
    url: &str,
    request: LinkRequest,
    actor: Actor,
) -> Result<LinkReport, Error> {
    check(&request)?;
    let token = random_token()?;
    let identity = format!(
        "{}_{}",
        request.role.as_str(),
        &random_token()?[..IDENTITY_CHARACTERS]
    );
    let expires_at = since_epoch().as_secs().saturating_add(request.valid_s);
    let link = Link {
        room: request.room,
        role: request.role.as_str().to_owned(),
        identity,
        display_name: request.display_name,
        room_label: request.room_label,
        expires_s: i64::try_from(expires_at).unwrap_or(i64::MAX),
    };
    let digest = hash(&token);
    let mut event = events::event(Recorded::LinkCreate, actor);
    event.room = Some(Phi::new(link.room.clone()));
    event.patient = (request.role == LinkRole::Patient).then(|| Phi::new(link.identity.clone()));
    event.object = Some(events::link(&digest));
    event.facts.insert("role", link.role.as_str().into());
    event.facts.insert("expires_s", expires_at.into());
    app.ledger.record(event).await?;
    app.store.create_link(&digest, &link).await?;
    Ok(LinkReport {
        link: format!("{url}/consult#{token}"),
        expires_at,
    })
}

/// Sends a participant away and ends the links by which they could come back.
///
/// # Errors
/// [`Removal::Error`]: the database; [`Removal::Refused`]: no such room or participant.
pub(crate) async fn remove_participant(
    app: &App,
    actor: Actor,
    request: proto::RoomParticipantIdentity,
) -> Result<proto::RemoveParticipantResponse, Removal> {
    // First the way back in, then the person.
    app.store
        .end_links_of(&request.room, &request.identity)
        .await?;
    let mut event = events::event(Recorded::LinkEnd, actor);
    event.room = Some(Phi::new(request.room.clone()));
    event
        .detail
        .insert("identity", Phi::new(request.identity.clone()));
    app.ledger.note(event);
    let removed = app
        .rooms
        .call(move |rooms, now| rooms.remove_participant(now, &request));
    Ok(removed.await??)
}

fn check(request: &LinkRequest) -> Result<(), Error> {
    let refuse = |words: &str| Err(Error::Request(words.to_owned()));
    if request.room.is_empty() || request.room.len() > NAME_BYTES_MAX {
        return refuse("a link needs a room, whose name has at most 256 bytes");
    }
    let texts = [&request.display_name, &request.room_label];
    if texts
        .into_iter()
        .flatten()
        .any(|text| text.chars().count() > DISPLAY_NAME_CHARACTERS_MAX)
    {
        return refuse("a name or label may have at most 100 characters");
    }
    if !(1..=ADMIN_VALIDITY_S_MAX).contains(&request.valid_s) {
        return refuse("a link may be valid for a second up to 366 days");
    }
    Ok(())
}

#[derive(Deserialize)]
struct LookRequest {
    link: String,
}

#[derive(Serialize)]
struct Invitation {
    role: String,
    room_label: String,
    display_name: Option<String>,
    expires_at: i64,
    /// Looking never uses a link up: messengers fetch previews.
    consumed: bool,
}

async fn look(
    State(app): State<App>,
    Extension(limit): Extension<RateLimit>,
    Extension(peer): Extension<PeerAddress>,
    headers: HeaderMap,
    request: Result<Json<LookRequest>, JsonRejection>,
) -> Result<Json<Invitation>, Refused> {
    admit(&limit, peer, &headers)?;
    let Json(request) = request?;
    let link = open(step(Step::Store, app.store.look_up_link(&hash(&request.link))).await?)?;
    Ok(Json(Invitation {
        role: link.role,
        room_label: link.room_label.unwrap_or_default(),
        display_name: link.display_name,
        expires_at: link.expires_s,
        consumed: false,
    }))
}

#[derive(Deserialize)]
struct JoinRequest {
    link: Option<String>,
    #[serde(default)]
    display_name: String,
}

#[derive(Serialize)]
struct Admission {
    url: String,
    token: String,
    identity: String,
    role: String,
}

/// Answered with 202: the link is good, and somebody has to let its holder in.
#[derive(Serialize)]
struct Waits {
    waiting: bool,
}

async fn join(
    State(app): State<App>,
    asking: Asking,
    Extension(limit): Extension<RateLimit>,
    Extension(peer): Extension<PeerAddress>,
    caller: Principal,
    headers: HeaderMap,
    request: Result<Json<JoinRequest>, JsonRejection>,
) -> Result<Response, Refused> {
    admit(&limit, peer, &headers)?;
    let Json(request) = request?;
    let host = headers
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .ok_or(Refused::BadRequest)?;
    // A link that cannot be used now must not be used up.
    if matches!(*app.dataplane.borrow(), DataplaneStatus::Disconnected(_))
        || !app.ledger.is_writable()
    {
        return Err(Refused::ServerUnavailable);
    }
    let digest = match &request.link {
        Some(token) => hash(token),
        None => hash(cookie(&headers, SESSION_COOKIE).ok_or(Refused::SessionEnded)?),
    };
    let link = match &request.link {
        Some(_) => open(app.store.look_up_link(&digest).await?)
            .inspect_err(|refused| link_refused(&app, peer, &digest, *refused))?,
        None => match app.store.link_of_session(&digest).await? {
            LinkState::Open(link) => link,
            _ => return Err(Refused::SessionEnded),
        },
    };
    // Somebody of the workforce comes as themselves, invited by the link.
    let principal = if caller.kind == ActorKind::User {
        Principal {
            link: Some(Phi::new(Box::new(link.clone()))),
            ..caller
        }
    } else {
        Principal::of_link(link.clone(), &digest, Some(peer.0))
    };
    let must_wait = app.waiting.holds(&link)
        && app.store.admission(&link.identity).await? != Some(Admitted::Admitted);
    let question = if must_wait {
        asking.instead(Action::Wait)
    } else {
        asking
    };
    let consult = Resource::Consult(Phi::new(link.room.clone()));
    let policy = question.decide(&app, &principal, consult).await?;
    // Only now, so that a link which the policies refuse is not used up.
    let set_cookie = match &request.link {
        Some(_) => Some(use_up(&app, &principal, &digest, &link).await?),
        None => None,
    };
    let name = display_name(&request.display_name, &link);
    let mut response = if must_wait {
        match waiting::ask(&app, &principal, policy, &link, &name).await? {
            Admitted::TurnedAway => return Err(Refused::TurnedAway),
            _ => (StatusCode::ACCEPTED, Json(Waits { waiting: true })).into_response(),
        }
    } else {
        let identity = match &principal.id {
            Some(id) if principal.kind == ActorKind::User => {
                app.store.join_consult(&link.room, id.expose()).await?;
                id.expose().clone()
            }
            _ => link.identity.clone(),
        };
        let role = Role::named(&link.role).unwrap_or(Role::Patient);
        Json(Admission {
            url: format!("wss://{host}"),
            token: access_token(
                &app,
                &link.room,
                role,
                (&principal, identity.as_str()),
                name,
            )
            .ok_or(Refused::ServerUnavailable)?,
            identity,
            role: link.role,
        })
        .into_response()
    };
    if let Some(cookie) = set_cookie {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    Ok(response)
}

/// The request's session and its link, if that is good still.
pub(crate) async fn open_session(app: &App, headers: &HeaderMap) -> Option<(Digest, Link)> {
    let session = hash(cookie(headers, SESSION_COOKIE)?);
    match app.store.link_of_session(&session).await.ok()? {
        LinkState::Open(link) => Some((session, link)),
        _ => None,
    }
}

/// Uses a link up; the cookie that stands for it from now on.
async fn use_up(
    app: &App,
    principal: &Principal,
    link: &Digest,
    found: &Link,
) -> Result<HeaderValue, Refused> {
    let session = random_token()?;
    let digest = hash(&session);
    open(step(Step::Store, app.store.use_link(link, &digest)).await?).inspect_err(|refused| {
        let address = principal.address.map(PeerAddress);
        if let Some(address) = address {
            link_refused(app, address, link, *refused);
        }
    })?;
    let mut event = events::event(Recorded::LinkUse, principal.actor(None));
    event.object = Some(events::link(link));
    event.room = Some(Phi::new(found.room.clone()));
    if Role::named(&found.role) == Some(Role::Patient) {
        event.patient = Some(Phi::new(found.identity.clone()));
    }
    // It is used up either way: who cannot be recorded is not let in.
    app.ledger
        .record(event)
        .await
        .map_err(|_| Refused::ServerUnavailable)?;
    let left_s = found.expires_s.saturating_sub(now_s()).max(0);
    let cookie = format!(
        "{SESSION_COOKIE}={session}; Max-Age={left_s}; Path=/api; HttpOnly; Secure; \
         SameSite=Strict"
    );
    Ok(HeaderValue::try_from(cookie).expect("base64url and digits"))
}

/// A token for `principal` to join as `identity`. Valid for joining only: what is refreshed later is
/// the rooms' business. `None` if there is no key to sign with any more.
pub(crate) fn access_token(
    app: &App,
    room: &str,
    role: Role,
    (principal, identity): (&Principal, &str),
    name: String,
) -> Option<String> {
    let claims = Claims {
        iss: app.tokens.first_key(),
        sub: identity.to_owned(),
        name,
        bedside_role: Some(role),
        bedside_authentication: principal.authentication.clone(),
        video: Some(VideoGrant {
            room_join: true,
            room: room.to_owned(),
            room_admin: role == Role::Clinician,
            ..VideoGrant::default()
        }),
        ..Claims::default()
    };
    app.tokens.sign(&claims, JOIN_TOKEN_LIFETIME)
}

/// What was typed, or else what the link says.
fn display_name(typed: &str, link: &Link) -> String {
    let typed: String = typed
        .trim()
        .chars()
        .take(DISPLAY_NAME_CHARACTERS_MAX)
        .collect();
    if typed.is_empty() {
        link.display_name.clone().unwrap_or_default()
    } else {
        typed
    }
}

/// Bounded per source, and only from our own page.
fn admit(limit: &RateLimit, peer: PeerAddress, headers: &HeaderMap) -> Result<(), Refused> {
    if !limit.admit(peer.0) {
        return Err(Refused::RateLimited);
    }
    // Programs name no origin, and have no visitor's cookie.
    if !headers.contains_key(ORIGIN) || is_same_origin(headers) {
        Ok(())
    } else {
        Err(Refused::BadRequest)
    }
}

fn open(state: LinkState) -> Result<Link, Refused> {
    match state {
        LinkState::Open(link) => Ok(link),
        LinkState::Used => Err(Refused::LinkUsed),
        LinkState::Expired => Err(Refused::LinkExpired),
        LinkState::Unknown => Err(Refused::LinkUnknown),
    }
}

/// A link was tried that is no good: used, expired, or never made.
fn link_refused(app: &App, PeerAddress(address): PeerAddress, link: &Digest, refused: Refused) {
    let mut event = events::event(Recorded::LinkUse, Actor::unknown(Some(address)));
    event.object = Some(events::link(link));
    event.outcome = Outcome::Denied;
    event.reason = Some(match refused {
        Refused::LinkUsed => "used",
        Refused::LinkExpired => "expired",
        _ => "unknown",
    });
    app.strangers.note(&app.ledger, event);
}

/// 256 random bits, URL-safe.
pub(crate) fn random_token() -> Result<String, Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(Error::Random)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

pub(crate) fn hash(token: &str) -> Digest {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    hash
}

fn now_s() -> i64 {
    i64::try_from(since_epoch().as_secs()).unwrap_or(i64::MAX)
}

/// Why a participant was not removed.
#[derive(Debug)]
pub(crate) enum Removal {
    Error(Error),
    Refused(OperationError),
    Stopped,
}

impl From<Error> for Removal {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<OperationError> for Removal {
    fn from(error: OperationError) -> Self {
        Self::Refused(error)
    }
}

impl From<Stopped> for Removal {
    fn from(Stopped: Stopped) -> Self {
        Self::Stopped
    }
}

/// Why a link or a join was not accepted; the page has words for each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Refused {
    LinkExpired,
    LinkUsed,
    LinkUnknown,
    SessionEnded,
    TurnedAway,
    NotAllowed,
    LogInFirst,
    RateLimited,
    BadRequest,
    ServerUnavailable,
}

impl From<JsonRejection> for Refused {
    fn from(_: JsonRejection) -> Self {
        Self::BadRequest
    }
}

impl From<Denied> for Refused {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Policy => Self::NotAllowed,
            Denied::Unauthenticated => Self::LogInFirst,
            Denied::Unavailable => Self::ServerUnavailable,
        }
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        tracing::error!(%error, "a join link could not be looked up");
        Self::ServerUnavailable
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (status, error, message) = match self {
            Self::LinkExpired => (StatusCode::GONE, "link_expired", "the link has expired"),
            Self::LinkUsed => (StatusCode::GONE, "link_used", "the link was used already"),
            Self::LinkUnknown => (
                StatusCode::NOT_FOUND,
                "link_unknown",
                "there is no such link",
            ),
            Self::SessionEnded => (
                StatusCode::UNAUTHORIZED,
                "session_ended",
                "ask for a new link",
            ),
            Self::TurnedAway => (
                StatusCode::FORBIDDEN,
                "turned_away",
                "the clinician cannot see you now",
            ),
            Self::NotAllowed => (
                StatusCode::FORBIDDEN,
                "not_allowed",
                "the policies do not allow this",
            ),
            Self::LogInFirst => (
                StatusCode::UNAUTHORIZED,
                "log_in_first",
                "log in, with two factors, and follow the link again",
            ),
            Self::RateLimited => (
                StatusCode::TOO_MANY_REQUESTS,
                "rate_limited",
                "wait a minute and try again",
            ),
            Self::BadRequest => (
                StatusCode::BAD_REQUEST,
                "link_unknown",
                "this is not a request of the consult page",
            ),
            Self::ServerUnavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "server_unavailable",
                "no consult can be joined right now; try again in a moment",
            ),
        };
        (
            status,
            Json(serde_json::json!({ "error": error, "message": message })),
        )
            .into_response()
    }
}

/// `__Host-` would need `Path=/`; this one goes to the API alone.
pub(crate) const SESSION_COOKIE: &str = "bedside_session";

/// Characters of randomness in an identity: 96 bits.
const IDENTITY_CHARACTERS: usize = 16;

#[cfg(test)]
mod tests;
