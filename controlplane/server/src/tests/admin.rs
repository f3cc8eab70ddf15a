//! The admin socket.

use super::client::{Answer, parse};
use super::{Bench, config, within};
use crate::testing::scratch;
use crate::{Error, start};
use serde_json::{Value, json};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

impl Bench {
    async fn admin(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let body = body.map(ToString::to_string).unwrap_or_default();
        self.admin_text(method, path, &body).await
    }

    async fn admin_text(&self, method: &str, path: &str, body: &str) -> Answer {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: bedside\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let exchange = async {
            let mut stream = UnixStream::connect(&self.running.admin_socket)
                .await
                .expect("there");
            stream
                .write_all(request.as_bytes())
                .await
                .expect("the server reads");
            let mut bytes = Vec::new();
            stream
                .read_to_end(&mut bytes)
                .await
                .expect("the server answers");
            bytes
        };
        parse(&within(exchange, "the admin socket answers").await)
    }
}

fn failed(answer: &Answer, status: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert!(
        answer.json()["message"]
            .as_str()
            .is_some_and(|words| !words.is_empty())
    );
}

#[tokio::test]
async fn only_its_owner_may_connect() {
    let bench = Bench::new().await;
    let metadata = std::fs::metadata(&bench.running.admin_socket).expect("there");
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    assert_eq!(metadata.uid(), rustix::process::geteuid().as_raw());
    bench.stop().await;
}

#[tokio::test]
async fn a_dead_servers_socket_is_replaced_and_nothing_else_is() {
    let scratch = scratch();
    let path = scratch.path().join("admin.sock");
    let configured = || {
        let mut config = config(scratch.path());
        config.admin_socket = Some(path.clone());
        config
    };
    std::fs::write(&path, "mine").expect("writes");
    assert!(matches!(start(configured()).await, Err(Error::File { .. })));
    assert_eq!(std::fs::read_to_string(&path).expect("untouched"), "mine");
    std::fs::remove_file(&path).expect("ours");

    let alive = std::os::unix::net::UnixListener::bind(&path).expect("free");
    assert!(matches!(start(configured()).await, Err(Error::File { .. })));
    drop(alive);
    let running = start(configured())
        .await
        .expect("the socket that was left is replaced");
    running.stop().await;
}

#[tokio::test]
async fn it_tells_how_things_are() {
    let mut bench = Bench::new().await;
    let status = bench.admin("GET", "/status", None).await;
    assert_eq!(status.status, "200");
    let status = status.json();
    assert_eq!(status["dataplane"]["connected"], true);
    assert_eq!(status["dataplane"]["engine"], "scripted");
    assert_eq!(status["listen"], json!([bench.address().to_string()]));
    assert_eq!(
        (&status["rooms"], &status["participants"]),
        (&json!(0), &json!(0))
    );
    bench.dataplane.hang_up();
    bench.until_healthy("503").await;
    let status = bench.admin("GET", "/status", None).await.json();
    assert_eq!(status["dataplane"]["connected"], false);
    assert!(status["dataplane"]["problem"].is_string());
    bench.stop().await;
}

#[tokio::test]
async fn rooms_and_participants_are_shown_and_ended() {
    let bench = Bench::new().await;
    let client = bench.client();
    let mut alice = client
        .signal("/rtc", &bench.token("alice/ü"))
        .await
        .expect("let in");
    alice.next().await;
    let rooms = bench.admin("GET", "/rooms", None).await.json();
    assert_eq!(rooms[0]["name"], "r");
    assert_eq!(rooms[0].get("participants"), None);
    let room = bench.admin("GET", "/rooms/r", None).await.json();
    assert_eq!(room["participants"][0]["identity"], "alice/ü");
    let participants = bench
        .admin("GET", "/rooms/r/participants", None)
        .await
        .json();
    // A room says of each how their connection is, besides.
    let mut shown = room["participants"].clone();
    let alice_here = shown[0].as_object_mut().expect("an object");
    assert!(alice_here.remove("connection").is_some());
    assert_eq!(participants, shown);

    let path = "/rooms/r/participants/alice%2F%C3%BC";
    let mute = json!({ "track": "TR_none", "muted": true });
    failed(
        &bench
            .admin("POST", &format!("{path}/mute"), Some(&mute))
            .await,
        "404",
    );
    assert_eq!(bench.admin("DELETE", path, None).await.status, "204");
    failed(&bench.admin("DELETE", path, None).await, "404");
    assert_eq!(bench.admin("DELETE", "/rooms/r", None).await.status, "204");
    for path in ["/rooms/r", "/rooms/r/participants"] {
        failed(&bench.admin("GET", path, None).await, "404");
    }
    failed(&bench.admin("DELETE", "/rooms/r", None).await, "404");
    failed(&bench.admin("GET", "/nothing", None).await, "404");
    bench.stop().await;
}

