//! The waiting room: a patient who followed a link waits until somebody who treats them lets them
//! in.
//!
//! LiveKit's clients need nothing for it: the access token, and with it the LiveKit join, comes
//! after the admission. `POST /api/join` answers 202 to whoever must wait; `POST /api/wait` holds
//! on until that changes; `POST /api/waiting` holds on until the list does; `POST /api/admit`
//! decides.

use crate::Error;
use crate::app::App;
use crate::authorize::{Asking, Denied, Routes};
use crate::clock::now_us;
use crate::identity::Principal;
use crate::limits::{API_BODY_BYTES_MAX, WAIT_ANSWER, WAIT_PRESENT};
use crate::store::access::Admission;
use crate::store::links::Link;
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use bedside_audit::{Action as Recorded, Event, PolicyDecision, Role};
use bedside_policy::{Action, Resource};
use bedside_protocol::Phi;
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .on(Method::POST, "/api/wait", Action::Wait, wait)
        .on(Method::POST, "/api/waiting", Action::Admit, list)
        .on(Method::POST, "/api/admit", Action::Admit, admit)
        .layer(DefaultBodyLimit::max(API_BODY_BYTES_MAX))
}

/// Who is waiting now, beyond what the database knows. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct WaitingRoom {
    on: bool,
    changes: watch::Sender<u64>,
    /// When each guest last asked, by identity.
    present: Arc<Mutex<HashMap<String, Instant>>>,
}

impl WaitingRoom {
    pub(crate) fn new(on: bool) -> Self {
        Self {
            on,
            changes: watch::Sender::new(0),
            present: Arc::default(),
        }
    }

    /// Whether somebody with this link has to be let in.
    pub(crate) fn holds(&self, link: &Link) -> bool {
        self.on && link.role == Role::Patient.name()
    }

    /// Everybody who holds on looks again.
    pub(crate) fn changed(&self) {
        self.changes.send_modify(|version| *version += 1);
    }

    /// Notes that a guest is there; whether they were not.
    fn see(&self, identity: &str) -> bool {
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        present.retain(|_, at| now.duration_since(*at) < WAIT_PRESENT);
        present.insert(identity.to_owned(), now).is_none()
    }

    fn is_present(&self, identity: &str) -> bool {
        let present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        present
            .get(identity)
            .is_some_and(|at| at.elapsed() < WAIT_PRESENT)
    }
}

/// A guest with a link asks to be let in, and hears how it stands.
///
/// # Errors
/// [`Error::Database`].
pub(crate) async fn ask(
    app: &App,
    principal: &Principal,
    policy: PolicyDecision,
    link: &Link,
    display_name: &str,
) -> Result<Admission, Error> {
    let asked = app
        .store
        .ask_for_admission(&link.identity, &link.room, display_name)
        .await?;
    let state = app.store.admission(&link.identity).await?;
    if asked {
        let mut event = Event::new(now_us(), Recorded::Wait, principal.actor(None));
        event.room = Some(Phi::new(link.room.clone()));
        event.patient = Some(Phi::new(link.identity.clone()));
        event.policy = Some(policy);
        app.ledger.note(event);
        app.waiting.see(&link.identity);
        app.waiting.changed();
    }
    Ok(state.unwrap_or(Admission::Waiting))
}

#[derive(Serialize)]
struct Waited {
    /// `waiting`, `admitted` or `turned_away`.
    state: &'static str,
}

async fn wait(
    State(app): State<App>,
    asking: Asking,
    principal: Principal,
) -> Result<Json<Waited>, Refused> {
    let link = principal.link.as_ref().ok_or(Denied::Unauthenticated)?;
    let link = link.expose();
    let consult = Resource::Consult(Phi::new(link.room.clone()));
    asking.decide(&app, &principal, consult).await?;
    let mut changes = app.waiting.changes.subscribe();
    let until = Instant::now() + WAIT_ANSWER;
    loop {
        changes.borrow_and_update();
        if app.waiting.see(&link.identity) {
            app.waiting.changed();
            changes.borrow_and_update();
        }
        let state = match app.store.admission(&link.identity).await? {
            Some(state) if state != Admission::Waiting => state,
            state if Instant::now() >= until => state.unwrap_or(Admission::Waiting),
            _ => {
                // Either way we look again.
                drop(timeout_at(until, changes.changed()).await);
                continue;
            }
        };
        return Ok(Json(Waited {
            state: state.name(),
        }));
    }
}

