//! Twirp's errors: a code, which decides the HTTP status, and a message, always in JSON.

use crate::app::Stopped;
use crate::authorize::Denied;
use crate::links::Removal;
use crate::telemetry::KnownMethod;
use axum::Json;
use axum::response::{IntoResponse as _, Response};
use bedside_audit::Outcome;
use bedside_rooms::{OperationError, Refusal};
use http::StatusCode;
use http::request::Parts;
use serde::Serialize;
use std::collections::BTreeMap;

/// What is answered instead of a result.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub(super) struct Problem {
    code: &'static str,
    msg: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    meta: BTreeMap<&'static str, String>,
}

impl Problem {
    pub(super) fn new(code: &'static str, msg: impl Into<String>) -> Self {
        Self {
            code,
            msg: msg.into(),
            meta: BTreeMap::new(),
        }
    }

    /// Neither a service nor a method of ours, or not asked for as Twirp asks.
    pub(super) fn bad_route(parts: &Parts, msg: &str) -> Self {
        // Not what was asked for: what somebody sends does not come back.
        let method = KnownMethod::from(&parts.method);
        let route = format!("{} /twirp/{{*method}}", method.text());
        Self {
            meta: BTreeMap::from([("twirp_invalid_route", route)]),
            ..Self::new("bad_route", msg)
        }
    }

    /// How the log tells it.
    pub(super) fn outcome(&self) -> (Outcome, &'static str) {
        let outcome = match self.code {
            "unauthenticated" | "permission_denied" => Outcome::Denied,
            _ => Outcome::Failed,
        };
        (outcome, self.code)
    }

    pub(super) fn into_response(self) -> Response {
        (status(self.code), Json(self)).into_response()
    }
}

/// From Twirp's specification, for the codes that we use.
fn status(code: &str) -> StatusCode {
    match code {
        "malformed" | "invalid_argument" => StatusCode::BAD_REQUEST,
        "unauthenticated" => StatusCode::UNAUTHORIZED,
        "permission_denied" => StatusCode::FORBIDDEN,
        "not_found" | "bad_route" => StatusCode::NOT_FOUND,
        "failed_precondition" => StatusCode::PRECONDITION_FAILED,
        "resource_exhausted" => StatusCode::TOO_MANY_REQUESTS,
        "unimplemented" => StatusCode::NOT_IMPLEMENTED,
        "unavailable" => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        let code = match denied {
            Denied::Policy => "permission_denied",
            Denied::Unauthenticated => "unauthenticated",
            Denied::Unavailable => "unavailable",
        };
        Self::new(code, Refusal::from(denied).reason)
    }
}

impl From<OperationError> for Problem {
    fn from(error: OperationError) -> Self {
        let code = match error {
            OperationError::NotFound(_) => "not_found",
            OperationError::InvalidArgument(_) => "invalid_argument",
            OperationError::FailedPrecondition(_) => "failed_precondition",
            OperationError::LimitExceeded(_) => "resource_exhausted",
            OperationError::Unavailable => "unavailable",
            _ => "internal",
        };
        Self::new(code, error.to_string())
    }
}

/// Only tokens are refused in this form here.
impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::new("unauthenticated", refusal.reason)
    }
}

impl From<Stopped> for Problem {
    fn from(Stopped: Stopped) -> Self {
        Self::new(
            "unavailable",
            "the server is stopping; try again in a moment",
        )
    }
}

impl From<Removal> for Problem {
    fn from(removal: Removal) -> Self {
        match removal {
            Removal::Refused(error) => error.into(),
            Removal::Stopped => Stopped.into(),
            Removal::Error(error) => {
                tracing::error!(%error, "a participant could not be removed");
                Self::new("internal", "the server could not do this")
            }
        }
    }
}
