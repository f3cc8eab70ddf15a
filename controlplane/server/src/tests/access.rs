//! The waiting room, and access that is taken away.

use super::client::{Answer, Client};
use super::{Bench, within};
use crate::admin::{LinkRequest, Role};
use crate::revocation::{self, Order};
use crate::testing::scratch;
use bedside_audit::{Action, Actor, PolicyDecision};
use bedside_ledger::Search;
use bedside_protocol::Phi;
use http::header::{COOKIE, SET_COOKIE};
use livekit_protocol::signal_response::Message;
use serde_json::{Value, json};
use std::time::Duration;

const JSON: (&str, &str) = ("content-type", "application/json");

async fn post(client: &Client, path: &str, cookie: &str, body: &Value) -> Answer {
    let headers = [JSON, (COOKIE.as_str(), cookie)];
    client
        .send("POST", path, &headers, body.to_string().as_bytes())
        .await
}

fn order(account: &str) -> Order {
    Order {
        account: Phi::new(account.to_owned()),
        actor: Actor::SYSTEM,
        policy: PolicyDecision {
            policies: Vec::new(),
            hash: String::new(),
        },
    }
}

impl Bench {
    /// Follows a new link; the answer, and the session that it left.
    async fn follow_link(&self, client: &Client, role: Role) -> (Answer, String) {
        let made = self.running.create_link(LinkRequest {
            room: "ward".to_owned(),
            role,
            display_name: Some("Pat".to_owned()),
            room_label: None,
            valid_s: 3_600,
        });
        let link = made.await.expect("made").link;
        let (_, token) = link.split_once('#').expect("a fragment");
        let answer = post(client, "/api/join", "", &json!({ "link": token })).await;
        let cookie = answer.header(SET_COOKIE.as_str()).expect("a session");
        let session = cookie.split(';').next().expect("a pair").to_owned();
        (answer, session)
    }

    async fn until_recorded(&self, action: Action, count: usize) {
        let search = Search {
            action: Some(action.name().to_owned()),
            ..Search::default()
        };
        let archive = self.running.ledger.archive();
        let recorded = async {
            while archive.search(&search, 100).await.expect("readable").len() < count {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        within(recorded, "it is recorded").await;
    }
}

#[tokio::test]
async fn a_patient_waits_until_a_clinician_decides() {
    let bench = Bench::configured(scratch(), |config| {
        config.policy.waiting_room = Some(true);
    })
    .await;
    let client = bench.client();
    let (answer, patient) = bench.follow_link(&client, Role::Patient).await;
    assert_eq!(
        (answer.status.as_str(), &answer.json()["waiting"]),
        ("202", &json!(true))
    );
    let (answer, clinician) = bench.follow_link(&client, Role::Clinician).await;
    assert_eq!(answer.status, "200", "nobody lets a clinician in");
    let (_, other) = bench.follow_link(&client, Role::Patient).await;

    // Whoever waits sees nobody else's business.
    let refused = post(&client, "/api/waiting", &patient, &json!({})).await;
    assert_eq!(refused.status, "403", "{refused:?}");

    let nothing = json!({});
    let decide = async {
        let list = post(&client, "/api/waiting", &clinician, &json!({}))
            .await
            .json();
        let waiting = list["waiting"].as_array().expect("a list").clone();
        assert_eq!(waiting.len(), 2, "{list}");
        for (guest, admit) in waiting.iter().zip([true, false]) {
            let decision = json!({ "identity": guest["identity"], "admit": admit });
            let answer = post(&client, "/api/admit", &clinician, &decision).await;
            assert_eq!(answer.status, "204", "{answer:?}");
        }
        let again = json!({ "identity": waiting[0]["identity"], "admit": true });
        let answer = post(&client, "/api/admit", &clinician, &again).await;
        assert_eq!(answer.status, "404", "it is decided");
    };
    let (one, two, ()) = tokio::join!(
        post(&client, "/api/wait", &patient, &nothing),
        post(&client, "/api/wait", &other, &nothing),
        decide
    );
    let mut states = [one.json()["state"].clone(), two.json()["state"].clone()];
    states.sort_by_key(ToString::to_string);
    assert_eq!(states, [json!("admitted"), json!("turned_away")]);

    let mut statuses = Vec::new();
    for session in [&patient, &other] {
        statuses.push(post(&client, "/api/join", session, &json!({})).await.status);
    }
    statuses.sort_unstable();
    assert_eq!(statuses, ["200", "403"]);
    bench.until_recorded(Action::Wait, 2).await;
    bench.until_recorded(Action::Admit, 2).await;
    bench.stop().await;
}

#[tokio::test]
async fn a_revoked_identity_is_out_and_stays_out() {
    let bench = Bench::new().await;
    let client = bench.client();
    let token = bench.token("mallory");
    let mut signal = client.signal("/rtc", &token).await.expect("let in");
    signal.next().await;
    let bystander = bench.token("alice");

    let app = bench.running.admin.app.clone();
    let mut steps = revocation::revoke(&app, order("mallory"))
        .await
        .expect("recorded");
    let mut told = Vec::new();
    while let Some(step) = steps.recv().await {
        assert!(step.confirmed, "{step:?}");
        told.push(step.step);
    }
    assert_eq!(told, ["order", "tokens", "links", "turn", "peer", "done"]);
    let leave = signal.until(|message| match message {
        Message::Leave(leave) => Some(leave),
        _ => None,
    });
    leave.await;

    let validate = async |token: &str| {
        let path = format!("/rtc/validate?access_token={token}");
        client.get(&path).await
    };
    let refused = validate(&token).await;
    assert_eq!(
        (refused.status.as_str(), refused.body.as_str()),
        ("401", "access was revoked")
    );
    assert_eq!(validate(&bench.token("mallory")).await.status, "401");
    assert_eq!(validate(&bystander).await.status, "200");
    bench.until_recorded(Action::UserRevoke, 5).await;

    // The next start knows it too.
    let bench = Bench::on(bench.stop().await).await;
    let client = bench.client();
    let path = format!("/rtc/validate?access_token={}", bench.token("mallory"));
    assert_eq!(client.get(&path).await.status, "401");
    let app = bench.running.admin.app.clone();
    assert!(
        revocation::restore(&app, order("mallory"))
            .await
            .expect("recorded")
    );
    let path = format!("/rtc/validate?access_token={token}");
    assert_eq!(client.get(&path).await.status, "401", "from before");
    bench.stop().await;
}

#[tokio::test]
async fn a_revoked_link_opens_nothing() {
    let bench = Bench::new().await;
    let client = bench.client();
    let (answer, session) = bench.follow_link(&client, Role::Patient).await;
    let identity = answer.json()["identity"].as_str().expect("text").to_owned();
    let app = bench.running.admin.app.clone();
    let mut steps = revocation::revoke(&app, order(&identity))
        .await
        .expect("recorded");
    while steps.recv().await.is_some() {}
    let answer = post(&client, "/api/join", &session, &json!({})).await;
    assert_eq!(answer.status, "401", "{answer:?}");
    bench.stop().await;
}
