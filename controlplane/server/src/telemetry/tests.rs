//! With a collector that reads what is posted to it.

use crate::testing::scratch;
use crate::tests::{Bench, metrics_of, within};
use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use http::{HeaderMap, StatusCode};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// Where it listens, and what it got: each post's headers and body.
async fn collector(
    answer: StatusCode,
) -> (SocketAddr, mpsc::UnboundedReceiver<(HeaderMap, Bytes)>) {
    let (got, posts) = mpsc::unbounded_channel();
    let take = async move |headers: HeaderMap, body: Bytes| {
        got.send((headers, body)).expect("the test waits");
        answer
    };
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("binds");
    let address = listener.local_addr().expect("bound");
    #[expect(
        clippy::disallowed_methods,
        reason = "a collector asks no policy of ours"
    )]
    let router = Router::new().route("/v1/traces", post(take));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, posts)
}

async fn bench(collector: SocketAddr) -> Bench {
    Bench::configured(scratch(), |config| {
        config.telemetry.metrics_listen = Some(([127, 0, 0, 1], 0).into());
        config.telemetry.otlp_endpoint = Some(format!("http://{collector}/v1/traces"));
    })
    .await
}

fn texts(span: &Span) -> Vec<(String, String)> {
    let attributes = span.attributes.iter().map(|attribute| {
        let value = attribute.value.clone().and_then(|value| value.value);
        let text = match value.expect("a value") {
            Value::StringValue(text) => text,
            Value::IntValue(number) => number.to_string(),
            other => panic!("neither text nor number: {other:?}"),
        };
        (attribute.key.clone(), text)
    });
    attributes.collect()
}

#[tokio::test]
async fn a_collector_hears_what_was_done_and_not_for_whom() {
    let (address, mut posts) = collector(StatusCode::OK).await;
    let bench = bench(address).await;
    let client = bench.client();
    let headers = [
        ("baggage", "patient=canary"),
        (
            "traceparent",
            "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01",
        ),
        ("tracestate", "canary=1"),
        ("user-agent", "canary"),
    ];
    let path = format!(
        "/rtc/validate?canary=1&access_token={}",
        bench.token("canary")
    );
    assert_eq!(client.request("GET", &path, &headers).await.status, "200");
    assert_eq!(
        client.request("CANARY", "/canary", &headers).await.status,
        "404"
    );
    bench.stop().await;
    let mut spans = Vec::new();
    while let Ok((headers, body)) = posts.try_recv() {
        assert_eq!(headers["content-type"], "application/x-protobuf");
        let bytes = [&body[..], format!("{headers:?}").as_bytes()].concat();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.to_lowercase().contains("canary"), "{text}");
        let request = ExportTraceServiceRequest::decode(body).expect("OTLP");
        for resource in request.resource_spans {
            spans.extend(
                resource
                    .scope_spans
                    .into_iter()
                    .flat_map(|scope| scope.spans),
            );
        }
    }
    let validated = spans
        .iter()
        .find(|span| span.name == "/rtc/validate")
        .expect("a span for the request");
    let expected = [
        ("http.request.method", "GET"),
        ("http.route", "/rtc/validate"),
        ("http.response.status_code", "200"),
    ];
    let expected = expected.map(|(key, text)| (key.to_owned(), text.to_owned()));
    assert_eq!(texts(validated), expected);
    assert_ne!(hex(&validated.trace_id), "0123456789abcdef0123456789abcdef");
    let rooms = spans
        .iter()
        .find(|span| span.name == "rooms" && span.trace_id == validated.trace_id)
        .expect("its part");
    assert_eq!(rooms.parent_span_id, validated.span_id);
    let other = spans.iter().find(|span| span.name == "other");
    assert_eq!(
        texts(other.expect("a span for the other")).first(),
        Some(&("http.request.method".to_owned(), "_OTHER".to_owned()))
    );
    for span in &spans {
        assert!(span.events.is_empty() && span.links.is_empty() && span.trace_state.is_empty());
        let status = span.status.clone().unwrap_or_default();
        assert!(status.message.is_empty(), "{status:?}");
    }
}

#[tokio::test]
async fn a_collector_that_takes_nothing_costs_traces_only() {
    let (address, mut posts) = collector(StatusCode::SERVICE_UNAVAILABLE).await;
    let bench = bench(address).await;
    within(posts.recv(), "a post").await.expect("one");
    let failed = async {
        while !metrics_of(&bench)
            .await
            .lines()
            .filter_map(|line| line.strip_prefix(r#"bedside_spans_total{result="failed"} "#))
            .any(|count| count != "0")
        {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    within(failed, "the failure is counted").await;
    assert_eq!(bench.client().get("/healthz").await.status, "200");
    bench.stop().await;
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
