//! The identity provider of the workforce: OpenID Connect, authorisation code with PKCE.
//!
//! What the provider says is checked as if it lied: issuer, audience and authorised party, an
//! algorithm out of three with a public key, nonce, expiry, age, time of authentication
//! (OIDC Core §3.1.3.7, RFC 8725).

mod claims;
mod fetch;
mod logout;

pub(crate) use logout::LoggedOut;

use crate::clock::since_epoch;
use crate::config::IdentityConfig;
use crate::limits::{LOGIN_LIFETIME, PROVIDER_KEYS_LIFETIME, PROVIDER_REFRESH_MIN, TOKEN_LEEWAY_S};
use crate::{Error, files, links};
use bedside_audit::Role;
use bedside_protocol::{Phi, Secret};
use chrono::{DateTime, Utc};
use claims::{MoreClaims, Vouched};
use fetch::{Fetch, FetchError};
use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreProviderMetadata,
    CoreResponseType, CoreRevocableToken, CoreRevocationErrorResponse,
    CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AuthenticationFlow, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret,
    CsrfToken, DiscoveryError, EmptyExtraTokenFields, EndpointMaybeSet, EndpointNotSet,
    EndpointSet, IdToken, IdTokenFields, IssuerUrl, Nonce, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, RequestTokenError, Scope, SignatureVerificationError, StandardErrorResponse,
    StandardTokenResponse, TokenResponse as _,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// The provider, as the configuration names it.
#[derive(Debug)]
pub(crate) struct Provider {
    config: IdentityConfig,
    issuer: IssuerUrl,
    client_id: ClientId,
    client_secret: Option<Secret<String>>,
    redirect: RedirectUrl,
    fetch: Fetch,
    /// What it last said about itself. Whoever finds it old asks while the others wait.
    known: Mutex<Option<Known>>,
}

#[derive(Clone, Debug)]
struct Known {
    metadata: Arc<CoreProviderMetadata>,
    at: Instant,
}

/// A login that has begun: what is kept until the browser comes back.
#[derive(Debug)]
pub(crate) struct Begun {
    /// Where the browser is sent.
    pub(crate) url: String,
    /// Comes back with the browser (RFC 6749 §10.12).
    pub(crate) state: String,
    /// Comes back in the ID token (OIDC Core §3.1.2.1).
    pub(crate) nonce: Nonce,
    /// Shown with the code (RFC 7636).
    pub(crate) verifier: PkceCodeVerifier,
    /// Seconds since the epoch.
    pub(crate) at_s: u64,
    /// Whether the person had to authenticate anew.
    pub(crate) fresh: bool,
}

/// Somebody for whom the provider vouches, with at least one role.
#[derive(Debug)]
pub(crate) struct Person {
    pub(crate) issuer: String,
    pub(crate) subject: Phi<String>,
    pub(crate) display_name: Phi<String>,
    pub(crate) roles: Vec<Role>,
    pub(crate) acr: Option<String>,
    pub(crate) amr: Vec<String>,
    pub(crate) multi_factor: bool,
    /// Unix seconds; 0 where the provider does not say.
    pub(crate) authenticated_s: i64,
    /// The provider's session.
    pub(crate) sid: Option<String>,
}

/// Why nobody is logged in. The texts hold nothing that the provider or the browser sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProviderError {
    /// Nothing usable came back.
    #[error("the identity provider cannot be reached: {0}")]
    Unreachable(String),
    /// What it says of itself makes no sense, or is another issuer's.
    #[error("the identity provider's description of itself is wrong")]
    Metadata,
    /// The code was wrong, old or used, or the client's secret is.
    #[error("the identity provider did not take the code: was it used before?")]
    Code,
    /// The ID token is not acceptable.
    #[error("the identity provider's token is not acceptable: {0}")]
    Token(TokenProblem),
}

/// What is wrong with an ID or logout token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TokenProblem {
    Missing,
    Malformed,
    Algorithm,
    Key,
    Signature,
    Issuer,
    Audience,
    Nonce,
    Expired,
    AuthenticationTime,
}

impl TokenProblem {
    /// The record's reason.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::Missing => "id_token_missing",
            Self::Malformed => "id_token_malformed",
            Self::Algorithm => "id_token_algorithm",
            Self::Key => "id_token_key",
            Self::Signature => "id_token_signature",
            Self::Issuer => "id_token_issuer",
            Self::Audience => "id_token_audience",
            Self::Nonce => "id_token_nonce",
            Self::Expired => "id_token_expired",
            Self::AuthenticationTime => "id_token_auth_time",
        }
    }
}

impl std::fmt::Display for TokenProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.reason())
    }
}

impl ProviderError {
    /// The record's reason.
    pub(crate) const fn reason(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "provider_unreachable",
            Self::Metadata => "provider_metadata",
            Self::Code => "code_refused",
            Self::Token(problem) => problem.reason(),
        }
    }
}

