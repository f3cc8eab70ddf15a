//! `/rtc`, `/rtc/v1` and their `validate` twins.

use super::client::{Ended, Signal};
use super::{Bench, within};
use crate::limits::SILENCE_MAX;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use bedside_rooms::{Claims, VideoGrant};
use livekit_protocol::signal_request::Message as Request;
use livekit_protocol::signal_response::Message as Response;
use livekit_protocol::{
    JoinRequest, JoinResponse, LeaveRequest, Ping, UpdateRoomMetadataRequest, WrappedJoinRequest,
    leave_request::Action,
};
use prost::Message as _;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_tungstenite::tungstenite;
use tracing_subscriber::fmt::MakeWriter;

fn join_request(request: &JoinRequest) -> String {
    let wrapped = WrappedJoinRequest {
        compression: 0,
        join_request: request.encode_to_vec(),
    };
    format!("join_request={}", URL_SAFE.encode(wrapped.encode_to_vec()))
}

async fn joined(signal: &mut Signal) -> JoinResponse {
    match signal.next().await {
        Response::Join(join) => join,
        other => panic!("the first message must be join: {other:?}"),
    }
}

#[tokio::test]
async fn tokens_decide_who_may_join() {
    let bench = Bench::new().await;
    let client = bench.client();
    let sign = |edit: fn(&mut Claims)| {
        let mut claims = Claims {
            iss: bench.tokens.first_key(),
            sub: "p".to_owned(),
            video: Some(VideoGrant {
                room_join: true,
                room: "r".to_owned(),
                ..VideoGrant::default()
            }),
            ..Claims::default()
        };
        edit(&mut claims);
        let token = bench.tokens.sign(&claims, Duration::from_secs(60));
        token.expect("the key is there")
    };
    let good = sign(|_| {});
    let mut forged = good.clone();
    forged.truncate(good.len() - 4);
    forged.push_str("AAAA");
    let no_room = sign(|claims| {
        claims.video = Some(VideoGrant {
            room_join: true,
            ..VideoGrant::default()
        })
    });
    let no_identity = sign(|claims| claims.sub.clear());
    let no_grant = sign(|claims| {
        claims.video = Some(VideoGrant {
            room: "r".to_owned(),
            ..VideoGrant::default()
        })
    });
    let v1 = join_request(&JoinRequest::default());
    let cases = [
        ("good", good.as_str(), "200"),
        ("none", "", "401"),
        ("garbage", "a.b.c", "401"),
        ("forged", &forged, "401"),
        ("without a grant", &no_grant, "401"),
        ("without a room", &no_room, "400"),
        ("without an identity", &no_identity, "400"),
    ];
    for (name, token, status) in cases {
        for (path, query) in [("/rtc", "sdk=js"), ("/rtc/v1", v1.as_str())] {
            let by_query = format!("{path}/validate?{query}&access_token={token}");
            let answer = client.get(&by_query).await;
            assert_eq!(answer.status, status, "{name} {path}: {}", answer.body);
            assert_eq!(
                answer.header("access-control-allow-origin"),
                Some("*"),
                "{name} {path}"
            );
            let content_type = answer.header("content-type").unwrap_or_default();
            assert!(
                content_type.starts_with("text/plain"),
                "{name} {path}: {content_type}"
            );
            assert_eq!(answer.body == "success", status == "200", "{name} {path}");
            assert!(
                !token.is_empty() || answer.body == "no access token",
                "{}",
                answer.body
            );

            let bearer = format!("Bearer {token}");
            let by_header = format!("{path}/validate?{query}");
            let answer = client
                .request("GET", &by_header, &[("Authorization", &bearer)])
                .await;
            assert_eq!(
                answer.status, status,
                "{name} {path} by header: {}",
                answer.body
            );
        }
    }
    // The WebSocket itself is refused with the same status.
    assert_eq!(client.signal("/rtc", "a.b.c").await.map(drop), Err(401));
    bench.stop().await;
}

#[tokio::test]
async fn bad_join_requests_are_refused_over_the_wire() {
    let bench = Bench::new().await;
    let client = bench.client();
    let token = bench.token("p");
    assert_eq!(client.signal("/rtc/v1", &token).await.map(drop), Err(400));
    assert_eq!(
        client
            .signal("/rtc/v1?join_request=%21", &token)
            .await
            .map(drop),
        Err(400)
    );
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    io::Write::write_all(&mut bomb, &vec![0; 32 << 20]).expect("memory");
    let wrapped = WrappedJoinRequest {
        compression: 1,
        join_request: bomb.finish().expect("memory"),
    };
    let bomb = format!(
        "/rtc/v1?join_request={}",
        URL_SAFE.encode(wrapped.encode_to_vec())
    );
    assert_eq!(client.signal(&bomb, &token).await.map(drop), Err(400));
    // Without a good token nothing is decompressed.
    assert_eq!(client.signal(&bomb, "a.b.c").await.map(drop), Err(401));
    bench.stop().await;
}

