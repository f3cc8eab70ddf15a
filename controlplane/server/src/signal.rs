//! LiveKit's signalling: a WebSocket at `/rtc/v1` (one peer connection) or `/rtc` (a publisher
//! and a subscriber connection), and the `validate` twins that tell a browser in words why its
//! WebSocket failed.

mod format;
mod join_request;
mod query;
pub(crate) mod queue;
mod session;
mod user_agent;
pub(crate) mod wire;

use crate::app::App;
use crate::authorize::{Asking, Routes, by_token};
use crate::evidence::access::{self, Door};
use crate::http::{Refused, cors};
use crate::identity::{Principal, tokens};
use crate::limits::{MESSAGE_BYTES_MAX, SESSION_BYTES_WAITING_MAX};
use crate::metrics::{Entrance, Verdict};
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::response::{IntoResponse as _, Response};
use bedside_audit::PolicyDecision;
use bedside_policy::{Action, Resource};
use bedside_protocol::Phi;
use bedside_rooms::{Claims, JoinParameters, Refusal};
use http::request::Parts;
use http::{Method, StatusCode};
use tokio::time::Instant;

pub(crate) fn routes() -> Routes {
    Routes::new()
        .on(Method::GET, "/rtc", Action::Join, connect_v0)
        .on(Method::GET, "/rtc/v1", Action::Join, connect_v1)
        .on(Method::GET, "/rtc/validate", Action::Join, validate_v0)
        .on(Method::GET, "/rtc/v1/validate", Action::Join, validate_v1)
        .layer(axum::middleware::from_fn(cors))
}

/// What the two paths differ in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Version {
    /// Parameters in the query.
    V0,
    /// Parameters in `join_request`.
    V1,
}

async fn connect_v0(
    State(app): State<App>,
    asking: Asking,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    parts: Parts,
) -> Response {
    connect(app, &asking, Version::V0, upgrade, &parts).await
}

async fn connect_v1(
    State(app): State<App>,
    asking: Asking,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    parts: Parts,
) -> Response {
    connect(app, &asking, Version::V1, upgrade, &parts).await
}

async fn validate_v0(State(app): State<App>, asking: Asking, parts: Parts) -> Response {
    validate(app, &asking, Version::V0, &parts).await
}

async fn validate_v1(State(app): State<App>, asking: Asking, parts: Parts) -> Response {
    validate(app, &asking, Version::V1, &parts).await
}

async fn connect(
    app: App,
    asking: &Asking,
    version: Version,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    parts: &Parts,
) -> Response {
    // Clients take 404 on a plain request for "no signalling here", as LiveKit answers.
    let Ok(upgrade) = upgrade else {
        return (StatusCode::NOT_FOUND, "a WebSocket upgrade is needed here").into_response();
    };
    let started = Instant::now();
    let admitted = enter(&app, asking, version, parts).await;
    let verdict = admitted
        .as_ref()
        .map_or(Verdict::Refused, |_| Verdict::Done);
    app.metrics.joins.count((Entrance::Signalling, verdict));
    app.metrics
        .join
        .observe((), started.elapsed().as_secs_f64());
    let (claims, parameters) = match admitted {
        Ok(admitted) => admitted,
        Err(refusal) => return Refused(refusal).into_response(),
    };
    let place = crate::listener::place(parts);
    upgrade
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX)
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(SESSION_BYTES_WAITING_MAX)
        .on_upgrade(move |socket| async move {
            session::run(app.rooms, socket, claims, parameters).await;
            drop(place);
        })
}

async fn validate(app: App, asking: &Asking, version: Version, parts: &Parts) -> Response {
    // The token first: whoever has none gets nothing decompressed.
    let admitted = match by_token(&app, parts) {
        Ok((principal, claims)) => {
            let admitted = admit(&app, asking, version, parts, &principal, claims).await;
            admitted.map(|_| ())
        }
        Err(refusal) => Err(refusal),
    };
    match admitted.and_then(|()| access::check_writable(&app.ledger)) {
        Ok(()) => "success".into_response(),
        Err(refusal) => Refused(refusal).into_response(),
    }
}

/// Lets somebody in, once the log has it: the rooms hear of nobody before.
async fn enter(
    app: &App,
    asking: &Asking,
    version: Version,
    parts: &Parts,
) -> Result<(Claims, JoinParameters), Refusal> {
    let (principal, claims) =
        by_token(app, parts).inspect_err(|refusal| access::token_refused(app, parts, refusal))?;
    let door = Door::new(&principal, &claims, "signalling");
    let admitted = admit(app, asking, version, parts, &principal, claims).await;
    let (claims, parameters, policy) =
        admitted.inspect_err(|refusal| door.turn_away(&app.ledger, refusal))?;
    if parameters.resume.is_none() {
        tokens::use_once(app, &door, &claims).await?;
    }
    let door = door.resumes(parameters.resume.is_some()).decided(policy);
    door.open(&app.ledger).await?;
    Ok((claims, parameters))
}

async fn admit(
    app: &App,
    asking: &Asking,
    version: Version,
    parts: &Parts,
    principal: &Principal,
    claims: Claims,
) -> Result<(Claims, JoinParameters, PolicyDecision), Refusal> {
    let query = parts.uri.query().unwrap_or_default();
    let mut parameters = match version {
        Version::V0 => query::parse(query)?,
        Version::V1 => join_request::parse(query)?,
    };
    user_agent::complete(&mut parameters.client, &parts.headers);
    let (claims, parameters, checked) = app
        .rooms
        .call(move |rooms, _| {
            let checked = rooms.check_join(&claims, &parameters);
            (claims, parameters, checked)
        })
        .await?;
    checked?;
    let room = claims.video.as_ref().map(|grant| grant.room.clone());
    let consult = Resource::Consult(Phi::new(room.unwrap_or_default()));
    let policy = asking.decide(app, principal, consult).await?;
    Ok((claims, parameters, policy))
}

fn bad_request(reason: impl Into<String>) -> Refusal {
    Refusal {
        status: 400,
        reason: reason.into(),
    }
}

/// Initial read buffer of a WebSocket; most messages are far shorter, and it grows for the rest.
const READ_BUFFER_BYTES: usize = 8 * 1024;
