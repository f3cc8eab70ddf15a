//! Entering in an emergency, and the review of it, over HTTP and the admin socket.

use super::Declaration;
use crate::Error;
use crate::admin::{Admin, EmergencyReport, Problem, ReviewRequest};
use crate::app::App;
use crate::authorize::{Asking, Denied, Routes};
use crate::clock::since_epoch;
use crate::identity::Principal;
use crate::limits::{ACCOUNTS_MAX, API_BODY_BYTES_MAX, JOIN_TOKEN_LIFETIME, REASON_CHARACTERS_MAX};
use crate::store::breakglass::Entry;
use crate::store::users::User;
use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, FromRef, Path, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use bedside_audit::{Action as Recorded, PolicyDecision, Role};
use bedside_policy::{Action, Resource};
use bedside_protocol::Phi;
use bedside_rooms::{Claims, VideoGrant};
use http::header::HOST;
use http::{HeaderMap, Method, StatusCode};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// For clinicians, and for whoever reviews.
pub(crate) fn routes() -> Routes {
    reviews(["/api/breakglass", "/api/breakglass/{entry}/review"])
        .on(
            Method::POST,
            "/api/breakglass",
            Action::BreakGlass,
            break_glass,
        )
        .layer(DefaultBodyLimit::max(API_BODY_BYTES_MAX))
}

/// For whoever is at the host.
pub(crate) fn admin_routes() -> Routes<Admin> {
    reviews(["/breakglass", "/breakglass/{entry}/review"])
}

fn reviews<S>([all, one]: [&'static str; 2]) -> Routes<S>
where
    S: Clone + Send + Sync + 'static,
    App: FromRef<S>,
{
    Routes::new()
        .on(Method::GET, all, Action::ListBreakGlass, list)
        .on(Method::POST, one, Action::ReviewBreakGlass, review)
}

/// Why somebody breaks the glass.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reason {
    ThreatToLife,
    PatientUnresponsive,
    NoClinicianPresent,
    TechnicalFailure,
    Other,
}

impl Reason {
    const fn name(self) -> &'static str {
        match self {
            Self::ThreatToLife => "threat_to_life",
            Self::PatientUnresponsive => "patient_unresponsive",
            Self::NoClinicianPresent => "no_clinician_present",
            Self::TechnicalFailure => "technical_failure",
            Self::Other => "other",
        }
    }
}

#[derive(Deserialize)]
struct BreakGlassRequest {
    room: String,
    reason: Reason,
    /// In their own words.
    words: String,
}

#[derive(Serialize)]
struct Entered {
    url: String,
    token: String,
    identity: String,
    role: &'static str,
    /// The entry, for its review.
    entry: String,
    /// Unix seconds.
    ends_at: i64,
}

async fn break_glass(
    State(app): State<App>,
    asking: Asking,
    principal: Principal,
    headers: HeaderMap,
    request: Result<Json<BreakGlassRequest>, JsonRejection>,
) -> Result<Json<Entered>, Refused> {
    let Json(request) = request.map_err(|rejection| Refused::Request(rejection.body_text()))?;
    let words = request.words.trim();
    if words.is_empty() || words.chars().count() > REASON_CHARACTERS_MAX {
        let text = format!("say why, in 1 to {REASON_CHARACTERS_MAX} characters: words");
        return Err(Refused::Request(text));
    }
    let consult = Resource::Consult(Phi::new(request.room.clone()));
    let policy = asking
        .decide_in_emergency(&app, &principal, consult)
        .await?;
    let host = headers
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .ok_or(Refused::NoHost)?;
    let id = principal.id.as_ref().ok_or(Denied::Unauthenticated)?;
    let user = app.store.user(id.expose()).await?.ok_or(Denied::Policy)?;
    let declared = Declaration {
        user: user.id.clone(),
        room: request.room,
        reason: request.reason.name(),
        words: Phi::new(words.to_owned()),
        actor: principal.actor(Some(Role::Clinician)),
        policy,
    };
    let entry = super::enter(&app, declared).await?;
    let token = token(&app, &entry, &user, &principal).ok_or(Denied::Unavailable)?;
    Ok(Json(Entered {
        url: format!("wss://{host}"),
        token,
        identity: user.id,
        role: Role::Clinician.name(),
        entry: entry.id,
        ends_at: entry.ends_s,
    }))
}

