//! The metrics listener.

use super::client::parse;
use super::{Bench, within};
use crate::testing::scratch;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// One scrape's body.
pub(crate) async fn metrics_of(bench: &Bench) -> String {
    let answer = parse(&ask(bench, "GET /metrics").await);
    assert_eq!(answer.status, "200");
    let kind = answer.header("content-type").expect("a type");
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    answer.body
}

async fn ask(bench: &Bench, what: &str) -> Vec<u8> {
    let address = bench.running.metrics_listen.expect("it is on");
    let exchange = async {
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        let request = format!("{what} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("taken");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.expect("answered");
        bytes
    };
    within(exchange, "the metrics are served").await
}

#[tokio::test]
async fn a_scrape_says_what_there_is_and_not_who() {
    let bench = Bench::configured(scratch(), |config| {
        config.telemetry.metrics_listen = Some(([127, 0, 0, 1], 0).into());
    })
    .await;
    let client = bench.client();
    let signal = client.signal("/rtc", &bench.token("canary-identity")).await;
    let mut signal = signal.expect("let in");
    signal.next().await;
    assert_eq!(
        client.signal("/rtc", "canary.to.ken").await.map(drop),
        Err(401)
    );
    let text = metrics_of(&bench).await;
    for line in [
        "bedside_dataplane_up 1",
        "bedside_rooms 1",
        "bedside_participants 1",
        r#"bedside_joins_total{entrance="signalling",result="done"} 1"#,
        r#"bedside_joins_total{entrance="signalling",result="refused"} 1"#,
        r#"bedside_http_requests_total{route="/rtc",status="4xx"} 1"#,
    ] {
        assert!(text.lines().any(|known| known == line), "{line} in {text}");
    }
    assert!(text.ends_with("# EOF\n"));
    assert!(!text.contains("anary"));
    bench.stop().await;
}

#[tokio::test]
async fn the_listener_serves_nothing_else_and_nothing_else_serves_it() {
    let bench = Bench::configured(scratch(), |config| {
        config.telemetry.metrics_listen = Some(([127, 0, 0, 1], 0).into());
    })
    .await;
    assert_eq!(parse(&ask(&bench, "GET /healthz").await).status, "404");
    assert_eq!(parse(&ask(&bench, "POST /metrics").await).status, "405");
    assert_eq!(bench.client().get("/metrics").await.status, "404");
    bench.stop().await;
    let quiet = Bench::new().await;
    assert_eq!(quiet.running.metrics_listen, None);
    quiet.stop().await;
}
