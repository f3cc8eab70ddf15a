//! `/api/link` and `/api/join`: what the consult page asks before it connects.

use super::client::{Answer, Client};
use super::{Bench, within};
use crate::admin::{LinkRequest, Role};
use crate::store::links::Link;
use futures_util::future::join_all;
use http::header::{COOKIE, ORIGIN, SET_COOKIE};
use serde_json::{Value, json};

const JSON: (&str, &str) = ("content-type", "application/json");

async fn post(client: &Client, path: &str, body: &Value, headers: &[(&str, &str)]) -> Answer {
    let headers: Vec<_> = headers.iter().copied().chain([JSON]).collect();
    client
        .send("POST", path, &headers, body.to_string().as_bytes())
        .await
}

async fn join(client: &Client, link: Option<&str>, cookie: Option<&str>) -> Answer {
    let cookie = cookie.map(|cookie| (COOKIE.as_str(), cookie));
    let headers: Vec<_> = cookie.into_iter().collect();
    let body = json!({ "link": link, "display_name": "" });
    post(client, "/api/join", &body, &headers).await
}

impl Bench {
    async fn link(&self, role: Role) -> String {
        let report = self.running.create_link(LinkRequest {
            room: "ward".to_owned(),
            role,
            display_name: Some("Pat".to_owned()),
            room_label: Some("Ward round".to_owned()),
            valid_s: 3_600,
        });
        let link = report.await.expect("the database is there").link;
        let (page, token) = link.split_once('#').expect("a fragment");
        assert_eq!(page, format!("{}/consult", self.running.url()));
        token.to_owned()
    }
}

fn failed(answer: &Answer, status: &str, error: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    let body = answer.json();
    assert_eq!(body["error"], error);
    assert!(
        body["message"]
            .as_str()
            .is_some_and(|words| !words.is_empty())
    );
}

