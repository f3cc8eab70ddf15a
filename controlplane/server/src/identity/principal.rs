//! Who calls an endpoint, and how that was proven.

use crate::app::App;
use crate::http::{Refused, cookie, is_same_origin};
use crate::identity::cookie as session_cookie;
use crate::identity::sessions::is_locked;
use crate::limits::STEP_UP_S_MAX;
use crate::links;
use crate::listener::PeerAddress;
use crate::store::links::{Digest, Link, LinkState};
use crate::store::now_s;
use crate::store::users::{Session, User};
use axum::extract::{FromRef, FromRequestParts};
use axum::response::{IntoResponse, Response};
use bedside_audit::{Actor, ActorKind, Authentication, Role};
use bedside_protocol::Phi;
use bedside_rooms::{Claims, Refusal};
use http::request::Parts;
use http::{Method, header::AUTHORIZATION};
use std::fmt::Write as _;
use std::net::IpAddr;

/// Who calls. What they may do is the policies' to say; this says only what was proven.
///
/// As an extractor it refuses nobody for being unknown: it refuses a token that is wrong (401),
/// and everybody while the database cannot be read (503).
#[derive(Clone, Debug)]
pub(crate) struct Principal {
    /// What kind of caller.
    pub(crate) kind: ActorKind,
    /// A user's id, a guest's identity, a token's identity or API key, an operator's uid; none
    /// for whoever has not shown who they are.
    pub(crate) id: Option<Phi<String>>,
    /// Roles that were proven; empty for whoever has none, and while the session is locked.
    pub(crate) roles: Vec<Role>,
    /// How it was proven.
    pub(crate) authentication: Option<Authentication>,
    /// Whether and when more than one factor was shown; workforce only.
    pub(crate) mfa: Option<Mfa>,
    /// The workforce session, by the SHA-256 of its cookie.
    pub(crate) session: Option<Digest>,
    /// The session is locked: it grants nothing until its user logs in again.
    pub(crate) locked: bool,
    /// A token's claims.
    pub(crate) claims: Option<Phi<Box<Claims>>>,
    /// The link that let a guest in.
    pub(crate) link: Option<Phi<Box<Link>>>,
    /// From where; none on the admin socket.
    pub(crate) address: Option<IpAddr>,
}

/// More than one factor was shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Mfa {
    /// When, Unix seconds, by the provider's clock.
    pub(crate) at_s: i64,
}

/// The user id of the process at the other end of the admin socket (`SO_PEERCRED`).
#[derive(Clone, Copy, Debug)]
pub(crate) struct PeerUid(pub(crate) u32);

impl Principal {
    /// Whoever has not shown who they are.
    pub(crate) const fn unknown(address: Option<IpAddr>) -> Self {
        Self {
            kind: ActorKind::Unknown,
            id: None,
            roles: Vec::new(),
            authentication: None,
            mfa: None,
            session: None,
            locked: false,
            claims: None,
            link: None,
            address,
        }
    }

    /// Somebody at the host: the admin socket lets in its owner and root alone.
    pub(crate) fn operator(PeerUid(uid): PeerUid) -> Self {
        Self {
            kind: ActorKind::Operator,
            id: Some(Phi::new(format!("uid:{uid}"))),
            authentication: Some(authentication("peer_credentials")),
            ..Self::unknown(None)
        }
    }

    /// Somebody of the workforce with a session that is not over.
    pub(crate) fn of_session(session: &Session, user: &User, address: Option<IpAddr>) -> Self {
        let locked = session.locked_s.is_some() || user.revoked_s.is_some();
        Self {
            kind: ActorKind::User,
            id: Some(Phi::new(user.id.clone())),
            roles: if locked {
                Vec::new()
            } else {
                session.roles.clone()
            },
            authentication: Some(Authentication {
                method: "session".to_owned(),
                provider: Some(user.issuer.clone()),
                acr: session.acr.clone(),
                amr: session.amr.clone(),
                credential: Some(credential(&session.digest)),
            }),
            mfa: session.multi_factor.then_some(Mfa {
                at_s: session.authenticated_s,
            }),
            session: Some(session.digest),
            locked,
            ..Self::unknown(address)
        }
    }

    /// A guest whose browser has used a link.
    pub(crate) fn of_link(link: Link, session: &Digest, address: Option<IpAddr>) -> Self {
        Self {
            kind: ActorKind::Patient,
            id: Some(Phi::new(link.identity.clone())),
            roles: Role::named(&link.role).into_iter().collect(),
            authentication: Some(Authentication {
                credential: Some(credential(session)),
                ..authentication("link")
            }),
            link: Some(Phi::new(Box::new(link))),
            ..Self::unknown(address)
        }
    }

