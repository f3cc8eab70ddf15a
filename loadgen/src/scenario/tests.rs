//! Tests of scenarios.

use super::shipped::{SHIPPED, find};
use super::*;

const FILE: &str = "file.toml";

fn check(text: &str) -> Result<Scenario, String> {
    Scenario::parse(text, Path::new(FILE)).map_err(|error| error.to_string())
}

const CONSULT: &str = r#"
name = "consult"
duration = "10s"

[[rooms]]
count = 3
join = { over = "6s" }

[[rooms.participants]]
name = "doctor"

[[rooms.participants.publish]]
audio = { bitrate = "24k" }

[[rooms.participants]]
name = "patient"
network = { loss = "2%", delay = "20ms" }
publish = [{ fixed = { packet_bytes = 1200, packets_per_frame = "8-10", fps = 30 } }]
"#;

#[test]
fn what_is_left_out_has_its_default() {
    let scenario = check(CONSULT).unwrap();
    assert_eq!(scenario.participant_count(), 6);
    let doctor = &scenario.rooms[0].participants[0];
    assert_eq!(
        doctor.publish,
        [TrackSpec::Audio(Audio {
            bitrate_bps: 24_000,
            dtx: true
        })]
    );
    assert!(doctor.network.is_perfect());
    let patient = &scenario.rooms[0].participants[1];
    assert_eq!(patient.network.loss, 0.02);
    assert_eq!(patient.network.delay, Duration::from_millis(20));
    assert!(
        matches!(patient.publish[..], [TrackSpec::Fixed(Fixed { packets_per_frame, .. })]
            if packets_per_frame == PacketsPerFrame { min: 8, max: 10 })
    );
}

#[test]
fn a_scenario_reads_back_from_what_it_writes() {
    for shipped in SHIPPED {
        let scenario = shipped.scenario().unwrap();
        let written = toml::to_string(&scenario).unwrap();
        assert_eq!(check(&written).as_ref(), Ok(&scenario), "{written}");
    }
}

#[test]
fn shipped_scenarios_have_the_name_that_finds_them() {
    for shipped in SHIPPED {
        let scenario = find(shipped.name).unwrap();
        assert_eq!(scenario.name, shipped.name);
        assert!(!scenario.description.is_empty(), "{}", shipped.name);
        let last_join = scenario.plan().last_join();
        let whole = scenario.warm_up + scenario.duration;
        assert!(last_join < whole, "{}: {last_join:?}", shipped.name);
    }
}

#[test]
fn an_unknown_name_is_answered_with_those_there_are() {
    let error = find("consults").unwrap_err().to_string();
    assert!(
        error.contains("\"consults\"") && error.contains("saturate"),
        "{error}"
    );
}

#[test]
fn errors_name_file_line_key_and_what_is_allowed() {
    let broken = |from: &str, to: &str| {
        assert!(CONSULT.contains(from));
        check(&CONSULT.replace(from, to)).unwrap_err()
    };
    let cases = [
        (
            "count = 3",
            "count = 0",
            "file.toml:6: `rooms[0].count`: 0 rooms; 1 to 100000 are allowed",
        ),
        (
            "duration = \"10s\"",
            "duration = \"10\"",
            "file.toml:3: `duration`: invalid value: string \"10\", expected a duration",
        ),
        (
            "\"24k\"",
            "\"2k\"",
            "file.toml:13: `rooms[0].participants[0].publish[0].audio.bitrate`: 2000 bits per second; 6000 to 510000",
        ),
        (
            "name = \"patient\"",
            "name = \"doctor\"",
            "file.toml:10: `rooms[0].participants[0].name`: \"doctor\" is the name of two groups",
        ),
        (
            "name = \"patient\"",
            "subscribe = { named = [\"nurse\"] }",
            "file.toml:16: `rooms[0].participants[1].subscribe.named[0]`: no group of this room is called \"nurse\"; there are: doctor, participant",
        ),
        (
            "loss = \"2%\"",
            "loss = \"200%\"",
            "file.toml:17: `rooms[0].participants[1].network.loss`: invalid value: string \"200%\", expected a share from 0 to 1",
        ),
        (
            "delay",
            "dealy",
            "file.toml:17: `rooms[0].participants[1].network.dealy`: unknown field `dealy`, expected one of `loss`, `delay`",
        ),
        (
            "fps = 30",
            "fps = 3000",
            "file.toml:18: `rooms[0].participants[1].publish[0].fixed.fps`: 3000 frames per second; 1 to 1000 are allowed",
        ),
        (
            "\"8-10\"",
            "\"10-8\"",
            "file.toml:18: `rooms[0].participants[1].publish[0].fixed.packets_per_frame`: invalid value: string \"10-8\", expected a number of packets",
        ),
        ("[[rooms]]", "[[rooms]", "file.toml:5: "),
    ];
    for (from, to, expected) in cases {
        let error = broken(from, to);
        assert!(error.starts_with(expected), "{error}\n{expected}");
    }
}

#[test]
fn rooms_fill_one_after_the_other() {
    let scenario = check(CONSULT).unwrap();
    let plan = scenario.plan();
    let joins: Vec<_> = plan
        .rooms
        .iter()
        .flat_map(|room| &room.participants)
        .map(|participant| participant.joins_at.as_secs())
        .collect();
    assert_eq!(joins, [0, 1, 2, 3, 4, 5]);
    assert_eq!(plan.rooms[2].name, "consult-0003");
    let identities: Vec<_> = plan.rooms[2]
        .participants
        .iter()
        .map(|participant| participant.identity.as_str())
        .collect();
    assert_eq!(identities, ["doctor-1", "patient-1"]);
}

#[test]
fn nobody_receives_themselves_or_those_who_publish_nothing() {
    let scenario = find("teaching").unwrap();
    let plan = scenario.plan();
    for room in &plan.rooms {
        for (place, participant) in room.participants.iter().enumerate() {
            assert!(!participant.receives.contains(&place));
            for &other in &participant.receives {
                assert!(!room.participants[other].group.publish.is_empty());
            }
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_plan() {
    let scenario = find("churn").unwrap();
    let seeds = |scenario: &Scenario| -> Vec<u64> {
        let plan = scenario.plan();
        let participants = plan.rooms.iter().flat_map(|room| &room.participants);
        participants.map(|participant| participant.seed).collect()
    };
    assert_eq!(seeds(&scenario), seeds(&scenario));
    let other = Scenario {
        seed: scenario.seed + 1,
        ..scenario.clone()
    };
    assert_ne!(seeds(&scenario), seeds(&other));
}

#[test]
fn scaling_changes_how_many_rooms_there_are() {
    let scenario = check(CONSULT).unwrap();
    assert_eq!(scenario.scaled(2.0).unwrap().room_count(), 6);
    assert_eq!(scenario.scaled(0.01).unwrap().room_count(), 1);
    let error = scenario.scaled(1e6).unwrap_err().to_string();
    assert!(error.contains("6000000 participants"), "{error}");
}

#[test]
fn durations_read_back_from_what_they_write() {
    for microseconds in [0, 1, 999, 1_000, 1_500, 1_000_000, 90_000_000] {
        let duration = Duration::from_micros(microseconds);
        let written = write_duration(duration);
        assert_eq!(parse_duration(&written), Some(duration), "{written}");
    }
    for wrong in ["", "10", "s", "-1s", "1 year", "1e3s"] {
        assert_eq!(parse_duration(wrong), None, "{wrong}");
    }
}
