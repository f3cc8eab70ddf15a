//! Logins under way: what must come back from the provider, and to which browser.

use super::provider::Begun;
use crate::limits::{LOGIN_LIFETIME, LOGINS_MAX};
use crate::links::hash;
use crate::store::links::Digest;
use http::HeaderValue;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use tokio::time::Instant;

/// By state. A restart forgets them: whoever was typing a password starts again.
#[derive(Debug, Default)]
pub(super) struct Logins {
    under_way: Mutex<HashMap<Digest, Login>>,
}

#[derive(Debug)]
pub(super) struct Login {
    pub(super) begun: Begun,
    /// SHA-256 of the browser's cookie: a login that one browser began ends in no other one
    /// (login CSRF).
    browser: Digest,
    /// The session that the browser had.
    pub(super) replaces: Option<Replaced>,
    at: Instant,
}

/// A session that a login takes the place of.
#[derive(Debug)]
pub(super) struct Replaced {
    pub(super) session: Digest,
    /// Whose it was when the login began: it may have ended since, as it does where the provider
    /// logs somebody out to let somebody else in.
    pub(super) user: String,
}

/// Why a browser that comes back is not logged in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unexpected {
    /// Never begun, too long ago, or ended already.
    Unknown,
    /// Begun in another browser.
    OtherBrowser,
}

impl Logins {
    /// Keeps a login for the browser with `cookie`.
    pub(super) fn begin(&self, begun: Begun, cookie: &str, replaces: Option<Replaced>) {
        let now = Instant::now();
        let mut logins = self
            .under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if logins.len() >= LOGINS_MAX {
            logins.retain(|_, login| now.duration_since(login.at) < LOGIN_LIFETIME);
        }
        if logins.len() >= LOGINS_MAX
            && let Some(oldest) = logins
                .iter()
                .min_by_key(|(_, login)| login.at)
                .map(|(state, _)| *state)
        {
            logins.remove(&oldest);
        }
        let state = hash(&begun.state);
        let login = Login {
            begun,
            browser: hash(cookie),
            replaces,
            at: now,
        };
        logins.insert(state, login);
    }

    /// The login that `state` belongs to, once.
    pub(super) fn end(&self, state: &str, cookie: Option<&str>) -> Result<Login, Unexpected> {
        let mut logins = self
            .under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let state = hash(state);
        let login = logins.get(&state).ok_or(Unexpected::Unknown)?;
        if cookie.map(hash) != Some(login.browser) {
            // It stays: its own browser may still come.
            return Err(Unexpected::OtherBrowser);
        }
        let login = logins.remove(&state).ok_or(Unexpected::Unknown)?;
        if login.at.elapsed() >= LOGIN_LIFETIME {
            return Err(Unexpected::Unknown);
        }
        Ok(login)
    }
}

/// The cookie that ties a login to a browser. `Lax`, since the way back from the provider comes
/// from another site.
pub(super) const COOKIE: &str = "__Host-bedside-login";

pub(super) fn cookie_header(token: &str) -> HeaderValue {
    let age_s = LOGIN_LIFETIME.as_secs();
    let text = format!("{COOKIE}={token}; Max-Age={age_s}; Path=/; HttpOnly; Secure; SameSite=Lax");
    HeaderValue::try_from(text).expect("base64url and our own words")
}

#[cfg(test)]
mod tests {
    use super::*;
    use openidconnect::{Nonce, PkceCodeVerifier};

    fn begun(state: &str) -> Begun {
        Begun {
            url: String::new(),
            state: state.to_owned(),
            nonce: Nonce::new("nonce".to_owned()),
            verifier: PkceCodeVerifier::new("v".repeat(43)),
            at_s: 0,
            fresh: false,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_login_ends_once_in_its_own_browser_and_in_time() {
        let logins = Logins::default();
        let end = |state: &str, cookie: Option<&str>| logins.end(state, cookie).map(drop);
        logins.begin(begun("a"), "mine", None);
        assert_eq!(end("b", Some("mine")), Err(Unexpected::Unknown));
        assert_eq!(end("a", Some("other")), Err(Unexpected::OtherBrowser));
        assert_eq!(end("a", None), Err(Unexpected::OtherBrowser));
        assert_eq!(end("a", Some("mine")), Ok(()));
        assert_eq!(end("a", Some("mine")), Err(Unexpected::Unknown));
        logins.begin(begun("c"), "mine", None);
        tokio::time::advance(LOGIN_LIFETIME).await;
        assert_eq!(end("c", Some("mine")), Err(Unexpected::Unknown));
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_gives_way() {
        let logins = Logins::default();
        for number in 0..=LOGINS_MAX {
            logins.begin(begun(&number.to_string()), "mine", None);
            tokio::time::advance(std::time::Duration::from_micros(1)).await;
        }
        let end = |number: usize| logins.end(&number.to_string(), Some("mine")).map(drop);
        assert_eq!(end(0), Err(Unexpected::Unknown));
        assert_eq!(end(1), Ok(()));
        assert_eq!(end(LOGINS_MAX), Ok(()));
    }
}
