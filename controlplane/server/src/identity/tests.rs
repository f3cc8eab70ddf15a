//! A whole server and a provider that says what a test wants it to say.

mod scripted;

use crate::identity::principal::credential;
use crate::links::hash;
use crate::testing::scratch;
use crate::tests::Bench;
use crate::tests::client::{Answer, Client};
use bedside_audit::Role;
use http::header::{COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use scripted::{Lie, ScriptedProvider};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A server that logs in at `provider`.
async fn bench(provider: &ScriptedProvider) -> Bench {
    let issuer = provider.issuer();
    Bench::configured(scratch(), |config| {
        config.identity.issuer = Some(issuer);
        config.identity.client_id = Some("bedside".to_owned());
        config.identity.roles = BTreeMap::from([
            ("doctors".to_owned(), Role::Clinician),
            ("security".to_owned(), Role::SecurityOfficer),
        ]);
    })
    .await
}

/// What a browser has.
#[derive(Default)]
struct Browser {
    cookies: BTreeMap<String, String>,
}

impl Browser {
    async fn get(&mut self, client: &Client, path: &str) -> Answer {
        self.send(client, "GET", path, &[]).await
    }

    /// As the page does.
    async fn post(&mut self, client: &Client, path: &str) -> Answer {
        let ours = [(ORIGIN.as_str(), "https://localhost")];
        self.send(client, "POST", path, &ours).await
    }

    /// As the page does, with a body.
    async fn say(&self, client: &Client, path: &str, body: &Value) -> Answer {
        let cookie = format!("__Host-bedside={}", self.cookies["__Host-bedside"]);
        let headers = [
            (COOKIE.as_str(), cookie.as_str()),
            (ORIGIN.as_str(), "https://localhost"),
            ("content-type", "application/json"),
        ];
        client
            .send("POST", path, &headers, body.to_string().as_bytes())
            .await
    }

    async fn send(
        &mut self,
        client: &Client,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let cookies: Vec<_> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let cookies = cookies.join("; ");
        let mut all = vec![(COOKIE.as_str(), cookies.as_str())];
        all.extend(headers);
        let answer = client.request(method, path, &all).await;
        for (name, value) in &answer.headers {
            if name == SET_COOKIE.as_str() {
                let (name, value) = value.split_once('=').expect("a pair");
                let value = value.split(';').next().expect("a value");
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// Follows `/login` to the provider and back.
    async fn log_in(&mut self, client: &Client, provider: &ScriptedProvider, path: &str) -> Answer {
        let away = self.get(client, path).await;
        assert_eq!(away.status, "303", "{away:?}");
        let back = provider.authorize(away.header(LOCATION.as_str()).expect("there"));
        self.get(client, &back).await
    }

    async fn me(&mut self, client: &Client) -> Value {
        self.get(client, "/api/me").await.json()
    }
}

fn troubled(answer: &Answer, status: &str, code: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    let said = format!("data-code=\"{code}\"");
    assert!(answer.body.contains(&said), "{answer:?}");
}

#[tokio::test]
async fn a_clinician_logs_in_locks_unlocks_and_logs_out() {
    let provider = ScriptedProvider::start().await;
    let bench = bench(&provider).await;
    let client = bench.client();
    let mut browser = Browser::default();
    assert_eq!(browser.me(&client).await["kind"], "unknown");

    let back = browser.log_in(&client, &provider, "/login").await;
    assert_eq!(back.status, "303", "{back:?}");
    assert_eq!(back.header(LOCATION.as_str()), Some("/clinic"));
    let set = back.header(SET_COOKIE.as_str()).expect("a session");
    for attribute in [
        "__Host-bedside=",
        "HttpOnly",
        "Secure",
        "SameSite=Strict",
        "Path=/;",
    ] {
        assert!(set.contains(attribute), "{set}");
    }
    let me = browser.me(&client).await;
    assert_eq!(me["kind"], "user");
    assert_eq!(me["roles"], json!(["clinician"]));
    assert_eq!(
        (&me["locked"], &me["stepped_up"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(me["idle_s"], 900);
    let id = me["id"].clone();

    assert_eq!(
        browser.post(&client, "/api/session/lock").await.status,
        "204"
    );
    let me = browser.me(&client).await;
    assert_eq!((&me["locked"], &me["roles"]), (&json!(true), &json!([])));

    // Another person does not unlock it; the same one does, and gets another cookie.
    let locked = browser.cookies["__Host-bedside"].clone();
    provider.say(|claims| claims["sub"] = json!("somebody else"));
    let other = browser
        .log_in(&client, &provider, "/login?for=unlock")
        .await;
    troubled(&other, "403", "other_user");
    provider.say(|claims| claims["sub"] = json!("ada"));
    let back = browser
        .log_in(&client, &provider, "/login?for=unlock")
        .await;
    assert_eq!(back.header(LOCATION.as_str()), Some("/clinic?unlocked=1"));
    assert_ne!(browser.cookies["__Host-bedside"], locked);
    let me = browser.me(&client).await;
    assert_eq!((&me["locked"], &me["id"]), (&json!(false), &id));
    // The old cookie is worth nothing.
    let mut old = Browser::default();
    old.cookies.insert("__Host-bedside".to_owned(), locked);
    assert_eq!(old.me(&client).await["kind"], "unknown");

    assert_eq!(browser.post(&client, "/logout").await.status, "204");
    assert_eq!(browser.me(&client).await["kind"], "unknown");
    bench.stop().await;
}

#[tokio::test]
async fn whatever_a_provider_lies_about_nobody_is_let_in() {
    let provider = ScriptedProvider::start().await;
    let bench = bench(&provider).await;
    let client = bench.client();
    for lie in Lie::ALL {
        provider.lie(lie);
        let mut browser = Browser::default();
        let back = browser.log_in(&client, &provider, "/login").await;
        assert_ne!(back.status, "303", "{lie:?}");
        troubled(&back, "502", "provider_wrong");
        assert_eq!(browser.me(&client).await["kind"], "unknown", "{lie:?}");
    }
    provider.be_honest();
    let mut browser = Browser::default();
    let back = browser.log_in(&client, &provider, "/login").await;
    assert_eq!(back.status, "303", "{back:?}");
    bench.stop().await;
}

#[tokio::test]
async fn without_a_second_factor_or_a_role_nobody_is_let_in() {
    let provider = ScriptedProvider::start().await;
    let bench = bench(&provider).await;
    let client = bench.client();
    let mut browser = Browser::default();
    provider.say(|claims| claims["amr"] = json!(["pwd"]));
    let back = browser.log_in(&client, &provider, "/login").await;
    troubled(&back, "403", "no_second_factor");
    provider.say(|claims| {
        claims["amr"] = json!(["pwd", "otp"]);
        claims["roles"] = json!(["cooks"]);
    });
    let back = browser.log_in(&client, &provider, "/login").await;
    troubled(&back, "403", "no_role");
    assert_eq!(browser.me(&client).await["kind"], "unknown");
    assert!(
        bench
            .running
            .store
            .users(10)
            .await
            .expect("reads")
            .is_empty()
    );
    bench.stop().await;
}

#[tokio::test]
async fn a_login_counts_once_and_in_the_browser_that_began_it() {
    let provider = ScriptedProvider::start().await;
    let bench = bench(&provider).await;
    let client = bench.client();
    let mut browser = Browser::default();
    let away = browser.get(&client, "/login").await;
    let back = provider.authorize(away.header(LOCATION.as_str()).expect("there"));
    let mut other = Browser::default();
    troubled(
        &other.get(&client, &back).await,
        "400",
        "login_other_browser",
    );
    assert_eq!(browser.get(&client, &back).await.status, "303");
    troubled(&browser.get(&client, &back).await, "400", "login_unknown");
    troubled(
        &browser.get(&client, "/oidc/callback").await,
        "400",
        "login_unknown",
    );
    // Another login with the same code: the provider does not take it twice.
    let away = browser.get(&client, "/login").await;
    let again = provider.authorize(away.header(LOCATION.as_str()).expect("there"));
    let code = |path: &str| path.split("code=").nth(1).expect("there").to_owned();
    let replayed = again.replace(&code(&again), &code(&back));
    troubled(
        &browser.get(&client, &replayed).await,
        "400",
        "login_unknown",
    );
    bench.stop().await;
}

#[tokio::test]
async fn a_provider_may_rotate_its_keys_and_be_away() {
    let mut provider = ScriptedProvider::start().await;
    let bench = bench(&provider).await;
    let client = bench.client();
    let mut browser = Browser::default();
    let back = browser.log_in(&client, &provider, "/login").await;
    assert_eq!(back.status, "303", "{back:?}");
    provider.rotate_keys();
    // Not asked for again within a few seconds: the token is refused rather than believed.
    let back = browser.log_in(&client, &provider, "/login").await;
    troubled(&back, "502", "provider_wrong");
    bench.running.identity().forget_provider().await;
    let back = browser.log_in(&client, &provider, "/login").await;
    assert_eq!(back.status, "303", "{back:?}");
    provider.stop().await;
    bench.running.identity().forget_provider().await;
    let away = browser.get(&client, "/login").await;
    troubled(&away, "502", "provider_unreachable");
    // Who is in stays in.
    assert_eq!(browser.me(&client).await["kind"], "user");
    bench.stop().await;
}

#[tokio::test]
async fn the_provider_ends_sessions_by_back_channel() {
    let provider = ScriptedProvider::start().await;
    let bench = bench(&provider).await;
    let client = bench.client();
    let mut browser = Browser::default();
    browser.log_in(&client, &provider, "/login").await;
    assert_eq!(browser.me(&client).await["kind"], "user");
    let send = async |token: String| {
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let body = format!("logout_token={token}");
        client
            .send("POST", "/oidc/backchannel-logout", &form, body.as_bytes())
            .await
    };
    for (wrong, reason) in [
        ("garbage".to_owned(), "id_token_malformed"),
        (
            provider.logout_token(|claims| claims["aud"] = json!("other")),
            "id_token_audience",
        ),
        (
            provider.logout_token(|claims| claims["nonce"] = json!("x")),
            "id_token_malformed",
        ),
        (
            provider.logout_token(|claims| claims["events"] = json!({})),
            "id_token_malformed",
        ),
        (
            provider.logout_token(|claims| claims["iat"] = json!(1)),
            "id_token_expired",
        ),
        (provider.logout_token_by_secret(), "id_token_algorithm"),
    ] {
        let answer = send(wrong).await;
        assert_eq!(answer.status, "400", "{answer:?}");
        assert_eq!(answer.json()["error_description"], reason);
    }
    assert_eq!(browser.me(&client).await["kind"], "user");
    let elsewhere = provider.logout_token(|claims| claims["sid"] = json!("another session"));
    assert_eq!(send(elsewhere).await.status, "200");
    assert_eq!(browser.me(&client).await["kind"], "user");
    let token = provider.logout_token(|_| {});
    assert_eq!(send(token.clone()).await.status, "200");
    assert_eq!(browser.me(&client).await["kind"], "unknown");
    assert_eq!(send(token).await.status, "400", "once is enough");
    bench.stop().await;
}

#[tokio::test]
async fn other_sites_pages_cannot_use_a_session() {
    let provider = ScriptedProvider::start().await;
    let bench = bench(&provider).await;
    let client = bench.client();
    let mut browser = Browser::default();
    browser.log_in(&client, &provider, "/login").await;
    for origin in ["https://elsewhere.example", "http://localhost", "null"] {
        let foreign = [(ORIGIN.as_str(), origin)];
        let answer = browser.send(&client, "POST", "/logout", &foreign).await;
        assert_eq!(answer.status, "403", "{answer:?}");
    }
    let answer = browser.send(&client, "POST", "/logout", &[]).await;
    assert_eq!(answer.status, "403", "a browser names its page");
    assert_eq!(browser.me(&client).await["kind"], "user");
    bench.stop().await;
}

#[tokio::test]
async fn idle_sessions_lock_and_old_ones_end() {
    let provider = ScriptedProvider::start().await;
    let bench = bench(&provider).await;
    let client = bench.client();
    let mut browser = Browser::default();
    browser.log_in(&client, &provider, "/login").await;
    let app = &bench.running.admin.app;
    let now_s = crate::store::now_s();
    super::sessions::sweep_once(app, now_s + 900)
        .await
        .expect("written");
    assert_eq!(browser.me(&client).await["locked"], false);
    super::sessions::sweep_once(app, now_s + 902)
        .await
        .expect("written");
    assert_eq!(browser.me(&client).await["locked"], true);
    // What is locked does nothing, not even note activity.
    browser.post(&client, "/api/session/activity").await;
    assert_eq!(browser.me(&client).await["locked"], true);
    super::sessions::sweep_once(app, now_s + 43_201)
        .await
        .expect("written");
    assert_eq!(browser.me(&client).await["kind"], "unknown");
    bench.stop().await;
}

/// A provider that logs somebody out to let somebody else in says so before the other one is back.
#[tokio::test]
async fn a_session_that_ends_meanwhile_is_not_unlocked_by_somebody_else() {
    let provider = ScriptedProvider::start().await;
    let bench = bench(&provider).await;
    let client = bench.client();
    let mut browser = Browser::default();
    browser.log_in(&client, &provider, "/login").await;
    let id = browser.me(&client).await["id"].clone();
    browser.post(&client, "/api/session/lock").await;
    let away = browser.get(&client, "/login?for=unlock").await;
    provider.say(|claims| claims["sub"] = json!("somebody else"));
    let back = provider.authorize(away.header(LOCATION.as_str()).expect("there"));
    let store = &bench.running.admin.app.store;
    let ended = store.end_sessions_of_user(id.as_str().expect("text")).await;
    assert_eq!(ended.expect("written"), 1);
    troubled(&browser.get(&client, &back).await, "403", "other_user");
    bench.stop().await;
}

#[tokio::test]
async fn a_revoked_user_is_out_and_stays_out() {
    let provider = ScriptedProvider::start().await;
    let bench = bench(&provider).await;
    let client = bench.client();
    let mut browser = Browser::default();
    browser.log_in(&client, &provider, "/login").await;
    let id = browser.me(&client).await["id"]
        .as_str()
        .expect("text")
        .to_owned();
    let store = &bench.running.admin.app.store;
    assert!(store.set_user_revoked(&id, true).await.expect("written"));
    assert_eq!(store.end_sessions_of_user(&id).await.expect("written"), 1);
    assert_eq!(browser.me(&client).await["kind"], "unknown");
    let back = browser.log_in(&client, &provider, "/login").await;
    troubled(&back, "403", "user_revoked");
    bench.stop().await;
}

#[tokio::test]
async fn a_clinician_opens_invites_joins_and_ends_and_nobody_else_does() {
    let provider = ScriptedProvider::start().await;
    let bench = bench(&provider).await;
    let client = bench.client();
    let mut browser = Browser::default();
    browser.log_in(&client, &provider, "/login").await;
    let opened = browser
        .say(&client, "/api/consults", &json!({ "label": " Morning " }))
        .await;
    let consult = opened.json();
    assert_eq!(consult["label"], "Morning", "{opened:?}");
    let path = format!("/api/consults/{}", consult["room"].as_str().expect("text"));
    let listed = browser.get(&client, "/api/consults").await.json();
    assert_eq!(listed, json!([consult]));
    let invitation = browser.get(&client, &path).await.json();
    assert_eq!(
        (&invitation["role"], &invitation["display_name"]),
        (&json!("clinician"), &json!("Ada"))
    );

    let invited = browser.post(&client, &format!("{path}/links")).await.json();
    let link = invited["link"].as_str().expect("text");
    let prefix = format!("{}/consult#", bench.running.url());
    let token = link.strip_prefix(&prefix).expect("a link").to_owned();
    let look = async || {
        let json = [("content-type", "application/json")];
        let body = json!({ "link": token }).to_string();
        client
            .send("POST", "/api/link", &json, body.as_bytes())
            .await
    };
    assert_eq!(look().await.json()["room_label"], "Morning");

    let joined = browser.post(&client, &format!("{path}/join")).await.json();
    let claims = bench
        .tokens()
        .verify(joined["token"].as_str().expect("text"));
    let claims = claims.expect("ours");
    assert_eq!(claims.subject(), browser.me(&client).await["id"]);
    let grant = claims.video.expect("granted");
    assert_eq!(
        (grant.room.as_str(), grant.room_admin),
        (consult["room"].as_str().expect("text"), true)
    );

    // A colleague, somebody of another role, and nobody at all.
    provider.say(|claims| claims["sub"] = json!("bob"));
    let mut colleague = Browser::default();
    colleague.log_in(&client, &provider, "/login").await;
    provider.say(|claims| claims["roles"] = json!(["security"]));
    let mut officer = Browser::default();
    officer.log_in(&client, &provider, "/login").await;
    for (who, status) in [
        (&mut colleague, "403"),
        (&mut officer, "403"),
        (&mut Browser::default(), "401"),
    ] {
        assert_eq!(who.get(&client, &path).await.status, status);
        for action in ["links", "join"] {
            let answer = who.post(&client, &format!("{path}/{action}")).await;
            assert_eq!(answer.status, status, "{action}");
        }
    }
    assert_eq!(
        colleague.get(&client, "/api/consults").await.json(),
        json!([])
    );

    let ours = [(ORIGIN.as_str(), "https://localhost")];
    assert_eq!(
        browser.send(&client, "DELETE", &path, &ours).await.status,
        "204"
    );
    assert_eq!(
        browser.get(&client, "/api/consults").await.json(),
        json!([])
    );
    assert_eq!(
        browser.post(&client, &format!("{path}/join")).await.status,
        "403"
    );
    assert_eq!(look().await.status, "410", "its links are over");
    bench.stop().await;
}

#[tokio::test]
async fn a_clinician_in_a_consult_reports_and_is_recorded_with_their_factors() {
    let provider = ScriptedProvider::start().await;
    let bench = bench(&provider).await;
    let client = bench.client();
    let mut browser = Browser::default();
    browser.log_in(&client, &provider, "/login").await;
    let opened = browser.say(&client, "/api/consults", &json!({})).await;
    let room = opened.json()["room"].as_str().expect("text").to_owned();
    let report = json!({ "reports": [] });
    let answer = browser.say(&client, "/api/statistics", &report).await;
    assert_eq!(answer.status, "401", "nobody is in the consult yet");

    let path = format!("/api/consults/{room}/join");
    let joined = browser.post(&client, &path).await.json();
    let token = joined["token"].as_str().expect("text");
    let mut signal = client.signal("/rtc", token).await.expect("let in");
    signal.next().await;
    let answer = browser.say(&client, "/api/statistics", &report).await;
    assert_eq!(answer.status, "204", "{answer:?}");
    let joins = bench.entries("room.join", 1).await;
    let proof = joins[0].actor.authn.as_ref().expect("a session");
    assert_eq!(proof.method, "session");
    assert_eq!(proof.provider.as_deref(), Some(provider.issuer().as_str()));
    assert!(!proof.amr.is_empty(), "{proof:?}");

    // A locked screen opens nothing, and is not recorded as an intruder every few seconds.
    browser.post(&client, "/api/session/lock").await;
    let answer = browser.say(&client, "/api/statistics", &report).await;
    assert_eq!(answer.status, "401");
    assert!(bench.entries("access.denied", 0).await.is_empty());
    bench.stop().await;
}

#[tokio::test]
async fn an_emergency_entry_opens_the_consult_and_nothing_else() {
    let provider = ScriptedProvider::start().await;
    let bench = bench(&provider).await;
    let client = bench.client();
    let mut browser = Browser::default();
    browser.log_in(&client, &provider, "/login").await;
    let (look, join) = ("/api/consults/ward", "/api/consults/ward/join");
    assert_eq!(browser.get(&client, look).await.status, "403");
    assert_eq!(browser.post(&client, join).await.status, "403");
    let declare = |words| json!({ "room": "ward", "reason": "threat_to_life", "words": words });
    let answer = browser
        .say(&client, "/api/breakglass", &declare("  "))
        .await;
    assert_eq!(answer.status, "400", "a reason is asked for");
    let entered = browser
        .say(
            &client,
            "/api/breakglass",
            &declare("no answer from the ward"),
        )
        .await;
    assert_eq!(entered.status, "200", "{entered:?}");

    let shown = browser.get(&client, look).await;
    assert_eq!(shown.json()["role"], "clinician");
    let joined = browser.post(&client, join).await.json();
    let claims = bench
        .tokens()
        .verify(joined["token"].as_str().expect("text"));
    let claims = claims.expect("ours");
    assert_eq!(claims.attributes["bedside.emergency"], "threat_to_life");
    let ours = [(ORIGIN.as_str(), "https://localhost")];
    let ended = browser.send(&client, "DELETE", look, &ours).await;
    assert_eq!(ended.status, "403", "it is not theirs to end");
    let invited = browser
        .say(&client, "/api/consults/ward/links", &json!({}))
        .await;
    assert_eq!(invited.status, "403", "nor to invite to");

    let entries = bench.entries("access.breakglass", 1).await;
    assert_eq!(entries[0].reason.as_deref(), Some("threat_to_life"));
    assert!(entries[0].detail_enc.is_some(), "the words are sealed");
    bench.stop().await;
}

#[tokio::test]
async fn without_a_provider_the_page_says_so() {
    let bench = Bench::new().await;
    let client = bench.client();
    troubled(&client.get("/login").await, "404", "no_provider");
    assert_eq!(client.get("/api/me").await.json()["login"], false);
    bench.stop().await;
}

#[test]
fn a_credential_names_its_digest() {
    assert_eq!(credential(&hash("x")).len(), 16);
}

#[tokio::test]
async fn a_token_counts_once_where_the_configuration_says_so() {
    let bench = Bench::configured(scratch(), |config| {
        config.identity.single_use_tokens = true;
    })
    .await;
    let client = bench.client();
    let token = bench.token("p");
    // Asking whether it would be let in uses nothing up.
    for _ in 0..2 {
        let path = format!("/rtc/validate?access_token={token}");
        assert_eq!(client.get(&path).await.status, "200");
    }
    let first = client.signal("/rtc", &token).await.expect("let in");
    assert_eq!(client.signal("/rtc", &token).await.err(), Some(401));
    drop(first);
    let other = bench.token("p");
    assert!(client.signal("/rtc", &other).await.is_ok());
    bench.stop().await;
}
