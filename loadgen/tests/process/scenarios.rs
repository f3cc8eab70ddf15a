//! Scenarios with light participants against a data plane.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bedside_loadgen::measure::{Board, Measurements};
use bedside_loadgen::pacing::Clock;
use bedside_loadgen::scenario::Scenario;
use bedside_loadgen::{Stop, Target, light};

use crate::dataplane::Process;

/// Plays a scenario for so long.
fn play(text: &str, seconds: u64) -> Measurements {
    let process = Process::start();
    let scenario = Scenario::parse(text, Path::new("test.toml")).unwrap();
    let target = Target::Dataplane {
        socket: process.socket.clone(),
        listen: "127.0.0.1".parse().unwrap(),
        workers: 1,
        pin: false,
    };
    let board = Arc::new(Board::new(Clock::now_ns()));
    let stop = Stop::new();
    std::thread::scope(|scope| {
        let player = scope.spawn(|| light::run(&scenario, &target, &board, &stop));
        std::thread::sleep(Duration::from_secs(seconds));
        stop.stop();
        player.join().unwrap().unwrap();
    });
    board.snapshot()
}

const VIDEO: &str = "{ video = { fps = 30, layers = [\
    { width = 320, height = 180, bitrate = \"150k\" }, \
    { width = 640, height = 360, bitrate = \"500k\" }] } }";

#[test]
fn everybody_in_a_room_receives_everybody_else() {
    let measured = play(
        &format!(
            "name = \"rooms\"\nduration = \"1s\"\n[[rooms]]\ncount = 2\n[[rooms.participants]]\n\
             count = 3\npublish = [{{ audio = {{ dtx = false }} }}, {VIDEO}]\n"
        ),
        4,
    );
    assert!(measured.failures.is_empty(), "{:?}", measured.failures);
    assert_eq!(
        (measured.joined, measured.forged, measured.lost()),
        (6, 0, 0)
    );
    // Two rooms of three, each of whom receives two tracks of two others.
    assert_eq!(measured.first_frame.count(), 24);
    assert!(measured.audio_latency.count() > 0 && measured.video_latency.count() > 0);
    // The data plane begins with a layer that it has a key frame of.
    assert!(measured.layer_switches <= 12);
}

#[test]
fn who_leaves_comes_back_and_others_notice_nothing_else() {
    let measured = play(
        "name = \"churn\"\nduration = \"1s\"\n[[rooms]]\n[[rooms.participants]]\nname = \"stays\"\n\
         publish = [{ audio = { dtx = false } }]\n[[rooms.participants]]\nname = \"goes\"\n\
         count = 2\nchurn = { stay = \"500ms\", away = \"200ms\" }\n\
         publish = [{ audio = { dtx = false } }]\n",
        5,
    );
    assert!(measured.failures.is_empty(), "{:?}", measured.failures);
    assert_eq!((measured.forged, measured.lost()), (0, 0));
    // At least 5 s / (750 ms + 300 ms) each, but for what joining takes.
    assert!(measured.joined >= 7, "{}", measured.joined);
}

#[test]
fn viewers_switch_layers() {
    let measured = play(
        &format!(
            "name = \"layers\"\nduration = \"1s\"\n[[rooms]]\n[[rooms.participants]]\n\
             name = \"speaker\"\nsubscribe = \"none\"\npublish = [{VIDEO}]\n\
             [[rooms.participants]]\ncount = 2\nlayers = {{ every = \"1s\" }}\n"
        ),
        6,
    );
    assert!(measured.failures.is_empty(), "{:?}", measured.failures);
    assert_eq!((measured.forged, measured.lost()), (0, 0));
    assert!(measured.layer_switches >= 4, "{}", measured.layer_switches);
}

#[test]
fn a_bad_line_loses_packets_and_gets_most_of_its_pictures_back() {
    let measured = play(
        &format!(
            "name = \"bad\"\nduration = \"1s\"\n[[rooms]]\n[[rooms.participants]]\n\
             publish = [{VIDEO}]\nsubscribe = \"none\"\n[[rooms.participants]]\nname = \"viewer\"\n\
             count = 2\nnetwork = {{ loss = \"5%\", delay = \"20ms\", jitter = \"5ms\" }}\n"
        ),
        8,
    );
    assert_eq!(measured.forged, 0);
    assert!(measured.packets_received > 500, "{measured:?}");
    assert!(measured.reordered > 15, "{}", measured.reordered);
    // Of one in twenty packets all but those of the last moments come back when asked for.
    assert!(measured.loss() < 0.02, "{}", measured.loss());
    assert!(measured.video_latency.quantile(0.1) >= Duration::from_millis(20));
}
