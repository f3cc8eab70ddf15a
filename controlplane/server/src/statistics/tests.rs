use crate::limits::{STATISTICS_BODY_BYTES_MAX, STATISTICS_PER_REPORTER_MINUTE};
use crate::testing::scratch;
use crate::tests::{Bench, metrics_of};

const REPORT: &str = r#"{"join":{"connected":0.5},"reports":[
    {"type":"inbound-rtp","kind":"audio","packetsReceived":500,"id":"canary"}]}"#;

async fn bench(client_statistics: bool) -> Bench {
    Bench::configured(scratch(), |config| {
        config.telemetry.metrics_listen = Some(([127, 0, 0, 1], 0).into());
        config.telemetry.client_statistics = client_statistics;
    })
    .await
}

#[tokio::test]
async fn who_is_let_in_may_report_at_a_pace() {
    let bench = bench(true).await;
    let client = bench.client();
    let bearer = format!("Bearer {}", bench.token("p"));
    let post = async |credential: &str, body: &[u8]| {
        let headers = [("Authorization", credential)];
        let answer = client.send("POST", "/api/statistics", &headers, body).await;
        assert!(!answer.body.contains("anary"), "{answer:?}");
        answer.status
    };
    assert_eq!(post(&bearer, REPORT.as_bytes()).await, "204");
    assert_eq!(post("Bearer canary", REPORT.as_bytes()).await, "401");
    assert_eq!(post("canary", REPORT.as_bytes()).await, "401");
    let nobody = client.send("POST", "/api/statistics", &[], REPORT.as_bytes());
    assert_eq!(nobody.await.status, "401");
    assert_eq!(post(&bearer, b"canary").await, "400");
    let long = vec![b' '; STATISTICS_BODY_BYTES_MAX + 1];
    assert_eq!(post(&bearer, &long).await, "400");
    for _ in 3..STATISTICS_PER_REPORTER_MINUTE {
        assert_eq!(post(&bearer, REPORT.as_bytes()).await, "204");
    }
    assert_eq!(post(&bearer, REPORT.as_bytes()).await, "429");
    let metrics = metrics_of(&bench).await;
    for line in [
        r#"bedside_client_reports_total{result="unauthenticated"} 3"#,
        r#"bedside_client_reports_total{result="malformed"} 2"#,
        r#"bedside_client_reports_total{result="limited"} 1"#,
        "bedside_client_keys_dropped_total 10",
        r#"bedside_client_packets_total{direction="received",kind="audio"} 5000"#,
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    assert!(!metrics.contains("anary"));
    bench.stop().await;
}

#[tokio::test]
async fn reports_can_be_turned_off() {
    let bench = bench(false).await;
    let bearer = format!("Bearer {}", bench.token("p"));
    let headers = [("Authorization", bearer.as_str())];
    let client = bench.client();
    let answer = client.send("POST", "/api/statistics", &headers, REPORT.as_bytes());
    assert_eq!(answer.await.status, "404");
    bench.stop().await;
}