#[tokio::test]
async fn links_lead_where_the_configuration_says() {
    let bench = Bench::configured(scratch(), |config| {
        config.public_url = Some("https://consult.example".to_owned());
    })
    .await;
    let link = json!({ "room": "ward", "role": "patient", "valid_s": 60 });
    let made = bench.admin("POST", "/links", Some(&link)).await.json();
    let link = made["link"].as_str().expect("text");
    assert!(
        link.starts_with("https://consult.example/consult#"),
        "{link}"
    );
    let token = json!({ "room": "ward", "identity": "i", "role": "viewer", "valid_s": 60 });
    let made = bench.admin("POST", "/tokens", Some(&token)).await.json();
    assert_eq!(made["url"], "wss://consult.example");
    bench.stop().await;
}

#[tokio::test]
async fn links_and_tokens_are_made_within_bounds() {
    let bench = Bench::new().await;
    let link = json!({ "room": "ward", "role": "patient", "valid_s": 60 });
    let made = bench.admin("POST", "/links", Some(&link)).await;
    assert_eq!(made.status, "200", "{made:?}");
    let prefix = format!("{}/consult#", bench.running.url());
    assert!(
        made.json()["link"]
            .as_str()
            .is_some_and(|link| link.starts_with(&prefix))
    );

    for (role, publishes, administers) in [
        ("participant", None, false),
        ("viewer", Some(false), false),
        ("administrator", None, true),
        ("agent", None, false),
    ] {
        let token = json!({ "room": "ward", "identity": "i", "role": role, "valid_s": 60 });
        let made = bench.admin("POST", "/tokens", Some(&token)).await.json();
        let claims = bench
            .tokens
            .verify(made["token"].as_str().expect("text"))
            .expect("ours");
        let grant = claims.video.expect("granted");
        assert_eq!(
            (grant.can_publish, grant.room_admin),
            (publishes, administers),
            "{role}"
        );
        assert_eq!((grant.room.as_str(), grant.room_join), ("ward", true));
        assert_eq!(claims.kind == "agent", role == "agent");
    }

    let edited = |original: &Value, name: &str, value: Value| {
        let mut edited = original.clone();
        edited[name] = value;
        edited
    };
    let token = json!({ "room": "ward", "identity": "i", "role": "viewer", "valid_s": 60 });
    for (path, body) in [
        ("/links", edited(&link, "room", json!(""))),
        ("/links", edited(&link, "room", json!("x".repeat(257)))),
        ("/links", edited(&link, "valid_s", json!(0))),
        ("/links", edited(&link, "valid_s", json!(u64::MAX))),
        (
            "/links",
            edited(&link, "display_name", json!("x".repeat(101))),
        ),
        ("/links", edited(&link, "role", json!("nurse"))),
        ("/tokens", edited(&token, "identity", json!(""))),
        ("/tokens", edited(&token, "valid_s", json!(u64::MAX))),
        ("/tokens", json!([])),
    ] {
        failed(&bench.admin("POST", path, Some(&body)).await, "400");
    }
    failed(&bench.admin_text("POST", "/links", "{").await, "400");
    bench.stop().await;
}

#[tokio::test]
async fn api_keys_are_listed_added_rotated_and_removed() {
    let bench = Bench::new().await;
    let keys = bench.admin("GET", "/api-keys", None).await.json();
    let first = keys[0]["name"].as_str().expect("text").to_owned();
    assert_eq!(
        (&keys[0]["signs"], keys[0].get("secret")),
        (&json!(true), None)
    );
    let added = bench.admin("POST", "/api-keys", None).await.json();
    assert!(
        added["secret"]
            .as_str()
            .is_some_and(|secret| secret.len() >= 32)
    );

    let path = format!("/api-keys/{first}");
    let rotate = json!({ "overlap_s": 3_600 });
    let made = bench
        .admin("POST", &format!("{path}/rotate"), Some(&rotate))
        .await
        .json();
    let keys = bench.admin("GET", "/api-keys", None).await.json();
    assert_eq!(
        (&keys[0]["name"], &keys[0]["signs"]),
        (&made["name"], &json!(true))
    );
    assert_eq!(keys[1]["name"], first.as_str());
    assert!(keys[1]["until"].is_u64() && keys[1]["in_force"] == true);
    // Tokens of the old key still count.
    let answer = bench
        .client()
        .get(&format!("/rtc/validate?access_token={}", bench.token("p")))
        .await;
    assert_eq!(answer.status, "200");

    failed(
        &bench
            .admin("POST", &format!("{path}/rotate"), Some(&rotate))
            .await,
        "400",
    );
    let long = json!({ "overlap_s": 90 * 86_400 + 1 });
    failed(
        &bench
            .admin("POST", &format!("{path}/rotate"), Some(&long))
            .await,
        "400",
    );
    failed(&bench.admin("DELETE", "/api-keys/none", None).await, "400");
    assert_eq!(bench.admin("DELETE", &path, None).await.status, "204");
    let answer = bench
        .client()
        .get(&format!("/rtc/validate?access_token={}", bench.token("p")))
        .await;
    assert_eq!(answer.status, "401");
    bench.stop().await;
}
