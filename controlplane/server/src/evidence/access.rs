//! Records of who came in, by which door, and who did not.

use crate::app::App;
use crate::clock::since_epoch;
use crate::identity::Principal;
use crate::listener::PeerAddress;
use bedside_audit::{
    Action, Actor, ActorKind, Event, Object, Outcome, PolicyDecision, Purpose, Role,
};
use bedside_ledger::{Ledger, Unwritable};
use bedside_protocol::Phi;
use bedside_rooms::{Claims, Refusal};
use http::request::Parts;
use std::net::IpAddr;

/// Microseconds since the Unix epoch.
pub(crate) fn now_us() -> u64 {
    u64::try_from(since_epoch().as_micros()).unwrap_or(u64::MAX)
}

/// An event now.
pub(crate) fn event(action: Action, actor: Actor) -> Event {
    Event::new(now_us(), action, actor)
}

/// Where a request came from.
pub(crate) fn address(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get().map(|PeerAddress(address)| *address)
}

/// Somebody at the door of a room.
#[derive(Debug)]
pub(crate) struct Door {
    event: Event,
}

impl Door {
    /// Somebody with these claims, by this way: `signalling`, `whip` or `whep`.
    pub(crate) fn new(principal: &Principal, claims: &Claims, way: &'static str) -> Self {
        let mut event = event(Action::Join, principal.actor(claims.bedside_role));
        // A guest or a user, by the token that their link or session was given.
        if let Some(role) = claims.bedside_role {
            event.actor.kind = match role {
                Role::Patient => ActorKind::Patient,
                Role::Agent => ActorKind::Agent,
                Role::Service => ActorKind::Service,
                _ => ActorKind::User,
            };
        }
        event.room = claims
            .video
            .as_ref()
            .filter(|grant| !grant.room.is_empty())
            .map(|grant| Phi::new(grant.room.clone()));
        if event.actor.kind == ActorKind::Patient {
            event.patient.clone_from(&event.actor.id);
        }
        event.facts.insert("way", way.into());
        if !claims.name.is_empty() {
            event.detail.insert("name", Phi::new(claims.name.clone()));
        }
        Self { event }
    }

    /// Comes back to a participant that is there.
    pub(crate) fn resumes(mut self, resumes: bool) -> Self {
        self.event.facts.insert("resume", resumes.into());
        self
    }

    /// By this decision of the policies.
    pub(crate) fn decided(mut self, policy: PolicyDecision) -> Self {
        self.event.policy = Some(policy);
        self
    }

    /// Lets them in once that is durable.
    ///
    /// # Errors
    /// 503 with words for clients: the log cannot be written, and nobody comes in unrecorded.
    pub(crate) async fn open(&self, ledger: &Ledger) -> Result<(), Refusal> {
        match ledger.record(self.event.clone()).await {
            Ok(_) => Ok(()),
            Err(problem) => Err(unwritable(&problem)),
        }
    }

    /// Turns them away, or could not let them in after all.
    pub(crate) fn turn_away(&self, ledger: &Ledger, refusal: &Refusal) {
        let (outcome, reason) = match refusal.status {
            401 | 403 => (Outcome::Denied, "not_granted"),
            404 => (Outcome::Denied, "no_such_room"),
            503 => (Outcome::Failed, "unavailable"),
            _ => (Outcome::Failed, "malformed"),
        };
        self.turn_away_for(ledger, outcome, reason);
    }

    /// The same, for a reason of which the answer's status says too little.
    pub(crate) fn turn_away_for(&self, ledger: &Ledger, outcome: Outcome, reason: &'static str) {
        let mut event = self.event.clone();
        (event.outcome, event.reason) = (outcome, Some(reason));
        ledger.note(event);
    }
}

/// A token that was refused before any room was concerned.
pub(crate) fn token_refused(app: &App, parts: &Parts, refusal: &Refusal) {
    let mut event = event(Action::TokenRefused, Actor::unknown(address(parts)));
    event.outcome = Outcome::Denied;
    event.reason = Some(match refusal.status {
        401 => "invalid",
        _ => "unusable",
    });
    app.strangers.note(&app.ledger, event);
}

/// A call of the server API that was carried out, or not.
pub(crate) fn api_call(
    actor: Actor,
    method: &'static str,
    room: Option<String>,
    result: Result<(), (Outcome, &'static str)>,
) -> Event {
    let mut event = event(Action::ApiCall, actor);
    event.purpose = Purpose::Operations;
    event.room = room.filter(|room| !room.is_empty()).map(Phi::new);
    event.object = Some(Object {
        kind: "method",
        id: method.to_owned(),
    });
    if let Err((outcome, reason)) = result {
        (event.outcome, event.reason) = (outcome, Some(reason));
    }
    event
}

/// Whether somebody could be let in now: a browser asks when its WebSocket has failed.
///
/// # Errors
/// As [`Door::open`].
pub(crate) fn check_writable(ledger: &Ledger) -> Result<(), Refusal> {
    match &ledger.health().borrow().problem {
        None => Ok(()),
        Some(problem) => Err(unwritable(problem)),
    }
}

/// What clients and the page show while the log cannot be written.
pub(crate) fn unwritable(problem: &Unwritable) -> Refusal {
    tracing::error!(code = problem.code(), "somebody was not let in: {problem}");
    Refusal {
        status: 503,
        reason: "this server cannot keep its records at the moment, so nobody can be let in; try \
                 again in a moment"
            .to_owned(),
    }
}