#[tokio::test]
async fn looking_uses_nothing_up_and_joining_does() {
    let bench = Bench::new().await;
    let client = bench.client();
    let link = bench.link(Role::Clinician).await;
    for _ in 0..3 {
        let answer = post(&client, "/api/link", &json!({ "link": link }), &[]).await;
        assert_eq!(answer.status, "200");
        let invitation = answer.json();
        assert_eq!(invitation["role"], "clinician");
        assert_eq!(invitation["room_label"], "Ward round");
        assert_eq!(invitation["display_name"], "Pat");
        assert_eq!(answer.header(SET_COOKIE.as_str()), None);
    }

    let joined = join(&client, Some(&link), None).await;
    assert_eq!(joined.status, "200");
    let admission = joined.json();
    assert_eq!(admission["url"], "wss://localhost");
    assert_eq!(admission["role"], "clinician");
    let token = admission["token"].as_str().expect("text");
    let claims = bench.tokens.verify(token).expect("ours");
    assert_eq!(claims.subject(), admission["identity"]);
    assert_eq!(claims.name, "Pat");
    let grant = claims.video.expect("granted");
    assert_eq!(
        (grant.room.as_str(), grant.room_join, grant.room_admin),
        ("ward", true, true)
    );
    let answer = client
        .get(&format!("/rtc/validate?access_token={token}"))
        .await;
    assert_eq!(answer.status, "200");

    failed(&join(&client, Some(&link), None).await, "410", "link_used");
    let answer = post(&client, "/api/link", &json!({ "link": link }), &[]).await;
    failed(&answer, "410", "link_used");

    let cookie = joined.header(SET_COOKIE.as_str()).expect("a session");
    for attribute in ["HttpOnly", "Secure", "SameSite=Strict", "Path=/api"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    let session = cookie.split(';').next().expect("a pair");
    let again = join(&client, None, Some(&format!("other=1; {session}"))).await;
    assert_eq!(again.status, "200");
    assert_eq!(again.json()["identity"], admission["identity"]);
    assert_eq!(again.header(SET_COOKIE.as_str()), None);
    failed(&join(&client, None, None).await, "401", "session_ended");
    let foreign = join(&client, None, Some("bedside_session=abc")).await;
    failed(&foreign, "401", "session_ended");
    bench.stop().await;
}

#[tokio::test]
async fn a_name_that_was_typed_replaces_the_links() {
    let bench = Bench::new().await;
    let client = bench.client();
    let link = bench.link(Role::Patient).await;
    let body = json!({ "link": link, "display_name": format!("  {}", "x".repeat(150)) });
    let answer = post(&client, "/api/join", &body, &[]).await;
    let admission = answer.json();
    let claims = bench
        .tokens
        .verify(admission["token"].as_str().expect("text"));
    let claims = claims.expect("ours");
    assert_eq!(claims.name, "x".repeat(100));
    assert!(!claims.video.expect("granted").room_admin);
    bench.stop().await;
}

#[tokio::test]
async fn of_many_at_once_one_gets_in() {
    let bench = Bench::new().await;
    let client = bench.client();
    let link = bench.link(Role::Patient).await;
    let tries = (0..20).map(|_| join(&client, Some(&link), None));
    let answers = join_all(tries).await;
    let let_in = answers
        .iter()
        .filter(|answer| answer.status == "200")
        .count();
    assert_eq!(let_in, 1);
    for answer in answers.iter().filter(|answer| answer.status != "200") {
        failed(answer, "410", "link_used");
    }
    bench.stop().await;
}

#[tokio::test]
async fn without_a_data_plane_nothing_is_used_up() {
    let mut bench = Bench::new().await;
    let client = bench.client();
    let link = bench.link(Role::Patient).await;
    bench.dataplane.hang_up();
    bench.until_healthy("503").await;
    failed(
        &join(&client, Some(&link), None).await,
        "503",
        "server_unavailable",
    );
    bench.dataplane.accept().await;
    bench.until_healthy("200").await;
    assert_eq!(join(&client, Some(&link), None).await.status, "200");
    bench.stop().await;
}

#[tokio::test]
async fn what_is_no_link_is_refused_with_a_reason() {
    let bench = Bench::new().await;
    let client = bench.client();
    let past = Link {
        room: "ward".to_owned(),
        role: "patient".to_owned(),
        identity: "patient_1".to_owned(),
        display_name: None,
        room_label: None,
        expires_s: 1_000_000_000,
    };
    let store = &bench.running.store;
    store
        .create_link(&crate::links::hash("past"), &past)
        .await
        .expect("kept");
    failed(
        &join(&client, Some("past"), None).await,
        "410",
        "link_expired",
    );
    failed(
        &join(&client, Some("never made"), None).await,
        "404",
        "link_unknown",
    );
    for body in ["", "{", "[]", r#"{"link":1}"#, r#"{"display_name":"x"}"#] {
        let answer = client
            .send("POST", "/api/link", &[JSON], body.as_bytes())
            .await;
        failed(&answer, "400", "link_unknown");
    }
    let long = json!({ "link": "x".repeat(5_000) });
    failed(
        &post(&client, "/api/link", &long, &[]).await,
        "400",
        "link_unknown",
    );
    let plain = [("content-type", "text/plain")];
    let answer = client
        .send("POST", "/api/link", &plain, br#"{"link":"past"}"#)
        .await;
    failed(&answer, "400", "link_unknown");
    bench.stop().await;
}

#[tokio::test]
async fn other_pages_may_not_join_for_a_visitor() {
    let bench = Bench::new().await;
    let client = bench.client();
    let link = bench.link(Role::Patient).await;
    let body = json!({ "link": link, "display_name": "" });
    for foreign in ["https://elsewhere.example", "http://localhost", "null"] {
        let answer = post(&client, "/api/join", &body, &[(ORIGIN.as_str(), foreign)]).await;
        failed(&answer, "400", "link_unknown");
    }
    let ours = [(ORIGIN.as_str(), "https://localhost")];
    assert_eq!(post(&client, "/api/join", &body, &ours).await.status, "200");
    bench.stop().await;
}

#[tokio::test]
async fn whoever_asks_too_often_waits() {
    let bench = Bench::new().await;
    let client = bench.client();
    let limited = async {
        loop {
            let answer = join(&client, Some("guess"), None).await;
            if answer.status == "429" {
                return answer;
            }
            failed(&answer, "404", "link_unknown");
        }
    };
    let answer = within(limited, "the limit is reached").await;
    failed(&answer, "429", "rate_limited");
    bench.stop().await;
}

#[tokio::test]
async fn a_removed_participant_has_no_way_back() {
    let bench = Bench::new().await;
    let client = bench.client();
    let joined = join(&client, Some(&bench.link(Role::Patient).await), None).await;
    let admission = joined.json();
    let identity = admission["identity"].as_str().expect("text").to_owned();
    let token = admission["token"].as_str().expect("text");
    let signal = client.signal("/rtc", token).await.expect("let in");
    let removed = crate::links::remove_participant(
        &bench.running.admin.app,
        bedside_audit::Actor::SYSTEM,
        livekit_protocol::RoomParticipantIdentity {
            room: "ward".to_owned(),
            identity,
            ..Default::default()
        },
    );
    removed.await.expect("the participant is there");
    drop(signal);
    let cookie = joined.header(SET_COOKIE.as_str()).expect("a session");
    let session = cookie.split(';').next().expect("a pair");
    failed(
        &join(&client, None, Some(session)).await,
        "401",
        "session_ended",
    );
    bench.stop().await;
}
