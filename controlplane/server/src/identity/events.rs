//! Records of log-ins, sessions and users.

use super::provider::Person;
use super::users::{Session, User};
use crate::clock::since_epoch;
use crate::identity::principal::credential;
use crate::store::links::Digest;
use bedside_audit::{
    Action, Actor, ActorKind, Authentication, Event, Fact, Object, Outcome, Purpose, Role,
};
use bedside_protocol::Phi;
use std::net::IpAddr;

/// Something that concerns identity: operations, not treatment.
pub(crate) fn event(action: Action, actor: Actor) -> Event {
    let at_us = u64::try_from(since_epoch().as_micros()).unwrap_or(u64::MAX);
    let mut event = Event::new(at_us, action, actor);
    event.purpose = Purpose::Operations;
    event
}

/// Somebody at `address` could not log in.
pub(super) fn login_refused(
    address: Option<IpAddr>,
    person: Option<&Person>,
    outcome: Outcome,
    reason: &'static str,
) -> Event {
    let mut actor = Actor::unknown(address);
    let mut event_here = event(Action::Login, Actor::unknown(address));
    if let Some(person) = person {
        actor.authentication = Some(vouched(person, None));
        event_here
            .detail
            .insert("subject", Phi::new(person.subject.expose().clone()));
    }
    event_here.actor = actor;
    event_here.outcome = outcome;
    event_here.reason = Some(reason);
    event_here
}

/// Somebody logged in.
pub(super) fn login(
    user: &User,
    person: &Person,
    session: &Session,
    address: Option<IpAddr>,
) -> Event {
    let mut event = event(
        Action::Login,
        Actor {
            kind: ActorKind::User,
            id: Some(Phi::new(user.id.clone())),
            role: session.roles.first().copied(),
            authentication: Some(vouched(person, Some(session))),
            address,
        },
    );
    event
        .facts
        .insert("roles", Fact::Text(names(&session.roles)));
    event.facts.insert("mfa", Fact::Flag(session.multi_factor));
    event
}

/// A user is new, has another name, or has other roles.
pub(super) fn user_changes(before: Option<&User>, user: &User) -> Vec<Event> {
    let object = || Object {
        kind: "user",
        id: user.id.clone(),
    };
    let mut changes = Vec::new();
    let same_name = before.is_some_and(|before| before.display_name == user.display_name);
    if !same_name {
        let mut change = event(Action::UserChange, Actor::SYSTEM);
        change.object = Some(object());
        change.reason = Some(if before.is_none() {
            "user_new"
        } else {
            "user_renamed"
        });
        change
            .detail
            .insert("display_name", user.display_name.clone());
        changes.push(change);
    }
    let roles_before = before.map_or(&[][..], |before| &before.roles);
    if roles_before != user.roles {
        let mut change = event(Action::RoleChange, Actor::SYSTEM);
        change.object = Some(object());
        change.reason = Some("provider_says");
        change
            .facts
            .insert("before", Fact::Text(names(roles_before)));
        change.facts.insert("after", Fact::Text(names(&user.roles)));
        changes.push(change);
    }
    changes
}

/// A link, by what names it and opens nothing.
pub(crate) fn link(digest: &Digest) -> Object {
    Object {
        kind: "link",
        id: credential(digest),
    }
}

/// Something that happened to a session without its user asking.
pub(super) fn of_session(action: Action, session: &Session, reason: &'static str) -> Event {
    let mut event = event(action, Actor::SYSTEM);
    event.object = Some(Object {
        kind: "session",
        id: credential(&session.digest),
    });
    event.reason = Some(reason);
    event.detail.insert("user", Phi::new(session.user.clone()));
    event
}

fn vouched(person: &Person, session: Option<&Session>) -> Authentication {
    Authentication {
        method: "oidc".to_owned(),
        provider: Some(person.issuer.clone()),
        acr: person.acr.clone(),
        amr: person.amr.clone(),
        credential: session.map(|session| credential(&session.digest)),
    }
}

fn names(roles: &[Role]) -> String {
    let names: Vec<_> = roles.iter().map(|role| role.name()).collect();
    names.join(" ")
}
