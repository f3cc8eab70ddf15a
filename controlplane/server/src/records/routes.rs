//! What the admin socket is asked.

use super::{EvidenceRequest, PurgeReport, PurgeRequest, purge};
use crate::Error;
use crate::admin::{Admin, Problem};
use crate::authorize::Routes;
use crate::clock::since_epoch;
use crate::identity::Principal;
use crate::inventory::Inventory;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use bedside_audit::{PolicyDecision, Timestamp};
use bedside_evidence::{MakeError, Request, Scope, Setup};
use bedside_policy::Action;
use http::{Method, StatusCode, header::CONTENT_TYPE};
use serde_json::Value;

pub(crate) fn routes() -> Routes<Admin> {
    Routes::new()
        .on(Method::POST, "/evidence", Action::MakeEvidence, evidence)
        .on(Method::POST, "/audit/purge", Action::KeepAudit, purged)
}

async fn evidence(
    State(admin): State<Admin>,
    principal: Principal,
    Extension(decision): Extension<PolicyDecision>,
    request: Result<Json<EvidenceRequest>, JsonRejection>,
) -> Result<Response, Refused> {
    let Json(request) = request.map_err(|error| Refused::request(error.body_text()))?;
    let scope = match (request.consult, request.from_us, request.until_us) {
        (Some(consult), None, None) => Scope::Consult(consult),
        (None, Some(from), Some(until)) if from < until => Scope::Period {
            from: Timestamp::from_micros(from),
            until: Timestamp::from_micros(until),
        },
        _ => {
            let message = "name a consult, or a period that ends after it begins";
            return Err(Refused::request(message.to_owned()));
        }
    };
    let records = &admin.records;
    let setup = Setup {
        release: env!("CARGO_PKG_VERSION"),
        configuration: records.configuration.clone(),
        agreements: records.agreements()?,
        inventory: inventory(&admin).await?,
        witness_keys: records.witness_keys.clone(),
    };
    let request = Request {
        scope,
        clear_text: request.clear_text,
        now_us: now_us(),
        actor: principal.actor(None),
        policy: Some(decision),
        setup,
    };
    let archive = bedside_evidence::make(&admin.app.ledger, request).await?;
    Ok(([(CONTENT_TYPE, "application/x-tar")], archive).into_response())
}

async fn purged(
    State(admin): State<Admin>,
    principal: Principal,
    request: Result<Json<PurgeRequest>, JsonRejection>,
) -> Result<Json<PurgeReport>, Refused> {
    let Json(request) = request.map_err(|error| Refused::request(error.body_text()))?;
    let actor = principal.actor(None);
    let ledger = &admin.app.ledger;
    Ok(Json(
        purge::purge(&admin.records, ledger, request, actor, now_us()).await?,
    ))
}

/// What runs, as the inventory says it.
async fn inventory(admin: &Admin) -> Result<Value, Error> {
    let inventory = Inventory::take(admin).await?;
    serde_json::to_value(inventory).map_err(|error| Error::Request(error.to_string()))
}

fn now_us() -> u64 {
    u64::try_from(since_epoch().as_micros()).unwrap_or(u64::MAX)
}

/// An answer that is not 2xx.
struct Refused(StatusCode, String);

impl Refused {
    const fn request(message: String) -> Self {
        Self(StatusCode::BAD_REQUEST, message)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(Problem { message: self.1 })).into_response()
    }
}

impl From<MakeError> for Refused {
    fn from(error: MakeError) -> Self {
        let status = match error {
            MakeError::Nothing => StatusCode::NOT_FOUND,
            MakeError::TooMany => StatusCode::BAD_REQUEST,
            MakeError::Unwritable(_) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
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
