//! Accounts over HTTP and over the admin socket: list, show, revoke, restore.

use super::{AccountKind, Failure, Order, RevocationStep};
use crate::Error;
use crate::admin::{AccountReport, Admin};
use crate::app::App;
use crate::authorize::Routes;
use crate::identity::Principal;
use crate::limits::ACCOUNTS_MAX;
use crate::store::users::User;
use axum::body::{Body, Bytes};
use axum::extract::{FromRef, Path, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use bedside_audit::PolicyDecision;
use bedside_policy::Action;
use bedside_protocol::Phi;
use futures_util::stream::unfold;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, StatusCode};
use std::convert::Infallible;

/// For the administrator and the security officer.
pub(crate) fn routes() -> Routes {
    mount([
        "/api/users",
        "/api/users/{account}",
        "/api/users/{account}/revoke",
        "/api/users/{account}/restore",
    ])
}

/// For whoever is at the host.
pub(crate) fn admin_routes() -> Routes<Admin> {
    mount([
        "/users",
        "/users/{account}",
        "/users/{account}/revoke",
        "/users/{account}/restore",
    ])
}

fn mount<S>([all, one, revoked, restored]: [&'static str; 4]) -> Routes<S>
where
    S: Clone + Send + Sync + 'static,
    App: FromRef<S>,
{
    Routes::new()
        .on(Method::GET, all, Action::ListAccounts, list)
        .on(Method::GET, one, Action::ShowAccount, show)
        .on(Method::POST, revoked, Action::Revoke, revoke)
        .on(Method::POST, restored, Action::Restore, restore)
}

async fn list(State(app): State<App>) -> Result<Json<Vec<AccountReport>>, Refused> {
    let users = app.store.users(ACCOUNTS_MAX).await?;
    let mut reports: Vec<AccountReport> = users.iter().map(of_user).collect();
    let revoked = app.store.revocations().await?;
    let others = revoked
        .into_iter()
        .filter(|one| one.kind != AccountKind::User.name());
    reports.extend(others.map(|one| AccountReport {
        account: one.account,
        kind: one.kind,
        revoked_s: one.restored_s.is_none().then_some(one.revoked_s),
        ..AccountReport::default()
    }));
    Ok(Json(reports))
}

async fn show(
    State(app): State<App>,
    Path(account): Path<String>,
) -> Result<Json<AccountReport>, Refused> {
    let user = app.store.user(&account).await?;
    let revocations = app.store.revocations().await?;
    let revocation = revocations.into_iter().find(|one| one.account == account);
    let identity = account.clone();
    let connected = app
        .rooms
        .call(move |rooms, _| rooms.rooms_of(&identity))
        .await
        .map_err(|_| Refused::Stopped)?;
    let kind = super::kind_of(&app, &account).await?;
    let known = user.is_some()
        || revocation.is_some()
        || !connected.is_empty()
        || kind == AccountKind::ApiKey
        || app.store.knows_identity(&account).await?;
    if !known {
        return Err(Refused::Unknown);
    }
    let base = user.as_ref().map(of_user).unwrap_or_default();
    Ok(Json(AccountReport {
        account,
        kind: kind.name().to_owned(),
        revoked_s: revocation
            .filter(|one| one.restored_s.is_none())
            .map(|one| one.revoked_s),
        connected_to: connected,
        ..base
    }))
}

/// One line of JSON a step, as they are confirmed.
async fn revoke(
    State(app): State<App>,
    Path(account): Path<String>,
    Extension(policy): Extension<PolicyDecision>,
    principal: Principal,
) -> Result<Response, Refused> {
    let order = Order {
        account: Phi::new(account),
        actor: principal.actor(None),
        policy,
    };
    let steps = super::revoke(&app, order).await?;
    let lines = unfold(steps, async |mut steps| {
        let step: RevocationStep = steps.recv().await?;
        let mut line = serde_json::to_vec(&step).expect("strings and numbers");
        line.push(b'\n');
        Some((Ok::<_, Infallible>(Bytes::from(line)), steps))
    });
    let kind = HeaderValue::from_static("application/x-ndjson");
    Ok(([(CONTENT_TYPE, kind)], Body::from_stream(lines)).into_response())
}

async fn restore(
    State(app): State<App>,
    Path(account): Path<String>,
    Extension(policy): Extension<PolicyDecision>,
    principal: Principal,
) -> Result<StatusCode, Refused> {
    let order = Order {
        account: Phi::new(account),
        actor: principal.actor(None),
        policy,
    };
    if super::restore(&app, order).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Refused::NotRevoked)
    }
}

fn of_user(user: &User) -> AccountReport {
    AccountReport {
        account: user.id.clone(),
        kind: AccountKind::User.name().to_owned(),
        display_name: Some(user.display_name.expose().clone()),
        roles: user
            .roles
            .iter()
            .map(|role| role.name().to_owned())
            .collect(),
        last_seen_s: Some(user.last_seen_s),
        revoked_s: user.revoked_s,
        connected_to: Vec::new(),
    }
}

#[derive(Debug)]
enum Refused {
    Failed(String),
    Unknown,
    NotRevoked,
    Stopped,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure.to_string())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (status, message) = match self {
            Self::Failed(message) => (StatusCode::SERVICE_UNAVAILABLE, message),
            Self::Unknown => (
                StatusCode::NOT_FOUND,
                "no user, identity or API key of that name is known".to_owned(),
            ),
            Self::NotRevoked => (
                StatusCode::CONFLICT,
                "its access was not revoked".to_owned(),
            ),
            Self::Stopped => (
                StatusCode::SERVICE_UNAVAILABLE,
                "the control plane is stopping".to_owned(),
            ),
        };
        (status, Json(crate::admin::Problem { message })).into_response()
    }
}
