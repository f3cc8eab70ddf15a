//! Full participants against the real server: both processes, real signalling, real media.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stderr,
    reason = "figures for the person who reads the run"
)]

mod server;

use bedside_loadgen::full::{self, Options};
use bedside_loadgen::measure::Measurements;
use bedside_loadgen::run::{self, Ended, Outcome, Run};
use bedside_loadgen::scenario::Scenario;
use bedside_loadgen::{Stop, Target};
use bedside_protocol::Secret;
use server::Server;
use std::path::Path;

/// Plays a scenario against a server of its own; `None` where that is not wanted.
fn play(way: impl Fn(&Server) -> Target, scenario: &str) -> Option<Measurements> {
    let outcome = attempt(way, scenario)?.expect("it runs");
    assert_eq!(outcome.ended, Ended::Complete);
    eprintln!("{}", summary(&outcome.measurements));
    Some(outcome.measurements)
}

/// The same, which may fail.
fn attempt(way: impl Fn(&Server) -> Target, scenario: &str) -> Option<Result<Outcome, run::Error>> {
    let server = Server::start()?;
    let scenario = Scenario::parse(scenario, Path::new("test.toml")).expect("a scenario");
    let target = way(&server);
    let run = Run {
        scenario: &scenario,
        player: &|scenario, board, stop| {
            Ok(full::run(
                scenario,
                &target,
                Options::default(),
                board,
                stop,
            )?)
        },
        server: &[],
    };
    Some(run.play(&Stop::new(), &mut |_| {}))
}

fn summary(measured: &Measurements) -> String {
    let ms = |ns: u64| std::time::Duration::from_nanos(ns).as_secs_f64() * 1e3;
    format!(
        "joined {} in p50 {:.1} ms p99 {:.1} ms, first frame of {} p50 {:.1} ms; sent {}, received {} \
         of {}, reordered {}, duplicated {}, forged {}; latency p50 {:.2} ms p99 {:.2} ms, lateness \
         p50 {:.2} ms p99 {:.2} ms; frozen {:.0} of {:.0} ms, {} layer switches; failures {:?}",
        measured.joined,
        ms(measured.join.quantile_ns(0.5)),
        ms(measured.join.quantile_ns(0.99)),
        measured.first_frame.count(),
        ms(measured.first_frame.quantile_ns(0.5)),
        measured.packets_sent,
        measured.packets_received,
        measured.packets_expected,
        measured.reordered,
        measured.duplicated,
        measured.forged,
        ms(measured.latency().quantile_ns(0.5)),
        ms(measured.latency().quantile_ns(0.99)),
        ms(measured.lateness.quantile_ns(0.5)),
        ms(measured.lateness.quantile_ns(0.99)),
        ms(measured.frozen_ns),
        ms(measured.watched_ns),
        measured.layer_switches,
        measured.failures,
    )
}

#[test]
fn ten_consults_meet_and_lose_nothing() {
    let scenario = r#"
        name = "consult"
        warm_up = "2s"
        duration = "5s"
        [[rooms]]
        count = 10
        join = { over = "1s" }
        [[rooms.participants]]
        count = 2
        publish = [
            { audio = { bitrate = "32k", dtx = false } },
            { video = { fps = 30, layers = [{ width = 320, height = 240, bitrate = "200k" }] } },
        ]
    "#;
    let Some(measured) = play(Server::livekit, scenario) else {
        return;
    };
    assert!(measured.failures.is_empty(), "{:?}", measured.failures);
    assert_eq!(measured.joined, 20);
    assert_eq!((measured.lost(), measured.forged), (0, 0));
    // Audio and video of the other one, for everybody.
    assert_eq!(measured.first_frame.count(), 40);
    // In 5 s: 50 packets of audio a second, and at least 30 of video.
    assert!(measured.packets_received > 20 * 4 * 80);
}

