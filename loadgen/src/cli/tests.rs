//! Tests of the command line.

use super::Arguments;
use super::load::without_secrets;
use clap::{CommandFactory as _, Parser as _};

fn check(line: &str) -> Result<(), String> {
    match Arguments::try_parse_from(line.split(' ')) {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn arguments_are_consistent() {
    Arguments::command().debug_assert();
}

#[test]
fn a_run_needs_one_target_and_signalling_needs_a_secret() {
    assert!(check("l run consult").unwrap_err().contains("--livekit"));
    assert!(check("l run consult --dataplane /tmp/s").is_ok());
    let two = check("l run consult --dataplane /tmp/s --whip http://h --api-secret x");
    assert!(two.unwrap_err().contains("cannot be used with"));
    assert!(check("l run consult --livekit ws://h --api-secret x").is_ok());
    assert!(check("l run consult --livekit ws://h --api-secret-file x").is_ok());
    assert!(check("l run consult --livekit ws://h --api-secret x --full").is_ok());
    assert!(check("l run consult --livekit ws://h --api-secret x --light").is_err());
    assert!(check("l run consult --dataplane /tmp/s --full").is_err());
}

#[test]
fn quantities_are_refused_with_what_would_do() {
    let run = |argument: &str| check(&format!("l run consult --dataplane /tmp/s {argument}"));
    assert!(run("--latency-p99 5").unwrap_err().contains("5ms"));
    assert!(
        run("--latency-p99 5ms --loss-max 150%")
            .unwrap_err()
            .contains("percentage")
    );
    assert!(run("--scale 0").unwrap_err().contains("0.001"));
    assert!(run("--latency-p99 5ms --loss-max 0.1% --scale 2.5 --duration 10s").is_ok());
}

#[test]
fn a_ramp_has_a_bound_by_itself() {
    assert!(check("l ramp saturate --dataplane /tmp/s").is_ok());
    assert!(check("l ramp saturate --dataplane /tmp/s --latency-p99 2ms --to 8").is_ok());
}

#[test]
fn secrets_are_not_shown() {
    let shown = |line: &str| without_secrets(line.split(' ').map(str::to_owned)).join(" ");
    assert_eq!(
        shown("l run --api-secret abc --api-key k"),
        "l run --api-secret (secret) --api-key k"
    );
    assert_eq!(
        shown("l run --api-secret=abc"),
        "l run --api-secret=(secret)"
    );
    assert_eq!(shown("l --api-secret-file f"), "l --api-secret-file f");
}
