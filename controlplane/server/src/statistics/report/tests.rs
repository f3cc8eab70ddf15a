use super::*;
use crate::metrics::Metrics;
use bolero::check;
use std::sync::LazyLock;

/// What Chromium 156 says of one stream and one pair, with somebody in it.
const FULL: &str = r#"{
  "join": { "signalling": 0.2, "connected": 0.5, "firstFrame": 0.9, "canaryStep": 1 },
  "page": "https://canary.example/consult",
  "reports": [
    { "type": "inbound-rtp", "id": "IT01V1canary", "kind": "video", "trackIdentifier": "canary",
      "mid": "canary", "packetsReceived": 900, "packetsLost": 100, "jitter": 0.004,
      "freezeCount": 1, "totalFreezesDuration": 0.75, "framesDecoded": 250, "framesDropped": 2,
      "decoderImplementation": "canary", "ssrc": 1234 },
    { "type": "inbound-rtp", "kind": "audio", "packetsReceived": 500, "packetsLost": 0,
      "concealedSamples": 480, "totalSamplesReceived": 480000 },
    { "type": "outbound-rtp", "kind": "audio", "packetsSent": 500, "rid": "canary" },
    { "type": "remote-inbound-rtp", "kind": "audio", "packetsLost": 5, "roundTripTime": 0.05 },
    { "type": "candidate-pair", "currentRoundTripTime": 0.05, "remoteCandidateType": "host",
      "protocol": "udp", "localCandidateId": "canary" },
    { "type": "local-candidate", "address": "203.0.113.9", "usernameFragment": "canary" },
    { "type": "media-source", "audioLevel": 0.4, "deviceId": "canary" }
  ]
}"#;

#[test]
fn numbers_are_added_up_and_nothing_else_is_left() {
    let report = parse(FULL.as_bytes()).expect("a report");
    let left = format!("{report:?}");
    assert!(!left.contains("anary") && !left.contains("203.0"), "{left}");
    // canaryStep, page; id, trackIdentifier, mid, decoderImplementation, ssrc; rid; roundTripTime;
    // localCandidateId; two dictionaries.
    assert_eq!(report.dropped, 12);
    let metrics = Metrics::new();
    report.add_to(&metrics.client);
    let text = metrics.text();
    for line in [
        "bedside_client_keys_dropped_total 12",
        r#"bedside_client_join_seconds_count{step="first_frame"} 1"#,
        r#"bedside_client_packets_total{direction="received",kind="video"} 900"#,
        r#"bedside_client_packets_lost_total{direction="received",kind="video"} 100"#,
        r#"bedside_client_packets_lost_total{direction="sent",kind="audio"} 5"#,
        r#"bedside_client_loss_ratio_sum{kind="video"} 0.1"#,
        "bedside_client_freezes_total 1",
        "bedside_client_frozen_milliseconds_total 750",
        "bedside_client_concealed_samples_total 480",
        "bedside_client_audio_samples_total 480000",
        "bedside_client_frames_dropped_total 2",
        "bedside_client_round_trip_seconds_count 1",
        r#"bedside_client_paths_total{candidate="host",protocol="udp"} 1"#,
    ] {
        assert!(text.lines().any(|known| known == line), "{line} in {text}");
    }
    assert!(!text.contains("anary"));
}

#[test]
fn what_cannot_be_is_dropped() {
    let check = |entry: &str| {
        let text = format!(r#"{{"reports":[{entry}]}}"#);
        let report = parse(text.as_bytes()).expect("a report");
        assert_eq!(report.dropped, 1, "{entry}");
        let numbers = |entry: &Entry| entry.numbers.is_empty() && entry.media.is_none();
        assert!(report.entries.iter().all(numbers), "{entry}");
    };
    check(r#"{"type":"inbound-rtp","packetsLost":-1}"#);
    check(r#"{"type":"inbound-rtp","packetsReceived":1e300}"#);
    check(r#"{"type":"inbound-rtp","jitter":"Jane Roe"}"#);
    check(r#"{"type":"inbound-rtp","jitter":null}"#);
    check(r#"{"type":"inbound-rtp","kind":"Jane Roe"}"#);
    check(r#"{"type":"outbound-rtp","packetsLost":1}"#);
    check(r#"{"type":"candidate-pair","protocol":"203.0.113.9"}"#);
    check(r#"{"type":"Jane Roe","packetsLost":1}"#);
    check(r#"{"packetsLost":1}"#);
    check("3");
}

#[test]
fn what_is_no_report_is_refused() {
    let many = format!(
        r#"{{"reports":[{}0]}}"#,
        "0,".repeat(STATISTICS_ENTRIES_MAX)
    );
    for text in ["", "{", "[]", "3", r#""Jane Roe""#, "{}{}", &many] {
        assert_eq!(parse(text.as_bytes()), None, "{text}");
    }
    assert_eq!(parse(b"{}"), Some(Report::default()));
}

/// Of all the inputs of a check: making them is the longest part of each.
static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);

#[test]
fn any_bytes_are_read_or_refused() {
    check!().for_each(|bytes: &[u8]| {
        if let Some(report) = parse(bytes) {
            report.add_to(&METRICS.client);
            assert!(report.entries.len() <= STATISTICS_ENTRIES_MAX);
        }
    });
}

#[test]
fn any_values_of_known_members_are_read_or_dropped() {
    check!()
        .with_type::<Vec<(u8, u8, Option<f64>, String)>>()
        .for_each(|members| {
            let entries: Vec<Value> = members
                .iter()
                .map(|(kind, name, value, text)| {
                    let (kind, _) = KINDS[usize::from(*kind) % KINDS.len()];
                    let (_, name, ..) = NUMBERS[usize::from(*name) % NUMBERS.len()];
                    let value = value.map_or_else(|| Value::from(text.as_str()), Value::from);
                    serde_json::json!({ "type": kind, name: value, "kind": text })
                })
                .collect();
            let body = serde_json::json!({ "reports": entries });
            if let Some(report) = parse(body.to_string().as_bytes()) {
                report.add_to(&METRICS.client);
                for (name, value) in report.entries.iter().flat_map(|entry| &entry.numbers) {
                    assert!(*value >= 0.0 && *value <= 1e9, "{name:?} {value}");
                }
            }
        });
}
