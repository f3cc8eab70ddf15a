//! Sessions of the workforce: how they begin, lock and end (45 CFR 164.312(a)(2)(iii)).
//!
//! Who is idle is logged off by a lock: the session opens nothing any more, and the page covers
//! itself, but media is not its business and goes on. Logging in again, as the same person, replaces
//! the locked session by a new one.

use super::events;
use super::provider::Person;
use super::users::{Session, User};
use crate::Error;
use crate::app::App;
use crate::config::IdentityConfig;
use crate::limits::SESSION_CHECK_INTERVAL;
use crate::links::{hash, random_token};
use crate::store::now_s;
use bedside_audit::{Action, Role};
use tokio::time::{MissedTickBehavior, interval};

/// What a session will be, and the cookie that opens it.
///
/// # Errors
/// [`Error::Random`].
pub(super) fn prepare(
    config: &IdentityConfig,
    user: &User,
    person: &Person,
) -> Result<(Session, String), Error> {
    let cookie = random_token()?;
    let now_s = now_s();
    let session = Session {
        digest: hash(&cookie),
        user: user.id.clone(),
        roles: person.roles.clone(),
        provider_sid: person.sid.clone(),
        acr: person.acr.clone(),
        amr: person.amr.clone(),
        multi_factor: person.multi_factor,
        authenticated_s: person.authenticated_s,
        created_s: now_s,
        last_used_s: now_s,
        expires_s: now_s + i64::from(config.session_s),
        locked_s: None,
    };
    Ok((session, cookie))
}

/// How long such a session may be unused, seconds: whoever has several roles has the duties of
/// each, so the shortest counts.
pub(crate) fn idle_s_max(config: &IdentityConfig, roles: &[Role]) -> i64 {
    if roles.iter().all(|role| *role == Role::Clinician) {
        i64::from(config.clinician_idle_s)
    } else {
        i64::from(config.administrator_idle_s.min(config.clinician_idle_s))
    }
}

/// Whether a session is locked, or must be: nobody waits for the sweep.
pub(crate) fn is_locked(config: &IdentityConfig, session: &Session, now_s: i64) -> bool {
    session.locked_s.is_some()
        || now_s.saturating_sub(session.last_used_s) > idle_s_max(config, &session.roles)
}

/// Locks what is idle and ends what has lasted its time, for ever.
pub(crate) async fn sweep(app: App) {
    let mut ticks = interval(SESSION_CHECK_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = sweep_once(&app, now_s()).await {
            tracing::error!(%error, "sessions whose time is over were not ended; they open nothing");
        }
    }
}

/// One look.
///
/// # Errors
/// [`Error::Database`].
pub(super) async fn sweep_once(app: &App, now_s: i64) -> Result<(), Error> {
    for session in app.store.sessions().await? {
        if session.expires_s <= now_s {
            if app.store.end_session(&session.digest).await? {
                app.ledger.note(events::of_session(
                    Action::SessionTimeout,
                    &session,
                    "absolute",
                ));
            }
        } else if session.locked_s.is_none()
            && is_locked(app.identity.config(), &session, now_s)
            && app.store.lock_session(&session.digest).await?
        {
            app.ledger
                .note(events::of_session(Action::SessionLock, &session, "idle"));
        }
    }
    app.store.forget_used_tokens().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strictest_role_says_how_long_a_session_may_rest() {
        let config = IdentityConfig::default();
        let check = |roles: &[Role], expected| assert_eq!(idle_s_max(&config, roles), expected);
        check(&[Role::Clinician], 900);
        check(&[Role::Administrator], 600);
        check(&[Role::Clinician, Role::SecurityOfficer], 600);
    }
}
