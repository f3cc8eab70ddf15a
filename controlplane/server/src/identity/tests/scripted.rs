//! An OpenID provider on the loopback with generated keys, honest or not.

use crate::clock::since_epoch;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use http::StatusCode;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What an ID token can be wrong about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lie {
    None,
    PublicKeyAsSecret,
    ForeignKey,
    Issuer,
    Audience,
    OneMoreAudience,
    AuthorizedParty,
    Nonce,
    NoNonce,
    Expired,
    IssuedLongAgo,
    IssuedTomorrow,
    Missing,
    Garbage,
}

impl Lie {
    pub(super) const ALL: [Self; 14] = [
        Self::None,
        Self::PublicKeyAsSecret,
        Self::ForeignKey,
        Self::Issuer,
        Self::Audience,
        Self::OneMoreAudience,
        Self::AuthorizedParty,
        Self::Nonce,
        Self::NoNonce,
        Self::Expired,
        Self::IssuedLongAgo,
        Self::IssuedTomorrow,
        Self::Missing,
        Self::Garbage,
    ];
}

struct Key {
    id: String,
    pkcs8: Vec<u8>,
    public: Vec<u8>,
}

impl Key {
    fn generate(id: &str) -> Self {
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
                .expect("random");
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref())
            .expect("its own key");
        Self {
            id: id.to_owned(),
            public: pair.public_key().as_ref().to_vec(),
            pkcs8: pkcs8.as_ref().to_vec(),
        }
    }

    fn sign(&self, claims: &Value) -> String {
        let header = Header {
            kid: Some(self.id.clone()),
            ..Header::new(Algorithm::ES256)
        };
        jsonwebtoken::encode(&header, claims, &EncodingKey::from_ec_der(&self.pkcs8))
            .expect("signs")
    }

    fn jwk(&self) -> Value {
        json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.id,
            "x": BASE64.encode(&self.public[1..33]), "y": BASE64.encode(&self.public[33..]),
        })
    }
}

struct Script {
    issuer: String,
    key: Key,
    claims: Value,
    lie: Option<Lie>,
    /// The authorisation request of each code that was not exchanged.
    codes: HashMap<String, HashMap<String, String>>,
    count: u64,
}

#[derive(Clone)]
struct Shared(Arc<Mutex<Script>>);

pub(super) struct ScriptedProvider {
    address: SocketAddr,
    shared: Shared,
    task: JoinHandle<()>,
}

impl ScriptedProvider {
    #[expect(
        clippy::disallowed_methods,
        reason = "the provider's routes, not this server's"
    )]
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let address = listener.local_addr().expect("bound");
        let shared = Shared(Arc::new(Mutex::new(Script {
            issuer: format!("http://{address}"),
            key: Key::generate("1"),
            claims: json!({
                "sub": "ada", "name": "Ada", "roles": ["doctors"], "amr": ["pwd", "otp"],
                "sid": "session at the provider",
            }),
            lie: None,
            codes: HashMap::new(),
            count: 0,
        })));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .with_state(shared.clone());
        let task = tokio::spawn(async move { axum_serve(listener, router).await });
        Self {
            address,
            shared,
            task,
        }
    }

    pub(super) fn issuer(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn say(&self, edit: impl FnOnce(&mut Value)) {
        edit(&mut self.script().claims);
    }

    pub(super) fn lie(&self, lie: Lie) {
        self.script().lie = Some(lie);
    }

    pub(super) fn be_honest(&self) {
        self.script().lie = None;
    }

    pub(super) fn rotate_keys(&self) {
        self.script().key = Key::generate("2");
    }

    pub(super) async fn stop(&mut self) {
        self.task.abort();
        // It was told to end, and has.
        (&mut self.task).await.unwrap_or_default();
    }

    /// A person who accepts at once: from the authorisation request to the way back.
    pub(super) fn authorize(&self, url: &str) -> String {
        let (page, query) = url.split_once('?').expect("a query");
        assert_eq!(page, format!("{}/authorize", self.issuer()));
        let asked: HashMap<String, String> = form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        assert_eq!(asked["response_type"], "code");
        assert_eq!(asked["client_id"], "bedside");
        assert_eq!(asked["code_challenge_method"], "S256");
        assert!(asked["scope"].split(' ').any(|scope| scope == "openid"));
        let mut script = self.script();
        script.count += 1;
        let code = format!("code{}", script.count);
        let back = form_urlencoded::Serializer::new(String::new())
            .append_pair("state", &asked["state"])
            .append_pair("iss", &script.issuer)
            .append_pair("code", &code)
            .finish();
        script.codes.insert(code, asked);
        format!("/oidc/callback?{back}")
    }

    /// A logout token for the session of the ID tokens, edited.
    pub(super) fn logout_token(&self, edit: impl FnOnce(&mut Value)) -> String {
        let mut script = self.script();
        let claims = logout_claims(&mut script, edit);
        script.key.sign(&claims)
    }

    /// One that is signed with the public key's bytes as a shared secret.
    pub(super) fn logout_token_by_secret(&self) -> String {
        let mut script = self.script();
        let claims = logout_claims(&mut script, |_| {});
        by_secret(&script.key, &claims)
    }

    fn script(&self) -> std::sync::MutexGuard<'_, Script> {
        self.shared.0.lock().expect("no test has panicked with it")
    }
}