#[tokio::test]
async fn a_plain_get_where_a_websocket_belongs_is_not_found() {
    let bench = Bench::new().await;
    let client = bench.client();
    for path in ["/rtc", "/rtc/v1", "/rtc/v2", "/rtc/", "//rtc"] {
        let answer = client.get(path).await;
        assert_eq!(answer.status, "404", "{path}");
        // LiveKit's web SDK takes these words for a missing room.
        assert!(
            !answer.body.contains("requested room does not exist"),
            "{path}"
        );
    }
    let answer = client.request("POST", "/rtc/validate", &[]).await;
    assert_eq!(answer.status, "405");
    bench.stop().await;
}

#[tokio::test]
async fn both_versions_join_and_are_answered() {
    let bench = Bench::new().await;
    let client = bench.client();
    let v1 = format!("//rtc/v1?{}", join_request(&JoinRequest::default()));
    for (path, identity) in [("/rtc?sdk=python&protocol=16", "p0"), (v1.as_str(), "p1")] {
        let mut signal = client
            .signal(path, &bench.token(identity))
            .await
            .expect("let in");
        let join = joined(&mut signal).await;
        let participant = join.participant.expect("present");
        assert_eq!(participant.identity, identity);
        assert!(participant.sid.starts_with("PA_"), "{}", participant.sid);
        assert!(join.ping_interval > 0 && join.ping_timeout > 0);
        let token = signal
            .until(|message| match message {
                Response::RefreshToken(token) => Some(token),
                _ => None,
            })
            .await;
        let claims = bench.tokens.verify(&token).expect("signed by us");
        assert_eq!(claims.subject(), identity);
        let ping = Ping {
            timestamp: 42,
            rtt: 0,
        };
        signal.send(Request::PingReq(ping)).await;
        let pong = signal.until(|message| match message {
            Response::PongResp(pong) => Some(pong.last_ping_timestamp),
            _ => None,
        });
        assert_eq!(pong.await, 42);
    }
    bench.stop().await;
}

