//! What is answered and recorded when the policies say no.

use crate::app::App;
use crate::clock::now_us;
use crate::http::Refused;
use crate::identity::Principal;
use axum::response::{IntoResponse, Response};
use bedside_audit::{Action as Recorded, ActorKind, Event, Outcome, PolicyDecision};
use bedside_policy::{Action, Resource};
use bedside_rooms::Refusal;

/// Why something may not be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Denied {
    /// The policies do not allow it.
    Policy,
    /// Nobody knows who asks, and it is not for everybody.
    Unauthenticated,
    /// The database cannot be read.
    Unavailable,
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        let (status, reason) = match denied {
            Denied::Policy => (403, "the policies do not allow this"),
            Denied::Unauthenticated => (401, "log in first"),
            Denied::Unavailable => (503, "the database cannot be read; try again in a moment"),
        };
        Self {
            status,
            reason: reason.to_owned(),
        }
    }
}

impl IntoResponse for Denied {
    fn into_response(self) -> Response {
        Refused(self.into()).into_response()
    }
}

/// `access.denied`, with the policies that denied it; none means that none allowed it.
pub(super) fn record(
    app: &App,
    principal: &Principal,
    action: Action,
    resource: &Resource,
    decision: PolicyDecision,
) {
    let mut event = Event::new(now_us(), Recorded::Denied, principal.actor(None));
    event.outcome = Outcome::Denied;
    event.reason = Some("policy");
    event.policy = Some(decision);
    event.facts.insert("asked", action.name().into());
    match resource {
        Resource::Consult(room) => event.room = Some(room.clone()),
        Resource::Account(account) => {
            event.detail.insert("account", account.clone());
        }
        Resource::Installation => {}
    }
    if principal.kind == ActorKind::Unknown {
        app.strangers.note(&app.ledger, event);
    } else {
        app.ledger.note(event);
    }
}
