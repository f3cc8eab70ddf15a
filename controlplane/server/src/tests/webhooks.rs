//! Webhooks, received and verified as LiveKit's server SDKs do it.

use super::{Bench, config, within};
use crate::testing::scratch;
use crate::{Error, start};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bedside_rooms::VideoGrant;
use serde_json::Value;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

/// A delivery as it came.
#[derive(Debug)]
struct Delivery {
    head: String,
    body: Vec<u8>,
}

impl Delivery {
    fn header(&self, name: &str) -> &str {
        let lines = self.head.lines();
        lines
            .filter_map(|line| line.split_once(": "))
            .find_map(|(known, value)| known.eq_ignore_ascii_case(name).then_some(value))
            .unwrap_or_default()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    fn event(&self) -> String {
        self.json()["event"].as_str().expect("text").to_owned()
    }
}

/// Answers with the given statuses, one after the other, then with 200.
async fn receiver(
    statuses: &'static [u16],
    tls: Option<TlsAcceptor>,
) -> (SocketAddr, mpsc::UnboundedReceiver<Delivery>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let (sender, deliveries) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut statuses = statuses.iter();
        // One connection at a time: the server keeps one.
        while let Ok((stream, _)) = listener.accept().await {
            match &tls {
                None => serve(stream, &sender, &mut statuses).await,
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => serve(stream, &sender, &mut statuses).await,
                    Err(_) => continue,
                },
            }
        }
    });
    (address, deliveries)
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    deliveries: &mpsc::UnboundedSender<Delivery>,
    statuses: &mut std::slice::Iter<'static, u16>,
) {
    let mut bytes = Vec::new();
    loop {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let mut delivery = Delivery {
                head,
                body: Vec::new(),
            };
            let length: usize = delivery.header("content-length").parse().expect("a length");
            if bytes.len() >= end + 4 + length {
                delivery.body = bytes[end + 4..end + 4 + length].to_vec();
                bytes.drain(..end + 4 + length);
                deliveries.send(delivery).expect("the test listens");
                let status = statuses.next().copied().unwrap_or(200);
                let answer = format!("HTTP/1.1 {status} x\r\nContent-Length: 2\r\n\r\nok");
                stream
                    .write_all(answer.as_bytes())
                    .await
                    .expect("the server reads");
                continue;
            }
        }
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer).await {
            Ok(read @ 1..) => bytes.extend_from_slice(&buffer[..read]),
            _ => return,
        }
    }
}

async fn bench_with(urls: Vec<String>, ca_file: Option<&Path>) -> Bench {
    Bench::configured(scratch(), |config| {
        config.webhooks.urls = urls;
        config.webhooks.ca_file = ca_file.map(Path::to_owned);
    })
    .await
}

/// Alice joins room `r`, then the room is ended.
async fn a_short_call(bench: &Bench) {
    let client = bench.client();
    let mut signal = client
        .signal("/rtc", &bench.token("alice"))
        .await
        .expect("let in");
    signal.next().await;
    let grant = VideoGrant {
        room_create: true,
        ..VideoGrant::default()
    };
    let bearer = format!("Bearer {}", bench.token_with("admin", grant));
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
    ];
    let path = "/twirp/livekit.RoomService/DeleteRoom";
    let ended = client
        .send("POST", path, &headers, br#"{"room":"r"}"#)
        .await;
    assert_eq!(ended.status, "200");
}

async fn next(deliveries: &mut mpsc::UnboundedReceiver<Delivery>) -> Delivery {
    within(deliveries.recv(), "an event is delivered")
        .await
        .expect("the receiver runs")
}

async fn until_finished(deliveries: &mut mpsc::UnboundedReceiver<Delivery>) -> Vec<Delivery> {
    let mut seen = Vec::new();
    while seen
        .last()
        .is_none_or(|last: &Delivery| last.event() != "room_finished")
    {
        seen.push(next(deliveries).await);
    }
    seen
}

/// By hand, from RFC 7515 and RFC 7519, not by what signed it.
fn verify(bench: &Bench, delivery: &Delivery) {
    let (key, secret) = bench.running.first_api_key();
    let token = delivery.header("authorization");
    let parts: Vec<_> = token.split('.').collect();
    let [header, claims, signature] = parts[..] else {
        panic!("a token and nothing before it: {token}");
    };
    let hmac_key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    hmac::verify(
        &hmac_key,
        format!("{header}.{claims}").as_bytes(),
        &signature,
    )
    .expect("the signature fits");
    let json = |part: &str| -> Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON")
    };
    assert_eq!(json(header)["alg"], "HS256");
    let claims = json(claims);
    assert_eq!(claims["iss"], *key);
    let lifetime = claims["exp"].as_u64().expect("set") - claims["nbf"].as_u64().expect("set");
    assert_eq!(lifetime, 300);
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &delivery.body);
    assert_eq!(claims["sha256"], STANDARD.encode(hash));
}

