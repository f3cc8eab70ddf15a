//! Access tokens: JWTs signed with HS256 by an API key's secret, as LiveKit's server SDKs make
//! them (RFC 7519).

use crate::clock::since_epoch;
use crate::keys::ApiKeys;
use crate::limits::{TOKEN_BYTES_MAX, TOKEN_LEEWAY_S};
use crate::revocation::Refusals;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bedside_protocol::Secret;
use bedside_rooms::{Claims, Refusal};
use http::header::AUTHORIZATION;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

/// Verifies and signs access tokens with the API keys as they are now.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    keys: Arc<RwLock<Arc<ApiKeys>>>,
    used: Arc<Mutex<BTreeMap<String, u64>>>,
    lifetime_s_max: Option<u64>,
    refusals: Refusals,
}

impl Tokens {
    pub(crate) fn new(keys: ApiKeys) -> Self {
        Self {
            keys: Arc::new(RwLock::new(Arc::new(keys))),
            used: Arc::default(),
            lifetime_s_max: None,
            refusals: Refusals::default(),
        }
    }

    /// The same, where tokens that are good for longer than this are refused.
    pub(crate) fn with_lifetime_max(self, lifetime_s_max: Option<u64>) -> Self {
        Self {
            lifetime_s_max,
            ..self
        }
    }

    /// Whose tokens are refused.
    pub(crate) const fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// Which API keys have signed good tokens since the last call, and when last (Unix seconds).
    pub(crate) fn take_used(&self) -> BTreeMap<String, u64> {
        std::mem::take(&mut *self.used.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts other keys into force: tokens of removed ones are refused from now on.
    pub(crate) fn replace(&self, keys: ApiKeys) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }

    fn keys(&self) -> Arc<ApiKeys> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The API key that signs what the server itself makes, with its secret: the file's first.
    /// One that was revoked signs nothing, unless there is no other.
    pub(crate) fn first_entry(&self) -> (String, Secret<String>) {
        let keys = self.keys();
        let good = keys
            .entries()
            .iter()
            .map(|entry| entry.name.as_str())
            .find(|key| !self.refusals.refuse_key(key))
            .and_then(|key| Some((key.to_owned(), keys.secret(key)?.clone())));
        good.unwrap_or_else(|| {
            let (name, secret) = keys.first();
            (name.to_owned(), secret.clone())
        })
    }

    /// The API key that signs what the server itself makes: the file's first.
    pub(crate) fn first_key(&self) -> String {
        self.first_entry().0
    }

    /// The API keys, as they are now.
    pub(crate) fn api_keys(&self) -> Arc<ApiKeys> {
        self.keys()
    }

    /// The names of all API keys in force.
    pub(crate) fn key_names(&self) -> Vec<String> {
        self.keys().names().map(str::to_owned).collect()
    }

    /// Whether an API key of this name is in force.
    pub(crate) fn has_key(&self, key: &str) -> bool {
        self.keys().secret(key).is_some()
    }

    /// The claims of a token whose signature and dates are good.
    ///
    /// # Errors
    /// 401 with a plain reason: malformed, another algorithm, an unknown API key, a wrong
    /// signature, expired or not yet valid.
    pub(crate) fn verify(&self, token: &str) -> Result<Claims, Refusal> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(unauthorized("token is too long"));
        }
        let unverified = jsonwebtoken::decode_header(token).and_then(|header| {
            Ok((
                header,
                jsonwebtoken::dangerous::insecure_decode::<Issuer>(token)?,
            ))
        });
        let (header, issuer) = unverified.map_err(|_| unauthorized("token is malformed"))?;
        // The header is the attacker's: it may not choose how it is checked (RFC 8725 §3.1).
        if header.alg != Algorithm::HS256 {
            return Err(unauthorized("token must be signed with HS256"));
        }
        let keys = self.keys();
        let secret = keys
            .secret(&issuer.claims.iss)
            .ok_or_else(|| unauthorized("token is signed with an unknown API key"))?;
        let mut validation = Validation::new(Algorithm::HS256);
        validation.validate_nbf = true;
        validation.validate_aud = false;
        validation.leeway = TOKEN_LEEWAY_S;
        let key = DecodingKey::from_secret(secret.expose().as_bytes());
        let verified =
            jsonwebtoken::decode::<Claims>(token, &key, &validation).map_err(|error| {
                unauthorized(match error.kind() {
                    ErrorKind::InvalidSignature => "token signature is wrong",
                    ErrorKind::ExpiredSignature => "token has expired",
                    ErrorKind::ImmatureSignature => "token is not valid yet",
                    ErrorKind::MissingRequiredClaim(_) => "token has no expiry",
                    _ => "token is malformed",
                })
            })?;
        let latest_s = self.lifetime_s_max.map(|max_s| {
            since_epoch()
                .as_secs()
                .saturating_add(max_s + TOKEN_LEEWAY_S)
        });
        let expires_s = verified.claims.exp.unwrap_or(u64::MAX);
        if latest_s.is_some_and(|latest_s| expires_s > latest_s) {
            return Err(unauthorized("token is valid for too long"));
        }
        if self.refusals.refuse(&verified.claims) {
            return Err(unauthorized(REVOKED));
        }
        self.used
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(issuer.claims.iss, since_epoch().as_secs());
        Ok(verified.claims)
    }

    /// The verified claims that a request shows, and the token itself: `Authorization: Bearer` or,
    /// from browsers, which cannot set that header on a WebSocket, the query parameter
    /// `access_token`.
    ///
    /// # Errors
    /// 401 with a plain reason.
    pub(crate) fn claims_and_token(
        &self,
        parts: &http::request::Parts,
    ) -> Result<(Claims, String), Refusal> {
        if let Some(header) = parts.headers.get(AUTHORIZATION) {
            let token = header
                .to_str()
                .ok()
                .and_then(bearer)
                .ok_or_else(|| unauthorized("Authorization must be `Bearer` and a token"))?;
            return Ok((self.verify(token)?, token.to_owned()));
        }
        let query = parts.uri.query().unwrap_or_default();
        let token = form_urlencoded::parse(query.as_bytes())
            .find_map(|(name, value)| (name == "access_token").then_some(value));
        match token {
            Some(token) if !token.is_empty() => Ok((self.verify(&token)?, token.into_owned())),
            _ => Err(unauthorized("no access token")),
        }
    }

    /// A token with these claims and an id of its own, valid from now for `lifetime`, signed by
    /// the API key `claims.iss`. `None` if there is no such key any more.
    pub(crate) fn sign(&self, claims: &Claims, lifetime: Duration) -> Option<String> {
        let now_s = since_epoch().as_secs();
        let keys = self.keys();
        let secret = keys.secret(&claims.iss)?;
        let mut id = [0; 16];
        getrandom::fill(&mut id).ok()?;
        let claims = Claims {
            exp: Some(now_s.saturating_add(lifetime.as_secs())),
            nbf: Some(now_s),
            jti: URL_SAFE_NO_PAD.encode(id),
            ..claims.clone()
        };
        let key = EncodingKey::from_secret(secret.expose().as_bytes());
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).ok()
    }
}

/// What is answered to whoever's access was taken away.
pub(crate) const REVOKED: &str = "access was revoked";

/// What is read before the signature is checked, to know with which secret to check it.
#[derive(Deserialize)]
struct Issuer {
    #[serde(default)]
    iss: String,
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn unauthorized(reason: &str) -> Refusal {
    Refusal {
        status: 401,
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests;
