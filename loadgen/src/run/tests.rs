//! Tests of runs, with players that say what a test needs them to say.

use super::*;
use crate::measure::Recorder;
use bedside_protocol::MediaKind;
use std::path::Path;

const SHORT: &str = r#"
name = "short"
duration = "1s"

[[rooms]]
[[rooms.participants]]
count = 2
"#;

fn scenario(warm_up: Duration) -> Scenario {
    let scenario = Scenario::parse(SHORT, Path::new("short.toml")).unwrap();
    Scenario {
        warm_up,
        ..scenario
    }
}

/// Two participants join, then a packet arrives every millisecond until the end.
fn two_join_and_receive(_: &Scenario, board: &Arc<Board>, stop: &Stop) -> Result<(), PlayerError> {
    let mut recorder = Recorder::new();
    recorder.join(Duration::from_millis(20));
    recorder.join(Duration::from_millis(30));
    let (wait_tx, wait) = mpsc::channel::<()>();
    while !stop.is_stopped() {
        recorder.sent(1, 1_000);
        recorder.counted(1, 1_000);
        recorder.latency(MediaKind::Video, 200_000, 100_000);
        recorder.report_to(board, Clock::now_ns());
        assert!(wait.recv_timeout(Duration::from_millis(1)).is_err());
    }
    drop(wait_tx);
    Ok(())
}

#[test]
fn joins_count_from_the_start_and_the_rest_from_the_end_of_the_warm_up() {
    let scenario = scenario(Duration::from_secs(1));
    let run = Run {
        scenario: &scenario,
        player: &two_join_and_receive,
        server: &[Process::own().unwrap()],
    };
    let mut phases = Vec::new();
    let outcome = run
        .play(&Stop::new(), &mut |progress| phases.push(progress.phase))
        .unwrap();
    assert_eq!(outcome.ended, Ended::Complete);
    assert_eq!(phases[0], Phase::WarmUp);
    assert_eq!(outcome.measurements.joined, 2);
    assert_eq!(outcome.measurements.join.count(), 2);
    assert!(outcome.measured >= scenario.duration);
    // This process stands for the server too.
    let server = outcome.server.unwrap();
    assert!(server.run_time_ns > 0 && outcome.generator.run_time_ns > 0);
}

#[test]
fn a_run_that_is_stopped_still_reports() {
    let scenario = Scenario {
        duration: Duration::from_secs(3_600),
        ..scenario(Duration::ZERO)
    };
    let run = Run {
        scenario: &scenario,
        player: &two_join_and_receive,
        server: &[],
    };
    let stop = Stop::new();
    let outcome = run.play(&stop, &mut |_| stop.stop()).unwrap();
    assert_eq!(outcome.ended, Ended::Interrupted);
    assert_eq!(outcome.measurements.joined, 2);
    assert!(outcome.server.is_none());
}

#[test]
fn players_that_cannot_begin_are_an_error_and_those_that_cannot_go_on_an_outcome() {
    let scenario = scenario(Duration::ZERO);
    let play = |player| {
        let run = Run {
            scenario: &scenario,
            player,
            server: &[],
        };
        run.play(&Stop::new(), &mut |_| {})
    };
    let refused: Player<'_> = &|_, _, _| Err("wrong secret".into());
    let error = play(refused).unwrap_err();
    let cause = StdError::source(&error).unwrap();
    assert_eq!(cause.to_string(), "wrong secret");

    let cut_off: Player<'_> = &|_, board, _| {
        let mut recorder = Recorder::new();
        recorder.join(Duration::from_millis(20));
        recorder.report_to(board, Clock::now_ns());
        Err("the server has gone".into())
    };
    let outcome = play(cut_off).unwrap();
    assert_eq!(
        outcome.ended,
        Ended::Failed("the server has gone".to_owned())
    );

    let nobody: Player<'_> = &|_, board, stop| {
        let mut recorder = Recorder::new();
        recorder.failed("refused");
        recorder.failed("refused");
        recorder.report_now(board, Clock::now_ns());
        while !stop.is_stopped() {
            thread::yield_now();
        }
        Ok(())
    };
    let error = play(nobody).unwrap_err().to_string();
    assert!(
        error.contains("nobody joined: 2 attempts failed"),
        "{error}"
    );
    assert!(
        error.contains("are the key and its secret right?"),
        "{error}"
    );

    let panics: Player<'_> = &|_, _, _| panic!("a bug");
    assert!(matches!(play(panics), Err(Error::Panicked)));
}
