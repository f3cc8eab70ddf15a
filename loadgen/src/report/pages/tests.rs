//! Tests of the pages, on results with figures that stand out in the text.

use super::*;
use crate::capacity::{Bound, Limit};
use crate::kernel::Cost;
use crate::measure::{Measurements, Second};
use crate::report::machine::Machine;
use crate::report::summary::SCHEMA;
use crate::run::{CostSecond, Outcome};
use crate::scenario::shipped;
use std::collections::BTreeMap;
use std::time::Duration;

fn cost(run_time_ns: u64, name: &str) -> Cost {
    Cost {
        elapsed: Duration::from_secs(20),
        run_time_ns,
        run_time_ns_by_thread: BTreeMap::from([(name.to_owned(), run_time_ns)]),
        busiest_thread_ns: run_time_ns,
        voluntary_switches: 1_234,
        involuntary_switches: 56,
        rss_bytes: 64 << 20,
        pss_bytes: None,
    }
}

fn outcome() -> Outcome {
    let mut measurements = Measurements {
        packets_sent: 20_000,
        packets_expected: 1_000_000,
        packets_received: 999_900,
        joined: 51,
        ..Measurements::default()
    };
    for value in 0..100_000_u64 {
        measurements.video_latency.record_ns(100_000 + value * 20);
        measurements.lateness.record_ns(2_000 + value);
    }
    measurements.join.record(Duration::from_millis(25));
    measurements.seconds = (0..20)
        .map(|at_s| Second {
            at_s,
            sent: 1_000,
            received: 50_000,
            latency_p50_ns: 1_000_000,
            latency_p99_ns: 2_000_000,
            latency_max_ns: 2_100_000 + at_s * 1_000,
            ..Second::default()
        })
        .collect();
    let second = |at_s| CostSecond {
        at_s: f64::from(at_s),
        server_cores: Some(0.5),
        server_ns_per_packet: Some(10_000.0),
        generator_cores: 0.25,
    };
    Outcome {
        measurements,
        measured: Duration::from_secs(20),
        server: Some(cost(9_999_000_000, "worker-0")),
        generator: cost(5_000_000_000, "fleet"),
        costs: (1..=20).map(second).collect(),
        ended: Ended::Complete,
    }
}

fn summary() -> Summary {
    Summary {
        schema: SCHEMA,
        version: "0.0.0".to_owned(),
        started_at: "2026-01-02T03:04:05Z".to_owned(),
        command_line: vec!["bedside-loadgen".to_owned(), "run".to_owned()],
        machine: Machine::this(),
        target: "dataplane".to_owned(),
        participants: "light".to_owned(),
        scenario: shipped::find("saturate").unwrap(),
        scale: 1.0,
        ended: Ended::Complete,
        measured: Measured::of(&outcome()),
        bound: None,
        ramp: None,
    }
}

fn bound(latency_p99_ns: u64) -> Bound {
    Bound {
        latency_p99_ns,
        loss_max: 0.0,
    }
}

#[test]
fn a_page_has_the_figures_of_the_run() {
    let html = page(&summary()).render().unwrap();
    for expected in [
        "999,900",   // arrived
        "49,995/s",  // a second
        "0.01000 %", // lost
        "10 us",     // of processor time a packet
        "100,000 packets a CPU-second",
        "worker-0",
        "Latency by percentile",
        "Latency over time",
        "packets_per_frame", // the scenario
    ] {
        assert!(html.contains(expected), "{expected}");
    }
}

#[test]
fn json_reads_back_as_what_was_written() {
    let summary = summary();
    let text = serde_json::to_string(&summary).unwrap();
    assert_eq!(serde_json::from_str::<Summary>(&text).unwrap(), summary);
}

#[test]
fn a_bound_stands_beside_what_was_measured() {
    let with = |bound: Bound| {
        let summary = Summary {
            bound: Some(bound),
            ..summary()
        };
        page(&summary).render().unwrap()
    };
    let html = with(bound(1_000_000));
    // p99 is 2.08 ms, and 100 packets were lost.
    assert_eq!(html.matches("✗ missed").count(), 2);
    let html = with(Bound {
        loss_max: 0.01,
        ..bound(5_000_000)
    });
    assert_eq!(html.matches("✓ reached").count(), 2);
}

#[test]
fn a_generator_that_was_the_limit_is_said_first() {
    let mut outcome = outcome();
    for _ in 0..10_000 {
        outcome.measurements.lateness.record_ns(3_000_000);
    }
    let summary = Summary {
        measured: Measured::of(&outcome),
        bound: Some(bound(1)),
        ..summary()
    };
    let html = page(&summary).render().unwrap();
    let notice = html.find("The generator itself was the limit").unwrap();
    assert!(notice < html.find("Results").unwrap());
    assert!(!html.contains("✗ missed"));
}

#[test]
fn a_ramp_shows_every_load() {
    let step = |rooms, verdict| Step {
        scale: 1.0,
        rooms,
        participants: rooms * 51,
        measured: Measured::of(&outcome()),
        verdict,
    };
    let ramp = Ramp {
        bound: bound(5_000_000),
        steps: vec![
            step(7, capacity::Verdict::Held),
            step(14, capacity::Verdict::Broken("loss".to_owned())),
        ],
        capacity: Some(0),
        limit: Limit::Server,
    };
    let summary = Summary {
        ramp: Some(ramp),
        ..summary()
    };
    let html = page(&summary).render().unwrap();
    assert!(html.contains("Capacity: 7 rooms with 357 participants"));
    assert!(html.contains("broken:\u{a0}loss"));
    assert!(html.contains("Latency by load"));
}

#[test]
fn runs_beside_each_other_are_compared_by_fan_out() {
    let runs = [("a".to_owned(), summary()), ("b".to_owned(), summary())];
    let html = compare(&runs).render().unwrap();
    assert!(html.contains("by fan-out") && html.contains("by load"));
    assert!(html.contains("49,995"));
}
