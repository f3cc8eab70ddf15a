//! Back-channel logout: the provider says that somebody's session there is over
//! (OpenID Connect Back-Channel Logout 1.0).

use super::{Provider, ProviderError, TokenProblem};
use crate::clock::since_epoch;
use crate::limits::{
    LOGOUT_TOKEN_LIFETIME_S, PROVIDER_KEYS_LIFETIME, PROVIDER_REFRESH_MIN, TOKEN_BYTES_MAX,
    TOKEN_LEEWAY_S,
};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use openidconnect::core::CoreProviderMetadata;
use serde::Deserialize;
use serde_json::Value;

/// Whose sessions are over: of one session at the provider, or all of a person's.
#[derive(Debug)]
pub(crate) struct LoggedOut {
    pub(crate) issuer: String,
    pub(crate) subject: Option<String>,
    pub(crate) sid: Option<String>,
    /// Each token counts once.
    pub(crate) id: String,
}

/// §2.4.
#[derive(Deserialize)]
struct Claims {
    iat: u64,
    jti: String,
    sub: Option<String>,
    sid: Option<String>,
    nonce: Option<Value>,
    events: serde_json::Map<String, Value>,
}

impl Provider {
    /// Checks a logout token (§2.6).
    ///
    /// # Errors
    /// [`ProviderError`].
    pub(crate) async fn logged_out(&self, token: &str) -> Result<LoggedOut, ProviderError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(ProviderError::Token(TokenProblem::Malformed));
        }
        let metadata = self.metadata(PROVIDER_KEYS_LIFETIME).await?;
        match self.check_logout(token, &metadata) {
            Err(TokenProblem::Key) => {
                let metadata = self.metadata(PROVIDER_REFRESH_MIN).await?;
                self.check_logout(token, &metadata)
            }
            checked => checked,
        }
        .map_err(ProviderError::Token)
    }

    fn check_logout(
        &self,
        token: &str,
        metadata: &CoreProviderMetadata,
    ) -> Result<LoggedOut, TokenProblem> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenProblem::Malformed)?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(TokenProblem::Algorithm);
        }
        let keys: JwkSet = serde_json::to_value(metadata.jwks())
            .and_then(serde_json::from_value)
            .map_err(|_| TokenProblem::Key)?;
        let key = match &header.kid {
            Some(kid) => keys.find(kid),
            None if keys.keys.len() == 1 => keys.keys.first(),
            None => None,
        };
        let key = key.ok_or(TokenProblem::Key)?;
        let key = DecodingKey::from_jwk(key).map_err(|_| TokenProblem::Key)?;
        let mut validation = Validation::new(header.alg);
        validation.leeway = TOKEN_LEEWAY_S;
        validation.set_audience(&[self.client_id.as_str()]);
        validation.set_issuer(&[self.issuer.as_str()]);
        // Only the later editions of the specification ask for `exp`; the age is bounded below.
        validation.set_required_spec_claims(&["iss", "aud"]);
        let claims = jsonwebtoken::decode::<Claims>(token, &key, &validation)
            .map_err(|error| match error.kind() {
                ErrorKind::InvalidSignature => TokenProblem::Signature,
                ErrorKind::InvalidAudience => TokenProblem::Audience,
                ErrorKind::InvalidIssuer => TokenProblem::Issuer,
                ErrorKind::ExpiredSignature => TokenProblem::Expired,
                ErrorKind::InvalidAlgorithm => TokenProblem::Algorithm,
                _ => TokenProblem::Malformed,
            })?
            .claims;
        let now_s = since_epoch().as_secs();
        let oldest_s = now_s.saturating_sub(LOGOUT_TOKEN_LIFETIME_S);
        if !(oldest_s..=now_s + TOKEN_LEEWAY_S).contains(&claims.iat) {
            return Err(TokenProblem::Expired);
        }
        // A nonce would make it an ID token, which must never end a session.
        if claims.nonce.is_some() || !claims.events.contains_key(EVENT) {
            return Err(TokenProblem::Malformed);
        }
        if claims.sub.is_none() && claims.sid.is_none() {
            return Err(TokenProblem::Malformed);
        }
        Ok(LoggedOut {
            issuer: self.issuer.to_string(),
            subject: claims.sub,
            sid: claims.sid,
            id: claims.jti,
        })
    }
}

/// Those of [`super::ALGORITHMS`].
const ALGORITHMS: [Algorithm; 3] = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];

/// §2.4: the one member of `events`.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
