use super::*;
use bedside_rooms::VideoGrant;
use serde_json::{Value, json};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const OTHER: &str = "fedcba9876543210fedcba9876543210";

fn tokens() -> Tokens {
    let scratch = crate::testing::scratch();
    let path = scratch.path().join("keys");
    crate::files::write_secret(&path, &format!("k1: {SECRET}\nk2: {OTHER}\n")).expect("written");
    Tokens::new(ApiKeys::read(&path).expect("well-formed"))
}

fn signed(algorithm: Algorithm, secret: &str, claims: &Value) -> String {
    let key = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&Header::new(algorithm), claims, &key).expect("signs")
}

fn refused(token: &str, reason: &str) {
    let refusal = tokens().verify(token).expect_err(reason);
    assert_eq!((refusal.status, refusal.reason.as_str()), (401, reason));
}

fn now_s() -> u64 {
    since_epoch().as_secs()
}

#[test]
fn a_good_token_gives_its_claims() {
    let claims = json!({
        "iss": "k1", "sub": "p_1", "exp": now_s() + 60, "nbf": now_s(),
        "video": {"roomJoin": true, "room": "r", "canPublish": false},
        "roomConfig": {"unknown": [1]},
    });
    let claims = tokens()
        .verify(&signed(Algorithm::HS256, SECRET, &claims))
        .expect("good");
    assert_eq!(claims.subject(), "p_1");
    let grant = claims.video.expect("present");
    assert!(grant.room_join && grant.can_publish == Some(false));
}

#[test]
fn wrong_expired_and_foreign_tokens_are_refused() {
    let good = json!({"iss": "k1", "sub": "p", "exp": now_s() + 60});
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    refused("", "token is malformed");
    refused("a.b.c", "token is malformed");
    refused(&"x".repeat(TOKEN_BYTES_MAX + 1), "token is too long");
    refused(
        &signed(Algorithm::HS256, OTHER, &good),
        "token signature is wrong",
    );
    refused(
        &signed(Algorithm::HS256, SECRET, &with("iss", json!("k9"))),
        "token is signed with an unknown API key",
    );
    refused(
        &signed(Algorithm::HS256, SECRET, &with("exp", json!(now_s() - 60))),
        "token has expired",
    );
    refused(
        &signed(Algorithm::HS256, SECRET, &with("nbf", json!(now_s() + 60))),
        "token is not valid yet",
    );
    refused(
        &signed(Algorithm::HS256, SECRET, &json!({"iss": "k1"})),
        "token has no expiry",
    );
    refused(
        &signed(Algorithm::HS384, SECRET, &good),
        "token must be signed with HS256",
    );
    // {"alg":"none"} with the good claims and no signature.
    let body = signed(Algorithm::HS256, SECRET, &good);
    let body = body.split('.').nth(1).expect("three parts");
    refused(
        &format!("eyJhbGciOiJub25lIn0.{body}."),
        "token is malformed",
    );
}

#[test]
fn a_little_clock_difference_is_forgiven() {
    let claims = json!({"iss": "k1", "exp": now_s() - 2, "nbf": now_s() + 2});
    tokens()
        .verify(&signed(Algorithm::HS256, SECRET, &claims))
        .expect("within the leeway");
}

#[test]
fn header_and_query_both_carry_a_token() {
    let claims = Claims {
        iss: "k2".to_owned(),
        sub: "p".to_owned(),
        video: Some(VideoGrant::default()),
        ..Claims::default()
    };
    let tokens = tokens();
    let token = tokens
        .sign(&claims, Duration::from_secs(60))
        .expect("signs");
    let check = |uri: &str, header: Option<&str>| {
        let mut request = http::Request::get(uri);
        if let Some(header) = header {
            request = request.header("authorization", header);
        }
        let (parts, ()) = request.body(()).expect("well-formed").into_parts();
        tokens
            .claims_and_token(&parts)
            .map(|(claims, _)| claims.sub)
    };
    assert_eq!(
        check("/rtc", Some(&format!("bearer {token}"))).as_deref(),
        Ok("p")
    );
    assert_eq!(
        check(&format!("/rtc?access_token={token}"), None).as_deref(),
        Ok("p")
    );
    // A wrong header is not saved by a good query.
    assert!(check(&format!("/rtc?access_token={token}"), Some("Basic x")).is_err());
    assert!(check("/rtc", None).is_err());
    assert!(check("/rtc?access_token=", None).is_err());
}

#[test]
fn a_token_for_years_is_refused_where_lifetimes_are_bound() {
    let tokens = tokens().with_lifetime_max(Some(3_600));
    let check = |lifetime_s: u64, good: bool| {
        let claims = json!({"iss": "k1", "exp": now_s() + lifetime_s});
        let verified = tokens.verify(&signed(Algorithm::HS256, SECRET, &claims));
        assert_eq!(verified.is_ok(), good, "{lifetime_s}");
    };
    check(3_600, true);
    check(4_000, false);
    check(86_400 * 365, false);
}

#[test]
fn a_removed_key_counts_no_more() {
    let tokens = tokens();
    let claims = Claims {
        iss: "k1".to_owned(),
        ..Claims::default()
    };
    let token = tokens
        .sign(&claims, Duration::from_secs(60))
        .expect("signs");
    assert!(tokens.verify(&token).is_ok());
    let scratch = crate::testing::scratch();
    let path = scratch.path().join("keys");
    crate::files::write_secret(&path, &format!("k2: {OTHER}\n")).expect("written");
    tokens.replace(ApiKeys::read(&path).expect("well-formed"));
    assert!(tokens.verify(&token).is_err());
    assert!(tokens.sign(&claims, Duration::from_secs(60)).is_none());
    assert_eq!(tokens.first_key(), "k2");
}

#[test]
fn no_text_is_too_strange_to_verify() {
    let tokens = tokens();
    bolero::check!().with_type::<String>().for_each(|text| {
        assert!(tokens.verify(text).is_err());
    });
}