#[tokio::test]
async fn events_come_in_order_and_verify() {
    let (address, mut deliveries) = receiver(&[], None).await;
    let bench = bench_with(vec![format!("http://{address}/hook?a=b")], None).await;
    a_short_call(&bench).await;
    let seen = until_finished(&mut deliveries).await;
    let events: Vec<_> = seen.iter().map(Delivery::event).collect();
    assert_eq!(events.first().map(String::as_str), Some("room_started"));
    let place = |name: &str| events.iter().position(|event| event == name);
    assert!(
        place("participant_left") < place("room_finished"),
        "{events:?}"
    );
    let mut ids = Vec::new();
    for delivery in &seen {
        assert!(
            delivery.head.starts_with("POST /hook?a=b HTTP/1.1\r\n"),
            "{}",
            delivery.head
        );
        assert_eq!(delivery.header("host"), address.to_string());
        assert_eq!(delivery.header("content-type"), "application/webhook+json");
        verify(&bench, delivery);
        let event = delivery.json();
        assert_eq!(event["room"]["name"], "r");
        assert!(event["createdAt"].is_string(), "protobuf's JSON: {event}");
        ids.push(event["id"].as_str().expect("text").to_owned());
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(
        ids.len(),
        seen.len(),
        "ids differ, so that receivers can drop repetitions"
    );
    bench.stop().await;
}

#[tokio::test]
async fn an_event_is_sent_again_and_the_others_wait_for_it() {
    let (address, mut deliveries) = receiver(&[503], None).await;
    let bench = bench_with(vec![format!("http://{address}")], None).await;
    a_short_call(&bench).await;
    let first = next(&mut deliveries).await;
    let again = next(&mut deliveries).await;
    assert_eq!(first.event(), "room_started");
    assert_eq!(first.body, again.body);
    assert!(
        until_finished(&mut deliveries)
            .await
            .iter()
            .all(|one| one.event() != "room_started")
    );
    bench.stop().await;
}

#[tokio::test]
async fn a_refused_event_is_given_up_and_a_dead_receiver_stops_no_other() {
    let (address, mut deliveries) = receiver(&[403], None).await;
    let dead = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let gone = dead.local_addr().expect("bound");
    drop(dead);
    let urls = vec![format!("http://{gone}"), format!("http://{address}")];
    let bench = bench_with(urls, None).await;
    a_short_call(&bench).await;
    let seen = until_finished(&mut deliveries).await;
    let started = seen
        .iter()
        .filter(|one| one.event() == "room_started")
        .count();
    assert_eq!(started, 1);
    bench.stop().await;
}

#[tokio::test]
async fn over_tls_only_to_whom_the_authority_names() {
    let scratch = scratch();
    let certificate = |folder: &str| {
        let folder = scratch.path().join(folder);
        std::fs::create_dir(&folder).expect("made");
        crate::tls::ensure_development_certificate(&folder, &[]).expect("made")
    };
    let (files, ca_file) = certificate("ours");
    let (_, other_ca_file) = certificate("other");
    let acceptor = || {
        let certificate = crate::tls::Certificate::read(&files).expect("reads");
        let config = crate::tls::server_config(certificate).expect("works");
        Some(TlsAcceptor::from(Arc::new(config)))
    };
    let (trusted, mut deliveries) = receiver(&[], acceptor()).await;
    let bench = bench_with(
        vec![format!("https://localhost:{}", trusted.port())],
        Some(&ca_file),
    )
    .await;
    a_short_call(&bench).await;
    for delivery in until_finished(&mut deliveries).await {
        verify(&bench, &delivery);
    }
    bench.stop().await;

    let (untrusted, mut nothing) = receiver(&[], acceptor()).await;
    let url = format!("https://localhost:{}", untrusted.port());
    let bench = bench_with(vec![url], Some(&other_ca_file)).await;
    a_short_call(&bench).await;
    bench.stop().await;
    assert!(
        nothing.try_recv().is_err(),
        "nothing goes to a receiver that is not known"
    );
}

#[tokio::test]
async fn an_unknown_signing_key_keeps_the_server_from_starting() {
    let scratch = scratch();
    let mut config = config(scratch.path());
    config.webhooks.urls = vec!["http://localhost:1/".to_owned()];
    config.webhooks.api_key = Some("nobody".to_owned());
    assert!(matches!(start(config).await, Err(Error::Config(_))));
}
