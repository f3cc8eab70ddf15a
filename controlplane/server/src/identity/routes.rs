//! `/login`, `/oidc/callback`, `/oidc/backchannel-logout`, `/logout`, `/api/me`, `/api/session/*`.

use super::logins::{self, Unexpected};
use super::provider::{Person, ProviderError};
use super::users::User;
use super::{Principal, cookie, events, pages, sessions};
use crate::Error;
use crate::app::App;
use crate::authorize::Routes;
use crate::http::cookie as cookie_of;
use crate::limits::{API_BODY_BYTES_MAX, TOKEN_BYTES_MAX};
use crate::links::{RateLimit, random_token};
use crate::listener::PeerAddress;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::{Extension, Json};
use bedside_audit::{Action, ActorKind, Outcome};
use bedside_policy::Action as Asked;
use http::header::SET_COOKIE;
use http::{HeaderMap, Method, StatusCode};
use pages::Trouble;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

pub(crate) fn routes() -> Routes {
    // A logout token is longer than anything else that is posted.
    let tokens = Routes::new()
        .on(
            Method::POST,
            "/oidc/backchannel-logout",
            Asked::LogIn,
            backchannel_logout,
        )
        .layer(DefaultBodyLimit::max(2 * TOKEN_BYTES_MAX));
    Routes::new()
        .on(Method::GET, "/login", Asked::LogIn, login)
        .on(Method::GET, "/oidc/callback", Asked::LogIn, callback)
        .on(Method::POST, "/logout", Asked::KeepSession, logout)
        .on(Method::GET, "/api/me", Asked::OpenPage, me)
        .on(
            Method::POST,
            "/api/session/activity",
            Asked::KeepSession,
            activity,
        )
        .on(Method::POST, "/api/session/lock", Asked::KeepSession, lock)
        .layer(DefaultBodyLimit::max(API_BODY_BYTES_MAX))
        .merge(tokens)
}

/// What a login is for.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Purpose {
    /// To begin.
    Begin,
    /// To go on behind a locked screen, in a window of its own.
    Unlock,
    /// To show a second factor again.
    StepUp,
}

#[derive(Deserialize)]
struct LoginQuery {
    r#for: Option<Purpose>,
}