#[tokio::test]
async fn json_is_answered_with_json() {
    let bench = Bench::new().await;
    let client = bench.client();
    let mut signal = client
        .signal("/rtc", &bench.token("p"))
        .await
        .expect("let in");
    joined(&mut signal).await;
    let text = r#"{"pingReq":{"timestamp":"43"},"notYetInvented":{"a":[1]}}"#;
    signal
        .send_frame(tungstenite::Message::Text(text.into()))
        .await;
    let answered = async {
        use futures_util::StreamExt as _;
        loop {
            let frame = signal.socket.next().await.expect("open").expect("open");
            if let tungstenite::Message::Text(text) = frame
                && text.contains("pongResp")
            {
                return text.to_string();
            }
        }
    };
    let answer = within(answered, "pong").await;
    assert!(answer.contains(r#""lastPingTimestamp":"43""#), "{answer}");
    bench.stop().await;
}

#[tokio::test]
async fn a_leaving_client_is_gone() {
    let bench = Bench::new().await;
    let client = bench.client();
    let mut signal = client
        .signal("/rtc", &bench.token("p"))
        .await
        .expect("let in");
    joined(&mut signal).await;
    signal.send(Request::Leave(LeaveRequest::default())).await;
    signal.end().await;
    let empty = async {
        loop {
            let status = bench.running.rooms.call(|rooms, _| rooms.status());
            if status.await.expect("running").participants == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within(empty, "the participant is gone").await;
    bench.stop().await;
}

#[tokio::test]
async fn a_newer_connection_with_the_same_identity_ends_the_older() {
    let bench = Bench::new().await;
    let client = bench.client();
    let mut older = client
        .signal("/rtc", &bench.token("p"))
        .await
        .expect("let in");
    joined(&mut older).await;
    let mut newer = client
        .signal("/rtc", &bench.token("p"))
        .await
        .expect("let in");
    joined(&mut newer).await;
    let action = older.until(|message| match message {
        Response::Leave(leave) => Some(leave.action()),
        _ => None,
    });
    assert_eq!(action.await, Action::Disconnect);
    assert_eq!(older.end().await, Ended::Closed(1000));
    bench.stop().await;
}

#[tokio::test]
async fn what_is_no_message_ends_the_connection() {
    let bench = Bench::new().await;
    let client = bench.client();
    let frames = [
        (
            tungstenite::Message::Binary(vec![0x0a, 0xff].into()),
            Ended::Closed(1007),
        ),
        (tungstenite::Message::Text("{".into()), Ended::Closed(1007)),
        (
            tungstenite::Message::Binary(vec![0; 3 << 20].into()),
            Ended::Dropped,
        ),
    ];
    for (frame, expected) in frames {
        let mut signal = client
            .signal("/rtc", &bench.token("p"))
            .await
            .expect("let in");
        joined(&mut signal).await;
        use futures_util::SinkExt as _;
        // The server may hang up in the middle of a long one.
        if signal.socket.send(frame).await.is_ok() {
            assert_eq!(signal.end().await, expected);
        }
    }
    bench.stop().await;
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_disconnected() {
    let bench = Bench::new().await;
    let client = bench.client();
    let mut slow = client
        .signal("/rtc", &bench.token("slow"))
        .await
        .expect("let in");
    joined(&mut slow).await;
    // It stops reading, while 60 MB of room metadata are sent to it.
    for n in 0..1_000 {
        let request = UpdateRoomMetadataRequest {
            room: "r".to_owned(),
            metadata: format!("{n}{}", "m".repeat(60_000)),
        };
        let updated = bench
            .running
            .rooms
            .call(move |rooms, now| rooms.update_room_metadata(now, request));
        updated.await.expect("running").expect("the room is there");
    }
    assert_eq!(slow.end().await, Ended::Dropped);
    // Nobody else noticed.
    let mut other = client
        .signal("/rtc", &bench.token("other"))
        .await
        .expect("let in");
    joined(&mut other).await;
    bench.stop().await;
}

#[tokio::test]
async fn a_silent_client_is_disconnected() {
    let bench = Bench::new().await;
    let client = bench.client();
    let mut signal = client
        .signal("/rtc", &bench.token("p"))
        .await
        .expect("let in");
    joined(&mut signal).await;
    // It reads nothing and so answers no ping.
    tokio::time::pause();
    tokio::time::sleep(SILENCE_MAX + Duration::from_secs(1)).await;
    tokio::time::resume();
    assert_eq!(signal.end().await, Ended::Dropped);
    bench.stop().await;
}

#[tokio::test]
async fn a_client_that_only_answers_pings_is_kept() {
    let bench = Bench::new().await;
    let client = bench.client();
    let mut signal = client
        .signal("/rtc", &bench.token("p"))
        .await
        .expect("let in");
    joined(&mut signal).await;
    tokio::time::pause();
    let ended = tokio::time::timeout(SILENCE_MAX + Duration::from_secs(5), signal.end()).await;
    assert!(ended.is_err(), "{ended:?}");
    tokio::time::resume();
    bench.stop().await;
}

#[tokio::test]
async fn no_log_holds_a_token_a_name_or_an_address() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .finish();
    // For every test of this program: a scoped one would miss what another thread has met first.
    tracing::subscriber::set_global_default(subscriber).expect("the only one");
    let mut bench = Bench::new().await;
    let client = bench.client();
    let claims = Claims {
        iss: bench.tokens.first_key(),
        sub: "canary-identity".to_owned(),
        name: "Canary Name".to_owned(),
        metadata: "canary-metadata".to_owned(),
        video: Some(VideoGrant {
            room_join: true,
            room: "canary-room".to_owned(),
            ..VideoGrant::default()
        }),
        ..Claims::default()
    };
    let token = bench
        .tokens
        .sign(&claims, Duration::from_secs(60))
        .expect("signs");
    let path = format!("/rtc?access_token={token}&device_model=canary-device");
    let mut signal = client.signal(&path, &token).await.expect("let in");
    joined(&mut signal).await;
    for path in ["/rtc/validate", "/canary-path", "/rtc"] {
        client.get(&format!("{path}?access_token={token}x")).await;
    }
    bench.dataplane.hang_up();
    bench.until_healthy("503").await;
    bench.dataplane.accept().await;
    signal
        .send_frame(tungstenite::Message::Text("canary-garbage".into()))
        .await;
    signal.end().await;
    drop(signal);
    let bench_key = bench.tokens.first_entry();
    bench.stop().await;
    let expected = [
        "data plane connected",
        "request answered",
        "signalling connection ended",
        "/rtc/validate",
    ];
    let logged = async {
        while !expected.iter().all(|event| log.text().contains(event)) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    within(logged, "the events are logged").await;
    let text = log.text();
    let payload = token.split('.').nth(1).expect("three parts");
    let (_, secret) = bench_key;
    for canary in ["anary", payload, secret.expose().as_str()] {
        assert!(!text.contains(canary), "{canary}:\n{text}");
    }
    for line in text.lines().filter(|line| line.contains("127.0.0.1")) {
        assert!(line.contains("listening"), "a client's address: {line}");
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("not poisoned")).into_owned()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("not poisoned").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