#[test]
fn viewers_change_layers_and_others_leave_and_come_again() {
    let scenario = r#"
        name = "layers"
        warm_up = "2s"
        duration = "8s"
        [[rooms]]
        join = { over = "1s" }
        [[rooms.participants]]
        name = "speaker"
        publish = [
            { audio = { bitrate = "32k", dtx = true } },
            { video = { fps = 30, layers = [
                { width = 320, height = 180, bitrate = "100k" },
                { width = 640, height = 360, bitrate = "300k" },
                { width = 1280, height = 720, bitrate = "1M" },
            ] } },
        ]
        [[rooms.participants]]
        name = "viewer"
        count = 2
        layers = { every = "1s" }
        [[rooms.participants]]
        name = "visitor"
        count = 5
        churn = { stay = "1s", away = "1s" }
        subscribe = { named = ["speaker"] }
        publish = [
            { video = { fps = 15, layers = [{ width = 320, height = 240, bitrate = "100k" }] } },
        ]
    "#;
    let Some(measured) = play(Server::livekit, scenario) else {
        return;
    };
    assert!(measured.failures.is_empty(), "{:?}", measured.failures);
    assert_eq!((measured.lost(), measured.forged), (0, 0));
    assert!(measured.joined >= 8 + 5 * 2, "{}", measured.joined);
    assert!(
        measured.layer_switches >= 2 * 5,
        "{}",
        measured.layer_switches
    );
}

#[test]
fn bad_networks_are_repaired() {
    let scenario = r#"
        name = "repair"
        warm_up = "2s"
        duration = "5s"
        [[rooms]]
        [[rooms.participants]]
        count = 2
        publish = [
            { video = { fps = 30, layers = [{ width = 640, height = 480, bitrate = "800k" }] } },
        ]
        network = { loss = 0.02, delay = "15ms", jitter = "5ms", reorder = 0.01 }
    "#;
    let Some(measured) = play(Server::livekit, scenario) else {
        return;
    };
    assert_eq!((measured.joined, measured.forged), (2, 0));
    assert!(measured.reordered > 0);
    // Twice 2 % are lost on the way, and asked for again.
    assert!(measured.loss() < 0.005, "{}", measured.loss());
    assert!(measured.video_latency.quantile_ns(0.1) > 30_000_000);
}

#[test]
fn a_camera_publishes_by_whip_and_viewers_come_by_whep() {
    let scenario = r#"
        name = "camera"
        warm_up = "2s"
        duration = "5s"
        [[rooms]]
        count = 2
        [[rooms.participants]]
        name = "camera"
        subscribe = "none"
        publish = [
            { audio = { bitrate = "32k", dtx = false } },
            { video = { fps = 30, layers = [
                { width = 320, height = 180, bitrate = "100k" },
                { width = 640, height = 360, bitrate = "300k" },
            ] } },
        ]
        [[rooms.participants]]
        name = "viewer"
        count = 3
    "#;
    let Some(measured) = play(Server::whip, scenario) else {
        return;
    };
    assert!(measured.failures.is_empty(), "{:?}", measured.failures);
    assert_eq!(measured.joined, 2 * 4);
    assert_eq!((measured.lost(), measured.forged), (0, 0));
    assert_eq!(measured.first_frame.count(), 2 * 3 * 2);
}

#[test]
fn refusals_are_counted_by_kind() {
    let scenario = r#"
        name = "refused"
        duration = "1s"
        [[rooms]]
        [[rooms.participants]]
        count = 3
        publish = [{ audio = {} }]
    "#;
    let stranger = |server: &Server| match server.livekit() {
        Target::Livekit {
            url, api_key, ca, ..
        } => Target::Livekit {
            url,
            api_key,
            api_secret: Secret::new("another secret of the same length or so".to_owned()),
            ca,
        },
        other => other,
    };
    let Some(result) = attempt(stranger, scenario) else {
        return;
    };
    match result.map(|outcome| outcome.ended) {
        Err(run::Error::NobodyJoined { attempts, what }) => {
            assert!(attempts >= 3, "everybody tried: {attempts}");
            assert_eq!(what, "refused");
        }
        other => panic!("{other:?}"),
    }
}
