use super::labels::ROUTES;
use super::*;
use bedside_protocol::{Event, PeerId, PeerStatistics, TrackStatistics};
use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn the_reference_lists_every_family() {
    let text = Metrics::new().text();
    let registered: BTreeSet<(String, String)> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
        .collect();
    let reference = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/metrics.md");
    let reference = std::fs::read_to_string(reference).expect("docs/reference/metrics.md");
    let listed: BTreeSet<(String, String)> = reference
        .lines()
        .filter_map(|line| line.strip_prefix("| `bedside_")?.split_once("` | "))
        .map(|(name, rest)| {
            let kind = rest.split(' ').next().unwrap_or_default();
            let name = name.strip_suffix("_total").unwrap_or(name);
            (format!("bedside_{name}"), kind.to_owned())
        })
        .collect();
    assert_eq!(registered, listed);
}

#[test]
fn every_series_is_there_from_the_start_and_they_are_few() {
    let metrics = Metrics::new();
    let names = |text: &str| -> BTreeSet<String> {
        let series = text.lines().filter(|line| !line.starts_with('#'));
        series
            .filter_map(|line| Some(line.rsplit_once(' ')?.0.to_owned()))
            .collect()
    };
    let before = names(&metrics.text());
    metrics.joins.count((Entrance::Whip, Verdict::Refused));
    metrics
        .http
        .count((Route::of(Some("/canary")), Status::ClientError));
    metrics
        .http
        .count((Route::of(Some("/assets/canary.js")), Status::Success));
    metrics
        .audit_events
        .count((Action::BreakGlass, Outcome::Denied));
    assert_eq!(names(&metrics.text()), before);
    assert!(before.len() < SERIES_MAX, "{}", before.len());
}

/// What one scrape may cost a Prometheus for all of a server's life.
const SERIES_MAX: usize = 1_000;

#[test]
fn every_route_has_its_label() {
    let routes = crate::http::routes();
    let missing: BTreeSet<&str> = routes
        .endpoints()
        .iter()
        .map(|endpoint| endpoint.path)
        // The page's files share one label, and what is no method of ours has none.
        .filter(|path| !crate::page::is_file(path) && !path.contains("{*"))
        .filter(|path| !ROUTES.contains(path))
        .collect();
    assert!(
        missing.is_empty(),
        "add these to ROUTES in metrics/labels.rs: {missing:?}"
    );
}

#[test]
fn a_request_cannot_choose_its_label() {
    let check = |template: Option<&str>, label: &str| {
        assert_eq!(labels::Label::text(Route::of(template)), label);
    };
    check(None, "other");
    check(Some("/rooms/Jane-Roe"), "other");
    check(Some("/assets/index.js"), "page");
    check(Some("/whip/{session}"), "/whip/{session}");
}

#[test]
fn what_the_rooms_measure_is_spread_over_buckets() {
    let metrics = Metrics::new();
    metrics.observe_measure(Measure::Score(4.2));
    metrics.observe_measure(Measure::Score(0.0));
    metrics.observe_measure(Measure::LayerSeconds(12.0));
    metrics.observe_measure(Measure::PausedSeconds(1.5));
    let text = metrics.text();
    for line in [
        r#"bedside_connection_score_bucket{le="0.0"} 1"#,
        r#"bedside_connection_score_bucket{le="4.1"} 1"#,
        r#"bedside_connection_score_bucket{le="4.3"} 2"#,
        r#"bedside_layer_seconds_bucket{le="10.0"} 0"#,
        r#"bedside_layer_seconds_bucket{le="30.0"} 1"#,
        "bedside_picture_paused_seconds_sum 1.5",
    ] {
        assert!(text.lines().any(|known| known == line), "{line} in {text}");
    }
}

#[test]
fn events_of_the_data_plane_add_up() {
    let metrics = Metrics::new();
    let mut tally = Tally::new(metrics.clone());
    let (one, two) = (PeerId(1), PeerId(2));
    let statistics = |peer, rejected, sent_bps| PeerStatistics {
        peer: Some(peer),
        rtt_ms: Some(30.0),
        retransmitted: 2,
        rejected,
        sent_bps,
        estimate_bps: Some(900_000),
        ..PeerStatistics::default()
    };
    tally.event(&Event::PeerConnected {
        peer: one,
        dtls: DtlsVersion::Dtls13,
        srtp: SrtpProfile::AeadAes256Gcm,
        remote_fingerprint_sha256: [0; 32],
        candidate: CandidateKind::Udp,
        remote_address: ([203, 0, 113, 9], 9).into(),
    });
    for rejected in [1, 3] {
        tally.event(&Event::Statistics {
            peers: vec![statistics(one, rejected, 1_000), statistics(two, 0, 500)],
            tracks: vec![TrackStatistics {
                nacked: 4,
                key_frame_requests: 1,
                bitrate_bps: 1,
                ..TrackStatistics::default()
            }],
        });
    }
    let has = |line: &str| {
        let text = metrics.text();
        assert!(text.lines().any(|known| known == line), "{line} in {text}");
    };
    has(r#"bedside_media_bits_per_second{direction="sent"} 1500"#);
    has("bedside_srtp_rejected_packets_total 3");
    has("bedside_retransmitted_packets_total 8");
    has("bedside_nacked_packets_total 8");
    has("bedside_key_frame_requests_total 2");
    has("bedside_round_trip_seconds_count 4");
    has("bedside_path_estimate_bits_per_second_sum 3600000.0");
    has("bedside_queue_delay_seconds_count 4");
    has(r#"bedside_peer_connections_total{dtls="1.3",srtp="AEAD_AES_256_GCM",candidate="udp"} 1"#);
    tally.event(&Event::PeerClosed {
        peer: one,
        reason: CloseReason::FingerprintMismatch,
    });
    has(r#"bedside_peer_connections_closed_total{reason="fingerprint_mismatch"} 1"#);
    has(r#"bedside_media_bits_per_second{direction="sent"} 500"#);
    tally.disconnected();
    has(r#"bedside_media_bits_per_second{direction="sent"} 0"#);
    assert!(!metrics.text().contains("203.0"));
}