/// A token for a clinician, as themselves and marked, until the entry ends. `None` if no API key is
/// left to sign with.
pub(crate) fn token(
    app: &App,
    entry: &Entry,
    user: &User,
    principal: &Principal,
) -> Option<String> {
    let left =
        Duration::from_secs(u64::try_from(entry.ends_s).unwrap_or(0)).saturating_sub(since_epoch());
    let claims = Claims {
        iss: app.tokens.first_key(),
        sub: user.id.clone(),
        name: user.display_name.expose().clone(),
        attributes: BTreeMap::from([(EMERGENCY.to_owned(), entry.reason.clone())]),
        bedside_role: Some(Role::Clinician),
        bedside_authentication: principal.authentication.clone(),
        video: Some(VideoGrant {
            room_join: true,
            room: entry.room.clone(),
            room_admin: true,
            ..VideoGrant::default()
        }),
        ..Claims::default()
    };
    app.tokens.sign(&claims, left.min(JOIN_TOKEN_LIFETIME))
}

async fn list(State(app): State<App>) -> Result<Json<Vec<EmergencyReport>>, Refused> {
    let entries = app.store.emergency_entries(ACCOUNTS_MAX).await?;
    Ok(Json(entries.into_iter().map(report).collect()))
}

async fn review(
    State(app): State<App>,
    Path(id): Path<String>,
    Extension(policy): Extension<PolicyDecision>,
    principal: Principal,
    request: Result<Json<ReviewRequest>, JsonRejection>,
) -> Result<StatusCode, Refused> {
    let Json(request) = request.map_err(|rejection| Refused::Request(rejection.body_text()))?;
    if request.words.chars().count() > REASON_CHARACTERS_MAX {
        let text = format!("at most {REASON_CHARACTERS_MAX} characters: words");
        return Err(Refused::Request(text));
    }
    let entry = app.store.emergency_entry(&id).await?;
    let entry = entry.ok_or(Refused::Unknown)?;
    let reviewer = principal
        .id
        .clone()
        .map(Phi::into_inner)
        .unwrap_or_default();
    if reviewer == entry.user {
        return Err(Refused::OwnEntry);
    }
    if entry.reviewed_s.is_some() {
        return Err(Refused::Reviewed);
    }
    let finding = request.finding.name();
    let mut event = super::event(Recorded::BreakGlassReview, principal.actor(None), &entry);
    event.reason = Some(finding);
    event.policy = Some(policy);
    if !request.words.is_empty() {
        event.detail.insert("words", Phi::new(request.words));
    }
    app.ledger.record(event).await.map_err(Error::from)?;
    if app.store.review_entry(&id, &reviewer, finding).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Refused::Reviewed)
    }
}

fn report(entry: Entry) -> EmergencyReport {
    EmergencyReport {
        entry: entry.id,
        user: entry.user,
        room: entry.room,
        reason: entry.reason,
        started_s: entry.started_s,
        ends_s: entry.ends_s,
        ended_s: entry.ended_s,
        reviewed_s: entry.reviewed_s,
        finding: entry.finding,
    }
}

#[derive(Debug)]
enum Refused {
    Denied(Denied),
    Request(String),
    NoHost,
    Failed(Error),
    Unknown,
    OwnEntry,
    Reviewed,
}

impl From<Denied> for Refused {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (status, message) = match self {
            Self::Denied(denied) => return denied.into_response(),
            Self::Request(message) => (StatusCode::BAD_REQUEST, message),
            Self::NoHost => (
                StatusCode::BAD_REQUEST,
                format!("the request has no {HOST}"),
            ),
            Self::Failed(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
            Self::Unknown => (
                StatusCode::NOT_FOUND,
                "there is no such emergency entry".to_owned(),
            ),
            Self::OwnEntry => (
                StatusCode::FORBIDDEN,
                "nobody reviews their own emergency entry".to_owned(),
            ),
            Self::Reviewed => (StatusCode::CONFLICT, "it was reviewed already".to_owned()),
        };
        (status, Json(Problem { message })).into_response()
    }
}

/// Attribute of a participant who came in by an emergency entry: the code of the reason. Everybody
/// in the consult sees it.
const EMERGENCY: &str = "bedside.emergency";