#[derive(Deserialize)]
struct ListRequest {
    /// Which consult, for whoever has several.
    room: Option<String>,
    /// Answer when the list is another than this one; at once when absent.
    version: Option<u64>,
}

#[derive(Serialize)]
struct List {
    version: u64,
    waiting: Vec<Guest>,
}

#[derive(Serialize)]
struct Guest {
    identity: String,
    name: String,
    since_s: i64,
}

async fn list(
    State(app): State<App>,
    asking: Asking,
    principal: Principal,
    request: Result<Json<ListRequest>, JsonRejection>,
) -> Result<Json<List>, Refused> {
    let Json(request) = request?;
    let room = room_of(&principal, request.room)?;
    let consult = Resource::Consult(Phi::new(room.clone()));
    asking.decide(&app, &principal, consult).await?;
    let mut changes = app.waiting.changes.subscribe();
    if request.version == Some(*changes.borrow_and_update()) {
        // When nothing changes in time, the same list is as good an answer.
        drop(timeout_at(Instant::now() + WAIT_ANSWER, changes.changed()).await);
    }
    let version = *changes.borrow_and_update();
    let waiting = app.store.waiting_for(&room).await?;
    Ok(Json(List {
        version,
        waiting: waiting
            .into_iter()
            .filter(|guest| app.waiting.is_present(&guest.identity))
            .map(|guest| Guest {
                identity: guest.identity,
                name: guest.display_name,
                since_s: guest.since_s,
            })
            .collect(),
    }))
}

#[derive(Deserialize)]
struct AdmitRequest {
    room: Option<String>,
    identity: String,
    /// Let in, or turn away.
    admit: bool,
}

async fn admit(
    State(app): State<App>,
    asking: Asking,
    principal: Principal,
    request: Result<Json<AdmitRequest>, JsonRejection>,
) -> Result<StatusCode, Refused> {
    let Json(request) = request?;
    let room = room_of(&principal, request.room)?;
    let consult = Resource::Consult(Phi::new(room.clone()));
    let policy = asking.decide(&app, &principal, consult).await?;
    if !app.store.waits_for(&room, &request.identity).await? {
        return Err(Refused::NobodyWaits);
    }
    let state = if request.admit {
        Admission::Admitted
    } else {
        Admission::TurnedAway
    };
    let mut event = Event::new(now_us(), Recorded::Admit, principal.actor(None));
    event.room = Some(Phi::new(room.clone()));
    event.patient = Some(Phi::new(request.identity.clone()));
    event.policy = Some(policy);
    event.facts.insert("decision", state.name().into());
    // An admission grants: it is in the log before it has an effect.
    app.ledger.record(event).await.map_err(Error::from)?;
    app.store
        .set_admission(&room, &request.identity, state)
        .await?;
    app.waiting.changed();
    Ok(StatusCode::NO_CONTENT)
}

/// The consult that a caller means: their link's or token's; for somebody who logged in, the one
/// that they name.
fn room_of(principal: &Principal, named: Option<String>) -> Result<String, Refused> {
    let linked = principal
        .link
        .as_ref()
        .map(|link| link.expose().room.clone());
    let granted = principal
        .claims
        .as_ref()
        .and_then(|claims| claims.expose().video.as_ref())
        .map(|grant| grant.room.clone());
    linked.or(granted).or(named).ok_or(Refused::NoRoom)
}

#[derive(Debug)]
enum Refused {
    Denied(Denied),
    BadRequest,
    NoRoom,
    NobodyWaits,
}

impl From<Denied> for Refused {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        tracing::error!(%error, "the waiting room cannot be read");
        Self::Denied(Denied::Unavailable)
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
            Self::Denied(denied) => return denied.into_response(),
            Self::BadRequest => (
                StatusCode::BAD_REQUEST,
                "bad_request",
                "this is not a request of the consult page",
            ),
            Self::NoRoom => (
                StatusCode::BAD_REQUEST,
                "no_room",
                "say which consult: room",
            ),
            Self::NobodyWaits => (
                StatusCode::NOT_FOUND,
                "nobody_waits",
                "nobody of that identity waits for this consult",
            ),
        };
        let body = Json(serde_json::json!({ "error": error, "message": message }));
        (status, body).into_response()
    }
}