impl Provider {
    /// `url` is where browsers find this server. `None` without a provider.
    ///
    /// # Errors
    /// [`Error::Config`], [`Error::File`] with what to do.
    pub(crate) fn new(config: &IdentityConfig, url: &str) -> Result<Option<Self>, Error> {
        let Some(issuer) = &config.issuer else {
            return Ok(None);
        };
        let wrong = |setting: &str| Error::Config(format!("`{setting}` is not a URL"));
        let client_secret = match &config.client_secret_file {
            None => None,
            Some(path) => {
                let text = files::read_secret(path)?;
                Some(Secret::new(text.expose().trim().to_owned()))
            }
        };
        Ok(Some(Self {
            issuer: IssuerUrl::new(issuer.clone()).map_err(|_| wrong("identity.issuer"))?,
            client_id: ClientId::new(config.client_id.clone().unwrap_or_default()),
            client_secret,
            redirect: RedirectUrl::new(format!("{url}/oidc/callback"))
                .map_err(|_| wrong("public_url"))?,
            fetch: Fetch::new(config.ca_file.as_deref())?,
            known: Mutex::new(None),
            config: config.clone(),
        }))
    }

    /// What it calls itself.
    pub(crate) fn issuer(&self) -> &str {
        self.issuer.as_str()
    }

    #[cfg(test)]
    pub(super) async fn forget(&self) {
        *self.known.lock().await = None;
    }

    /// Prepares a login; `fresh` makes the person authenticate even if the provider knows them.
    ///
    /// # Errors
    /// [`ProviderError::Unreachable`], [`ProviderError::Metadata`].
    pub(crate) async fn begin(&self, fresh: bool) -> Result<Begun, ProviderError> {
        let random =
            || links::random_token().map_err(|error| ProviderError::Unreachable(error.to_string()));
        let verifier = PkceCodeVerifier::new(random()?);
        let (state, nonce) = (random()?, random()?);
        let client = self.client(self.metadata(PROVIDER_KEYS_LIFETIME).await?);
        let max_age = if fresh {
            Duration::ZERO
        } else {
            Duration::from_secs(self.config.session_s.into())
        };
        let mut request = client
            .authorize_url(
                AuthenticationFlow::<CoreResponseType>::AuthorizationCode,
                || CsrfToken::new(state),
                || Nonce::new(nonce),
            )
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .set_max_age(max_age)
            .add_scopes(self.config.scopes.iter().cloned().map(Scope::new));
        if fresh {
            request = request.add_prompt(CoreAuthPrompt::Login);
        }
        for acr in &self.config.mfa_acr {
            request = request.add_auth_context_value(
                openidconnect::AuthenticationContextClass::new(acr.clone()),
            );
        }
        let (url, state, nonce) = request.url();
        Ok(Begun {
            url: url.to_string(),
            state: state.secret().clone(),
            nonce,
            verifier,
            at_s: since_epoch().as_secs(),
            fresh,
        })
    }