impl Drop for ScriptedProvider {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn logout_claims(script: &mut Script, edit: impl FnOnce(&mut Value)) -> Value {
    script.count += 1;
    let mut claims = json!({
        "iss": script.issuer, "aud": "bedside", "iat": now_s(), "exp": now_s() + 60,
        "jti": format!("logout{}", script.count),
        "sub": script.claims["sub"], "sid": script.claims["sid"],
        "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
    });
    edit(&mut claims);
    claims
}

async fn axum_serve(listener: TcpListener, router: Router) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let service = hyper_util::service::TowerToHyperService::new(router.clone());
        tokio::spawn(async move {
            // What goes wrong on a connection is seen at its other end.
            hyper::server::conn::http1::Builder::new()
                .serve_connection(hyper_util::rt::TokioIo::new(stream), service)
                .await
                .unwrap_or_default();
        });
    }
}

async fn discovery(State(Shared(script)): State<Shared>) -> Json<Value> {
    let issuer = script.lock().expect("no test has panicked").issuer.clone();
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        // A liar would say so.
        "id_token_signing_alg_values_supported": ["ES256", "HS256", "none"],
    }))
}

async fn keys(State(Shared(script)): State<Shared>) -> Json<Value> {
    let jwk = script.lock().expect("no test has panicked").key.jwk();
    Json(json!({ "keys": [jwk] }))
}

async fn token(
    State(Shared(script)): State<Shared>,
    body: String,
) -> Result<Json<Value>, (StatusCode, Json<Value>)> {
    let form: HashMap<String, String> = form_urlencoded::parse(body.as_bytes())
        .into_owned()
        .collect();
    let mut script = script.lock().expect("no test has panicked");
    let refused = || {
        (
            StatusCode::BAD_REQUEST,
            Json(json!({ "error": "invalid_grant" })),
        )
    };
    let asked = script.codes.remove(&form["code"]).ok_or_else(refused)?;
    let challenge = BASE64.encode(crate::links::hash(&form["code_verifier"]));
    if challenge != asked["code_challenge"] || form["redirect_uri"] != asked["redirect_uri"] {
        return Err(refused());
    }
    let mut claims = script.claims.clone();
    claims["iss"] = json!(script.issuer);
    claims["aud"] = json!("bedside");
    claims["nonce"] = json!(asked["nonce"]);
    claims["iat"] = json!(now_s());
    claims["exp"] = json!(now_s() + 300);
    claims["auth_time"] = json!(now_s());
    let mut answer = json!({ "access_token": "a", "token_type": "Bearer", "expires_in": 300 });
    if let Some(token) = id_token(&script, claims) {
        answer["id_token"] = json!(token);
    }
    Ok(Json(answer))
}

fn id_token(script: &Script, mut claims: Value) -> Option<String> {
    let key = &script.key;
    match script.lie {
        None => {}
        Some(Lie::None) => {
            let part = |value: Value| BASE64.encode(value.to_string());
            return Some(format!(
                "{}.{}.",
                part(json!({ "alg": "none" })),
                part(claims)
            ));
        }
        Some(Lie::PublicKeyAsSecret) => return Some(by_secret(key, &claims)),
        Some(Lie::ForeignKey) => return Some(Key::generate(&key.id).sign(&claims)),
        Some(Lie::Issuer) => claims["iss"] = json!("https://elsewhere.example"),
        Some(Lie::Audience) => claims["aud"] = json!("another client"),
        Some(Lie::OneMoreAudience) => claims["aud"] = json!(["bedside", "another client"]),
        Some(Lie::AuthorizedParty) => claims["azp"] = json!("another client"),
        Some(Lie::Nonce) => claims["nonce"] = json!("another"),
        Some(Lie::NoNonce) => {
            claims.as_object_mut()?.remove("nonce");
        }
        Some(Lie::Expired) => claims["exp"] = json!(now_s() - 60),
        Some(Lie::IssuedLongAgo) => claims["iat"] = json!(now_s() - 3_600),
        Some(Lie::IssuedTomorrow) => claims["iat"] = json!(now_s() + 86_400),
        Some(Lie::Missing) => return None,
        Some(Lie::Garbage) => return Some("garbage".to_owned()),
    }
    Some(key.sign(&claims))
}

fn by_secret(key: &Key, claims: &Value) -> String {
    let header = Header {
        kid: Some(key.id.clone()),
        ..Header::new(Algorithm::HS256)
    };
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(&key.public)).expect("signs")
}

fn now_s() -> u64 {
    since_epoch().as_secs()
}
