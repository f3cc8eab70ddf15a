//! `/api-keys`: which there are, and their changes. Each is recorded before it happens
//! (45 CFR 164.308(a)(5)(ii)(D)).

use super::Admin;
use super::routes::{Answer, Refused};
use super::types::{ApiKeyMade, ApiKeyReport, RotateRequest};
use crate::identity::{Principal, events};
use crate::limits::API_KEY_OVERLAP_S_MAX;
use crate::{Error, clock};
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use bedside_audit::{Action, Fact, Object};
use http::StatusCode;

pub(super) async fn list(State(admin): State<Admin>) -> Answer<Vec<ApiKeyReport>> {
    let keys = admin.app.tokens.api_keys();
    let seen = admin.app.store.api_key_use().await?;
    let (first, _) = keys.first();
    let now_s = clock::since_epoch().as_secs();
    let report = keys.entries().iter().map(|entry| ApiKeyReport {
        name: entry.name.clone(),
        signs: entry.name == first,
        in_force: entry.until_s.is_none_or(|until_s| now_s < until_s),
        until: entry.until_s,
        last_used: seen.get(&entry.name).copied().flatten(),
    });
    Ok(Json(report.collect()))
}

pub(super) async fn add(State(admin): State<Admin>, principal: Principal) -> Answer<ApiKeyMade> {
    record(&admin, &principal, "add", None).await?;
    made(admin.api_keys.add().await?)
}

pub(super) async fn rotate(
    State(admin): State<Admin>,
    principal: Principal,
    Path(name): Path<String>,
    request: Result<Json<RotateRequest>, JsonRejection>,
) -> Answer<ApiKeyMade> {
    let Json(request) = request?;
    if request.overlap_s > API_KEY_OVERLAP_S_MAX {
        return Err(Error::Request("an overlap may last 90 days at most".to_owned()).into());
    }
    record(&admin, &principal, "rotate", Some(&name)).await?;
    made(admin.api_keys.rotate(&name, request.overlap_s).await?)
}

pub(super) async fn remove(
    State(admin): State<Admin>,
    principal: Principal,
    Path(name): Path<String>,
) -> Result<StatusCode, Refused> {
    record(&admin, &principal, "remove", Some(&name)).await?;
    admin.api_keys.remove(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn made(key: crate::keys::MadeKey) -> Answer<ApiKeyMade> {
    Ok(Json(ApiKeyMade {
        name: key.name,
        secret: key.secret.expose().clone(),
    }))
}

async fn record(
    admin: &Admin,
    principal: &Principal,
    step: &'static str,
    name: Option<&str>,
) -> Result<(), Error> {
    let mut event = events::event(Action::ApiKeyChange, principal.actor(None));
    event.facts.insert("step", Fact::from(step));
    event.object = name.map(|name| Object {
        kind: "api_key",
        id: name.to_owned(),
    });
    admin.app.ledger.record(event).await?;
    Ok(())
}