    /// Exchanges the code that the browser came back with.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub(crate) async fn finish(&self, begun: Begun, code: String) -> Result<Person, ProviderError> {
        let client = self.client(self.metadata(PROVIDER_KEYS_LIFETIME).await?);
        let answer = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|_| ProviderError::Metadata)?
            .set_pkce_verifier(begun.verifier)
            .request_async(&self.fetch)
            .await
            .map_err(|error| match error {
                RequestTokenError::ServerResponse(_) => ProviderError::Code,
                RequestTokenError::Request(error) => ProviderError::Unreachable(error.to_string()),
                RequestTokenError::Parse(..) => ProviderError::Token(TokenProblem::Malformed),
                RequestTokenError::Other(_) => ProviderError::Metadata,
            })?;
        let token = answer
            .id_token()
            .ok_or(ProviderError::Token(TokenProblem::Missing))?;
        let expected = Expected {
            nonce: &begun.nonce,
            asked_s: begun.at_s,
            fresh: begun.fresh,
        };
        match self.verify(&client, token, &expected) {
            Err(TokenProblem::Key) => {
                // Keys rotate: whoever signs with one that we have not seen is asked for it once.
                let client = self.client(self.metadata(PROVIDER_REFRESH_MIN).await?);
                self.verify(&client, token, &expected)
            }
            verified => verified,
        }
        .map_err(ProviderError::Token)
    }

    fn verify(
        &self,
        client: &OidcClient,
        token: &ProvidersToken,
        expected: &Expected<'_>,
    ) -> Result<Person, TokenProblem> {
        let now_s = since_epoch().as_secs();
        let verifier = client
            .id_token_verifier()
            .set_allowed_algs(ALGORITHMS)
            .set_time_fn(move || time(now_s.saturating_sub(TOKEN_LEEWAY_S)))
            .set_issue_time_verifier_fn(move |issued| {
                let oldest = now_s.saturating_sub(LOGIN_LIFETIME.as_secs() + TOKEN_LEEWAY_S);
                if (time(oldest)..=time(now_s + TOKEN_LEEWAY_S)).contains(&issued) {
                    Ok(())
                } else {
                    Err("issued too early or too late".to_owned())
                }
            });
        let claims = token
            .claims(&verifier, expected.nonce)
            .map_err(|error| token_problem(&error))?;
        // OIDC Core §3.1.3.7 (5); the crate leaves it to its caller.
        if claims
            .authorized_party()
            .is_some_and(|party| *party != self.client_id)
        {
            return Err(TokenProblem::Audience);
        }
        let authenticated_s = claims
            .auth_time()
            .map(|at| at.timestamp())
            .filter(|at_s| *at_s <= seconds(now_s + TOKEN_LEEWAY_S));
        let early = seconds(expected.asked_s.saturating_sub(TOKEN_LEEWAY_S));
        if expected.fresh && authenticated_s.is_none_or(|at_s| at_s < early) {
            return Err(TokenProblem::AuthenticationTime);
        }
        let vouched = Vouched {
            acr: claims.auth_context_ref().map(|acr| acr.to_string()),
            amr: claims
                .auth_method_refs()
                .into_iter()
                .flatten()
                .map(|method| method.to_string())
                .collect(),
            more: claims.additional_claims(),
        };
        let name = claims
            .name()
            .and_then(|names| names.get(None))
            .map(|name| name.to_string())
            .or_else(|| claims.preferred_username().map(|name| name.to_string()))
            .unwrap_or_default();
        Ok(Person {
            issuer: self.issuer.to_string(),
            subject: Phi::new(claims.subject().to_string()),
            display_name: Phi::new(claims::display_name(&name)),
            roles: vouched.roles(&self.config),
            multi_factor: vouched.multi_factor(&self.config),
            sid: vouched.sid(),
            acr: vouched.acr,
            amr: vouched.amr,
            authenticated_s: authenticated_s.unwrap_or(0),
        })
    }

    /// What the provider says of itself, not older than `age_max`.
    async fn metadata(
        &self,
        age_max: Duration,
    ) -> Result<Arc<CoreProviderMetadata>, ProviderError> {
        let mut known = self.known.lock().await;
        if let Some(known) = &*known
            && known.at.elapsed() < age_max
        {
            return Ok(Arc::clone(&known.metadata));
        }
        let metadata = CoreProviderMetadata::discover_async(self.issuer.clone(), &self.fetch)
            .await
            .map_err(|error| discovery_problem(&error))?;
        let metadata = Arc::new(metadata);
        *known = Some(Known {
            metadata: Arc::clone(&metadata),
            at: Instant::now(),
        });
        Ok(metadata)
    }

    fn client(&self, metadata: Arc<CoreProviderMetadata>) -> OidcClient {
        let secret = self.client_secret.as_ref();
        OidcClient::from_provider_metadata(
            Arc::unwrap_or_clone(metadata),
            self.client_id.clone(),
            secret.map(|secret| ClientSecret::new(secret.expose().clone())),
        )
        .set_redirect_uri(self.redirect.clone())
    }
}

/// What an ID token has to answer to.
struct Expected<'a> {
    nonce: &'a Nonce,
    asked_s: u64,
    fresh: bool,
}

fn discovery_problem(error: &DiscoveryError<FetchError>) -> ProviderError {
    match error {
        DiscoveryError::Request(error) => ProviderError::Unreachable(error.to_string()),
        DiscoveryError::Response(status, ..) => {
            ProviderError::Unreachable(format!("it answers with {}", status.as_u16()))
        }
        _ => ProviderError::Metadata,
    }
}

fn token_problem(error: &ClaimsVerificationError) -> TokenProblem {
    use SignatureVerificationError as Signature;
    match error {
        ClaimsVerificationError::Expired(_) => TokenProblem::Expired,
        ClaimsVerificationError::InvalidAudience(_) => TokenProblem::Audience,
        ClaimsVerificationError::InvalidIssuer(_) => TokenProblem::Issuer,
        ClaimsVerificationError::InvalidNonce(_) => TokenProblem::Nonce,
        ClaimsVerificationError::InvalidAuthTime(_) => TokenProblem::AuthenticationTime,
        ClaimsVerificationError::SignatureVerification(error) => match error {
            Signature::NoMatchingKey | Signature::AmbiguousKeyId(_) => TokenProblem::Key,
            Signature::DisallowedAlg(_) | Signature::UnsupportedAlg(_) => TokenProblem::Algorithm,
            _ => TokenProblem::Signature,
        },
        _ => TokenProblem::Malformed,
    }
}

fn time(unix_s: u64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds(unix_s), 0).unwrap_or_default()
}

fn seconds(unix_s: u64) -> i64 {
    i64::try_from(unix_s).unwrap_or(i64::MAX)
}

/// Signatures that only the provider can make. `none` and the HS family, whose key a liar may take
/// from anywhere, are refused whatever the provider says it uses (RFC 8725 §3.1).
const ALGORITHMS: [CoreJwsSigningAlgorithm; 3] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EdDsa,
];

type ProvidersToken = IdToken<
    MoreClaims,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJwsSigningAlgorithm,
>;

type OidcClient = openidconnect::Client<
    MoreClaims,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    StandardTokenResponse<
        IdTokenFields<
            MoreClaims,
            EmptyExtraTokenFields,
            CoreGenderClaim,
            CoreJweContentEncryptionAlgorithm,
            CoreJwsSigningAlgorithm,
        >,
        CoreTokenType,
    >,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;
