//! The audit log, asked over the admin socket. Reading it is recorded before it is answered
//! (45 CFR 164.308(a)(1)(ii)(D)).

use super::Admin;
use super::routes::Refused;
use crate::authorize::Routes;
use crate::clock::since_epoch;
use crate::identity::Principal;
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use bedside_audit::{Action, Event, Purpose};
use bedside_ledger::{Answer, Question, Unwritable};
use bedside_policy::Action as Asked;
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};

/// `POST /audit/key/rotate`: the new verifier key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KeyReport {
    /// `name+id+key`.
    pub vkey: String,
}

pub(super) fn routes() -> Routes<Admin> {
    Routes::new()
        .on(Method::POST, "/audit", Asked::ReadAudit, ask)
        .on(Method::POST, "/audit/key/rotate", Asked::ChangeKeys, rotate)
}

async fn ask(
    State(admin): State<Admin>,
    principal: Principal,
    question: Result<Json<Question>, JsonRejection>,
) -> Result<Json<Answer>, Refused> {
    let Json(question) = question?;
    let ledger = &admin.app.ledger;
    // A tail is recorded when it begins: a record of each look would be what the next one sees.
    let goes_on = matches!(
        question,
        Question::Entries {
            from: Some(_),
            follow: true,
            ..
        }
    );
    if !goes_on && !matches!(question, Question::Status) {
        let action = match question {
            Question::Verify { .. } => Action::AuditVerify,
            _ => Action::AuditRead,
        };
        let mut event = event(action, &principal);
        event.facts.insert("question", question.name().into());
        if let Question::Entries { detail: true, .. } = question {
            event.facts.insert("detail", true.into());
        }
        ledger.record(event).await?;
    }
    Ok(Json(ledger.answer(question).await?))
}

async fn rotate(
    State(admin): State<Admin>,
    principal: Principal,
) -> Result<Json<KeyReport>, Refused> {
    let event = event(Action::KeyRotate, &principal);
    let vkey = admin.app.ledger.rotate_key(event).await?;
    Ok(Json(KeyReport { vkey }))
}

fn event(action: Action, principal: &Principal) -> Event {
    let actor = principal.actor(None);
    let at_us = u64::try_from(since_epoch().as_micros()).unwrap_or(u64::MAX);
    Event {
        purpose: Purpose::SystemAdministration,
        ..Event::new(at_us, action, actor)
    }
}

impl From<Unwritable> for Refused {
    fn from(unwritable: Unwritable) -> Self {
        Self(StatusCode::SERVICE_UNAVAILABLE, unwritable.to_string())
    }
}

impl From<bedside_ledger::Error> for Refused {
    fn from(error: bedside_ledger::Error) -> Self {
        Self(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}