async fn login(
    State(app): State<App>,
    Extension(limit): Extension<RateLimit>,
    Extension(PeerAddress(address)): Extension<PeerAddress>,
    query: Result<Query<LoginQuery>, axum::extract::rejection::QueryRejection>,
    principal: Principal,
    headers: HeaderMap,
) -> Response {
    if !limit.admit(address) {
        return pages::trouble(Trouble::TooOften);
    }
    let Some(provider) = app.identity.provider() else {
        return pages::trouble(Trouble::NoProvider);
    };
    let purpose = query.ok().and_then(|Query(query)| query.r#for);
    let fresh = matches!(purpose, Some(Purpose::Unlock | Purpose::StepUp));
    let begun = match provider.begin(fresh).await {
        Ok(begun) => begun,
        Err(error) => return failed(&app, Some(address), &error),
    };
    // Two logins of one browser, in two tabs, share the cookie.
    let known =
        cookie_of(&headers, logins::COOKIE).filter(|token| token.len() == COOKIE_CHARACTERS);
    let token = match known
        .map(|token| Ok(token.to_owned()))
        .unwrap_or_else(random_token)
    {
        Ok(token) => token,
        Err(error) => return broken(&error),
    };
    let url = begun.url.clone();
    let replaces = principal
        .session
        .zip(principal.id)
        .map(|(session, user)| logins::Replaced {
            session,
            user: user.into_inner(),
        });
    app.identity.logins().begin(begun, &token, replaces);
    let mut response = Redirect::to(&url).into_response();
    let headers = response.headers_mut();
    headers.insert(SET_COOKIE, logins::cookie_header(&token));
    response
}

#[derive(Deserialize)]
struct CallbackQuery {
    state: Option<String>,
    code: Option<String>,
    /// RFC 9207.
    iss: Option<String>,
}

async fn callback(
    State(app): State<App>,
    Extension(limit): Extension<RateLimit>,
    Extension(PeerAddress(address)): Extension<PeerAddress>,
    query: Result<Query<CallbackQuery>, axum::extract::rejection::QueryRejection>,
    headers: HeaderMap,
) -> Response {
    if !limit.admit(address) {
        return pages::trouble(Trouble::TooOften);
    }
    let refuse = |outcome, trouble: Trouble| {
        let event = events::login_refused(Some(address), None, outcome, trouble.code());
        app.strangers.note(&app.ledger, event);
        pages::trouble(trouble)
    };
    let Some(provider) = app.identity.provider() else {
        return pages::trouble(Trouble::NoProvider);
    };
    let Ok(Query(query)) = query else {
        return refuse(Outcome::Denied, Trouble::LoginUnknown);
    };
    let browser = cookie_of(&headers, logins::COOKIE);
    let state = query.state.unwrap_or_default();
    let login = match app.identity.logins().end(&state, browser) {
        Ok(login) => login,
        Err(Unexpected::Unknown) => return refuse(Outcome::Denied, Trouble::LoginUnknown),
        Err(Unexpected::OtherBrowser) => return refuse(Outcome::Denied, Trouble::OtherBrowser),
    };
    if query.iss.is_some_and(|iss| iss != provider.issuer()) {
        return refuse(Outcome::Failed, Trouble::Provider);
    }
    let Some(code) = query.code else {
        return refuse(Outcome::Denied, Trouble::ProviderRefused);
    };
    let fresh = login.begun.fresh;
    let person = match provider.finish(login.begun, code).await {
        Ok(person) => person,
        Err(error) => return failed(&app, Some(address), &error),
    };
    match enter(&app, &person, login.replaces, fresh, address).await {
        Ok(token) => {
            let target = if fresh {
                "/clinic?unlocked=1"
            } else {
                "/clinic"
            };
            let mut response = Redirect::to(target).into_response();
            response
                .headers_mut()
                .insert(SET_COOKIE, cookie::set(&token));
            response
        }
        Err(Refused::Trouble(trouble)) => {
            app.ledger.note(events::login_refused(
                Some(address),
                Some(&person),
                Outcome::Denied,
                trouble.code(),
            ));
            pages::trouble(trouble)
        }
        Err(Refused::Broken(error)) => broken(&error),
    }
}

enum Refused {
    Trouble(Trouble),
    Broken(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Broken(error)
    }
}

/// Lets somebody in for whom the provider vouches; returns the new session's cookie.
async fn enter(
    app: &App,
    person: &Person,
    replaces: Option<logins::Replaced>,
    fresh: bool,
    address: IpAddr,
) -> Result<String, Refused> {
    let refuse = |trouble| Err(Refused::Trouble(trouble));
    if person.roles.is_empty() {
        return refuse(Trouble::NoRole);
    }
    if app.identity.asks_for_mfa() && !person.multi_factor {
        return refuse(Trouble::NoSecondFactor);
    }
    let candidate = User {
        id: format!("U_{}", &random_token()?[..USER_ID_CHARACTERS]),
        issuer: person.issuer.clone(),
        subject: person.subject.clone(),
        display_name: person.display_name.clone(),
        roles: person.roles.clone(),
        created_s: 0,
        last_seen_s: 0,
        revoked_s: None,
    };
    let (before, user) = app.store.see_user(&candidate).await?;
    if user.revoked_s.is_some() {
        return refuse(Trouble::Revoked);
    }
    // Behind a locked screen is somebody's consult: nobody else unlocks it.
    if fresh && replaces.as_ref().is_some_and(|old| old.user != user.id) {
        return refuse(Trouble::OtherUser);
    }
    let replaces = replaces.map(|old| old.session);
    let replaced = match &replaces {
        Some(digest) => app.store.session(digest).await?,
        None => None,
    };
    let (session, token) = sessions::prepare(app.identity.config(), &user, person)?;
    let login = events::login(&user, person, &session, Some(address));
    if app.ledger.record(login).await.is_err() {
        return refuse(Trouble::Unwritable);
    }
    app.store
        .create_session(&session, replaces.as_ref())
        .await?;
    for change in events::user_changes(before.as_ref(), &user) {
        app.ledger.note(change);
    }
    if let Some((old, _)) = replaced.filter(|(old, _)| old.locked_s.is_some() && fresh) {
        app.ledger
            .note(events::of_session(Action::SessionLock, &old, "unlocked"));
    }
    Ok(token)
}

fn failed(app: &App, address: Option<IpAddr>, error: &ProviderError) -> Response {
    // The texts are ours and hold nothing that was sent.
    tracing::warn!(%error, "a login failed");
    let event = events::login_refused(address, None, Outcome::Failed, error.reason());
    app.strangers.note(&app.ledger, event);
    pages::trouble(match error {
        ProviderError::Unreachable(_) => Trouble::ProviderAway,
        ProviderError::Code => Trouble::LoginUnknown,
        ProviderError::Metadata | ProviderError::Token(_) => Trouble::Provider,
    })
}

fn broken(error: &Error) -> Response {
    tracing::error!(%error, "a login failed");
    pages::trouble(Trouble::Unavailable)
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
    /// How long a session of the workforce may be unused, seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    idle_s: Option<i64>,
    /// Whether people of the workforce can log in here at all.
    login: bool,
}

/// Somebody is there: the page says so when it is touched. Nothing else counts, since pages ask by
/// themselves.
async fn activity(State(app): State<App>, principal: Principal) -> Response {
    if let (Some(session), Some(id), false) = (principal.session, &principal.id, principal.locked)
        && let Err(error) = app.store.touch_session(&session, id.expose()).await
    {
        return unavailable(&error);
    }
    me(State(app), principal).await.into_response()
}

async fn me(State(app): State<App>, principal: Principal) -> Json<Me> {
    let config = app.identity.config();
    Json(Me {
        kind: principal.kind,
        id: principal.id.as_ref().map(|id| id.expose().clone()),
        roles: principal.roles.iter().map(|role| role.name()).collect(),
        locked: principal.locked,
        stepped_up: principal.is_stepped_up(),
        idle_s: principal
            .session
            .map(|_| sessions::idle_s_max(config, &principal.roles)),
        login: app.identity.provider().is_some(),
    })
}

async fn lock(State(app): State<App>, principal: Principal) -> Response {
    let Some(session) = principal.session else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    match app.store.lock_session(&session).await {
        Ok(locked) => {
            if locked {
                let mut event = events::event(Action::SessionLock, principal.actor(None));
                event.reason = Some("asked");
                app.ledger.note(event);
            }
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => unavailable(&error),
    }
}

async fn logout(State(app): State<App>, principal: Principal) -> Response {
    if let Some(session) = principal.session {
        match app.store.end_session(&session).await {
            Ok(_) => app
                .ledger
                .note(events::event(Action::Logout, principal.actor(None))),
            Err(error) => return unavailable(&error),
        }
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().insert(SET_COOKIE, cookie::clear());
    response
}

/// §2.5: a form with the logout token; 200 when done, 400 for one that is wrong.
async fn backchannel_logout(
    State(app): State<App>,
    Extension(PeerAddress(address)): Extension<PeerAddress>,
    body: String,
) -> Response {
    let Some(provider) = app.identity.provider() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let token = form_urlencoded::parse(body.as_bytes())
        .find_map(|(name, value)| (name == "logout_token").then_some(value));
    let refuse = |reason: &'static str| {
        let mut event = events::event(Action::Logout, bedside_audit::Actor::unknown(Some(address)));
        event.outcome = Outcome::Denied;
        event.reason = Some(reason);
        app.strangers.note(&app.ledger, event);
        let words = serde_json::json!({ "error": "invalid_request", "error_description": reason });
        (StatusCode::BAD_REQUEST, Json(words)).into_response()
    };
    let over = match provider.logged_out(&token.unwrap_or_default()).await {
        Ok(over) => over,
        Err(error) => return refuse(error.reason()),
    };
    match end_at_provider(&app, &over).await {
        Ok(true) => StatusCode::OK.into_response(),
        Ok(false) => refuse("logout_token_used"),
        Err(error) => unavailable(&error),
    }
}

/// Ends what a logout token names, once; whether it was the first time.
async fn end_at_provider(app: &App, over: &super::provider::LoggedOut) -> Result<bool, Error> {
    let id = crate::links::hash(&format!("{}\n{}", over.issuer, over.id));
    let until_s = crate::store::now_s()
        + i64::try_from(2 * crate::limits::LOGOUT_TOKEN_LIFETIME_S).unwrap_or(i64::MAX);
    if !app.store.use_token(&id, until_s).await? {
        return Ok(false);
    }
    let ended = app
        .store
        .end_sessions_at_provider(&over.issuer, over.subject.as_deref(), over.sid.as_deref())
        .await?;
    for session in &ended {
        app.ledger
            .note(events::of_session(Action::Logout, session, "provider_says"));
    }
    Ok(true)
}

fn unavailable(error: &Error) -> Response {
    tracing::error!(%error, "a session could not be changed");
    StatusCode::SERVICE_UNAVAILABLE.into_response()
}

/// Of a login's cookie: 256 bits in base64url.
const COOKIE_CHARACTERS: usize = 43;

/// Of randomness in a user's id: 132 bits.
const USER_ID_CHARACTERS: usize = 22;