    /// Whoever shows a good access token: an API key's holder vouches for them.
    pub(crate) fn of_token(claims: Claims, token: &str, address: Option<IpAddr>) -> Self {
        let agent =
            claims.kind == "agent" || claims.video.as_ref().is_some_and(|video| video.agent);
        let (kind, role) = if agent {
            (ActorKind::Agent, Role::Agent)
        } else {
            (ActorKind::Service, Role::Service)
        };
        // What we wrote into a token of a link or a session, whose holder proved more than that
        // they have the token.
        let proof = claims
            .bedside_authentication
            .clone()
            .unwrap_or_else(|| Authentication {
                provider: Some(claims.iss.clone()),
                credential: Some(credential(&links::hash(token))),
                ..authentication("token")
            });
        let id = match claims.subject() {
            "" => &claims.iss,
            subject => subject,
        };
        Self {
            kind,
            id: Some(Phi::new(id.to_owned())),
            roles: vec![role],
            authentication: Some(proof),
            claims: Some(Phi::new(Box::new(claims))),
            ..Self::unknown(address)
        }
    }

    /// Whether that role was proven.
    pub(crate) fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Whether more than one factor was shown within the last [`STEP_UP_S_MAX`] seconds: what
    /// break-glass, keys and revocation ask for.
    pub(crate) fn is_stepped_up(&self) -> bool {
        self.mfa
            .is_some_and(|mfa| now_s().saturating_sub(mfa.at_s) <= STEP_UP_S_MAX)
    }

    /// The caller as an audit record names them, acting in `role`, or in their first one.
    pub(crate) fn actor(&self, role: Option<Role>) -> Actor {
        Actor {
            kind: self.kind,
            id: self.id.clone(),
            role: role.or_else(|| self.roles.first().copied()),
            authentication: self.authentication.clone(),
            address: self.address,
        }
    }
}

/// Why nobody could be told who calls.
#[derive(Debug)]
pub(crate) enum Unauthenticated {
    /// A token that is wrong.
    Token(Refusal),
    /// A page of another site uses a visitor's session.
    ForeignOrigin,
    /// The database cannot be read.
    Unavailable,
}

impl From<crate::Error> for Unauthenticated {
    fn from(error: crate::Error) -> Self {
        tracing::error!(%error, "a caller's session could not be looked up");
        Self::Unavailable
    }
}

impl IntoResponse for Unauthenticated {
    fn into_response(self) -> Response {
        Refused(match self {
            Self::Token(refusal) => refusal,
            Self::ForeignOrigin => Refusal {
                status: 403,
                reason: "only this server's own pages may do this".to_owned(),
            },
            Self::Unavailable => Refusal {
                status: 503,
                reason: "the database cannot be read; try again in a moment".to_owned(),
            },
        })
        .into_response()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Principal
where
    App: FromRef<S>,
{
    type Rejection = Unauthenticated;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Unauthenticated> {
        if let Some(uid) = parts.extensions.get::<PeerUid>() {
            return Ok(Self::operator(*uid));
        }
        let app = App::from_ref(state);
        identify(&app, parts).await
    }
}

/// A token counts before a cookie: only a program sets one on purpose.
async fn identify(app: &App, parts: &Parts) -> Result<Principal, Unauthenticated> {
    let address = parts.extensions.get().map(|PeerAddress(address)| *address);
    if parts.headers.contains_key(AUTHORIZATION) {
        let (claims, token) = app
            .tokens
            .claims_and_token(parts)
            .map_err(Unauthenticated::Token)?;
        return Ok(Principal::of_token(claims, &token, address));
    }
    let found = of_cookies(app, parts, address).await?;
    Ok(found.unwrap_or_else(|| Principal::unknown(address)))
}

/// The workforce's session counts before a link's: a clinician may have both.
async fn of_cookies(
    app: &App,
    parts: &Parts,
    address: Option<IpAddr>,
) -> Result<Option<Principal>, Unauthenticated> {
    if let Some(token) = cookie(&parts.headers, session_cookie::NAME)
        && let Some((session, user)) = app.store.session(&links::hash(token)).await?
        && session.expires_s > now_s()
    {
        let session = Session {
            locked_s: is_locked(app.identity.config(), &session, now_s()).then_some(now_s()),
            ..session
        };
        let principal = Principal::of_session(&session, &user, address);
        let looks = [Method::GET, Method::HEAD].contains(&parts.method);
        // Another site's page must not do anything with a visitor's session; every browser names
        // the origin of what is not a mere look.
        if !looks && !is_same_origin(&parts.headers) {
            return Err(Unauthenticated::ForeignOrigin);
        }
        return Ok(Some(principal));
    }
    if let Some(token) = cookie(&parts.headers, links::SESSION_COOKIE) {
        let session = links::hash(token);
        if let LinkState::Open(link) = app.store.link_of_session(&session).await? {
            return Ok(Some(Principal::of_link(link, &session, address)));
        }
    }
    Ok(None)
}

fn authentication(method: &str) -> Authentication {
    Authentication {
        method: method.to_owned(),
        ..Authentication::default()
    }
}

/// The first 16 hexadecimal characters of a digest: names a credential, opens nothing.
pub(crate) fn credential(digest: &Digest) -> String {
    digest.iter().take(8).fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string can be written");
        text
    })
}

#[cfg(test)]
mod tests;
