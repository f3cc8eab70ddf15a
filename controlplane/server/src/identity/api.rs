//! `GET /api/me`: what the page asks before it draws anything.

use super::Principal;
use crate::app::App;
use axum::routing::get;
use axum::{Json, Router};
use bedside_audit::ActorKind;
use serde::Serialize;

pub(crate) fn router() -> Router<App> {
    Router::new().route("/api/me", get(me))
}

/// Who the server takes the caller for.
#[derive(Serialize)]
struct Me {
    /// `user`, `patient`, `agent`, `service` or `unknown`.
    kind: ActorKind,
    /// Opaque id; absent for whoever has not shown who they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    roles: Vec<&'static str>,
    /// The session opens nothing until its user logs in again.
    locked: bool,
    /// More than one factor was shown a moment ago.
    stepped_up: bool,
}

async fn me(principal: Principal) -> Json<Me> {
    Json(Me {
        kind: principal.kind,
        id: principal.id.as_ref().map(|id| id.expose().clone()),
        roles: principal.roles.iter().map(|role| role.name()).collect(),
        locked: principal.locked,
        stepped_up: principal.is_stepped_up(),
    })
}
